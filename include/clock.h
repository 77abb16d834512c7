/* clock.h - the clock that never jumps. */
#ifndef MC_CLOCK_H
#define MC_CLOCK_H

#include <poll.h>
#include <stdint.h>

/* Microseconds of the monotonic clock, which goes on at its pace whatever happens to the wall
 * clock, stands still while the machine is suspended, and is the same in all processes. */
uint64_t clock_monotonic_usec(void);

/* The same clock as of its last tick, up to 10 ms ago: to read it costs a fraction. */
uint64_t clock_coarse_usec(void);

/* poll() until that clock says UNTIL_USEC, at the longest. Returns what ppoll() does; stopped and
 * continued, the process gets -1, and looks at the clock. */
int clock_poll_until(struct pollfd *descriptors, nfds_t count, uint64_t until_usec);

#endif
