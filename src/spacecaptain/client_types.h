/* SPDX-License-Identifier: MIT */
/*
 * What calls of libspacecaptain return: errors, replies, events, and facts of a connection.
 * Included by <spacecaptain/client.h>, which is the manual.
 *
 * Structs with a member `size` are set up by their ..._INIT macro; the library writes no more of
 * them than that size, so that they can grow within a soname. What they point to belongs to the
 * connection, and is valid as long as is said here. Times are milliseconds, sizes are bytes.
 */
#ifndef SPACECAPTAIN_CLIENT_TYPES_H
#define SPACECAPTAIN_CLIENT_TYPES_H

#include <stddef.h>
#include <stdint.h>

/* --- Errors --- */

/* What failed. The numbers are the exit statuses of sc-client(1). */
enum sc_client_code {
    SC_CLIENT_OK = 0,
    SC_CLIENT_REFUSED = 1, /* the server answered ERROR and closed */
    SC_CLIENT_HANDSHAKE = 35, /* TLS failed */
    SC_CLIENT_UNTRUSTED = 60, /* no pin is known, or a certificate outside its dates is refused */
    SC_CLIENT_USAGE = 64, /* an argument is wrong, or a call does not fit the state */
    SC_CLIENT_BAD_DATA = 65, /* a file or a saved session has the wrong content */
    SC_CLIENT_NO_INPUT = 66, /* a file cannot be read */
    SC_CLIENT_UNAVAILABLE = 69, /* cannot connect, or the server went away */
    SC_CLIENT_SYSTEM = 71, /* out of memory or of descriptors */
    SC_CLIENT_CANT_CREATE = 73, /* a file cannot be made or locked */
    SC_CLIENT_CANT_WRITE = 74, /* a file cannot be written */
    SC_CLIENT_TIMEOUT = 75, /* a deadline has passed */
    SC_CLIENT_PROTOCOL = 76, /* the server broke the protocol */
    SC_CLIENT_PIN = 90 /* no pin matches the server: nothing was sent to it */
};

struct sc_client_error {
    size_t size;
    int code; /* enum sc_client_code; later versions may add some */
    uint32_t retry_after_ms; /* when the server asked to come back, 0: it did not */
    char text[768]; /* "what failed: why; the way out": one line of printable UTF-8, no newline. As
                       sc-client(1) prints it, whose options a way out may name */
    int temporary; /* the same may succeed later: the server is away, busy or silent, or the
                      system is short of memory or descriptors */
    /* Of SC_CLIENT_PIN, to be compared; else empty. Lines, with a newline between two. */
    char expected[1024]; /* the pins, "PIN" or "PIN (FILE)", "PIN (FILE:LINE)" of a pin store;
                            the last line may be "and N more" */
    char got[192]; /* the pin of the server's key, and that of its certificate */
    char key_type[32]; /* of SC_CLIENT_UNTRUSTED, when the pin store has no pin of the server:
                          "EC P-256"; then `got` is set, too. Else empty */
};
/* clang-format off */
#define SC_CLIENT_ERROR_INIT \
    {sizeof(struct sc_client_error), 0, 0, {0}, 0, {0}, {0}, {0}}
/* clang-format on */

/* --- What a connection says --- */

/* Types of requests (docs/protocol.md). Any other type is sent as well. */
enum { SC_CLIENT_ECHO = 1, SC_CLIENT_REVERSE = 2, SC_CLIENT_TIME = 3, SC_CLIENT_PINS = 4 };

/* Codes of the ERROR replies of a server. */
enum {
    SC_CLIENT_ERROR_UNKNOWN_TYPE = 1,
    SC_CLIENT_ERROR_BODY_TOO_LARGE = 2,
    SC_CLIENT_ERROR_GOING_AWAY = 3,
    SC_CLIENT_ERROR_OVER_LIMIT = 4,
    SC_CLIENT_ERROR_INTERNAL = 5
};

/* The answer to one request. */
struct sc_client_reply {
    size_t size;
    uint64_t request; /* which: the number that its call returned */
    uint32_t type; /* of the request */
    uint32_t error_code; /* 0; else the server answered ERROR, and `body` is its text as it came */
    uint32_t retry_after_ms; /* of an ERROR; 0: no advice */
    const uint8_t *body; /* valid until the next call on the connection; never NULL */
    size_t length;
    const char *error_text; /* of an ERROR: its text in printable UTF-8, valid as `body`; or NULL */
};
/* clang-format off */
#define SC_CLIENT_REPLY_INIT \
    {sizeof(struct sc_client_reply), 0, 0, 0, 0, NULL, 0, NULL}
/* clang-format on */

/* A connection whose handshake is done. Texts live until LOST, or as long as the object. */
struct sc_client_info {
    size_t size;
    const char *peer; /* the address that answered, "127.0.0.1:4242"; "" of an engine */
    const char *tls_library; /* "openssl" or "mbedtls" */
    const char *tls_version; /* "TLSv1.3" */
    const char *cipher; /* "TLS_AES_256_GCM_SHA384" */
    const char *group; /* "x25519"; "" when the handshake used none */
    int resumed;
    const char *pin; /* the one that matched, in a form that can be given again */
    int expired; /* the certificate is outside its dates */
    int64_t not_before, not_after; /* its dates, seconds since 1970 */
    uint8_t key_pin[32]; /* SHA-256 of the server's public key */
    uint8_t fingerprint[32]; /* SHA-256 of its certificate */
    uint64_t connect_ns, handshake_ns; /* 0 of an engine */
    int first_use; /* the pin store had no pin of the server, and now has that of its key */
    unsigned named; /* with a pin store: how many pins the request for PINS has named, 0 to 8 */
    uint8_t named_pins[256]; /* those, 32 bytes each: of the keys that this client would accept */
};
/* clang-format off */
#define SC_CLIENT_INFO_INIT \
    {sizeof(struct sc_client_info), NULL, NULL, NULL, NULL, NULL, 0, NULL, 0, 0, 0, {0}, {0}, 0, 0, \
     0, 0, {0}}
/* clang-format on */

enum sc_client_event_type {
    SC_CLIENT_EVENT_NONE, /* nothing has happened */
    SC_CLIENT_EVENT_READY, /* a pin has matched: requests may be sent. First, and after LOST */
    SC_CLIENT_EVENT_REPLY, /* the reply to the oldest request without one */
    SC_CLIENT_EVENT_END, /* the last one. `error->code` SC_CLIENT_OK: after a close of ours */
    SC_CLIENT_EVENT_LOST, /* no connection, `error` says why; only with
                             sc_client_settings_set_retry() */
    SC_CLIENT_EVENT_PINS /* after READY, and only with sc_client_settings_set_pin_store(): `error`
                            says what was learnt (SC_CLIENT_OK), or why nothing was. The
                            connection goes on */
};

struct sc_client_event {
    size_t size;
    int type; /* enum sc_client_event_type */
    const struct sc_client_reply *reply; /* of REPLY; valid until the next call */
    const struct sc_client_error
        *error; /* of END, valid as long as the object; of LOST, until READY; of PINS, as a reply */
    uint64_t unanswered; /* END, LOST: requests that were sent and not answered */
    int cut; /* END: the transport has ended or failed, and not TLS with close_notify */
    uint32_t wait_ms; /* LOST: how long until the next attempt, if a request waits for it */
};
/* clang-format off */
#define SC_CLIENT_EVENT_INIT \
    {sizeof(struct sc_client_event), 0, NULL, NULL, 0, 0, 0}
/* clang-format on */

/*
 * Requests that may be without a reply at a time, and bytes of their bodies: another request is
 * taken while there are fewer of both, whatever its own size.
 */
#define SC_CLIENT_MAX_REQUESTS 1024U
#define SC_CLIENT_MAX_REQUEST_BYTES (1U << 20)
/* The largest body of a request or a reply. */
#define SC_CLIENT_MAX_BODY (16U << 20)

#endif
