"""The report page in a real browser: it is whole, it fits, it can be read, it calls nobody."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quasar.replay.page_sections import SECTIONS
from tests.e2e.chromium import Browser, open_browser
from tests.e2e.programs import run
from tests.unit.page_pieces import EVIL, divergent, finding, page_of

pytestmark = pytest.mark.browser

SIZES = [(1280, False), (1280, True), (390, False), (390, True)]
PLACES = """[...document.querySelectorAll('section')].map(s => {
  const at = s.getBoundingClientRect()
  return [s.id, at.left, at.right, at.height, s.querySelector('h2').textContent]
})"""
DRAWN = """[...document.querySelectorAll('figure > svg')].map(svg => {
  const box = svg.getBBox(), view = svg.viewBox.baseVal
  return [svg.getBoundingClientRect().width, box.x, box.x + box.width, view.width]
})"""
COLOURS = """['h1', '.verdict p', '.eyebrow', 'main > section p', '.tiles dt', '.tiles dd',
  'td.nil', 'td[class^="t"]', 'td small', 'thead th', 'pre', 'nav a', 'summary', 'figure p',
  'footer p'].map(name => {
  const found = document.querySelector(name), layers = []
  for (let at = found; at; at = at.parentElement) layers.push(getComputedStyle(at).backgroundColor)
  return [name, getComputedStyle(found).color, layers]
})"""
"""Text, and the backgrounds behind it from front to back."""


def write(path: Path, hash_seed: str) -> Path:
    """The report of the log that comes with the package; to make its tasks anew takes longer."""
    options = ["--levels", "scores,weights", "--report", str(path), "--json"]
    ran = run("audit", "sample", *options, PYTHONHASHSEED=hash_seed)
    assert ran.code == 0, ran
    return path


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("report") / "report.html", "1")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with open_browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.mark.parametrize(("width", "dark"), SIZES, ids=["wide", "wide-dark", "phone", "phone-dark"])
def test_the_page_of_the_sample(browser: Browser, page: Path, width: int, dark: bool) -> None:
    """Every section and plot fits a desk and a phone, nothing is fetched, nothing complains."""
    browser.show(page, width=width, dark=dark)
    places = browser.value(PLACES)
    assert [(name, title) for name, *_, title in places] == list(SECTIONS.items())
    assert all(left >= 0 and right <= width and high > 40 for _, left, right, high, _ in places)
    assert browser.value("document.documentElement.scrollWidth") <= width
    drawn = browser.value(DRAWN)
    assert len(drawn) == 4
    for shown, left, right, view in drawn:
        assert shown > 300
        assert 0 <= left < right <= view + 1
    assert [sent["request"]["url"] for sent in browser.seen("Network.requestWillBeSent")] == [
        page.as_uri()
    ]
    for kind in ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
        assert browser.seen(kind) == []


def test_the_same_log_gives_the_same_bytes(page: Path, tmp_path: Path) -> None:
    """In another process, whose sets and hashes have another order, under another file's name."""
    assert write(tmp_path / "again.html", "2").read_bytes() == page.read_bytes()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_words_stand_out_from_what_is_behind_them(browser: Browser, page: Path, dark: bool) -> None:
    """Every kind of text has the contrast that WCAG asks for, 4.5 to 1, in light and in dark."""
    browser.show(page, width=1280, dark=dark)
    for name, ink, layers in browser.value(COLOURS):
        ratio = contrast(over([ink]), over(layers))
        assert ratio >= 4.5, (name, ink, layers, ratio)


@pytest.mark.parametrize("width", [1280, 390], ids=["wide", "phone"])
def test_a_hostile_page_fits_too(browser: Browser, tmp_path: Path, width: int) -> None:
    """Markup, turned text and words without an end in a log's texts neither act nor overflow."""
    found = [finding(reason=said, recorded=said, field=said) for said in (EVIL, "x" * 5000)]
    path = tmp_path / "hostile.html"
    path.write_text(page_of(divergent(found), origin="y" * 300, note="z" * 500, command=EVIL))
    browser.show(path, width=width, dark=False)
    assert browser.value("document.documentElement.scrollWidth") <= width
    assert browser.value("document.querySelectorAll('.finding').length") == len(found)
    assert browser.value("document.scripts.length + document.images.length") == 0
    assert len(browser.seen("Network.requestWillBeSent")) == 1
    assert browser.seen("Log.entryAdded") == []


def test_the_policy_holds_in_a_browser(browser: Browser, page: Path) -> None:
    """A script, a style or an image that had got into the page would do nothing."""
    browser.show(page, width=1280, dark=False)
    browser.value("""(() => {
      const body = document.body
      const add = (name, set) => body.append(Object.assign(document.createElement(name), set))
      add('script', {textContent: 'window.owned = true'})
      add('style', {textContent: 'h1{display:none}'})
      add('img', {src: 'http://127.0.0.1:9/x.png'})
      body.setAttribute('onclick', 'window.owned = true')
      body.click()
    })()""")
    assert browser.value("window.owned === undefined") is True
    assert browser.value("document.querySelector('h1').offsetHeight") > 0
    said = " ".join(str(entry) for entry in browser.seen("Log.entryAdded"))
    assert said.count("Content Security Policy") >= 3


def over(layers: list[str]) -> list[float]:
    """The colour that is seen: each layer lies over those after it, and all over white."""
    seen = [255.0, 255.0, 255.0]
    for layer in reversed(layers):
        *rgb, alpha = ([float(n) for n in re.findall(r"[0-9.]+", layer)] + [1.0])[:4]
        seen = [alpha * one + (1 - alpha) * other for one, other in zip(rgb, seen, strict=True)]
    return seen


def contrast(one: list[float], other: list[float]) -> float:
    """WCAG 2's ratio of two colours."""
    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def luminance(rgb: list[float]) -> float:
    parts: list[Any] = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in rgb)
    ]
    return float(0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2])
