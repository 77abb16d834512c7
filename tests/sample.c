/* sample.c - a host with guests of all kinds. */
#include "sample.h"

#include "support.h"

#include <stdio.h>
#include <string.h>

#define OF_MIB(mib) ((uint64_t)((mib)*1024.0))

static const struct guest {
    const char *name;
    enum policy_reason reason;
    enum policy_bound bound;
    enum policy_action action;
    double size, needed, cache, target, max;
} guests[SAMPLE_GUESTS] = {
    {"aos_vm1", POLICY_NEEDS, POLICY_UNBOUND, POLICY_GROW, 512, 398.1, 20, 590.5, 2048},
    {"aos_vm2", POLICY_DONATES, POLICY_BOUND_GRADUAL, POLICY_SHRINK, 900.5, 210, 180.5, 816.1,
     2048},
    {"aos_vm10", POLICY_SETTLED, POLICY_UNBOUND, POLICY_HOLD, 402.4, 200, 10, 402.4, 2048},
    {"database-production-eu-west-1-primary", POLICY_STARVING, POLICY_BOUND_POOL, POLICY_HOLD, 1200,
     1150, 40, 1200, 4096},
    {"web1", POLICY_STALE, POLICY_UNBOUND, POLICY_HOLD, 512, 300, 40, 512, 1024},
    {"web2", POLICY_UNMANAGED, POLICY_UNBOUND, POLICY_HOLD, 700, 0, 0, 700, 1024},
    {"passthrough", POLICY_NO_BALLOON, POLICY_UNBOUND, POLICY_HOLD, 2048, 0, 0, 2048, 2048},
    {"windows", POLICY_STUCK, POLICY_UNBOUND, POLICY_HOLD, 1500, 0, 0, 1500, 2048},
};

static struct figure known(uint64_t value)
{
    return (struct figure){true, value};
}

static void show_report(struct domain *domain, const struct guest *guest)
{
    uint64_t usable = OF_MIB(guest->size - guest->needed);
    domain->unused_kib = known(usable - OF_MIB(guest->cache));
    domain->usable_kib = known(usable);
    domain->available_kib = known(OF_MIB(guest->size - 70));
    domain->last_update_sec = known(SAMPLE_WRITTEN_SEC - (guest->reason == POLICY_STALE ? 20 : 1));
}

static void make_domain(struct domain *domain, const struct guest *guest, size_t i)
{
    snprintf(domain->name, sizeof(domain->name), "%s", guest->name);
    memset(domain->uuid, (int)(0x11 * (i + 1)), sizeof(domain->uuid));
    domain->id = (int)i + 1;
    domain->is_running = domain->is_known = true;
    domain->has_balloon = guest->reason != POLICY_NO_BALLOON;
    domain->period_sec = 1;
    domain->max_kib = OF_MIB(guest->max);
    domain->actual_kib = known(OF_MIB(guest->size));
    domain->rss_kib = known(OF_MIB(guest->size + 90));
    if (guest->needed > 0)
        show_report(domain, guest);
}

static void make_decision(struct policy_decision *decision, const struct guest *guest)
{
    decision->reason = guest->reason;
    decision->bound = guest->bound;
    decision->action = guest->action;
    decision->from_kib = decision->owed_kib = OF_MIB(guest->size);
    decision->target_kib = OF_MIB(guest->target);
    decision->overhead_kib = OF_MIB(90);
    if (policy_is_held(guest->reason))
        return;
    decision->used_kib = decision->peak_kib = OF_MIB(guest->needed + guest->cache);
    decision->claimed_kib = decision->needed_kib = OF_MIB(guest->needed);
    decision->unused_kib = OF_MIB(guest->size - guest->needed);
    decision->least_kib = OF_MIB(100);
    decision->headroom_kib = OF_MIB(192.4);
    decision->wish_kib = decision->ceiling_kib = OF_MIB(guest->needed + 192.4);
    decision->min_kib = OF_MIB(200);
    decision->max_kib = OF_MIB(guest->max);
    decision->shares = POLICY_SHARES;
}

void sample_make(struct sample *sample)
{
    memset(sample, 0, sizeof(*sample));
    for (size_t i = 0; i < SAMPLE_GUESTS; i++) {
        make_domain(&sample->domains[i], &guests[i], i);
        sample->domains[i].remarks = &sample->remarks[i];
        make_decision(&sample->decisions[i], &guests[i]);
        sample->limits[i] = (struct policy_limits){.managed = guests[i].reason != POLICY_UNMANAGED,
                                                   .min_kib = 200 * MIB,
                                                   .max_kib = UINT64_MAX,
                                                   .headroom_kib = 100 * MIB,
                                                   .shares = POLICY_SHARES};
        if (guests[i].action != POLICY_HOLD)
            sample->requests[i] = COORDINATOR_MADE;
    }
    sample->memory[SAMPLE_GROWING].rate_kib_per_sec = 28 * MIB;
    sample->decisions[SAMPLE_GROWING].growth_kib = OF_MIB(92.4);
    sample->snapshot = (struct snapshot){
        .now_usec = 5000 * SEC,
        .wall_sec = SAMPLE_WRITTEN_SEC,
        .host = {.has_memory = true, .total_kib = 16000 * MIB, .available_kib = 6321 * MIB},
        .domains = sample->domains,
        .count = SAMPLE_GUESTS,
    };
    sample->view = (struct coordinator_view){
        .uri = "qemu:///system",
        .is_connected = true,
        .policy = {.interval_usec = 2 * SEC,
                   .host_reserve_kib = 200 * MIB,
                   .surge_kib_per_sec = 28 * MIB},
        .snapshot = &sample->snapshot,
        .limits = sample->limits,
        .memory = sample->memory,
        .decisions = sample->decisions,
        .requests = sample->requests,
        .host = {.state = POLICY_HOST_HIGH, .pool_kib = 8600 * MIB, .level_kib = OF_MIB(105.5)},
    };
}
