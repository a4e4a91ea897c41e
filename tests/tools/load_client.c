/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "load_client.h"

#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/clock.h"
#include "proto/frame.h"

#define MAX_BODY 65536U
#define BATCH_BYTES (160U << 10)
#define OUT_BYTES (BATCH_BYTES + SC_FRAME_HEADER_BYTES + MAX_BODY)
#define IN_BYTES (2 * (SC_FRAME_HEADER_BYTES + MAX_BODY))
#define TAG_BYTES 16U
#define TIME_BYTES 27U
#define MAX_READS_A_PASS 8U
/* Without a pause the load takes all processors from the other tests. */
#define PAUSE_NS UINT64_C(1000000000)

/* --- Bodies: a function of client and number --- */

static uint64_t mix(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void fill_body(const struct load_client *client, const struct load_request *request,
                      uint8_t *body)
{
    const uint64_t tag[2] = {client->index, request->number};
    uint64_t state = (uint64_t)client->index << 40 ^ request->number;
    for (size_t at = 0; at < request->size; at += sizeof(state)) {
        const uint64_t value = mix(&state);
        const size_t left = request->size - at;
        memcpy(body + at, &value, left < sizeof(value) ? left : sizeof(value));
    }
    if (request->size >= TAG_BYTES) {
        memcpy(body, tag, TAG_BYTES);
    }
}

static void reverse(uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        const uint8_t byte = bytes[i];
        bytes[i] = bytes[count - 1 - i];
        bytes[count - 1 - i] = byte;
    }
}

/* The request that a reply with a wrong body belongs to. False: it can't be told. */
static bool number_of(const struct load_client *client, const struct sc_frame_header *header,
                      const uint8_t *body, uint64_t *number)
{
    uint8_t bytes[TAG_BYTES];
    uint64_t tag[2];
    if (header->length < TAG_BYTES || header->type == SC_FRAME_TIME) {
        return false;
    }
    memcpy(bytes, header->type == SC_FRAME_REVERSE ? body + header->length - TAG_BYTES : body,
           TAG_BYTES);
    if (header->type == SC_FRAME_REVERSE) {
        reverse(bytes, TAG_BYTES);
    }
    memcpy(tag, bytes, TAG_BYTES);
    *number = tag[1];
    return tag[0] == client->index;
}

/* --- Requests --- */

static uint32_t choose_size(uint64_t random)
{
    static const uint32_t limits[] = {1, 64, 200, 200, 1500, 4096, 20000, MAX_BODY};
    const uint32_t limit = limits[random % SC_COUNT_OF(limits)];
    const bool is_at_a_limit = random >> 8 & 1;
    return is_at_a_limit ? limit : (uint32_t)((random >> 16) % limit);
}

static void add_request(struct load_client *client)
{
    static const uint32_t types[] = {SC_FRAME_ECHO, SC_FRAME_REVERSE, SC_FRAME_ECHO,
                                     SC_FRAME_REVERSE, SC_FRAME_TIME};
    const uint64_t random = mix(&client->random);
    struct load_request *request =
        &client->waiting[(client->first + client->count++) % SC_COUNT_OF(client->waiting)];
    request->type = types[(random >> 48) % SC_COUNT_OF(types)];
    request->size = choose_size(random);
    request->number = client->next_number++;
    sc_frame_put_header(client->out + client->out_used, request->type, request->size);
    fill_body(client, request, client->out + client->out_used + SC_FRAME_HEADER_BYTES);
    client->out_used += SC_FRAME_HEADER_BYTES + request->size;
    request->end = client->sent + (client->out_used - client->out_sent);
}

bool load_client_is_due(const struct load_client *client)
{
    return client->stopping || sc_clock_ns() >= client->due_ns;
}

/* A new batch when half of the last is answered. */
static void add_requests(struct load_client *client)
{
    if (!load_client_is_due(client) || client->silent || client->reconnects || client->goodbye ||
        client->out_sent < client->out_used || client->count > LOAD_MAX_DEPTH / 2) {
        return;
    }
    const unsigned depth = 1 + (unsigned)(mix(&client->random) % (LOAD_MAX_DEPTH - client->count));
    client->due_ns = sc_clock_ns() + PAUSE_NS;
    client->out_used = 0;
    client->out_sent = 0;
    for (unsigned i = 0; i < depth && client->out_used < BATCH_BYTES; i++) {
        add_request(client);
    }
}

static void send_requests(struct load_client *client)
{
    while (client->out_sent < client->out_used) {
        const int count = peer_send_some(&client->peer, client->out + client->out_sent,
                                         client->out_used - client->out_sent);
        if (count < 0) {
            client->out_sent = client->out_used; /* how the connection ended is read, not written */
        }
        if (count <= 0) {
            return;
        }
        client->out_sent += (size_t)count;
        client->sent += (uint64_t)count;
    }
}

/* --- Replies --- */

static bool is_time(const struct load_client *client, const uint8_t *body, size_t length)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd.ddddddZ";
    if (length != TIME_BYTES || memcmp(body, client->last_time, TIME_BYTES) < 0) {
        return false;
    }
    for (size_t i = 0; i < TIME_BYTES; i++) {
        if (shape[i] == 'd' ? body[i] < '0' || body[i] > '9' : body[i] != (uint8_t)shape[i]) {
            return false;
        }
    }
    return true;
}

static bool is_right(struct load_client *client, const struct load_request *request,
                     const struct sc_frame_header *header, const uint8_t *body)
{
    static uint8_t expected[MAX_BODY];
    if (header->type != request->type) {
        return false;
    }
    if (header->type == SC_FRAME_TIME) {
        const bool right = is_time(client, body, header->length);
        memcpy(client->last_time, body, right ? TIME_BYTES : 0);
        return right;
    }
    fill_body(client, request, expected);
    if (header->type == SC_FRAME_REVERSE) {
        reverse(expected, request->size);
    }
    return header->length == request->size && memcmp(body, expected, request->size) == 0;
}

static void count_wrong(struct load_client *client, const struct load_request *request,
                        const struct sc_frame_header *header, const uint8_t *body)
{
    uint64_t number;
    const bool is_known = number_of(client, header, body, &number);
    const char *what = !is_known                              ? "wrong"
                       : !request || number < request->number ? "doubled"
                                                              : "lost or out of order";
    uint64_t *counter = !is_known        ? &client->tally->wrong
                        : what[0] == 'd' ? &client->tally->doubled
                                         : &client->tally->lost;
    fprintf(stderr, "load: client %u, request %llu: a reply of type %u and %u bytes is %s\n",
            client->index, (unsigned long long)(request ? request->number : client->next_number),
            header->type, header->length, what);
    ++*counter;
}

static bool take_goodbye(struct load_client *client, const struct sc_frame_header *header,
                         const uint8_t *body)
{
    struct load_tally *tally = client->tally;
    struct sc_frame_error error;
    if (!client->stopping || client->goodbye ||
        sc_frame_get_error(body, header->length, &error) != 0 ||
        error.code != SC_ERROR_GOING_AWAY || error.retry_after_ms == 0) {
        return false;
    }
    client->goodbye = true;
    client->out_sent = client->out_used;
    tally->soonest_ms = tally->goodbyes == 0 || error.retry_after_ms < tally->soonest_ms
                            ? error.retry_after_ms
                            : tally->soonest_ms;
    tally->latest_ms =
        error.retry_after_ms > tally->latest_ms ? error.retry_after_ms : tally->latest_ms;
    tally->goodbyes++;
    return true;
}

static void take_reply(struct load_client *client, const struct sc_frame_header *header,
                       const uint8_t *body)
{
    const struct load_request *request = client->count > 0 ? &client->waiting[client->first] : NULL;
    if (header->type == SC_FRAME_ERROR && take_goodbye(client, header, body)) {
        return;
    }
    if (client->goodbye || !request || !is_right(client, request, header, body)) {
        count_wrong(client, client->goodbye ? NULL : request, header, body);
    }
    if (request) {
        client->first = (client->first + 1) % SC_COUNT_OF(client->waiting);
        client->count--;
        client->answered = request->number + 1;
    }
    client->tally->replies++;
    client->tally->reply_bytes += header->length;
    client->replied_ns = sc_clock_ns();
    client->has_progressed = true;
}

static void take_replies(struct load_client *client)
{
    struct sc_frame_header header;
    size_t at = 0;
    while (sc_frame_peek(client->in + at, client->in_used - at, MAX_BODY, &header) ==
           SC_FRAME_COMPLETE) {
        take_reply(client, &header, client->in + at + SC_FRAME_HEADER_BYTES);
        at += SC_FRAME_HEADER_BYTES + header.length;
    }
    client->in_used -= at;
    memmove(client->in, client->in + at, client->in_used);
}

static void on_end(struct load_client *client, enum peer_end end)
{
    client->open = false;
    if (end == PEER_CLOSE_NOTIFY && client->in_used == 0) {
        client->tally->clean_ends++;
    } else {
        fprintf(stderr, "load: client %u: %s, with %zu bytes of a frame\n", client->index,
                peer_end_names[end], client->in_used);
    }
    const uint64_t lost =
        client->must_answer > client->answered ? client->must_answer - client->answered : 0;
    if (!client->goodbye || lost > 0) {
        fprintf(
            stderr,
            "load: client %u: left%s with %llu requests unanswered that had arrived, %u in all\n",
            client->index, client->goodbye ? "" : " without a word", (unsigned long long)lost,
            client->count);
    }
    client->tally->lost += client->goodbye ? lost : client->count;
    client->tally->too_late += client->goodbye ? client->count - lost : 0;
}

static void read_replies(struct load_client *client)
{
    enum peer_end end = PEER_EOF;
    for (unsigned i = 0; i < MAX_READS_A_PASS; i++) {
        const int count = peer_receive_some(&client->peer, client->in + client->in_used,
                                            IN_BYTES - client->in_used, &end);
        if (count < 0) {
            on_end(client, end);
        }
        if (count <= 0) {
            return;
        }
        client->in_used += (size_t)count;
        take_replies(client);
    }
}

/* --- Connections --- */

static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
    struct load_client *client = SSL_get_app_data(ssl);
    if (client) {
        SSL_SESSION_free(client->session);
        client->session = session;
    }
    return client != NULL;
}

SSL_CTX *load_context(bool tls12)
{
    static const unsigned char alpn[] = "\x0fspace-captain/1";
    SSL_CTX *made = peer_context(tls12, alpn, sizeof(alpn) - 1);
    SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(made, on_new_session);
    return made;
}

static void connect_client(struct load_client *client)
{
    peer_settings.context = client->context;
    peer_settings.session = client->session;
    client->peer = peer_open_tls();
    peer_settings.session = NULL;
    SSL_set_app_data(client->peer.ssl, client);
    if (SSL_version(client->peer.ssl) ==
        TLS1_2_VERSION) { /* its session came with the handshake, TLS 1.3's come later */
        SSL_SESSION_free(client->session);
        client->session = SSL_get1_session(client->peer.ssl);
    }
    client->peer.deadline_ns = UINT64_MAX; /* from here load.c checks for stalls */
    client->sent = 0;
    client->replied_ns = sc_clock_ns();
    client->open = true;
    client->reconnects = false;
}

void load_client_init(struct load_client *client, unsigned index, SSL_CTX *context,
                      struct load_tally *tally)
{
    *client =
        (struct load_client){.index = index, .context = context, .tally = tally, .random = index};
    client->out = malloc(OUT_BYTES);
    client->in = malloc(IN_BYTES);
    if (!client->out || !client->in) {
        peer_fail("out of memory");
    }
    connect_client(client);
}

void load_client_fini(struct load_client *client)
{
    peer_close(&client->peer);
    SSL_SESSION_free(client->session);
    free(client->out);
    free(client->in);
}

static void reconnect(struct load_client *client)
{
    SSL_shutdown(client->peer.ssl);
    peer_close(&client->peer);
    connect_client(client);
    client->tally->reconnected++;
    client->tally->resumed += SSL_session_reused(client->peer.ssl) ? 1 : 0;
}

void load_client_run(struct load_client *client)
{
    read_replies(client);
    if (client->open && client->reconnects && client->count == 0) {
        reconnect(client);
    }
    if (client->open) {
        add_requests(client);
        send_requests(client);
    }
}

bool load_client_wants_to_write(const struct load_client *client)
{
    return client->out_sent < client->out_used;
}

void load_client_expect_end(struct load_client *client)
{
    int under_way = 1;
    client->stopping = true;
    client->must_answer = client->answered;
    /* Only if the server's side has acknowledged every byte it is known what has arrived. */
    if (ioctl(client->peer.fd, SIOCOUTQ, &under_way) != 0 || under_way > 0) {
        return;
    }
    for (unsigned i = 0; i < client->count; i++) {
        const struct load_request *request =
            &client->waiting[(client->first + i) % SC_COUNT_OF(client->waiting)];
        if (request->end <= client->sent) {
            client->must_answer = request->number + 1;
            client->tally->arrived++;
        }
    }
}
