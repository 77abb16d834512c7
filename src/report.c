/* report.c - decisions in words. Sizes are MiB here, with one decimal, as the course's monitor has
 * them. */
#include "report.h"

#include <inttypes.h>
#include <stdio.h>

enum { WORDS_BYTES = 256 };

static double mib(uint64_t kib)
{
    return (double)kib / 1024.0;
}

static const char *obstacle_text(enum domain_obstacle obstacle)
{
    switch (obstacle) {
    case OBSTACLE_NONE: /* of an old record */
    case OBSTACLE_NO_BALLOON:
        break;
    case OBSTACLE_VIRTIO_MEM:
        return "cannot balloon: it has virtio-mem";
    case OBSTACLE_HUGE_PAGES:
        return "cannot balloon: its memory is in huge pages";
    case OBSTACLE_DEVICE:
        return "cannot balloon: a device is passed through to it";
    case OBSTACLE_ENCRYPTED:
        return "cannot balloon: its memory is encrypted";
    case OBSTACLE_LOCKED:
        return "cannot balloon: its memory is locked";
    }
    return "no balloon";
}

static const char *job_text(enum domain_job job)
{
    switch (job) {
    case JOB_NONE:
        break;
    case JOB_LEAVES:
        return "migrating to another host";
    case JOB_ARRIVES:
        return "migrating from another host";
    case JOB_STARTS:
        return "it is being started";
    case JOB_SAVES:
        return "its state is being saved";
    }
    return "busy";
}

const char *report_reason_text(const struct domain *domain, enum policy_reason reason)
{
    switch (reason) {
    case POLICY_SETTLED:
        return "has what it should have";
    case POLICY_NEEDS:
        return "needs more unused";
    case POLICY_STARVING:
        return "starving";
    case POLICY_CACHES:
        return "its page cache would like more";
    case POLICY_SPARE:
        return "has some to spare";
    case POLICY_DONATES:
        return "others need it more";
    case POLICY_LEFT:
        return "left like that";
    case POLICY_NO_BALLOON:
        return obstacle_text(domain->obstacle);
    case POLICY_UNMANAGED:
        return "not managed";
    case POLICY_FROZEN:
        return "its emulator does not answer";
    case POLICY_UNREAD:
        return "it could not be read";
    case POLICY_BUSY:
        return job_text(domain->job);
    case POLICY_PAUSED:
        return "paused";
    case POLICY_NO_NEWS:
        return "its statistics are off or have not come yet";
    case POLICY_STALE:
        return "no fresh statistics from the guest";
    case POLICY_IMPOSSIBLE:
        return "impossible statistics from the guest";
    case POLICY_STUCK:
        return "its balloon does not move";
    }
    return "?";
}

const char *report_bound_text(enum policy_bound bound)
{
    switch (bound) {
    case POLICY_UNBOUND:
        return "";
    case POLICY_BOUND_MIN:
        return "down to its minimum";
    case POLICY_BOUND_MAX:
        return "up to its maximum";
    case POLICY_BOUND_POOL:
        return "the host has no more";
    case POLICY_BOUND_SHARE:
        return "it has its share, others need more";
    case POLICY_BOUND_CACHE:
        return "page cache is fed only so far";
    case POLICY_BOUND_UNTOUCHED:
        return "it has never touched what it says it uses";
    case POLICY_BOUND_DEAD_BAND:
        return "too little for a call";
    case POLICY_BOUND_GRADUAL:
        return "in steps";
    case POLICY_BOUND_IN_FLIGHT:
        return "its balloon is still moving";
    case POLICY_BOUND_SWAPPING:
        return "it has swapped in of late";
    case POLICY_BOUND_GRACE:
        return "not seen at rest yet";
    case POLICY_BOUND_HOST:
        return "the host does not say what it has";
    }
    return "?";
}

/* "starving, 80.0 MiB unused, should be 164.4; the host has no more" */
static const char *say_why(const struct domain *domain, const struct policy_decision *decision,
                           char words[WORDS_BYTES])
{
    char figures[WORDS_BYTES / 2] = "";
    const char *bound = report_bound_text(decision->bound);
    if (!policy_is_held(decision->reason) && decision->reason != POLICY_LEFT)
        snprintf(figures, sizeof(figures), ", %.1f MiB unused, should be %.1f",
                 mib(decision->unused_kib), mib(decision->headroom_kib));
    snprintf(words, WORDS_BYTES, "%s%s%s%s", report_reason_text(domain, decision->reason), figures,
             *bound != '\0' ? "; " : "", bound);
    return words;
}

void report_arrival(const struct log *log, const struct domain *domain)
{
    uint64_t size = domain->actual_kib.known ? domain->actual_kib.value : domain->current_kib;
    log_say(log, LOG_LEVEL_INFO, "%s: found, %.1f MiB now, %.1f at most", domain->name, mib(size),
            mib(domain->max_kib));
}

static const char *say_range(const struct policy_limits *limits, char words[WORDS_BYTES])
{
    if (limits->max_kib == UINT64_MAX)
        snprintf(words, WORDS_BYTES, "at least %.1f MiB", mib(limits->min_kib));
    else
        snprintf(words, WORDS_BYTES, "from %.1f to %.1f MiB", mib(limits->min_kib),
                 mib(limits->max_kib));
    return words;
}

static const char *say_headroom(const struct policy_limits *limits, char words[WORDS_BYTES])
{
    if (limits->headroom_percent != 0)
        snprintf(words, WORDS_BYTES, "%" PRIu64 " %% of its use", limits->headroom_percent);
    else
        snprintf(words, WORDS_BYTES, "%.1f MiB", mib(limits->headroom_kib));
    return words;
}

void report_limits(const struct log *log, const struct domain *domain,
                   const struct policy_limits *limits)
{
    char range[WORDS_BYTES];
    char headroom[WORDS_BYTES];
    if (limits->managed)
        log_say(log, LOG_LEVEL_INFO, "%s: set to %s with %s unused, %" PRIu64 " shares",
                domain->name, say_range(limits, range), say_headroom(limits, headroom),
                limits->shares);
    else
        log_say(log, LOG_LEVEL_INFO, "%s: not to be managed", domain->name);
    if (limits->managed && domain->max_kib != 0 && limits->min_kib > domain->max_kib)
        log_say(log, LOG_LEVEL_WARNING, "%s: cannot have at least %.1f MiB, its maximum is %.1f",
                domain->name, mib(limits->min_kib), mib(domain->max_kib));
}

static const char *say_hold(const struct domain *domain, const struct policy_decision *decision,
                            char text[REPORT_BYTES])
{
    char words[WORDS_BYTES];
    snprintf(text, REPORT_BYTES, "stays at %.1f MiB: %s", mib(decision->from_kib),
             say_why(domain, decision, words));
    return text;
}

static const char *say_action(const struct domain *domain, const struct policy_decision *decision,
                              char text[REPORT_BYTES])
{
    char words[WORDS_BYTES];
    snprintf(text, REPORT_BYTES, "%.1f -> %.1f MiB: %s", mib(decision->from_kib),
             mib(decision->target_kib), say_why(domain, decision, words));
    return text;
}

const char *report_decision(const struct domain *domain, const struct policy_decision *decision,
                            char text[REPORT_BYTES])
{
    return decision->action == POLICY_HOLD ? say_hold(domain, decision, text)
                                           : say_action(domain, decision, text);
}

void report_action(const struct log *log, const struct domain *domain,
                   const struct policy_decision *decision, bool dry_run)
{
    char text[REPORT_BYTES];
    log_say(log, LOG_LEVEL_INFO, "%s: %s%s", domain->name, dry_run ? "would go " : "",
            say_action(domain, decision, text));
}

void report_hold(const struct log *log, enum log_level level, const struct domain *domain,
                 const struct policy_decision *decision)
{
    char text[REPORT_BYTES];
    /* Said of every domain in every cycle. */
    if (level == LOG_LEVEL_DEBUG && !log_takes(log, level))
        return;
    log_say(log, level, "%s: %s", domain->name, say_hold(domain, decision, text));
}

void report_host(const struct log *log, const struct snapshot *snapshot)
{
    if (snapshot->host.has_memory)
        log_say(log, LOG_LEVEL_DEBUG, "host: %.1f of %.1f MiB available, %zu domains",
                mib(snapshot->host.available_kib), mib(snapshot->host.total_kib), snapshot->count);
    else
        log_say(log, LOG_LEVEL_DEBUG, "host: does not say what it has, %zu domains",
                snapshot->count);
}

void report_pressure(const struct log *log, const struct host *host, bool is_pressed)
{
    if (is_pressed)
        log_say(log, LOG_LEVEL_WARNING,
                "host: its tasks wait for memory, all of them %.1f %% of the last 10 s: it is "
                "treated as if it had less",
                (double)host->full_permyriad.value / 100);
    else
        log_say(log, LOG_LEVEL_INFO, "host: its tasks do not wait for memory any more");
}

void report_short_node(const struct log *log, const struct host_node *node)
{
    if (node != NULL)
        log_say(log, LOG_LEVEL_WARNING,
                "host: node %u is short of memory, the host is not: %.1f of %.1f MiB available "
                "there",
                node->id, mib(node->available_kib), mib(node->total_kib));
    else
        log_say(log, LOG_LEVEL_INFO, "host: no node is shorter of memory than the host any more");
}
