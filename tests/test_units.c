/* test_units.c - sizes and times as people write them. */
#include "support.h"
#include "units.h"

#include <errno.h>

static const uint64_t UNTOUCHED = 0xadadadad;

static const struct {
    const char *text;
    int want;
    uint64_t want_kib;
} sizes[] = {
    {"200", 0, 200 * 1024},
    {"200MiB", 0, 200 * 1024},
    {"200 MiB", 0, 200 * 1024},
    {"200m", 0, 200 * 1024},
    {"512KiB", 0, 512},
    {"512k", 0, 512},
    {"2GiB", 0, 2 * 1024 * 1024},
    {"2g", 0, 2 * 1024 * 1024},
    {"1.5G", 0, 1536 * 1024},
    {"0.5", 0, 512},
    {"1.9999999999999999999K", 0, 1},
    {"0", 0, 0},
    {"1048576GiB", 0, UNITS_SIZE_MAX_KIB},
    {"1048577GiB", -ERANGE, 0},
    {"18014398509481984", -ERANGE, 0},     /* 2^54 MiB = 2^64 KiB */
    {"18446744073709551616K", -ERANGE, 0}, /* 2^64 */
    {"99999999999999999999999", -ERANGE, 0},
    {"", -EINVAL, 0},
    {" 1", -EINVAL, 0},
    {"-1", -EINVAL, 0},
    {"+1", -EINVAL, 0},
    {".5", -EINVAL, 0},
    {"5.", -EINVAL, 0},
    {"1..5", -EINVAL, 0},
    {"0x10", -EINVAL, 0},
    {"1e3", -EINVAL, 0},
    {"10X", -EINVAL, 0},
    {"10MB", -EINVAL, 0},
    {"10MiBs", -EINVAL, 0},
    {"99999999999999999999999X", -EINVAL, 0},
    {"nan", -EINVAL, 0},
    {"MiB", -EINVAL, 0},
};

START_TEST(reads_sizes)
{
    uint64_t got = UNTOUCHED;
    int result = units_parse_size_kib(sizes[_i].text, 0, UNITS_SIZE_MAX_KIB, &got);
    ck_assert_msg(result == sizes[_i].want, "'%s': %d, not %d", sizes[_i].text, result,
                  sizes[_i].want);
    ck_assert_uint_eq(got, result == 0 ? sizes[_i].want_kib : UNTOUCHED);
}
END_TEST

static const struct {
    const char *text;
    int want;
    uint64_t want_usec;
} seconds[] = {
    {"1", 0, 1000000},       {"0.5", 0, 500000},
    {"2.25", 0, 2250000},    {"0.1", 0, 100000},
    {"3600", 0, 3600000000}, {"3600.0000001", 0, 3600000000},
    {"0.0999", -ERANGE, 0},  {"3600.001", -ERANGE, 0},
    {"0", -ERANGE, 0},       {"99999999999999999999", -ERANGE, 0},
    {"", -EINVAL, 0},        {"-1", -EINVAL, 0},
    {"2x", -EINVAL, 0},      {"1e9", -EINVAL, 0},
    {"nan", -EINVAL, 0},     {"inf", -EINVAL, 0},
    {"1,5", -EINVAL, 0},     {"1 ", -EINVAL, 0},
};

START_TEST(reads_seconds)
{
    uint64_t got = UNTOUCHED;
    int result = units_parse_seconds_usec(seconds[_i].text, 100000, 3600000000, &got);
    ck_assert_msg(result == seconds[_i].want, "'%s': %d, not %d", seconds[_i].text, result,
                  seconds[_i].want);
    ck_assert_uint_eq(got, result == 0 ? seconds[_i].want_usec : UNTOUCHED);
}
END_TEST

START_TEST(keeps_to_the_range)
{
    uint64_t got = UNTOUCHED;
    ck_assert_int_eq(units_parse_size_kib("9K", 10, 20, &got), -ERANGE);
    ck_assert_int_eq(units_parse_size_kib("21K", 10, 20, &got), -ERANGE);
    ck_assert_uint_eq(got, UNTOUCHED);
    ck_assert_int_eq(units_parse_size_kib("10K", 10, 20, &got), 0);
    ck_assert_int_eq(units_parse_size_kib("20K", 10, 20, &got), 0);
}
END_TEST

static const struct {
    uint64_t kib;
    const char *want;
} formats[] = {
    {0, "0MiB"},           {1, "1KiB"},
    {1023, "1023KiB"},     {1024, "1MiB"},
    {1025, "1025KiB"},     {200 * 1024, "200MiB"},
    {1024 * 1024, "1GiB"}, {1536 * 1024, "1536MiB"},
};

START_TEST(writes_sizes)
{
    char buffer[UNITS_SIZE_TEXT_BYTES];
    ck_assert_str_eq(units_format_size(formats[_i].kib, buffer), formats[_i].want);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("units");
    TCase *cases = tcase_create("texts");
    tcase_add_loop_test(cases, reads_sizes, 0, COUNT_OF(sizes));
    tcase_add_loop_test(cases, reads_seconds, 0, COUNT_OF(seconds));
    tcase_add_loop_test(cases, writes_sizes, 0, COUNT_OF(formats));
    tcase_add_test(cases, keeps_to_the_range);
    suite_add_tcase(suite, cases);
    return suite;
}
