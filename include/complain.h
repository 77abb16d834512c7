/* complain.h - how a command says what is wrong. */
#ifndef MC_COMPLAIN_H
#define MC_COMPLAIN_H

/* Prints one line, "memory_coordinator: " and FORMAT, to standard error. Returns STATUS. */
int complain(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
