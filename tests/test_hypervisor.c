/* test_hypervisor.c - libvirt behind the operations, on libvirt's own test driver. */
#include "hypervisor.h"
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
 * paused, vm5 has memory that its balloon knows nothing of. */
static void write_host(FILE *file)
{
    fputs("<node>\n", file);
    for (int i = DOMAINS; i > 0; i--)
        fprintf(file,
                "<domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>\n"
                "  <name>vm%d</name>\n"
                "  <uuid>00000000-0000-0000-0000-00000000000%d</uuid>\n"
                "  <maxMemory slots='2' unit='GiB'>16</maxMemory>\n"
                "  <memory unit='MiB'>%d</memory>\n"
                "  <currentMemory unit='MiB'>512</currentMemory>\n"
                "  <cpu><numa><cell id='0' cpus='0' memory='%d' unit='MiB'/></numa></cpu>\n"
                "  <os><type>hvm</type></os>\n"
                "  <devices><memballoon model='%s'>%s</memballoon>%s</devices>\n"
                "  <test:runstate>%d</test:runstate>\n"
                "</domain>\n",
                i, i, 1024 * i, 1024 * i, i == 3 ? "none" : "virtio",
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

static struct bench *open_bench(unsigned int period_sec)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    ck_assert_ptr_nonnull(bench);
    strcpy(bench->path, "/tmp/test_hypervisor.XXXXXX");
    int descriptor = mkstemp(bench->path);
    ck_assert_int_ge(descriptor, 0);
    FILE *file = fdopen(descriptor, "w");
    write_host(file);
    fclose(file);
    snprintf(bench->uri, sizeof(bench->uri), "test://%s", bench->path);
    bench->hypervisor = hypervisor_open(bench->uri, period_sec);
    ck_assert_ptr_nonnull(bench->hypervisor);
    ck_assert_msg(operations->connect(bench->hypervisor, bench->error) == 0, "%s", bench->error);
    return bench;
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

Suite *make_suite(void)
{
    Suite *suite = suite_create("hypervisor");
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
