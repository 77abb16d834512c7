/* test_service.c - what a service manager hears: the test is one, with a socket of its own. */
#include "service.h"
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct manager {
    char directory[64];
    struct sockaddr_un address;
    int socket;
    char heard[256];
};

static void forget_manager(void)
{
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

static struct manager *open_manager(void)
{
    struct manager *manager = calloc(1, sizeof(*manager));
    ck_assert_ptr_nonnull(manager);
    forget_manager();
    strcpy(manager->directory, "/tmp/test_service.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(manager->directory));
    manager->address.sun_family = AF_UNIX;
    snprintf(manager->address.sun_path, sizeof(manager->address.sun_path), "%s/notify",
             manager->directory);
    manager->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(
        bind(manager->socket, (const struct sockaddr *)&manager->address, sizeof(manager->address)),
        0);
    setenv("NOTIFY_SOCKET", manager->address.sun_path, 1);
    return manager;
}

static void close_manager(struct manager *manager)
{
    close(manager->socket);
    unlink(manager->address.sun_path);
    rmdir(manager->directory);
    free(manager);
    forget_manager();
}

/* The next message, or "" if there is none. */
static const char *hear(struct manager *manager)
{
    ssize_t length = recv(manager->socket, manager->heard, sizeof(manager->heard) - 1, 0);
    manager->heard[length > 0 ? length : 0] = '\0';
    return manager->heard;
}

static void want_signs_of_life(uint64_t every_usec, pid_t of)
{
    char text[32];
    snprintf(text, sizeof(text), "%ju", (uintmax_t)every_usec);
    setenv("WATCHDOG_USEC", text, 1);
    snprintf(text, sizeof(text), "%d", (int)of);
    setenv("WATCHDOG_PID", text, 1);
}

START_TEST(tells_how_it_goes)
{
    struct manager *manager = open_manager();
    struct service service = service_open();
    ck_assert_str_eq(hear(manager), ""); /* not ready yet */
    service_ready(&service);
    ck_assert_str_eq(hear(manager), "READY=1");
    service_reloading(&service);
    ck_assert_str_eq(hear(manager), "RELOADING=1");
    service_stopping(&service);
    ck_assert_str_eq(hear(manager), "STOPPING=1");
    ck_assert_str_eq(hear(manager), "");
    close_manager(manager);
}
END_TEST

START_TEST(gives_signs_of_life_where_they_are_wanted)
{
    struct manager *manager = open_manager();
    want_signs_of_life(30 * SEC, getpid());
    struct service service = service_open();
    ck_assert_uint_eq(service.pause_usec, 15 * SEC);
    service_alive(&service);
    service_alive(&service);
    ck_assert_str_eq(hear(manager), "WATCHDOG=1");
    ck_assert_str_eq(hear(manager), "WATCHDOG=1");
    ck_assert_str_eq(hear(manager), "");
    close_manager(manager);
}
END_TEST

/* Inherited from a service that has started us, they are meant for it. */
START_TEST(gives_no_signs_of_life_for_others)
{
    struct manager *manager = open_manager();
    struct service service = service_open();
    ck_assert_uint_eq(service.pause_usec, UINT64_MAX);
    service_alive(&service);
    want_signs_of_life(30 * SEC, getppid());
    service = service_open();
    ck_assert_uint_eq(service.pause_usec, UINT64_MAX);
    service_alive(&service);
    ck_assert_str_eq(hear(manager), "");
    close_manager(manager);
}
END_TEST

START_TEST(tells_its_status_when_it_changes)
{
    struct manager *manager = open_manager();
    struct service service = service_open();
    service_status(&service, "4 domains");
    ck_assert_str_eq(hear(manager), "STATUS=4 domains");
    service_status(&service, "4 domains");
    ck_assert_str_eq(hear(manager), "");
    service_status(&service, "4 domains, host soft");
    ck_assert_str_eq(hear(manager), "STATUS=4 domains, host soft");
    service_status(&service, "4 domains");
    ck_assert_str_eq(hear(manager), "STATUS=4 domains");
    close_manager(manager);
}
END_TEST

START_TEST(cuts_a_long_status)
{
    struct manager *manager = open_manager();
    struct service service = service_open();
    char text[4 * SERVICE_STATUS_BYTES];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    service_status(&service, text);
    ck_assert_uint_eq(strlen(hear(manager)), strlen("STATUS=") + SERVICE_STATUS_BYTES - 1);
    service_status(&service, text);
    ck_assert_str_eq(hear(manager), "");
    close_manager(manager);
}
END_TEST

static void tell_everything(struct service *service)
{
    service_ready(service);
    service_reloading(service);
    service_status(service, "status");
    service_alive(service);
    service_stopping(service);
}

START_TEST(tells_nobody_where_there_is_none)
{
    forget_manager();
    want_signs_of_life(30 * SEC, getpid());
    struct service service = service_open();
    ck_assert(!service.is_listening);
    ck_assert_uint_eq(service.pause_usec, UINT64_MAX);
    tell_everything(&service);
    forget_manager();
}
END_TEST

START_TEST(a_manager_that_goes_is_no_harm)
{
    struct manager *manager = open_manager();
    want_signs_of_life(30 * SEC, getpid());
    struct service service = service_open();
    unlink(manager->address.sun_path);
    tell_everything(&service);
    setenv("NOTIFY_SOCKET", "nonsense", 1);
    tell_everything(&service);
    close_manager(manager);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("service");
    TCase *cases = tcase_create("notify");
    tcase_add_test(cases, tells_how_it_goes);
    tcase_add_test(cases, gives_signs_of_life_where_they_are_wanted);
    tcase_add_test(cases, gives_no_signs_of_life_for_others);
    tcase_add_test(cases, tells_its_status_when_it_changes);
    tcase_add_test(cases, cuts_a_long_status);
    tcase_add_test(cases, tells_nobody_where_there_is_none);
    tcase_add_test(cases, a_manager_that_goes_is_no_harm);
    suite_add_tcase(suite, cases);
    return suite;
}
