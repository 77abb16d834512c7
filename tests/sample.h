/* sample.h - a host with guests of all kinds, as a coordinator would show them. */
#ifndef MC_TESTS_SAMPLE_H
#define MC_TESTS_SAMPLE_H

#include "coordinator.h"

enum { SAMPLE_GUESTS = 8, SAMPLE_WRITTEN_SEC = 1800000000 };

/* What each of them is there for. */
enum {
    SAMPLE_GROWING,
    SAMPLE_GIVING,
    SAMPLE_BALANCED,
    SAMPLE_STARVING,
    SAMPLE_STALE,
    SAMPLE_UNMANAGED,
    SAMPLE_NO_BALLOON,
    SAMPLE_STUCK,
};

/* Its view, to be changed at will; VIEW points into the rest, so that it stays where it is. */
struct sample {
    struct coordinator_view view;
    struct snapshot snapshot;
    struct domain domains[SAMPLE_GUESTS];
    struct domain_remarks remarks[SAMPLE_GUESTS]; /* each has its own */
    struct policy_limits limits[SAMPLE_GUESTS];
    struct policy_memory memory[SAMPLE_GUESTS];
    struct policy_decision decisions[SAMPLE_GUESTS];
    enum coordinator_request requests[SAMPLE_GUESTS];
};

void sample_make(struct sample *sample);

#endif
