/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "bench/expect.h"
#include "bench/schedule.h"
#include "bench/stats.h"
#include "bench/stream.h"
#include "bench/usage.h"
#include "proto/handler.h"
#include "suite.h"

static struct sc_bench_stream *make(const struct sc_handler *type, size_t size, unsigned depth)
{
    struct sc_err err;
    struct sc_bench_stream *stream = sc_bench_stream_new(type, size, depth, &err);
    ck_assert_ptr_nonnull(stream);
    return stream;
}

/* What a right server answers to `count` requests from `slot` on. Returns its size. */
static size_t answer(const struct sc_bench_stream *stream, size_t slot, size_t count, uint8_t *out)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        size_t one = 1, bytes;
        const uint8_t *request = sc_bench_stream_requests(
            stream, (slot + i) % sc_bench_stream_slots(stream), &one, &bytes);
        ck_assert_uint_eq(one, 1);
        const struct sc_frame_header header = sc_frame_get_header(request);
        const struct sc_handler *handler = sc_handler_find(header.type);
        ck_assert_uint_eq(bytes, SC_FRAME_HEADER_BYTES + header.length);
        const size_t length = handler->run(request + SC_FRAME_HEADER_BYTES, header.length,
                                           out + used + SC_FRAME_HEADER_BYTES);
        sc_frame_put_header(out + used, header.type, (uint32_t)length);
        used += SC_FRAME_HEADER_BYTES + length;
    }
    return used;
}

START_TEST(slices_are_whole_requests_and_never_wrap)
{
    static const size_t sizes[] = {0, 1, 64, 16384, 1 << 20};
    for (size_t i = 0; i < SC_COUNT_OF(sizes); i++) {
        struct sc_bench_stream *stream = make(sc_handler_find(SC_FRAME_ECHO), sizes[i], 16);
        for (size_t slot = 0; slot < sc_bench_stream_slots(stream); slot++) {
            size_t count = 1000, bytes, one = 1, first_bytes;
            const uint8_t *many = sc_bench_stream_requests(stream, slot, &count, &bytes);
            ck_assert_uint_ge(count, 1);
            ck_assert_uint_le(count, 16);
            ck_assert_uint_eq(bytes, count * (sizes[i] + SC_FRAME_HEADER_BYTES));
            /* The last of the slice is the request of its own slot, round the end of the ring. */
            const uint8_t *last = sc_bench_stream_requests(
                stream, (slot + count - 1) % sc_bench_stream_slots(stream), &one, &first_bytes);
            ck_assert_mem_eq(many + bytes - first_bytes, last, first_bytes);
        }
        sc_bench_stream_free(stream);
    }
}
END_TEST

/* What a load can be: each type whose replies can be verified, and NULL, all of them in turn. */
static const struct sc_handler *load_type(size_t index)
{
    const struct sc_handler *type = sc_bench_type_at(index);
    ck_assert_msg(index < 3 ? type != NULL : type == NULL, "echo, reverse, time, and a mix");
    return type;
}

START_TEST(requests_have_their_type)
{
    static const uint32_t types[][3] = {{SC_FRAME_ECHO, SC_FRAME_ECHO, SC_FRAME_ECHO},
                                        {SC_FRAME_REVERSE, SC_FRAME_REVERSE, SC_FRAME_REVERSE},
                                        {SC_FRAME_TIME, SC_FRAME_TIME, SC_FRAME_TIME},
                                        {SC_FRAME_ECHO, SC_FRAME_REVERSE, SC_FRAME_TIME}};
    static const char *const names[] = {"echo", "reverse", "time", "mix"};
    for (size_t i = 0; i < 4; i++) {
        ck_assert_str_eq(sc_bench_type_name(load_type(i)), names[i]);
        struct sc_bench_stream *stream = make(load_type(i), 10, 1);
        ck_assert_uint_eq(sc_bench_stream_slots(stream), 63);
        for (size_t slot = 0; slot < sc_bench_stream_slots(stream); slot++) {
            size_t one = 1, bytes;
            const uint8_t *request = sc_bench_stream_requests(stream, slot, &one, &bytes);
            const struct sc_frame_header header = sc_frame_get_header(request);
            ck_assert_uint_eq(header.type, types[i][slot % 3]);
            ck_assert_uint_eq(header.length, header.type == SC_FRAME_TIME ? 0 : 10);
        }
        sc_bench_stream_free(stream);
    }
}
END_TEST

START_TEST(bytes_of_a_load_are_those_of_its_types)
{
    static const double bytes[][2] = {{60, 60}, {60, 60}, {0, 27}, {40, 49}};
    for (size_t i = 0; i < 4; i++) {
        const struct sc_bench_bytes got = sc_bench_type_bytes(load_type(i), 60);
        ck_assert_double_eq_tol(got.request, bytes[i][0], 1e-9);
        ck_assert_double_eq_tol(got.reply, bytes[i][1], 1e-9);
    }
}
END_TEST

/* One of each type at least, and no depth of 2, 4, 8 ... divides them. */
START_TEST(few_large_requests_make_a_ring)
{
    struct sc_bench_stream *stream = make(NULL, 1 << 20, 4);
    ck_assert_uint_eq(sc_bench_stream_slots(stream), 3);
    sc_bench_stream_free(stream);
    for (size_t size = 30000; size < 200000; size += 10007) {
        stream = make(sc_handler_find(SC_FRAME_ECHO), size, 4);
        ck_assert_uint_eq(sc_bench_stream_slots(stream) % 2, 1);
        sc_bench_stream_free(stream);
    }
}
END_TEST

/* Right replies in pieces of every size, starting anywhere. */
START_TEST(right_replies_pass_however_they_are_cut)
{
    static uint8_t replies[64 * 1024];
    for (size_t i = 0; i < 4; i++) {
        for (size_t size = 0; size < 100; size += 33) {
            struct sc_bench_stream *stream = make(load_type(i), size, 8);
            const size_t slot = sc_bench_stream_slots(stream) - 3;
            const size_t total = answer(stream, slot, 10, replies);
            for (size_t piece = 1; piece <= total; piece += piece < 120 ? 1 : 97) {
                struct sc_bench_reader reader;
                size_t done = 0, complete;
                sc_bench_reader_init(&reader, slot);
                for (size_t at = 0; at < total; at += piece) {
                    const size_t n = total - at < piece ? total - at : piece;
                    ck_assert_int_eq(sc_bench_stream_check(stream, &reader, replies + at, n,
                                                           10 - done, &complete),
                                     SC_BENCH_REPLY_OK);
                    done += complete;
                }
                ck_assert_uint_eq(done, 10);
            }
            sc_bench_stream_free(stream);
        }
    }
}
END_TEST

/* Feeds it whole and byte by byte; both must say the same. */
static void expect(const struct sc_bench_stream *stream, const uint8_t *bytes, size_t size,
                   size_t due, enum sc_bench_verdict wanted, const char *why)
{
    for (size_t piece = 1; piece <= size; piece = piece == size ? size + 1 : size) {
        struct sc_bench_reader reader;
        enum sc_bench_verdict verdict = SC_BENCH_REPLY_OK;
        size_t left = due, complete;
        sc_bench_reader_init(&reader, 0);
        for (size_t at = 0; at < size && verdict == SC_BENCH_REPLY_OK; at += piece) {
            verdict = sc_bench_stream_check(stream, &reader, bytes + at, piece, left, &complete);
            left -= complete;
        }
        ck_assert_int_eq(verdict, wanted);
        ck_assert_msg(strstr(reader.why, why) != NULL, "\"%s\" is not in \"%s\"", why, reader.why);
    }
}

START_TEST(every_wrong_byte_is_found)
{
    static uint8_t replies[4096];
    for (uint32_t type = SC_FRAME_ECHO; type <= SC_FRAME_REVERSE; type++) {
        struct sc_bench_stream *stream = make(sc_handler_find(type), 40, 4);
        const size_t total = answer(stream, 0, 2, replies);
        for (size_t i = SC_FRAME_HEADER_BYTES; i < total; i++) {
            if (i % 48 >= SC_FRAME_HEADER_BYTES) {
                replies[i] ^= 1;
                expect(stream, replies, total, 2, SC_BENCH_REPLY_WRONG, "wrong content");
                replies[i] ^= 1;
            }
        }
        sc_bench_stream_free(stream);
    }
}
END_TEST

START_TEST(what_is_wrong_is_named)
{
    uint8_t bytes[4096];
    struct sc_bench_stream *stream = make(sc_handler_find(SC_FRAME_ECHO), 40, 4);
    size_t size = answer(stream, 0, 2, bytes);

    /* Two replies in the wrong order, and a reply that nobody asked for. */
    uint8_t swapped[96];
    memcpy(swapped, bytes + 48, 48);
    memcpy(swapped + 48, bytes, 48);
    expect(stream, swapped, 96, 2, SC_BENCH_REPLY_WRONG, "wrong content in the reply to echo");
    expect(stream, bytes, size, 1, SC_BENCH_REPLY_WRONG, "a reply to nothing");

    sc_frame_put_header(bytes, SC_FRAME_REVERSE, 40);
    expect(stream, bytes, size, 2, SC_BENCH_REPLY_WRONG,
           "reverse of 40 bytes where echo of 40 was due");
    sc_frame_put_header(bytes, SC_FRAME_ECHO, 39);
    expect(stream, bytes, size, 2, SC_BENCH_REPLY_WRONG,
           "echo of 39 bytes where echo of 40 was due");
    memcpy(bytes, "HTTP/1.1", 8);
    expect(stream, bytes, size, 2, SC_BENCH_REPLY_INVALID, "not a reply of this protocol");

    size = sc_frame_put_error(bytes, SC_ERROR_GOING_AWAY, 1000, "see you");
    expect(stream, bytes, size, 2, SC_BENCH_REPLY_ERROR, "ERROR 3 (going away): see you");
    expect(stream, bytes, size, 0, SC_BENCH_REPLY_ERROR, "ERROR 3 (going away): see you");
    sc_frame_put_header(bytes, SC_FRAME_ERROR, 3);
    expect(stream, bytes, 11, 2, SC_BENCH_REPLY_INVALID, "an ERROR frame is too short");
    sc_bench_stream_free(stream);
}
END_TEST

START_TEST(a_time_must_be_one)
{
    static const char *const wrong[] = {
        "2026-11-21 01:22:03.123456Z", "2026-00-21T01:22:03.123456Z",
        "2026-13-21T01:22:03.123456Z", "2026-11-00T01:22:03.123456Z",
        "2026-11-32T01:22:03.123456Z", "2026-11-21T24:22:03.123456Z",
        "2026-11-21T01:60:03.123456Z", "2026-11-21T01:22:61.123456Z",
        "2026-11-21T01:22:03.12345xZ"};
    uint8_t bytes[256];
    struct sc_bench_stream *stream = make(sc_handler_find(SC_FRAME_TIME), 0, 1);
    const size_t size = answer(stream, 0, 1, bytes);
    for (size_t i = 0; i < SC_COUNT_OF(wrong); i++) {
        memcpy(bytes + SC_FRAME_HEADER_BYTES, wrong[i], strlen(wrong[i]));
        expect(stream, bytes, size, 1, SC_BENCH_REPLY_WRONG, "wrong content in the reply to time");
    }
    memcpy(bytes + SC_FRAME_HEADER_BYTES, "2016-12-31T23:59:60.999999Z", 27);
    expect(stream, bytes, size, 1, SC_BENCH_REPLY_OK, "");
    sc_bench_stream_free(stream);
}
END_TEST

static void check_expectation(const struct sc_bench_result *result, const char *text, bool met)
{
    struct sc_bench_expectations list = {.count = 0};
    struct sc_err err;
    ck_assert_msg(sc_bench_expect_add(&list, text, &err) == 0, "%s", text);
    ck_assert_uint_eq(list.count, 1);
    ck_assert_msg(sc_bench_expect_is_met(&list.list[0], result) == met, "%s", text);
}

START_TEST(expectations_compare_as_they_read)
{
    static struct sc_bench_result result;
    static const struct {
        const char *text;
        bool met;
    } rows[] = {{"p99<5ms", true},         {"p99<1ms", false},     {"p99<=2000us", true},
                {"p50>0.001s", true},      {"max=2ms", true},      {"min>=2ms", true},
                {"mean<2000001ns", true},  {"rate=100", true},     {"rate>0.1K", false},
                {"rate>=0.1K", true},      {"errors=0", false},    {"errors<=3", true},
                {"errors.pin=0", true},    {"errors.tls=3", true}, {"requests=1", true},
                {"cpu-rate=400", true},    {"resumed=50", true},   {"p99.99<2.1ms", true},
                {"errors.closed>0", false}};
    sc_bench_stats_init(&result.stats);
    sc_hist_record(&result.stats.latency, 2000000);
    result.stats.errors[SC_BENCH_ERROR_TLS] = 3;
    result.stats.in_time = 200;
    result.elapsed_s = 2.0;
    result.has_server = true;
    result.server_cpu_s = 0.5;
    result.stats.handshakes = 10;
    result.stats.resumed = 5;
    for (size_t i = 0; i < SC_COUNT_OF(rows); i++) {
        check_expectation(&result, rows[i].text, rows[i].met);
    }
}
END_TEST

START_TEST(what_was_not_measured_meets_no_expectation)
{
    static struct sc_bench_result result;
    static const char *const nothing[] = {"p99<5ms",    "max<1s",    "mean>=0ns",
                                          "cpu-rate<5", "resumed<1", "resumed=0"};
    sc_bench_stats_init(&result.stats);
    for (size_t i = 0; i < SC_COUNT_OF(nothing); i++) {
        check_expectation(&result, nothing[i], false);
    }
    check_expectation(&result, "requests=0", true);
    check_expectation(&result, "errors=0", true);
    check_expectation(&result, "rate<1", true);
}
END_TEST

START_TEST(bad_expectations_are_refused)
{
    static const char *const bad[] = {"",
                                      "p99",
                                      "p99<",
                                      "p99<5",
                                      "p99<5 ms",
                                      "p99<ms",
                                      "p101<5ms",
                                      "p<5ms",
                                      "errors=x",
                                      "errors=-1",
                                      "errors<>0",
                                      "errors=<0",
                                      "errors==0",
                                      "rate>5ms",
                                      "errors.x=0",
                                      "frog<1",
                                      "p99<5ms,",
                                      ",p99<5ms",
                                      "p99<5ms;errors=0",
                                      "p99<<5ms",
                                      "errors=0,,max<1s"};
    struct sc_err err;
    for (size_t i = 0; i < SC_COUNT_OF(bad); i++) {
        struct sc_bench_expectations list = {.count = 0};
        ck_assert_msg(sc_bench_expect_add(&list, bad[i], &err) == -1, "%s", bad[i]);
        ck_assert_int_eq(err.status, EX_USAGE);
    }
    struct sc_bench_expectations list = {.count = 0};
    ck_assert_int_eq(sc_bench_expect_add(&list, "p99<5ms,rate>1", &err), 0);
    ck_assert_int_eq(sc_bench_expect_add(&list, "errors.closed<5", &err), 0);
    ck_assert_uint_eq(list.count, 3);
    while (list.count < SC_BENCH_MAX_EXPECTATIONS) {
        ck_assert_int_eq(sc_bench_expect_add(&list, "errors=0", &err), 0);
    }
    ck_assert_int_eq(sc_bench_expect_add(&list, "errors=0", &err), -1);
}
END_TEST

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    ck_assert_int_eq(clock_gettime(clock, &now), 0);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* 20 ms of processor time. */
static void *work(void *arg)
{
    while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < 20000000U) {
    }
    return arg;
}

/* Between two readings of the kernel's own clocks, before and after another thread has worked. */
START_TEST(processor_time_of_a_process_is_that_of_all_its_threads)
{
    uint64_t first_ns = 0, cpu_ns;
    for (int i = 0; i < 2; i++) {
        struct sc_bench_usage usage;
        pthread_t thread;
        const uint64_t before_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
        const uint64_t thread_before_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
        ck_assert_int_eq(sc_bench_usage_cpu(getpid(), &cpu_ns), 0);
        sc_bench_usage_thread(&usage);
        ck_assert_uint_ge(cpu_ns, before_ns);
        ck_assert_uint_le(cpu_ns, clock_ns(CLOCK_PROCESS_CPUTIME_ID));
        ck_assert_uint_ge(usage.cpu_ns, thread_before_ns);
        ck_assert_uint_le(usage.cpu_ns, clock_ns(CLOCK_THREAD_CPUTIME_ID));
        ck_assert_uint_ge(cpu_ns - first_ns, i == 0 ? 0 : 20000000U);
        first_ns = cpu_ns;
        ck_assert_int_eq(pthread_create(&thread, NULL, work, NULL), 0);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
    }
    ck_assert_int_eq(sc_bench_usage_cpu(5000000, &cpu_ns), -1);
}
END_TEST

/* A process that works on the only processor that this one may use. */
START_TEST(waiting_for_a_processor_is_counted)
{
    struct sc_bench_usage before, usage;
    cpu_set_t one;
    if (access("/proc/thread-self/schedstat", R_OK) != 0) {
        return; /* this kernel does not say */
    }
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
    const pid_t other = fork();
    ck_assert_int_ge(other, 0);
    if (other == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (volatile int more = 1; more;) {
        }
    }
    sc_bench_usage_thread(&before);
    do {
        sc_bench_usage_thread(&usage);
    } while (usage.wait_ns < before.wait_ns + 1000000U && usage.cpu_ns < 2000000000U);
    ck_assert_int_eq(kill(other, SIGKILL), 0);
    ck_assert_int_eq(waitpid(other, NULL, 0), other);
    ck_assert_uint_ge(usage.wait_ns, before.wait_ns + 1000000U);
}
END_TEST

START_TEST(memory_of_a_process)
{
    struct sc_err err;
    uint64_t rss_bytes;
    ck_assert_int_eq(sc_bench_usage_rss(getpid(), &rss_bytes, &err), 0);
    ck_assert_uint_gt(rss_bytes, 100000);
    ck_assert_int_eq(sc_bench_usage_rss(5000000, &rss_bytes, &err), -1);
    ck_assert_int_eq(err.status, EX_NOINPUT);
}
END_TEST

START_TEST(columns_are_what_their_names_say)
{
    static const struct {
        const char *name;
        double ns;
    } rows[] = {{"min", 1},   {"mean", 100.5}, {"p50", 100},   {"p75", 150},    {"p90", 180},
                {"p95", 190}, {"p99", 198},    {"p99.9", 200}, {"p99.99", 200}, {"max", 200}};
    static struct sc_hist hist;
    sc_hist_init(&hist);
    for (uint64_t ns = 1; ns <= 200; ns++) {
        sc_hist_record(&hist, ns);
    }
    ck_assert_uint_eq(SC_COUNT_OF(rows), SC_BENCH_COLUMNS);
    for (size_t i = 0; i < SC_COUNT_OF(rows); i++) {
        const double ns = sc_bench_column_ns(&sc_bench_columns[i], &hist);
        ck_assert_str_eq(sc_bench_columns[i].name, rows[i].name);
        ck_assert_msg(ns >= rows[i].ns && ns <= rows[i].ns, "%s is %f", rows[i].name, ns);
    }
}
END_TEST

START_TEST(shares_follow_the_connections_and_lose_nothing)
{
    static const uint64_t totals[] = {0, 1, 5, 600, 1000003, UINT64_MAX / 2};
    ck_assert_uint_eq(sc_bench_share(600, 3, 0, 2), 400);
    ck_assert_uint_eq(sc_bench_share(600, 3, 2, 1), 200);
    for (size_t i = 0; i < SC_COUNT_OF(totals); i++) {
        uint64_t sum = 0;
        for (unsigned first = 0; first < 1000000; first += 250000) {
            sum += sc_bench_share(totals[i], 1000000, first, 250000);
        }
        ck_assert_uint_eq(sum, totals[i]);
    }
}
END_TEST

START_TEST(merging_adds_up_and_keeps_the_first_text)
{
    static struct sc_bench_stats one, two;
    struct sc_hist *const from[] = {&two.latency, &two.raw, &two.handshake, &two.lag};
    const struct sc_hist *const into[] = {&one.latency, &one.raw, &one.handshake, &one.lag};
    sc_bench_stats_init(&one);
    sc_bench_stats_init(&two);
    for (size_t i = 0; i < SC_COUNT_OF(from); i++) {
        for (size_t k = 0; k <= i; k++) {
            sc_hist_record(from[i], 1000);
        }
    }
    two.in_time = 5;
    two.handshakes = 4;
    two.resumed = 3;
    two.errors[SC_BENCH_ERROR_TLS] = 2;
    (void)snprintf(two.first_error[SC_BENCH_ERROR_TLS], sizeof(two.first_error[0]), "bad");
    sc_bench_stats_merge(&one, &two);
    two.errors[SC_BENCH_ERROR_TLS] = 1;
    (void)snprintf(two.first_error[SC_BENCH_ERROR_TLS], sizeof(two.first_error[0]), "worse");
    sc_bench_stats_merge(&one, &two);
    ck_assert_uint_eq(one.errors[SC_BENCH_ERROR_TLS], 3);
    ck_assert_str_eq(one.first_error[SC_BENCH_ERROR_TLS], "bad");
    for (size_t i = 0; i < SC_COUNT_OF(into); i++) {
        ck_assert_uint_eq(into[i]->count, 2 * (i + 1));
    }
    ck_assert_uint_eq(one.in_time, 10);
    ck_assert_uint_eq(one.handshakes, 8);
    ck_assert_uint_eq(one.resumed, 6);
}
END_TEST

SUITE_MAIN("bench", slices_are_whole_requests_and_never_wrap, requests_have_their_type,
           bytes_of_a_load_are_those_of_its_types, few_large_requests_make_a_ring,
           right_replies_pass_however_they_are_cut, every_wrong_byte_is_found,
           what_is_wrong_is_named, a_time_must_be_one, expectations_compare_as_they_read,
           what_was_not_measured_meets_no_expectation, bad_expectations_are_refused,
           processor_time_of_a_process_is_that_of_all_its_threads,
           waiting_for_a_processor_is_counted, memory_of_a_process,
           shares_follow_the_connections_and_lose_nothing, columns_are_what_their_names_say,
           merging_adds_up_and_keeps_the_first_text)
