"""Records are read as they were written, and what is damaged is left out."""

import copy
import json
import math
import re
import unittest

import curves
import page
import reasons
import scenario
from figures import actions_of, figures_of
from record import RecordError, read_record
from support import FOLDER, ROOT, asked, guest, line, run, simulate, write

ODD_VALUES = (None, True, -1, 2**70, 2**63 - 1, 1.5, "", "<x>", "nan", [], {}, [1])


def places(fields, before=()):
    """Every place in a line, as a list of keys."""
    items = fields.items() if isinstance(fields, dict) else enumerate(fields)
    for key, value in items:
        yield (*before, key)
        if isinstance(value, (dict, list)):
            yield from places(value, (*before, key))


def changed(fields: dict, place: tuple, value) -> dict:
    fields = copy.deepcopy(fields)
    holder = fields
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    return fields


class Damage(unittest.TestCase):
    def test_a_line_that_is_cut_off_anywhere_is_left_out(self):
        whole = json.dumps(line(2, [guest("a", 1, 512, 300)])).encode()
        first = line(0, [guest("a", 1, 512, 300)])
        for length in range(1, len(whole), 7):
            record = read_record(write("cut.json", [first, whole[:length]]))
            self.assertEqual((len(record.cycles), [number for number, _ in record.damaged]), (1, [2]), length)

    def test_a_line_between_others_too(self):
        cut = json.dumps(line(2, [])).encode()[:40]
        lines = [line(0, []), cut + json.dumps(line(4, [])).encode() + b"\n", b"\xff\xfe\n", b"\n", line(6, [])]
        record = read_record(write("between.json", lines))
        self.assertEqual([cycle.seconds for cycle in record.cycles], [0, 6])
        self.assertEqual([number for number, _ in record.damaged], [2, 3])
        self.assertIn("2 lines are left out, the first is 2", record.say_damaged())

    def test_whatever_stands_in_a_field_is_read_or_left_out(self):
        """And what is read can be shown."""
        good = line(2, [guest("a", 1, 512, 300, **asked("grow", 512, 600))])
        outcomes = {"read": 0, "left out": 0}
        for place in places(good):
            for value in ODD_VALUES:
                path = write("odd.json", [line(0, [guest("a", 1, 512, 300)]), changed(good, place, value)])
                with self.subTest(place=place, value=value):
                    record = read_record(path)
                    self.assertEqual(len(record.cycles) + len(record.damaged), 2)
                    outcomes["left out" if record.damaged else "read"] += 1
                    if not record.damaged:
                        self.assertNotIn("<x>", page.build(record))
                        self.assertNotRegex(scenario.build(record), "[=:] ?(nan|inf)|<")
        self.assertGreater(min(outcomes.values()), 100)

    def test_nesting_and_huge_figures(self):
        deep = b"[" * 100000 + b"]" * 100000 + b"\n"
        large = b'{"memory_coordinator":1,"now_usec":' + b"9" * 5000 + b"}\n"
        record = read_record(write("deep.json", [line(0, []), deep, large, b'{"a":NaN}\n']))
        self.assertEqual(len(record.damaged), 3)

    def test_nothing_that_can_be_used(self):
        for name, text in (("empty", b""), ("text", b"hello\n"), ("format", json.dumps(line(0, []) | {"memory_coordinator": 2}).encode())):
            path = write(f"{name}.json", [text])
            with self.assertRaises(RecordError):
                read_record(path)
            for script in ("report", "scenario"):
                done = run(ROOT / "scripts" / script, path, status=1)
                self.assertRegex(done.stderr, rf"^{script}: {re.escape(str(path))}: [^\n]+\n$")
                self.assertEqual(done.stdout, "")
            self.assertFalse(path.with_suffix(".html").exists())

    def test_wrong_use(self):
        for script in ("report", "scenario"):
            for words in ((), ("a", "b"), ("--no-such", "a")):
                done = run(ROOT / "scripts" / script, *words, status=2)
                self.assertEqual(done.stderr.count("\n"), 1)
            self.assertIn("No such file", run(ROOT / "scripts" / script, FOLDER / "none", status=1).stderr)
            path = write("good.json", [line(0, [guest("a", 1, 512, 300)])])
            done = run(ROOT / "scripts" / script, path, "-o", FOLDER / "none" / "file", status=1)
            self.assertRegex(done.stderr, r"^\w+: .*none/file: No such file[^\n]*\n$")

    def test_what_is_left_out_is_told(self):
        path = write("told.json", [line(0, [guest("a", 1, 512, 300)]), b'{"memory_coor'])
        done = run(ROOT / "scripts" / "report", path)
        self.assertRegex(done.stderr, r"line 2 is left out")
        self.assertIn("line 2 is left out", path.with_suffix(".html").read_text())

    def test_a_file_that_is_no_record_gets_one_line_of_replay(self):
        path = write("text.json", [b"no record\n", b"at all\n"])
        done = run(ROOT / "memory_coordinator", "replay", path, status=1)
        self.assertRegex(done.stderr, r"text\.json: lines left out: 2, the first is 1: [^\n]*\n$")


class Time(unittest.TestCase):
    def test_a_host_that_was_started_anew(self):
        lines = [line(0, []), line(2, []), line(0, [], pid=9, wall_sec=1700000602), line(2, [], pid=9, wall_sec=1700000604)]
        record = read_record(write("anew.json", lines))
        self.assertEqual([cycle.seconds for cycle in record.cycles], [0, 2, 602, 604])
        self.assertEqual(record.starts, [602])

    def test_a_cycle_that_did_not_come_about(self):
        """Its line repeats the one before: no second action."""
        acting = guest("a", 1, 512, 100, **asked("grow", 512, 600))
        record = read_record(write("again.json", [line(0, [acting]), line(0, [acting]), line(2, [acting], is_connected=False)]))
        self.assertEqual(len(actions_of(record)), 1)
        self.assertEqual(len(record.cycles), 2)

    def test_no_line_is_drawn_over_a_gap(self):
        times = [0, 2, 4, 30, 32]
        record = read_record(write("gap.json", [line(at, [guest("a", 1, 512 + at, 300)]) for at in times]))
        for curve in [*curves.host_curves(record), *curves.guest_curves(record, next(iter(record.guests.values())))]:
            if curve.name != "most":
                self.assertEqual([(segment[0][0], segment[-1][0]) for segment in curve.segments], [(0, 4), (30, 32)], curve.name)


class Words(unittest.TestCase):
    def test_every_word_of_a_record_is_known(self):
        source = (ROOT / "src" / "record.c").read_text()
        for table, known in (("reasons", reasons.REASONS), ("bounds", reasons.BOUNDS)):
            entries = re.search(rf"word {table}\[\] = \{{(.*?)\}};", source, re.S)[1]
            self.assertEqual(re.findall(r'"([a-z-]+)"', entries), list(known))

    def test_actions_are_told_as_in_the_log(self):
        """The very lines, in their order within a cycle or not."""
        for which in (("04", "tight", "2"), ("19", "ample", "2"), ("21", "ample", "1"), ("29", "tight", "1"), ("33", "tight", "2")):
            path, log = simulate(*which)
            record = read_record(path)
            told = [
                f"{action.name}: {reasons.say_move(action.look)}: {reasons.say_why(action.look)}"
                for action in actions_of(record)
                if action.look.request == "made"
            ]
            logged = re.findall(r"^ *[0-9.]+ memory_coordinator: (\S+: [0-9.]+ -> .*)$", log, re.M)
            self.assertGreater(len(told), 30)
            self.assertEqual(sorted(told), sorted(logged), which)

    def test_a_dry_run_is_told_as_one(self):
        acting = guest("a", 1, 512, 100, **asked("grow", 512, 600, request="withheld"))
        record = read_record(write("dry.json", [line(0, [acting], is_dry_run=True)]))
        self.assertEqual(reasons.say_move(actions_of(record)[0].look), "would go 512.0 -> 600.0 MiB")
        self.assertIn("1 request not made", page.build(record))


class FiguresOfAGuest(unittest.TestCase):
    def figures(self, guests: list):
        lines = [line(2 * index, [one] if one else []) for index, one in enumerate(guests)]
        record = read_record(write("figures.json", lines))
        return figures_of(record, next(iter(record.guests.values())))

    def test_a_run_with_known_figures(self):
        found = self.figures([
            guest("a", 1, 500, 300, **asked("shrink", 500, 460, reason="spare")),
            guest("a", 1, 460, 260, **asked("grow", 460, 500, request="refused")),
            guest("a", 1, 460, 90, decision_reason="starving", **{"request": "made", "decision_action": "grow", "decision_from_kib": 460 * 1024, "decision_target_kib": 580 * 1024}),
            guest("a", 1, 580, 210, decision_reason="stale"),
            guest("a", 1, 580, 240),
        ])  # fmt: skip
        self.assertEqual((found.least_size, found.most_size), (460, 580))
        self.assertEqual((found.mean_unused, found.least_unused), (220, 90))
        self.assertEqual((found.moved, found.calls, found.not_done), (160, 2, 1))
        self.assertEqual((found.starving_sec, found.held_sec), (2, 2))
        self.assertEqual(found.shrink, 40)
        self.assertAlmostEqual(found.shrink_part, 0.08)

    def test_a_guest_started_anew_has_not_shrunk(self):
        self.assertEqual(self.figures([guest("a", 1, 1500, 300), None, guest("a", 1, 512, 300)]).shrink, 0)
        self.assertEqual(self.figures([guest("a", 1, 1500, 300), guest("a", 1, 512, 300, id=2)]).shrink, 0)

    def test_shrinks_within_two_seconds_add_up(self):
        lines = [line(index / 2, [guest("a", 1, 500 - 10 * index, 300)]) for index in range(10)]
        record = read_record(write("half.json", lines))
        self.assertEqual(figures_of(record, next(iter(record.guests.values()))).shrink, 40)

    def test_a_guest_that_says_nothing_has_no_figures(self):
        silent = guest("a", 1, 500, 300)
        for name in ("unused_kib", "usable_kib", "available_kib", "actual_kib", "rss_kib"):
            del silent[name]
        self.assertTrue(math.isnan(self.figures([silent]).mean_unused))
