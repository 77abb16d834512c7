/* score.c - keeps the gates and the scores of a run; see score.h. Only looks, never decides. */
#include "score.h"

#include "oracle.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    USEC_PER_SEC = 1000000,

    /* A program that was killed has to be started again and to get where it was; its guest counts
     * as short of R for so long. Or else the best way to have no shortfall were to have no load. */
    KILLED_USEC = 30 * USEC_PER_SEC,
    /* Who has less than this part of R unused for so long is insatiable. */
    HUNGRY_DIVISOR = 8,
    INSATIABLE_USEC = 30 * USEC_PER_SEC,
    /* Who has swapped in may do so again for so long. */
    SWAPPING_USEC = 10 * USEC_PER_SEC,
    /* A lost connection is found again within so long of being there. */
    RECONNECT_USEC = 4 * USEC_PER_SEC,
    /* A request on which nothing has moved for so long is not on its way any more. */
    ON_ITS_WAY_USEC = 5 * USEC_PER_SEC,
    /* Reports older than so many periods, and two seconds, are stale: they are dated in seconds,
     * and so is the youngest one, by which their age is known. */
    STALE_PERIODS = 3,
    /* Gradual: at most 3/16 of the size in any so long, both ends included: a monitor that looks
     * every two seconds can see both. */
    GRADUAL_USEC = 2 * USEC_PER_SEC,
    /* What is kept of each guest: shrinks, and cycles; enough for an
     * interval of 0.1 s. */
    SHRINKS = 304,
    CYCLES = 128,
};

static const double KIB_PER_MIB = 1024;
static const double GRADUAL_PART = 3.0 / 16;
/* Less than this apart is the same: a balloon is inexact by pages. */
static const double SAME_KIB = 1024;
/* What the tax on idle memory may leave of a share whose holder uses all it has. */
static const double TAXED_PART = 0.75;
/* 128 MiB at the most, of which 32 are always reckoned with. */
static const double UNSHOWN_KIB = 96 * 1024.0;
/* The host is low below the first part of its reserve, until it is above the second. */
static const double HOST_LOW_PART = 0.32;
static const double HOST_HARD_PART = 0.64;
/* What is right is met within max(16 MiB, 2 %). */
static const double RIGHT_KIB = 16 * 1024.0;
static const double RIGHT_PART = 0.02;

struct shrink {
    uint64_t at_usec;
    double from_kib; /* the size it was on its way to */
    double to_kib;
    double size_kib;      /* the size it had */
    double left_kib;      /* what it leaves unused */
    uint64_t swapped_kib; /* what was in its swap already */
    bool is_settled;      /* nothing more is to be said about it: blamed, or the guest was lying */
};

struct cycle {
    uint64_t at_usec;
    double right_kib;
};

/* A figure that is at rest while it stays within a dead band of where it was. */
struct rest {
    double kib;
    uint64_t since_usec;
};

struct track {
    /* the guest as it was after the last step */
    bool is_here;
    int id;
    double size_kib;
    unsigned int kills;
    uint64_t swap_in_kib;
    uint64_t swap_usec;        /* when that grew; 0: never */
    uint64_t ordered_usec;     /* when it was asked */
    uint64_t moved_usec;       /* when it was asked, or last moved towards what it was asked for */
    uint64_t least_age_usec;   /* of the reports that could be read, at the cycles */
    bool could_have_more;      /* after the last step: what a kill leaves behind tells nothing */
    uint64_t helpless_usec;    /* when last nobody could help it, or know that it needs help */
    uint64_t short_until_usec; /* a program of it was killed that needed not be */

    struct shrink shrinks[SHRINKS]; /* a ring, the next one to be written to at shrink_count */
    size_t shrink_count;

    /* the least path */
    struct cycle cycles[CYCLES]; /* a ring, too */
    size_t cycle_count;
    double least_kib;

    uint64_t fed_usec; /* when it last had more than next to nothing left */
    struct rest need;
    struct rest right;

    bool has_grown; /* the last request was a growth: */
    double most_right_kib;

    /* fairness: this spell's */
    bool takes_part;
    double unused_kib_sec;
};

struct score {
    struct scores scores;
    size_t count;
    struct track *tracks;
    struct oracle_vessel *vessels;
    double *right_kib;
    double level_kib;
    double least_level_kib; /* since the last cycle but one: a report tells of what was */
    double next_level_kib;  /* since the last one */
    bool is_plenty;         /* all have their headroom */
    double unpromised_kib;
    bool host_is_low;
    bool has_been_short;
    uint64_t short_usec; /* at which cycle the host was last short of somebody's headroom */
    struct rest level;
    uint64_t scarce_since_usec; /* UINT64_MAX: it is not */
    double fair_sec;            /* length of this spell of scarcity at rest */
};

static double mib(double kib)
{
    return kib / KIB_PER_MIB;
}

/* ---- gates ---- */

__attribute__((format(printf, 5, 6))) static void breach(struct score *score, unsigned int gate,
                                                         const struct sim_world *world,
                                                         size_t guest, const char *format, ...)
{
    char *note = score->scores.notes[gate - 1];
    if (score->scores.gates[gate - 1]++ > 0)
        return;
    int length =
        snprintf(note, SCORE_NOTE_BYTES, "at %.1f s: %s: ", (double)world->now_usec / USEC_PER_SEC,
                 world->guests[guest].plan->name);
    if (length < 0 || length >= SCORE_NOTE_BYTES)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(note + length, (size_t)(SCORE_NOTE_BYTES - length), format, arguments);
    va_end(arguments);
}

/* What the guest is asked for already; its size where it has not been asked. */
static double asked_kib(const struct sim_guest *guest)
{
    return guest->target_kib != 0 ? (double)guest->target_kib : (double)guest->size_kib;
}

/* When the coordinator began afresh; 0: it did not. */
static uint64_t last_restart_usec(const struct sim_world *world)
{
    const struct sim_series *restarts = &world->scenario->restarts;
    uint64_t last = 0;
    for (size_t i = 0; i < restarts->count && restarts->points[i].at_usec <= world->now_usec; i++)
        last = restarts->points[i].at_usec;
    return last;
}

/* The size the guest is on its way to. */
static double from_kib(const struct track *track, const struct sim_world *world,
                       const struct sim_guest *guest)
{
    bool is_known = track->ordered_usec >= last_restart_usec(world);
    bool on_its_way = is_known && fabs(asked_kib(guest) - (double)guest->size_kib) > SAME_KIB &&
                      world->now_usec < track->moved_usec + ON_ITS_WAY_USEC;
    return on_its_way ? asked_kib(guest) : (double)guest->size_kib;
}

static void check_range(struct score *score, const struct sim_world *world, size_t i, double target)
{
    const struct sim_guest *guest = &world->guests[i];
    double size = (double)guest->size_kib;
    double low = oracle_low_kib(world, i);
    double high = oracle_high_kib(world, i);
    if (!world->limits[i].managed || !guest->plan->has_balloon)
        breach(score, 1, world, i, "asked for %.1f MiB, but is not to be called", mib(target));
    else if (target < fmin(low, size) || target > fmax(high, size) ||
             target > (double)guest->plan->max_kib)
        breach(score, 1, world, i, "asked for %.1f MiB, of %.1f to %.1f", mib(target), mib(low),
               mib(high));
}

/* One that began afresh does not know what was promised before, but for what has come: a page or
 * two of each, and what is still on its way, or cannot come as the guest is paused. */
static double unknown_promises_kib(const struct score *score, const struct sim_world *world)
{
    double unknown = 0;
    uint64_t restart = last_restart_usec(world);
    for (size_t i = 0; i < world->guest_count && restart != 0; i++) {
        const struct sim_guest *guest = &world->guests[i];
        double coming = fmax(0, asked_kib(guest) - (double)guest->size_kib);
        unknown += SAME_KIB + (score->tracks[i].ordered_usec < restart ? coming : 0);
    }
    return unknown;
}

static void check_growth(struct score *score, const struct sim_world *world, size_t i,
                         double target)
{
    const struct sim_guest *guest = &world->guests[i];
    double had = fmax((double)guest->size_kib, asked_kib(guest));
    if (target <= had)
        return;
    double growable = oracle_growable_kib(world);
    if (growable <= 0)
        breach(score, 2, world, i, "grows to %.1f MiB, the host has %.1f less than its reserve",
               mib(target), mib(-growable));
    double left = oracle_unpromised_kib(world) - (target - had);
    if (left < -fmax(SAME_KIB, unknown_promises_kib(score, world)))
        breach(score, 3, world, i, "grows to %.1f MiB, %.1f more than can be promised", mib(target),
               mib(-left));
}

/* What the guest will have unused once all it was promised has come, as is and as was reported. */
static double coming_unused_kib(const struct sim_world *world, size_t i)
{
    const struct sim_guest *guest = &world->guests[i];
    double need = fmax(oracle_need_kib(world, i), oracle_reported_need_kib(world, i));
    double asked = guest->is_stuck ? 0 : asked_kib(guest);
    double coming = fmax((double)guest->size_kib, asked) - need;
    /* That it uses everything nobody can know to be a lie; nor, while its balloon moves, what one
     * uses that counts that as used. */
    bool claims_none = sim_spells_hold(&guest->plan->claims_none, guest->reported_usec);
    return claims_none || guest->plan->counts_balloon ? fmin(coming, 0) : coming;
}

/* R, and as much again as the guest's use has swung by of late: a burst that is on may go on, and
 * that it is over shows a report later. */
static double burst_kib(const struct sim_world *world, size_t i)
{
    uint64_t window = 2 * oracle_horizon_usec(world, i) + world->guests[i].plan->delay_usec;
    double least = INFINITY;
    double most = 0;
    for (uint64_t ago = 0; ago <= window && ago <= world->now_usec; ago += SIM_STEP_USEC) {
        double use = (double)sim_series_at(&world->guests[i].plan->use, world->now_usec - ago);
        least = fmin(least, use);
        most = fmax(most, use);
    }
    return oracle_reserve_kib(world, i) + most - least;
}

/* Whether any of its reports is false, which may be this one. */
static bool is_ever_false(const struct sim_guest_plan *plan)
{
    return plan->claims_all.count > 0 || plan->claims_none.count > 0 || plan->garbage.count > 0;
}

/* What guest I lacks of its headroom as far as can be known: one whose figures are late, noisy or
 * false may seem to lack what it does not. */
static double lacking_kib(const struct sim_world *world, size_t i)
{
    const struct sim_guest_plan *plan = world->guests[i].plan;
    double headroom = fmax(oracle_headroom_kib(world, i), burst_kib(world, i));
    double seen = is_ever_false(plan) ? 0 : coming_unused_kib(world, i) - (double)plan->noise_kib;
    return fmax(0, headroom + oracle_dead_band_kib(0) - seen);
}

/* That a guest has been paused shows when its last report is stale. */
static bool seems_to_run(const struct sim_world *world, size_t i)
{
    const struct sim_guest *guest = &world->guests[i];
    uint64_t stale_usec = guest->reported_usec + STALE_PERIODS * oracle_period_usec(world, i) +
                          2 * USEC_PER_SEC + guest->plan->delay_usec;
    bool seems_to = guest->is_running || (guest->is_here && world->now_usec <= stale_usec);
    return seems_to && world->limits[i].managed;
}

/* What all but DONOR lack of their headroom. */
static double others_lack_kib(const struct sim_world *world, size_t donor)
{
    double lacking = 0;
    for (size_t i = 0; i < world->guest_count; i++)
        if (i != donor && seems_to_run(world, i))
            lacking += lacking_kib(world, i);
    return lacking;
}

/* What an emulator may take for itself beside what has shown. It shows where all has been touched
 * whenever it was looked at, since a coordinator began. */
static double unshown_kib(const struct sim_world *world)
{
    double unshown = 0;
    bool has_begun_anew = last_restart_usec(world) != 0;
    for (size_t i = 0; i < world->guest_count; i++) {
        const struct sim_guest *guest = &world->guests[i];
        bool is_shown =
            guest->plan->touched && !has_begun_anew && guest->touched_kib >= guest->size_kib;
        unshown += guest->is_here && !is_shown ? UNSHOWN_KIB : 0;
    }
    return unshown;
}

/* What all but DONOR lack of their headroom is more than the host is sure to have left to promise.
 */
static bool is_host_short(const struct sim_world *world, size_t donor)
{
    double left = oracle_unpromised_kib(world) - unshown_kib(world);
    return others_lack_kib(world, donor) > fmax(0, left);
}

/* The level, by shares, of a guest with so much unused; below 0 for one that lacks. */
static double level_of_kib(const struct sim_world *world, size_t i, double unused_kib)
{
    double weight = oracle_weight(world, i);
    return unused_kib >= 0 ? unused_kib / weight : unused_kib * weight;
}

/* What it takes until the next decision has reached it, as it grows now. */
static double growth_ahead_kib(const struct sim_world *world, size_t i)
{
    return oracle_growth_kib_per_sec(world, i) * (double)oracle_horizon_usec(world, i) /
           USEC_PER_SEC;
}

/* The host is short, and somebody, by shares, is worse off than DONOR with UNUSED_KIB, or is about
 * to be. */
static bool is_balance(const struct sim_world *world, size_t donor, double unused_kib)
{
    double now = level_of_kib(world, donor, unused_kib);
    double soon = level_of_kib(world, donor, unused_kib - growth_ahead_kib(world, donor));
    for (size_t i = 0; i < world->guest_count; i++) {
        /* That its balloon is stuck, or that it is not to be heard of, shows later. */
        if (i == donor || !seems_to_run(world, i))
            continue;
        double unused = coming_unused_kib(world, i) - (double)world->guests[i].plan->noise_kib;
        if (level_of_kib(world, i, unused) < now ||
            level_of_kib(world, i, unused - growth_ahead_kib(world, i)) < soon)
            return is_host_short(world, donor);
    }
    return false;
}

/* Whether the report that can be read is a lie. */
static bool has_lied(const struct sim_world *world, size_t i)
{
    const struct sim_guest *guest = &world->guests[i];
    return guest->is_lying || sim_spells_hold(&guest->plan->claims_none, guest->reported_usec) ||
           sim_spells_hold(&guest->plan->claims_all, guest->reported_usec) ||
           sim_spells_hold(&guest->plan->garbage, guest->reported_usec);
}

/* Whether the level is not to be known, for another's sake than DONOR's: that one refuses requests
 * shows only when it is made one; what one still needs that has just swapped in does not show. */
static bool is_level_obscure(const struct score *score, const struct sim_world *world, size_t donor)
{
    for (size_t i = 0; i < world->guest_count; i++) {
        const struct sim_guest *guest = &world->guests[i];
        bool swaps = score->tracks[i].swap_usec != 0 &&
                     world->now_usec < score->tracks[i].swap_usec + SWAPPING_USEC;
        if (i != donor && guest->is_here &&
            (swaps || sim_spells_hold(&guest->plan->refuses, world->now_usec)))
            return true;
    }
    return false;
}

/*
 * Not even half of R is there for all and the guest can swap, or it has said for long that it has
 * next to nothing left, whatever it was given; and it would keep what the others have on average
 * for their shares, less what the tax on idle memory may make of that, while another lacks R.
 */
static bool yields_to_shares(const struct score *score, const struct sim_world *world, size_t donor,
                             double target)
{
    double level = fmin(score->level_kib, score->least_level_kib);
    bool is_scarce = level < oracle_reserve_kib(world, donor) / 2 + oracle_dead_band_kib(0);
    bool is_overload = world->guests[donor].swap_in_kib != 0 &&
                       (is_scarce || is_level_obscure(score, world, donor));
    bool is_insatiable = world->now_usec >= score->tracks[donor].fed_usec + INSATIABLE_USEC;
    if (!is_overload && !is_insatiable)
        return false;
    double size = 0;
    double weight = 0;
    bool someone_lacks = false;
    for (size_t i = 0; i < world->guest_count; i++) {
        if (i == donor || !oracle_can_move(world, i))
            continue;
        someone_lacks = someone_lacks || coming_unused_kib(world, i) < oracle_reserve_kib(world, i);
        size += (double)world->guests[i].size_kib;
        weight += oracle_weight(world, i);
    }
    double share = weight > 0 ? size / weight * oracle_weight(world, donor) : 0;
    return someone_lacks && target >= share * TAXED_PART;
}

/*
 * Whether what guest I uses can be known. Of one that counts its balloon as used it is not while
 * that moves, if it reports late, or has lied just before; nor near its maximum, where it does not
 * see all of its size, as those that do not count it. Who begins afresh does not know of what size
 * a late report is.
 */
static bool is_obscure(const struct sim_world *world, size_t i)
{
    const struct sim_guest *guest = &world->guests[i];
    const struct sim_guest_plan *plan = guest->plan;
    bool is_late = plan->delay_usec > 0 || plan->latency_usec > USEC_PER_SEC;
    bool is_near_max = guest->size_kib + plan->unseen_kib > plan->max_kib;
    bool is_of_before = last_restart_usec(world) != 0 && plan->delay_usec > 0;
    return is_of_before ||
           (plan->counts_balloon && (is_late || is_ever_false(plan) || is_near_max));
}

static void check_left(struct score *score, const struct sim_world *world, size_t i, double target)
{
    const struct sim_guest_plan *plan = world->guests[i].plan;
    double noise = (double)plan->noise_kib;
    /* As was reported: what is in swap is not in a report. */
    double left = target - (double)world->guests[i].reported_used_kib + noise + SAME_KIB;
    /* Page cache is taken only where somebody lacks its headroom. */
    if (!score->host_is_low && others_lack_kib(world, i) <= 0 && !is_level_obscure(score, world, i))
        left -= oracle_reported_cache_kib(world, i);
    double reserve = oracle_reserve_kib(world, i);
    if (is_obscure(world, i))
        return;
    /* To bring it down to its maximum needs no excuse. A lie is read as the truth. */
    if (left >= reserve || target >= oracle_high_kib(world, i) || has_lied(world, i))
        return;
    if (left >= reserve / 2 && (score->host_is_low || is_balance(world, i, left)))
        return;
    if (yields_to_shares(score, world, i, target))
        return;
    breach(score, 4, world, i, "shrinks to %.1f MiB, which leaves %.1f unused", mib(target),
           mib(left));
}

/* The shrink ordered AGO requests before the last one, or NULL. */
static struct shrink *shrink_before(struct track *track, size_t ago)
{
    if (ago >= track->shrink_count || ago >= SHRINKS)
        return NULL;
    return &track->shrinks[(track->shrink_count - 1 - ago) % SHRINKS];
}

static void check_gradual(struct score *score, const struct sim_world *world, size_t i)
{
    struct track *track = &score->tracks[i];
    double kept = 1;
    const struct shrink *shrink;
    for (size_t ago = 0; (shrink = shrink_before(track, ago)) != NULL; ago++) {
        if (shrink->at_usec + GRADUAL_USEC < world->now_usec)
            break;
        kept *= (shrink->to_kib + SAME_KIB) / shrink->from_kib;
    }
    if (kept < 1 - GRADUAL_PART)
        breach(score, 4, world, i, "gives %.1f %% of its size within 2 s", 100 * (1 - kept));
}

/* Whether the report that can be read is no older than it may be, by the youngest one read so far.
 */
static bool is_young(const struct track *track, const struct sim_world *world, size_t i)
{
    uint64_t oldest =
        STALE_PERIODS * oracle_period_usec(world, i) + 2 * USEC_PER_SEC + track->least_age_usec;
    return world->now_usec - world->guests[i].reported_usec <= oldest;
}

static void check_shrink(struct score *score, const struct sim_world *world, size_t i,
                         double target)
{
    const struct sim_guest *guest = &world->guests[i];
    struct track *track = &score->tracks[i];
    double from = from_kib(track, world, guest);
    /* To take a request back is no shrink. */
    if (target > from - SAME_KIB || fabs(target - (double)guest->size_kib) <= SAME_KIB)
        return;
    /* Nor is to grant less of a growth that has not come yet; and who refuses gives nothing. */
    if (target >= (double)guest->size_kib ||
        sim_spells_hold(&guest->plan->refuses, world->now_usec)) {
        check_left(score, world, i, target);
        return;
    }
    track->shrinks[track->shrink_count++ % SHRINKS] = (struct shrink){
        .at_usec = world->now_usec,
        .from_kib = from,
        .to_kib = target,
        .size_kib = (double)guest->size_kib,
        .left_kib = target - oracle_need_kib(world, i),
        .swapped_kib = guest->swapped_kib,
        .is_settled = has_lied(world, i) || is_obscure(world, i),
    };
    check_left(score, world, i, target);
    check_gradual(score, world, i);
    /* Nobody can tell how old the youngest report was that it has ever read. */
    if (!oracle_has_news(world, i) &&
        !(guest->reported_usec != 0 && oracle_is_possible(world, i) && is_young(track, world, i)))
        breach(score, 5, world, i, "shrinks to %.1f MiB; the last report is %.1f s old%s",
               mib(target), (double)(world->now_usec - guest->reported_usec) / USEC_PER_SEC,
               guest->reported_usec == 0 ? ", there has been none" : "");
}

void score_order(struct score *score, const struct sim_world *world, size_t guest,
                 uint64_t target_kib)
{
    struct track *track = &score->tracks[guest];
    double target = (double)target_kib;
    double size = (double)world->guests[guest].size_kib;
    score->scores.calls++;
    if (world->now_usec >= world->scenario->length_usec / 3 * 2)
        score->scores.late_calls++;
    check_range(score, world, guest, target);
    check_growth(score, world, guest, target);
    check_shrink(score, world, guest, target);
    track->ordered_usec = track->moved_usec = world->now_usec;
    track->has_grown = target > size;
    track->most_right_kib = 0;
}

/* ---- what could have been had ---- */

/* What guest I could give: what it has beyond both R and the common level, if that is worth a call.
 */
static double could_give_kib(const struct score *score, const struct sim_world *world, size_t i)
{
    double size = (double)world->guests[i].size_kib;
    double kept = fmax(oracle_reserve_kib(world, i), score->level_kib * oracle_weight(world, i));
    kept +=
        oracle_growth_kib_per_sec(world, i) * (double)oracle_horizon_usec(world, i) / USEC_PER_SEC;
    double spare = fmin(size - oracle_low_kib(world, i), size - oracle_need_kib(world, i) - kept);
    bool can = oracle_can_move(world, i) && oracle_has_news(world, i);
    return can && spare > oracle_dead_band_kib(size) ? spare : 0;
}

/* What the host could give guest I; less than 0 where it is short itself, which comes first. What
 * the guest was promised and has not got yet is there for it: it should have been promised before.
 */
static double host_could_give_kib(const struct score *score, const struct sim_world *world,
                                  size_t i)
{
    const struct sim_guest *guest = &world->guests[i];
    double coming = fmax(0, asked_kib(guest) - (double)guest->size_kib);
    return fmin(score->unpromised_kib + coming, oracle_growable_kib(world)) - SAME_KIB;
}

/* Whether a coordinator can know what guest I needs. Who claims to need nothing has what it asked
 * for; other lies do not make anybody short. */
static bool is_heard(const struct sim_world *world, size_t i)
{
    const struct sim_guest *guest = &world->guests[i];
    return oracle_has_news(world, i) &&
           !sim_spells_hold(&guest->plan->claims_all, guest->reported_usec);
}

/* How much guest I could have had in addition. */
static double to_be_had_kib(const struct score *score, const struct sim_world *world, size_t i)
{
    double size = (double)world->guests[i].size_kib;
    double room = oracle_high_kib(world, i) - size;
    if (!oracle_can_move(world, i) || !is_heard(world, i) || room <= SAME_KIB)
        return 0;
    /* Who has what is right is not to have more. */
    if (score->right_kib[i] - size <= oracle_dead_band_kib(size))
        return 0;
    double had = host_could_give_kib(score, world, i);
    for (size_t other = 0; other < world->guest_count; other++)
        if (other != i)
            had += could_give_kib(score, world, other);
    return fmax(0, fmin(had, room));
}

/* Whether a guest that lacks MISSING_KIB could have had that, or as much as is worth a call. */
static bool is_avoidable(const struct score *score, const struct sim_world *world, size_t i,
                         double missing_kib)
{
    return to_be_had_kib(score, world, i) >= fmin(missing_kib, oracle_dead_band_kib(0));
}

/* ---- G6 ---- */

static double use_kib(const struct sim_guest *guest, uint64_t at_usec)
{
    return (double)sim_series_at(&guest->plan->use, at_usec);
}

/* By how much a series is, at AT_USEC, above the least that it was within WINDOW_USEC. */
static double growth_kib(const struct sim_series *series, uint64_t at_usec, uint64_t window_usec)
{
    uint64_t now = sim_series_at(series, at_usec);
    uint64_t least = now;
    for (uint64_t ago = 0; ago <= window_usec && ago <= at_usec; ago += SIM_STEP_USEC) {
        uint64_t then = sim_series_at(series, at_usec - ago);
        least = then < least ? then : least;
    }
    return (double)(now - least);
}

/* Whether the guest would have been well with the size it had before SHRINK. */
static bool was_large_enough(const struct sim_world *world, size_t i, const struct shrink *shrink)
{
    const struct sim_guest *guest = &world->guests[i];
    double most = fmax(use_kib(guest, world->now_usec), oracle_need_kib(world, i));
    for (uint64_t at = shrink->at_usec; at < world->now_usec; at += SIM_STEP_USEC)
        most = fmax(most, use_kib(guest, at));
    /* A kernel keeps a little free: what a dead band is to a coordinator. */
    return shrink->size_kib >= most + oracle_dead_band_kib(shrink->size_kib);
}

/* How long after a change in a guest an answer has its effect, at the latest. Where the host was
 * full that is a cycle later, since another has to give first. */
static uint64_t answer_usec(const struct score *score, const struct sim_world *world, size_t i)
{
    uint64_t horizon = oracle_horizon_usec(world, i) + world->guests[i].plan->delay_usec;
    bool was_short = score->has_been_short &&
                     world->now_usec <= score->short_usec + horizon + world->interval_usec;
    return was_short ? horizon + world->interval_usec : horizon;
}

/*
 * Whether its demand has grown by more, before anybody could answer, than it is to be provided
 * with: the surge, or LEFT_KIB, which a scarce host had left it, if that is less, but never less
 * than half of R.
 */
static bool was_overrun(const struct score *score, const struct sim_world *world, size_t i,
                        const struct shrink *shrink, double left_kib)
{
    const struct sim_guest *guest = &world->guests[i];
    uint64_t horizon = answer_usec(score, world, i);
    double surge = (double)world->scenario->config.policy.surge_kib_per_sec;
    double most = surge * (double)oracle_horizon_usec(world, i) / USEC_PER_SEC + SAME_KIB;
    most = fmin(most, fmax(left_kib - SAME_KIB, oracle_reserve_kib(world, i) / 2));
    for (uint64_t at = shrink->at_usec; at <= world->now_usec; at += SIM_STEP_USEC)
        /* The host's own programs may take what was to be had. */
        if (growth_kib(&guest->plan->use, at, horizon) > most ||
            growth_kib(&world->scenario->others, at, horizon) > oracle_dead_band_kib(0))
            return true;
    return false;
}

/* Whether half of R was to be had for it, of what it has a right to, when all others have R. Where
 * its fair share leaves it less than half of R, as more is used than there is, it has none: nobody
 * is balanced below that.
 */
static bool could_have_more(const struct score *score, const struct sim_world *world, size_t i)
{
    double half = oracle_reserve_kib(world, i) / 2;
    double share = score->right_kib[i] - oracle_need_kib(world, i);
    double others_lack = 0;
    for (size_t other = 0; other < world->guest_count; other++)
        if (other != i && oracle_can_move(world, other))
            others_lack += fmax(0, oracle_reserve_kib(world, other) -
                                       (double)sim_usable_kib(&world->guests[other]));
    return share >= half && to_be_had_kib(score, world, i) - others_lack >= half;
}

/* Whether nobody could have helped it in time: its balloon was stuck, it was not to be heard of. */
static bool was_disconnected(const struct sim_world *world)
{
    uint64_t then = world->now_usec > RECONNECT_USEC ? world->now_usec - RECONNECT_USEC : 0;
    return sim_spells_hold(&world->scenario->disconnected, world->now_usec) ||
           sim_spells_hold(&world->scenario->disconnected, then);
}

static void follow_helplessness(struct score *score, const struct sim_world *world, size_t i)
{
    const struct sim_guest *guest = &world->guests[i];
    uint64_t silent =
        guest->reported_usec + 2 * oracle_period_usec(world, i) + guest->plan->delay_usec;
    /* At the host's reserve nothing may grow, whoever may give; nor where more is promised than
     * there is, but not by the coordinator (G3). */
    bool is_owed = oracle_unpromised_kib(world) < -oracle_dead_band_kib(0);
    bool is_host_full = oracle_growable_kib(world) <= 0 || (is_owed && score->scores.gates[2] == 0);
    /* What others free, or their death does, is to be had when it has been given back. */
    bool is_in_vain = (double)sim_usable_kib(guest) < oracle_reserve_kib(world, i) &&
                      !score->tracks[i].could_have_more;
    if (is_host_full || is_in_vain || was_disconnected(world) || !oracle_can_move(world, i) ||
        world->now_usec > silent || has_lied(world, i))
        score->tracks[i].helpless_usec = world->now_usec;
}

static bool was_helpless(const struct score *score, const struct sim_world *world, size_t i)
{
    return world->now_usec < score->tracks[i].helpless_usec + answer_usec(score, world, i);
}

static void blame(struct score *score, const struct sim_world *world, size_t i, bool was_killed)
{
    uint64_t swapped = world->guests[i].swapped_kib;
    struct track *track = &score->tracks[i];
    struct shrink *shrink;
    double left = INFINITY; /* by that shrink and those after it */
    for (size_t ago = 0; (shrink = shrink_before(track, ago)) != NULL; ago++) {
        if (shrink->at_usec + answer_usec(score, world, i) + GRADUAL_USEC < world->now_usec)
            break;
        left = fmin(left, shrink->left_kib);
        /* What was swapped out before comes back, which is no harm. */
        bool is_hurt = was_killed || swapped > shrink->swapped_kib;
        if (!is_hurt || shrink->is_settled || !was_large_enough(world, i, shrink))
            continue;
        shrink->is_settled = true;
        if (!was_overrun(score, world, i, shrink, left))
            breach(score, 6, world, i, "%s, after it was shrunk from %.1f to %.1f MiB at %.1f s",
                   was_killed ? "out of memory" : "swaps in", mib(shrink->size_kib),
                   mib(shrink->to_kib), (double)shrink->at_usec / USEC_PER_SEC);
    }
}

static void check_pain(struct score *score, const struct sim_world *world, size_t i)
{
    const struct sim_guest *guest = &world->guests[i];
    struct track *track = &score->tracks[i];
    bool was_killed = guest->kills > track->kills;
    bool has_swapped = guest->swap_in_kib > track->swap_in_kib;
    if (was_killed)
        score->scores.kills += guest->kills - track->kills;
    if (has_swapped)
        score->scores.swap_in_mib += mib((double)(guest->swap_in_kib - track->swap_in_kib));
    if (!(was_killed || has_swapped) || !track->could_have_more || was_helpless(score, world, i))
        return;
    if (was_killed)
        track->short_until_usec = world->now_usec + KILLED_USEC;
    blame(score, world, i, was_killed);
}

/* ---- integrals ---- */

static void add_shortfall(struct score *score, const struct sim_world *world, size_t i, double sec)
{
    const struct sim_guest *guest = &world->guests[i];
    double reserve = oracle_reserve_kib(world, i);
    double missing = reserve - (double)sim_usable_kib(guest);
    if (world->now_usec < score->tracks[i].short_until_usec)
        missing = reserve;
    else if (missing <= 0 || !guest->is_running || !is_avoidable(score, world, i, missing))
        return;
    else
        missing = fmin(missing, to_be_had_kib(score, world, i));
    score->scores.starved_sec += sec;
    score->scores.shortfall_mib_sec += mib(missing) * sec;
}

/* Only what could be taken: not below its minimum, nor from one that does not move. */
static void add_waste(struct score *score, const struct sim_world *world, size_t i, double sec)
{
    const struct sim_guest *guest = &world->guests[i];
    /* What a false report hides nobody can take. */
    if (!oracle_can_move(world, i) || has_lied(world, i))
        return;
    double cache = (double)sim_series_at(&guest->plan->cache, world->now_usec);
    double spare = (double)sim_usable_kib(guest) - cache - oracle_headroom_kib(world, i);
    spare = fmin(spare, (double)guest->size_kib - oracle_low_kib(world, i));
    score->scores.waste_mib_sec += mib(fmax(0, spare)) * sec;
}

static bool follow_rest(struct rest *rest, uint64_t now_usec, double kib, double band_kib)
{
    if (fabs(kib - rest->kib) <= band_kib)
        return false;
    *rest = (struct rest){.kib = kib, .since_usec = now_usec};
    return true;
}

static void follow_right(struct score *score, const struct sim_world *world, size_t i)
{
    struct track *track = &score->tracks[i];
    double right = score->right_kib[i];
    double size = (double)world->guests[i].size_kib;
    double band = fmax(RIGHT_KIB, right * RIGHT_PART);
    if (!oracle_can_move(world, i)) {
        track->right.since_usec = world->now_usec;
        return;
    }
    follow_rest(&track->right, world->now_usec, right, band);
    double since_sec = (double)(world->now_usec - track->right.since_usec) / USEC_PER_SEC;
    if (size < right - band || size > right + oracle_cache_kib(world, i) + band)
        score->scores.settle_sec = fmax(score->scores.settle_sec, since_sec);
    if (!track->has_grown)
        return;
    track->most_right_kib = fmax(track->most_right_kib, right + oracle_cache_kib(world, i));
    score->scores.overshoot_mib =
        fmax(score->scores.overshoot_mib, mib(size - track->most_right_kib));
}

static void follow_size(struct score *score, const struct sim_world *world, size_t i)
{
    const struct sim_guest *guest = &world->guests[i];
    struct track *track = &score->tracks[i];
    double size = (double)guest->size_kib;
    double asked = asked_kib(guest);
    if (!has_lied(world, i)) /* what it asks for is not what had to be moved */
        score->scores.moved_mib += mib(fabs(size - track->size_kib));
    if (fabs(asked - size) < fabs(asked - track->size_kib))
        track->moved_usec = world->now_usec;
}

/* Another guest, or another start of the same: nothing of what was before counts. */
static void start_track(struct track *track, const struct sim_world *world, size_t i)
{
    const struct sim_guest *guest = &world->guests[i];
    *track = (struct track){
        .is_here = guest->is_here,
        .id = guest->id,
        .kills = guest->kills,
        .size_kib = (double)guest->size_kib,
        .least_kib = (double)guest->size_kib,
        .least_age_usec = UINT64_MAX,
        .need.since_usec = world->now_usec,
        .right.since_usec = world->now_usec,
    };
}

/* ---- fairness ---- */

/* How long things must have been as they are before a coordinator can be held to them: a donor that
 * gives 3/16 at a time has given more than half in four cycles, one passes until the need is seen
 * and one until what was given is handed on. */
static uint64_t patience_usec(const struct sim_world *world)
{
    return 6 * world->interval_usec + 5 * (uint64_t)USEC_PER_SEC;
}

/* Ends a spell of scarcity at rest; the worst of them counts. */
static void end_fair_spell(struct score *score, const struct sim_world *world)
{
    double least = INFINITY;
    double most = 0;
    double sum = 0;
    double squares = 0;
    double count = 0;
    for (size_t i = 0; i < score->count; i++) {
        if (!score->tracks[i].takes_part || score->fair_sec <= 0)
            continue;
        double mean = score->tracks[i].unused_kib_sec / score->fair_sec;
        least = fmin(least, mean);
        most = fmax(most, mean);
        sum += mean;
        squares += mean * mean;
        count++;
    }
    /* A spell shorter than a cycle is none. */
    if (count > 1 && most > 0 && score->fair_sec * USEC_PER_SEC >= (double)world->interval_usec) {
        score->scores.fairness = fmin(score->scores.fairness, least / most);
        score->scores.jain = fmin(score->scores.jain, sum * sum / (count * squares));
    }
    score->fair_sec = 0;
    for (size_t i = 0; i < score->count; i++)
        score->tracks[i].unused_kib_sec = 0;
}

/* Whether what guest I has unused is the level's to say: it moves, is honest and off its bounds. */
static bool is_at_level(const struct score *score, const struct sim_world *world, size_t i)
{
    const struct oracle_vessel *vessel = &score->vessels[i];
    double right = score->right_kib[i];
    double band = oracle_dead_band_kib(right);
    return vessel->moves && oracle_has_news(world, i) && !has_lied(world, i) &&
           right > vessel->low_kib + band && right < vessel->high_kib - band;
}

/* Scarcity: not everyone can have its headroom. Below half of R nobody is to be balanced any more:
 * donors may keep that. */
static bool is_scarce(const struct score *score, const struct sim_world *world)
{
    bool is_short = false;
    for (size_t i = 0; i < score->count; i++) {
        const struct oracle_vessel *vessel = &score->vessels[i];
        double unused = score->level_kib * vessel->weight;
        if (!vessel->moves || score->right_kib[i] >= vessel->high_kib)
            continue;
        is_short = is_short || unused < vessel->headroom_kib - SAME_KIB;
        if (unused < oracle_reserve_kib(world, i) / 2)
            return false;
    }
    return is_short;
}

static bool is_at_rest(struct score *score, const struct sim_world *world)
{
    uint64_t now = world->now_usec;
    follow_rest(&score->level, now, score->level_kib, oracle_dead_band_kib(0));
    uint64_t since = score->level.since_usec;
    for (size_t i = 0; i < score->count; i++) {
        struct rest *need = &score->tracks[i].need;
        double kib = world->guests[i].is_here ? score->vessels[i].need_kib : 0;
        follow_rest(need, now, kib, oracle_dead_band_kib(kib));
        if (need->since_usec > since)
            since = need->since_usec;
    }
    return now - since >= patience_usec(world);
}

static void follow_fairness(struct score *score, const struct sim_world *world, double sec)
{
    uint64_t now = world->now_usec;
    bool is_resting = is_at_rest(score, world);
    if (!is_scarce(score, world))
        score->scarce_since_usec = UINT64_MAX;
    else if (score->scarce_since_usec == UINT64_MAX)
        score->scarce_since_usec = now;
    bool counts = is_resting && score->scarce_since_usec != UINT64_MAX &&
                  now - score->scarce_since_usec >= patience_usec(world);
    bool goes_on = true;
    for (size_t i = 0; i < score->count; i++)
        goes_on =
            goes_on && score->tracks[i].takes_part == (counts && is_at_level(score, world, i));
    if (!goes_on)
        end_fair_spell(score, world);
    if (counts)
        score->fair_sec += sec;
    for (size_t i = 0; i < score->count; i++) {
        struct track *track = &score->tracks[i];
        track->takes_part = counts && is_at_level(score, world, i);
        double unused = (double)world->guests[i].size_kib - score->vessels[i].need_kib;
        if (track->takes_part)
            track->unused_kib_sec += fmax(0, unused) / score->vessels[i].weight * sec;
    }
}

/* ---- the least that had to be moved ---- */

/*
 * The most that was right for guest I of late: an answer takes its time, and gives in steps.
 * Whoever kept it longer would waste more than the floor does.
 */
static double most_right_kib(const struct track *track, const struct sim_world *world, size_t i)
{
    uint64_t linger = oracle_horizon_usec(world, i) + GRADUAL_USEC;
    double most = 0;
    for (size_t ago = 1; ago <= track->cycle_count && ago <= CYCLES; ago++) {
        const struct cycle *cycle = &track->cycles[(track->cycle_count - ago) % CYCLES];
        if (cycle->at_usec + linger < world->now_usec)
            break;
        most = fmax(most, cycle->right_kib);
    }
    return most;
}

/*
 * A size is good enough between a dead band under what is right, and two above the most that was
 * right of late, as long as there is enough for all to linger there; else two above what is right,
 * as far as a gradual step leads there. The least that any sequence of such sizes moves is what the
 * lazy one does, which stays where it is until it would be no good any more, and then goes to the
 * nearest size that is: by induction, any other sequence has at each cycle moved as much more as it
 * is now apart from the lazy one, at the least, so that it can never get ahead of it by having
 * moved before.
 */
static double lazy_kib(const struct score *score, const struct sim_world *world, size_t i,
                       bool lingers)
{
    const struct track *track = &score->tracks[i];
    double right = score->right_kib[i];
    double most = lingers ? most_right_kib(track, world, i) : right;
    /* Page cache is fed up to what is needed beside it, when there is plenty. */
    if (score->is_plenty)
        right += fmin(oracle_cache_kib(world, i), oracle_need_kib(world, i));
    double low = right - oracle_dead_band_kib(right);
    double high = most + 2 * oracle_dead_band_kib(most);
    double steps = 1 + (double)(GRADUAL_USEC / world->interval_usec);
    if (!lingers)
        high = fmax(high, track->least_kib * (1 - GRADUAL_PART / steps));
    return fmax(low, fmin(track->least_kib, high));
}

/* Whether those who linger keep nothing from the host or from each other: where not all can have
 * their headroom, what is right is all there is. */
static bool can_all_linger(const struct score *score, const struct sim_world *world)
{
    double beyond = 0;
    for (size_t i = 0; i < score->count; i++)
        if (oracle_can_move(world, i))
            beyond += lazy_kib(score, world, i, true) - score->right_kib[i];
    return score->is_plenty || beyond <= 0;
}

static void follow_least(struct score *score, const struct sim_world *world)
{
    for (size_t i = 0; i < score->count; i++) {
        struct track *track = &score->tracks[i];
        double right = score->right_kib[i] + oracle_cache_kib(world, i);
        if (oracle_can_move(world, i))
            track->cycles[track->cycle_count++ % CYCLES] =
                (struct cycle){.at_usec = world->now_usec, .right_kib = right};
    }
    bool lingers = can_all_linger(score, world);
    for (size_t i = 0; i < score->count; i++) {
        struct track *track = &score->tracks[i];
        if (!oracle_can_move(world, i))
            continue;
        double next = lazy_kib(score, world, i, lingers);
        if (!has_lied(world, i))
            score->scores.least_moved_mib += mib(fabs(next - track->least_kib));
        track->least_kib = next;
    }
}

static void follow_age(struct track *track, const struct sim_world *world, size_t i)
{
    uint64_t age = world->now_usec - world->guests[i].reported_usec;
    if (world->guests[i].reported_usec != 0 && age < track->least_age_usec)
        track->least_age_usec = age;
    if ((double)world->guests[i].reported_usable_kib >=
        oracle_reserve_kib(world, i) / HUNGRY_DIVISOR)
        track->fed_usec = world->now_usec;
}

/* ---- the run ---- */

static void look(struct score *score, const struct sim_world *world)
{
    score->level_kib = oracle_share_out_in(world, score->vessels, score->right_kib);
    score->unpromised_kib = oracle_unpromised_kib(world);
    score->is_plenty = true;
    for (size_t i = 0; i < score->count; i++)
        score->is_plenty =
            score->is_plenty && score->level_kib * score->vessels[i].weight + SAME_KIB >=
                                    score->vessels[i].headroom_kib;
}

struct score *score_begin(const struct sim_world *world)
{
    struct score *score = calloc(1, sizeof(*score));
    if (score == NULL)
        return NULL;
    score->count = world->guest_count;
    score->scores.fairness = score->scores.jain = 1;
    score->least_level_kib = score->next_level_kib = INFINITY;
    score->scarce_since_usec = UINT64_MAX;
    score->tracks = calloc(score->count + 1, sizeof(*score->tracks));
    score->vessels = calloc(score->count + 1, sizeof(*score->vessels));
    score->right_kib = calloc(score->count + 1, sizeof(*score->right_kib));
    if (score->tracks == NULL || score->vessels == NULL || score->right_kib == NULL) {
        score_end(score, world);
        return NULL;
    }
    for (size_t i = 0; i < score->count; i++)
        start_track(&score->tracks[i], world, i);
    return score;
}

void score_cycle(struct score *score, const struct sim_world *world)
{
    double reserve = (double)world->scenario->config.policy.host_reserve_kib;
    double available = (double)sim_available_kib(world);
    score->host_is_low = available < reserve * HOST_LOW_PART ||
                         (score->host_is_low && available < reserve * HOST_HARD_PART);
    if (is_host_short(world, SIZE_MAX)) {
        score->has_been_short = true;
        score->short_usec = world->now_usec;
    }
    look(score, world);
    score->least_level_kib = score->next_level_kib;
    score->next_level_kib = score->level_kib;
    for (size_t i = 0; i < score->count; i++)
        follow_age(&score->tracks[i], world, i);
    follow_least(score, world);
}

void score_step(struct score *score, const struct sim_world *world, uint64_t step_usec)
{
    double sec = (double)step_usec / USEC_PER_SEC;
    look(score, world);
    score->next_level_kib = fmin(score->next_level_kib, score->level_kib);
    for (size_t i = 0; i < score->count; i++) {
        const struct sim_guest *guest = &world->guests[i];
        struct track *track = &score->tracks[i];
        if (track->is_here != guest->is_here || track->id != guest->id)
            start_track(track, world, i);
        if (guest->is_here) {
            follow_size(score, world, i);
            follow_helplessness(score, world, i);
            check_pain(score, world, i);
            add_shortfall(score, world, i, sec);
            add_waste(score, world, i, sec);
            follow_right(score, world, i);
        }
        track->size_kib = (double)guest->size_kib;
        track->kills = guest->kills;
        if (guest->swap_in_kib > track->swap_in_kib)
            track->swap_usec = world->now_usec;
        track->swap_in_kib = guest->swap_in_kib;
        track->could_have_more = guest->is_here && could_have_more(score, world, i);
    }
    follow_fairness(score, world, sec);
}

struct scores score_end(struct score *score, const struct sim_world *world)
{
    if (score->tracks != NULL && score->right_kib != NULL && score->vessels != NULL)
        end_fair_spell(score, world);
    struct scores scores = score->scores;
    free(score->tracks);
    free(score->vessels);
    free(score->right_kib);
    free(score);
    return scores;
}
