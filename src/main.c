/* main.c - wires the modules up, keeps the time, and is the only place that exits. */
#include "config.h"
#include "coordinator.h"
#include "hypervisor.h"
#include "log.h"
#include "options.h"
#include "pace.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

enum { USEC_PER_SEC = 1000000, NSEC_PER_USEC = 1000, EXIT_USAGE = 2 };

/* How often libvirt's client is served during a wait; a server expects an answer every 5 s. */
static const uint64_t SERVE_USEC = 2 * USEC_PER_SEC;

/* A run, and what it has been told by signals. */
struct run {
    const struct options *options;
    const struct log *log;
    struct config config;
    bool has_file; /* the configuration has come from one */
    struct hypervisor *hypervisor;
    struct coordinator *coordinator;
    int signals; /* where they arrive; -1: not yet */
    bool is_stopping;
    bool is_to_reload;
};

/* ---- time and signals ---- */

static uint64_t monotonic_usec(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC;
}

static struct coordinator_time time_now(void)
{
    return (struct coordinator_time){.now_usec = monotonic_usec(), .wall_sec = time(NULL)};
}

/* SIGHUP has no business before the configuration has been read, and must not end the program. */
static void hold_hangup(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
}

/* Signals wait in a descriptor instead of interrupting: a call into libvirt is always finished. */
static int catch_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0)
        return -1;
    return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void take_signals(struct run *run)
{
    struct signalfd_siginfo signal;
    while (read(run->signals, &signal, sizeof(signal)) == (ssize_t)sizeof(signal)) {
        if (signal.ssi_signo == SIGHUP)
            run->is_to_reload = true;
        else
            run->is_stopping = true;
    }
}

/* Waits until UNTIL_USEC, but not longer than a signal takes to come. */
static void sleep_until(const struct run *run, uint64_t until_usec)
{
    struct pollfd descriptor = {.fd = run->signals, .events = POLLIN};
    uint64_t now = monotonic_usec();
    uint64_t left = until_usec > now ? until_usec - now : 0;
    struct timespec timeout = {
        .tv_sec = (time_t)(left / USEC_PER_SEC),
        .tv_nsec = (long)(left % USEC_PER_SEC) * NSEC_PER_USEC,
    };
    ppoll(&descriptor, 1, &timeout, NULL); /* EINTR: stopped and continued */
}

static bool is_stopping(void *argument)
{
    struct run *run = argument;
    take_signals(run);
    return run->is_stopping;
}

/* ---- configuration ---- */

static const char *config_path(const struct options *options)
{
    return options->config_path != NULL ? options->config_path : OPTIONS_CONFIG_PATH;
}

/* Reads the file, where there is one, and puts the command line over it. A file that MUST_BE_THERE
 * and is not is a failure. Returns 0, or a negative errno with the reason in ERROR. */
static int load_config(const struct options *options, bool must_be_there, struct config *ret_config,
                       bool *ret_has_file, char error[CONFIG_ERROR_BYTES])
{
    struct config config = config_default();
    int result = config_read(config_path(options), &config, error);
    if (result != 0 && (must_be_there || result != -ENOENT))
        return result;
    options_apply(options, &config);
    *ret_has_file = result == 0;
    *ret_config = config;
    return 0;
}

static void take_config(struct run *run, const struct config *config, bool has_file)
{
    config_release(&run->config);
    run->config = *config;
    run->has_file = has_file;
    if (has_file)
        log_say(run->log, LOG_LEVEL_INFO, "configuration %s read again", config_path(run->options));
    else
        log_say(run->log, LOG_LEVEL_INFO, "no configuration file; metadata is read again");
}

/* A file that is wrong now, or not there any more, changes nothing; domains are looked up again in
 * any case. */
static void reload(struct run *run)
{
    char error[CONFIG_ERROR_BYTES];
    struct config config;
    bool has_file;
    bool must_be_there = run->has_file || run->options->config_path != NULL;
    run->is_to_reload = false;
    if (load_config(run->options, must_be_there, &config, &has_file, error) == 0)
        take_config(run, &config, has_file);
    else
        log_say(run->log, LOG_LEVEL_ERROR, "%s; the settings stay as they are", error);
    coordinator_configure(run->coordinator, &run->config);
}

/* Waits until UNTIL_USEC, and does meanwhile what is due. Returns true if it is to end. */
static bool wait_until(struct run *run, uint64_t until_usec)
{
    uint64_t now;
    while (!is_stopping(run) && (now = monotonic_usec()) < until_usec) {
        if (run->is_to_reload)
            reload(run);
        hypervisor_serve(run->hypervisor);
        sleep_until(run, until_usec - now < SERVE_USEC ? until_usec : now + SERVE_USEC);
    }
    if (run->is_to_reload && !run->is_stopping)
        reload(run);
    return run->is_stopping;
}

/* ---- the two ways to run ---- */

/* Statistics may have to be switched on first, and growth takes two looks to be seen. */
static int run_once(struct run *run)
{
    uint64_t period_usec =
        (uint64_t)policy_report_period_sec(run->options->interval_usec) * USEC_PER_SEC;
    int result = coordinator_look(run->coordinator, time_now());
    if (result == 0 && !wait_until(run, monotonic_usec() + 2 * period_usec))
        result = coordinator_cycle(run->coordinator, time_now());
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run_until_stopped(struct run *run)
{
    uint64_t first = monotonic_usec();
    uint64_t wake;
    do {
        coordinator_cycle(run->coordinator, time_now());
        wake = pace_next_usec(first, run->options->interval_usec, monotonic_usec());
        uint64_t retry = coordinator_retry_usec(run->coordinator);
        if (retry != 0 && retry < wake)
            wake = retry;
    } while (!wait_until(run, wake));
    return EXIT_SUCCESS;
}

/* ---- start ---- */

/* "100MiB", or "20%" of what each uses. */
static const char *say_headroom(const struct settings *defaults, char text[UNITS_SIZE_TEXT_BYTES])
{
    if (!defaults->headroom_percent.known)
        return units_format_size(defaults->headroom_kib.value, text);
    snprintf(text, UNITS_SIZE_TEXT_BYTES, "%" PRIu64 "%%", defaults->headroom_percent.value);
    return text;
}

static void say_start(const struct run *run, const char *uri)
{
    char reserve[UNITS_SIZE_TEXT_BYTES];
    char min[UNITS_SIZE_TEXT_BYTES];
    char headroom[UNITS_SIZE_TEXT_BYTES];
    log_say(run->log, LOG_LEVEL_INFO,
            "connected to %s: every %g s, host reserve %s, guests at least %s with %s unused%s",
            uri, (double)run->options->interval_usec / USEC_PER_SEC,
            units_format_size(run->config.policy.host_reserve_kib, reserve),
            units_format_size(run->config.defaults.min_kib.value, min),
            say_headroom(&run->config.defaults, headroom),
            run->options->dry_run ? "; dry run, nothing is touched" : "");
}

/* Connects first: until that is done, signals end the program as they end any. */
static int connect_and_run(struct run *run, const char *uri)
{
    char error[HYPERVISOR_ERROR_BYTES];
    if (coordinator_connect(run->coordinator, error) != 0) {
        log_say(run->log, LOG_LEVEL_ERROR, "cannot connect to '%s': %s", uri, error);
        return EXIT_FAILURE;
    }
    run->signals = catch_signals();
    if (run->signals < 0) {
        log_say(run->log, LOG_LEVEL_ERROR, "cannot catch signals: %s", strerror(errno));
        return EXIT_FAILURE;
    }
    say_start(run, uri);
    int status = run->options->once ? run_once(run) : run_until_stopped(run);
    close(run->signals);
    return status;
}

static int coordinate(struct run *run)
{
    struct coordinator_config config = {
        .config = &run->config,
        .dry_run = run->options->dry_run,
        .uri = hypervisor_uri(run->hypervisor),
        .is_stopping = is_stopping,
        .stopping_argument = run,
    };
    run->coordinator = coordinator_new(&config, run->log, &hypervisor_libvirt, run->hypervisor);
    int status = EXIT_FAILURE;
    if (run->coordinator == NULL)
        log_say(run->log, LOG_LEVEL_ERROR, "out of memory");
    else
        status = connect_and_run(run, config.uri);
    coordinator_free(run->coordinator);
    return status;
}

static enum log_level wanted_level(const struct options *options)
{
    if (options->quiet)
        return LOG_LEVEL_WARNING;
    return options->verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
}

static int open_and_coordinate(struct run *run)
{
    unsigned int period_sec =
        run->options->dry_run ? 0 : policy_report_period_sec(run->options->interval_usec);
    run->hypervisor = hypervisor_open(run->options->uri, period_sec);
    int status = EXIT_FAILURE;
    if (run->hypervisor == NULL)
        log_say(run->log, LOG_LEVEL_ERROR, "cannot start libvirt's client library");
    else
        status = coordinate(run);
    hypervisor_close(run->hypervisor);
    return status;
}

static int start(const struct options *options)
{
    struct log log = {.stream = stderr, .level = wanted_level(options)};
    struct run run = {.options = options, .log = &log, .signals = -1};
    char error[CONFIG_ERROR_BYTES];
    signal(SIGPIPE, SIG_IGN);
    hold_hangup();
    if (load_config(options, options->config_path != NULL, &run.config, &run.has_file, error) !=
        0) {
        log_say(&log, LOG_LEVEL_ERROR, "%s", error);
        return EXIT_USAGE;
    }
    int status = open_and_coordinate(&run);
    config_release(&run.config);
    return status;
}

int main(int argc, char *argv[])
{
    struct options options;
    char error[OPTIONS_ERROR_BYTES];
    if (options_parse(argc, argv, &options, error) != 0) {
        fprintf(stderr, "memory_coordinator: %s\n", error);
        return EXIT_USAGE;
    }
    switch (options.command) {
    case OPTIONS_HELP:
        fputs(options_usage, stdout);
        return EXIT_SUCCESS;
    case OPTIONS_VERSION:
        puts("memory_coordinator " MC_VERSION);
        return EXIT_SUCCESS;
    case OPTIONS_RUN:
        break;
    }
    return start(&options);
}
