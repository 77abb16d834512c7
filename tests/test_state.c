/* test_state.c - finding and reading what a coordinator has left, and telling whether it runs. */
#include "clock.h"
#include "state.h"

#include "sample.h"
#include "state_dir.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A state directory, what was read from it, and why not. */
static char directory[64];
static char error[STATE_ERROR_BYTES];
static struct state state;

static void open_directory(void)
{
    strcpy(directory, "/tmp/test_state.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    state = (struct state){0};
    *error = '\0';
}

static void close_directory(void)
{
    char command[160];
    state_release(&state);
    snprintf(command, sizeof(command), "rm -rf '%s'", directory);
    ck_assert_int_eq(system(command), 0);
}

/* A state of the look at NOW_USEC. */
static void write_one(const struct state_dir *dir, const char *uri, bool is_connected,
                      uint64_t now_usec)
{
    char name[STATE_DIR_NAME_BYTES];
    struct record_origin origin = {.pid = getpid(), .written_sec = SAMPLE_WRITTEN_SEC};
    struct sample sample;
    sample_make(&sample);
    sample.view.uri = uri;
    sample.view.is_connected = is_connected;
    sample.snapshot.now_usec = now_usec;
    char *line = record_format(&sample.view, &origin, true);
    state_dir_name(uri, STATE_SUFFIX, name);
    ck_assert_int_eq(state_dir_write(dir, name, line, strlen(line)), 0);
    free(line);
}

static void claim_only(const char *uri, struct state_dir *dir)
{
    char reason[STATE_DIR_ERROR_BYTES];
    ck_assert_int_eq(state_dir_claim(directory, uri, dir, reason), 0);
}

static void claim_and_write(const char *uri, struct state_dir *dir)
{
    claim_only(uri, dir);
    write_one(dir, uri, true, clock_monotonic_usec());
}

/* Leaves the state of URI, as one that is gone. */
static void leave(const char *uri)
{
    struct state_dir dir = STATE_DIR_NONE;
    claim_and_write(uri, &dir);
    state_dir_release(&dir);
}

/* A process that is the coordinator of URI until end(); a lock is seen from another one only. */
static pid_t start_by(void (*begin)(const char *uri, struct state_dir *dir), const char *uri)
{
    int ready[2];
    char byte;
    ck_assert_int_eq(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct state_dir dir = STATE_DIR_NONE;
        begin(uri, &dir);
        if (write(ready[1], "x", 1) == 1)
            pause();
        _exit(0);
    }
    close(ready[1]);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static pid_t start(const char *uri)
{
    return start_by(claim_and_write, uri);
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void put(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
}

/* The naps that are taken while a newer one is waited for; with the third it comes, if there is one
 * at all. */
static unsigned int naps;
static uint64_t newer_usec; /* the look that is in it; 0: there is none */
static bool is_prompt;      /* it comes as soon as the old one is read */

static void write_newer(void)
{
    struct state_dir dir = STATE_DIR_NONE;
    ck_assert_int_eq(state_dir_open(directory, &dir), 0);
    write_one(&dir, "qemu:///system", true, newer_usec);
    state_dir_release(&dir);
}

/* The second look at the file is the first after it was read. */
int __real_fstatat(int dir, const char *name, struct stat *ret_status, int flags);
int __wrap_fstatat(int dir, const char *name, struct stat *ret_status, int flags);

int __wrap_fstatat(int dir, const char *name, struct stat *ret_status, int flags)
{
    static unsigned int looks;
    if (is_prompt && ++looks == 2)
        write_newer();
    return __real_fstatat(dir, name, ret_status, flags);
}

int __wrap_nanosleep(const struct timespec *wanted, struct timespec *ret_left);

int __wrap_nanosleep(const struct timespec *wanted, struct timespec *ret_left)
{
    (void)wanted;
    (void)ret_left;
    if (++naps == 3 && newer_usec != 0)
        write_newer();
    return 0;
}

/* The sample's coordinator has a cycle every 2 s. */
static const struct {
    uint64_t age_usec;
    bool is_running;
    bool is_connected;
    bool is_newer_there;
    unsigned int want_naps;
} ages[] = {
    {3 * SEC, true, true, true, 3},  {3 * SEC, true, true, false, 20}, {0, true, true, true, 0},
    {3 * SEC, false, true, true, 0}, {3 * SEC, true, false, true, 0},
};

START_TEST(waits_for_what_is_newer_than_a_cycle)
{
    struct state_dir dir = STATE_DIR_NONE;
    pid_t pid = ages[_i].is_running ? start("qemu:///system") : 0;
    ck_assert_int_eq(state_dir_open(directory, &dir), 0);
    uint64_t now_usec = clock_monotonic_usec();
    uint64_t old_usec = now_usec - ages[_i].age_usec;
    write_one(&dir, "qemu:///system", ages[_i].is_connected, old_usec);
    naps = 0;
    newer_usec = ages[_i].is_newer_there ? now_usec : 0;
    ck_assert_msg(state_read(directory, NULL, &state, error) == 0, "%s", error);
    ck_assert_uint_eq(naps, ages[_i].want_naps);
    ck_assert_uint_eq(state.record.view.snapshot->now_usec,
                      ages[_i].want_naps == 3 ? now_usec : old_usec);
    state_dir_release(&dir);
    if (pid != 0)
        end(pid);
}
END_TEST

START_TEST(needs_no_wait_for_what_came_while_it_read)
{
    pid_t pid = start("qemu:///system");
    struct state_dir dir = STATE_DIR_NONE;
    ck_assert_int_eq(state_dir_open(directory, &dir), 0);
    newer_usec = clock_monotonic_usec();
    write_one(&dir, "qemu:///system", true, newer_usec - 3 * SEC);
    naps = 0;
    is_prompt = true;
    ck_assert_msg(state_read(directory, "qemu:///system", &state, error) == 0, "%s", error);
    is_prompt = false;
    ck_assert_uint_eq(naps, 0);
    ck_assert_uint_eq(state.record.view.snapshot->now_usec, newer_usec);
    state_dir_release(&dir);
    end(pid);
}
END_TEST

START_TEST(reads_the_only_one)
{
    pid_t pid = start("qemu:///system");
    ck_assert_msg(state_read(directory, NULL, &state, error) == 0, "%s", error);
    ck_assert(state.is_running);
    ck_assert_int_eq(state.record.origin.written_sec, SAMPLE_WRITTEN_SEC);
    ck_assert_uint_eq(state.record.view.snapshot->count, SAMPLE_GUESTS);
    ck_assert_int_eq(state.line[state.length - 1], '}');
    state_release(&state);
    end(pid);
    ck_assert_int_eq(state_read(directory, NULL, &state, error), 0);
    ck_assert(!state.is_running);
}
END_TEST

/* Has the lock say that its holder was alive at SEC. */
static void beat(int64_t sec)
{
    char path[128];
    struct timespec time = {.tv_sec = sec};
    snprintf(path, sizeof(path), "%s/qemu%%3A%%2F%%2F%%2Fsystem.lock", directory);
    ck_assert_int_eq(utimensat(AT_FDCWD, path, (struct timespec[]){time, time}, 0), 0);
}

/* What its lock's time tells, where that is not before the state was written. */
START_TEST(tells_when_its_coordinator_was_last_alive)
{
    pid_t pid = start("qemu:///system");
    for (int later_sec = -100; later_sec <= 100; later_sec += 100) {
        beat(SAMPLE_WRITTEN_SEC + later_sec);
        ck_assert_msg(state_read(directory, NULL, &state, error) == 0, "%s", error);
        struct status_source source = state_source(&state);
        ck_assert(source.is_running && source.pid == pid);
        ck_assert_int_eq(source.written_sec, SAMPLE_WRITTEN_SEC);
        ck_assert_int_eq(source.alive_sec, SAMPLE_WRITTEN_SEC + (later_sec > 0 ? later_sec : 0));
        state_release(&state);
    }
    end(pid);
}
END_TEST

/* The next one has begun, and has not looked yet. */
START_TEST(a_successor_does_not_keep_a_state_alive)
{
    leave("qemu:///system");
    pid_t pid = start_by(claim_only, "qemu:///system");
    beat(SAMPLE_WRITTEN_SEC + 100);
    ck_assert_msg(state_read(directory, NULL, &state, error) == 0, "%s", error);
    ck_assert(state.is_running);
    ck_assert_int_eq(state.alive_sec, SAMPLE_WRITTEN_SEC);
    end(pid);
}
END_TEST

START_TEST(is_told_which)
{
    leave("qemu:///system");
    leave("qemu:///session");
    ck_assert_int_eq(state_read(directory, NULL, &state, error), -ENOTUNIQ);
    ck_assert_ptr_nonnull(strstr(error, "qemu:///system"));
    ck_assert_ptr_nonnull(strstr(error, "qemu:///session"));
    ck_assert_ptr_nonnull(strstr(error, "--connect"));
    ck_assert_int_eq(state_read(directory, "qemu:///session", &state, error), 0);
    ck_assert_str_eq(state.record.view.uri, "qemu:///session");
}
END_TEST

START_TEST(prefers_the_one_that_runs)
{
    leave("qemu:///a");
    leave("qemu:///z");
    pid_t pid = start("qemu:///m");
    ck_assert_msg(state_read(directory, NULL, &state, error) == 0, "%s", error);
    ck_assert_str_eq(state.record.view.uri, "qemu:///m");
    ck_assert(state.is_running);
    end(pid);
}
END_TEST

START_TEST(says_where_it_looked)
{
    char want[160];
    snprintf(want, sizeof(want), "no coordinator runs: no state in '%s'", directory);
    ck_assert_int_eq(state_read(directory, NULL, &state, error), -ENOENT);
    ck_assert_str_eq(error, want);
    leave("qemu:///system");
    snprintf(want, sizeof(want), "no coordinator runs for 'xen:///': no state in '%s'", directory);
    ck_assert_int_eq(state_read(directory, "xen:///", &state, error), -ENOENT);
    ck_assert_str_eq(error, want);
    ck_assert_int_eq(state_read("/nowhere", NULL, &state, error), -ENOENT);
    ck_assert_str_eq(error, "no coordinator runs: no state in '/nowhere'");
    ck_assert_int_eq(setenv("RUNTIME_DIRECTORY", "/nowhere/else:/x", 1), 0);
    ck_assert_int_eq(state_read(NULL, "xen:///", &state, error), -ENOENT);
    ck_assert_str_eq(error, "no coordinator runs for 'xen:///': no state in '/nowhere/else' nor in "
                            "'/run/memory_coordinator'");
}
END_TEST

/* Of more URIs than there is room for the first are named; every length near the end is tried. */
START_TEST(names_no_more_than_fit)
{
    for (int length = 90; length <= 100; length++) {
        char name[128];
        close_directory();
        open_directory();
        for (int i = 0; i < 8; i++) {
            snprintf(name, sizeof(name), "%0*d.json", length, i);
            put(name, "{}");
        }
        ck_assert_int_eq(state_read(directory, NULL, &state, error), -ENOTUNIQ);
        ck_assert_uint_lt(strlen(error), STATE_ERROR_BYTES);
    }
}
END_TEST

START_TEST(trusts_no_file)
{
    char path[160];
    put("qemu%3A%2F%2F%2Fsystem.json", "{\"memory_coordinator\": 1, \"domains\": 7}");
    ck_assert_int_eq(state_read(directory, NULL, &state, error), -EINVAL);
    ck_assert_ptr_nonnull(
        strstr(error, "system.json' is no state: \"domains\": expected an array"));
    put("qemu%3A%2F%2F%2Fsystem.json", "");
    ck_assert_int_eq(state_read(directory, NULL, &state, error), -EINVAL);
    snprintf(path, sizeof(path), "%s/qemu%%3A%%2F%%2F%%2Fsystem.json", directory);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0); /* opening it does not hang */
    ck_assert_int_eq(state_read(directory, NULL, &state, error), -EINVAL);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(symlink("/etc/passwd", path), 0);
    ck_assert_int_eq(state_read(directory, NULL, &state, error), -EINVAL);
    ck_assert_int_eq(state_read("/etc/passwd", NULL, &state, error), -ENOTDIR);
    ck_assert_ptr_null(state.line);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("state");
    TCase *cases = tcase_create("reading");
    tcase_add_checked_fixture(cases, open_directory, close_directory);
    tcase_add_test(cases, reads_the_only_one);
    tcase_add_test(cases, needs_no_wait_for_what_came_while_it_read);
    tcase_add_loop_test(cases, waits_for_what_is_newer_than_a_cycle, 0, COUNT_OF(ages));
    tcase_add_test(cases, tells_when_its_coordinator_was_last_alive);
    tcase_add_test(cases, a_successor_does_not_keep_a_state_alive);
    tcase_add_test(cases, is_told_which);
    tcase_add_test(cases, prefers_the_one_that_runs);
    tcase_add_test(cases, says_where_it_looked);
    tcase_add_test(cases, names_no_more_than_fit);
    tcase_add_test(cases, trusts_no_file);
    suite_add_tcase(suite, cases);
    return suite;
}
