"""Packs as part of a log: adopted with the policy, given to whoever audits, or withheld."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from quasar.benchmarks import packs, published
from quasar.errors import CannotJudge, NoSource, UsageError
from quasar.events import AnswerScored, PolicyAdopted, SourceAdopted
from quasar.events.base import Blob
from quasar.events.envelope import decode as decode_line
from quasar.log.blobs import MemoryBlobs
from quasar.log.memory import MemoryLog
from quasar.packs import make_pack, require
from quasar.replay import Report
from quasar.replay.audit import audit
from quasar.replay.work import Answers, Packs, Task, decode, encode, perform, source_of
from quasar.replay.workers import Workers
from quasar.rules import plan
from quasar.rules.delivery import Delivery
from quasar.rules.policy import Mix, parse
from quasar.supervisor.run import adopt_policy
from tests.builders import LineLog, World, small_policy
from tests.longbench_files import jsonl, pack_of, rows

FILE = "qasper"


@pytest.fixture(autouse=True)
def nothing_installed() -> Iterator[None]:
    """Each test begins and ends in a process that knows no pack."""
    forget()
    yield
    forget()


def forget() -> None:
    """What a new process knows: nothing."""
    packs._installed.clear()
    packs._decoded.cache_clear()
    published._items.cache_clear()
    plan._template.cache_clear()


def pack() -> str:
    return pack_of(FILE, rows(FILE, 6, 4))


def policy(source: str) -> bytes:
    """One task of a factbook, one lengthened item and one as it was published."""
    head, _, rest = small_policy().decode().partition("[[mix]]")
    _, _, tail = rest.partition("[answers]")
    mix = '[[mix]]\nfamily = "factbook@1"\nbucket = "32k"\ntasks = 1\n\n'
    for level in 1, 2:
        mix += f'[[mix]]\nfamily = "longbench.{FILE}@1"\nbucket = "512k"\ntasks = 1\n'
        mix += f'level = {level}\nsource = "{source}"\n\n'
    return (head + mix + "[answers]" + tail).encode()


async def play() -> World:
    """Two rounds in which the first miner is right."""
    world = World(miners=2, policy=policy(pack()))
    for number in 1, 2:
        await world.play_round(number, answer)
    await world.checkpoint()
    return world


def answer(world: World, d: Delivery) -> bytes:
    """The last reference of the first miner's, for the metric takes any of them."""
    number, task, hotkey = d.key
    if hotkey != next(iter(world.miners)):
        return b"qqq"
    instance = world.planned(number, task).variant(hotkey).instance
    return f"ANSWER: {instance.answer}".encode() if task == 0 else instance.references[-1].encode()


def report_of(world: World, *, withhold: bool = False, **how: Any) -> Report:
    """An audit in a process of its own, as it were."""
    forget()
    blobs = MemoryBlobs()
    source = world.events(SourceAdopted)[0].source.sha256
    for name, data in world.log.blobs._held.items():  # type: ignore[attr-defined]
        if not (withhold and name == source):
            blobs.put(data)
    return anyio.run(partial(audit, LineLog(world.lines, blobs), **how))


@pytest.fixture
def world() -> World:
    return anyio.run(play)


def test_a_round_with_longbench_is_audited_clean(world: World) -> None:
    """The pack comes from the log's own blobs; every task and score is made anew."""
    adopted, policy = world.events(SourceAdopted), world.events(PolicyAdopted)
    assert [(e.name, e.revision) for e in adopted] == [("longbench.qasper", "made up")]
    order = [type(e) for e in world.events()]
    assert order.index(SourceAdopted) < order.index(PolicyAdopted)
    assert len(policy) == 1
    report = report_of(world)
    assert (report.result, report.first_divergence) == ("clean", None)
    assert report.scores.checked == report.scores.equal == 2 * (6 + 1)
    right = [e.accuracy for e in world.events(AnswerScored) if e.hotkey == next(iter(world.miners))]
    assert right == [1.0] * 6
    assert {e.metric for e in world.events(AnswerScored)} == {"answer_exact@1", "longbench@1"}


def test_what_is_withheld_is_said_and_the_rest_is_judged(world: World) -> None:
    """Without the pack: clean, signatures and means checked, tasks and scores not regenerated."""
    source = world.events(SourceAdopted)[0].source.sha256
    report = report_of(world, withhold=True)
    assert (report.result, report.first_divergence) == ("clean", None)
    assert (
        "tasks and scores of 2 rounds: committed, not regenerated, as the log withholds "
        f"{source}; name the pack with --source" in report.not_checked
    )
    assert not [line for line in report.not_checked if "not revealed yet" in line]
    assert report.scores.checked == 2  # means alone
    assert report.receipts.equal == report_of(world).receipts.equal > 0


def test_a_withheld_pack_can_be_named(world: World) -> None:
    """Whoever has the file audits as if the log gave it."""
    given = report_of(world)
    data = packs.installed(world.events(SourceAdopted)[0].source.sha256)

    async def with_file() -> Report:
        forget()
        packs.install(data)
        return await audit(LineLog(world.lines, without(world)))

    assert anyio.run(with_file) == given


def without(world: World) -> MemoryBlobs:
    """The world's blobs but its pack."""
    blobs, source = MemoryBlobs(), world.events(SourceAdopted)[0].source.sha256
    for name, data in world.log.blobs._held.items():  # type: ignore[attr-defined]
        if name != source:
            blobs.put(data)
    return blobs


def test_a_policy_needs_its_sources_before_it() -> None:
    """A log that never adopts what its policy names does not follow the rules."""

    async def adopt_without() -> World:
        world = World(miners=2)
        await world.open()
        blob = world.log.blobs.put(policy(pack()))
        await world.append("supervisor", PolicyAdopted(number=2, name="readme-v1", toml=blob))
        return world

    world = anyio.run(adopt_without)
    report = anyio.run(audit, LineLog(world.lines, world.log.blobs))
    assert report.first_divergence is not None
    assert report.first_divergence.reason == (
        "the policy names a source that was not adopted before it"
    )


def test_other_processes_get_the_pack(world: World) -> None:
    """Work that needs a pack brings it along, once."""
    report = report_of(world, processes=2)
    assert report.result == "clean"
    source = world.events(SourceAdopted)[0].source.sha256
    work = Packs([packs.installed(source)])
    forget()
    assert list(perform(decode(encode(work)))) == []
    assert packs.is_installed(source)
    mix = Mix(family=f"longbench.{FILE}@1", bucket="512k", tasks=1, source=source)
    task = Task(0, mix, b"seed", 3_000)
    assert source_of(Answers(task, [], [])) == mix.source
    with Workers(2) as workers:
        shared = workers.share([Answers(task, ["one"], [b"qqq"]) for _ in range(6)])
    assert [list(found) for found in shared] == [[0.0]] * 6


def test_a_run_adopts_what_the_volume_lacks() -> None:
    """Each pack once a volume, before the policy; one that is not here leaves the log as it is."""
    source = pack()
    toml = policy(source)

    async def adopt() -> list[type]:
        log = MemoryLog()
        await adopt_policy(log, toml, 1, [])
        await adopt_policy(log, toml, 2, [source])
        forget()
        with pytest.raises(NoSource, match=f"the source {source} is not here"):
            await adopt_policy(log, toml, 3, [])
        return [type(decode_line(line).event) for line in log._lines]

    assert anyio.run(adopt) == [SourceAdopted, PolicyAdopted, PolicyAdopted]


def test_a_validator_is_told_what_its_policy_needs(tmp_path: Path) -> None:
    """One line names family and digest; the folder that the pack was made from will do."""
    (tmp_path / f"{FILE}.jsonl").write_text(jsonl(rows(FILE, 6, 4)))
    pytest.importorskip("datasets")
    source = packs.install(make_pack(f"longbench.{FILE}", str(tmp_path)))
    forget()
    named = parse(policy(source))
    with pytest.raises(UsageError, match=rf"longbench\.{FILE}@1 needs the source {source}"):
        require(named, [])
    (tmp_path / "other").mkdir()
    with pytest.raises(UsageError, match="other holds no qasper"):
        require(named, [str(tmp_path / "other")])
    require(named, [str(tmp_path)])
    assert packs.is_installed(source)
    require(parse(small_policy()), [])


def test_a_pack_that_makes_no_task_is_damage(world: World) -> None:
    """Whatever stands in a hostile log's pack is a finding, and no mistake of who audits."""
    source = world.events(SourceAdopted)[0].source.sha256

    async def of_junk() -> Report:
        forget()
        packs._installed[source] = b"junk"
        return await audit(LineLog(world.lines, world.log.blobs))

    report = anyio.run(of_junk)
    assert report.first_divergence is not None
    assert "leads to a task that cannot be made: this is no pack" in report.first_divergence.reason


def test_a_log_cannot_fill_the_memory(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """More packs than a process holds cannot be judged, and one line says why."""
    monkeypatch.setattr(packs, "MAX_BYTES", 1000)
    with pytest.raises(CannotJudge, match="its packs take more than 1000 bytes"):
        report_of(world)


def test_a_pack_of_another_length_is_damage() -> None:
    """The event names its length too, and the bytes are there to be compared."""

    async def adopt_shorter() -> World:
        world = World(miners=2)
        await world.open()
        blob = world.log.blobs.put(packs.installed(pack()))
        wrong = Blob(sha256=blob.sha256, bytes=blob.bytes + 1)
        await world.append("supervisor", SourceAdopted(source=wrong, name="x", revision="y"))
        return world

    world = anyio.run(adopt_shorter)
    forget()
    report = anyio.run(audit, LineLog(world.lines, world.log.blobs))
    assert report.first_divergence is not None
    assert report.first_divergence.reason.endswith("bytes long")
