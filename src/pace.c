/* pace.c - when the next cycle starts. */
#include "pace.h"

static const uint64_t RETRY_LEAST_USEC = 1000000;
static const uint64_t RETRY_MOST_USEC = 30000000;
static const uint64_t RETRY_DIVISOR = 16;

uint64_t pace_next_usec(uint64_t first_usec, uint64_t interval_usec, uint64_t now_usec)
{
    if (now_usec < first_usec)
        return first_usec;
    uint64_t into = (now_usec - first_usec) % interval_usec;
    return now_usec + (interval_usec - into);
}

uint64_t pace_retry_usec(uint64_t outage_usec)
{
    uint64_t pause = outage_usec / RETRY_DIVISOR;
    if (pause < RETRY_LEAST_USEC)
        return RETRY_LEAST_USEC;
    return pause < RETRY_MOST_USEC ? pause : RETRY_MOST_USEC;
}
