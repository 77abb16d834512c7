/*
 * fuzz.h - what the fuzz targets share. Each has the function that libFuzzer calls with an input;
 * replay.c calls it with those of the corpus.
 *
 * What a target demands it demands by fuzz_expect(), so that a breach ends it whatever it is
 * compiled with.
 */
#ifndef MC_FUZZ_H
#define MC_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whose corpus is tests/fuzz/corpus/NAME. */
extern const char fuzz_name[];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define fuzz_expect(condition)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (false)

/* The input as a string, to be freed. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    fuzz_expect(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

/* Whether TEXT, of ROOM bytes, is one line that can stand in a log. */
static inline bool fuzz_is_line(const char *text, size_t room)
{
    size_t length = strnlen(text, room);
    for (size_t i = 0; i < length; i++)
        if (text[i] < ' ' || text[i] > '~')
            return false;
    return length > 0 && length < room;
}

#endif
