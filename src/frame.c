/* frame.c - one screen of `status --watch`. */
#include "frame.h"

#include "arithmetic.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    GAP = 2,
    NAME_LEAST = 8,
    NAME_PART = 5, /* of the width, at most one in so many */
    BAR_LEAST = 10,
    BAR_MOST = 60, /* beside a reason */
    WHY_LEAST = 24,
    STATE_COLUMNS = 11, /* arrow, blank, "unmanaged" */
    LABEL_COLUMNS = 6,
    SAME_KIB = 1024,
};

/* ---- colours: those of the terminal, by their ANSI numbers ---- */

#define PLAIN  ""
#define BOLD   "1"
#define FAINT  "2"
#define RED    "1;31"
#define GREEN  "32"
#define YELLOW "33"
#define BLUE   "34"
#define CYAN   "36"

static void paint(FILE *out, const struct frame_style *style, const char *colour, const char *text)
{
    if (style->is_coloured && *colour != '\0')
        fprintf(out, "\033[%sm%s\033[0m", colour, text);
    else
        fputs(text, out);
}

/* As wide as COLUMNS, whatever TEXT is. */
static void paint_cell(FILE *out, const struct frame_style *style, const char *colour,
                       const char *text, size_t columns, bool to_the_right)
{
    char fitting[TEXT_BYTES];
    size_t taken = text_fit(text, columns, to_the_right ? TEXT_CUT_END : TEXT_CUT_MIDDLE, fitting);
    int blanks = (int)(columns - taken);
    fprintf(out, "%*s", to_the_right ? blanks : 0, "");
    paint(out, style, colour, fitting);
    fprintf(out, "%*s", to_the_right ? 0 : blanks, "");
}

static void paint_line(FILE *out, const struct frame_style *style, const char *colour,
                       const char *text)
{
    char fitting[TEXT_BYTES];
    text_fit(text, style->columns, TEXT_CUT_END, fitting);
    paint(out, style, colour, fitting);
}

static const char *state_colour(enum status_state state)
{
    switch (state) {
    case STATUS_STARVING:
        return RED;
    case STATUS_STUCK:
    case STATUS_FROZEN:
    case STATUS_SHORT:
    case STATUS_HELD:
        return YELLOW;
    case STATUS_GROWING:
        return GREEN;
    case STATUS_GIVING:
        return CYAN;
    case STATUS_BALANCED:
    case STATUS_MIGRATING:
        return PLAIN;
    case STATUS_PAUSED:
    case STATUS_UNMANAGED:
        return FAINT;
    }
    return PLAIN;
}

/* ---- bars ---- */

/* What a bar is made of: a sign for eyes that see no colour, and a colour. */
struct paint {
    const char *unicode;
    const char *ascii;
    const char *colour;
    const char *meaning;
};

static const struct paint needed = {"\u2588", "#", BLUE, "needed"};
static const struct paint cache = {"\u2593", "=", CYAN, "cache"};
static const struct paint unused = {"\u2592", "-", GREEN, "unused"};
static const struct paint ballooned = {"\u00b7", ".", FAINT, "ballooned"};
static const struct paint unknown = {"\u2592", ":", FAINT, "not known"};
static const struct paint guests_hold = {"\u2588", "#", BLUE, "guests"};
static const struct paint others_hold = {"\u2593", "=", YELLOW, "others"};
static const struct paint available = {"\u2592", "-", GREEN, "available"};
static const struct paint reserve = {"\u2591", "~", RED, "reserve"};
static const struct paint target = {"\u2503", "|", BOLD, "target"};

/* A piece of a bar, up to END_KIB; each begins where the one before it ends. */
struct piece {
    const struct paint *paint;
    uint64_t end_kib;
};

static void paint_sign(FILE *out, const struct frame_style *style, const struct paint *sign,
                       size_t times)
{
    const char *text = style->is_unicode ? sign->unicode : sign->ascii;
    if (times == 0)
        return;
    if (style->is_coloured)
        fprintf(out, "\033[%sm", sign->colour);
    for (size_t i = 0; i < times; i++)
        fputs(text, out);
    if (style->is_coloured)
        fputs("\033[0m", out);
}

/* The cell in which KIB of WHOLE_KIB end. */
static size_t cell_of(uint64_t kib, uint64_t whole_kib, size_t cells)
{
    if (whole_kib == 0)
        return 0;
    return (size_t)((double)min_u64(kib, whole_kib) / (double)whole_kib * (double)cells + 0.5);
}

/* A bar of CELLS for WHOLE_KIB; MARK_KIB is marked in it, unless it is UINT64_MAX. */
static void paint_bar(FILE *out, const struct frame_style *style, const struct piece *pieces,
                      size_t count, uint64_t whole_kib, uint64_t mark_kib, size_t cells)
{
    size_t at = 0;
    size_t mark = mark_kib == UINT64_MAX ? cells : cell_of(mark_kib, whole_kib, cells);
    if (mark_kib != UINT64_MAX && mark == cells)
        mark = cells - 1;
    for (size_t i = 0; i < count; i++) {
        size_t end = max_u64(at, cell_of(pieces[i].end_kib, whole_kib, cells));
        bool is_marked = at <= mark && mark < end;
        paint_sign(out, style, pieces[i].paint, (is_marked ? mark : end) - at);
        if (is_marked) {
            paint_sign(out, style, &target, 1);
            paint_sign(out, style, pieces[i].paint, end - mark - 1);
        }
        at = end;
    }
    fprintf(out, "%*s", (int)(cells - at), "");
}

/* ---- the host ---- */

static void paint_host_bar(FILE *out, const struct coordinator_view *view,
                           const struct frame_style *style)
{
    const struct host *host = &view->snapshot->host;
    uint64_t taken = subtract_to_zero(host->total_kib, host->available_kib);
    uint64_t held = 0;
    for (size_t i = 0; i < view->snapshot->count; i++)
        held = add_saturated(held, view->snapshot->domains[i].rss_kib.value);
    struct piece pieces[] = {
        {&guests_hold, min_u64(held, taken)},
        {&others_hold, taken},
        {&available,
         max_u64(taken, subtract_to_zero(host->total_kib, view->policy.host_reserve_kib))},
        {&reserve, host->total_kib},
    };
    size_t cells = subtract_to_zero(style->columns, LABEL_COLUMNS);
    paint_cell(out, style, BOLD, "host", min_u64(LABEL_COLUMNS, style->columns), false);
    paint_bar(out, style, pieces, sizeof(pieces) / sizeof(*pieces), host->total_kib, UINT64_MAX,
              cells);
}

static const char *host_colour(enum policy_host_state state)
{
    switch (state) {
    case POLICY_HOST_HIGH:
        return GREEN;
    case POLICY_HOST_SOFT:
        return YELLOW;
    case POLICY_HOST_HARD:
    case POLICY_HOST_LOW:
        break;
    }
    return RED;
}

/* "high; 6321.0 of 16000.0 MiB available, ..." */
static void paint_host_figures(FILE *out, const struct coordinator_view *view,
                               const struct frame_style *style, struct status_unit unit)
{
    static const char *const words[] = {[POLICY_HOST_HIGH] = "high",
                                        [POLICY_HOST_SOFT] = "soft",
                                        [POLICY_HOST_HARD] = "hard",
                                        [POLICY_HOST_LOW] = "low"};
    char text[5][STATUS_SIZE_BYTES];
    char line[TEXT_BYTES];
    char fitting[TEXT_BYTES];
    const struct host *host = &view->snapshot->host;
    size_t indent = min_u64(LABEL_COLUMNS, style->columns);
    fprintf(out, "%*s", (int)indent, "");
    if (indent + LABEL_COLUMNS >= style->columns)
        return;
    paint_cell(out, style, host_colour(view->host.state), words[view->host.state], LABEL_COLUMNS,
               false);
    snprintf(line, sizeof(line), "%s of %s %s available; pool %s, promised %s, level %s",
             status_size(unit, host->available_kib, text[0]),
             status_size(unit, host->total_kib, text[1]), unit.name,
             status_size(unit, view->host.pool_kib, text[2]),
             status_size(unit, status_promised_kib(view), text[3]),
             status_size(unit, view->host.level_kib, text[4]));
    text_fit(line, style->columns - indent - LABEL_COLUMNS, TEXT_CUT_END, fitting);
    fputs(fitting, out);
}

/* ---- the guests ---- */

/* How a guest's line is laid out; what is 0 is left out. */
struct layout {
    struct status_unit unit;
    size_t name;
    size_t bar;
    size_t size; /* each of the size and the maximum */
    size_t why;
};

static size_t widest_size(const struct coordinator_view *view, struct status_unit unit)
{
    char text[STATUS_SIZE_BYTES];
    size_t widest = 0;
    for (size_t i = 0; i < view->snapshot->count; i++) {
        const struct domain *domain = &view->snapshot->domains[i];
        uint64_t largest = max_u64(domain->max_kib, domain->actual_kib.value);
        widest = max_u64(widest, strlen(status_size(unit, largest, text)));
    }
    return widest;
}

static size_t widest_name(const struct coordinator_view *view)
{
    size_t widest = 0;
    for (size_t i = 0; i < view->snapshot->count; i++)
        widest = max_u64(widest, text_columns(view->snapshot->domains[i].name));
    return widest;
}

/* Where a reason fits as well, it has half of what names, sizes and states leave, or more. */
static struct layout lay_out(const struct coordinator_view *view, const struct frame_style *style)
{
    struct layout layout = {.unit = status_unit(view)};
    size_t name_most = max_u64(NAME_LEAST, style->columns / NAME_PART);
    layout.name = min_u64(min_u64(widest_name(view), name_most), style->columns);
    layout.size = widest_size(view, layout.unit);
    size_t sizes = 2 * layout.size + strlen(" of ") + GAP;
    size_t others = layout.name + GAP + STATE_COLUMNS + GAP;
    size_t rest = subtract_to_zero(style->columns, others);
    if (rest < sizes + BAR_LEAST) {
        layout.size = 0;
        sizes = 0;
    }
    rest = subtract_to_zero(rest, sizes);
    if (rest / 2 >= WHY_LEAST + GAP) {
        layout.bar = min_u64(rest / 2, BAR_MOST);
        layout.why = rest - layout.bar - GAP;
    } else if (rest >= BAR_LEAST) {
        layout.bar = rest;
    }
    return layout;
}

/* What it uses and needs: as decided on, or as it has reported where nothing can be decided. */
static bool find_use(const struct domain *domain, const struct policy_decision *decision,
                     uint64_t size_kib, uint64_t *ret_needed_kib, uint64_t *ret_used_kib)
{
    if (!policy_is_held(decision->reason)) {
        *ret_needed_kib = decision->claimed_kib;
        *ret_used_kib = max_u64(decision->used_kib, decision->claimed_kib);
        return true;
    }
    if (!domain->unused_kib.known)
        return false;
    uint64_t usable = domain->usable_kib.known ? domain->usable_kib.value : 0;
    *ret_used_kib = subtract_to_zero(size_kib, domain->unused_kib.value);
    *ret_needed_kib = subtract_to_zero(size_kib, max_u64(usable, domain->unused_kib.value));
    return true;
}

static void paint_guest_bar(FILE *out, const struct frame_style *style, const struct domain *domain,
                            const struct policy_decision *decision, size_t cells)
{
    struct figure shown = status_shown_size(domain, decision);
    uint64_t size = shown.known ? shown.value : decision->from_kib;
    uint64_t whole = max_u64(domain->max_kib, size);
    uint64_t needed_kib = 0;
    uint64_t used_kib = 0;
    bool is_known = find_use(domain, decision, size, &needed_kib, &used_kib);
    struct piece pieces[] = {
        {&needed, min_u64(needed_kib, size)},
        {&cache, min_u64(used_kib, size)},
        {is_known ? &unused : &unknown, size},
        {&ballooned, whole},
    };
    uint64_t goal = decision->target_kib;
    bool is_moving = (goal > size ? goal - size : size - goal) > SAME_KIB;
    paint_bar(out, style, pieces, sizeof(pieces) / sizeof(*pieces), whole,
              is_moving ? goal : UINT64_MAX, cells);
}

static void paint_sizes(FILE *out, const struct frame_style *style, const struct layout *layout,
                        const struct domain *domain, const struct policy_decision *decision)
{
    char text[STATUS_SIZE_BYTES];
    struct figure shown = status_shown_size(domain, decision);
    uint64_t size = shown.known ? shown.value : UINT64_MAX;
    fprintf(out, "%*s", GAP, "");
    paint_cell(out, style, BOLD, status_size(layout->unit, size, text), layout->size, true);
    paint(out, style, FAINT, " of ");
    paint_cell(out, style, FAINT, status_size(layout->unit, domain->max_kib, text), layout->size,
               true);
}

static void paint_guest(FILE *out, const struct coordinator_view *view,
                        const struct frame_style *style, const struct layout *layout, size_t i)
{
    char text[STATUS_WHY_BYTES];
    const struct domain *domain = &view->snapshot->domains[i];
    const struct policy_decision *decision = &view->decisions[i];
    enum status_state state = status_of(domain, decision);
    enum status_trend trend = status_trend(domain, &view->memory[i], decision);
    paint_cell(out, style, PLAIN, domain->name, layout->name, false);
    if (layout->bar > 0) {
        fprintf(out, "%*s", GAP, "");
        paint_guest_bar(out, style, domain, decision, layout->bar);
    }
    if (layout->size > 0)
        paint_sizes(out, style, layout, domain, decision);
    if (layout->name + GAP + STATE_COLUMNS > style->columns)
        return;
    snprintf(text, sizeof(text), "%s %s", status_trend_sign(trend, style->is_unicode),
             status_state_name(state));
    fprintf(out, "%*s", GAP, "");
    if (layout->why == 0) {
        paint(out, style, state_colour(state), text);
        return;
    }
    paint_cell(out, style, state_colour(state), text, STATE_COLUMNS + GAP, false);
    char fitting[TEXT_BYTES];
    text_fit(status_why(view, i, layout->unit, text), layout->why, TEXT_CUT_END, fitting);
    paint(out, style, FAINT, fitting);
}

/* ---- the screen ---- */

/* A frame as it is written: its lines are counted. */
struct sheet {
    FILE *out;
    const struct coordinator_view *view;
    const struct status_source *source;
    const struct frame_style *style;
    size_t left; /* lines */
    bool has_begun;
};

/* Goes to the next line; false where there is none. */
static bool next_line(struct sheet *sheet)
{
    if (sheet->left == 0)
        return false;
    if (sheet->has_begun)
        fputc('\n', sheet->out);
    sheet->has_begun = true;
    sheet->left--;
    return true;
}

static void write_title(struct sheet *sheet)
{
    char left[TEXT_BYTES];
    char right[STATUS_WHY_BYTES];
    char age[STATUS_SIZE_BYTES];
    const struct coordinator_view *view = sheet->view;
    if (!next_line(sheet))
        return;
    int64_t age_sec = status_seconds_ago(view, sheet->source->now_sec);
    snprintf(right, sizeof(right), "%zu guests, every %g s, %s ago", view->snapshot->count,
             (double)view->policy.interval_usec / 1e6, status_age(age_sec, age));
    size_t room = subtract_to_zero(sheet->style->columns, strlen(right) + GAP);
    if (room < NAME_LEAST) {
        paint_line(sheet->out, sheet->style, BOLD, view->uri);
        return;
    }
    text_fit(view->uri, room, TEXT_CUT_MIDDLE, left);
    paint(sheet->out, sheet->style, BOLD, left);
    fprintf(sheet->out, "%*s", (int)(room - text_columns(left) + GAP), "");
    paint(sheet->out, sheet->style, FAINT, right);
}

static void write_head(struct sheet *sheet)
{
    char lines[STATUS_WARNINGS][STATUS_WHY_BYTES];
    write_title(sheet);
    size_t warnings = status_warnings(sheet->view, sheet->source, lines);
    for (size_t i = 0; i < warnings; i++)
        if (next_line(sheet))
            paint_line(sheet->out, sheet->style, RED, lines[i]);
}

static void write_host(struct sheet *sheet)
{
    if (!next_line(sheet))
        return;
    if (!sheet->view->snapshot->host.has_memory) {
        paint_line(sheet->out, sheet->style, YELLOW,
                   "host  does not say what memory it has: nothing can grow");
        return;
    }
    paint_host_bar(sheet->out, sheet->view, sheet->style);
    if (next_line(sheet))
        paint_host_figures(sheet->out, sheet->view, sheet->style, status_unit(sheet->view));
}

/* Those that are worst off where not all have a line. */
static int write_guests(struct sheet *sheet, size_t lines)
{
    char text[STATUS_WHY_BYTES];
    size_t count = sheet->view->snapshot->count;
    bool has_all = count <= lines;
    size_t shown = has_all ? count : subtract_to_zero(lines, 1);
    struct layout layout = lay_out(sheet->view, sheet->style);
    size_t *order = status_sort(sheet->view, has_all ? STATUS_BY_NAME : STATUS_BY_NEED);
    if (order == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < shown && next_line(sheet); i++)
        paint_guest(sheet->out, sheet->view, sheet->style, &layout, order[i]);
    free(order);
    snprintf(text, sizeof(text), "and %zu more, who are better off", count - shown);
    if (count == 0)
        snprintf(text, sizeof(text), "no running domains");
    if ((!has_all || count == 0) && next_line(sheet))
        paint_line(sheet->out, sheet->style, FAINT, text);
    return 0;
}

/* Writes the meanings of PAINTS, as far as they fit into *LEFT columns, which it takes from it. */
static void write_meanings(FILE *out, const struct frame_style *style, const char *of,
                           const struct paint *const *paints, size_t count, size_t *left)
{
    size_t wanted = strlen(of);
    for (size_t i = 0; i < count; i++)
        wanted += 1 + 1 + strlen(paints[i]->meaning) + GAP;
    if (wanted > *left)
        return;
    *left -= wanted;
    paint(out, style, FAINT, of);
    for (size_t i = 0; i < count; i++) {
        paint_sign(out, style, paints[i], 1);
        fprintf(out, " %s%*s", paints[i]->meaning, GAP, "");
    }
}

static void write_legend(struct sheet *sheet)
{
    static const struct paint *const of_guests[] = {&needed, &cache, &unused, &ballooned, &target};
    static const struct paint *const of_host[] = {&guests_hold, &others_hold, &available, &reserve};
    const char *how_to_end = "q ends it";
    const struct frame_style *style = sheet->style;
    if (!next_line(sheet) || style->columns < strlen(how_to_end))
        return;
    size_t left = style->columns - strlen(how_to_end);
    write_meanings(sheet->out, style, "", of_guests, sizeof(of_guests) / sizeof(of_guests[0]),
                   &left);
    write_meanings(sheet->out, style, "host: ", of_host, sizeof(of_host) / sizeof(of_host[0]),
                   &left);
    paint_cell(sheet->out, style, FAINT, how_to_end, left + strlen(how_to_end), true);
}

int frame_write(FILE *out, const struct coordinator_view *view, const struct status_source *source,
                const struct frame_style *style)
{
    enum { LEGEND_LINES = 2, ROOMY_LINES = 10 };
    struct sheet sheet = {
        .out = out, .view = view, .source = source, .style = style, .left = style->lines};
    bool is_roomy = style->lines >= ROOMY_LINES;
    write_head(&sheet);
    write_host(&sheet);
    if (is_roomy)
        next_line(&sheet);
    int result =
        write_guests(&sheet, is_roomy ? subtract_to_zero(sheet.left, LEGEND_LINES) : sheet.left);
    if (result != 0 || !is_roomy)
        return result;
    while (sheet.left > 1)
        next_line(&sheet);
    write_legend(&sheet);
    return 0;
}
