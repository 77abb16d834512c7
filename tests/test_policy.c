/* test_policy.c - the decision: as tables, over time around ideal guests, and as laws over random
 * worlds. */
#include "arithmetic.h"
#include "ideal.h"

#include <stdlib.h>
#include <string.h>

/* ---- one guest, one decision: a table ---- */

/* A guest of up to 2048 MiB, seen at rest twice, at the second time as the row says (MiB). */
static const struct {
    const char *name;
    uint64_t actual;
    uint64_t used;
    uint64_t host; /* beside the guest itself */
    enum policy_action want;
    enum policy_reason reason;
    enum policy_bound bound;
    uint64_t target_kib; /* 0: does not matter */
} single[] = {
    {"settled", 345, 180, 4096, POLICY_HOLD, POLICY_SETTLED, POLICY_UNBOUND, 345 * MIB},
    {"grows in one step to what it uses and its headroom", 1000, 980, 4096, POLICY_GROW,
     POLICY_STARVING, POLICY_UNBOUND, 980 * MIB + 100 * MIB + 28 * MIB * 23 / 10},
    {"needs, not starving", 1000, 880, 4096, POLICY_GROW, POLICY_NEEDS, POLICY_UNBOUND, 0},
    {"dead band of growth: 8 MiB", 512, 355, 4096, POLICY_HOLD, POLICY_SETTLED,
     POLICY_BOUND_DEAD_BAND, 512 * MIB},
    {"above it", 512, 357, 4096, POLICY_GROW, POLICY_NEEDS, POLICY_UNBOUND, 0},
    {"dead band of a large guest: 1 %, but no more than a quarter of what is beyond R", 2000, 1851,
     4096, POLICY_HOLD, POLICY_SETTLED, POLICY_BOUND_DEAD_BAND, 2000 * MIB},
    {"above that quarter, 16 MiB", 2000, 1853, 4096, POLICY_GROW, POLICY_NEEDS, POLICY_UNBOUND, 0},
    {"starving: no dead band", 2040, 1941, 4096, POLICY_GROW, POLICY_STARVING, POLICY_BOUND_MAX,
     2048 * MIB},
    {"no further than its maximum", 2048, 2040, 4096, POLICY_HOLD, POLICY_STARVING,
     POLICY_BOUND_MAX, 2048 * MIB},
    {"gives back in steps: 1/16 at 1 s", 1600, 180, 4096, POLICY_SHRINK, POLICY_SPARE,
     POLICY_BOUND_GRADUAL, 1500 * MIB},
    {"gives back the last bit whole", 366, 180, 4096, POLICY_SHRINK, POLICY_SPARE, POLICY_UNBOUND,
     180 * MIB + 100 * MIB + 28 * MIB * 23 / 10},
    {"dead band of giving: 16 MiB", 360, 180, 4096, POLICY_HOLD, POLICY_SETTLED, POLICY_UNBOUND,
     360 * MIB},
    {"below the minimum: grows to it", 150, 90, 4096, POLICY_GROW, POLICY_STARVING, POLICY_UNBOUND,
     90 * MIB + 100 * MIB + 28 * MIB * 23 / 10},
    {"host at its reserve: nothing grows", 512, 500, 200, POLICY_HOLD, POLICY_STARVING,
     POLICY_BOUND_POOL, 512 * MIB},
    {"host 50 MiB above it: no more than that", 512, 500, 250, POLICY_GROW, POLICY_STARVING,
     POLICY_BOUND_POOL, (512 + 50) * MIB},
    {"host under its reserve: gives, but keeps 100 MiB", 290, 180, 100, POLICY_SHRINK,
     POLICY_DONATES, POLICY_UNBOUND, 280 * MIB},
    {"host under its reserve: has no more than 100", 275, 180, 100, POLICY_HOLD, POLICY_STARVING,
     POLICY_BOUND_POOL, 275 * MIB},
};

START_TEST(decides_for_one_guest)
{
    struct world world = world_make(0);
    uint64_t actual = single[_i].actual * MIB;
    world_add(&world, actual, single[_i].used * MIB, 2048 * MIB);
    world.host_kib = single[_i].host * MIB + actual + OVERHEAD_KIB;
    world_decide(&world);
    memset(world.decisions, 0, sizeof(world.decisions));
    world_advance(&world); /* seen at rest, nothing done */
    world_decide(&world);
    const struct policy_decision *got = &world.decisions[0];
    const char *name = single[_i].name;
    ck_assert_msg(got->action == single[_i].want, "%s: action %d", name, got->action);
    ck_assert_msg(got->reason == single[_i].reason, "%s: reason %d", name, got->reason);
    ck_assert_msg(got->bound == single[_i].bound, "%s: bound %d", name, got->bound);
    ck_assert_uint_eq(got->used_kib, single[_i].used * MIB);
    if (single[_i].target_kib != 0)
        ck_assert_msg(got->target_kib == single[_i].target_kib, "%s: target %lu KiB, not %lu", name,
                      got->target_kib, single[_i].target_kib);
}
END_TEST

START_TEST(stops_at_the_minimum)
{
    struct world world = world_make_course(16 * GIB);
    for (size_t i = 0; i < 4; i++)
        world.limits[i].min_kib = 450 * MIB;
    world.config.host_reserve_kib = 15 * GIB; /* short: it gives what it can */
    world_run(&world, 40);
    for (size_t i = 0; i < 4; i++)
        ck_assert_uint_eq(world.domains[i].actual_kib.value, 450 * MIB);
}
END_TEST

/* A host full of guests that have what they should have, and some of whose memory is asked for one
 * that is to start: they give of their headrooms, and nobody goes below R or his minimum. */
START_TEST(frees_what_is_reserved)
{
    struct world world = world_make_course(0);
    world.limits[0].min_kib = 330 * MIB;
    world.host_kib = 4 * (345 * MIB + OVERHEAD_KIB) + world.config.host_reserve_kib;
    for (size_t i = 0; i < 4; i++)
        world.domains[i].actual_kib.value = 345 * MIB;
    for (size_t i = 0; i < 4; i++)
        world.domains[i].rss_kib.value = 345 * MIB + OVERHEAD_KIB;
    world_run(&world, 5);
    ck_assert_uint_eq(world.domains[1].actual_kib.value, 345 * MIB);
    world.snapshot.host.reserved_kib = 100 * MIB;
    world_decide(&world);
    ck_assert_uint_eq(world.host.unmet_kib, 100 * MIB);
    world_run(&world, 6);
    ck_assert_uint_eq(world.host.unmet_kib, 0);
    ck_assert_uint_ge(world.domains[0].actual_kib.value, 330 * MIB);
    ck_assert_uint_ge(world.snapshot.host.available_kib, 100 * MIB + world.config.host_reserve_kib);
    world.snapshot.host.reserved_kib = GIB; /* more than can be had */
    world_run(&world, 20);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_uint_ge(world_unused_kib(&world, i), 100 * MIB);
        ck_assert_uint_ge(world.domains[i].actual_kib.value, world.limits[i].min_kib);
    }
    ck_assert_uint_gt(world.host.unmet_kib, 0);
    ck_assert_uint_lt(world.host.unmet_kib, GIB - 100 * MIB); /* what could be had was */
}
END_TEST

/* All of it: not all but what each of many holds to be too little for a call. */
START_TEST(frees_the_last_bit_of_what_is_reserved)
{
    static const uint64_t reserved_kib[] = {20, MIB, 7 * MIB, 31 * MIB};
    struct world world = world_make(0);
    world.host_kib = world.config.host_reserve_kib;
    for (size_t i = 0; i < 16; i++) {
        world_add(&world, 345 * MIB, 180 * MIB, 2048 * MIB);
        world.domains[i].rss_kib.value = 345 * MIB + OVERHEAD_KIB;
        world.host_kib += 345 * MIB + OVERHEAD_KIB;
    }
    world_run(&world, 5);
    world.snapshot.host.reserved_kib = reserved_kib[_i];
    world_decide(&world);
    ck_assert_uint_eq(world.host.unmet_kib, reserved_kib[_i]);
    world_run(&world, 10);
    ck_assert_uint_eq(world.host.unmet_kib, 0);
}
END_TEST

/* What is kept for one that is to start is nobody else's to grow into. */
START_TEST(what_is_reserved_is_granted_to_nobody)
{
    struct world world = world_make(0);
    world_add(&world, 512 * MIB, 180 * MIB, 2048 * MIB);
    world.host_kib = 512 * MIB + OVERHEAD_KIB + world.config.host_reserve_kib + GIB;
    world.snapshot.host.reserved_kib = GIB - 100 * MIB;
    world_run(&world, 3);
    world.used_kib[0] = 1500 * MIB; /* as much as it can */
    world_run(&world, 10);
    ck_assert_uint_le(world.domains[0].actual_kib.value, (512 + 100) * MIB);
    ck_assert_uint_eq(world.host.unmet_kib, 0);
    world.snapshot.host.reserved_kib = 0;
    world_run(&world, 10);
    ck_assert_uint_gt(world.domains[0].actual_kib.value, 1200 * MIB);
}
END_TEST

/* ---- bad statistics: a table of damages to a guest that would otherwise be made to give ---- */

static void lose_unused(struct domain *domain)
{
    domain->unused_kib.known = false;
}

static void lose_available(struct domain *domain)
{
    domain->available_kib.known = false;
}

static void switch_reports_off(struct domain *domain)
{
    domain->period_sec = 0;
}

static void never_update(struct domain *domain)
{
    domain->last_update_sec.value = 0;
}

static void lose_actual(struct domain *domain)
{
    domain->actual_kib.known = false;
}

static void lose_balloon(struct domain *domain)
{
    domain->has_balloon = false;
}

static void begin_to_migrate(struct domain *domain)
{
    domain->job = JOB_LEAVES;
}

static void be_saved(struct domain *domain)
{
    domain->job = JOB_SAVES;
    domain->is_running = false;
}

static void arrive(struct domain *domain)
{
    domain->job = JOB_ARRIVES;
    domain->is_running = false;
    domain->current_kib = domain->actual_kib.value;
    domain->actual_kib = domain->rss_kib = domain->last_update_sec = (struct figure){0};
}

static void claim_more_unused_than_there_is(struct domain *domain)
{
    domain->unused_kib.value = domain->available_kib.value + 1;
}

static void claim_more_than_its_maximum(struct domain *domain)
{
    domain->available_kib.value = domain->max_kib + 1;
}

static void claim_everything(struct domain *domain)
{
    domain->available_kib.value = domain->unused_kib.value = UINT64_MAX;
}

static void be_larger_than_possible(struct domain *domain)
{
    domain->actual_kib.value = UINT64_MAX - 5;
}

static void be_of_no_size(struct domain *domain)
{
    domain->actual_kib.value = 0;
}

static const struct {
    const char *name;
    void (*damage)(struct domain *domain);
    enum policy_reason reason;
} damages[] = {
    {"no unused", lose_unused, POLICY_NO_NEWS},
    {"no available", lose_available, POLICY_NO_NEWS},
    {"reports switched off", switch_reports_off, POLICY_NO_NEWS},
    {"never updated", never_update, POLICY_NO_NEWS},
    {"no actual", lose_actual, POLICY_UNREAD},
    {"no balloon", lose_balloon, POLICY_NO_BALLOON},
    {"migrates", begin_to_migrate, POLICY_BUSY},
    {"is saved", be_saved, POLICY_BUSY},
    {"arrives", arrive, POLICY_BUSY},
    {"unused > available", claim_more_unused_than_there_is, POLICY_IMPOSSIBLE},
    {"available > max", claim_more_than_its_maximum, POLICY_IMPOSSIBLE},
    {"unused = available = 2^64-1", claim_everything, POLICY_IMPOSSIBLE},
    {"actual > max", be_larger_than_possible, POLICY_IMPOSSIBLE},
    {"actual = 0", be_of_no_size, POLICY_IMPOSSIBLE},
};

START_TEST(holds_without_good_statistics)
{
    struct world world = world_make_course(16 * GIB);
    world_decide(&world);
    memset(world.decisions, 0, sizeof(world.decisions));
    world_advance(&world);
    damages[_i].damage(&world.domains[2]);
    world_decide(&world);
    const char *name = damages[_i].name;
    ck_assert_msg(world.decisions[2].action == POLICY_HOLD, "%s: acts", name);
    ck_assert_msg(world.decisions[2].reason == damages[_i].reason, "%s: reason %d", name,
                  world.decisions[2].reason);
    /* the others are decided on as ever */
    for (size_t i = 0; i < 4; i++)
        ck_assert_msg(i == 2 || world.decisions[i].action == POLICY_SHRINK, "%s: guest %zu", name,
                      i);
}
END_TEST

START_TEST(a_guest_of_impossible_size_counts_for_its_maximum)
{
    struct world world = world_make_course(16 * GIB);
    be_larger_than_possible(&world.domains[2]);
    world.used_kib[0] = 500 * MIB;
    world_run(&world, 2);
    ck_assert_uint_eq(world.decisions[2].owed_kib, 2048 * MIB);
    ck_assert_int_eq(world.decisions[0].action, POLICY_GROW); /* it hurts only itself */
}
END_TEST

/* ---- news ---- */

START_TEST(stale_statistics_hold)
{
    struct world world = world_make_course(16 * GIB);
    world_run(&world, 2);
    struct domain frozen = world.domains[1];
    for (unsigned int second = 1; second <= 10; second++) {
        world_decide(&world);
        bool stale = world.decisions[1].reason == POLICY_STALE;
        ck_assert_msg(stale == (second > 5), "after %u s: stale %d", second, stale);
        ck_assert(!stale || world.decisions[1].action == POLICY_HOLD);
        world_advance(&world);
        frozen.actual_kib = world.domains[1].actual_kib;
        world.domains[1] = frozen;
    }
    world_report(&world.domains[1], 180 * MIB, 2000);
    world_decide(&world);
    ck_assert_int_ne(world.decisions[1].reason, POLICY_STALE);
}
END_TEST

/* At long intervals every look finds a report that is new, and may be nearly an interval old. */
START_TEST(a_report_is_dated_by_the_youngest_of_before)
{
    static const uint64_t intervals_usec[] = {10 * SEC, 60 * SEC, 300 * SEC};
    struct world world = world_make_course(16 * GIB);
    world.config.interval_usec = intervals_usec[_i];
    world_run(&world, 3);
    world.domains[1].last_update_sec.value -= 8; /* it froze 8 s before this look */
    world_decide(&world);
    ck_assert_int_eq(world.decisions[1].reason, POLICY_STALE);
    ck_assert_int_ne(world.decisions[0].reason, POLICY_STALE);
}
END_TEST

/* Reports are dated by the host's clock: when that jumps, all are. */
START_TEST(dates_that_jump_are_lived_with)
{
    static const int64_t jumps_sec[] = {-900, 86400};
    struct world world = world_make_course(16 * GIB);
    world_run(&world, 30);
    for (unsigned int second = 0; second < 20; second++) {
        for (size_t i = 0; i < 4; i++)
            world.domains[i].last_update_sec.value += (uint64_t)jumps_sec[_i];
        world_decide(&world);
        for (size_t i = 0; i < 4; i++)
            ck_assert_int_eq(world.decisions[i].reason, POLICY_SETTLED);
        world_advance(&world);
    }
}
END_TEST

START_TEST(an_old_first_report_is_stale_until_it_changes)
{
    struct world world = world_make_course(16 * GIB);
    world.snapshot.wall_sec = 1005; /* the reports are of 1000 */
    world_decide(&world);
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(world.decisions[i].reason, POLICY_STALE);
    world_advance(&world);
    world_decide(&world);
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_ne(world.decisions[i].reason, POLICY_STALE);
}
END_TEST

START_TEST(wall_clock_jumps_change_nothing)
{
    static const int64_t jumps[] = {-86400, 86400, INT64_MIN / 2, INT64_MAX / 2};
    for (size_t j = 0; j < COUNT_OF(jumps); j++) {
        struct world straight = world_make_course(16 * GIB);
        struct world jumping = world_make_course(16 * GIB);
        for (unsigned int i = 0; i < 10; i++) {
            world_cycle(&straight);
            world_decide(&jumping);
            world_advance(&jumping);
            jumping.snapshot.wall_sec = jumps[j];
        }
        ck_assert_mem_eq(straight.decisions, jumping.decisions, sizeof(straight.decisions));
    }
}
END_TEST

START_TEST(a_new_guest_is_not_shrunk_before_it_was_seen_at_rest)
{
    struct world world = world_make_course(16 * GIB);
    world_decide(&world);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(world.decisions[i].action, POLICY_HOLD);
        ck_assert_int_eq(world.decisions[i].bound, POLICY_BOUND_GRACE);
    }
    /* its balloon is still coming down from the maximum: not at rest */
    world_advance(&world);
    world.domains[0].actual_kib.value -= 50 * MIB;
    world_decide(&world);
    ck_assert_int_eq(world.decisions[0].bound, POLICY_BOUND_GRACE);
    ck_assert_int_eq(world.decisions[1].action, POLICY_SHRINK);
}
END_TEST

/* ---- over time ---- */

START_TEST(idle_guests_settle_and_then_need_no_call)
{
    struct world world = world_make_course(16 * GIB);
    world_run(&world, 40);
    for (unsigned int i = 0; i < 60; i++) {
        world_cycle(&world);
        ck_assert_uint_eq(world.moves, 0);
    }
    for (size_t i = 0; i < 4; i++) {
        ck_assert_uint_ge(world_unused_kib(&world, i), DEFAULT_HEADROOM_KIB);
        ck_assert_uint_le(world_unused_kib(&world, i), DEFAULT_HEADROOM_KIB + 16 * MIB);
    }
}
END_TEST

/* A ramp of the surge rate, unannounced, at the given interval: R stays unused, idle guests never
 * grow. */
START_TEST(a_ramp_never_starves)
{
    static const uint64_t intervals_usec[] = {SEC / 2, SEC, 2 * SEC, 5 * SEC};
    uint64_t interval_usec = intervals_usec[_i];
    struct world world = world_make_course(16 * GIB);
    world.config.interval_usec = interval_usec;
    world_run(&world, 60);
    uint64_t band_kib = 16 * MIB;
    while (world.used_kib[0] < 1500 * MIB) {
        world_decide(&world);
        world.used_kib[0] += 28 * MIB * interval_usec / SEC;
        world_advance(&world);
        ck_assert_uint_ge(world_unused_kib(&world, 0) + band_kib, 100 * MIB);
        ck_assert_uint_le(world_unused_kib(&world, 0), 450 * MIB);
        for (size_t i = 1; i < 4; i++)
            ck_assert_uint_le(world.domains[i].actual_kib.value, 512 * MIB);
    }
}
END_TEST

START_TEST(what_is_freed_goes_back_gradually)
{
    static const uint64_t intervals_usec[] = {SEC / 10, SEC / 2, SEC, 2 * SEC, 3 * SEC, 5 * SEC};
    uint64_t interval_usec = intervals_usec[_i];
    struct world world = world_make_course(16 * GIB);
    world.config.interval_usec = interval_usec;
    for (size_t i = 0; i < 4; i++)
        world.used_kib[i] = 1300 * MIB;
    world_run(&world, 20);
    for (size_t i = 0; i < 4; i++)
        world.used_kib[i] = 180 * MIB;
    uint64_t sizes[500];
    unsigned int window = (unsigned int)(2 * SEC / interval_usec);
    unsigned int cycles = (unsigned int)(45 * SEC / interval_usec);
    for (unsigned int at = 0; at < cycles; at++) {
        sizes[at] = world.domains[0].actual_kib.value;
        uint64_t before = sizes[at > window ? at - window : 0];
        ck_assert_uint_ge(sizes[at], before - before / 5);
        world_cycle(&world);
    }
    ck_assert_uint_lt(world.domains[0].actual_kib.value, 600 * MIB);
}
END_TEST

START_TEST(a_moving_balloon_is_not_taken_for_use)
{
    /* The report is a second old: the balloon has moved since, the guest has not. */
    struct world world = world_make_course(16 * GIB);
    world_run(&world, 40);
    world.used_kib[0] = 330 * MIB;
    for (unsigned int i = 0; i < 20; i++) {
        struct domain reported = world.domains[0];
        world_cycle(&world);
        uint64_t actual = world.domains[0].actual_kib.value;
        reported.actual_kib.value = actual;
        reported.rss_kib = world.domains[0].rss_kib;
        reported.last_update_sec.value = world.domains[0].last_update_sec.value - 1;
        world.domains[0] = reported;
        ck_assert_uint_le(actual, 330 * MIB + DEFAULT_HEADROOM_KIB + 28 * MIB);
        world_cycle(&world);
    }
}
END_TEST

/* With autodeflate, and on Windows, a guest sees its maximum at any size and counts the balloon as
 * used. */
START_TEST(a_ramp_of_a_guest_that_counts_its_balloon_never_starves)
{
    static const uint64_t intervals_usec[] = {SEC / 2, SEC, 2 * SEC, 5 * SEC};
    struct world world = world_make_course(16 * GIB);
    struct domain *domain = &world.domains[0];
    world.config.interval_usec = intervals_usec[_i];
    for (unsigned int i = 0; world.used_kib[0] < 1500 * MIB; i++) {
        domain->available_kib.value = domain->max_kib - UNSEEN_KIB;
        world_decide(&world);
        if (i > 40)
            world.used_kib[0] += 28 * MIB * intervals_usec[_i] / SEC;
        world_advance(&world);
        ck_assert_uint_ge(world_unused_kib(&world, 0), 64 * MIB);
        ck_assert_uint_le(world_unused_kib(&world, 0), 450 * MIB);
    }
}
END_TEST

/* What it uses of what it has just been given is not known before its balloon rests. */
START_TEST(a_guest_that_counts_its_balloon_gives_nothing_before_it_is_known)
{
    struct world world = world_make_course(16 * GIB);
    struct domain *domain = &world.domains[0];
    for (unsigned int i = 0; i < 40; i++) {
        world_advance(&world);
        domain->available_kib.value = domain->max_kib - UNSEEN_KIB;
        world_decide(&world);
    }
    ck_assert(world.memory[0].counts_balloon);
    world.decisions[0].action = POLICY_GROW;
    world.decisions[0].target_kib += 300 * MIB;
    static const enum policy_action want[] = {POLICY_HOLD, POLICY_SHRINK};
    for (size_t i = 0; i < COUNT_OF(want); i++) {
        world_advance(&world);
        domain->available_kib.value = domain->max_kib - UNSEEN_KIB;
        world_decide(&world);
        ck_assert_int_eq(world.decisions[0].action, want[i]);
    }
}
END_TEST

/* It grows from the first look on, so that its balloon never rests, and its reports are a cycle
 * late. */
START_TEST(a_guest_that_grows_when_first_seen_is_not_overfed)
{
    struct world world = world_make_course(16 * GIB);
    world.used_kib[0] = 400 * MIB;
    world_advance(&world);
    struct domain now = world.domains[0];
    while (world.used_kib[0] < 1500 * MIB) {
        struct domain late = now;
        world_decide(&world);
        world.used_kib[0] += 20 * MIB;
        world_advance(&world);
        now = world.domains[0];
        world.domains[0].available_kib = late.available_kib;
        world.domains[0].unused_kib = late.unused_kib;
        ck_assert_uint_le(world_unused_kib(&world, 0), DEFAULT_HEADROOM_KIB + 28 * MIB);
        ck_assert_uint_ge(world_unused_kib(&world, 0), 64 * MIB);
    }
}
END_TEST

START_TEST(a_single_jump_is_not_taken_for_a_ramp)
{
    struct world world = world_make_course(16 * GIB);
    world_run(&world, 40);
    world.used_kib[0] += 150 * MIB; /* it had that much unused */
    world_run(&world, 5);
    uint64_t right = world.used_kib[0] + DEFAULT_HEADROOM_KIB;
    ck_assert_uint_ge(world.domains[0].actual_kib.value + 16 * MIB, right);
    ck_assert_uint_le(world.domains[0].actual_kib.value, right + 16 * MIB);
}
END_TEST

START_TEST(headroom_follows_a_sustained_growth)
{
    struct world world = world_make_course(16 * GIB);
    world_run(&world, 40);
    for (unsigned int i = 0; i < 8; i++) {
        world_decide(&world);
        world.used_kib[0] += 100 * MIB;
        world_advance(&world);
    }
    world_decide(&world);
    uint64_t want = 100 * MIB + 100 * MIB * 23 / 10;
    ck_assert_uint_ge(world.decisions[0].headroom_kib, want - MIB);
    ck_assert_uint_le(world.decisions[0].headroom_kib, want + MIB);
    world_run(&world, 60);
    ck_assert_uint_le(world.decisions[0].headroom_kib, DEFAULT_HEADROOM_KIB); /* and fades */
}
END_TEST

START_TEST(noise_inside_the_dead_band_needs_no_call)
{
    struct world world = world_make_course(16 * GIB);
    world_run(&world, 40);
    unsigned int moves = 0;
    for (unsigned int i = 0; i < 100; i++) {
        world.used_kib[0] = (180 + i % 2 * 6) * MIB;
        world_cycle(&world);
        moves += world.moves;
    }
    ck_assert_uint_le(moves, 1);
}
END_TEST

/* ---- scarcity ---- */

/* Four growing guests on a host for about 3000 MiB: what is unused is balanced, the reserve
 * untouched. */
START_TEST(scarcity_is_shared_equally)
{
    uint64_t host_kib = 3000 * MIB + 200 * MIB + 4 * OVERHEAD_KIB;
    struct world world = world_make_course(host_kib);
    static const uint64_t end_kib[] = {400 * MIB, 600 * MIB, 800 * MIB, 900 * MIB};
    for (unsigned int i = 0; i < 120; i++) {
        world_decide(&world);
        for (size_t g = 0; g < 4; g++)
            if (world.used_kib[g] < end_kib[g])
                world.used_kib[g] += 10 * MIB;
        world_advance(&world);
        ck_assert_uint_le(world_rss_kib(&world), host_kib - 200 * MIB);
    }
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;
    for (size_t g = 0; g < 4; g++) {
        least = world_unused_kib(&world, g) < least ? world_unused_kib(&world, g) : least;
        most = world_unused_kib(&world, g) > most ? world_unused_kib(&world, g) : most;
    }
    /* 3000 - 2700 = 300 MiB for four: under R, and 75 each but for the dead band */
    ck_assert_uint_ge(least, 59 * MIB);
    ck_assert_uint_le(most, 91 * MIB);
}
END_TEST

/* Three guests on a host that has not enough for the headroom of all. */
static struct world world_make_scarce(void)
{
    struct world world = world_make(3 * (560 * MIB + OVERHEAD_KIB) + 200 * MIB);
    world.config.interval_usec = 10 * SEC;
    for (size_t i = 0; i < 3; i++)
        world_add(&world, 560 * MIB, 330 * MIB, 2048 * MIB);
    return world;
}

/* The same at rest, but that the first has just freed FREED_KIB. */
static struct world world_make_uneven(uint64_t freed_kib)
{
    struct world world = world_make_scarce();
    world_run(&world, 10);
    world.used_kib[0] -= freed_kib;
    world_advance(&world);
    return world;
}

static uint64_t given_kib(const struct world *world, size_t i)
{
    return subtract_to_zero(world->decisions[i].from_kib, world->decisions[i].target_kib);
}

/* Of 150 MiB 100 are for the two others. */
START_TEST(what_is_freed_is_passed_on_at_second_sight)
{
    struct world world = world_make_uneven(150 * MIB);
    world_decide(&world);
    ck_assert_uint_eq(given_kib(&world, 0), 0);
    world_advance(&world);
    world_decide(&world);
    ck_assert_int_eq(world.decisions[0].reason, POLICY_DONATES);
    ck_assert_uint_ge(given_kib(&world, 0), 95 * MIB);
    ck_assert_uint_le(given_kib(&world, 0), 105 * MIB);
}
END_TEST

START_TEST(what_a_start_waits_for_needs_no_second_sight)
{
    struct world world = world_make_uneven(150 * MIB);
    world.snapshot.host.reserved_kib = 100 * MIB;
    world_decide(&world);
    ck_assert_uint_gt(world.host.unmet_kib, 0);
    ck_assert_uint_ge(given_kib(&world, 0), 95 * MIB);
}
END_TEST

START_TEST(what_the_host_lacks_needs_no_second_sight)
{
    struct world world = world_make_uneven(150 * MIB);
    world.host_kib -= 100 * MIB;
    world_decide(&world);
    ck_assert_int_eq(world.host.state, POLICY_HOST_HARD);
    ck_assert_uint_ge(given_kib(&world, 0), 95 * MIB);
}
END_TEST

/* Who starves at its maximum cannot be helped, and hurries nobody. */
START_TEST(who_can_have_no_more_hurries_nobody)
{
    struct world world = world_make_uneven(0);
    world_add(&world, 400 * MIB, 330 * MIB, 400 * MIB);
    world.host_kib += 400 * MIB + OVERHEAD_KIB;
    world_run(&world, 4);
    world.used_kib[0] -= 150 * MIB;
    world_advance(&world);
    world_decide(&world);
    ck_assert_uint_lt(world.decisions[3].unused_kib, world.decisions[3].least_kib);
    ck_assert_uint_eq(given_kib(&world, 0), 0);
}
END_TEST

/* Claims that were not believed are no need that has fallen. */
START_TEST(a_claim_taken_back_is_no_fall)
{
    struct world world = world_make_scarce();
    world.domains[0].rss_kib.value = 360 * MIB;
    world_run(&world, 10);
    world.used_kib[0] = 500 * MIB;
    world_run(&world, 2);
    ck_assert(world.decisions[0].overclaims);
    world.used_kib[0] = 315 * MIB;
    world_report(&world.domains[0], world.used_kib[0], (uint64_t)world.snapshot.wall_sec);
    world_decide(&world);
    ck_assert(!world.decisions[0].overclaims);
    ck_assert_int_eq(world.decisions[0].action, POLICY_SHRINK);
}
END_TEST

START_TEST(what_could_be_noise_is_passed_on_at_once)
{
    struct world world = world_make_uneven(45 * MIB);
    world_decide(&world);
    ck_assert_uint_ge(given_kib(&world, 0), 25 * MIB);
}
END_TEST

/* Use that breathes by 200 MiB, with idle guests beside it: they need not breathe with it. */
START_TEST(nobody_breathes_with_another)
{
    struct world world = world_make_uneven(0);
    world_run(&world, 4);
    unsigned int moves = 0;
    for (unsigned int i = 0; i < 40; i++) {
        uint64_t step = 100 * MIB;
        world.used_kib[0] += i % 4 < 2 ? step : -step;
        world_cycle(&world);
        for (size_t g = 1; g < 3; g++)
            moves += world.decisions[g].action != POLICY_HOLD;
    }
    ck_assert_uint_le(moves, 60);
}
END_TEST

/* It has less than R left before long: what the first has freed is for it at once. */
START_TEST(who_will_starve_needs_no_second_sight)
{
    struct world world = world_make_uneven(150 * MIB);
    world.used_kib[1] += 110 * MIB;
    world_advance(&world);
    ck_assert_uint_ge(world_unused_kib(&world, 1), 100 * MIB);
    world_decide(&world);
    ck_assert_uint_lt(world.decisions[1].unused_kib,
                      world.decisions[1].least_kib + world.decisions[1].growth_kib);
    ck_assert_int_eq(world.decisions[0].reason, POLICY_DONATES);
    ck_assert_uint_ge(given_kib(&world, 0), 95 * MIB);
}
END_TEST

/* The first lacks some of its headroom, or is about to, when it will have given what it was asked
 * for; then it may as well keep that. The second has page cache. */
START_TEST(what_has_not_been_given_yet_is_not_lacking)
{
    bool is_giving = _i == 1;
    uint64_t size_kib = (is_giving ? 501 : 480) * MIB;
    struct world world = world_make(size_kib + 580 * MIB + 2 * OVERHEAD_KIB + 200 * MIB);
    world_add(&world, size_kib, 330 * MIB, 2048 * MIB);
    world_add(&world, 600 * MIB, 560 * MIB, 2048 * MIB);
    for (unsigned int i = 0; i < 10; i++) {
        world.domains[1].usable_kib = (struct figure){true, 240 * MIB};
        world_decide(&world);
        world.snapshot.now_usec += SEC;
        world.snapshot.wall_sec++;
        for (size_t g = 0; g < 2; g++)
            world_report(&world.domains[g], world.used_kib[g], (uint64_t)world.snapshot.wall_sec);
    }
    world.memory[0].has_asked = is_giving;
    world.memory[0].asked_kib = 480 * MIB;
    world.memory[0].asked_usec = world.memory[0].moved_usec = world.snapshot.now_usec;
    world_decide(&world);
    ck_assert_uint_eq(world.decisions[0].from_kib, 480 * MIB);
    ck_assert_int_eq(world.decisions[1].action, is_giving ? POLICY_HOLD : POLICY_SHRINK);
}
END_TEST

/* It never needs more at once than the others hold to be worth a call, each for itself. */
START_TEST(who_grows_slowly_among_many_is_given_to)
{
    enum { GUESTS = 12, STEPS = 37 };
    struct world world = world_make(GUESTS * (466 * MIB + OVERHEAD_KIB) + 200 * MIB);
    world.config.interval_usec = 10 * SEC;
    for (size_t i = 0; i < GUESTS; i++)
        world_add(&world, 450 * MIB, 180 * MIB, 2048 * MIB);
    world_run(&world, 15);
    for (unsigned int i = 0; i < STEPS; i++) {
        world.used_kib[0] += 5 * MIB;
        world_cycle(&world);
    }
    world_run(&world, 20);
    for (size_t i = 1; i < GUESTS; i++)
        ck_assert_uint_ge(world_unused_kib(&world, 0), world_unused_kib(&world, i) / 10 * 9);
}
END_TEST

/* One guest takes all it is given; the others keep half of R, whatever it claims. */
START_TEST(a_guest_that_always_starves_leaves_the_others_something)
{
    struct world world = world_make_course(2400 * MIB + 200 * MIB + 4 * OVERHEAD_KIB);
    for (unsigned int i = 0; i < 300; i++) {
        world.used_kib[0] = world.domains[0].actual_kib.value;
        world_cycle(&world);
        for (size_t g = 1; g < 4; g++)
            ck_assert_uint_ge(world_unused_kib(&world, g), 50 * MIB);
    }
}
END_TEST

/* What one gives at a host under its reserve would not reach the other: nobody goes below R for
 * that. */
START_TEST(nobody_gives_below_the_headroom_in_vain)
{
    struct world world = world_make(0);
    world_add(&world, 512 * MIB, 490 * MIB, 2048 * MIB);
    world_add(&world, 512 * MIB, 420 * MIB, 2048 * MIB);
    world.host_kib = 180 * MIB + world_rss_kib(&world);
    for (unsigned int i = 0; i < 20; i++) {
        world_cycle(&world);
        ck_assert_uint_eq(world.moves, 0);
    }
    world.host_kib += 30 * MIB; /* 10 above the reserve: now it would */
    world_run(&world, 20);
    ck_assert_uint_lt(world_unused_kib(&world, 1), 70 * MIB);
    ck_assert_uint_gt(world_unused_kib(&world, 0), 50 * MIB);
}
END_TEST

START_TEST(memory_moves_from_who_frees_to_who_starves)
{
    uint64_t host_kib = 3200 * MIB + 200 * MIB + 4 * OVERHEAD_KIB;
    struct world world = world_make_course(host_kib);
    for (size_t g = 0; g < 4; g++)
        world.used_kib[g] = 700 * MIB;
    world_run(&world, 30);
    world.used_kib[0] = world.used_kib[1] = 180 * MIB;
    for (unsigned int i = 0; i < 40; i++) {
        world_decide(&world);
        world.used_kib[2] += 10 * MIB;
        world.used_kib[3] += 10 * MIB;
        world_advance(&world);
        ck_assert_uint_le(world_rss_kib(&world), host_kib - 200 * MIB);
        ck_assert_uint_ge(world_unused_kib(&world, 0), 100 * MIB - MIB);
    }
    ck_assert_uint_ge(world_unused_kib(&world, 2), 100 * MIB);
    ck_assert_uint_ge(world_unused_kib(&world, 3), 100 * MIB);
}
END_TEST

START_TEST(nothing_is_granted_before_it_has_arrived)
{
    /* The pool is full; guest 0 starves, guest 1 has 400 MiB more than it needs. */
    struct world world = world_make(0);
    world_add(&world, 512 * MIB, 500 * MIB, 2048 * MIB);
    world_add(&world, 900 * MIB, 300 * MIB, 2048 * MIB);
    world.host_kib = 200 * MIB + world_rss_kib(&world);
    world_decide(&world);
    memset(world.decisions, 0, sizeof(world.decisions));
    world_advance(&world);
    world_decide(&world);
    ck_assert_int_eq(world.decisions[1].action, POLICY_SHRINK);
    ck_assert_int_eq(world.decisions[0].action, POLICY_HOLD);
    ck_assert_int_eq(world.decisions[0].bound, POLICY_BOUND_POOL);
    uint64_t given = world.decisions[1].from_kib - world.decisions[1].target_kib;
    world_advance(&world);
    world_decide(&world);
    ck_assert_int_eq(world.decisions[0].action, POLICY_GROW);
    ck_assert_uint_eq(world.decisions[0].target_kib - world.decisions[0].from_kib, given);
}
END_TEST

START_TEST(what_was_promised_and_not_touched_is_not_promised_again)
{
    /* Guest 0 was granted 1 GiB it has not touched: the host still shows it as free. */
    struct world world = world_make(0);
    world_add(&world, 1536 * MIB, 300 * MIB, 2048 * MIB);
    world_add(&world, 512 * MIB, 500 * MIB, 2048 * MIB);
    world.host_kib = (1536 + 512 + 200 + 20) * MIB + OVERHEAD_KIB + UNSHOWN_OVERHEAD_KIB;
    world.domains[0].rss_kib.value = 512 * MIB + OVERHEAD_KIB;
    world_decide(&world);
    ck_assert_uint_gt(world.snapshot.host.available_kib, GIB);
    ck_assert_int_eq(world.decisions[1].action, POLICY_GROW);
    ck_assert_uint_eq(world.decisions[1].target_kib, (512 + 20) * MIB);
    ck_assert_int_eq(world.decisions[1].bound, POLICY_BOUND_POOL);
}
END_TEST

START_TEST(what_was_asked_for_and_has_not_arrived_is_owed)
{
    struct world world = world_make(0);
    world_add(&world, 512 * MIB, 500 * MIB, 2048 * MIB);
    world_add(&world, 512 * MIB, 500 * MIB, 2048 * MIB);
    world.host_kib = 200 * MIB + world_rss_kib(&world) + 100 * MIB;
    world_decide(&world);
    uint64_t promised = world.decisions[0].target_kib + world.decisions[1].target_kib;
    ck_assert_uint_le(promised, 1124 * MIB);
    ck_assert_uint_ge(promised, 1123 * MIB);
    ck_assert_uint_eq(world.decisions[0].target_kib, world.decisions[1].target_kib);
    for (size_t i = 0; i < 2; i++) /* asked, but the balloons do not move */
        policy_asked(&world.memory[i], &world.decisions[i], world.snapshot.now_usec);
    memset(world.decisions, 0, sizeof(world.decisions));
    for (unsigned int i = 0; i < 20; i++) {
        world_advance(&world);
        world_decide(&world);
        for (size_t g = 0; g < 2; g++)
            ck_assert_uint_le(world.decisions[g].target_kib, 562 * MIB);
    }
}
END_TEST

START_TEST(a_shrink_that_does_not_arrive_is_not_piled_upon)
{
    struct world world = world_make_course(16 * GIB);
    world_run(&world, 2);
    world_decide(&world);
    ck_assert_int_eq(world.decisions[0].action, POLICY_SHRINK);
    policy_asked(&world.memory[0], &world.decisions[0], world.snapshot.now_usec);
    uint64_t asked = world.decisions[0].target_kib;
    world.decisions[0].action = POLICY_HOLD;
    for (unsigned int second = 1; second < 5; second++) {
        world_advance(&world);
        world_decide(&world);
        ck_assert_int_eq(world.decisions[0].action, POLICY_HOLD);
        ck_assert_uint_eq(world.decisions[0].from_kib, asked);
        ck_assert_uint_eq(world.decisions[0].owed_kib, world.domains[0].actual_kib.value);
    }
    world_advance(&world);
    world_decide(&world); /* 5 s without progress: asked anew, from where it is */
    ck_assert_uint_eq(world.decisions[0].from_kib, world.domains[0].actual_kib.value);
}
END_TEST

START_TEST(a_balloon_that_somebody_else_moved_is_reckoned_as_it_is)
{
    struct world world = world_make(0);
    world_add(&world, 512 * MIB, 180 * MIB, 2048 * MIB);
    world_add(&world, 512 * MIB, 180 * MIB, 2048 * MIB);
    world.host_kib = 200 * MIB + 1500 * MIB + 2 * OVERHEAD_KIB;
    world.used_kib[0] = 700 * MIB;
    world_run(&world, 20);
    ck_assert_uint_ge(world.decisions[0].owed_kib, 860 * MIB);
    world.used_kib[0] = 280 * MIB;
    world.domains[0].actual_kib.value = 300 * MIB; /* set by hand */
    world.domains[0].rss_kib.value = 300 * MIB + OVERHEAD_KIB;
    world_report(&world.domains[0], 280 * MIB, world.snapshot.now_usec / SEC);
    world_decide(&world);
    ck_assert_uint_eq(world.decisions[0].from_kib, 300 * MIB);
    ck_assert_uint_eq(world.decisions[0].owed_kib, 300 * MIB);
    ck_assert_int_eq(world.decisions[0].reason, POLICY_STARVING);
    ck_assert_int_eq(world.decisions[0].action, POLICY_GROW);
}
END_TEST

START_TEST(a_domain_that_cannot_be_read_changes_nothing_for_others)
{
    struct world world = world_make_course(5 * GIB);
    world.domains[0].max_kib = 8 * GIB;
    world_run(&world, 40);
    world.domains[0].actual_kib.known = world.domains[0].rss_kib.known = false;
    world.domains[0].rss_kib.value = 0;
    world.used_kib[1] += 150 * MIB;
    world_decide(&world);
    world_advance(&world);
    world_decide(&world);
    ck_assert_int_eq(world.decisions[0].reason, POLICY_UNREAD);
    ck_assert_uint_lt(world.decisions[0].owed_kib, 512 * MIB);
    ck_assert_int_eq(world.decisions[1].action, POLICY_GROW);
    ck_assert_int_eq(world.decisions[2].action, POLICY_HOLD);
}
END_TEST

/* ---- when the coordinator ends ---- */

START_TEST(restores_the_sizes_that_were_found)
{
    struct world world = world_make_course(8 * GIB);
    world.used_kib[0] = 900 * MIB;
    world.used_kib[1] = 420 * MIB;
    world.domains[3].actual_kib.value = 2048 * MIB; /* still boots: its driver is not up yet */
    world.domains[3].current_kib = 700 * MIB;
    world.domains[2].current_kib = 286 * MIB; /* was a moment ago */
    world_run(&world, 60);
    ck_assert_uint_gt(world.domains[0].actual_kib.value, 1000 * MIB);
    ck_assert_uint_lt(world.domains[2].actual_kib.value, 400 * MIB);
    world.used_kib[0] = 180 * MIB;
    world.config.goal = POLICY_RESTORE;
    world_run(&world, 40);
    ck_assert_uint_eq(world.moves, 0);
    ck_assert_uint_eq(world.domains[0].actual_kib.value / MIB, 512);
    ck_assert_uint_eq(world.domains[1].actual_kib.value / MIB, 520); /* keeps R */
    ck_assert_uint_eq(world.domains[2].actual_kib.value / MIB, 512);
    ck_assert_uint_eq(world.domains[3].actual_kib.value / MIB, 700);
}
END_TEST

START_TEST(restoring_is_gradual)
{
    struct world world = world_make_course(8 * GIB);
    world.used_kib[0] = 1500 * MIB;
    world_run(&world, 40);
    world.used_kib[0] = 180 * MIB;
    world_cycle(&world);
    uint64_t size = world.domains[0].actual_kib.value;
    world.config.goal = POLICY_RESTORE;
    world_cycle(&world);
    ck_assert_uint_lt(world.domains[0].actual_kib.value, size);
    ck_assert_uint_ge(world.domains[0].actual_kib.value, size - size / 16 - 1);
}
END_TEST

START_TEST(releases_what_the_host_can_promise)
{
    struct world ample = world_make_course(16 * GIB);
    world_run(&ample, 40);
    ample.config.goal = POLICY_RELEASE;
    world_run(&ample, 3);
    for (size_t i = 0; i < 4; i++)
        ck_assert_uint_eq(ample.domains[i].actual_kib.value, 2048 * MIB);

    struct world tight = world_make_course(4 * GIB);
    tight.used_kib[0] = 700 * MIB;
    world_run(&tight, 40);
    tight.config.goal = POLICY_RELEASE;
    world_run(&tight, 10);
    uint64_t promised = 0;
    for (size_t i = 0; i < 4; i++)
        promised += tight.decisions[i].owed_kib + tight.decisions[i].overhead_kib;
    ck_assert_uint_le(promised, tight.host.pool_kib);
    ck_assert_uint_gt(promised, tight.host.pool_kib - 64 * MIB);
    for (size_t i = 1; i < 4; i++)
        ck_assert_uint_le(world_unused_kib(&tight, i), world_unused_kib(&tight, 0) + 16 * MIB);
}
END_TEST

START_TEST(a_frozen_domain_counts_at_its_size)
{
    struct world world = world_make_course(5 * GIB);
    world_run(&world, 40);
    uint64_t size = world.domains[0].actual_kib.value;
    world.domains[0].is_frozen = true;
    world.domains[0].actual_kib = (struct figure){0};
    world_add(&world, 700 * MIB, 300 * MIB, 2048 * MIB); /* this one has never been seen before */
    struct domain *unseen = &world.domains[4];
    unseen->is_frozen = true;
    unseen->current_kib = 700 * MIB;
    unseen->actual_kib = (struct figure){0};
    world.used_kib[1] += 150 * MIB;
    world_decide(&world);
    world_advance(&world);
    world_decide(&world);
    ck_assert_int_eq(world.decisions[0].reason, POLICY_FROZEN);
    ck_assert_int_eq(world.decisions[0].action, POLICY_HOLD);
    ck_assert_uint_eq(world.decisions[0].owed_kib, size);
    ck_assert_uint_eq(world.decisions[4].owed_kib, 700 * MIB);
    ck_assert_int_eq(world.decisions[1].action, POLICY_GROW);
}
END_TEST

/* One guest that cannot balloon, whose balloon says 512 of 2048 MiB, and one that needs much. */
static const struct {
    const char *name;
    enum domain_obstacle obstacle;
    uint64_t rss_mib; /* of the first, its emulator's own 20 included */
    uint64_t owed_mib;
    uint64_t held_mib;
} obstacle_rows[] = {
    {"an old record", OBSTACLE_NONE, 532, 512, 532},
    {"no balloon", OBSTACLE_NO_BALLOON, 532, 512, 532},
    {"virtio-mem", OBSTACLE_VIRTIO_MEM, 532, 512, 532},
    {"locked", OBSTACLE_LOCKED, 2068, 2048, 2068},
    {"a device", OBSTACLE_DEVICE, 2068, 2048, 2068},
    {"encrypted", OBSTACLE_ENCRYPTED, 2068, 2048, 2068},
    /* pinned only as the guest begins to use the device: it will be all */
    {"a device, not all pinned yet", OBSTACLE_DEVICE, 532, 2048, 532},
    /* the kernel tells of none of them */
    {"huge pages", OBSTACLE_HUGE_PAGES, 20, 2048, 2068},
    /* of some only; what it tells of counts once */
    {"huge pages in part", OBSTACLE_HUGE_PAGES, 1044, 2048, 2048 + 128},
};

START_TEST(who_cannot_balloon_counts_for_what_the_host_holds)
{
    struct world world = world_make(0);
    const char *name = obstacle_rows[_i].name;
    world_add(&world, 512 * MIB, 300 * MIB, 2048 * MIB);
    world_add(&world, 512 * MIB, 480 * MIB, 2048 * MIB);
    world.domains[0].has_balloon = false;
    world.domains[0].obstacle = obstacle_rows[_i].obstacle;
    world.domains[0].rss_kib.value = obstacle_rows[_i].rss_mib * MIB;
    world.set_aside_kib = obstacle_rows[_i].obstacle == OBSTACLE_HUGE_PAGES ? 2048 * MIB : 0;
    world.host_kib = 3000 * MIB + world_rss_kib(&world) + world.set_aside_kib;
    world_run(&world, 2);
    const struct policy_decision *got = &world.decisions[0];
    ck_assert_int_eq(got->action, POLICY_HOLD);
    ck_assert_int_eq(got->reason, POLICY_NO_BALLOON);
    ck_assert_msg(got->owed_kib == obstacle_rows[_i].owed_mib * MIB, "%s: owed %lu MiB", name,
                  got->owed_kib / MIB);
    ck_assert_msg(got->rss_kib == obstacle_rows[_i].held_mib * MIB, "%s: held %lu MiB", name,
                  got->rss_kib / MIB);
    ck_assert_uint_eq(got->from_kib, got->owed_kib);
    ck_assert_uint_eq(got->target_kib, got->owed_kib);
    ck_assert_uint_gt(world.domains[1].actual_kib.value, 600 * MIB); /* it has grown */
}
END_TEST

/* What is in huge pages is neither available nor taken from what is. */
START_TEST(huge_pages_take_nothing_from_the_others)
{
    struct world with = world_make(0);
    struct world without = world_make(0);
    world_add(&without, 512 * MIB, 300 * MIB, 2048 * MIB);
    world_add(&with, 512 * MIB, 300 * MIB, 2048 * MIB);
    world_add(&with, 16 * GIB, 300 * MIB, 16 * GIB);
    with.domains[1].has_balloon = false;
    with.domains[1].obstacle = OBSTACLE_HUGE_PAGES;
    with.domains[1].rss_kib.value = 100 * MIB;
    /* the same is available on both */
    without.host_kib = 600 * MIB + world_rss_kib(&without);
    with.set_aside_kib = 16 * GIB;
    with.host_kib = 600 * MIB + world_rss_kib(&with) + with.set_aside_kib;
    world_run(&without, 20);
    world_run(&with, 20);
    ck_assert_int_eq(with.host.state, POLICY_HOST_HIGH);
    ck_assert_uint_eq(with.domains[0].actual_kib.value, without.domains[0].actual_kib.value);
    ck_assert_uint_eq(with.host.pool_kib - with.decisions[1].owed_kib -
                          with.decisions[1].overhead_kib,
                      without.host.pool_kib);
}
END_TEST

START_TEST(who_migrates_keeps_what_it_was_promised)
{
    struct world world = world_make(0);
    world_add(&world, 512 * MIB, 300 * MIB, 2048 * MIB);
    world.host_kib = 3000 * MIB + world_rss_kib(&world);
    world_run(&world, 2);
    world.decisions[0].target_kib = 900 * MIB;
    policy_asked(&world.memory[0], &world.decisions[0], world.snapshot.now_usec);
    world.domains[0].job = JOB_LEAVES;
    for (int i = 0; i < 20; i++) {
        world_decide(&world);
        ck_assert_int_eq(world.decisions[0].reason, POLICY_BUSY);
        ck_assert_int_eq(world.decisions[0].action, POLICY_HOLD);
        ck_assert_uint_eq(world.decisions[0].owed_kib, 900 * MIB);
    }
}
END_TEST

/* Its reports come late: one of before the pause is read in it, the next one after it. */
START_TEST(what_a_paused_domain_reported_is_not_young)
{
    struct world world = world_make_course(16 * GIB);
    world.config.interval_usec = 10 * SEC;
    struct domain *domain = &world.domains[0];
    domain->is_running = false;
    world_advance(&world);
    uint64_t before_sec = (uint64_t)world.snapshot.wall_sec - 5;
    world_report(domain, 180 * MIB, before_sec);
    world_cycle(&world);
    domain->is_running = true;
    world_report(domain, 180 * MIB, before_sec + 1);
    world_cycle(&world);
    ck_assert_int_eq(world.decisions[0].reason, POLICY_STALE);
    world_cycle(&world);
    ck_assert(!policy_is_held(world.decisions[0].reason));
}
END_TEST

START_TEST(a_paused_domain_keeps_what_it_was_promised)
{
    struct world world = world_make(0);
    world_add(&world, 1536 * MIB, 300 * MIB, 2048 * MIB);
    world_add(&world, 512 * MIB, 500 * MIB, 2048 * MIB);
    world.host_kib = (1536 + 512 + 200 + 20) * MIB + OVERHEAD_KIB + UNSHOWN_OVERHEAD_KIB;
    world.domains[0].rss_kib.value = 512 * MIB + OVERHEAD_KIB;
    world.domains[0].is_running = false;
    world_decide(&world);
    ck_assert_int_eq(world.decisions[0].reason, POLICY_PAUSED);
    ck_assert_int_eq(world.decisions[0].action, POLICY_HOLD);
    ck_assert_uint_eq(world.decisions[1].target_kib, (512 + 20) * MIB);
}
END_TEST

/* 1 % of it is more than all its headroom: it may not take so long to get a call. */
START_TEST(a_ramp_of_a_large_guest_never_starves)
{
    struct world world = world_make(64 * GIB);
    world.config.interval_usec = 5 * SEC;
    world_add(&world, 16 * GIB, 15 * GIB, 32 * GIB);
    world_run(&world, 20);
    for (unsigned int i = 0; i < 60; i++) {
        world_decide(&world);
        world.used_kib[0] += 5 * 28 * MIB;
        world_advance(&world);
        ck_assert_uint_ge(world_unused_kib(&world, 0), 64 * MIB);
    }
}
END_TEST

START_TEST(a_host_that_does_not_say_what_it_has_moves_nobody)
{
    struct world world = world_make_course(16 * GIB);
    world_run(&world, 2);
    world.used_kib[0] = 500 * MIB;
    world_advance(&world);
    world_decide(&world);
    ck_assert_int_eq(world.decisions[0].action, POLICY_GROW);
    world.snapshot.host.has_memory = false;
    policy_decide(&world.config, &world.snapshot, world.limits, &world.host, world.memory,
                  world.decisions);
    for (size_t i = 0; i < 4; i++) { /* nor is anything taken: it could not be given back */
        ck_assert_int_eq(world.decisions[i].action, POLICY_HOLD);
        ck_assert_int_eq(world.decisions[i].bound, POLICY_BOUND_HOST);
    }
}
END_TEST

/* ---- laws, over random worlds ---- */

/* Sizes from all magnitudes, the edges of 64 bits among them. */
static uint64_t random_size(uint64_t *state)
{
    switch (random_between(state, 0, 9)) {
    case 0:
        return random_between(state, 0, 2);
    case 1:
        return UINT64_MAX - random_between(state, 0, 2);
    case 2:
        return random_next(state) >> random_between(state, 0, 63);
    default:
        return random_between(state, MIB, 4 * GIB);
    }
}

static struct figure random_figure(uint64_t *state)
{
    return (struct figure){random_between(state, 0, 19) != 0, random_size(state)};
}

/* A plausible guest mostly, at times one of which nothing is true. */
static struct domain random_domain(uint64_t *state, size_t i, uint64_t now_sec)
{
    struct domain domain = {.uuid = {(uint8_t)i}, .id = (int)i};
    domain.is_running = random_between(state, 0, 19) != 0;
    domain.has_balloon = random_between(state, 0, 19) != 0;
    domain.period_sec = (unsigned int)random_between(state, 0, 10);
    if (random_between(state, 0, 3) == 0) {
        domain.max_kib = random_size(state);
        domain.actual_kib = random_figure(state);
        domain.rss_kib = random_figure(state);
        domain.unused_kib = random_figure(state);
        domain.available_kib = random_figure(state);
        domain.last_update_sec = random_figure(state);
        return domain;
    }
    domain.max_kib = random_between(state, 64 * MIB, 8 * GIB);
    uint64_t actual = random_between(state, 64 * MIB, domain.max_kib);
    uint64_t available = actual - random_between(state, 0, actual / 4);
    domain.actual_kib = (struct figure){true, actual};
    domain.available_kib = (struct figure){true, available};
    domain.unused_kib = (struct figure){true, random_between(state, 0, available)};
    domain.rss_kib = (struct figure){true, random_between(state, 0, actual + 100 * MIB)};
    domain.last_update_sec = (struct figure){true, now_sec - random_between(state, 0, 4)};
    return domain;
}

static void randomize_config(uint64_t *state, struct policy_config *config)
{
    *config = (struct policy_config){
        .interval_usec = random_between(state, SEC / 10, 20 * SEC),
        .host_reserve_kib = random_between(state, 0, GIB),
        .surge_kib_per_sec = random_between(state, 0, 100 * MIB),
    };
    if (random_between(state, 0, 9) == 0)
        *config = (struct policy_config){random_next(state) | 1, random_size(state),
                                         random_size(state), POLICY_UNUSED, POLICY_BALANCE};
    if (random_between(state, 0, 9) == 0)
        config->goal = random_between(state, 0, 1) == 0 ? POLICY_RESTORE : POLICY_RELEASE;
}

static void randomize_limits(uint64_t *state, struct policy_limits *limits)
{
    *limits = world_limits;
    limits->min_kib = random_between(state, 1, 512 * MIB);
    limits->headroom_kib = random_between(state, 1, 512 * MIB);
}

static void randomize_world(uint64_t *state, struct world *world)
{
    memset(world, 0, sizeof(*world));
    randomize_config(state, &world->config);
    world->snapshot.domains = world->domains;
    world->snapshot.count = random_between(state, 0, WORLD_MOST);
    world->snapshot.now_usec = 1000 * SEC;
    for (size_t i = 0; i < world->snapshot.count; i++) {
        world->domains[i] = random_domain(state, i, 1000);
        randomize_limits(state, &world->limits[i]);
    }
}

/* The next look at the same domains: some have reported since, some have gone wrong. */
static void perturb_world(uint64_t *state, struct world *world)
{
    world->snapshot.now_usec += random_between(state, 0, 6 * SEC);
    world->snapshot.wall_sec = (int64_t)(world->snapshot.now_usec / SEC);
    world->snapshot.host = (struct host){
        .has_memory = random_between(state, 0, 9) != 0,
        .available_kib = random_size(state),
        .reserved_kib = random_between(state, 0, 3) == 0 ? random_size(state) : 0,
    };
    for (size_t i = 0; i < world->snapshot.count; i++) {
        struct domain *domain = &world->domains[i];
        uint64_t choice = random_between(state, 0, 9);
        if (choice == 0)
            *domain = random_domain(state, i, world->snapshot.now_usec / SEC);
        else if (choice < 8)
            domain->last_update_sec.value = world->snapshot.now_usec / SEC;
        if (choice < 3 && domain->available_kib.value > 0)
            domain->unused_kib.value = random_between(state, 0, domain->available_kib.value);
        if (choice < 8)
            world->reported_usec[i] = world->snapshot.now_usec;
    }
}

static uint64_t add(uint64_t a, uint64_t b)
{
    return a + b < a ? UINT64_MAX : a + b;
}

/* What can be promised, and what is promised once the decisions are carried out: written anew here.
 */
static uint64_t pool_of(const struct world *world)
{
    uint64_t pool = world->snapshot.host.available_kib;
    for (size_t i = 0; i < world->snapshot.count; i++)
        pool = add(pool, world->memory[i].rss_kib);
    uint64_t kept = add(world->config.host_reserve_kib, world->snapshot.host.reserved_kib);
    return pool > kept ? pool - kept : 0;
}

static uint64_t size_of_domain(const struct domain *domain, const struct policy_memory *memory)
{
    uint64_t size = domain->actual_kib.value;
    uint64_t max = domain->max_kib;
    bool is_possible = domain->actual_kib.known && size != 0 && max <= (UINT64_C(1) << 50) &&
                       (max == 0 || size <= max + MIB);
    if (!is_possible) /* as it was when it last was; the worst if that is not known */
        size = memory->has_actual ? memory->actual_kib : max;
    return max != 0 && size > max ? max : size;
}

static uint64_t promised_in(const struct world *world)
{
    uint64_t promised = 0;
    for (size_t i = 0; i < world->snapshot.count; i++) {
        const struct domain *domain = &world->domains[i];
        uint64_t size = size_of_domain(domain, &world->memory[i]);
        uint64_t rss = world->memory[i].rss_kib;
        uint64_t largest = size;
        if (world->decisions[i].action != POLICY_HOLD && world->decisions[i].target_kib > largest)
            largest = world->decisions[i].target_kib;
        if (world->decisions[i].action == POLICY_HOLD && world->memory[i].has_asked &&
            world->memory[i].asked_kib > largest)
            largest = world->memory[i].asked_kib;
        uint64_t overhead = rss > size && rss - size > OVERHEAD_KIB ? rss - size : OVERHEAD_KIB;
        promised = add(promised, add(largest, overhead));
    }
    return promised;
}

/* A shrink leaves R unused; or half of it and no less than another guest has, for that guest; page
 * cache counts as used while nobody starves and the host is not low. Who claims what cannot be
 * believed keeps its share. */
static bool leaves_enough(const struct world *world, size_t i)
{
    const struct policy_decision *decision = &world->decisions[i];
    uint64_t least = decision->least_kib;
    bool someone_starves = world->host.state == POLICY_HOST_LOW;
    bool someone_has_less = false;
    for (size_t other = 0; other < world->snapshot.count; other++) {
        const struct policy_decision *o = &world->decisions[other];
        uint64_t has = o->from_kib > o->needed_kib ? o->from_kib - o->needed_kib : 0;
        if (policy_is_held(o->reason))
            continue;
        someone_starves = someone_starves || o->reason == POLICY_STARVING;
        someone_has_less = someone_has_less || has < o->least_kib;
    }
    uint64_t used = someone_starves ? decision->claimed_kib : decision->used_kib;
    bool is_believed = !decision->overclaims && !decision->is_insatiable;
    return (!is_believed && decision->target_kib >= decision->fair_kib) ||
           decision->target_kib >= add(used, least) ||
           decision->target_kib == world->domains[i].max_kib ||
           (someone_has_less && decision->target_kib >= add(used, least / 2));
}

/* Every law that one decision can break, for one domain. */
static void check_domain(const struct world *world, size_t i, uint64_t seed)
{
    const struct policy_limits *limits = &world->limits[i];
    const struct domain *domain = &world->domains[i];
    const struct policy_decision *decision = &world->decisions[i];
    uint64_t target = decision->target_kib;
    if (decision->action == POLICY_HOLD) {
        ck_assert_msg(target == decision->from_kib, "seed %lu: a hold with a target", seed);
        return;
    }
    if (decision->reason == POLICY_STUCK) {
        ck_assert_msg(target + MIB >= decision->from_kib && target <= decision->from_kib + MIB,
                      "seed %lu: pushes what is stuck", seed);
        return;
    }
    ck_assert_msg(!policy_is_held(decision->reason), "seed %lu: acts on a held domain", seed);
    ck_assert_msg(domain->has_balloon && domain->actual_kib.known, "seed %lu: no balloon", seed);
    uint64_t min = limits->min_kib < domain->max_kib ? limits->min_kib : domain->max_kib;
    /* One that starves below its minimum gets what there is. */
    bool comes_nearer = decision->reason == POLICY_STARVING && target > decision->from_kib;
    ck_assert_msg((target >= min || comes_nearer) && target <= domain->max_kib && target > 0,
                  "seed %lu: G1, %lu KiB of %lu..%lu", seed, target, min, domain->max_kib);
    if (decision->action == POLICY_GROW) {
        ck_assert_msg(target > decision->from_kib, "seed %lu: a growth that is none", seed);
        return;
    }
    ck_assert_msg(target < decision->from_kib, "seed %lu: a shrink that is none", seed);
    ck_assert_msg(leaves_enough(world, i), "seed %lu: G4, leaves too little", seed);
    ck_assert_msg(decision->from_kib - target <= decision->from_kib / 16 * 3 + 3,
                  "seed %lu: G4, not gradual", seed);
    ck_assert_msg(domain->unused_kib.known && domain->last_update_sec.known,
                  "seed %lu: G5, no statistics", seed);
    /* A report is dated by the youngest of before, which itself may have been 4 s old here. */
    ck_assert_msg(world->snapshot.now_usec - world->reported_usec[i] <=
                      (3 * (uint64_t)domain->period_sec + 1 + 5) * SEC,
                  "seed %lu: G5, stale", seed);
}

static void check_host(const struct world *world, uint64_t seed)
{
    const struct host *host = &world->snapshot.host;
    bool grows = false;
    for (size_t i = 0; i < world->snapshot.count; i++) {
        const struct policy_decision *decision = &world->decisions[i];
        uint64_t before = world->memory[i].has_asked ? world->memory[i].asked_kib : 0;
        uint64_t size = size_of_domain(&world->domains[i], &world->memory[i]);
        before = before > size ? before : size;
        grows = grows || (decision->action == POLICY_GROW && decision->target_kib > before);
    }
    if (!grows)
        return;
    ck_assert_msg(host->has_memory &&
                      host->available_kib > add(world->config.host_reserve_kib, host->reserved_kib),
                  "seed %lu: G2, growth at the reserve", seed);
    ck_assert_msg(promised_in(world) <= pool_of(world), "seed %lu: G3, promises %lu of %lu KiB",
                  seed, promised_in(world), pool_of(world));
}

static void check_order(const struct world *world, const struct policy_memory *memory_before,
                        const struct policy_host *host_before, uint64_t seed)
{
    struct world turned = *world;
    size_t count = world->snapshot.count;
    turned.snapshot.domains = turned.domains;
    for (size_t i = 0; i < count; i++) {
        turned.domains[i] = world->domains[count - 1 - i];
        turned.memory[i] = memory_before[count - 1 - i];
        turned.limits[i] = world->limits[count - 1 - i];
    }
    turned.host = *host_before;
    policy_decide(&turned.config, &turned.snapshot, turned.limits, &turned.host, turned.memory,
                  turned.decisions);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(memcmp(&turned.decisions[i], &world->decisions[count - 1 - i],
                             sizeof(struct policy_decision)) == 0,
                      "seed %lu: the order of domains matters", seed);
}

START_TEST(laws_hold_in_random_worlds)
{
    enum { WORLDS = 200, CYCLES = 12 };
    static struct world world;
    static struct policy_memory before[WORLD_MOST];
    for (uint64_t w = 0; w < WORLDS; w++) {
        uint64_t seed = test_seed() + (uint64_t)_i * WORLDS + w;
        uint64_t state = seed;
        randomize_world(&state, &world);
        for (unsigned int c = 0; c < CYCLES; c++) {
            perturb_world(&state, &world);
            memcpy(before, world.memory, sizeof(before));
            struct policy_host host_before = world.host;
            memset(world.decisions, 0xad, sizeof(world.decisions));
            policy_decide(&world.config, &world.snapshot, world.limits, &world.host, world.memory,
                          world.decisions);
            for (size_t i = 0; i < world.snapshot.count; i++)
                check_domain(&world, i, seed);
            check_host(&world, seed);
            check_order(&world, before, &host_before, seed);
            for (size_t i = 0; i < world.snapshot.count; i++) {
                if (world.decisions[i].action == POLICY_HOLD || random_between(&state, 0, 3) == 0)
                    continue;
                policy_asked(&world.memory[i], &world.decisions[i], world.snapshot.now_usec);
                if (random_between(&state, 0, 1) == 0)
                    world.domains[i].actual_kib.value = world.decisions[i].target_kib;
            }
        }
    }
}
END_TEST

/* A host with each guest of another one COPIES times, and as many times as much of all else. */
struct crowd {
    struct policy_host host;
    struct domain *domains;
    struct policy_limits *limits;
    struct policy_memory *memory;
    struct policy_decision *decisions;
};

enum { COPIES = 400 };

static void *make_crowded(size_t size)
{
    void *array = calloc((size_t)COPIES * WORLD_MOST, size);
    ck_assert_ptr_nonnull(array);
    return array;
}

static void decide_crowd(struct crowd *crowd, const struct world *world)
{
    size_t count = world->snapshot.count;
    struct policy_config config = world->config;
    struct snapshot snapshot = world->snapshot;
    config.host_reserve_kib *= COPIES;
    snapshot.count *= COPIES;
    snapshot.domains = crowd->domains;
    snapshot.host.total_kib *= COPIES;
    snapshot.host.available_kib *= COPIES;
    for (size_t i = 0; i < snapshot.count; i++) {
        crowd->domains[i] = world->domains[i % count];
        crowd->limits[i] = world->limits[i % count];
    }
    policy_decide(&config, &snapshot, crowd->limits, &crowd->host, crowd->memory, crowd->decisions);
    for (size_t i = 0; i < snapshot.count; i++)
        if (crowd->decisions[i].action != POLICY_HOLD)
            policy_asked(&crowd->memory[i], &crowd->decisions[i], snapshot.now_usec);
}

/* So many guests are decided on as each of a few would be, although not all are looked at for a
 * first guess. */
START_TEST(a_crowd_is_decided_on_as_a_few_are)
{
    /* An odd number of guests: each of them is one of every 64th domain. */
    enum { WORLDS = 8, CYCLES = 12, GUESTS = 15 };
    struct crowd crowd = {.domains = make_crowded(sizeof(*crowd.domains)),
                          .limits = make_crowded(sizeof(*crowd.limits)),
                          .memory = make_crowded(sizeof(*crowd.memory)),
                          .decisions = make_crowded(sizeof(*crowd.decisions))};
    for (uint64_t w = 0; w < WORLDS; w++) {
        uint64_t seed = test_seed() + (uint64_t)_i * WORLDS + w;
        uint64_t state = seed;
        struct world world = world_make(0);
        memset(crowd.memory, 0, sizeof(*crowd.memory) * COPIES * WORLD_MOST);
        crowd.host = (struct policy_host){0};
        for (size_t i = 0; i < GUESTS; i++) {
            uint64_t max = random_between(&state, 512, 4096) * MIB;
            uint64_t actual = random_between(&state, 256 * MIB, max);
            world_add(&world, actual, random_between(&state, 100 * MIB, actual), max);
            world.limits[i].shares = random_between(&state, 500, 2000);
        }
        world.host_kib = world_rss_kib(&world) + random_between(&state, 0, 2 * GIB);
        for (unsigned int c = 0; c < CYCLES; c++) {
            size_t grows = random_between(&state, 0, GUESTS - 1);
            world.used_kib[grows] =
                random_between(&state, 100 * MIB, world.domains[grows].max_kib - 80 * MIB);
            world_decide(&world);
            decide_crowd(&crowd, &world);
            ck_assert_uint_eq(crowd.host.level_kib, world.host.level_kib);
            for (size_t i = 0; i < (size_t)GUESTS * COPIES; i++)
                ck_assert_msg(memcmp(&crowd.decisions[i], &world.decisions[i % GUESTS],
                                     sizeof(struct policy_decision)) == 0,
                              "seed %lu, cycle %u: %zu is not as %zu", seed, c, i, i % GUESTS);
            world_advance(&world);
        }
    }
    free(crowd.domains);
    free(crowd.limits);
    free(crowd.memory);
    free(crowd.decisions);
}
END_TEST

/* Whatever a host of well-behaved guests looks like at first: it comes to rest, and at rest is
 * right. */
START_TEST(random_worlds_settle)
{
    enum { WORLDS = 40, CYCLES = 150 };
    static struct world world;
    for (uint64_t w = 0; w < WORLDS; w++) {
        uint64_t seed = test_seed() + (uint64_t)_i * WORLDS + w;
        uint64_t state = seed;
        world = world_make(0);
        world.config.interval_usec = random_between(&state, SEC / 2, 5 * SEC);
        for (uint64_t n = random_between(&state, 1, WORLD_MOST); n > 0; n--) {
            uint64_t max = random_between(&state, 512, 4096) * MIB;
            uint64_t actual = random_between(&state, 256 * MIB, max);
            world_add(&world, actual, random_between(&state, 100 * MIB, actual), max);
        }
        world.host_kib = world_rss_kib(&world) + random_between(&state, 0, 8 * GIB);
        for (unsigned int c = 0; c < CYCLES; c++) {
            world_cycle(&world);
            ck_assert_msg(c < CYCLES - 20 || world.moves == 0, "seed %lu: still moving", seed);
        }
        bool all_have_enough = true;
        for (size_t i = 0; i < world.snapshot.count; i++)
            all_have_enough = all_have_enough && world_unused_kib(&world, i) >= 100 * MIB;
        uint64_t left = world.host_kib - world_rss_kib(&world);
        for (size_t i = 0; i < world.snapshot.count; i++) {
            bool full = world.domains[i].actual_kib.value + MIB >= world.domains[i].max_kib;
            ck_assert_msg(all_have_enough || full || world_unused_kib(&world, i) >= 100 * MIB ||
                              left <= 201 * MIB,
                          "seed %lu: guest %zu starves beside %lu MiB", seed, i, left / MIB);
        }
    }
}
END_TEST

START_TEST(report_period_follows_the_interval)
{
    ck_assert_uint_eq(policy_report_period_sec(SEC / 10), 1);
    ck_assert_uint_eq(policy_report_period_sec(5 * SEC), 1);
    ck_assert_uint_eq(policy_report_period_sec(30 * SEC), 3);
    ck_assert_uint_eq(policy_report_period_sec(3600 * SEC), 10);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("policy");
    TCase *tables = tcase_create("tables");
    tcase_add_loop_test(tables, decides_for_one_guest, 0, COUNT_OF(single));
    tcase_add_loop_test(tables, holds_without_good_statistics, 0, COUNT_OF(damages));
    tcase_add_test(tables, a_guest_of_impossible_size_counts_for_its_maximum);
    tcase_add_test(tables, stops_at_the_minimum);
    tcase_add_test(tables, frees_what_is_reserved);
    tcase_add_loop_test(tables, frees_the_last_bit_of_what_is_reserved, 0, 4);
    tcase_add_test(tables, what_is_reserved_is_granted_to_nobody);
    tcase_add_test(tables, report_period_follows_the_interval);
    suite_add_tcase(suite, tables);

    TCase *time = tcase_create("time");
    tcase_add_test(time, stale_statistics_hold);
    tcase_add_loop_test(time, a_report_is_dated_by_the_youngest_of_before, 0, 3);
    tcase_add_loop_test(time, dates_that_jump_are_lived_with, 0, 2);
    tcase_add_test(time, an_old_first_report_is_stale_until_it_changes);
    tcase_add_test(time, wall_clock_jumps_change_nothing);
    tcase_add_test(time, a_new_guest_is_not_shrunk_before_it_was_seen_at_rest);
    tcase_add_test(time, idle_guests_settle_and_then_need_no_call);
    tcase_add_loop_test(time, a_ramp_never_starves, 0, 4);
    tcase_add_loop_test(time, what_is_freed_goes_back_gradually, 0, 6);
    tcase_add_test(time, a_moving_balloon_is_not_taken_for_use);
    tcase_add_loop_test(time, a_ramp_of_a_guest_that_counts_its_balloon_never_starves, 0, 4);
    tcase_add_test(time, a_guest_that_counts_its_balloon_gives_nothing_before_it_is_known);
    tcase_add_test(time, a_guest_that_grows_when_first_seen_is_not_overfed);
    tcase_add_test(time, a_single_jump_is_not_taken_for_a_ramp);
    tcase_add_test(time, headroom_follows_a_sustained_growth);
    tcase_add_test(time, noise_inside_the_dead_band_needs_no_call);
    suite_add_tcase(suite, time);

    TCase *scarcity = tcase_create("scarcity");
    tcase_add_test(scarcity, scarcity_is_shared_equally);
    tcase_add_test(scarcity, what_is_freed_is_passed_on_at_second_sight);
    tcase_add_test(scarcity, what_a_start_waits_for_needs_no_second_sight);
    tcase_add_test(scarcity, what_the_host_lacks_needs_no_second_sight);
    tcase_add_test(scarcity, who_can_have_no_more_hurries_nobody);
    tcase_add_test(scarcity, a_claim_taken_back_is_no_fall);
    tcase_add_test(scarcity, what_could_be_noise_is_passed_on_at_once);
    tcase_add_test(scarcity, nobody_breathes_with_another);
    tcase_add_test(scarcity, who_will_starve_needs_no_second_sight);
    tcase_add_loop_test(scarcity, what_has_not_been_given_yet_is_not_lacking, 0, 2);
    tcase_add_test(scarcity, who_grows_slowly_among_many_is_given_to);
    tcase_add_test(scarcity, a_guest_that_always_starves_leaves_the_others_something);
    tcase_add_test(scarcity, nobody_gives_below_the_headroom_in_vain);
    tcase_add_test(scarcity, memory_moves_from_who_frees_to_who_starves);
    tcase_add_test(scarcity, nothing_is_granted_before_it_has_arrived);
    tcase_add_test(scarcity, what_was_promised_and_not_touched_is_not_promised_again);
    tcase_add_test(scarcity, what_was_asked_for_and_has_not_arrived_is_owed);
    tcase_add_test(scarcity, a_shrink_that_does_not_arrive_is_not_piled_upon);
    tcase_add_test(scarcity, a_balloon_that_somebody_else_moved_is_reckoned_as_it_is);
    tcase_add_test(scarcity, a_domain_that_cannot_be_read_changes_nothing_for_others);
    tcase_add_test(scarcity, restores_the_sizes_that_were_found);
    tcase_add_test(scarcity, restoring_is_gradual);
    tcase_add_test(scarcity, releases_what_the_host_can_promise);
    tcase_add_test(scarcity, a_frozen_domain_counts_at_its_size);
    tcase_add_loop_test(scarcity, who_cannot_balloon_counts_for_what_the_host_holds, 0,
                        COUNT_OF(obstacle_rows));
    tcase_add_test(scarcity, huge_pages_take_nothing_from_the_others);
    tcase_add_test(scarcity, who_migrates_keeps_what_it_was_promised);
    tcase_add_test(scarcity, what_a_paused_domain_reported_is_not_young);
    tcase_add_test(scarcity, a_paused_domain_keeps_what_it_was_promised);
    tcase_add_test(scarcity, a_ramp_of_a_large_guest_never_starves);
    tcase_add_test(scarcity, a_host_that_does_not_say_what_it_has_moves_nobody);
    suite_add_tcase(suite, scarcity);

    TCase *laws = tcase_create("laws");
    tcase_set_timeout(laws,
                      120); /* far above what it takes, valgrind and a busy machine included */
    tcase_add_loop_test(laws, laws_hold_in_random_worlds, 0, 50);
    tcase_add_loop_test(laws, random_worlds_settle, 0, 25);
    tcase_add_loop_test(laws, a_crowd_is_decided_on_as_a_few_are, 0, 4);
    suite_add_tcase(suite, laws);
    return suite;
}
