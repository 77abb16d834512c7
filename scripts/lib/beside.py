"""The program beside the lab's guests: started, listened to, ended; and the guests put back after it."""

import os
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Callable, NamedTuple, Optional

import host
import lab
from cases import PATIENCE_SEC, expect, wait_until
from host import libvirt

PROGRAM = lab.REPOSITORY / "memory_coordinator"
START_MIB = 512
SETTINGS_URI = "urn:memory-coordinator:settings"


class Line(NamedTuple):
    seconds: float  # when it was said, by time.monotonic()
    text: str


def processes_of(pid: int) -> list:
    """The process, where it is still there, and its children."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            # What follows the name in parentheses, which may itself hold anything.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # no process, or it has just ended
        if entry.name.isdigit() and fields[0] != "Z" and pid in (int(entry.name), int(fields[1])):
            found.append(int(entry.name))
    return sorted(found, key=lambda one: one != pid)


class Coordinator:
    """The program beside the lab's guests, and what it has said so far."""

    program = PROGRAM

    def __init__(
        self,
        *options: str,
        interval: str = "0.5",
        uri: str = "",
        before: tuple = (),
        environment: Optional[dict] = None,
        output=None,
        on_line: Callable[[str], None] = lambda _: None,
    ):
        """BEFORE are words of a command that runs it; ON_LINE is called with each line as it comes.
        What goes to OUTPUT, where one is given, is not listened to."""
        self.lines: list = []
        self.log = tempfile.NamedTemporaryFile("w", prefix="memory_coordinator.", suffix=".log")
        self._on_line = on_line
        # A run that is killed takes it along: the next run's would be refused beside it.
        # Of two files the later counts; what this machine has in /etc is not the tests' business.
        words = ["setpriv", "--pdeathsig", "KILL", *before, str(self.program), "-c", uri or lab.uri()]
        words += ["-f", "/dev/null", *options, interval]
        self.process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if output else subprocess.PIPE,
            stderr=output or subprocess.STDOUT,
            text=not output,
            env=dict(os.environ, **(environment or {})),
            start_new_session=True,  # so that all of it can be stopped at once
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        for text in self.process.stdout or ():
            self.lines.append(Line(time.monotonic(), text.rstrip("\n")))
            self._on_line(text)
            self.log.write(text)
            self.log.flush()

    def __enter__(self) -> "Coordinator":
        return self

    def __exit__(self, *_) -> None:
        self.process.kill()
        self._wait()
        self.log.close()

    def _wait(self) -> int:
        code = self.process.wait(PATIENCE_SEC)
        self._listener.join(PATIENCE_SEC)
        return code

    def said(self) -> str:
        return "".join(f"{line.text}\n" for line in list(self.lines))

    def count(self, text: str) -> int:
        return self.said().count(text)

    def wait_for(self, text: str, times: int = 1, patience_sec: float = PATIENCE_SEC) -> None:
        def has_said() -> bool:
            expect(self.process.poll() is None or self.count(text) >= times, f"it ended:\n{self.said()}")
            return self.count(text) >= times

        wait_until(has_said, f"{text!r} in the log", patience_sec)

    def pids(self) -> list:
        """The coordinator's process, and the one that makes its calls."""
        return processes_of(self.process.pid)

    def end(self, number: int = signal.SIGTERM) -> tuple:
        """(exit code, seconds) after the signal."""
        start = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE_SEC)
        seconds = time.monotonic() - start
        self._wait()
        return code, seconds


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(Coordinator.program), "-f", "/dev/null", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SEC,
    )


def ask(*words: str) -> subprocess.CompletedProcess:
    """One of its commands."""
    return subprocess.run(
        [str(Coordinator.program), *words], capture_output=True, text=True, check=False, timeout=PATIENCE_SEC
    )


def sizes() -> dict:
    return {name: lab.Guest(name).actual_kib() for name in lab.guest_names()}


def domain(name: str):
    return host.connect(lab.uri()).lookupByName(name)


def set_metadata(name: str, element: str) -> None:
    """As `virsh metadata --set` does it; an empty ELEMENT removes it."""
    domain(name).setMetadata(
        libvirt.VIR_DOMAIN_METADATA_ELEMENT,
        element or None,
        "memory_coordinator" if element else None,
        SETTINGS_URI,
        libvirt.VIR_DOMAIN_AFFECT_LIVE,
    )


def put_back(names: list) -> None:
    """As each case finds the guests: at the start size, idle, statistics off, all running, nothing set."""
    for name in set(lab.guest_names()) - set(names):
        lab.stop_guest(name)
    for name in names:
        if name not in lab.guest_names():
            lab.start_guest(name)
        lab.Guest(name).stop_load()
        set_metadata(name, "")
        handle = domain(name)
        handle.setMemoryStatsPeriod(0, libvirt.VIR_DOMAIN_AFFECT_LIVE)
        handle.setMemory(START_MIB * 1024)
    wait_until(
        lambda: all(abs(size - START_MIB * 1024) <= 1024 for size in sizes().values()),
        "the guests come back to their start size",
    )


def is_shrinking(name: str) -> bool:
    return lab.Guest(name).actual_kib() < START_MIB * 1024 - 1024
