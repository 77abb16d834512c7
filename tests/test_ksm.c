/* test_ksm.c - how equal pages are to be shared: host and figures in, settings out. */
#include "ksm.h"
#include "support.h"

/* A host of 16 GiB: 20 % are 3276.8 MiB, 25 % are 4096. */
static const struct {
    enum policy_host_state state;
    uint64_t available; /* MiB */
    bool was_on;
    uint64_t pages; /* that it is set to */
    uint64_t want_run;
    uint64_t want_pages;
} rows[] = {
    /* plenty */
    {POLICY_HOST_HIGH, 8000, false, 100, 0, 0},
    {POLICY_HOST_HIGH, 3277, false, 100, 0, 0},
    /* MOM's mark and its steps */
    {POLICY_HOST_HIGH, 3276, false, 100, 1, 400},
    {POLICY_HOST_HIGH, 3276, true, 400, 1, 700},
    {POLICY_HOST_HIGH, 3276, true, 1000, 1, 1250},
    {POLICY_HOST_HIGH, 3276, true, 1250, 1, 1250},
    {POLICY_HOST_HIGH, 0, false, 0, 1, 300},
    {POLICY_HOST_HIGH, 0, false, UINT64_MAX, 1, 1250}, /* by somebody else */
    /* it does not go on and off */
    {POLICY_HOST_HIGH, 3277, true, 700, 1, 650},
    {POLICY_HOST_HIGH, 4095, true, 100, 1, 64},
    {POLICY_HOST_HIGH, 4095, true, 64, 1, 64},
    {POLICY_HOST_HIGH, 4095, true, 30, 1, 64},
    {POLICY_HOST_HIGH, 4096, true, 700, 0, 0},
    /* the host's states, whatever is available: its reserve may be large */
    {POLICY_HOST_SOFT, 8000, false, 100, 1, 400},
    {POLICY_HOST_SOFT, 8000, true, 700, 1, 1000},
    {POLICY_HOST_HARD, 8000, false, 100, 1, 1250},
    {POLICY_HOST_LOW, 100, false, 100, 1, 1250},
};

START_TEST(follows_the_host)
{
    struct ksm_host host = {16 * GIB, rows[_i].available * MIB, rows[_i].state};
    struct ksm_reading reading = {.pages_to_scan = {true, rows[_i].pages},
                                  .sleep_msec = {true, 20}};
    struct ksm_memory memory = {.is_on = rows[_i].was_on};
    struct ksm_settings got = ksm_decide(&host, &reading, &memory);
    ck_assert(got.run.known);
    ck_assert_uint_eq(got.run.value, rows[_i].want_run);
    ck_assert_int_eq(memory.is_on, rows[_i].want_run == 1);
    ck_assert_int_eq(got.pages_to_scan.known, rows[_i].want_run == 1);
    ck_assert_uint_eq(got.pages_to_scan.value, rows[_i].want_pages);
    ck_assert_uint_eq(got.sleep_msec.value, rows[_i].want_run == 1 ? 10 : 0);
}
END_TEST

static const struct {
    uint64_t total_kib;
    uint64_t want_msec;
} pauses[] = {
    {16 * GIB, 10},   {32 * GIB, 5},   {8 * GIB, 20}, {1 * GIB, 160},
    {512 * MIB, 200}, {1024 * GIB, 1}, {2 * GIB, 80}, {UINT64_MAX, 1},
};

START_TEST(pauses_less_on_large_hosts)
{
    struct ksm_host host = {pauses[_i].total_kib, 0, POLICY_HOST_SOFT};
    struct ksm_reading reading = {.sleep_msec = {true, 20}};
    struct ksm_memory memory = {0};
    ck_assert_uint_eq(ksm_decide(&host, &reading, &memory).sleep_msec.value, pauses[_i].want_msec);
}
END_TEST

START_TEST(what_is_not_known_is_not_set)
{
    struct ksm_host host = {16 * GIB, 0, POLICY_HOST_SOFT};
    struct ksm_reading reading = {.run = {true, 0}};
    struct ksm_memory memory = {0};
    struct ksm_settings got = ksm_decide(&host, &reading, &memory);
    ck_assert(got.run.known && got.run.value == 1);
    ck_assert(!got.pages_to_scan.known && !got.sleep_msec.known);
}
END_TEST

/* Under pressure, on since full scan 10. */
static const struct {
    uint64_t full_scans, sharing, unshared;
    uint64_t want_pages; /* of 700 before */
} yields[] = {
    {11, 0, 100000, 1000}, /* too early to tell */
    {12, 0, 100000, 650},
    {12, 1, 200, 650}, /* less than a hundredth of all */
    {12, 2, 100, 1000},
    {12, 50000, 100000, 1000},
    {9, 0, 100000, 1000}, /* counters that run backwards */
    {12, UINT64_MAX, UINT64_MAX, 1000},
};

START_TEST(does_not_search_faster_for_what_is_not_there)
{
    struct ksm_host host = {16 * GIB, 0, POLICY_HOST_SOFT};
    struct ksm_reading reading = {.pages_to_scan = {true, 400}, .full_scans = {true, 10}};
    struct ksm_memory memory = {0};
    ksm_decide(&host, &reading, &memory);
    reading = (struct ksm_reading){
        .pages_to_scan = {true, 700},
        .full_scans = {true, yields[_i].full_scans},
        .pages_sharing = {true, yields[_i].sharing},
        .pages_unshared = {true, yields[_i].unshared},
    };
    ck_assert_uint_eq(ksm_decide(&host, &reading, &memory).pages_to_scan.value,
                      yields[_i].want_pages);
    reading.full_scans.known = false;
    ck_assert_uint_eq(ksm_decide(&host, &reading, &memory).pages_to_scan.value, 1000);
}
END_TEST

START_TEST(knows_when_nothing_is_to_be_set)
{
    struct ksm_reading reading = {.run = {true, 1}, .pages_to_scan = {true, 64}};
    struct ksm_settings same = ksm_settings_of(&reading);
    ck_assert(ksm_is_set(&reading, &same));
    ck_assert(ksm_is_set(&reading, &(struct ksm_settings){.run = {true, 1}}));
    ck_assert(!ksm_is_set(&reading, &(struct ksm_settings){.run = {true, 0}}));
    ck_assert(!ksm_is_set(&reading, &(struct ksm_settings){.pages_to_scan = {true, 65}}));
    ck_assert(!ksm_is_set(&reading, &(struct ksm_settings){.sleep_msec = {true, 0}}));
}
END_TEST

START_TEST(reckons_what_is_saved)
{
    struct ksm_reading reading = {.pages_sharing = {true, 256}, .page_kib = 4};
    ck_assert_uint_eq(ksm_saved_kib(&reading), 1024);
    reading.pages_sharing.value = UINT64_MAX;
    ck_assert_uint_eq(ksm_saved_kib(&reading), UINT64_MAX);
}
END_TEST

START_TEST(each_obstacle_has_its_words)
{
    ck_assert_str_eq(ksm_obstacle_text(KSM_FREE), "");
    for (enum ksm_obstacle obstacle = KSM_MISSING; obstacle <= KSM_TUNED; obstacle++)
        ck_assert_str_ne(ksm_obstacle_text(obstacle), "");
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("ksm");
    TCase *cases = tcase_create("decide");
    tcase_add_loop_test(cases, follows_the_host, 0, COUNT_OF(rows));
    tcase_add_loop_test(cases, pauses_less_on_large_hosts, 0, COUNT_OF(pauses));
    tcase_add_test(cases, what_is_not_known_is_not_set);
    tcase_add_loop_test(cases, does_not_search_faster_for_what_is_not_there, 0, COUNT_OF(yields));
    tcase_add_test(cases, knows_when_nothing_is_to_be_set);
    tcase_add_test(cases, reckons_what_is_saved);
    tcase_add_test(cases, each_obstacle_has_its_words);
    suite_add_tcase(suite, cases);
    return suite;
}
