/* fuzz_config.c - any bytes as a configuration file: it is taken whole, and then holds together, or
 * refused whole with one line. */
#include "config.h"
#include "fuzz.h"

#include <errno.h>

const char fuzz_name[] = "config";

static const char path[] = "fuzz.conf";

static void check_limits(const struct config *config, const char *name)
{
    struct settings none = {0};
    struct policy_limits limits = config_limits(config, name, &none);
    fuzz_expect(limits.min_kib <= limits.max_kib);
    fuzz_expect(limits.shares >= 1 && limits.shares <= SETTINGS_SHARES_MAX);
    fuzz_expect((limits.headroom_kib == 0) != (limits.headroom_percent == 0));
    fuzz_expect(limits.headroom_percent <= 100);
}

static void check_taken(const struct config *config)
{
    check_limits(config,
                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab");
    for (size_t i = 0; i < config->rule_count; i++) {
        fuzz_expect(*config->rules[i].pattern != '\0');
        check_limits(config, config->rules[i].pattern);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config config = config_default();
    struct config before = config;
    char error[CONFIG_ERROR_BYTES];
    char *text = fuzz_text(data, size);
    FILE *stream = fmemopen(text, size, "r");
    fuzz_expect(stream != NULL);
    int result = config_parse(stream, path, &config, error);
    fclose(stream);
    free(text);
    if (result == 0) {
        check_taken(&config);
    } else {
        fuzz_expect(result == -EINVAL && fuzz_is_line(error, sizeof(error)));
        fuzz_expect(strncmp(error, path, strlen(path)) == 0);
        fuzz_expect(memcmp(&config, &before, sizeof(config)) == 0);
    }
    config_release(&config);
    return 0;
}
