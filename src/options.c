/* options.c - the command line. */
#include "options.h"

#include "units.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { KIB_PER_MIB = 1024, USEC_PER_SEC = 1000000 };

static const uint64_t INTERVAL_LEAST_USEC = USEC_PER_SEC / 10;
static const uint64_t INTERVAL_MOST_USEC = UINT64_C(3600) * USEC_PER_SEC;
#define INTERVAL_RANGE "seconds from 0.1 to 3600"

const char options_usage[] =
    "Usage: memory_coordinator [OPTIONS] INTERVAL\n"
    "Move memory between running libvirt guests, every INTERVAL seconds (0.1 to 3600).\n"
    "\n"
    "  -c, --connect URI        hypervisor (default: $LIBVIRT_DEFAULT_URI, else qemu:///system)\n"
    "      --host-reserve SIZE  the host keeps this much available (default 200MiB)\n"
    "      --min SIZE           no guest is asked to go below (default 200MiB)\n"
    "      --headroom SIZE      must stay unused in every guest (default 100MiB)\n"
    "      --surge SIZE         growth per second a guest may begin with (default 28MiB)\n"
    "  -n, --dry-run            say what would be done, touch nothing\n"
    "  -1, --once               look twice, act once, exit\n"
    "  -v, --verbose            say in every cycle what was decided for every guest\n"
    "  -q, --quiet              say only what is wrong\n"
    "  -h, --help               this text\n"
    "  -V, --version            the version\n"
    "\n"
    "SIZE is a number and KiB, MiB, GiB, K, M or G; a bare number is MiB.\n"
    "Runs in the foreground, logs to standard error, ends on SIGINT or SIGTERM;\n"
    "guests keep the sizes they have then.\n";

/* The options that take a size, and where it goes. */
static const struct size_option {
    int key;
    const char *name;
    size_t offset; /* in struct policy_config */
    uint64_t low_kib;
    uint64_t default_kib;
} size_options[] = {
    {'R', "host-reserve", offsetof(struct policy_config, host_reserve_kib), 0, 200 * KIB_PER_MIB},
    {'m', "min", offsetof(struct policy_config, min_kib), KIB_PER_MIB, 200 * KIB_PER_MIB},
    {'r', "headroom", offsetof(struct policy_config, headroom_kib), KIB_PER_MIB, 100 * KIB_PER_MIB},
    {'s', "surge", offsetof(struct policy_config, surge_kib_per_sec), 0, 28 * KIB_PER_MIB},
};
enum { SIZE_OPTIONS = sizeof(size_options) / sizeof(*size_options) };

/* The leading ':' tells a missing argument from an unknown option. */
static const char short_options[] = ":c:n1vqhV";
static const struct option long_options[] = {
    {"connect", required_argument, NULL, 'c'}, {"dry-run", no_argument, NULL, 'n'},
    {"once", no_argument, NULL, '1'},          {"verbose", no_argument, NULL, 'v'},
    {"quiet", no_argument, NULL, 'q'},         {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},       {"host-reserve", required_argument, NULL, 'R'},
    {"min", required_argument, NULL, 'm'},     {"headroom", required_argument, NULL, 'r'},
    {"surge", required_argument, NULL, 's'},   {NULL, 0, NULL, 0},
};

static uint64_t *size_field(struct policy_config *policy, const struct size_option *option)
{
    return (uint64_t *)(void *)((char *)policy + option->offset);
}

static struct options default_options(void)
{
    struct options options = {.command = OPTIONS_RUN};
    for (size_t i = 0; i < SIZE_OPTIONS; i++)
        *size_field(&options.policy, &size_options[i]) = size_options[i].default_kib;
    return options;
}

static int parse_size_option(struct options *options, int key, const char *text, char *error)
{
    const struct size_option *option = size_options;
    while (option->key != key)
        option++;
    int result = units_parse_size_kib(text, option->low_kib, UNITS_SIZE_MAX_KIB,
                                      size_field(&options->policy, option));
    if (result == 0)
        return 0;
    char low[UNITS_SIZE_TEXT_BYTES];
    char high[UNITS_SIZE_TEXT_BYTES];
    snprintf(error, OPTIONS_ERROR_BYTES, "--%s '%s': %s, expected %s to %s", option->name, text,
             result == -ERANGE ? "out of range" : "not a number and KiB, MiB, GiB, K, M or G",
             units_format_size(option->low_kib, low), units_format_size(UNITS_SIZE_MAX_KIB, high));
    return -EINVAL;
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
                                          &options->policy.interval_usec);
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
        return parse_size_option(options, key, optarg, error);
    }
}

int options_parse(int argc, char *const argv[], struct options *ret_options,
                  char error[OPTIONS_ERROR_BYTES])
{
    struct options options = default_options();
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
