/* test_limits.c - the decision where something bounds it: what is set for a domain, balloons that
 * do not move, page cache, claims that cannot be believed, and a host that is pressed. */
#include "ideal.h"

#include <stdlib.h>
#include <string.h>

/* ---- what is set for a domain ---- */

START_TEST(a_guest_stays_within_what_is_set)
{
    struct world world = world_make_course(16 * GIB);
    world.limits[0].max_kib = 600 * MIB;
    world.limits[1].min_kib = 700 * MIB;
    world.limits[2].min_kib = world.limits[2].max_kib = 450 * MIB;
    world.used_kib[0] = 480 * MIB;
    world_run(&world, 40);
    ck_assert_uint_eq(world.domains[0].actual_kib.value, 600 * MIB);
    ck_assert_int_eq(world.decisions[0].bound, POLICY_BOUND_MAX);
    ck_assert_uint_eq(world.domains[1].actual_kib.value, 700 * MIB);
    ck_assert_uint_eq(world.domains[2].actual_kib.value, 450 * MIB);
    ck_assert_uint_eq(world.moves, 0);
}
END_TEST

/* A maximum below what it uses is come nearer to, but R is left alone. */
START_TEST(a_guest_above_its_maximum_gives_what_it_can)
{
    struct world world = world_make_course(16 * GIB);
    world.limits[0].max_kib = 300 * MIB;
    world.limits[1].max_kib = 200 * MIB;
    world_run(&world, 40);
    ck_assert_uint_eq(world.domains[0].actual_kib.value, 300 * MIB);
    ck_assert_uint_eq(world.domains[1].actual_kib.value, 280 * MIB);
}
END_TEST

START_TEST(a_domain_that_is_not_managed_is_counted_and_never_called)
{
    struct world world = world_make_course(0);
    world.host_kib = 200 * MIB + 50 * MIB + world_rss_kib(&world);
    world.limits[0].managed = false;
    world.used_kib[0] = 500 * MIB;
    for (unsigned int i = 0; i < 20; i++) {
        world_decide(&world);
        ck_assert_int_eq(world.decisions[0].action, POLICY_HOLD);
        ck_assert_int_eq(world.decisions[0].reason, POLICY_UNMANAGED);
        ck_assert_uint_eq(world.decisions[0].owed_kib, 512 * MIB);
        world_advance(&world);
    }
}
END_TEST

START_TEST(a_minimum_out_of_reach_starves_nobody)
{
    struct world world = world_make(0);
    world_add(&world, 512 * MIB, 500 * MIB, 4096 * MIB);
    world.limits[0].min_kib = 2048 * MIB;
    world.host_kib = 200 * MIB + 600 * MIB + world_rss_kib(&world);
    world_run(&world, 3);
    ck_assert_uint_ge(world.domains[0].actual_kib.value, 1000 * MIB);
}
END_TEST

/* R as a size, and as a part of what the guest uses. */
START_TEST(the_headroom_is_what_is_set)
{
    struct world world = world_make_course(16 * GIB);
    uint64_t surge = DEFAULT_HEADROOM_KIB - 100 * MIB;
    world.limits[0].headroom_kib = 250 * MIB;
    world.limits[1].headroom_kib = 0;
    world.limits[1].headroom_percent = 50;
    world_run(&world, 40);
    ck_assert_uint_eq(world.decisions[0].headroom_kib, 250 * MIB + surge);
    ck_assert_uint_ge(world_unused_kib(&world, 0), 250 * MIB + surge - 8 * MIB);
    ck_assert_uint_eq(world.decisions[1].headroom_kib, 90 * MIB + surge);
    ck_assert_uint_le(world_unused_kib(&world, 1), 90 * MIB + surge + 16 * MIB);
}
END_TEST

/* 520 MiB are left to be unused among four: by shares 1, 1, 2 and 4, as far as the headroom goes.
 */
START_TEST(scarce_memory_is_shared_by_shares)
{
    struct world world = world_make_course(0);
    static const uint64_t shares[] = {500, 500, 1000, 2000};
    static const uint64_t want_kib[] = {89 * MIB, 89 * MIB, 164 * MIB, 164 * MIB};
    world.host_kib = (200 + 4 * 180 + 507) * MIB + 4 * OVERHEAD_KIB;
    for (size_t i = 0; i < 4; i++) {
        world.limits[i].shares = shares[i];
        world.limits[i].min_kib = 100 * MIB;
        world.limits[i].headroom_kib = 50 * MIB;
        world.config.surge_kib_per_sec = 114 * MIB * 10 / 23;
        world.domains[i].actual_kib.value = 300 * MIB;
        world.domains[i].rss_kib.value = 300 * MIB + OVERHEAD_KIB;
        world_report(&world.domains[i], 180 * MIB, 1000);
    }
    world_run(&world, 60);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_uint_ge(world_unused_kib(&world, i) + 17 * MIB, want_kib[i]);
        ck_assert_uint_le(world_unused_kib(&world, i), want_kib[i] + 17 * MIB);
    }
}
END_TEST

/* ---- balloons that do not move ---- */

/* Time goes on, but the balloon of guest 0 stays; what is asked of it is remembered. */
static void advance_stuck(struct world *world)
{
    struct domain stuck = world->domains[0];
    world_advance(world);
    uint64_t last_update_sec = world->snapshot.now_usec / SEC;
    world->domains[0] = stuck;
    world_report(&world->domains[0], world->used_kib[0], last_update_sec);
}

START_TEST(a_stuck_balloon_is_left_alone_for_longer_and_longer)
{
    struct world world = world_make_course(16 * GIB);
    world.used_kib[0] = 100 * MIB;
    uint64_t asked_sec[8] = {0};
    size_t asked = 0;
    world_run(&world, 1);
    for (unsigned int second = 0; second < 120 && asked < COUNT_OF(asked_sec); second++) {
        world_decide(&world);
        const struct policy_decision *decision = &world.decisions[0];
        bool is_withdrawal = decision->reason == POLICY_STUCK && decision->action != POLICY_HOLD;
        if (is_withdrawal)
            ck_assert_uint_eq(decision->target_kib, 511 * MIB);
        else if (decision->action != POLICY_HOLD)
            asked_sec[asked++] = world.snapshot.now_usec / SEC;
        advance_stuck(&world);
    }
    /* found stuck after 5 s each time, then left alone for 5, 10, 20 and 40 s */
    static const uint64_t apart_sec[] = {10, 15, 25, 45};
    ck_assert_uint_ge(asked, COUNT_OF(apart_sec) + 1);
    for (size_t i = 0; i < COUNT_OF(apart_sec); i++) {
        ck_assert_uint_ge(asked_sec[i + 1] - asked_sec[i], apart_sec[i]);
        ck_assert_uint_le(asked_sec[i + 1] - asked_sec[i], apart_sec[i] + 2);
    }
    world_run(&world, 100); /* it moves again: all is forgiven */
    ck_assert_uint_le(world_unused_kib(&world, 0), DEFAULT_HEADROOM_KIB + 16 * MIB);
    ck_assert_uint_eq(world.memory[0].backoff_usec, 0);
}
END_TEST

/* What a stuck guest was promised is there for others once it is taken back. */
START_TEST(a_promise_to_a_stuck_guest_is_withdrawn)
{
    struct world world = world_make(0);
    world_add(&world, 512 * MIB, 500 * MIB, 2048 * MIB);
    world_add(&world, 512 * MIB, 300 * MIB, 2048 * MIB);
    world.host_kib = 200 * MIB + 100 * MIB + world_rss_kib(&world);
    world_run(&world, 0);
    for (unsigned int second = 0; second < 7; second++) {
        world_decide(&world);
        advance_stuck(&world);
    }
    ck_assert_int_eq(world.decisions[0].reason, POLICY_STUCK);
    ck_assert_uint_le(world.decisions[0].owed_kib, 513 * MIB);
    world.used_kib[1] = 480 * MIB;
    world_decide(&world);
    advance_stuck(&world);
    world_decide(&world);
    advance_stuck(&world);
    ck_assert_uint_ge(world.domains[1].actual_kib.value, 600 * MIB);
}
END_TEST

/* ---- page cache ---- */

/* Of what the guest uses, CACHE_KIB is page cache. */
static void cache(struct world *world, size_t i, uint64_t cache_kib)
{
    struct domain *domain = &world->domains[i];
    domain->usable_kib = (struct figure){true, domain->unused_kib.value + cache_kib};
}

static void run_with_cache(struct world *world, uint64_t cache_kib, unsigned int cycles)
{
    while (cycles-- > 0) {
        cache(world, 0, cache_kib);
        world_cycle(world);
    }
    cache(world, 0, cache_kib);
}

/* Every so many reports one is of a moment at which that of a cache is hidden: as when a balloon
 * gives memory back, and the kernel counts it before it has it. */
static const struct {
    unsigned int period;
    uint64_t hidden_kib;
} glimpses[] = {{1, 0},        {3, 44 * MIB},  {7, 44 * MIB},  {3, 90 * MIB},
                {5, 90 * MIB}, {5, 150 * MIB}, {20, 150 * MIB}};

/* It needs 180 MiB: fed to as much again, whatever it would cache, and what it seems to need for a
 * moment. */
START_TEST(page_cache_is_fed_only_so_far)
{
    struct world world = world_make_course(16 * GIB);
    for (unsigned int i = 0; i < 60; i++) { /* all it is given it fills */
        uint64_t size = world.domains[0].actual_kib.value;
        world.used_kib[0] = size - 10 * MIB;
        world_report(&world.domains[0], world.used_kib[0], world.snapshot.now_usec / SEC);
        uint64_t hidden = i % glimpses[_i].period == 1 ? glimpses[_i].hidden_kib : 0;
        run_with_cache(&world, world.used_kib[0] - 180 * MIB - hidden, 1);
    }
    uint64_t most = 2 * 180 * MIB + DEFAULT_HEADROOM_KIB;
    ck_assert_uint_le(world.domains[0].actual_kib.value, most);
    ck_assert_uint_ge(world.domains[0].actual_kib.value, most - 32 * MIB);
    ck_assert_int_eq(world.decisions[0].bound, POLICY_BOUND_CACHE);
}
END_TEST

/* Who needs memory comes before who would cache with it. */
START_TEST(page_cache_is_served_last)
{
    struct world world = world_make(0);
    world_add(&world, 512 * MIB, 500 * MIB, 2048 * MIB);
    world_add(&world, 512 * MIB, 400 * MIB, 2048 * MIB);
    cache(&world, 0, 320 * MIB);
    world.host_kib = 200 * MIB + 60 * MIB + world_rss_kib(&world);
    world_decide(&world);
    ck_assert_int_eq(world.decisions[0].action, POLICY_HOLD);
    ck_assert_int_eq(world.decisions[1].action, POLICY_GROW);
    ck_assert_uint_gt(world.decisions[1].target_kib, 560 * MIB);
}
END_TEST

/* Which memory is a guest's to give: by default not its cache, unless somebody starves. */
static const struct {
    const char *name;
    enum policy_metric metric;
    uint64_t other_used; /* MiB, of 512 */
    uint64_t least;      /* what the guest with the cache comes down to */
    uint64_t most;
} cache_rows[] = {
    {"unused: the cache stays", POLICY_UNUSED, 300, 800, 800},
    {"usable: the cache is given", POLICY_USABLE, 300, 340, 361},
    {"unused, somebody starves: given too", POLICY_UNUSED, 1200, 280, 420},
};

START_TEST(page_cache_is_given)
{
    struct world world = world_make(0);
    world_add(&world, 800 * MIB, 690 * MIB, 2048 * MIB);
    world_add(&world, 512 * MIB, cache_rows[_i].other_used * MIB, 2048 * MIB);
    world.config.metric = cache_rows[_i].metric;
    world.host_kib = 200 * MIB + 300 * MIB + world_rss_kib(&world);
    for (unsigned int i = 0; i < 60; i++) { /* the balloon takes of the cache what is not free */
        uint64_t size = world.domains[0].actual_kib.value;
        uint64_t cached = size < 690 * MIB ? (size > 190 * MIB ? size - 190 * MIB : 0) : 510 * MIB;
        world.used_kib[0] = 180 * MIB + cached;
        world_report(&world.domains[0], world.used_kib[0], world.snapshot.now_usec / SEC);
        if (world.used_kib[1] > world.domains[1].actual_kib.value)
            world_report(&world.domains[1], world.domains[1].actual_kib.value,
                         world.snapshot.now_usec / SEC);
        cache(&world, 0, cached);
        world_cycle(&world);
    }
    uint64_t size = world.domains[0].actual_kib.value;
    ck_assert_msg(size >= cache_rows[_i].least * MIB && size <= cache_rows[_i].most * MIB,
                  "%s: %lu MiB", cache_rows[_i].name, size / MIB);
}
END_TEST

/* ---- signs of pain ---- */

/* While it swaps in it keeps all it has, since nobody knows how much is still to come. */
START_TEST(a_guest_that_swaps_in_is_not_made_to_give)
{
    struct world world = world_make_course(16 * GIB);
    world_run(&world, 2);
    world.domains[0].swap_in_kib = (struct figure){true, 0};
    world_cycle(&world);
    uint64_t size = world.domains[0].actual_kib.value;
    for (unsigned int second = 0; second < 5; second++) {
        world.domains[0].swap_in_kib.value += 4 * MIB;
        world_cycle(&world);
        ck_assert_uint_eq(world.domains[0].actual_kib.value, size);
        ck_assert_int_eq(world.decisions[0].bound, POLICY_BOUND_SWAPPING);
    }
    world_run(&world, 4); /* and then it gives what it has beyond its headroom */
    ck_assert_uint_lt(world.domains[0].actual_kib.value, size);
}
END_TEST

/* For ten seconds after that its headroom is not for others to lack theirs. */
START_TEST(a_guest_that_has_swapped_in_keeps_its_headroom)
{
    struct world world = world_make(0);
    world_add(&world, 400 * MIB, 220 * MIB, 2048 * MIB);
    world_add(&world, 400 * MIB, 280 * MIB, 2048 * MIB); /* lacks some, but has R */
    world.host_kib = 200 * MIB + world_rss_kib(&world);
    world.domains[0].swap_in_kib = (struct figure){true, 0};
    world_cycle(&world);
    world.domains[0].swap_in_kib.value = 4 * MIB;
    for (unsigned int second = 0; second < 10; second++) {
        world_cycle(&world);
        ck_assert_uint_ge(world_unused_kib(&world, 0), DEFAULT_HEADROOM_KIB);
    }
    world_run(&world, 5);
    ck_assert_uint_lt(world_unused_kib(&world, 0), DEFAULT_HEADROOM_KIB);
}
END_TEST

/* Cache makes it look rich, but it swaps: it needs more than it has. */
START_TEST(swapping_in_is_need)
{
    struct world world = world_make_course(16 * GIB);
    world_run(&world, 40);
    uint64_t size = world.domains[0].actual_kib.value;
    world.used_kib[0] = size - 120 * MIB; /* more than R, less than the headroom */
    world.domains[0].swap_in_kib = (struct figure){true, 0};
    world_cycle(&world);
    world.domains[0].swap_in_kib.value = 30 * MIB; /* and will again */
    world.used_kib[0] = world.domains[0].actual_kib.value - 120 * MIB;
    world_report(&world.domains[0], world.used_kib[0], world.snapshot.now_usec / SEC);
    size = world.domains[0].actual_kib.value;
    world_decide(&world);
    ck_assert_int_eq(world.decisions[0].reason, POLICY_STARVING);
    ck_assert_uint_eq(world.decisions[0].target_kib, size - 90 * MIB + DEFAULT_HEADROOM_KIB);
}
END_TEST

/* ---- claims ---- */

/* Guest 0 says that it uses all it has, whatever that is. */
static void claim_all(struct world *world, bool touches)
{
    uint64_t size = world->domains[0].actual_kib.value;
    world->used_kib[0] = size;
    world_report(&world->domains[0], size, world->snapshot.now_usec / SEC);
    if (!touches)
        world->domains[0].rss_kib.value = 400 * MIB;
}

START_TEST(memory_never_touched_is_not_believed_to_be_used)
{
    struct world world = world_make_course(16 * GIB);
    for (unsigned int i = 0; i < 60; i++) {
        claim_all(&world, false);
        world_cycle(&world);
    }
    claim_all(&world, false);
    world_decide(&world);
    ck_assert_uint_le(world.domains[0].actual_kib.value, 400 * MIB + DEFAULT_HEADROOM_KIB);
    ck_assert_int_eq(world.decisions[0].bound, POLICY_BOUND_UNTOUCHED);
}
END_TEST

/* What the host has swapped out of an emulator was held once, and is believed. */
START_TEST(memory_that_was_held_once_is_believed)
{
    struct world world = world_make(0);
    world_add(&world, 1024 * MIB, 900 * MIB, 2048 * MIB);
    world_add(&world, 512 * MIB, 470 * MIB, 2048 * MIB);
    world.host_kib = 200 * MIB + 10 * MIB + world_rss_kib(&world);
    world_run(&world, 3);
    for (unsigned int i = 0; i < 30; i++) {
        world.domains[0].rss_kib.value = 300 * MIB;
        world_cycle(&world);
    }
    ck_assert(!world.decisions[0].overclaims);
    ck_assert_uint_ge(world.domains[0].actual_kib.value, 940 * MIB);
}
END_TEST

/* 2400 MiB and one that says it needs all it is given, and has never touched the half of it: it
 * keeps its share at the most while others lack their headroom. */
START_TEST(a_claim_that_is_belied_keeps_no_more_than_its_share)
{
    struct world world = world_make_course(2400 * MIB + 200 * MIB + 4 * OVERHEAD_KIB);
    world.domains[0].actual_kib.value = 1200 * MIB;
    world.domains[0].rss_kib.value = 400 * MIB;
    for (unsigned int i = 0; i < 60; i++) {
        claim_all(&world, false);
        world_decide(&world);
        for (size_t g = 1; g < 4; g++)
            if (world.used_kib[g] < 400 * MIB)
                world.used_kib[g] += 10 * MIB;
        world_advance(&world);
    }
    ck_assert_uint_le(world.domains[0].actual_kib.value, 720 * MIB);
}
END_TEST

/* One that touches what it is given gets what the others do not need, and no more than its share
 * once they need it: 2400 MiB are 600 for each. */
START_TEST(an_insatiable_guest_gets_no_more_than_its_share)
{
    struct world world = world_make_course(2400 * MIB + 200 * MIB + 4 * OVERHEAD_KIB);
    for (unsigned int i = 0; i < 40; i++) {
        claim_all(&world, true);
        world_cycle(&world);
    }
    ck_assert_uint_ge(world.domains[0].actual_kib.value, 1200 * MIB);
    for (unsigned int i = 0; i < 120; i++) {
        claim_all(&world, true);
        world_decide(&world);
        for (size_t g = 1; g < 4; g++)
            if (world.used_kib[g] < 520 * MIB)
                world.used_kib[g] += 5 * MIB;
        world_advance(&world);
        for (size_t g = 1; g < 4; g++)
            ck_assert_uint_ge(world_unused_kib(&world, g),
                              40 * MIB); /* and 5 it took since, and 5 more */
    }
    ck_assert_uint_le(world.domains[0].actual_kib.value, 600 * MIB + 32 * MIB);
}
END_TEST

/* Two guests that can swap and would use 900 MiB each, of 1200: by shares one yields what it uses.
 */
START_TEST(shares_say_who_yields_when_more_is_used_than_there_is)
{
    struct world world = world_make(1200 * MIB + 200 * MIB + 2 * OVERHEAD_KIB);
    world_add(&world, 600 * MIB, 600 * MIB, 2048 * MIB);
    world_add(&world, 600 * MIB, 600 * MIB, 2048 * MIB);
    world.limits[1].shares = 4 * POLICY_SHARES;
    for (uint64_t i = 0; i < 80; i++) {
        for (size_t g = 0; g < 2; g++) { /* what does not fit is in swap, and comes and goes */
            uint64_t size = world.domains[g].actual_kib.value;
            world.used_kib[g] = size < 900 * MIB ? size : 900 * MIB;
            world.domains[g].swap_in_kib =
                (struct figure){true, size < 900 * MIB ? 2 * MIB * (i + 1) : 2 * MIB};
            world_report(&world.domains[g], world.used_kib[g], world.snapshot.now_usec / SEC);
        }
        world_cycle(&world);
    }
    ck_assert_uint_ge(world.domains[1].actual_kib.value, 850 * MIB);
    ck_assert_uint_le(world.domains[0].actual_kib.value, 350 * MIB);
    ck_assert_uint_ge(world.domains[0].actual_kib.value, 200 * MIB);
}
END_TEST

/* The same without swap: nobody is killed for another's shares. */
START_TEST(memory_in_use_is_not_taken_from_who_cannot_swap)
{
    struct world world = world_make(1200 * MIB + 200 * MIB + 2 * OVERHEAD_KIB);
    world_add(&world, 600 * MIB, 590 * MIB, 2048 * MIB);
    world_add(&world, 600 * MIB, 590 * MIB, 2048 * MIB);
    world.limits[1].shares = 4 * POLICY_SHARES;
    world_run(&world, 80);
    ck_assert_uint_ge(world.domains[0].actual_kib.value, 600 * MIB - MIB);
}
END_TEST

/* One that reads its programs back from disk again and again has not shown that it can swap. */
START_TEST(a_guest_that_thrashes_has_no_swap_for_that)
{
    struct world world = world_make(1200 * MIB + 200 * MIB + 2 * OVERHEAD_KIB);
    world_add(&world, 600 * MIB, 590 * MIB, 2048 * MIB);
    world_add(&world, 600 * MIB, 590 * MIB, 2048 * MIB);
    world.limits[1].shares = 4 * POLICY_SHARES;
    for (uint64_t i = 0; i < 80; i++) {
        world.domains[0].major_faults = (struct figure){true, 1000 * i};
        world_cycle(&world);
    }
    ck_assert(world.decisions[1].is_famished && world.decisions[0].has_swapped);
    ck_assert_uint_ge(world.domains[0].actual_kib.value, 600 * MIB - MIB);
}
END_TEST

/* ---- promises and growth ---- */

/* What an emulator takes for itself has not shown while its guest has untouched memory. */
START_TEST(what_an_emulator_may_still_take_is_kept_for_it)
{
    struct world world = world_make(0);
    world_add(&world, 1024 * MIB, 180 * MIB, 2048 * MIB);
    world_add(&world, 512 * MIB, 300 * MIB, 2048 * MIB);
    world.domains[0].rss_kib.value = 180 * MIB + 104 * MIB;
    world.host_kib = 200 * MIB + 1024 * MIB + 104 * MIB + 512 * MIB + OVERHEAD_KIB;
    world_decide(&world);
    world_advance(&world);
    world.domains[0].rss_kib.value = 180 * MIB + 104 * MIB;
    world.used_kib[1] = 500 * MIB;
    world_report(&world.domains[1], world.used_kib[1], world.snapshot.now_usec / SEC);
    world_decide(&world);
    ck_assert_uint_eq(world.decisions[0].overhead_kib, 104 * MIB);
    ck_assert_uint_eq(world.decisions[1].target_kib, 512 * MIB); /* it is all promised */
}
END_TEST

/* The pool does not do for all headrooms: who grows gets what it will grow by before the others
 * have what they might begin to need. */
START_TEST(growth_comes_before_surge)
{
    struct world world = world_make(0);
    world_add(&world, 400 * MIB, 236 * MIB, 2048 * MIB);
    world_add(&world, 400 * MIB, 180 * MIB, 2048 * MIB);
    world.host_kib = 200 * MIB + 30 * MIB + world_rss_kib(&world);
    for (unsigned int i = 0; i < 8; i++) {
        world_decide(&world);
        world.used_kib[0] += 20 * MIB;
        world_advance(&world);
    }
    world_decide(&world); /* 830 MiB less 396 and 180: 127 for each, but for the growth of 46 */
    ck_assert_uint_eq(world.decisions[0].needed_kib, 396 * MIB);
    ck_assert_uint_le(world.decisions[1].target_kib, (180 + 104) * MIB + MIB);
    ck_assert_uint_ge(world.decisions[1].target_kib, (180 + 104) * MIB - MIB);
}
END_TEST

START_TEST(noise_is_not_followed)
{
    struct world world = world_make_course(16 * GIB);
    uint64_t state = test_seed();
    unsigned int moves = 0;
    for (unsigned int i = 0; i < 200; i++) {
        world.used_kib[0] = 160 * MIB + random_between(&state, 0, 40 * MIB);
        world_cycle(&world);
        moves += i >= 40 ? world.moves : 0;
    }
    ck_assert_uint_le(moves, 14);
}
END_TEST

/* Nor where memory is scarce, and what one has too much another has too little. */
START_TEST(noise_moves_nothing_to_and_fro)
{
    struct world world = world_make_course(1200 * MIB + 200 * MIB + 4 * OVERHEAD_KIB);
    uint64_t state = test_seed();
    unsigned int moves = 0;
    for (unsigned int i = 0; i < 200; i++) {
        for (size_t g = 0; g < 4; g++)
            world.used_kib[g] = 160 * MIB + random_between(&state, 0, 40 * MIB);
        world_cycle(&world);
        moves += i >= 40 ? world.moves : 0;
    }
    ck_assert_uint_le(moves, 260);
}
END_TEST

/* At noise of 20 MiB the rate and the need of a guest that grows are still seen. */
START_TEST(growth_is_seen_through_noise)
{
    struct world world = world_make_course(16 * GIB);
    uint64_t state = test_seed();
    for (unsigned int i = 0; i < 100; i++) {
        uint64_t grown = i < 50 ? 0 : 20 * MIB * (i - 50);
        world.used_kib[0] = 160 * MIB + grown + random_between(&state, 0, 40 * MIB);
        world_cycle(&world);
        ck_assert_uint_ge(world_unused_kib(&world, 0), 64 * MIB);
    }
}
END_TEST

/* Claims that the emulator belies are no growth that goes on. */
START_TEST(who_has_memory_left_untouched_does_not_grow)
{
    struct world world = world_make_course(16 * GIB);
    world_run(&world, 30);
    for (unsigned int i = 0; i < 30; i++) {
        claim_all(&world, false);
        world_cycle(&world);
    }
    ck_assert(world.memory[0].is_hungry);
    ck_assert_uint_le(world.decisions[0].growth_kib, MIB);
}
END_TEST

/* 100 MiB in ten seconds, seen once: the one who grows comes before the one who may begin to. */
START_TEST(growth_seen_once_comes_before_surge)
{
    struct world world = world_make(0);
    world.config.interval_usec = 10 * SEC;
    world_add(&world, 1000 * MIB, 680 * MIB, 2048 * MIB);
    world_add(&world, 1000 * MIB, 680 * MIB, 2048 * MIB);
    world.host_kib = 200 * MIB + world_rss_kib(&world);
    world_run(&world, 3);
    world_decide(&world);
    world.used_kib[0] += 100 * MIB;
    world_advance(&world);
    world_decide(&world); /* 540 MiB unused: 113 for growth, what is left is shared */
    uint64_t left = (540 - 113) / 2 * MIB;
    ck_assert_uint_ge(world.decisions[1].target_kib, 680 * MIB + left - 2 * MIB);
    ck_assert_uint_le(world.decisions[1].target_kib, 680 * MIB + left + 2 * MIB);
}
END_TEST

/* What is 12 MiB of a guest of 4 GiB to it is as much to others as 12 MiB of a small one. */
START_TEST(a_large_guest_gives_small_bits_too)
{
    struct world world = world_make(0);
    world_add(&world, 4096 * MIB, (4096 - 150) * MIB, 8192 * MIB);
    world_add(&world, 400 * MIB, 270 * MIB, 2048 * MIB);
    world.host_kib = 200 * MIB + world_rss_kib(&world);
    world_run(&world, 10);
    ck_assert_uint_le(world_unused_kib(&world, 0), 141 * MIB);
    ck_assert_uint_ge(world_unused_kib(&world, 1), 139 * MIB);
}
END_TEST

/* It was asked to give and has not: to have that back costs nobody anything, although more is
 * promised than there is. */
START_TEST(what_has_not_been_given_yet_is_not_asked_of_others)
{
    struct world world = world_make(0);
    world_add(&world, 500 * MIB, 280 * MIB, 2048 * MIB);
    world_add(&world, 500 * MIB, 400 * MIB, 2048 * MIB);
    world.host_kib = 240 * MIB + world_rss_kib(&world);
    world_run(&world, 2);
    world.domains[0].actual_kib.value = 500 * MIB;
    world.decisions[0].target_kib = 400 * MIB;
    policy_asked(&world.memory[0], &world.decisions[0], world.snapshot.now_usec);
    world.domains[0].rss_kib.value = 500 * MIB + OVERHEAD_KIB;
    world.used_kib[0] = 350 * MIB;
    world_report(&world.domains[0], world.used_kib[0], world.snapshot.now_usec / SEC);
    world_add(&world, 100 * MIB, 100 * MIB, 100 * MIB);
    world.domains[2].has_balloon = false;
    world.domains[2].rss_kib.value = 20 * MIB;
    world.host_kib = 240 * MIB + world_rss_kib(&world);
    world_decide(&world);
    ck_assert_uint_ge(world.decisions[0].target_kib, 450 * MIB - MIB);
    ck_assert_uint_eq(world.decisions[1].target_kib, world.decisions[1].from_kib);
}
END_TEST

/* ---- the host's states ---- */

/* Available memory in MiB, one after the other, with a reserve of 200. */
static const struct {
    uint64_t available;
    enum policy_host_state want;
} host_rows[] = {
    {300, POLICY_HOST_HIGH}, {190, POLICY_HOST_HIGH}, {187, POLICY_HOST_SOFT},
    {199, POLICY_HOST_SOFT}, {200, POLICY_HOST_HIGH}, {121, POLICY_HOST_SOFT},
    {119, POLICY_HOST_HARD}, {127, POLICY_HOST_HARD}, {128, POLICY_HOST_SOFT},
    {61, POLICY_HOST_HARD},  {59, POLICY_HOST_LOW},   {63, POLICY_HOST_LOW},
    {65, POLICY_HOST_HARD},  {0, POLICY_HOST_LOW},    {500, POLICY_HOST_HIGH},
};

START_TEST(host_states_follow_what_is_available)
{
    struct world world = world_make_course(0);
    for (size_t i = 0; i < COUNT_OF(host_rows); i++) {
        world.host_kib = world_rss_kib(&world) + host_rows[i].available * MIB;
        world_decide(&world);
        ck_assert_msg(world.host.state == host_rows[i].want, "row %zu: state %d", i,
                      world.host.state);
    }
}
END_TEST

/* Looks, one a second, of a host of 16 GiB with a reserve of 200 MiB. */
static const struct {
    uint64_t available; /* MiB */
    struct figure full_permyriad;
    unsigned int times;
    enum policy_host_state want; /* after the last of them */
    bool want_pressed;
} pressed_rows[] = {
    /* a burst */
    {1000, {true, 9000}, 9, POLICY_HOST_HIGH, false},
    {1000, {true, 999}, 1, POLICY_HOST_HIGH, false},
    {1000, {true, 9000}, 10, POLICY_HOST_HIGH, false},
    /* that lasts */
    {1000, {true, 1000}, 1, POLICY_HOST_SOFT, true},
    {1000, {true, 500}, 30, POLICY_HOST_SOFT, true},
    {1000, {true, 499}, 1, POLICY_HOST_HIGH, false},
    /* and is over at once where nobody tells of it any more */
    {1000, {true, 2000}, 11, POLICY_HOST_SOFT, true},
    {1000, {false, 0}, 1, POLICY_HOST_HIGH, false},
    /* each state is one worse, and comes back by the same marks */
    {1000, {true, 2000}, 11, POLICY_HOST_SOFT, true},
    {187, {true, 2000}, 1, POLICY_HOST_HARD, true},
    {199, {true, 2000}, 1, POLICY_HOST_HARD, true},
    {199, {true, 0}, 1, POLICY_HOST_SOFT, false},
    {200, {true, 0}, 1, POLICY_HOST_HIGH, false},
    {119, {true, 2000}, 10, POLICY_HOST_HARD, false},
    {119, {true, 2000}, 1, POLICY_HOST_LOW, true},
    {59, {true, 2000}, 1, POLICY_HOST_LOW, true},
    {59, {true, 0}, 1, POLICY_HOST_LOW, false},
    {1000, {true, 0}, 1, POLICY_HOST_HIGH, false},
    /* where there is much it is not the host that is short: an eighth of it, 2 GiB */
    {2048, {true, 10000}, 60, POLICY_HOST_HIGH, false},
    {2047, {true, 10000}, 11, POLICY_HOST_SOFT, true},
    {2048, {true, 10000}, 1, POLICY_HOST_HIGH, false},
};

static void decide_on(struct world *world, uint64_t available_kib, struct figure full_permyriad)
{
    world->snapshot.now_usec += SEC;
    world->snapshot.domains = world->domains;
    world->snapshot.host = (struct host){
        .has_memory = true,
        .total_kib = 16 * GIB,
        .available_kib = available_kib,
        .full_permyriad = full_permyriad,
    };
    policy_decide(&world->config, &world->snapshot, world->limits, &world->host, world->memory,
                  world->decisions);
}

START_TEST(who_waits_for_memory_makes_the_state_one_worse)
{
    struct world world = world_make_course(0);
    for (size_t i = 0; i < COUNT_OF(pressed_rows); i++) {
        for (unsigned int time = 0; time < pressed_rows[i].times; time++)
            decide_on(&world, pressed_rows[i].available * MIB, pressed_rows[i].full_permyriad);
        ck_assert_msg(world.host.state == pressed_rows[i].want &&
                          world.host.is_pressed == pressed_rows[i].want_pressed,
                      "row %zu: state %d", i, world.host.state);
    }
}
END_TEST

START_TEST(nothing_grows_under_pressure)
{
    struct world world = world_make(0);
    world_add(&world, 512 * MIB, 500 * MIB, 2048 * MIB);
    world.host_kib = world_rss_kib(&world) + 300 * MIB;
    world.host =
        (struct policy_host){.state = POLICY_HOST_SOFT, .is_pressed = true, .pressed_usec = 1};
    world.snapshot.host.full_permyriad = (struct figure){true, 3000};
    world_cycle(&world);
    ck_assert_uint_eq(world.moves, 0);
    world.snapshot.host.full_permyriad = (struct figure){true, 0};
    world_cycle(&world);
    ck_assert_uint_eq(world.moves, 1);
}
END_TEST

START_TEST(nothing_grows_at_the_reserve)
{
    struct world world = world_make(0);
    world_add(&world, 512 * MIB, 500 * MIB, 2048 * MIB);
    world.host_kib = world_rss_kib(&world) + 180 * MIB;
    world_cycle(&world);
    world.host_kib += 20 * MIB;
    world_cycle(&world);
    ck_assert_uint_eq(world.moves, 0);
    ck_assert_int_eq(world.decisions[0].bound, POLICY_BOUND_POOL);
    world.host_kib += 10 * MIB;
    world_cycle(&world);
    ck_assert_uint_eq(world.moves, 1);
    ck_assert_uint_eq(world.domains[0].actual_kib.value, 522 * MIB);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("limits");
    TCase *set = tcase_create("set");
    tcase_add_test(set, a_guest_stays_within_what_is_set);
    tcase_add_test(set, a_guest_above_its_maximum_gives_what_it_can);
    tcase_add_test(set, a_domain_that_is_not_managed_is_counted_and_never_called);
    tcase_add_test(set, a_minimum_out_of_reach_starves_nobody);
    tcase_add_test(set, the_headroom_is_what_is_set);
    tcase_add_test(set, scarce_memory_is_shared_by_shares);
    suite_add_tcase(suite, set);

    TCase *balloons = tcase_create("balloons");
    tcase_add_test(balloons, a_stuck_balloon_is_left_alone_for_longer_and_longer);
    tcase_add_test(balloons, a_promise_to_a_stuck_guest_is_withdrawn);
    suite_add_tcase(suite, balloons);

    TCase *memory = tcase_create("memory");
    tcase_add_loop_test(memory, page_cache_is_fed_only_so_far, 0, COUNT_OF(glimpses));
    tcase_add_test(memory, page_cache_is_served_last);
    tcase_add_loop_test(memory, page_cache_is_given, 0, COUNT_OF(cache_rows));
    tcase_add_test(memory, a_guest_that_swaps_in_is_not_made_to_give);
    tcase_add_test(memory, a_guest_that_has_swapped_in_keeps_its_headroom);
    tcase_add_test(memory, swapping_in_is_need);
    tcase_add_test(memory, memory_never_touched_is_not_believed_to_be_used);
    tcase_add_test(memory, memory_that_was_held_once_is_believed);
    tcase_add_test(memory, a_claim_that_is_belied_keeps_no_more_than_its_share);
    tcase_add_test(memory, an_insatiable_guest_gets_no_more_than_its_share);
    tcase_add_test(memory, shares_say_who_yields_when_more_is_used_than_there_is);
    tcase_add_test(memory, memory_in_use_is_not_taken_from_who_cannot_swap);
    tcase_add_test(memory, a_guest_that_thrashes_has_no_swap_for_that);
    tcase_add_test(memory, what_an_emulator_may_still_take_is_kept_for_it);
    tcase_add_test(memory, growth_comes_before_surge);
    tcase_add_test(memory, noise_is_not_followed);
    tcase_add_test(memory, noise_moves_nothing_to_and_fro);
    tcase_add_test(memory, growth_is_seen_through_noise);
    tcase_add_test(memory, who_has_memory_left_untouched_does_not_grow);
    tcase_add_test(memory, growth_seen_once_comes_before_surge);
    tcase_add_test(memory, a_large_guest_gives_small_bits_too);
    tcase_add_test(memory, what_has_not_been_given_yet_is_not_asked_of_others);
    suite_add_tcase(suite, memory);

    TCase *host = tcase_create("host");
    tcase_add_test(host, host_states_follow_what_is_available);
    tcase_add_test(host, who_waits_for_memory_makes_the_state_one_worse);
    tcase_add_test(host, nothing_grows_under_pressure);
    tcase_add_test(host, nothing_grows_at_the_reserve);
    suite_add_tcase(suite, host);
    return suite;
}
