"""Reads what is to be drawn: a trial's recording, a coordinator's record, or what scripts/monitor printed in
either form."""

import math
import re
from collections import defaultdict
from pathlib import Path

from record import RecordError, is_record, read_record
from recording import Recording, RecordingError

MOST_GUESTS = 16

# By the first of them a file is recognised.
BEGIN_BYTES = 64

COURSE_LINE = re.compile(r"Memory \(VM: (.+)\) Actual \[([^]]*)\], Unused: \[([^]]*)\]\s*")
MACHINE_LINE = re.compile(r"memory,(.+),([^,]*),([^,]*)\s*")
SEPARATOR = re.compile(r"-{10,}\s*")


class LogError(Exception):
    """A log that cannot be drawn; the message names file and line."""


class Chart:
    """Rows of (seconds, actual, unused, load) per guest, and the (seconds, label) of phases."""

    def __init__(self) -> None:
        self.rows: dict = defaultdict(list)
        self.phases: list = []
        self.title = ""
        self.damaged = ""  # what of the file was left out

    def has_load(self) -> bool:
        return any(not math.isnan(row[3]) for rows in self.rows.values() for row in rows)

    def end(self) -> float:
        return max(row[0] for rows in self.rows.values() for row in rows)

    def largest(self) -> float:
        sizes = (value for rows in self.rows.values() for row in rows for value in row[1:])
        return max((size for size in sizes if not math.isnan(size)), default=0.0)


def read_chart(path: Path, interval: float) -> Chart:
    """`interval` is the monitor's, in seconds; a recording has times of its own."""
    try:
        with open(path, "rb") as file:
            begin = file.read(BEGIN_BYTES)
        if is_record(begin):
            chart = read_coordinators(path)
        elif begin.startswith(b"# test,"):
            chart = read_recording(path)
        else:
            chart = read_log(path, path.read_text(encoding="utf-8"), interval)
    except OSError as error:
        raise LogError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise LogError(f"{path}:1: not text") from error
    except (RecordingError, RecordError) as error:
        raise LogError(str(error)) from error
    # aos_vm2 before aos_vm10, in whatever order the log has them.
    chart.rows = {name: chart.rows[name] for name in sorted(chart.rows, key=lambda n: (len(n), n))}
    if len(chart.rows) > MOST_GUESTS:
        raise LogError(f"{path}: {len(chart.rows)} guests, more than the {MOST_GUESTS} a page holds")
    return chart


def read_recording(path: Path) -> Chart:
    recording = Recording.load(path)
    chart = Chart()
    chart.title = f"Test {recording.test}"
    chart.phases = [(mark.seconds, mark.label) for mark in recording.marks]
    for sample in recording.samples:
        load = sample.load_mib or math.nan  # no line where no load is
        row = (sample.seconds, sample.actual_mib, sample.unused_mib, load)
        chart.rows[sample.guest].append(row)
    return chart


def read_coordinators(path: Path) -> Chart:
    record = read_record(path)
    chart = Chart()
    interval = record.cycles[-1].interval_sec
    chart.title = f"{record.head['uri']}, every {interval:g} s"
    for guest in record.guests.values():
        # Two guests of one name are two panels all the same.
        name = guest.name if guest.name not in chart.rows else f"{guest.name} ({len(chart.rows) + 1})"
        for look in guest.looks:
            chart.rows[name].append((look.seconds, look.actual, look.unused, math.nan))
    if not chart.rows:
        raise LogError(f"{path}: no guest in it")
    chart.damaged = record.say_damaged()
    return chart


def read_log(path: Path, text: str, interval: float) -> Chart:
    """A sample begins at a line of dashes, and where a guest appears again without one."""
    chart = Chart()
    chart.title = path.stem
    lines = text.split("\n")
    seen: set = set()
    sample = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        parsed = parse_line(line)
        if parsed is None:
            if number == len(lines):
                break  # no newline: the monitor was stopped while it wrote
            raise LogError(f"{path}:{number}: not a line that the monitor prints")
        name = parsed[0]
        if seen and (name is None or name in seen):
            sample += 1
            seen = set()
        if name is not None:
            seen.add(name)
            chart.rows[name].append((sample * interval, parsed[1], parsed[2], math.nan))
    if not chart.rows:
        raise LogError(f"{path}:{len(lines)}: ends without a sample")
    return chart


def parse_line(line: str):
    """(name, actual, unused), with None as the name of a separator; None if it is neither."""
    if SEPARATOR.fullmatch(line):
        return None, 0.0, 0.0
    match = COURSE_LINE.fullmatch(line) or MACHINE_LINE.fullmatch(line)
    if match is None:
        return None
    try:
        actual, unused = float(match[2]), float(match[3])
    except ValueError:
        return None
    sizes = (actual, unused)
    return None if any(math.isinf(size) or size < 0 for size in sizes) else (match[1], *sizes)
