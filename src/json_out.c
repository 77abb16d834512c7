/* json_out.c - JSON written as it comes. */
#include "json_out.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

enum {
    DIGITS_MOST = 20,
    PLAIN_TEXT_BYTES = 256,
};

static void flush(struct json_out *out)
{
    if (out->result == 0 && out->used > 0)
        out->result = out->take(out->argument, out->bytes, out->used);
    out->used = 0;
}

static void put(struct json_out *out, const char *bytes, size_t length)
{
    while (length > JSON_OUT_BYTES - out->used) {
        size_t part = JSON_OUT_BYTES - out->used;
        memcpy(&out->bytes[out->used], bytes, part);
        out->used += part;
        bytes += part;
        length -= part;
        flush(out);
    }
    memcpy(&out->bytes[out->used], bytes, length);
    out->used += length;
}

static void put_byte(struct json_out *out, char byte)
{
    if (out->used == JSON_OUT_BYTES)
        flush(out);
    out->bytes[out->used++] = byte;
}

static int put_for_jansson(const char *bytes, size_t length, void *argument)
{
    put(argument, bytes, length);
    return 0;
}

void json_out_begin(struct json_out *out, json_out_taker *take, void *argument)
{
    out->take = take;
    out->argument = argument;
    out->result = 0;
    out->is_first = true;
    out->used = 0;
}

int json_out_end(struct json_out *out)
{
    flush(out);
    return out->result;
}

void json_out_open(struct json_out *out, char bracket)
{
    put_byte(out, bracket);
    out->is_first = true;
}

void json_out_close(struct json_out *out, char bracket)
{
    put_byte(out, bracket);
    out->is_first = false;
}

void json_out_element(struct json_out *out)
{
    if (!out->is_first)
        put_byte(out, ',');
    out->is_first = false;
}

void json_out_name(struct json_out *out, const char *name)
{
    json_out_element(out);
    put_byte(out, '"');
    put(out, name, strlen(name));
    put(out, "\":", 2);
}

void json_out_u64(struct json_out *out, uint64_t value)
{
    char digits[DIGITS_MOST];
    size_t at = DIGITS_MOST;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    put(out, &digits[at], DIGITS_MOST - at);
}

void json_out_i64(struct json_out *out, int64_t value)
{
    if (value < 0)
        put_byte(out, '-');
    json_out_u64(out, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

void json_out_bool(struct json_out *out, bool value)
{
    const char *word = value ? "true" : "false";
    put(out, word, strlen(word));
}

/* Whether nothing in it has to be escaped. */
static bool is_plain(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || (unsigned char)*text > 0x7e || *text == '"' ||
            *text == '\\')
            return false;
    return true;
}

/* A name may have been cut within a character, or be none at all. */
static json_t *make_string(const char *text)
{
    json_t *string = json_string(text);
    if (string != NULL)
        return string;
    char plain[PLAIN_TEXT_BYTES];
    size_t length = strnlen(text, sizeof(plain) - 1);
    for (size_t i = 0; i < length; i++)
        plain[i] = (char)((unsigned char)text[i] < 0x80 ? text[i] : '?');
    plain[length] = '\0';
    return json_string(plain);
}

static void put_odd_text(struct json_out *out, const char *text)
{
    json_t *string = make_string(text);
    if (string == NULL || json_dump_callback(string, put_for_jansson, out, JSON_ENCODE_ANY) != 0)
        out->result = out->result != 0 ? out->result : -ENOMEM;
    json_decref(string);
}

void json_out_text(struct json_out *out, const char *text)
{
    if (!is_plain(text)) {
        put_odd_text(out, text);
        return;
    }
    put_byte(out, '"');
    put(out, text, strlen(text));
    put_byte(out, '"');
}
