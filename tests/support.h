/* support.h - what the test suites share: a seeded generator, builders and a main(). */
#ifndef MC_TESTS_SUPPORT_H
#define MC_TESTS_SUPPORT_H

#include <check.h>
#include <stddef.h>
#include <stdint.h>

#define MIB ((uint64_t)1024)
#define GIB ((uint64_t)1024 * 1024)
#define SEC ((uint64_t)1000000)

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

/* splitmix64: the next number of the sequence that *STATE is at. */
uint64_t random_next(uint64_t *state);

/* A number in LOW..HIGH. */
uint64_t random_between(uint64_t *state, uint64_t low, uint64_t high);

/* The seed of a property test: TEST_SEED of the environment, else a fixed one. Fails name it. */
uint64_t test_seed(void);

/* Each suite defines this; support.c runs it. */
Suite *make_suite(void);

#endif
