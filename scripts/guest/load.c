/*
 * A memory load for a Linux guest: takes and gives back memory by a plan.
 * It needs nothing but /proc/meminfo and runs by itself on any Linux.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MIB          ((size_t)1 << 20)
#define USEC_PER_SEC 1000000
#define PAGE         ((size_t)4096)

/* More than any guest has; the address space for it costs nothing. */
#define SIZE_LIMIT_MIB 65536
#define SECONDS_LIMIT  86400

/* A ramp moves in steps this far apart: smooth for a monitor, cheap for a guest. */
#define STEP_USEC 10000

/* The course's load: the pause after each page, and when the guest's memory has ended. */
#define PAGES_PAUSE_USEC    100
#define PAGES_FREE_KIB      (64 * 1024)
#define PAGES_PATIENCE_USEC (5 * USEC_PER_SEC)

/* One word of the plan. */
struct step {
    bool pages;          /* page by page, instead of a ramp */
    size_t size;         /* bytes to move to; a limit when `pages` */
    int64_t length_usec; /* of a ramp */
};

/* The memory held: the first `size` bytes of `base`, always whole pages. */
struct memory {
    char *base;
    size_t size;
};

static const char usage[] =
    "usage: load [-n] WORD...\n"
    "Takes and gives back memory, word by word, then exits, which frees all of it:\n"
    "  MIB:SECONDS  move from the present size to MIB, evenly, in SECONDS\n"
    "  pages[:MIB]  take page after page with a pause of 100 us, up to MIB, or until\n"
    "               the machine has had less than 64 MiB free for 5 s\n"
    "  -n           only check the plan\n"
    "Example: load 1200:60 1200:5 20:20\n";

static int64_t now_usec(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * USEC_PER_SEC + t.tv_nsec / 1000;
}

static void pause_usec(int64_t usec)
{
    struct timespec t = {
        .tv_sec = usec / USEC_PER_SEC,
        .tv_nsec = usec % USEC_PER_SEC * 1000,
    };

    nanosleep(&t, NULL);
}

/* Reads a plain decimal number of at most `limit`, which must end at `end`. */
static bool parse_number(const char *text, char end, long limit, long *ret)
{
    char *rest;
    long number;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    number = strtol(text, &rest, 10);
    if (errno || *rest != end || number > limit)
        return false;
    *ret = number;
    return true;
}

static bool parse_step(const char *word, struct step *ret)
{
    long mib = SIZE_LIMIT_MIB, seconds = 0;
    const char *colon = strchr(word, ':');
    bool pages = strncmp(word, "pages", 5) == 0;

    if (pages) {
        if (word[5] != '\0' &&
            (word[5] != ':' || !parse_number(word + 6, '\0', SIZE_LIMIT_MIB, &mib)))
            return false;
    } else if (!colon || !parse_number(word, ':', SIZE_LIMIT_MIB, &mib) ||
               !parse_number(colon + 1, '\0', SECONDS_LIMIT, &seconds)) {
        return false;
    }
    *ret = (struct step){pages, (size_t)mib * MIB, (int64_t)seconds * USEC_PER_SEC};
    return true;
}

/*
 * Writes one page. No two pages are alike, or KSM on the host would merge them;
 * a quarter of each is noise, so that swap to compressed memory saves something,
 * as it does with ordinary data.
 */
static void fill_page(char *page)
{
    static uint64_t state;
    uint64_t noise[PAGE / 4 / sizeof(uint64_t)];

    for (size_t i = 0; i < sizeof(noise) / sizeof(noise[0]); i++) {
        uint64_t z = state += 0x9e3779b97f4a7c15; /* splitmix64 */

        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        noise[i] = z ^ (z >> 31);
    }
    memcpy(page, noise, sizeof(noise));
}

static void resize(struct memory *memory, size_t size)
{
    size -= size % PAGE;
    for (; memory->size < size; memory->size += PAGE)
        fill_page(memory->base + memory->size);
    if (memory->size > size)
        madvise(memory->base + size, memory->size - size, MADV_DONTNEED);
    memory->size = size;
}

/* Moves evenly to the step's size; where it should be follows the clock alone. */
static void ramp(struct memory *memory, const struct step *step, int64_t start_usec)
{
    double from = (double)memory->size, to = (double)step->size;

    for (;;) {
        int64_t passed = now_usec() - start_usec;

        if (passed >= step->length_usec)
            break;
        resize(memory, (size_t)(from + (to - from) * (double)passed / (double)step->length_usec));
        pause_usec(STEP_USEC);
    }
    resize(memory, step->size);
}

/* MemFree, or UINT64_MAX where the kernel does not tell. */
static uint64_t free_kib(int meminfo)
{
    char text[256];
    uint64_t kib = UINT64_MAX;
    const char *line;
    ssize_t length = pread(meminfo, text, sizeof(text) - 1, 0);

    if (length > 0) {
        text[length] = '\0';
        line = strstr(text, "MemFree:");
        if (line)
            kib = strtoull(line + strlen("MemFree:"), NULL, 10);
    }
    return kib;
}

/* The course's load: waits at the guest's end of memory, for it may yet be given more. */
static void take_pages(struct memory *memory, const struct step *step)
{
    int meminfo = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
    int64_t last_taken = now_usec();

    while (memory->size < step->size && now_usec() - last_taken < PAGES_PATIENCE_USEC) {
        /* Asked once a MiB: the question costs more than a page. */
        if (memory->size % MIB == 0 && free_kib(meminfo) < PAGES_FREE_KIB) {
            pause_usec(STEP_USEC);
            continue;
        }
        resize(memory, memory->size + PAGE);
        last_taken = now_usec();
        pause_usec(PAGES_PAUSE_USEC);
    }
    if (meminfo >= 0)
        close(meminfo);
}

int main(int argc, char **argv)
{
    struct memory memory = {0};
    struct step step;
    int64_t start_usec;
    bool check_only = argc > 1 && strcmp(argv[1], "-n") == 0;
    char **words = argv + 1 + check_only;

    if (argc > 1 && strcmp(argv[1], "-h") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    if (!*words) {
        fputs("load: a plan is needed (load -h explains)\n", stderr);
        return 2;
    }
    for (char **word = words; *word; word++) {
        if (!parse_step(*word, &step)) {
            fprintf(stderr, "load: '%s' is neither MIB:SECONDS nor pages[:MIB]\n", *word);
            return 2;
        }
    }
    if (check_only)
        return 0;

    memory.base = mmap(NULL, SIZE_LIMIT_MIB * MIB, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory.base == MAP_FAILED) {
        perror("load: cannot reserve address space");
        return 1;
    }
    /* Page by page, or the size would move in jumps of 2 MiB. */
    madvise(memory.base, SIZE_LIMIT_MIB * MIB, MADV_NOHUGEPAGE);

    /* A step starts when the one before should have ended: a slow guest is late, not longer. */
    start_usec = now_usec();
    for (char **word = words; *word; word++) {
        parse_step(*word, &step);
        if (step.pages) {
            take_pages(&memory, &step);
            start_usec = now_usec();
        } else {
            ramp(&memory, &step, start_usec);
            start_usec += step.length_usec;
        }
    }
    return 0;
}
