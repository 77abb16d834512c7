/* ideal.c - a host of ideal guests. */
#include "ideal.h"

static const struct policy_config defaults = {
    .interval_usec = SEC,
    .host_reserve_kib = 200 * MIB,
    .surge_kib_per_sec = 28 * MIB,
};
const struct policy_limits world_limits = {
    .managed = true,
    .min_kib = 200 * MIB,
    .max_kib = UINT64_MAX,
    .headroom_kib = 100 * MIB,
    .shares = POLICY_SHARES,
};

void world_report(struct domain *domain, uint64_t used_kib, uint64_t last_update_sec)
{
    uint64_t actual = domain->actual_kib.value;
    domain->available_kib = (struct figure){true, actual - UNSEEN_KIB};
    domain->unused_kib = (struct figure){true, actual > used_kib ? actual - used_kib : 0};
    domain->last_update_sec = (struct figure){true, last_update_sec};
}

void world_add(struct world *world, uint64_t actual_kib, uint64_t used_kib, uint64_t max_kib)
{
    size_t i = world->snapshot.count++;
    world->domains[i] = (struct domain){
        .uuid = {(uint8_t)(i + 1)},
        .id = (int)i + 1,
        .is_known = true,
        .is_running = true,
        .has_balloon = true,
        .max_kib = max_kib,
        .period_sec = 1,
        .actual_kib = {true, actual_kib},
        .rss_kib = {true, actual_kib + OVERHEAD_KIB},
    };
    world->limits[i] = world_limits;
    world->used_kib[i] = used_kib;
    world_report(&world->domains[i], used_kib, 1000);
}

struct world world_make(uint64_t host_kib)
{
    struct world world = {.config = defaults, .host_kib = host_kib};
    world.snapshot.now_usec = 1000 * SEC;
    world.snapshot.wall_sec = 1000;
    return world;
}

struct world world_make_course(uint64_t host_kib)
{
    struct world world = world_make(host_kib);
    for (size_t i = 0; i < 4; i++)
        world_add(&world, 512 * MIB, 180 * MIB, 2048 * MIB);
    return world;
}

uint64_t world_rss_kib(const struct world *world)
{
    uint64_t total = 0;
    for (size_t i = 0; i < world->snapshot.count; i++)
        total += world->domains[i].rss_kib.value;
    return total;
}

void world_decide(struct world *world)
{
    uint64_t taken = world_rss_kib(world) + world->set_aside_kib;
    world->snapshot.domains = world->domains;
    world->snapshot.host.has_memory = true;
    world->snapshot.host.total_kib = world->host_kib;
    world->snapshot.host.available_kib = world->host_kib > taken ? world->host_kib - taken : 0;
    policy_decide(&world->config, &world->snapshot, world->limits, &world->host, world->memory,
                  world->decisions);
}

static void obey(struct world *world, size_t i)
{
    struct domain *domain = &world->domains[i];
    policy_asked(&world->memory[i], &world->decisions[i], world->snapshot.now_usec);
    domain->actual_kib.value = world->decisions[i].target_kib;
    domain->rss_kib.value = domain->actual_kib.value + OVERHEAD_KIB;
    world->moves++;
}

void world_advance(struct world *world)
{
    world->moves = 0;
    for (size_t i = 0; i < world->snapshot.count; i++)
        if (world->decisions[i].action != POLICY_HOLD)
            obey(world, i);
    world->snapshot.now_usec += world->config.interval_usec;
    world->snapshot.wall_sec = (int64_t)(world->snapshot.now_usec / SEC);
    for (size_t i = 0; i < world->snapshot.count; i++)
        if (world->domains[i].last_update_sec.known)
            world_report(&world->domains[i], world->used_kib[i], world->snapshot.now_usec / SEC);
}

void world_cycle(struct world *world)
{
    world_decide(world);
    world_advance(world);
}

void world_run(struct world *world, unsigned int cycles)
{
    while (cycles-- > 0)
        world_cycle(world);
}

uint64_t world_unused_kib(const struct world *world, size_t i)
{
    uint64_t actual = world->domains[i].actual_kib.value;
    return actual > world->used_kib[i] ? actual - world->used_kib[i] : 0;
}
