"""The sections of a report page below its verdict."""

from quasar.replay.execution_words import execution_words
from quasar.replay.finding import LISTED, Finding
from quasar.replay.finding_words import finding_words
from quasar.replay.page_figures import figures
from quasar.replay.page_html import Html, block, join, tag
from quasar.replay.page_table import leaderboard
from quasar.replay.page_words import (
    LIMITS,
    AuditPage,
    assumed,
    checks,
    counted,
    left_open,
    signed_by,
)
from quasar.replay.sample import words
from quasar.rules.ranks import TOP

AT_ONCE = 20
"""Findings that are not folded away."""
SECTIONS = {
    "signer": "Who signed",
    "checked": "What was checked",
    "executed": "Programs run again",
    "not-checked": "Not checked",
    "assumed": "Assumed",
    "disputes": "Disputes",
    "limits": "What no log shows alone",
    "findings": "Findings",
    "leaderboard": "Leaderboard",
    "noted": "Noted about miners",
    "plots": "Plots",
    "repeat": "Repeat it",
}
"""Anchor to title, in the page's order."""


def who_signed(page: AuditPage) -> Html:
    """The signer, and the log's own account of itself."""
    signer, opened, board = page.report.signer, page.opened, page.board
    known: list[tuple[str, object]] = []
    if signer:
        pinned = "pinned by the auditor" if signer.pinned else "not pinned"
        known.append(("hotkey", join(tag("code", signer.hotkey), f" ({pinned})")))
    if opened:
        volume = f"volume {opened.volume}" if page.volumes == 1 else f"{page.volumes:,} volumes"
        known.append(("log", join(tag("code", opened.log_id), f", {volume}")))
        known.append(("chain", join("genesis ", tag("code", opened.genesis))))
    known += [
        ("written", " to ".join(dict.fromkeys(filter(None, page.written)))),
        ("by", ", ".join(f"quasar-subnet {version}" for version in board.programs)),
        ("run as", ", ".join(board.modes)),
        ("policy", ", ".join(board.policies)),
    ]
    return _section("signer", _facts(known), tag("p", signed_by(page)))


def _facts(known: list[tuple[str, object]]) -> Html:
    named = [join(tag("dt", name), tag("dd", value)) for name, value in known if value]
    return tag("dl", *named, class_="facts")


def what_was_checked(page: AuditPage) -> Html:
    """Counts, and what they prove."""
    report = page.report
    rows = [
        tag(
            "tr",
            tag("td", what, class_="l w"),
            tag("td", f"{checked:,}"),
            tag("td", f"{equal:,}"),
            tag("td", f"{checked - equal:,}"),
        )
        for what, checked, equal in checks(report)
    ]
    titles = ["compared", "hold", "do not"]
    head = [tag("th", "", class_="l"), *[tag("th", title, scope="col") for title in titles]]
    table = tag("table", tag("thead", tag("tr", *head)), tag("tbody", *rows))
    proved = [tag("p", "Proved by that:"), _list(report.proved)] if report.proved else []
    if report.sample is not None:
        proved += [tag("p", "Rounds were judged in full by lot:"), _list(words(report.sample))]
    return _section("checked", tag("div", table, class_="scroll", tabindex=0), *proved)


def run_again(page: AuditPage) -> Html:
    """What recorded programs do on the auditor's machine."""
    found = page.report.execution
    if found is None:
        return _section("executed", tag("p", "None: the audit was not asked to run any."))
    apart = "Apart from the verdict: a machine of another kind may come to other results."
    return _section("executed", tag("p", apart), _list(list(execution_words(found))))


def what_was_not(page: AuditPage) -> Html:
    """Not checked, assumed, disputed, and beyond any log."""
    report = page.report
    taken = [f"{what}: {count:,}" for count, what in assumed(report)]
    disputes = (
        f"{counted(report.disputes, 'receipt')} that miners signed and named later, and that "
        "this log does not have: it recorded those answers as lost."
        if report.disputes
        else "None: no miner showed a receipt that this log does not have."
    )
    return tag(
        "div",
        _section("not-checked", _list(left_open(report), "Nothing was left out.")),
        _section("assumed", _list(taken, "Nothing had to be taken as recorded.")),
        _section("disputes", tag("p", disputes)),
        _section("limits", _list(LIMITS)),
        class_="two",
    )


def _list(lines: "list[str] | tuple[str, ...]", none: str = "") -> Html:
    if not lines:
        return tag("p", none)
    return tag("ul", *[tag("li", line) for line in lines])


def findings(page: AuditPage) -> Html:
    """All that the report lists, the first ones unfolded."""
    report = page.report
    if not report.findings:
        return _section("findings", tag("p", "None: everything checked holds."))
    listed = report.listed[:LISTED]
    more = report.findings - len(listed)
    said = f"{counted(report.findings, 'thing does', 'things do')} not hold, in the log's order."
    if more:
        said += f" The first {len(listed):,} are listed, {more:,} more are counted."
    shown = [_finding(found) for found in listed]
    rest = tag("summary", f"{len(shown) - AT_ONCE:,} more"), *shown[AT_ONCE:]
    folded = [tag("details", *rest)] if len(shown) > AT_ONCE else []
    return _section("findings", tag("p", said), *shown[:AT_ONCE], *folded)


def _finding(found: Finding) -> Html:
    volume = f"volume {found.volume}, " if found.volume else ""
    where = f"{volume}event {found.seq:,}"
    kind = f" {found.type}" if found.type else ""
    values: list[tuple[str, object]] = [
        ("field", tag("code", found.field)),
        ("recorded", tag("code", found.recorded)),
        ("recomputed", tag("code", found.recomputed)),
    ]
    return tag(
        "div",
        tag("p", f"{where}{kind}, level {found.level}", class_="where"),
        tag("p", found.reason),
        _facts(values) if found.field else "",
        class_="finding",
    )


def standings(page: AuditPage) -> Html:
    """The leaderboard, as the log has it."""
    board = page.board
    if not board.miners:
        return _section("leaderboard", tag("p", "No round was opened."))
    row = board.row
    of = (
        f"Weight: part of the newest row (epoch {row.epoch:,}, block {row.block:,}). Score: the "
        "moving average of rewards that the row is made of."
        if row
        else "No weight row was computed yet."
    )
    means = (
        "Accuracy: mean of the raw metric over all scored answers, and its standard error; the "
        "columns at the end divide the same answers."
    )
    ranks = (
        f"Rank: where its mean reward may stand among the others (95 %), and top {TOP}: how often "
        "among the first, if the same miners got other tasks of the kind (a bootstrap over tasks). "
        "Ahead of next: reward less that of the miner below, on the tasks that both got, and its "
        "standard error: what was hard for both cancels out."
    )
    claimed = "" if page.clean else " These are the log's own numbers, which did not all hold."
    stopped = tag("p", f"Only a part could be read: {board.stopped}") if board.stopped else ""
    said = [tag("p", of + claimed), tag("p", means), tag("p", ranks), stopped]
    return _section("leaderboard", *said, leaderboard(board))


def noted(page: AuditPage) -> Html:
    """What answers showed of miners, the newest last."""
    board = page.board
    if not board.findings:
        return _section("noted", tag("p", "Nothing, or the policy does not look for anything."))
    more = board.findings - len(board.noted)
    said = (
        f"{counted(board.findings, 'finding')}, which the rules make of the answers. They are "
        "reasons to look closer: none changes a score or a weight."
    )
    older = tag("p", f"and {more:,} older ones, which are not shown") if more else ""
    return _section("noted", tag("p", said), _list([finding_words(f) for f in board.noted]), older)


def plots(page: AuditPage) -> Html:
    """Those for which there are numbers."""
    drawn = figures(page.board)
    if not drawn:
        return _section("plots", tag("p", "There is nothing to plot yet."))
    return _section("plots", tag("div", *drawn, class_="plots"))


def how_to_repeat(page: AuditPage) -> Html:
    """The command, and which log exactly it is of."""
    root = page.report.checkpoint_root
    tied: list[tuple[str, object]] = [
        ("log", tag("code", page.origin)),
        ("size", counted(page.events, "event")),
        ("root", tag("code", root) if root else "could not be computed: the log is damaged"),
    ]
    note = (
        [
            tag("p", "The newest signed checkpoint, as the log keeps it:"),
            block(page.note),
        ]
        if page.note
        else [tag("p", "There is no signed checkpoint.")]
    )
    before = (
        " The volumes before it are tied to it too: each begins with the seal of the last."
        if page.volumes > 1
        else ""
    )
    again = ", but for what programs did that ran again" if page.report.execution else ""
    return _section(
        "repeat",
        tag("p", "Anybody who has the log can run the same audit again:"),
        block(f"pip install quasar-subnet=={page.program}\n{page.command}"),
        tag(
            "p",
            "With the same version and the same log it writes this page again, byte for byte"
            f"{again}. The log it is of has this name, size and Merkle root (RFC 6962).{before}",
        ),
        _facts(tied),
        *note,
    )


def _section(name: str, *parts: object) -> Html:
    return tag("section", tag("h2", SECTIONS[name]), *parts, id=name)
