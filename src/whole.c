/* whole.c - see whole.h. */
#include "whole.h"

#include <errno.h>
#include <unistd.h>

ssize_t whole_read(int descriptor, void *bytes, size_t room)
{
    char *at = bytes;
    size_t length = 0;
    while (length < room) {
        ssize_t got = read(descriptor, at + length, room - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        length += (size_t)got;
    }
    return (ssize_t)length;
}

int whole_write(int descriptor, const void *bytes, size_t length)
{
    const char *at = bytes;
    while (length > 0) {
        ssize_t written = write(descriptor, at, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? -errno : -EIO;
        at += written;
        length -= (size_t)written;
    }
    return 0;
}
