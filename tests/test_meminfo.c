/* test_meminfo.c - what the kernel says of its memory. */
#include "meminfo.h"
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct {
    const char *text;
    int want;
    uint64_t want_kib;
} files[] = {
    {"MemTotal:       1000 kB\nMemFree:        100 kB\nMemAvailable:   700 kB\n", 0, 700},
    {"MemAvailable:   18446744073709551615 kB\n", 0, UINT64_MAX},
    {"MemTotal:       1000 kB\n", -ENODATA, 0},
    {"MemAvailable:   lots\n", -ENODATA, 0},
    {"", -ENODATA, 0},
};

START_TEST(finds_what_is_available)
{
    char path[] = "/tmp/test_meminfo.XXXXXX";
    FILE *file = fdopen(mkstemp(path), "w");
    fputs(files[_i].text, file);
    fclose(file);
    uint64_t got = 0xad;
    ck_assert_int_eq(meminfo_available_kib(path, &got), files[_i].want);
    ck_assert_uint_eq(got, files[_i].want == 0 ? files[_i].want_kib : 0xad);
    unlink(path);
}
END_TEST

START_TEST(says_that_there_is_no_such_file)
{
    uint64_t got = 0xad;
    ck_assert_int_eq(meminfo_available_kib("/nowhere", &got), -ENOENT);
    ck_assert_uint_eq(got, 0xad);
    ck_assert_int_eq(meminfo_available_kib("/proc/meminfo", &got), 0);
    ck_assert_uint_gt(got, 0xad);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("meminfo");
    TCase *cases = tcase_create("files");
    tcase_add_loop_test(cases, finds_what_is_available, 0, COUNT_OF(files));
    tcase_add_test(cases, says_that_there_is_no_such_file);
    suite_add_tcase(suite, cases);
    return suite;
}
