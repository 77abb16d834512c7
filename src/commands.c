/* commands.c - which word is which command. */
#include "commands.h"

#include "ask.h"
#include "replay_command.h"
#include "reserve.h"
#include "steer.h"

#include <stddef.h>
#include <string.h>

static const struct command {
    const char *word;
    int (*run)(int argc, char *const argv[]);
} commands[] = {
    {"status", ask_status},   {"explain", ask_explain},     {"pause", steer_pause},
    {"resume", steer_resume}, {"reserve", reserve_command}, {"release", release_command},
    {"set", steer_set},       {"replay", replay_command},   {NULL, NULL},
};

static const struct command *find(const char *word)
{
    const struct command *command = commands;
    while (command->word != NULL && strcmp(command->word, word) != 0)
        command++;
    return command;
}

bool commands_has(const char *word)
{
    return find(word)->word != NULL;
}

int commands_run(int argc, char *const argv[])
{
    const struct command *command = find(argv[0]);
    return command->run(argc, argv);
}
