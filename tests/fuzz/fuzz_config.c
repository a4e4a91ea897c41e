/* SPDX-License-Identifier: MIT */
/*
 * What finds lines and keys in a configuration file, against OpenSSL's own parser: what is taken
 * has a place and a value, nothing is taken twice, and what is wrong has a line that can be shown.
 */
#include "config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "server/config_table.h"

const uint8_t fuzz_seed[] =
    "# comment\n[server]\nlisten = [::1]:0, unix:/a\r\n"
    "certificate = \"a#\\\"b\" # c\nmax-body \\\n = 1K\nx=${listen}\ny=1\nz=2\n"
    "\n [ tls ] # d\nMinProtocol = TLSv1.3\nclient-pin = 'a',`b`\\\\\n"
    "idle-timeout=1\\\n0s\nGroups = P-256\n";
const size_t fuzz_seed_bytes = sizeof(fuzz_seed) - 1;

static size_t count_lines(const char *text, size_t length)
{
    size_t lines = 1;
    for (size_t i = 0; i < length; i++) {
        lines += text[i] == '\n';
    }
    return lines;
}

static void check_entry(const struct sc_config_file *file, size_t index, size_t lines)
{
    const struct sc_config_entry *entry = &file->entries[index];
    FUZZ_CHECK(entry->key[0] != '\0' && entry->line >= 1 && entry->line <= lines);
    FUZZ_CHECK(index == 0 || entry->line > entry[-1].line);
    for (size_t i = 0; i < index; i++) {
        FUZZ_CHECK(file->entries[i].section != entry->section ||
                   strcmp(file->entries[i].key, entry->key) != 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sc_config_errors errors;
    struct sc_config_file file;
    char *text = malloc(size + 1);
    FUZZ_CHECK(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    errors = (struct sc_config_errors){0};
    const int rc =
        sc_config_file_parse("FILE", text, size, &sc_config_server_syntax, &file, &errors);
    FUZZ_CHECK((rc == 0) == (errors.count == 0) && (rc == 0) == (errors.status == 0));
    for (size_t i = 0; i < file.count; i++) {
        check_entry(&file, i, count_lines(text, size));
        FUZZ_CHECK(rc != 0 || file.entries[i].value != NULL);
    }
    for (size_t i = 0; i < errors.count; i++) {
        for (const char *p = errors.text[i]; *p; p++) {
            FUZZ_CHECK(!iscntrl((unsigned char)*p));
        }
    }
    sc_config_file_fini(&file);
    free(text);
    return 0;
}
