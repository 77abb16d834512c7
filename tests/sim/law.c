/* law.c - the reactive floor, and the list of laws; see law.h. */
#include "law.h"

#include "law_peers.h"
#include "oracle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the reactive floor ---- */

/*
 * The best that anybody can do who looks only every interval, and sees what was true when a guest
 * last reported: it knows no noise and falls for no lie, knows at once which balloons are stuck,
 * and whether growth still goes on, and need not remember peaks or wait for a second sight. It
 * obeys the gates: it never exceeds pool or reserve, gives in the largest gradual steps, and, with
 * the host full, grows one guest only when another has given.
 */

static const double SAME_KIB = 1024; /* less than this apart is arrived: a page is not a miss */
static const double GRADUAL_PART = 3.0 / 16; /* given at most of a size in any */
static const uint64_t GRADUAL_USEC = 2000000;
static const uint64_t SLOPE_USEC = 200000; /* growth that still goes on is seen over so long */
/* Who gives to a starving guest gives smaller bits too. */
static const double STARVING_BAND = 0.25;
static const double LEAST_BAND_KIB = 8 * 1024;

enum { FLOOR_ID, FLOOR_REPORTED_USEC, FLOOR_NEED, FLOOR_RATE };

/* One guest in the floor's eyes, for one cycle. */
struct ground {
    double from_kib;    /* the size it is on its way to */
    double debt_kib;    /* what it may have at any time */
    double reserve_kib; /* R */
    double least_kib;   /* less of a growth is not worth a call */
    double end_kib;     /* what it should have in the end */
};

struct floor {
    const struct sim_world *world;
    size_t count;
    struct oracle_vessel *vessels;
    struct ground *grounds;
    double *right_kib;
};

/* How fast it grew between the two last reports, as far as that still went on at the last. */
static double floor_rate(const struct sim_world *world, size_t i, struct law_memory *memory,
                         double need_kib)
{
    const struct sim_guest *guest = &world->guests[i];
    double *figures = memory->figures;
    double reported = (double)guest->reported_usec;
    bool is_first = figures[FLOOR_ID] != guest->id || figures[FLOOR_REPORTED_USEC] == 0;
    if (is_first || reported > figures[FLOOR_REPORTED_USEC]) {
        double between = (reported - figures[FLOOR_REPORTED_USEC]) / 1e6;
        uint64_t at = guest->reported_usec;
        double slope =
            (double)sim_series_at(&guest->plan->use, at) -
            (double)sim_series_at(&guest->plan->use, at > SLOPE_USEC ? at - SLOPE_USEC : 0);
        double rate =
            fmin((need_kib - figures[FLOOR_NEED]) / between, slope * 1e6 / (double)SLOPE_USEC);
        figures[FLOOR_RATE] = is_first ? 0 : fmax(0, rate);
        figures[FLOOR_REPORTED_USEC] = reported;
        figures[FLOOR_NEED] = need_kib;
        figures[FLOOR_ID] = guest->id;
    }
    return figures[FLOOR_RATE];
}

static void floor_look(struct floor *floor, size_t i, bool is_seen, struct law_memory *memory)
{
    const struct sim_world *world = floor->world;
    const struct sim_guest *guest = &world->guests[i];
    struct oracle_vessel *vessel = &floor->vessels[i];
    struct ground *ground = &floor->grounds[i];
    double size = (double)guest->size_kib;
    double asked = guest->target_kib != 0 ? (double)guest->target_kib : size;
    double need = oracle_reported_need_kib(world, i);

    *ground = (struct ground){.from_kib = size, .debt_kib = fmax(size, asked)};
    vessel->moves = is_seen && oracle_can_move(world, i) && guest->reported_usec != 0;
    if (!vessel->moves)
        return;
    /* One that stops short of its target will not go on, nor will one that is at its limit. */
    double limit = (double)guest->plan->limit_kib;
    double short_kib = fmax(SAME_KIB, (double)guest->plan->inexact_kib);
    if (fabs(asked - size) > short_kib && !(asked < size && size <= limit + SAME_KIB))
        ground->from_kib = asked;
    vessel->need_kib = need;
    vessel->headroom_kib =
        oracle_headroom_for_kib(world, i, need, floor_rate(world, i, memory, need));
    vessel->high_kib = oracle_high_kib(world, i);
    vessel->weight = oracle_weight(world, i);
    ground->reserve_kib = oracle_reserve_kib(world, i);
    double beyond = fmax(LEAST_BAND_KIB, (vessel->headroom_kib - ground->reserve_kib) / 4);
    ground->least_kib = fmin(oracle_dead_band_kib(ground->from_kib), beyond);
    if (ground->from_kib - need < ground->reserve_kib)
        ground->least_kib = SAME_KIB;
}

/* Nobody falls below what it has and PART of R, as long as it has that; who is not heard of is not
 * shrunk. Returns what they keep together. */
static double floor_keep(struct floor *floor, double part)
{
    double kept = 0;
    for (size_t i = 0; i < floor->count; i++) {
        struct oracle_vessel *vessel = &floor->vessels[i];
        const struct ground *ground = &floor->grounds[i];
        if (!vessel->moves)
            continue;
        double from = fmin(ground->from_kib, vessel->high_kib);
        double needed = vessel->need_kib + ground->reserve_kib * part;
        /* Page cache is taken only where somebody starves. */
        if (part == 1)
            needed += oracle_reported_cache_kib(floor->world, i);
        if (!oracle_has_news(floor->world, i))
            needed = from;
        double limit = (double)floor->world->guests[i].plan->limit_kib;
        double low = fmax(oracle_low_kib(floor->world, i), limit);
        vessel->low_kib = fmin(vessel->high_kib, fmax(low, fmin(from, needed)));
        kept += vessel->low_kib;
    }
    return kept;
}

static bool is_any_below_reserve(const struct floor *floor, double level_kib)
{
    for (size_t i = 0; i < floor->count; i++)
        if (floor->vessels[i].moves &&
            level_kib * floor->vessels[i].weight < floor->grounds[i].reserve_kib)
            return true;
    return false;
}

/* Where the level is less than half of R, shares say who yields, of those who have shown that they
 * can swap: what they have beyond their part is theirs no more, in use or not. */
static void floor_revoke(struct floor *floor, double level_kib)
{
    double size = 0;
    double weight = 0;
    for (size_t i = 0; i < floor->count; i++) {
        if (!floor->vessels[i].moves)
            continue;
        size += floor->grounds[i].from_kib;
        weight += floor->vessels[i].weight;
    }
    for (size_t i = 0; i < floor->count; i++) {
        struct oracle_vessel *vessel = &floor->vessels[i];
        if (!vessel->moves || level_kib >= floor->grounds[i].reserve_kib / 2 ||
            floor->world->guests[i].swap_in_kib == 0 || !oracle_has_news(floor->world, i))
            continue;
        double part = fmax(oracle_low_kib(floor->world, i), size / weight * vessel->weight);
        vessel->low_kib = fmin(vessel->low_kib, part);
    }
}

/* Gives what is left of BUDGET_KIB for page cache, where the metric counts that as used: what there
 * is is not taken, and more is given up to as much as is needed otherwise. */
static void floor_feed_cache(struct floor *floor, double budget_kib)
{
    for (size_t i = 0; i < floor->count; i++)
        if (floor->vessels[i].moves)
            budget_kib -= floor->grounds[i].end_kib;
    for (size_t i = 0; i < floor->count; i++) {
        const struct oracle_vessel *vessel = &floor->vessels[i];
        struct ground *ground = &floor->grounds[i];
        double most = fmax(vessel->need_kib, ground->from_kib - ground->end_kib);
        double more = fmin(oracle_reported_cache_kib(floor->world, i), most);
        more = fmin(more, fmin(vessel->high_kib - ground->end_kib, budget_kib));
        if (!vessel->moves || more <= 0)
            continue;
        ground->end_kib += more;
        budget_kib -= more;
    }
}

/* What everyone should have in the end. Where that is less than R for some, who has more than they
 * gives to them, down to half of R; but not for the host's sake. Returns the level. */
static double floor_ends(struct floor *floor)
{
    double budget = oracle_unpromised_kib(floor->world);
    for (size_t i = 0; i < floor->count; i++)
        if (floor->vessels[i].moves)
            budget += floor->grounds[i].debt_kib;
    double kept = floor_keep(floor, 1);
    double level = oracle_pour(floor->vessels, floor->count, budget, floor->right_kib);
    if (is_any_below_reserve(floor, level) && oracle_growable_kib(floor->world) > 0) {
        floor_keep(floor, 0.5);
        level = oracle_pour(floor->vessels, floor->count, fmax(kept, budget), floor->right_kib);
        floor_revoke(floor, level);
        level = oracle_pour(floor->vessels, floor->count, fmax(kept, budget), floor->right_kib);
    }
    for (size_t i = 0; i < floor->count; i++)
        floor->grounds[i].end_kib = floor->right_kib[i];
    floor_feed_cache(floor, budget);
    return level;
}

/* How much of a dead band a guest has that is to give: nobody needs it, somebody does, or starves.
 */
static double floor_band(const struct floor *floor, double level_kib)
{
    double part = 2;
    for (size_t i = 0; i < floor->count; i++) {
        const struct oracle_vessel *vessel = &floor->vessels[i];
        const struct ground *ground = &floor->grounds[i];
        if (!vessel->moves || ground->from_kib >= vessel->high_kib)
            continue;
        double unused = ground->from_kib - vessel->need_kib;
        if (level_kib * vessel->weight < vessel->headroom_kib)
            part = fmin(part, 1);
        if (unused < ground->reserve_kib)
            part = STARVING_BAND;
    }
    return part;
}

static void floor_shrink(struct floor *floor, double band_part, uint64_t *targets_kib)
{
    uint64_t interval = floor->world->interval_usec;
    /* Requests at both ends of two seconds are within them. */
    double steps = 1 + (double)(GRADUAL_USEC / interval);
    for (size_t i = 0; i < floor->count; i++) {
        const struct ground *ground = &floor->grounds[i];
        double from = ground->from_kib;
        double band = oracle_dead_band_kib(from) * band_part;
        if (floor->vessels[i].moves && from - ground->end_kib > band)
            targets_kib[i] =
                (uint64_t)ceil(fmax(ground->end_kib, from - from * GRADUAL_PART / steps));
    }
}

/* Pours what is free now over those that should grow. */
static void floor_grow(struct floor *floor, uint64_t *targets_kib)
{
    double budget =
        fmin(oracle_unpromised_kib(floor->world), oracle_growable_kib(floor->world)) - SAME_KIB;
    if (oracle_growable_kib(floor->world) <= 0)
        return;
    budget = fmax(0, budget);
    for (size_t i = 0; i < floor->count; i++) {
        struct oracle_vessel *vessel = &floor->vessels[i];
        const struct ground *ground = &floor->grounds[i];
        vessel->moves = vessel->moves && ground->end_kib - ground->from_kib > ground->least_kib;
        if (!vessel->moves)
            continue;
        /* Who uses more than it has (the rest is swapped out) begins with what it has. */
        double bottom = fmin(vessel->need_kib, ground->debt_kib);
        vessel->headroom_kib = ground->end_kib - bottom;
        vessel->need_kib = bottom;
        vessel->high_kib = ground->end_kib;
        vessel->low_kib = fmin(ground->end_kib, ground->debt_kib);
        budget += vessel->low_kib;
    }
    oracle_pour(floor->vessels, floor->count, budget, floor->right_kib);
    for (size_t i = 0; i < floor->count; i++) {
        const struct ground *ground = &floor->grounds[i];
        if (floor->vessels[i].moves && floor->right_kib[i] - ground->from_kib > ground->least_kib)
            targets_kib[i] = (uint64_t)floor->right_kib[i];
    }
}

/* A balloon that is stuck on its way up keeps memory from others: its request is taken back. */
static void floor_take_back(const struct floor *floor, uint64_t *targets_kib)
{
    for (size_t i = 0; i < floor->count; i++) {
        const struct sim_guest *guest = &floor->world->guests[i];
        if (guest->is_here && guest->is_stuck && floor->world->limits[i].managed &&
            (double)guest->target_kib > (double)guest->size_kib + SAME_KIB)
            targets_kib[i] = guest->size_kib;
    }
}

static void law_floor(const struct sim_world *world, const struct snapshot *snapshot,
                      const size_t *domain_of, struct law_memory *memory, uint64_t *targets_kib)
{
    size_t count = world->guest_count;
    struct floor floor = {
        .world = world,
        .count = count,
        .vessels = calloc(count + 1, sizeof(*floor.vessels)),
        .grounds = calloc(count + 1, sizeof(*floor.grounds)),
        .right_kib = calloc(count + 1, sizeof(*floor.right_kib)),
    };
    if (floor.vessels == NULL || floor.grounds == NULL || floor.right_kib == NULL)
        abort(); /* a program for tests has nothing better to do */
    for (size_t i = 0; i < count; i++)
        floor_look(&floor, i, domain_of[i] < snapshot->count, &memory[i]);
    double level = floor_ends(&floor);
    floor_take_back(&floor, targets_kib);
    floor_shrink(&floor, floor_band(&floor, level), targets_kib);
    floor_grow(&floor, targets_kib);
    free(floor.vessels);
    free(floor.grounds);
    free(floor.right_kib);
}

/* ---- all laws ---- */

const struct law laws[] = {
    {"floor", "the reactive floor: the best that can be done at the interval", law_floor},
    {"mom", "oVirt's Memory Overcommitment Manager: ballooning rules", law_mom},
    {"proxmox", "Proxmox VE: auto-ballooning", law_proxmox},
    {"qmemman", "Qubes OS: qmemman", law_qmemman},
    {"squeezed", "XenServer, XCP-ng: squeezed", law_squeezed},
    {"hyperv", "Microsoft Hyper-V: Dynamic Memory", law_hyperv},
    {"course", "the course's usual solution: fixed thresholds and steps", law_course},
    {"static", "nobody: sizes stay as they are", law_static},
    {NULL, NULL, NULL},
};

const struct law *law_find(const char *name)
{
    for (const struct law *law = laws; law->name != NULL; law++)
        if (strcmp(law->name, name) == 0)
            return law;
    return NULL;
}
