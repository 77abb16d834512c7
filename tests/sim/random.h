/* random.h - random worlds: scenarios that nobody has thought of. */
#ifndef MC_SIM_RANDOM_H
#define MC_SIM_RANDOM_H

#include "sim.h"

/*
 * Makes the scenario of SEED: 1 to 64 guests with demands, bounds and shares of their own, a host
 * with or without other programs, one interval, either ample or tight; one in three worlds is free
 * of faults. Same seed, same scenario, which scenario_write() can keep. Returns 0 or -ENOMEM.
 */
int random_scenario(uint64_t seed, struct sim_scenario *ret_scenario);

#endif
