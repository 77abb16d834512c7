/*
 * config.h - all that an administrator can set for a run: defaults, and rules for domains by name.
 *
 * Pure but for reading the one file or stream; it neither prints nor exits.
 */
#ifndef MC_CONFIG_H
#define MC_CONFIG_H

#include "policy.h"
#include "settings.h"

#include <stddef.h>
#include <stdio.h>

enum { CONFIG_ERROR_BYTES = 512, CONFIG_PATTERN_BYTES = 256, CONFIG_RULES_MOST = 4096 };

/* What one [domain PATTERN] section sets. */
struct config_rule {
    char pattern[CONFIG_PATTERN_BYTES]; /* a name, or a glob as the shell's */
    struct settings settings;
};

struct config {
    struct policy_config policy;
    struct settings defaults; /* of every domain: each of its figures is known, but for the
                                 headroom, of which one is */
    struct config_rule
        *rules; /* rule_count of them, as in the file: the first that matches counts */
    size_t rule_count;
    bool is_ksm_auto; /* equal pages are shared by the host's state; else nothing is done to that */
};

/* 200 MiB of reserve, 28 MiB/s of surge, guests from 200 MiB up with 100 MiB unused, no rules; the
 * interval is 0. */
struct config config_default(void);

/*
 * Reads the file at PATH over what *CONFIG sets; its rules take the place of those there. Returns
 * 0; -ENOMEM, another -errno if it could not be read, -EINVAL if something in it is wrong: ERROR
 * then says where and what, and *CONFIG is as it was.
 */
int config_read(const char *path, struct config *config, char error[CONFIG_ERROR_BYTES]);

/* Does the same with what STREAM holds from here on, which PATH names; it stays open. */
int config_parse(FILE *stream, const char *path, struct config *config,
                 char error[CONFIG_ERROR_BYTES]);

/*
 * Sets what the section [coordinator] can set: KEY to VALUE. Returns 0; -ENOENT where there is no
 * such key, -EINVAL where the value is wrong, both with a line in ERROR that names them and what
 * was expected.
 */
int config_set(struct config *config, const char *key, const char *value,
               char error[CONFIG_ERROR_BYTES]);

/* Frees the rules; NULL is no harm. */
void config_release(struct config *config);

/*
 * What holds for the domain NAME, whose own settings, which win, are OWN: those, else the first
 * rule that matches, else the defaults.
 */
struct policy_limits config_limits(const struct config *config, const char *name,
                                   const struct settings *own);

/*
 * Whether, for the same, a minimum and a maximum of different rank contradict each other, so that
 * config_limits() moves the lower-ranking one. If so, TEXT says which.
 */
bool config_limits_clash(const struct config *config, const char *name, const struct settings *own,
                         char text[CONFIG_ERROR_BYTES]);

#endif
