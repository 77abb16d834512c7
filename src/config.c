/* config.c - the configuration file, and what holds for a domain by it. The lines are split by
 * inih; its reader is ours, which sees what inih does not tell: the headers of sections, and where
 * in the file a line is. */
#include "config.h"

#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <ini.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    KIB_PER_MIB = 1024,
    /* inih has room for 200 bytes, with a line's end and a NUL. */
    LINE_BYTES = 199,
    /* So much of a path stands before a message, so that the message fits behind it. */
    PATH_SHOWN = 200,
    /* No configuration is so large; it would take long to read. */
    FILE_MOST_BYTES = 1024 * 1024,
};

#define BLANKS " \t\r\f\v"

/* ---- values ---- */

struct config config_default(void)
{
    return (struct config){
        .policy =
            {
                .host_reserve_kib = UINT64_C(200) * KIB_PER_MIB,
                .surge_kib_per_sec = UINT64_C(28) * KIB_PER_MIB,
                .metric = POLICY_UNUSED,
            },
        .defaults =
            {
                .managed = {true, 1},
                .min_kib = {true, UINT64_C(200) * KIB_PER_MIB},
                .max_kib = {true, UINT64_MAX},
                .shares = {true, POLICY_SHARES},
                .headroom_kib = {true, UINT64_C(100) * KIB_PER_MIB},
            },
    };
}

static int set_size(uint64_t *ret_kib, const char *key, const char *value, char *error)
{
    char quoted[SETTINGS_QUOTE_BYTES];
    int result = units_parse_size_kib(value, 0, UNITS_SIZE_MAX_KIB, ret_kib);
    if (result == 0)
        return 0;
    snprintf(error, CONFIG_ERROR_BYTES,
             "%s '%s': %sexpected a number and KiB, MiB, GiB, K, M or G, at most 1048576GiB", key,
             settings_quote(value, quoted), result == -ERANGE ? "out of range, " : "");
    return -EINVAL;
}

static int set_metric(enum policy_metric *metric, const char *value, char *error)
{
    char quoted[SETTINGS_QUOTE_BYTES];
    if (strcmp(value, "unused") == 0)
        *metric = POLICY_UNUSED;
    else if (strcmp(value, "usable") == 0)
        *metric = POLICY_USABLE;
    else {
        snprintf(error, CONFIG_ERROR_BYTES, "metric '%s': expected unused or usable",
                 settings_quote(value, quoted));
        return -EINVAL;
    }
    return 0;
}

static int set_ksm(bool *is_auto, const char *value, char *error)
{
    char quoted[SETTINGS_QUOTE_BYTES];
    if (strcmp(value, "auto") != 0 && strcmp(value, "off") != 0) {
        snprintf(error, CONFIG_ERROR_BYTES, "ksm '%s': expected auto or off",
                 settings_quote(value, quoted));
        return -EINVAL;
    }
    *is_auto = strcmp(value, "auto") == 0;
    return 0;
}

/* What holds for the host goes to CONFIG, what for all domains to DEFAULTS. */
static int set_value(struct config *config, struct settings *defaults, const char *key,
                     const char *value, char *error)
{
    struct policy_config *policy = &config->policy;
    char settings_error[SETTINGS_ERROR_BYTES];
    char quoted[SETTINGS_QUOTE_BYTES];
    if (strcmp(key, "host-reserve") == 0)
        return set_size(&policy->host_reserve_kib, key, value, error);
    if (strcmp(key, "surge") == 0)
        return set_size(&policy->surge_kib_per_sec, key, value, error);
    if (strcmp(key, "metric") == 0)
        return set_metric(&policy->metric, value, error);
    if (strcmp(key, "ksm") == 0)
        return set_ksm(&config->is_ksm_auto, value, error);
    /* Nothing would be managed but what is named: that is said of each domain by itself. */
    int result =
        strcmp(key, "managed") == 0 ? -ENOENT : settings_set(defaults, key, value, settings_error);
    if (result == -ENOENT)
        snprintf(
            error, CONFIG_ERROR_BYTES,
            "unknown key '%s', expected host-reserve, surge, metric, ksm, min, max, headroom or "
            "shares",
            settings_quote(key, quoted));
    else if (result != 0)
        snprintf(error, CONFIG_ERROR_BYTES, "%s", settings_error);
    return result;
}

int config_set(struct config *config, const char *key, const char *value,
               char error[CONFIG_ERROR_BYTES])
{
    struct settings settings = {0};
    int result = set_value(config, &settings, key, value, error);
    if (result == 0)
        settings_override(&config->defaults, &settings);
    return result;
}

/* ---- the file ---- */

static const char *const keys[] = {"host-reserve", "surge",    "metric", "ksm",    "min",
                                   "max",          "headroom", "shares", "managed"};
enum { KEYS = sizeof(keys) / sizeof(*keys) };

enum section { SECTION_NONE, SECTION_COORDINATOR, SECTION_DOMAIN };

struct parser {
    FILE *file;
    const char *path;
    unsigned long line; /* from 1 */
    int result;         /* of the first failure; error is filled in then */
    char *error;

    struct config config;     /* what is being built */
    struct settings defaults; /* what [coordinator] sets */
    bool had_coordinator;
    enum section section;
    bool had_key[KEYS]; /* in this section */

    char open_line[LINE_BYTES]; /* handed to inih, which has not made a key and a value of it; "" */
};

static void __attribute__((format(printf, 3, 4)))
fail(struct parser *parser, int result, const char *format, ...)
{
    char reason[CONFIG_ERROR_BYTES - PATH_SHOWN - 32];
    if (parser->result != 0)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    snprintf(parser->error, CONFIG_ERROR_BYTES, "%.*s:%lu: %s", PATH_SHOWN, parser->path,
             parser->line, reason);
    parser->result = result;
}

static void say_unreadable(const char *path, char *error)
{
    snprintf(error, CONFIG_ERROR_BYTES, "cannot read %.*s: %s", PATH_SHOWN, path,
             errno == ENOTSUP ? "it is no file" : strerror(errno));
}

/* ---- the file: sections ---- */

static bool add_rule(struct parser *parser, const char *pattern)
{
    struct config *config = &parser->config;
    struct config_rule *grown =
        reallocarray(config->rules, config->rule_count + 1, sizeof(*config->rules));
    if (grown == NULL)
        return false;
    config->rules = grown;
    struct config_rule *rule = &grown[config->rule_count++];
    *rule = (struct config_rule){0};
    snprintf(rule->pattern, sizeof(rule->pattern), "%s", pattern);
    return true;
}

static void begin_domain(struct parser *parser, const char *pattern)
{
    char quoted[SETTINGS_QUOTE_BYTES];
    if (parser->config.rule_count == CONFIG_RULES_MOST) {
        fail(parser, -EINVAL, "more than %d sections for domains", CONFIG_RULES_MOST);
        return;
    }
    for (size_t i = 0; i < parser->config.rule_count; i++)
        if (strcmp(parser->config.rules[i].pattern, pattern) == 0) {
            fail(parser, -EINVAL, "section [domain %s] is there already, expected once",
                 settings_quote(pattern, quoted));
            return;
        }
    parser->section = SECTION_DOMAIN;
    if (!add_rule(parser, pattern))
        fail(parser, -ENOMEM, "out of memory");
}

static void begin_section(struct parser *parser, const char *name)
{
    static const char domain[] = "domain";
    char quoted[SETTINGS_QUOTE_BYTES];
    memset(parser->had_key, 0, sizeof(parser->had_key));
    size_t length = strlen(domain);
    const char *pattern = name + length + strspn(name + strnlen(name, length), BLANKS);
    if (strcmp(name, "coordinator") == 0) {
        if (parser->had_coordinator)
            fail(parser, -EINVAL, "section [coordinator] is there already, expected once");
        parser->had_coordinator = true;
        parser->section = SECTION_COORDINATOR;
    } else if (strncmp(name, domain, length) == 0 && pattern > name + length && *pattern != '\0') {
        begin_domain(parser, pattern);
    } else {
        fail(parser, -EINVAL, "unknown section [%s], expected [coordinator] or [domain NAME]",
             settings_quote(name, quoted));
    }
}

/* Ends TEXT before the blanks at its end. */
static void cut_blanks(char *text)
{
    size_t length = strlen(text);
    while (length > 0 && strchr(BLANKS, text[length - 1]) != NULL)
        length--;
    text[length] = '\0';
}

/* A comment within a line begins, as for inih, with a ';' after a blank. */
static void cut_comment(char *text)
{
    for (char *at = text; (at = strchr(at, ';')) != NULL; at++)
        if (at > text && strchr(BLANKS, at[-1]) != NULL) {
            *at = '\0';
            return;
        }
}

/* "[NAME]": NAME may have brackets of its own, being a glob. */
static void read_header(struct parser *parser, const char *line)
{
    char name[LINE_BYTES];
    char quoted[SETTINGS_QUOTE_BYTES];
    snprintf(name, sizeof(name), "%s", line + 1);
    cut_comment(name);
    cut_blanks(name);
    size_t length = strlen(name);
    if (length == 0 || name[length - 1] != ']') {
        fail(parser, -EINVAL, "'%s' does not end in ']', expected [coordinator] or [domain NAME]",
             settings_quote(line, quoted));
        return;
    }
    name[length - 1] = '\0';
    cut_blanks(name);
    begin_section(parser, name + strspn(name, BLANKS));
}

/* ---- the file: keys ---- */

static bool had_key(struct parser *parser, const char *key)
{
    for (size_t i = 0; i < KEYS; i++) {
        if (strcmp(keys[i], key) != 0)
            continue;
        bool had = parser->had_key[i];
        parser->had_key[i] = true;
        return had;
    }
    return false;
}

/* Sets KEY in the present section, and has its settings agree with one another. */
static int set_key(struct parser *parser, const char *key, const char *value, char *error)
{
    struct config *config = &parser->config;
    struct settings *settings = parser->section == SECTION_COORDINATOR
                                    ? &parser->defaults
                                    : &config->rules[config->rule_count - 1].settings;
    int result = parser->section == SECTION_COORDINATOR
                     ? set_value(config, settings, key, value, error)
                     : settings_set(settings, key, value, error);
    return result == 0 ? settings_check(settings, error) : result;
}

/* inih's handler; 0 would tell it of a failure, which the parser has noted better. */
static int take_key(void *self, const char *section, const char *key, const char *value)
{
    struct parser *parser = self;
    char error[CONFIG_ERROR_BYTES];
    char quoted[SETTINGS_QUOTE_BYTES];
    (void)section; /* cut at 49 bytes: begin_section() has the whole */
    *parser->open_line = '\0';
    if (parser->section == SECTION_NONE)
        fail(parser, -EINVAL,
             "'%s' before the first section, expected [coordinator] or "
             "[domain NAME]",
             settings_quote(key, quoted));
    else if (had_key(parser, key))
        fail(parser, -EINVAL, "%s is set already in this section, expected once", key);
    else if (set_key(parser, key, value, error) != 0)
        fail(parser, -EINVAL, "%s", error);
    return 1;
}

/* ---- the file: lines ---- */

/* Reads a line without its end into TEXT, of ROOM bytes. Returns false at the end of the file, and
 * where the line cannot be: then the parser has failed. */
static bool read_line(struct parser *parser, char *text, size_t room)
{
    size_t length = 0;
    int byte;
    while ((byte = getc(parser->file)) != EOF && byte != '\n') {
        if (byte == '\0' || length == room - 1)
            break;
        text[length++] = (char)byte;
    }
    if (byte == EOF && ferror(parser->file)) {
        parser->result = errno != 0 ? -errno : -EIO;
        say_unreadable(parser->path, parser->error);
    }
    if (byte == EOF && length == 0)
        return false;
    parser->line++;
    text[length] = '\0';
    if (byte == '\0')
        fail(parser, -EINVAL, "a NUL byte, expected text");
    else if (byte != EOF && byte != '\n')
        fail(parser, -EINVAL, "a line longer than %zu bytes", room - 1);
    return parser->result == 0;
}

/* What inih can make nothing of it only counts; the line is named here, when the next is asked for
 * or the file has ended. */
static void check_open_line(struct parser *parser)
{
    char quoted[SETTINGS_QUOTE_BYTES];
    if (*parser->open_line != '\0')
        fail(parser, -EINVAL, "'%s' is neither [SECTION] nor KEY = VALUE",
             settings_quote(parser->open_line, quoted));
    *parser->open_line = '\0';
}

/* Where the text of a line begins. Indented lines are lines as any others: inih would take them as
 * more values of the key before. */
static const char *find_text(const struct parser *parser, const char *line)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    if (parser->line == 1 && strncmp(line, byte_order_mark, strlen(byte_order_mark)) == 0)
        line += strlen(byte_order_mark);
    return line + strspn(line, BLANKS);
}

/* inih's reader: the next line into BUFFER, of SIZE bytes; NULL at the end, and after a failure. */
static char *give_line(char *buffer, int size, void *self)
{
    struct parser *parser = self;
    char line[LINE_BYTES];
    check_open_line(parser);
    size_t room = (size_t)size - 1 < sizeof(line) ? (size_t)size - 1 : sizeof(line);
    if (parser->result != 0 || !read_line(parser, line, room))
        return NULL;
    const char *text = find_text(parser, line);
    if (*text == '[')
        read_header(parser, text);
    else if (*text != '\0' && *text != '#' && *text != ';')
        snprintf(parser->open_line, sizeof(parser->open_line), "%s", text);
    snprintf(buffer, (size_t)size, "%s\n", text);
    return buffer;
}

static void parse_file(struct parser *parser)
{
    if (ini_parse_stream(give_line, parser, take_key, parser) < 0)
        fail(parser, -ENOMEM, "out of memory");
    check_open_line(parser);
}

/* Opens what can be read to its end at once: a file, or an empty device, but no pipe that may never
 * end. Returns NULL with errno set. */
static FILE *open_file(const char *path)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return NULL;
    struct stat status;
    int failure = fstat(descriptor, &status) != 0 ? errno : 0;
    if (failure == 0 && (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode)))
        failure = ENOTSUP;
    if (failure == 0 && status.st_size > FILE_MOST_BYTES)
        failure = EFBIG;
    FILE *file = failure == 0 ? fdopen(descriptor, "r") : NULL;
    if (file == NULL) {
        failure = failure != 0 ? failure : errno;
        close(descriptor);
        errno = failure;
    }
    return file;
}

int config_parse(FILE *stream, const char *path, struct config *config,
                 char error[CONFIG_ERROR_BYTES])
{
    struct parser parser = {.file = stream, .path = path, .error = error, .config = *config};
    parser.config.rules = NULL;
    parser.config.rule_count = 0;
    parse_file(&parser);
    if (parser.result != 0) {
        config_release(&parser.config);
        return parser.result;
    }
    settings_override(&parser.config.defaults, &parser.defaults);
    config_release(config);
    *config = parser.config;
    return 0;
}

int config_read(const char *path, struct config *config, char error[CONFIG_ERROR_BYTES])
{
    FILE *file = open_file(path);
    if (file == NULL) {
        int result = -errno;
        say_unreadable(path, error);
        return result;
    }
    int result = config_parse(file, path, config, error);
    fclose(file);
    return result;
}

void config_release(struct config *config)
{
    if (config == NULL)
        return;
    free(config->rules);
    config->rules = NULL;
    config->rule_count = 0;
}

/* ---- what holds for a domain ---- */

static const struct settings *find_rule(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->rule_count; i++)
        if (fnmatch(config->rules[i].pattern, name, 0) == 0)
            return &config->rules[i].settings;
    return NULL;
}

static void explain_clash(const struct settings *base, const struct settings *over, char *text)
{
    char min[UNITS_SIZE_TEXT_BYTES];
    char max[UNITS_SIZE_TEXT_BYTES];
    bool max_wins = over->max_kib.known;
    units_format_size(max_wins ? base->min_kib.value : over->min_kib.value, min);
    units_format_size(max_wins ? over->max_kib.value : base->max_kib.value, max);
    snprintf(text, CONFIG_ERROR_BYTES,
             "min %s is above max %s; %s ranks higher, both are taken as %s", min, max,
             max_wins ? "max" : "min", max_wins ? max : min);
}

/* Puts OVER, which ranks higher, over BASE. TEXT, if not NULL, is written only where both clash. */
static bool merge(struct settings *base, const struct settings *over, char *text)
{
    struct settings before = *base;
    bool clash = settings_override(base, over);
    if (clash && text != NULL)
        explain_clash(&before, over, text);
    return clash;
}

static bool merge_all(const struct config *config, const char *name, const struct settings *own,
                      struct settings *merged, char *text)
{
    const struct settings *rule = find_rule(config, name);
    bool clash = false;
    *merged = config->defaults;
    if (rule != NULL)
        clash = merge(merged, rule, text);
    return merge(merged, own, text) || clash;
}

struct policy_limits config_limits(const struct config *config, const char *name,
                                   const struct settings *own)
{
    struct settings merged;
    merge_all(config, name, own, &merged, NULL);
    return (struct policy_limits){
        .managed = merged.managed.value != 0,
        .min_kib = merged.min_kib.value,
        .max_kib = merged.max_kib.value,
        .headroom_kib = merged.headroom_kib.value,
        .headroom_percent = merged.headroom_percent.value,
        .shares = merged.shares.value,
    };
}

bool config_limits_clash(const struct config *config, const char *name, const struct settings *own,
                         char text[CONFIG_ERROR_BYTES])
{
    struct settings merged;
    return merge_all(config, name, own, &merged, text);
}
