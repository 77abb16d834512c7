/*
 * json_out.h - JSON written as it comes, without a tree of it in memory: of a state's values there
 * are a hundred for each domain, and jansson's tree of them takes a quarter of the time that it
 * takes to ask a real guest (scripts/bench), and 15 KiB. Odd texts are left to jansson; what is
 * written is compact.
 */
#ifndef MC_JSON_OUT_H
#define MC_JSON_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JSON_OUT_BYTES = 4096 };

/* Takes the next bytes of a text. Returns 0, or a negative errno after which it is not called
 * again.
 */
typedef int json_out_taker(void *argument, const void *bytes, size_t length);

/* Where a text goes, and what has not gone there yet. */
struct json_out {
    json_out_taker *take;
    void *argument;
    int result;    /* what went wrong first, or 0; later calls do nothing then */
    bool is_first; /* what comes next is the first of its object or array */
    size_t used;
    char bytes[JSON_OUT_BYTES];
};

void json_out_begin(struct json_out *out, json_out_taker *take, void *argument);

/* Hands over what is left. Returns 0, what the taker has returned, or -ENOMEM. */
int json_out_end(struct json_out *out);

/* '{' or '['; then the same turned round. */
void json_out_open(struct json_out *out, char bracket);
void json_out_close(struct json_out *out, char bracket);

/* Before a member's value. NAME must be plain: it is not escaped. */
void json_out_name(struct json_out *out, const char *name);

/* Before an array's element. */
void json_out_element(struct json_out *out);

void json_out_u64(struct json_out *out, uint64_t value);
void json_out_i64(struct json_out *out, int64_t value);
void json_out_bool(struct json_out *out, bool value);

/* A text that is no UTF-8 has '?' for what is odd, and is cut at 255 bytes. */
void json_out_text(struct json_out *out, const char *text);

#endif
