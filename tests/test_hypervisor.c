/* test_hypervisor.c - libvirt behind the operations, on libvirt's own test driver. */
#include "clock.h"
#include "domain_xml.h"
#include "hypervisor.h"
#include "ksm_files.h"
#include "meminfo.h"
#include "settings.h"
#include "support.h"

#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DOMAINS = 5, EVENTS_MOST = 64 };

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

static int set_memory(struct bench *bench, size_t index, uint64_t target_kib)
{
    return operations->set_memory(bench->hypervisor, &bench->now.domains[index], target_kib,
                                  bench->error);
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
        ck_assert_str_eq(domain_trouble(domain), "");
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

/* Whoever is to start is not even looked up: that would wait. */
START_TEST(reads_those_it_knows_where_the_list_is_kept)
{
    struct bench *bench = open_bench(1);
    read_bench(bench);
    bench->now.is_list_kept = true;
    bench->now.domains[1].is_to_start = true;
    bench->now.domains[2].id += 100;   /* it has ended and begun again */
    bench->now.domains[4].uuid[0] = 1; /* no domain */
    read_bench(bench);
    ck_assert_uint_eq(bench->now.count, 2);
    ck_assert_str_eq(bench->now.domains[0].name, "vm1");
    ck_assert_uint_eq(bench->now.domains[0].actual_kib.value, 512 * MIB);
    ck_assert_str_eq(bench->now.domains[1].name, "vm4");
    bench->now.is_list_kept = false;
    read_bench(bench);
    ck_assert_uint_eq(bench->now.count, DOMAINS);
    bench->now.is_list_kept = true;
    bench->now.count = 0; /* as where none ran */
    read_bench(bench);
    ck_assert_uint_eq(bench->now.count, 0);
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

static const struct {
    int tag;
    size_t figure; /* where it goes */
} tags[] = {
    {VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON, offsetof(struct domain, actual_kib)},
    {VIR_DOMAIN_MEMORY_STAT_RSS, offsetof(struct domain, rss_kib)},
    {VIR_DOMAIN_MEMORY_STAT_UNUSED, offsetof(struct domain, unused_kib)},
    {VIR_DOMAIN_MEMORY_STAT_AVAILABLE, offsetof(struct domain, available_kib)},
    {VIR_DOMAIN_MEMORY_STAT_USABLE, offsetof(struct domain, usable_kib)},
    {VIR_DOMAIN_MEMORY_STAT_LAST_UPDATE, offsetof(struct domain, last_update_sec)},
    {VIR_DOMAIN_MEMORY_STAT_SWAP_IN, offsetof(struct domain, swap_in_kib)},
    {VIR_DOMAIN_MEMORY_STAT_MAJOR_FAULT, offsetof(struct domain, major_faults)},
};

static void check_only(const struct domain *domain, size_t figure, uint64_t value)
{
    for (size_t i = 0; i < COUNT_OF(tags); i++) {
        const struct figure *other =
            (const struct figure *)(const void *)((const char *)domain + tags[i].figure);
        ck_assert_int_eq(other->known, tags[i].figure == figure);
        ck_assert_uint_eq(other->value, tags[i].figure == figure ? value : 0);
    }
}

START_TEST(takes_each_statistic_by_its_tag)
{
    static const uint64_t values[] = {0, 1, UINT64_C(1) << 63, UINT64_MAX};
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        struct domain domain = {0};
        hypervisor_take_statistic(&domain, tags[_i].tag, values[i]);
        check_only(&domain, tags[_i].figure, values[i]);
    }
}
END_TEST

START_TEST(of_two_statistics_with_a_tag_the_later_counts)
{
    struct domain domain = {0};
    hypervisor_take_statistic(&domain, tags[_i].tag, UINT64_MAX);
    hypervisor_take_statistic(&domain, tags[_i].tag, 7);
    check_only(&domain, tags[_i].figure, 7);
}
END_TEST

START_TEST(statistics_with_other_tags_are_left_out)
{
    static const int others[] = {VIR_DOMAIN_MEMORY_STAT_SWAP_OUT,
                                 VIR_DOMAIN_MEMORY_STAT_MINOR_FAULT,
                                 VIR_DOMAIN_MEMORY_STAT_DISK_CACHES,
                                 VIR_DOMAIN_MEMORY_STAT_HUGETLB_PGFAIL,
                                 VIR_DOMAIN_MEMORY_STAT_NR,
                                 1000,
                                 -1,
                                 INT_MAX,
                                 INT_MIN};
    struct domain domain = {0};
    for (size_t i = 0; i < COUNT_OF(others); i++)
        hypervisor_take_statistic(&domain, others[i], 7);
    check_only(&domain, SIZE_MAX, 0);
}
END_TEST

START_TEST(sets_the_size_of_the_domain_meant)
{
    struct bench *bench = open_bench(1);
    read_bench(bench);
    ck_assert_int_eq(set_memory(bench, 1, 700 * MIB), 0);
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
    ck_assert_int_eq(set_memory(bench, 0, 2048 * MIB), -EIO);
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

/* libvirt frees what belongs to timers and sockets in the event loop, and only if that comes to
 * rest.
 */
START_TEST(holds_no_more_after_many_reads)
{
    enum { READS = 200, NOISE_BYTES = 4096 };
    struct bench *bench = open_bench(1);
    for (int i = 0; i < READS; i++)
        read_bench(bench);
    size_t before = mallinfo2().uordblks; /* 0 under sanitizers */
    for (int i = 0; i < READS; i++) {
        read_bench(bench);
        operations->serve(bench->hypervisor);
    }
    ck_assert_uint_le(mallinfo2().uordblks, before + NOISE_BYTES);
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
    ck_assert_str_eq(domain_settings_error(only(editor)), "");
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

/* Ended and begun again between two reads, it has the same name in the same place. */
START_TEST(a_domain_that_was_started_anew_is_another_one)
{
    struct editor *editor = open_editor(0);
    read_editor(editor);
    for (unsigned int i = 0; i < 3; i++) {
        int id = only(editor)->id;
        ck_assert_int_eq(virDomainDestroy(editor->handle), 0);
        ck_assert_int_eq(virDomainCreate(editor->handle), 0);
        ck_assert_int_ne((int)virDomainGetID(editor->handle), id);
        read_editor(editor);
        ck_assert_int_eq(only(editor)->id, (int)virDomainGetID(editor->handle));
        read_editor(editor);
        ck_assert_int_eq(only(editor)->id, (int)virDomainGetID(editor->handle));
    }
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
        operations->serve(editor->hypervisor);
    }
    read_editor(editor);
    ck_assert_uint_eq(only(editor)->settings.min_kib.value, 499 * MIB);
    close_editor(editor);
}
END_TEST

START_TEST(changes_are_heard_of_while_the_list_is_kept)
{
    struct editor *editor = open_editor(0);
    read_editor(editor);
    edit(editor, SETTINGS_URI, "<settings min='300MiB'/>");
    editor->now.is_list_kept = true;
    read_editor(editor);
    ck_assert_uint_eq(only(editor)->settings.min_kib.value, 300 * MIB);
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
        ck_assert_str_eq(domain_settings_error(only(editor)), wrong_elements[_i].error);
        ck_assert_str_eq(domain_trouble(only(editor)), "");
        ck_assert(settings_equal(&only(editor)->settings, &last));
        ck_assert(only(editor)->actual_kib.known); /* all else is read */
        editor->now.domains[0].is_known = i % 2 == 0;
    }
    edit(editor, SETTINGS_URI, "<settings min='260'/>");
    read_editor(editor);
    ck_assert_str_eq(domain_settings_error(only(editor)), "");
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
    ck_assert_str_ne(domain_settings_error(only(editor)), "");
    ck_assert(settings_equal(&only(editor)->settings, &none));
    edit(editor, SETTINGS_URI, NULL); /* nothing is wrong any more */
    read_editor(editor);
    ck_assert_str_eq(domain_settings_error(only(editor)), "");
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

/* ---- libvirt that fails ---- */

/* What is to go wrong; the linker has the hypervisor call the functions below. The domain vm2 is
 * the one that something is wrong with. */
static struct {
    bool has_gone; /* its statistics cannot be read, for it has ended */
    bool has_no_statistics;
    bool has_no_xml;
    const char *xml; /* instead of its own */
    bool keeps_its_period;
    bool cannot_list;
    bool lists_backwards;
    bool lists_no_more;             /* the domain: it has ended */
    bool tells_no_lifecycle;        /* of domains */
    bool loses_lifecycle;           /* it is told, and does not arrive */
    unsigned int asked_uuid;        /* how often any was asked for it */
    bool is_dead;                   /* the connection */
    const char *uri;                /* what it says it is to; NULL: its own */
    const virNodeMemoryStats *host; /* what the host says; NULL: nothing, as the test driver */
    int host_figures;
    bool host_fails;
    bool has_no_meminfo;
    uint64_t meminfo_kib;
    bool has_parameters;                /* of shared memory; the test driver has none */
    bool keeps_parameters;              /* they cannot be set */
    struct ksm_settings set_by_libvirt; /* what was set, by either way */
    struct ksm_settings set_by_file;
    int file_result;
    bool is_occupied;    /* a call on it has not come back */
    bool has_no_control; /* whether one has is not told */
    unsigned int asked;  /* how often that was asked */
    int state;           /* of the domain; VIR_DOMAIN_NOSTATE: its own */
    int state_reason;
    int operation;              /* of its job; VIR_DOMAIN_JOB_OPERATION_UNKNOWN: none */
    bool hides_its_job;         /* that is refused */
    unsigned int asked_job;     /* how often it was asked for */
    unsigned int asked_figures; /* likewise */
    unsigned int asked_period;  /* how often it was to be set */
    unsigned int asked_size;    /* likewise */
    virConnectDomainEventGenericCallback told[EVENTS_MOST]; /* who is told of events */
    void *told_argument;
    bool hides_metadata;                  /* it cannot be read */
    bool keeps_metadata;                  /* it cannot be set */
    const struct hypervisor_watch *watch; /* whose marks are to be right in each call; NULL: none */
    uint64_t started_usec;                /* they are not older than this */
    unsigned int marked;                  /* calls about a domain that had them */
} faults;

int __real_virDomainGetUUID(virDomainPtr handle, unsigned char *uuid);
int __wrap_virDomainGetUUID(virDomainPtr handle, unsigned char *uuid);

static void check_marks_of_whole(void)
{
    if (faults.watch == NULL)
        return;
    ck_assert(!faults.watch->is_about_domain);
    ck_assert_uint_ge(faults.watch->since_usec, faults.started_usec);
}

static void check_marks_of(virDomainPtr handle)
{
    unsigned char uuid[VIR_UUID_BUFLEN];
    if (faults.watch == NULL)
        return;
    ck_assert_int_eq(__real_virDomainGetUUID(handle, uuid), 0);
    ck_assert(faults.watch->is_about_domain);
    ck_assert_mem_eq(faults.watch->uuid, uuid, sizeof(uuid));
    ck_assert_int_eq(faults.watch->id, (int)virDomainGetID(handle));
    ck_assert_uint_ge(faults.watch->since_usec, faults.started_usec);
    faults.marked++;
}

static bool is_wrong(virDomainPtr handle)
{
    return strcmp(virDomainGetName(handle), "vm2") == 0;
}

int __real_virDomainMemoryStats(virDomainPtr handle, virDomainMemoryStatPtr statistics,
                                unsigned int count, unsigned int flags);
char *__real_virDomainGetXMLDesc(virDomainPtr handle, unsigned int flags);
int __real_virDomainSetMemoryStatsPeriod(virDomainPtr handle, int period, unsigned int flags);
int __real_virConnectListAllDomains(virConnectPtr connection, virDomainPtr **domains,
                                    unsigned int flags);
int __real_virConnectIsAlive(virConnectPtr connection);
char *__real_virConnectGetURI(virConnectPtr connection);
int __real_virGetLastErrorCode(void);
int __wrap_virDomainMemoryStats(virDomainPtr handle, virDomainMemoryStatPtr statistics,
                                unsigned int count, unsigned int flags);
char *__wrap_virDomainGetXMLDesc(virDomainPtr handle, unsigned int flags);
int __wrap_virDomainSetMemoryStatsPeriod(virDomainPtr handle, int period, unsigned int flags);
int __wrap_virConnectListAllDomains(virConnectPtr connection, virDomainPtr **domains,
                                    unsigned int flags);
int __wrap_virConnectIsAlive(virConnectPtr connection);
char *__wrap_virConnectGetURI(virConnectPtr connection);
int __wrap_virGetLastErrorCode(void);
int __wrap_virNodeGetMemoryStats(virConnectPtr connection, int cell, virNodeMemoryStatsPtr figures,
                                 int *count, unsigned int flags);
bool __wrap_meminfo_read(const char *root, struct host *host);
int __wrap_virNodeGetMemoryParameters(virConnectPtr connection, virTypedParameterPtr figures,
                                      int *count, unsigned int flags);
int __wrap_virNodeSetMemoryParameters(virConnectPtr connection, virTypedParameterPtr figures,
                                      int count, unsigned int flags);
struct ksm_reading __wrap_ksm_files_read(const char *root);
int __wrap_ksm_files_set_pace(const char *root, const struct ksm_settings *settings);
int __wrap_ksm_files_set_run(const char *root, uint64_t run);
int __wrap_virDomainGetControlInfo(virDomainPtr handle, virDomainControlInfoPtr control,
                                   unsigned int flags);
int __real_virDomainSetMemory(virDomainPtr handle, unsigned long target_kib);
int __wrap_virDomainSetMemory(virDomainPtr handle, unsigned long target_kib);
char *__real_virDomainGetMetadata(virDomainPtr handle, int type, const char *uri,
                                  unsigned int flags);
char *__wrap_virDomainGetMetadata(virDomainPtr handle, int type, const char *uri,
                                  unsigned int flags);
int __real_virDomainSetMetadata(virDomainPtr handle, int type, const char *metadata,
                                const char *key, const char *uri, unsigned int flags);
int __wrap_virDomainSetMetadata(virDomainPtr handle, int type, const char *metadata,
                                const char *key, const char *uri, unsigned int flags);

int __real_virDomainGetState(virDomainPtr handle, int *state, int *reason, unsigned int flags);
int __wrap_virDomainGetState(virDomainPtr handle, int *state, int *reason, unsigned int flags);
int __real_virDomainGetJobStats(virDomainPtr handle, int *type, virTypedParameterPtr *parameters,
                                int *count, unsigned int flags);
int __wrap_virDomainGetJobStats(virDomainPtr handle, int *type, virTypedParameterPtr *parameters,
                                int *count, unsigned int flags);
int __real_virConnectDomainEventRegisterAny(virConnectPtr connection, virDomainPtr handle,
                                            int event,
                                            virConnectDomainEventGenericCallback callback,
                                            void *argument, virFreeCallback release);
int __wrap_virConnectDomainEventRegisterAny(virConnectPtr connection, virDomainPtr handle,
                                            int event,
                                            virConnectDomainEventGenericCallback callback,
                                            void *argument, virFreeCallback release);

int __wrap_virDomainGetState(virDomainPtr handle, int *state, int *reason, unsigned int flags)
{
    check_marks_of(handle);
    if (faults.state == VIR_DOMAIN_NOSTATE || !is_wrong(handle))
        return __real_virDomainGetState(handle, state, reason, flags);
    *state = faults.state;
    *reason = faults.state_reason;
    return 0;
}

int __wrap_virDomainGetJobStats(virDomainPtr handle, int *type, virTypedParameterPtr *parameters,
                                int *count, unsigned int flags)
{
    int room = 0;
    check_marks_of(handle);
    if (!is_wrong(handle) || faults.hides_its_job)
        return __real_virDomainGetJobStats(handle, type, parameters, count, flags); /* refuses */
    faults.asked_job++;
    *count = 0;
    *type = VIR_DOMAIN_JOB_NONE;
    if (faults.operation == VIR_DOMAIN_JOB_OPERATION_UNKNOWN)
        return 0;
    *type = VIR_DOMAIN_JOB_UNBOUNDED;
    return virTypedParamsAddInt(parameters, count, &room, VIR_DOMAIN_JOB_OPERATION,
                                faults.operation);
}

static int lose_event(virConnectPtr connection, virDomainPtr handle, int event, int detail,
                      void *argument)
{
    (void)connection;
    (void)handle;
    (void)event;
    (void)detail;
    (void)argument;
    return 0;
}

int __wrap_virConnectDomainEventRegisterAny(virConnectPtr connection, virDomainPtr handle,
                                            int event,
                                            virConnectDomainEventGenericCallback callback,
                                            void *argument, virFreeCallback release)
{
    ck_assert_int_lt(event, EVENTS_MOST);
    faults.told[event] = callback;
    faults.told_argument = argument;
    if (event == VIR_DOMAIN_EVENT_ID_LIFECYCLE && faults.tells_no_lifecycle)
        return -1;
    if (event == VIR_DOMAIN_EVENT_ID_LIFECYCLE && faults.loses_lifecycle)
        callback = VIR_DOMAIN_EVENT_CALLBACK(lose_event);
    return __real_virConnectDomainEventRegisterAny(connection, handle, event, callback, argument,
                                                   release);
}

int __wrap_virDomainMemoryStats(virDomainPtr handle, virDomainMemoryStatPtr statistics,
                                unsigned int count, unsigned int flags)
{
    check_marks_of(handle);
    faults.asked_figures += is_wrong(handle);
    if ((faults.has_gone || faults.has_no_statistics) && is_wrong(handle))
        return -1;
    return __real_virDomainMemoryStats(handle, statistics, count, flags);
}

char *__wrap_virDomainGetXMLDesc(virDomainPtr handle, unsigned int flags)
{
    if (faults.has_no_xml && is_wrong(handle))
        return NULL;
    if (faults.xml != NULL && is_wrong(handle))
        return strdup(faults.xml);
    return __real_virDomainGetXMLDesc(handle, flags);
}

int __wrap_virDomainSetMemoryStatsPeriod(virDomainPtr handle, int period, unsigned int flags)
{
    faults.asked_period += is_wrong(handle);
    if (faults.keeps_its_period && is_wrong(handle))
        return -1;
    return __real_virDomainSetMemoryStatsPeriod(handle, period, flags);
}

int __wrap_virConnectListAllDomains(virConnectPtr connection, virDomainPtr **domains,
                                    unsigned int flags)
{
    check_marks_of_whole();
    if (faults.cannot_list)
        return -1;
    int count = __real_virConnectListAllDomains(connection, domains, flags);
    for (int i = 0; faults.lists_no_more && i < count; i++)
        if (is_wrong((*domains)[i])) {
            virDomainFree((*domains)[i]);
            (*domains)[i] = (*domains)[--count];
        }
    for (int i = 0; faults.lists_backwards && i < count / 2; i++) {
        virDomainPtr other = (*domains)[i];
        (*domains)[i] = (*domains)[count - 1 - i];
        (*domains)[count - 1 - i] = other;
    }
    return count;
}

int __wrap_virDomainGetUUID(virDomainPtr handle, unsigned char *uuid)
{
    faults.asked_uuid++;
    return __real_virDomainGetUUID(handle, uuid);
}

int __wrap_virConnectIsAlive(virConnectPtr connection)
{
    check_marks_of_whole();
    return faults.is_dead ? 0 : __real_virConnectIsAlive(connection);
}

char *__wrap_virConnectGetURI(virConnectPtr connection)
{
    return faults.uri != NULL ? strdup(faults.uri) : __real_virConnectGetURI(connection);
}

int __wrap_virGetLastErrorCode(void)
{
    return faults.has_gone ? VIR_ERR_NO_DOMAIN : __real_virGetLastErrorCode();
}

int __wrap_virNodeGetMemoryStats(virConnectPtr connection, int cell, virNodeMemoryStatsPtr figures,
                                 int *count, unsigned int flags)
{
    (void)connection;
    (void)cell;
    (void)flags;
    if (faults.host == NULL || (faults.host_fails && figures != NULL))
        return -1;
    *count = faults.host_figures;
    if (figures != NULL)
        memcpy(figures, faults.host, (size_t)*count * sizeof(*figures));
    return 0;
}

bool __wrap_meminfo_read(const char *root, struct host *host)
{
    ck_assert_str_eq(root, "");
    if (faults.has_no_meminfo)
        return false;
    host->total_kib = 1000;
    host->available_kib = faults.meminfo_kib;
    return true;
}

int __wrap_virNodeGetMemoryParameters(virConnectPtr connection, virTypedParameterPtr figures,
                                      int *count, unsigned int flags)
{
    (void)connection;
    (void)flags;
    check_marks_of_whole();
    if (!faults.has_parameters)
        return -1;
    if (figures != NULL) {
        figures[0] = (virTypedParameter){.field = VIR_NODE_MEMORY_SHARED_PAGES_TO_SCAN,
                                         .type = VIR_TYPED_PARAM_UINT,
                                         .value.ui = 300};
        figures[1] = (virTypedParameter){.field = VIR_NODE_MEMORY_SHARED_PAGES_SHARING,
                                         .type = VIR_TYPED_PARAM_ULLONG,
                                         .value.ul = 9000};
    }
    *count = 2;
    return 0;
}

int __wrap_virNodeSetMemoryParameters(virConnectPtr connection, virTypedParameterPtr figures,
                                      int count, unsigned int flags)
{
    unsigned int value;
    (void)connection;
    (void)flags;
    check_marks_of_whole();
    if (faults.keeps_parameters)
        return -1;
    if (virTypedParamsGetUInt(figures, count, VIR_NODE_MEMORY_SHARED_PAGES_TO_SCAN, &value) == 1)
        faults.set_by_libvirt.pages_to_scan = (struct figure){true, value};
    if (virTypedParamsGetUInt(figures, count, VIR_NODE_MEMORY_SHARED_SLEEP_MILLISECS, &value) == 1)
        faults.set_by_libvirt.sleep_msec = (struct figure){true, value};
    return 0;
}

/* Of the host's own files none is touched. */
struct ksm_reading __wrap_ksm_files_read(const char *root)
{
    ck_assert_str_eq(root, "");
    return (struct ksm_reading){
        .run = {true, 0}, .pages_to_scan = {true, 100}, .full_scans = {true, 5}, .page_kib = 4};
}

int __wrap_ksm_files_set_pace(const char *root, const struct ksm_settings *settings)
{
    ck_assert_str_eq(root, "");
    if (faults.file_result == 0)
        faults.set_by_file = *settings;
    return faults.file_result;
}

int __wrap_ksm_files_set_run(const char *root, uint64_t run)
{
    ck_assert_str_eq(root, "");
    if (faults.file_result == 0)
        faults.set_by_file.run = (struct figure){true, run};
    return faults.file_result;
}

int __wrap_virDomainGetControlInfo(virDomainPtr handle, virDomainControlInfoPtr control,
                                   unsigned int flags)
{
    (void)flags;
    faults.asked++;
    if (faults.has_no_control)
        return -1;
    *control = (virDomainControlInfo){.state = faults.is_occupied && is_wrong(handle)
                                                   ? VIR_DOMAIN_CONTROL_OCCUPIED
                                                   : VIR_DOMAIN_CONTROL_OK};
    return 0;
}

int __wrap_virDomainSetMemory(virDomainPtr handle, unsigned long target_kib)
{
    check_marks_of(handle);
    faults.asked_size += is_wrong(handle);
    return __real_virDomainSetMemory(handle, target_kib);
}

char *__wrap_virDomainGetMetadata(virDomainPtr handle, int type, const char *uri,
                                  unsigned int flags)
{
    return faults.hides_metadata ? NULL : __real_virDomainGetMetadata(handle, type, uri, flags);
}

int __wrap_virDomainSetMetadata(virDomainPtr handle, int type, const char *metadata,
                                const char *key, const char *uri, unsigned int flags)
{
    if (faults.keeps_metadata)
        return -1;
    return __real_virDomainSetMetadata(handle, type, metadata, key, uri, flags);
}

/* All but the one that something is wrong with are read as ever. */
static void check_others(const struct bench *bench)
{
    static const char *const others[] = {"vm1", "vm3", "vm4", "vm5"};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        const struct domain *domain = find(bench, others[i]);
        ck_assert(domain->is_known && domain->max_kib != 0);
        ck_assert_str_eq(domain_trouble(domain), "");
        ck_assert_int_eq(domain->actual_kib.known, strcmp(others[i], "vm3") != 0);
    }
}

START_TEST(a_domain_that_ends_meanwhile_is_left_out)
{
    struct bench *bench = open_bench(1);
    read_bench(bench);
    faults.has_gone = true;
    read_bench(bench);
    ck_assert_uint_eq(bench->now.count, DOMAINS - 1);
    check_others(bench);
    /* The list of those to be called is as the snapshot: its second is vm3 now, without a balloon,
     * its fourth is vm5. */
    ck_assert_int_eq(set_memory(bench, 3, 700 * MIB), 0);
    faults.has_gone = false;
    read_bench(bench);
    ck_assert_uint_eq(bench->now.count, DOMAINS);
    ck_assert_uint_eq(find(bench, "vm5")->actual_kib.value, 700 * MIB);
    ck_assert_uint_eq(find(bench, "vm2")->actual_kib.value, 512 * MIB);
    close_bench(bench);
}
END_TEST

/* Who has a handle keeps it, whatever place the list gives it. */
START_TEST(a_list_may_come_in_any_order)
{
    struct bench *bench = open_bench(1);
    read_bench(bench);
    for (unsigned int i = 0; i < 4; i++) {
        faults.lists_backwards = i % 2 == 0;
        ck_assert_int_eq(set_memory(bench, i == 2 ? 0 : 1, (600 + i) * MIB), 0);
        read_bench(bench);
        ck_assert_uint_eq(bench->now.count, DOMAINS);
        for (size_t k = 0; k < DOMAINS; k++)
            ck_assert_int_eq(bench->now.domains[k].name[2], '1' + (int)k);
        ck_assert_uint_eq(find(bench, i == 2 ? "vm1" : "vm2")->actual_kib.value, (600 + i) * MIB);
    }
    faults.lists_backwards = false;
    close_bench(bench);
}
END_TEST

START_TEST(who_stays_is_asked_for_its_uuid_once)
{
    for (unsigned int i = 0; i < 2; i++) {
        faults.tells_no_lifecycle = i == 1;
        struct bench *bench = open_bench(1);
        read_bench(bench);
        faults.asked_uuid = 0;
        read_bench(bench);
        ck_assert_uint_eq(faults.asked_uuid, i == 1 ? DOMAINS : 0);
        faults.has_gone = true;
        read_bench(bench);
        faults.has_gone = false;
        faults.lists_no_more = true;
        faults.asked_uuid = 0;
        read_bench(bench); /* as many as were left, but each may have another place */
        ck_assert_uint_eq(faults.asked_uuid, DOMAINS - 1);
        check_others(bench);
        faults.lists_no_more = false;
        close_bench(bench);
    }
    faults.tells_no_lifecycle = false;
}
END_TEST

START_TEST(statistics_that_fail_are_its_own_trouble)
{
    struct bench *bench = open_bench(1);
    read_bench(bench);
    faults.has_no_statistics = true;
    read_bench(bench);
    ck_assert_uint_eq(bench->now.count, DOMAINS);
    const struct domain *domain = find(bench, "vm2");
    ck_assert_ptr_eq(strstr(domain_trouble(domain), "cannot read its statistics: "),
                     domain_trouble(domain));
    ck_assert(!domain->actual_kib.known && domain->max_kib == 2048 * MIB);
    check_others(bench);
    faults.has_no_statistics = false;
    read_bench(bench);
    ck_assert_str_eq(domain_trouble(find(bench, "vm2")), "");
    close_bench(bench);
}
END_TEST

START_TEST(a_configuration_that_fails_is_asked_for_again)
{
    static const struct {
        bool has_no_xml;
        const char *xml;
        const char *trouble;
    } rows[] = {
        {true, NULL, "cannot read its configuration: "},
        {false, "<domain><memory>7", "cannot parse its configuration"},
        {false, "<domain><memory unit='MiB'>7</memory></domain>", "cannot parse its configuration"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct bench *bench = open_bench(1);
        faults.has_no_xml = rows[i].has_no_xml;
        faults.xml = rows[i].xml;
        for (unsigned int j = 0; j < 2; j++) {
            read_bench(bench);
            const struct domain *domain = find(bench, "vm2");
            ck_assert_ptr_eq(strstr(domain_trouble(domain), rows[i].trouble),
                             domain_trouble(domain));
            ck_assert(!domain->is_known && domain->max_kib == 0 && domain->actual_kib.known);
            check_others(bench);
        }
        faults.has_no_xml = false;
        faults.xml = NULL;
        read_bench(bench);
        ck_assert(find(bench, "vm2")->is_known && find(bench, "vm2")->max_kib == 2048 * MIB);
        ck_assert_str_eq(domain_trouble(find(bench, "vm2")), "");
        close_bench(bench);
    }
}
END_TEST

START_TEST(statistics_that_cannot_be_switched_on_are_tried_again)
{
    struct bench *bench = open_bench(1);
    faults.keeps_its_period = true;
    for (unsigned int i = 0; i < 2; i++) {
        read_bench(bench);
        const struct domain *domain = find(bench, "vm2");
        ck_assert_ptr_eq(strstr(domain_trouble(domain), "cannot switch its statistics on: "),
                         domain_trouble(domain));
        ck_assert(!domain->is_known && domain->period_sec == 7 && domain->actual_kib.known);
        check_others(bench);
    }
    faults.keeps_its_period = false;
    read_bench(bench);
    ck_assert(find(bench, "vm2")->is_known && find(bench, "vm2")->period_sec == 1);
    close_bench(bench);
}
END_TEST

/* ---- jobs ---- */

static void set_job(int state, int state_reason, int operation)
{
    faults.state = state;
    faults.state_reason = state_reason;
    faults.operation = operation;
}

/* vm2 in the state that a job gives it, and what is asked of it then. */
static const struct {
    const char *name;
    int state;
    int reason;
    int operation;
    bool hides_its_job;
    enum domain_job want;
    bool is_read;
} jobs[] = {
    {"none", VIR_DOMAIN_RUNNING, 1, VIR_DOMAIN_JOB_OPERATION_UNKNOWN, false, JOB_NONE, true},
    {"no driver for jobs", VIR_DOMAIN_RUNNING, 1, 0, true, JOB_NONE, true},
    {"leaves", VIR_DOMAIN_RUNNING, 1, VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT, false, JOB_LEAVES,
     true},
    {"leaves, its last pages", VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION,
     VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT, false, JOB_LEAVES, true},
    {"has left, page by page", VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_POSTCOPY,
     VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT, false, JOB_LEAVES, true},
    {"arrives", VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION, 0, true, JOB_ARRIVES, false},
    {"arrives, by its own word", VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION,
     VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN, false, JOB_ARRIVES, false},
    {"arrives, and runs already", VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_POSTCOPY, 0, true,
     JOB_ARRIVES, false},
    {"starts", VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_STARTING_UP, 0, false, JOB_STARTS, false},
    {"is restored", VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_UNKNOWN, VIR_DOMAIN_JOB_OPERATION_RESTORE,
     false, JOB_STARTS, false},
    {"is saved", VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_SAVE, VIR_DOMAIN_JOB_OPERATION_SAVE, false,
     JOB_SAVES, true},
    {"is dumped", VIR_DOMAIN_RUNNING, 1, VIR_DOMAIN_JOB_OPERATION_DUMP, false, JOB_SAVES, true},
    {"a snapshot", VIR_DOMAIN_RUNNING, 1, VIR_DOMAIN_JOB_OPERATION_SNAPSHOT, false, JOB_SAVES,
     true},
    {"a backup", VIR_DOMAIN_RUNNING, 1, VIR_DOMAIN_JOB_OPERATION_BACKUP, false, JOB_NONE, true},
};

/* It is new; then, without its owner's doing, free again. */
START_TEST(knows_what_a_domain_is_busy_with)
{
    struct bench *bench = open_bench(1);
    set_job(jobs[_i].state, jobs[_i].reason, jobs[_i].operation);
    faults.hides_its_job = jobs[_i].hides_its_job;
    for (int i = 0; i < 2; i++) {
        read_bench(bench);
        const struct domain *domain = find(bench, "vm2");
        ck_assert_msg(domain->job == jobs[_i].want, "%s: job %d", jobs[_i].name, domain->job);
        ck_assert_msg(domain->actual_kib.known == jobs[_i].is_read, "%s: read?", jobs[_i].name);
        ck_assert_uint_eq(domain->max_kib, 2048 * MIB);
        ck_assert_str_eq(domain_trouble(domain), "");
        check_others(bench);
    }
    ck_assert_int_eq(faults.asked_figures != 0, jobs[_i].is_read);
    /* To have it report more often would wait for the job, too. */
    ck_assert_int_eq(faults.asked_period != 0, jobs[_i].want == JOB_NONE);
    set_job(VIR_DOMAIN_NOSTATE, 0, VIR_DOMAIN_JOB_OPERATION_UNKNOWN);
    faults.hides_its_job = false;
    read_bench(bench);
    const struct domain *domain = find(bench, "vm2");
    ck_assert(domain->job == JOB_NONE && domain->is_running && domain->actual_kib.known);
    ck_assert_uint_eq(domain->period_sec, 1);
    close_bench(bench);
}
END_TEST

START_TEST(asks_for_jobs_only_where_there_may_be_one)
{
    struct bench *bench = open_bench(1);
    read_bench(bench);
    ck_assert_uint_eq(faults.asked_job, 1); /* it was new */
    read_bench(bench);
    ck_assert_uint_eq(faults.asked_job, 1);
    bench->now.domains[1].is_running = false; /* its owner has paused it */
    set_job(VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER, VIR_DOMAIN_JOB_OPERATION_UNKNOWN);
    read_bench(bench);
    ck_assert_uint_eq(faults.asked_job, 1);
    set_job(VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_SNAPSHOT, VIR_DOMAIN_JOB_OPERATION_SNAPSHOT);
    read_bench(bench);
    ck_assert_uint_eq(faults.asked_job, 2);
    ck_assert_int_eq(find(bench, "vm2")->job, JOB_SAVES);
    close_bench(bench);
}
END_TEST

START_TEST(sets_nothing_while_that_would_wait_for_a_job)
{
    struct bench *bench = open_bench(1);
    read_bench(bench);
    set_job(VIR_DOMAIN_RUNNING, 1, VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT);
    ck_assert_int_eq(set_memory(bench, 1, 700 * MIB), -EBUSY);
    ck_assert_str_eq(bench->error, "cannot set its memory: it is busy with a job");
    ck_assert_uint_eq(faults.asked_size, 0);
    set_job(VIR_DOMAIN_RUNNING, 1, VIR_DOMAIN_JOB_OPERATION_BACKUP);
    ck_assert_int_eq(set_memory(bench, 1, 700 * MIB), 0);
    ck_assert_uint_eq(faults.asked_size, 1);
    close_bench(bench);
}
END_TEST

static virDomainPtr find_listed(virConnectPtr connection, const char *name)
{
    virDomainPtr handle = virDomainLookupByName(connection, name);
    ck_assert_ptr_nonnull(handle);
    return handle;
}

/* Each in the form that libvirt calls it in. */
static void tell_of(int event, virConnectPtr connection, virDomainPtr handle)
{
    void (*callback)(void) = (void (*)(void))faults.told[event];
    ck_assert(callback != NULL);
    if (event == VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION)
        ((virConnectDomainEventMigrationIterationCallback)callback)(connection, handle, 1,
                                                                    faults.told_argument);
    else
        ((virConnectDomainEventDeviceAddedCallback)callback)(connection, handle, "net0",
                                                             faults.told_argument);
}

/* The test driver neither migrates nor tells of devices: it is told in its place. */
START_TEST(looks_up_again_who_has_changed)
{
    static const int kinds[] = {VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION,
                                VIR_DOMAIN_EVENT_ID_DEVICE_ADDED,
                                VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct bench *bench = open_bench(1);
        read_bench(bench);
        virConnectPtr connection = virConnectOpen(bench->uri);
        virDomainPtr handle = find_listed(connection, "vm2");
        set_job(VIR_DOMAIN_RUNNING, 1, VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT);
        faults.xml = "<domain><memory>2097152</memory><devices><hostdev type='pci'/>"
                     "<memballoon model='virtio'/></devices></domain>";
        read_bench(bench);
        ck_assert_int_eq(find(bench, "vm2")->job, JOB_NONE); /* nobody has told */
        tell_of(kinds[i], connection, handle);
        read_bench(bench);
        ck_assert_int_eq(find(bench, "vm2")->job, JOB_LEAVES);
        ck_assert_int_eq(find(bench, "vm2")->obstacle, OBSTACLE_DEVICE);
        faults.xml = NULL;
        set_job(VIR_DOMAIN_NOSTATE, 0, VIR_DOMAIN_JOB_OPERATION_UNKNOWN);
        read_bench(bench); /* what it was told is known and kept */
        ck_assert_int_eq(find(bench, "vm2")->job, JOB_NONE);
        ck_assert_int_eq(find(bench, "vm2")->obstacle, OBSTACLE_DEVICE);
        virDomainFree(handle);
        virConnectClose(connection);
        close_bench(bench);
    }
}
END_TEST

/* Nobody else is asked in its place, and it is known again. */
START_TEST(a_start_of_which_nothing_was_heard_shows_when_it_is_asked)
{
    faults.loses_lifecycle = true;
    struct editor *editor = open_editor(0);
    read_editor(editor);
    int id = only(editor)->id;
    ck_assert_int_eq(virDomainDestroy(editor->handle), 0);
    ck_assert_int_eq(virDomainCreate(editor->handle), 0);
    read_editor(editor);
    ck_assert_int_eq(only(editor)->id, id);
    ck_assert_int_eq(
        operations->set_memory(editor->hypervisor, only(editor), 700 * MIB, editor->error), -EIO);
    read_editor(editor);
    ck_assert_int_eq(only(editor)->id, (int)virDomainGetID(editor->handle));
    close_editor(editor);
    faults.loses_lifecycle = false;
}
END_TEST

START_TEST(says_that_the_connection_is_lost)
{
    struct bench *bench = open_bench(1);
    read_bench(bench);
    faults.cannot_list = true;
    ck_assert_int_eq(operations->read(bench->hypervisor, &bench->now, &bench->before, bench->error),
                     -ENOTCONN);
    ck_assert_ptr_eq(strstr(bench->error, "cannot list the domains: "), bench->error);
    faults.cannot_list = false;
    faults.is_dead = true;
    ck_assert_int_eq(operations->read(bench->hypervisor, &bench->now, &bench->before, bench->error),
                     -ENOTCONN);
    ck_assert_str_eq(bench->error, "connection closed");
    faults.is_dead = false;
    ck_assert_int_eq(operations->connect(bench->hypervisor, bench->error), 0);
    read_bench(bench);
    ck_assert_uint_eq(bench->now.count, DOMAINS);
    close_bench(bench);
}
END_TEST

#define FIGURE(name, kib)                                                                          \
    {                                                                                              \
        .field = name, .value = kib                                                                \
    }

/* What libvirt says a host has, and what its kernel says. */
static const struct {
    virNodeMemoryStats figures[4];
    int count;
    bool fails;
    bool has_no_meminfo;
    uint64_t meminfo_kib;
    struct host want;
} hosts[] = {
    /* of all that is cached not all can be given back */
    {{FIGURE("total", 1000), FIGURE("free", 100), FIGURE("buffers", 20), FIGURE("cached", 300)},
     4,
     false,
     false,
     250,
     {.has_memory = true, .total_kib = 1000, .available_kib = 250}},
    {{FIGURE("cached", 300), FIGURE("total", 1000), FIGURE("x", 7), FIGURE("free", 100)},
     4,
     false,
     false,
     999, /* the kernel keeps of files more than that */
     {.has_memory = true, .total_kib = 1000, .available_kib = 999}},
    {{FIGURE("total", 1000), FIGURE("free", 100), FIGURE("buffers", 20), FIGURE("cached", 300)},
     4,
     false,
     true,
     0,
     {.has_memory = true, .total_kib = 1000, .available_kib = 420}},
    {{FIGURE("total", 1000), FIGURE("free", 100)},
     2,
     false,
     false,
     999,
     {.has_memory = true, .total_kib = 1000, .available_kib = 999}},
    {{FIGURE("total", 1000), FIGURE("free", 100)},
     2,
     true, /* which need not be asked */
     false,
     999,
     {.has_memory = true, .total_kib = 1000, .available_kib = 999}},
    {{FIGURE("total", 1000), FIGURE("free", 100)},
     2,
     true,
     true,
     0,
     {.has_memory = false, .total_kib = 0, .available_kib = 0}},
};

START_TEST(reads_what_the_host_says)
{
    faults.host = hosts[_i].figures;
    faults.host_figures = hosts[_i].count;
    faults.host_fails = hosts[_i].fails;
    faults.has_no_meminfo = hosts[_i].has_no_meminfo;
    faults.meminfo_kib = hosts[_i].meminfo_kib;
    struct bench *bench = open_bench(1);
    read_bench(bench);
    const struct host *host = &bench->now.host;
    ck_assert_int_eq(host->has_memory, hosts[_i].want.has_memory);
    if (host->has_memory) {
        ck_assert_uint_eq(host->total_kib, hosts[_i].want.total_kib);
        ck_assert_uint_eq(host->available_kib, hosts[_i].want.available_kib);
    }
    close_bench(bench);
    faults.host = NULL;
}
END_TEST

/* This host's kernel knows nothing of another. */
START_TEST(of_another_host_only_libvirt_tells)
{
    static const virNodeMemoryStats figures[] = {FIGURE("total", 5000), FIGURE("free", 100)};
    faults.host = figures;
    faults.host_figures = COUNT_OF(figures);
    faults.meminfo_kib = 999;
    faults.uri = "qemu+ssh://elsewhere/system";
    struct bench *bench = open_bench(1);
    read_bench(bench);
    ck_assert(bench->now.host.has_memory);
    ck_assert_uint_eq(bench->now.host.total_kib, 5000);
    ck_assert_uint_eq(bench->now.host.available_kib, 100);
    close_bench(bench);
    faults.host = NULL;
    faults.uri = NULL;
}
END_TEST

static void ignore_timer(int timer, void *argument)
{
    (void)timer;
    (void)argument;
}

/* A server that accepts and goes: nothing of such a connection may stay, or in the end there would
 * be no room for what a good one has to have watched. */
START_TEST(connections_that_fail_leave_nothing)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char uri[192];
    char error[HYPERVISOR_ERROR_BYTES];
    snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/test_hypervisor.%d", (int)getpid());
    signal(SIGPIPE, SIG_IGN); /* as the program does */
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(listener, 5), 0);
    pid_t server = fork();
    while (server == 0)
        close(accept(listener, NULL, NULL));
    snprintf(uri, sizeof(uri), "qemu+unix:///system?socket=%s", address.sun_path);
    struct hypervisor *hypervisor = hypervisor_open(uri, 0);
    ck_assert_ptr_nonnull(hypervisor);
    int first = 0;
    int last = 0;
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(operations->connect(hypervisor, error), -ENOTCONN);
        last = dup(listener); /* the lowest number that is free */
        first = i == 1 ? last : first;
        close(last);
    }
    ck_assert_int_eq(first, last);
    int timer = virEventAddTimeout(-1, ignore_timer, NULL, NULL);
    ck_assert_int_gt(timer, 0);
    ck_assert_int_eq(virEventRemoveTimeout(timer), 0);
    hypervisor_close(hypervisor);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    close(listener);
    unlink(address.sun_path);
}
END_TEST

/* ---- sharing of pages ---- */

static const struct ksm_settings wanted = {{true, 1}, {true, 400}, {true, 10}};

static struct ksm_reading read_sharing(struct bench *bench)
{
    struct ksm_reading reading = {0};
    ck_assert_int_eq(operations->read_sharing(bench->hypervisor, &reading, bench->error), 0);
    return reading;
}

static int set_sharing(struct bench *bench)
{
    faults.set_by_libvirt = faults.set_by_file = (struct ksm_settings){0};
    return operations->set_sharing(bench->hypervisor, &wanted, bench->error);
}

/* One that tells of its memory, as the test driver does not. */
static struct bench *open_own_host(void)
{
    faults.host = hosts[0].figures;
    faults.host_figures = hosts[0].count;
    return open_bench(1);
}

START_TEST(reads_of_sharing_what_libvirt_tells_and_the_rest_itself)
{
    struct bench *bench = open_own_host();
    struct ksm_reading reading = read_sharing(bench);
    ck_assert_uint_eq(reading.pages_to_scan.value, 100);
    ck_assert(reading.full_scans.known && !reading.pages_sharing.known);
    faults.has_parameters = true;
    reading = read_sharing(bench);
    ck_assert_int_eq(reading.obstacle, KSM_FREE);
    ck_assert(reading.run.known);
    ck_assert_uint_eq(reading.pages_to_scan.value, 300);
    ck_assert_uint_eq(reading.pages_sharing.value, 9000);
    close_bench(bench);
}
END_TEST

START_TEST(sharing_is_set_by_libvirt_and_started_by_the_file)
{
    struct bench *bench = open_own_host();
    ck_assert_int_eq(set_sharing(bench), 0);
    ck_assert_uint_eq(faults.set_by_libvirt.pages_to_scan.value, 400);
    ck_assert_uint_eq(faults.set_by_libvirt.sleep_msec.value, 10);
    ck_assert(!faults.set_by_file.pages_to_scan.known);
    ck_assert_uint_eq(faults.set_by_file.run.value, 1);
    faults.keeps_parameters = true; /* an ordinary user's libvirtd */
    ck_assert_int_eq(set_sharing(bench), 0);
    ck_assert_uint_eq(faults.set_by_file.pages_to_scan.value, 400);
    ck_assert_uint_eq(faults.set_by_file.run.value, 1);
    faults.file_result = -EROFS;
    ck_assert_int_eq(set_sharing(bench), -EROFS);
    ck_assert_str_eq(bench->error, "cannot start KSM: Read-only file system");
    ck_assert_int_eq(operations->set_sharing(bench->hypervisor,
                                             &(struct ksm_settings){.sleep_msec = {true, 5}},
                                             bench->error),
                     -EROFS);
    ck_assert_str_eq(bench->error, "cannot set how fast KSM works: Read-only file system");
    close_bench(bench);
}
END_TEST

START_TEST(sharing_of_another_host_is_read_only)
{
    struct bench *bench = open_bench(1); /* says nothing of its memory: only pretends to be here */
    faults.has_parameters = true;
    struct ksm_reading reading = read_sharing(bench);
    ck_assert_int_eq(reading.obstacle, KSM_ELSEWHERE);
    ck_assert(!reading.run.known && !reading.full_scans.known);
    ck_assert_uint_eq(reading.pages_sharing.value, 9000);
    ck_assert_int_eq(set_sharing(bench), -ENOTSUP);
    ck_assert(!faults.set_by_libvirt.pages_to_scan.known && !faults.set_by_file.run.known);
    close_bench(bench);
}
END_TEST

START_TEST(without_a_connection_sharing_is_set_by_the_files)
{
    struct bench *bench = open_own_host();
    operations->disconnect(bench->hypervisor);
    ck_assert_int_eq(set_sharing(bench), 0);
    ck_assert_uint_eq(faults.set_by_file.run.value, 1);
    ck_assert_uint_eq(faults.set_by_file.pages_to_scan.value, 400);
    struct ksm_reading reading;
    ck_assert_int_eq(operations->read_sharing(bench->hypervisor, &reading, bench->error),
                     -ENOTCONN);
    close_bench(bench);
}
END_TEST

/* ---- settings, changed by a command ---- */

#define DEFAULT_URI "test:///default"

static int change(const char *name, const char *key, const char *value,
                  char text[HYPERVISOR_ERROR_BYTES])
{
    const struct domain_xml_change changes[] = {{key, value}};
    return hypervisor_change_settings(DEFAULT_URI, name, changes, COUNT_OF(changes), text);
}

static void check_stored(const struct editor *editor, unsigned int where, const char *want)
{
    char *element =
        virDomainGetMetadata(editor->handle, VIR_DOMAIN_METADATA_ELEMENT, SETTINGS_URI, where);
    if (want == NULL)
        ck_assert_ptr_null(element);
    else
        ck_assert_msg(element != NULL && strstr(element, want) != NULL, "%s", element);
    free(element);
}

START_TEST(sets_changes_and_removes_settings)
{
    struct editor *editor = open_editor(0);
    const struct settings none = {0};
    const struct domain_xml_change both[] = {{"min", "400MiB"}, {"shares", "2000"}};
    read_editor(editor);
    ck_assert_int_eq(change("test", "min", "300MiB", editor->error), 0);
    ck_assert_ptr_nonnull(strstr(editor->error, "min=\"300MiB\""));
    read_editor(editor);
    ck_assert_uint_eq(only(editor)->settings.min_kib.value, 300 * MIB);
    ck_assert_int_eq(
        hypervisor_change_settings(DEFAULT_URI, "test", both, COUNT_OF(both), editor->error), 0);
    read_editor(editor);
    ck_assert_uint_eq(only(editor)->settings.min_kib.value, 400 * MIB);
    ck_assert_uint_eq(only(editor)->settings.shares.value, 2000);
    ck_assert_int_eq(change("test", "min", "", editor->error), 0);
    read_editor(editor);
    ck_assert(!only(editor)->settings.min_kib.known);
    ck_assert_uint_eq(only(editor)->settings.shares.value, 2000);
    ck_assert_int_eq(change("test", "shares", "", editor->error), 0);
    ck_assert_str_eq(editor->error, "");
    read_editor(editor);
    ck_assert(settings_equal(&only(editor)->settings, &none));
    check_stored(editor, VIR_DOMAIN_AFFECT_LIVE, NULL);
    close_editor(editor);
}
END_TEST

START_TEST(changed_settings_outlast_what_runs)
{
    struct editor *editor = open_editor(0);
    ck_assert_int_eq(change("test", "min", "300MiB", editor->error), 0);
    check_stored(editor, VIR_DOMAIN_AFFECT_LIVE, "300MiB");
    check_stored(editor, VIR_DOMAIN_AFFECT_CONFIG, "300MiB");
    ck_assert_int_eq(virDomainDestroy(editor->handle), 0);
    ck_assert_int_eq(change("test", "min", "400MiB", editor->error), 0); /* nothing runs */
    check_stored(editor, VIR_DOMAIN_AFFECT_CONFIG, "400MiB");
    close_editor(editor);
}
END_TEST

START_TEST(settings_of_a_domain_without_a_configuration_are_changed_where_it_runs)
{
    struct editor *editor = open_editor(0);
    virDomainPtr handle = virDomainCreateXML(editor->connection,
                                             "<domain type='test'><name>passing</name>"
                                             "<memory unit='MiB'>512</memory>"
                                             "<os><type>hvm</type></os></domain>",
                                             0);
    ck_assert_ptr_nonnull(handle);
    ck_assert_msg(change("passing", "min", "300MiB", editor->error) == 0, "%s", editor->error);
    virDomainFree(editor->handle);
    editor->handle = handle;
    check_stored(editor, VIR_DOMAIN_AFFECT_LIVE, "300MiB");
    close_editor(editor);
}
END_TEST

START_TEST(changes_settings_of_who_is_named_by_its_uuid)
{
    struct editor *editor = open_editor(0);
    char uuid[VIR_UUID_STRING_BUFLEN];
    ck_assert_int_eq(virDomainGetUUIDString(editor->handle, uuid), 0);
    ck_assert_int_eq(change(uuid, "managed", "no", editor->error), 0);
    check_stored(editor, VIR_DOMAIN_AFFECT_LIVE, "managed=\"no\"");
    close_editor(editor);
}
END_TEST

START_TEST(a_change_that_fails_says_why_and_changes_nothing)
{
    struct editor *editor = open_editor(0);
    const struct domain_xml_change half[] = {{"min", "500MiB"}, {"shares", "many"}};
    char *text = editor->error;
    ck_assert_int_eq(change("test", "min", "300MiB", text), 0);
    ck_assert_int_eq(hypervisor_change_settings(DEFAULT_URI, "test", half, COUNT_OF(half), text),
                     -EINVAL);
    ck_assert_msg(strstr(text, "shares 'many'") == text, "%s", text);
    ck_assert_int_eq(change("nobody", "min", "400MiB", text), -ENOENT);
    ck_assert_str_eq(text, "no domain 'nobody'");
    ck_assert_int_eq(hypervisor_change_settings("nonsense:///", "test", half, 1, text), -ENOTCONN);
    ck_assert_msg(strstr(text, "cannot connect: ") == text, "%s", text);
    faults.hides_metadata = true; /* what else it sets would be lost */
    ck_assert_int_eq(change("test", "shares", "7", text), -EIO);
    ck_assert_msg(strstr(text, "cannot read its metadata: ") == text, "%s", text);
    faults.hides_metadata = false;
    faults.keeps_metadata = true;
    ck_assert_int_eq(change("test", "shares", "7", text), -EIO);
    ck_assert_msg(strstr(text, "cannot set its metadata: ") == text, "%s", text);
    faults.keeps_metadata = false;
    read_editor(editor);
    ck_assert_uint_eq(only(editor)->settings.min_kib.value, 300 * MIB);
    ck_assert(!only(editor)->settings.shares.known);
    close_editor(editor);
}
END_TEST

/* ---- who watches ---- */

static const uint64_t LONG_USEC = 1000 * SEC;

/* Has BENCH watched; vm2, as it was read last, has not answered a call. */
static struct hypervisor_watch *watch_bench(struct bench *bench)
{
    struct hypervisor_watch *watch = calloc(1, sizeof(*watch));
    ck_assert_ptr_nonnull(watch);
    const struct domain *domain = find(bench, "vm2");
    watch->suspects[0] = (struct hypervisor_suspect){.id = domain->id, .hangs = 1};
    memcpy(watch->suspects[0].uuid, domain->uuid, sizeof(domain->uuid));
    watch->suspect_count = 1;
    operations->watch(bench->hypervisor, watch);
    faults.asked = 0;
    return watch;
}

static void close_watched(struct bench *bench, struct hypervisor_watch *watch)
{
    faults.is_occupied = faults.has_no_control = faults.has_no_statistics = false;
    faults.watch = NULL;
    close_bench(bench);
    free(watch);
}

START_TEST(a_suspect_that_is_occupied_is_not_touched)
{
    struct bench *bench = open_bench(1);
    read_bench(bench);
    struct hypervisor_watch *watch = watch_bench(bench);
    faults.is_occupied = true;
    faults.has_no_statistics = true; /* would be its trouble */
    read_bench(bench);
    const struct domain *domain = find(bench, "vm2");
    ck_assert(domain->is_frozen && !domain->is_known && !domain->actual_kib.known);
    ck_assert_uint_eq(domain->max_kib, 2048 * MIB);
    ck_assert_str_eq(domain_trouble(domain), "");
    ck_assert_uint_eq(faults.asked, 1); /* of the suspect only */
    check_others(bench);
    faults.is_occupied = faults.has_no_statistics = false;
    read_bench(bench);
    domain = find(bench, "vm2");
    ck_assert(!domain->is_frozen && domain->is_known && domain->actual_kib.known);
    close_watched(bench, watch);
}
END_TEST

START_TEST(a_suspect_of_which_nothing_is_told_is_asked)
{
    struct bench *bench = open_bench(1);
    read_bench(bench);
    struct hypervisor_watch *watch = watch_bench(bench);
    faults.is_occupied = faults.has_no_control = true;
    read_bench(bench);
    ck_assert(!find(bench, "vm2")->is_frozen && find(bench, "vm2")->actual_kib.known);
    close_watched(bench, watch);
}
END_TEST

START_TEST(a_suspect_is_left_alone_for_a_time)
{
    struct bench *bench = open_bench(1);
    read_bench(bench);
    struct hypervisor_watch *watch = watch_bench(bench);
    watch->suspects[0].until_usec = clock_monotonic_usec() + LONG_USEC;
    bench->now.domains[1].max_kib = 0; /* not even its configuration is read */
    read_bench(bench);
    const struct domain *domain = find(bench, "vm2");
    ck_assert(domain->is_frozen && !domain->actual_kib.known && domain->max_kib == 0);
    ck_assert_uint_eq(faults.asked, 0);
    check_others(bench);
    watch->suspects[0].until_usec = clock_monotonic_usec();
    read_bench(bench);
    domain = find(bench, "vm2");
    ck_assert(!domain->is_frozen && domain->actual_kib.known && domain->max_kib == 2048 * MIB);
    ck_assert_uint_eq(faults.asked, 1);
    close_watched(bench, watch);
}
END_TEST

/* Its size is known then, and its statistics are not switched on, which would be a call on it. */
START_TEST(the_configuration_of_a_frozen_newcomer_is_read)
{
    struct bench *bench = open_bench(0);
    read_bench(bench);
    hypervisor_close(bench->hypervisor);
    bench->hypervisor = hypervisor_open(bench->uri, 1);
    struct hypervisor_watch *watch = watch_bench(bench);
    ck_assert_int_eq(operations->connect(bench->hypervisor, bench->error), 0);
    bench->now.count = 0;
    faults.is_occupied = true;
    read_bench(bench);
    const struct domain *domain = find(bench, "vm2");
    ck_assert(domain->is_frozen && !domain->is_known);
    ck_assert_uint_eq(domain->max_kib, 2048 * MIB);
    ck_assert_uint_eq(domain->period_sec, 7);
    faults.is_occupied = false;
    read_bench(bench);
    ck_assert_uint_eq(find(bench, "vm2")->period_sec, 1);
    close_watched(bench, watch);
}
END_TEST

START_TEST(only_the_same_start_of_the_same_domain_is_suspect)
{
    struct bench *bench = open_bench(1);
    read_bench(bench);
    struct hypervisor_watch *watch = watch_bench(bench);
    faults.is_occupied = true;
    watch->suspects[0].id += 100;
    read_bench(bench);
    ck_assert(!find(bench, "vm2")->is_frozen);
    watch->suspects[0].id -= 100;
    watch->suspects[0].uuid[0] ^= 1;
    read_bench(bench);
    ck_assert(!find(bench, "vm2")->is_frozen);
    watch->suspects[1] = watch->suspects[0];
    watch->suspects[1].uuid[0] ^= 1;
    read_bench(bench); /* the second is none yet */
    ck_assert(!find(bench, "vm2")->is_frozen);
    watch->suspect_count = 2;
    read_bench(bench);
    ck_assert(find(bench, "vm2")->is_frozen);
    close_watched(bench, watch);
}
END_TEST

START_TEST(marks_what_each_call_is_about)
{
    struct bench *bench = open_bench(1);
    read_bench(bench);
    struct hypervisor_watch *watch = watch_bench(bench);
    faults.watch = watch;
    faults.marked = 0;
    faults.started_usec = clock_coarse_usec();
    read_bench(bench);
    /* figures of each, and the state of one that is paused */
    ck_assert_uint_eq(faults.marked, DOMAINS + 1);
    faults.started_usec = clock_coarse_usec();
    ck_assert_int_eq(set_memory(bench, 0, 700 * MIB), 0);
    ck_assert_int_eq(set_memory(bench, 3, 700 * MIB), 0);
    ck_assert_uint_eq(faults.marked, DOMAINS + 1 + 2 * 2); /* its job, its size */
    ck_assert_int_eq(operations->connect(bench->hypervisor, bench->error), 0);
    check_marks_of_whole();
    close_watched(bench, watch);
}
END_TEST

START_TEST(who_is_not_watched_any_more_marks_nothing)
{
    struct bench *bench = open_bench(1);
    read_bench(bench);
    struct hypervisor_watch *watch = watch_bench(bench);
    operations->watch(bench->hypervisor, NULL);
    faults.is_occupied = true;
    read_bench(bench);
    ck_assert(!find(bench, "vm2")->is_frozen);
    ck_assert_uint_eq(watch->since_usec, 0);
    close_watched(bench, watch);
}
END_TEST

START_TEST(sets_nothing_of_another_start_of_the_domain)
{
    struct bench *bench = open_bench(1);
    read_bench(bench);
    bench->now.domains[1].id += 100;
    ck_assert_int_eq(set_memory(bench, 1, 700 * MIB), -EIO);
    ck_assert_ptr_eq(strstr(bench->error, "cannot set its memory"), bench->error);
    bench->now.domains[0].uuid[0] ^= 1; /* nobody's */
    ck_assert_int_eq(set_memory(bench, 0, 700 * MIB), -EIO);
    read_bench(bench);
    ck_assert_uint_eq(find(bench, "vm1")->actual_kib.value, 512 * MIB);
    ck_assert_uint_eq(find(bench, "vm2")->actual_kib.value, 512 * MIB);
    close_bench(bench);
}
END_TEST

START_TEST(sets_the_size_of_who_is_not_listed_yet)
{
    struct bench *bench = open_bench(1);
    read_bench(bench);
    ck_assert_int_eq(operations->connect(bench->hypervisor, bench->error), 0);
    ck_assert_int_eq(set_memory(bench, 1, 700 * MIB), 0);
    read_bench(bench);
    ck_assert_uint_eq(find(bench, "vm1")->actual_kib.value, 512 * MIB);
    ck_assert_uint_eq(find(bench, "vm2")->actual_kib.value, 700 * MIB);
    close_bench(bench);
}
END_TEST

START_TEST(disconnects_and_can_connect_again)
{
    struct bench *bench = open_bench(1);
    read_bench(bench);
    for (unsigned int i = 0; i < 2; i++) {
        operations->disconnect(bench->hypervisor);
        operations->serve(bench->hypervisor); /* nobody to be served */
    }
    ck_assert_int_eq(operations->connect(bench->hypervisor, bench->error), 0);
    read_bench(bench);
    ck_assert_uint_eq(bench->now.count, DOMAINS);
    close_bench(bench);
}
END_TEST

/* Of one test nothing goes wrong in the next. */
static void mend_all(void)
{
    memset(&faults, 0, sizeof(faults));
}

static TCase *make_cases(Suite *suite, const char *name)
{
    TCase *cases = tcase_create(name);
    tcase_add_checked_fixture(cases, mend_all, NULL);
    suite_add_tcase(suite, cases);
    return cases;
}

Suite *make_suite(void)
{
    Suite *suite = suite_create("hypervisor");
    TCase *metadata = make_cases(suite, "metadata");
    tcase_add_test(metadata, reads_the_settings_of_a_domain_that_appears);
    tcase_add_test(metadata, follows_changed_metadata);
    tcase_add_test(metadata, a_domain_that_was_started_anew_is_another_one);
    tcase_add_test(metadata, looks_up_only_whose_settings_have_changed);
    tcase_add_test(metadata, changes_are_heard_of_between_reads_too);
    tcase_add_test(metadata, changes_are_heard_of_while_the_list_is_kept);
    tcase_add_test(metadata, changes_while_disconnected_are_not_missed);
    tcase_add_loop_test(metadata, refuses_wrong_metadata_whole_and_keeps_what_was_right, 0,
                        COUNT_OF(wrong_elements));
    tcase_add_test(metadata, wrong_metadata_that_was_never_right_sets_nothing);
    tcase_add_test(metadata, who_is_not_to_be_managed_keeps_its_statistics_off);

    TCase *command = make_cases(suite, "settings, changed by a command");
    tcase_add_test(command, sets_changes_and_removes_settings);
    tcase_add_test(command, changed_settings_outlast_what_runs);
    tcase_add_test(command, settings_of_a_domain_without_a_configuration_are_changed_where_it_runs);
    tcase_add_test(command, changes_settings_of_who_is_named_by_its_uuid);
    tcase_add_test(command, a_change_that_fails_says_why_and_changes_nothing);

    TCase *watch = make_cases(suite, "who watches");
    tcase_add_test(watch, a_suspect_that_is_occupied_is_not_touched);
    tcase_add_test(watch, a_suspect_of_which_nothing_is_told_is_asked);
    tcase_add_test(watch, a_suspect_is_left_alone_for_a_time);
    tcase_add_test(watch, the_configuration_of_a_frozen_newcomer_is_read);
    tcase_add_test(watch, only_the_same_start_of_the_same_domain_is_suspect);
    tcase_add_test(watch, marks_what_each_call_is_about);
    tcase_add_test(watch, who_is_not_watched_any_more_marks_nothing);

    TCase *statistics = make_cases(suite, "statistics");
    tcase_add_loop_test(statistics, takes_each_statistic_by_its_tag, 0, COUNT_OF(tags));
    tcase_add_loop_test(statistics, of_two_statistics_with_a_tag_the_later_counts, 0,
                        COUNT_OF(tags));
    tcase_add_test(statistics, statistics_with_other_tags_are_left_out);

    TCase *failing = make_cases(suite, "libvirt that fails");
    tcase_add_test(failing, a_domain_that_ends_meanwhile_is_left_out);
    tcase_add_test(failing, a_list_may_come_in_any_order);
    tcase_add_test(failing, a_start_of_which_nothing_was_heard_shows_when_it_is_asked);
    tcase_add_test(failing, who_stays_is_asked_for_its_uuid_once);
    tcase_add_test(failing, statistics_that_fail_are_its_own_trouble);
    tcase_add_test(failing, a_configuration_that_fails_is_asked_for_again);
    tcase_add_test(failing, statistics_that_cannot_be_switched_on_are_tried_again);
    tcase_add_loop_test(failing, knows_what_a_domain_is_busy_with, 0, COUNT_OF(jobs));
    tcase_add_test(failing, asks_for_jobs_only_where_there_may_be_one);
    tcase_add_test(failing, sets_nothing_while_that_would_wait_for_a_job);
    tcase_add_test(failing, looks_up_again_who_has_changed);
    tcase_add_test(failing, says_that_the_connection_is_lost);
    tcase_add_loop_test(failing, reads_what_the_host_says, 0, COUNT_OF(hosts));
    tcase_add_test(failing, of_another_host_only_libvirt_tells);
    tcase_add_test(failing, connections_that_fail_leave_nothing);
    tcase_add_test(failing, reads_of_sharing_what_libvirt_tells_and_the_rest_itself);
    tcase_add_test(failing, sharing_is_set_by_libvirt_and_started_by_the_file);
    tcase_add_test(failing, sharing_of_another_host_is_read_only);
    tcase_add_test(failing, without_a_connection_sharing_is_set_by_the_files);

    TCase *cases = make_cases(suite, "test driver");
    tcase_add_test(cases, reads_the_domains_in_order);
    tcase_add_test(cases, reads_those_it_knows_where_the_list_is_kept);
    tcase_add_test(cases, a_domain_without_a_balloon_has_no_size_to_set);
    tcase_add_test(cases, notices_a_pause_of_who_is_asked_again);
    tcase_add_test(cases, reads_the_host);
    tcase_add_test(cases, a_host_that_does_not_say_what_it_has_is_unknown);
    tcase_add_test(cases, switches_statistics_on_and_never_slower);
    tcase_add_test(cases, sets_the_size_of_the_domain_meant);
    tcase_add_test(cases, says_why_a_size_was_refused);
    tcase_add_test(cases, sets_nothing_of_another_start_of_the_domain);
    tcase_add_test(cases, sets_the_size_of_who_is_not_listed_yet);
    tcase_add_test(cases, disconnects_and_can_connect_again);
    tcase_add_test(cases, keeps_what_it_knows_of_a_domain);
    tcase_add_test(cases, connects_again);
    tcase_add_test(cases, holds_no_more_after_many_reads);
    tcase_add_test(cases, says_why_it_cannot_connect);
    tcase_add_test(cases, chooses_the_uri_as_documented);
    return suite;
}
