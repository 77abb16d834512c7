/* text.h - text for a terminal: nothing in it but what can be printed, and as wide as is meant. */
#ifndef MC_TEXT_H
#define MC_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { TEXT_BYTES = 1024 };

/* Where a text that is too long is cut. */
enum text_cut {
    TEXT_CUT_MIDDLE, /* of names that differ at their ends */
    TEXT_CUT_END,
};

/* Whether the locale's characters are Unicode's. */
bool text_is_unicode(void);

/*
 * Writes TEXT into BUFFER as the locale prints it: '?' for what is not printable or no character,
 * and at most COLUMNS columns wide, with an ellipsis where it was cut. Returns the columns.
 */
size_t text_fit(const char *text, size_t columns, enum text_cut cut, char buffer[TEXT_BYTES]);

/* The columns that it takes. */
size_t text_columns(const char *text);

/* Writes TEXT, with blanks behind it (or before it, with TO_THE_RIGHT) to fill COLUMNS. */
void text_write_padded(FILE *out, const char *text, size_t columns, bool to_the_right);

/* Writes LABEL and TEXT beside it as a paragraph: its lines begin INDENT columns in and have at
 * most COLUMNS columns (0: there is one line); words are kept whole. */
void text_write_paragraph(FILE *out, const char *label, const char *text, size_t indent,
                          size_t columns);

#endif
