/* hypervisor.c - libvirt, which only event_loop.c names beside it. Bytes become KiB here; what a
 * guest or its emulator says is passed on as it is, for the policy to judge. */
#include "hypervisor.h"

#include "clock.h"
#include "domain_xml.h"
#include "event_loop.h"
#include "ksm_files.h"
#include "meminfo.h"

#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <libxml/uri.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BYTES_PER_KIB = 1024,
    CHANGES = 64, /* more between two reads are as good as all */
};

/* Kinds of events that are listened to. */
enum {
    EVENT_LIFECYCLE,
    EVENT_METADATA_CHANGE,
    EVENT_DEVICE_ADDED,
    EVENT_DEVICE_REMOVED,
    EVENT_MIGRATION,
    EVENTS,
};

/* Where this host's own files begin. */
static const char OWN_ROOT[] = "";

/* A domain as it was listed. Its handle is asked for UUID and id only where they may be new:
 * whatever libvirt's client is asked of a handle but its name, it makes a text of the UUID first,
 * for its own log. */
struct listed {
    unsigned char uuid[VIR_UUID_BUFLEN];
    int id;
    size_t place; /* in the list, as libvirt gave it */
    virDomainPtr handle;
    const char *name; /* the handle's */
};

struct hypervisor {
    const char *uri;
    unsigned int period_sec;        /* how often guests are to report; 0: touch nothing */
    struct hypervisor_watch *watch; /* NULL: nobody watches */
    virConnectPtr connection;
    bool is_local;          /* the host's own files can be read */
    uint64_t total_kib;     /* the host's memory; as of the connection */
    int memory_parameters;  /* how many virNodeGetMemoryStats() gives; 0: not supported */
    struct listed *domains; /* of the last snapshot, in its order */
    size_t count;
    bool is_list_whole; /* none of them has been left out */

    int events[EVENTS]; /* as registered; negative: the driver has none of that kind */
    unsigned char changed[CHANGES][VIR_UUID_BUFLEN]; /* since the last read: change_count of them */
    size_t change_count;
    bool all_changed;  /* any may have */
    bool has_restarts; /* some may have begun or ended since they were listed */
};

/* ---- errors ---- */

/* libvirt prints every error to stderr unless told otherwise; ours go through return values. */
static void be_silent(void *unused, virErrorPtr error)
{
    (void)unused;
    (void)error;
}

static const char *last_message(void)
{
    const char *message = virGetLastErrorMessage();
    return message != NULL ? message : "unknown error";
}

static int fail(int result, char *error, const char *what)
{
    snprintf(error, HYPERVISOR_ERROR_BYTES, "%s: %s", what, last_message());
    return result;
}

static void note_trouble(struct domain *domain, const char *what)
{
    char *trouble = domain->remarks->trouble;
    int length = snprintf(trouble, DOMAIN_REMARK_BYTES, "%s: %s", what, last_message());
    (void)length; /* cut when longer */
}

/* ---- who watches ---- */

static void libvirt_watch(void *self, struct hypervisor_watch *watch)
{
    struct hypervisor *hypervisor = self;
    hypervisor->watch = watch;
}

/* What is called from here on is about this domain; NULL: about the whole. */
static void begin(const struct hypervisor *hypervisor, const struct domain *domain)
{
    struct hypervisor_watch *watch = hypervisor->watch;
    if (watch == NULL)
        return;
    watch->since_usec = clock_coarse_usec();
    watch->is_about_domain = domain != NULL;
    if (domain != NULL) {
        memcpy(watch->uuid, domain->uuid, sizeof(watch->uuid));
        watch->id = domain->id;
    }
}

static const struct hypervisor_suspect *find_suspect(const struct hypervisor *hypervisor,
                                                     const struct domain *domain)
{
    const struct hypervisor_watch *watch = hypervisor->watch;
    for (size_t i = 0; watch != NULL && i < watch->suspect_count; i++)
        if (watch->suspects[i].id == domain->id &&
            memcmp(watch->suspects[i].uuid, domain->uuid, sizeof(domain->uuid)) == 0)
            return &watch->suspects[i];
    return NULL;
}

/* A call on a frozen emulator never returns, and while it is held there libvirt tells of it. */
static bool is_occupied(virDomainPtr handle)
{
    virDomainControlInfo control;
    return virDomainGetControlInfo(handle, &control, 0) == 0 &&
           control.state != VIR_DOMAIN_CONTROL_OK;
}

/* ---- events ---- */

/* Answers the server, which drops a client that is silent for half a minute, and hears of changes.
 */
static void libvirt_serve(void *self)
{
    const struct hypervisor *hypervisor = self;
    if (hypervisor->connection != NULL)
        event_loop_run();
}

/* What has changed is not told; the domain is looked up again with the next read. */
static void note_change(struct hypervisor *hypervisor, virDomainPtr handle)
{
    if (hypervisor->change_count == CHANGES ||
        virDomainGetUUID(handle, hypervisor->changed[hypervisor->change_count]) != 0)
        hypervisor->all_changed = true;
    else
        hypervisor->change_count++;
}

/* The namespace of a description or a title is NULL. */
static void take_metadata_change(virConnectPtr connection, virDomainPtr handle, int type,
                                 const char *namespace, void *self)
{
    (void)connection;
    if (type == VIR_DOMAIN_METADATA_ELEMENT && namespace != NULL &&
        strcmp(namespace, DOMAIN_XML_SETTINGS_NAMESPACE) == 0)
        note_change(self, handle);
}

/* A domain that ends and begins again has another id. */
static int take_lifecycle(virConnectPtr connection, virDomainPtr handle, int event, int detail,
                          void *self)
{
    struct hypervisor *hypervisor = self;
    (void)connection;
    (void)handle;
    (void)event;
    (void)detail;
    hypervisor->has_restarts = true;
    return 0;
}

/* It may be one that pins all memory. */
static void take_device_change(virConnectPtr connection, virDomainPtr handle, const char *alias,
                               void *self)
{
    (void)connection;
    (void)alias;
    note_change(self, handle);
}

/* Told at the beginning of an outgoing migration, and then with each pass over the memory. */
static void take_migration(virConnectPtr connection, virDomainPtr handle, int pass, void *self)
{
    (void)connection;
    (void)pass;
    note_change(self, handle);
}

static const struct {
    int id;
    virConnectDomainEventGenericCallback callback;
} events[EVENTS] = {
    [EVENT_LIFECYCLE] = {VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(take_lifecycle)},
    [EVENT_METADATA_CHANGE] = {VIR_DOMAIN_EVENT_ID_METADATA_CHANGE,
                               VIR_DOMAIN_EVENT_CALLBACK(take_metadata_change)},
    [EVENT_DEVICE_ADDED] = {VIR_DOMAIN_EVENT_ID_DEVICE_ADDED,
                            VIR_DOMAIN_EVENT_CALLBACK(take_device_change)},
    [EVENT_DEVICE_REMOVED] = {VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED,
                              VIR_DOMAIN_EVENT_CALLBACK(take_device_change)},
    [EVENT_MIGRATION] = {VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION,
                         VIR_DOMAIN_EVENT_CALLBACK(take_migration)},
};

static bool has_changed(const struct hypervisor *hypervisor,
                        const unsigned char uuid[VIR_UUID_BUFLEN])
{
    for (size_t i = 0; i < hypervisor->change_count; i++)
        if (memcmp(hypervisor->changed[i], uuid, VIR_UUID_BUFLEN) == 0)
            return true;
    return hypervisor->all_changed;
}

static void forget_changes(struct hypervisor *hypervisor)
{
    hypervisor->change_count = 0;
    hypervisor->all_changed = false;
}

/* What has changed while nobody was listening is not known: all are looked up once. */
static void listen_for_changes(struct hypervisor *hypervisor)
{
    for (size_t i = 0; i < EVENTS; i++)
        hypervisor->events[i] = virConnectDomainEventRegisterAny(
            hypervisor->connection, NULL, events[i].id, events[i].callback, hypervisor, NULL);
    forget_changes(hypervisor);
    hypervisor->all_changed = true;
}

/* ---- connection ---- */

static void forget_domains(struct hypervisor *hypervisor)
{
    for (size_t i = 0; i < hypervisor->count; i++)
        virDomainFree(hypervisor->domains[i].handle);
    free(hypervisor->domains);
    hypervisor->domains = NULL;
    hypervisor->count = 0;
}

static int disconnect(struct hypervisor *hypervisor)
{
    forget_domains(hypervisor);
    event_loop_run(); /* a connection that did not come about has left something to be freed */
    if (hypervisor->connection == NULL)
        return 0;
    for (size_t i = 0; i < EVENTS; i++)
        if (hypervisor->events[i] >= 0)
            virConnectDomainEventDeregisterAny(hypervisor->connection, hypervisor->events[i]);
    event_loop_run(); /* an event's end is one itself, and holds a reference until then */
    int references = virConnectClose(hypervisor->connection);
    hypervisor->connection = NULL;
    event_loop_run(); /* so is the end of the socket's watch */
    return references;
}

static void libvirt_disconnect(void *self)
{
    disconnect(self);
}

/* What does not change while connected. The test driver lacks virNodeGetMemoryStats(). */
static void learn_host(struct hypervisor *hypervisor)
{
    virNodeInfo info;
    hypervisor->total_kib = 0;
    if (virNodeGetInfo(hypervisor->connection, &info) == 0)
        hypervisor->total_kib = info.memory;
    hypervisor->memory_parameters = 0;
    if (virNodeGetMemoryStats(hypervisor->connection, VIR_NODE_MEMORY_STATS_ALL_CELLS, NULL,
                              &hypervisor->memory_parameters, 0) != 0)
        hypervisor->memory_parameters = 0;
}

/* A URI without a server is of this host; the one that is meant, since what was asked for may be an
 * alias. */
static bool is_local(virConnectPtr connection)
{
    char *uri = virConnectGetURI(connection);
    xmlURIPtr parsed = uri != NULL ? xmlParseURI(uri) : NULL;
    bool has_no_server = parsed != NULL && parsed->server == NULL;
    xmlFreeURI(parsed);
    free(uri);
    return has_no_server;
}

/* libvirt has one event loop for the process, to be registered once, before the first connection.
 */
static int start_library(void)
{
    static bool is_registered = false;
    virSetErrorFunc(NULL, be_silent);
    if (virInitialize() != 0)
        return -ENOTCONN;
    if (!is_registered)
        event_loop_register();
    is_registered = true;
    return 0;
}

static int libvirt_connect(void *self, char error[HYPERVISOR_ERROR_BYTES])
{
    struct hypervisor *hypervisor = self;
    begin(hypervisor, NULL);
    if (start_library() != 0)
        return fail(-ENOTCONN, error, "cannot start libvirt's client library");
    disconnect(hypervisor);
    hypervisor->connection = virConnectOpen(hypervisor->uri);
    if (hypervisor->connection == NULL) {
        snprintf(error, HYPERVISOR_ERROR_BYTES, "%s", last_message());
        return -ENOTCONN;
    }
    learn_host(hypervisor);
    listen_for_changes(hypervisor);
    hypervisor->is_local = is_local(hypervisor->connection);
    return 0;
}

/* ---- host ---- */

static uint64_t node_figure(const virNodeMemoryStats *figures, int count, const char *field)
{
    for (int i = 0; i < count; i++)
        if (strcmp(figures[i].field, field) == 0)
            return figures[i].value;
    return 0;
}

static bool read_host_memory(struct hypervisor *hypervisor, struct host *host)
{
    int count = hypervisor->memory_parameters;
    virNodeMemoryStats *figures = calloc((size_t)count, sizeof(*figures));
    if (figures == NULL)
        return false;
    bool known = virNodeGetMemoryStats(hypervisor->connection, VIR_NODE_MEMORY_STATS_ALL_CELLS,
                                       figures, &count, 0) == 0;
    host->total_kib = node_figure(figures, count, VIR_NODE_MEMORY_STATS_TOTAL);
    host->available_kib = node_figure(figures, count, VIR_NODE_MEMORY_STATS_FREE) +
                          node_figure(figures, count, VIR_NODE_MEMORY_STATS_BUFFERS) +
                          node_figure(figures, count, VIR_NODE_MEMORY_STATS_CACHED);
    free(figures);
    return known;
}

static bool read_host_free(struct hypervisor *hypervisor, struct host *host)
{
    unsigned long long free_bytes = virNodeGetFreeMemory(hypervisor->connection);
    host->total_kib = hypervisor->total_kib;
    host->available_kib = free_bytes / BYTES_PER_KIB;
    return free_bytes != 0;
}

/* libvirt's test driver, which tells nothing of the host's memory, only pretends to be here. */
static bool is_own_host(const struct hypervisor *hypervisor)
{
    return hypervisor->is_local && hypervisor->memory_parameters > 0;
}

/* Of this host its kernel tells more than libvirt, to whom all is available that is free or in a
 * cache: as tmpfs and guests' shared memory, which are nobody's to give back, and not what the
 * kernel keeps of files beside their pages. */
static struct host read_host(struct hypervisor *hypervisor)
{
    struct host host = {0};
    if (is_own_host(hypervisor) && meminfo_read(OWN_ROOT, &host))
        host.has_memory = true;
    else if (hypervisor->memory_parameters > 0)
        host.has_memory = read_host_memory(hypervisor, &host);
    else
        host.has_memory = read_host_free(hypervisor, &host);
    return host;
}

/* ---- domains: state ---- */

/* A backup, and what is not known, keep no request waiting. */
static enum domain_job job_of(int operation)
{
    switch (operation) {
    case VIR_DOMAIN_JOB_OPERATION_START:
    case VIR_DOMAIN_JOB_OPERATION_RESTORE:
        return JOB_STARTS;
    case VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN:
        return JOB_ARRIVES;
    case VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT:
        return JOB_LEAVES;
    case VIR_DOMAIN_JOB_OPERATION_SAVE:
    case VIR_DOMAIN_JOB_OPERATION_DUMP:
    case VIR_DOMAIN_JOB_OPERATION_SNAPSHOT:
    case VIR_DOMAIN_JOB_OPERATION_SNAPSHOT_REVERT:
        return JOB_SAVES;
    default:
        return JOB_NONE;
    }
}

/* Answered at once during a migration: with figures where the domain leaves, with a refusal where
 * it MAY_ARRIVE and does. Drivers without jobs refuse, too. */
static enum domain_job find_job(virDomainPtr handle, bool may_arrive)
{
    int type = VIR_DOMAIN_JOB_NONE;
    int operation = VIR_DOMAIN_JOB_OPERATION_UNKNOWN;
    int count = 0;
    virTypedParameterPtr parameters = NULL;
    if (virDomainGetJobStats(handle, &type, &parameters, &count, 0) != 0)
        return may_arrive ? JOB_ARRIVES : JOB_NONE;
    if (type != VIR_DOMAIN_JOB_NONE)
        virTypedParamsGetInt(parameters, count, VIR_DOMAIN_JOB_OPERATION, &operation);
    virTypedParamsFree(parameters, count);
    return job_of(operation);
}

/* Who is paused by a job, and not by its owner. */
static bool is_paused_by_job(int state, int reason)
{
    if (state != VIR_DOMAIN_PAUSED)
        return false;
    switch (reason) {
    case VIR_DOMAIN_PAUSED_MIGRATION:
    case VIR_DOMAIN_PAUSED_POSTCOPY:
    case VIR_DOMAIN_PAUSED_SAVE:
    case VIR_DOMAIN_PAUSED_DUMP:
    case VIR_DOMAIN_PAUSED_SNAPSHOT:
        return true;
    default:
        return false;
    }
}

/* Where a domain that migrates may have its memory still coming: a call that asks it for figures
 * would wait for that. */
static bool may_arrive(int state, int reason)
{
    return (state == VIR_DOMAIN_PAUSED && reason == VIR_DOMAIN_PAUSED_MIGRATION) ||
           (state == VIR_DOMAIN_RUNNING && reason == VIR_DOMAIN_RUNNING_POSTCOPY);
}

/* The driver has no figure for it, so it is asked only where it matters: of who is new or has
 * changed, who is paused, who is busy, and who does not report. */
static void read_state(virDomainPtr handle, struct domain *domain)
{
    int state = VIR_DOMAIN_RUNNING;
    int reason = 0;
    virDomainGetState(handle, &state, &reason, 0);
    domain->is_running = state == VIR_DOMAIN_RUNNING || state == VIR_DOMAIN_BLOCKED;
    /* While it starts that question would wait as well. */
    if (state == VIR_DOMAIN_PAUSED && reason == VIR_DOMAIN_PAUSED_STARTING_UP)
        domain->job = JOB_STARTS;
    else if (!domain->is_known || domain->job != JOB_NONE || is_paused_by_job(state, reason))
        domain->job = find_job(handle, may_arrive(state, reason));
}

/* ---- domains: configuration ---- */

/* Statistics are off until someone asks for them; who asked for more frequent ones keeps them, and
 * who does not want to be managed is not asked for any. Where it fails, or would have to wait for a
 * job, the domain is looked up again, so that it is tried again. */
static void switch_reports_on(unsigned int period_sec, virDomainPtr handle, struct domain *domain)
{
    bool is_managed = !domain->settings.managed.known || domain->settings.managed.value != 0;
    if (period_sec == 0 || !domain->has_balloon || !is_managed)
        return;
    if (domain->period_sec != 0 && domain->period_sec <= period_sec)
        return;
    if (domain->job == JOB_NONE &&
        virDomainSetMemoryStatsPeriod(handle, (int)period_sec, VIR_DOMAIN_AFFECT_LIVE) == 0)
        domain->period_sec = period_sec;
    else if (domain->job == JOB_NONE)
        note_trouble(domain, "cannot switch its statistics on");
    domain->is_known = domain->period_sec != 0 && domain->period_sec <= period_sec;
}

static void look_up(unsigned int period_sec, virDomainPtr handle, struct domain *domain)
{
    char *xml = virDomainGetXMLDesc(handle, 0);
    if (xml == NULL) {
        note_trouble(domain, "cannot read its configuration");
        return;
    }
    _Static_assert((int)DOMAIN_REMARK_BYTES >= (int)SETTINGS_ERROR_BYTES, "errors fit");
    int result = domain_xml_read(xml, domain, domain->remarks->settings_error);
    free(xml);
    domain->is_known = result == 0;
    if (result == 0)
        switch_reports_on(period_sec, handle, domain);
    else
        snprintf(domain->remarks->trouble, DOMAIN_REMARK_BYTES, "cannot parse its configuration%s",
                 result == -ENOMEM ? ": out of memory" : "");
}

/* ---- domains: statistics ---- */

/* Where the statistic TAG belongs; NULL for one that is not asked for. */
static struct figure *figure_of(struct domain *domain, int tag)
{
    switch (tag) {
    case VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON:
        return &domain->actual_kib;
    case VIR_DOMAIN_MEMORY_STAT_RSS:
        return &domain->rss_kib;
    case VIR_DOMAIN_MEMORY_STAT_UNUSED:
        return &domain->unused_kib;
    case VIR_DOMAIN_MEMORY_STAT_AVAILABLE:
        return &domain->available_kib;
    case VIR_DOMAIN_MEMORY_STAT_USABLE:
        return &domain->usable_kib;
    case VIR_DOMAIN_MEMORY_STAT_LAST_UPDATE:
        return &domain->last_update_sec;
    case VIR_DOMAIN_MEMORY_STAT_SWAP_IN:
        return &domain->swap_in_kib;
    case VIR_DOMAIN_MEMORY_STAT_MAJOR_FAULT:
        return &domain->major_faults;
    default:
        return NULL;
    }
}

void hypervisor_take_statistic(struct domain *domain, int tag, uint64_t value)
{
    struct figure *figure = figure_of(domain, tag);
    if (figure != NULL)
        *figure = (struct figure){.known = true, .value = value};
}

static int read_statistics(virDomainPtr handle, struct domain *domain)
{
    virDomainMemoryStatStruct statistics[VIR_DOMAIN_MEMORY_STAT_NR];
    int count = virDomainMemoryStats(handle, statistics, VIR_DOMAIN_MEMORY_STAT_NR, 0);
    for (int i = 0; i < count; i++)
        hypervisor_take_statistic(domain, statistics[i].tag, statistics[i].val);
    return count < 0 ? -EIO : 0;
}

/* A domain that runs cannot be given another name. */
static void identify(const struct hypervisor *hypervisor, size_t place,
                     const struct snapshot *before, struct domain *domain)
{
    const struct listed *listed = &hypervisor->domains[place];
    struct domain_remarks *remarks = domain->remarks;
    memset(domain, 0, offsetof(struct domain, name)); /* half of it is the name, which follows */
    domain->remarks = remarks;
    memcpy(domain->uuid, listed->uuid, sizeof(domain->uuid));
    domain->id = listed->id;
    size_t known = snapshot_find_again(before, domain, place);
    if (known == before->count) {
        snprintf(domain->name, sizeof(domain->name), "%s", listed->name);
        return;
    }
    const struct domain *last = &before->domains[known];
    strcpy(domain->name, last->name);
    domain->is_known = last->is_known && !has_changed(hypervisor, domain->uuid);
    domain->is_running = last->is_running;
    domain->job = last->job;
    domain->has_balloon = last->has_balloon;
    domain->obstacle = last->obstacle;
    domain->max_kib = last->max_kib;
    domain->current_kib = last->current_kib;
    domain->period_sec = last->period_sec;
    domain->settings = last->settings;
    strcpy(domain->remarks->settings_error, domain_settings_error(last));
}

/* A domain may end between the list and its turn. */
static bool has_gone(void)
{
    int code = virGetLastErrorCode();
    return code == VIR_ERR_NO_DOMAIN || code == VIR_ERR_OPERATION_INVALID;
}

/* Of one that has not answered a call: whether it would not now. Its configuration can be read all
 * the same, without touching it; it is looked up again as soon as it answers. */
static bool is_frozen(const struct hypervisor_suspect *suspect, virDomainPtr handle,
                      struct domain *domain)
{
    bool is_left_alone = clock_monotonic_usec() < suspect->until_usec;
    if (!is_left_alone && !is_occupied(handle))
        return false;
    if (!is_left_alone && domain->max_kib == 0)
        look_up(0, handle, domain);
    domain->is_known = false;
    return true;
}

/* Reads the domain that has this PLACE among those listed; DOMAIN has room for remarks. Returns
 * false if it has gone meanwhile. */
static bool read_domain(const struct hypervisor *hypervisor, size_t place,
                        const struct snapshot *before, struct domain *domain)
{
    virDomainPtr handle = hypervisor->domains[place].handle;
    identify(hypervisor, place, before, domain);
    begin(hypervisor, domain);
    const struct hypervisor_suspect *suspect = find_suspect(hypervisor, domain);
    domain->is_frozen = suspect != NULL && is_frozen(suspect, handle, domain);
    if (domain->is_frozen)
        return true;
    if (!domain->is_known || !domain->is_running || domain->job != JOB_NONE)
        read_state(handle, domain);
    if (!domain->is_known)
        look_up(hypervisor->period_sec, handle, domain);
    if (domain->job == JOB_ARRIVES || domain->job == JOB_STARTS)
        return true;
    if (read_statistics(handle, domain) == 0) {
        /* More than its maximum: memory was plugged in since it was looked up. */
        if (domain->actual_kib.value > domain->max_kib)
            domain->is_known = false;
        return true;
    }
    if (has_gone())
        return false;
    note_trouble(domain, "cannot read its statistics");
    return true;
}

static int compare_listed(const void *left, const void *right)
{
    const struct listed *left_one = left;
    const struct listed *right_one = right;
    return memcmp(left_one->uuid, right_one->uuid, sizeof(left_one->uuid));
}

static void free_handles(const virDomainPtr *handles, size_t count)
{
    for (size_t i = 0; i < count; i++)
        virDomainFree(handles[i]);
}

/* Takes the handles over, in the order of their UUIDs. Returns 0, or -ENOMEM: then they are freed.
 */
static int take_handles(struct hypervisor *hypervisor, const virDomainPtr *handles, size_t count)
{
    struct listed *domains = calloc(count + 1, sizeof(*domains));
    forget_domains(hypervisor);
    if (domains == NULL) {
        free_handles(handles, count);
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        virDomainGetUUID(handles[i], domains[i].uuid);
        domains[i].id = (int)virDomainGetID(handles[i]);
        domains[i].place = i;
        domains[i].handle = handles[i];
        domains[i].name = virDomainGetName(handles[i]);
    }
    qsort(domains, count, sizeof(*domains), compare_listed);
    hypervisor->domains = domains;
    hypervisor->count = count;
    hypervisor->is_list_whole = true;
    return 0;
}

/* Whether these are those that were listed last, each in its place: nobody has begun or ended, and
 * names are unique. */
static bool are_same(const struct hypervisor *hypervisor, const virDomainPtr *handles, size_t count)
{
    bool is_same =
        hypervisor->is_list_whole && !hypervisor->has_restarts && count == hypervisor->count;
    for (size_t i = 0; is_same && i < count; i++) {
        const struct listed *listed = &hypervisor->domains[i];
        is_same = strcmp(listed->name, virDomainGetName(handles[listed->place])) == 0;
    }
    return is_same;
}

static int list_domains(struct hypervisor *hypervisor, char *error)
{
    virDomainPtr *handles;
    int count =
        virConnectListAllDomains(hypervisor->connection, &handles, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
    if (count < 0)
        return fail(-ENOTCONN, error, "cannot list the domains");
    /* What has happened before the list is mostly told before it. Where not, figures of the new
     * start go to the old one once; its size is not set, for that it is looked up. */
    libvirt_serve(hypervisor);
    int result = 0;
    if (are_same(hypervisor, handles, (size_t)count))
        free_handles(handles, (size_t)count);
    else
        result = take_handles(hypervisor, handles, (size_t)count);
    hypervisor->has_restarts = hypervisor->events[EVENT_LIFECYCLE] < 0;
    free(handles);
    if (result != 0)
        snprintf(error, HYPERVISOR_ERROR_BYTES, "out of memory for %d domains", count);
    return result;
}

/* Looked up anew, since a listed one may have ended and begun again meanwhile; to be freed. NULL if
 * this start of it does not run any more. */
static virDomainPtr find_handle(const struct hypervisor *hypervisor, const struct domain *domain)
{
    virDomainPtr handle = virDomainLookupByUUID(hypervisor->connection, domain->uuid);
    if (handle == NULL || (int)virDomainGetID(handle) == domain->id)
        return handle;
    virDomainFree(handle);
    return NULL;
}

/* Those of BEFORE that still run, but not who is to start, whom a question would wait for. Where
 * the connection fails the rest is left out, too, which the end of the look will tell. */
static size_t find_handles(const struct hypervisor *hypervisor, const struct snapshot *before,
                           virDomainPtr *ret_handles)
{
    size_t count = 0;
    for (size_t i = 0; i < before->count; i++) {
        const struct domain *domain = &before->domains[i];
        virDomainPtr handle = domain->is_to_start ? NULL : find_handle(hypervisor, domain);
        if (handle != NULL)
            ret_handles[count++] = handle;
    }
    return count;
}

/* In place of a list, for which libvirt takes each domain's lock, even one that a hook has it keep.
 */
static int find_domains(struct hypervisor *hypervisor, const struct snapshot *before, char *error)
{
    int result = -ENOMEM;
    libvirt_serve(hypervisor);
    virDomainPtr *handles = calloc(before->count + 1, sizeof(virDomainPtr));
    if (handles != NULL)
        result = take_handles(hypervisor, handles, find_handles(hypervisor, before, handles));
    free(handles);
    if (result != 0)
        snprintf(error, HYPERVISOR_ERROR_BYTES, "out of memory for %zu domains", before->count);
    return result;
}

/* Reads all listed domains; those that have gone leave the list, which stays parallel to the
 * snapshot. */
static void read_domains(struct hypervisor *hypervisor, const struct snapshot *before,
                         struct snapshot *now)
{
    now->count = 0;
    for (size_t i = 0; i < hypervisor->count; i++) {
        struct listed listed = hypervisor->domains[i];
        struct domain_remarks remarks = {.trouble = ""};
        now->domains[now->count].remarks = &remarks;
        if (read_domain(hypervisor, i, before, &now->domains[now->count])) {
            snapshot_keep_remarks(now, now->count);
            hypervisor->domains[now->count++] = listed;
        } else
            virDomainFree(listed.handle);
    }
    hypervisor->is_list_whole = hypervisor->is_list_whole && now->count == hypervisor->count;
    hypervisor->count = now->count;
    forget_changes(hypervisor);
}

static int libvirt_read(void *self, const struct snapshot *before, struct snapshot *now,
                        char error[HYPERVISOR_ERROR_BYTES])
{
    struct hypervisor *hypervisor = self;
    begin(hypervisor, NULL);
    int result = before->is_list_kept ? find_domains(hypervisor, before, error)
                                      : list_domains(hypervisor, error);
    if (result != 0)
        return result;
    if (snapshot_reserve(now, hypervisor->count) != 0) {
        snprintf(error, HYPERVISOR_ERROR_BYTES, "out of memory for %zu domains", hypervisor->count);
        return -ENOMEM;
    }
    read_domains(hypervisor, before, now);
    begin(hypervisor, NULL);
    now->host = read_host(hypervisor);
    /* Who has told of the host is there. */
    bool has_told = now->host.has_memory && !is_own_host(hypervisor);
    if (has_told || virConnectIsAlive(hypervisor->connection) == 1)
        return 0;
    snprintf(error, HYPERVISOR_ERROR_BYTES, "connection closed");
    return -ENOTCONN;
}

static int libvirt_set_memory(void *self, const struct domain *domain, uint64_t target_kib,
                              char error[HYPERVISOR_ERROR_BYTES])
{
    struct hypervisor *hypervisor = self;
    begin(hypervisor, domain);
    virDomainPtr handle = find_handle(hypervisor, domain);
    if (handle == NULL) {
        snprintf(error, HYPERVISOR_ERROR_BYTES, "cannot set its memory: it does not run any more");
        hypervisor->has_restarts = true;
        return -EIO;
    }
    int result = 0;
    /* It would wait for half a minute, and then fail. */
    if (find_job(handle, false) != JOB_NONE) {
        snprintf(error, HYPERVISOR_ERROR_BYTES, "cannot set its memory: it is busy with a job");
        result = -EBUSY;
    } else if (virDomainSetMemory(handle, (unsigned long)target_kib) != 0)
        result = fail(-EIO, error, "cannot set its memory");
    virDomainFree(handle);
    return result;
}

/* ---- sharing of pages ---- */

static struct figure sharing_figure(virTypedParameterPtr figures, int count, const char *name)
{
    unsigned long long large;
    unsigned int value;
    if (virTypedParamsGetULLong(figures, count, name, &large) == 1)
        return (struct figure){true, large};
    if (virTypedParamsGetUInt(figures, count, name, &value) == 1)
        return (struct figure){true, value};
    return (struct figure){0};
}

static void take_sharing(virTypedParameterPtr figures, int count, struct ksm_reading *reading)
{
    reading->pages_to_scan = sharing_figure(figures, count, VIR_NODE_MEMORY_SHARED_PAGES_TO_SCAN);
    reading->sleep_msec = sharing_figure(figures, count, VIR_NODE_MEMORY_SHARED_SLEEP_MILLISECS);
    reading->pages_shared = sharing_figure(figures, count, VIR_NODE_MEMORY_SHARED_PAGES_SHARED);
    reading->pages_sharing = sharing_figure(figures, count, VIR_NODE_MEMORY_SHARED_PAGES_SHARING);
    reading->pages_unshared = sharing_figure(figures, count, VIR_NODE_MEMORY_SHARED_PAGES_UNSHARED);
    reading->pages_volatile = sharing_figure(figures, count, VIR_NODE_MEMORY_SHARED_PAGES_VOLATILE);
    reading->full_scans = sharing_figure(figures, count, VIR_NODE_MEMORY_SHARED_FULL_SCANS);
}

/* What the driver does not have, or the server may not read, stays as it was. */
static void read_sharing_by_libvirt(const struct hypervisor *hypervisor,
                                    struct ksm_reading *reading)
{
    int count = 0;
    if (virNodeGetMemoryParameters(hypervisor->connection, NULL, &count, 0) != 0 || count <= 0)
        return;
    virTypedParameterPtr figures = calloc((size_t)count, sizeof(*figures));
    if (figures == NULL)
        return;
    if (virNodeGetMemoryParameters(hypervisor->connection, figures, &count, 0) == 0)
        take_sharing(figures, count, reading);
    virTypedParamsClear(figures, count);
    free(figures);
}

/* Whether it runs libvirt does not tell. */
static int libvirt_read_sharing(void *self, struct ksm_reading *ret_reading,
                                char error[HYPERVISOR_ERROR_BYTES])
{
    struct hypervisor *hypervisor = self;
    begin(hypervisor, NULL);
    if (hypervisor->connection == NULL) {
        snprintf(error, HYPERVISOR_ERROR_BYTES, "not connected");
        return -ENOTCONN;
    }
    struct ksm_reading reading = ksm_files_read(OWN_ROOT);
    if (!is_own_host(hypervisor))
        reading = (struct ksm_reading){.obstacle = KSM_ELSEWHERE, .page_kib = reading.page_kib};
    if (reading.obstacle != KSM_MISSING)
        read_sharing_by_libvirt(hypervisor, &reading);
    *ret_reading = reading;
    return 0;
}

static int set_pace_by_libvirt(const struct hypervisor *hypervisor,
                               const struct ksm_settings *settings)
{
    virTypedParameterPtr figures = NULL;
    int count = 0;
    int room = 0;
    int result = 0;
    if (hypervisor->connection == NULL)
        return -ENOTCONN;
    if (settings->pages_to_scan.known)
        result =
            virTypedParamsAddUInt(&figures, &count, &room, VIR_NODE_MEMORY_SHARED_PAGES_TO_SCAN,
                                  (unsigned int)settings->pages_to_scan.value);
    if (result == 0 && settings->sleep_msec.known)
        result =
            virTypedParamsAddUInt(&figures, &count, &room, VIR_NODE_MEMORY_SHARED_SLEEP_MILLISECS,
                                  (unsigned int)settings->sleep_msec.value);
    if (result == 0 && count > 0)
        result = virNodeSetMemoryParameters(hypervisor->connection, figures, count, 0);
    virTypedParamsFree(figures, count);
    return result == 0 ? 0 : -EIO;
}

/* libvirt's server may have the right to do so where this process has not; or, being an ordinary
 * user's, the other way round. */
static int set_pace(const struct hypervisor *hypervisor, const struct ksm_settings *settings,
                    char *error)
{
    if (set_pace_by_libvirt(hypervisor, settings) == 0)
        return 0;
    int result = ksm_files_set_pace(OWN_ROOT, settings);
    if (result != 0)
        snprintf(error, HYPERVISOR_ERROR_BYTES, "cannot set how fast KSM works: %s",
                 strerror(-result));
    return result;
}

static int libvirt_set_sharing(void *self, const struct ksm_settings *settings,
                               char error[HYPERVISOR_ERROR_BYTES])
{
    struct hypervisor *hypervisor = self;
    begin(hypervisor, NULL);
    if (hypervisor->connection != NULL && !is_own_host(hypervisor)) {
        snprintf(error, HYPERVISOR_ERROR_BYTES, "%s", ksm_obstacle_text(KSM_ELSEWHERE));
        return -ENOTSUP;
    }
    int result = set_pace(hypervisor, settings, error);
    if (!settings->run.known)
        return result;
    int other = ksm_files_set_run(OWN_ROOT, settings->run.value);
    if (other != 0)
        snprintf(error, HYPERVISOR_ERROR_BYTES, "cannot %s KSM: %s",
                 settings->run.value == 1 ? "start" : "stop", strerror(-other));
    return other != 0 ? other : result;
}

const struct hypervisor_operations hypervisor_libvirt = {
    .connect = libvirt_connect,
    .read = libvirt_read,
    .set_memory = libvirt_set_memory,
    .read_sharing = libvirt_read_sharing,
    .set_sharing = libvirt_set_sharing,
    .serve = libvirt_serve,
    .disconnect = libvirt_disconnect,
    .watch = libvirt_watch,
};

const char *hypervisor_resolve_uri(const char *uri)
{
    const char *default_uri = getenv("LIBVIRT_DEFAULT_URI");
    if (uri != NULL)
        return uri;
    return default_uri != NULL && *default_uri != '\0' ? default_uri : "qemu:///system";
}

struct hypervisor *hypervisor_open(const char *uri, unsigned int period_sec)
{
    struct hypervisor *hypervisor = calloc(1, sizeof(*hypervisor));
    if (hypervisor == NULL)
        return NULL;
    hypervisor->uri = hypervisor_resolve_uri(uri);
    hypervisor->period_sec = period_sec;
    return hypervisor;
}

const char *hypervisor_uri(const struct hypervisor *hypervisor)
{
    return hypervisor->uri;
}

int hypervisor_close(struct hypervisor *hypervisor)
{
    if (hypervisor == NULL)
        return 0;
    int references = disconnect(hypervisor);
    free(hypervisor);
    return references;
}

/* ---- settings, changed by a command ---- */

static virDomainPtr look_up_by_name(virConnectPtr connection, const char *name)
{
    virDomainPtr handle = virDomainLookupByName(connection, name);
    return handle != NULL ? handle : virDomainLookupByUUIDString(connection, name);
}

static int store_settings(virDomainPtr handle, const char *element, char *text)
{
    unsigned int flags = 0;
    if (virDomainIsActive(handle) == 1)
        flags |= VIR_DOMAIN_AFFECT_LIVE;
    if (virDomainIsPersistent(handle) == 1)
        flags |= VIR_DOMAIN_AFFECT_CONFIG;
    if (virDomainSetMetadata(handle, VIR_DOMAIN_METADATA_ELEMENT, element, "memory_coordinator",
                             DOMAIN_XML_SETTINGS_NAMESPACE, flags) != 0)
        return fail(-EIO, text, "cannot set its metadata");
    snprintf(text, HYPERVISOR_ERROR_BYTES, "%s", element != NULL ? element : "");
    return 0;
}

static int change_settings_of(virDomainPtr handle, const struct domain_xml_change *changes,
                              size_t count, char *text)
{
    char *element = NULL;
    char *old =
        virDomainGetMetadata(handle, VIR_DOMAIN_METADATA_ELEMENT, DOMAIN_XML_SETTINGS_NAMESPACE, 0);
    if (old == NULL && virGetLastErrorCode() != VIR_ERR_NO_DOMAIN_METADATA)
        return fail(-EIO, text, "cannot read its metadata");
    int result = domain_xml_change_settings(old, changes, count, &element, text);
    free(old);
    if (result == -ENOMEM)
        snprintf(text, HYPERVISOR_ERROR_BYTES, "out of memory");
    if (result == 0)
        result = store_settings(handle, element, text);
    free(element);
    return result;
}

int hypervisor_change_settings(const char *uri, const char *name,
                               const struct domain_xml_change *changes, size_t count,
                               char text[HYPERVISOR_ERROR_BYTES])
{
    if (start_library() < 0)
        return fail(-ENOTCONN, text, "cannot start libvirt's client library");
    virConnectPtr connection = virConnectOpen(uri);
    if (connection == NULL)
        return fail(-ENOTCONN, text, "cannot connect");
    virDomainPtr handle = look_up_by_name(connection, name);
    int result = handle != NULL ? change_settings_of(handle, changes, count, text) : -ENOENT;
    if (handle == NULL)
        snprintf(text, HYPERVISOR_ERROR_BYTES, "no domain '%s'", name);
    else
        virDomainFree(handle);
    virConnectClose(connection);
    return result;
}
