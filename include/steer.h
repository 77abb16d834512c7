/* steer.h - the commands that change something: how the coordinator goes on, or what is set. */
#ifndef MC_STEER_H
#define MC_STEER_H

/* "pause [--ttl SECONDS]", "resume" and "set DOMAIN KEY=VALUE...", as commands_run() has it. */
int steer_pause(int argc, char *const argv[]);
int steer_resume(int argc, char *const argv[]);
int steer_set(int argc, char *const argv[]);

#endif
