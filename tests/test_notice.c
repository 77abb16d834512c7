/* test_notice.c - files that come and go are noticed at once. */
#include "notice.h"
#include "support.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const suffixes[] = {".pause", ".reservation", NULL};

struct bench {
    struct tree tree;
    struct state_dir dir;
    int notices;
};

static struct bench open_bench(void)
{
    struct bench bench = {.tree = tree_make()};
    ck_assert_int_eq(state_dir_open(bench.tree.root, &bench.dir), 0);
    bench.notices = notice_open(&bench.dir);
    ck_assert_int_ge(bench.notices, 0);
    return bench;
}

static void close_bench(struct bench *bench)
{
    close(bench->notices);
    state_dir_release(&bench->dir);
    tree_release(&bench->tree);
}

static bool is_readable(int descriptor)
{
    return poll(&(struct pollfd){.fd = descriptor, .events = POLLIN}, 1, 0) == 1;
}

static bool takes_word(const struct bench *bench)
{
    struct notice notice = notice_take(bench->notices, suffixes, "of-nobody.json");
    ck_assert(!notice.is_read);
    return notice.has_word;
}

static const struct {
    const char *name;
    bool want;
} names[] = {{"uri.pause", true},   {"uri%20name.reservation", true},
             {"uri.json", false},   {".pause", false},
             {"uri.pause.", false}, {"uri.pauses", false},
             {"reservation", false}};

START_TEST(notices_what_comes_and_goes)
{
    struct bench bench = open_bench();
    const char *name = names[_i].name;
    ck_assert(!is_readable(bench.notices));
    ck_assert(!takes_word(&bench));
    ck_assert_int_eq(state_dir_write(&bench.dir, name, "x", 1), 0);
    ck_assert(is_readable(bench.notices));
    ck_assert_msg(takes_word(&bench) == names[_i].want, "%s comes", name);
    ck_assert(!takes_word(&bench)); /* once */
    ck_assert_int_eq(unlinkat(bench.dir.directory, name, 0), 0);
    ck_assert_msg(takes_word(&bench) == names[_i].want, "%s goes", name);
    int descriptor = openat(bench.dir.directory, name, O_WRONLY | O_CREAT, 0600);
    ck_assert_int_ge(descriptor, 0);
    ck_assert_int_eq(write(descriptor, "x", 1), 1);
    ck_assert(!takes_word(&bench)); /* not whole yet */
    close(descriptor);
    ck_assert_msg(takes_word(&bench) == names[_i].want, "%s is written", name);
    ck_assert_int_eq(renameat(bench.dir.directory, name, bench.dir.directory, "aside"), 0);
    ck_assert_msg(takes_word(&bench) == names[_i].want, "%s is moved", name);
    close_bench(&bench);
}
END_TEST

static void read_one(const struct bench *bench, const char *name)
{
    char *bytes;
    size_t length;
    ck_assert_int_eq(state_dir_read(&bench->dir, name, &bytes, &length), 0);
    free(bytes);
}

static bool takes_reader(const struct bench *bench)
{
    struct notice notice = notice_take(bench->notices, suffixes, "uri.json");
    ck_assert(!notice.has_word);
    return notice.is_read;
}

/* The first time, of the file that there is then: who reads on does not wake us again, nor do we
 * wake ourselves by what we read. */
START_TEST(notices_who_was_awaited)
{
    static const char *const others[] = {"uri.pause", "other.json"};
    struct bench bench = open_bench();
    ck_assert_int_eq(notice_await_reader(bench.notices, &bench.dir, "uri.json"), -ENOENT);
    ck_assert_int_eq(notice_await_reader(-1, &bench.dir, "uri.json"), -EBADF);
    ck_assert_int_eq(state_dir_write(&bench.dir, "uri.json", "x", 1), 0);
    for (size_t i = 0; i < COUNT_OF(others); i++)
        ck_assert_int_eq(state_dir_write(&bench.dir, others[i], "x", 1), 0);
    ck_assert(takes_word(&bench));
    for (unsigned int i = 0; i < 3; i++) {
        read_one(&bench, "uri.json"); /* who is not awaited is not noticed */
        ck_assert(!is_readable(bench.notices));
        ck_assert_int_eq(notice_await_reader(bench.notices, &bench.dir, "uri.json"), 0);
        for (size_t k = 0; k < COUNT_OF(others); k++)
            read_one(&bench, others[k]);
        ck_assert(!is_readable(bench.notices));
        read_one(&bench, "uri.json");
        ck_assert(takes_reader(&bench));
    }
    /* The file that takes its place is another one. */
    ck_assert_int_eq(notice_await_reader(bench.notices, &bench.dir, "uri.json"), 0);
    ck_assert_int_eq(state_dir_write(&bench.dir, "uri.json", "y", 1), 0);
    ck_assert(!takes_reader(&bench));
    read_one(&bench, "uri.json");
    ck_assert(!is_readable(bench.notices));
    close_bench(&bench);
}
END_TEST

START_TEST(notices_that_what_is_read_is_gone)
{
    struct bench bench = open_bench();
    for (unsigned int i = 0; i < 2; i++) {
        ck_assert_int_eq(state_dir_write(&bench.dir, "uri.json", "x", 1), 0);
        ck_assert_int_eq(state_dir_write(&bench.dir, "other.json", "x", 1), 0);
        ck_assert(!takes_reader(&bench));
        ck_assert_int_eq(unlinkat(bench.dir.directory, "other.json", 0), 0);
        ck_assert(!takes_reader(&bench));
        if (i == 0)
            ck_assert_int_eq(unlinkat(bench.dir.directory, "uri.json", 0), 0);
        else
            ck_assert_int_eq(renameat(bench.dir.directory, "uri.json", bench.dir.directory, "x"),
                             0);
        ck_assert(takes_reader(&bench));
    }
    close_bench(&bench);
}
END_TEST

START_TEST(finds_one_among_many)
{
    struct bench bench = open_bench();
    char name[32];
    for (unsigned int i = 0; i < 300; i++) {
        snprintf(name, sizeof(name), "%u.%s", i, i == 200 ? "pause" : "json");
        ck_assert_int_eq(state_dir_write(&bench.dir, name, "x", 1), 0);
    }
    ck_assert(takes_word(&bench));
    ck_assert(!is_readable(bench.notices)); /* all are taken */
    close_bench(&bench);
}
END_TEST

START_TEST(without_a_directory_there_is_nothing_to_notice)
{
    struct bench bench = open_bench();
    int plain = openat(bench.dir.directory, "file", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    ck_assert_int_eq(notice_open(&STATE_DIR_NONE), -1);
    ck_assert_int_eq(notice_open(&(struct state_dir){plain, -1}), -1);
    close(plain);
    ck_assert(!notice_take(-1, suffixes, "uri.json").has_word);
    close_bench(&bench);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("notice");
    TCase *cases = tcase_create("cases");
    tcase_add_loop_test(cases, notices_what_comes_and_goes, 0, COUNT_OF(names));
    tcase_add_test(cases, notices_who_was_awaited);
    tcase_add_test(cases, notices_that_what_is_read_is_gone);
    tcase_add_test(cases, finds_one_among_many);
    tcase_add_test(cases, without_a_directory_there_is_nothing_to_notice);
    suite_add_tcase(suite, cases);
    return suite;
}
