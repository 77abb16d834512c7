/* notice.c - files that come and go in the state directory, by inotify. */
#include "notice.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

/* By its descriptor: what has taken the directory's place is not watched. */
int notice_open(const struct state_dir *dir)
{
    char path[64];
    if (dir->directory < 0)
        return -1;
    int descriptor = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (descriptor < 0)
        return -1;
    const uint32_t kinds = IN_MOVED_TO | IN_MOVED_FROM | IN_CLOSE_WRITE | IN_DELETE | IN_ONLYDIR;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", dir->directory);
    if (inotify_add_watch(descriptor, path, kinds) >= 0)
        return descriptor;
    close(descriptor);
    return -1;
}

static bool ends_in_one_of(const char *name, const char *const suffixes[])
{
    for (; *suffixes != NULL; suffixes++)
        if (state_dir_has_suffix(name, *suffixes))
            return true;
    return false;
}

bool notice_take(int descriptor, const char *const suffixes[])
{
    _Alignas(struct inotify_event) char bytes[16 * (sizeof(struct inotify_event) + NAME_MAX + 1)];
    bool found = false;
    ssize_t length;
    while (descriptor >= 0 && (length = read(descriptor, bytes, sizeof(bytes))) > 0) {
        const char *end = bytes + length;
        for (const char *at = bytes; at < end;) {
            const struct inotify_event *event = (const void *)at;
            at += sizeof(*event) + event->len;
            /* Of more than it can keep the kernel says only that. */
            found = found || (event->mask & IN_Q_OVERFLOW) != 0 ||
                    (event->len > 0 && ends_in_one_of(event->name, suffixes));
        }
    }
    return found;
}
