/* law_peers.c - the laws that others have published; see law_peers.h. */
#include "law_peers.h"

#include <math.h>

static const double KIB_PER_MIB = 1024;

static double clamp(double value, double low, double high)
{
    return fmax(low, fmin(value, high));
}

/* ---- what a peer sees ---- */

/* One guest in a peer's eyes; reckoned anew wherever it is needed, as there is no room to keep it.
 */
struct view {
    bool is_there; /* false: left alone */
    double actual_kib;
    double unused_kib;
    double used_kib;   /* actual less unused: page cache is in it */
    double demand_kib; /* actual less usable: page cache is not */
    double min_kib;
    double max_kib;
    double shares;
};

static struct view view_of(const struct sim_world *world, const struct snapshot *snapshot,
                           const size_t *domain_of, size_t guest)
{
    if (domain_of[guest] >= snapshot->count || !world->limits[guest].managed)
        return (struct view){0};
    const struct domain *domain = &snapshot->domains[domain_of[guest]];
    const struct policy_limits *limits = &world->limits[guest];
    if (!domain->is_running || !domain->has_balloon || domain->max_kib == 0 ||
        !domain->actual_kib.known || !domain->unused_kib.known)
        return (struct view){0};
    double actual = (double)domain->actual_kib.value;
    double unused = (double)domain->unused_kib.value;
    double usable = domain->usable_kib.known ? (double)domain->usable_kib.value : unused;
    double max = (double)domain->max_kib;
    if (limits->max_kib != 0)
        max = fmin(max, (double)limits->max_kib);
    return (struct view){
        .is_there = true,
        .actual_kib = actual,
        .unused_kib = unused,
        .used_kib = fmax(0, actual - unused),
        .demand_kib = fmax(0, actual - usable),
        .min_kib = fmin((double)limits->min_kib, max),
        .max_kib = max,
        .shares = fmax(1, (double)limits->shares),
    };
}

/* figures[0] of those peers that know what they have promised: the last request. */
enum { ASKED };

/*
 * What of the host's memory nobody has or was promised. On Xen, where two of the peers live, that
 * is what is free, since a domain's memory is taken when it is given; on KVM it is taken when
 * touched.
 */
static double unpromised_kib(const struct sim_world *world, const struct snapshot *snapshot,
                             const size_t *domain_of, const struct law_memory *memory)
{
    const double overhead_kib = 32 * KIB_PER_MIB;
    if (!snapshot->host.has_memory)
        return 0;
    double left = (double)snapshot->host.available_kib -
                  (double)world->scenario->config.policy.host_reserve_kib;
    for (size_t i = 0; i < world->guest_count; i++) {
        if (domain_of[i] >= snapshot->count)
            continue;
        const struct domain *domain = &snapshot->domains[domain_of[i]];
        double actual = domain->actual_kib.known ? (double)domain->actual_kib.value : 0;
        double rss = domain->rss_kib.known ? (double)domain->rss_kib.value : 0;
        left += rss - fmax(actual, memory[i].figures[ASKED]) - fmax(overhead_kib, rss - actual);
    }
    return left;
}

static void ask(struct law_memory *memory, uint64_t *target_kib, double kib)
{
    memory->figures[ASKED] = kib;
    *target_kib = (uint64_t)kib;
}

/* ---- oVirt MOM ---- */

/*
 * Source: the ballooning rules that oVirt's VDSM ships for MOM. It decides every 10 s on the
 * averages of the last 10 samples, taken every 5 s: here, on those of the last 5 cycles.
 */
enum { MOM_SAMPLES = 5, MOM_ACTUAL = 0, MOM_UNUSED = 5, MOM_FREE = 10, MOM_COUNT = 15 };

static const double MOM_PRESSURE = 0.20;     /* shrink while less of the host is free */
static const double MOM_CRITICAL = 0.05;     /* with less, force the guests to swap */
static const double MOM_GUEST_FREE = 0.20;   /* of its size a guest should have unused */
static const double MOM_STEP = 0.05;         /* most change of a size at once, but for need */
static const double MOM_LEAST_STEP = 0.0025; /* less is not worth a call */

static double mom_average(const struct law_memory *memory, size_t from)
{
    size_t count = (size_t)fmin(memory->figures[MOM_COUNT], MOM_SAMPLES);
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += memory->figures[from + i];
    return count > 0 ? sum / (double)count : 0;
}

static void mom_sample(struct law_memory *memory, const struct view *view, double host_free)
{
    size_t at = (size_t)memory->figures[MOM_COUNT] % MOM_SAMPLES;
    memory->figures[MOM_ACTUAL + at] = view->actual_kib;
    memory->figures[MOM_UNUSED + at] = view->unused_kib;
    memory->figures[MOM_FREE + at] = host_free;
    memory->figures[MOM_COUNT]++;
}

static double mom_shrink(const struct view *view, double used_kib, double host_free)
{
    double guest_free = host_free <= MOM_CRITICAL ? host_free - MOM_CRITICAL
                                                  : MOM_GUEST_FREE * host_free / MOM_PRESSURE;
    double least = fmax(view->min_kib, used_kib + guest_free * view->actual_kib);
    return fmin(view->actual_kib, fmax(least, view->actual_kib * (1 - MOM_STEP)));
}

static double mom_grow(const struct view *view, double used_kib)
{
    double least = used_kib + MOM_GUEST_FREE * view->actual_kib;
    double grown = fmax(least, view->actual_kib * (1 + MOM_STEP));
    return fmax(view->actual_kib, fmin(grown, view->max_kib));
}

void law_mom(const struct sim_world *world, const struct snapshot *snapshot,
             const size_t *domain_of, struct law_memory *memory, uint64_t *targets_kib)
{
    const struct host *host = &snapshot->host;
    if (!host->has_memory || host->total_kib == 0)
        return;
    for (size_t i = 0; i < world->guest_count; i++) {
        struct view view = view_of(world, snapshot, domain_of, i);
        if (!view.is_there)
            continue;
        mom_sample(&memory[i], &view, (double)host->available_kib / (double)host->total_kib);
        double host_free = mom_average(&memory[i], MOM_FREE);
        double used = mom_average(&memory[i], MOM_ACTUAL) - mom_average(&memory[i], MOM_UNUSED);
        double target =
            host_free < MOM_PRESSURE ? mom_shrink(&view, used, host_free) : mom_grow(&view, used);
        if (fabs(target - view.actual_kib) > MOM_LEAST_STEP * view.actual_kib)
            targets_kib[i] = (uint64_t)target;
    }
}

/* ---- Proxmox ---- */

/* Source: the manual's chapter on memory, and the test data of its auto-ballooning; every 10 s. */
static const double PROXMOX_GOAL = 0.80;           /* of the host's memory to be in use */
static const double PROXMOX_BAND_KIB = 10 * 1024;  /* so near to the goal nothing is done */
static const double PROXMOX_STEP_KIB = 100 * 1024; /* most change of a guest at once */
static const double PROXMOX_PRESSED = 0.25; /* of its minimum: who has less free is pressed */

/* What each guest should have: its minimum, and its share of the rest. What is beyond the maximum
 * of one goes to the others; figures[0] and [1] hold the outcome and whether it is final. */
static void proxmox_share_out(const struct sim_world *world, const struct snapshot *snapshot,
                              const size_t *domain_of, struct law_memory *memory, double rest_kib)
{
    for (size_t i = 0; i < world->guest_count; i++)
        memory[i].figures[1] = 0;
    for (size_t round = 0; round < world->guest_count; round++) {
        double shares = 0;
        double filled_kib = 0;
        for (size_t i = 0; i < world->guest_count; i++) {
            struct view view = view_of(world, snapshot, domain_of, i);
            if (view.is_there && memory[i].figures[1] == 0)
                shares += view.shares;
        }
        for (size_t i = 0; i < world->guest_count; i++) {
            struct view view = view_of(world, snapshot, domain_of, i);
            if (!view.is_there || memory[i].figures[1] != 0)
                continue;
            double desired = view.min_kib + rest_kib * view.shares / shares;
            memory[i].figures[0] = clamp(desired, view.min_kib, view.max_kib);
            if (desired >= view.max_kib) {
                memory[i].figures[1] = 1;
                filled_kib += view.max_kib - view.min_kib;
            }
        }
        rest_kib -= filled_kib;
        if (filled_kib == 0)
            break;
    }
}

/* Lets guests go towards what they should have until *LEFT_KIB is used up: those that are pressed,
 * or those that are not. */
static void proxmox_move(const struct sim_world *world, const struct snapshot *snapshot,
                         const size_t *domain_of, const struct law_memory *memory, bool grow,
                         bool pressed, double *left_kib, uint64_t *targets_kib)
{
    for (size_t i = 0; i < world->guest_count; i++) {
        struct view view = view_of(world, snapshot, domain_of, i);
        if (!view.is_there || (view.unused_kib <= PROXMOX_PRESSED * view.min_kib) != pressed)
            continue;
        double wish = memory[i].figures[0] - view.actual_kib;
        double change = fmin(fmin(grow ? wish : -wish, PROXMOX_STEP_KIB), *left_kib);
        if (change < KIB_PER_MIB)
            continue;
        *left_kib -= change;
        targets_kib[i] = (uint64_t)(view.actual_kib + (grow ? change : -change));
    }
}

void law_proxmox(const struct sim_world *world, const struct snapshot *snapshot,
                 const size_t *domain_of, struct law_memory *memory, uint64_t *targets_kib)
{
    const struct host *host = &snapshot->host;
    if (!host->has_memory)
        return;
    double used = (double)host->total_kib - (double)host->available_kib;
    double goal = PROXMOX_GOAL * (double)host->total_kib - used;
    if (fabs(goal) <= PROXMOX_BAND_KIB)
        return;
    double rest = goal;
    for (size_t i = 0; i < world->guest_count; i++) {
        struct view view = view_of(world, snapshot, domain_of, i);
        rest += view.actual_kib - view.min_kib;
    }
    proxmox_share_out(world, snapshot, domain_of, memory, rest);
    double left = fabs(goal);
    /* The pressed ones receive first and give last. */
    bool grow = goal > 0;
    proxmox_move(world, snapshot, domain_of, memory, grow, grow, &left, targets_kib);
    proxmox_move(world, snapshot, domain_of, memory, grow, !grow, &left, targets_kib);
}

/* ---- Qubes qmemman ---- */

/* Source: the documentation of Qubes' qmemman, and its constants; on every report of a guest. */
static const double QMEMMAN_FACTOR = 1.3; /* of its use, without page cache, a guest prefers */
static const double QMEMMAN_LEAST_PREFERRED_KIB = 200 * 1024;
static const double QMEMMAN_LEAST_TRANSFER_KIB = 150 * 1024; /* in all; or */
static const double QMEMMAN_LEAST_GAIN_KIB = 15 * 1024;      /* for a guest below what it prefers */

static double qmemman_preferred_kib(const struct view *view)
{
    double preferred = fmax(QMEMMAN_FACTOR * view->demand_kib, QMEMMAN_LEAST_PREFERRED_KIB);
    return clamp(preferred, view->min_kib, view->max_kib);
}

/* What everyone would have by qmemman: figures[1]. SPARE_KIB is what is free. */
static void qmemman_plan(const struct sim_world *world, const struct snapshot *snapshot,
                         const size_t *domain_of, struct law_memory *memory, double spare_kib)
{
    double needed = 0;    /* to bring all to what they prefer */
    double preferred = 0; /* by all */
    double squeezed = spare_kib;
    double wanting = 0; /* preferred by those that have less */
    for (size_t i = 0; i < world->guest_count; i++) {
        struct view view = view_of(world, snapshot, domain_of, i);
        if (!view.is_there)
            continue;
        double mine = qmemman_preferred_kib(&view);
        needed += mine - view.actual_kib;
        preferred += mine;
        squeezed += fmax(0, view.actual_kib - mine);
        wanting += view.actual_kib < mine ? mine : 0;
    }
    for (size_t i = 0; i < world->guest_count; i++) {
        struct view view = view_of(world, snapshot, domain_of, i);
        double mine = qmemman_preferred_kib(&view);
        double plan = mine;
        if (spare_kib >= needed) /* enough: all of it, in proportion */
            plan = mine + (spare_kib - needed) * mine / fmax(1, preferred);
        else if (view.actual_kib < mine) /* scarce: what others give, in proportion */
            plan = fmin(mine, view.actual_kib + squeezed * mine / fmax(1, wanting));
        memory[i].figures[1] = clamp(plan, view.min_kib, view.max_kib);
    }
}

static bool qmemman_is_worth_it(const struct sim_world *world, const struct snapshot *snapshot,
                                const size_t *domain_of, const struct law_memory *memory)
{
    double transfer = 0;
    for (size_t i = 0; i < world->guest_count; i++) {
        struct view view = view_of(world, snapshot, domain_of, i);
        if (!view.is_there)
            continue;
        double gain = memory[i].figures[1] - view.actual_kib;
        transfer += fabs(gain);
        if (view.actual_kib < qmemman_preferred_kib(&view) && gain > QMEMMAN_LEAST_GAIN_KIB)
            return true;
    }
    return transfer > QMEMMAN_LEAST_TRANSFER_KIB;
}

/* Asks for figures[1]: donors at once, the others as far as memory has arrived. */
static void donors_first(const struct sim_world *world, const struct snapshot *snapshot,
                         const size_t *domain_of, struct law_memory *memory, double spare_kib,
                         uint64_t *targets_kib)
{
    double growth = 0;
    for (size_t i = 0; i < world->guest_count; i++) {
        struct view view = view_of(world, snapshot, domain_of, i);
        if (view.is_there)
            growth += fmax(0, memory[i].figures[1] - view.actual_kib);
    }
    double part = growth > 0 ? clamp(spare_kib / growth, 0, 1) : 0;
    for (size_t i = 0; i < world->guest_count; i++) {
        struct view view = view_of(world, snapshot, domain_of, i);
        double change = memory[i].figures[1] - view.actual_kib;
        if (change > 0)
            change *= part;
        if (view.is_there && fabs(change) > KIB_PER_MIB)
            ask(&memory[i], &targets_kib[i], view.actual_kib + change);
    }
}

void law_qmemman(const struct sim_world *world, const struct snapshot *snapshot,
                 const size_t *domain_of, struct law_memory *memory, uint64_t *targets_kib)
{
    double spare = unpromised_kib(world, snapshot, domain_of, memory);
    qmemman_plan(world, snapshot, domain_of, memory, spare);
    if (qmemman_is_worth_it(world, snapshot, domain_of, memory))
        donors_first(world, snapshot, domain_of, memory, spare, targets_kib);
}

/* ---- XenServer squeezed ---- */

/*
 * Source: squeezed's design documents; every 10 s. Guests have what is there between their minima
 * and maxima, all the same part of the way, whatever they use. A domain that makes no progress for
 * 5 s is left out of the reckoning, and keeps what it has.
 */
static const double SQUEEZED_INACTIVE_SEC = 5;
enum { SQUEEZED_SIZE = 2, SQUEEZED_MOVED_SEC = 3, SQUEEZED_ACTIVE = 4 };

static bool squeezed_is_active(struct law_memory *memory, const struct view *view, double now_sec)
{
    double asked = memory->figures[ASKED];
    bool is_there = asked == 0 || fabs(asked - view->actual_kib) <= KIB_PER_MIB;
    if (is_there || view->actual_kib != memory->figures[SQUEEZED_SIZE])
        memory->figures[SQUEEZED_MOVED_SEC] = now_sec;
    memory->figures[SQUEEZED_SIZE] = view->actual_kib;
    return now_sec - memory->figures[SQUEEZED_MOVED_SEC] < SQUEEZED_INACTIVE_SEC;
}

void law_squeezed(const struct sim_world *world, const struct snapshot *snapshot,
                  const size_t *domain_of, struct law_memory *memory, uint64_t *targets_kib)
{
    double now_sec = (double)world->now_usec / 1e6;
    double spare = unpromised_kib(world, snapshot, domain_of, memory);
    double surplus = spare;
    double range = 0;
    for (size_t i = 0; i < world->guest_count; i++) {
        struct view view = view_of(world, snapshot, domain_of, i);
        bool is_active = view.is_there && squeezed_is_active(&memory[i], &view, now_sec);
        memory[i].figures[SQUEEZED_ACTIVE] = is_active ? 1 : 0;
        if (!is_active)
            continue;
        surplus += fmax(view.actual_kib, memory[i].figures[ASKED]) - view.min_kib;
        range += view.max_kib - view.min_kib;
    }
    double gamma = range > 0 ? clamp(surplus / range, 0, 1) : 0;
    for (size_t i = 0; i < world->guest_count; i++) {
        struct view view = view_of(world, snapshot, domain_of, i);
        memory[i].figures[1] = memory[i].figures[SQUEEZED_ACTIVE] != 0
                                   ? view.min_kib + gamma * (view.max_kib - view.min_kib)
                                   : view.actual_kib;
    }
    donors_first(world, snapshot, domain_of, memory, spare, targets_kib);
}

/* ---- Hyper-V ---- */

/*
 * Source: Microsoft's pages on Dynamic Memory. A guest is to have its demand, which is what is
 * committed and not page cache, and the buffer on top; by weight where there is not enough.
 */
static const double HYPERV_BUFFER = 0.20;
static const double HYPERV_LEAST_CHANGE_KIB = 2 * 1024; /* it moves memory in blocks of 2 MiB */

void law_hyperv(const struct sim_world *world, const struct snapshot *snapshot,
                const size_t *domain_of, struct law_memory *memory, uint64_t *targets_kib)
{
    double spare = fmax(0, unpromised_kib(world, snapshot, domain_of, memory));
    double weight = 0;
    for (size_t i = 0; i < world->guest_count; i++) {
        struct view view = view_of(world, snapshot, domain_of, i);
        memory[i].figures[1] =
            clamp(view.demand_kib * (1 + HYPERV_BUFFER), view.min_kib, view.max_kib);
        if (view.is_there && memory[i].figures[1] > view.actual_kib)
            weight += view.shares;
    }
    for (size_t i = 0; i < world->guest_count; i++) {
        struct view view = view_of(world, snapshot, domain_of, i);
        double change = memory[i].figures[1] - view.actual_kib;
        if (change > 0)
            change = fmin(change, spare * view.shares / fmax(1, weight));
        if (view.is_there && fabs(change) >= HYPERV_LEAST_CHANGE_KIB)
            ask(&memory[i], &targets_kib[i], view.actual_kib + change);
    }
}

/* ---- the course ---- */

/* Source: published solutions; thresholds from 100 to 350 MiB, steps from 20 to 300. */
static const double COURSE_LOW_KIB = 100 * 1024;  /* with less unused a guest grows; */
static const double COURSE_HIGH_KIB = 300 * 1024; /* with more it gives; */
static const double COURSE_STEP_KIB = 100 * 1024; /* so much at once, */
static const double COURSE_HOST_KIB = 200 * 1024; /* as long as the host keeps so much */

void law_course(const struct sim_world *world, const struct snapshot *snapshot,
                const size_t *domain_of, struct law_memory *memory, uint64_t *targets_kib)
{
    (void)memory;
    double left = (double)snapshot->host.available_kib - COURSE_HOST_KIB;
    for (size_t i = 0; i < world->guest_count; i++) {
        struct view view = view_of(world, snapshot, domain_of, i);
        if (!view.is_there)
            continue;
        double target = view.actual_kib;
        if (view.unused_kib < COURSE_LOW_KIB && left > COURSE_STEP_KIB)
            target = fmin(view.actual_kib + COURSE_STEP_KIB, view.max_kib);
        else if (view.unused_kib > COURSE_HIGH_KIB)
            target = fmax(view.actual_kib - COURSE_STEP_KIB, view.min_kib);
        left -= fmax(0, target - view.actual_kib);
        if (fabs(target - view.actual_kib) > KIB_PER_MIB)
            targets_kib[i] = (uint64_t)target;
    }
}

void law_static(const struct sim_world *world, const struct snapshot *snapshot,
                const size_t *domain_of, struct law_memory *memory, uint64_t *targets_kib)
{
    (void)world;
    (void)snapshot;
    (void)domain_of;
    (void)memory;
    (void)targets_kib;
}
