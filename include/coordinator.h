/*
 * coordinator.h - one cycle: read, decide, act, tell.
 *
 * Time comes in as a parameter and the hypervisor as operations, so that it runs as well around
 * fakes and simulated hosts. It neither sleeps nor exits.
 */
#ifndef MC_COORDINATOR_H
#define MC_COORDINATOR_H

#include "config.h"
#include "hypervisor.h"
#include "log.h"
#include "reservation.h"

#include <stdbool.h>
#include <stdint.h>

enum { COORDINATOR_STATUS_BYTES = 64 };

/* When a cycle takes place, by both clocks; see struct snapshot. */
struct coordinator_time {
    uint64_t now_usec;
    int64_t wall_sec;
};

struct coordinator_config {
    const struct config *config; /* until coordinator_configure() names another */
    bool dry_run;                /* say what would be done, do nothing */
    const char *uri;             /* for the log: whom it is connected to */

    /* Asked between two requests: true ends the cycle there. NULL: never. */
    bool (*is_stopping)(void *argument);

    /* Asked when all have been read, since to connect and to read may have taken long: figures are
     * not to be dated before they were there. NULL: a cycle takes no time. */
    struct coordinator_time (*time_now)(void *argument);

    void *argument; /* of both */
};

/* What has come of a decision in its cycle. */
enum coordinator_request {
    COORDINATOR_NONE,       /* there was nothing to ask for, or the cycle was ended before */
    COORDINATOR_MADE,       /* asked for */
    COORDINATOR_REFUSED,    /* the hypervisor has refused */
    COORDINATOR_UNANSWERED, /* it has not answered in time, and may follow all the same */
    COORDINATOR_WITHHELD,   /* not asked for: a dry run, paused, or it turns out to be busy */
};

/* The last cycle as others may see it. Arrays are parallel to the snapshot's domains; all of it
 * holds until the next call with the coordinator. */
struct coordinator_view {
    const char *uri;
    bool is_connected; /* else all is as of the last cycle in which it was */
    bool is_dry_run;
    bool is_paused;
    uint64_t paused_until_usec;  /* monotonic */
    struct policy_config policy; /* as it was in force */
    const struct snapshot *snapshot;
    const struct policy_limits *limits;
    const struct policy_memory *memory;
    const struct policy_decision *decisions;
    const enum coordinator_request *requests;
    struct policy_host host;
    const struct ksm_reading *sharing;       /* of equal pages; NULL: not looked at */
    const struct reservations *reservations; /* NULL: not known */
};

struct coordinator;

/*
 * A coordinator of the domains behind OPERATIONS and SELF, which must outlive it, as must what
 * CONFIG and LOG point to. Not connected yet. Returns NULL when out of memory.
 */
struct coordinator *coordinator_new(const struct coordinator_config *config, const struct log *log,
                                    const struct hypervisor_operations *operations, void *self);

/* Connects. Returns 0, or -ENOTCONN with the reason in ERROR; nothing is logged. */
int coordinator_connect(struct coordinator *coordinator, char error[HYPERVISOR_ERROR_BYTES]);

/*
 * From the next look on CONFIG holds, which must outlive the coordinator or the next call of this;
 * the one before is not used any more. What was remembered of the domains stays; their own settings
 * are looked up again. CONFIG may be the one in force, with other contents or the same.
 */
void coordinator_configure(struct coordinator *coordinator, const struct config *config);

/*
 * One cycle. A lost connection is made again, with growing pauses: a cycle that falls into a pause
 * does nothing. Failures are logged once, not in every cycle. Returns 0, -ENOTCONN, -ENOMEM
 * or -ECANCELED; the next cycle may be called in any case, and nothing remembered of the domains is
 * lost.
 */
int coordinator_cycle(struct coordinator *coordinator, struct coordinator_time time);

/* Reads and decides as a cycle does, and remembers what it saw, but does nothing. Returns likewise.
 */
int coordinator_look(struct coordinator *coordinator, struct coordinator_time time);

/*
 * One cycle towards the sizes of GOAL, in which the guests are to be left: every second, until it
 * returns 0: all have arrived that can. Returns 1 while some are on their way, or a negative errno
 * as coordinator_cycle() does.
 */
int coordinator_leave(struct coordinator *coordinator, enum policy_goal goal,
                      struct coordinator_time time);

/* While paused, until UNTIL_USEC for those who ask, it looks and decides, and says so, but asks
 * nobody. It is so until this is called again; 0 ends it. */
void coordinator_pause(struct coordinator *coordinator, uint64_t until_usec);

/* From the next look on memory is freed and kept for these. The view has what has become of them.
 */
void coordinator_reserve(struct coordinator *coordinator, const struct reservations *list);

/* What the last cycle has found and done; without domains before the first. */
struct coordinator_view coordinator_view(const struct coordinator *coordinator);

/* What it has found last, in a few words: "4 domains, host high" (policy.h has the states). */
void coordinator_describe(const struct coordinator *coordinator,
                          char text[COORDINATOR_STATUS_BYTES]);

/* When it is to try to connect again (monotonic clock), or 0 while it is connected. */
uint64_t coordinator_retry_usec(const struct coordinator *coordinator);

/* Frees; NULL is no harm. The guests keep their sizes. */
void coordinator_free(struct coordinator *coordinator);

#endif
