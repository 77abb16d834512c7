"""Judges a trial: each expectation is a function from the trial to a verdict, and reads nothing else.

A figure that the recording does not hold is nan, and no comparison with nan is true: what was not
seen has not passed.
"""

from dataclasses import dataclass, field
from typing import Callable, NamedTuple

from recording import Recording

NAN = float("nan")

# A size counts as changed beyond this; balloons are inexact by some pages.
CHANGE_MIB = 1.0
# Time that idle guests may take to come down to their resting size, and as intervals where that is more.
SETTLE_SEC = 15.0
SETTLE_INTERVALS = 6
# A load that stops is seen by the coordinator up to an interval and a report later, and the balloon takes time.
# One more interval makes up for pages that a deflating balloon leaves on the guest's per-CPU lists: the kernel
# does not count them as free (33 of 72 MiB were seen there).
NOTICE_INTERVALS = 2
NOTICE_SEC = 3.0

SHRINK_WINDOW_SEC = 2.0
LARGEST_SHRINK = 0.20
LOW_FREE_MIB = 64
LONGEST_LOW_SEC = 1.0
LARGEST_CPU_SHARE = 0.01
LARGEST_RSS_GROWTH_KIB = 256
LONGEST_EXIT_SEC = 1.0


@dataclass
class Trial:
    """What was seen while a program ran beside a test's load. Times count from the program's start."""

    recording: Recording
    interval: float
    # Per guest, the longest time that it had under LOW_FREE_MIB free by its own reports.
    longest_low_sec: dict = field(default_factory=dict)
    cpu_sec: float = NAN
    run_sec: float = NAN
    ended_early: bool = False  # by itself
    early_rss_kib: float = NAN
    last_rss_kib: float = NAN
    exit_code: float = NAN
    exit_sec: float = NAN
    verdicts: list = field(default_factory=list)

    def phase(self, kind: str) -> tuple:
        """(begin, end) of the last phase of that kind; nan for a phase that never came."""
        marks = self.recording.marks
        for mark, following in reversed(list(zip(marks, marks[1:]))):
            if mark.kind == kind:
                return mark.seconds, following.seconds
        return NAN, NAN

    def load_begin(self) -> float:
        return self.recording.marks[0].seconds if self.recording.marks else NAN

    def size_at(self, guest: str, seconds: float) -> float:
        """The guest's size at the last sample up to that moment."""
        samples = self.recording.of(guest, end=seconds)
        return samples[-1].actual_mib if samples else NAN

    def sizes(self, guest: str, begin: float = 0.0, end: float = float("inf")) -> list:
        return [sample.actual_mib for sample in self.recording.of(guest, begin, end)]


class Verdict(NamedTuple):
    passed: bool
    expected: str
    measured: str

    def __str__(self) -> str:
        return f"{'PASS' if self.passed else 'FAIL'}  {self.expected}: {self.measured}"


# An expectation that does not apply to a trial gives None.
Expectation = Callable[[Trial], Verdict]


def judge(trial: Trial, expectations: list) -> list:
    if trial.ended_early:
        measured = f"ended with status {trial.exit_code:g} after {trial.run_sec:.0f} s"
        return [Verdict(False, "the program runs until it is told to end", measured)]
    judged = [expectation(trial) for expectation in expectations]
    return [verdict for verdict in judged if verdict is not None]


def listed(guests: list) -> str:
    return ", ".join(guests)


def each(figures: dict, unit: str = " MiB") -> str:
    return ", ".join(f"{guest} {figure:.0f}{unit}" for guest, figure in figures.items())


def reach(guests: list, mib: int) -> Expectation:
    def judged(trial: Trial) -> Verdict:
        largest = {guest: max(trial.sizes(guest), default=NAN) for guest in guests}
        passed = all(size >= mib for size in largest.values())
        return Verdict(passed, f"{listed(guests)} reaching {mib} MiB", each(largest))

    return judged


def sizes_at_top(trial: Trial, guests: list) -> dict:
    """Sizes at the end of the hold, when all loads have long been where they go."""
    _begin, end = trial.phase("hold")
    return {guest: trial.size_at(guest, end) for guest in guests}


def ends_under(guests: list, mib: int) -> Expectation:
    def judged(trial: Trial) -> Verdict:
        sizes = sizes_at_top(trial, guests)
        passed = all(size < mib for size in sizes.values())
        return Verdict(passed, f"{listed(guests)} under {mib} MiB at the loads' top", each(sizes))

    return judged


def ends_within(guest: str, low_mib: int, high_mib: int) -> Expectation:
    def judged(trial: Trial) -> Verdict:
        sizes = sizes_at_top(trial, [guest])
        passed = low_mib <= sizes[guest] <= high_mib
        expected = f"{guest} keeps its load, {low_mib} to {high_mib} MiB at the loads' top"
        return Verdict(passed, expected, each(sizes))

    return judged


def does_not_grow_on(guest: str, load_mib: int) -> Expectation:
    def judged(trial: Trial) -> Verdict:
        stopped = [s.seconds for s in trial.recording.of(guest) if s.load_mib >= load_mib - 1]
        notice = NOTICE_INTERVALS * trial.interval + NOTICE_SEC
        noticed = stopped[0] + notice if stopped else NAN
        begin = trial.size_at(guest, noticed)
        _begin, end = trial.phase("hold")
        growth = max(trial.sizes(guest, noticed, end), default=NAN) - begin
        expected = f"{guest} does not grow from {notice:g} s after its load has stopped"
        return Verdict(growth <= CHANGE_MIB, expected, f"{growth:.1f} MiB beyond {begin:.0f}")

    return judged


def all_near(guests: list, share: float) -> Expectation:
    def judged(trial: Trial) -> Verdict:
        sizes = sizes_at_top(trial, guests)
        apart = 1 - min(sizes.values()) / max(sizes.values())
        expected = f"sizes within {share:.0%} of each other at the loads' top"
        return Verdict(apart <= share, expected, f"{apart:.1%} ({each(sizes)})")

    return judged


def never_fed(guests: list, mib: int) -> Expectation:
    def judged(trial: Trial) -> Verdict:
        largest = {guest: max(trial.sizes(guest), default=NAN) for guest in guests}
        passed = all(size <= mib + CHANGE_MIB for size in largest.values())
        return Verdict(passed, f"idle {listed(guests)} never fed beyond {mib} MiB", each(largest))

    return judged


def no_waste(guest: str, mib: int) -> Expectation:
    """What may lie unused depends on the interval, and the bound is meant for up to a second."""

    def judged(trial: Trial) -> Verdict:
        if trial.interval > 1:
            return None
        _begin, end = trial.phase("hold")
        samples = trial.recording.of(guest, trial.load_begin(), end)
        # The guest's own figure: the host's lags behind while the balloon moves.
        most = max((sample.free_mib for sample in samples), default=NAN)
        expected = f"{guest} has at most {mib} MiB unused while its load grows and holds"
        return Verdict(most <= mib, expected, f"{most:.0f} MiB")

    return judged


def back_under(guests: list, mib: int, within_sec: float) -> Expectation:
    """Counted from the moment at which freeing begins, and to stay there."""

    def judged(trial: Trial) -> Verdict:
        begin, _end = trial.phase("free")
        seconds = {guest: _time_to_stay_under(trial, guest, mib, begin) for guest in guests}
        passed = all(time <= within_sec for time in seconds.values())
        within = f"within {within_sec:g} s of the start of freeing"
        expected = f"{listed(guests)} back under {mib} MiB {within}"
        return Verdict(passed, expected, each(seconds, " s"))

    return judged


def _time_to_stay_under(trial: Trial, guest: str, mib: int, begin: float) -> float:
    samples = trial.recording.of(guest, begin)
    above = [sample.seconds for sample in samples if not sample.actual_mib < mib]
    after = [sample.seconds for sample in samples if not above or sample.seconds > above[-1]]
    return after[0] - begin if after else NAN


def laws(idle_guests: list) -> list:
    """What holds in every test."""
    expected = [no_kill, no_swap, no_starving, gradual]
    if idle_guests:
        expected.append(calm(idle_guests))
    return [*expected, cheap, steady_memory, clean_exit]


def _events(trial: Trial, column: str) -> dict:
    return {
        guest: getattr(trial.recording.of(guest)[-1], column) for guest in trial.recording.guests()
    }


def no_kill(trial: Trial) -> Verdict:
    kills = _events(trial, "oom_kills")
    passed = bool(kills) and not any(kills.values())
    return Verdict(passed, "nothing is killed for lack of memory", each(kills, ""))


def no_swap(trial: Trial) -> Verdict:
    swaps = _events(trial, "swap_ins")
    passed = bool(swaps) and not any(swaps.values())
    return Verdict(passed, "no page is swapped in", each(swaps, ""))


def no_starving(trial: Trial) -> Verdict:
    low = trial.longest_low_sec
    passed = bool(low) and all(seconds <= LONGEST_LOW_SEC for seconds in low.values())
    least = {
        guest: min(sample.free_mib for sample in trial.recording.of(guest))
        for guest in trial.recording.guests()
    }
    longest = max(low.values(), default=NAN)
    expected = f"no guest under {LOW_FREE_MIB} MiB free for more than {LONGEST_LOW_SEC:g} s"
    return Verdict(passed, expected, f"{longest:.2f} s; least free {each(least)}")


def gradual(trial: Trial) -> Verdict:
    guest, shrink, seconds = max(
        (_largest_shrink(trial, guest) for guest in trial.recording.guests()),
        key=lambda found: found[1],
        default=("-", NAN, NAN),
    )
    expected = f"no guest loses more than {LARGEST_SHRINK:.0%} of its size within {SHRINK_WINDOW_SEC:g} s"
    return Verdict(shrink <= LARGEST_SHRINK, expected, f"{guest} {shrink:.1%} at {seconds:.0f} s")


def _largest_shrink(trial: Trial, guest: str) -> tuple:
    samples = trial.recording.of(guest)
    largest = (guest, 0.0, 0.0)
    for index, early in enumerate(samples):
        for late in samples[index + 1 :]:
            if late.seconds - early.seconds > SHRINK_WINDOW_SEC:
                break
            shrink = 1 - late.actual_mib / early.actual_mib
            if shrink > largest[1]:
                largest = (guest, shrink, early.seconds)
    return largest


def calm(guests: list) -> Expectation:
    """Judged by the sizes and not by what the program logs, so that it holds for any program."""

    def judged(trial: Trial) -> Verdict:
        settled = max(SETTLE_SEC, SETTLE_INTERVALS * trial.interval)
        changes = {guest: _changes(trial.sizes(guest, settled)) for guest in guests}
        expected = f"idle {listed(guests)} left alone after {settled:g} s"
        return Verdict(not any(changes.values()), expected, each(changes, "") + " changes of size")

    return judged


def _changes(sizes: list) -> int:
    """How often a size moved on by more than CHANGE_MIB; nothing recorded is one change."""
    if not sizes:
        return 1
    changes, reference = 0, sizes[0]
    for size in sizes:
        if abs(size - reference) > CHANGE_MIB:
            changes, reference = changes + 1, size
    return changes


def cheap(trial: Trial) -> Verdict:
    share = trial.cpu_sec / trial.run_sec
    measured = f"{share:.2%} ({trial.cpu_sec:.2f} s in {trial.run_sec:.0f} s)"
    expected = f"the program takes under {LARGEST_CPU_SHARE:.0%} of a core"
    return Verdict(share < LARGEST_CPU_SHARE, expected, measured)


def steady_memory(trial: Trial) -> Verdict:
    growth = trial.last_rss_kib - trial.early_rss_kib
    expected = f"its memory grows by at most {LARGEST_RSS_GROWTH_KIB} KiB after the first 10 s"
    return Verdict(
        growth <= LARGEST_RSS_GROWTH_KIB, expected, f"{growth:.0f} KiB (resident {trial.last_rss_kib:.0f})"
    )


def clean_exit(trial: Trial) -> Verdict:
    passed = trial.exit_code == 0 and trial.exit_sec <= LONGEST_EXIT_SEC
    expected = f"SIGTERM ends it with status 0 within {LONGEST_EXIT_SEC:g} s"
    return Verdict(passed, expected, f"status {trial.exit_code:g} after {trial.exit_sec:.2f} s")
