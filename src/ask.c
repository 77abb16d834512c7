/* ask.c - the commands that ask: their options, the state that they are about, their exit. */
#include "ask.h"

#include "command_line.h"
#include "commands.h"
#include "complain.h"
#include "explain.h"
#include "state.h"
#include "status.h"
#include "watch.h"

#include <errno.h>
#include <locale.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { USEC_PER_SEC = 1000000 };

static const uint64_t PAUSE_LEAST_USEC = USEC_PER_SEC / 10;
static const uint64_t PAUSE_MOST_USEC = UINT64_C(3600) * USEC_PER_SEC;

static const char status_usage[] =
    "Usage: memory_coordinator status [OPTIONS]\n"
    "Show the host and its guests as the running coordinator saw them last.\n"
    "\n"
    "      --json            the state itself, in one line\n"
    "      --watch[=SECONDS] full screen, drawn anew every second; q ends "
    "it\n" COMMAND_LINE_PLACE_USAGE ", 3 if no\ncoordinator runs.\n";

static const char explain_usage[] =
    "Usage: memory_coordinator explain [OPTIONS] DOMAIN\n"
    "Say why a guest has the size it has. DOMAIN is its name, id or UUID, or how one of them\n"
    "that is the only one begins.\n"
    "\n" COMMAND_LINE_PLACE_USAGE ", 3 if no\ncoordinator runs.\n";

/* What is asked. */
struct question {
    struct command_line_place place;
    bool as_json;
    bool is_watching;
    uint64_t pause_usec;
    const char *domain;
};

/* ---- the command line ---- */

static const char letters[] = ":c:h";
static const struct option explain_options[] = {
    COMMAND_LINE_PLACE_OPTIONS,
    COMMAND_LINE_LAST_OPTIONS,
};
static const struct option status_options[] = {
    COMMAND_LINE_PLACE_OPTIONS,
    {"json", no_argument, NULL, 'j'},
    {"watch", optional_argument, NULL, 'w'},
    COMMAND_LINE_LAST_OPTIONS,
};

static int take_pause(struct question *question, const char *text)
{
    return text == NULL ? 0
                        : command_line_seconds("watch", text, PAUSE_LEAST_USEC, PAUSE_MOST_USEC,
                                               &question->pause_usec);
}

static int take_option(void *argument, int key)
{
    struct question *question = argument;
    switch (key) {
    case 'j':
        question->as_json = true;
        return 0;
    case 'w':
        question->is_watching = true;
        return take_pause(question, optarg);
    default:
        return command_line_place(&question->place, key);
    }
}

static int take_status(struct question *question, int argc, char *const argv[])
{
    int status = command_line_read(argc, argv, letters, status_options, take_option, question);
    if (status != 0)
        return status;
    if (question->as_json && question->is_watching)
        return complain(COMMANDS_USAGE, "--json and --watch exclude each other");
    /* "--watch 2" is what people write. */
    if (question->is_watching && optind + 1 == argc)
        return take_pause(question, argv[optind]);
    if (optind < argc)
        return complain(COMMANDS_USAGE, "status: extra argument '%s'", argv[optind]);
    return 0;
}

static int take_explain(struct question *question, int argc, char *const argv[])
{
    int status = command_line_read(argc, argv, letters, explain_options, take_option, question);
    if (status != 0)
        return status;
    if (optind == argc)
        return complain(COMMANDS_USAGE, "explain: no DOMAIN, expected its name, id or UUID");
    if (optind + 1 < argc)
        return complain(COMMANDS_USAGE, "explain: extra argument '%s', expected one DOMAIN",
                        argv[optind + 1]);
    question->domain = argv[optind];
    return 0;
}

/* ---- the commands ---- */

/* The columns of the terminal that standard output is, else 0. */
static size_t columns_of_output(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/* What was asked for can be told, but who is gone is to be noticed. */
static int finish(const struct state *state, int result)
{
    if (result != 0)
        return complain(EXIT_FAILURE, "%s", strerror(-result));
    if (fflush(stdout) != 0 || ferror(stdout))
        return complain(EXIT_FAILURE, "cannot write: %s", strerror(errno));
    return state->is_running ? EXIT_SUCCESS : COMMANDS_NOT_RUNNING;
}

static int write_line(const struct state *state)
{
    if (!state->is_running)
        complain(0, "no coordinator runs any more: this is its last state");
    fwrite(state->line, 1, state->length, stdout);
    putchar('\n');
    return 0;
}

/* There is somebody to watch. */
static int watch_state(const struct question *question)
{
    struct watch watch = {question->place.state_dir, question->place.uri, question->pause_usec};
    return watch_run(&watch);
}

static int tell_status(const struct question *question)
{
    struct state state = {0};
    int status = command_line_state(&question->place, &state);
    if (status != EXIT_SUCCESS)
        return status;
    struct status_source source = state_source(&state);
    if (question->is_watching) {
        state_release(&state);
        return watch_state(question);
    }
    status = finish(&state, question->as_json ? write_line(&state)
                                              : status_write(stdout, &state.record.view, &source,
                                                             columns_of_output()));
    state_release(&state);
    return status;
}

int ask_status(int argc, char *const argv[])
{
    struct question question = {.pause_usec = USEC_PER_SEC};
    setlocale(LC_CTYPE, ""); /* what can be printed */
    int status = take_status(&question, argc, argv);
    return status == 0 ? tell_status(&question) : command_line_end(status, status_usage);
}

static int write_explanation(const struct state *state, const char *word)
{
    char error[EXPLAIN_ERROR_BYTES];
    size_t index;
    struct status_source source = state_source(state);
    if (explain_find(&state->record.view, word, &index, error) != 0)
        return complain(EXIT_FAILURE, "%s", error);
    return finish(state,
                  explain_write(stdout, &state->record.view, index, &source, columns_of_output()));
}

static int tell_explanation(const struct question *question)
{
    struct state state = {0};
    int status = command_line_state(&question->place, &state);
    if (status != EXIT_SUCCESS)
        return status;
    status = write_explanation(&state, question->domain);
    state_release(&state);
    return status;
}

int ask_explain(int argc, char *const argv[])
{
    struct question question = {0};
    setlocale(LC_CTYPE, "");
    int status = take_explain(&question, argc, argv);
    return status == 0 ? tell_explanation(&question) : command_line_end(status, explain_usage);
}
