/*
 * kept.h - memory that outlives the process that writes it.
 *
 * What is remembered from cycle to cycle is there, for the process that takes over from one that
 * has hung or crashed. It is the parent's and all its children's, at the same address; a pointer in
 * it to what the parent had before it started them holds for all of them.
 */
#ifndef MC_KEPT_H
#define MC_KEPT_H

#include <stddef.h>

/* SIZE bytes, all zero, to be freed with kept_free(). What is never touched takes no memory. NULL
 * when out of memory. */
void *kept_new(size_t size);

/* Frees them for this process; NULL is no harm. */
void kept_free(void *memory, size_t size);

#endif
