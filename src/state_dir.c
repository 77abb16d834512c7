/* state_dir.c - the state directory. Trusts nobody but root and the user it runs as. */
#include "state_dir.h"

#include "whole.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECTORY_NAME "memory_coordinator"
#define LOCK_SUFFIX    ".lock"

enum {
    DIRECTORY_MODE = 0750,
    FILE_MODE = 0640,
    /* Of a URI so much is readable in a name; longer ones are told apart by a hash. */
    READABLE_BYTES = 160,
    /* A lock file that is removed by hand meanwhile is not worth more tries. */
    LOCK_TRIES = 8,
    /* A state of a hundred thousand domains is a third of it. */
    READ_MOST_BYTES = 1 << 30,
};

static int fail(char *error, int result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int fail(char *error, int result, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error, STATE_DIR_ERROR_BYTES, format, arguments);
    va_end(arguments);
    return result;
}

/* The negative errno of a system call. -EPERM is kept for what is not safe. */
static int failure(int number)
{
    return number == EPERM ? -EACCES : -number;
}

/* ---- the directory ---- */

/* Writes what PATH NULL means. */
static int find_default(char path[PATH_MAX], char *error)
{
    const char *from_systemd = getenv("RUNTIME_DIRECTORY");
    const char *of_user = getenv("XDG_RUNTIME_DIR");
    int length;
    if (from_systemd != NULL && *from_systemd == '/') /* several are parted by colons */
        length = snprintf(path, PATH_MAX, "%.*s", (int)strcspn(from_systemd, ":"), from_systemd);
    else if (geteuid() == 0)
        length = snprintf(path, PATH_MAX, "/run/" DIRECTORY_NAME);
    else if (of_user != NULL && *of_user == '/')
        length = snprintf(path, PATH_MAX, "%s/" DIRECTORY_NAME, of_user);
    else
        return fail(error, -ENOENT, "no state directory: XDG_RUNTIME_DIR is not set");
    if (length >= PATH_MAX)
        return fail(error, -ENAMETOOLONG, "no state directory: its path is too long");
    return 0;
}

int state_dir_default(char path[STATE_DIR_PATH_BYTES], char error[STATE_DIR_ERROR_BYTES])
{
    _Static_assert(STATE_DIR_PATH_BYTES >= PATH_MAX, "any path fits");
    return find_default(path, error);
}

static int try_open(const char *path)
{
    return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* "x/" is a symbolic link's target, not the link; "x" is the link. */
static int trim_slashes(const char *path, char trimmed[PATH_MAX], char *error)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    if (length >= PATH_MAX)
        return fail(error, -ENAMETOOLONG, "state directory '%.64s...': its path is too long", path);
    memcpy(trimmed, path, length);
    trimmed[length] = '\0';
    return 0;
}

static int open_directory(const char *path, int *ret_directory, char *error)
{
    int directory = try_open(path);
    if (directory < 0 && errno == ENOENT) {
        if (mkdir(path, DIRECTORY_MODE) != 0 && errno != EEXIST)
            return fail(error, failure(errno), "cannot make state directory '%s': %s", path,
                        strerror(errno));
        directory = try_open(path);
    }
    if (directory < 0 && (errno == ENOTDIR || errno == ELOOP))
        return fail(error, -EPERM,
                    "state directory '%s' is refused: not a directory, or a symbolic link", path);
    if (directory < 0)
        return fail(error, failure(errno), "cannot open state directory '%s': %s", path,
                    strerror(errno));
    *ret_directory = directory;
    return 0;
}

static const char *name_user(uid_t uid, char text[64])
{
    const struct passwd *user = getpwuid(uid);
    if (user != NULL)
        snprintf(text, 64, "%s", user->pw_name);
    else
        snprintf(text, 64, "uid %ju", (uintmax_t)uid);
    return text;
}

/* Who else can change what is in it could have us write, or read, what he likes. */
static int vet_directory(int directory, const char *path, char *error)
{
    char owner[64];
    struct stat status;
    if (fstat(directory, &status) != 0)
        return fail(error, failure(errno), "state directory '%s': %s", path, strerror(errno));
    if (status.st_uid != 0 && status.st_uid != geteuid())
        return fail(error, -EPERM, "state directory '%s' is refused: it belongs to %s", path,
                    name_user(status.st_uid, owner));
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return fail(error, -EPERM,
                    "state directory '%s' is refused: others may write to it (mode %04o)", path,
                    (unsigned int)status.st_mode & 07777);
    return 0;
}

/* ---- the lock ---- */

/* FNV-1a. */
static uint64_t hash(const char *text)
{
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    for (; *text != '\0'; text++)
        sum = (sum ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return sum;
}

static bool is_plain(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || strchr("-._~+", byte) != NULL;
}

void state_dir_name(const char *uri, const char *suffix, char name[STATE_DIR_NAME_BYTES])
{
    _Static_assert(STATE_DIR_NAME_BYTES > NAME_MAX, "any name fits");
    size_t length = 0;
    const char *at = uri;
    for (; *at != '\0' && length < READABLE_BYTES; at++) {
        if (is_plain(*at))
            name[length++] = *at;
        else
            length += (size_t)snprintf(&name[length], 4, "%%%02X", (unsigned char)*at);
    }
    if (*at != '\0')
        length += (size_t)snprintf(&name[length], 18, "-%016jx", (uintmax_t)hash(uri));
    snprintf(&name[length], STATE_DIR_NAME_BYTES - length, "%s", suffix);
}

bool state_dir_has_suffix(const char *name, const char *suffix)
{
    size_t length = strlen(name);
    size_t ending = strlen(suffix);
    return *name != '.' && length > ending && strcmp(name + length - ending, suffix) == 0;
}

static struct flock whole_file(void)
{
    return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
}

/* Who has the lock of DESCRIPTOR: its pid, 0 if that is not seen from here, -1: nobody. */
static pid_t find_holder(int descriptor)
{
    struct flock lock = whole_file();
    if (fcntl(descriptor, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK)
        return -1;
    return lock.l_pid > 0 ? lock.l_pid : 0;
}

static int refuse_second(pid_t holder, const char *uri, char *error)
{
    if (holder == 0)
        return fail(error, -EBUSY, "already running for '%.300s'", uri);
    return fail(error, -EBUSY, "already running for '%.300s' with pid %jd", uri, (intmax_t)holder);
}

/* Root started beside the service finds the directory of the service's user. That is refused, but
 * what he is to be told is that it runs. */
static int look_for_holder(int directory, const char *name, const char *uri, char *error)
{
    struct state_dir dir = {.directory = directory, .lock = -1};
    pid_t holder = (pid_t)state_dir_holder(&dir, name, NULL);
    return holder < 0 ? 0 : refuse_second(holder, uri, error);
}

/* Returns its descriptor, or a negative errno. */
static int open_lock(int directory, const char *path, const char *name, char *error)
{
    struct stat status;
    int lock =
        openat(directory, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, FILE_MODE);
    if (lock < 0 && errno != ELOOP && errno != EISDIR && errno != ENXIO)
        return fail(error, failure(errno), "cannot open '%s' in state directory '%s': %s", name,
                    path, strerror(errno));
    if (lock >= 0 && fstat(lock, &status) == 0 && S_ISREG(status.st_mode))
        return lock;
    if (lock >= 0)
        close(lock);
    return fail(error, -EPERM, "state directory '%s' is refused: '%s' in it is no plain file", path,
                name);
}

/* Whether NAME is still the file behind DESCRIPTOR. */
static bool is_in_place(int directory, const char *name, int descriptor)
{
    struct stat here;
    struct stat there;
    return fstat(descriptor, &here) == 0 &&
           fstatat(directory, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

/* For people; a full disk is no reason not to run. */
static void sign_lock(int lock, const char *uri)
{
    if (ftruncate(lock, 0) == 0)
        dprintf(lock, "%jd %s\n", (intmax_t)getpid(), uri);
}

static int take_lock(int directory, const char *path, const char *name, const char *uri,
                     int *ret_lock, char *error)
{
    for (int i = 0; i < LOCK_TRIES; i++) {
        struct flock wanted = whole_file();
        int lock = open_lock(directory, path, name, error);
        if (lock < 0)
            return lock;
        if (fcntl(lock, F_SETLK, &wanted) == 0 && is_in_place(directory, name, lock)) {
            sign_lock(lock, uri);
            *ret_lock = lock;
            return 0;
        }
        pid_t holder = find_holder(lock);
        close(lock);
        if (holder >= 0)
            return refuse_second(holder, uri, error);
    }
    return fail(error, -EAGAIN, "cannot lock '%s' in state directory '%s'", name, path);
}

/* ---- the public face ---- */

static int claim_opened(int directory, const char *path, const char *uri, int *ret_lock,
                        char *error)
{
    char name[STATE_DIR_NAME_BYTES];
    state_dir_name(uri, LOCK_SUFFIX, name);
    int result = look_for_holder(directory, name, uri, error);
    if (result == 0)
        result = vet_directory(directory, path, error);
    if (result == 0)
        result = take_lock(directory, path, name, uri, ret_lock, error);
    return result;
}

int state_dir_claim(const char *path, const char *uri, struct state_dir *ret_dir,
                    char error[STATE_DIR_ERROR_BYTES])
{
    char found[PATH_MAX];
    char trimmed[PATH_MAX];
    struct state_dir dir = STATE_DIR_NONE;
    int result = path != NULL ? 0 : find_default(found, error);
    if (result == 0)
        result = trim_slashes(path != NULL ? path : found, trimmed, error);
    if (result == 0)
        result = open_directory(trimmed, &dir.directory, error);
    if (result == 0)
        result = claim_opened(dir.directory, trimmed, uri, &dir.lock, error);
    if (result == 0)
        *ret_dir = dir;
    else
        state_dir_release(&dir);
    return result;
}

int state_dir_write(const struct state_dir *dir, const char *name, const void *bytes, size_t length)
{
    return atomic_file_write(dir->directory, name, FILE_MODE, bytes, length);
}

int state_dir_begin(const struct state_dir *dir, const char *name, struct atomic_file *ret_file)
{
    return atomic_file_begin(dir->directory, name, FILE_MODE, ret_file);
}

int state_dir_open(const char *path, struct state_dir *ret_dir)
{
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return -errno;
    *ret_dir = (struct state_dir){.directory = directory, .lock = -1};
    return 0;
}

static int read_opened(int descriptor, char **ret_bytes, size_t *ret_length)
{
    struct stat status;
    if (fstat(descriptor, &status) != 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return -EINVAL;
    if (status.st_size > READ_MOST_BYTES)
        return -EFBIG;
    char *bytes = malloc((size_t)status.st_size + 1);
    if (bytes == NULL)
        return -ENOMEM;
    ssize_t length = whole_read(descriptor, bytes, (size_t)status.st_size);
    if (length < 0) {
        free(bytes);
        return (int)length;
    }
    *ret_bytes = bytes;
    *ret_length = (size_t)length; /* one that is shorter by now is what there is of it */
    return 0;
}

int state_dir_read(const struct state_dir *dir, const char *name, char **ret_bytes,
                   size_t *ret_length)
{
    int descriptor = openat(dir->directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0)
        return errno == ELOOP ? -EINVAL : -errno;
    int result = read_opened(descriptor, ret_bytes, ret_length);
    close(descriptor);
    return result;
}

bool state_dir_is_shortage(int result)
{
    return result == -EMFILE || result == -ENFILE || result == -ENOMEM;
}

intmax_t state_dir_holder(const struct state_dir *dir, const char *name, int64_t *ret_alive_sec)
{
    struct stat status;
    int descriptor = openat(dir->directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (ret_alive_sec != NULL)
        *ret_alive_sec = 0;
    if (descriptor < 0)
        return -1;
    pid_t holder = find_holder(descriptor);
    if (ret_alive_sec != NULL && fstat(descriptor, &status) == 0)
        *ret_alive_sec = status.st_mtim.tv_sec;
    close(descriptor);
    return holder;
}

void state_dir_beat(const struct state_dir *dir)
{
    if (dir->lock >= 0)
        futimens(dir->lock, NULL);
}

void state_dir_release(struct state_dir *dir)
{
    if (dir->lock >= 0)
        close(dir->lock);
    if (dir->directory >= 0)
        close(dir->directory);
    *dir = STATE_DIR_NONE;
}
