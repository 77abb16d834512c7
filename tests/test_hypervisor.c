/* test_hypervisor.c - libvirt behind the operations, on libvirt's own test driver. */
#include "hypervisor.h"
#include "settings.h"
#include "support.h"

#include <errno.h>
#include <libvirt/libvirt.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DOMAINS = 5 };

static const struct hypervisor_operations *const operations = &hypervisor_libvirt;

/* A host of DOMAINS domains, listed backwards: vm2 reports every 7 s, vm3 has no balloon, vm4 is
 * paused, vm5 has memory that its balloon knows nothing of. All have METADATA. */
static void write_host(FILE *file, const char *metadata)
{
    fputs("<node>\n", file);
    for (int i = DOMAINS; i > 0; i--)
        fprintf(file,
                "<domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>\n"
                "  <name>vm%d</name>%s\n"
                "  <uuid>00000000-0000-0000-0000-00000000000%d</uuid>\n"
                "  <maxMemory slots='2' unit='GiB'>16</maxMemory>\n"
                "  <memory unit='MiB'>%d</memory>\n"
                "  <currentMemory unit='MiB'>512</currentMemory>\n"
                "  <cpu><numa><cell id='0' cpus='0' memory='%d' unit='MiB'/></numa></cpu>\n"
                "  <os><type>hvm</type></os>\n"
                "  <devices><memballoon model='%s'>%s</memballoon>%s</devices>\n"
                "  <test:runstate>%d</test:runstate>\n"
                "</domain>\n",
                i, metadata, i, 1024 * i, 1024 * i, i == 3 ? "none" : "virtio",
                i == 2 ? "<stats period='7'/>" : "",
                i == 5 ? "<memory model='virtio-mem'><target><size unit='MiB'>512</size>"
                         "<node>0</node><block unit='MiB'>2</block>"
                         "<requested unit='MiB'>256</requested></target></memory>"
                       : "",
                i == 4 ? VIR_DOMAIN_PAUSED : VIR_DOMAIN_RUNNING);
    fputs("</node>\n", file);
}

struct bench {
    char path[64];
    char uri[96];
    struct hypervisor *hypervisor;
    struct snapshot before;
    struct snapshot now;
    char error[HYPERVISOR_ERROR_BYTES];
};

static struct bench *open_bench_with(unsigned int period_sec, const char *metadata)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    ck_assert_ptr_nonnull(bench);
    strcpy(bench->path, "/tmp/test_hypervisor.XXXXXX");
    int descriptor = mkstemp(bench->path);
    ck_assert_int_ge(descriptor, 0);
    FILE *file = fdopen(descriptor, "w");
    write_host(file, metadata);
    fclose(file);
    snprintf(bench->uri, sizeof(bench->uri), "test://%s", bench->path);
    bench->hypervisor = hypervisor_open(bench->uri, period_sec);
    ck_assert_ptr_nonnull(bench->hypervisor);
    ck_assert_msg(operations->connect(bench->hypervisor, bench->error) == 0, "%s", bench->error);
    return bench;
}

static struct bench *open_bench(unsigned int period_sec)
{
    return open_bench_with(period_sec, "");
}

static void read_bench(struct bench *bench)
{
    struct snapshot old = bench->before;
    bench->before = bench->now;
    bench->now = old;
    int result = operations->read(bench->hypervisor, &bench->before, &bench->now, bench->error);
    ck_assert_msg(result == 0, "%s", bench->error);
}

static void close_bench(struct bench *bench)
{
    ck_assert_int_eq(hypervisor_close(bench->hypervisor), 0); /* nothing leaked */
    snapshot_release(&bench->before);
    snapshot_release(&bench->now);
    unlink(bench->path);
    free(bench);
}

static const struct domain *find(const struct bench *bench, const char *name)
{
    for (size_t i = 0; i < bench->now.count; i++)
        if (strcmp(bench->now.domains[i].name, name) == 0)
            return &bench->now.domains[i];
    ck_abort_msg("no domain %s", name);
}

START_TEST(reads_the_domains_in_order)
{
    struct bench *bench = open_bench(1);
    read_bench(bench);
    ck_assert_uint_eq(bench->now.count, DOMAINS);
    for (size_t i = 0; i < bench->now.count; i++) {
        const struct domain *domain = &bench->now.domains[i];
        ck_assert_uint_eq(domain->uuid[DOMAIN_UUID_BYTES - 1], i + 1);
        ck_assert(domain->is_known);
        ck_assert_uint_eq(domain->max_kib, 1024 * MIB * (i + 1));
        ck_assert(domain->is_running == (i != 3));
        ck_assert(domain->has_balloon == (i != 2 && i != 4));
        ck_assert_str_eq(domain->trouble, "");
    }
    const struct domain *domain = find(bench, "vm1");
    ck_assert(domain->has_balloon);
    ck_assert(domain->actual_kib.known && domain->actual_kib.value == 512 * MIB);
    ck_assert(domain->unused_kib.known && domain->unused_kib.value == 256 * MIB);
    ck_assert(domain->available_kib.known && domain->available_kib.value == 512 * MIB);
    ck_assert(domain->usable_kib.known && domain->rss_kib.known && domain->last_update_sec.known);
    close_bench(bench);
}
END_TEST

START_TEST(a_domain_without_a_balloon_has_no_size_to_set)
{
    struct bench *bench = open_bench(1);
    read_bench(bench);
    const struct domain *domain = find(bench, "vm3");
    ck_assert(!domain->has_balloon);
    ck_assert(!domain->actual_kib.known && !domain->unused_kib.known);
    ck_assert_uint_eq(domain->max_kib, 3 * 1024 * MIB);
    ck_assert_uint_eq(domain->period_sec, 0);
    close_bench(bench);
}
END_TEST

START_TEST(notices_a_pause_of_who_is_asked_again)
{
    struct bench *bench = open_bench(1);
    read_bench(bench);
    bench->now.domains[3].is_running = true; /* as it was before it paused */
    read_bench(bench);
    ck_assert(bench->now.domains[3].is_running); /* nobody has asked */
    bench->now.domains[3].is_known = false;
    read_bench(bench);
    ck_assert(!bench->now.domains[3].is_running);
    close_bench(bench);
}
END_TEST

START_TEST(reads_the_host)
{
    char error[HYPERVISOR_ERROR_BYTES];
    struct snapshot before = {0};
    struct snapshot now = {0};
    struct hypervisor *hypervisor = hypervisor_open("test:///default", 0);
    ck_assert_int_eq(operations->connect(hypervisor, error), 0);
    ck_assert_int_eq(operations->read(hypervisor, &before, &now, error), 0);
    ck_assert(now.host.has_memory);
    ck_assert_uint_gt(now.host.available_kib, 0);
    ck_assert_uint_le(now.host.available_kib, now.host.total_kib);
    ck_assert_int_eq(hypervisor_close(hypervisor), 0);
    snapshot_release(&now);
}
END_TEST

START_TEST(a_host_that_does_not_say_what_it_has_is_unknown)
{
    struct bench *bench = open_bench(1); /* a host from a file has no free memory to tell */
    read_bench(bench);
    ck_assert(!bench->now.host.has_memory);
    close_bench(bench);
}
END_TEST

START_TEST(switches_statistics_on_and_never_slower)
{
    static const struct {
        unsigned int asked;
        unsigned int vm1; /* off */
        unsigned int vm2; /* 7 s */
    } rows[] = {{0, 0, 7}, {1, 1, 1}, {7, 7, 7}, {10, 10, 7}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct bench *bench = open_bench(rows[i].asked);
        read_bench(bench);
        ck_assert_uint_eq(find(bench, "vm1")->period_sec, rows[i].vm1);
        ck_assert_uint_eq(find(bench, "vm2")->period_sec, rows[i].vm2);
        close_bench(bench);
    }
}
END_TEST

START_TEST(sets_the_size_of_the_domain_meant)
{
    struct bench *bench = open_bench(1);
    read_bench(bench);
    ck_assert_int_eq(operations->set_memory(bench->hypervisor, 1, 700 * MIB, bench->error), 0);
    read_bench(bench);
    ck_assert_uint_eq(find(bench, "vm1")->actual_kib.value, 512 * MIB);
    ck_assert_uint_eq(find(bench, "vm2")->actual_kib.value, 700 * MIB);
    close_bench(bench);
}
END_TEST

START_TEST(says_why_a_size_was_refused)
{
    struct bench *bench = open_bench(1);
    read_bench(bench);
    ck_assert_int_eq(operations->set_memory(bench->hypervisor, 0, 2048 * MIB, bench->error), -EIO);
    ck_assert_msg(strstr(bench->error, "cannot set its memory: ") != NULL, "%s", bench->error);
    read_bench(bench); /* and goes on */
    ck_assert_uint_eq(find(bench, "vm1")->actual_kib.value, 512 * MIB);
    close_bench(bench);
}
END_TEST

START_TEST(keeps_what_it_knows_of_a_domain)
{
    struct bench *bench = open_bench(1);
    read_bench(bench);
    bench->now.domains[0].max_kib = 12345 * MIB; /* would be read anew if it were asked for */
    read_bench(bench);
    ck_assert_uint_eq(bench->now.domains[0].max_kib, 12345 * MIB);
    bench->now.domains[0].is_known = false;
    read_bench(bench);
    ck_assert_uint_eq(bench->now.domains[0].max_kib, 1024 * MIB);
    bench->now.domains[0].max_kib = 100 * MIB; /* it has more than that: memory was plugged in */
    read_bench(bench);
    read_bench(bench);
    ck_assert_uint_eq(bench->now.domains[0].max_kib, 1024 * MIB);
    close_bench(bench);
}
END_TEST

START_TEST(connects_again)
{
    struct bench *bench = open_bench(1);
    read_bench(bench);
    ck_assert_int_eq(operations->connect(bench->hypervisor, bench->error), 0);
    read_bench(bench);
    ck_assert_uint_eq(bench->now.count, DOMAINS);
    close_bench(bench);
}
END_TEST

START_TEST(says_why_it_cannot_connect)
{
    char error[HYPERVISOR_ERROR_BYTES] = "";
    struct hypervisor *hypervisor = hypervisor_open("nonsense:///", 1);
    ck_assert_int_eq(operations->connect(hypervisor, error), -ENOTCONN);
    ck_assert_str_ne(error, "");
    ck_assert_int_eq(hypervisor_close(hypervisor), 0);
    ck_assert_int_eq(hypervisor_close(NULL), 0);
}
END_TEST

START_TEST(chooses_the_uri_as_documented)
{
    static const struct {
        const char *given;
        const char *environment;
        const char *want;
    } rows[] = {
        {"test:///a", "test:///b", "test:///a"},
        {NULL, "test:///b", "test:///b"},
        {NULL, "", "qemu:///system"},
        {NULL, NULL, "qemu:///system"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (rows[i].environment != NULL)
            setenv("LIBVIRT_DEFAULT_URI", rows[i].environment, 1);
        else
            unsetenv("LIBVIRT_DEFAULT_URI");
        struct hypervisor *hypervisor = hypervisor_open(rows[i].given, 1);
        ck_assert_str_eq(hypervisor_uri(hypervisor), rows[i].want);
        hypervisor_close(hypervisor);
    }
}
END_TEST

/* ---- metadata ---- */

#define SETTINGS_URI "urn:memory-coordinator:settings"

/* libvirt's own domain "test", as two see it: the hypervisor, and who edits its metadata. */
struct editor {
    struct hypervisor *hypervisor;
    struct snapshot before;
    struct snapshot now;
    virConnectPtr connection;
    virDomainPtr handle;
    char error[HYPERVISOR_ERROR_BYTES];
};

static void read_editor(struct editor *editor)
{
    struct snapshot old = editor->before;
    editor->before = editor->now;
    editor->now = old;
    int result = operations->read(editor->hypervisor, &editor->before, &editor->now, editor->error);
    ck_assert_msg(result == 0, "%s", editor->error);
    ck_assert_uint_eq(editor->now.count, 1);
}

/* Sets the element ELEMENT in the namespace URI, or removes it if that is NULL. */
static void edit(struct editor *editor, const char *uri, const char *element)
{
    ck_assert_int_eq(virDomainSetMetadata(editor->handle, VIR_DOMAIN_METADATA_ELEMENT, element,
                                          element != NULL ? "any" : NULL, uri,
                                          VIR_DOMAIN_AFFECT_LIVE),
                     0);
}

static struct editor *open_editor(unsigned int period_sec)
{
    struct editor *editor = calloc(1, sizeof(*editor));
    ck_assert_ptr_nonnull(editor);
    editor->hypervisor = hypervisor_open("test:///default", period_sec);
    ck_assert_ptr_nonnull(editor->hypervisor);
    ck_assert_int_eq(operations->connect(editor->hypervisor, editor->error), 0);
    editor->connection = virConnectOpen("test:///default");
    editor->handle = virDomainLookupByName(editor->connection, "test");
    ck_assert_ptr_nonnull(editor->handle);
    return editor;
}

static void close_editor(struct editor *editor)
{
    virDomainFree(editor->handle);
    ck_assert_int_eq(virConnectClose(editor->connection), 0);
    ck_assert_int_eq(hypervisor_close(editor->hypervisor), 0);
    snapshot_release(&editor->before);
    snapshot_release(&editor->now);
    free(editor);
}

static const struct domain *only(const struct editor *editor)
{
    return &editor->now.domains[0];
}

START_TEST(reads_the_settings_of_a_domain_that_appears)
{
    struct editor *editor = open_editor(0);
    edit(editor, SETTINGS_URI,
         "<settings min='300MiB' max='1GiB' shares='2000' headroom='20%' managed='no'/>");
    read_editor(editor);
    const struct settings want = {
        .managed = {true, 0},
        .min_kib = {true, 300 * MIB},
        .max_kib = {true, GIB},
        .shares = {true, 2000},
        .headroom_percent = {true, 20},
    };
    ck_assert(settings_equal(&only(editor)->settings, &want));
    ck_assert_str_eq(only(editor)->settings_error, "");
    close_editor(editor);
}
END_TEST

START_TEST(follows_changed_metadata)
{
    struct editor *editor = open_editor(0);
    const struct settings none = {0};
    read_editor(editor);
    ck_assert(settings_equal(&only(editor)->settings, &none));
    edit(editor, SETTINGS_URI, "<settings min='300MiB'/>");
    read_editor(editor);
    ck_assert_uint_eq(only(editor)->settings.min_kib.value, 300 * MIB);
    edit(editor, SETTINGS_URI, "<settings min='400MiB'><!-- of the night --></settings>");
    read_editor(editor);
    ck_assert_uint_eq(only(editor)->settings.min_kib.value, 400 * MIB);
    edit(editor, SETTINGS_URI, NULL);
    read_editor(editor);
    ck_assert(settings_equal(&only(editor)->settings, &none));
    close_editor(editor);
}
END_TEST

/* A domain that was looked up would have its true maximum again. */
START_TEST(looks_up_only_whose_settings_have_changed)
{
    struct editor *editor = open_editor(0);
    const uint64_t mark_kib = UINT64_C(12345) * GIB;
    read_editor(editor);
    editor->now.domains[0].max_kib = mark_kib;
    edit(editor, "urn:somebody-elses", "<settings min='300MiB'/>");
    ck_assert_int_eq(virDomainSetMetadata(editor->handle, VIR_DOMAIN_METADATA_TITLE, "a title",
                                          NULL, NULL, VIR_DOMAIN_AFFECT_LIVE),
                     0);
    for (unsigned int i = 0; i < 5; i++)
        read_editor(editor);
    ck_assert_uint_eq(only(editor)->max_kib, mark_kib);
    ck_assert(!only(editor)->settings.min_kib.known);
    edit(editor, SETTINGS_URI, "<settings min='300MiB'/>");
    read_editor(editor);
    ck_assert_uint_ne(only(editor)->max_kib, mark_kib);
    editor->now.domains[0].max_kib = mark_kib;
    for (unsigned int i = 0; i < 5; i++) /* once for one change */
        read_editor(editor);
    ck_assert_uint_eq(only(editor)->max_kib, mark_kib);
    close_editor(editor);
}
END_TEST

START_TEST(changes_are_heard_of_between_reads_too)
{
    struct editor *editor = open_editor(0);
    char element[64];
    read_editor(editor);
    for (unsigned int i = 0; i < 200; i++) { /* more than it takes note of one by one */
        snprintf(element, sizeof(element), "<settings min='%uMiB'/>", 300 + i);
        edit(editor, SETTINGS_URI, element);
        hypervisor_serve(editor->hypervisor);
    }
    read_editor(editor);
    ck_assert_uint_eq(only(editor)->settings.min_kib.value, 499 * MIB);
    close_editor(editor);
}
END_TEST

START_TEST(changes_while_disconnected_are_not_missed)
{
    struct editor *editor = open_editor(0);
    read_editor(editor);
    edit(editor, SETTINGS_URI, "<settings min='300MiB'/>");
    ck_assert_int_eq(operations->connect(editor->hypervisor, editor->error), 0);
    read_editor(editor);
    ck_assert_uint_eq(only(editor)->settings.min_kib.value, 300 * MIB);
    close_editor(editor);
}
END_TEST

static const struct {
    const char *element;
    const char *error;
} wrong_elements[] = {
    {"<settings mni='300'/>", "unknown key 'mni', expected min, max, shares, headroom or managed"},
    {"<settings min='30X'/>", "min '30X': expected a number and KiB, MiB, GiB, K, M or G, from "
                              "1MiB to 1048576GiB"},
    {"<settings max='' min='300'/>", "max '': expected a number and KiB, MiB, GiB, K, M or G, from "
                                     "1MiB to 1048576GiB"},
    {"<settings shares='0'/>",
     "shares '0': out of range, expected a whole number from 1 to 1000000"},
    {"<settings min='2GiB' max='1GiB'/>", "min 2GiB is above max 1GiB, expected at most that"},
    {"<settings managed='no&#10;vm9: found'/>", "managed 'no?vm9: found': expected yes or no"},
    {"<settings><min>300</min></settings>",
     "something within the element 'settings', expected attributes only"},
    {"<settings>min=300</settings>",
     "something within the element 'settings', expected attributes only"},
    {"<setting min='300'/>", "element 'setting', expected 'settings'"},
};

START_TEST(refuses_wrong_metadata_whole_and_keeps_what_was_right)
{
    struct editor *editor = open_editor(0);
    edit(editor, SETTINGS_URI, "<settings min='250' shares='7'/>");
    read_editor(editor);
    struct settings last = only(editor)->settings;
    edit(editor, SETTINGS_URI, wrong_elements[_i].element);
    for (unsigned int i = 0; i < 3; i++) {
        read_editor(editor);
        ck_assert_str_eq(only(editor)->settings_error, wrong_elements[_i].error);
        ck_assert_str_eq(only(editor)->trouble, "");
        ck_assert(settings_equal(&only(editor)->settings, &last));
        ck_assert(only(editor)->actual_kib.known); /* all else is read */
        editor->now.domains[0].is_known = i % 2 == 0;
    }
    edit(editor, SETTINGS_URI, "<settings min='260'/>");
    read_editor(editor);
    ck_assert_str_eq(only(editor)->settings_error, "");
    ck_assert_uint_eq(only(editor)->settings.min_kib.value, 260 * MIB);
    ck_assert(!only(editor)->settings.shares.known);
    close_editor(editor);
}
END_TEST

START_TEST(wrong_metadata_that_was_never_right_sets_nothing)
{
    struct editor *editor = open_editor(0);
    const struct settings none = {0};
    edit(editor, SETTINGS_URI, "<settings min='250' shares='many'/>");
    read_editor(editor);
    ck_assert_str_ne(only(editor)->settings_error, "");
    ck_assert(settings_equal(&only(editor)->settings, &none));
    edit(editor, SETTINGS_URI, NULL); /* nothing is wrong any more */
    read_editor(editor);
    ck_assert_str_eq(only(editor)->settings_error, "");
    close_editor(editor);
}
END_TEST

START_TEST(who_is_not_to_be_managed_keeps_its_statistics_off)
{
    struct bench *bench = open_bench_with(1, "<metadata><x:settings xmlns:x='" SETTINGS_URI
                                             "' managed='no'/></metadata>");
    read_bench(bench);
    ck_assert_uint_eq(find(bench, "vm1")->period_sec, 0);
    ck_assert_uint_eq(find(bench, "vm2")->period_sec, 7);
    ck_assert(find(bench, "vm1")->is_known);
    close_bench(bench);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("hypervisor");
    TCase *metadata = tcase_create("metadata");
    tcase_add_test(metadata, reads_the_settings_of_a_domain_that_appears);
    tcase_add_test(metadata, follows_changed_metadata);
    tcase_add_test(metadata, looks_up_only_whose_settings_have_changed);
    tcase_add_test(metadata, changes_are_heard_of_between_reads_too);
    tcase_add_test(metadata, changes_while_disconnected_are_not_missed);
    tcase_add_loop_test(metadata, refuses_wrong_metadata_whole_and_keeps_what_was_right, 0,
                        COUNT_OF(wrong_elements));
    tcase_add_test(metadata, wrong_metadata_that_was_never_right_sets_nothing);
    tcase_add_test(metadata, who_is_not_to_be_managed_keeps_its_statistics_off);
    suite_add_tcase(suite, metadata);

    TCase *cases = tcase_create("test driver");
    tcase_add_test(cases, reads_the_domains_in_order);
    tcase_add_test(cases, a_domain_without_a_balloon_has_no_size_to_set);
    tcase_add_test(cases, notices_a_pause_of_who_is_asked_again);
    tcase_add_test(cases, reads_the_host);
    tcase_add_test(cases, a_host_that_does_not_say_what_it_has_is_unknown);
    tcase_add_test(cases, switches_statistics_on_and_never_slower);
    tcase_add_test(cases, sets_the_size_of_the_domain_meant);
    tcase_add_test(cases, says_why_a_size_was_refused);
    tcase_add_test(cases, keeps_what_it_knows_of_a_domain);
    tcase_add_test(cases, connects_again);
    tcase_add_test(cases, says_why_it_cannot_connect);
    tcase_add_test(cases, chooses_the_uri_as_documented);
    suite_add_tcase(suite, cases);
    return suite;
}
