/* sharing.c - KSM by the host's state. */
#include "sharing.h"

#include "kernel_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SUFFIX ".ksm"

enum { KEPT_BYTES = 256, KIB_PER_MIB = 1024 };

/* ---- what was found, in the state directory: a line for each of its settings ---- */

static const char run_label[] = "run ";
static const char pages_label[] = "pages_to_scan ";
static const char sleep_label[] = "sleep_millisecs ";

static void add_line(char text[KEPT_BYTES], const char *label, struct figure figure)
{
    size_t length = strlen(text);
    if (figure.known)
        snprintf(text + length, KEPT_BYTES - length, "%s%" PRIu64 "\n", label, figure.value);
}

static struct figure find_line(const char *text, const char *label)
{
    struct figure figure = {0};
    const char *at = kernel_file_find(text, label);
    figure.known =
        at != NULL && kernel_file_take_number(&at, &figure.value) && kernel_file_ends(at, "");
    return figure;
}

static void keep_found(const struct sharing *sharing)
{
    char name[STATE_DIR_NAME_BYTES];
    char text[KEPT_BYTES] = "";
    const struct sharing_config *config = &sharing->config;
    if (config->dir->directory < 0)
        return;
    add_line(text, run_label, sharing->found.run);
    add_line(text, pages_label, sharing->found.pages_to_scan);
    add_line(text, sleep_label, sharing->found.sleep_msec);
    state_dir_name(config->uri, SUFFIX, name);
    int result = state_dir_write(config->dir, name, text, strlen(text));
    if (result != 0)
        log_say(config->log, LOG_LEVEL_WARNING,
                "page sharing: cannot keep how it was found: %s; if this ends badly it stays",
                strerror(-result));
}

static void forget_found(struct sharing *sharing)
{
    char name[STATE_DIR_NAME_BYTES];
    sharing->has_found = false;
    if (sharing->config.dir->directory < 0)
        return;
    state_dir_name(sharing->config.uri, SUFFIX, name);
    unlinkat(sharing->config.dir->directory, name, 0);
}

/* A file that is none of ours says nothing. */
static void recall_found(struct sharing *sharing)
{
    char name[STATE_DIR_NAME_BYTES];
    char text[KEPT_BYTES];
    char *bytes;
    size_t length;
    state_dir_name(sharing->config.uri, SUFFIX, name);
    if (sharing->config.dir->directory < 0 ||
        state_dir_read(sharing->config.dir, name, &bytes, &length) != 0)
        return;
    snprintf(text, sizeof(text), "%.*s", (int)(length < sizeof(text) ? length : 0), bytes);
    free(bytes);
    sharing->found = (struct ksm_settings){
        .run = find_line(text, run_label),
        .pages_to_scan = find_line(text, pages_label),
        .sleep_msec = find_line(text, sleep_label),
    };
    sharing->has_found = sharing->found.run.known;
}

/* ---- telling ---- */

static void tell_obstacle(struct sharing *sharing)
{
    const struct ksm_reading *reading = &sharing->reading;
    enum ksm_obstacle said = sharing->said_obstacle;
    const struct log *log = sharing->config.log;
    sharing->said_obstacle = reading->obstacle;
    if (reading->obstacle == said)
        return;
    if (reading->obstacle == KSM_FREE)
        log_say(log, LOG_LEVEL_INFO, "page sharing: nothing is in its way any more");
    else if (reading->obstacle == KSM_NOT_PERMITTED)
        log_say(
            log, LOG_LEVEL_WARNING,
            "page sharing is left alone: %s: %s; as a service it needs what memory_coordinator(8) "
            "says under --ksm",
            ksm_obstacle_text(reading->obstacle), strerror(reading->reason));
    else
        log_say(log, LOG_LEVEL_WARNING, "page sharing is left alone: %s",
                ksm_obstacle_text(reading->obstacle));
}

static void tell_failure(struct sharing *sharing, int result, const char *error)
{
    if (result != 0 && !sharing->said_failure)
        log_say(sharing->config.log, LOG_LEVEL_WARNING, "page sharing: %s", error);
    sharing->said_failure = result != 0;
}

static void tell_change(struct sharing *sharing, const struct ksm_settings *wanted)
{
    const struct sharing_config *config = &sharing->config;
    const char *would = config->dry_run ? "would be " : "";
    bool is_start = wanted->run.value == 1;
    enum log_level level = is_start != sharing->said_start ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG;
    sharing->said_start = is_start;
    if (is_start)
        log_say(config->log, level, "page sharing: %s%s, %" PRIu64 " pages every %" PRIu64 " ms",
                would, level == LOG_LEVEL_INFO ? "started" : "set to", wanted->pages_to_scan.value,
                wanted->sleep_msec.value);
    else
        log_say(config->log, level, "page sharing: %sstopped; it saves %.1f MiB", would,
                (double)ksm_saved_kib(&sharing->reading) / KIB_PER_MIB);
}

/* ---- doing ---- */

static void remember_found(struct sharing *sharing)
{
    if (sharing->has_found)
        return;
    sharing->found = ksm_settings_of(&sharing->reading);
    keep_found(sharing);
    sharing->has_found = true;
}

static void take_figure(struct figure *figure, struct figure wanted)
{
    if (wanted.known)
        *figure = wanted;
}

static void set(struct sharing *sharing, const struct ksm_settings *wanted)
{
    char error[HYPERVISOR_ERROR_BYTES];
    const struct sharing_config *config = &sharing->config;
    if (config->dry_run) {
        if ((wanted->run.value == 1) != sharing->said_start)
            tell_change(sharing, wanted);
        return;
    }
    remember_found(sharing);
    int result = config->operations->set_sharing(config->self, wanted, error);
    tell_failure(sharing, result, error);
    if (result != 0)
        return;
    tell_change(sharing, wanted);
    take_figure(&sharing->reading.run, wanted->run);
    take_figure(&sharing->reading.pages_to_scan, wanted->pages_to_scan);
    take_figure(&sharing->reading.sleep_msec, wanted->sleep_msec);
}

static bool look(struct sharing *sharing)
{
    char error[HYPERVISOR_ERROR_BYTES];
    const struct sharing_config *config = &sharing->config;
    int result = config->operations->read_sharing(config->self, &sharing->reading, error);
    sharing->has_reading = result == 0;
    if (result == 0)
        tell_obstacle(sharing);
    return result == 0;
}

static void look_and_set(struct sharing *sharing, const struct coordinator_view *view,
                         bool is_paused)
{
    const struct host *host = &view->snapshot->host;
    if (!look(sharing) || sharing->reading.obstacle != KSM_FREE || !host->has_memory || is_paused)
        return;
    struct ksm_host short_host = {host->total_kib, host->available_kib, view->host.state};
    struct ksm_settings wanted = ksm_decide(&short_host, &sharing->reading, &sharing->memory);
    if (!ksm_is_set(&sharing->reading, &wanted))
        set(sharing, &wanted);
}

/* Who has it in his hands now has set it as he wants it. */
static void put_back(struct sharing *sharing)
{
    char error[HYPERVISOR_ERROR_BYTES] = "";
    const struct sharing_config *config = &sharing->config;
    if (!sharing->has_found || config->dry_run)
        return;
    int result = 0;
    if (sharing->reading.obstacle != KSM_TUNED)
        result = config->operations->set_sharing(config->self, &sharing->found, error);
    tell_failure(sharing, result, error);
    if (result != 0)
        return;
    log_say(config->log, LOG_LEVEL_INFO, "page sharing: as it was found (run %" PRIu64 ")",
            sharing->found.run.value);
    forget_found(sharing);
    sharing->memory = (struct ksm_memory){0};
    sharing->said_start = false;
}

/* ---- the public face ---- */

struct sharing sharing_open(const struct sharing_config *config)
{
    struct sharing sharing = {.config = *config};
    if (!config->dry_run)
        recall_found(&sharing);
    return sharing;
}

void sharing_cycle(struct sharing *sharing, const struct coordinator_view *view, bool is_wanted,
                   bool is_paused, uint64_t now_usec)
{
    if (!view->is_connected || (now_usec < sharing->due_usec && view->host.state == sharing->state))
        return;
    sharing->due_usec = now_usec + KSM_INTERVAL_USEC;
    sharing->state = view->host.state;
    if (is_wanted) {
        look_and_set(sharing, view, is_paused);
        return;
    }
    sharing->has_reading = false;
    put_back(sharing);
}

void sharing_leave(struct sharing *sharing)
{
    put_back(sharing);
}
