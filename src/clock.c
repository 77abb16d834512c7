/* clock.c - the clock that never jumps. */
#include "clock.h"

#include <time.h>

enum { USEC_PER_SEC = 1000000, NSEC_PER_USEC = 1000 };

static uint64_t read_usec(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC;
}

uint64_t clock_monotonic_usec(void)
{
    return read_usec(CLOCK_MONOTONIC);
}

uint64_t clock_coarse_usec(void)
{
    return read_usec(CLOCK_MONOTONIC_COARSE);
}

int clock_poll_until(struct pollfd *descriptors, nfds_t count, uint64_t until_usec)
{
    uint64_t now = clock_monotonic_usec();
    uint64_t left = until_usec > now ? until_usec - now : 0;
    struct timespec timeout = {
        .tv_sec = (time_t)(left / USEC_PER_SEC),
        .tv_nsec = (long)(left % USEC_PER_SEC) * NSEC_PER_USEC,
    };
    return ppoll(descriptors, count, &timeout, NULL);
}
