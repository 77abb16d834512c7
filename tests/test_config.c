/* test_config.c - the configuration file: what is taken, what is refused and in which words, and
 * what holds for a domain by it. */
#include "config.h"
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE_WORDS "a number and KiB, MiB, GiB, K, M or G"
#define SECTIONS   "expected [coordinator] or [domain NAME]"

/* A file in a directory of its own. */
struct bench {
    char directory[64];
    char path[96];
    char error[CONFIG_ERROR_BYTES];
    struct config config;
};

static struct bench *open_bench(void)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    ck_assert_ptr_nonnull(bench);
    strcpy(bench->directory, "/tmp/test_config.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(bench->directory));
    snprintf(bench->path, sizeof(bench->path), "%s/conf", bench->directory);
    bench->config = config_default();
    return bench;
}

static void close_bench(struct bench *bench)
{
    config_release(&bench->config);
    unlink(bench->path);
    rmdir(bench->directory);
    free(bench);
}

static int read_bytes(struct bench *bench, const void *bytes, size_t count)
{
    FILE *file = fopen(bench->path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, count, file), count);
    ck_assert_int_eq(fclose(file), 0);
    return config_read(bench->path, &bench->config, bench->error);
}

static int read_text(struct bench *bench, const char *text)
{
    return read_bytes(bench, text, strlen(text));
}

/* For files that are right. */
static void take_text(struct bench *bench, const char *text)
{
    ck_assert_msg(read_text(bench, text) == 0, "%s", bench->error);
}

static struct policy_limits limits_of(const struct bench *bench, const char *name)
{
    struct settings none = {0};
    return config_limits(&bench->config, name, &none);
}

/* ---- what is taken ---- */

START_TEST(has_the_documented_defaults)
{
    struct bench *bench = open_bench();
    ck_assert_uint_eq(bench->config.policy.host_reserve_kib, 200 * MIB);
    ck_assert_uint_eq(bench->config.policy.surge_kib_per_sec, 28 * MIB);
    ck_assert_int_eq(bench->config.policy.metric, POLICY_UNUSED);
    ck_assert(!bench->config.is_ksm_auto);
    struct policy_limits limits = limits_of(bench, "vm1");
    ck_assert(limits.managed);
    ck_assert_uint_eq(limits.min_kib, 200 * MIB);
    ck_assert_uint_eq(limits.max_kib, UINT64_MAX);
    ck_assert_uint_eq(limits.headroom_kib, 100 * MIB);
    ck_assert_uint_eq(limits.headroom_percent, 0);
    ck_assert_uint_eq(limits.shares, POLICY_SHARES);
    close_bench(bench);
}
END_TEST

START_TEST(takes_every_key)
{
    struct bench *bench = open_bench();
    bench->config.policy.interval_usec = 7 * SEC;
    take_text(bench, "# all of it\n"
                     "[coordinator]\n"
                     "host-reserve = 1GiB\n"
                     "surge = 10M\n"
                     "metric = usable\n"
                     "ksm = auto\n"
                     "min = 300\n"
                     "max = 4G\n"
                     "headroom = 64M\n"
                     "shares = 500\n"
                     "\n"
                     "[domain vm1]\n"
                     "min = 1GiB\n"
                     "max = 2GiB\n"
                     "shares = 2000\n"
                     "headroom = 20%\n"
                     "managed = no\n");
    ck_assert_uint_eq(bench->config.policy.interval_usec, 7 * SEC);
    ck_assert_uint_eq(bench->config.policy.host_reserve_kib, GIB);
    ck_assert_uint_eq(bench->config.policy.surge_kib_per_sec, 10 * MIB);
    ck_assert_int_eq(bench->config.policy.metric, POLICY_USABLE);
    ck_assert(bench->config.is_ksm_auto);
    struct policy_limits limits = limits_of(bench, "vm2");
    ck_assert(limits.managed && limits.min_kib == 300 * MIB && limits.max_kib == 4 * GIB);
    ck_assert(limits.headroom_kib == 64 * MIB && limits.headroom_percent == 0);
    ck_assert_uint_eq(limits.shares, 500);
    limits = limits_of(bench, "vm1");
    ck_assert(!limits.managed && limits.min_kib == GIB && limits.max_kib == 2 * GIB);
    ck_assert(limits.headroom_kib == 0 && limits.headroom_percent == 20);
    ck_assert_uint_eq(limits.shares, 2000);
    close_bench(bench);
}
END_TEST

/* Each sets 300 MiB for vm1. */
static const char *const spellings[] = {
    "[domain vm1]\nmin=300", "[domain vm1]\nmin = 300MiB\n", "[domain vm1]\r\nmin = 300\r\n",
    "[domain vm1]\nmin : 300\n", "  [ domain \t vm1 ]  \n\tmin =   300   \n",
    "\xef\xbb\xbf[domain vm1]\nmin = 300\n", "[domain vm1] ; a comment\nmin = 300 ; another\n",
    "; a comment\n   # another\n\n \t \n[domain vm1]\nmin = 300\n",
    /* Indented lines are lines as others, not more of the value before. */
    "[domain vm1]\n    max = 600\n    min = 300\n", "[domain vm1]\nmax = 600\n    min = 300\n",
    "[coordinator]\n[domain vm1]\nmin = 300\n", /* an empty section */
};

START_TEST(takes_every_spelling)
{
    struct bench *bench = open_bench();
    take_text(bench, spellings[_i]);
    ck_assert_uint_eq(limits_of(bench, "vm1").min_kib, 300 * MIB);
    ck_assert_uint_eq(limits_of(bench, "vm2").min_kib, 200 * MIB);
    close_bench(bench);
}
END_TEST

/* Its lines that begin with '#' and no blank are settings that can be. */
START_TEST(the_example_is_right)
{
    struct bench *bench = open_bench();
    struct config usual = config_default();
    char line[256];
    char text[8192] = "";
    FILE *example = fopen("src/memory_coordinator.conf", "r");
    ck_assert_msg(example != NULL, "not run in the top directory");
    while (fgets(line, sizeof(line), example) != NULL) {
        ck_assert_uint_lt(strlen(text) + strlen(line), sizeof(text));
        strcat(text, line[0] == '#' && line[1] != ' ' && line[1] != '\n' ? line + 1 : line);
    }
    fclose(example);
    ck_assert_int_eq(config_read("src/memory_coordinator.conf", &bench->config, bench->error), 0);
    ck_assert(settings_equal(&bench->config.defaults, &usual.defaults));
    ck_assert_uint_eq(bench->config.rule_count, 0);
    take_text(bench, text);
    ck_assert_uint_eq(bench->config.rule_count, 3);
    ck_assert_uint_eq(bench->config.policy.host_reserve_kib, usual.policy.host_reserve_kib);
    ck_assert_uint_eq(bench->config.policy.surge_kib_per_sec, usual.policy.surge_kib_per_sec);
    usual.defaults.max_kib.value = UINT64_C(1) << 40; /* the most that can be written */
    ck_assert(settings_equal(&bench->config.defaults, &usual.defaults));
    ck_assert(!limits_of(bench, "router").managed);
    close_bench(bench);
}
END_TEST

START_TEST(an_empty_file_sets_nothing)
{
    struct bench *bench = open_bench();
    struct config untouched = config_default();
    take_text(bench, "");
    ck_assert(settings_equal(&bench->config.defaults, &untouched.defaults));
    ck_assert_uint_eq(bench->config.rule_count, 0);
    close_bench(bench);
}
END_TEST

START_TEST(reading_again_replaces_the_rules)
{
    struct bench *bench = open_bench();
    take_text(bench, "[domain vm1]\nmin = 300\n[domain vm2]\nmin = 400\n");
    take_text(bench, "[domain vm2]\nmin = 500\n");
    ck_assert_uint_eq(bench->config.rule_count, 1);
    ck_assert_uint_eq(limits_of(bench, "vm1").min_kib, 200 * MIB);
    ck_assert_uint_eq(limits_of(bench, "vm2").min_kib, 500 * MIB);
    close_bench(bench);
}
END_TEST

START_TEST(a_long_line_of_the_longest)
{
    struct bench *bench = open_bench();
    char text[512] = "[domain ";
    size_t name = strlen(text);
    memset(text + name, 'x', 198 - name - 1); /* the whole line has 198 bytes */
    strcpy(text + 197, "]\nmin = 300\n");
    take_text(bench, text);
    ck_assert_uint_eq(strlen(bench->config.rules[0].pattern), 198 - name - 1);
    ck_assert_uint_eq(limits_of(bench, bench->config.rules[0].pattern).min_kib, 300 * MIB);
    close_bench(bench);
}
END_TEST

/* ---- what is refused ---- */

static const struct {
    const char *text;
    const char *error; /* behind the file's name */
} refused[] = {
    {"[coordinator]\nhost-reserve = 1X\n",
     ":2: host-reserve '1X': expected " SIZE_WORDS ", at most 1048576GiB"},
    {"[coordinator]\nsurge = 2000000G\n",
     ":2: surge '2000000G': out of range, expected " SIZE_WORDS ", at most 1048576GiB"},
    {"[coordinator]\nmetric = free\n", ":2: metric 'free': expected unused or usable"},
    {"[coordinator]\nksm = on\n", ":2: ksm 'on': expected auto or off"},
    {"[coordinator]\nksm = off\nksm = off\n",
     ":3: ksm is set already in this section, expected once"},
    {"[coordinator]\nmin = 0\n",
     ":2: min '0': out of range, expected " SIZE_WORDS ", from 1MiB to 1048576GiB"},
    {"[coordinator]\nmin =\n", ":2: min '': expected " SIZE_WORDS ", from 1MiB to 1048576GiB"},
    {"[coordinator]\nmin = 300 # all\n",
     ":2: min '300 # all': expected " SIZE_WORDS ", from 1MiB to 1048576GiB"},
    {"[domain vm1]\nheadroom = 101%\n", ":2: headroom '101%': out of range, expected " SIZE_WORDS
                                        ", from 1MiB to 1048576GiB, or 1% to 100%"},
    {"[domain vm1]\nshares = 0\n",
     ":2: shares '0': out of range, expected a whole number from 1 to 1000000"},
    {"[domain vm1]\nshares = 1099511627776\n",
     ":2: shares '1099511627776': out of range, expected a whole number from 1 to 1000000"},
    {"[domain vm1]\nmanaged = maybe\n", ":2: managed 'maybe': expected yes or no"},
    /* keys */
    {"[coordinator]\nmanaged = no\n",
     ":2: unknown key 'managed', expected host-reserve, surge, metric, ksm, min, max, headroom "
     "or shares"},
    {"[coordinator]\nhost_reserve = 1\n", ":2: unknown key 'host_reserve', expected host-reserve, "
                                          "surge, metric, ksm, min, max, headroom "
                                          "or shares"},
    {"[domain vm1]\nsurge = 1\n",
     ":2: unknown key 'surge', expected min, max, shares, headroom or managed"},
    {"[domain vm1]\n= 300\n", ":2: unknown key '', expected min, max, shares, headroom or managed"},
    {"\nmin = 300\n[coordinator]\n", ":2: 'min' before the first section, " SECTIONS},
    {"[domain vm1]\nmin = 300\n\nmin = 300\n",
     ":4: min is set already in this section, expected once"},
    {"[domain vm1]\nheadroom = 300\nheadroom = 20%\n",
     ":3: headroom is set already in this section, expected once"},
    {"[coordinator]\nsurge = 1\nsurge = 1\n",
     ":3: surge is set already in this section, expected once"},
    {"[domain vm1]\nmin = 2G\nmax = 1G\n", ":3: min 2GiB is above max 1GiB, expected at most that"},
    {"[coordinator]\nmax = 1G\nmin = 2G\n",
     ":3: min 2GiB is above max 1GiB, expected at most that"},
    /* sections */
    {"[host]\n", ":1: unknown section [host], " SECTIONS},
    {"[]\n", ":1: unknown section [], " SECTIONS},
    {"[domain]\n", ":1: unknown section [domain], " SECTIONS},
    {"[domain  ]\n", ":1: unknown section [domain], " SECTIONS},
    {"[domainvm1]\n", ":1: unknown section [domainvm1], " SECTIONS},
    {"[dom]\n", ":1: unknown section [dom], " SECTIONS},
    {"[Coordinator]\n", ":1: unknown section [Coordinator], " SECTIONS},
    {"[domain vm1\nmin = 300\n", ":1: '[domain vm1' does not end in ']', " SECTIONS},
    {"[domain vm1] min = 300\n", ":1: '[domain vm1] min = 300' does not end in ']', " SECTIONS},
    {"[", ":1: '[' does not end in ']', " SECTIONS},
    {"[coordinator]\n[coordinator]\n", ":2: section [coordinator] is there already, expected once"},
    {"[domain a]\n[domain  a]\n", ":2: section [domain a] is there already, expected once"},
    {"[domain a]\nmin = 300\n[domain b]\n[domain a]\nmax = 400\n",
     ":4: section [domain a] is there already, expected once"},
    {"[coordinator]\nmin = 300\n[domain a]\nmax = 400\n[coordinator]\nmax = 600\n",
     ":5: section [coordinator] is there already, expected once"},
    /* lines */
    {"[domain a]\nmin 300\nmax = x\n", ":2: 'min 300' is neither [SECTION] nor KEY = VALUE"},
    {"[domain a]\nmin = 300\n  400\n", ":3: '400' is neither [SECTION] nor KEY = VALUE"},
    {"min", ":1: 'min' is neither [SECTION] nor KEY = VALUE"},
    {"[domain a]\n\nmin ; = 300", ":3: 'min ; = 300' is neither [SECTION] nor KEY = VALUE"},
    {"[domain a]\n\x1b[2J\n", ":2: '?[2J' is neither [SECTION] nor KEY = VALUE"},
};

START_TEST(says_where_and_what_it_refuses)
{
    struct bench *bench = open_bench();
    struct config untouched;
    memset(&bench->config, 0xad, sizeof(bench->config));
    memset(&untouched, 0xad, sizeof(untouched));
    ck_assert_int_eq(read_text(bench, refused[_i].text), -EINVAL);
    ck_assert_int_eq(strncmp(bench->error, bench->path, strlen(bench->path)), 0);
    ck_assert_str_eq(bench->error + strlen(bench->path), refused[_i].error);
    ck_assert_mem_eq(&bench->config, &untouched, sizeof(untouched));
    bench->config = config_default();
    close_bench(bench);
}
END_TEST

START_TEST(a_file_that_is_wrong_keeps_the_rules_there_were)
{
    struct bench *bench = open_bench();
    take_text(bench, "[coordinator]\nmin = 250\n[domain vm1]\nmin = 300\n");
    ck_assert_int_eq(read_text(bench, "[domain vm1]\nmin = 400\n[domain vm2]\nmin = 400\nx\n"),
                     -EINVAL);
    ck_assert_uint_eq(bench->config.rule_count, 1);
    ck_assert_uint_eq(limits_of(bench, "vm1").min_kib, 300 * MIB);
    ck_assert_uint_eq(limits_of(bench, "vm2").min_kib, 250 * MIB);
    close_bench(bench);
}
END_TEST

START_TEST(refuses_a_line_that_is_too_long)
{
    struct bench *bench = open_bench();
    char text[256] = "[domain vm1]\n# ";
    memset(text + strlen(text), 'x', 199 - 2);
    strcat(text, "\n");
    ck_assert_int_eq(read_text(bench, text), -EINVAL);
    ck_assert_str_eq(bench->error + strlen(bench->path), ":2: a line longer than 198 bytes");
    close_bench(bench);
}
END_TEST

/* There is room for as many as are taken. */
START_TEST(refuses_more_sections_than_there_is_room_for)
{
    struct bench *bench = open_bench();
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    for (int i = 1; i <= CONFIG_RULES_MOST; i++)
        fprintf(stream, "[domain vm%d]\n", i);
    fflush(stream);
    ck_assert_msg(read_bytes(bench, text, size) == 0, "%s", bench->error);
    ck_assert_uint_eq(bench->config.rule_count, CONFIG_RULES_MOST);
    fprintf(stream, "[domain another]\n");
    fclose(stream);
    ck_assert_int_eq(read_bytes(bench, text, size), -EINVAL);
    ck_assert_str_eq(bench->error + strlen(bench->path),
                     ":4097: more than 4096 sections for domains");
    free(text);
    close_bench(bench);
}
END_TEST

START_TEST(refuses_a_nul_byte)
{
    struct bench *bench = open_bench();
    ck_assert_int_eq(read_bytes(bench, "[domain vm1]\nmin = 3\0000\n", 24), -EINVAL);
    ck_assert_str_eq(bench->error + strlen(bench->path), ":2: a NUL byte, expected text");
    ck_assert_int_eq(read_bytes(bench, "", 1), -EINVAL);
    ck_assert_str_eq(bench->error + strlen(bench->path), ":1: a NUL byte, expected text");
    ck_assert_int_eq(config_read("/dev/zero", &bench->config, bench->error), -EINVAL);
    ck_assert_str_eq(bench->error, "/dev/zero:1: a NUL byte, expected text");
    close_bench(bench);
}
END_TEST

START_TEST(says_what_it_cannot_read)
{
    struct bench *bench = open_bench();
    char want[CONFIG_ERROR_BYTES];
    ck_assert_int_eq(config_read(bench->path, &bench->config, bench->error), -ENOENT);
    snprintf(want, sizeof(want), "cannot read %s: No such file or directory", bench->path);
    ck_assert_str_eq(bench->error, want);
    ck_assert_int_eq(config_read(bench->directory, &bench->config, bench->error), -EISDIR);
    snprintf(want, sizeof(want), "cannot read %s: Is a directory", bench->directory);
    ck_assert_str_eq(bench->error, want);
    ck_assert_int_eq(read_text(bench, ""), 0);
    ck_assert_int_eq(chmod(bench->path, 0), 0);
    if (geteuid() != 0) { /* root may read it all the same */
        ck_assert_int_eq(config_read(bench->path, &bench->config, bench->error), -EACCES);
        snprintf(want, sizeof(want), "cannot read %s: Permission denied", bench->path);
        ck_assert_str_eq(bench->error, want);
    }
    close_bench(bench);
}
END_TEST

/* Nobody may ever write to it, nor an end to it come. */
START_TEST(refuses_a_pipe_and_a_huge_file)
{
    char error[CONFIG_ERROR_BYTES];
    char path[] = "/tmp/mc-config-XXXXXX";
    struct config config = config_default();
    ck_assert_ptr_nonnull(mkdtemp(path));
    char pipe_path[64];
    char huge_path[64];
    snprintf(pipe_path, sizeof(pipe_path), "%s/pipe", path);
    snprintf(huge_path, sizeof(huge_path), "%s/huge", path);
    ck_assert_int_eq(mkfifo(pipe_path, 0600), 0);
    ck_assert_int_eq(config_read(pipe_path, &config, error), -ENOTSUP);
    ck_assert_ptr_nonnull(strstr(error, "it is no file"));
    FILE *huge = fopen(huge_path, "w");
    ck_assert_ptr_nonnull(huge);
    ck_assert_int_eq(ftruncate(fileno(huge), 16 * 1024 * 1024), 0);
    fclose(huge);
    ck_assert_int_eq(config_read(huge_path, &config, error), -EFBIG);
    unlink(pipe_path);
    unlink(huge_path);
    rmdir(path);
}
END_TEST

START_TEST(a_long_path_leaves_room_for_the_reason)
{
    struct bench *bench = open_bench();
    char path[CONFIG_ERROR_BYTES + 64];
    size_t slashes = sizeof(path) - sizeof(bench->path);
    memset(path, '/', slashes);
    strcpy(path + slashes, bench->path);
    ck_assert_int_eq(read_text(bench, "nonsense"), -EINVAL);
    ck_assert_int_eq(config_read(path, &bench->config, bench->error), -EINVAL);
    ck_assert_ptr_nonnull(strstr(bench->error, ":1: 'nonsense' is neither [SECTION]"));
    close_bench(bench);
}
END_TEST

/* Whatever the bytes, it ends, and what it takes it can use. */
START_TEST(any_bytes_are_safe)
{
    static const char *const words[] = {"[",   "]",  "domain ",  "coordinator", "min", "max",
                                        "=",   ":",  ";",        "\n",          " ",   "300",
                                        "20%", "\r", "#",        "[domain a]",  "*",   "\xff",
                                        "\n[", "\n", "headroom", "shares=1"};
    uint64_t seed = test_seed() + (uint64_t)_i;
    struct bench *bench = open_bench();
    for (unsigned int i = 0; i < 200; i++) {
        char text[600] = "";
        for (uint64_t left = random_between(&seed, 0, 40); left > 0; left--)
            strcat(text, words[random_between(&seed, 0, COUNT_OF(words) - 1)]);
        int result = read_text(bench, text);
        ck_assert_msg(result == 0 || result == -EINVAL, "%d for: %s", result, text);
        struct policy_limits limits = limits_of(bench, "a");
        ck_assert_msg(limits.min_kib <= limits.max_kib, "%s", text);
    }
    close_bench(bench);
}
END_TEST

/* ---- what holds for a domain ---- */

static const struct {
    const char *name;
    uint64_t shares;
} matches[] = {
    {"web1", 1},  {"web12", 2}, {"web", 2}, {"db[1]", 3}, {"dbx", 5},       {"db1", 4},
    {"my vm", 6}, {"WEB1", 7},  {"", 7},    {"x/y", 7},   {"[domain a", 7}, {"webserver.org", 2},
};

START_TEST(the_first_section_that_matches_counts)
{
    struct bench *bench = open_bench();
    take_text(bench, "[domain web[0-9]]\nshares = 1\n"
                     "[domain web*]\nshares = 2\nmin = 300\n"
                     "[domain db\\[1]]\nshares = 3\n"
                     "[domain db[0-9]]\nshares = 4\n"
                     "[domain db?]\nshares = 5\n"
                     "[domain my vm]\nshares = 6\n"
                     "[domain *]\nshares = 7\n"
                     "[domain web2]\nshares = 8\n");
    struct policy_limits limits = limits_of(bench, matches[_i].name);
    ck_assert_uint_eq(limits.shares, matches[_i].shares);
    if (limits.shares == 1)
        ck_assert_uint_eq(limits.min_kib, 200 * MIB); /* nothing of the second one */
    close_bench(bench);
}
END_TEST

START_TEST(own_settings_win_over_the_rule_and_the_rule_over_the_defaults)
{
    struct bench *bench = open_bench();
    struct settings own = {.shares = {true, 3}, .headroom_percent = {true, 10}};
    take_text(bench, "[coordinator]\nshares = 1\nmin = 250\nmax = 800\nheadroom = 50\n"
                     "[domain vm1]\nshares = 2\nmin = 300\nheadroom = 60\nmanaged = no\n");
    struct policy_limits limits = config_limits(&bench->config, "vm1", &own);
    ck_assert_uint_eq(limits.shares, 3);
    ck_assert_uint_eq(limits.min_kib, 300 * MIB);
    ck_assert_uint_eq(limits.max_kib, 800 * MIB);
    ck_assert(limits.headroom_kib == 0 && limits.headroom_percent == 10);
    ck_assert(!limits.managed);
    own.managed = (struct figure){true, 1};
    ck_assert(config_limits(&bench->config, "vm1", &own).managed);
    close_bench(bench);
}
END_TEST

START_TEST(where_ranks_clash_the_higher_wins)
{
    struct bench *bench = open_bench();
    struct settings own = {.max_kib = {true, 512 * MIB}};
    struct settings none = {0};
    char text[CONFIG_ERROR_BYTES] = "";
    take_text(bench, "[domain vm1]\nmin = 800\n[domain vm2]\nmax = 100\n[domain vm3]\nmin = 300\n");
    struct policy_limits limits = config_limits(&bench->config, "vm1", &own);
    ck_assert(limits.min_kib == 512 * MIB && limits.max_kib == 512 * MIB);
    ck_assert(config_limits_clash(&bench->config, "vm1", &own, text));
    ck_assert_str_eq(text,
                     "min 800MiB is above max 512MiB; max ranks higher, both are taken as 512MiB");
    limits = limits_of(bench, "vm2");
    ck_assert(limits.min_kib == 100 * MIB && limits.max_kib == 100 * MIB);
    ck_assert(config_limits_clash(&bench->config, "vm2", &none, text));
    ck_assert_str_eq(text,
                     "min 200MiB is above max 100MiB; max ranks higher, both are taken as 100MiB");
    ck_assert(!config_limits_clash(&bench->config, "vm3", &own, text));
    own = (struct settings){.min_kib = {true, 600 * MIB}};
    ck_assert(config_limits_clash(&bench->config, "vm2", &own, text));
    ck_assert_str_eq(text,
                     "min 600MiB is above max 100MiB; min ranks higher, both are taken as 600MiB");
    close_bench(bench);
}
END_TEST

START_TEST(the_defaults_of_the_file_win_over_those_built_in)
{
    struct bench *bench = open_bench();
    take_text(bench, "[coordinator]\nmax = 128\n");
    struct policy_limits limits = limits_of(bench, "vm1");
    ck_assert(limits.min_kib == 128 * MIB && limits.max_kib == 128 * MIB);
    close_bench(bench);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("config");
    TCase *taken = tcase_create("taken");
    tcase_add_test(taken, has_the_documented_defaults);
    tcase_add_test(taken, takes_every_key);
    tcase_add_loop_test(taken, takes_every_spelling, 0, COUNT_OF(spellings));
    tcase_add_test(taken, the_example_is_right);
    tcase_add_test(taken, an_empty_file_sets_nothing);
    tcase_add_test(taken, reading_again_replaces_the_rules);
    tcase_add_test(taken, a_long_line_of_the_longest);
    suite_add_tcase(suite, taken);

    TCase *bad = tcase_create("refused");
    tcase_add_loop_test(bad, says_where_and_what_it_refuses, 0, COUNT_OF(refused));
    tcase_add_test(bad, a_file_that_is_wrong_keeps_the_rules_there_were);
    tcase_add_test(bad, refuses_a_line_that_is_too_long);
    tcase_add_test(bad, refuses_more_sections_than_there_is_room_for);
    tcase_add_test(bad, refuses_a_nul_byte);
    tcase_add_test(bad, says_what_it_cannot_read);
    tcase_add_test(bad, refuses_a_pipe_and_a_huge_file);
    tcase_add_test(bad, a_long_path_leaves_room_for_the_reason);
    tcase_add_loop_test(bad, any_bytes_are_safe, 0, 20);
    suite_add_tcase(suite, bad);

    TCase *holds = tcase_create("what holds");
    tcase_add_loop_test(holds, the_first_section_that_matches_counts, 0, COUNT_OF(matches));
    tcase_add_test(holds, own_settings_win_over_the_rule_and_the_rule_over_the_defaults);
    tcase_add_test(holds, where_ranks_clash_the_higher_wins);
    tcase_add_test(holds, the_defaults_of_the_file_win_over_those_built_in);
    suite_add_tcase(suite, holds);
    return suite;
}
