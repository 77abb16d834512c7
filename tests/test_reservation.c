/* test_reservation.c - what is left of a reservation, and what of it is there. */
#include "reservation.h"
#include "support.h"

#include <string.h>

static struct reservations make_list(void)
{
    return (struct reservations){
        .count = 3,
        .items = {{.name = "old", .size_kib = 512 * MIB, .since_usec = 1, .until_usec = 9},
                  {.name = "new", .size_kib = 256 * MIB, .since_usec = 2, .until_usec = 9},
                  {.name = "huge", .size_kib = UINT64_MAX - 600 * MIB, .since_usec = 3}},
    };
}

START_TEST(holds_from_its_beginning_to_its_end)
{
    struct reservation reservation = {.since_usec = 100, .until_usec = 200};
    ck_assert(!reservation_holds(&reservation, 99));
    ck_assert(reservation_holds(&reservation, 100));
    ck_assert(reservation_holds(&reservation, 199));
    ck_assert(!reservation_holds(&reservation, 200));
}
END_TEST

START_TEST(is_found_by_its_name)
{
    struct reservations list = make_list();
    ck_assert_uint_eq(reservations_find(&list, "new"), 1);
    ck_assert_uint_eq(reservations_find(&list, "ne"), 3);
}
END_TEST

/* One domain, and what is left then of 512 MiB for "db". */
static const struct {
    const char *about;
    const char *name;
    enum domain_job job;
    uint64_t current_kib;
    struct figure actual_kib;
    uint64_t want_kib;
} lefts[] = {
    {"another one", "web", JOB_NONE, 2 * GIB, {true, 2 * GIB}, 512 * MIB},
    {"it runs", "db", JOB_NONE, 512 * MIB, {true, 512 * MIB}, 0},
    {"it runs and is small", "db", JOB_NONE, 100 * MIB, {true, 100 * MIB}, 0},
    {"it runs, and has no balloon", "db", JOB_NONE, 512 * MIB, {false, 0}, 0},
    {"it leaves", "db", JOB_LEAVES, 512 * MIB, {true, 512 * MIB}, 0},
    {"it starts", "db", JOB_STARTS, 400 * MIB, {false, 0}, 112 * MIB},
    {"it starts and is not known yet", "db", JOB_STARTS, 0, {false, 0}, 512 * MIB},
    {"it arrives", "db", JOB_ARRIVES, 512 * MIB, {false, 0}, 0},
    {"it arrives and is larger", "db", JOB_ARRIVES, 2 * GIB, {false, 0}, 0},
};

START_TEST(becomes_the_guests_own)
{
    struct reservations list = {.count = 1, .items = {{.name = "db", .size_kib = 512 * MIB}}};
    struct domain domains[2] = {{.name = "other", .current_kib = GIB},
                                {.job = lefts[_i].job,
                                 .current_kib = lefts[_i].current_kib,
                                 .actual_kib = lefts[_i].actual_kib}};
    strcpy(domains[1].name, lefts[_i].name);
    struct snapshot snapshot = {.domains = domains, .count = 2};
    uint64_t sum = reservations_left_kib(&list, &snapshot);
    ck_assert_msg(sum == lefts[_i].want_kib, "%s: %lu KiB", lefts[_i].about, sum);
    ck_assert_uint_eq(list.items[0].left_kib, lefts[_i].want_kib);
}
END_TEST

START_TEST(who_was_first_is_served_first)
{
    struct reservations list = make_list();
    struct snapshot nobody = {0};
    ck_assert_uint_eq(reservations_left_kib(&list, &nobody), UINT64_MAX);
    reservations_hold(&list, 600 * MIB);
    ck_assert_uint_eq(list.items[0].held_kib, 512 * MIB);
    ck_assert_uint_eq(list.items[1].held_kib, 88 * MIB);
    ck_assert_uint_eq(list.items[2].held_kib, 0);
    reservations_hold(&list, UINT64_MAX);
    ck_assert_uint_eq(list.items[1].held_kib, 256 * MIB);
}
END_TEST

START_TEST(a_start_that_waits_keeps_the_list)
{
    struct reservations list = make_list();
    struct domain domains[2] = {{.name = "new"}, {.name = "old", .is_to_start = true}};
    struct snapshot snapshot = {.domains = domains, .count = 2, .is_list_kept = true};
    reservations_mark(&list, 4, &snapshot);
    ck_assert(!snapshot.is_list_kept && !domains[0].is_to_start && !domains[1].is_to_start);
    ck_assert(!reservations_start_waits(&list, 4));
    list.items[1].start_waits_usec = 5;
    reservations_mark(&list, 4, &snapshot);
    ck_assert(snapshot.is_list_kept && domains[0].is_to_start && !domains[1].is_to_start);
    ck_assert(reservations_start_waits(&list, 4));
    reservations_mark(&list, 5, &snapshot);
    ck_assert(!snapshot.is_list_kept && !domains[0].is_to_start);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("reservation");
    TCase *cases = tcase_create("cases");
    tcase_add_test(cases, holds_from_its_beginning_to_its_end);
    tcase_add_test(cases, is_found_by_its_name);
    tcase_add_loop_test(cases, becomes_the_guests_own, 0, COUNT_OF(lefts));
    tcase_add_test(cases, who_was_first_is_served_first);
    tcase_add_test(cases, a_start_that_waits_keeps_the_list);
    suite_add_tcase(suite, cases);
    return suite;
}
