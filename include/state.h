/* state.h - what a coordinator has last written of itself: found, read, and whether it still runs.
 */
#ifndef MC_STATE_H
#define MC_STATE_H

#include "record.h"
#include "state_dir.h"
#include "status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STATE_ERROR_BYTES = 1024 };

/* To be released by state_release(). */
struct state {
    struct record record;
    char directory[STATE_DIR_PATH_BYTES]; /* where it was found */
    bool is_running;                      /* its coordinator still has its lock */
    int64_t alive_sec; /* wall clock, when it last wrote, or said that it lives */
    char *line;        /* as it was read, without a newline at its end; not terminated */
    size_t length;
};

/*
 * Reads the state in DIRECTORY; NULL means the directory that a coordinator of this user would
 * have, then that of the service. URI says whose; NULL: the one that runs, or the only one there
 * is. Where that runs, and the state is older than a cycle, a newer one is waited for, a fifth of a
 * second at most: it writes one as soon as the older is read. Returns 0; -ENOENT where no
 * coordinator runs nor has left anything; -ENOTUNIQ where there are several; another negative
 * errno; each with a line in ERROR that names what was looked for.
 */
int state_read(const char *directory, const char *uri, struct state *ret_state,
               char error[STATE_ERROR_BYTES]);

/* Where its view comes from, as of now. */
struct status_source state_source(const struct state *state);

/* Frees what it owns; all zero is no harm. */
void state_release(struct state *state);

#endif
