/* settings.c - what can be set for one domain, as people write it. */
#include "settings.h"

#include "units.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { KIB_PER_MIB = 1024, PERCENT_MAX = 100 };

#define SIZE_WORDS "a number and KiB, MiB, GiB, K, M or G"

/* The keys, and what can follow them; for each a function that sets it. */
struct key {
    const char *name;
    int (*set)(struct settings *settings, const char *value);
    const char *expected;
};

static void set_figure(struct figure *figure, uint64_t value)
{
    *figure = (struct figure){.known = true, .value = value};
}

/* ---- values ---- */

static int set_managed(struct settings *settings, const char *value)
{
    if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
        return -EINVAL;
    set_figure(&settings->managed, strcmp(value, "yes") == 0);
    return 0;
}

static int set_size(struct figure *figure, const char *value)
{
    uint64_t kib;
    int result = units_parse_size_kib(value, KIB_PER_MIB, UNITS_SIZE_MAX_KIB, &kib);
    if (result == 0)
        set_figure(figure, kib);
    return result;
}

static int set_min(struct settings *settings, const char *value)
{
    return set_size(&settings->min_kib, value);
}

static int set_max(struct settings *settings, const char *value)
{
    return set_size(&settings->max_kib, value);
}

/* Reads a whole number from 1 to MOST that is followed by END and nothing else. */
static int parse_count(const char *text, uint64_t most, const char *end, uint64_t *ret)
{
    uint64_t count = 0;
    bool fits = true;
    if (!isdigit((unsigned char)*text))
        return -EINVAL;
    for (; isdigit((unsigned char)*text); text++) {
        count = count * 10 + (uint64_t)(*text - '0');
        fits = fits && count <= most;
        count = fits ? count : 0;
    }
    if (strcmp(text, end) != 0)
        return -EINVAL;
    if (!fits || count == 0)
        return -ERANGE;
    *ret = count;
    return 0;
}

static int set_shares(struct settings *settings, const char *value)
{
    uint64_t shares;
    int result = parse_count(value, SETTINGS_SHARES_MAX, "", &shares);
    if (result == 0)
        set_figure(&settings->shares, shares);
    return result;
}

/* Of a size and a percentage the one set later wins. */
static int set_headroom(struct settings *settings, const char *value)
{
    struct figure none = {0};
    size_t length = strlen(value);
    if (length == 0 || value[length - 1] != '%') {
        int result = set_size(&settings->headroom_kib, value);
        if (result == 0)
            settings->headroom_percent = none;
        return result;
    }
    uint64_t percent;
    int result = parse_count(value, PERCENT_MAX, "%", &percent);
    if (result != 0)
        return result;
    set_figure(&settings->headroom_percent, percent);
    settings->headroom_kib = none;
    return 0;
}

/* ---- keys ---- */

static const struct key keys[] = {
    {"min", set_min, SIZE_WORDS ", from 1MiB to 1048576GiB"},
    {"max", set_max, SIZE_WORDS ", from 1MiB to 1048576GiB"},
    {"shares", set_shares, "a whole number from 1 to 1000000"},
    {"headroom", set_headroom, SIZE_WORDS ", from 1MiB to 1048576GiB, or 1% to 100%"},
    {"managed", set_managed, "yes or no"},
};
enum { KEYS = sizeof(keys) / sizeof(*keys) };

static const struct key *find_key(const char *name)
{
    for (size_t i = 0; i < KEYS; i++)
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    return NULL;
}

int settings_set(struct settings *settings, const char *key, const char *value,
                 char error[SETTINGS_ERROR_BYTES])
{
    char quoted[SETTINGS_QUOTE_BYTES];
    const struct key *found = find_key(key);
    if (found == NULL) {
        snprintf(error, SETTINGS_ERROR_BYTES,
                 "unknown key '%s', expected min, max, shares, headroom or managed",
                 settings_quote(key, quoted));
        return -ENOENT;
    }
    int result = found->set(settings, value);
    if (result == 0)
        return 0;
    snprintf(error, SETTINGS_ERROR_BYTES, "%s '%s': %sexpected %s", key,
             settings_quote(value, quoted), result == -ERANGE ? "out of range, " : "",
             found->expected);
    return -EINVAL;
}

int settings_check(const struct settings *settings, char error[SETTINGS_ERROR_BYTES])
{
    char min[UNITS_SIZE_TEXT_BYTES];
    char max[UNITS_SIZE_TEXT_BYTES];
    if (!settings->min_kib.known || !settings->max_kib.known ||
        settings->min_kib.value <= settings->max_kib.value)
        return 0;
    snprintf(error, SETTINGS_ERROR_BYTES, "min %s is above max %s, expected at most that",
             units_format_size(settings->min_kib.value, min),
             units_format_size(settings->max_kib.value, max));
    return -EINVAL;
}

/* ---- several together ---- */

static void override_figure(struct figure *base, const struct figure *over)
{
    if (over->known)
        *base = *over;
}

bool settings_override(struct settings *base, const struct settings *over)
{
    override_figure(&base->managed, &over->managed);
    override_figure(&base->min_kib, &over->min_kib);
    override_figure(&base->max_kib, &over->max_kib);
    override_figure(&base->shares, &over->shares);
    if (over->headroom_kib.known || over->headroom_percent.known) {
        base->headroom_kib = over->headroom_kib;
        base->headroom_percent = over->headroom_percent;
    }
    if (!base->min_kib.known || !base->max_kib.known || base->min_kib.value <= base->max_kib.value)
        return false;
    if (over->max_kib.known)
        base->min_kib.value = base->max_kib.value;
    else
        base->max_kib.value = base->min_kib.value;
    return true;
}

static bool same_figure(const struct figure *left, const struct figure *right)
{
    return left->known == right->known && (!left->known || left->value == right->value);
}

bool settings_equal(const struct settings *left, const struct settings *right)
{
    return same_figure(&left->managed, &right->managed) &&
           same_figure(&left->min_kib, &right->min_kib) &&
           same_figure(&left->max_kib, &right->max_kib) &&
           same_figure(&left->shares, &right->shares) &&
           same_figure(&left->headroom_kib, &right->headroom_kib) &&
           same_figure(&left->headroom_percent, &right->headroom_percent);
}

const char *settings_quote(const char *text, char buffer[SETTINGS_QUOTE_BYTES])
{
    static const char cut[] = "...";
    size_t i = 0;
    for (; i < SETTINGS_QUOTE_BYTES - 1 && text[i] != '\0'; i++) {
        buffer[i] = text[i];
        if (text[i] < ' ' || text[i] > '~')
            buffer[i] = '?';
    }
    buffer[i] = '\0';
    if (text[i] != '\0')
        memcpy(buffer + SETTINGS_QUOTE_BYTES - sizeof(cut), cut, sizeof(cut));
    return buffer;
}
