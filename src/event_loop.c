/* event_loop.c - descriptors and timers that libvirt watches, looked at when it suits. */
#include "event_loop.h"

#include "clock.h"

#include <libvirt/libvirt.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* A connection has a descriptor and a few timers; what is over keeps its place until it is
       freed. */
    WATCHES_MOST = 32,
    /* A timer without a pause is always due, and a server may have much to tell: nobody else is to
     * wait for that. */
    ROUNDS_MOST = 16,
    USEC_PER_MSEC = 1000,
};

/* What libvirt has asked for: a descriptor or a timer, by its number. */
struct watch {
    int id; /* 0: the place is free */
    bool is_timer;
    bool is_over; /* only to be freed */
    void *argument;
    virFreeCallback free_argument;

    int descriptor; /* of a descriptor */
    int events;     /* those of libvirt that it waits for */
    virEventHandleCallback on_ready;

    int pause_msec; /* of a timer; -1: it rests */
    uint64_t due_usec;
    virEventTimeoutCallback on_due;
};

static struct watch watches[WATCHES_MOST];
static int last_id;

static struct watch *find(int id, bool is_timer)
{
    for (size_t i = 0; i < WATCHES_MOST; i++)
        if (id > 0 && watches[i].id == id && watches[i].is_timer == is_timer && !watches[i].is_over)
            return &watches[i];
    return NULL;
}

/* Returns its number; -1 where there is no room. */
static int add(struct watch watch)
{
    for (size_t i = 0; i < WATCHES_MOST; i++) {
        if (watches[i].id != 0)
            continue;
        watches[i] = watch;
        return watches[i].id = ++last_id;
    }
    return -1;
}

/* Its argument may not be freed before the caller, who may hold a lock on it, has returned. */
static int end(struct watch *watch)
{
    if (watch == NULL)
        return -1;
    watch->is_over = true;
    return 0;
}

/* ---- what libvirt calls ---- */

static int add_handle(int descriptor, int events, virEventHandleCallback on_ready, void *argument,
                      virFreeCallback free_argument)
{
    return add((struct watch){.argument = argument,
                              .free_argument = free_argument,
                              .descriptor = descriptor,
                              .events = events,
                              .on_ready = on_ready});
}

static void update_handle(int id, int events)
{
    struct watch *watch = find(id, false);
    if (watch != NULL)
        watch->events = events;
}

static int remove_handle(int id)
{
    return end(find(id, false));
}

static void set_pause(struct watch *watch, int pause_msec)
{
    watch->pause_msec = pause_msec;
    if (pause_msec >= 0)
        watch->due_usec = clock_monotonic_usec() + (uint64_t)pause_msec * USEC_PER_MSEC;
}

static int add_timeout(int pause_msec, virEventTimeoutCallback on_due, void *argument,
                       virFreeCallback free_argument)
{
    struct watch watch = {
        .is_timer = true, .argument = argument, .free_argument = free_argument, .on_due = on_due};
    set_pause(&watch, pause_msec);
    return add(watch);
}

static void update_timeout(int id, int pause_msec)
{
    struct watch *watch = find(id, true);
    if (watch != NULL)
        set_pause(watch, pause_msec);
}

static int remove_timeout(int id)
{
    return end(find(id, true));
}

/* ---- what is done ---- */

static short to_poll(int events)
{
    return (short)(((events & VIR_EVENT_HANDLE_READABLE) != 0 ? POLLIN : 0) |
                   ((events & VIR_EVENT_HANDLE_WRITABLE) != 0 ? POLLOUT : 0));
}

static int from_poll(short events)
{
    return ((events & POLLIN) != 0 ? VIR_EVENT_HANDLE_READABLE : 0) |
           ((events & POLLOUT) != 0 ? VIR_EVENT_HANDLE_WRITABLE : 0) |
           ((events & (POLLERR | POLLNVAL)) != 0 ? VIR_EVENT_HANDLE_ERROR : 0) |
           ((events & POLLHUP) != 0 ? VIR_EVENT_HANDLE_HANGUP : 0);
}

/* Who is called may end or change any watch, and begin others. */
static bool serve_descriptors(void)
{
    struct pollfd descriptors[WATCHES_MOST];
    int ids[WATCHES_MOST];
    nfds_t count = 0;
    for (size_t i = 0; i < WATCHES_MOST; i++) {
        const struct watch *watch = &watches[i];
        if (watch->id == 0 || watch->is_timer || watch->is_over || watch->events == 0)
            continue;
        ids[count] = watch->id;
        descriptors[count++] =
            (struct pollfd){.fd = watch->descriptor, .events = to_poll(watch->events)};
    }
    if (count == 0 || poll(descriptors, count, 0) <= 0)
        return false;
    for (nfds_t i = 0; i < count; i++) {
        const struct watch *watch = find(ids[i], false);
        if (descriptors[i].revents != 0 && watch != NULL && watch->events != 0)
            watch->on_ready(watch->id, watch->descriptor, from_poll(descriptors[i].revents),
                            watch->argument);
    }
    return true;
}

static bool serve_timers(void)
{
    bool has_any = false;
    uint64_t now_usec = clock_monotonic_usec();
    for (size_t i = 0; i < WATCHES_MOST; i++) {
        struct watch *watch = &watches[i];
        if (watch->id == 0 || !watch->is_timer || watch->is_over || watch->pause_msec < 0 ||
            now_usec < watch->due_usec)
            continue;
        set_pause(watch, watch->pause_msec);
        watch->on_due(watch->id, watch->argument);
        has_any = true;
    }
    return has_any;
}

static bool free_what_is_over(void)
{
    bool has_any = false;
    for (size_t i = 0; i < WATCHES_MOST; i++) {
        struct watch watch = watches[i];
        if (!watch.is_over)
            continue;
        watches[i] = (struct watch){0};
        if (watch.free_argument != NULL)
            watch.free_argument(watch.argument);
        has_any = true;
    }
    return has_any;
}

/* ---- the public face ---- */

void event_loop_register(void)
{
    virEventRegisterImpl(add_handle, update_handle, remove_handle, add_timeout, update_timeout,
                         remove_timeout);
}

void event_loop_run(void)
{
    bool is_busy = true;
    for (unsigned int i = 0; is_busy && i < ROUNDS_MOST; i++) {
        is_busy = serve_descriptors();
        is_busy = serve_timers() || is_busy;
        is_busy = free_what_is_over() || is_busy;
    }
}
