/* test_frame.c - what stands on the screen, for screens of all sizes. */
#include "frame.h"

#include "sample.h"
#include "support.h"
#include "text.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

static const struct status_source running = {
    .pid = 4711,
    .is_running = true,
    .written_sec = SAMPLE_WRITTEN_SEC,
    .alive_sec = SAMPLE_WRITTEN_SEC,
    .now_sec = SAMPLE_WRITTEN_SEC + 1,
};

/* The frame of SAMPLE; to be freed. */
static char *drawn(const struct sample *sample, const struct status_source *source,
                   const struct frame_style *style)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    ck_assert_int_eq(frame_write(out, &sample->view, source, style), 0);
    fclose(out);
    return text;
}

START_TEST(draws_a_bar_for_each_guest)
{
    struct frame_style style = {.columns = 80, .lines = 16};
    struct sample sample;
    sample_make(&sample);
    char *text = drawn(&sample, &running, &style);
    ck_assert_str_eq(
        text, "qemu:///system                                      8 guests, every 2 s, 1 s ago\n"
              "host  #######################################======----------------------------~\n"
              "      high  6321.0 of 16000.0 MiB available; pool 8600.0, promised 8494.9, leve~\n"
              "\n"
              "aos_vm1           ######--.|.....................   512.0 of 2048.0  ^ growing\n"
              "aos_vm2           ###===------|-.................   900.5 of 2048.0  v giving\n"
              "aos_vm10          ###---.........................   402.4 of 2048.0    balanced\n"
              "databas~-primary  #########......................  1200.0 of 4096.0    starving\n"
              "passthrough       :::::::::::::::::::::::::::::::  2048.0 of 2048.0    held\n"
              "web1              #########=------...............   512.0 of 1024.0    held\n"
              "web2              :::::::::::::::::::::..........   700.0 of 1024.0    unmanaged\n"
              "windows           :::::::::::::::::::::::........  1500.0 of 2048.0    stuck\n"
              "\n"
              "\n"
              "\n"
              "# needed  = cache  - unused  . ballooned  | target                     q ends it");
    free(text);
}
END_TEST

START_TEST(says_why_where_there_is_room)
{
    struct frame_style style = {.columns = 150, .lines = 16};
    struct sample sample;
    sample_make(&sample);
    char *text = drawn(&sample, &running, &style);
    ck_assert_ptr_nonnull(strstr(text, "v giving     others need it more: 690.5 of 192.4; in s"));
    ck_assert_ptr_nonnull(strstr(text, "  host: # guests  = others  - available  ~ reserve  "));
    free(text);
}
END_TEST

START_TEST(shows_the_neediest_where_not_all_fit)
{
    struct frame_style style = {.columns = 60, .lines = 7};
    struct sample sample;
    sample_make(&sample);
    char *text = drawn(&sample, &running, &style);
    const char *guests = strstr(text, "\ndatab~rimary ");
    ck_assert_msg(guests != NULL, "%s", text);
    guests = strstr(guests, "\nwindows ");
    ck_assert_ptr_nonnull(guests);
    guests = strstr(guests, "\naos_vm1 ");
    ck_assert_ptr_nonnull(guests);
    ck_assert_ptr_nonnull(strstr(guests, "\nand 5 more, who are better off"));
    free(text);
}
END_TEST

START_TEST(warns)
{
    struct frame_style style = {.columns = 60, .lines = 20};
    struct status_source gone = running;
    struct sample sample;
    sample_make(&sample);
    sample.view.is_dry_run = true;
    sample.snapshot.host.has_memory = false;
    sample.snapshot.count = 0;
    gone.is_running = false;
    char *text = drawn(&sample, &gone, &style);
    ck_assert_ptr_nonnull(
        strstr(text, "\nNO COORDINATOR RUNS any more: this is its last state, 1 s "));
    ck_assert_ptr_nonnull(strstr(text, "\nDRY RUN: "));
    ck_assert_ptr_nonnull(strstr(text, "\nhost  does not say what memory it has"));
    ck_assert_ptr_nonnull(strstr(text, "\nno running domains\n"));
    free(text);
}
END_TEST

/* Takes the ANSI sequences out. */
static void strip(char *text)
{
    char *to = text;
    while (*text != '\0') {
        if (*text == '\033')
            text = strchr(text, 'm') + 1;
        else
            *to++ = *text++;
    }
    *to = '\0';
}

static void expect_within(const struct sample *sample, const struct frame_style *style)
{
    size_t lines = 0;
    char *text = drawn(sample, &running, style);
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) != NULL; lines++)
        ck_assert_msg(text_columns(line) <= style->columns, "%zux%zu: '%s'", style->columns,
                      style->lines, line);
    ck_assert_uint_le(lines, style->lines);
    free(text);
}

START_TEST(fits_every_screen)
{
    struct sample sample;
    sample_make(&sample);
    sample.view.is_paused = true;
    ck_assert_ptr_nonnull(setlocale(LC_CTYPE, "C.UTF-8"));
    for (size_t columns = 1; columns < 220; columns += columns < 60 ? 1 : 7)
        for (size_t lines = 1; lines < 30; lines++)
            for (int unicode = 0; unicode < 2; unicode++)
                expect_within(&sample, &(struct frame_style){.columns = columns,
                                                             .lines = lines,
                                                             .is_unicode = unicode != 0});
    setlocale(LC_CTYPE, "C");
}
END_TEST

START_TEST(is_the_same_in_colour)
{
    struct sample sample;
    sample_make(&sample);
    for (size_t columns = 30; columns < 160; columns += 13) {
        struct frame_style style = {.columns = columns, .lines = 16};
        char *plain = drawn(&sample, &running, &style);
        style.is_coloured = true;
        char *coloured = drawn(&sample, &running, &style);
        ck_assert_ptr_null(strchr(plain, '\033'));
        ck_assert_ptr_nonnull(strstr(coloured, "\033[1;31m  starving"));
        strip(coloured);
        ck_assert_str_eq(coloured, plain);
        free(plain);
        free(coloured);
    }
}
END_TEST

/* Any figures make some bar. */
START_TEST(survives_any_figures)
{
    uint64_t random = test_seed();
    struct frame_style style = {.columns = 100, .lines = 16};
    for (int round = 0; round < 300; round++) {
        struct sample sample;
        sample_make(&sample);
        for (size_t i = 0; i < SAMPLE_GUESTS; i++) {
            sample.domains[i].max_kib = random_next(&random) >> (round % 64);
            sample.domains[i].actual_kib.value = random_next(&random) >> (round % 64);
            sample.domains[i].rss_kib.value = random_next(&random);
            sample.decisions[i].target_kib = random_next(&random) >> (round % 64);
            sample.decisions[i].claimed_kib = random_next(&random) >> (round % 64);
            sample.decisions[i].used_kib = random_next(&random) >> (round % 64);
        }
        sample.snapshot.host.available_kib = random_next(&random) >> (round % 64);
        sample.snapshot.host.total_kib = random_next(&random) >> (round % 64);
        expect_within(&sample, &style);
    }
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("frame");
    TCase *cases = tcase_create("frame");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, draws_a_bar_for_each_guest);
    tcase_add_test(cases, says_why_where_there_is_room);
    tcase_add_test(cases, shows_the_neediest_where_not_all_fit);
    tcase_add_test(cases, warns);
    tcase_add_test(cases, fits_every_screen);
    tcase_add_test(cases, is_the_same_in_colour);
    tcase_add_test(cases, survives_any_figures);
    suite_add_tcase(suite, cases);
    return suite;
}
