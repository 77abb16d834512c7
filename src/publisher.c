/* publisher.c - the state file, the record and the metrics. */
#include "publisher.h"

#include "atomic_file.h"
#include "clock.h"
#include "kept.h"
#include "metrics.h"
#include "notice.h"
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
    RECORD_MODE = 0640,
    METRICS_MODE = 0644,
    /* The state takes a hundredth of the time, as do the metrics. */
    OUTLET_SHARE = 100,
};

/* A file that is written again and again, and whether that has failed of late. */
struct outlet {
    const char *what; /* for the log: "the state", "the record", "the metrics" */
    bool has_failed;
    uint64_t due_usec; /* not to be written before */
};

/* In kept memory. */
struct publisher {
    struct publisher_config config;
    pid_t pid; /* the program's */
    struct outlet state;
    bool is_read;       /* since it was written, or may have been */
    uint64_t of_usec;   /* the look that is in it */
    size_t news;        /* those that are in it */
    uint64_t calm_usec; /* when it is to be written, whatever there is */
    uint64_t beat_usec; /* when it is to be said that we live */
    struct outlet metrics_file;
    bool has_metrics_file; /* that is ours */
    struct metrics metrics;
    struct outlet record;
    int descriptor; /* of the record, in the process that has begun; -1: there is none */
    uint64_t size_bytes;
    bool is_first; /* the next line is the first of this run, or of the file */
};

static void note_result(const struct publisher *publisher, struct outlet *outlet, int result)
{
    if (result != 0 && !outlet->has_failed)
        log_say(publisher->config.log, LOG_LEVEL_WARNING, "cannot write %s: %s", outlet->what,
                strerror(-result));
    else if (result == 0 && outlet->has_failed)
        log_say(publisher->config.log, LOG_LEVEL_INFO, "%s can be written again", outlet->what);
    outlet->has_failed = result != 0;
}

static struct record_origin origin_now(const struct publisher *publisher)
{
    return (struct record_origin){.pid = publisher->pid, .written_sec = time(NULL)};
}

/* A command, or a start, waits for what becomes of a reservation. */
static bool is_awaited(const struct coordinator_view *view)
{
    return view->reservations != NULL && view->reservations->count > 0;
}

/* Writes what takes long where there are many domains, if it is its turn. */
static void publish_in_turn(struct publisher *publisher, struct outlet *outlet,
                            int (*write_whole)(struct publisher *publisher,
                                               const struct coordinator_view *view),
                            const struct coordinator_view *view)
{
    uint64_t start = clock_monotonic_usec();
    if (start < outlet->due_usec && !is_awaited(view))
        return;
    note_result(publisher, outlet, write_whole(publisher, view));
    uint64_t end = clock_monotonic_usec();
    outlet->due_usec = end + OUTLET_SHARE * (end - start);
}

/* ---- the state ---- */

static size_t count_news(const struct publisher *publisher)
{
    const size_t *news = publisher->config.log->news;
    return news != NULL ? *news : 0;
}

static int write_state(struct publisher *publisher, const struct coordinator_view *view)
{
    struct record_origin origin = origin_now(publisher);
    struct atomic_file file;
    const struct publisher_config *config = &publisher->config;
    size_t news = count_news(publisher);
    int result = state_dir_begin(config->dir, config->state_name, &file);
    if (result != 0)
        return result;
    result = record_write(view, &origin, false, atomic_file_add, &file);
    result = atomic_file_end(&file, config->state_name, result);
    if (result == 0) {
        publisher->is_read =
            notice_await_reader(config->notices, config->dir, config->state_name) != 0;
        publisher->of_usec = view->snapshot->now_usec;
        publisher->news = news;
        publisher->calm_usec = clock_monotonic_usec() + PUBLISHER_CALM_USEC;
    }
    return result;
}

static bool is_state_wanted(const struct publisher *publisher, const struct coordinator_view *view)
{
    return publisher->config.log->news == NULL || publisher->news != count_news(publisher) ||
           is_awaited(view) || publisher->is_read || clock_monotonic_usec() >= publisher->calm_usec;
}

/* For who asks whether a state that is not written any more is one of somebody who lives. */
static void say_alive(struct publisher *publisher)
{
    uint64_t now_usec = clock_monotonic_usec();
    if (now_usec < publisher->beat_usec)
        return;
    state_dir_beat(publisher->config.dir);
    publisher->beat_usec = now_usec + PUBLISHER_BEAT_USEC;
}

/* ---- the metrics ---- */

static int write_metrics(struct publisher *publisher, const struct coordinator_view *view)
{
    size_t length;
    char *text = metrics_format(&publisher->metrics, view, &length);
    if (text == NULL)
        return -ENOMEM;
    int result = atomic_file_write_path(publisher->config.metrics_path, METRICS_MODE, text, length);
    free(text);
    publisher->has_metrics_file = publisher->has_metrics_file || result == 0;
    return result;
}

static void count_cycle(struct publisher *publisher, const struct coordinator_view *view,
                        uint64_t begin_usec, int result)
{
    struct metrics_cycle cycle = {
        .wall_sec = (uint64_t)time(NULL),
        .duration_usec = clock_monotonic_usec() - begin_usec,
        .result = result,
    };
    metrics_take(&publisher->metrics, view, &cycle);
}

/* ---- the record ---- */

static int open_record(struct publisher *publisher)
{
    struct stat status;
    int descriptor =
        open(publisher->config.record_path,
             O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, RECORD_MODE);
    if (descriptor < 0)
        return -errno;
    int result = fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode) ? -EINVAL : 0;
    /* Two that write to one file would tear each other's lines. */
    if (result == 0 && flock(descriptor, LOCK_EX | LOCK_NB) != 0)
        result = -EBUSY;
    if (result != 0) {
        close(descriptor);
        return result;
    }
    publisher->descriptor = descriptor;
    publisher->size_bytes = (uint64_t)status.st_size;
    publisher->is_first = true;
    return 0;
}

/* A crash in the middle of a line leaves a part of it: the next one begins on a line of its own. */
static int end_last_line(struct publisher *publisher)
{
    char last = '\n';
    if (publisher->size_bytes == 0 ||
        (pread(publisher->descriptor, &last, 1, (off_t)publisher->size_bytes - 1) == 1 &&
         last == '\n'))
        return 0;
    if (write(publisher->descriptor, "\n", 1) != 1)
        return -errno;
    publisher->size_bytes++;
    return 0;
}

static void close_record(struct publisher *publisher)
{
    if (publisher->descriptor >= 0)
        close(publisher->descriptor);
    publisher->descriptor = -1;
}

/* One that somebody has moved meanwhile is aside already. */
static int put_record_aside(struct publisher *publisher)
{
    char *aside;
    if (asprintf(&aside, "%s.1", publisher->config.record_path) < 0)
        return -ENOMEM;
    int result = rename(publisher->config.record_path, aside) == 0 ? 0 : -errno;
    free(aside);
    if (result != 0 && result != -ENOENT)
        return result;
    close_record(publisher);
    return open_record(publisher);
}

/* Removed by hand, it would grow where nobody sees it. */
static bool is_removed(int descriptor)
{
    struct stat status;
    return fstat(descriptor, &status) == 0 && status.st_nlink == 0;
}

/* The whole line or nothing of it. */
static int append(struct publisher *publisher, const char *line, size_t length)
{
    struct iovec parts[] = {{(void *)line, length}, {"\n", 1}};
    ssize_t written = writev(publisher->descriptor, parts, 2);
    int reason = written < 0 ? errno : ENOSPC;
    if (written == (ssize_t)length + 1) {
        publisher->size_bytes += length + 1;
        return 0;
    }
    if (written > 0 && ftruncate(publisher->descriptor, (off_t)publisher->size_bytes) != 0)
        return -errno;
    return -reason;
}

static int write_record(struct publisher *publisher, const struct coordinator_view *view)
{
    if (publisher->descriptor >= 0 && is_removed(publisher->descriptor))
        close_record(publisher);
    int result = publisher->descriptor < 0 ? open_record(publisher) : 0;
    if (result == 0 && publisher->size_bytes >= publisher->config.record_bytes)
        result = put_record_aside(publisher);
    if (result == 0 && publisher->is_first)
        result = end_last_line(publisher);
    if (result != 0)
        return result;
    struct record_origin origin = origin_now(publisher);
    char *line = record_format(view, &origin, publisher->is_first);
    if (line == NULL)
        return -ENOMEM;
    result = append(publisher, line, strlen(line));
    free(line);
    /* After a gap nobody can go on from the line before it. */
    publisher->is_first = result != 0;
    return result;
}

/* ---- the public face ---- */

struct publisher *publisher_new(const struct publisher_config *config)
{
    struct publisher *publisher = kept_new(sizeof(*publisher));
    if (publisher == NULL)
        return NULL;
    publisher->config = *config;
    publisher->pid = getpid();
    publisher->state.what = "the state";
    publisher->record.what = "the record";
    publisher->metrics_file.what = "the metrics";
    publisher->descriptor = -1;
    return publisher;
}

int publisher_begin(struct publisher *publisher, char error[HYPERVISOR_ERROR_BYTES])
{
    const char *path = publisher->config.record_path;
    publisher->descriptor = -1;
    int result = path != NULL ? open_record(publisher) : 0;
    if (result != 0)
        snprintf(error, HYPERVISOR_ERROR_BYTES, "--record '%s': %s", path,
                 result == -EINVAL  ? "not a plain file"
                 : result == -EBUSY ? "another coordinator writes to it"
                                    : strerror(-result));
    return result;
}

void publisher_publish(struct publisher *publisher, const struct coordinator_view *view,
                       uint64_t begin_usec, int result)
{
    bool has_metrics = publisher->config.metrics_path != NULL;
    if (has_metrics)
        count_cycle(publisher, view, begin_usec, result);
    say_alive(publisher);
    if (publisher->config.dir->directory >= 0 && is_state_wanted(publisher, view))
        publish_in_turn(publisher, &publisher->state, write_state, view);
    if (has_metrics)
        publish_in_turn(publisher, &publisher->metrics_file, write_metrics, view);
    if (publisher->config.record_path != NULL && result == 0)
        note_result(publisher, &publisher->record, write_record(publisher, view));
}

void publisher_refresh(struct publisher *publisher, const struct coordinator_view *view)
{
    publisher->is_read = true;
    if (publisher->config.dir->directory >= 0 && publisher->of_usec != view->snapshot->now_usec)
        publish_in_turn(publisher, &publisher->state, write_state, view);
}

void publisher_conclude(struct publisher *publisher, const struct coordinator_view *view)
{
    if (publisher->config.dir->directory >= 0)
        note_result(publisher, &publisher->state, write_state(publisher, view));
}

void publisher_end(struct publisher *publisher)
{
    close_record(publisher);
    if (publisher->has_metrics_file)
        unlink(publisher->config.metrics_path);
    publisher->has_metrics_file = false;
}

void publisher_free(struct publisher *publisher)
{
    kept_free(publisher, sizeof(*publisher));
}
