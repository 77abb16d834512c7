/* whole.h - reads and writes that go on until there is no more, whatever comes in between. */
#ifndef MC_WHOLE_H
#define MC_WHOLE_H

#include <stddef.h>
#include <sys/types.h>

/* Reads into BYTES what DESCRIPTOR has, ROOM at most. Returns how much that is, or a
 * negative errno. */
ssize_t whole_read(int descriptor, void *bytes, size_t room);

/* Writes LENGTH bytes. Returns 0 or a negative errno; some may be written then. */
int whole_write(int descriptor, const void *bytes, size_t length);

#endif
