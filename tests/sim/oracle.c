/* oracle.c - the ideal sharing out of a host's memory; see oracle.h. */
#include "oracle.h"

#include <math.h>
#include <stdlib.h>

/* The same figures as the policy's, on purpose written again: README.md, "The algorithm". */
static const double USEC_PER_SEC = 1e6;
static const uint64_t BALLOON_LATENCY_USEC = 300000;
static const double SURGE_HORIZON_SEC = 12;
static const double OVERHEAD_LEAST_KIB = 32 * 1024.0;
static const double DEAD_BAND_KIB = 8 * 1024.0;
static const double DEAD_BAND_PART = 0.01;
static const uint64_t STALE_PERIODS = 3;
/* Less than this apart is the same: a balloon is inexact by pages. */
static const double SAME_KIB = 1024;

/* Halves the range of the level down to far less than a KiB. */
enum { BISECTIONS = 60 };

static double clamp(double value, double low, double high)
{
    return fmax(low, fmin(value, high));
}

/* ---- one guest ---- */

bool oracle_can_move(const struct sim_world *world, size_t guest)
{
    const struct sim_guest *truth = &world->guests[guest];
    const struct sim_guest_plan *plan = truth->plan;
    return truth->is_here && truth->is_running && world->limits[guest].managed &&
           plan->has_balloon && !truth->is_stuck && !plan->is_mute &&
           !sim_spells_hold(&plan->refuses, world->now_usec) &&
           !sim_spells_hold(&world->scenario->disconnected, world->now_usec);
}

double oracle_high_kib(const struct sim_world *world, size_t guest)
{
    double own = (double)world->guests[guest].plan->max_kib;
    uint64_t set = world->limits[guest].max_kib;
    return set == 0 ? own : fmin(own, (double)set);
}

double oracle_low_kib(const struct sim_world *world, size_t guest)
{
    return fmin((double)world->limits[guest].min_kib, oracle_high_kib(world, guest));
}

double oracle_weight(const struct sim_world *world, size_t guest)
{
    return fmax(1, (double)world->limits[guest].shares) / POLICY_SHARES;
}

double oracle_need_kib(const struct sim_world *world, size_t guest)
{
    const struct sim_guest *truth = &world->guests[guest];
    return (double)(truth->used_kib + truth->swapped_kib);
}

double oracle_reported_need_kib(const struct sim_world *world, size_t guest)
{
    const struct sim_guest *truth = &world->guests[guest];
    double reported = (double)truth->reported_used_kib;
    /* What was in swap then is not among what is kept of the report, but it was wanted. Not so
     * where the programs that wanted it are gone. */
    double wanted_now = (double)sim_series_at(&truth->plan->use, world->now_usec);
    double wanted = (double)sim_series_at(&truth->plan->use, truth->reported_usec);
    bool is_lost = oracle_need_kib(world, guest) + SAME_KIB < wanted_now ||
                   wanted > reported + (double)truth->plan->swap_kib;
    return is_lost ? reported : fmax(reported, wanted);
}

double oracle_cache_kib(const struct sim_world *world, size_t guest)
{
    if (world->scenario->config.policy.metric != POLICY_UNUSED)
        return 0;
    return (double)world->guests[guest].cache_kib;
}

double oracle_reported_cache_kib(const struct sim_world *world, size_t guest)
{
    const struct sim_guest *truth = &world->guests[guest];
    if (world->scenario->config.policy.metric != POLICY_UNUSED)
        return 0;
    return (double)truth->reported_usable_kib - (double)truth->reported_unused_kib;
}

uint64_t oracle_period_usec(const struct sim_world *world, size_t guest)
{
    uint64_t wanted = world->interval_usec / 10 / 1000000;
    wanted = wanted < 1 ? 1 : wanted > 10 ? 10 : wanted;
    uint64_t set = world->guests[guest].plan->period_sec;
    return (set != 0 && set < wanted ? set : wanted) * 1000000;
}

static const uint64_t A_SECOND_USEC = 1000000;

uint64_t oracle_horizon_usec(const struct sim_world *world, size_t guest)
{
    uint64_t period = oracle_period_usec(world, guest);
    uint64_t horizon = world->interval_usec + period + BALLOON_LATENCY_USEC;
    /* The use of a guest that counts its balloon as used is known only once that is at rest: a
     * report, dated in whole seconds, after it has arrived. */
    bool is_late = world->guests[guest].plan->counts_balloon &&
                   world->interval_usec < period + A_SECOND_USEC + BALLOON_LATENCY_USEC;
    return is_late ? horizon + world->interval_usec : horizon;
}

/* A claim can be believed: it takes the place of garbage at the same time. */
static bool makes_claims(const struct sim_guest *guest)
{
    return sim_spells_hold(&guest->plan->claims_none, guest->reported_usec) ||
           sim_spells_hold(&guest->plan->claims_all, guest->reported_usec);
}

bool oracle_is_possible(const struct sim_world *world, size_t guest)
{
    const struct sim_guest *truth = &world->guests[guest];
    return !sim_spells_hold(&truth->plan->garbage, truth->reported_usec) || makes_claims(truth);
}

bool oracle_has_news(const struct sim_world *world, size_t guest)
{
    const struct sim_guest *truth = &world->guests[guest];
    /* One second more, because reports are dated in whole seconds. */
    uint64_t oldest =
        STALE_PERIODS * oracle_period_usec(world, guest) + A_SECOND_USEC + truth->plan->delay_usec;
    return truth->reported_usec != 0 && world->now_usec <= truth->reported_usec + oldest &&
           oracle_is_possible(world, guest);
}

static double reserve_for_kib(const struct sim_world *world, size_t guest, double need_kib)
{
    const struct policy_limits *limits = &world->limits[guest];
    if (limits->headroom_percent != 0)
        return need_kib * (double)limits->headroom_percent / 100;
    return (double)limits->headroom_kib;
}

double oracle_reserve_kib(const struct sim_world *world, size_t guest)
{
    return reserve_for_kib(world, guest, oracle_need_kib(world, guest));
}

double oracle_headroom_for_kib(const struct sim_world *world, size_t guest, double need_kib,
                               double rate_kib_per_sec)
{
    double horizon = (double)oracle_horizon_usec(world, guest) / USEC_PER_SEC;
    double surge = (double)world->scenario->config.policy.surge_kib_per_sec;
    return reserve_for_kib(world, guest, need_kib) +
           fmax(rate_kib_per_sec * horizon, surge * fmin(horizon, SURGE_HORIZON_SEC));
}

static double use_before_kib(const struct sim_world *world, size_t guest, uint64_t ago_usec)
{
    uint64_t at = world->now_usec > ago_usec ? world->now_usec - ago_usec : 0;
    return (double)sim_series_at(&world->guests[guest].plan->use, at);
}

double oracle_growth_kib_per_sec(const struct sim_world *world, size_t guest)
{
    uint64_t half = (world->interval_usec + oracle_period_usec(world, guest)) / 2;
    double now = use_before_kib(world, guest, 0);
    double middle = use_before_kib(world, guest, half);
    double then = use_before_kib(world, guest, 2 * half);
    return fmax(0, fmin(now - middle, middle - then)) * USEC_PER_SEC / (double)half;
}

double oracle_headroom_kib(const struct sim_world *world, size_t guest)
{
    return oracle_headroom_for_kib(world, guest, oracle_need_kib(world, guest),
                                   oracle_growth_kib_per_sec(world, guest));
}

double oracle_dead_band_kib(double size_kib)
{
    return fmax(DEAD_BAND_KIB, size_kib * DEAD_BAND_PART);
}

/* ---- the host ---- */

static double overhead_kib(const struct sim_world *world, const struct sim_guest *guest)
{
    double rss = (double)(guest->touched_kib + world->scenario->overhead_kib);
    return fmax(OVERHEAD_LEAST_KIB, rss - (double)guest->size_kib);
}

double oracle_growable_kib(const struct sim_world *world)
{
    return (double)sim_available_kib(world) -
           (double)world->scenario->config.policy.host_reserve_kib;
}

double oracle_pool_kib(const struct sim_world *world)
{
    double pool = oracle_growable_kib(world);
    for (size_t i = 0; i < world->guest_count; i++)
        if (world->guests[i].is_here)
            pool += (double)(world->guests[i].touched_kib + world->scenario->overhead_kib);
    return pool;
}

double oracle_unpromised_kib(const struct sim_world *world)
{
    double left = oracle_pool_kib(world);
    for (size_t i = 0; i < world->guest_count; i++) {
        const struct sim_guest *guest = &world->guests[i];
        if (guest->is_here)
            left -= fmax((double)guest->size_kib, (double)guest->target_kib) +
                    overhead_kib(world, guest);
    }
    return left;
}

/* ---- the level ---- */

/*
 * Below level 0, where not even what is used can be had, who has least shares for what it uses
 * yields first, until all that yield have the same per share (min-funding revocation, all memory
 * being in use). MOST_KIB is what is used per share by that guest: where the yielding begins.
 */
static double at_level(const struct oracle_vessel *vessel, double level_kib, double most_kib)
{
    double kib = level_kib >= 0
                     ? vessel->need_kib + fmin(vessel->headroom_kib, level_kib * vessel->weight)
                     : fmin(vessel->need_kib, (most_kib + level_kib) * vessel->weight);
    return clamp(kib, vessel->low_kib, vessel->high_kib);
}

static double sum_at_level(const struct oracle_vessel *vessels, size_t count, double level_kib,
                           double most_kib)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        if (vessels[i].moves)
            sum += at_level(&vessels[i], level_kib, most_kib);
    return sum;
}

double oracle_pour(const struct oracle_vessel *vessels, size_t count, double budget_kib,
                   double *right_kib)
{
    double most = 0;
    double high = 0;
    for (size_t i = 0; i < count; i++) {
        if (!vessels[i].moves)
            continue;
        most = fmax(most, vessels[i].need_kib / vessels[i].weight);
        high = fmax(high, vessels[i].headroom_kib / vessels[i].weight);
    }
    double low = -most;
    if (sum_at_level(vessels, count, high, most) <= budget_kib)
        low = high;
    for (int i = 0; i < BISECTIONS && low < high; i++) {
        double middle = (low + high) / 2;
        if (sum_at_level(vessels, count, middle, most) <= budget_kib)
            low = middle;
        else
            high = middle;
    }
    for (size_t i = 0; i < count; i++)
        if (vessels[i].moves)
            right_kib[i] = at_level(&vessels[i], low, most);
    return low;
}

static struct oracle_vessel vessel_of(const struct sim_world *world, size_t guest)
{
    return (struct oracle_vessel){
        .moves = oracle_can_move(world, guest),
        .need_kib = oracle_need_kib(world, guest),
        .headroom_kib = oracle_headroom_kib(world, guest),
        .low_kib = oracle_low_kib(world, guest),
        .high_kib = oracle_high_kib(world, guest),
        .weight = oracle_weight(world, guest),
    };
}

double oracle_share_out_in(const struct sim_world *world, struct oracle_vessel *vessels,
                           double *right_kib)
{
    double budget = oracle_pool_kib(world);
    for (size_t i = 0; i < world->guest_count; i++) {
        const struct sim_guest *guest = &world->guests[i];
        vessels[i] = vessel_of(world, i);
        right_kib[i] = guest->is_here ? (double)guest->size_kib : 0;
        if (guest->is_here)
            budget -= overhead_kib(world, guest);
        if (!vessels[i].moves)
            budget -= right_kib[i];
    }
    return oracle_pour(vessels, world->guest_count, budget, right_kib);
}

double oracle_share_out(const struct sim_world *world, double *right_kib)
{
    struct oracle_vessel *vessels = calloc(world->guest_count + 1, sizeof(*vessels));
    if (vessels == NULL)
        abort(); /* a program for tests has nothing better to do */
    double level = oracle_share_out_in(world, vessels, right_kib);
    free(vessels);
    return level;
}
