/* tree.h - a directory of files in the place of a host's /proc and /sys. */
#ifndef MC_TESTS_TREE_H
#define MC_TESTS_TREE_H

#include <stdio.h>

struct tree {
    char root[64]; /* without a slash at its end */
};

struct tree tree_make(void);

/* Makes the file PATH, which begins with a slash, and the directories it is in; NULL for TEXT: not
 * the file itself. */
void tree_write(const struct tree *tree, const char *path, const char *text);

/* Removes all of it. */
void tree_release(struct tree *tree);

#endif
