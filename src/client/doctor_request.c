/* SPDX-License-Identifier: MIT */
/* Requests to a server that is trusted: does it answer, how fast, and what time has it? */
#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include <spacecaptain/client.h>

#include "base/clock.h"
#include "base/hist.h"
#include "client/doctor.h"
#include "proto/frame.h"

#define REQUESTS 5
#define CLOCK_SECONDS 5.0 /* a difference of clocks that is worth a note */

/* The reply to TIME as seconds since 1970. -1: it is not a time. */
static int read_time(const struct sc_client_reply *reply, double *out)
{
    char text[SC_CLOCK_RFC3339_BYTES + 1], *rest;
    struct tm tm = {0};
    unsigned micros;
    if (reply->length != SC_CLOCK_RFC3339_BYTES) {
        return -1;
    }
    memcpy(text, reply->body, reply->length);
    text[reply->length] = '\0';
    rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (!rest || sscanf(rest, ".%6uZ", &micros) != 1) {
        return -1;
    }
    *out = (double)timegm(&tm) + (double)micros / 1e6;
    return 0;
}

static double wall_seconds(void)
{
    const struct timespec now = sc_clock_wall();
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

struct times {
    struct sc_hist round_trips; /* nanoseconds */
    double ahead, error; /* of the server's clock, by the fastest reply; seconds */
    bool has_clock;
};

/* One TIME. -1: it is reported. */
static int ask(struct sc_doctor *doctor, struct sc_client *client, struct times *times)
{
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    struct sc_client_reply reply = SC_CLIENT_REPLY_INIT;
    double server;
    const double sent = wall_seconds();
    const uint64_t start_ns = sc_clock_ns();
    if (sc_client_call(client, SC_CLIENT_TIME, NULL, 0, &reply, &error) != 0) {
        sc_doctor_report(doctor, "request", SC_DOCTOR_FAILED, error.code, "%s", error.text);
        return -1;
    }
    const uint64_t took_ns = sc_clock_ns() - start_ns;
    const double half = (double)took_ns / 2e9;
    if (reply.error_code != 0) {
        sc_doctor_report(doctor, "request", SC_DOCTOR_FAILED, SC_CLIENT_REFUSED,
                         "the server answered ERROR %" PRIu32 " (%s): %s", reply.error_code,
                         sc_error_code_name(reply.error_code), reply.error_text);
        return -1;
    }
    if (read_time(&reply, &server) != 0) {
        sc_doctor_report(doctor, "request", SC_DOCTOR_FAILED, EX_PROTOCOL,
                         "the reply to TIME is not a time; is it a Space Captain server?");
        return -1;
    }
    if (!times->has_clock || half < times->error) {
        times->has_clock = true;
        times->ahead = server - (sent + half);
        times->error = half;
    }
    sc_hist_record(&times->round_trips, took_ns);
    return 0;
}

static void report_clock(struct sc_doctor *doctor, const struct times *times)
{
    const double off = fabs(times->ahead);
    const bool apart = off > CLOCK_SECONDS + times->error;
    const char *side = times->ahead > 0 ? "ahead of" : "behind";
    sc_doctor_number(doctor, "ahead_seconds", times->ahead);
    sc_doctor_number(doctor, "error_seconds", times->error);
    if (apart) {
        sc_doctor_report(doctor, "clock", SC_DOCTOR_NOTE, 0,
                         "the server is %.1f s %s this host: one of the clocks is wrong, and dates "
                         "of certificates are judged by them; see 'timedatectl' on both",
                         off, side);
    } else if (off > times->error) {
        sc_doctor_report(doctor, "clock", SC_DOCTOR_OK, 0,
                         "the server is %.3f ms %s this host, with an error of %.3f ms", off * 1e3,
                         side, times->error * 1e3);
    } else {
        sc_doctor_report(doctor, "clock", SC_DOCTOR_OK, 0,
                         "no difference beyond the error of %.3f ms", times->error * 1e3);
    }
}

void sc_doctor_request(struct sc_doctor *doctor)
{
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    struct times times = {0};
    int rc = 0;
    sc_hist_init(&times.round_trips);
    struct sc_client *client =
        sc_client_connect(doctor->options->settings, doctor->options->target, &error);
    if (!client) {
        sc_doctor_report(doctor, "request", SC_DOCTOR_FAILED, error.code, "%s", error.text);
        return;
    }
    for (int i = 0; i < REQUESTS && rc == 0; i++) {
        rc = ask(doctor, client, &times);
    }
    sc_client_free(client);
    if (rc != 0) {
        return;
    }
    sc_doctor_report(doctor, "request", SC_DOCTOR_OK, 0, "%d of TIME, each answered", REQUESTS);
    report_clock(doctor, &times);
    const double min = (double)sc_hist_min(&times.round_trips) / 1e6;
    const double mean = sc_hist_mean(&times.round_trips) / 1e6;
    const double max = (double)sc_hist_max(&times.round_trips) / 1e6;
    sc_doctor_number(doctor, "min_seconds", min / 1e3);
    sc_doctor_number(doctor, "avg_seconds", mean / 1e3);
    sc_doctor_number(doctor, "max_seconds", max / 1e3);
    sc_doctor_report(doctor, "round trip", SC_DOCTOR_OK, 0, "min/avg/max %.3f/%.3f/%.3f ms", min,
                     mean, max);
}
