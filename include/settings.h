/*
 * settings.h - what can be set for one domain, as people write it: in the configuration file, in
 * the domain's own metadata, on a simulated guest.
 *
 * Pure: nothing here prints or exits; on failure outputs are left alone.
 */
#ifndef MC_SETTINGS_H
#define MC_SETTINGS_H

#include "snapshot.h"

enum { SETTINGS_ERROR_BYTES = 256, SETTINGS_QUOTE_BYTES = 80 };

/* The most shares a domain can have. */
#define SETTINGS_SHARES_MAX UINT64_C(1000000)

/*
 * Sets KEY to what VALUE says: "managed" (yes or no), "min", "max" (sizes), "shares" (1 to a
 * million), "headroom" (a size, or a percentage of what the guest uses, such as "20%"). Returns 0;
 * -ENOENT where there is no such key, -EINVAL where the value is wrong, both with a line in ERROR
 * that names key and value and what was expected.
 */
int settings_set(struct settings *settings, const char *key, const char *value,
                 char error[SETTINGS_ERROR_BYTES]);

/* Whether the settings agree with one another. Returns 0, or -EINVAL with the reason in ERROR. */
int settings_check(const struct settings *settings, char error[SETTINGS_ERROR_BYTES]);

/*
 * Overwrites in BASE what OVER sets. Where a minimum and a maximum then contradict each other, the
 * one that OVER does not set is moved to the one it does. Returns true if that was so.
 */
bool settings_override(struct settings *base, const struct settings *over);

/* Whether both set the same. */
bool settings_equal(const struct settings *left, const struct settings *right);

/*
 * TEXT as it can stand in a line of a log: what is no printable ASCII becomes '?', what is too long
 * is cut and ends in "...". Returns BUFFER.
 */
const char *settings_quote(const char *text, char buffer[SETTINGS_QUOTE_BYTES]);

#endif
