/*
 * law_peers.h - the laws by which others move memory between guests, as decide functions of law.h.
 *
 * Written from their published descriptions and constants, not from their code. All of them are run
 * at the scenario's interval, where most of theirs is 10 s, with reports as young as the
 * coordinator's own, within the scenario's bounds for each guest and, where they know of one, with
 * its reserve of the host: all of that flatters them.
 */
#ifndef MC_SIM_LAW_PEERS_H
#define MC_SIM_LAW_PEERS_H

#include "law.h"

/* oVirt's Memory Overcommitment Manager, its ballooning rules. */
void law_mom(const struct sim_world *world, const struct snapshot *snapshot,
             const size_t *domain_of, struct law_memory *memory, uint64_t *targets_kib);

/* Proxmox VE, auto-ballooning. */
void law_proxmox(const struct sim_world *world, const struct snapshot *snapshot,
                 const size_t *domain_of, struct law_memory *memory, uint64_t *targets_kib);

/* Qubes OS, qmemman. */
void law_qmemman(const struct sim_world *world, const struct snapshot *snapshot,
                 const size_t *domain_of, struct law_memory *memory, uint64_t *targets_kib);

/* XenServer and XCP-ng, squeezed. */
void law_squeezed(const struct sim_world *world, const struct snapshot *snapshot,
                  const size_t *domain_of, struct law_memory *memory, uint64_t *targets_kib);

/* Hyper-V, Dynamic Memory. */
void law_hyperv(const struct sim_world *world, const struct snapshot *snapshot,
                const size_t *domain_of, struct law_memory *memory, uint64_t *targets_kib);

/* Fixed thresholds and a fixed step: the usual answer to the course's assignment. */
void law_course(const struct sim_world *world, const struct snapshot *snapshot,
                const size_t *domain_of, struct law_memory *memory, uint64_t *targets_kib);

/* Nobody moves anything. */
void law_static(const struct sim_world *world, const struct snapshot *snapshot,
                const size_t *domain_of, struct law_memory *memory, uint64_t *targets_kib);

#endif
