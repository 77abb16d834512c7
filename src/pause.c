/* pause.c - a pause of the coordinator, as a file in its state directory. */
#include "pause.h"

#include "atomic_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Root leaves it for a coordinator that is another user; the directory keeps others out. */
enum { PAUSE_MODE = 0644 };

int pause_begin(const struct state_dir *dir, const char *uri, uint64_t until_usec)
{
    char name[STATE_DIR_NAME_BYTES];
    char text[32];
    int length = snprintf(text, sizeof(text), "%" PRIu64 "\n", until_usec);
    state_dir_name(uri, PAUSE_SUFFIX, name);
    return atomic_file_write(dir->directory, name, PAUSE_MODE, text, (size_t)length);
}

int pause_end(const struct state_dir *dir, const char *uri)
{
    char name[STATE_DIR_NAME_BYTES];
    state_dir_name(uri, PAUSE_SUFFIX, name);
    return unlinkat(dir->directory, name, 0) == 0 ? 0 : -errno;
}

/* The end that TEXT has for a pause, if that is still to come; else 0. */
static uint64_t end_to_come(const char *text, size_t length, uint64_t now_usec)
{
    char number[32];
    uint64_t until_usec;
    snprintf(number, sizeof(number), "%.*s",
             (int)(length < sizeof(number) ? length : sizeof(number) - 1), text);
    return sscanf(number, "%" SCNu64, &until_usec) == 1 && now_usec < until_usec ? until_usec : 0;
}

int pause_heed(const struct state_dir *dir, const char *uri, uint64_t now_usec,
               uint64_t *until_usec)
{
    char name[STATE_DIR_NAME_BYTES];
    char *bytes;
    size_t length;
    state_dir_name(uri, PAUSE_SUFFIX, name);
    int result = dir->directory < 0 ? -ENOENT : state_dir_read(dir, name, &bytes, &length);
    if (state_dir_is_shortage(result))
        return result;
    *until_usec = 0;
    if (result == 0) {
        *until_usec = end_to_come(bytes, length, now_usec);
        free(bytes);
    }
    return 0;
}
