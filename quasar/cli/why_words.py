"""A weight explained to people: formulas with the numbers filled in, on 80 columns."""

from base64 import b64encode
from collections.abc import Iterator

from rich import box
from rich.table import Table
from rich.text import Text

from quasar.cli.output import out, printable
from quasar.replay.finding_words import finding_words
from quasar.replay.why import RoundEarned, ScoredAnswer, Why
from quasar.replay.why_found import RanCase

WIDTH = 66
"""Characters of a question or an answer."""
RULES = {
    "capped@1": "reward = min(accuracy x multiplier, 1); the mean is that of the rewards",
    "weighted@1": "reward = accuracy; in the mean it weighs as much as its multiplier",
}
MADE = {
    "capped@1": "min({accuracy} x {multiplier}, 1)",
    "weighted@1": "accuracy {accuracy}, which weighs {multiplier}",
}

NEVER_RAN = "not run (no time left)"
"""Its miner's programs had used up the time of the round."""


def show(found: Why) -> None:
    """Print it, from the weight down."""
    for line in _headline(found):
        out.print(line)
    if found.rounds:
        _print_steps(found)
    for noted in found.findings:
        said = f"event {noted.seq}: {finding_words(noted.finding)}"
        out.print(Text.assemble(("NOTED  ", "yellow"), printable(said, 400)))
    if found.findings:
        out.print(Text("such findings change no score; `quasar audit` recomputes them", "dim"))
        out.print()
    for earned in reversed(found.rounds):
        if earned.rule:
            _print_round(earned)
    _print_verdict(found)


def _headline(found: Why) -> Iterator[Text]:
    w = found.weight
    uid = "" if w is None else f"  uid {w.uid}"
    yield Text.assemble((found.hotkey, "bold"), uid)
    yield Text(f"in the log of {found.validator}", "dim")
    yield Text()
    if found.epoch is None:
        yield Text(f"no weight: no row yet ({found.deferred or 'no epoch ended'})")
        return
    row = f"epoch {found.epoch}, block {found.block}, {found.of} miners (event {found.weight_seq})"
    if w is None or found.highest is None:
        yield Text(f"no weight in the row of {row}")
    else:
        share = f", {100 * (found.share or 0.0):.2f} % of the row of {row}"
        yield Text.assemble("weight ", (f"u16 {w.u16}", "bold green"), share)
        yield from _weight(found)
    if found.deferred:
        yield Text(f"  the newest epoch has no row: {found.deferred}", "yellow")


def _weight(found: Why) -> Iterator[Text]:
    w = found.weight
    assert w is not None
    if w.samples < found.minimum_samples:
        few = f"  0, since {w.samples} scored answers are less than {found.minimum_samples}"
        yield Text(few, "yellow")
        return
    yield Text(
        f"  u16 = round(score / highest score x 65535)"
        f" = round({_n(w.score)} / {_n(found.highest)} x 65535)"
    )
    where = "below" if found.rounds else "that earlier volumes handed on"
    yield Text(f"  score = the moving average {where}, over {w.samples} scored answers")


def _print_steps(found: Why) -> None:
    base, alpha = found.base, {earned.alpha for earned in found.rounds}
    a, rest = (f"{found.alpha:g}", f"{1.0 - found.alpha:g}") if len(alpha) == 1 else ("a", "(1-a)")
    where = "the volume's first event" if base.epoch is None else f"row of epoch {base.epoch}"
    start = "nothing earned yet" if base.score is None else f"{_n(base.score)}"
    out.print()
    out.print(Text(f"moving average: after = {a} x mean + {rest} x before", "bold"))
    out.print(Text(f"  start: {start} ({where}, event {base.seq})"))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("round", "scored", "left out", "mean reward", "before", "after", "event"):
        table.add_column(title, justify="right", no_wrap=True)
    for earned in found.rounds:
        table.add_row(*_step(earned), style="" if earned.mean is not None else "dim")
    out.print(table)
    if any(earned.left_before for earned in found.rounds):
        out.print(Text("* left the subnet before, and so started empty", "yellow"))


def _step(earned: RoundEarned) -> list[str]:
    star = "*" if earned.left_before else ""
    return [
        f"{star}{earned.round}",
        str(earned.scored),
        str(earned.not_scored or "-"),
        "-" if earned.mean is None else _n(earned.mean),
        _n(earned.before),
        "-" if earned.ema is None else _n(earned.ema),
        str(earned.seq),
    ]


def _print_round(earned: RoundEarned) -> None:
    title = f"round {earned.round}: mean reward {_n(earned.mean)} of {earned.scored} answers"
    if earned.mean is None:
        title = f"round {earned.round}: nothing scored"
    out.print(Text(title, "bold"))
    out.print(Text(f"  {earned.rule}: {RULES.get(earned.rule, 'see the policy')}", "dim"))
    events = (
        f"  opened by event {earned.opened_seq}, tasks drawn at the block of event "
        f"{earned.beacon_seq}, revealed by {earned.revealed_seq}"
    )
    out.print(Text(events, "dim"))
    for answer, asked in zip(earned.answers, _asked(earned.answers), strict=True):
        for line in _answer(answer, asked, earned.rule):
            out.print(line)
    if earned.more:
        out.print(Text(f"  and {earned.more} answers more: --all shows them", "dim"))
    out.print()


def _answer(answer: ScoredAnswer, asked: str, rule: str) -> Iterator[Text]:
    place = f"  task {answer.task}  {answer.family}, {answer.bucket}: "
    yield Text.assemble(place, _score(answer, rule))
    yield Text(f"    asked     {printable(asked, WIDTH)}")
    yield Text(f"    answered  {printable(answer.answer, WIDTH)}{_time(answer)}")
    yield Text(f"    expected  {printable(answer.expected, WIDTH)}{_metric(answer)}")
    if answer.cases:
        yield Text(f"    ran       {_ran(answer.cases)}")
    steps = {
        "asked": answer.assigned_seq,
        "accepted": answer.accepted_seq,
        "answered": answer.outcome_seq,
        "run": answer.executed_seq,
        "scored": answer.score_seq,
    }
    named = ", ".join(f"{step} {seq}" for step, seq in steps.items() if seq is not None)
    yield Text(f"    events    {named}", "dim")


def _score(answer: ScoredAnswer, rule: str) -> Text:
    unproved = " (only the validator says so)" if answer.unproved else ""
    failure = f", {answer.failure}{unproved}" if answer.failure else ""
    if answer.reward is None or answer.accuracy is None:
        return Text(f"left out{failure}", "yellow")
    style = "green" if answer.reward > 0.0 else "red"
    accuracy, multiplier = _n(answer.accuracy), f"{answer.multiplier:g}"
    made = MADE.get(rule, "{accuracy}").format(accuracy=accuracy, multiplier=multiplier)
    return Text.assemble((f"reward {_n(answer.reward)}", style), f" = {made}{failure}")


def _ran(cases: list[RanCase]) -> str:
    """How its cases ended, how long they took, and what a second run gave."""
    passed, ends = 0, dict[str, int]()
    for case in cases:
        passed += case.passed
        end = _end(case)
        ends[end] = ends.get(end, 0) + (not case.passed)
    failed = "".join(f", {n} {end}" for end, n in ends.items() if n)
    times = [case.execution_time_ms for case in cases]
    said = f"{passed} of {len(cases)} cases passed{failed}; {min(times)} to {max(times)} ms each"
    if cases[0].again is None:
        return said
    other = [case.same for case in cases].count(False)
    return f"{said}; a second run: {f'{other} end otherwise' if other else 'the same'}"


def _end(case: RanCase) -> str:
    """Why it did not pass. A timeout of no time is one that never ran: its record has no words."""
    if case.status == "timeout" and case.execution_time_ms == 0:
        return NEVER_RAN
    return "another value" if case.status == "ok" else case.status


def _time(answer: ScoredAnswer) -> str:
    if answer.elapsed_ms is None:
        return ""
    return f"  in {answer.elapsed_ms / 1000:.3g} of {answer.deadline_ms / 1000:g} s"


def _metric(answer: ScoredAnswer) -> str:
    if answer.accuracy is None or answer.failure:
        return ""
    return f"  accuracy {_n(answer.accuracy)} by {answer.metric}"


def _asked(answers: list[ScoredAnswer]) -> list[str]:
    """Questions without what many of them begin with: it tells nothing."""
    firsts = [answer.question.partition("\n")[0] for answer in answers]
    openings = [first.partition(". ")[0] for first in firsts]
    asked = [
        first.partition(". ")[2] or first if openings.count(opening) > 1 else first
        for first, opening in zip(firsts, openings, strict=True)
    ]
    heads = [text[:WIDTH] for text in asked]
    return [
        f"...{text[3 - WIDTH :]}" if heads.count(head) > 1 and len(text) > WIDTH else text
        for text, head in zip(asked, heads, strict=True)
    ]


def _print_verdict(found: Why) -> None:
    if hidden := [earned.round for earned in found.rounds if not earned.rule]:
        out.print(Text(f"answers of {_rounds(hidden)}: --round R, or --all", "dim"))
    for d in found.differences:
        wrong = f"event {d.seq}: {d.what} is {d.recorded}, and {d.recomputed} follows"
        out.print(Text.assemble(("DIFFERS  ", "bold red"), printable(wrong)))
    if not found.differences:
        follows = "every number here follows from the events named, recomputed bit for bit"
        out.print(Text.assemble(("FOLLOWS  ", "bold green"), follows))
    if any(answer.failure for earned in found.rounds for answer in earned.answers):
        left = "whose fault a failure was; `quasar audit` judges that from the whole round"
        out.print(Text.assemble(("not recomputed  ", "yellow"), left))
    root = b64encode(bytes.fromhex(found.root)).decode()
    out.print(f"{len(found.events)} events, each proved under the checkpoint of {found.size}")
    out.print(f"whose root is {root}", markup=False)


def _rounds(numbers: list[int]) -> str:
    many = len(numbers) > 1
    return f"rounds {numbers[0]} to {numbers[-1]}" if many else f"round {numbers[0]}"


def _n(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"
