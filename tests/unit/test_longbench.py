"""LongBench's families: every item exact, in its own text and in longer ones."""

from hashlib import sha256

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasar.benchmarks import FAMILIES, packs, tokenizer
from quasar.benchmarks.family import Instance
from quasar.benchmarks.longbench import DATASETS, FILES, dataset_of
from quasar.benchmarks.packs import document
from quasar.benchmarks.published import MAX_QUESTION_BYTES, Form, Published
from quasar.benchmarks.shorten import without_middle
from quasar.errors import UsageError
from quasar.metrics import METRICS
from quasar.packs import make_pack
from quasar.rules.judging import read
from tests.longbench_files import CLASSES, choices, pack_of, rows, write_hub_layout

PUBLISHED = Form("published")
SHOWN = (
    "narrativeqa",
    "qasper",
    "multifieldqa_en",
    "gov_report",
    "qmsum",
    "multi_news",
    "trec",
    "triviaqa",
)
"""The data sets that the subnet lists."""
CEILING = 0.999999995
"""The most that ``rouge``'s F gives a text compared with itself: it adds 1e-8 below the line."""


def family(file: str) -> Published:
    found = FAMILIES[f"longbench.{file}@1" if file else "longbench_v2@1"]
    assert isinstance(found, Published)
    return found


def task(file: str, tokens: int, source: str, form: Form | None = None, seed: int = 0) -> Instance:
    template = family(file).template(sha256(b"%d" % seed).digest(), tokens, form, source)
    return template.instance(b"any")


def scored(file: str, instance: Instance, answer: str) -> float:
    metric = METRICS[family(file).metric]
    return read(metric, instance, answer.encode(), instance.options)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> str:
    """All that the subnet lists, in the hub's own layout."""
    folder = tmp_path_factory.mktemp("longbench") / "hub"
    write_hub_layout(folder, {file: rows(file, 30, 100) for file in SHOWN})
    return str(folder)


@pytest.mark.parametrize("size", [32_000, 2_000_000], ids=["32k", "2m"])
@pytest.mark.parametrize("file", SHOWN)
def test_an_oracle_has_it_all(file: str, size: int, hub: str) -> None:
    """From the hub's layout through ``datasets``: the bucket is full, and each reference counts."""
    pytest.importorskip("datasets")
    instance = task(file, size, packs.install(make_pack(f"longbench.{file}", hub)))
    assert 0.98 * size <= instance.tokens <= size
    best = CEILING if file in ("gov_report", "qmsum", "multi_news") else 1.0
    assert [scored(file, instance, a) for a in instance.references] == [
        pytest.approx(best, abs=1e-15)
    ] * len(instance.references)
    assert scored(file, instance, "qqq") == 0.0
    assert msgspec.json.decode(instance.answer) == list(instance.references)


@pytest.mark.parametrize("file", [*FILES, ""], ids=lambda file: file or "v2")
def test_every_family_puts_its_item(file: str) -> None:
    """Lengthened: exact tokens, the item's own text where the proof says, no text twice."""
    made = rows(file) if file else choices()
    instance = task(file, 32_000, pack_of(file, made))
    context = instance.context()
    assert 31_360 <= instance.tokens == tokenizer.count(context) <= 32_000
    own = [row for row in made if document(row["context"]) == own_text(instance, context)]
    questions = [str(row["input" if file else "question"]).strip() for row in own]
    asked = instance.question[-1].text
    said = not file or "{input}" in DATASETS[dataset_of(file)].prompt
    assert len([question for question in questions if question in asked]) == said
    assert {context.count(document(row["context"])) for row in made} == {1}
    assert 0.0 <= family(file).guess_rate <= 0.4


def own_text(instance: Instance, context: str) -> str:
    """What the proof points to."""
    [place] = instance.proof
    return place.of(context) + "\n"


def test_the_meant_document_is_named() -> None:
    """Where the prompt does not tell which text it is about, a line over each one does."""
    instance = task("gov_report", 32_000, pack_of("gov_report", rows("gov_report")))
    context, [place] = instance.context(), instance.proof
    title = context.split("\n")[place.first - 1]
    assert title.startswith("[Document ")
    assert context.count(f"{title}\n") == 1
    assert title in instance.question[0].text
    few_shot = task("trec", 32_000, pack_of("trec", rows("trec")))
    assert "[Document 1]" not in few_shot.context()
    assert len(few_shot.question) == 2


def test_the_published_form_is_the_published_prompt() -> None:
    """Prompt and text give the official prompt, byte for byte; nothing is cut that fits."""
    made = rows("qasper")
    source = pack_of("qasper", made)
    instance = task("qasper", 32_000, source, PUBLISHED)
    context = instance.context()
    row = next(row for row in made if row["input"] in instance.question[1].text)
    before, after = (part.text for part in instance.question)
    assert before + context + after == DATASETS["qasper"].prompt.format(
        context=row["context"], input=row["input"]
    )
    assert instance.tokens == tokenizer.count(context)
    assert own_text(instance, context) == context + "\n"


def test_a_long_text_loses_its_middle() -> None:
    """Half of the bucket from each end; what is left out is counted and part of the digest."""
    made = rows("narrativeqa", 1, 200)
    source = pack_of("narrativeqa", made)
    template = family("narrativeqa").template(b"seed", 4_000, PUBLISHED, source)
    context = template.context()
    text = made[0]["context"]
    assert 3_900 <= template.tokens == tokenizer.count(context) <= 4_000
    assert context[:5_000] == text[:5_000]
    assert context[-5_000:] == text[-5_000:]
    assert template.left_out == tokenizer.count(text) - template.tokens > 0
    whole = family("narrativeqa").template(b"seed", 32_000, PUBLISHED, source)
    assert whole.left_out == 0
    assert whole.digest != template.digest
    with pytest.raises(
        UsageError, match=r"no item of longbench\.narrativeqa fits into 4000 tokens"
    ):
        family("narrativeqa").template(b"seed", 4_000, None, source)


@given(st.text(alphabet="a 漢é👩\n", max_size=200), st.integers(1, 40))
def test_a_cut_never_exceeds_its_limit(text: str, limit: int) -> None:
    """Also through the middle of a character; a text that fits stays as it is."""
    cut = without_middle(text, limit)
    assert tokenizer.count(cut) <= limit
    assert (cut == text) == (tokenizer.count(text) <= limit)


def test_a_published_limit_of_the_log_holds() -> None:
    """An item whose question is too long for an assignment is never drawn."""
    made = rows("triviaqa", 6)
    for row in made[1:]:
        row["input"] = "é" * MAX_QUESTION_BYTES
    source = pack_of("triviaqa", made)
    asked = {task("triviaqa", 32_000, source, None, seed).question[1].text for seed in range(8)}
    assert len(asked) == 1


def test_everyone_gets_the_same_task() -> None:
    """Real answers cannot vary; another seed draws another item and another order."""
    source = pack_of("hotpotqa", rows("hotpotqa"))
    template = family("hotpotqa").template(b"seed", 32_000, None, source)
    one, other = template.instance(b"one"), template.instance(b"other")
    assert (one.context(), one.question) == (other.context(), other.question)
    digests = {
        family("hotpotqa").template(seed, 32_000, None, source).digest
        for seed in (b"seed", b"seed", b"other")
    }
    assert len(digests) == 2


def test_all_classes_reach_the_metric() -> None:
    """Naming every class gives its share and no more."""
    instance = task("trec", 32_000, pack_of("trec", rows("trec")))
    assert instance.options == {"dataset": "trec", "all_classes": CLASSES}
    assert scored("trec", instance, ", ".join(CLASSES)) == pytest.approx(1 / len(CLASSES))


def test_a_choice_counts_in_the_published_form() -> None:
    """LongBench v2: the right letter, and only as its authors read it."""
    instance = task("", 32_000, pack_of("", choices()))
    right = instance.answer
    assert scored("", instance, f"The correct answer is ({right})") == 1.0
    assert scored("", instance, "The correct answer is (A) or (B) or (C) or (D)") == (right == "A")
    before, after = (part.text for part in instance.question[1:])
    assert before.endswith("<text>\n")
    assert after.startswith("\n</text>\n\nWhat is the correct answer to this question: Which one")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"source": ""}, "needs its data: make a pack with `quasar pack make longbench.qasper`"),
        ({"parameters": msgspec.convert({}, msgspec.Struct)}, "takes one parameter: form="),
        ({"file": "qmsum"}, "needs a pack of longbench.qmsum, not of longbench.qasper"),
        ({"tokens": 100}, "fits into 100 tokens"),
    ],
    ids=["no source", "parameters", "another pack", "too short"],
)
def test_what_cannot_be_made_is_told(change: dict[str, object], told: str) -> None:
    """One clear line."""
    how = {"file": "qasper", "tokens": 32_000, "source": pack_of("qasper", rows("qasper"))}
    asked = {"parameters": None, **how, **change}
    with pytest.raises(UsageError) as caught:
        family(str(asked.pop("file"))).template(b"seed", **asked)  # type: ignore[arg-type]
    assert told in str(caught.value)


def test_released_tasks_stay_as_they_are() -> None:
    """These digests were made when the families were released: another one is another task."""
    source = pack_of("qasper", rows("qasper"))
    found = {
        level.form: family("qasper").template(b"seed", 32_000, level, source).digest[:16]
        for level in family("qasper").levels
    }
    assert found == {"lengthened": "57f420c1c8e8489f", "published": "df4b3a15626b2f04"}
