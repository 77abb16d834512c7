/* command_line.c - the command lines of commands. */
#include "command_line.h"

#include "commands.h"
#include "complain.h"
#include "units.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int take(char *const argv[], int key, command_line_taker *take_other, void *argument)
{
    switch (key) {
    case 'h':
        return COMMAND_LINE_HELP;
    case ':': /* the leading ':' tells a missing argument from an unknown option */
        return complain(COMMANDS_USAGE, "option '%s' needs an argument", argv[optind - 1]);
    case '?':
        return complain(COMMANDS_USAGE, "%s: wrong option '%s'; see %s --help", argv[0],
                        argv[optind - 1], argv[0]);
    default:
        return take_other(argument, key);
    }
}

int command_line_read(int argc, char *const argv[], const char *letters,
                      const struct option *options, command_line_taker *take_other, void *argument)
{
    int key;
    int status = 0;
    optind = 0; /* glibc: start afresh */
    opterr = 0;
    while (status == 0 && (key = getopt_long(argc, argv, letters, options, NULL)) != -1)
        status = take(argv, key, take_other, argument);
    return status;
}

int command_line_text(const char **ret_text, const char *option, const char *expected)
{
    *ret_text = optarg;
    return *optarg != '\0' ? 0 : complain(COMMANDS_USAGE, "--%s '': expected %s", option, expected);
}

int command_line_seconds(const char *option, const char *text, uint64_t least_usec,
                         uint64_t most_usec, uint64_t *ret_usec)
{
    static const double usec_per_sec = 1e6;
    if (units_parse_seconds_usec(text, least_usec, most_usec, ret_usec) == 0)
        return 0;
    return complain(COMMANDS_USAGE, "--%s '%s': expected seconds from %.10g to %.10g", option, text,
                    (double)least_usec / usec_per_sec, (double)most_usec / usec_per_sec);
}

int command_line_ttl(uint64_t *ret_usec)
{
    static const uint64_t least_usec = 1000000;
    static const uint64_t most_usec = UINT64_C(365) * 86400 * 1000000;
    return command_line_seconds("ttl", optarg, least_usec, most_usec, ret_usec);
}

int command_line_place(struct command_line_place *place, int key)
{
    return key == 'c' ? command_line_text(&place->uri, "connect", "a libvirt URI")
                      : command_line_text(&place->state_dir, "state-dir", "a directory");
}

int command_line_end(int status, const char *usage)
{
    if (status != COMMAND_LINE_HELP)
        return status;
    return fputs(usage, stdout) < 0 || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int command_line_state(const struct command_line_place *place, struct state *ret_state)
{
    char error[STATE_ERROR_BYTES];
    int result = state_read(place->state_dir, place->uri, ret_state, error);
    if (result == 0)
        return EXIT_SUCCESS;
    return complain(result == -ENOENT     ? COMMANDS_NOT_RUNNING
                    : result == -ENOTUNIQ ? COMMANDS_USAGE
                                          : EXIT_FAILURE,
                    "%s", error);
}

int command_line_running(const struct command_line_place *place, struct state *ret_state)
{
    int status = command_line_state(place, ret_state);
    if (status != EXIT_SUCCESS || ret_state->is_running)
        return status;
    complain(0, "no coordinator runs for '%s' any more", ret_state->record.view.uri);
    state_release(ret_state);
    return COMMANDS_NOT_RUNNING;
}
