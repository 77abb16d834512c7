/* options.h - the command line. Pure: it neither prints nor exits. */
#ifndef MC_OPTIONS_H
#define MC_OPTIONS_H

#include "policy.h"

#include <stdbool.h>

enum { OPTIONS_ERROR_BYTES = 512 };

enum options_command {
    OPTIONS_RUN,
    OPTIONS_HELP,
    OPTIONS_VERSION,
};

struct options {
    enum options_command command;
    const char *uri; /* of argv, or NULL: libvirt's default */
    struct policy_config policy;
    bool dry_run;
    bool once;
    bool verbose;
    bool quiet;
};

/* What --help prints. */
extern const char options_usage[];

/*
 * Reads ARGV into *RET_OPTIONS, defaults filled in; its strings stay argv's. Returns 0, or -EINVAL
 * with one line in ERROR that names the offending text and what was expected; *RET_OPTIONS is then
 * as it was.
 */
int options_parse(int argc, char *const argv[], struct options *ret_options,
                  char error[OPTIONS_ERROR_BYTES]);

#endif
