/* tree.c - a directory of files in the place of a host's /proc and /sys. */
#include "tree.h"

#include "support.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct tree tree_make(void)
{
    struct tree tree = {.root = "/tmp/memory_coordinator_tree.XXXXXX"};
    ck_assert_ptr_nonnull(mkdtemp(tree.root));
    return tree;
}

void tree_write(const struct tree *tree, const char *path, const char *text)
{
    char whole[PATH_MAX];
    snprintf(whole, sizeof(whole), "%s%s", tree->root, path);
    for (char *slash = whole + strlen(tree->root); (slash = strchr(slash + 1, '/')) != NULL;) {
        *slash = '\0';
        ck_assert(mkdir(whole, 0755) == 0 || errno == EEXIST);
        *slash = '/';
    }
    if (text == NULL)
        return;
    FILE *file = fopen(whole, "w");
    ck_assert_msg(file != NULL, "%s: %s", whole, strerror(errno));
    fputs(text, file);
    fclose(file);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

void tree_release(struct tree *tree)
{
    enum { DESCRIPTORS = 8 };
    nftw(tree->root, remove_entry, DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
}
