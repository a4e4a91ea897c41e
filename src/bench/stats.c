#include "config.h"

#include "bench/bench.h"

#include <string.h>
#include <sysexits.h>

#include "bench/thread.h"

const char *sc_bench_error_word(enum sc_bench_error kind)
{
    static const char *const words[] = {
#define WORD(name, word, text) word,
        SC_BENCH_ERRORS(WORD)
#undef WORD
    };
    return words[kind];
}

const char *sc_bench_error_text(enum sc_bench_error kind)
{
    static const char *const texts[] = {
#define TEXT(name, word, text) text,
        SC_BENCH_ERRORS(TEXT)
#undef TEXT
    };
    return texts[kind];
}

int sc_bench_error_status(enum sc_bench_error kind)
{
    switch (kind) {
    case SC_BENCH_ERROR_CONNECT:
    case SC_BENCH_ERROR_CLOSED: return EX_UNAVAILABLE;
    case SC_BENCH_ERROR_TIMEOUT: return EX_TEMPFAIL;
    case SC_BENCH_ERROR_TLS: return SC_EXIT_HANDSHAKE;
    case SC_BENCH_ERROR_PIN: return SC_EXIT_PIN;
    case SC_BENCH_ERROR_SERVER: return 1;
    case SC_BENCH_ERROR_PROTOCOL:
    case SC_BENCH_ERROR_WRONG_REPLY:
    case SC_BENCH_ERROR_COUNT: break;
    }
    return EX_PROTOCOL;
}

/* What falls to the first connections. */
static uint64_t share_of_first(uint64_t total, unsigned all, unsigned count)
{
    return total / all * count + total % all * count / all;
}

uint64_t sc_bench_share(uint64_t total, unsigned all, unsigned first, unsigned count)
{
    return share_of_first(total, all, first + count) - share_of_first(total, all, first);
}

void sc_bench_stats_init(struct sc_bench_stats *stats)
{
    memset(stats, 0, sizeof(*stats));
    sc_hist_init(&stats->latency);
    sc_hist_init(&stats->raw);
    sc_hist_init(&stats->handshake);
    sc_hist_init(&stats->lag);
}

void sc_bench_stats_merge(struct sc_bench_stats *into, const struct sc_bench_stats *from)
{
    sc_hist_merge(&into->latency, &from->latency);
    sc_hist_merge(&into->raw, &from->raw);
    sc_hist_merge(&into->handshake, &from->handshake);
    sc_hist_merge(&into->lag, &from->lag);
    into->in_time += from->in_time;
    into->handshakes += from->handshakes;
    into->resumed += from->resumed;
    for (size_t i = 0; i < SC_BENCH_ERROR_COUNT; i++) {
        if (into->errors[i] == 0) {
            memcpy(into->first_error[i], from->first_error[i], sizeof(into->first_error[i]));
        }
        into->errors[i] += from->errors[i];
    }
}

double sc_bench_rate(const struct sc_bench_result *result)
{
    return result->elapsed_s > 0.0 ? (double)result->stats.in_time / result->elapsed_s : 0.0;
}

uint64_t sc_bench_errors(const struct sc_bench_result *result)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < SC_BENCH_ERROR_COUNT; i++) {
        sum += result->stats.errors[i];
    }
    return sum;
}

double sc_bench_per_cpu_second(const struct sc_bench_result *result)
{
    return result->has_server && result->server_cpu_s > 0.0
               ? (double)result->stats.in_time / result->server_cpu_s
               : 0.0;
}
