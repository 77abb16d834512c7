/*
 * notice.h - what others do in the state directory, noticed at once: word that commands leave, a
 * file that comes or goes, which is for others to read; and that a file is read.
 */
#ifndef MC_NOTICE_H
#define MC_NOTICE_H

#include "state_dir.h"

#include <stdbool.h>

/* A descriptor to be polled, and closed by the caller; -1 where none is to be had: then word is
 * heeded when the next cycle comes. */
int notice_open(const struct state_dir *dir);

/* From now on it is noticed when the file NAME, as it is now, is read for the first time. Returns 0
 * or a negative errno. */
int notice_await_reader(int descriptor, const struct state_dir *dir, const char *name);

struct notice {
    bool has_word; /* a file has come or gone */
    bool is_read;  /* who was waited for has read, or the file is gone */
};

/* Takes what has come since: word in files that end in one of SUFFIXES, ended by NULL, and what was
 * done with the file NAME. */
struct notice notice_take(int descriptor, const char *const suffixes[], const char *name);

#endif
