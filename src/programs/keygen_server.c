/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "programs/keygen_server.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "server/status_client.h"
#include "tls/certificate.h"

#define DAY_S 86400
#define MAX_NUMBER (UINT64_C(1) << 53)

/* The numbers of "pins" in the status of a server. */
enum number { ANNOUNCED, TOTAL, NEXT, OTHERS, UNKNOWN, NOT_SINCE, ONE_IN, DAYS, NUMBERS };
static const char *const number_paths[] = {
    [ANNOUNCED] = "pins.announced",     [TOTAL] = "pins.clients.total",
    [NEXT] = "pins.clients.next",       [OTHERS] = "pins.clients.others",
    [UNKNOWN] = "pins.clients.unknown", [NOT_SINCE] = "pins.clients.not_asked_since",
    [ONE_IN] = "pins.one_in",           [DAYS] = "pins.days",
};

struct facts {
    bool has_current, has_next;
    uint8_t current[SC_PIN_BYTES], next[SC_PIN_BYTES];
    bool has[NUMBERS];
    uint64_t numbers[NUMBERS];
};

static void on_value(void *arg, const char *path, const char *text, size_t length)
{
    struct facts *facts = arg;
    char value[80];
    if (strncmp(path, "pins.", 5) != 0 || length >= sizeof(value)) {
        return;
    }
    memcpy(value, text, length);
    value[length] = '\0';
    if (strcmp(path, "pins.current") == 0) {
        facts->has_current = sc_pin_from_text(value, facts->current) == 0;
    } else if (strcmp(path, "pins.next") == 0) {
        facts->has_next = sc_pin_from_text(value, facts->next) == 0;
    }
    for (unsigned i = 0; i < NUMBERS; i++) {
        if (strcmp(path, number_paths[i]) == 0) {
            facts->has[i] = sc_parse_u64(value, 0, MAX_NUMBER, &facts->numbers[i], NULL) == 0;
        }
    }
}

static int ask(const struct sc_address *address, struct facts *facts, struct sc_err *err)
{
    static char answer[SC_STATUS_CLIENT_BYTES];
    const char *body;
    char at[320];
    if (sc_status_client_get(address, "/status.json", answer, &body, err) != 0) {
        return -1;
    }
    bool whole = sc_json_read(body, strlen(body), on_value, facts, NULL) == 0 && facts->has_current;
    for (unsigned i = TOTAL; i < NUMBERS; i++) {
        whole = whole && facts->has[i];
    }
    if (whole) {
        return 0;
    }
    sc_format_address(address, at, sizeof(at));
    return sc_err_set(err, EX_UNAVAILABLE,
                      "the server at %s does not report its pins; is it older than this program?",
                      at);
}

/* --- What is printed --- */

static void print_facts(const struct sc_address *address, const struct facts *facts)
{
    const uint64_t *numbers = facts->numbers;
    struct sc_pin_formats as;
    char at[320], since[SC_CERTIFICATE_DATE_BYTES];
    sc_format_address(address, at, sizeof(at));
    printf("\nserver: %s\n  serves with      %s\n", at, sc_pin_text(facts->current, &as));
    printf("  announces        %s\n",
           facts->has_next ? sc_pin_text(facts->next, &as) : "no next key");
    if (facts->has_next && facts->has[ANNOUNCED]) {
        const time_t announced = (time_t)numbers[ANNOUNCED];
        const time_t now = sc_clock_wall().tv_sec;
        const uint64_t days = now > announced ? (uint64_t)(now - announced) / DAY_S : 0;
        sc_certificate_date(announced, since);
        printf("  announced since  %s, %" PRIu64 " day%s\n", since, days, sc_plural(days));
    }
    printf("  clients          %s%" PRIu64 " asked for pins in the last %" PRIu64 " days\n",
           numbers[ONE_IN] > 1 ? "about " : "", numbers[TOTAL], numbers[DAYS]);
    if (numbers[ONE_IN] > 1) {
        printf("                   these are estimates, from one address in %" PRIu64 "\n",
               numbers[ONE_IN]);
    }
    if (facts->has_next && numbers[TOTAL] > 0) {
        printf("  of these         %" PRIu64 " accept the next key\n"
               "                   %" PRIu64 " accept only others\n"
               "                   %" PRIu64 " did not say what they accept\n"
               "                   %" PRIu64 " have not asked since it was announced\n",
               numbers[NEXT], numbers[OTHERS], numbers[UNKNOWN], numbers[NOT_SINCE]);
    }
    printf("Clients that never ask for pins are not counted.\n");
}

static int check_promotion(const struct facts *facts, const uint8_t current[SC_PIN_BYTES],
                           const uint8_t next[SC_PIN_BYTES], struct sc_err *err)
{
    const uint64_t *numbers = facts->numbers;
    const uint64_t left = numbers[OTHERS] + numbers[UNKNOWN] + numbers[NOT_SINCE];
    struct sc_pin_formats as;
    if (memcmp(facts->current, current, SC_PIN_BYTES) != 0) {
        return sc_err_set(
            err, EX_TEMPFAIL,
            "the server serves with another key than the current one here, %s; reload "
            "it, or ask the server of these files",
            sc_pin_text(current, &as));
    }
    if (!next) {
        return 0;
    }
    if (!facts->has_next || memcmp(facts->next, next, SC_PIN_BYTES) != 0) {
        return sc_err_set(err, EX_TEMPFAIL,
                          "not safe to promote: the server does not announce the next key here, "
                          "%s; reload it",
                          sc_pin_text(next, &as));
    }
    if (numbers[TOTAL] == 0) {
        return sc_err_set(err, EX_TEMPFAIL,
                          "it is not known whether it is safe to promote: no client has asked for "
                          "pins; wait, or give the next pin to all clients by another way");
    }
    if (left > 0) {
        return sc_err_set(
            err, EX_TEMPFAIL,
            "not safe to promote: %s%" PRIu64 " of %" PRIu64 " client%s that asked for "
            "pins are not known to accept the next key; wait, or give them its pin",
            numbers[ONE_IN] > 1 ? "about " : "", left, numbers[TOTAL], sc_plural(numbers[TOTAL]));
    }
    if (numbers[ONE_IN] > 1) {
        printf("\nsafe to promote, by a sample: all clients in it, from one address in %" PRIu64
               ", accept the next key\n",
               numbers[ONE_IN]);
    } else {
        printf("\nsafe to promote: all clients that asked for pins in the last %" PRIu64
               " days accept the next key\n",
               numbers[DAYS]);
    }
    return 0;
}

int sc_keygen_ask_server(const struct sc_address *address, const uint8_t current[SC_PIN_BYTES],
                         const uint8_t next[SC_PIN_BYTES], struct sc_err *err)
{
    struct facts facts = {0};
    if (ask(address, &facts, err) != 0) {
        return -1;
    }
    print_facts(address, &facts);
    return check_promotion(&facts, current, next, err);
}
