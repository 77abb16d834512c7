/* fuzz_domain_xml.c - any bytes as a domain's configuration, its metadata within: it is taken, or
 * refused and nothing has changed. */
#include "domain_xml.h"
#include "fuzz.h"
#include "settings.h"

#include <errno.h>

const char fuzz_name[] = "domain_xml";

static void check_settings(const struct domain *domain, const struct settings *before,
                           const char *error)
{
    char other_error[SETTINGS_ERROR_BYTES];
    fuzz_expect(settings_check(&domain->settings, other_error) == 0);
    if (*error == '\0')
        return;
    fuzz_expect(fuzz_is_line(error, SETTINGS_ERROR_BYTES));
    fuzz_expect(settings_equal(&domain->settings, before));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct domain domain;
    memset(&domain, 0, sizeof(domain));
    domain.max_kib = 12345;
    domain.settings.shares = (struct figure){true, 7};
    struct domain before = domain;
    char error[SETTINGS_ERROR_BYTES];
    memset(error, 0, sizeof(error));
    char *text = fuzz_text(data, size);
    int result = domain_xml_read(text, &domain, error);
    free(text);
    if (result == 0) {
        check_settings(&domain, &before.settings, error);
    } else {
        fuzz_expect(result == -EINVAL);
        fuzz_expect(memcmp(&domain, &before, sizeof(domain)) == 0);
    }
    return 0;
}
