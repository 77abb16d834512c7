/* test_sharing.c - KSM by the host's state, on a host that is made up. */
#include "sharing.h"
#include "support.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define URI "fake:///"

/* A host, the one who may set it, and what was said. */
struct bench {
    struct ksm_reading kernel; /* what is set, and found when read */
    unsigned int reads;
    unsigned int sets;
    int read_result;
    int set_result;

    struct tree tree;
    struct state_dir dir;
    struct log log;
    char *text;
    size_t size;
    struct snapshot snapshot;
    struct coordinator_view view;
    struct sharing sharing;
    uint64_t now_usec;
};

static int fake_read(void *self, struct ksm_reading *ret_reading,
                     char error[HYPERVISOR_ERROR_BYTES])
{
    struct bench *bench = self;
    bench->reads++;
    strcpy(error, "no answer");
    if (bench->read_result == 0)
        *ret_reading = bench->kernel;
    return bench->read_result;
}

static int fake_set(void *self, const struct ksm_settings *settings,
                    char error[HYPERVISOR_ERROR_BYTES])
{
    struct bench *bench = self;
    bench->sets++;
    strcpy(error, "cannot start KSM: Read-only file system");
    if (bench->set_result != 0)
        return bench->set_result;
    if (settings->pages_to_scan.known)
        bench->kernel.pages_to_scan = settings->pages_to_scan;
    if (settings->sleep_msec.known)
        bench->kernel.sleep_msec = settings->sleep_msec;
    bench->kernel.run = settings->run;
    return 0;
}

static const struct hypervisor_operations operations = {
    .read_sharing = fake_read,
    .set_sharing = fake_set,
};

static void open_sharing(struct bench *bench, bool dry_run)
{
    struct sharing_config config = {
        .operations = &operations,
        .self = bench,
        .dir = &bench->dir,
        .uri = URI,
        .log = &bench->log,
        .dry_run = dry_run,
    };
    bench->sharing = sharing_open(&config);
}

static struct bench *open_bench(bool dry_run)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    ck_assert_ptr_nonnull(bench);
    bench->kernel = (struct ksm_reading){
        .run = {true, 0},
        .pages_to_scan = {true, 100},
        .sleep_msec = {true, 20},
        .pages_sharing = {true, 512},
        .page_kib = 4,
    };
    bench->tree = tree_make();
    ck_assert_int_eq(state_dir_open(bench->tree.root, &bench->dir), 0);
    bench->log.stream = open_memstream(&bench->text, &bench->size);
    bench->log.level = LOG_LEVEL_DEBUG;
    bench->snapshot.host =
        (struct host){.has_memory = true, .total_kib = 16 * GIB, .available_kib = 8 * GIB};
    bench->view.snapshot = &bench->snapshot;
    bench->view.is_connected = true;
    bench->now_usec = 100 * SEC;
    open_sharing(bench, dry_run);
    return bench;
}

static void close_bench(struct bench *bench)
{
    state_dir_release(&bench->dir);
    fclose(bench->log.stream);
    tree_release(&bench->tree);
    free(bench->text);
    free(bench);
}

static void run_cycles(struct bench *bench, unsigned int cycles)
{
    for (; cycles > 0; cycles--) {
        bench->now_usec += SEC;
        sharing_cycle(&bench->sharing, &bench->view, true, false, bench->now_usec);
    }
}

static unsigned int times_said(struct bench *bench, const char *what)
{
    unsigned int times = 0;
    fflush(bench->log.stream);
    for (const char *at = bench->text; (at = strstr(at, what)) != NULL; at++)
        times++;
    return times;
}

static bool is_kept(const struct bench *bench)
{
    char name[STATE_DIR_NAME_BYTES];
    state_dir_name(URI, ".ksm", name);
    return faccessat(bench->dir.directory, name, F_OK, 0) == 0;
}

static void check_kernel(const struct bench *bench, uint64_t run, uint64_t pages, uint64_t msec)
{
    ck_assert_uint_eq(bench->kernel.run.value, run);
    ck_assert_uint_eq(bench->kernel.pages_to_scan.value, pages);
    ck_assert_uint_eq(bench->kernel.sleep_msec.value, msec);
}

START_TEST(goes_on_and_off_with_the_host_and_is_put_back)
{
    struct bench *bench = open_bench(false);
    run_cycles(bench, 30);
    ck_assert_uint_eq(bench->sets, 0);
    ck_assert(!is_kept(bench));
    bench->view.host.state = POLICY_HOST_SOFT;
    run_cycles(bench, 1); /* at once */
    check_kernel(bench, 1, 400, 10);
    ck_assert_uint_eq(bench->sharing.reading.run.value, 1); /* what is told is how it is now */
    ck_assert(is_kept(bench));
    ck_assert_uint_eq(times_said(bench, "page sharing: started, 400 pages every 10 ms"), 1);
    run_cycles(bench, 10);
    check_kernel(bench, 1, 700, 10);
    bench->view.host.state = POLICY_HOST_HIGH;
    run_cycles(bench, 1);
    ck_assert_uint_eq(bench->kernel.run.value, 0);
    ck_assert_uint_eq(times_said(bench, "page sharing: stopped; it saves 2.0 MiB"), 1);
    sharing_leave(&bench->sharing);
    check_kernel(bench, 0, 100, 20);
    ck_assert(!is_kept(bench));
    ck_assert_uint_eq(times_said(bench, "page sharing: as it was found (run 0)"), 1);
    close_bench(bench);
}
END_TEST

START_TEST(looks_every_ten_seconds_only)
{
    struct bench *bench = open_bench(false);
    run_cycles(bench, 100);
    ck_assert_uint_eq(bench->reads, 10);
    close_bench(bench);
}
END_TEST

START_TEST(what_a_killed_one_has_found_is_put_back_by_the_next)
{
    struct bench *bench = open_bench(false);
    bench->kernel.run.value = 2;
    bench->view.host.state = POLICY_HOST_LOW;
    run_cycles(bench, 1);
    check_kernel(bench, 1, 1250, 10);
    open_sharing(bench, false); /* the next */
    run_cycles(bench, 20);
    check_kernel(bench, 1, 1250, 10);
    sharing_leave(&bench->sharing);
    check_kernel(bench, 2, 100, 20);
    close_bench(bench);
}
END_TEST

START_TEST(is_put_back_as_well_where_it_is_not_wanted_any_more)
{
    struct bench *bench = open_bench(false);
    bench->view.host.state = POLICY_HOST_LOW;
    run_cycles(bench, 1);
    open_sharing(bench, false);
    bench->now_usec += SEC;
    sharing_cycle(&bench->sharing, &bench->view, false, false, bench->now_usec);
    check_kernel(bench, 0, 100, 20);
    ck_assert(!is_kept(bench) && !bench->sharing.has_reading);
    unsigned int sets = bench->sets;
    bench->now_usec += 60 * SEC;
    sharing_cycle(&bench->sharing, &bench->view, false, false, bench->now_usec);
    ck_assert_uint_eq(bench->sets, sets);
    close_bench(bench);
}
END_TEST

/* What else may be in the file's place. */
static const char *const strange[] = {
    "", "run\n", "run -1\n", "pages_to_scan 7\n", "run 1 2\n", "run 18446744073709551616\n"};

START_TEST(a_strange_file_is_nothing_found)
{
    struct bench *bench = open_bench(false);
    char name[STATE_DIR_NAME_BYTES];
    state_dir_name(URI, ".ksm", name);
    ck_assert_int_eq(state_dir_write(&bench->dir, name, strange[_i], strlen(strange[_i])), 0);
    open_sharing(bench, false);
    sharing_leave(&bench->sharing);
    ck_assert_uint_eq(bench->sets, 0);
    close_bench(bench);
}
END_TEST

START_TEST(leaves_alone_what_is_not_its_own_and_says_so_once)
{
    struct bench *bench = open_bench(false);
    bench->view.host.state = POLICY_HOST_LOW;
    bench->kernel.obstacle = KSM_TUNED;
    run_cycles(bench, 40);
    ck_assert_uint_eq(bench->sets, 0);
    ck_assert(bench->sharing.has_reading);
    ck_assert_uint_eq(times_said(bench, "page sharing is left alone: ksmtuned runs"), 1);
    bench->kernel.obstacle = KSM_FREE;
    run_cycles(bench, 10);
    ck_assert_uint_eq(times_said(bench, "nothing is in its way any more"), 1);
    ck_assert_uint_eq(bench->kernel.run.value, 1);
    /* who takes it over keeps it */
    bench->kernel.obstacle = KSM_TUNED;
    run_cycles(bench, 10);
    unsigned int sets = bench->sets;
    sharing_leave(&bench->sharing);
    ck_assert_uint_eq(bench->sets, sets);
    ck_assert(!is_kept(bench));
    close_bench(bench);
}
END_TEST

START_TEST(says_what_to_change_where_it_may_not)
{
    struct bench *bench = open_bench(false);
    bench->kernel.obstacle = KSM_NOT_PERMITTED;
    bench->kernel.reason = EROFS;
    run_cycles(bench, 40);
    ck_assert_uint_eq(times_said(bench, "/sys/kernel/mm/ksm/run cannot be written: Read-only file "
                                        "system; as a service it needs what memory_coordinator(8)"),
                      1);
    close_bench(bench);
}
END_TEST

START_TEST(a_failure_is_said_once_and_tried_again)
{
    struct bench *bench = open_bench(false);
    bench->view.host.state = POLICY_HOST_LOW;
    bench->set_result = -EROFS;
    run_cycles(bench, 40);
    ck_assert_uint_eq(bench->sets, 4);
    ck_assert_uint_eq(times_said(bench, "page sharing: cannot start KSM: Read-only"), 1);
    sharing_leave(&bench->sharing);
    ck_assert(is_kept(bench)); /* the next one may be able to */
    bench->set_result = 0;
    run_cycles(bench, 10);
    ck_assert_uint_eq(bench->kernel.run.value, 1);
    close_bench(bench);
}
END_TEST

START_TEST(a_dry_run_and_a_pause_only_look)
{
    struct bench *bench = open_bench(true);
    bench->view.host.state = POLICY_HOST_LOW;
    run_cycles(bench, 40);
    ck_assert_uint_eq(times_said(bench, "page sharing: would be started, 1250 pages"), 1);
    sharing_leave(&bench->sharing);
    ck_assert_uint_eq(bench->sets, 0);
    ck_assert(!is_kept(bench));
    open_sharing(bench, false);
    bench->now_usec += 60 * SEC;
    sharing_cycle(&bench->sharing, &bench->view, true, true, bench->now_usec);
    ck_assert(bench->sharing.has_reading);
    ck_assert_uint_eq(bench->sets, 0);
    close_bench(bench);
}
END_TEST

START_TEST(a_host_that_cannot_be_seen_is_left_alone)
{
    struct bench *bench = open_bench(false);
    bench->view.host.state = POLICY_HOST_LOW;
    bench->view.is_connected = false;
    run_cycles(bench, 20);
    ck_assert_uint_eq(bench->reads, 0);
    bench->view.is_connected = true;
    bench->snapshot.host.has_memory = false;
    run_cycles(bench, 20);
    bench->snapshot.host.has_memory = true;
    bench->read_result = -ETIMEDOUT;
    run_cycles(bench, 20);
    ck_assert_uint_eq(bench->sets, 0);
    ck_assert(!bench->sharing.has_reading);
    close_bench(bench);
}
END_TEST

START_TEST(works_without_a_state_directory)
{
    struct bench *bench = open_bench(false);
    state_dir_release(&bench->dir);
    bench->dir = STATE_DIR_NONE;
    open_sharing(bench, false);
    bench->view.host.state = POLICY_HOST_LOW;
    run_cycles(bench, 1);
    sharing_leave(&bench->sharing);
    check_kernel(bench, 0, 100, 20);
    close_bench(bench);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("sharing");
    TCase *cases = tcase_create("cycles");
    tcase_add_test(cases, goes_on_and_off_with_the_host_and_is_put_back);
    tcase_add_test(cases, looks_every_ten_seconds_only);
    tcase_add_test(cases, what_a_killed_one_has_found_is_put_back_by_the_next);
    tcase_add_test(cases, is_put_back_as_well_where_it_is_not_wanted_any_more);
    tcase_add_loop_test(cases, a_strange_file_is_nothing_found, 0, COUNT_OF(strange));
    tcase_add_test(cases, leaves_alone_what_is_not_its_own_and_says_so_once);
    tcase_add_test(cases, says_what_to_change_where_it_may_not);
    tcase_add_test(cases, a_failure_is_said_once_and_tried_again);
    tcase_add_test(cases, a_dry_run_and_a_pause_only_look);
    tcase_add_test(cases, a_host_that_cannot_be_seen_is_left_alone);
    tcase_add_test(cases, works_without_a_state_directory);
    suite_add_tcase(suite, cases);
    return suite;
}
