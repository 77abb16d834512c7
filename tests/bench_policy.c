/* bench_policy.c - what a decision for a very large host costs, beside sorting as many numbers. */
#include "policy.h"
#include "splitmix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DOMAINS = 100000, ROUNDS = 9 };

static const uint64_t MIB = 1024;
static const uint64_t GIB = UINT64_C(1024) * 1024;
static const uint64_t SEC = 1000000;

/* More than all domains at their maximum. */
static const uint64_t AMPLE_KIB = UINT64_C(1024) * 1024 * 1024 * 1024;

/* A host, its domains and all that the policy keeps of them. */
struct host_of_many {
    struct policy_config config;
    struct snapshot snapshot;
    struct policy_host host;
    struct policy_limits *limits;
    struct policy_memory *memory;
    struct policy_decision *decisions;
};

static uint64_t now_nsec(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int compare_u64(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static void *make_array(size_t size)
{
    void *array = calloc(DOMAINS, size);
    if (array == NULL) {
        fputs("bench_policy: out of memory\n", stderr);
        exit(EXIT_FAILURE);
    }
    return array;
}

/* Guests of 1 to 8 GiB, each at a size and a use of its own, shares among them. */
static void populate(struct host_of_many *many, uint64_t *state)
{
    for (size_t i = 0; i < DOMAINS; i++) {
        struct domain *domain = &many->snapshot.domains[i];
        uint64_t max = random_between(state, GIB, 8 * GIB);
        uint64_t actual = random_between(state, 512 * MIB, max);
        uint64_t unused = random_between(state, 0, actual / 2);
        *domain = (struct domain){.id = (int)i + 1,
                                  .is_known = true,
                                  .is_running = true,
                                  .has_balloon = true,
                                  .max_kib = max,
                                  .period_sec = 1};
        domain->actual_kib = (struct figure){true, actual};
        domain->rss_kib = (struct figure){true, actual + 40 * MIB};
        domain->available_kib = (struct figure){true, actual - 60 * MIB};
        domain->unused_kib = (struct figure){true, unused < 60 * MIB ? unused : unused - 60 * MIB};
        domain->usable_kib = domain->unused_kib;
        domain->last_update_sec = (struct figure){true, 1000};
        many->limits[i] = (struct policy_limits){.managed = true,
                                                 .min_kib = 200 * MIB,
                                                 .max_kib = UINT64_MAX,
                                                 .headroom_kib = 100 * MIB,
                                                 .shares = random_between(state, 500, 4000)};
    }
}

static struct host_of_many make_host(uint64_t *state)
{
    struct host_of_many many = {.config = {.interval_usec = SEC,
                                           .host_reserve_kib = 200 * MIB,
                                           .surge_kib_per_sec = 28 * MIB}};
    many.snapshot.domains = make_array(sizeof(*many.snapshot.domains));
    many.snapshot.count = DOMAINS;
    many.limits = make_array(sizeof(*many.limits));
    many.memory = make_array(sizeof(*many.memory));
    many.decisions = make_array(sizeof(*many.decisions));
    populate(&many, state);
    return many;
}

static void free_host(struct host_of_many *many)
{
    free(many->snapshot.domains);
    free(many->limits);
    free(many->memory);
    free(many->decisions);
}

static uint64_t time_decision(struct host_of_many *many, uint64_t total_kib, uint64_t available_kib)
{
    many->snapshot.now_usec += SEC;
    many->snapshot.wall_sec = (int64_t)(many->snapshot.now_usec / SEC);
    many->snapshot.host =
        (struct host){.has_memory = true, .total_kib = total_kib, .available_kib = available_kib};
    for (size_t i = 0; i < DOMAINS; i++)
        many->snapshot.domains[i].last_update_sec.value = many->snapshot.now_usec / SEC;
    uint64_t start = now_nsec();
    policy_decide(&many->config, &many->snapshot, many->limits, &many->host, many->memory,
                  many->decisions);
    return now_nsec() - start;
}

static uint64_t time_sort(uint64_t *keys, uint64_t *state)
{
    for (size_t i = 0; i < DOMAINS; i++)
        keys[i] = random_next(state);
    uint64_t start = now_nsec();
    qsort(keys, DOMAINS, sizeof(*keys), compare_u64);
    return now_nsec() - start;
}

static double median_msec(uint64_t *times)
{
    qsort(times, ROUNDS, sizeof(*times), compare_u64);
    return (double)times[ROUNDS / 2] / 1000000;
}

int main(void)
{
    uint64_t state = 1;
    uint64_t sort[ROUNDS];
    uint64_t plenty[ROUNDS];
    uint64_t scarce[ROUNDS];
    uint64_t overload[ROUNDS];
    struct host_of_many many = make_host(&state);
    uint64_t *keys = make_array(sizeof(*keys));
    many.snapshot.now_usec = 1000 * SEC;
    time_decision(&many, AMPLE_KIB, GIB); /* the first decision has everything to learn */
    for (size_t round = 0; round < ROUNDS; round++) {
        sort[round] = time_sort(keys, &state);
        plenty[round] = time_decision(&many, AMPLE_KIB, AMPLE_KIB / 2);
        scarce[round] = time_decision(&many, AMPLE_KIB, GIB);
        overload[round] = time_decision(&many, AMPLE_KIB / 1024, GIB);
    }
    double base = median_msec(sort);
    printf("qsort of %d 64-bit keys             %8.2f ms\n", DOMAINS, base);
    printf("policy_decide, %d domains, plenty   %8.2f ms  %.2f of qsort\n", DOMAINS,
           median_msec(plenty), median_msec(plenty) / base);
    printf("policy_decide, %d domains, scarce   %8.2f ms  %.2f of qsort\n", DOMAINS,
           median_msec(scarce), median_msec(scarce) / base);
    printf("policy_decide, %d domains, overload %8.2f ms  %.2f of qsort\n", DOMAINS,
           median_msec(overload), median_msec(overload) / base);
    free(keys);
    free_host(&many);
    return EXIT_SUCCESS;
}
