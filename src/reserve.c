/* reserve.c - "reserve" and "release": room for a guest that is to start. */
#include "reserve.h"

#include "arithmetic.h"
#include "clock.h"
#include "command_line.h"
#include "commands.h"
#include "complain.h"
#include "reservation_file.h"
#include "signals.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    USEC_PER_SEC = 1000000,
    SIGNALLED = 128, /* and the signal: an exit status, as the shell has it */
};

/* What a guest needs to start in; and what a full host needs to give a quarter of itself. */
static const uint64_t RESERVE_TTL_USEC = UINT64_C(60) * USEC_PER_SEC;
static const uint64_t RESERVE_WAIT_USEC = UINT64_C(10) * USEC_PER_SEC;
static const uint64_t RESERVE_LEAST_KIB = 1024;
static const uint64_t RESERVE_MOST_KIB = UINT64_C(1) << 40;
static const uint64_t WAIT_LEAST_USEC = USEC_PER_SEC / 10;
static const uint64_t WAIT_MOST_USEC = UINT64_C(3600) * USEC_PER_SEC;
/* How often the state is looked at meanwhile. */
static const long LOOK_NSEC = 100000000;

static const char reserve_usage[] =
    "Usage: memory_coordinator reserve [OPTIONS] SIZE\n"
    "Have the running coordinator free SIZE for a guest that is to start, and keep it. Returns\n"
    "when it is free. Once a guest of that name runs the memory is its own.\n"
    "\n"
    "      --name NAME       of the guest (reserve-PID)\n"
    "      --ttl SECONDS     what is free is kept for so long (60)\n"
    "      --wait SECONDS    for SIZE to be free, at the most (10)\n"
    "      --hook            libvirt is waiting, as in a hook: it is asked for no list\n"
    "                        of domains meanwhile\n" COMMAND_LINE_PLACE_USAGE
    ", 3 if no\ncoordinator runs, 4 if not all could be had in time: then nothing is kept.\n";

static const char release_usage[] = "Usage: memory_coordinator release [OPTIONS] NAME\n"
                                    "End a reservation.\n"
                                    "\n" COMMAND_LINE_PLACE_USAGE ", 3 if no\ncoordinator runs.\n";

/* What is to be kept, or kept no longer. */
struct order {
    struct command_line_place place;
    const char *name; /* NULL: one of our own */
    uint64_t size_kib;
    uint64_t ttl_usec;
    uint64_t wait_usec;
    bool is_hook;
};

/* ---- the command line ---- */

static const struct option reserve_options[] = {
    COMMAND_LINE_PLACE_OPTIONS,
    {"name", required_argument, NULL, 'n'},
    {"ttl", required_argument, NULL, 't'},
    {"wait", required_argument, NULL, 'w'},
    {"hook", no_argument, NULL, 'k'},
    COMMAND_LINE_LAST_OPTIONS,
};
static const struct option release_options[] = {
    COMMAND_LINE_PLACE_OPTIONS,
    COMMAND_LINE_LAST_OPTIONS,
};

static int take_name(struct order *order, const char *option, const char *text)
{
    order->name = text;
    if (*text != '\0' && strlen(text) < DOMAIN_NAME_BYTES)
        return 0;
    return complain(COMMANDS_USAGE, "%s '%.300s': expected a guest's name", option, text);
}

static int take_option(void *argument, int key)
{
    struct order *order = argument;
    switch (key) {
    case 'n':
        return take_name(order, "--name", optarg);
    case 't':
        return command_line_ttl(&order->ttl_usec);
    case 'w':
        return command_line_seconds("wait", optarg, WAIT_LEAST_USEC, WAIT_MOST_USEC,
                                    &order->wait_usec);
    case 'k':
        order->is_hook = true;
        return 0;
    default:
        return command_line_place(&order->place, key);
    }
}

/* ---- reserve ---- */

static double mib(uint64_t kib)
{
    return (double)kib / 1024;
}

static bool runs(const struct snapshot *snapshot, const char *name)
{
    for (size_t i = 0; i < snapshot->count; i++)
        if (strcmp(snapshot->domains[i].name, name) == 0)
            return true;
    return false;
}

/* Looks once. Returns an exit status, COMMANDS_NOT_ALL while more is to be waited for, and how much
 * is free so far. */
static int look(const struct command_line_place *place, const struct reservation *reservation,
                uint64_t *ret_held_kib)
{
    struct state state;
    int status = command_line_state(place, &state);
    if (status != EXIT_SUCCESS)
        return status;
    /* NULL: it has not been heeded yet. */
    const struct reservation *now =
        reservations_find_same(state.record.view.reservations, reservation);
    status = COMMANDS_NOT_ALL;
    if (now != NULL)
        *ret_held_kib = now->held_kib;
    if (now != NULL && now->held_kib >= now->left_kib)
        status = EXIT_SUCCESS;
    else if (!state.is_running)
        status = complain(COMMANDS_NOT_RUNNING, "no coordinator runs for '%s' any more",
                          state.record.view.uri);
    state_release(&state);
    return status;
}

/* Rests until the next look. Returns the signal that has come, which is blocked, or -1. */
static int rest(const sigset_t *signals)
{
    return sigtimedwait(signals, NULL, &(struct timespec){.tv_nsec = LOOK_NSEC});
}

/* Until all of it is free, nobody is there any more to free it, the time is over, or a signal tells
 * to end. */
static int await(const struct state *state, const struct reservation *reservation,
                 uint64_t wait_usec, const sigset_t *signals, uint64_t *ret_held_kib)
{
    struct command_line_place place = {state->record.view.uri, state->directory};
    int status;
    int signal = -1;
    *ret_held_kib = 0;
    while ((status = look(&place, reservation, ret_held_kib)) == COMMANDS_NOT_ALL && signal < 0 &&
           clock_monotonic_usec() < reservation->since_usec + wait_usec)
        signal = rest(signals);
    return signal < 0 ? status : SIGNALLED + signal;
}

/* What holds now under its name, in *RET. Returns whether there is anything. */
static bool find_held(const struct state_dir *dir, const char *uri, const char *name,
                      struct reservation *ret)
{
    struct reservations list;
    if (reservations_read(dir, uri, &list) != 0)
        return false;
    size_t i = reservations_find(&list, name);
    if (i == list.count || !reservation_holds(&list.items[i], clock_monotonic_usec()))
        return false;
    *ret = list.items[i];
    return true;
}

/* Whether nobody has put another in its place meanwhile. */
static bool is_ours_still(const struct state_dir *dir, const char *uri,
                          const struct reservation *reservation)
{
    struct reservation now;
    return find_held(dir, uri, reservation->name, &now) &&
           now.since_usec == reservation->since_usec;
}

static bool has_room(const struct state_dir *dir, const char *uri, const char *name)
{
    struct reservations list;
    return reservations_read(dir, uri, &list) != 0 || list.count < RESERVATIONS_MOST ||
           reservations_find(&list, name) < list.count;
}

static int complain_of_reserving(const char *name, const char *uri, int result)
{
    return complain(EXIT_FAILURE, "cannot reserve for '%s' with the coordinator of '%s': %s", name,
                    uri,
                    result == -ENOSPC   ? "there are 64 reservations already"
                    : result == -EINVAL ? "this is no guest's name"
                                        : strerror(-result));
}

static int say_too_little(const struct reservation *reservation, uint64_t held_kib,
                          uint64_t wait_usec)
{
    return complain(COMMANDS_NOT_ALL,
                    "%s: only %.1f of %.1f MiB could be had within %g s; nothing is reserved",
                    reservation->name, mib(held_kib), mib(reservation->size_kib),
                    (double)wait_usec / USEC_PER_SEC);
}

/* From now on it is kept, and the start need not wait. */
static int keep(const struct order *order, const char *uri, const struct state_dir *dir,
                struct reservation *reservation)
{
    reservation->until_usec = clock_monotonic_usec() + order->ttl_usec;
    reservation->start_waits_usec = 0;
    int result = reservation_put(dir, uri, reservation);
    if (result != 0)
        return complain_of_reserving(reservation->name, uri, result);
    printf("%s: %.1f MiB are free, and kept for %g s or until `memory_coordinator release %s`\n",
           reservation->name, mib(reservation->size_kib), (double)order->ttl_usec / USEC_PER_SEC,
           reservation->name);
    return EXIT_SUCCESS;
}

/* Puts it, and takes it back unless all of it is free in time. */
static int put_and_await(const struct order *order, const struct state *state,
                         const struct state_dir *dir, struct reservation *reservation)
{
    const char *uri = state->record.view.uri;
    uint64_t held_kib;
    sigset_t signals;
    signals_block(&signals);
    int result =
        has_room(dir, uri, reservation->name) ? reservation_put(dir, uri, reservation) : -ENOSPC;
    if (result != 0)
        return complain_of_reserving(reservation->name, uri, result);
    int status = await(state, reservation, order->wait_usec, &signals, &held_kib);
    if (!is_ours_still(dir, uri, reservation))
        return complain(EXIT_FAILURE, "%s: released, or reserved anew, meanwhile",
                        reservation->name);
    if (status == EXIT_SUCCESS)
        return keep(order, uri, dir, reservation);
    reservation_remove(dir, uri, reservation->name);
    return status == COMMANDS_NOT_ALL ? say_too_little(reservation, held_kib, order->wait_usec)
                                      : status;
}

/* What it cannot ever have is not tried: others would give in vain. Returns an exit status. */
static int check_sense(const struct order *order, const struct state *state,
                       const struct reservation *reservation)
{
    const struct coordinator_view *view = &state->record.view;
    const struct host *host = &view->snapshot->host;
    uint64_t most_kib = subtract_to_zero(host->total_kib, view->policy.host_reserve_kib);
    /* A hook is asked before the start: who runs by the last state has ended since. */
    if (!order->is_hook && runs(view->snapshot, reservation->name))
        return complain(EXIT_FAILURE, "reserve: '%s' runs already", reservation->name);
    if (!view->is_connected)
        return complain(EXIT_FAILURE, "reserve: the coordinator of '%s' has no connection to it",
                        view->uri);
    if (!host->has_memory)
        return complain(EXIT_FAILURE, "reserve: '%s' does not say what memory its host has",
                        view->uri);
    if (reservation->size_kib > most_kib)
        return complain(COMMANDS_NOT_ALL,
                        "%s: %.1f MiB are more than the host's %.1f MiB less its reserve of %.1f; "
                        "nothing is reserved",
                        reservation->name, mib(reservation->size_kib), mib(host->total_kib),
                        mib(view->policy.host_reserve_kib));
    return EXIT_SUCCESS;
}

/* Somebody has seen to the start already. */
static bool is_prepared(const struct order *order, const char *uri, const struct state_dir *dir,
                        const struct reservation *reservation)
{
    struct reservation now;
    return order->is_hook && find_held(dir, uri, reservation->name, &now) &&
           now.start_waits_usec == 0 && now.size_kib >= reservation->size_kib;
}

/* While it is waited for it lapses only if this process dies. */
static struct reservation reservation_of(const struct order *order)
{
    uint64_t now_usec = clock_monotonic_usec();
    struct reservation reservation = {
        .size_kib = order->size_kib,
        .since_usec = now_usec,
        .until_usec = now_usec + order->wait_usec + order->ttl_usec,
        .start_waits_usec = order->is_hook ? now_usec + order->wait_usec : 0,
    };
    if (order->name != NULL)
        snprintf(reservation.name, sizeof(reservation.name), "%s", order->name);
    else
        snprintf(reservation.name, sizeof(reservation.name), "reserve-%jd", (intmax_t)getpid());
    return reservation;
}

static int reserve_running(const struct order *order, const struct state *state)
{
    struct state_dir dir;
    struct reservation reservation = reservation_of(order);
    const char *uri = state->record.view.uri;
    int status = check_sense(order, state, &reservation);
    if (status != EXIT_SUCCESS)
        return status;
    int result = state_dir_open(state->directory, &dir);
    if (result != 0)
        return complain_of_reserving(reservation.name, uri, result);
    if (!is_prepared(order, uri, &dir, &reservation))
        status = put_and_await(order, state, &dir, &reservation);
    state_dir_release(&dir);
    return status;
}

static int take_reserve(struct order *order, int argc, char *const argv[])
{
    int status = command_line_read(argc, argv, ":c:h", reserve_options, take_option, order);
    if (status != 0)
        return status;
    if (optind == argc)
        return complain(COMMANDS_USAGE, "reserve: no SIZE, expected one such as 512MiB");
    if (optind + 1 < argc)
        return complain(COMMANDS_USAGE, "reserve: extra argument '%s'", argv[optind + 1]);
    if (units_parse_size_kib(argv[optind], RESERVE_LEAST_KIB, RESERVE_MOST_KIB, &order->size_kib) ==
        0)
        return 0;
    return complain(COMMANDS_USAGE,
                    "reserve: '%s': expected a size such as 512MiB, from 1MiB to 1048576GiB",
                    argv[optind]);
}

int reserve_command(int argc, char *const argv[])
{
    struct order order = {.ttl_usec = RESERVE_TTL_USEC, .wait_usec = RESERVE_WAIT_USEC};
    struct state state;
    int status = take_reserve(&order, argc, argv);
    if (status != 0)
        return command_line_end(status, reserve_usage);
    status = command_line_running(&order.place, &state);
    if (status != EXIT_SUCCESS)
        return status;
    status = reserve_running(&order, &state);
    state_release(&state);
    return status;
}

/* ---- release ---- */

static int release_running(const struct order *order, const struct state *state)
{
    struct state_dir dir;
    const char *uri = state->record.view.uri;
    int result = state_dir_open(state->directory, &dir);
    if (result == 0) {
        result = reservation_remove(&dir, uri, order->name);
        state_dir_release(&dir);
    }
    if (result != 0 && result != -ENOENT)
        return complain(EXIT_FAILURE, "cannot release '%s' with the coordinator of '%s': %s",
                        order->name, uri, strerror(-result));
    printf("%s: %s\n", order->name, result == 0 ? "released" : "nothing was reserved for it");
    return EXIT_SUCCESS;
}

static int take_release(struct order *order, int argc, char *const argv[])
{
    int status = command_line_read(argc, argv, ":c:h", release_options, take_option, order);
    if (status != 0)
        return status;
    if (optind == argc)
        return complain(COMMANDS_USAGE, "release: no NAME, expected that of a reservation");
    if (optind + 1 < argc)
        return complain(COMMANDS_USAGE, "release: extra argument '%s'", argv[optind + 1]);
    return take_name(order, "release", argv[optind]);
}

int release_command(int argc, char *const argv[])
{
    struct order order = {0};
    struct state state;
    int status = take_release(&order, argc, argv);
    if (status != 0)
        return command_line_end(status, release_usage);
    status = command_line_running(&order.place, &state);
    if (status != EXIT_SUCCESS)
        return status;
    status = release_running(&order, &state);
    state_release(&state);
    return status;
}
