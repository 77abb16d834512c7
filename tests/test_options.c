/* test_options.c - the command line: what is taken, and what the one line of an error names. */
#include "options.h"
#include "support.h"

#include <errno.h>
#include <string.h>

enum { WORDS = 12 };

static int parse(const char *const words[WORDS], struct options *options, char *error)
{
    static char storage[WORDS][64]; /* the options point into it */
    char *argv[WORDS + 2] = {(char[]){"memory_coordinator"}};
    int argc = 1;
    for (; argc <= WORDS && words[argc - 1] != NULL; argc++) {
        ck_assert_uint_lt(strlen(words[argc - 1]), sizeof(*storage));
        argv[argc] = strcpy(storage[argc - 1], words[argc - 1]);
    }
    return options_parse(argc, argv, options, error);
}

static const struct {
    const char *words[WORDS];
    const char *offender; /* must be in the line */
    const char *expected; /* must be in the line too */
} rejected[] = {
    {{NULL}, "INTERVAL", "0.1 to 3600"},
    {{"abc"}, "'abc'", "0.1 to 3600"},
    {{"stauts"}, "'stauts': neither a command", "0.1 to 3600; see --help"},
    {{"0"}, "'0'", "0.1 to 3600"},
    {{"-1"}, "'-1'", "0.1 to 3600"},
    {{"-5"}, "'-5'", "0.1 to 3600"},
    {{"-0.5"}, "'-0.5'", "0.1 to 3600"},
    {{"--", "-5"}, "'-5'", "0.1 to 3600"},
    {{"nan"}, "'nan'", "0.1 to 3600"},
    {{"1e9"}, "'1e9'", "0.1 to 3600"},
    {{"2x"}, "'2x'", "0.1 to 3600"},
    {{"0.09"}, "'0.09'", "0.1 to 3600"},
    {{"3600.1"}, "'3600.1'", "0.1 to 3600"},
    {{""}, "''", "0.1 to 3600"},
    {{"1", "2"}, "'2'", "one INTERVAL"},
    {{"--frob", "1"}, "'--frob'", "--help"},
    {{"-x", "1"}, "'-x'", "--help"},
    {{"-vx", "1"}, "'-x'", "--help"},
    {{"--min", "0", "1"}, "--min '0'", "1MiB to"},
    {{"--min", "10X", "1"}, "--min '10X'", "1MiB to"},
    {{"--min=-1", "1"}, "--min '-1'", "1MiB to"},
    {{"--headroom", "0", "1"}, "--headroom '0'", "1MiB to"},
    {{"--surge", "fast", "1"}, "--surge 'fast'", "at most 1048576GiB"},
    {{"--host-reserve", "2000000G", "1"}, "--host-reserve '2000000G'", "at most 1048576GiB"},
    {{"1", "--min"}, "'--min'", "needs an argument"},
    {{"1", "-c"}, "'-c'", "needs an argument"},
    {{"--once=3", "1"}, "'--once=3'", "no argument"},
    {{"--dry-run", "-xv", "1"}, "'-x'", "--help"},
    {{"--min=300", "-xv", "1"}, "'-x'", "--help"},
    {{"-c", "", "1"}, "--connect ''", "URI"},
    {{"--config=", "1"}, "--config ''", "a file"},
    {{"--state-dir", "", "1"}, "--state-dir ''", "a directory"},
    {{"1", "--state-dir"}, "'--state-dir'", "needs an argument"},
    {{"1", "-f"}, "'-f'", "needs an argument"},
    {{"--metric", "free", "1"}, "--metric 'free'", "unused or usable"},
    {{"--ksm", "on", "1"}, "--ksm 'on'", "auto or off"},
    {{"--headroom=101%", "1"}, "--headroom '101%'", "1% to 100%"},
    {{"--headroom", "%", "1"}, "--headroom '%'", "1% to 100%"},
    {{"--call-timeout", "0.9", "1"}, "--call-timeout '0.9': out of range", "from 1 to 3600"},
    {{"--call-timeout", "soon", "1"}, "--call-timeout 'soon': not a", "from 1 to 3600"},
    {{"--log-format", "xml", "1"}, "--log-format 'xml'", "text or json"},
    {{"--on-exit", "shrink", "1"}, "--on-exit 'shrink'", "leave, restore or release"},
    {{"--on-exit=", "1"}, "--on-exit ''", "leave, restore or release"},
    {{"--on-exit=restore", "-1", "1"}, "--once", "--on-exit"},
    {{"-q", "-v", "1"}, "--verbose", "--quiet"},
    {{"--metrics", "", "1"}, "--metrics ''", ".prom"},
    {{"--metrics", ".prom", "1"}, "--metrics '.prom'", "ends in .prom"},
    {{"--metrics=/dev/stdout", "1"}, "--metrics '/dev/stdout'", "ends in .prom"},
    {{"--metrics=a.prom.txt", "1"}, "--metrics 'a.prom.txt'", "ends in .prom"},
    {{"1", "--metrics"}, "'--metrics'", "needs an argument"},
    {{"--metrics=a.prom", "-1", "1"}, "--once", "--metrics"},
};

START_TEST(names_what_it_rejects)
{
    struct options options;
    struct options untouched;
    char error[OPTIONS_ERROR_BYTES] = "";
    memset(&options, 0xad, sizeof(options));
    untouched = options;
    ck_assert_int_eq(parse(rejected[_i].words, &options, error), -EINVAL);
    ck_assert_msg(strstr(error, rejected[_i].offender) != NULL, "no %s in: %s",
                  rejected[_i].offender, error);
    ck_assert_msg(strstr(error, rejected[_i].expected) != NULL, "no %s in: %s",
                  rejected[_i].expected, error);
    ck_assert_ptr_null(strchr(error, '\n'));
    ck_assert_mem_eq(&options, &untouched, sizeof(options));
}
END_TEST

START_TEST(has_the_documented_defaults)
{
    struct options options;
    char error[OPTIONS_ERROR_BYTES];
    ck_assert_int_eq(parse((const char *const[WORDS]){"2"}, &options, error), 0);
    ck_assert_int_eq(options.command, OPTIONS_RUN);
    ck_assert_ptr_null(options.uri);
    ck_assert_ptr_null(options.config_path);
    ck_assert_ptr_null(options.state_dir);
    ck_assert_ptr_null(options.metrics_path);
    ck_assert_uint_eq(options.interval_usec, 2 * SEC);
    ck_assert_uint_eq(options.call_timeout_usec, 5 * SEC);
    ck_assert_int_eq(options.on_exit, POLICY_BALANCE);
    ck_assert(!options.dry_run && !options.once && !options.verbose && !options.quiet);
    for (size_t i = 0; i < OPTIONS_KNOBS; i++)
        ck_assert_ptr_null(options.knobs[i]);
}
END_TEST

START_TEST(takes_every_option)
{
    struct options options;
    char error[OPTIONS_ERROR_BYTES];
    ck_assert_int_eq(parse((const char *const[WORDS]){"-n1v", "0.5", "--connect", "test:///default",
                                                      "--config", "a.conf", "--state-dir=s"},
                           &options, error),
                     0);
    ck_assert(options.dry_run && options.once && options.verbose && !options.quiet);
    ck_assert_str_eq(options.uri, "test:///default");
    ck_assert_str_eq(options.config_path, "a.conf");
    ck_assert_str_eq(options.state_dir, "s");
    ck_assert_uint_eq(options.interval_usec, SEC / 2);
    ck_assert_int_eq(parse((const char *const[WORDS]){"-f", "b.conf", "-q", "--call-timeout", "1.5",
                                                      "--on-exit", "release", "--log-format=json",
                                                      "--metrics=/x/a.prom", "1"},
                           &options, error),
                     0);
    ck_assert_uint_eq(options.call_timeout_usec, SEC * 3 / 2);
    ck_assert_int_eq(options.on_exit, POLICY_RELEASE);
    ck_assert(options.is_json);
    ck_assert_str_eq(options.config_path, "b.conf");
    ck_assert_str_eq(options.metrics_path, "/x/a.prom");
    ck_assert(options.quiet);
}
END_TEST

START_TEST(wins_over_the_configuration)
{
    struct options options;
    char error[OPTIONS_ERROR_BYTES];
    struct config config = config_default();
    ck_assert_int_eq(config_set(&config, "min", "300", error), 0);
    ck_assert_int_eq(config_set(&config, "max", "600", error), 0);
    ck_assert_int_eq(config_set(&config, "headroom", "64", error), 0);
    ck_assert_int_eq(config_set(&config, "shares", "7", error), 0);
    ck_assert_int_eq(parse((const char *const[WORDS]){"--min=1G", "--headroom=20%", "--surge", "0",
                                                      "--host-reserve=2GiB", "--metric=usable",
                                                      "--ksm=auto", "0.5"},
                           &options, error),
                     0);
    options_apply(&options, &config);
    ck_assert_uint_eq(config.policy.interval_usec, SEC / 2);
    ck_assert_uint_eq(config.policy.host_reserve_kib, 2 * GIB);
    ck_assert_uint_eq(config.policy.surge_kib_per_sec, 0);
    ck_assert_int_eq(config.policy.metric, POLICY_USABLE);
    ck_assert(config.is_ksm_auto);
    ck_assert_int_eq(parse((const char *const[WORDS]){"--ksm", "off", "1"}, &options, error), 0);
    options_apply(&options, &config); /* the command line wins */
    ck_assert(!config.is_ksm_auto);
    ck_assert_uint_eq(config.defaults.min_kib.value, GIB);
    ck_assert_uint_eq(config.defaults.max_kib.value, GIB); /* moved: it ranks lower */
    ck_assert_uint_eq(config.defaults.shares.value, 7);
    ck_assert(!config.defaults.headroom_kib.known);
    ck_assert_uint_eq(config.defaults.headroom_percent.value, 20);
}
END_TEST

START_TEST(changes_nothing_that_it_does_not_name)
{
    struct options options;
    char error[OPTIONS_ERROR_BYTES];
    struct config config = config_default();
    struct config want = config_default();
    want.policy.interval_usec = 3 * SEC;
    ck_assert_int_eq(parse((const char *const[WORDS]){"3"}, &options, error), 0);
    options_apply(&options, &config);
    ck_assert(settings_equal(&config.defaults, &want.defaults));
    ck_assert_uint_eq(config.policy.interval_usec, want.policy.interval_usec);
    ck_assert_uint_eq(config.policy.host_reserve_kib, want.policy.host_reserve_kib);
    ck_assert_uint_eq(config.policy.surge_kib_per_sec, want.policy.surge_kib_per_sec);
    ck_assert_int_eq(config.policy.metric, want.policy.metric);
}
END_TEST

START_TEST(help_and_version_need_no_interval)
{
    struct options options;
    char error[OPTIONS_ERROR_BYTES];
    ck_assert_int_eq(parse((const char *const[WORDS]){"-h"}, &options, error), 0);
    ck_assert_int_eq(options.command, OPTIONS_HELP);
    ck_assert_int_eq(parse((const char *const[WORDS]){"--version", "abc"}, &options, error), 0);
    ck_assert_int_eq(options.command, OPTIONS_VERSION);
}
END_TEST

START_TEST(help_names_every_option_and_fits_a_screen)
{
    static const char *const names[] = {
        "--connect",   "--host-reserve", "--min",     "--headroom",     "--surge",
        "--dry-run",   "--config",       "--metric",  "--call-timeout", "--on-exit",
        "--state-dir", "--once",         "--verbose", "--quiet",        "--help",
        "--version",   "--record",       "--metrics", "--log-format",   "--ksm",
        "INTERVAL"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        ck_assert_msg(strstr(options_usage, names[i]) != NULL, "no %s in the usage", names[i]);
    size_t lines = 0;
    for (const char *at = options_usage; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    ck_assert_uint_le(lines, 24);
    for (const char *at = options_usage; *at != '\0'; at = strchr(at, '\n') + 1)
        ck_assert_msg(strcspn(at, "\n") <= 80, "too wide: %.80s", at);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("options");
    TCase *cases = tcase_create("argv");
    tcase_add_loop_test(cases, names_what_it_rejects, 0, COUNT_OF(rejected));
    tcase_add_test(cases, has_the_documented_defaults);
    tcase_add_test(cases, takes_every_option);
    tcase_add_test(cases, wins_over_the_configuration);
    tcase_add_test(cases, changes_nothing_that_it_does_not_name);
    tcase_add_test(cases, help_and_version_need_no_interval);
    tcase_add_test(cases, help_names_every_option_and_fits_a_screen);
    suite_add_tcase(suite, cases);
    return suite;
}
