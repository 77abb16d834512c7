/*
 * scenario.h - scenario files: read, checked, written. tests/scenarios/FORMAT.md tells the format.
 *
 * Pure but for the stream; nothing here prints or exits.
 */
#ifndef MC_SIM_SCENARIO_H
#define MC_SIM_SCENARIO_H

#include "sim.h"

#include <stdio.h>

/* A scenario without guests: the defaults; and a guest with the defaults. */
struct sim_scenario scenario_default(void);
struct sim_guest_plan scenario_default_guest(void);

/*
 * Reads a scenario from STREAM, which PATH names. Returns 0; -EINVAL with "PATH:LINE: what was
 * expected" in ERROR, or -errno of the stream or for want of memory; *RET_SCENARIO is then left
 * alone.
 */
int scenario_parse(FILE *stream, const char *path, struct sim_scenario *ret_scenario,
                   char error[SIM_ERROR_BYTES]);

/* Opens PATH and does the same; that it cannot be opened is told in ERROR too. */
int scenario_read(const char *path, struct sim_scenario *ret_scenario, char error[SIM_ERROR_BYTES]);

/* Writes SCENARIO so that scenario_parse() reads the same. Returns 0, or -errno of the stream. */
int scenario_write(const struct sim_scenario *scenario, FILE *stream);

/* Adds a point to a series, a spell to spells, a copy of a guest to a scenario. 0 or -ENOMEM. */
int scenario_add_point(struct sim_series *series, uint64_t at_usec, uint64_t kib);
int scenario_add_spell(struct sim_spells *spells, uint64_t from_usec, uint64_t until_usec);
int scenario_add_guest(struct sim_scenario *scenario, const struct sim_guest_plan *plan);

/* Frees what a guest's plan, or a whole scenario, holds, and empties it. */
void scenario_release_guest(struct sim_guest_plan *plan);
void scenario_release(struct sim_scenario *scenario);

#endif
