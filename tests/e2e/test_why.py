"""`quasar why` on the recorded log, as programs of their own."""

import json
from pathlib import Path

from quasar.events import AnswerScored, WeightsComputed
from quasar.replay import open_log
from tests.e2e.programs import run


def test_a_weight_is_followed_down_to_proved_events(tmp_path: Path) -> None:
    """The newest row's numbers; one of the proof files is verified by another program."""
    row = list(open_log("sample").events(WeightsComputed))[-1]
    weight = row.weights[0]
    ran = run("why", "sample", str(weight.uid), "--json", "--proofs", str(tmp_path / "proofs"))
    assert (ran.code, ran.err) == (0, "")
    found = json.loads(ran.out)
    assert (found["weight"]["u16"], found["epoch"]) == (weight.u16, row.epoch)
    assert found["rounds"][-1]["ema"] == weight.score
    assert found["differences"] == []
    scored = {e["seq"] for e in found["events"] if e["type"] == AnswerScored.__name__}
    assert {a["score_seq"] for r in found["rounds"] for a in r["answers"]} == scored
    newest = tmp_path / "proofs" / f"event-{max(scored)}.tlog-proof"
    told = run("proof", "verify", str(newest), "--hotkey", found["validator"])
    assert (told.code, told.out.startswith("PROVED")) == (0, True)
