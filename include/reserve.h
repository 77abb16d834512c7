/* reserve.h - the commands that keep memory for a guest that is to start. */
#ifndef MC_RESERVE_H
#define MC_RESERVE_H

/* "reserve SIZE" and "release NAME", as commands_run() has it. */
int reserve_command(int argc, char *const argv[]);
int release_command(int argc, char *const argv[]);

#endif
