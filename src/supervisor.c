/* supervisor.c - work that may hang or crash, done in a process of its own. */
#include "supervisor.h"

#include "arithmetic.h"
#include "clock.h"
#include "kept.h"
#include "signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    USEC_PER_SEC = 1000000,
    USEC_PER_MSEC = 1000,
    NSEC_PER_USEC = 1000,
    /* To connect may mean to start a daemon, or to log in far away. */
    CONNECT_USEC = 30 * USEC_PER_SEC,
    /* A call about a domain waits for this part of what is left of the cycle's patience, but at
     * least for so long. With halves of 5 s a guest that grew by 25 MiB/s was killed while two
     * others froze; with quarters it had 56 MiB left at the least. */
    PATIENCE_DIVISOR = 4,
    PATIENCE_LEAST_USEC = 100 * USEC_PER_MSEC,
    /* A call is watched when it has taken so long; no patience is shorter. */
    SLOW_USEC = PATIENCE_LEAST_USEC,
    /* A domain that hangs again although it seemed to answer is left alone for so long, then for
     * twice as long each time. */
    ALONE_USEC = 5 * USEC_PER_SEC,
    ALONE_MOST_USEC = 80 * USEC_PER_SEC,
    /* When this process is told to stop, a call may go on for so long. */
    STOPPING_USEC = 300 * USEC_PER_MSEC,
    STOPPING_MOST_USEC = 2 * USEC_PER_SEC,
    /* How often a long wait is told of. */
    WAITING_USEC = 5 * USEC_PER_SEC,
    /* To take leave of libvirt's server takes a moment. */
    LEAVE_USEC = USEC_PER_SEC,
    /* A child that was stopped may be continued with this process, as by a shell, for so long. */
    STOPPED_USEC = USEC_PER_SEC,
    /* Before a child is replaced that nothing is known against. */
    PAUSE_USEC = USEC_PER_SEC,
};

/* What the child may be in. */
enum call {
    CALL_NONE,
    CALL_CONNECT,
    CALL_LIST_AND_READ,
    CALL_READ,
    CALL_SET,
    CALL_SHARING,
    CALL_SERVE,
    CALL_LEAVE,
};

/* How long a call may take. */
struct patience {
    uint64_t whole_usec;
    uint64_t domain_usec; /* one about a single domain */
};

/* What all processes see. */
struct shared {
    struct hypervisor_watch watch;

    /* Written by the child: */
    _Atomic enum call call;      /* set last when one begins */
    _Atomic unsigned int serial; /* its number */
    struct patience patience;
    uint64_t patience_usec; /* what is left of it in this cycle; the parent takes of it, too */
    bool is_connected;      /* this child is */
    bool has_finished;      /* the work is done */
    int status;             /* with this */

    /* Written by the parent: */
    _Atomic bool is_watched; /* the end of the call is to be told */
    bool is_asked_again;     /* the next read goes on with one that was begun */
    bool was_connected;      /* the child that was lost last */
    enum call lost;          /* it has not come back, and is to return: */
    int lost_result;
    char lost_error[HYPERVISOR_ERROR_BYTES];
};

struct supervisor {
    struct supervisor_config config;
    struct shared *shared;
    pid_t child; /* the last one */
    int socket;  /* to the child; in it, to the parent */
    int changes; /* readable when the child was stopped, or continued */
    int timer;   /* readable when the child's call has become slow: the child sets it */
};

/* ---- words, and the call that the child is in ---- */

/* That there is something to look at. What is lost of many words says no more. */
static void have_a_word(int socket)
{
    send(socket, "", 1, MSG_NOSIGNAL);
}

/* What there is to read says no more than that there is. */
static void empty(int descriptor)
{
    char bytes[sizeof(struct signalfd_siginfo)];
    ssize_t got;
    do
        got = read(descriptor, bytes, sizeof(bytes));
    while (got > 0);
}

/* Both see the same timer. 0: not at all. */
static void set_timer(const struct supervisor *supervisor, long after_usec)
{
    struct itimerspec setting = {.it_value.tv_nsec = after_usec * NSEC_PER_USEC};
    timerfd_settime(supervisor->timer, 0, &setting, NULL);
}

static void begin_call(const struct supervisor *supervisor, enum call call,
                       struct patience patience)
{
    struct shared *shared = supervisor->shared;
    shared->patience = patience;
    shared->watch.is_about_domain = false;
    shared->watch.since_usec = clock_monotonic_usec();
    shared->is_watched = false;
    shared->serial++;
    shared->call = call;
    set_timer(supervisor, SLOW_USEC);
}

static void end_call(const struct supervisor *supervisor)
{
    struct shared *shared = supervisor->shared;
    set_timer(supervisor, 0);
    shared->call = CALL_NONE;
    if (shared->is_watched)
        have_a_word(supervisor->socket);
}

/* ---- suspects ---- */

static bool is_same(const struct hypervisor_suspect *suspect, const uint8_t *uuid, int id)
{
    return suspect->id == id && memcmp(suspect->uuid, uuid, sizeof(suspect->uuid)) == 0;
}

static struct hypervisor_suspect *find_or_add_suspect(struct hypervisor_watch *watch)
{
    for (size_t i = 0; i < watch->suspect_count; i++)
        if (is_same(&watch->suspects[i], watch->uuid, watch->id))
            return &watch->suspects[i];
    if (watch->suspect_count == HYPERVISOR_DOMAINS_MOST)
        watch->suspect_count = 0; /* more than can run: those are of old */
    struct hypervisor_suspect *added = &watch->suspects[watch->suspect_count++];
    *added = (struct hypervisor_suspect){.id = watch->id};
    memcpy(added->uuid, watch->uuid, sizeof(added->uuid));
    return added;
}

/* The one that the child was busy with when it ended. */
static void suspect(struct hypervisor_watch *watch)
{
    struct hypervisor_suspect *suspect = find_or_add_suspect(watch);
    if (suspect->hangs > 0) {
        uint64_t alone_usec = ALONE_USEC;
        for (unsigned int i = 1; i < suspect->hangs && alone_usec < ALONE_MOST_USEC; i++)
            alone_usec *= 2;
        suspect->until_usec = clock_monotonic_usec() + alone_usec;
    }
    suspect->hangs++;
}

static bool is_still_frozen(const struct snapshot *now, const struct hypervisor_suspect *suspect)
{
    size_t i = snapshot_find(now, suspect->uuid, suspect->id);
    return i < now->count && now->domains[i].is_frozen;
}

/* Those who have answered, or gone. */
static void clear_suspects(struct hypervisor_watch *watch, const struct snapshot *now)
{
    size_t kept = 0;
    for (size_t i = 0; i < watch->suspect_count; i++)
        if (is_still_frozen(now, &watch->suspects[i]))
            watch->suspects[kept++] = watch->suspects[i];
    watch->suspect_count = kept;
}

/* ---- the child: the operations ---- */

/* A domain has a part of what is left of the patience, so that the next has some, too; the whole
 * has never less than half of all of it. */
static struct patience patience_left(const struct supervisor *supervisor)
{
    uint64_t left_usec = supervisor->shared->patience_usec;
    return (struct patience){
        .whole_usec = max_u64(left_usec, supervisor->config.call_timeout_usec / 2),
        .domain_usec = max_u64(left_usec / PATIENCE_DIVISOR, PATIENCE_LEAST_USEC),
    };
}

/* Whether CALL, or one that it has to begin with, was lost, and so returns *RET_RESULT. That a
 * request was lost is of no interest to another call; the sharing of pages is not to keep one from
 * its work. */
static bool was_lost(struct supervisor *supervisor, enum call call, int *ret_result, char *error)
{
    struct shared *shared = supervisor->shared;
    enum call lost = shared->lost;
    if (lost == CALL_NONE || (lost == CALL_SHARING && call != CALL_SHARING))
        return false;
    shared->lost = CALL_NONE;
    if (lost == CALL_SET && call != CALL_SET)
        return false;
    memcpy(error, shared->lost_error, HYPERVISOR_ERROR_BYTES);
    *ret_result = shared->lost_result;
    return true;
}

static int connect_within(struct supervisor *supervisor, uint64_t patience_usec, char *error)
{
    const struct supervisor_config *config = &supervisor->config;
    begin_call(supervisor, CALL_CONNECT, (struct patience){patience_usec, patience_usec});
    int result = config->operations->connect(config->self, error);
    end_call(supervisor);
    supervisor->shared->is_connected = result == 0;
    return result;
}

/* In a child that takes over, which is connected much faster than the time that was lost. */
static int connect_first(struct supervisor *supervisor, char *error)
{
    if (supervisor->shared->is_connected)
        return 0;
    return connect_within(supervisor, supervisor->config.call_timeout_usec, error);
}

static int supervised_connect(void *self, char error[HYPERVISOR_ERROR_BYTES])
{
    int result;
    if (was_lost(self, CALL_CONNECT, &result, error))
        return result;
    return connect_within(self, CONNECT_USEC, error);
}

static int supervised_read(void *self, const struct snapshot *before, struct snapshot *now,
                           char error[HYPERVISOR_ERROR_BYTES])
{
    struct supervisor *supervisor = self;
    const struct supervisor_config *config = &supervisor->config;
    struct shared *shared = supervisor->shared;
    int result;
    if (was_lost(supervisor, CALL_READ, &result, error))
        return result;
    if (!shared->is_asked_again)
        shared->patience_usec = config->call_timeout_usec;
    shared->is_asked_again = false;
    result = connect_first(supervisor, error);
    if (result != 0)
        return result;
    begin_call(supervisor, before->is_list_kept ? CALL_READ : CALL_LIST_AND_READ,
               patience_left(supervisor));
    result = config->operations->read(config->self, before, now, error);
    end_call(supervisor);
    if (result == 0)
        clear_suspects(&shared->watch, now);
    return result;
}

/* What did not come back may have been heard all the same. */
static int supervised_set_memory(void *self, const struct domain *domain, uint64_t target_kib,
                                 char error[HYPERVISOR_ERROR_BYTES])
{
    struct supervisor *supervisor = self;
    const struct supervisor_config *config = &supervisor->config;
    int result;
    if (was_lost(supervisor, CALL_SET, &result, error))
        return result;
    result = connect_first(supervisor, error);
    if (result != 0)
        return result;
    begin_call(supervisor, CALL_SET, patience_left(supervisor));
    result = config->operations->set_memory(config->self, domain, target_kib, error);
    end_call(supervisor);
    return result;
}

static int supervised_read_sharing(void *self, struct ksm_reading *ret_reading,
                                   char error[HYPERVISOR_ERROR_BYTES])
{
    struct supervisor *supervisor = self;
    const struct supervisor_config *config = &supervisor->config;
    int result;
    if (was_lost(supervisor, CALL_SHARING, &result, error))
        return result;
    if (!supervisor->shared->is_connected) {
        snprintf(error, HYPERVISOR_ERROR_BYTES, "not connected");
        return -ENOTCONN;
    }
    begin_call(supervisor, CALL_SHARING, patience_left(supervisor));
    result = config->operations->read_sharing(config->self, ret_reading, error);
    end_call(supervisor);
    return result;
}

/* That a server hangs, or is gone, is no reason to leave the host as it is: in the child that takes
 * over, what can be done without one is. If that child is lost, too, it was not the server. */
static int supervised_set_sharing(void *self, const struct ksm_settings *settings,
                                  char error[HYPERVISOR_ERROR_BYTES])
{
    struct supervisor *supervisor = self;
    const struct supervisor_config *config = &supervisor->config;
    const struct shared *shared = supervisor->shared;
    bool can_do_without = shared->was_connected && !shared->is_connected;
    int result;
    if (was_lost(supervisor, CALL_SHARING, &result, error) && !can_do_without)
        return result;
    begin_call(supervisor, CALL_SHARING, patience_left(supervisor));
    result = config->operations->set_sharing(config->self, settings, error);
    end_call(supervisor);
    return result;
}

static void supervised_serve(void *self)
{
    const struct supervisor *supervisor = self;
    const struct supervisor_config *config = &supervisor->config;
    if (!supervisor->shared->is_connected || config->operations->serve == NULL)
        return;
    begin_call(supervisor, CALL_SERVE, patience_left(supervisor));
    config->operations->serve(config->self);
    end_call(supervisor);
}

const struct hypervisor_operations supervisor_operations = {
    .connect = supervised_connect,
    .read = supervised_read,
    .set_memory = supervised_set_memory,
    .read_sharing = supervised_read_sharing,
    .set_sharing = supervised_set_sharing,
    .serve = supervised_serve,
};

int supervisor_words(const struct supervisor *supervisor)
{
    return supervisor->socket;
}

void supervisor_take_words(const struct supervisor *supervisor)
{
    empty(supervisor->socket);
}

/* ---- the child: its beginning and its end ---- */

/* The signal of a child that was stopped, continued, or has ended. */
static void mask_changes(int how, sigset_t *ret_signals)
{
    sigemptyset(ret_signals);
    sigaddset(ret_signals, SIGCHLD);
    sigprocmask(how, ret_signals, NULL);
}

/* Signals to the whole group, as Ctrl-C sends them, are the parent's business; it must not outlive
 * its parent, wherever it hangs. */
static void be_a_child(pid_t parent)
{
    sigset_t signals;
    signals_block(&signals);
    mask_changes(SIG_UNBLOCK, &signals);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(EXIT_FAILURE);
}

static void take_leave(struct supervisor *supervisor)
{
    const struct supervisor_config *config = &supervisor->config;
    if (config->operations->disconnect == NULL)
        return;
    begin_call(supervisor, CALL_LEAVE, (struct patience){LEAVE_USEC, LEAVE_USEC});
    config->operations->disconnect(config->self);
    end_call(supervisor);
}

static _Noreturn void work_as_a_child(struct supervisor *supervisor, int (*work)(void *argument),
                                      void *argument)
{
    struct shared *shared = supervisor->shared;
    shared->status = work(argument);
    shared->has_finished = true;
    take_leave(supervisor);
    _exit(shared->status);
}

/* ---- the parent: children come and go ---- */

/* That one has ended, its socket tells; that it was stopped, a signal. */
static int open_senses(struct supervisor *supervisor, char *error)
{
    sigset_t signals;
    mask_changes(SIG_BLOCK, &signals);
    signal(SIGCHLD, SIG_DFL); /* ignored, it would hide how one has ended */
    supervisor->changes = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    supervisor->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (supervisor->changes >= 0 && supervisor->timer >= 0)
        return 0;
    int reason = errno;
    snprintf(error, HYPERVISOR_ERROR_BYTES, "cannot watch a process: %s", strerror(reason));
    return -reason;
}

static int start_child(struct supervisor *supervisor, int (*work)(void *argument), void *argument,
                       char *error)
{
    int sockets[2];
    pid_t parent = getpid();
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets) != 0) {
        int reason = errno;
        snprintf(error, HYPERVISOR_ERROR_BYTES, "cannot make a socket: %s", strerror(reason));
        return -reason;
    }
    supervisor->shared->call = CALL_NONE; /* what the last one was in is over */
    supervisor->shared->is_connected = false;
    pid_t child = fork();
    if (child == 0) {
        be_a_child(parent);
        close(sockets[0]);
        close(supervisor->changes);
        supervisor->socket = sockets[1];
        work_as_a_child(supervisor, work, argument);
    }
    int reason = errno;
    close(sockets[1]);
    if (child < 0) {
        close(sockets[0]);
        snprintf(error, HYPERVISOR_ERROR_BYTES, "cannot start a process: %s", strerror(reason));
        return -reason;
    }
    supervisor->child = child;
    supervisor->socket = sockets[0];
    return 0;
}

/* Ends the child at once. Returns what waitpid() tells of it: its own end, if it had come to that.
 */
static int end_child(struct supervisor *supervisor)
{
    int status = 0;
    pid_t ended;
    close(supervisor->socket);
    kill(supervisor->child, SIGKILL);
    do
        ended = waitpid(supervisor->child, &status, 0);
    while (ended < 0 && errno == EINTR);
    return status;
}

/* ---- the parent: watching ---- */

/* Takes what has woken it. Returns true while the child is to stop. */
static bool is_told_to_stop(const struct supervisor *supervisor)
{
    return supervisor->config.is_stopping != NULL &&
           supervisor->config.is_stopping(supervisor->config.argument);
}

/* Takes it, and then passes the word on. */
static bool pass_word_on(const struct supervisor *supervisor)
{
    bool is_stopping = is_told_to_stop(supervisor);
    have_a_word(supervisor->socket);
    return is_stopping;
}

/* Readable when a start may have begun to wait, and a list with it; -1: none is being waited for.
 */
static int notices(const struct supervisor *supervisor)
{
    const struct shared *shared = supervisor->shared;
    bool is_listing = shared->call == CALL_LIST_AND_READ && !shared->watch.is_about_domain;
    return is_listing ? supervisor->config.notices : -1;
}

/* A call about a domain is given up sooner than one about the whole, after which nobody is
 * balanced.
 */
static uint64_t allowed_usec(const struct shared *shared)
{
    return shared->watch.is_about_domain ? shared->patience.domain_usec
                                         : shared->patience.whole_usec;
}

static uint64_t end_of_patience(const struct shared *shared)
{
    return shared->watch.since_usec + allowed_usec(shared);
}

/* When to look next: whether a call is about a domain shows only once it has begun. */
static uint64_t next_look_usec(const struct shared *shared, uint64_t now_usec)
{
    uint64_t soon = shared->watch.since_usec + shared->patience.domain_usec;
    uint64_t until = now_usec < soon ? soon : end_of_patience(shared);
    return min_u64(until, now_usec + WAITING_USEC);
}

/* Whether it is told to stop, and since when. */
struct stop {
    bool is_told;
    uint64_t told_usec;
};

/* Told to stop, it lets a call end that does not hang, and others like it for a while. */
static bool is_time_to_stop(const struct shared *shared, const struct stop *stop, uint64_t now_usec)
{
    uint64_t call_usec = max_u64(stop->told_usec, shared->watch.since_usec);
    return stop->is_told && (now_usec >= call_usec + STOPPING_USEC ||
                             now_usec >= stop->told_usec + STOPPING_MOST_USEC);
}

enum { SENSE_CHILD, SENSE_WAKE, SENSE_NOTICES, CALL_SENSES };

static void wait_in_call(const struct supervisor *supervisor, const struct stop *stop,
                         struct pollfd senses[CALL_SENSES])
{
    uint64_t now = clock_monotonic_usec();
    uint64_t until =
        stop->is_told ? now + STOPPING_USEC / 4 : next_look_usec(supervisor->shared, now);
    senses[SENSE_CHILD] = (struct pollfd){.fd = supervisor->socket, .events = POLLIN};
    senses[SENSE_WAKE] = (struct pollfd){.fd = supervisor->config.wake, .events = POLLIN};
    senses[SENSE_NOTICES] = (struct pollfd){.fd = notices(supervisor), .events = POLLIN};
    clock_poll_until(senses, stop->is_told ? 1 : CALL_SENSES, until);
}

/* Returns 0 if the call may go on, -ETIMEDOUT, -EPIPE if the child has died, or -ECANCELED. */
static int judge_call(const struct supervisor *supervisor, struct stop *stop,
                      const struct pollfd senses[CALL_SENSES])
{
    const struct supervisor_config *config = &supervisor->config;
    if ((senses[SENSE_CHILD].revents & POLLHUP) != 0)
        return -EPIPE;
    if (senses[SENSE_CHILD].revents != 0) {
        empty(supervisor->socket);
        return 0;
    }
    if (config->is_waiting != NULL)
        config->is_waiting(config->argument);
    uint64_t now = clock_monotonic_usec();
    if (senses[SENSE_WAKE].revents != 0 && pass_word_on(supervisor))
        *stop = (struct stop){true, now};
    if (senses[SENSE_NOTICES].revents != 0 && config->is_start_waiting(config->argument))
        return -ECANCELED;
    if (is_time_to_stop(supervisor->shared, stop, now))
        return -ECANCELED;
    return now >= end_of_patience(supervisor->shared) ? -ETIMEDOUT : 0;
}

static bool is_in_call(const struct shared *shared, unsigned int serial)
{
    return shared->call != CALL_NONE && shared->serial == serial;
}

/* Until the call that the child is in, if it is in one, has ended, or is to be. Returns as
 * judge_call() does. */
static int watch_call(const struct supervisor *supervisor)
{
    struct shared *shared = supervisor->shared;
    unsigned int serial = shared->serial;
    int result = 0;
    shared->is_watched = true;
    if (!is_in_call(shared, serial))
        return 0;
    struct stop stop = {is_told_to_stop(supervisor), clock_monotonic_usec()};
    while (result == 0 && is_in_call(shared, serial)) {
        struct pollfd senses[CALL_SENSES] = {0};
        wait_in_call(supervisor, &stop, senses);
        result = judge_call(supervisor, &stop, senses);
    }
    return result == -EPIPE || is_in_call(shared, serial) ? result : 0;
}

static bool has_become(pid_t child, int state)
{
    siginfo_t change = {0};
    return waitid(P_PID, (id_t)child, &change, state | WNOHANG) == 0 && change.si_pid == child;
}

/* Whether the child is stopped, and stays so although this process goes on. */
static bool is_stopped(const struct supervisor *supervisor)
{
    struct pollfd descriptor = {.fd = supervisor->changes, .events = POLLIN};
    empty(supervisor->changes);
    if (!has_become(supervisor->child, WSTOPPED))
        return false;
    clock_poll_until(&descriptor, 1, clock_monotonic_usec() + STOPPED_USEC);
    return !has_become(supervisor->child, WCONTINUED);
}

/* Until the child is to be replaced. Returns -EPIPE if it has ended by itself, -ESTALE if it was
 * stopped, -ETIMEDOUT or -ECANCELED. */
static int watch_child(const struct supervisor *supervisor)
{
    int result = 0;
    while (result == 0) {
        struct pollfd descriptors[] = {
            {.fd = supervisor->socket, .events = POLLIN},
            {.fd = supervisor->config.wake, .events = POLLIN},
            {.fd = supervisor->changes, .events = POLLIN},
            {.fd = supervisor->timer, .events = POLLIN},
        };
        if (poll(descriptors, 4, -1) < 0)
            continue;
        if ((descriptors[0].revents & POLLHUP) != 0)
            return -EPIPE;
        if (descriptors[2].revents != 0 && is_stopped(supervisor))
            return -ESTALE;
        if (descriptors[0].revents != 0)
            empty(supervisor->socket);
        if (descriptors[3].revents != 0)
            empty(supervisor->timer);
        if (descriptors[1].revents != 0)
            pass_word_on(supervisor);
        result = watch_call(supervisor);
    }
    return result;
}

/* ---- the parent: after a child ---- */

/* "no answer for 2.5 s", or how the child has ended. */
static void explain(int result, int status, uint64_t patience_usec, char *error)
{
    if (result == -ECANCELED)
        snprintf(error, HYPERVISOR_ERROR_BYTES, "told to wait no longer");
    else if (result == -ETIMEDOUT)
        snprintf(error, HYPERVISOR_ERROR_BYTES, "no answer for %.1f s",
                 (double)patience_usec / USEC_PER_SEC);
    else if (result == -ESTALE)
        snprintf(error, HYPERVISOR_ERROR_BYTES, "the working process was stopped");
    else if (WIFSIGNALED(status))
        snprintf(error, HYPERVISOR_ERROR_BYTES, "the working process was ended by signal %d (%s)",
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(error, HYPERVISOR_ERROR_BYTES, "the working process has ended with status %d",
                 WEXITSTATUS(status));
}

/* A call has ended the child. Where a domain is to blame, all are asked again without it. */
static void note_loss(struct shared *shared, int result, int status)
{
    enum call call = shared->call;
    bool is_blamed = result != -ECANCELED && shared->watch.is_about_domain;
    explain(result, status, allowed_usec(shared), shared->lost_error);
    if (result == -ETIMEDOUT)
        shared->patience_usec = subtract_to_zero(shared->patience_usec, allowed_usec(shared));
    if (is_blamed)
        suspect(&shared->watch);
    shared->was_connected = shared->is_connected;
    shared->is_asked_again = is_blamed && call != CALL_SET;
    shared->lost = shared->is_asked_again ? CALL_NONE : call;
    if (call == CALL_SET)
        shared->lost_result = -EINPROGRESS;
    else
        shared->lost_result = result == -ECANCELED ? -ECANCELED : -ENOTCONN;
}

/* Told to stop meanwhile, it waits no longer. */
static void pause_before_the_next(const struct supervisor *supervisor)
{
    struct pollfd descriptor = {.fd = supervisor->config.wake, .events = POLLIN};
    clock_poll_until(&descriptor, 1, clock_monotonic_usec() + PAUSE_USEC);
}

static void tell(const struct supervisor *supervisor, const char *what, const char *and_now)
{
    char text[2 * HYPERVISOR_ERROR_BYTES];
    if (supervisor->config.tell == NULL)
        return;
    snprintf(text, sizeof(text), "%s; %s", what, and_now);
    supervisor->config.tell(supervisor->config.argument, text);
}

/* After a child that was watched with RESULT and has ended with STATUS. Returns true if another is
 * to go on. */
static bool is_to_go_on(struct supervisor *supervisor, int result, int status, char *error)
{
    struct shared *shared = supervisor->shared;
    if (shared->has_finished)
        return false;
    if (shared->call != CALL_NONE) {
        note_loss(shared, result, status);
        return true;
    }
    explain(result, status, 0, error);
    /* Somebody else's doing, as the kernel's when it is out of memory. */
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        return false;
    tell(supervisor, error, "another one goes on");
    pause_before_the_next(supervisor);
    return true;
}

/* ---- the public face ---- */

struct supervisor *supervisor_new(const struct supervisor_config *config)
{
    struct supervisor *supervisor = calloc(1, sizeof(*supervisor));
    struct shared *shared = kept_new(sizeof(*shared));
    if (supervisor == NULL || shared == NULL) {
        kept_free(shared, sizeof(*shared));
        free(supervisor);
        return NULL;
    }
    supervisor->config = *config;
    supervisor->shared = shared;
    supervisor->changes = -1;
    supervisor->timer = -1;
    if (config->operations->watch != NULL)
        config->operations->watch(config->self, &shared->watch);
    return supervisor;
}

/* Tries until there is one, or it is told to stop. Returns 0 or -ECANCELED. */
static int start_another(struct supervisor *supervisor, int (*work)(void *argument), void *argument,
                         char *error)
{
    int result = start_child(supervisor, work, argument, error);
    if (result != 0)
        tell(supervisor, error, "trying again");
    while (result != 0) {
        if (is_told_to_stop(supervisor))
            return -ECANCELED;
        pause_before_the_next(supervisor);
        result = start_child(supervisor, work, argument, error);
    }
    return 0;
}

int supervisor_run(struct supervisor *supervisor, int (*work)(void *argument), void *argument,
                   char error[HYPERVISOR_ERROR_BYTES])
{
    const struct shared *shared = supervisor->shared;
    int result = open_senses(supervisor, error);
    if (result == 0)
        result = start_child(supervisor, work, argument, error);
    while (result == 0) {
        int watched = watch_child(supervisor);
        int status = end_child(supervisor);
        if (!is_to_go_on(supervisor, watched, status, error))
            return shared->has_finished ? shared->status : -EFAULT;
        result = start_another(supervisor, work, argument, error);
    }
    return result;
}

static void close_if_open(int descriptor)
{
    if (descriptor >= 0)
        close(descriptor);
}

void supervisor_free(struct supervisor *supervisor)
{
    if (supervisor == NULL)
        return;
    close_if_open(supervisor->changes);
    close_if_open(supervisor->timer);
    kept_free(supervisor->shared, sizeof(*supervisor->shared));
    free(supervisor);
}
