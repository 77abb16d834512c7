/* metrics.c - figures for Prometheus, in its text format. */
#include "metrics.h"

#include "arithmetic.h"
#include "record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "memory_coordinator_"

enum { KIB = 1024, USEC_PER_SEC = 1000000, PERMYRIAD = 10000 };

/* Prometheus' usual ones: from a few guests that all answer at once to the longest that a cycle
 * waits for those who do not. */
static const struct {
    const char *most_sec;
    uint64_t most_usec;
} buckets[METRICS_BUCKETS] = {
    {"0.005", 5000},  {"0.01", 10000},  {"0.025", 25000}, {"0.05", 50000},
    {"0.1", 100000},  {"0.25", 250000}, {"0.5", 500000},  {"1", 1000000},
    {"2.5", 2500000}, {"5", 5000000},   {"10", 10000000},
};

/* ---- counting ---- */

static void take_duration(struct metrics *metrics, uint64_t duration_usec)
{
    metrics->duration_usec += duration_usec;
    for (size_t i = 0; i < METRICS_BUCKETS; i++) {
        if (duration_usec <= buckets[i].most_usec) {
            metrics->in_bucket[i]++;
            return;
        }
    }
}

static void take_request(struct metrics *metrics, const struct policy_decision *decision,
                         enum coordinator_request request)
{
    switch (request) {
    case COORDINATOR_NONE:
    case COORDINATOR_WITHHELD:
        break;
    case COORDINATOR_MADE:
        if (decision->action == POLICY_GROW)
            metrics->grown[decision->reason]++;
        else
            metrics->shrunk[decision->reason]++;
        break;
    case COORDINATOR_REFUSED:
        metrics->refused++;
        break;
    case COORDINATOR_UNANSWERED:
        metrics->unanswered++;
        break;
    }
}

void metrics_take(struct metrics *metrics, const struct coordinator_view *view,
                  const struct metrics_cycle *cycle)
{
    metrics->cycles++;
    metrics->last_wall_sec = cycle->wall_sec;
    take_duration(metrics, cycle->duration_usec);
    if (cycle->result == -ENOMEM)
        metrics->without_memory++;
    else if (cycle->result != 0 && cycle->result != -ECANCELED)
        metrics->without_connection++;
    if (cycle->result != 0) /* the view is of an earlier cycle, which was counted */
        return;
    for (size_t i = 0; i < view->snapshot->count; i++)
        take_request(metrics, &view->decisions[i], view->requests[i]);
}

/* ---- the text format ---- */

static void begin_family(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name, type);
}

/* How many bytes the UTF-8 character at TEXT has; 0 where there is none. One byte that is wrong
 * would have the reader refuse the whole file. */
static size_t character_bytes(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t bytes = at[0] < 0x80                    ? 1
                   : at[0] >= 0xc2 && at[0] < 0xe0 ? 2
                   : (at[0] & 0xf0) == 0xe0        ? 3
                   : at[0] >= 0xf0 && at[0] < 0xf5 ? 4
                                                   : 0;
    for (size_t i = 1; i < bytes; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    bool is_overlong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
    bool is_surrogate = at[0] == 0xed && at[1] >= 0xa0;
    bool is_beyond = at[0] == 0xf4 && at[1] >= 0x90;
    return is_overlong || is_surrogate || is_beyond ? 0 : bytes;
}

/* Writes a label's value without its quotes. */
static void write_escaped(FILE *out, const char *text)
{
    while (*text != '\0') {
        size_t bytes = character_bytes(text);
        if (*text == '\n')
            fputs("\\n", out);
        else if (*text == '"' || *text == '\\')
            fprintf(out, "\\%c", *text);
        else if (bytes == 0)
            fputs("\xef\xbf\xbd", out); /* U+FFFD */
        else
            fwrite(text, 1, bytes, out);
        text += bytes != 0 ? bytes : 1;
    }
}

/* Readers take a figure as a double anyway, in which no product overflows. */
static void write_figure(FILE *out, uint64_t value, uint64_t unit)
{
    fprintf(out, " %.0f\n", (double)value * (double)unit);
}

static struct figure known(uint64_t value)
{
    return (struct figure){.known = true, .value = value};
}

static struct figure known_if(bool is_known, uint64_t value)
{
    return (struct figure){.known = is_known, .value = value};
}

/* ---- the program ---- */

static void write_scalar(FILE *out, const char *name, const char *type, const char *help,
                         uint64_t value)
{
    begin_family(out, name, type, help);
    fprintf(out, PREFIX "%s %" PRIu64 "\n", name, value);
}

/* A locale has no say in what stands before the fraction. */
static void write_seconds(FILE *out, const char *name, uint64_t usec)
{
    fprintf(out, PREFIX "%s %" PRIu64 ".%06" PRIu64 "\n", name, usec / USEC_PER_SEC,
            usec % USEC_PER_SEC);
}

static void write_durations(FILE *out, const struct metrics *metrics)
{
    uint64_t sum = 0;
    begin_family(out, "cycle_duration_seconds", "histogram", "How long cycles have taken.");
    for (size_t i = 0; i < METRICS_BUCKETS; i++) {
        sum += metrics->in_bucket[i];
        fprintf(out, PREFIX "cycle_duration_seconds_bucket{le=\"%s\"} %" PRIu64 "\n",
                buckets[i].most_sec, sum);
    }
    fprintf(out, PREFIX "cycle_duration_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n",
            metrics->cycles);
    write_seconds(out, "cycle_duration_seconds_sum", metrics->duration_usec);
    fprintf(out, PREFIX "cycle_duration_seconds_count %" PRIu64 "\n", metrics->cycles);
}

/* A counter by CAUSE, one of two. */
static void write_failures(FILE *out, const char *name, const char *help, const char *first,
                           uint64_t first_count, const char *second, uint64_t second_count)
{
    begin_family(out, name, "counter", help);
    fprintf(out, PREFIX "%s{cause=\"%s\"} %" PRIu64 "\n", name, first, first_count);
    fprintf(out, PREFIX "%s{cause=\"%s\"} %" PRIu64 "\n", name, second, second_count);
}

/* A counter is there from the start, at 0, or its first increase would not show. Reasons to hold
 * are none to act, but for a stuck balloon, whose request is withdrawn. */
static void write_actions(FILE *out, const char *direction, const uint64_t counts[METRICS_REASONS])
{
    for (int reason = 0; reason < METRICS_REASONS; reason++)
        if (counts[reason] != 0 || reason == POLICY_STUCK ||
            (reason != POLICY_SETTLED && reason < POLICY_NO_BALLOON))
            fprintf(out, PREFIX "actions_total{direction=\"%s\",reason=\"%s\"} %" PRIu64 "\n",
                    direction, record_reason_name((enum policy_reason)reason), counts[reason]);
}

static void write_program(FILE *out, const struct metrics *metrics,
                          const struct coordinator_view *view)
{
    begin_family(out, "build_info", "gauge", "Always 1; the version is a label.");
    fputs(PREFIX "build_info{version=\"" MC_VERSION "\"} 1\n", out);
    write_scalar(out, "connected", "gauge", "Whether it has its connection to the hypervisor.",
                 view->is_connected);
    write_scalar(out, "dry_run", "gauge", "Whether it only says what it would do.",
                 view->is_dry_run);
    write_scalar(out, "paused", "gauge", "Whether it is paused, and asks nobody for anything.",
                 view->is_paused);
    begin_family(out, "interval_seconds", "gauge", "How often a cycle is to start.");
    write_seconds(out, "interval_seconds", view->policy.interval_usec);
    write_scalar(out, "last_cycle_timestamp_seconds", "gauge",
                 "When its last cycle ended, whatever came of it.", metrics->last_wall_sec);
    write_scalar(out, "cycles_total", "counter", "Cycles, whatever came of them.", metrics->cycles);
    write_durations(out, metrics);
    write_failures(out, "cycles_failed_total", "Cycles in which no domain could be looked at.",
                   "connection", metrics->without_connection, "memory", metrics->without_memory);
    begin_family(out, "actions_total", "counter",
                 "Requests made: domains asked to grow or to shrink, by reason.");
    write_actions(out, "grow", metrics->grown);
    write_actions(out, "shrink", metrics->shrunk);
    write_failures(out, "requests_failed_total",
                   "Requests that the hypervisor has refused, or not answered in time.", "refused",
                   metrics->refused, "unanswered", metrics->unanswered);
}

/* ---- the host ---- */

/* Figures of one kind, of which some may not be known. */
struct family {
    const char *name;
    uint64_t unit; /* what the program keeps it in */
    const char *help;
};

enum of_host {
    HOST_TOTAL,
    HOST_AVAILABLE,
    HOST_ZFS_CACHE,
    HOST_RESERVE,
    HOST_RESERVED,
    HOST_UNMET,
    HOST_POOL,
    HOST_PROMISED,
    HOST_LEVEL,
    HOST_DOMAINS
};

static const struct family of_host[] = {
    [HOST_TOTAL] = {"host_memory_bytes", KIB, "All memory of the host."},
    [HOST_AVAILABLE] = {"host_available_bytes", KIB,
                        "Memory of the host that is free, or the kernel's to give back at once."},
    [HOST_ZFS_CACHE] = {"host_zfs_cache_bytes", KIB,
                        "The part of what is available that is ZFS's cache above its minimum."},
    [HOST_RESERVE] = {"host_reserve_bytes", KIB, "What the host is to keep available."},
    [HOST_RESERVED] = {"host_reserved_bytes", KIB,
                       "Memory of the host that is reserved for domains that are to start."},
    [HOST_UNMET] = {"host_reserved_unmet_bytes", KIB, "The part of that which is not free yet."},
    [HOST_POOL] =
        {"pool_bytes", KIB,
         "What all domains together may have, what their emulators take beside included."},
    [HOST_PROMISED] = {"promised_bytes", KIB,
                       "What all domains together have or may take at any moment, likewise."},
    [HOST_LEVEL] = {"level_bytes", KIB,
                    "What every domain of the usual shares would have unused by the pool."},
    [HOST_DOMAINS] = {"domains", 1, "Active domains."},
};

static uint64_t promised_kib(const struct coordinator_view *view)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < view->snapshot->count; i++)
        sum = add_saturated(
            sum, add_saturated(view->decisions[i].owed_kib, view->decisions[i].overhead_kib));
    return sum;
}

static struct figure host_figure(const struct coordinator_view *view, enum of_host which)
{
    const struct host *host = &view->snapshot->host;
    switch (which) {
    case HOST_TOTAL:
        return known_if(host->has_memory, host->total_kib);
    case HOST_AVAILABLE:
        return known_if(host->has_memory, host->available_kib);
    case HOST_ZFS_CACHE:
        return known_if(host->has_memory, host->arc_kib);
    case HOST_RESERVE:
        return known(view->policy.host_reserve_kib);
    case HOST_RESERVED:
        return known(host->reserved_kib);
    case HOST_UNMET:
        return known_if(host->has_memory, view->host.unmet_kib);
    case HOST_POOL:
        return known_if(host->has_memory, view->host.pool_kib);
    case HOST_PROMISED:
        return known(promised_kib(view));
    case HOST_LEVEL:
        return known_if(host->has_memory, view->host.level_kib);
    case HOST_DOMAINS:
        return known(view->snapshot->count);
    }
    return (struct figure){0};
}

static void write_host_state(FILE *out, const struct coordinator_view *view)
{
    begin_family(out, "host_state", "gauge",
                 "1 for the state the host is in: high (it has its reserve), soft (less), hard "
                 "(less than 64 % of it), low (less than 32 %).");
    if (!view->snapshot->host.has_memory)
        return;
    for (enum policy_host_state state = POLICY_HOST_HIGH; state <= POLICY_HOST_LOW; state++)
        fprintf(out, PREFIX "host_state{state=\"%s\"} %d\n", record_host_state_name(state),
                view->host.state == state);
}

static void write_pressure_of(FILE *out, const char *tasks, struct figure permyriad)
{
    if (permyriad.known)
        fprintf(out, PREFIX "host_pressure_ratio{tasks=\"%s\"} %" PRIu64 ".%04" PRIu64 "\n", tasks,
                permyriad.value / PERMYRIAD, permyriad.value % PERMYRIAD);
}

static void write_pressure(FILE *out, const struct coordinator_view *view)
{
    const struct host *host = &view->snapshot->host;
    begin_family(out, "host_pressure_ratio", "gauge",
                 "For how much of the last 10 s some tasks of the host, or all that had work, "
                 "waited for memory.");
    write_pressure_of(out, "some", host->some_permyriad);
    write_pressure_of(out, "full", host->full_permyriad);
    write_scalar(out, "host_pressed", "gauge",
                 "Whether the host is treated as if it had less, since its tasks wait for memory.",
                 view->host.is_pressed);
}

static void write_nodes(FILE *out, const struct host *host)
{
    begin_family(out, "host_node_memory_bytes", "gauge",
                 "All memory of a node, where the host has more than one.");
    for (size_t i = 0; i < host->node_count; i++) {
        fprintf(out, PREFIX "host_node_memory_bytes{node=\"%u\"}", host->nodes[i].id);
        write_figure(out, host->nodes[i].total_kib, KIB);
    }
    begin_family(out, "host_node_available_bytes", "gauge",
                 "Memory of a node that is free, or holds files that are cached.");
    for (size_t i = 0; i < host->node_count; i++) {
        fprintf(out, PREFIX "host_node_available_bytes{node=\"%u\"}", host->nodes[i].id);
        write_figure(out, host->nodes[i].available_kib, KIB);
    }
}

static void write_host(FILE *out, const struct coordinator_view *view)
{
    for (size_t i = 0; i < sizeof(of_host) / sizeof(*of_host); i++) {
        const struct family *family = &of_host[i];
        struct figure figure = host_figure(view, (enum of_host)i);
        begin_family(out, family->name, "gauge", family->help);
        if (!figure.known)
            continue;
        fprintf(out, PREFIX "%s", family->name);
        write_figure(out, figure.value, family->unit);
    }
    write_host_state(out, view);
    write_pressure(out, view);
    write_nodes(out, &view->snapshot->host);
}

/* ---- shared pages ---- */

enum of_sharing {
    SHARING_RUN,
    SHARING_OBSTACLE,
    SHARING_PAGES_TO_SCAN,
    SHARING_SHARED,
    SHARING_SAVED,
    SHARING_SCANS,
};

static const struct {
    struct family family;
    const char *type;
} of_sharing[] = {
    [SHARING_RUN] = {{"ksm_running", 1, "Whether the host shares equal pages of guests."}, "gauge"},
    [SHARING_OBSTACLE] =
        {{"ksm_left_alone", 1,
          "Whether something keeps the coordinator from starting and stopping it."},
         "gauge"},
    [SHARING_PAGES_TO_SCAN] = {{"ksm_pages_to_scan", 1, "Pages that are looked at at a time."},
                               "gauge"},
    [SHARING_SHARED] = {{"ksm_pages_shared", 1, "Pages that are there once for several."}, "gauge"},
    [SHARING_SAVED] = {{"ksm_saved_bytes", KIB, "What would be there beside them."}, "gauge"},
    [SHARING_SCANS] = {{"ksm_full_scans_total", 1, "How often all pages have been looked at."},
                       "counter"},
};

static struct figure sharing_figure(const struct ksm_reading *reading, enum of_sharing which)
{
    switch (which) {
    case SHARING_RUN:
        return known_if(reading->run.known, reading->run.value == 1);
    case SHARING_OBSTACLE:
        return known(reading->obstacle != KSM_FREE);
    case SHARING_PAGES_TO_SCAN:
        return reading->pages_to_scan;
    case SHARING_SHARED:
        return reading->pages_shared;
    case SHARING_SAVED:
        return known_if(reading->pages_sharing.known, ksm_saved_kib(reading));
    case SHARING_SCANS:
        return reading->full_scans;
    }
    return (struct figure){0};
}

/* Nothing of it where it is not asked for. */
static void write_sharing(FILE *out, const struct ksm_reading *reading)
{
    for (size_t i = 0; reading != NULL && i < sizeof(of_sharing) / sizeof(*of_sharing); i++) {
        const struct family *family = &of_sharing[i].family;
        struct figure figure = sharing_figure(reading, (enum of_sharing)i);
        begin_family(out, family->name, of_sharing[i].type, family->help);
        if (!figure.known)
            continue;
        fprintf(out, PREFIX "%s", family->name);
        write_figure(out, figure.value, family->unit);
    }
}

/* ---- the domains ---- */

enum of_domain {
    DOMAIN_SIZE,
    DOMAIN_TARGET,
    DOMAIN_UNUSED,
    DOMAIN_USABLE,
    DOMAIN_RSS,
    DOMAIN_NEEDED,
    DOMAIN_HEADROOM,
    DOMAIN_MINIMUM,
    DOMAIN_MAXIMUM,
    DOMAIN_SHARES,
    DOMAIN_REPORTED,
    DOMAIN_STARVING,
    DOMAIN_STUCK,
    DOMAIN_FROZEN,
    DOMAIN_HELD,
};

static const struct family of_domain[] = {
    [DOMAIN_SIZE] = {"domain_size_bytes", KIB, "Its size: what its balloon leaves it."},
    [DOMAIN_TARGET] = {"domain_target_bytes", KIB,
                       "The size it is asked to have; its present one where it is not asked."},
    [DOMAIN_UNUSED] = {"domain_unused_bytes", KIB, "Free memory in it, page cache is not."},
    [DOMAIN_USABLE] = {"domain_usable_bytes", KIB,
                       "What could be had in it without swapping, page cache included."},
    [DOMAIN_RSS] = {"domain_rss_bytes", KIB, "What its emulator holds on the host."},
    [DOMAIN_NEEDED] = {"domain_needed_bytes", KIB, "What it needs, headroom apart."},
    [DOMAIN_HEADROOM] = {"domain_headroom_bytes", KIB, "What it should have unused."},
    [DOMAIN_MINIMUM] = {"domain_minimum_bytes", KIB, "It is not asked to go below."},
    [DOMAIN_MAXIMUM] = {"domain_maximum_bytes", KIB, "It is not asked to go above."},
    [DOMAIN_SHARES] = {"domain_shares", 1, "Its weight when memory is scarce."},
    [DOMAIN_REPORTED] = {"domain_last_report_timestamp_seconds", 1,
                         "When the guest has last reported its memory."},
    [DOMAIN_STARVING] = {"domain_starving", 1,
                         "Whether less is unused than must be, or it swaps in."},
    [DOMAIN_STUCK] = {"domain_stuck", 1, "Whether its balloon does not move as asked."},
    [DOMAIN_FROZEN] = {"domain_frozen", 1, "Whether its emulator does not answer."},
    [DOMAIN_HELD] = {"domain_held", 1,
                     "Whether nothing can be decided about it, for these or other reasons."},
};

/* A domain about which nothing can be decided is not reckoned through. */
static struct figure reckoned(const struct policy_decision *decision, uint64_t value)
{
    return known_if(!policy_is_held(decision->reason), value);
}

static struct figure domain_figure(const struct coordinator_view *view, size_t i,
                                   enum of_domain which)
{
    const struct domain *domain = &view->snapshot->domains[i];
    const struct policy_decision *decision = &view->decisions[i];
    switch (which) {
    case DOMAIN_SIZE:
        return domain->actual_kib;
    case DOMAIN_TARGET:
        return known_if(domain->actual_kib.known && decision->reason != POLICY_NO_BALLOON,
                        decision->target_kib);
    case DOMAIN_UNUSED:
        return domain->unused_kib;
    case DOMAIN_USABLE:
        return domain->usable_kib;
    case DOMAIN_RSS:
        return domain->rss_kib;
    case DOMAIN_NEEDED:
        return reckoned(decision, decision->needed_kib);
    case DOMAIN_HEADROOM:
        return reckoned(decision, decision->headroom_kib);
    case DOMAIN_MINIMUM:
        return reckoned(decision, decision->min_kib);
    case DOMAIN_MAXIMUM:
        return reckoned(decision, decision->max_kib);
    case DOMAIN_SHARES:
        return known(view->limits[i].shares);
    case DOMAIN_REPORTED:
        return known_if(domain->last_update_sec.known && domain->last_update_sec.value != 0,
                        domain->last_update_sec.value);
    case DOMAIN_STARVING:
        return known(decision->reason == POLICY_STARVING);
    case DOMAIN_STUCK:
        return known(decision->reason == POLICY_STUCK);
    case DOMAIN_FROZEN:
        return known(decision->reason == POLICY_FROZEN);
    case DOMAIN_HELD:
        return known(policy_is_held(decision->reason));
    }
    return (struct figure){0};
}

/* Names are told apart by libvirt, but two that were cut could be the same: a series that is there
 * twice would have the reader refuse the file. */
static void write_domain_name(FILE *out, const struct domain *domain)
{
    write_escaped(out, domain->name);
    if (strlen(domain->name) < DOMAIN_NAME_BYTES - 1)
        return;
    fputc('~', out);
    for (size_t i = 0; i < DOMAIN_UUID_BYTES; i++)
        fprintf(out, "%02x", domain->uuid[i]);
}

static void write_domains(FILE *out, const struct coordinator_view *view)
{
    for (size_t row = 0; row < sizeof(of_domain) / sizeof(*of_domain); row++) {
        const struct family *family = &of_domain[row];
        begin_family(out, family->name, "gauge", family->help);
        for (size_t i = 0; i < view->snapshot->count; i++) {
            struct figure figure = domain_figure(view, i, (enum of_domain)row);
            if (!figure.known)
                continue;
            fprintf(out, PREFIX "%s{domain=\"", family->name);
            write_domain_name(out, &view->snapshot->domains[i]);
            fputs("\"}", out);
            write_figure(out, figure.value, family->unit);
        }
    }
}

static const char *hold_name(const struct domain *domain, enum policy_reason reason)
{
    if (reason == POLICY_NO_BALLOON && domain->obstacle != OBSTACLE_NONE)
        return record_obstacle_name(domain->obstacle);
    if (reason == POLICY_BUSY)
        return record_job_name(domain->job);
    return record_reason_name(reason);
}

static void write_holds(FILE *out, const struct coordinator_view *view)
{
    begin_family(out, "domain_held_info", "gauge",
                 "Always 1, where nothing can be decided about it; why is a label.");
    for (size_t i = 0; i < view->snapshot->count; i++) {
        const struct domain *domain = &view->snapshot->domains[i];
        if (!policy_is_held(view->decisions[i].reason))
            continue;
        fputs(PREFIX "domain_held_info{domain=\"", out);
        write_domain_name(out, domain);
        fprintf(out, "\",why=\"%s\"} 1\n", hold_name(domain, view->decisions[i].reason));
    }
}

char *metrics_format(const struct metrics *metrics, const struct coordinator_view *view,
                     size_t *ret_length)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    if (out == NULL)
        return NULL;
    write_program(out, metrics, view);
    if (view->is_connected) {
        write_host(out, view);
        write_sharing(out, view->sharing);
        write_domains(out, view);
        write_holds(out, view);
    }
    bool is_whole = ferror(out) == 0;
    if (fclose(out) != 0 || !is_whole) {
        free(text);
        return NULL;
    }
    *ret_length = length;
    return text;
}
