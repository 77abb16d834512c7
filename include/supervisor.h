/*
 * supervisor.h - calls that may hang or crash, made in a process of their own.
 *
 * A call into libvirt on a domain whose emulator is frozen never returns, and nothing can end it
 * but the end of its process. So a child process makes all calls, and this one waits for it: no
 * longer than is sensible. A child that hangs, or has died, is replaced, and the domain that it was
 * busy with is left out until it answers. What is remembered of the domains never leaves this
 * process, which has a single thread and makes no call into libvirt.
 */
#ifndef MC_SUPERVISOR_H
#define MC_SUPERVISOR_H

#include "hypervisor.h"

#include <stdbool.h>
#include <stdint.h>

struct supervisor_config {
    /* What is watched over. Their connect() must do all that SELF needs, in the process that calls
     * it. */
    const struct hypervisor_operations *operations;
    void *self;

    /* However many calls do not answer, a cycle - a read() and the requests that follow it - waits
     * for them no longer than this in all. */
    uint64_t call_timeout_usec;

    /* A descriptor that is readable when is_stopping() should be asked; true ends any wait. A
     * negative one, and NULL: nothing ends it. */
    int wake;
    bool (*is_stopping)(void *argument);
    /* A descriptor that is readable when is_start_waiting() should be asked; true ends the wait for
     * a list, which is then for the end of that start: the next read is to do without. A negative
     * one: nothing does. */
    int notices;
    bool (*is_start_waiting)(void *argument);
    /* Called every few seconds of a wait, each of which ends; NULL: not. */
    void (*is_waiting)(void *argument);
    void *argument;
};

struct supervisor;

/* The operations as the coordinator uses them; their SELF is a struct supervisor. The domains of a
 * snapshot that they have read are borrowed: they hold until the read after the next. */
extern const struct hypervisor_operations supervisor_operations;

/* A supervisor without a child, which the first connect() starts. Returns NULL when out of memory.
 */
struct supervisor *supervisor_new(const struct supervisor_config *config);

/* The process that makes the calls, or 0. */
int supervisor_child(const struct supervisor *supervisor);

/* Ends the child, in good order if it can, and frees; NULL is no harm. */
void supervisor_free(struct supervisor *supervisor);

#endif
