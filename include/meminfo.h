/* meminfo.h - what the kernel of this host says of its memory. */
#ifndef MC_MEMINFO_H
#define MC_MEMINFO_H

#include "snapshot.h"

/*
 * Puts into HOST what the kernel says:
 *
 * - total_kib, available_kib: MemTotal and MemAvailable of proc/meminfo, and what ZFS's cache (size
 *   of proc/spl/kstat/zfs/arcstats) holds above its minimum (c_min), which it gives back when
 *   memory gets short, although the kernel counts it as used; no more than the total;
 * - arc_kib: that part of it;
 * - some_permyriad, full_permyriad: proc/pressure/memory, avg10;
 * - nodes: sys/devices/system/node, where there are two or more with memory.
 *
 * Files are looked for below ROOT, "" for this host's own. What is missing, cannot be read or is
 * odd stays as it was. Returns whether the first two are there.
 */
bool meminfo_read(const char *root, struct host *host);

#endif
