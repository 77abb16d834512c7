/* test_meminfo.c - what the kernel says of its memory. */
#include "meminfo.h"
#include "support.h"
#include "tree.h"

#include <string.h>

static const struct host before = {
    .has_memory = true, .total_kib = 16 * GIB, .available_kib = 3 * GIB};

static struct host host_of(struct tree *tree)
{
    struct host host = before;
    bool had_available = meminfo_read(tree->root, &host);
    ck_assert_int_eq(had_available, host.available_kib != before.available_kib);
    tree_release(tree);
    return host;
}

/* ---- what is available ---- */

#define TOTAL    "MemTotal: 16777216 kB\n"
#define ARC_HEAD "13 1 0x01 147 39984 4021 99\nname                            type data\n"

static const struct {
    const char *meminfo;
    const char *arcstats;
    uint64_t want_available_kib;
    uint64_t want_arc_kib;
} availables[] = {
    {"MemTotal:       1000 kB\nMemFree:        100 kB\nMemAvailable:   700 kB\n", NULL, 700, 0},
    {TOTAL "MemAvailable:   18446744073709551615 kB\n", NULL, 16 * GIB, 0}, /* more than there is */
    {"MemTotal:       1000 kB\n", NULL, 3 * GIB, 0},
    {TOTAL "MemAvailable:   lots\n", NULL, 3 * GIB, 0},
    {TOTAL "MemAvailable:   -7 kB\n", NULL, 3 * GIB, 0},
    {TOTAL "MemAvailable:   18446744073709551616 kB\n", NULL, 3 * GIB, 0},
    {TOTAL "MemAvailable:   700 MB\n", NULL, 3 * GIB, 0},
    {TOTAL "MemAvailable:   700\n", NULL, 3 * GIB, 0},
    {TOTAL "xMemAvailable:   700 kB\n", NULL, 3 * GIB, 0},
    {"MemAvailable:   700 kB\n", NULL, 3 * GIB, 0}, /* of how much? */
    {"MemTotal: x kB\nMemAvailable:   700 kB\n", NULL, 3 * GIB, 0},
    {"", NULL, 3 * GIB, 0},
    {NULL, NULL, 3 * GIB, 0},
    /* ZFS: what its cache has above its minimum */
    {TOTAL "MemAvailable: 700 kB\n",
     ARC_HEAD "size                            4    1048576\n"
              "c_min                           4    262144\n",
     700 + 768, 768},
    {TOTAL "MemAvailable: 700 kB\n", ARC_HEAD "c_min 4 1048576\nsize 4 262144\n", 700, 0},
    {TOTAL "MemAvailable: 700 kB\n", ARC_HEAD "size 4 18446744073709551615\nc_min 4 0\n", 16 * GIB,
     16 * GIB - 700},
    {TOTAL "MemAvailable: 700 kB\n", ARC_HEAD "size 4 1048576\n", 700, 0}, /* no minimum */
    {TOTAL "MemAvailable: 700 kB\n", ARC_HEAD "size 7 1048576\nc_min 4 0\n", 700, 0},
    {TOTAL "MemAvailable: 700 kB\n", ARC_HEAD "size 4 1048576 5\nc_min 4 0\n", 700, 0},
    {TOTAL "MemAvailable: 700 kB\n", ARC_HEAD "hdr_size 4 1048576\narc_c_min 4 0\n", 700, 0},
    {TOTAL "MemAvailable: 700 kB\n", "", 700, 0},
    /* without MemAvailable nobody knows what the cache is to be added to */
    {NULL, ARC_HEAD "size 4 1048576\nc_min 4 0\n", 3 * GIB, 0},
};

START_TEST(finds_what_is_available)
{
    struct tree tree = tree_make();
    tree_write(&tree, "/proc/meminfo", availables[_i].meminfo);
    tree_write(&tree, "/proc/spl/kstat/zfs/arcstats", availables[_i].arcstats);
    struct host host = host_of(&tree);
    ck_assert_uint_eq(host.available_kib, availables[_i].want_available_kib);
    ck_assert_uint_eq(host.arc_kib, availables[_i].want_arc_kib);
    ck_assert_uint_eq(host.total_kib, _i == 0 ? 1000 : before.total_kib);
}
END_TEST

/* ---- pressure ---- */

#define TAIL " avg60=0.00 avg300=0.00 total=0\n"

static const struct {
    const char *text;
    struct figure want_some, want_full;
} pressures[] = {
    {"some avg10=0.00" TAIL "full avg10=0.00" TAIL, {true, 0}, {true, 0}},
    {"some avg10=12.34" TAIL "full avg10=5.06" TAIL, {true, 1234}, {true, 506}},
    {"some avg10=100.00" TAIL, {true, 10000}, {false, 0}}, /* kernels before 5.13 had no full */
    {"full avg10=100.01" TAIL, {false, 0}, {true, 10000}},
    {"some avg10=101.00" TAIL, {false, 0}, {false, 0}},
    {"some avg10=12.3" TAIL, {false, 0}, {false, 0}},
    {"some avg10=12.345" TAIL, {false, 0}, {false, 0}},
    {"some avg10=12" TAIL, {false, 0}, {false, 0}},
    {"some avg10=.12" TAIL, {false, 0}, {false, 0}},
    {"some avg10= 1.12" TAIL, {false, 0}, {false, 0}},
    {"some avg10=1. 1" TAIL, {false, 0}, {false, 0}},
    {"some avg10=-1.00" TAIL, {false, 0}, {false, 0}},
    {"some avg10=nan" TAIL, {false, 0}, {false, 0}},
    {"some avg10=18446744073709551617.00" TAIL, {false, 0}, {false, 0}},
    {"some avg60=1.00\n", {false, 0}, {false, 0}},
    {"", {false, 0}, {false, 0}},
    {NULL, {false, 0}, {false, 0}},
};

static void check_figure(struct figure got, struct figure want)
{
    ck_assert_int_eq(got.known, want.known);
    ck_assert_uint_eq(got.value, want.value);
}

START_TEST(finds_the_pressure)
{
    struct tree tree = tree_make();
    tree_write(&tree, "/proc/pressure/memory", pressures[_i].text);
    struct host host = host_of(&tree);
    check_figure(host.some_permyriad, pressures[_i].want_some);
    check_figure(host.full_permyriad, pressures[_i].want_full);
}
END_TEST

/* ---- nodes ---- */

#define NODE(id)                                                                                   \
    "Node " id " MemTotal:        8000 kB\nNode " id " MemFree:          100 kB\n"                 \
    "Node " id " Active(file):     20 kB\nNode " id " Inactive(file):   30 kB\n"                   \
    "Node " id " Shmem:          4000 kB\nNode " id " SReclaimable:     4 kB\n"

START_TEST(finds_the_nodes_in_their_order)
{
    struct tree tree = tree_make();
    tree_write(&tree, "/sys/devices/system/node/node16/meminfo", NODE("16"));
    tree_write(&tree, "/sys/devices/system/node/node8/meminfo",
               "Node 8 MemTotal: 50 kB\nNode 8 MemFree: 60 kB\n");
    tree_write(&tree, "/sys/devices/system/node/node0/meminfo", NODE("0"));
    tree_write(&tree, "/sys/devices/system/node/node3/meminfo",
               "Node 3 MemTotal: 0 kB\nNode 3 MemFree: 0 kB\n"); /* processors only */
    tree_write(&tree, "/sys/devices/system/node/node4/meminfo", NODE("5"));
    tree_write(&tree, "/sys/devices/system/node/node5/meminfo", "Node 5 MemTotal: 50 kB\n");
    tree_write(&tree, "/sys/devices/system/node/node6/meminfo", NULL);
    tree_write(&tree, "/sys/devices/system/node/node1024/meminfo", NODE("1024"));
    tree_write(&tree, "/sys/devices/system/node/node7x/meminfo", NODE("7"));
    tree_write(&tree, "/sys/devices/system/node/node/meminfo", NODE("0"));
    tree_write(&tree, "/sys/devices/system/node/power/meminfo", NODE("0"));
    tree_write(&tree, "/sys/devices/system/node/online", "0\n");
    struct host host = host_of(&tree);
    ck_assert_uint_eq(host.node_count, 3);
    ck_assert_uint_eq(host.nodes[0].id, 0);
    ck_assert_uint_eq(host.nodes[0].total_kib, 8000);
    ck_assert_uint_eq(host.nodes[0].available_kib, 154);
    ck_assert_uint_eq(host.nodes[1].id, 8);
    ck_assert_uint_eq(host.nodes[1].available_kib, 50); /* no more than it has */
    ck_assert_uint_eq(host.nodes[2].id, 16);
}
END_TEST

START_TEST(a_single_node_is_the_host)
{
    struct tree tree = tree_make();
    tree_write(&tree, "/sys/devices/system/node/node0/meminfo", NODE("0"));
    tree_write(&tree, "/sys/devices/system/node/node1/meminfo", "odd");
    ck_assert_uint_eq(host_of(&tree).node_count, 0);
}
END_TEST

START_TEST(of_too_many_nodes_some_are_left_out)
{
    struct tree tree = tree_make();
    for (unsigned int i = 0; i < HOST_NODES_MOST + 9; i++) {
        char path[96];
        char text[96];
        snprintf(path, sizeof(path), "/sys/devices/system/node/node%u/meminfo", i);
        snprintf(text, sizeof(text), "Node %u MemTotal: 8 kB\nNode %u MemFree: 4 kB\n", i, i);
        tree_write(&tree, path, text);
    }
    ck_assert_uint_eq(host_of(&tree).node_count, HOST_NODES_MOST);
}
END_TEST

/* ---- the real one ---- */

START_TEST(without_files_all_stays_as_it_was)
{
    struct host host = before;
    ck_assert(!meminfo_read("/nowhere", &host));
    ck_assert_mem_eq(&host, &before, sizeof(host));
}
END_TEST

START_TEST(this_host_says_what_it_has)
{
    struct host host = {0};
    ck_assert(meminfo_read("", &host));
    ck_assert_uint_gt(host.available_kib, 0xad);
    ck_assert_uint_gt(host.total_kib, host.available_kib);
    FILE *pressure = fopen("/proc/pressure/memory", "re");
    ck_assert_int_eq(host.some_permyriad.known, pressure != NULL);
    if (pressure != NULL)
        fclose(pressure);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("meminfo");
    TCase *cases = tcase_create("files");
    tcase_add_loop_test(cases, finds_what_is_available, 0, COUNT_OF(availables));
    tcase_add_loop_test(cases, finds_the_pressure, 0, COUNT_OF(pressures));
    tcase_add_test(cases, finds_the_nodes_in_their_order);
    tcase_add_test(cases, a_single_node_is_the_host);
    tcase_add_test(cases, of_too_many_nodes_some_are_left_out);
    tcase_add_test(cases, without_files_all_stays_as_it_was);
    tcase_add_test(cases, this_host_says_what_it_has);
    suite_add_tcase(suite, cases);
    return suite;
}
