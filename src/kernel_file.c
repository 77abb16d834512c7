/* kernel_file.c - small files of figures, as the kernel shows them. */
#include "kernel_file.h"

#include "whole.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *kernel_file_path(char path[KERNEL_FILE_PATH_BYTES], const char *root,
                             const char *format, ...)
{
    va_list arguments;
    int length = snprintf(path, KERNEL_FILE_PATH_BYTES, "%s", root);
    size_t used = length < KERNEL_FILE_PATH_BYTES ? (size_t)length : KERNEL_FILE_PATH_BYTES - 1;
    va_start(arguments, format);
    vsnprintf(path + used, KERNEL_FILE_PATH_BYTES - used, format, arguments);
    va_end(arguments);
    return path;
}

/* A pipe, or a device, in the file's place could have the reader wait. */
static int open_plain(const char *path, int flags)
{
    struct stat status;
    int descriptor = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0)
        return -errno;
    int result = fstat(descriptor, &status) != 0 ? -errno : 0;
    if (result == 0 && !S_ISREG(status.st_mode))
        result = -EINVAL;
    if (result == 0)
        return descriptor;
    close(descriptor);
    return result;
}

int kernel_file_read(const char *path, char text[KERNEL_FILE_BYTES])
{
    int descriptor = open_plain(path, O_RDONLY);
    if (descriptor < 0)
        return descriptor;
    ssize_t length = whole_read(descriptor, text, KERNEL_FILE_BYTES);
    close(descriptor);
    if (length < 0)
        return (int)length;
    if (length == KERNEL_FILE_BYTES)
        return -EFBIG;
    text[length] = '\0';
    return memchr(text, '\0', (size_t)length) == NULL ? 0 : -EINVAL;
}

const char *kernel_file_find(const char *text, const char *label)
{
    size_t length = strlen(label);
    while (text != NULL && strncmp(text, label, length) != 0) {
        text = strchr(text, '\n');
        if (text != NULL)
            text++;
    }
    return text != NULL ? text + length : NULL;
}

bool kernel_file_take_number(const char **at, uint64_t *ret_number)
{
    const char *digit = *at + strspn(*at, " \t");
    uint64_t number = 0;
    if (*digit < '0' || *digit > '9')
        return false;
    for (; *digit >= '0' && *digit <= '9'; digit++)
        if (__builtin_mul_overflow(number, UINT64_C(10), &number) ||
            __builtin_add_overflow(number, (uint64_t)(*digit - '0'), &number))
            return false;
    *at = digit;
    *ret_number = number;
    return true;
}

bool kernel_file_ends(const char *text, const char *words)
{
    size_t length = strlen(words);
    return strncmp(text, words, length) == 0 && (text[length] == '\n' || text[length] == '\0');
}

int kernel_file_read_number(const char *path, uint64_t *ret_number)
{
    char text[KERNEL_FILE_BYTES];
    const char *at = text;
    uint64_t number;
    int result = kernel_file_read(path, text);
    if (result != 0)
        return result;
    if (!kernel_file_take_number(&at, &number) || strcmp(at + (*at == '\n'), "") != 0)
        return -EINVAL;
    *ret_number = number;
    return 0;
}

int kernel_file_write_number(const char *path, uint64_t number)
{
    char text[32];
    int length = snprintf(text, sizeof(text), "%" PRIu64 "\n", number);
    int descriptor = open_plain(path, O_WRONLY | O_TRUNC);
    if (descriptor < 0)
        return descriptor;
    ssize_t written = write(descriptor, text, (size_t)length);
    int result = written == length ? 0 : written < 0 ? -errno : -EIO;
    if (close(descriptor) != 0 && result == 0)
        result = -errno;
    return result;
}
