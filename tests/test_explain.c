/* test_explain.c - the sentences: exact for typical cases, and sane for every case there can be. */
#include "explain.h"

#include "sample.h"
#include "support.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct status_source running = {
    .pid = 4711,
    .is_running = true,
    .written_sec = SAMPLE_WRITTEN_SEC,
    .alive_sec = SAMPLE_WRITTEN_SEC,
    .now_sec = SAMPLE_WRITTEN_SEC + 1,
};

/* What is said of guest I; to be freed. */
static char *told(const struct sample *sample, size_t i, size_t columns)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    ck_assert_int_eq(explain_write(out, &sample->view, i, &running, columns), 0);
    fclose(out);
    return text;
}

static void expect(const struct sample *sample, size_t i, const char *words)
{
    char *text = told(sample, i, 0);
    char *joined = strdup(text); /* lines are broken anywhere */
    for (char *at = joined; (at = strstr(at, "\n          ")) != NULL;)
        *(char *)memmove(at, at + 10, strlen(at + 10) + 1) = ' ';
    ck_assert_msg(strstr(joined, words) != NULL, "'%s' in:\n%s", words, joined);
    free(joined);
    free(text);
}

START_TEST(explains_one_that_starves)
{
    struct sample sample;
    sample_make(&sample);
    char *text = told(&sample, SAMPLE_STARVING, 80);
    ck_assert_str_eq(
        text, "database-production-eu-west-1-primary is starving (id 4, UUID "
              "44444444-4444-4444-4444-444444444444)\n"
              "qemu:///system, every 2 s, as of 1 s ago, pid 4711\n"
              "\n"
              "Size      It has 1200.0 MiB; the rest of its maximum of 4096.0 MiB is in its\n"
              "          balloon.\n"
              "Report    Its last report was 1 s old when this was decided: 10.0 MiB unused of\n"
              "          the 1130.0 MiB that it sees and 50.0 MiB usable, page cache included.\n"
              "Need      It uses 1190.0 MiB, of which 40.0 MiB are page cache that it could\n"
              "          drop: it needs 1150.0 MiB.\n"
              "Headroom  It should have 192.4 MiB unused: 100.0 MiB that must always be (R),\n"
              "          and 92.4 MiB for what it could suddenly begin to take when the next\n"
              "          decision reaches it, after an interval of 2 s, a report (every 1 s)\n"
              "          and its balloon's way. It has 50.0 MiB: 142.4 MiB too little.\n"
              "Decision  It is starving: less is unused than must always be, or it swaps in, so\n"
              "          it comes before all others that grow. It stays at 1200.0 MiB.\n"
              "Bound     The host's pool held it: no more is there that is promised to nobody\n"
              "          else. It would have had 1342.4 MiB.\n"
              "Change    All would have what they should have if the host had 115.8 MiB more,\n"
              "          or kept so much less in reserve (--host-reserve). More shares give it\n"
              "          a larger part of what is scarce: memory_coordinator set\n"
              "          database-production-eu-west-1-primary shares=2000.\n"
              "Host      The host has 6321.0 MiB of 16000.0 MiB available and has its reserve\n"
              "          (200.0 MiB). All guests together can have 8600.0 MiB, the pool; 8494.9\n"
              "          MiB are promised, the emulators' own memory included, and 105.1 MiB\n"
              "          are free. That leaves each guest 105.5 MiB unused, the level, for\n"
              "          every 1000 shares.\n"
              "Others                                has   unused   should   target  state\n"
              "          windows                  1500.0        -        -   1500.0  stuck\n"
              "          aos_vm1                   512.0    113.9    192.4    590.5  growing\n"
              "          passthrough              2048.0        -        -   2048.0  held\n"
              "          web1                      512.0        -        -    512.0  held\n"
              "          aos_vm2                   900.5    690.5    192.4    816.1  giving\n"
              "          aos_vm10                  402.4    202.4    192.4    402.4  balanced\n"
              "          web2                      700.0        -        -    700.0  unmanaged\n");
    free(text);
}
END_TEST

START_TEST(explains_one_without_news)
{
    struct sample sample;
    sample_make(&sample);
    sample.snapshot.count = SAMPLE_STALE + 1;
    char *text = told(&sample, SAMPLE_STALE, 80);
    ck_assert_ptr_nonnull(strstr(
        text, "Report    Its last report was 20 s old when this was decided: 172.0 MiB unused\n"
              "          of the 442.0 MiB that it sees and 212.0 MiB usable, page cache\n"
              "          included.\n"
              "Decision  Its last report is too old to decide on, and without news nothing is\n"
              "          changed. It stays at 512.0 MiB.\n"
              "Change    A new report; its balloon driver may be gone, or the guest hang.\n"
              "Host      "));
    free(text);
}
END_TEST

START_TEST(tells_what_came_of_the_decision)
{
    struct sample sample;
    sample_make(&sample);
    expect(&sample, SAMPLE_GROWING, "to grow. Its balloon was asked for 590.5 MiB, 78.5 MiB more.");
    expect(&sample, SAMPLE_GROWING, "92.4 MiB for what it will have grown by when");
    expect(&sample, SAMPLE_GROWING, "It grows by 28.0 MiB a second.");
    expect(&sample, SAMPLE_GIVING, "Its balloon was asked for 816.1 MiB, 84.4 MiB less.");
    expect(&sample, SAMPLE_GIVING, "in the end to 402.4 MiB if nothing changes.");
    sample.requests[SAMPLE_GROWING] = COORDINATOR_REFUSED;
    expect(&sample, SAMPLE_GROWING, "The hypervisor has refused to ask it for 590.5 MiB");
    sample.requests[SAMPLE_GROWING] = COORDINATOR_UNANSWERED;
    expect(&sample, SAMPLE_GROWING, "78.5 MiB more; the hypervisor has not answered in time.");
    sample.requests[SAMPLE_GROWING] = COORDINATOR_WITHHELD;
    sample.view.is_paused = true;
    expect(&sample, SAMPLE_GROWING, "78.5 MiB more; the coordinator is paused, nothing is.");
    sample.view.is_dry_run = true;
    expect(&sample, SAMPLE_GROWING, "78.5 MiB more; this is a dry run, nothing is.");
    sample.requests[SAMPLE_GROWING] = COORDINATOR_NONE;
    expect(&sample, SAMPLE_GROWING, "the cycle ended before.");
    sample.snapshot.host.reserved_kib = 600 * MIB;
    sample.view.host.unmet_kib = 100 * MIB;
    expect(&sample, SAMPLE_GROWING,
           "Beside the pool 600.0 MiB are reserved for guests that are to start; 100.0 MiB of that "
           "are not free yet");
}
END_TEST

START_TEST(tells_what_was_reported)
{
    struct sample sample;
    sample_make(&sample);
    struct domain *domain = &sample.domains[SAMPLE_BALANCED];
    expect(&sample, SAMPLE_BALANCED, "that it sees and 202.4 MiB usable, page cache included.");
    domain->usable_kib.value = 100 * MIB;
    expect(&sample, SAMPLE_BALANCED, "and 100.0 MiB usable; its kernel keeps the rest back.");
    domain->usable_kib.known = false;
    expect(&sample, SAMPLE_BALANCED, "that it sees (what is usable it does not say).");
    domain->unused_kib.known = false;
    expect(&sample, SAMPLE_BALANCED, "It has not reported what it uses.");
}
END_TEST

START_TEST(tells_what_is_counted)
{
    struct sample sample;
    sample_make(&sample);
    struct policy_decision *decision = &sample.decisions[SAMPLE_BALANCED];
    uint64_t claimed = decision->claimed_kib;
    struct policy_memory *memory = &sample.memory[SAMPLE_BALANCED];
    decision->needed_kib = memory->steady_kib = claimed + 1;
    expect(&sample, SAMPLE_BALANCED, "it needs 200.0 MiB.\n");
    decision->needed_kib = memory->steady_kib = claimed + 3 * MIB;
    expect(&sample, SAMPLE_BALANCED, "That goes to and fro: 203.0 MiB are counted.");
    decision->needed_kib = memory->steady_kib = claimed - 3 * MIB;
    expect(&sample, SAMPLE_BALANCED, "That goes to and fro: 197.0 MiB are counted.");
    decision->needed_kib = claimed + 3 * MIB;
    expect(&sample, SAMPLE_BALANCED, "Since it swaps in, 203.0 MiB are counted.");
    decision->needed_kib = claimed - 10 * MIB;
    decision->overclaims = true;
    expect(&sample, SAMPLE_BALANCED, "Only 190.0 MiB of that are believed");
}
END_TEST

START_TEST(says_what_to_set)
{
    struct sample sample;
    sample_make(&sample);
    sample.decisions[SAMPLE_GIVING].bound = POLICY_BOUND_MIN;
    expect(&sample, SAMPLE_GIVING, "Its minimum held it: it is not asked to go below.");
    expect(&sample, SAMPLE_GIVING, "That is 200.0 MiB.");
    expect(&sample, SAMPLE_GIVING, "memory_coordinator set aos_vm2 min=SIZE.");
    struct policy_decision *resting = &sample.decisions[SAMPLE_BALANCED];
    resting->min_kib = resting->from_kib;
    resting->unused_kib = resting->headroom_kib + 10 * MIB;
    expect(&sample, SAMPLE_BALANCED, "Its minimum held it: it is not asked to go below.");
    expect(&sample, SAMPLE_BALANCED, "It would give more with a lower minimum");
    sample.decisions[SAMPLE_GROWING].bound = POLICY_BOUND_MAX;
    expect(&sample, SAMPLE_GROWING, "virsh setmaxmem DOMAIN SIZE --config");
    sample.limits[SAMPLE_GROWING].max_kib = 600 * MIB;
    expect(&sample, SAMPLE_GROWING, "memory_coordinator set aos_vm1 max=SIZE.");
    expect(&sample, SAMPLE_UNMANAGED, "memory_coordinator set web2 managed=yes.");
    sample.view.host.pool_kib = 16000 * MIB; /* what is free is enough for all: it is on its way */
    expect(&sample, SAMPLE_STARVING, "It grows as soon as what others give has arrived.");
}
END_TEST

/* Guest 0 with every reason, bound, action and request, and figures as large as they can be. */
START_TEST(has_sane_words_for_every_case)
{
    static const enum policy_action actions[] = {POLICY_HOLD, POLICY_SHRINK, POLICY_GROW};
    struct sample sample;
    sample_make(&sample);
    for (int reason = POLICY_SETTLED; reason <= POLICY_STUCK; reason++) {
        for (int bound = POLICY_UNBOUND; bound <= POLICY_BOUND_HOST; bound++) {
            for (size_t i = 0; i < COUNT_OF(actions); i++) {
                struct policy_decision *decision = &sample.decisions[0];
                decision->reason = (enum policy_reason)reason;
                decision->bound = (enum policy_bound)bound;
                decision->action = actions[i];
                decision->fair_kib = bound % 2 != 0 ? UINT64_MAX - 1 : 0;
                char *text = told(&sample, 0, 80);
                ck_assert_msg(strchr(text, '?') == NULL, "%s", text);
                ck_assert_uint_ge(strlen(text), 900);
                ck_assert_uint_le(strlen(text), 3500);
                ck_assert_ptr_nonnull(strstr(text, "\nDecision  "));
                ck_assert_msg(strstr(text, "\nChange    \n") == NULL, "%s", text);
                for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
                    ck_assert_msg(text_columns(line) <= 80, "%s", line);
                free(text);
            }
        }
    }
}
END_TEST

START_TEST(has_a_text_of_its_own_for_each)
{
    const struct domain domain = {0};
    for (int reason = POLICY_SETTLED; reason <= POLICY_STUCK; reason++) {
        const char *text = explain_reason(&domain, (enum policy_reason)reason);
        ck_assert_uint_ge(strlen(text), 20);
        for (int other = POLICY_SETTLED; other < reason; other++)
            ck_assert_str_ne(text, explain_reason(&domain, (enum policy_reason)other));
    }
    for (int bound = POLICY_UNBOUND; bound <= POLICY_BOUND_HOST; bound++) {
        const char *text = explain_bound((enum policy_bound)bound);
        ck_assert_uint_ge(strlen(text), 20);
        for (int other = POLICY_UNBOUND; other < bound; other++)
            ck_assert_str_ne(text, explain_bound((enum policy_bound)other));
    }
}
END_TEST

/* What of the guest is behind a reason has a text, and an advice, of its own, too. */
START_TEST(tells_what_keeps_a_guest_from_ballooning)
{
    static const struct {
        enum domain_obstacle obstacle;
        const char *decision;
        const char *change;
    } rows[] = {
        {OBSTACLE_NONE, "It has no balloon,", "A virtio balloon in its definition"},
        {OBSTACLE_NO_BALLOON, "It has no balloon,", "A virtio balloon in its definition"},
        {OBSTACLE_VIRTIO_MEM, "It has virtio-mem,", "without <memory model='virtio-mem'>"},
        {OBSTACLE_HUGE_PAGES, "Its memory is in huge pages,", "without <hugepages/>"},
        {OBSTACLE_DEVICE, "A device is passed through to it", "virsh detach-device"},
        {OBSTACLE_ENCRYPTED, "Its memory is encrypted", "without <launchSecurity>"},
        {OBSTACLE_LOCKED, "Its memory is locked,", "without <locked/>"},
    };
    struct sample sample;
    sample_make(&sample);
    sample.domains[SAMPLE_NO_BALLOON].actual_kib.value = 512 * MIB;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        sample.domains[SAMPLE_NO_BALLOON].obstacle = rows[i].obstacle;
        expect(&sample, SAMPLE_NO_BALLOON, rows[i].decision);
        expect(&sample, SAMPLE_NO_BALLOON, rows[i].change);
        expect(&sample, SAMPLE_NO_BALLOON, "It stays at 2048.0 MiB.");
        expect(&sample, SAMPLE_NO_BALLOON,
               "Its balloon leaves it 512.0 MiB; it is counted with its maximum of 2048.0 MiB.");
    }
}
END_TEST

START_TEST(tells_what_a_guest_is_busy_with)
{
    static const struct {
        enum domain_job job;
        const char *decision;
        const char *change;
    } rows[] = {
        {JOB_LEAVES, "It is migrating to another host:", "virsh domjobinfo DOMAIN tells"},
        {JOB_ARRIVES, "It is migrating from another host:", "DOMAIN on the other host tells"},
        {JOB_STARTS, "It is being started:", "The end of that;"},
        {JOB_SAVES, "Its state is being saved,", "The end of that;"},
    };
    struct sample sample;
    sample_make(&sample);
    sample.decisions[SAMPLE_STALE].reason = POLICY_BUSY;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        sample.domains[SAMPLE_STALE].job = rows[i].job;
        expect(&sample, SAMPLE_STALE, rows[i].decision);
        expect(&sample, SAMPLE_STALE, rows[i].change);
    }
    sample.requests[SAMPLE_GROWING] = COORDINATOR_WITHHELD;
    expect(&sample, SAMPLE_GROWING, "it has turned out to be busy, with a migration or the like,");
}
END_TEST

START_TEST(is_brief_about_the_others)
{
    struct sample sample;
    sample_make(&sample);
    sample.snapshot.count = 1;
    char *text = told(&sample, 0, 0);
    ck_assert_ptr_null(strstr(text, "\nOthers"));
    free(text);
    struct domain many[SAMPLE_GUESTS + 3];
    struct policy_limits limits[SAMPLE_GUESTS + 3] = {0};
    struct policy_memory memory[SAMPLE_GUESTS + 3] = {0};
    struct policy_decision decisions[SAMPLE_GUESTS + 3] = {0};
    enum coordinator_request requests[SAMPLE_GUESTS + 3] = {0};
    memset(many, 0, sizeof(many));
    sample.snapshot.domains = many;
    sample.snapshot.count = SAMPLE_GUESTS + 3;
    sample.view.limits = limits;
    sample.view.memory = memory;
    sample.view.decisions = decisions;
    sample.view.requests = requests;
    text = told(&sample, 0, 0);
    ck_assert_ptr_nonnull(strstr(text, "\n          and 2 more\n"));
    free(text);
}
END_TEST

START_TEST(writes_nothing_that_a_terminal_obeys)
{
    struct sample sample;
    sample_make(&sample);
    strcpy(sample.domains[0].name, "\033[2Jevil\n");
    char *text = told(&sample, 0, 0);
    ck_assert_ptr_null(strchr(text, '\033'));
    ck_assert_ptr_nonnull(strstr(text, "?[2Jevil? is growing"));
    free(text);
}
END_TEST

static const struct {
    const char *word;
    int want; /* the index, or a negative errno */
    const char *error;
} finds[] = {
    {"aos_vm1", SAMPLE_GROWING, NULL}, /* though aos_vm10 begins like that, too */
    {"4", SAMPLE_STARVING, NULL},
    {"data", SAMPLE_STARVING, NULL},
    {"win", SAMPLE_STUCK, NULL},
    {"22222222-2222-2222-2222-222222222222", SAMPLE_GIVING, NULL},
    {"22222222222222222222222222222222", SAMPLE_GIVING, NULL},
    {"2222", SAMPLE_GIVING, NULL},
    {"5555555555", SAMPLE_STALE, NULL},
    {"web", -ENOTUNIQ, "'web' could be: web1, web2"},
    {"aos", -ENOTUNIQ, "'aos' could be: aos_vm1, aos_vm2, aos_vm10"},
    {"AOS_VM1", -ENOENT,
     "no domain 'AOS_VM1' runs; those that do: aos_vm1, aos_vm2, aos_vm10, "
     "database-p~t-1-primary, passthrough, web1, web2, windows"},
    {"", -ENOENT, NULL},
    {"222222222222222222222222222222222222222222222", -ENOENT, NULL},
    {"99", -ENOENT, NULL},
};

START_TEST(finds_who_is_meant)
{
    struct sample sample;
    size_t index = 77;
    char error[EXPLAIN_ERROR_BYTES] = "";
    sample_make(&sample);
    int result = explain_find(&sample.view, finds[_i].word, &index, error);
    if (finds[_i].want >= 0) {
        ck_assert_int_eq(result, 0);
        ck_assert_uint_eq(index, (size_t)finds[_i].want);
        return;
    }
    ck_assert_int_eq(result, finds[_i].want);
    ck_assert_uint_eq(index, 77);
    if (finds[_i].error != NULL)
        ck_assert_str_eq(error, finds[_i].error);
}
END_TEST

START_TEST(says_that_nobody_runs)
{
    struct snapshot nobody = {0};
    struct coordinator_view view = {.snapshot = &nobody};
    size_t index;
    char error[EXPLAIN_ERROR_BYTES];
    ck_assert_int_eq(explain_find(&view, "a", &index, error), -ENOENT);
    ck_assert_str_eq(error, "no domain 'a' runs; those that do: none");
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("explain");
    TCase *cases = tcase_create("sentences");
    tcase_add_test(cases, explains_one_that_starves);
    tcase_add_test(cases, explains_one_without_news);
    tcase_add_test(cases, tells_what_came_of_the_decision);
    tcase_add_test(cases, tells_what_was_reported);
    tcase_add_test(cases, tells_what_is_counted);
    tcase_add_test(cases, says_what_to_set);
    tcase_add_test(cases, has_sane_words_for_every_case);
    tcase_add_test(cases, has_a_text_of_its_own_for_each);
    tcase_add_test(cases, tells_what_keeps_a_guest_from_ballooning);
    tcase_add_test(cases, tells_what_a_guest_is_busy_with);
    tcase_add_test(cases, is_brief_about_the_others);
    tcase_add_test(cases, is_brief_about_the_others);
    tcase_add_test(cases, is_brief_about_the_others);
    tcase_add_test(cases, writes_nothing_that_a_terminal_obeys);
    suite_add_tcase(suite, cases);
    cases = tcase_create("whom");
    tcase_add_loop_test(cases, finds_who_is_meant, 0, COUNT_OF(finds));
    tcase_add_test(cases, says_that_nobody_runs);
    suite_add_tcase(suite, cases);
    return suite;
}
