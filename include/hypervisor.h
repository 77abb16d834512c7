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

#include "snapshot.h"

#include <stddef.h>
#include <stdint.h>

enum { HYPERVISOR_ERROR_BYTES = 512 };

struct hypervisor_operations {
    /* Connects, or connects again. Returns 0, or -ENOTCONN with the reason in ERROR. */
    int (*connect)(void *self, char error[HYPERVISOR_ERROR_BYTES]);

    /*
     * Reads the host and all active domains into NOW, ordered by UUID; not its times. BEFORE is
     * the last snapshot: what a domain's configuration and metadata said is taken from there,
     * unless the domain is not known or its metadata has been changed since. Metadata that is wrong
     * leaves its settings as they are there, and says why in settings_error. Returns 0; -ENOTCONN
     * if the connection is lost, -ENOMEM; ERROR then says why, and NOW is not to be used.
     */
    int (*read)(void *self, const struct snapshot *before, struct snapshot *now,
                char error[HYPERVISOR_ERROR_BYTES]);

    /*
     * Asks for TARGET_KIB for the domain at INDEX of the snapshot read last. Returns 0 when the
     * request is made (it is up to the guest to follow it), or -EIO with the reason in ERROR.
     */
    int (*set_memory)(void *self, size_t index, uint64_t target_kib,
                      char error[HYPERVISOR_ERROR_BYTES]);
};

struct hypervisor;

extern const struct hypervisor_operations hypervisor_libvirt;

/*
 * Makes the SELF of hypervisor_libvirt, not connected yet. URI NULL means LIBVIRT_DEFAULT_URI, else
 * qemu:///system. PERIOD_SEC is how often guests are to report: where it is off or longer it is
 * set, and never made longer; with 0 nothing is touched. Returns NULL when out of memory. URI must
 * outlive it.
 */
struct hypervisor *hypervisor_open(const char *uri, unsigned int period_sec);

/* The URI it connects to; never NULL. */
const char *hypervisor_uri(const struct hypervisor *hypervisor);

/*
 * Does what libvirt's client has to do beside calls: answers the server, which drops a client that
 * is silent for half a minute, and hears of changed metadata. Never waits. To be called every few
 * seconds while nothing is read.
 */
void hypervisor_serve(struct hypervisor *hypervisor);

/*
 * Disconnects and frees; NULL is no harm. Returns the number of references to the connection that
 * are still held, 0 unless there is a leak.
 */
int hypervisor_close(struct hypervisor *hypervisor);

#endif
