/*
 * command_line.h - what the command lines of commands have in common: how options are read, what is
 * said of wrong ones, and which coordinator is meant.
 */
#ifndef MC_COMMAND_LINE_H
#define MC_COMMAND_LINE_H

#include "state.h"

#include <getopt.h>
#include <stdint.h>

/* A status that is no exit status: its help is what is wanted. */
enum { COMMAND_LINE_HELP = -1 };

/* Which coordinator. */
struct command_line_place {
    const char *uri;       /* NULL: of the only one there is */
    const char *state_dir; /* NULL: the usual places */
};

/* How a command's options end; 'h' is never handed on. */
#define COMMAND_LINE_LAST_OPTIONS                                                                  \
    {"help", no_argument, NULL, 'h'},                                                              \
    {                                                                                              \
        NULL, 0, NULL, 0                                                                           \
    }
/* Those for the place before them, for command_line_place(). */
#define COMMAND_LINE_PLACE_OPTIONS                                                                 \
    {"connect", required_argument, NULL, 'c'},                                                     \
    {                                                                                              \
        "state-dir", required_argument, NULL, 'd'                                                  \
    }

/* What a usage says of them, and of an exit status that all commands have. */
#define COMMAND_LINE_PLACE_USAGE                                                                   \
    "  -c, --connect URI     of the coordinator for this hypervisor (the only one)\n"              \
    "      --state-dir DIR   where it keeps its state (where it does by default)\n"                \
    "  -h, --help            this text\n"                                                          \
    "\n"                                                                                           \
    "Exit status: 0, 1 for what failed, 2 for a wrong command line"

/* Takes the option KEY with its optarg. Returns 0, or an exit status, having said what is wrong. */
typedef int command_line_taker(void *argument, int key);

/*
 * Hands each option of ARGV, which begins with the command's name, to TAKE; what follows them
 * begins at optind then. LETTERS are getopt_long()'s, after ':'. Returns 0, COMMAND_LINE_HELP, or
 * an exit status, what is wrong having been said.
 */
int command_line_read(int argc, char *const argv[], const char *letters,
                      const struct option *options, command_line_taker *take, void *argument);

/* Takes optarg, which may not be empty, of --OPTION. Returns like a taker. */
int command_line_text(const char **ret_text, const char *option, const char *expected);

/* Takes TEXT, the seconds of --OPTION within these bounds. Returns like a taker. */
int command_line_seconds(const char *option, const char *text, uint64_t least_usec,
                         uint64_t most_usec, uint64_t *ret_usec);

/* Takes optarg of --ttl, from a second to a year. Returns like a taker. */
int command_line_ttl(uint64_t *ret_usec);

/* Takes an option of the place; a taker's last resort. */
int command_line_place(struct command_line_place *place, int key);

/* Prints USAGE if STATUS wants that. Returns what to exit with. */
int command_line_end(int status, const char *usage);

/* Reads the state that the coordinator of PLACE has left, to be released. Returns EXIT_SUCCESS, or
 * what to exit with, having said why. */
int command_line_state(const struct command_line_place *place, struct state *ret_state);

/* Likewise, of one that runs. */
int command_line_running(const struct command_line_place *place, struct state *ret_state);

#endif
