/* state.c - the state of a coordinator, read from its directory. Nothing in it is trusted. */
#include "state.h"

#include "arithmetic.h"
#include "clock.h"
#include "state_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_SUFFIX ".lock"

enum { NEWER_TRIES = 20, NEWER_PAUSE_NSEC = 10000000 };

/* Where the service's coordinator has its state: for those who are not root. */
#define SERVICE_DIRECTORY "/run/memory_coordinator"

/* ---- one file ---- */

static bool is_state_name(const char *name)
{
    size_t length = strlen(name);
    return length < STATE_DIR_NAME_BYTES && state_dir_has_suffix(name, STATE_SUFFIX);
}

/* Returns as state_dir_holder(). */
static intmax_t find_holder(const struct state_dir *dir, const char *state_name,
                            int64_t *ret_alive_sec)
{
    char lock_name[STATE_DIR_NAME_BYTES + sizeof(LOCK_SUFFIX)];
    int stem = (int)(strlen(state_name) - strlen(STATE_SUFFIX));
    snprintf(lock_name, sizeof(lock_name), "%.*s" LOCK_SUFFIX, stem, state_name);
    return state_dir_holder(dir, lock_name, ret_alive_sec);
}

static int parse_state(struct state *state, char *error)
{
    while (state->length > 0 && state->line[state->length - 1] == '\n')
        state->length--;
    return record_parse(state->line, state->length, &state->record, error);
}

static int read_once(const struct state_dir *dir, const char *path, const char *name,
                     struct state *ret_state, char *error)
{
    char reason[RECORD_ERROR_BYTES];
    struct state state = {0};
    int64_t alive_sec;
    intmax_t holder = find_holder(dir, name, &alive_sec);
    state.is_running = holder >= 0;
    snprintf(state.directory, sizeof(state.directory), "%s", path);
    int result = state_dir_read(dir, name, &state.line, &state.length);
    if (result != 0) {
        snprintf(error, STATE_ERROR_BYTES, "cannot read '%s/%s': %s", path, name,
                 strerror(-result));
        return result;
    }
    result = parse_state(&state, reason);
    if (result != 0) {
        snprintf(error, STATE_ERROR_BYTES, "'%s/%s' is no state: %s", path, name,
                 result == -ENOMEM ? "out of memory" : reason);
        state_release(&state);
        return result;
    }
    /* One that has just begun, and has not written yet, says nothing of who has written this. */
    int64_t written_sec = state.record.origin.written_sec;
    bool is_other = holder > 0 && holder != state.record.origin.pid;
    state.alive_sec = alive_sec > written_sec && !is_other ? alive_sec : written_sec;
    *ret_state = state;
    return 0;
}

/* Older than a cycle: there may be a newer one. */
static bool is_behind(const struct state *state)
{
    const struct coordinator_view *view = &state->record.view;
    uint64_t now_usec = clock_monotonic_usec();
    return state->is_running && view->is_connected &&
           now_usec > add_saturated(view->snapshot->now_usec, view->policy.interval_usec);
}

static bool is_same_file(const struct stat *left, const struct stat *right)
{
    return left->st_ino == right->st_ino && left->st_mtim.tv_sec == right->st_mtim.tv_sec &&
           left->st_mtim.tv_nsec == right->st_mtim.tv_nsec;
}

/* One that runs, and has a newer one, writes that as soon as its state is read. BEFORE is the file
 * as it was before that. */
static void await_newer(const struct state_dir *dir, const char *name, const struct stat *before)
{
    struct stat now = *before;
    fstatat(dir->directory, name, &now, AT_SYMLINK_NOFOLLOW);
    for (int i = 0; i < NEWER_TRIES && is_same_file(before, &now); i++) {
        nanosleep(&(struct timespec){.tv_nsec = NEWER_PAUSE_NSEC}, NULL);
        fstatat(dir->directory, name, &now, AT_SYMLINK_NOFOLLOW);
    }
}

static int read_state(const struct state_dir *dir, const char *path, const char *name,
                      struct state *ret_state, char *error)
{
    struct stat before = {0};
    struct state newer;
    fstatat(dir->directory, name, &before, AT_SYMLINK_NOFOLLOW);
    int result = read_once(dir, path, name, ret_state, error);
    if (result != 0 || !is_behind(ret_state))
        return result;
    await_newer(dir, name, &before);
    if (read_once(dir, path, name, &newer, error) != 0)
        return 0;
    state_release(ret_state);
    *ret_state = newer;
    return 0;
}

/* ---- which file ---- */

/* The states of a directory. Of several that count equally the name is that of the last. */
struct choice {
    size_t count;
    size_t running;
    char name[STATE_DIR_NAME_BYTES];
    char uris[STATE_ERROR_BYTES / 2]; /* of those that count, for people */
};

/* Adds the URI that NAME stands for; see state_dir_name(). */
static void add_uri(struct choice *choice, const char *name)
{
    size_t room = sizeof(choice->uris) - 1;
    size_t length = strlen(choice->uris);
    const char *end = name + strlen(name) - strlen(STATE_SUFFIX);
    if (room - length < sizeof(", "))
        return; /* there are more */
    length += (size_t)snprintf(choice->uris + length, room - length, length > 0 ? ", " : "");
    for (; name < end && length < room; name++) {
        unsigned char byte;
        if (sscanf(name, "%%%2hhx", &byte) == 1) {
            choice->uris[length++] = (char)byte;
            name += 2;
        } else {
            choice->uris[length++] = *name;
        }
    }
    choice->uris[length] = '\0';
}

/* One that runs makes those that do not forgotten. */
static void consider(const struct state_dir *dir, const char *name, struct choice *choice)
{
    bool runs = find_holder(dir, name, NULL) >= 0;
    if (!runs && choice->running > 0)
        return;
    if (runs && choice->running == 0)
        *choice = (struct choice){0};
    choice->count++;
    choice->running += runs;
    strcpy(choice->name, name);
    add_uri(choice, name);
}

static int look_through(const struct state_dir *dir, struct choice *choice)
{
    int copy = openat(dir->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = copy >= 0 ? fdopendir(copy) : NULL;
    struct dirent *entry;
    if (entries == NULL) {
        int result = -errno;
        if (copy >= 0)
            close(copy);
        return result;
    }
    while ((entry = readdir(entries)) != NULL)
        if (is_state_name(entry->d_name))
            consider(dir, entry->d_name, choice);
    closedir(entries);
    return 0;
}

static int choose(const struct state_dir *dir, const char *path, char name[STATE_DIR_NAME_BYTES],
                  char *error)
{
    struct choice choice = {0};
    int result = look_through(dir, &choice);
    if (result != 0) {
        snprintf(error, STATE_ERROR_BYTES, "cannot read state directory '%s': %s", path,
                 strerror(-result));
        return result;
    }
    if (choice.count == 0)
        return -ENOENT;
    if (choice.count > 1) {
        snprintf(error, STATE_ERROR_BYTES, "there are %zu here, --connect says which: %s",
                 choice.count, choice.uris);
        return -ENOTUNIQ;
    }
    strcpy(name, choice.name);
    return 0;
}

/* ---- where ---- */

static int read_opened(const struct state_dir *dir, const char *path, const char *uri,
                       struct state *ret_state, char *error)
{
    char name[STATE_DIR_NAME_BYTES];
    if (uri != NULL)
        state_dir_name(uri, STATE_SUFFIX, name);
    int result = uri != NULL ? 0 : choose(dir, path, name, error);
    return result == 0 ? read_state(dir, path, name, ret_state, error) : result;
}

static int read_in(const char *path, const char *uri, struct state *ret_state, char *error)
{
    struct state_dir dir = STATE_DIR_NONE;
    int result = state_dir_open(path, &dir);
    if (result == 0)
        result = read_opened(&dir, path, uri, ret_state, error);
    else
        snprintf(error, STATE_ERROR_BYTES, "cannot open state directory '%s': %s", path,
                 strerror(-result));
    state_dir_release(&dir);
    return result;
}

static int say_nobody(const char *uri, const char *first, const char *second, char *error)
{
    snprintf(error, STATE_ERROR_BYTES, "no coordinator runs%s%.300s%s: no state in '%.300s'%s%s%s",
             uri != NULL ? " for '" : "", uri != NULL ? uri : "", uri != NULL ? "'" : "", first,
             second != NULL ? " nor in '" : "", second != NULL ? second : "",
             second != NULL ? "'" : "");
    return -ENOENT;
}

int state_read(const char *directory, const char *uri, struct state *ret_state,
               char error[STATE_ERROR_BYTES])
{
    char own[STATE_DIR_PATH_BYTES];
    char reason[STATE_DIR_ERROR_BYTES];
    const char *first = directory;
    const char *second = NULL;
    if (first == NULL)
        first = state_dir_default(own, reason) == 0 ? own : SERVICE_DIRECTORY;
    if (directory == NULL && strcmp(first, SERVICE_DIRECTORY) != 0)
        second = SERVICE_DIRECTORY;
    int result = read_in(first, uri, ret_state, error);
    if (result == -ENOENT && second != NULL)
        result = read_in(second, uri, ret_state, error);
    return result == -ENOENT ? say_nobody(uri, first, second, error) : result;
}

struct status_source state_source(const struct state *state)
{
    return (struct status_source){
        .pid = state->record.origin.pid,
        .is_running = state->is_running,
        .written_sec = state->record.origin.written_sec,
        .alive_sec = state->alive_sec,
        .now_sec = time(NULL),
    };
}

void state_release(struct state *state)
{
    record_release(&state->record);
    free(state->line);
    *state = (struct state){0};
}
