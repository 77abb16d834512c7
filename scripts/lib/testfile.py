"""A test of a teacher's own, read from a file. tests/course/FORMAT.md says what may be in it."""

import configparser
import re
from pathlib import Path
from typing import NamedTuple

import loads
import verdicts

LOAD_MOST_MIB = 1800
SECONDS_MOST = 600


class TestFileError(ValueError):
    """What is wrong with the file, and in which section."""


class Kind(NamedTuple):
    """A kind of expectation: what makes it, and what its words are."""

    make: object
    many_guests: bool
    numbers: int


KINDS = {
    "reach": Kind(verdicts.reach, True, 1),
    "ends-under": Kind(verdicts.ends_under, True, 1),
    "ends-within": Kind(verdicts.ends_within, False, 2),
    "all-near": Kind(lambda guests, percent: verdicts.all_near(guests, percent / 100), True, 1),
    "does-not-grow-on": Kind(verdicts.does_not_grow_on, False, 1),
    "never-fed": Kind(verdicts.never_fed, True, 1),
    "no-waste": Kind(verdicts.no_waste, False, 1),
    "back-under": Kind(verdicts.back_under, True, 2),
}
# These are judged at the end of a hold.
AT_TOP = {"ends-under", "ends-within", "all-near", "does-not-grow-on", "no-waste"}


def _whole(text: str, least: int, most: int, where: str) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", text) or not least <= int(text) <= most:
        raise TestFileError(f"{where}: expected {least} to {most}, not '{text}'")
    return int(text)


def _phase(name: str, keys: dict) -> loads.Phase:
    where = f"[{name}]"
    unknown = set(keys) - {"kind", "seconds", "label", *loads.ALL}
    if unknown:
        raise TestFileError(f"{where}: unknown key '{min(unknown)}'")
    kind = keys.get("kind", "")
    if kind not in (loads.GROW, loads.HOLD, loads.FREE):
        raise TestFileError(f"{where} kind: expected grow, hold or free, not '{kind}'")
    sizes = {
        guest: _whole(keys[guest], 0, LOAD_MOST_MIB, f"{where} {guest}")
        for guest in loads.ALL
        if guest in keys
    }
    told = ", ".join(f"{guest} to {size} MiB" for guest, size in sizes.items())
    label = keys.get("label") or f"{kind}{told and ': ' + told}"
    return loads.Phase(kind, label, _whole(keys.get("seconds", ""), 1, SECONDS_MOST, f"{where} seconds"), sizes)


def _expectation(key: str, words: list):
    kind, where = KINDS[key], f"[expect] {key}"
    guests = [word for word in words if word in loads.ALL]
    numbers = [word.removesuffix("%") for word in words[len(guests) :]]
    if words[: len(guests)] != guests or not guests or len(numbers) != kind.numbers:
        numbers_wanted = "one number" if kind.numbers == 1 else f"{kind.numbers} numbers"
        raise TestFileError(f"{where}: expected guests and {numbers_wanted}, not '{' '.join(words)}'")
    if not kind.many_guests and len(guests) > 1:
        raise TestFileError(f"{where}: expected one guest, not '{' '.join(guests)}'")
    values = [_whole(number, 0, 100000, where) for number in numbers]
    return kind.make(guests if kind.many_guests else guests[0], *values)


def _expectations(keys: dict, kinds: set) -> list:
    unknown = set(keys) - set(KINDS)
    if unknown:
        raise TestFileError(f"[expect]: unknown key '{min(unknown)}'")
    early = AT_TOP & set(keys)
    if early and loads.HOLD not in kinds:
        raise TestFileError(f"[expect] {min(early)}: there is no phase of kind hold to judge it by")
    return [
        _expectation(key, line.split())
        for key, lines in keys.items()
        for line in lines.splitlines()
        if line.strip()
    ]


def _test(name: str, parser: configparser.ConfigParser) -> loads.Test:
    sections = parser.sections()
    phases = [_phase(section, dict(parser[section])) for section in sections if section.startswith("phase ")]
    rest = [section for section in sections if not section.startswith("phase ")]
    if sorted(rest) != ["expect", "test"]:
        raise TestFileError("expected the sections [test], [phase 1]..., [expect] and no other")
    if set(parser["test"]) != {"title"}:
        raise TestFileError("[test]: expected a title and nothing else")
    kinds = {phase.kind for phase in phases}
    if loads.FREE not in kinds:
        raise TestFileError("there is no phase of kind free")
    expected = _expectations(dict(parser["expect"]), kinds)
    if not expected:
        raise TestFileError("[expect]: nothing is expected")
    return loads.Test(name, parser["test"]["title"], tuple(phases), tuple(expected))


def read(path: Path) -> loads.Test:
    """The test in the file. TestFileError, with one line that names the file, for any fault."""
    parser = configparser.ConfigParser(interpolation=None, default_section="", delimiters=("=",))
    try:
        with open(path, encoding="utf-8") as file:
            parser.read_file(file)
        if not re.fullmatch(r"[A-Za-z0-9_-]+", path.stem):
            raise TestFileError("the file's name may have letters, digits, '-' and '_'")
        return _test(path.stem, parser)
    except (TestFileError, configparser.Error, UnicodeDecodeError) as error:
        raise TestFileError(f"{path}: {' '.join(str(error).split())}") from error
    except OSError as error:
        raise TestFileError(f"{path}: {error.strerror}") from error
