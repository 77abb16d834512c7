"""Shows the memory coordinator at work: the course's tests in four real guests, judged and drawn.

Builds the program, boots the guests, runs every test with the program beside it, and ends the
guests again unless they were up before. Takes under eight minutes, with KVM or without.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPTS = REPOSITORY / "scripts"
sys.dont_write_bytecode = True

import command
import lab
import loads
from trial import run_trial

GUESTS = 4
LINE_PERIOD_SEC = 2.0
BAR_MIB = 2048
BAR_WIDTH = 48


class DemoError(Exception):
    """What went wrong, for a person to read."""


def test_names(text: str) -> list:
    names = [name for word in text.split(",") for name in (["3a", "3b"] if word == "3" else [word])]
    for name in names:
        if name not in loads.TESTS:
            raise argparse.ArgumentTypeError(f"no such test: {name!r} (there are {', '.join(loads.TESTS)})")
    return names


def parse_arguments() -> argparse.Namespace:
    parser = command.Parser(
        prog="demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--interval",
        metavar="SECONDS",
        type=command.interval,
        default=1.0,
        help="the program's interval (default 1)",
    )
    parser.add_argument(
        "--tests", metavar="LIST", type=test_names, default=list(loads.TESTS), help="which of 1,2,3a,3b (default all)"
    )
    parser.add_argument(
        "--program",
        metavar="COMMAND",
        help="judge this program instead of ./memory_coordinator: it is started as COMMAND INTERVAL, "
        "with the guests' URI in $LIBVIRT_DEFAULT_URI",
    )
    command.add_rate(parser)
    parser.add_argument(
        "--output",
        metavar="DIR",
        type=Path,
        default=REPOSITORY / "build" / "demo",
        help="where recordings, logs and pictures go (default build/demo)",
    )
    return parser.parse_args()


def run(*words) -> None:
    """Runs a step of the preparation; raises DemoError if it fails."""
    try:
        code = subprocess.run(words, cwd=REPOSITORY, check=False).returncode
    except OSError as error:
        raise DemoError(f"{words[0]}: {error.strerror}") from error
    if code != 0:
        raise DemoError(f"{' '.join(map(str, words))} failed with status {code}")


class Table:
    """A bar per guest, redrawn in place: used memory solid, unused light, up to what it may grow to."""

    def __init__(self) -> None:
        self.lines = 0
        utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
        self.used, self.unused = ("█", "░") if utf8 else ("#", "-")

    def show(self, test: str, now: float, phase: str, samples: list) -> None:
        lines = [f"{now:5.0f} s  test {test}: {phase}"] + [self.row(sample) for sample in samples]
        width = shutil.get_terminal_size().columns - 1
        back = f"\033[{self.lines}A" if self.lines else ""
        sys.stdout.write(back + "".join(f"\033[2K{line[:width]}\n" for line in lines))
        sys.stdout.flush()
        self.lines = len(lines)

    def row(self, sample) -> str:
        # The guest's own figure of what is free: there is always one.
        used = round((sample.actual_mib - sample.free_mib) / BAR_MIB * BAR_WIDTH)
        size = round(sample.actual_mib / BAR_MIB * BAR_WIDTH)
        bar = (self.used * used + self.unused * (size - used))[:BAR_WIDTH].ljust(BAR_WIDTH)
        return f"  {sample.guest} |{bar}| {sample.actual_mib:5.0f} MiB, {sample.free_mib:4.0f} unused"

    def end(self) -> None:
        self.lines = 0


class Lines:
    """The same for a file or a pipe: a line now and then."""

    def __init__(self) -> None:
        self.due = 0.0

    def show(self, test: str, now: float, phase: str, samples: list) -> None:
        if now < self.due:
            return
        self.due = now + LINE_PERIOD_SEC - 0.1
        sizes = "  ".join(f"{s.guest} {s.actual_mib:4.0f}/{s.free_mib:<4.0f}" for s in samples)
        print(f"{now:5.0f} s  {sizes}  {phase}", flush=True)

    def end(self) -> None:
        self.due = 0.0


def choose_display():
    plain = not sys.stdout.isatty() or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    return Lines() if plain else Table()


def prepare(arguments: argparse.Namespace) -> None:
    if arguments.program is None:
        print("building memory_coordinator", flush=True)
        run("make", "-s")
    arguments.output.mkdir(parents=True, exist_ok=True)


def program_of(arguments: argparse.Namespace) -> list:
    """How the program under test is started in the lab, which must be up."""
    if arguments.program is None:
        words = [str(REPOSITORY / "memory_coordinator"), "-c", lab.uri()]
    else:
        words = shlex.split(arguments.program)
    return [*words, f"{arguments.interval:g}"]


def run_test(name: str, arguments: argparse.Namespace, display) -> list:
    test = loads.TESTS[name].at_rate(arguments.rate)
    print(f"\nTest {name}: {test.title}", flush=True)
    trial = run_trial(
        test,
        program_of(arguments),
        arguments.output,
        arguments.interval,
        lambda now, phase, samples: display.show(name, now, phase, samples),
    )
    display.end()
    for verdict in trial.verdicts:
        print(verdict, flush=True)
    if trial.recording.samples:
        title = f"Test {name}: {test.title} (interval {arguments.interval:g} s)"
        run(SCRIPTS / "plot", "-t", title, arguments.output / f"test{name}.csv")
    return trial.verdicts


def run_tests(arguments: argparse.Namespace) -> list:
    """Every verdict; the lab is left as it was found."""
    was_up = lab.is_up()
    try:
        lab.up(GUESTS, tell=lambda line: print(line, flush=True))
        display = choose_display()
        return [
            verdict for name in arguments.tests for verdict in run_test(name, arguments, display)
        ]
    finally:
        if not was_up:
            lab.down()


def conclude(judged: list, arguments: argparse.Namespace, seconds: float) -> int:
    passed = sum(verdict.passed for verdict in judged)
    failed = len(judged) - passed
    print(f"\nPictures, recordings and logs are in {arguments.output} ({seconds:.0f} s in all):")
    for name in arguments.tests:
        print("  " + "  ".join(path.name for path in sorted(arguments.output.glob(f"test{name}.*"))))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def main() -> int:
    command.interrupt_once()
    arguments = parse_arguments()
    start = time.monotonic()
    try:
        prepare(arguments)
        judged = run_tests(arguments)
    except KeyboardInterrupt:
        print("demo: interrupted", file=sys.stderr)
        return 130
    except (DemoError, lab.LabError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    return conclude(judged, arguments, time.monotonic() - start)


if __name__ == "__main__":
    sys.exit(main())
