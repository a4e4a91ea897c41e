/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/admin_request.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- Host --- */

/* "host", "host:port", "[v6]:port" without port and brackets. False: not one of these. */
static bool host_of(const char *text, char *out, size_t out_size)
{
    const bool bracket = *text == '[';
    const char *begin = text + bracket;
    const size_t length = strcspn(begin, bracket ? "]" : ":");
    const char *rest = begin + length + (bracket && begin[length] == ']');
    if (length == 0 || length >= out_size || (bracket && begin[length] != ']') ||
        (*rest != '\0' && (*rest != ':' || strspn(rest + 1, "0123456789") != strlen(rest + 1)))) {
        return false;
    }
    memcpy(out, begin, length);
    out[length] = '\0';
    return true;
}

bool sc_admin_host_is_ours(const char *host, const struct sc_address *names, size_t name_count)
{
    char name[256];
    unsigned char address[16];
    if (!host_of(host, name, sizeof(name))) {
        return false;
    }
    if (strcasecmp(name, "localhost") == 0 || strcasecmp(name, "localhost.") == 0 ||
        inet_pton(*host == '[' ? AF_INET6 : AF_INET, name, address) == 1) {
        return true;
    }
    for (size_t i = 0; i < name_count; i++) {
        if (!names[i].is_unix && strcasecmp(names[i].host, name) == 0) {
            return true;
        }
    }
    return false;
}

/* --- Accept --- */

/* "text/plain;version=0.0.4;q=0.5": one element, up to a comma. */
struct media_range {
    char type[64];
    char version[16]; /* empty: none */
    double quality;
};

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " \t");
}

/* Reads up to one of the delimiters, without blanks at the end; what does not fit is cut. */
static const char *read_word(const char *text, const char *delimiters, char *out, size_t out_size)
{
    text = skip_blanks(text);
    const size_t whole = strcspn(text, delimiters);
    size_t length = whole < out_size ? whole : out_size - 1;
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t')) {
        length--;
    }
    memcpy(out, text, length);
    out[length] = '\0';
    return text + whole;
}

static const char *read_range(const char *text, struct media_range *out)
{
    *out = (struct media_range){.quality = 1};
    text = read_word(text, ",;", out->type, sizeof(out->type));
    while (*text == ';') {
        char key[16], value[16] = "";
        text = read_word(text + 1, ",;=", key, sizeof(key));
        if (*text == '=') {
            text = read_word(text + 1, ",;", value, sizeof(value));
        }
        if (strcasecmp(key, "q") == 0) {
            out->quality = strtod(value, NULL);
        } else if (strcasecmp(key, "version") == 0) {
            (void)strcpy(out->version, value);
        }
    }
    return text;
}

enum sc_prometheus_format sc_admin_accepted_format(const char *accept)
{
    double openmetrics = 0, text = 0;
    while (accept && *accept) {
        struct media_range range;
        accept = read_range(accept, &range);
        accept += *accept == ',';
        if (strcasecmp(range.type, "application/openmetrics-text") == 0 &&
            (*range.version == '\0' || strcmp(range.version, "1.0.0") == 0)) {
            openmetrics = range.quality > openmetrics ? range.quality : openmetrics;
        } else if (strcasecmp(range.type, "text/plain") == 0) {
            text = range.quality > text ? range.quality : text;
        }
    }
    return openmetrics > 0 && openmetrics >= text ? SC_PROMETHEUS_OPENMETRICS : SC_PROMETHEUS_TEXT;
}
