/* test_scenario.c - the simulator's files and guests: what is read, refused and written; how a
 * guest behaves. */
#include "guest.h"
#include "random.h"
#include "scenario.h"
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- files ---- */

static int parse_text(const char *text, struct sim_scenario *scenario, char error[SIM_ERROR_BYTES])
{
    FILE *stream = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    ck_assert_ptr_nonnull(stream);
    int result = scenario_parse(stream, "bad.ini", scenario, error);
    fclose(stream);
    return result;
}

static char *write_text(const struct sim_scenario *scenario)
{
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    ck_assert_ptr_nonnull(stream);
    ck_assert_int_eq(scenario_write(scenario, stream), 0);
    fclose(stream);
    return text;
}

static const char whole_file[] = "; a comment\n"
                                 "[scenario]\n"
                                 "about = all that can\n"
                                 "    be said\n"
                                 "seconds = 90.5\n"
                                 "intervals = 0.5 2\n"
                                 "[host]\n"
                                 "memory = 4GiB\n"
                                 "tight = 3000\n"
                                 "reserve = 300\n"
                                 "metric = usable\n"
                                 "others = 0:100 30:100\n"
                                 "   30:500 60:0.5GiB\n"
                                 "disconnected = 10-20 30-40.5\n"
                                 "[coordinator]\n"
                                 "restarts = 12 50\n"
                                 "[guest *]\n"
                                 "shares = 2000\n"
                                 "swap = 1GiB\n"
                                 "[guest pair]\n"
                                 "count = 2\n"
                                 "stuck = 1-2\n"
                                 "headroom = 20%\n"
                                 "[guest bare]\n"
                                 "balloon = no\n"
                                 "max = 1024\n"
                                 "touched = no\n"
                                 "managed = no\n"
                                 "min = 300\n"
                                 "most = 900\n"
                                 "latency = 1.5\n"
                                 "period = 3\n"
                                 "[guest small]\n"
                                 "max = 256\n";

START_TEST(reads_all_keys)
{
    struct sim_scenario scenario;
    char error[SIM_ERROR_BYTES] = "";
    ck_assert_msg(parse_text(whole_file, &scenario, error) == 0, "%s", error);
    ck_assert_str_eq(scenario.name, "bad");
    ck_assert_str_eq(scenario.about, "all that can be said");
    ck_assert_uint_eq(scenario.length_usec, 90500000);
    ck_assert_uint_eq(scenario.interval_count, 2);
    ck_assert_uint_eq(scenario.intervals_usec[0], SEC / 2);
    ck_assert_uint_eq(scenario.host_kib[0], 4 * GIB);
    ck_assert_uint_eq(scenario.host_kib[1], 3000 * MIB);
    ck_assert_uint_eq(scenario.config.policy.host_reserve_kib, 300 * MIB);
    ck_assert_uint_eq(scenario.config.policy.surge_kib_per_sec, 28 * MIB);
    ck_assert_int_eq(scenario.config.policy.metric, POLICY_USABLE);
    ck_assert_uint_eq(scenario.others.count, 4);
    ck_assert_uint_eq(scenario.others.points[3].kib, 512 * MIB);
    ck_assert_uint_eq(scenario.disconnected.spells[1].until_usec, 40500000);
    ck_assert_uint_eq(scenario.restarts.points[1].at_usec, 50 * SEC);
    ck_assert_uint_eq(scenario.guest_count, 4);
    scenario_release(&scenario);
}
END_TEST

START_TEST(reads_guests)
{
    struct sim_scenario scenario;
    char error[SIM_ERROR_BYTES] = "";
    ck_assert_msg(parse_text(whole_file, &scenario, error) == 0, "%s", error);
    const struct sim_guest_plan *second = &scenario.guests[1];
    const struct sim_guest_plan *bare = &scenario.guests[2];
    ck_assert_str_eq(second->name, "pair-2");
    ck_assert_uint_eq(second->settings.shares.value, 2000);
    ck_assert_uint_eq(second->settings.headroom_percent.value, 20);
    ck_assert_uint_eq(second->stuck.count, 1);
    ck_assert_ptr_ne(second->stuck.spells, scenario.guests[0].stuck.spells);
    ck_assert_uint_eq(second->use.points[0].kib, 180 * MIB);
    ck_assert_uint_eq(bare->start_kib, GIB);
    ck_assert(!bare->touched && !bare->has_balloon && bare->stuck.count == 0);
    ck_assert(bare->settings.managed.known && bare->settings.managed.value == 0);
    ck_assert_uint_eq(bare->settings.max_kib.value, 900 * MIB);
    ck_assert_uint_eq(bare->latency_usec, 1500000);
    ck_assert_uint_eq(bare->period_sec, 3);
    ck_assert_uint_eq(scenario.guests[3].start_kib, 256 * MIB);
    scenario_release(&scenario);
}
END_TEST

#define HOST  "[host]\nmemory = 4GiB\n"
#define GUEST HOST "[guest a]\n" /* its keys begin at line 4 */

/* A line of 200 characters. */
#define TEN  "1234567890"
#define LONG TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static const struct {
    const char *text;
    const char *want;
} bad_files[] = {
    {"[nonsense]\n", "1: expected [scenario], [host], [coordinator], [guest *] or [guest NAME], "
                     "not [nonsense]"},
    {"[scenario]\nseconds = 10\n[scenario]\n", "3: expected one section [scenario], not two"},
    {"[guest *]\n[guest *]\n", "2: expected one section [guest *], not two"},
    {"[guest *]\ncount = 2\n[host]\n", "1: expected no count of defaults"},
    {"[guest a b]\n", "1: expected [guest NAME], a name of at most 63 characters without blanks "
                      "and commas"},
    {" [host]\n", "1: expected a section at the beginning of its line"},
    {"seconds = 10\n", "1: expected a section before 'seconds'"},
    {"[host]\nmemory\n", "2: expected [SECTION] or KEY = VALUE"},
    {"[host\n", "1: expected [SECTION] or KEY = VALUE"},
    {"[host]\nmemory = 1GiB\nseconds = 3\n", "3: expected a key of this section, not 'seconds'"},
    {"[host]\nmemory = 1GiB\nmemory = 1GiB\n", "3: expected 'memory' once in a section"},
    {"[host]\nmemory = much\n", "2: memory: expected a size such as 512MiB, not 'much'"},
    {"[host]\nmetric = free\n", "2: metric: expected unused or usable, not 'free'"},
    {"[scenario]\nseconds = 0\n", "2: seconds: expected seconds, 1 to 86400, not '0'"},
    {"[scenario]\nintervals =\n", "2: intervals: expected intervals in seconds, such as 1 2 5, "
                                  "not ''"},
    {"[scenario]\nintervals = 1 0.25\n", "2: intervals: expected 1 to 8 intervals of 0.1 to 3600 "
                                         "seconds, multiples of 0.1, not '1 0.25'"},
    {"[coordinator]\nrestarts = 50 20\n",
     "2: restarts: expected times that do not run backwards, not '50 20'"},
    {GUEST "use = 0:180 60\n",
     "4: use: expected points SECONDS:MIB such as 0:180 60:1200, not '0:180 60'"},
    {GUEST "use = 0:180 60:200\n    30:100\n",
     "4: use: expected times that do not run backwards, not '0:180 60:200 30:100'"},
    {GUEST "stuck = 30\n",
     "4: stuck: expected spells FROM-UNTIL in seconds, such as 30-45 60-90, not '30'"},
    {GUEST "stuck = 30-20\n", "4: stuck: expected times that do not run backwards, not '30-20'"},
    {GUEST "stuck = 30-40 35-50\n",
     "4: stuck: expected times that do not run backwards, not '30-40 35-50'"},
    {GUEST "touched = maybe\n", "4: touched: expected yes or no, not 'maybe'"},
    {GUEST "period = 1.5\n", "4: period: expected whole seconds, 0 to 3600, not '1.5'"},
    {GUEST "latency = 31\n", "4: latency: expected seconds, 0 to 30, not '31'"},
    {GUEST "count = 0\n", "4: count: expected a whole number, 1 to 256, not '0'"},
    {GUEST "start = 3GiB\n", "3: a: expected a start that is not above max"},
    {GUEST "start = 0\n", "3: a: expected a start above 0"},
    {GUEST "balloon = no\nstart = 512\n", "3: a: expected start to be max, having no balloon"},
    {GUEST "unseen = 600\n", "3: a: expected unseen to be less than start"},
    {GUEST "use = 0:600\n", "3: a: expected use to begin with no more than start"},
    {GUEST "rate = 0\n", "3: a: expected a rate above 0"},
    {GUEST "[guest a]\n", "4: expected one guest of the name 'a', not two"},
    {HOST "[guest a-1]\n[guest a]\ncount = 2\n",
     "4: expected one guest of the name 'a-1', not two"},
    {";\n", "1: expected memory or tight in [host]"},
    {"\x01\xff = 1\n", "1: expected a section before '?\?'"},
    {HOST, "2: expected a guest"},
    {"[guest a]\n", "1: expected memory or tight in [host]"},
    {"[scenario]\nabout = " LONG "\n",
     "2: expected at most 197 characters of text in a line; a value may go on in the next line, "
     "indented"},
};

START_TEST(refuses_bad_files)
{
    struct sim_scenario scenario = {.guest_count = 77};
    char error[SIM_ERROR_BYTES] = "";
    char want[SIM_ERROR_BYTES];
    snprintf(want, sizeof(want), "bad.ini:%s", bad_files[_i].want);
    ck_assert_int_eq(parse_text(bad_files[_i].text, &scenario, error), -EINVAL);
    ck_assert_str_eq(error, want);
    ck_assert_uint_eq(scenario.guest_count, 77);
}
END_TEST

START_TEST(reads_files_of_other_systems)
{
    struct sim_scenario scenario;
    char error[SIM_ERROR_BYTES] = "";
    const char *text = "\xef\xbb\xbf[host]\r\nmemory = 1GiB\r\n[guest a]\r\n";
    ck_assert_msg(parse_text(text, &scenario, error) == 0, "%s", error);
    ck_assert_uint_eq(scenario.host_kib[0], GIB);
    scenario_release(&scenario);
}
END_TEST

START_TEST(refuses_bad_settings)
{
    struct sim_scenario scenario;
    char error[SIM_ERROR_BYTES] = "";
    ck_assert_int_eq(parse_text(GUEST "shares = 0\n", &scenario, error), -EINVAL);
    ck_assert_int_eq(strncmp(error, "bad.ini:4: ", 11), 0);
    ck_assert_int_eq(parse_text(GUEST "min = 900\nmost = 800\n", &scenario, error), -EINVAL);
    ck_assert_int_eq(strncmp(error, "bad.ini:3: a: ", 14), 0);
}
END_TEST

START_TEST(says_what_cannot_be_opened)
{
    struct sim_scenario scenario;
    char error[SIM_ERROR_BYTES] = "";
    ck_assert_int_eq(scenario_read("/nowhere/x.ini", &scenario, error), -ENOENT);
    ck_assert_str_eq(error, "/nowhere/x.ini: No such file or directory");
}
END_TEST

/* What was written is read, and written again, as the same text. */
static void check_round_trip(const struct sim_scenario *scenario)
{
    struct sim_scenario again;
    char error[SIM_ERROR_BYTES] = "";
    char *first = write_text(scenario);
    ck_assert_msg(parse_text(first, &again, error) == 0, "%s: %s", scenario->name, error);
    char *second = write_text(&again);
    ck_assert_msg(strcmp(first, second) == 0, "%s was read otherwise", scenario->name);
    ck_assert_uint_eq(again.guest_count, scenario->guest_count);
    free(first);
    free(second);
    scenario_release(&again);
}

START_TEST(reads_what_it_writes)
{
    struct sim_scenario scenario;
    char error[SIM_ERROR_BYTES] = "";
    ck_assert_int_eq(parse_text(whole_file, &scenario, error), 0);
    check_round_trip(&scenario);
    scenario_release(&scenario);
}
END_TEST

START_TEST(reads_random_worlds)
{
    struct sim_scenario scenario;
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < 200; i++) {
        ck_assert_int_eq(random_scenario(seed + i, &scenario), 0);
        check_round_trip(&scenario);
        scenario_release(&scenario);
    }
}
END_TEST

/* ---- guests ---- */

/* A guest alone, and its time. */
struct rig {
    struct sim_scenario scenario;
    struct sim_guest truth;
    struct guest guest;
    uint64_t now_usec;
};

static void set_up(struct rig *rig, const char *keys)
{
    char text[1024];
    char error[SIM_ERROR_BYTES] = "";
    snprintf(text, sizeof(text), "%s%s", GUEST, keys);
    ck_assert_msg(parse_text(text, &rig->scenario, error) == 0, "%s", error);
    rig->truth = (struct sim_guest){.plan = &rig->scenario.guests[0]};
    rig->now_usec = 0;
    guest_begin(&rig->guest, &rig->truth, 1);
}

static void run_until(struct rig *rig, uint64_t usec)
{
    while (rig->now_usec < usec) {
        rig->now_usec += SIM_STEP_USEC;
        guest_step(&rig->guest, rig->now_usec);
        ck_assert_uint_le(rig->truth.used_kib + rig->truth.cache_kib, rig->truth.size_kib);
        ck_assert_uint_le(rig->truth.touched_kib, rig->truth.size_kib);
    }
}

static void tear_down(struct rig *rig)
{
    scenario_release(&rig->scenario);
}

START_TEST(kills_without_swap)
{
    struct rig rig;
    set_up(&rig, "use = 0:180 10:180 10:600 20:600 20:180 30:180 40:400\n");
    run_until(&rig, 9 * SEC);
    ck_assert_uint_eq(rig.truth.used_kib, 180 * MIB);
    run_until(&rig, 11 * SEC);
    ck_assert_uint_eq(rig.truth.kills, 1);
    ck_assert_uint_eq(rig.truth.used_kib, 180 * MIB);
    run_until(&rig, 45 * SEC);
    ck_assert_uint_eq(rig.truth.kills, 1);
    ck_assert_uint_eq(rig.truth.used_kib, 400 * MIB); /* another program */
    tear_down(&rig);
}
END_TEST

START_TEST(swaps_with_swap)
{
    struct rig rig;
    set_up(&rig, "swap = 256\nuse = 0:180 10:180 10:600\n");
    run_until(&rig, 11 * SEC);
    ck_assert_uint_eq(rig.truth.kills, 0);
    ck_assert_uint_eq(rig.truth.used_kib, 512 * MIB);
    ck_assert_uint_eq(rig.truth.swapped_kib, 88 * MIB);
    guest_ask(&rig.guest, rig.now_usec, GIB);
    run_until(&rig, 20 * SEC);
    ck_assert_uint_eq(rig.truth.swapped_kib, 0);
    ck_assert_uint_eq(rig.truth.used_kib, 600 * MIB);
    ck_assert_uint_ge(rig.truth.swap_in_kib, 88 * MIB);
    tear_down(&rig);
}
END_TEST

START_TEST(takes_page_cache_first)
{
    struct rig rig;
    set_up(&rig, "swap = 256\nuse = 0:180 10:180 10:400\ncache = 0:0 1:300\n");
    run_until(&rig, 9 * SEC);
    ck_assert_uint_eq(rig.truth.cache_kib, 300 * MIB);
    ck_assert_uint_eq(rig.truth.major_faults, 0);
    run_until(&rig, 10 * SEC);
    ck_assert_uint_eq(rig.truth.cache_kib, 112 * MIB);
    ck_assert_uint_eq(rig.truth.swapped_kib, 0);
    ck_assert_uint_gt(rig.truth.major_faults, 0);
    tear_down(&rig);
}
END_TEST

START_TEST(moves_the_balloon_in_time)
{
    struct rig rig;
    set_up(&rig, "rate = 100\nlatency = 0.5\n");
    guest_ask(&rig.guest, 0, 1024 * MIB);
    run_until(&rig, 4 * SEC / 10);
    ck_assert_uint_eq(rig.truth.size_kib, 512 * MIB);
    run_until(&rig, 14 * SEC / 10);
    ck_assert_uint_eq(rig.truth.size_kib, 612 * MIB);
    run_until(&rig, 10 * SEC);
    ck_assert_uint_eq(rig.truth.size_kib, 1024 * MIB);
    tear_down(&rig);
}
END_TEST

START_TEST(keeps_the_balloon_stuck_and_above_its_limit)
{
    struct rig rig;
    set_up(&rig, "limit = 300\nstuck = 0-5\n");
    guest_ask(&rig.guest, 0, 250 * MIB);
    run_until(&rig, 4 * SEC);
    ck_assert(rig.truth.is_stuck);
    ck_assert_uint_eq(rig.truth.size_kib, 512 * MIB);
    run_until(&rig, 10 * SEC);
    ck_assert(!rig.truth.is_stuck);
    ck_assert_uint_eq(rig.truth.size_kib, 300 * MIB);
    tear_down(&rig);
}
END_TEST

START_TEST(shrinks_below_use_without_killing)
{
    struct rig rig;
    set_up(&rig, "use = 0:400\n");
    guest_ask(&rig.guest, 0, 200 * MIB);
    run_until(&rig, 10 * SEC);
    ck_assert_uint_eq(rig.truth.size_kib, 404 * MIB);
    ck_assert_uint_eq(rig.truth.kills, 0);
    tear_down(&rig);
}
END_TEST

START_TEST(touches_what_it_uses)
{
    struct rig rig;
    set_up(&rig, "touched = no\nuse = 0:180 10:180 20:300 30:300 30:180\n");
    ck_assert_uint_eq(rig.truth.touched_kib, 180 * MIB);
    guest_ask(&rig.guest, 0, GIB);
    run_until(&rig, 9 * SEC);
    ck_assert_uint_eq(rig.truth.size_kib, GIB);
    ck_assert_uint_eq(rig.truth.touched_kib, 180 * MIB);
    run_until(&rig, 40 * SEC);
    ck_assert_uint_eq(rig.truth.touched_kib, 300 * MIB);
    guest_ask(&rig.guest, rig.now_usec, 250 * MIB);
    run_until(&rig, 45 * SEC);
    ck_assert_uint_eq(rig.truth.touched_kib, 250 * MIB);
    tear_down(&rig);
}
END_TEST

static struct domain describe(const struct rig *rig)
{
    struct domain domain = {0};
    guest_describe(&rig->guest, 1000 * SEC, &domain);
    return domain;
}

START_TEST(reports_when_asked)
{
    struct rig rig;
    set_up(&rig, "delay = 0.5\nfrozen = 20-30\n");
    run_until(&rig, 5 * SEC);
    ck_assert_uint_eq(describe(&rig).last_update_sec.value, 0);
    ck_assert(!describe(&rig).unused_kib.known);
    guest_set_period(&rig.guest, rig.now_usec, 1);
    run_until(&rig, 10 * SEC);
    ck_assert_uint_eq(describe(&rig).unused_kib.value, (512 - 180) * MIB);
    ck_assert_uint_eq(describe(&rig).available_kib.value, (512 - 24) * MIB);
    ck_assert_uint_ge(describe(&rig).last_update_sec.value, 1008);
    run_until(&rig, 29 * SEC);
    ck_assert_uint_le(describe(&rig).last_update_sec.value, 1020);
    ck_assert_uint_eq(describe(&rig).actual_kib.value, 512 * MIB);
    tear_down(&rig);
}
END_TEST

START_TEST(lies)
{
    struct rig rig;
    set_up(&rig, "period = 1\nclaims-none = 0-5\nclaims-all = 5-10\ngarbage = 10-20\n");
    run_until(&rig, 4 * SEC);
    ck_assert(rig.truth.is_lying);
    ck_assert_uint_eq(describe(&rig).unused_kib.value, 0);
    ck_assert_uint_eq(rig.truth.reported_unused_kib, (512 - 180) * MIB);
    run_until(&rig, 9 * SEC);
    ck_assert_uint_eq(describe(&rig).unused_kib.value, (512 - 24 - 64) * MIB);
    for (uint64_t at = 12; at < 16; at++) {
        run_until(&rig, at * SEC);
        struct domain domain = describe(&rig);
        ck_assert(domain.unused_kib.value > domain.available_kib.value ||
                  domain.available_kib.value > 2 * GIB || domain.actual_kib.value == 0);
    }
    tear_down(&rig);
}
END_TEST

START_TEST(starts_anew)
{
    struct rig rig;
    set_up(&rig, "period = 1\nabsent = 10-15\npaused = 20-25\nuse = 0:180 5:300\n");
    guest_ask(&rig.guest, 0, GIB);
    run_until(&rig, 9 * SEC);
    int id = rig.truth.id;
    run_until(&rig, 12 * SEC);
    ck_assert(!rig.truth.is_here);
    run_until(&rig, 16 * SEC);
    ck_assert(rig.truth.is_here && rig.truth.id != id);
    ck_assert_uint_eq(rig.truth.size_kib, 512 * MIB);
    ck_assert_uint_eq(rig.truth.used_kib, 180 * MIB); /* its programs did not survive */
    run_until(&rig, 21 * SEC);
    ck_assert(!rig.truth.is_running);
    guest_ask(&rig.guest, rig.now_usec, GIB);
    run_until(&rig, 24 * SEC);
    ck_assert_uint_eq(rig.truth.size_kib, 512 * MIB);
    run_until(&rig, 28 * SEC);
    ck_assert_uint_eq(rig.truth.size_kib, GIB);
    tear_down(&rig);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("scenario");
    TCase *files = tcase_create("files");
    tcase_add_test(files, reads_all_keys);
    tcase_add_test(files, reads_guests);
    tcase_add_loop_test(files, refuses_bad_files, 0, COUNT_OF(bad_files));
    tcase_add_test(files, reads_files_of_other_systems);
    tcase_add_test(files, refuses_bad_settings);
    tcase_add_test(files, says_what_cannot_be_opened);
    tcase_add_test(files, reads_what_it_writes);
    tcase_add_test(files, reads_random_worlds);
    suite_add_tcase(suite, files);
    TCase *guests = tcase_create("guests");
    tcase_add_test(guests, kills_without_swap);
    tcase_add_test(guests, swaps_with_swap);
    tcase_add_test(guests, takes_page_cache_first);
    tcase_add_test(guests, moves_the_balloon_in_time);
    tcase_add_test(guests, keeps_the_balloon_stuck_and_above_its_limit);
    tcase_add_test(guests, shrinks_below_use_without_killing);
    tcase_add_test(guests, touches_what_it_uses);
    tcase_add_test(guests, reports_when_asked);
    tcase_add_test(guests, lies);
    tcase_add_test(guests, starts_anew);
    suite_add_tcase(suite, guests);
    return suite;
}
