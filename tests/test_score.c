/* test_score.c - what is held to be right, the gates and scores, and that the floor is one. */
#include "law.h"
#include "oracle.h"
#include "scenario.h"
#include "score.h"
#include "support.h"
#include "world.h"

#include <math.h>
#include <string.h>

enum { GUESTS = 3 };

/* ---- a world by hand ---- */

struct fixture {
    struct sim_scenario scenario;
    struct sim_guest_plan plans[GUESTS];
    struct sim_guest guests[GUESTS];
    struct policy_limits limits[GUESTS];
    struct sim_world world;
    struct score *score;
};

/* Three guests of 512 MiB that use 200; POOL_KIB for them, overheads not counted; interval 2 s. */
static void set_up(struct fixture *fixture, uint64_t pool_kib)
{
    *fixture = (struct fixture){.scenario = scenario_default()};
    uint64_t overheads = GUESTS * fixture->scenario.overhead_kib;
    for (size_t i = 0; i < GUESTS; i++) {
        fixture->plans[i] = scenario_default_guest();
        snprintf(fixture->plans[i].name, SIM_NAME_BYTES, "vm%zu", i);
        fixture->guests[i] = (struct sim_guest){
            .plan = &fixture->plans[i],
            .is_here = true,
            .is_running = true,
            .id = 1,
            .size_kib = 512 * MIB,
            .target_kib = 512 * MIB,
            .used_kib = 200 * MIB,
            .touched_kib = 200 * MIB,
            .reported_usec = 99 * SEC,
            .reported_used_kib = 200 * MIB,
            .reported_unused_kib = 312 * MIB,
            .reported_usable_kib = 312 * MIB,
        };
        fixture->limits[i] = (struct policy_limits){
            .managed = true,
            .min_kib = 200 * MIB,
            .max_kib = 2048 * MIB,
            .headroom_kib = 100 * MIB,
            .shares = POLICY_SHARES,
        };
    }
    fixture->world = (struct sim_world){
        .scenario = &fixture->scenario,
        .interval_usec = 2 * SEC,
        .now_usec = 100 * SEC,
        .total_kib = pool_kib + overheads + fixture->scenario.config.policy.host_reserve_kib,
        .guests = fixture->guests,
        .guest_count = GUESTS,
        .limits = fixture->limits,
    };
    fixture->score = score_begin(&fixture->world);
    ck_assert_ptr_nonnull(fixture->score);
}

/* The scores after a cycle in which guest 0 is asked for TARGET_KIB. */
static struct scores scores_of_order(struct fixture *fixture, uint64_t target_kib)
{
    score_cycle(fixture->score, &fixture->world);
    score_order(fixture->score, &fixture->world, 0, target_kib);
    return score_end(fixture->score, &fixture->world);
}

static void assert_gate(const char *name, const struct scores *scores, unsigned int gate)
{
    for (unsigned int i = 1; i <= SCORE_GATES; i++)
        ck_assert_msg((scores->gates[i - 1] != 0) == (i == gate), "%s: G%u: %u: %s", name, i,
                      scores->gates[i - 1], scores->notes[i - 1]);
    if (gate != 0)
        ck_assert_ptr_nonnull(strstr(scores->notes[gate - 1], "at 100.0 s: vm0: "));
}

/* ---- the oracle ---- */

/* Interval, period and latency of 2, 1 and 0.3 s at 28 MiB/s, on top of R. */
static const double HEADROOM_KIB = 100 * 1024 + 28 * 1024 * 3.3;

START_TEST(plenty_is_the_headroom_for_all)
{
    struct fixture fixture;
    double right[GUESTS];
    set_up(&fixture, 4096 * MIB);
    ck_assert_double_eq_tol(oracle_share_out(&fixture.world, right), HEADROOM_KIB, 1);
    for (size_t i = 0; i < GUESTS; i++)
        ck_assert_double_eq_tol(right[i], 200 * 1024 + HEADROOM_KIB, 1);
    score_end(fixture.score, &fixture.world);
}
END_TEST

START_TEST(scarcity_is_the_same_for_all)
{
    struct fixture fixture;
    double right[GUESTS];
    set_up(&fixture, 1500 * MIB);
    fixture.guests[1].used_kib = 400 * MIB;
    fixture.guests[2].used_kib = 600 * MIB;
    ck_assert_double_eq_tol(oracle_share_out(&fixture.world, right), 100 * 1024, 1);
    ck_assert_double_eq_tol(right[0], 300 * 1024, 1);
    ck_assert_double_eq_tol(right[1], 500 * 1024, 1);
    ck_assert_double_eq_tol(right[2], 700 * 1024, 1);
    score_end(fixture.score, &fixture.world);
}
END_TEST

START_TEST(shares_weigh_the_level)
{
    struct fixture fixture;
    double right[GUESTS];
    set_up(&fixture, 960 * MIB);
    fixture.limits[0].shares = 2 * POLICY_SHARES;
    ck_assert_double_eq_tol(oracle_share_out(&fixture.world, right), 90 * 1024, 1);
    ck_assert_double_eq_tol(right[0], 380 * 1024, 1);
    ck_assert_double_eq_tol(right[1], 290 * 1024, 1);
    score_end(fixture.score, &fixture.world);

    /* Below the level 0 who uses most for its shares yields. */
    set_up(&fixture, 1100 * MIB);
    fixture.limits[0].shares = 2 * POLICY_SHARES;
    for (size_t i = 0; i < GUESTS; i++)
        fixture.guests[i].used_kib = 400 * MIB;
    ck_assert_double_lt(oracle_share_out(&fixture.world, right), 0);
    ck_assert_double_eq_tol(right[0], 400 * 1024, 1);
    ck_assert_double_eq_tol(right[1], 350 * 1024, 1);
    score_end(fixture.score, &fixture.world);
}
END_TEST

START_TEST(who_cannot_move_keeps_its_size)
{
    struct fixture fixture;
    double right[GUESTS];
    set_up(&fixture, 1300 * MIB);
    fixture.guests[0].is_stuck = true;
    fixture.limits[1].managed = false;
    oracle_share_out(&fixture.world, right);
    ck_assert_double_eq(right[0], 512 * 1024);
    ck_assert_double_eq(right[1], 512 * 1024);
    ck_assert_double_eq_tol(right[2], (1300 - 1024) * 1024, 1);
    score_end(fixture.score, &fixture.world);
}
END_TEST

START_TEST(bounds_are_kept)
{
    struct fixture fixture;
    double right[GUESTS];
    set_up(&fixture, 4096 * MIB);
    fixture.limits[0].max_kib = 300 * MIB;
    fixture.limits[1].min_kib = 700 * MIB;
    oracle_share_out(&fixture.world, right);
    ck_assert_double_eq(right[0], 300 * 1024);
    ck_assert_double_eq(right[1], 700 * 1024);
    score_end(fixture.score, &fixture.world);
}
END_TEST

/* ---- gates ---- */

static const struct {
    const char *name;
    uint64_t pool_kib;
    uint64_t size_kib; /* of guest 0; 0: 512 MiB */
    uint64_t used_kib; /* by guest 0; 0: 200 MiB */
    uint64_t others_use_kib;
    uint64_t target_kib;
    uint64_t report_usec; /* guest 0's last; 0: a second ago */
    unsigned int gate;    /* 0: none is broken */
} orders[] = {
    {.name = "a gradual shrink", .pool_kib = 4 * GIB, .target_kib = 420 * MIB},
    {.name = "growth", .pool_kib = 4 * GIB, .target_kib = 2048 * MIB},
    {.name = "below the minimum",
     .pool_kib = 4 * GIB,
     .size_kib = 210 * MIB,
     .used_kib = 50 * MIB,
     .target_kib = 199 * MIB,
     .gate = 1},
    {.name = "above the maximum", .pool_kib = 4 * GIB, .target_kib = 2049 * MIB, .gate = 1},
    {.name = "up to the minimum",
     .pool_kib = 4 * GIB,
     .size_kib = 100 * MIB,
     .used_kib = 50 * MIB,
     .target_kib = 150 * MIB},
    {.name = "more than there is", .pool_kib = 1600 * MIB, .target_kib = 600 * MIB, .gate = 3},
    {.name = "as much as there is", .pool_kib = 1600 * MIB, .target_kib = 576 * MIB},
    {.name = "leaves less than R",
     .pool_kib = 4 * GIB,
     .used_kib = 400 * MIB,
     .target_kib = 480 * MIB,
     .gate = 4},
    {.name = "leaves less than R to one with less",
     .pool_kib = 1536 * MIB,
     .used_kib = 400 * MIB,
     .others_use_kib = 480 * MIB,
     .target_kib = 480 * MIB},
    {.name = "leaves less than half of R",
     .pool_kib = 1536 * MIB,
     .used_kib = 450 * MIB,
     .others_use_kib = 505 * MIB,
     .target_kib = 490 * MIB,
     .gate = 4},
    {.name = "not gradual", .pool_kib = 4 * GIB, .target_kib = 400 * MIB, .gate = 4},
    {.name = "on an old report",
     .pool_kib = 4 * GIB,
     .target_kib = 450 * MIB,
     .report_usec = 90 * SEC,
     .gate = 5},
};

START_TEST(orders_are_judged)
{
    struct fixture fixture;
    set_up(&fixture, orders[_i].pool_kib);
    struct sim_guest *guest = &fixture.guests[0];
    if (orders[_i].size_kib != 0)
        guest->size_kib = guest->target_kib = guest->touched_kib = orders[_i].size_kib;
    if (orders[_i].used_kib != 0)
        guest->used_kib = guest->reported_used_kib = orders[_i].used_kib;
    guest->reported_usable_kib = guest->reported_unused_kib = sim_usable_kib(guest);
    for (size_t i = 1; i < GUESTS && orders[_i].others_use_kib != 0; i++)
        fixture.guests[i].used_kib = orders[_i].others_use_kib;
    if (orders[_i].report_usec != 0) { /* it was read when it was young */
        guest->reported_usec = fixture.world.now_usec = orders[_i].report_usec;
        score_cycle(fixture.score, &fixture.world);
        fixture.world.now_usec = 100 * SEC;
    }
    struct scores scores = scores_of_order(&fixture, orders[_i].target_kib);
    assert_gate(orders[_i].name, &scores, orders[_i].gate);
}
END_TEST

/* Guest 0 is brought down to 80 of 100 MiB unused for the sake of the others. */
static struct scores scores_of_giving(struct fixture *fixture, uint64_t others_use_kib)
{
    fixture->guests[0].used_kib = fixture->guests[0].reported_used_kib = 400 * MIB;
    fixture->guests[0].reported_usable_kib = fixture->guests[0].reported_unused_kib =
        sim_usable_kib(&fixture->guests[0]);
    for (size_t i = 1; i < GUESTS; i++)
        fixture->guests[i].used_kib = others_use_kib;
    return scores_of_order(fixture, 480 * MIB);
}

/* Who has 90 unused may well have said 70. */
START_TEST(noise_may_make_another_worse_off)
{
    struct fixture fixture;
    set_up(&fixture, 1536 * MIB);
    struct scores scores = scores_of_giving(&fixture, 422 * MIB);
    assert_gate("others have more", &scores, 4);
    set_up(&fixture, 1536 * MIB);
    fixture.plans[1].noise_kib = 20 * MIB;
    scores = scores_of_giving(&fixture, 422 * MIB);
    assert_gate("others have more, but for noise", &scores, 0);
}
END_TEST

START_TEST(a_guest_paused_just_now_seems_to_run)
{
    struct fixture fixture;
    set_up(&fixture, 1536 * MIB);
    fixture.guests[1].is_running = fixture.guests[2].is_running = false;
    struct scores scores = scores_of_giving(&fixture, 480 * MIB);
    assert_gate("paused just now", &scores, 0);
    set_up(&fixture, 1536 * MIB);
    fixture.guests[1].is_running = fixture.guests[2].is_running = false;
    fixture.guests[1].reported_usec = fixture.guests[2].reported_usec = 94 * SEC;
    scores = scores_of_giving(&fixture, 480 * MIB);
    assert_gate("paused long ago", &scores, 4);
}
END_TEST

START_TEST(a_host_at_its_reserve_grows_nobody)
{
    struct fixture fixture;
    set_up(&fixture, 4 * GIB);
    fixture.world.others_kib =
        sim_available_kib(&fixture.world) - fixture.scenario.config.policy.host_reserve_kib;
    struct scores scores = scores_of_order(&fixture, 540 * MIB);
    ck_assert_uint_eq(scores.gates[1], 1);
}
END_TEST

START_TEST(two_gradual_steps_in_a_window_are_not)
{
    struct fixture fixture;
    set_up(&fixture, 4 * GIB);
    score_order(fixture.score, &fixture.world, 0, 430 * MIB);
    fixture.guests[0].size_kib = fixture.guests[0].target_kib = 430 * MIB;
    fixture.world.now_usec += 2 * SEC;
    fixture.guests[0].reported_usec = fixture.world.now_usec;
    score_order(fixture.score, &fixture.world, 0, 400 * MIB);
    struct scores scores = score_end(fixture.score, &fixture.world);
    ck_assert_uint_eq(scores.gates[3], 1);

    set_up(&fixture, 4 * GIB);
    score_order(fixture.score, &fixture.world, 0, 430 * MIB);
    fixture.guests[0].size_kib = fixture.guests[0].target_kib = 430 * MIB;
    fixture.world.now_usec += 21 * SEC / 10;
    fixture.guests[0].reported_usec = fixture.world.now_usec;
    score_order(fixture.score, &fixture.world, 0, 400 * MIB);
    scores = score_end(fixture.score, &fixture.world);
    assert_gate("apart", &scores, 0);
}
END_TEST

/* Two requests in a second, the first of which came to nothing. */
START_TEST(who_refuses_gives_nothing)
{
    struct sim_spell always = {0, 1000 * SEC};
    for (size_t refuses = 0; refuses < 2; refuses++) {
        struct fixture fixture;
        set_up(&fixture, 4 * GIB);
        fixture.plans[0].refuses = (struct sim_spells){&always, refuses};
        score_order(fixture.score, &fixture.world, 0, 430 * MIB);
        fixture.world.now_usec += SEC;
        fixture.guests[0].reported_usec = fixture.world.now_usec;
        score_order(fixture.score, &fixture.world, 0, 400 * MIB);
        struct scores scores = score_end(fixture.score, &fixture.world);
        ck_assert_uint_eq(scores.gates[3], refuses == 0);
    }
}
END_TEST

/* Another was asked for 60 MiB more than it has; by whom has begun afresh since, or by the same. */
START_TEST(what_was_promised_before_a_restart_is_not_known)
{
    struct sim_point restart = {101 * SEC, 0};
    for (size_t restarts = 0; restarts < 2; restarts++) {
        struct fixture fixture;
        set_up(&fixture, 1700 * MIB);
        fixture.scenario.restarts = (struct sim_series){&restart, restarts};
        score_order(fixture.score, &fixture.world, 1, 572 * MIB);
        fixture.guests[1].target_kib = 572 * MIB;
        fixture.world.now_usec += 2 * SEC;
        struct scores scores = scores_of_order(&fixture, 660 * MIB);
        ck_assert_uint_eq(scores.gates[2], restarts == 0);
    }
}
END_TEST

/* A kill ten seconds after a shrink, in a guest whose demand grows to WANTED_KIB over RAMP_USEC;
 * the others use OTHERS_KIB each until a second before that. */
static struct scores scores_of_kill(uint64_t wanted_kib, uint64_t ramp_usec, uint64_t pool_kib,
                                    uint64_t others_kib)
{
    struct fixture fixture;
    set_up(&fixture, pool_kib);
    struct sim_point use[] = {
        {0, 200 * MIB}, {105 * SEC - ramp_usec, 200 * MIB}, {105 * SEC, wanted_kib}};
    fixture.plans[0].use = (struct sim_series){use, COUNT_OF(use)};
    score_cycle(fixture.score, &fixture.world);
    score_order(fixture.score, &fixture.world, 0, 420 * MIB);
    for (unsigned int i = 1; i <= 50; i++) {
        struct sim_guest *guest = &fixture.guests[0];
        fixture.world.now_usec += SEC / 10;
        guest->size_kib = guest->target_kib = 420 * MIB;
        guest->used_kib = sim_series_at(&fixture.plans[0].use, fixture.world.now_usec);
        if (guest->used_kib > guest->size_kib)
            guest->used_kib = guest->size_kib;
        for (size_t j = 0; j < GUESTS; j++)
            fixture.guests[j].reported_usec = fixture.world.now_usec;
        for (size_t j = 1; j < GUESTS; j++)
            fixture.guests[j].used_kib = i < 40 ? others_kib : 200 * MIB;
        guest->kills = i == 50;
        score_step(fixture.score, &fixture.world, SEC / 10);
    }
    return score_end(fixture.score, &fixture.world);
}

START_TEST(who_is_killed_for_what_was_taken_is_counted)
{
    struct scores scores = scores_of_kill(440 * MIB, 10 * SEC, 4 * GIB, 200 * MIB);
    ck_assert_uint_eq(scores.kills, 1);
    ck_assert_uint_eq(scores.gates[5], 1);
    /* It would have been killed with what it had before, too. */
    scores = scores_of_kill(600 * MIB, 20 * SEC, 4 * GIB, 200 * MIB);
    ck_assert_uint_eq(scores.gates[5], 0);
    /* What another has freed a second before could not be handed on in time. */
    scores = scores_of_kill(440 * MIB, 10 * SEC, 1536 * MIB, 200 * MIB);
    ck_assert_uint_eq(scores.gates[5], 1);
    scores = scores_of_kill(440 * MIB, 10 * SEC, 1536 * MIB, 500 * MIB);
    ck_assert_uint_eq(scores.kills, 1);
    ck_assert_uint_eq(scores.gates[5], 0);
    /* Nobody is to provide for such growth. */
    scores = scores_of_kill(440 * MIB, 2 * SEC, 4 * GIB, 200 * MIB);
    ck_assert_uint_eq(scores.kills, 1);
    ck_assert_uint_eq(scores.gates[5], 0);
}
END_TEST

/* ---- scores ---- */

static void pass_second(struct fixture *fixture)
{
    for (int i = 0; i < 10; i++) {
        fixture->world.now_usec += SEC / 10;
        for (size_t j = 0; j < GUESTS; j++)
            fixture->guests[j].reported_usec = fixture->world.now_usec;
        score_step(fixture->score, &fixture->world, SEC / 10);
    }
}

START_TEST(shortfall_counts_where_there_was_some)
{
    struct fixture fixture;
    set_up(&fixture, 4 * GIB);
    fixture.guests[0].used_kib = 452 * MIB;
    pass_second(&fixture);
    struct scores scores = score_end(fixture.score, &fixture.world);
    ck_assert_double_eq_tol(scores.shortfall_mib_sec, 40, 0.01);
    ck_assert_double_eq_tol(scores.starved_sec, 1, 0.01);

    /* The host is full, but others have more than R. */
    set_up(&fixture, 1536 * MIB);
    fixture.guests[0].used_kib = 452 * MIB;
    pass_second(&fixture);
    scores = score_end(fixture.score, &fixture.world);
    ck_assert_double_eq_tol(scores.shortfall_mib_sec, 40, 0.01);

    /* Nobody has any. */
    set_up(&fixture, 1536 * MIB);
    for (size_t i = 0; i < GUESTS; i++)
        fixture.guests[i].used_kib = 452 * MIB;
    pass_second(&fixture);
    scores = score_end(fixture.score, &fixture.world);
    ck_assert_double_eq_tol(scores.shortfall_mib_sec, 0, 0.01);
    ck_assert_double_eq_tol(scores.starved_sec, 0, 0.01);
}
END_TEST

START_TEST(waste_is_beyond_headroom_and_cache)
{
    struct fixture fixture;
    set_up(&fixture, 4 * GIB);
    struct sim_point cache = {0, 50 * MIB};
    fixture.plans[0].cache = (struct sim_series){&cache, 1};
    fixture.guests[1].is_stuck = true;
    pass_second(&fixture);
    struct scores scores = score_end(fixture.score, &fixture.world);
    double beyond = 312 - HEADROOM_KIB / 1024;
    ck_assert_double_eq_tol(scores.waste_mib_sec, 2 * beyond - 50, 0.1);
}
END_TEST

START_TEST(fairness_is_that_of_scarcity_at_rest)
{
    struct fixture fixture;
    set_up(&fixture, 1040 * MIB);
    const uint64_t sizes[GUESTS] = {300 * MIB, 340 * MIB, 400 * MIB};
    for (size_t i = 0; i < GUESTS; i++)
        fixture.guests[i].size_kib = fixture.guests[i].target_kib = fixture.guests[i].touched_kib =
            sizes[i];
    for (int i = 0; i < 60; i++)
        pass_second(&fixture);
    struct scores scores = score_end(fixture.score, &fixture.world);
    ck_assert_double_eq_tol(scores.fairness, 0.5, 0.01);
    ck_assert_double_lt(scores.jain, 1);
}
END_TEST

START_TEST(least_moved_is_lazy)
{
    struct fixture fixture;
    set_up(&fixture, 4 * GIB);
    /* Right is 300 MiB more for a while, then what it was: 3 seconds after, and for good. */
    const uint64_t used[] = {200, 200, 500, 500, 200, 200, 200, 500, 500, 200};
    double first = 200 + HEADROOM_KIB / 1024;
    double least = 0;
    double size = 512;
    for (size_t i = 0; i < COUNT_OF(used); i++) {
        for (size_t j = 0; j < GUESTS; j++)
            fixture.guests[j].used_kib = used[i] * MIB;
        score_cycle(fixture.score, &fixture.world);
        fixture.world.now_usec += 2 * SEC;
        double right = first - 200 + (double)used[i];
        double most = i < 2 || i == 6 ? first : first + 300; /* kept for 5.3 s */
        double low = right - fmax(8, right / 100);
        double high = most + 2 * fmax(8, most / 100);
        double next = fmax(low, fmin(size, high));
        least += fabs(next - size);
        size = next;
    }
    struct scores scores = score_end(fixture.score, &fixture.world);
    ck_assert_double_eq_tol(scores.least_moved_mib, GUESTS * least, 0.1);
}
END_TEST

/* 300 MiB more for a while, of which the pool has 100: to linger there would keep from others what
 * they lack, so that there is more to move than where there is plenty. */
START_TEST(nobody_lingers_where_others_lack)
{
    double moved[2];
    const uint64_t pools_kib[] = {4 * GIB, 1500 * MIB};
    for (size_t run = 0; run < 2; run++) {
        struct fixture fixture;
        set_up(&fixture, pools_kib[run]);
        for (size_t i = 0; i < 30; i++) { /* one after the other has a need for two seconds */
            for (size_t j = 0; j < GUESTS; j++)
                fixture.guests[j].used_kib = (j == i % GUESTS ? 800 : 200) * MIB;
            score_cycle(fixture.score, &fixture.world);
            fixture.world.now_usec += 2 * SEC;
        }
        moved[run] = score_end(fixture.score, &fixture.world).least_moved_mib;
    }
    ck_assert_double_gt(moved[1], 2 * moved[0]);
}
END_TEST

/* ---- the floor ---- */

/* One guest that uses 180 MiB and then what USE says, beside an idle one, on an ample host. */
static struct scores play_floor(const struct sim_point *use, size_t count, uint64_t interval_usec,
                                uint64_t seed)
{
    struct sim_scenario scenario = scenario_default();
    struct sim_guest_plan plan = scenario_default_guest();
    scenario.length_usec = 90 * SEC;
    scenario.host_kib[0] = 8 * GIB;
    plan.latency_usec = 0;
    strcpy(plan.name, "busy");
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(scenario_add_point(&plan.use, use[i].at_usec, use[i].kib), 0);
    ck_assert_int_eq(scenario_add_guest(&scenario, &plan), 0);
    scenario_release_guest(&plan);
    struct sim_run run = {
        .scenario = &scenario,
        .interval_usec = interval_usec,
        .seed = seed,
        .law = law_find("floor"),
    };
    struct scores scores;
    ck_assert_int_eq(world_play(&run, &scores), 0);
    scenario_release(&scenario);
    for (size_t i = 0; i < SCORE_GATES; i++)
        ck_assert_msg(scores.gates[i] == 0, "%s", scores.notes[i]);
    return scores;
}

/*
 * A step of all the headroom: e = R is missing until it has been reported, on average half a period
 * later, and a cycle has come, half an interval later, and until the balloon has brought it.
 */
START_TEST(floor_of_a_step_is_as_reckoned)
{
    const uint64_t intervals_sec[] = {1, 2, 5};
    uint64_t interval = intervals_sec[_i];
    double missing = 100;
    double headroom = missing + 28 * ((double)interval + 1.3);
    double wanted = missing * ((double)interval + 1) / 2 + missing * missing / (2 * 1000.0);
    double sum = 0;
    unsigned int runs = 0;
    for (uint64_t phase = 0; phase < interval * 10; phase++)
        for (uint64_t seed = 1; seed <= 10; seed++) {
            uint64_t at = 60 * SEC + phase * SIM_STEP_USEC;
            uint64_t most = 180 * MIB + (uint64_t)(headroom * 1024) - MIB;
            const struct sim_point use[] = {{0, 180 * MIB}, {at, 180 * MIB}, {at, most}};
            sum += play_floor(use, COUNT_OF(use), interval * SEC, seed).shortfall_mib_sec;
            runs++;
        }
    ck_assert_double_eq_tol(sum / runs, wanted, wanted / 5);
}
END_TEST

START_TEST(floor_of_a_ramp_is_none)
{
    const uint64_t intervals_sec[] = {1, 2, 5};
    for (uint64_t seed = 1; seed <= 20; seed++) {
        const struct sim_point use[] = {
            {0, 180 * MIB}, {30 * SEC, 180 * MIB}, {80 * SEC, 1580 * MIB}};
        struct scores scores = play_floor(use, COUNT_OF(use), intervals_sec[_i] * SEC, seed);
        ck_assert_double_eq_tol(scores.shortfall_mib_sec, 0, 0.001);
        ck_assert_uint_eq(scores.kills, 0);
    }
}
END_TEST

START_TEST(laws_have_names)
{
    for (const struct law *law = laws; law->name != NULL; law++)
        ck_assert_ptr_eq(law_find(law->name), law);
    ck_assert_ptr_null(law_find("nobody"));
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("score");
    TCase *cases = tcase_create("oracle");
    tcase_add_test(cases, plenty_is_the_headroom_for_all);
    tcase_add_test(cases, scarcity_is_the_same_for_all);
    tcase_add_test(cases, shares_weigh_the_level);
    tcase_add_test(cases, who_cannot_move_keeps_its_size);
    tcase_add_test(cases, bounds_are_kept);
    suite_add_tcase(suite, cases);

    cases = tcase_create("gates");
    tcase_add_loop_test(cases, orders_are_judged, 0, COUNT_OF(orders));
    tcase_add_test(cases, a_host_at_its_reserve_grows_nobody);
    tcase_add_test(cases, noise_may_make_another_worse_off);
    tcase_add_test(cases, a_guest_paused_just_now_seems_to_run);
    tcase_add_test(cases, two_gradual_steps_in_a_window_are_not);
    tcase_add_test(cases, who_refuses_gives_nothing);
    tcase_add_test(cases, what_was_promised_before_a_restart_is_not_known);
    tcase_add_test(cases, who_is_killed_for_what_was_taken_is_counted);
    suite_add_tcase(suite, cases);

    cases = tcase_create("scores");
    tcase_add_test(cases, shortfall_counts_where_there_was_some);
    tcase_add_test(cases, waste_is_beyond_headroom_and_cache);
    tcase_add_test(cases, fairness_is_that_of_scarcity_at_rest);
    tcase_add_test(cases, least_moved_is_lazy);
    tcase_add_test(cases, nobody_lingers_where_others_lack);
    suite_add_tcase(suite, cases);

    cases = tcase_create("floor");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, floor_of_a_step_is_as_reckoned, 0, 3);
    tcase_add_loop_test(cases, floor_of_a_ramp_is_none, 0, 3);
    tcase_add_test(cases, laws_have_names);
    suite_add_tcase(suite, cases);
    return suite;
}
