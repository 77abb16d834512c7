/* units.c - sizes and times as people write them. */
#include "units.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <strings.h>

enum { KIB_PER_MIB = 1024, KIB_PER_GIB = 1024 * 1024, USEC_PER_SEC = 1000000 };

static const struct {
    const char *name;
    uint64_t kib;
} size_units[] = {
    {"", KIB_PER_MIB},    {"K", 1},           {"KiB", 1},           {"M", KIB_PER_MIB},
    {"MiB", KIB_PER_MIB}, {"G", KIB_PER_GIB}, {"GiB", KIB_PER_GIB},
};

/* A decimal number: WHOLE + PART / PARTS. */
struct decimal {
    uint64_t whole;
    uint64_t part;
    uint64_t parts;
};

/* More decimals than these are below a KiB or a microsecond, and change nothing. */
static const uint64_t PARTS_LIMIT = 1000000000;

static bool read_whole(const char **text, uint64_t *whole)
{
    bool fits = true;
    for (*whole = 0; isdigit((unsigned char)**text); (*text)++)
        fits = fits && !__builtin_mul_overflow(*whole, 10, whole) &&
               !__builtin_add_overflow(*whole, (uint64_t)(**text - '0'), whole);
    return fits;
}

static void read_part(const char **text, struct decimal *number)
{
    for (; isdigit((unsigned char)**text); (*text)++) {
        if (number->parts == PARTS_LIMIT)
            continue;
        number->part = number->part * 10 + (uint64_t)(**text - '0');
        number->parts *= 10;
    }
}

/*
 * Reads the decimal number at *TEXT and moves behind it. No floating point, no exponent, sign or
 * locale. Returns 0, -EINVAL where there is none, -ERANGE where it exceeds 64 bits.
 */
static int read_decimal(const char **text, struct decimal *number)
{
    *number = (struct decimal){.parts = 1};
    if (!isdigit((unsigned char)**text))
        return -EINVAL;
    bool fits = read_whole(text, &number->whole);
    if (**text == '.') {
        (*text)++;
        if (!isdigit((unsigned char)**text))
            return -EINVAL;
        read_part(text, number);
    }
    return fits ? 0 : -ERANGE;
}

/* NUMBER times SCALE (at most 2^20), rounded down, if within LOW..HIGH. */
static int scale_decimal(const struct decimal *number, uint64_t scale, uint64_t low, uint64_t high,
                         uint64_t *ret)
{
    uint64_t value;
    if (__builtin_mul_overflow(number->whole, scale, &value) ||
        __builtin_add_overflow(value, number->part * scale / number->parts, &value))
        return -ERANGE;
    if (value < low || value > high)
        return -ERANGE;
    *ret = value;
    return 0;
}

int units_parse_size_kib(const char *text, uint64_t low_kib, uint64_t high_kib, uint64_t *ret_kib)
{
    struct decimal number;
    int result = read_decimal(&text, &number);
    if (result == -EINVAL)
        return result;
    while (*text == ' ')
        text++;
    for (size_t i = 0; i < sizeof(size_units) / sizeof(*size_units); i++)
        if (strcasecmp(text, size_units[i].name) == 0)
            return result ? result
                          : scale_decimal(&number, size_units[i].kib, low_kib, high_kib, ret_kib);
    return -EINVAL;
}

int units_parse_seconds_usec(const char *text, uint64_t low_usec, uint64_t high_usec,
                             uint64_t *ret_usec)
{
    struct decimal number;
    int result = read_decimal(&text, &number);
    if (result == -EINVAL || *text != '\0')
        return -EINVAL;
    return result ? result : scale_decimal(&number, USEC_PER_SEC, low_usec, high_usec, ret_usec);
}

const char *units_format_size(uint64_t kib, char buffer[UNITS_SIZE_TEXT_BYTES])
{
    const char *unit = "KiB";
    if (kib != 0 && kib % KIB_PER_GIB == 0) {
        kib /= KIB_PER_GIB;
        unit = "GiB";
    } else if (kib % KIB_PER_MIB == 0) {
        kib /= KIB_PER_MIB;
        unit = "MiB";
    }
    snprintf(buffer, UNITS_SIZE_TEXT_BYTES, "%" PRIu64 "%s", kib, unit);
    return buffer;
}
