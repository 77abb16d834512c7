"""The page in a real browser: Chromium without a window."""

import base64
import re
import subprocess
import unittest

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

import page
import reasons
from figures import actions_of
from record import read_record
from support import FOLDER, simulate
from test_page import HOSTILE, hostile_record

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip

MARK = ".marks use"
WIDE, NARROW = 1280, 390

# What must be told apart from the paper: text as WCAG 2 wants it for small print, and lines.
TEXT_COLOURS, TEXT_CONTRAST = ("--ink", "--faint", "--size"), 4.5
LINE_COLOURS, LINE_CONTRAST = ("--unused", "--available", "--promised", "--bound", "--target"), 3.0


def luminance(colour: str) -> float:
    digits = colour.strip().lstrip("#")
    digits = "".join(digit * 2 for digit in digits) if len(digits) == 3 else digits
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lights = sorted((luminance(one), luminance(other)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


class Browser(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        options = webdriver.ChromeOptions()
        for flag in (*FLAGS, f"--user-data-dir={FOLDER / 'browser'}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        cls.driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
        cls.addClassCleanup(cls.driver.quit)
        path, _log = simulate("04", "tight", "2")
        cls.record = read_record(path)
        cls.page = FOLDER / "page.html"
        cls.page.write_text(page.build(cls.record), encoding="utf-8")
        cls.hostile = FOLDER / "hostile.html"
        cls.hostile.write_text(page.build(hostile_record()), encoding="utf-8")

    def open(self, path, width: int = WIDE, scheme: str = "light") -> None:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        self.driver.get("about:blank")  # a page that is opened again is not the one before
        self.driver.get(path.as_uri())

    def run_script(self, script: str, *arguments):
        return self.driver.execute_script(script, *arguments)

    def act(self) -> ActionChains:
        return ActionChains(self.driver, duration=0)

    def press(self, *keys) -> None:
        self.act().send_keys(*keys).perform()

    def tip(self) -> str:
        """The text that is to be seen, or nothing."""
        return self.driver.find_element(By.ID, "tip").text

    def assert_tip(self, action) -> None:
        move = reasons.say_move(action.look).replace("->", "→")
        self.assertIn(f"{action.name}: {move}", self.tip())
        self.assertIn(reasons.say_why(action.look), self.tip())
        inside = self.run_script(
            "const box = document.getElementById('tip').getBoundingClientRect();"
            "return box.left >= 0 && box.right <= document.documentElement.clientWidth && box.top >= 0"
        )
        self.assertTrue(inside)

    def tab_to_mark(self):
        for _press in range(12):
            self.press(Keys.TAB)
            if self.run_script(f"return document.activeElement.matches('{MARK}')"):
                return
        self.fail("no mark has the focus after 12 times Tab")

    def actions(self, name: str) -> list:
        return [action for action in actions_of(self.record) if action.name == name]

    def tearDown(self):
        self.assertEqual(self.driver.get_log("browser"), [])
        self.assertEqual(self.run_script("return performance.getEntriesByType('resource').length"), 0)


class Drawing(Browser):
    def test_everything_is_drawn_at_any_width_in_light_and_dark(self):
        papers = set()
        for width in (WIDE, NARROW):
            for scheme in ("light", "dark"):
                with self.subTest(width=width, scheme=scheme):
                    self.open(self.page, width, scheme)
                    papers.add(self.run_script("return getComputedStyle(document.body).backgroundColor"))
                    self.assert_drawn(width)
                    self.assert_labels_apart()
                    self.assert_colours_differ_from_paper()
        self.assertEqual(len(papers), 2)

    def assert_drawn(self, width: int) -> None:
        self.assertLessEqual(self.run_script("return document.documentElement.scrollWidth"), width)
        areas = self.run_script(
            "return [...document.querySelectorAll('.area')].map((area) => [area.getBoundingClientRect().width,"
            " area.getBoundingClientRect().height,"
            " Math.max(...[...area.querySelectorAll('.curves path')].map((path) => path.getBoundingClientRect().width))])"
        )
        self.assertEqual(len(areas), len(self.record.guests) + 1)
        for area_width, height, drawn in areas:
            self.assertGreater(area_width, 0.6 * width if width == WIDE else 200)
            self.assertGreater(height, 150)
            self.assertGreater(drawn, 0.98 * area_width)
        sizes = self.run_script(
            f"return [...document.querySelectorAll('{MARK}')].map((mark) => mark.getBoundingClientRect().width)"
        )
        self.assertEqual(len(sizes), len(actions_of(self.record)))
        self.assertGreater(min(sizes), 8)

    def assert_labels_apart(self) -> None:
        overlap = self.run_script(
            "return [...document.querySelectorAll('.times')].some((axis) => {"
            " const boxes = [...axis.children].map((text) => text.getBoundingClientRect()).filter((box) => box.width);"
            " return boxes.some((box, i) => i > 0 && box.left < boxes[i - 1].right + 2); })"
        )
        self.assertFalse(overlap)

    def assert_colours_differ_from_paper(self) -> None:
        names = ["--paper", *TEXT_COLOURS, *LINE_COLOURS]
        colours = self.run_script(
            "const style = getComputedStyle(document.documentElement);"
            " return arguments[0].map((name) => style.getPropertyValue(name))", names
        )  # fmt: skip
        colour = dict(zip(names, colours, strict=True))
        for names, least in ((TEXT_COLOURS, TEXT_CONTRAST), (LINE_COLOURS, LINE_CONTRAST)):
            for name in names:
                self.assertGreater(contrast(colour[name], colour["--paper"]), least, name)

    def test_it_prints_whole(self):
        """All actions, not only those that the scrolled table shows, and no page of nothing."""
        self.open(self.page, scheme="dark")
        pdf = FOLDER / "page.pdf"
        printed = self.driver.execute_cdp_cmd("Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.69})
        pdf.write_bytes(base64.b64decode(printed["data"]))
        text = subprocess.run(["pdftotext", "-layout", pdf, "-"], capture_output=True, text=True, check=True).stdout
        self.assertEqual(len(re.findall(r"→", text)), len(actions_of(self.record)))
        self.assertNotIn("Point at a chart", text)
        for sheet in text.rstrip("\f").split("\f"):
            self.assertTrue(sheet.strip())


class Pointer(Browser):
    def test_a_mark_tells_its_reason(self):
        for width in (WIDE, NARROW):
            self.open(self.page, width)
            for number in (0, 57, len(actions_of(self.record)) - 1):
                action = actions_of(self.record)[number]
                mark = self.driver.find_element(By.CSS_SELECTOR, f"[aria-labelledby=a{number}]")
                self.run_script("arguments[0].scrollIntoView({block: 'center'})", mark)
                place = mark.rect
                self.act().move_to_element(mark).perform()
                if width == WIDE:
                    self.assert_tip(action)
                else:  # where it is narrow the mark's neighbours may be on top of it
                    self.assertIn(f"{action.name}: ", self.tip())
                self.assertEqual(mark.rect, place)

    def test_it_goes_when_the_pointer_does(self):
        self.open(self.page)
        mark = self.driver.find_element(By.CSS_SELECTOR, MARK)
        self.act().move_to_element(mark).perform()
        self.assertTrue(self.tip())
        self.act().move_to_element(self.driver.find_element(By.TAG_NAME, "h1")).pause(0.5).perform()
        self.assertEqual(self.tip(), "")

    def test_a_chart_tells_its_figures(self):
        """At the time of a cycle, those of that cycle."""
        self.open(self.page)
        guest = next(iter(self.record.guests.values()))
        look = guest.looks[len(guest.looks) // 2]
        area = self.driver.find_element(By.CSS_SELECTOR, "#g1 .area")
        self.run_script("arguments[0].scrollIntoView({block: 'center'})", area)
        x, width = self.run_script("const box = arguments[0].getBoundingClientRect(); return [box.left, box.width]", area)
        at = x + width * look.seconds / self.record.length_sec()
        self.act().move_to_element_with_offset(area, round(at - x - width / 2), 0).perform()
        text = self.driver.find_element(By.CSS_SELECTOR, "#g1 .readout").text
        told = {title: float(value.replace(",", "")) for title, value in re.findall(r"· ([a-z ]+) ([0-9.,]+)", text)}
        for title, value in (("size", look.actual), ("unused", look.unused), ("used", look.used), ("target", look.target)):
            self.assertAlmostEqual(told[title], value, delta=2, msg=text)


class Keyboard(Browser):
    def focused(self) -> str:
        return self.run_script("return document.activeElement.getAttribute('aria-labelledby')")

    def test_from_mark_to_mark(self):
        self.open(self.page)
        first, second = list(self.record.guests.values())[:2]
        actions, others = self.actions(first.name), self.actions(second.name)
        self.tab_to_mark()
        self.assert_tip(actions[0])
        for keys, action in (
            ([Keys.ARROW_RIGHT], actions[1]),
            ([Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT], actions[2]),
            ([Keys.END], actions[-1]),
            ([Keys.ARROW_RIGHT], actions[-1]),
            ([Keys.HOME], actions[0]),
            ([Keys.ARROW_LEFT], actions[0]),
            ([Keys.ARROW_DOWN], others[0]),
            ([Keys.ARROW_UP], actions[0]),
        ):
            self.press(*keys)
            self.assert_tip(action)
        self.press(Keys.ESCAPE)
        self.assertEqual(self.tip(), "")
        self.press(Keys.ARROW_RIGHT)
        self.assert_tip(actions[1])
        # Tab leaves the chart, and comes back to the mark that was left.
        left = self.focused()
        self.press(Keys.TAB)
        self.assert_tip(others[0])
        self.act().key_down(Keys.SHIFT).send_keys(Keys.TAB).key_up(Keys.SHIFT).perform()
        self.assertEqual(self.focused(), left)

    def test_the_focus_can_be_seen(self):
        self.open(self.page)
        self.tab_to_mark()
        style = self.run_script("const style = getComputedStyle(document.activeElement); return [style.outlineStyle, style.outlineWidth]")
        self.assertEqual(style, ["solid", "2px"])

    def test_what_a_screen_reader_hears(self):
        self.open(self.page)
        self.tab_to_mark()
        action = actions_of(self.record)[0]
        mark = self.run_script("return document.activeElement")
        self.assertIn(reasons.say_why(action.look), mark.accessible_name)
        self.assertIn(action.name, mark.accessible_name)
        for area in self.driver.find_elements(By.CSS_SELECTOR, ".area"):
            self.assertRegex(area.accessible_name, r"from [0-9.,]+ to [0-9.,]+ MiB")


class Foreign(Browser):
    def test_names_are_shown_and_not_obeyed(self):
        self.open(self.hostile)
        self.assertNotEqual(self.driver.title, "owned")
        names = [element.text for element in self.driver.find_elements(By.CSS_SELECTOR, "h3 bdi")]
        for name in (HOSTILE[0], HOSTILE[1], HOSTILE[2], HOSTILE[4]):
            self.assertIn(name, names)
        self.tab_to_mark()
        self.assertTrue(self.tip())
        self.assertNotEqual(self.driver.title, "owned")
        self.assertEqual(self.run_script("return document.querySelectorAll('#tip *').length"), 3)


del Browser  # is no test of its own
