/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "programs/keygen_rotate.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/escape.h"
#include "programs/keygen_names.h"
#include "programs/keygen_server.h"
#include "programs/keygen_show.h"
#include "tls/certificate.h"
#include "tls/passphrase_prompt.h"
#include "tls/rotation.h"
#include "tls/ticket_file.h"

/* The name that the messages give to the files: what was said with --out. */
static void print_base(const struct sc_keygen_rotate_request *request)
{
    (void)fputs(" --out ", stdout);
    sc_escape_shell(stdout, request->base);
}

static int open_rotation(const struct sc_keygen_rotate_request *request, bool lock,
                         struct sc_rotation *rotation, struct sc_err *err)
{
    if (sc_rotation_init(rotation, request->base, strlen(request->base), sc_passphrase_prompt(),
                         err) != 0) {
        return -1;
    }
    return lock ? sc_rotation_lock(rotation, err) : 0;
}

static X509 *make_certificate(const struct sc_keygen_rotate_request *request, EVP_PKEY *key,
                              const X509 *model, struct sc_err *err)
{
    return sc_keygen_make_certificate(key, request->names, request->name_count, model,
                                      request->days, err);
}

/* --- --next --- */

static EVP_PKEY *make_key(const struct sc_keygen_rotate_request *request, const EVP_PKEY *current,
                          struct sc_err *err)
{
    enum sc_key_kind kind = request->kind;
    unsigned bits = request->rsa_bits;
    if (!request->kind_given) {
        switch (EVP_PKEY_get_base_id(current)) {
        case EVP_PKEY_RSA:
            kind = SC_KEY_RSA;
            bits = (unsigned)EVP_PKEY_get_bits(current);
            break;
        case EVP_PKEY_ED25519: kind = SC_KEY_ED25519; break;
        default: kind = SC_KEY_EC_P256; break;
        }
    }
    return sc_keygen_key(kind, bits, err);
}

static int require_current(const struct sc_rotation *rotation,
                           const struct sc_rotation_pair *current, struct sc_err *err)
{
    const struct sc_rotation_paths *paths = &rotation->paths[SC_ROTATION_CURRENT];
    return current->key ? 0
                        : sc_err_set(err, EX_NOINPUT,
                                     "%s does not exist; sc-keygen --out makes the "
                                     "first pair",
                                     paths->key);
}

static bool is_half_promoted(const struct sc_rotation_pair *current,
                             const struct sc_rotation_pair *next)
{
    return next->key && !next->certificate && sc_rotation_fits(current->certificate, next->key);
}

static int refuse_half_promoted(const struct sc_rotation *rotation, struct sc_err *err)
{
    return sc_err_set(err, EX_DATAERR, "%s is half promoted; sc-keygen --promote finishes that",
                      rotation->paths[SC_ROTATION_NEXT].key);
}

/*
 * What an earlier --next has left, for which `next` is then made whole, or what stands in the way.
 */
static int look_at_next(const struct sc_keygen_rotate_request *request,
                        const struct sc_rotation *rotation, const struct sc_rotation_pair *current,
                        const struct sc_rotation_pair *next, struct sc_err *err)
{
    const struct sc_rotation_paths *paths = &rotation->paths[SC_ROTATION_NEXT];
    if (is_half_promoted(current, next)) {
        return refuse_half_promoted(rotation, err);
    }
    if (next->key && next->certificate && !request->force) {
        return sc_err_set(err, EX_CANTCREAT,
                          "%s already exists; --force replaces it, and "
                          "clients that have learnt it refuse the other one",
                          paths->key);
    }
    return 0;
}

static int make_next(const struct sc_keygen_rotate_request *request,
                     const struct sc_rotation *rotation, struct sc_rotation_pair *next,
                     const struct sc_rotation_pair *current, struct sc_err *err)
{
    const struct sc_rotation_paths *paths = &rotation->paths[SC_ROTATION_NEXT];
    const bool keep = next->key && !next->certificate && !request->force;
    char what[80];
    if (!keep) {
        EVP_PKEY_free(next->key);
        next->key = make_key(request, current->key, err);
    }
    X509_free(next->certificate);
    next->certificate =
        next->key ? make_certificate(request, next->key, current->certificate, err) : NULL;
    if (!next->certificate ||
        sc_rotation_write_next(rotation, keep ? NULL : next->key, next->certificate, err) != 0) {
        return -1;
    }
    sc_keygen_describe_key(next->key, what, sizeof(what));
    printf("%s: private key, %s%s\n", paths->key, what, keep ? ", which was there" : "");
    sc_keygen_show_certificate(paths->certificate, next->certificate);
    if (sc_keygen_show_pins(next->certificate, NULL, err) != 0) {
        return -1;
    }
    printf("\nReload the server: it announces this key to clients that ask ('sc-client pins').\n"
           "Give its pin to the others. When all of them have it:\n"
           "  sc-keygen --promote");
    print_base(request);
    printf("\nand reload the server again.\n");
    return 0;
}

int sc_keygen_rotate_next(const struct sc_keygen_rotate_request *request, struct sc_err *err)
{
    struct sc_rotation rotation;
    struct sc_rotation_pair current = {0};
    struct sc_rotation_pair next = {0};
    int status = -1;
    if (open_rotation(request, true, &rotation, err) == 0 &&
        sc_rotation_read(&rotation, SC_ROTATION_CURRENT, &current, err) == 0 &&
        require_current(&rotation, &current, err) == 0 &&
        sc_rotation_read(&rotation, SC_ROTATION_NEXT, &next, err) == 0 &&
        look_at_next(request, &rotation, &current, &next, err) == 0) {
        status = make_next(request, &rotation, &next, &current, err);
    }
    sc_rotation_pair_fini(&current);
    sc_rotation_pair_fini(&next);
    sc_rotation_fini(&rotation);
    return status;
}

/* --- --promote --- */

static int print_promoted(const struct sc_keygen_rotate_request *request,
                          const struct sc_rotation *rotation, enum sc_rotation_promoted done,
                          struct sc_err *err)
{
    const struct sc_rotation_paths *paths = rotation->paths;
    X509 *certificate = sc_keygen_read_certificate(paths[SC_ROTATION_CURRENT].certificate, err);
    if (!certificate) {
        return -1;
    }
    if (done == SC_ROTATION_NOTHING) {
        printf("%s does not exist: nothing is left to promote. The current key is\n",
               paths[SC_ROTATION_NEXT].key);
    } else {
        printf("%s: the current key now%s; the one before is %s\n", paths[SC_ROTATION_CURRENT].key,
               done == SC_ROTATION_FINISHED ? ", after a promotion that was interrupted" : "",
               paths[SC_ROTATION_PREVIOUS].key);
    }
    sc_keygen_show_certificate(paths[SC_ROTATION_CURRENT].certificate, certificate);
    const int status = sc_keygen_show_pins(certificate, NULL, err);
    if (status == 0 && done != SC_ROTATION_NOTHING) {
        printf("\nReload the server: it serves with this key. Then prepare the one after it:\n"
               "  sc-keygen --next");
        print_base(request);
        printf("\n");
    }
    X509_free(certificate);
    return status;
}

int sc_keygen_rotate_promote(const struct sc_keygen_rotate_request *request, struct sc_err *err)
{
    struct sc_rotation rotation;
    enum sc_rotation_promoted done;
    int status = -1;
    if (open_rotation(request, true, &rotation, err) == 0 &&
        sc_rotation_promote(&rotation, &done, err) == 0) {
        status = print_promoted(request, &rotation, done, err);
    }
    sc_rotation_fini(&rotation);
    return status;
}

/* --- --renew --- */

static int check_renewal(const struct sc_keygen_rotate_request *request,
                         const struct sc_rotation *rotation, const struct sc_rotation_pair *current,
                         struct sc_err *err)
{
    const struct sc_rotation_paths *paths = &rotation->paths[SC_ROTATION_CURRENT];
    X509 *old = current->certificate;
    if (require_current(rotation, current, err) != 0) {
        return -1;
    }
    if (!old || request->force) {
        return 0;
    }
    if (!sc_rotation_fits(old, current->key)) {
        struct sc_rotation_pair next;
        const bool half = sc_rotation_read(rotation, SC_ROTATION_NEXT, &next, err) == 0 &&
                          is_half_promoted(current, &next);
        sc_rotation_pair_fini(&next);
        if (half) {
            return refuse_half_promoted(rotation, err);
        }
        return sc_err_set(err, EX_DATAERR,
                          "%s: the certificate is not of the key %s; --force makes one that is",
                          paths->certificate, paths->key);
    }
    if (X509_NAME_cmp(X509_get_subject_name(old), X509_get_issuer_name(old)) != 0) {
        return sc_err_set(err, EX_DATAERR,
                          "%s: an authority has issued this certificate: let it issue the new one; "
                          "--force makes a self-signed one",
                          paths->certificate);
    }
    return 0;
}

int sc_keygen_rotate_renew(const struct sc_keygen_rotate_request *request, struct sc_err *err)
{
    struct sc_rotation rotation;
    struct sc_rotation_pair current = {0};
    X509 *fresh = NULL;
    int status = -1;
    if (open_rotation(request, true, &rotation, err) == 0 &&
        sc_rotation_read(&rotation, SC_ROTATION_CURRENT, &current, err) == 0 &&
        check_renewal(request, &rotation, &current, err) == 0 &&
        (fresh = make_certificate(request, current.key, current.certificate, err)) &&
        sc_rotation_write_certificate(&rotation, fresh, err) == 0) {
        sc_keygen_show_certificate(rotation.paths[SC_ROTATION_CURRENT].certificate, fresh);
        status = sc_keygen_show_pins(fresh, NULL, err);
        if (status == 0) {
            printf("\nReload the server. Clients that pin the key notice nothing; those that pin "
                   "the\ncertificate (its file, or cert-sha256) need this one first.\n");
        }
    }
    X509_free(fresh);
    sc_rotation_pair_fini(&current);
    sc_rotation_fini(&rotation);
    return status;
}

/* --- --status --- */

static int print_slot(const struct sc_rotation *rotation, enum sc_rotation_slot slot,
                      const struct sc_rotation_pair *pair, struct sc_err *err)
{
    const struct sc_rotation_paths *paths = &rotation->paths[slot];
    struct stat there;
    char what[80], made[SC_CERTIFICATE_DATE_BYTES];
    if (!pair->key && !pair->certificate) {
        printf("%s: none\n", sc_rotation_slot_name(slot));
        return 0;
    }
    printf("%s: %s\n", sc_rotation_slot_name(slot), pair->key ? paths->key : paths->certificate);
    if (pair->key) {
        sc_keygen_describe_key(pair->key, what, sizeof(what));
        if (stat(paths->key, &there) == 0) {
            sc_certificate_date(there.st_mtime, made);
            printf("  key              %s, made %s\n", what, made);
        }
    }
    if (pair->certificate) {
        sc_keygen_show_names_and_dates(pair->certificate);
    }
    return sc_keygen_show_pins(pair->key ? NULL : pair->certificate, pair->key, err);
}

static int print_problem(const char *path, const char *text, struct sc_err *err)
{
    printf("\nproblem: %s: %s\n", path, text);
    return sc_err_set(err, EX_CONFIG, "%s: %s", path, text);
}

/* What is wrong with the files as they lie together. */
static int find_problem(const struct sc_rotation *rotation, const struct sc_rotation_pair *pairs,
                        struct sc_err *err)
{
    const struct sc_rotation_pair *current = &pairs[SC_ROTATION_CURRENT];
    const struct sc_rotation_pair *next = &pairs[SC_ROTATION_NEXT];
    const struct sc_rotation_paths *paths = rotation->paths;
    const char *key = paths[SC_ROTATION_CURRENT].key;
    if (is_half_promoted(current, next)) {
        return print_problem(paths[SC_ROTATION_NEXT].key,
                             "its promotion was interrupted; sc-keygen --promote finishes it", err);
    }
    if (!current->key || !current->certificate) {
        return print_problem(current->key ? paths[SC_ROTATION_CURRENT].certificate : key,
                             "it does not exist", err);
    }
    if (!sc_rotation_fits(current->certificate, current->key)) {
        return print_problem(key, "the certificate beside it is of another key", err);
    }
    if (next->key && EVP_PKEY_eq(current->key, next->key) == 1) {
        return print_problem(paths[SC_ROTATION_NEXT].key,
                             "it is the current key; sc-keygen --next --force makes another", err);
    }
    if (next->key && next->certificate && !sc_rotation_fits(next->certificate, next->key)) {
        return print_problem(paths[SC_ROTATION_NEXT].key,
                             "the certificate beside it is of another key; sc-keygen --next "
                             "--force makes a new pair",
                             err);
    }
    return 0;
}

static void print_next_step(const struct sc_keygen_rotate_request *request,
                            const struct sc_rotation_pair *pairs)
{
    time_t not_before, not_after;
    sc_certificate_dates(pairs[SC_ROTATION_CURRENT].certificate, &not_before, &not_after);
    const bool ends = not_after - sc_clock_wall().tv_sec < SC_CERTIFICATE_RENEW_S;
    const bool has_next = pairs[SC_ROTATION_NEXT].key && pairs[SC_ROTATION_NEXT].certificate;
    printf("\nnext step: ");
    if (ends) {
        printf("sc-keygen --renew");
        print_base(request);
        printf(" makes a new certificate for the current key; then reload the\nserver\n");
    } else if (has_next) {
        if (!request->server) {
            printf("when the server was reloaded since and the clients have the next pin:\n");
        }
        printf("sc-keygen --promote");
        print_base(request);
        printf(", and reload the server\n");
    } else {
        printf("sc-keygen --next");
        print_base(request);
        printf(" makes the next key; then reload the server, which\nannounces it\n");
    }
}

/* Whether the clients of a running server are ready for the next key. */
static int ask_server(const struct sc_keygen_rotate_request *request,
                      const struct sc_rotation_pair *pairs, struct sc_err *err)
{
    const EVP_PKEY *next_key = pairs[SC_ROTATION_NEXT].key;
    uint8_t current[SC_PIN_BYTES], next[SC_PIN_BYTES];
    if (!request->server) {
        return 0;
    }
    if (sc_pin_of_key(pairs[SC_ROTATION_CURRENT].key, current, err) != 0 ||
        (next_key && sc_pin_of_key(next_key, next, err) != 0)) {
        return -1;
    }
    return sc_keygen_ask_server(request->server, current, next_key ? next : NULL, err);
}

int sc_keygen_rotate_status(const struct sc_keygen_rotate_request *request, struct sc_err *err)
{
    struct sc_rotation rotation;
    struct sc_rotation_pair pairs[SC_ROTATION_SLOTS] = {{0}};
    int status = open_rotation(request, false, &rotation, err);
    for (unsigned i = 0; status == 0 && i < SC_ROTATION_SLOTS; i++) {
        status = sc_rotation_read(&rotation, (enum sc_rotation_slot)i, &pairs[i], err);
    }
    if (status == 0 && !pairs[SC_ROTATION_CURRENT].certificate) {
        status = require_current(&rotation, &pairs[SC_ROTATION_CURRENT], err);
    }
    for (unsigned i = 0; status == 0 && i < SC_ROTATION_SLOTS; i++) {
        status = print_slot(&rotation, (enum sc_rotation_slot)i, &pairs[i], err);
    }
    if (status == 0) {
        status = find_problem(&rotation, pairs, err);
    }
    if (status == 0) {
        status = ask_server(request, pairs, err);
    }
    if (status == 0) {
        print_next_step(request, pairs);
    }
    for (unsigned i = 0; i < SC_ROTATION_SLOTS; i++) {
        sc_rotation_pair_fini(&pairs[i]);
    }
    sc_rotation_fini(&rotation);
    return status;
}

/* --- --ticket-keys --- */

int sc_keygen_rotate_ticket_keys(const char *path, struct sc_err *err)
{
    bool rotated;
    if (sc_ticket_file_rotate(path, &rotated, err) != 0) {
        return -1;
    }
    printf("%s: %s\n\n"
           "Copy it to every host that shares it (ticket-keys = FILE), then reload the servers.\n"
           "Rotate it again when session-timeout has passed on all of them, not before.\n",
           path,
           rotated ? "the next key makes tickets now, the current one still opens them, and there "
                     "is a new\nnext key"
                   : "three keys: current, next, previous");
    return 0;
}
