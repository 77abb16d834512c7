/* snapshot.c - the snapshot's storage; its figures are others' business. */
#include "snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int snapshot_reserve(struct snapshot *snapshot, size_t capacity)
{
    if (capacity <= snapshot->capacity)
        return 0;
    struct domain *grown = reallocarray(snapshot->domains, capacity, sizeof(*grown));
    if (grown == NULL)
        return -ENOMEM;
    snapshot->domains = grown;
    snapshot->capacity = capacity;
    return 0;
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

void snapshot_release(struct snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    free(snapshot->domains);
    *snapshot = (struct snapshot){0};
}
