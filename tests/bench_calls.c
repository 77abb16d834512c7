/*
 * bench_calls.c - a library to be preloaded into what is measured: counts the calls that ask
 * libvirt for something, by name, in the file $BENCH_CALLS, which all processes of it see. It does
 * nothing where that is not set.
 *
 * With BENCH_CLOCK=skip its pauses between two cycles are skipped: all clocks go on by as much
 * instead. With BENCH_CLOCK=rush so are the waits of libvirt's event loop, which are a few
 * milliseconds. Only for the test driver, whose guests report, and whose host has memory, only
 * then.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <libvirt/libvirt.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
    NAME_BYTES = 56,
    NAMES_MOST = 63,
    NSEC_PER_SEC = 1000000000,
    NSEC_PER_MSEC = 1000000,
    SHORT_WAIT_MSEC = 10, /* of the event loop; the program's own are longer */
};

static const unsigned long long FREE_BYTES = 1ULL << 40;

/* What the file holds. */
struct counter {
    char name[NAME_BYTES];
    _Atomic uint64_t calls;
};

struct sheet {
    _Atomic uint64_t skipped_nsec;
    /* A cycle begins with the call that all have first, and ends with the end of its last call. */
    _Atomic uint64_t begun_nsec;
    _Atomic uint64_t ended_nsec;
    _Atomic uint64_t cycles_nsec; /* of all that have ended */
    _Atomic uint64_t calls;
    _Atomic uint64_t cycles_calls; /* of all that have ended */
    uint64_t unused[2];
    struct counter counters[NAMES_MOST];
};

static struct sheet *sheet;
static bool skips;
static bool rushes;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("BENCH_CALLS");
    const char *pace = getenv("BENCH_CLOCK");
    int descriptor = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (descriptor < 0)
        return;
    void *memory = mmap(NULL, sizeof(*sheet), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (memory == MAP_FAILED)
        abort();
    sheet = memory;
    rushes = pace != NULL && strcmp(pace, "rush") == 0;
    skips = rushes || (pace != NULL && strcmp(pace, "skip") == 0);
}

static void *original(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);
    if (function == NULL)
        abort();
    return function;
}

/* The machine's own, whatever is skipped. */
static int read_clock(clockid_t clock, struct timespec *now)
{
    static __typeof__(&clock_gettime) real;
    if (real == NULL)
        *(void **)&real = original("clock_gettime");
    return real(clock, now);
}

static uint64_t now_nsec(void)
{
    struct timespec now = {0};
    read_clock(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

/* Two threads never come here for the first time at once: what is measured has one that calls. */
static void count(const char *name)
{
    if (sheet == NULL)
        return;
    struct counter *counter = sheet->counters;
    while (*counter->name != '\0' && strcmp(counter->name, name) != 0)
        if (++counter == sheet->counters + NAMES_MOST)
            abort();
    if (*counter->name == '\0')
        snprintf(counter->name, sizeof(counter->name), "%s", name);
    counter->calls++;
    sheet->calls++;
}

static void begin_cycle(void)
{
    if (sheet == NULL)
        return;
    sheet->cycles_nsec += sheet->ended_nsec - sheet->begun_nsec;
    sheet->cycles_calls = sheet->calls - 1; /* this one is the next one's */
    sheet->begun_nsec = now_nsec();
    sheet->ended_nsec = sheet->begun_nsec;
}

static void end_call(void)
{
    if (sheet != NULL)
        sheet->ended_nsec = now_nsec();
}

/* Defines NAME, which counts itself and does what libvirt's does. */
#define COUNTED(type, name, parameters, arguments)                                                 \
    COUNTED_BETWEEN((void)0, end_call(), type, name, parameters, arguments)
#define COUNTED_BETWEEN(before, after, type, name, parameters, arguments)                          \
    type name parameters                                                                           \
    {                                                                                              \
        static __typeof__(&name) real;                                                             \
        if (real == NULL)                                                                          \
            *(void **)&real = original(#name);                                                     \
        count(#name);                                                                              \
        before;                                                                                    \
        type result = real arguments;                                                              \
        after;                                                                                     \
        return result;                                                                             \
    }

COUNTED(virConnectPtr, virConnectOpen, (const char *uri), (uri))
COUNTED(int, virConnectClose, (virConnectPtr connection), (connection))
/* virsh asks so before a command. */
COUNTED_BETWEEN((void)0, (void)0, int, virConnectIsAlive, (virConnectPtr connection), (connection))
COUNTED(char *, virConnectGetURI, (virConnectPtr connection), (connection))
COUNTED_BETWEEN(begin_cycle(), end_call(), int, virConnectListAllDomains,
                (virConnectPtr connection, virDomainPtr **domains, unsigned int flags),
                (connection, domains, flags))
COUNTED_BETWEEN(begin_cycle(), end_call(), int, virConnectGetAllDomainStats,
                (virConnectPtr connection, unsigned int kinds, virDomainStatsRecordPtr **records,
                 unsigned int flags),
                (connection, kinds, records, flags))
COUNTED(int, virConnectDomainEventRegisterAny,
        (virConnectPtr connection, virDomainPtr handle, int event,
         virConnectDomainEventGenericCallback callback, void *argument, virFreeCallback release),
        (connection, handle, event, callback, argument, release))
COUNTED(int, virConnectDomainEventDeregisterAny, (virConnectPtr connection, int callback),
        (connection, callback))
COUNTED(int, virNodeGetInfo, (virConnectPtr connection, virNodeInfoPtr info), (connection, info))
COUNTED(int, virNodeGetMemoryStats,
        (virConnectPtr connection, int cell, virNodeMemoryStatsPtr figures, int *number,
         unsigned int flags),
        (connection, cell, figures, number, flags))
COUNTED(int, virNodeGetMemoryParameters,
        (virConnectPtr connection, virTypedParameterPtr figures, int *number, unsigned int flags),
        (connection, figures, number, flags))
COUNTED(int, virNodeSetMemoryParameters,
        (virConnectPtr connection, virTypedParameterPtr figures, int number, unsigned int flags),
        (connection, figures, number, flags))
COUNTED(virDomainPtr, virDomainLookupByName, (virConnectPtr connection, const char *name),
        (connection, name))
COUNTED(virDomainPtr, virDomainLookupByUUID, (virConnectPtr connection, const unsigned char *uuid),
        (connection, uuid))
COUNTED(virDomainPtr, virDomainLookupByUUIDString, (virConnectPtr connection, const char *uuid),
        (connection, uuid))
COUNTED(int, virDomainIsActive, (virDomainPtr handle), (handle))
COUNTED(int, virDomainIsPersistent, (virDomainPtr handle), (handle))
COUNTED(int, virDomainGetState, (virDomainPtr handle, int *state, int *reason, unsigned int flags),
        (handle, state, reason, flags))
COUNTED(int, virDomainGetJobStats,
        (virDomainPtr handle, int *type, virTypedParameterPtr *parameters, int *number,
         unsigned int flags),
        (handle, type, parameters, number, flags))
COUNTED(int, virDomainGetControlInfo,
        (virDomainPtr handle, virDomainControlInfoPtr info, unsigned int flags),
        (handle, info, flags))
COUNTED(char *, virDomainGetXMLDesc, (virDomainPtr handle, unsigned int flags), (handle, flags))
COUNTED(char *, virDomainGetMetadata,
        (virDomainPtr handle, int type, const char *uri, unsigned int flags),
        (handle, type, uri, flags))
COUNTED(int, virDomainSetMetadata,
        (virDomainPtr handle, int type, const char *metadata, const char *key, const char *uri,
         unsigned int flags),
        (handle, type, metadata, key, uri, flags))
COUNTED(int, virDomainSetMemory, (virDomainPtr handle, unsigned long kib), (handle, kib))
COUNTED(int, virDomainSetMemoryStatsPeriod, (virDomainPtr handle, int period, unsigned int flags),
        (handle, period, flags))

/* Of a host that is read from a file the test driver says that it has nothing free. */
unsigned long long virNodeGetFreeMemory(virConnectPtr connection)
{
    static __typeof__(&virNodeGetFreeMemory) real;
    if (real == NULL)
        *(void **)&real = original("virNodeGetFreeMemory");
    count("virNodeGetFreeMemory");
    unsigned long long bytes = real(connection);
    end_call();
    return bytes == 0 && skips ? FREE_BYTES : bytes;
}

int virDomainMemoryStats(virDomainPtr handle, virDomainMemoryStatPtr figures, unsigned int number,
                         unsigned int flags)
{
    static __typeof__(&virDomainMemoryStats) real;
    if (real == NULL)
        *(void **)&real = original("virDomainMemoryStats");
    count("virDomainMemoryStats");
    int result = real(handle, figures, number, flags);
    end_call();
    for (int i = 0; skips && i < result; i++)
        if (figures[i].tag == VIR_DOMAIN_MEMORY_STAT_LAST_UPDATE)
            figures[i].val = (unsigned long long)time(NULL);
    return result;
}

/* ---- the clock ---- */

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = read_clock(clock, now);
    bool is_skipped =
        clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE || clock == CLOCK_REALTIME;
    if (result != 0 || !skips || !is_skipped)
        return result;
    uint64_t nsec = (uint64_t)now->tv_nsec + sheet->skipped_nsec;
    now->tv_sec += (time_t)(nsec / NSEC_PER_SEC);
    now->tv_nsec = (long)(nsec % NSEC_PER_SEC);
    return 0;
}

time_t time(time_t *ret_seconds)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    if (ret_seconds != NULL)
        *ret_seconds = now.tv_sec;
    return now.tv_sec;
}

/* Between two cycles the program waits for signals and commands; while it waits for an answer, for
 * that too, or for that alone. */
int ppoll(struct pollfd *descriptors, nfds_t number, const struct timespec *timeout,
          const sigset_t *signals)
{
    static __typeof__(&ppoll) real;
    if (real == NULL)
        *(void **)&real = original("ppoll");
    if (!skips || number != 2 || timeout == NULL)
        return real(descriptors, number, timeout, signals);
    int ready = real(descriptors, number, &(struct timespec){0}, signals);
    if (ready == 0)
        sheet->skipped_nsec +=
            (uint64_t)timeout->tv_sec * NSEC_PER_SEC + (uint64_t)timeout->tv_nsec;
    return ready;
}

int poll(struct pollfd *descriptors, nfds_t number, int timeout_msec)
{
    static __typeof__(&poll) real;
    if (real == NULL)
        *(void **)&real = original("poll");
    bool is_short = timeout_msec > 0 && timeout_msec <= SHORT_WAIT_MSEC;
    if (!rushes || !is_short)
        return real(descriptors, number, timeout_msec);
    int ready = real(descriptors, number, 0);
    if (ready == 0)
        sheet->skipped_nsec += (uint64_t)timeout_msec * NSEC_PER_MSEC;
    return ready;
}
