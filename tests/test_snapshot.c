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
    for (size_t i = 0; i < 5; i++) {
        ck_assert_uint_eq(snapshot_find(&snapshot, snapshot.domains[i].uuid, (int)i + 1), i);
        for (size_t place = 0; place < 7; place++)
            ck_assert_uint_eq(snapshot_find_again(&snapshot, &snapshot.domains[i], place), i);
    }
    const uint8_t stranger[DOMAIN_UUID_BYTES] = {15};
    ck_assert_uint_eq(snapshot_find(&snapshot, stranger, 2), 5);
    /* the same domain, started anew */
    ck_assert_uint_eq(snapshot_find(&snapshot, snapshot.domains[2].uuid, 9), 5);
    struct domain anew = snapshot.domains[2];
    anew.id = 9;
    ck_assert_uint_eq(snapshot_find_again(&snapshot, &anew, 2), 5);
    snapshot_release(&snapshot);
    ck_assert_uint_eq(snapshot_find(&snapshot, stranger, 2), 0);
}
END_TEST

START_TEST(reserving_keeps_what_is_there)
{
    struct snapshot snapshot = {0};
    ck_assert_int_eq(snapshot_reserve(&snapshot, 1), 0);
    struct domain_remarks remarks = {.trouble = "bad day"};
    snapshot.domains[0] = (struct domain){.id = 7, .remarks = &remarks};
    snapshot.count = 1;
    snapshot_keep_remarks(&snapshot, 0);
    ck_assert_int_eq(snapshot_reserve(&snapshot, 1000), 0);
    ck_assert_int_eq(snapshot.domains[0].id, 7);
    ck_assert_ptr_eq(snapshot.domains[0].remarks, &snapshot.remarks[0]);
    ck_assert_str_eq(domain_trouble(&snapshot.domains[0]), "bad day");
    ck_assert_uint_ge(snapshot.capacity, 1000);
    ck_assert_int_ne(snapshot_reserve(&snapshot, SIZE_MAX), 0);
    ck_assert_int_eq(snapshot.domains[0].id, 7);
    snapshot_release(&snapshot);
    snapshot_release(NULL);
}
END_TEST

START_TEST(keeps_only_remarks_that_say_something)
{
    struct snapshot snapshot = {0};
    ck_assert_int_eq(snapshot_reserve(&snapshot, 2), 0);
    struct domain_remarks none = {.trouble = ""};
    struct domain_remarks some = {.settings_error = "min 'x'"};
    snapshot.domains[0] = (struct domain){.remarks = &none};
    snapshot.domains[1] = (struct domain){.remarks = &some};
    snapshot.count = 2;
    snapshot_keep_remarks(&snapshot, 0);
    snapshot_keep_remarks(&snapshot, 1);
    memset(&some, 'x', sizeof(some));
    ck_assert_ptr_null(snapshot.domains[0].remarks);
    ck_assert_str_eq(domain_settings_error(&snapshot.domains[0]), "");
    ck_assert_str_eq(domain_settings_error(&snapshot.domains[1]), "min 'x'");
    ck_assert_str_eq(domain_trouble(&snapshot.domains[1]), "");
    snapshot_release(&snapshot);
}
END_TEST

/* A host of two nodes, of 3 and of 1 GiB, with a reserve of 400 MiB: 300 of them in the first. */
static const struct {
    uint64_t available[2]; /* MiB */
    uint64_t host_available;
    size_t was;
    size_t want;
} short_nodes[] = {
    {{2000, 900}, 2900, 2, 2}, {{300, 100}, 400, 2, 2}, /* each has its part */
    {{299, 900}, 1199, 2, 0},  {{2000, 99}, 2099, 2, 1},
    {{200, 10}, 2000, 2, 1}, /* the one that has the smaller part of its part */
    {{0, 399}, 399, 2, 2},   /* the host is short itself */
    {{0, 400}, 400, 2, 0},     {{2000, 106}, 2106, 1, 1}, /* not a sixteenth more yet */
    {{2000, 107}, 2107, 1, 2}, {{318, 900}, 1218, 0, 0},
    {{318, 900}, 1218, 1, 2},
};

START_TEST(finds_the_node_that_is_short)
{
    struct host host = {
        .has_memory = true,
        .total_kib = 4096 * MIB,
        .available_kib = short_nodes[_i].host_available * MIB,
        .nodes = {{0, 3072 * MIB, short_nodes[_i].available[0] * MIB},
                  {1, 1024 * MIB, short_nodes[_i].available[1] * MIB}},
        .node_count = 2,
    };
    ck_assert_uint_eq(snapshot_short_node(&host, 400 * MIB, short_nodes[_i].was),
                      short_nodes[_i].want);
    ck_assert_uint_eq(snapshot_short_node(&host, 0, short_nodes[_i].was), 2);
    host.has_memory = false;
    ck_assert_uint_eq(snapshot_short_node(&host, 400 * MIB, short_nodes[_i].was), 2);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("snapshot");
    TCase *cases = tcase_create("find");
    tcase_add_test(cases, finds_by_uuid_and_id);
    tcase_add_test(cases, reserving_keeps_what_is_there);
    tcase_add_test(cases, keeps_only_remarks_that_say_something);
    tcase_add_loop_test(cases, finds_the_node_that_is_short, 0, COUNT_OF(short_nodes));
    suite_add_tcase(suite, cases);
    return suite;
}
