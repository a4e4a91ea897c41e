/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/ticket_file.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/file.h"
#include "base/lock_file.h"
#include "base/new_file.h"
#include "tls/error.h"

#define MAX_FILE_BYTES 4096U /* 16 keys in base64, with room for line ends */
#define LINE_CHARACTERS 108 /* base64 of 80 bytes, the last one '=' */
#define ROTATING_KEYS 3U
#define FILE_MODE 0600

/* --- Reading --- */

static bool is_text(const struct sc_file *file)
{
    for (size_t i = 0; i < file->length; i++) {
        unsigned char c = (unsigned char)file->bytes[i];
        if (!isalnum(c) && !strchr("+/=\r\n", c)) {
            return false;
        }
    }
    return true;
}

static bool read_line(const char *line, size_t length, uint8_t key[SC_TICKETS_KEY_BYTES])
{
    unsigned char bytes[81];
    bool ok =
        length == LINE_CHARACTERS &&
        EVP_DecodeBlock(bytes, (const unsigned char *)line, (int)length) == (int)sizeof(bytes) &&
        line[LINE_CHARACTERS - 1] == '=' && line[LINE_CHARACTERS - 2] != '=';
    if (ok) {
        memcpy(key, bytes, SC_TICKETS_KEY_BYTES);
    }
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return ok;
}

static int read_text(const char *path, const struct sc_file *file, struct sc_ticket_keys *set,
                     struct sc_err *err)
{
    const char *line = file->bytes;
    for (line += strspn(line, "\r\n"); *line; line += strspn(line, "\r\n")) {
        size_t length = strcspn(line, "\r\n");
        if (set->count == SC_TICKETS_MAX_KEYS) {
            return sc_err_set(err, EX_CONFIG, "ticket keys %s: more than %u keys; drop old ones",
                              path, SC_TICKETS_MAX_KEYS);
        }
        if (!read_line(line, length, set->keys[set->count++])) {
            ERR_clear_error();
            return sc_err_set(err, EX_CONFIG,
                              "ticket keys %s: key %u is not a line of 80 bytes in base64; make "
                              "one: openssl rand 80 | openssl "
                              "base64 -A",
                              path, set->count);
        }
        line += length;
    }
    return 0;
}

static int read_keys(const char *path, const struct sc_file *file, struct sc_ticket_keys *set,
                     struct sc_err *err)
{
    if (file->length > 0 && is_text(file)) {
        if (read_text(path, file, set, err) != 0) {
            return -1;
        }
    } else if (file->length % SC_TICKETS_KEY_BYTES != 0 ||
               file->length / SC_TICKETS_KEY_BYTES > SC_TICKETS_MAX_KEYS) {
        return sc_err_set(err, EX_CONFIG,
                          "ticket keys %s: %zu bytes; a key is 80 bytes, and there are at most %u; "
                          "make one: openssl rand 80",
                          path, file->length, SC_TICKETS_MAX_KEYS);
    } else {
        set->count = (unsigned)(file->length / SC_TICKETS_KEY_BYTES);
        memcpy(set->keys, file->bytes, file->length);
    }
    if (set->count == 0) {
        return sc_err_set(err, EX_CONFIG,
                          "ticket keys %s: no key in it; make one: openssl rand 80 >%s", path,
                          path);
    }
    for (unsigned i = 1; i < set->count; i++) {
        for (unsigned k = 0; k < i; k++) {
            if (memcmp(set->keys[i], set->keys[k], SC_TICKETS_KEY_NAME_BYTES) == 0) {
                return sc_err_set(
                    err, EX_CONFIG,
                    "ticket keys %s: keys %u and %u start with the same name; every key needs 16 "
                    "bytes of its own as a name",
                    path, k + 1, i + 1);
            }
        }
    }
    return 0;
}

int sc_ticket_file_read(const char *path, struct sc_ticket_keys *out, struct sc_err *err)
{
    struct sc_file file;
    out->count = 0;
    if (sc_file_read(path, MAX_FILE_BYTES, &file, err) != 0) {
        return sc_err_prefix(err, "ticket keys");
    }
    const int status = read_keys(path, &file, out, err);
    sc_file_fini(&file);
    return status;
}

/* --- Making --- */

int sc_ticket_file_random_key(uint8_t out[SC_TICKETS_KEY_BYTES], struct sc_err *err)
{
    ERR_clear_error();
    /* The name is public: it travels in the ticket. */
    if (RAND_bytes(out, SC_TICKETS_KEY_NAME_BYTES) != 1 ||
        RAND_priv_bytes(out + SC_TICKETS_KEY_NAME_BYTES,
                        SC_TICKETS_KEY_BYTES - SC_TICKETS_KEY_NAME_BYTES) != 1) {
        return sc_tls_err(err, EX_OSERR, "can't make keys for session tickets");
    }
    return 0;
}

/* Of three keys of `old` the second is the first now. Else the first stays, and makes room. */
static int rotate(const struct sc_ticket_keys *old, struct sc_ticket_keys *out, struct sc_err *err)
{
    const bool whole = old->count == ROTATING_KEYS;
    out->count = ROTATING_KEYS;
    for (unsigned i = 0; i < ROTATING_KEYS; i++) {
        if (sc_ticket_file_random_key(out->keys[i], err) != 0) {
            return -1;
        }
    }
    if (old->count > 0) {
        memcpy(out->keys[0], old->keys[whole ? 1 : 0], SC_TICKETS_KEY_BYTES);
    }
    if (old->count > 1) {
        memcpy(out->keys[2], old->keys[whole ? 0 : 1], SC_TICKETS_KEY_BYTES);
    }
    return 0;
}

static int write_keys(const char *path, const struct sc_ticket_keys *set, bool replace,
                      struct sc_err *err)
{
    const struct sc_new_file_settings settings = {.mode = FILE_MODE, .like = path, .locked = true};
    struct sc_new_file file = {0};
    unsigned char text[ROTATING_KEYS * (LINE_CHARACTERS + 1) + 1];
    for (unsigned i = 0; i < ROTATING_KEYS; i++) {
        unsigned char *line = text + i * (LINE_CHARACTERS + 1U);
        (void)EVP_EncodeBlock(line, set->keys[i], (int)SC_TICKETS_KEY_BYTES);
        line[LINE_CHARACTERS] = '\n';
    }
    const int status = sc_new_file_write(&file, path, text, sizeof(text) - 1, &settings, err) == 0
                           ? sc_new_file_put(&file, replace, err)
                           : -1;
    sc_new_file_discard(&file);
    OPENSSL_cleanse(text, sizeof(text));
    return status;
}

static int rotate_locked(const char *path, bool *rotated, struct sc_err *err)
{
    struct sc_ticket_keys old = {0};
    struct sc_ticket_keys fresh = {0};
    struct stat there;
    const bool exists = lstat(path, &there) == 0 || errno != ENOENT;
    int status = exists ? sc_ticket_file_read(path, &old, err) : 0;
    if (status == 0 && old.count > ROTATING_KEYS) {
        status = sc_err_set(err, EX_CONFIG,
                            "ticket keys %s: %u keys; a file that rotates has three: current, next "
                            "and previous; drop the oldest",
                            path, old.count);
    }
    if (status == 0) {
        status = rotate(&old, &fresh, err) == 0 ? write_keys(path, &fresh, exists, err) : -1;
    }
    *rotated = old.count == ROTATING_KEYS;
    OPENSSL_cleanse(&old, sizeof(old));
    OPENSSL_cleanse(&fresh, sizeof(fresh));
    return status;
}

int sc_ticket_file_rotate(const char *path, bool *rotated, struct sc_err *err)
{
    const int lock = sc_lock_directory_of(path, err);
    if (lock < 0) {
        if (err && err->status == EX_NOINPUT) {
            err->status = EX_CANTCREAT;
        }
        return -1;
    }
    const int status = rotate_locked(path, rotated, err);
    (void)close(lock);
    return status;
}
