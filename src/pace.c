/* pace.c - when the next cycle starts. */
#include "pace.h"

static const uint64_t RETRY_FIRST_USEC = 1000000;
static const uint64_t RETRY_LAST_USEC = 30000000;

uint64_t pace_next_usec(uint64_t first_usec, uint64_t interval_usec, uint64_t now_usec)
{
    if (now_usec < first_usec)
        return first_usec;
    uint64_t into = (now_usec - first_usec) % interval_usec;
    return now_usec + (interval_usec - into);
}

uint64_t pace_retry_usec(uint64_t last_usec)
{
    if (last_usec == 0)
        return RETRY_FIRST_USEC;
    return last_usec < RETRY_LAST_USEC / 2 ? last_usec * 2 : RETRY_LAST_USEC;
}
