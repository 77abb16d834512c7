"""What tests on real guests are made of: cases, tried by name in a lab of their own."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, NamedTuple

import lab
from host import libvirt

PATIENCE_SEC = 60.0


class Failure(Exception):
    """What was expected and did not come."""


def expect(condition: bool, what: str) -> None:
    if not condition:
        raise Failure(what)


def free_port() -> int:
    """Of the loopback, for a server of our own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, what: str, patience_sec: float = PATIENCE_SEC) -> None:
    deadline = time.monotonic() + patience_sec
    while not condition():
        expect(time.monotonic() < deadline, f"{what}, within {patience_sec:.0f} s")
        time.sleep(0.1)


class Outcome(NamedTuple):
    held: bool
    text: str  # the figures that the case has found, or why it does not hold
    seconds: float


def attempt(case: Callable, prepare: Callable) -> Outcome:
    """Tries the case on guests that prepare() has put in order."""
    start = time.monotonic()
    try:
        prepare()
        held, text = True, case() or ""
    except (Failure, lab.LabError, libvirt.libvirtError, OSError, subprocess.TimeoutExpired) as failure:
        held, text = False, str(failure)
    return Outcome(held, text, time.monotonic() - start)


def tell_failure(what: str, log: Path, lines: int = 40) -> None:
    """What did not hold, and the last of what the program did, where that was kept in LOG."""
    said = log.read_text().splitlines()[-lines:] if log.exists() else []
    print("\n      ".join([f"FAIL  {what}".replace("\n", "\n      "), *said]), flush=True)


def named(namespace: dict, prefix: str) -> dict:
    """The functions of a script whose names begin with PREFIX, by the rest, in its order."""
    return {name[len(prefix) :]: case for name, case in namespace.items() if name.startswith(prefix)}


def chosen(known: dict, words: list, parser) -> dict:
    """Those that the command line names, or all."""
    for word in words:
        if word not in known:
            parser.error(f"there is no {word!r}")
    return {name: case for name, case in known.items() if not words or name in words}


def in_own_lab(name: str, guests: int, body: Callable[[], int]) -> int:
    """Runs BODY with guests of its own, beside the lab, which may be up. Returns the exit status."""
    os.environ["MEMORY_COORDINATOR_LAB"] = f"{lab.lab_dir()}-{name}"
    try:
        with lab.for_a_run(guests, tell=lambda line: print(line, flush=True)):
            return body()
    except (lab.LabError, KeyboardInterrupt) as error:
        print(f"{name}: {str(error) or 'interrupted'}", file=sys.stderr)
        return 1
