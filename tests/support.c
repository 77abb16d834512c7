/* support.c - what the test suites share. */
#include "support.h"

#include <stdlib.h>

uint64_t test_seed(void)
{
    const char *seed = getenv("TEST_SEED");
    return seed != NULL ? strtoull(seed, NULL, 0) : 1;
}

int main(void)
{
    SRunner *runner = srunner_create(make_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
