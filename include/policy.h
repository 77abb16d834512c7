/*
 * policy.h - who should have how much memory: the decision, and nothing else.
 *
 * A pure function of the snapshot, the configuration and what it remembers of past cycles. It reads
 * no clock, allocates nothing, logs nothing and knows neither libvirt nor the other modules.
 *
 * The law: every guest gets what it uses plus a headroom. When the host cannot afford all
 * headrooms, all guests get the same unused amount, the level, as if memory were water poured over
 * what they use:
 *
 *     target = clamp(used + level, floor, ceiling)     with   sum(target + overhead) <= pool
 *
 * Growth comes at once, giving back is gradual; nothing is promised that is not free.
 */
#ifndef MC_POLICY_H
#define MC_POLICY_H

#include "snapshot.h"

struct policy_config {
    uint64_t interval_usec;     /* between two cycles */
    uint64_t host_reserve_kib;  /* the host keeps this much available */
    uint64_t min_kib;           /* no guest is asked to go below */
    uint64_t headroom_kib;      /* R: must stay unused in every guest */
    uint64_t surge_kib_per_sec; /* growth an idle guest may begin with, unannounced */
};

enum policy_action {
    POLICY_HOLD,   /* no call */
    POLICY_SHRINK, /* ask the guest for memory (inflate its balloon) */
    POLICY_GROW,   /* give the guest memory (deflate its balloon) */
};

/* Why a domain is to have the size it is to have. */
enum policy_reason {
    POLICY_SETTLED,  /* it has what it should have */
    POLICY_NEEDS,    /* less than its headroom is unused */
    POLICY_STARVING, /* less than R is unused */
    POLICY_SPARE,    /* it has more than its headroom unused */
    POLICY_DONATES,  /* others have less unused than it */
    /* From here on: held, because nothing can be decided about it. */
    POLICY_NO_BALLOON, /* cannot be changed: counted at its full size */
    POLICY_UNREAD,     /* could not be read now: counted at its last size */
    POLICY_PAUSED,     /* does not run: it will want its memory back when it does */
    POLICY_NO_NEWS,    /* the guest has never reported, or is not asked to */
    POLICY_STALE,      /* the guest's last report is too old */
    POLICY_IMPOSSIBLE, /* the guest's report contradicts itself: dropped */
};

/* What kept the target from being all that the reason asks for. */
enum policy_bound {
    POLICY_UNBOUND,
    POLICY_BOUND_MIN,       /* its minimum */
    POLICY_BOUND_MAX,       /* its maximum */
    POLICY_BOUND_POOL,      /* the host has no more to promise */
    POLICY_BOUND_DEAD_BAND, /* too little to be worth a call */
    POLICY_BOUND_GRADUAL,   /* memory is given back in steps */
    POLICY_BOUND_IN_FLIGHT, /* the last request has not arrived yet */
    POLICY_BOUND_GRACE,     /* its size has not yet been seen at rest */
    POLICY_BOUND_HOST,      /* the host does not say what it has */
};

/* What the policy remembers of one domain between cycles. Plain data; all zero for a new domain. */
struct policy_memory {
    /* The last report. */
    bool has_report;
    bool confirmed; /* its last_update was seen to change, or agreed with the wall clock */
    uint64_t last_update_sec;
    uint64_t unused_kib;
    uint64_t available_kib;
    int64_t least_lag_usec; /* now - last_update of the youngest report, whatever the clocks are */

    /* The last look, and what the guest does not see of its size. */
    bool has_actual;
    uint64_t actual_kib;
    uint64_t rss_kib;
    bool has_unseen; /* the size was seen at rest, so that unseen_kib is exact */
    int64_t unseen_kib;
    bool counts_balloon; /* it sees its maximum always, and its balloon as used (autodeflate) */

    /* What the guest uses: now, and as a peak that fades; and how fast it grows. */
    uint64_t used_kib;
    uint64_t used_usec; /* when that was learnt (monotonic) */
    uint64_t peak_kib;
    uint64_t growth_kib_per_sec; /* between the last two times */
    uint64_t rate_kib_per_sec;   /* confirmed by two in a row; fades */

    /* The last request. */
    bool has_asked;
    uint64_t asked_kib;
    uint64_t asked_usec;
    uint64_t moved_usec; /* when it was made, or the balloon last seen to move */
    bool has_shrunk;
    uint64_t shrunk_usec; /* when it was last asked to give */
};

/* What is to happen to one domain, and the figures it came from. */
struct policy_decision {
    enum policy_action action;
    enum policy_reason reason;
    enum policy_bound bound;
    uint64_t from_kib;     /* its size now, or the size it is already on its way to */
    uint64_t target_kib;   /* what to ask for; from_kib for POLICY_HOLD */
    uint64_t used_kib;     /* what it uses */
    uint64_t unused_kib;   /* from_kib - used_kib, or 0 */
    uint64_t headroom_kib; /* what it should have unused */
    uint64_t floor_kib;    /* the range its target was sought in */
    uint64_t ceiling_kib;
    uint64_t owed_kib;     /* what it has or may take at any moment, without its overhead */
    uint64_t rss_kib;      /* what the emulator holds now */
    uint64_t overhead_kib; /* what the emulator takes beside that */
    bool in_play;          /* takes part in the sharing out of what is free */
};

/*
 * Decides for all COUNT domains of SNAPSHOT at once.
 *
 * memory[i] is what was remembered of snapshot->domains[i] and is brought up to date; decisions[i]
 * is written whole. Any figures are safe: sums saturate, contradictions hold the one domain. The
 * order of the domains makes no difference. O(n log m) for n domains of at most m KiB.
 */
void policy_decide(const struct policy_config *config, const struct snapshot *snapshot,
                   struct policy_memory *memory, struct policy_decision *decisions);

/* True for a reason that means: nothing can be decided about this domain. */
bool policy_is_held(enum policy_reason reason);

/*
 * Remembers that a domain was really asked for DECISION's target at NOW_USEC. Not to be called
 * where the request failed or was not made.
 */
void policy_asked(struct policy_memory *memory, const struct policy_decision *decision,
                  uint64_t now_usec);

/*
 * How often a guest should report, in whole seconds, for cycles of INTERVAL_USEC: often enough to
 * add little to the age of what is decided on (a tenth of the interval), from 1 s (libvirt's least)
 * to 10 s.
 */
unsigned int policy_report_period_sec(uint64_t interval_usec);

#endif
