/* signals.c - which signals a process waits for. */
#include "signals.h"

int signals_block(sigset_t *ret_signals)
{
    sigemptyset(ret_signals);
    sigaddset(ret_signals, SIGINT);
    sigaddset(ret_signals, SIGTERM);
    sigaddset(ret_signals, SIGHUP);
    return sigprocmask(SIG_BLOCK, ret_signals, NULL);
}
