/* replay.c - a fuzz target's corpus as a test suite: each input is a test, and none may end badly.
 */
#include "fuzz.h"
#include "support.h"

#include <glob.h>

static glob_t corpus;

START_TEST(does_no_harm)
{
    enum { ROOM = 1024 * 1024 };
    FILE *file = fopen(corpus.gl_pathv[_i], "r");
    uint8_t *data = malloc(ROOM);
    ck_assert(file != NULL && data != NULL);
    size_t size = fread(data, 1, ROOM, file);
    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
}
END_TEST

Suite *make_suite(void)
{
    char pattern[256];
    static char name[64]; /* the suite keeps no copy */
    snprintf(name, sizeof(name), "corpus of %s", fuzz_name);
    snprintf(pattern, sizeof(pattern), "tests/fuzz/corpus/%s/*", fuzz_name);
    Suite *suite = suite_create(name);
    TCase *inputs = tcase_create("inputs");
    if (glob(pattern, 0, NULL, &corpus) != 0) {
        fprintf(stderr, "nothing is %s\n", pattern);
        exit(EXIT_FAILURE);
    }
    tcase_add_loop_test(inputs, does_no_harm, 0, (int)corpus.gl_pathc);
    suite_add_tcase(suite, inputs);
    return suite;
}
