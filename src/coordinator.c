/* coordinator.c - one cycle: read, decide, act, tell. */
#include "coordinator.h"

#include "kept.h"
#include "pace.h"
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* How often coordinator_leave() is called. */
static const uint64_t LEAVE_INTERVAL_USEC = 1000000;
/* A balloon is inexact by pages. */
static const uint64_t ARRIVED_KIB = 1024;
/* How often a silent domain is looked up again. */
static const uint64_t QUESTION_USEC = 10000000;
/* Who has said what cannot be is believed again after so long: a liar is named once, not each time.
 */
static const uint64_t BELIEF_USEC = 10000000;
/* A dry run's wish is another one if it differs by more than this. */
static const uint64_t SAME_WISH_KIB = 8192;

/* What was last said about a domain, so that it is said once. */
struct told {
    bool about_hold;
    enum policy_reason reason;
    const char *why;          /* it was held */
    uint64_t target_kib;      /* of a dry run's last line; 0 for none */
    uint64_t impossible_usec; /* when it last said what cannot be */
    uint64_t questioned_usec; /* when it was last looked up again for its silence; 0 for never */
    bool refused;             /* its last request failed */
};

/* What is remembered of each domain for as long as it is there, and what was decided on it:
 * parallel arrays. */
struct ledger {
    struct policy_memory memory[HYPERVISOR_DOMAINS_MOST];
    struct policy_decision decisions[HYPERVISOR_DOMAINS_MOST];
    struct told told[HYPERVISOR_DOMAINS_MOST];
    enum coordinator_request requests[HYPERVISOR_DOMAINS_MOST];
};

/* One look at all domains, and what holds for each: parallel arrays. */
struct look {
    struct snapshot snapshot; /* of these: */
    struct domain domains[HYPERVISOR_DOMAINS_MOST];
    struct domain_remarks remarks[HYPERVISOR_DOMAINS_MOST];
    struct policy_limits limits[HYPERVISOR_DOMAINS_MOST];
    struct ledger *ledger; /* theirs; of two looks at the same domains the same */
};

/* Donors first, then who starves, then who needs: what is asked for early arrives early. */
enum turn { TURN_DONORS, TURN_STARVING, TURN_OTHERS, TURNS };

/* How far a cycle has come, for the process that takes over from one that did not come back from a
 * request. */
struct progress {
    bool is_acting; /* all have been looked at; those before this one have been asked: */
    enum turn turn;
    size_t next;
    bool is_asking; /* it is being asked */
};

/* In kept memory: most of it is never touched. */
struct coordinator {
    struct coordinator_config config;
    const struct log *log;
    const struct hypervisor_operations *operations;
    void *self;

    bool connected;
    bool lost;           /* said to be, until it has been read again */
    uint64_t retry_usec; /* when to try again */
    uint64_t lost_usec;  /* when it was lost */
    bool short_of_memory;
    bool said_idle;
    bool said_host_is_silent;
    bool said_host_is_pressed;
    bool said_node_is_short;
    unsigned int short_node; /* its id */

    struct look looks[2]; /* the last one, and the one being taken */
    size_t current;       /* which is the last one */
    bool has_looked;      /* there is a last one */
    struct ledger ledgers[2];
    struct progress progress;
    bool reconfigured; /* what was resolved for the last one does not hold any more */
    struct policy_host host;
    enum policy_goal goal;
    uint64_t paused_until_usec; /* 0: it is not paused */
    struct reservations reservations;
};

/* ---- telling ---- */

static void tell_departures(const struct coordinator *coordinator, const struct snapshot *before,
                            const struct snapshot *now)
{
    for (size_t i = 0; i < before->count; i++) {
        const struct domain *domain = &before->domains[i];
        if (snapshot_find_again(now, domain, i) == now->count)
            log_say(coordinator->log, LOG_LEVEL_INFO, "%s: not running any more", domain->name);
    }
}

static void tell_idle(struct coordinator *coordinator, const struct snapshot *now)
{
    if (now->count == 0 && !coordinator->said_idle)
        log_say(coordinator->log, LOG_LEVEL_INFO, "no running domains; waiting for some");
    coordinator->said_idle = now->count == 0;
}

static void tell_silent_host(struct coordinator *coordinator, const struct host *host)
{
    if (!host->has_memory && !coordinator->said_host_is_silent)
        log_say(coordinator->log, LOG_LEVEL_WARNING,
                "%s does not say what memory the host has; guests keep their sizes",
                coordinator->config.uri);
    else if (host->has_memory && coordinator->said_host_is_silent)
        log_say(coordinator->log, LOG_LEVEL_INFO, "%s says again what memory the host has",
                coordinator->config.uri);
    coordinator->said_host_is_silent = !host->has_memory;
}

static void tell_pressure(struct coordinator *coordinator, const struct host *host)
{
    bool is_pressed = coordinator->host.is_pressed;
    if (is_pressed != coordinator->said_host_is_pressed)
        report_pressure(coordinator->log, host, is_pressed);
    coordinator->said_host_is_pressed = is_pressed;
}

static size_t find_node(const struct host *host, unsigned int id)
{
    size_t i = 0;
    while (i < host->node_count && host->nodes[i].id != id)
        i++;
    return i;
}

/* One that is shorter still is not told of until the first has recovered. */
static void tell_short_node(struct coordinator *coordinator, const struct host *host)
{
    size_t was = coordinator->said_node_is_short ? find_node(host, coordinator->short_node)
                                                 : host->node_count;
    size_t now =
        snapshot_short_node(host, coordinator->config.config->policy.host_reserve_kib, was);
    bool is_short = now < host->node_count;
    if (is_short && !coordinator->said_node_is_short)
        report_short_node(coordinator->log, &host->nodes[now]);
    else if (!is_short && coordinator->said_node_is_short)
        report_short_node(coordinator->log, NULL);
    if (is_short)
        coordinator->short_node = host->nodes[now].id;
    coordinator->said_node_is_short = is_short;
}

static void tell_trouble(const struct coordinator *coordinator, const struct domain *before,
                         const struct domain *now)
{
    const char *trouble = domain_trouble(now);
    if (strcmp(trouble, before != NULL ? domain_trouble(before) : "") == 0)
        return;
    if (*trouble != '\0')
        log_say(coordinator->log, LOG_LEVEL_WARNING, "%s: %s", now->name, trouble);
    else
        log_say(coordinator->log, LOG_LEVEL_INFO, "%s: answers again", now->name);
}

/* What a domain's owner has got wrong; until that is put right, what was right before holds. */
static void tell_refusal(const struct coordinator *coordinator, const struct domain *before,
                         const struct domain *now)
{
    const char *error = domain_settings_error(now);
    if (strcmp(error, before != NULL ? domain_settings_error(before) : "") == 0)
        return;
    if (*error != '\0')
        log_say(coordinator->log, LOG_LEVEL_WARNING, "%s: its metadata is refused: %s", now->name,
                error);
    else
        log_say(coordinator->log, LOG_LEVEL_INFO, "%s: its metadata is right again", now->name);
}

/* What holds for a domain for which nobody has set anything. */
static struct policy_limits usual_limits(const struct config *config)
{
    struct config bare = *config;
    struct settings none = {0};
    bare.rule_count = 0;
    return config_limits(&bare, "", &none);
}

static bool same_limits(const struct policy_limits *left, const struct policy_limits *right)
{
    return left->managed == right->managed && left->min_kib == right->min_kib &&
           left->max_kib == right->max_kib && left->headroom_kib == right->headroom_kib &&
           left->headroom_percent == right->headroom_percent && left->shares == right->shares;
}

/* BEFORE is what has held for it so far; for a new domain, what is usual. */
static void tell_limits(const struct coordinator *coordinator, const struct domain *domain,
                        const struct policy_limits *before, const struct policy_limits *now)
{
    char text[CONFIG_ERROR_BYTES];
    if (same_limits(before, now))
        return;
    report_limits(coordinator->log, domain, now);
    if (config_limits_clash(coordinator->config.config, domain->name, &domain->settings, text))
        log_say(coordinator->log, LOG_LEVEL_WARNING, "%s: %s", domain->name, text);
}

/* Of REASON; that a domain is to be managed is said where it is set. */
static void tell_end_of_hold(const struct coordinator *coordinator, const struct domain *domain,
                             enum policy_reason reason)
{
    if (reason == POLICY_STUCK)
        log_say(coordinator->log, LOG_LEVEL_INFO, "%s: its balloon is tried again", domain->name);
    else if (reason == POLICY_FROZEN)
        log_say(coordinator->log, LOG_LEVEL_INFO, "%s: its emulator answers again", domain->name);
    else if (reason == POLICY_BUSY)
        log_say(coordinator->log, LOG_LEVEL_INFO, "%s: what it was busy with is over",
                domain->name);
    else if (reason != POLICY_UNMANAGED)
        log_say(coordinator->log, LOG_LEVEL_INFO, "%s: its statistics are back", domain->name);
}

/* Whether it says what can be again, but has not done so for long. */
static bool is_doubted(const struct policy_decision *decision, const struct told *told,
                       uint64_t now_usec)
{
    return told->about_hold && told->reason == POLICY_IMPOSSIBLE &&
           !policy_is_held(decision->reason) && now_usec - told->impossible_usec < BELIEF_USEC;
}

/* A domain that cannot be decided on is named when that begins, ends or changes. */
static void tell_decision(const struct coordinator *coordinator, const struct domain *domain,
                          const struct policy_decision *decision, struct told *told,
                          uint64_t now_usec)
{
    if (decision->action == POLICY_HOLD)
        told->target_kib = 0;
    if (decision->reason == POLICY_IMPOSSIBLE)
        told->impossible_usec = now_usec;
    if (is_doubted(decision, told, now_usec))
        return;
    bool held = policy_is_held(decision->reason);
    const char *why = report_reason_text(domain, decision->reason);
    bool news = held != told->about_hold || (held && strcmp(why, told->why) != 0);
    if (held && news)
        report_hold(coordinator->log, LOG_LEVEL_INFO, domain, decision);
    else if (news)
        tell_end_of_hold(coordinator, domain, told->reason);
    else if (decision->action == POLICY_HOLD)
        report_hold(coordinator->log, LOG_LEVEL_DEBUG, domain, decision);
    told->about_hold = held;
    told->reason = decision->reason;
    told->why = why;
}

static void tell_look(struct coordinator *coordinator, const struct look *before, struct look *now)
{
    tell_departures(coordinator, &before->snapshot, &now->snapshot);
    tell_idle(coordinator, &now->snapshot);
    tell_silent_host(coordinator, &now->snapshot.host);
    tell_pressure(coordinator, &now->snapshot.host);
    tell_short_node(coordinator, &now->snapshot.host);
    report_host(coordinator->log, &now->snapshot);
    struct policy_limits usual = usual_limits(coordinator->config.config);
    for (size_t i = 0; i < now->snapshot.count; i++) {
        const struct domain *domain = &now->snapshot.domains[i];
        size_t old = snapshot_find_again(&before->snapshot, domain, i);
        bool is_new = old == before->snapshot.count;
        const struct domain *earlier = is_new ? NULL : &before->snapshot.domains[old];
        if (is_new)
            report_arrival(coordinator->log, domain);
        tell_trouble(coordinator, earlier, domain);
        tell_refusal(coordinator, earlier, domain);
        tell_limits(coordinator, domain, is_new ? &usual : &before->limits[old], &now->limits[i]);
        tell_decision(coordinator, domain, &now->ledger->decisions[i], &now->ledger->told[i],
                      now->snapshot.now_usec);
    }
}

/* ---- connection ---- */

static void pause_connecting(struct coordinator *coordinator, uint64_t now_usec, const char *error)
{
    uint64_t pause_usec = pace_retry_usec(now_usec - coordinator->lost_usec);
    coordinator->retry_usec = now_usec + pause_usec;
    log_say(coordinator->log, LOG_LEVEL_DEBUG, "%s: %s; next try in %.0f s",
            coordinator->config.uri, error, (double)pause_usec / 1000000);
}

static void lose_connection(struct coordinator *coordinator, uint64_t now_usec, const char *error)
{
    if (!coordinator->lost) {
        log_say(coordinator->log, LOG_LEVEL_ERROR, "connection to %s lost: %s; trying again",
                coordinator->config.uri, error);
        coordinator->lost_usec = now_usec;
    }
    coordinator->lost = true;
    coordinator->connected = false;
    pause_connecting(coordinator, now_usec, error);
}

/* Only what can be read again is there again. */
static void regain_connection(struct coordinator *coordinator)
{
    if (coordinator->lost)
        log_say(coordinator->log, LOG_LEVEL_INFO, "connected to %s again", coordinator->config.uri);
    coordinator->lost = false;
}

static int connect_again(struct coordinator *coordinator, uint64_t now_usec)
{
    char error[HYPERVISOR_ERROR_BYTES];
    if (now_usec < coordinator->retry_usec)
        return -ENOTCONN;
    int result = coordinator_connect(coordinator, error);
    if (result != 0)
        pause_connecting(coordinator, now_usec, error);
    return result;
}

int coordinator_connect(struct coordinator *coordinator, char error[HYPERVISOR_ERROR_BYTES])
{
    int result = coordinator->operations->connect(coordinator->self, error);
    coordinator->connected = result == 0;
    return result;
}

uint64_t coordinator_retry_usec(const struct coordinator *coordinator)
{
    return coordinator->connected ? 0 : coordinator->retry_usec;
}

/* ---- read ---- */

static void tell_shortage(struct coordinator *coordinator, const char *error)
{
    if (!coordinator->short_of_memory)
        log_say(coordinator->log, LOG_LEVEL_ERROR, "%s; guests keep their sizes", error);
    coordinator->short_of_memory = true;
}

static bool has_same_domains(const struct snapshot *before, const struct snapshot *now)
{
    bool is_same = before->count == now->count;
    for (size_t i = 0; is_same && i < now->count; i++)
        is_same = now->domains[i].id == before->domains[i].id &&
                  memcmp(now->domains[i].uuid, before->domains[i].uuid, DOMAIN_UUID_BYTES) == 0;
    return is_same;
}

/* Gives NOW a ledger, in which is what is remembered of the domains that are still the same. That
 * of BEFORE stays as it is, until NOW is the current look. */
static void carry_over(struct coordinator *coordinator, const struct look *before, struct look *now)
{
    const struct ledger *last = before->ledger;
    struct ledger *ledger = &coordinator->ledgers[last == &coordinator->ledgers[0] ? 1 : 0];
    now->ledger = before->ledger;
    if (coordinator->has_looked && has_same_domains(&before->snapshot, &now->snapshot))
        return;
    now->ledger = ledger;
    for (size_t i = 0; i < now->snapshot.count; i++) {
        size_t old = snapshot_find_again(&before->snapshot, &now->snapshot.domains[i], i);
        ledger->memory[i] = (struct policy_memory){0};
        ledger->told[i] = (struct told){0};
        ledger->decisions[i] = (struct policy_decision){0};
        if (old == before->snapshot.count)
            continue;
        ledger->memory[i] = last->memory[old];
        ledger->told[i] = last->told[old];
    }
}

/* Works out what holds for each domain, where that may have changed. */
static void resolve_limits(struct coordinator *coordinator, const struct look *before,
                           struct look *now)
{
    for (size_t i = 0; i < now->snapshot.count; i++) {
        const struct domain *domain = &now->snapshot.domains[i];
        size_t old = snapshot_find_again(&before->snapshot, domain, i);
        if (old < before->snapshot.count && !coordinator->reconfigured &&
            settings_equal(&domain->settings, &before->snapshot.domains[old].settings))
            now->limits[i] = before->limits[old];
        else
            now->limits[i] =
                config_limits(coordinator->config.config, domain->name, &domain->settings);
    }
    coordinator->reconfigured = false;
}

/* What their configurations say is to be read again. */
static void forget_configurations(struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->count; i++)
        snapshot->domains[i].is_known = false;
}

static int read_look(struct coordinator *coordinator, struct look *before, struct look *now,
                     struct coordinator_time time)
{
    char error[HYPERVISOR_ERROR_BYTES] = "out of memory";
    now->snapshot.count = 0;
    int result =
        coordinator->operations->read(coordinator->self, &before->snapshot, &now->snapshot, error);
    if (result == -ENOMEM)
        tell_shortage(coordinator, error);
    else if (result != 0 && result != -ECANCELED)
        lose_connection(coordinator, time.now_usec, error);
    if (result != 0)
        return result;
    coordinator->short_of_memory = false;
    regain_connection(coordinator);
    carry_over(coordinator, before, now);
    if (coordinator->config.time_now != NULL)
        time = coordinator->config.time_now(coordinator->config.argument);
    now->snapshot.host.reserved_kib =
        reservations_left_kib(&coordinator->reservations, &now->snapshot);
    now->snapshot.now_usec = time.now_usec;
    now->snapshot.wall_sec = time.wall_sec;
    memset(now->ledger->requests, 0, now->snapshot.count * sizeof(*now->ledger->requests));
    resolve_limits(coordinator, before, now);
    return 0;
}

/* ---- decide ---- */

/* What is known of a domain that is silent, or says what cannot be, may have changed: it is looked
 * up again. */
static void question_silence(struct look *look)
{
    struct snapshot *snapshot = &look->snapshot;
    struct ledger *ledger = look->ledger;
    for (size_t i = 0; i < snapshot->count; i++) {
        enum policy_reason reason = ledger->decisions[i].reason;
        struct told *told = &ledger->told[i];
        uint64_t now_usec = snapshot->now_usec;
        bool is_silent =
            reason == POLICY_NO_NEWS || reason == POLICY_STALE || reason == POLICY_IMPOSSIBLE;
        if (!is_silent ||
            (told->questioned_usec != 0 && now_usec - told->questioned_usec < QUESTION_USEC))
            continue;
        told->questioned_usec = now_usec;
        snapshot->domains[i].is_known = false;
    }
}

static struct policy_config policy_in_force(const struct coordinator *coordinator)
{
    struct policy_config policy = coordinator->config.config->policy;
    policy.goal = coordinator->goal;
    if (policy.goal != POLICY_BALANCE)
        policy.interval_usec = LEAVE_INTERVAL_USEC;
    return policy;
}

static void share_out_reserved(struct coordinator *coordinator, const struct host *host)
{
    uint64_t unmet = host->has_memory ? coordinator->host.unmet_kib : host->reserved_kib;
    reservations_hold(&coordinator->reservations, host->reserved_kib - unmet);
}

/* Reads and decides. The look becomes the current one only once it is whole. */
int coordinator_look(struct coordinator *coordinator, struct coordinator_time time)
{
    struct look *before = &coordinator->looks[coordinator->current];
    struct look *now = &coordinator->looks[1 - coordinator->current];
    if (!coordinator->connected && connect_again(coordinator, time.now_usec) != 0)
        return -ENOTCONN;
    if (coordinator->has_looked)
        reservations_mark(&coordinator->reservations, time.now_usec, &before->snapshot);
    int result = read_look(coordinator, before, now, time);
    if (result != 0)
        return result;
    struct policy_config policy = policy_in_force(coordinator);
    policy_decide(&policy, &now->snapshot, now->limits, &coordinator->host, now->ledger->memory,
                  now->ledger->decisions);
    share_out_reserved(coordinator, &now->snapshot.host);
    tell_look(coordinator, before, now);
    question_silence(now);
    coordinator->current = 1 - coordinator->current;
    coordinator->has_looked = true;
    return 0;
}

/* ---- act ---- */

static bool is_stopping(const struct coordinator *coordinator)
{
    const struct coordinator_config *config = &coordinator->config;
    return config->is_stopping != NULL && config->is_stopping(config->argument);
}

/* A dry run, or one that is paused, asks nobody, so that every cycle finds the same to do: it is
 * said when it changes. */
static void pretend(const struct coordinator *coordinator, struct look *look, size_t i)
{
    uint64_t target = look->ledger->decisions[i].target_kib;
    uint64_t said = look->ledger->told[i].target_kib;
    look->ledger->requests[i] = COORDINATOR_WITHHELD;
    if (said != 0 && (target > said ? target - said : said - target) <= SAME_WISH_KIB)
        return;
    look->ledger->told[i].target_kib = target;
    report_action(coordinator->log, &look->snapshot.domains[i], &look->ledger->decisions[i], true);
}

/* A refusal is said once; the domain may have changed, so it is looked up again. */
static void note_refusal(const struct coordinator *coordinator, struct look *look, size_t i,
                         const char *error)
{
    if (!look->ledger->told[i].refused)
        log_say(coordinator->log, LOG_LEVEL_WARNING, "%s: %s", look->snapshot.domains[i].name,
                error);
    look->ledger->told[i].refused = true;
    look->snapshot.domains[i].is_known = false;
}

/* The next look will tell with what. */
static void note_busy(struct look *look, size_t i)
{
    look->ledger->requests[i] = COORDINATOR_WITHHELD;
    look->snapshot.domains[i].is_known = false;
}

/* Returns false if the connection is gone, which the next look will tell: there is nobody to ask.
 */
static bool request(const struct coordinator *coordinator, struct look *look, size_t i)
{
    char error[HYPERVISOR_ERROR_BYTES];
    const struct domain *domain = &look->snapshot.domains[i];
    const struct policy_decision *decision = &look->ledger->decisions[i];
    int result =
        coordinator->operations->set_memory(coordinator->self, domain, decision->target_kib, error);
    if (result == -ENOTCONN)
        return false;
    if (result == -EBUSY) {
        note_busy(look, i);
        return true;
    }
    look->ledger->requests[i] = result == 0              ? COORDINATOR_MADE
                                : result == -EINPROGRESS ? COORDINATOR_UNANSWERED
                                                         : COORDINATOR_REFUSED;
    if (result != 0)
        note_refusal(coordinator, look, i, error);
    /* What is not known to be refused may be followed: it is a promise. */
    if (result == 0 || result == -EINPROGRESS)
        policy_asked(&look->ledger->memory[i], decision, look->snapshot.now_usec);
    if (result == 0) {
        look->ledger->told[i].refused = false;
        report_action(coordinator->log, domain, decision, false);
    }
    return true;
}

static bool has_turn(const struct policy_decision *decision, enum turn turn)
{
    if (decision->action == POLICY_HOLD)
        return false;
    if (decision->action == POLICY_SHRINK)
        return turn == TURN_DONORS;
    return turn == (decision->reason == POLICY_STARVING ? TURN_STARVING : TURN_OTHERS);
}

/* Returns false if nobody else is to be asked. */
static bool act_on(struct coordinator *coordinator, struct look *look, size_t i)
{
    struct progress *progress = &coordinator->progress;
    /* Who was being asked is told of, and remembered, first. */
    if (!progress->is_asking && is_stopping(coordinator))
        return false;
    if (coordinator->config.dry_run || coordinator->paused_until_usec != 0) {
        pretend(coordinator, look, i);
        return true;
    }
    progress->is_asking = true;
    bool goes_on = request(coordinator, look, i);
    progress->is_asking = false;
    return goes_on;
}

static void act(struct coordinator *coordinator, struct look *look)
{
    struct progress *progress = &coordinator->progress;
    for (; progress->turn < TURNS; progress->turn++) {
        for (; progress->next < look->snapshot.count; progress->next++)
            if (has_turn(&look->ledger->decisions[progress->next], progress->turn) &&
                !act_on(coordinator, look, progress->next))
                return;
        progress->next = 0;
    }
}

/* ---- the public face ---- */

static void lay_out(struct look *look)
{
    look->snapshot = (struct snapshot){
        .domains = look->domains,
        .remarks = look->remarks,
        .capacity = HYPERVISOR_DOMAINS_MOST,
        .is_borrowed = true,
    };
}

struct coordinator *coordinator_new(const struct coordinator_config *config, const struct log *log,
                                    const struct hypervisor_operations *operations, void *self)
{
    struct coordinator *coordinator = kept_new(sizeof(*coordinator));
    if (coordinator == NULL)
        return NULL;
    lay_out(&coordinator->looks[0]);
    lay_out(&coordinator->looks[1]);
    coordinator->looks[0].ledger = &coordinator->ledgers[0];
    coordinator->config = *config;
    coordinator->log = log;
    coordinator->operations = operations;
    coordinator->self = self;
    return coordinator;
}

void coordinator_configure(struct coordinator *coordinator, const struct config *config)
{
    coordinator->config.config = config;
    coordinator->reconfigured = true;
    forget_configurations(&coordinator->looks[coordinator->current].snapshot);
}

int coordinator_cycle(struct coordinator *coordinator, struct coordinator_time time)
{
    struct progress *progress = &coordinator->progress;
    if (!progress->is_acting) {
        int result = coordinator_look(coordinator, time);
        if (result != 0)
            return result;
        *progress = (struct progress){.is_acting = true};
    }
    act(coordinator, &coordinator->looks[coordinator->current]);
    progress->is_acting = false;
    return 0;
}

/* Has it yet to move, or is it moving, towards the size that it is to be left with? */
static bool is_leaving(const struct domain *domain, const struct policy_decision *decision)
{
    uint64_t size = domain->actual_kib.value;
    uint64_t target = decision->from_kib;
    return decision->action != POLICY_HOLD || decision->bound == POLICY_BOUND_IN_FLIGHT ||
           decision->bound == POLICY_BOUND_GRADUAL ||
           (size > target ? size - target : target - size) > ARRIVED_KIB;
}

int coordinator_leave(struct coordinator *coordinator, enum policy_goal goal,
                      struct coordinator_time time)
{
    coordinator->goal = goal;
    int result = coordinator_cycle(coordinator, time);
    if (result != 0)
        return result;
    const struct look *look = &coordinator->looks[coordinator->current];
    for (size_t i = 0; i < look->snapshot.count; i++)
        if (!policy_is_held(look->ledger->decisions[i].reason) &&
            is_leaving(&look->snapshot.domains[i], &look->ledger->decisions[i]))
            return 1;
    return 0;
}

void coordinator_pause(struct coordinator *coordinator, uint64_t until_usec)
{
    coordinator->paused_until_usec = until_usec;
}

void coordinator_reserve(struct coordinator *coordinator, const struct reservations *list)
{
    coordinator->reservations = *list;
}

struct coordinator_view coordinator_view(const struct coordinator *coordinator)
{
    const struct look *look = &coordinator->looks[coordinator->current];
    return (struct coordinator_view){
        .uri = coordinator->config.uri,
        .is_connected = coordinator->connected,
        .is_dry_run = coordinator->config.dry_run,
        .is_paused = coordinator->paused_until_usec != 0,
        .paused_until_usec = coordinator->paused_until_usec,
        .policy = policy_in_force(coordinator),
        .snapshot = &look->snapshot,
        .limits = look->limits,
        .memory = look->ledger->memory,
        .decisions = look->ledger->decisions,
        .requests = look->ledger->requests,
        .host = coordinator->host,
        .reservations = &coordinator->reservations,
    };
}

void coordinator_describe(const struct coordinator *coordinator,
                          char text[COORDINATOR_STATUS_BYTES])
{
    static const char *const states[] = {
        [POLICY_HOST_HIGH] = "high",
        [POLICY_HOST_SOFT] = "soft",
        [POLICY_HOST_HARD] = "hard",
        [POLICY_HOST_LOW] = "low",
    };
    const struct snapshot *last = &coordinator->looks[coordinator->current].snapshot;
    if (!coordinator->connected)
        snprintf(text, COORDINATOR_STATUS_BYTES, "not connected, %zu domains when last seen",
                 last->count);
    else
        snprintf(text, COORDINATOR_STATUS_BYTES, "%zu domains, host %s", last->count,
                 last->host.has_memory ? states[coordinator->host.state] : "silent");
}

void coordinator_free(struct coordinator *coordinator)
{
    kept_free(coordinator, sizeof(*coordinator));
}
