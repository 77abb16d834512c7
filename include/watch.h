/* watch.h - `status --watch`: the state of a coordinator, drawn again and again. */
#ifndef MC_WATCH_H
#define MC_WATCH_H

#include <stdint.h>

struct watch {
    const char *state_dir; /* as state_read() has them */
    const char *uri;
    uint64_t pause_usec; /* between two looks */
};

/*
 * Draws the state on the terminal's whole screen until q, SIGINT, SIGTERM or SIGHUP; then the
 * terminal is as it was. Where standard output is no terminal that can do that (a pipe, TERM=dumb)
 * it writes the table of `status` again and again instead. NO_COLOR is honoured. Returns the exit
 * status, having said what was wrong.
 */
int watch_run(const struct watch *watch);

#endif
