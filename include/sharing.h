/*
 * sharing.h - has the host share equal pages of guests (KSM) while it is short of memory, and puts
 * back what it found.
 *
 * What it found is kept in the state directory as well, so that the successor of a coordinator that
 * was killed puts that back.
 */
#ifndef MC_SHARING_H
#define MC_SHARING_H

#include "coordinator.h"
#include "ksm.h"
#include "state_dir.h"

struct sharing_config {
    const struct hypervisor_operations *operations;
    void *self;
    const struct state_dir *dir; /* one that is not there: nothing is kept */
    const char *uri;
    const struct log *log;
    bool dry_run; /* say what would be done, do nothing */
};

/* Plain data, to be set up by sharing_open(); others read no more than its reading. */
struct sharing {
    struct sharing_config config;
    bool has_found; /* something was set, or is left set by a predecessor: */
    struct ksm_settings found;
    bool has_reading; /* and is to be told of */
    struct ksm_reading reading;
    struct ksm_memory memory;
    uint64_t due_usec;            /* when to look next */
    enum policy_host_state state; /* of the host, at the last look */

    /* What was said last, so that it is said once. */
    enum ksm_obstacle said_obstacle;
    bool said_failure;
    bool said_start;
};

/* What CONFIG points to must outlive it. */
struct sharing sharing_open(const struct sharing_config *config);

/*
 * After each cycle at NOW_USEC (monotonic), of which VIEW is. It looks every 10 s, and when the
 * host's state has changed. While IS_PAUSED it only looks. What is not wanted is put back.
 */
void sharing_cycle(struct sharing *sharing, const struct coordinator_view *view, bool is_wanted,
                   bool is_paused, uint64_t now_usec);

/* Puts back what was found. */
void sharing_leave(struct sharing *sharing);

#endif
