"""The page of a record: it holds everything, keeps what is foreign apart, and stays small."""

import html.parser
import re
import unittest
from xml.etree import ElementTree

import page
from figures import actions_of
from record import read_record
from support import asked, guest, line, simulate, write

HOSTILE = (
    "<script>document.title='owned'</script>",
    "\"><img src=x onerror=document.title='owned'>",
    "</script></style><svg onload=document.title='owned'>",
    "a\u202eb\x00\x1b[31m\ud800 &amp; '",
    "${7*7}{{7*7}}<!--",
)


class Elements(html.parser.HTMLParser):
    """Every element with its attributes, and the text of those of one name."""

    def __init__(self, text: str):
        super().__init__()
        self.elements: list = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def of(self, tag: str) -> list:
        return [attributes for name, attributes in self.elements if name == tag]


def hostile_record():
    guests = [
        guest(name, index + 1, 512, 300, **asked("grow", 512, 600, reason=name))
        for index, name in enumerate(HOSTILE)
    ]
    for one in guests:
        one["decision"]["bound"] = one["name"]
    odd = line(2, guests, uri=HOSTILE[0], version=HOSTILE[1])
    odd["policy"]["metric"] = HOSTILE[2]
    odd["decided"]["state"] = '"><script>'
    return read_record(write("hostile.json", [line(0, guests), odd]))


class Page(unittest.TestCase):
    def test_what_is_foreign_stays_text(self):
        text = page.build(hostile_record())
        found = Elements(text)
        self.assertEqual([len(found.of(tag)) for tag in ("script", "style", "img", "iframe", "object")], [1, 1, 0, 0, 0])
        for tag, attributes in found.elements:
            self.assertFalse([name for name in attributes if name.startswith("on") or name == "style"], tag)
        self.assertNotIn("\x00", text)
        text.encode("utf-8")

    def test_it_needs_nothing_else(self):
        path, _log = simulate("04", "tight", "2")
        text = page.build(read_record(path))
        found = Elements(text)
        self.assertNotRegex(text, r"https?://(?!www\.w3\.org)|@import|url\((?!#)")
        self.assertEqual([link["href"] for link in found.of("link")], ["data:,"])
        (policy,) = [meta["content"] for meta in found.of("meta") if meta.get("http-equiv")]
        self.assertIn("default-src 'none'", policy)
        self.assertNotIn("unsafe", policy)

    def test_every_action_has_a_row_and_a_mark(self):
        path, _log = simulate("04", "tight", "2")
        record = read_record(path)
        found = Elements(page.build(record))
        rows = {row["id"] for row in found.of("tr") if "id" in row}
        marks = [use["aria-labelledby"] for use in found.of("use") if "aria-labelledby" in use]
        self.assertEqual(len(actions_of(record)), len(rows))
        self.assertEqual((len(marks), set(marks)), (len(rows), rows))
        # One place in each chart for the Tab key.
        self.assertEqual(sum(use.get("tabindex") == "0" for use in found.of("use")), len(record.guests))

    def test_drawings_are_whole(self):
        path, _log = simulate("28", "ample", "1")
        for drawing in re.findall(r"<svg class=\"(?:area|lane|sizes|times)\".*?</g></svg>(?:</svg>)?", page.build(read_record(path))):
            self.assertNotRegex(drawing, "nan|inf")
        for d in re.findall(r' d="([^"]*)"', page.build(read_record(path))):
            self.assertRegex(d, r"^M[-0-9.MLHVZ ]+$")
        ElementTree.fromstring(re.search(r"<svg width=\"0\".*?</svg>", page.build(read_record(path)), re.S)[0])

    def test_no_guest_and_no_figure(self):
        nothing = line(0, [], host={"has_memory": False}, decided={"state": "high"})
        text = page.build(read_record(write("nothing.json", [nothing])))
        self.assertIn("Memory of 0 guests", text)
        self.assertIn("Nobody was asked", text)

    def test_a_long_run_is_thinned_out_but_keeps_what_stands_out(self):
        """12000 cycles of 6 guests; one of them peaks in a single cycle, another dips."""
        lines = []
        for number in range(12000):
            wave = 40 * ((number * 7919) % 13)
            guests = [guest(f"vm{index}", index + 1, 700 + wave, 150 + (number * 31 + index) % 50) for index in range(6)]
            if number == 7777:
                guests[2] = guest("vm2", 3, 1900, 170)
            if number == 3333:
                guests[2] = guest("vm2", 3, 700 + wave, 3)
            if number % 40 == 0:
                guests[0] = guest("vm0", 1, 700 + wave, 150, **asked("grow", 700 + wave, 1000 + number % 997))
            lines.append(line(2 * number, guests))
        record = read_record(write("long.json", lines))
        text = page.build(record)
        self.assertLess(len(text), 3_000_000)
        self.assertEqual(len(re.findall(r'<tr id="a', text)), 300)
        third = text[text.index('id="g3"') : text.index('id="g4"')]
        self.assertIn("15554 1900", re.search(r'class="size"[^>]* d="([^"]*)"', third)[1])
        self.assertIn("6666 3L", re.search(r'class="unused"[^>]* d="([^"]*)"', third)[1])

    def test_too_many_actions_lose_the_smallest(self):
        most = page.MOST_ACTIONS
        try:
            page.MOST_ACTIONS = 3
            sizes = (600, 520, 900, 512 + 1, 700)
            lines = [line(2 * at, [guest("a", 1, 512, 100, **asked("grow", 512, to))]) for at, to in enumerate(sizes)]
            text = page.build(read_record(write("many.json", lines)))
        finally:
            page.MOST_ACTIONS = most
        self.assertEqual(re.findall(r"512\.0 → ([0-9.]+) MiB", text), ["600.0", "900.0", "700.0"])
        self.assertIn("2 smallest moves", text)
