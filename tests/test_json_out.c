/* test_json_out.c - what is written is what jansson reads, whatever the pieces. */
#include "json_out.h"

#include "support.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { SPACE_BYTES = 1 << 18 };

/* Where the pieces are put together. */
struct page {
    char bytes[SPACE_BYTES];
    size_t length;
    int calls;
    int result; /* what is to be returned */
};

static int take(void *argument, const void *bytes, size_t length)
{
    struct page *page = argument;
    ck_assert_uint_lt(page->length + length, sizeof(page->bytes));
    memcpy(&page->bytes[page->length], bytes, length);
    page->length += length;
    page->calls++;
    return page->result;
}

static struct page *new_page(struct json_out *out)
{
    struct page *page = calloc(1, sizeof(*page));
    ck_assert_ptr_nonnull(page);
    json_out_begin(out, take, page);
    return page;
}

/* Ends the text, and reads it. */
static json_t *read_back(struct json_out *out, const struct page *page)
{
    json_error_t error;
    ck_assert_int_eq(json_out_end(out), 0);
    json_t *value = json_loadb(page->bytes, page->length, JSON_DECODE_ANY, &error);
    ck_assert_msg(value != NULL, "%s: %.*s", error.text, (int)page->length, page->bytes);
    return value;
}

START_TEST(puts_commas_where_they_belong)
{
    struct json_out out;
    struct page *page = new_page(&out);
    json_out_open(&out, '{');
    json_out_name(&out, "none");
    json_out_open(&out, '[');
    json_out_close(&out, ']');
    json_out_name(&out, "two");
    json_out_open(&out, '[');
    json_out_element(&out);
    json_out_open(&out, '{');
    json_out_close(&out, '}');
    json_out_element(&out);
    json_out_bool(&out, false);
    json_out_close(&out, ']');
    json_out_name(&out, "last");
    json_out_bool(&out, true);
    json_out_close(&out, '}');
    ck_assert_int_eq(json_out_end(&out), 0);
    page->bytes[page->length] = '\0';
    ck_assert_str_eq(page->bytes, "{\"none\":[],\"two\":[{},false],\"last\":true}");
    free(page);
}
END_TEST

static const struct {
    int64_t value;
    const char *text;
} integers[] = {
    {0, "0"},
    {7, "7"},
    {10, "10"},
    {-1, "-1"},
    {INT64_MAX, "9223372036854775807"},
    {INT64_MIN, "-9223372036854775808"},
};

START_TEST(writes_integers)
{
    struct json_out out;
    struct page *page = new_page(&out);
    json_out_i64(&out, integers[_i].value);
    ck_assert_int_eq(json_out_end(&out), 0);
    page->bytes[page->length] = '\0';
    ck_assert_str_eq(page->bytes, integers[_i].text);
    free(page);
}
END_TEST

START_TEST(writes_the_largest)
{
    struct json_out out;
    struct page *page = new_page(&out);
    json_out_u64(&out, UINT64_MAX);
    ck_assert_int_eq(json_out_end(&out), 0);
    ck_assert_str_eq(page->bytes, "18446744073709551615");
    free(page);
}
END_TEST

START_TEST(any_character_comes_back)
{
    struct json_out out;
    const char text[] = {'a', (char)(_i + 1), 'b', '\0'};
    struct page *page = new_page(&out);
    json_out_text(&out, text);
    json_t *value = read_back(&out, page);
    /* Alone none from 0x80 up is UTF-8. */
    ck_assert_str_eq(json_string_value(value), _i + 1 < 0x80 ? text : "a?b");
    json_decref(value);
    free(page);
}
END_TEST

START_TEST(utf_8_comes_back)
{
    struct json_out out;
    struct page *page = new_page(&out);
    json_out_text(&out, "Bücher \xe2\x82\xac");
    json_t *value = read_back(&out, page);
    ck_assert_str_eq(json_string_value(value), "Bücher \xe2\x82\xac");
    json_decref(value);
    free(page);
}
END_TEST

/* So long that every piece is cut somewhere, plain texts, odd ones and figures. */
START_TEST(pieces_fit_together)
{
    enum { ELEMENTS = 5000 };
    struct json_out out;
    struct page *page = new_page(&out);
    json_out_open(&out, '[');
    for (int i = 0; i < ELEMENTS; i++) {
        json_out_element(&out);
        if (i % 3 == 0)
            json_out_text(&out, "plain, and of some length");
        else if (i % 3 == 1)
            json_out_text(&out, "not \"plain\"\n");
        else
            json_out_i64(&out, -i);
    }
    json_out_close(&out, ']');
    json_t *array = read_back(&out, page);
    ck_assert_int_gt(page->calls, 10);
    ck_assert_uint_eq(json_array_size(array), ELEMENTS);
    for (size_t i = 0; i < ELEMENTS; i++) {
        const json_t *value = json_array_get(array, i);
        if (i % 3 == 2)
            ck_assert_int_eq(json_integer_value(value), -(json_int_t)i);
        else
            ck_assert_str_eq(json_string_value(value),
                             i % 3 == 0 ? "plain, and of some length" : "not \"plain\"\n");
    }
    json_decref(array);
    free(page);
}
END_TEST

START_TEST(a_text_longer_than_a_piece_is_whole)
{
    struct json_out out;
    char text[3 * JSON_OUT_BYTES];
    struct page *page = new_page(&out);
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    json_out_text(&out, text);
    json_t *value = read_back(&out, page);
    ck_assert_str_eq(json_string_value(value), text);
    json_decref(value);
    free(page);
}
END_TEST

START_TEST(what_the_taker_says_is_returned_and_it_is_not_asked_again)
{
    struct json_out out;
    struct page *page = new_page(&out);
    page->result = -ENOSPC;
    for (int i = 0; i < 2 * JSON_OUT_BYTES; i++)
        json_out_u64(&out, 1);
    ck_assert_int_eq(json_out_end(&out), -ENOSPC);
    ck_assert_int_eq(page->calls, 1);
    free(page);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("json_out");
    TCase *cases = tcase_create("texts");
    tcase_add_test(cases, puts_commas_where_they_belong);
    tcase_add_loop_test(cases, writes_integers, 0, COUNT_OF(integers));
    tcase_add_test(cases, writes_the_largest);
    tcase_add_loop_test(cases, any_character_comes_back, 0, 255);
    tcase_add_test(cases, utf_8_comes_back);
    tcase_add_test(cases, pieces_fit_together);
    tcase_add_test(cases, a_text_longer_than_a_piece_is_whole);
    tcase_add_test(cases, what_the_taker_says_is_returned_and_it_is_not_asked_again);
    suite_add_tcase(suite, cases);
    return suite;
}
