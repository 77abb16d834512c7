/*
 * pause.h - a pause of the coordinator, as a file in its state directory: set by a command, heeded
 * by the coordinator, over when its time has come or the file is gone.
 */
#ifndef MC_PAUSE_H
#define MC_PAUSE_H

#include "state_dir.h"

#include <stdint.h>

/* The last part of its file's name. */
#define PAUSE_SUFFIX ".pause"

/* The end of a pause that has none. */
#define PAUSE_ENDLESS_USEC UINT64_MAX

/* Pauses the coordinator of the connection URI until UNTIL_USEC (monotonic clock, which is the same
 * for all processes of a host). Returns 0 or a negative errno. */
int pause_begin(const struct state_dir *dir, const char *uri, uint64_t until_usec);

/* Ends the pause. Returns 0, -ENOENT where there is none, or another negative errno. */
int pause_end(const struct state_dir *dir, const char *uri);

/* Sets *UNTIL_USEC to the end of the one that there is at NOW_USEC, or to 0. A file that cannot be
 * read, or is none of ours, is no pause; but while there is no memory or no descriptor to read it,
 * all stays as it was, and a negative errno is returned. Else 0. */
int pause_heed(const struct state_dir *dir, const char *uri, uint64_t now_usec,
               uint64_t *until_usec);

#endif
