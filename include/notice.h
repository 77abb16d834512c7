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

struct notice {
    bool has_word; /* a file has come or gone */
    bool is_read;  /* a file was read */
};

/* Takes what has come since: word in files that end in one of SUFFIXES, ended by NULL, and that the
 * file NAME was read. */
struct notice notice_take(int descriptor, const char *const suffixes[], const char *name);

#endif
