/* meminfo.c - what the kernel of this host says of its memory. */
#include "meminfo.h"

#include "arithmetic.h"
#include "kernel_file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BYTES_PER_KIB = 1024,
    /* KSTAT_DATA_UINT64, the type of a figure of arcstats. */
    ARC_UINT64 = 4,
    /* A percentage has two decimals. */
    PERMYRIAD = 10000,
    /* No kernel has more nodes (CONFIG_NODES_SHIFT is 10 at the most). */
    NODES_MOST = 1024,
    NODE_LABEL_BYTES = 48,
};

/* ---- figures in lines ---- */

/* "LABEL   123 kB" */
static bool find_kib(const char *text, const char *label, uint64_t *ret_kib)
{
    uint64_t kib;
    const char *at = kernel_file_find(text, label);
    if (at == NULL || !kernel_file_take_number(&at, &kib) || !kernel_file_ends(at, " kB"))
        return false;
    *ret_kib = kib;
    return true;
}

/* "size    4    123456" */
static bool find_arc_bytes(const char *text, const char *label, uint64_t *ret_bytes)
{
    uint64_t type;
    uint64_t bytes;
    const char *at = kernel_file_find(text, label);
    if (at == NULL || !kernel_file_take_number(&at, &type) || type != ARC_UINT64 ||
        !kernel_file_take_number(&at, &bytes) || !kernel_file_ends(at, ""))
        return false;
    *ret_bytes = bytes;
    return true;
}

/* "full avg10=12.34 avg60=..." */
static struct figure find_pressure(const char *text, const char *label)
{
    uint64_t percent;
    uint64_t hundredths;
    const struct figure unknown = {0};
    const char *at = kernel_file_find(text, label);
    if (at == NULL || *at == ' ' || !kernel_file_take_number(&at, &percent) || *at++ != '.')
        return unknown;
    const char *decimals = at;
    if (*at == ' ' || !kernel_file_take_number(&at, &hundredths) || at - decimals != 2 ||
        *at != ' ' || percent > PERMYRIAD / 100)
        return unknown;
    return (struct figure){true, min_u64(percent * 100 + hundredths, PERMYRIAD)};
}

/* ---- what is available ---- */

static uint64_t reclaimable_arc_kib(const char *root)
{
    char path[KERNEL_FILE_PATH_BYTES];
    char text[KERNEL_FILE_BYTES];
    uint64_t size_bytes;
    uint64_t least_bytes;
    if (kernel_file_read(kernel_file_path(path, root, "/proc/spl/kstat/zfs/arcstats"), text) != 0 ||
        !find_arc_bytes(text, "size ", &size_bytes) ||
        !find_arc_bytes(text, "c_min ", &least_bytes))
        return 0;
    return subtract_to_zero(size_bytes, least_bytes) / BYTES_PER_KIB;
}

static bool read_available(const char *root, struct host *host)
{
    char path[KERNEL_FILE_PATH_BYTES];
    char text[KERNEL_FILE_BYTES];
    uint64_t total_kib;
    uint64_t available_kib;
    if (kernel_file_read(kernel_file_path(path, root, "/proc/meminfo"), text) != 0 ||
        !find_kib(text, "MemTotal:", &total_kib) ||
        !find_kib(text, "MemAvailable:", &available_kib))
        return false;
    host->total_kib = total_kib;
    host->available_kib = min_u64(available_kib, total_kib);
    host->arc_kib = min_u64(reclaimable_arc_kib(root), total_kib - host->available_kib);
    host->available_kib += host->arc_kib;
    return true;
}

static void read_pressure(const char *root, struct host *host)
{
    char path[KERNEL_FILE_PATH_BYTES];
    char text[KERNEL_FILE_BYTES];
    if (kernel_file_read(kernel_file_path(path, root, "/proc/pressure/memory"), text) != 0)
        return;
    host->some_permyriad = find_pressure(text, "some avg10=");
    host->full_permyriad = find_pressure(text, "full avg10=");
}

/* ---- nodes ---- */

/* Of a node the kernel does not say what is available: what is free, and what it keeps of files,
 * which is not shared memory, and could drop. */
static bool read_node(const char *root, unsigned int id, struct host_node *ret_node)
{
    static const char *const parts[] = {
        "MemFree:", "Active(file):", "Inactive(file):", "SReclaimable:"};
    char path[KERNEL_FILE_PATH_BYTES];
    char text[KERNEL_FILE_BYTES];
    char label[NODE_LABEL_BYTES];
    struct host_node node = {.id = id};
    kernel_file_path(path, root, "/sys/devices/system/node/node%u/meminfo", id);
    snprintf(label, sizeof(label), "Node %u MemTotal:", id);
    if (kernel_file_read(path, text) != 0 || !find_kib(text, label, &node.total_kib))
        return false;
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        uint64_t kib = 0;
        snprintf(label, sizeof(label), "Node %u %s", id, parts[i]);
        if (!find_kib(text, label, &kib) && i == 0)
            return false;
        node.available_kib = add_saturated(node.available_kib, kib);
    }
    node.available_kib = min_u64(node.available_kib, node.total_kib);
    *ret_node = node;
    return node.total_kib > 0; /* some have processors only */
}

/* "node12", and nothing else. */
static bool is_node(const char *name, unsigned int *ret_id)
{
    static const char prefix[] = "node";
    uint64_t id;
    const char *at = name + strlen(prefix);
    if (strncmp(name, prefix, strlen(prefix)) != 0 || *at == ' ' || *at == '\t' ||
        !kernel_file_take_number(&at, &id) || *at != '\0' || id >= NODES_MOST)
        return false;
    *ret_id = (unsigned int)id;
    return true;
}

static int compare_ids(const void *left, const void *right)
{
    unsigned int one = *(const unsigned int *)left;
    unsigned int other = *(const unsigned int *)right;
    return (one > other) - (one < other);
}

/* Those that there are, by number. */
static size_t list_nodes(const char *root, unsigned int ids[HOST_NODES_MOST])
{
    char path[KERNEL_FILE_PATH_BYTES];
    size_t count = 0;
    const struct dirent *entry;
    DIR *directory = opendir(kernel_file_path(path, root, "/sys/devices/system/node"));
    if (directory == NULL)
        return 0;
    while (count < HOST_NODES_MOST && (entry = readdir(directory)) != NULL)
        if (is_node(entry->d_name, &ids[count]))
            count++;
    closedir(directory);
    qsort(ids, count, sizeof(*ids), compare_ids);
    return count;
}

static void read_nodes(const char *root, struct host *host)
{
    unsigned int ids[HOST_NODES_MOST];
    size_t listed = list_nodes(root, ids);
    size_t count = 0;
    for (size_t i = 0; listed > 1 && i < listed; i++)
        if (read_node(root, ids[i], &host->nodes[count]))
            count++;
    host->node_count = count > 1 ? count : 0; /* one is the host */
}

bool meminfo_read(const char *root, struct host *host)
{
    read_pressure(root, host);
    read_nodes(root, host);
    return read_available(root, host);
}
