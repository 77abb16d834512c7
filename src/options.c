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

static const uint64_t CALL_TIMEOUT_USEC = UINT64_C(5) * USEC_PER_SEC;
static const uint64_t CALL_TIMEOUT_LEAST_USEC = USEC_PER_SEC;
static const uint64_t CALL_TIMEOUT_MOST_USEC = UINT64_C(3600) * USEC_PER_SEC;
#define CALL_TIMEOUT_RANGE "seconds from 1 to 3600"

#define METRICS_SUFFIX ".prom"

const char options_usage[] =
    "Usage: memory_coordinator [OPTIONS] INTERVAL\n"
    "Move memory between running libvirt guests every INTERVAL (0.1 to 3600) seconds.\n"
    "\n"
    "  -c, --connect URI        hypervisor ($LIBVIRT_DEFAULT_URI or qemu:///system)\n"
    "  -f, --config FILE        settings (" OPTIONS_CONFIG_PATH ")\n"
    "      --state-dir DIR      for lock and state (/run/memory_coordinator)\n"
    "      --record FILE        append every cycle to it, as a line of JSON\n"
    "      --metrics FILE.prom  for Prometheus: node_exporter's textfile collector\n"
    "      --host-reserve SIZE  the host keeps this much available (200MiB)\n"
    "      --min SIZE           no guest is asked to go below (200MiB)\n"
    "      --headroom SIZE|N%   must stay unused in every guest (100MiB)\n"
    "      --surge SIZE         growth per second a guest may begin with (28MiB)\n"
    "      --metric METRIC      what a guest can give: unused (default) or usable\n"
    "      --on-exit HOW        leave guests (default), restore or release sizes\n"
    "      --call-timeout SEC   a cycle waits no longer for who does not answer (5)\n"
    "      --ksm auto|off       share equal pages while the host is short (off)\n"
    "      --log-format FORMAT  text (default) or json\n"
    "  -n, --dry-run            touch nothing;       -1, --once: act once, exit\n"
    "  -v, --verbose            say every decision;  -q, --quiet: only what is wrong\n"
    "  -h, --help               this text;           -V, --version: the version\n"
    "\n"
    "SIZE is a number and KiB, MiB (without a unit), GiB, K, M or G. In brackets:\n"
    "defaults. Logs to standard error; SIGTERM ends it, SIGHUP: read settings again.\n"
    "Commands (with --help): status explain pause resume reserve release set replay.\n";

/* The options that are settings as well: what they are called there, and getopt's key of each. */
static const struct knob {
    int key;
    const char *name;
} knobs[] = {
    {'R', "host-reserve"}, {'m', "min"},    {'r', "headroom"},
    {'s', "surge"},        {'M', "metric"}, {'k', "ksm"},
};
_Static_assert(sizeof(knobs) / sizeof(*knobs) == OPTIONS_KNOBS, "a place for each");

/* The leading ':' tells a missing argument from an unknown option. */
static const char short_options[] = ":c:f:n1vqhV";
static const struct option long_options[] = {
    {"connect", required_argument, NULL, 'c'},
    {"config", required_argument, NULL, 'f'},
    {"state-dir", required_argument, NULL, 'd'},
    {"record", required_argument, NULL, 'o'},
    {"metrics", required_argument, NULL, 'p'},
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
    {"ksm", required_argument, NULL, 'k'},
    {"log-format", required_argument, NULL, 'l'},
    {"on-exit", required_argument, NULL, 'e'},
    {"call-timeout", required_argument, NULL, 't'},
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

/* Reads seconds of WHAT, "INTERVAL" or an option's name, that are to be in RANGE. */
static int parse_seconds(const char *what, const char *text, uint64_t least_usec,
                         uint64_t most_usec, const char *range, uint64_t *ret_usec, char *error)
{
    int result = units_parse_seconds_usec(text, least_usec, most_usec, ret_usec);
    if (result == 0)
        return 0;
    snprintf(error, OPTIONS_ERROR_BYTES, "%s '%s': %s, expected %s", what, text,
             result == -ERANGE ? "out of range" : "not a decimal number", range);
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
    if (isalpha((unsigned char)argv[optind][0])) {
        snprintf(error, OPTIONS_ERROR_BYTES,
                 "'%s': neither a command nor an INTERVAL, " INTERVAL_RANGE "; see --help",
                 argv[optind]);
        return -EINVAL;
    }
    return parse_seconds("INTERVAL", argv[optind], INTERVAL_LEAST_USEC, INTERVAL_MOST_USEC,
                         INTERVAL_RANGE, &options->interval_usec, error);
}

static int parse_on_exit(struct options *options, const char *text, char *error)
{
    static const struct {
        const char *name;
        enum policy_goal goal;
    } ways[] = {
        {"leave", POLICY_BALANCE}, {"restore", POLICY_RESTORE}, {"release", POLICY_RELEASE}};
    for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
        if (strcmp(text, ways[i].name) == 0) {
            options->on_exit = ways[i].goal;
            return 0;
        }
    }
    snprintf(error, OPTIONS_ERROR_BYTES, "--on-exit '%s': expected leave, restore or release",
             text);
    return -EINVAL;
}

static int parse_log_format(struct options *options, const char *text, char *error)
{
    options->is_json = strcmp(text, "json") == 0;
    if (options->is_json || strcmp(text, "text") == 0)
        return 0;
    snprintf(error, OPTIONS_ERROR_BYTES, "--log-format '%s': expected text or json", text);
    return -EINVAL;
}

/* What is there is replaced, so that it had better be meant for that. */
static int parse_metrics(struct options *options, const char *text, char *error)
{
    size_t length = strlen(text);
    size_t end = strlen(METRICS_SUFFIX);
    options->metrics_path = text;
    if (length > end && strcmp(&text[length - end], METRICS_SUFFIX) == 0)
        return 0;
    snprintf(error, OPTIONS_ERROR_BYTES,
             "--metrics '%s': expected a file whose name ends in " METRICS_SUFFIX
             "; node_exporter reads no other",
             text);
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
    case 'o':
        options->record_path = optarg;
        if (*optarg != '\0')
            return 0;
        snprintf(error, OPTIONS_ERROR_BYTES, "--record '': expected a file");
        return -EINVAL;
    case 'l':
        return parse_log_format(options, optarg, error);
    case 'p':
        return parse_metrics(options, optarg, error);
    case 'e':
        return parse_on_exit(options, optarg, error);
    case 't':
        return parse_seconds("--call-timeout", optarg, CALL_TIMEOUT_LEAST_USEC,
                             CALL_TIMEOUT_MOST_USEC, CALL_TIMEOUT_RANGE,
                             &options->call_timeout_usec, error);
    case 'd':
        options->state_dir = optarg;
        if (*optarg != '\0')
            return 0;
        snprintf(error, OPTIONS_ERROR_BYTES, "--state-dir '': expected a directory");
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

static int check_together(const struct options *options, char *error)
{
    if (options->verbose && options->quiet)
        snprintf(error, OPTIONS_ERROR_BYTES, "--verbose and --quiet exclude each other");
    else if (options->once && options->on_exit != POLICY_BALANCE)
        snprintf(error, OPTIONS_ERROR_BYTES, "--once and --on-exit exclude each other");
    else if (options->once && options->metrics_path != NULL)
        snprintf(error, OPTIONS_ERROR_BYTES, "--once and --metrics exclude each other");
    else
        return 0;
    return -EINVAL;
}

int options_parse(int argc, char *const argv[], struct options *ret_options,
                  char error[OPTIONS_ERROR_BYTES])
{
    struct options options = {.command = OPTIONS_RUN, .call_timeout_usec = CALL_TIMEOUT_USEC};
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
        if (check_together(&options, error) != 0)
            return -EINVAL;
        if (parse_interval(&options, argc, argv, error) != 0)
            return -EINVAL;
    }
    *ret_options = options;
    return 0;
}
