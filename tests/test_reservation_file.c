/* test_reservation_file.c - reservations that are left, heeded and over. */
#include "reservation_file.h"
#include "support.h"
#include "tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define URI "test:///default"

struct bench {
    struct tree tree;
    struct state_dir dir;
    struct log log;
    char *text;
    size_t size;
    struct reservations last;
};

static struct bench *open_bench(void)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    ck_assert_ptr_nonnull(bench);
    bench->tree = tree_make();
    ck_assert_int_eq(state_dir_open(bench->tree.root, &bench->dir), 0);
    bench->log.stream = open_memstream(&bench->text, &bench->size);
    bench->log.level = LOG_LEVEL_INFO;
    return bench;
}

static void close_bench(struct bench *bench)
{
    fclose(bench->log.stream);
    state_dir_release(&bench->dir);
    tree_release(&bench->tree);
    free(bench->text);
    free(bench);
}

static struct reservation make(const char *name, uint64_t since_sec, uint64_t until_sec)
{
    struct reservation reservation = {.size_kib = 512 * MIB,
                                      .since_usec = since_sec * SEC,
                                      .until_usec = until_sec * SEC,
                                      .start_waits_usec = 7};
    strcpy(reservation.name, name);
    return reservation;
}

static void put(struct bench *bench, const char *name, uint64_t since_sec, uint64_t until_sec)
{
    struct reservation reservation = make(name, since_sec, until_sec);
    ck_assert_int_eq(reservation_put(&bench->dir, URI, &reservation), 0);
}

static void heed(struct bench *bench, uint64_t now_sec)
{
    struct reservations list;
    int result =
        reservations_heed(&bench->dir, URI, &bench->last, now_sec * SEC, &bench->log, &list);
    ck_assert_int_eq(result, 0);
    bench->last = list;
}

static unsigned int times_said(struct bench *bench, const char *what)
{
    unsigned int times = 0;
    fflush(bench->log.stream);
    for (const char *at = bench->text; at != NULL && (at = strstr(at, what)) != NULL; at++)
        times++;
    return times;
}

static size_t count_files(struct bench *bench, const char *uri)
{
    struct reservations list;
    ck_assert_int_eq(reservations_read(&bench->dir, uri, &list), 0);
    return list.count;
}

START_TEST(comes_back_as_it_was_put)
{
    struct bench *bench = open_bench();
    struct reservations list;
    put(bench, "b", 2, 9);
    put(bench, "a", 2, 9);
    put(bench, "m\u00fcller \"\\ /../", 1, 9);
    ck_assert_int_eq(reservations_read(&bench->dir, URI, &list), 0);
    ck_assert_uint_eq(list.count, 3);
    ck_assert_str_eq(list.items[0].name, "m\u00fcller \"\\ /../"); /* the oldest first */
    ck_assert_str_eq(list.items[1].name, "a");
    ck_assert_str_eq(list.items[2].name, "b");
    ck_assert_uint_eq(list.items[2].size_kib, 512 * MIB);
    ck_assert_uint_eq(list.items[2].since_usec, 2 * SEC);
    ck_assert_uint_eq(list.items[2].until_usec, 9 * SEC);
    ck_assert_uint_eq(list.items[2].start_waits_usec, 7);
    ck_assert_uint_eq(list.items[2].left_kib, 512 * MIB);
    ck_assert_uint_eq(list.items[2].held_kib, 0);
    ck_assert_uint_eq(count_files(bench, "test:///other"), 0);
    ck_assert_int_eq(reservation_remove(&bench->dir, URI, "a"), 0);
    ck_assert_int_eq(reservation_remove(&bench->dir, URI, "a"), -ENOENT);
    ck_assert_uint_eq(count_files(bench, URI), 2);
    close_bench(bench);
}
END_TEST

START_TEST(takes_the_place_of_one_with_its_name)
{
    struct bench *bench = open_bench();
    struct reservations list;
    put(bench, "a", 1, 9);
    put(bench, "a", 2, 10);
    ck_assert_int_eq(reservations_read(&bench->dir, URI, &list), 0);
    ck_assert_uint_eq(list.count, 1);
    ck_assert_uint_eq(list.items[0].since_usec, 2 * SEC);
    close_bench(bench);
}
END_TEST

START_TEST(what_is_no_name_is_refused)
{
    struct bench *bench = open_bench();
    struct reservation reservation = make("", 1, 9);
    ck_assert_int_eq(reservation_put(&bench->dir, URI, &reservation), -EINVAL);
    strcpy(reservation.name, "\xff\xfe");
    ck_assert_int_eq(reservation_put(&bench->dir, URI, &reservation), -EINVAL);
    char name[DOMAIN_NAME_BYTES + 1];
    memset(name, 'x', DOMAIN_NAME_BYTES);
    name[DOMAIN_NAME_BYTES] = '\0';
    ck_assert_int_eq(reservation_remove(&bench->dir, URI, name), -EINVAL);
    ck_assert_int_eq(reservation_remove(&bench->dir, URI, ""), -EINVAL);
    ck_assert_uint_eq(count_files(bench, URI), 0);
    close_bench(bench);
}
END_TEST

/* What cannot be read for want of descriptors, be it the directory or a file, has not ended. */
START_TEST(goes_on_while_it_cannot_be_read)
{
    struct bench *bench = open_bench();
    struct rlimit limit;
    put(bench, "db", 1, 100);
    heed(bench, 1);
    ck_assert_uint_eq(bench->last.count, 1);
    int next = dup(STDIN_FILENO);
    close(next);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    int results[2];
    for (int i = 0; i < 2; i++) {
        struct rlimit tight = {.rlim_cur = (rlim_t)(next + i), .rlim_max = limit.rlim_max};
        struct reservations list;
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
        results[i] = reservations_heed(&bench->dir, URI, &bench->last, 2 * SEC, &bench->log, &list);
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    }
    ck_assert(results[0] == -EMFILE && results[1] == -EMFILE);
    ck_assert_uint_eq(times_said(bench, "released"), 0);
    heed(bench, 3);
    ck_assert_uint_eq(bench->last.count, 1);
    close_bench(bench);
}
END_TEST

START_TEST(where_there_is_no_directory_there_are_none)
{
    struct reservations list = {.count = 5};
    struct reservation reservation = make("a", 1, 9);
    ck_assert_int_eq(reservations_read(&STATE_DIR_NONE, URI, &list), -EBADF);
    ck_assert_int_eq(reservation_put(&STATE_DIR_NONE, URI, &reservation), -EBADF);
    struct reservations last = {0};
    ck_assert_int_eq(reservations_heed(&STATE_DIR_NONE, URI, &last, 1, NULL, &list), -EBADF);
    ck_assert_uint_eq(list.count, 5);
}
END_TEST

/* Each as the file of "a". */
static const char *const wrong[] = {
    "",
    "{}",
    "null",
    "{\"uri\":\"" URI "\",\"name\":\"a\"}",
    "{\"uri\":\"test:///other\",\"name\":\"a\",\"boot\":\"\",\"size_kib\":1,\"since_usec\":1,"
    "\"until_usec\":2,\"start_waits_usec\":0}",
    "{\"uri\":\"" URI "\",\"name\":\"b\",\"boot\":\"\",\"size_kib\":1,\"since_usec\":1,"
    "\"until_usec\":2,\"start_waits_usec\":0}",
    "{\"uri\":\"" URI "\",\"name\":\"a\",\"boot\":1,\"size_kib\":1,\"since_usec\":1,"
    "\"until_usec\":2,\"start_waits_usec\":0}",
    "{\"uri\":\"" URI "\",\"name\":\"a\",\"boot\":\"\",\"size_kib\":-1,\"since_usec\":1,"
    "\"until_usec\":2,\"start_waits_usec\":0}",
    "{\"uri\":\"" URI "\",\"name\":\"a\",\"boot\":\"\",\"size_kib\":9000000000000000000,"
    "\"since_usec\":1,\"until_usec\":2,\"start_waits_usec\":0}",
    "{\"uri\":\"" URI "\",\"name\":\"a\",\"boot\":\"\",\"size_kib\":1,\"since_usec\":\"1\","
    "\"until_usec\":2,\"start_waits_usec\":0}",
    "{\"uri\":\"" URI "\",\"name\":\"a\",\"boot\":\"\",\"size_kib\":1,\"since_usec\":1,"
    "\"start_waits_usec\":0}",
    "{\"uri\":\"" URI "\",\"name\":\"a\",\"boot\":\"\",\"size_kib\":1,\"since_usec\":1,"
    "\"until_usec\":2}",
};

static void write_file(struct bench *bench, const char *bytes, size_t length)
{
    char name[STATE_DIR_NAME_BYTES];
    state_dir_name(URI " a", RESERVATION_SUFFIX, name);
    ck_assert_int_eq(state_dir_write(&bench->dir, name, bytes, length), 0);
}

START_TEST(what_is_none_of_ours_is_left_out)
{
    struct bench *bench = open_bench();
    put(bench, "good", 1, 9);
    write_file(bench, wrong[_i], strlen(wrong[_i]));
    ck_assert_int_eq(state_dir_write(&bench->dir, "stray" RESERVATION_SUFFIX, "{}", 2), 0);
    ck_assert_int_eq(state_dir_write(&bench->dir, RESERVATION_SUFFIX, "{}", 2), 0);
    ck_assert_msg(count_files(bench, URI) == 1, "%s is taken for one", wrong[_i]);
    close_bench(bench);
}
END_TEST

START_TEST(a_file_that_is_too_long_is_none)
{
    struct bench *bench = open_bench();
    static char bytes[8192];
    const char *text = "{\"uri\":\"" URI "\",\"name\":\"a\",\"boot\":\"\",\"size_kib\":1,"
                       "\"since_usec\":1,\"until_usec\":2,\"start_waits_usec\":0}";
    memset(bytes, ' ', sizeof(bytes));
    memcpy(bytes, text, strlen(text));
    write_file(bench, bytes, strlen(text));
    ck_assert_uint_eq(count_files(bench, URI), 1);
    write_file(bench, bytes, sizeof(bytes));
    ck_assert_uint_eq(count_files(bench, URI), 0);
    close_bench(bench);
}
END_TEST

START_TEST(there_are_no_more_than_fit)
{
    struct bench *bench = open_bench();
    char name[16];
    for (unsigned int i = 0; i < RESERVATIONS_MOST + 3; i++) {
        snprintf(name, sizeof(name), "vm%u", i);
        put(bench, name, 1, 9);
    }
    ck_assert_uint_eq(count_files(bench, URI), RESERVATIONS_MOST);
    close_bench(bench);
}
END_TEST

/* The clock begins anew with the machine: its times say nothing. */
START_TEST(one_of_before_the_machines_start_is_void)
{
    struct bench *bench = open_bench();
    struct reservations list;
    const char *text = "{\"uri\":\"" URI "\",\"name\":\"a\",\"boot\":\"another\",\"size_kib\":1,"
                       "\"since_usec\":1,\"until_usec\":900000000,\"start_waits_usec\":0}";
    write_file(bench, text, strlen(text));
    ck_assert_int_eq(reservations_read(&bench->dir, URI, &list), 0);
    ck_assert(list.count == 1 && !reservation_holds(&list.items[0], 2));
    heed(bench, 2);
    ck_assert_uint_eq(bench->last.count, 0);
    ck_assert_uint_eq(count_files(bench, URI), 0); /* it is removed */
    close_bench(bench);
}
END_TEST

START_TEST(is_heeded_until_it_lapses)
{
    struct bench *bench = open_bench();
    put(bench, "a", 5, 9);
    put(bench, "b", 5, 7);
    heed(bench, 6);
    heed(bench, 6);
    ck_assert_uint_eq(bench->last.count, 2);
    ck_assert_uint_eq(times_said(bench, "a: 512MiB are reserved for it\n"), 1);
    heed(bench, 7);
    ck_assert_uint_eq(bench->last.count, 1);
    ck_assert_uint_eq(times_said(bench, "b: what was reserved for it has lapsed\n"), 1);
    ck_assert_uint_eq(count_files(bench, URI), 1);
    heed(bench, 9);
    ck_assert_uint_eq(bench->last.count, 0);
    ck_assert_uint_eq(count_files(bench, URI), 0);
    heed(bench, 9);
    ck_assert_uint_eq(times_said(bench, "a: what was reserved for it has lapsed\n"), 1);
    close_bench(bench);
}
END_TEST

START_TEST(is_over_when_its_guest_runs)
{
    struct bench *bench = open_bench();
    put(bench, "a", 5, 9);
    heed(bench, 6);
    bench->last.items[0].left_kib = 0; /* as a look has found it */
    heed(bench, 7);
    ck_assert_uint_eq(bench->last.count, 0);
    ck_assert_uint_eq(count_files(bench, URI), 0);
    ck_assert_uint_eq(times_said(bench, "a: has the memory that was reserved for it\n"), 1);
    close_bench(bench);
}
END_TEST

/* What one with its name had comes to nothing with that. */
START_TEST(a_new_one_is_not_over_with_an_old_one)
{
    struct bench *bench = open_bench();
    put(bench, "a", 5, 9);
    heed(bench, 6);
    bench->last.items[0].left_kib = 0;
    put(bench, "a", 6, 10);
    heed(bench, 7);
    ck_assert_uint_eq(bench->last.count, 1);
    ck_assert_uint_eq(bench->last.items[0].until_usec, 10 * SEC);
    ck_assert_uint_eq(times_said(bench, "a: 512MiB are reserved for it\n"), 2);
    close_bench(bench);
}
END_TEST

START_TEST(its_release_is_told)
{
    struct bench *bench = open_bench();
    put(bench, "a", 5, 9);
    heed(bench, 6);
    ck_assert_int_eq(reservation_remove(&bench->dir, URI, "a"), 0);
    heed(bench, 7);
    ck_assert_uint_eq(bench->last.count, 0);
    ck_assert_uint_eq(times_said(bench, "a: what was reserved for it is released\n"), 1);
    close_bench(bench);
}
END_TEST

/* Its owner has been told until when: no restart changes that. */
START_TEST(outlives_a_coordinator)
{
    struct bench *bench = open_bench();
    put(bench, "a", 5, 9);
    heed(bench, 6);
    bench->last.count = 0; /* the next one knows nothing */
    heed(bench, 8);
    ck_assert_uint_eq(bench->last.count, 1);
    ck_assert_uint_eq(bench->last.items[0].until_usec, 9 * SEC);
    close_bench(bench);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("reservation_file");
    TCase *files = tcase_create("files");
    tcase_add_test(files, comes_back_as_it_was_put);
    tcase_add_test(files, takes_the_place_of_one_with_its_name);
    tcase_add_test(files, what_is_no_name_is_refused);
    tcase_add_test(files, where_there_is_no_directory_there_are_none);
    tcase_add_test(files, goes_on_while_it_cannot_be_read);
    tcase_add_loop_test(files, what_is_none_of_ours_is_left_out, 0, COUNT_OF(wrong));
    tcase_add_test(files, a_file_that_is_too_long_is_none);
    tcase_add_test(files, there_are_no_more_than_fit);
    suite_add_tcase(suite, files);
    TCase *heeding = tcase_create("heeding");
    tcase_add_test(heeding, one_of_before_the_machines_start_is_void);
    tcase_add_test(heeding, is_heeded_until_it_lapses);
    tcase_add_test(heeding, is_over_when_its_guest_runs);
    tcase_add_test(heeding, a_new_one_is_not_over_with_an_old_one);
    tcase_add_test(heeding, its_release_is_told);
    tcase_add_test(heeding, outlives_a_coordinator);
    suite_add_tcase(suite, heeding);
    return suite;
}
