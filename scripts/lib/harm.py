"""What may happen to the lab's guests, to libvirtd and to the coordinator, done on purpose; and how
the coordinator's cycles and processes fare meanwhile."""

import contextlib
import os
import re
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Iterator

import lab
from beside import Coordinator
from cases import wait_until

NAP_SEC = 0.05
# A cycle may be late by so much for what this machine does beside: emulators without KVM take
# whole processors, and libvirtd waits for its turn as everyone does.
SLACK_SEC = 1.0
FROZEN = "its emulator does not answer"
THAWED = "its emulator answers again"


# ---- guests ----


def freeze(name: str) -> None:
    """Stops its emulator as a debugger, a full disk or a broken driver would."""
    os.kill(lab.Guest(name).emulator_pid(), signal.SIGSTOP)


def thaw(name: str) -> None:
    os.kill(lab.Guest(name).emulator_pid(), signal.SIGCONT)


@contextlib.contextmanager
def frozen(*names: str) -> Iterator[None]:
    for name in names:
        freeze(name)
    try:
        yield
    finally:
        for name in names:
            # One that has ended meanwhile needs no thaw.
            with contextlib.suppress(lab.LabError):
                thaw(name)


def crash(name: str) -> None:
    """Kills its emulator, and returns when libvirt knows that."""
    os.kill(lab.Guest(name).emulator_pid(), signal.SIGKILL)
    wait_until(lambda: name not in lab.guest_names(), f"{name} has ended")


@contextlib.contextmanager
def huge_pages(mib: int) -> Iterator[bool]:
    """So much of this machine's memory is in huge pages of 2 MiB, beside what is already; False
    where that cannot be had."""
    count = Path("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")
    try:
        before = int(count.read_text())
        count.write_text(f"{before + mib // 2}")
    except OSError:
        yield False
        return
    try:
        yield int(count.read_text()) == before + mib // 2
    finally:
        count.write_text(f"{before}")


# ---- libvirtd ----


@contextlib.contextmanager
def libvirtd_hanging() -> Iterator[None]:
    lab.signal_libvirtd(signal.SIGSTOP)
    try:
        yield
    finally:
        lab.signal_libvirtd(signal.SIGCONT)


@contextlib.contextmanager
def libvirtd_gone() -> Iterator[None]:
    """It is killed, and started again at the end."""
    lab.kill_libvirtd()
    try:
        yield
    finally:
        lab.start_libvirtd()


@contextlib.contextmanager
def silent_server(path: Path) -> Iterator[None]:
    """A server that accepts whom it likes to, and never says a word."""
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        path.chmod(0o777)
        server.listen(64)
        server.settimeout(0.1)
        clients, is_over = [], threading.Event()

        def accept() -> None:
            while not is_over.is_set():
                with contextlib.suppress(socket.timeout):
                    clients.append(server.accept()[0])

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()
            for client in clients:
                client.close()
            path.unlink(missing_ok=True)


# ---- processes ----


@contextlib.contextmanager
def stopped(program: Coordinator) -> Iterator[None]:
    """The coordinator and all its processes sleep, as on a machine that is suspended."""
    os.killpg(program.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(program.process.pid, signal.SIGCONT)


def cpu_sec(pid: int) -> float:
    """What it has used so far, with its ended children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def cpu_of(program: Coordinator) -> float:
    return sum(map(cpu_sec, program.pids()))


def heap_kib(pid: int) -> int:
    """What the process holds but for files and what it shares on purpose. It is the same however much
    of it a child has not copied yet, which the proportional set size is not."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"\nAnonymous: +(\d+) kB", text)[1])


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


# ---- cycles ----


class Metronome:
    """Sleeps and wakes beside a test: what it wakes too late is this machine's doing."""

    def __init__(self):
        self.late: list = []  # (when it should have woken, by how much it was late)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> "Metronome":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._is_over.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._is_over.is_set():
            due = time.monotonic() + NAP_SEC
            time.sleep(NAP_SEC)
            self.late.append((due, time.monotonic() - due))

    def worst(self, begin: float, end: float) -> float:
        return max((late for due, late in list(self.late) if begin <= due <= end), default=0.0)


def cycles(program: Coordinator, begin: float = 0.0, end: float = float("inf")) -> list:
    """When cycles have read the host, as --verbose tells."""
    return [line.seconds for line in list(program.lines) if "host: " in line.text and begin <= line.seconds <= end]


def lateness(times: list, interval: float) -> list:
    """By how much each of these cycles but the first came later than an interval after the one before."""
    return [later - earlier - interval for earlier, later in zip(times, times[1:])]
