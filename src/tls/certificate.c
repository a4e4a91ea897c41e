/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/certificate.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/parse.h"
#include "tls/keygen.h"

#define DAY 86400

void sc_certificate_date(time_t time, char out[SC_CERTIFICATE_DATE_BYTES])
{
    struct tm when;
    if (!gmtime_r(&time, &when) ||
        strftime(out, SC_CERTIFICATE_DATE_BYTES, "%Y-%m-%d", &when) == 0) {
        (void)snprintf(out, SC_CERTIFICATE_DATE_BYTES, "an unknown date");
    }
}

time_t sc_certificate_time(const ASN1_TIME *time)
{
    struct tm tm;
    return time && ASN1_TIME_to_tm(time, &tm) == 1 ? timegm(&tm) : 0;
}

void sc_certificate_dates(const X509 *certificate, time_t *not_before, time_t *not_after)
{
    *not_before = sc_certificate_time(X509_get0_notBefore(certificate));
    *not_after = sc_certificate_time(X509_get0_notAfter(certificate));
}

bool sc_certificate_is_in_date(const X509 *certificate)
{
    time_t now = sc_clock_wall().tv_sec;
    /* X509_cmp_time() is 0 for a time that can't be read. */
    return X509_cmp_time(X509_get0_notBefore(certificate), &now) < 0 &&
           X509_cmp_time(X509_get0_notAfter(certificate), &now) > 0;
}

void sc_certificate_describe_validity(time_t not_before, time_t not_after, time_t now,
                                      char out[SC_CERTIFICATE_VALIDITY_BYTES])
{
    char date[SC_CERTIFICATE_DATE_BYTES];
    sc_certificate_date(now < not_before ? not_before : not_after, date);
    if (now < not_before) {
        (void)snprintf(out, SC_CERTIFICATE_VALIDITY_BYTES, "not valid before %s", date);
    } else if (now > not_after) {
        (void)snprintf(out, SC_CERTIFICATE_VALIDITY_BYTES, "expired on %s", date);
    } else {
        const int64_t days = ((int64_t)not_after - (int64_t)now) / DAY;
        (void)snprintf(out, SC_CERTIFICATE_VALIDITY_BYTES, "valid until %s, %" PRId64 " more day%s",
                       date, days, sc_plural((uint64_t)days));
    }
}

bool sc_certificate_name(const GENERAL_NAME *name, char *out, size_t out_size)
{
    int type;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
    const unsigned char *bytes = ASN1_STRING_get0_data(value);
    const int size = ASN1_STRING_length(value);

    if (type == GEN_IPADD && (size == 4 || size == 16)) {
        return inet_ntop(size == 4 ? AF_INET : AF_INET6, bytes, out, (socklen_t)out_size) != NULL;
    }
    if (type != GEN_DNS || size <= 0 || (size_t)size >= out_size) {
        return false;
    }
    memcpy(out, bytes, (size_t)size);
    out[size] = '\0';
    /* A peer's certificate may hold anything, and this goes to a terminal and into commands. */
    return strlen(out) == (size_t)size && sc_keygen_check_name(out, NULL) == 0;
}

bool sc_certificate_host_name(const X509 *certificate, const char *except, char *out,
                              size_t out_size)
{
    char name[256];
    bool found = false;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
        const GENERAL_NAME *one = sk_GENERAL_NAME_value(names, i);
        found = one->type == GEN_DNS && sc_certificate_name(one, name, sizeof(name)) &&
                strchr(name, '.') && !strchr(name, '*') && strcasecmp(name, except) != 0 &&
                strlen(name) < out_size;
    }
    if (found) {
        (void)snprintf(out, out_size, "%s", name);
    }
    GENERAL_NAMES_free(names);
    return found;
}

void sc_certificate_names(const X509 *certificate, char *out, size_t out_size)
{
    char name[256];
    size_t used = 0;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

    out[0] = '\0';
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        if (!sc_certificate_name(sk_GENERAL_NAME_value(names, i), name, sizeof(name))) {
            continue;
        }
        if (used + strlen(name) + sizeof(", , ...") > out_size) {
            (void)snprintf(out + used, out_size - used, "%s...", used ? ", " : "");
            break;
        }
        used += (size_t)snprintf(out + used, out_size - used, "%s%s", used ? ", " : "", name);
    }
    GENERAL_NAMES_free(names);
}
