/* main.c - wires the modules up, keeps the time, and is the only place that exits. */
#include "arithmetic.h"
#include "clock.h"
#include "commands.h"
#include "config.h"
#include "coordinator.h"
#include "hypervisor.h"
#include "kept.h"
#include "log.h"
#include "notice.h"
#include "options.h"
#include "pace.h"
#include "pause.h"
#include "publisher.h"
#include "reservation_file.h"
#include "service.h"
#include "sharing.h"
#include "signals.h"
#include "state_dir.h"
#include "supervisor.h"
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

enum { USEC_PER_SEC = 1000000, EXIT_USAGE = 2 };

/* A record is put aside when it has grown to this: more than a day of four guests, every 2 s. */
static const uint64_t RECORD_BYTES = UINT64_C(256) << 20;

/* Memory that a guest's start waits for is looked for this often. */
static const uint64_t HURRY_USEC = USEC_PER_SEC;

/* libvirt's server expects an answer every 5 s. */
static const uint64_t SERVE_USEC = UINT64_C(2) * USEC_PER_SEC;

/* Giving back is gradual: from 2048 MiB down to 200 takes 36 s. */
static const uint64_t LEAVE_MOST_USEC = UINT64_C(40) * USEC_PER_SEC;

/* What a run has come to. */
enum phase {
    PHASE_START,
    PHASE_WORK, /* it is connected */
    PHASE_LEAVE,
    PHASE_END,
};

/* What a run was told, by either of its processes. */
struct told {
    _Atomic bool is_noticed; /* there is a command, to be heeded by a cycle of its own */
    _Atomic bool has_heeded; /* all that commands have left so far */
    _Atomic bool is_read;    /* the state, by somebody who may want a newer one */
    _Atomic bool is_stopping;
    _Atomic bool is_to_reload;
};

/* Where a process that takes over goes on. */
struct progress {
    enum phase phase;
    bool is_in_cycle;          /* one has begun and not ended */
    bool is_reloading;         /* likewise */
    uint64_t first_usec;       /* when the first cycle began */
    uint64_t leave_until_usec; /* 0: it has not begun to leave */
};

/* A run, in kept memory: one process does the work, another watches it and takes the signals. */
struct run {
    const struct options *options;
    struct log log; /* counts in these: */
    size_t lost;
    size_t news;
    struct config config; /* its rules are these: */
    struct config_rule rules[CONFIG_RULES_MOST];
    bool has_file; /* it has come from one */
    struct state_dir state_dir;
    char state_name[STATE_DIR_NAME_BYTES];
    struct service service;
    struct hypervisor *hypervisor;
    struct supervisor *supervisor;
    struct coordinator *coordinator;
    struct publisher *publisher;
    struct sharing sharing;
    int signals; /* where they arrive */
    int notices; /* of commands, likewise; -1: there are none */

    struct told told;
    struct progress progress;
};

/* ---- time and signals ---- */

static struct coordinator_time time_now(void)
{
    return (struct coordinator_time){.now_usec = clock_monotonic_usec(), .wall_sec = time(NULL)};
}

static struct coordinator_time tell_time(void *unused)
{
    (void)unused;
    return time_now();
}

/* A log whose reader is gone, or that may not grow any more, does not end the program. */
static void ignore_failed_writes(void)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

/* Signals wait in a descriptor instead of interrupting: a call into libvirt is always finished. */
static int catch_signals(void)
{
    sigset_t signals;
    if (signals_block(&signals) != 0)
        return -1;
    return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Done by who watches. */
static void take_signals(struct run *run)
{
    struct signalfd_siginfo signal;
    while (read(run->signals, &signal, sizeof(signal)) == (ssize_t)sizeof(signal)) {
        if (signal.ssi_signo == SIGHUP)
            run->told.is_to_reload = true;
        else
            run->told.is_stopping = true;
    }
}

static void take_notices(struct run *run)
{
    static const char *const suffixes[] = {PAUSE_SUFFIX, RESERVATION_SUFFIX, NULL};
    struct notice notice = notice_take(run->notices, suffixes, run->state_name);
    if (notice.is_read)
        run->told.is_read = true;
    if (!notice.has_word)
        return;
    run->told.has_heeded = false; /* first: the other process may be about to heed */
    run->told.is_noticed = true;
}

/* Waits until UNTIL_USEC, but not longer than a word takes to come, or a command, and takes what
 * has come. */
static void sleep_until(struct run *run, uint64_t until_usec)
{
    struct pollfd descriptors[] = {
        {.fd = supervisor_words(run->supervisor), .events = POLLIN},
        {.fd = run->notices, .events = POLLIN},
    };
    if (clock_poll_until(descriptors, 2, until_usec) <= 0)
        return;
    if (descriptors[0].revents != 0)
        supervisor_take_words(run->supervisor);
    if (descriptors[1].revents != 0)
        take_notices(run);
}

static bool is_stopping(void *argument)
{
    const struct run *run = argument;
    return run->told.is_stopping;
}

/* ---- for who watches ---- */

static bool take_stop(void *argument)
{
    struct run *run = argument;
    take_signals(run);
    return run->told.is_stopping;
}

/* Whether a command has just come for a start that waits. */
static bool is_start_waiting(void *argument)
{
    struct run *run = argument;
    struct reservations list;
    take_notices(run);
    return run->told.is_noticed &&
           reservations_read(&run->state_dir, hypervisor_uri(run->hypervisor), &list) == 0 &&
           reservations_start_waits(&list, clock_monotonic_usec());
}

static void is_waiting(void *argument)
{
    const struct run *run = argument;
    service_alive(&run->service);
}

static void tell(void *argument, const char *what)
{
    const struct run *run = argument;
    log_say(&run->log, LOG_LEVEL_WARNING, "%s", what);
}

/* ---- configuration ---- */

static const char *config_path(const struct options *options)
{
    return options->config_path != NULL ? options->config_path : OPTIONS_CONFIG_PATH;
}

/* Takes it over, its rules into kept memory. */
static void take_config(struct run *run, struct config *config, bool has_file)
{
    struct config kept = *config;
    kept.rules = run->rules;
    if (config->rule_count > 0)
        memcpy(run->rules, config->rules, config->rule_count * sizeof(*config->rules));
    run->config = kept;
    run->has_file = has_file;
    config_release(config);
}

/* Reads the file, where there is one, puts the command line over it, and takes that over. A file
 * that was named, or has been there, must be there. Returns 0, or a negative errno with the reason
 * in ERROR: nothing has changed. */
static int read_config(struct run *run, char error[CONFIG_ERROR_BYTES])
{
    bool must_be_there = run->has_file || run->options->config_path != NULL;
    struct config config = config_default();
    int result = config_read(config_path(run->options), &config, error);
    if (result != 0 && (must_be_there || result != -ENOENT))
        return result;
    options_apply(run->options, &config);
    take_config(run, &config, result == 0);
    return 0;
}

static void say_config(const struct run *run)
{
    if (run->has_file)
        log_say(&run->log, LOG_LEVEL_INFO, "configuration %s read again",
                config_path(run->options));
    else
        log_say(&run->log, LOG_LEVEL_INFO, "no configuration file; metadata is read again");
}

/* A file that is wrong now, or not there any more, changes nothing; domains are looked up again in
 * any case. */
static void reload(struct run *run)
{
    char error[CONFIG_ERROR_BYTES];
    run->progress.is_reloading = true;
    run->told.is_to_reload = false;
    service_reloading(&run->service);
    if (read_config(run, error) == 0)
        say_config(run);
    else
        log_say(&run->log, LOG_LEVEL_ERROR, "%s; the settings stay as they are", error);
    coordinator_configure(run->coordinator, &run->config);
    service_ready(&run->service);
    run->progress.is_reloading = false;
}

/* ---- what is told ---- */

static struct coordinator_view last_view(const struct run *run)
{
    struct coordinator_view view = coordinator_view(run->coordinator);
    if (run->sharing.has_reading)
        view.sharing = &run->sharing.reading;
    return view;
}

/* To who has just read what is older. */
static void show_last(struct run *run)
{
    struct coordinator_view view = last_view(run);
    run->told.is_read = false;
    publisher_refresh(run->publisher, &view);
}

/* The earliest of UNTIL_USEC and when something is due meanwhile. */
static uint64_t next_wake_usec(const struct run *run, uint64_t until_usec)
{
    uint64_t pause_usec = min_u64(run->service.pause_usec, SERVE_USEC);
    return min_u64(until_usec, clock_monotonic_usec() + pause_usec);
}

/* Waits until UNTIL_USEC, or for a command, and does meanwhile what is due. Where that is over it
 * takes what has come by then. Returns true if it is to end. */
static bool wait_until(struct run *run, uint64_t until_usec)
{
    while (!run->told.is_stopping && !run->told.is_noticed) {
        if (run->told.is_read)
            show_last(run);
        if (run->told.is_to_reload)
            reload(run);
        service_alive(&run->service);
        sleep_until(run, next_wake_usec(run, until_usec));
        if (clock_monotonic_usec() >= until_usec)
            break;
        supervisor_operations.serve(run->supervisor);
    }
    if (run->told.is_to_reload && !run->told.is_stopping)
        reload(run);
    return run->told.is_stopping;
}

/* ---- the two ways to run ---- */

/* Tells all who want to know what has come of a cycle that began then and has returned RESULT. */
static void tell_others(struct run *run, struct coordinator_time begin, int result)
{
    struct coordinator_view view = last_view(run);
    publisher_publish(run->publisher, &view, begin.now_usec, result);
    if (!run->service.is_listening)
        return;
    char status[COORDINATOR_STATUS_BYTES];
    coordinator_describe(run->coordinator, status);
    service_status(&run->service, status);
    service_alive(&run->service);
}

static void share_pages(struct run *run, uint64_t now_usec)
{
    struct coordinator_view view = coordinator_view(run->coordinator);
    sharing_cycle(&run->sharing, &view, run->config.is_ksm_auto, view.is_paused, now_usec);
}

static int cycle(struct run *run)
{
    struct coordinator_time begin = time_now();
    int result = coordinator_cycle(run->coordinator, begin);
    if (!run->options->once)
        share_pages(run, begin.now_usec);
    tell_others(run, begin, result);
    return result;
}

/* A pause is told when it begins and when it ends. Returns 0 or a negative errno. */
static int heed_pause(struct run *run)
{
    uint64_t until_usec = coordinator_view(run->coordinator).paused_until_usec;
    bool was_paused = until_usec != 0;
    int result = pause_heed(&run->state_dir, hypervisor_uri(run->hypervisor),
                            clock_monotonic_usec(), &until_usec);
    bool is_paused = until_usec != 0;
    if (is_paused != was_paused)
        log_say(&run->log, LOG_LEVEL_INFO,
                is_paused ? "paused: guests keep their sizes" : "resumed");
    coordinator_pause(run->coordinator, until_usec);
    return result;
}

/* Where there is no directory there are none. Returns 0 or a negative errno. */
static int heed_reservations(struct run *run)
{
    struct reservations list;
    const struct reservations *last = coordinator_view(run->coordinator).reservations;
    if (run->state_dir.directory < 0)
        return 0;
    int result = reservations_heed(&run->state_dir, hypervisor_uri(run->hypervisor), last,
                                   clock_monotonic_usec(), &run->log, &list);
    if (result == 0)
        coordinator_reserve(run->coordinator, &list);
    return result;
}

/* What commands have left is looked through when some of it has come or gone, while some of it is
 * in force, and so may lapse, and where nothing tells. */
static void heed_commands(struct run *run)
{
    struct coordinator_view view = coordinator_view(run->coordinator);
    bool is_in_force = view.is_paused || view.reservations->count > 0;
    if (run->told.has_heeded && !is_in_force && run->notices >= 0)
        return;
    run->told.has_heeded = true; /* unless it is told otherwise meanwhile */
    int paused = heed_pause(run);
    int reserved = heed_reservations(run);
    if (paused != 0 || reserved != 0)
        run->told.has_heeded = false;
}

/* Statistics may have to be switched on first, and growth takes two looks to be seen. */
static int run_once(struct run *run)
{
    uint64_t period_usec =
        (uint64_t)policy_report_period_sec(run->options->interval_usec) * USEC_PER_SEC;
    int result = 0;
    if (!run->progress.is_in_cycle) {
        result = coordinator_look(run->coordinator, time_now());
        heed_commands(run);
        if (result == 0 && wait_until(run, clock_monotonic_usec() + 2 * period_usec))
            return EXIT_SUCCESS;
    }
    run->progress.is_in_cycle = result == 0;
    if (result == 0)
        result = cycle(run);
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static uint64_t next_cycle_usec(const struct run *run)
{
    uint64_t now = clock_monotonic_usec();
    uint64_t next = pace_next_usec(run->progress.first_usec, run->options->interval_usec, now);
    uint64_t retry = coordinator_retry_usec(run->coordinator);
    if (retry != 0 && retry < next)
        next = retry;
    if (coordinator_view(run->coordinator).host.unmet_kib > 0)
        next = min_u64(next, now + HURRY_USEC);
    return next;
}

static void balance_until_stopped(struct run *run)
{
    if (run->progress.first_usec == 0)
        run->progress.first_usec = clock_monotonic_usec();
    do {
        if (!run->progress.is_in_cycle) {
            run->told.is_noticed = false;
            heed_commands(run);
        }
        run->progress.is_in_cycle = true;
        cycle(run);
        run->progress.is_in_cycle = false;
    } while (!wait_until(run, next_cycle_usec(run)));
}

/* Returns false where guests stay as they are. */
static bool begin_to_leave(struct run *run)
{
    enum policy_goal goal = run->options->on_exit;
    if (goal == POLICY_BALANCE || run->options->dry_run)
        return false;
    if (coordinator_view(run->coordinator).is_paused) {
        log_say(&run->log, LOG_LEVEL_INFO, "paused: guests are left as they are");
        return false;
    }
    log_say(&run->log, LOG_LEVEL_INFO, "leaving: every guest is to have %s",
            goal == POLICY_RESTORE ? "the size that it was found with" : "its maximum");
    run->progress.leave_until_usec = clock_monotonic_usec() + LEAVE_MOST_USEC;
    service_stopping(&run->service);
    return true;
}

/* Before it ends; told to stop once more, it ends there. */
static void leave(struct run *run)
{
    int result;
    if (run->progress.leave_until_usec == 0) {
        run->told.is_stopping = false;
        if (!begin_to_leave(run))
            return;
    }
    do {
        run->told.is_noticed = false; /* it is too late for commands */
        struct coordinator_time begin = time_now();
        result = coordinator_leave(run->coordinator, run->options->on_exit, begin);
        tell_others(run, begin, result < 0 ? result : 0);
    } while (result != 0 && clock_monotonic_usec() < run->progress.leave_until_usec &&
             !wait_until(run, clock_monotonic_usec() + USEC_PER_SEC));
    if (result != 0)
        log_say(&run->log, LOG_LEVEL_WARNING, "leaving: not all guests have come to that");
}

static int run_until_stopped(struct run *run)
{
    if (run->progress.phase == PHASE_WORK) {
        balance_until_stopped(run);
        run->progress.phase = PHASE_LEAVE;
    }
    if (run->progress.phase == PHASE_LEAVE) {
        leave(run);
        run->progress.phase = PHASE_END;
    }
    struct coordinator_view view = last_view(run);
    publisher_conclude(run->publisher, &view);
    sharing_leave(&run->sharing);
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
    log_say(&run->log, LOG_LEVEL_INFO,
            "connected to %s: every %g s, host reserve %s, guests at least %s with %s unused%s",
            uri, (double)run->options->interval_usec / USEC_PER_SEC,
            units_format_size(run->config.policy.host_reserve_kib, reserve),
            units_format_size(run->config.defaults.min_kib.value, min),
            say_headroom(&run->config.defaults, headroom),
            run->options->dry_run ? "; dry run, nothing is touched" : "");
}

static int connect(struct run *run)
{
    char error[HYPERVISOR_ERROR_BYTES];
    const char *uri = hypervisor_uri(run->hypervisor);
    int result = coordinator_connect(run->coordinator, error);
    if (result == 0) {
        say_start(run, uri);
        service_ready(&run->service);
        run->progress.phase = PHASE_WORK;
    } else if (result != -ECANCELED)
        log_say(&run->log, LOG_LEVEL_ERROR, "cannot connect to '%s': %s", uri, error);
    return result;
}

static int connect_and_run(struct run *run)
{
    int result = run->progress.phase == PHASE_START ? connect(run) : 0;
    if (result != 0)
        return result == -ECANCELED ? EXIT_SUCCESS : EXIT_FAILURE;
    int status = run->options->once ? run_once(run) : run_until_stopped(run);
    service_stopping(&run->service);
    return status;
}

/* What is done by the process that is watched, and gone on with by the next. */
static int work(void *argument)
{
    struct run *run = argument;
    char error[HYPERVISOR_ERROR_BYTES];
    /* What the last process was about to do may not be done. */
    run->told.has_heeded = false;
    if (run->progress.is_reloading)
        run->told.is_to_reload = true;
    int result = publisher_begin(run->publisher, error);
    if (result != 0 && run->progress.phase == PHASE_START) {
        log_say(&run->log, LOG_LEVEL_ERROR, "%s", error);
        return EXIT_FAILURE;
    }
    int status = connect_and_run(run);
    publisher_end(run->publisher);
    return status;
}

static int coordinate(struct run *run)
{
    char error[HYPERVISOR_ERROR_BYTES];
    struct coordinator_config config = {
        .config = &run->config,
        .dry_run = run->options->dry_run,
        .uri = hypervisor_uri(run->hypervisor),
        .is_stopping = is_stopping,
        .time_now = tell_time,
        .argument = run,
    };
    struct sharing_config sharing = {
        .operations = &supervisor_operations,
        .self = run->supervisor,
        .dir = &run->state_dir,
        .uri = config.uri,
        .log = &run->log,
        .dry_run = run->options->dry_run,
    };
    run->sharing = sharing_open(&sharing);
    run->coordinator = coordinator_new(&config, &run->log, &supervisor_operations, run->supervisor);
    int status = -ENOMEM;
    if (run->coordinator == NULL)
        snprintf(error, sizeof(error), "out of memory");
    else
        status = supervisor_run(run->supervisor, work, run, error);
    coordinator_free(run->coordinator);
    if (status == -ECANCELED)
        return EXIT_SUCCESS;
    if (status >= 0)
        return status;
    log_say(&run->log, LOG_LEVEL_ERROR, "%s", error);
    return EXIT_FAILURE;
}

static int publish_and_coordinate(struct run *run)
{
    struct publisher_config config = {
        .dir = &run->state_dir,
        .state_name = run->state_name,
        .notices = run->notices,
        .record_path = run->options->record_path,
        .record_bytes = RECORD_BYTES,
        .metrics_path = run->options->metrics_path,
        .log = &run->log,
    };
    run->publisher = publisher_new(&config);
    int status = EXIT_FAILURE;
    if (run->publisher == NULL)
        log_say(&run->log, LOG_LEVEL_ERROR, "out of memory");
    else
        status = coordinate(run);
    publisher_free(run->publisher);
    return status;
}

static int supervise(struct run *run)
{
    struct supervisor_config config = {
        .operations = &hypervisor_libvirt,
        .self = run->hypervisor,
        .call_timeout_usec = run->options->call_timeout_usec,
        .wake = run->signals,
        .is_stopping = take_stop,
        .notices = run->notices,
        .is_start_waiting = is_start_waiting,
        .is_waiting = is_waiting,
        .tell = tell,
        .argument = run,
    };
    run->supervisor = supervisor_new(&config);
    int status = EXIT_FAILURE;
    if (run->supervisor == NULL)
        log_say(&run->log, LOG_LEVEL_ERROR, "out of memory");
    else
        status = publish_and_coordinate(run);
    supervisor_free(run->supervisor);
    return status;
}

static enum log_level wanted_level(const struct options *options)
{
    if (options->quiet)
        return LOG_LEVEL_WARNING;
    return options->verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
}

static enum log_form wanted_form(const struct options *options)
{
    if (options->is_json)
        return LOG_JSON;
    return log_is_journal(STDERR_FILENO, getenv("JOURNAL_STREAM")) ? LOG_JOURNAL : LOG_TEXT;
}

static int open_and_supervise(struct run *run)
{
    unsigned int period_sec =
        run->options->dry_run ? 0 : policy_report_period_sec(run->options->interval_usec);
    run->hypervisor = hypervisor_open(run->options->uri, period_sec);
    int status = EXIT_FAILURE;
    if (run->hypervisor == NULL)
        log_say(&run->log, LOG_LEVEL_ERROR, "out of memory");
    else
        status = supervise(run);
    hypervisor_close(run->hypervisor);
    return status;
}

/* Keeps a second one away. A dry run is in nobody's way. From a plain shell it must work
 * without a directory as well, but not with one that is unsafe. */
static int claim(struct run *run)
{
    char error[STATE_DIR_ERROR_BYTES];
    const struct options *options = run->options;
    int result = 0;
    if (!options->dry_run)
        result = state_dir_claim(options->state_dir, hypervisor_resolve_uri(options->uri),
                                 &run->state_dir, error);
    if (result == 0)
        return 0;
    if (options->state_dir != NULL || result == -EBUSY || result == -EPERM) {
        log_say(&run->log, LOG_LEVEL_ERROR, "%s", error);
        return result;
    }
    log_say(&run->log, LOG_LEVEL_WARNING,
            "%s; nothing keeps a second coordinator away (--state-dir)", error);
    return 0;
}

static int claim_and_supervise(struct run *run)
{
    int status = EXIT_FAILURE;
    state_dir_name(hypervisor_resolve_uri(run->options->uri), STATE_SUFFIX, run->state_name);
    if (claim(run) == 0) {
        run->notices = run->options->once ? -1 : notice_open(&run->state_dir);
        status = open_and_supervise(run);
    }
    if (run->notices >= 0)
        close(run->notices);
    state_dir_release(&run->state_dir);
    return status;
}

static int start(struct run *run)
{
    char error[CONFIG_ERROR_BYTES];
    run->signals = catch_signals();
    ignore_failed_writes();
    if (run->signals < 0) {
        log_say(&run->log, LOG_LEVEL_ERROR, "cannot catch signals: %s", strerror(errno));
        return EXIT_FAILURE;
    }
    int status = EXIT_USAGE;
    if (read_config(run, error) != 0)
        log_say(&run->log, LOG_LEVEL_ERROR, "%s", error);
    else
        status = claim_and_supervise(run);
    close(run->signals);
    return status;
}

static int start_run(const struct options *options, const struct log *log)
{
    struct run *run = kept_new(sizeof(*run));
    if (run == NULL) {
        log_say(log, LOG_LEVEL_ERROR, "out of memory");
        return EXIT_FAILURE;
    }
    run->options = options;
    run->log = *log;
    run->log.lost = &run->lost;
    run->log.news = &run->news;
    run->state_dir = STATE_DIR_NONE;
    run->service = service_open();
    run->notices = -1;
    int status = start(run);
    kept_free(run, sizeof(*run));
    return status;
}

int main(int argc, char *argv[])
{
    struct options options;
    char error[OPTIONS_ERROR_BYTES];
    if (log_hold_descriptors() != 0)
        return EXIT_FAILURE;
    if (argc > 1 && commands_has(argv[1]))
        return commands_run(argc - 1, argv + 1);
    struct log log = {.stream = stderr};
    if (options_parse(argc, argv, &options, error) != 0) {
        log_say(&log, LOG_LEVEL_ERROR, "%s", error);
        return EXIT_USAGE;
    }
    log.level = wanted_level(&options);
    log.form = wanted_form(&options);
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
    return start_run(&options, &log);
}
