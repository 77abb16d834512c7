/* options.c - the command line. */
#include "options.h"

#include "units.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { USEC_PER_SEC = 1000000 };

static const uint64_t INTERVAL_LEAST_USEC = USEC_PER_SEC / 10;
static const uint64_t INTERVAL_MOST_USEC = UINT64_C(3600) * USEC_PER_SEC;
#define INTERVAL_RANGE "seconds from 0.1 to 3600"

const char options_usage[] =
    "Usage: memory_coordinator [OPTIONS] INTERVAL\n"
    "Move memory between running libvirt guests, every INTERVAL seconds (0.1 to 3600).\n"
    "\n"
    "  -c, --connect URI        hypervisor (default: $LIBVIRT_DEFAULT_URI, else qemu:///system)\n"
    "  -f, --config FILE        settings (default: " OPTIONS_CONFIG_PATH ", if there)\n"
    "      --host-reserve SIZE  the host keeps this much available (default 200MiB)\n"
    "      --min SIZE           no guest is asked to go below (default 200MiB)\n"
    "      --headroom SIZE|N%   must stay unused in every guest (default 100MiB)\n"
    "      --surge SIZE         growth per second a guest may begin with (default 28MiB)\n"
    "      --metric METRIC      what a guest can give: unused (default) or usable\n"
    "  -n, --dry-run            say what would be done, touch nothing\n"
    "  -1, --once               look twice, act once, exit\n"
    "  -v, --verbose            say in every cycle what was decided for every guest\n"
    "  -q, --quiet              say only what is wrong\n"
    "  -h, --help               this text\n"
    "  -V, --version            the version\n"
    "\n"
    "SIZE is a number and KiB, MiB, GiB, K, M or G; a bare number is MiB.\n"
    "Runs in the foreground, logs to standard error; SIGINT or SIGTERM ends it, guests\n"
    "keep their sizes; SIGHUP has it read its settings again.\n";

/* The options that are settings as well: what they are called there, and getopt's key of each. */
static const struct knob {
    int key;
    const char *name;
} knobs[] = {
    {'R', "host-reserve"}, {'m', "min"}, {'r', "headroom"}, {'s', "surge"}, {'M', "metric"},
};
_Static_assert(sizeof(knobs) / sizeof(*knobs) == OPTIONS_KNOBS, "a place for each");

/* The leading ':' tells a missing argument from an unknown option. */
static const char short_options[] = ":c:f:n1vqhV";
static const struct option long_options[] = {
    {"connect", required_argument, NULL, 'c'},
    {"config", required_argument, NULL, 'f'},
    {"dry-run", no_argument, NULL, 'n'},
    {"once", no_argument, NULL, '1'},
    {"verbose", no_argument, NULL, 'v'},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {"host-reserve", required_argument, NULL, 'R'},
    {"min", required_argument, NULL, 'm'},
    {"headroom", required_argument, NULL, 'r'},
    {"surge", required_argument, NULL, 's'},
    {"metric", required_argument, NULL, 'M'},
    {NULL, 0, NULL, 0},
};

/* The option's value must be one that the configuration takes. */
static int parse_knob(struct options *options, int key, const char *text, char *error)
{
    char reason[CONFIG_ERROR_BYTES];
    struct config scratch = config_default();
    size_t i = 0;
    while (knobs[i].key != key)
        i++;
    options->knobs[i] = text;
    if (config_set(&scratch, knobs[i].name, text, reason) == 0)
        return 0;
    snprintf(error, OPTIONS_ERROR_BYTES, "--%s", reason);
    return -EINVAL;
}

void options_apply(const struct options *options, struct config *config)
{
    char error[CONFIG_ERROR_BYTES];
    config->policy.interval_usec = options->interval_usec;
    for (size_t i = 0; i < OPTIONS_KNOBS; i++)
        if (options->knobs[i] != NULL)
            config_set(config, knobs[i].name, options->knobs[i], error); /* was tried before */
}

/* The first word that is a negative number, to getopt a cluster of digits; NULL if there is none.
 */
static const char *find_negative_number(char *const argv[])
{
    for (; *argv != NULL; argv++)
        if ((*argv)[0] == '-' && (*argv)[1] != '\0' &&
            (*argv)[1 + strspn(*argv + 1, "0123456789.")] == '\0')
            return *argv;
    return NULL;
}

static bool is_flag(int key)
{
    for (const struct option *option = long_options; option->name != NULL; option++)
        if (option->val == key)
            return option->has_arg == no_argument;
    return false;
}

/* What getopt_long() could not read. A long option is argv[optind - 1], a short one may be inside
 * it. */
static int explain_bad_option(char *const argv[], bool argument_missing, char *error)
{
    const char *word = argv[optind - 1];
    const char *number = find_negative_number(argv);
    /* Within a cluster of short ones, word is the one before it. */
    bool is_long = optopt == 0 || (is_flag(optopt) && strchr(word, '=') != NULL);
    if (argument_missing)
        snprintf(error, OPTIONS_ERROR_BYTES, "option '%s' needs an argument", word);
    else if (is_long && optopt != 0)
        snprintf(error, OPTIONS_ERROR_BYTES, "option '%s' takes no argument", word);
    else if (is_long)
        snprintf(error, OPTIONS_ERROR_BYTES, "unknown option '%s'; see --help", word);
    else if ((isdigit(optopt) || optopt == '.') && number != NULL)
        snprintf(error, OPTIONS_ERROR_BYTES,
                 "INTERVAL '%s': out of range, expected " INTERVAL_RANGE, number);
    else
        snprintf(error, OPTIONS_ERROR_BYTES, "unknown option '-%c'; see --help", optopt);
    return -EINVAL;
}

static int parse_interval(struct options *options, int argc, char *const argv[], char *error)
{
    if (optind == argc) {
        snprintf(error, OPTIONS_ERROR_BYTES, "no INTERVAL%s%s%s, expected " INTERVAL_RANGE,
                 argc > 1 ? " after '" : "", argc > 1 ? argv[argc - 1] : "", argc > 1 ? "'" : "");
        return -EINVAL;
    }
    if (optind + 1 < argc) {
        snprintf(error, OPTIONS_ERROR_BYTES,
                 "extra argument '%s', expected one INTERVAL: " INTERVAL_RANGE, argv[optind + 1]);
        return -EINVAL;
    }
    const char *text = argv[optind];
    int result = units_parse_seconds_usec(text, INTERVAL_LEAST_USEC, INTERVAL_MOST_USEC,
                                          &options->interval_usec);
    if (result == 0)
        return 0;
    snprintf(error, OPTIONS_ERROR_BYTES, "INTERVAL '%s': %s, expected " INTERVAL_RANGE, text,
             result == -ERANGE ? "out of range" : "not a decimal number");
    return -EINVAL;
}

static int parse_option(struct options *options, int key, char *const argv[], char *error)
{
    switch (key) {
    case 'c':
        options->uri = optarg;
        if (*optarg != '\0')
            return 0;
        snprintf(error, OPTIONS_ERROR_BYTES, "--connect '': expected a libvirt URI");
        return -EINVAL;
    case 'f':
        options->config_path = optarg;
        if (*optarg != '\0')
            return 0;
        snprintf(error, OPTIONS_ERROR_BYTES, "--config '': expected a file");
        return -EINVAL;
    case 'n':
        options->dry_run = true;
        return 0;
    case '1':
        options->once = true;
        return 0;
    case 'v':
        options->verbose = true;
        return 0;
    case 'q':
        options->quiet = true;
        return 0;
    case 'h':
        options->command = OPTIONS_HELP;
        return 0;
    case 'V':
        options->command = OPTIONS_VERSION;
        return 0;
    case '?':
    case ':':
        return explain_bad_option(argv, key == ':', error);
    default:
        return parse_knob(options, key, optarg, error);
    }
}

int options_parse(int argc, char *const argv[], struct options *ret_options,
                  char error[OPTIONS_ERROR_BYTES])
{
    struct options options = {.command = OPTIONS_RUN};
    int key;
    optind = 0; /* glibc: start afresh, so that the function can be called more than once */
    opterr = 0;
    while ((key = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
        if (parse_option(&options, key, argv, error) != 0)
            return -EINVAL;
        if (options.command != OPTIONS_RUN) /* --help and --version win over all that follows */
            break;
    }
    if (options.command == OPTIONS_RUN) {
        if (options.verbose && options.quiet) {
            snprintf(error, OPTIONS_ERROR_BYTES, "--verbose and --quiet exclude each other");
            return -EINVAL;
        }
        if (parse_interval(&options, argc, argv, error) != 0)
            return -EINVAL;
    }
    *ret_options = options;
    return 0;
}
