/*
 * The configuration file, in the syntax of config(5). OpenSSL's parser reads the values; it keeps
 * neither lines nor what was given twice, so this finds the start of every section and key by the
 * same rules. Messages quote names of keys and no other content: the file may be another one, such
 * as a private key.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/conf.h>
#include <openssl/conferr.h>
#include <openssl/err.h>

#include "base/file.h"
#include "server/config_table.h"

#define MAX_FILE_BYTES (1U << 20)

static const char *const sections[] = {"server", "tls"};
static const char blanks[] = " \t\r\n";

struct scan {
    const char *path;
    struct sc_config_file *file;
    struct sc_config_errors *errors;
    unsigned line; /* where what is looked at starts, from 1 */
    bool started; /* there was a section of ours */
    const char *section; /* NULL: before the first, or one that is not ours */
    unsigned section_lines[SC_COUNT_OF(sections)]; /* where they start, 0: not yet */
};

static int complain(const struct scan *scan, const char *fmt, ...) SC_PRINTF(2, 3);

static int complain(const struct scan *scan, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return sc_config_error(scan->errors, EX_CONFIG, "%s:%u: %s", scan->path, scan->line, text);
}

/*
 * Copies the logical line at *text to `out` (room for all that is left of the text): a backslash
 * at the end of a line that does not follow another one joins it with the next. Returns how many
 * lines it took and moves *text after them.
 */
static unsigned take_line(const char **text, char *out)
{
    unsigned lines = 0;
    size_t used = 0;
    bool more = true;
    while (more && **text) {
        size_t length = strcspn(*text, "\n");
        memcpy(out + used, *text, length);
        *text += length + ((*text)[length] == '\n');
        used += length;
        while (used > 0 && out[used - 1] == '\r') {
            used--;
        }
        more = used > 0 && out[used - 1] == '\\' && (used == 1 || out[used - 2] != '\\');
        used -= more;
        lines++;
    }
    out[used] = '\0';
    return lines;
}

/* Of a file that does not start as a configuration does nothing is quoted. */
static int refuse_file(const struct scan *scan)
{
    return complain(scan, "not a configuration of sc-server: expected text with [server] or [tls] "
                          "before anything else");
}

/* The index of a section of ours, or SC_COUNT_OF(sections). */
static size_t find_section(const char *name, size_t length)
{
    size_t i = 0;
    while (i < SC_COUNT_OF(sections) &&
           (strncmp(sections[i], name, length) != 0 || sections[i][length] != '\0')) {
        i++;
    }
    return i;
}

/* -1: this is not a configuration, nothing more of it is to be looked at. */
static int take_section(struct scan *scan, const char *name)
{
    name += strspn(name, blanks);
    const size_t length = strcspn(name, "]");
    const char *after = name + length;
    size_t used = length;
    while (used > 0 && strchr(blanks, name[used - 1])) {
        used--;
    }
    const size_t index = find_section(name, used);
    scan->section = index < SC_COUNT_OF(sections) ? sections[index] : NULL;
    if (!scan->section && !scan->started) {
        return refuse_file(scan);
    }
    scan->started = true;
    if (*after == ']') {
        after += 1 + strspn(after + 1, blanks);
    }
    if (name[length] != ']' || (*after != '\0' && *after != '#')) {
        return complain(scan, "expected [SECTION] on a line of its own");
    }
    if (!scan->section) {
        (void)complain(scan, "unknown section [%.*s]: expected [server] or [tls]",
                       (int)(used < 64 ? used : 64), name);
    } else if (scan->section_lines[index] > 0) {
        (void)complain(scan, "section [%s] again: it began in line %u; put all its keys there",
                       scan->section, scan->section_lines[index]);
    } else {
        scan->section_lines[index] = scan->line;
    }
    return 0;
}

static const struct sc_config_entry *find_entry(const struct scan *scan, const char *key)
{
    for (size_t i = 0; i < scan->file->count; i++) {
        const struct sc_config_entry *entry = &scan->file->entries[i];
        if (entry->section == scan->section && strcmp(entry->key, key) == 0) {
            return entry;
        }
    }
    return NULL;
}

static int add_entry(struct scan *scan, const char *key)
{
    struct sc_config_file *file = scan->file;
    struct sc_config_entry *entries = realloc(file->entries, (file->count + 1) * sizeof(*entries));
    if (!entries) {
        return sc_config_out_of_memory(scan->errors);
    }
    file->entries = entries;
    entries[file->count] = (struct sc_config_entry){scan->section, strdup(key), NULL, scan->line};
    if (!entries[file->count].key) {
        return sc_config_out_of_memory(scan->errors);
    }
    file->count++;
    return 0;
}

/* Only this far can a line be quoted: a key of another file is hardly of this form. */
static bool is_key(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)text[i]) && !strchr("-_.:", text[i])) {
            return false;
        }
    }
    return length > 0 && length < 64;
}

/* -1: nothing more is to be read: the line is not in the syntax, or an .include. */
static int take_key(struct scan *scan, char *key)
{
    const size_t length = strcspn(key, " \t\r\n=");
    const char equal = key[length + strspn(key + length, blanks)];
    key[length] = '\0';
    if (!scan->started) {
        return refuse_file(scan);
    }
    if (strstr(key, ".include")) {
        return complain(scan, ".include is not allowed: a reload watches one file");
    }
    if (equal != '=' || !is_key(key, length)) {
        return complain(scan, "expected KEY = VALUE");
    }
    const struct sc_config_entry *first = scan->section ? find_entry(scan, key) : NULL;
    if (first) {
        (void)complain(scan, "[%s] %s: given again: it is in line %u already", scan->section, key,
                       first->line);
        return 0;
    }
    return scan->section ? add_entry(scan, key) : 0;
}

/* Adds sections and keys, without values. -1: the text must not be given to OpenSSL. */
static int find_keys(struct scan *scan, const char *text, size_t length)
{
    char *logical = malloc(length + 1);
    if (!logical) {
        return sc_config_out_of_memory(scan->errors);
    }
    int rc = memchr(text, '\0', length) ? refuse_file(scan) : 0;
    unsigned next = 1;
    text += strncmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; /* a byte order mark */
    while (*text && rc == 0) {
        scan->line = next;
        next += take_line(&text, logical);
        char *start = logical + strspn(logical, blanks);
        if (*start == '[') {
            rc = take_section(scan, start + 1);
        } else if (*start != '\0' && *start != '#' && strncmp(start, ".pragma", 7) != 0) {
            rc = take_key(scan, start);
        }
    }
    free(logical);
    return rc;
}

/* OpenSSL's own view of the text. NULL: see errors. */
static CONF *parse(struct scan *scan, const char *text, size_t length)
{
    long line = 0;
    ERR_clear_error();
    BIO *bio = BIO_new_mem_buf(text, (int)length);
    CONF *conf = bio ? NCONF_new(NULL) : NULL;
    if (!conf) {
        (void)sc_config_out_of_memory(scan->errors);
    } else if (length > 0 && NCONF_load_bio(conf, bio, &line) <= 0) {
        /* Its own texts quote the file. */
        const bool variable = ERR_GET_REASON(ERR_peek_error()) == CONF_R_VARIABLE_HAS_NO_VALUE;
        scan->line = (unsigned)line;
        (void)complain(scan, variable ? "a variable that is not set; \\$ is a dollar sign"
                                      : "expected [SECTION], KEY = VALUE or # comment");
        NCONF_free(conf);
        conf = NULL;
    }
    BIO_free(bio);
    ERR_clear_error();
    return conf;
}

/* The value of every key. */
static void take_values(struct scan *scan, CONF *conf)
{
    for (size_t i = 0; i < scan->file->count; i++) {
        struct sc_config_entry *entry = &scan->file->entries[i];
        const char *value = NCONF_get_string(conf, entry->section, entry->key);
        scan->line = entry->line;
        if (!value) {
            (void)complain(scan, "[%s] %s: not a key: expected letters, digits and -",
                           entry->section, entry->key);
        } else if (!(entry->value = strdup(value))) {
            (void)sc_config_out_of_memory(scan->errors);
        }
    }
}

/* Nothing that OpenSSL saw may be missed: as many keys in its sections as were found here. */
static void check_complete(const struct scan *scan, CONF *conf)
{
    size_t seen = 0;
    for (size_t i = 0; i <= SC_COUNT_OF(sections); i++) {
        STACK_OF(CONF_VALUE) *values =
            NCONF_get_section(conf, i < SC_COUNT_OF(sections) ? sections[i] : "default");
        seen += values ? (size_t)sk_CONF_VALUE_num(values) : 0;
    }
    if (seen != scan->file->count) {
        (void)sc_config_error(scan->errors, EX_CONFIG,
                              "%s: %zu keys are there, %zu are understood; write them one a line "
                              "as KEY = VALUE",
                              scan->path, seen, scan->file->count);
    }
}

int sc_config_file_parse(const char *path, const char *text, size_t length,
                         struct sc_config_file *out, struct sc_config_errors *errors)
{
    const size_t before = errors->count;
    struct scan scan = {.path = path, .file = out, .errors = errors, .line = 1};
    *out = (struct sc_config_file){0};
    CONF *conf = find_keys(&scan, text, length) == 0 ? parse(&scan, text, length) : NULL;
    if (conf) {
        const size_t known = errors->count;
        take_values(&scan, conf);
        if (known == before) {
            check_complete(&scan, conf);
        }
        NCONF_free(conf);
        ERR_clear_error();
    }
    return errors->count == before ? 0 : -1;
}

int sc_config_file_read(const char *path, bool optional, struct sc_config_file *out,
                        struct sc_config_errors *errors)
{
    struct sc_file file;
    struct sc_err err;
    *out = (struct sc_config_file){0};
    if (optional && access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
        return 0;
    }
    if (sc_file_read(path, MAX_FILE_BYTES, &file, &err) != 0) {
        return sc_config_error(errors, err.status, "configuration: %s", err.text);
    }
    const int rc = sc_config_file_parse(path, file.bytes, file.length, out, errors);
    sc_file_fini(&file);
    return rc;
}

void sc_config_file_fini(struct sc_config_file *file)
{
    for (size_t i = 0; i < file->count; i++) {
        free(file->entries[i].key);
        free(file->entries[i].value);
    }
    free(file->entries);
    *file = (struct sc_config_file){0};
}
