/* text.c - text for a terminal. */
#include "text.h"

#include <langinfo.h>
#include <limits.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

enum { CHARACTERS_MOST = 255 };

/* A text, decoded; what is beyond the last character is left out. */
struct characters {
    wchar_t all[CHARACTERS_MOST];
    size_t count;
    size_t columns;
};

bool text_is_unicode(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

static size_t columns_of(wchar_t character)
{
    int width = wcwidth(character);
    return width > 0 ? (size_t)width : 0;
}

static void decode(const char *text, struct characters *ret)
{
    mbstate_t state = {0};
    size_t left = strlen(text);
    ret->count = ret->columns = 0;
    while (left > 0 && ret->count < CHARACTERS_MOST) {
        wchar_t character;
        size_t taken = mbrtowc(&character, text, left, &state);
        if (taken == (size_t)-1 || taken == (size_t)-2) {
            state = (mbstate_t){0};
            taken = 1;
            character = L'?';
        } else if (!iswprint((wint_t)character)) {
            character = L'?';
        }
        ret->all[ret->count++] = character;
        ret->columns += columns_of(character);
        text += taken;
        left -= taken;
    }
}

/* Takes away characters in the middle, or from the end on, until one more column is free than
 * COLUMNS leaves, and puts an ellipsis there. */
static void cut_out(struct characters *characters, size_t columns, enum text_cut cut)
{
    size_t at = cut == TEXT_CUT_END ? characters->count : (characters->count + 1) / 2;
    size_t behind = at;
    while (characters->columns + 1 > columns && (at > 0 || behind < characters->count)) {
        bool takes_before = cut == TEXT_CUT_END || behind == characters->count ||
                            (at > 0 && at >= characters->count - behind);
        wchar_t gone = takes_before ? characters->all[--at] : characters->all[behind++];
        characters->columns -= columns_of(gone);
    }
    if (behind == at) /* there is no room for it where nothing was taken away */
        return;
    memmove(&characters->all[at + 1], &characters->all[behind],
            (characters->count - behind) * sizeof(*characters->all));
    characters->all[at] = text_is_unicode() ? L'\u2026' : L'~';
    characters->count -= behind - at - 1;
    characters->columns++;
}

static void encode(const struct characters *characters, char buffer[TEXT_BYTES])
{
    mbstate_t state = {0};
    size_t length = 0;
    for (size_t i = 0; i < characters->count && length < TEXT_BYTES - MB_LEN_MAX; i++) {
        size_t written = wcrtomb(&buffer[length], characters->all[i], &state);
        if (written != (size_t)-1)
            length += written;
    }
    buffer[length] = '\0';
}

size_t text_fit(const char *text, size_t columns, enum text_cut cut, char buffer[TEXT_BYTES])
{
    struct characters characters;
    decode(text, &characters);
    if (characters.columns > columns)
        cut_out(&characters, columns, cut);
    encode(&characters, buffer);
    return characters.columns;
}

size_t text_columns(const char *text)
{
    struct characters characters;
    decode(text, &characters);
    return characters.columns;
}

void text_write_padded(FILE *out, const char *text, size_t columns, bool to_the_right)
{
    size_t taken = text_columns(text);
    int blanks = taken < columns ? (int)(columns - taken) : 0;
    if (to_the_right)
        fprintf(out, "%*s%s", blanks, "", text);
    else
        fprintf(out, "%s%*s", text, blanks, "");
}

void text_write_paragraph(FILE *out, const char *label, const char *text, size_t indent,
                          size_t columns)
{
    size_t at = indent;
    bool is_first = true;
    text_write_padded(out, label, indent, false);
    while (*text != '\0') {
        char word[TEXT_BYTES];
        size_t length = strcspn(text, " ");
        snprintf(word, sizeof(word), "%.*s", (int)length, text);
        size_t taken = text_columns(word);
        if (!is_first && columns != 0 && at + 1 + taken > columns) {
            fprintf(out, "\n%*s", (int)indent, "");
            at = indent;
            is_first = true;
        }
        fprintf(out, "%s%s", is_first ? "" : " ", word);
        at += (is_first ? 0 : 1) + taken;
        is_first = false;
        text += length + strspn(text + length, " ");
    }
    fputc('\n', out);
}
