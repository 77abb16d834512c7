/*
 * reservation_file.h - reservations as files in the state directory: left by a command, heeded by
 * the coordinator, removed by whoever ends them.
 */
#ifndef MC_RESERVATION_FILE_H
#define MC_RESERVATION_FILE_H

#include "log.h"
#include "reservation.h"
#include "state_dir.h"

/* The last part of a file's name. */
#define RESERVATION_SUFFIX ".reservation"

/* Leaves it for the coordinator of the connection URI, in place of one with the same name. Returns
 * 0, -EINVAL for a name that is none, or another negative errno. */
int reservation_put(const struct state_dir *dir, const char *uri,
                    const struct reservation *reservation);

/* Ends it. Returns 0, -ENOENT where there is none, or another negative errno. */
int reservation_remove(const struct state_dir *dir, const char *uri, const char *name);

/* Reads all that there are for URI, those that have lapsed, too: one of before the machine's start
 * has. A file that is none of ours is left out, as is what is beyond RESERVATIONS_MOST. Returns 0
 * or a negative errno: there is no directory, or no memory or descriptor to read it all. */
int reservations_read(const struct state_dir *dir, const char *uri, struct reservations *ret_list);

/*
 * Reads those that hold at NOW_USEC, and removes the files of those that are over: lapsed, or by
 * LAST, which the last look has filled in, their guests' own. Says which are new to LAST, and which
 * of it are over. Returns likewise; *RET_LIST is then as it was.
 */
int reservations_heed(const struct state_dir *dir, const char *uri, const struct reservations *last,
                      uint64_t now_usec, const struct log *log, struct reservations *ret_list);

#endif
