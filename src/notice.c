/* notice.c - files that come and go in the state directory, or are read, by inotify. */
#include "notice.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
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
    const uint32_t kinds =
        IN_MOVED_TO | IN_MOVED_FROM | IN_CLOSE_WRITE | IN_DELETE | IN_ACCESS | IN_ONLYDIR;
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

/* Of more than it can keep the kernel says only that. */
static void take(const struct inotify_event *event, const char *const suffixes[], const char *name,
                 struct notice *notice)
{
    const char *of = event->len > 0 ? event->name : "";
    bool is_overflow = (event->mask & IN_Q_OVERFLOW) != 0;
    if (is_overflow || (event->mask & IN_ACCESS) != 0)
        notice->is_read = notice->is_read || is_overflow || strcmp(of, name) == 0;
    if (is_overflow || (event->mask & IN_ACCESS) == 0)
        notice->has_word = notice->has_word || is_overflow || ends_in_one_of(of, suffixes);
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
