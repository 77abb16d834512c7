/*
 * The guest's only daemon, its init: does what the host asks on ttyS1, and writes
 * a report line on ttyS2 every 250 ms whatever else goes on.
 *
 * A request is   \001 NONCE VERB COUNT \n  and COUNT bytes; a reply
 *                \001 NONCE CODE COUNT \n  and COUNT bytes.
 * \001 never occurs inside a request, so one cut short by a client that died ends
 * where the next begins; the nonce tells a client its reply from an earlier one's.
 * The port has one client at a time: a new request ends what the last one left running.
 *
 *   run    COUNT bytes of shell; replies with its exit code and its output
 *   load   a plan for the load program, in place of a running one; replies at once
 *   stop   ends the load; replies at once
 *
 * `load` and `stop` reply with the uptime in ms from which on the reports show it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define FRAME_START    '\001'
#define REPORT_MSEC    250
#define REQUEST_MAX    4096
#define OUTPUT_MAX     (128 * 1024)
#define PLAN_WORDS_MAX 256

static int port = -1;

static struct {
    bool open; /* a FRAME_START has come, its request is not complete */
    size_t length;
    char text[REQUEST_MAX + 1];
} request;

static struct {
    size_t length, sent;
    char text[OUTPUT_MAX + 64];
} reply;

/* The shell command being run for the host; pid 0 when there is none. */
static struct {
    pid_t pid;
    int output; /* the reading end of its stdout and stderr, or -1 */
    char nonce[17];
    size_t length;
    char text[OUTPUT_MAX];
} job = {.output = -1};

static struct {
    pid_t pid; /* 0 unless running */
    const char *state;
} load = {.state = "none"};

static int64_t uptime_msec(void)
{
    struct timespec t;

    clock_gettime(CLOCK_BOOTTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void set_oom_score(const char *score)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd >= 0) {
        if (write(fd, score, strlen(score)) < 0)
            perror("oom_score_adj");
        close(fd);
    }
}

/* Opens a serial port as a plain stream of bytes; a guest without it is of no use. */
static int open_port(const char *path)
{
    struct termios mode;
    int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0 || tcgetattr(fd, &mode) < 0) {
        perror(path);
        exit(1);
    }
    cfmakeraw(&mode);
    cfsetspeed(&mode, B115200);
    mode.c_cflag |= CLOCAL | CREAD;
    tcsetattr(fd, TCSANOW, &mode);
    return fd;
}

/* ---- reports ---- */

/* The number after `key` at the start of a line of `text`, or 0. */
static uint64_t field(const char *text, const char *key)
{
    size_t length = strlen(key);

    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) == 0)
            return strtoull(line + length, NULL, 10);
    }
    return 0;
}

/* Reads a whole /proc file into `text`; an empty string if it cannot. */
static void read_file(const char *path, char *text, size_t size)
{
    size_t length = 0;
    ssize_t got;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        while (length < size - 1 && (got = read(fd, text + length, size - 1 - length)) > 0)
            length += (size_t)got;
        close(fd);
    }
    text[length] = '\0';
}

static uint64_t load_mib(char *text, size_t size)
{
    char path[32];

    if (!load.pid)
        return 0;
    snprintf(path, sizeof(path), "/proc/%d/status", (int)load.pid);
    read_file(path, text, size);
    return (field(text, "VmRSS:") + field(text, "VmSwap:")) / 1024;
}

/* Columns: as `Report` in scripts/lib/lab.py reads them. */
static void write_report(int fd)
{
    static char text[16384];
    char line[256];
    int queued = 0, length;
    uint64_t mib = load_mib(text, sizeof(text));

    read_file("/proc/meminfo", text, sizeof(text));
    length = snprintf(line, sizeof(line), "%lld %llu %llu %llu", (long long)uptime_msec(),
                      (unsigned long long)field(text, "MemFree:"),
                      (unsigned long long)field(text, "MemAvailable:"),
                      (unsigned long long)field(text, "MemTotal:"));
    read_file("/proc/vmstat", text, sizeof(text));
    length += snprintf(
        line + length, sizeof(line) - (size_t)length, " %llu %llu %llu %s %llu\n",
        (unsigned long long)field(text, "oom_kill "), (unsigned long long)field(text, "pswpin "),
        (unsigned long long)field(text, "pswpout "), load.state, (unsigned long long)mib);

    /* Only while the last line is through: then this one fits as a whole, or not at all. */
    if (ioctl(fd, TIOCOUTQ, &queued) == 0 && queued == 0 && write(fd, line, (size_t)length) < 0)
        perror("report");
}

/* ---- replies ---- */

static void send_reply(void)
{
    while (reply.sent < reply.length) {
        ssize_t sent = write(port, reply.text + reply.sent, reply.length - reply.sent);

        if (sent < 0)
            return; /* the port is full: poll tells when to go on */
        reply.sent += (size_t)sent;
    }
}

static void start_reply(const char *nonce, int code, const char *body, size_t length)
{
    int head =
        snprintf(reply.text, sizeof(reply.text), "%c%s %d %zu\n", FRAME_START, nonce, code, length);

    memcpy(reply.text + head, body, length);
    reply.length = (size_t)head + length;
    reply.sent = 0;
    send_reply();
}

/* ---- what the host asks for ---- */

/* In a new child: a session of its own, so that it can be ended with all it starts. */
static _Noreturn void become(char *const *argv, int output, const char *oom_score)
{
    int null = open("/dev/null", O_RDWR);
    sigset_t none;

    setsid();
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    set_oom_score(oom_score);
    dup2(null, STDIN_FILENO);
    if (output >= 0) {
        dup2(output, STDOUT_FILENO);
        dup2(output, STDERR_FILENO);
    }
    execv(argv[0], argv);
    perror(argv[0]);
    _exit(127);
}

static void end_job(void)
{
    if (job.pid)
        kill(-job.pid, SIGKILL);
    if (job.output >= 0)
        close(job.output);
    job.pid = 0;
    job.output = -1;
}

static int start_job(const char *nonce, char *command)
{
    char *argv[] = {"/bin/busybox", "sh", "-c", command, NULL};
    int ends[2];
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    pid = fork();
    if (pid == 0)
        become(argv, ends[1], "0");
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return -errno;
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    job.pid = pid;
    job.output = ends[0];
    job.length = 0;
    snprintf(job.nonce, sizeof(job.nonce), "%s", nonce);
    return 0;
}

/* What does not fit is read and dropped, so that the command does not block. */
static void read_output(void)
{
    char rest[4096];
    ssize_t got;

    for (;;) {
        bool full = job.length == sizeof(job.text);

        got = full ? read(job.output, rest, sizeof(rest))
                   : read(job.output, job.text + job.length, sizeof(job.text) - job.length);
        if (got <= 0)
            break;
        if (!full)
            job.length += (size_t)got;
    }
    if (got == 0) { /* closed before the command's end: nothing more to poll for */
        close(job.output);
        job.output = -1;
    }
}

static void finish_job(int status)
{
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);

    if (job.output >= 0)
        read_output();
    job.pid = 0; /* what it left in the background may live on */
    start_reply(job.nonce, code, job.text, job.length);
    end_job();
}

static void end_load(void)
{
    if (load.pid)
        kill(load.pid, SIGKILL);
    load.pid = 0;
    load.state = "none";
}

static int start_load(char *plan)
{
    char *argv[PLAN_WORDS_MAX + 2] = {"/bin/load"};
    size_t count = 1;
    pid_t pid;

    for (char *word = strtok(plan, " "); word; word = strtok(NULL, " ")) {
        if (count > PLAN_WORDS_MAX)
            return -E2BIG;
        argv[count++] = word;
    }
    end_load();
    pid = fork();
    if (pid == 0)
        become(argv, -1, "1000");
    if (pid < 0)
        return -errno;
    load.pid = pid;
    load.state = "running";
    return 0;
}

static void serve(const char *nonce, const char *verb, char *body)
{
    char text[128];
    int error = 0, length;

    end_job();
    reply.length = reply.sent = 0;
    if (strcmp(verb, "run") == 0) {
        error = start_job(nonce, body);
        if (!error)
            return; /* finish_job replies */
    } else if (strcmp(verb, "load") == 0) {
        error = start_load(body);
    } else if (strcmp(verb, "stop") == 0) {
        end_load();
    } else {
        error = -EOPNOTSUPP;
    }
    length = error ? snprintf(text, sizeof(text), "agent: %s: %s\n", verb, strerror(-error))
                   : snprintf(text, sizeof(text), "%lld\n", (long long)uptime_msec());
    start_reply(nonce, error ? 255 : 0, text, (size_t)length);
}

/* Serves the request if all of it has come. */
static void try_request(void)
{
    char nonce[17], verb[9];
    size_t count, head;
    char *newline = memchr(request.text, '\n', request.length);

    if (!newline)
        return;
    *newline = '\0';
    if (sscanf(request.text, "%16[0-9a-f] %8[a-z] %zu", nonce, verb, &count) != 3) {
        request.open = false;
        return;
    }
    head = (size_t)(newline + 1 - request.text);
    if (request.length - head < count) {
        *newline = '\n'; /* the rest is on its way */
        return;
    }
    request.open = false;
    request.text[head + count] = '\0';
    serve(nonce, verb, newline + 1);
}

static void read_port(void)
{
    char text[256];
    ssize_t got;

    while ((got = read(port, text, sizeof(text))) > 0) {
        for (ssize_t i = 0; i < got; i++) {
            if (text[i] == FRAME_START) {
                request.open = true;
                request.length = 0;
            } else if (request.open && request.length < REQUEST_MAX) {
                request.text[request.length++] = text[i];
                try_request();
            }
        }
    }
}

/* ---- the loop ---- */

/* As init, every orphan's end comes here too. */
static void reap(void)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == job.pid) {
            finish_job(status);
        } else if (pid == load.pid) {
            load.pid = 0;
            load.state = WIFEXITED(status) && WEXITSTATUS(status) == 0 ? "done" : "killed";
        }
    }
}

static void wake(int signal)
{
    (void)signal;
}

int main(void)
{
    struct sigaction on_child = {.sa_handler = wake};
    sigset_t blocked, while_waiting;
    int64_t next_report = uptime_msec();
    int reports;

    set_oom_score("-1000");
    mlockall(MCL_CURRENT | MCL_FUTURE);
    port = open_port("/dev/ttyS1");
    reports = open_port("/dev/ttyS2");

    /* A child's end is noticed in ppoll only: none is missed between reap and sleep. */
    sigaction(SIGCHLD, &on_child, NULL);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGCHLD);
    sigprocmask(SIG_BLOCK, &blocked, &while_waiting);
    sigdelset(&while_waiting, SIGCHLD);

    for (;;) {
        struct pollfd wait_for[] = {
            {.fd = port, .events = POLLIN},
            {.fd = job.output, .events = POLLIN}, /* -1 is passed over */
        };
        int64_t left;
        struct timespec timeout;

        reap();
        if (uptime_msec() >= next_report) {
            write_report(reports);
            while (next_report <= uptime_msec())
                next_report += REPORT_MSEC;
        }
        if (reply.sent < reply.length)
            wait_for[0].events |= POLLOUT;
        left = next_report - uptime_msec();
        timeout = (struct timespec){.tv_nsec = left > 0 ? left * 1000000 : 0};
        if (ppoll(wait_for, 2, &timeout, &while_waiting) <= 0)
            continue;
        if (wait_for[0].revents & POLLIN)
            read_port();
        if (wait_for[0].revents & POLLOUT)
            send_reply();
        if (wait_for[1].revents && job.output >= 0)
            read_output();
    }
}
