"""The benchmark of two validators' agreement runs, and its numbers are what they are called."""

import json
import sys

import pytest

from bench import agreement
from quasar.config import load_policy
from quasar.rules.policy import parse


def test_a_small_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each policy that ships; more rounds and more tasks bring the validators together."""
    argv = ["agreement", "--miners", "8", "--rounds", "60", "--json"]
    monkeypatch.setattr(sys, "argv", argv)
    assert agreement.main() == 0
    found = json.loads(capsys.readouterr().out)
    assert {a["policy"] for a in found} == set(agreement.POLICIES)
    for a in found:
        assert 0.0 < a["floor"] < 2.0
        assert a["reached"] is None or a["floor"] < agreement.GOAL
    alphas = {n: parse(load_policy(n)).scoring.ema_alpha for n in agreement.POLICIES}
    own = [a for a in found if (a["alpha"], a["times"]) == (alphas[a["policy"]], 1)]
    assert len(own) == len(agreement.POLICIES)
    for a in own:
        assert a["l1"]["50"] < a["l1"]["1"]
        more = [b for b in found if (b["policy"], b["times"]) == (a["policy"], 8)]
        if a["alpha"] == 0.1:  # with a slower one, seven steps are too few to settle
            assert [b["floor"] < a["floor"] for b in more] == [True]


def test_one_validator_agrees_with_itself() -> None:
    """No distance, and one order, from the first round on."""
    policy = parse(load_policy("readme-v1"))
    played = agreement.Validator("one", policy, agreement.cast(6)).play(12)
    found = agreement.compare(played, played, policy, 0.1, 1)
    assert (found.floor, found.reached, found.l1) == (0.0, 1, {1: 0.0, 10: 0.0})
    assert found.tau == {1: 1.0, 10: 1.0}
