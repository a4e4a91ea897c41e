/* SPDX-License-Identifier: MIT */
/* The command that carries a connection: its arguments, and its end. */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "client/proxy_command.h"
#include "suite.h"

static struct sc_proxy_command *proxy;
static int fd;
static char text[256];

static void start(const char *command)
{
    struct sc_address address;
    struct sc_err err;
    ck_assert_int_eq(sc_parse_address("localhost:4242", NULL, &address, NULL), 0);
    proxy = sc_proxy_command_start(command, &address, &fd, &err);
    ck_assert_msg(proxy != NULL, "%s", err.text);
}

/* What the command has written so far, at least one byte of it unless it has closed. */
static const char *read_some(void)
{
    const ssize_t got = read(fd, text, sizeof(text) - 1);
    text[got > 0 ? got : 0] = '\0';
    return text;
}

static void end(void)
{
    (void)close(fd);
    sc_proxy_command_free(proxy);
    ck_assert_int_eq(waitpid(-1, NULL, 0), -1);
    ck_assert_int_eq(errno, ECHILD);
}

static const char *describe(void)
{
    sc_proxy_command_describe(proxy, text, sizeof(text));
    return text;
}

START_TEST(host_and_port_are_filled_in_and_the_shell_replaces_itself)
{
    char pid[64];
    start("sh -c 'echo $PPID %h %p 100%%'");
    (void)snprintf(pid, sizeof(pid), "%ld localhost 4242 100%%\n", (long)getpid());
    ck_assert_str_eq(read_some(), pid);
    end();
}
END_TEST

START_TEST(it_reads_what_is_sent_and_sees_the_end)
{
    start("cat");
    ck_assert_int_eq(write(fd, "hello", 5), 5);
    ck_assert_str_eq(read_some(), "hello");
    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
    ck_assert_str_eq(read_some(), "");
    ck_assert_str_eq(describe(), "the proxy command ended with status 0");
    end();
}
END_TEST

START_TEST(how_it_ended)
{
    static const struct {
        const char *command, *text;
    } ends[] = {
        {"sh -c 'exit 3'", "the proxy command ended with status 3"},
        {"true", "the proxy command ended with status 0"},
        {"/nonexistent 2>&-", "the proxy command ended with status 127 (not found)"},
        {"/ 2>&-", "the proxy command ended with status 126 (can't be run)"},
        {"sh -c 'kill -TERM $$'", "the proxy command was ended by signal 15 (Terminated)"},
        {"sh -c 'exec >&- <&-; exec sleep 1000'", "the proxy command has closed its output"},
    };
    ck_assert_int_eq(setenv("SHELL", "/bin/sh", 1), 0);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        start(ends[i].command);
        ck_assert_str_eq(read_some(), "");
        ck_assert_str_eq(describe(), ends[i].text);
        end();
    }
}
END_TEST

START_TEST(what_ignores_the_end_and_a_hangup_is_killed)
{
    start("sh -c 'trap \"\" HUP TERM; echo ready; while :; do sleep 1000; done'");
    ck_assert_str_eq(read_some(), "ready\n");
    end();
}
END_TEST

START_TEST(signals_are_as_if_we_were_not_there)
{
    sigset_t blocked;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGCHLD, SIG_IGN);
    start("sh -c 'kill -PIPE $$'");
    ck_assert_str_eq(read_some(), "");
    ck_assert_str_eq(describe(), "the proxy command was ended by signal 13 (Broken pipe)");
    end();
    /* The next one would inherit it. */
    ck_assert_int_eq(sigprocmask(SIG_SETMASK, NULL, &blocked), 0);
    ck_assert_int_eq(sigismember(&blocked, SIGCHLD), 0);
}
END_TEST

START_TEST(a_host_is_a_word_and_nothing_more)
{
    static const char *const hosts[] = {"$(id)", "a;b", "-oX", "a b", "a'b", "a\"b", "a`b", "a&"};
    struct sc_address address = {.port = "1"};
    struct sc_err err;
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        (void)snprintf(address.host, sizeof(address.host), "%s", hosts[i]);
        ck_assert_int_eq(sc_proxy_command_check("nc %h %p", &address, &err), -1);
        ck_assert_int_eq(err.status, EX_USAGE);
        ck_assert_int_eq(sc_proxy_command_check("nc %p", &address, &err), 0);
    }
    (void)snprintf(address.host, sizeof(address.host), "fe80::1%%eth0");
    ck_assert_int_eq(sc_proxy_command_check("nc %h %p", &address, &err), 0);
    ck_assert_int_eq(sc_proxy_command_check("nc %r", &address, &err), -1);
    ck_assert_int_eq(sc_proxy_command_check("nc %", &address, &err), -1);
    ck_assert_int_eq(sc_proxy_command_check(" ", &address, &err), -1);
}
END_TEST

START_TEST(a_shell_that_is_not_there_is_an_error)
{
    struct sc_address address = {.host = "localhost", .port = "1"};
    struct sc_err err;
    ck_assert_int_eq(setenv("SHELL", "/nonexistent", 1), 0);
    proxy = sc_proxy_command_start("true", &address, &fd, &err);
    if (proxy) { /* posix_spawn(3) may leave it to the child, as it does under valgrind */
        ck_assert_str_eq(describe(), "the proxy command ended with status 127 (not found)");
        end();
    } else {
        ck_assert_int_eq(err.status, EX_UNAVAILABLE);
    }
}
END_TEST

SUITE_MAIN("proxy", host_and_port_are_filled_in_and_the_shell_replaces_itself,
           it_reads_what_is_sent_and_sees_the_end, how_it_ended,
           what_ignores_the_end_and_a_hangup_is_killed, signals_are_as_if_we_were_not_there,
           a_host_is_a_word_and_nothing_more, a_shell_that_is_not_there_is_an_error)
