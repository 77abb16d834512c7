/* replay_command.h - "replay FILE": what would have been decided by other settings. */
#ifndef MC_REPLAY_COMMAND_H
#define MC_REPLAY_COMMAND_H

/* As commands_run() has it. */
int replay_command(int argc, char *const argv[]);

#endif
