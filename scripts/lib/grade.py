"""Judges a program that is run as PROGRAM INTERVAL, a student's coordinator say, in four real guests.

Plays the course's tests, or a teacher's, with the program beside them, as scripts/demo does, and prints a table:
each expected outcome, held or not, with the figure and the points. What a test is about counts 2 points an outcome,
what holds in every test 1. A test has no points where the program ends by itself, never moves any guest's memory,
or has a guest die. Exits with 0 only if every outcome held.

The guests' URI is in $LIBVIRT_DEFAULT_URI, and a connection to qemu:///system is led there. PROGRAM runs with the
rights of who grades. All that it has started is ended with it; of what it prints 4 MiB are kept.
"""

import argparse
import shlex
import shutil
import sys
from typing import NamedTuple

sys.dont_write_bytecode = True

import command
import demo
import host
import lab
import loads
import verdicts
from recording import Recording
from trial import reset_guests
from verdicts import Trial, Verdict

OWN_POINTS, COMMON_POINTS = 2, 1
NAME_WIDTH = 66


class Row(NamedTuple):
    """An expected outcome of a test."""

    verdict: Verdict
    points: int
    most: int


def parse_arguments() -> argparse.Namespace:
    parser = command.Parser(
        prog="grade", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("program", metavar="PROGRAM", help="a command, with its own arguments if it is quoted")
    demo.add_trial_options(parser, "build/grade")
    arguments = parser.parse_args()
    try:
        words = shlex.split(arguments.program)
    except ValueError as error:
        parser.error(f"PROGRAM {arguments.program!r}: {error}")
    if not words or not shutil.which(words[0]):
        parser.error(f"PROGRAM {arguments.program!r}: there is no such program, or it is not executable")
    return arguments


def rows_of(test: loads.Test, trial: Trial) -> list:
    """Every outcome that is expected of the test, whatever the trial came to."""
    counted = [(expectation, OWN_POINTS) for expectation in test.expectations]
    counted += [(law, COMMON_POINTS) for law in verdicts.laws(test.idle())]
    judged = [(expectation(trial), most) for expectation, most in counted]
    counts = has_acted(trial) and not trial.ended_early
    return [
        Row(verdict, most if verdict.passed and counts else 0, most)
        for verdict, most in judged
        if verdict is not None
    ]


def has_acted(trial: Trial) -> bool:
    """Has any guest had another size than at the start?"""
    return any(
        abs(size - loads.START_MIB) > verdicts.CHANGE_MIB
        for guest in trial.recording.guests()
        for size in trial.sizes(guest)
    )


def remark_on(trial: Trial, failure: str) -> str:
    """Why the whole test has no points; empty where it may have some."""
    if failure:
        return f"the guests or libvirt did not outlive it: {failure}"
    if trial.ended_early:
        return f"the program ended by itself, with status {trial.exit_code:g} after {trial.run_sec:.0f} s"
    if not has_acted(trial):
        return "the program has moved no memory"
    return ""


def print_table(rows: list, remark: str) -> None:
    if remark:
        print(f"  no points: {remark}")
    for row in rows:
        held = ("held" if row.points else "void") if row.verdict.passed else "NOT HELD"
        print(f"  {held:<8}  {row.points}/{row.most}  {row.verdict.expected:<{NAME_WIDTH}}  {row.verdict.measured}")
    print(f"  {sum(row.points for row in rows)} of {sum(row.most for row in rows)} points", flush=True)


def bring_up() -> None:
    lab.up(demo.GUESTS, tell=lambda line: print(line, flush=True))


def make_ready() -> None:
    """Guests as at every test's start; anew where the last program has left them in no state to be used."""
    try:
        bring_up()
        reset_guests(host.connect(lab.uri()), loads.ALL)
    except (lab.LabError, host.libvirt.libvirtError) as error:
        print(f"the guests are started anew ({error})", flush=True)
        lab.down()
        bring_up()


def grade_test(test: loads.Test, arguments: argparse.Namespace, display) -> list:
    make_ready()
    failure = ""
    try:
        trial = demo.run_test(test, arguments, display)
    except lab.LabError as error:
        failure = str(error)
        trial = Trial(Recording(test.name), arguments.interval)
    rows = rows_of(test, trial)
    print_table(rows, remark_on(trial, failure))
    return rows


def grade(arguments: argparse.Namespace) -> list:
    """All rows; the lab is up afterwards if it was before."""
    was_up = lab.is_up()
    display = demo.choose_display()
    try:
        return [
            row
            for test in demo.chosen_tests(arguments)
            for row in grade_test(test, arguments, display)
        ]
    finally:
        if not was_up:
            lab.down()


def main() -> int:
    command.interrupt_once()
    arguments = parse_arguments()
    try:
        demo.prepare(arguments)
        rows = grade(arguments)
    except KeyboardInterrupt:
        print("grade: interrupted", file=sys.stderr)
        return 130
    except (demo.DemoError, lab.LabError, OSError) as error:
        print(f"grade: {error}", file=sys.stderr)
        return 1
    print()
    demo.list_files(arguments)
    points, most = sum(row.points for row in rows), sum(row.most for row in rows)
    held = sum(row.points == row.most for row in rows)
    print(f"grade: {points} of {most} points ({points / most:.0%}), {held} of {len(rows)} outcomes held")
    return 0 if points == most else 1


if __name__ == "__main__":
    sys.exit(main())
