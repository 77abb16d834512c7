/* log.c - one line, whole: it is built first and written by one call, so that lines of several
 * programs on the same terminal or file do not mix. */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES = 1024, TIME_BYTES = 48, PATIENCE_MSEC = 100, NSEC_PER_MSEC = 1000000 };

/* Syslog's numbers, by which the journal keeps lines, and their names. */
static const struct {
    int priority;
    const char *name;
} levels[] = {
    [LOG_LEVEL_ERROR] = {3, "error"},
    [LOG_LEVEL_WARNING] = {4, "warning"},
    [LOG_LEVEL_INFO] = {6, "info"},
    [LOG_LEVEL_DEBUG] = {7, "debug"},
};

/* A pipe or socket whose reader sleeps would take the program to sleep with it. */
static bool takes_a_line(const struct log *log)
{
    struct pollfd descriptor = {.fd = fileno(log->stream), .events = POLLOUT};
    bool is_lost = log->lost != NULL && *log->lost > 0;
    /* A stream in memory has no descriptor. */
    return descriptor.fd < 0 || poll(&descriptor, 1, is_lost ? 0 : PATIENCE_MSEC) == 1;
}

/* "2026-11-25T23:59:59.123Z", as RFC 3339 has it. */
static const char *format_time(char text[TIME_BYTES])
{
    struct timespec now;
    struct tm parts;
    char seconds[TIME_BYTES / 2];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    strftime(seconds, sizeof(seconds), "%FT%T", &parts);
    snprintf(text, TIME_BYTES, "%s.%03ldZ", seconds, now.tv_nsec / NSEC_PER_MSEC);
    return text;
}

/* What is no UTF-8, as a name cut in the middle of a character, does not stand in JSON. */
static int print_json(FILE *stream, enum log_level level, const char *line)
{
    char time_text[TIME_BYTES];
    json_t *object = json_pack("{s:s, s:s, s:s}", "time", format_time(time_text), "level",
                               levels[level].name, "message", line);
    if (object == NULL)
        object = json_pack("{s:s, s:s, s:s}", "time", time_text, "level", levels[level].name,
                           "message", "a line that is no text");
    char *text = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    int result = text != NULL ? fprintf(stream, "%s\n", text) : -1;
    free(text);
    return result;
}

static int print_line(const struct log *log, enum log_level level, const char *line)
{
    switch (log->form) {
    case LOG_JOURNAL:
        return fprintf(log->stream, "<%d>%s\n", levels[level].priority, line);
    case LOG_JSON:
        return print_json(log->stream, level, line);
    case LOG_TEXT:
        break;
    }
    return fprintf(log->stream, "memory_coordinator: %s\n", line);
}

static bool write_line(const struct log *log, enum log_level level, const char *line)
{
    if (!takes_a_line(log))
        return false;
    clearerr(log->stream);
    return print_line(log, level, line) >= 0 && fflush(log->stream) == 0;
}

static void count_lost(const struct log *log, bool written)
{
    char line[LINE_BYTES];
    if (log->lost == NULL)
        return;
    if (!written) {
        ++*log->lost;
    } else if (*log->lost > 0) {
        snprintf(line, sizeof(line), "%zu lines before this one could not be written", *log->lost);
        *log->lost = 0;
        write_line(log, LOG_LEVEL_WARNING, line);
    }
}

bool log_takes(const struct log *log, enum log_level level)
{
    return level <= log->level;
}

void log_say(const struct log *log, enum log_level level, const char *format, ...)
{
    if (log->news != NULL && level <= LOG_LEVEL_INFO)
        ++*log->news;
    if (!log_takes(log, level))
        return;
    char line[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    count_lost(log, write_line(log, level, line));
}

bool log_is_journal(int descriptor, const char *journal_stream)
{
    uintmax_t device;
    uintmax_t inode;
    struct stat status;
    char end;
    return journal_stream != NULL &&
           sscanf(journal_stream, "%ju:%ju%c", &device, &inode, &end) == 2 &&
           fstat(descriptor, &status) == 0 && device == (uintmax_t)status.st_dev &&
           inode == (uintmax_t)status.st_ino;
}

int log_hold_descriptors(void)
{
    int descriptor;
    do {
        /* The lowest free number is what open() gives. */
        descriptor = open("/dev/null", O_RDWR);
        if (descriptor < 0)
            return -errno;
    } while (descriptor <= STDERR_FILENO);
    close(descriptor);
    return 0;
}
