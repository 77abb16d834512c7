/*
 * score.h - what a run was worth: gates that no run may break, scores to compare laws by.
 *
 * What is unused is the truth, size less use: page cache can be had. Memory is avoidably missing
 * where the guest could be given more (it is below its maximum, managed, its balloon moves) and
 * there was some: free beyond the host's reserve and promised to nobody else, or unused in another
 * guest beyond both R and the common level.
 */
#ifndef MC_SIM_SCORE_H
#define MC_SIM_SCORE_H

#include "sim.h"

/*
 * G1..G7 are gates[0]..gates[6]:
 * G1 a request outside the guest's range, other than towards it; or to one that is not to be called
 * G2 growth ordered while the host is at or under its reserve
 * G3 growth ordered that makes the promises exceed the pool
 * G4 a shrink that would leave less than R unused, or that is not gradual
 * G5 a shrink ordered on a report that is missing, too old or garbage
 * G6 out of memory or swapping in within 30 s of our own shrink, for want of what it took
 * G7 the run could not be played; whoever plays it sets that
 */
enum { SCORE_GATES = 7, SCORE_NOTE_BYTES = 256 };

struct scores {
    unsigned int gates[SCORE_GATES]; /* breaches of each */
    char notes[SCORE_GATES]
              [SCORE_NOTE_BYTES]; /* the first breach of each in words, with its time */

    double starved_sec;       /* guest-seconds under R while it was avoidable */
    double shortfall_mib_sec; /* integral of (R - unused)+ while it was avoidable */
    double waste_mib_sec;     /* integral of what is unused beyond the headroom */
    double moved_mib;         /* sum of all changes of size */
    double least_moved_mib;   /* what had to be moved at the least */
    unsigned int calls;       /* requests made */
    unsigned int late_calls;  /* requests in the last third of the run */
    double fairness;      /* min / max of unused by shares under scarcity; 1 where there was none */
    double jain;          /* Jain's index of the same */
    double settle_sec;    /* longest time from a change of need until the size is right */
    double overshoot_mib; /* most that a guest had beyond its right size after a growth */
    unsigned int kills;   /* out-of-memory kills, avoidable or not */
    double swap_in_mib;
};

struct score;

/* A score-keeper for a run of WORLD that is about to start. NULL when out of memory. */
struct score *score_begin(const struct sim_world *world);

/* A cycle begins: statistics will be read, requests may follow. */
void score_cycle(struct score *score, const struct sim_world *world);

/* Guest GUEST is asked for TARGET_KIB; WORLD does not know it yet. */
void score_order(struct score *score, const struct sim_world *world, size_t guest,
                 uint64_t target_kib);

/* STEP_USEC have gone by; WORLD is as it is after them. */
void score_step(struct score *score, const struct sim_world *world, uint64_t step_usec);

/* The run has ended: the scores; SCORE is freed. */
struct scores score_end(struct score *score, const struct sim_world *world);

#endif
