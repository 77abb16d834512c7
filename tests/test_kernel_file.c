/* test_kernel_file.c - small files of figures, and what may be in their place. */
#include "kernel_file.h"
#include "support.h"
#include "tree.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static const char name[] = "/sys/figure";

/* TEXT may be read by its caller while the tree is there. */
static const char *path_in(const struct tree *tree, char path[KERNEL_FILE_PATH_BYTES])
{
    return kernel_file_path(path, tree->root, "%s", name);
}

static const struct {
    const char *text;
    int want;
    uint64_t want_number;
} numbers[] = {
    {"100\n", 0, 100},
    {"0", 0, 0},
    {" 7\n", 0, 7},
    {"18446744073709551615\n", 0, UINT64_MAX},
    {"18446744073709551616\n", -EINVAL, 0},
    {"99999999999999999999999999999\n", -EINVAL, 0},
    {"-1\n", -EINVAL, 0},
    {"+1\n", -EINVAL, 0},
    {"0x10\n", -EINVAL, 0},
    {"1 2\n", -EINVAL, 0},
    {"1\n2\n", -EINVAL, 0},
    {"1\n\n", -EINVAL, 0},
    {"\n", -EINVAL, 0},
    {"", -EINVAL, 0},
    {"many\n", -EINVAL, 0},
    {NULL, -ENOENT, 0},
};

START_TEST(reads_a_number_and_nothing_else)
{
    char path[KERNEL_FILE_PATH_BYTES];
    struct tree tree = tree_make();
    uint64_t got = 0xad;
    tree_write(&tree, name, numbers[_i].text);
    ck_assert_int_eq(kernel_file_read_number(path_in(&tree, path), &got), numbers[_i].want);
    ck_assert_uint_eq(got, numbers[_i].want == 0 ? numbers[_i].want_number : 0xad);
    tree_release(&tree);
}
END_TEST

START_TEST(writes_a_number_into_what_is_there)
{
    char path[KERNEL_FILE_PATH_BYTES];
    struct tree tree = tree_make();
    uint64_t got = 0xad;
    ck_assert_int_eq(kernel_file_write_number(path_in(&tree, path), 5), -ENOENT);
    tree_write(&tree, name, "123456\n");
    ck_assert_int_eq(kernel_file_write_number(path, 5), 0);
    ck_assert_int_eq(kernel_file_read_number(path, &got), 0);
    ck_assert_uint_eq(got, 5);
    tree_release(&tree);
}
END_TEST

START_TEST(a_pipe_or_a_directory_is_no_file)
{
    char path[KERNEL_FILE_PATH_BYTES];
    char text[KERNEL_FILE_BYTES];
    struct tree tree = tree_make();
    tree_write(&tree, name, NULL);
    ck_assert_int_eq(mkfifo(path_in(&tree, path), 0600), 0);
    ck_assert_int_eq(kernel_file_read(path, text), -EINVAL);
    ck_assert_int_lt(kernel_file_write_number(path, 1), 0); /* ENXIO: nobody reads it */
    ck_assert_int_eq(kernel_file_read(tree.root, text), -EINVAL);
    tree_release(&tree);
}
END_TEST

START_TEST(what_does_not_fit_is_refused)
{
    char path[KERNEL_FILE_PATH_BYTES];
    static char text[KERNEL_FILE_BYTES];
    static char large[KERNEL_FILE_BYTES + 1];
    struct tree tree = tree_make();
    memset(large, 'x', KERNEL_FILE_BYTES);
    tree_write(&tree, name, large);
    ck_assert_int_eq(kernel_file_read(path_in(&tree, path), text), -EFBIG);
    large[KERNEL_FILE_BYTES - 1] = '\0';
    tree_write(&tree, name, large);
    ck_assert_int_eq(kernel_file_read(path, text), 0);
    ck_assert_str_eq(text, large);
    ck_assert_int_eq(kernel_file_read("/dev/zero", text), -EINVAL);
    tree_release(&tree);
}
END_TEST

START_TEST(a_nul_byte_is_no_text)
{
    char path[KERNEL_FILE_PATH_BYTES];
    char text[KERNEL_FILE_BYTES];
    struct tree tree = tree_make();
    tree_write(&tree, name, "");
    FILE *file = fopen(path_in(&tree, path), "w");
    fwrite("1\0002\n", 1, 4, file);
    fclose(file);
    ck_assert_int_eq(kernel_file_read(path, text), -EINVAL);
    tree_release(&tree);
}
END_TEST

START_TEST(a_path_that_is_too_long_is_cut)
{
    char path[KERNEL_FILE_PATH_BYTES];
    char root[2 * KERNEL_FILE_PATH_BYTES];
    memset(root, 'r', sizeof(root) - 1);
    root[sizeof(root) - 1] = '\0';
    kernel_file_path(path, root, "/file%d", 1);
    ck_assert_uint_eq(strlen(path), KERNEL_FILE_PATH_BYTES - 1);
    root[KERNEL_FILE_PATH_BYTES - 3] = '\0';
    kernel_file_path(path, root, "/file%d", 1);
    ck_assert_uint_eq(strlen(path), KERNEL_FILE_PATH_BYTES - 1);
}
END_TEST

START_TEST(finds_a_label_at_the_beginning_of_a_line_only)
{
    const char *text = "xa: 1\na: 2\na: 3";
    ck_assert_str_eq(kernel_file_find(text, "a:"), " 2\na: 3");
    ck_assert_str_eq(kernel_file_find(text, "xa:"), " 1\na: 2\na: 3");
    ck_assert_ptr_null(kernel_file_find(text, "b:"));
    ck_assert_ptr_null(kernel_file_find("", "b:"));
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("kernel_file");
    TCase *cases = tcase_create("files");
    tcase_add_loop_test(cases, reads_a_number_and_nothing_else, 0, COUNT_OF(numbers));
    tcase_add_test(cases, writes_a_number_into_what_is_there);
    tcase_add_test(cases, a_pipe_or_a_directory_is_no_file);
    tcase_add_test(cases, what_does_not_fit_is_refused);
    tcase_add_test(cases, a_nul_byte_is_no_text);
    tcase_add_test(cases, a_path_that_is_too_long_is_cut);
    tcase_add_test(cases, finds_a_label_at_the_beginning_of_a_line_only);
    suite_add_tcase(suite, cases);
    return suite;
}
