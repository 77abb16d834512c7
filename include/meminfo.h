/* meminfo.h - what the kernel of this host says of its memory. */
#ifndef MC_MEMINFO_H
#define MC_MEMINFO_H

#include <stdint.h>

/*
 * What could be had without swapping: MemAvailable of the file at PATH (/proc/meminfo), in KiB.
 * Returns 0, or -errno with *RET_KIB as it was; -ENODATA where the file has no such line.
 */
int meminfo_available_kib(const char *path, uint64_t *ret_kib);

#endif
