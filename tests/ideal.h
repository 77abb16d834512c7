/* ideal.h - a host of ideal guests: their balloons do at once what they are asked for, and they
 * report at once what that led to. */
#ifndef MC_TESTS_IDEAL_H
#define MC_TESTS_IDEAL_H

#include "policy.h"
#include "support.h"

enum { WORLD_MOST = 16 };

/* 100 + 28 * (1 s interval + 1 s period + 0.3 s latency), in KiB */
#define DEFAULT_HEADROOM_KIB (100 * MIB + 28 * MIB * 23 / 10)
/* What the guests of these tests do not see of their size: kernel image and page tables. */
#define UNSEEN_KIB (69 * MIB)
/* What every emulator counts for at least. */
#define OVERHEAD_KIB (32 * MIB)
/* And what it is taken for until the guest has touched its memory. */
#define UNSHOWN_OVERHEAD_KIB (128 * MIB)

struct world {
    struct policy_config config;
    struct snapshot snapshot;
    struct domain domains[WORLD_MOST];
    struct policy_limits limits[WORLD_MOST];
    struct policy_host host;
    struct policy_memory memory[WORLD_MOST];
    struct policy_decision decisions[WORLD_MOST];
    uint64_t used_kib[WORLD_MOST];      /* what the guest really uses, kernel included */
    uint64_t reported_usec[WORLD_MOST]; /* when a report last came, in random worlds */
    uint64_t host_kib;                  /* the host's memory for guests and itself */
    uint64_t set_aside_kib;             /* what of that is in huge pages */
    unsigned int moves;                 /* requests made in the last cycle */
};

/* What is set for every guest unless a test says otherwise. */
extern const struct policy_limits world_limits;

/* A host of HOST_KIB without guests, with the program's defaults at an interval of 1 s. */
struct world world_make(uint64_t host_kib);

/* The same with four guests of 512 of 2048 MiB that use 180 of them. */
struct world world_make_course(uint64_t host_kib);

/* Adds a guest. */
void world_add(struct world *world, uint64_t actual_kib, uint64_t used_kib, uint64_t max_kib);

/* Has a domain report a use of USED_KIB as of LAST_UPDATE_SEC. */
void world_report(struct domain *domain, uint64_t used_kib, uint64_t last_update_sec);

/* What all emulators hold. */
uint64_t world_rss_kib(const struct world *world);

/* What guest I really has unused. */
uint64_t world_unused_kib(const struct world *world, size_t i);

/* Decides; nothing is done yet. */
void world_decide(struct world *world);

/* Time goes on by an interval: everyone does as asked, then reports. */
void world_advance(struct world *world);

/* Both, once or many times. */
void world_cycle(struct world *world);
void world_run(struct world *world, unsigned int cycles);

#endif
