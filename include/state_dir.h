/*
 * state_dir.h - the state directory: one coordinator for each connection, and files that are whole.
 *
 * The directory is held by its descriptor, and all work in it goes by that: what takes its place
 * later is never used. It is for tmpfs (/run), so nothing is synced to a disk.
 */
#ifndef MC_STATE_DIR_H
#define MC_STATE_DIR_H

#include "atomic_file.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STATE_DIR_ERROR_BYTES = 512, STATE_DIR_NAME_BYTES = 256, STATE_DIR_PATH_BYTES = 4096 };

/* A claimed state directory. Plain data, to be given back by state_dir_release(). */
struct state_dir {
    int directory; /* its descriptor; -1: there is none */
    int lock;      /* the descriptor of the lock file, which no one else may open: see below */
};

/* One that is not there: nothing is kept, nobody kept away. */
#define STATE_DIR_NONE ((struct state_dir){-1, -1})

/*
 * Opens the state directory PATH, making its last component (mode 0750) where it is missing, and
 * takes the lock of the connection URI in it. PATH NULL means the first of $RUNTIME_DIRECTORY,
 * which systemd sets; /run/memory_coordinator for root; memory_coordinator in $XDG_RUNTIME_DIR.
 *
 * The lock is a POSIX one: it ends with the process, is not inherited by fork(), and is lost as
 * soon as the process closes ANY descriptor of the lock file. The file stays: to remove it would
 * let two take the lock, each of a file of its own. Its text, pid and URI, is for people only.
 *
 * Returns 0; -EBUSY where another process has the lock; -EPERM where the directory, or what is in
 * the lock file's place, is not safe to use: not a directory, a symbolic link, somebody else's, or
 * open to others; another negative errno where there is no directory to be had. Then ERROR has one
 * line that names the directory, and *RET_DIR is as it was.
 */
int state_dir_claim(const char *path, const char *uri, struct state_dir *ret_dir,
                    char error[STATE_DIR_ERROR_BYTES]);

/* The name of the file with SUFFIX (".lock", ".json") that belongs to the connection URI: what is
 * not plain in it is % and two digits, as in a URI inside a URI; of a long one the end is a hash.
 */
void state_dir_name(const char *uri, const char *suffix, char name[STATE_DIR_NAME_BYTES]);

/* Whether NAME is one of those that end in SUFFIX, and not hidden, as what is half written is. */
bool state_dir_has_suffix(const char *name, const char *suffix);

/* Puts LENGTH bytes into the file NAME (mode 0640), as atomic_file_write() does. Returns likewise.
 */
int state_dir_write(const struct state_dir *dir, const char *name, const void *bytes,
                    size_t length);

/* Begins the file NAME; see atomic_file.h for the rest of its way. */
int state_dir_begin(const struct state_dir *dir, const char *name, struct atomic_file *ret_file);

/* The last part of a state file's name. */
#define STATE_SUFFIX ".json"

/*
 * Opens the state directory PATH without claiming it, whoever it belongs to: to read in it, or to
 * leave word for its coordinator. Nothing is made. Returns 0, to be given back by
 * state_dir_release(), or a negative errno.
 */
int state_dir_open(const char *path, struct state_dir *ret_dir);

/* Writes what PATH NULL means for state_dir_claim(). Returns 0, or a negative errno with the reason
 * in ERROR. */
int state_dir_default(char path[STATE_DIR_PATH_BYTES], char error[STATE_DIR_ERROR_BYTES]);

/*
 * Reads the file NAME whole. Returns 0 and its bytes, to be freed by the caller; -ENOENT where it
 * is not there, -EINVAL where it is no plain file, -EFBIG beyond a GiB, or another negative errno.
 */
int state_dir_read(const struct state_dir *dir, const char *name, char **ret_bytes,
                   size_t *ret_length);

/* Whether RESULT, of state_dir_read() or the like, is for want of memory or descriptors: it says
 * nothing of the file. */
bool state_dir_is_shortage(int result);

/* The pid of the process that has the lock file NAME, 0 where it is not seen from here, -1 where
 * nobody has it. *RET_ALIVE_SEC, where that is not NULL, is when it last said that it lives (wall
 * clock), 0 where that is not known. */
intmax_t state_dir_holder(const struct state_dir *dir, const char *name, int64_t *ret_alive_sec);

/* Says that the holder of the claimed DIR's lock lives: the time of the lock file tells. Where
 * there is no lock nobody asks. */
void state_dir_beat(const struct state_dir *dir);

/* Gives lock and directory back. STATE_DIR_NONE is no harm. */
void state_dir_release(struct state_dir *dir);

#endif
