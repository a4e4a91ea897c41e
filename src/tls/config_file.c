/* SPDX-License-Identifier: MIT */
/*
 * OpenSSL's parser reads the values; it keeps neither lines nor what was given twice, so this finds
 * the start of every section and key by the same rules. Messages quote names of keys and no other
 * content: the file may be another one, such as a private key.
 */
#include "config.h"

#include "tls/config_file.h"

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

#define MAX_FILE_BYTES (1U << 20)
#define DEFAULT_SECTION "default" /* OpenSSL's name for what is before the first */

static const char blanks[] = " \t\r\n";

struct scan {
    const char *path;
    const struct sc_config_syntax *syntax;
    struct sc_config_file *file;
    struct sc_config_errors *errors;
    unsigned line; /* where what is looked at starts, from 1 */
    bool started; /* there was a section or a key of ours */
    const char *section; /* NULL: before the first, or one that is not ours */
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

/* "[server] or [tls]" */
static void list_sections(const struct sc_config_syntax *syntax, char out[128])
{
    size_t used = 0;
    for (size_t i = 0; syntax->sections && syntax->sections[i] && used < 128; i++) {
        const char *between = i == 0 ? "" : syntax->sections[i + 1] ? ", " : " or ";
        used += (size_t)snprintf(out + used, 128 - used, "%s[%s]", between, syntax->sections[i]);
    }
    if (!syntax->sections) {
        (void)snprintf(out, 128, "[SECTION]");
    }
}

/* Of a file that does not start as a configuration does nothing is quoted. */
static int refuse_file(const struct scan *scan)
{
    char expected[128];
    list_sections(scan->syntax, expected);
    return complain(scan, "not a configuration of %s: expected text with %s%s",
                    scan->syntax->program, expected,
                    scan->syntax->sections ? " before anything else" : " and KEY = VALUE");
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

static bool is_section(const struct sc_config_syntax *syntax, const char *name)
{
    if (!syntax->sections) {
        return is_key(name, strlen(name));
    }
    size_t i = 0;
    while (syntax->sections[i] && strcmp(syntax->sections[i], name) != 0) {
        i++;
    }
    return syntax->sections[i] != NULL;
}

static const struct sc_config_section *find_section(const struct sc_config_file *file,
                                                    const char *name)
{
    for (size_t i = 0; i < file->section_count; i++) {
        if (strcmp(file->sections[i].name, name) == 0) {
            return &file->sections[i];
        }
    }
    return NULL;
}

/* What follows is in this section. Given again it goes on, and is in the errors. */
static int enter_section(struct scan *scan, const char *name)
{
    struct sc_config_file *file = scan->file;
    const struct sc_config_section *first = find_section(file, name);
    scan->started = true;
    if (first) {
        scan->section = first->name;
        (void)complain(scan, "section [%s] again: it began in line %u; put all its keys there",
                       name, first->line);
        return 0;
    }
    struct sc_config_section *sections =
        realloc(file->sections, (file->section_count + 1) * sizeof(*sections));
    char *copy = strdup(name);
    if (sections) {
        file->sections = sections;
    }
    if (!sections || !copy) {
        free(copy);
        return sc_config_out_of_memory(scan->errors);
    }
    sections[file->section_count++] = (struct sc_config_section){copy, scan->line};
    scan->section = copy;
    return 0;
}

/* -1: this is not a configuration, nothing more of it is to be looked at. */
static int take_section(struct scan *scan, char *name)
{
    char expected[128];
    name += strspn(name, blanks);
    const size_t length = strcspn(name, "]");
    const char *after = name + length;
    const bool closed = *after == ']';
    size_t used = length;
    while (used > 0 && strchr(blanks, name[used - 1])) {
        used--;
    }
    after += closed ? 1 + strspn(after + 1, blanks) : 0;
    const bool alone = closed && (*after == '\0' || *after == '#');
    name[used] = '\0';
    const bool known = is_section(scan->syntax, name);
    scan->section = NULL;
    if (!known && !scan->started) {
        return refuse_file(scan);
    }
    scan->started = true;
    if (!alone) {
        return complain(scan, "expected [SECTION] on a line of its own");
    }
    if (known) {
        return enter_section(scan, name);
    }
    list_sections(scan->syntax, expected);
    (void)complain(scan, "unknown section [%.*s]: expected %s", 64, name,
                   scan->syntax->sections ? expected : "letters, digits, - and .");
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

/* -1: nothing more is to be read: the line is not in the syntax, or an .include. */
static int take_key(struct scan *scan, char *key)
{
    const size_t length = strcspn(key, " \t\r\n=");
    const char equal = key[length + strspn(key + length, blanks)];
    key[length] = '\0';
    if (!scan->started && (scan->syntax->sections || equal != '=' || !is_key(key, length))) {
        return refuse_file(scan);
    }
    if (!scan->started && enter_section(scan, DEFAULT_SECTION) != 0) {
        return -1;
    }
    if (strstr(key, ".include")) {
        return complain(scan, ".include is not allowed: this file is the only one that is read");
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

static size_t count_keys(CONF *conf, const char *section)
{
    STACK_OF(CONF_VALUE) *values = NCONF_get_section(conf, section);
    return values ? (size_t)sk_CONF_VALUE_num(values) : 0;
}

/* Nothing that OpenSSL saw may be missed: as many keys in its sections as were found here. */
static void check_complete(const struct scan *scan, CONF *conf)
{
    const struct sc_config_file *file = scan->file;
    size_t seen = find_section(file, DEFAULT_SECTION) ? 0 : count_keys(conf, DEFAULT_SECTION);
    for (size_t i = 0; i < file->section_count; i++) {
        seen += count_keys(conf, file->sections[i].name);
    }
    if (seen != file->count) {
        (void)sc_config_error(scan->errors, EX_CONFIG,
                              "%s: %zu keys are there, %zu are understood; write them one a line "
                              "as KEY = VALUE",
                              scan->path, seen, file->count);
    }
}

int sc_config_file_parse(const char *path, const char *text, size_t length,
                         const struct sc_config_syntax *syntax, struct sc_config_file *out,
                         struct sc_config_errors *errors)
{
    const size_t before = errors->count;
    struct scan scan = {.path = path, .syntax = syntax, .file = out, .errors = errors, .line = 1};
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

int sc_config_file_read(const char *path, bool optional, const struct sc_config_syntax *syntax,
                        struct sc_config_file *out, struct sc_config_errors *errors)
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
    const int rc = sc_config_file_parse(path, file.bytes, file.length, syntax, out, errors);
    sc_file_fini(&file);
    return rc;
}

void sc_config_file_fini(struct sc_config_file *file)
{
    for (size_t i = 0; i < file->count; i++) {
        free(file->entries[i].key);
        free(file->entries[i].value);
    }
    for (size_t i = 0; i < file->section_count; i++) {
        free(file->sections[i].name);
    }
    free(file->sections);
    free(file->entries);
    *file = (struct sc_config_file){0};
}

const char *sc_config_file_section(const struct sc_config_file *file, const char *name)
{
    const struct sc_config_section *section = find_section(file, name);
    return section ? section->name : NULL;
}
