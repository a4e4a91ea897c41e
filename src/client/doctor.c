/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "client/doctor.h"

#include <string.h>

#include "base/program.h"

/* What comes after a layer that failed. */
static void skip(struct sc_doctor *doctor, const char *layer, const char *why)
{
    sc_doctor_report(doctor, layer, SC_DOCTOR_SKIPPED, 0, "not tried: %s", why);
}

static void examine(struct sc_doctor *doctor)
{
    if (sc_doctor_find(doctor) != 0) {
        skip(doctor, "TLS", "there is no connection");
        skip(doctor, "request", "there is no connection");
        return;
    }
    if (sc_doctor_server(doctor) == 0) {
        sc_doctor_request(doctor);
    } else {
        skip(doctor, "request",
             doctor->trusted                              ? "the connection would be refused"
             : strcmp(doctor->failed_layer, "trust") == 0 ? "the server is not trusted"
                                                          : "there is no handshake");
    }
}

int sc_doctor_run(const struct sc_cli_options *options, const char *key_log)
{
    struct sc_err err;
    struct sc_doctor doctor = {
        .options = options, .host = options->address.is_unix ? "localhost" : options->address.host};
    /* Without a certificate of ours: it is for servers that are trusted. */
    doctor.context =
        sc_tls_context_new_client(&(struct sc_tls_client_settings){.keylog_path = key_log}, &err);
    if (doctor.context) {
        examine(&doctor);
    } else {
        sc_doctor_report(&doctor, "TLS", SC_DOCTOR_FAILED, err.status, "%s", err.text);
    }
    sc_tls_context_unref(doctor.context);
    sc_doctor_sum_up(&doctor);
    return doctor.output.status == 0 ? doctor.status
                                     : sc_program_fail(SC_CLI_PROGRAM, &doctor.output);
}
