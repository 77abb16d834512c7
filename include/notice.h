/*
 * notice.h - word that commands leave in the state directory, noticed at once: a file that comes or
 * goes. What it says is for others to read.
 */
#ifndef MC_NOTICE_H
#define MC_NOTICE_H

#include "state_dir.h"

#include <stdbool.h>

/* A descriptor to be polled, and closed by the caller; -1 where none is to be had: then word is
 * heeded when the next cycle comes. */
int notice_open(const struct state_dir *dir);

/* Takes what has come since. Returns whether one of it ends in one of SUFFIXES, ended by NULL. */
bool notice_take(int descriptor, const char *const suffixes[]);

#endif
