/* reservation_file.c - memory set aside for guests, as files in the state directory. */
#include "reservation_file.h"

#include "atomic_file.h"
#include "kernel_file.h"
#include "units.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    /* Root leaves it for a coordinator that is another user; the directory keeps others out. */
    RESERVATION_MODE = 0644,
    /* No file of ours is longer. */
    FILE_MOST_BYTES = 4096,
    /* A URI, which the directory's other names are of as well, and a name. */
    KEY_BYTES = 2048,
};

/* No machine has more (policy.c has the same limit), and no clock goes further. */
static const uint64_t SIZE_LIMIT_KIB = UINT64_C(1) << 50;
static const uint64_t TIME_LIMIT_USEC = UINT64_C(1) << 61;

/* Another one with each start of the machine, when the monotonic clock begins anew. */
static const char BOOT_PATH[] = "/proc/sys/kernel/random/boot_id";

enum { BOOT_BYTES = 64 };

/* ---- one file ---- */

/* "" where the kernel does not tell. */
static void read_boot(char boot[BOOT_BYTES])
{
    char text[KERNEL_FILE_BYTES];
    boot[0] = '\0';
    if (kernel_file_read(BOOT_PATH, text) == 0)
        snprintf(boot, BOOT_BYTES, "%.*s", (int)strcspn(text, "\n"), text);
}

static int name_file(const char *uri, const char *name, char file[STATE_DIR_NAME_BYTES])
{
    char key[KEY_BYTES];
    if (*name == '\0' || strlen(name) >= DOMAIN_NAME_BYTES ||
        snprintf(key, sizeof(key), "%s %s", uri, name) >= (int)sizeof(key))
        return -EINVAL;
    state_dir_name(key, RESERVATION_SUFFIX, file);
    return 0;
}

int reservation_put(const struct state_dir *dir, const char *uri,
                    const struct reservation *reservation)
{
    char file[STATE_DIR_NAME_BYTES];
    char boot[BOOT_BYTES];
    int result = name_file(uri, reservation->name, file);
    if (result != 0)
        return result;
    read_boot(boot);
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:I, s:I, s:I, s:I}", "uri", uri, "name", reservation->name, "boot", boot,
        "size_kib", (json_int_t)reservation->size_kib, "since_usec",
        (json_int_t)reservation->since_usec, "until_usec", (json_int_t)reservation->until_usec,
        "start_waits_usec", (json_int_t)reservation->start_waits_usec);
    char *line = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    if (line == NULL) /* a name that is no UTF-8, or no memory */
        return -EINVAL;
    result = atomic_file_write(dir->directory, file, RESERVATION_MODE, line, strlen(line));
    free(line);
    return result;
}

int reservation_remove(const struct state_dir *dir, const char *uri, const char *name)
{
    char file[STATE_DIR_NAME_BYTES];
    int result = name_file(uri, name, file);
    if (result != 0)
        return result;
    return unlinkat(dir->directory, file, 0) == 0 ? 0 : -errno;
}

static bool take_number(const json_t *object, const char *key, uint64_t most, uint64_t *ret)
{
    const json_t *value = json_object_get(object, key);
    json_int_t integer = json_integer_value(value);
    if (!json_is_integer(value) || integer < 0 || (uint64_t)integer > most)
        return false;
    *ret = (uint64_t)integer;
    return true;
}

static bool take_object(const json_t *object, const char *uri, struct reservation *ret_reservation)
{
    struct reservation reservation = {0};
    char now[BOOT_BYTES];
    const char *for_uri = json_string_value(json_object_get(object, "uri"));
    const char *name = json_string_value(json_object_get(object, "name"));
    const char *boot = json_string_value(json_object_get(object, "boot"));
    if (for_uri == NULL || strcmp(for_uri, uri) != 0 || name == NULL || boot == NULL ||
        strlen(name) >= sizeof(reservation.name))
        return false;
    strcpy(reservation.name, name);
    if (!take_number(object, "size_kib", SIZE_LIMIT_KIB, &reservation.size_kib) ||
        !take_number(object, "since_usec", TIME_LIMIT_USEC, &reservation.since_usec) ||
        !take_number(object, "until_usec", TIME_LIMIT_USEC, &reservation.until_usec) ||
        !take_number(object, "start_waits_usec", TIME_LIMIT_USEC, &reservation.start_waits_usec))
        return false;
    read_boot(now);
    if (strcmp(boot, now) != 0)
        reservation.until_usec = 0;
    reservation.left_kib = reservation.size_kib;
    *ret_reservation = reservation;
    return true;
}

/* The file's own name has to be the one that `release` would look for. Returns 0, or a negative
 * errno. */
static int read_file(const struct state_dir *dir, const char *uri, const char *file,
                     struct reservation *ret_reservation)
{
    char right[STATE_DIR_NAME_BYTES];
    char *bytes;
    size_t length;
    struct reservation reservation;
    int result = state_dir_read(dir, file, &bytes, &length);
    if (result != 0)
        return result;
    json_t *object =
        length <= FILE_MOST_BYTES ? json_loadb(bytes, length, JSON_REJECT_DUPLICATES, NULL) : NULL;
    free(bytes);
    bool is_ours = object != NULL && take_object(object, uri, &reservation) &&
                   name_file(uri, reservation.name, right) == 0 && strcmp(right, file) == 0;
    json_decref(object);
    if (!is_ours)
        return -EINVAL;
    *ret_reservation = reservation;
    return 0;
}

/* ---- all of them ---- */

static int compare_ages(const void *left, const void *right)
{
    const struct reservation *a = left;
    const struct reservation *b = right;
    if (a->since_usec != b->since_usec)
        return a->since_usec < b->since_usec ? -1 : 1;
    return strcmp(a->name, b->name);
}

int reservations_read(const struct state_dir *dir, const char *uri, struct reservations *ret_list)
{
    struct dirent *entry;
    int copy = openat(dir->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = copy >= 0 ? fdopendir(copy) : NULL;
    if (entries == NULL) {
        int result = -errno;
        if (copy >= 0)
            close(copy);
        return result;
    }
    int result = 0;
    ret_list->count = 0;
    while (!state_dir_is_shortage(result) && ret_list->count < RESERVATIONS_MOST &&
           (entry = readdir(entries)) != NULL) {
        if (!state_dir_has_suffix(entry->d_name, RESERVATION_SUFFIX))
            continue;
        result = read_file(dir, uri, entry->d_name, &ret_list->items[ret_list->count]);
        ret_list->count += result == 0;
    }
    closedir(entries);
    if (state_dir_is_shortage(result))
        return result;
    qsort(ret_list->items, ret_list->count, sizeof(*ret_list->items), compare_ages);
    return 0;
}

/* ---- heeding them ---- */

static void tell_new(const struct log *log, const struct reservations *last,
                     const struct reservation *reservation)
{
    char size[UNITS_SIZE_TEXT_BYTES];
    if (reservations_find_same(last, reservation) == NULL)
        log_say(log, LOG_LEVEL_INFO, "%s: %s are reserved for it", reservation->name,
                units_format_size(reservation->size_kib, size));
}

static void tell_ended(const struct log *log, const struct reservation *last, uint64_t now_usec)
{
    log_say(log, LOG_LEVEL_INFO, "%s: %s", last->name,
            last->left_kib == 0                  ? "has the memory that was reserved for it"
            : !reservation_holds(last, now_usec) ? "what was reserved for it has lapsed"
                                                 : "what was reserved for it is released");
}

int reservations_heed(const struct state_dir *dir, const char *uri, const struct reservations *last,
                      uint64_t now_usec, const struct log *log, struct reservations *ret_list)
{
    struct reservations list = {0};
    int result = reservations_read(dir, uri, &list);
    if (result != 0)
        return result;
    size_t kept = 0;
    for (size_t i = 0; i < list.count; i++) {
        const struct reservation *reservation = &list.items[i];
        const struct reservation *before = reservations_find_same(last, reservation);
        bool is_over =
            !reservation_holds(reservation, now_usec) || (before != NULL && before->left_kib == 0);
        if (is_over) {
            reservation_remove(dir, uri, reservation->name);
        } else {
            tell_new(log, last, reservation);
            list.items[kept++] = *reservation;
        }
    }
    list.count = kept;
    for (size_t i = 0; i < last->count; i++)
        if (reservations_find_same(&list, &last->items[i]) == NULL)
            tell_ended(log, &last->items[i], now_usec);
    *ret_list = list;
    return 0;
}
