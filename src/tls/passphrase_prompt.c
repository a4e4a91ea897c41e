/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/passphrase_prompt.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/file.h"
#include "tls/cert_files.h"

#define UI_INTERRUPTED (-2) /* UI_process(3) */

int sc_passphrase_read(const char *prompt, char *out, int size)
{
    const int result = EVP_read_pw_string(out, size - 1, prompt, 0); /* without the NUL */
    if (result == UI_INTERRUPTED) {
        (void)raise(SIGINT);
    }
    return result == 0 ? (int)strlen(out) : -1;
}

static int ask(char *out, int size, int writing, void *arg)
{
    char prompt[300];
    (void)writing;
    (void)snprintf(prompt, sizeof(prompt), "Passphrase of %.200s: ", (const char *)arg);
    return sc_passphrase_read(prompt, out, size);
}

pem_password_cb *sc_passphrase_prompt(void)
{
    const int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (terminal < 0) {
        return NULL;
    }
    (void)close(terminal);
    return ask;
}

/* By the labels of PEM (RFC 7468 section 11, RFC 1421 section 4.6.1.1). */
static bool is_encrypted(const char *path)
{
    struct sc_file file;
    if (sc_file_read(path, SC_CERT_FILES_MAX_BYTES, &file, NULL) != 0) {
        return false;
    }
    const bool encrypted = strstr(file.bytes, "-----BEGIN ENCRYPTED PRIVATE KEY-----") ||
                           strstr(file.bytes, "Proc-Type: 4,ENCRYPTED");
    sc_file_fini(&file);
    return encrypted;
}

int sc_passphrase_ask(const char *key_path, char *out, size_t out_size, struct sc_err *err)
{
    out[0] = '\0';
    if (!is_encrypted(key_path)) {
        return 0;
    }
    pem_password_cb *prompt = sc_passphrase_prompt();
    if (!prompt) {
        return sc_err_set(err, EX_NOINPUT,
                          "private key %s is encrypted, and there is no terminal to ask for its "
                          "passphrase; 'openssl pkey -in %s -out FILE' writes it unencrypted",
                          key_path, key_path);
    }
    if (prompt(out, (int)out_size, 0, (void *)(uintptr_t)key_path) <= 0) {
        return sc_err_set(err, EX_NOINPUT, "private key %s: no passphrase was entered", key_path);
    }
    return 0;
}
