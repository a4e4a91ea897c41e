/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls_fixture.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

static char directory[256];
static pid_t directory_owner;

/* No assertions here: the test is over. */
static void remove_all(int parent, const char *name)
{
    const int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            unlinkat(fd, entry->d_name, 0) != 0) {
            remove_all(fd, entry->d_name);
        }
    }
    if (dir) {
        (void)closedir(dir);
    }
    (void)unlinkat(parent, name, AT_REMOVEDIR);
}

static void remove_directory(void)
{
    if (getpid() == directory_owner) {
        remove_all(AT_FDCWD, directory);
    }
}

const char *fixture_directory(void)
{
    /* Tests run in forked processes (CK_FORK): each has a directory of its own. */
    if (directory_owner != getpid()) {
        const char *tmp = getenv("TMPDIR");
        ck_assert_int_lt(
            snprintf(directory, sizeof(directory), "%s/sc-check-XXXXXX", tmp ? tmp : "/tmp"),
            (int)sizeof(directory));
        ck_assert_ptr_nonnull(mkdtemp(directory));
        directory_owner = getpid();
        ck_assert_int_eq(atexit(remove_directory), 0);
    }
    return directory;
}

const char *fixture_path(const char *name)
{
    static char paths[16][512];
    static unsigned turn;
    char *path = paths[turn++ % 16];
    ck_assert_int_lt(snprintf(path, sizeof(paths[0]), "%s/%s", fixture_directory(), name),
                     (int)sizeof(paths[0]));
    return path;
}

/* A key for tests alone: to make one takes longer than most tests. */
static const char rsa_2048[] =
    "-----BEGIN RSA PRIVATE KEY-----\n"
    "MIIEpQIBAAKCAQEAuPZlhMiFDXVaLfyffz8ALm9Ow4LVq+etTF7N6DwQV9e19JOl78k6DC3jtqUJ\n"
    "t+XP8lL7YEFh27j8CuBRQDUAz47ZAZ3V9GK2S0EQixFg8dLspJRwIDAiBl3OcIDXINyE2Ytb8X7T\n"
    "SIpU1O2hiR3f73Dj876vXhWbl0x3a4I7Cs05FYbbIv+O2RISVzM+WbOoa7+seEy2X05dpxiPmJcJ\n"
    "2Jqx/5urJLpaELg8prZJfZMgraTZ2A911PpaheI/ty8pVOgrZ2qGXVckw0T8gQlPqT/CAtbWHHqa\n"
    "1gTlkKGmsV9RtcsTTlENNOsDNlVdMcBud/rfqfG/0kgEk5pcSlqhFQIDAQABAoIBAFB/1IEs8FOC\n"
    "LqRzHUu5NLAA+6u1xp8RrufdHwqjEY3ZsTRoCkFJN/1S/5dfTtJ9r7pMiWFEM334jaGCLXqfVuH+\n"
    "zs2YTyUUzTgFcljEUIgO/7VFcWNg734L16w5NufzcdJoh7ScOQKKSg99+N7/ZJYGcP+FjzeIefYo\n"
    "bpUY0e+J0oN6vs61Uiuu16eWJnS9tEwrvRdKohyUY8uDl7ohkOFoiDDHKbBWvKhurqhDNWCN+uL5\n"
    "ACkZLjDu3CjQ/vZtpAEhh9RvjJPfWU1lSDMlhLTURXRI4zUlgIGZNuOlaGFMf9YEncxv6Y2Stncb\n"
    "TiDswJUxksz/DZiKOjjDHuKPE2UCgYEA31i6J7N3dYeXnMUXreT/DygYXFm0b340qpB4vpg1wPFw\n"
    "z33UNmhfX9tYc7QvD4cDXi3XKSUkv5HikPXsYU/dlnjXN/WHH2SpVJj9yQz8D9iTgos2Y4Svr4yx\n"
    "t0ipdoLtnqbjqoDMYGSQi/seHP4WgUM5Jgl2kkV+nAWl9/u5fasCgYEA1AENxMWO0ooqak/dBk0o\n"
    "w7fYqlH0FvVvCFOrkl/7Oj8nJFipFrKtIKXW6YKLswXevNhjzKouT4fg5OUP3zduM2IkYfT8XwP9\n"
    "BtzFnIyZ+2BCLSKJ5cDrcHyVukTOu0FGdKYfjQ2fMBugSJkEkM5e3w161Hd071HJCJnBBVfiHD8C\n"
    "gYEAsKXChkgBgal+lnWkJttpiBlUOyaP+Wa+TPD7LvPAABx19wY0Y9vlIzGfIdQvLH7CgSiMdnR0\n"
    "PjgqFDENhmHehnaI8i91cbTx4IEoqG1mpznKYYOtvsRhF92VabtEnQEs40Bn7KD2BH9FfBFfXdrw\n"
    "/cenWZg+ea4RV2F4RUyJBwUCgYEAjps228nYTJ9L8L9P+dElPqIISGlgO6FU0tEVdBzELWYVukk5\n"
    "VF9UPcXQTrrVpdKpBXa5iw5eoHjSOqYqiwgKRN4bgxj8Oh3AskEHXErnuUQCv8Gf6MBgnwXu4aEv\n"
    "Pp6l+glU59jl38J1iuADRjTLdFbo7Mp+Cg2FoRdr02BOZJkCgYEAsmLhdX0MUgoRMQBIPY10pAeE\n"
    "2HFwwFR5eN45eT7+d0DJoX2J5hCJdlodRSGLsKQ047PL2KeRzBgvWHJ+0gQIaYZjbinwSuzhJHKW\n"
    "K9monB79YvE2A997ta1V5Y36lUnzSSXriQqvMYZAcl+GAH+iZ6bmxueSipDFw4NQg3v/BK0=\n"
    "-----END RSA PRIVATE KEY-----\n";

static EVP_PKEY *read_key(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return key;
}

EVP_PKEY *fixture_key(const char *kind)
{
    EVP_PKEY *key = NULL;
    if (strcmp(kind, "RSA2048") == 0) {
        key = read_key(rsa_2048);
    } else if (strncmp(kind, "RSA", 3) == 0) {
        key = EVP_RSA_gen((unsigned)atoi(kind + 3));
    } else if (strcmp(kind, "ED25519") == 0) {
        key = EVP_PKEY_Q_keygen(NULL, NULL, kind);
    } else {
        key = EVP_EC_gen(kind);
    }
    ck_assert_ptr_nonnull(key);
    return key;
}

X509 *fixture_certificate(EVP_PKEY *key, const char *name, long from_s, long to_s, X509 *issuer,
                          EVP_PKEY *issuer_key)
{
    static long serial = 1;
    X509 *certificate = X509_new();
    X509_NAME *subject = X509_get_subject_name(certificate);
    const bool ed25519 = EVP_PKEY_is_a(issuer_key ? issuer_key : key, "ED25519");
    ck_assert_int_eq(X509_set_version(certificate, X509_VERSION_3), 1);
    ck_assert_int_eq(ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++), 1);
    ck_assert_ptr_nonnull(X509_gmtime_adj(X509_getm_notBefore(certificate), from_s));
    ck_assert_ptr_nonnull(X509_gmtime_adj(X509_getm_notAfter(certificate), to_s));
    ck_assert_int_eq(X509_set_pubkey(certificate, key), 1);
    ck_assert_int_eq(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                                (const unsigned char *)name, -1, -1, 0),
                     1);
    ck_assert_int_eq(
        X509_set_issuer_name(certificate, issuer ? X509_get_subject_name(issuer) : subject), 1);
    X509_EXTENSION *ca = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
    ck_assert_ptr_nonnull(ca);
    ck_assert_int_eq(X509_add_ext(certificate, ca, -1), 1);
    X509_EXTENSION_free(ca);
    ck_assert_int_gt(
        X509_sign(certificate, issuer_key ? issuer_key : key, ed25519 ? NULL : EVP_sha256()), 0);
    return certificate;
}

void fixture_write(const char *name, const void *bytes, size_t length)
{
    const char *path = fixture_path(name);
    (void)unlink(path);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, length, file), length);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(chmod(path, 0600), 0);
}

void fixture_write_key(const char *name, EVP_PKEY *key, const char *passphrase)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *bytes;
    ck_assert_int_eq(PEM_write_bio_PKCS8PrivateKey(bio, key, passphrase ? EVP_aes_128_cbc() : NULL,
                                                   NULL, 0, NULL, (void *)(uintptr_t)passphrase),
                     1);
    long length = BIO_get_mem_data(bio, &bytes);
    fixture_write(name, bytes, (size_t)length);
    BIO_free(bio);
}

void fixture_write_certificate(const char *name, X509 *certificate, bool append)
{
    FILE *file = fopen(fixture_path(name), append ? "a" : "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(PEM_write_X509(file, certificate), 1);
    ck_assert_int_eq(fclose(file), 0);
}

void fixture_write_pair(const char *name, const char *kind)
{
    char file[128];
    EVP_PKEY *key = fixture_key(kind);
    X509 *certificate = fixture_certificate(key, name, -3600, 86400, NULL, NULL);
    ck_assert_int_lt(snprintf(file, sizeof(file), "%s.key", name), (int)sizeof(file));
    fixture_write_key(file, key, NULL);
    ck_assert_int_lt(snprintf(file, sizeof(file), "%s.crt", name), (int)sizeof(file));
    fixture_write_certificate(file, certificate, false);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

void fixture_write_ocsp(const char *name, X509 *about, X509 *issuer, X509 *signer,
                        EVP_PKEY *signer_key, int status, long from_s, long to_s)
{
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    ASN1_TIME *this_update = X509_gmtime_adj(NULL, from_s),
              *next_update = to_s != 0 ? X509_gmtime_adj(NULL, to_s) : NULL;
    OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), about, issuer);
    unsigned char *der = NULL;
    ck_assert_ptr_nonnull(
        OCSP_basic_add1_status(basic, id, status, 0, this_update, this_update, next_update));
    ck_assert_int_eq(OCSP_basic_sign(basic, signer, signer_key, EVP_sha256(), NULL, 0), 1);
    OCSP_RESPONSE *response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    int length = i2d_OCSP_RESPONSE(response, &der);
    ck_assert_int_gt(length, 0);
    fixture_write(name, der, (size_t)length);
    OPENSSL_free(der);
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(this_update);
    ASN1_TIME_free(next_update);
}

struct sc_tls_server_settings fixture_settings(const char *name)
{
    char certificate[128], key[128];
    ck_assert_int_lt(snprintf(certificate, sizeof(certificate), "%s.crt", name),
                     (int)sizeof(certificate));
    ck_assert_int_lt(snprintf(key, sizeof(key), "%s.key", name), (int)sizeof(key));
    return (struct sc_tls_server_settings){.certificate_path = fixture_path(certificate),
                                           .private_key_path = fixture_path(key),
                                           .session_cache_size = 1024};
}

struct sc_tls_context *fixture_server(const struct sc_tls_server_settings *settings)
{
    struct sc_err err = {0};
    struct sc_tls_context *context = sc_tls_context_new_server(settings, &err);
    ck_assert_msg(context != NULL, "%s", err.text);
    return context;
}

struct sc_tls_context *fixture_server_with(const char *name, const struct sc_tls_command *commands,
                                           size_t count)
{
    struct sc_tls_server_settings settings = fixture_settings(name);
    settings.commands = commands;
    settings.command_count = count;
    return fixture_server(&settings);
}

struct sc_tls_context *fixture_client(void)
{
    struct sc_err err = {0};
    struct sc_tls_context *context =
        sc_tls_context_new_client(&(struct sc_tls_client_settings){0}, &err);
    ck_assert_msg(context != NULL, "%s", err.text);
    return context;
}

void tls_pair_init(struct tls_pair *pair, const struct sc_tls_context *client,
                   const struct sc_tls_context *server)
{
    BIO *at_client, *at_server;
    pair->client = SSL_new(sc_tls_context_ssl_ctx(client));
    pair->server = SSL_new(sc_tls_context_ssl_ctx(server));
    ck_assert_ptr_nonnull(pair->client);
    ck_assert_ptr_nonnull(pair->server);
    ck_assert_int_eq(BIO_new_bio_pair(&at_client, 1U << 18, &at_server, 1U << 18), 1);
    SSL_set_bio(pair->client, at_client, at_client);
    SSL_set_bio(pair->server, at_server, at_server);
    SSL_set_connect_state(pair->client);
    SSL_set_accept_state(pair->server);
    sc_tls_watch_init(&pair->client_watch);
    sc_tls_watch_init(&pair->server_watch);
    ck_assert_int_eq(SSL_set_app_data(pair->client, &pair->client_watch), 1);
    ck_assert_int_eq(SSL_set_app_data(pair->server, &pair->server_watch), 1);
    pair->client_error = pair->server_error = 0;
    ERR_clear_error();
}

/* One step of a handshake: 1 done, 0 waits for the other side, -1 failed, and `*code` says why. */
static int step(SSL *ssl, unsigned long *code)
{
    ERR_clear_error();
    int rc = SSL_do_handshake(ssl);
    if (rc == 1) {
        return 1;
    }
    int error = SSL_get_error(ssl, rc);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        return 0;
    }
    *code = ERR_peek_error();
    return -1;
}

/* Reads what carries no data: tickets, alerts. */
static bool take_in(SSL *ssl, unsigned long *code)
{
    char byte;
    ERR_clear_error();
    int rc = SSL_peek(ssl, &byte, 1);
    if (rc > 0 || SSL_get_error(ssl, rc) == SSL_ERROR_WANT_READ) {
        return true;
    }
    *code = ERR_peek_error();
    return false;
}

/* Lets a side see the alert of the other one, which failed. */
static void see_alert(SSL *ssl, int state, unsigned long *code)
{
    if (state == 1) {
        (void)take_in(ssl, code);
    } else if (state == 0) {
        (void)step(ssl, code);
    }
}

bool tls_pair_handshake(struct tls_pair *pair)
{
    int client = 0, server = 0;
    for (int round = 0; round < 20 && client >= 0 && server >= 0 && !(client == 1 && server == 1);
         round++) {
        client = client == 1 ? 1 : step(pair->client, &pair->client_error);
        server = server == 1 ? 1 : step(pair->server, &pair->server_error);
    }
    if (client == 1 && server == 1) {
        return take_in(pair->client, &pair->client_error);
    }
    see_alert(pair->client, client, &pair->client_error);
    see_alert(pair->server, server, &pair->server_error);
    return false;
}

bool tls_pair_send(SSL *from, SSL *to, const char *text)
{
    char got[256];
    size_t length = strlen(text);
    ck_assert_uint_le(length, sizeof(got));
    return SSL_write(from, text, (int)length) == (int)length &&
           SSL_read(to, got, sizeof(got)) == (int)length && memcmp(got, text, length) == 0;
}

SSL_SESSION *tls_pair_session(const struct tls_pair *pair)
{
    SSL_SESSION *session = SSL_get1_session(pair->client);
    if (session && !SSL_SESSION_is_resumable(session)) {
        SSL_SESSION_free(session);
        return NULL;
    }
    return session;
}

void tls_pair_fini(struct tls_pair *pair)
{
    if (SSL_is_init_finished(pair->client) && SSL_is_init_finished(pair->server)) {
        (void)SSL_shutdown(pair->client);
        (void)SSL_shutdown(pair->server);
    }
    SSL_free(pair->client);
    SSL_free(pair->server);
    sc_tls_watch_fini(&pair->server_watch);
    ERR_clear_error();
}
