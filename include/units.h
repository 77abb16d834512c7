/*
 * units.h - the texts in which people write sizes and times, and back.
 *
 * Pure: the parsers neither print nor exit; on failure they leave their outputs alone.
 */
#ifndef MC_UNITS_H
#define MC_UNITS_H

#include <stddef.h>
#include <stdint.h>

enum { UNITS_SIZE_TEXT_BYTES = 32 };

/* The least and the most that units_parse_size_kib() can be asked to accept. */
#define UNITS_SIZE_MAX_KIB (UINT64_C(1) << 40) /* 1 PiB */

/*
 * Parses a size such as "200", "200MiB", "1.5G" or "512 K": a decimal number and KiB, MiB, GiB, K,
 * M or G in any case; a bare number is MiB. Returns 0 and the KiB, rounded down, in *RET_KIB;
 * -EINVAL if TEXT is no size, -ERANGE if it is outside LOW_KIB..HIGH_KIB.
 */
int units_parse_size_kib(const char *text, uint64_t low_kib, uint64_t high_kib, uint64_t *ret_kib);

/*
 * Parses a time in seconds such as "2" or "0.5". Returns 0 and the microseconds, rounded down, in
 * *RET_USEC; -EINVAL if TEXT is no decimal number, -ERANGE if it is outside LOW_USEC..HIGH_USEC.
 */
int units_parse_seconds_usec(const char *text, uint64_t low_usec, uint64_t high_usec,
                             uint64_t *ret_usec);

/* Writes KIB in the largest unit that takes it whole ("200MiB", "1GiB", "513KiB"). Returns BUFFER.
 */
const char *units_format_size(uint64_t kib, char buffer[UNITS_SIZE_TEXT_BYTES]);

#endif
