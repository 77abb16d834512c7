/* meminfo.c - what the kernel of this host says of its memory. */
#include "meminfo.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

int meminfo_available_kib(const char *path, uint64_t *ret_kib)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return -errno;
    char line[256];
    int result = -ENODATA;
    while (result != 0 && fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, "MemAvailable: %" SCNu64 " kB", ret_kib) == 1)
            result = 0;
    fclose(file);
    return result;
}
