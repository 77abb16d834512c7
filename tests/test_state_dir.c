/* test_state_dir.c - the state directory: who is kept out, and that files are whole or not there.
 */
#include "state_dir.h"
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define URI       "qemu:///system"
#define LOCK_NAME "qemu%3A%2F%2F%2Fsystem.lock"

enum { NOBODY = 65534, BIG_BYTES = 256 * 1024 };

/* A directory of the test's own, and the state directory in it. */
struct bench {
    char top[64];
    char path[96];
    char error[STATE_DIR_ERROR_BYTES];
    struct state_dir dir;
};

static struct bench *open_bench(void)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    ck_assert_ptr_nonnull(bench);
    strcpy(bench->top, "/tmp/test_state_dir.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(bench->top));
    ck_assert_int_eq(chmod(bench->top, 0755), 0);
    snprintf(bench->path, sizeof(bench->path), "%s/state", bench->top);
    bench->dir = STATE_DIR_NONE;
    return bench;
}

static void close_bench(struct bench *bench)
{
    char command[160];
    state_dir_release(&bench->dir);
    snprintf(command, sizeof(command), "rm -rf '%s'", bench->top);
    ck_assert_int_eq(system(command), 0);
    free(bench);
}

static int claim(struct bench *bench, const char *uri)
{
    return state_dir_claim(bench->path, uri, &bench->dir, bench->error);
}

/* One whose state directory is claimed. */
static struct bench *open_claimed(void)
{
    struct bench *bench = open_bench();
    ck_assert_msg(claim(bench, URI) == 0, "%s", bench->error);
    return bench;
}

/* Where NAME of the state directory is. */
static const char *inside(const struct bench *bench, const char *name)
{
    static char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", bench->path, name);
    return path;
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
}

static void expect_text(const char *path, const char *text)
{
    char found[256] = "";
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "no %s", path);
    found[fread(found, 1, sizeof(found) - 1, file)] = '\0';
    fclose(file);
    ck_assert_str_eq(found, text);
}

static int write_text(const struct bench *bench, const char *name, const char *text)
{
    return state_dir_write(&bench->dir, name, text, strlen(text));
}

static int write_big(const struct bench *bench, const char *name)
{
    static const char zeros[BIG_BYTES];
    return state_dir_write(&bench->dir, name, zeros, sizeof(zeros));
}

static size_t count_entries(const char *path)
{
    size_t count = 0;
    DIR *directory = opendir(path);
    ck_assert_ptr_nonnull(directory);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count - 2; /* "." and ".." */
}

/* That a failure has left of the directory's files the old one, and nothing beside it. */
static void expect_only_old(const struct bench *bench, const char *name, const char *text)
{
    expect_text(inside(bench, name), text);
    ck_assert_uint_eq(count_entries(bench->path), 2); /* it, and the lock */
}

/* What changes a process for good takes place in one of its own. */
static void in_child(void (*body)(struct bench *bench), struct bench *bench)
{
    int status;
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        body(bench);
        free(bench); /* valgrind looks at each process */
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

/* Another coordinator: claims, says so through the pipe, and lives until it is killed. */
static pid_t start_holder(const struct bench *bench, const char *uri)
{
    int ends[2];
    char byte;
    ck_assert_int_eq(pipe(ends), 0);
    pid_t holder = fork();
    ck_assert_int_ge(holder, 0);
    if (holder == 0) {
        struct bench own = *bench;
        own.dir = STATE_DIR_NONE;
        if (claim(&own, uri) == 0 && write(ends[1], "x", 1) == 1)
            for (;;)
                pause();
        _exit(1);
    }
    close(ends[1]);
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    return holder;
}

static void kill_holder(pid_t holder)
{
    ck_assert_int_eq(kill(holder, SIGKILL), 0);
    ck_assert_int_eq(waitpid(holder, NULL, 0), holder);
}

static void expect_busy(struct bench *bench, const char *uri, pid_t holder)
{
    char want[STATE_DIR_ERROR_BYTES];
    snprintf(want, sizeof(want), "already running for '%s' with pid %d", uri, (int)holder);
    ck_assert_int_eq(claim(bench, uri), -EBUSY);
    ck_assert_str_eq(bench->error, want);
    ck_assert_int_eq(bench->dir.directory, -1);
    ck_assert_int_eq(bench->dir.lock, -1);
}

/* ---- the directory ---- */

static mode_t mode_of(const char *path)
{
    struct stat status;
    ck_assert_int_eq(lstat(path, &status), 0);
    return status.st_mode & 07777;
}

START_TEST(makes_the_directory_for_itself_and_its_group)
{
    mode_t mask = umask(0);
    struct bench *bench = open_claimed();
    umask(mask);
    ck_assert_uint_eq(mode_of(bench->path), 0750);
    ck_assert_uint_eq(mode_of(inside(bench, LOCK_NAME)), 0640);
    close_bench(bench);
}
END_TEST

START_TEST(makes_no_more_than_the_last_component)
{
    struct bench *bench = open_bench();
    strcat(bench->path, "/deeper");
    ck_assert_int_eq(claim(bench, URI), -ENOENT);
    ck_assert_ptr_nonnull(strstr(bench->error, bench->path));
    ck_assert_uint_eq(count_entries(bench->top), 0);
    close_bench(bench);
}
END_TEST

/* The kernel's own trees take none: EPERM, which must not pass for a hostile directory. */
START_TEST(a_place_for_no_directory_is_no_attack)
{
    struct bench *bench = open_bench();
    strcpy(bench->path, "/sys/memory_coordinator");
    int result = claim(bench, URI);
    ck_assert_int_lt(result, 0);
    ck_assert_int_ne(result, -EPERM);
    ck_assert_ptr_nonnull(strstr(bench->error, bench->path));
    close_bench(bench);
}
END_TEST

static void plant_link(const struct bench *bench)
{
    char real[128];
    snprintf(real, sizeof(real), "%s/real", bench->top);
    ck_assert_int_eq(mkdir(real, 0750), 0);
    ck_assert_int_eq(symlink(real, bench->path), 0);
}

static void plant_link_with_slash(const struct bench *bench)
{
    plant_link(bench);
    strcat((char *)bench->path, "//");
}

static void plant_dangling_link(const struct bench *bench)
{
    ck_assert_int_eq(symlink("nowhere", bench->path), 0);
}

static void plant_file(const struct bench *bench)
{
    put(bench->path, "");
}

static void plant_open_to_group(const struct bench *bench)
{
    ck_assert_int_eq(mkdir(bench->path, 0700), 0);
    ck_assert_int_eq(chmod(bench->path, 0770), 0);
}

static void plant_open_to_all(const struct bench *bench)
{
    ck_assert_int_eq(mkdir(bench->path, 0700), 0);
    ck_assert_int_eq(chmod(bench->path, 01702), 0);
}

static const struct {
    void (*plant)(const struct bench *bench);
    const char *reason;
} hostile[] = {
    {plant_link, "symbolic link"},          {plant_link_with_slash, "symbolic link"},
    {plant_dangling_link, "symbolic link"}, {plant_file, "not a directory"},
    {plant_open_to_group, "mode 0770"},     {plant_open_to_all, "mode 1702"},
};

START_TEST(refuses_a_hostile_directory)
{
    struct bench *bench = open_bench();
    char named[112];
    snprintf(named, sizeof(named), "'%s'", bench->path);
    hostile[_i].plant(bench);
    ck_assert_int_eq(claim(bench, URI), -EPERM);
    ck_assert_msg(strstr(bench->error, named) != NULL, "no %s in: %s", named, bench->error);
    ck_assert_msg(strstr(bench->error, hostile[_i].reason) != NULL, "%s", bench->error);
    ck_assert_ptr_null(strchr(bench->error, '\n'));
    ck_assert_int_eq(bench->dir.directory, -1);
    close_bench(bench);
}
END_TEST

START_TEST(refuses_somebody_elses_directory)
{
    struct bench *bench = open_bench();
    ck_assert_int_eq(mkdir(bench->path, 0750), 0);
    ck_assert_int_eq(chown(bench->path, NOBODY, NOBODY), 0);
    ck_assert_int_eq(claim(bench, URI), -EPERM);
    ck_assert_msg(strstr(bench->error, "belongs to nobody") != NULL, "%s", bench->error);
    ck_assert_uint_eq(count_entries(bench->path), 0);
    close_bench(bench);
}
END_TEST

static void become_nobody(void)
{
    ck_assert_int_eq(setgid(NOBODY), 0);
    ck_assert_int_eq(setuid(NOBODY), 0);
}

static void claim_roots(struct bench *bench)
{
    become_nobody();
    ck_assert_int_eq(claim(bench, URI), -EACCES);
    ck_assert_msg(strstr(bench->error, bench->path) != NULL, "%s", bench->error);
}

/* Root is trusted, but what it does not let us do we cannot do; that is no attack. */
START_TEST(a_user_can_do_nothing_in_roots_directory)
{
    struct bench *bench = open_bench();
    ck_assert_int_eq(mkdir(bench->path, 0755), 0);
    in_child(claim_roots, bench);
    close_bench(bench);
}
END_TEST

/* ---- which directory it is ---- */

static int claim_default(struct bench *bench)
{
    return state_dir_claim(NULL, URI, &bench->dir, bench->error);
}

START_TEST(takes_the_first_directory_of_systemd)
{
    struct bench *bench = open_bench();
    char several[256];
    snprintf(several, sizeof(several), "%s:%s/other", bench->path, bench->top);
    setenv("RUNTIME_DIRECTORY", several, 1);
    ck_assert_int_eq(claim_default(bench), 0);
    unsetenv("RUNTIME_DIRECTORY");
    ck_assert_int_eq(access(inside(bench, LOCK_NAME), F_OK), 0);
    ck_assert_uint_eq(count_entries(bench->top), 1);
    close_bench(bench);
}
END_TEST

static void claim_as_user(struct bench *bench)
{
    if (geteuid() == 0)
        become_nobody();
    unsetenv("RUNTIME_DIRECTORY");
    setenv("XDG_RUNTIME_DIR", bench->path, 1);
    ck_assert_msg(claim_default(bench) == 0, "%s", bench->error);
    ck_assert_int_eq(access(inside(bench, "memory_coordinator/" LOCK_NAME), F_OK), 0);
}

static void claim_as_homeless(struct bench *bench)
{
    if (geteuid() == 0)
        become_nobody();
    unsetenv("RUNTIME_DIRECTORY");
    unsetenv("XDG_RUNTIME_DIR");
    ck_assert_int_eq(claim_default(bench), -ENOENT);
    ck_assert_ptr_nonnull(strstr(bench->error, "XDG_RUNTIME_DIR"));
    setenv("XDG_RUNTIME_DIR", "relative", 1); /* by its specification as good as not set */
    ck_assert_int_eq(claim_default(bench), -ENOENT);
    ck_assert_ptr_nonnull(strstr(bench->error, "XDG_RUNTIME_DIR"));
    setenv("XDG_RUNTIME_DIR", "/nonexistent", 1);
    ck_assert_int_eq(claim_default(bench), -ENOENT);
    ck_assert_ptr_nonnull(strstr(bench->error, "/nonexistent/memory_coordinator"));
}

START_TEST(takes_the_users_runtime_directory)
{
    struct bench *bench = open_bench();
    ck_assert_int_eq(mkdir(bench->path, 0700), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(chown(bench->path, NOBODY, NOBODY), 0);
    in_child(claim_as_user, bench);
    close_bench(bench);
}
END_TEST

START_TEST(says_that_there_is_no_default)
{
    struct bench *bench = open_bench();
    in_child(claim_as_homeless, bench);
    close_bench(bench);
}
END_TEST

/* ---- one at a time ---- */

START_TEST(names_the_pid_of_the_first)
{
    struct bench *bench = open_bench();
    pid_t holder = start_holder(bench, URI);
    expect_busy(bench, URI, holder);
    expect_busy(bench, URI, holder); /* to ask does not take the lock from it */
    kill_holder(holder);
    close_bench(bench);
}
END_TEST

START_TEST(a_stale_lock_is_no_obstacle)
{
    struct bench *bench = open_bench();
    char want[64];
    kill_holder(start_holder(bench, URI));
    put(inside(bench, LOCK_NAME), "1 and more text than the next will write, much more\n");
    ck_assert_int_eq(claim(bench, URI), 0);
    snprintf(want, sizeof(want), "%d " URI "\n", (int)getpid());
    expect_text(inside(bench, LOCK_NAME), want);
    close_bench(bench);
}
END_TEST

START_TEST(a_lock_given_back_is_free)
{
    struct bench *bench = open_claimed();
    state_dir_release(&bench->dir);
    ck_assert_int_eq(bench->dir.lock, -1);
    kill_holder(start_holder(bench, URI));
    close_bench(bench);
}
END_TEST

static void claim_and_leave_a_child(struct bench *bench)
{
    ck_assert_int_eq(claim(bench, URI), 0);
    pid_t child = fork();
    if (child == 0)
        for (;;)
            pause();
    char text[32];
    snprintf(text, sizeof(text), "%d", (int)child);
    ck_assert_int_eq(write_text(bench, "child", text), 0);
}

/* A child of the coordinator that outlives it for a moment. */
START_TEST(a_child_does_not_inherit_the_lock)
{
    struct bench *bench = open_bench();
    int child;
    in_child(claim_and_leave_a_child, bench);
    FILE *file = fopen(inside(bench, "child"), "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%d", &child), 1);
    fclose(file);
    ck_assert_int_eq(kill(child, 0), 0);
    ck_assert_int_eq(claim(bench, URI), 0);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    close_bench(bench);
}
END_TEST

static const struct {
    const char *first;
    const char *second;
} apart[] = {
    {"qemu:///system", "qemu:///session"},
    {"a/b", "a%2Fb"},
    {"qemu:///system?socket=/a b", "qemu:///system?socket=/a_b"},
};

START_TEST(connections_do_not_exclude_each_other)
{
    struct bench *bench = open_bench();
    pid_t holder = start_holder(bench, apart[_i].first);
    ck_assert_msg(claim(bench, apart[_i].second) == 0, "%s", bench->error);
    kill_holder(holder);
    close_bench(bench);
}
END_TEST

/* Longer than a file name can be, and different only at its end. */
START_TEST(long_connections_are_told_apart)
{
    struct bench *bench = open_bench();
    char first[1024];
    char second[1024];
    memset(first, '/', sizeof(first));
    first[sizeof(first) - 1] = '\0';
    strcpy(second, first);
    second[sizeof(second) - 2] = 'x';
    pid_t holder = start_holder(bench, first);
    ck_assert_int_eq(claim(bench, first), -EBUSY);
    ck_assert_msg(claim(bench, second) == 0, "%s", bench->error);
    kill_holder(holder);
    close_bench(bench);
}
END_TEST

/* Root beside the service, whose user has the directory. */
START_TEST(tells_root_that_the_service_runs)
{
    struct bench *bench = open_bench();
    ck_assert_int_eq(mkdir(bench->path, 0750), 0);
    pid_t holder = start_holder(bench, URI);
    ck_assert_int_eq(chown(bench->path, NOBODY, NOBODY), 0);
    expect_busy(bench, URI, holder);
    kill_holder(holder);
    ck_assert_int_eq(claim(bench, URI), -EPERM);
    close_bench(bench);
}
END_TEST

static void plant_lock_link(const struct bench *bench)
{
    ck_assert_int_eq(symlink("../victim", inside(bench, LOCK_NAME)), 0);
}

static void plant_lock_pipe(const struct bench *bench)
{
    ck_assert_int_eq(mkfifo(inside(bench, LOCK_NAME), 0600), 0);
}

static void plant_lock_directory(const struct bench *bench)
{
    ck_assert_int_eq(mkdir(inside(bench, LOCK_NAME), 0700), 0);
}

static void (*const planted_locks[])(const struct bench *bench) = {
    plant_lock_link,
    plant_lock_pipe,
    plant_lock_directory,
};

START_TEST(refuses_what_is_no_lock_file)
{
    struct bench *bench = open_bench();
    char victim[128];
    snprintf(victim, sizeof(victim), "%s/victim", bench->top);
    put(victim, "precious");
    ck_assert_int_eq(mkdir(bench->path, 0750), 0);
    planted_locks[_i](bench);
    ck_assert_int_eq(claim(bench, URI), -EPERM);
    ck_assert_ptr_nonnull(strstr(bench->error, bench->path));
    ck_assert_ptr_nonnull(strstr(bench->error, LOCK_NAME));
    expect_text(victim, "precious");
    close_bench(bench);
}
END_TEST

/* ---- files ---- */

START_TEST(writes_and_replaces)
{
    mode_t mask = umask(0);
    struct bench *bench = open_claimed();
    ck_assert_int_eq(write_text(bench, "state", "the first, and longer"), 0);
    expect_only_old(bench, "state", "the first, and longer");
    ck_assert_int_eq(write_text(bench, "state", "the second"), 0);
    expect_only_old(bench, "state", "the second");
    ck_assert_uint_eq(mode_of(inside(bench, "state")), 0640);
    ck_assert_int_eq(state_dir_write(&bench->dir, "state", NULL, 0), 0);
    expect_only_old(bench, "state", "");
    umask(mask);
    close_bench(bench);
}
END_TEST

START_TEST(a_reader_keeps_the_old_file)
{
    struct bench *bench = open_claimed();
    char text[8] = "";
    ck_assert_int_eq(write_text(bench, "state", "old"), 0);
    int reader = open(inside(bench, "state"), O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(write_text(bench, "state", "new"), 0);
    ck_assert_int_eq(read(reader, text, sizeof(text)), 3);
    ck_assert_str_eq(text, "old");
    close(reader);
    close_bench(bench);
}
END_TEST

static const struct {
    const char *name;
    int want;
} names[] = {
    {"", -EINVAL},    {".", -EINVAL},        {"..", -EINVAL},
    {"a/b", -EINVAL}, {"../state", -EINVAL}, {"/etc/passwd", -EINVAL},
};

START_TEST(takes_plain_names_only)
{
    struct bench *bench = open_claimed();
    ck_assert_int_eq(write_text(bench, names[_i].name, "x"), names[_i].want);
    ck_assert_uint_eq(count_entries(bench->path), 1);
    close_bench(bench);
}
END_TEST

START_TEST(takes_names_as_long_as_leaves_room)
{
    struct bench *bench = open_claimed();
    char name[NAME_MAX + 1];
    memset(name, 'n', NAME_MAX);
    name[NAME_MAX] = '\0';
    ck_assert_int_eq(write_text(bench, name, "x"), -ENAMETOOLONG);
    name[NAME_MAX - 5] = '\0';
    ck_assert_int_eq(write_text(bench, name, "x"), 0);
    close_bench(bench);
}
END_TEST

/* What is planted at the target's or the temporary's name, to have another file written. */
static const struct {
    const char *name;
    const char *target;
} links[] = {
    {"state", "../victim"},
    {"state", "../nowhere"},
    {".state.new", "../victim"},
    {".state.new", "../nowhere"},
};

START_TEST(follows_no_planted_link)
{
    struct bench *bench = open_claimed();
    char victim[128];
    struct stat status;
    snprintf(victim, sizeof(victim), "%s/victim", bench->top);
    put(victim, "precious");
    ck_assert_int_eq(symlink(links[_i].target, inside(bench, links[_i].name)), 0);
    ck_assert_int_eq(write_text(bench, "state", "ours"), 0);
    expect_text(victim, "precious");
    ck_assert_uint_eq(count_entries(bench->top), 2);
    expect_only_old(bench, "state", "ours");
    ck_assert_int_eq(lstat(inside(bench, "state"), &status), 0);
    ck_assert(S_ISREG(status.st_mode));
    close_bench(bench);
}
END_TEST

/* A hard link to a file of somebody's is parted from it, not written through. */
START_TEST(writes_through_no_hard_link)
{
    struct bench *bench = open_claimed();
    char victim[128];
    snprintf(victim, sizeof(victim), "%s/victim", bench->top);
    put(victim, "precious");
    ck_assert_int_eq(link(victim, inside(bench, ".state.new")), 0);
    ck_assert_int_eq(link(victim, inside(bench, "state")), 0);
    ck_assert_int_eq(write_text(bench, "state", "ours"), 0);
    expect_text(victim, "precious");
    expect_only_old(bench, "state", "ours");
    close_bench(bench);
}
END_TEST

START_TEST(what_a_crash_has_left_is_no_obstacle)
{
    struct bench *bench = open_claimed();
    put(inside(bench, ".state.new"), "half of what was to be wri");
    ck_assert_int_eq(write_text(bench, "state", "whole"), 0);
    expect_only_old(bench, "state", "whole");
    close_bench(bench);
}
END_TEST

START_TEST(a_directory_in_the_way_is_a_failure)
{
    struct bench *bench = open_claimed();
    ck_assert_int_eq(mkdir(inside(bench, "state"), 0700), 0);
    ck_assert_int_eq(write_text(bench, "state", "x"), -EISDIR);
    ck_assert_uint_eq(count_entries(bench->path), 2);
    ck_assert_int_eq(mkdir(inside(bench, ".other.new"), 0700), 0);
    ck_assert_int_eq(write_text(bench, "other", "x"), -EEXIST);
    close_bench(bench);
}
END_TEST

/* Once claimed it is known by its descriptor, whatever its name comes to mean. */
START_TEST(stays_in_the_directory_it_has_claimed)
{
    struct bench *bench = open_claimed();
    char away[128];
    char trap[128];
    snprintf(away, sizeof(away), "%s/away", bench->top);
    snprintf(trap, sizeof(trap), "%s/trap", bench->top);
    ck_assert_int_eq(mkdir(trap, 0700), 0);
    ck_assert_int_eq(rename(bench->path, away), 0);
    ck_assert_int_eq(symlink(trap, bench->path), 0);
    ck_assert_int_eq(write_text(bench, "state", "ours"), 0);
    ck_assert_uint_eq(count_entries(trap), 0);
    strcpy(bench->path, away);
    expect_only_old(bench, "state", "ours");
    close_bench(bench);
}
END_TEST

/* ---- the machine runs out ---- */

static void write_over_the_limit(struct bench *bench)
{
    struct rlimit limit = {.rlim_cur = BIG_BYTES / 2, .rlim_max = RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_int_eq(write_big(bench, "state"), -EFBIG); /* after a short write */
    expect_only_old(bench, "state", "old");
    ck_assert_int_eq(write_text(bench, "state", "next"), 0);
}

START_TEST(a_failed_write_leaves_the_old_file)
{
    struct bench *bench = open_claimed();
    ck_assert_int_eq(write_text(bench, "state", "old"), 0);
    in_child(write_over_the_limit, bench);
    expect_only_old(bench, "state", "next");
    close_bench(bench);
}
END_TEST

/* In a namespace of its own, so that nothing stays mounted. */
static bool mount_small(const char *path)
{
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", "", MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", path, "tmpfs", 0, "size=64k,mode=0750") == 0;
}

static void fill_the_disk(struct bench *bench)
{
    ck_assert(mount_small(bench->path));
    ck_assert_int_eq(claim(bench, URI), 0);
    ck_assert_int_eq(write_text(bench, "state", "old"), 0);
    ck_assert_int_eq(write_big(bench, "state"), -ENOSPC);
    expect_only_old(bench, "state", "old");
    ck_assert_int_eq(write_text(bench, "state", "next"), 0);
    expect_only_old(bench, "state", "next");
}

static void claim_on_full_disk(struct bench *bench)
{
    static const char zeros[BIG_BYTES];
    ck_assert(mount_small(bench->path));
    int filler = open(inside(bench, "filler"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_eq(write(filler, zeros, sizeof(zeros)), 64 * 1024);
    close(filler);
    ck_assert_int_eq(claim(bench, URI), 0); /* its text does not fit, which is only text */
    ck_assert_int_eq(write_text(bench, "state", "x"), -ENOSPC);
    ck_assert_int_eq(access(inside(bench, ".state.new"), F_OK), -1);
}

static void write_to_read_only_disk(struct bench *bench)
{
    ck_assert(mount_small(bench->path));
    ck_assert_int_eq(claim(bench, URI), 0);
    ck_assert_int_eq(write_text(bench, "state", "old"), 0);
    state_dir_release(&bench->dir);
    ck_assert_int_eq(mount("none", bench->path, "", MS_REMOUNT | MS_RDONLY, NULL), 0);
    ck_assert_int_eq(claim(bench, URI), -EROFS);
    ck_assert_ptr_nonnull(strstr(bench->error, bench->path));
    ck_assert_int_eq(mount("none", bench->path, "", MS_REMOUNT, NULL), 0);
    ck_assert_int_eq(claim(bench, URI), 0);
}

static void (*const disks[])(struct bench *bench) = {
    fill_the_disk,
    claim_on_full_disk,
    write_to_read_only_disk,
};

START_TEST(a_disk_that_takes_no_more_is_survived)
{
    struct bench *bench = open_bench();
    ck_assert_int_eq(mkdir(bench->path, 0750), 0);
    in_child(disks[_i], bench);
    close_bench(bench);
}
END_TEST

static void write_without_permission(struct bench *bench)
{
    if (geteuid() == 0)
        become_nobody();
    ck_assert_int_eq(write_text(bench, "state", "x"), -EACCES);
}

START_TEST(a_read_only_directory_is_survived)
{
    struct bench *bench = open_claimed();
    ck_assert_int_eq(write_text(bench, "state", "old"), 0);
    ck_assert_int_eq(chmod(bench->path, 0555), 0);
    in_child(write_without_permission, bench);
    expect_only_old(bench, "state", "old");
    ck_assert_int_eq(chmod(bench->path, 0750), 0);
    close_bench(bench);
}
END_TEST

static size_t count_descriptors(void)
{
    return count_entries("/proc/self/fd");
}

/* From here on only COUNT more can be opened. They are used up, since valgrind minds no limit but
 * the one that it was started with. */
static void leave_descriptors(int count)
{
    struct rlimit limit;
    int last = -1;
    int next;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 64;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while ((next = dup(STDIN_FILENO)) >= 0)
        last = next;
    ck_assert_int_eq(errno, EMFILE);
    for (; count > 0; count--)
        close(last--);
}

static void claim_another(const struct bench *bench, int want)
{
    struct bench other = *bench;
    other.dir = STATE_DIR_NONE;
    ck_assert_int_eq(claim(&other, "another"), want);
    ck_assert_ptr_nonnull(strstr(other.error, bench->path));
}

static void write_without_descriptors(struct bench *bench)
{
    leave_descriptors(0);
    ck_assert_int_eq(write_text(bench, "state", "x"), -EMFILE);
    claim_another(bench, -EMFILE);
}

/* Enough for the directory, not for the lock file. */
static void claim_with_one_descriptor(struct bench *bench)
{
    leave_descriptors(1);
    claim_another(bench, -EMFILE);
}

START_TEST(no_descriptors_are_survived)
{
    struct bench *bench = open_claimed();
    ck_assert_int_eq(write_text(bench, "state", "old"), 0);
    in_child(write_without_descriptors, bench);
    in_child(claim_with_one_descriptor, bench);
    expect_text(inside(bench, "state"), "old");
    close_bench(bench);
}
END_TEST

START_TEST(keeps_no_descriptors)
{
    struct bench *bench = open_bench();
    size_t before = count_descriptors();
    ck_assert_int_eq(mkdir(bench->path, 0770), 0);
    ck_assert_int_eq(chmod(bench->path, 0770), 0);
    ck_assert_int_eq(claim(bench, URI), -EPERM);
    ck_assert_int_eq(chmod(bench->path, 0750), 0);
    plant_lock_link(bench);
    ck_assert_int_eq(claim(bench, URI), -EPERM);
    ck_assert_int_eq(unlink(inside(bench, LOCK_NAME)), 0);
    pid_t holder = start_holder(bench, URI);
    ck_assert_int_eq(claim(bench, URI), -EBUSY);
    kill_holder(holder);
    ck_assert_int_eq(claim(bench, URI), 0);
    ck_assert_int_eq(fcntl(bench->dir.lock, F_GETFD), FD_CLOEXEC);
    ck_assert_int_eq(fcntl(bench->dir.directory, F_GETFD), FD_CLOEXEC);
    ck_assert_int_eq(mkdir(inside(bench, "no"), 0700), 0);
    ck_assert_int_eq(write_text(bench, "no", "x"), -EISDIR);
    ck_assert_int_eq(write_text(bench, "state", "x"), 0);
    ck_assert_uint_eq(count_descriptors(), before + 2);
    state_dir_release(&bench->dir);
    ck_assert_uint_eq(count_descriptors(), before);
    close_bench(bench);
}
END_TEST

START_TEST(without_a_directory_nothing_is_written)
{
    struct state_dir none = STATE_DIR_NONE;
    ck_assert_int_eq(state_dir_write(&none, "state", "x", 1), -EBADF);
    ck_assert_int_eq(access("state", F_OK), -1);
    state_dir_release(&none);
    state_dir_release(&none);
}
END_TEST

/* ---- the suite ---- */

/* Root in a container may not. */
static bool can_mount(void)
{
    int status = 1;
    pid_t child = fork();
    if (child == 0)
        _exit(mount_small("/tmp") ? 0 : 1);
    return waitpid(child, &status, 0) == child && status == 0;
}

START_TEST(knows_what_is_a_shortage)
{
    static const int shortages[] = {-EMFILE, -ENFILE, -ENOMEM};
    static const int others[] = {0, -ENOENT, -EACCES, -EINVAL, -EIO, EMFILE};
    for (size_t i = 0; i < COUNT_OF(shortages); i++)
        ck_assert(state_dir_is_shortage(shortages[i]));
    for (size_t i = 0; i < COUNT_OF(others); i++)
        ck_assert(!state_dir_is_shortage(others[i]));
}
END_TEST

Suite *make_suite(void)
{
    bool with_mounts =
        geteuid() == 0 && can_mount(); /* first: a child of it leaves no suite behind */
    Suite *suite = suite_create("state_dir");
    TCase *directory = tcase_create("directory");
    TCase *lock = tcase_create("lock");
    TCase *files = tcase_create("files");
    TCase *root = tcase_create("as root");
    tcase_add_test(directory, makes_the_directory_for_itself_and_its_group);
    tcase_add_test(directory, makes_no_more_than_the_last_component);
    tcase_add_test(directory, a_place_for_no_directory_is_no_attack);
    tcase_add_loop_test(directory, refuses_a_hostile_directory, 0, COUNT_OF(hostile));
    tcase_add_test(directory, takes_the_first_directory_of_systemd);
    tcase_add_test(directory, takes_the_users_runtime_directory);
    tcase_add_test(directory, says_that_there_is_no_default);
    suite_add_tcase(suite, directory);
    tcase_add_test(lock, names_the_pid_of_the_first);
    tcase_add_test(lock, a_stale_lock_is_no_obstacle);
    tcase_add_test(lock, a_lock_given_back_is_free);
    tcase_add_test(lock, a_child_does_not_inherit_the_lock);
    tcase_add_loop_test(lock, connections_do_not_exclude_each_other, 0, COUNT_OF(apart));
    tcase_add_test(lock, long_connections_are_told_apart);
    tcase_add_loop_test(lock, refuses_what_is_no_lock_file, 0, COUNT_OF(planted_locks));
    suite_add_tcase(suite, lock);
    tcase_add_test(files, writes_and_replaces);
    tcase_add_test(files, a_reader_keeps_the_old_file);
    tcase_add_loop_test(files, takes_plain_names_only, 0, COUNT_OF(names));
    tcase_add_test(files, takes_names_as_long_as_leaves_room);
    tcase_add_loop_test(files, follows_no_planted_link, 0, COUNT_OF(links));
    tcase_add_test(files, writes_through_no_hard_link);
    tcase_add_test(files, what_a_crash_has_left_is_no_obstacle);
    tcase_add_test(files, a_directory_in_the_way_is_a_failure);
    tcase_add_test(files, stays_in_the_directory_it_has_claimed);
    tcase_add_test(files, a_failed_write_leaves_the_old_file);
    tcase_add_test(files, a_read_only_directory_is_survived);
    tcase_add_test(files, no_descriptors_are_survived);
    tcase_add_test(files, keeps_no_descriptors);
    tcase_add_test(files, without_a_directory_nothing_is_written);
    suite_add_tcase(suite, files);
    if (geteuid() == 0) {
        tcase_add_test(root, refuses_somebody_elses_directory);
        tcase_add_test(root, a_user_can_do_nothing_in_roots_directory);
        tcase_add_test(root, tells_root_that_the_service_runs);
        tcase_add_test(root, knows_what_is_a_shortage);
        if (with_mounts)
            tcase_add_loop_test(root, a_disk_that_takes_no_more_is_survived, 0, COUNT_OF(disks));
        suite_add_tcase(suite, root);
    }
    return suite;
}
