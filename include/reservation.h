/*
 * reservation.h - memory set aside for a guest before it starts, and what of it is there.
 *
 * Times are of the monotonic clock, which is the same for all processes of a host, goes on over a
 * restart of the coordinator and never jumps. Pure: files are in reservation_file.h.
 */
#ifndef MC_RESERVATION_H
#define MC_RESERVATION_H

#include "snapshot.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RESERVATIONS_MOST = 64 };

struct reservation {
    char name[DOMAIN_NAME_BYTES]; /* of the guest that is to start; "" is none */
    uint64_t size_kib;
    uint64_t since_usec;
    uint64_t until_usec; /* when it lapses */

    /* Until then the hypervisor itself may be waiting for the memory, in a hook, and keep whoever
     * asks it for its list of domains waiting, too; 0: it is not. */
    uint64_t start_waits_usec;

    /* By the last look; not in the file. */
    uint64_t left_kib; /* what the guest does not have yet; 0: it has started, and this is over */
    uint64_t held_kib; /* the part of that which is free, and promised to nobody */
};

/* Those of one connection, the oldest first. */
struct reservations {
    size_t count;
    struct reservation items[RESERVATIONS_MOST];
};

/* Whether it counts at NOW_USEC: it has begun, and has not lapsed. */
bool reservation_holds(const struct reservation *reservation, uint64_t now_usec);

/* Its place in LIST, or list->count. */
size_t reservations_find(const struct reservations *list, const char *name);

/* The one of LIST that is not only of the same name. NULL: there is none. */
const struct reservation *reservations_find_same(const struct reservations *list,
                                                 const struct reservation *reservation);

/* Works out what is left of each, by SNAPSHOT. A guest that starts, or arrives from another host,
 * counts for the size that it is to have; one that runs has what was meant for it. Returns the sum.
 */
uint64_t reservations_left_kib(struct reservations *list, const struct snapshot *snapshot);

/* Shares out what is free for them: who was first is served first. */
void reservations_hold(struct reservations *list, uint64_t free_kib);

/* Whether the start of any may be waiting; see start_waits_usec. */
bool reservations_start_waits(const struct reservations *list, uint64_t now_usec);

/* Marks in SNAPSHOT, which a look has filled, that the next look is to do without a list, and
 * without the domains whose starts wait; or that it is not. */
void reservations_mark(const struct reservations *list, uint64_t now_usec,
                       struct snapshot *snapshot);

#endif
