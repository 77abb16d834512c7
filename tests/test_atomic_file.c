/* test_atomic_file.c - files that are whole: modes and paths. What it writes through, and what a
 * failure leaves, is tried by test_state_dir. */
#include "atomic_file.h"
#include "support.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char top[] = "/tmp/test_atomic_file.XXXXXX";

/* In a directory of its own. */
static void enter(void)
{
    strcpy(&top[sizeof(top) - 7], "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(top));
    ck_assert_int_eq(chdir(top), 0);
}

static void leave(void)
{
    char command[64];
    ck_assert_int_eq(chdir("/"), 0);
    snprintf(command, sizeof(command), "rm -rf '%s'", top);
    ck_assert_int_eq(system(command), 0);
}

static int put(const char *path, const char *text)
{
    return atomic_file_write_path(path, 0644, text, strlen(text));
}

static void expect_text(const char *path, const char *text)
{
    char found[64] = "";
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "no %s", path);
    found[fread(found, 1, sizeof(found) - 1, file)] = '\0';
    fclose(file);
    ck_assert_str_eq(found, text);
}

/* Who is to read it runs as another user than a service whose umask is 0027. */
START_TEST(the_umask_takes_nothing_from_the_mode)
{
    struct stat status;
    mode_t mask = umask(0077);
    ck_assert_int_eq(put("for_all", "x"), 0);
    umask(mask);
    ck_assert_int_eq(stat("for_all", &status), 0);
    ck_assert_uint_eq(status.st_mode & 07777, 0644);
    ck_assert_int_eq(access(".for_all.new", F_OK), -1);
}
END_TEST

START_TEST(paths_of_all_kinds)
{
    char whole[128];
    ck_assert_int_eq(mkdir("inner", 0755), 0);
    snprintf(whole, sizeof(whole), "%s/absolute", top);
    ck_assert_int_eq(put("plain", "1"), 0);
    ck_assert_int_eq(put("./inner/below", "2"), 0);
    ck_assert_int_eq(put(whole, "3"), 0);
    expect_text("plain", "1");
    expect_text("inner/below", "2");
    expect_text("absolute", "3");
}
END_TEST

static const struct {
    const char *path;
    int want;
} wrong[] = {
    {"missing/file", -ENOENT},
    {"inner/", -EINVAL},
    {"inner/..", -EINVAL},
    {"/", -EINVAL},
    {"", -EINVAL},
    {"inner/a/file", -ENOTDIR},
    {"inner", -EISDIR},
};

START_TEST(paths_that_are_no_file)
{
    ck_assert_int_eq(mkdir("inner", 0755), 0);
    ck_assert_int_eq(put("inner/a", "old"), 0);
    ck_assert_int_eq(put(wrong[_i].path, "x"), wrong[_i].want);
    expect_text("inner/a", "old");
}
END_TEST

START_TEST(a_path_that_is_too_long)
{
    static char path[PATH_MAX + 16];
    memset(path, 'd', sizeof(path) - 1);
    path[sizeof(path) - 8] = '/';
    ck_assert_int_eq(put(path, "x"), -ENAMETOOLONG);
}
END_TEST

/* A directory on a tmpfs may be taken away and made again. */
START_TEST(a_directory_made_again_is_found)
{
    ck_assert_int_eq(mkdir("inner", 0755), 0);
    ck_assert_int_eq(put("inner/file", "1"), 0);
    ck_assert_int_eq(rename("inner", "gone"), 0);
    ck_assert_int_eq(put("inner/file", "2"), -ENOENT);
    ck_assert_int_eq(mkdir("inner", 0755), 0);
    ck_assert_int_eq(put("inner/file", "3"), 0);
    expect_text("inner/file", "3");
    expect_text("gone/file", "1");
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("atomic_file");
    TCase *cases = tcase_create("paths");
    tcase_add_checked_fixture(cases, enter, leave);
    tcase_add_test(cases, the_umask_takes_nothing_from_the_mode);
    tcase_add_test(cases, paths_of_all_kinds);
    tcase_add_loop_test(cases, paths_that_are_no_file, 0, COUNT_OF(wrong));
    tcase_add_test(cases, a_path_that_is_too_long);
    tcase_add_test(cases, a_directory_made_again_is_found);
    suite_add_tcase(suite, cases);
    return suite;
}
