"""Shows the memory coordinator at work: the course's tests in four real guests, judged and drawn.

Builds the program, boots the guests, runs every test with the program beside it, and ends the
guests again unless they were up before. Takes eight to nine minutes.
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
import testfile
from trial import run_trial
from verdicts import Trial

REDIRECT = REPOSITORY / "build" / "redirect.so"
GUESTS = 4
LINE_PERIOD_SEC = 2.0
BAR_MIB = 2048
BAR_WIDTH = 48


class DemoError(Exception):
    """What went wrong, for a person to read."""


def tests_of(text: str) -> list:
    names = [name for word in text.split(",") for name in (["3a", "3b"] if word == "3" else [word])]
    for name in names:
        if name not in loads.TESTS:
            raise argparse.ArgumentTypeError(f"no such test: {name!r} (there are {', '.join(loads.TESTS)})")
    return [loads.TESTS[name] for name in names]


def test_of_file(text: str) -> loads.Test:
    try:
        return testfile.read(Path(text))
    except testfile.TestFileError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def add_trial_options(parser: argparse.ArgumentParser, output: str) -> None:
    """The options that say which tests are run, and how; chosen_tests() goes with them."""
    parser.add_argument(
        "--interval",
        metavar="SECONDS",
        type=command.interval,
        default=1.0,
        help="the program's interval (default 1)",
    )
    parser.add_argument(
        "--tests", metavar="LIST", type=tests_of, help="which of 1,2,3a,3b (default all, or none with --test)"
    )
    parser.add_argument(
        "--test",
        metavar="FILE",
        type=test_of_file,
        action="append",
        default=[],
        help="a test of your own (tests/course/FORMAT.md); may be said again",
    )
    command.add_rate(parser)
    parser.add_argument(
        "--output",
        metavar="DIR",
        type=Path,
        default=REPOSITORY / output,
        help=f"where recordings, logs and pictures go (default {output})",
    )


def chosen_tests(arguments: argparse.Namespace) -> list:
    """The tests to be run, at the rate of growth that was asked for."""
    chosen = arguments.tests or ([] if arguments.test else list(loads.TESTS.values()))
    return [test.at_rate(arguments.rate) for test in [*chosen, *arguments.test]]


def parse_arguments() -> argparse.Namespace:
    parser = command.Parser(
        prog="demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_trial_options(parser, "build/demo")
    parser.add_argument(
        "--program",
        metavar="COMMAND",
        help="judge this program instead of ./memory_coordinator: it is started as COMMAND INTERVAL, "
        "with the guests' URI in $LIBVIRT_DEFAULT_URI (scripts/grade gives points too)",
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


def build_redirection() -> None:
    """What leads programs with qemu:///system in their code to the lab's guests."""
    REDIRECT.parent.mkdir(exist_ok=True)
    run("cc", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC", "-o", REDIRECT, SCRIPTS / "lib" / "redirect.c")


def prepare(arguments: argparse.Namespace) -> None:
    if arguments.program is None:
        print("building memory_coordinator", flush=True)
        run("make", "-s")
    else:
        build_redirection()
    arguments.output.mkdir(parents=True, exist_ok=True)


def program_of(arguments: argparse.Namespace) -> list:
    """How the program under test is started in the lab, which must be up."""
    if arguments.program is None:
        words = [str(REPOSITORY / "memory_coordinator"), "-c", lab.uri()]
    else:
        # Many have qemu:///system in their code.
        words = ["env", f"LD_PRELOAD={REDIRECT}", *shlex.split(arguments.program)]
    return [*words, f"{arguments.interval:g}"]


def run_test(test: loads.Test, arguments: argparse.Namespace, display) -> Trial:
    """Runs the test, shows and draws it."""
    name = test.name
    print(f"\nTest {name}: {test.title}", flush=True)
    trial = run_trial(
        test,
        program_of(arguments),
        arguments.output,
        arguments.interval,
        lambda now, phase, samples: display.show(name, now, phase, samples),
    )
    display.end()
    if trial.recording.samples:
        title = f"Test {name}: {test.title} (interval {arguments.interval:g} s)"
        run(SCRIPTS / "plot", "-t", title, arguments.output / f"test{name}.csv")
    return trial


def show_verdicts(trial: Trial) -> list:
    for verdict in trial.verdicts:
        print(verdict, flush=True)
    return trial.verdicts


def run_tests(arguments: argparse.Namespace) -> list:
    """Every verdict; the lab is left as it was found."""
    was_up = lab.is_up()
    try:
        lab.up(GUESTS, tell=lambda line: print(line, flush=True))
        display = choose_display()
        return [
            verdict
            for test in chosen_tests(arguments)
            for verdict in show_verdicts(run_test(test, arguments, display))
        ]
    finally:
        if not was_up:
            lab.down()


def list_files(arguments: argparse.Namespace) -> None:
    print(f"Pictures, recordings and logs are in {arguments.output}:")
    for test in chosen_tests(arguments):
        print("  " + "  ".join(path.name for path in sorted(arguments.output.glob(f"test{test.name}.*"))))


def conclude(judged: list, arguments: argparse.Namespace, seconds: float) -> int:
    passed = sum(verdict.passed for verdict in judged)
    failed = len(judged) - passed
    print(f"\n{seconds:.0f} s in all.", end=" ")
    list_files(arguments)
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
