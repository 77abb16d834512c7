/* ask.h - the commands that ask: they read what a coordinator has last written, and open no port.
 */
#ifndef MC_ASK_H
#define MC_ASK_H

/* "status [--json] [--watch]" and "explain DOMAIN", as commands_run() has it. */
int ask_status(int argc, char *const argv[]);
int ask_explain(int argc, char *const argv[]);

#endif
