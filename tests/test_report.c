/* test_report.c - what people read. */
#include "report.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>

/* What WRITE says at LEVEL; to be freed. */
static char *said_at(enum log_level level, void (*write)(const struct log *log))
{
    char *text = NULL;
    size_t size = 0;
    struct log log = {.stream = open_memstream(&text, &size), .level = level};
    write(&log);
    fclose(log.stream);
    return text;
}

static const struct domain domain = {.name = "aos_vm1"};
static const struct policy_decision growth = {
    .action = POLICY_GROW,
    .reason = POLICY_NEEDS,
    .bound = POLICY_BOUND_POOL,
    .from_kib = 512 * 1024,
    .target_kib = 640 * 1024 + 512,
    .unused_kib = 80 * 1024,
    .headroom_kib = 164 * 1024,
};

static void write_growth(const struct log *log)
{
    report_action(log, &domain, &growth, false);
}

static void write_wish(const struct log *log)
{
    report_action(log, &domain, &growth, true);
}

static void write_hold(const struct log *log)
{
    struct policy_decision held = {.reason = POLICY_STALE, .from_kib = 512 * 1024};
    report_hold(log, LOG_LEVEL_INFO, &domain, &held);
}

static void write_long_line(const struct log *log)
{
    char text[5000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_say(log, LOG_LEVEL_ERROR, "%s", text);
}

static const struct {
    void (*write)(const struct log *log);
    enum log_level level;
    const char *want;
} lines[] = {
    {write_growth, LOG_LEVEL_INFO,
     "memory_coordinator: aos_vm1: 512.0 -> 640.5 MiB: needs more unused, 80.0 MiB unused, should "
     "be 164.0; the host has no more\n"},
    {write_wish, LOG_LEVEL_INFO,
     "memory_coordinator: aos_vm1: would go 512.0 -> 640.5 MiB: needs more unused, 80.0 MiB "
     "unused, should be 164.0; the host has no more\n"},
    {write_hold, LOG_LEVEL_INFO,
     "memory_coordinator: aos_vm1: stays at 512.0 MiB: no fresh statistics from the guest\n"},
    {write_growth, LOG_LEVEL_WARNING, ""},
};

/* What is not written for its weight is news all the same, but why nothing is done is none. */
START_TEST(a_hold_that_begins_is_news)
{
    size_t news = 0;
    struct log log = {.stream = stderr, .level = LOG_LEVEL_ERROR, .news = &news};
    struct policy_decision held = {.reason = POLICY_STALE, .from_kib = 512 * 1024};
    report_hold(&log, LOG_LEVEL_INFO, &domain, &held);
    ck_assert_uint_eq(news, 1);
    report_hold(&log, LOG_LEVEL_DEBUG, &domain, &held);
    ck_assert_uint_eq(news, 1);
}
END_TEST

START_TEST(writes_one_line)
{
    char *text = said_at(lines[_i].level, lines[_i].write);
    ck_assert_str_eq(text, lines[_i].want);
    free(text);
}
END_TEST

START_TEST(cuts_a_line_that_is_too_long)
{
    char *text = said_at(LOG_LEVEL_DEBUG, write_long_line);
    ck_assert_uint_lt(strlen(text), 1100);
    ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
    free(text);
}
END_TEST

START_TEST(has_words_for_every_reason_and_bound)
{
    for (int reason = POLICY_SETTLED; reason <= POLICY_STUCK; reason++)
        ck_assert_str_ne(report_reason_text(&domain, (enum policy_reason)reason), "?");
    ck_assert_str_eq(report_bound_text(POLICY_UNBOUND), "");
    for (int bound = POLICY_BOUND_MIN; bound <= POLICY_BOUND_HOST; bound++)
        ck_assert_str_ne(report_bound_text((enum policy_bound)bound), "?");
}
END_TEST

START_TEST(names_what_of_the_guest_is_behind_a_reason)
{
    struct domain guest = {0};
    guest.obstacle = OBSTACLE_NONE; /* of an old record */
    ck_assert_str_eq(report_reason_text(&guest, POLICY_NO_BALLOON), "no balloon");
    for (int obstacle = OBSTACLE_VIRTIO_MEM; obstacle <= OBSTACLE_LOCKED; obstacle++) {
        guest.obstacle = (enum domain_obstacle)obstacle;
        const char *text = report_reason_text(&guest, POLICY_NO_BALLOON);
        ck_assert_msg(strncmp(text, "cannot balloon: ", 16) == 0, "%s", text);
        guest.obstacle--;
        ck_assert_str_ne(text, report_reason_text(&guest, POLICY_NO_BALLOON));
    }
    for (int job = JOB_LEAVES; job <= JOB_SAVES; job++) {
        guest.job = (enum domain_job)job;
        const char *text = report_reason_text(&guest, POLICY_BUSY);
        guest.job--;
        ck_assert_str_ne(text, report_reason_text(&guest, POLICY_BUSY));
    }
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("report");
    TCase *cases = tcase_create("lines");
    tcase_add_loop_test(cases, writes_one_line, 0, COUNT_OF(lines));
    tcase_add_test(cases, a_hold_that_begins_is_news);
    tcase_add_test(cases, cuts_a_line_that_is_too_long);
    tcase_add_test(cases, has_words_for_every_reason_and_bound);
    tcase_add_test(cases, names_what_of_the_guest_is_behind_a_reason);
    suite_add_tcase(suite, cases);
    return suite;
}
