"""A recorded run as one HTML page that needs nothing else: charts, actions, figures."""

import base64
import hashlib
import html
import math
import re
import time
from pathlib import Path

import curves
from figures import Action, Figures, actions_of, figures_of, spans
from reasons import HELD, OUTCOMES, say_move, say_why
from record import Guest, Record

LIB = Path(__file__).resolve().parent

# More rows than these, and the page gets too large for a browser: the smallest moves are left out.
MOST_ACTIONS = 10000
# Longer runs are told by the clock.
CLOCK_SEC = 2 * 3600
MOMENT = "%H:%M:%S"
# A page with more guests begins with links to them.
FEW_GUESTS = 6

UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")


def plain(text: str) -> str:
    """Text as the body of an element or the value of an attribute, whatever stands in it."""
    return html.escape(UNSEEN.sub("\N{REPLACEMENT CHARACTER}", text))


def name_of(text: str) -> str:
    """A name that does not turn around what follows it."""
    return f"<bdi>{plain(text)}</bdi>"


def number(value: float, decimals: int = 1) -> str:
    """A figure of a path: as short as can be."""
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def figure(value: float, decimals: int = 1) -> str:
    """A figure for people."""
    if math.isnan(value):
        return "\N{EN DASH}"
    return "no limit" if math.isinf(value) else f"{value:,.{decimals}f}"


def duration(seconds: float) -> str:
    """4.5 s, 12 min 5 s, 3 h 20 min."""
    if seconds < 60:
        return f"{number(seconds) if seconds < 10 else round(seconds)} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"


def clock(wall_sec: float, form: str) -> str:
    try:
        return time.strftime(form, time.localtime(wall_sec))
    except (OverflowError, OSError, ValueError):
        return "?"


def plural(count: int, thing: str) -> str:
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


# ---- charts ----


class Chart:
    """One guest's chart, or the host's: what all of them have in common."""

    def __init__(self, record: Record, drawn: list, top: float):
        self.length = max(record.length_sec(), record.cycles[0].interval_sec)
        self.record = record
        self.drawn = drawn
        self.top = top

    def x(self, seconds: float) -> str:
        return f"{number(100 * seconds / self.length, 3)}%"

    def y(self, mib: float) -> str:
        return f"{number(100 - 100 * mib / self.top, 2)}%"

    def path(self, curve: curves.Curve) -> str:
        is_area = curve.name in ("used", "claimed")
        pieces = []
        for segment in curve.segments:
            points = [f"{number(x, 2)} {number(y)}" for x, y in segment]
            if is_area:
                points = [f"{number(segment[0][0], 2)} 0", *points, f"{number(segment[-1][0], 2)} 0"]
            elif len(points) == 1:
                points *= 2  # so that the cap of the line shows it
            pieces.append("M" + "L".join(points) + ("Z" if is_area else ""))
        if not pieces:
            return ""
        ground = ' data-ground=""' if is_area else ""
        title = f' data-title="{curve.title}"' if curve.title else ""
        return f'<path class="{curve.name}"{title}{ground} d="{"".join(pieces)}"/>'

    def grid(self) -> str:
        lines = "".join(f"M0 {number(at)}H{number(self.length)}" for at, _text in curves.size_ticks(self.top))
        return f'<path class="grid" d="{lines}"/><path class="axis" d="M0 0H{number(self.length)}"/>'

    def area(self, label: str, bands: list) -> str:
        shades = "".join(
            f'<rect class="{kind}" x="{self.x(begin)}" width="{self.x(end - begin)}" height="100%"/>'
            for begin, end, kind in bands
        )
        paths = "".join(self.path(curve) for curve in self.drawn)
        return (
            f'<svg class="area" role="img" aria-label="{plain(label)}">{shades}'
            f'<svg class="curves" viewBox="0 0 {number(self.length)} {number(self.top)}" '
            f'preserveAspectRatio="none"><g transform="matrix(1 0 0 -1 0 {number(self.top)})">'
            f"{self.grid()}{paths}</g></svg>"
            '<line class="cursor" y1="0" y2="100%" visibility="hidden"/></svg>'
        )

    def sizes(self) -> str:
        texts = "".join(
            f'<text x="94%" y="{self.y(at)}">{text}</text>' for at, text in curves.size_ticks(self.top)
        )
        return f'<svg class="sizes" aria-hidden="true">{texts}</svg>'

    def times(self) -> str:
        begin = self.record.cycles[0].wall_sec
        texts = []
        for index, seconds in enumerate(curves.time_ticks(self.length)):
            if self.length >= CLOCK_SEC:
                text = clock(begin + seconds, "%H:%M")
            elif self.length >= 180:
                text = f"{int(seconds) // 60}:{int(seconds) % 60:02}"
            else:
                text = f"{seconds:g} s"
            second = ' class="second"' if index % 2 else ""
            texts.append(f'<text x="{self.x(seconds)}" y="16"{second}>{text}</text>')
        return f'<svg class="times" aria-hidden="true">{"".join(texts)}</svg>'

    def lane(self, label: str, marks: list) -> str:
        if not marks:
            return ""
        drawn = []
        for index, (row, look) in enumerate(marks):
            shape, kind = ("up", "grow") if look.action == "grow" else ("down", "shrink")
            kind = {"made": kind, "withheld": "withheld"}.get(look.request, "failed")
            drawn.append(
                f'<use href="#{shape}" class="{kind}" x="{self.x(look.seconds)}" data-at="{number(look.seconds, 2)}" '
                f'role="img" aria-labelledby="a{row}" tabindex="{0 if index == 0 else -1}"/>'
            )
        return (
            '<svg class="lane rows" aria-hidden="true"><text x="94%" y="10">grows</text>'
            '<text x="94%" y="29">gives</text></svg>'
            f'<svg class="lane" role="group" aria-label="{plain(label)}"><rect width="100%" height="100%"/>'
            '<line class="cursor" y1="0" y2="100%" visibility="hidden"/>'
            f'<g class="marks">{"".join(drawn)}</g></svg>'
        )


def chart_section(identity: str, title: str, about: str, inside: str) -> str:
    return (
        f'<section class="chart" id="{identity}" aria-labelledby="{identity}-name"><header>'
        f'<h3 id="{identity}-name">{title}</h3><p class="faint">{about}</p></header>'
        f'<p class="readout" aria-hidden="true"></p><div class="plot">{inside}</div></section>\n'
    )


def guest_state(look) -> str | None:
    if look.reason == "starving":
        return "starving"
    return "held" if look.reason in HELD else None


def say_limits(guest: Guest) -> str:
    look, limits = guest.looks[-1], guest.setup["limits"]
    if limits.get("managed") is False:
        return "not managed"
    words = [f"{figure(look.least, 0)} to {figure(look.most, 0)} MiB"]
    percent, headroom = limits.get("headroom_percent"), limits.get("headroom_kib")
    if type(percent) is int and percent > 0:
        words.append(f"at least {percent} % of its use unused")
    elif type(headroom) is int:
        words.append(f"at least {headroom / 1024:,.0f} MiB unused")
    if type(limits.get("shares")) is int:
        words.append(plural(limits["shares"], "share"))
    return ", ".join(words)


def guest_chart(number_of: int, record: Record, guest: Guest, found: Figures, chart: Chart, marks: list) -> str:
    label = (
        f"{guest.name}: size from {figure(found.least_size)} to {figure(found.most_size)} MiB, "
        f"unused at the least {figure(found.least_unused)} MiB"
    )
    timed = [(look.seconds, length, look) for look, length in spans(record, guest)]
    inside = chart.sizes() + chart.area(label, curves.bands(timed, guest_state))
    inside += chart.lane(f"What {guest.name} was asked for: {plural(len(marks), 'mark')}", marks) + chart.times()
    return chart_section(f"g{number_of}", name_of(guest.name), plain(say_limits(guest)), inside)


def host_chart(record: Record, chart: Chart) -> str:
    timed = []
    for index, cycle in enumerate(record.cycles):
        later = record.cycles[min(index + 1, len(record.cycles) - 1)].seconds
        timed.append((cycle.seconds, min(later - cycle.seconds, cycle.gap_sec()), cycle))
    pressed = curves.bands(timed, lambda cycle: cycle.state if cycle.state in ("soft", "hard", "low") else None)
    available = [cycle.available for cycle in record.cycles if not math.isnan(cycle.available)]
    label = "The host"
    if available:
        label += f": from {figure(min(available))} to {figure(max(available))} MiB available"
    last = record.cycles[-1]
    about = f"{figure(last.total, 0)} MiB in all, {figure(last.reserve, 0)} of them its reserve"
    if pressed:
        about += f"; below its reserve for {duration(sum(end - begin for begin, end, _kind in pressed))}"
    return chart_section("host", "Memory of the host", about, chart.sizes() + chart.area(label, pressed) + chart.times())


LEGEND_CURVES = "M0 8H30"


def legend_of(entries: tuple, has_marks: bool, bands: tuple) -> str:
    items = []
    for name, title in entries:
        shape = (
            f'<rect class="{name}" y="2" width="30" height="12"/>'
            if name in ("used", "claimed")
            else f'<path class="{name}" d="{LEGEND_CURVES}"/>'
        )
        items.append(f'<li><svg class="curves" aria-hidden="true">{shape}</svg>{title}')
    for name, title in bands:
        items.append(f'<li><svg aria-hidden="true"><rect class="{name}" width="30" height="16"/></svg>{title}')
    if has_marks:
        for shape, kind, title in (("up", "grow", "asked to grow"), ("down", "shrink", "asked to give")):
            y = 0 if shape == "up" else -19
            items.append(
                f'<li><svg aria-hidden="true"><use href="#{shape}" class="{kind}" x="15" y="{y - 2}"/></svg>{title}'
            )
        items.append('<li><svg aria-hidden="true"><use href="#up" class="failed" x="15" y="-2"/></svg>not done')
    return f'<ul class="legend">{"".join(items)}</ul>\n'


# ---- tables ----


def figures_table(rows: list) -> str:
    """rows of (guest, figures)."""
    columns = (
        "Guest", "Size, MiB", "Unused, mean", "Unused, least", "Moved, MiB", "Calls", "Not done", "Starving, s",
        "Held, s", "Largest shrink in 2 s",
    )  # fmt: skip
    head = "".join(
        f'<th scope="col"{" class=n" if index else ""}>{title}' for index, title in enumerate(columns)
    )
    body = []
    for guest, found in rows:
        shrink = f"{figure(found.shrink)} MiB, {100 * found.shrink_part:.1f} %" if found.shrink else "none"
        starving = "n bad" if found.starving_sec > 0 else "n"
        body.append(
            f'<tr><th scope="row">{name_of(guest.name)}'
            f'<td class="n">{figure(found.least_size, 0)} to {figure(found.most_size, 0)}'
            f'<td class="n">{figure(found.mean_unused)}<td class="n">{figure(found.least_unused)}'
            f'<td class="n">{figure(found.moved)}<td class="n">{found.calls}<td class="n">{found.not_done}'
            f'<td class="{starving}">{figure(found.starving_sec)}<td class="n">{figure(found.held_sec)}'
            f'<td class="n">{shrink}'
        )
    return (
        '<div class="scroll" role="region" aria-label="Figures of each guest" tabindex="0"><table>'
        f"<thead><tr>{head}</thead>\n<tbody>{''.join(body)}</tbody></table></div>\n"
    )


def actions_table(actions: list) -> str:
    columns = ("Time", "Clock", "Guest", "Size", "Reason", "Outcome")
    head = "".join(f'<th scope="col">{title}' for title in columns)
    body = []
    for index, action in enumerate(actions):
        look = action.look
        move = plain(say_move(look)).replace("-&gt;", "\N{RIGHTWARDS ARROW}")
        outcome = OUTCOMES.get(look.request, "") if look.request != "made" else ""
        body.append(
            f'<tr id="a{index}"><td class="n">+{look.seconds:.1f} s<td>{clock(action.wall_sec, MOMENT)}'
            f'<td>{name_of(action.name)}<td class="move">{move}<td>{plain(say_why(look))}<td>{outcome}'
        )
    return (
        '<div class="scroll" role="region" aria-label="Actions" tabindex="0"><table>'
        f"<thead><tr>{head}</thead>\n<tbody>{chr(10).join(body)}</tbody></table></div>\n"
    )


# ---- the page ----


def head_list(record: Record) -> str:
    first, last = record.cycles[0], record.cycles[-1]
    day, moment = "%Y-%m-%d", MOMENT
    begin, end = clock(first.wall_sec, day), clock(last.wall_sec, day)
    until = clock(last.wall_sec, moment) if begin == end else f"{end} {clock(last.wall_sec, moment)}"
    intervals = sorted({cycle.interval_sec for cycle in record.cycles})
    entries = (
        ("Connection", plain(record.head["uri"])),
        ("Interval", " and ".join(f"{interval:g} s" for interval in intervals[:4])),
        ("From, until", f"{begin} {clock(first.wall_sec, moment)} to {until} {clock(last.wall_sec, '%Z')}"),
        ("Length", f"{duration(record.length_sec())}, {plural(len(record.cycles), 'cycle')}"),
        ("Host", f"{figure(last.total, 0)} MiB, {figure(last.reserve, 0)} kept as its reserve"),
        ("Balanced by", f"memory_coordinator {plain(record.head['version'])}, metric {plain(str(record.head['policy'].get('metric')))}"),
    )  # fmt: skip
    return "<dl>" + "".join(f"<div><dt>{name}<dd>{text}</div>" for name, text in entries) + "</dl>\n"


def summary(record: Record, rows: list, actions: list) -> str:
    """What came of it, in a sentence or two."""
    starving = [(guest, found.starving_sec) for guest, found in rows if found.starving_sec > 0]
    words = [f"{plural(len(rows), 'guest')}, {plural(sum(found.calls for _guest, found in rows), 'call')}"]
    words.append(f"{figure(sum(found.moved for _guest, found in rows), 0)} MiB moved.")
    text = ", ".join(words)
    if not starving:
        text += " No guest was starving."
    else:
        worst = max(starving, key=lambda pair: pair[1])
        text += f" {plural(len(starving), 'guest')} starving, {name_of(worst[0].name)} longest: {duration(worst[1])}."
    withheld = sum(action.look.request == "withheld" for action in actions)
    if withheld:
        text += f" {plural(withheld, 'request')} not made: a dry run, or paused."
    if record.starts:
        text += f" The coordinator was started anew {plural(len(record.starts), 'time')}."
    return f"<p>{text}</p>\n"


def notice(record: Record, left_out: int) -> str:
    words = []
    if record.damaged:
        words.append(f"Of the record {plain(record.say_damaged())}.")
    if left_out:
        words.append(f"Of the actions the {plural(left_out, 'smallest move')} are not shown.")
    return "".join(f'<p class="notice" role="note">{text}</p>\n' for text in words)


DEFINITIONS = """<svg width="0" height="0" aria-hidden="true" class="defs"><defs>
<pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M0 0V7"/></pattern>
<g id="up"><rect class="hit" x="-8" width="16" height="20"/><path d="M0 4 6 15H-6Z"/></g>
<g id="down"><rect class="hit" x="-8" y="20" width="16" height="20"/><path d="M0 36 6 25H-6Z"/></g>
</defs></svg>
"""


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def document(title: str, body: str, length: float) -> str:
    style = (LIB / "report.css").read_text(encoding="utf-8")
    script = (LIB / "report.js").read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<link rel="icon" href="data:,">\n'
        f"<title>{plain(title)}</title>\n<style>{style}</style>\n</head>\n"
        f'<body data-length="{number(length, 3)}">\n{body}<div id="tip" role="tooltip" hidden></div>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def shown_actions(record: Record) -> tuple:
    """(those to be shown, how many are not)."""
    actions = actions_of(record)
    if len(actions) <= MOST_ACTIONS:
        return actions, 0

    def weight(action: Action) -> tuple:
        return action.look.request == "made", -abs(action.look.target - action.look.origin)

    largest = sorted(actions, key=weight)[:MOST_ACTIONS]
    return sorted(largest, key=lambda action: action.look.seconds), len(actions) - MOST_ACTIONS


def charts(record: Record, rows: list, actions: list) -> str:
    marks: dict = {uuid: [] for uuid in record.guests}
    for index, action in enumerate(actions):
        marks[action.uuid].append((index, action.look))
    drawn = [curves.guest_curves(record, guest) for guest, _found in rows]
    tops = curves.common_tops([curves.top_of(curve) for curve in drawn])
    parts = []
    for index, (uuid, (guest, found)) in enumerate(zip(record.guests, rows, strict=True)):
        chart = Chart(record, drawn[index], tops[index])
        parts.append(guest_chart(index + 1, record, guest, found, chart, marks[uuid]))
    return "".join(parts)


def navigation(rows: list) -> str:
    """Links to the guests, where there are many."""
    if len(rows) <= FEW_GUESTS:
        return ""
    links = "".join(
        f'<li><a href="#g{index}">{name_of(guest.name)}</a>' for index, (guest, _found) in enumerate(rows, 1)
    )
    return f'<nav aria-label="Guests" class="screen"><ul class="legend">{links}</ul></nav>\n'


def build(record: Record) -> str:
    """The whole page."""
    rows = [(guest, figures_of(record, guest)) for guest in record.guests.values()]
    actions, left_out = shown_actions(record)
    host = curves.host_curves(record)
    body = [
        DEFINITIONS,
        '<header><a class="skip" href="#actions">To the actions</a>\n',
        f'<h1>Memory of {plural(len(rows), "guest")}</h1>\n',
        summary(record, rows, actions),
        notice(record, left_out),
        head_list(record),
        "</header>\n<main>\n",
        "<h2>Figures</h2>\n" + figures_table(rows),
        "<h2>The host</h2>\n",
        legend_of(
            (
                ("available", "available"),
                ("promised", "promised to guests, emulators included"),
                ("pool", "pool: what can be promised"),
                ("reserve", "reserve"),
            ),
            False,
            (("soft", "below its reserve"), ("hard", "far below")),
        ),
        host_chart(record, Chart(record, host, curves.top_of(host))),
        "<h2>The guests</h2>\n",
        '<p class="faint screen">Point at a chart for its figures and at a mark for its reason; or press Tab, then the '
        "arrow keys: left and right from mark to mark, up and down from guest to guest.</p>\n",
        legend_of(
            (
                ("size", "size"),
                ("target", "target"),
                ("claimed", "needed"),
                ("used", "used, page cache included"),
                ("unused", "unused"),
                ("headroom", "should be unused"),
                ("least", "minimum, maximum"),
            ),
            True,
            (("starving", "starving"), ("held", "held: nothing can be decided")),
        ),
        navigation(rows),
        charts(record, rows, actions),
        f'<h2 id="actions" tabindex="-1">{plural(len(actions), "action")}</h2>\n',
        actions_table(actions) if actions else "<p>Nobody was asked for anything.</p>\n",
        "</main>\n",
    ]
    title = f"Memory of {plural(len(rows), 'guest')}, {record.head['uri']}"
    return document(title, "".join(body), max(record.length_sec(), record.cycles[0].interval_sec))
