/* test_pause.c - a pause that is set, heeded and over. */
#include "pause.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const char uri[] = "test:///default";

static struct state_dir open_dir(char path[])
{
    struct state_dir dir = STATE_DIR_NONE;
    ck_assert_ptr_nonnull(mkdtemp(path));
    dir.directory = open(path, O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(dir.directory, 0);
    return dir;
}

/* The end of the pause, or 0; where there is no shortage, whatever held before. */
static uint64_t end_of(const struct state_dir *dir, const char *of, uint64_t now_usec)
{
    uint64_t until_usec = 0;
    uint64_t before_usec = 7;
    ck_assert_int_eq(pause_heed(dir, of, now_usec, &until_usec), 0);
    ck_assert_int_eq(pause_heed(dir, of, now_usec, &before_usec), 0);
    ck_assert_uint_eq(until_usec, before_usec);
    return until_usec;
}

START_TEST(holds_until_its_time_has_come)
{
    char path[] = "/tmp/test_pause.XXXXXX";
    struct state_dir dir = open_dir(path);
    ck_assert_uint_eq(end_of(&dir, uri, 0), 0);
    ck_assert_int_eq(pause_begin(&dir, uri, 100 * SEC), 0);
    ck_assert_uint_eq(end_of(&dir, uri, 100 * SEC - 1), 100 * SEC);
    ck_assert_uint_eq(end_of(&dir, uri, 100 * SEC), 0);
    ck_assert_uint_eq(end_of(&dir, "test:///other", 0), 0);
    ck_assert_int_eq(pause_begin(&dir, uri, PAUSE_ENDLESS_USEC), 0);
    ck_assert_uint_eq(end_of(&dir, uri, UINT64_MAX - 1), PAUSE_ENDLESS_USEC);
    ck_assert_int_eq(pause_end(&dir, uri), 0);
    ck_assert_uint_eq(end_of(&dir, uri, 0), 0);
    ck_assert_int_eq(pause_end(&dir, uri), -ENOENT);
    close(dir.directory);
    ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

START_TEST(what_is_no_pause_is_none)
{
    static const char *const texts[] = {"", "soon\n", "\n\n\n", "-"};
    char path[] = "/tmp/test_pause.XXXXXX";
    char name[STATE_DIR_NAME_BYTES];
    struct state_dir dir = open_dir(path);
    struct state_dir none = STATE_DIR_NONE;
    state_dir_name(uri, ".pause", name);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        ck_assert_int_eq(state_dir_write(&dir, name, texts[i], strlen(texts[i])), 0);
        ck_assert_uint_eq(end_of(&dir, uri, 0), 0);
    }
    ck_assert_uint_eq(end_of(&none, uri, 0), 0);
    ck_assert_int_eq(pause_begin(&none, uri, 1), -EBADF);
    ck_assert_int_eq(pause_end(&dir, uri), 0);
    close(dir.directory);
    ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

/* Where there is no descriptor to read it with, who is paused stays so, and nobody else becomes it.
 */
START_TEST(goes_on_while_it_cannot_be_read)
{
    char path[] = "/tmp/test_pause.XXXXXX";
    struct state_dir dir = open_dir(path);
    struct rlimit limit;
    ck_assert_int_eq(pause_begin(&dir, uri, PAUSE_ENDLESS_USEC), 0);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = limit.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    uint64_t goes_on = 7;
    uint64_t begins = 0;
    int results[] = {pause_heed(&dir, uri, 0, &goes_on), pause_heed(&dir, uri, 0, &begins)};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert(goes_on == 7 && begins == 0);
    ck_assert(results[0] == -EMFILE && results[1] == -EMFILE);
    ck_assert_int_eq(pause_end(&dir, uri), 0);
    ck_assert_uint_eq(end_of(&dir, uri, 0), 0);
    close(dir.directory);
    ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("pause");
    TCase *files = tcase_create("files");
    tcase_add_test(files, holds_until_its_time_has_come);
    tcase_add_test(files, what_is_no_pause_is_none);
    tcase_add_test(files, goes_on_while_it_cannot_be_read);
    suite_add_tcase(suite, files);
    return suite;
}
