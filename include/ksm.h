/*
 * ksm.h - how the kernel is to share equal pages of guests (KSM): the decision, and nothing else.
 *
 * Pure: figures go in, settings come out; who reads and sets them is others' business.
 */
#ifndef MC_KSM_H
#define MC_KSM_H

#include "policy.h"

/* Why it is left alone. */
enum ksm_obstacle {
    KSM_FREE,          /* it is not */
    KSM_MISSING,       /* the kernel has none */
    KSM_ELSEWHERE,     /* the host is another one, where it can be neither started nor stopped */
    KSM_NOT_PERMITTED, /* it may not be set */
    KSM_TUNED,         /* ksmtuned has it in its hands */
};

/* What it can be set to; what is not known stays as it is. */
struct ksm_settings {
    struct figure run;           /* 0: no, 1: yes, 2: no, and what was shared is parted */
    struct figure pages_to_scan; /* at a time, */
    struct figure sleep_msec;    /* after which it pauses for so long */
};

/* What it is set to, and what has come of it. */
struct ksm_reading {
    enum ksm_obstacle obstacle;
    int reason;                                   /* errno of KSM_NOT_PERMITTED */
    struct figure run, pages_to_scan, sleep_msec; /* as in struct ksm_settings */
    struct figure pages_shared;                   /* that are there once for several */
    struct figure pages_sharing;                  /* what would be there beside them */
    struct figure pages_unshared;                 /* looked at, equal to no other */
    struct figure pages_volatile;                 /* looked at, changing too fast */
    struct figure full_scans;                     /* how often all has been looked at */
    uint64_t page_kib;
};

struct ksm_host {
    uint64_t total_kib;
    uint64_t available_kib;
    enum policy_host_state state;
};

/* What is remembered from one decision to the next; all zero before the first. */
struct ksm_memory {
    bool is_on;
    bool has_scans;
    uint64_t first_scans; /* full scans when it was started */
};

/*
 * What it is to be set to from now on; to be called every KSM_INTERVAL_USEC.
 *
 * The rule is that of oVirt's MOM, with its figures: it runs while less than 20 % of the host's
 * memory is available, with 300 pages more each time, at most 1250, pausing 10 ms for 16 GiB of
 * memory, less for more. It differs in this: it also runs in any state but high, and then at once
 * with 1250 pages in the states hard and low; it is stopped only when 25 % are available, and until
 * then has 50 pages less each time, at least 64, so that it does not go on and off; as it has when
 * two full scans have found next to nothing to share. MOM's rule that it runs as well while guests
 * together could become large is left out: here nobody is promised what is not there.
 */
struct ksm_settings ksm_decide(const struct ksm_host *host, const struct ksm_reading *reading,
                               struct ksm_memory *memory);

#define KSM_INTERVAL_USEC UINT64_C(10000000)

struct ksm_settings ksm_settings_of(const struct ksm_reading *reading);

/* Whether WANTED is what READING says, as far as WANTED is known. */
bool ksm_is_set(const struct ksm_reading *reading, const struct ksm_settings *wanted);

/* What the host would have less without it. */
uint64_t ksm_saved_kib(const struct ksm_reading *reading);

/* Why it is left alone, in words: "ksmtuned runs". */
const char *ksm_obstacle_text(enum ksm_obstacle obstacle);

#endif
