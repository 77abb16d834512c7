/* test_event_loop.c - what libvirt asks to be called for, through its own functions. */
#include "event_loop.h"
#include "support.h"

#include <libvirt/libvirt.h>
#include <poll.h>
#include <stdbool.h>
#include <unistd.h>

enum { OFTEN = 1000 };

/* Who is called, and what it does then. */
struct callee {
    int calls;
    int events; /* of the last call */
    int frees;
    bool reads; /* a byte from its descriptor */
    bool ends;  /* its own watch */
    int other;  /* ends this descriptor's, too; 0: none */
};

static void set_up(void)
{
    static bool is_registered = false;
    if (!is_registered)
        event_loop_register();
    is_registered = true;
}

static void note_free(void *argument)
{
    struct callee *callee = argument;
    callee->frees++;
}

static void on_ready(int id, int descriptor, int events, void *argument)
{
    struct callee *callee = argument;
    char byte;
    callee->calls++;
    callee->events = events;
    if (callee->reads)
        ck_assert_int_eq(read(descriptor, &byte, 1), 1);
    if (callee->ends)
        ck_assert_int_eq(virEventRemoveHandle(id), 0);
    if (callee->other != 0)
        ck_assert_int_eq(virEventRemoveHandle(callee->other), 0);
    ck_assert_int_eq(callee->frees, 0);
}

static void on_due(int id, void *argument)
{
    struct callee *callee = argument;
    callee->calls++;
    if (callee->ends)
        ck_assert_int_eq(virEventRemoveTimeout(id), 0);
    ck_assert_int_eq(callee->frees, 0);
}

static int watch(int descriptor, int events, struct callee *callee)
{
    int id = virEventAddHandle(descriptor, events, on_ready, callee, note_free);
    ck_assert_int_gt(id, 0);
    return id;
}

static int start(int pause_msec, struct callee *callee)
{
    int id = virEventAddTimeout(pause_msec, on_due, callee, note_free);
    ck_assert_int_gt(id, 0);
    return id;
}

START_TEST(calls_for_what_is_ready_and_waited_for)
{
    int ends[2];
    struct callee reader = {.reads = true};
    struct callee writer = {0};
    ck_assert_int_eq(pipe(ends), 0);
    int read_id = watch(ends[0], VIR_EVENT_HANDLE_READABLE, &reader);
    int write_id = watch(ends[1], 0, &writer);
    event_loop_run();
    ck_assert_int_eq(reader.calls + writer.calls, 0);
    ck_assert_int_eq(write(ends[1], "ab", 2), 2);
    event_loop_run(); /* all there is to do, not only the first of it */
    ck_assert_int_eq(reader.calls, 2);
    ck_assert_int_eq(reader.events, VIR_EVENT_HANDLE_READABLE);
    ck_assert_int_eq(writer.calls, 0);
    virEventUpdateHandle(read_id, 0);
    virEventUpdateHandle(write_id, VIR_EVENT_HANDLE_WRITABLE);
    ck_assert_int_eq(write(ends[1], "c", 1), 1);
    event_loop_run();
    ck_assert_int_eq(reader.calls, 2);
    ck_assert_int_gt(writer.calls, 0);
    ck_assert_int_eq(writer.events, VIR_EVENT_HANDLE_WRITABLE);
    ck_assert_int_eq(virEventRemoveHandle(read_id), 0);
    ck_assert_int_eq(virEventRemoveHandle(write_id), 0);
    event_loop_run();
    ck_assert_int_eq(reader.frees, 1);
    ck_assert_int_eq(writer.frees, 1);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(tells_of_the_other_end_that_is_gone)
{
    int ends[2];
    struct callee reader = {.ends = true};
    ck_assert_int_eq(pipe(ends), 0);
    watch(ends[0], VIR_EVENT_HANDLE_READABLE, &reader);
    close(ends[1]);
    event_loop_run();
    ck_assert_int_eq(reader.calls, 1);
    ck_assert_int_eq(reader.events, VIR_EVENT_HANDLE_HANGUP);
    close(ends[0]);
}
END_TEST

/* Its argument is freed once it has returned, and only once. */
START_TEST(who_is_called_may_end_it)
{
    int ends[2];
    struct callee callee = {.ends = true};
    ck_assert_int_eq(pipe(ends), 0);
    int id = watch(ends[1], VIR_EVENT_HANDLE_WRITABLE, &callee);
    event_loop_run();
    event_loop_run();
    ck_assert_int_eq(callee.calls, 1);
    ck_assert_int_eq(callee.frees, 1);
    ck_assert_int_eq(virEventRemoveHandle(id), -1);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

/* Both are ready: whichever comes first, the other is not called after its end. */
START_TEST(nobody_is_called_after_his_end)
{
    int ends[2];
    struct callee first = {0};
    struct callee second = {0};
    ck_assert_int_eq(pipe(ends), 0);
    int first_id = watch(ends[1], VIR_EVENT_HANDLE_WRITABLE, &first);
    int second_id = watch(ends[1], VIR_EVENT_HANDLE_WRITABLE, &second);
    first = (struct callee){.ends = true, .other = second_id};
    second = (struct callee){.ends = true, .other = first_id};
    event_loop_run();
    ck_assert_int_eq(first.calls + second.calls, 1);
    ck_assert_int_eq(first.frees, 1);
    ck_assert_int_eq(second.frees, 1);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(timers_are_due_after_their_pause)
{
    struct callee now = {.ends = true};
    struct callee later = {.ends = true};
    struct callee again = {0};
    struct callee never = {0};
    start(0, &now);
    int later_id = start(200, &later);
    int again_id = start(200, &again);
    int never_id = start(-1, &never);
    event_loop_run();
    ck_assert_int_eq(now.calls, 1);
    ck_assert_int_eq(now.frees, 1);
    ck_assert_int_eq(later.calls + again.calls, 0);
    poll(NULL, 0, 210);
    event_loop_run();
    event_loop_run();
    ck_assert_int_eq(later.calls, 1);
    ck_assert_int_eq(virEventRemoveTimeout(later_id), -1);
    ck_assert_int_eq(again.calls, 1); /* its pause begins anew */
    poll(NULL, 0, 210);
    virEventUpdateTimeout(again_id, 100000); /* likewise */
    event_loop_run();
    ck_assert_int_eq(again.calls, 1);
    ck_assert_int_eq(virEventRemoveTimeout(again_id), 0);
    ck_assert_int_eq(never.calls, 0);
    virEventUpdateTimeout(never_id, 0);
    never.ends = true;
    event_loop_run();
    ck_assert_int_eq(never.calls, 1);
}
END_TEST

/* What is always due keeps nobody for ever. */
START_TEST(comes_to_an_end)
{
    struct callee callee = {0};
    int id = start(0, &callee);
    event_loop_run();
    ck_assert_int_gt(callee.calls, 0);
    ck_assert_int_lt(callee.calls, OFTEN);
    ck_assert_int_eq(virEventRemoveTimeout(id), 0);
    event_loop_run();
    ck_assert_int_eq(callee.frees, 1);
}
END_TEST

/* Refused where there is no room, and room again once they are freed. */
START_TEST(has_room_for_some)
{
    struct callee callee = {0};
    int ids[OFTEN];
    for (int round = 0; round < 2; round++) {
        size_t count = 0;
        while (count < OFTEN &&
               (ids[count] = virEventAddTimeout(-1, on_due, &callee, note_free)) > 0)
            count++;
        ck_assert_uint_gt(count, 10);
        ck_assert_uint_lt(count, OFTEN);
        for (size_t i = 0; i < count; i++)
            ck_assert_int_eq(virEventRemoveTimeout(ids[i]), 0);
        event_loop_run();
        ck_assert_int_eq(callee.frees, (int)count * (round + 1));
    }
}
END_TEST

/* A number is never another's: who is late with its end ends nobody else's. */
START_TEST(numbers_are_not_used_again)
{
    struct callee callee = {0};
    int old = start(-1, &callee);
    ck_assert_int_eq(virEventRemoveTimeout(old), 0);
    event_loop_run();
    int new = start(-1, &callee);
    ck_assert_int_ne(old, new);
    ck_assert_int_eq(virEventRemoveTimeout(old), -1);
    ck_assert_int_eq(virEventRemoveHandle(new), -1); /* it is none */
    ck_assert_int_eq(virEventRemoveTimeout(new), 0);
    event_loop_run();
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("event_loop");
    TCase *cases = tcase_create("event_loop");
    tcase_add_checked_fixture(cases, set_up, NULL);
    tcase_add_test(cases, calls_for_what_is_ready_and_waited_for);
    tcase_add_test(cases, tells_of_the_other_end_that_is_gone);
    tcase_add_test(cases, who_is_called_may_end_it);
    tcase_add_test(cases, nobody_is_called_after_his_end);
    tcase_add_test(cases, timers_are_due_after_their_pause);
    tcase_add_test(cases, comes_to_an_end);
    tcase_add_test(cases, has_room_for_some);
    tcase_add_test(cases, numbers_are_not_used_again);
    suite_add_tcase(suite, cases);
    return suite;
}
