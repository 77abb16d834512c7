/* hypervisor.c - libvirt, and the only file that names it. Bytes become KiB here; what a guest or
 * its emulator says is passed on as it is, for the policy to judge. */
#include "hypervisor.h"

#include "meminfo.h"

#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <libxml/parser.h>
#include <libxml/uri.h>
#include <libxml/xpath.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES_PER_KIB = 1024 };

struct hypervisor {
    const char *uri;
    unsigned int period_sec; /* how often guests are to report; 0: touch nothing */
    virConnectPtr connection;
    bool is_local;         /* the host's own files can be read */
    uint64_t total_kib;    /* the host's memory; as of the connection */
    int memory_parameters; /* how many virNodeGetMemoryStats() gives; 0: not supported */
    virDomainPtr *domains; /* of the last snapshot, in its order */
    size_t count;
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
    int references = 0;
    if (hypervisor->connection != NULL)
        references = virConnectClose(hypervisor->connection);
    hypervisor->connection = NULL;
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

/* A URI without a server is of this host. */
static bool is_local_uri(const char *uri)
{
    xmlURIPtr parsed = xmlParseURI(uri);
    bool is_local = parsed != NULL && parsed->server == NULL;
    xmlFreeURI(parsed);
    return is_local;
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
    hypervisor->is_local = is_local_uri(hypervisor->uri);
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

static bool parse_configuration(const char *xml, struct domain *domain)
{
    xmlDocPtr document = xmlReadMemory(xml, (int)strlen(xml), "domain.xml", NULL,
                                       XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    if (document == NULL)
        return false;
    xmlXPathContextPtr context = xmlXPathNewContext(document);
    if (context != NULL)
        read_configuration(context, domain);
    xmlXPathFreeContext(context);
    xmlFreeDoc(document);
    return context != NULL;
}

/* Statistics are off until someone asks for them; who asked for more frequent ones keeps them.
 * Where it fails the domain is looked up again, so that it is tried again. */
static void switch_reports_on(unsigned int period_sec, virDomainPtr handle, struct domain *domain)
{
    if (period_sec == 0 || !domain->has_balloon)
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

static void identify(virDomainPtr handle, const struct snapshot *before, struct domain *domain)
{
    *domain = (struct domain){0};
    virDomainGetUUID(handle, domain->uuid);
    domain->id = (int)virDomainGetID(handle);
    snprintf(domain->name, sizeof(domain->name), "%s", virDomainGetName(handle));
    size_t known = snapshot_find(before, domain->uuid, domain->id);
    if (known == before->count)
        return;
    domain->is_known = before->domains[known].is_known;
    domain->is_running = before->domains[known].is_running;
    domain->has_balloon = before->domains[known].has_balloon;
    domain->max_kib = before->domains[known].max_kib;
    domain->period_sec = before->domains[known].period_sec;
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
    identify(handle, before, domain);
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
}

static int libvirt_read(void *self, const struct snapshot *before, struct snapshot *now,
                        char error[HYPERVISOR_ERROR_BYTES])
{
    struct hypervisor *hypervisor = self;
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

struct hypervisor *hypervisor_open(const char *uri, unsigned int period_sec)
{
    struct hypervisor *hypervisor = calloc(1, sizeof(*hypervisor));
    if (hypervisor == NULL || virInitialize() != 0) {
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
