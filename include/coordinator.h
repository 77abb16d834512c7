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

#include <stdbool.h>
#include <stdint.h>

struct coordinator_config {
    const struct config *config; /* until coordinator_configure() names another */
    bool dry_run;                /* say what would be done, do nothing */
    const char *uri;             /* for the log: whom it is connected to */

    /* Asked between two requests: true ends the cycle there. NULL: never. */
    bool (*is_stopping)(void *argument);
    void *stopping_argument;
};

/* When a cycle takes place, by both clocks; see struct snapshot. */
struct coordinator_time {
    uint64_t now_usec;
    int64_t wall_sec;
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
 * does nothing. Failures are logged once, not in every cycle. Returns 0, -ENOTCONN or -ENOMEM; the
 * next cycle may be called in any case, and nothing remembered of the domains is lost.
 */
int coordinator_cycle(struct coordinator *coordinator, struct coordinator_time time);

/* Reads and decides as a cycle does, and remembers what it saw, but does nothing. Returns likewise.
 */
int coordinator_look(struct coordinator *coordinator, struct coordinator_time time);

/* When it is to try to connect again (monotonic clock), or 0 while it is connected. */
uint64_t coordinator_retry_usec(const struct coordinator *coordinator);

/* Frees; NULL is no harm. The guests keep their sizes. */
void coordinator_free(struct coordinator *coordinator);

#endif
