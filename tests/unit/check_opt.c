/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/opt.h"

#include <string.h>
#include <sysexits.h>

#include "suite.h"

enum { OUT, LEVEL, SHARE, FORCE, HELP, VERSION_OPTION };

static const char *const levels[] = {"low", "high", NULL};

static const struct sc_opt rows[] = {
    SC_OPT("out", 'o', OUT, "FILE", "where it goes", .initial = "a.out", .complete = SC_OPT_FILES),
    SC_OPT("level", 0, LEVEL, "LEVEL-WITH-A-LONG-NAME",
           "a help that does not fit one line, as it goes on and on, and on the next line still",
           .words = levels, .group = "Taste"),
    SC_OPT("share", 's', SHARE, "[=PERCENT]", "how much"),
    SC_OPT("force", 'f', FORCE, NULL, "do it all the same"),
    SC_OPT_HELP_ROW(HELP),
    SC_OPT_VERSION_ROW(VERSION_OPTION),
};

static bool command_at(size_t index, struct sc_opt_command *out)
{
    static const struct sc_opt_command commands[] = {{"go", "PLACE", "set off"},
                                                     {"stop", NULL, "stay"}};
    if (index < SC_COUNT_OF(commands)) {
        *out = commands[index];
    }
    return index < SC_COUNT_OF(commands);
}

static const struct sc_opt_status statuses[] = {
    {.status = EX_USAGE}, {.status = EX_IOERR, .text = "the disk is full"}, {.status = EX_OK}};

static const struct sc_opt_table table = {.program = "prog",
                                          .usage = "Usage: prog\n",
                                          .command = command_at,
                                          .rows = rows,
                                          .count = SC_COUNT_OF(rows),
                                          .notes = "A note.\n",
                                          .statuses = statuses};

static struct sc_opt_reader reader;
static int refused;

#define NEXT() sc_opt_next(&reader, argc, argv, &refused)
#define COMMAND_LINE(...) \
    char *argv[] = {(char *)"prog", __VA_ARGS__, NULL}; \
    const int argc = (int)SC_COUNT_OF(argv) - 1

START_TEST(options_come_in_order_with_their_arguments)
{
    COMMAND_LINE((char *)"-fo", (char *)"x", (char *)"--level=high", (char *)"--share", (char *)"w",
                 (char *)"--share=5", (char *)"-s7", (char *)"--out", (char *)"y");
    sc_opt_reader_init(&reader, &table);
    ck_assert_ptr_eq(NEXT(), &rows[3]);
    ck_assert_ptr_eq(NEXT(), &rows[0]);
    ck_assert_str_eq(optarg, "x");
    ck_assert_int_eq(NEXT()->value, LEVEL);
    ck_assert_str_eq(optarg, "high");
    ck_assert_int_eq(NEXT()->value, SHARE);
    ck_assert_ptr_null(optarg);
    ck_assert_int_eq(NEXT()->value, SHARE);
    ck_assert_str_eq(optarg, "5");
    ck_assert_int_eq(NEXT()->value, SHARE);
    ck_assert_str_eq(optarg, "7");
    ck_assert_int_eq(NEXT()->value, OUT);
    ck_assert_str_eq(optarg, "y");
    ck_assert_ptr_null(NEXT());
    ck_assert_int_eq(refused, 0);
    ck_assert_str_eq(argv[optind], "w");
}
END_TEST

START_TEST(what_is_wrong_is_refused)
{
    COMMAND_LINE((char *)"-x", (char *)"--nonesuch", (char *)"--force=1", (char *)"--out");
    sc_opt_reader_init(&reader, &table);
    for (int i = 0; i < 3; i++) {
        ck_assert_ptr_null(NEXT());
        ck_assert_int_eq(refused, '?');
    }
    ck_assert_ptr_null(NEXT());
    ck_assert_int_eq(refused, ':');
    ck_assert_ptr_null(NEXT());
    ck_assert_int_eq(refused, 0);
}
END_TEST

START_TEST(options_may_end_at_the_first_word)
{
    struct sc_opt_table strict = table;
    COMMAND_LINE((char *)"--force", (char *)"go", (char *)"--force");
    strict.ends_at_word = true;
    sc_opt_reader_init(&reader, &strict);
    ck_assert_int_eq(NEXT()->value, FORCE);
    ck_assert_ptr_null(NEXT());
    ck_assert_int_eq(refused, 0);
    ck_assert_int_eq(optind, 2);
}
END_TEST

START_TEST(help_is_aligned_and_wrapped)
{
    char text[2048] = "";
    FILE *out = fmemopen(text, sizeof(text), "w");
    sc_opt_help(out, &table);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_str_eq(
        text, "Usage: prog\n"
              "\n"
              "COMMAND is one of: go PLACE, stop.\n"
              "\n"
              "Options:\n"
              "  -o, --out FILE          where it goes (default: a.out)\n"
              "\n"
              "Taste:\n"
              "      --level LEVEL-WITH-A-LONG-NAME\n"
              "                          a help that does not fit one line, as it goes on and\n"
              "                          on, and on the next line still\n"
              "  -s, --share[=PERCENT]   how much\n"
              "  -f, --force             do it all the same\n"
              "\n"
              "  -h, --help              print this, and exit\n"
              "  -V, --version           print the versions of program and libraries, and exit\n"
              "\n"
              "A note.\n"
              "\n"
              "Exit status:\n"
              "    0  success\n"
              "   64  wrong usage\n"
              "   74  the disk is full\n");
}
END_TEST

START_TEST(a_line_is_filled_to_the_last_column)
{
    char text[512] = "";
    FILE *out = fmemopen(text, sizeof(text), "w");
    /* 4 + 1 + 75 = 80; one more does not fit. */
    sc_opt_wrap(
        out, "abcd 123456789012345678901234567890123456789012345678901234567890123456789012345 x",
        "# ", 0);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_str_eq(
        text,
        "abcd 123456789012345678901234567890123456789012345678901234567890123456789012345\n# x\n");
}
END_TEST

SUITE_MAIN("opt", options_come_in_order_with_their_arguments, what_is_wrong_is_refused,
           options_may_end_at_the_first_word, help_is_aligned_and_wrapped,
           a_line_is_filled_to_the_last_column)
