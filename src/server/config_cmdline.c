/* The command line: names from the table, values kept for later. */
#include "config.h"

#include "server/config_table.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

struct sc_cmdline {
    enum sc_cmdline_action action;
    const char *config_path;
    const char *port_file;
    struct sc_cmdline_setting *settings;
    size_t count;
};

/*
 * What getopt_long() returns: FIRST_OPTION + index in sc_options, FIRST_PROGRAM_OPTION + index in
 * sc_program_options, or 'c'.
 */
enum { FIRST_OPTION = 0x100, FIRST_PROGRAM_OPTION = 0x1000 };

static struct option *make_long_options(void)
{
    struct option *out = calloc(sc_option_count + sc_program_option_count + 1, sizeof(*out));
    if (!out) {
        return NULL;
    }
    for (size_t i = 0; i < sc_option_count; i++) {
        out[i] = (struct option){sc_options[i].key, required_argument, NULL, FIRST_OPTION + (int)i};
    }
    for (size_t i = 0; i < sc_program_option_count; i++) {
        const int has_argument = sc_program_options[i].argument ? required_argument : no_argument;
        out[sc_option_count + i] = (struct option){sc_program_options[i].key, has_argument, NULL,
                                                   FIRST_PROGRAM_OPTION + (int)i};
    }
    return out;
}

/*
 * True: this option decides alone what the program does, the rest of the command line does not
 * matter.
 */
static bool take_program_option(struct sc_cmdline *cmdline, const char *key)
{
    static const struct {
        const char *key;
        enum sc_cmdline_action action;
        bool alone;
    } actions[] = {
        {"check-config", SC_CMDLINE_CHECK, false},  {"dump-config", SC_CMDLINE_DUMP, false},
        {"sample-config", SC_CMDLINE_SAMPLE, true}, {"help", SC_CMDLINE_HELP, true},
        {"version", SC_CMDLINE_VERSION, true},
    };
    if (strcmp(key, "config") == 0) {
        cmdline->config_path = optarg;
    } else if (strcmp(key, "port-file") == 0) {
        cmdline->port_file = optarg;
    }
    for (size_t i = 0; i < SC_COUNT_OF(actions); i++) {
        if (strcmp(key, actions[i].key) == 0) {
            cmdline->action = actions[i].action;
            return actions[i].alone;
        }
    }
    return false;
}

static void report_unknown(const char *argument, const struct option *long_options,
                           struct sc_config_errors *errors)
{
    char key[64];
    (void)snprintf(key, sizeof(key), "%.*s", (int)strcspn(argument, "="), argument);
    const char *name = key + strspn(key, "-");
    const char *nearest = key[0] == '-' && key[1] == '-' ? sc_option_nearest(NULL, name) : NULL;
    unsigned matches = 0;
    for (; long_options->name; long_options++) {
        if (strcmp(long_options->name, name) == 0) {
            sc_config_error(errors, EX_USAGE, "%s takes no value", key);
            return;
        }
        matches += strncmp(long_options->name, name, strlen(name)) == 0;
    }
    if (matches > 1 && *name) {
        sc_config_error(errors, EX_USAGE, "option %s is short for %u options; see --help", key,
                        matches);
    } else if (nearest) {
        sc_config_error(errors, EX_USAGE, "unknown option %s: --%s is the nearest; see --help", key,
                        nearest);
    } else {
        sc_config_error(errors, EX_USAGE, "unknown option %s; see --help", key);
    }
}

/* Takes one option. True: nothing more is to be read. */
static bool take(struct sc_cmdline *cmdline, int found, char **argv,
                 const struct option *long_options, struct sc_config_errors *errors)
{
    if (found == 'c') {
        cmdline->config_path = optarg;
    } else if (found >= FIRST_PROGRAM_OPTION) {
        return take_program_option(cmdline, sc_program_options[found - FIRST_PROGRAM_OPTION].key);
    } else if (found >= FIRST_OPTION) {
        cmdline->settings[cmdline->count++] =
            (struct sc_cmdline_setting){&sc_options[found - FIRST_OPTION], optarg};
    } else if (found == ':') {
        sc_config_error(errors, EX_USAGE, "%s needs a value; see --help", argv[optind - 1]);
    } else if (optopt > 0 && optopt < FIRST_OPTION) {
        sc_config_error(errors, EX_USAGE, "unknown option -%c; see --help", optopt);
    } else {
        report_unknown(argv[optind - 1], long_options, errors);
    }
    return false;
}

static bool read_options(struct sc_cmdline *cmdline, int argc, char **argv,
                         struct sc_config_errors *errors)
{
    struct option *long_options = make_long_options();
    if (!long_options) {
        sc_config_error(errors, EX_OSERR, "out of memory");
        return false;
    }
    const struct sc_config_errors before = *errors;
    int found;
    bool alone = false;
    opterr = 0;
    optind = 0; /* start over, whatever was read before */
    while (!alone && (found = getopt_long(argc, argv, ":c:", long_options, NULL)) != -1) {
        alone = take(cmdline, found, argv, long_options, errors);
    }
    free(long_options);
    if (alone) {
        *errors = before;
        return true;
    }
    /* Behind an unknown option it may have been that option's value. */
    for (; optind < argc && errors->count == before.count; optind++) {
        sc_config_error(errors, EX_USAGE,
                        "unexpected argument \"%.64s\": only options are taken; see --help",
                        argv[optind]);
    }
    return errors->count == before.count;
}

struct sc_cmdline *sc_cmdline_parse(int argc, char **argv, struct sc_config_errors *errors)
{
    struct sc_cmdline *cmdline = calloc(1, sizeof(*cmdline));
    if (!cmdline || !(cmdline->settings = calloc((size_t)argc + 1, sizeof(*cmdline->settings)))) {
        sc_config_error(errors, EX_OSERR, "out of memory");
        free(cmdline);
        return NULL;
    }
    if (!read_options(cmdline, argc, argv, errors)) {
        sc_cmdline_free(cmdline);
        return NULL;
    }
    return cmdline;
}

void sc_cmdline_free(struct sc_cmdline *cmdline)
{
    if (cmdline) {
        free(cmdline->settings);
        free(cmdline);
    }
}

enum sc_cmdline_action sc_cmdline_action(const struct sc_cmdline *cmdline)
{
    return cmdline->action;
}

const char *sc_cmdline_port_file(const struct sc_cmdline *cmdline)
{
    return cmdline->port_file;
}

const char *sc_cmdline_config_path(const struct sc_cmdline *cmdline)
{
    return cmdline->config_path;
}

size_t sc_cmdline_settings(const struct sc_cmdline *cmdline,
                           const struct sc_cmdline_setting **settings)
{
    *settings = cmdline->settings;
    return cmdline->count;
}
