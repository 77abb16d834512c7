/* policy.c - the decision. Pure: no I/O, no clock, no allocation, no logging; see policy.h. */
#include "policy.h"

#include "arithmetic.h"

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
    FADE_USEC = 1 * USEC_PER_SEC,
    JITTER_FADES = 20,
    STEADY_DIVISOR = 4,
    JITTER_MOST_KIB = 48 * KIB_PER_MIB,
    /* Growth that nobody has seen coming is provided for this far ahead; a longer interval would
     * need all of a host's memory for it. */
    SURGE_HORIZON_USEC = 12 * USEC_PER_SEC,
    /* The least lag of a guest's reports creeps up by this part, so that clocks may drift apart. */
    LAG_CREEP_DIVISOR = 64,
    /* Reports older than this many periods are stale. */
    STALE_PERIODS = 3,

    /* What an emulator takes beside its guest's memory, at the least, and where that has not shown
     * yet; 104 MiB were measured of one that emulates the processor, too. */
    OVERHEAD_LEAST_KIB = 32 * KIB_PER_MIB,
    OVERHEAD_MOST_KIB = 128 * KIB_PER_MIB,

    /* Changes up to max(DEAD_BAND, 1 %) are not worth a call; for giving back, twice that. */
    DEAD_BAND_KIB = 8 * KIB_PER_MIB,
    DEAD_BAND_DIVISOR = 100,
    /* In need smaller bits are worth one too. */
    PRESSED_BAND_DIVISOR = 4,
    /* Less unused than others by less than this part is still fair. */
    FAIR_DIVISOR = 10,

    /* Gradual: in any GRADUAL_USEC a guest gives at most 3/16 of its size (18.75 %). */
    GRADUAL_USEC = 2 * USEC_PER_SEC,
    GRADUAL_NUMERATOR = 3,
    GRADUAL_DENOMINATOR = 16,

    /* A balloon found stuck is tried again after as long as it took to find that, then after twice
     * as long each time. */
    BACKOFF_MOST_USEC = 320 * USEC_PER_SEC,

    /* So much swapped in between two reports, or so many major faults a second while the headroom
     * is short, and the guest is left alone for a while; for twice as long each time that this
     * comes within that while of our own request. */
    SWAPPING_KIB = KIB_PER_MIB,
    THRASHING_FAULTS_PER_SEC = 100,
    SWAPPING_USEC = 10 * USEC_PER_SEC,
    /* Over longer than this, what the counters have grown by says nothing about now. */
    SWAPPING_APART_USEC = 60 * USEC_PER_SEC,
    /* Who has swapped in so long ago may have lost its swap space since. */
    CAN_SWAP_USEC = 600 * USEC_PER_SEC,

    /* A guest is hungry while less than this part of R is unused; famished once that has lasted;
     * insatiable if it has lasted long although it was given R meanwhile. */
    HUNGRY_DIVISOR = 8,
    FAMISHED_USEC = 10 * USEC_PER_SEC,
    INSATIABLE_USEC = 30 * USEC_PER_SEC,

    /* Page cache is fed until the guest is this many times what it needs without it. */
    CACHE_FACTOR = 2,

    /* Idle memory costs as much as four times as much in use: k = 1 / (1 - tau), with the tax rate
     * tau of 75 % that Waldspurger found best ("Memory Resource Management in VMware ESX Server",
     * 2002, section 5). */
    IDLE_COST = 4,

    /* The host is pressed below its reserve, hard below 64 % of it and very hard below 32 %, as ESX
     * is. It falls below a mark with a sixteenth less than that, and has recovered at the mark: a
     * host that is full to its reserve is not pressed. */
    HARD_PERCENT = 64,
    LOW_PERCENT = 32,
    SLACK_DIVISOR = 16,

    /* The host is under pressure when all tasks that have work have waited for memory for a tenth
     * of the last 10 s, at every look for as long; until that is less than a twentieth. It is far
     * less than what has systemd-oomd kill (60 % for 30 s): here it has the host take a little
     * earlier what it would take anyway. Where much is available it is not the host that is short,
     * but some group of tasks at a limit of its own: then it does not count. */
    PRESSED_PERMYRIAD = 1000,
    RELIEVED_PERMYRIAD = 500,
    PRESSED_USEC = 10 * USEC_PER_SEC,
    PRESSED_RESERVES = 2,
    PRESSED_DIVISOR = 8, /* of all its memory */

    /* How far ahead of itself a loop over all domains has memory fetched. */
    PREFETCH_DOMAINS = 6,
    CACHE_LINE_BYTES = 64,
    /* Of so many domains every STEPth is looked at to guess a level; to one part of PARTS. */
    SAMPLE_LEAST = 4096,
    SAMPLE_STEP = 64,
    SAMPLE_PARTS = 1 << 20,
};

/* No machine has 2^50 KiB; a larger figure is a lie, and differences of smaller ones fit an
 * int64_t. */
static const uint64_t SIZE_LIMIT_KIB = UINT64_C(1) << 50;

/* Nothing that a guest counts, in KiB or faults, comes to more in its life. */
static const uint64_t COUNT_LIMIT = UINT64_C(1) << 50;

/* Seconds since the epoch beyond the first are a lie, a machine is not up for the second; both keep
 * differences of microseconds within an int64_t. */
static const uint64_t EPOCH_LIMIT_SEC = UINT64_C(1) << 40;
static const uint64_t NOW_LIMIT_USEC = UINT64_C(1) << 61;

/* More shares than anyone needs; it keeps products of claims within 64 bits. */
static const uint64_t SHARES_MOST = 1000000;

/* Longer than this apart is as good as never; it keeps products of times within 64 bits. */
static const uint64_t ELAPSED_LIMIT_USEC = UINT64_C(86400) * USEC_PER_SEC;

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
    return min_u64(max_u64(value, low), high);
}

/* VALUE * BY / DIVISOR, rounded down; saturates where that, or both BY * DIVISOR and BY * VALUE,
 * exceed 64 bits. */
static uint64_t multiply_divide(uint64_t value, uint64_t by, uint64_t divisor)
{
    uint64_t product;
    uint64_t whole;
    uint64_t rest;
    if (!__builtin_mul_overflow(value, by, &product))
        return product / divisor;
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

/*
 * Has the first BYTES of an element ready when a loop over COUNT of them, SIZE apart, comes to it:
 * an element is larger than what the processor foresees.
 */
static void prefetch_ahead(const void *elements, size_t size, size_t bytes, size_t i, size_t count)
{
    if (i + PREFETCH_DOMAINS >= count)
        return;
    const char *element = (const char *)elements + (i + PREFETCH_DOMAINS) * size;
    for (size_t offset = 0; offset < bytes; offset += CACHE_LINE_BYTES)
        __builtin_prefetch(element + offset);
}

/* ---- what a guest reports ---- */

static bool has_full_report(const struct domain *domain)
{
    return domain->unused_kib.known && domain->available_kib.known &&
           domain->last_update_sec.known && domain->last_update_sec.value != 0;
}

static bool has_possible_size(const struct domain *domain)
{
    return domain->actual_kib.known && domain->actual_kib.value != 0 &&
           domain->max_kib <= SIZE_LIMIT_KIB &&
           (domain->max_kib == 0 || domain->actual_kib.value <= domain->max_kib + ARRIVED_KIB);
}

/* Of pages that are merged an emulator may hold more than there are on the host, not more than it
 * could without. */
static bool has_possible_rss(const struct domain *domain, const struct host *host)
{
    uint64_t most =
        host->total_kib != 0 ? add_saturated(host->total_kib, domain->max_kib) : SIZE_LIMIT_KIB;
    return !domain->rss_kib.known || domain->rss_kib.value <= min_u64(most, SIZE_LIMIT_KIB);
}

static bool has_possible_memory(const struct domain *domain)
{
    return domain->available_kib.value != 0 && domain->available_kib.value <= domain->max_kib &&
           domain->unused_kib.value <= domain->available_kib.value &&
           (!domain->usable_kib.known || domain->usable_kib.value <= domain->available_kib.value);
}

/* Whether it can come after what was counted BEFORE. */
static bool is_possible_count(struct figure counter, uint64_t before)
{
    return !counter.known || (counter.value >= before && counter.value <= COUNT_LIMIT);
}

static bool has_possible_counts(const struct policy_memory *memory, const struct domain *domain)
{
    return is_possible_count(domain->swap_in_kib, memory->swap_in_kib) &&
           is_possible_count(domain->major_faults, memory->major_faults);
}

static bool is_possible(const struct policy_memory *memory, const struct domain *domain)
{
    return has_possible_memory(domain) && has_possible_counts(memory, domain) &&
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
           (int64_t)min_u64(memory->last_update_sec, EPOCH_LIMIT_SEC) * USEC_PER_SEC;
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

/* ---- what a guest uses ---- */

/* What is used of a guest's memory, and what of that is not page cache. */
struct use {
    uint64_t used_kib;
    uint64_t needed_kib;
};

/*
 * A guest's use, from the figures of one report. The balloon may have moved since, so that its
 * size now says nothing about them; what the guest does not see of its size, the kernel itself,
 * stays the same and is learnt while the balloon is at rest.
 */
static uint64_t used_of_report(const struct policy_memory *memory, uint64_t free_kib)
{
    uint64_t seen = memory->available_kib - free_kib;
    if (memory->unseen_kib >= 0)
        return seen + (uint64_t)memory->unseen_kib;
    return subtract_to_zero(seen, (uint64_t)-memory->unseen_kib);
}

static struct use reckon_use(const struct policy_memory *memory, enum policy_metric metric,
                             uint64_t actual_kib)
{
    struct use use;
    if (memory->counts_balloon) {
        use.used_kib = subtract_to_zero(actual_kib, memory->unused_kib);
        use.needed_kib = subtract_to_zero(actual_kib, memory->usable_kib);
    } else {
        use.used_kib = used_of_report(memory, memory->unused_kib);
        use.needed_kib = used_of_report(memory, memory->usable_kib);
    }
    if (metric == POLICY_USABLE)
        use.used_kib = use.needed_kib;
    return use;
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

/* What a guest says it uses although its emulator has never held it, it cannot be using. */
static uint64_t believed_kib(const struct policy_memory *memory, uint64_t needed_kib)
{
    return memory->has_rss ? min_u64(needed_kib, memory->held_kib) : needed_kib;
}

/* Fast up, slow down. A single jump is not a ramp: a rate is believed when two in a row show it, or
 * when it has eaten up all there was. */
static void learn_rate(struct policy_memory *memory, uint64_t believed_kib, uint64_t dt_usec)
{
    uint64_t growth = 0;
    if (believed_kib > memory->believed_kib && dt_usec != 0)
        growth = multiply_divide(believed_kib - memory->believed_kib, USEC_PER_SEC, dt_usec);
    /* One that has nothing left cannot show that it would go on growing. What its emulator has
     * never held it still has left, whatever it says. */
    bool is_out = memory->is_hungry && memory->steady_kib <= believed_kib;
    uint64_t sustained = is_out ? growth : min_u64(growth, memory->growth_kib_per_sec);
    uint64_t faded = is_out ? memory->rate_kib_per_sec : fade(memory->rate_kib_per_sec, 0, dt_usec);
    memory->rate_kib_per_sec = max_u64(sustained, faded);
    memory->growth_kib_per_sec = growth;
}

/* How far use goes back and forth: the lesser of a rise and the fall right after it, or of a fall
 * and the rise; remembered longer than a peak. */
static void learn_jitter(struct policy_memory *memory, uint64_t used_kib, uint64_t dt_usec)
{
    uint64_t change = apart(used_kib, memory->used_kib);
    bool rises = used_kib > memory->used_kib;
    uint64_t swing = rises != memory->was_rising ? min_u64(change, memory->change_kib) : 0;
    if (swing > JITTER_MOST_KIB) /* that is no jitter, that is work */
        swing = 0;
    uint64_t slowly_usec = dt_usec / JITTER_FADES;
    memory->jitter_kib =
        max_u64(min_u64(swing, memory->swing_kib), fade(memory->jitter_kib, 0, slowly_usec));
    memory->swing_kib = swing;
    memory->change_kib = change;
    memory->was_rising = rises;
}

/* What use is on average while it goes to and fro; what goes beyond that is no jitter. */
static uint64_t steady_kib(const struct policy_memory *memory, uint64_t needed_kib,
                           uint64_t dt_usec)
{
    uint64_t grown = multiply_divide(memory->rate_kib_per_sec, dt_usec, USEC_PER_SEC);
    uint64_t before = add_saturated(memory->steady_kib, grown);
    uint64_t average = needed_kib > before ? before + (needed_kib - before) / STEADY_DIVISOR
                                           : before - (before - needed_kib) / STEADY_DIVISOR;
    return clamp(average, subtract_to_zero(needed_kib, memory->jitter_kib),
                 add_saturated(needed_kib, memory->jitter_kib));
}

static void learn_use(struct policy_memory *memory, struct use use, uint64_t now_usec)
{
    uint64_t dt_usec = elapsed_usec(memory->used_usec, now_usec);
    learn_jitter(memory, use.used_kib, dt_usec);
    memory->steady_kib = steady_kib(memory, use.needed_kib, dt_usec);
    learn_rate(memory, believed_kib(memory, memory->steady_kib), dt_usec);
    uint64_t steady_used = memory->steady_kib + subtract_to_zero(use.used_kib, use.needed_kib);
    memory->peak_kib = max_u64(steady_used, fade(memory->peak_kib, steady_used, dt_usec));
    if (memory->peak_kib - steady_used < DEAD_BAND_KIB) /* its long tail is not worth waiting for */
        memory->peak_kib = steady_used;
    memory->used_kib = use.used_kib;
    memory->former_kib = memory->needed_kib;
    memory->needed_kib = use.needed_kib;
    memory->believed_kib = believed_kib(memory, memory->steady_kib);
    memory->used_usec = now_usec;
}

/* What was reckoned before the balloon was first seen at rest is no history. */
static void start_use(struct policy_memory *memory, struct use use, uint64_t now_usec)
{
    memory->used_kib = memory->peak_kib = use.used_kib;
    memory->needed_kib = memory->steady_kib = use.needed_kib;
    memory->former_kib = 0;
    memory->believed_kib = believed_kib(memory, memory->steady_kib);
    memory->growth_kib_per_sec = memory->rate_kib_per_sec = 0;
    memory->used_usec = now_usec;
}

/* Whether the report is sure to be of the size that the balloon has now, even if reports come late:
 * once it has moved, it must have been at rest for as long as two of them take. */
static bool is_exact(const struct policy_memory *memory, const struct domain *domain, bool at_rest,
                     uint64_t now_usec)
{
    return at_rest && (memory->changed_usec == 0 ||
                       elapsed_usec(memory->changed_usec, now_usec) >= 2 * echo_usec(domain));
}

/* Whether it sees its maximum always, as two reports in a row say at rest; one could be of the time
 * before its balloon was inflated. At its maximum both look the same. */
static void learn_accounting(struct policy_memory *memory, const struct domain *domain,
                             bool at_rest)
{
    if (!at_rest || subtract_to_zero(domain->max_kib, domain->actual_kib.value) <= ARRIVED_KIB)
        return;
    bool sees_more = memory->unseen_kib < 0;
    if (sees_more == memory->saw_more)
        memory->counts_balloon = sees_more;
    memory->saw_more = sees_more;
}

static void learn_used(struct policy_memory *memory, enum policy_metric metric,
                       const struct domain *domain, bool first, uint64_t now_usec)
{
    uint64_t actual = domain->actual_kib.value;
    /* The report is of the time since the last look: at rest if the size was the same at both ends.
     * A first report is taken for one too: nobody has asked the balloon to move yet. */
    bool at_rest = memory->has_actual && memory->actual_kib == actual;
    bool was_exact = memory->has_unseen;
    if (is_exact(memory, domain, at_rest, now_usec) || first) {
        memory->unseen_kib = (int64_t)actual - (int64_t)memory->available_kib;
        memory->has_unseen = at_rest;
    }
    learn_accounting(memory, domain, at_rest);
    /* A guest that counts its balloon as used does not tell the two apart while it moves. */
    if (memory->counts_balloon && !is_of_present_size(memory, domain, at_rest, now_usec))
        return;
    struct use use = reckon_use(memory, metric, actual);
    if (first || memory->has_unseen != was_exact)
        start_use(memory, use, now_usec);
    else
        learn_use(memory, use, now_usec);
}

/* R. */
static uint64_t least_unused_kib(const struct policy_limits *limits,
                                 const struct policy_memory *memory)
{
    if (limits->headroom_percent == 0)
        return limits->headroom_kib;
    return multiply_divide(memory->needed_kib, limits->headroom_percent, 100);
}

/* ---- signs of pain ---- */

/* What a counter has grown by since it was BEFORE. */
static uint64_t counted(struct figure counter, uint64_t before)
{
    return counter.known ? subtract_to_zero(counter.value, before) : 0;
}

static void remember_counter(uint64_t *before, struct figure counter)
{
    if (counter.known)
        *before = counter.value;
}

/* One that runs backwards began anew, as where the guest was rebooted; what is beyond all bounds is
 * nothing to begin with. */
static void begin_counters_anew(struct policy_memory *memory, const struct domain *domain)
{
    if (is_possible_count(domain->swap_in_kib, 0))
        remember_counter(&memory->swap_in_kib, domain->swap_in_kib);
    if (is_possible_count(domain->major_faults, 0))
        remember_counter(&memory->major_faults, domain->major_faults);
}

static bool is_short_of_headroom(const struct policy_memory *memory,
                                 const struct policy_limits *limits)
{
    return memory->usable_kib < least_unused_kib(limits, memory);
}

static bool has_swapped_of_late(const struct policy_memory *memory, uint64_t now_usec)
{
    return memory->rest_usec != 0 &&
           elapsed_usec(memory->swapped_usec, now_usec) < memory->rest_usec;
}

/* Whether what hurts it now may be what was taken from it. */
static void learn_swapping(struct policy_memory *memory, uint64_t now_usec)
{
    bool is_our_doing =
        memory->has_shrunk && elapsed_usec(memory->shrunk_usec, now_usec) < SWAPPING_USEC;
    if (!has_swapped_of_late(memory, now_usec))
        memory->rest_usec = is_our_doing
                                ? clamp(2 * memory->rest_usec, SWAPPING_USEC, BACKOFF_MOST_USEC)
                                : SWAPPING_USEC;
    memory->swapped_usec = now_usec;
}

/* A guest that swaps in, or reads back again and again what it had to drop, uses more than it has.
 */
static void learn_pain(struct policy_memory *memory, const struct policy_limits *limits,
                       const struct domain *domain, bool first, uint64_t now_usec)
{
    uint64_t dt_usec = elapsed_usec(memory->used_usec, now_usec);
    first = first || dt_usec > SWAPPING_APART_USEC;
    uint64_t faults = counted(domain->major_faults, memory->major_faults);
    uint64_t swapping = counted(domain->swap_in_kib, memory->swap_in_kib);
    bool thrashes = is_short_of_headroom(memory, limits) &&
                    faults > multiply_divide(THRASHING_FAULTS_PER_SEC, dt_usec, USEC_PER_SEC);
    memory->swapping_kib = first ? 0 : swapping;
    if (!first && swapping >= SWAPPING_KIB) {
        memory->has_swap = true;
        memory->swap_usec = now_usec;
    }
    if (!first && (swapping >= SWAPPING_KIB || thrashes))
        learn_swapping(memory, now_usec);
    remember_counter(&memory->swap_in_kib, domain->swap_in_kib);
    remember_counter(&memory->major_faults, domain->major_faults);
}

static bool swaps_now(const struct policy_memory *memory, const struct domain *domain,
                      uint64_t now_usec)
{
    return memory->rest_usec != 0 &&
           elapsed_usec(memory->swapped_usec, now_usec) <= echo_usec(domain);
}

static void learn_hunger(struct policy_memory *memory, const struct policy_limits *limits,
                         const struct domain *domain, uint64_t now_usec)
{
    bool was_hungry = memory->is_hungry;
    memory->is_hungry = memory->usable_kib < least_unused_kib(limits, memory) / HUNGRY_DIVISOR;
    if (memory->is_hungry && !was_hungry) {
        memory->hungry_usec = now_usec;
        memory->hungry_size_kib = domain->actual_kib.value;
    }
}

static bool is_famished(const struct policy_memory *memory, uint64_t now_usec)
{
    return memory->is_hungry && elapsed_usec(memory->hungry_usec, now_usec) >= FAMISHED_USEC;
}

/* It was given R and has had nothing to show for it ever since. */
static bool is_insatiable(const struct policy_memory *memory, const struct policy_limits *limits,
                          uint64_t now_usec)
{
    return memory->is_hungry && elapsed_usec(memory->hungry_usec, now_usec) >= INSATIABLE_USEC &&
           memory->actual_kib >=
               add_saturated(memory->hungry_size_kib, least_unused_kib(limits, memory));
}

/* ---- what a domain shows ---- */

/* Both clocks go on alike; each is rounded to seconds here. */
static bool has_jumped(int64_t before_sec, int64_t now_sec)
{
    return now_sec > before_sec ? (uint64_t)now_sec - (uint64_t)before_sec > 2
                                : (uint64_t)before_sec - (uint64_t)now_sec > 2;
}

static void learn_report(struct policy_memory *memory, const struct policy_config *config,
                         const struct policy_limits *limits, const struct domain *domain,
                         const struct snapshot *snapshot)
{
    bool first = !memory->has_report;
    int64_t offset_sec = snapshot->wall_sec - (int64_t)(snapshot->now_usec / USEC_PER_SEC);
    bool clock_jumped = domain->last_update_sec.value < memory->last_update_sec ||
                        has_jumped(memory->wall_offset_sec, offset_sec);
    bool starts_anew = !memory->confirmed || clock_jumped;
    memory->wall_offset_sec = offset_sec;
    memory->confirmed = !first || agrees_with_wall_clock(domain, snapshot->wall_sec);
    memory->has_report = true;
    memory->last_update_sec = domain->last_update_sec.value;
    memory->unused_kib = domain->unused_kib.value;
    memory->available_kib = domain->available_kib.value;
    memory->usable_kib = memory->unused_kib;
    if (domain->usable_kib.known)
        memory->usable_kib = max_u64(memory->unused_kib, domain->usable_kib.value);
    learn_lag(memory, snapshot->now_usec, starts_anew);
    learn_pain(memory, limits, domain, first, snapshot->now_usec);
    learn_hunger(memory, limits, domain, snapshot->now_usec);
    learn_used(memory, config->metric, domain, first, snapshot->now_usec);
}

/* Notices whether the balloon moves as it was asked to, or as somebody else wants it. */
static void learn_size(struct policy_memory *memory, const struct domain *domain, uint64_t now_usec)
{
    uint64_t actual = domain->actual_kib.value;
    /* A guest that boots has its maximum until its driver is up; its configuration knows better.
     * It knows worse where it hears late of a change of size. */
    bool may_boot = actual >= domain->max_kib && domain->current_kib != 0;
    if (memory->found_kib == 0)
        memory->found_kib = may_boot ? domain->current_kib : actual;
    if (memory->has_actual && memory->has_asked) {
        uint64_t before = apart(memory->actual_kib, memory->asked_kib);
        uint64_t now = apart(actual, memory->asked_kib);
        if (now < before)
            memory->moved_usec = now_usec;
        else if (now > add_saturated(before, ARRIVED_KIB) &&
                 elapsed_usec(memory->asked_usec, now_usec) >= IN_FLIGHT_USEC)
            memory->has_asked = false; /* there is a newer request, and it is not ours */
    }
    if (memory->has_actual && memory->actual_kib != actual)
        memory->changed_usec = now_usec;
    memory->has_actual = true;
    memory->actual_kib = actual;
}

static uint64_t dead_band_kib(uint64_t size_kib)
{
    return max_u64(DEAD_BAND_KIB, size_kib / DEAD_BAND_DIVISOR);
}

/* Whether the balloon has stopped short of what it was last asked for by more than is worth a call.
 */
static bool has_stopped_short(const struct policy_memory *memory, uint64_t now_usec)
{
    return memory->has_asked &&
           apart(memory->asked_kib, memory->actual_kib) > dead_band_kib(memory->actual_kib) &&
           elapsed_usec(memory->moved_usec, now_usec) >= IN_FLIGHT_USEC;
}

static bool is_left_alone(const struct policy_memory *memory, uint64_t now_usec)
{
    return memory->backoff_usec != 0 &&
           elapsed_usec(memory->stuck_usec, now_usec) < memory->backoff_usec;
}

/* A balloon that moves at all, or was asked for nothing more, is forgiven. */
static void learn_stuck(struct policy_memory *memory, uint64_t now_usec)
{
    if (memory->has_asked && memory->moved_usec > memory->asked_usec) {
        memory->backoff_usec = 0;
    } else if (!is_left_alone(memory, now_usec) && has_stopped_short(memory, now_usec)) {
        memory->backoff_usec = clamp(2 * memory->backoff_usec, IN_FLIGHT_USEC, BACKOFF_MOST_USEC);
        memory->stuck_usec = now_usec;
    }
}

/* Whether the host has nothing back of what is in its balloon. */
static bool is_held_whole(const struct domain *domain)
{
    return domain->max_kib != 0 && domain->obstacle >= OBSTACLE_HUGE_PAGES;
}

/* A domain that could not be read, or says what cannot be, has the size that it had last, or had
 * when it was looked up; the most it can have if that is not known. */
static uint64_t size_now_kib(const struct domain *domain, const struct policy_memory *memory)
{
    uint64_t max = domain->max_kib != 0 ? domain->max_kib : UINT64_MAX;
    if (is_held_whole(domain))
        return domain->max_kib;
    if (has_possible_size(domain))
        return min_u64(domain->actual_kib.value, max);
    if (memory->has_actual)
        return min_u64(memory->actual_kib, max);
    return domain->current_kib != 0 ? min_u64(domain->current_kib, max) : domain->max_kib;
}

/*
 * What the emulator takes for itself shows as soon as the guest has touched all its memory; until
 * then it is no more than what is held and not used. The guest may touch the rest at any time.
 */
static void learn_rss(struct policy_memory *memory, const struct domain *domain)
{
    uint64_t rss = domain->rss_kib.value;
    uint64_t size = size_now_kib(domain, memory);
    uint64_t beyond_use = subtract_to_zero(rss, memory->needed_kib);
    if (!memory->has_rss)
        memory->overhead_kib = rss >= size ? 0 : OVERHEAD_MOST_KIB;
    memory->overhead_kib =
        max_u64(min_u64(memory->overhead_kib, beyond_use), subtract_to_zero(rss, size));
    /* What the host has swapped out, or merged, was held once. */
    memory->held_kib = max_u64(rss, min_u64(memory->held_kib, size));
    memory->rss_kib = rss;
    memory->has_rss = true;
}

/* Takes in what the domain shows. Returns POLICY_SETTLED if it can be decided on, else why not. */
static enum policy_reason learn(struct policy_memory *memory, const struct policy_config *config,
                                const struct policy_limits *limits, const struct domain *domain,
                                const struct snapshot *snapshot)
{
    bool has_rss = has_possible_rss(domain, &snapshot->host);
    if (domain->rss_kib.known && has_rss)
        learn_rss(memory, domain);
    if (domain->max_kib != 0 && !domain->has_balloon)
        return POLICY_NO_BALLOON;
    if (domain->is_frozen)
        return limits->managed ? POLICY_FROZEN : POLICY_UNMANAGED;
    if (domain->max_kib == 0 || !domain->actual_kib.known)
        return !limits->managed          ? POLICY_UNMANAGED
               : domain->job != JOB_NONE ? POLICY_BUSY
                                         : POLICY_UNREAD;
    bool has_report = domain->period_sec != 0 && has_full_report(domain);
    if (!has_rss || !has_possible_size(domain) || (has_report && !is_possible(memory, domain))) {
        begin_counters_anew(memory, domain);
        return limits->managed ? POLICY_IMPOSSIBLE : POLICY_UNMANAGED;
    }
    /* What comes from a paused guest is from before, and no sign of a second one to be young. */
    if (has_report && domain->is_running && is_new_report(memory, domain))
        learn_report(memory, config, limits, domain, snapshot);
    learn_size(memory, domain, snapshot->now_usec);
    if (!limits->managed)
        return POLICY_UNMANAGED;
    if (domain->job != JOB_NONE)
        return POLICY_BUSY;
    if (!domain->is_running)
        return POLICY_PAUSED;
    if (!has_report)
        return POLICY_NO_NEWS;
    if (!is_fresh(memory, domain, snapshot->now_usec))
        return POLICY_STALE;
    learn_stuck(memory, snapshot->now_usec);
    return is_left_alone(memory, snapshot->now_usec) ? POLICY_STUCK : POLICY_SETTLED;
}

/* ---- what a guest should have ---- */

bool policy_is_held(enum policy_reason reason)
{
    return reason >= POLICY_NO_BALLOON;
}

static uint64_t max_kib(const struct policy_limits *limits, const struct domain *domain)
{
    return min_u64(limits->max_kib, domain->max_kib);
}

/* A guest that can never be as large as the minimum is at least as large as it can be. */
static uint64_t min_kib(const struct policy_limits *limits, const struct domain *domain)
{
    return min_u64(limits->min_kib, max_kib(limits, domain));
}

/* The time until the next decision reaches the guest. */
static uint64_t horizon_usec(const struct policy_config *config, const struct domain *domain,
                             const struct policy_memory *memory)
{
    uint64_t horizon = add_saturated(
        config->interval_usec, (uint64_t)domain->period_sec * USEC_PER_SEC + BALLOON_LATENCY_USEC);
    /* Its use may be known only every other cycle. */
    if (memory->counts_balloon && config->interval_usec < echo_usec(domain))
        horizon = add_saturated(horizon, config->interval_usec);
    return horizon;
}

/* What a guest may take in so long without having been seen to begin. */
static uint64_t surge_kib(const struct policy_config *config, uint64_t usec)
{
    return multiply_divide(config->surge_kib_per_sec, min_u64(usec, SURGE_HORIZON_USEC),
                           USEC_PER_SEC);
}

/* R, and what the guest can take until then: what it grows by, or may begin to grow by. Growth that
 * was seen only once is believed no further than any guest may begin with, but comes before that of
 * those who have not begun. */
static void reckon_headroom(struct policy_decision *decision, const struct policy_config *config,
                            const struct domain *domain, const struct policy_memory *memory)
{
    uint64_t horizon = horizon_usec(config, domain, memory);
    uint64_t surge = surge_kib(config, horizon);
    uint64_t confirmed = multiply_divide(memory->rate_kib_per_sec, horizon, USEC_PER_SEC);
    uint64_t seen_once = multiply_divide(memory->growth_kib_per_sec, horizon, USEC_PER_SEC);
    seen_once = min_u64(subtract_to_zero(seen_once, memory->jitter_kib), surge);
    decision->growth_kib = min_u64(max_u64(confirmed, seen_once), domain->max_kib);
    decision->headroom_kib =
        add_saturated(decision->least_kib, max_u64(surge, decision->growth_kib));
}

static bool is_in_flight(const struct policy_memory *memory, uint64_t size_kib, uint64_t now_usec)
{
    if (!memory->has_asked)
        return false;
    return apart(memory->asked_kib, size_kib) > ARRIVED_KIB &&
           elapsed_usec(memory->moved_usec, now_usec) < IN_FLIGHT_USEC;
}

/* Huge pages are no part of what the kernel tells of its emulator, nor of what the host has
 * available. Where only some of its memory is in them, that is told: it counts once. */
static uint64_t held_now_kib(const struct domain *domain, const struct policy_memory *memory,
                             uint64_t size_kib)
{
    if (domain->obstacle != OBSTACLE_HUGE_PAGES)
        return memory->rss_kib;
    return add_saturated(size_kib, min_u64(memory->rss_kib, OVERHEAD_MOST_KIB));
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
    decision->rss_kib = held_now_kib(domain, memory, size);
    decision->overhead_kib = max_u64(max_u64(OVERHEAD_LEAST_KIB, memory->overhead_kib),
                                     subtract_to_zero(memory->rss_kib, size));
    decision->target_kib = decision->from_kib;
    decision->floor_kib = decision->ceiling_kib = decision->wish_kib = decision->from_kib;
}

/* Growth worth a call: the dead band, but never more than a quarter of what is beyond R, or a large
 * guest would have used that up before it gets a call. */
static uint64_t least_growth_kib(const struct policy_decision *decision)
{
    if (decision->reason == POLICY_STARVING || decision->goal_kib != 0)
        return ARRIVED_KIB;
    uint64_t beyond = subtract_to_zero(decision->headroom_kib, decision->least_kib);
    return min_u64(dead_band_kib(decision->from_kib), max_u64(DEAD_BAND_KIB, beyond / 4));
}

/* What it needs. Who swaps in with less than its headroom left will go on doing so for a while;
 * with less than R left it needs all that it has. */
static uint64_t needed_kib(const struct policy_decision *decision, const struct domain *domain,
                           const struct policy_memory *memory, uint64_t now_usec)
{
    uint64_t needed = memory->steady_kib;
    if (swaps_now(memory, domain, now_usec) && memory->usable_kib < decision->headroom_kib)
        needed = add_saturated(needed, memory->swapping_kib);
    if (swaps_now(memory, domain, now_usec) && memory->usable_kib < decision->least_kib)
        needed = max_u64(needed, decision->from_kib);
    return believed_kib(memory, needed);
}

static uint64_t goal_kib(const struct policy_config *config, const struct policy_decision *decision,
                         const struct policy_memory *memory)
{
    switch (config->goal) {
    case POLICY_BALANCE:
        break;
    case POLICY_RESTORE:
        return clamp(memory->found_kib, decision->min_kib, decision->max_kib);
    case POLICY_RELEASE:
        return decision->max_kib;
    }
    return 0;
}

/* Into how many steps the gradual window is cut, so that no window of that length sees more than
 * its share; an interval longer than the window, with a tenth for jitter, makes one step each. */
static unsigned int steps_per_window(uint64_t interval_usec)
{
    uint64_t nearly = (uint64_t)GRADUAL_USEC / 10 * 11;
    if (interval_usec >= nearly)
        return 1;
    return interval_usec >= nearly / 2 ? 2 : 3;
}

/* What keeps it from giving now. */
static void reckon_rest(struct policy_decision *decision, const struct policy_config *config,
                        const struct policy_memory *memory, uint64_t now_usec)
{
    uint64_t pause_usec = GRADUAL_USEC / steps_per_window(config->interval_usec);
    /* A guest that counts its balloon as used is not known anew while that moves. */
    bool is_unseen =
        memory->counts_balloon && memory->has_asked && memory->used_usec <= memory->asked_usec;
    decision->is_settling = is_unseen || is_in_flight(memory, memory->actual_kib, now_usec);
    decision->has_just_given =
        memory->has_shrunk && elapsed_usec(memory->shrunk_usec, now_usec) <= pause_usec;
}

/* The figures that the domain itself gives. */
static void reckon_needs(struct policy_decision *decision, const struct policy_config *config,
                         const struct policy_limits *limits, const struct domain *domain,
                         const struct policy_memory *memory, uint64_t now_usec)
{
    decision->min_kib = min_kib(limits, domain);
    decision->max_kib = max_kib(limits, domain);
    decision->goal_kib = goal_kib(config, decision, memory);
    decision->shares = clamp(limits->shares, 1, SHARES_MOST);
    decision->least_kib = least_unused_kib(limits, memory);
    reckon_headroom(decision, config, domain, memory);
    decision->used_kib = memory->used_kib;
    decision->peak_kib = memory->peak_kib;
    decision->jitter_kib = memory->jitter_kib;
    decision->claimed_kib = memory->needed_kib;
    decision->former_kib = believed_kib(memory, memory->former_kib);
    if (memory->counts_balloon)
        decision->doubt_kib = surge_kib(config, elapsed_usec(memory->used_usec, now_usec));
    decision->needed_kib = needed_kib(decision, domain, memory, now_usec);
    decision->overclaims = believed_kib(memory, decision->claimed_kib) < decision->claimed_kib;
    decision->unused_kib = subtract_to_zero(decision->from_kib, decision->needed_kib);
    decision->is_insatiable = is_insatiable(memory, limits, now_usec);
    decision->is_famished = is_famished(memory, now_usec);
    decision->can_swap =
        memory->has_swap && elapsed_usec(memory->swap_usec, now_usec) < CAN_SWAP_USEC;
    decision->is_new = !memory->has_unseen || memory->saw_more != memory->counts_balloon;
    decision->swaps_now = swaps_now(memory, domain, now_usec);
    decision->has_swapped = has_swapped_of_late(memory, now_usec);
    reckon_rest(decision, config, memory, now_usec);
    if (decision->unused_kib < decision->least_kib)
        decision->reason = POLICY_STARVING;
}

/* How hard memory is to be looked for in this cycle. */
struct pressure {
    bool is_felt; /* by the host, or by who has less than R, or would have before he is served */
    bool is_hard; /* small bits are worth a call, past peaks are not waited for */
    bool host_is_low;
    uint64_t small_bit_kib; /* above its target nobody keeps more; UINT64_MAX: it does not matter */
    uint64_t lacking_kib;   /* what all together need more than the host has to spare */
};

/* It is to come to its goal, but to keep what it uses and R. */
static void reckon_farewell(struct policy_decision *decision)
{
    uint64_t kept =
        min_u64(add_saturated(decision->used_kib, decision->least_kib), decision->max_kib);
    uint64_t wanted = max_u64(decision->goal_kib, kept);
    if (apart(wanted, decision->from_kib) <= ARRIVED_KIB)
        return;
    if (decision->reason != POLICY_STARVING)
        decision->reason = POLICY_LEFT;
    decision->wish_kib = decision->ceiling_kib = wanted;
}

/* What it is to have in the end if the host has enough for all, and the reason for that. */
static void reckon_wish(struct policy_decision *decision, struct pressure pressure)
{
    uint64_t from = decision->from_kib;
    uint64_t min = decision->min_kib;
    uint64_t max = decision->max_kib;
    uint64_t headroom = decision->headroom_kib;
    uint64_t wanted = clamp(add_saturated(decision->needed_kib, headroom), min, max);
    uint64_t peak = pressure.is_hard ? decision->used_kib : decision->peak_kib;
    uint64_t kept = clamp(add_saturated(peak, headroom), min, max);
    uint64_t band = pressure.is_hard ? dead_band_kib(from) / PRESSED_BAND_DIVISOR
                                     : 2 * dead_band_kib(from) + decision->jitter_kib;

    if (wanted > from && (from < min || wanted - from > least_growth_kib(decision))) {
        if (decision->reason != POLICY_STARVING)
            decision->reason = POLICY_NEEDS;
        decision->ceiling_kib = wanted;
    } else if (from > kept && (from > max || from - kept > band)) {
        decision->reason = POLICY_SPARE;
        decision->ceiling_kib =
            max_u64(kept, min_u64(from, add_saturated(decision->used_kib, decision->least_kib)));
        if (from > max)
            decision->bound = POLICY_BOUND_MAX;
    } else if (subtract_to_zero(max, from) <= ARRIVED_KIB) {
        decision->bound = POLICY_BOUND_MAX;
    } else if (wanted > from) {
        decision->bound = POLICY_BOUND_DEAD_BAND;
    } else if (decision->overclaims) {
        decision->bound = POLICY_BOUND_UNTOUCHED;
    }
    decision->wish_kib = decision->ceiling_kib;
}

/* Page cache is used, but not needed: it is fed when all others have enough, and only so far. */
static void wish_for_cache(struct policy_decision *decision)
{
    uint64_t cache = subtract_to_zero(decision->used_kib, decision->claimed_kib);
    uint64_t all = add_saturated(decision->needed_kib + cache, decision->headroom_kib);
    /* A report of while the balloon moves may miss what the kernel does not count as free yet. */
    uint64_t lasting = min_u64(decision->claimed_kib, decision->former_kib);
    uint64_t most = add_saturated(CACHE_FACTOR * lasting, decision->headroom_kib);
    uint64_t wish = clamp(min_u64(all, most), decision->min_kib, decision->max_kib);
    if (decision->overclaims || cache == 0)
        return;
    bool is_worth_it =
        wish > decision->from_kib && wish - decision->from_kib > dead_band_kib(decision->from_kib);
    if (is_worth_it)
        decision->wish_kib = max_u64(wish, decision->wish_kib);
    if (decision->reason != POLICY_SETTLED || all <= decision->from_kib)
        return;
    if (is_worth_it)
        decision->reason = POLICY_CACHES;
    else if (most < all)
        decision->bound = POLICY_BOUND_CACHE;
}

/* What it gives to the last: all but R; nothing if it has no more than R. */
static uint64_t floor_kib(const struct policy_decision *decision, bool takes_cache,
                          uint64_t least_kib)
{
    uint64_t used = takes_cache ? decision->claimed_kib : decision->used_kib;
    uint64_t known = add_saturated(used, decision->doubt_kib);
    uint64_t kept = min_u64(decision->owed_kib, add_saturated(known, least_kib));
    return min_u64(decision->ceiling_kib, max_u64(decision->min_kib, kept));
}

/* ---- shares ---- */

/*
 * A domain's claim in units that add up: its shares by what its memory costs it, idle memory
 * costing IDLE_COST times as much as memory in use. Min-funding revocation takes from whoever pays
 * least per page, so that in the end all pay the same: S / (P * (f + k * (1 - f))) is equal for
 * all, and P in proportion to this. R is not idle: it is there to be unused.
 */
static uint64_t claim(const struct policy_decision *decision)
{
    uint64_t size = max_u64(decision->from_kib, 1);
    uint64_t active = add_saturated(decision->needed_kib, decision->least_kib);
    uint64_t used_permille = min_u64(active, size) * 1000 / size;
    uint64_t cost = used_permille + IDLE_COST * (1000 - used_permille);
    return decision->shares * IDLE_COST * 1000 / cost;
}

/*
 * Who asks for more than can be believed gets no more than its share until all others have what
 * they should: then the rest is poured. Claims that its emulator's size belies are not even kept
 * beyond that.
 */
static void bound_by_share(struct policy_decision *decision)
{
    if (decision->is_new || decision->has_swapped)
        return;
    uint64_t share = max_u64(decision->fair_kib, decision->min_kib);
    if (decision->overclaims && decision->from_kib > share) {
        uint64_t kept = max_u64(share, add_saturated(decision->needed_kib, decision->least_kib));
        decision->ceiling_kib = min_u64(decision->ceiling_kib, kept);
        decision->floor_kib = min_u64(decision->floor_kib, decision->ceiling_kib);
    } else if (decision->is_insatiable) {
        decision->ceiling_kib = min_u64(decision->ceiling_kib, max_u64(decision->from_kib, share));
    }
}

/* ---- the level ---- */

/* What LEVEL_KIB at the usual shares is to one of SHARES. */
static uint64_t weighed_kib(uint64_t level_kib, uint64_t shares)
{
    uint64_t product;
    return __builtin_mul_overflow(level_kib, shares, &product) ? UINT64_MAX
                                                               : product / POLICY_SHARES;
}

/*
 * How far above its bottom a vessel is filled at a level. First those that grow are given what they
 * will grow by, the one that grows most before the others, so that all would be left with the same;
 * from there on all rise together, by shares.
 */
static uint64_t filled_kib(const struct policy_decision *decision, uint64_t level_kib)
{
    uint64_t together = add_saturated(decision->wait_kib, decision->growth_kib);
    if (level_kib <= together)
        return subtract_to_zero(level_kib, decision->wait_kib);
    return add_saturated(decision->growth_kib, weighed_kib(level_kib - together, decision->shares));
}

/* What the next KiB of level fills at the least: by shares it may be one more. */
static uint64_t next_kib(const struct policy_decision *decision, uint64_t level_kib)
{
    if (level_kib < decision->wait_kib)
        return 0;
    return level_kib - decision->wait_kib < decision->growth_kib ? 1
                                                                 : decision->shares / POLICY_SHARES;
}

/* The level at which it is filled so far. */
static uint64_t level_of_kib(const struct policy_decision *decision, uint64_t filled_kib)
{
    uint64_t before = min_u64(filled_kib, decision->growth_kib);
    uint64_t after = multiply_divide(filled_kib - before, POLICY_SHARES, decision->shares);
    return add_saturated(add_saturated(decision->wait_kib, before),
                         after == 0 ? 0 : add_saturated(after, 1));
}

static uint64_t at_level(const struct policy_decision *decision, uint64_t level_kib)
{
    return clamp(add_saturated(decision->bottom_kib, filled_kib(decision, level_kib)),
                 decision->floor_kib, decision->ceiling_kib);
}

/* What all that are in play have together at a level, the shares of those whom a higher level would
 * give more, and what the next KiB of level gives them at the least. */
struct filling {
    uint64_t level_kib;
    uint64_t sum_kib;
    uint64_t rising_shares;
    uint64_t next_kib;
};

static void add_to_filling(struct filling *filling, const struct policy_decision *decision)
{
    uint64_t target = at_level(decision, filling->level_kib);
    filling->sum_kib = add_saturated(filling->sum_kib, target);
    if (target <= decision->floor_kib || target >= decision->ceiling_kib)
        return;
    filling->rising_shares += decision->shares;
    filling->next_kib +=
        min_u64(next_kib(decision, filling->level_kib), decision->ceiling_kib - target);
}

/* Of the decisions every STEPth, from the first on. */
static struct filling fill(const struct policy_decision *decisions, size_t count, size_t step,
                           uint64_t level_kib)
{
    struct filling filling = {.level_kib = level_kib};
    for (size_t i = 0; i < count; i += step)
        if (decisions[i].in_play)
            add_to_filling(&filling, &decisions[i]);
    return filling;
}

/* What they have together at the least and at the most. */
struct ends {
    struct filling empty; /* at level 0 */
    struct filling full;  /* at a level at which everyone has all that he would take */
    uint64_t floors_kib;  /* what all have at the least */
};

/* All zero to begin with. */
static void add_to_ends(struct ends *ends, const struct policy_decision *decision)
{
    uint64_t depth = subtract_to_zero(decision->ceiling_kib, decision->bottom_kib);
    ends->full.level_kib = max_u64(ends->full.level_kib, level_of_kib(decision, depth));
    ends->full.sum_kib = add_saturated(ends->full.sum_kib, decision->ceiling_kib);
    ends->floors_kib = add_saturated(ends->floors_kib, decision->floor_kib);
    add_to_filling(&ends->empty, decision);
}

/* Each has noted its claim; CLAIMS is what they come to. Returns the ends of what is left to be
 * poured. */
static struct ends bound_by_shares(struct policy_decision *decisions, size_t count, uint64_t claims,
                                   uint64_t budget_kib)
{
    struct ends ends = {0};
    for (size_t i = 0; i < count; i++) {
        struct policy_decision *decision = &decisions[i];
        if (!decision->in_play)
            continue;
        decision->fair_kib = multiply_divide(budget_kib, decision->fair_kib, claims);
        bound_by_share(decision);
        add_to_ends(&ends, decision);
    }
    return ends;
}

/* The level at which BUDGET_KIB would be used up if nobody reached a bound on the way there. */
static uint64_t straight_on_kib(struct filling from, uint64_t budget_kib)
{
    if (from.sum_kib <= budget_kib)
        return add_saturated(from.level_kib, multiply_divide(budget_kib - from.sum_kib,
                                                             POLICY_SHARES, from.rising_shares));
    uint64_t down = multiply_divide(from.sum_kib - budget_kib, POLICY_SHARES, from.rising_shares);
    return subtract_to_zero(from.level_kib, add_saturated(down, 1));
}

/* The middle of two levels by orders of magnitude: where memory is scarce the level is nearer to
 * nothing than to the deepest vessel. */
static uint64_t middle_kib(uint64_t low_kib, uint64_t high_kib)
{
    int low_bits = 64 - __builtin_clzll(low_kib | 1);
    int high_bits = 64 - __builtin_clzll(high_kib | 1);
    if (high_bits - low_bits > 2)
        return UINT64_C(1) << ((low_bits + high_bits) / 2);
    return low_kib + (high_kib - low_kib) / 2;
}

/*
 * The highest level from LOW's on, and below HIGH's, that BUDGET_KIB affords, or LOW's where it
 * affords none. The sum rises with the level in straight pieces: going straight on from the nearer
 * bound (Newton's method) finds the piece in a few steps; two that each leave more than half of the
 * way are followed by one to the middle, so that their number is at most about three times that of
 * the bits.
 */
static uint64_t search_level_kib(const struct policy_decision *decisions, size_t count, size_t step,
                                 struct filling low, struct filling high, uint64_t budget_kib)
{
    unsigned int slow_steps = 0;
    while (add_saturated(low.sum_kib, low.next_kib) <= budget_kib &&
           high.level_kib - low.level_kib > 1) {
        uint64_t way_kib = high.level_kib - low.level_kib;
        struct filling near = budget_kib - low.sum_kib < high.sum_kib - budget_kib ? low : high;
        uint64_t next = slow_steps == 2 || near.rising_shares == 0
                            ? middle_kib(low.level_kib, high.level_kib)
                            : straight_on_kib(near, budget_kib);
        struct filling guess =
            fill(decisions, count, step, clamp(next, low.level_kib + 1, high.level_kib - 1));
        if (guess.sum_kib > budget_kib)
            high = guess;
        else
            low = guess;
        bool was_slow = slow_steps < 2 && high.level_kib - low.level_kib > way_kib / 2;
        slow_steps = was_slow ? slow_steps + 1 : 0;
    }
    return low.level_kib;
}

/* The level at which some of them have as large a part of what they could have as all are to have.
 */
static uint64_t sampled_level_kib(const struct policy_decision *decisions, size_t count,
                                  const struct ends *all, uint64_t budget_kib)
{
    struct ends some = {0};
    for (size_t i = 0; i < count; i += SAMPLE_STEP)
        if (decisions[i].in_play)
            add_to_ends(&some, &decisions[i]);
    uint64_t part = multiply_divide(budget_kib - all->empty.sum_kib, SAMPLE_PARTS,
                                    all->full.sum_kib - all->empty.sum_kib);
    uint64_t way = subtract_to_zero(some.full.sum_kib, some.empty.sum_kib);
    uint64_t budget = add_saturated(some.empty.sum_kib, multiply_divide(way, part, SAMPLE_PARTS));
    return search_level_kib(decisions, count, SAMPLE_STEP, some.empty, some.full, budget);
}

/* The highest level that BUDGET_KIB affords, or 0 where it affords none. */
static uint64_t find_level_kib(const struct policy_decision *decisions, size_t count,
                               const struct ends *ends, uint64_t budget_kib)
{
    struct filling low = ends->empty;
    struct filling high = ends->full;
    if (high.sum_kib <= budget_kib)
        return high.level_kib;
    if (count >= SAMPLE_LEAST && low.sum_kib <= budget_kib) {
        struct filling guess =
            fill(decisions, count, 1, sampled_level_kib(decisions, count, ends, budget_kib));
        *(guess.sum_kib > budget_kib ? &high : &low) = guess;
    }
    return search_level_kib(decisions, count, 1, low, high, budget_kib);
}

/* What it needs and R, as far as it can have that. */
static uint64_t enough_kib(const struct policy_decision *decision)
{
    return min_u64(add_saturated(decision->needed_kib, decision->least_kib), decision->ceiling_kib);
}

/* What it uses now and half of R, likewise. */
static uint64_t half_enough_kib(const struct policy_decision *decision)
{
    return min_u64(add_saturated(decision->claimed_kib, decision->least_kib / 2),
                   decision->ceiling_kib);
}

/* What the targets come to. */
struct outcome {
    uint64_t level_kib;
    uint64_t short_kib;  /* what those are to get that have clearly less unused than others */
    bool someone_lacks;  /* R */
    bool someone_wishes; /* for more, if it can be had */
    bool is_overload;    /* who has less than its share has had next to nothing left for long, and
                            gets less than half of R */
};

/* What it is to get, if without that it would have a tenth less unused than others. */
static uint64_t short_kib(const struct policy_decision *decision)
{
    uint64_t gets = subtract_to_zero(decision->target_kib, decision->from_kib);
    uint64_t unused = subtract_to_zero(decision->target_kib, decision->needed_kib);
    return gets > max_u64(unused / FAIR_DIVISOR, ARRIVED_KIB) ? gets : 0;
}

static void add_to_outcome(struct outcome *outcome, const struct policy_decision *decision)
{
    uint64_t target = decision->target_kib;
    outcome->short_kib = add_saturated(outcome->short_kib, short_kib(decision));
    outcome->someone_lacks = outcome->someone_lacks || target < enough_kib(decision);
    outcome->someone_wishes = outcome->someone_wishes || target < decision->wish_kib;
    outcome->is_overload =
        outcome->is_overload || (decision->is_famished && decision->from_kib < decision->fair_kib &&
                                 target < half_enough_kib(decision));
}

/*
 * Pours BUDGET_KIB over all that are in play, ENDS being theirs: sets their targets to the highest
 * common level that the budget affords, or to their floors, at level 0, where it affords none.
 */
static struct outcome pour(struct policy_decision *decisions, size_t count, const struct ends *ends,
                           uint64_t budget_kib)
{
    struct outcome outcome = {.level_kib = find_level_kib(decisions, count, ends, budget_kib)};
    for (size_t i = 0; i < count; i++) {
        if (!decisions[i].in_play)
            continue;
        decisions[i].target_kib = at_level(&decisions[i], outcome.level_kib);
        add_to_outcome(&outcome, &decisions[i]);
    }
    return outcome;
}

/* Has SET_RANGE change the range of each, and pours again: no less than they had to keep before, as
 * nobody gives for the host's sake. ENDS are brought up to date. */
static struct outcome pour_again(struct policy_decision *decisions, size_t count,
                                 void (*set_range)(struct policy_decision *decision),
                                 struct ends *ends, uint64_t budget_kib)
{
    uint64_t kept_together = ends->floors_kib;
    *ends = (struct ends){0};
    for (size_t i = 0; i < count; i++) {
        if (!decisions[i].in_play)
            continue;
        set_range(&decisions[i]);
        add_to_ends(ends, &decisions[i]);
    }
    return pour(decisions, count, ends, max_u64(kept_together, budget_kib));
}

/* What is left when all have enough goes to those who would take more. */
static void range_above_enough(struct policy_decision *decision)
{
    decision->floor_kib = decision->target_kib;
    decision->ceiling_kib = max_u64(decision->wish_kib, decision->target_kib);
}

/* Only what it uses now counts, whatever may come, and it is not to have more than R. */
static void count_present_use(struct policy_decision *decision)
{
    uint64_t enough = add_saturated(decision->claimed_kib, decision->least_kib);
    if (!decision->overclaims)
        decision->bottom_kib = min_u64(decision->claimed_kib, decision->from_kib);
    decision->wait_kib += decision->growth_kib;
    decision->growth_kib = 0;
    decision->ceiling_kib = max_u64(decision->floor_kib, min_u64(decision->ceiling_kib, enough));
}

/* What it has beyond its share is anybody's. */
static void yield_to_shares(struct policy_decision *decision)
{
    uint64_t share = max_u64(decision->fair_kib, decision->min_kib);
    if (decision->from_kib <= share)
        return;
    decision->floor_kib = min_u64(decision->floor_kib, share);
    decision->bottom_kib = subtract_to_zero(share, decision->least_kib);
}

/*
 * Not everyone can have R of what the budget is. Nobody is brought below it for the host's sake;
 * but what is unused below it is balanced too: who has more gives to who has less, page cache
 * first, and keeps at least half of R against surprises, after what it grows by; all of R if it has
 * swapped. Who is insatiable gives what it has beyond its share.
 */
static void range_below_headroom(struct policy_decision *decision)
{
    uint64_t least = decision->has_swapped ? decision->least_kib : decision->least_kib / 2;
    uint64_t kept = add_saturated(least, decision->growth_kib);
    count_present_use(decision);
    if (decision->overclaims)
        decision->ceiling_kib =
            min_u64(decision->ceiling_kib, max_u64(decision->floor_kib, decision->from_kib));
    if (decision->is_new)
        return;
    decision->floor_kib = min_u64(decision->floor_kib, floor_kib(decision, true, kept));
    if (decision->is_insatiable)
        yield_to_shares(decision);
}

/*
 * More is used than there is: shares say who yields, until the others have R. Memory in use is
 * taken only from who has shown that it can swap; another would be killed.
 */
static void range_in_overload(struct policy_decision *decision)
{
    if (decision->can_swap)
        yield_to_shares(decision);
}

/* ---- the host ---- */

static bool is_below(uint64_t available_kib, uint64_t mark_kib, bool was_below)
{
    return available_kib < (was_below ? mark_kib : mark_kib - mark_kib / SLACK_DIVISOR);
}

static enum policy_host_state host_state(const struct policy_config *config,
                                         const struct host *host, enum policy_host_state before)
{
    const uint64_t marks_kib[] = {
        [POLICY_HOST_SOFT] = config->host_reserve_kib,
        [POLICY_HOST_HARD] = multiply_divide(config->host_reserve_kib, HARD_PERCENT, 100),
        [POLICY_HOST_LOW] = multiply_divide(config->host_reserve_kib, LOW_PERCENT, 100),
    };
    enum policy_host_state state = POLICY_HOST_LOW;
    while (state > POLICY_HOST_HIGH &&
           !is_below(host->available_kib, marks_kib[state], before >= state))
        state--;
    return state;
}

/* What is available may be wrong by what the kernel cannot give back after all; who waits for it
 * knows. */
static void look_at_pressure(const struct policy_config *config, const struct host *host,
                             uint64_t now_usec, struct policy_host *memory)
{
    uint64_t near_kib = max_u64(multiply_divide(config->host_reserve_kib, PRESSED_RESERVES, 1),
                                host->total_kib / PRESSED_DIVISOR);
    uint64_t mark = memory->is_pressed ? RELIEVED_PERMYRIAD : PRESSED_PERMYRIAD;
    bool shows = host->full_permyriad.known && host->full_permyriad.value >= mark &&
                 host->available_kib < near_kib;
    if (!shows)
        memory->pressed_usec = 0;
    else if (memory->pressed_usec == 0)
        memory->pressed_usec = max_u64(now_usec, 1);
    memory->is_pressed =
        shows &&
        (memory->is_pressed || subtract_to_zero(now_usec, memory->pressed_usec) >= PRESSED_USEC);
}

/* The state by what is available, and one worse under pressure. */
static void look_at_host(const struct policy_config *config, const struct snapshot *snapshot,
                         struct policy_host *host)
{
    enum policy_host_state before = host->state;
    if (host->is_pressed && before > POLICY_HOST_HIGH && before < POLICY_HOST_LOW)
        before--;
    enum policy_host_state state = host_state(config, &snapshot->host, before);
    look_at_pressure(config, &snapshot->host, snapshot->now_usec, host);
    if (host->is_pressed && state != POLICY_HOST_LOW)
        state++;
    host->state = state;
}

/* What all domains come to together. */
struct totals {
    uint64_t rss_kib;      /* what their emulators hold now */
    uint64_t promised_kib; /* what they may take at any moment, overheads included */
    uint64_t fixed_kib;    /* the part of that which is not to be shared out */
    uint64_t lacking_kib;  /* what those in play need more */
    uint64_t most_growth_kib;
    bool someone_starves;     /* and could have more */
    bool someone_will_starve; /* or does, likewise */
    bool shares_matter;
};

/* What all guests together may have, overheads and those that are to start included. */
static uint64_t whole_pool_kib(const struct policy_config *config, const struct host *host,
                               const struct totals *totals)
{
    uint64_t pool = add_saturated(host->available_kib, totals->rss_kib);
    /* Pages that are merged are held more than once. */
    if (host->total_kib != 0)
        pool = min_u64(pool, host->total_kib);
    return subtract_to_zero(pool, config->host_reserve_kib);
}

/* What of that is promised to nobody, and physically there. */
static uint64_t free_kib(const struct policy_config *config, const struct host *host,
                         const struct totals *totals)
{
    return min_u64(subtract_to_zero(whole_pool_kib(config, host, totals), totals->promised_kib),
                   subtract_to_zero(host->available_kib, config->host_reserve_kib));
}

/* What it needs more than it has, or has been promised; what it has not given yet it still has. */
static uint64_t lacking_kib(const struct policy_decision *decision)
{
    uint64_t right =
        min_u64(add_saturated(decision->needed_kib, decision->headroom_kib), decision->max_kib);
    return subtract_to_zero(right, max_u64(decision->from_kib, decision->owed_kib));
}

static void add_to_totals(struct totals *totals, const struct policy_decision *decision)
{
    uint64_t promised = add_saturated(decision->owed_kib, decision->overhead_kib);
    totals->rss_kib = add_saturated(totals->rss_kib, decision->rss_kib);
    totals->promised_kib = add_saturated(totals->promised_kib, promised);
    totals->fixed_kib =
        add_saturated(totals->fixed_kib, decision->in_play ? decision->overhead_kib : promised);
    if (!decision->in_play)
        return;
    uint64_t lacking = lacking_kib(decision);
    totals->lacking_kib = add_saturated(totals->lacking_kib, lacking);
    totals->most_growth_kib = max_u64(totals->most_growth_kib, decision->growth_kib);
    uint64_t soon_kib = subtract_to_zero(decision->unused_kib, decision->growth_kib);
    totals->someone_starves =
        totals->someone_starves || (decision->reason == POLICY_STARVING && lacking > ARRIVED_KIB);
    totals->someone_will_starve =
        totals->someone_will_starve || (soon_kib < decision->least_kib && lacking > ARRIVED_KIB);
    totals->shares_matter = totals->shares_matter || decision->overclaims ||
                            decision->is_insatiable || decision->is_famished;
}

/* ---- from the targets of the end to those of this cycle ---- */

static void hold(struct policy_decision *decision, enum policy_bound bound)
{
    decision->action = POLICY_HOLD;
    decision->target_kib = decision->from_kib;
    if (bound != POLICY_UNBOUND)
        decision->bound = bound;
}

static void limit_shrink(struct policy_decision *decision, const struct policy_config *config)
{
    uint64_t step =
        multiply_divide(decision->from_kib, GRADUAL_NUMERATOR,
                        (uint64_t)GRADUAL_DENOMINATOR * steps_per_window(config->interval_usec));
    if (decision->is_settling) {
        hold(decision, POLICY_BOUND_IN_FLIGHT);
    } else if (decision->has_just_given) {
        hold(decision, POLICY_BOUND_GRADUAL);
    } else if (decision->from_kib - decision->target_kib > step) {
        decision->target_kib = decision->from_kib - step;
        decision->bound = POLICY_BOUND_GRADUAL;
    }
}

/* Why it does not get all that it would take. */
static enum policy_bound bound_of_growth(const struct policy_decision *decision)
{
    return decision->is_insatiable && decision->target_kib >= decision->fair_kib
               ? POLICY_BOUND_SHARE
               : POLICY_BOUND_POOL;
}

/* What one gives to another is worth a call whatever part of its size that is; in need small bits
 * are worth one too. */
static uint64_t least_shrink_kib(const struct policy_decision *decision, struct pressure pressure)
{
    if (decision->from_kib > decision->max_kib)
        return 0;
    if (decision->reason == POLICY_LEFT)
        return ARRIVED_KIB;
    uint64_t band =
        decision->reason == POLICY_SPARE ? dead_band_kib(decision->from_kib) : DEAD_BAND_KIB;
    return min_u64(band / (pressure.is_hard ? PRESSED_BAND_DIVISOR : 1), pressure.small_bit_kib);
}

/* Turns the target of the end into a shrink, a wish to grow (in play for what is unpromised) or a
 * hold. */
static void choose_action(struct policy_decision *decision, const struct policy_config *config,
                          struct pressure pressure)
{
    uint64_t from = decision->from_kib;
    uint64_t target = decision->target_kib;
    uint64_t least_move = least_shrink_kib(decision, pressure);
    decision->in_play = false;
    if (target > from) {
        decision->action = POLICY_GROW;
        decision->in_play = true;
        if (target == decision->max_kib)
            decision->bound = POLICY_BOUND_MAX;
        else if (target < decision->ceiling_kib)
            decision->bound = bound_of_growth(decision);
        decision->floor_kib = min_u64(target, decision->owed_kib);
        decision->ceiling_kib = target;
    } else if (from - target > least_move) {
        decision->action = POLICY_SHRINK;
        if (decision->reason != POLICY_SPARE && decision->reason != POLICY_LEFT)
            decision->reason = POLICY_DONATES;
        if (target == decision->min_kib)
            decision->bound = POLICY_BOUND_MIN;
        limit_shrink(decision, config);
    } else {
        hold(decision, decision->ceiling_kib > from ? bound_of_growth(decision) : POLICY_UNBOUND);
    }
}

/* Drops a growth that what is unpromised has made too small, or too small for its minimum. */
static void settle_growth(struct policy_decision *decision)
{
    uint64_t from = decision->from_kib;
    uint64_t gained = subtract_to_zero(decision->target_kib, from);
    if (decision->target_kib < decision->ceiling_kib)
        decision->bound = bound_of_growth(decision);
    bool is_too_little = gained <= least_growth_kib(decision) && from >= decision->min_kib;
    bool is_below_min = decision->target_kib < decision->min_kib;
    if (gained == 0 || is_too_little || (is_below_min && decision->reason != POLICY_STARVING))
        hold(decision, decision->bound);
}

/* A balloon found stuck is asked for the size it has: it is not to move on its own one day, and
 * nobody is to wait for it. It is left to move a little, by which it shows that it can again. */
static void withdraw(struct policy_decision *decision, const struct policy_memory *memory)
{
    uint64_t size = decision->from_kib;
    if (!memory->has_asked || apart(memory->asked_kib, size) <= ARRIVED_KIB)
        return;
    bool grows = memory->asked_kib > size;
    decision->action = grows ? POLICY_SHRINK : POLICY_GROW; /* less of either than before */
    decision->target_kib = grows ? size + ARRIVED_KIB : subtract_to_zero(size, ARRIVED_KIB);
}

/* Takes everyone in. */
static struct totals look_at_all(const struct policy_config *config,
                                 const struct snapshot *snapshot,
                                 const struct policy_limits *limits, struct policy_memory *memory,
                                 struct policy_decision *decisions)
{
    struct totals totals = {0};
    for (size_t i = 0; i < snapshot->count; i++) {
        const struct domain *domain = &snapshot->domains[i];
        struct policy_decision *decision = &decisions[i];
        prefetch_ahead(snapshot->domains, sizeof(*domain), offsetof(struct domain, settings), i,
                       snapshot->count);
        prefetch_ahead(memory, sizeof(*memory), sizeof(*memory), i, snapshot->count);
        memset(decision, 0, sizeof(*decision));
        decision->reason = learn(&memory[i], config, &limits[i], domain, snapshot);
        reckon_debt(decision, domain, &memory[i], snapshot->now_usec);
        if (decision->reason == POLICY_STUCK)
            withdraw(decision, &memory[i]);
        if (!policy_is_held(decision->reason)) {
            reckon_needs(decision, config, &limits[i], domain, &memory[i], snapshot->now_usec);
            /* What is taken from one could not be given back where the host is silent. */
            decision->in_play = snapshot->host.has_memory;
            if (!decision->in_play)
                hold(decision, POLICY_BOUND_HOST);
        }
        add_to_totals(&totals, decision);
    }
    return totals;
}

/* What COUNT guests may each keep of what is missing, so that it is less than half of it together;
 * UINT64_MAX where nothing is. */
static uint64_t bit_of_kib(uint64_t missing_kib, size_t count)
{
    return missing_kib > 0 ? missing_kib / 2 / max_u64(count, 1) : UINT64_MAX;
}

/* Someone has less than R, and what is free is not enough for all who need more; or the host itself
 * is pressed. Who is to start is waited for as one that starves, and cannot start before he has all
 * of it. */
static struct pressure pressure_on(const struct policy_host *host, const struct totals *totals,
                                   uint64_t spare_kib, size_t count)
{
    bool someone_wants = totals->someone_starves && totals->lacking_kib > spare_kib;
    return (struct pressure){
        .small_bit_kib = bit_of_kib(host->unmet_kib, count),
        .is_felt =
            totals->someone_will_starve || host->unmet_kib > 0 || host->state != POLICY_HOST_HIGH,
        .is_hard = someone_wants || host->unmet_kib > 0 || host->state >= POLICY_HOST_HARD,
        .host_is_low = host->state >= POLICY_HOST_LOW,
        .lacking_kib =
            add_saturated(subtract_to_zero(totals->lacking_kib, spare_kib), host->unmet_kib),
    };
}

/* Page cache is the guest's to give where the host is low, or others need what it has not. */
static bool gives_cache(const struct policy_decision *decision, struct pressure pressure)
{
    uint64_t own_kib = add_saturated(lacking_kib(decision), DEAD_BAND_KIB);
    return pressure.host_is_low || pressure.lacking_kib > own_kib;
}

/* What is not taken from it, whoever needs it: all it has before it was seen at rest, and while it
 * swaps in, as nobody knows how much is still to come; its headroom for a while after that. */
static uint64_t spared_kib(const struct policy_decision *decision, struct pressure pressure)
{
    if (decision->is_new)
        return decision->from_kib;
    if (pressure.host_is_low || !decision->has_swapped)
        return 0;
    if (decision->swaps_now)
        return decision->from_kib;
    return min_u64(decision->from_kib, add_saturated(decision->used_kib, decision->headroom_kib));
}

/* From where the level counts. A fall that is no noise is believed when a second report shows it,
 * unless memory is needed at once: use that goes up and down would have others breathe with it, who
 * are to have what it frees and give it back when it rises. */
static uint64_t bottom_kib(const struct policy_decision *decision, struct pressure pressure)
{
    bool has_fallen = decision->former_kib > add_saturated(decision->needed_kib, JITTER_MOST_KIB);
    uint64_t needed = has_fallen && !pressure.is_felt ? decision->former_kib : decision->needed_kib;
    /* A report can say more is used than there is, when it is behind a shrink. */
    return min_u64(needed, decision->from_kib);
}

/* The range in which its target is to be sought. */
static void set_range(struct policy_decision *decision, struct pressure pressure,
                      uint64_t most_growth_kib)
{
    decision->bottom_kib = bottom_kib(decision, pressure);
    decision->wait_kib = most_growth_kib - decision->growth_kib;
    if (decision->goal_kib != 0) {
        reckon_farewell(decision);
    } else {
        reckon_wish(decision, pressure);
        wish_for_cache(decision);
    }
    bool is_to_give = decision->ceiling_kib < decision->from_kib;
    if (is_to_give && decision->is_new)
        decision->bound = POLICY_BOUND_GRACE;
    else if (is_to_give && decision->swaps_now)
        decision->bound = POLICY_BOUND_SWAPPING;
    decision->floor_kib = floor_kib(decision, gives_cache(decision, pressure), decision->least_kib);
    decision->floor_kib = max_u64(decision->floor_kib, spared_kib(decision, pressure));
    decision->ceiling_kib = max_u64(decision->ceiling_kib, decision->floor_kib);
}

/* Where RET_CLAIMS is not NULL, each notes what it claims, too, and that is what they come to. */
static struct ends set_ranges(struct policy_decision *decisions, size_t count,
                              struct pressure pressure, uint64_t most_growth_kib,
                              uint64_t *ret_claims)
{
    struct ends ends = {0};
    uint64_t claims = 0;
    for (size_t i = 0; i < count; i++) {
        prefetch_ahead(decisions, sizeof(*decisions), sizeof(*decisions), i, count);
        if (!decisions[i].in_play)
            continue;
        set_range(&decisions[i], pressure, most_growth_kib);
        add_to_ends(&ends, &decisions[i]);
        if (ret_claims == NULL)
            continue;
        decisions[i].fair_kib = claim(&decisions[i]);
        claims = add_saturated(claims, decisions[i].fair_kib);
    }
    if (ret_claims != NULL)
        *ret_claims = claims;
    return ends;
}

/* The targets of the end, when everything asked for has arrived. Returns what they come to, with
 * the level that the pool affords. */
static struct outcome decide_ends(struct policy_decision *decisions, size_t count,
                                  struct ends *ends, uint64_t budget_kib,
                                  enum policy_host_state state)
{
    struct outcome outcome = pour(decisions, count, ends, budget_kib);
    uint64_t level = outcome.level_kib;
    if (!outcome.someone_lacks && outcome.someone_wishes) {
        outcome = pour_again(decisions, count, range_above_enough, ends, budget_kib);
    } else if (outcome.someone_lacks &&
               state == POLICY_HOST_HIGH) { /* what they give can be handed on */
        outcome = pour_again(decisions, count, range_below_headroom, ends, budget_kib);
        if (outcome.is_overload)
            outcome = pour_again(decisions, count, range_in_overload, ends, budget_kib);
    }
    outcome.level_kib = level;
    return outcome;
}

static void grant(struct policy_decision *decision, uint64_t level_kib)
{
    decision->target_kib = at_level(decision, level_kib);
    settle_growth(decision);
}

/* Returns between what levels those are that are to grow; where nothing IS_SPARE, they do not. */
static struct ends choose_actions(struct policy_decision *decisions, size_t count,
                                  const struct policy_config *config, struct pressure pressure,
                                  bool is_spare)
{
    struct ends ends = {0};
    for (size_t i = 0; i < count; i++) {
        prefetch_ahead(decisions, sizeof(*decisions), sizeof(*decisions), i, count);
        if (!decisions[i].in_play)
            continue;
        choose_action(&decisions[i], config, pressure);
        if (decisions[i].in_play && is_spare)
            add_to_ends(&ends, &decisions[i]);
        else if (decisions[i].in_play)
            grant(&decisions[i], 0);
    }
    return ends;
}

static void grant_growth(struct policy_decision *decisions, size_t count, const struct ends *ends,
                         uint64_t budget_kib)
{
    uint64_t level =
        find_level_kib(decisions, count, ends, add_saturated(budget_kib, ends->floors_kib));
    for (size_t i = 0; i < count; i++)
        if (decisions[i].in_play)
            grant(&decisions[i], level);
}

void policy_decide(const struct policy_config *config, const struct snapshot *snapshot,
                   const struct policy_limits *limits, struct policy_host *host,
                   struct policy_memory *memory, struct policy_decision *decisions)
{
    size_t count = snapshot->count;
    struct totals totals = look_at_all(config, snapshot, limits, memory, decisions);
    if (!snapshot->host.has_memory)
        return;
    look_at_host(config, snapshot, host);
    uint64_t reserved = snapshot->host.reserved_kib;
    uint64_t free = free_kib(config, &snapshot->host, &totals);
    host->pool_kib = subtract_to_zero(whole_pool_kib(config, &snapshot->host, &totals), reserved);
    host->unmet_kib = subtract_to_zero(reserved, free);
    uint64_t budget = subtract_to_zero(host->pool_kib, totals.fixed_kib);
    uint64_t spare = host->state == POLICY_HOST_HIGH ? subtract_to_zero(free, reserved) : 0;
    struct pressure pressure = pressure_on(host, &totals, spare, count);
    uint64_t claims;
    struct ends ends = set_ranges(decisions, count, pressure, totals.most_growth_kib,
                                  totals.shares_matter ? &claims : NULL);
    if (totals.shares_matter)
        ends = bound_by_shares(decisions, count, claims, budget);
    struct outcome outcome = decide_ends(decisions, count, &ends, budget, host->state);
    host->level_kib = subtract_to_zero(outcome.level_kib, totals.most_growth_kib);
    pressure.small_bit_kib = min_u64(pressure.small_bit_kib,
                                     bit_of_kib(subtract_to_zero(outcome.short_kib, spare), count));
    ends = choose_actions(decisions, count, config, pressure, spare > 0);
    if (spare > 0)
        grant_growth(decisions, count, &ends, spare);
}

void policy_asked(struct policy_memory *memory, const struct policy_decision *decision,
                  uint64_t now_usec)
{
    /* A balloon that is asked again and again has no longer to show that it moves. */
    if (!is_in_flight(memory, memory->actual_kib, now_usec))
        memory->moved_usec = now_usec;
    memory->has_asked = true;
    memory->asked_kib = decision->target_kib;
    memory->asked_usec = now_usec;
    if (decision->target_kib < memory->actual_kib) {
        memory->has_shrunk = true;
        memory->shrunk_usec = now_usec;
    }
}

unsigned int policy_report_period_sec(uint64_t interval_usec)
{
    return (unsigned int)clamp(interval_usec / (10 * (uint64_t)USEC_PER_SEC), 1, 10);
}
