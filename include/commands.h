/* commands.h - the words that the program takes in place of an INTERVAL: "status", "explain". */
#ifndef MC_COMMANDS_H
#define MC_COMMANDS_H

#include <stdbool.h>

/* How a command ends, beside EXIT_SUCCESS and EXIT_FAILURE. */
enum {
    COMMANDS_USAGE = 2,       /* its command line was wrong */
    COMMANDS_NOT_RUNNING = 3, /* there is no coordinator to ask */
    COMMANDS_NOT_ALL = 4      /* what was asked for cannot be had yet, or not all of it */
};

/* Whether WORD, the first of the command line, is a command. */
bool commands_has(const char *word);

/*
 * Runs the command ARGV[0], which commands_has(), with its own options and words. What it has to
 * say goes to standard output, what is wrong to standard error. Returns the exit status.
 */
int commands_run(int argc, char *const argv[]);

#endif
