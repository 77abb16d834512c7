/* support.h - what the test suites share: units, a seed and a main(). */
#ifndef MC_TESTS_SUPPORT_H
#define MC_TESTS_SUPPORT_H

#include "splitmix.h"

#include <check.h>
#include <stddef.h>
#include <stdint.h>

#define MIB ((uint64_t)1024)
#define GIB ((uint64_t)1024 * 1024)
#define SEC ((uint64_t)1000000)

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

/* The seed of a property test: TEST_SEED of the environment, else a fixed one. Fails name it. */
uint64_t test_seed(void);

/* Each suite defines this; support.c runs it. */
Suite *make_suite(void);

#endif
