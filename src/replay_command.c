/* replay_command.c - "replay FILE": its options, the file line by line, the sum. */
#include "replay_command.h"

#include "command_line.h"
#include "commands.h"
#include "complain.h"
#include "replay.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "Usage: memory_coordinator replay [OPTIONS] FILE\n"
    "Decide the cycles that --record has written to FILE once more, and print what would be\n"
    "decided otherwise. Each cycle is taken as it was found then; nothing is touched, and no\n"
    "hypervisor is needed. Without options the settings are those of the record, and nothing\n"
    "should differ.\n"
    "\n"
    "  -f, --config FILE        settings for all guests, in place of the recorded ones\n"
    "      --host-reserve SIZE  what if the host kept so much?\n"
    "      --surge SIZE         what if guests could begin to grow by so much a second?\n"
    "      --metric METRIC      what if this was what guests can give: unused or usable?\n"
    "  -q, --quiet              only the sum\n"
    "  -h, --help               this text\n"
    "\n"
    "Exit status: 0, 1 if FILE cannot be read or has no cycles in it, 2 for a wrong command\n"
    "line or configuration.\n";

/* Long options that are settings have their place in long_options from here on. */
enum { KNOB = 1000, KNOBS = 3 };

static const char short_options[] = ":f:qh";
static const struct option long_options[] = {
    {"host-reserve", required_argument, NULL, KNOB},
    {"surge", required_argument, NULL, KNOB + 1},
    {"metric", required_argument, NULL, KNOB + 2},
    {"config", required_argument, NULL, 'f'},
    {"quiet", no_argument, NULL, 'q'},
    COMMAND_LINE_LAST_OPTIONS,
};

struct question {
    const char *path;
    const char *config_path;
    struct replay_knob knobs[KNOBS];
    size_t knob_count;
    bool is_quiet;
};

/* ---- the command line ---- */

static int take_knob(struct question *question, const char *key, const char *value)
{
    char error[CONFIG_ERROR_BYTES];
    struct config scratch = config_default();
    size_t i = 0;
    while (i < question->knob_count && strcmp(question->knobs[i].key, key) != 0)
        i++;
    question->knobs[i] = (struct replay_knob){key, value};
    if (i == question->knob_count)
        question->knob_count++;
    return config_set(&scratch, key, value, error) == 0 ? 0
                                                        : complain(COMMANDS_USAGE, "--%s", error);
}

static int take_option(void *argument, int key)
{
    struct question *question = argument;
    switch (key) {
    case 'f':
        question->config_path = optarg;
        return 0;
    case 'q':
        question->is_quiet = true;
        return 0;
    default:
        return take_knob(question, long_options[key - KNOB].name, optarg);
    }
}

static int take_command_line(struct question *question, int argc, char *const argv[])
{
    int status = command_line_read(argc, argv, short_options, long_options, take_option, question);
    if (status != 0)
        return status;
    if (optind == argc)
        return complain(COMMANDS_USAGE, "replay: no FILE, expected what --record has written");
    if (optind + 1 < argc)
        return complain(COMMANDS_USAGE, "replay: extra argument '%s', expected one FILE",
                        argv[optind + 1]);
    question->path = argv[optind];
    return 0;
}

/* ---- the file ---- */

/* The lines that could not be read: how many, and what is wrong with the first. */
struct damage {
    unsigned int lines;
    unsigned int first;
    char error[RECORD_ERROR_BYTES];
};

/* Takes in one line, or counts it as damaged. Returns 0 or -ENOMEM. */
static int take_line(struct replay *replay, struct damage *damage, unsigned int number,
                     const char *line, size_t length)
{
    struct record record;
    char error[RECORD_ERROR_BYTES];
    int result = length == 0 ? 0 : record_parse(line, length, &record, error);
    if (result == -EINVAL) {
        if (damage->lines++ == 0) {
            damage->first = number;
            memcpy(damage->error, error, sizeof error);
        }
        return 0;
    }
    return result == 0 && length != 0 ? replay_take(replay, &record) : result;
}

static int take_lines(struct replay *replay, struct damage *damage, const char *path, FILE *file)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    int result = 0;
    for (unsigned int number = 1; result == 0 && (length = getline(&line, &size, file)) >= 0;
         number++) {
        size_t end = (size_t)length - (line[length - 1] == '\n');
        result = take_line(replay, damage, number, line, end);
    }
    free(line);
    if (result < 0)
        return complain(EXIT_FAILURE, "out of memory");
    return ferror(file) ? complain(EXIT_FAILURE, "cannot read %s: %s", path, strerror(errno))
                        : EXIT_SUCCESS;
}

static int print_sum(const char *path, struct replay_totals totals, const struct damage *damage)
{
    if (damage->lines > 0)
        complain(0, "%s: lines left out: %u, the first is %u: %s", path, damage->lines,
                 damage->first, damage->error);
    else if (totals.cycles + totals.beginnings == 0)
        complain(0, "%s: no cycle in it that could be decided again", path);
    if (totals.cycles + totals.beginnings == 0)
        return EXIT_FAILURE;
    printf("%" PRIu64 " of %" PRIu64 " decisions in %" PRIu64 " cycles would differ\n",
           totals.differences, totals.decisions, totals.cycles);
    return EXIT_SUCCESS;
}

static int replay_file(const struct question *question, const struct replay_rules *rules)
{
    FILE *file = fopen(question->path, "re");
    if (file == NULL)
        return complain(EXIT_FAILURE, "cannot read %s: %s", question->path, strerror(errno));
    struct damage damage = {0};
    struct replay *replay = replay_new(rules, question->is_quiet ? NULL : stdout);
    int status = replay != NULL ? take_lines(replay, &damage, question->path, file)
                                : complain(EXIT_FAILURE, "out of memory");
    if (status == EXIT_SUCCESS)
        status = print_sum(question->path, replay_totals(replay), &damage);
    replay_free(replay);
    fclose(file);
    return status;
}

int replay_command(int argc, char *const argv[])
{
    struct question question = {0};
    char error[CONFIG_ERROR_BYTES];
    struct config config = config_default();
    int status = take_command_line(&question, argc, argv);
    if (status != 0)
        return command_line_end(status, usage);
    if (question.config_path != NULL && config_read(question.config_path, &config, error) != 0)
        return complain(COMMANDS_USAGE, "%s", error);
    struct replay_rules rules = {
        .config = question.config_path != NULL ? &config : NULL,
        .knobs = question.knobs,
        .knob_count = question.knob_count,
    };
    status = replay_file(&question, &rules);
    config_release(&config);
    return status;
}
