/*
 * fuzz_statistics.c - one guest reports whatever the input says, entry by entry as libvirt gives
 * them, beside some that report the truth: for them everything stays within its bounds.
 *
 * An input is rounds of: what the host has, what the honest guests use, how many entries, and
 * those: a tag, the kind of value, the value. What is missing at the end is 0.
 */
#include "config.h"
#include "fuzz.h"
#include "hypervisor.h"
#include "policy.h"

const char fuzz_name[] = "statistics";

enum { MIB = 1024, SEC = 1000000, GUESTS = 4, LIAR = 0, ROUNDS = 40 };

static const uint64_t UNSEEN_KIB = 69 * MIB;
static const uint64_t MAX_KIB = 2048 * MIB;
static const uint64_t MIN_KIB = 200 * MIB;
static const uint64_t LEAST_KIB = 100 * MIB; /* R */

struct input {
    const uint8_t *data;
    size_t size;
};

struct world {
    struct domain domains[GUESTS];
    uint64_t used_kib[GUESTS]; /* of the honest ones */
    struct policy_limits limits[GUESTS];
    struct policy_memory memory[GUESTS];
    struct policy_decision decisions[GUESTS];
    struct policy_host host;
    struct policy_config config;
    struct snapshot snapshot;
};

/* ---- the input ---- */

static uint64_t take(struct input *input, size_t bytes)
{
    uint64_t value = 0;
    for (; bytes > 0 && input->size > 0; bytes--, input->size--)
        value = value << 8 | *input->data++;
    return value;
}

static uint64_t take_value(struct input *input)
{
    static const uint64_t odd[] = {0,
                                   1,
                                   UINT64_MAX,
                                   UINT64_MAX - 1,
                                   UINT64_MAX / 1024,
                                   UINT64_C(1) << 63,
                                   UINT64_C(1) << 50,
                                   UINT64_C(1) << 40};
    switch (take(input, 1) % 4) {
    case 0:
        return take(input, 1) * 8 * MIB;
    case 1:
        return take(input, 3);
    case 2:
        return take(input, 8);
    default:
        return odd[take(input, 1) % (sizeof(odd) / sizeof(*odd))];
    }
}

/* ---- the world ---- */

static void begin_world(struct world *world)
{
    struct config config = config_default();
    struct settings none = {0};
    *world = (struct world){.config = config.policy};
    world->config.interval_usec = SEC;
    world->snapshot.domains = world->domains;
    world->snapshot.count = world->snapshot.capacity = GUESTS;
    for (size_t i = 0; i < GUESTS; i++) {
        world->limits[i] = config_limits(&config, "vm", &none);
        world->used_kib[i] = 300 * MIB;
        world->domains[i] = (struct domain){
            .uuid = {(uint8_t)(i + 1)},
            .id = (int)i + 1,
            .is_running = true,
            .is_known = true,
            .has_balloon = true,
            .period_sec = 1,
            .max_kib = MAX_KIB,
            .actual_kib = {true, 512 * MIB},
        };
    }
}

static void report_truth(struct world *world, size_t i, uint64_t now_sec)
{
    struct domain *domain = &world->domains[i];
    uint64_t actual = domain->actual_kib.value;
    uint64_t unused = actual - world->used_kib[i];
    domain->rss_kib = (struct figure){true, actual};
    domain->available_kib = (struct figure){true, actual - UNSEEN_KIB};
    domain->unused_kib = domain->usable_kib = (struct figure){true, unused};
    domain->last_update_sec = (struct figure){true, now_sec};
    domain->swap_in_kib = domain->major_faults = (struct figure){true, 0};
}

static void report_input(struct domain *domain, struct input *input)
{
    struct domain silent = *domain;
    silent.actual_kib = silent.rss_kib = silent.unused_kib = (struct figure){0};
    silent.available_kib = silent.usable_kib = silent.last_update_sec = (struct figure){0};
    silent.swap_in_kib = silent.major_faults = (struct figure){0};
    *domain = silent;
    for (uint64_t entries = take(input, 1) % 16; entries > 0; entries--) {
        int tag = (int8_t)take(input, 1);
        hypervisor_take_statistic(domain, tag, take_value(input));
    }
}

/* An honest guest cannot use more than it has. */
static void use(struct world *world, size_t i, uint64_t wanted_kib)
{
    uint64_t most = world->domains[i].actual_kib.value;
    uint64_t least = UNSEEN_KIB;
    wanted_kib = wanted_kib < most ? wanted_kib : most;
    world->used_kib[i] = wanted_kib > least ? wanted_kib : least;
}

static void look(struct world *world, struct input *input, unsigned int round)
{
    uint64_t now_sec = 1000 + round;
    uint64_t available = take(input, 1) * 32 * MIB;
    world->snapshot.now_usec = now_sec * SEC;
    world->snapshot.wall_sec = (int64_t)now_sec;
    world->snapshot.host = (struct host){
        .has_memory = true, .total_kib = 16 * 1024 * (uint64_t)MIB, .available_kib = available};
    for (size_t i = 0; i < GUESTS; i++) {
        if (i == LIAR)
            continue;
        use(world, i, take(input, 1) * 8 * MIB);
        report_truth(world, i, now_sec);
    }
    report_input(&world->domains[LIAR], input);
}

/* ---- what must hold ---- */

static void check_any(const struct policy_decision *decision)
{
    if (decision->action == POLICY_HOLD)
        fuzz_expect(decision->target_kib == decision->from_kib);
    else if (decision->action == POLICY_GROW)
        fuzz_expect(decision->target_kib <= MAX_KIB);
    else if (decision->reason != POLICY_STUCK)
        fuzz_expect(decision->target_kib >= MIN_KIB || decision->from_kib < MIN_KIB);
}

static void check_honest(const struct policy_decision *decision, const struct domain *domain,
                         uint64_t used_kib)
{
    fuzz_expect(!policy_is_held(decision->reason));
    fuzz_expect(decision->from_kib == domain->actual_kib.value);
    if (decision->action == POLICY_GROW) {
        fuzz_expect(decision->target_kib > decision->from_kib);
    } else if (decision->action == POLICY_SHRINK) {
        fuzz_expect(decision->target_kib < decision->from_kib);
        fuzz_expect(decision->from_kib - decision->target_kib <= decision->from_kib * 3 / 16);
        /* Who has been given R and has nothing unused all the same is not believed. */
        fuzz_expect(decision->is_insatiable || decision->target_kib >= used_kib + LEAST_KIB / 2);
    }
}

/* What is granted to all together is there, beyond the host's reserve; what a guest was granted
 * before is its own. */
static void check_sum(const struct world *world)
{
    uint64_t available = world->snapshot.host.available_kib;
    uint64_t reserve = world->config.host_reserve_kib;
    uint64_t granted = 0;
    for (size_t i = 0; i < GUESTS; i++)
        if (world->decisions[i].target_kib > world->decisions[i].owed_kib)
            granted += world->decisions[i].target_kib - world->decisions[i].owed_kib;
    fuzz_expect(granted <= (available > reserve ? available - reserve : 0));
}

static void act(struct world *world)
{
    for (size_t i = 0; i < GUESTS; i++) {
        if (world->decisions[i].action == POLICY_HOLD)
            continue;
        policy_asked(&world->memory[i], &world->decisions[i], world->snapshot.now_usec);
        if (i != LIAR)
            world->domains[i].actual_kib.value = world->decisions[i].target_kib;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct world world;
    begin_world(&world);
    for (unsigned int round = 0; round < ROUNDS && input.size > 0; round++) {
        look(&world, &input, round);
        policy_decide(&world.config, &world.snapshot, world.limits, &world.host, world.memory,
                      world.decisions);
        for (size_t i = 0; i < GUESTS; i++) {
            check_any(&world.decisions[i]);
            if (i != LIAR)
                check_honest(&world.decisions[i], &world.domains[i], world.used_kib[i]);
        }
        check_sum(&world);
        act(&world);
    }
    return 0;
}
