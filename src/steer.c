/* steer.c - the commands that change something; each confirms what it did. */
#include "steer.h"

#include "clock.h"
#include "command_line.h"
#include "commands.h"
#include "complain.h"
#include "domain_xml.h"
#include "hypervisor.h"
#include "pause.h"
#include "settings.h"
#include "state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { USEC_PER_SEC = 1000000, CHANGES_MOST = 16 };

static const char pause_usage[] =
    "Usage: memory_coordinator pause [OPTIONS]\n"
    "Have the running coordinator go on looking, but ask no guest for anything.\n"
    "\n"
    "      --ttl SECONDS     until then, at the longest; else until "
    "`resume`\n" COMMAND_LINE_PLACE_USAGE ", 3 if no\ncoordinator runs.\n";

static const char resume_usage[] = "Usage: memory_coordinator resume [OPTIONS]\n"
                                   "End a pause.\n"
                                   "\n" COMMAND_LINE_PLACE_USAGE ", 3 if no\ncoordinator runs.\n";

static const char set_usage[] =
    "Usage: memory_coordinator set [OPTIONS] DOMAIN KEY=VALUE...\n"
    "Set what holds for one guest in its metadata, which a running coordinator heeds at once\n"
    "and which goes with the guest. Without a VALUE the KEY is removed. KEY is min, max,\n"
    "headroom, shares or managed. DOMAIN is its name or UUID.\n"
    "\n" COMMAND_LINE_PLACE_USAGE ".\n";

/* What is to be changed. */
struct order {
    struct command_line_place place;
    uint64_t ttl_usec; /* 0: none */
};

/* ---- the command line ---- */

static const char letters[] = ":c:h";
static const struct option pause_options[] = {
    COMMAND_LINE_PLACE_OPTIONS,
    {"ttl", required_argument, NULL, 't'},
    COMMAND_LINE_LAST_OPTIONS,
};
static const struct option other_options[] = {
    COMMAND_LINE_PLACE_OPTIONS,
    COMMAND_LINE_LAST_OPTIONS,
};

static int take_option(void *argument, int key)
{
    struct order *order = argument;
    return key == 't' ? command_line_ttl(&order->ttl_usec) : command_line_place(&order->place, key);
}

static int take_no_words(struct order *order, int argc, char *const argv[],
                         const struct option *options)
{
    int status = command_line_read(argc, argv, letters, options, take_option, order);
    if (status == 0 && optind < argc)
        return complain(COMMANDS_USAGE, "%s: extra argument '%s'", argv[0], argv[optind]);
    return status;
}

/* ---- pause and resume ---- */

static int pause_running(const struct order *order, const struct state *state)
{
    struct state_dir dir;
    const char *uri = state->record.view.uri;
    uint64_t until_usec =
        order->ttl_usec == 0 ? PAUSE_ENDLESS_USEC : clock_monotonic_usec() + order->ttl_usec;
    int result = state_dir_open(state->directory, &dir);
    if (result == 0) {
        result = pause_begin(&dir, uri, until_usec);
        state_dir_release(&dir);
    }
    if (result != 0)
        return complain(EXIT_FAILURE, "cannot pause the coordinator of '%s': %s", uri,
                        strerror(-result));
    if (order->ttl_usec != 0)
        printf("paused for %g s: %s\n", (double)order->ttl_usec / USEC_PER_SEC, uri);
    else
        printf("paused: %s\n", uri);
    return EXIT_SUCCESS;
}

static int resume_running(const struct order *order, const struct state *state)
{
    struct state_dir dir;
    const char *uri = state->record.view.uri;
    int result = state_dir_open(state->directory, &dir);
    (void)order;
    if (result == 0) {
        result = pause_end(&dir, uri);
        state_dir_release(&dir);
    }
    if (result != 0 && result != -ENOENT)
        return complain(EXIT_FAILURE, "cannot resume the coordinator of '%s': %s", uri,
                        strerror(-result));
    printf("%s: %s\n", result == 0 ? "resumed" : "was not paused", uri);
    return EXIT_SUCCESS;
}

static int steer_running(const struct order *order,
                         int (*steer)(const struct order *order, const struct state *state))
{
    struct state state;
    int status = command_line_running(&order->place, &state);
    if (status != EXIT_SUCCESS)
        return status;
    status = steer(order, &state);
    state_release(&state);
    return status;
}

int steer_pause(int argc, char *const argv[])
{
    struct order order = {0};
    int status = take_no_words(&order, argc, argv, pause_options);
    return status == 0 ? steer_running(&order, pause_running)
                       : command_line_end(status, pause_usage);
}

int steer_resume(int argc, char *const argv[])
{
    struct order order = {0};
    int status = take_no_words(&order, argc, argv, other_options);
    return status == 0 ? steer_running(&order, resume_running)
                       : command_line_end(status, resume_usage);
}

/* ---- set ---- */

/* Splits "KEY=VALUE" in place. */
static int take_change(char *word, struct domain_xml_change *ret_change)
{
    char error[SETTINGS_ERROR_BYTES];
    struct settings scratch = {0};
    char *sign = strchr(word, '=');
    if (sign == NULL)
        return complain(COMMANDS_USAGE, "set: '%s': expected KEY=VALUE", word);
    *sign = '\0';
    *ret_change = (struct domain_xml_change){word, sign + 1};
    int result = settings_set(&scratch, word, sign + 1, error);
    if (result == 0 || (result == -EINVAL && sign[1] == '\0'))
        return 0;
    return complain(COMMANDS_USAGE, "set: %s", error);
}

/* A URI may name a command to be run: it is taken from nobody else's directory. */
static bool is_ours(const struct state *state)
{
    struct stat status;
    return state->is_running && stat(state->directory, &status) == 0 && status.st_uid == geteuid();
}

/* The hypervisor of argv, or of our own running coordinator, if there is one, or the usual one;
 * TEXT has room for it. */
static const char *choose_uri(const struct order *order, char text[HYPERVISOR_ERROR_BYTES])
{
    struct state state;
    char error[STATE_ERROR_BYTES];
    snprintf(text, HYPERVISOR_ERROR_BYTES, "%s", hypervisor_resolve_uri(order->place.uri));
    if (order->place.uri != NULL || state_read(order->place.state_dir, NULL, &state, error) != 0)
        return text;
    if (is_ours(&state))
        snprintf(text, HYPERVISOR_ERROR_BYTES, "%s", state.record.view.uri);
    state_release(&state);
    return text;
}

static int change(const struct order *order, const char *domain,
                  const struct domain_xml_change *changes, size_t count)
{
    char uri[HYPERVISOR_ERROR_BYTES];
    char text[HYPERVISOR_ERROR_BYTES];
    int result = hypervisor_change_settings(choose_uri(order, uri), domain, changes, count, text);
    if (result != 0)
        return complain(EXIT_FAILURE, "set: %s: %s", domain, text);
    printf("%s: %s\n", domain, *text != '\0' ? text : "nothing is set for it any more");
    return EXIT_SUCCESS;
}

int steer_set(int argc, char *const argv[])
{
    struct order order = {0};
    struct domain_xml_change changes[CHANGES_MOST];
    size_t count = 0;
    int status = command_line_read(argc, argv, letters, other_options, take_option, &order);
    if (status != 0)
        return command_line_end(status, set_usage);
    if (argc - optind < 2)
        return complain(COMMANDS_USAGE, "set: expected DOMAIN KEY=VALUE...");
    if (argc - optind - 1 > CHANGES_MOST)
        return complain(COMMANDS_USAGE, "set: more than %d changes", CHANGES_MOST);
    const char *domain = argv[optind];
    for (int i = optind + 1; i < argc; i++)
        if (take_change(argv[i], &changes[count++]) != 0)
            return COMMANDS_USAGE;
    return change(&order, domain, changes, count);
}
