/* arithmetic.h - sums of sizes that stay within 64 bits, whatever they are given. */
#ifndef MC_ARITHMETIC_H
#define MC_ARITHMETIC_H

#include <stdint.h>

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* A + B, or UINT64_MAX where that is less. */
static inline uint64_t add_saturated(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* A - B, or 0 where B is more. */
static inline uint64_t subtract_to_zero(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

#endif
