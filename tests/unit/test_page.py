"""The report page: nothing breaks out of it, the same log gives the same bytes, nothing is lost."""

import base64
import hashlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasar.cli import app, logs, report
from quasar.cli.report import command_for
from quasar.cli.run import run
from quasar.errors import Damaged
from quasar.events import AnswerScored, WeightsComputed
from quasar.events.answer import AnswerReceived
from quasar.replay.finding import LISTED, Pending, Signer
from quasar.replay.page_data import Board, Mean, read_board
from quasar.replay.page_html import LONGEST, UNSEEN, block, tag
from quasar.replay.page_sections import AT_ONCE, SECTIONS
from quasar.replay.sample import draw_rounds
from quasar.replay.volumes import audit_volumes
from quasar.rules.machine import Recorded
from quasar.rules.projections import Leaderboard
from tests.builders import LineLog
from tests.forging import Forging, identity_of, played, report_of, write_archive
from tests.unit.page_pieces import EVIL, board_of, clean, divergent, finding, page_of

VOID = {"br", "circle", "line", "link", "meta", "path", "polyline", "rect"}


class Seen(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((name, dict(attributes)))
        if name not in VOID:
            self.open.append(name)

    def handle_startendtag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((name, dict(attributes)))

    def handle_endtag(self, name: str) -> None:
        assert self.open.pop() == name

    def handle_data(self, words: str) -> None:
        self.words.append(words)

    @property
    def text(self) -> str:
        return "".join(self.words)

    def ids(self) -> list[str]:
        return [found["id"] or "" for _, found in self.tags if "id" in found]


@given(st.text(max_size=200))
def test_no_text_breaks_out(said: str) -> None:
    """Any text, as content, as an attribute or line by line, is one text to a browser."""
    shown = UNSEEN.sub(lambda found: f"\\u{{{ord(found[0]):x}}}", said)
    seen = Seen(tag("td", said, title=said))
    assert seen.tags == [("td", {"title": shown})]
    assert (seen.text, seen.open) == (shown, [])
    assert Seen(block(said)).tags == [("pre", {})]


def test_long_texts_are_cut() -> None:
    """A text of a megabyte does not make a page of a megabyte."""
    assert len(tag("p", "x" * 10**6)) < LONGEST + 20


def test_a_hostile_log() -> None:
    """Markup in every text that a log could hold is shown, and makes no element and no request."""
    found = finding(reason=EVIL, field=EVIL, recorded=EVIL, recomputed=EVIL, type=EVIL)
    report = msgspec.structs.replace(
        divergent([found]),
        signer=Signer(hotkey=EVIL, pinned=False),
        not_checked=[EVIL],
        assumed={EVIL: 1},
        checkpoint_root=EVIL,
    )
    board = board_of(played().lines)
    board.programs, board.modes, board.policies, board.stopped = [EVIL], [EVIL], [EVIL], EVIL
    board.families.append(EVIL)
    miner = next(iter(board.miners.values()))
    miner.families[EVIL] = Mean(1, 1.0, 1.0)
    miner.hotkey = EVIL
    page = page_of(report, board, origin=EVIL, note=EVIL, command=EVIL, program=EVIL)
    seen = Seen(page)
    names = {name for name, _ in seen.tags}
    assert not names & {"script", "img", "iframe", "object", "embed", "base", "form", "a1"}
    for _, attributes in seen.tags:
        assert not [key for key in attributes if key.startswith("on") or key in {"src", "style"}]
        assert (attributes.get("href") or "#").startswith(("#", "data:image/svg+xml,"))
    assert seen.text.count("<script>alert(1)</script>") > 10
    assert "\u202e" not in page
    assert page.encode()  # no half of a surrogate pair


def test_the_policy_forbids_scripts_and_other_styles() -> None:
    """The Content-Security-Policy comes before the style, and allows that one by its hash alone."""
    page = page_of(clean())
    style = page[page.index("<style>") + 7 : page.index("</style>")]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = [
        found["content"] or ""
        for name, found in Seen(page).tags
        if name == "meta" and found.get("http-equiv") == "Content-Security-Policy"
    ]
    parts = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert parts["default-src"] == parts["script-src"] == "'none'"
    assert parts["style-src"] == f"'sha256-{digest}'"
    assert page.index("Content-Security-Policy") < page.index("<style>")
    assert "url(" not in style
    assert "@import" not in style


def test_the_same_log_gives_the_same_bytes() -> None:
    """A page depends on the log and on what was asked, and on nothing else."""
    one, two = (page_of(clean(), board_of(played().lines)) for _ in range(2))
    assert one == two


def test_a_clean_page() -> None:
    """It has every section, the counts of the report, and every miner in full."""
    seen = Seen(page_of(clean()))
    assert [name for name in seen.ids() if name in SECTIONS] == list(SECTIONS)
    assert "Clean: everything that was checked holds; the signer was not verified" in seen.text
    for words in (*clean().proved, *clean().not_checked):
        assert words in seen.text
    assert "failures of a miner for which only the validator's word stands: 1" in seen.text
    for hotkey in played().miners:
        assert hotkey in seen.text
    assert seen.open == []


def test_a_pinned_signer() -> None:
    """Whether the auditor named the validator changes the verdict's words."""
    assert clean().signer is not None
    signer = Signer(hotkey=identity_of(played()).hotkey, pinned=True)
    text = Seen(page_of(msgspec.structs.replace(clean(), signer=signer))).text
    assert "the signer was not verified" not in text
    assert "the hotkey that the auditor named" in text


def test_another_signer() -> None:
    """A log of somebody else than the auditor named says so beside the hotkey."""
    report = report_of(played().lines, played().log.blobs, next(iter(played().miners)))
    assert "This is NOT the hotkey that the auditor named." in Seen(page_of(report)).text


def test_every_finding_is_shown() -> None:
    """Up to the bound all are on the page, most of them folded; the rest is counted."""
    found = [finding(seq, reason=f"reason {seq}.", volume=2) for seq in range(1, LISTED + 1)]
    seen = Seen(page_of(divergent(found, LISTED + 234)))
    assert "Divergent: 1,234 things do not hold" in seen.text
    assert "The first 1,000 are listed, 234 more are counted." in seen.text
    assert f"{LISTED - AT_ONCE:,} more" in seen.text
    assert all(f"reason {seq}." in seen.text for seq in range(1, LISTED + 1))
    assert "volume 2, event 1 AnswerScored, level scores" in seen.text


def test_a_forged_log() -> None:
    """An audit lists what it found: the page names each with what was recorded and recomputed."""
    log = Forging(played())
    item = log.one(AnswerScored, lambda e: e.accuracy == 1.0)
    log.edit(item, reward=0.5)
    report = report_of(log.lines(), played().log.blobs)
    assert report.findings == len(report.listed) >= 1
    assert report.listed[0] == report.first_divergence
    text = Seen(page_of(report, board_of(log.lines()))).text
    assert f"event {log.place(item)} AnswerScored, level scores" in text
    assert "These are the log's own numbers, which did not all hold." in text


def test_findings_of_every_volume_are_listed() -> None:
    """Those of the first stand before those of the second, each with its volume's number."""
    log = Forging(played())
    log.edit(log.one(AnswerScored, lambda e: e.accuracy == 1.0), reward=0.5)
    logs = [LineLog(lines, played().log.blobs) for lines in (log.lines(), played().lines)]
    report = anyio.run(audit_volumes, logs)
    assert report.findings == len(report.listed) >= 2
    assert report.first_divergence == report.listed[0]
    assert all(found.volume == 1 for found in report.listed)
    assert report.listed[-1].reason == "volume 2 is missing, or stands elsewhere"


def test_a_partly_checked_log() -> None:
    """Clean claims no more than what was checked: what was left out is counted at the top."""
    left = ["chain: not compared", "level scores was left out", "3 steps are not revealed yet"]
    report = msgspec.structs.replace(
        clean(),
        not_checked=left,
        disputes=2,
        assumed={"code_verdicts": 5},
        pending=Pending(),
    )
    text = Seen(page_of(report)).text
    assert "3 points were not checked and 5 facts were taken as recorded" in text
    assert all(line in text for line in left)
    assert "2 receipts that miners signed" in text


def test_a_sample_of_rounds() -> None:
    """What was drawn, how likely a forgery is seen, and what waits for its secret."""
    report = msgspec.structs.replace(
        clean(),
        sample=draw_rounds(range(1, 101), 20, "lots"),
        pending=Pending(rounds=2, newest=1234),
        assumed={"unsampled_rounds": 80},
    )
    text = Seen(page_of(report)).text
    assert "Clean: everything that was sampled holds" in text
    assert "20 of 100 rounds, drawn with --seed lots" in text
    assert "1 forged round would be seen with probability 0.2000" in text
    assert "2 rounds not revealed yet, the newest of them round 1,234" in text
    assert "taken as recorded: 80" in text


def test_nothing_to_show_yet() -> None:
    """A log without a round has a page too, and one without a first event."""
    lines = played().lines[:2]
    page = page_of(report_of(lines, played().log.blobs), board_of(lines), note=None)
    assert "No round was opened." in page
    assert "There is nothing to plot yet." in page
    assert "There is no signed checkpoint." in page
    nobodys = msgspec.structs.replace(clean(), signer=None, checkpoint_root=None)
    assert "could not be computed" in page_of(nobodys, Board())


def test_a_damaged_log_is_shown_up_to_the_damage() -> None:
    """What stood before it is on the board; where and why it ends is said."""

    class Torn(LineLog):
        async def read(self, after: int = 0) -> Any:
            for seq, line in enumerate(self.lines, 1):
                if seq == 100:
                    raise Damaged(seq, "torn <b>here</b>")
                yield seq, line

    board = anyio.run(read_board, [Torn(played().lines, played().log.blobs)])
    assert 0 < board.answers < board_of(played().lines).answers
    page = page_of(divergent([finding()]), board)
    assert "Only a part could be read: event 100: torn &lt;b&gt;here" in page


def test_the_board_has_the_numbers_of_the_leaderboard() -> None:
    """Means, counts, shares and places agree with the fold that every other command shows."""
    board, known = board_of(played().lines), Leaderboard()
    for seq, line in enumerate(played().lines, 1):
        known.feed(Recorded(seq, line))
    shown = known.lines()
    assert [m.hotkey for m in board.ranked()] == [one.hotkey for one in shown]
    assert (board.rounds, board.row) == (known.rounds, known.row)
    for miner, one in zip(board.ranked(), shown, strict=True):
        assert one.reward is not None
        assert (miner.accuracy.n, miner.left_out) == (one.reward.n, one.not_scored)
        assert set(miner.buckets) == set(one.buckets)
        for name, summary in one.buckets.items():
            assert miner.buckets[name].mean == pytest.approx(summary.mean, abs=1e-12)
            if summary.se is not None:
                assert miner.buckets[name].error == pytest.approx(summary.se, abs=1e-9)
    assert board.answers == known.answers + known.abandoned == 27


def test_only_what_is_folded_is_decoded() -> None:
    """The mark that lines are chosen by stands in every event of the folded types, and in no text.

    An answer may say anything, and its quotes are escaped.
    """
    world = played()
    chosen = [Recorded(seq, line).event for seq, line in enumerate(world.lines, 1)]
    count = dict.fromkeys((AnswerScored, WeightsComputed), 0)
    for event in chosen:
        if type(event) in count:
            count[type(event)] += 1
    board = board_of(world.lines)
    assert board.answers == count[AnswerScored] + sum(m.left_out for m in board.miners.values())
    assert board.rows.seen == count[WeightsComputed] > 0
    log = Forging(world)
    log.edit(log.one(AnswerReceived), text='"event":{"type":"RoundScored"')
    assert board_of(log.lines()).rounds == board.rounds


@pytest.fixture
def no_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "set_up", lambda **_: None)


def test_the_command_writes_the_page(
    no_logs: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``quasar audit --report`` writes it beside the verdict, also of a log that does not hold."""
    good = write_archive(tmp_path / "good", played(), played().lines)
    out = tmp_path / "page.html"
    assert run(app, ["audit", str(good), "--report", str(out)]) == 0
    assert f"report in {out}" in capsys.readouterr().out
    first = out.read_bytes()
    assert b"<code>quasar/24/" in first
    assert str(tmp_path).encode() not in first
    log = Forging(played())
    log.edit(log.one(AnswerScored, lambda e: e.accuracy == 1.0), reward=0.5)
    bad = write_archive(tmp_path / "bad", played(), log.lines())
    assert run(app, ["audit", str(bad), "--report", str(out), "--json"]) == 1
    assert out.read_bytes().count(b'class="finding"') >= 1
    assert run(app, ["audit", str(good), "--report", str(out)]) == 0
    assert out.read_bytes() == first


def test_a_disk_that_refuses(
    no_logs: None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One line says that the page could not be written, and no half of it is left."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(report, "write_atomically", full)
    archive = write_archive(tmp_path / "archive", played(), played().lines[:5])
    out = tmp_path / "page.html"
    assert run(app, ["audit", str(archive), "--report", str(out)]) == 2
    assert capsys.readouterr().err == f"quasar: {out} cannot be written: No space left on device\n"
    assert not out.exists()


@pytest.mark.parametrize("name", ["", "none/page.html", "archive/page.html"])
def test_where_no_page_can_be_written(
    no_logs: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """A folder, one that is missing, and the archive itself are refused before the audit."""
    archive = write_archive(tmp_path / "archive", played(), played().lines[:5])
    assert run(app, ["audit", str(archive), "--report", str(tmp_path / name)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("source", "options", "command"),
    [
        ("sample", {"hotkey": "5F", "chain": None, "json": False}, "sample --hotkey 5F"),
        ("/home/me/my logs/7", {"fresh": True}, "7 --fresh"),
        ("https://u:pw@host:8/log?key=1", {}, "https://host:8/log"),
        ("7", {"chain": "wss://node/v1/KEY", "netuid": 0}, "7 --chain wss://node --netuid 0"),
        ("a;b", {"levels": ["scores", "weights"]}, "'a;b' --levels scores,weights"),
    ],
    ids=["sample", "folder", "url", "chain", "quoted"],
)  # fmt: skip
def test_the_command_that_repeats_it(source: str, options: dict[str, Any], command: str) -> None:
    """It has the options that were given, and tells no folder, password or key of the auditor's."""
    assert command_for(source, **options) == f"quasar audit {command} --report report.html"
