/* fuzz_record.c - any bytes as a line of a record, or as a state: it is refused with one line, or
 * means the same when it is written again; and whoever it is shown to can show it. */
#include "explain.h"
#include "fuzz.h"
#include "record.h"
#include "replay.h"
#include "status.h"

#include <errno.h>

const char fuzz_name[] = "record";

static const struct status_source source = {.pid = 1, .is_running = true, .now_sec = 1790000000};

/* What stands in a line once is what is read from it: to write it once more changes nothing. */
static void check_same_again(const struct record *record)
{
    struct record again;
    char error[RECORD_ERROR_BYTES];
    char *line = record_format(&record->view, &record->origin, record->has_memory);
    fuzz_expect(line != NULL);
    fuzz_expect(record_parse(line, strlen(line), &again, error) == 0);
    char *line_again = record_format(&again.view, &again.origin, again.has_memory);
    fuzz_expect(line_again != NULL && strcmp(line, line_again) == 0);
    free(line);
    free(line_again);
    record_release(&again);
}

static void show(const struct record *record)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    fuzz_expect(out != NULL);
    fuzz_expect(status_write(out, &record->view, &source, 100) == 0);
    for (size_t i = 0; i < record->view.snapshot->count; i++)
        fuzz_expect(explain_write(out, &record->view, i, &source, 80) == 0);
    fclose(out);
    for (size_t i = 0; i < size; i++) /* nothing that a terminal would obey */
        fuzz_expect(text[i] == '\n' || (unsigned char)text[i] >= ' ');
    free(text);
}

/* A line that follows on itself is decided again. */
static void decide_again(const uint8_t *data, size_t size)
{
    struct replay *replay = replay_new(&(struct replay_rules){0}, NULL);
    fuzz_expect(replay != NULL);
    for (unsigned int i = 0; i < 2; i++) {
        struct record record;
        char error[RECORD_ERROR_BYTES];
        fuzz_expect(record_parse((const char *)data, size, &record, error) == 0);
        record.has_memory = i == 0;
        fuzz_expect(replay_take(replay, &record) == 0);
    }
    replay_free(replay);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record record;
    char error[RECORD_ERROR_BYTES] = "";
    int result = record_parse((const char *)data, size, &record, error);
    if (result != 0) {
        fuzz_expect(result == -EINVAL && strnlen(error, sizeof(error)) > 0);
        return 0;
    }
    check_same_again(&record);
    show(&record);
    record_release(&record);
    decide_again(data, size);
    return 0;
}
