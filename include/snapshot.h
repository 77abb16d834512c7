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

enum {
    DOMAIN_UUID_BYTES = 16,
    DOMAIN_NAME_BYTES = 256,
    DOMAIN_REMARK_BYTES = 256,
    HOST_NODES_MOST = 64, /* of more the others are not looked at */
};

/* A figure that a guest, its emulator or the host may leave out. */
struct figure {
    bool known;
    uint64_t value;
};

/* A part of the host's memory that is near some of its processors (NUMA). */
struct host_node {
    unsigned int id;
    uint64_t total_kib;
    uint64_t available_kib; /* free, or what files are cached in */
};

/* The host's own memory. */
struct host {
    bool has_memory;        /* false: the host did not say; then nothing may grow */
    uint64_t total_kib;     /* all of it */
    uint64_t available_kib; /* free, or the kernel's to give back at once (buffers, page cache) */
    uint64_t arc_kib;       /* the part of that which is ZFS's cache */
    uint64_t reserved_kib;  /* kept for guests that are to start, as its administrator has said */

    /* For how much of the last ten seconds some of its tasks, or all that had work, were waiting
     * for memory (PSI, avg10): 10000 is all the time. */
    struct figure some_permyriad;
    struct figure full_permyriad;

    struct host_node nodes[HOST_NODES_MOST]; /* node_count of them, by id; 0 where there is one */
    size_t node_count;
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

/* Why a domain's size is not to be changed, whatever it reports. What is held whole is all of its
 * maximum, whatever its balloon says: QEMU does not give back what is in its balloon then. */
enum domain_obstacle {
    OBSTACLE_NONE,
    OBSTACLE_NO_BALLOON, /* it has no balloon */
    OBSTACLE_VIRTIO_MEM, /* its memory is more than its balloon knows of */
    OBSTACLE_HUGE_PAGES, /* held whole, and set aside for it beforehand: it is not the host's */
    OBSTACLE_DEVICE,     /* held whole: a device that is passed through to it may write anywhere */
    OBSTACLE_ENCRYPTED,  /* held whole */
    OBSTACLE_LOCKED,     /* held whole */
};

/* What a domain is busy with: until it is over, a request for its size would wait for that. */
enum domain_job {
    JOB_NONE,
    JOB_LEAVES,  /* it migrates to another host */
    JOB_ARRIVES, /* it migrates from another host, and may not even be asked for figures */
    JOB_STARTS,  /* likewise */
    JOB_SAVES,   /* its state is being saved, dumped or taken as a snapshot */
};

/* What is said about a domain; "" for nothing. */
struct domain_remarks {
    char settings_error[DOMAIN_REMARK_BYTES]; /* why its metadata is refused now */
    char trouble[DOMAIN_REMARK_BYTES];        /* what failed about it in this cycle */
};

/* One domain that runs, or is paused. What is decided on comes first, its name last: a decision for
 * a hundred thousand of them takes in little more than what it needs. */
struct domain {
    uint8_t uuid[DOMAIN_UUID_BYTES]; /* who it is; with id: which of its starts */
    int id;
    bool is_running;  /* false: paused */
    bool is_frozen;   /* its emulator does not answer; what follows is what was known before */
    bool is_to_start; /* it is over, and begins anew while the snapshot's list is kept */
    enum domain_job job;
    struct domain_remarks *remarks; /* the snapshot's; NULL, as for nearly all: there are none */

    /* What its configuration says; looked up when it appears, then kept. */
    bool is_known;                 /* false: not looked up yet, or to be looked up again */
    bool has_balloon;              /* false: its size cannot be changed */
    enum domain_obstacle obstacle; /* why not */
    unsigned int period_sec;       /* how often the guest reports; 0: never */
    uint64_t max_kib;              /* most the balloon can give back; 0 while not known */
    uint64_t current_kib;          /* its size when that was looked up */

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

    char name[DOMAIN_NAME_BYTES]; /* for people; cut when longer */
};

/* Everything one cycle decides on. */
struct snapshot {
    uint64_t now_usec; /* monotonic clock, when it was taken */
    int64_t wall_sec;  /* wall clock, only to be compared with last_update_sec */
    struct host host;
    struct domain *domains;         /* count of them, ordered by UUID; room for capacity */
    struct domain_remarks *remarks; /* room for those of each; untouched where there are none */
    size_t count;
    size_t capacity;
    bool is_borrowed;  /* all that is in somebody else's memory, which does not grow */
    bool is_list_kept; /* the next look is at these domains and no others: who asks for a list waits
                          for the end of a start, and that may be waiting for memory */
};

/*
 * Makes room for CAPACITY domains, keeping what is there. Returns 0 or -ENOMEM (nothing changed).
 */
int snapshot_reserve(struct snapshot *snapshot, size_t capacity);

/*
 * Takes over the remarks of the domain at INDEX, which may be anywhere: it then has the snapshot's
 * own, or none where nothing is said.
 */
void snapshot_keep_remarks(struct snapshot *snapshot, size_t index);

/* What failed about DOMAIN in this cycle, and why its metadata is refused; "" for nothing. */
const char *domain_trouble(const struct domain *domain);
const char *domain_settings_error(const struct domain *domain);

/*
 * The index of the domain with this UUID and id, or snapshot->count if it is not there. A domain
 * that was started anew has its old UUID and a new id, and is another one.
 */
size_t snapshot_find(const struct snapshot *snapshot, const uint8_t uuid[DOMAIN_UUID_BYTES],
                     int id);

/* The same for DOMAIN of another snapshot, looked for first in the PLACE that it has there: in most
 * cycles all have kept theirs. */
size_t snapshot_find_again(const struct snapshot *snapshot, const struct domain *domain,
                           size_t place);

/*
 * The index of the node of HOST that is the shortest of memory, of those that have less than their
 * part of RESERVE_KIB available, while the host has all of it; node_count if there is none. WAS is
 * what was found last: that one has recovered only when a sixteenth more is available.
 */
size_t snapshot_short_node(const struct host *host, uint64_t reserve_kib, size_t was);

/* Frees the domains, if they are its own, and empties the snapshot; NULL is no harm. */
void snapshot_release(struct snapshot *snapshot);

#endif
