/*
 * hypervisor.h - the way to the running domains.
 *
 * struct hypervisor_operations is the seam: the coordinator knows only this, tests and simulators
 * put their own behind it. hypervisor_open() puts libvirt behind it; no other file of the program
 * names libvirt. Nothing here logs: failures of the whole come back as a text, those of one domain
 * stay with that domain, in its `trouble`.
 */
#ifndef MC_HYPERVISOR_H
#define MC_HYPERVISOR_H

#include "ksm.h"
#include "snapshot.h"

#include <stddef.h>
#include <stdint.h>

enum {
    HYPERVISOR_ERROR_BYTES = 512,
    /* libvirt lists no more than this (REMOTE_DOMAIN_LIST_MAX of its protocol). */
    HYPERVISOR_DOMAINS_MOST = 16384,
};

/* A domain that has not answered a call. */
struct hypervisor_suspect {
    uint8_t uuid[DOMAIN_UUID_BYTES];
    int id;
    unsigned int hangs;  /* calls in a row */
    uint64_t until_usec; /* it is left alone until then (monotonic clock); afterwards it is asked
                            for figures if there is a sign that it would answer */
};

/*
 * Between those who make calls that may never return and who watches over them, in memory that
 * both see.
 */
struct hypervisor_watch {
    /* Written by those who make the calls: */
    _Atomic uint64_t since_usec;  /* when the present call began (monotonic clock); set first */
    _Atomic bool is_about_domain; /* it is about one domain, this one; else about the whole */
    uint8_t uuid[DOMAIN_UUID_BYTES];
    int id;
    /* Written by the watcher while no call is made: */
    size_t suspect_count;
    struct hypervisor_suspect suspects[HYPERVISOR_DOMAINS_MOST];
};

struct hypervisor_operations {
    /* Connects, or connects again. Returns 0, or -ENOTCONN with the reason in ERROR. */
    int (*connect)(void *self, char error[HYPERVISOR_ERROR_BYTES]);

    /*
     * Reads the host and all active domains into NOW, ordered by UUID; not its times. BEFORE is
     * the last snapshot: what a domain's configuration and metadata said is taken from there,
     * unless the domain is not known or they have been changed since. Metadata that is wrong
     * leaves its settings as they are there, and says why in settings_error. Returns 0; -ENOTCONN
     * if the connection is lost, -ENOMEM, -ECANCELED if it was told to stop; ERROR then says why,
     * and NOW is not to be used.
     */
    int (*read)(void *self, const struct snapshot *before, struct snapshot *now,
                char error[HYPERVISOR_ERROR_BYTES]);

    /*
     * Asks for TARGET_KIB for DOMAIN, one of the snapshot read last. Returns 0 when the request is
     * made (it is up to the guest to follow it); -EIO if it is not, -EBUSY if it is not since it
     * would have to wait for the end of a job, -EINPROGRESS if that is not known: it may still be
     * followed, -ENOTCONN if the connection is gone. ERROR then says why.
     */
    int (*set_memory)(void *self, const struct domain *domain, uint64_t target_kib,
                      char error[HYPERVISOR_ERROR_BYTES]);

    /*
     * Reads how the host shares equal pages. Returns 0, -ENOTCONN if the connection is gone, or
     * -ECANCELED; ERROR then says why.
     */
    int (*read_sharing)(void *self, struct ksm_reading *ret_reading,
                        char error[HYPERVISOR_ERROR_BYTES]);

    /*
     * Sets it: first how fast it works, then whether it does. Where there is no connection, what
     * can be done without one is. Returns 0, or a negative errno with the reason in ERROR; some of
     * it may be set all the same.
     */
    int (*set_sharing)(void *self, const struct ksm_settings *settings,
                       char error[HYPERVISOR_ERROR_BYTES]);

    /* What is to be done every few seconds while nothing is asked for; never waits. NULL: nothing.
     */
    void (*serve)(void *self);

    /* Ends the connection in good order. NULL: there is nothing to end. */
    void (*disconnect)(void *self);

    /* From now on WATCH is kept up to date, and heeded; it must outlive SELF. NULL: they need none
     * to watch them. */
    void (*watch)(void *self, struct hypervisor_watch *watch);
};

/*
 * Takes one entry of a domain's memory statistics into DOMAIN, TAG being libvirt's number for it.
 * Entries come in any order, any may be missing, and new libraries add tags, which are left out; of
 * two with the same tag the later one counts. What VALUE may be is for the policy to judge.
 */
void hypervisor_take_statistic(struct domain *domain, int tag, uint64_t value);

struct hypervisor;

extern const struct hypervisor_operations hypervisor_libvirt;

/* The URI that hypervisor_open() connects to: URI, or for NULL LIBVIRT_DEFAULT_URI, else
 * qemu:///system. */
const char *hypervisor_resolve_uri(const char *uri);

/*
 * Makes the SELF of hypervisor_libvirt, not connected yet; for the URI see above. PERIOD_SEC is how
 * often guests are to report: where it is off or longer it is set, and never made longer; with 0
 * nothing is touched. Returns NULL when out of memory. URI must outlive it. The library itself is
 * not started before connect(), so that this can be made in one process and used in another.
 */
struct hypervisor *hypervisor_open(const char *uri, unsigned int period_sec);

/* The URI it connects to; never NULL. */
const char *hypervisor_uri(const struct hypervisor *hypervisor);

struct domain_xml_change;

/*
 * Changes what the domain NAME, or with that UUID, sets of itself in its metadata: COUNT changes,
 * in what runs and, where it is to outlast that, in its configuration. Connects to URI for it. On
 * success TEXT has the element as it is now, or "". Returns 0; -EINVAL where a change is wrong,
 * -ENOENT where there is no such domain, -ENOTCONN, -EIO; TEXT then says why.
 */
int hypervisor_change_settings(const char *uri, const char *name,
                               const struct domain_xml_change *changes, size_t count,
                               char text[HYPERVISOR_ERROR_BYTES]);

/*
 * Disconnects and frees; NULL is no harm. Returns the number of references to the connection that
 * are still held, 0 unless there is a leak.
 */
int hypervisor_close(struct hypervisor *hypervisor);

#endif
