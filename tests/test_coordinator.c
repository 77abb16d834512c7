/* test_coordinator.c - the cycle, around a hypervisor that can be made to fail. */
#include "coordinator.h"
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GUESTS = 4, CALLS = 64 };

static const uint64_t UNSEEN_KIB = 69 * MIB;

struct guest {
    bool running;
    bool silent; /* does not report */
    bool slow;   /* its balloon does not move */
    int id;
    uint64_t actual_kib;
    uint64_t used_kib;
    const char *trouble;
    struct settings settings;
    const char *settings_error;
};

/* A host whose guests do at once what they are asked for. */
struct fake {
    struct guest guests[GUESTS];
    uint64_t available_kib;
    uint64_t now_sec;

    int connect_result;
    int read_result;
    size_t refused; /* index of the guest that set_memory fails for; GUESTS: none */
    unsigned int stop_after;
    bool silent_host; /* does not say what it has */

    unsigned int look_ups; /* domains that were known and are to be looked up again */
    unsigned int connects;
    unsigned int reads;
    size_t listed[GUESTS]; /* guest of each domain of the last snapshot */
    size_t called[CALLS];  /* guests that were asked, in order */
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
        .actual_kib = {true, guest->actual_kib},
        .rss_kib = {true, guest->actual_kib},
        .settings = guest->settings,
    };
    snprintf(domain->name, sizeof(domain->name), "vm%zu", i + 1);
    if (guest->trouble != NULL)
        snprintf(domain->trouble, sizeof(domain->trouble), "%s", guest->trouble);
    if (guest->settings_error != NULL)
        snprintf(domain->settings_error, sizeof(domain->settings_error), "%s",
                 guest->settings_error);
    if (guest->silent)
        return;
    domain->available_kib = (struct figure){true, guest->actual_kib - UNSEEN_KIB};
    domain->unused_kib = (struct figure){true, guest->actual_kib - guest->used_kib};
    domain->last_update_sec = (struct figure){true, fake->now_sec};
}

static int fake_read(void *self, const struct snapshot *before, struct snapshot *now,
                     char error[HYPERVISOR_ERROR_BYTES])
{
    struct fake *fake = self;
    fake->reads++;
    for (size_t i = 0; i < before->count; i++)
        fake->look_ups += !before->domains[i].is_known;
    if (fake->read_result != 0) {
        strcpy(error, "all is lost");
        return fake->read_result;
    }
    ck_assert_int_eq(snapshot_reserve(now, GUESTS), 0);
    now->host = (struct host){!fake->silent_host, 16 * GIB, fake->available_kib};
    for (size_t i = 0; i < GUESTS; i++) {
        if (!fake->guests[i].running)
            continue;
        fake->listed[now->count] = i;
        fill_domain(fake, i, &now->domains[now->count++]);
    }
    return 0;
}

static int fake_set_memory(void *self, size_t index, uint64_t target_kib,
                           char error[HYPERVISOR_ERROR_BYTES])
{
    struct fake *fake = self;
    size_t guest = fake->listed[index];
    ck_assert_uint_lt(fake->calls, CALLS);
    fake->called[fake->calls] = guest;
    fake->targets_kib[fake->calls++] = target_kib;
    if (guest == fake->refused) {
        strcpy(error, "refused");
        return -EIO;
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
        .stop_after = CALLS,
    };
    for (size_t i = 0; i < GUESTS; i++)
        bench->fake.guests[i] = (struct guest){
            .running = true, .id = (int)i + 1, .actual_kib = 512 * MIB, .used_kib = 340 * MIB};
    bench->log = (struct log){open_memstream(&bench->text, &bench->text_size), LOG_LEVEL_INFO};
    bench->config = config_default();
    bench->config.policy.interval_usec = SEC;
    struct coordinator_config config = {
        .config = &bench->config,
        .dry_run = dry_run,
        .uri = "fake:///",
        .is_stopping = fake_is_stopping,
        .stopping_argument = &bench->fake,
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

START_TEST(asks_donors_first_then_who_starves)
{
    struct bench *bench = open_bench(false);
    run_cycles(bench, 3);
    ck_assert_uint_eq(bench->fake.calls, 0);    /* all have what they should have */
    bench->fake.guests[0].used_kib = 400 * MIB; /* needs more */
    bench->fake.guests[1].used_kib = 480 * MIB; /* starves */
    bench->fake.guests[2].actual_kib = 900 * MIB;
    bench->fake.guests[3].actual_kib = 900 * MIB;
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
    static const uint64_t tries_sec[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 15, 17, 20};
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
    ck_assert_uint_le(bench->fake.connects, 24);        /* the pauses grow there too */
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

Suite *make_suite(void)
{
    Suite *suite = suite_create("coordinator");
    TCase *acting = tcase_create("acting");
    tcase_add_test(acting, asks_donors_first_then_who_starves);
    tcase_add_test(acting, says_each_action_once);
    tcase_add_test(acting, a_refusal_is_said_and_changes_nothing_for_others);
    tcase_add_test(acting, what_was_asked_for_is_not_asked_for_again);
    tcase_add_test(acting, a_lasting_refusal_is_said_once);
    tcase_add_test(acting, stops_between_two_requests);
    tcase_add_test(acting, a_dry_run_touches_nothing_and_says_each_wish_once);
    tcase_add_test(acting, a_dry_run_says_a_wish_again_when_it_comes_again);
    tcase_add_test(acting, a_look_remembers_but_does_nothing);
    suite_add_tcase(suite, acting);

    TCase *domains = tcase_create("domains");
    tcase_add_test(domains, names_who_comes_and_goes);
    tcase_add_test(domains, a_domain_started_anew_is_another_one);
    tcase_add_test(domains, others_going_does_not_mix_memories_up);
    tcase_add_test(domains, a_silent_guest_is_held_and_named_once);
    tcase_add_test(domains, trouble_is_said_once);
    suite_add_tcase(suite, domains);

    TCase *settings = tcase_create("settings");
    tcase_add_test(settings, metadata_holds_from_the_look_that_finds_it);
    tcase_add_test(settings, a_new_configuration_holds_from_the_next_look);
    tcase_add_test(settings, a_new_configuration_has_all_looked_up_once);
    tcase_add_test(settings, limits_survive_a_lost_connection);
    tcase_add_test(settings, a_configuration_of_a_lost_connection_holds_later);
    tcase_add_test(settings, who_is_not_to_be_managed_is_never_called);
    tcase_add_test(settings, limits_that_clash_are_said_once);
    tcase_add_test(settings, metadata_that_is_refused_is_said_once);
    suite_add_tcase(suite, settings);

    TCase *connection = tcase_create("connection");
    tcase_add_test(connection, connects_again_with_growing_pauses);
    tcase_add_test(connection, what_connects_and_cannot_be_read_is_lost_once);
    tcase_add_test(connection, a_silent_host_is_named_once);
    tcase_add_test(connection, a_silent_guest_is_looked_up_again_now_and_then);
    tcase_add_test(connection, a_lost_connection_forgets_nothing);
    tcase_add_test(connection, out_of_memory_is_said_once_and_survived);
    suite_add_tcase(suite, connection);
    return suite;
}
