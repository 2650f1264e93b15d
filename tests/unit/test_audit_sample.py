"""A random sample of rounds judged in full: what it finds, and how likely."""

import json
from itertools import combinations
from typing import Any

import anyio
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasar.cli.audit import audit as audit_command
from quasar.errors import UsageError
from quasar.events import AnswerScored, TaskAccepted, TaskSampled, WeightsComputed
from quasar.events.envelope import decode
from quasar.replay.audit import audit
from quasar.replay.finding import Report
from quasar.replay.sample import detection, draw_rounds, words
from tests.builders import LineLog
from tests.forging import played

ROUNDS = (1, 2, 3)


def audited(*sampled: int, lines: list[bytes] | None = None) -> Report:
    """Of the three rounds that were played, with these judged in full."""
    world = played()
    log = LineLog(lines or world.lines, world.log.blobs)
    return anyio.run(lambda: audit(log, full=set(sampled).__contains__))


def edited(kind: type[Any], number: int, **changes: Any) -> tuple[int, list[bytes]]:
    """The log with one event of a round changed, and its sequence number."""
    lines = list(played().lines)
    for seq, line in enumerate(lines, 1):
        envelope = decode(line)
        event = envelope.event
        place = getattr(event, "acceptance", event)
        if isinstance(event, kind) and getattr(place, "round", number) == number:
            event = msgspec.structs.replace(event, **changes)
            lines[seq - 1] = msgspec.json.encode(msgspec.structs.replace(envelope, event=event))
            return seq, lines
    raise AssertionError(f"round {number} has no {kind.__name__}")


FORGED: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "scores": (AnswerScored, {"metric": "f1@1"}),
    "receipts": (TaskAccepted, {"signature": "ab" * 64}),
    "tasks": (TaskSampled, {"template": "ab" * 32}),
}


@pytest.mark.parametrize("level", FORGED)
def test_a_forged_round_is_found_if_it_is_drawn(level: str) -> None:
    """The very event, if its round is judged in full; else it is taken as recorded."""
    kind, changes = FORGED[level]
    seq, lines = edited(kind, 2, **changes)
    found = audited(2, lines=lines).first_divergence
    assert found is not None
    assert (found.seq, found.level) == (seq, level)
    others = audited(1, 3, lines=lines).listed  # the forger did not sign his log again
    assert [f.reason for f in others] == ["the checkpoint is signed and has another root"]


def test_weights_are_judged_of_every_round() -> None:
    """Also where no round is drawn."""
    seq, lines = edited(WeightsComputed, 0, block=1)
    found = audited(lines=lines).first_divergence
    assert found is not None
    assert (found.seq, found.level) == (seq, "weights")


def test_what_was_not_judged_is_counted() -> None:
    """The rounds under ``assumed``; scores, tasks and receipts of the others are not claimed."""
    everything, one, none = audited(*ROUNDS), audited(2), audited()
    assert everything.assumed["unsampled_rounds"] == 0
    assert (one.assumed["unsampled_rounds"], none.assumed["unsampled_rounds"]) == (2, 3)
    assert 0 < one.scores.checked < everything.scores.checked
    assert none.scores.checked == len(ROUNDS)  # the means
    assert 0 < one.receipts.checked < everything.receipts.checked
    assert none.receipts.checked == 0
    assert one.weights == everything.weights
    assert {everything.result, one.result, none.result} == {"clean"}


@given(st.integers(1, 8), st.data())
def test_the_probability_is_counted(rounds: int, data: st.DataObject) -> None:
    """As the share of all samples that hold a forged round."""
    forged, sampled = data.draw(st.integers(0, rounds)), data.draw(st.integers(0, rounds))
    samples = list(combinations(range(rounds), sampled))
    seen = [sample for sample in samples if any(number < forged for number in sample)]
    assert detection(rounds, forged, sampled) == len(seen) / len(samples)


def test_the_probability_of_large_logs() -> None:
    """No overflow, and the value that a table of the hypergeometric distribution has."""
    assert detection(100_000, 1_000, 300) == pytest.approx(0.9511, abs=1e-4)
    assert detection(10**5, 1, 10**4) == 0.1
    with pytest.raises(ValueError, match="of 3 rounds not 4"):
        detection(3, 4, 1)


@given(st.sets(st.integers(1, 500)), st.integers(1, 40), st.text(max_size=8))
def test_a_seed_draws_the_same_rounds(rounds: set[int], count: int, seed: str) -> None:
    """In whatever order they are given; different ones, and as many as were asked for."""
    sample = draw_rounds(rounds, count, seed)
    assert sample == draw_rounds(sorted(rounds, reverse=True), count, seed)
    assert len(set(sample.rounds)) == len(sample.rounds) == min(count, len(rounds))
    assert set(sample.rounds) <= rounds


def test_another_seed_draws_others() -> None:
    """Every round is drawn now and then."""
    drawn = {n for seed in range(60) for n in draw_rounds(range(1, 11), 2, str(seed)).rounds}
    assert drawn == set(range(1, 11))


def test_it_says_what_the_sample_is_worth() -> None:
    """For one forged round, one in a hundred, and one in ten."""
    sample = draw_rounds(range(1, 1001), 100, "s")
    assert [chance.forged for chance in sample.chances] == [1, 10, 100]
    assert words(sample)[:2] == [
        "100 of 1000 rounds, drawn with --seed s",
        "1 forged round would be seen with probability 0.1000",
    ]
    assert words(draw_rounds([1, 2], 5, "s")) == [
        "all 2 rounds were judged in full: there are no more to draw from"
    ]


def test_the_command_draws(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """With its seed another audit draws the same; without one, nobody can foretell it."""
    reports = []
    for seed in ("a", "a", None):
        assert audit_command("sample", levels="weights", sample=2, seed=seed, json=True) == 0
        reports.append(json.loads(capfdbinary.readouterr().out)["sample"])
    first, second, third = reports
    assert (len(first["rounds"]), first["of"]) == (2, 12)
    assert first == second
    assert len(third["seed"]) == 32


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sample": 0}, "must be at least 1"),
        ({"seed": "x"}, "name how many"),
        ({"levels": "score"}, "no level 'score'"),
        ({"follow": True, "sample": 3}, "leave --sample"),
    ],
    ids=["none", "seed-alone", "no-level", "follow"],
)
def test_what_makes_no_sense(options: dict[str, Any], words: str) -> None:
    """One line says so before anything is read."""
    with pytest.raises(UsageError, match=words):
        audit_command("nowhere", **options)
