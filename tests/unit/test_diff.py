"""Several validators' logs side by side: what is alike, what is not, and who is treated unlike."""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from quasar.cli import app
from quasar.cli.run import run
from quasar.errors import CannotJudge, UsageError
from quasar.events import AnswerReceived, AnswerScored, RoundOpened, WeightsComputed
from quasar.events.envelope import decode
from quasar.replay import Difference, audit, diff, open_log
from quasar.replay import diff as diff_of
from quasar.replay.diff import _Found
from quasar.replay.diff_statistics import LEVEL
from quasar.rules.sampling import SamplingRule
from tests.builders import LineLog, Play, World, edited
from tests.forging import few_tasks
from tests.unit.three_validators import (
    FRIEND,
    NAMES,
    RIVAL,
    ROUNDS,
    Forgery,
    excused,
    silenced,
    world,
    write,
)
from tests.unit.volume_folder import worlds

FORGERIES = {"11": (silenced, RIVAL, "unproved"), "14": (excused, FRIEND, "not-scored")}


def compared(*logs: Any) -> Difference:
    """Of logs in memory."""

    async def compare() -> Difference:
        found: Difference = await diff(*logs)
        return found

    return anyio.run(compare)


@cache
def three(forgery: Forgery | None = None) -> Difference:
    """Two honest validators, and one that may not be."""
    return compared(*(world(name).log for name in NAMES[:2]), world(NAMES[2], forgery).log)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archives of the three, honest and forged. Not to be changed."""
    path = tmp_path_factory.mktemp("validators")
    for name in NAMES:
        write(path / name, world(name))
    for number, (forgery, _, _) in FORGERIES.items():
        write(path / f"forged {number}", world(NAMES[2], forgery))
    return path


class TestHonest:
    """Three validators that do what they should."""

    def test_nothing_matters(self) -> None:
        """Other secrets, other tasks, other luck: no validator is named."""
        found = three()
        assert not found.matters
        assert found.statistics.tested > 0
        assert (found.tasks.blocks, found.tasks.same) == (ROUNDS, 0)
        assert found.tasks.different == 3 * 3 * ROUNDS
        assert (found.answers.compared, found.differing) == (0, [])

    def test_the_logs(self) -> None:
        """Whose they are, and how far they go."""
        for log, name in zip(three().logs, NAMES, strict=True):
            played = world(name)
            assert (log.origin, log.hotkey) == (played.origin, played.hotkey.ss58_address)
            assert (log.events, log.rounds) == (len(played.lines), ROUNDS)
            assert (log.first_block, log.last_block) == (75, 75 * ROUNDS)

    def test_accuracy(self) -> None:
        """Each miner's mean at each validator, as its scores say; by kind of task too."""
        found = three()
        for miner in found.miners:
            for did, name in zip(miner.by_log, NAMES, strict=True):
                scores = [s for s in world(name).events(AnswerScored) if s.hotkey == miner.hotkey]
                assert did is not None
                assert did.scored == len(scores)
                assert did.accuracy == pytest.approx(sum(s.accuracy for s in scores) / len(scores))
                assert did.reward == pytest.approx(sum(s.reward for s in scores) / len(scores))
                assert did.failed == len([s for s in scores if s.failure])
        assert {(c.family, c.bucket) for c in found.cells} == {
            ("factbook@1", "32k"),
            ("factbook@1", "124k"),
        }
        of_one = [c.by_log[0] for c in found.cells if c.hotkey == found.miners[0].hotkey]
        whole = found.miners[0].by_log[0]
        assert whole is not None
        assert whole.scored == sum(did.scored for did in of_one if did)

    def test_weights(self) -> None:
        """The rows part at the first epoch; block and event of each are named."""
        first, *_ = three().weights
        assert (first.one, first.two) == ("A", "B")
        assert (first.epochs, first.equal) == (ROUNDS - 1, 0)
        assert first.first is not None
        assert first.newest is not None
        for name, at, block in zip(NAMES, first.first.events, first.first.blocks, strict=False):
            row = decode(world(name).line(at.seq)).event
            assert isinstance(row, WeightsComputed)
            assert (row.epoch, row.block) == (first.first.epoch, block)
        assert 0.0 < first.newest.l1 < 0.5
        assert first.newest.kendall is not None
        assert len(three().rows) == 3 * (ROUNDS - 1)

    def test_only_what_is_waited_for_is_held(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Rounds and rows leave memory once every validator is past them."""
        held: list[int] = []
        collect = _Found.collect

        def counted(found: _Found) -> None:
            collect(found)
            held.append(len(found._rounds) + len(found._rows))

        monkeypatch.setattr(_Found, "collect", counted)
        compared(*(world(name).log for name in NAMES))
        assert 0 < max(held) <= 6
        assert held[-1] == 0

    def test_progress(self) -> None:
        """Events of all logs together; the end is told."""
        told: list[tuple[int, int]] = []

        async def compare() -> None:
            logs = [world(name).log for name in NAMES]
            await diff(*logs, progress=lambda done, total: told.append((done, total)))

        anyio.run(compare)
        total = sum(len(world(name).lines) for name in NAMES)
        assert told[-1] == (total, total)
        assert told == sorted(told)


class TestForged:
    """Forgeries that no single log shows: everything downstream follows from them."""

    @pytest.mark.parametrize("number", FORGERIES)
    def test_named(self, number: str) -> None:
        """The validator, the miner and what it is, with a p-value; and nobody else."""
        forgery, hotkey, what = FORGERIES[number]
        found = three(forgery)
        assert found.matters
        (suspicion,) = found.statistics.named
        assert (suspicion.log, suspicion.hotkey, suspicion.what) == ("C", hotkey, what)
        assert 0.0 < suspicion.p <= suspicion.corrected < LEVEL / 50
        assert suspicion.here.bad > 20
        assert suspicion.elsewhere.bad < 5

    @pytest.mark.parametrize("number", FORGERIES)
    def test_the_audit_of_it_is_clean(self, number: str) -> None:
        """The forger's own log gives nothing away."""
        played = world(NAMES[2], FORGERIES[number][0])

        async def check() -> None:
            assert (await audit(played.log)).result == "clean"

        anyio.run(check)

    def test_two_are_enough(self) -> None:
        """Against one honest validator the forger is still the one that is named."""
        found = compared(world(NAMES[1]).log, world(NAMES[2], silenced).log)
        assert [(s.log, s.hotkey) for s in found.statistics.named] == [("B", RIVAL)]


@cache
def twins(count: int = 2) -> tuple[World, ...]:
    """Validators that have the same secrets, which no honest ones have."""
    first = World(3, few_tasks())
    made = [first, *(World(3, few_tasks(), validator=f"twin {n}") for n in range(1, count))]
    for played in made[1:]:
        played.secrets = first.secrets
        played.players[0] = Play(SamplingRule(first.secrets), played.log.blobs)
    anyio.run(_play_all, made)
    return tuple(made)


async def _play_all(made: Sequence[World]) -> None:
    for played in made:
        for number in (1, 2, 3):
            await played.play_round(number)


def changed(played: World, kind: type[Any], place: int = 0, **changes: Any) -> LineLog:
    """The log with one event of a type edited."""
    lines = played.lines
    seq = [i for i, line in enumerate(lines) if isinstance(decode(line).event, kind)][place]
    lines[seq] = edited(lines[seq], **changes)
    return LineLog(lines, played.log.blobs)


class TestSameTasks:
    """Where tasks are the same, the same bytes must have the same score."""

    def test_same_scores(self) -> None:
        """Every answer is compared, and all agree."""
        found = compared(*(twin.log for twin in twins(3)))
        assert (found.tasks.same, found.tasks.different) == (9, 0)
        assert (found.answers.compared, found.answers.other_scores) == (27, 0)
        assert not found.matters

    @pytest.mark.parametrize("change", [{"accuracy": 0.25}, {"reward": 0.25}])
    def test_other_scores(self, change: dict[str, float]) -> None:
        """A finding, with both events named."""
        one, two = twins()
        found = compared(one.log, changed(two, AnswerScored, 4, **change))
        assert found.matters
        assert found.answers.other_scores == 1
        (other,) = found.answers.first
        score = two.events(AnswerScored)[4]
        assert (other.hotkey, other.metric, other.block) == (score.hotkey, score.metric, 75)
        assert [(s.log, s.round, s.task) for s in other.scores] == [
            ("A", score.round, score.task),
            ("B", score.round, score.task),
        ]
        seen = decode(one.line(other.scores[0].seq)).event
        assert isinstance(seen, AnswerScored)
        assert seen.slot == score.slot

    def test_other_answers_have_other_scores(self) -> None:
        """Other bytes to the same question are not compared."""
        one, two = twins()
        found = compared(one.log, changed(two, AnswerReceived, 0, text="something else"))
        assert (found.answers.compared, found.answers.other_scores) == (26, 0)

    def test_other_policies_may_give_other_rewards(self) -> None:
        """The accuracy must be the same, the reward need not; the policies are named."""
        one = twins()[0]
        two = World(
            3, few_tasks(**{"multiplier = 1.2": "multiplier = 0.5"}), validator="twin with a policy"
        )
        two.secrets = one.secrets
        two.players[0] = Play(SamplingRule(one.secrets), two.log.blobs)
        anyio.run(_play_all, [two])
        found = compared(one.log, two.log)
        assert (found.answers.compared, found.answers.other_scores) == (27, 0)
        assert [differing.what for differing in found.differing] == ["policies"]


class TestWhatCannotBeCompared:
    """Said in one line."""

    def test_one_log(self) -> None:
        """There is nothing to compare it with."""
        with pytest.raises(UsageError, match="two logs or more"):
            compared(world(NAMES[0]).log)

    def test_the_same_log_twice(self) -> None:
        """Each validator counts once."""
        log = world(NAMES[0]).log
        with pytest.raises(UsageError, match="A and C are one log"):
            compared(log, world(NAMES[1]).log, log)

    def test_volumes_of_two_logs(self) -> None:
        """Volumes that do not go on from each other are no log."""
        one, two = (volume.log for volume in worlds()[:2])
        for volumes in ([two, one], [one, one], [one, world(NAMES[1]).log]):
            with pytest.raises(CannotJudge, match=r"B: .* volumes .* one log"):
                compared(world(NAMES[0]).log, volumes)

    def test_no_miner_in_common(self) -> None:
        """Then no number says anything of the other log."""
        lonely = World(1, few_tasks(), validator="lonely")
        lonely.miners = {lonely.hotkey.ss58_address: lonely.hotkey}
        anyio.run(_play_all, [lonely])
        with pytest.raises(CannotJudge, match="same miner"):
            compared(twins()[0].log, lonely.log)


def test_volumes_are_one_log() -> None:
    """Rounds of all volumes meet those that another validator played in one."""
    volumes = [volume.log for volume in worlds()]
    other = World(3, few_tasks(), validator="other")
    anyio.run(_play_all, [other])
    found = compared(volumes, other.log)
    assert (found.logs[0].volumes, found.logs[0].rounds) == (4, 4)
    assert (found.tasks.blocks, found.logs[1].rounds) == (3, 3)
    assert found.logs[0].origin == worlds()[-1].origin


def test_what_claims_a_later_block_is_not_waited_for() -> None:
    """A round or a row of a block that its log never saw is left out, not held for ever."""
    one, two = twins()
    found = compared(one.log, changed(two, RoundOpened, 0, block=10**9))
    assert (found.logs[1].rounds, found.tasks.blocks) == (2, 2)
    found = compared(one.log, changed(two, WeightsComputed, 0, epoch=10**9))
    assert found.weights[0].epochs == len(one.events(WeightsComputed)) - 1


def test_rounds_that_are_not_scored_are_told() -> None:
    """A log that ends in mid-round."""
    played = twins()[1]
    last = max(i for i, line in enumerate(played.lines) if b'"type":"RoundScored"' in line)
    found = compared(world(NAMES[0]).log, LineLog(played.lines[:last], played.log.blobs))
    assert "B: 1 rounds that are not scored yet" in found.notes
    assert found.logs[1].rounds == 2


def test_in_a_notebook(folder: Path) -> None:
    """Opened logs give their difference at once, and it is shown."""
    logs = [open_log(folder / name) for name in (*NAMES[:2], "forged 11")]
    found = diff_of(*logs)
    assert msgspec.json.encode(found) == msgspec.json.encode(three(silenced))
    assert RIVAL in found._repr_html_()


class TestCommand:
    """``quasar diff`` as a person meets it."""

    def run(self, capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
        code = run(app, ["diff", *(str(a) for a in arguments)])
        return code, *capsys.readouterr()

    def test_honest(self, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        """Exit 0; tables and no suspicion, as words and as JSON."""
        sources = [folder / name for name in NAMES]
        code, said, error = self.run(capsys, *sources)
        assert (code, error) == (0, "")
        assert "NO DIFFERENCE THAT MATTERS" in said
        assert all(world(name).origin in said for name in NAMES)
        code, said, error = self.run(capsys, *sources, "--json")
        shown = json.loads(said)
        assert (code, error, shown["result"]) == (0, "", "alike")
        assert len(shown["rows"]) == 3 * (ROUNDS - 1)
        assert len(shown["cells"]) == 2 * len(shown["miners"])

    @pytest.mark.parametrize("number", FORGERIES)
    def test_forged(self, capsys: pytest.CaptureFixture[str], folder: Path, number: str) -> None:
        """Exit 1; validator, miner and p stand in a line."""
        sources = [folder / name for name in (*NAMES[:2], f"forged {number}")]
        code, said, _ = self.run(capsys, *sources)
        assert code == 1
        assert "SUSPICION" in said
        hotkey = FORGERIES[number][1]
        (line,) = [line for line in said.splitlines() if line.startswith(" C") and "e-0" in line]
        assert f"{hotkey[:6]}..{hotkey[-4:]}" in line
        code, said, _ = self.run(capsys, *sources, "--json")
        named = json.loads(said)["statistics"]["named"]
        assert (code, [s["hotkey"] for s in named]) == (1, [hotkey])

    def test_errors(self, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        """Exit 2 and one line that says what to give."""
        alice, bob = folder / NAMES[0], folder / NAMES[1]
        for sources, words in (
            ([alice], "two logs or more"),
            ([alice, bob, alice], "are one log"),
            ([alice, folder / "nowhere"], "is not a folder"),
            ([alice, folder], "manifest"),
            ([alice, "sample"], "same miner"),
            ([alice, bob, folder / "forged 11", "--evidence"], "between two sources, not 3"),
            ([alice, bob, "--hotkey", RIVAL], "--evidence"),
        ):
            code, said, error = self.run(capsys, *sources)
            assert (code, said, error.count("\n")) == (2, "", 1), error
            assert words in error

    def test_damaged(
        self, capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path
    ) -> None:
        """Exit 1, and the first event that is not what was written."""
        copy = write(tmp_path / "copy", world(NAMES[1]))
        (tile,) = (copy / "tile").rglob(str(len(world(NAMES[1]).lines) % 256))
        tile.write_bytes(tile.read_bytes()[:-1] + b"\0")
        code, said, error = self.run(capsys, folder / NAMES[0], copy)
        assert (code, said, error.count("\n")) == (1, "", 1)
        assert f"event {len(world(NAMES[1]).lines)}" in error
