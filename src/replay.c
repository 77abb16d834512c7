/* replay.c - decides recorded cycles once more. */
#include "replay.h"

#include "report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct replay {
    struct replay_rules rules;
    FILE *output;
    struct replay_totals totals;
    bool has_last;
    struct record last; /* its memory is as it was after that cycle */
};

struct replay *replay_new(const struct replay_rules *rules, FILE *output)
{
    struct replay *replay = calloc(1, sizeof(*replay));
    if (replay == NULL)
        return NULL;
    replay->rules = *rules;
    replay->output = output;
    return replay;
}

/* ---- a difference in words ---- */

static void print_time(FILE *output, int64_t wall_sec)
{
    char text[32];
    struct tm when;
    time_t seconds = wall_sec;
    if (localtime_r(&seconds, &when) == NULL || strftime(text, sizeof(text), "%F %T", &when) == 0)
        snprintf(text, sizeof(text), "%lld", (long long)wall_sec);
    fputs(text, output);
}

static void print_difference(FILE *output, const struct snapshot *snapshot, size_t i,
                             const struct policy_decision *recorded,
                             const struct policy_decision *again)
{
    char then[REPORT_BYTES];
    char now[REPORT_BYTES];
    print_time(output, snapshot->wall_sec);
    fprintf(output, "  %s: %s\n", snapshot->domains[i].name,
            report_decision(&snapshot->domains[i], recorded, then));
    fprintf(output, "%*s  would be: %s\n", 19, "",
            report_decision(&snapshot->domains[i], again, now));
}

/* ---- deciding again ---- */

/* The interval and the goal are facts of the record, not settings. */
static struct policy_config policy_of(const struct replay *replay, const struct record *record)
{
    char error[CONFIG_ERROR_BYTES];
    const struct policy_config *recorded = &record->view.policy;
    struct config scratch = config_default();
    scratch.policy = replay->rules.config != NULL ? replay->rules.config->policy : *recorded;
    for (size_t i = 0; i < replay->rules.knob_count; i++)
        config_set(&scratch, replay->rules.knobs[i].key, replay->rules.knobs[i].value, error);
    scratch.policy.interval_usec = recorded->interval_usec;
    scratch.policy.goal = recorded->goal;
    return scratch.policy;
}

static void carry_memory_over(const struct record *last, const struct record *record,
                              struct policy_memory *memory)
{
    const struct snapshot *before = last->view.snapshot;
    const struct snapshot *now = record->view.snapshot;
    for (size_t i = 0; i < now->count; i++) {
        size_t old = snapshot_find_again(before, &now->domains[i], i);
        memory[i] = old < before->count ? last->view.memory[old] : (struct policy_memory){0};
    }
}

static void resolve_limits(const struct replay *replay, const struct record *record,
                           struct policy_limits *limits)
{
    const struct snapshot *snapshot = record->view.snapshot;
    for (size_t i = 0; i < snapshot->count; i++)
        limits[i] = replay->rules.config == NULL
                        ? record->view.limits[i]
                        : config_limits(replay->rules.config, snapshot->domains[i].name,
                                        &snapshot->domains[i].settings);
}

static bool differ(const struct policy_decision *a, const struct policy_decision *b)
{
    return a->action != b->action || (a->action != POLICY_HOLD && a->target_kib != b->target_kib);
}

static void compare(struct replay *replay, const struct record *record,
                    const struct policy_decision *again)
{
    const struct snapshot *snapshot = record->view.snapshot;
    replay->totals.cycles++;
    replay->totals.decisions += snapshot->count;
    for (size_t i = 0; i < snapshot->count; i++) {
        if (!differ(&record->view.decisions[i], &again[i]))
            continue;
        replay->totals.differences++;
        if (replay->output != NULL)
            print_difference(replay->output, snapshot, i, &record->view.decisions[i], &again[i]);
    }
}

/* What was really asked for then is what the guests have followed. */
static void remember_requests(const struct record *record, struct policy_memory *memory)
{
    const struct coordinator_view *view = &record->view;
    for (size_t i = 0; i < view->snapshot->count; i++)
        if (view->requests[i] == COORDINATOR_MADE || view->requests[i] == COORDINATOR_UNANSWERED)
            policy_asked(&memory[i], &view->decisions[i], view->snapshot->now_usec);
}

static int decide_again(struct replay *replay, struct record *record)
{
    size_t count = record->view.snapshot->count;
    struct policy_limits *limits = calloc(count + 1, sizeof(*limits));
    struct policy_decision *again = calloc(count + 1, sizeof(*again));
    struct policy_memory *memory = record_memory(record);
    struct policy_config policy = policy_of(replay, record);
    struct policy_host host = replay->last.view.host;
    int result = limits != NULL && again != NULL ? 0 : -ENOMEM;
    if (result == 0) {
        carry_memory_over(&replay->last, record, memory);
        resolve_limits(replay, record, limits);
        policy_decide(&policy, record->view.snapshot, limits, &host, memory, again);
        compare(replay, record, again);
        remember_requests(record, memory);
    }
    free(limits);
    free(again);
    return result;
}

/* ---- the public face ---- */

int replay_take(struct replay *replay, struct record *record)
{
    int result = 0;
    if (record->has_memory)
        replay->totals.beginnings++;
    else if (replay->has_last)
        result = decide_again(replay, record);
    if (record->has_memory || replay->has_last) {
        record_release(&replay->last);
        replay->last = *record;
        replay->has_last = result == 0;
    } else {
        record_release(record);
    }
    *record = (struct record){0};
    return result;
}

struct replay_totals replay_totals(const struct replay *replay)
{
    return replay->totals;
}

void replay_free(struct replay *replay)
{
    if (replay == NULL)
        return;
    record_release(&replay->last);
    free(replay);
}
