/* log.c - one line, whole: it is built first and written by one call, so that lines of several
 * programs on the same terminal or file do not mix. */
#include "log.h"

#include <stdarg.h>

enum { LINE_BYTES = 1024 };

void log_say(const struct log *log, enum log_level level, const char *format, ...)
{
    if (level > log->level)
        return;
    char line[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    fprintf(log->stream, "memory_coordinator: %s\n", line);
    fflush(log->stream);
}
