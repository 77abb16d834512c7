/*
 * guest.h - one simulated guest: its memory, kernel, balloon and statistics.
 *
 * Demand. The plan's `use` is all that its programs and kernel want, the unseen part included. What
 * is wanted is taken from free memory, then from page cache, then by pushing pages to swap; where
 * all that is not enough the program is killed: what the series has beyond its least value is gone
 * until the series is back at that value. The same goes for a guest that is started anew in the
 * midst of it: its programs did not survive.
 *
 * Balloon. A request is heeded after the latency. Inflating takes free memory first, then page
 * cache, then, slowly, pushes pages to swap; it leaves a few MiB free and waits where there is
 * nothing to take, so that it never kills by itself. Whoever counts the balloon as used
 * (autodeflate) is killed as others are: the harder case.
 */
#ifndef MC_SIM_GUEST_H
#define MC_SIM_GUEST_H

#include "sim.h"

enum { GUEST_REQUESTS = 8, GUEST_REPORTS = 64 };

/* The longest latency of a balloon, and the longest delay of a report. */
#define GUEST_DELAY_MAX_USEC UINT64_C(30000000)

struct guest_request {
    uint64_t heeded_usec;
    uint64_t target_kib;
};

struct guest_report {
    uint64_t made_usec;
    bool has_figures; /* false: none has come yet */
    bool is_actual_garbage;
    uint64_t unused_kib;
    uint64_t available_kib;
    uint64_t usable_kib;
    uint64_t swap_in_kib;
    uint64_t major_faults;
    uint64_t true_used_kib;
    uint64_t true_unused_kib;
    uint64_t true_usable_kib;
};

struct guest {
    struct sim_guest *truth;
    uint64_t random;
    uint64_t base_kib; /* what it wants without programs: the least of its series */
    bool has_lost_programs;

    struct guest_request requests[GUEST_REQUESTS]; /* not heeded yet, in order */
    size_t request_count;
    uint64_t goal_kib; /* where the balloon goes */

    unsigned int period_sec; /* 0: it does not report */
    uint64_t next_report_usec;
    struct guest_report reports[GUEST_REPORTS]; /* not readable yet, in order */
    size_t report_count;
    struct guest_report readable;
    unsigned int garbage; /* which kind comes next */
};

/* The guest of TRUTH->plan as it is at the beginning of a run; TRUTH is set whole. */
void guest_begin(struct guest *guest, struct sim_guest *truth, uint64_t seed);

/* SIM_STEP_USEC go by until NOW_USEC. */
void guest_step(struct guest *guest, uint64_t now_usec);

/* Asks for TARGET_KIB. */
void guest_ask(struct guest *guest, uint64_t now_usec, uint64_t target_kib);

/* From now on it is to report every PERIOD_SEC. */
void guest_set_period(struct guest *guest, uint64_t now_usec, unsigned int period_sec);

/* Fills in what can be read of it now: actual_kib, and its last report, dated from WALL_USEC on. */
void guest_describe(const struct guest *guest, uint64_t wall_usec, struct domain *domain);

#endif
