"""Runs a program beside a test's load, records what becomes of the guests, and judges it."""

import ctypes
import math
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Callable, Optional

import host
import lab
import loads
import verdicts
from host import libvirt
from recording import Mark, Recording, Sample
from verdicts import Trial

TICK_SEC = 0.25  # as often as a guest reports
TICKS_PER_SAMPLE = 2
LOAD_DELAY_SEC = 1.0  # the program runs when the load comes
EARLY_RSS_SEC = 10.0
# How long what the test expects may take after the last freeing began.
WATCH_SEC = 46.0
# Sizes that have been calm for so long will not change any more.
CALM_SEC = 6.0
EXIT_PATIENCE_SEC = 5.0
RESET_PATIENCE_SEC = 60.0
LOG_BYTES = 4 << 20

# Called with the time, the phase's label and each guest's newest sample.
Show = Callable[[float, str, list], None]


class Program:
    """The program under test, with all the processes it starts."""

    def __init__(self, command: list, log: Path):
        environment = dict(os.environ, LIBVIRT_DEFAULT_URI=lab.uri())
        # What it leaves behind becomes a child of this process, and is found.
        _adopt_orphans(True)
        self.others = set(_children_of().get(os.getpid(), []))
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        self.log = threading.Thread(target=self._keep_log, args=(log,), daemon=True)
        self.log.start()

    def runs(self) -> bool:
        return self.process.poll() is None

    def cpu_and_rss(self) -> tuple:
        """CPU seconds up to now and resident KiB, of the program and its children."""
        ticks, pages = 0, 0
        for pid in self._family():
            fields = _stat_of(pid)
            if fields:
                ticks += sum(int(field) for field in fields[11:15])
                pages += int(fields[21])
        page_kib = os.sysconf("SC_PAGE_SIZE") // 1024
        return ticks / os.sysconf("SC_CLK_TCK"), pages * page_kib

    def end(self) -> tuple:
        """(exit code, seconds it took) after SIGTERM; nothing of it is left running."""
        start = time.monotonic()
        self.process.terminate()
        try:
            self.process.wait(EXIT_PATIENCE_SEC)
        except subprocess.TimeoutExpired:
            pass
        seconds = time.monotonic() - start
        # Again and again, as it may start others meanwhile.
        while family := self._family():
            for pid in family:
                _kill(pid)
            self.process.poll()
            self._reap(family)
        _adopt_orphans(False)
        self.log.join(EXIT_PATIENCE_SEC)
        return self.process.wait(), seconds

    def _family(self) -> list:
        """The pids of the program and of all that it has started, the dead ones not yet reaped too."""
        children = _children_of()
        family = [pid for pid in children.get(os.getpid(), []) if pid not in self.others]
        for pid in family:  # which grows on the way
            family += children.get(pid, [])
        return family

    def _reap(self, family: list) -> None:
        for pid in family:
            if pid != self.process.pid:
                try:
                    os.waitpid(pid, 0)
                except ChildProcessError:
                    pass  # it is a child of one that has just been killed, and comes to us next

    def _keep_log(self, log: Path) -> None:
        """Takes all that the program says, so that it never has to wait, and keeps the beginning."""
        left = LOG_BYTES
        with self.process.stdout as pipe, open(log, "wb") as file:
            while said := pipe.read1(65536):
                file.write(said[:left])
                if len(said) > left > 0:
                    file.write(b"\n(what follows is left out)\n")
                file.flush()
                left = max(0, left - len(said))


PR_SET_CHILD_SUBREAPER = 36


def _adopt_orphans(on: bool) -> None:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _stat_of(pid: int) -> list:
    """Fields of /proc/PID/stat from the state on; none if it has ended."""
    try:
        # What follows the name in parentheses, which may itself hold anything.
        return (Path("/proc") / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _children_of() -> dict:
    """The pids of each process's children."""
    children: dict = {}
    for entry in Path("/proc").iterdir():
        fields = _stat_of(int(entry.name)) if entry.name.isdigit() else []
        if fields:
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    return children


class GuestProbe:
    """One guest as the host and as the guest itself see it."""

    def __init__(self, connection: libvirt.virConnect, name: str):
        self.name = name
        self.lab_guest = lab.Guest(name)
        self.domain = connection.lookupByName(name)
        self.report = self.first = self.lab_guest.report()
        self.begin_sec = int(time.time())
        self.low_since_ms: Optional[int] = None
        self.longest_low_ms = 0

    def follow(self) -> None:
        """Takes the newest report; to be called as often as the guest reports."""
        self.report = self.lab_guest.report()
        now = self.report.uptime_ms
        if self.low_since_ms is not None:
            self.longest_low_ms = max(self.longest_low_ms, now - self.low_since_ms)
        if self.report.free_kib >= verdicts.LOW_FREE_MIB * 1024:
            self.low_since_ms = None
        elif self.low_since_ms is None:
            self.low_since_ms = now

    def sample(self, seconds: float) -> Sample:
        memory = host.read_memory(self.domain)
        # What the guest said before the trial is no figure of now.
        is_fresh = memory.reported_sec > self.begin_sec
        return Sample(
            seconds,
            self.name,
            memory.actual_mib,
            memory.unused_mib if is_fresh else host.UNKNOWN,
            self.report.free_kib / 1024,
            self.report.oom_kills - self.first.oom_kills,
            self.report.swap_ins - self.first.swap_ins,
            float(self.report.load_mib),
        )


def reset_guests(connection: libvirt.virConnect, names: list) -> None:
    """Puts the guests back to where a test starts: no load, the start size, statistics off."""
    for name in names:
        lab.Guest(name).stop_load()
        domain = connection.lookupByName(name)
        # To switch them on is the business of the program under test.
        domain.setMemoryStatsPeriod(0, libvirt.VIR_DOMAIN_AFFECT_LIVE)
        domain.setMemory(loads.START_MIB * 1024)
    deadline = time.monotonic() + RESET_PATIENCE_SEC
    for name in names:
        domain = connection.lookupByName(name)
        while abs(host.read_memory(domain).actual_mib - loads.START_MIB) > verdicts.CHANGE_MIB:
            if time.monotonic() > deadline:
                raise lab.LabError(f"{name} does not come back to {loads.START_MIB} MiB")
            time.sleep(0.2)


class Runner:
    """One trial from the program's start to its end."""

    def __init__(
        self,
        test: loads.Test,
        command: list,
        outdir: Path,
        interval: float,
        show: Optional[Show],
    ):
        self.test = test
        self.command = command
        self.outdir = outdir
        self.show = show
        self.connection = host.connect(lab.uri())
        self.probes: list = []
        self.trial = Trial(Recording(test.name), interval)

    def run(self) -> Trial:
        outdir, name = self.outdir, f"test{self.test.name}"
        outdir.mkdir(parents=True, exist_ok=True)
        reset_guests(self.connection, loads.ALL)
        self.probes = [GuestProbe(self.connection, guest) for guest in loads.ALL]
        start = time.monotonic()
        program = Program(self.command, outdir / f"{name}.coordinator.log")
        try:
            self._watch(program, start)
            self._measure(program, time.monotonic() - start)
        finally:
            self.trial.exit_code, self.trial.exit_sec = program.end()
            self.trial.recording.save(outdir / f"{name}.csv")
            for probe in self.probes:
                probe.lab_guest.stop_load()
        self.trial.verdicts = verdicts.judge(self.trial, loads.expectations(self.test))
        return self.trial

    def _watch(self, program: Program, start: float) -> None:
        """Samples at a steady pace until nothing more is to be seen, or the program has ended."""
        tick = 0
        while program.runs():
            now = time.monotonic() - start
            marks = self.trial.recording.marks
            if not marks and now >= LOAD_DELAY_SEC:
                self._start_loads(start)
            for probe in self.probes:
                probe.follow()
            if tick % TICKS_PER_SAMPLE == 0:
                self._sample(now)
                if math.isnan(self.trial.early_rss_kib) and now >= EARLY_RSS_SEC:
                    _cpu, self.trial.early_rss_kib = program.cpu_and_rss()
                if marks and self._is_over(now):
                    return
            # Ticks that came too late are left out, so that the pace has no drift.
            tick = max(tick + 1, int((time.monotonic() - start) / TICK_SEC))
            time.sleep(max(0.0, start + tick * TICK_SEC - time.monotonic()))

    def _start_loads(self, start: float) -> None:
        begin = time.monotonic() - start
        for guest in self.test.loaded():
            lab.Guest(guest).load(self.test.plan(guest))
        self.trial.recording.marks = [
            Mark(begin + seconds, kind, label) for seconds, kind, label in self.test.timeline()
        ]

    def _sample(self, now: float) -> None:
        samples = [probe.sample(now) for probe in self.probes]
        self.trial.recording.samples += samples
        self.trial.longest_low_sec = {
            probe.name: probe.longest_low_ms / 1000 for probe in self.probes
        }
        if self.show:
            begun = [mark.label for mark in self.trial.recording.marks if mark.seconds <= now]
            self.show(now, begun[-1] if begun else "all are idle", samples)

    def _is_over(self, now: float) -> bool:
        if now < self.trial.recording.marks[-1].seconds:
            return False
        freeing, _end = self.trial.phase(loads.FREE)
        return now >= freeing + WATCH_SEC or (self._is_calm(now) and self._is_content())

    def _is_calm(self, now: float) -> bool:
        sizes = [self.trial.sizes(guest, now - CALM_SEC) for guest in loads.ALL]
        return all(max(seen) - min(seen) <= verdicts.CHANGE_MIB for seen in sizes)

    def _is_content(self) -> bool:
        judged = verdicts.judge(self.trial, list(self.test.expectations))
        return all(verdict.passed for verdict in judged)

    def _measure(self, program: Program, now: float) -> None:
        self.trial.run_sec = now
        self.trial.ended_early = not program.runs()
        if not self.trial.ended_early:
            self.trial.cpu_sec, self.trial.last_rss_kib = program.cpu_and_rss()


def run_trial(
    test: loads.Test,
    command: list,
    outdir: Path,
    interval: float,
    show: Optional[Show] = None,
) -> Trial:
    """Leaves outdir/testNAME.csv and outdir/testNAME.coordinator.log. The lab must be up with four guests.

    Raises LabError where the guests or libvirt have failed, OSError where the program is not to be
    started or outdir not to be written to.
    """
    try:
        return Runner(test, command, outdir, interval, show).run()
    except libvirt.libvirtError as error:
        raise lab.LabError(str(error)) from error
