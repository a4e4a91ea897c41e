/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/hello_peek.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

enum state {
    OFF,
    HELLO, /* in a ClientHello, or before it */
    AFTER, /* it is whole, and the server has not answered */
};

void sc_hello_peek_start(struct sc_hello_peek *peek)
{
    peek->state = HELLO; /* a record at hand goes on */
    peek->records = 0;
    peek->message_have = 0;
}

void sc_hello_peek_stop(struct sc_hello_peek *peek)
{
    peek->state = OFF;
}

/*
 * The header of a record is there. Records of other types can stand around a ClientHello (early
 * data that is skipped, ChangeCipherSpec after a HelloRetryRequest, alerts); OpenSSL says whether
 * they may.
 */
static enum sc_hello_verdict begin_record(struct sc_hello_peek *peek)
{
    peek->have = 0;
    peek->record_type = peek->header[0];
    peek->record_left = (uint16_t)(peek->header[3] << 8 | peek->header[4]);
    if (peek->header[1] != SSL3_VERSION_MAJOR || peek->record_type < SSL3_RT_CHANGE_CIPHER_SPEC ||
        peek->record_type > SSL3_RT_APPLICATION_DATA) {
        peek->state = OFF; /* this is not TLS, or an SSLv2 ClientHello, which is short */
    } else if (peek->state == AFTER) {
        return peek->record_type == SSL3_RT_HANDSHAKE ? SC_HELLO_NOT_ALONE : SC_HELLO_FINE;
    } else if (++peek->records > SC_HELLO_MAX_RECORDS) {
        return SC_HELLO_TOO_MANY_RECORDS;
    }
    return SC_HELLO_FINE;
}

/* The header of a message is there. */
static enum sc_hello_verdict begin_message(struct sc_hello_peek *peek)
{
    const uint8_t *header = peek->message_header;
    peek->message_left = (uint32_t)header[1] << 16 | (uint32_t)header[2] << 8 | header[3];
    if (header[0] != SSL3_MT_CLIENT_HELLO) {
        peek->state = OFF; /* OpenSSL expects nothing else and refuses it by this header */
    } else if (peek->message_left > SC_HELLO_MAX_BYTES) {
        return SC_HELLO_TOO_LONG;
    }
    return SC_HELLO_FINE;
}

/* As much of a header as is there. Returns how many bytes that took. */
static size_t collect(uint8_t *header, uint8_t *have, size_t size, const uint8_t *bytes,
                      size_t length)
{
    const size_t missing = size - *have;
    const size_t count = length < missing ? length : missing;
    memcpy(header + *have, bytes, count);
    *have = (uint8_t)(*have + count);
    return count;
}

/* Of the content of a record of type handshake. Returns how many bytes were looked at. */
static size_t take_message(struct sc_hello_peek *peek, const uint8_t *bytes, size_t length,
                           enum sc_hello_verdict *verdict)
{
    size_t count;
    if (peek->message_have < sizeof(peek->message_header)) {
        count = collect(peek->message_header, &peek->message_have, sizeof(peek->message_header),
                        bytes, length);
        if (peek->message_have < sizeof(peek->message_header)) {
            return count;
        }
        *verdict = begin_message(peek);
    } else {
        count = length < peek->message_left ? length : peek->message_left;
        peek->message_left -= (uint32_t)count;
    }
    if (peek->state == HELLO && peek->message_left == 0) {
        peek->state = AFTER;
        if (count < peek->record_left) {
            *verdict = SC_HELLO_NOT_ALONE;
        }
    }
    return count;
}

enum sc_hello_verdict sc_hello_peek_take(struct sc_hello_peek *peek, const void *bytes,
                                         size_t length)
{
    const uint8_t *at = bytes;
    enum sc_hello_verdict verdict = SC_HELLO_FINE;
    while (length > 0 && peek->state != OFF && verdict == SC_HELLO_FINE) {
        size_t count = length < peek->record_left ? length : peek->record_left;
        if (peek->record_left == 0) {
            count = collect(peek->header, &peek->have, sizeof(peek->header), at, length);
            if (peek->have == sizeof(peek->header)) {
                verdict = begin_record(peek);
            }
        } else {
            if (peek->record_type == SSL3_RT_HANDSHAKE) {
                count = take_message(peek, at, count, &verdict);
            }
            peek->record_left = (uint16_t)(peek->record_left - count);
        }
        at += count;
        length -= count;
    }
    return verdict;
}

struct sc_hello_refusal sc_hello_refusal(enum sc_hello_verdict verdict)
{
    switch (verdict) {
    case SC_HELLO_TOO_LONG:
        return (struct sc_hello_refusal){SSL_AD_ILLEGAL_PARAMETER,
                                         ERR_PACK(ERR_LIB_SSL, 0, SSL_R_EXCESSIVE_MESSAGE_SIZE)};
    case SC_HELLO_TOO_MANY_RECORDS:
        return (struct sc_hello_refusal){SSL_AD_UNEXPECTED_MESSAGE,
                                         ERR_PACK(ERR_LIB_SSL, 0, SSL_R_RECORD_TOO_SMALL)};
    default:
        return (struct sc_hello_refusal){SSL_AD_UNEXPECTED_MESSAGE,
                                         ERR_PACK(ERR_LIB_SSL, 0, SSL_R_UNEXPECTED_MESSAGE)};
    }
}
