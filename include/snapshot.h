/*
 * snapshot.h - what one look at the host and its guests found, as plain data.
 *
 * The vocabulary of the program: hypervisor.c fills it, policy.c decides on it, report.c prints it.
 * Sizes are KiB, libvirt's unit. A figure that may be missing has a has_ flag; never 0 or -1 for
 * "none".
 */
#ifndef MC_SNAPSHOT_H
#define MC_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DOMAIN_UUID_BYTES = 16, DOMAIN_NAME_BYTES = 256, DOMAIN_TROUBLE_BYTES = 256 };

/* The host's own memory. */
struct host {
    bool has_memory;        /* false: the host did not say; then nothing may grow */
    uint64_t total_kib;     /* all of it */
    uint64_t available_kib; /* free, or the kernel's to give back at once (buffers, page cache) */
};

/* A figure that a guest or its emulator may leave out. */
struct figure {
    bool known;
    uint64_t value;
};

/* What was set for one domain; what is not known is not set. */
struct settings {
    struct figure managed; /* 0: it is never called */
    struct figure min_kib;
    struct figure max_kib;
    struct figure shares;
    struct figure headroom_kib; /* this or the percentage; the one set later wins */
    struct figure headroom_percent;
};

/* One domain that runs, or is paused. What is decided on comes first, what is said about it last: a
 * decision for a hundred thousand of them takes in little more than what it needs. */
struct domain {
    uint8_t uuid[DOMAIN_UUID_BYTES]; /* who it is; with id: which of its starts */
    int id;
    bool is_running; /* false: paused */

    /* What its configuration says; looked up when it appears, then kept. */
    bool is_known;           /* false: not looked up yet, or to be looked up again */
    bool has_balloon;        /* false: its size cannot be changed */
    unsigned int period_sec; /* how often the guest reports; 0: never */
    uint64_t max_kib;        /* most the balloon can give back; 0 while not known */

    struct figure actual_kib; /* present size, asked of the emulator just now */
    struct figure rss_kib;    /* what the emulator holds on the host just now */

    /* The guest's own report, all of one moment: last_update_sec, in the host's wall clock. */
    struct figure unused_kib;      /* free memory; page cache is not in it */
    struct figure available_kib;   /* total memory the guest sees (MemTotal) */
    struct figure usable_kib;      /* could be had without swapping (MemAvailable) */
    struct figure last_update_sec; /* seconds since the epoch; 0: never */
    struct figure swap_in_kib;     /* counter since the guest's start */
    struct figure major_faults;    /* counter since the guest's start */

    struct settings settings; /* what its own metadata sets, or set when it was last right */

    char name[DOMAIN_NAME_BYTES];              /* for people; cut when longer */
    char settings_error[DOMAIN_TROUBLE_BYTES]; /* why its metadata is refused now; "" for nothing */
    char trouble[DOMAIN_TROUBLE_BYTES]; /* what failed about it in this cycle; "" for nothing */
};

/* Everything one cycle decides on. */
struct snapshot {
    uint64_t now_usec; /* monotonic clock, when it was taken */
    int64_t wall_sec;  /* wall clock, only to be compared with last_update_sec */
    struct host host;
    struct domain *domains; /* count of them, ordered by UUID; room for capacity */
    size_t count;
    size_t capacity;
};

/*
 * Makes room for CAPACITY domains, keeping what is there. Returns 0 or -ENOMEM (nothing changed).
 */
int snapshot_reserve(struct snapshot *snapshot, size_t capacity);

/*
 * The index of the domain with this UUID and id, or snapshot->count if it is not there. A domain
 * that was started anew has its old UUID and a new id, and is another one.
 */
size_t snapshot_find(const struct snapshot *snapshot, const uint8_t uuid[DOMAIN_UUID_BYTES],
                     int id);

/* Frees the domains and empties the snapshot; NULL is no harm. */
void snapshot_release(struct snapshot *snapshot);

#endif
