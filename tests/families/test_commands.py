"""``quasar task``: list, show, make and check, and one clear line for what is wrong."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from quasar.benchmarks import FAMILIES, tokenizer
from quasar.benchmarks.about import find, purpose
from quasar.benchmarks.family import Family
from quasar.benchmarks.pins import smallest
from quasar.cli import app, logs, task_check
from quasar.cli.run import run
from quasar.cli.task_make import seed_of, tokens_of
from quasar.errors import UsageError
from quasar.metrics import METRICS
from quasar.rules.plan import task_of
from quasar.rules.policy import Mix
from tests.families import NAMES


class Ran(NamedTuple):
    """A command's end."""

    code: int
    out: str
    err: str


Quasar = Callable[..., Ran]


@pytest.fixture
def quasar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Quasar:
    """Runs ``quasar task`` in this process."""
    monkeypatch.setattr(logs, "set_up", lambda **_: None)

    def call(*arguments: object) -> Ran:
        code = run(app, ["task", *(str(a) for a in arguments)])
        shown = capsys.readouterr()
        return Ran(code, shown.out, shown.err)

    return call


def made(quasar: Quasar, *more: object) -> dict[str, Any]:
    """What ``make`` writes to stdout."""
    ran = quasar("make", "--seed", "S", "--out", "-", *more)
    assert (ran.code, ran.err) == (0, "")
    task: dict[str, Any] = json.loads(ran.out)
    return task


def test_list_names_every_family(quasar: Quasar) -> None:
    """As JSON and as a table, in which no row is broken; what is superseded says by what."""
    rows = [json.loads(line) for line in quasar("list", "--json").out.splitlines()]
    assert [row["name"] for row in rows] == list(FAMILIES)
    lines = quasar("list").out.splitlines()
    of_longbench = [row for row in rows if row["name"].startswith("longbench.")]
    assert {row["needs_source"] for row in of_longbench} == {True}
    assert len(lines) == len(rows) - len(of_longbench) + 2
    assert f"{len(of_longbench)} sets" in "".join(lines)
    assert all(name in "".join(lines) for name in NAMES)
    (old,) = [row for row in rows if row["name"] == "factbook@1"]
    assert "factbook@2" in old["superseded"]


@pytest.mark.parametrize("name", ["hops", "latest@1", "longbench.trec"])
def test_show_gives_levels_and_a_question(quasar: Quasar, name: str) -> None:
    """In words and as JSON; a family that needs a source says so instead of asking."""
    shown = json.loads(quasar("show", name, "--json").out)
    words = quasar("show", name).out
    assert shown["name"] in words
    assert words.count("\nlevel ") == len(shown["levels"])
    assert (shown["question"] or "needs a source") in words


@pytest.mark.parametrize("name", ["latest@1", "code@2", "ruler.vt@1"])
def test_make_writes_a_task_that_can_be_scored(quasar: Quasar, name: str, tmp_path: Path) -> None:
    """Everything about it in one file: the context by its digest, the proof by its lines."""
    file = tmp_path / "f.json"
    size = smallest(name)
    ran = quasar("make", "--family", name, "--tokens", size, "--seed", "S", "--out", file)
    assert (ran.code, ran.out) == (0, "")
    task = json.loads(file.read_bytes())
    context = task["context"]
    assert task["context_sha256"] == sha256(context.encode()).hexdigest()
    assert task["tokens"] == tokenizer.count(context)
    assert 0.98 * size <= task["tokens"] <= size == task["size"]
    lines = context.split("\n")
    for place in task["proof"]:
        first = place["line"] - 1
        assert place["lines"] == lines[first : first + len(place["lines"])]
    if task["program"]:
        assert json.loads(task["answer"]) == task["program"]["expected"]
    else:
        metric = METRICS[task["metric"]]
        assert metric(f"ANSWER: {task['answer']}", task["references"], **task["options"]) == 1.0


def test_make_gives_the_very_task_of_a_round(quasar: Quasar) -> None:
    """Seed and hotkey of a log lead to the question and context that the miner got."""
    seed, hotkey = sha256(b"a task").digest(), "5F3sa2TJAWMqDhXG6jhV4N8ko9SxwGy8TpaNS1repo5EYjQX"
    mix = Mix(family="latest@1", bucket="8k", tasks=1, level=3)
    variant = task_of(0, mix, seed, 8_000).variant(hotkey)
    more = ("--hotkey", hotkey, "--level", 3)
    ran = quasar(
        "make", "--family", "latest", "--tokens", "8k", "--seed", seed.hex(), "--out", "-", *more
    )
    task = json.loads(ran.out)
    assert task["context"] == variant.instance.context()
    assert task["answer"] == variant.instance.answer


def test_make_says_in_brief_what_it_made(quasar: Quasar, tmp_path: Path) -> None:
    """With --json, one object without the secrets and without the long text."""
    file = tmp_path / "f.json"
    where = ("--family", "hops", "--tokens", "4k", "--seed", "S", "--out", file)
    told = json.loads(quasar("make", *where, "--json").out)
    assert told["template"] == json.loads(file.read_bytes())["template"]
    assert not {"context", "answer", "proof"} & set(told)


def test_parameters_are_set_by_level_and_by_name(quasar: Quasar) -> None:
    """A level gives all, --set changes some."""
    task = made(quasar, "--family", "latest", "--tokens", "8k", "--level", "3", "--set", "hops=2")
    assert task["parameters"] == {**msgspec.to_builtins(find("latest").levels[2]), "hops": 2}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"--family": "latst"}, "near it: latest"),
        ({"--family": "nothing like it"}, "`quasar task list` has all"),
        ({"--tokens": "100"}, "8000 to 2000000"),
        ({"--tokens": "3m"}, "8000 to 2000000"),
        ({"--tokens": "-8k"}, "tokens"),
        ({"--tokens": "many"}, "write 32k, 1.5m or 4000"),
        ({"--level": "9"}, "levels 1 to 3, not 9"),
        ({"--level": "high"}, "level"),
        ({"--set": "hopps=2"}, "it has hops"),
        ({"--set": "hops"}, "name=value"),
        ({"--set": "hops=many"}, "hops=many"),
        ({"--set": "hops=-1"}, "hops"),
        ({"--set": "hops=100000"}, "hops"),
        ({"--family": "hops", "--set": "a=1"}, "no levels or parameters"),
        ({"--family": "hops", "--level": "1"}, "no levels or parameters"),
        ({"--family": "longbench.trec"}, "source"),
        ({"--source": "/no/such/folder"}, "/no/such/folder"),
        ({"--seed": ""}, "--seed is empty"),
        ({"--out": ""}, "--out is empty: name the file"),
        ({"--out": "/no/such/folder/f.json"}, "cannot write /no/such/folder/f.json"),
    ],
    ids=str,
)
def test_what_cannot_be_made_gets_one_line(
    quasar: Quasar, change: dict[str, str], said: str
) -> None:
    """Exit code 2, nothing on stdout, and what to do next."""
    asked = {"--family": "latest", "--tokens": "8k", "--seed": "S", "--out": "-", **change}
    ran = quasar("make", *(part for pair in asked.items() for part in pair))
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert said in ran.err


def test_lengths_are_read_as_people_write_them() -> None:
    """Thousands and millions, with a part; no floats on the way."""
    wanted = {"4000": 4000, "32k": 32_000, "1.5m": 1_500_000, "2M": 2_000_000, "12_000": 12_000}
    assert {text: tokens_of(text) for text in wanted} == wanted
    for text in ("", "k", "1.5.2k", "-3", "1e6", "٣k"):
        with pytest.raises(UsageError):
            tokens_of(text)


def test_a_seed_is_hexadecimal_or_any_text() -> None:
    """64 digits are taken as they are; all else is hashed, also with 0x before them."""
    assert seed_of("AB" * 32) == bytes.fromhex("ab" * 32)
    assert len({seed_of(text) for text in ("0x" + "ab" * 32, "S", "ab", "\ud800")}) == 4


def test_a_name_without_a_version_is_the_newest() -> None:
    """With one, it is that one."""
    assert find("factbook").name == "factbook@2"
    assert find("factbook@1").name == "factbook@1"
    assert all(purpose(FAMILIES[name]) for name in FAMILIES)


def test_check_passes_a_good_family(quasar: Quasar) -> None:
    """A row for each kind of attacker, what a parser of its wordings earns, exit 0."""
    ran = quasar("check", "--family", "latent_list", "--tasks", 5, "--json")
    found = json.loads(ran.out)
    assert (ran.code, found["problems"], found["parser"]) == (0, [], 1.0)
    assert {kind for kind, *_ in found["attacked"]} >= {"regex", "corpus diff", "hedge", "dump"}


def test_check_fails_a_family_that_a_search_solves(quasar: Quasar) -> None:
    """Exit 1, and the attack is named; nobody wrote a parser for it."""
    ran = quasar("check", "--family", "factbook@1", "--tasks", 4)
    assert ran.code == 1
    assert "known limit: no parser written: it is superseded\n" in ran.out
    assert "FAILED" in ran.out
    assert "guess rate 0.042" in ran.out


def test_check_notices_other_tasks_in_another_process(
    quasar: Quasar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A family that draws from anything but its seed."""
    monkeypatch.setattr(task_check, "pin", lambda _: "other")
    found = list(task_check._elsewhere(FAMILIES["hops@1"]))
    assert found == ["another process makes other tasks of the same seeds"]


def test_check_takes_no_source(quasar: Quasar) -> None:
    """So a family that needs one is refused at once, and what to do instead is said."""
    ran = quasar("check", "--family", "longbench.qasper")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "longbench.qasper@1 needs a source, which check cannot take" in ran.err


@pytest.mark.parametrize("tasks", [0, -1])
def test_check_needs_a_task(quasar: Quasar, tasks: int) -> None:
    """One line, exit 2."""
    ran = quasar("check", "--family", "hops", "--tasks", tasks)
    assert (ran.code, ran.err.count("\n")) == (2, 1)


def test_every_family_can_be_found_by_what_it_is_called() -> None:
    """Full names lead to themselves."""
    families: list[Family] = [find(name) for name in NAMES]
    assert [family.name for family in families] == NAMES
