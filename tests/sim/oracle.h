/*
 * oracle.h - what would be right: the ideal sharing out of a host's memory, from the truth.
 *
 * Written apart from the policy, on floating-point numbers, to check it. It knows all lies.
 */
#ifndef MC_SIM_ORACLE_H
#define MC_SIM_ORACLE_H

#include "sim.h"

/*
 * Sets right_kib[i] for each guest of WORLD: what it uses and its headroom if the host can afford
 * that for all, else the same unused amount, by shares, for all; within its bounds. A guest that
 * cannot be moved has the size it has. Found by plain bisection on floating-point numbers: written
 * apart from the policy, to check it. Returns the level in KiB at POLICY_SHARES shares; where all
 * headrooms can be afforded that is the highest of them, and below 0 where not even what is used
 * can.
 */
double oracle_share_out(const struct sim_world *world, double *right_kib);

/* R of guest GUEST, and R with what it can take before the next decision reaches it. */
double oracle_reserve_kib(const struct sim_world *world, size_t guest);
double oracle_headroom_kib(const struct sim_world *world, size_t guest);

/* ---- the parts, for score.c and law.c ---- */

/* A guest as memory is poured over it. */
struct oracle_vessel {
    bool moves; /* false: all of the rest is nothing to anybody */
    double need_kib;
    double headroom_kib; /* most it should have beyond its need */
    double low_kib;
    double high_kib;
    double weight; /* 1 at POLICY_SHARES shares */
};

/*
 * Sets right_kib[i] for each of the COUNT vessels that moves, so that they have BUDGET_KIB together
 * or, if less is enough for them, less; those that do not are left as they are. Returns the level.
 */
double oracle_pour(const struct oracle_vessel *vessels, size_t count, double budget_kib,
                   double *right_kib);

/* As oracle_share_out, in the caller's array of world->guest_count vessels. */
double oracle_share_out_in(const struct sim_world *world, struct oracle_vessel *vessels,
                           double *right_kib);

/* Here, running, managed, with a balloon that moves; requests reach it, and it is no mute. */
bool oracle_can_move(const struct sim_world *world, size_t guest);

/* The range it may be asked for. */
double oracle_low_kib(const struct sim_world *world, size_t guest);
double oracle_high_kib(const struct sim_world *world, size_t guest);

/* 1 for POLICY_SHARES shares. */
double oracle_weight(const struct sim_world *world, size_t guest);

/* What it needs now: its use and what it has swapped out; and what it needed at the time of the
 * report that can be read now. Page cache is no need. */
double oracle_need_kib(const struct sim_world *world, size_t guest);
double oracle_reported_need_kib(const struct sim_world *world, size_t guest);

/* The page cache that counts as used by the configured metric, and so is not to be taken while
 * nobody is short; now and at the time of that report. */
double oracle_cache_kib(const struct sim_world *world, size_t guest);
double oracle_reported_cache_kib(const struct sim_world *world, size_t guest);

/* The headroom of a guest that needs NEED_KIB, more by RATE_KIB_PER_SEC. */
double oracle_headroom_for_kib(const struct sim_world *world, size_t guest, double need_kib,
                               double rate_kib_per_sec);

/* How fast its demand has grown over the last interval and period: in both halves of that time,
 * since a single jump is not a ramp. */
double oracle_growth_kib_per_sec(const struct sim_world *world, size_t guest);

/* How often a guest reports once a coordinator has seen to it. */
uint64_t oracle_period_usec(const struct sim_world *world, size_t guest);

/* From a change in a guest until a decision on it has had its effect, at the latest. */
uint64_t oracle_horizon_usec(const struct sim_world *world, size_t guest);

/* The report that can be read contradicts nothing; whether it is true is another matter. */
bool oracle_is_possible(const struct sim_world *world, size_t guest);

/* Whether what can be read of the guest is young enough to decide on, and can be true. */
bool oracle_has_news(const struct sim_world *world, size_t guest);

/* What the host's programs, its reserve and the emulators leave for guests; may be negative. And
 * what of that no guest has or was promised. */
double oracle_pool_kib(const struct sim_world *world);
double oracle_unpromised_kib(const struct sim_world *world);

/* What of the host's memory is beyond its reserve now; may be negative. */
double oracle_growable_kib(const struct sim_world *world);

/* A change that is not worth a request, for a guest of that size. */
double oracle_dead_band_kib(double size_kib);

#endif
