"""What a recorded run came to: each guest's figures, and the actions."""

import math
from dataclasses import dataclass
from typing import NamedTuple

from reasons import HELD
from record import Guest, Look, Record

# Over so long a shrink is judged: the project's rule of giving gradually.
SHRINK_SEC = 2.0
JITTER_SEC = 0.05


class Action(NamedTuple):
    """A request, made or not."""

    uuid: str
    name: str
    look: Look
    wall_sec: int


@dataclass
class Figures:
    """MiB, MiB, ... and seconds; NAN where there is no figure."""

    least_size: float
    most_size: float
    mean_unused: float
    least_unused: float
    moved: float
    calls: int
    not_done: int
    starving_sec: float
    held_sec: float
    shrink: float  # the largest within SHRINK_SEC, or from one cycle to the next
    shrink_part: float  # the largest, as a part of the size before it


def is_action(look: Look) -> bool:
    return look.action in ("grow", "shrink") and look.request != "none"


def actions_of(record: Record) -> list:
    """In the order of time."""
    actions = [
        Action(uuid, guest.name, look, record.cycles[look.cycle].wall_sec)
        for uuid, guest in record.guests.items()
        for look in guest.looks
        if is_action(look)
    ]
    return sorted(actions, key=lambda action: action.look.seconds)


def spans(record: Record, guest: Guest) -> list:
    """(look, seconds) for each look: how long it stands for what was."""
    lengths = []
    for look in guest.looks:
        cycle = record.cycles[look.cycle]
        following = look.cycle + 1
        until = (
            record.cycles[following].seconds
            if following < len(record.cycles)
            else cycle.seconds + cycle.interval_sec
        )
        length = until - cycle.seconds
        lengths.append((look, length if length <= cycle.gap_sec() else cycle.interval_sec))
    return lengths


def shrinks(guest: Guest):
    """(from, to) of each fall of the size within SHRINK_SEC, or between two cycles in a row."""
    for run in guest.runs():
        looks = [look for look in run if not math.isnan(look.actual)]
        first = 0
        for index in range(1, len(looks)):
            now = looks[index]
            while first < index - 1 and now.seconds - looks[first].seconds > SHRINK_SEC + JITTER_SEC:
                first += 1
            largest = max(look.actual for look in looks[first:index])
            if largest > now.actual:
                yield largest, now.actual


def _mean(pairs: list) -> float:
    """Weighed by time."""
    known = [(value, weight) for value, weight in pairs if not math.isnan(value)]
    weights = sum(weight for _value, weight in known)
    return sum(value * weight for value, weight in known) / weights if weights > 0 else math.nan


def _known(values) -> list:
    return [value for value in values if not math.isnan(value)]


def figures_of(record: Record, guest: Guest) -> Figures:
    timed = spans(record, guest)
    sizes = _known(look.actual for look in guest.looks)
    unused = _known(look.unused for look in guest.looks)
    requests = [look for look in guest.looks if is_action(look)]
    made = [look for look in requests if look.request == "made"]
    falls = list(shrinks(guest))
    return Figures(
        least_size=min(sizes, default=math.nan),
        most_size=max(sizes, default=math.nan),
        mean_unused=_mean([(look.unused, length) for look, length in timed]),
        least_unused=min(unused, default=math.nan),
        moved=sum(abs(look.target - look.origin) for look in made),
        calls=len(made),
        not_done=sum(look.request != "made" for look in requests),
        starving_sec=sum(length for look, length in timed if look.reason == "starving"),
        held_sec=sum(length for look, length in timed if look.reason in HELD),
        shrink=max((before - after for before, after in falls), default=0.0),
        shrink_part=max(((before - after) / before for before, after in falls), default=0.0),
    )
