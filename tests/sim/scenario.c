/*
 * scenario.c - scenario files. One table says which keys there are and where their values go, for
 * reading and for writing. The syntax is inih's; this file adds the numbers of lines, which
 * Debian's inih does not tell, and what it lets pass: empty sections, duplicates, lines that it
 * would cut.
 */
#include "scenario.h"

#include "settings.h"
#include "units.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    KIB_PER_MIB = 1024,
    USEC_PER_SEC = 1000000,
    /* Lines are wrapped before inih cuts them. */
    WRAP_COLUMNS = 100,
    COUNT_MAX = 256,
    WORD_BYTES = 64,
};

/* The longest run, a day; and the longest time in a file. */
static const uint64_t TIME_MAX_USEC = UINT64_C(86400) * USEC_PER_SEC;
static const uint64_t DELAY_MAX_USEC = UINT64_C(30) * USEC_PER_SEC;
static const uint64_t INTERVAL_MAX_USEC = UINT64_C(3600) * USEC_PER_SEC;

/* ---- the table ---- */

enum kind {
    KIND_TEXT,      /* char[256] */
    KIND_SECONDS,   /* uint64_t, microseconds */
    KIND_DELAY,     /* the same, a short one */
    KIND_INTERVALS, /* interval_count and intervals_usec */
    KIND_SIZE,      /* uint64_t, KiB */
    KIND_PERIOD,    /* unsigned int, whole seconds */
    KIND_YES_NO,    /* bool */
    KIND_METRIC,    /* enum policy_metric */
    KIND_SERIES,    /* struct sim_series */
    KIND_TIMES,     /* the same, without sizes */
    KIND_SPELLS,    /* struct sim_spells */
    KIND_SETTING,   /* a key of settings_set(), under another name perhaps */
    KIND_COUNT,     /* of guests, not kept */
};

struct key {
    const char *name;
    enum kind kind;
    size_t offset;
    const char *setting;
};

#define SCENARIO_KEY(text, kind_of, member)                                                        \
    {                                                                                              \
        .name = text, .kind = kind_of, .offset = offsetof(struct sim_scenario, member)             \
    }
#define GUEST_KEY(text, kind_of, member)                                                           \
    {                                                                                              \
        .name = text, .kind = kind_of, .offset = offsetof(struct sim_guest_plan, member)           \
    }
#define SETTING_KEY(text, key_of)                                                                  \
    {                                                                                              \
        .name = text, .kind = KIND_SETTING, .setting = key_of,                                     \
        .offset = offsetof(struct sim_guest_plan, settings)                                        \
    }

static const struct key scenario_keys[] = {
    SCENARIO_KEY("about", KIND_TEXT, about),
    SCENARIO_KEY("seconds", KIND_SECONDS, length_usec),
    SCENARIO_KEY("intervals", KIND_INTERVALS, intervals_usec),
    {0},
};

static const struct key host_keys[] = {
    SCENARIO_KEY("memory", KIND_SIZE, host_kib[0]),
    SCENARIO_KEY("tight", KIND_SIZE, host_kib[1]),
    SCENARIO_KEY("reserve", KIND_SIZE, config.policy.host_reserve_kib),
    SCENARIO_KEY("surge", KIND_SIZE, config.policy.surge_kib_per_sec),
    SCENARIO_KEY("metric", KIND_METRIC, config.policy.metric),
    SCENARIO_KEY("overhead", KIND_SIZE, overhead_kib),
    SCENARIO_KEY("others", KIND_SERIES, others),
    SCENARIO_KEY("disconnected", KIND_SPELLS, disconnected),
    {0},
};

static const struct key coordinator_keys[] = {
    SCENARIO_KEY("restarts", KIND_TIMES, restarts),
    {0},
};

static const struct key guest_keys[] = {
    {.name = "count", .kind = KIND_COUNT},
    GUEST_KEY("max", KIND_SIZE, max_kib),
    GUEST_KEY("start", KIND_SIZE, start_kib),
    SETTING_KEY("managed", "managed"),
    SETTING_KEY("min", "min"),
    SETTING_KEY("most", "max"),
    SETTING_KEY("shares", "shares"),
    SETTING_KEY("headroom", "headroom"),
    GUEST_KEY("use", KIND_SERIES, use),
    GUEST_KEY("cache", KIND_SERIES, cache),
    GUEST_KEY("unseen", KIND_SIZE, unseen_kib),
    GUEST_KEY("swap", KIND_SIZE, swap_kib),
    GUEST_KEY("touched", KIND_YES_NO, touched),
    GUEST_KEY("balloon", KIND_YES_NO, has_balloon),
    GUEST_KEY("autodeflate", KIND_YES_NO, counts_balloon),
    GUEST_KEY("rate", KIND_SIZE, rate_kib_per_sec),
    GUEST_KEY("latency", KIND_DELAY, latency_usec),
    GUEST_KEY("inexact", KIND_SIZE, inexact_kib),
    GUEST_KEY("limit", KIND_SIZE, limit_kib),
    GUEST_KEY("stuck", KIND_SPELLS, stuck),
    GUEST_KEY("period", KIND_PERIOD, period_sec),
    GUEST_KEY("mute", KIND_YES_NO, is_mute),
    GUEST_KEY("delay", KIND_DELAY, delay_usec),
    GUEST_KEY("noise", KIND_SIZE, noise_kib),
    GUEST_KEY("frozen", KIND_SPELLS, frozen),
    GUEST_KEY("garbage", KIND_SPELLS, garbage),
    GUEST_KEY("claims-none", KIND_SPELLS, claims_none),
    GUEST_KEY("claims-all", KIND_SPELLS, claims_all),
    GUEST_KEY("absent", KIND_SPELLS, absent),
    GUEST_KEY("paused", KIND_SPELLS, paused),
    GUEST_KEY("refuses", KIND_SPELLS, refuses),
    {0},
};

/* ---- defaults ---- */

struct sim_scenario scenario_default(void)
{
    return (struct sim_scenario){
        .length_usec = UINT64_C(120) * USEC_PER_SEC,
        .overhead_kib = 32 * KIB_PER_MIB,
        .intervals_usec = {1 * USEC_PER_SEC, 2 * USEC_PER_SEC, 5 * USEC_PER_SEC, 10 * USEC_PER_SEC},
        .interval_count = 4,
        .config = config_default(),
    };
}

struct sim_guest_plan scenario_default_guest(void)
{
    return (struct sim_guest_plan){
        .max_kib = 2048 * KIB_PER_MIB,
        .start_kib = 512 * KIB_PER_MIB,
        .unseen_kib = 24 * KIB_PER_MIB,
        .touched = true,
        .has_balloon = true,
        .rate_kib_per_sec = 1000 * KIB_PER_MIB,
        .latency_usec = 300000,
    };
}

/* What a guest uses of which nothing is said. */
static const uint64_t DEFAULT_USE_KIB = 180 * KIB_PER_MIB;

/* ---- storage ---- */

int scenario_add_point(struct sim_series *series, uint64_t at_usec, uint64_t kib)
{
    struct sim_point *grown =
        reallocarray(series->points, series->count + 1, sizeof(*series->points));
    if (grown == NULL)
        return -ENOMEM;
    series->points = grown;
    series->points[series->count++] = (struct sim_point){.at_usec = at_usec, .kib = kib};
    return 0;
}

int scenario_add_spell(struct sim_spells *spells, uint64_t from_usec, uint64_t until_usec)
{
    struct sim_spell *grown =
        reallocarray(spells->spells, spells->count + 1, sizeof(*spells->spells));
    if (grown == NULL)
        return -ENOMEM;
    spells->spells = grown;
    spells->spells[spells->count++] = (struct sim_spell){from_usec, until_usec};
    return 0;
}

static int copy_series(const struct sim_series *from, struct sim_series *to)
{
    *to = (struct sim_series){0};
    for (size_t i = 0; i < from->count; i++)
        if (scenario_add_point(to, from->points[i].at_usec, from->points[i].kib) != 0)
            return -ENOMEM;
    return 0;
}

static int copy_spells(const struct sim_spells *from, struct sim_spells *to)
{
    *to = (struct sim_spells){0};
    for (size_t i = 0; i < from->count; i++)
        if (scenario_add_spell(to, from->spells[i].from_usec, from->spells[i].until_usec) != 0)
            return -ENOMEM;
    return 0;
}

static void release_keys(const struct key *keys, void *holder)
{
    for (const struct key *key = keys; key->name != NULL; key++) {
        void *member = (char *)holder + key->offset;
        if (key->kind == KIND_SERIES || key->kind == KIND_TIMES) {
            struct sim_series *series = member;
            free(series->points);
            *series = (struct sim_series){0};
        } else if (key->kind == KIND_SPELLS) {
            struct sim_spells *spells = member;
            free(spells->spells);
            *spells = (struct sim_spells){0};
        }
    }
}

/* TO gets lists of its own. */
static int copy_guest(const struct sim_guest_plan *from, struct sim_guest_plan *to)
{
    *to = *from;
    int result = 0;
    for (const struct key *key = guest_keys; key->name != NULL; key++) {
        const void *source = (const char *)from + key->offset;
        void *member = (char *)to + key->offset;
        if (key->kind == KIND_SERIES && copy_series(source, member) != 0)
            result = -ENOMEM;
        else if (key->kind == KIND_SPELLS && copy_spells(source, member) != 0)
            result = -ENOMEM;
    }
    if (result != 0)
        scenario_release_guest(to);
    return result;
}

int scenario_add_guest(struct sim_scenario *scenario, const struct sim_guest_plan *plan)
{
    struct sim_guest_plan *grown =
        reallocarray(scenario->guests, scenario->guest_count + 1, sizeof(*scenario->guests));
    if (grown == NULL)
        return -ENOMEM;
    scenario->guests = grown;
    int result = copy_guest(plan, &scenario->guests[scenario->guest_count]);
    if (result == 0)
        scenario->guest_count++;
    return result;
}

void scenario_release_guest(struct sim_guest_plan *plan)
{
    release_keys(guest_keys, plan);
}

void scenario_release(struct sim_scenario *scenario)
{
    for (size_t i = 0; i < scenario->guest_count; i++)
        scenario_release_guest(&scenario->guests[i]);
    free(scenario->guests);
    release_keys(host_keys, scenario);
    release_keys(coordinator_keys, scenario);
    config_release(&scenario->config);
    *scenario = (struct sim_scenario){0};
}

/* ---- reading: the state ---- */

enum section { SECTION_NONE, SECTION_SCENARIO, SECTION_HOST, SECTION_COORDINATOR, SECTION_GUEST };

struct parser {
    FILE *stream;
    const char *path;
    char *line; /* the one that inih works on */
    size_t line_bytes;
    unsigned int line_number;
    bool is_line_indented;

    struct sim_scenario scenario;
    struct sim_guest_plan defaults; /* [guest *] */
    bool has_defaults;

    enum section section;
    unsigned int section_line;
    uint64_t sections_seen; /* bits of enum section, but for guests */
    uint64_t keys_seen;     /* bits of the section's keys */
    struct sim_guest_plan plan;
    bool is_defaults;
    uint64_t count;

    const struct key *key; /* whose value is being collected, over its lines */
    unsigned int key_line;
    char *value;

    int result; /* the first failure, and its words */
    char *error;
};

static void fail_at(struct parser *parser, unsigned int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What is quoted from the file may be anything. */
static void make_printable(char *text)
{
    for (; *text != '\0'; text++)
        if (!isprint((unsigned char)*text))
            *text = '?';
}

static void fail_at(struct parser *parser, unsigned int line, const char *format, ...)
{
    if (parser->result != 0)
        return;
    parser->result = -EINVAL;
    int length = snprintf(parser->error, SIM_ERROR_BYTES, "%s:%u: ", parser->path, line);
    if (length < 0 || length >= SIM_ERROR_BYTES)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(parser->error + length, (size_t)(SIM_ERROR_BYTES - length), format, arguments);
    va_end(arguments);
    make_printable(parser->error + length);
}

static void run_out_of_memory(struct parser *parser)
{
    if (parser->result != 0)
        return;
    parser->result = -ENOMEM;
    snprintf(parser->error, SIM_ERROR_BYTES, "%s: out of memory", parser->path);
}

static const struct key *keys_of(enum section section)
{
    static const struct key none[] = {{0}};
    switch (section) {
    case SECTION_SCENARIO:
        return scenario_keys;
    case SECTION_HOST:
        return host_keys;
    case SECTION_COORDINATOR:
        return coordinator_keys;
    case SECTION_GUEST:
        return guest_keys;
    case SECTION_NONE:
        break;
    }
    return none;
}

/* ---- reading: values. Each returns what was expected, or NULL if it was that ---- */

static const char size_wanted[] = "a size such as 512MiB";
static const char no_memory[] = "more memory";

static const char *read_size(const char *text, uint64_t *ret_kib)
{
    return units_parse_size_kib(text, 0, UNITS_SIZE_MAX_KIB, ret_kib) == 0 ? NULL : size_wanted;
}

static const char *read_yes_no(const char *text, bool *ret)
{
    *ret = strcmp(text, "yes") == 0;
    return *ret || strcmp(text, "no") == 0 ? NULL : "yes or no";
}

static const char *read_metric(const char *text, enum policy_metric *ret)
{
    *ret = strcmp(text, "usable") == 0 ? POLICY_USABLE : POLICY_UNUSED;
    return strcmp(text, "usable") == 0 || strcmp(text, "unused") == 0 ? NULL : "unused or usable";
}

static const char *read_period(const char *text, unsigned int *ret)
{
    uint64_t usec;
    if (units_parse_seconds_usec(text, 0, INTERVAL_MAX_USEC, &usec) != 0 ||
        usec % USEC_PER_SEC != 0)
        return "whole seconds, 0 to 3600";
    *ret = (unsigned int)(usec / USEC_PER_SEC);
    return NULL;
}

static const char *read_text(const char *text, char *ret, size_t bytes)
{
    if (strlen(text) >= bytes)
        return "at most 255 characters";
    if (*text == ';') /* after a space it would be a comment */
        return "a text that does not begin with ';'";
    strcpy(ret, text);
    return NULL;
}

/* The next word of *TEXT, cut to WORD; false at its end. */
static bool next_word(const char **text, char word[WORD_BYTES])
{
    *text += strspn(*text, " \t");
    size_t length = strcspn(*text, " \t");
    snprintf(word, WORD_BYTES, "%.*s", length < WORD_BYTES ? (int)length : WORD_BYTES - 1, *text);
    *text += length;
    return length > 0;
}

static const char *add_interval(const char *word, struct sim_scenario *scenario)
{
    uint64_t *intervals = scenario->intervals_usec;
    size_t room = sizeof(scenario->intervals_usec) / sizeof(*intervals);
    if (scenario->interval_count == room ||
        units_parse_seconds_usec(word, SIM_STEP_USEC, INTERVAL_MAX_USEC,
                                 &intervals[scenario->interval_count]) != 0 ||
        intervals[scenario->interval_count] % SIM_STEP_USEC != 0)
        return "1 to 8 intervals of 0.1 to 3600 seconds, multiples of 0.1";
    scenario->interval_count++;
    return NULL;
}

static const char *read_intervals(const char *text, struct sim_scenario *scenario)
{
    char word[WORD_BYTES];
    const char *wanted = NULL;
    scenario->interval_count = 0;
    while (wanted == NULL && next_word(&text, word))
        wanted = add_interval(word, scenario);
    return scenario->interval_count == 0 ? "intervals in seconds, such as 1 2 5" : wanted;
}

static const char *add_point(char *word, bool has_sizes, struct sim_series *series)
{
    static const char point_wanted[] = "points SECONDS:MIB such as 0:180 60:1200";
    uint64_t at_usec;
    uint64_t kib = 0;
    char *colon = strchr(word, ':');
    if (has_sizes && colon == NULL)
        return point_wanted;
    if (has_sizes)
        *colon = '\0';
    if (units_parse_seconds_usec(word, 0, TIME_MAX_USEC, &at_usec) != 0 ||
        (has_sizes && units_parse_size_kib(colon + 1, 0, UNITS_SIZE_MAX_KIB, &kib) != 0))
        return has_sizes ? point_wanted : "times in seconds such as 30 60";
    if (series->count > 0 && series->points[series->count - 1].at_usec > at_usec)
        return "times that do not run backwards";
    return scenario_add_point(series, at_usec, kib) == 0 ? NULL : no_memory;
}

static const char *read_series(const char *text, bool has_sizes, struct sim_series *series)
{
    char word[WORD_BYTES];
    const char *wanted = NULL;
    free(series->points);
    *series = (struct sim_series){0};
    while (wanted == NULL && next_word(&text, word))
        wanted = add_point(word, has_sizes, series);
    return wanted;
}

static const char *add_spell(char *word, struct sim_spells *spells)
{
    uint64_t from;
    uint64_t until;
    char *dash = strchr(word, '-');
    if (dash != NULL)
        *dash = '\0';
    if (dash == NULL || units_parse_seconds_usec(word, 0, TIME_MAX_USEC, &from) != 0 ||
        units_parse_seconds_usec(dash + 1, 0, TIME_MAX_USEC, &until) != 0)
        return "spells FROM-UNTIL in seconds, such as 30-45 60-90";
    uint64_t last = spells->count > 0 ? spells->spells[spells->count - 1].until_usec : 0;
    if (from < last || until <= from)
        return "times that do not run backwards";
    return scenario_add_spell(spells, from, until) == 0 ? NULL : no_memory;
}

static const char *read_spells(const char *text, struct sim_spells *spells)
{
    char word[WORD_BYTES];
    const char *wanted = NULL;
    free(spells->spells);
    *spells = (struct sim_spells){0};
    while (wanted == NULL && next_word(&text, word))
        wanted = add_spell(word, spells);
    return wanted;
}

static const char *read_count(const char *text, uint64_t *ret)
{
    uint64_t usec;
    if (units_parse_seconds_usec(text, USEC_PER_SEC, (uint64_t)COUNT_MAX * USEC_PER_SEC, &usec) !=
            0 ||
        usec % USEC_PER_SEC != 0)
        return "a whole number, 1 to 256";
    *ret = usec / USEC_PER_SEC;
    return NULL;
}

static const char *read_value(struct parser *parser, void *member)
{
    const char *text = parser->value;
    switch (parser->key->kind) {
    case KIND_TEXT:
        return read_text(text, member, sizeof(parser->scenario.about));
    case KIND_SECONDS:
        return units_parse_seconds_usec(text, USEC_PER_SEC, TIME_MAX_USEC, member) == 0
                   ? NULL
                   : "seconds, 1 to 86400";
    case KIND_DELAY:
        return units_parse_seconds_usec(text, 0, DELAY_MAX_USEC, member) == 0 ? NULL
                                                                              : "seconds, 0 to 30";
    case KIND_INTERVALS:
        return read_intervals(text, &parser->scenario);
    case KIND_SIZE:
        return read_size(text, member);
    case KIND_PERIOD:
        return read_period(text, member);
    case KIND_YES_NO:
        return read_yes_no(text, member);
    case KIND_METRIC:
        return read_metric(text, member);
    case KIND_SERIES:
        return read_series(text, true, member);
    case KIND_TIMES:
        return read_series(text, false, member);
    case KIND_SPELLS:
        return read_spells(text, member);
    case KIND_COUNT:
        return read_count(text, &parser->count);
    case KIND_SETTING:
        break;
    }
    return NULL;
}

static void take_setting(struct parser *parser)
{
    char error[SETTINGS_ERROR_BYTES];
    if (settings_set(&parser->plan.settings, parser->key->setting, parser->value, error) != 0)
        fail_at(parser, parser->key_line, "%s", error);
}

/* All lines of the value are there. */
static void finish_key(struct parser *parser)
{
    if (parser->key == NULL)
        return;
    char *holder =
        parser->section == SECTION_GUEST ? (char *)&parser->plan : (char *)&parser->scenario;
    if (parser->key->kind == KIND_SETTING) {
        take_setting(parser);
    } else {
        const char *wanted = read_value(parser, holder + parser->key->offset);
        if (wanted == no_memory)
            run_out_of_memory(parser);
        else if (wanted != NULL)
            fail_at(parser, parser->key_line, "%s: expected %s, not '%s'", parser->key->name,
                    wanted, parser->value);
    }
    free(parser->value);
    parser->value = NULL;
    parser->key = NULL;
}

/* ---- reading: guests ---- */

static bool was_given(const struct parser *parser, const char *name)
{
    for (size_t i = 0; guest_keys[i].name != NULL; i++)
        if (strcmp(guest_keys[i].name, name) == 0)
            return (parser->keys_seen >> i & 1) != 0;
    return false;
}

/* What follows from what was given. */
static void complete_guest(struct parser *parser)
{
    struct sim_guest_plan *plan = &parser->plan;
    if (!was_given(parser, "start") && (!plan->has_balloon || plan->start_kib > plan->max_kib))
        plan->start_kib = plan->max_kib;
    if (plan->use.count == 0 && scenario_add_point(&plan->use, 0, DEFAULT_USE_KIB) != 0)
        run_out_of_memory(parser);
}

static void check_guest(struct parser *parser)
{
    const struct sim_guest_plan *plan = &parser->plan;
    unsigned int line = parser->section_line;
    char error[SETTINGS_ERROR_BYTES];
    if (plan->start_kib == 0)
        fail_at(parser, line, "%s: expected a start above 0", plan->name);
    if (plan->start_kib > plan->max_kib)
        fail_at(parser, line, "%s: expected a start that is not above max", plan->name);
    if (!plan->has_balloon && plan->start_kib != plan->max_kib)
        fail_at(parser, line, "%s: expected start to be max, having no balloon", plan->name);
    if (plan->unseen_kib >= plan->start_kib)
        fail_at(parser, line, "%s: expected unseen to be less than start", plan->name);
    if (sim_series_at(&plan->use, 0) > plan->start_kib + plan->swap_kib)
        fail_at(parser, line, "%s: expected use to begin with no more than start", plan->name);
    if (plan->rate_kib_per_sec == 0)
        fail_at(parser, line, "%s: expected a rate above 0", plan->name);
    if (settings_check(&plan->settings, error) != 0)
        fail_at(parser, line, "%s: %s", plan->name, error);
}

static void add_guest(struct parser *parser, const struct sim_guest_plan *plan)
{
    const struct sim_scenario *scenario = &parser->scenario;
    for (size_t i = 0; i < scenario->guest_count; i++)
        if (strcmp(scenario->guests[i].name, plan->name) == 0)
            fail_at(parser, parser->section_line, "expected one guest of the name '%s', not two",
                    plan->name);
    if (parser->result == 0 && scenario_add_guest(&parser->scenario, plan) != 0)
        run_out_of_memory(parser);
}

static void add_guests(struct parser *parser)
{
    char base[SIM_NAME_BYTES];
    struct sim_guest_plan *plan = &parser->plan;
    strcpy(base, plan->name);
    if (parser->count == 0) {
        add_guest(parser, plan);
        return;
    }
    for (uint64_t i = 1; i <= parser->count && parser->result == 0; i++) {
        int length = snprintf(plan->name, SIM_NAME_BYTES, "%s-%" PRIu64, base, i);
        if (length >= SIM_NAME_BYTES)
            fail_at(parser, parser->section_line, "expected a shorter name than '%s'", base);
        else
            add_guest(parser, plan);
    }
}

static void finish_guest(struct parser *parser)
{
    if (parser->is_defaults) {
        if (parser->count != 0)
            fail_at(parser, parser->section_line, "expected no count of defaults");
        scenario_release_guest(&parser->defaults);
        parser->defaults = parser->plan;
        parser->plan = (struct sim_guest_plan){0};
        return;
    }
    complete_guest(parser);
    if (parser->result == 0)
        check_guest(parser);
    if (parser->result == 0)
        add_guests(parser);
    scenario_release_guest(&parser->plan);
}

/* ---- reading: sections ---- */

static void finish_section(struct parser *parser)
{
    finish_key(parser);
    if (parser->section == SECTION_GUEST)
        finish_guest(parser);
    parser->section = SECTION_NONE;
    parser->keys_seen = 0;
    parser->count = 0;
}

static void begin_guest(struct parser *parser, const char *name)
{
    parser->section = SECTION_GUEST;
    parser->is_defaults = strcmp(name, "*") == 0;
    if (parser->is_defaults && parser->has_defaults)
        fail_at(parser, parser->line_number, "expected one section [guest *], not two");
    parser->has_defaults = parser->has_defaults || parser->is_defaults;
    size_t length = strlen(name);
    if (length == 0 || length >= SIM_NAME_BYTES || strpbrk(name, " ,\t\"'") != NULL)
        fail_at(parser, parser->line_number,
                "expected [guest NAME], a name of at most 63 characters without blanks and commas");
    if (copy_guest(&parser->defaults, &parser->plan) != 0)
        run_out_of_memory(parser);
    snprintf(parser->plan.name, SIM_NAME_BYTES, "%s", name);
}

static void begin_section(struct parser *parser, const char *name)
{
    static const char *const names[] = {"", "scenario", "host", "coordinator"};
    finish_section(parser);
    parser->section_line = parser->line_number;
    if (strncmp(name, "guest ", 6) == 0) {
        begin_guest(parser, name + 6);
        return;
    }
    for (unsigned int i = SECTION_SCENARIO; i <= SECTION_COORDINATOR; i++)
        if (strcmp(name, names[i]) == 0)
            parser->section = (enum section)i;
    if (parser->section == SECTION_NONE)
        fail_at(parser, parser->line_number,
                "expected [scenario], [host], [coordinator], [guest *] or [guest NAME], not [%s]",
                name);
    if ((parser->sections_seen >> parser->section & 1) != 0)
        fail_at(parser, parser->line_number, "expected one section [%s], not two", name);
    parser->sections_seen |= UINT64_C(1) << parser->section;
}

/* inih tells only of sections that have keys. */
static void look_for_section(struct parser *parser)
{
    static const char mark[] = "\xef\xbb\xbf"; /* of UTF-8, which inih passes over */
    char *line = parser->line;
    if (parser->line_number == 1 && strncmp(line, mark, strlen(mark)) == 0)
        line += strlen(mark);
    const char *start = line + strspn(line, " \t");
    if (*start != '[')
        return;
    char *end = strchr(start, ']');
    if (end == NULL)
        return; /* inih's to complain about */
    if (start != line) {
        fail_at(parser, parser->line_number, "expected a section at the beginning of its line");
        return;
    }
    *end = '\0';
    begin_section(parser, start + 1);
    *end = ']';
}

/* ---- reading: lines ---- */

static char *read_line(char *buffer, int bytes, void *argument)
{
    struct parser *parser = argument;
    ssize_t length = getline(&parser->line, &parser->line_bytes, parser->stream);
    if (length < 0 && !feof(parser->stream) && !ferror(parser->stream))
        run_out_of_memory(parser);
    if (length < 0 || parser->result != 0)
        return NULL;
    parser->line_number++;
    if (length >= bytes || strlen(parser->line) != (size_t)length) {
        fail_at(parser, parser->line_number,
                "expected at most %d characters of text in a line; a value may go on in the next "
                "line, indented",
                bytes - 3);
        return NULL;
    }
    parser->is_line_indented = isspace((unsigned char)*parser->line);
    look_for_section(parser);
    return strcpy(buffer, parser->line);
}

static void begin_key(struct parser *parser, const char *name)
{
    const struct key *keys = keys_of(parser->section);
    finish_key(parser);
    if (parser->section == SECTION_NONE) {
        fail_at(parser, parser->line_number, "expected a section before '%s'", name);
        return;
    }
    size_t i = 0;
    while (keys[i].name != NULL && strcmp(keys[i].name, name) != 0)
        i++;
    if (keys[i].name == NULL) {
        fail_at(parser, parser->line_number, "expected a key of this section, not '%s'", name);
        return;
    }
    if ((parser->keys_seen >> i & 1) != 0)
        fail_at(parser, parser->line_number, "expected '%s' once in a section", name);
    parser->keys_seen |= UINT64_C(1) << i;
    parser->key = &keys[i];
    parser->key_line = parser->line_number;
}

/* One line of a value; what is indented goes on with the key before. */
static int take_value(void *argument, const char *section, const char *name, const char *value)
{
    struct parser *parser = argument;
    (void)section; /* known since its own line */
    char *joined = NULL;
    if (!parser->is_line_indented || parser->key == NULL)
        begin_key(parser, name);
    if (parser->result != 0 || parser->key == NULL)
        return 0;
    const char *before = parser->value != NULL ? parser->value : "";
    if (asprintf(&joined, "%s%s%s", before, *before != '\0' ? " " : "", value) < 0) {
        run_out_of_memory(parser);
        return 0;
    }
    free(parser->value);
    parser->value = joined;
    return 1;
}

/* What is missing is missing at the end. */
static void check_scenario(struct parser *parser)
{
    const struct sim_scenario *scenario = &parser->scenario;
    unsigned int line = parser->line_number > 0 ? parser->line_number : 1;
    if (scenario->host_kib[0] == 0 && scenario->host_kib[1] == 0)
        fail_at(parser, line, "expected memory or tight in [host]");
    if (scenario->guest_count == 0)
        fail_at(parser, line, "expected a guest");
}

static void parse(struct parser *parser)
{
    int bad_line = ini_parse_stream(read_line, parser, take_value, parser);
    if (ferror(parser->stream) && parser->result == 0) {
        parser->result = errno != 0 ? -errno : -EIO;
        snprintf(parser->error, SIM_ERROR_BYTES, "%s: %s", parser->path, strerror(-parser->result));
    }
    if (bad_line > 0)
        fail_at(parser, (unsigned int)bad_line, "expected [SECTION] or KEY = VALUE");
    if (parser->result == 0)
        finish_section(parser);
    if (parser->result == 0)
        check_scenario(parser);
}

static void set_name(struct sim_scenario *scenario, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    size_t length = strlen(name);
    if (length > 4 && strcmp(name + length - 4, ".ini") == 0)
        length -= 4;
    snprintf(scenario->name, SIM_NAME_BYTES, "%.*s",
             length < SIM_NAME_BYTES ? (int)length : SIM_NAME_BYTES - 1, name);
}

int scenario_parse(FILE *stream, const char *path, struct sim_scenario *ret_scenario,
                   char error[SIM_ERROR_BYTES])
{
    struct parser parser = {
        .stream = stream,
        .path = path,
        .scenario = scenario_default(),
        .defaults = scenario_default_guest(),
        .error = error,
    };
    set_name(&parser.scenario, path);
    parse(&parser);
    if (parser.result == 0)
        *ret_scenario = parser.scenario;
    else
        scenario_release(&parser.scenario);
    scenario_release_guest(&parser.plan);
    scenario_release_guest(&parser.defaults);
    free(parser.value);
    free(parser.line);
    return parser.result;
}

int scenario_read(const char *path, struct sim_scenario *ret_scenario, char error[SIM_ERROR_BYTES])
{
    FILE *stream = fopen(path, "r");
    if (stream == NULL) {
        int result = -errno;
        snprintf(error, SIM_ERROR_BYTES, "%s: %s", path, strerror(-result));
        return result;
    }
    int result = scenario_parse(stream, path, ret_scenario, error);
    fclose(stream);
    return result;
}

/* ---- writing ---- */

/* A value that is written word by word; where a line gets long it goes on in the next, indented. */
struct writer {
    FILE *stream;
    size_t column;
};

static void begin_value(struct writer *writer, const char *key)
{
    writer->column = (size_t)fprintf(writer->stream, "%s =", key);
}

static void write_word(struct writer *writer, const char *word)
{
    if (writer->column + 1 + strlen(word) > WRAP_COLUMNS) {
        fprintf(writer->stream, "\n   ");
        writer->column = 3;
    }
    writer->column += (size_t)fprintf(writer->stream, " %s", word);
}

/* Seconds without needless decimals. */
static const char *format_seconds(uint64_t usec, char text[WORD_BYTES])
{
    int length = snprintf(text, WORD_BYTES, "%" PRIu64 ".%06" PRIu64, usec / USEC_PER_SEC,
                          usec % USEC_PER_SEC);
    while (text[length - 1] == '0')
        text[--length] = '\0';
    if (text[length - 1] == '.')
        text[length - 1] = '\0';
    return text;
}

static void write_seconds(struct writer *writer, uint64_t usec)
{
    char text[WORD_BYTES];
    write_word(writer, format_seconds(usec, text));
}

static void write_size(struct writer *writer, uint64_t kib)
{
    char text[UNITS_SIZE_TEXT_BYTES];
    write_word(writer, units_format_size(kib, text));
}

static void write_number(struct writer *writer, uint64_t number, const char *unit)
{
    char text[WORD_BYTES];
    snprintf(text, sizeof(text), "%" PRIu64 "%s", number, unit);
    write_word(writer, text);
}

static void write_text(struct writer *writer, const char *text)
{
    char word[256];
    for (text += strspn(text, " "); *text != '\0'; text += strspn(text, " ")) {
        size_t length = strcspn(text, " ");
        snprintf(word, sizeof(word), "%.*s", (int)length, text);
        write_word(writer, word);
        text += length;
    }
}

static void write_series(struct writer *writer, const struct sim_series *series)
{
    char seconds[WORD_BYTES];
    char size[UNITS_SIZE_TEXT_BYTES];
    char point[2 * WORD_BYTES];
    for (size_t i = 0; i < series->count; i++) {
        uint64_t kib = series->points[i].kib;
        format_seconds(series->points[i].at_usec, seconds);
        if (kib % KIB_PER_MIB == 0)
            snprintf(point, sizeof(point), "%s:%" PRIu64, seconds, kib / KIB_PER_MIB);
        else
            snprintf(point, sizeof(point), "%s:%s", seconds, units_format_size(kib, size));
        write_word(writer, point);
    }
}

static void write_times(struct writer *writer, const struct sim_series *series)
{
    for (size_t i = 0; i < series->count; i++)
        write_seconds(writer, series->points[i].at_usec);
}

static void write_spells(struct writer *writer, const struct sim_spells *spells)
{
    char from[WORD_BYTES];
    char until[WORD_BYTES];
    char spell[2 * WORD_BYTES];
    for (size_t i = 0; i < spells->count; i++) {
        snprintf(spell, sizeof(spell), "%s-%s", format_seconds(spells->spells[i].from_usec, from),
                 format_seconds(spells->spells[i].until_usec, until));
        write_word(writer, spell);
    }
}

static void write_setting(struct writer *writer, const struct settings *settings, const char *key)
{
    if (strcmp(key, "managed") == 0)
        write_word(writer, settings->managed.value != 0 ? "yes" : "no");
    else if (strcmp(key, "min") == 0)
        write_size(writer, settings->min_kib.value);
    else if (strcmp(key, "max") == 0)
        write_size(writer, settings->max_kib.value);
    else if (strcmp(key, "shares") == 0)
        write_number(writer, settings->shares.value, "");
    else if (settings->headroom_percent.known)
        write_number(writer, settings->headroom_percent.value, "%");
    else
        write_size(writer, settings->headroom_kib.value);
}

static bool is_setting_known(const struct settings *settings, const char *key)
{
    if (strcmp(key, "managed") == 0)
        return settings->managed.known;
    if (strcmp(key, "min") == 0)
        return settings->min_kib.known;
    if (strcmp(key, "max") == 0)
        return settings->max_kib.known;
    if (strcmp(key, "shares") == 0)
        return settings->shares.known;
    return settings->headroom_percent.known || settings->headroom_kib.known;
}

/* What is written of nothing would not be read again. */
static bool is_empty(const struct key *key, const void *member)
{
    switch (key->kind) {
    case KIND_TEXT:
        return *(const char *)member == '\0';
    case KIND_SERIES:
    case KIND_TIMES:
        return ((const struct sim_series *)member)->count == 0;
    case KIND_SPELLS:
        return ((const struct sim_spells *)member)->count == 0;
    case KIND_SETTING:
        return !is_setting_known(member, key->setting);
    case KIND_COUNT:
        return true;
    default:
        return false;
    }
}

static void write_value(struct writer *writer, const struct key *key, const void *member)
{
    switch (key->kind) {
    case KIND_TEXT:
        write_text(writer, member);
        break;
    case KIND_SECONDS:
    case KIND_DELAY:
        write_seconds(writer, *(const uint64_t *)member);
        break;
    case KIND_SIZE:
        write_size(writer, *(const uint64_t *)member);
        break;
    case KIND_PERIOD:
        write_number(writer, *(const unsigned int *)member, "");
        break;
    case KIND_YES_NO:
        write_word(writer, *(const bool *)member ? "yes" : "no");
        break;
    case KIND_METRIC:
        write_word(writer,
                   *(const enum policy_metric *)member == POLICY_USABLE ? "usable" : "unused");
        break;
    case KIND_SERIES:
        write_series(writer, member);
        break;
    case KIND_TIMES:
        write_times(writer, member);
        break;
    case KIND_SPELLS:
        write_spells(writer, member);
        break;
    case KIND_SETTING:
        write_setting(writer, member, key->setting);
        break;
    case KIND_INTERVALS:
    case KIND_COUNT:
        break;
    }
}

static void write_intervals(struct writer *writer, const struct sim_scenario *scenario)
{
    for (size_t i = 0; i < scenario->interval_count; i++)
        write_seconds(writer, scenario->intervals_usec[i]);
}

static void write_key(struct writer *writer, const struct key *key, const void *holder)
{
    begin_value(writer, key->name);
    if (key->kind == KIND_INTERVALS)
        write_intervals(writer, holder);
    else
        write_value(writer, key, (const char *)holder + key->offset);
    fputc('\n', writer->stream);
}

/* Whether a value that is not a list is what it is where nothing is said of it. */
static bool is_default(const struct key *key, const void *holder, const void *defaults)
{
    const char *member = (const char *)holder + key->offset;
    const char *other = (const char *)defaults + key->offset;
    switch (key->kind) {
    case KIND_SECONDS:
    case KIND_DELAY:
    case KIND_SIZE:
        return memcmp(member, other, sizeof(uint64_t)) == 0;
    case KIND_PERIOD:
        return memcmp(member, other, sizeof(unsigned int)) == 0;
    case KIND_METRIC:
        return memcmp(member, other, sizeof(enum policy_metric)) == 0;
    case KIND_YES_NO:
        return memcmp(member, other, sizeof(bool)) == 0;
    default:
        return false;
    }
}

/* Only what differs from DEFAULTS. A start that is not written may be taken from max: it is always
 * written. */
static void write_keys(FILE *stream, const struct key *keys, const void *holder,
                       const void *defaults)
{
    struct writer writer = {.stream = stream};
    for (const struct key *key = keys; key->name != NULL; key++) {
        bool is_start = strcmp(key->name, "start") == 0;
        if (!is_empty(key, (const char *)holder + key->offset) &&
            (is_start || !is_default(key, holder, defaults)))
            write_key(&writer, key, holder);
    }
}

int scenario_write(const struct sim_scenario *scenario, FILE *stream)
{
    const struct sim_scenario defaults = scenario_default();
    const struct sim_guest_plan default_guest = scenario_default_guest();
    fprintf(stream, "[scenario]\n");
    write_keys(stream, scenario_keys, scenario, &defaults);
    fprintf(stream, "\n[host]\n");
    write_keys(stream, host_keys, scenario, &defaults);
    if (scenario->restarts.count > 0) {
        fprintf(stream, "\n[coordinator]\n");
        write_keys(stream, coordinator_keys, scenario, &defaults);
    }
    for (size_t i = 0; i < scenario->guest_count; i++) {
        fprintf(stream, "\n[guest %s]\n", scenario->guests[i].name);
        write_keys(stream, guest_keys, &scenario->guests[i], &default_guest);
    }
    return fflush(stream) == 0 && !ferror(stream) ? 0 : -EIO;
}
