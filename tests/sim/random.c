/* random.c - random worlds. Sizes are whole MiB and times whole steps, so that the files are short.
 */
#include "random.h"

#include "arithmetic.h"
#include "scenario.h"
#include "splitmix.h"

#include <errno.h>
#include <inttypes.h>

enum { KIB_PER_MIB = 1024, USEC_PER_SEC = 1000000, STEPS_PER_SEC = USEC_PER_SEC / SIM_STEP_USEC };

/* What a guest begins with, of what it has. */
enum { BASE_LEAST_MIB = 100, START_BEYOND_BASE_MIB = 64 };

struct dice {
    uint64_t state;
    uint64_t length_usec;
    bool out_of_memory;
};

static uint64_t between(struct dice *dice, uint64_t low, uint64_t high)
{
    return random_between(&dice->state, low, high);
}

static bool one_in(struct dice *dice, uint64_t n)
{
    return between(dice, 1, n) == 1;
}

static uint64_t seconds(struct dice *dice, uint64_t low, uint64_t high)
{
    return between(dice, low * STEPS_PER_SEC, high * STEPS_PER_SEC) * SIM_STEP_USEC;
}

static void add_point(struct dice *dice, struct sim_series *series, uint64_t at_usec, uint64_t mib)
{
    if (scenario_add_point(series, at_usec, mib * KIB_PER_MIB) != 0)
        dice->out_of_memory = true;
}

/* ---- demands ---- */

/* How fast a load grows, in MiB/s: mostly as the course's, seldom a burst. */
static uint64_t slope(struct dice *dice)
{
    return one_in(dice, 10) ? between(dice, 50, 300) : between(dice, 1, 28);
}

/* When a change of SIZE at RATE that begins at AT_USEC is over; a step later at the least. */
static uint64_t end_of_change(uint64_t at_usec, uint64_t mib, uint64_t rate)
{
    uint64_t steps = (mib * STEPS_PER_SEC + rate - 1) / rate;
    return at_usec + (steps > 0 ? steps : 1) * SIM_STEP_USEC;
}

/* Changes from BASE to something up to MOST and back, until the run is over. */
static void add_loads(struct dice *dice, struct sim_series *use, uint64_t base, uint64_t most)
{
    uint64_t at = seconds(dice, 0, 40);
    add_point(dice, use, 0, base);
    while (at < dice->length_usec && use->count < 40) {
        uint64_t top = between(dice, base, most);
        add_point(dice, use, at, base);
        at = end_of_change(at, top - base, slope(dice));
        add_point(dice, use, at, top);
        at += seconds(dice, 0, 30);
        add_point(dice, use, at, top);
        at = end_of_change(at, top - base, one_in(dice, 2) ? 1000 : slope(dice));
        add_point(dice, use, at, base);
        at += seconds(dice, 1, 40);
    }
}

static void add_sawtooth(struct dice *dice, struct sim_series *use, uint64_t base, uint64_t most)
{
    uint64_t top = base + between(dice, 1, most - base + 1) / 4;
    uint64_t half = end_of_change(0, top - base, between(dice, 2, 28));
    add_point(dice, use, 0, base);
    for (uint64_t at = seconds(dice, 0, 10); at + 2 * half < dice->length_usec && use->count < 100;
         at += 2 * half) {
        add_point(dice, use, at, base);
        add_point(dice, use, at + half, top);
        add_point(dice, use, at + 2 * half, base);
    }
}

static void choose_demand(struct dice *dice, struct sim_guest_plan *plan)
{
    uint64_t start = plan->start_kib / KIB_PER_MIB;
    uint64_t max = plan->max_kib / KIB_PER_MIB;
    uint64_t base = between(dice, BASE_LEAST_MIB, start - START_BEYOND_BASE_MIB);
    uint64_t most = base + (max - base) * 3 / 4;
    switch (between(dice, 0, 5)) {
    case 0:
    case 1:
        add_point(dice, &plan->use, 0, base);
        break;
    case 2:
        add_sawtooth(dice, &plan->use, base, most);
        break;
    default:
        add_loads(dice, &plan->use, base, most);
        break;
    }
    if (one_in(dice, 4))
        add_loads(dice, &plan->cache, 0, max / 2);
}

/* ---- faults ---- */

/* A spell; another one of the same kind comes after the last. */
static void add_spell(struct dice *dice, struct sim_spells *spells, uint64_t longest_sec)
{
    uint64_t from = seconds(dice, 5, dice->length_usec / USEC_PER_SEC - 5);
    if (spells->count > 0)
        from = spells->spells[spells->count - 1].until_usec + seconds(dice, 1, 10);
    if (scenario_add_spell(spells, from, from + seconds(dice, 1, longest_sec)) != 0)
        dice->out_of_memory = true;
}

static void choose_fault(struct dice *dice, struct sim_guest_plan *plan)
{
    struct sim_spells *spells[] = {
        &plan->stuck,      &plan->frozen, &plan->garbage, &plan->claims_none,
        &plan->claims_all, &plan->paused, &plan->absent,  &plan->refuses,
    };
    uint64_t which = between(dice, 0, 13);
    if (which < sizeof(spells) / sizeof(*spells))
        add_spell(dice, spells[which], 30);
    else if (which == 8)
        plan->rate_kib_per_sec = between(dice, 10, 100) * KIB_PER_MIB;
    else if (which == 9)
        plan->latency_usec = seconds(dice, 0, 3);
    else if (which == 10)
        plan->delay_usec = seconds(dice, 0, 3);
    else if (which == 11)
        plan->noise_kib = between(dice, 1, 20) * KIB_PER_MIB;
    else if (which == 12)
        plan->limit_kib = between(dice, 200, 500) * KIB_PER_MIB;
    else
        plan->is_mute = true;
}

/* ---- guests and host ---- */

static void choose_bounds(struct dice *dice, struct sim_guest_plan *plan)
{
    uint64_t max = between(dice, 4, 32) * 128;
    uint64_t start = min_u64(max, between(dice, 256, 1024));
    plan->max_kib = max * KIB_PER_MIB;
    plan->start_kib = start * KIB_PER_MIB;
    plan->touched = !one_in(dice, 3);
    plan->counts_balloon = one_in(dice, 8);
    if (one_in(dice, 4))
        plan->settings.min_kib = (struct figure){true, between(dice, 128, start) * KIB_PER_MIB};
    if (one_in(dice, 6))
        plan->settings.max_kib = (struct figure){true, between(dice, start, max) * KIB_PER_MIB};
    if (one_in(dice, 3))
        plan->settings.shares = (struct figure){true, between(dice, 1, 40) * 100};
    if (one_in(dice, 6))
        plan->settings.headroom_kib = (struct figure){true, between(dice, 50, 200) * KIB_PER_MIB};
    if (one_in(dice, 20))
        plan->settings.managed = (struct figure){true, 0};
    if (one_in(dice, 6))
        plan->swap_kib = between(dice, 128, 1024) * KIB_PER_MIB;
    if (one_in(dice, 4))
        plan->inexact_kib = between(dice, 4, 1024);
    if (one_in(dice, 30)) {
        plan->has_balloon = false;
        plan->start_kib = plan->max_kib;
    }
}

static void choose_guest(struct dice *dice, struct sim_scenario *scenario, bool has_faults)
{
    struct sim_guest_plan plan = scenario_default_guest();
    snprintf(plan.name, sizeof(plan.name), "vm%zu", scenario->guest_count + 1);
    choose_bounds(dice, &plan);
    choose_demand(dice, &plan);
    if (has_faults && one_in(dice, 2))
        choose_fault(dice, &plan);
    if (has_faults && one_in(dice, 8))
        choose_fault(dice, &plan);
    if (scenario_add_guest(scenario, &plan) != 0)
        dice->out_of_memory = true;
    scenario_release_guest(&plan);
}

/* What all guests together want at the most, and what they have at the beginning. */
static void choose_host(struct dice *dice, struct sim_scenario *scenario, bool has_faults)
{
    uint64_t most = 0;
    uint64_t start = 0;
    for (size_t i = 0; i < scenario->guest_count; i++) {
        const struct sim_guest_plan *plan = &scenario->guests[i];
        most += min_u64(plan->max_kib, sim_series_most(&plan->use) + 400 * KIB_PER_MIB);
        start += plan->start_kib;
    }
    uint64_t others = between(dice, 0, 1000);
    uint64_t fixed = scenario->guest_count * scenario->overhead_kib + others * KIB_PER_MIB +
                     scenario->config.policy.host_reserve_kib;
    bool is_tight = one_in(dice, 2);
    if (is_tight && most > start)
        most = start + (most - start) * between(dice, 0, 9) / 10;
    uint64_t total = fixed + (most > start ? most : start);
    scenario->host_kib[is_tight] = total / KIB_PER_MIB * KIB_PER_MIB + KIB_PER_MIB;
    add_loads(dice, &scenario->others, others,
              has_faults && one_in(dice, 2) ? others + 500 : others);
    if (has_faults && one_in(dice, 10))
        add_spell(dice, &scenario->disconnected, 20);
    if (has_faults && one_in(dice, 10) &&
        scenario_add_point(&scenario->restarts, seconds(dice, 10, 50), 0) != 0)
        dice->out_of_memory = true;
}

/* Few guests mostly, many sometimes. */
static uint64_t choose_guest_count(struct dice *dice)
{
    if (one_in(dice, 20))
        return between(dice, 17, 64);
    return one_in(dice, 4) ? between(dice, 7, 16) : between(dice, 1, 6);
}

int random_scenario(uint64_t seed, struct sim_scenario *ret_scenario)
{
    static const uint64_t intervals_sec[] = {1, 2, 5, 10};
    struct sim_scenario scenario = scenario_default();
    struct dice dice = {.state = seed};
    dice.length_usec = between(&dice, 60, 120) * USEC_PER_SEC;
    bool has_faults = !one_in(&dice, 3);
    snprintf(scenario.name, sizeof(scenario.name), "random-%" PRIu64, seed);
    snprintf(scenario.about, sizeof(scenario.about), "the random world of seed %" PRIu64 "%s", seed,
             has_faults ? "" : ", without faults");
    scenario.length_usec = dice.length_usec;
    scenario.interval_count = 1;
    scenario.intervals_usec[0] = intervals_sec[between(&dice, 0, 3)] * USEC_PER_SEC;
    if (one_in(&dice, 4))
        scenario.config.policy.metric = POLICY_USABLE;
    for (uint64_t left = choose_guest_count(&dice); left > 0; left--)
        choose_guest(&dice, &scenario, has_faults);
    choose_host(&dice, &scenario, has_faults);
    if (dice.out_of_memory) {
        scenario_release(&scenario);
        return -ENOMEM;
    }
    *ret_scenario = scenario;
    return 0;
}
