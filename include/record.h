/*
 * record.h - a cycle as one line of JSON, and back: what was found, decided and done.
 *
 * Names and units are those of the structures: what is "unused_kib" here is so there. What is not
 * known is left out. Sizes from 2^63-1 up are written as that, and read as without limit.
 */
#ifndef MC_RECORD_H
#define MC_RECORD_H

#include "coordinator.h"
#include "json_out.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RECORD_ERROR_BYTES = 256 };

/* Who has written it, and when. */
struct record_origin {
    int64_t pid;
    int64_t written_sec; /* wall clock */
};

/* A cycle that was read; its view is of memory that it owns. */
struct record {
    struct record_origin origin;
    struct coordinator_view view;
    bool has_memory; /* what the policy remembered after the cycle is there, too */
    struct record_storage *storage;
};

/*
 * Hands one line, without a newline at its end, to TAKE, piece by piece. What the policy remembers
 * is long, and needed only to go on from there: unless WITH_MEMORY there is only what is shown of
 * it. Returns 0, what TAKE has returned, or -ENOMEM.
 */
int record_write(const struct coordinator_view *view, const struct record_origin *origin,
                 bool with_memory, json_out_taker *take, void *argument);

/* The same line as a whole, to be freed by the caller. Returns NULL when out of memory. */
char *record_format(const struct coordinator_view *view, const struct record_origin *origin,
                    bool with_memory);

/*
 * Reads a line of LENGTH bytes. Returns 0, to be released by record_release(); -EINVAL with the
 * reason in ERROR if it is none, -ENOMEM.
 */
int record_parse(const char *line, size_t length, struct record *ret_record,
                 char error[RECORD_ERROR_BYTES]);

/* The memory of the record's view, to be brought up to date by who goes on from there. */
struct policy_memory *record_memory(struct record *record);

/* Frees what it owns; NULL is no harm. */
void record_release(struct record *record);

/* "starving", "dead-band", "made", "high": the words that stand in the lines. */
const char *record_reason_name(enum policy_reason reason);
const char *record_obstacle_name(enum domain_obstacle obstacle);
const char *record_job_name(enum domain_job job);
const char *record_bound_name(enum policy_bound bound);
const char *record_request_name(enum coordinator_request request);
const char *record_host_state_name(enum policy_host_state state);

#endif
