/*
 * status.h - how the host and its guests are, in a table and in words.
 *
 * Pure: a view goes in, text comes out. It knows neither files nor terminals nor clocks.
 */
#ifndef MC_STATUS_H
#define MC_STATUS_H

#include "coordinator.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { STATUS_SIZE_BYTES = 32, STATUS_WHY_BYTES = 512 };

/* Where a view has come from. */
struct status_source {
    int64_t pid; /* of the coordinator */
    bool is_running;
    int64_t written_sec; /* wall clock, when it wrote that */
    int64_t alive_sec;   /* when it last said that it lives, not before that */
    int64_t now_sec;
};

/* How a guest is, in one word; the worst first. */
enum status_state {
    STATUS_STARVING, /* less than R is unused */
    STATUS_STUCK,
    STATUS_FROZEN,
    STATUS_SHORT, /* less than its headroom is unused, and there is no more for it */
    STATUS_GROWING,
    STATUS_HELD, /* left alone, because nothing can be decided about it */
    STATUS_MIGRATING,
    STATUS_GIVING,
    STATUS_BALANCED,
    STATUS_PAUSED,
    STATUS_UNMANAGED,
};

enum status_trend {
    STATUS_STEADY,
    STATUS_UP,     /* its size rises, or is to */
    STATUS_DOWN,   /* falls, or is to */
    STATUS_RISING, /* what it needs rises, its size does not yet */
};

/* The unit in which a view is told: MiB, GiB where hosts or guests are large. */
struct status_unit {
    double kib;
    int decimals;
    const char *name;
};

enum status_state status_of(const struct domain *domain, const struct policy_decision *decision);
const char *status_state_name(enum status_state state);

/* Its size: what its balloon leaves it; of one that cannot balloon, all that it is counted with. */
struct figure status_shown_size(const struct domain *domain,
                                const struct policy_decision *decision);

enum status_trend status_trend(const struct domain *domain, const struct policy_memory *memory,
                               const struct policy_decision *decision);
/* An arrow, or an ASCII character in its place. */
const char *status_trend_sign(enum status_trend trend, bool is_unicode);

struct status_unit status_unit(const struct coordinator_view *view);
/* "512.0"; "-" for UINT64_MAX, which is without limit. Returns TEXT. */
const char *status_size(struct status_unit unit, uint64_t kib, char text[STATUS_SIZE_BYTES]);

/* "needs more unused: 125.7 of 164.4; the host has no more": the reason, the bound, and what has
 * gone wrong. Returns TEXT. */
const char *status_why(const struct coordinator_view *view, size_t i, struct status_unit unit,
                       char text[STATUS_WHY_BYTES]);

/* How long ago the guests were as VIEW has them, at NOW_SEC; 0 where nobody has looked yet. */
int64_t status_seconds_ago(const struct coordinator_view *view, int64_t now_sec);

/* "12 s", "3 min", "5 h", "2 days". Returns TEXT. */
const char *status_age(int64_t sec, char text[STATUS_SIZE_BYTES]);

/* What all guests may take at any moment, emulators included. */
uint64_t status_promised_kib(const struct coordinator_view *view);

enum status_order {
    STATUS_BY_NAME, /* numbers in names by their value */
    STATUS_BY_NEED, /* who is worst off first */
};

/* Domain indexes in that order; to be freed. NULL when out of memory. */
size_t *status_sort(const struct coordinator_view *view, enum status_order order);

enum { STATUS_WARNINGS = 5 };

/* A line for each thing to be known before the figures are believed: that they are old, that nobody
 * runs, that nothing is really asked for, that one part of the host is short. Returns how many
 * there are. */
size_t status_warnings(const struct coordinator_view *view, const struct status_source *source,
                       char lines[STATUS_WARNINGS][STATUS_WHY_BYTES]);

/* Writes who it is, and the warnings. */
void status_write_head(FILE *out, const struct coordinator_view *view,
                       const struct status_source *source);

/* Writes the lines about the host. */
void status_write_host(FILE *out, const struct coordinator_view *view, struct status_unit unit);

/*
 * Writes all of it: head, host, and a row for each guest. Where that is wider than COLUMNS names
 * are shortened, columns left out, reasons cut; 0: never. Returns 0 or -ENOMEM.
 */
int status_write(FILE *out, const struct coordinator_view *view, const struct status_source *source,
                 size_t columns);

#endif
