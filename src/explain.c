/* explain.c - why a guest has the size it has, in sentences and figures. */
#include "explain.h"

#include "arithmetic.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    KIB_PER_MIB = 1024,
    USEC_PER_SEC = 1000000,
    USUAL_COLUMNS = 80,
    MOST_COLUMNS = 100, /* longer lines are hard to read */
    LABEL_COLUMNS = 10,
    NAME_COLUMNS = 22,
    OTHERS_MOST = 8,
    PARAGRAPH_BYTES = 4096,
    /* Enough for the sizes of one sentence. */
    SIZES = 8,
    UUID_TEXT_BYTES = 37,
    SAME_KIB = KIB_PER_MIB,
};

/* Who tells what of whom; a paragraph grows in TEXT until it is ended. */
struct teller {
    FILE *out;
    const struct coordinator_view *view;
    const struct domain *domain;
    const struct policy_limits *limits;
    const struct policy_memory *memory;
    const struct policy_decision *decision;
    enum coordinator_request request;
    struct status_unit unit;
    size_t columns;
    char sizes[SIZES][STATUS_SIZE_BYTES + 8];
    unsigned int next_size;
    char text[PARAGRAPH_BYTES];
};

/* ---- telling ---- */

static void say(struct teller *teller, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Adds a sentence to the paragraph. */
static void say(struct teller *teller, const char *format, ...)
{
    va_list arguments;
    size_t length = strlen(teller->text);
    if (length > 0 && length < PARAGRAPH_BYTES - 1)
        teller->text[length++] = ' ';
    va_start(arguments, format);
    vsnprintf(teller->text + length, PARAGRAPH_BYTES - length, format, arguments);
    va_end(arguments);
}

static void end_paragraph(struct teller *teller, const char *label)
{
    text_write_paragraph(teller->out, label, teller->text, LABEL_COLUMNS, teller->columns);
    *teller->text = '\0';
}

/* "512.0 MiB", good for the SIZES - 1 calls after this one. */
static const char *size(struct teller *teller, uint64_t kib)
{
    char figure[STATUS_SIZE_BYTES];
    char *text = teller->sizes[teller->next_size++ % SIZES];
    snprintf(text, sizeof(*teller->sizes), "%s %s", status_size(teller->unit, kib, figure),
             teller->unit.name);
    return text;
}

/* ---- a text for each reason, and each bound ---- */

static const char *explain_obstacle(enum domain_obstacle obstacle)
{
    switch (obstacle) {
    case OBSTACLE_NONE: /* of an old record */
    case OBSTACLE_NO_BALLOON:
        break;
    case OBSTACLE_VIRTIO_MEM:
        return "It has virtio-mem, memory of which its balloon knows nothing: it is counted at its "
               "size and never asked for anything.";
    case OBSTACLE_HUGE_PAGES:
        return "Its memory is in huge pages, which the host has set aside: what its balloon gave "
               "back would be of use to nobody else. It is counted with all of it, which takes "
               "nothing from the others, and never asked for anything.";
    case OBSTACLE_DEVICE:
        return "A device is passed through to it that may write to any of its memory, so that its "
               "emulator holds all of that whatever its balloon says: it is counted with all of "
               "it and never asked for anything.";
    case OBSTACLE_ENCRYPTED:
        return "Its memory is encrypted (launchSecurity), so that its emulator holds all of that "
               "whatever its balloon says: it is counted with all of it and never asked for "
               "anything.";
    case OBSTACLE_LOCKED:
        return "Its memory is locked, so that its emulator holds all of that whatever its balloon "
               "says: it is counted with all of it and never asked for anything.";
    }
    return "It has no balloon, so its size cannot be changed: it is counted with all of it.";
}

static const char *explain_job(enum domain_job job)
{
    switch (job) {
    case JOB_NONE:
        break;
    case JOB_LEAVES:
        return "It is migrating to another host: a request for its size would wait until that is "
               "over, so it is read and left alone.";
    case JOB_ARRIVES:
        return "It is migrating from another host: it is counted at the size that it has there, "
               "and left alone until it runs here.";
    case JOB_STARTS:
        return "It is being started: it is counted at the size that it is to have, and left alone "
               "until it runs.";
    case JOB_SAVES:
        return "Its state is being saved, dumped or taken as a snapshot: a request for its size "
               "would wait until that is over, so it is left alone.";
    }
    return "It is busy: a request for its size would wait until that is over, so it is left alone.";
}

const char *explain_reason(const struct domain *domain, enum policy_reason reason)
{
    switch (reason) {
    case POLICY_SETTLED:
        return "It has what it should have, or is near enough to it.";
    case POLICY_NEEDS:
        return "It has less than its headroom unused, so it is to grow.";
    case POLICY_STARVING:
        return "It is starving: less is unused than must always be, or it swaps in, so it comes "
               "before all others that grow.";
    case POLICY_CACHES:
        return "It has its headroom, but its page cache would use more: it gets that when all "
               "others have what they need.";
    case POLICY_SPARE:
        return "It has more than its headroom unused, so it is to give the rest back to the host.";
    case POLICY_DONATES:
        return "Others have less unused than it, or the host is short, so it is to give some.";
    case POLICY_LEFT:
        return "The coordinator is about to end, and brings it to the size it is to be left with "
               "(--on-exit).";
    case POLICY_NO_BALLOON:
        return explain_obstacle(domain->obstacle);
    case POLICY_UNMANAGED:
        return "It is set not to be managed: it is counted at its size and never asked for "
               "anything.";
    case POLICY_FROZEN:
        return "Its emulator does not answer: it is counted at its last size, and asked again as "
               "soon as libvirt says that it is back.";
    case POLICY_UNREAD:
        return "It could not be read in this cycle: it is counted at its last size, and read again "
               "in the next.";
    case POLICY_BUSY:
        return explain_job(domain->job);
    case POLICY_PAUSED:
        return "It is paused: a guest that does not run cannot follow, and will want its memory "
               "back when it does.";
    case POLICY_NO_NEWS:
        return "It does not report what it uses, and without news nothing is changed.";
    case POLICY_STALE:
        return "Its last report is too old to decide on, and without news nothing is changed.";
    case POLICY_IMPOSSIBLE:
        return "Its report contradicts itself, and is dropped: nothing is changed on the word of a "
               "guest that cannot be right.";
    case POLICY_STUCK:
        return "Its balloon has not moved as asked for 5 s: it is left alone for a while, so that "
               "nobody waits for it, and then tried again.";
    }
    return "";
}

const char *explain_bound(enum policy_bound bound)
{
    switch (bound) {
    case POLICY_UNBOUND:
        return "Nothing stood in the way of that.";
    case POLICY_BOUND_MIN:
        return "Its minimum held it: it is not asked to go below.";
    case POLICY_BOUND_MAX:
        return "Its maximum held it: it cannot get more.";
    case POLICY_BOUND_POOL:
        return "The host's pool held it: no more is there that is promised to nobody else.";
    case POLICY_BOUND_SHARE:
        return "Its share held it: whatever it was given, it has had nothing to show for it, so "
               "that it gets no more than its part by shares before all others have enough.";
    case POLICY_BOUND_CACHE:
        return "It has as much page cache as is fed: that stops when a guest has twice what it "
               "needs, and its headroom.";
    case POLICY_BOUND_UNTOUCHED:
        return "Not all that it claims is believed: it says that it uses more than its emulator "
               "has ever held.";
    case POLICY_BOUND_DEAD_BAND:
        return "What it lacks is too little to be worth a call.";
    case POLICY_BOUND_GRADUAL:
        return "It gives in steps: at most 3/16 of its size in any two seconds.";
    case POLICY_BOUND_IN_FLIGHT:
        return "Its balloon is still on its way to what it was asked for last, and is waited for.";
    case POLICY_BOUND_SWAPPING:
        return "It has swapped in of late, so it is spared for a while unless others have less "
               "than R.";
    case POLICY_BOUND_GRACE:
        return "It has not been seen at rest yet, and nothing is taken from a guest that is not "
               "known.";
    case POLICY_BOUND_HOST:
        return "The host does not say what memory it has, so nothing is moved.";
    }
    return "";
}

/* ---- the paragraphs ---- */

static void tell_size(struct teller *teller)
{
    const struct domain *domain = teller->domain;
    uint64_t actual = domain->actual_kib.value;
    if (!domain->actual_kib.known)
        say(teller, "Its size is not known now; it is counted with %s.",
            size(teller, teller->decision->from_kib));
    else if (domain->max_kib > actual && teller->decision->from_kib == domain->max_kib &&
             teller->decision->reason == POLICY_NO_BALLOON)
        say(teller, "Its balloon leaves it %s; it is counted with its maximum of %s.",
            size(teller, actual), size(teller, domain->max_kib));
    else if (domain->max_kib > actual)
        say(teller, "It has %s; the rest of its maximum of %s is in its balloon.",
            size(teller, actual), size(teller, domain->max_kib));
    else
        say(teller, "It has %s, all it can have.", size(teller, actual));
    end_paragraph(teller, "Size");
}

/* What is usable is less than what is unused where the guest's kernel keeps some back. */
static void tell_usable(struct teller *teller)
{
    const struct domain *domain = teller->domain;
    if (!domain->usable_kib.known)
        say(teller, "(what is usable it does not say).");
    else if (domain->usable_kib.value < domain->unused_kib.value)
        say(teller, "and %s usable; its kernel keeps the rest back.",
            size(teller, domain->usable_kib.value));
    else
        say(teller, "and %s usable, page cache included.", size(teller, domain->usable_kib.value));
}

static void tell_report(struct teller *teller)
{
    char age[STATUS_SIZE_BYTES];
    const struct domain *domain = teller->domain;
    int64_t wall_sec = teller->view->snapshot->wall_sec;
    uint64_t now_sec = wall_sec > 0 ? (uint64_t)wall_sec : 0;
    if (!domain->unused_kib.known || domain->last_update_sec.value == 0) {
        say(teller, "It has not reported what it uses.");
    } else {
        uint64_t age_sec = subtract_to_zero(now_sec, domain->last_update_sec.value);
        say(teller,
            "Its last report was %s old when this was decided: %s unused of the %s that it "
            "sees",
            status_age((int64_t)min_u64(age_sec, INT64_MAX), age),
            size(teller, domain->unused_kib.value), size(teller, domain->available_kib.value));
        tell_usable(teller);
    }
    if (teller->memory->swapping_kib > 0)
        say(teller, "It had swapped in %s since the one before.",
            size(teller, teller->memory->swapping_kib));
    end_paragraph(teller, "Report");
}

/* What is counted, where that is not what it claims to need. */
static void tell_counted(struct teller *teller)
{
    const struct policy_decision *decision = teller->decision;
    uint64_t needed = decision->needed_kib;
    if (needed > decision->claimed_kib && needed > teller->memory->steady_kib)
        say(teller, "Since it swaps in, %s are counted.", size(teller, needed));
    else if (decision->overclaims)
        say(teller, "Only %s of that are believed: its emulator has never held more.",
            size(teller, needed));
    else if (max_u64(needed, decision->claimed_kib) - min_u64(needed, decision->claimed_kib) >=
             KIB_PER_MIB)
        say(teller, "That goes to and fro: %s are counted.", size(teller, needed));
}

static void tell_need(struct teller *teller)
{
    const struct policy_decision *decision = teller->decision;
    uint64_t cache = subtract_to_zero(decision->used_kib, decision->claimed_kib);
    if (cache > 0)
        say(teller, "It uses %s, of which %s are page cache that it could drop: it needs %s.",
            size(teller, decision->used_kib), size(teller, cache),
            size(teller, decision->claimed_kib));
    else
        say(teller, "It needs %s.", size(teller, decision->claimed_kib));
    tell_counted(teller);
    if (teller->memory->rate_kib_per_sec >= KIB_PER_MIB)
        say(teller, "It grows by %s a second.", size(teller, teller->memory->rate_kib_per_sec));
    end_paragraph(teller, "Need");
}

static void tell_headroom(struct teller *teller)
{
    const struct policy_decision *decision = teller->decision;
    uint64_t beyond = subtract_to_zero(decision->headroom_kib, decision->least_kib);
    uint64_t unused = decision->unused_kib;
    say(teller, "It should have %s unused: %s that must always be (R), and %s for what it",
        size(teller, decision->headroom_kib), size(teller, decision->least_kib),
        size(teller, beyond));
    say(teller,
        decision->growth_kib >= beyond ? "will have grown by" : "could suddenly begin to take");
    say(teller,
        "when the next decision reaches it, after an interval of %g s, a report (every %u "
        "s) and its balloon's way.",
        (double)teller->view->policy.interval_usec / USEC_PER_SEC, teller->domain->period_sec);
    if (unused < decision->headroom_kib)
        say(teller, "It has %s: %s too little.", size(teller, unused),
            size(teller, decision->headroom_kib - unused));
    else
        say(teller, "It has %s: %s more than that.", size(teller, unused),
            size(teller, unused - decision->headroom_kib));
    end_paragraph(teller, "Headroom");
}

static const char *why_withheld(const struct coordinator_view *view)
{
    if (view->is_dry_run)
        return "this is a dry run";
    return view->is_paused ? "the coordinator is paused"
                           : "it has turned out to be busy, with a migration or the like";
}

static void tell_request(struct teller *teller)
{
    const struct policy_decision *decision = teller->decision;
    uint64_t from = decision->from_kib;
    uint64_t target = decision->target_kib;
    const char *by = target > from ? "more" : "less";
    const char *difference = size(teller, target > from ? target - from : from - target);
    const char *wanted = size(teller, target);
    if (decision->action == POLICY_HOLD) {
        say(teller, "It stays at %s.", wanted);
        return;
    }
    switch (teller->request) {
    case COORDINATOR_NONE:
        say(teller, "It was to be asked for %s, %s %s; the cycle ended before.", wanted, difference,
            by);
        break;
    case COORDINATOR_MADE:
        say(teller, "Its balloon was asked for %s, %s %s.", wanted, difference, by);
        break;
    case COORDINATOR_REFUSED:
        say(teller, "The hypervisor has refused to ask it for %s, %s %s.", wanted, difference, by);
        break;
    case COORDINATOR_UNANSWERED:
        say(teller, "Its balloon was asked for %s, %s %s; the hypervisor has not answered in time.",
            wanted, difference, by);
        break;
    case COORDINATOR_WITHHELD:
        say(teller, "It would be asked for %s, %s %s; %s, nothing is.", wanted, difference, by,
            why_withheld(teller->view));
        break;
    }
}

static void tell_decision(struct teller *teller)
{
    say(teller, "%s", explain_reason(teller->domain, teller->decision->reason));
    tell_request(teller);
    end_paragraph(teller, "Decision");
}

/* What held it. One that rests at its minimum is held by that, although nothing was decided. */
static enum policy_bound bound_of(const struct policy_decision *decision)
{
    bool rests_at_min = decision->reason == POLICY_SETTLED &&
                        decision->from_kib <= decision->min_kib &&
                        decision->unused_kib > decision->headroom_kib;
    return decision->bound == POLICY_UNBOUND && rests_at_min ? POLICY_BOUND_MIN : decision->bound;
}

/* The bound's figures. */
static void tell_bound(struct teller *teller)
{
    const struct policy_decision *decision = teller->decision;
    enum policy_bound bound = bound_of(decision);
    say(teller, "%s", explain_bound(bound));
    switch (bound) {
    case POLICY_BOUND_MIN:
        say(teller, "That is %s.", size(teller, decision->min_kib));
        break;
    case POLICY_BOUND_MAX:
        say(teller, "That is %s.", size(teller, decision->max_kib));
        break;
    case POLICY_BOUND_POOL:
        say(teller, "It would have had %s.", size(teller, decision->ceiling_kib));
        break;
    case POLICY_BOUND_SHARE:
        say(teller, "With its %" PRIu64 " shares that is %s.", decision->shares,
            size(teller, decision->fair_kib));
        break;
    case POLICY_BOUND_UNTOUCHED:
        say(teller, "It claims %s; the emulator holds %s.", size(teller, decision->claimed_kib),
            size(teller, decision->rss_kib));
        break;
    case POLICY_UNBOUND:
    case POLICY_BOUND_CACHE:
    case POLICY_BOUND_DEAD_BAND:
    case POLICY_BOUND_GRADUAL:
    case POLICY_BOUND_IN_FLIGHT:
    case POLICY_BOUND_SWAPPING:
    case POLICY_BOUND_GRACE:
    case POLICY_BOUND_HOST:
        break;
    }
    end_paragraph(teller, "Bound");
}

static const char *host_text(enum policy_host_state state)
{
    switch (state) {
    case POLICY_HOST_HIGH:
        return "has its reserve";
    case POLICY_HOST_SOFT:
        return "is below its reserve, so that nothing grows";
    case POLICY_HOST_HARD:
        return "is far below its reserve, so that nothing grows and all give what they can";
    case POLICY_HOST_LOW:
        return "has next to nothing left, so that nothing grows and page cache is given, too";
    }
    return "";
}

/* What pressure has made of it apart. */
static enum policy_host_state state_by_memory(const struct policy_host *host)
{
    bool is_worse =
        host->is_pressed && host->state > POLICY_HOST_HIGH && host->state < POLICY_HOST_LOW;
    return is_worse ? host->state - 1 : host->state;
}

static void tell_host(struct teller *teller)
{
    const struct coordinator_view *view = teller->view;
    const struct host *host = &view->snapshot->host;
    uint64_t promised = status_promised_kib(view);
    uint64_t pool = view->host.pool_kib;
    if (!host->has_memory) {
        say(teller, "The host does not say what memory it has.");
        end_paragraph(teller, "Host");
        return;
    }
    say(teller, "The host has %s of %s available and %s (%s).", size(teller, host->available_kib),
        size(teller, host->total_kib), host_text(state_by_memory(&view->host)),
        size(teller, view->policy.host_reserve_kib));
    if (view->host.is_pressed)
        say(teller,
            "But all of its tasks that had work waited for memory %" PRIu64
            " %% of the last 10 s, so that it is treated as if it had less.",
            host->full_permyriad.value / 100);
    say(teller,
        "All guests together can have %s, the pool; %s are promised, the emulators' own "
        "memory included, and %s are free.",
        size(teller, pool), size(teller, promised), size(teller, subtract_to_zero(pool, promised)));
    if (host->reserved_kib > 0)
        say(teller,
            "Beside the pool %s are reserved for guests that are to start; %s of that are not free "
            "yet, and asked of who has them.",
            size(teller, host->reserved_kib), size(teller, view->host.unmet_kib));
    say(teller, "That leaves each guest %s unused, the level, for every 1000 shares.",
        size(teller, view->host.level_kib));
    end_paragraph(teller, "Host");
}

/* ---- what would change it ---- */

/* What it lacks of what it should have. */
static uint64_t lacking_kib(const struct policy_decision *decision)
{
    uint64_t wanted = add_saturated(decision->needed_kib, decision->headroom_kib);
    if (policy_is_held(decision->reason))
        return 0;
    return subtract_to_zero(min_u64(wanted, decision->max_kib), decision->from_kib);
}

/* What the host would have to have more for all to have what they should have. */
static uint64_t lacking_together_kib(const struct coordinator_view *view)
{
    uint64_t lacking = 0;
    for (size_t i = 0; i < view->snapshot->count; i++)
        lacking = add_saturated(lacking, lacking_kib(&view->decisions[i]));
    uint64_t pool = view->host.pool_kib;
    return subtract_to_zero(lacking, subtract_to_zero(pool, status_promised_kib(view)));
}

/* `memory_coordinator set NAME KEY=VALUE` */
static void advise(struct teller *teller, const char *effect, const char *setting)
{
    char name[TEXT_BYTES];
    text_fit(teller->domain->name, DOMAIN_NAME_BYTES, TEXT_CUT_END, name);
    say(teller, "%s: memory_coordinator set %s %s.", effect, name, setting);
}

static const char *advice_about_obstacle(enum domain_obstacle obstacle)
{
    switch (obstacle) {
    case OBSTACLE_NONE:
    case OBSTACLE_NO_BALLOON:
        break;
    case OBSTACLE_VIRTIO_MEM:
        return "A definition without <memory model='virtio-mem'>, from its next start on.";
    case OBSTACLE_HUGE_PAGES:
        return "A definition without <hugepages/>, from its next start on.";
    case OBSTACLE_DEVICE:
        return "A definition without that device; with virsh detach-device at once.";
    case OBSTACLE_ENCRYPTED:
        return "A definition without <launchSecurity>, from its next start on.";
    case OBSTACLE_LOCKED:
        return "A definition without <locked/>, from its next start on.";
    }
    return "A virtio balloon in its definition (<memballoon model='virtio'/>), from its next start "
           "on.";
}

static void advise_about_held(struct teller *teller)
{
    switch (teller->decision->reason) {
    case POLICY_NO_BALLOON:
        say(teller, "%s", advice_about_obstacle(teller->domain->obstacle));
        break;
    case POLICY_UNMANAGED:
        advise(teller, "It is managed after", "managed=yes");
        break;
    case POLICY_FROZEN:
        say(teller, "Its emulator answering again; it may be stopped, or be waiting for a disk.");
        break;
    case POLICY_UNREAD:
        say(teller, "%s.",
            *domain_trouble(teller->domain) != '\0' ? "What failed was said in the log"
                                                    : "The next cycle reads it again");
        break;
    case POLICY_BUSY:
        say(teller, "The end of that; virsh domjobinfo DOMAIN%s tells how far it is.",
            teller->domain->job == JOB_ARRIVES ? " on the other host" : "");
        break;
    case POLICY_PAUSED:
        say(teller, "virsh resume.");
        break;
    case POLICY_NO_NEWS:
        say(teller, "Its balloon driver must be up, and its statistics on (virsh dommemstat DOMAIN "
                    "--period 1 --live); a dry run does not switch them on.");
        break;
    case POLICY_STALE:
        say(teller, "A new report; its balloon driver may be gone, or the guest hang.");
        break;
    case POLICY_IMPOSSIBLE:
        say(teller, "A report that can be right: virsh dommemstat shows what it says.");
        break;
    case POLICY_STUCK:
        say(teller,
            "Its balloon moving again; a guest that has no free page left cannot give one.");
        break;
    default:
        break;
    }
}

static void advise_about_pool(struct teller *teller)
{
    uint64_t lacking = lacking_together_kib(teller->view);
    if (lacking > 0)
        say(teller,
            "All would have what they should have if the host had %s more, or kept so much "
            "less in reserve (--host-reserve).",
            size(teller, lacking));
    else
        say(teller, "It grows as soon as what others give has arrived.");
    advise(teller, "More shares give it a larger part of what is scarce", "shares=2000");
}

static void advise_about_max(struct teller *teller)
{
    if (teller->limits->max_kib < teller->domain->max_kib)
        advise(teller, "It could have more with a higher maximum", "max=SIZE");
    else
        say(teller,
            "Its own definition bounds it; virsh setmaxmem DOMAIN SIZE --config raises that "
            "from its next start on.");
}

/* What would make it grow, and what give, where it has what it should have. */
static void advise_about_balance(struct teller *teller)
{
    const struct policy_decision *decision = teller->decision;
    if (decision->action != POLICY_HOLD)
        say(teller, "Nothing has to: with that it has what it should have.");
    else
        say(teller, "It would grow if it needed more than %s, and give if it needed clearly less.",
            size(teller, subtract_to_zero(decision->from_kib, decision->headroom_kib)));
    advise(teller, "It always has at least what is set with", "min=SIZE");
}

static void advise_about_bound(struct teller *teller)
{
    const struct policy_decision *decision = teller->decision;
    switch (bound_of(decision)) {
    case POLICY_UNBOUND:
        advise_about_balance(teller);
        break;
    case POLICY_BOUND_MIN:
        advise(teller, "It would give more with a lower minimum", "min=SIZE");
        break;
    case POLICY_BOUND_MAX:
        advise_about_max(teller);
        break;
    case POLICY_BOUND_POOL:
        advise_about_pool(teller);
        break;
    case POLICY_BOUND_SHARE:
        advise(teller, "More shares give it more", "shares=2000");
        break;
    case POLICY_BOUND_CACHE:
        advise(teller, "It gets more with a larger headroom", "headroom=SIZE");
        break;
    case POLICY_BOUND_UNTOUCHED:
        say(teller, "It is believed as soon as its emulator holds as much as it claims.");
        break;
    case POLICY_BOUND_DEAD_BAND:
        say(teller, "It is asked once the difference is more than 8 MiB and 1 %% of its size.");
        break;
    case POLICY_BOUND_GRADUAL:
        say(teller, "It goes on with the next cycles, in the end to %s if nothing changes.",
            size(teller, decision->wish_kib));
        break;
    case POLICY_BOUND_IN_FLIGHT:
        say(teller, "Its balloon arriving at %s, or stopping for 5 s.",
            size(teller, decision->from_kib));
        break;
    case POLICY_BOUND_SWAPPING:
        advise(teller, "Time; against swapping helps more memory", "min=SIZE");
        break;
    case POLICY_BOUND_GRACE:
        say(teller, "A few seconds in which its balloon does not move.");
        break;
    case POLICY_BOUND_HOST:
        say(teller, "libvirt telling the host's memory again (virsh nodememstats).");
        break;
    }
}

static void tell_change(struct teller *teller)
{
    if (policy_is_held(teller->decision->reason))
        advise_about_held(teller);
    else
        advise_about_bound(teller);
    end_paragraph(teller, "Change");
}

/* ---- the others ---- */

static void tell_other(FILE *out, const struct coordinator_view *view, size_t i,
                       struct status_unit unit)
{
    char name[TEXT_BYTES];
    char text[4][STATUS_SIZE_BYTES];
    const struct domain *domain = &view->snapshot->domains[i];
    const struct policy_decision *decision = &view->decisions[i];
    bool is_held = policy_is_held(decision->reason);
    text_fit(domain->name, NAME_COLUMNS, TEXT_CUT_MIDDLE, name);
    fprintf(out, "%*s", LABEL_COLUMNS, "");
    text_write_padded(out, name, NAME_COLUMNS, false);
    fprintf(out, " %8s %8s %8s %8s  %s\n", status_size(unit, decision->from_kib, text[0]),
            status_size(unit, is_held ? UINT64_MAX : decision->unused_kib, text[1]),
            status_size(unit, is_held ? UINT64_MAX : decision->headroom_kib, text[2]),
            status_size(unit, decision->target_kib, text[3]),
            status_state_name(status_of(domain, decision)));
}

static void tell_others(FILE *out, const struct coordinator_view *view, size_t who,
                        const size_t *order, struct status_unit unit)
{
    size_t told = 0;
    fprintf(out, "%-*s%-*s %8s %8s %8s %8s  %s\n", LABEL_COLUMNS, "Others", NAME_COLUMNS, "", "has",
            "unused", "should", "target", "state");
    for (size_t i = 0; i < view->snapshot->count && told < OTHERS_MOST; i++) {
        if (order[i] == who)
            continue;
        tell_other(out, view, order[i], unit);
        told++;
    }
    if (told + 1 < view->snapshot->count)
        fprintf(out, "%*sand %zu more\n", LABEL_COLUMNS, "", view->snapshot->count - 1 - told);
}

/* ---- the public face ---- */

static void format_uuid(const uint8_t uuid[DOMAIN_UUID_BYTES], char text[UUID_TEXT_BYTES])
{
    for (size_t i = 0; i < DOMAIN_UUID_BYTES; i++) {
        bool has_dash = i == 4 || i == 6 || i == 8 || i == 10;
        text += sprintf(text, "%s%02x", has_dash ? "-" : "", uuid[i]);
    }
}

static void tell_who(struct teller *teller, const struct status_source *source)
{
    char name[TEXT_BYTES];
    char uuid[UUID_TEXT_BYTES];
    text_fit(teller->domain->name, DOMAIN_NAME_BYTES, TEXT_CUT_END, name);
    format_uuid(teller->domain->uuid, uuid);
    fprintf(teller->out, "%s is %s (id %d, UUID %s)\n", name,
            status_state_name(status_of(teller->domain, teller->decision)), teller->domain->id,
            uuid);
    status_write_head(teller->out, teller->view, source);
    fputc('\n', teller->out);
}

static void tell_all(struct teller *teller)
{
    bool is_held = policy_is_held(teller->decision->reason);
    bool is_left = teller->decision->reason == POLICY_LEFT;
    tell_size(teller);
    tell_report(teller);
    if (!is_held)
        tell_need(teller);
    if (!is_held && !is_left)
        tell_headroom(teller);
    tell_decision(teller);
    if (!is_held)
        tell_bound(teller);
    tell_change(teller);
    tell_host(teller);
}

int explain_write(FILE *out, const struct coordinator_view *view, size_t i,
                  const struct status_source *source, size_t columns)
{
    struct teller teller = {
        .out = out,
        .view = view,
        .domain = &view->snapshot->domains[i],
        .limits = &view->limits[i],
        .memory = &view->memory[i],
        .decision = &view->decisions[i],
        .request = view->requests[i],
        .unit = status_unit(view),
        .columns = min_u64(columns != 0 ? columns : USUAL_COLUMNS, MOST_COLUMNS),
    };
    size_t *order = status_sort(view, STATUS_BY_NEED);
    if (order == NULL)
        return -ENOMEM;
    tell_who(&teller, source);
    tell_all(&teller);
    if (view->snapshot->count > 1)
        tell_others(out, view, i, order, teller.unit);
    free(order);
    return 0;
}

/* ---- whom ---- */

/* How far WORD, dashes apart, is how the UUID begins: all of it, a part, not at all. */
enum match { MATCH_NONE, MATCH_PART, MATCH_WHOLE };

static enum match match_text(const char *text, const char *word)
{
    size_t length = strlen(word);
    if (length == 0 || strncasecmp(text, word, length) != 0)
        return MATCH_NONE;
    return text[length] == '\0' ? MATCH_WHOLE : MATCH_PART;
}

static enum match match_uuid(const struct domain *domain, const char *word)
{
    char uuid[UUID_TEXT_BYTES];
    char dashed[UUID_TEXT_BYTES] = "";
    size_t length = 0;
    format_uuid(domain->uuid, uuid);
    for (; *word != '\0' && length < UUID_TEXT_BYTES - 1; word++) {
        if (uuid[length] == '-' && *word != '-')
            dashed[length++] = '-';
        if (length < UUID_TEXT_BYTES - 1)
            dashed[length++] = *word;
    }
    return *word == '\0' ? match_text(uuid, dashed) : MATCH_NONE;
}

static enum match match_id(const struct domain *domain, const char *word)
{
    char id[STATUS_SIZE_BYTES];
    snprintf(id, sizeof(id), "%d", domain->id);
    return strcmp(id, word) == 0 ? MATCH_WHOLE : MATCH_NONE;
}

static enum match match_name(const struct domain *domain, const char *word)
{
    size_t length = strlen(word);
    if (length == 0 || strncmp(domain->name, word, length) != 0)
        return MATCH_NONE;
    return domain->name[length] == '\0' ? MATCH_WHOLE : MATCH_PART;
}

/* Counts the domains that WORD matches so far by MATCH, and finds the last of them. */
static size_t count_matches(const struct snapshot *snapshot, const char *word, enum match wanted,
                            enum match (*match)(const struct domain *domain, const char *word),
                            size_t *ret_index)
{
    size_t count = 0;
    for (size_t i = 0; i < snapshot->count; i++) {
        if (match(&snapshot->domains[i], word) < wanted)
            continue;
        *ret_index = i;
        count++;
    }
    return count;
}

/* "no domain 'x'; there are a, b, c": those that MATCH, or all where it is NULL; by name. */
static void list_names(const struct coordinator_view *view, const char *word,
                       enum match (*match)(const struct domain *domain, const char *word),
                       char error[EXPLAIN_ERROR_BYTES])
{
    size_t length = strlen(error);
    size_t told = 0;
    size_t *order = status_sort(view, STATUS_BY_NAME);
    if (order == NULL)
        return;
    for (size_t i = 0; i < view->snapshot->count && length < EXPLAIN_ERROR_BYTES / 2; i++) {
        const struct domain *domain = &view->snapshot->domains[order[i]];
        char name[TEXT_BYTES];
        if (match != NULL && match(domain, word) == MATCH_NONE)
            continue;
        text_fit(domain->name, NAME_COLUMNS, TEXT_CUT_MIDDLE, name);
        length += (size_t)snprintf(error + length, EXPLAIN_ERROR_BYTES - length, "%s %s",
                                   told++ > 0 ? "," : "", name);
    }
    if (told == 0)
        snprintf(error + length, EXPLAIN_ERROR_BYTES - length, " none");
    else if (length >= EXPLAIN_ERROR_BYTES / 2)
        snprintf(error + length, EXPLAIN_ERROR_BYTES - length, ", ...");
    free(order);
}

int explain_find(const struct coordinator_view *view, const char *word, size_t *ret_index,
                 char error[EXPLAIN_ERROR_BYTES])
{
    static const struct {
        enum match wanted;
        enum match (*match)(const struct domain *domain, const char *word);
    } ways[] = {{MATCH_WHOLE, match_name},
                {MATCH_WHOLE, match_id},
                {MATCH_WHOLE, match_uuid},
                {MATCH_PART, match_name},
                {MATCH_PART, match_uuid}};
    char shown[TEXT_BYTES];
    text_fit(word, (size_t)3 * NAME_COLUMNS, TEXT_CUT_END, shown);
    for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
        size_t index;
        size_t count = count_matches(view->snapshot, word, ways[i].wanted, ways[i].match, &index);
        if (count == 1) {
            *ret_index = index;
            return 0;
        }
        if (count > 1) {
            snprintf(error, EXPLAIN_ERROR_BYTES, "'%.300s' could be:", shown);
            list_names(view, word, ways[i].match, error);
            return -ENOTUNIQ;
        }
    }
    snprintf(error, EXPLAIN_ERROR_BYTES, "no domain '%.300s' runs; those that do:", shown);
    list_names(view, word, NULL, error);
    return -ENOENT;
}
