/*
 * atomic_file.h - files that are whole: readers see the old contents or the new, never a part.
 *
 * The new contents are written beside the file, as ".NAME.new", and take its place. Nothing is
 * synced to a disk: after a crash of the machine nobody misses them.
 */
#ifndef MC_ATOMIC_FILE_H
#define MC_ATOMIC_FILE_H

#include <stddef.h>
#include <sys/types.h>

enum { ATOMIC_FILE_NAME_BYTES = 256 };

/* One that is being written. */
struct atomic_file {
    int directory; /* the caller's */
    int descriptor;
    char temporary[ATOMIC_FILE_NAME_BYTES]; /* its name so far */
};

/*
 * Begins the file NAME of DIRECTORY, a descriptor, which must stay open. The file has MODE,
 * whatever the umask. Returns 0, to be given to atomic_file_end(), or a negative errno; -EINVAL for
 * a NAME that is not a plain one, -EBADF where there is no directory.
 */
int atomic_file_begin(int directory, const char *name, mode_t mode, struct atomic_file *ret_file);

/* Adds LENGTH bytes to FILE, a struct atomic_file. Returns 0 or a negative errno. */
int atomic_file_add(void *file, const void *bytes, size_t length);

/*
 * Puts it in its place as NAME, if RESULT is 0. What is there is replaced; a symbolic link is not
 * followed. Returns 0, RESULT, or a negative errno: then the old file is as it was, and nothing is
 * left beside it.
 */
int atomic_file_end(struct atomic_file *file, const char *name, int result);

/* All of that at once, for LENGTH bytes. Returns likewise. */
int atomic_file_write(int directory, const char *name, mode_t mode, const void *bytes,
                      size_t length);

/* The same for PATH, whose directory is looked up anew: it may have been made again meanwhile. */
int atomic_file_write_path(const char *path, mode_t mode, const void *bytes, size_t length);

#endif
