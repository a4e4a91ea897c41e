/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "suite.h"
#include "tls/config_file.h"
#include "tls_fixture.h"

/* What is the same for sc-server is tested with its table: check_config. */
static const struct sc_config_syntax any = {.program = "sc-client", .sections = NULL};
static const struct sc_config_syntax ours = {
    .program = "sc-test", .sections = (const char *const[]){"one", "two", "three", NULL}};

static struct sc_config_errors errors;
static struct sc_config_file file;

static int parse(const struct sc_config_syntax *syntax, const char *text)
{
    sc_config_file_fini(&file);
    errors = (struct sc_config_errors){0};
    return sc_config_file_parse("FILE", text, strlen(text), syntax, &file, &errors);
}

static const char *value_of(const char *section, const char *key)
{
    for (size_t i = 0; i < file.count; i++) {
        if (strcmp(file.entries[i].section, section) == 0 &&
            strcmp(file.entries[i].key, key) == 0) {
            return file.entries[i].value;
        }
    }
    return "";
}

START_TEST(sections_of_any_name)
{
    ck_assert_int_eq(parse(&any, "timeout = 3\n[home-1.example]\nconnect = a\n[empty] # yet\n"), 0);
    ck_assert_uint_eq(file.section_count, 3);
    ck_assert_uint_eq(file.count, 2);
    ck_assert_str_eq(value_of("default", "timeout"), "3");
    ck_assert_str_eq(value_of("home-1.example", "connect"), "a");
    ck_assert_str_eq(value_of("home-1.example", "timeout"), "");
    ck_assert_str_eq(sc_config_file_section(&file, "empty"), "empty");
    ck_assert_ptr_null(sc_config_file_section(&file, "home"));
    ck_assert_uint_eq(file.sections[1].line, 2);
    ck_assert_int_eq(parse(&any, ".pragma dollarid:on\na = $b\n"), 0);
    ck_assert_str_eq(value_of("default", "a"), "$b");
    ck_assert_int_eq(parse(&any, ""), 0);
    ck_assert_uint_eq(file.section_count, 0);
    sc_config_file_fini(&file);
}
END_TEST

START_TEST(default_may_be_written_out)
{
    ck_assert_int_eq(parse(&any, "[default]\ntimeout = 3\n[a]\ntimeout = 4\n"), 0);
    ck_assert_str_eq(value_of("default", "timeout"), "3");
    ck_assert_str_eq(value_of("a", "timeout"), "4");
    ck_assert_int_eq(parse(&any, "a = 3\n[default]\n"), -1);
    ck_assert_str_eq(errors.text[0],
                     "FILE:2: section [default] again: it began in line 1; put all its keys there");
    sc_config_file_fini(&file);
}
END_TEST

/* The file may be another one: nothing of it is quoted. */
START_TEST(other_files_are_refused)
{
    static const char *const others[] = {"-----BEGIN PRIVATE KEY-----\nMIIB=\n",
                                         "#!/bin/sh\necho hello\n",
                                         "secret\n",
                                         "se cret = 1\n",
                                         "[se cret]\na = 1\n",
                                         "= 1\n"};
    for (size_t i = 0; i < SC_COUNT_OF(others); i++) {
        ck_assert_int_eq(parse(&any, others[i]), -1);
        ck_assert_int_eq(errors.status, EX_CONFIG);
        ck_assert_msg(strstr(errors.text[0], ": not a configuration of sc-client: expected text "
                                             "with [SECTION] and KEY = VALUE"),
                      "%zu: %s", i, errors.text[0]);
    }
    ck_assert_int_eq(parse(&any, "[a]\n[b c]\n"), -1);
    ck_assert_str_eq(errors.text[0],
                     "FILE:2: unknown section [b c]: expected letters, digits, - and .");
    sc_config_file_fini(&file);
}
END_TEST

START_TEST(given_sections_are_listed)
{
    ck_assert_int_eq(parse(&ours, "[one]\n[four]\n"), -1);
    ck_assert_str_eq(errors.text[0],
                     "FILE:2: unknown section [four]: expected [one], [two] or [three]");
    ck_assert_int_eq(parse(&ours, "a = 1\n"), -1);
    ck_assert_str_eq(errors.text[0], "FILE:1: not a configuration of sc-test: expected text with "
                                     "[one], [two] or [three] before anything else");
    sc_config_file_fini(&file);
}
END_TEST

/* Only a file that is not there; one that can't be read has something to say. */
START_TEST(an_optional_file_may_be_missing)
{
    errors = (struct sc_config_errors){0};
    const char *path = fixture_path("any.conf");
    ck_assert_int_eq(sc_config_file_read(path, true, &any, &file, &errors), 0);
    ck_assert_uint_eq(file.count, 0);
    ck_assert_int_eq(symlink(path, path), 0);
    ck_assert_int_eq(sc_config_file_read(path, true, &any, &file, &errors), -1);
    ck_assert_ptr_nonnull(strstr(errors.text[0], "any.conf"));
    ck_assert_ptr_nonnull(strstr(errors.text[0], strerror(ELOOP)));
    ck_assert_int_eq(errors.status, EX_NOINPUT);
    ck_assert_int_eq(unlink(path), 0);
    fixture_write("any.conf", "a = 1\n", 6);
    errors = (struct sc_config_errors){0};
    ck_assert_int_eq(sc_config_file_read(path, true, &any, &file, &errors), 0);
    ck_assert_str_eq(value_of("default", "a"), "1");
    sc_config_file_fini(&file);
    path = fixture_path("any.conf/below-a-file");
    ck_assert_int_eq(sc_config_file_read(path, true, &any, &file, &errors), 0);
}
END_TEST

SUITE_MAIN("config_file", sections_of_any_name, default_may_be_written_out, other_files_are_refused,
           given_sections_are_listed, an_optional_file_may_be_missing)
