/* snapshot.c - the snapshot's storage; its figures are others' business. */
#include "snapshot.h"

#include "arithmetic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int snapshot_reserve(struct snapshot *snapshot, size_t capacity)
{
    if (capacity <= snapshot->capacity)
        return 0;
    if (snapshot->is_borrowed)
        return -ENOMEM;
    struct domain *domains = reallocarray(snapshot->domains, capacity, sizeof(*domains));
    if (domains == NULL)
        return -ENOMEM;
    snapshot->domains = domains;
    struct domain_remarks *remarks = reallocarray(snapshot->remarks, capacity, sizeof(*remarks));
    if (remarks == NULL)
        return -ENOMEM;
    snapshot->remarks = remarks;
    for (size_t i = 0; i < snapshot->count; i++)
        if (domains[i].remarks != NULL)
            domains[i].remarks = &remarks[i];
    snapshot->capacity = capacity;
    return 0;
}

void snapshot_keep_remarks(struct snapshot *snapshot, size_t index)
{
    struct domain *domain = &snapshot->domains[index];
    struct domain_remarks *own = &snapshot->remarks[index];
    bool has_any = *domain_trouble(domain) != '\0' || *domain_settings_error(domain) != '\0';
    if (has_any && domain->remarks != own)
        *own = *domain->remarks;
    domain->remarks = has_any ? own : NULL;
}

const char *domain_trouble(const struct domain *domain)
{
    return domain->remarks != NULL ? domain->remarks->trouble : "";
}

const char *domain_settings_error(const struct domain *domain)
{
    return domain->remarks != NULL ? domain->remarks->settings_error : "";
}

static int compare_uuid(const void *key, const void *element)
{
    const struct domain *domain = element;
    return memcmp(key, domain->uuid, DOMAIN_UUID_BYTES);
}

size_t snapshot_find(const struct snapshot *snapshot, const uint8_t uuid[DOMAIN_UUID_BYTES], int id)
{
    if (snapshot->count == 0)
        return 0;
    const struct domain *found =
        bsearch(uuid, snapshot->domains, snapshot->count, sizeof(*snapshot->domains), compare_uuid);
    if (found == NULL || found->id != id)
        return snapshot->count;
    return (size_t)(found - snapshot->domains);
}

size_t snapshot_find_again(const struct snapshot *snapshot, const struct domain *domain,
                           size_t place)
{
    if (place < snapshot->count && snapshot->domains[place].id == domain->id &&
        compare_uuid(domain->uuid, &snapshot->domains[place]) == 0)
        return place;
    return snapshot_find(snapshot, domain->uuid, domain->id);
}

/* Less than it should have, as a part of that; 1 and more: it has it. */
static double plenty_of_node(const struct host *host, const struct host_node *node,
                             uint64_t reserve_kib)
{
    double part = (double)reserve_kib * ((double)node->total_kib / (double)host->total_kib);
    return part > 0 ? (double)node->available_kib / part : 2;
}

size_t snapshot_short_node(const struct host *host, uint64_t reserve_kib, size_t was)
{
    static const double recovered = 17.0 / 16.0;
    size_t shortest = host->node_count;
    double least = recovered;
    if (!host->has_memory || host->total_kib == 0 || host->available_kib < reserve_kib)
        return host->node_count;
    for (size_t i = 0; i < host->node_count; i++) {
        double plenty = plenty_of_node(host, &host->nodes[i], reserve_kib);
        if (plenty < least && plenty < (i == was ? recovered : 1)) {
            shortest = i;
            least = plenty;
        }
    }
    return shortest;
}

void snapshot_release(struct snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    if (!snapshot->is_borrowed) {
        free(snapshot->domains);
        free(snapshot->remarks);
    }
    *snapshot = (struct snapshot){0};
}
