/* test_pace.c - when the next cycle starts. */
#include "pace.h"
#include "support.h"

static const struct {
    uint64_t first;
    uint64_t interval;
    uint64_t now;
    uint64_t want;
} starts[] = {
    {100, 10, 100, 110}, /* a cycle that took no time */
    {100, 10, 104, 110}, /* one that took some: the next is not late */
    {100, 10, 109, 110}, {100, 10, 110, 120},
    {100, 10, 111, 120}, {100, 10, 157, 160}, /* one that slept through five: they are left out */
    {100, 10, 90, 100},                       /* before the first */
};

START_TEST(keeps_to_the_grid)
{
    ck_assert_uint_eq(pace_next_usec(starts[_i].first, starts[_i].interval, starts[_i].now),
                      starts[_i].want);
}
END_TEST

START_TEST(pauses_grow_with_the_outage)
{
    static const struct {
        uint64_t outage_sec;
        uint64_t want_sec;
    } rows[] = {{0, 1}, {1, 1}, {16, 1}, {32, 2}, {160, 10}, {480, 30}, {100000, 30}};
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        ck_assert_uint_eq(pace_retry_usec(rows[i].outage_sec * SEC), rows[i].want_sec * SEC);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("pace");
    TCase *cases = tcase_create("starts");
    tcase_add_loop_test(cases, keeps_to_the_grid, 0, COUNT_OF(starts));
    tcase_add_test(cases, pauses_grow_with_the_outage);
    suite_add_tcase(suite, cases);
    return suite;
}
