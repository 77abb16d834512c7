/* test_record.c - cycles as lines of JSON: whole there, whole back, and nothing else taken. */
#include "record.h"
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DOMAINS = 3 };

static const struct record_origin origin = {.pid = 4711, .written_sec = 1790000000};

/* A cycle with something of everything. */
struct cycle {
    struct domain domains[DOMAINS];
    struct snapshot snapshot;
    struct policy_limits limits[DOMAINS];
    struct policy_memory memory[DOMAINS];
    struct policy_decision decisions[DOMAINS];
    enum coordinator_request requests[DOMAINS];
    struct ksm_reading sharing;
    struct reservations reservations;
    struct coordinator_view view;
};

static void fill_domain(struct cycle *cycle, size_t i)
{
    cycle->domains[i] = (struct domain){
        .uuid = {(uint8_t)(i + 1), [15] = 0xfe},
        .id = (int)i + 7,
        .is_running = true,
        .is_frozen = i == 1,
        .is_known = true,
        .job = (enum domain_job)(i + 1),
        .has_balloon = i != 2,
        .obstacle = i == 2 ? OBSTACLE_LOCKED : OBSTACLE_NONE,
        .period_sec = 3,
        .max_kib = 2048 * MIB,
        .current_kib = 512 * MIB,
        .actual_kib = {true, 500 * MIB + i},
        .unused_kib = {i == 0, 0},
        .last_update_sec = {true, 1790000000},
        .settings = {.shares = {true, 2000}, .managed = {true, 0}},
    };
    snprintf(cycle->domains[i].name, sizeof(cycle->domains[i].name), "vm \"%zu\"\n\\", i);
    cycle->limits[i] =
        (struct policy_limits){true, 200 * MIB, UINT64_MAX, 100 * MIB, 0, POLICY_SHARES};
    cycle->decisions[i] = (struct policy_decision){
        .action = POLICY_SHRINK,
        .reason = POLICY_DONATES,
        .bound = POLICY_BOUND_GRADUAL,
        .from_kib = 500 * MIB,
        .target_kib = 460 * MIB,
        .headroom_kib = 164 * MIB,
        .is_new = true,
    };
    cycle->memory[i] = (struct policy_memory){
        .has_unseen = true,
        .unseen_kib = -5,
        .least_lag_usec = -123456789,
        .rate_kib_per_sec = 28 * MIB,
        .steady_kib = 300 * MIB,
        .swapping_kib = 5 * MIB,
        .backoff_usec = 5 * SEC,
    };
    cycle->requests[i] = COORDINATOR_UNANSWERED;
}

static void fill_cycle(struct cycle *cycle)
{
    memset(cycle, 0, sizeof(*cycle));
    for (size_t i = 0; i < DOMAINS; i++)
        fill_domain(cycle, i);
    cycle->snapshot = (struct snapshot){
        .now_usec = 123 * SEC,
        .wall_sec = 1789999999,
        .host = {.has_memory = true,
                 .total_kib = 16 * GIB,
                 .available_kib = 8 * GIB,
                 .arc_kib = 1 * GIB,
                 .reserved_kib = 600 * MIB,
                 .full_permyriad = {true, 1234},
                 .nodes = {{0, 9 * GIB, 7 * GIB}, {3, 7 * GIB, 1 * GIB}},
                 .node_count = 2},
        .domains = cycle->domains,
        .count = DOMAINS,
    };
    cycle->sharing = (struct ksm_reading){
        .obstacle = KSM_NOT_PERMITTED,
        .reason = EACCES,
        .run = {true, 1},
        .pages_to_scan = {true, 400},
        .sleep_msec = {true, 10},
        .pages_shared = {true, 100},
        .pages_sharing = {true, 512},
        .pages_volatile = {true, 3},
        .full_scans = {true, 9},
        .page_kib = 4,
    };
    cycle->reservations = (struct reservations){
        .count = 2,
        .items = {{"db", 512 * MIB, SEC, 90 * SEC, 0, 512 * MIB, 100 * MIB},
                  {"\u00fc \"", GIB, 2 * SEC, 80 * SEC, 0, 3, 0}},
    };
    cycle->view = (struct coordinator_view){
        .sharing = &cycle->sharing,
        .reservations = &cycle->reservations,
        .uri = "test:///default",
        .is_connected = true,
        .is_paused = true,
        .paused_until_usec = 99 * SEC,
        .policy = {2 * SEC, 200 * MIB, 28 * MIB, POLICY_USABLE, POLICY_RESTORE},
        .snapshot = &cycle->snapshot,
        .limits = cycle->limits,
        .memory = cycle->memory,
        .decisions = cycle->decisions,
        .requests = cycle->requests,
        .host = {.state = POLICY_HOST_SOFT,
                 .pool_kib = 9 * GIB,
                 .level_kib = 77 * MIB,
                 .unmet_kib = 500 * MIB,
                 .is_pressed = true,
                 .pressed_usec = 100 * SEC},
    };
}

static struct record parse(const char *line)
{
    struct record record;
    char error[RECORD_ERROR_BYTES] = "";
    int result = record_parse(line, strlen(line), &record, error);
    ck_assert_msg(result == 0, "%s in %s", error, line);
    return record;
}

START_TEST(comes_back_as_it_was)
{
    struct cycle cycle;
    fill_cycle(&cycle);
    char *line = record_format(&cycle.view, &origin, true);
    ck_assert_ptr_nonnull(line);
    ck_assert_ptr_null(strchr(line, '\n'));
    struct record record = parse(line);
    const struct coordinator_view *view = &record.view;
    ck_assert_int_eq(record.origin.pid, origin.pid);
    ck_assert_int_eq(record.origin.written_sec, origin.written_sec);
    ck_assert(record.has_memory);
    ck_assert_str_eq(view->uri, "test:///default");
    ck_assert(view->is_connected && view->is_paused && !view->is_dry_run);
    ck_assert_uint_eq(view->paused_until_usec, 99 * SEC);
    ck_assert_uint_eq(view->policy.interval_usec, 2 * SEC);
    ck_assert_int_eq(view->policy.metric, POLICY_USABLE);
    ck_assert_int_eq(view->policy.goal, POLICY_RESTORE);
    ck_assert_int_eq(view->host.state, POLICY_HOST_SOFT);
    ck_assert_uint_eq(view->host.level_kib, 77 * MIB);
    ck_assert_uint_eq(view->snapshot->count, DOMAINS);
    ck_assert_uint_eq(view->snapshot->now_usec, 123 * SEC);
    ck_assert_int_eq(view->snapshot->wall_sec, 1789999999);
    ck_assert_mem_eq(&view->snapshot->host, &cycle.snapshot.host, sizeof(struct host));
    ck_assert_ptr_nonnull(strstr(line, "\"saved_kib\":2048"));
    ck_assert_mem_eq(view->sharing, &cycle.sharing, sizeof(cycle.sharing));
    ck_assert_mem_eq(view->reservations, &cycle.reservations, sizeof(cycle.reservations));
    ck_assert_uint_eq(view->snapshot->host.reserved_kib, 600 * MIB);
    ck_assert_uint_eq(view->host.unmet_kib, 500 * MIB);
    ck_assert(view->host.is_pressed);
    ck_assert_uint_eq(view->host.pressed_usec, 100 * SEC);
    for (size_t i = 0; i < DOMAINS; i++) {
        ck_assert_mem_eq(&view->snapshot->domains[i], &cycle.domains[i], sizeof(struct domain));
        ck_assert_uint_eq(view->limits[i].max_kib, UINT64_MAX);
        ck_assert_int_eq(view->memory[i].unseen_kib, -5);
        ck_assert_int_eq(view->memory[i].least_lag_usec, -123456789);
        ck_assert_int_eq(view->decisions[i].reason, POLICY_DONATES);
        ck_assert_int_eq(view->decisions[i].bound, POLICY_BOUND_GRADUAL);
        ck_assert_uint_eq(view->decisions[i].target_kib, 460 * MIB);
        ck_assert(view->decisions[i].is_new);
        ck_assert_int_eq(view->requests[i], COORDINATOR_UNANSWERED);
    }
    char *again = record_format(view, &record.origin, true);
    ck_assert_str_eq(again, line);
    free(again);
    free(line);
    record_release(&record);
}
END_TEST

/* A field that is forgotten comes back as a word of zeros: padding is shorter. */
START_TEST(nothing_that_is_remembered_is_forgotten)
{
    struct cycle cycle;
    uint64_t words[sizeof(struct policy_memory) / sizeof(uint64_t)];
    fill_cycle(&cycle);
    memset(&cycle.memory[0], 1, sizeof(cycle.memory[0]));
    char *line = record_format(&cycle.view, &origin, true);
    struct record record = parse(line);
    memcpy(words, &record.view.memory[0], sizeof(words));
    for (size_t i = 0; i < COUNT_OF(words); i++)
        ck_assert_msg(words[i] != 0, "nothing at byte %zu", i * sizeof(uint64_t));
    free(line);
    record_release(&record);
}
END_TEST

START_TEST(memory_is_left_out_but_for_what_is_shown)
{
    struct cycle cycle;
    fill_cycle(&cycle);
    char *line = record_format(&cycle.view, &origin, false);
    struct record record = parse(line);
    ck_assert(!record.has_memory);
    const struct policy_memory *memory = record.view.memory;
    ck_assert_int_eq(memory[0].unseen_kib, 0);
    /* These are shown. */
    ck_assert_uint_eq(memory[0].rate_kib_per_sec, 28 * MIB);
    ck_assert_uint_eq(memory[0].steady_kib, 300 * MIB);
    ck_assert_uint_eq(memory[0].swapping_kib, 5 * MIB);
    free(line);
    record_release(&record);
    record_release(NULL);
}
END_TEST

/* Cut in the middle of a character; never seen from libvirt, but a line must not be lost for it. */
START_TEST(a_name_that_is_no_text_is_written_all_the_same)
{
    struct cycle cycle;
    fill_cycle(&cycle);
    strcpy(cycle.domains[0].name, "caf\xc3");
    char *line = record_format(&cycle.view, &origin, false);
    struct record record = parse(line);
    ck_assert_str_eq(record.view.snapshot->domains[0].name, "caf?");
    free(line);
    record_release(&record);
}
END_TEST

START_TEST(every_word_has_a_name_of_its_own)
{
    for (int reason = POLICY_SETTLED; reason <= POLICY_STUCK; reason++) {
        const char *name = record_reason_name((enum policy_reason)reason);
        ck_assert_str_ne(name, "?");
        for (int other = POLICY_SETTLED; other < reason; other++)
            ck_assert_str_ne(name, record_reason_name((enum policy_reason)other));
    }
    for (int obstacle = OBSTACLE_NONE; obstacle <= OBSTACLE_LOCKED; obstacle++)
        ck_assert_str_ne(record_obstacle_name((enum domain_obstacle)obstacle), "?");
    for (int job = JOB_NONE; job <= JOB_SAVES; job++)
        ck_assert_str_ne(record_job_name((enum domain_job)job), "?");
    for (int bound = POLICY_UNBOUND; bound <= POLICY_BOUND_HOST; bound++)
        ck_assert_str_ne(record_bound_name((enum policy_bound)bound), "?");
    for (int request = COORDINATOR_NONE; request <= COORDINATOR_WITHHELD; request++)
        ck_assert_str_ne(record_request_name((enum coordinator_request)request), "?");
    for (int state = POLICY_HOST_HIGH; state <= POLICY_HOST_LOW; state++)
        ck_assert_str_ne(record_host_state_name((enum policy_host_state)state), "?");
}
END_TEST

/* What is put in place of a part of a good line, and what the error must name. */
static const struct {
    const char *from;
    const char *to;
    const char *error;
} damages[] = {
    {"{\"memory_coordinator\":1", "{\"memory_coordinator\":2", "memory_coordinator"},
    {"{\"memory_coordinator\":1", "{\"x\":1", "memory_coordinator"},
    {"\"domains\":[", "\"domains\":7,\"d\":[", "domains"},
    {"\"reason\":\"donates\"", "\"reason\":\"because\"", "reason"},
    {"\"reason\":\"donates\"", "\"reason\":7", "reason"},
    {"\"job\":\"leaves\"", "\"job\":\"rests\"", "job"},
    {"\"obstacle\":\"locked\"", "\"obstacle\":\"bricks\"", "obstacle"},
    {"\"max_kib\":2097152", "\"max_kib\":-1", "max_kib"},
    {"\"max_kib\":2097152", "\"max_kib\":1.5", "max_kib"},
    {"\"max_kib\":2097152", "\"max_kib\":\"big\"", "max_kib"},
    {"\"id\":7", "\"id\":99999999999", "id"},
    {"\"period_sec\":3", "\"period_sec\":-3", "period_sec"},
    {"\"is_running\":true", "\"is_running\":1", "is_running"},
    {"\"uuid\":\"01", "\"uuid\":\"0", "uuid"},
    {"\"uuid\":\"01", "\"uuid\":\"zz", "uuid"},
    {"\"uuid\":\"01", "\"uuid\":\"05", "order"},
    {"\"limits\":{", "\"limit\":{", "limits"},
    {"\"request\":\"unanswered\"", "\"request\":\"heard\"", "request"},
    {"\"uri\":\"test:///default\"", "\"uri\":null", "uri"},
    {"\"settings\":{", "\"settings\":[],\"s\":{", "settings"},
    {"\"pid\":4711,", "\"pid\":4711,\"pid\":4712,", "column"},
    {",\"domains\"", "", "column"},
};

START_TEST(refuses_what_is_no_cycle_and_says_where)
{
    struct cycle cycle;
    struct record record;
    char error[RECORD_ERROR_BYTES] = "";
    fill_cycle(&cycle);
    char *line = record_format(&cycle.view, &origin, true);
    char *at = strstr(line, damages[_i].from);
    ck_assert_msg(at != NULL, "%s is not there", damages[_i].from);
    char *damaged;
    ck_assert_int_gt(asprintf(&damaged, "%.*s%s%s", (int)(at - line), line, damages[_i].to,
                              at + strlen(damages[_i].from)),
                     0);
    ck_assert_int_eq(record_parse(damaged, strlen(damaged), &record, error), -EINVAL);
    ck_assert_msg(strstr(error, damages[_i].error) != NULL, "%s", error);
    free(damaged);
    free(line);
}
END_TEST

START_TEST(no_beginning_of_a_line_is_taken_for_one)
{
    struct cycle cycle;
    struct record record;
    char error[RECORD_ERROR_BYTES];
    fill_cycle(&cycle);
    char *line = record_format(&cycle.view, &origin, true);
    for (size_t length = 0; length < strlen(line); length++)
        ck_assert_int_eq(record_parse(line, length, &record, error), -EINVAL);
    free(line);
}
END_TEST

/* Of before the host told more than its memory. */
START_TEST(reads_a_line_of_an_older_version)
{
    struct record record =
        parse("{\"memory_coordinator\":1,\"uri\":\"test:///default\",\"is_connected\":true,"
              "\"now_usec\":1000000,\"wall_sec\":1789999999,\"policy\":{\"interval_usec\":2000000},"
              "\"host\":{\"has_memory\":true,\"total_kib\":1000,\"available_kib\":400},"
              "\"decided\":{\"state\":\"soft\",\"pool_kib\":9,\"level_kib\":7},\"domains\":[]}");
    const struct host *host = &record.view.snapshot->host;
    ck_assert_uint_eq(host->available_kib, 400);
    ck_assert_uint_eq(host->node_count, 0);
    ck_assert(!host->some_permyriad.known && !host->full_permyriad.known);
    ck_assert_int_eq(record.view.host.state, POLICY_HOST_SOFT);
    ck_assert(!record.view.host.is_pressed);
    ck_assert_ptr_null(record.view.sharing);
    ck_assert_uint_eq(record.view.reservations->count, 0);
    record_release(&record);
}
END_TEST

/* Arrays of structures; each has room for 64. */
static const struct {
    const char *head;
    const char *end;
    const char *want;
} arrays[] = {
    {"{\"memory_coordinator\":1,\"uri\":\"\",\"policy\":{},\"domains\":[],\"decided\":{},"
     "\"host\":{\"nodes\":[{}",
     "]}}", "nodes"},
    {"{\"memory_coordinator\":1,\"uri\":\"\",\"policy\":{},\"domains\":[],\"decided\":{},"
     "\"host\":{},\"reservations\":[{}",
     "]}", "reservations"},
};

START_TEST(more_than_there_is_room_for_is_refused)
{
    char error[RECORD_ERROR_BYTES] = "";
    char line[4096];
    struct record record;
    int length = snprintf(line, sizeof(line), "%s", arrays[_i].head);
    for (size_t i = 0; i < 64; i++)
        length += snprintf(line + length, sizeof(line) - (size_t)length, ",{}");
    strcpy(line + length, arrays[_i].end);
    ck_assert_int_eq(record_parse(line, strlen(line), &record, error), -EINVAL);
    ck_assert_msg(strstr(error, arrays[_i].want) != NULL, "%s", error);
    strcpy(line + length - strlen(",{}"), arrays[_i].end); /* one less */
    ck_assert_msg(record_parse(line, strlen(line), &record, error) == 0, "%s", error);
    record_release(&record);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("record");
    TCase *lines = tcase_create("lines");
    tcase_add_test(lines, comes_back_as_it_was);
    tcase_add_test(lines, reads_a_line_of_an_older_version);
    tcase_add_loop_test(lines, more_than_there_is_room_for_is_refused, 0, COUNT_OF(arrays));
    tcase_add_test(lines, nothing_that_is_remembered_is_forgotten);
    tcase_add_test(lines, memory_is_left_out_but_for_what_is_shown);
    tcase_add_test(lines, a_name_that_is_no_text_is_written_all_the_same);
    tcase_add_test(lines, every_word_has_a_name_of_its_own);
    tcase_add_loop_test(lines, refuses_what_is_no_cycle_and_says_where, 0, COUNT_OF(damages));
    tcase_add_test(lines, no_beginning_of_a_line_is_taken_for_one);
    suite_add_tcase(suite, lines);
    return suite;
}
