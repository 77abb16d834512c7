"""Looks again and again at the lab's guests, at what they hold of this host and at what a program has
asked them for, and keeps the host as tight as a test wants it, whatever else this machine does."""

import os
import re
import signal
import time
from pathlib import Path
from typing import Callable, NamedTuple

import host
import lab

LOOK_SEC = 0.5
# The least that the coordinator counts for an emulator beside its guest's memory.
OVERHEAD_LEAST_MIB = 32
# Other programs may take so much, or give it back, before the reserve follows.
DRIFT_MIB = 16
REQUEST = re.compile(r"(\S+): \S+ -> (\S+) MiB: ")


class Guest(NamedTuple):
    """One guest at one moment, in MiB; `asked` is what it was last asked to be, or its size."""

    size: float
    asked: float
    rss: float
    free: float
    oom_kills: int
    swap_ins: int
    load_state: str

    def promised(self) -> float:
        """What it has or may take at any moment, and what its emulator holds beside that."""
        return max(self.size, self.asked) + max(OVERHEAD_LEAST_MIB, self.rss - self.size)


class Look(NamedTuple):
    """All guests at one moment."""

    seconds: float
    guests: dict

    def promised(self) -> float:
        return sum(guest.promised() for guest in self.guests.values())

    def rss(self) -> float:
        return sum(guest.rss for guest in self.guests.values())


def available_mib() -> float:
    """What this machine's kernel could give to programs now."""
    line = re.search(r"MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text())
    return int(line[1]) / 1024


def emulator_overhead_mib(name: str) -> float:
    """What the guest's emulator holds beside the guest's memory, its one large mapping."""
    text = Path(f"/proc/{lab.Guest(name).emulator_pid()}/smaps").read_text()
    sizes = [(int(size), int(rss)) for size, rss in re.findall(r"\nSize: +(\d+) kB\n(?:.*\n){2}Rss: +(\d+) kB", text)]
    largest = max(sizes)
    return (sum(rss for _, rss in sizes) - largest[1]) / 1024


def rss_mib(name: str) -> float:
    """What the emulator holds, the guest's memory included."""
    pages = Path(f"/proc/{lab.Guest(name).emulator_pid()}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20


class TightHost:
    """A configuration file whose reserve leaves these guests POOL_MIB, emulators included."""

    def __init__(self, path: Path, names: list, pool_mib: float, settings: str = ""):
        self.path = path
        self.names = names
        self.pool_mib = pool_mib
        self.settings = settings
        self.reserve_mib = 0.0
        self.follow()

    def follow(self) -> bool:
        """Writes the reserve anew where other programs have come or gone."""
        reserve = available_mib() + sum(map(rss_mib, self.names)) - self.pool_mib
        if abs(reserve - self.reserve_mib) < DRIFT_MIB:
            return False
        self.reserve_mib = reserve
        self.path.write_text(f"[coordinator]\nhost-reserve = {reserve:.0f}MiB\n{self.settings}")
        return True


class Watch:
    """The looks at a program that has been started with TIGHT's configuration."""

    def __init__(self, names: list, tight: TightHost, log: Path, pid: int):
        self.names = names
        self.tight = tight
        self.log = log
        self.pid = pid
        self.connection = host.connect(lab.uri())
        self.domains = {name: self.connection.lookupByName(name) for name in names}
        self.first = {name: lab.Guest(name).report() for name in names}
        self.start = time.monotonic()
        self.looks: list = []

    def _look(self) -> Look:
        # Requests before sizes: what was asked for in between shows in the next look.
        asked = {name: float(size) for name, size in REQUEST.findall(self.log.read_text())}
        guests = {name: self._look_at(name, asked) for name in self.names}
        return Look(time.monotonic() - self.start, guests)

    def _look_at(self, name: str, asked: dict) -> Guest:
        size = host.read_memory(self.domains[name]).actual_mib
        report, first = lab.Guest(name).report(), self.first[name]
        return Guest(
            size,
            asked.get(name, size),
            rss_mib(name),
            report.free_kib / 1024,
            report.oom_kills - first.oom_kills,
            report.swap_ins - first.swap_ins,
            report.load_state,
        )

    def go_on(self, seconds: float) -> list:
        """Looks for so long; returns these looks."""
        end = time.monotonic() + seconds
        return self.go_on_until(lambda: time.monotonic() >= end, follows=True)

    def go_on_until(self, is_over: Callable[[], bool], follows: bool = False) -> list:
        """Looks until then. Where guests come and go the reserve may not FOLLOW what else is taken."""
        begin = len(self.looks)
        while not is_over():
            if follows and self.tight.follow():
                os.kill(self.pid, signal.SIGHUP)
            self.looks.append(self._look())
            time.sleep(LOOK_SEC)
        return self.looks[begin:]
