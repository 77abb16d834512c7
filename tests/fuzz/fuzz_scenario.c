/* fuzz_scenario.c - any bytes as a scenario: it is refused with one line, or what is written of it
 * reads as the same again. */
#include "fuzz.h"
#include "scenario.h"

#include <errno.h>

const char fuzz_name[] = "scenario";

static const char path[] = "fuzz.ini";

static int parse(char *text, size_t size, struct sim_scenario *scenario)
{
    char error[SIM_ERROR_BYTES];
    FILE *stream = fmemopen(text, size, "r");
    fuzz_expect(stream != NULL);
    int result = scenario_parse(stream, path, scenario, error);
    fclose(stream);
    fuzz_expect(result == 0 || (result == -EINVAL && fuzz_is_line(error, sizeof(error))));
    return result;
}

/* To be freed. */
static char *write_text(const struct sim_scenario *scenario, size_t *ret_size)
{
    char *text = NULL;
    FILE *stream = open_memstream(&text, ret_size);
    fuzz_expect(stream != NULL && scenario_write(scenario, stream) == 0);
    fclose(stream);
    return text;
}

static void check_written(const struct sim_scenario *scenario)
{
    struct sim_scenario again;
    size_t first_size;
    size_t second_size;
    char *first = write_text(scenario, &first_size);
    fuzz_expect(parse(first, first_size, &again) == 0);
    char *second = write_text(&again, &second_size);
    fuzz_expect(first_size == second_size && memcmp(first, second, first_size) == 0);
    scenario_release(&again);
    free(first);
    free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sim_scenario scenario;
    char *text = fuzz_text(data, size);
    if (parse(text, size, &scenario) == 0) {
        check_written(&scenario);
        scenario_release(&scenario);
    }
    free(text);
    return 0;
}
