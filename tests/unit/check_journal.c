/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "../tools/log_catalogue.h"
#include "base/log.h"
#include "leaks.h"
#include "scratch.h"
#include "suite.h"

/* The journal's end: a datagram socket in the directory of the test. */
static int listen_as_journal(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "journal"};
    const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static int start(enum sc_log_level level)
{
    scratch_enter();
    const int fd = listen_as_journal();
    sc_log_use_journal_socket("journal");
    sc_log_init(level, SC_LOG_JOURNAL);
    return fd;
}

static void end(int fd)
{
    (void)close(fd);
    scratch_leave();
}

/* The next entry, "" when there is none; in a static buffer. */
static const char *entry(int fd)
{
    static char text[16384];
    const ssize_t length = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
    ck_assert(length >= 0 || errno == EAGAIN);
    text[length > 0 ? length : 0] = '\0';
    return text;
}

START_TEST(an_entry_has_fields)
{
    struct sc_log_line line;
    const int fd = start(SC_LOG_INFO);
    ck_assert(sc_log_begin(&line, SC_EVENT_HANDSHAKE_FAILED));
    sc_log_u64(&line, "conn", 17);
    sc_log_str(&line, "peer", "192.0.2.1:53122");
    sc_log_str(&line, "alert_received", "unknown CA");
    sc_log_end(&line);
    ck_assert_str_eq(entry(fd), "MESSAGE=tls_handshake_failed conn=17 peer=192.0.2.1:53122 "
                                "alert_received=\"unknown CA\"\n"
                                "PRIORITY=4\n"
                                "SYSLOG_IDENTIFIER=check_journal\n"
                                "SC_EVENT=tls_handshake_failed\n"
                                "SC_CONN=17\n"
                                "SC_PEER=192.0.2.1:53122\n"
                                "SC_ALERT_RECEIVED=unknown CA\n");
    ck_assert_str_eq(entry(fd), "");
    end(fd);
}
END_TEST

START_TEST(levels_are_priorities)
{
    static const struct {
        enum sc_event event;
        const char *priority;
    } rows[] = {{SC_EVENT_RELOAD_FAILED, "\nPRIORITY=3\n"},
                {SC_EVENT_STOPPING_NOW, "\nPRIORITY=4\n"},
                {SC_EVENT_STOPPING, "\nPRIORITY=6\n"},
                {SC_EVENT_LIBEVENT_DEBUG, "\nPRIORITY=7\n"}};
    const int fd = start(SC_LOG_DEBUG);
    for (size_t i = 0; i < SC_COUNT_OF(rows); i++) {
        sc_log_message(rows[i].event, "x");
        ck_assert_ptr_nonnull(strstr(entry(fd), rows[i].priority));
    }
    end(fd);
}
END_TEST

/* What a peer sent makes no field and no line of its own. */
START_TEST(nobody_can_forge_a_field)
{
    static const char evil[] = "x\nPRIORITY=0\n\"\\\x1b\xff";
    struct sc_log_line line;
    const int fd = start(SC_LOG_INFO);
    ck_assert(sc_log_begin(&line, SC_EVENT_STOPPING));
    sc_log_bytes(&line, "message", evil, sizeof(evil) - 1);
    sc_log_end(&line);
    const char *got = entry(fd);
    ck_assert_ptr_null(strstr(got, "\nPRIORITY=0"));
    ck_assert_ptr_nonnull(strstr(got, "\nSC_MESSAGE=x\\x0aPRIORITY=0\\x0a\"\\\\\\x1b\\xff\n"));
    ck_assert_ptr_nonnull(
        strstr(got, "MESSAGE=stopping message=\"x\\x0aPRIORITY=0\\x0a\\\"\\\\\\x1b\\xff\"\n"));
    end(fd);
}
END_TEST

/* An entry that is full stays one: whole fields, each on its line. */
START_TEST(full_entries_are_cut_between_fields)
{
    char value[512];
    struct sc_log_line line;
    const int fd = start(SC_LOG_INFO);
    memset(value, 0xff, sizeof(value));
    for (size_t length = 0; length < sizeof(value); length += 7) {
        ck_assert(sc_log_begin(&line, SC_EVENT_STOPPING));
        for (int i = 0; i < 400; i++) {
            sc_log_bytes(&line, "key", value, length);
        }
        sc_log_end(&line);
        const char *got = entry(fd);
        ck_assert_uint_gt(strlen(got), 3000);
        for (const char *p = got; *p; p += strcspn(p, "\n") + 1) {
            const size_t name = strcspn(p, "=\n");
            ck_assert_int_eq(p[name], '=');
            ck_assert_int_eq(p[strcspn(p, "\n")], '\n');
            if (strncmp(p, "SC_KEY", name) == 0) {
                ck_assert_uint_eq(strcspn(p + name + 1, "\n"), 4 * length);
            }
        }
    }
    end(fd);
}
END_TEST

/*
 * A journal that reads nothing: the calls return, and what was lost is logged when it reads again.
 */
START_TEST(a_full_socket_loses_entries_and_blocks_nobody)
{
    const int fd = start(SC_LOG_INFO);
    for (int i = 0; i < 5000; i++) {
        sc_log_message(SC_EVENT_STOPPING, "%d", i);
    }
    unsigned long taken = 0;
    while (*entry(fd)) {
        taken++;
    }
    ck_assert_uint_gt(taken, 0);
    ck_assert_uint_lt(taken, 5000);
    sc_log_message(SC_EVENT_STOPPING, "x");
    char lines[64];
    (void)snprintf(lines, sizeof(lines), "\nSC_LINES=%lu\n", 5000 - taken);
    const char *loss = entry(fd);
    ck_assert_ptr_nonnull(strstr(loss, "\nPRIORITY=4\n"));
    ck_assert_ptr_nonnull(strstr(loss, "\nSC_EVENT=log_lost\n"));
    ck_assert_ptr_nonnull(strstr(loss, lines));
    ck_assert_ptr_nonnull(strstr(entry(fd), "\nSC_MESSAGE=x\n"));
    end(fd);
}
END_TEST

/* It is made anew, as when the journal's socket unit is restarted. */
START_TEST(a_new_socket_is_found)
{
    int fd = start(SC_LOG_INFO);
    (void)close(fd);
    sc_log_message(SC_EVENT_STOPPING, "lost");
    ck_assert_int_eq(remove("journal"), 0);
    sc_log_message(SC_EVENT_STOPPING, "lost");
    fd = listen_as_journal();
    sc_log_message(SC_EVENT_STOPPING, "x");
    ck_assert_ptr_nonnull(strstr(entry(fd), "\nSC_LINES=2\n"));
    ck_assert_ptr_nonnull(strstr(entry(fd), "\nSC_MESSAGE=x\n"));
    end(fd);
}
END_TEST

START_TEST(auto_takes_the_socket)
{
    struct stat info;
    char stream[64];
    const int fd = start(SC_LOG_INFO);
    ck_assert_int_eq(fstat(STDERR_FILENO, &info), 0);
    (void)snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)info.st_dev,
                   (unsigned long long)info.st_ino);
    ck_assert_int_eq(setenv("JOURNAL_STREAM", stream, 1), 0);
    sc_log_init(SC_LOG_INFO, SC_LOG_AUTO);
    sc_log_message(SC_EVENT_STOPPING, "x");
    ck_assert_ptr_nonnull(strstr(entry(fd), "\nSC_EVENT=stopping\n"));
    end(fd);
}
END_TEST

START_TEST(starting_again_keeps_nothing)
{
    const int fd = start(SC_LOG_INFO);
    struct sc_journal journal;
    ASSERT_KEEPS_NOTHING((sc_log_init(SC_LOG_INFO, SC_LOG_JOURNAL)));
    ck_assert(!sc_journal_open(&journal, "/nonexistent/socket"));
    ck_assert_int_eq(journal.fd, -1);
    sc_journal_close(&journal);
    end(fd);
}
END_TEST

/* --- The catalogue --- */

static const char *const fields[] = {
#define SC_FIELD(field, meaning) field,
#include "base/log_events.def"
};

static void check_words(const struct catalogued *event)
{
    for (const char *p = event->fields; *p; p += strspn(p, " ")) {
        const size_t length = strcspn(p, " ");
        bool found = strcmp(event->fields, "*") == 0;
        for (size_t i = 0; !found && i < SC_COUNT_OF(fields); i++) {
            found = strlen(fields[i]) == length && memcmp(fields[i], p, length) == 0;
        }
        ck_assert_msg(found, "%s: the field %.*s has no meaning", event->name, (int)length, p);
        p += length;
    }
}

START_TEST(the_catalogue_is_whole)
{
    for (size_t i = 0; i < SC_EVENT_COUNT; i++) {
        const struct catalogued *event = &catalogue[i];
        check_words(event);
        ck_assert_ptr_eq(
            find_event(event->level, strlen(event->level), event->name, strlen(event->name)),
            event);
    }
    for (size_t i = 0; i < SC_COUNT_OF(fields); i++) {
        bool used = strcmp(fields[i], "suppressed") == 0;
        for (size_t j = 0; !used && j < SC_EVENT_COUNT; j++) {
            used = has_field(&catalogue[j], fields[i], strlen(fields[i])) &&
                   strcmp(catalogue[j].fields, "*") != 0;
        }
        ck_assert_msg(used, "no event has the field %s", fields[i]);
        ck_assert_msg(i == 0 || strcmp(fields[i - 1], fields[i]) < 0, "%s: not in order",
                      fields[i]);
    }
}
END_TEST

/* The check of lines finds what it is to find. */
START_TEST(lines_are_checked)
{
    static const char head[] = "2026-11-21T01:22:03.123456Z ";
    static const struct {
        const char *line, *fault; /* NULL: there is none */
    } rows[] = {
        {"info stopping message=x", NULL},
        {"info stopping message=\"a b=c \\\" d\"", NULL},
        {"info frame_timeout suppressed=3 conn=1 peer=unix message=x", NULL},
        {"info stopped requests_echo=3", NULL},
        {"warning stopping message=x", "event \"stopping\""},
        {"info unknown message=x", "event \"unknown\""},
        {"info stopping other=x", "field \"other\""},
        {"info stopping message=\"a\" message2=x", "field \"message2\""},
        {"info stopping message=x y", "field \"y\""},
    };
    char line[256];
    for (size_t i = 0; i < SC_COUNT_OF(rows); i++) {
        (void)snprintf(line, sizeof(line), "%s%s", head, rows[i].line);
        const char *got = fault_in_line(line);
        ck_assert_int_eq(got == NULL, rows[i].fault == NULL);
        ck_assert(!got || strstr(got, rows[i].fault));
    }
    ck_assert_ptr_null(fault_in_line("sc-server: can't listen"));
    ck_assert_ptr_null(fault_in_line("2026-11-21T01:22:03.123456Z"));
    ck_assert_ptr_null(fault_in_line("{\"time\":\"\",\"level\":\"info\",\"event\":\"stopping\","
                                     "\"message\":\"x\"}"));
    ck_assert_ptr_nonnull(fault_in_line("{\"time\":\"\",\"level\":\"info\",\"event\":\"stopping\","
                                        "\"other\":\"x\"}"));
    ck_assert_ptr_nonnull(
        fault_in_line("{\"time\":\"\",\"level\":\"info\",\"event\":\"unknown\"}"));
    ck_assert_ptr_nonnull(
        fault_in_line("{\"time\":\"\",\"level\":\"info\",\"event\":\"stopping\""));
}
END_TEST

SUITE_MAIN("journal", an_entry_has_fields, levels_are_priorities, nobody_can_forge_a_field,
           full_entries_are_cut_between_fields, a_full_socket_loses_entries_and_blocks_nobody,
           a_new_socket_is_found, auto_takes_the_socket, starting_again_keeps_nothing,
           the_catalogue_is_whole, lines_are_checked)
