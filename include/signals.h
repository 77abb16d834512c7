/* signals.h - the signals that tell a process to end, or to read its settings again. */
#ifndef MC_SIGNALS_H
#define MC_SIGNALS_H

#include <signal.h>

/* Blocks SIGINT, SIGTERM and SIGHUP, so that they can be waited for. Returns 0 and, in
 * *RET_SIGNALS, which they are; or -1. */
int signals_block(sigset_t *ret_signals);

#endif
