/*
 * replay.h - decides recorded cycles once more, and says where it would decide otherwise.
 *
 * Each cycle is decided on what was found then and on what was really asked for before it: the
 * guests of a record do not follow what is asked of them here. So each difference is one step: what
 * the other settings would have done there and then.
 */
#ifndef MC_REPLAY_H
#define MC_REPLAY_H

#include "config.h"
#include "record.h"

#include <stdio.h>

struct replay;

/* How a record compares. */
struct replay_totals {
    uint64_t cycles; /* that were decided again */
    uint64_t decisions;
    uint64_t differences; /* decisions with another action, or another target for it */
    uint64_t beginnings;  /* cycles from which it could only go on: the first of each run */
};

/* One setting of all guests that is to be another one: what config_set() takes. */
struct replay_knob {
    const char *key;
    const char *value;
};

/* What to decide by. */
struct replay_rules {
    const struct config *config;     /* its interval excepted; NULL: what was in force then */
    const struct replay_knob *knobs; /* of [coordinator] those but limits; they win */
    size_t knob_count;
};

/*
 * Differences are printed to OUTPUT; NULL: they are only counted. It and what RULES point to must
 * outlive this. Returns NULL when out of memory.
 */
struct replay *replay_new(const struct replay_rules *rules, FILE *output);

/*
 * Takes the next cycle, which it then owns. A cycle that does not follow on the last one, because
 * lines are missing between them, is only a beginning if it brings what was remembered, and is left
 * out otherwise. Returns 0 or -ENOMEM.
 */
int replay_take(struct replay *replay, struct record *record);

struct replay_totals replay_totals(const struct replay *replay);

/* Frees; NULL is no harm. */
void replay_free(struct replay *replay);

#endif
