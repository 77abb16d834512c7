/* test_metrics.c - figures for Prometheus: what is counted, and the text to the byte. */
#include "metrics.h"
#include "support.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DOMAINS = 2 };

/* A view, and what it is of. */
struct scene {
    struct domain domains[DOMAINS];
    struct snapshot snapshot;
    struct policy_limits limits[DOMAINS];
    struct policy_memory memory[DOMAINS];
    struct policy_decision decisions[DOMAINS];
    enum coordinator_request requests[DOMAINS];
    struct ksm_reading sharing;
    struct coordinator_view view;
};

static struct figure figure(uint64_t value)
{
    return (struct figure){.known = true, .value = value};
}

/* One guest that was asked to grow, and one with nothing but a name and a size. */
static struct scene *new_scene(void)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    ck_assert_ptr_nonnull(scene);
    scene->domains[0] = (struct domain){
        .name = "aos_vm1",
        .actual_kib = figure(512 * MIB),
        .rss_kib = figure(300 * MIB),
        .unused_kib = figure(80 * MIB),
        .usable_kib = figure(90 * MIB),
        .last_update_sec = figure(1700000000),
    };
    scene->limits[0] = (struct policy_limits){.managed = true, .shares = 2000};
    scene->decisions[0] = (struct policy_decision){
        .action = POLICY_GROW,
        .reason = POLICY_STARVING,
        .target_kib = 640 * MIB,
        .needed_kib = 432 * MIB,
        .headroom_kib = 156 * MIB,
        .min_kib = 200 * MIB,
        .max_kib = 2048 * MIB,
        .owed_kib = 512 * MIB,
        .overhead_kib = 48 * MIB,
    };
    scene->requests[0] = COORDINATOR_MADE;
    scene->domains[1] = (struct domain){
        .name = "silent", .actual_kib = figure(256 * MIB), .last_update_sec = figure(0)};
    scene->limits[1] = (struct policy_limits){.managed = true, .shares = POLICY_SHARES};
    scene->decisions[1] = (struct policy_decision){
        .reason = POLICY_NO_NEWS, .target_kib = 256 * MIB, .owed_kib = 256 * MIB};
    scene->snapshot = (struct snapshot){
        .host = {.has_memory = true,
                 .total_kib = 16 * GIB,
                 .available_kib = 12 * GIB,
                 .arc_kib = 1 * GIB,
                 .reserved_kib = 512 * MIB,
                 .some_permyriad = figure(1234),
                 .full_permyriad = figure(506),
                 .nodes = {{0, 9 * GIB, 8 * GIB}, {8, 7 * GIB, 4 * GIB}},
                 .node_count = 2},
        .domains = scene->domains,
        .count = DOMAINS,
    };
    scene->sharing = (struct ksm_reading){.run = figure(1),
                                          .pages_to_scan = figure(400),
                                          .sleep_msec = figure(10),
                                          .pages_shared = figure(100),
                                          .pages_sharing = figure(512),
                                          .full_scans = figure(7),
                                          .page_kib = 4};
    scene->view = (struct coordinator_view){
        .sharing = &scene->sharing,
        .is_connected = true,
        .policy = {.interval_usec = 2500000, .host_reserve_kib = 200 * MIB},
        .snapshot = &scene->snapshot,
        .limits = scene->limits,
        .memory = scene->memory,
        .decisions = scene->decisions,
        .requests = scene->requests,
        .host = {.state = POLICY_HOST_SOFT,
                 .pool_kib = 8 * GIB,
                 .level_kib = 3 * MIB,
                 .unmet_kib = 2 * MIB},
    };
    return scene;
}

static void take(struct metrics *metrics, const struct scene *scene, uint64_t duration_usec,
                 int result)
{
    struct metrics_cycle cycle = {
        .wall_sec = 1700000001, .duration_usec = duration_usec, .result = result};
    metrics_take(metrics, &scene->view, &cycle);
}

static char *format(const struct metrics *metrics, const struct scene *scene)
{
    size_t length;
    char *text = metrics_format(metrics, &scene->view, &length);
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_eq(strlen(text), length);
    return text;
}

/* What stands behind "memory_coordinator_" and SERIES, or NULL. */
static const char *find(const char *text, const char *series)
{
    char begin[512];
    snprintf(begin, sizeof(begin), "\nmemory_coordinator_%s ", series);
    const char *at = strstr(text, begin);
    return at != NULL ? at + strlen(begin) : NULL;
}

static void expect(const char *text, const char *series, const char *value)
{
    const char *at = find(text, series);
    ck_assert_msg(at != NULL, "no %s", series);
    ck_assert_msg(strncmp(at, value, strlen(value)) == 0 && at[strlen(value)] == '\n',
                  "%s is not %s but %.20s", series, value, at);
}

static void expect_none(const char *text, const char *series)
{
    ck_assert_msg(find(text, series) == NULL, "%s is there", series);
}

/* ---- the text ---- */

/* What a reader is to find of the scene, but for the version, which changes. */
#define WANTED "tests/prometheus/host.prom"

static void read_wanted(char *text, size_t bytes)
{
    FILE *file = fopen(WANTED, "r");
    ck_assert_msg(file != NULL, "no " WANTED " from here");
    size_t length = fread(text, 1, bytes - 1, file);
    fclose(file);
    ck_assert_uint_lt(length, bytes - 1);
    text[length] = '\0';
}

START_TEST(says_all_of_a_small_host)
{
    static char wanted[32 * 1024];
    struct scene *scene = new_scene();
    struct metrics metrics = {0};
    take(&metrics, scene, 12345, 0);
    char *text = format(&metrics, scene);
    const char *rest = strstr(text, "# HELP memory_coordinator_connected ");
    ck_assert_ptr_nonnull(rest);
    read_wanted(wanted, sizeof(wanted));
    ck_assert_str_eq(rest, wanted);
    expect(text, "build_info{version=\"" MC_VERSION "\"}", "1");
    free(text);
    free(scene);
}
END_TEST

/* What was known before is not what is so now; that it is not connected is. */
START_TEST(without_a_connection_there_are_no_domains)
{
    struct scene *scene = new_scene();
    struct metrics metrics = {0};
    scene->view.is_connected = false;
    take(&metrics, scene, 1000, -ENOTCONN);
    char *text = format(&metrics, scene);
    expect(text, "connected", "0");
    expect(text, "cycles_total", "1");
    expect(text, "cycles_failed_total{cause=\"connection\"}", "1");
    expect(text, "last_cycle_timestamp_seconds", "1700000001");
    ck_assert_ptr_null(strstr(text, "memory_coordinator_domain"));
    ck_assert_ptr_null(strstr(text, "memory_coordinator_host"));
    free(text);
    free(scene);
}
END_TEST

START_TEST(a_silent_host_has_no_figures)
{
    struct scene *scene = new_scene();
    struct metrics metrics = {0};
    scene->snapshot.host = (struct host){0};
    char *text = format(&metrics, scene);
    static const char *const absent[] = {
        "host_memory_bytes", "host_available_bytes",      "pool_bytes",
        "level_bytes",       "host_reserved_unmet_bytes", "host_state{state=\"high\"}"};
    for (size_t i = 0; i < COUNT_OF(absent); i++)
        expect_none(text, absent[i]);
    expect(text, "host_reserve_bytes", "209715200");
    expect(text, "host_reserved_bytes", "0");
    expect(text, "domain_size_bytes{domain=\"aos_vm1\"}", "536870912");
    free(text);
    free(scene);
}
END_TEST

/* A guest may say anything. */
START_TEST(sizes_that_are_none_do_not_overflow)
{
    struct scene *scene = new_scene();
    struct metrics metrics = {0};
    scene->domains[0].unused_kib = figure(UINT64_MAX);
    scene->decisions[0].owed_kib = UINT64_MAX;
    char *text = format(&metrics, scene);
    expect(text, "domain_unused_bytes{domain=\"aos_vm1\"}", "18889465931478580854784");
    expect(text, "promised_bytes", "18889465931478580854784");
    free(text);
    free(scene);
}
END_TEST

static const struct {
    enum policy_reason reason;
    const char *one; /* of the 0/1 figures that are 1, beside held */
    const char *why;
    enum domain_obstacle obstacle;
    enum domain_job job;
} states[] = {
    {POLICY_STUCK, "stuck", "stuck", OBSTACLE_NONE, JOB_NONE},
    {POLICY_FROZEN, "frozen", "frozen", OBSTACLE_NONE, JOB_LEAVES},
    {POLICY_UNMANAGED, "", "unmanaged", OBSTACLE_NONE, JOB_NONE},
    {POLICY_NO_BALLOON, "", "no-balloon", OBSTACLE_NONE, JOB_NONE},
    {POLICY_NO_BALLOON, "", "no-balloon", OBSTACLE_NO_BALLOON, JOB_NONE},
    {POLICY_NO_BALLOON, "", "huge-pages", OBSTACLE_HUGE_PAGES, JOB_LEAVES},
    {POLICY_BUSY, "", "leaves", OBSTACLE_NONE, JOB_LEAVES},
};

START_TEST(tells_why_a_domain_is_held)
{
    static const char *const names[] = {"starving", "stuck", "frozen"};
    struct scene *scene = new_scene();
    struct metrics metrics = {0};
    scene->decisions[0].reason = states[_i].reason;
    scene->domains[0].obstacle = states[_i].obstacle;
    scene->domains[0].job = states[_i].job;
    char *text = format(&metrics, scene);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char series[64];
        snprintf(series, sizeof(series), "domain_%s{domain=\"aos_vm1\"}", names[i]);
        expect(text, series, strcmp(names[i], states[_i].one) == 0 ? "1" : "0");
    }
    expect(text, "domain_held{domain=\"aos_vm1\"}", "1");
    char info[128];
    snprintf(info, sizeof(info), "domain_held_info{domain=\"aos_vm1\",why=\"%s\"}", states[_i].why);
    expect(text, info, "1");
    /* What is never asked for anything has no target. */
    ck_assert_int_eq(find(text, "domain_target_bytes{domain=\"aos_vm1\"}") != NULL,
                     states[_i].reason != POLICY_NO_BALLOON);
    expect_none(text, "domain_needed_bytes{domain=\"aos_vm1\"}");
    expect_none(text, "domain_headroom_bytes{domain=\"aos_vm1\"}");
    free(text);
    free(scene);
}
END_TEST

static const struct {
    const char *name;
    const char *want;
} names[] = {
    {"a\"b", "a\\\"b"},
    {"a\\b", "a\\\\b"},
    {"a\nb", "a\\nb"},
    {"} 1\nup 0\n#", "} 1\\nup 0\\n#"},
    {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x91", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac "
                                                         "\xf0\x9f\x90\x91"},
    {"\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
     "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
    {"cut\xe2\x82", "cut\xef\xbf\xbd\xef\xbf\xbd"},
    {"\x80", "\xef\xbf\xbd"},
    {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},                                 /* overlong */
    {"\xe0\x9f\xbf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},                 /* overlong */
    {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},                 /* a surrogate */
    {"\xf0\x8f\xbf\xbf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* overlong */
    {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* beyond */
    {"\xf5x", "\xef\xbf\xbdx"},
    {"\xc3\"", "\xef\xbf\xbd\\\""}, /* what is cut takes nothing of what follows */
};

START_TEST(names_can_be_anything)
{
    struct scene *scene = new_scene();
    struct metrics metrics = {0};
    char series[256];
    strcpy(scene->domains[0].name, names[_i].name);
    snprintf(series, sizeof(series), "domain_size_bytes{domain=\"%s\"}", names[_i].want);
    char *text = format(&metrics, scene);
    expect(text, series, "536870912");
    free(text);
    free(scene);
}
END_TEST

/* No series may be there twice. */
START_TEST(names_that_were_cut_are_told_apart)
{
    struct scene *scene = new_scene();
    struct metrics metrics = {0};
    for (size_t i = 0; i < DOMAINS; i++) {
        memset(scene->domains[i].name, 'n', DOMAIN_NAME_BYTES - 1);
        scene->domains[i].uuid[DOMAIN_UUID_BYTES - 1] = (uint8_t)(0xa0 + i);
    }
    char *text = format(&metrics, scene);
    ck_assert_ptr_nonnull(strstr(text, "nnn~000000000000000000000000000000a0\"} 536870912\n"));
    ck_assert_ptr_nonnull(strstr(text, "nnn~000000000000000000000000000000a1\"} 268435456\n"));
    free(text);
    free(scene);
}
END_TEST

/* ---- counting ---- */

static void expect_count(const struct metrics *metrics, const struct scene *scene,
                         const char *series, const char *value)
{
    char *text = format(metrics, scene);
    expect(text, series, value);
    free(text);
}

START_TEST(counters_outlive_their_domains)
{
    struct scene *scene = new_scene();
    struct metrics metrics = {0};
    take(&metrics, scene, 1, 0);
    take(&metrics, scene, 1, 0);
    scene->snapshot.count = 0;
    take(&metrics, scene, 1, 0);
    expect_count(&metrics, scene, "actions_total{direction=\"grow\",reason=\"starving\"}", "2");
    expect_count(&metrics, scene, "cycles_total", "3");
    expect_count(&metrics, scene, "domains", "0");
    char *text = format(&metrics, scene);
    expect_none(text, "domain_size_bytes{domain=\"aos_vm1\"}");
    free(text);
    free(scene);
}
END_TEST

static const struct {
    enum policy_action action;
    enum policy_reason reason;
    enum coordinator_request request;
    const char *series; /* that has counted it; NULL: none */
} requests[] = {
    {POLICY_SHRINK, POLICY_SPARE, COORDINATOR_MADE,
     "actions_total{direction=\"shrink\",reason=\"spare\"}"},
    {POLICY_SHRINK, POLICY_STUCK, COORDINATOR_MADE,
     "actions_total{direction=\"shrink\",reason=\"stuck\"}"},
    {POLICY_GROW, POLICY_SETTLED, COORDINATOR_MADE,
     "actions_total{direction=\"grow\",reason=\"settled\"}"},
    {POLICY_GROW, POLICY_NEEDS, COORDINATOR_REFUSED, "requests_failed_total{cause=\"refused\"}"},
    {POLICY_GROW, POLICY_NEEDS, COORDINATOR_UNANSWERED,
     "requests_failed_total{cause=\"unanswered\"}"},
    {POLICY_GROW, POLICY_NEEDS, COORDINATOR_WITHHELD, NULL},
    {POLICY_GROW, POLICY_NEEDS, COORDINATOR_NONE, NULL},
};

/* The sum of all counters of requests. */
static unsigned int count_requests(const char *text)
{
    unsigned int sum = 0;
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++) {
        const char *brace = strstr(at, "} ");
        if (strncmp(at, "\nmemory_coordinator_actions", 27) == 0 ||
            strncmp(at, "\nmemory_coordinator_requests", 28) == 0)
            sum += (unsigned int)strtoul(brace + 2, NULL, 10);
    }
    return sum;
}

START_TEST(counts_each_request_once)
{
    struct scene *scene = new_scene();
    struct metrics metrics = {0};
    scene->snapshot.count = 1;
    scene->decisions[0].action = requests[_i].action;
    scene->decisions[0].reason = requests[_i].reason;
    scene->requests[0] = requests[_i].request;
    take(&metrics, scene, 1, 0);
    char *text = format(&metrics, scene);
    if (requests[_i].series != NULL)
        expect(text, requests[_i].series, "1");
    ck_assert_uint_eq(count_requests(text), requests[_i].series != NULL);
    free(text);
    free(scene);
}
END_TEST

static const struct {
    int result;
    const char *connection;
    const char *memory;
} failures[] = {
    {-ENOTCONN, "1", "0"}, {-ENOMEM, "0", "1"}, {-ECANCELED, "0", "0"}, /* it was told to stop */
};

/* After a cycle that has failed the view is still that of the one before. */
START_TEST(a_failed_cycle_counts_no_request)
{
    struct scene *scene = new_scene();
    struct metrics metrics = {0};
    take(&metrics, scene, 1, failures[_i].result);
    char *text = format(&metrics, scene);
    expect(text, "cycles_total", "1");
    expect(text, "cycles_failed_total{cause=\"connection\"}", failures[_i].connection);
    expect(text, "cycles_failed_total{cause=\"memory\"}", failures[_i].memory);
    ck_assert_uint_eq(count_requests(text), 0);
    free(text);
    free(scene);
}
END_TEST

START_TEST(buckets_hold_what_is_not_longer)
{
    struct scene *scene = new_scene();
    struct metrics metrics = {0};
    take(&metrics, scene, 5000, 0);
    take(&metrics, scene, 5001, 0);
    take(&metrics, scene, 10000000, 0);
    take(&metrics, scene, 10000001, 0);
    char *text = format(&metrics, scene);
    expect(text, "cycle_duration_seconds_bucket{le=\"0.005\"}", "1");
    expect(text, "cycle_duration_seconds_bucket{le=\"0.01\"}", "2");
    expect(text, "cycle_duration_seconds_bucket{le=\"5\"}", "2");
    expect(text, "cycle_duration_seconds_bucket{le=\"10\"}", "3");
    expect(text, "cycle_duration_seconds_bucket{le=\"+Inf\"}", "4");
    expect(text, "cycle_duration_seconds_count", "4");
    expect(text, "cycle_duration_seconds_sum", "20.010002");
    free(text);
    free(scene);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("metrics");
    TCase *cases = tcase_create("text");
    tcase_add_test(cases, says_all_of_a_small_host);
    tcase_add_test(cases, without_a_connection_there_are_no_domains);
    tcase_add_test(cases, a_silent_host_has_no_figures);
    tcase_add_test(cases, sizes_that_are_none_do_not_overflow);
    tcase_add_loop_test(cases, tells_why_a_domain_is_held, 0, COUNT_OF(states));
    tcase_add_loop_test(cases, names_can_be_anything, 0, COUNT_OF(names));
    tcase_add_test(cases, names_that_were_cut_are_told_apart);
    suite_add_tcase(suite, cases);
    cases = tcase_create("counting");
    tcase_add_test(cases, counters_outlive_their_domains);
    tcase_add_loop_test(cases, counts_each_request_once, 0, COUNT_OF(requests));
    tcase_add_loop_test(cases, a_failed_cycle_counts_no_request, 0, COUNT_OF(failures));
    tcase_add_test(cases, buckets_hold_what_is_not_longer);
    suite_add_tcase(suite, cases);
    return suite;
}
