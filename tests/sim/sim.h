/*
 * sim.h - simulated hosts and guests in virtual time: the plain data that all parts of the
 * simulator share. Sizes are KiB, times microseconds since the run began.
 *
 *   truth.c     what these data say: the functions below
 *   scenario.c  a scenario file -> struct sim_scenario
 *   guest.c     one guest: memory, kernel, balloon, statistics
 *   world.c     host and guests; the hypervisor's operations on them; a run from start to end
 *   oracle.c    what would be right: the ideal sharing out of the host's memory
 *   law.c       laws that decide in the coordinator's place: the reactive floor, the peers'
 *   score.c     gates and scores of a run
 *   random.c    random scenarios
 *   sim.c       the command line
 */
#ifndef MC_SIM_H
#define MC_SIM_H

#include "config.h"
#include "snapshot.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { SIM_NAME_BYTES = 64, SIM_ERROR_BYTES = 512, SIM_STEP_USEC = 100000 };

/* ---- a scenario, as written ---- */

struct sim_point {
    uint64_t at_usec;
    uint64_t kib;
};

/* A quantity over time: straight between its points, level before the first and after the last. */
struct sim_series {
    struct sim_point *points;
    size_t count;
};

/* What the series is at AT_USEC, 0 where it has no points; and the least and the most it ever is.
 * Where several points are of one time the last of them holds from then on: a step. */
uint64_t sim_series_at(const struct sim_series *series, uint64_t at_usec);
uint64_t sim_series_least(const struct sim_series *series);
uint64_t sim_series_most(const struct sim_series *series);

/* When something holds: from from_usec until just before until_usec. */
struct sim_spell {
    uint64_t from_usec;
    uint64_t until_usec;
};

struct sim_spells {
    struct sim_spell *spells;
    size_t count;
};

/* Whether one of them holds at AT_USEC. */
bool sim_spells_hold(const struct sim_spells *spells, uint64_t at_usec);

struct sim_guest_plan {
    char name[SIM_NAME_BYTES];
    uint64_t max_kib;         /* <memory> */
    uint64_t start_kib;       /* its size when the run begins */
    struct settings settings; /* the knobs of its metadata */

    /* what goes on in it */
    struct sim_series use;   /* memory its programs and kernel want, page cache not included */
    struct sim_series cache; /* page cache it would like to have */
    uint64_t unseen_kib;     /* of its size, what it does not see: kernel image, page tables */
    uint64_t swap_kib;       /* its swap space */
    bool touched; /* at the start all its memory has been touched, else only what it uses */

    /* its balloon */
    bool has_balloon;
    bool counts_balloon; /* autodeflate: sees its maximum, the balloon counts as used */
    uint64_t rate_kib_per_sec;
    uint64_t latency_usec;
    uint64_t inexact_kib;    /* stops up to so much short of its target */
    uint64_t limit_kib;      /* never goes below; 0: no limit */
    struct sim_spells stuck; /* when it does not move */

    /* its statistics */
    unsigned int period_sec;       /* what the emulator is set to before anybody asks; 0: off */
    bool is_mute;                  /* never reports, whatever it is asked */
    uint64_t delay_usec;           /* a report is so old when it can be read */
    uint64_t noise_kib;            /* unused is wrong by up to so much */
    struct sim_spells frozen;      /* no new reports */
    struct sim_spells garbage;     /* figures that cannot be */
    struct sim_spells claims_none; /* lies: 0 unused */
    struct sim_spells claims_all;  /* lies: all but 64 MiB of what it sees is unused */

    /* its life */
    struct sim_spells absent; /* not running: before a start, after a crash, while rebooting */
    struct sim_spells paused;
    struct sim_spells refuses; /* requests for it fail */
};

struct sim_scenario {
    char name[SIM_NAME_BYTES]; /* of the file, without its folder and .ini */
    char about[256];
    uint64_t length_usec;
    uint64_t host_kib[2];           /* all memory of the host: ample, tight; 0: no such variant */
    struct sim_series others;       /* what the host's other programs hold */
    uint64_t overhead_kib;          /* what each emulator takes beside its guest */
    struct sim_spells disconnected; /* the hypervisor does not answer */
    struct sim_series restarts;     /* the coordinator starts afresh at these times; no sizes */
    uint64_t intervals_usec[8];
    size_t interval_count;
    struct config config; /* the coordinator's: reserve, surge, metric, defaults */
    struct sim_guest_plan *guests;
    size_t guest_count;
};

/* ---- a run: the truth at this instant ---- */

struct sim_guest {
    const struct sim_guest_plan *plan;
    bool is_here; /* runs, or is paused */
    bool is_running;
    int id;              /* another one with each start */
    uint64_t size_kib;   /* what the balloon leaves it: actual */
    uint64_t target_kib; /* what was last asked of it */
    uint64_t asked_usec;
    uint64_t used_kib;  /* in its memory now: programs and kernel, unseen included; no page cache */
    uint64_t cache_kib; /* page cache in its memory now */
    uint64_t wanted_kib; /* what those of its programs that live, and the kernel, want: used_kib and
                            swapped_kib, and what it could not get */
    uint64_t swapped_kib; /* of what its programs want, in its swap space */
    uint64_t swap_in_kib; /* counters, as the guest reports them */
    uint64_t major_faults;
    uint64_t touched_kib;         /* what the emulator holds of its memory: rss without overhead */
    unsigned int kills;           /* out-of-memory kills so far */
    bool is_stuck;                /* its balloon does not move now */
    bool is_lying;                /* a report made now is false: garbage or a claim */
    uint64_t reported_usec;       /* when the report that can be read now was made */
    uint64_t reported_used_kib;   /* the truth at that time: used_kib */
    uint64_t reported_unused_kib; /* and size - used - cache */
    uint64_t reported_usable_kib; /* and size - used */
};

/* size - used - cache, or 0; and size - used, or 0. */
uint64_t sim_unused_kib(const struct sim_guest *guest);
uint64_t sim_usable_kib(const struct sim_guest *guest);

struct sim_world {
    const struct sim_scenario *scenario;
    bool is_tight;
    uint64_t interval_usec;
    uint64_t now_usec;
    uint64_t total_kib;       /* the host's memory */
    uint64_t others_kib;      /* what its other programs hold now */
    struct sim_guest *guests; /* scenario->guest_count of them, in its order, here or not */
    size_t guest_count;
    struct policy_limits *limits; /* what holds for each of them: settings and defaults together */
};

/* total - others - what all emulators hold, or 0. What the host says is available. */
uint64_t sim_available_kib(const struct sim_world *world);

#endif
