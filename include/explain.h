/*
 * explain.h - why a guest has the size it has, in sentences and figures.
 *
 * Pure: a view goes in, text comes out.
 */
#ifndef MC_EXPLAIN_H
#define MC_EXPLAIN_H

#include "coordinator.h"
#include "status.h"

#include <stddef.h>
#include <stdio.h>

enum { EXPLAIN_ERROR_BYTES = 1024 };

/*
 * Finds the domain that WORD means, as virsh does: by its name, id or UUID; else by how one of
 * their names or UUIDs, and of no other, begins. Returns 0; -ENOENT or -ENOTUNIQ with a line in
 * ERROR that names WORD and, by name, those it could have been.
 */
int explain_find(const struct coordinator_view *view, const char *word, size_t *ret_index,
                 char error[EXPLAIN_ERROR_BYTES]);

/* Writes all there is to say about domain I, in lines of at most COLUMNS columns (0: 80). Returns 0
 * or -ENOMEM. */
int explain_write(FILE *out, const struct coordinator_view *view, size_t i,
                  const struct status_source *source, size_t columns);

/* The sentences for a reason, which may lie in what is known of DOMAIN, and for what bounds it;
 * never empty. */
const char *explain_reason(const struct domain *domain, enum policy_reason reason);
const char *explain_bound(enum policy_bound bound);

#endif
