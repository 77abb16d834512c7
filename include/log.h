/* log.h - lines for people, by weight. */
#ifndef MC_LOG_H
#define MC_LOG_H

#include <stdbool.h>
#include <stdio.h>

enum log_level {
    LOG_LEVEL_ERROR,   /* something is wrong */
    LOG_LEVEL_WARNING, /* something is odd, work goes on */
    LOG_LEVEL_INFO,    /* what was done */
    LOG_LEVEL_DEBUG,   /* why nothing was done */
};

/* What a line looks like. */
enum log_form {
    LOG_TEXT,    /* the program's name, then what is said */
    LOG_JOURNAL, /* its priority, <3> to <7>, then what is said: the journal knows the rest */
    LOG_JSON,    /* an object: "time" (UTC), "level", "message" */
};

/* Where lines go, and down to which weight. Plain data. */
struct log {
    FILE *stream;
    enum log_level level;
    enum log_form form;
    size_t *lost; /* counts the lines that could not be written since the last that was; or NULL */
    size_t *news; /* counts what is said at LOG_LEVEL_INFO or above, written or not; or NULL */
};

/* Whether LEVEL is within the log's, where it costs something to find the words. */
bool log_takes(const struct log *log, enum log_level level);

/*
 * Writes one line, if LEVEL is within the log's. A line that cannot be written, the disk being full
 * or the reader of a pipe gone or asleep, is dropped after a tenth of a second at most, those after
 * it at once until one can be; then it is said how many were lost, where they are counted.
 */
void log_say(const struct log *log, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Whether DESCRIPTOR is the stream that JOURNAL_STREAM, systemd's "DEVICE:INODE", names. NULL is
 * none. */
bool log_is_journal(int descriptor, const char *journal_stream);

/*
 * Gives the descriptors 0 to 2 to /dev/null where they are closed, so that nothing opened later
 * gets their numbers and is then written to. To be called before anything is opened. Returns 0 or a
 * negative errno.
 */
int log_hold_descriptors(void);

#endif
