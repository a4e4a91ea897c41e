/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/passphrase.h"

#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/file.h"
#include "tls/passphrase_prompt.h"

#define MAX_FILE_BYTES 65536U

/* The first line of a file, without its end. */
static int read_first_line(struct sc_passphrase *passphrase, const char *path, char *out,
                           int out_size)
{
    struct sc_file file;
    if (sc_file_read(path, MAX_FILE_BYTES, &file, &passphrase->failure) != 0) {
        return sc_err_prefix(&passphrase->failure, "passphrase");
    }
    const size_t length = strcspn(file.bytes, "\r\n");
    int result = -1;
    if (length == 0) {
        (void)sc_err_set(&passphrase->failure, EX_CONFIG,
                         "passphrase: the first line of %s is empty", path);
    } else if (length >= (size_t)out_size) {
        (void)sc_err_set(&passphrase->failure, EX_CONFIG,
                         "passphrase: the first line of %s is longer than %d bytes", path,
                         out_size - 1);
    } else {
        memcpy(out, file.bytes, length);
        out[length] = '\0';
        result = (int)length;
    }
    sc_file_fini(&file);
    return result;
}

static int ask_terminal(struct sc_passphrase *passphrase)
{
    if (passphrase->asked[0] == '\0' && passphrase->may_ask && isatty(STDIN_FILENO)) {
        if (sc_passphrase_read("Passphrase of the private key: ", passphrase->asked,
                               (int)sizeof(passphrase->asked)) < 0) {
            passphrase->asked[0] = '\0';
        }
    }
    return passphrase->asked[0] == '\0' ? -1 : (int)strlen(passphrase->asked);
}

int sc_passphrase_callback(char *out, int out_size, int for_writing, void *arg)
{
    struct sc_passphrase *passphrase = arg;
    char path[4096];
    (void)for_writing;
    if (passphrase->file && passphrase->file[0] != '\0') {
        return read_first_line(passphrase, passphrase->file, out, out_size);
    }
    if (passphrase->sysd &&
        sc_sysd_credential(passphrase->sysd, "passphrase", path, sizeof(path)) == 0) {
        return read_first_line(passphrase, path, out, out_size);
    }
    const int length = ask_terminal(passphrase);
    if (length < 0 || length >= out_size) {
        return -1;
    }
    memcpy(out, passphrase->asked, (size_t)length + 1);
    return length;
}

void sc_passphrase_erase(struct sc_passphrase *passphrase)
{
    OPENSSL_cleanse(passphrase->asked, sizeof(passphrase->asked));
}
