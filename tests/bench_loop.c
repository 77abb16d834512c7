/*
 * bench_loop.c - the least that anyone can do who wants to know of all guests: lists the domains
 * and asks each for its memory statistics, every INTERVAL seconds, until it is killed. What the
 * coordinator costs is measured by it.
 */
#include <libvirt/libvirt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static bool look(virConnectPtr connection)
{
    virDomainPtr *domains;
    int count = virConnectListAllDomains(connection, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
    for (int i = 0; i < count; i++) {
        virDomainMemoryStatStruct figures[VIR_DOMAIN_MEMORY_STAT_NR];
        virDomainMemoryStats(domains[i], figures, VIR_DOMAIN_MEMORY_STAT_NR, 0);
        virDomainFree(domains[i]);
    }
    if (count >= 0)
        free(domains);
    return count >= 0;
}

/* An interval of 0 is no pause at all. */
static void wait_for(double interval_sec)
{
    struct timespec pause = {.tv_sec = (time_t)interval_sec};
    pause.tv_nsec = (long)((interval_sec - (double)pause.tv_sec) * 1e9);
    if (interval_sec > 0)
        nanosleep(&pause, NULL);
}

int main(int argc, char *argv[])
{
    if (argc != 3) {
        fputs("usage: bench_loop URI INTERVAL\n", stderr);
        return 2;
    }
    virConnectPtr connection = virConnectOpen(argv[1]);
    while (connection != NULL && look(connection))
        wait_for(strtod(argv[2], NULL));
    return EXIT_FAILURE;
}
