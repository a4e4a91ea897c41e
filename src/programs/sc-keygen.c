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
#include "tls/certificate.h"
#include "tls/keygen.h"
#include "programs/version.h"

#define NAME SC_KEYGEN_NAME
#define PATH_BYTES 4096U

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

struct pair_paths {
    char key[PATH_BYTES], certificate[PATH_BYTES];
};

/* Without the suffix of one of the two files: "server.crt" names the pair too. */
static size_t base_length(const char *base)
{
    const size_t length = strlen(base);
    const bool has_suffix =
        length > 4 && base[length - 5] != '/' &&
        (strcmp(base + length - 4, ".key") == 0 || strcmp(base + length - 4, ".crt") == 0);
    return has_suffix ? length - 4 : length;
}

/* `in_directory`: BASE is a directory, and "server" in it is meant. */
static int make_paths(struct pair_paths *paths, const char *base, bool in_directory,
                      struct sc_err *err)
{
    const size_t length = in_directory ? strlen(base) : base_length(base);
    const char *slash = base[length - 1] == '/' ? "" : "/";
    const char *name = in_directory ? "server" : "";
    if (length + sizeof("/server.key") > PATH_BYTES) {
        return sc_err_set(err, EX_USAGE, "%.100s...: the name is too long", base);
    }
    (void)snprintf(paths->key, PATH_BYTES, "%.*s%s%s.key", (int)length, base,
                   in_directory ? slash : "", name);
    (void)snprintf(paths->certificate, PATH_BYTES, "%.*s%s%s.crt", (int)length, base,
                   in_directory ? slash : "", name);
    return 0;
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
    struct pair_paths paths;
    struct sc_names host;
    const char *host_names[SC_NAMES_MAX];
    const char *const *names = options->names;
    size_t count = options->name_count;
    int status = -1;
    char what[80], until[SC_CERTIFICATE_DATE_BYTES], listed[1024];
    time_t not_before, not_after;

    if (make_paths(&paths, options->base, names_directory(options->base), err) != 0) {
        return -1;
    }
    if (count == 0) {
        sc_keygen_names_of_host(&host);
        for (; count < host.count; count++) {
            host_names[count] = host.name[count];
        }
        names = host_names;
    }
    EVP_PKEY *key = sc_keygen_key(options->kind, options->rsa_bits, err);
    X509 *certificate = key ? sc_keygen_certificate(key, names, count, options->days, err) : NULL;
    if (certificate && sc_keygen_write_pair(paths.key, key, paths.certificate, certificate,
                                            options->force, err) == 0) {
        sc_keygen_describe_key(key, what, sizeof(what));
        sc_certificate_dates(certificate, &not_before, &not_after);
        sc_certificate_date(not_after, until);
        sc_certificate_names(certificate, listed, sizeof(listed));
        printf("%s: private key, %s\n%s: certificate, valid until %s, for %s\n", paths.key, what,
               paths.certificate, until, listed);
        status = sc_keygen_show_pins(certificate, NULL, err) == 0
                     ? sc_keygen_show_next_steps(certificate, paths.certificate, paths.key, err)
                     : -1;
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
    return status;
}

static int check(const char *base, struct sc_err *err)
{
    struct pair_paths paths;
    struct stat there;
    const bool is_directory = stat(base, &there) == 0 && S_ISDIR(there.st_mode);

    if (make_paths(&paths, base, is_directory, err) != 0) {
        return -1;
    }
    return sc_keygen_check_pair(paths.key, paths.certificate, err);
}

static int rotate(const struct options *options, struct sc_err *err)
{
    char inside[PATH_BYTES];
    const char *base = options->base;
    struct stat there;
    size_t length = base_length(base);
    if (stat(base, &there) == 0 && S_ISDIR(there.st_mode)) {
        const char *slash = base[strlen(base) - 1] == '/' ? "" : "/";
        if (snprintf(inside, sizeof(inside), "%s%sserver", base, slash) >= (int)sizeof(inside)) {
            return sc_err_set(err, EX_USAGE, "%.100s...: the name is too long", base);
        }
        base = inside;
        length = strlen(inside);
    }
    const struct sc_keygen_rotate_request request = {
        .base = base,
        .base_length = length,
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
