/* ksm.c - how the kernel is to share equal pages: the decision. */
#include "ksm.h"

#include "arithmetic.h"

enum {
    /* Of oVirt's MOM (ksm.rules): see ksm_decide(). */
    PRESSED_PERCENT = 20,
    PAGES_BOOST = 300,
    PAGES_DECAY = 50,
    PAGES_LEAST = 64,
    PAGES_MOST = 1250,
    SLEEP_MSEC = 10, /* for a host of SLEEP_KIB */
    SLEEP_KIB = 16 * 1024 * 1024,
    /* A pause of nothing would keep a processor busy with it; a long one is as good as none. */
    SLEEP_LEAST_MSEC = 1,
    SLEEP_MOST_MSEC = 200,

    /* What is available swings by what guests are given and give back. */
    RELIEVED_PERCENT = 25,

    /* A first scan only learns what there is, the second merges what has stayed. */
    SCANS_FOR_A_JUDGEMENT = 2,
    FRUITFUL_PERCENT = 1, /* of the pages that it looks at */
};

/* A percentage of a size that may be anything. */
static uint64_t percent_of(uint64_t kib, uint64_t percent)
{
    return kib / 100 * percent + kib % 100 * percent / 100;
}

static bool is_to_run(const struct ksm_host *host, bool is_on)
{
    uint64_t percent = is_on ? RELIEVED_PERCENT : PRESSED_PERCENT;
    return host->state != POLICY_HOST_HIGH ||
           host->available_kib < percent_of(host->total_kib, percent);
}

/* To look at all again and again for next to nothing costs more than it saves. */
static bool is_fruitless(const struct ksm_reading *reading, const struct ksm_memory *memory)
{
    uint64_t scans = subtract_to_zero(reading->full_scans.value, memory->first_scans);
    uint64_t others =
        add_saturated(reading->pages_shared.value,
                      add_saturated(reading->pages_unshared.value, reading->pages_volatile.value));
    uint64_t all = add_saturated(reading->pages_sharing.value, others);
    return memory->has_scans && reading->full_scans.known && reading->pages_sharing.known &&
           scans >= SCANS_FOR_A_JUDGEMENT &&
           reading->pages_sharing.value < percent_of(all, FRUITFUL_PERCENT);
}

static uint64_t pages_at_a_time(const struct ksm_host *host, const struct ksm_reading *reading,
                                const struct ksm_memory *memory)
{
    uint64_t pages = min_u64(reading->pages_to_scan.value, PAGES_MOST);
    bool is_pressed = host->state != POLICY_HOST_HIGH ||
                      host->available_kib < percent_of(host->total_kib, PRESSED_PERCENT);
    if (!is_pressed || is_fruitless(reading, memory))
        return max_u64(subtract_to_zero(pages, PAGES_DECAY), PAGES_LEAST);
    if (host->state >= POLICY_HOST_HARD)
        return PAGES_MOST;
    return min_u64(pages + PAGES_BOOST, PAGES_MOST);
}

static uint64_t pause_msec(uint64_t total_kib)
{
    uint64_t msec = (uint64_t)SLEEP_MSEC * SLEEP_KIB / max_u64(total_kib, 1);
    return min_u64(max_u64(msec, SLEEP_LEAST_MSEC), SLEEP_MOST_MSEC);
}

struct ksm_settings ksm_decide(const struct ksm_host *host, const struct ksm_reading *reading,
                               struct ksm_memory *memory)
{
    struct ksm_settings settings = {.run = {true, 0}};
    bool was_on = memory->is_on;
    memory->is_on = is_to_run(host, was_on);
    if (!memory->is_on)
        return settings;
    if (!was_on) {
        memory->has_scans = reading->full_scans.known;
        memory->first_scans = reading->full_scans.value;
    }
    settings.run.value = 1;
    if (reading->pages_to_scan.known)
        settings.pages_to_scan = (struct figure){true, pages_at_a_time(host, reading, memory)};
    if (reading->sleep_msec.known)
        settings.sleep_msec = (struct figure){true, pause_msec(host->total_kib)};
    return settings;
}

struct ksm_settings ksm_settings_of(const struct ksm_reading *reading)
{
    return (struct ksm_settings){
        .run = reading->run,
        .pages_to_scan = reading->pages_to_scan,
        .sleep_msec = reading->sleep_msec,
    };
}

static bool is_as_wanted(struct figure is, struct figure wanted)
{
    return !wanted.known || (is.known && is.value == wanted.value);
}

bool ksm_is_set(const struct ksm_reading *reading, const struct ksm_settings *wanted)
{
    return is_as_wanted(reading->run, wanted->run) &&
           is_as_wanted(reading->pages_to_scan, wanted->pages_to_scan) &&
           is_as_wanted(reading->sleep_msec, wanted->sleep_msec);
}

uint64_t ksm_saved_kib(const struct ksm_reading *reading)
{
    uint64_t kib;
    return __builtin_mul_overflow(reading->pages_sharing.value, reading->page_kib, &kib)
               ? UINT64_MAX
               : kib;
}

const char *ksm_obstacle_text(enum ksm_obstacle obstacle)
{
    switch (obstacle) {
    case KSM_FREE:
        break;
    case KSM_MISSING:
        return "this kernel has no KSM (no /sys/kernel/mm/ksm)";
    case KSM_ELSEWHERE:
        return "it can be started and stopped on the host itself only";
    case KSM_NOT_PERMITTED:
        return "/sys/kernel/mm/ksm/run cannot be written";
    case KSM_TUNED:
        return "ksmtuned runs";
    }
    return "";
}
