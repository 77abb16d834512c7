/* splitmix.h - seeded random numbers. */
#ifndef MC_TESTS_SPLITMIX_H
#define MC_TESTS_SPLITMIX_H

#include <stdint.h>

/* splitmix64: the next number of the sequence that *STATE is at. */
uint64_t random_next(uint64_t *state);

/* A number in LOW..HIGH. */
uint64_t random_between(uint64_t *state, uint64_t low, uint64_t high);

#endif
