/* fuzz_options.c - any lines as the words of a command line: it is refused with a text, or what it
 * sets holds together. */
#include "fuzz.h"
#include "options.h"

#include <errno.h>

const char fuzz_name[] = "options";

enum { WORDS = 32 };

/* Cuts TEXT into lines. Returns how many there are, behind the program's name. */
static int split(char *text, char *argv[WORDS + 1])
{
    static char name[] = "memory_coordinator";
    int argc = 0;
    argv[argc++] = name;
    for (char *word = strtok(text, "\n"); word != NULL && argc < WORDS; word = strtok(NULL, "\n"))
        argv[argc++] = word;
    argv[argc] = NULL;
    return argc;
}

static void check_taken(const struct options *options)
{
    struct config config = config_default();
    struct settings none = {0};
    options_apply(options, &config);
    fuzz_expect(config.policy.interval_usec >= 100000);
    fuzz_expect(config.policy.interval_usec <= UINT64_C(3600) * 1000000);
    struct policy_limits limits = config_limits(&config, "vm", &none);
    fuzz_expect(limits.managed && limits.min_kib <= limits.max_kib);
    fuzz_expect((limits.headroom_kib == 0) != (limits.headroom_percent == 0));
    fuzz_expect(options->uri == NULL || *options->uri != '\0');
    fuzz_expect(options->config_path == NULL || *options->config_path != '\0');
    fuzz_expect(!(options->verbose && options->quiet));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *argv[WORDS + 1];
    char error[OPTIONS_ERROR_BYTES] = "";
    struct options options;
    struct options before;
    char *text = fuzz_text(data, size);
    int argc = split(text, argv);
    memset(&options, 0xad, sizeof(options));
    memset(&before, 0xad, sizeof(before));
    int result = options_parse(argc, argv, &options, error);
    if (result != 0) {
        fuzz_expect(result == -EINVAL && *error != '\0');
        fuzz_expect(memcmp(&options, &before, sizeof(options)) == 0);
    } else if (options.command == OPTIONS_RUN) {
        check_taken(&options);
    }
    free(text);
    return 0;
}
