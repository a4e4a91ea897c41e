#include "config.h"

#include "server/passphrase.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/ui.h>

/* The first line of a file, without its end. -1: not readable, or it does not fit. */
static int read_first_line(const char *path, char *out, int out_size)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        return -1;
    }
    char *line = fgets(out, out_size, file);
    (void)fclose(file);
    if (!line) {
        return -1;
    }
    out[strcspn(out, "\r\n")] = '\0';
    return (int)strlen(out);
}

static int read_credential(char *out, int out_size)
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    char        path[4096];
    if (!directory || snprintf(path, sizeof(path), "%s/passphrase", directory) >= (int)sizeof(path)) {
        return -1;
    }
    return read_first_line(path, out, out_size);
}

static int ask_terminal(struct sc_passphrase *passphrase)
{
    if (passphrase->asked[0] == '\0' && passphrase->may_ask && isatty(STDIN_FILENO)) {
        if (UI_UTIL_read_pw_string(passphrase->asked, (int)sizeof(passphrase->asked) - 1, "Passphrase of the private key: ", 0) != 0) {
            passphrase->asked[0] = '\0';
        }
    }
    return passphrase->asked[0] == '\0' ? -1 : (int)strlen(passphrase->asked);
}

int sc_passphrase_callback(char *out, int out_size, int for_writing, void *arg)
{
    struct sc_passphrase *passphrase = arg;
    int                   length     = -1;
    (void)for_writing;
    if (passphrase->file && passphrase->file[0] != '\0') {
        return read_first_line(passphrase->file, out, out_size);
    }
    length = read_credential(out, out_size);
    if (length < 0) {
        length = ask_terminal(passphrase);
        if (length >= out_size) {
            return -1;
        }
        if (length >= 0) {
            memcpy(out, passphrase->asked, (size_t)length + 1);
        }
    }
    return length;
}

void sc_passphrase_erase(struct sc_passphrase *passphrase)
{
    OPENSSL_cleanse(passphrase->asked, sizeof(passphrase->asked));
}
