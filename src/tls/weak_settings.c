/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/weak_settings.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <openssl/ec.h>
#include <openssl/err.h>

#include "base/compiler.h"

#define GROUP_BITS 255 /* X25519; a curve of as many bits resists an attack of half of them */

static void add(struct sc_weak_settings *out, const char *fmt, ...) SC_PRINTF(2, 3);

static void add(struct sc_weak_settings *out, const char *fmt, ...)
{
    if (out->count < SC_WEAK_SETTINGS_MAX) {
        va_list args;
        va_start(args, fmt);
        (void)vsnprintf(out->text[out->count++], sizeof(out->text[0]), fmt, args);
        va_end(args);
    }
}

/* NULL: it is one that the defaults could have. */
static const char *weakness_of(const SSL_CIPHER *cipher)
{
    const int exchange = SSL_CIPHER_get_kx_nid(cipher);
    const int authentication = SSL_CIPHER_get_auth_nid(cipher);
    if (SSL_CIPHER_get_bits(cipher, NULL) == 0) {
        return "no encryption";
    }
    if (authentication == NID_auth_null) {
        return "no authentication";
    }
    if (exchange != NID_kx_ecdhe && exchange != NID_kx_dhe && exchange != NID_kx_any) {
        return "no forward secrecy";
    }
    if (SSL_CIPHER_get_bits(cipher, NULL) < 128 || strstr(SSL_CIPHER_get_name(cipher), "CCM8") ||
        strstr(SSL_CIPHER_get_name(cipher), "CCM_8")) {
        return "less than 128 bits";
    }
    return SSL_CIPHER_is_aead(cipher) ? NULL : "not an AEAD cipher";
}

static void check_ciphers(SSL_CTX *ssl_ctx, struct sc_weak_settings *out)
{
    const STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(ssl_ctx);
    const char *name = NULL, *why = NULL;
    int weak = 0;
    for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
        const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(ciphers, i);
        const char *weakness = weakness_of(cipher);
        if (weakness && weak++ == 0) {
            name = SSL_CIPHER_get_name(cipher);
            why = weakness;
        }
    }
    if (weak == 1) {
        add(out, "the cipher %s is allowed: %s", name, why);
    } else if (weak > 1) {
        add(out, "the cipher %s and %d more like it are allowed: %s", name, weak - 1, why);
    }
}

static bool is_weak_group(const char *name)
{
    int nid = EC_curve_nist2nid(name);
    nid = nid != NID_undef ? nid : OBJ_sn2nid(name);
    nid = nid != NID_undef ? nid : OBJ_ln2nid(name);
    EC_GROUP *group = nid != NID_undef ? EC_GROUP_new_by_curve_name(nid) : NULL;
    const bool weak = group && EC_GROUP_order_bits(group) < GROUP_BITS;
    EC_GROUP_free(group);
    ERR_clear_error();
    return weak || strcasecmp(name, "ffdhe2048") == 0;
}

/* OpenSSL does not say which groups a context has: the command does. */
static void check_groups(const struct sc_tls_command *command, struct sc_weak_settings *out)
{
    const char *next = command->value;
    while (*next) {
        char name[64];
        const size_t length = strcspn(next, ":");
        (void)snprintf(name, sizeof(name), "%.*s", (int)length, next);
        if (is_weak_group(name)) {
            add(out, "the group %s is allowed: weaker than X25519 and P-256", name);
        }
        next += length + (next[length] == ':');
    }
}

static void check_options(SSL_CTX *ssl_ctx, struct sc_weak_settings *out)
{
    static const struct {
        uint64_t option;
        bool when_set;
        const char *text;
    } options[] = {
        {SSL_OP_NO_COMPRESSION, false, "compression is allowed: it leaks what is encrypted"},
        {SSL_OP_NO_RENEGOTIATION, false, "renegotiation is allowed"},
        {SSL_OP_ALLOW_CLIENT_RENEGOTIATION, true, "renegotiation by clients is allowed"},
        {SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION, true, "unsafe legacy renegotiation is allowed"},
        {SSL_OP_ALLOW_NO_DHE_KEX, true,
         "resumption in TLS 1.3 without a key exchange is allowed: no forward secrecy"},
        {SSL_OP_NO_EXTENDED_MASTER_SECRET, true, "the extended master secret is not used"},
    };
    const uint64_t set = SSL_CTX_get_options(ssl_ctx);
    for (size_t i = 0; i < SC_COUNT_OF(options); i++) {
        if (((set & options[i].option) != 0) == options[i].when_set) {
            add(out, "%s", options[i].text);
        }
    }
}

void sc_weak_settings_find(SSL_CTX *ssl_ctx, const struct sc_tls_command *commands, size_t count,
                           struct sc_weak_settings *out)
{
    const int level = SSL_CTX_get_security_level(ssl_ctx);
    out->count = 0;
    /* 0: the oldest that the library has */
    if (SSL_CTX_get_min_proto_version(ssl_ctx) < TLS1_2_VERSION) {
        add(out, "versions before TLS 1.2 are allowed");
    }
    if (level < SC_TLS_SECURITY_LEVEL) {
        add(out, "the security level is %d: keys and signatures that are too weak are taken",
            level);
    }
    check_ciphers(ssl_ctx, out);
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(commands[i].name, "Groups") == 0 ||
            strcasecmp(commands[i].name, "Curves") == 0) {
            check_groups(&commands[i], out);
        }
    }
    check_options(ssl_ctx, out);
}
