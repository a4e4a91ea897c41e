/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "bench/expect.h"

#include <string.h>
#include <sysexits.h>

#include "base/parse.h"

struct unit {
    const char *suffix;
    double factor;
};

static const struct unit time_units[] = {
    {"ns", 1.0}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {NULL, 0.0}};
static const struct unit count_units[] = {{"", 1.0}, {"K", 1e3}, {"M", 1e6}, {NULL, 0.0}};

static const char expected[] =
    "expected pN, min, mean, max (a time: 5ms), rate, cpu-rate, requests, resumed, errors, "
    "errors.KIND (a number), with < <= > >= or =, separated by commas";

/* The percentile that "p99.9", "min" or "max" names; -1: none. */
static double percent_of(const char *figure)
{
    double percent;
    if (strcmp(figure, "min") == 0 || strcmp(figure, "max") == 0) {
        return figure[1] == 'i' ? 0.0 : 100.0;
    }
    const char *rest = figure + 1;
    const bool is_percentile = figure[0] == 'p' && sc_take_decimal(&rest, &percent) == 0;
    return is_percentile && *rest == '\0' && percent <= 100.0 ? percent : -1.0;
}

static int error_kind_of(const char *figure)
{
    static const char prefix[] = "errors.";
    if (strncmp(figure, prefix, sizeof(prefix) - 1) == 0) {
        for (int i = 0; i < SC_BENCH_ERROR_COUNT; i++) {
            if (strcmp(figure + sizeof(prefix) - 1, sc_bench_error_kinds[i].word) == 0) {
                return i;
            }
        }
    }
    return -1;
}

/* --- Figures --- */

static double figure_mean(const struct sc_bench_result *result)
{
    return sc_hist_mean(&result->stats.latency);
}

static double figure_requests(const struct sc_bench_result *result)
{
    return (double)result->stats.latency.count;
}

static double figure_resumed(const struct sc_bench_result *result)
{
    return result->stats.handshakes
               ? 100.0 * (double)result->stats.resumed / (double)result->stats.handshakes
               : 0.0;
}

static double figure_errors(const struct sc_bench_result *result)
{
    return (double)sc_bench_errors(result);
}

static const struct figure {
    const char *name;
    bool is_time;
    double (*of)(const struct sc_bench_result *result);
} figures[] = {
    {"mean", true, figure_mean},
    {"rate", false, sc_bench_rate},
    {"cpu-rate", false, sc_bench_per_cpu_second},
    {"requests", false, figure_requests},
    {"resumed", false, figure_resumed},
    {"errors", false, figure_errors},
};

static const struct figure *find_figure(const char *name)
{
    for (size_t i = 0; i < SC_COUNT_OF(figures); i++) {
        if (strcmp(figures[i].name, name) == 0) {
            return &figures[i];
        }
    }
    return NULL;
}

bool sc_bench_expect_is_time(const struct sc_bench_expectation *expectation)
{
    const struct figure *figure = find_figure(expectation->figure);
    return figure ? figure->is_time : percent_of(expectation->figure) >= 0.0;
}

static bool is_known(const struct sc_bench_expectation *expectation)
{
    return find_figure(expectation->figure) || percent_of(expectation->figure) >= 0.0 ||
           error_kind_of(expectation->figure) >= 0;
}

/* --- The text --- */

static bool take_value(struct sc_bench_expectation *expectation, const char *text)
{
    double value;
    const struct unit *unit = sc_bench_expect_is_time(expectation) ? time_units : count_units;
    if (sc_take_decimal(&text, &value) != 0) {
        return false;
    }
    for (; unit->suffix; unit++) {
        if (strcmp(text, unit->suffix) == 0) {
            expectation->value = value * unit->factor;
            return true;
        }
    }
    return false;
}

/* "p99<5ms", terminated. */
static bool take_one(struct sc_bench_expectation *expectation, const char *text)
{
    const size_t figure_length = strcspn(text, "<>=");
    if (figure_length == 0 || figure_length >= sizeof(expectation->figure)) {
        return false;
    }
    memcpy(expectation->figure, text, figure_length);
    expectation->figure[figure_length] = '\0';
    const char *op = text + figure_length;
    const size_t op_length = strspn(op, "<>=");
    if (op_length == 0 || op_length > 2 || (op_length == 2 && (op[0] == '=' || op[1] != '='))) {
        return false;
    }
    memcpy(expectation->op, op, op_length);
    expectation->op[op_length] = '\0';
    return is_known(expectation) && take_value(expectation, op + op_length);
}

int sc_bench_expect_add(struct sc_bench_expectations *expectations, const char *text,
                        struct sc_err *err)
{
    while (true) {
        struct sc_bench_expectation *one = &expectations->list[expectations->count];
        const size_t length = strcspn(text, ",");
        if (expectations->count == SC_BENCH_MAX_EXPECTATIONS) {
            return sc_err_set(err, EX_USAGE, "more than %u expectations",
                              SC_BENCH_MAX_EXPECTATIONS);
        }
        if (length >= sizeof(one->text)) {
            return sc_err_set(err, EX_USAGE, "invalid value \"%.64s\": %s", text, expected);
        }
        memcpy(one->text, text, length);
        one->text[length] = '\0';
        if (!take_one(one, one->text)) {
            return sc_err_set(err, EX_USAGE, "invalid value \"%s\": %s", one->text, expected);
        }
        expectations->count++;
        if (text[length] == '\0') {
            return 0;
        }
        text += length + 1;
    }
}

double sc_bench_expect_figure(const struct sc_bench_expectation *expectation,
                              const struct sc_bench_result *result)
{
    const struct figure *figure = find_figure(expectation->figure);
    const int kind = error_kind_of(expectation->figure);
    if (figure) {
        return figure->of(result);
    }
    return kind >= 0 ? (double)result->stats.errors[kind]
                     : (double)sc_hist_percentile(&result->stats.latency,
                                                  percent_of(expectation->figure));
}

bool sc_bench_expect_has_figure(const struct sc_bench_expectation *expectation,
                                const struct sc_bench_result *result)
{
    const struct figure *figure = find_figure(expectation->figure);
    if (sc_bench_expect_is_time(expectation)) {
        return result->stats.latency.count > 0;
    }
    if (figure && figure->of == sc_bench_per_cpu_second) {
        return result->has_server && result->server_cpu_s > 0.0;
    }
    return !figure || figure->of != figure_resumed || result->stats.handshakes > 0;
}

bool sc_bench_expect_is_met(const struct sc_bench_expectation *expectation,
                            const struct sc_bench_result *result)
{
    const double figure = sc_bench_expect_figure(expectation, result), value = expectation->value;
    const bool is_equal = figure >= value && figure <= value;
    if (!sc_bench_expect_has_figure(expectation, result)) {
        return false;
    }
    switch (expectation->op[0]) {
    case '<': return figure < value || (expectation->op[1] == '=' && is_equal);
    case '>': return figure > value || (expectation->op[1] == '=' && is_equal);
    default: return is_equal;
    }
}

/* Then they, and not any error, decide the exit status. */
static bool expects_errors(const struct sc_bench_expectations *expectations)
{
    for (size_t i = 0; i < expectations->count; i++) {
        if (strncmp(expectations->list[i].figure, "errors", 6) == 0) {
            return true;
        }
    }
    return false;
}

int sc_bench_expect_status(const struct sc_bench_expectations *expectations,
                           const struct sc_bench_result *result)
{
    for (size_t i = 0; i < expectations->count; i++) {
        if (!sc_bench_expect_is_met(&expectations->list[i], result)) {
            return SC_EXIT_THRESHOLD;
        }
    }
    for (int kind = SC_BENCH_ERROR_COUNT - 1; kind >= 0 && !expects_errors(expectations); kind--) {
        if (result->stats.errors[kind] > 0) {
            return sc_bench_error_kinds[kind].status;
        }
    }
    if (result->interrupted) {
        return SC_EXIT_INTERRUPTED;
    }
    return result->gave_up ? EX_UNAVAILABLE : EX_OK;
}
