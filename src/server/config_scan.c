#include "config.h"

#include "server/config_scan.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

struct scan {
    const char *path;
    struct sc_config_file *file;
    struct sc_config_errors *errors;
    char section[64]; /* empty: before the first */
    bool known; /* `section` is one of ours */
    unsigned server_line, tls_line; /* where the sections began, 0: not yet */
};

static const char blanks[] = " \t\r\n";

static int check_bytes(const struct scan *scan, const char *text, size_t length)
{
    unsigned line = 1;
    const char *end = text + length;
    for (const char *p = text; p < end; line++) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        const size_t bytes = (size_t)((newline ? newline : end) - p);
        if (memchr(p, '\0', bytes)) {
            sc_config_error(scan->errors, EX_CONFIG, "%s:%u: a NUL byte: this is no text file",
                            scan->path, line);
            return -1;
        }
        if (bytes > SC_CONFIG_MAX_LINE_BYTES) {
            sc_config_error(scan->errors, EX_CONFIG,
                            "%s:%u: a line of %zu bytes: up to %u are allowed", scan->path, line,
                            bytes, SC_CONFIG_MAX_LINE_BYTES);
            return -1;
        }
        p += bytes + (newline ? 1 : 0);
    }
    return 0;
}

/*
 * Copies the logical line at *text to `out` (room for all that is left of the text): a backslash
 * at the end of a line that does not follow another one joins it with the next. Returns how many
 * lines it took and moves *text behind them.
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

static void take_section(struct scan *scan, const char *name, unsigned line)
{
    const size_t length = strcspn(name, "]");
    size_t used = length;
    while (used > 0 && strchr(blanks, name[used - 1])) {
        used--;
    }
    (void)snprintf(scan->section, sizeof(scan->section), "%.*s", (int)(used < 63 ? used : 63),
                   name);
    const char *behind = name + length + (name[length] == ']');
    behind += strspn(behind, blanks);
    if (*behind != '\0' && *behind != '#') {
        sc_config_error(scan->errors, EX_CONFIG,
                        "%s:%u: \"%.64s\" behind a section: a key needs a line of its own",
                        scan->path, line, behind);
    }
    unsigned *first = strcmp(scan->section, "server") == 0 ? &scan->server_line
                      : strcmp(scan->section, "tls") == 0  ? &scan->tls_line
                                                           : NULL;
    scan->known = first != NULL;
    if (!first) {
        sc_config_error(scan->errors, EX_CONFIG,
                        "%s:%u: unknown section [%s]: [server] and [tls] are allowed", scan->path,
                        line, scan->section);
    } else if (*first > 0) {
        sc_config_error(scan->errors, EX_CONFIG,
                        "%s:%u: section [%s] again: it began in line %u; put all its keys there",
                        scan->path, line, scan->section, *first);
    } else {
        *first = line;
    }
}

static const struct sc_config_entry *find_entry(const struct sc_config_file *file,
                                                const char *section, const char *key)
{
    for (size_t i = 0; i < file->count; i++) {
        if (strcmp(file->entries[i].section, section) == 0 &&
            strcmp(file->entries[i].key, key) == 0) {
            return &file->entries[i];
        }
    }
    return NULL;
}

static void add_entry(struct scan *scan, const char *key, unsigned line)
{
    struct sc_config_file *file = scan->file;
    struct sc_config_entry *entries = realloc(file->entries, (file->count + 1) * sizeof(*entries));
    struct sc_config_entry entry = {strdup(scan->section), strdup(key), NULL, line};
    if (entries) {
        file->entries = entries;
    }
    if (!entries || !entry.section || !entry.key) {
        sc_config_error(scan->errors, EX_OSERR, "out of memory");
        free(entry.section);
        free(entry.key);
        return;
    }
    entries[file->count++] = entry;
}

static void take_key(struct scan *scan, const char *key, unsigned line)
{
    const struct sc_config_entry *first = find_entry(scan->file, scan->section, key);
    if (scan->section[0] == '\0') {
        sc_config_error(scan->errors, EX_CONFIG,
                        "%s:%u: %.64s: a key outside of a section: put it below [server] or [tls]",
                        scan->path, line, key);
    } else if (scan->known && first) {
        sc_config_error(scan->errors, EX_CONFIG,
                        "%s:%u: [%s] %.64s: given again: it is in line %u already", scan->path,
                        line, scan->section, key, first->line);
    } else if (scan->known) {
        add_entry(scan, key, line);
    }
}

/* -1: an .include. */
static int take_logical_line(struct scan *scan, char *logical, unsigned line)
{
    char *start = logical + strspn(logical, blanks);
    if (*start == '\0' || *start == '#') {
        return 0;
    }
    if (*start == '[') {
        take_section(scan, start + 1 + strspn(start + 1, blanks), line);
        return 0;
    }
    start[strcspn(start, " \t\r\n=")] = '\0';
    if (strstr(start, ".include")) {
        sc_config_error(scan->errors, EX_CONFIG,
                        "%s:%u: .include is not allowed: a reload watches one file", scan->path,
                        line);
        return -1;
    }
    if (strncmp(start, ".pragma", 7) != 0) {
        take_key(scan, start, line);
    }
    return 0;
}

int sc_config_scan(const char *path, const char *text, size_t length, struct sc_config_file *file,
                   struct sc_config_errors *errors)
{
    struct scan scan = {.path = path, .file = file, .errors = errors};
    if (check_bytes(&scan, text, length) != 0) {
        return -1;
    }
    char *logical = malloc(length + 1);
    if (!logical) {
        sc_config_error(errors, EX_OSERR, "out of memory");
        return -1;
    }
    int result = 0;
    const char *rest =
        strncmp(text, "\xef\xbb\xbf", 3) == 0 ? text + 3 : text; /* a byte order mark */
    for (unsigned line = 1; *rest;) {
        const unsigned taken = take_line(&rest, logical);
        if (take_logical_line(&scan, logical, line) != 0) {
            result = -1;
        }
        line += taken;
    }
    free(logical);
    return result;
}
