/* record.c - a cycle as one line of JSON, and back. */
#include "record.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the format; to be raised when a reader of old lines would get new ones wrong. */
enum { FORMAT = 1 };

/* ---- words ---- */

struct word {
    int value;
    const char *name;
};

static const struct word reasons[] = {
    {POLICY_SETTLED, "settled"},     {POLICY_NEEDS, "needs"},
    {POLICY_STARVING, "starving"},   {POLICY_CACHES, "caches"},
    {POLICY_SPARE, "spare"},         {POLICY_DONATES, "donates"},
    {POLICY_LEFT, "left"},           {POLICY_NO_BALLOON, "no-balloon"},
    {POLICY_UNMANAGED, "unmanaged"}, {POLICY_FROZEN, "frozen"},
    {POLICY_UNREAD, "unread"},       {POLICY_BUSY, "busy"},
    {POLICY_PAUSED, "paused"},       {POLICY_NO_NEWS, "no-news"},
    {POLICY_STALE, "stale"},         {POLICY_IMPOSSIBLE, "impossible"},
    {POLICY_STUCK, "stuck"},         {0, NULL},
};

static const struct word obstacles[] = {
    {OBSTACLE_NONE, "none"},
    {OBSTACLE_NO_BALLOON, "no-balloon"},
    {OBSTACLE_VIRTIO_MEM, "virtio-mem"},
    {OBSTACLE_HUGE_PAGES, "huge-pages"},
    {OBSTACLE_DEVICE, "device"},
    {OBSTACLE_ENCRYPTED, "encrypted"},
    {OBSTACLE_LOCKED, "locked"},
    {0, NULL},
};

static const struct word jobs[] = {
    {JOB_NONE, "none"},     {JOB_LEAVES, "leaves"}, {JOB_ARRIVES, "arrives"},
    {JOB_STARTS, "starts"}, {JOB_SAVES, "saves"},   {0, NULL},
};

static const struct word bounds[] = {
    {POLICY_UNBOUND, "none"},
    {POLICY_BOUND_MIN, "min"},
    {POLICY_BOUND_MAX, "max"},
    {POLICY_BOUND_POOL, "pool"},
    {POLICY_BOUND_SHARE, "share"},
    {POLICY_BOUND_CACHE, "cache"},
    {POLICY_BOUND_UNTOUCHED, "untouched"},
    {POLICY_BOUND_DEAD_BAND, "dead-band"},
    {POLICY_BOUND_GRADUAL, "gradual"},
    {POLICY_BOUND_IN_FLIGHT, "in-flight"},
    {POLICY_BOUND_SWAPPING, "swapping"},
    {POLICY_BOUND_GRACE, "grace"},
    {POLICY_BOUND_HOST, "host"},
    {0, NULL},
};

static const struct word actions[] = {
    {POLICY_HOLD, "hold"},
    {POLICY_SHRINK, "shrink"},
    {POLICY_GROW, "grow"},
    {0, NULL},
};

static const struct word requests[] = {
    {COORDINATOR_NONE, "none"},         {COORDINATOR_MADE, "made"},
    {COORDINATOR_REFUSED, "refused"},   {COORDINATOR_UNANSWERED, "unanswered"},
    {COORDINATOR_WITHHELD, "withheld"}, {0, NULL},
};

static const struct word host_states[] = {
    {POLICY_HOST_HIGH, "high"},
    {POLICY_HOST_SOFT, "soft"},
    {POLICY_HOST_HARD, "hard"},
    {POLICY_HOST_LOW, "low"},
    {0, NULL},
};

static const struct word ksm_obstacles[] = {
    {KSM_FREE, "none"},           {KSM_MISSING, "missing"},
    {KSM_ELSEWHERE, "elsewhere"}, {KSM_NOT_PERMITTED, "not-permitted"},
    {KSM_TUNED, "ksmtuned"},      {0, NULL},
};

static const struct word metrics[] = {
    {POLICY_UNUSED, "unused"},
    {POLICY_USABLE, "usable"},
    {0, NULL},
};

static const struct word goals[] = {
    {POLICY_BALANCE, "balance"},
    {POLICY_RESTORE, "restore"},
    {POLICY_RELEASE, "release"},
    {0, NULL},
};

static const char *name_of(const struct word *words, int value)
{
    for (; words->name != NULL; words++)
        if (words->value == value)
            return words->name;
    return "?";
}

const char *record_reason_name(enum policy_reason reason)
{
    return name_of(reasons, (int)reason);
}

const char *record_obstacle_name(enum domain_obstacle obstacle)
{
    return name_of(obstacles, (int)obstacle);
}

const char *record_job_name(enum domain_job job)
{
    return name_of(jobs, (int)job);
}

const char *record_bound_name(enum policy_bound bound)
{
    return name_of(bounds, (int)bound);
}

const char *record_request_name(enum coordinator_request request)
{
    return name_of(requests, (int)request);
}

const char *record_host_state_name(enum policy_host_state state)
{
    return name_of(host_states, (int)state);
}

/* ---- fields: what of a structure stands in a line, under the same name ---- */

enum kind {
    KIND_U64,
    KIND_I64,
    KIND_UINT,
    KIND_INT,
    KIND_BOOL,
    KIND_FIGURE,
    KIND_WORD, /* an enum */
    KIND_TEXT,
    KIND_UUID,
};

struct field {
    const char *name;
    enum kind kind;
    size_t offset;
    const struct word *words; /* KIND_WORD */
    size_t size;              /* KIND_TEXT */
};

#define FIELD(type, kind, member)                                                                  \
    {                                                                                              \
#member, kind, offsetof(struct type, member), NULL, 0                                      \
    }
#define WORD_FIELD(type, member, words)                                                            \
    {                                                                                              \
#member, KIND_WORD, offsetof(struct type, member), words, 0                                \
    }
#define TEXT_FIELD(type, member)                                                                   \
    {                                                                                              \
#member, KIND_TEXT, offsetof(struct type, member), NULL,                                   \
            sizeof(((struct type *)0)->member)                                                     \
    }
#define END_FIELD                                                                                  \
    {                                                                                              \
        NULL, KIND_U64, 0, NULL, 0                                                                 \
    }

_Static_assert(sizeof(enum policy_reason) == sizeof(int), "enums are read and written as int");

static const struct field policy_fields[] = {
    FIELD(policy_config, KIND_U64, interval_usec),
    FIELD(policy_config, KIND_U64, host_reserve_kib),
    FIELD(policy_config, KIND_U64, surge_kib_per_sec),
    WORD_FIELD(policy_config, metric, metrics),
    WORD_FIELD(policy_config, goal, goals),
    END_FIELD,
};

static const struct field host_fields[] = {
    FIELD(host, KIND_BOOL, has_memory),       FIELD(host, KIND_U64, total_kib),
    FIELD(host, KIND_U64, available_kib),     FIELD(host, KIND_U64, arc_kib),
    FIELD(host, KIND_U64, reserved_kib),      FIELD(host, KIND_FIGURE, some_permyriad),
    FIELD(host, KIND_FIGURE, full_permyriad), END_FIELD,
};

static const struct field node_fields[] = {
    FIELD(host_node, KIND_UINT, id),
    FIELD(host_node, KIND_U64, total_kib),
    FIELD(host_node, KIND_U64, available_kib),
    END_FIELD,
};

static const struct field sharing_fields[] = {
    WORD_FIELD(ksm_reading, obstacle, ksm_obstacles),
    FIELD(ksm_reading, KIND_INT, reason),
    FIELD(ksm_reading, KIND_FIGURE, run),
    FIELD(ksm_reading, KIND_FIGURE, pages_to_scan),
    FIELD(ksm_reading, KIND_FIGURE, sleep_msec),
    FIELD(ksm_reading, KIND_FIGURE, pages_shared),
    FIELD(ksm_reading, KIND_FIGURE, pages_sharing),
    FIELD(ksm_reading, KIND_FIGURE, pages_unshared),
    FIELD(ksm_reading, KIND_FIGURE, pages_volatile),
    FIELD(ksm_reading, KIND_FIGURE, full_scans),
    FIELD(ksm_reading, KIND_U64, page_kib),
    END_FIELD,
};

static const struct field policy_host_fields[] = {
    WORD_FIELD(policy_host, state, host_states),
    FIELD(policy_host, KIND_U64, pool_kib),
    FIELD(policy_host, KIND_U64, level_kib),
    FIELD(policy_host, KIND_BOOL, is_pressed),
    FIELD(policy_host, KIND_U64, pressed_usec),
    FIELD(policy_host, KIND_U64, unmet_kib),
    END_FIELD,
};

static const struct field reservation_fields[] = {
    TEXT_FIELD(reservation, name),
    FIELD(reservation, KIND_U64, size_kib),
    FIELD(reservation, KIND_U64, since_usec),
    FIELD(reservation, KIND_U64, until_usec),
    FIELD(reservation, KIND_U64, left_kib),
    FIELD(reservation, KIND_U64, held_kib),
    END_FIELD,
};

static const struct field domain_fields[] = {
    TEXT_FIELD(domain, name),
    FIELD(domain, KIND_UUID, uuid),
    FIELD(domain, KIND_INT, id),
    FIELD(domain, KIND_BOOL, is_running),
    FIELD(domain, KIND_BOOL, is_frozen),
    WORD_FIELD(domain, job, jobs),
    FIELD(domain, KIND_BOOL, is_known),
    FIELD(domain, KIND_BOOL, has_balloon),
    WORD_FIELD(domain, obstacle, obstacles),
    FIELD(domain, KIND_UINT, period_sec),
    FIELD(domain, KIND_U64, max_kib),
    FIELD(domain, KIND_U64, current_kib),
    FIELD(domain, KIND_FIGURE, actual_kib),
    FIELD(domain, KIND_FIGURE, rss_kib),
    FIELD(domain, KIND_FIGURE, unused_kib),
    FIELD(domain, KIND_FIGURE, available_kib),
    FIELD(domain, KIND_FIGURE, usable_kib),
    FIELD(domain, KIND_FIGURE, last_update_sec),
    FIELD(domain, KIND_FIGURE, swap_in_kib),
    FIELD(domain, KIND_FIGURE, major_faults),
    END_FIELD,
};

static const struct field remarks_fields[] = {
    TEXT_FIELD(domain_remarks, settings_error),
    TEXT_FIELD(domain_remarks, trouble),
    END_FIELD,
};

static const struct field settings_fields[] = {
    FIELD(settings, KIND_FIGURE, managed),
    FIELD(settings, KIND_FIGURE, min_kib),
    FIELD(settings, KIND_FIGURE, max_kib),
    FIELD(settings, KIND_FIGURE, shares),
    FIELD(settings, KIND_FIGURE, headroom_kib),
    FIELD(settings, KIND_FIGURE, headroom_percent),
    END_FIELD,
};

static const struct field limits_fields[] = {
    FIELD(policy_limits, KIND_BOOL, managed),
    FIELD(policy_limits, KIND_U64, min_kib),
    FIELD(policy_limits, KIND_U64, max_kib),
    FIELD(policy_limits, KIND_U64, headroom_kib),
    FIELD(policy_limits, KIND_U64, headroom_percent),
    FIELD(policy_limits, KIND_U64, shares),
    END_FIELD,
};

static const struct field decision_fields[] = {
    WORD_FIELD(policy_decision, action, actions),
    WORD_FIELD(policy_decision, reason, reasons),
    WORD_FIELD(policy_decision, bound, bounds),
    FIELD(policy_decision, KIND_U64, from_kib),
    FIELD(policy_decision, KIND_U64, target_kib),
    FIELD(policy_decision, KIND_U64, wish_kib),
    FIELD(policy_decision, KIND_U64, floor_kib),
    FIELD(policy_decision, KIND_U64, ceiling_kib),
    FIELD(policy_decision, KIND_U64, min_kib),
    FIELD(policy_decision, KIND_U64, max_kib),
    FIELD(policy_decision, KIND_U64, shares),
    FIELD(policy_decision, KIND_U64, goal_kib),
    FIELD(policy_decision, KIND_U64, used_kib),
    FIELD(policy_decision, KIND_U64, peak_kib),
    FIELD(policy_decision, KIND_U64, claimed_kib),
    FIELD(policy_decision, KIND_U64, needed_kib),
    FIELD(policy_decision, KIND_U64, unused_kib),
    FIELD(policy_decision, KIND_U64, growth_kib),
    FIELD(policy_decision, KIND_U64, least_kib),
    FIELD(policy_decision, KIND_U64, headroom_kib),
    FIELD(policy_decision, KIND_U64, fair_kib),
    FIELD(policy_decision, KIND_U64, owed_kib),
    FIELD(policy_decision, KIND_U64, rss_kib),
    FIELD(policy_decision, KIND_U64, overhead_kib),
    FIELD(policy_decision, KIND_BOOL, is_new),
    FIELD(policy_decision, KIND_BOOL, swaps_now),
    FIELD(policy_decision, KIND_BOOL, has_swapped),
    FIELD(policy_decision, KIND_BOOL, can_swap),
    FIELD(policy_decision, KIND_BOOL, overclaims),
    FIELD(policy_decision, KIND_BOOL, is_famished),
    FIELD(policy_decision, KIND_BOOL, is_insatiable),
    END_FIELD,
};

/* What of the policy's memory is shown to people. */
static const struct field trend_fields[] = {
    FIELD(policy_memory, KIND_U64, steady_kib),
    FIELD(policy_memory, KIND_U64, rate_kib_per_sec),
    FIELD(policy_memory, KIND_U64, swapping_kib),
    END_FIELD,
};

static const struct field memory_fields[] = {
    FIELD(policy_memory, KIND_BOOL, has_report),
    FIELD(policy_memory, KIND_BOOL, confirmed),
    FIELD(policy_memory, KIND_U64, last_update_sec),
    FIELD(policy_memory, KIND_U64, unused_kib),
    FIELD(policy_memory, KIND_U64, available_kib),
    FIELD(policy_memory, KIND_U64, usable_kib),
    FIELD(policy_memory, KIND_I64, wall_offset_sec),
    FIELD(policy_memory, KIND_I64, least_lag_usec),
    FIELD(policy_memory, KIND_U64, found_kib),
    FIELD(policy_memory, KIND_BOOL, has_actual),
    FIELD(policy_memory, KIND_BOOL, has_rss),
    FIELD(policy_memory, KIND_U64, actual_kib),
    FIELD(policy_memory, KIND_U64, rss_kib),
    FIELD(policy_memory, KIND_U64, held_kib),
    FIELD(policy_memory, KIND_U64, overhead_kib),
    FIELD(policy_memory, KIND_U64, changed_usec),
    FIELD(policy_memory, KIND_BOOL, has_unseen),
    FIELD(policy_memory, KIND_I64, unseen_kib),
    FIELD(policy_memory, KIND_BOOL, saw_more),
    FIELD(policy_memory, KIND_BOOL, counts_balloon),
    FIELD(policy_memory, KIND_U64, used_kib),
    FIELD(policy_memory, KIND_U64, used_usec),
    FIELD(policy_memory, KIND_U64, peak_kib),
    FIELD(policy_memory, KIND_BOOL, was_rising),
    FIELD(policy_memory, KIND_U64, change_kib),
    FIELD(policy_memory, KIND_U64, swing_kib),
    FIELD(policy_memory, KIND_U64, jitter_kib),
    FIELD(policy_memory, KIND_U64, needed_kib),
    FIELD(policy_memory, KIND_U64, former_kib),
    FIELD(policy_memory, KIND_U64, steady_kib),
    FIELD(policy_memory, KIND_U64, believed_kib),
    FIELD(policy_memory, KIND_U64, growth_kib_per_sec),
    FIELD(policy_memory, KIND_U64, rate_kib_per_sec),
    FIELD(policy_memory, KIND_U64, swap_in_kib),
    FIELD(policy_memory, KIND_U64, swapping_kib),
    FIELD(policy_memory, KIND_U64, major_faults),
    FIELD(policy_memory, KIND_BOOL, has_swap),
    FIELD(policy_memory, KIND_U64, swap_usec),
    FIELD(policy_memory, KIND_U64, swapped_usec),
    FIELD(policy_memory, KIND_U64, rest_usec),
    FIELD(policy_memory, KIND_BOOL, is_hungry),
    FIELD(policy_memory, KIND_U64, hungry_usec),
    FIELD(policy_memory, KIND_U64, hungry_size_kib),
    FIELD(policy_memory, KIND_BOOL, has_asked),
    FIELD(policy_memory, KIND_U64, asked_kib),
    FIELD(policy_memory, KIND_U64, asked_usec),
    FIELD(policy_memory, KIND_U64, moved_usec),
    FIELD(policy_memory, KIND_BOOL, has_shrunk),
    FIELD(policy_memory, KIND_U64, shrunk_usec),
    FIELD(policy_memory, KIND_U64, stuck_usec),
    FIELD(policy_memory, KIND_U64, backoff_usec),
    END_FIELD,
};

/* ---- writing ---- */

static void write_size(struct json_out *out, uint64_t value)
{
    json_out_u64(out, value < INT64_MAX ? value : INT64_MAX);
}

static void write_uuid(struct json_out *out, const uint8_t uuid[DOMAIN_UUID_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    char text[2 * DOMAIN_UUID_BYTES + 1] = "";
    for (size_t i = 0; i < DOMAIN_UUID_BYTES; i++) {
        text[2 * i] = digits[uuid[i] >> 4];
        text[2 * i + 1] = digits[uuid[i] & 0xf];
    }
    json_out_text(out, text);
}

/* What is not known, and empty texts, are left out. */
static bool has_value(const struct field *field, const void *at)
{
    if (field->kind == KIND_FIGURE)
        return ((const struct figure *)at)->known;
    return field->kind != KIND_TEXT || *(const char *)at != '\0';
}

static void write_value(struct json_out *out, const struct field *field, const void *at)
{
    switch (field->kind) {
    case KIND_U64:
        write_size(out, *(const uint64_t *)at);
        break;
    case KIND_I64:
        json_out_i64(out, *(const int64_t *)at);
        break;
    case KIND_UINT:
        json_out_u64(out, *(const unsigned int *)at);
        break;
    case KIND_INT:
        json_out_i64(out, *(const int *)at);
        break;
    case KIND_BOOL:
        json_out_bool(out, *(const bool *)at);
        break;
    case KIND_FIGURE:
        write_size(out, ((const struct figure *)at)->value);
        break;
    case KIND_WORD:
        json_out_text(out, name_of(field->words, *(const int *)at));
        break;
    case KIND_TEXT:
        json_out_text(out, at);
        break;
    case KIND_UUID:
        write_uuid(out, at);
        break;
    }
}

static void write_fields(struct json_out *out, const struct field *fields, const void *structure)
{
    for (; fields->name != NULL; fields++) {
        const void *at = (const char *)structure + fields->offset;
        if (!has_value(fields, at))
            continue;
        json_out_name(out, fields->name);
        write_value(out, fields, at);
    }
}

static void write_object(struct json_out *out, const struct field *fields, const void *structure)
{
    json_out_open(out, '{');
    write_fields(out, fields, structure);
    json_out_close(out, '}');
}

/* As the member NAME. */
static void write_structure(struct json_out *out, const char *name, const struct field *fields,
                            const void *structure)
{
    json_out_name(out, name);
    write_object(out, fields, structure);
}

/* COUNT structures of SIZE bytes, as the member NAME. */
static void write_structures(struct json_out *out, const char *name, const struct field *fields,
                             const void *structures, size_t count, size_t size)
{
    json_out_name(out, name);
    json_out_open(out, '[');
    for (size_t i = 0; i < count; i++) {
        json_out_element(out);
        write_object(out, fields, (const char *)structures + i * size);
    }
    json_out_close(out, ']');
}

static void write_nodes(struct json_out *out, const struct host *host)
{
    write_structures(out, "nodes", node_fields, host->nodes, host->node_count,
                     sizeof(*host->nodes));
}

static void write_reservations(struct json_out *out, const struct reservations *list)
{
    write_structures(out, "reservations", reservation_fields, list->items, list->count,
                     sizeof(*list->items));
}

/* A host of one node has none to tell of. */
static void write_host(struct json_out *out, const struct host *host)
{
    json_out_name(out, "host");
    json_out_open(out, '{');
    write_fields(out, host_fields, host);
    if (host->node_count > 0)
        write_nodes(out, host);
    json_out_close(out, '}');
}

static void write_sharing(struct json_out *out, const struct ksm_reading *reading)
{
    json_out_name(out, "sharing");
    json_out_open(out, '{');
    write_fields(out, sharing_fields, reading);
    json_out_name(out, "saved_kib");
    write_size(out, ksm_saved_kib(reading));
    json_out_close(out, '}');
}

static void write_domain(struct json_out *out, const struct coordinator_view *view, size_t i,
                         bool with_memory)
{
    const struct domain *domain = &view->snapshot->domains[i];
    json_out_element(out);
    json_out_open(out, '{');
    write_fields(out, domain_fields, domain);
    if (domain->remarks != NULL)
        write_fields(out, remarks_fields, domain->remarks);
    write_structure(out, "settings", settings_fields, &domain->settings);
    write_structure(out, "limits", limits_fields, &view->limits[i]);
    write_structure(out, "decision", decision_fields, &view->decisions[i]);
    json_out_name(out, "request");
    json_out_text(out, record_request_name(view->requests[i]));
    if (with_memory)
        write_structure(out, "memory", memory_fields, &view->memory[i]);
    else
        write_structure(out, "trend", trend_fields, &view->memory[i]);
    json_out_close(out, '}');
}

static void write_domains(struct json_out *out, const struct coordinator_view *view,
                          bool with_memory)
{
    json_out_name(out, "domains");
    json_out_open(out, '[');
    for (size_t i = 0; i < view->snapshot->count; i++)
        write_domain(out, view, i, with_memory);
    json_out_close(out, ']');
}

static void write_head(struct json_out *out, const struct coordinator_view *view,
                       const struct record_origin *origin)
{
    json_out_name(out, "memory_coordinator");
    json_out_i64(out, FORMAT);
    json_out_name(out, "version");
    json_out_text(out, MC_VERSION);
    json_out_name(out, "pid");
    json_out_i64(out, origin->pid);
    json_out_name(out, "written_sec");
    json_out_i64(out, origin->written_sec);
    json_out_name(out, "uri");
    json_out_text(out, view->uri);
    json_out_name(out, "is_connected");
    json_out_bool(out, view->is_connected);
    json_out_name(out, "is_dry_run");
    json_out_bool(out, view->is_dry_run);
    json_out_name(out, "is_paused");
    json_out_bool(out, view->is_paused);
    if (view->is_paused) {
        json_out_name(out, "paused_until_usec");
        write_size(out, view->paused_until_usec);
    }
    json_out_name(out, "now_usec");
    write_size(out, view->snapshot->now_usec);
    json_out_name(out, "wall_sec");
    json_out_i64(out, view->snapshot->wall_sec);
}

int record_write(const struct coordinator_view *view, const struct record_origin *origin,
                 bool with_memory, json_out_taker *take, void *argument)
{
    struct json_out out;
    json_out_begin(&out, take, argument);
    json_out_open(&out, '{');
    write_head(&out, view, origin);
    write_structure(&out, "policy", policy_fields, &view->policy);
    write_host(&out, &view->snapshot->host);
    write_structure(&out, "decided", policy_host_fields, &view->host);
    if (view->sharing != NULL)
        write_sharing(&out, view->sharing);
    if (view->reservations != NULL && view->reservations->count > 0)
        write_reservations(&out, view->reservations);
    write_domains(&out, view, with_memory);
    json_out_close(&out, '}');
    return json_out_end(&out);
}

/* A text in memory, which grows. */
struct text {
    char *bytes;
    size_t length;
    size_t capacity;
};

static int take_bytes(void *argument, const void *bytes, size_t length)
{
    struct text *text = argument;
    if (text->length + length >= text->capacity) {
        size_t capacity = 2 * (text->length + length + 1);
        char *larger = realloc(text->bytes, capacity);
        if (larger == NULL)
            return -ENOMEM;
        text->bytes = larger;
        text->capacity = capacity;
    }
    memcpy(&text->bytes[text->length], bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
    return 0;
}

char *record_format(const struct coordinator_view *view, const struct record_origin *origin,
                    bool with_memory)
{
    struct text text = {0};
    if (record_write(view, origin, with_memory, take_bytes, &text) == 0)
        return text.bytes;
    free(text.bytes);
    return NULL;
}

/* ---- reading ---- */

/* Differences that were written down are of figures within the policy's own limits. */
static const json_int_t FIGURE_LIMIT = INT64_C(1) << 62;
static const json_int_t WALL_LIMIT_SEC = INT64_C(1) << 40;

struct record_storage {
    char uri[HYPERVISOR_ERROR_BYTES];
    struct snapshot snapshot;
    struct ksm_reading sharing;
    struct reservations reservations;
    struct policy_limits *limits;
    struct policy_memory *memory;
    struct policy_decision *decisions;
    enum coordinator_request *requests;
};

/* What is wrong: the field, and what was expected of it. */
static int wrong(char *error, const char *name, const char *expected)
{
    snprintf(error, RECORD_ERROR_BYTES, "\"%s\": expected %s", name, expected);
    return -EINVAL;
}

static uint64_t size_of_json(const json_t *value)
{
    json_int_t integer = json_integer_value(value);
    return integer == INT64_MAX ? UINT64_MAX : (uint64_t)integer;
}

static int take_word(const struct field *field, const json_t *value, int *ret_value)
{
    const char *name = json_string_value(value);
    for (const struct word *word = field->words; name != NULL && word->name != NULL; word++) {
        if (strcmp(word->name, name) == 0) {
            *ret_value = word->value;
            return 0;
        }
    }
    return -EINVAL;
}

static int take_uuid(const json_t *value, uint8_t *uuid)
{
    const char *text = json_string_value(value);
    if (text == NULL || strlen(text) != (size_t)2 * DOMAIN_UUID_BYTES)
        return -EINVAL;
    for (size_t i = 0; i < DOMAIN_UUID_BYTES; i++)
        if (sscanf(&text[2 * i], "%2hhx", &uuid[i]) != 1)
            return -EINVAL;
    return 0;
}

static int take_integer(const struct field *field, const json_t *value, void *at)
{
    json_int_t integer = json_integer_value(value);
    if (!json_is_integer(value))
        return -EINVAL;
    if (field->kind == KIND_I64) {
        *(int64_t *)at = integer;
        return integer >= -FIGURE_LIMIT && integer <= FIGURE_LIMIT ? 0 : -EINVAL;
    }
    if (field->kind == KIND_INT) {
        *(int *)at = (int)integer;
        return integer == (int)integer ? 0 : -EINVAL;
    }
    if (field->kind == KIND_UINT) {
        *(unsigned int *)at = (unsigned int)integer;
        return integer == (unsigned int)integer ? 0 : -EINVAL;
    }
    if (field->kind == KIND_FIGURE)
        *(struct figure *)at = (struct figure){true, size_of_json(value)};
    else
        *(uint64_t *)at = size_of_json(value);
    return integer >= 0 ? 0 : -EINVAL;
}

static int take_field(const struct field *field, const json_t *value, void *structure, char *error)
{
    void *at = (char *)structure + field->offset;
    switch (field->kind) {
    case KIND_BOOL:
        *(bool *)at = json_is_true(value);
        return json_is_boolean(value) ? 0 : wrong(error, field->name, "true or false");
    case KIND_WORD:
        return take_word(field, value, at) == 0 ? 0 : wrong(error, field->name, "one of its words");
    case KIND_TEXT:
        if (!json_is_string(value))
            return wrong(error, field->name, "a text");
        snprintf(at, field->size, "%s", json_string_value(value));
        return 0;
    case KIND_UUID:
        return take_uuid(value, at) == 0 ? 0 : wrong(error, field->name, "32 hexadecimal digits");
    case KIND_U64:
    case KIND_I64:
    case KIND_UINT:
    case KIND_INT:
    case KIND_FIGURE:
        break;
    }
    return take_integer(field, value, at) == 0 ? 0 : wrong(error, field->name, "a whole number");
}

/* What an older or a newer program has not written stays as it is. */
static int take_structure(const struct field *fields, const json_t *object, const char *name,
                          void *structure, char *error)
{
    if (!json_is_object(object))
        return wrong(error, name, "an object");
    for (; fields->name != NULL; fields++) {
        const json_t *value = json_object_get(object, fields->name);
        if (value != NULL && take_field(fields, value, structure, error) != 0)
            return -EINVAL;
    }
    return 0;
}

/* Takes as many as there are, at most MOST, into structures of SIZE bytes. */
static int take_structures(const struct field *fields, const json_t *array, const char *name,
                           void *structures, size_t size, size_t most, size_t *ret_count,
                           char *error)
{
    size_t count = json_array_size(array);
    if (!json_is_array(array) || count > most)
        return wrong(error, name, "an array of at most 64");
    for (size_t i = 0; i < count; i++)
        if (take_structure(fields, json_array_get(array, i), name, (char *)structures + i * size,
                           error) != 0)
            return -EINVAL;
    *ret_count = count;
    return 0;
}

static int take_nodes(const json_t *nodes, struct host *host, char *error)
{
    return take_structures(node_fields, nodes, "nodes", host->nodes, sizeof(*host->nodes),
                           HOST_NODES_MOST, &host->node_count, error);
}

static int take_reservations(const json_t *array, struct reservations *list, char *error)
{
    if (array == NULL)
        return 0;
    return take_structures(reservation_fields, array, "reservations", list->items,
                           sizeof(*list->items), RESERVATIONS_MOST, &list->count, error);
}

static int take_host(const json_t *object, struct host *host, char *error)
{
    const json_t *nodes = json_object_get(object, "nodes");
    if (take_structure(host_fields, object, "host", host, error) != 0)
        return -EINVAL;
    return nodes != NULL ? take_nodes(nodes, host, error) : 0;
}

static int take_sharing(const json_t *object, struct record *record, char *error)
{
    if (object == NULL)
        return 0;
    record->view.sharing = &record->storage->sharing;
    return take_structure(sharing_fields, object, "sharing", &record->storage->sharing, error);
}

static int take_domain(const json_t *object, size_t i, struct record_storage *storage,
                       bool *ret_has_memory, char *error)
{
    static const struct field request = {"request", KIND_WORD, 0, requests, 0};
    struct domain *domain = &storage->snapshot.domains[i];
    const json_t *trend = json_object_get(object, "trend");
    const json_t *memory = json_object_get(object, "memory");
    domain->remarks = &storage->snapshot.remarks[i];
    *ret_has_memory = *ret_has_memory || memory != NULL;
    if (take_structure(domain_fields, object, "domains", domain, error) != 0 ||
        take_structure(remarks_fields, object, "domains", domain->remarks, error) != 0 ||
        take_structure(settings_fields, json_object_get(object, "settings"), "settings",
                       &domain->settings, error) != 0 ||
        take_structure(limits_fields, json_object_get(object, "limits"), "limits",
                       &storage->limits[i], error) != 0 ||
        take_structure(decision_fields, json_object_get(object, "decision"), "decision",
                       &storage->decisions[i], error) != 0 ||
        take_field(&request, json_object_get(object, "request"), &storage->requests[i], error) != 0)
        return -EINVAL;
    snapshot_keep_remarks(&storage->snapshot, i);
    if (trend != NULL && take_structure(trend_fields, trend, "trend", &storage->memory[i], error))
        return -EINVAL;
    return memory == NULL
               ? 0
               : take_structure(memory_fields, memory, "memory", &storage->memory[i], error);
}

static void release_storage(struct record_storage *storage)
{
    if (storage == NULL)
        return;
    snapshot_release(&storage->snapshot);
    free(storage->limits);
    free(storage->memory);
    free(storage->decisions);
    free(storage->requests);
    free(storage);
}

static struct record_storage *make_storage(size_t count)
{
    struct record_storage *storage = calloc(1, sizeof(*storage));
    if (storage == NULL)
        return NULL;
    size_t room = count > 0 ? count : 1;
    storage->snapshot.domains = calloc(room, sizeof(*storage->snapshot.domains));
    storage->snapshot.remarks = calloc(room, sizeof(*storage->snapshot.remarks));
    storage->limits = calloc(room, sizeof(*storage->limits));
    storage->memory = calloc(room, sizeof(*storage->memory));
    storage->decisions = calloc(room, sizeof(*storage->decisions));
    storage->requests = calloc(room, sizeof(*storage->requests));
    storage->snapshot.count = storage->snapshot.capacity = count;
    if (storage->snapshot.domains != NULL && storage->snapshot.remarks != NULL &&
        storage->limits != NULL && storage->memory != NULL && storage->decisions != NULL &&
        storage->requests != NULL)
        return storage;
    release_storage(storage);
    return NULL;
}

/* The domains are looked up by UUID: their order is part of the format. */
static int check_order(const struct snapshot *snapshot, char *error)
{
    for (size_t i = 1; i < snapshot->count; i++)
        if (memcmp(snapshot->domains[i - 1].uuid, snapshot->domains[i].uuid, DOMAIN_UUID_BYTES) >=
            0)
            return wrong(error, "domains", "an order by uuid");
    return 0;
}

static int take_domains(const json_t *domains, struct record *record, char *error)
{
    struct record_storage *storage = record->storage;
    for (size_t i = 0; i < storage->snapshot.count; i++)
        if (take_domain(json_array_get(domains, i), i, storage, &record->has_memory, error) != 0)
            return -EINVAL;
    return check_order(&storage->snapshot, error);
}

static int take_cycle(const json_t *object, struct record *record, char *error)
{
    struct record_storage *storage = record->storage;
    struct coordinator_view *view = &record->view;
    json_int_t now_usec = json_integer_value(json_object_get(object, "now_usec"));
    json_int_t until_usec = json_integer_value(json_object_get(object, "paused_until_usec"));
    const char *uri = json_string_value(json_object_get(object, "uri"));
    if (uri == NULL)
        return wrong(error, "uri", "a text");
    snprintf(storage->uri, sizeof(storage->uri), "%s", uri);
    record->origin.pid = json_integer_value(json_object_get(object, "pid"));
    record->origin.written_sec = json_integer_value(json_object_get(object, "written_sec"));
    view->is_connected = json_is_true(json_object_get(object, "is_connected"));
    view->is_dry_run = json_is_true(json_object_get(object, "is_dry_run"));
    view->is_paused = json_is_true(json_object_get(object, "is_paused"));
    view->paused_until_usec = until_usec > 0 ? (uint64_t)until_usec : 0;
    storage->snapshot.now_usec = now_usec > 0 ? (uint64_t)now_usec : 0;
    storage->snapshot.wall_sec = json_integer_value(json_object_get(object, "wall_sec"));
    if (storage->snapshot.wall_sec < 0 || storage->snapshot.wall_sec > WALL_LIMIT_SEC)
        return wrong(error, "wall_sec", "seconds since the epoch");
    if (take_structure(policy_fields, json_object_get(object, "policy"), "policy", &view->policy,
                       error) != 0 ||
        take_host(json_object_get(object, "host"), &storage->snapshot.host, error) != 0 ||
        take_structure(policy_host_fields, json_object_get(object, "decided"), "decided",
                       &view->host, error) != 0 ||
        take_sharing(json_object_get(object, "sharing"), record, error) != 0 ||
        take_reservations(json_object_get(object, "reservations"), &storage->reservations, error) !=
            0)
        return -EINVAL;
    return take_domains(json_object_get(object, "domains"), record, error);
}

static void show_storage(struct record *record)
{
    struct record_storage *storage = record->storage;
    record->view.uri = storage->uri;
    record->view.snapshot = &storage->snapshot;
    record->view.reservations = &storage->reservations;
    record->view.limits = storage->limits;
    record->view.memory = storage->memory;
    record->view.decisions = storage->decisions;
    record->view.requests = storage->requests;
}

static int take_object(const json_t *object, struct record *ret_record, char *error)
{
    struct record record = {0};
    const json_t *domains = json_object_get(object, "domains");
    if (json_integer_value(json_object_get(object, "memory_coordinator")) != FORMAT)
        return wrong(error, "memory_coordinator", "1, the format of this version");
    if (!json_is_array(domains))
        return wrong(error, "domains", "an array");
    record.storage = make_storage(json_array_size(domains));
    if (record.storage == NULL)
        return -ENOMEM;
    show_storage(&record);
    int result = take_cycle(object, &record, error);
    if (result == 0)
        *ret_record = record;
    else
        release_storage(record.storage);
    return result;
}

int record_parse(const char *line, size_t length, struct record *ret_record,
                 char error[RECORD_ERROR_BYTES])
{
    json_error_t reason;
    json_t *object = json_loadb(line, length, JSON_REJECT_DUPLICATES, &reason);
    if (object == NULL) {
        snprintf(error, RECORD_ERROR_BYTES, "column %d: %s", reason.column, reason.text);
        return -EINVAL;
    }
    int result = take_object(object, ret_record, error);
    json_decref(object);
    return result;
}

struct policy_memory *record_memory(struct record *record)
{
    return record->storage->memory;
}

void record_release(struct record *record)
{
    if (record == NULL)
        return;
    release_storage(record->storage);
    *record = (struct record){0};
}
