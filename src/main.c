/* main.c - wires the modules up, keeps the time, and is the only place that exits. */
#include "coordinator.h"
#include "hypervisor.h"
#include "log.h"
#include "options.h"
#include "pace.h"
#include "units.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

enum { USEC_PER_SEC = 1000000, NSEC_PER_USEC = 1000, EXIT_USAGE = 2 };

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

/* SIGINT and SIGTERM wait in a descriptor instead of interrupting: a call into libvirt is always
 * finished. */
static int catch_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0)
        return -1;
    return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Waits until UNTIL_USEC, or until a signal has come. Returns true if one has. */
static bool wait_for_signal(int signals, uint64_t until_usec)
{
    struct pollfd descriptor = {.fd = signals, .events = POLLIN};
    for (;;) {
        uint64_t now = monotonic_usec();
        uint64_t left = until_usec > now ? until_usec - now : 0;
        struct timespec timeout = {
            .tv_sec = (time_t)(left / USEC_PER_SEC),
            .tv_nsec = (long)(left % USEC_PER_SEC) * NSEC_PER_USEC,
        };
        int ready = ppoll(&descriptor, 1, &timeout, NULL);
        if (ready > 0)
            return true;
        if (ready == 0)
            return false;
        /* EINTR: stopped and continued */
    }
}

static bool is_stopping(void *argument)
{
    return wait_for_signal(*(const int *)argument, 0);
}

/* ---- the two ways to run ---- */

/* Statistics may have to be switched on first, and growth takes two looks to be seen. */
static int run_once(struct coordinator *coordinator, const struct options *options, int signals)
{
    uint64_t period_usec =
        (uint64_t)policy_report_period_sec(options->policy.interval_usec) * USEC_PER_SEC;
    int result = coordinator_look(coordinator, time_now());
    if (result == 0 && !wait_for_signal(signals, monotonic_usec() + 2 * period_usec))
        result = coordinator_cycle(coordinator, time_now());
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run_until_stopped(struct coordinator *coordinator, const struct options *options,
                             int signals)
{
    uint64_t first = monotonic_usec();
    uint64_t wake;
    do {
        coordinator_cycle(coordinator, time_now());
        wake = pace_next_usec(first, options->policy.interval_usec, monotonic_usec());
        uint64_t retry = coordinator_retry_usec(coordinator);
        if (retry != 0 && retry < wake)
            wake = retry;
    } while (!wait_for_signal(signals, wake));
    return EXIT_SUCCESS;
}

/* ---- start ---- */

static void say_start(const struct log *log, const struct options *options, const char *uri)
{
    char reserve[UNITS_SIZE_TEXT_BYTES];
    char min[UNITS_SIZE_TEXT_BYTES];
    char headroom[UNITS_SIZE_TEXT_BYTES];
    log_say(log, LOG_LEVEL_INFO,
            "connected to %s: every %g s, host reserve %s, guests at least %s with %s unused%s",
            uri, (double)options->policy.interval_usec / USEC_PER_SEC,
            units_format_size(options->policy.host_reserve_kib, reserve),
            units_format_size(options->policy.min_kib, min),
            units_format_size(options->policy.headroom_kib, headroom),
            options->dry_run ? "; dry run, nothing is touched" : "");
}

/* Connects first: until that is done, signals end the program as they end any. */
static int connect_and_run(struct coordinator *coordinator, const struct options *options,
                           const struct log *log, const char *uri, int *signals)
{
    char error[HYPERVISOR_ERROR_BYTES];
    if (coordinator_connect(coordinator, error) != 0) {
        log_say(log, LOG_LEVEL_ERROR, "cannot connect to '%s': %s", uri, error);
        return EXIT_FAILURE;
    }
    *signals = catch_signals();
    if (*signals < 0) {
        log_say(log, LOG_LEVEL_ERROR, "cannot catch signals: %s", strerror(errno));
        return EXIT_FAILURE;
    }
    say_start(log, options, uri);
    int status = options->once ? run_once(coordinator, options, *signals)
                               : run_until_stopped(coordinator, options, *signals);
    close(*signals);
    return status;
}

static int run(const struct options *options, const struct log *log, struct hypervisor *hypervisor)
{
    int signals = -1;
    struct coordinator_config config = {
        .policy = options->policy,
        .dry_run = options->dry_run,
        .uri = hypervisor_uri(hypervisor),
        .is_stopping = is_stopping,
        .stopping_argument = &signals,
    };
    struct coordinator *coordinator =
        coordinator_new(&config, log, &hypervisor_libvirt, hypervisor);
    int status = EXIT_FAILURE;
    if (coordinator == NULL)
        log_say(log, LOG_LEVEL_ERROR, "out of memory");
    else
        status = connect_and_run(coordinator, options, log, config.uri, &signals);
    coordinator_free(coordinator);
    return status;
}

static enum log_level wanted_level(const struct options *options)
{
    if (options->quiet)
        return LOG_LEVEL_WARNING;
    return options->verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
}

static int start(const struct options *options)
{
    struct log log = {.stream = stderr, .level = wanted_level(options)};
    signal(SIGPIPE, SIG_IGN);
    unsigned int period_sec =
        options->dry_run ? 0 : policy_report_period_sec(options->policy.interval_usec);
    struct hypervisor *hypervisor = hypervisor_open(options->uri, period_sec);
    int status = EXIT_FAILURE;
    if (hypervisor == NULL)
        log_say(&log, LOG_LEVEL_ERROR, "cannot start libvirt's client library");
    else
        status = run(options, &log, hypervisor);
    hypervisor_close(hypervisor);
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
