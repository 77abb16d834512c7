"""What a cycle costs whoever looks at all guests: calls, processor time, wall time, memory.

A contender runs with build/tests/bench_calls.so preloaded, which counts its calls into libvirt in a
file. What it has used of the processors is the kernel's word, of all its processes.
"""

import array
import contextlib
import mmap
import os
import signal
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

import lab
from beside import PROGRAM, processes_of

TESTS = lab.REPOSITORY / "build" / "tests"
SHIM = TESTS / "bench_calls.so"
LOOP = TESTS / "bench_loop"

# As tests/bench_calls.c has it.
SHEET_HEAD = struct.Struct("=8Q")
SHEET_LINE = struct.Struct("=56sQ")
SHEET_LINES = 63

PAGE_BYTES = mmap.PAGESIZE
# Of an entry of /proc/PID/pagemap.
IN_MEMORY = 1 << 63
FRAME = (1 << 55) - 1

LIST = "virConnectListAllDomains"
ALL_STATS = "virConnectGetAllDomainStats"


class CostError(Exception):
    """What went wrong, for a person to read."""


class Use(NamedTuple):
    """What has been used so far."""

    cycles: int
    calls: int  # of those that have ended
    cpu_sec: float
    wall_sec: float  # from the first call of each cycle to the end of its last


class Cost(NamedTuple):
    """What one cycle costs."""

    calls: float
    cpu_usec: float
    wall_usec: float


class Memory(NamedTuple):
    """Of all its processes, in KiB."""

    rss: int  # a page that several of them have counts for each
    resident: int  # a page counts once
    own: int  # what no file holds: heap, stack, what the processes share


class Contender:
    """Someone who looks at all guests, again and again, until the block's end."""

    def __init__(self, words: list, cycle: str, clock: str = "", stdin=subprocess.DEVNULL):
        """CYCLE is the call by which its cycles are counted; CLOCK: see tests/bench_calls.c."""
        self._cycle = cycle
        self._file = tempfile.NamedTemporaryFile(prefix="memory_coordinator.")
        self._file.truncate(SHEET_HEAD.size + SHEET_LINES * SHEET_LINE.size)
        self._sheet = mmap.mmap(self._file.fileno(), 0)
        self._said = tempfile.TemporaryFile("w+")
        environment = {"LD_PRELOAD": str(SHIM), "BENCH_CALLS": self._file.name, "BENCH_CLOCK": clock}
        self._process = subprocess.Popen(
            words,
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
            env=dict(os.environ, **environment),
            start_new_session=True,
            preexec_fn=_share_a_processor,
        )

    def __enter__(self) -> "Contender":
        return self

    def __exit__(self, *_) -> None:
        self.proceed()
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._sheet.close()
        self._file.close()
        self._said.close()

    def calls(self) -> dict:
        """So far, by name."""
        found = {}
        for line in SHEET_LINE.iter_unpack(self._sheet[SHEET_HEAD.size :]):
            name = line[0].rstrip(b"\0").decode()
            if name:
                found[name] = line[1]
        return found

    def cycles(self) -> int:
        return self.calls().get(self._cycle, 0)

    def said(self) -> str:
        self._said.seek(0)
        return self._said.read()

    def pids(self) -> list:
        return processes_of(self._process.pid)

    def use(self) -> Use:
        cpu_nsec = sum(_cpu_nsec(pid) for pid in self.pids())
        head = SHEET_HEAD.unpack_from(self._sheet)
        return Use(self.cycles(), head[5], cpu_nsec / 1e9, head[3] / 1e9)

    def reach(self, cycles: int, patience_sec: float = 120.0) -> Use:
        """Waits for so many cycles since its start."""
        end = time.monotonic() + patience_sec
        while self.cycles() < cycles:
            if self._process.poll() is not None or time.monotonic() > end:
                raise CostError(f"{self._process.args[0]}: {self.cycles()} of {cycles} cycles\n{self.said()}")
            time.sleep(0.005)
        return self.use()

    def hold_still(self) -> None:
        """At some point of a cycle; until proceed()."""
        os.killpg(self._process.pid, signal.SIGSTOP)

    def proceed(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGCONT)

    def memory(self) -> Memory:
        """Now."""
        rollups = [_rollup(pid) for pid in self.pids()]

        def total(*names: str) -> int:
            return sum(rollup[name] for rollup in rollups for name in names)

        frames = set().union(*(_frames(pid) for pid in self.pids()))
        return Memory(total("Rss"), len(frames) * PAGE_BYTES // 1024, total("Pss_Anon", "Pss_Shmem"))


def _share_a_processor() -> None:
    """All contenders run on the same one, since two may not be equally fast."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def _cpu_nsec(pid: int) -> int:
    return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir())


def _rollup(pid: int) -> dict:
    """/proc/PID/smaps_rollup, in KiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {line.split(":")[0]: int(line.split()[1]) for line in lines}


def _frames(pid: int) -> set:
    """The numbers of the page frames that it has in memory, which the kernel tells root only: see
    its documentation of /proc/PID/pagemap."""
    if os.geteuid() != 0:
        raise CostError("which pages two processes share only root is told")
    frames = set()
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/pagemap", "rb", buffering=0) as pagemap:
        for line in maps:
            begin, end = (int(word, 16) // PAGE_BYTES for word in line.split()[0].split("-"))
            if "[vsyscall]" in line:
                continue
            entries = array.array("Q", os.pread(pagemap.fileno(), 8 * (end - begin), 8 * begin))
            frames.update(entry & FRAME for entry in entries if entry & IN_MEMORY)
    return frames


def cost_between(before: Use, after: Use) -> Cost:
    cycles = after.cycles - before.cycles
    return Cost(
        (after.calls - before.calls) / cycles,
        (after.cpu_sec - before.cpu_sec) / cycles * 1e6,
        (after.wall_sec - before.wall_sec) / cycles * 1e6,
    )


# ---- the contenders ----


def coordinator(uri: str, state: str, interval: float, clock: str = "") -> Contender:
    """As it runs by default, with its state in the directory STATE."""
    words = [str(PROGRAM), "-c", uri, "-f", "/dev/null", "--state-dir", state, f"{interval:g}"]
    return Contender(words, LIST, clock)


def bare_loop(uri: str, interval: float, clock: str = "") -> Contender:
    """An INTERVAL of 0: without pauses."""
    return Contender([str(LOOP), uri, f"{interval:g}"], LIST, clock)


class Virsh(Contender):
    """One that runs on, and is told `domstats --balloon` again and again."""

    COMMAND = b"domstats --balloon\n"

    def __init__(self, uri: str, interval: float):
        super().__init__(["virsh", "-q", "-c", uri], ALL_STATS, "", subprocess.PIPE)
        self._interval = interval
        self._is_ending = False
        self._teller = threading.Thread(target=self._tell, daemon=True)
        self._teller.start()

    def _tell(self) -> None:
        # Without an interval the pipe is the pace: it takes no more than it has room for.
        with contextlib.suppress(OSError):
            while not self._is_ending:
                self._process.stdin.write(self.COMMAND)
                self._process.stdin.flush()
                time.sleep(self._interval)

    def __exit__(self, *_) -> None:
        self._is_ending = True
        super().__exit__()
        self._teller.join(10)
        with contextlib.suppress(OSError):
            self._process.stdin.close()
