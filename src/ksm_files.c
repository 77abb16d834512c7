/* ksm_files.c - KSM as the kernel of this host shows it. */
#include "ksm_files.h"

#include "kernel_file.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define KSM_DIRECTORY "/sys/kernel/mm/ksm"

enum { BYTES_PER_KIB = 1024 };

static struct figure read_figure(const char *root, const char *name)
{
    char path[KERNEL_FILE_PATH_BYTES];
    struct figure figure = {0};
    kernel_file_path(path, root, KSM_DIRECTORY "/%s", name);
    figure.known = kernel_file_read_number(path, &figure.value) == 0;
    return figure;
}

static int write_figure(const char *root, const char *name, struct figure figure)
{
    char path[KERNEL_FILE_PATH_BYTES];
    if (!figure.known)
        return 0;
    kernel_file_path(path, root, KSM_DIRECTORY "/%s", name);
    return kernel_file_write_number(path, figure.value);
}

/* ---- who else sets it ---- */

static bool is_ksmtuned(const char *root, uint64_t process)
{
    char path[KERNEL_FILE_PATH_BYTES];
    char name[KERNEL_FILE_BYTES];
    kernel_file_path(path, root, "/proc/%" PRIu64 "/comm", process);
    return kernel_file_read(path, name) == 0 && strcmp(name, "ksmtuned\n") == 0;
}

/* Where processes of others cannot be seen (ProtectProc=), it has left its number all the same; of
 * an earlier run, perhaps. */
static bool has_left_its_number(const char *root)
{
    char path[KERNEL_FILE_PATH_BYTES];
    char process_path[KERNEL_FILE_PATH_BYTES];
    uint64_t process;
    kernel_file_path(path, root, "/run/ksmtune.pid");
    if (kernel_file_read_number(path, &process) != 0)
        return false;
    kernel_file_path(process_path, root, "/proc/%" PRIu64, process);
    bool is_seen = access(process_path, F_OK) == 0;
    kernel_file_path(process_path, root, "/proc/1");
    bool are_others_hidden = access(process_path, F_OK) != 0;
    return is_seen ? is_ksmtuned(root, process) : are_others_hidden;
}

static bool is_process_seen(const char *root)
{
    char path[KERNEL_FILE_PATH_BYTES];
    bool is_seen = false;
    const struct dirent *entry;
    DIR *processes = opendir(kernel_file_path(path, root, "/proc"));
    if (processes == NULL)
        return false;
    while (!is_seen && (entry = readdir(processes)) != NULL) {
        uint64_t process;
        const char *at = entry->d_name;
        if (kernel_file_take_number(&at, &process) && *at == '\0')
            is_seen = is_ksmtuned(root, process);
    }
    closedir(processes);
    return is_seen;
}

/* ---- all of it ---- */

static void find_obstacle(const char *root, struct ksm_reading *reading)
{
    char path[KERNEL_FILE_PATH_BYTES];
    if (!reading->run.known)
        reading->obstacle = KSM_MISSING;
    else if (has_left_its_number(root) || is_process_seen(root))
        reading->obstacle = KSM_TUNED;
    else if (access(kernel_file_path(path, root, KSM_DIRECTORY "/run"), W_OK) != 0) {
        reading->obstacle = KSM_NOT_PERMITTED;
        reading->reason = errno;
    }
}

struct ksm_reading ksm_files_read(const char *root)
{
    struct ksm_reading reading = {
        .run = read_figure(root, "run"),
        .pages_to_scan = read_figure(root, "pages_to_scan"),
        .sleep_msec = read_figure(root, "sleep_millisecs"),
        .pages_shared = read_figure(root, "pages_shared"),
        .pages_sharing = read_figure(root, "pages_sharing"),
        .pages_unshared = read_figure(root, "pages_unshared"),
        .pages_volatile = read_figure(root, "pages_volatile"),
        .full_scans = read_figure(root, "full_scans"),
        .page_kib = (uint64_t)sysconf(_SC_PAGESIZE) / BYTES_PER_KIB,
    };
    find_obstacle(root, &reading);
    return reading;
}

int ksm_files_set_pace(const char *root, const struct ksm_settings *settings)
{
    int result = write_figure(root, "pages_to_scan", settings->pages_to_scan);
    int other = write_figure(root, "sleep_millisecs", settings->sleep_msec);
    return result != 0 ? result : other;
}

int ksm_files_set_run(const char *root, uint64_t run)
{
    return write_figure(root, "run", (struct figure){true, run});
}
