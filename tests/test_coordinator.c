/* test_coordinator.c - the cycle, around a hypervisor that can be made to fail. */
#include "coordinator.h"
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { GUESTS = 4, CALLS = 64, DEAD = 77 };

static const uint64_t UNSEEN_KIB = 69 * MIB;

struct guest {
    bool running;
    bool silent; /* does not report */
    bool frozen; /* its emulator does not answer */
    bool slow;   /* its balloon does not move */
    enum domain_job job;
    int id;
    uint64_t actual_kib;
    uint64_t used_kib;
    const char *trouble;
    struct settings settings;
    const char *settings_error;
    void (*lie)(struct domain *domain, uint64_t now_sec); /* what it reports instead; NULL: none */
};

/* A host whose guests do at once what they are asked for. */
struct fake {
    struct guest guests[GUESTS];
    uint64_t available_kib;
    uint64_t now_sec;
    uint64_t delay_sec; /* of the next read */

    int connect_result;
    int read_result;
    size_t refused;       /* index of the guest that set_memory fails for; GUESTS: none */
    size_t gone;          /* and of the one at which the connection turns out to be gone */
    size_t hung;          /* and of the one for which it does not answer in time */
    size_t busy;          /* and of the one that has begun to migrate since it was read */
    size_t deadly;        /* and of the one whose request ends the process */
    bool is_deadly;       /* the end of the next read is, */
    bool is_deadly_later; /* or a moment after it */
    unsigned int stop_after;
    bool silent_host; /* does not say what it has */
    struct figure full_permyriad;
    struct host_node nodes[2]; /* where node_count is 2 */
    size_t node_count;

    bool is_list_kept;     /* at the last read; */
    size_t to_start;       /* and how many domains were left out for that */
    unsigned int look_ups; /* domains that were known and are to be looked up again */
    unsigned int connects;
    unsigned int reads;
    size_t called[CALLS]; /* guests that were asked, in order */
    uint64_t targets_kib[CALLS];
    size_t calls;
};

static int fake_connect(void *self, char error[HYPERVISOR_ERROR_BYTES])
{
    struct fake *fake = self;
    fake->connects++;
    strcpy(error, "nobody there");
    return fake->connect_result;
}

static void fill_domain(const struct fake *fake, size_t i, struct domain *domain)
{
    const struct guest *guest = &fake->guests[i];
    *domain = (struct domain){
        .uuid = {(uint8_t)(i + 1)},
        .id = guest->id,
        .is_known = true,
        .is_running = true,
        .has_balloon = true,
        .max_kib = 2048 * MIB,
        .period_sec = 1,
        .is_frozen = guest->frozen,
        .job = guest->job,
        .current_kib = guest->actual_kib,
        .actual_kib = {!guest->frozen, guest->actual_kib},
        .rss_kib = {true, guest->actual_kib},
        .settings = guest->settings,
    };
    snprintf(domain->name, sizeof(domain->name), "vm%zu", i + 1);
    if (guest->job == JOB_ARRIVES)
        domain->actual_kib = domain->rss_kib = (struct figure){0};
    if (guest->silent || guest->frozen || guest->job == JOB_ARRIVES)
        return;
    domain->available_kib = (struct figure){true, guest->actual_kib - UNSEEN_KIB};
    domain->unused_kib = (struct figure){true, guest->actual_kib - guest->used_kib};
    domain->last_update_sec = (struct figure){true, fake->now_sec};
    domain->usable_kib = domain->unused_kib;
    domain->swap_in_kib = domain->major_faults = (struct figure){true, 1000};
    if (guest->lie != NULL)
        guest->lie(domain, fake->now_sec);
}

static void give_remarks(const struct guest *guest, struct snapshot *now, size_t index)
{
    struct domain_remarks remarks = {.trouble = ""};
    if (guest->trouble != NULL)
        strcpy(remarks.trouble, guest->trouble);
    if (guest->settings_error != NULL)
        strcpy(remarks.settings_error, guest->settings_error);
    now->domains[index].remarks = &remarks;
    snapshot_keep_remarks(now, index);
}

static int fake_read(void *self, const struct snapshot *before, struct snapshot *now,
                     char error[HYPERVISOR_ERROR_BYTES])
{
    struct fake *fake = self;
    fake->reads++;
    fake->now_sec += fake->delay_sec;
    fake->delay_sec = 0;
    fake->is_list_kept = before->is_list_kept;
    fake->to_start = 0;
    for (size_t i = 0; i < before->count; i++) {
        fake->look_ups += !before->domains[i].is_known;
        fake->to_start += before->domains[i].is_to_start;
    }
    if (fake->read_result != 0) {
        strcpy(error, "all is lost");
        return fake->read_result;
    }
    ck_assert_int_eq(snapshot_reserve(now, GUESTS), 0);
    now->host = (struct host){.has_memory = !fake->silent_host,
                              .total_kib = 16 * GIB,
                              .available_kib = fake->available_kib,
                              .full_permyriad = fake->full_permyriad,
                              .nodes = {fake->nodes[0], fake->nodes[1]},
                              .node_count = fake->node_count};
    for (size_t i = 0; i < GUESTS; i++) {
        if (!fake->guests[i].running)
            continue;
        fill_domain(fake, i, &now->domains[now->count]);
        give_remarks(&fake->guests[i], now, now->count++);
    }
    if (fake->is_deadly)
        _exit(DEAD);
    return 0;
}

static int fake_set_memory(void *self, const struct domain *domain, uint64_t target_kib,
                           char error[HYPERVISOR_ERROR_BYTES])
{
    struct fake *fake = self;
    size_t guest = domain->uuid[0] - 1u;
    ck_assert_uint_lt(fake->calls, CALLS);
    if (guest == fake->deadly)
        _exit(DEAD);
    fake->called[fake->calls] = guest;
    fake->targets_kib[fake->calls++] = target_kib;
    if (guest == fake->refused) {
        strcpy(error, "refused");
        return -EIO;
    }
    if (guest == fake->busy) {
        fake->guests[guest].job = JOB_LEAVES;
        strcpy(error, "busy");
        return -EBUSY;
    }
    if (guest == fake->gone) {
        strcpy(error, "not connected");
        return -ENOTCONN;
    }
    if (guest == fake->hung) {
        strcpy(error, "no answer");
        return -EINPROGRESS;
    }
    if (!fake->guests[guest].slow)
        fake->guests[guest].actual_kib = target_kib;
    return 0;
}

static const struct hypervisor_operations operations = {
    .connect = fake_connect,
    .read = fake_read,
    .set_memory = fake_set_memory,
};

static bool fake_is_stopping(void *argument)
{
    const struct fake *fake = argument;
    return fake->calls >= fake->stop_after;
}

/* ---- the bench ---- */

static struct coordinator_time fake_time(void *argument)
{
    const struct fake *fake = argument;
    if (fake->is_deadly_later)
        _exit(DEAD);
    return (struct coordinator_time){fake->now_sec * SEC, (int64_t)fake->now_sec};
}

struct bench {
    struct fake fake;
    struct config config;
    struct log log;
    char *text;
    size_t text_size;
    struct coordinator *coordinator;
};

static struct bench *open_bench(bool dry_run)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    ck_assert_ptr_nonnull(bench);
    bench->fake = (struct fake){
        .available_kib = 8 * GIB,
        .now_sec = 1000,
        .refused = GUESTS,
        .hung = GUESTS,
        .busy = GUESTS,
        .gone = GUESTS,
        .deadly = GUESTS,
        .stop_after = CALLS,
    };
    for (size_t i = 0; i < GUESTS; i++)
        bench->fake.guests[i] = (struct guest){
            .running = true, .id = (int)i + 1, .actual_kib = 512 * MIB, .used_kib = 340 * MIB};
    bench->log = (struct log){.stream = open_memstream(&bench->text, &bench->text_size),
                              .level = LOG_LEVEL_INFO};
    bench->config = config_default();
    bench->config.policy.interval_usec = SEC;
    struct coordinator_config config = {
        .config = &bench->config,
        .dry_run = dry_run,
        .uri = "fake:///",
        .is_stopping = fake_is_stopping,
        .time_now = fake_time,
        .argument = &bench->fake,
    };
    bench->coordinator = coordinator_new(&config, &bench->log, &operations, &bench->fake);
    ck_assert_ptr_nonnull(bench->coordinator);
    char error[HYPERVISOR_ERROR_BYTES];
    ck_assert_int_eq(coordinator_connect(bench->coordinator, error), 0);
    return bench;
}

static void close_bench(struct bench *bench)
{
    coordinator_free(bench->coordinator);
    config_release(&bench->config);
    fclose(bench->log.stream);
    free(bench->text);
    free(bench);
}

static int cycle(struct bench *bench)
{
    bench->fake.now_sec++;
    struct coordinator_time time = {bench->fake.now_sec * SEC, (int64_t)bench->fake.now_sec};
    return coordinator_cycle(bench->coordinator, time);
}

static int leave(struct bench *bench)
{
    bench->fake.now_sec++;
    struct coordinator_time time = {bench->fake.now_sec * SEC, (int64_t)bench->fake.now_sec};
    return coordinator_leave(bench->coordinator, POLICY_RESTORE, time);
}

static void run_cycles(struct bench *bench, unsigned int cycles)
{
    while (cycles-- > 0)
        cycle(bench);
}

/* How often WHAT was said since the bench was opened. */
static unsigned int times_said(struct bench *bench, const char *what)
{
    unsigned int times = 0;
    fflush(bench->log.stream);
    for (const char *at = bench->text; (at = strstr(at, what)) != NULL; at++)
        times++;
    return times;
}

/* ---- acting ---- */

/* After some cycles of rest: two who need memory, and two who have it. */
static struct bench *open_bench_with_donors(void)
{
    struct bench *bench = open_bench(false);
    run_cycles(bench, 3);
    ck_assert_uint_eq(bench->fake.calls, 0);    /* all have what they should have */
    bench->fake.guests[0].used_kib = 400 * MIB; /* needs more */
    bench->fake.guests[1].used_kib = 480 * MIB; /* starves */
    bench->fake.guests[2].actual_kib = 900 * MIB;
    bench->fake.guests[3].actual_kib = 900 * MIB;
    return bench;
}

START_TEST(asks_donors_first_then_who_starves)
{
    struct bench *bench = open_bench_with_donors();
    run_cycles(bench, 1);
    ck_assert_uint_eq(bench->fake.calls, 4);
    ck_assert_uint_eq(bench->fake.called[0], 2);
    ck_assert_uint_eq(bench->fake.called[1], 3);
    ck_assert_uint_eq(bench->fake.called[2], 1);
    ck_assert_uint_eq(bench->fake.called[3], 0);
    close_bench(bench);
}
END_TEST

START_TEST(says_each_action_once)
{
    struct bench *bench = open_bench(false);
    run_cycles(bench, 2);
    bench->fake.guests[0].used_kib = 480 * MIB;
    run_cycles(bench, 5);
    ck_assert_uint_eq(bench->fake.calls, 1);
    ck_assert_uint_eq(times_said(bench, "vm1: 512.0 -> 644.4 MiB: starving"), 1);
    ck_assert_uint_eq(times_said(bench, " -> "), 1);
    close_bench(bench);
}
END_TEST

START_TEST(a_refusal_is_said_and_changes_nothing_for_others)
{
    struct bench *bench = open_bench(false);
    run_cycles(bench, 2);
    bench->fake.guests[0].used_kib = 480 * MIB;
    bench->fake.guests[1].used_kib = 480 * MIB;
    bench->fake.refused = 0;
    run_cycles(bench, 1);
    ck_assert_uint_eq(bench->fake.calls, 2);
    ck_assert_uint_eq(bench->fake.guests[0].actual_kib, 512 * MIB);
    ck_assert_uint_gt(bench->fake.guests[1].actual_kib, 600 * MIB);
    ck_assert_uint_eq(times_said(bench, "vm1: refused"), 1);
    ck_assert_uint_eq(times_said(bench, "vm1: 512.0 -> "), 0); /* it did not happen */
    bench->fake.refused = GUESTS;
    run_cycles(bench, 1); /* asked again at once: a refused request is not on its way */
    ck_assert_uint_gt(bench->fake.guests[0].actual_kib, 600 * MIB);
    close_bench(bench);
}
END_TEST

/* It is found out with the request, which is not made; from then on it is known, and nobody asks.
 */
START_TEST(who_migrates_is_read_and_not_asked)
{
    struct bench *bench = open_bench(false);
    run_cycles(bench, 2);
    bench->fake.guests[0].used_kib = 480 * MIB;
    bench->fake.busy = 0;
    bench->fake.look_ups = 0;
    run_cycles(bench, 1);
    struct coordinator_view view = coordinator_view(bench->coordinator);
    ck_assert_int_eq(view.requests[0], COORDINATOR_WITHHELD);
    ck_assert_uint_eq(bench->fake.calls, 1);
    run_cycles(bench, 10);
    ck_assert_uint_eq(bench->fake.calls, 1);
    ck_assert_uint_eq(bench->fake.look_ups, 1);
    view = coordinator_view(bench->coordinator);
    ck_assert_int_eq(view.decisions[0].reason, POLICY_BUSY);
    ck_assert_uint_eq(view.memory[0].used_kib, 480 * MIB); /* what it uses is learnt all the same */
    ck_assert_uint_eq(times_said(bench, "busy"), 0);
    ck_assert_uint_eq(times_said(bench, "vm1: stays at 512.0 MiB: migrating to another host"), 1);
    bench->fake.guests[0].job = JOB_NONE; /* it has failed: the guest is still here */
    bench->fake.busy = GUESTS;
    run_cycles(bench, 1);
    ck_assert_uint_eq(times_said(bench, "vm1: what it was busy with is over"), 1);
    ck_assert_uint_eq(bench->fake.calls, 2);
    ck_assert_uint_gt(bench->fake.guests[0].actual_kib, 600 * MIB);
    close_bench(bench);
}
END_TEST

/* Figures that were learnt elsewhere, or before, are of no use: it begins anew. */
START_TEST(who_leaves_and_returns_is_new)
{
    struct bench *bench = open_bench(false);
    bench->fake.guests[0].used_kib = 480 * MIB;
    run_cycles(bench, 5);
    ck_assert_uint_ge(coordinator_view(bench->coordinator).memory[0].peak_kib, 480 * MIB);
    bench->fake.guests[0].running = false;
    run_cycles(bench, 1);
    ck_assert_uint_eq(times_said(bench, "vm1: not running any more"), 1);
    bench->fake.guests[0] = (struct guest){.running = true,
                                           .id = 77,
                                           .job = JOB_ARRIVES,
                                           .actual_kib = 700 * MIB,
                                           .used_kib = 300 * MIB};
    run_cycles(bench, 3);
    ck_assert_uint_eq(times_said(bench, "vm1: found, 700.0 MiB now"), 1);
    ck_assert_uint_eq(times_said(bench, "vm1: stays at 700.0 MiB: migrating from another host"), 1);
    struct coordinator_view view = coordinator_view(bench->coordinator);
    struct policy_memory nothing = {0};
    ck_assert_mem_eq(&view.memory[0], &nothing, sizeof(nothing));
    ck_assert_uint_eq(view.decisions[0].owed_kib, 700 * MIB); /* its size there */
    size_t calls = bench->fake.calls;
    bench->fake.guests[0].job = JOB_NONE;
    run_cycles(bench, 1);
    view = coordinator_view(bench->coordinator);
    ck_assert(view.memory[0].has_report && view.memory[0].peak_kib == 300 * MIB);
    ck_assert_uint_eq(bench->fake.calls, calls); /* not seen at rest yet */
    run_cycles(bench, 2);
    ck_assert_uint_gt(bench->fake.calls, calls); /* it has some to spare */
    close_bench(bench);
}
END_TEST

/* As when a device is unplugged from one whose memory is locked. */
START_TEST(another_cause_of_the_same_hold_is_said)
{
    struct bench *bench = open_bench(false);
    bench->fake.guests[0].job = JOB_SAVES;
    run_cycles(bench, 3);
    ck_assert_uint_eq(times_said(bench, "vm1: stays at 512.0 MiB: its state is being saved"), 1);
    bench->fake.guests[0].job = JOB_LEAVES;
    run_cycles(bench, 3);
    ck_assert_uint_eq(times_said(bench, "vm1: stays at 512.0 MiB: migrating to another host"), 1);
    ck_assert_uint_eq(times_said(bench, "vm1: stays"), 2);
    close_bench(bench);
}
END_TEST

/* It may be followed later: until that is known it is as good as promised. */
START_TEST(a_request_without_an_answer_is_not_repeated)
{
    struct bench *bench = open_bench(false);
    run_cycles(bench, 2);
    bench->fake.guests[0].used_kib = 480 * MIB;
    bench->fake.hung = 0;
    run_cycles(bench, 1);
    ck_assert_uint_eq(bench->fake.calls, 1);
    ck_assert_uint_eq(times_said(bench, "vm1: no answer"), 1);
    ck_assert_uint_eq(times_said(bench, "vm1: 512.0 -> "), 0);
    bench->fake.hung = GUESTS;
    run_cycles(bench, 1);
    ck_assert_uint_eq(bench->fake.calls, 1);
    close_bench(bench);
}
END_TEST

START_TEST(nobody_is_asked_when_the_connection_is_gone)
{
    struct bench *bench = open_bench(false);
    run_cycles(bench, 2);
    for (size_t i = 0; i < GUESTS; i++)
        bench->fake.guests[i].used_kib = 480 * MIB;
    bench->fake.gone = 1;
    run_cycles(bench, 1);
    ck_assert_uint_eq(bench->fake.calls, 2);
    ck_assert_uint_eq(times_said(bench, "not connected"), 0); /* of no domain in particular */
    ck_assert_int_eq(coordinator_view(bench->coordinator).requests[1], COORDINATOR_NONE);
    close_bench(bench);
}
END_TEST

START_TEST(a_frozen_domain_is_named_once)
{
    struct bench *bench = open_bench(false);
    run_cycles(bench, 2);
    bench->fake.guests[1].frozen = true;
    bench->fake.guests[0].used_kib = 480 * MIB;
    run_cycles(bench, 5);
    ck_assert_uint_eq(times_said(bench, "vm2: stays at 512.0 MiB: its emulator does not answer"),
                      1);
    ck_assert_uint_gt(bench->fake.guests[0].actual_kib, 600 * MIB); /* others are not held up */
    bench->fake.guests[1].frozen = false;
    run_cycles(bench, 2);
    ck_assert_uint_eq(times_said(bench, "vm2: its emulator answers again"), 1);
    ck_assert_uint_eq(times_said(bench, "vm2: found"), 1);
    close_bench(bench);
}
END_TEST

START_TEST(leaves_the_guests_as_they_were_found)
{
    struct bench *bench = open_bench(false);
    for (size_t i = 0; i < GUESTS; i++)
        bench->fake.guests[i].used_kib = 180 * MIB;
    run_cycles(bench, 12);
    for (size_t i = 0; i < GUESTS; i++)
        ck_assert_uint_lt(bench->fake.guests[i].actual_kib, 400 * MIB);
    bench->fake.guests[0].slow = true;
    bench->fake.calls = 0;
    ck_assert_int_eq(leave(bench), 1); /* asks all at once */
    ck_assert_uint_eq(bench->fake.calls, GUESTS);
    ck_assert_int_eq(leave(bench), 1); /* waits for the slow one */
    ck_assert_uint_eq(bench->fake.calls, GUESTS);
    bench->fake.guests[0].actual_kib = bench->fake.targets_kib[0];
    bench->fake.guests[0].slow = false;
    ck_assert_int_eq(leave(bench), 0);
    for (size_t i = 0; i < GUESTS; i++)
        ck_assert_uint_eq(bench->fake.guests[i].actual_kib, 512 * MIB);
    bench->fake.read_result = -ENOTCONN;
    ck_assert_int_eq(leave(bench), -ENOTCONN);
    close_bench(bench);
}
END_TEST

/* Being told to stop is no trouble with the connection. */
START_TEST(a_read_that_is_stopped_says_nothing)
{
    struct bench *bench = open_bench(false);
    run_cycles(bench, 2);
    bench->fake.read_result = -ECANCELED;
    ck_assert_int_eq(cycle(bench), -ECANCELED);
    ck_assert_uint_eq(times_said(bench, "lost"), 0);
    close_bench(bench);
}
END_TEST

START_TEST(what_was_asked_for_is_not_asked_for_again)
{
    struct bench *bench = open_bench(false);
    run_cycles(bench, 2);
    bench->fake.guests[0].used_kib = 480 * MIB;
    bench->fake.guests[0].slow = true;
    run_cycles(bench, 4);
    ck_assert_uint_eq(bench->fake.calls, 1);
    close_bench(bench);
}
END_TEST

START_TEST(a_lasting_refusal_is_said_once)
{
    struct bench *bench = open_bench(false);
    run_cycles(bench, 2);
    bench->fake.guests[0].used_kib = 480 * MIB;
    bench->fake.refused = 0;
    run_cycles(bench, 10);
    ck_assert_uint_eq(times_said(bench, "vm1: refused"), 1);
    close_bench(bench);
}
END_TEST

START_TEST(stops_between_two_requests)
{
    struct bench *bench = open_bench(false);
    run_cycles(bench, 2);
    for (size_t i = 0; i < GUESTS; i++)
        bench->fake.guests[i].used_kib = 480 * MIB;
    bench->fake.stop_after = 2;
    run_cycles(bench, 1);
    ck_assert_uint_eq(bench->fake.calls, 2);
    close_bench(bench);
}
END_TEST

START_TEST(a_dry_run_touches_nothing_and_says_each_wish_once)
{
    struct bench *bench = open_bench(true);
    run_cycles(bench, 2);
    bench->fake.guests[0].used_kib = 480 * MIB;
    run_cycles(bench, 5);
    ck_assert_uint_eq(bench->fake.calls, 0);
    ck_assert_uint_eq(times_said(bench, "vm1: would go 512.0 -> 644.4 MiB"), 1);
    ck_assert_uint_eq(times_said(bench, " -> "), 1);
    close_bench(bench);
}
END_TEST

START_TEST(a_dry_run_says_a_wish_again_when_it_comes_again)
{
    struct bench *bench = open_bench(true);
    run_cycles(bench, 2);
    for (unsigned int i = 0; i < 20; i++) { /* the same wish, but for some pages */
        bench->fake.guests[0].used_kib = 480 * MIB + i % 3 * 4;
        run_cycles(bench, 1);
    }
    ck_assert_uint_eq(times_said(bench, "vm1: would go"), 1);
    bench->fake.guests[0].used_kib = 340 * MIB;
    run_cycles(bench, 20);
    bench->fake.guests[0].used_kib = 480 * MIB;
    run_cycles(bench, 2);
    ck_assert_uint_eq(times_said(bench, "vm1: would go"), 2);
    close_bench(bench);
}
END_TEST

START_TEST(a_look_remembers_but_does_nothing)
{
    struct bench *bench = open_bench(false);
    bench->fake.guests[0].actual_kib = 1024 * MIB;
    struct coordinator_time time = {1000 * SEC, 1000};
    ck_assert_int_eq(coordinator_look(bench->coordinator, time), 0);
    ck_assert_uint_eq(bench->fake.calls, 0);
    ck_assert_int_eq(cycle(bench), 0); /* by now it has been seen at rest */
    ck_assert_uint_eq(bench->fake.calls, 1);
    ck_assert_uint_eq(bench->fake.targets_kib[0], 960 * MIB);
    close_bench(bench);
}
END_TEST

START_TEST(while_paused_it_says_its_wish_and_asks_nobody)
{
    struct bench *bench = open_bench(false);
    run_cycles(bench, 2);
    coordinator_pause(bench->coordinator, 77 * SEC);
    bench->fake.guests[0].used_kib = 480 * MIB;
    run_cycles(bench, 3);
    ck_assert_uint_eq(bench->fake.calls, 0);
    ck_assert_uint_eq(times_said(bench, "vm1: would go"), 1);
    struct coordinator_view view = coordinator_view(bench->coordinator);
    ck_assert(view.is_paused && !view.is_dry_run);
    ck_assert_uint_eq(view.paused_until_usec, 77 * SEC);
    ck_assert_int_eq(view.requests[0], COORDINATOR_WITHHELD);
    coordinator_pause(bench->coordinator, 0);
    run_cycles(bench, 1);
    ck_assert_uint_eq(bench->fake.calls, 1);
    ck_assert(!coordinator_view(bench->coordinator).is_paused);
    close_bench(bench);
}
END_TEST

/* Nobody of its name runs: it is kept out of the pool, and is free; the host has no more for the
 * next one. */
START_TEST(reservations_are_kept_free_until_their_guests_run)
{
    struct bench *bench = open_bench(false);
    struct reservations list = {
        .count = 2,
        .items = {{.name = "new", .size_kib = 2 * GIB}, {.name = "vm4", .size_kib = 16 * GIB}}};
    run_cycles(bench, 2);
    uint64_t pool_kib = coordinator_view(bench->coordinator).host.pool_kib;
    ck_assert_uint_eq(coordinator_view(bench->coordinator).reservations->count, 0);
    bench->fake.guests[3].running = false;
    run_cycles(bench, 1);
    pool_kib = coordinator_view(bench->coordinator).host.pool_kib;
    coordinator_reserve(bench->coordinator, &list);
    run_cycles(bench, 1);
    struct coordinator_view view = coordinator_view(bench->coordinator);
    ck_assert_uint_eq(view.snapshot->host.reserved_kib, 18 * GIB);
    ck_assert_uint_eq(view.host.pool_kib, 0);
    ck_assert_uint_eq(view.reservations->items[0].held_kib, 2 * GIB);
    ck_assert_uint_lt(view.reservations->items[1].held_kib, 6 * GIB);
    ck_assert_uint_gt(view.reservations->items[1].held_kib, 5 * GIB);
    bench->fake.guests[3].running = true;
    run_cycles(bench, 1);
    view = coordinator_view(bench->coordinator);
    ck_assert_uint_eq(view.reservations->items[1].left_kib, 0);
    ck_assert_uint_eq(view.snapshot->host.reserved_kib, 2 * GIB);
    list.count = 0;
    coordinator_reserve(bench->coordinator, &list);
    run_cycles(bench, 1);
    ck_assert_uint_ge(coordinator_view(bench->coordinator).host.pool_kib, pool_kib);
    close_bench(bench);
}
END_TEST

START_TEST(a_host_that_is_silent_holds_nothing)
{
    struct bench *bench = open_bench(false);
    struct reservations list = {.count = 1, .items = {{.name = "new", .size_kib = GIB}}};
    bench->fake.silent_host = true;
    coordinator_reserve(bench->coordinator, &list);
    run_cycles(bench, 2);
    ck_assert_uint_eq(coordinator_view(bench->coordinator).reservations->items[0].held_kib, 0);
    close_bench(bench);
}
END_TEST

/* A first look asks for the list in any case: it is not known who runs. */
START_TEST(the_list_is_kept_while_a_start_waits)
{
    struct bench *bench = open_bench(false);
    struct reservations list = {
        .count = 1,
        .items = {{.name = "vm3", .size_kib = GIB, .start_waits_usec = 1004 * SEC}},
    };
    coordinator_reserve(bench->coordinator, &list);
    run_cycles(bench, 1);
    ck_assert(!bench->fake.is_list_kept);
    run_cycles(bench, 1);
    ck_assert(bench->fake.is_list_kept);
    ck_assert_uint_eq(bench->fake.to_start, 1);
    run_cycles(bench, 2);
    ck_assert(!bench->fake.is_list_kept);
    ck_assert_uint_eq(bench->fake.to_start, 0);
    close_bench(bench);
}
END_TEST

START_TEST(the_view_tells_what_has_come_of_each_request)
{
    struct bench *bench = open_bench(false);
    ck_assert_uint_eq(coordinator_view(bench->coordinator).snapshot->count, 0);
    run_cycles(bench, 2);
    for (size_t i = 0; i < 3; i++)
        bench->fake.guests[i].used_kib = 480 * MIB;
    bench->fake.refused = 1;
    bench->fake.hung = 2;
    run_cycles(bench, 1);
    struct coordinator_view view = coordinator_view(bench->coordinator);
    ck_assert_str_eq(view.uri, "fake:///");
    ck_assert(view.is_connected && !view.is_paused && !view.is_dry_run);
    ck_assert_uint_eq(view.snapshot->count, GUESTS);
    ck_assert_int_eq(view.requests[0], COORDINATOR_MADE);
    ck_assert_int_eq(view.requests[1], COORDINATOR_REFUSED);
    ck_assert_int_eq(view.requests[2], COORDINATOR_UNANSWERED);
    ck_assert_int_eq(view.requests[3], COORDINATOR_NONE);
    ck_assert_uint_eq(view.decisions[0].target_kib, bench->fake.targets_kib[0]);
    bench->fake.read_result = -ENOTCONN;
    run_cycles(bench, 1);
    view = coordinator_view(bench->coordinator); /* all else as it was */
    ck_assert(!view.is_connected);
    ck_assert_uint_eq(view.snapshot->count, GUESTS);
    close_bench(bench);
}
END_TEST

/* ---- domains that come, go and fail ---- */

START_TEST(names_who_comes_and_goes)
{
    struct bench *bench = open_bench(false);
    for (size_t i = 0; i < GUESTS; i++)
        bench->fake.guests[i].running = false;
    run_cycles(bench, 3);
    ck_assert_uint_eq(times_said(bench, "no running domains; waiting"), 1);
    bench->fake.guests[2].running = true;
    run_cycles(bench, 3);
    ck_assert_uint_eq(times_said(bench, "vm3: found, 512.0 MiB now, 2048.0 at most"), 1);
    bench->fake.guests[2].running = false;
    run_cycles(bench, 3);
    ck_assert_uint_eq(times_said(bench, "vm3: not running any more"), 1);
    ck_assert_uint_eq(times_said(bench, "no running domains; waiting"), 2);
    close_bench(bench);
}
END_TEST

START_TEST(a_domain_started_anew_is_another_one)
{
    struct bench *bench = open_bench(false);
    run_cycles(bench, 3);
    bench->fake.guests[1].id = 99;
    bench->fake.guests[1].actual_kib = 1024 * MIB; /* all is spare, but it was not seen at rest */
    bench->fake.guests[0].actual_kib = 1024 * MIB;
    run_cycles(bench, 1);
    ck_assert_uint_eq(bench->fake.calls, 1);
    ck_assert_uint_eq(bench->fake.called[0], 0);
    ck_assert_uint_eq(times_said(bench, "vm2: not running any more"), 1);
    ck_assert_uint_eq(times_said(bench, "vm2: found"), 2);
    close_bench(bench);
}
END_TEST

START_TEST(others_going_does_not_mix_memories_up)
{
    struct bench *bench = open_bench(false);
    run_cycles(bench, 3);
    bench->fake.guests[0].running = false;
    bench->fake.guests[3].actual_kib = 1024 * MIB; /* known for long: may be shrunk at once */
    run_cycles(bench, 1);
    ck_assert_uint_eq(bench->fake.calls, 1);
    ck_assert_uint_eq(bench->fake.called[0], 3);
    close_bench(bench);
}
END_TEST

START_TEST(a_silent_guest_is_held_and_named_once)
{
    struct bench *bench = open_bench(false);
    run_cycles(bench, 3);
    bench->fake.guests[1].silent = true;
    bench->fake.guests[1].actual_kib = 1024 * MIB;
    run_cycles(bench, 10);
    ck_assert_uint_eq(bench->fake.calls, 0);
    ck_assert_uint_eq(times_said(bench, "vm2: stays at 1024.0 MiB: its statistics are off"), 1);
    bench->fake.guests[1].silent = false;
    bench->fake.guests[1].actual_kib = 512 * MIB;
    run_cycles(bench, 3);
    ck_assert_uint_eq(times_said(bench, "vm2: its statistics are back"), 1);
    close_bench(bench);
}
END_TEST

START_TEST(trouble_is_said_once)
{
    struct bench *bench = open_bench(false);
    bench->fake.guests[1].trouble = "cannot read its statistics: bad day";
    run_cycles(bench, 5);
    ck_assert_uint_eq(times_said(bench, "vm2: cannot read its statistics: bad day"), 1);
    bench->fake.guests[1].trouble = NULL;
    run_cycles(bench, 5);
    ck_assert_uint_eq(times_said(bench, "vm2: answers again"), 1);
    close_bench(bench);
}
END_TEST

/* ---- guests that lie ---- */

static void set_figure(struct figure *figure, uint64_t value)
{
    *figure = (struct figure){true, value};
}

static void says_more_unused_than_there_is(struct domain *domain, uint64_t now_sec)
{
    (void)now_sec;
    set_figure(&domain->unused_kib, domain->available_kib.value + 1);
}

static void says_more_usable_than_there_is(struct domain *domain, uint64_t now_sec)
{
    (void)now_sec;
    set_figure(&domain->usable_kib, domain->available_kib.value + 1);
}

static void says_it_sees_more_than_its_maximum(struct domain *domain, uint64_t now_sec)
{
    (void)now_sec;
    set_figure(&domain->available_kib, domain->max_kib + 1);
}

static void says_it_sees_nothing(struct domain *domain, uint64_t now_sec)
{
    (void)now_sec;
    set_figure(&domain->unused_kib, 0);
    set_figure(&domain->usable_kib, 0);
    set_figure(&domain->available_kib, 0);
}

static void says_all_bits(struct domain *domain, uint64_t now_sec)
{
    (void)now_sec;
    set_figure(&domain->unused_kib, UINT64_MAX);
    set_figure(&domain->usable_kib, UINT64_MAX);
    set_figure(&domain->available_kib, UINT64_MAX);
    set_figure(&domain->last_update_sec, UINT64_MAX);
    set_figure(&domain->swap_in_kib, UINT64_MAX);
    set_figure(&domain->major_faults, UINT64_MAX);
}

static void has_more_than_its_maximum(struct domain *domain, uint64_t now_sec)
{
    (void)now_sec;
    set_figure(&domain->actual_kib, domain->max_kib + 2 * MIB);
}

static void has_nothing(struct domain *domain, uint64_t now_sec)
{
    (void)now_sec;
    set_figure(&domain->actual_kib, 0);
}

static void has_all_bits(struct domain *domain, uint64_t now_sec)
{
    (void)now_sec;
    set_figure(&domain->actual_kib, UINT64_MAX);
    set_figure(&domain->rss_kib, UINT64_MAX);
}

/* Without a report behind it, too. */
static void has_all_bits_and_no_news(struct domain *domain, uint64_t now_sec)
{
    has_all_bits(domain, now_sec);
    domain->unused_kib.known = domain->last_update_sec.known = false;
}

static void holds_more_than_the_host_has(struct domain *domain, uint64_t now_sec)
{
    (void)now_sec;
    set_figure(&domain->rss_kib, 64 * GIB);
}

static void swaps_in_all_bits(struct domain *domain, uint64_t now_sec)
{
    (void)now_sec;
    set_figure(&domain->swap_in_kib, UINT64_MAX);
}

static void faults_all_bits(struct domain *domain, uint64_t now_sec)
{
    (void)now_sec;
    set_figure(&domain->major_faults, UINT64_MAX);
}

static void counts_swap_backwards(struct domain *domain, uint64_t now_sec)
{
    set_figure(&domain->swap_in_kib, 1000000 - now_sec);
}

static void counts_faults_backwards(struct domain *domain, uint64_t now_sec)
{
    set_figure(&domain->major_faults, 1000000 - now_sec);
}

static void counts_to_and_fro(struct domain *domain, uint64_t now_sec)
{
    set_figure(&domain->major_faults, now_sec % 2 == 0 ? 1000 : 999);
}

static void says_so_every_other_time(struct domain *domain, uint64_t now_sec)
{
    if (now_sec % 2 == 0)
        says_more_unused_than_there_is(domain, now_sec);
}

static void reports_of_all_time(struct domain *domain, uint64_t now_sec)
{
    (void)now_sec;
    set_figure(&domain->last_update_sec, UINT64_C(1) << 41);
}

static void freezes(struct domain *domain, uint64_t now_sec)
{
    (void)now_sec;
    set_figure(&domain->last_update_sec, 1002);
}

static void freezes_in_the_future(struct domain *domain, uint64_t now_sec)
{
    (void)now_sec;
    set_figure(&domain->last_update_sec, 1000000);
}

/* All the time without ever having reported. */
static void says_it_never_did(struct domain *domain, uint64_t now_sec)
{
    (void)now_sec;
    set_figure(&domain->last_update_sec, 0);
}

#define IMPOSSIBLE_WORDS "impossible statistics from the guest"

static const struct {
    void (*lie)(struct domain *domain, uint64_t now_sec);
    const char *line;
} lies[] = {
    {says_more_unused_than_there_is, IMPOSSIBLE_WORDS},
    {says_more_usable_than_there_is, IMPOSSIBLE_WORDS},
    {says_it_sees_more_than_its_maximum, IMPOSSIBLE_WORDS},
    {says_it_sees_nothing, IMPOSSIBLE_WORDS},
    {says_all_bits, IMPOSSIBLE_WORDS},
    {has_more_than_its_maximum, IMPOSSIBLE_WORDS},
    {has_nothing, IMPOSSIBLE_WORDS},
    {has_all_bits, IMPOSSIBLE_WORDS},
    {has_all_bits_and_no_news, IMPOSSIBLE_WORDS},
    {holds_more_than_the_host_has, IMPOSSIBLE_WORDS},
    {swaps_in_all_bits, IMPOSSIBLE_WORDS},
    {faults_all_bits, IMPOSSIBLE_WORDS},
    {counts_swap_backwards, IMPOSSIBLE_WORDS},
    {counts_faults_backwards, IMPOSSIBLE_WORDS},
    {counts_to_and_fro, IMPOSSIBLE_WORDS},
    {says_so_every_other_time, IMPOSSIBLE_WORDS},
    {reports_of_all_time, IMPOSSIBLE_WORDS},
    {freezes, "no fresh statistics from the guest"},
    {freezes_in_the_future, "no fresh statistics from the guest"},
    {says_it_never_did, "its statistics are off or have not come yet"},
};

/* Beside it one needs memory, and one has some to spare. */
static void run_beside(struct bench *bench, void (*lie)(struct domain *, uint64_t))
{
    run_cycles(bench, 5);
    bench->fake.guests[1].lie = lie;
    run_cycles(bench, 10);
    bench->fake.guests[0].used_kib = 480 * MIB;
    bench->fake.guests[2].actual_kib = 1024 * MIB;
    run_cycles(bench, 20);
}

START_TEST(a_lie_is_told_once_and_changes_nothing_for_others)
{
    struct bench *honest = open_bench(false);
    struct bench *bench = open_bench(false);
    run_beside(honest, NULL);
    run_beside(bench, lies[_i].lie);
    char line[128];
    snprintf(line, sizeof(line), ": %s\n", lies[_i].line);
    ck_assert_msg(times_said(bench, line) == 1, "%s", bench->text);
    ck_assert_msg(times_said(bench, "vm2: ") == 2, "%s", bench->text); /* and that it was found */
    ck_assert_uint_gt(honest->fake.calls, 2);
    ck_assert_uint_eq(bench->fake.calls, honest->fake.calls);
    for (size_t i = 0; i < honest->fake.calls; i++) {
        ck_assert_uint_ne(bench->fake.called[i], 1);
        ck_assert_uint_eq(bench->fake.called[i], honest->fake.called[i]);
        ck_assert_uint_eq(bench->fake.targets_kib[i], honest->fake.targets_kib[i]);
    }
    close_bench(honest);
    close_bench(bench);
}
END_TEST

START_TEST(who_has_lied_is_believed_again_in_time)
{
    struct bench *bench = open_bench(false);
    run_cycles(bench, 5);
    bench->fake.guests[1].lie = lies[_i].lie;
    run_cycles(bench, 20);
    bench->fake.guests[1].lie = NULL;
    run_cycles(bench, 12);
    ck_assert_msg(times_said(bench, "vm2: its statistics are back") == 1, "%s", bench->text);
    bench->fake.guests[1].used_kib = 480 * MIB;
    run_cycles(bench, 2);
    ck_assert_uint_eq(bench->fake.calls, 1);
    ck_assert_uint_eq(bench->fake.called[0], 1);
    ck_assert_uint_gt(bench->fake.targets_kib[0], 600 * MIB);
    ck_assert_uint_lt(bench->fake.targets_kib[0], 700 * MIB);
    close_bench(bench);
}
END_TEST

/* ---- what is set for them ---- */

/* One rule, for all whose name matches. */
static void set_rule(struct bench *bench, const char *pattern, struct settings settings)
{
    config_release(&bench->config);
    bench->config.rules = calloc(1, sizeof(*bench->config.rules));
    ck_assert_ptr_nonnull(bench->config.rules);
    bench->config.rule_count = 1;
    bench->config.rules[0].settings = settings;
    snprintf(bench->config.rules[0].pattern, sizeof(bench->config.rules[0].pattern), "%s", pattern);
    coordinator_configure(bench->coordinator, &bench->config);
}

START_TEST(metadata_holds_from_the_look_that_finds_it)
{
    struct bench *bench = open_bench(false);
    run_cycles(bench, 3);
    ck_assert_uint_eq(bench->fake.calls, 0);
    bench->fake.guests[1].settings.min_kib = (struct figure){true, 700 * MIB};
    run_cycles(bench, 2);
    ck_assert_uint_eq(bench->fake.calls, 1);
    ck_assert_uint_eq(bench->fake.called[0], 1);
    ck_assert_uint_eq(bench->fake.targets_kib[0], 700 * MIB);
    ck_assert_uint_eq(
        times_said(bench, "vm2: set to at least 700.0 MiB with 100.0 MiB unused, 1000 shares"), 1);
    bench->fake.guests[1].settings.min_kib.known = false;
    run_cycles(bench, 20);
    ck_assert_uint_lt(bench->fake.guests[1].actual_kib, 600 * MIB);
    ck_assert_uint_eq(times_said(bench, "vm2: set to "), 2);
    ck_assert_uint_eq(times_said(bench, "set to "), 2);
    close_bench(bench);
}
END_TEST

START_TEST(a_new_configuration_holds_from_the_next_look)
{
    struct bench *bench = open_bench(false);
    run_cycles(bench, 3);
    set_rule(bench, "vm[34]", (struct settings){.min_kib = {true, 700 * MIB}});
    run_cycles(bench, 2);
    ck_assert_uint_eq(bench->fake.calls, 2);
    ck_assert_uint_eq(bench->fake.guests[1].actual_kib, 512 * MIB);
    ck_assert_uint_eq(bench->fake.guests[2].actual_kib, 700 * MIB);
    ck_assert_uint_eq(bench->fake.guests[3].actual_kib, 700 * MIB);
    ck_assert_uint_eq(times_said(bench, "set to at least 700.0 MiB"), 2);
    ck_assert_uint_eq(times_said(bench, "found"), GUESTS); /* they are no others for that */
    close_bench(bench);
}
END_TEST

START_TEST(a_new_configuration_has_all_looked_up_once)
{
    struct bench *bench = open_bench(false);
    run_cycles(bench, 3);
    coordinator_configure(bench->coordinator, &bench->config);
    run_cycles(bench, 5);
    ck_assert_uint_eq(bench->fake.look_ups, GUESTS);
    ck_assert_uint_eq(times_said(bench, "set to "), 0); /* nothing else holds */
    close_bench(bench);
}
END_TEST

START_TEST(limits_survive_a_lost_connection)
{
    struct bench *bench = open_bench(false);
    bench->fake.guests[1].settings.min_kib = (struct figure){true, 700 * MIB};
    run_cycles(bench, 3);
    bench->fake.read_result = -ENOTCONN;
    run_cycles(bench, 3);
    bench->fake.read_result = 0;
    run_cycles(bench, 3);
    ck_assert_uint_eq(bench->fake.guests[1].actual_kib, 700 * MIB);
    ck_assert_uint_eq(times_said(bench, "vm2: set to "), 1);
    close_bench(bench);
}
END_TEST

START_TEST(a_configuration_of_a_lost_connection_holds_later)
{
    struct bench *bench = open_bench(false);
    run_cycles(bench, 3);
    bench->fake.read_result = -ENOTCONN;
    run_cycles(bench, 1);
    set_rule(bench, "vm2", (struct settings){.min_kib = {true, 700 * MIB}});
    run_cycles(bench, 1);
    bench->fake.read_result = 0;
    run_cycles(bench, 4);
    ck_assert_uint_eq(bench->fake.guests[1].actual_kib, 700 * MIB);
    close_bench(bench);
}
END_TEST

START_TEST(who_is_not_to_be_managed_is_never_called)
{
    struct bench *bench = open_bench(false);
    bench->fake.guests[0].settings.managed = (struct figure){true, 0};
    bench->fake.guests[0].used_kib = 480 * MIB;
    set_rule(bench, "vm2", (struct settings){.managed = {true, 0}});
    bench->fake.guests[1].actual_kib = 1024 * MIB;
    run_cycles(bench, 10);
    ck_assert_uint_eq(bench->fake.calls, 0);
    ck_assert_uint_eq(times_said(bench, "vm1: not to be managed"), 1);
    ck_assert_uint_eq(times_said(bench, "vm2: not to be managed"), 1);
    set_rule(bench, "nobody", (struct settings){0});
    run_cycles(bench, 3);
    ck_assert_uint_eq(times_said(bench, "vm2: set to at least 200.0 MiB"), 1);
    ck_assert_uint_eq(times_said(bench, "its statistics are back"), 0);
    ck_assert_uint_lt(bench->fake.guests[1].actual_kib, 1024 * MIB);
    ck_assert_uint_eq(bench->fake.guests[0].actual_kib, 512 * MIB);
    close_bench(bench);
}
END_TEST

START_TEST(limits_that_clash_are_said_once)
{
    struct bench *bench = open_bench(false);
    bench->fake.guests[0].settings.max_kib = (struct figure){true, 512 * MIB};
    set_rule(bench, "vm1", (struct settings){.min_kib = {true, 600 * MIB}});
    run_cycles(bench, 10);
    ck_assert_uint_eq(times_said(bench, "vm1: min 600MiB is above max 512MiB; max ranks higher, "
                                        "both are taken as 512MiB"),
                      1);
    ck_assert_uint_eq(times_said(bench, "vm1: set to from 512.0 to 512.0 MiB"), 1);
    ck_assert_uint_eq(bench->fake.calls, 0);
    close_bench(bench);
}
END_TEST

START_TEST(a_minimum_above_what_a_domain_can_have_is_said_once)
{
    struct bench *bench = open_bench(false);
    bench->fake.guests[0].settings.min_kib = (struct figure){true, 3 * GIB};
    bench->fake.guests[1].settings.min_kib = (struct figure){true, 2 * GIB};
    run_cycles(bench, 10);
    ck_assert_uint_eq(
        times_said(bench, "vm1: cannot have at least 3072.0 MiB, its maximum is 2048.0\n"), 1);
    ck_assert_uint_eq(times_said(bench, "cannot have"), 1);
    ck_assert_uint_eq(bench->fake.guests[0].actual_kib, 2 * GIB);
    close_bench(bench);
}
END_TEST

START_TEST(metadata_that_is_refused_is_said_once)
{
    struct bench *bench = open_bench(false);
    run_cycles(bench, 3);
    bench->fake.guests[2].settings_error = "min 'x': expected better";
    run_cycles(bench, 5);
    ck_assert_uint_eq(times_said(bench, "vm3: its metadata is refused: min 'x': expected better"),
                      1);
    bench->fake.guests[2].settings_error = "min 'y': expected better";
    run_cycles(bench, 5);
    ck_assert_uint_eq(times_said(bench, "vm3: its metadata is refused"), 2);
    bench->fake.guests[2].settings_error = NULL;
    run_cycles(bench, 5);
    ck_assert_uint_eq(times_said(bench, "vm3: its metadata is right again"), 1);
    close_bench(bench);
}
END_TEST

/* ---- the connection ---- */

START_TEST(connects_again_with_growing_pauses)
{
    struct bench *bench = open_bench(false);
    run_cycles(bench, 3);
    bench->fake.read_result = -ENOTCONN;
    bench->fake.connect_result = -ENOTCONN;
    ck_assert_int_eq(cycle(bench), -ENOTCONN);
    unsigned int reads = bench->fake.reads;
    unsigned int connects = bench->fake.connects;
    uint64_t lost_sec = bench->fake.now_sec;
    static const uint64_t tries_sec[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10,
                                         11, 12, 13, 14, 15, 16, 17, 19, 21, 23};
    for (size_t i = 0; i < COUNT_OF(tries_sec); i++) {
        ck_assert_uint_le(coordinator_retry_usec(bench->coordinator),
                          (lost_sec + tries_sec[i]) * SEC);
        while (bench->fake.now_sec < lost_sec + tries_sec[i]) {
            ck_assert_uint_eq(bench->fake.connects, connects + i);
            ck_assert_int_eq(cycle(bench), -ENOTCONN);
        }
        ck_assert_uint_eq(bench->fake.connects, connects + i + 1);
    }
    ck_assert_uint_eq(bench->fake.reads, reads);
    ck_assert_uint_eq(times_said(bench, "connection to fake:/// lost: all is lost"), 1);
    ck_assert_uint_eq(times_said(bench, "nobody there"), 0);

    bench->fake.read_result = bench->fake.connect_result = 0;
    run_cycles(bench, 40);
    ck_assert_uint_eq(coordinator_retry_usec(bench->coordinator), 0);
    ck_assert_uint_eq(times_said(bench, "connected to fake:/// again"), 1);
    ck_assert_uint_eq(times_said(bench, "found"), GUESTS); /* nobody is new */
    close_bench(bench);
}
END_TEST

/* As where the socket's owner is there, and the driver behind it is not. */
START_TEST(what_connects_and_cannot_be_read_is_lost_once)
{
    struct bench *bench = open_bench(false);
    run_cycles(bench, 3);
    bench->fake.read_result = -ENOTCONN;
    run_cycles(bench, 60);
    ck_assert_uint_eq(times_said(bench, "lost: "), 1);
    ck_assert_uint_eq(times_said(bench, "again\n"), 1); /* "trying again" */
    ck_assert_uint_le(bench->fake.connects, 40);        /* the pauses grow there too */
    bench->fake.read_result = 0;
    run_cycles(bench, 40);
    ck_assert_uint_eq(times_said(bench, "connected to fake:/// again"), 1);
    close_bench(bench);
}
END_TEST

START_TEST(a_silent_host_is_named_once)
{
    struct bench *bench = open_bench(false);
    bench->fake.silent_host = true;
    bench->fake.guests[0].actual_kib = 1024 * MIB;
    run_cycles(bench, 10);
    ck_assert_uint_eq(times_said(bench, "fake:/// does not say what memory the host has"), 1);
    ck_assert_uint_eq(bench->fake.calls, 0);
    ck_assert_uint_eq(times_said(bench, "says again"), 0);
    bench->fake.silent_host = false;
    run_cycles(bench, 3);
    ck_assert_uint_eq(times_said(bench, "fake:/// says again what memory the host has"), 1);
    close_bench(bench);
}
END_TEST

START_TEST(pressure_is_told_when_it_begins_and_when_it_ends)
{
    struct bench *bench = open_bench(false);
    bench->fake.available_kib = 1 * GIB;
    bench->fake.full_permyriad = (struct figure){true, 2345};
    run_cycles(bench, 30);
    ck_assert_uint_eq(times_said(bench, "all of them 23.4 % of the last 10 s"), 1);
    ck_assert_int_eq(coordinator_view(bench->coordinator).host.state, POLICY_HOST_SOFT);
    ck_assert_uint_eq(times_said(bench, "do not wait"), 0);
    bench->fake.full_permyriad.value = 0;
    run_cycles(bench, 30);
    ck_assert_uint_eq(times_said(bench, "tasks wait for memory, "), 1);
    ck_assert_uint_eq(times_said(bench, "its tasks do not wait for memory any more"), 1);
    close_bench(bench);
}
END_TEST

START_TEST(a_node_that_is_short_is_named_once)
{
    struct bench *bench = open_bench(false);
    bench->fake.node_count = 2;
    bench->fake.nodes[0] = (struct host_node){0, 8 * GIB, 5 * GIB};
    bench->fake.nodes[1] = (struct host_node){4, 8 * GIB, 99 * MIB};
    run_cycles(bench, 3);
    ck_assert_uint_eq(times_said(bench, "node 4 is short of memory, the host is not: 99.0 of "), 1);
    bench->fake.nodes[1].available_kib = 105 * MIB; /* of the 100 that it should have */
    run_cycles(bench, 3);
    bench->fake.nodes[1].available_kib = 99 * MIB;
    run_cycles(bench, 3);
    ck_assert_uint_eq(times_said(bench, "is short of memory"), 1);
    bench->fake.nodes[1].available_kib = 107 * MIB;
    run_cycles(bench, 3);
    ck_assert_uint_eq(times_said(bench, "no node is shorter of memory than the host any more"), 1);
    close_bench(bench);
}
END_TEST

START_TEST(a_silent_guest_is_looked_up_again_now_and_then)
{
    struct bench *bench = open_bench(false);
    bench->fake.guests[1].silent = true;
    run_cycles(bench, 35);
    ck_assert_uint_eq(bench->fake.look_ups, 4); /* every 10 s */
    close_bench(bench);
}
END_TEST

START_TEST(a_lost_connection_forgets_nothing)
{
    struct bench *bench = open_bench(false);
    run_cycles(bench, 3);
    bench->fake.read_result = -ENOTCONN;
    run_cycles(bench, 1);
    bench->fake.read_result = 0;
    bench->fake.guests[0].actual_kib = 1024 * MIB;
    run_cycles(bench, 1); /* it was seen at rest before: no grace again */
    ck_assert_uint_eq(bench->fake.calls, 1);
    close_bench(bench);
}
END_TEST

/* Dated by the cycle's beginning, the next reports would seem to be as old as the wait was long. */
START_TEST(a_read_that_takes_long_makes_nobody_stale)
{
    struct bench *bench = open_bench(false);
    run_cycles(bench, 5);
    bench->fake.delay_sec = 10;
    run_cycles(bench, 3);
    ck_assert_uint_eq(times_said(bench, "no fresh statistics"), 0);
    close_bench(bench);
}
END_TEST

START_TEST(out_of_memory_is_said_once_and_survived)
{
    struct bench *bench = open_bench(false);
    bench->fake.read_result = -ENOMEM;
    for (unsigned int i = 0; i < 5; i++)
        ck_assert_int_eq(cycle(bench), -ENOMEM);
    ck_assert_uint_eq(times_said(bench, "all is lost; guests keep their sizes"), 1);
    ck_assert_uint_eq(bench->fake.connects, 1);
    bench->fake.read_result = 0;
    ck_assert_int_eq(cycle(bench), 0);
    close_bench(bench);
}
END_TEST

START_TEST(describes_what_it_found)
{
    struct bench *bench = open_bench(false);
    char text[COORDINATOR_STATUS_BYTES];
    cycle(bench);
    coordinator_describe(bench->coordinator, text);
    ck_assert_str_eq(text, "4 domains, host high");
    bench->fake.available_kib = 150 * MIB;
    bench->fake.guests[0].running = false;
    cycle(bench);
    coordinator_describe(bench->coordinator, text);
    ck_assert_str_eq(text, "3 domains, host soft");
    bench->fake.silent_host = true;
    cycle(bench);
    coordinator_describe(bench->coordinator, text);
    ck_assert_str_eq(text, "3 domains, host silent");
    bench->fake.read_result = -ENOTCONN;
    cycle(bench);
    coordinator_describe(bench->coordinator, text);
    ck_assert_str_eq(text, "not connected, 3 domains when last seen");
    close_bench(bench);
}
END_TEST

/* ---- a process that takes over ---- */

/* A cycle in a process that ends in it; what it does to the fake is lost with it. */
static void lose_cycle(struct bench *bench)
{
    int status = 0;
    pid_t process = fork();
    ck_assert_int_ge(process, 0);
    if (process == 0) {
        cycle(bench);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(process, &status, 0), process);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), DEAD);
}

START_TEST(goes_on_with_the_request_that_was_lost)
{
    struct bench *bench = open_bench_with_donors(); /* the order is vm3, vm4, vm2, vm1 */
    bench->fake.deadly = 1;
    lose_cycle(bench);
    bench->fake.deadly = GUESTS;
    bench->fake.hung = 1;
    bench->fake.stop_after = 0; /* told to stop, it remembers first what was asked */
    unsigned int reads = bench->fake.reads;
    ck_assert_int_eq(cycle(bench), 0);
    ck_assert_uint_eq(bench->fake.reads, reads);
    ck_assert_uint_eq(bench->fake.calls, 1);
    ck_assert_uint_eq(bench->fake.called[0], 1);
    struct coordinator_view view = coordinator_view(bench->coordinator);
    ck_assert_int_eq(view.requests[0], COORDINATOR_NONE);
    ck_assert_int_eq(view.requests[1], COORDINATOR_UNANSWERED);
    ck_assert_int_eq(view.requests[2], COORDINATOR_MADE);
    ck_assert_int_eq(view.requests[3], COORDINATOR_MADE);
    ck_assert_uint_eq(times_said(bench, "vm2: no answer"), 1);
    close_bench(bench);
}
END_TEST

START_TEST(asks_those_who_were_not_asked)
{
    struct bench *bench = open_bench(false);
    run_cycles(bench, 3);
    for (size_t i = 0; i < GUESTS; i++)
        bench->fake.guests[i].used_kib = 480 * MIB;
    bench->fake.deadly = 2;
    lose_cycle(bench);
    bench->fake.deadly = GUESTS;
    bench->fake.hung = 2;
    ck_assert_int_eq(cycle(bench), 0);
    ck_assert_uint_eq(bench->fake.calls, 2);
    ck_assert_uint_eq(bench->fake.called[0], 2);
    ck_assert_uint_eq(bench->fake.called[1], 3);
    unsigned int reads = bench->fake.reads;
    ck_assert_int_eq(cycle(bench), 0); /* the next one is whole again */
    ck_assert_uint_eq(bench->fake.reads, reads + 1);
    close_bench(bench);
}
END_TEST

/* In which it saw that a domain had gone. */
START_TEST(of_a_look_that_was_lost_nothing_is_left)
{
    for (int row = 0; row < 2; row++) {
        struct bench *bench = open_bench(false);
        struct policy_memory before[GUESTS];
        for (size_t i = 0; i < GUESTS; i++)
            bench->fake.guests[i].used_kib =
                (300 + 10 * i) * MIB; /* each has memories of its own */
        run_cycles(bench, 3);
        memcpy(before, coordinator_view(bench->coordinator).memory, sizeof(before));
        bench->fake.guests[0].running = false;
        bench->fake.is_deadly = row == 0;
        bench->fake.is_deadly_later = row == 1;
        lose_cycle(bench);
        struct coordinator_view view = coordinator_view(bench->coordinator);
        ck_assert_uint_eq(view.snapshot->count, GUESTS);
        ck_assert_mem_eq(view.memory, before, sizeof(before));
        bench->fake.is_deadly = bench->fake.is_deadly_later = false;
        ck_assert_int_eq(cycle(bench), 0);
        view = coordinator_view(bench->coordinator);
        ck_assert_uint_eq(view.snapshot->count, GUESTS - 1);
        ck_assert_uint_eq(times_said(bench, "vm1: not running any more"), 1);
        ck_assert_uint_eq(times_said(bench, ": found, "), GUESTS);
        close_bench(bench);
    }
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("coordinator");
    TCase *acting = tcase_create("acting");
    tcase_add_test(acting, asks_donors_first_then_who_starves);
    tcase_add_test(acting, says_each_action_once);
    tcase_add_test(acting, a_refusal_is_said_and_changes_nothing_for_others);
    tcase_add_test(acting, what_was_asked_for_is_not_asked_for_again);
    tcase_add_test(acting, a_request_without_an_answer_is_not_repeated);
    tcase_add_test(acting, who_migrates_is_read_and_not_asked);
    tcase_add_test(acting, who_leaves_and_returns_is_new);
    tcase_add_test(acting, another_cause_of_the_same_hold_is_said);
    tcase_add_test(acting, nobody_is_asked_when_the_connection_is_gone);
    tcase_add_test(acting, a_frozen_domain_is_named_once);
    tcase_add_test(acting, leaves_the_guests_as_they_were_found);
    tcase_add_test(acting, a_read_that_is_stopped_says_nothing);
    tcase_add_test(acting, a_lasting_refusal_is_said_once);
    tcase_add_test(acting, stops_between_two_requests);
    tcase_add_test(acting, a_dry_run_touches_nothing_and_says_each_wish_once);
    tcase_add_test(acting, a_dry_run_says_a_wish_again_when_it_comes_again);
    tcase_add_test(acting, a_look_remembers_but_does_nothing);
    tcase_add_test(acting, while_paused_it_says_its_wish_and_asks_nobody);
    tcase_add_test(acting, reservations_are_kept_free_until_their_guests_run);
    tcase_add_test(acting, a_host_that_is_silent_holds_nothing);
    tcase_add_test(acting, the_list_is_kept_while_a_start_waits);
    tcase_add_test(acting, the_view_tells_what_has_come_of_each_request);
    suite_add_tcase(suite, acting);

    TCase *domains = tcase_create("domains");
    tcase_add_test(domains, names_who_comes_and_goes);
    tcase_add_test(domains, a_domain_started_anew_is_another_one);
    tcase_add_test(domains, others_going_does_not_mix_memories_up);
    tcase_add_test(domains, a_silent_guest_is_held_and_named_once);
    tcase_add_test(domains, trouble_is_said_once);
    suite_add_tcase(suite, domains);

    TCase *liars = tcase_create("liars");
    tcase_add_loop_test(liars, a_lie_is_told_once_and_changes_nothing_for_others, 0,
                        COUNT_OF(lies));
    tcase_add_loop_test(liars, who_has_lied_is_believed_again_in_time, 0, COUNT_OF(lies));
    suite_add_tcase(suite, liars);

    TCase *settings = tcase_create("settings");
    tcase_add_test(settings, metadata_holds_from_the_look_that_finds_it);
    tcase_add_test(settings, a_new_configuration_holds_from_the_next_look);
    tcase_add_test(settings, a_new_configuration_has_all_looked_up_once);
    tcase_add_test(settings, limits_survive_a_lost_connection);
    tcase_add_test(settings, a_configuration_of_a_lost_connection_holds_later);
    tcase_add_test(settings, who_is_not_to_be_managed_is_never_called);
    tcase_add_test(settings, limits_that_clash_are_said_once);
    tcase_add_test(settings, a_minimum_above_what_a_domain_can_have_is_said_once);
    tcase_add_test(settings, metadata_that_is_refused_is_said_once);
    suite_add_tcase(suite, settings);

    TCase *connection = tcase_create("connection");
    tcase_add_test(connection, connects_again_with_growing_pauses);
    tcase_add_test(connection, what_connects_and_cannot_be_read_is_lost_once);
    tcase_add_test(connection, a_silent_host_is_named_once);
    tcase_add_test(connection, pressure_is_told_when_it_begins_and_when_it_ends);
    tcase_add_test(connection, a_node_that_is_short_is_named_once);
    tcase_add_test(connection, a_silent_guest_is_looked_up_again_now_and_then);
    tcase_add_test(connection, a_lost_connection_forgets_nothing);
    tcase_add_test(connection, a_read_that_takes_long_makes_nobody_stale);
    tcase_add_test(connection, out_of_memory_is_said_once_and_survived);
    tcase_add_test(connection, describes_what_it_found);
    tcase_add_test(connection, goes_on_with_the_request_that_was_lost);
    tcase_add_test(connection, asks_those_who_were_not_asked);
    tcase_add_test(connection, of_a_look_that_was_lost_nothing_is_left);
    suite_add_tcase(suite, connection);
    return suite;
}
