/* guest.c - one simulated guest; see guest.h for what it models. */
#include "guest.h"

#include "arithmetic.h"
#include "splitmix.h"

#include <string.h>

enum {
    KIB_PER_MIB = 1024,
    USEC_PER_SEC = 1000000,
    PAGE_KIB = 4,

    /* How fast page cache fills from disk, pages go to swap, and come back from it. */
    CACHE_KIB_PER_SEC = 200 * KIB_PER_MIB,
    SWAP_OUT_KIB_PER_SEC = 100 * KIB_PER_MIB,
    SWAP_IN_KIB_PER_SEC = 100 * KIB_PER_MIB,
    /* Where nothing is free, swapped pages are fetched only for others to go. */
    THRASH_KIB_PER_SEC = 8 * KIB_PER_MIB,
    /* Page cache that was taken and is wanted again: one fault reads so much ahead. */
    READ_AHEAD_KIB = 32,

    /* The kernel keeps max(8 MiB, 1 %) free of page cache; the balloon leaves 4 MiB. */
    WATERMARK_KIB = 8 * KIB_PER_MIB,
    WATERMARK_DIVISOR = 100,
    LEFT_FREE_KIB = 4 * KIB_PER_MIB,

    /* Who lies that all is unused admits so much. */
    ADMITTED_KIB = 64 * KIB_PER_MIB,
};

enum garbage {
    GARBAGE_UNUSED_ABOVE_AVAILABLE,
    GARBAGE_ALL_ONES,
    GARBAGE_AVAILABLE_ABOVE_MAX,
    GARBAGE_NO_ACTUAL,
    GARBAGE_KINDS,
};

static uint64_t per_step(uint64_t kib_per_sec)
{
    return kib_per_sec * (SIM_STEP_USEC / 1000) / (USEC_PER_SEC / 1000);
}

/* ---- memory ---- */

static uint64_t watermark_kib(const struct sim_guest *truth)
{
    return max_u64(WATERMARK_KIB, truth->size_kib / WATERMARK_DIVISOR);
}

/* Takes up to KIB of page cache; all of it is still wanted. Returns what it got. */
static uint64_t reclaim_cache(struct sim_guest *truth, uint64_t kib)
{
    uint64_t taken = min_u64(kib, truth->cache_kib);
    truth->cache_kib -= taken;
    truth->major_faults += taken / READ_AHEAD_KIB;
    return taken;
}

/* Pushes up to KIB of what programs use to swap. Returns what it got. */
static uint64_t swap_out(struct sim_guest *truth, uint64_t kib)
{
    uint64_t room = subtract_to_zero(truth->plan->swap_kib, truth->swapped_kib);
    uint64_t held = subtract_to_zero(truth->used_kib, truth->plan->unseen_kib);
    uint64_t pushed = min_u64(kib, min_u64(room, held));
    truth->used_kib -= pushed;
    truth->swapped_kib += pushed;
    return pushed;
}

static void fetch(struct sim_guest *truth, uint64_t kib)
{
    truth->swap_in_kib += kib;
    truth->major_faults += kib / PAGE_KIB;
}

/* What is in swap comes back when there is room; where there is none, pages only change places. */
static void swap_in(struct sim_guest *truth)
{
    uint64_t room = subtract_to_zero(sim_unused_kib(truth), watermark_kib(truth));
    uint64_t fetched = min_u64(truth->swapped_kib, min_u64(room, per_step(SWAP_IN_KIB_PER_SEC)));
    truth->swapped_kib -= fetched;
    truth->used_kib += fetched;
    uint64_t thrashed =
        fetched == 0 ? min_u64(truth->swapped_kib, per_step(THRASH_KIB_PER_SEC)) : 0;
    fetch(truth, fetched + thrashed);
}

/* What its programs and kernel want now. A program that was killed is gone until its time is over.
 */
static uint64_t wanted_kib(struct guest *guest, uint64_t now_usec)
{
    const struct sim_guest_plan *plan = guest->truth->plan;
    uint64_t wanted = sim_series_at(&plan->use, now_usec);
    if (wanted <= guest->base_kib)
        guest->has_lost_programs = false;
    if (guest->has_lost_programs)
        wanted = guest->base_kib;
    return max_u64(wanted, plan->unseen_kib);
}

static void release(struct sim_guest *truth, uint64_t wanted)
{
    uint64_t held = truth->used_kib + truth->swapped_kib;
    double part = (double)wanted / (double)held;
    truth->swapped_kib = (uint64_t)((double)truth->swapped_kib * part);
    truth->used_kib = wanted - truth->swapped_kib;
}

/* Takes KIB more for programs; what does not fit is in swap, whichever pages go there. Returns what
 * could not be had. */
static uint64_t take(struct sim_guest *truth, uint64_t kib)
{
    uint64_t rest = kib - min_u64(kib, sim_unused_kib(truth));
    rest -= reclaim_cache(truth, rest);
    truth->used_kib += kib - rest;
    uint64_t swapped = min_u64(rest, subtract_to_zero(truth->plan->swap_kib, truth->swapped_kib));
    truth->swapped_kib += swapped;
    return rest - swapped;
}

static void lose_programs(struct guest *guest, uint64_t now_usec)
{
    struct sim_guest *truth = guest->truth;
    guest->has_lost_programs = true;
    truth->kills++;
    uint64_t wanted = wanted_kib(guest, now_usec);
    if (wanted < truth->used_kib + truth->swapped_kib)
        release(truth, wanted);
}

static void follow_demand(struct guest *guest, uint64_t now_usec)
{
    struct sim_guest *truth = guest->truth;
    uint64_t wanted = wanted_kib(guest, now_usec);
    uint64_t held = truth->used_kib + truth->swapped_kib;
    if (wanted < held)
        release(truth, wanted);
    /* Without programs there is nothing to kill. */
    bool is_short = wanted > held && take(truth, wanted - held) > 0;
    if (is_short && wanted > guest->base_kib)
        lose_programs(guest, now_usec);
    truth->wanted_kib = wanted_kib(guest, now_usec);
    if (truth->swapped_kib > 0)
        swap_in(truth);
}

static void follow_cache(struct sim_guest *truth, uint64_t now_usec)
{
    uint64_t wanted = sim_series_at(&truth->plan->cache, now_usec);
    uint64_t room = subtract_to_zero(sim_unused_kib(truth), watermark_kib(truth));
    uint64_t more = min_u64(room, per_step(CACHE_KIB_PER_SEC));
    truth->cache_kib = min_u64(wanted, truth->cache_kib + more);
}

static void touch(struct sim_guest *truth)
{
    truth->touched_kib = max_u64(truth->touched_kib, truth->used_kib + truth->cache_kib);
    truth->touched_kib = min_u64(truth->touched_kib, truth->size_kib);
}

/* ---- balloon ---- */

static void set_goal(struct guest *guest, uint64_t target_kib)
{
    const struct sim_guest *truth = guest->truth;
    const struct sim_guest_plan *plan = truth->plan;
    uint64_t short_kib = random_between(&guest->random, 0, plan->inexact_kib);
    uint64_t size = truth->size_kib;
    if (target_kib < size)
        guest->goal_kib = min_u64(size, max_u64(target_kib + short_kib, plan->limit_kib));
    else
        guest->goal_kib = max_u64(size, subtract_to_zero(target_kib, short_kib));
    guest->goal_kib = min_u64(guest->goal_kib, plan->max_kib);
}

static void heed_requests(struct guest *guest, uint64_t now_usec)
{
    while (guest->request_count > 0 && guest->requests[0].heeded_usec <= now_usec) {
        set_goal(guest, guest->requests[0].target_kib);
        guest->request_count--;
        memmove(&guest->requests[0], &guest->requests[1],
                guest->request_count * sizeof(guest->requests[0]));
    }
}

/* Takes up to KIB out of the guest's memory. Returns what it got. */
static uint64_t inflate(struct sim_guest *truth, uint64_t kib)
{
    uint64_t got = min_u64(kib, subtract_to_zero(sim_unused_kib(truth), LEFT_FREE_KIB));
    got += reclaim_cache(truth, kib - got);
    got += swap_out(truth, min_u64(kib - got, per_step(SWAP_OUT_KIB_PER_SEC)));
    return got;
}

static void move_balloon(struct guest *guest)
{
    struct sim_guest *truth = guest->truth;
    uint64_t most = per_step(truth->plan->rate_kib_per_sec);
    if (guest->goal_kib > truth->size_kib)
        truth->size_kib += min_u64(most, guest->goal_kib - truth->size_kib);
    else if (guest->goal_kib < truth->size_kib)
        truth->size_kib -= inflate(truth, min_u64(most, truth->size_kib - guest->goal_kib));
}

void guest_ask(struct guest *guest, uint64_t now_usec, uint64_t target_kib)
{
    struct sim_guest *truth = guest->truth;
    truth->target_kib = target_kib;
    truth->asked_usec = now_usec;
    if (guest->request_count == GUEST_REQUESTS)
        guest->request_count--; /* the one asked last is overtaken */
    guest->requests[guest->request_count++] = (struct guest_request){
        .heeded_usec = now_usec + truth->plan->latency_usec,
        .target_kib = target_kib,
    };
}

/* ---- statistics ---- */

static void add_noise(struct guest *guest, struct guest_report *report)
{
    uint64_t noise = guest->truth->plan->noise_kib;
    if (noise == 0)
        return;
    uint64_t wrong = random_between(&guest->random, 0, 2 * noise);
    uint64_t most = report->available_kib;
    report->unused_kib = min_u64(most, subtract_to_zero(report->unused_kib + wrong, noise));
    report->usable_kib = min_u64(most, subtract_to_zero(report->usable_kib + wrong, noise));
}

static void make_garbage(struct guest *guest, struct guest_report *report)
{
    switch ((enum garbage)(guest->garbage++ % GARBAGE_KINDS)) {
    case GARBAGE_UNUSED_ABOVE_AVAILABLE:
        report->unused_kib = report->available_kib + 1;
        break;
    case GARBAGE_ALL_ONES:
        report->unused_kib = UINT64_MAX;
        report->available_kib = UINT64_MAX;
        break;
    case GARBAGE_AVAILABLE_ABOVE_MAX:
        report->available_kib = guest->truth->plan->max_kib * 2;
        break;
    case GARBAGE_NO_ACTUAL:
    case GARBAGE_KINDS:
        report->is_actual_garbage = true;
        break;
    }
}

static void tell_lies(struct guest *guest, uint64_t now_usec, struct guest_report *report)
{
    const struct sim_guest_plan *plan = guest->truth->plan;
    if (sim_spells_hold(&plan->garbage, now_usec))
        make_garbage(guest, report);
    if (sim_spells_hold(&plan->claims_none, now_usec))
        report->unused_kib = report->usable_kib = 0;
    if (sim_spells_hold(&plan->claims_all, now_usec))
        report->unused_kib = report->usable_kib =
            subtract_to_zero(report->available_kib, ADMITTED_KIB);
}

static struct guest_report make_report(struct guest *guest, uint64_t now_usec)
{
    const struct sim_guest *truth = guest->truth;
    const struct sim_guest_plan *plan = truth->plan;
    uint64_t seen_of = plan->counts_balloon ? plan->max_kib : truth->size_kib;
    struct guest_report report = {
        .made_usec = now_usec,
        .has_figures = true,
        .unused_kib = sim_unused_kib(truth),
        .available_kib = subtract_to_zero(seen_of, plan->unseen_kib),
        .usable_kib = sim_usable_kib(truth),
        .swap_in_kib = truth->swap_in_kib,
        .major_faults = truth->major_faults,
        .true_used_kib = truth->used_kib,
        .true_unused_kib = sim_unused_kib(truth),
        .true_usable_kib = sim_usable_kib(truth),
    };
    add_noise(guest, &report);
    tell_lies(guest, now_usec, &report);
    return report;
}

static void read_report(struct guest *guest)
{
    struct sim_guest *truth = guest->truth;
    guest->readable = guest->reports[0];
    guest->report_count--;
    memmove(&guest->reports[0], &guest->reports[1],
            guest->report_count * sizeof(guest->reports[0]));
    truth->reported_usec = guest->readable.made_usec;
    truth->reported_used_kib = guest->readable.true_used_kib;
    truth->reported_unused_kib = guest->readable.true_unused_kib;
    truth->reported_usable_kib = guest->readable.true_usable_kib;
}

static void report(struct guest *guest, uint64_t now_usec)
{
    const struct sim_guest_plan *plan = guest->truth->plan;
    if (guest->period_sec != 0 && now_usec >= guest->next_report_usec) {
        guest->next_report_usec = now_usec + (uint64_t)guest->period_sec * USEC_PER_SEC;
        if (!plan->is_mute && plan->has_balloon && !sim_spells_hold(&plan->frozen, now_usec) &&
            guest->report_count < GUEST_REPORTS)
            guest->reports[guest->report_count++] = make_report(guest, now_usec);
    }
    while (guest->report_count > 0 && guest->reports[0].made_usec + plan->delay_usec <= now_usec)
        read_report(guest);
}

void guest_set_period(struct guest *guest, uint64_t now_usec, unsigned int period_sec)
{
    uint64_t period_usec = (uint64_t)period_sec * USEC_PER_SEC;
    guest->period_sec = period_sec;
    if (period_sec == 0)
        return;
    uint64_t steps = random_between(&guest->random, 1, period_usec / SIM_STEP_USEC);
    guest->next_report_usec = now_usec + steps * SIM_STEP_USEC;
}

void guest_describe(const struct guest *guest, uint64_t wall_usec, struct domain *domain)
{
    const struct guest_report *last = &guest->readable;
    domain->actual_kib = (struct figure){true, guest->truth->size_kib};
    if (last->is_actual_garbage)
        domain->actual_kib.value = 0;
    domain->last_update_sec =
        (struct figure){true, last->has_figures ? (wall_usec + last->made_usec) / USEC_PER_SEC : 0};
    if (!last->has_figures)
        return;
    domain->unused_kib = (struct figure){true, last->unused_kib};
    domain->available_kib = (struct figure){true, last->available_kib};
    domain->usable_kib = (struct figure){true, last->usable_kib};
    domain->swap_in_kib = (struct figure){true, last->swap_in_kib};
    domain->major_faults = (struct figure){true, last->major_faults};
}

/* ---- life ---- */

static void start(struct guest *guest, uint64_t now_usec, bool is_begin)
{
    struct sim_guest *truth = guest->truth;
    const struct sim_guest_plan *plan = truth->plan;
    *truth = (struct sim_guest){
        .plan = plan,
        .is_here = true,
        .is_running = true,
        .id = truth->id + 1,
        .size_kib = plan->start_kib,
        .target_kib = plan->start_kib,
        .kills = truth->kills,
    };
    guest->has_lost_programs = !is_begin;
    guest->request_count = 0;
    guest->goal_kib = plan->start_kib;
    guest->report_count = 0;
    guest->readable = (struct guest_report){0};
    guest_set_period(guest, now_usec, plan->period_sec);
    truth->wanted_kib = wanted_kib(guest, now_usec);
    truth->used_kib = min_u64(truth->wanted_kib, truth->size_kib);
    uint64_t room = subtract_to_zero(sim_unused_kib(truth), watermark_kib(truth));
    if (is_begin)
        truth->cache_kib = min_u64(sim_series_at(&plan->cache, now_usec), room);
    if (plan->touched)
        truth->touched_kib = truth->size_kib;
    touch(truth);
}

static void stop(struct guest *guest)
{
    struct sim_guest *truth = guest->truth;
    *truth = (struct sim_guest){.plan = truth->plan, .id = truth->id, .kills = truth->kills};
    guest->request_count = 0;
    guest->report_count = 0;
}

static void live(struct guest *guest, uint64_t now_usec)
{
    struct sim_guest *truth = guest->truth;
    const struct sim_guest_plan *plan = truth->plan;
    bool is_here = !sim_spells_hold(&plan->absent, now_usec);
    if (is_here && !truth->is_here)
        start(guest, now_usec, false);
    else if (!is_here && truth->is_here)
        stop(guest);
    truth->is_running = is_here && !sim_spells_hold(&plan->paused, now_usec);
    truth->is_stuck = is_here && sim_spells_hold(&plan->stuck, now_usec);
    truth->is_lying = is_here && (sim_spells_hold(&plan->garbage, now_usec) ||
                                  sim_spells_hold(&plan->claims_none, now_usec) ||
                                  sim_spells_hold(&plan->claims_all, now_usec));
}

void guest_begin(struct guest *guest, struct sim_guest *truth, uint64_t seed)
{
    const struct sim_guest_plan *plan = truth->plan;
    *truth = (struct sim_guest){.plan = plan};
    *guest = (struct guest){
        .truth = truth,
        .random = seed,
        .base_kib = sim_series_least(&plan->use),
    };
    if (!sim_spells_hold(&plan->absent, 0))
        start(guest, 0, true);
    live(guest, 0);
}

void guest_step(struct guest *guest, uint64_t now_usec)
{
    struct sim_guest *truth = guest->truth;
    live(guest, now_usec);
    if (!truth->is_running)
        return;
    heed_requests(guest, now_usec);
    if (!truth->is_stuck && truth->plan->has_balloon)
        move_balloon(guest);
    follow_demand(guest, now_usec);
    follow_cache(truth, now_usec);
    touch(truth);
    report(guest, now_usec);
}
