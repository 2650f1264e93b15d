"""``quasar demo --full``: a real model's answers, real containers, weights read back.

The model is taken from ``QUASAR_MODELS`` or fetched once into pytest's cache (93 MB).
"""

import importlib.util
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from quasar.cli import full
from quasar.cli.identity import demo_miner
from quasar.config import load_policy
from quasar.errors import MissingExtra
from quasar.events import (
    AnswerReceived,
    AnyEvent,
    CodeExecuted,
    RunStarted,
    TaskSampled,
    WeightsVerified,
)
from quasar.events.envelope import decode
from quasar.inference import models
from quasar.log.archive_reader import ArchiveLog
from quasar.rules.policy import parse
from tests.e2e.programs import Result, run

READER = 1
"""Index of the miner that runs the model."""
LEFT_OUT = '[[mix]]\nfamily = "{}@1"\nbucket = "{}"\ntasks = 1\n\n'
LONG = (("factbook", "124k"), ("factbook", "512k"), ("factbook", "2m"))
SMALLER = (
    ("32_000\n", "2_000\n"),
    ("124_000\n", "4_000\n"),
    ("512_000\n", "5_000\n"),
    ("2_000_000\n", "6_000\n"),
    *((LEFT_OUT.format(*entry), "") for entry in (("hops", "124k"), ("code", "124k"), *LONG)),
    ('pay 1.0\nbucket = "32k"', 'pay 1.0\nbucket = "124k"'),  # code takes 4,000 tokens at least
    ("round_every_blocks = 75 ", "round_every_blocks = 20 "),
)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """full-v1 with short contexts."""
    toml = load_policy(full.POLICY).decode()
    for old, new in SMALLER:
        assert old in toml
        toml = toml.replace(old, new)
    path = tmp_path / "policy.toml"
    path.write_text(toml)
    return path


@pytest.fixture
def state(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A state folder with the model in it."""
    if given := os.environ.get("QUASAR_MODELS"):
        kept = Path(given)
    else:
        assert request.config.cache is not None
        kept = request.config.cache.mkdir("models")
    models.get(full.MODEL, kept)
    (tmp_path / "state" / "quasar").mkdir(parents=True)
    (tmp_path / "state" / "quasar" / "models").symlink_to(kept.absolute())
    return tmp_path / "state"


@pytest.fixture
def demo(tmp_path: Path, policy: Path, state: Path) -> Callable[..., Result]:
    def demo(*more: str, **environment: str) -> Result:
        flags = ["--full", "--rounds", "1", "--out", str(tmp_path / "d"), "--policy", str(policy)]
        where = {"XDG_STATE_HOME": str(state), **environment}
        return run("demo", *flags, *more, timeout_s=500, **where)

    return demo


def events(folder: Path) -> list[AnyEvent]:
    return [decode(line).event for _, line in ArchiveLog(folder).lines()]


@pytest.mark.nats
@pytest.mark.torch
@pytest.mark.docker
@pytest.mark.timeout(600)
def test_model_containers_and_chain_take_part(tmp_path: Path, demo: Callable[..., Result]) -> None:
    """SmolLM2's answers and containers' outcomes are in the log, the row is on chain, all clean."""
    result = demo("--json")
    assert result.code == 0, result
    shown, seen = json.loads(result.out), events(tmp_path / "d")
    reader = demo_miner(7, READER).ss58_address
    answers = [e for e in seen if isinstance(e, AnswerReceived) and e.hotkey == reader]
    assert len(answers) == 4
    assert all(answer.elapsed_ms < answer.deadline_ms for answer in answers)
    families = {(e.round, e.task): e.family for e in seen if isinstance(e, TaskSampled)}
    for answer in answers:
        form = "def " if families[answer.round, answer.task] == "code@1" else "ANSWER: "
        assert form in (answer.text or ""), answer
    earned = shown["families"]
    assert earned[reader]["factbook@1"] > earned[demo_miner(7, 2).ss58_address]["factbook@1"]
    assert set(earned[reader]) == {"factbook@1", "hops@1", "code@1"}
    ran = [e for e in seen if isinstance(e, CodeExecuted)]
    assert len(ran) == shown["programs_run"] == 4
    assert any(e.hotkey == reader and e.cases for e in ran)
    assert [e.sandbox for e in seen if isinstance(e, RunStarted)] == ["docker"]
    rows = [e for e in seen if isinstance(e, WeightsVerified)]
    assert rows
    assert all(row.equal for row in rows)
    assert shown["weights"][reader] > 0
    assert (shown["left_out"], shown["audit"]["result"]) == ([], "clean")
    assert any("equal the chain's" in line for line in shown["audit"]["proved"])
    assert run("audit", str(tmp_path / "d")).code == 0


@pytest.mark.parametrize("package", full.PACKAGES)
def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Before anything is downloaded or played."""
    find = importlib.util.find_spec
    monkeypatch.setattr(full, "fetch", None)
    monkeypatch.setattr(full, "find_spec", lambda name: None if name == package else find("quasar"))
    with pytest.raises(MissingExtra, match=rf"{package}.*quasar-subnet\[torch\]") as raised:
        full.engines()
    assert raised.value.exit_code == 2


def test_a_download_is_announced_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What, how much, where: before the first run's download, and never again."""
    said: list[str] = []

    def fetch(name: str, folder: Path) -> Path:
        said.append(capsys.readouterr().err)
        (folder / name).mkdir(parents=True, exist_ok=True)
        return folder / name

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(full, "fetch", fetch)
    monkeypatch.setattr(full, "find_spec", lambda name: name)
    folder = tmp_path / "quasar" / "models"
    for _ in range(2):
        assert f"reader:{folder / 'smollm2'}" in full.engines()
    assert "93 MB to download" in said[0]
    assert "272 MB on disk" in said[0]
    assert str(folder) in said[0]
    assert said[1] == ""


def test_it_has_engines_of_its_own() -> None:
    """``--engine`` beside ``--full`` would be passed over in silence."""
    result = run("demo", "--full", "--engine", "empty")
    assert (result.code, result.out) == (2, "")
    assert "leave out --engine" in result.err


def test_its_policy_has_every_family_and_the_real_lengths() -> None:
    """The demonstration is about long contexts."""
    policy, real = parse(load_policy(full.POLICY)), parse(load_policy("mixed-v1"))
    assert {entry.family for entry in policy.mix} == {entry.family for entry in real.mix}
    assert policy.buckets == real.buckets
    assert {"32k", "2m"} <= {entry.bucket for entry in policy.mix}
    assert (policy.deadline, policy.scoring) == (real.deadline, real.scoring)
