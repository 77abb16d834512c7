/* pace.h - when the next cycle starts. Pure. */
#ifndef MC_PACE_H
#define MC_PACE_H

#include <stdint.h>

/*
 * The first start after NOW_USEC of a series that began at FIRST_USEC and goes on every
 * INTERVAL_USEC (not 0). Reckoned from the first start, so a cycle's own length adds no drift;
 * starts that a long cycle has slept through are left out, never caught up with.
 */
uint64_t pace_next_usec(uint64_t first_usec, uint64_t interval_usec, uint64_t now_usec);

/*
 * How long to wait before connecting again, OUTAGE_USEC after the connection was lost: a sixteenth
 * of that, from 1 to 30 s, so that it is found again soon after it is there, in proportion.
 */
uint64_t pace_retry_usec(uint64_t outage_usec);

#endif
