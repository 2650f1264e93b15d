"""What a proof file shows, in words for people and as facts for programs."""

from collections.abc import Iterator
from typing import Any

import msgspec

from quasar.cli.event_line import words
from quasar.cli.output import printable
from quasar.errors import CannotJudge
from quasar.events.answer import AnswerReceived
from quasar.events.envelope import decode
from quasar.events.exhibits import Proved
from quasar.events.score import AnswerScored
from quasar.events.score_proof import ScoreProof

_CHARS = 160


def headline(proved: Proved, shown: ScoreProof | None) -> str:
    """What is proved, in one line."""
    size = proved.checkpoint.size
    if proved.older:
        return f"the log of {size} events begins with that of {proved.older.size}"
    if shown:
        return f"{_result(shown)}, in the log of {size} events"
    return f"event {proved.main} stands in the log of {size} events"


def details(proved: Proved, shown: ScoreProof | None) -> Iterator[str]:
    """What it is proved of, a line each."""
    if proved.older:
        yield f"older root  {proved.older.root.hex()}"
        yield f"newer root  {proved.checkpoint.root.hex()}"
    elif shown:
        yield from _path(proved, shown)
    else:
        yield f"event       {_words(proved.lines[proved.main])}"


def not_proved(proved: Proved) -> Iterator[str]:
    """What a reader might take for proved, and what would prove it."""
    if proved.kind == "score":
        yield "that the score is right: `quasar audit` on the log recomputes it"
    yield (
        "that everyone is shown this very log: compare its checkpoints with those of others, or "
        "with the chain's, by `quasar proof consistency`"
    )


def _path(proved: Proved, shown: ScoreProof) -> Iterator[str]:
    assigned, seqs = shown.assigned, shown.seqs
    asked = " ".join(part.text for part in assigned.question).replace("\n", " ")
    yield f"miner       {assigned.hotkey}, round {assigned.round}, task {assigned.task}"
    yield f"asked       {printable(asked, _CHARS)}"
    yield (
        f"            over a context of {assigned.context.bytes} bytes, sha256 "
        f"{assigned.context.sha256}  (event {seqs['TaskAssigned']})"
    )
    yield f"answered    {_answered(shown)}"
    yield f"scored      {_words(proved.lines[proved.main])}  (event {proved.main})"


def _result(shown: ScoreProof) -> str:
    if isinstance(shown.score, AnswerScored):
        return f"this miner got reward {shown.score.reward:.6g} for this task"
    return f"this task was left out of this miner's mean ({shown.score.failure})"


def _answered(shown: ScoreProof) -> str:
    outcome = shown.outcome
    if isinstance(outcome, AnswerReceived):
        by = f"signed by the miner (event {shown.seqs['AnswerReceived']})"
        if outcome.blob:
            return f"{by}: {outcome.blob.bytes} bytes, sha256 {outcome.blob.sha256}"
        return f"{by}: {printable(outcome.text or '', _CHARS)}"
    how = f"nothing: {outcome.evidence.stage}, {outcome.evidence.code}"
    if shown.signed:
        return f"{how}; the refusal is signed by the miner"
    taken = "; it signed that it took the task" if shown.accepted else ""
    return f"{how}; on the validator's word alone{taken}"


def facts(proved: Proved, shown: ScoreProof | None, *, pinned: bool) -> dict[str, Any]:
    """Everything that is proved."""
    told: dict[str, Any] = {
        "result": "proved",
        "kind": proved.kind,
        "origin": proved.opening.origin,
        "hotkey": proved.opening.event.hotkey,
        "pinned": pinned,
        "size": proved.checkpoint.size,
        "root": proved.checkpoint.root.hex(),
    }
    if proved.older:
        return told | {"older_size": proved.older.size, "older_root": proved.older.root.hex()}
    told["seq"] = proved.main
    if shown:
        told |= {
            "score": msgspec.to_builtins(shown.score),
            "outcome": msgspec.to_builtins(shown.outcome),
            "signed_by_miner": shown.signed,
            "events": shown.seqs,
        }
    return told


def _words(line: bytes) -> str:
    try:
        event = decode(line).event
    except (msgspec.DecodeError, CannotJudge):
        return f"{len(line)} bytes that this version cannot read"
    return f"{type(event).__name__}  {words(event)}"
