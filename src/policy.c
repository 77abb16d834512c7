/* policy.c - the decision. Pure: no I/O, no clock, no allocation, no logging; see policy.h. */
#include "policy.h"

#include <string.h>

enum {
    KIB_PER_MIB = 1024,
    USEC_PER_SEC = 1000000,
    USEC_PER_MSEC = 1000,

    /* From the request until the guest can use the memory: a healthy balloon moves a cycle's growth
     * in less, 300 to 2000 MiB/s having been measured. */
    BALLOON_LATENCY_USEC = 300000,
    /* A balloon that has not moved for this long is not on its way any more. */
    IN_FLIGHT_USEC = 5 * USEC_PER_SEC,
    /* A balloon is inexact by pages; less than this apart is arrived. */
    ARRIVED_KIB = KIB_PER_MIB,
    /* How fast a past peak of use, and a past growth, fade: half is forgotten by a report that
     * comes so long after the last one, and in somewhat less time by more frequent ones. */
    FADE_USEC = 5 * USEC_PER_SEC,
    /* Growth that nobody has seen coming is provided for this far ahead; a longer interval would
     * need all of a host's memory for it. */
    SURGE_HORIZON_USEC = 10 * USEC_PER_SEC,
    /* The least lag of a guest's reports creeps up by this part, so that clocks may drift apart. */
    LAG_CREEP_DIVISOR = 64,
    /* Reports older than this many periods are stale. */
    STALE_PERIODS = 3,

    /* Least of what an emulator takes beside its guest's memory; more counts where more is seen. */
    OVERHEAD_LEAST_KIB = 32 * KIB_PER_MIB,

    /* Changes up to max(DEAD_BAND, 1 %) are not worth a call; for giving back, twice that. */
    DEAD_BAND_KIB = 8 * KIB_PER_MIB,
    DEAD_BAND_DIVISOR = 100,
    /* Who gives to a starving guest gives smaller bits too. */
    STARVING_BAND_DIVISOR = 4,

    /* Gradual: in any GRADUAL_USEC a guest gives at most 3/16 of its size (18.75 %). */
    GRADUAL_USEC = 2 * USEC_PER_SEC,
    GRADUAL_NUMERATOR = 3,
    GRADUAL_DENOMINATOR = 16,
};

/* No machine has 2^50 KiB; a larger figure is a lie, and differences of smaller ones fit an
 * int64_t. */
static const uint64_t SIZE_LIMIT_KIB = UINT64_C(1) << 50;

/* Seconds since the epoch beyond the first are a lie, a machine is not up for the second; both keep
 * differences of microseconds within an int64_t. */
static const uint64_t EPOCH_LIMIT_SEC = UINT64_C(1) << 40;
static const uint64_t NOW_LIMIT_USEC = UINT64_C(1) << 61;

/* Longer than this apart is as good as never; it keeps products of times within 64 bits. */
static const uint64_t ELAPSED_LIMIT_USEC = UINT64_C(86400) * USEC_PER_SEC;

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
    return min_u64(max_u64(value, low), high);
}

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t subtract_to_zero(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* VALUE * BY / DIVISOR, rounded down; saturates where BY * DIVISOR or the result exceeds 64 bits.
 */
static uint64_t multiply_divide(uint64_t value, uint64_t by, uint64_t divisor)
{
    uint64_t whole;
    uint64_t rest;
    if (__builtin_mul_overflow(value / divisor, by, &whole) ||
        __builtin_mul_overflow(value % divisor, by, &rest))
        return UINT64_MAX;
    return add_saturated(whole, rest / divisor);
}

static uint64_t apart(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

static uint64_t elapsed_usec(uint64_t since_usec, uint64_t now_usec)
{
    return min_u64(subtract_to_zero(now_usec, since_usec), ELAPSED_LIMIT_USEC);
}

/* VALUE on its way down to TOWARDS after DT_USEC: half of the way in FADE_USEC, never below. */
static uint64_t fade(uint64_t value, uint64_t towards, uint64_t dt_usec)
{
    if (value <= towards)
        return towards;
    uint64_t dt_msec = dt_usec / USEC_PER_MSEC;
    return value - multiply_divide(value - towards, dt_msec, dt_msec + FADE_USEC / USEC_PER_MSEC);
}

/* ---- what a guest reports ---- */

static bool has_full_report(const struct domain *domain)
{
    return domain->unused_kib.known && domain->available_kib.known &&
           domain->last_update_sec.known && domain->last_update_sec.value != 0;
}

static bool is_possible(const struct domain *domain)
{
    return domain->max_kib <= SIZE_LIMIT_KIB && domain->actual_kib.value != 0 &&
           domain->actual_kib.value <= domain->max_kib + ARRIVED_KIB &&
           domain->available_kib.value <= domain->max_kib &&
           domain->unused_kib.value <= domain->available_kib.value &&
           domain->last_update_sec.value <= EPOCH_LIMIT_SEC;
}

static bool is_new_report(const struct policy_memory *memory, const struct domain *domain)
{
    return !memory->has_report || memory->last_update_sec != domain->last_update_sec.value ||
           memory->unused_kib != domain->unused_kib.value ||
           memory->available_kib != domain->available_kib.value;
}

/* The wall clock decides only about the first report: later ones are new because they changed. */
static bool agrees_with_wall_clock(const struct domain *domain, int64_t wall_sec)
{
    uint64_t wall = wall_sec > 0 ? (uint64_t)wall_sec : 0;
    return apart(wall, domain->last_update_sec.value) <=
           (uint64_t)STALE_PERIODS * domain->period_sec + 1;
}

/* How far the monotonic clock is ahead of the wall clock in which the report is dated: the same for
 * all reports but for their ages. */
static int64_t lag_usec(const struct policy_memory *memory, uint64_t now_usec)
{
    return (int64_t)min_u64(now_usec, NOW_LIMIT_USEC) -
           (int64_t)memory->last_update_sec * USEC_PER_SEC;
}

/* The youngest report ever seen had no age to speak of: it is what the others are dated by. */
static void learn_lag(struct policy_memory *memory, uint64_t now_usec, bool starts_anew)
{
    int64_t lag = lag_usec(memory, now_usec);
    if (starts_anew || lag < memory->least_lag_usec)
        memory->least_lag_usec = lag;
    else
        memory->least_lag_usec += (lag - memory->least_lag_usec) / LAG_CREEP_DIVISOR;
}

static bool is_fresh(const struct policy_memory *memory, const struct domain *domain,
                     uint64_t now_usec)
{
    int64_t age_usec = lag_usec(memory, now_usec) - memory->least_lag_usec;
    /* One second more, because reports are dated in whole seconds. */
    int64_t limit_usec = ((int64_t)STALE_PERIODS * domain->period_sec + 1) * USEC_PER_SEC;
    return memory->confirmed && age_usec <= limit_usec;
}

/*
 * A guest's use, from the two figures of one report. The balloon may have moved since, so that its
 * size now says nothing about them; what the guest does not see of its size, the kernel itself,
 * stays the same and is learnt while the balloon is at rest.
 */
static uint64_t used_of_report(const struct policy_memory *memory)
{
    uint64_t seen = memory->available_kib - memory->unused_kib;
    if (memory->unseen_kib >= 0)
        return seen + (uint64_t)memory->unseen_kib;
    return subtract_to_zero(seen, (uint64_t)-memory->unseen_kib);
}

/* How long after a request the reports, dated in whole seconds, are sure to be of what it led to.
 */
static uint64_t echo_usec(const struct domain *domain)
{
    return ((uint64_t)domain->period_sec + 1) * USEC_PER_SEC + BALLOON_LATENCY_USEC;
}

/* Whether the report is of the size that the balloon has now. */
static bool is_of_present_size(const struct policy_memory *memory, const struct domain *domain,
                               bool at_rest, uint64_t now_usec)
{
    bool arrived =
        memory->has_asked && apart(memory->asked_kib, domain->actual_kib.value) <= ARRIVED_KIB;
    return at_rest || (arrived && elapsed_usec(memory->asked_usec, now_usec) >= echo_usec(domain));
}

/* Fast up, slow down. A single jump is not a ramp: a rate is believed when two in a row show it. */
static void learn_use(struct policy_memory *memory, uint64_t used_kib, uint64_t now_usec)
{
    uint64_t dt_usec = elapsed_usec(memory->used_usec, now_usec);
    uint64_t growth = dt_usec == 0 ? 0
                                   : multiply_divide(subtract_to_zero(used_kib, memory->used_kib),
                                                     USEC_PER_SEC, dt_usec);
    uint64_t sustained = min_u64(growth, memory->growth_kib_per_sec);
    memory->rate_kib_per_sec = max_u64(sustained, fade(memory->rate_kib_per_sec, 0, dt_usec));
    memory->growth_kib_per_sec = growth;
    memory->peak_kib = max_u64(used_kib, fade(memory->peak_kib, used_kib, dt_usec));
    if (memory->peak_kib - used_kib < DEAD_BAND_KIB) /* its long tail is not worth waiting for */
        memory->peak_kib = used_kib;
    memory->used_kib = used_kib;
    memory->used_usec = now_usec;
}

/* What was reckoned before the balloon was first seen at rest is no history. */
static void start_use(struct policy_memory *memory, uint64_t used_kib, uint64_t now_usec)
{
    memory->used_kib = memory->peak_kib = used_kib;
    memory->growth_kib_per_sec = memory->rate_kib_per_sec = 0;
    memory->used_usec = now_usec;
}

static void learn_used(struct policy_memory *memory, const struct domain *domain, bool first,
                       uint64_t now_usec)
{
    uint64_t actual = domain->actual_kib.value;
    /* The report is of the time since the last look: at rest if the size was the same at both ends.
     * A first report is taken for one too: nobody has asked the balloon to move yet. */
    bool at_rest = memory->has_actual && memory->actual_kib == actual;
    bool was_exact = memory->has_unseen;
    if (at_rest || first) {
        memory->unseen_kib = (int64_t)actual - (int64_t)memory->available_kib;
        memory->has_unseen = at_rest;
    }
    if (at_rest && memory->unseen_kib < 0)
        memory->counts_balloon = true;
    /* A guest that counts its balloon as used does not tell the two apart while it moves. */
    if (memory->counts_balloon && !is_of_present_size(memory, domain, at_rest, now_usec))
        return;
    uint64_t used_kib = memory->counts_balloon ? subtract_to_zero(actual, memory->unused_kib)
                                               : used_of_report(memory);
    if (first || memory->has_unseen != was_exact)
        start_use(memory, used_kib, now_usec);
    else
        learn_use(memory, used_kib, now_usec);
}

static void learn_report(struct policy_memory *memory, const struct domain *domain,
                         const struct snapshot *snapshot)
{
    bool first = !memory->has_report;
    bool clock_jumped_back = domain->last_update_sec.value < memory->last_update_sec;
    bool starts_anew = !memory->confirmed || clock_jumped_back;
    memory->confirmed = !first || agrees_with_wall_clock(domain, snapshot->wall_sec);
    memory->has_report = true;
    memory->last_update_sec = domain->last_update_sec.value;
    memory->unused_kib = domain->unused_kib.value;
    memory->available_kib = domain->available_kib.value;
    learn_lag(memory, snapshot->now_usec, starts_anew);
    learn_used(memory, domain, first, snapshot->now_usec);
}

/* Notices whether the balloon moves as it was asked to, or as somebody else wants it. */
static void learn_size(struct policy_memory *memory, const struct domain *domain, uint64_t now_usec)
{
    uint64_t actual = domain->actual_kib.value;
    if (memory->has_actual && memory->has_asked) {
        uint64_t before = apart(memory->actual_kib, memory->asked_kib);
        uint64_t now = apart(actual, memory->asked_kib);
        if (now < before)
            memory->moved_usec = now_usec;
        else if (now > add_saturated(before, ARRIVED_KIB) &&
                 elapsed_usec(memory->asked_usec, now_usec) >= BALLOON_LATENCY_USEC)
            memory->has_asked = false; /* there is a newer request, and it is not ours */
    }
    memory->has_actual = true;
    memory->actual_kib = actual;
}

/* Takes in what the domain shows. Returns POLICY_SETTLED if it can be decided on, else why not. */
static enum policy_reason learn(struct policy_memory *memory, const struct domain *domain,
                                const struct snapshot *snapshot)
{
    if (domain->rss_kib.known)
        memory->rss_kib = domain->rss_kib.value;
    if (domain->max_kib != 0 && !domain->has_balloon)
        return POLICY_NO_BALLOON;
    if (domain->max_kib == 0 || !domain->actual_kib.known)
        return POLICY_UNREAD;
    bool has_report = domain->period_sec != 0 && has_full_report(domain);
    if (has_report && !is_possible(domain))
        return POLICY_IMPOSSIBLE;
    if (has_report && is_new_report(memory, domain))
        learn_report(memory, domain, snapshot);
    learn_size(memory, domain, snapshot->now_usec);
    if (!domain->is_running)
        return POLICY_PAUSED;
    if (!has_report)
        return POLICY_NO_NEWS;
    return is_fresh(memory, domain, snapshot->now_usec) ? POLICY_SETTLED : POLICY_STALE;
}

/* ---- what a guest should have ---- */

bool policy_is_held(enum policy_reason reason)
{
    return reason >= POLICY_NO_BALLOON;
}

/* A guest that can never be as large as the minimum is at least as large as it can be. */
static uint64_t min_kib(const struct policy_config *config, const struct domain *domain)
{
    return min_u64(config->min_kib, domain->max_kib);
}

/* R, and what the guest can take before the next decision reaches it. */
static uint64_t headroom_kib(const struct policy_config *config, const struct domain *domain,
                             const struct policy_memory *memory)
{
    uint64_t horizon_usec = add_saturated(
        config->interval_usec, (uint64_t)domain->period_sec * USEC_PER_SEC + BALLOON_LATENCY_USEC);
    /* Its use may be known only every other cycle. */
    if (memory->counts_balloon && config->interval_usec < echo_usec(domain))
        horizon_usec = add_saturated(horizon_usec, config->interval_usec);
    uint64_t surge = multiply_divide(config->surge_kib_per_sec,
                                     min_u64(horizon_usec, SURGE_HORIZON_USEC), USEC_PER_SEC);
    uint64_t growth = multiply_divide(memory->rate_kib_per_sec, horizon_usec, USEC_PER_SEC);
    return add_saturated(config->headroom_kib, max_u64(surge, growth));
}

/* A domain that could not be read has the size that it had when it last could. */
static uint64_t size_now_kib(const struct domain *domain, const struct policy_memory *memory)
{
    uint64_t max = domain->max_kib != 0 ? domain->max_kib : UINT64_MAX;
    if (domain->actual_kib.known)
        return min_u64(domain->actual_kib.value, max);
    return memory->has_actual ? min_u64(memory->actual_kib, max) : domain->max_kib;
}

static bool is_in_flight(const struct policy_memory *memory, uint64_t size_kib, uint64_t now_usec)
{
    if (!memory->has_asked)
        return false;
    return apart(memory->asked_kib, size_kib) > ARRIVED_KIB &&
           elapsed_usec(memory->moved_usec, now_usec) < IN_FLIGHT_USEC;
}

/* What the domain counts for on the host, whatever is decided about it. */
static void reckon_debt(struct policy_decision *decision, const struct domain *domain,
                        const struct policy_memory *memory, uint64_t now_usec)
{
    uint64_t size = size_now_kib(domain, memory);
    bool in_flight = is_in_flight(memory, size, now_usec);
    decision->from_kib = in_flight ? memory->asked_kib : size;
    /* A guest may take at any time what it was once offered and has not taken yet. */
    decision->owed_kib = memory->has_asked ? max_u64(size, memory->asked_kib) : size;
    decision->rss_kib = memory->rss_kib;
    decision->overhead_kib = max_u64(OVERHEAD_LEAST_KIB, subtract_to_zero(memory->rss_kib, size));
    decision->target_kib = decision->from_kib;
    decision->floor_kib = decision->ceiling_kib = decision->from_kib;
}

static uint64_t dead_band_kib(uint64_t size_kib)
{
    return max_u64(DEAD_BAND_KIB, size_kib / DEAD_BAND_DIVISOR);
}

/* Growth worth a call: the dead band, but never more than a quarter of what is beyond R, or a large
 * guest would have used that up before it gets a call. */
static uint64_t least_growth_kib(const struct policy_config *config,
                                 const struct policy_decision *decision)
{
    if (decision->reason == POLICY_STARVING)
        return ARRIVED_KIB;
    uint64_t beyond = subtract_to_zero(decision->headroom_kib, config->headroom_kib);
    return min_u64(dead_band_kib(decision->from_kib), max_u64(DEAD_BAND_KIB, beyond / 4));
}

/* Sets the range in which the domain's target is sought, and the reason it would move for. */
static void reckon_range(struct policy_decision *decision, const struct policy_config *config,
                         const struct domain *domain, const struct policy_memory *memory)
{
    uint64_t from = decision->from_kib;
    uint64_t min = min_kib(config, domain);
    uint64_t headroom = headroom_kib(config, domain, memory);
    uint64_t wanted = clamp(add_saturated(memory->used_kib, headroom), min, domain->max_kib);
    uint64_t kept = clamp(add_saturated(memory->peak_kib, headroom), min, domain->max_kib);

    decision->used_kib = memory->used_kib;
    decision->unused_kib = subtract_to_zero(from, memory->used_kib);
    decision->headroom_kib = headroom;
    if (decision->unused_kib < config->headroom_kib)
        decision->reason = POLICY_STARVING;
    if (wanted > from && wanted - from > least_growth_kib(config, decision)) {
        if (decision->reason != POLICY_STARVING)
            decision->reason = POLICY_NEEDS;
        decision->ceiling_kib = wanted;
    } else if (from > kept && from - kept > 2 * dead_band_kib(from)) {
        decision->reason = POLICY_SPARE;
        decision->ceiling_kib = kept;
    } else if (subtract_to_zero(domain->max_kib, from) <= ARRIVED_KIB) {
        decision->bound = POLICY_BOUND_MAX;
    } else if (wanted > from) {
        decision->bound = POLICY_BOUND_DEAD_BAND;
    }
    /* What it gives to the last: all but R; nothing if it has no more than R. */
    uint64_t needed = add_saturated(memory->used_kib, config->headroom_kib);
    decision->floor_kib = min_u64(decision->ceiling_kib, max_u64(min, min_u64(from, needed)));
}

/* ---- the level ---- */

/* The bottom of the vessel. A report can say more is used than there is, when it is behind a
 * shrink. */
static uint64_t bottom_kib(const struct policy_decision *decision)
{
    return min_u64(decision->used_kib, decision->from_kib);
}

static uint64_t at_level(const struct policy_decision *decision, uint64_t level_kib)
{
    return clamp(add_saturated(bottom_kib(decision), level_kib), decision->floor_kib,
                 decision->ceiling_kib);
}

static uint64_t sum_at_level(const struct policy_decision *decisions, size_t count,
                             uint64_t level_kib)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        if (decisions[i].in_play)
            sum = add_saturated(sum, at_level(&decisions[i], level_kib));
    return sum;
}

static uint64_t highest_level(const struct policy_decision *decisions, size_t count)
{
    uint64_t highest = 0;
    for (size_t i = 0; i < count; i++)
        if (decisions[i].in_play)
            highest = max_u64(
                highest, subtract_to_zero(decisions[i].ceiling_kib, bottom_kib(&decisions[i])));
    return highest;
}

/*
 * Pours BUDGET_KIB over all that are in play: sets their targets to the highest common level that
 * the budget affords, or to their floors, at level 0, where it affords none. Returns that level.
 */
static uint64_t pour(struct policy_decision *decisions, size_t count, uint64_t budget_kib)
{
    uint64_t low = 0;
    uint64_t high = highest_level(decisions, count);
    if (sum_at_level(decisions, count, high) <= budget_kib)
        low = high;
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (sum_at_level(decisions, count, middle) <= budget_kib)
            low = middle;
        else
            high = middle;
    }
    for (size_t i = 0; i < count; i++)
        if (decisions[i].in_play)
            decisions[i].target_kib = at_level(&decisions[i], low);
    return low;
}

/*
 * Not everyone can have R of what the budget is. Nobody is brought below it for the host's sake;
 * but what is unused below it is balanced too: who has more gives to who has less, and keeps at
 * least half of R against surprises.
 */
static void balance_below_headroom(const struct policy_config *config,
                                   const struct snapshot *snapshot,
                                   struct policy_decision *decisions, uint64_t budget_kib)
{
    uint64_t kept_together = 0;
    for (size_t i = 0; i < snapshot->count; i++) {
        struct policy_decision *decision = &decisions[i];
        if (!decision->in_play)
            continue;
        kept_together = add_saturated(kept_together, decision->floor_kib);
        uint64_t min = min_kib(config, &snapshot->domains[i]);
        uint64_t half = add_saturated(decision->used_kib, config->headroom_kib / 2);
        decision->floor_kib = min_u64(decision->floor_kib, max_u64(min, half));
    }
    pour(decisions, snapshot->count, max_u64(kept_together, budget_kib));
}

/* ---- the host ---- */

/* What all guests together may have, overheads included. */
static uint64_t pool_kib(const struct policy_config *config, const struct host *host,
                         const struct policy_decision *decisions, size_t count)
{
    uint64_t pool = host->available_kib;
    for (size_t i = 0; i < count; i++)
        pool = add_saturated(pool, decisions[i].rss_kib);
    return subtract_to_zero(pool, config->host_reserve_kib);
}

/* What may physically be taken from the host now, whatever the pool has to promise. */
static uint64_t growable_kib(const struct policy_config *config, const struct host *host)
{
    return subtract_to_zero(host->available_kib, config->host_reserve_kib);
}

/* What of the pool is left once everything promised, and every overhead, is taken off. */
static uint64_t unpromised_kib(const struct policy_decision *decisions, size_t count, uint64_t pool)
{
    uint64_t promised = 0;
    for (size_t i = 0; i < count; i++)
        promised = add_saturated(promised,
                                 add_saturated(decisions[i].owed_kib, decisions[i].overhead_kib));
    return subtract_to_zero(pool, promised);
}

/* What of the pool the domains in play can have in the end: all but overheads and what others hold.
 */
static uint64_t shareable_kib(const struct policy_decision *decisions, size_t count, uint64_t pool)
{
    uint64_t fixed = 0;
    for (size_t i = 0; i < count; i++) {
        fixed = add_saturated(fixed, decisions[i].overhead_kib);
        if (!decisions[i].in_play)
            fixed = add_saturated(fixed, decisions[i].owed_kib);
    }
    return subtract_to_zero(pool, fixed);
}

/* ---- from the targets of the end to those of this cycle ---- */

static void hold(struct policy_decision *decision, enum policy_bound bound)
{
    decision->action = POLICY_HOLD;
    decision->target_kib = decision->from_kib;
    if (bound != POLICY_UNBOUND)
        decision->bound = bound;
}

/* Into how many steps the gradual window is cut, so that no window of that length sees more than
 * its share; an interval longer than the window, with a tenth for jitter, makes one step each. */
static unsigned int steps_per_window(uint64_t interval_usec)
{
    uint64_t nearly = GRADUAL_USEC / 10 * 11;
    if (interval_usec >= nearly)
        return 1;
    return interval_usec >= nearly / 2 ? 2 : 3;
}

static void limit_shrink(struct policy_decision *decision, const struct policy_config *config,
                         const struct policy_memory *memory, uint64_t now_usec)
{
    unsigned int steps = steps_per_window(config->interval_usec);
    uint64_t step = multiply_divide(decision->from_kib, GRADUAL_NUMERATOR,
                                    (uint64_t)GRADUAL_DENOMINATOR * steps);
    if (!memory->has_unseen) {
        hold(decision, POLICY_BOUND_GRACE);
    } else if (is_in_flight(memory, memory->actual_kib, now_usec)) {
        hold(decision, POLICY_BOUND_IN_FLIGHT);
    } else if (memory->has_shrunk &&
               elapsed_usec(memory->shrunk_usec, now_usec) <= GRADUAL_USEC / steps) {
        hold(decision, POLICY_BOUND_GRADUAL);
    } else if (decision->from_kib - decision->target_kib > step) {
        decision->target_kib = decision->from_kib - step;
        decision->bound = POLICY_BOUND_GRADUAL;
    }
}

/* Turns the target of the end into a shrink, a wish to grow (in play for what is unpromised) or a
 * hold. */
static void choose_action(struct policy_decision *decision, const struct policy_config *config,
                          const struct domain *domain, const struct policy_memory *memory,
                          uint64_t now_usec, bool someone_starves)
{
    uint64_t from = decision->from_kib;
    uint64_t target = decision->target_kib;
    uint64_t least_move = dead_band_kib(from) / (someone_starves ? STARVING_BAND_DIVISOR : 1);
    decision->in_play = false;
    if (target > from) {
        decision->action = POLICY_GROW;
        decision->in_play = true;
        if (target == domain->max_kib)
            decision->bound = POLICY_BOUND_MAX;
        else if (target < decision->ceiling_kib)
            decision->bound = POLICY_BOUND_POOL;
        decision->floor_kib = min_u64(target, decision->owed_kib);
        decision->ceiling_kib = target;
    } else if (from - target > least_move) {
        decision->action = POLICY_SHRINK;
        if (decision->reason != POLICY_SPARE)
            decision->reason = POLICY_DONATES;
        if (target == config->min_kib)
            decision->bound = POLICY_BOUND_MIN;
        limit_shrink(decision, config, memory, now_usec);
    } else {
        hold(decision, decision->ceiling_kib > from ? POLICY_BOUND_POOL : POLICY_UNBOUND);
    }
}

/* Drops a growth that what is unpromised has made too small, or too small for its minimum. */
static void settle_growth(struct policy_decision *decision, const struct policy_config *config,
                          const struct domain *domain)
{
    uint64_t gained = subtract_to_zero(decision->target_kib, decision->from_kib);
    uint64_t least = least_growth_kib(config, decision);
    if (decision->target_kib < decision->ceiling_kib)
        decision->bound = POLICY_BOUND_POOL;
    if (gained <= least || decision->target_kib < min_kib(config, domain))
        hold(decision, decision->bound);
}

/* Takes everyone in, and sets the range of those that can be decided on. */
static void look_at_all(const struct policy_config *config, const struct snapshot *snapshot,
                        struct policy_memory *memory, struct policy_decision *decisions)
{
    for (size_t i = 0; i < snapshot->count; i++) {
        const struct domain *domain = &snapshot->domains[i];
        struct policy_decision *decision = &decisions[i];
        memset(decision, 0, sizeof(*decision));
        decision->reason = learn(&memory[i], domain, snapshot);
        reckon_debt(decision, domain, &memory[i], snapshot->now_usec);
        if (policy_is_held(decision->reason))
            continue;
        reckon_range(decision, config, domain, &memory[i]);
        /* What is taken from one could not be given back where the host does not say what it has.
         */
        decision->in_play = snapshot->host.has_memory;
        if (!decision->in_play)
            hold(decision, POLICY_BOUND_HOST);
    }
}

/* The targets of the end, when everything asked for has arrived. */
static void decide_ends(const struct policy_config *config, const struct snapshot *snapshot,
                        struct policy_decision *decisions, uint64_t pool)
{
    uint64_t budget = shareable_kib(decisions, snapshot->count, pool);
    if (pour(decisions, snapshot->count, budget) < config->headroom_kib &&
        growable_kib(config, &snapshot->host) > 0)
        balance_below_headroom(config, snapshot, decisions, budget);
}

/* Someone has less than R and could have more, if others gave it. */
static bool someone_starves(const struct policy_decision *decisions, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (decisions[i].reason == POLICY_STARVING && decisions[i].bound != POLICY_BOUND_MAX)
            return true;
    return false;
}

static void grant_growth(const struct policy_config *config, const struct snapshot *snapshot,
                         struct policy_decision *decisions, uint64_t pool)
{
    uint64_t budget = min_u64(unpromised_kib(decisions, snapshot->count, pool),
                              growable_kib(config, &snapshot->host));
    for (size_t i = 0; i < snapshot->count; i++)
        if (decisions[i].in_play)
            budget = add_saturated(budget, decisions[i].floor_kib);
    pour(decisions, snapshot->count, budget);
    for (size_t i = 0; i < snapshot->count; i++)
        if (decisions[i].in_play)
            settle_growth(&decisions[i], config, &snapshot->domains[i]);
}

void policy_decide(const struct policy_config *config, const struct snapshot *snapshot,
                   struct policy_memory *memory, struct policy_decision *decisions)
{
    look_at_all(config, snapshot, memory, decisions);
    uint64_t pool = pool_kib(config, &snapshot->host, decisions, snapshot->count);
    decide_ends(config, snapshot, decisions, pool);
    bool starves = someone_starves(decisions, snapshot->count);
    for (size_t i = 0; i < snapshot->count; i++)
        if (decisions[i].in_play)
            choose_action(&decisions[i], config, &snapshot->domains[i], &memory[i],
                          snapshot->now_usec, starves);
    grant_growth(config, snapshot, decisions, pool);
}

void policy_asked(struct policy_memory *memory, const struct policy_decision *decision,
                  uint64_t now_usec)
{
    memory->has_asked = true;
    memory->asked_kib = decision->target_kib;
    memory->asked_usec = memory->moved_usec = now_usec;
    if (decision->action == POLICY_SHRINK) {
        memory->has_shrunk = true;
        memory->shrunk_usec = now_usec;
    }
}

unsigned int policy_report_period_sec(uint64_t interval_usec)
{
    return (unsigned int)clamp(interval_usec / (10 * (uint64_t)USEC_PER_SEC), 1, 10);
}
