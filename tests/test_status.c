/* test_status.c - the table and its words, from views that are made up. */
#include "status.h"

#include "sample.h"
#include "support.h"
#include "text.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

static const struct status_source running = {
    .pid = 4711,
    .is_running = true,
    .written_sec = SAMPLE_WRITTEN_SEC,
    .alive_sec = SAMPLE_WRITTEN_SEC,
    .now_sec = SAMPLE_WRITTEN_SEC + 1,
};

/* What is written of SAMPLE; to be freed. */
static char *written(const struct sample *sample, const struct status_source *source,
                     size_t columns)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    ck_assert_int_eq(status_write(out, &sample->view, source, columns), 0);
    fclose(out);
    return text;
}

static void expect_text(const struct sample *sample, const struct status_source *source,
                        size_t columns, const char *want)
{
    char *text = written(sample, source, columns);
    ck_assert_str_eq(text, want);
    free(text);
}

static void expect_line(const struct sample *sample, const struct status_source *source,
                        const char *line, bool is_there)
{
    char *text = written(sample, source, 0);
    ck_assert_msg((strstr(text, line) != NULL) == is_there, "%s in:\n%s", line, text);
    free(text);
}

#define HEAD                                                                                       \
    "qemu:///system, every 2 s, as of 1 s ago, pid 4711\n"                                         \
    "host     high: it has its reserve\n"                                                          \
    "memory   16000.0 MiB in all, 6321.0 available, 200.0 reserve\n"

START_TEST(writes_everything_where_there_is_room)
{
    struct sample sample;
    sample_make(&sample);
    expect_text(
        &sample, &running, 0,
        HEAD
        "pool     8600.0 MiB for guests, 8494.9 promised, 105.1 free; level 105.5\n"
        "\n"
        "GUEST                                    SIZE    USED  UNUSED  USABLE  TARGET    MIN     "
        "MAX  SHARES    STATE      WHY\n"
        "aos_vm1                                 512.0   418.1    93.9   113.9   590.5  200.0  "
        "2048.0    1000  ^ growing    needs more unused: 113.9 of 192.4\n"
        "aos_vm2                                 900.5   390.5   510.0   690.5   816.1  200.0  "
        "2048.0    1000  v giving     others need it more: 690.5 of 192.4; in steps\n"
        "aos_vm10                                402.4   210.0   192.4   202.4   402.4  200.0  "
        "2048.0    1000    balanced   has what it should have\n"
        "database-production-eu-west-1-primary  1200.0  1190.0    10.0    50.0  1200.0  200.0  "
        "4096.0    1000    starving   starving: 50.0 of 192.4; the host has no more\n"
        "passthrough                            2048.0       -       -       -  2048.0  200.0  "
        "2048.0    1000    held       no balloon\n"
        "web1                                    512.0       -   172.0   212.0   512.0  200.0  "
        "1024.0    1000    held       no fresh statistics from the guest\n"
        "web2                                    700.0       -       -       -   700.0  200.0  "
        "1024.0    1000    unmanaged  not managed\n"
        "windows                                1500.0       -       -       -  1500.0  200.0  "
        "2048.0    1000    stuck      its balloon does not move\n");
}
END_TEST

START_TEST(fits_eighty_columns)
{
    struct sample sample;
    sample_make(&sample);
    sample.snapshot.count = SAMPLE_STARVING + 1;
    expect_text(
        &sample, &running, 80,
        HEAD "pool     8600.0 MiB for guests, 3374.9 promised, 5225.1 free; level 105.5\n"
             "\n"
             "GUEST                                   SIZE    USED  UNUSED  TARGET    STATE\n"
             "aos_vm1                                512.0   418.1    93.9   590.5  ^ growing\n"
             "aos_vm2                                900.5   390.5   510.0   816.1  v giving\n"
             "aos_vm10                               402.4   210.0   192.4   402.4    balanced\n"
             "database-producti~-eu-west-1-primary  1200.0  1190.0    10.0  1200.0    starving\n");
}
END_TEST

/* Whatever the width, no line is wider, down to what names and states take. */
START_TEST(is_never_wider)
{
    struct sample sample;
    sample_make(&sample);
    for (size_t columns = 44; columns < 200; columns++) {
        char *text = written(&sample, &running, columns);
        char *line = strstr(text, "\n\n") + 2; /* the head is what it is */
        for (line = strtok(line, "\n"); line != NULL; line = strtok(NULL, "\n"))
            ck_assert_msg(text_columns(line) <= columns, "%zu: %s", columns, line);
        free(text);
    }
}
END_TEST

START_TEST(says_first_what_is_not_as_it_seems)
{
    struct sample sample;
    sample_make(&sample);
    struct status_source source = running;
    expect_line(&sample, &source, "NO COORDINATOR", false);
    expect_line(&sample, &source, "SILENT", false);
    source.now_sec = SAMPLE_WRITTEN_SEC + 19;
    expect_line(&sample, &source, "SILENT", false);
    source.now_sec = SAMPLE_WRITTEN_SEC + 20;
    expect_line(&sample, &source,
                "THE COORDINATOR IS SILENT: it runs, but has not been heard of for 20 s\n", true);
    /* One who lives has nothing new to tell. */
    source.alive_sec = source.now_sec;
    expect_line(&sample, &source, "SILENT", false);
    /* But would have written what it has, now that the old is read. */
    expect_line(&sample, &source,
                "THIS STATE IS 20 s OLD: the coordinator lives, but has written no newer one\n",
                true);
    sample.view.is_connected = false;
    expect_line(&sample, &source, "THIS STATE IS", false);
    sample.view.is_connected = true;
    source.alive_sec = SAMPLE_WRITTEN_SEC;
    /* One that nobody reads, and a cycle that takes 5 s, make 10 s of good health. */
    sample.view.policy.interval_usec = 100000;
    source.now_sec = SAMPLE_WRITTEN_SEC + 11;
    expect_line(&sample, &source, "SILENT", false);
    sample.view.policy.interval_usec = 2 * SEC;
    source.is_running = false;
    source.now_sec = SAMPLE_WRITTEN_SEC + 600;
    expect_line(&sample, &source,
                "NO COORDINATOR RUNS any more: this is its last state, 10 min old\n", true);
    sample.view.is_dry_run = sample.view.is_paused = true;
    expect_line(&sample, &source, "\nDRY RUN: ", true);
    expect_line(&sample, &source,
                "\nPAUSED: nothing is asked for until `memory_coordinator resume`\n", true);
    sample.view.is_connected = false;
    expect_line(&sample, &source,
                "\nNOT CONNECTED to the hypervisor: the guests are as they were 10 min ago\n",
                true);
}
END_TEST

/* As of now, not of when it was written. */
START_TEST(says_how_long_a_pause_lasts)
{
    struct sample sample;
    sample_make(&sample);
    struct status_source source = running;
    sample.view.is_paused = true;
    sample.view.paused_until_usec = sample.snapshot.now_usec + 601 * SEC;
    source.now_sec = sample.snapshot.wall_sec + 1;
    expect_line(&sample, &source, "\nPAUSED for 10 min more: ", true);
    source.now_sec = sample.snapshot.wall_sec + 591;
    expect_line(&sample, &source, "\nPAUSED for 10 s more: ", true);
    source.now_sec = sample.snapshot.wall_sec + 700;
    expect_line(&sample, &source, "\nPAUSED for 0 s more: ", true);
    sample.view.paused_until_usec = UINT64_MAX;
    expect_line(&sample, &source, "\nPAUSED: nothing is asked for until `", true);
}
END_TEST

START_TEST(says_what_the_host_does_not)
{
    struct sample sample;
    sample_make(&sample);
    sample.snapshot.host.has_memory = false;
    expect_line(&sample, &running, "\nhost     does not say what memory it has: nothing can grow\n",
                true);
    expect_line(&sample, &running, "\nmemory ", false);
    sample.snapshot.count = 0;
    expect_line(&sample, &running, "\nno running domains\n", true);
}
END_TEST

START_TEST(tells_what_is_reserved)
{
    struct sample sample;
    struct reservations list = {
        .count = 2,
        .items = {{.name = "db\033[2J",
                   .until_usec = 5045 * SEC,
                   .left_kib = 512 * MIB,
                   .held_kib = 512 * MIB},
                  {.name = "web", .until_usec = 4000 * SEC, .left_kib = 100 * MIB}},
    };
    sample_make(&sample);
    sample.view.reservations = &list;
    expect_line(&sample, &running,
                "\nreserved 612.0 MiB, 512.0 of it free: db?[2J 512.0 (45 s), web 100.0 (0 s)\n",
                true);
    list.count = 0;
    expect_line(&sample, &running, "\nreserved ", false);
}
END_TEST

START_TEST(tells_large_hosts_in_gib)
{
    struct sample sample;
    sample_make(&sample);
    sample.snapshot.host.total_kib = 512 * GIB;
    expect_line(&sample, &running, "memory   512.00 GiB in all, 6.17 available, 0.20 reserve",
                true);
    expect_line(&sample, &running, "aos_vm1                                0.50  0.41", true);
}
END_TEST

/* A state file may be anybody's: nothing in it moves the cursor, no figure is too large. */
START_TEST(writes_nothing_that_a_terminal_obeys)
{
    struct sample sample;
    sample_make(&sample);
    strcpy(sample.domains[0].name, "\033[2Jevil\n\xff");
    strcpy(sample.remarks[0].trouble, "\033]0;x\a");
    sample.view.uri = "test:///\r\033c";
    memset(&sample.decisions[1], 0xff, sizeof(sample.decisions[1]));
    sample.decisions[1].reason = POLICY_NEEDS;
    sample.decisions[1].bound = POLICY_UNBOUND;
    sample.domains[1].actual_kib.value = UINT64_MAX - 1;
    char *text = written(&sample, &running, 0);
    ck_assert_ptr_null(strpbrk(text, "\033\a\r\xff"));
    ck_assert_ptr_nonnull(strstr(text, "\n?[2Jevil?? "));
    free(text);
}
END_TEST

START_TEST(says_that_a_call_failed)
{
    struct sample sample;
    sample_make(&sample);
    sample.requests[SAMPLE_GROWING] = COORDINATOR_REFUSED;
    strcpy(sample.remarks[SAMPLE_GIVING].trouble, "no XML");
    strcpy(sample.remarks[SAMPLE_BALANCED].settings_error, "min '6X'");
    expect_line(&sample, &running, "113.9 of 192.4; the hypervisor has refused it\n", true);
    expect_line(&sample, &running, "in steps; no XML\n", true);
    expect_line(&sample, &running, "has what it should have; its metadata is refused\n", true);
}
END_TEST

static const struct {
    enum policy_reason reason;
    enum policy_bound bound;
    uint64_t target_mib; /* of 512 */
    enum status_state want;
} states[] = {
    {POLICY_SETTLED, POLICY_UNBOUND, 512, STATUS_BALANCED},
    {POLICY_SETTLED, POLICY_BOUND_DEAD_BAND, 512, STATUS_BALANCED},
    {POLICY_NEEDS, POLICY_UNBOUND, 600, STATUS_GROWING},
    {POLICY_NEEDS, POLICY_BOUND_POOL, 512, STATUS_SHORT},
    {POLICY_NEEDS, POLICY_BOUND_SHARE, 512, STATUS_SHORT},
    {POLICY_STARVING, POLICY_UNBOUND, 600, STATUS_STARVING},
    {POLICY_CACHES, POLICY_UNBOUND, 600, STATUS_GROWING},
    {POLICY_CACHES, POLICY_BOUND_POOL, 512, STATUS_BALANCED},
    {POLICY_SPARE, POLICY_BOUND_IN_FLIGHT, 400, STATUS_GIVING},
    {POLICY_DONATES, POLICY_UNBOUND, 400, STATUS_GIVING},
    {POLICY_LEFT, POLICY_UNBOUND, 600, STATUS_GROWING},
    {POLICY_NO_BALLOON, POLICY_UNBOUND, 512, STATUS_HELD},
    {POLICY_UNMANAGED, POLICY_UNBOUND, 512, STATUS_UNMANAGED},
    {POLICY_FROZEN, POLICY_UNBOUND, 512, STATUS_FROZEN},
    {POLICY_UNREAD, POLICY_UNBOUND, 512, STATUS_HELD},
    {POLICY_BUSY, POLICY_UNBOUND, 512, STATUS_MIGRATING},
    {POLICY_PAUSED, POLICY_UNBOUND, 512, STATUS_PAUSED},
    {POLICY_NO_NEWS, POLICY_UNBOUND, 512, STATUS_HELD},
    {POLICY_STALE, POLICY_UNBOUND, 512, STATUS_HELD},
    {POLICY_IMPOSSIBLE, POLICY_UNBOUND, 512, STATUS_HELD},
    {POLICY_STUCK, POLICY_UNBOUND, 511, STATUS_STUCK},
};

START_TEST(has_a_word_for_each_case)
{
    struct domain domain = {.actual_kib = {true, 512 * MIB}, .job = JOB_LEAVES};
    struct policy_decision decision = {
        .reason = states[_i].reason,
        .bound = states[_i].bound,
        .from_kib = 512 * MIB,
        .target_kib = states[_i].target_mib * MIB,
    };
    ck_assert_str_eq(status_state_name(status_of(&domain, &decision)),
                     status_state_name(states[_i].want));
}
END_TEST

START_TEST(only_a_migration_is_called_one)
{
    static const enum status_state want[] = {
        [JOB_NONE] = STATUS_HELD,         [JOB_LEAVES] = STATUS_MIGRATING,
        [JOB_ARRIVES] = STATUS_MIGRATING, [JOB_STARTS] = STATUS_HELD,
        [JOB_SAVES] = STATUS_HELD,
    };
    struct policy_decision decision = {.reason = POLICY_BUSY};
    for (size_t job = 0; job < COUNT_OF(want); job++) {
        struct domain domain = {.job = (enum domain_job)job};
        ck_assert_int_eq(status_of(&domain, &decision), want[job]);
    }
}
END_TEST

/* What is counted, not what its balloon says. */
START_TEST(shows_the_whole_size_of_who_cannot_balloon)
{
    struct domain domain = {.actual_kib = {true, 512 * MIB}};
    struct policy_decision decision = {.reason = POLICY_STALE, .from_kib = 2048 * MIB};
    ck_assert_uint_eq(status_shown_size(&domain, &decision).value, 512 * MIB);
    decision.reason = POLICY_NO_BALLOON;
    ck_assert_uint_eq(status_shown_size(&domain, &decision).value, 2048 * MIB);
    domain.actual_kib.known = false;
    ck_assert(status_shown_size(&domain, &decision).known);
    decision.reason = POLICY_BUSY;
    ck_assert(!status_shown_size(&domain, &decision).known);
}
END_TEST

START_TEST(points_where_it_goes)
{
    struct domain domain = {.actual_kib = {true, 512 * MIB}};
    struct policy_memory memory = {.rate_kib_per_sec = 28 * MIB};
    struct policy_decision decision = {.from_kib = 512 * MIB, .target_kib = 512 * MIB};
    ck_assert_int_eq(status_trend(&domain, &memory, &decision), STATUS_RISING);
    memory.rate_kib_per_sec = MIB - 1;
    ck_assert_int_eq(status_trend(&domain, &memory, &decision), STATUS_STEADY);
    decision.target_kib = 514 * MIB;
    ck_assert_int_eq(status_trend(&domain, &memory, &decision), STATUS_UP);
    decision.target_kib = 511 * MIB; /* inexact by pages */
    ck_assert_int_eq(status_trend(&domain, &memory, &decision), STATUS_STEADY);
    decision.target_kib = 510 * MIB;
    ck_assert_int_eq(status_trend(&domain, &memory, &decision), STATUS_DOWN);
}
END_TEST

static const struct {
    const char *text;
    size_t columns;
    enum text_cut cut;
    const char *want;
} fits[] = {
    {"aos_vm1", 7, TEXT_CUT_MIDDLE, "aos_vm1"},
    {"instance-0001", 8, TEXT_CUT_MIDDLE, "ins\u20260001"},
    {"instance-0001", 8, TEXT_CUT_END, "instanc\u2026"},
    {"d\u00e4mon", 5, TEXT_CUT_END, "d\u00e4mon"},
    {"\u6f22\u5b57\u6f22\u5b57", 5, TEXT_CUT_END, "\u6f22\u5b57\u2026"}, /* two columns each */
    {"a\tb\xc3", 9, TEXT_CUT_END, "a?b?"},
    {"abc", 1, TEXT_CUT_END, "\u2026"},
    {"", 4, TEXT_CUT_END, ""},
};

START_TEST(fits_text_by_its_columns)
{
    char buffer[TEXT_BYTES];
    ck_assert_ptr_nonnull(setlocale(LC_CTYPE, "C.UTF-8"));
    size_t columns = text_fit(fits[_i].text, fits[_i].columns, fits[_i].cut, buffer);
    ck_assert_str_eq(buffer, fits[_i].want);
    ck_assert_uint_eq(columns, text_columns(buffer));
    ck_assert_uint_le(columns, fits[_i].columns);
    setlocale(LC_CTYPE, "C");
}
END_TEST

START_TEST(says_what_else_is_known_of_the_host)
{
    struct sample sample;
    sample_make(&sample);
    struct host *host = &sample.snapshot.host;
    host->arc_kib = 1000 * MIB;
    host->some_permyriad = (struct figure){true, 1234};
    host->full_permyriad = (struct figure){true, 506};
    host->nodes[0] = (struct host_node){0, 8000 * MIB, 6221 * MIB};
    host->nodes[1] = (struct host_node){4, 8000 * MIB, 100 * MIB};
    host->node_count = 2;
    expect_line(&sample, &running, ", 200.0 reserve; ZFS can give back 1000.0 of it\n", true);
    expect_line(&sample, &running,
                "\npressure some tasks waited for memory 12.3 % of the last 10 s, all 5.1 %\n",
                true);
    expect_line(&sample, &running,
                "\nnodes    0: 6221.0 of 8000.0, 4: 100.0 of 8000.0 MiB available\n", true);
    expect_line(&sample, &running, "IS SHORT", false);
    host->nodes[1].available_kib = 99 * MIB;
    expect_line(
        &sample, &running,
        "\nNODE 4 IS SHORT of memory, the host is not: 99.0 of 8000.0 MiB available there\n", true);
}
END_TEST

START_TEST(says_what_is_shared)
{
    struct sample sample;
    struct ksm_reading reading = {
        .run = {true, 1},
        .pages_to_scan = {true, 400},
        .sleep_msec = {true, 10},
        .pages_shared = {true, 100},
        .pages_sharing = {true, 5120},
        .page_kib = 4,
    };
    sample_make(&sample);
    expect_line(&sample, &running, "ksm", false);
    sample.view.sharing = &reading;
    expect_line(&sample, &running,
                "\nksm      on, 400 pages every 10 ms; 100 pages shared, 20.0 MiB saved\n", true);
    reading.run.value = 2;
    expect_line(&sample, &running, "\nksm      off; 100 pages shared, 20.0 MiB saved\n", true);
    reading = (struct ksm_reading){.obstacle = KSM_TUNED};
    expect_line(&sample, &running, "\nksm      left alone: ksmtuned runs\n", true);
}
END_TEST

START_TEST(says_what_pressure_has_made_of_the_host)
{
    static const char *const lines[] = {
        [POLICY_HOST_SOFT] = "host     soft: its tasks wait for memory, nothing grows\n",
        [POLICY_HOST_HARD] =
            "host     hard: below its reserve, its tasks wait for memory, all give what they can\n",
        [POLICY_HOST_LOW] = "host     low: far below its reserve, its tasks wait for memory, page "
                            "cache is given too\n",
    };
    struct sample sample;
    sample_make(&sample);
    sample.view.host.is_pressed = true;
    for (enum policy_host_state state = POLICY_HOST_SOFT; state <= POLICY_HOST_LOW; state++) {
        sample.view.host.state = state;
        expect_line(&sample, &running, lines[state], true);
    }
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("status");
    TCase *cases = tcase_create("table");
    tcase_add_test(cases, writes_everything_where_there_is_room);
    tcase_add_test(cases, says_what_else_is_known_of_the_host);
    tcase_add_test(cases, says_what_is_shared);
    tcase_add_test(cases, says_what_pressure_has_made_of_the_host);
    tcase_add_test(cases, fits_eighty_columns);
    tcase_add_test(cases, is_never_wider);
    tcase_add_test(cases, says_first_what_is_not_as_it_seems);
    tcase_add_test(cases, says_how_long_a_pause_lasts);
    tcase_add_test(cases, says_what_the_host_does_not);
    tcase_add_test(cases, tells_large_hosts_in_gib);
    tcase_add_test(cases, tells_what_is_reserved);
    tcase_add_test(cases, writes_nothing_that_a_terminal_obeys);
    tcase_add_test(cases, says_that_a_call_failed);
    suite_add_tcase(suite, cases);
    cases = tcase_create("words");
    tcase_add_loop_test(cases, has_a_word_for_each_case, 0, COUNT_OF(states));
    tcase_add_test(cases, points_where_it_goes);
    tcase_add_test(cases, only_a_migration_is_called_one);
    tcase_add_test(cases, shows_the_whole_size_of_who_cannot_balloon);
    tcase_add_loop_test(cases, fits_text_by_its_columns, 0, COUNT_OF(fits));
    suite_add_tcase(suite, cases);
    return suite;
}
