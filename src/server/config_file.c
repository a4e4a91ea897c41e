/* The configuration file: read whole, its form checked, values by OpenSSL's parser. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/conf.h>
#include <openssl/err.h>

#include "server/config_scan.h"
#include "tls/error.h"

#define MAX_FILE_BYTES (1U << 20)

/* Up to `room` bytes. -1: errno says why. */
static ssize_t read_all(int fd, char *to, size_t room)
{
    size_t used = 0;
    while (used < room) {
        const ssize_t got = read(fd, to + used, room - used);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -1;
        }
        if (got == 0) {
            break;
        }
        used += (size_t)got;
    }
    return (ssize_t)used;
}

/* The text of an open file, NUL-terminated. NULL: see errors. */
static char *slurp_fd(int fd, const char *path, size_t *length, struct sc_config_errors *errors)
{
    struct stat status;
    if (fstat(fd, &status) != 0 || S_ISDIR(status.st_mode)) {
        sc_config_error(errors, EX_NOINPUT,
                        "can't read configuration %s: it is a directory; name the file in it",
                        path);
        return NULL;
    }
    if (!S_ISREG(status.st_mode) && !S_ISCHR(status.st_mode)) {
        sc_config_error(errors, EX_NOINPUT,
                        "can't read configuration %s: not a regular file; a reload reads it again",
                        path);
        return NULL;
    }
    char *text = malloc(MAX_FILE_BYTES + 2);
    if (!text) {
        sc_config_error(errors, EX_OSERR, "out of memory");
        return NULL;
    }
    const ssize_t got = read_all(fd, text, MAX_FILE_BYTES + 1);
    if (got < 0) {
        sc_config_error(errors, EX_NOINPUT, "can't read configuration %s: %s", path,
                        strerror(errno));
    } else if ((size_t)got > MAX_FILE_BYTES) {
        sc_config_error(errors, EX_CONFIG, "%s: a configuration of more than 1 MiB is not allowed",
                        path);
    } else {
        text[got] = '\0';
        *length = (size_t)got;
        return text;
    }
    free(text);
    return NULL;
}

static char *slurp(const char *path, bool optional, bool *found, size_t *length,
                   struct sc_config_errors *errors)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    *found = fd >= 0;
    if (fd < 0) {
        if (!optional || (errno != ENOENT && errno != ENOTDIR)) {
            sc_config_error(errors, EX_NOINPUT, "can't read configuration %s: %s", path,
                            strerror(errno));
        }
        return NULL;
    }
    char *text = slurp_fd(fd, path, length, errors);
    (void)close(fd);
    return text;
}

/* OpenSSL's own view of the text. NULL: see errors. */
static CONF *parse(const char *path, const char *text, size_t length,
                   struct sc_config_errors *errors)
{
    long line = 0;
    struct sc_err reason = {0};
    ERR_clear_error();
    BIO *bio = BIO_new_mem_buf(text, (int)length);
    CONF *conf = bio ? NCONF_new(NULL) : NULL;
    if (conf && NCONF_load_bio(conf, bio, &line) <= 0 && length > 0) {
        (void)sc_tls_err(&reason, EX_CONFIG, "%s:%ld", path, line);
        sc_config_error(errors, EX_CONFIG, "%s; lines are [SECTION], KEY = VALUE, or # comment",
                        reason.text);
        NCONF_free(conf);
        conf = NULL;
    } else if (!conf) {
        sc_config_error(errors, EX_OSERR, "out of memory");
    }
    BIO_free(bio);
    ERR_clear_error();
    return conf;
}

/* The value of every key. */
static void take_values(const char *path, CONF *conf, struct sc_config_file *file,
                        struct sc_config_errors *errors)
{
    for (size_t i = 0; i < file->count; i++) {
        struct sc_config_entry *entry = &file->entries[i];
        const char *value = NCONF_get_string(conf, entry->section, entry->key);
        if (!value) {
            sc_config_error(errors, EX_CONFIG,
                            "%s:%u: [%s] \"%.64s\" is no key: letters, digits and - are", path,
                            entry->line, entry->section, entry->key);
        } else if (!(entry->value = strdup(value))) {
            sc_config_error(errors, EX_OSERR, "out of memory");
        }
    }
    ERR_clear_error();
}

/* Nothing that OpenSSL saw may be missed: as many keys in its sections as were found here. */
static void check_complete(const char *path, CONF *conf, const struct sc_config_file *file,
                           struct sc_config_errors *errors)
{
    static const char *const sections[] = {"default", "server", "tls"};
    size_t seen = 0;
    for (size_t i = 0; i < SC_COUNT_OF(sections); i++) {
        STACK_OF(CONF_VALUE) *values = NCONF_get_section(conf, sections[i]);
        seen += values ? (size_t)sk_CONF_VALUE_num(values) : 0;
    }
    ERR_clear_error();
    if (seen != file->count) {
        sc_config_error(
            errors, EX_CONFIG,
            "%s: %zu keys are there, %zu are understood; write them one a line as KEY = VALUE",
            path, seen, file->count);
    }
}

int sc_config_file_read(const char *path, bool optional, struct sc_config_file *file, bool *found,
                        struct sc_config_errors *errors)
{
    const size_t before = errors->count;
    size_t length = 0;
    *file = (struct sc_config_file){0};
    char *text = slurp(path, optional, found, &length, errors);
    if (!text) {
        return errors->count == before ? 0 : -1;
    }
    CONF *conf = NULL;
    if (sc_config_scan(path, text, length, file, errors) == 0) {
        conf = parse(path, text, length, errors);
    }
    if (conf) {
        const size_t known = errors->count;
        take_values(path, conf, file, errors);
        if (known == before) {
            check_complete(path, conf, file, errors);
        }
        NCONF_free(conf);
    }
    free(text);
    return errors->count == before ? 0 : -1;
}

void sc_config_file_fini(struct sc_config_file *file)
{
    for (size_t i = 0; i < file->count; i++) {
        free(file->entries[i].section);
        free(file->entries[i].key);
        free(file->entries[i].value);
    }
    free(file->entries);
    *file = (struct sc_config_file){0};
}
