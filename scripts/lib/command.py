"""What the scripts share as commands: argument types, and how they are interrupted."""

import argparse
import math
import signal
import sys

import loads


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong with the command, in place of the whole usage."""

    def error(self, message: str) -> None:
        print(f"{self.prog}: {message} ({self.prog} -h explains)", file=sys.stderr)
        sys.exit(2)


def positive_number(text: str) -> float:
    """A finite number above 0, decimals allowed."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise argparse.ArgumentTypeError(f"not a number above 0: {text!r}")
    return number


def interval(text: str) -> float:
    """Seconds, as the coordinator takes them."""
    number = positive_number(text)
    if not 0.1 <= number <= 3600:
        raise argparse.ArgumentTypeError(f"not from 0.1 to 3600 seconds: {text!r}")
    return number


def positive_count(text: str) -> int:
    """A whole number above 0."""
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"not a whole number above 0: {text!r}")
    return int(text)


def load_rate(text: str) -> float:
    number = positive_number(text)
    if number > loads.LARGEST_RATE_MIB_PER_SEC:
        raise argparse.ArgumentTypeError(
            f"more than {loads.LARGEST_RATE_MIB_PER_SEC:g} MiB/s: {text!r}"
        )
    return number


def add_rate(parser) -> None:
    """The option of a command that plays the tests' loads."""
    parser.add_argument(
        "--rate",
        metavar="MIB_PER_SEC",
        type=load_rate,
        default=loads.RATE_MIB_PER_SEC,
        help="how fast a load grows where the test says 20, its default (up to 28)",
    )


def interrupt_once() -> None:
    """SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt, and a second one does not disturb the
    cleaning up after the first."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(_number, _frame) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in numbers:
        signal.signal(number, interrupt)
