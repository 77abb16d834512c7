/*
 * watch.c - the terminal of `status --watch`.
 *
 * The few sequences that it needs are those of every terminal since the VT100 and xterm (alternate
 * screen, home, clear to the end). A curses library would draw no better, and the daemon, which is
 * the same program, would carry it along.
 */
#include "watch.h"

#include "clock.h"
#include "complain.h"
#include "frame.h"
#include "state.h"
#include "text.h"
#include "whole.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

/* No line wraps at the edge: a character that is wider than thought does no harm. */
#define ENTER "\033[?1049h\033[?25l\033[?7l\033[2J"
#define LEAVE "\033[0m\033[?7h\033[?25h\033[?1049l"

enum { USEC_PER_MSEC = 1000, USUAL_COLUMNS = 80, USUAL_LINES = 24 };

struct screen {
    const struct watch *watch;
    bool is_full;     /* else one table after another */
    bool is_coloured; /* a full one */
    bool has_keys;
    struct termios before; /* the keyboard, where it has keys */
    int signals;           /* where they arrive */
    bool is_ending;
};

/* ---- the terminal ---- */

static bool can_be_full(void)
{
    const char *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && term != NULL && *term != '\0' && strcmp(term, "dumb") != 0;
}

static bool wants_colour(void)
{
    const char *refusal = getenv("NO_COLOR"); /* no-color.org: any value but none */
    return refusal == NULL || *refusal == '\0';
}

/* Keys come at once and are not shown; signals still come from them. */
static void enter(struct screen *screen)
{
    if (!screen->is_full)
        return;
    screen->has_keys = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &screen->before) == 0;
    if (screen->has_keys) {
        struct termios raw = screen->before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    whole_write(STDOUT_FILENO, ENTER, strlen(ENTER));
}

static void leave(struct screen *screen)
{
    if (!screen->is_full)
        return;
    whole_write(STDOUT_FILENO, LEAVE, strlen(LEAVE));
    if (screen->has_keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &screen->before);
}

static struct frame_style style_now(const struct screen *screen)
{
    struct winsize size = {0};
    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    return (struct frame_style){
        .columns = size.ws_col != 0 ? size.ws_col : USUAL_COLUMNS,
        .lines = size.ws_row != 0 ? size.ws_row : USUAL_LINES,
        .is_unicode = text_is_unicode(),
        .is_coloured = screen->is_coloured,
    };
}

static int catch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP, SIGCONT};
    sigset_t signals;
    sigemptyset(&signals);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        sigaddset(&signals, numbers[i]);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0)
        return -1;
    return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* ---- drawing ---- */

static int draw_frame(FILE *out, const struct frame_style *style, const struct state *state,
                      const struct status_source *source, const char *error)
{
    char fitting[TEXT_BYTES];
    if (state != NULL)
        return frame_write(out, &state->record.view, source, style);
    text_fit(error, style->columns, TEXT_CUT_END, fitting);
    fputs(fitting, out);
    return 0;
}

/* The table is as wide as it has to be, unless a terminal that is not to be drawn on is narrower.
 */
static int draw_table(FILE *out, const struct state *state, const struct status_source *source,
                      const char *error)
{
    struct winsize size = {0};
    int result = 0;
    if (isatty(STDOUT_FILENO))
        ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    if (state != NULL)
        result = status_write(out, &state->record.view, source, size.ws_col);
    else
        fprintf(out, "%s\n", error);
    fputc('\n', out);
    return result;
}

/* Over what was there before: each line is cleared before it is written, since to clear behind one
 * that ends at the edge takes its last character; then what is below the last of LINES. */
static int show_frame(const char *text, size_t length, size_t lines)
{
    char *bytes = NULL;
    size_t size = 0;
    size_t written = 1;
    FILE *out = open_memstream(&bytes, &size);
    if (out == NULL)
        return -ENOMEM;
    fputs("\033[H\033[K", out);
    for (size_t i = 0; i < length; i++) {
        fputc(text[i], out);
        if (text[i] != '\n')
            continue;
        fputs("\033[K", out);
        written++;
    }
    if (written < lines)
        fputs("\n\033[J", out);
    int result = fclose(out) == 0 ? whole_write(STDOUT_FILENO, bytes, size) : -ENOMEM;
    free(bytes);
    return result;
}

/* Draws STATE, or ERROR where it is NULL. */
static int draw(const struct screen *screen, const struct state *state, const char *error)
{
    char *text = NULL;
    size_t length = 0;
    struct status_source source = {0};
    struct frame_style style = style_now(screen);
    FILE *out = open_memstream(&text, &length);
    if (out == NULL)
        return -ENOMEM;
    if (state != NULL)
        source = state_source(state);
    int result = screen->is_full ? draw_frame(out, &style, state, &source, error)
                                 : draw_table(out, state, &source, error);
    if (fclose(out) != 0)
        result = -ENOMEM;
    if (result == 0)
        result = screen->is_full ? show_frame(text, length, style.lines)
                                 : whole_write(STDOUT_FILENO, text, length);
    free(text);
    return result;
}

/* ---- waiting ---- */

/* As a shell expects it of who is told to stop: the terminal is as it was meanwhile. */
static void stop(struct screen *screen)
{
    leave(screen);
    kill(getpid(), SIGSTOP);
    enter(screen);
}

/* Returns true if it is to be drawn again. */
static bool take_signals(struct screen *screen)
{
    struct signalfd_siginfo signal;
    bool is_stale = false;
    while (read(screen->signals, &signal, sizeof(signal)) == (ssize_t)sizeof(signal)) {
        is_stale = true;
        if (signal.ssi_signo == SIGTSTP)
            stop(screen);
        else if (signal.ssi_signo != SIGWINCH && signal.ssi_signo != SIGCONT)
            screen->is_ending = true;
    }
    return is_stale;
}

/* A keyboard that is gone ends it, too. */
static void take_keys(struct screen *screen)
{
    char keys[64];
    ssize_t got = read(STDIN_FILENO, keys, sizeof(keys));
    if (got <= 0 && errno != EINTR && errno != EAGAIN)
        screen->is_ending = true;
    for (ssize_t i = 0; i < got; i++)
        if (keys[i] == 'q' || keys[i] == 'Q')
            screen->is_ending = true;
}

/* Until it is time to look again, or the size has changed, or it is to end. */
static void wait_for_next(struct screen *screen)
{
    uint64_t until = clock_monotonic_usec() + screen->watch->pause_usec;
    uint64_t now;
    bool is_stale = false;
    while (!screen->is_ending && !is_stale && (now = clock_monotonic_usec()) < until) {
        struct pollfd sources[] = {{.fd = screen->signals, .events = POLLIN},
                                   {.fd = screen->has_keys ? STDIN_FILENO : -1, .events = POLLIN}};
        poll(sources, 2, (int)((until - now + USEC_PER_MSEC - 1) / USEC_PER_MSEC));
        is_stale = take_signals(screen);
        if (sources[1].revents != 0)
            take_keys(screen);
    }
}

/* ---- the loop ---- */

static int look_and_draw(const struct screen *screen)
{
    char error[STATE_ERROR_BYTES];
    struct state state = {0};
    int found = state_read(screen->watch->state_dir, screen->watch->uri, &state, error);
    int result = draw(screen, found == 0 ? &state : NULL, error);
    state_release(&state);
    return result;
}

static int watch_until_told(struct screen *screen)
{
    int result;
    enter(screen);
    do {
        result = look_and_draw(screen);
        if (result == 0)
            wait_for_next(screen);
    } while (result == 0 && !screen->is_ending);
    leave(screen);
    if (result == 0 || result == -EPIPE) /* who has read it has had enough */
        return EXIT_SUCCESS;
    return complain(EXIT_FAILURE, "cannot draw: %s", strerror(-result));
}

int watch_run(const struct watch *watch)
{
    struct screen screen = {
        .watch = watch,
        .is_full = can_be_full(),
        .is_coloured = wants_colour(),
        .signals = catch_signals(),
    };
    if (screen.signals < 0)
        return complain(EXIT_FAILURE, "cannot catch signals: %s", strerror(errno));
    signal(SIGPIPE, SIG_IGN);
    int status = watch_until_told(&screen);
    close(screen.signals);
    return status;
}
