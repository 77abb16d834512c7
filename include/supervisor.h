/*
 * supervisor.h - work that may hang or crash, done in a process of its own.
 *
 * A call into libvirt on a domain whose emulator is frozen never returns, and nothing can end it
 * but the end of its process. So a child process does all work, and this one only watches it: it
 * sleeps, but for a call that takes long. A child that hangs, or has crashed, in a call is replaced
 * by another, which goes on with the work; the domain that it was busy with is left out until it
 * answers. What is remembered is in kept memory (kept.h). Neither process has a second thread.
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

    /* These are called in the parent. A descriptor that is readable when is_stopping() should be
     * asked, which takes what is there; after that the child is given a word. It is asked when a
     * call has become slow, too; while it says true any call is ended. A negative one, and NULL:
     * nothing does that. */
    int wake;
    bool (*is_stopping)(void *argument);
    /* A descriptor that is readable when is_start_waiting() should be asked; true ends the call for
     * a list, which is then for the end of that start: the next read is to do without. It is asked
     * only while such a call takes long. A negative one: nothing does. */
    int notices;
    bool (*is_start_waiting)(void *argument);
    /* Called every few seconds of a call that takes long; NULL: not. */
    void (*is_waiting)(void *argument);
    /* For what its calls do not tell by themselves: that the child has ended and is replaced, and
     * why; that there is none to be had. NULL: nobody is told. */
    void (*tell)(void *argument, const char *what);
    void *argument;
};

struct supervisor;

/*
 * The operations as the work uses them; their SELF is a struct supervisor. A call that hangs or
 * crashes does not return. The child that takes over has it return, as soon as it comes to it: as
 * if it had failed in good order, with the reason. Where nobody is connected, as in that child,
 * read() and set_memory() connect first.
 */
extern const struct hypervisor_operations supervisor_operations;

/* Returns NULL when out of memory. */
struct supervisor *supervisor_new(const struct supervisor_config *config);

/*
 * Has WORK(ARGUMENT) done by a child; to be called once. WORK is called anew in each one that takes
 * over, and has to find in kept memory where to go on. Returns what it has returned, from 0 to 255,
 * or a negative errno with the reason in ERROR: no first child could be had, or it crashed outside
 * of a call (-EFAULT); -ECANCELED if it was told to stop while there was none to take over.
 */
int supervisor_run(struct supervisor *supervisor, int (*work)(void *argument), void *argument,
                   char error[HYPERVISOR_ERROR_BYTES]);

/* In the child: a descriptor that is readable when it has been given a word, and what takes that.
 */
int supervisor_words(const struct supervisor *supervisor);
void supervisor_take_words(const struct supervisor *supervisor);

/* Frees; NULL is no harm. */
void supervisor_free(struct supervisor *supervisor);

#endif
