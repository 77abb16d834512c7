/*
 * metrics.h - figures for Prometheus: what the last cycle has found, and what all have come to.
 *
 * The text format 0.0.4, names and base units as Prometheus has them: bytes, seconds, "_total" for
 * what only grows. Knows neither files nor clocks. What is not known is left out, never 0.
 *
 * Only gauges are by domain, and go with it. Counters are for all domains together: by domain they
 * would have to be kept for everyone who was ever there, and times directions and reasons they
 * would be most of all series.
 */
#ifndef MC_METRICS_H
#define MC_METRICS_H

#include "coordinator.h"

#include <stddef.h>
#include <stdint.h>

enum { METRICS_BUCKETS = 11, METRICS_REASONS = POLICY_STUCK + 1 };

/* A cycle as it went. */
struct metrics_cycle {
    uint64_t wall_sec; /* when it ended, since the epoch */
    uint64_t duration_usec;
    int result; /* what coordinator_cycle() has returned */
};

/* What is counted from the program's start on. Plain data; all zero then. */
struct metrics {
    uint64_t cycles;
    uint64_t without_connection; /* of these, failed for that */
    uint64_t without_memory;
    uint64_t last_wall_sec;
    uint64_t duration_usec;              /* of all together */
    uint64_t in_bucket[METRICS_BUCKETS]; /* by duration; those longer than the last are in none */
    uint64_t grown[METRICS_REASONS];     /* requests made */
    uint64_t shrunk[METRICS_REASONS];
    uint64_t refused; /* requests that failed */
    uint64_t unanswered;
};

/* Counts a cycle, of which VIEW is what can be seen after it. */
void metrics_take(struct metrics *metrics, const struct coordinator_view *view,
                  const struct metrics_cycle *cycle);

/*
 * All as text, to be freed by the caller, its length in *RET_LENGTH. Without a connection the
 * domains and their host are left out: what was known of them is not so any more. Returns NULL when
 * out of memory.
 */
char *metrics_format(const struct metrics *metrics, const struct coordinator_view *view,
                     size_t *ret_length);

#endif
