/* options.h - the command line. Pure: it neither prints nor exits. */
#ifndef MC_OPTIONS_H
#define MC_OPTIONS_H

#include "config.h"

#include <stdbool.h>

enum { OPTIONS_ERROR_BYTES = CONFIG_ERROR_BYTES + 8, OPTIONS_KNOBS = 6 };

enum options_command {
    OPTIONS_RUN,
    OPTIONS_HELP,
    OPTIONS_VERSION,
};

struct options {
    enum options_command command;
    const char *uri;          /* of argv, or NULL: libvirt's default */
    const char *config_path;  /* of argv, or NULL: OPTIONS_CONFIG_PATH, if it is there */
    const char *state_dir;    /* of argv, or NULL: state_dir_claim()'s default, if it can be had */
    const char *record_path;  /* of argv, or NULL: no record */
    const char *metrics_path; /* of argv, or NULL: no metrics; ends in ".prom" */
    uint64_t interval_usec;
    uint64_t call_timeout_usec;       /* what a cycle waits at most for who does not answer */
    const char *knobs[OPTIONS_KNOBS]; /* those of --min and its like that were given, else NULL;
                                         right ones; for options_apply() */
    enum policy_goal on_exit; /* the sizes in which guests are left; POLICY_BALANCE: as they are */
    bool is_json;             /* log lines are to be */
    bool dry_run;
    bool once;
    bool verbose;
    bool quiet;
};

/* The configuration file that is read where none is named. */
#define OPTIONS_CONFIG_PATH "/etc/memory_coordinator.conf"

/* What --help prints. */
extern const char options_usage[];

/*
 * Reads ARGV into *RET_OPTIONS; its strings stay argv's. Returns 0, or -EINVAL
 * with one line in ERROR that names the offending text and what was expected; *RET_OPTIONS is then
 * as it was.
 */
int options_parse(int argc, char *const argv[], struct options *ret_options,
                  char error[OPTIONS_ERROR_BYTES]);

/* Sets in CONFIG what the command line says, which wins over the configuration file. */
void options_apply(const struct options *options, struct config *config);

#endif
