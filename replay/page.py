"""The page that ``quasar audit --report`` writes: one file of HTML that needs nothing else.

A pure function of what was judged: no clock, no script, no address that a browser would call. Every
text from a log is escaped by ``page_html``.
"""

from quasar.replay.page_html import Html, tag
from quasar.replay.page_sections import (
    SECTIONS,
    findings,
    how_to_repeat,
    noted,
    plots,
    run_again,
    standings,
    what_was_checked,
    what_was_not,
    who_signed,
)
from quasar.replay.page_style import POLICY, STYLE
from quasar.replay.page_words import AuditPage, headline, lead

ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'%3E"
    "%3Ccircle cx='4' cy='4' r='3' fill='{}'/%3E%3C/svg%3E"
)
GREEN, RED = "%23116329", "%23a40e26"


def render(page: AuditPage) -> str:
    """The whole file."""
    parts = [
        _verdict(page),
        _tiles(page),
        tag("nav", *[tag("a", title, href=f"#{name}") for name, title in SECTIONS.items()]),
        who_signed(page),
        what_was_checked(page),
        run_again(page),
        what_was_not(page),
        findings(page),
        standings(page),
        noted(page),
        plots(page),
        how_to_repeat(page),
    ]
    body = tag("body", tag("main", *parts, _footer(page)))
    return f"<!doctype html>\n{tag('html', _head(page), body, lang='en')}\n"


def _head(page: AuditPage) -> Html:
    named = page.opened.log_id if page.opened else "a log"
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", f"{'Clean' if page.clean else 'Divergent'}: audit of log {named}"),
        tag("link", rel="icon", href=ICON.format(GREEN if page.clean else RED)),
        tag("style", Html(STYLE)),
    )


def _verdict(page: AuditPage) -> Html:
    return tag(
        "header",
        tag("p", "Quasar audit report", class_="eyebrow"),
        tag("h1", headline(page)),
        *[tag("p", words) for words in lead(page)],
        id="verdict",
        class_=f"verdict {page.report.result}",
    )


def _tiles(page: AuditPage) -> Html:
    report, board = page.report, page.board
    tiles = [
        ("events", report.events),
        ("rounds scored", board.rounds),
        ("answers", board.answers),
        ("miners", len(board.miners)),
        ("weight rows", board.rows.seen),
        ("findings", report.findings),
    ]
    return tag(
        "dl",
        *[tag("div", tag("dt", name), tag("dd", f"{count:,}")) for name, count in tiles],
        class_="tiles",
    )


def _footer(page: AuditPage) -> Html:
    return tag(
        "footer",
        tag(
            "p",
            f"Made by quasar-subnet {page.program}. This page is one file: it holds no script, and "
            "calls nobody when it is opened.",
        ),
    )
