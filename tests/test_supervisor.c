/* test_supervisor.c - calls that hang or crash: on a hypervisor that does so when told. */
#include "clock.h"
#include "supervisor.h"
#include "support.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DOMAINS = 16, IDLE_USEC = 10000 };

enum manner {
    ANSWERS,
    HANGS,    /* and is known to be occupied from then on */
    DECEIVES, /* hangs, and seems to answer all the same */
    CRASHES,
    IS_SLOW, /* answers after 150 ms */
};

/* In memory that child and test both see. */
struct fake {
    struct hypervisor_watch *watch;
    enum manner on_connect;
    enum manner on_list;
    enum manner on_read[DOMAINS];
    enum manner on_set[DOMAINS];
    size_t count;

    unsigned int connects;
    unsigned int reads[DOMAINS]; /* that were begun */
    unsigned int sets[DOMAINS];
    enum manner on_set_sharing;
    struct ksm_settings sharing;
    unsigned int set_sharings; /* that were begun */
    unsigned int unconnected;  /* of them: in a process that is not connected */
    unsigned int serves;
    unsigned int disconnects;
    bool is_list_kept; /* at the last read */
    size_t known; /* domains of the last snapshot that were known, and were so at the next read */
    pid_t process;
};

static void behave(enum manner manner)
{
    if (manner == CRASHES) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0});
        signal(SIGSEGV, SIG_DFL); /* a sanitizer has a handler of its own */
        raise(SIGSEGV);
    }
    while (manner == HANGS || manner == DECEIVES)
        pause();
    if (manner == IS_SLOW)
        usleep(150000);
}

static void begin(struct fake *fake, const struct domain *domain)
{
    fake->watch->since_usec = clock_monotonic_usec();
    fake->watch->is_about_domain = domain != NULL;
    if (domain != NULL) {
        memcpy(fake->watch->uuid, domain->uuid, sizeof(domain->uuid));
        fake->watch->id = domain->id;
    }
}

static int fake_connect(void *self, char error[HYPERVISOR_ERROR_BYTES])
{
    struct fake *fake = self;
    begin(fake, NULL);
    fake->connects++;
    fake->process = getpid();
    behave(fake->on_connect);
    snprintf(error, HYPERVISOR_ERROR_BYTES, "nobody there");
    return fake->count == 0 ? -ENOTCONN : 0;
}

static bool is_frozen(const struct fake *fake, size_t i, const struct domain *domain)
{
    for (size_t s = 0; s < fake->watch->suspect_count; s++) {
        const struct hypervisor_suspect *suspect = &fake->watch->suspects[s];
        if (memcmp(suspect->uuid, domain->uuid, sizeof(domain->uuid)) == 0 &&
            suspect->id == domain->id)
            return clock_monotonic_usec() < suspect->until_usec || fake->on_read[i] == HANGS ||
                   fake->on_set[i] == HANGS;
    }
    return false;
}

static void read_domain(struct fake *fake, size_t i, const struct snapshot *before,
                        struct domain *domain)
{
    *domain = (struct domain){.uuid = {(uint8_t)i}, .id = (int)i + 1, .is_known = true};
    size_t last = snapshot_find(before, domain->uuid, domain->id);
    if (last < before->count)
        fake->known += before->domains[last].is_known;
    begin(fake, domain);
    domain->is_frozen = is_frozen(fake, i, domain);
    if (domain->is_frozen)
        return;
    fake->reads[i]++;
    behave(fake->on_read[i]);
    domain->actual_kib = (struct figure){true, 100 + i};
}

static int fake_read(void *self, const struct snapshot *before, struct snapshot *now,
                     char error[HYPERVISOR_ERROR_BYTES])
{
    struct fake *fake = self;
    begin(fake, NULL);
    behave(fake->on_list);
    fake->is_list_kept = before->is_list_kept;
    fake->known = 0;
    now->count = 0;
    if (snapshot_reserve(now, fake->count) != 0) {
        snprintf(error, HYPERVISOR_ERROR_BYTES, "no room");
        return -ENOMEM;
    }
    for (size_t i = 0; i < fake->count; i++)
        read_domain(fake, i, before, &now->domains[now->count++]);
    begin(fake, NULL);
    now->host = (struct host){.has_memory = true, .total_kib = 16 * GIB, .available_kib = 8 * GIB};
    return 0;
}

/* Who is asked for this has a job. */
static const uint64_t BUSY_KIB = 1;

static int fake_set(void *self, const struct domain *domain, uint64_t target_kib,
                    char error[HYPERVISOR_ERROR_BYTES])
{
    struct fake *fake = self;
    size_t i = domain->uuid[0];
    begin(fake, domain);
    fake->sets[i]++;
    behave(fake->on_set[i]);
    snprintf(error, HYPERVISOR_ERROR_BYTES, "too much");
    if (target_kib == BUSY_KIB)
        return -EBUSY;
    return target_kib > 2048 * MIB ? -EIO : 0;
}

static int fake_read_sharing(void *self, struct ksm_reading *ret_reading,
                             char error[HYPERVISOR_ERROR_BYTES])
{
    struct fake *fake = self;
    begin(fake, NULL);
    snprintf(error, HYPERVISOR_ERROR_BYTES, "none");
    ck_assert_int_eq(getpid(), fake->process);
    *ret_reading = (struct ksm_reading){.pages_sharing = {true, 77}, .run = fake->sharing.run};
    return 0;
}

static int fake_set_sharing(void *self, const struct ksm_settings *settings,
                            char error[HYPERVISOR_ERROR_BYTES])
{
    struct fake *fake = self;
    bool is_connected = getpid() == fake->process;
    begin(fake, NULL);
    fake->set_sharings++;
    fake->unconnected += !is_connected;
    if (is_connected)
        behave(fake->on_set_sharing);
    fake->sharing = *settings;
    snprintf(error, HYPERVISOR_ERROR_BYTES, "not permitted");
    return settings->run.value == 2 ? -EACCES : 0;
}

static void fake_serve(void *self)
{
    struct fake *fake = self;
    fake->serves++;
}

static void fake_disconnect(void *self)
{
    struct fake *fake = self;
    fake->disconnects++;
}

static void fake_watch(void *self, struct hypervisor_watch *watch)
{
    struct fake *fake = self;
    fake->watch = watch;
}

static const struct hypervisor_operations fake_operations = {
    .connect = fake_connect,
    .read = fake_read,
    .set_memory = fake_set,
    .read_sharing = fake_read_sharing,
    .set_sharing = fake_set_sharing,
    .serve = fake_serve,
    .disconnect = fake_disconnect,
    .watch = fake_watch,
};

/* ---- the bench ---- */

struct bench {
    struct fake *fake;
    struct supervisor *supervisor;
    struct snapshot looks[2];
    size_t current;
    int wake[2];
    int notices[2];
    unsigned int noticed; /* how many were taken */
    char error[HYPERVISOR_ERROR_BYTES];
};

static bool has_byte(void *argument)
{
    const struct bench *bench = argument;
    struct pollfd descriptor = {.fd = bench->wake[0], .events = POLLIN};
    return poll(&descriptor, 1, 0) == 1;
}

/* "s" is of a start. */
static bool take_notice(void *argument)
{
    struct bench *bench = argument;
    char notice = '\0';
    ck_assert_int_eq(read(bench->notices[0], &notice, 1), 1);
    bench->noticed++;
    return notice == 's';
}

static struct bench *open_bench(uint64_t call_timeout_usec)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    ck_assert_ptr_nonnull(bench);
    ck_assert_int_eq(pipe(bench->wake), 0);
    ck_assert_int_eq(pipe(bench->notices), 0);
    bench->fake =
        mmap(NULL, sizeof(*bench->fake), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(bench->fake != MAP_FAILED);
    bench->fake->count = 4;
    struct supervisor_config config = {
        .operations = &fake_operations,
        .self = bench->fake,
        .call_timeout_usec = call_timeout_usec,
        .wake = bench->wake[0],
        .is_stopping = has_byte,
        .notices = bench->notices[0],
        .is_start_waiting = take_notice,
        .argument = bench,
    };
    bench->supervisor = supervisor_new(&config);
    ck_assert_ptr_nonnull(bench->supervisor);
    return bench;
}

static void close_bench(struct bench *bench)
{
    supervisor_free(bench->supervisor);
    munmap(bench->fake, sizeof(*bench->fake));
    close(bench->wake[0]);
    close(bench->wake[1]);
    close(bench->notices[0]);
    close(bench->notices[1]);
    free(bench);
}

static int connect_bench(struct bench *bench)
{
    return supervisor_operations.connect(bench->supervisor, bench->error);
}

static struct bench *open_connected(uint64_t call_timeout_usec)
{
    struct bench *bench = open_bench(call_timeout_usec);
    ck_assert_int_eq(connect_bench(bench), 0);
    return bench;
}

static int read_bench(struct bench *bench)
{
    struct snapshot *now = &bench->looks[1 - bench->current];
    int result = supervisor_operations.read(bench->supervisor, &bench->looks[bench->current], now,
                                            bench->error);
    if (result == 0)
        bench->current = 1 - bench->current;
    return result;
}

static const struct snapshot *now_of(const struct bench *bench)
{
    return &bench->looks[bench->current];
}

static int set_bench(struct bench *bench, size_t i, uint64_t target_kib)
{
    return supervisor_operations.set_memory(bench->supervisor, &now_of(bench)->domains[i],
                                            target_kib, bench->error);
}

/* All are there, those of FROZEN (a bit for each) are frozen, and all others have been read. */
static void assert_read(const struct bench *bench, unsigned int frozen)
{
    const struct snapshot *now = now_of(bench);
    ck_assert_uint_eq(now->count, bench->fake->count);
    for (size_t i = 0; i < now->count; i++) {
        bool is_to_be_frozen = (frozen >> i & 1) != 0;
        ck_assert_msg(now->domains[i].is_frozen == is_to_be_frozen, "domain %zu", i);
        ck_assert_msg(now->domains[i].actual_kib.known == !is_to_be_frozen, "domain %zu", i);
        if (!is_to_be_frozen)
            ck_assert_uint_eq(now->domains[i].actual_kib.value, 100 + i);
    }
    ck_assert(now->host.has_memory);
    ck_assert_uint_eq(now->host.available_kib, 8 * GIB);
}

static bool is_alive(pid_t process)
{
    return kill(process, 0) == 0;
}

/* ---- what must hold ---- */

START_TEST(reads_and_sets_in_another_process)
{
    struct bench *bench = open_connected(5 * SEC);
    ck_assert_int_ne(bench->fake->process, getpid());
    ck_assert_int_eq(bench->fake->process, supervisor_child(bench->supervisor));
    ck_assert_int_eq(read_bench(bench), 0);
    assert_read(bench, 0);
    ck_assert_int_eq(set_bench(bench, 2, 700 * MIB), 0);
    ck_assert_uint_eq(bench->fake->sets[2], 1);
    ck_assert_int_eq(set_bench(bench, 1, 4096 * MIB), -EIO);
    ck_assert_str_eq(bench->error, "too much");
    ck_assert_int_eq(set_bench(bench, 1, BUSY_KIB), -EBUSY);
    ck_assert_uint_eq(bench->fake->connects, 1);
    close_bench(bench);
}
END_TEST

START_TEST(hands_the_last_snapshot_over)
{
    struct bench *bench = open_connected(5 * SEC);
    ck_assert_int_eq(read_bench(bench), 0);
    ck_assert_uint_eq(bench->fake->known, 0);
    for (unsigned int i = 0; i < 3; i++) {
        ck_assert_int_eq(read_bench(bench), 0);
        ck_assert_uint_eq(bench->fake->known, 4);
    }
    now_of(bench)->domains[1].is_known = false;
    ck_assert_int_eq(read_bench(bench), 0);
    ck_assert_uint_eq(bench->fake->known, 3);
    close_bench(bench);
}
END_TEST

START_TEST(hands_over_that_the_list_is_kept)
{
    struct bench *bench = open_connected(5 * SEC);
    for (size_t i = 0; i < 3; i++) {
        ck_assert(!bench->fake->is_list_kept);
        ck_assert_int_eq(read_bench(bench), 0);
    }
    bench->looks[bench->current].is_list_kept = true;
    ck_assert_int_eq(read_bench(bench), 0);
    ck_assert(bench->fake->is_list_kept);
    close_bench(bench);
}
END_TEST

START_TEST(a_frozen_domain_is_left_out_until_it_answers)
{
    struct bench *bench = open_connected(SEC);
    ck_assert_int_eq(read_bench(bench), 0);
    bench->fake->on_read[1] = HANGS;
    ck_assert_int_eq(read_bench(bench), 0);
    assert_read(bench, 1 << 1);
    ck_assert_uint_eq(bench->fake->connects, 2);
    for (unsigned int i = 0; i < 3; i++)
        ck_assert_int_eq(read_bench(bench), 0);
    assert_read(bench, 1 << 1);
    ck_assert_uint_eq(bench->fake->connects, 2); /* it has cost one call */
    ck_assert_uint_eq(bench->fake->reads[1], 2);
    bench->fake->on_read[1] = ANSWERS;
    ck_assert_int_eq(read_bench(bench), 0);
    assert_read(bench, 0);
    bench->fake->on_read[1] = HANGS; /* and once more */
    ck_assert_int_eq(read_bench(bench), 0);
    assert_read(bench, 1 << 1);
    close_bench(bench);
}
END_TEST

START_TEST(a_domain_is_given_up_after_a_quarter_of_the_patience)
{
    struct bench *bench = open_connected(8 * SEC);
    ck_assert_int_eq(read_bench(bench), 0);
    bench->fake->on_read[1] = HANGS;
    uint64_t start = clock_monotonic_usec();
    ck_assert_int_eq(read_bench(bench), 0);
    ck_assert_uint_ge(clock_monotonic_usec() - start, 2 * SEC);
    ck_assert_uint_lt(clock_monotonic_usec() - start, 4 * SEC);
    assert_read(bench, 1 << 1);
    close_bench(bench);
}
END_TEST

/* Each alone would take half a second. */
START_TEST(all_frozen_at_once_share_the_patience)
{
    struct bench *bench = open_connected(2 * SEC);
    bench->fake->count = DOMAINS;
    ck_assert_int_eq(read_bench(bench), 0);
    for (size_t i = 0; i < DOMAINS; i++)
        bench->fake->on_read[i] = HANGS;
    uint64_t start = clock_monotonic_usec();
    ck_assert_int_eq(read_bench(bench), 0);
    ck_assert_uint_lt(clock_monotonic_usec() - start, DOMAINS * SEC / 4);
    assert_read(bench, (1u << DOMAINS) - 1);
    for (size_t i = 0; i < DOMAINS; i++)
        bench->fake->on_read[i] = ANSWERS;
    ck_assert_int_eq(read_bench(bench), 0);
    assert_read(bench, 0);
    close_bench(bench);
}
END_TEST

START_TEST(a_slow_hypervisor_is_not_taken_for_a_frozen_one)
{
    struct bench *bench = open_connected(SEC);
    bench->fake->count = DOMAINS;
    for (size_t i = 0; i < DOMAINS; i++)
        bench->fake->on_read[i] = IS_SLOW; /* 2.4 s in all */
    ck_assert_int_eq(read_bench(bench), 0);
    assert_read(bench, 0);
    close_bench(bench);
}
END_TEST

START_TEST(a_request_that_hangs_may_still_be_followed)
{
    struct bench *bench = open_connected(SEC);
    ck_assert_int_eq(read_bench(bench), 0);
    bench->fake->on_set[0] = HANGS;
    ck_assert_int_eq(set_bench(bench, 0, 700 * MIB), -EINPROGRESS);
    ck_assert_msg(strstr(bench->error, "no answer for ") != NULL, "%s", bench->error);
    ck_assert_int_eq(set_bench(bench, 3, 700 * MIB), 0); /* by a new child, in the same cycle */
    ck_assert_uint_eq(bench->fake->sets[3], 1);
    ck_assert_int_eq(read_bench(bench), 0);
    assert_read(bench, 1 << 0);
    close_bench(bench);
}
END_TEST

START_TEST(a_domain_that_crashes_the_library_is_left_out)
{
    struct bench *bench = open_connected(SEC);
    bench->fake->on_read[2] = CRASHES;
    ck_assert_int_eq(read_bench(bench), 0); /* crashes twice, then is left alone */
    assert_read(bench, 1 << 2);
    ck_assert_uint_eq(bench->fake->reads[2], 2);
    ck_assert_int_eq(read_bench(bench), 0);
    assert_read(bench, 1 << 2);
    ck_assert_uint_eq(bench->fake->reads[2], 2);
    close_bench(bench);
}
END_TEST

START_TEST(who_deceives_again_is_left_alone)
{
    struct bench *bench = open_connected(SEC);
    ck_assert_int_eq(read_bench(bench), 0);
    bench->fake->on_read[3] = DECEIVES;
    ck_assert_int_eq(read_bench(bench), 0);
    assert_read(bench, 1 << 3);
    unsigned int reads = bench->fake->reads[3];
    ck_assert_uint_le(reads, 3);
    ck_assert_int_eq(read_bench(bench), 0);
    assert_read(bench, 1 << 3);
    ck_assert_uint_eq(bench->fake->reads[3], reads);
    close_bench(bench);
}
END_TEST

START_TEST(when_the_whole_hangs_or_crashes_the_connection_is_lost)
{
    static const struct {
        enum manner manner;
        const char *error;
    } rows[] = {
        {HANGS, "no answer for 1.0 s"},
        {CRASHES, "the process that asks "},
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        struct bench *bench = open_connected(SEC);
        ck_assert_int_eq(read_bench(bench), 0);
        bench->fake->on_list = rows[row].manner;
        ck_assert_int_eq(read_bench(bench), -ENOTCONN);
        ck_assert_msg(strstr(bench->error, rows[row].error) == bench->error, "%s", bench->error);
        ck_assert_int_eq(read_bench(bench), -ENOTCONN);
        ck_assert_str_eq(bench->error, "not connected");
        ck_assert_int_eq(set_bench(bench, 0, 700 * MIB), -ENOTCONN);
        bench->fake->on_list = ANSWERS;
        ck_assert_int_eq(connect_bench(bench), 0);
        ck_assert_int_eq(read_bench(bench), 0);
        assert_read(bench, 0);
        ck_assert_uint_eq(bench->fake->known, 4); /* nothing is forgotten */
        close_bench(bench);
    }
}
END_TEST

START_TEST(a_child_that_was_killed_is_replaced)
{
    struct bench *bench = open_connected(SEC);
    bench->fake->on_read[1] = HANGS;
    ck_assert_int_eq(read_bench(bench), 0);
    kill(supervisor_child(bench->supervisor), SIGKILL);
    ck_assert_int_eq(read_bench(bench), -ENOTCONN);
    ck_assert_msg(strstr(bench->error, "signal 9") != NULL, "%s", bench->error);
    unsigned int reads = bench->fake->reads[1];
    ck_assert_int_eq(connect_bench(bench), 0);
    ck_assert_int_eq(read_bench(bench), 0);
    assert_read(bench, 1 << 1); /* who was frozen still is */
    ck_assert_uint_eq(bench->fake->reads[1], reads);
    close_bench(bench);
}
END_TEST

START_TEST(says_why_it_cannot_connect)
{
    struct bench *bench = open_bench(SEC);
    bench->fake->count = 0;
    ck_assert_int_eq(connect_bench(bench), -ENOTCONN);
    ck_assert_str_eq(bench->error, "nobody there");
    bench->fake->count = 4;
    ck_assert_int_eq(connect_bench(bench), 0);
    close_bench(bench);
}
END_TEST

START_TEST(reads_and_sets_the_sharing_of_pages)
{
    struct bench *bench = open_connected(SEC);
    struct ksm_reading reading = {0};
    struct ksm_settings settings = {.run = {true, 1}};
    ck_assert_int_eq(supervisor_operations.set_sharing(bench->supervisor, &settings, bench->error),
                     0);
    ck_assert_int_eq(supervisor_operations.read_sharing(bench->supervisor, &reading, bench->error),
                     0);
    ck_assert_uint_eq(reading.pages_sharing.value, 77);
    ck_assert_uint_eq(reading.run.value, 1);
    settings.run.value = 2;
    ck_assert_int_eq(supervisor_operations.set_sharing(bench->supervisor, &settings, bench->error),
                     -EACCES);
    ck_assert_str_eq(bench->error, "not permitted");
    close_bench(bench);
}
END_TEST

START_TEST(a_hypervisor_that_hangs_does_not_keep_sharing_from_being_set)
{
    struct bench *bench = open_connected(SEC);
    struct ksm_settings settings = {.run = {true, 1}};
    bench->fake->on_set_sharing = HANGS;
    ck_assert_int_eq(supervisor_operations.set_sharing(bench->supervisor, &settings, bench->error),
                     0);
    ck_assert_uint_eq(bench->fake->set_sharings, 2);
    ck_assert_uint_eq(bench->fake->unconnected, 1);
    ck_assert_uint_eq(bench->fake->sharing.run.value, 1);
    close_bench(bench);
    bench = open_bench(SEC); /* never connected */
    ck_assert_int_eq(supervisor_operations.set_sharing(bench->supervisor, &settings, bench->error),
                     0);
    ck_assert_uint_eq(bench->fake->unconnected, 1);
    struct ksm_reading reading = {.reason = 7};
    close_bench(bench);
    bench = open_bench(SEC);
    ck_assert_int_eq(supervisor_operations.read_sharing(bench->supervisor, &reading, bench->error),
                     -ENOTCONN);
    ck_assert_int_eq(reading.reason, 7);
    close_bench(bench);
}
END_TEST

START_TEST(any_wait_ends_when_told_to_stop)
{
    static const struct {
        enum manner on_connect;
        enum manner on_read;
    } rows[] = {{HANGS, ANSWERS}, {ANSWERS, HANGS}};
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        struct bench *bench = open_bench(3600 * SEC);
        ck_assert_int_eq(write(bench->wake[1], "", 1), 1);
        bench->fake->on_connect = rows[row].on_connect;
        bench->fake->on_read[0] = rows[row].on_read;
        int result = connect_bench(bench);
        if (result == 0)
            result = read_bench(bench);
        ck_assert_int_eq(result, -ECANCELED);
        close_bench(bench);
    }
}
END_TEST

/* For --on-exit: the one who has ended a wait goes on by itself. */
START_TEST(reads_again_after_a_stop)
{
    struct bench *bench = open_connected(3600 * SEC);
    char byte;
    ck_assert_int_eq(write(bench->wake[1], "", 1), 1);
    bench->fake->on_read[0] = HANGS;
    ck_assert_int_eq(read_bench(bench), -ECANCELED);
    ck_assert_int_eq(read(bench->wake[0], &byte, 1), 1);
    bench->fake->on_read[0] = ANSWERS;
    ck_assert_int_eq(read_bench(bench), 0);
    assert_read(bench, 0);
    close_bench(bench);
}
END_TEST

/* By the hypervisor the list comes when the start does not wait any more, and that is for us. */
START_TEST(a_list_is_not_waited_for_while_a_start_waits)
{
    struct bench *bench = open_connected(3600 * SEC);
    bench->fake->on_list = HANGS;
    ck_assert_int_eq(write(bench->notices[1], "-s", 2), 2); /* first one of something else */
    ck_assert_int_eq(read_bench(bench), -ECANCELED);
    ck_assert_uint_eq(bench->noticed, 2);
    ck_assert_uint_eq(bench->fake->connects, 1);
    bench->fake->on_list = ANSWERS;
    bench->looks[bench->current].is_list_kept = true;
    ck_assert_int_eq(read_bench(bench), 0);
    assert_read(bench, 0);
    ck_assert(bench->fake->is_list_kept);
    close_bench(bench);
}
END_TEST

/* A read that asks for no list goes on; so does a request. */
START_TEST(other_calls_are_waited_for_while_a_start_waits)
{
    struct bench *bench = open_connected(5 * SEC);
    ck_assert_int_eq(write(bench->notices[1], "s", 1), 1);
    bench->looks[bench->current].is_list_kept = true;
    bench->fake->on_list = IS_SLOW;
    ck_assert_int_eq(read_bench(bench), 0);
    bench->fake->on_set[0] = IS_SLOW;
    ck_assert_int_eq(set_bench(bench, 0, GIB), 0);
    ck_assert_uint_eq(bench->noticed, 0);
    close_bench(bench);
}
END_TEST

START_TEST(a_call_that_does_not_hang_is_finished_before_the_stop)
{
    struct bench *bench = open_connected(5 * SEC);
    ck_assert_int_eq(write(bench->wake[1], "", 1), 1);
    bench->fake->on_read[0] = IS_SLOW;
    ck_assert_int_eq(read_bench(bench), 0);
    assert_read(bench, 0);
    close_bench(bench);
}
END_TEST

START_TEST(takes_leave)
{
    struct bench *bench = open_connected(SEC);
    pid_t child = supervisor_child(bench->supervisor);
    supervisor_free(bench->supervisor);
    bench->supervisor = NULL;
    ck_assert(!is_alive(child));
    ck_assert_uint_eq(bench->fake->disconnects, 1);
    close_bench(bench);
}
END_TEST

START_TEST(a_stopped_child_is_replaced_and_ended)
{
    struct bench *bench = open_connected(SEC);
    pid_t child = supervisor_child(bench->supervisor);
    kill(child, SIGSTOP);
    ck_assert_int_eq(read_bench(bench), -ENOTCONN);
    ck_assert(!is_alive(child));
    ck_assert_int_eq(connect_bench(bench), 0);
    child = supervisor_child(bench->supervisor);
    kill(child, SIGSTOP);
    supervisor_free(bench->supervisor);
    bench->supervisor = NULL;
    ck_assert(!is_alive(child));
    close_bench(bench);
}
END_TEST

/* As when the whole coordinator is killed, wherever its child is. */
START_TEST(no_child_outlives_its_parent)
{
    struct bench *bench = open_bench(3600 * SEC);
    bench->fake->on_read[0] = HANGS;
    pid_t parent = fork();
    if (parent == 0) {
        connect_bench(bench);
        read_bench(bench);
        _exit(0);
    }
    while (bench->fake->reads[0] == 0)
        usleep(IDLE_USEC);
    pid_t child = bench->fake->process;
    kill(parent, SIGKILL);
    waitpid(parent, NULL, 0);
    for (unsigned int i = 0; i < 1000 && is_alive(child); i++)
        usleep(IDLE_USEC); /* a busy machine takes its time; who reaps it, too */
    char path[64];
    char state = 'Z';
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)child);
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        ck_assert_int_eq(fscanf(file, "%*d (%*[^)]) %c", &state), 1);
        fclose(file);
    }
    ck_assert_msg(state == 'Z', "state %c", state);
    close_bench(bench);
}
END_TEST

START_TEST(the_hypervisor_is_served_while_idle)
{
    struct bench *bench = open_connected(SEC);
    for (unsigned int i = 0; i < 1000 && bench->fake->serves == 0; i++)
        usleep(IDLE_USEC);
    ck_assert_uint_gt(bench->fake->serves, 0);
    close_bench(bench);
}
END_TEST

START_TEST(leaves_no_descriptors_behind)
{
    struct bench *bench = open_connected(SEC);
    ck_assert_int_eq(read_bench(bench), 0);
    int before = dup(0);
    close(before);
    for (unsigned int i = 0; i < 5; i++) {
        kill(supervisor_child(bench->supervisor), SIGKILL);
        ck_assert_int_eq(read_bench(bench), -ENOTCONN);
        ck_assert_int_eq(connect_bench(bench), 0);
    }
    int after = dup(0);
    close(after);
    ck_assert_int_eq(after, before);
    close_bench(bench);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("supervisor");
    TCase *tests = tcase_create("supervisor");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, reads_and_sets_in_another_process);
    tcase_add_test(tests, hands_the_last_snapshot_over);
    tcase_add_test(tests, hands_over_that_the_list_is_kept);
    tcase_add_test(tests, a_frozen_domain_is_left_out_until_it_answers);
    tcase_add_test(tests, a_domain_is_given_up_after_a_quarter_of_the_patience);
    tcase_add_test(tests, all_frozen_at_once_share_the_patience);
    tcase_add_test(tests, a_slow_hypervisor_is_not_taken_for_a_frozen_one);
    tcase_add_test(tests, a_request_that_hangs_may_still_be_followed);
    tcase_add_test(tests, a_domain_that_crashes_the_library_is_left_out);
    tcase_add_test(tests, who_deceives_again_is_left_alone);
    tcase_add_test(tests, when_the_whole_hangs_or_crashes_the_connection_is_lost);
    tcase_add_test(tests, a_child_that_was_killed_is_replaced);
    tcase_add_test(tests, says_why_it_cannot_connect);
    tcase_add_test(tests, reads_and_sets_the_sharing_of_pages);
    tcase_add_test(tests, a_hypervisor_that_hangs_does_not_keep_sharing_from_being_set);
    tcase_add_test(tests, any_wait_ends_when_told_to_stop);
    tcase_add_test(tests, reads_again_after_a_stop);
    tcase_add_test(tests, a_list_is_not_waited_for_while_a_start_waits);
    tcase_add_test(tests, other_calls_are_waited_for_while_a_start_waits);
    tcase_add_test(tests, a_call_that_does_not_hang_is_finished_before_the_stop);
    tcase_add_test(tests, takes_leave);
    tcase_add_test(tests, a_stopped_child_is_replaced_and_ended);
    tcase_add_test(tests, no_child_outlives_its_parent);
    tcase_add_test(tests, the_hypervisor_is_served_while_idle);
    tcase_add_test(tests, leaves_no_descriptors_behind);
    suite_add_tcase(suite, tests);
    return suite;
}
