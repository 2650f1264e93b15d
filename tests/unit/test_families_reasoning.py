"""The reasoning families: pinned tasks, exact lengths, what oracles and cheap tricks earn."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from math import fsum
from typing import NamedTuple

import msgspec
import pytest
from msgspec import Struct

from quasar.benchmarks import FAMILIES, tokenizer
from quasar.benchmarks.corpus import corpus
from quasar.benchmarks.families import (
    absent,
    ancestors,
    associations,
    factbook2,
    latest,
    stories,
)
from quasar.benchmarks.planted import Planted, PlantedInstance
from quasar.draw import Draw
from quasar.errors import UsageError
from quasar.metrics import METRICS
from tests.families import from_proof

NAMES = [
    "absent@1",
    "ancestors@1",
    "associations@1",
    "factbook@2",
    "latent_list@1",
    "latest@1",
    "stories@1",
    "variables@1",
]
SIZE = 8_000
TASKS = 200


def family(name: str) -> Planted[Struct, Struct]:
    """A family of this module, by its registered name."""
    found = FAMILIES[name]
    assert isinstance(found, Planted)
    return found


@cache
def variants(name: str) -> Sequence[PlantedInstance]:
    """One variant of each of many tasks, at the easiest level."""
    chosen = family(name)
    return [
        chosen.template(b"task %d" % i, SIZE, chosen.levels[0]).instance(b"miner %d" % i)
        for i in range(TASKS)
    ]


def asked(variant: PlantedInstance) -> str:
    return "\n".join(part.text for part in variant.question)


PINNED = {
    "absent@1": ("6aa47b4e8281fdbf", "9492, none, none, none, none", "f4ffa57e9cd04c1b"),
    "ancestors@1": ("72623cb31a592fe5", "Brafidova", "8dcc7a63795700e4"),
    "associations@1": ("4ac396af2064505e", "Fosirund", "b832493e60ed33f7"),
    "factbook@2": ("c2dbc50b054565ee", "2877897", "cd44f4c404225dd4"),
    "latent_list@1": ("7ab5592ada5f3d37", "5491, 8771, 3680, 4360", "2be460e8022a77af"),
    "latest@1": ("1ee0e0f96a1f88e6", "77659", "b7430719b31ec7f2"),
    "stories@1": ("988b6ba444130afc", "6, 2, 1, 1, 1, 2", "ffa6c236830d8fc3"),
    "variables@1": ("f70e9131fd8f40ac", "82920", "6a2398f010bbbc74"),
}
"""Digest of the task, answer, and SHA-256 of the context: both cut to 16 digits."""


@pytest.mark.parametrize("name", NAMES)
def test_tasks_are_pinned(name: str) -> None:
    """A released family makes the same task for ever."""
    template = family(name).template(b"pinned", SIZE)
    variant = template.instance(b"miner")
    context = hashlib.sha256((asked(variant) + variant.context()).encode()).hexdigest()
    assert (template.digest[:16], variant.answer, context[:16]) == PINNED[name]


@pytest.mark.parametrize("name", NAMES)
def test_every_level_fits_and_all_variants_are_as_long(name: str) -> None:
    """Tokens and lines of two hotkeys are equal and as stated; at least fifty lines differ."""
    for level in family(name).levels:
        template = family(name).template(b"length", SIZE, level)
        texts = [template.instance(hotkey).context() for hotkey in (b"one", b"other")]
        assert [tokenizer.count(text) for text in texts] == [template.tokens] * 2
        assert 0.98 * SIZE <= template.tokens <= SIZE
        one, other = (text.split("\n") for text in texts)
        assert sum(a != b for a, b in zip(one, other, strict=True)) >= 50


@pytest.mark.parametrize("name", NAMES)
def test_pieces_have_equal_tokens_in_all_variants(name: str) -> None:
    """Piece by piece, so that proofs stand at the same lines for all."""
    template = family(name).template(b"pieces", SIZE)
    counts = {
        tuple(tokenizer.count(piece) for piece in template.spelled(b"m%d" % i).pieces)
        for i in range(3)
    }
    assert len(counts) == 1


@pytest.mark.parametrize("name", NAMES)
def test_levels_are_within_their_own_bounds(name: str) -> None:
    """A policy may name each level by its parameters; others are refused in words."""
    chosen = family(name)
    for level in chosen.levels:
        assert msgspec.convert(msgspec.to_builtins(level), type(level)) == level
    with pytest.raises(UsageError, match="parameters of its own"):
        chosen.template(b"s", SIZE, Struct())
    with pytest.raises(UsageError, match="8000 to 2000000"):
        chosen.template(b"s", SIZE - 1)


@pytest.mark.parametrize("name", NAMES)
def test_an_oracle_that_reads_the_proof_scores_one(name: str) -> None:
    """Question and pieces of the proof, and nothing else, lead to the answer."""
    for variant in variants(name):
        spelled = variant.spelled
        said = from_proof(name, asked(variant), [spelled.pieces[i].strip() for i in spelled.proof])
        assert METRICS[family(name).metric](f"ANSWER: {said}", [variant.answer]) == 1.0


@pytest.mark.parametrize("name", NAMES)
def test_the_proof_stands_where_it_says(name: str) -> None:
    """At every level, the lines of the context that the proof names lead to the answer."""
    for level in family(name).levels:
        for i in range(2):
            variant = family(name).template(b"hard %d" % i, SIZE, level).instance(b"m")
            lines = variant.context().split("\n")
            assert all(place.lines == 1 for place in variant.proof)
            proof = [lines[place.first] for place in variant.proof]
            said = from_proof(name, asked(variant), proof)
            assert said == variant.answer


INVENTED = re.compile(r"\b[A-Z][a-z]+(?:dova|gund|lesk|maur|nesh|quil|rund|vanth|vosk|zamar)\b")
NUMBER = re.compile(r"\b[0-9][0-9,]*\b")


class Line(NamedTuple):
    """A planted line as a trick sees it."""

    text: str
    names: list[str]
    numbers: list[str]


def planted(variant: PlantedInstance) -> list[str]:
    """What is left to one who deletes every vendored line, in the order of the text."""
    depths, pieces = variant._template.depths, variant.spelled.pieces
    return [pieces[i] for i in sorted(range(len(pieces)), key=depths.__getitem__)]


def numbers(text: str) -> list[str]:
    return [found.replace(",", "") for found in NUMBER.findall(text)]


def selections(question: str, lines: list[Line]) -> Iterator[tuple[str, list[Line]]]:
    """Lines by what they share with the question, and by one and two steps on from there."""
    yield "all", lines
    words = set(re.findall(r"\w+", question))
    near = [words.intersection(line.text.split()) for line in lines]
    rarest = Counter(word for shared in near for word in shared)
    if rarest:
        word = min(sorted(rarest), key=rarest.__getitem__)
        yield "rarest word", [line for line, got in zip(lines, near, strict=True) if word in got]
    keys, met, left = set(INVENTED.findall(question)), set[str](), lines
    for step in ("key", "one step", "two steps", "three steps"):
        taken = [line for line in left if not keys.isdisjoint(line.names)]
        yield step, taken
        met.update(line.text for line in taken)
        keys.update(name for line in taken for name in line.names)
        left = [line for line in left if line.text not in met]


def attacks(variant: PlantedInstance) -> Iterator[tuple[str, str]]:
    """Answers by name of the trick."""
    question = asked(variant)
    lines = [Line(text, INVENTED.findall(text), numbers(text)) for text in planted(variant)]
    for where, chosen in selections(question, lines):
        yield f"count of {where}", str(len(chosen))
        yield f"dump of {where}", " ".join(line.text.strip() for line in chosen)
        for kind in ("names", "numbers"):
            found = [text for line in chosen for text in getattr(line, kind)]
            found = [text for text in found if text not in question]
            if found:
                yield from picked(f"{kind} of {where}", found)
                if kind == "numbers":
                    yield f"total of {where}", str(sum(map(int, found)))
    yield "question", question.replace("\n", " ")
    yield "its name", (INVENTED.findall(question) or ["x"])[-1]
    for constant in ("none", "none, none, none, none", "4", "1, 1, 1, 1, 1, 1"):
        yield constant, constant


def picked(what: str, found: list[str]) -> Iterator[tuple[str, str]]:
    """One of a kind, or several."""
    ranked = [text for text, _ in Counter(found).most_common()]
    yield f"first of {what}", found[0]
    yield f"last of {what}", found[-1]
    yield f"most frequent of {what}", ranked[0]
    yield f"least frequent of {what}", ranked[-1]
    yield f"longest and largest of {what}", max(found, key=lambda text: (len(text), text))
    yield f"shortest and smallest of {what}", min(found, key=lambda text: (len(text), text))
    yield f"four of {what}", ", ".join(found[:4])
    yield f"last four of {what}", ", ".join(found[-4:])
    yield f"each of {what}", "\nANSWER: ".join(ranked)


@pytest.mark.parametrize("name", NAMES)
def test_an_attack_without_a_model_earns_no_more_than_a_guess(name: str) -> None:
    """Every trick stays within 3 points of the stated rate, though it sees planted lines only."""
    metric, earned = METRICS[family(name).metric], Counter[str]()
    for variant in variants(name):
        for trick, answer in attacks(variant):
            earned[trick] += int(metric(f"ANSWER: {answer}", [variant.answer]))
    limit = TASKS * (family(name).guess_rate + 0.03)
    assert not {trick: n / TASKS for trick, n in earned.items() if n > limit}


def test_canary_is_a_real_number() -> None:
    """The real fact's number is never the answer, and stands nowhere among the planted lines."""
    real = {str(fact.value) for fact in corpus().facts}
    for variant in variants("factbook@2")[:20]:
        assert variant.canary in real
        assert variant.answer not in real
        assert variant.answer in [n for piece in planted(variant) for n in numbers(piece)]


@pytest.mark.parametrize("name", ["ancestors@1", "factbook@2", "stories@1"])
def test_every_name_stands_equally_often(name: str) -> None:
    """Counting tells people from people, or places from places, in no way."""
    for variant in variants(name)[:10]:
        counts = Counter(n for piece in variant.spelled.pieces for n in INVENTED.findall(piece))
        assert len(set(counts.values())) == (2 if name == "stories@1" else 1)  # people and places


HIDDEN: dict[str, Sequence[Sequence[str]]] = {
    "absent@1": [attribute.told for attribute in absent.ATTRIBUTES],
    "ancestors@1": [ancestors.BORN, ancestors.APART, *ancestors.OTHERS],
    "associations@1": [associations.LODGING, *(table.told for table in associations.tables())],
    "factbook@2": [tie.told for tie in factbook2.TIES],
    "latest@1": [latest.TRUE],
    "stories@1": [stories.WENT, stories.GOT],
}
"""Wordings that a question must not lead to."""
COMMON = set(
    re.findall(r"\w+", "all and for from had has have its not one that the them was where who with")
)


@pytest.mark.parametrize("name", sorted(HIDDEN))
def test_question_shares_no_content_word_with_what_it_is_about(name: str) -> None:
    """But for names, the question's words lead to no line that tells something."""
    said = " ".join(asked(variant) for variant in variants(name))
    words = set(re.findall(r"\w{3,}", INVENTED.sub("", said).lower()))
    told = " ".join(wording for wordings in HIDDEN[name] for wording in wordings)
    assert words & set(re.findall(r"\w{3,}", told.lower())) <= COMMON


def test_neither_first_nor_last_mention_wins() -> None:
    """Of a key's lines the one that holds is each about as often."""
    at = Counter[int]()
    for variant in variants("latest@1"):
        for layer in variant._template.plan.layers:
            for history in layer:
                at[max(i for i, update in enumerate(history) if update.holds)] += 1
    share = 1 / len(at)
    assert len(at) == 6
    assert all(abs(n / at.total() - share) < 0.02 for n in at.values())


def test_places_asked_for_follow_from_any_two_lines() -> None:
    """Where a thing was before comes from each of its lines, and of its owner's, as often."""
    gifts, moves = Counter[int](), Counter[int]()
    for i in range(120):
        plan = stories.Stories().plan(Draw(b"before %d" % i, "plan"), stories.Parameters(4))
        if plan.kind == "before":
            stop = stories.play(plan.updates).trails[plan.asked[0]][-2]
            gifts[stop.gift] += 1
            moves[stop.move] += 1
    assert sorted(gifts) == list(range(stories.GIFTS))
    assert sorted(moves) == list(range(4))
    assert max(gifts.values()) < 0.4 * gifts.total()
    assert max(moves.values()) < 0.5 * moves.total()


def test_half_of_what_is_asked_is_absent() -> None:
    """And never all of it, nor nothing."""
    missing = [variant.answer.split(", ").count("none") for variant in variants("absent@1")]
    assert set(missing) == {1, 2, 3}
    assert 0.4 < fsum(missing) / (4 * len(missing)) < 0.6
