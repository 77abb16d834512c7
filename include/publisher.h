/*
 * publisher.h - what each cycle has found, decided and done, put where others can read it: the
 * state file, which holds one of the last, the record, which holds them all, and the metrics.
 *
 * A file that cannot be written is said once, and once more when it can be again; it never keeps
 * the coordinator from its work.
 */
#ifndef MC_PUBLISHER_H
#define MC_PUBLISHER_H

#include "coordinator.h"
#include "log.h"
#include "state_dir.h"

enum {
    /* A state without news that nobody reads is written this often. */
    PUBLISHER_CALM_USEC = 60000000,
    /* That the coordinator lives is said this often. */
    PUBLISHER_BEAT_USEC = 5000000,
};

struct publisher_config {
    const struct state_dir *dir; /* claimed; where there is none no state is written */
    const char *state_name;      /* the state file's */
    int notices;             /* of its readers, for publisher_refresh(); negative: there are none */
    const char *record_path; /* NULL: no record */
    uint64_t record_bytes;   /* a record that would be larger is put aside, as PATH.1 */
    const char *metrics_path; /* for node_exporter, which runs as another user; NULL: none */
    const struct log *log;    /* whose news are counted; else each cycle is news */
};

struct publisher;

/* In kept memory; what CONFIG points to must outlive it. Returns NULL when out of memory. */
struct publisher *publisher_new(const struct publisher_config *config);

/*
 * In the process that is to publish, also in one that takes over from another: opens the record, to
 * go on at its end. Returns 0, or a negative errno with the reason in ERROR; then it is tried again
 * with each cycle.
 */
int publisher_begin(struct publisher *publisher, char error[HYPERVISOR_ERROR_BYTES]);

/*
 * After each cycle, which began at BEGIN_USEC (monotonic). RESULT is what it returned: only one
 * that was whole goes into the record, state and metrics tell the others too. Writing either of
 * these takes no more than a hundredth of the time: where a host has so many domains that it would,
 * it is written less often.
 *
 * The state is written when there is news, which is what the log was told, when somebody has read
 * it, and while somebody waits for memory that is reserved; else every PUBLISHER_CALM_USEC. That
 * there was a cycle is said every PUBLISHER_BEAT_USEC.
 */
void publisher_publish(struct publisher *publisher, const struct coordinator_view *view,
                       uint64_t begin_usec, int result);

/* Somebody has read the state, or taken it away: if it is not of the last cycle it is written anew
 * now, else after the next one. */
void publisher_refresh(struct publisher *publisher, const struct coordinator_view *view);

/* Writes the state of the last cycle there will be, whatever is in it. */
void publisher_conclude(struct publisher *publisher, const struct coordinator_view *view);

/*
 * In the same process: closes the record. The state file stays, and says how old it is. The metrics
 * go, if they were written: node_exporter would show them for ever as what is so now. After a crash
 * they stay, with the time of their last cycle.
 */
void publisher_end(struct publisher *publisher);

/* Frees; NULL is no harm. */
void publisher_free(struct publisher *publisher);

#endif
