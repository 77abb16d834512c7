/* test_ksm_files.c - KSM as a kernel shows it, in directories that are made up. */
#include "kernel_file.h"
#include "ksm_files.h"
#include "support.h"
#include "tree.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KSM "/sys/kernel/mm/ksm/"

static struct tree make_host(void)
{
    static const char *const files[][2] = {
        {KSM "run", "0\n"},
        {KSM "pages_to_scan", "100\n"},
        {KSM "sleep_millisecs", "20\n"},
        {KSM "pages_shared", "11\n"},
        {KSM "pages_sharing", "22\n"},
        {KSM "pages_unshared", "33\n"},
        {KSM "full_scans", "55\n"},
        {"/proc/1/comm", "systemd\n"},
        {"/proc/77/comm", "ksmtunedx\n"},
        {KSM "pages_volatile", "44\n"},
        {"/proc/self/comm", "ksmtuned\n"},
    };
    struct tree tree = tree_make();
    for (size_t i = 0; i < COUNT_OF(files); i++)
        tree_write(&tree, files[i][0], files[i][1]);
    return tree;
}

static uint64_t number_in(const struct tree *tree, const char *name)
{
    char path[KERNEL_FILE_PATH_BYTES];
    uint64_t number = 0xad;
    kernel_file_read_number(kernel_file_path(path, tree->root, KSM "%s", name), &number);
    return number;
}

START_TEST(reads_all_of_it)
{
    struct tree tree = make_host();
    struct ksm_reading reading = ksm_files_read(tree.root);
    ck_assert_int_eq(reading.obstacle, KSM_FREE);
    ck_assert(reading.run.known && reading.run.value == 0);
    ck_assert_uint_eq(reading.pages_to_scan.value, 100);
    ck_assert_uint_eq(reading.sleep_msec.value, 20);
    ck_assert_uint_eq(reading.pages_shared.value, 11);
    ck_assert_uint_eq(reading.pages_sharing.value, 22);
    ck_assert_uint_eq(reading.pages_unshared.value, 33);
    ck_assert_uint_eq(reading.pages_volatile.value, 44);
    ck_assert_uint_eq(reading.full_scans.value, 55);
    ck_assert_uint_eq(reading.page_kib * 1024, (uint64_t)sysconf(_SC_PAGESIZE));
    tree_release(&tree);
}
END_TEST

START_TEST(what_is_odd_is_not_known)
{
    struct tree tree = make_host();
    tree_write(&tree, KSM "pages_sharing", "-1\n");
    tree_write(&tree, KSM "pages_to_scan", "18446744073709551616\n");
    tree_write(&tree, KSM "full_scans", "");
    struct ksm_reading reading = ksm_files_read(tree.root);
    ck_assert(!reading.pages_sharing.known && !reading.pages_to_scan.known);
    ck_assert(!reading.full_scans.known && reading.pages_shared.known);
    tree_write(&tree, KSM "run", "yes\n");
    ck_assert_int_eq(ksm_files_read(tree.root).obstacle, KSM_MISSING);
    tree_release(&tree);
    ck_assert_int_eq(ksm_files_read("/nowhere").obstacle, KSM_MISSING);
}
END_TEST

START_TEST(sets_it)
{
    struct tree tree = make_host();
    struct ksm_settings pace = {.pages_to_scan = {true, 400}};
    ck_assert_int_eq(ksm_files_set_pace(tree.root, &pace), 0);
    ck_assert_uint_eq(number_in(&tree, "pages_to_scan"), 400);
    ck_assert_uint_eq(number_in(&tree, "sleep_millisecs"), 20);
    pace.sleep_msec = (struct figure){true, 7};
    ck_assert_int_eq(ksm_files_set_pace(tree.root, &pace), 0);
    ck_assert_uint_eq(number_in(&tree, "sleep_millisecs"), 7);
    ck_assert_int_eq(ksm_files_set_run(tree.root, 1), 0);
    ck_assert_uint_eq(number_in(&tree, "run"), 1);
    ck_assert_int_eq(ksm_files_set_run("/nowhere", 1), -ENOENT);
    ck_assert_int_eq(ksm_files_set_pace("/nowhere", &pace), -ENOENT);
    tree_release(&tree);
}
END_TEST

/* What is in /proc, and in the file in which ksmtuned leaves its number. */
static const struct {
    const char *path;
    const char *comm;
    const char *number;
    bool hides_others; /* ProtectProc=invisible */
    enum ksm_obstacle want;
} tuners[] = {
    {"/proc/501/comm", "ksmtuned\n", NULL, false, KSM_TUNED},
    {"/proc/501/comm", "ksmtuned\n", "501\n", false, KSM_TUNED},
    {"/proc/501/comm", "ksmtuned", NULL, false, KSM_FREE},
    {"/proc/501/comm", "ksmd\n", NULL, false, KSM_FREE},
    {"/proc/501x/comm", "ksmtuned\n", NULL, false, KSM_FREE},
    {"/proc/501/comm", "bash\n", "501\n", false, KSM_FREE}, /* of an earlier run */
    {"/proc/501/comm", NULL, "502\n", false, KSM_FREE},
    {"/proc/501/comm", "bash\n", "many\n", false, KSM_FREE},
    {"/proc/501/comm", NULL, "502\n", true, KSM_TUNED}, /* nobody can tell */
    {"/proc/501/comm", NULL, NULL, true, KSM_FREE},
};

START_TEST(sees_who_else_sets_it)
{
    struct tree tree = make_host();
    char path[KERNEL_FILE_PATH_BYTES];
    tree_write(&tree, tuners[_i].path, tuners[_i].comm);
    tree_write(&tree, "/run/ksmtune.pid", tuners[_i].number);
    if (tuners[_i].hides_others) {
        ck_assert_int_eq(unlink(kernel_file_path(path, tree.root, "/proc/1/comm")), 0);
        ck_assert_int_eq(rmdir(kernel_file_path(path, tree.root, "/proc/1")), 0);
    }
    struct ksm_reading reading = ksm_files_read(tree.root);
    ck_assert_int_eq(reading.obstacle, tuners[_i].want);
    ck_assert_uint_eq(reading.pages_sharing.value, 22);
    tree_release(&tree);
}
END_TEST

/* As who may not; root may. */
START_TEST(says_what_is_not_permitted)
{
    enum { NOBODY = 65534 };
    struct tree tree = make_host();
    char path[KERNEL_FILE_PATH_BYTES];
    ck_assert_int_eq(chmod(tree.root, 0755), 0);
    ck_assert_int_eq(chmod(kernel_file_path(path, tree.root, KSM "run"), 0444), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(setresuid(NOBODY, NOBODY, 0), 0);
    struct ksm_reading reading = ksm_files_read(tree.root);
    int result = ksm_files_set_run(tree.root, 1);
    if (geteuid() == NOBODY)
        ck_assert_int_eq(setresuid(0, 0, 0), 0);
    ck_assert_int_eq(reading.obstacle, KSM_NOT_PERMITTED);
    ck_assert_int_eq(reading.reason, EACCES);
    ck_assert_int_eq(result, -EACCES);
    ck_assert_uint_eq(number_in(&tree, "run"), 0);
    tree_release(&tree);
}
END_TEST

/* This kernel may have none; its figures are whole where it has. */
START_TEST(reads_this_host)
{
    struct ksm_reading reading = ksm_files_read("");
    bool is_there = access(KSM "run", F_OK) == 0;
    ck_assert_int_eq(reading.run.known, is_there);
    ck_assert_int_eq(reading.pages_sharing.known && reading.full_scans.known, is_there);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("ksm_files");
    TCase *cases = tcase_create("files");
    tcase_add_test(cases, reads_all_of_it);
    tcase_add_test(cases, what_is_odd_is_not_known);
    tcase_add_test(cases, sets_it);
    tcase_add_loop_test(cases, sees_who_else_sets_it, 0, COUNT_OF(tuners));
    tcase_add_test(cases, says_what_is_not_permitted);
    tcase_add_test(cases, reads_this_host);
    suite_add_tcase(suite, cases);
    return suite;
}
