/* world.c - a run: guests and host in virtual time, the hypervisor's operations on them, and who
 * decides: the coordinator itself, in a loop such as main.c's, or a law. */
#include "world.h"

#include "coordinator.h"
#include "guest.h"
#include "pace.h"
#include "record.h"
#include "splitmix.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { KIB_PER_MIB = 1024, USEC_PER_SEC = 1000000, TRACE_USEC = 500000 };

/* The clocks when a run begins; their fractions of a second differ, as real ones' do. */
static const uint64_t MONOTONIC_USEC = UINT64_C(1000) * USEC_PER_SEC;
static const uint64_t WALL_USEC = UINT64_C(1700000000400000);

struct world {
    const struct sim_run *run;
    struct sim_world truth;
    struct guest *guests;
    struct score *score;
    bool is_connected;
    unsigned int period_sec; /* how often guests are to report */
    size_t *by_uuid;         /* the guests in the order of their UUIDs */
    size_t *read;            /* which guest each domain of the last snapshot is */
    size_t read_count;

    /* who decides */
    struct log log;
    struct config config;
    struct coordinator *coordinator; /* NULL: a law */
    bool has_recorded;               /* something since the last restart */
    struct snapshot looks[2];        /* a law's, the last one and the one before */
    size_t current;
    struct law_memory *memory;
    int *memory_ids; /* of which start of its guest each memory is */
    size_t *domain_of;
    uint64_t *targets_kib;

    uint64_t first_usec; /* of the cycles since the last restart */
    uint64_t wake_usec;
    size_t restarts_done;
};

/* ---- the hypervisor's operations ---- */

/* A UUID that a guest keeps over its starts, and that orders guests otherwise than the file does.
 */
static void set_uuid(size_t guest, uint8_t uuid[DOMAIN_UUID_BYTES])
{
    uint64_t state = guest;
    for (size_t i = 0; i < DOMAIN_UUID_BYTES; i++)
        uuid[i] = (uint8_t)random_next(&state);
}

static bool is_disconnected(const struct world *world)
{
    return sim_spells_hold(&world->run->scenario->disconnected, world->truth.now_usec);
}

static int world_connect(void *self, char error[HYPERVISOR_ERROR_BYTES])
{
    struct world *world = self;
    world->is_connected = !is_disconnected(world);
    if (world->is_connected)
        return 0;
    snprintf(error, HYPERVISOR_ERROR_BYTES, "nobody answers");
    return -ENOTCONN;
}

static void identify(const struct world *world, size_t i, const struct snapshot *before,
                     struct domain *domain)
{
    *domain = (struct domain){0};
    set_uuid(i, domain->uuid);
    domain->id = world->truth.guests[i].id;
    snprintf(domain->name, sizeof(domain->name), "%s", world->truth.guests[i].plan->name);
    size_t known = snapshot_find(before, domain->uuid, domain->id);
    if (known == before->count)
        return;
    domain->is_known = before->domains[known].is_known;
    domain->is_running = before->domains[known].is_running;
    domain->has_balloon = before->domains[known].has_balloon;
    domain->max_kib = before->domains[known].max_kib;
    domain->period_sec = before->domains[known].period_sec;
    domain->settings = before->domains[known].settings;
}

/* What hypervisor.c reads of a configuration, and the statistics that it switches on. */
static void look_up(struct world *world, size_t i, struct domain *domain)
{
    struct guest *guest = &world->guests[i];
    const struct sim_guest_plan *plan = guest->truth->plan;
    domain->is_known = true;
    domain->has_balloon = plan->has_balloon;
    domain->max_kib = plan->max_kib;
    domain->settings = plan->settings;
    if (plan->has_balloon && (guest->period_sec == 0 || guest->period_sec > world->period_sec))
        guest_set_period(guest, world->truth.now_usec, world->period_sec);
    domain->period_sec = guest->period_sec;
}

static void read_guest(struct world *world, size_t i, const struct snapshot *before,
                       struct domain *domain)
{
    identify(world, i, before, domain);
    if (!domain->is_known || !domain->is_running)
        domain->is_running = world->truth.guests[i].is_running;
    if (!domain->is_known)
        look_up(world, i, domain);
    guest_describe(&world->guests[i], WALL_USEC, domain);
    uint64_t rss = world->truth.guests[i].touched_kib + world->run->scenario->overhead_kib;
    domain->rss_kib = (struct figure){true, rss};
}

static int world_read(void *self, const struct snapshot *before, struct snapshot *now,
                      char error[HYPERVISOR_ERROR_BYTES])
{
    struct world *world = self;
    world->is_connected = world->is_connected && !is_disconnected(world);
    if (!world->is_connected) {
        snprintf(error, HYPERVISOR_ERROR_BYTES, "connection closed");
        return -ENOTCONN;
    }
    if (snapshot_reserve(now, world->truth.guest_count) != 0) {
        snprintf(error, HYPERVISOR_ERROR_BYTES, "out of memory");
        return -ENOMEM;
    }
    now->count = 0;
    for (size_t i = 0; i < world->truth.guest_count; i++) {
        size_t guest = world->by_uuid[i];
        if (!world->truth.guests[guest].is_here)
            continue;
        world->read[now->count] = guest;
        read_guest(world, guest, before, &now->domains[now->count++]);
    }
    world->read_count = now->count;
    now->host = (struct host){
        .has_memory = true,
        .total_kib = world->truth.total_kib,
        .available_kib = sim_available_kib(&world->truth),
    };
    return 0;
}

/* Which guest that is: its UUID comes from its number. */
static size_t guest_of(const struct world *world, const struct domain *domain)
{
    uint8_t uuid[DOMAIN_UUID_BYTES];
    size_t i = 0;
    for (set_uuid(i, uuid); memcmp(uuid, domain->uuid, sizeof(uuid)) != 0; set_uuid(i, uuid))
        if (++i == world->truth.guest_count)
            abort();
    return i;
}

static int world_set_memory(void *self, const struct domain *domain, uint64_t target_kib,
                            char error[HYPERVISOR_ERROR_BYTES])
{
    struct world *world = self;
    size_t i = guest_of(world, domain);
    const struct sim_guest_plan *plan = world->truth.guests[i].plan;
    score_order(world->score, &world->truth, i, target_kib);
    if (!plan->has_balloon || sim_spells_hold(&plan->refuses, world->truth.now_usec)) {
        snprintf(error, HYPERVISOR_ERROR_BYTES, "cannot set its memory: refused");
        return -EIO;
    }
    guest_ask(&world->guests[i], world->truth.now_usec, target_kib);
    return 0;
}

static const struct hypervisor_operations operations = {
    .connect = world_connect,
    .read = world_read,
    .set_memory = world_set_memory,
};

/* ---- the coordinator ---- */

/* The log's stream: each line with the time before it. log_say() writes whole lines. */
static ssize_t write_log(void *argument, const char *text, size_t length)
{
    const struct world *world = argument;
    if (world->run->log != NULL)
        fprintf(world->run->log, "%8.1f %.*s", (double)world->truth.now_usec / USEC_PER_SEC,
                (int)length, text);
    return (ssize_t)length;
}

static int open_log(struct world *world)
{
    cookie_io_functions_t functions = {.write = write_log};
    world->log.stream = fopencookie(world, "w", functions);
    world->log.level = world->run->log != NULL ? world->run->log_level : LOG_LEVEL_ERROR;
    return world->log.stream != NULL ? 0 : -ENOMEM;
}

static int start_coordinator(struct world *world)
{
    char error[HYPERVISOR_ERROR_BYTES];
    struct coordinator_config config = {.config = &world->config, .uri = "sim:///"};
    coordinator_free(world->coordinator);
    world->coordinator = coordinator_new(&config, &world->log, &operations, world);
    if (world->coordinator == NULL)
        return -ENOMEM;
    coordinator_connect(world->coordinator, error); /* else the first cycle does */
    world->has_recorded = false;
    return 0;
}

static struct coordinator_time time_of(const struct world *world)
{
    return (struct coordinator_time){
        .now_usec = MONOTONIC_USEC + world->truth.now_usec,
        .wall_sec = (int64_t)((WALL_USEC + world->truth.now_usec) / USEC_PER_SEC),
    };
}

/* The cycle as the program records it: with its memory only where a run begins. */
static int record(struct world *world)
{
    struct record_origin origin = {.written_sec = time_of(world).wall_sec};
    struct coordinator_view view = coordinator_view(world->coordinator);
    char *line = record_format(&view, &origin, !world->has_recorded);
    if (line == NULL)
        return -ENOMEM;
    fprintf(world->run->record, "%s\n", line);
    free(line);
    world->has_recorded = true;
    return 0;
}

static int cycle_coordinator(struct world *world)
{
    coordinator_cycle(world->coordinator, time_of(world));
    uint64_t retry = coordinator_retry_usec(world->coordinator);
    if (retry != 0 && retry - MONOTONIC_USEC < world->wake_usec)
        world->wake_usec = retry - MONOTONIC_USEC;
    return world->run->record != NULL ? record(world) : 0;
}

/* ---- a law ---- */

static void forget_laws_memory(struct world *world)
{
    for (size_t i = 0; i < world->truth.guest_count; i++)
        world->memory[i] = (struct law_memory){0};
    for (size_t look = 0; look < 2; look++)
        world->looks[look].count = 0;
}

/* Which domain each guest is; a guest that was started anew is another one to a law. */
static void find_domains(struct world *world, const struct snapshot *now)
{
    for (size_t i = 0; i < world->truth.guest_count; i++) {
        world->domain_of[i] = now->count;
        if (world->memory_ids[i] != world->truth.guests[i].id)
            world->memory[i] = (struct law_memory){0};
        world->memory_ids[i] = world->truth.guests[i].id;
        world->targets_kib[i] = 0;
    }
    for (size_t index = 0; index < now->count; index++)
        world->domain_of[world->read[index]] = index;
}

/* Asks for what shrinks, or for what grows. */
static void ask_for_targets(struct world *world, const struct snapshot *now, bool shrinks)
{
    char error[HYPERVISOR_ERROR_BYTES];
    for (size_t i = 0; i < world->truth.guest_count; i++) {
        uint64_t target = world->targets_kib[i];
        if (target == 0 || world->domain_of[i] == now->count ||
            (target < world->truth.guests[i].size_kib) != shrinks)
            continue;
        world_set_memory(world, &now->domains[world->domain_of[i]], target, error);
    }
}

static int cycle_law(struct world *world)
{
    char error[HYPERVISOR_ERROR_BYTES];
    const struct snapshot *before = &world->looks[world->current];
    struct snapshot *now = &world->looks[1 - world->current];
    if (!world->is_connected && world_connect(world, error) != 0)
        return 0;
    if (world_read(world, before, now, error) != 0)
        return 0;
    now->now_usec = time_of(world).now_usec;
    now->wall_sec = time_of(world).wall_sec;
    world->current = 1 - world->current;
    find_domains(world, now);
    world->run->law->decide(&world->truth, now, world->domain_of, world->memory,
                            world->targets_kib);
    ask_for_targets(world, now, true);
    ask_for_targets(world, now, false);
    return 0;
}

/* ---- cycles ---- */

/* Whoever decides starts afresh. */
static int restart(struct world *world)
{
    world->first_usec = world->wake_usec = world->truth.now_usec;
    world->is_connected = false;
    if (world->run->law == NULL)
        return start_coordinator(world);
    forget_laws_memory(world);
    return 0;
}

static int follow_restarts(struct world *world)
{
    const struct sim_series *restarts = &world->run->scenario->restarts;
    if (world->restarts_done == restarts->count ||
        restarts->points[world->restarts_done].at_usec > world->truth.now_usec)
        return 0;
    world->restarts_done++;
    return restart(world);
}

static int cycle(struct world *world)
{
    score_cycle(world->score, &world->truth);
    world->wake_usec =
        pace_next_usec(world->first_usec, world->run->interval_usec, world->truth.now_usec);
    return world->run->law == NULL ? cycle_coordinator(world) : cycle_law(world);
}

/* ---- the trace ---- */

static void trace_spells(const struct world *world, const char *guest, const char *what,
                         const struct sim_spells *spells)
{
    for (size_t i = 0; i < spells->count; i++)
        if (spells->spells[i].from_usec < world->run->scenario->length_usec)
            fprintf(world->run->trace, "# phase,%.3f,spell,%s %s for %g s\n",
                    (double)spells->spells[i].from_usec / USEC_PER_SEC, guest, what,
                    (double)(spells->spells[i].until_usec - spells->spells[i].from_usec) /
                        USEC_PER_SEC);
}

static void trace_header(const struct world *world)
{
    const struct sim_run *run = world->run;
    const struct sim_scenario *scenario = run->scenario;
    fprintf(run->trace, "# test,\"%s on a%s host, every %g s, by %s\"\n", scenario->name,
            run->is_tight ? " tight" : "n ample", (double)run->interval_usec / USEC_PER_SEC,
            run->law != NULL ? run->law->name : "memory_coordinator");
    for (size_t i = 0; i < scenario->guest_count; i++) {
        const struct sim_guest_plan *plan = &scenario->guests[i];
        trace_spells(world, plan->name, "stuck", &plan->stuck);
        trace_spells(world, plan->name, "silent", &plan->frozen);
        trace_spells(world, plan->name, "reports garbage", &plan->garbage);
        trace_spells(world, plan->name, "claims to have nothing", &plan->claims_none);
        trace_spells(world, plan->name, "claims to have all", &plan->claims_all);
        trace_spells(world, plan->name, "not running", &plan->absent);
        trace_spells(world, plan->name, "paused", &plan->paused);
        trace_spells(world, plan->name, "refuses", &plan->refuses);
    }
    fprintf(run->trace,
            "seconds,guest,actual_mib,unused_mib,free_mib,oom_kills,swap_ins,load_mib\n");
}

static double mib(uint64_t kib)
{
    return (double)kib / KIB_PER_MIB;
}

/* Unused is what the host can read, free the truth; the load is what is used beyond the least. */
static void trace_guest(const struct world *world, size_t i)
{
    const struct sim_guest *guest = &world->truth.guests[i];
    const struct guest_report *readable = &world->guests[i].readable;
    FILE *trace = world->run->trace;
    uint64_t base = world->guests[i].base_kib;
    uint64_t held = guest->used_kib + guest->swapped_kib;
    bool is_sane = readable->has_figures && readable->unused_kib <= guest->plan->max_kib;
    fprintf(trace, "%.3f,%s,%.3f,", (double)world->truth.now_usec / USEC_PER_SEC, guest->plan->name,
            mib(guest->size_kib));
    if (is_sane)
        fprintf(trace, "%.3f", mib(readable->unused_kib));
    else
        fputs("nan", trace);
    fprintf(trace, ",%.3f,%u,%" PRIu64 ",%.3f\n", mib(sim_unused_kib(guest)), guest->kills,
            guest->swap_in_kib / 4, mib(held > base ? held - base : 0));
}

static void trace(const struct world *world)
{
    if (world->run->trace == NULL || world->truth.now_usec % TRACE_USEC != 0)
        return;
    for (size_t i = 0; i < world->truth.guest_count; i++)
        if (world->truth.guests[i].is_here)
            trace_guest(world, i);
}

/* ---- a run ---- */

static void set_limits(struct world *world)
{
    for (size_t i = 0; i < world->truth.guest_count; i++) {
        const struct sim_guest_plan *plan = &world->run->scenario->guests[i];
        world->truth.limits[i] = config_limits(&world->config, plan->name, &plan->settings);
    }
}

/* Orders the guests by UUID: insertion, for they are few. */
static void order_by_uuid(struct world *world)
{
    uint8_t uuid[DOMAIN_UUID_BYTES];
    uint8_t other[DOMAIN_UUID_BYTES];
    for (size_t i = 0; i < world->truth.guest_count; i++) {
        size_t place = i;
        set_uuid(i, uuid);
        for (; place > 0; place--) {
            set_uuid(world->by_uuid[place - 1], other);
            if (memcmp(other, uuid, sizeof(uuid)) < 0)
                break;
            world->by_uuid[place] = world->by_uuid[place - 1];
        }
        world->by_uuid[place] = i;
    }
}

static int reserve(struct world *world)
{
    size_t count = world->truth.guest_count;
    world->truth.guests = calloc(count, sizeof(*world->truth.guests));
    world->truth.limits = calloc(count, sizeof(*world->truth.limits));
    world->guests = calloc(count, sizeof(*world->guests));
    world->by_uuid = calloc(count, sizeof(*world->by_uuid));
    world->read = calloc(count, sizeof(*world->read));
    world->memory = calloc(count, sizeof(*world->memory));
    world->memory_ids = calloc(count, sizeof(*world->memory_ids));
    world->domain_of = calloc(count, sizeof(*world->domain_of));
    world->targets_kib = calloc(count, sizeof(*world->targets_kib));
    bool has_all = world->truth.guests != NULL && world->truth.limits != NULL &&
                   world->guests != NULL && world->by_uuid != NULL && world->read != NULL &&
                   world->memory != NULL && world->memory_ids != NULL && world->domain_of != NULL &&
                   world->targets_kib != NULL;
    return has_all ? open_log(world) : -ENOMEM;
}

static void release(struct world *world)
{
    coordinator_free(world->coordinator);
    if (world->log.stream != NULL)
        fclose(world->log.stream);
    snapshot_release(&world->looks[0]);
    snapshot_release(&world->looks[1]);
    free(world->truth.guests);
    free(world->truth.limits);
    free(world->guests);
    free(world->by_uuid);
    free(world->read);
    free(world->memory);
    free(world->memory_ids);
    free(world->domain_of);
    free(world->targets_kib);
}

static int begin(struct world *world)
{
    const struct sim_run *run = world->run;
    int result = reserve(world);
    if (result != 0)
        return result;
    set_limits(world);
    order_by_uuid(world);
    uint64_t seed = run->seed;
    for (size_t i = 0; i < world->truth.guest_count; i++) {
        world->truth.guests[i].plan = &run->scenario->guests[i];
        guest_begin(&world->guests[i], &world->truth.guests[i], random_next(&seed));
    }
    world->score = score_begin(&world->truth);
    if (world->score == NULL)
        return -ENOMEM;
    if (run->trace != NULL)
        trace_header(world);
    return restart(world);
}

static void step(struct world *world)
{
    world->truth.now_usec += SIM_STEP_USEC;
    world->truth.others_kib = sim_series_at(&world->run->scenario->others, world->truth.now_usec);
    for (size_t i = 0; i < world->truth.guest_count; i++)
        guest_step(&world->guests[i], world->truth.now_usec);
    score_step(world->score, &world->truth, SIM_STEP_USEC);
}

static int play(struct world *world)
{
    trace(world);
    while (world->truth.now_usec < world->run->scenario->length_usec) {
        int result = follow_restarts(world);
        if (result == 0 && world->truth.now_usec >= world->wake_usec)
            result = cycle(world);
        if (result != 0)
            return result;
        step(world);
        trace(world);
    }
    return 0;
}

int world_play(const struct sim_run *run, struct scores *ret_scores)
{
    struct world world = {
        .run = run,
        .truth =
            {
                .scenario = run->scenario,
                .is_tight = run->is_tight,
                .interval_usec = run->interval_usec,
                .total_kib = run->scenario->host_kib[run->is_tight],
                .others_kib = sim_series_at(&run->scenario->others, 0),
                .guest_count = run->scenario->guest_count,
            },
        .config = run->scenario->config,
        .period_sec = policy_report_period_sec(run->interval_usec),
    };
    world.config.policy.interval_usec = run->interval_usec;
    int result = begin(&world);
    if (result == 0)
        result = play(&world);
    if (world.score != NULL) {
        struct scores scores = score_end(world.score, &world.truth);
        if (result == 0)
            *ret_scores = scores;
    }
    release(&world);
    return result;
}
