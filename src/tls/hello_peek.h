/* SPDX-License-Identifier: MIT */
/*
 * Follows the headers of a client's first message as the bytes arrive, before OpenSSL sees them. A
 * ClientHello is refused from its first bytes when it announces more than 16 KiB (OpenSSL takes
 * 128, and makes room for them at once), when it comes in more records than any client needs (each
 * costs as much as a short message), or when a message follows it before the server has answered.
 * Anything else that is wrong is left to OpenSSL. Thread: any.
 */
#ifndef SC_TLS_HELLO_PEEK_H
#define SC_TLS_HELLO_PEEK_H

#include <stddef.h>
#include <stdint.h>

#define SC_HELLO_MAX_BYTES (16U << 10)
#define SC_HELLO_MAX_RECORDS 32U

/* All of a ClientHello: the message and the headers of its records. */
#define SC_HELLO_MAX_WIRE_BYTES (SC_HELLO_MAX_BYTES + 4U + SC_HELLO_MAX_RECORDS * 5U)

enum sc_hello_verdict {
    SC_HELLO_FINE,
    SC_HELLO_TOO_LONG,
    SC_HELLO_TOO_MANY_RECORDS,
    SC_HELLO_NOT_ALONE, /* another message follows it */
    SC_HELLO_VERDICT_COUNT
};

/* Zero-initialised: nothing is looked at. */
struct sc_hello_peek {
    uint32_t message_left; /* bytes of the ClientHello that have not come */
    uint16_t record_left;
    uint8_t state;
    uint8_t records;
    uint8_t record_type;
    uint8_t have; /* bytes of the header at hand, of record or message */
    uint8_t message_have;
    uint8_t header[5], message_header[4];
};

/* A ClientHello comes next: the first, or another one after a HelloRetryRequest. */
void sc_hello_peek_start(struct sc_hello_peek *peek);

/* The server has answered: what follows is not looked at. */
void sc_hello_peek_stop(struct sc_hello_peek *peek);

/* The next bytes from the client. Each byte is looked at once; cheap when there is nothing to do.
 */
enum sc_hello_verdict sc_hello_peek_take(struct sc_hello_peek *peek, const void *bytes,
                                         size_t length);

/* The alert for the client (SSL_AD_*), and what the log says: an error code as of OpenSSL. */
struct sc_hello_refusal {
    uint8_t alert;
    unsigned long error_code;
};
struct sc_hello_refusal sc_hello_refusal(enum sc_hello_verdict verdict);

#endif
