/* supervisor.c - calls that may hang or crash, made in a process of their own. */
#include "supervisor.h"

#include "arithmetic.h"
#include "clock.h"
#include "signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    USEC_PER_SEC = 1000000,
    USEC_PER_MSEC = 1000,
    /* libvirt's server expects an answer every 5 s. */
    SERVE_SEC = 2,
    /* To connect may mean to start a daemon, or to log in far away. */
    CONNECT_USEC = 30 * USEC_PER_SEC,
    /* A call about a domain waits for this part of what is left of the cycle's patience, but at
     * least for so long. With halves of 5 s a guest that grew by 25 MiB/s was killed while two
     * others froze; with quarters it had 56 MiB left at the least. */
    PATIENCE_DIVISOR = 4,
    PATIENCE_LEAST_USEC = 100 * USEC_PER_MSEC,
    /* A domain that hangs again although it seemed to answer is left alone for so long, then for
     * twice as long each time. */
    ALONE_USEC = 5 * USEC_PER_SEC,
    ALONE_MOST_USEC = 80 * USEC_PER_SEC,
    /* When this process is told to stop, a call may go on for so long. */
    STOPPING_USEC = 300 * USEC_PER_MSEC,
    STOPPING_MOST_USEC = 2 * USEC_PER_SEC,
    /* How often a long wait is told of. */
    WAITING_USEC = 5 * USEC_PER_SEC,
    /* A child that is told to end needs a moment to take leave of libvirt's server. */
    LEAVE_USEC = USEC_PER_SEC,
};

enum request {
    REQUEST_CONNECT,
    REQUEST_READ,
    REQUEST_SET,
    REQUEST_READ_SHARING,
    REQUEST_SET_SHARING,
};

/* What both processes see. A request's arguments and results are written by turns: the one who
 * waits touches nothing. */
struct shared {
    struct hypervisor_watch watch;

    int result;
    char error[HYPERVISOR_ERROR_BYTES];

    /* REQUEST_READ: from the snapshot in one slot to the one in the other. */
    size_t before_slot;
    size_t before_count;
    bool is_list_kept;
    struct host host;
    size_t count;

    /* REQUEST_SET */
    struct domain domain;
    uint64_t target_kib;

    struct ksm_reading reading;   /* REQUEST_READ_SHARING */
    struct ksm_settings settings; /* REQUEST_SET_SHARING */

    struct domain slots[2][HYPERVISOR_DOMAINS_MOST];
    struct domain_remarks remarks[2][HYPERVISOR_DOMAINS_MOST];
};

/* How long a call may take. */
struct patience {
    uint64_t whole_usec;
    uint64_t domain_usec; /* one about a single domain */
};

struct supervisor {
    struct supervisor_config config;
    struct shared *shared;
    pid_t child;            /* 0: there is none */
    int socket;             /* to the child */
    uint64_t patience_usec; /* what is left of it in this cycle */
    bool is_connected;
    bool is_listing;     /* the call is to read, and for that to ask for a list */
    bool is_interrupted; /* the last call was ended when told so: the child is gone for that */
};

/* ---- the child ---- */

static void do_read(const struct supervisor_config *config, struct shared *shared)
{
    size_t slot = shared->before_slot;
    struct snapshot before = {
        .domains = shared->slots[slot],
        .remarks = shared->remarks[slot],
        .count = shared->before_count,
        .capacity = HYPERVISOR_DOMAINS_MOST,
        .is_borrowed = true,
        .is_list_kept = shared->is_list_kept,
    };
    struct snapshot now = before;
    now.domains = shared->slots[1 - slot];
    now.remarks = shared->remarks[1 - slot];
    now.count = 0;
    shared->result = config->operations->read(config->self, &before, &now, shared->error);
    shared->host = now.host;
    shared->count = now.count;
}

static void do_request(const struct supervisor_config *config, struct shared *shared,
                       enum request request)
{
    switch (request) {
    case REQUEST_CONNECT:
        shared->result = config->operations->connect(config->self, shared->error);
        break;
    case REQUEST_READ:
        do_read(config, shared);
        break;
    case REQUEST_SET:
        shared->result = config->operations->set_memory(config->self, &shared->domain,
                                                        shared->target_kib, shared->error);
        break;
    case REQUEST_READ_SHARING:
        shared->result =
            config->operations->read_sharing(config->self, &shared->reading, shared->error);
        break;
    case REQUEST_SET_SHARING:
        shared->result =
            config->operations->set_sharing(config->self, &shared->settings, shared->error);
        break;
    }
}

/* Signals to the whole group, as Ctrl-C sends them, are the parent's business; it must not outlive
 * its parent, wherever it hangs. */
static void be_a_child(pid_t parent)
{
    sigset_t signals;
    signals_block(&signals);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(EXIT_FAILURE);
}

/* Waits for a request, and serves meanwhile. Returns false if there will be none. */
static bool await_request(const struct supervisor_config *config, int socket,
                          unsigned char *ret_asked)
{
    ssize_t got;
    while ((got = recv(socket, ret_asked, 1, 0)) < 0) {
        if (errno != EAGAIN && errno != EINTR)
            return false;
        if (config->operations->serve != NULL)
            config->operations->serve(config->self);
    }
    return got == 1;
}

static _Noreturn void serve_requests(const struct supervisor_config *config, struct shared *shared,
                                     int socket)
{
    struct timeval pause = {.tv_sec = SERVE_SEC};
    unsigned char asked;
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &pause, sizeof(pause));
    while (await_request(config, socket, &asked)) {
        do_request(config, shared, asked);
        if (send(socket, &asked, sizeof(asked), MSG_NOSIGNAL) != (ssize_t)sizeof(asked))
            break;
    }
    if (config->operations->disconnect != NULL)
        config->operations->disconnect(config->self);
    _exit(EXIT_SUCCESS);
}

/* ---- its beginning and its end ---- */

static int start_child(struct supervisor *supervisor, char *error)
{
    int sockets[2];
    pid_t parent = getpid();
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) {
        snprintf(error, HYPERVISOR_ERROR_BYTES, "cannot make a socket: %s", strerror(errno));
        return -ENOTCONN;
    }
    pid_t child = fork();
    if (child == 0) {
        be_a_child(parent);
        close(sockets[0]);
        if (supervisor->config.wake >= 0)
            close(supervisor->config.wake);
        if (supervisor->config.notices >= 0)
            close(supervisor->config.notices);
        serve_requests(&supervisor->config, supervisor->shared, sockets[1]);
    }
    int reason = errno;
    close(sockets[1]);
    if (child < 0) {
        close(sockets[0]);
        snprintf(error, HYPERVISOR_ERROR_BYTES, "cannot start a process: %s", strerror(reason));
        return -ENOTCONN;
    }
    supervisor->child = child;
    supervisor->socket = sockets[0];
    return 0;
}

static bool has_ended(pid_t child, int *ret_status, int options)
{
    pid_t ended;
    do
        ended = waitpid(child, ret_status, options);
    while (ended < 0 && errno == EINTR);
    return ended != 0;
}

/* Ends the child at once. Returns what waitpid() tells of it: its own end, if it had come to that.
 */
static int end_child(struct supervisor *supervisor)
{
    int status = 0;
    if (supervisor->child == 0)
        return status;
    close(supervisor->socket);
    kill(supervisor->child, SIGKILL);
    has_ended(supervisor->child, &status, 0);
    supervisor->child = 0;
    return status;
}

/* With its socket closed it ends by itself, unless it hangs. */
static void dismiss_child(struct supervisor *supervisor)
{
    if (supervisor->child == 0)
        return;
    uint64_t until_usec = clock_monotonic_usec() + LEAVE_USEC;
    int status;
    shutdown(supervisor->socket, SHUT_RDWR);
    while (clock_monotonic_usec() < until_usec) {
        if (has_ended(supervisor->child, &status, WNOHANG)) {
            close(supervisor->socket);
            supervisor->child = 0;
            return;
        }
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    end_child(supervisor);
}

/* ---- waiting for it ---- */

static bool is_told_to_stop(const struct supervisor *supervisor)
{
    return supervisor->config.is_stopping != NULL &&
           supervisor->config.is_stopping(supervisor->config.argument);
}

/* Readable when a start may have begun to wait, and a list with it; -1: none is being waited for.
 */
static int notices(const struct supervisor *supervisor)
{
    bool is_listing = supervisor->is_listing && !supervisor->shared->watch.is_about_domain;
    return is_listing ? supervisor->config.notices : -1;
}

/* A call about a domain is given up sooner than one about the whole, after which nobody is
 * balanced.
 */
static uint64_t allowed_usec(const struct supervisor *supervisor, struct patience patience)
{
    return supervisor->shared->watch.is_about_domain ? patience.domain_usec : patience.whole_usec;
}

static uint64_t end_of_patience(const struct supervisor *supervisor, struct patience patience)
{
    return supervisor->shared->watch.since_usec + allowed_usec(supervisor, patience);
}

/* When to look next: whether a call is about a domain shows only once it has begun. */
static uint64_t next_look_usec(const struct supervisor *supervisor, struct patience patience,
                               uint64_t now_usec)
{
    uint64_t soon = supervisor->shared->watch.since_usec + patience.domain_usec;
    uint64_t until = now_usec < soon ? soon : end_of_patience(supervisor, patience);
    return min_u64(until, now_usec + WAITING_USEC);
}

/* Told to stop, it lets a call end that does not hang, and others like it for a while. */
static bool is_time_to_stop(const struct supervisor *supervisor, uint64_t told_usec,
                            uint64_t now_usec)
{
    uint64_t call_usec = max_u64(told_usec, supervisor->shared->watch.since_usec);
    return now_usec >= call_usec + STOPPING_USEC || now_usec >= told_usec + STOPPING_MOST_USEC;
}

/* Until the child answers, or the call it is in has lasted too long. Returns 0, -ETIMEDOUT, -EPIPE
 * if the child has died, or -ECANCELED. */
static int await_answer(const struct supervisor *supervisor, struct patience patience)
{
    struct pollfd descriptors[] = {
        {.fd = supervisor->socket, .events = POLLIN},
        {.fd = supervisor->config.wake, .events = POLLIN},
        {.events = POLLIN},
    };
    bool is_told = false;
    uint64_t told_usec = 0;
    for (;;) {
        uint64_t now = clock_monotonic_usec();
        uint64_t until =
            is_told ? now + STOPPING_USEC / 4 : next_look_usec(supervisor, patience, now);
        descriptors[2].fd = notices(supervisor);
        int ready = clock_poll_until(descriptors, is_told ? 1 : 3, until);
        unsigned char answer;
        if (ready > 0 && descriptors[0].revents != 0)
            return recv(supervisor->socket, &answer, 1, 0) == 1 ? 0 : -EPIPE;
        now = clock_monotonic_usec();
        if (supervisor->config.is_waiting != NULL)
            supervisor->config.is_waiting(supervisor->config.argument);
        if (ready > 0 && descriptors[2].revents != 0 &&
            supervisor->config.is_start_waiting(supervisor->config.argument))
            return -ECANCELED;
        if (ready > 0 && is_told_to_stop(supervisor)) {
            is_told = true;
            told_usec = now;
        }
        if (is_told && is_time_to_stop(supervisor, told_usec, now))
            return -ECANCELED;
        if (ready == 0 && now >= end_of_patience(supervisor, patience))
            return -ETIMEDOUT;
    }
}

/* "no answer for 2.5 s", or how the child has ended. */
static void explain(int result, int status, uint64_t patience_usec, char *error)
{
    if (result == -ECANCELED)
        snprintf(error, HYPERVISOR_ERROR_BYTES, "told to wait no longer");
    else if (result == -ETIMEDOUT)
        snprintf(error, HYPERVISOR_ERROR_BYTES, "no answer for %.1f s",
                 (double)patience_usec / USEC_PER_SEC);
    else if (WIFSIGNALED(status))
        snprintf(error, HYPERVISOR_ERROR_BYTES, "the process that asks was ended by signal %d (%s)",
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(error, HYPERVISOR_ERROR_BYTES, "the process that asks has ended with status %d",
                 WEXITSTATUS(status));
}

/*
 * Has the child do REQUEST. Returns its result; or -ETIMEDOUT, -EPIPE or -ECANCELED with the reason
 * in ERROR: then the child is gone. Without one it is -ENOTCONN.
 */
static int request(struct supervisor *supervisor, enum request kind, struct patience patience,
                   char *error)
{
    struct shared *shared = supervisor->shared;
    unsigned char message = (unsigned char)kind;
    if (supervisor->child == 0) {
        snprintf(error, HYPERVISOR_ERROR_BYTES, "not connected");
        return -ENOTCONN;
    }
    shared->watch.is_about_domain = false;
    shared->watch.since_usec = clock_monotonic_usec();
    supervisor->is_listing = kind == REQUEST_READ && !shared->is_list_kept;
    int result = -EPIPE;
    if (send(supervisor->socket, &message, sizeof(message), MSG_NOSIGNAL) > 0)
        result = await_answer(supervisor, patience);
    if (result == 0) {
        memcpy(error, shared->error, HYPERVISOR_ERROR_BYTES);
        return shared->result;
    }
    int status = end_child(supervisor);
    explain(result, status, allowed_usec(supervisor, patience), error);
    supervisor->is_connected = false;
    supervisor->is_interrupted = result == -ECANCELED;
    return result;
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

/* ---- the operations ---- */

static int connect_within(struct supervisor *supervisor, uint64_t patience_usec, char *error)
{
    if (supervisor->child == 0 && start_child(supervisor, error) != 0)
        return -ENOTCONN;
    struct patience patience = {patience_usec, patience_usec};
    int result = request(supervisor, REQUEST_CONNECT, patience, error);
    supervisor->is_connected = result == 0;
    return result == 0 || result == -ECANCELED ? result : -ENOTCONN;
}

static int supervised_connect(void *self, char error[HYPERVISOR_ERROR_BYTES])
{
    return connect_within(self, CONNECT_USEC, error);
}

/* Asks once. A domain has a part of what is left of the patience, so that the next has some, too;
 * the whole has never less than half of all of it. Sets *RET_IS_SUSPECT if the call did not come
 * back, and it was about one domain. */
static int ask(struct supervisor *supervisor, enum request kind, bool *ret_is_suspect, char *error)
{
    struct patience patience = {
        .whole_usec = max_u64(supervisor->patience_usec, supervisor->config.call_timeout_usec / 2),
        .domain_usec = max_u64(supervisor->patience_usec / PATIENCE_DIVISOR, PATIENCE_LEAST_USEC),
    };
    int result = request(supervisor, kind, patience, error);
    bool is_lost = result == -ETIMEDOUT || result == -EPIPE;
    if (result == -ETIMEDOUT)
        supervisor->patience_usec =
            subtract_to_zero(supervisor->patience_usec, allowed_usec(supervisor, patience));
    *ret_is_suspect = is_lost && supervisor->shared->watch.is_about_domain;
    if (*ret_is_suspect)
        suspect(&supervisor->shared->watch);
    return result;
}

/* Where a domain is to blame, all are asked again without it: by a new child, which is connected
 * much faster than the time that was lost. */
static int read_until_answered(struct supervisor *supervisor, char *error)
{
    for (;;) {
        bool is_suspect;
        int result = ask(supervisor, REQUEST_READ, &is_suspect, error);
        if (is_suspect)
            result = connect_within(supervisor, supervisor->config.call_timeout_usec, error);
        if (!is_suspect || result != 0)
            return result == -ETIMEDOUT || result == -EPIPE ? -ENOTCONN : result;
    }
}

static int supervised_read(void *self, const struct snapshot *before, struct snapshot *now,
                           char error[HYPERVISOR_ERROR_BYTES])
{
    struct supervisor *supervisor = self;
    struct shared *shared = supervisor->shared;
    shared->before_slot = before->domains == shared->slots[0] ? 0 : 1;
    shared->before_count = before->domains != NULL ? before->count : 0;
    shared->is_list_kept = before->is_list_kept;
    supervisor->patience_usec = supervisor->config.call_timeout_usec;
    int result = 0;
    if (supervisor->is_interrupted)
        result = connect_within(supervisor, supervisor->config.call_timeout_usec, error);
    supervisor->is_interrupted = false;
    if (result == 0)
        result = read_until_answered(supervisor, error);
    if (result != 0)
        return result;
    now->domains = shared->slots[1 - shared->before_slot];
    now->remarks = shared->remarks[1 - shared->before_slot];
    now->count = shared->count;
    now->capacity = HYPERVISOR_DOMAINS_MOST;
    now->is_borrowed = true;
    now->host = shared->host;
    clear_suspects(&shared->watch, now);
    return 0;
}

/* What did not come back may have been heard all the same. */
static int supervised_set_memory(void *self, const struct domain *domain, uint64_t target_kib,
                                 char error[HYPERVISOR_ERROR_BYTES])
{
    struct supervisor *supervisor = self;
    struct shared *shared = supervisor->shared;
    bool is_suspect;
    if (!supervisor->is_connected) {
        snprintf(error, HYPERVISOR_ERROR_BYTES, "not connected");
        return -ENOTCONN;
    }
    shared->domain = *domain;
    shared->target_kib = target_kib;
    int result = ask(supervisor, REQUEST_SET, &is_suspect, error);
    if (result == 0 || result == -EIO || result == -EBUSY)
        return result;
    char other_error[HYPERVISOR_ERROR_BYTES];
    if (is_suspect)
        connect_within(supervisor, supervisor->config.call_timeout_usec, other_error);
    return -EINPROGRESS;
}

static int supervised_read_sharing(void *self, struct ksm_reading *ret_reading,
                                   char error[HYPERVISOR_ERROR_BYTES])
{
    struct supervisor *supervisor = self;
    bool is_suspect;
    int result = ask(supervisor, REQUEST_READ_SHARING, &is_suspect, error);
    if (result == 0)
        *ret_reading = supervisor->shared->reading;
    return result;
}

/* That a server hangs, or is gone, is no reason to leave the host as it is: a new child does what
 * can be done without one. */
static int supervised_set_sharing(void *self, const struct ksm_settings *settings,
                                  char error[HYPERVISOR_ERROR_BYTES])
{
    struct supervisor *supervisor = self;
    bool is_suspect;
    supervisor->shared->settings = *settings;
    int result = -EPIPE;
    if (supervisor->child != 0)
        result = ask(supervisor, REQUEST_SET_SHARING, &is_suspect, error);
    if (supervisor->child == 0 && start_child(supervisor, error) == 0)
        result = ask(supervisor, REQUEST_SET_SHARING, &is_suspect, error);
    return result;
}

const struct hypervisor_operations supervisor_operations = {
    .connect = supervised_connect,
    .read = supervised_read,
    .set_memory = supervised_set_memory,
    .read_sharing = supervised_read_sharing,
    .set_sharing = supervised_set_sharing,
};

/* ---- the public face ---- */

struct supervisor *supervisor_new(const struct supervisor_config *config)
{
    struct supervisor *supervisor = calloc(1, sizeof(*supervisor));
    /* Most of it is never touched, and then takes no memory. */
    struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (supervisor == NULL || shared == MAP_FAILED) {
        if (shared != MAP_FAILED)
            munmap(shared, sizeof(*shared));
        free(supervisor);
        return NULL;
    }
    supervisor->config = *config;
    supervisor->shared = shared;
    if (config->operations->watch != NULL)
        config->operations->watch(config->self, &shared->watch);
    return supervisor;
}

int supervisor_child(const struct supervisor *supervisor)
{
    return supervisor->child;
}

void supervisor_free(struct supervisor *supervisor)
{
    if (supervisor == NULL)
        return;
    dismiss_child(supervisor);
    munmap(supervisor->shared, sizeof(*supervisor->shared));
    free(supervisor);
}
