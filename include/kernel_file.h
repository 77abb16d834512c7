/* kernel_file.h - small files of figures, as the kernel shows them in /proc and /sys. Bounded: no
 * file has it wait, and of none more is read than fits. */
#ifndef MC_KERNEL_FILE_H
#define MC_KERNEL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest that is read of: arcstats has some 8 KiB. */
enum { KERNEL_FILE_BYTES = 32768, KERNEL_FILE_PATH_BYTES = 512 };

/* Joins ROOT ("" for this host's own, which tests may move) and the path that FORMAT makes. Returns
 * PATH; cut when longer, so that there is no such file. */
const char *kernel_file_path(char path[KERNEL_FILE_PATH_BYTES], const char *root,
                             const char *format, ...) __attribute__((format(printf, 3, 4)));

/*
 * Reads the file PATH whole, as text. Returns 0; -EINVAL where it is no plain file or has a NUL
 * byte in it, -EFBIG where it does not fit, or another negative errno. TEXT is to be used after 0
 * only.
 */
int kernel_file_read(const char *path, char text[KERNEL_FILE_BYTES]);

/* Where the line goes on that begins with LABEL, the first of them; NULL where there is none. */
const char *kernel_file_find(const char *text, const char *label);

/* Takes a whole number in decimal digits at *AT, after blanks. Returns false, with nothing changed,
 * where there is none, or one beyond 64 bits. */
bool kernel_file_take_number(const char **at, uint64_t *ret_number);

/* Whether TEXT goes on with WORDS and the end of a line or of the text. */
bool kernel_file_ends(const char *text, const char *words);

/* Reads a file that is one number. Returns 0, or a negative errno with *RET_NUMBER as it was;
 * -EINVAL where it is anything else. */
int kernel_file_read_number(const char *path, uint64_t *ret_number);

/* Writes one number into the file PATH, which must be there. Returns 0 or a negative errno. */
int kernel_file_write_number(const char *path, uint64_t number);

#endif
