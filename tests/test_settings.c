/* test_settings.c - what can be set for one domain, and what the one line of an error says. */
#include "settings.h"
#include "support.h"

#include <errno.h>
#include <string.h>

#define SIZE_WORDS "a number and KiB, MiB, GiB, K, M or G, from 1MiB to 1048576GiB"

static const struct {
    const char *key;
    const char *value;
    struct settings want;
} taken[] = {
    {"managed", "yes", {.managed = {true, 1}}},
    {"managed", "no", {.managed = {true, 0}}},
    {"min", "300", {.min_kib = {true, 300 * 1024}}},
    {"min", "1MiB", {.min_kib = {true, 1024}}},
    {"max", "1.5 GiB", {.max_kib = {true, 1536 * 1024}}},
    {"max", "1048576G", {.max_kib = {true, UINT64_C(1) << 40}}},
    {"shares", "1", {.shares = {true, 1}}},
    {"shares", "1000000", {.shares = {true, 1000000}}},
    {"headroom", "64M", {.headroom_kib = {true, 64 * 1024}}},
    {"headroom", "1%", {.headroom_percent = {true, 1}}},
    {"headroom", "100%", {.headroom_percent = {true, 100}}},
};

START_TEST(takes_what_is_right)
{
    struct settings settings = {0};
    char error[SETTINGS_ERROR_BYTES] = "";
    int result = settings_set(&settings, taken[_i].key, taken[_i].value, error);
    ck_assert_msg(result == 0, "%s", error);
    ck_assert(settings_equal(&settings, &taken[_i].want));
}
END_TEST

static const struct {
    const char *key;
    const char *value;
    int result;
    const char *error;
} refused[] = {
    {"mni", "300", -ENOENT, "unknown key 'mni', expected min, max, shares, headroom or managed"},
    {"Min", "300", -ENOENT, "unknown key 'Min', expected min, max, shares, headroom or managed"},
    {"", "300", -ENOENT, "unknown key '', expected min, max, shares, headroom or managed"},
    {"min", "", -EINVAL, "min '': expected " SIZE_WORDS},
    {"min", "30X", -EINVAL, "min '30X': expected " SIZE_WORDS},
    {"min", "-1", -EINVAL, "min '-1': expected " SIZE_WORDS},
    {"min", "0", -EINVAL, "min '0': out of range, expected " SIZE_WORDS},
    {"max", "1023K", -EINVAL, "max '1023K': out of range, expected " SIZE_WORDS},
    {"max", "1048577G", -EINVAL, "max '1048577G': out of range, expected " SIZE_WORDS},
    {"max", "99999999999999999999", -EINVAL,
     "max '99999999999999999999': out of range, expected " SIZE_WORDS},
    {"shares", "0", -EINVAL, "shares '0': out of range, expected a whole number from 1 to 1000000"},
    {"shares", "1099511627776", -EINVAL,
     "shares '1099511627776': out of range, expected a whole number from 1 to 1000000"},
    {"shares", "18446744073709551617", -EINVAL,
     "shares '18446744073709551617': out of range, expected a whole number from 1 to 1000000"},
    {"shares", "1.5", -EINVAL, "shares '1.5': expected a whole number from 1 to 1000000"},
    {"shares", "-5", -EINVAL, "shares '-5': expected a whole number from 1 to 1000000"},
    {"shares", "20%", -EINVAL, "shares '20%': expected a whole number from 1 to 1000000"},
    {"headroom", "0%", -EINVAL,
     "headroom '0%': out of range, expected " SIZE_WORDS ", or 1% to 100%"},
    {"headroom", "101%", -EINVAL,
     "headroom '101%': out of range, expected " SIZE_WORDS ", or 1% to 100%"},
    {"headroom", "%", -EINVAL, "headroom '%': expected " SIZE_WORDS ", or 1% to 100%"},
    {"headroom", "2.5%", -EINVAL, "headroom '2.5%': expected " SIZE_WORDS ", or 1% to 100%"},
    {"headroom", "20 %", -EINVAL, "headroom '20 %': expected " SIZE_WORDS ", or 1% to 100%"},
    {"headroom", "20%%", -EINVAL, "headroom '20%%': expected " SIZE_WORDS ", or 1% to 100%"},
    {"managed", "true", -EINVAL, "managed 'true': expected yes or no"},
    {"managed", "No", -EINVAL, "managed 'No': expected yes or no"},
    {"managed", "no\nvm1: all is well", -EINVAL, /* of the domain's owner: not into the log */
     "managed 'no?vm1: all is well': expected yes or no"},
    {"managed", "\x1b[2J\xc3\xa9", -EINVAL, "managed '?[2J?\?': expected yes or no"},
};

START_TEST(names_what_it_refuses)
{
    struct settings settings;
    struct settings untouched;
    char error[SETTINGS_ERROR_BYTES] = "";
    memset(&settings, 0xad, sizeof(settings));
    memset(&untouched, 0xad, sizeof(untouched));
    ck_assert_int_eq(settings_set(&settings, refused[_i].key, refused[_i].value, error),
                     refused[_i].result);
    ck_assert_str_eq(error, refused[_i].error);
    ck_assert_mem_eq(&settings, &untouched, sizeof(settings));
}
END_TEST

START_TEST(of_two_headrooms_the_later_wins)
{
    struct settings settings = {0};
    struct settings base = {.headroom_kib = {true, 100 * MIB}, .shares = {true, 5}};
    char error[SETTINGS_ERROR_BYTES];
    ck_assert_int_eq(settings_set(&settings, "headroom", "64M", error), 0);
    ck_assert_int_eq(settings_set(&settings, "headroom", "20%", error), 0);
    ck_assert(!settings.headroom_kib.known && settings.headroom_percent.value == 20);
    ck_assert(!settings_override(&base, &settings));
    ck_assert(!base.headroom_kib.known && base.headroom_percent.value == 20);
    ck_assert_uint_eq(base.shares.value, 5);
    ck_assert_int_eq(settings_set(&settings, "headroom", "64M", error), 0);
    ck_assert(!settings.headroom_percent.known && settings.headroom_kib.value == 64 * MIB);
}
END_TEST

START_TEST(a_minimum_above_the_maximum_is_no_agreement)
{
    struct settings settings = {.min_kib = {true, 2 * GIB}, .max_kib = {true, 2 * GIB}};
    char error[SETTINGS_ERROR_BYTES] = "";
    ck_assert_int_eq(settings_check(&settings, error), 0);
    settings.max_kib.value = GIB;
    ck_assert_int_eq(settings_check(&settings, error), -EINVAL);
    ck_assert_str_eq(error, "min 2GiB is above max 1GiB, expected at most that");
    settings.min_kib.known = false;
    ck_assert_int_eq(settings_check(&settings, error), 0);
}
END_TEST

static const struct {
    uint64_t base_min, base_max, over_min, over_max; /* MiB; 0: not set */
    uint64_t min, max;
    bool clash;
} overrides[] = {
    {200, 800, 0, 0, 200, 800, false},     /* nothing */
    {200, 800, 300, 600, 300, 600, false}, /* both */
    {200, 800, 800, 0, 800, 800, false},   /* they may meet */
    {200, 800, 900, 0, 900, 900, true},    /* the minimum is the later word */
    {200, 800, 0, 100, 100, 100, true},    /* the maximum is */
    {200, 800, 900, 1000, 900, 1000, false}, {0, 0, 900, 0, 900, 0, false},
};

static struct settings range(uint64_t min_mib, uint64_t max_mib)
{
    return (struct settings){.min_kib = {min_mib != 0, min_mib * MIB},
                             .max_kib = {max_mib != 0, max_mib * MIB}};
}

START_TEST(what_ranks_lower_gives_way)
{
    struct settings base = range(overrides[_i].base_min, overrides[_i].base_max);
    struct settings over = range(overrides[_i].over_min, overrides[_i].over_max);
    struct settings want = range(overrides[_i].min, overrides[_i].max);
    ck_assert(settings_override(&base, &over) == overrides[_i].clash);
    ck_assert(settings_equal(&base, &want));
}
END_TEST

START_TEST(equal_is_what_sets_the_same)
{
    struct settings left = {.managed = {false, 1}, .shares = {true, 5}};
    struct settings right = {.managed = {false, 0}, .shares = {true, 5}};
    ck_assert(settings_equal(&left, &right));
    right.shares.value = 6;
    ck_assert(!settings_equal(&left, &right));
    right.shares = (struct figure){false, 5};
    ck_assert(!settings_equal(&left, &right));
}
END_TEST

START_TEST(cuts_what_is_too_long_to_quote)
{
    char text[SETTINGS_QUOTE_BYTES + 1];
    char quoted[SETTINGS_QUOTE_BYTES];
    memset(text, 'x', sizeof(text));
    text[SETTINGS_QUOTE_BYTES - 1] = '\0';
    ck_assert_str_eq(settings_quote(text, quoted), text);
    text[SETTINGS_QUOTE_BYTES - 1] = 'x';
    text[SETTINGS_QUOTE_BYTES] = '\0';
    settings_quote(text, quoted);
    ck_assert_uint_eq(strlen(quoted), SETTINGS_QUOTE_BYTES - 1);
    ck_assert_str_eq(quoted + SETTINGS_QUOTE_BYTES - 5, "x...");
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("settings");
    TCase *cases = tcase_create("texts");
    tcase_add_loop_test(cases, takes_what_is_right, 0, COUNT_OF(taken));
    tcase_add_loop_test(cases, names_what_it_refuses, 0, COUNT_OF(refused));
    tcase_add_test(cases, cuts_what_is_too_long_to_quote);
    suite_add_tcase(suite, cases);

    TCase *together = tcase_create("together");
    tcase_add_test(together, of_two_headrooms_the_later_wins);
    tcase_add_test(together, a_minimum_above_the_maximum_is_no_agreement);
    tcase_add_loop_test(together, what_ranks_lower_gives_way, 0, COUNT_OF(overrides));
    tcase_add_test(together, equal_is_what_sets_the_same);
    suite_add_tcase(suite, together);
    return suite;
}
