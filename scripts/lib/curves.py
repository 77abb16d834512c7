"""A recorded run as curves: points thinned out so that what stands out stays, and scales to draw them on."""

import math
from dataclasses import dataclass

from record import Guest, Record

# So many points all guests may have together, and one of them.
POINTS_IN_ALL, FEWEST_POINTS, MOST_POINTS = 24000, 160, 1600

# A maximum or pool that is further above all else than this is not worth the room.
WORTH_SHOWING = 1.35
# Guests are drawn to one scale where that leaves the smallest this part of its height.
SAME_SCALE = 3.0


@dataclass
class Curve:
    """A quantity over time: segments of (seconds, MiB), parted where nothing is known."""

    name: str  # the class that styles it
    title: str
    segments: list

    def most(self) -> float:
        return max((y for segment in self.segments for _x, y in segment), default=0.0)


def points_for(guests: int) -> int:
    return max(FEWEST_POINTS, min(MOST_POINTS, POINTS_IN_ALL // (guests + 1)))


def _kept(rows: list, most: int) -> list:
    """Indices of rows to keep: all, or of each of equal stretches of them where each column is
    least and most, the first and the last. rows are lists of figures, the time first."""
    if len(rows) <= most:
        return list(range(len(rows)))
    columns = len(rows[0]) - 1
    stretches = max(1, most // (2 * columns))
    kept = {0, len(rows) - 1}
    for number in range(stretches):
        stretch = range(number * len(rows) // stretches, (number + 1) * len(rows) // stretches)
        for column in range(1, columns + 1):
            known = [index for index in stretch if not math.isnan(rows[index][column])]
            if known:
                kept.add(min(known, key=lambda index: rows[index][column]))
                kept.add(max(known, key=lambda index: rows[index][column]))
    return sorted(kept)


def _without_level(points: list) -> list:
    """Leaves out what lies on a level between two others."""
    kept: list = []
    for index, point in enumerate(points):
        is_between = 0 < index < len(points) - 1
        if is_between and points[index - 1][1] == point[1] == points[index + 1][1]:
            continue
        kept.append(point)
    return kept


def _segments(pieces: list, column: int, is_stepped: bool) -> list:
    """pieces are lists of rows without a gap."""
    segments: list = []
    for piece in pieces:
        points: list = []
        for row in [*piece, None]:
            if row is not None and math.isfinite(row[column]):
                if is_stepped and points and points[-1][1] != row[column]:
                    points.append((row[0], points[-1][1]))
                points.append((row[0], row[column]))
            elif points:
                segments.append(_without_level(points))
                points = []
    return segments


def _pieces(record: Record, runs: list, to_row, most: int) -> list:
    """Rows, thinned out, of each stretch of cycles that follow each other in time."""
    whole: list = []
    for run in runs:
        for item in run:
            number, row = to_row(item)
            last = whole[-1] if whole and item is not run[0] else None
            before = record.cycles[number - 1] if number > 0 else None
            if last is None or row[0] - before.seconds > before.gap_sec():
                whole.append([])
            whole[-1].append(row)
    count = sum(len(piece) for piece in whole)
    return [
        [piece[index] for index in _kept(piece, max(2, most * len(piece) // max(count, 1)))]
        for piece in whole
    ]


# Class, title where the cursor tells the figure, column, whether it goes in steps; the foremost last.
GUEST_CURVES = (
    ("used", "used", 1, False),
    ("claimed", "needed", 2, False),
    ("most", "", 3, True),
    ("least", "", 4, True),
    ("headroom", "should be unused", 5, True),
    ("target", "target", 6, True),
    ("unused", "unused", 8, False),
    ("size", "size", 7, False),
)

HOST_CURVES = (
    ("reserve", "reserve", 4, True),
    ("pool", "pool", 3, False),
    ("promised", "promised", 2, True),
    ("available", "available", 1, False),
)


def guest_curves(record: Record, guest: Guest) -> list:
    def row(look):
        figures = (look.used, look.claimed, look.most, look.least, look.headroom)
        return look.cycle, [look.seconds, *figures, look.target, look.actual, look.unused]

    pieces = _pieces(record, guest.runs(), row, points_for(len(record.guests)))
    return [
        Curve(name, title, _segments(pieces, column, is_stepped))
        for name, title, column, is_stepped in GUEST_CURVES
    ]


def host_curves(record: Record) -> list:
    def row(numbered):
        number, cycle = numbered
        return number, [cycle.seconds, cycle.available, cycle.promised, cycle.pool, cycle.reserve]

    runs = [list(enumerate(record.cycles))]
    pieces = _pieces(record, runs, row, points_for(len(record.guests)))
    return [
        Curve(name, title, _segments(pieces, column, is_stepped))
        for name, title, column, is_stepped in HOST_CURVES
    ]


def bands(looks: list, kind_of) -> list:
    """(from, until, kind) of (seconds, length, item) in a row for which kind_of(item) is the same
    and not None."""
    found: list = []
    for seconds, length, item in looks:
        kind = kind_of(item)
        if kind is None:
            continue
        if found and found[-1][2] == kind and seconds - found[-1][1] < 1e-6:
            found[-1] = (found[-1][0], seconds + length, kind)
        else:
            found.append((seconds, seconds + length, kind))
    return found


# ---- scales ----


def top_of(curves: list) -> float:
    """How high a chart has to be; a maximum counts where it is not far above the rest."""
    peak = max(curve.most() for curve in curves if curve.name != "most")
    most = max((curve.most() for curve in curves if curve.name == "most"), default=0.0)
    return max(peak, most if most <= WORTH_SHOWING * peak else 0.0, 1.0) * 1.06


def common_tops(tops: list) -> list:
    """One scale for all, unless the smallest would be lost on it."""
    if tops and max(tops) <= SAME_SCALE * min(tops):
        return [max(tops)] * len(tops)
    return tops


def round_step(most: float, parts: int) -> float:
    """The least of 1, 2 or 5 times a power of ten of which most has no more than so many."""
    step = 10.0 ** math.floor(math.log10(most / parts))
    for factor in (1, 2, 5, 10):
        if most / (step * factor) <= parts:
            return step * factor
    return step * 10


def size_ticks(top: float) -> list:
    """(MiB, text) up to top, in MiB or, on large scales, GiB."""
    unit, name = (1024, "GiB") if top > 20 * 1024 else (1, "MiB")
    step = round_step(top / unit, 5)
    ticks = [index * step for index in range(int(top / unit / step) + 1)]
    return [(tick * unit, f"{tick:g}" if tick else f"0 {name}") for tick in ticks]


TIME_STEPS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10800, 21600, 43200)


def time_ticks(length: float, parts: int = 9) -> list:
    """Seconds from 0 to length, at round times."""
    days = 86400 * max(1, math.ceil(length / 86400 / parts))
    step = next((step for step in TIME_STEPS if length / step <= parts), days)
    return [index * step for index in range(int(length / step) + 1)]
