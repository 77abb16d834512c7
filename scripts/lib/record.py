"""Reads a record: what the coordinator has found, decided and done, a line of JSON each cycle.

include/record.h tells what stands in a line. Here sizes are MiB, NAN is what is not known, and times are
seconds from the first cycle on; a run that went on later, or on a host that was started anew, follows in the
time of the wall clock. Lines that are damaged are left out and counted.
"""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

FORMAT = 1
NAN = math.nan
NO_LIMIT_KIB = 2**63 - 1

# For so many intervals (and so many seconds) a cycle stands for what was; what is longer is a gap.
GAP_INTERVALS, GAP_SEC = 3, 5


class RecordError(Exception):
    """A record that cannot be used; the message names the file."""


class DamagedLine(Exception):
    """What is wrong with one line."""


class Look(NamedTuple):
    """One guest in one cycle."""

    cycle: int  # its number
    seconds: float
    id: int  # another one with each start of the guest
    is_running: bool
    actual: float
    rss: float
    # The guest's own report, and when it was made (wall clock; 0 for never).
    unused: float
    usable: float
    available: float
    reported_sec: float
    # What was reckoned: all that is used, what of that is not page cache, and what should be unused.
    used: float
    claimed: float
    spare: float
    headroom: float
    # The decision.
    action: str
    reason: str
    cause: str  # a word for what of the guest is behind it; "" for nothing
    bound: str
    can_swap: bool
    request: str
    origin: float
    target: float
    owed: float
    overhead: float
    # What is set for it; most is infinite where nothing is.
    least: float
    most: float


class Cycle(NamedTuple):
    seconds: float
    wall_sec: int
    interval_sec: float
    is_connected: bool
    is_withholding: bool  # a dry run, or paused
    total: float
    available: float
    reserve: float
    pool: float
    promised: float  # what all guests may have, emulators included
    state: str

    def gap_sec(self) -> float:
        return max(GAP_INTERVALS * self.interval_sec, GAP_SEC)


@dataclass
class Guest:
    name: str
    setup: dict  # what of the line changes seldom, as it was last
    looks: list = field(default_factory=list)

    def runs(self) -> list:
        """Its looks, split where a cycle has not seen it, or another start of it."""
        runs: list = []
        for look in self.looks:
            last = runs[-1][-1] if runs else None
            if last is None or look.cycle != last.cycle + 1 or look.id != last.id:
                runs.append([])
            runs[-1].append(look)
        return runs


@dataclass
class Record:
    path: Path
    cycles: list = field(default_factory=list)
    guests: dict = field(default_factory=dict)  # by UUID, in the order in which they are shown
    damaged: list = field(default_factory=list)  # (line number, what is wrong)
    head: dict = field(default_factory=dict)  # of the last line: version, uri, policy
    starts: list = field(default_factory=list)  # when another process wrote on

    def length_sec(self) -> float:
        return self.cycles[-1].seconds

    def say_damaged(self) -> str:
        """One line for people, or nothing."""
        if not self.damaged:
            return ""
        number, reason = self.damaged[0]
        if len(self.damaged) == 1:
            return f"line {number} is left out: {reason}"
        return f"{len(self.damaged)} lines are left out, the first is {number}: {reason}"


def is_record(begin: bytes) -> bool:
    """Whether a file that begins so looks like one."""
    return begin.lstrip().startswith(b'{"')


def read_record(path: Path) -> Record:
    """Raises RecordError where the file cannot be read or has no line that can be used."""
    reader = _Reader(Record(path))
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    reader.take(number, line)
    except OSError as error:
        raise RecordError(f"{path}: {error.strerror}") from error
    record = reader.record
    if not record.cycles:
        why = f"; {record.say_damaged()}" if record.damaged else ""
        raise RecordError(f"{path}: not a record, or without a whole cycle{why}")
    by_name = sorted(record.guests.items(), key=lambda item: (len(item[1].name), item[1].name))
    record.guests = dict(by_name)
    return record


# ---- fields of a line ----


def _of(holder: dict, name: str, kind: type):
    value = holder.get(name)
    if type(value) is not kind:  # True is an int to isinstance()
        raise DamagedLine(f'"{name}" is not what it should be')
    return value


def _whole(holder: dict, name: str, missing=NAN):
    value = holder.get(name)
    if value is None:
        return missing
    if type(value) is not int or abs(value) > NO_LIMIT_KIB:
        raise DamagedLine(f'"{name}" is not a whole number')
    return value


def _mib(holder: dict, name: str, no_limit: float = NAN) -> float:
    """no_limit is what the largest figure stands for: not known, unless a size is a limit."""
    value = _whole(holder, name)
    if value < 0:
        raise DamagedLine(f'"{name}" is below 0')
    return no_limit if value == NO_LIMIT_KIB else value / 1024


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _parse(line: bytes) -> dict:
    try:
        fields = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise DamagedLine("cut off, or not JSON") from error
    if type(fields) is not dict or fields.get("memory_coordinator") != FORMAT:
        raise DamagedLine(f"not of format {FORMAT}")
    return fields


def _read_cause(fields: dict, decision: dict) -> str:
    cause = fields.get({"no-balloon": "obstacle", "busy": "job"}.get(_of(decision, "reason", str), ""), "")
    return cause if type(cause) is str else ""


def _read_look(fields: dict, cycle: int, seconds: float) -> Look:
    decision = _of(fields, "decision", dict)
    limits = _of(fields, "limits", dict)
    used, target = _mib(decision, "used_kib"), _mib(decision, "target_kib")
    is_reckoned = used > 0
    most = min(_mib(limits, "max_kib", math.inf), _mib(fields, "max_kib", math.inf))
    return Look(
        cycle=cycle,
        seconds=seconds,
        id=_whole(fields, "id", -1),
        is_running=_of(fields, "is_running", bool),
        actual=_mib(fields, "actual_kib"),
        rss=_mib(fields, "rss_kib"),
        unused=_mib(fields, "unused_kib"),
        usable=_mib(fields, "usable_kib"),
        available=_mib(fields, "available_kib"),
        reported_sec=_whole(fields, "last_update_sec", 0),
        used=used if is_reckoned else NAN,
        claimed=_mib(decision, "claimed_kib") if is_reckoned else NAN,
        spare=_mib(decision, "unused_kib") if is_reckoned else NAN,
        headroom=_mib(decision, "headroom_kib") if is_reckoned else NAN,
        action=_of(decision, "action", str),
        reason=_of(decision, "reason", str),
        cause=_read_cause(fields, decision),
        bound=_of(decision, "bound", str),
        can_swap=decision.get("can_swap") is True,
        request=_of(fields, "request", str),
        origin=_mib(decision, "from_kib"),
        target=target,
        owed=_mib(decision, "owed_kib"),
        overhead=_mib(decision, "overhead_kib"),
        least=min(_mib(limits, "min_kib", math.inf), most),
        most=most,
    )


class _Reader:
    def __init__(self, record: Record):
        self.record = record
        self.written: tuple = ()  # pid and now_usec of the last cycle

    def take(self, number: int, line: bytes) -> None:
        try:
            self.take_fields(_parse(line))
        except DamagedLine as error:
            self.record.damaged.append((number, str(error)))

    def take_fields(self, fields: dict) -> None:
        """Everything is read before anything is kept: a line counts whole or not at all."""
        pid, now_usec = _whole(fields, "pid", 0), _whole(fields, "now_usec")
        if math.isnan(now_usec):
            raise DamagedLine('"now_usec" is missing')
        if (pid, now_usec) == self.written:
            return  # a cycle that did not come about: the last one again
        wall_sec = int(_of(fields, "wall_sec", int))
        seconds = self.seconds_of(now_usec, wall_sec)
        domains = _of(fields, "domains", list) if _of(fields, "is_connected", bool) else []
        looks = {}
        for domain in domains:
            if type(domain) is not dict:
                raise DamagedLine('"domains" holds what is no guest')
            look = _read_look(domain, len(self.record.cycles), seconds)
            setup = {name: domain[name] for name in ("limits", "settings") if name in domain}
            setup["name"] = _of(domain, "name", str)
            setup["max"] = _mib(domain, "max_kib", math.inf)
            setup["has_balloon"] = _of(domain, "has_balloon", bool)
            setup["period_sec"] = _whole(domain, "period_sec", 0)
            looks[_of(domain, "uuid", str)] = (look, setup)
        cycle = self.read_cycle(fields, seconds, wall_sec, [look for look, _ in looks.values()])
        self.keep(fields, pid, now_usec, cycle, looks)

    def seconds_of(self, now_usec: int, wall_sec: int) -> float:
        """The monotonic clock's difference, unless that has begun anew."""
        if not self.written:
            return 0.0
        last = self.record.cycles[-1]
        between = (now_usec - self.written[1]) / 1e6
        if between <= 0:
            between = max(wall_sec - last.wall_sec, last.interval_sec)
        return last.seconds + between

    @staticmethod
    def read_cycle(fields: dict, seconds: float, wall_sec: int, looks: list) -> Cycle:
        policy, host, decided = (_of(fields, name, dict) for name in ("policy", "host", "decided"))
        interval_usec = _whole(policy, "interval_usec")
        if not interval_usec > 0:
            raise DamagedLine('"interval_usec" is not above 0')
        total = _mib(host, "total_kib") if _of(host, "has_memory", bool) else NAN
        owed = sum(max(look.owed, look.target) + look.overhead for look in looks)
        is_connected = fields["is_connected"]
        is_known = is_connected and not math.isnan(total)
        return Cycle(
            seconds=seconds,
            wall_sec=wall_sec,
            interval_sec=interval_usec / 1e6,
            is_connected=is_connected,
            is_withholding=fields.get("is_dry_run") is True or fields.get("is_paused") is True,
            total=total,
            available=_mib(host, "available_kib") if is_known else NAN,
            reserve=_mib(policy, "host_reserve_kib"),
            pool=_mib(decided, "pool_kib") if is_known else NAN,
            promised=owed if is_connected else NAN,
            state=_of(decided, "state", str),
        )

    def keep(self, fields: dict, pid: int, now_usec: int, cycle: Cycle, looks: dict) -> None:
        record = self.record
        if self.written and pid != self.written[0]:
            record.starts.append(cycle.seconds)
        self.written = (pid, now_usec)
        record.cycles.append(cycle)
        record.head = {
            "version": fields.get("version") if type(fields.get("version")) is str else "?",
            "uri": fields.get("uri") if type(fields.get("uri")) is str else "?",
            "policy": fields["policy"],
            "is_dry_run": fields.get("is_dry_run") is True,
        }
        for uuid, (look, setup) in looks.items():
            guest = record.guests.setdefault(uuid, Guest(setup["name"], setup))
            guest.name, guest.setup = setup["name"], setup
            guest.looks.append(look)
