/*
 * policy.h - who should have how much memory: the decision, and nothing else.
 *
 * A pure function of the snapshot, the configuration and what it remembers of past cycles. It reads
 * no clock, allocates nothing, logs nothing and knows neither libvirt nor the other modules.
 *
 * The law: every guest gets what it needs plus a headroom. When the host cannot afford all
 * headrooms, all guests get the same unused amount, the level, as if memory were water poured over
 * what they need; who has more shares gets more of it:
 *
 *     target = clamp(needed + level * shares / 1000, floor, ceiling)
 *     with sum(target + overhead) <= pool
 *
 * Growth comes at once, giving back is gradual; nothing is promised that is not free.
 */
#ifndef MC_POLICY_H
#define MC_POLICY_H

#include "snapshot.h"

enum policy_metric {
    POLICY_UNUSED, /* free memory; page cache counts as used */
    POLICY_USABLE, /* free memory and page cache */
};

/* What sizes are to come to. */
enum policy_goal {
    POLICY_BALANCE, /* every guest has its headroom, or what can be had of it */
    POLICY_RESTORE, /* every guest has the size that it was found with */
    POLICY_RELEASE, /* every guest has its maximum */
};

struct policy_config {
    uint64_t interval_usec;     /* between two cycles */
    uint64_t host_reserve_kib;  /* the host keeps this much available */
    uint64_t surge_kib_per_sec; /* growth an idle guest may begin with, unannounced */
    enum policy_metric metric;  /* which memory is a guest's to give */
    enum policy_goal goal;
};

/* What the administrator has set for one domain. */
struct policy_limits {
    bool managed;              /* false: counted at its size, never called */
    uint64_t min_kib;          /* it is not asked to go below */
    uint64_t max_kib;          /* nor above; its own maximum bounds it too */
    uint64_t headroom_kib;     /* R: must stay unused in it; */
    uint64_t headroom_percent; /* or, where not 0, this part of what it uses */
    uint64_t shares;           /* its weight when memory is scarce; POLICY_SHARES is the usual */
};

/* The shares of a domain for which none are set. */
enum { POLICY_SHARES = 1000 };

/* How hard the host is pressed for memory. */
enum policy_host_state {
    POLICY_HOST_HIGH, /* it has its reserve */
    POLICY_HOST_SOFT, /* less: nothing grows, guests give what they have beyond R */
    POLICY_HOST_HARD, /* less than 64 % of it: dead bands are no excuse any more */
    POLICY_HOST_LOW,  /* less than 32 % of it: page cache is the guests' to give */
    /* Each one worse than that while the host is under pressure: see struct policy_host. */
};

/* The host in the policy's eyes, kept between cycles; all zero before the first. */
struct policy_host {
    enum policy_host_state state;
    uint64_t pool_kib;  /* what all guests together may have, overheads included */
    uint64_t level_kib; /* what everyone would have unused by the pool; at 1000 shares */
    uint64_t unmet_kib; /* of what is reserved: promised to guests still, or not there */

    /* All of its tasks wait for memory too often, and it is not far from its reserve. */
    bool is_pressed;
    uint64_t pressed_usec; /* since when it has shown that; 0: it does not */
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
    POLICY_STARVING, /* less than R is unused, or it swaps in */
    POLICY_CACHES,   /* its page cache would like more */
    POLICY_SPARE,    /* it has more than its headroom unused */
    POLICY_DONATES,  /* others have less unused than it */
    POLICY_LEFT,     /* it is not to be balanced any more: it comes to the size of the goal */
    /* From here on: held, because nothing can be decided about it. */
    POLICY_NO_BALLOON, /* cannot be changed, see its obstacle: counted at its full size */
    POLICY_UNMANAGED,  /* is not to be changed: counted at its size */
    POLICY_FROZEN,     /* its emulator does not answer: counted at its last size */
    POLICY_UNREAD,     /* could not be read now: counted at its last size */
    POLICY_BUSY,       /* migrates, or the like: a request would wait until that is over */
    POLICY_PAUSED,     /* does not run: it will want its memory back when it does */
    POLICY_NO_NEWS,    /* the guest has never reported, or is not asked to */
    POLICY_STALE,      /* the guest's last report is too old */
    POLICY_IMPOSSIBLE, /* the guest's report contradicts itself: dropped */
    POLICY_STUCK,      /* its balloon has not moved as asked: to be tried again */
};

/* What kept the target from being all that the reason asks for. */
enum policy_bound {
    POLICY_UNBOUND,
    POLICY_BOUND_MIN,       /* its minimum */
    POLICY_BOUND_MAX,       /* its maximum */
    POLICY_BOUND_POOL,      /* the host has no more to promise */
    POLICY_BOUND_SHARE,     /* it has its share, and others need more */
    POLICY_BOUND_CACHE,     /* page cache is fed only so far */
    POLICY_BOUND_UNTOUCHED, /* it says that it uses what its emulator has never held */
    POLICY_BOUND_DEAD_BAND, /* too little to be worth a call */
    POLICY_BOUND_GRADUAL,   /* memory is given back in steps */
    POLICY_BOUND_IN_FLIGHT, /* the last request has not arrived yet */
    POLICY_BOUND_SWAPPING,  /* it has swapped in of late */
    POLICY_BOUND_GRACE,     /* its size has not yet been seen at rest */
    POLICY_BOUND_HOST,      /* the host does not say what it has */
};

/* What the policy remembers of one domain between cycles. Plain data; all zero for a new domain. */
struct policy_memory {
    /* Flags stand together: each would take the room of a size between sizes, and of very many
     * domains it is the reading that takes the time. */
    bool has_report;
    bool confirmed; /* its last_update was seen to change, or agreed with the wall clock */
    bool has_actual;
    bool has_rss;
    bool has_unseen;     /* the size was seen at rest, so that unseen_kib is exact */
    bool saw_more;       /* its last report at rest was of more than its size */
    bool counts_balloon; /* it sees its maximum always, and its balloon as used (autodeflate) */
    bool was_rising;     /* its use, at the last report */
    bool has_swap;       /* it has been seen to swap in */
    bool is_hungry;      /* all its reports since hungry_usec say that next to nothing is unused */
    bool has_asked;
    bool has_shrunk;

    /* The last report. */
    uint64_t last_update_sec;
    uint64_t unused_kib;
    uint64_t available_kib;
    uint64_t usable_kib;     /* at least unused_kib */
    int64_t wall_offset_sec; /* wall clock less monotonic, at the last report */
    int64_t least_lag_usec;  /* now - last_update of the youngest report, whatever the clocks are */

    uint64_t found_kib; /* its size when it was first seen; 0: it has not been yet */

    /* The last look, and what the guest does not see of its size. */
    uint64_t actual_kib;
    uint64_t rss_kib;
    uint64_t held_kib;     /* the most of that for as long as the size was no less */
    uint64_t overhead_kib; /* what of that is not the guest's memory, as far as that has shown */
    uint64_t changed_usec; /* when the size was last seen to change; 0: never */
    int64_t unseen_kib;

    /* What the guest uses: now, and as a peak that fades; what of that is not page cache; and how
     * fast that grows. */
    uint64_t used_kib;
    uint64_t used_usec; /* when that was learnt (monotonic) */
    uint64_t peak_kib;
    uint64_t change_kib; /* of use, at the last report */
    uint64_t swing_kib;
    uint64_t jitter_kib; /* how far it goes back and forth; fades */
    uint64_t needed_kib;
    uint64_t former_kib;         /* that of the report before; 0: there is none */
    uint64_t steady_kib;         /* the same, what goes to and fro averaged */
    uint64_t believed_kib;       /* no more of it than the emulator holds */
    uint64_t growth_kib_per_sec; /* between the last two times */
    uint64_t rate_kib_per_sec;   /* confirmed by two in a row; fades */

    /* Signs of pain. */
    uint64_t swap_in_kib;
    uint64_t swapping_kib; /* swapped in between the last two reports */
    uint64_t major_faults;
    uint64_t swap_usec;    /* when it was last seen to swap in */
    uint64_t swapped_usec; /* when it was last seen to swap in, or to thrash */
    uint64_t rest_usec;    /* for how long it is left alone from then on; 0: it has never */
    uint64_t hungry_usec;
    uint64_t hungry_size_kib; /* its size then */

    /* The last request. */
    uint64_t asked_kib;
    uint64_t asked_usec;
    uint64_t moved_usec;   /* when it was made, or the balloon last seen to move */
    uint64_t shrunk_usec;  /* when it was last asked to give */
    uint64_t stuck_usec;   /* when its balloon was last found stuck */
    uint64_t backoff_usec; /* for how long it is left alone from then on; 0: it is not stuck */
};

/* What is to happen to one domain, and the figures it came from. */
struct policy_decision {
    /* What every pouring looks at, together: it does so many times. */
    uint64_t target_kib; /* what to ask for; from_kib for POLICY_HOLD */
    uint64_t bottom_kib; /* what it needs: where the pouring begins */
    uint64_t floor_kib;  /* the range its target was sought in */
    uint64_t ceiling_kib;
    uint64_t shares;     /* its weight in that */
    uint64_t growth_kib; /* what it will grow by until the next decision reaches it */
    uint64_t wait_kib;   /* what the one that grows most will grow by more */
    bool in_play;        /* takes part in the sharing out of what is free */
    bool is_settling;    /* what it was last asked for is on its way, or has not been seen */
    bool has_just_given; /* and is not to give again so soon */

    enum policy_action action;
    enum policy_reason reason;
    enum policy_bound bound;
    uint64_t from_kib; /* its size now, or the size it is already on its way to */
    uint64_t wish_kib; /* what it would take if all others had enough; at least the ceiling */
    uint64_t min_kib;  /* what is set for it, as far as the domain can follow */
    uint64_t max_kib;
    uint64_t goal_kib;    /* the size that it is to come to; 0: one that leaves it its headroom */
    uint64_t used_kib;    /* what it uses */
    uint64_t peak_kib;    /* what it has used lately */
    uint64_t jitter_kib;  /* how far that goes back and forth */
    uint64_t claimed_kib; /* what of that is not page cache */
    uint64_t former_kib;  /* needed_kib by the report before */
    uint64_t doubt_kib;   /* what it may have taken since that was learnt, unseen */
    uint64_t needed_kib;  /* what of that can be believed; more, if it swaps in */
    uint64_t unused_kib;  /* from_kib - needed_kib, or 0 */
    bool is_famished;     /* next to nothing has been unused for long */
    bool can_swap;        /* it has swapped in of late, or not long ago */
    bool is_new;          /* it has not been seen at rest yet: nothing is taken from it */
    bool swaps_now;       /* or thrashes: nothing is taken from it unless others have less than R */
    bool has_swapped;     /* of late: nor is its headroom */
    bool overclaims;      /* it says it uses what its emulator has never held */
    bool is_insatiable;   /* it was given much and has had nothing to show for it */
    uint64_t least_kib;   /* R: what it must have unused */
    uint64_t headroom_kib; /* what it should have unused */
    uint64_t fair_kib;     /* its part of the pool, by shares, idle memory taxed; 0 while they do
                              not matter */
    uint64_t owed_kib;     /* what it has or may take at any moment, without its overhead */
    uint64_t rss_kib;      /* what the emulator holds now */
    uint64_t overhead_kib; /* what the emulator takes beside that */
};

/*
 * Decides for all COUNT domains of SNAPSHOT at once.
 *
 * limits[i] belongs to snapshot->domains[i]; memory[i] is what was remembered of it and is brought
 * up to date, as is HOST; decisions[i] is written whole. Any figures are safe: sums saturate,
 * contradictions hold the one domain. The order of the domains makes no difference. O(n log m) for
 * n domains of at most m KiB.
 */
void policy_decide(const struct policy_config *config, const struct snapshot *snapshot,
                   const struct policy_limits *limits, struct policy_host *host,
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
