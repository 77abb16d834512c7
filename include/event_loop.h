/*
 * event_loop.h - the event loop that libvirt's client library asks its process for.
 *
 * libvirt's own can only wait: to look whether there is anything to do it has to be woken by a
 * timer. This one does what there is to do, and returns. It is for one thread. libvirt knows one
 * loop for the process and hands it no context: what it is asked to watch is the module's own.
 */
#ifndef MC_EVENT_LOOP_H
#define MC_EVENT_LOOP_H

/* Has libvirt use it; once, before the first connection. */
void event_loop_register(void);

/* Calls whom libvirt wants called for descriptors that are ready, for timers that are due and for
 * what is not watched any more, until nothing is left to be done. Waits for nobody. */
void event_loop_run(void);

#endif
