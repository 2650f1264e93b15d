"""Records of programs: who runs twice, what is in their digests, and what two runs say."""

import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasar.benchmarks import FAMILIES, checking
from quasar.benchmarks.family import MAX_CASES, Program
from quasar.errors import UsageError
from quasar.events import CaseOutcome, CodeExecuted
from quasar.events.base import Blob
from quasar.events.envelope import MAX_EVENT_BYTES, Draft, encode
from quasar.events.json_value import Tolerance, canonical_json
from quasar.replay.work import hidden_in
from quasar.rules.executed import (
    CHOSEN,
    code_digest,
    contradicts,
    digest_of,
    hidden_of,
    runs_twice,
    wrong_record,
)
from quasar.rules.policy import parse
from quasar.rules.policy_sections import Execution
from quasar.sandbox import SandboxConfig
from quasar.supervisor.sandbox_limits import limited
from tests.code_round import code_policy

SEED = bytes(range(32))
HOTKEYS = ["5" + "A" * 44 + f"{a}{b}{c}" for a in "BCDEFGHJKL" for b in "MNPQRSTUVW" for c in "123"]
ENDS = st.sampled_from(["ok", "error", "timeout", "oom", "crashed", "output_limit", "forbidden"])
CODE, PROGRAM = "def f(x):\n    return x", Program("f", [[1], [2]], [1, 2])


def case(status: str = "ok", output: bytes = b"1", **changes: object) -> CaseOutcome:
    """One that ended so."""
    blob = Blob(sha256=hashlib.sha256(output).hexdigest(), bytes=len(output))
    made = CaseOutcome(
        status="ok", input=digest_of([1]), output=blob, execution_time_ms=3, cpu_time_ms=2
    )
    kept = {} if status == "ok" else {"output": None}
    return msgspec.structs.replace(made, status=status, **kept, **changes)


def run(cases: list[CaseOutcome], again: list[CaseOutcome] | None = None) -> CodeExecuted:
    return CodeExecuted(
        round=1,
        task=0,
        hotkey=HOTKEYS[0],
        code=code_digest(CODE),
        cases=cases,
        again=again,
        driver="docker",
        image="a" * 64,
        layers=["b" * 64],
        python="3.11.7",
    )


def test_a_tenth_runs_twice() -> None:
    """By the round's seed, each miner and task for itself; the numbers are those of the rule."""
    chosen = [hotkey for hotkey in HOTKEYS if runs_twice(SEED, 0, hotkey)]
    assert len(chosen) == 24
    assert chosen != [hotkey for hotkey in HOTKEYS if runs_twice(SEED, 1, hotkey)]
    assert chosen != [hotkey for hotkey in HOTKEYS if runs_twice(bytes(32), 0, hotkey)]


def test_digests() -> None:
    """Anyone can compute them: SHA-256 of the text, and of the arguments as canonical JSON."""
    assert digest_of([1, ["\u00e9", 1.0]]) == hashlib.sha256(b'[1,["\\u00e9",1.0]]').hexdigest()
    assert code_digest("\u00e9") == hashlib.sha256("\u00e9".encode()).hexdigest()


@given(ENDS, ENDS, st.sampled_from([b"1", b"2"]), st.sampled_from([b"1", b"2"]))
def test_what_two_runs_say(one: str, two: str, first: bytes, second: bytes) -> None:
    """Only two ends of the code's own choice contradict each other, and only by being unequal."""
    same = one == two and (one != "ok" or first == second)
    found = contradicts(run([case(), case(one, first)], [case(), case(two, second)]))
    assert found == (not same and {one, two} <= CHOSEN)
    assert not contradicts(run([case(one, first)]))


def test_time_is_no_contradiction() -> None:
    """Clocks differ from run to run."""
    slower = case(execution_time_ms=900, cpu_time_ms=800)
    assert not contradicts(run([case()], [slower]))


def test_a_record_is_of_its_program() -> None:
    """Text, arguments and their order; the tests of forgeries go through all the rest."""
    cases = [case(input=digest_of([1])), case(input=digest_of([2]))]
    hidden = hidden_of(PROGRAM)
    assert wrong_record(run(cases), CODE, hidden, twice=False) is None
    assert wrong_record(run(cases, cases), CODE, hidden, twice=True) is None
    assert wrong_record(run(cases[::-1]), CODE, hidden, twice=False) is not None
    assert wrong_record(run(cases), CODE + " ", hidden, twice=False) is not None


def test_hidden_cases_travel() -> None:
    """Between processes, with numbers that other formats round or refuse."""
    program = Program("f", [[2**70]], [[2**70, 0.1]], [Tolerance("1e-9")])
    hidden = hidden_of(program)
    assert hidden_in(canonical_json(hidden)) == hidden
    assert hidden_in(canonical_json(hidden_of(PROGRAM))) == hidden_of(PROGRAM)


def test_a_policy_gives_the_limits() -> None:
    """A sandbox takes them from it, and keeps its own where there are none."""
    table = b"\n[execution]\ntimeout_s = 1.5\nmemory_mib = 64\nbudget_s = 9\n"
    limits = parse(code_policy() + table).execution
    assert limits == Execution(timeout_s=1.5, memory_mib=64, budget_s=9.0)
    config = limited(SandboxConfig(owner="me"), limits)
    assert (config.timeout_s, config.memory_mib, config.owner) == (1.5, 64, "me")
    assert parse(code_policy()).execution is None
    assert limited(SandboxConfig(), None) == SandboxConfig()


@pytest.mark.parametrize("line", ["timeout_s = 0", "memory_mib = 8", "budget_s = -1"])
def test_limits_that_are_none(line: str) -> None:
    """Are refused when the policy is read."""
    name = line.partition(" ")[0]
    others = [f"{n} = 64" for n in ("timeout_s", "memory_mib", "budget_s") if n != name]
    table = "\n".join(["", "[execution]", line, *others])
    with pytest.raises(UsageError, match=name):
        parse(code_policy() + table.encode())


def test_as_many_cases_as_may_be_fit_in_an_event() -> None:
    """Run twice, each with the longest numbers."""
    longest = case(execution_time_ms=2**53, cpu_time_ms=2**53)
    assert longest.output is not None
    output = msgspec.structs.replace(longest.output, bytes=2**26)
    cases = [msgspec.structs.replace(longest, output=output)] * MAX_CASES
    record = msgspec.structs.replace(run(cases, cases), layers=["b" * 64] * 20)
    draft = Draft(actor="sandbox-executor", cause=2**53, event=record)
    assert len(encode(draft, at=2**62)) <= MAX_EVENT_BYTES


def test_a_family_with_more_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """When its author checks it, and not when a round's record is written."""
    monkeypatch.setattr(checking, "MAX_CASES", 5)
    found = checking.broken(FAMILIES["code@1"], 4000, 1, None, lambda *_: [])
    assert any("5 at most" in promise for promise in found)
