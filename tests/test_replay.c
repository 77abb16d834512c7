/* test_replay.c - cycles decided again: nothing differs under the same settings, what must differ
 * under others does. */
#include "ideal.h"
#include "replay.h"

#include <stdlib.h>
#include <string.h>

enum { CYCLES = 60 };

/* A host of which every cycle is written down. */
struct bench {
    struct world world;
    enum coordinator_request requests[WORLD_MOST];
    char *lines[CYCLES];
};

/* As the coordinator does: what was decided is asked for, then the cycle is written down. */
static char *write_cycle(struct bench *bench, bool with_memory)
{
    struct world *world = &bench->world;
    struct record_origin origin = {0};
    struct policy_memory after[WORLD_MOST];
    memcpy(after, world->memory, sizeof(after));
    for (size_t i = 0; i < world->snapshot.count; i++) {
        bool is_asked = world->decisions[i].action != POLICY_HOLD;
        bench->requests[i] = is_asked ? COORDINATOR_MADE : COORDINATOR_NONE;
        if (is_asked)
            policy_asked(&after[i], &world->decisions[i], world->snapshot.now_usec);
    }
    struct coordinator_view view = {
        .uri = "test:///default",
        .is_connected = true,
        .policy = world->config,
        .snapshot = &world->snapshot,
        .limits = world->limits,
        .memory = after,
        .decisions = world->decisions,
        .requests = bench->requests,
        .host = world->host,
    };
    return record_format(&view, &origin, with_memory);
}

static struct bench *open_bench(void)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    ck_assert_ptr_nonnull(bench);
    bench->world = world_make_course(4 * GIB);
    bench->world.domains[3].has_balloon = false;
    bench->world.domains[3].obstacle = OBSTACLE_NO_BALLOON;
    for (size_t i = 0; i < CYCLES; i++) {
        bench->world.used_kib[0] += i < CYCLES / 2 ? 25 * MIB : 0;
        bench->world.used_kib[1] = (180 + i % 7 * 30) * MIB;
        world_decide(&bench->world);
        bench->lines[i] = write_cycle(bench, i == 0);
        world_advance(&bench->world);
    }
    return bench;
}

static void close_bench(struct bench *bench)
{
    for (size_t i = 0; i < CYCLES; i++)
        free(bench->lines[i]);
    free(bench);
}

static void take(struct replay *replay, const char *line)
{
    struct record record;
    char error[RECORD_ERROR_BYTES];
    ck_assert_msg(record_parse(line, strlen(line), &record, error) == 0, "%s", error);
    ck_assert_int_eq(replay_take(replay, &record), 0);
}

static struct replay_totals replay_all(const struct bench *bench, const struct replay_rules *rules,
                                       char **ret_text)
{
    size_t size;
    FILE *output = open_memstream(ret_text, &size);
    struct replay *replay = replay_new(rules, output);
    for (size_t i = 0; i < CYCLES; i++)
        take(replay, bench->lines[i]);
    struct replay_totals totals = replay_totals(replay);
    replay_free(replay);
    fclose(output);
    return totals;
}

/* What was written before it was told why a guest cannot balloon, and what keeps it busy. */
static void age(char *line)
{
    static const char *const news[] = {"\"job\":\"none\",", "\"obstacle\":\"no-balloon\",",
                                       "\"obstacle\":\"none\","};
    for (size_t i = 0; i < COUNT_OF(news); i++)
        for (char *at; (at = strstr(line, news[i])) != NULL;)
            memmove(at, at + strlen(news[i]), strlen(at + strlen(news[i])) + 1);
}

START_TEST(nothing_differs_in_an_old_record)
{
    char *text;
    struct bench *bench = open_bench();
    ck_assert_ptr_nonnull(strstr(bench->lines[0], "\"obstacle\":\"no-balloon\""));
    for (size_t i = 0; i < CYCLES; i++)
        age(bench->lines[i]);
    ck_assert_ptr_null(strstr(bench->lines[0], "\"obstacle\""));
    ck_assert_ptr_null(strstr(bench->lines[0], "\"job\""));
    struct replay_rules rules = {0};
    struct replay_totals totals = replay_all(bench, &rules, &text);
    ck_assert_uint_eq(totals.cycles, CYCLES - 1);
    ck_assert_uint_eq(totals.differences, 0);
    free(text);
    close_bench(bench);
}
END_TEST

START_TEST(nothing_differs_under_the_same_settings)
{
    struct bench *bench = open_bench();
    char *text;
    struct replay_totals totals = replay_all(bench, &(struct replay_rules){0}, &text);
    ck_assert_uint_eq(totals.beginnings, 1);
    ck_assert_uint_eq(totals.cycles, CYCLES - 1);
    ck_assert_uint_eq(totals.decisions, 4 * (CYCLES - 1));
    ck_assert_msg(totals.differences == 0, "%s", text);
    ck_assert_str_eq(text, "");
    free(text);
    close_bench(bench);
}
END_TEST

START_TEST(a_larger_reserve_takes_from_guests)
{
    static const struct replay_knob reserve = {"host-reserve", "3GiB"};
    struct bench *bench = open_bench();
    char *text;
    struct replay_totals totals =
        replay_all(bench, &(struct replay_rules){.knobs = &reserve, .knob_count = 1}, &text);
    ck_assert_uint_gt(totals.differences, 0);
    ck_assert_ptr_nonnull(strstr(text, "would be: "));
    ck_assert_ptr_nonnull(strstr(text, "others need it more")); /* they give to the host */
    free(text);
    close_bench(bench);
}
END_TEST

START_TEST(another_configuration_holds_for_all)
{
    struct bench *bench = open_bench();
    struct config config = config_default();
    char error[CONFIG_ERROR_BYTES];
    char *text;
    ck_assert_int_eq(config_set(&config, "min", "700MiB", error), 0);
    struct replay_totals totals =
        replay_all(bench, &(struct replay_rules){.config = &config}, &text);
    ck_assert_uint_gt(totals.differences, 0);
    ck_assert_ptr_nonnull(strstr(text, "-> 700.0 MiB"));
    free(text);
    close_bench(bench);
}
END_TEST

/* It can only go on from a line that brings what was remembered. */
START_TEST(a_record_without_its_beginning_is_left_out)
{
    struct bench *bench = open_bench();
    struct replay *replay = replay_new(&(struct replay_rules){0}, NULL);
    for (size_t i = 10; i < 20; i++)
        take(replay, bench->lines[i]);
    ck_assert_uint_eq(replay_totals(replay).cycles, 0);
    take(replay, bench->lines[0]);
    take(replay, bench->lines[1]);
    ck_assert_uint_eq(replay_totals(replay).cycles, 1);
    ck_assert_uint_eq(replay_totals(replay).differences, 0);
    replay_free(replay);
    replay_free(NULL);
    close_bench(bench);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("replay");
    TCase *cycles = tcase_create("cycles");
    tcase_add_test(cycles, nothing_differs_under_the_same_settings);
    tcase_add_test(cycles, nothing_differs_in_an_old_record);
    tcase_add_test(cycles, a_larger_reserve_takes_from_guests);
    tcase_add_test(cycles, another_configuration_holds_for_all);
    tcase_add_test(cycles, a_record_without_its_beginning_is_left_out);
    suite_add_tcase(suite, cycles);
    return suite;
}
