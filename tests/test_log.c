/* test_log.c - lines that can be written, and lines that cannot. */
#include "log.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A log into a pipe, whose other end is read here or not at all. */
struct bench {
    struct log log;
    size_t lost;
    int reader;
};

static struct bench *open_bench(void)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    int ends[2];
    ck_assert_ptr_nonnull(bench);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    bench->reader = ends[0];
    bench->log = (struct log){.stream = fdopen(ends[1], "w"),
                              .level = LOG_LEVEL_DEBUG,
                              .form = LOG_TEXT,
                              .lost = &bench->lost};
    ck_assert_ptr_nonnull(bench->log.stream);
    signal(SIGPIPE, SIG_IGN);
    return bench;
}

static void close_bench(struct bench *bench)
{
    if (bench->reader >= 0)
        close(bench->reader);
    fclose(bench->log.stream);
    free(bench);
}

/* What has arrived at the reader. */
static const char *arrived(const struct bench *bench)
{
    static char text[1 << 17];
    ssize_t length = read(bench->reader, text, sizeof(text) - 1);
    ck_assert_int_ge(length, 0);
    text[length] = '\0';
    return text;
}

static uint64_t now_msec(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static const struct {
    enum log_level level;
    const char *want;
} priorities[] = {
    {LOG_LEVEL_ERROR, "<3>aos_vm1\n"},
    {LOG_LEVEL_WARNING, "<4>aos_vm1\n"},
    {LOG_LEVEL_INFO, "<6>aos_vm1\n"},
    {LOG_LEVEL_DEBUG, "<7>aos_vm1\n"},
};

START_TEST(the_journal_gets_priorities)
{
    struct bench *bench = open_bench();
    bench->log.form = LOG_JOURNAL;
    log_say(&bench->log, priorities[_i].level, "aos_vm%d", 1);
    ck_assert_str_eq(arrived(bench), priorities[_i].want);
    close_bench(bench);
}
END_TEST

START_TEST(programs_get_an_object_a_line)
{
    struct bench *bench = open_bench();
    bench->log.form = LOG_JSON;
    log_say(&bench->log, LOG_LEVEL_WARNING, "vm \"1\"\n\\");
    log_say(&bench->log, LOG_LEVEL_INFO, "cut \xc3");
    const char *text = arrived(bench);
    int end = 0;
    ck_assert_int_eq(
        sscanf(text, "{\"time\":\"%*4d-%*2d-%*2dT%*2d:%*2d:%*2d.%*3dZ\",\"level\":%n", &end), 0);
    ck_assert_int_gt(end, 0);
    ck_assert_msg(strstr(text, "\"warning\",\"message\":\"vm \\\"1\\\"\\n\\\\\"}\n{") == text + end,
                  "%s", text);
    ck_assert_ptr_nonnull(strstr(text, "a line that is no text"));
    close_bench(bench);
}
END_TEST

START_TEST(others_get_the_programs_name)
{
    struct bench *bench = open_bench();
    bench->log.level = LOG_LEVEL_WARNING;
    log_say(&bench->log, LOG_LEVEL_WARNING, "one");
    log_say(&bench->log, LOG_LEVEL_INFO, "not wanted");
    log_say(&bench->log, LOG_LEVEL_ERROR, "two");
    ck_assert_str_eq(arrived(bench), "memory_coordinator: one\nmemory_coordinator: two\n");
    close_bench(bench);
}
END_TEST

static void describe(int descriptor, const char *before, const char *after, char text[64])
{
    struct stat status;
    ck_assert_int_eq(fstat(descriptor, &status), 0);
    snprintf(text, 64, "%s%ju:%ju%s", before, (uintmax_t)status.st_dev, (uintmax_t)status.st_ino,
             after);
}

START_TEST(knows_the_journal)
{
    struct bench *bench = open_bench();
    char text[64];
    describe(bench->reader, "", "", text);
    ck_assert(log_is_journal(bench->reader, text));
    ck_assert(!log_is_journal(STDIN_FILENO, text));
    ck_assert(!log_is_journal(-1, text));
    describe(bench->reader, "", "0", text);
    ck_assert(!log_is_journal(bench->reader, text));
    describe(bench->reader, "1", "", text);
    ck_assert(!log_is_journal(bench->reader, text));
    describe(bench->reader, "", "x", text);
    ck_assert(!log_is_journal(bench->reader, text));
    ck_assert(!log_is_journal(bench->reader, NULL));
    ck_assert(!log_is_journal(bench->reader, ""));
    ck_assert(!log_is_journal(bench->reader, ":"));
    close_bench(bench);
}
END_TEST

START_TEST(a_closed_pipe_ends_nothing)
{
    struct bench *bench = open_bench();
    close(bench->reader);
    bench->reader = -1;
    for (size_t i = 1; i <= 3; i++) {
        log_say(&bench->log, LOG_LEVEL_INFO, "to nobody");
        ck_assert_uint_eq(bench->lost, i);
    }
    close_bench(bench);
}
END_TEST

/* The whole of 10,000 lines may take no longer than a few: a tenth of a second is waited once. */
START_TEST(a_reader_that_sleeps_stalls_nobody)
{
    enum { LINES = 10000 };
    struct bench *bench = open_bench();
    uint64_t start = now_msec();
    for (unsigned int i = 0; i < LINES; i++)
        log_say(&bench->log, LOG_LEVEL_INFO, "line %u", i);
    ck_assert_uint_lt(now_msec() - start, 10000);
    ck_assert_uint_gt(bench->lost, LINES / 10);
    size_t lost = bench->lost;
    const char *text = arrived(bench);
    ck_assert_int_eq(text[strlen(text) - 1], '\n');
    log_say(&bench->log, LOG_LEVEL_INFO, "awake");
    char want[160];
    snprintf(want, sizeof(want),
             "memory_coordinator: awake\n"
             "memory_coordinator: %zu lines before this one could not be written\n",
             lost);
    ck_assert_str_eq(arrived(bench), want);
    ck_assert_uint_eq(bench->lost, 0);
    log_say(&bench->log, LOG_LEVEL_INFO, "and on");
    ck_assert_str_eq(arrived(bench), "memory_coordinator: and on\n");
    close_bench(bench);
}
END_TEST

/* As main() has it; a log without a count loses lines all the same. */
START_TEST(a_full_disk_ends_nothing)
{
    size_t lost = 0;
    struct log log = {.stream = fopen("/dev/full", "w"), .level = LOG_LEVEL_INFO, .lost = &lost};
    ck_assert_ptr_nonnull(log.stream);
    setvbuf(log.stream, NULL, _IONBF, 0);
    for (unsigned int i = 0; i < 1000; i++)
        log_say(&log, LOG_LEVEL_INFO, "line");
    ck_assert_uint_eq(lost, 1000);
    log.lost = NULL;
    log_say(&log, LOG_LEVEL_INFO, "line");
    fclose(log.stream);
}
END_TEST

/* Those that were said, whether anybody reads them or not. */
START_TEST(news_are_counted)
{
    size_t news = 0;
    struct log log = {.stream = fopen("/dev/full", "w"), .level = LOG_LEVEL_ERROR, .news = &news};
    ck_assert_ptr_nonnull(log.stream);
    for (enum log_level level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++)
        log_say(&log, level, "line");
    ck_assert_uint_eq(news, 3);
    fclose(log.stream);
}
END_TEST

static void fill_a_file(const char *path)
{
    size_t lost = 0;
    struct rlimit limit = {.rlim_cur = 200, .rlim_max = RLIM_INFINITY};
    struct log log = {.stream = fopen(path, "w"), .level = LOG_LEVEL_INFO, .lost = &lost};
    ck_assert_ptr_nonnull(log.stream);
    setvbuf(log.stream, NULL, _IONBF, 0);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (unsigned int i = 0; i < 100; i++)
        log_say(&log, LOG_LEVEL_INFO, "line");
    ck_assert_uint_gt(lost, 90);
    limit.rlim_cur = RLIM_INFINITY;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    log_say(&log, LOG_LEVEL_INFO, "there is room again");
    ck_assert_uint_eq(lost, 0);
    fclose(log.stream);
}

START_TEST(a_disk_with_room_again_is_written_to)
{
    char path[] = "/tmp/test_log.XXXXXX";
    char text[512] = "";
    int status;
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    pid_t child = fork();
    if (child == 0) {
        fill_a_file(path);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_gt(read(file, text, sizeof(text) - 1), 200);
    ck_assert_ptr_nonnull(strstr(text, "there is room again\n"));
    ck_assert_ptr_nonnull(strstr(text, " lines before this one could not be written\n"));
    close(file);
    unlink(path);
}
END_TEST

/* In a child, since check's own descriptors are not to be lost. Bit N: descriptor N is closed. */
START_TEST(closed_descriptors_are_held)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        struct stat null;
        struct stat found;
        size_t wrong = stat("/dev/null", &null) != 0;
        for (int i = 0; i < 3; i++)
            if ((_i >> i & 1) != 0)
                close(i);
        int next = dup(STDERR_FILENO + 7); /* closed: nothing is opened by that */
        wrong += next >= 0;
        wrong += log_hold_descriptors() != 0;
        for (int i = 0; i < 3; i++)
            if ((_i >> i & 1) != 0)
                wrong += fstat(i, &found) != 0 || found.st_rdev != null.st_rdev ||
                         (fcntl(i, F_GETFL) & O_ACCMODE) != O_RDWR;
        int opened = open("/dev/zero", O_RDONLY | O_CLOEXEC);
        wrong += opened <= STDERR_FILENO;
        _exit((int)wrong);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("log");
    TCase *cases = tcase_create("lines");
    tcase_add_loop_test(cases, the_journal_gets_priorities, 0, COUNT_OF(priorities));
    tcase_add_test(cases, programs_get_an_object_a_line);
    tcase_add_test(cases, others_get_the_programs_name);
    tcase_add_test(cases, knows_the_journal);
    tcase_add_test(cases, a_closed_pipe_ends_nothing);
    tcase_add_test(cases, a_reader_that_sleeps_stalls_nobody);
    tcase_add_test(cases, a_full_disk_ends_nothing);
    tcase_add_test(cases, news_are_counted);
    tcase_add_test(cases, a_disk_with_room_again_is_written_to);
    tcase_add_loop_test(cases, closed_descriptors_are_held, 0, 8);
    suite_add_tcase(suite, cases);
    return suite;
}
