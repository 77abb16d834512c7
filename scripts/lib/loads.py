"""The course's tests as data: how the load of each guest moves, and what must come of it.

A test is a list of phases. In each phase the loads move, evenly, to the sizes named there, and a
load that is not named keeps its size. A guest that no phase names is idle.
"""

from typing import NamedTuple

import verdicts
from verdicts import (
    all_near,
    back_under,
    does_not_grow_on,
    ends_under,
    ends_within,
    never_fed,
    no_waste,
    reach,
)

# What the growing phases below are written for; the course's own load makes 5.5 to 28.
RATE_MIB_PER_SEC = 20.0
LARGEST_RATE_MIB_PER_SEC = 28.0

START_MIB = 512
# An idle guest gives some of its start size away: it must come down to less than this.
IDLE_MIB = 450
# A guest that has freed its load is small again.
FREED_MIB = 600

GROW, HOLD, FREE, END = "grow", "hold", "free", "end"


class Phase(NamedTuple):
    kind: str
    label: str
    seconds: int
    loads_mib: dict


class Test(NamedTuple):
    name: str
    title: str
    phases: tuple
    expectations: tuple

    def loaded(self) -> list:
        """The guests that get a load."""
        return sorted({guest for phase in self.phases for guest in phase.loads_mib})

    def idle(self) -> list:
        return [guest for guest in ALL if guest not in self.loaded()]

    def at_rate(self, rate: float) -> "Test":
        """The same test with growing phases as long as they take at that rate, in whole seconds."""
        return self._replace(
            phases=tuple(
                phase._replace(seconds=max(1, round(phase.seconds * RATE_MIB_PER_SEC / rate)))
                if phase.kind == GROW
                else phase
                for phase in self.phases
            )
        )

    def timeline(self) -> list:
        """(seconds since the loads' start, kind, label) of each phase's beginning, and of the end."""
        times, now = [], 0
        for phase in self.phases:
            times.append((now, phase.kind, phase.label))
            now += phase.seconds
        return times + [(now, END, "the loads have ended")]

    def plan(self, guest: str) -> list:
        """The load program's words for the guest."""
        words, size = [], 0
        for phase in self.phases:
            size = phase.loads_mib.get(guest, size)
            words.append(f"{size}:{phase.seconds}")
        return words

    def plan_by_pages(self, guest: str) -> list:
        """The same sizes, but growing page by page, as the course's own load does.

        It ends growing where the guest's memory ends, so the size is not pressed upon it again: what
        would hold the size is left out, unless the guest has to wait while another grows.
        """
        words, size = [], 0
        for phase in self.phases:
            target = phase.loads_mib.get(guest, size)
            if phase.kind == GROW and target > size:
                words.append(f"pages:{target}")
            elif phase.kind != HOLD:
                words.append(f"{target}:{phase.seconds}")
            size = target
        return words


A, B, C, D = ALL = [f"aos_vm{number}" for number in (1, 2, 3, 4)]


def _to(mib: int, *guests: str) -> dict:
    return dict.fromkeys(guests, mib)


TESTS = {
    test.name: test
    for test in (
        Test(
            "1",
            "one guest needs memory, the others are idle",
            (
                Phase(GROW, f"{A} grows to 1200 MiB", 60, _to(1200, A)),
                Phase(HOLD, f"{A} holds", 5, {}),
                Phase(FREE, f"{A} frees", 12, _to(0, A)),
            ),
            (
                reach([A], 1250),
                ends_under([B, C, D], IDLE_MIB),
                never_fed([B, C, D], START_MIB),
                no_waste(A, 450),
                back_under([A], FREED_MIB, 45),
            ),
        ),
        Test(
            "2",
            "all guests need memory",
            (
                Phase(GROW, "all grow to 900 MiB", 60, _to(900, *ALL)),
                Phase(HOLD, "all hold", 5, {}),
                Phase(FREE, "all free", 10, _to(0, *ALL)),
            ),
            (
                reach(ALL, 950),
                all_near(ALL, 0.10),
                back_under(ALL, FREED_MIB, 45),
            ),
        ),
        Test(
            "3a",
            "memory moves from A, B to C, D",
            (
                Phase(GROW, "all grow to 700 MiB", 35, _to(700, *ALL)),
                Phase(GROW, f"{A}, {B} free while {C}, {D} go on", 15, _to(0, A, B) | _to(1000, C, D)),
                Phase(GROW, f"{C}, {D} go on to 1300 MiB", 15, _to(1300, C, D)),
                Phase(HOLD, f"{C}, {D} hold", 6, {}),
                Phase(FREE, f"{C}, {D} free", 12, _to(0, C, D)),
            ),
            (
                ends_under([A, B], FREED_MIB),
                reach([C, D], 1350),
                back_under(ALL, FREED_MIB, 45),
            ),
        ),
        Test(
            "3b",
            "A stops and B goes on, the others are idle",
            (
                Phase(GROW, f"{A}, {B} grow to 512 MiB", 26, _to(512, A, B)),
                Phase(GROW, f"{A} stops there, {B} goes on to 1200 MiB", 34, _to(1200, B)),
                Phase(HOLD, f"{A}, {B} hold", 5, {}),
                Phase(FREE, f"{A}, {B} free", 12, _to(0, A, B)),
            ),
            (
                reach([B], 1250),
                ends_within(A, 512, 512 + IDLE_MIB),
                does_not_grow_on(A, 512),
                ends_under([C, D], IDLE_MIB),
                never_fed([C, D], START_MIB),
                back_under([A, B], FREED_MIB, 45),
            ),
        ),
    )
}


def expectations(test: Test) -> list:
    """What the test is about, then what holds for every test."""
    return [*test.expectations, *verdicts.laws(test.idle())]
