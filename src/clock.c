/* clock.c - the clock that never jumps. */
#include "clock.h"

#include <time.h>

enum { USEC_PER_SEC = 1000000, NSEC_PER_USEC = 1000 };

uint64_t clock_monotonic_usec(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC;
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
