/* test_publisher.c - the state file and the record, and what happens where they cannot be written.
 */
#include "notice.h"
#include "publisher.h"
#include "record.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE "test%3A%2F%2F%2Fdefault.json"

struct bench {
    char path[64];
    char record_path[96];
    char metrics_path[96];
    struct state_dir dir;
    struct state_dir none;
    int notices;
    struct log log;
    size_t news;
    char *text;
    size_t length;
    struct snapshot snapshot;
    struct coordinator_view view;
    struct publisher_config config;
    struct publisher *publisher;
};

static void close_publisher(struct publisher *publisher)
{
    if (publisher != NULL)
        publisher_end(publisher);
    publisher_free(publisher);
}

/* Returns what publisher_begin() does; where that fails there is no publisher. */
static int open_publisher(const struct publisher_config *config, struct publisher **ret_publisher,
                          char *error)
{
    struct publisher *publisher = publisher_new(config);
    ck_assert_ptr_nonnull(publisher);
    int result = publisher_begin(publisher, error);
    if (result == 0)
        *ret_publisher = publisher;
    else
        close_publisher(publisher);
    return result;
}

static struct bench *open_bench(uint64_t record_bytes)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    char error[HYPERVISOR_ERROR_BYTES];
    ck_assert_ptr_nonnull(bench);
    strcpy(bench->path, "/tmp/test_publisher.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(bench->path));
    snprintf(bench->record_path, sizeof(bench->record_path), "%s/record", bench->path);
    bench->dir = STATE_DIR_NONE;
    bench->dir.directory = open(bench->path, O_DIRECTORY | O_CLOEXEC);
    bench->notices = notice_open(&bench->dir);
    bench->log.stream = open_memstream(&bench->text, &bench->length);
    bench->log.level = LOG_LEVEL_INFO;
    bench->view = (struct coordinator_view){
        .uri = "test:///default", .is_connected = true, .snapshot = &bench->snapshot};
    bench->config = (struct publisher_config){.dir = &bench->dir,
                                              .state_name = STATE,
                                              .notices = bench->notices,
                                              .record_path = bench->record_path,
                                              .record_bytes = record_bytes,
                                              .log = &bench->log};
    int result = open_publisher(&bench->config, &bench->publisher, error);
    ck_assert_msg(result == 0, "%s", error);
    return bench;
}

static void close_bench(struct bench *bench)
{
    char command[128];
    close_publisher(bench->publisher);
    close(bench->notices);
    fclose(bench->log.stream);
    free(bench->text);
    close(bench->dir.directory);
    snprintf(command, sizeof(command), "rm -r '%s'", bench->path);
    ck_assert_int_eq(system(command), 0);
    free(bench);
}

static void publish(struct bench *bench)
{
    bench->snapshot.now_usec += SEC;
    publisher_publish(bench->publisher, &bench->view, 0, 0);
}

static char *read_file(const struct bench *bench, const char *name)
{
    char path[PATH_MAX];
    char *text = calloc(1, 1 << 20);
    snprintf(path, sizeof(path), "%s/%s", bench->path, name);
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "no %s", path);
    size_t length = fread(text, 1, (1 << 20) - 1, file);
    text[length] = '\0';
    fclose(file);
    return text;
}

/* How many whole lines of the file are cycles; each but damaged ones must be. */
static unsigned int count_cycles(const struct bench *bench, const char *name, unsigned int *damaged)
{
    unsigned int cycles = 0;
    char *text = read_file(bench, name);
    *damaged = 0;
    ck_assert(*text == '\0' || text[strlen(text) - 1] == '\n');
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        struct record record;
        char error[RECORD_ERROR_BYTES];
        if (record_parse(line, strlen(line), &record, error) != 0) {
            ++*damaged;
            continue;
        }
        cycles++;
        record_release(&record);
    }
    free(text);
    return cycles;
}

static unsigned int times_said(struct bench *bench, const char *what)
{
    unsigned int times = 0;
    fflush(bench->log.stream);
    for (const char *at = bench->text; (at = strstr(at, what)) != NULL; at++)
        times++;
    return times;
}

START_TEST(the_state_is_the_last_cycle)
{
    struct bench *bench = open_bench(1 << 20);
    struct record record;
    char error[RECORD_ERROR_BYTES];
    publish(bench);
    char *text = read_file(bench, STATE);
    ck_assert_int_eq(record_parse(text, strlen(text), &record, error), 0);
    ck_assert_uint_eq(record.view.snapshot->now_usec, SEC);
    ck_assert_int_eq(record.origin.pid, getpid());
    record_release(&record);
    free(text);
    close_bench(bench);
}
END_TEST

/* The publisher's clock, where it is not to go on by itself; 0: it does. */
static uint64_t stopped_usec;

uint64_t __real_clock_monotonic_usec(void);
uint64_t __wrap_clock_monotonic_usec(void);

uint64_t __wrap_clock_monotonic_usec(void)
{
    return stopped_usec != 0 ? stopped_usec : __real_clock_monotonic_usec();
}

/* A bench with a clock that stands: writing takes no time, and has not to wait for
 * its turn. */
static struct bench *open_state_bench(void)
{
    struct bench *bench = open_bench(1 << 20);
    bench->log.news = &bench->news;
    stopped_usec = 1000 * SEC;
    return bench;
}

static void close_state_bench(struct bench *bench)
{
    stopped_usec = 0;
    close_bench(bench);
}

/* The file that the state is in, 0 for none; a new one is another one. */
static ino_t find_state(const struct bench *bench)
{
    struct stat status = {0};
    fstatat(bench->dir.directory, STATE, &status, 0);
    return status.st_ino;
}

/* Publishes a cycle, and says whether it has become the state. */
static bool publishes_state(struct bench *bench)
{
    ino_t before = find_state(bench);
    publish(bench);
    return find_state(bench) != before;
}

/* Tells that somebody has read the state, and says whether there is another one now. */
static bool refreshes_state(struct bench *bench)
{
    ino_t before = find_state(bench);
    publisher_refresh(bench->publisher, &bench->view);
    return find_state(bench) != before;
}

START_TEST(the_state_is_written_when_there_is_news)
{
    struct bench *bench = open_state_bench();
    ck_assert(publishes_state(bench)); /* the first */
    ck_assert(!publishes_state(bench));
    ck_assert(!publishes_state(bench));
    log_say(&bench->log, LOG_LEVEL_DEBUG, "none");
    ck_assert(!publishes_state(bench));
    log_say(&bench->log, LOG_LEVEL_INFO, "some");
    ck_assert(publishes_state(bench));
    ck_assert(!publishes_state(bench));
    close_state_bench(bench);
}
END_TEST

/* Who reads what is older than the last cycle finds that next; else the next one. */
START_TEST(a_state_that_was_read_is_written_anew)
{
    struct bench *bench = open_state_bench();
    publish(bench);
    ck_assert(!publishes_state(bench));
    ck_assert(refreshes_state(bench));
    ck_assert(!publishes_state(bench));
    ck_assert(refreshes_state(bench));
    for (unsigned int i = 0; i < 3; i++) {
        ck_assert(!refreshes_state(bench));
        ck_assert(!refreshes_state(bench));
        ck_assert(publishes_state(bench));
    }
    ck_assert(!publishes_state(bench));
    close_state_bench(bench);
}
END_TEST

START_TEST(where_readers_are_not_told_of_each_cycle_is_the_state)
{
    struct bench *bench = open_state_bench();
    char error[HYPERVISOR_ERROR_BYTES];
    close_publisher(bench->publisher);
    bench->config.notices = -1;
    ck_assert_int_eq(open_publisher(&bench->config, &bench->publisher, error), 0);
    for (unsigned int i = 0; i < 3; i++)
        ck_assert(publishes_state(bench));
    close_state_bench(bench);
}
END_TEST

START_TEST(a_calm_state_is_written_now_and_then)
{
    struct bench *bench = open_state_bench();
    publish(bench);
    stopped_usec += PUBLISHER_CALM_USEC - 1;
    ck_assert(!publishes_state(bench));
    stopped_usec++;
    ck_assert(publishes_state(bench));
    ck_assert(!publishes_state(bench));
    close_state_bench(bench);
}
END_TEST

/* Publishes a cycle, and says whether the lock's time was set. */
static bool beats(struct bench *bench)
{
    struct stat status;
    ck_assert_int_eq(futimens(bench->dir.lock, (struct timespec[2]){{0}}), 0);
    publish(bench);
    ck_assert_int_eq(fstat(bench->dir.lock, &status), 0);
    return status.st_mtim.tv_sec != 0;
}

/* Whether there is news or not. */
START_TEST(a_coordinator_tells_that_it_lives)
{
    struct bench *bench = open_state_bench();
    bench->dir.lock = openat(bench->dir.directory, "lock", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    ck_assert(beats(bench));
    for (unsigned int i = 0; i < 3; i++) {
        stopped_usec += PUBLISHER_BEAT_USEC - 1;
        ck_assert(!beats(bench));
        bench->news++;
        ck_assert(!beats(bench));
        stopped_usec++;
        ck_assert(beats(bench));
    }
    close(bench->dir.lock);
    close_state_bench(bench);
}
END_TEST

/* What could not be written is still news, also when that it could not is none any more. */
START_TEST(a_state_that_cannot_be_written_is_tried_again)
{
    struct bench *bench = open_state_bench();
    struct rlimit before;
    publish(bench);
    bench->news++;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    struct rlimit tight = {100, before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &tight), 0);
    for (unsigned int i = 0; i < 3; i++)
        ck_assert(!publishes_state(bench));
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_uint_eq(times_said(bench, "cannot write the state"), 1);
    ck_assert(publishes_state(bench));
    ck_assert_uint_eq(times_said(bench, "the state can be written again"), 1);
    close_state_bench(bench);
}
END_TEST

/* Its command looks again and again, wherever from. */
START_TEST(a_state_that_is_waited_for_is_written_each_time)
{
    static const struct reservations list = {.count = 1, .items = {{.name = "db"}}};
    struct bench *bench = open_state_bench();
    publish(bench);
    bench->view.reservations = &list;
    for (unsigned int i = 0; i < 3; i++)
        ck_assert(publishes_state(bench));
    close_state_bench(bench);
}
END_TEST

START_TEST(the_last_state_is_the_last_cycle)
{
    struct bench *bench = open_state_bench();
    struct record record;
    char error[RECORD_ERROR_BYTES];
    publish(bench);
    publish(bench);
    publisher_conclude(bench->publisher, &bench->view);
    char *text = read_file(bench, STATE);
    ck_assert_int_eq(record_parse(text, strlen(text), &record, error), 0);
    ck_assert_uint_eq(record.view.snapshot->now_usec, 2 * SEC);
    record_release(&record);
    free(text);
    close_state_bench(bench);
}
END_TEST

START_TEST(the_record_has_every_whole_cycle)
{
    struct bench *bench = open_bench(1 << 20);
    unsigned int damaged;
    for (unsigned int i = 0; i < 5; i++)
        publish(bench);
    publisher_publish(bench->publisher, &bench->view, 0, -ENOTCONN);
    ck_assert_uint_eq(count_cycles(bench, "record", &damaged), 5);
    ck_assert_uint_eq(damaged, 0);
    close_bench(bench);
}
END_TEST

START_TEST(goes_on_after_a_crash_in_the_middle_of_a_line)
{
    struct bench *bench = open_bench(1 << 20);
    char error[HYPERVISOR_ERROR_BYTES];
    unsigned int damaged;
    publish(bench);
    close_publisher(bench->publisher);
    ck_assert_int_eq(truncate(bench->record_path, 100), 0);
    ck_assert_int_eq(open_publisher(&bench->config, &bench->publisher, error), 0);
    publish(bench);
    publish(bench);
    ck_assert_uint_eq(count_cycles(bench, "record", &damaged), 2);
    ck_assert_uint_eq(damaged, 1);
    close_bench(bench);
}
END_TEST

START_TEST(a_large_record_is_put_aside)
{
    struct bench *bench = open_bench(1500);
    unsigned int damaged;
    for (unsigned int i = 0; i < 40; i++)
        publish(bench);
    unsigned int aside = count_cycles(bench, "record.1", &damaged);
    unsigned int cycles = count_cycles(bench, "record", &damaged);
    ck_assert_uint_gt(aside, 0);
    ck_assert_uint_gt(cycles, 0);
    ck_assert_uint_lt(aside + cycles, 10);
    close_bench(bench);
}
END_TEST

/* Of a line for which there is no room nothing is left; the next that fits is written. */
START_TEST(a_full_disk_is_said_once_and_leaves_no_part_of_a_line)
{
    struct bench *bench = open_bench(1 << 20);
    unsigned int damaged;
    struct rlimit before;
    publish(bench);
    struct stat status;
    ck_assert_int_eq(stat(bench->record_path, &status), 0);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    struct rlimit tight = {(rlim_t)status.st_size + 100, before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &tight), 0);
    publish(bench);
    publish(bench);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_uint_eq(count_cycles(bench, "record", &damaged), 1);
    publish(bench);
    ck_assert_uint_eq(count_cycles(bench, "record", &damaged), 2);
    ck_assert_uint_eq(damaged, 0);
    ck_assert_uint_eq(times_said(bench, "cannot write the record: "), 1);
    ck_assert_uint_eq(times_said(bench, "the record can be written again"), 1);
    close_bench(bench);
}
END_TEST

START_TEST(goes_on_when_the_record_was_taken_away)
{
    struct bench *bench = open_bench(1 << 20);
    char aside[128];
    char error[HYPERVISOR_ERROR_BYTES];
    unsigned int damaged;
    publish(bench);
    ck_assert_int_eq(unlink(bench->record_path), 0);
    publish(bench);
    publish(bench);
    ck_assert_uint_eq(count_cycles(bench, "record", &damaged), 2);
    snprintf(aside, sizeof(aside), "%s.old", bench->record_path);
    ck_assert_int_eq(rename(bench->record_path, aside), 0);
    publisher_end(bench->publisher);
    ck_assert_int_eq(publisher_begin(bench->publisher, error), 0);
    publish(bench);
    ck_assert_uint_eq(count_cycles(bench, "record", &damaged), 1);
    ck_assert_uint_eq(count_cycles(bench, "record.old", &damaged), 2);
    close_bench(bench);
}
END_TEST

START_TEST(only_one_writes_to_a_record)
{
    struct bench *bench = open_bench(1 << 20);
    struct publisher *second = NULL;
    char error[HYPERVISOR_ERROR_BYTES];
    ck_assert_int_eq(open_publisher(&bench->config, &second, error), -EBUSY);
    ck_assert_msg(strstr(error, "another coordinator") != NULL, "%s", error);
    close_bench(bench);
}
END_TEST

START_TEST(refuses_what_is_no_plain_file)
{
    static const char *const names[] = {"/dev/null", "/tmp", "/nowhere/record", "/dev/stdin"};
    struct bench *bench = open_bench(1 << 20);
    struct publisher_config config = bench->config;
    struct publisher *publisher = NULL;
    char error[HYPERVISOR_ERROR_BYTES];
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        config.record_path = names[i];
        ck_assert_int_lt(open_publisher(&config, &publisher, error), 0);
        ck_assert_msg(strstr(error, names[i]) != NULL, "%s", error);
        ck_assert_ptr_null(publisher);
    }
    close_bench(bench);
}
END_TEST

START_TEST(nothing_is_written_where_nothing_is_wanted)
{
    struct bench *bench = open_bench(1 << 20);
    struct state_dir none = STATE_DIR_NONE;
    struct publisher_config config = {.dir = &none, .notices = -1, .log = &bench->log};
    struct publisher *publisher;
    char error[HYPERVISOR_ERROR_BYTES];
    ck_assert_int_eq(open_publisher(&config, &publisher, error), 0);
    publisher_publish(publisher, &bench->view, 0, 0);
    close_publisher(publisher);
    publisher_free(NULL);
    ck_assert_uint_eq(times_said(bench, "cannot"), 0);
    close_bench(bench);
}
END_TEST

/* ---- the metrics ---- */

/* A bench with metrics in place of state and record. */
static struct bench *open_metrics_bench(const char *name)
{
    struct bench *bench = open_bench(1 << 20);
    char error[HYPERVISOR_ERROR_BYTES];
    close_publisher(bench->publisher);
    snprintf(bench->metrics_path, sizeof(bench->metrics_path), "%s/%s", bench->path, name);
    bench->none = STATE_DIR_NONE;
    bench->config = (struct publisher_config){.dir = &bench->none,
                                              .notices = -1,
                                              .metrics_path = bench->metrics_path,
                                              .log = &bench->log};
    ck_assert_int_eq(open_publisher(&bench->config, &bench->publisher, error), 0);
    return bench;
}

/* Goes on until the metrics are in turn again, and there is as much to read as wanted. */
static void publish_until_said(struct bench *bench, const char *what)
{
    for (int i = 0; i < 300 && times_said(bench, what) == 0; i++) {
        publish(bench);
        usleep(10000);
    }
    ck_assert_uint_eq(times_said(bench, what), 1);
}

START_TEST(the_metrics_are_for_all_and_end_with_it)
{
    struct stat status;
    mode_t mask = umask(0077);
    struct bench *bench = open_metrics_bench("mc.prom");
    publisher_publish(bench->publisher, &bench->view, 0, -ENOTCONN);
    umask(mask);
    char *text = read_file(bench, "mc.prom");
    ck_assert_ptr_nonnull(strstr(text, "\nmemory_coordinator_cycles_total 1\n"));
    ck_assert_ptr_nonnull(
        strstr(text, "\nmemory_coordinator_cycles_failed_total{cause=\"connection\"} 1\n"));
    free(text);
    ck_assert_int_eq(stat(bench->metrics_path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 07777, 0644);
    close_publisher(bench->publisher);
    bench->publisher = NULL;
    ck_assert_int_eq(access(bench->metrics_path, F_OK), -1);
    close_bench(bench);
}
END_TEST

/* What is counted while nothing can be written is in what is written then. */
START_TEST(metrics_that_cannot_be_written_are_said_once)
{
    char directory[96];
    struct bench *bench = open_metrics_bench("later/mc.prom");
    publish_until_said(bench, "cannot write the metrics: No such file");
    snprintf(directory, sizeof(directory), "%s/later", bench->path);
    ck_assert_int_eq(mkdir(directory, 0755), 0);
    publish_until_said(bench, "the metrics can be written again");
    ck_assert_uint_eq(times_said(bench, "cannot"), 1);
    char *text = read_file(bench, "later/mc.prom");
    ck_assert_ptr_nonnull(strstr(text, "\nmemory_coordinator_cycles_total "));
    ck_assert_ptr_null(strstr(text, "\nmemory_coordinator_cycles_total 1\n"));
    free(text);
    close_bench(bench);
}
END_TEST

START_TEST(metrics_that_are_not_ours_stay)
{
    struct bench *bench = open_metrics_bench("mc.prom");
    FILE *file = fopen(bench->metrics_path, "w");
    ck_assert_ptr_nonnull(file);
    fclose(file);
    close_publisher(bench->publisher);
    bench->publisher = NULL;
    ck_assert_int_eq(access(bench->metrics_path, F_OK), 0);
    close_bench(bench);
}
END_TEST

enum { MANY = 1000 };

/* A thousand domains take a while to write: not in every one of cycles that follow at once. */
START_TEST(metrics_of_many_are_written_less_often)
{
    struct bench *bench = open_metrics_bench("mc.prom");
    struct domain *domains = calloc(MANY, sizeof(*domains));
    struct policy_decision *decisions = calloc(MANY, sizeof(*decisions));
    struct policy_limits *limits = calloc(MANY, sizeof(*limits));
    enum coordinator_request *requests = calloc(MANY, sizeof(*requests));
    ck_assert(domains != NULL && decisions != NULL && limits != NULL && requests != NULL);
    for (int i = 0; i < MANY; i++)
        snprintf(domains[i].name, sizeof(domains[i].name), "aos_vm%d", i);
    bench->snapshot.domains = domains;
    bench->snapshot.count = MANY;
    bench->view.decisions = decisions;
    bench->view.limits = limits;
    bench->view.requests = requests;
    publish(bench);
    publish(bench);
    publish(bench);
    char *text = read_file(bench, "mc.prom");
    ck_assert_ptr_nonnull(strstr(text, "\nmemory_coordinator_cycles_total 1\n"));
    ck_assert_ptr_nonnull(strstr(text, "{domain=\"aos_vm999\"}"));
    free(text);
    /* But somebody may be waiting. */
    static const struct reservations list = {.count = 1, .items = {{.name = "db"}}};
    bench->view.reservations = &list;
    publish(bench);
    text = read_file(bench, "mc.prom");
    ck_assert_ptr_nonnull(strstr(text, "\nmemory_coordinator_cycles_total 4\n"));
    free(text);
    free(domains);
    free(decisions);
    free(limits);
    free(requests);
    close_bench(bench);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("publisher");
    TCase *files = tcase_create("files");
    tcase_add_test(files, the_state_is_the_last_cycle);
    tcase_add_test(files, the_state_is_written_when_there_is_news);
    tcase_add_test(files, a_state_that_was_read_is_written_anew);
    tcase_add_test(files, where_readers_are_not_told_of_each_cycle_is_the_state);
    tcase_add_test(files, a_calm_state_is_written_now_and_then);
    tcase_add_test(files, a_coordinator_tells_that_it_lives);
    tcase_add_test(files, a_state_that_cannot_be_written_is_tried_again);
    tcase_add_test(files, a_state_that_is_waited_for_is_written_each_time);
    tcase_add_test(files, the_last_state_is_the_last_cycle);
    tcase_add_test(files, the_record_has_every_whole_cycle);
    tcase_add_test(files, goes_on_after_a_crash_in_the_middle_of_a_line);
    tcase_add_test(files, a_large_record_is_put_aside);
    tcase_add_test(files, a_full_disk_is_said_once_and_leaves_no_part_of_a_line);
    tcase_add_test(files, goes_on_when_the_record_was_taken_away);
    tcase_add_test(files, only_one_writes_to_a_record);
    tcase_add_test(files, refuses_what_is_no_plain_file);
    tcase_add_test(files, nothing_is_written_where_nothing_is_wanted);
    tcase_add_test(files, the_metrics_are_for_all_and_end_with_it);
    tcase_add_test(files, metrics_that_cannot_be_written_are_said_once);
    tcase_add_test(files, metrics_that_are_not_ours_stay);
    tcase_add_test(files, metrics_of_many_are_written_less_often);
    suite_add_tcase(suite, files);
    return suite;
}
