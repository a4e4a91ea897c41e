/* SPDX-License-Identifier: MIT */
/*
 * libspacecaptain: the client of a Space Captain server.
 *
 * It speaks TLS 1.2 or 1.3 to one server, trusts that server by a pin and by nothing else, sends
 * requests and gives their replies in order. A whole program:
 *
 *     #include <stdio.h>
 *     #include <spacecaptain/client.h>
 *
 *     int main(void)
 *     {
 *         struct sc_client_error error = SC_CLIENT_ERROR_INIT;
 *         struct sc_client_reply reply = SC_CLIENT_REPLY_INIT;
 *         struct sc_client_settings *settings = sc_client_settings_new(NULL, &error);
 *         struct sc_client *client = NULL;
 *         int status = 1;
 *         if (settings && sc_client_settings_add_pin(settings, "server.crt", &error) == 0 &&
 *             (client = sc_client_connect(settings, "localhost:4242", &error)) != NULL &&
 *             sc_client_call(client, SC_CLIENT_ECHO, "hello", 5, &reply, &error) == 0) {
 *             printf("%.*s\n", (int)reply.length, (const char *)reply.body);
 *             status = 0;
 *         } else {
 *             fprintf(stderr, "%s\n", error.text);
 *         }
 *         sc_client_free(client);
 *         sc_client_settings_free(settings);
 *         return status;
 *     }
 *
 * Errors, replies, events and the facts of a connection are in <spacecaptain/client_types.h>,
 * which this file includes. Structs with a member `size` are set up by their ..._INIT macro. In C++
 * two of them need the word `struct`, since functions have their names: sc_client_info and
 * sc_client_stored_pin.
 *
 * There are three ways to drive a connection; the first two may be mixed:
 *
 *   blocking        sc_client_connect(), sc_client_call(): each call has a deadline
 *   non-blocking    sc_client_start(), then sc_client_fd(), sc_client_events(),
 *                   sc_client_timeout_ms(), sc_client_process(), sc_client_next_event() in any
 *                   event loop; <spacecaptain/client_libevent.h> does it for libevent
 *   your own bytes  struct sc_client_engine: ciphertext in, ciphertext out, no descriptor and no
 *                   clock; for a transport of your own
 *
 * Results: a function returns 0, or a pointer, and -1, or NULL, on failure; then *error says what
 * failed and why, in one line, and error->code is the exit status that sc-client(1) has for it: an
 * enum sc_client_code, of which the comments below name those that a function has of its own.
 * Running out of memory is SC_CLIENT_SYSTEM everywhere. An `error` may be NULL. Other pointers may
 * be NULL only where that is said. What a function is given it copies or reads in the call, and
 * does not keep; what it returns is the caller's to free where a ..._free() is named.
 *
 * The library prints nothing, never exits, raises or handles no signal (SIGPIPE included), and
 * calls nothing back. Names are looked up in a thread of its own, which can outlive the connection:
 * do not dlclose() the library. It has no global state: objects of one connection belong to one
 * thread at a time, different connections may be used in different threads at once, and they may
 * share settings. After fork(2) one of the two processes goes on with a connection; the other must
 * not even free it, since that would end it for both.
 *
 * Times are milliseconds. Sizes are bytes.
 */
#ifndef SPACECAPTAIN_CLIENT_H
#define SPACECAPTAIN_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include <spacecaptain/client_types.h>

#ifdef __cplusplus
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow" /* functions that have the names of structs */
#endif
extern "C" {
#endif

#if defined(__GNUC__)
#define SC_CLIENT_API __attribute__((visibility("default")))
#define SC_CLIENT_NODISCARD __attribute__((warn_unused_result))
#else
#define SC_CLIENT_API
#define SC_CLIENT_NODISCARD
#endif

/* --- Settings --- */

/*
 * What connections have in common. To be filled in first and then used by any number of
 * connections, in any threads; they keep it alive, so that it may be freed before them. Every
 * ..._set_...() and ..._add_...() but sc_client_settings_set_session() fails with SC_CLIENT_USAGE
 * once a connection was made with it, and changes nothing when it fails.
 */
struct sc_client_settings;

/*
 * `tls_library` is "openssl", "mbedtls" where the library was built with it, or NULL for the
 * default, "openssl". Mbed TLS (2.28) has TLS 1.2 alone, and takes RSA keys and those on P-256,
 * P-384 and P-521, not Ed25519, in certificates of 16 KiB together. To be freed with
 * sc_client_settings_free(). NULL on failure: SC_CLIENT_USAGE, unknown library.
 */
SC_CLIENT_API struct sc_client_settings *
sc_client_settings_new(const char *tls_library, struct sc_client_error *error) SC_CLIENT_NODISCARD;
SC_CLIENT_API void sc_client_settings_free(struct sc_client_settings *settings); /* or NULL */

/* Another TLS library for what is set already. Errors as above, and those of what is set. */
SC_CLIENT_API int
sc_client_settings_set_tls_library(struct sc_client_settings *settings, const char *tls_library,
                                   struct sc_client_error *error) SC_CLIENT_NODISCARD;

/*
 * Adds what one PIN argument of sc-client(1) names: a PEM file of certificates, "sha256//BASE64",
 * "cert-sha256:HEX", "ca:FILE", or another of its forms. The server must match one of the pins, and
 * without any there is no connection. SC_CLIENT_USAGE: not a pin; its file: SC_CLIENT_NO_INPUT, it
 * cannot be read; SC_CLIENT_BAD_DATA, it holds no certificate.
 */
SC_CLIENT_API int sc_client_settings_add_pin(struct sc_client_settings *settings, const char *pin,
                                             struct sc_client_error *error) SC_CLIENT_NODISCARD;

/* What to do with a server of which the pin store has no pin. */
enum sc_client_first_use {
    SC_CLIENT_FIRST_USE_REFUSE, /* SC_CLIENT_UNTRUSTED, with its key in the error */
    SC_CLIENT_FIRST_USE_STORE /* its key is stored, before any request is sent */
};

/*
 * Keeps pins in a file (see "Pin store" below), NULL:
 * ${XDG_STATE_HOME:-~/.local/state}/space-captain/known_pins. A server is trusted when it matches
 * one of the pins that are stored for it, or one of sc_client_settings_add_pin(). `first_use`, an
 * enum sc_client_first_use, decides only when there is neither. The file is read when a connection
 * is made, and what is wrong with it makes that fail.
 *
 * `address` is the one that a server is stored under; NULL: that of sc_client_start() or
 * sc_client_connect(). sc_client_start_fd() and sc_client_engine_new() need one. SC_CLIENT_USAGE:
 * the path, the address or `first_use` is wrong.
 */
SC_CLIENT_API int
sc_client_settings_set_pin_store(struct sc_client_settings *settings, const char *path,
                                 const char *address, int first_use,
                                 struct sc_client_error *error) SC_CLIENT_NODISCARD;

/* Not 0: a pinned certificate outside its dates is refused, SC_CLIENT_UNTRUSTED. Default 0. */
SC_CLIENT_API int sc_client_settings_set_strict_expiry(struct sc_client_settings *settings, int on,
                                                       struct sc_client_error *error);

/*
 * Not 0: connections accept any server, so that sc_client_info() can say what it is, and send no
 * request: for looking at a server before it is trusted. They need no pin. Default 0.
 */
SC_CLIENT_API int sc_client_settings_set_inspect(struct sc_client_settings *settings, int on,
                                                 struct sc_client_error *error);

/*
 * How long the connect, the handshake and each reply may take: 1 to 86,400,000 milliseconds,
 * default 10,000. SC_CLIENT_USAGE: another number.
 */
SC_CLIENT_API int sc_client_settings_set_timeout(struct sc_client_settings *settings, uint32_t ms,
                                                 struct sc_client_error *error);

/*
 * What happens when a connection of sc_client_start() or sc_client_connect() is lost. `ms` 0, the
 * default: it ends. Else, up to 86,400,000 milliseconds: another one is made, which resumes the TLS
 * session and whose pins are checked likewise, and the requests without a reply are sent again, in
 * order, from copies that are kept until then. So a request can reach the server twice: use it only
 * where that does no harm, as with ECHO, REVERSE, TIME and PINS. SC_CLIENT_USAGE: a larger number.
 *
 * Before the first attempt it waits 50 to 100 ms, at random, then twice as long each time, up to
 * 3 s; and at least as long as the server asked for, up to a minute. The attempts end `ms` after
 * the first of these waits; a loss before the next reply does not extend that. Without a request to
 * be answered no attempt is made: sc_client_send() connects again.
 *
 * A connection is lost when it ends with a temporary error after its READY, unless that error is a
 * reply that was not in time. The first connect is never repeated.
 */
SC_CLIENT_API int sc_client_settings_set_retry(struct sc_client_settings *settings, uint32_t ms,
                                               struct sc_client_error *error);

/*
 * The client's own certificate (PEM, leaf first) and private key (PEM), which may be one file; both
 * NULL: none, the default. `passphrase` decrypts the key; NULL: an encrypted key is refused. The
 * files are read at once. SC_CLIENT_USAGE: one path alone; SC_CLIENT_NO_INPUT: a file cannot be
 * read; SC_CLIENT_BAD_DATA: its content.
 */
SC_CLIENT_API int sc_client_settings_set_certificate(
    struct sc_client_settings *settings, const char *certificate_path, const char *key_path,
    const char *passphrase, struct sc_client_error *error) SC_CLIENT_NODISCARD;

/*
 * Appends the TLS secrets of every connection to this file, made with mode 0600, in the format of
 * SSLKEYLOGFILE, for debugging; NULL: it does not, the default. SC_CLIENT_CANT_CREATE: the file
 * cannot be made or opened. What cannot be written later is lost.
 */
SC_CLIENT_API int sc_client_settings_set_key_log(struct sc_client_settings *settings,
                                                 const char *path,
                                                 struct sc_client_error *error) SC_CLIENT_NODISCARD;

/* --- A connection over a socket --- */

/*
 * A connection to one server, or one after the other (sc_client_settings_set_retry()). An `address`
 * is "HOST:PORT", "[V6]:PORT", "unix:/path", or a host alone (port 4242); HOST is also the name
 * that the server is asked for (RFC 6066, section 3). The settings must hold a pin, a pin store or
 * sc_client_settings_set_inspect().
 *
 * Making one fails with SC_CLIENT_USAGE, the address; SC_CLIENT_UNTRUSTED, no pin; or out of
 * memory. All else that can fail is reported by END.
 */
struct sc_client;

/*
 * Connects, does the handshake and checks the pins: returns when requests can be sent. Each of
 * looking up the name and connecting, and of the handshake, takes the timeout of the settings at
 * the most. To be freed with sc_client_free(). NULL on failure: the errors above, or that of the
 * END.
 */
SC_CLIENT_API struct sc_client *
sc_client_connect(struct sc_client_settings *settings, const char *address,
                  struct sc_client_error *error) SC_CLIENT_NODISCARD;

/*
 * Sends one request and waits for its reply. Other events that come before it are dropped: replies
 * to earlier requests, SC_CLIENT_EVENT_PINS, and LOST with the READY after it.
 * 0: *reply is set, also when the server answered ERROR (reply->error_code); its body is valid
 * until the next call. -1: the connection has ended, and only sc_client_free() is of use; or the
 * request was not sent, and the connection is as before: the errors of sc_client_send().
 */
SC_CLIENT_API int sc_client_call(struct sc_client *client, uint32_t type, const void *body,
                                 size_t length, struct sc_client_reply *reply,
                                 struct sc_client_error *error) SC_CLIENT_NODISCARD;

/*
 * Waits for the next event, at most `timeout_ms` milliseconds (0: does not wait, -1: as long as the
 * deadlines of the connection let it). 1: *event is set; 0: nothing has happened, or there is
 * nothing to wait for: END has been reported, or LOST, and no request waits for a connection. It
 * never fails: a failure of the connection is an event.
 */
SC_CLIENT_API int sc_client_wait(struct sc_client *client, int timeout_ms,
                                 struct sc_client_event *event);

/*
 * Begins to connect and returns at once; READY or END reports the result. Driven by
 * sc_client_process(), or by sc_client_wait(). To be freed with sc_client_free(). NULL on failure:
 * the errors above.
 */
SC_CLIENT_API struct sc_client *sc_client_start(struct sc_client_settings *settings,
                                                const char *address,
                                                struct sc_client_error *error) SC_CLIENT_NODISCARD;

/*
 * The same over a connected stream socket (of a socketpair(2), say), which the connection makes
 * non-blocking, takes over, and closes; on failure it stays the caller's. `host`: as of an engine.
 * SC_CLIENT_USAGE: `fd` is not a stream socket.
 */
SC_CLIENT_API struct sc_client *
sc_client_start_fd(struct sc_client_settings *settings, int fd, const char *host,
                   struct sc_client_error *error) SC_CLIENT_NODISCARD;

/*
 * What to wait for: the descriptor, -1: there is none; the events of poll(2), which are POLLIN,
 * POLLOUT, both, or 0; and in how many milliseconds sc_client_process() must be called all the
 * same, -1: never. To be asked again after each sc_client_process() and the events that follow it:
 * but between READY and the next LOST or END these calls can close the descriptor and open another
 * one, which may have the same number.
 */
SC_CLIENT_API int sc_client_fd(const struct sc_client *client);
SC_CLIENT_API short sc_client_events(const struct sc_client *client);
SC_CLIENT_API int sc_client_timeout_ms(const struct sc_client *client);

/*
 * Reads and writes what it can without waiting. Then sc_client_next_event() is to be called until
 * it returns 0 (1: *event is set). Requests that were sent outside of that loop leave at the next
 * sc_client_process(), which POLLOUT asks for.
 */
SC_CLIENT_API void sc_client_process(struct sc_client *client);
SC_CLIENT_API int sc_client_next_event(struct sc_client *client, struct sc_client_event *event);

/*
 * Queues a request; `body` is copied, and may be NULL when `length` is 0. Returns its number,
 * counted from 1, or -1: SC_CLIENT_USAGE before the first READY, after a close or END, with type 0,
 * or with a body above SC_CLIENT_MAX_BODY; SC_CLIENT_SYSTEM when sc_client_is_full(), or out of
 * memory.
 */
SC_CLIENT_API int64_t sc_client_send(struct sc_client *client, uint32_t type, const void *body,
                                     size_t length, struct sc_client_error *error);
/* 1: SC_CLIENT_MAX_REQUESTS or SC_CLIENT_MAX_REQUEST_BYTES are without a reply; else 0. */
SC_CLIENT_API int sc_client_is_full(const struct sc_client *client);
/* How many requests have no reply yet. */
SC_CLIENT_API size_t sc_client_unanswered(const struct sc_client *client);

/*
 * Gives up the requests without a reply: they are neither answered nor sent again. If there are
 * any, the connection is closed, too. With sc_client_settings_set_retry() the next request makes
 * another one, not sooner than if it had been lost; without it END follows.
 */
SC_CLIENT_API void sc_client_cancel(struct sc_client *client);

/*
 * Ends the connection with close_notify (RFC 8446, section 6.1); requests without a reply are given
 * up. END follows within a second, with a pin store within two. Its error says that the server has
 * refused this client, if it did so before it answered a request.
 */
SC_CLIENT_API void sc_client_close(struct sc_client *client);

/* 0: *info is set. -1: before READY, and while there is no connection. */
SC_CLIENT_API int sc_client_info(const struct sc_client *client, struct sc_client_info *info);

/* At once; close_notify is sent if that takes no waiting. */
SC_CLIENT_API void sc_client_free(struct sc_client *client); /* or NULL */

/* --- A connection over bytes of your own --- */

/*
 * The same without descriptor and clock. The loop of its owner:
 *
 *     take what sc_client_engine_output() gives, send it, and say so with sc_client_engine_sent(),
 *     before what came after it is given: a reply to what was not sent breaks the protocol;
 *     give what arrived to sc_client_engine_receive(), which takes a part when its memory is full;
 *     call sc_client_engine_next_event() until there is none, then both of the above again;
 *     call sc_client_engine_tick() when the time of sc_client_engine_deadline() has come.
 *
 * `now_ms` is any clock of the owner's in milliseconds that does not go back.
 */
struct sc_client_engine;

/*
 * `host`: the name that the server is asked for (RFC 6066, section 3) and that "ca:" pins check;
 * NULL or "": none. To be freed with sc_client_engine_free(). NULL on failure: SC_CLIENT_UNTRUSTED,
 * no pin; the errors of the pin store.
 */
SC_CLIENT_API struct sc_client_engine *
sc_client_engine_new(struct sc_client_settings *settings, const char *host, uint64_t now_ms,
                     struct sc_client_error *error) SC_CLIENT_NODISCARD;
SC_CLIENT_API void sc_client_engine_free(struct sc_client_engine *engine); /* or NULL */

/* Bytes to send, and how many; valid until the next call on the engine. Also after END. */
SC_CLIENT_API size_t sc_client_engine_output(struct sc_client_engine *engine, const void **bytes);
/* So many of them, from the first one on, are sent. */
SC_CLIENT_API void sc_client_engine_sent(struct sc_client_engine *engine, size_t count);

/* Returns how many of the bytes were taken: fewer than `count` until events are fetched. */
SC_CLIENT_API size_t sc_client_engine_receive(struct sc_client_engine *engine, const void *bytes,
                                              size_t count);
/* Nothing more will come; `error_number` is the errno of a failed transport, 0: it has ended. */
SC_CLIENT_API void sc_client_engine_receive_end(struct sc_client_engine *engine, int error_number);

/* 1: *event is set; 0: nothing has happened. */
SC_CLIENT_API int sc_client_engine_next_event(struct sc_client_engine *engine, uint64_t now_ms,
                                              struct sc_client_event *event);

/* 1: *at_ms is set, in the owner's clock; 0: there is no deadline. */
SC_CLIENT_API int sc_client_engine_deadline(const struct sc_client_engine *engine, uint64_t *at_ms);
/* Ends what has not come by its deadline, as the next event says; before that it does nothing. */
SC_CLIENT_API void sc_client_engine_tick(struct sc_client_engine *engine, uint64_t now_ms);

/* As for a connection over a socket. */
SC_CLIENT_API int64_t sc_client_engine_send(struct sc_client_engine *engine, uint32_t type,
                                            const void *body, size_t length, uint64_t now_ms,
                                            struct sc_client_error *error);
SC_CLIENT_API int sc_client_engine_is_full(const struct sc_client_engine *engine);
SC_CLIENT_API size_t sc_client_engine_unanswered(const struct sc_client_engine *engine);
SC_CLIENT_API void sc_client_engine_close(struct sc_client_engine *engine, uint64_t now_ms);
SC_CLIENT_API int sc_client_engine_info(const struct sc_client_engine *engine,
                                        struct sc_client_info *info);

/* --- Pins that change --- */

/* What a reply to SC_CLIENT_PINS says: SHA-256 of public keys, as sc_client_info.key_pin. */
struct sc_client_pins {
    size_t size;
    uint8_t current[32]; /* of the key of this connection */
    uint8_t next[32]; /* of the key that comes after it; zeros: none is announced */
    int has_next;
    int proven; /* the server has shown on this connection that it has the next key */
    const char *scheme; /* of the proof: "ecdsa_secp256r1_sha256", ...; "none". Static */
    char reason[128]; /* why the next key is not proven; "" when it is, or there is none */
};
/* clang-format off */
#define SC_CLIENT_PINS_INIT \
    {sizeof(struct sc_client_pins), {0}, {0}, 0, 0, NULL, {0}}
/* clang-format on */

/*
 * Reads the body of a reply to SC_CLIENT_PINS that has come on this connection, and checks the
 * proof (RFC 8446, section 7.5, or RFC 5705: keying material of this connection is signed). Only a
 * next pin that is proven may be trusted later, and only when a pin, and not
 * sc_client_settings_set_inspect(), has matched this connection. SC_CLIENT_PROTOCOL: malformed, or
 * the current key is not the one of this connection; SC_CLIENT_UNTRUSTED: the same on a resumed
 * connection, whose session is from before the server changed its key; SC_CLIENT_USAGE: before
 * READY or after END.
 */
SC_CLIENT_API int sc_client_read_pins(struct sc_client *client, const void *body, size_t length,
                                      struct sc_client_pins *pins,
                                      struct sc_client_error *error) SC_CLIENT_NODISCARD;
SC_CLIENT_API int sc_client_engine_read_pins(struct sc_client_engine *engine, const void *body,
                                             size_t length, struct sc_client_pins *pins,
                                             struct sc_client_error *error) SC_CLIENT_NODISCARD;

/* --- Pin store --- */

/*
 * A text file with a line for each pin of a server: host, port, pin, since when, how it was learnt.
 * It is made with mode 0600 and replaced as a whole, under a lock; any number of processes may use
 * it at once. It is refused (SC_CLIENT_BAD_DATA) when it belongs to another user but root, when
 * others can write it, when it is a symbolic link, and when a line is wrong.
 *
 * Over a connection that a stored pin has authenticated, in a handshake that is not resumed, the
 * library asks for PINS before anything else and stores the next key, if the server has proven it.
 * When the server uses it, the pins before it are dropped. A server that a pin of
 * sc_client_settings_add_pin() has matched is stored with its key, which replaces what was stored
 * for it; "ca:" pins store nothing. SC_CLIENT_EVENT_PINS reports it. sc_client_close() waits for
 * that reply, a second at the most.
 *
 * The file is read and written in the calls that connect and that take events, and its lock is
 * waited for there, ten seconds at the most. Errors: SC_CLIENT_BAD_DATA it is refused;
 * SC_CLIENT_NO_INPUT it cannot be read; SC_CLIENT_CANT_CREATE it cannot be made or locked;
 * SC_CLIENT_CANT_WRITE, as on a full disk: then the old one stays.
 */
struct sc_client_stored_pin {
    size_t size;
    uint8_t pin[32];
    unsigned line; /* of the file, counted from 1 */
    char path[512]; /* of the file; cut when it does not fit */
};
/* clang-format off */
#define SC_CLIENT_STORED_PIN_INIT \
    {sizeof(struct sc_client_stored_pin), {0}, 0, {0}}
/* clang-format on */

/*
 * Pin number `index`, from 0, of a server in a store (`path` as of
 * sc_client_settings_set_pin_store()). 1: *out is set; 0: there are no more, or no file; -1:
 * SC_CLIENT_USAGE, the path or the address; SC_CLIENT_BAD_DATA, SC_CLIENT_NO_INPUT. Thread: any.
 */
SC_CLIENT_API int sc_client_stored_pin(const char *path, const char *address, unsigned index,
                                       struct sc_client_stored_pin *out,
                                       struct sc_client_error *error) SC_CLIENT_NODISCARD;

/*
 * Stores the pin of a server, after somebody has confirmed it; `how` is a word of small letters and
 * dashes, at most 15, for the file. SC_CLIENT_PIN: other pins of it are stored, which stay;
 * SC_CLIENT_USAGE: the path, the address or `how`; else as above. Thread: any.
 */
SC_CLIENT_API int sc_client_store_pin(const char *path, const char *address, const uint8_t pin[32],
                                      const char *how,
                                      struct sc_client_error *error) SC_CLIENT_NODISCARD;

/* --- Sessions --- */

/*
 * The TLS session of the connection (RFC 8446, section 2.2; RFC 5077), to be resumed by another
 * one: bytes that hold secrets and a digest of the pins that it was made under. Servers send it
 * after the handshake, so ask late: 0 when there is none yet. Returns the size, at most 64 KiB;
 * writes nothing when `room` is smaller, and then `out` may be NULL.
 */
SC_CLIENT_API size_t sc_client_session(const struct sc_client *client, void *out, size_t room);
SC_CLIENT_API size_t sc_client_engine_session(const struct sc_client_engine *engine, void *out,
                                              size_t room);

/*
 * Offers a session to the next connections. With other pins than the settings have, from another
 * TLS library, or out of date it is not used, which is not a failure. `bytes` NULL: none. May be
 * called at any time, from any thread. SC_CLIENT_BAD_DATA: not a session.
 */
SC_CLIENT_API int sc_client_settings_set_session(struct sc_client_settings *settings,
                                                 const void *bytes, size_t count,
                                                 struct sc_client_error *error);

/* --- The library --- */

/* The version of the library that runs, "0.1.0", and of the TLS library of this name (NULL: there
 * is none of that name). Static. */
SC_CLIENT_API const char *sc_client_version(void);
SC_CLIENT_API const char *sc_client_tls_version(const char *tls_library);

#ifdef __cplusplus
}
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif
#endif

#endif
