/* status.c - how the host and its guests are, in a table and in words. */
#include "status.h"

#include "arithmetic.h"
#include "publisher.h"
#include "report.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    KIB_PER_MIB = 1024,
    USEC_PER_SEC = 1000000,
    /* While somebody does not answer, by default. */
    CYCLE_MOST_SEC = 5,
    /* Less than this apart, sizes are the same: a balloon is inexact by pages. */
    SAME_KIB = KIB_PER_MIB,
    /* Use that rises by less in a second is not worth an arrow. */
    RISING_KIB_PER_SEC = KIB_PER_MIB,
    URI_COLUMNS = 200,
};

/* From here on MiB have too many digits. */
static const uint64_t LARGE_KIB = UINT64_C(128) * 1024 * 1024;

/* ---- words and figures ---- */

static bool is_migrating(const struct domain *domain)
{
    return domain->job == JOB_LEAVES || domain->job == JOB_ARRIVES;
}

enum status_state status_of(const struct domain *domain, const struct policy_decision *decision)
{
    bool is_short = decision->bound == POLICY_BOUND_POOL || decision->bound == POLICY_BOUND_SHARE;
    if (decision->reason == POLICY_STUCK)
        return STATUS_STUCK;
    if (decision->reason == POLICY_FROZEN)
        return STATUS_FROZEN;
    if (decision->reason == POLICY_BUSY && is_migrating(domain))
        return STATUS_MIGRATING;
    if (decision->reason == POLICY_PAUSED)
        return STATUS_PAUSED;
    if (decision->reason == POLICY_UNMANAGED)
        return STATUS_UNMANAGED;
    if (policy_is_held(decision->reason))
        return STATUS_HELD;
    if (decision->reason == POLICY_STARVING)
        return STATUS_STARVING;
    switch (status_trend(domain, NULL, decision)) {
    case STATUS_UP:
        return STATUS_GROWING;
    case STATUS_DOWN:
        return STATUS_GIVING;
    case STATUS_STEADY:
    case STATUS_RISING:
        break;
    }
    return decision->reason == POLICY_NEEDS && is_short ? STATUS_SHORT : STATUS_BALANCED;
}

const char *status_state_name(enum status_state state)
{
    switch (state) {
    case STATUS_STARVING:
        return "starving";
    case STATUS_STUCK:
        return "stuck";
    case STATUS_FROZEN:
        return "frozen";
    case STATUS_SHORT:
        return "short";
    case STATUS_GROWING:
        return "growing";
    case STATUS_HELD:
        return "held";
    case STATUS_MIGRATING:
        return "migrating";
    case STATUS_GIVING:
        return "giving";
    case STATUS_BALANCED:
        return "balanced";
    case STATUS_PAUSED:
        return "paused";
    case STATUS_UNMANAGED:
        return "unmanaged";
    }
    return "?";
}

struct figure status_shown_size(const struct domain *domain, const struct policy_decision *decision)
{
    return decision->reason == POLICY_NO_BALLOON ? (struct figure){true, decision->from_kib}
                                                 : domain->actual_kib;
}

/* MEMORY may be NULL: then use does not count. */
enum status_trend status_trend(const struct domain *domain, const struct policy_memory *memory,
                               const struct policy_decision *decision)
{
    uint64_t size = domain->actual_kib.known ? domain->actual_kib.value : decision->from_kib;
    uint64_t target = decision->target_kib;
    if (policy_is_held(decision->reason))
        return STATUS_STEADY;
    if (target > size && target - size > SAME_KIB)
        return STATUS_UP;
    if (target < size && size - target > SAME_KIB)
        return STATUS_DOWN;
    return memory != NULL && memory->rate_kib_per_sec >= RISING_KIB_PER_SEC ? STATUS_RISING
                                                                            : STATUS_STEADY;
}

const char *status_trend_sign(enum status_trend trend, bool is_unicode)
{
    switch (trend) {
    case STATUS_STEADY:
        break;
    case STATUS_UP:
        return is_unicode ? "\u2191" : "^";
    case STATUS_DOWN:
        return is_unicode ? "\u2193" : "v";
    case STATUS_RISING:
        return is_unicode ? "\u2197" : "/";
    }
    return " ";
}

struct status_unit status_unit(const struct coordinator_view *view)
{
    uint64_t largest = view->snapshot->host.total_kib;
    for (size_t i = 0; i < view->snapshot->count; i++)
        largest = max_u64(largest, view->snapshot->domains[i].max_kib);
    if (largest >= LARGE_KIB)
        return (struct status_unit){KIB_PER_MIB * 1024.0, 2, "GiB"};
    return (struct status_unit){KIB_PER_MIB, 1, "MiB"};
}

const char *status_size(struct status_unit unit, uint64_t kib, char text[STATUS_SIZE_BYTES])
{
    if (kib == UINT64_MAX)
        return strcpy(text, "-");
    snprintf(text, STATUS_SIZE_BYTES, "%.*f", unit.decimals, (double)kib / unit.kib);
    return text;
}

static void add(char *text, size_t bytes, const char *glue, const char *more)
{
    size_t length = strlen(text);
    if (*more != '\0')
        snprintf(text + length, bytes - length, "%s%s", length > 0 ? glue : "", more);
}

static const char *request_text(enum coordinator_request request)
{
    switch (request) {
    case COORDINATOR_NONE:
    case COORDINATOR_MADE:
    case COORDINATOR_WITHHELD: /* the head says so */
        break;
    case COORDINATOR_REFUSED:
        return "the hypervisor has refused it";
    case COORDINATOR_UNANSWERED:
        return "the hypervisor has not answered";
    }
    return "";
}

const char *status_why(const struct coordinator_view *view, size_t i, struct status_unit unit,
                       char text[STATUS_WHY_BYTES])
{
    char unused[STATUS_SIZE_BYTES];
    char headroom[STATUS_SIZE_BYTES];
    const struct policy_decision *decision = &view->decisions[i];
    const struct domain *domain = &view->snapshot->domains[i];
    snprintf(text, STATUS_WHY_BYTES, "%s", report_reason_text(domain, decision->reason));
    if (!policy_is_held(decision->reason) && decision->reason != POLICY_LEFT &&
        decision->reason != POLICY_SETTLED) {
        status_size(unit, decision->unused_kib, unused);
        status_size(unit, decision->headroom_kib, headroom);
        size_t length = strlen(text);
        snprintf(text + length, STATUS_WHY_BYTES - length, ": %s of %s", unused, headroom);
    }
    add(text, STATUS_WHY_BYTES, "; ", report_bound_text(decision->bound));
    add(text, STATUS_WHY_BYTES, "; ", request_text(view->requests[i]));
    add(text, STATUS_WHY_BYTES, "; ", domain_trouble(domain));
    if (*domain_settings_error(domain) != '\0')
        add(text, STATUS_WHY_BYTES, "; ", "its metadata is refused");
    return text;
}

uint64_t status_promised_kib(const struct coordinator_view *view)
{
    uint64_t promised = 0;
    for (size_t i = 0; i < view->snapshot->count; i++) {
        const struct policy_decision *decision = &view->decisions[i];
        promised = add_saturated(promised, decision->owed_kib);
        promised = add_saturated(promised, decision->overhead_kib);
    }
    return promised;
}

static int compare_names(const void *left, const void *right, void *view)
{
    const struct domain *domains = ((const struct coordinator_view *)view)->snapshot->domains;
    size_t one = *(const size_t *)left;
    size_t other = *(const size_t *)right;
    int order = strverscmp(domains[one].name, domains[other].name);
    return order != 0 ? order : (one > other) - (one < other);
}

/* What it has unused of what it should have. */
static double plenty(const struct policy_decision *decision)
{
    return (double)decision->unused_kib / (double)max_u64(decision->headroom_kib, 1);
}

static int compare_needs(const void *left, const void *right, void *argument)
{
    const struct coordinator_view *view = argument;
    size_t one = *(const size_t *)left;
    size_t other = *(const size_t *)right;
    int order = (int)status_of(&view->snapshot->domains[one], &view->decisions[one]) -
                (int)status_of(&view->snapshot->domains[other], &view->decisions[other]);
    if (order != 0)
        return order;
    double first = plenty(&view->decisions[one]);
    double second = plenty(&view->decisions[other]);
    return first != second ? (first > second) - (first < second)
                           : compare_names(left, right, argument);
}

size_t *status_sort(const struct coordinator_view *view, enum status_order order)
{
    size_t count = view->snapshot->count;
    size_t *indexes = malloc((count + 1) * sizeof(*indexes));
    if (indexes == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++)
        indexes[i] = i;
    qsort_r(indexes, count, sizeof(*indexes),
            order == STATUS_BY_NAME ? compare_names : compare_needs, (void *)view);
    return indexes;
}

/* ---- head and host ---- */

const char *status_age(int64_t sec, char text[STATUS_SIZE_BYTES])
{
    if (sec < 120)
        snprintf(text, STATUS_SIZE_BYTES, "%" PRId64 " s", sec > 0 ? sec : 0);
    else if (sec < INT64_C(2) * 3600)
        snprintf(text, STATUS_SIZE_BYTES, "%" PRId64 " min", sec / 60);
    else if (sec < INT64_C(2) * 86400)
        snprintf(text, STATUS_SIZE_BYTES, "%" PRId64 " h", sec / 3600);
    else
        snprintf(text, STATUS_SIZE_BYTES, "%" PRId64 " days", sec / 86400);
    return text;
}

static int64_t seconds_since(int64_t sec, int64_t now_sec)
{
    int64_t apart;
    return __builtin_sub_overflow(now_sec, sec, &apart) || apart < 0 ? 0 : apart;
}

int64_t status_seconds_ago(const struct coordinator_view *view, int64_t now_sec)
{
    int64_t wall_sec = view->snapshot->wall_sec;
    return wall_sec != 0 ? seconds_since(wall_sec, now_sec) : 0;
}

/* More than is between two beats, three cycles, and what one of them may take. */
static bool is_too_long(const struct coordinator_view *view, int64_t silent_sec)
{
    uint64_t interval_sec = view->policy.interval_usec / USEC_PER_SEC + 1;
    uint64_t most_sec = PUBLISHER_BEAT_USEC / USEC_PER_SEC + interval_sec * 3 + CYCLE_MOST_SEC;
    return (uint64_t)silent_sec > most_sec;
}

/* How long that of VIEW still lasts, or -1: until it is ended. */
static int64_t pause_left_sec(const struct coordinator_view *view, int64_t now_sec)
{
    uint64_t until_usec = view->paused_until_usec;
    if (until_usec == 0 || until_usec >= INT64_MAX)
        return -1;
    uint64_t left_usec = subtract_to_zero(until_usec, view->snapshot->now_usec);
    int64_t age_sec = status_seconds_ago(view, now_sec);
    return (int64_t)subtract_to_zero(left_usec / USEC_PER_SEC, (uint64_t)age_sec);
}

static void warn_of_pause(const struct coordinator_view *view, int64_t now_sec,
                          char line[STATUS_WHY_BYTES])
{
    char text[STATUS_SIZE_BYTES];
    int64_t left_sec = pause_left_sec(view, now_sec);
    if (left_sec < 0)
        snprintf(line, STATUS_WHY_BYTES,
                 "PAUSED: nothing is asked for until `memory_coordinator resume`");
    else
        snprintf(
            line, STATUS_WHY_BYTES,
            "PAUSED for %s more: nothing is asked for until then, or `memory_coordinator resume`",
            status_age(left_sec, text));
}

static size_t warn_of_node(const struct coordinator_view *view, char line[STATUS_WHY_BYTES])
{
    char text[2][STATUS_SIZE_BYTES];
    const struct host *host = &view->snapshot->host;
    struct status_unit unit = status_unit(view);
    size_t i = snapshot_short_node(host, view->policy.host_reserve_kib, host->node_count);
    if (i == host->node_count)
        return 0;
    snprintf(line, STATUS_WHY_BYTES,
             "NODE %u IS SHORT of memory, the host is not: %s of %s %s available there",
             host->nodes[i].id, status_size(unit, host->nodes[i].available_kib, text[0]),
             status_size(unit, host->nodes[i].total_kib, text[1]), unit.name);
    return 1;
}

size_t status_warnings(const struct coordinator_view *view, const struct status_source *source,
                       char lines[STATUS_WARNINGS][STATUS_WHY_BYTES])
{
    char age[STATUS_SIZE_BYTES];
    size_t count = 0;
    int64_t old_sec = seconds_since(source->written_sec, source->now_sec);
    int64_t silent_sec = seconds_since(source->alive_sec, source->now_sec);
    if (!source->is_running)
        snprintf(lines[count++], STATUS_WHY_BYTES,
                 "NO COORDINATOR RUNS any more: this is its last state, %s old",
                 status_age(old_sec, age));
    else if (is_too_long(view, silent_sec))
        snprintf(lines[count++], STATUS_WHY_BYTES,
                 "THE COORDINATOR IS SILENT: it runs, but has not been heard of for %s",
                 status_age(silent_sec, age));
    else if (view->is_connected && is_too_long(view, old_sec)) /* it has been read, too */
        snprintf(lines[count++], STATUS_WHY_BYTES,
                 "THIS STATE IS %s OLD: the coordinator lives, but has written no newer one",
                 status_age(old_sec, age));
    status_age(status_seconds_ago(view, source->now_sec), age);
    if (!view->is_connected)
        snprintf(lines[count++], STATUS_WHY_BYTES,
                 "NOT CONNECTED to the hypervisor: the guests are as they were %s ago", age);
    if (view->is_dry_run)
        snprintf(lines[count++], STATUS_WHY_BYTES,
                 "DRY RUN: targets are what would be asked for; nothing is");
    if (view->is_paused)
        warn_of_pause(view, source->now_sec, lines[count++]);
    count += warn_of_node(view, lines[count]);
    return count;
}

static const char *goal_text(enum policy_goal goal)
{
    switch (goal) {
    case POLICY_BALANCE:
        break;
    case POLICY_RESTORE:
        return ", ending: all get the sizes they were found with";
    case POLICY_RELEASE:
        return ", ending: all get their maximum";
    }
    return "";
}

void status_write_head(FILE *out, const struct coordinator_view *view,
                       const struct status_source *source)
{
    char lines[STATUS_WARNINGS][STATUS_WHY_BYTES];
    char uri[TEXT_BYTES];
    char age[STATUS_SIZE_BYTES];
    text_fit(view->uri, URI_COLUMNS, TEXT_CUT_MIDDLE, uri);
    status_age(status_seconds_ago(view, source->now_sec), age);
    fprintf(out, "%s, every %g s, as of %s ago, pid %" PRId64 "%s\n", uri,
            (double)view->policy.interval_usec / USEC_PER_SEC, age, source->pid,
            goal_text(view->policy.goal));
    size_t warnings = status_warnings(view, source, lines);
    for (size_t i = 0; i < warnings; i++)
        fprintf(out, "%s\n", lines[i]);
}

static const char *pressed_text(enum policy_host_state state)
{
    switch (state) {
    case POLICY_HOST_HIGH:
        break;
    case POLICY_HOST_SOFT:
        return "soft: its tasks wait for memory, nothing grows";
    case POLICY_HOST_HARD:
        return "hard: below its reserve, its tasks wait for memory, all give what they can";
    case POLICY_HOST_LOW:
        return "low: far below its reserve, its tasks wait for memory, page cache is given too";
    }
    return "?";
}

static const char *host_state_text(enum policy_host_state state)
{
    switch (state) {
    case POLICY_HOST_HIGH:
        return "high: it has its reserve";
    case POLICY_HOST_SOFT:
        return "soft: below its reserve, nothing grows";
    case POLICY_HOST_HARD:
        return "hard: far below its reserve, all give what they can";
    case POLICY_HOST_LOW:
        return "low: next to nothing is left, page cache is given too";
    }
    return "?";
}

/* "node 0: 512.0 of 8000.0, node 1: ..." */
static void write_nodes(FILE *out, const struct host *host, struct status_unit unit)
{
    char text[2][STATUS_SIZE_BYTES];
    for (size_t i = 0; i < host->node_count; i++)
        fprintf(out, "%s%u: %s of %s", i == 0 ? "nodes    " : ", ", host->nodes[i].id,
                status_size(unit, host->nodes[i].available_kib, text[0]),
                status_size(unit, host->nodes[i].total_kib, text[1]));
    if (host->node_count > 0)
        fprintf(out, " %s available\n", unit.name);
}

static double percent(struct figure permyriad)
{
    return (double)permyriad.value / 100;
}

/* Where nobody waits there is nothing to tell. */
static void write_pressure(FILE *out, const struct host *host)
{
    if (host->some_permyriad.value == 0 && host->full_permyriad.value == 0)
        return;
    fprintf(out, "pressure some tasks waited for memory %.1f %% of the last 10 s, all %.1f %%\n",
            percent(host->some_permyriad), percent(host->full_permyriad));
}

/* What a setting is that is known. */
static void write_setting(FILE *out, struct figure figure, const char *before, const char *after)
{
    if (figure.known)
        fprintf(out, "%s%" PRIu64 "%s", before, figure.value, after);
}

static void write_sharing(FILE *out, const struct ksm_reading *reading)
{
    bool is_running = reading->run.known && reading->run.value == 1;
    fputs("ksm      ", out);
    if (reading->obstacle != KSM_FREE)
        fprintf(out, "left alone: %s", ksm_obstacle_text(reading->obstacle));
    else
        fputs(is_running ? "on" : "off", out);
    if (is_running) {
        write_setting(out, reading->pages_to_scan, ", ", " pages");
        write_setting(out, reading->sleep_msec, " every ", " ms");
    }
    if (reading->pages_sharing.known)
        fprintf(out, "; %" PRIu64 " pages shared, %.1f MiB saved", reading->pages_shared.value,
                (double)ksm_saved_kib(reading) / KIB_PER_MIB);
    fputc('\n', out);
}

static uint64_t seconds_left(const struct reservation *reservation, uint64_t now_usec)
{
    return subtract_to_zero(reservation->until_usec, now_usec) / USEC_PER_SEC;
}

/* "reserved 1000.0 MiB, all free: db 512.0 (45 s), ..." */
static void write_reservations(FILE *out, const struct coordinator_view *view,
                               struct status_unit unit)
{
    char text[2][STATUS_SIZE_BYTES];
    char name[TEXT_BYTES];
    const struct reservations *list = view->reservations;
    uint64_t left_kib = 0;
    uint64_t held_kib = 0;
    if (list == NULL || list->count == 0)
        return;
    for (size_t i = 0; i < list->count; i++) {
        left_kib = add_saturated(left_kib, list->items[i].left_kib);
        held_kib = add_saturated(held_kib, list->items[i].held_kib);
    }
    fprintf(out, "reserved %s %s, %s of it free: ", status_size(unit, left_kib, text[0]), unit.name,
            status_size(unit, held_kib, text[1]));
    for (size_t i = 0; i < list->count; i++) {
        const struct reservation *reservation = &list->items[i];
        text_fit(reservation->name, URI_COLUMNS, TEXT_CUT_MIDDLE, name);
        fprintf(out, "%s%s %s (%" PRIu64 " s)", i == 0 ? "" : ", ", name,
                status_size(unit, reservation->left_kib, text[0]),
                seconds_left(reservation, view->snapshot->now_usec));
    }
    fputc('\n', out);
}

void status_write_host(FILE *out, const struct coordinator_view *view, struct status_unit unit)
{
    char text[6][STATUS_SIZE_BYTES];
    const struct host *host = &view->snapshot->host;
    uint64_t promised = status_promised_kib(view);
    if (!host->has_memory) {
        fputs("host     does not say what memory it has: nothing can grow\n", out);
        return;
    }
    fprintf(out, "host     %s\n",
            view->host.is_pressed ? pressed_text(view->host.state)
                                  : host_state_text(view->host.state));
    fprintf(out, "memory   %s %s in all, %s available, %s reserve",
            status_size(unit, host->total_kib, text[0]), unit.name,
            status_size(unit, host->available_kib, text[1]),
            status_size(unit, view->policy.host_reserve_kib, text[2]));
    if (host->arc_kib > 0)
        fprintf(out, "; ZFS can give back %s of it", status_size(unit, host->arc_kib, text[0]));
    fputc('\n', out);
    write_nodes(out, host, unit);
    write_pressure(out, host);
    if (view->sharing != NULL)
        write_sharing(out, view->sharing);
    write_reservations(out, view, unit);
    fprintf(out, "pool     %s %s for guests, %s promised, %s free; level %s\n",
            status_size(unit, view->host.pool_kib, text[3]), unit.name,
            status_size(unit, promised, text[4]),
            status_size(unit, subtract_to_zero(view->host.pool_kib, promised), text[5]),
            status_size(unit, view->host.level_kib, text[0]));
}

/* ---- the table ---- */

/* Its columns, in their order. */
enum column {
    COLUMN_NAME,
    COLUMN_SIZE,
    COLUMN_USED,
    COLUMN_UNUSED,
    COLUMN_USABLE,
    COLUMN_TARGET,
    COLUMN_MIN,
    COLUMN_MAX,
    COLUMN_SHARES,
    COLUMN_STATE,
    COLUMN_WHY,
    COLUMNS,
};

static const char *const titles[COLUMNS] = {
    "GUEST", "SIZE", "USED", "UNUSED", "USABLE", "TARGET", "MIN", "MAX", "SHARES", "  STATE", "WHY",
};

/* Which can be done without, the first of them first. */
static const enum column dispensable[] = {COLUMN_SHARES, COLUMN_USABLE, COLUMN_MIN,   COLUMN_MAX,
                                          COLUMN_WHY,    COLUMN_USED,   COLUMN_TARGET};

enum {
    GAP = 2,
    WHY_LEAST = 24, /* a reason cut to less says nothing */
    NAME_LEAST = 12,
};

struct table {
    const struct coordinator_view *view;
    struct status_unit unit;
    bool is_unicode;
    size_t widths[COLUMNS]; /* 0: left out */
};

static const char *figure_cell(struct status_unit unit, struct figure figure,
                               char cell[STATUS_WHY_BYTES])
{
    return status_size(unit, figure.known ? figure.value : UINT64_MAX, cell);
}

static const char *shares_cell(uint64_t shares, char cell[STATUS_WHY_BYTES])
{
    snprintf(cell, STATUS_WHY_BYTES, "%" PRIu64, shares);
    return cell;
}

static const char *state_cell(const struct table *table, size_t i, char cell[STATUS_WHY_BYTES])
{
    const struct domain *domain = &table->view->snapshot->domains[i];
    const struct policy_decision *decision = &table->view->decisions[i];
    enum status_trend trend = status_trend(domain, &table->view->memory[i], decision);
    snprintf(cell, STATUS_WHY_BYTES, "%s %s", status_trend_sign(trend, table->is_unicode),
             status_state_name(status_of(domain, decision)));
    return cell;
}

/* What stands in a row; CELL is room for it. */
static const char *cell_text(const struct table *table, size_t i, enum column column,
                             char cell[STATUS_WHY_BYTES])
{
    const struct domain *domain = &table->view->snapshot->domains[i];
    const struct policy_limits *limits = &table->view->limits[i];
    const struct policy_decision *decision = &table->view->decisions[i];
    bool is_held = policy_is_held(decision->reason);
    switch (column) {
    case COLUMN_NAME:
        return domain->name;
    case COLUMN_SIZE:
        return figure_cell(table->unit, status_shown_size(domain, decision), cell);
    case COLUMN_USED:
        return status_size(table->unit, is_held ? UINT64_MAX : decision->used_kib, cell);
    case COLUMN_UNUSED:
        return figure_cell(table->unit, domain->unused_kib, cell);
    case COLUMN_USABLE:
        return figure_cell(table->unit, domain->usable_kib, cell);
    case COLUMN_TARGET:
        return status_size(table->unit, decision->target_kib, cell);
    case COLUMN_MIN:
        return status_size(table->unit, limits->min_kib, cell);
    case COLUMN_MAX:
        return status_size(table->unit, min_u64(limits->max_kib, domain->max_kib), cell);
    case COLUMN_SHARES:
        return shares_cell(limits->shares, cell);
    case COLUMN_STATE:
        return state_cell(table, i, cell);
    case COLUMN_WHY:
        return status_why(table->view, i, table->unit, cell);
    case COLUMNS:
        break;
    }
    return "";
}

static void measure(struct table *table)
{
    char cell[STATUS_WHY_BYTES];
    for (enum column column = 0; column < COLUMNS; column++) {
        table->widths[column] = text_columns(titles[column]);
        for (size_t i = 0; i < table->view->snapshot->count; i++)
            table->widths[column] =
                max_u64(table->widths[column], text_columns(cell_text(table, i, column, cell)));
    }
}

/* The columns that all of them but the last take, and what the last needs at the least. */
static size_t least_columns(const struct table *table)
{
    size_t sum = 0;
    for (enum column column = 0; column < COLUMNS; column++)
        if (table->widths[column] != 0)
            sum += GAP + (column == COLUMN_WHY ? min_u64(WHY_LEAST, table->widths[column])
                                               : table->widths[column]);
    return sum - GAP;
}

/* Names give way first, down to a quarter of the width; then whole columns. */
static void squeeze(struct table *table, size_t columns)
{
    size_t name = table->widths[COLUMN_NAME];
    size_t too_many = subtract_to_zero(least_columns(table), columns);
    size_t least = max_u64(NAME_LEAST, columns / 4);
    table->widths[COLUMN_NAME] = min_u64(name, max_u64(least, subtract_to_zero(name, too_many)));
    for (size_t i = 0; i < sizeof(dispensable) / sizeof(*dispensable); i++)
        if (least_columns(table) > columns)
            table->widths[dispensable[i]] = 0;
    if (table->widths[COLUMN_WHY] == 0) {
        size_t left = subtract_to_zero(columns, least_columns(table));
        table->widths[COLUMN_NAME] = min_u64(name, table->widths[COLUMN_NAME] + left);
        return;
    }
    size_t others = least_columns(table) - min_u64(WHY_LEAST, table->widths[COLUMN_WHY]);
    table->widths[COLUMN_WHY] =
        min_u64(table->widths[COLUMN_WHY], subtract_to_zero(columns, others));
}

static bool is_figure(enum column column)
{
    return column != COLUMN_NAME && column != COLUMN_STATE && column != COLUMN_WHY;
}

/* The last column is not padded. */
static void write_cell(FILE *out, const struct table *table, enum column column, const char *text)
{
    char fitting[TEXT_BYTES];
    size_t width = table->widths[column];
    bool is_last =
        column == COLUMN_WHY || (column == COLUMN_STATE && table->widths[COLUMN_WHY] == 0);
    text_fit(text, width, column == COLUMN_NAME ? TEXT_CUT_MIDDLE : TEXT_CUT_END, fitting);
    if (column != COLUMN_NAME)
        fprintf(out, "%*s", GAP, "");
    text_write_padded(out, fitting, is_last ? 0 : width, is_figure(column));
}

static void write_table(FILE *out, const struct table *table, const size_t *order)
{
    char cell[STATUS_WHY_BYTES];
    for (enum column column = 0; column < COLUMNS; column++)
        if (table->widths[column] != 0)
            write_cell(out, table, column, titles[column]);
    fputc('\n', out);
    for (size_t i = 0; i < table->view->snapshot->count; i++) {
        for (enum column column = 0; column < COLUMNS; column++)
            if (table->widths[column] != 0)
                write_cell(out, table, column, cell_text(table, order[i], column, cell));
        fputc('\n', out);
    }
}

int status_write(FILE *out, const struct coordinator_view *view, const struct status_source *source,
                 size_t columns)
{
    struct table table = {.view = view, .unit = status_unit(view), .is_unicode = text_is_unicode()};
    size_t *order = status_sort(view, STATUS_BY_NAME);
    if (order == NULL)
        return -ENOMEM;
    status_write_head(out, view, source);
    status_write_host(out, view, table.unit);
    fputc('\n', out);
    if (view->snapshot->count == 0) {
        fputs("no running domains\n", out);
    } else {
        measure(&table);
        if (columns != 0)
            squeeze(&table, columns);
        write_table(out, &table, order);
    }
    free(order);
    return 0;
}
