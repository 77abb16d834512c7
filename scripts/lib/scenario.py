"""Makes a scenario for the simulator of a recorded run: the same host, guests and demand over time.

tests/scenarios/FORMAT.md tells the format. What a guest wanted but could not have is not in a record: the
scenario wants what it used.
"""

import math
import re
from statistics import median

from record import Guest, Look, Record

# The simulator's step, its longest run, and the name it can take.
STEP_SEC, MOST_SEC, NAME_CHARACTERS = 0.1, 86400, 40

# A point that is no further than this from the line through its neighbours is left out.
SAME_MIB = 1.0
OTHERS_SAME_MIB = 2.0

# A line of a file is not longer, and so many points of a series fit in.
LINE_CHARACTERS = 110

# Less than this of a size that its emulator does not hold is not worth the word: pages that are shared.
UNTOUCHED_MIB = 16

DEFAULT_OVERHEAD_MIB, DEFAULT_UNSEEN_MIB, SWAP = 32, 24, "1GiB"

HEAD = """\
; What {path} has recorded, as a scenario. Balloons are the simulator's, and so is swap space.
"""


def number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


def moment(seconds: float) -> str:
    return f"{max(0.0, round(seconds / STEP_SEC) * STEP_SEC):.1f}".removesuffix(".0")


# ---- series and spells ----


def simplify(points: list, same: float) -> list:
    """The points of (seconds, MiB) that a line through the others would miss (Douglas and Peucker)."""
    if len(points) < 3:
        return points
    kept = {0, len(points) - 1}
    open_spans = [(0, len(points) - 1)]
    while open_spans:
        first, last = open_spans.pop()
        (x0, y0), (x1, y1) = points[first], points[last]
        slope = (y1 - y0) / (x1 - x0) if x1 > x0 else 0.0
        missed = [(abs(points[i][1] - y0 - slope * (points[i][0] - x0)), i) for i in range(first + 1, last)]
        worst, index = max(missed, default=(0.0, 0))
        if worst > same:
            kept.add(index)
            open_spans += [(first, index), (index, last)]
    return [points[index] for index in sorted(kept)]


def wrapped(key: str, words: list) -> list:
    """`key = words`, gone on in lines that are indented."""
    lines = [f"{key} ="]
    for word in words:
        if len(lines[-1]) + 1 + len(word) > LINE_CHARACTERS:
            lines.append("   ")
        lines[-1] += " " + word
    return lines


def series(key: str, points: list, same: float = SAME_MIB) -> list:
    return wrapped(key, [f"{moment(x)}:{number(max(0.0, y))}" for x, y in simplify(points, same)])


def spells(key: str, found: list) -> list:
    """found are (from, until), in order; what touches or overlaps becomes one."""
    whole: list = []
    for begin, end in found:
        begin, end = max(0.0, begin), max(begin + STEP_SEC, end)
        if whole and begin <= whole[-1][1] + STEP_SEC:
            whole[-1] = (whole[-1][0], max(whole[-1][1], end))
        else:
            whole.append((begin, end))
    return wrapped(key, [f"{moment(begin)}-{moment(end)}" for begin, end in whole]) if whole else []


def spells_of(record: Record, looks: list, is_so) -> list:
    """From the first cycle in which it is so until the first in which it is not any more."""
    found: list = []
    for look in looks:
        following = look.cycle + 1
        cycle = record.cycles[look.cycle]
        end = record.cycles[following].seconds if following < len(record.cycles) else look.seconds
        if is_so(look):
            found.append((look.seconds, min(end, look.seconds + cycle.gap_sec())))
    return found


def was_asked(look: Look) -> bool:
    """For memory, and not only to withdraw what it has not followed."""
    return look.request == "made" and look.reason != "stuck"


def stuck_spells(guest: Guest) -> list:
    """Around each look that has found it stuck: from the request that it did not follow until it moves."""
    found: list = []
    for run in guest.runs():
        for index, look in enumerate(run):
            if look.reason != "stuck":
                continue
            first = last = index
            while first > 0 and run[first - 1].actual == look.actual and not was_asked(run[first]):
                first -= 1
            while last + 1 < len(run) and run[last + 1].actual == look.actual:
                last += 1
            found.append((run[first].seconds, run[last].seconds))
    return found


# ---- what a guest did ----


def report_time(record: Record, look: Look) -> float:
    """When the report of this look was made: no later than the look, and after the one before, which had
    an older one."""
    cycle = record.cycles[look.cycle]
    before = record.cycles[look.cycle - 1].seconds if look.cycle else look.seconds
    age = cycle.wall_sec - look.reported_sec
    return min(look.seconds, max(before, look.seconds - age))


def silences(record: Record, guest: Guest) -> tuple:
    """Spells between two reports in which it was found paused, and others in which the last report was found
    to be too old. A pause is first seen as that."""
    paused, frozen = [], []

    def note(begin: float, end: float, looks: list) -> None:
        if not all(look.is_running for look in looks):
            paused.append((begin, end))
        elif any(look.reason == "stale" for look in looks):
            frozen.append((begin, end))

    for run in guest.runs():
        begin, quiet = run[0].seconds, [run[0]]
        for before, look in zip(run, run[1:]):
            if look.reported_sec != before.reported_sec:
                made = report_time(record, look)
                note(begin, made - STEP_SEC, quiet)
                begin, quiet = made + STEP_SEC, []
            quiet.append(look)
        note(begin, run[-1].seconds, quiet)
    return paused, frozen


def reports(guest: Guest) -> list:
    """The looks that have brought a new report."""
    fresh, last = [], 0.0
    for look in guest.looks:
        if look.reported_sec not in (0, last) and not math.isnan(look.unused):
            fresh.append(look)
        last = look.reported_sec
    return fresh


def hidden(guest: Guest) -> float:
    """How much larger it is than it says, as far as that was reported at rest; below 0 if it sees its
    maximum always."""
    before = dict(zip(guest.looks[1:], guest.looks, strict=False))
    gaps = [
        look.actual - look.available
        for look in reports(guest)
        if look in before and before[look].actual == look.actual
    ]
    return median(gaps) if gaps else DEFAULT_UNSEEN_MIB


def demand(record: Record, guest: Guest) -> tuple:
    """Points of what it used without its page cache, and of that."""
    use, cache = [], []
    unseen = hidden(guest)
    for look in reports(guest):
        used, claimed = look.used, look.claimed
        if math.isnan(used):  # nothing was reckoned: it is not managed, or stuck
            usable = look.unused if math.isnan(look.usable) else look.usable
            if not look.unused <= look.available <= look.actual:
                continue
            used, claimed = look.available - look.unused + unseen, look.available - usable + unseen
        seconds = report_time(record, look)
        use.append((seconds, claimed))
        cache.append((seconds, max(0.0, used - claimed)))
    if not use:  # it never said: what its emulator holds
        held = min(guest.looks[0].rss, guest.looks[0].actual)
        use = [(0.0, 0.0 if math.isnan(held) else held)]
    return use, cache


def absences(record: Record, guest: Guest) -> list:
    """From after the last cycle that has seen it until before the one that sees it again."""
    seen = [cycle.seconds for cycle in record.cycles if cycle.is_connected]
    runs = guest.runs()
    found = []
    if runs[0][0].seconds > seen[0]:
        found.append((0.0, runs[0][0].seconds - STEP_SEC))
    for before, after in zip(runs, runs[1:]):
        was_missing = any(before[-1].seconds < seconds < after[0].seconds for seconds in seen)
        if was_missing or before[-1].id != after[0].id:
            found.append((before[-1].seconds + STEP_SEC, after[0].seconds - STEP_SEC))
    if runs[-1][-1].seconds < seen[-1]:
        found.append((runs[-1][-1].seconds + STEP_SEC, MOST_SEC))
    return found


def setting_lines(guest: Guest) -> list:
    limits = guest.setup["limits"]
    lines = []
    if limits.get("managed") is False:
        lines.append("managed = no")
    look = guest.looks[-1]
    if math.isfinite(look.least):
        lines.append(f"min = {number(look.least)}")
    if look.most < guest.setup["max"]:
        lines.append(f"most = {number(look.most)}")
    if type(limits.get("shares")) is int:
        lines.append(f"shares = {limits['shares']}")
    if type(limits.get("headroom_percent")) is int and limits["headroom_percent"] > 0:
        lines.append(f"headroom = {limits['headroom_percent']}%")
    elif type(limits.get("headroom_kib")) is int:
        lines.append(f"headroom = {limits['headroom_kib']}KiB")
    return lines


def guest_lines(record: Record, guest: Guest, name: str) -> list:
    first = guest.looks[0]
    has_balloon = guest.setup["has_balloon"]
    largest = max(look.actual for look in guest.looks if not math.isnan(look.actual))
    most = max(largest, guest.setup["max"] if math.isfinite(guest.setup["max"]) else 0.0)
    start = first.actual if has_balloon and not math.isnan(first.actual) else most
    use, cache = demand(record, guest)
    use = [(seconds, min(claimed, most)) for seconds, claimed in use]
    use[0] = (use[0][0], min(use[0][1], start))
    lines = ["", f"[guest {name}]", f"max = {number(most)}", f"start = {number(start)}", *setting_lines(guest)]
    if not has_balloon:
        lines.append("balloon = no")
    unseen = hidden(guest)
    if unseen < 0:
        lines.append("autodeflate = yes")
        unseen = DEFAULT_UNSEEN_MIB
    lines.append(f"unseen = {number(min(unseen, start / 2))}")
    if first.reported_sec and guest.setup["period_sec"]:
        lines.append(f"period = {guest.setup['period_sec']}")
    if not reports(guest):
        lines.append("mute = yes")
    if any(look.can_swap for look in guest.looks):
        lines.append(f"swap = {SWAP}")
    if first.rss < first.actual - UNTOUCHED_MIB:
        lines.append("touched = no")
    lines += series("use", use)
    if any(mib > SAME_MIB for _seconds, mib in cache):
        lines += series("cache", cache)
    for key, is_so in (
        ("garbage", lambda look: look.reason == "impossible"),
        ("refuses", lambda look: look.request == "refused"),
    ):
        lines += spells(key, spells_of(record, guest.looks, is_so))
    paused, frozen = silences(record, guest)
    lines += spells("paused", paused) + spells("frozen", frozen)
    lines += spells("stuck", stuck_spells(guest))
    return lines + spells("absent", absences(record, guest))


# ---- the host, and the whole ----


def held_by_cycle(record: Record) -> dict:
    """What all emulators hold, by the cycle's number."""
    held: dict = {}
    for guest in record.guests.values():
        for look in guest.looks:
            held[look.cycle] = held.get(look.cycle, 0.0) + (0.0 if math.isnan(look.rss) else look.rss)
    return held


def overhead(record: Record) -> float:
    """What an emulator holds beside its guest's memory, where that has all been touched."""
    beside = [
        look.rss - look.actual
        for guest in record.guests.values()
        for look in guest.looks
        if look.rss > look.actual
    ]
    return median(beside) if beside else DEFAULT_OVERHEAD_MIB


def host_lines(record: Record) -> list:
    policy = record.head["policy"]
    held = held_by_cycle(record)
    known = [(n, cycle) for n, cycle in enumerate(record.cycles) if not math.isnan(cycle.available)]
    lines = ["", "[host]"]
    if known:
        others = [(cycle.seconds, cycle.total - cycle.available - held.get(n, 0.0)) for n, cycle in known]
        lines += [f"memory = {number(known[-1][1].total)}", *series("others", others, OTHERS_SAME_MIB)]
    else:  # it did not say: as much as all could take
        sizes = [guest.setup["max"] for guest in record.guests.values()]
        most = sum(size + DEFAULT_OVERHEAD_MIB for size in sizes if math.isfinite(size))
        lines.append(f"memory = {number(most + 1024)}")
    if math.isfinite(record.cycles[-1].reserve):
        lines.append(f"reserve = {number(record.cycles[-1].reserve)}")
    if type(policy.get("surge_kib_per_sec")) is int:
        lines.append(f"surge = {policy['surge_kib_per_sec']}KiB")
    if policy.get("metric") == "usable":
        lines.append("metric = usable")
    lines.append(f"overhead = {number(overhead(record))}")
    found = [
        (cycle.seconds - STEP_SEC, later.seconds - STEP_SEC)
        for cycle, later in zip(record.cycles, record.cycles[1:])
        if not cycle.is_connected
    ]
    return lines + spells("disconnected", found)


def plain_names(record: Record) -> list:
    """Names that the format can hold, one for each guest."""
    names: list = []
    for guest in record.guests.values():
        base = re.sub(r"[^A-Za-z0-9_.:@+-]", "_", guest.name)[:NAME_CHARACTERS] or "guest"
        name, count = base, 1
        while name in names:
            count += 1
            name = f"{base}-{count}"
        names.append(name)
    return names


def build(record: Record) -> str:
    """The scenario file. The record must have a guest with a size."""
    length = min(MOST_SEC, max(1.0, record.length_sec() + record.cycles[-1].interval_sec))
    interval = round(record.cycles[-1].interval_sec / STEP_SEC) * STEP_SEC
    where = re.sub(r"[^A-Za-z0-9_.:@+/-]", "_", record.head["uri"])[:120]
    lines = [
        "[scenario]",
        f"about = A run of {len(record.guests)} guests, recorded at {where}.",
        f"seconds = {moment(length)}",
        f"intervals = {moment(max(STEP_SEC, interval))}",
        *host_lines(record),
    ]
    if record.starts:
        lines += ["", "[coordinator]", *wrapped("restarts", [moment(seconds) for seconds in record.starts])]
    for guest, name in zip(record.guests.values(), plain_names(record)):
        if any(not math.isnan(look.actual) for look in guest.looks):
            lines += guest_lines(record, guest, name)
    path = re.sub(r"[^ -~]", "?", record.path.name)[:80]
    return HEAD.format(path=path) + "\n".join(lines) + "\n"
