/* SPDX-License-Identifier: MIT */
/* Makes keys and self-signed certificates, and says what their pins are. */
#include "config.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "base/parse.h"
#include "programs/keygen_check.h"
#include "programs/keygen_names.h"
#include "programs/keygen_options.h"
#include "programs/keygen_rotate.h"
#include "programs/keygen_show.h"
#include "base/program.h"
#include "tls/keygen.h"
#include "programs/version.h"

#define NAME SC_KEYGEN_NAME
#define PATH_BYTES 4096U
#define BASE_BYTES (PATH_BYTES - 4U) /* before .key and .crt */

enum action { MAKE, SHOW, CHECK, TICKET_KEYS, NEXT, PROMOTE, RENEW, STATUS, HELP, SHOW_VERSION };

/* What an option is about; each action takes some of them. */
enum use { KIND, CERTIFICATE, FORCE, BASE, CONNECT, USES };

static const unsigned takes[] = {
    [MAKE] = 1U << KIND | 1U << CERTIFICATE | 1U << FORCE | 1U << BASE,
    [NEXT] = 1U << KIND | 1U << CERTIFICATE | 1U << FORCE | 1U << BASE,
    [RENEW] = 1U << CERTIFICATE | 1U << FORCE | 1U << BASE,
    [PROMOTE] = 1U << BASE,
    [STATUS] = 1U << BASE | 1U << CONNECT,
    [SHOW] = 0,
    [CHECK] = 0,
    [TICKET_KEYS] = 0,
    [HELP] = ~0U,
    [SHOW_VERSION] = ~0U,
};

struct options {
    enum action action;
    const char *action_name; /* the option that asked for it */
    const char *file; /* of SHOW, CHECK and TICKET_KEYS */
    bool kind_given;
    enum sc_key_kind kind;
    unsigned rsa_bits;
    unsigned days;
    bool force;
    struct sc_address server; /* of --connect */
    const char *base;
    unsigned given; /* bits of enum use: what the options are about */
    const char *last[USES]; /* the last option of each */
    size_t name_count;
    const char *names[SC_KEYGEN_MAX_NAMES];
};

static int read_number(const char *option, uint64_t min, uint64_t max, unsigned *out,
                       struct sc_err *err)
{
    uint64_t number;
    if (sc_parse_u64(optarg, min, max, &number, err) != 0) {
        return sc_err_prefix(err, "%s", option);
    }
    *out = (unsigned)number;
    return 0;
}

static int set_kind(struct options *options, enum sc_key_kind kind, struct sc_err *err)
{
    if (options->kind_given && options->kind != kind) {
        return sc_err_set(err, EX_USAGE, "--ec, --rsa and --ed25519: a key is of one kind");
    }
    options->kind = kind;
    options->kind_given = true;
    return kind == SC_KEY_RSA ? read_number("--rsa", SC_KEYGEN_MIN_RSA_BITS, SC_KEYGEN_MAX_RSA_BITS,
                                            &options->rsa_bits, err)
                              : 0;
}

static int add_name(struct options *options, struct sc_err *err)
{
    if (options->name_count == SC_KEYGEN_MAX_NAMES) {
        return sc_err_set(err, EX_USAGE, "--name: a certificate takes at most %u names",
                          SC_KEYGEN_MAX_NAMES);
    }
    options->names[options->name_count++] = optarg;
    return sc_keygen_check_name(optarg, err);
}

static int set_file(const char *option, const char **out, struct sc_err *err)
{
    if (!optarg[0]) {
        return sc_err_set(err, EX_USAGE, "%s: the name of the file is empty", option);
    }
    *out = optarg;
    return 0;
}

static int set_action(struct options *options, const struct sc_opt *option, struct sc_err *err)
{
    char spelled[32];
    if (options->action != MAKE) {
        return sc_err_set(err, EX_USAGE, "--%s and --%s: one of them, once", options->action_name,
                          option->name);
    }
    options->action = (enum action)(option->value - OPT_SHOW + SHOW);
    options->action_name = option->name;
    (void)snprintf(spelled, sizeof(spelled), "--%s", option->name);
    return options->action <= TICKET_KEYS ? set_file(spelled, &options->file, err) : 0;
}

static int apply_to(struct options *options, const struct sc_opt *option, enum use use,
                    struct sc_err *err)
{
    options->given |= 1U << use;
    options->last[use] = option->name;
    switch (option->value) {
    case OPT_EC: return set_kind(options, SC_KEY_EC_P256, err);
    case OPT_RSA: return set_kind(options, SC_KEY_RSA, err);
    case OPT_ED25519: return set_kind(options, SC_KEY_ED25519, err);
    case OPT_NAME: return add_name(options, err);
    case OPT_DAYS: return read_number("--days", 1, SC_KEYGEN_MAX_DAYS, &options->days, err);
    case OPT_OUT: return set_file("--out", &options->base, err);
    case OPT_CONNECT:
        return sc_parse_address(optarg, NULL, &options->server, err) == 0
                   ? 0
                   : sc_err_prefix(err, "--connect");
    default: options->force = true; return 0;
    }
}

static int apply(struct options *options, const struct sc_opt *option, struct sc_err *err)
{
    switch (option->value) {
    case OPT_EC:
    case OPT_RSA:
    case OPT_ED25519: return apply_to(options, option, KIND, err);
    case OPT_NAME:
    case OPT_DAYS: return apply_to(options, option, CERTIFICATE, err);
    case OPT_FORCE: return apply_to(options, option, FORCE, err);
    case OPT_OUT: return apply_to(options, option, BASE, err);
    case OPT_CONNECT: return apply_to(options, option, CONNECT, err);
    default: return set_action(options, option, err);
    }
}

/* 0, or the status to end with; the error has been printed. */
static int read_options(int argc, char *argv[], struct options *options)
{
    struct sc_err err;
    struct sc_opt_reader reader;
    const struct sc_opt *option;
    int refused;

    sc_opt_reader_init(&reader, &sc_keygen_option_table);
    while ((option = sc_opt_next(&reader, argc, argv, &refused)) != NULL) {
        if (option->value == OPT_HELP || option->value == OPT_VERSION) {
            options->action = option->value == OPT_HELP ? HELP : SHOW_VERSION;
            return 0;
        }
        if (apply(options, option, &err) != 0) {
            return sc_program_usage(NAME, "%s", err.text);
        }
    }
    if (refused) {
        return sc_program_bad_option(NAME, refused, argc, argv);
    }
    if (optind < argc) {
        return sc_program_usage(NAME,
                                "%s: not an option; files are named with --out, --show and --check",
                                argv[optind]);
    }
    for (unsigned use = 0; use < USES; use++) {
        if (options->given & ~takes[options->action] & 1U << use) {
            if (options->action == MAKE) {
                return sc_program_usage(NAME, "--%s: only with --status", options->last[use]);
            }
            return sc_program_usage(NAME, "--%s: not with --%s", options->last[use],
                                    options->action_name);
        }
    }
    return 0;
}

/* Without the suffix of one of the two files: "server.crt" names the pair too. */
static size_t base_length(const char *base)
{
    const size_t length = strlen(base);
    const bool has_suffix =
        length > 4 && base[length - 5] != '/' &&
        (strcmp(base + length - 4, ".key") == 0 || strcmp(base + length - 4, ".crt") == 0);
    return has_suffix ? length - 4 : length;
}

/* BASE without such a suffix; of a directory: "server" in it. */
static int find_base(const char *given, bool is_directory, char out[BASE_BYTES], struct sc_err *err)
{
    const size_t length = is_directory ? strlen(given) : base_length(given);
    const char *rest = !is_directory ? "" : given[length - 1] == '/' ? "server" : "/server";
    if (length + strlen(rest) >= BASE_BYTES) {
        return sc_err_set(err, EX_USAGE, "%.100s...: the name is too long", given);
    }
    (void)snprintf(out, BASE_BYTES, "%.*s%s", (int)length, given, rest);
    return 0;
}

static bool is_directory(const char *path)
{
    struct stat there;
    return stat(path, &there) == 0 && S_ISDIR(there.st_mode);
}

static void make_paths(const char base[BASE_BYTES], char key[PATH_BYTES],
                       char certificate[PATH_BYTES])
{
    (void)snprintf(key, PATH_BYTES, "%s.key", base);
    (void)snprintf(certificate, PATH_BYTES, "%s.crt", base);
}

/* Of "keys/" and ".": a pair in there, named server. */
static bool names_directory(const char *base)
{
    const char *slash = strrchr(base, '/');
    const char *last = slash ? slash + 1 : base;
    return *last == '\0' || strcmp(last, ".") == 0 || strcmp(last, "..") == 0;
}

static int make(const struct options *options, struct sc_err *err)
{
    char base[BASE_BYTES], key_path[PATH_BYTES], certificate_path[PATH_BYTES], what[80];
    int status = -1;

    if (find_base(options->base, names_directory(options->base), base, err) != 0) {
        return -1;
    }
    make_paths(base, key_path, certificate_path);
    EVP_PKEY *key = sc_keygen_key(options->kind, options->rsa_bits, err);
    X509 *certificate = key ? sc_keygen_make_certificate(key, options->names, options->name_count,
                                                         NULL, options->days, err)
                            : NULL;
    if (certificate && sc_keygen_write_pair(key_path, key, certificate_path, certificate,
                                            options->force, err) == 0) {
        sc_keygen_describe_key(key, what, sizeof(what));
        printf("%s: private key, %s\n", key_path, what);
        sc_keygen_show_certificate(certificate_path, certificate);
        status = sc_keygen_show_pins(certificate, NULL, err) == 0
                     ? sc_keygen_show_next_steps(certificate, certificate_path, key_path, err)
                     : -1;
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
    return status;
}

static int check(const char *given, struct sc_err *err)
{
    char base[BASE_BYTES], key_path[PATH_BYTES], certificate_path[PATH_BYTES];
    if (find_base(given, is_directory(given), base, err) != 0) {
        return -1;
    }
    make_paths(base, key_path, certificate_path);
    return sc_keygen_check_pair(key_path, certificate_path, err);
}

static int rotate(const struct options *options, struct sc_err *err)
{
    char base[BASE_BYTES];
    if (find_base(options->base, is_directory(options->base), base, err) != 0) {
        return -1;
    }
    const struct sc_keygen_rotate_request request = {
        .base = base,
        .kind_given = options->kind_given,
        .kind = options->kind,
        .rsa_bits = options->rsa_bits,
        .days = options->days,
        .force = options->force,
        .names = options->names,
        .name_count = options->name_count,
        .server = options->given & 1U << CONNECT ? &options->server : NULL,
    };
    switch (options->action) {
    case NEXT: return sc_keygen_rotate_next(&request, err);
    case PROMOTE: return sc_keygen_rotate_promote(&request, err);
    case RENEW: return sc_keygen_rotate_renew(&request, err);
    default: return sc_keygen_rotate_status(&request, err);
    }
}

int main(int argc, char *argv[])
{
    struct options options = {
        .kind = SC_KEY_EC_P256, .days = SC_KEYGEN_DEFAULT_DAYS, .base = "server"};
    struct sc_err err;
    int result = 0;
    int wrong;

    sc_program_start();
    wrong = read_options(argc, argv, &options);

    if (wrong != 0) {
        return wrong;
    }
    switch (options.action) {
    case MAKE: result = make(&options, &err); break;
    case SHOW: result = sc_keygen_show_file(options.file, &err); break;
    case CHECK: result = check(options.file, &err); break;
    case TICKET_KEYS: result = sc_keygen_rotate_ticket_keys(options.file, &err); break;
    case NEXT:
    case PROMOTE:
    case RENEW:
    case STATUS: result = rotate(&options, &err); break;
    case HELP: sc_opt_help(stdout, &sc_keygen_option_table); break;
    case SHOW_VERSION: sc_version_print(NAME); break;
    }
    return sc_program_end(NAME, result == 0 ? EX_OK : sc_program_fail(NAME, &err));
}
