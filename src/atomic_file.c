/* atomic_file.c - files that are whole. */
#include "atomic_file.h"

#include "whole.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int name_temporary(const char *name, char temporary[ATOMIC_FILE_NAME_BYTES])
{
    if (*name == '\0' || strchr(name, '/') != NULL || strcmp(name, ".") == 0 ||
        strcmp(name, "..") == 0)
        return -EINVAL;
    int length = snprintf(temporary, ATOMIC_FILE_NAME_BYTES, ".%s.new", name);
    return length > NAME_MAX ? -ENAMETOOLONG : 0;
}

/* What an earlier run has left there, or somebody has put there, is not written through. */
static int make_anew(int directory, const char *name, mode_t mode)
{
    static const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int descriptor = openat(directory, name, flags, mode);
    if (descriptor >= 0 || errno != EEXIST)
        return descriptor;
    unlinkat(directory, name, 0);
    return openat(directory, name, flags, mode);
}

int atomic_file_begin(int directory, const char *name, mode_t mode, struct atomic_file *ret_file)
{
    _Static_assert(ATOMIC_FILE_NAME_BYTES > NAME_MAX, "any name fits");
    struct atomic_file file = {.directory = directory};
    int result = name_temporary(name, file.temporary);
    if (result != 0)
        return result;
    file.descriptor = make_anew(directory, file.temporary, mode);
    if (file.descriptor < 0)
        return -errno;
    if (fchmod(file.descriptor, mode) != 0) {
        result = -errno;
        atomic_file_end(&file, name, result);
        return result;
    }
    *ret_file = file;
    return 0;
}

int atomic_file_add(void *file, const void *bytes, size_t length)
{
    const struct atomic_file *begun = file;
    return whole_write(begun->descriptor, bytes, length);
}

int atomic_file_end(struct atomic_file *file, const char *name, int result)
{
    if (close(file->descriptor) != 0 && result == 0) /* where a quota or a network tells it late */
        result = -errno;
    if (result == 0 && renameat(file->directory, file->temporary, file->directory, name) != 0)
        result = -errno;
    if (result != 0)
        unlinkat(file->directory, file->temporary, 0);
    return result;
}

int atomic_file_write(int directory, const char *name, mode_t mode, const void *bytes,
                      size_t length)
{
    struct atomic_file file = {.descriptor = -1};
    int result = atomic_file_begin(directory, name, mode, &file);
    if (result != 0)
        return result;
    return atomic_file_end(&file, name, atomic_file_add(&file, bytes, length));
}

/* Opens the directory that PATH is in, and finds its last component. */
static int open_parent(const char *path, const char **ret_name, int *ret_directory)
{
    char parent[PATH_MAX] = ".";
    const char *slash = strrchr(path, '/');
    size_t length = slash != NULL ? (size_t)(slash - path) + 1 : 0;
    if (length >= sizeof(parent))
        return -ENAMETOOLONG;
    if (length > 0) {
        memcpy(parent, path, length);
        parent[length] = '\0';
    }
    int directory = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return -errno;
    *ret_name = &path[length];
    *ret_directory = directory;
    return 0;
}

int atomic_file_write_path(const char *path, mode_t mode, const void *bytes, size_t length)
{
    const char *name = path;
    int directory = -1;
    int result = open_parent(path, &name, &directory);
    if (result != 0)
        return result;
    result = atomic_file_write(directory, name, mode, bytes, length);
    close(directory);
    return result;
}
