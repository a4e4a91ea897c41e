/* SPDX-License-Identifier: MIT */
/* What handshakes show of a server. */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include <spacecaptain/client.h>

#include "base/clock.h"
#include "client/doctor.h"
#include "tls/certificate.h"
#include "tls/pin.h"

#define TLS_LAYER "TLS"

static double to_ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

/* --- Versions --- */

/* TLS 1.2 ends the handshake for it, TLS 1.3 what comes after it. */
static bool is_required(const struct sc_doctor_probe *probe)
{
    return probe->watch.alert_received == TLS13_AD_CERTIFICATE_REQUIRED ||
           (probe->watch.certificate_requested &&
            probe->watch.alert_received == SSL_AD_HANDSHAKE_FAILURE);
}

static void check_version(struct sc_doctor *doctor, int version, const char *layer)
{
    struct sc_doctor_probe probe;
    const struct sc_doctor_try how = {.version = version, .without_alpn = true};
    if (sc_doctor_probe(doctor, &how, &probe) == 0) {
        sc_doctor_fact(doctor, "cipher", "%s", probe.info.cipher);
        sc_doctor_fact(doctor, "group", "%s", probe.info.group);
        sc_doctor_number(doctor, "seconds", (double)probe.handshake_ns / 1e9);
        sc_doctor_report(doctor, layer, SC_DOCTOR_OK, 0, "%s, %s, in %.3f ms", probe.info.cipher,
                         *probe.info.group ? probe.info.group : "no group",
                         to_ms(probe.handshake_ns));
    } else if (is_required(&probe)) {
        sc_doctor_report(doctor, layer, SC_DOCTOR_NOTE, 0, "not without a client certificate");
    } else {
        sc_doctor_report(doctor, layer, SC_DOCTOR_NOTE, 0, "not taken: %s", probe.err.text);
    }
    sc_doctor_probe_fini(&probe);
}

/* --- Certificate --- */

/* 0, or -1: it is refused for its dates. */
static int check_certificate(struct sc_doctor *doctor, const X509 *leaf)
{
    char names[256], from[SC_CERTIFICATE_DATE_BYTES], to[SC_CERTIFICATE_DATE_BYTES];
    char validity[SC_CERTIFICATE_VALIDITY_BYTES];
    time_t not_before, not_after;
    const time_t now = sc_clock_wall().tv_sec;
    sc_certificate_names(leaf, names, sizeof(names));
    sc_certificate_dates(leaf, &not_before, &not_after);
    sc_certificate_date(not_before, from);
    sc_certificate_date(not_after, to);
    sc_certificate_describe_validity(not_before, not_after, now, validity);
    const bool outside = now < not_before || now > not_after;
    const bool refused = outside && doctor->options->strict_expiry;
    sc_doctor_fact(doctor, "names", "%s", names);
    sc_doctor_fact(doctor, "not_before", "%s", from);
    sc_doctor_fact(doctor, "not_after", "%s", to);
    sc_doctor_report(doctor, "certificate",
                     refused   ? SC_DOCTOR_FAILED
                     : outside ? SC_DOCTOR_NOTE
                               : SC_DOCTOR_OK,
                     SC_EXIT_UNTRUSTED, "for %s; from %s, %s%s", *names ? names : "no host", from,
                     validity,
                     refused   ? "; --strict-expiry refuses it: the server needs a new one"
                     : outside ? "; a pin of it or its key is good all the same, but the server "
                                 "should get a new one"
                               : "");
    return refused ? -1 : 0;
}

/* --- Pins --- */

static void show_pins(struct sc_doctor *doctor, const X509 *leaf)
{
    uint8_t key[SC_PIN_BYTES], fingerprint[SC_PIN_BYTES];
    struct sc_pin_formats as;
    if (sc_pin_of_certificate(leaf, key, NULL) != 0 ||
        sc_pin_fingerprint(leaf, fingerprint, NULL) != 0) {
        return;
    }
    sc_pin_format(key, fingerprint, &as);
    if (doctor->options->json) {
        sc_doctor_fact(doctor, "curl", "%s", as.curl);
        sc_doctor_fact(doctor, "rfc7469", "%s", as.rfc7469);
        sc_doctor_fact(doctor, "ssh", "%s", as.ssh);
        sc_doctor_fact(doctor, "dane", "%s", as.dane);
        sc_doctor_fact(doctor, "certificate", "%s", as.cert_sha256);
    }
    sc_doctor_report(doctor, "pins", SC_DOCTOR_OK, 0, "%s", as.curl);
    if (!doctor->options->json) {
        const char *const others[] = {as.rfc7469, as.ssh, as.dane, as.cert_sha256};
        for (size_t i = 0; i < SC_COUNT_OF(others); i++) {
            printf("%-28s%s\n", "", others[i]);
        }
    }
}

/* Whether one PIN that was given matches; it is reported. */
static bool match_pin(struct sc_doctor *doctor, const struct sc_doctor_probe *probe,
                      const struct sc_opt_setting *given)
{
    struct sc_pin_result result = {0};
    struct sc_pin_set *set = sc_pin_set_new();
    const bool matched = set && sc_pin_set_add(set, given->value, NULL) == 0 &&
                         sc_pin_set_match(set, probe->ssl, doctor->host, &result) == 0;
    sc_pin_set_free(set);
    sc_doctor_fact(doctor, "given", "%s", given->value);
    sc_doctor_report(doctor, "pin", matched ? SC_DOCTOR_OK : SC_DOCTOR_NOTE, 0, "%s %s%s%s",
                     given->value, matched ? "matches" : "does not match",
                     *result.reason ? ": " : "", result.reason);
    return matched;
}

/* The pins that were given: how many. */
static size_t match_given(struct sc_doctor *doctor, const struct sc_doctor_probe *probe)
{
    const struct sc_opt_settings *given = &doctor->options->given;
    size_t count = 0;
    for (size_t i = 0; i < given->count; i++) {
        if (strcmp(given->list[i].option->name, "pin") == 0) {
            count++;
            doctor->trusted |= match_pin(doctor, probe, &given->list[i]);
        }
    }
    return count;
}

/* Those of the pin store: how many. -1: it can't be used, which is reported. */
static int match_stored(struct sc_doctor *doctor, const X509 *leaf)
{
    const struct sc_cli_options *options = doctor->options;
    struct sc_client_stored_pin stored = SC_CLIENT_STORED_PIN_INIT;
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    uint8_t key[SC_PIN_BYTES];
    unsigned count = 0;
    int found = 0;
    while (options->tofu != SC_CLI_TOFU_OFF &&
           (found = sc_client_stored_pin(options->pin_store, options->target, count, &stored,
                                         &error)) > 0) {
        struct sc_pin_formats as;
        const bool matched = sc_pin_of_certificate(leaf, key, NULL) == 0 &&
                             memcmp(key, stored.pin, sizeof(key)) == 0;
        count++;
        doctor->trusted |= matched;
        sc_pin_format(stored.pin, NULL, &as);
        sc_doctor_fact(doctor, "stored", "%s", as.curl);
        sc_doctor_report(doctor, "pin", matched ? SC_DOCTOR_OK : SC_DOCTOR_NOTE, 0, "%s (%s:%u) %s",
                         as.curl, stored.path, stored.line, matched ? "matches" : "does not match");
    }
    if (found < 0) {
        sc_doctor_report(doctor, "pin", SC_DOCTOR_FAILED, error.code, "%s", error.text);
    }
    return found < 0 ? -1 : (int)count;
}

static void check_pins(struct sc_doctor *doctor, const struct sc_doctor_probe *probe,
                       const X509 *leaf)
{
    show_pins(doctor, leaf);
    const size_t given = match_given(doctor, probe);
    const int stored = match_stored(doctor, leaf);
    if (stored < 0) {
        doctor->trusted = false; /* no connection would be made */
    } else if (given + (size_t)stored == 0) {
        sc_doctor_report(
            doctor, "trust", SC_DOCTOR_FAILED, SC_EXIT_UNTRUSTED,
            "no pin was given%s, so nothing is sent: compare the pins above with those "
            "that the server's owner names, and give one with --pin",
            doctor->options->tofu != SC_CLI_TOFU_OFF ? ", and none is stored" : "");
    } else if (!doctor->trusted) {
        sc_doctor_report(doctor, "trust", SC_DOCTOR_FAILED, SC_EXIT_PIN,
                         "no pin that was given%s matches, so nothing is sent: if the server's "
                         "owner confirms the new key give it with --pin; else this may be a "
                         "man-in-the-middle attack",
                         stored > 0 ? " or stored" : "");
    } else {
        sc_doctor_report(doctor, "trust", SC_DOCTOR_OK, 0, "a pin matches");
    }
}

/* --- ALPN, resumption, client certificate --- */

static void check_alpn(struct sc_doctor *doctor, const struct sc_doctor_probe *probe,
                       const char *refusal)
{
    sc_doctor_fact(doctor, "chosen", "%s", probe->alpn);
    if (refusal) {
        sc_doctor_report(doctor, "ALPN", SC_DOCTOR_FAILED, SC_EXIT_HANDSHAKE, "%s", refusal);
    } else if (*probe->alpn) {
        sc_doctor_report(doctor, "ALPN", SC_DOCTOR_OK, 0, "%s", probe->alpn);
    } else {
        sc_doctor_report(doctor, "ALPN", SC_DOCTOR_NOTE, 0,
                         "the server has chosen no protocol; is it a Space Captain server?");
    }
}

static void check_resumption(struct sc_doctor *doctor, const struct sc_doctor_probe *first,
                             bool without_alpn)
{
    struct sc_doctor_probe probe;
    const struct sc_doctor_try how = {.without_alpn = without_alpn, .session = first->session};
    if (!first->session) {
        sc_doctor_report(doctor, "resumption", SC_DOCTOR_NOTE, 0,
                         "the server gives no sessions: each connection is a full handshake");
        return;
    }
    if (sc_doctor_probe(doctor, &how, &probe) != 0) {
        sc_doctor_report(doctor, "resumption", SC_DOCTOR_NOTE, 0, "it failed: %s", probe.err.text);
    } else {
        sc_doctor_number(doctor, "seconds", (double)probe.handshake_ns / 1e9);
        sc_doctor_report(doctor, "resumption", probe.info.resumed ? SC_DOCTOR_OK : SC_DOCTOR_NOTE,
                         0,
                         probe.info.resumed ? "a second connection resumed the session, in %.3f ms"
                                            : "the server did not resume its session: a full "
                                              "handshake, in %.3f ms",
                         to_ms(probe.handshake_ns));
    }
    sc_doctor_probe_fini(&probe);
}

/* -1: one is required, and none was given. */
static int check_client_certificate(struct sc_doctor *doctor, const struct sc_doctor_probe *probe)
{
    static const char layer[] = "client certificate";
    const bool given = doctor->options->certificate_path != NULL;
    const bool required = is_required(probe);
    sc_doctor_fact(doctor, "asked", "%s",
                   required                             ? "required"
                   : probe->watch.certificate_requested ? "optional"
                                                        : "no");
    if (!probe->watch.certificate_requested) {
        sc_doctor_report(doctor, layer, SC_DOCTOR_OK, 0, "not asked for%s",
                         given ? "; --cert is of no use here" : "");
    } else if (given) {
        sc_doctor_report(doctor, layer, SC_DOCTOR_OK, 0,
                         "asked for; the request below shows that of --cert");
    } else if (required) {
        sc_doctor_report(doctor, layer, SC_DOCTOR_FAILED, SC_EXIT_HANDSHAKE,
                         "required: give one that the server knows with --cert and --key");
        return -1;
    } else {
        sc_doctor_report(doctor, layer, SC_DOCTOR_NOTE, 0,
                         "asked for, and not required; --cert and --key give one");
    }
    return 0;
}

/* --- All of it --- */

/* 0: a handshake was done. `refusal` is why the server refused our ALPN, "": it did not. */
static int find_handshake(struct sc_doctor *doctor, struct sc_doctor_try *how,
                          struct sc_doctor_probe *probe, char refusal[300])
{
    int rc = sc_doctor_probe(doctor, how, probe);
    if (rc != 0 && probe->watch.alert_received == SSL_AD_NO_APPLICATION_PROTOCOL) {
        (void)snprintf(refusal, 300, "%.299s", probe->err.text);
        sc_doctor_probe_fini(probe);
        how->without_alpn = true;
        rc = sc_doctor_probe(doctor, how, probe);
    }
    if (rc != 0 && is_required(probe)) { /* of TLS 1.2 */
        return check_client_certificate(doctor, probe);
    }
    if (rc != 0) {
        sc_doctor_report(doctor, TLS_LAYER, SC_DOCTOR_FAILED, probe->err.status, "%s%s",
                         probe->err.status == EX_TEMPFAIL ? "no end of the handshake in time: "
                                                          : "",
                         probe->err.text);
    }
    return rc;
}

int sc_doctor_server(struct sc_doctor *doctor)
{
    struct sc_doctor_probe probe;
    struct sc_doctor_try how = {.wait_for_session = true};
    char refusal[300] = "";
    if (find_handshake(doctor, &how, &probe, refusal) != 0) {
        sc_doctor_probe_fini(&probe);
        return -1;
    }
    sc_doctor_probe_disconnect(&probe);
    const X509 *leaf = SSL_get0_peer_certificate(probe.ssl);
    int rc = -1;
    check_version(doctor, TLS1_3_VERSION, TLS_LAYER " 1.3");
    check_version(doctor, TLS1_2_VERSION, TLS_LAYER " 1.2");
    if (leaf) {
        rc = check_certificate(doctor, leaf);
        check_pins(doctor, &probe, leaf);
    } else {
        sc_doctor_report(doctor, "certificate", SC_DOCTOR_FAILED, SC_EXIT_HANDSHAKE,
                         "the server has shown none");
    }
    check_alpn(doctor, &probe, *refusal ? refusal : NULL);
    if (check_client_certificate(doctor, &probe) != 0 || *refusal || !doctor->trusted) {
        rc = -1;
    }
    if (!is_required(&probe)) {
        check_resumption(doctor, &probe, how.without_alpn);
    }
    sc_doctor_probe_fini(&probe);
    return rc;
}
