/* log.h - lines for people, by weight. */
#ifndef MC_LOG_H
#define MC_LOG_H

#include <stdio.h>

enum log_level {
    LOG_LEVEL_ERROR,   /* something is wrong */
    LOG_LEVEL_WARNING, /* something is odd, work goes on */
    LOG_LEVEL_INFO,    /* what was done */
    LOG_LEVEL_DEBUG,   /* why nothing was done */
};

/* Where lines go, and down to which weight. Plain data. */
struct log {
    FILE *stream;
    enum log_level level;
};

/* Writes one line, if LEVEL is within the log's; a failure to write is nobody's business. */
void log_say(const struct log *log, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
