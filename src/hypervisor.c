/* hypervisor.c - libvirt, and the only file that names it. Bytes become KiB here; what a guest or
 * its emulator says is passed on as it is, for the policy to judge. */
#include "hypervisor.h"

#include "meminfo.h"
#include "settings.h"

#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <libxml/parser.h>
#include <libxml/uri.h>
#include <libxml/xpath.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BYTES_PER_KIB = 1024,
    CHANGES = 64, /* more between two reads are as good as all */
    /* A message from the server takes two rounds of the event loop: one reads it and makes an event
     * of it, the next hands the event over. The others are for what comes meanwhile. */
    EVENT_ROUNDS = 4,
};

/* Of our element in a domain's <metadata>; what `virsh metadata --uri` takes. */
#define SETTINGS_NAMESPACE "urn:memory-coordinator:settings"
#define SETTINGS_ELEMENT   "settings"

struct hypervisor {
    const char *uri;
    unsigned int period_sec; /* how often guests are to report; 0: touch nothing */
    virConnectPtr connection;
    bool is_local;         /* the host's own files can be read */
    uint64_t total_kib;    /* the host's memory; as of the connection */
    int memory_parameters; /* how many virNodeGetMemoryStats() gives; 0: not supported */
    virDomainPtr *domains; /* of the last snapshot, in its order */
    size_t count;

    int event; /* of changed metadata, as registered; negative: the driver has none */
    unsigned char changed[CHANGES][VIR_UUID_BUFLEN]; /* since the last read: change_count of them */
    size_t change_count;
    bool all_changed; /* any may have */
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
    int length = snprintf(domain->trouble, sizeof(domain->trouble), "%s: %s", what, last_message());
    (void)length; /* cut when longer */
}

/* ---- events ---- */

static void take_timeout(int timer, void *unused)
{
    (void)timer;
    (void)unused;
}

/* libvirt's event loop has no way to be run without waiting; with a timer that is due it does not
 * wait. */
static void run_events(void)
{
    int timer = virEventAddTimeout(0, take_timeout, NULL, NULL);
    if (timer < 0)
        return;
    for (unsigned int i = 0; i < EVENT_ROUNDS; i++)
        virEventRunDefaultImpl();
    virEventRemoveTimeout(timer);
}

void hypervisor_serve(struct hypervisor *hypervisor)
{
    if (hypervisor->connection != NULL)
        run_events();
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
        strcmp(namespace, SETTINGS_NAMESPACE) == 0)
        note_change(self, handle);
}

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
    hypervisor->event = virConnectDomainEventRegisterAny(
        hypervisor->connection, NULL, VIR_DOMAIN_EVENT_ID_METADATA_CHANGE,
        VIR_DOMAIN_EVENT_CALLBACK(take_metadata_change), hypervisor, NULL);
    forget_changes(hypervisor);
    hypervisor->all_changed = true;
}

/* ---- connection ---- */

static void forget_domains(struct hypervisor *hypervisor)
{
    for (size_t i = 0; i < hypervisor->count; i++)
        virDomainFree(hypervisor->domains[i]);
    free(hypervisor->domains);
    hypervisor->domains = NULL;
    hypervisor->count = 0;
}

static int disconnect(struct hypervisor *hypervisor)
{
    forget_domains(hypervisor);
    if (hypervisor->connection == NULL)
        return 0;
    if (hypervisor->event >= 0)
        virConnectDomainEventDeregisterAny(hypervisor->connection, hypervisor->event);
    run_events(); /* the event's end is one itself, and holds a reference until then */
    int references = virConnectClose(hypervisor->connection);
    hypervisor->connection = NULL;
    run_events(); /* so is the end of the socket's watch */
    return references;
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

static int libvirt_connect(void *self, char error[HYPERVISOR_ERROR_BYTES])
{
    struct hypervisor *hypervisor = self;
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
    /* Cached includes what is nobody's to give back, as tmpfs and guests' shared memory. */
    uint64_t available_kib;
    if (hypervisor->is_local && meminfo_available_kib("/proc/meminfo", &available_kib) == 0 &&
        available_kib < host->available_kib)
        host->available_kib = available_kib;
    return known;
}

static bool read_host_free(struct hypervisor *hypervisor, struct host *host)
{
    unsigned long long free_bytes = virNodeGetFreeMemory(hypervisor->connection);
    host->total_kib = hypervisor->total_kib;
    host->available_kib = free_bytes / BYTES_PER_KIB;
    return free_bytes != 0;
}

static struct host read_host(struct hypervisor *hypervisor)
{
    struct host host = {0};
    host.has_memory = hypervisor->memory_parameters > 0 ? read_host_memory(hypervisor, &host)
                                                        : read_host_free(hypervisor, &host);
    return host;
}

/* ---- domains: configuration ---- */

static double xpath_number(xmlXPathContextPtr context, const char *expression)
{
    xmlXPathObjectPtr found = xmlXPathEvalExpression((const xmlChar *)expression, context);
    double number = found != NULL ? xmlXPathCastToNumber(found) : 0;
    xmlXPathFreeObject(found);
    return number > 0 ? number : 0; /* not there is NaN */
}

/* libvirt writes KiB. The balloon's figures know nothing of virtio-mem, the domain's memory
 * includes it: such a domain is left alone. */
static void read_configuration(xmlXPathContextPtr context, struct domain *domain)
{
    domain->max_kib = (uint64_t)xpath_number(context, "string(/domain/memory)");
    domain->has_balloon =
        xpath_number(context, "count(/domain/devices/memballoon[@model!='none'])") > 0 &&
        xpath_number(context, "count(/domain/devices/memory[@model='virtio-mem'])") <= 0;
    domain->period_sec =
        (unsigned int)xpath_number(context, "string(/domain/devices/memballoon/stats/@period)");
}

/* ---- domains: their own settings ---- */

/* What stands at ATTRIBUTE goes to SETTINGS. Returns 0 or -EINVAL with the reason in ERROR. */
static int take_setting(xmlAttrPtr attribute, struct settings *settings, char *error)
{
    xmlChar *value = xmlNodeListGetString(attribute->doc, attribute->children, 1);
    int result = settings_set(settings, (const char *)attribute->name,
                              value != NULL ? (const char *)value : "", error);
    xmlFree(value);
    return result;
}

static bool is_empty(xmlNodePtr element)
{
    for (xmlNodePtr child = element->children; child != NULL; child = child->next)
        if (child->type != XML_COMMENT_NODE && xmlIsBlankNode(child) == 0)
            return false;
    return true;
}

static int parse_settings(xmlNodePtr element, struct settings *ret_settings, char *error)
{
    struct settings settings = {0};
    char quoted[SETTINGS_QUOTE_BYTES];
    if (strcmp((const char *)element->name, SETTINGS_ELEMENT) != 0) {
        snprintf(error, SETTINGS_ERROR_BYTES, "element '%s', expected '" SETTINGS_ELEMENT "'",
                 settings_quote((const char *)element->name, quoted));
        return -EINVAL;
    }
    if (!is_empty(element)) {
        snprintf(error, SETTINGS_ERROR_BYTES,
                 "something within the element '" SETTINGS_ELEMENT "', expected attributes only");
        return -EINVAL;
    }
    for (xmlAttrPtr attribute = element->properties; attribute; attribute = attribute->next)
        if (attribute->ns == NULL && take_setting(attribute, &settings, error) != 0)
            return -EINVAL;
    if (settings_check(&settings, error) != 0)
        return -EINVAL;
    *ret_settings = settings;
    return 0;
}

/* Metadata that is wrong is refused whole: what was right before still holds. */
static void read_settings(xmlXPathContextPtr context, struct domain *domain)
{
    _Static_assert(sizeof(domain->settings_error) >= SETTINGS_ERROR_BYTES, "errors fit");
    xmlXPathObjectPtr found = xmlXPathEvalExpression(
        (const xmlChar *)"/domain/metadata/*[namespace-uri()='" SETTINGS_NAMESPACE "']", context);
    int count = found != NULL && found->nodesetval != NULL ? found->nodesetval->nodeNr : 0;
    char *error = domain->settings_error;
    *error = '\0';
    if (count > 1)
        snprintf(error, SETTINGS_ERROR_BYTES, "%d elements of " SETTINGS_NAMESPACE ", expected one",
                 count);
    else if (count == 1)
        parse_settings(found->nodesetval->nodeTab[0], &domain->settings, error);
    else if (found != NULL)
        domain->settings = (struct settings){0};
    xmlXPathFreeObject(found);
}

static bool parse_configuration(const char *xml, struct domain *domain)
{
    xmlDocPtr document = xmlReadMemory(xml, (int)strlen(xml), "domain.xml", NULL,
                                       XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    if (document == NULL)
        return false;
    xmlXPathContextPtr context = xmlXPathNewContext(document);
    if (context != NULL) {
        read_configuration(context, domain);
        read_settings(context, domain);
    }
    xmlXPathFreeContext(context);
    xmlFreeDoc(document);
    return context != NULL;
}

/* Statistics are off until someone asks for them; who asked for more frequent ones keeps them, and
 * who does not want to be managed is not asked for any. Where it fails the domain is looked up
 * again, so that it is tried again. */
static void switch_reports_on(unsigned int period_sec, virDomainPtr handle, struct domain *domain)
{
    bool is_managed = !domain->settings.managed.known || domain->settings.managed.value != 0;
    if (period_sec == 0 || !domain->has_balloon || !is_managed)
        return;
    if (domain->period_sec != 0 && domain->period_sec <= period_sec)
        return;
    if (virDomainSetMemoryStatsPeriod(handle, (int)period_sec, VIR_DOMAIN_AFFECT_LIVE) == 0)
        domain->period_sec = period_sec;
    else
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
    domain->is_known = parse_configuration(xml, domain);
    free(xml);
    if (domain->is_known)
        switch_reports_on(period_sec, handle, domain);
    else
        snprintf(domain->trouble, sizeof(domain->trouble), "cannot parse its configuration");
}

/* ---- domains: statistics ---- */

static void set_figure(struct figure *figure, unsigned long long value)
{
    *figure = (struct figure){.known = true, .value = value};
}

/* Entries come in any order, any may be missing, and new libraries add tags. */
static void take_statistic(struct domain *domain, const virDomainMemoryStatStruct *statistic)
{
    switch (statistic->tag) {
    case VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON:
        set_figure(&domain->actual_kib, statistic->val);
        break;
    case VIR_DOMAIN_MEMORY_STAT_RSS:
        set_figure(&domain->rss_kib, statistic->val);
        break;
    case VIR_DOMAIN_MEMORY_STAT_UNUSED:
        set_figure(&domain->unused_kib, statistic->val);
        break;
    case VIR_DOMAIN_MEMORY_STAT_AVAILABLE:
        set_figure(&domain->available_kib, statistic->val);
        break;
    case VIR_DOMAIN_MEMORY_STAT_USABLE:
        set_figure(&domain->usable_kib, statistic->val);
        break;
    case VIR_DOMAIN_MEMORY_STAT_LAST_UPDATE:
        set_figure(&domain->last_update_sec, statistic->val);
        break;
    case VIR_DOMAIN_MEMORY_STAT_SWAP_IN:
        set_figure(&domain->swap_in_kib, statistic->val);
        break;
    case VIR_DOMAIN_MEMORY_STAT_MAJOR_FAULT:
        set_figure(&domain->major_faults, statistic->val);
        break;
    default:
        break;
    }
}

static int read_statistics(virDomainPtr handle, struct domain *domain)
{
    virDomainMemoryStatStruct statistics[VIR_DOMAIN_MEMORY_STAT_NR];
    int count = virDomainMemoryStats(handle, statistics, VIR_DOMAIN_MEMORY_STAT_NR, 0);
    for (int i = 0; i < count; i++)
        take_statistic(domain, &statistics[i]);
    return count < 0 ? -EIO : 0;
}

/* The driver has no figure for it, so it is asked only where it matters: of who is new, who is
 * paused, and who does not report. */
static void read_state(virDomainPtr handle, struct domain *domain)
{
    int state = VIR_DOMAIN_RUNNING;
    virDomainGetState(handle, &state, NULL, 0);
    domain->is_running = state == VIR_DOMAIN_RUNNING || state == VIR_DOMAIN_BLOCKED;
}

static void identify(const struct hypervisor *hypervisor, virDomainPtr handle,
                     const struct snapshot *before, struct domain *domain)
{
    *domain = (struct domain){0};
    virDomainGetUUID(handle, domain->uuid);
    domain->id = (int)virDomainGetID(handle);
    snprintf(domain->name, sizeof(domain->name), "%s", virDomainGetName(handle));
    size_t known = snapshot_find(before, domain->uuid, domain->id);
    if (known == before->count)
        return;
    const struct domain *last = &before->domains[known];
    domain->is_known = last->is_known && !has_changed(hypervisor, domain->uuid);
    domain->is_running = last->is_running;
    domain->has_balloon = last->has_balloon;
    domain->max_kib = last->max_kib;
    domain->period_sec = last->period_sec;
    domain->settings = last->settings;
    memcpy(domain->settings_error, last->settings_error, sizeof(domain->settings_error));
}

/* A domain may end between the list and its turn. */
static bool has_gone(void)
{
    int code = virGetLastErrorCode();
    return code == VIR_ERR_NO_DOMAIN || code == VIR_ERR_OPERATION_INVALID;
}

/* Reads one domain. Returns false if it has gone meanwhile. */
static bool read_domain(const struct hypervisor *hypervisor, virDomainPtr handle,
                        const struct snapshot *before, struct domain *domain)
{
    identify(hypervisor, handle, before, domain);
    if (!domain->is_known || !domain->is_running)
        read_state(handle, domain);
    if (!domain->is_known)
        look_up(hypervisor->period_sec, handle, domain);
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

static int compare_handles(const void *left, const void *right)
{
    unsigned char left_uuid[VIR_UUID_BUFLEN] = {0};
    unsigned char right_uuid[VIR_UUID_BUFLEN] = {0};
    virDomainGetUUID(*(const virDomainPtr *)left, left_uuid);
    virDomainGetUUID(*(const virDomainPtr *)right, right_uuid);
    return memcmp(left_uuid, right_uuid, sizeof(left_uuid));
}

static int list_domains(struct hypervisor *hypervisor)
{
    forget_domains(hypervisor);
    int count = virConnectListAllDomains(hypervisor->connection, &hypervisor->domains,
                                         VIR_CONNECT_LIST_DOMAINS_ACTIVE);
    if (count < 0)
        return -ENOTCONN;
    hypervisor->count = (size_t)count;
    qsort(hypervisor->domains, hypervisor->count, sizeof(virDomainPtr), compare_handles);
    return 0;
}

/* Reads all listed domains; those that have gone leave the list, which stays parallel to the
 * snapshot. */
static void read_domains(struct hypervisor *hypervisor, const struct snapshot *before,
                         struct snapshot *now)
{
    now->count = 0;
    for (size_t i = 0; i < hypervisor->count; i++) {
        virDomainPtr handle = hypervisor->domains[i];
        if (read_domain(hypervisor, handle, before, &now->domains[now->count]))
            hypervisor->domains[now->count++] = handle;
        else
            virDomainFree(handle);
    }
    hypervisor->count = now->count;
    forget_changes(hypervisor);
}

static int libvirt_read(void *self, const struct snapshot *before, struct snapshot *now,
                        char error[HYPERVISOR_ERROR_BYTES])
{
    struct hypervisor *hypervisor = self;
    hypervisor_serve(hypervisor);
    if (list_domains(hypervisor) != 0)
        return fail(-ENOTCONN, error, "cannot list the domains");
    if (snapshot_reserve(now, hypervisor->count) != 0) {
        snprintf(error, HYPERVISOR_ERROR_BYTES, "out of memory for %zu domains", hypervisor->count);
        return -ENOMEM;
    }
    read_domains(hypervisor, before, now);
    now->host = read_host(hypervisor);
    if (virConnectIsAlive(hypervisor->connection) == 1)
        return 0;
    snprintf(error, HYPERVISOR_ERROR_BYTES, "connection closed");
    return -ENOTCONN;
}

static int libvirt_set_memory(void *self, size_t index, uint64_t target_kib,
                              char error[HYPERVISOR_ERROR_BYTES])
{
    struct hypervisor *hypervisor = self;
    if (virDomainSetMemory(hypervisor->domains[index], (unsigned long)target_kib) == 0)
        return 0;
    return fail(-EIO, error, "cannot set its memory");
}

const struct hypervisor_operations hypervisor_libvirt = {
    .connect = libvirt_connect,
    .read = libvirt_read,
    .set_memory = libvirt_set_memory,
};

/* libvirt has one event loop for the process, to be registered once, before the first connection.
 */
static int register_events(void)
{
    static bool is_registered;
    if (!is_registered)
        is_registered = virEventRegisterDefaultImpl() == 0;
    return is_registered ? 0 : -EIO;
}

struct hypervisor *hypervisor_open(const char *uri, unsigned int period_sec)
{
    struct hypervisor *hypervisor = calloc(1, sizeof(*hypervisor));
    if (hypervisor == NULL || virInitialize() != 0 || register_events() != 0) {
        free(hypervisor);
        return NULL;
    }
    virSetErrorFunc(NULL, be_silent);
    const char *default_uri = getenv("LIBVIRT_DEFAULT_URI");
    if (uri == NULL)
        uri = default_uri != NULL && *default_uri != '\0' ? default_uri : "qemu:///system";
    hypervisor->uri = uri;
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
