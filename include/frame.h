/*
 * frame.h - one screen of `status --watch`: the host and a bar for each guest.
 *
 * Pure: a view and the size of a screen go in, lines come out.
 */
#ifndef MC_FRAME_H
#define MC_FRAME_H

#include "coordinator.h"
#include "status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct frame_style {
    size_t columns;
    size_t lines;
    bool is_unicode;  /* blocks and arrows; else ASCII */
    bool is_coloured; /* by ANSI sequences, in the terminal's own colours */
};

/*
 * Writes at most as many lines as the style has, none of them wider than it is, and no newline
 * behind the last. Where there are more guests than lines, those that are worst off are shown.
 * Returns 0 or -ENOMEM.
 */
int frame_write(FILE *out, const struct coordinator_view *view, const struct status_source *source,
                const struct frame_style *style);

#endif
