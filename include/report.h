/* report.h - what people read about decisions: one line each. */
#ifndef MC_REPORT_H
#define MC_REPORT_H

#include "log.h"
#include "policy.h"

#include <stdbool.h>

/* The reason, which may lie in what is known of DOMAIN, or the bound, in words; never NULL ("" for
 * POLICY_UNBOUND). */
const char *report_reason_text(const struct domain *domain, enum policy_reason reason);
const char *report_bound_text(enum policy_bound bound);

enum { REPORT_BYTES = 512 };

/* "512.0 -> 640.0 MiB: needs more unused, 80.0 MiB unused, should be 164.4", or "stays at ...",
 * into TEXT, which it returns. */
const char *report_decision(const struct domain *domain, const struct policy_decision *decision,
                            char text[REPORT_BYTES]);

/* "aos_vm1: found, 512.0 MiB now, 2048.0 at most" */
void report_arrival(const struct log *log, const struct domain *domain);

/* "aos_vm1: set to at least 200.0 MiB with 100.0 MiB unused, 1000 shares": what holds for it. */
void report_limits(const struct log *log, const struct domain *domain,
                   const struct policy_limits *limits);

/* "aos_vm1: 512.0 -> 640.0 MiB: ...": done, or with DRY_RUN only to be done. */
void report_action(const struct log *log, const struct domain *domain,
                   const struct policy_decision *decision, bool dry_run);

/* "aos_vm1: stays at 512.0 MiB: ...", at LEVEL. */
void report_hold(const struct log *log, enum log_level level, const struct domain *domain,
                 const struct policy_decision *decision);

/* "host: 12000.0 of 16000.0 MiB available, ...", for --verbose. */
void report_host(const struct log *log, const struct snapshot *snapshot);

/* That the host is under pressure, or not any more. */
void report_pressure(const struct log *log, const struct host *host, bool is_pressed);

/* That this node is short of memory, while the host is not; NULL: that none is any more. */
void report_short_node(const struct log *log, const struct host_node *node);

#endif
