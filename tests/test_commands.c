/* test_commands.c - commands that leave word for a coordinator, which a process of this test plays.
 */
#include "commands.h"
#include "record.h"
#include "reservation_file.h"
#include "reserve.h"
#include "steer.h"
#include "support.h"
#include "tree.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define URI "fake:///"

enum { WORDS_MOST = 16, TEXT_BYTES = 4096, PAUSE_USEC = 20000 };

/* What the test tells the one who plays the coordinator, and hears of him. */
struct shared {
    uint64_t free_kib;
    bool is_disconnected;
    bool is_silent; /* of its host's memory */
    unsigned int cycles;
    size_t reserved; /* how many he has found */
    struct reservation first;
};

struct bench {
    struct tree tree;
    struct shared *shared;
    pid_t coordinator; /* 0: none */
    char output[TEXT_BYTES];
    char error[TEXT_BYTES];
};

/* ---- the coordinator ---- */

static void write_state(const struct state_dir *dir, const struct shared *shared,
                        struct reservations *list)
{
    struct record_origin origin = {.pid = getpid(), .written_sec = 1};
    struct domain domain = {.name = "vm1", .id = 1, .is_running = true};
    struct policy_limits limits = {0};
    struct policy_memory memory = {0};
    struct policy_decision decision = {0};
    enum coordinator_request request = COORDINATOR_NONE;
    struct snapshot snapshot = {
        .domains = &domain,
        .count = 1,
        .host = {.has_memory = !shared->is_silent, .total_kib = 16 * GIB},
    };
    struct coordinator_view view = {
        .uri = URI,
        .is_connected = !shared->is_disconnected,
        .snapshot = &snapshot,
        .limits = &limits,
        .memory = &memory,
        .decisions = &decision,
        .requests = &request,
        .reservations = list,
    };
    char name[STATE_DIR_NAME_BYTES];
    state_dir_name(URI, ".json", name);
    char *line = record_format(&view, &origin, true);
    state_dir_write(dir, name, line, strlen(line));
    free(line);
}

static _Noreturn void coordinate(const char *directory, struct shared *shared)
{
    char error[STATE_DIR_ERROR_BYTES];
    struct state_dir dir;
    static struct reservations list;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (state_dir_claim(directory, URI, &dir, error) != 0)
        _exit(EXIT_FAILURE);
    for (;;) {
        reservations_read(&dir, URI, &list);
        reservations_hold(&list, shared->free_kib);
        shared->reserved = list.count;
        if (list.count > 0)
            shared->first = list.items[0];
        write_state(&dir, shared, &list);
        shared->cycles++;
        usleep(PAUSE_USEC);
    }
}

static void wait_for_cycles(const struct bench *bench, unsigned int cycles)
{
    const volatile unsigned int *done = &bench->shared->cycles;
    for (unsigned int until = *done + cycles; *done < until;)
        usleep(PAUSE_USEC);
}

/* ---- the bench ---- */

static struct bench *open_bench(uint64_t free_kib)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    ck_assert_ptr_nonnull(bench);
    bench->tree = tree_make();
    bench->shared = mmap(NULL, sizeof(*bench->shared), PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(bench->shared, MAP_FAILED);
    bench->shared->free_kib = free_kib;
    bench->coordinator = fork();
    if (bench->coordinator == 0)
        coordinate(bench->tree.root, bench->shared);
    wait_for_cycles(bench, 1);
    return bench;
}

static void end_coordinator(struct bench *bench)
{
    kill(bench->coordinator, SIGKILL);
    waitpid(bench->coordinator, NULL, 0);
    bench->coordinator = 0;
}

static void close_bench(struct bench *bench)
{
    if (bench->coordinator != 0)
        end_coordinator(bench);
    munmap(bench->shared, sizeof(*bench->shared));
    tree_release(&bench->tree);
    free(bench);
}

static int redirect(FILE *stream, FILE *to)
{
    fflush(stream);
    int before = dup(fileno(stream));
    dup2(fileno(to), fileno(stream));
    return before;
}

static void bring_back(FILE *stream, int before, FILE *from, char text[TEXT_BYTES])
{
    fflush(stream);
    dup2(before, fileno(stream));
    close(before);
    rewind(from);
    text[fread(text, 1, TEXT_BYTES - 1, from)] = '\0';
    fclose(from);
}

/* Runs one of the commands with these words, blanks between them, on the bench's directory. */
static int run(struct bench *bench, int (*command)(int argc, char *const argv[]), const char *line)
{
    char words[TEXT_BYTES];
    char *argv[WORDS_MOST + 1] = {0};
    int argc = 0;
    snprintf(words, sizeof(words), "%s", line);
    argv[argc++] = strtok(words, " ");
    argv[argc++] = "--state-dir";
    argv[argc++] = bench->tree.root;
    for (char *word; (word = strtok(NULL, " ")) != NULL && argc < WORDS_MOST;)
        argv[argc++] = strcmp(word, "''") == 0 ? "" : word;
    FILE *output = tmpfile();
    FILE *error = tmpfile();
    int stdout_before = redirect(stdout, output);
    int stderr_before = redirect(stderr, error);
    int status = command(argc, argv);
    bring_back(stdout, stdout_before, output, bench->output);
    bring_back(stderr, stderr_before, error, bench->error);
    return status;
}

/* One line, with all of WANT in it. */
static void expect_line(const char *text, const char *want)
{
    ck_assert_msg(strstr(text, want) != NULL, "'%s' is not in: %s", want, text);
    const char *end = strchr(text, '\n');
    ck_assert_msg(end != NULL && end[1] == '\0', "not one line: %s", text);
}

/* ---- wrong command lines ---- */

static const struct {
    int (*command)(int argc, char *const argv[]);
    const char *line;
    const char *want;
} wrong[] = {
    {reserve_command, "reserve", "reserve: no SIZE, expected one such as 512MiB"},
    {reserve_command, "reserve 512X", "reserve: '512X': expected a size such as 512MiB"},
    {reserve_command, "reserve 0", "reserve: '0': "},
    {reserve_command, "reserve 1023K", "reserve: '1023K': "},
    {reserve_command, "reserve 9999999GiB", "reserve: '9999999GiB': "},
    {reserve_command, "reserve 1 2", "reserve: extra argument '2'"},
    {reserve_command, "reserve 1 --ttl 0", "--ttl '0': expected seconds from 1 to 31536000"},
    {reserve_command, "reserve 1 --ttl soon", "--ttl 'soon': "},
    {reserve_command, "reserve 1 --wait 0", "--wait '0': expected seconds from 0.1 to 3600"},
    {reserve_command, "reserve 1 --wait 3601", "--wait '3601': "},
    {reserve_command, "reserve 1 --name ''", "--name '': expected a guest's name"},
    {reserve_command, "reserve 1 --name", "option '--name' needs an argument"},
    {reserve_command, "reserve 1 --colour", "reserve: wrong option '--colour'"},
    {reserve_command, "reserve 1 --connect ''", "--connect '': expected a libvirt URI"},
    {release_command, "release", "release: no NAME, expected that of a reservation"},
    {release_command, "release a b", "release: extra argument 'b'"},
    {release_command, "release ''", "release '': expected a guest's name"},
    {release_command, "release --ttl 5 a", "release: wrong option '--ttl'"},
    {release_command, "release a --connect ''", "--connect '': expected a libvirt URI"},
    {steer_pause, "pause --ttl 0", "--ttl '0': "},
    {steer_pause, "pause now", "pause: extra argument 'now'"},
    {steer_resume, "resume --ttl 1", "resume: wrong option '--ttl'"},
    {steer_set, "set vm1", "set: expected DOMAIN KEY=VALUE..."},
};

START_TEST(what_is_wrong_is_named)
{
    struct bench bench = {.tree = tree_make()};
    int status = run(&bench, wrong[_i].command, wrong[_i].line);
    ck_assert_msg(status == COMMANDS_USAGE, "%s: %d", wrong[_i].line, status);
    expect_line(bench.error, wrong[_i].want);
    ck_assert_str_eq(bench.output, "");
    tree_release(&bench.tree);
}
END_TEST

static const struct {
    int (*command)(int argc, char *const argv[]);
    const char *line;
} asking[] = {
    {reserve_command, "reserve 512MiB"},
    {release_command, "release vm1"},
    {steer_pause, "pause"},
    {steer_resume, "resume"},
};

START_TEST(without_a_coordinator_there_is_nobody_to_ask)
{
    struct bench bench = {.tree = tree_make()};
    ck_assert_int_eq(run(&bench, asking[_i].command, asking[_i].line), COMMANDS_NOT_RUNNING);
    expect_line(bench.error, "no coordinator runs");
    ck_assert_str_eq(bench.output, "");
    tree_release(&bench.tree);
    struct bench *ended = open_bench(GIB);
    end_coordinator(ended);
    ck_assert_int_eq(run(ended, asking[_i].command, asking[_i].line), COMMANDS_NOT_RUNNING);
    expect_line(ended->error, "no coordinator runs for '" URI "' any more");
    close_bench(ended);
}
END_TEST

static const struct {
    int (*command)(int argc, char *const argv[]);
    const char *line;
} helping[] = {
    {reserve_command, "reserve --help"}, {release_command, "release -h"}, {steer_pause, "pause -h"},
    {steer_resume, "resume --help"},     {steer_set, "set --help"},
};

START_TEST(tells_how_it_is_used)
{
    struct bench bench = {.tree = tree_make()};
    ck_assert_int_eq(run(&bench, helping[_i].command, helping[_i].line), EXIT_SUCCESS);
    ck_assert_ptr_nonnull(strstr(bench.output, "Usage: memory_coordinator "));
    for (const char *at = bench.output, *end; (end = strchr(at, '\n')) != NULL; at = end + 1)
        ck_assert_msg(end - at <= 90, "too wide: %s", at);
    tree_release(&bench.tree);
}
END_TEST

/* ---- reserving ---- */

START_TEST(reserves_what_is_free)
{
    struct bench *bench = open_bench(GIB);
    int status = run(bench, reserve_command, "reserve 512MiB --name db --ttl 90");
    ck_assert_msg(status == EXIT_SUCCESS, "%s", bench->error);
    expect_line(bench->output, "db: 512.0 MiB are free, and kept for 90 s or until "
                               "`memory_coordinator release db`");
    wait_for_cycles(bench, 2);
    const struct reservation *found = &bench->shared->first;
    ck_assert_uint_eq(bench->shared->reserved, 1);
    ck_assert_str_eq(found->name, "db");
    ck_assert_uint_eq(found->size_kib, 512 * MIB);
    ck_assert_uint_eq(found->start_waits_usec, 0);
    /* It is kept for so long from now on, not from when it was asked for. */
    ck_assert_uint_gt(found->until_usec, found->since_usec + 90 * SEC);
    ck_assert_uint_lt(found->until_usec, found->since_usec + 99 * SEC);
    ck_assert_int_eq(run(bench, release_command, "release db"), EXIT_SUCCESS);
    expect_line(bench->output, "db: released");
    wait_for_cycles(bench, 2);
    ck_assert_uint_eq(bench->shared->reserved, 0);
    ck_assert_int_eq(run(bench, release_command, "release db"), EXIT_SUCCESS);
    expect_line(bench->output, "db: nothing was reserved for it");
    close_bench(bench);
}
END_TEST

START_TEST(one_without_a_name_gets_one)
{
    struct bench *bench = open_bench(GIB);
    char want[64];
    char line[64];
    snprintf(want, sizeof(want), "reserve-%d: 64.0 MiB are free", (int)getpid());
    ck_assert_int_eq(run(bench, reserve_command, "reserve --ttl 60 64"), EXIT_SUCCESS);
    expect_line(bench->output, want);
    snprintf(line, sizeof(line), "release reserve-%d", (int)getpid());
    ck_assert_int_eq(run(bench, release_command, line), EXIT_SUCCESS);
    ck_assert_ptr_nonnull(strstr(bench->output, ": released\n"));
    close_bench(bench);
}
END_TEST

START_TEST(waits_until_it_is_free)
{
    struct bench *bench = open_bench(100 * MIB);
    pid_t giver = fork();
    if (giver == 0) {
        usleep(500000);
        bench->shared->free_kib = GIB;
        _exit(EXIT_SUCCESS);
    }
    ck_assert_int_eq(run(bench, reserve_command, "reserve 512MiB --wait 60"), EXIT_SUCCESS);
    ck_assert_uint_eq(bench->shared->free_kib, GIB);
    waitpid(giver, NULL, 0);
    close_bench(bench);
}
END_TEST

START_TEST(takes_back_what_could_not_be_had)
{
    struct bench *bench = open_bench(100 * MIB);
    int status = run(bench, reserve_command, "reserve 512MiB --name db --wait 0.5");
    ck_assert_int_eq(status, COMMANDS_NOT_ALL);
    expect_line(bench->error, "db: only 100.0 of 512.0 MiB could be had within 0.5 s; nothing is "
                              "reserved");
    ck_assert_str_eq(bench->output, "");
    ck_assert_str_eq(bench->shared->first.name, "db"); /* it was there */
    wait_for_cycles(bench, 2);
    ck_assert_uint_eq(bench->shared->reserved, 0);
    close_bench(bench);
}
END_TEST

START_TEST(takes_back_what_nobody_frees_any_more)
{
    struct bench *bench = open_bench(0);
    pid_t killer = fork();
    if (killer == 0) {
        usleep(300000);
        kill(bench->coordinator, SIGKILL);
        _exit(EXIT_SUCCESS);
    }
    /* It is a zombie then, and has no lock any more. */
    int status = run(bench, reserve_command, "reserve 512MiB --name db --wait 60");
    ck_assert_int_eq(status, COMMANDS_NOT_RUNNING);
    expect_line(bench->error, "no coordinator runs for '" URI "' any more");
    waitpid(killer, NULL, 0);
    struct state_dir dir;
    struct reservations list;
    ck_assert_int_eq(state_dir_open(bench->tree.root, &dir), 0);
    ck_assert_int_eq(reservations_read(&dir, URI, &list), 0);
    ck_assert_uint_eq(list.count, 0);
    state_dir_release(&dir);
    close_bench(bench);
}
END_TEST

START_TEST(who_runs_needs_no_reservation)
{
    struct bench *bench = open_bench(GIB);
    ck_assert_int_eq(run(bench, reserve_command, "reserve 64 --name vm1"), EXIT_FAILURE);
    expect_line(bench->error, "reserve: 'vm1' runs already");
    wait_for_cycles(bench, 2);
    ck_assert_uint_eq(bench->shared->reserved, 0);
    /* One that a hook is for has ended, and begins anew: its start waits as long as the hook. */
    ck_assert_int_eq(run(bench, reserve_command, "reserve 2048 --name vm1 --hook --wait 1"), 4);
    const struct reservation *found = &bench->shared->first;
    ck_assert_uint_eq(found->start_waits_usec, found->since_usec + SEC);
    ck_assert_int_eq(run(bench, reserve_command, "reserve 64 --name vm1 --hook"), EXIT_SUCCESS);
    wait_for_cycles(bench, 2);
    ck_assert_uint_eq(found->start_waits_usec, 0);
    close_bench(bench);
}
END_TEST

START_TEST(what_cannot_be_is_not_tried)
{
    struct bench *bench = open_bench(100 * MIB);
    ck_assert_int_eq(run(bench, reserve_command, "reserve 16385 --name db --wait 60"), 4);
    expect_line(bench->error, "db: 16385.0 MiB are more than the host's 16384.0 MiB less its "
                              "reserve of 0.0; nothing is reserved");
    bench->shared->is_silent = true;
    wait_for_cycles(bench, 2);
    ck_assert_int_eq(run(bench, reserve_command, "reserve 1 --wait 60"), EXIT_FAILURE);
    expect_line(bench->error, "reserve: 'fake:///' does not say what memory its host has");
    bench->shared->is_disconnected = true;
    wait_for_cycles(bench, 2);
    ck_assert_int_eq(run(bench, reserve_command, "reserve 1 --hook --wait 60"), EXIT_FAILURE);
    expect_line(bench->error, "reserve: the coordinator of 'fake:///' has no connection to it");
    ck_assert_uint_eq(bench->shared->reserved, 0);
    close_bench(bench);
}
END_TEST

START_TEST(a_signal_takes_it_back)
{
    struct bench *bench = open_bench(100 * MIB);
    pid_t test = getpid();
    pid_t other = fork();
    if (other == 0) {
        wait_for_cycles(bench, 3);
        kill(test, SIGTERM);
        free(bench); /* its own copy */
        _exit(EXIT_SUCCESS);
    }
    ck_assert_int_eq(run(bench, reserve_command, "reserve 512MiB --wait 60"), 128 + SIGTERM);
    waitpid(other, NULL, 0);
    wait_for_cycles(bench, 2);
    ck_assert_uint_eq(bench->shared->reserved, 0);
    close_bench(bench);
}
END_TEST

START_TEST(what_another_has_put_is_not_taken_back)
{
    struct bench *bench = open_bench(100 * MIB);
    pid_t other = fork();
    if (other == 0) {
        wait_for_cycles(bench, 3);
        int result = run(bench, reserve_command, "reserve 64MiB --name db");
        free(bench); /* its own copy */
        _exit(result);
    }
    ck_assert_int_eq(run(bench, reserve_command, "reserve 512MiB --name db --wait 2"),
                     EXIT_FAILURE);
    expect_line(bench->error, "db: released, or reserved anew, meanwhile");
    int status;
    waitpid(other, &status, 0);
    ck_assert_int_eq(WEXITSTATUS(status), EXIT_SUCCESS);
    wait_for_cycles(bench, 2);
    ck_assert_uint_eq(bench->shared->reserved, 1);
    ck_assert_uint_eq(bench->shared->first.size_kib, 64 * MIB);
    close_bench(bench);
}
END_TEST

/* "reserve 512MiB --name db && virsh start db" */
START_TEST(a_hook_finds_what_is_kept_already)
{
    struct bench *bench = open_bench(GIB);
    ck_assert_int_eq(run(bench, reserve_command, "reserve 512MiB --name db"), EXIT_SUCCESS);
    wait_for_cycles(bench, 2);
    uint64_t since = bench->shared->first.since_usec;
    ck_assert_int_eq(run(bench, reserve_command, "reserve 500MiB --name db --hook"), EXIT_SUCCESS);
    wait_for_cycles(bench, 2);
    ck_assert_uint_eq(bench->shared->first.since_usec, since);
    ck_assert_uint_eq(bench->shared->first.size_kib, 512 * MIB);
    ck_assert_int_eq(run(bench, reserve_command, "reserve 600MiB --name db --hook"), EXIT_SUCCESS);
    wait_for_cycles(bench, 2);
    ck_assert_uint_eq(bench->shared->first.size_kib, 600 * MIB);
    ck_assert_uint_eq(bench->shared->first.start_waits_usec, 0);
    close_bench(bench);
}
END_TEST

START_TEST(there_is_an_end_to_them)
{
    struct bench *bench = open_bench(GIB);
    struct state_dir dir;
    struct reservation reservation = {.size_kib = MIB, .until_usec = UINT64_MAX >> 4};
    ck_assert_int_eq(state_dir_open(bench->tree.root, &dir), 0);
    for (unsigned int i = 0; i < RESERVATIONS_MOST; i++) {
        snprintf(reservation.name, sizeof(reservation.name), "db%u", i);
        ck_assert_int_eq(reservation_put(&dir, URI, &reservation), 0);
    }
    ck_assert_int_eq(run(bench, reserve_command, "reserve 64 --name db"), EXIT_FAILURE);
    expect_line(bench->error, "cannot reserve for 'db' with the coordinator of '" URI
                              "': there are 64 reservations already");
    ck_assert_int_eq(run(bench, reserve_command, "reserve 1 --name db5"), EXIT_SUCCESS);
    state_dir_release(&dir);
    close_bench(bench);
}
END_TEST

START_TEST(what_is_no_name_is_named)
{
    struct bench *bench = open_bench(GIB);
    ck_assert_int_eq(run(bench, reserve_command, "reserve 1 --name \xff"), EXIT_FAILURE);
    expect_line(bench->error, "this is no guest's name");
    close_bench(bench);
}
END_TEST

/* ---- a pause ---- */

START_TEST(pauses_and_resumes)
{
    struct bench *bench = open_bench(GIB);
    ck_assert_int_eq(run(bench, steer_pause, "pause --ttl 600"), EXIT_SUCCESS);
    expect_line(bench->output, "paused for 600 s: " URI);
    ck_assert_int_eq(run(bench, steer_pause, "pause"), EXIT_SUCCESS);
    expect_line(bench->output, "paused: " URI);
    ck_assert_int_eq(run(bench, steer_resume, "resume"), EXIT_SUCCESS);
    expect_line(bench->output, "resumed: " URI);
    ck_assert_int_eq(run(bench, steer_resume, "resume"), EXIT_SUCCESS);
    expect_line(bench->output, "was not paused: " URI);
    close_bench(bench);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("commands");
    TCase *lines = tcase_create("command lines");
    tcase_add_loop_test(lines, what_is_wrong_is_named, 0, COUNT_OF(wrong));
    tcase_add_loop_test(lines, without_a_coordinator_there_is_nobody_to_ask, 0, COUNT_OF(asking));
    tcase_add_loop_test(lines, tells_how_it_is_used, 0, COUNT_OF(helping));
    suite_add_tcase(suite, lines);
    TCase *orders = tcase_create("orders");
    tcase_add_test(orders, reserves_what_is_free);
    tcase_add_test(orders, one_without_a_name_gets_one);
    tcase_add_test(orders, waits_until_it_is_free);
    tcase_add_test(orders, takes_back_what_could_not_be_had);
    tcase_add_test(orders, takes_back_what_nobody_frees_any_more);
    tcase_add_test(orders, who_runs_needs_no_reservation);
    tcase_add_test(orders, what_cannot_be_is_not_tried);
    tcase_add_test(orders, a_signal_takes_it_back);
    tcase_add_test(orders, what_another_has_put_is_not_taken_back);
    tcase_add_test(orders, a_hook_finds_what_is_kept_already);
    tcase_add_test(orders, there_is_an_end_to_them);
    tcase_add_test(orders, what_is_no_name_is_named);
    tcase_add_test(orders, pauses_and_resumes);
    suite_add_tcase(suite, orders);
    return suite;
}
