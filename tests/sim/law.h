/*
 * law.h - laws that decide in the coordinator's place: the reactive floor, and the laws that others
 * have published, so that all can be compared on the same scenarios.
 */
#ifndef MC_SIM_LAW_H
#define MC_SIM_LAW_H

#include "sim.h"

/* What a law may keep of one guest between cycles; all zero at first. */
struct law_memory {
    double figures[16];
};

struct law {
    const char *name;  /* as --policy takes it */
    const char *about; /* a line: whose it is, and its source */
    /*
     * Sets targets_kib[i] for guest i of WORLD, or 0 for no request. SNAPSHOT is what a coordinator
     * could read; domain_of[i] is guest i's place in it, or snapshot->count if it is not there.
     * Only the reactive floor looks at the truth in WORLD.
     */
    void (*decide)(const struct sim_world *world, const struct snapshot *snapshot,
                   const size_t *domain_of, struct law_memory *memory, uint64_t *targets_kib);
};

/* All laws, the last one with a NULL name. */
extern const struct law laws[];

/* The law of that name, or NULL. */
const struct law *law_find(const char *name);

#endif
