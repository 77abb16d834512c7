/* notice.c - files that come and go in the state directory, or are read, by inotify. */
#include "notice.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

/* Where PATH is a way to NAME in the directory, or to the directory itself: by its descriptor, as
 * what has taken its place is not watched. */
static void find(const struct state_dir *dir, const char *name, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "/proc/self/fd/%d/%s", dir->directory, name);
}

int notice_open(const struct state_dir *dir)
{
    char path[PATH_MAX];
    if (dir->directory < 0)
        return -1;
    int descriptor = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (descriptor < 0)
        return -1;
    find(dir, "", path);
    if (inotify_add_watch(descriptor, path,
                          IN_MOVED_TO | IN_MOVED_FROM | IN_CLOSE_WRITE | IN_DELETE | IN_ONLYDIR) >=
        0)
        return descriptor;
    close(descriptor);
    return -1;
}

/* One reader is as good as many, and each would wake us. */
int notice_await_reader(int descriptor, const struct state_dir *dir, const char *name)
{
    char path[PATH_MAX];
    if (descriptor < 0)
        return -EBADF;
    find(dir, name, path);
    return inotify_add_watch(descriptor, path, IN_ACCESS | IN_ONESHOT | IN_DONT_FOLLOW) >= 0
               ? 0
               : -errno;
}

static bool ends_in_one_of(const char *name, const char *const suffixes[])
{
    for (; *suffixes != NULL; suffixes++)
        if (state_dir_has_suffix(name, *suffixes))
            return true;
    return false;
}

/* Of more than it can keep the kernel says only that. */
static void take(const struct inotify_event *event, const char *const suffixes[], const char *name,
                 struct notice *notice)
{
    const char *of = event->len > 0 ? event->name : "";
    bool is_all = (event->mask & IN_Q_OVERFLOW) != 0;
    bool is_gone = (event->mask & (IN_DELETE | IN_MOVED_FROM)) != 0 && strcmp(of, name) == 0;
    notice->has_word = notice->has_word || is_all || ends_in_one_of(of, suffixes);
    notice->is_read = notice->is_read || is_all || is_gone || (event->mask & IN_ACCESS) != 0;
}

struct notice notice_take(int descriptor, const char *const suffixes[], const char *name)
{
    _Alignas(struct inotify_event) char bytes[16 * (sizeof(struct inotify_event) + NAME_MAX + 1)];
    struct notice notice = {0};
    ssize_t length;
    while (descriptor >= 0 && (length = read(descriptor, bytes, sizeof(bytes))) > 0) {
        const char *end = bytes + length;
        for (const char *at = bytes; at < end;) {
            const struct inotify_event *event = (const void *)at;
            at += sizeof(*event) + event->len;
            take(event, suffixes, name, &notice);
        }
    }
    return notice;
}
