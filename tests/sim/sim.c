/* sim.c - the simulator's command line: runs scenarios in virtual time and tells what they were
 * worth. */
#include "random.h"
#include "scenario.h"
#include "units.h"
#include "world.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { USEC_PER_SEC = 1000000, EXIT_USAGE = 2, KEPT_MOST = 10, TEXT_BYTES = 64 };

static const char usage[] =
    "Usage: sim [OPTION]... FILE...\n"
    "       sim [OPTION]... --random N\n"
    "Runs scenarios against the coordinator's own code, in virtual time: each on an ample and a\n"
    "tight host, at every interval.\n"
    "\n"
    "      --host ample|tight  only this host\n"
    "      --interval SECONDS  only this interval\n"
    "      --policy NAME       decide by this law instead of the coordinator\n"
    "      --seed N            what is random is drawn from this (default 1)\n"
    "      --random N          run N random worlds, of seed, seed + 1, ...; keep those that break "
    "a\n"
    "                          gate as files\n"
    "      --keep DIR          where (default build)\n"
    "      --json              a line of JSON for each run\n"
    "      --trace FILE        trace the one run selected; scripts/plot draws it\n"
    "      --record FILE       record it as the program does; scripts/report shows it\n"
    "  -v                      the coordinator's own log on standard error; twice: all of it\n"
    "  -h, --help              print this text\n"
    "\n"
    "Exit status: 0 no gate broken, 1 a gate broken, 2 wrong usage or a bad file.\n";

struct options {
    const struct law *law; /* NULL: the coordinator */
    uint64_t seed;
    uint64_t interval_usec; /* 0: all */
    int host;               /* 0 ample, 1 tight, -1 both */
    uint64_t worlds;        /* 0: files */
    const char *keep;
    const char *trace;
    const char *record;
    bool json;
    unsigned int verbosity;
};

/* What all runs came to. */
struct summary {
    unsigned int runs;
    unsigned int broken;
    unsigned int gates[SCORE_GATES]; /* runs that broke each */
    bool has_header;
};

/* ---- telling ---- */

static bool has_broken(const struct scores *scores)
{
    for (size_t i = 0; i < SCORE_GATES; i++)
        if (scores->gates[i] != 0)
            return true;
    return false;
}

static const char *policy_name(const struct sim_run *run)
{
    return run->law != NULL ? run->law->name : "memory_coordinator";
}

static const char *host_name(const struct sim_run *run)
{
    return run->is_tight ? "tight" : "ample";
}

static double interval_sec(const struct sim_run *run)
{
    return (double)run->interval_usec / USEC_PER_SEC;
}

static const char *format_gates(const struct scores *scores, char text[TEXT_BYTES])
{
    size_t length = 0;
    strcpy(text, "0");
    for (unsigned int i = 0; i < SCORE_GATES && length < TEXT_BYTES; i++)
        if (scores->gates[i] != 0)
            length += (size_t)snprintf(text + length, TEXT_BYTES - length, "%sG%u:%u",
                                       length > 0 ? "," : "", i + 1, scores->gates[i]);
    return text;
}

/* What was moved for each MiB that had to be. */
static const char *format_churn(const struct scores *scores, char text[TEXT_BYTES])
{
    if (scores->least_moved_mib >= 1)
        snprintf(text, TEXT_BYTES, "%.2f", scores->moved_mib / scores->least_moved_mib);
    else
        strcpy(text, "-");
    return text;
}

static void print_header(void)
{
    printf("%-24s %-5s %4s %-20s %9s %8s %10s %6s %5s %5s %7s %5s\n", "scenario", "host", "sec",
           "gates", "shortfall", "starved", "waste", "churn", "calls", "fair", "settle", "kills");
}

static void print_row(const struct sim_run *run, const struct scores *scores)
{
    char gates[TEXT_BYTES];
    char churn[TEXT_BYTES];
    printf("%-24s %-5s %4g %-20s %9.1f %8.1f %10.0f %6s %5u %5.2f %7.1f %5u\n", run->scenario->name,
           host_name(run), interval_sec(run), format_gates(scores, gates),
           scores->shortfall_mib_sec, scores->starved_sec, scores->waste_mib_sec,
           format_churn(scores, churn), scores->calls, scores->fairness, scores->settle_sec,
           scores->kills);
    for (unsigned int i = 0; i < SCORE_GATES; i++)
        if (scores->gates[i] != 0)
            printf("    G%u: %s\n", i + 1, scores->notes[i]);
}

static void print_json_text(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++)
        if (*text == '"' || *text == '\\')
            printf("\\%c", *text);
        else if ((unsigned char)*text < ' ')
            printf("\\u%04x", (unsigned int)(unsigned char)*text);
        else
            putchar(*text);
    putchar('"');
}

static void print_json_notes(const struct scores *scores)
{
    const char *separator = "";
    printf("\"notes\":{");
    for (unsigned int i = 0; i < SCORE_GATES; i++) {
        if (scores->gates[i] == 0)
            continue;
        printf("%s\"g%u\":", separator, i + 1);
        print_json_text(scores->notes[i]);
        separator = ",";
    }
    printf("}");
}

static void print_json(const struct sim_run *run, const struct scores *scores)
{
    printf("{\"scenario\":");
    print_json_text(run->scenario->name);
    printf(",\"host\":\"%s\",\"interval\":%g,\"policy\":", host_name(run), interval_sec(run));
    print_json_text(policy_name(run));
    printf(",\"seed\":%" PRIu64, run->seed);
    for (unsigned int i = 0; i < SCORE_GATES; i++)
        printf(",\"g%u\":%u", i + 1, scores->gates[i]);
    printf(",\"starved_sec\":%.3f,\"shortfall_mib_sec\":%.3f,\"waste_mib_sec\":%.3f",
           scores->starved_sec, scores->shortfall_mib_sec, scores->waste_mib_sec);
    printf(",\"moved_mib\":%.3f,\"least_moved_mib\":%.3f,\"calls\":%u,\"late_calls\":%u",
           scores->moved_mib, scores->least_moved_mib, scores->calls, scores->late_calls);
    printf(",\"fairness\":%.4f,\"jain\":%.4f,\"settle_sec\":%.3f,\"overshoot_mib\":%.3f",
           scores->fairness, scores->jain, scores->settle_sec, scores->overshoot_mib);
    printf(",\"kills\":%u,\"swap_in_mib\":%.3f,", scores->kills, scores->swap_in_mib);
    print_json_notes(scores);
    printf("}\n");
}

static void tell(const struct options *options, const struct sim_run *run,
                 const struct scores *scores, struct summary *summary)
{
    summary->runs++;
    summary->broken += has_broken(scores);
    for (size_t i = 0; i < SCORE_GATES; i++)
        summary->gates[i] += scores->gates[i] != 0;
    if (options->json) {
        print_json(run, scores);
        return;
    }
    /* Of random worlds only those are worth a line that broke a gate. */
    if (options->worlds > 0 && !has_broken(scores))
        return;
    if (!summary->has_header)
        print_header();
    summary->has_header = true;
    print_row(run, scores);
}

static void tell_summary(const struct options *options, const struct summary *summary)
{
    if (options->json)
        return;
    printf("%u runs by %s, seed %" PRIu64 ": %u broke a gate", summary->runs,
           options->law != NULL ? options->law->name : "memory_coordinator", options->seed,
           summary->broken);
    for (unsigned int i = 0; i < SCORE_GATES; i++)
        if (summary->gates[i] != 0)
            printf(", G%u %u", i + 1, summary->gates[i]);
    printf("\n");
}

static int fail(const char *what, int result)
{
    fprintf(stderr, "sim: %s: %s\n", what, strerror(-result));
    return EXIT_USAGE;
}

/* ---- running ---- */

static struct sim_run make_run(const struct options *options, const struct sim_scenario *scenario)
{
    return (struct sim_run){
        .scenario = scenario,
        .seed = options->seed,
        .law = options->law,
        .log = options->verbosity > 0 ? stderr : NULL,
        .log_level = options->verbosity > 1 ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO,
    };
}

static int play(const struct options *options, const struct sim_run *run, struct summary *summary)
{
    struct scores scores;
    if (run->log != NULL)
        fprintf(run->log, "-- %s, %s host, every %g s\n", run->scenario->name, host_name(run),
                interval_sec(run));
    int result = world_play(run, &scores);
    if (result != 0)
        return fail(run->scenario->name, result);
    tell(options, run, &scores, summary);
    return EXIT_SUCCESS;
}

/* Opens PATH for writing; NULL is no file. Returns 0 or an exit status. */
static int open_output(const char *path, FILE **ret)
{
    if (path == NULL)
        return EXIT_SUCCESS;
    *ret = fopen(path, "w");
    return *ret != NULL ? EXIT_SUCCESS : fail(path, -errno);
}

/* Closes what open_output() has opened. Returns STATUS, or that of what could not be written. */
static int close_output(const char *path, FILE *stream, int status)
{
    if (stream == NULL)
        return status;
    bool has_failed = ferror(stream) != 0;
    if (fclose(stream) != 0 || has_failed)
        return fail(path, -EIO);
    return status;
}

static int play_to_files(const struct options *options, struct sim_run *run,
                         struct summary *summary)
{
    int status = open_output(options->trace, &run->trace);
    if (status == EXIT_SUCCESS)
        status = open_output(options->record, &run->record);
    if (status == EXIT_SUCCESS)
        status = play(options, run, summary);
    status = close_output(options->record, run->record, status);
    return close_output(options->trace, run->trace, status);
}

/* The intervals at which a scenario is run: its own, or the one that was chosen. */
static size_t interval_count(const struct options *options, const struct sim_scenario *scenario)
{
    return options->interval_usec != 0 ? 1 : scenario->interval_count;
}

static bool has_host(const struct options *options, const struct sim_scenario *scenario, int host)
{
    return scenario->host_kib[host] != 0 && (options->host < 0 || options->host == host);
}

static size_t count_runs(const struct options *options, const struct sim_scenario *scenario)
{
    size_t hosts = (size_t)has_host(options, scenario, 0) + (size_t)has_host(options, scenario, 1);
    return hosts * interval_count(options, scenario);
}

static int play_scenario(const struct options *options, const struct sim_scenario *scenario,
                         struct summary *summary)
{
    struct sim_run run = make_run(options, scenario);
    for (int host = 0; host < 2; host++) {
        if (!has_host(options, scenario, host))
            continue;
        run.is_tight = host == 1;
        for (size_t i = 0; i < interval_count(options, scenario); i++) {
            run.interval_usec =
                options->interval_usec != 0 ? options->interval_usec : scenario->intervals_usec[i];
            int status = play_to_files(options, &run, summary);
            if (status != EXIT_SUCCESS)
                return status;
        }
    }
    return EXIT_SUCCESS;
}

static int play_scenarios(const struct options *options, const struct sim_scenario *scenarios,
                          size_t count)
{
    struct summary summary = {0};
    size_t runs = 0;
    for (size_t i = 0; i < count; i++)
        runs += count_runs(options, &scenarios[i]);
    const char *taker = options->trace != NULL ? "--trace" : "--record";
    if ((options->trace != NULL || options->record != NULL) && runs != 1) {
        fprintf(stderr,
                "sim: %s takes one run, these are %zu: choose a FILE, --host and --interval\n",
                taker, runs);
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < count; i++) {
        int status = play_scenario(options, &scenarios[i], &summary);
        if (status != EXIT_SUCCESS)
            return status;
    }
    tell_summary(options, &summary);
    return summary.broken == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* All files are read before anything is run. */
static int run_files(const struct options *options, char *const paths[], size_t count)
{
    struct sim_scenario *scenarios = calloc(count, sizeof(*scenarios));
    if (scenarios == NULL)
        return fail("scenarios", -ENOMEM);
    int status = EXIT_SUCCESS;
    for (size_t i = 0; i < count; i++) {
        char error[SIM_ERROR_BYTES];
        if (scenario_read(paths[i], &scenarios[i], error) != 0) {
            fprintf(stderr, "%s\n", error);
            status = EXIT_USAGE;
        }
    }
    if (status == EXIT_SUCCESS)
        status = play_scenarios(options, scenarios, count);
    for (size_t i = 0; i < count; i++)
        scenario_release(&scenarios[i]);
    free(scenarios);
    return status;
}

/* ---- random worlds ---- */

static int keep(const struct options *options, const struct sim_scenario *scenario)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof(path), "%s/%s.ini", options->keep, scenario->name);
    if (length < 0 || (size_t)length >= sizeof(path))
        return fail(options->keep, -ENAMETOOLONG);
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return fail(path, -errno);
    int result = scenario_write(scenario, file);
    if (fclose(file) != 0 || result != 0)
        return fail(path, -EIO);
    if (!options->json)
        printf("    again: sim --seed %" PRIu64 " %s\n", options->seed, path);
    return EXIT_SUCCESS;
}

static int run_world(const struct options *options, struct summary *summary)
{
    struct sim_scenario scenario;
    unsigned int broken = summary->broken;
    int result = random_scenario(options->seed, &scenario);
    if (result != 0)
        return fail("random world", result);
    int status = play_scenario(options, &scenario, summary);
    if (status == EXIT_SUCCESS && summary->broken > broken && summary->broken <= KEPT_MOST)
        status = keep(options, &scenario);
    scenario_release(&scenario);
    return status;
}

static int run_worlds(const struct options *options)
{
    struct summary summary = {0};
    struct options one = *options;
    for (uint64_t i = 0; i < options->worlds; i++) {
        one.seed = options->seed + i;
        int status = run_world(&one, &summary);
        if (status != EXIT_SUCCESS)
            return status;
    }
    tell_summary(options, &summary);
    return summary.broken == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- the command line ---- */

static int complain(const char *what, const char *text, const char *wanted)
{
    fprintf(stderr, "sim: %s '%s': expected %s\n", what, text, wanted);
    return EXIT_USAGE;
}

static bool read_number(const char *text, uint64_t *ret)
{
    char *end;
    errno = 0;
    *ret = strtoull(text, &end, 10);
    return errno == 0 && *text >= '0' && *text <= '9' && *end == '\0';
}

static int choose_policy(struct options *options, const char *name)
{
    options->law = law_find(name);
    if (options->law != NULL)
        return 0;
    fprintf(stderr, "sim: --policy '%s': expected one of these:\n", name);
    for (const struct law *law = laws; law->name != NULL; law++)
        fprintf(stderr, "  %-14s %s\n", law->name, law->about);
    return EXIT_USAGE;
}

static int choose_host(struct options *options, const char *name)
{
    if (strcmp(name, "ample") != 0 && strcmp(name, "tight") != 0)
        return complain("--host", name, "ample or tight");
    options->host = strcmp(name, "tight") == 0;
    return 0;
}

static int choose_interval(struct options *options, const char *text)
{
    uint64_t hour_usec = UINT64_C(3600) * USEC_PER_SEC;
    if (units_parse_seconds_usec(text, SIM_STEP_USEC, hour_usec, &options->interval_usec) != 0 ||
        options->interval_usec % SIM_STEP_USEC != 0)
        return complain("--interval", text, "0.1 to 3600 seconds, a multiple of 0.1");
    return 0;
}

enum choice {
    CHOICE_POLICY = 256,
    CHOICE_SEED,
    CHOICE_INTERVAL,
    CHOICE_HOST,
    CHOICE_JSON,
    CHOICE_TRACE,
    CHOICE_RECORD,
    CHOICE_RANDOM,
    CHOICE_KEEP,
};

static const struct option choices[] = {
    {"policy", required_argument, NULL, CHOICE_POLICY},
    {"seed", required_argument, NULL, CHOICE_SEED},
    {"interval", required_argument, NULL, CHOICE_INTERVAL},
    {"host", required_argument, NULL, CHOICE_HOST},
    {"json", no_argument, NULL, CHOICE_JSON},
    {"trace", required_argument, NULL, CHOICE_TRACE},
    {"record", required_argument, NULL, CHOICE_RECORD},
    {"random", required_argument, NULL, CHOICE_RANDOM},
    {"keep", required_argument, NULL, CHOICE_KEEP},
    {"help", no_argument, NULL, 'h'},
    {0},
};

/* Takes one option. Returns 0, or the exit status of a wrong one. */
static int take_option(struct options *options, int option)
{
    switch (option) {
    case CHOICE_POLICY:
        return choose_policy(options, optarg);
    case CHOICE_SEED:
        return read_number(optarg, &options->seed) ? 0
                                                   : complain("--seed", optarg, "a whole number");
    case CHOICE_INTERVAL:
        return choose_interval(options, optarg);
    case CHOICE_HOST:
        return choose_host(options, optarg);
    case CHOICE_JSON:
        options->json = true;
        return 0;
    case CHOICE_TRACE:
        options->trace = optarg;
        return 0;
    case CHOICE_RECORD:
        options->record = optarg;
        return 0;
    case CHOICE_RANDOM:
        return read_number(optarg, &options->worlds) && options->worlds > 0
                   ? 0
                   : complain("--random", optarg, "a whole number above 0");
    case CHOICE_KEEP:
        options->keep = optarg;
        return 0;
    case 'v':
        options->verbosity++;
        return 0;
    default:
        fputs("sim: --help tells how it is used\n", stderr);
        return EXIT_USAGE;
    }
}

/* What does not go together. */
static int check_options(const struct options *options, int files)
{
    const char *wrong = NULL;
    if (options->worlds == 0 && files == 0)
        wrong = "expected a scenario file, or --random N";
    else if (options->worlds > 0 && files > 0)
        wrong = "expected files or --random, not both";
    else if (options->worlds > 0 && (options->interval_usec != 0 || options->host >= 0))
        wrong = "a random world has its own host and interval";
    else if (options->worlds > 1 && (options->trace != NULL || options->record != NULL))
        wrong = "--trace and --record take one run";
    else if (options->law != NULL && options->record != NULL)
        wrong = "--record takes the coordinator's own cycles, not those of another law";
    if (wrong != NULL)
        fprintf(stderr, "sim: %s; --help tells more\n", wrong);
    return wrong != NULL ? EXIT_USAGE : 0;
}

int main(int argc, char *argv[])
{
    struct options options = {.seed = 1, .host = -1, .keep = "build"};
    int option;
    while ((option = getopt_long(argc, argv, "vh", choices, NULL)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        }
        int status = take_option(&options, option);
        if (status != 0)
            return status;
    }
    int status = check_options(&options, argc - optind);
    if (status != 0)
        return status;
    if (options.worlds > 0)
        return run_worlds(&options);
    return run_files(&options, &argv[optind], (size_t)(argc - optind));
}
