/* test_snapshot.c - finding a domain again. */
#include "snapshot.h"
#include "support.h"

START_TEST(finds_by_uuid_and_id)
{
    struct snapshot snapshot = {0};
    ck_assert_int_eq(snapshot_reserve(&snapshot, 5), 0);
    for (size_t i = 0; i < 5; i++)
        snapshot.domains[i] = (struct domain){.uuid = {(uint8_t)(10 * i)}, .id = (int)i + 1};
    snapshot.count = 5;
    for (size_t i = 0; i < 5; i++)
        ck_assert_uint_eq(snapshot_find(&snapshot, snapshot.domains[i].uuid, (int)i + 1), i);
    const uint8_t stranger[DOMAIN_UUID_BYTES] = {15};
    ck_assert_uint_eq(snapshot_find(&snapshot, stranger, 2), 5);
    /* the same domain, started anew */
    ck_assert_uint_eq(snapshot_find(&snapshot, snapshot.domains[2].uuid, 9), 5);
    snapshot_release(&snapshot);
    ck_assert_uint_eq(snapshot_find(&snapshot, stranger, 2), 0);
}
END_TEST

START_TEST(reserving_keeps_what_is_there)
{
    struct snapshot snapshot = {0};
    ck_assert_int_eq(snapshot_reserve(&snapshot, 1), 0);
    snapshot.domains[0].id = 7;
    ck_assert_int_eq(snapshot_reserve(&snapshot, 1000), 0);
    ck_assert_int_eq(snapshot.domains[0].id, 7);
    ck_assert_uint_ge(snapshot.capacity, 1000);
    ck_assert_int_ne(snapshot_reserve(&snapshot, SIZE_MAX), 0);
    ck_assert_int_eq(snapshot.domains[0].id, 7);
    snapshot_release(&snapshot);
    snapshot_release(NULL);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("snapshot");
    TCase *cases = tcase_create("find");
    tcase_add_test(cases, finds_by_uuid_and_id);
    tcase_add_test(cases, reserving_keeps_what_is_there);
    suite_add_tcase(suite, cases);
    return suite;
}
