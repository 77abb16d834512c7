/* world.h - a run: guests and host in virtual time, and who decides. */
#ifndef MC_SIM_WORLD_H
#define MC_SIM_WORLD_H

#include "law.h"
#include "log.h"
#include "score.h"
#include "sim.h"

struct sim_run {
    const struct sim_scenario *scenario;
    bool is_tight;
    uint64_t interval_usec;
    uint64_t seed;
    const struct law *law; /* NULL: the coordinator itself */
    FILE *trace;           /* a recording of the run, as scripts/plot draws it; or NULL */
    FILE *record;          /* the coordinator's own record, a line a cycle; or NULL */
    FILE *log;             /* the coordinator's own lines, with the time; or NULL */
    enum log_level log_level;
};

/* Plays RUN from start to end. Returns 0 and *RET_SCORES, or -ENOMEM. Same run, same scores
 * and same bytes. */
int world_play(const struct sim_run *run, struct scores *ret_scores);

#endif
