/*
 * test_oom.c - memory that runs out at the first, the second, at every place where some is taken:
 * nothing half done, nothing lost, and said why. The linker has all that is linked here call the
 * functions below instead of the C library's.
 */
#include "config.h"
#include "coordinator.h"
#include "domain_xml.h"
#include "hypervisor.h"
#include "options.h"
#include "scenario.h"
#include "support.h"

#include <errno.h>
#include <libxml/parser.h>
#include <libxml/xmlmemory.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- an allocator that fails ---- */

/* Which of the coming calls is to fail: 1 is the next; 0 for none. */
static struct {
    unsigned long fails_at;
    unsigned long calls;
} memory;

static void fail_at(unsigned long call)
{
    memory.fails_at = call;
    memory.calls = 0;
}

/* Ends the failing, before anything is asserted: that takes memory, too. Returns whether a call has
 * failed. */
static bool has_failed(void)
{
    bool failed = memory.fails_at != 0 && memory.calls >= memory.fails_at;
    memory.fails_at = 0;
    return failed;
}

static bool is_to_fail(void)
{
    bool fails = ++memory.calls == memory.fails_at;
    if (fails)
        errno = ENOMEM;
    return fails;
}

/* Those names are the linker's. */
void *__real_kept_new(size_t size);
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__real_reallocarray(void *block, size_t count, size_t size);
char *__real_strdup(const char *text);
FILE *__real_fdopen(int descriptor, const char *mode);
ssize_t __real_getline(char **line, size_t *size, FILE *stream);
ssize_t __real___getdelim(char **line, size_t *size, int end, FILE *stream);
void *__wrap_kept_new(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_reallocarray(void *block, size_t count, size_t size);
char *__wrap_strdup(const char *text);
FILE *__wrap_fdopen(int descriptor, const char *mode);
ssize_t __wrap_getline(char **line, size_t *size, FILE *stream);
ssize_t __wrap___getdelim(char **line, size_t *size, int end, FILE *stream);
int __wrap_asprintf(char **text, const char *format, ...) __attribute__((format(printf, 2, 3)));

void *__wrap_kept_new(size_t size)
{
    return is_to_fail() ? NULL : __real_kept_new(size);
}

void *__wrap_malloc(size_t size)
{
    return is_to_fail() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return is_to_fail() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return is_to_fail() ? NULL : __real_realloc(block, size);
}

void *__wrap_reallocarray(void *block, size_t count, size_t size)
{
    return is_to_fail() ? NULL : __real_reallocarray(block, count, size);
}

char *__wrap_strdup(const char *text)
{
    return is_to_fail() ? NULL : __real_strdup(text);
}

FILE *__wrap_fdopen(int descriptor, const char *mode)
{
    return is_to_fail() ? NULL : __real_fdopen(descriptor, mode);
}

ssize_t __wrap_getline(char **line, size_t *size, FILE *stream)
{
    return is_to_fail() ? -1 : __real_getline(line, size, stream);
}

/* What getline() is made of where it is inlined. */
ssize_t __wrap___getdelim(char **line, size_t *size, int end, FILE *stream)
{
    return is_to_fail() ? -1 : __real___getdelim(line, size, end, stream);
}

int __wrap_asprintf(char **text, const char *format, ...)
{
    if (is_to_fail())
        return -1;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(text, format, arguments);
    va_end(arguments);
    return length;
}

/* ---- a cycle ---- */

enum { GUESTS = 24, FEW = 2, CALLS = 256 };

/* Guests that do at once what they are asked for; each has much to spare. A list of others takes
 * memory. */
struct fake {
    uint64_t actual_kib[GUESTS];
    size_t count;
    uint64_t now_sec;
    size_t called[CALLS];
    uint64_t targets_kib[CALLS];
    size_t calls;
};

static int fake_connect(void *self, char error[HYPERVISOR_ERROR_BYTES])
{
    (void)self;
    (void)error;
    return 0;
}

static int fake_read(void *self, const struct snapshot *before, struct snapshot *now,
                     char error[HYPERVISOR_ERROR_BYTES])
{
    struct fake *fake = self;
    bool has_others = before->count != fake->count;
    void *list = has_others ? malloc(fake->count) : NULL;
    if (has_others && list == NULL) {
        strcpy(error, "out of memory for domains");
        return -ENOMEM;
    }
    free(list);
    now->host = (struct host){.has_memory = true, .total_kib = 64 * GIB, .available_kib = 32 * GIB};
    now->count = fake->count;
    for (size_t i = 0; i < fake->count; i++) {
        uint64_t actual = fake->actual_kib[i];
        now->domains[i] = (struct domain){
            .uuid = {(uint8_t)(i + 1)},
            .id = (int)i + 1,
            .is_known = true,
            .is_running = true,
            .has_balloon = true,
            .max_kib = 2 * GIB,
            .period_sec = 1,
            .actual_kib = {true, actual},
            .rss_kib = {true, actual},
            .available_kib = {true, actual - 69 * MIB},
            .unused_kib = {true, actual - 340 * MIB},
            .last_update_sec = {true, fake->now_sec},
        };
        snprintf(now->domains[i].name, sizeof(now->domains[i].name), "vm%zu", i + 1);
    }
    return 0;
}

static int fake_set_memory(void *self, const struct domain *domain, uint64_t target_kib,
                           char error[HYPERVISOR_ERROR_BYTES])
{
    struct fake *fake = self;
    size_t index = (size_t)domain->id - 1;
    (void)error;
    if (fake->calls == CALLS)
        return -EIO;
    fake->called[fake->calls] = index;
    fake->targets_kib[fake->calls++] = target_kib;
    fake->actual_kib[index] = target_kib;
    return 0;
}

static const struct hypervisor_operations operations = {
    .connect = fake_connect,
    .read = fake_read,
    .set_memory = fake_set_memory,
};

struct bench {
    struct fake fake;
    struct config config;
    struct log log;
    char *text;
    size_t text_size;
    struct coordinator *coordinator;
};

/* The log takes memory too, of the C library's own, which does not fail. */
static void open_bench(struct bench *bench)
{
    char error[HYPERVISOR_ERROR_BYTES];
    *bench = (struct bench){.fake = {.count = FEW, .now_sec = 1000}, .config = config_default()};
    for (size_t i = 0; i < GUESTS; i++)
        bench->fake.actual_kib[i] = 512 * MIB;
    bench->config.policy.interval_usec = SEC;
    bench->log = (struct log){.stream = open_memstream(&bench->text, &bench->text_size),
                              .level = LOG_LEVEL_DEBUG};
    struct coordinator_config config = {.config = &bench->config, .uri = "fake:///"};
    bench->coordinator = coordinator_new(&config, &bench->log, &operations, &bench->fake);
    ck_assert_ptr_nonnull(bench->coordinator);
    ck_assert_int_eq(coordinator_connect(bench->coordinator, error), 0);
}

static void close_bench(struct bench *bench)
{
    coordinator_free(bench->coordinator);
    fclose(bench->log.stream);
    free(bench->text);
}

static int cycle(struct bench *bench)
{
    bench->fake.now_sec++;
    struct coordinator_time time = {bench->fake.now_sec * SEC, (int64_t)bench->fake.now_sec};
    return coordinator_cycle(bench->coordinator, time);
}

static unsigned int times_said(struct bench *bench, const char *what)
{
    unsigned int times = 0;
    fflush(bench->log.stream);
    for (const char *at = bench->text; (at = strstr(at, what)) != NULL; at++)
        times++;
    return times;
}

/* Many have come, and those there were have much to spare; then another cycle, in which memory
 * fails at CALL. Returns what that cycle does. */
static int run_short_of_memory(struct bench *bench, unsigned long call)
{
    open_bench(bench);
    for (unsigned int i = 0; i < 3; i++)
        ck_assert_int_eq(cycle(bench), 0);
    ck_assert_uint_eq(bench->fake.calls, 0);
    bench->fake.count = GUESTS;
    for (size_t i = 0; i < FEW; i++)
        bench->fake.actual_kib[i] = GIB;
    fail_at(call);
    return cycle(bench);
}

START_TEST(a_cycle_is_done_whole_or_not_at_all)
{
    unsigned long call = 0;
    bool failed = true;
    while (failed) {
        struct bench bench;
        int result = run_short_of_memory(&bench, ++call);
        failed = has_failed();
        ck_assert_int_eq(result, failed ? -ENOMEM : 0);
        ck_assert_uint_eq(bench.fake.calls, failed ? 0 : FEW);
        ck_assert_uint_eq(times_said(&bench, "; guests keep their sizes"), failed);
        ck_assert_uint_eq(times_said(&bench, "out of memory"), failed);
        ck_assert_int_eq(failed ? cycle(&bench) : 0, 0); /* they were seen at rest before */
        ck_assert_uint_eq(bench.fake.calls, FEW);
        for (size_t i = 0; i < FEW; i++) {
            ck_assert_uint_eq(bench.fake.called[i], i);
            ck_assert_uint_eq(bench.fake.targets_kib[i], 960 * MIB);
        }
        ck_assert_uint_eq(times_said(&bench, ": found, "), GUESTS);
        ck_assert_uint_eq(times_said(&bench, "not running any more"), 0);
        close_bench(&bench);
    }
    ck_assert_uint_eq(call, 2); /* the list; the coordinator has all that it needs */
}
END_TEST

START_TEST(a_lasting_shortage_is_said_once)
{
    struct bench bench;
    int first = run_short_of_memory(&bench, 1);
    ck_assert(has_failed());
    ck_assert_int_eq(first, -ENOMEM);
    for (unsigned int i = 0; i < 3; i++) {
        fail_at(1);
        int result = cycle(&bench);
        ck_assert(has_failed());
        ck_assert_int_eq(result, -ENOMEM);
    }
    ck_assert_uint_eq(times_said(&bench, "out of memory"), 1);
    ck_assert_int_eq(cycle(&bench), 0);
    ck_assert_uint_eq(bench.fake.calls, FEW);
    close_bench(&bench);
}
END_TEST

START_TEST(a_settled_cycle_takes_no_memory)
{
    struct bench bench;
    open_bench(&bench);
    for (unsigned int i = 0; i < 3; i++)
        ck_assert_int_eq(cycle(&bench), 0);
    fail_at(1);
    int result = 0;
    for (unsigned int i = 0; i < 3 && result == 0; i++)
        result = cycle(&bench);
    ck_assert(!has_failed());
    ck_assert_int_eq(result, 0);
    close_bench(&bench);
}
END_TEST

START_TEST(no_coordinator_without_memory)
{
    struct config config = config_default();
    struct log log = {.stream = stderr, .level = LOG_LEVEL_ERROR};
    struct coordinator_config its = {.config = &config, .uri = "fake:///"};
    fail_at(1);
    struct coordinator *coordinator = coordinator_new(&its, &log, &operations, NULL);
    ck_assert(has_failed());
    ck_assert_ptr_null(coordinator);
}
END_TEST

/* ---- configuration ---- */

START_TEST(a_configuration_is_read_whole_or_not_at_all)
{
    char path[] = "/tmp/test_oom.XXXXXX";
    char error[CONFIG_ERROR_BYTES];
    struct config config = config_default();
    int descriptor = mkstemp(path);
    dprintf(descriptor, "[domain old]\nshares = 7\n");
    ck_assert_int_eq(config_read(path, &config, error), 0);
    ck_assert_int_eq(ftruncate(descriptor, 0), 0);
    lseek(descriptor, 0, SEEK_SET);
    dprintf(descriptor, "[coordinator]\nmin = 300\n[domain a]\nmin = 1G\n[domain b]\n");
    close(descriptor);
    unsigned long call = 0;
    bool failed = true;
    while (failed) {
        fail_at(++call);
        int result = config_read(path, &config, error);
        failed = has_failed();
        ck_assert_int_eq(result, failed ? -ENOMEM : 0);
        if (!failed)
            break;
        ck_assert_ptr_nonnull(strstr(error, path));
        ck_assert(strstr(error, "out of memory") || strstr(error, strerror(ENOMEM)));
        ck_assert_uint_eq(config.rule_count, 1);
        ck_assert_str_eq(config.rules[0].pattern, "old");
        ck_assert_uint_eq(config.defaults.min_kib.value, 200 * MIB);
    }
    ck_assert_uint_eq(call, 4); /* the stream, and two rules */
    ck_assert_uint_eq(config.rule_count, 2);
    ck_assert_uint_eq(config.defaults.min_kib.value, 300 * MIB);
    config_release(&config);
    unlink(path);
}
END_TEST

START_TEST(options_take_no_memory)
{
    char *argv[] = {"memory_coordinator", "--min=300", "--headroom", "20%", "-nv", "2", NULL};
    char error[OPTIONS_ERROR_BYTES];
    struct options options;
    struct config config = config_default();
    fail_at(1);
    int result = options_parse(COUNT_OF(argv) - 1, argv, &options, error);
    if (result == 0)
        options_apply(&options, &config);
    ck_assert(!has_failed());
    ck_assert_int_eq(result, 0);
    ck_assert_uint_eq(config.defaults.min_kib.value, 300 * MIB);
}
END_TEST

/* ---- a domain's configuration ---- */

START_TEST(a_domain_is_read_whole_or_not_at_all)
{
    static const char xml[] =
        "<domain type='kvm' id='3'><name>vm</name><memory unit='KiB'>2097152</memory>"
        "<metadata><m:settings xmlns:m='" DOMAIN_XML_SETTINGS_NAMESPACE
        "' min='300MiB' max='1&#71;iB' shares='2000' managed='no'/></metadata>"
        "<devices><memory model='dimm'/><memballoon model='virtio'><stats period='2'/>"
        "</memballoon></devices></domain>";
    ck_assert_int_eq(xmlMemSetup(free, __wrap_malloc, __wrap_realloc, __wrap_strdup), 0);
    xmlInitParser();
    char error[SETTINGS_ERROR_BYTES];
    struct domain want = {0};
    ck_assert_int_eq(domain_xml_read(xml, &want, error), 0);
    ck_assert(want.has_balloon && want.period_sec == 2 && want.settings.shares.value == 2000);
    unsigned long call = 0;
    bool failed = true;
    while (failed) {
        struct domain domain = {.max_kib = 12345};
        struct domain before = domain;
        fail_at(++call);
        int result = domain_xml_read(xml, &domain, error);
        failed = has_failed();
        ck_assert_msg(result == 0 || (failed && result == -ENOMEM), "%d at call %lu", result, call);
        ck_assert_msg(memcmp(&domain, result == 0 ? &want : &before, sizeof(domain)) == 0,
                      "at call %lu", call);
    }
    ck_assert_uint_gt(call, 50);
    xmlCleanupParser();
}
END_TEST

/* ---- libvirt's own test driver ---- */

START_TEST(domains_are_read_all_or_none)
{
    char error[HYPERVISOR_ERROR_BYTES];
    struct snapshot none = {0};
    struct snapshot now = {0};
    fail_at(1);
    struct hypervisor *hypervisor = hypervisor_open("test:///default", 0);
    ck_assert(has_failed());
    ck_assert_ptr_null(hypervisor);
    hypervisor = hypervisor_open("test:///default", 0);
    ck_assert_ptr_nonnull(hypervisor);
    ck_assert_int_eq(hypervisor_libvirt.connect(hypervisor, error), 0);
    fail_at(1);
    int result = hypervisor_libvirt.read(hypervisor, &none, &now, error);
    ck_assert(has_failed());
    ck_assert_int_eq(result, -ENOMEM);
    ck_assert_str_eq(error, "out of memory for 1 domains");
    ck_assert_int_eq(hypervisor_libvirt.read(hypervisor, &none, &now, error), 0);
    ck_assert_uint_eq(now.count, 1);
    ck_assert_int_eq(hypervisor_close(hypervisor), 0);
    snapshot_release(&now);
}
END_TEST

/* ---- scenarios ---- */

START_TEST(a_scenario_is_read_whole_or_not_at_all)
{
    char error[SIM_ERROR_BYTES];
    struct sim_scenario scenario;
    unsigned long call = 0;
    bool failed = true;
    while (failed) {
        fail_at(++call);
        int result = scenario_read("tests/scenarios/28-life.ini", &scenario, error);
        failed = has_failed();
        ck_assert_msg(result == (failed ? -ENOMEM : 0), "%d at call %lu", result, call);
        if (failed)
            ck_assert(strstr(error, "memory") != NULL);
    }
    ck_assert_uint_gt(call, 30);
    ck_assert_uint_gt(scenario.guest_count, 4);
    scenario_release(&scenario);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("oom");
    TCase *cases = tcase_create("oom");
    tcase_add_test(cases, a_cycle_is_done_whole_or_not_at_all);
    tcase_add_test(cases, a_lasting_shortage_is_said_once);
    tcase_add_test(cases, a_settled_cycle_takes_no_memory);
    tcase_add_test(cases, no_coordinator_without_memory);
    tcase_add_test(cases, a_configuration_is_read_whole_or_not_at_all);
    tcase_add_test(cases, options_take_no_memory);
    tcase_add_test(cases, a_domain_is_read_whole_or_not_at_all);
    tcase_add_test(cases, domains_are_read_all_or_none);
    tcase_add_test(cases, a_scenario_is_read_whole_or_not_at_all);
    suite_add_tcase(suite, cases);
    return suite;
}
