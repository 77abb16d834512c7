/* test_supervisor.c - work that hangs or crashes: on a hypervisor that does so when told. */
#include "clock.h"
#include "kept.h"
#include "supervisor.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    DOMAINS = 16,
    STEPS_MOST = 12,
    IDLE_USEC = 10000,
    SLOW_USEC = 150000,
    LONG_USEC = 5300000,
    WORD_MSEC = 10000,
    BUSY_KIB = 1, /* who is asked for this has a job */
};

/* No patience ends before the test does. */
static const uint64_t FOR_EVER_USEC = 3600 * SEC;

enum manner {
    ANSWERS,
    REFUSES,  /* to be connected to */
    HANGS,    /* and is known to be occupied from then on */
    DECEIVES, /* hangs, and seems to answer all the same */
    STOPS,    /* its process is stopped at once, */
    FREEZES,  /* or when the call is slow already */
    CRASHES,
    IS_KILLED, /* once */
    IS_SLOW,   /* answers after SLOW_USEC */
    IS_LONG,   /* or after LONG_USEC */
};

/* Where it does so. */
enum {
    NOWHERE,
    ON_CONNECT,
    ON_LIST,
    ON_READ_SHARING,
    ON_SET_SHARING, /* in a process that is connected */
    ON_SERVE,
    ON_DISCONNECT,
    ON_READ,                         /* + the domain */
    ON_SET = ON_READ + DOMAINS,      /* likewise */
    ON_EACH_READ = ON_SET + DOMAINS, /* all of them */
    PLACES = ON_EACH_READ,
};

/* What has been asked for: begun, not necessarily answered. */
struct tally {
    unsigned int connects;
    unsigned int reads[DOMAINS];
    unsigned int sets[DOMAINS];
    unsigned int set_sharings;
    unsigned int unconnected; /* of them: in a process that is not connected */
    unsigned int serves;
    unsigned int disconnects;
    bool is_list_kept; /* at the last read */
    size_t known;      /* domains that were known before it, too */
};

struct fake {
    struct hypervisor_watch *watch;
    enum manner manners[PLACES];
    size_t count;
    struct tally tally;
    struct ksm_settings sharing;
    pid_t process; /* that is connected, */
    pid_t left;    /* or no longer */

    /* The next call that is not answered at once writes this there, after so long. */
    char tells; /* '\0': nothing */
    uint64_t tells_after_usec;
    int wake;
};

static void stay(uint64_t usec)
{
    uint64_t until = clock_monotonic_usec() + usec;
    while (clock_monotonic_usec() < until)
        usleep(IDLE_USEC); /* any signal ends it */
}

static void crash(void)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){0});
    signal(SIGSEGV, SIG_DFL); /* a sanitizer has a handler of its own */
    raise(SIGSEGV);
}

static void tell(struct fake *fake)
{
    char told = fake->tells;
    if (told == '\0')
        return;
    fake->tells = '\0';
    stay(fake->tells_after_usec);
    if (write(fake->wake, &told, 1) != 1)
        crash();
}

static void behave(struct fake *fake, size_t place)
{
    enum manner manner = fake->manners[place];
    if (manner == ANSWERS || manner == REFUSES)
        return;
    if (manner == CRASHES)
        crash();
    if (manner == STOPS)
        raise(SIGSTOP);
    if (manner == IS_KILLED) {
        fake->manners[place] = ANSWERS;
        raise(SIGKILL);
    }
    tell(fake);
    stay(manner == IS_LONG ? LONG_USEC : SLOW_USEC);
    if (manner == FREEZES)
        raise(SIGSTOP);
    while (manner == HANGS || manner == DECEIVES || manner == FREEZES)
        pause();
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
    fake->tally.connects++;
    fake->process = getpid();
    behave(fake, ON_CONNECT);
    snprintf(error, HYPERVISOR_ERROR_BYTES, "nobody there");
    return fake->manners[ON_CONNECT] == REFUSES ? -ENOTCONN : 0;
}

static bool is_frozen(const struct fake *fake, size_t i, const struct domain *domain)
{
    for (size_t s = 0; s < fake->watch->suspect_count; s++) {
        const struct hypervisor_suspect *suspect = &fake->watch->suspects[s];
        if (memcmp(suspect->uuid, domain->uuid, sizeof(domain->uuid)) == 0 &&
            suspect->id == domain->id)
            return clock_monotonic_usec() < suspect->until_usec ||
                   fake->manners[ON_READ + i] == HANGS || fake->manners[ON_SET + i] == HANGS;
    }
    return false;
}

static void read_domain(struct fake *fake, size_t i, const struct snapshot *before,
                        struct domain *domain)
{
    *domain = (struct domain){.uuid = {(uint8_t)i}, .id = (int)i + 1, .is_known = true};
    size_t last = snapshot_find(before, domain->uuid, domain->id);
    if (last < before->count)
        fake->tally.known += before->domains[last].is_known;
    begin(fake, domain);
    domain->is_frozen = is_frozen(fake, i, domain);
    if (domain->is_frozen)
        return;
    fake->tally.reads[i]++;
    behave(fake, ON_READ + i);
    domain->actual_kib = (struct figure){true, 100 + i};
}

static int fake_read(void *self, const struct snapshot *before, struct snapshot *now,
                     char error[HYPERVISOR_ERROR_BYTES])
{
    struct fake *fake = self;
    begin(fake, NULL);
    behave(fake, ON_LIST);
    fake->tally.is_list_kept = before->is_list_kept;
    fake->tally.known = 0;
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

static int fake_set(void *self, const struct domain *domain, uint64_t target_kib,
                    char error[HYPERVISOR_ERROR_BYTES])
{
    struct fake *fake = self;
    size_t i = domain->uuid[0];
    begin(fake, domain);
    fake->tally.sets[i]++;
    behave(fake, ON_SET + i);
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
    behave(fake, ON_READ_SHARING);
    snprintf(error, HYPERVISOR_ERROR_BYTES, "none");
    *ret_reading = (struct ksm_reading){.pages_sharing = {true, 77}, .run = fake->sharing.run};
    return getpid() == fake->process ? 0 : -EPIPE;
}

/* Setting KSM to this crashes without a connection, too; for some times. */
enum { CRASHES_ANYWHERE = 99 };

static int fake_set_sharing(void *self, const struct ksm_settings *settings,
                            char error[HYPERVISOR_ERROR_BYTES])
{
    struct fake *fake = self;
    bool is_connected = getpid() == fake->process;
    begin(fake, NULL);
    fake->tally.set_sharings++;
    fake->tally.unconnected += !is_connected;
    if (settings->run.value == CRASHES_ANYWHERE && fake->tally.set_sharings < 5)
        crash();
    if (is_connected && settings->run.value != CRASHES_ANYWHERE)
        behave(fake, ON_SET_SHARING);
    fake->sharing = *settings;
    snprintf(error, HYPERVISOR_ERROR_BYTES, "not permitted");
    return settings->run.value == 2 ? -EACCES : 0;
}

static void fake_serve(void *self)
{
    struct fake *fake = self;
    fake->tally.serves++;
    behave(fake, ON_SERVE);
}

static void fake_disconnect(void *self)
{
    struct fake *fake = self;
    fake->tally.disconnects++;
    fake->left = getpid();
    behave(fake, ON_DISCONNECT);
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

/* ---- the bench: work in steps ---- */

struct bench;
struct outcome;

/* One of the work, done in the child; nothing is asserted there. A child that takes over goes on
 * with the step that was not finished. */
struct step {
    int (*act)(struct bench *bench, const struct step *step, struct outcome *outcome);
    size_t place; /* the fake's manner there is changed first */
    enum manner manner;
    size_t domain;
    uint64_t value;

    /* What the parent expects of it afterwards: */
    int result;
    const char *error;   /* that it begins with; NULL: anything */
    unsigned int frozen; /* of a read: a bit for each domain; all others have been read */
};

struct outcome {
    unsigned int begun; /* by so many children */
    pid_t process;      /* the last of them */
    bool is_finished;
    int result;
    char error[HYPERVISOR_ERROR_BYTES];
    uint64_t since_usec;
    uint64_t took_usec;
    struct tally tally; /* after it */
    struct snapshot look;
    struct domain domains[DOMAINS];
    struct domain_remarks remarks[DOMAINS];
};

/* In memory that child and test both see. */
struct bench {
    struct fake fake;
    struct supervisor *supervisor;
    struct supervisor_config config;
    int wake[2];
    int notices[2];

    /* The work: */
    const struct step *steps;
    size_t step_count;
    size_t at;
    int status; /* that it ends with */
    struct outcome outcomes[STEPS_MOST];
    struct snapshot nothing;
    struct snapshot *last;
    struct ksm_reading reading;

    /* What the parent was asked and told: */
    unsigned int asked; /* whether it is stopping; */
    pid_t asked_in;     /* in this process */
    unsigned int noticed;
    unsigned int waited;
    unsigned int told;
    bool is_stopped_then;                  /* it is told to stop when it has told something */
    char what[2 * HYPERVISOR_ERROR_BYTES]; /* the last time */
    struct rlimit room;                    /* for descriptors, which it gives back then */

    bool is_told; /* to stop */
    int result;   /* of the run */
    char error[HYPERVISOR_ERROR_BYTES];
};

/* "s" is of a stop. */
static bool take_wake(void *argument)
{
    struct bench *bench = argument;
    char told = '\0';
    struct pollfd descriptor = {.fd = bench->wake[0], .events = POLLIN};
    bench->asked++;
    bench->asked_in = getpid();
    if (poll(&descriptor, 1, 0) == 1 && read(bench->wake[0], &told, 1) == 1)
        bench->is_told = told == 's';
    return bench->is_told;
}

/* "s" is of a start. */
static bool take_notice(void *argument)
{
    struct bench *bench = argument;
    char notice = '\0';
    bench->noticed++;
    return read(bench->notices[0], &notice, 1) == 1 && notice == 's';
}

static void count_waiting(void *argument)
{
    struct bench *bench = argument;
    bench->waited++;
}

static void take_what_is_told(void *argument, const char *what)
{
    struct bench *bench = argument;
    bench->told++;
    snprintf(bench->what, sizeof(bench->what), "%s", what);
    if (bench->is_stopped_then)
        ck_assert_int_eq(write(bench->wake[1], "s", 1), 1);
    else if (bench->room.rlim_cur != 0)
        setrlimit(RLIMIT_NOFILE, &bench->room);
}

static struct bench *open_bench(uint64_t call_timeout_usec)
{
    struct bench *bench = kept_new(sizeof(*bench));
    ck_assert_ptr_nonnull(bench);
    ck_assert_int_eq(pipe(bench->wake), 0);
    ck_assert_int_eq(pipe(bench->notices), 0);
    bench->fake.count = 4;
    bench->fake.wake = bench->wake[1];
    bench->last = &bench->nothing;
    bench->config = (struct supervisor_config){
        .operations = &fake_operations,
        .self = &bench->fake,
        .call_timeout_usec = call_timeout_usec,
        .wake = bench->wake[0],
        .is_stopping = take_wake,
        .notices = bench->notices[0],
        .is_start_waiting = take_notice,
        .is_waiting = count_waiting,
        .tell = take_what_is_told,
        .argument = bench,
    };
    bench->supervisor = supervisor_new(&bench->config);
    ck_assert_ptr_nonnull(bench->supervisor);
    return bench;
}

static void close_bench(struct bench *bench)
{
    supervisor_free(bench->supervisor);
    close(bench->wake[0]);
    close(bench->wake[1]);
    close(bench->notices[0]);
    close(bench->notices[1]);
    kept_free(bench, sizeof(*bench));
}

static void change_manner(struct fake *fake, const struct step *step)
{
    if (step->place == ON_EACH_READ)
        for (size_t i = 0; i < DOMAINS; i++)
            fake->manners[ON_READ + i] = step->manner;
    else if (step->place != NOWHERE)
        fake->manners[step->place] = step->manner;
}

static void take_step(struct bench *bench, const struct step *step, struct outcome *outcome)
{
    outcome->process = getpid();
    if (outcome->begun++ == 0) {
        outcome->since_usec = clock_monotonic_usec();
        change_manner(&bench->fake, step);
    }
    outcome->result = step->act(bench, step, outcome);
    outcome->took_usec = clock_monotonic_usec() - outcome->since_usec;
    outcome->tally = bench->fake.tally;
    outcome->is_finished = true;
}

static int work(void *argument)
{
    struct bench *bench = argument;
    for (; bench->at < bench->step_count; bench->at++)
        take_step(bench, &bench->steps[bench->at], &bench->outcomes[bench->at]);
    return bench->status;
}

static bool is_alive(pid_t process)
{
    return kill(process, 0) == 0;
}

static void assert_read(const struct bench *bench, size_t s, unsigned int frozen)
{
    const struct snapshot *look = &bench->outcomes[s].look;
    ck_assert_uint_eq(look->count, bench->fake.count);
    for (size_t i = 0; i < look->count; i++) {
        const struct domain *domain = &look->domains[i];
        bool is_to_be_frozen = (frozen >> i & 1) != 0;
        ck_assert_msg(domain->is_frozen == is_to_be_frozen, "step %zu, domain %zu", s, i);
        ck_assert_msg(domain->actual_kib.known == !is_to_be_frozen, "step %zu, domain %zu", s, i);
        if (!is_to_be_frozen)
            ck_assert_uint_eq(domain->actual_kib.value, 100 + i);
    }
    ck_assert(look->host.has_memory);
    ck_assert_uint_eq(look->host.available_kib, 8 * GIB);
}

static void assert_step(const struct bench *bench, size_t s)
{
    const struct step *step = &bench->steps[s];
    const struct outcome *outcome = &bench->outcomes[s];
    ck_assert_msg(outcome->is_finished, "step %zu", s);
    ck_assert_msg(outcome->result == step->result, "step %zu: %d (%s)", s, outcome->result,
                  outcome->error);
    if (step->error != NULL)
        ck_assert_msg(strstr(outcome->error, step->error) == outcome->error, "step %zu: %s", s,
                      outcome->error);
    ck_assert_int_ne(outcome->process, getpid());
    ck_assert(!is_alive(outcome->process));
}

/* Nothing is expected yet. */
static void run_freely(struct bench *bench, const struct step *steps, size_t count)
{
    bench->steps = steps;
    bench->step_count = count;
    bench->result = supervisor_run(bench->supervisor, work, bench, bench->error);
}

static void run(struct bench *bench, const struct step *steps, size_t count)
{
    ck_assert_uint_le(count, STEPS_MOST);
    run_freely(bench, steps, count);
    ck_assert_msg(bench->result == bench->status, "%d (%s)", bench->result, bench->error);
    for (size_t s = 0; s < count; s++) {
        assert_step(bench, s);
        if (bench->outcomes[s].look.domains != NULL && bench->outcomes[s].result == 0)
            assert_read(bench, s, steps[s].frozen);
    }
}

#define RUN(bench, steps) run(bench, steps, COUNT_OF(steps))

/* ---- the steps ---- */

static int connects(struct bench *bench, const struct step *step, struct outcome *outcome)
{
    (void)step;
    return supervisor_operations.connect(bench->supervisor, outcome->error);
}

static int reads(struct bench *bench, const struct step *step, struct outcome *outcome)
{
    (void)step;
    outcome->look = (struct snapshot){
        .domains = outcome->domains,
        .remarks = outcome->remarks,
        .capacity = DOMAINS,
        .is_borrowed = true,
    };
    int result =
        supervisor_operations.read(bench->supervisor, bench->last, &outcome->look, outcome->error);
    if (result == 0)
        bench->last = &outcome->look;
    return result;
}

static int sets(struct bench *bench, const struct step *step, struct outcome *outcome)
{
    return supervisor_operations.set_memory(bench->supervisor, &bench->last->domains[step->domain],
                                            step->value != 0 ? step->value : 700 * MIB,
                                            outcome->error);
}

/* A child that takes over has given it up. */
static int sets_once(struct bench *bench, const struct step *step, struct outcome *outcome)
{
    return outcome->begun == 1 ? sets(bench, step, outcome) : 0;
}

static int reads_sharing(struct bench *bench, const struct step *step, struct outcome *outcome)
{
    (void)step;
    return supervisor_operations.read_sharing(bench->supervisor, &bench->reading, outcome->error);
}

static int reads_and_reads_sharing(struct bench *bench, const struct step *step,
                                   struct outcome *outcome)
{
    int result = reads(bench, step, outcome);
    return result == 0 ? reads_sharing(bench, step, outcome) : result;
}

static int sets_sharing(struct bench *bench, const struct step *step, struct outcome *outcome)
{
    struct ksm_settings settings = {.run = {true, step->value}};
    return supervisor_operations.set_sharing(bench->supervisor, &settings, outcome->error);
}

static int serves(struct bench *bench, const struct step *step, struct outcome *outcome)
{
    (void)step;
    (void)outcome;
    supervisor_operations.serve(bench->supervisor);
    return 0;
}

/* The configuration of a domain is to be looked up again. */
static int forgets(struct bench *bench, const struct step *step, struct outcome *outcome)
{
    (void)outcome;
    bench->last->domains[step->domain].is_known = false;
    return 0;
}

static int keeps_the_list(struct bench *bench, const struct step *step, struct outcome *outcome)
{
    (void)step;
    (void)outcome;
    bench->last->is_list_kept = true;
    return 0;
}

/* Outside of any call, as the next ones are. */
static int crashes(struct bench *bench, const struct step *step, struct outcome *outcome)
{
    (void)bench;
    (void)step;
    (void)outcome;
    crash();
    return 0;
}

static int exits(struct bench *bench, const struct step *step, struct outcome *outcome)
{
    (void)bench;
    (void)outcome;
    _exit((int)step->value);
}

static int is_stopped(struct bench *bench, const struct step *step, struct outcome *outcome)
{
    (void)bench;
    (void)step;
    if (outcome->begun == 1)
        raise(SIGSTOP);
    return 0;
}

/* With the parent, as by a shell: both go on then. */
static int is_stopped_for_a_while(struct bench *bench, const struct step *step,
                                  struct outcome *outcome)
{
    pid_t worker = getpid();
    pid_t shell = fork();
    (void)bench;
    (void)step;
    (void)outcome;
    if (shell == 0) {
        stay(2 * SLOW_USEC);
        kill(worker, SIGCONT);
        _exit(0);
    }
    raise(SIGSTOP);
    return waitpid(shell, NULL, 0) == shell ? 0 : -errno;
}

static int is_killed(struct bench *bench, const struct step *step, struct outcome *outcome)
{
    (void)bench;
    (void)step;
    if (outcome->begun == 1)
        raise(SIGKILL);
    return 0;
}

/* As by Ctrl-C, which is sent to the whole group. */
static int is_signalled(struct bench *bench, const struct step *step, struct outcome *outcome)
{
    (void)bench;
    (void)outcome;
    return raise((int)step->value);
}

static int pauses(struct bench *bench, const struct step *step, struct outcome *outcome)
{
    (void)bench;
    (void)step;
    (void)outcome;
    pause();
    return 0;
}

/* The parent has no room for another descriptor; it needs some to poll those it has. */
static int leaves_no_room(struct bench *bench, const struct step *step, struct outcome *outcome)
{
    (void)step;
    (void)outcome;
    if (prlimit(getppid(), RLIMIT_NOFILE, NULL, &bench->room) != 0)
        return -errno;
    struct rlimit none = {.rlim_cur = 8, .rlim_max = bench->room.rlim_max};
    return prlimit(getppid(), RLIMIT_NOFILE, &none, NULL);
}

static int is_told(struct bench *bench, const struct step *step, struct outcome *outcome)
{
    char told = (char)step->value;
    (void)outcome;
    return write(bench->wake[1], &told, 1) == 1 ? 0 : -errno;
}

static int idles(struct bench *bench, const struct step *step, struct outcome *outcome)
{
    (void)bench;
    (void)step;
    (void)outcome;
    stay(SLOW_USEC);
    return 0;
}

/* Returns whether there was one. */
static int takes_words(struct bench *bench, int timeout_msec)
{
    struct pollfd descriptor = {.fd = supervisor_words(bench->supervisor), .events = POLLIN};
    int ready = poll(&descriptor, 1, timeout_msec);
    supervisor_take_words(bench->supervisor);
    return ready;
}

static int waits_for_a_word(struct bench *bench, const struct step *step, struct outcome *outcome)
{
    (void)step;
    (void)outcome;
    return takes_words(bench, WORD_MSEC);
}

static int looks_for_a_word(struct bench *bench, const struct step *step, struct outcome *outcome)
{
    (void)step;
    (void)outcome;
    return takes_words(bench, 0);
}

/* ---- what must hold ---- */

START_TEST(reads_and_sets_in_another_process)
{
    static const struct step steps[] = {
        {.act = connects},
        {.act = reads},
        {.act = sets, .domain = 2},
        {.act = sets, .domain = 1, .value = 4096 * MIB, .result = -EIO, .error = "too much"},
        {.act = sets, .domain = 1, .value = BUSY_KIB, .result = -EBUSY},
    };
    struct bench *bench = open_bench(5 * SEC);
    RUN(bench, steps);
    ck_assert_int_ne(bench->fake.process, getpid());
    ck_assert_int_eq(bench->fake.process, bench->outcomes[4].process);
    ck_assert_uint_eq(bench->outcomes[2].tally.sets[2], 1);
    ck_assert_uint_eq(bench->fake.tally.connects, 1);
    ck_assert_uint_eq(bench->told, 0);
    close_bench(bench);
}
END_TEST

START_TEST(ends_as_the_work_does)
{
    static const struct step quiet[] = {{.act = connects}};
    static const struct step replaced[] = {
        {.act = connects},
        {.act = reads, .place = ON_LIST, .manner = CRASHES, .result = -ENOTCONN},
    };
    static const int statuses[] = {0, 1, 255};
    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        struct bench *bench = open_bench(5 * SEC);
        bench->status = statuses[i];
        RUN(bench, quiet);
        close_bench(bench);
        bench = open_bench(5 * SEC);
        bench->status = statuses[i];
        RUN(bench, replaced);
        ck_assert_uint_eq(bench->outcomes[1].begun, 2);
        close_bench(bench);
    }
}
END_TEST

START_TEST(hands_the_last_snapshot_over)
{
    static const struct step steps[] = {
        {.act = connects},
        {.act = reads},
        {.act = reads},
        {.act = reads, .place = ON_READ + 1, .manner = IS_KILLED}, /* in the next child, too */
        {.act = forgets, .domain = 1},
        {.act = reads},
    };
    struct bench *bench = open_bench(5 * SEC);
    RUN(bench, steps);
    ck_assert_uint_eq(bench->outcomes[1].tally.known, 0);
    ck_assert_uint_eq(bench->outcomes[2].tally.known, 4);
    ck_assert_uint_eq(bench->outcomes[3].tally.known, 4);
    ck_assert_uint_eq(bench->outcomes[5].tally.known, 3);
    close_bench(bench);
}
END_TEST

START_TEST(hands_over_that_the_list_is_kept)
{
    static const struct step steps[] = {
        {.act = connects}, {.act = reads}, {.act = reads}, {.act = keeps_the_list}, {.act = reads},
    };
    struct bench *bench = open_bench(5 * SEC);
    RUN(bench, steps);
    ck_assert(!bench->outcomes[1].tally.is_list_kept);
    ck_assert(!bench->outcomes[2].tally.is_list_kept);
    ck_assert(bench->outcomes[4].tally.is_list_kept);
    close_bench(bench);
}
END_TEST

START_TEST(a_frozen_domain_is_left_out_until_it_answers)
{
    static const struct step steps[] = {
        {.act = connects},
        {.act = reads},
        {.act = reads, .place = ON_READ + 1, .manner = HANGS, .frozen = 1 << 1},
        {.act = reads, .frozen = 1 << 1},
        {.act = reads, .frozen = 1 << 1},
        {.act = reads, .place = ON_READ + 1, .manner = ANSWERS},
        {.act = reads, .place = ON_READ + 1, .manner = HANGS, .frozen = 1 << 1}, /* once more */
    };
    struct bench *bench = open_bench(SEC);
    RUN(bench, steps);
    ck_assert_uint_eq(bench->outcomes[2].tally.connects, 2);
    ck_assert_uint_eq(bench->outcomes[4].tally.connects, 2); /* it has cost one call */
    ck_assert_uint_eq(bench->outcomes[4].tally.reads[1], 2);
    ck_assert_uint_eq(bench->fake.tally.connects, 3);
    ck_assert_uint_eq(bench->told, 0); /* the read itself tells */
    close_bench(bench);
}
END_TEST

START_TEST(a_domain_is_given_up_after_a_quarter_of_the_patience)
{
    static const struct step steps[] = {
        {.act = connects},
        {.act = reads},
        {.act = reads, .place = ON_READ + 1, .manner = HANGS, .frozen = 1 << 1},
    };
    struct bench *bench = open_bench(8 * SEC);
    RUN(bench, steps);
    ck_assert_uint_ge(bench->outcomes[2].took_usec, 2 * SEC);
    ck_assert_uint_lt(bench->outcomes[2].took_usec, 4 * SEC);
    close_bench(bench);
}
END_TEST

/* Each alone would take half a second. */
START_TEST(all_frozen_at_once_share_the_patience)
{
    static const struct step steps[] = {
        {.act = connects},
        {.act = reads},
        {.act = reads, .place = ON_EACH_READ, .manner = HANGS, .frozen = (1u << DOMAINS) - 1},
        {.act = reads, .place = ON_EACH_READ, .manner = ANSWERS},
    };
    struct bench *bench = open_bench(2 * SEC);
    bench->fake.count = DOMAINS;
    RUN(bench, steps);
    ck_assert_uint_eq(bench->outcomes[2].begun, DOMAINS + 1);
    ck_assert_uint_lt(bench->outcomes[2].took_usec, DOMAINS * SEC / 4);
    close_bench(bench);
}
END_TEST

START_TEST(a_slow_hypervisor_is_not_taken_for_a_frozen_one)
{
    static const struct step steps[] = {
        {.act = connects},
        {.act = reads, .place = ON_EACH_READ, .manner = IS_SLOW}, /* 2.4 s in all */
    };
    struct bench *bench = open_bench(SEC);
    bench->fake.count = DOMAINS;
    RUN(bench, steps);
    ck_assert_uint_eq(bench->outcomes[1].begun, 1);
    close_bench(bench);
}
END_TEST

/* Nothing of it is left: neither a word nor a time. */
START_TEST(after_a_slow_call_others_are_watched_anew)
{
    static const struct step steps[] = {
        {.act = connects, .place = ON_CONNECT, .manner = IS_SLOW},
        {.act = reads, .place = ON_LIST, .manner = IS_SLOW},
        {.act = sets, .place = ON_SET + 1, .manner = IS_SLOW, .domain = 1},
        {.act = looks_for_a_word},
        {.act = reads, .place = ON_LIST, .manner = ANSWERS},
        {.act = sets, .place = ON_SET + 1, .manner = ANSWERS, .domain = 1},
        {.act = reads,
         .place = ON_LIST,
         .manner = HANGS,
         .result = -ENOTCONN,
         .error = "no answer"},
    };
    struct bench *bench = open_bench(SEC);
    RUN(bench, steps);
    ck_assert_uint_eq(bench->outcomes[5].tally.connects, 1);
    ck_assert_uint_eq(bench->outcomes[6].begun, 2);
    ck_assert_uint_lt(bench->outcomes[6].took_usec, 3 * SEC);
    close_bench(bench);
}
END_TEST

START_TEST(a_request_that_hangs_may_still_be_followed)
{
    static const struct step steps[] = {
        {.act = connects},
        {.act = reads},
        {.act = sets,
         .place = ON_SET + 0,
         .manner = HANGS,
         .domain = 0,
         .result = -EINPROGRESS,
         .error = "no answer for "},
        {.act = sets, .domain = 3}, /* by a new child, in the same cycle */
        {.act = reads, .frozen = 1 << 0},
        {.act = sets,
         .place = ON_SET + 2,
         .manner = CRASHES,
         .domain = 2,
         .result = -EINPROGRESS,
         .error = "the working process was ended by signal 11"},
    };
    struct bench *bench = open_bench(SEC);
    RUN(bench, steps);
    ck_assert_uint_eq(bench->fake.tally.sets[0], 1);
    ck_assert_uint_eq(bench->fake.tally.sets[3], 1);
    ck_assert_uint_eq(bench->fake.tally.sets[2], 1);
    ck_assert_int_ne(bench->outcomes[3].process, bench->outcomes[1].process);
    close_bench(bench);
}
END_TEST

/* What became of it is of interest to the one who has made it, and to nobody else. */
START_TEST(a_lost_request_is_told_of_once)
{
    static const struct step steps[] = {
        {.act = connects},
        {.act = reads},
        {.act = sets, .place = ON_SET + 0, .manner = IS_KILLED, .result = -EINPROGRESS},
        {.act = sets},
        {.act = reads},
        {.act = sets_once, .place = ON_SET + 0, .manner = IS_KILLED},
        {.act = reads},
    };
    struct bench *bench = open_bench(SEC);
    RUN(bench, steps);
    ck_assert_uint_eq(bench->fake.tally.sets[0], 3);
    ck_assert_uint_eq(bench->fake.tally.connects, 3);
    close_bench(bench);
}
END_TEST

START_TEST(a_domain_that_crashes_the_library_is_left_out)
{
    static const struct step steps[] = {
        {.act = connects},
        /* Crashes twice, then is left alone. */
        {.act = reads, .place = ON_READ + 2, .manner = CRASHES, .frozen = 1 << 2},
        {.act = reads, .frozen = 1 << 2},
    };
    struct bench *bench = open_bench(SEC);
    RUN(bench, steps);
    ck_assert_uint_eq(bench->outcomes[1].tally.reads[2], 2);
    ck_assert_uint_eq(bench->outcomes[2].tally.reads[2], 2);
    close_bench(bench);
}
END_TEST

/* Perhaps by the kernel, and the domain has nothing to do with it. */
START_TEST(a_domain_that_a_child_was_killed_with_is_asked_again)
{
    static const struct step steps[] = {
        {.act = connects},
        {.act = reads, .place = ON_READ + 2, .manner = IS_KILLED},
    };
    struct bench *bench = open_bench(SEC);
    RUN(bench, steps);
    ck_assert_uint_eq(bench->outcomes[1].tally.reads[2], 2);
    ck_assert_uint_eq(bench->outcomes[1].begun, 2);
    ck_assert_uint_eq(bench->fake.watch->suspect_count, 0);
    close_bench(bench);
}
END_TEST

START_TEST(who_deceives_again_is_left_alone)
{
    static const struct step steps[] = {
        {.act = connects},
        {.act = reads},
        {.act = reads, .place = ON_READ + 3, .manner = DECEIVES, .frozen = 1 << 3},
        {.act = reads, .frozen = 1 << 3},
    };
    struct bench *bench = open_bench(SEC);
    RUN(bench, steps);
    unsigned int reads_of_it = bench->outcomes[2].tally.reads[3];
    ck_assert_uint_le(reads_of_it, 3);
    ck_assert_uint_eq(bench->outcomes[3].tally.reads[3], reads_of_it);
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
        {FREEZES, "no answer for 1.0 s"},
        {CRASHES, "the working process was ended by signal 11"},
        {IS_KILLED, "the working process was ended by signal 9"},
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        struct step steps[] = {
            {.act = connects},
            {.act = reads},
            {.act = reads,
             .place = ON_LIST,
             .manner = rows[row].manner,
             .result = -ENOTCONN,
             .error = rows[row].error},
            {.act = reads_sharing, .result = -ENOTCONN, .error = "not connected"},
            {.act = reads, .place = ON_LIST, .manner = ANSWERS}, /* it connects by itself */
            {.act = connects},                                   /* which does no harm */
            {.act = reads},
        };
        struct bench *bench = open_bench(SEC);
        RUN(bench, steps);
        ck_assert_uint_eq(bench->outcomes[3].tally.connects, 1);
        ck_assert_uint_eq(bench->outcomes[4].tally.connects, 2);
        ck_assert_uint_eq(bench->outcomes[4].tally.known, 4); /* nothing is forgotten */
        ck_assert_uint_eq(bench->told, 0);
        close_bench(bench);
    }
}
END_TEST

START_TEST(a_child_that_was_killed_is_replaced)
{
    static const struct step steps[] = {
        {.act = connects},
        {.act = reads, .place = ON_READ + 1, .manner = HANGS, .frozen = 1 << 1},
        {.act = is_killed},
        {.act = reads, .frozen = 1 << 1}, /* who was frozen still is */
        {.act = sets, .domain = 2},
    };
    struct bench *bench = open_bench(SEC);
    bench->status = 7;
    RUN(bench, steps);
    ck_assert_uint_eq(bench->told, 1);
    ck_assert_str_eq(bench->what,
                     "the working process was ended by signal 9 (Killed); another one goes on");
    ck_assert_uint_eq(bench->outcomes[2].begun, 2);
    ck_assert_uint_eq(bench->outcomes[3].tally.connects, 3);
    ck_assert_uint_eq(bench->outcomes[3].tally.reads[1], bench->outcomes[1].tally.reads[1]);
    close_bench(bench);
}
END_TEST

START_TEST(a_child_that_was_stopped_is_replaced)
{
    static const struct step steps[] = {
        {.act = connects},
        {.act = is_stopped},
        {.act = reads},
        {.act = reads, .place = ON_LIST, .manner = STOPS, .result = -ENOTCONN},
        {.act = reads, .place = ON_LIST, .manner = ANSWERS},
    };
    struct bench *bench = open_bench(FOR_EVER_USEC);
    RUN(bench, steps);
    ck_assert_uint_eq(bench->told, 1);
    ck_assert_str_eq(bench->what, "the working process was stopped; another one goes on");
    ck_assert_uint_eq(bench->outcomes[1].begun, 2);
    close_bench(bench);
}
END_TEST

START_TEST(a_child_that_is_continued_goes_on)
{
    static const struct step steps[] = {
        {.act = connects},
        {.act = is_stopped_for_a_while},
        {.act = reads},
    };
    struct bench *bench = open_bench(SEC);
    RUN(bench, steps);
    ck_assert_uint_eq(bench->told, 0);
    ck_assert_uint_eq(bench->fake.tally.connects, 1);
    close_bench(bench);
}
END_TEST

/* That is a fault of ours, which would be made again. */
START_TEST(work_that_crashes_by_itself_is_not_done_again)
{
    static const struct {
        struct step step;
        const char *error;
    } rows[] = {
        {{.act = crashes}, "the working process was ended by signal 11 (Segmentation fault)"},
        {{.act = exits, .value = 0}, "the working process has ended with status 0"},
        {{.act = exits, .value = 3}, "the working process has ended with status 3"},
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        const struct step steps[] = {{.act = connects}, rows[row].step, {.act = reads}};
        struct bench *bench = open_bench(SEC);
        run_freely(bench, steps, COUNT_OF(steps));
        ck_assert_int_eq(bench->result, -EFAULT);
        ck_assert_str_eq(bench->error, rows[row].error);
        ck_assert_uint_eq(bench->outcomes[1].begun, 1);
        ck_assert_uint_eq(bench->outcomes[2].begun, 0);
        ck_assert_uint_eq(bench->told, 0);
        close_bench(bench);
    }
}
END_TEST

START_TEST(says_why_it_cannot_connect)
{
    static const struct step steps[] = {
        {.act = connects,
         .place = ON_CONNECT,
         .manner = REFUSES,
         .result = -ENOTCONN,
         .error = "nobody there"},
        {.act = reads, .result = -ENOTCONN, .error = "nobody there"},
        {.act = connects,
         .place = ON_CONNECT,
         .manner = CRASHES,
         .result = -ENOTCONN,
         .error = "the working process was ended by signal 11"},
        {.act = connects, .place = ON_CONNECT, .manner = ANSWERS},
        {.act = reads},
    };
    struct bench *bench = open_bench(SEC);
    RUN(bench, steps);
    ck_assert_uint_eq(bench->fake.tally.connects, 4);
    close_bench(bench);
}
END_TEST

/* In a child that takes over, whatever was lost: it has to connect first. */
START_TEST(a_connection_that_hangs_is_lost_to_all_that_need_one)
{
    static const struct step steps[] = {
        {.act = connects},
        {.act = reads},
        {.act = reads, .place = ON_READ + 1, .manner = IS_KILLED}, /* for a child to be new */
        {.act = sets, .place = ON_SET + 0, .manner = IS_KILLED, .result = -EINPROGRESS},
        {.act = sets,
         .place = ON_CONNECT,
         .manner = HANGS,
         .result = -ENOTCONN,
         .error = "no answer for 1.0 s"},
        {.act = reads, .result = -ENOTCONN, .error = "no answer for 1.0 s"},
        {.act = reads, .place = ON_CONNECT, .manner = ANSWERS},
    };
    struct bench *bench = open_bench(SEC);
    RUN(bench, steps);
    close_bench(bench);
}
END_TEST

START_TEST(reads_and_sets_the_sharing_of_pages)
{
    static const struct step steps[] = {
        {.act = connects},
        {.act = sets_sharing, .value = 1},
        {.act = reads_sharing},
        {.act = sets_sharing, .value = 2, .result = -EACCES, .error = "not permitted"},
    };
    struct bench *bench = open_bench(SEC);
    RUN(bench, steps);
    ck_assert_uint_eq(bench->reading.pages_sharing.value, 77);
    ck_assert_uint_eq(bench->reading.run.value, 1);
    ck_assert_uint_eq(bench->fake.tally.unconnected, 0);
    close_bench(bench);
}
END_TEST

START_TEST(a_hypervisor_that_hangs_does_not_keep_sharing_from_being_set)
{
    static const struct step hangs[] = {
        {.act = connects},
        {.act = sets_sharing, .place = ON_SET_SHARING, .manner = HANGS, .value = 1},
        {.act = reads},
    };
    struct bench *bench = open_bench(SEC);
    RUN(bench, hangs);
    ck_assert_uint_eq(bench->fake.tally.set_sharings, 2);
    ck_assert_uint_eq(bench->fake.tally.unconnected, 1);
    ck_assert_uint_eq(bench->fake.sharing.run.value, 1);
    close_bench(bench);
    static const struct step never_connected[] = {
        {.act = sets_sharing, .value = 1},
        {.act = reads_sharing, .result = -ENOTCONN, .error = "not connected"},
    };
    bench = open_bench(SEC);
    bench->reading.reason = 7;
    RUN(bench, never_connected);
    ck_assert_uint_eq(bench->fake.tally.unconnected, 1);
    ck_assert_uint_eq(bench->fake.sharing.run.value, 1);
    ck_assert_int_eq(bench->reading.reason, 7);
    close_bench(bench);
}
END_TEST

START_TEST(says_why_the_sharing_of_pages_cannot_be_read)
{
    static const struct step steps[] = {
        {.act = connects},
        {.act = reads_sharing,
         .place = ON_READ_SHARING,
         .manner = HANGS,
         .result = -ENOTCONN,
         .error = "no answer for "},
        {.act = reads},
        {.act = reads_sharing, .place = ON_READ_SHARING, .manner = ANSWERS},
    };
    struct bench *bench = open_bench(SEC);
    RUN(bench, steps);
    close_bench(bench);
}
END_TEST

/* What has read before it was lost reads again, and then learns of it. */
START_TEST(sharing_that_hangs_keeps_nobody_from_being_read)
{
    static const struct step steps[] = {
        {.act = connects},
        {.act = reads_and_reads_sharing,
         .place = ON_READ_SHARING,
         .manner = HANGS,
         .result = -ENOTCONN,
         .error = "no answer for "},
    };
    struct bench *bench = open_bench(SEC);
    RUN(bench, steps);
    ck_assert_uint_eq(bench->outcomes[1].begun, 2);
    close_bench(bench);
}
END_TEST

/* It may be told before the call is slow, or later. */
START_TEST(any_wait_ends_when_told_to_stop)
{
    static const struct step rows[] = {
        {.act = connects, .place = ON_CONNECT, .manner = HANGS, .result = -ECANCELED},
        {.act = reads, .place = ON_LIST, .manner = HANGS, .result = -ECANCELED},
        {.act = reads, .place = ON_READ + 0, .manner = HANGS, .result = -ECANCELED},
        {.act = sets, .place = ON_SET + 0, .manner = HANGS, .result = -EINPROGRESS},
    };
    for (size_t row = 0; row < 2 * COUNT_OF(rows); row++) {
        struct step steps[] = {{.act = reads}, rows[row / 2]};
        struct bench *bench = open_bench(FOR_EVER_USEC);
        bench->fake.tells = 's';
        bench->fake.tells_after_usec = row % 2 * 2 * SLOW_USEC;
        steps[1].error = "told to wait no longer";
        RUN(bench, steps);
        ck_assert_uint_lt(bench->outcomes[1].took_usec, 3 * SEC);
        ck_assert_uint_eq(bench->fake.watch->suspect_count, 0); /* nobody is to blame */
        ck_assert_uint_ge(bench->asked, 1);
        close_bench(bench);
    }
}
END_TEST

/* For --on-exit: the one who has ended a wait goes on by itself. */
START_TEST(reads_again_after_a_stop)
{
    static const struct step steps[] = {
        {.act = connects},
        {.act = reads, .place = ON_READ + 0, .manner = HANGS, .result = -ECANCELED},
        {.act = reads, .place = ON_READ + 0, .manner = IS_SLOW},
    };
    struct bench *bench = open_bench(FOR_EVER_USEC);
    bench->fake.tells = 's';
    RUN(bench, steps);
    close_bench(bench);
}
END_TEST

START_TEST(a_call_that_does_not_hang_is_finished_before_the_stop)
{
    static const struct step steps[] = {
        {.act = connects},
        {.act = reads, .place = ON_EACH_READ, .manner = IS_SLOW},
        {.act = waits_for_a_word, .result = 1},
    };
    struct bench *bench = open_bench(5 * SEC);
    bench->fake.tells = 's';
    RUN(bench, steps);
    ck_assert_uint_eq(bench->outcomes[1].begun, 1);
    close_bench(bench);
}
END_TEST

START_TEST(many_calls_that_do_not_hang_are_not_waited_for_when_told_to_stop)
{
    static const struct step steps[] = {
        {.act = connects},
        {.act = reads, .place = ON_EACH_READ, .manner = IS_SLOW, .result = -ECANCELED}, /* 2.4 s */
    };
    struct bench *bench = open_bench(FOR_EVER_USEC);
    bench->fake.count = DOMAINS;
    bench->fake.tells = 's';
    RUN(bench, steps);
    close_bench(bench);
}
END_TEST

START_TEST(what_is_no_stop_ends_no_call)
{
    static const struct step steps[] = {
        {.act = connects},
        {.act = reads, .place = ON_EACH_READ, .manner = IS_SLOW},
        {.act = waits_for_a_word, .result = 1},
    };
    struct bench *bench = open_bench(5 * SEC);
    bench->fake.count = DOMAINS;
    bench->fake.tells = '-';
    bench->fake.tells_after_usec = SLOW_USEC;
    RUN(bench, steps);
    close_bench(bench);
}
END_TEST

START_TEST(the_parent_is_asked_and_the_child_is_given_a_word)
{
    static const struct step steps[] = {
        {.act = looks_for_a_word},
        {.act = is_told, .value = '-'},
        {.act = waits_for_a_word, .result = 1},
        {.act = looks_for_a_word}, /* it was taken */
        {.act = is_killed},
        {.act = is_told, .value = 's'},
        {.act = waits_for_a_word, .result = 1}, /* for that one has a socket of its own */
        {.act = looks_for_a_word},
    };
    struct bench *bench = open_bench(SEC);
    RUN(bench, steps);
    ck_assert_uint_eq(bench->asked, 2);
    ck_assert_int_eq(bench->asked_in, getpid());
    close_bench(bench);
}
END_TEST

/* Neither to wake it, nor to be told of anything. */
START_TEST(can_do_without_anybody_to_ask)
{
    static const struct step steps[] = {
        {.act = connects},
        {.act = reads, .place = ON_READ + 1, .manner = HANGS, .frozen = 1 << 1},
        {.act = is_killed},
        {.act = reads, .place = ON_LIST, .manner = HANGS, .result = -ENOTCONN},
    };
    struct bench *bench = open_bench(SEC);
    supervisor_free(bench->supervisor);
    struct supervisor_config config = {
        .operations = &fake_operations,
        .self = &bench->fake,
        .call_timeout_usec = SEC,
        .wake = -1,
        .notices = -1,
    };
    bench->supervisor = supervisor_new(&config);
    ck_assert_ptr_nonnull(bench->supervisor);
    RUN(bench, steps);
    close_bench(bench);
}
END_TEST

/* By the hypervisor the list comes when the start does not wait any more, and that is for us. */
START_TEST(a_list_is_not_waited_for_while_a_start_waits)
{
    static const struct step steps[] = {
        {.act = connects},
        {.act = reads},
        {.act = reads, .place = ON_LIST, .manner = HANGS, .result = -ECANCELED},
        {.act = keeps_the_list},
        {.act = reads, .place = ON_LIST, .manner = ANSWERS},
    };
    struct bench *bench = open_bench(FOR_EVER_USEC);
    ck_assert_int_eq(write(bench->notices[1], "-s", 2), 2); /* first one of something else */
    RUN(bench, steps);
    ck_assert_uint_eq(bench->noticed, 2);
    ck_assert_uint_eq(bench->outcomes[2].tally.connects, 1);
    ck_assert(bench->fake.tally.is_list_kept);
    close_bench(bench);
}
END_TEST

/* A list that comes at once is had; a read that asks for none goes on, and so does a request. */
START_TEST(other_calls_are_waited_for_while_a_start_waits)
{
    static const struct step steps[] = {
        {.act = connects, .place = ON_CONNECT, .manner = IS_SLOW},
        {.act = reads, .place = ON_READ + 0, .manner = IS_SLOW},
        {.act = keeps_the_list},
        {.act = reads, .place = ON_LIST, .manner = IS_SLOW},
        {.act = sets, .place = ON_SET + 0, .manner = IS_SLOW},
    };
    struct bench *bench = open_bench(5 * SEC);
    ck_assert_int_eq(write(bench->notices[1], "s", 1), 1);
    RUN(bench, steps);
    ck_assert_uint_eq(bench->noticed, 0);
    close_bench(bench);
}
END_TEST

START_TEST(a_long_wait_is_told_of)
{
    static const struct step steps[] = {
        {.act = connects, .place = ON_CONNECT, .manner = IS_SLOW},
        {.act = reads, .place = ON_LIST, .manner = IS_LONG},
    };
    struct bench *bench = open_bench(FOR_EVER_USEC);
    RUN(bench, steps);
    ck_assert_uint_eq(bench->waited, 1);
    close_bench(bench);
}
END_TEST

START_TEST(takes_leave)
{
    static const struct step steps[] = {{.act = connects}, {.act = reads}};
    struct bench *bench = open_bench(SEC);
    RUN(bench, steps);
    ck_assert_uint_eq(bench->fake.tally.disconnects, 1);
    ck_assert_int_eq(bench->fake.left, bench->fake.process);
    close_bench(bench);
}
END_TEST

START_TEST(a_leave_that_cannot_be_taken_keeps_nobody)
{
    static const enum manner manners[] = {HANGS, FREEZES, CRASHES, IS_KILLED};
    for (size_t i = 0; i < COUNT_OF(manners); i++) {
        const struct step steps[] = {
            {.act = connects, .place = ON_DISCONNECT, .manner = manners[i]},
        };
        struct bench *bench = open_bench(FOR_EVER_USEC);
        bench->status = 3;
        RUN(bench, steps);
        uint64_t since_usec = bench->outcomes[0].since_usec;
        ck_assert_uint_lt(clock_monotonic_usec() - since_usec, 3 * SEC);
        ck_assert_uint_eq(bench->fake.tally.disconnects, 1);
        ck_assert_uint_eq(bench->outcomes[0].begun, 1);
        ck_assert_uint_eq(bench->told, 0);
        close_bench(bench);
    }
}
END_TEST

START_TEST(signals_to_the_group_do_not_end_the_child)
{
    static const struct step steps[] = {
        {.act = is_signalled, .value = SIGINT},
        {.act = is_signalled, .value = SIGTERM},
        {.act = is_signalled, .value = SIGHUP},
    };
    struct bench *bench = open_bench(SEC);
    RUN(bench, steps);
    close_bench(bench);
}
END_TEST

/* An orphan's new parent may leave it a zombie. */
static bool is_over(pid_t process)
{
    char path[64];
    char state = 'Z';
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)process);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return true;
    if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        state = 'Z'; /* it has gone meanwhile */
    fclose(file);
    return state == 'Z' || state == 'X';
}

/* As when the whole coordinator is killed, wherever its child is. */
START_TEST(no_child_outlives_its_parent)
{
    static const struct step rows[] = {
        {.act = reads, .place = ON_READ + 0, .manner = HANGS},
        {.act = pauses},
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        struct bench *bench = open_bench(FOR_EVER_USEC);
        pid_t parent = fork();
        if (parent == 0) {
            run_freely(bench, &rows[row], 1);
            _exit(0);
        }
        for (unsigned int i = 0; i < 1000 && bench->outcomes[0].begun == 0; i++)
            usleep(IDLE_USEC);
        pid_t child = bench->outcomes[0].process;
        ck_assert(is_alive(child));
        kill(parent, SIGKILL);
        waitpid(parent, NULL, 0);
        for (unsigned int i = 0; i < 1000 && !is_over(child); i++)
            usleep(IDLE_USEC); /* a busy machine takes its time */
        ck_assert(is_over(child));
        close_bench(bench);
    }
}
END_TEST

START_TEST(the_hypervisor_is_served_while_connected)
{
    static const struct step steps[] = {
        {.act = serves}, {.act = connects}, {.act = serves}, {.act = reads}, {.act = serves},
    };
    struct bench *bench = open_bench(SEC);
    RUN(bench, steps);
    ck_assert_uint_eq(bench->outcomes[0].tally.serves, 0);
    ck_assert_uint_eq(bench->outcomes[2].tally.serves, 1);
    ck_assert_uint_eq(bench->outcomes[4].tally.serves, 2);
    close_bench(bench);
}
END_TEST

START_TEST(a_crash_while_it_is_served_is_survived)
{
    static const struct step steps[] = {
        {.act = connects},
        {.act = serves, .place = ON_SERVE, .manner = CRASHES}, /* in the next child there is none */
        {.act = reads, .result = -ENOTCONN, .error = "the working process was ended by signal 11"},
        {.act = reads},
        {.act = serves, .place = ON_SERVE, .manner = ANSWERS},
    };
    struct bench *bench = open_bench(SEC);
    RUN(bench, steps);
    ck_assert_uint_eq(bench->outcomes[1].begun, 2);
    ck_assert_uint_eq(bench->fake.tally.serves, 2);
    close_bench(bench);
}
END_TEST

/* To serve is no call that is watched; nor does it go on with the slow one before it. */
START_TEST(a_call_that_hangs_after_it_was_served_is_noticed)
{
    static const struct step steps[] = {
        {.act = connects},
        {.act = reads, .place = ON_LIST, .manner = IS_SLOW},
        {.act = serves, .place = ON_SERVE, .manner = IS_SLOW},
        {.act = reads,
         .place = ON_LIST,
         .manner = HANGS,
         .result = -ENOTCONN,
         .error = "no answer"},
    };
    struct bench *bench = open_bench(2 * SEC);
    RUN(bench, steps);
    ck_assert_uint_eq(bench->outcomes[3].tally.serves, 1);
    ck_assert_uint_lt(bench->outcomes[3].took_usec, 6 * SEC);
    close_bench(bench);
}
END_TEST

static unsigned int open_descriptors(void)
{
    unsigned int open = 0;
    for (int descriptor = 0; descriptor < 256; descriptor++)
        open += fcntl(descriptor, F_GETFD) >= 0;
    return open;
}

START_TEST(leaves_no_descriptors_behind)
{
    static const struct step steps[] = {
        {.act = connects},
        {.act = reads, .place = ON_LIST, .manner = IS_KILLED, .result = -ENOTCONN},
        {.act = reads, .place = ON_LIST, .manner = IS_KILLED, .result = -ENOTCONN},
        {.act = reads, .place = ON_LIST, .manner = CRASHES, .result = -ENOTCONN},
        {.act = reads, .place = ON_LIST, .manner = HANGS, .result = -ENOTCONN},
        {.act = is_killed},
    };
    unsigned int before = open_descriptors();
    struct bench *bench = open_bench(SEC);
    RUN(bench, steps);
    close_bench(bench);
    ck_assert_uint_eq(open_descriptors(), before);
}
END_TEST

START_TEST(says_why_there_is_no_child)
{
    static const struct step steps[] = {{.act = connects}};
    struct bench *bench = open_bench(SEC);
    struct rlimit room;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &room), 0);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){3, room.rlim_max});
    run_freely(bench, steps, COUNT_OF(steps));
    setrlimit(RLIMIT_NOFILE, &room);
    ck_assert_int_eq(bench->result, -EMFILE);
    ck_assert_msg(strstr(bench->error, ": Too many open files") != NULL, "%s", bench->error);
    ck_assert_uint_eq(bench->outcomes[0].begun, 0);
    close_bench(bench);
}
END_TEST

START_TEST(a_child_to_take_over_is_tried_for_until_there_is_one)
{
    static const struct step steps[] = {
        {.act = connects},
        {.act = leaves_no_room},
        {.act = reads, .place = ON_LIST, .manner = IS_KILLED, .result = -ENOTCONN},
        {.act = reads},
    };
    struct bench *bench = open_bench(SEC);
    RUN(bench, steps);
    ck_assert_uint_eq(bench->told, 1);
    ck_assert_str_eq(bench->what, "cannot make a socket: Too many open files; trying again");
    close_bench(bench);
}
END_TEST

/* Told between two calls, it remembers that in the next one, which hangs. */
START_TEST(a_stop_between_calls_ends_the_next)
{
    static const struct step steps[] = {
        {.act = connects},
        {.act = is_told, .value = 's'},
        {.act = idles},
        {.act = reads, .place = ON_LIST, .manner = HANGS, .result = -ECANCELED},
    };
    struct bench *bench = open_bench(5 * SEC);
    RUN(bench, steps);
    close_bench(bench);
}
END_TEST

/* Without a connection, too. */
START_TEST(sharing_that_crashes_by_itself_is_set_no_more_than_twice)
{
    static const struct step steps[] = {
        {.act = connects},
        {.act = sets_sharing,
         .place = ON_SET_SHARING,
         .manner = CRASHES,
         .value = CRASHES_ANYWHERE,
         .result = -ENOTCONN},
        {.act = reads},
    };
    struct bench *bench = open_bench(SEC);
    RUN(bench, steps);
    ck_assert_uint_le(bench->fake.tally.set_sharings, 2);
    close_bench(bench);
}
END_TEST

START_TEST(a_stop_ends_the_trying)
{
    static const struct step steps[] = {
        {.act = connects},
        {.act = leaves_no_room},
        {.act = reads, .place = ON_LIST, .manner = IS_KILLED},
    };
    struct bench *bench = open_bench(SEC);
    struct rlimit room;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &room), 0);
    bench->is_stopped_then = true;
    run_freely(bench, steps, COUNT_OF(steps));
    setrlimit(RLIMIT_NOFILE, &room);
    ck_assert_int_eq(bench->result, -ECANCELED);
    ck_assert_uint_eq(bench->told, 1);
    close_bench(bench);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("supervisor");
    TCase *tests = tcase_create("supervisor");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, reads_and_sets_in_another_process);
    tcase_add_test(tests, ends_as_the_work_does);
    tcase_add_test(tests, hands_the_last_snapshot_over);
    tcase_add_test(tests, hands_over_that_the_list_is_kept);
    tcase_add_test(tests, a_frozen_domain_is_left_out_until_it_answers);
    tcase_add_test(tests, a_domain_is_given_up_after_a_quarter_of_the_patience);
    tcase_add_test(tests, all_frozen_at_once_share_the_patience);
    tcase_add_test(tests, a_slow_hypervisor_is_not_taken_for_a_frozen_one);
    tcase_add_test(tests, after_a_slow_call_others_are_watched_anew);
    tcase_add_test(tests, a_request_that_hangs_may_still_be_followed);
    tcase_add_test(tests, a_lost_request_is_told_of_once);
    tcase_add_test(tests, a_domain_that_crashes_the_library_is_left_out);
    tcase_add_test(tests, a_domain_that_a_child_was_killed_with_is_asked_again);
    tcase_add_test(tests, who_deceives_again_is_left_alone);
    tcase_add_test(tests, when_the_whole_hangs_or_crashes_the_connection_is_lost);
    tcase_add_test(tests, a_child_that_was_killed_is_replaced);
    tcase_add_test(tests, a_child_that_was_stopped_is_replaced);
    tcase_add_test(tests, a_child_that_is_continued_goes_on);
    tcase_add_test(tests, work_that_crashes_by_itself_is_not_done_again);
    tcase_add_test(tests, says_why_it_cannot_connect);
    tcase_add_test(tests, a_connection_that_hangs_is_lost_to_all_that_need_one);
    tcase_add_test(tests, reads_and_sets_the_sharing_of_pages);
    tcase_add_test(tests, a_hypervisor_that_hangs_does_not_keep_sharing_from_being_set);
    tcase_add_test(tests, says_why_the_sharing_of_pages_cannot_be_read);
    tcase_add_test(tests, any_wait_ends_when_told_to_stop);
    tcase_add_test(tests, reads_again_after_a_stop);
    tcase_add_test(tests, a_call_that_does_not_hang_is_finished_before_the_stop);
    tcase_add_test(tests, many_calls_that_do_not_hang_are_not_waited_for_when_told_to_stop);
    tcase_add_test(tests, what_is_no_stop_ends_no_call);
    tcase_add_test(tests, the_parent_is_asked_and_the_child_is_given_a_word);
    tcase_add_test(tests, can_do_without_anybody_to_ask);
    tcase_add_test(tests, a_list_is_not_waited_for_while_a_start_waits);
    tcase_add_test(tests, other_calls_are_waited_for_while_a_start_waits);
    tcase_add_test(tests, a_long_wait_is_told_of);
    tcase_add_test(tests, takes_leave);
    tcase_add_test(tests, a_leave_that_cannot_be_taken_keeps_nobody);
    tcase_add_test(tests, signals_to_the_group_do_not_end_the_child);
    tcase_add_test(tests, no_child_outlives_its_parent);
    tcase_add_test(tests, the_hypervisor_is_served_while_connected);
    tcase_add_test(tests, a_crash_while_it_is_served_is_survived);
    tcase_add_test(tests, a_call_that_hangs_after_it_was_served_is_noticed);
    tcase_add_test(tests, leaves_no_descriptors_behind);
    tcase_add_test(tests, says_why_there_is_no_child);
    tcase_add_test(tests, a_child_to_take_over_is_tried_for_until_there_is_one);
    tcase_add_test(tests, a_stop_between_calls_ends_the_next);
    tcase_add_test(tests, sharing_that_crashes_by_itself_is_set_no_more_than_twice);
    tcase_add_test(tests, sharing_that_hangs_keeps_nobody_from_being_read);
    tcase_add_test(tests, a_stop_ends_the_trying);
    suite_add_tcase(suite, tests);
    return suite;
}
