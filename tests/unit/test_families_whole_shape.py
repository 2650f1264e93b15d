"""Whole-context families: pinned tasks, exact lengths, and what their own parts promise."""

import hashlib
import re
from collections import Counter

import msgspec
import pytest

from quasar.benchmarks import FAMILIES, bible, bible_names, code_names, packs, tokenizer
from quasar.benchmarks.codebase import codebase
from quasar.benchmarks.corpus import corpus
from quasar.benchmarks.families import aggregate, count, difference, instance
from quasar.benchmarks.families.code2 import Code2Template
from quasar.benchmarks.families.verses import VersesInstance
from quasar.benchmarks.family import Instance
from quasar.benchmarks.hosts import hosts
from quasar.benchmarks.identifiers import IDENTIFIERS, class_names
from quasar.benchmarks.planted import PlantedInstance
from quasar.benchmarks.sources import sources
from quasar.benchmarks.swaps import cycled
from quasar.errors import UsageError
from quasar.metrics import METRICS, PROGRAM_METRICS

PINS = {
    "aggregate@1": ("0d9fa7e3953233fa", "67d80ed24220905d"),
    "code@2": ("37696e42db065baa", "b9bb332c6bb90716"),
    "code_qa@1": ("f2f6860fe067af6c", "4272af25c57c7d3d"),
    "count@1": ("f64597fc271d2058", "b045ba90888b7582"),
    "difference@1": ("6b6f70b8a766a3a9", "8c0e1136a5e44609"),
    "instance@1": ("4d660209503ace5f", "31bf8364f86e1b25"),
    "verses@1": ("a1b5c5636b62466d", "2d65954bfcb63e4f"),
}
"""The first 16 digits of SHA-256: of the template, and of question, answer and context."""

CANARIES = ("difference@1", "verses@1")
NAME = "Bregruvanth"


def said(variant: Instance) -> str:
    return "\n".join(part.text for part in variant.question)


@pytest.mark.parametrize("family", PINS)
def test_tasks_are_pinned(family: str) -> None:
    """A released family makes the same task for ever."""
    template = FAMILIES[family].template(b"pinned", 8_000)
    variant = template.instance(b"miner")
    parts = "\n".join((said(variant), variant.answer, variant.context()))
    found = (template.digest[:16], hashlib.sha256(parts.encode()).hexdigest()[:16])
    assert found == PINS[family]


@pytest.mark.parametrize("family", PINS)
def test_every_level_fills_the_smallest_context(family: str) -> None:
    """Two variants of each level have the stated tokens, the same lines and the same proof."""
    for parameters in FAMILIES[family].levels:
        template = FAMILIES[family].template(b"length", 8_000, parameters)
        one, other = template.instance(b"a"), template.instance(b"b")
        first, second = one.context(), other.context()
        assert tokenizer.count(first) == tokenizer.count(second) == one.tokens == other.tokens
        assert 0.98 * 8_000 <= one.tokens <= 8_000
        assert first.count("\n") == second.count("\n")
        assert list(one.proof) == list(other.proof)
        assert one.answer != other.answer
        changed = [a for a, b in zip(first.split("\n"), second.split("\n"), strict=True) if a != b]
        assert len(changed) >= 50


@pytest.mark.parametrize("family", PINS)
def test_a_task_in_the_middle_and_its_levels(family: str) -> None:
    """At 124,000 tokens the count is exact; guesses, levels and metric are stated."""
    found = FAMILIES[family]
    variant = found.template(b"middle", 124_000).instance(b"miner")
    assert tokenizer.count(variant.context()) == variant.tokens
    assert 0.98 * 124_000 <= variant.tokens <= 124_000
    assert len(found.levels) == (2 if family == "code@2" else 3)
    assert 0 <= found.guess_rate <= 0.025
    assert found.metric in {**METRICS, **PROGRAM_METRICS}


@pytest.mark.parametrize(("family", "tokens"), [("code_qa@1", 640_000), ("verses@1", 320_000)])
def test_longer_contexts_are_exact(family: str, tokens: int) -> None:
    """Where other text comes in than in short ones, or names change, all tokens add up."""
    variant = FAMILIES[family].template(b"long", tokens).instance(b"miner")
    assert tokenizer.count(variant.context()) == variant.tokens
    assert 0.98 * tokens <= variant.tokens <= tokens


class Foreign(msgspec.Struct, frozen=True):
    """Parameters of no family."""


@pytest.mark.parametrize("family", PINS)
def test_what_a_family_cannot_make_is_refused(family: str) -> None:
    """Sizes out of range and parameters of others end in one clear line."""
    make = FAMILIES[family].template
    for tokens in (0, 3_999, 2_000_001):
        with pytest.raises(UsageError, match="choose a bucket in that range"):
            make(b"seed", tokens)
    with pytest.raises(UsageError, match="parameters of its own: "):
        make(b"seed", 8_000, Foreign())


@pytest.mark.parametrize("family", CANARIES)
def test_memory_gives_a_wrong_answer(family: str) -> None:
    """The canary is what the real text says, and not the answer."""
    for i in range(20):
        variant = FAMILIES[family].template(b"canary %d" % i, 8_000).instance(b"miner")
        assert isinstance(variant, PlantedInstance | VersesInstance)
        assert variant.canary
        assert variant.canary not in (variant.answer, "")


def test_the_two_ways_of_a_wording_have_the_same_tokens() -> None:
    """So the truth about a person never changes the length; no wording says it in one word."""
    for fact in count.FACTS:
        for wording in fact:
            no, yes = (tokenizer.count(text.format(a=NAME)) for text in wording)
            assert no == yes
        ways = [Counter(w for x in fact for w in {*x[way].split()}) for way in (0, 1)]
        assert max((ways[0] - ways[1]).values()) <= len(fact) / 4
        assert max((ways[1] - ways[0]).values()) <= len(fact) / 4


def test_counts_are_flat_and_no_word_gives_them() -> None:
    """Sixty answers spread over their range; none is the number of lines with some word."""
    family, found = FAMILIES["count@1"], []
    for i in range(60):
        variant = family.template(b"flat %d" % i, 8_000, family.levels[i % 3]).instance(b"%d" % i)
        assert isinstance(variant, PlantedInstance)
        held = Counter(w for line in variant.lines() for w in {*re.findall("[a-z]+", line.lower())})
        assert int(variant.answer) not in held.values()
        found.append(int(variant.answer))
    assert 20 <= min(found) < 30
    assert 70 <= max(found) < 80
    assert max(Counter(found).values()) <= 6


def test_questions_share_no_telling_word_with_answers() -> None:
    """Matters, kinds and acts are named in words that no planted line has."""
    for matter, lines in instance.MATTERS.items():
        assert matter.split()[-1] not in " ".join(lines)
    telling = {"climbed", "climb", "people", "helper", "paid", "pay"}
    told = " ".join(text for fact in count.FACTS for wording in fact for text in wording)
    assert telling.isdisjoint(re.findall("[a-z]+", told.lower()))
    amounts = " ".join((*aggregate.IN, *aggregate.OUT))
    assert {"largest", "rest", "sum", "end", "house"}.isdisjoint(amounts.split())


def test_nouns_are_one_token_and_of_one_kind() -> None:
    """Each stands for each in a verse; a verse has just one of them."""
    nouns = [noun for kind in difference.WORDS for noun in kind]
    assert len(set(nouns)) == len(nouns)
    assert {tokenizer.count(f" {noun}") for noun in nouns} == {1}
    assert min(map(len, difference.WORDS)) >= len(difference.WORDS) - 1
    assert set(re.findall(r"\w+", "".join(corpus().units))).issuperset(nouns)
    slots = difference.slots()
    assert len(slots) >= 10 * 9
    assert all(slot.noun in nouns and slot.before.endswith(" ") for slot in slots)


def test_the_bible_is_whole() -> None:
    """All chapters and verses are found, in order, and passages hold each verse once."""
    assert len(bible.chapters()) == 1_189
    assert len(bible.verses()) == 31_103
    psalm = bible.chapters()["Psalms", 117]
    assert [verse.number for verse in psalm] == [1, 2]
    assert tuple(v for passage in bible.passages() for v in passage.verses) == bible.verses()
    assert {len(passage.verses) for passage in bible.passages()} <= set(range(2, 9))
    some = bible.passages()[100]
    assert some.tokens == sum(corpus().tokens[verse.unit] for verse in some.verses)
    assert len(bible.other_units()) + len(bible.verses()) == len(corpus().units)


def test_neither_numbers_nor_lines_lead_to_the_asked_verse() -> None:
    """It stands in another passage, and other lines stand in between."""
    for i in range(40):
        variant = FAMILIES["verses@1"].template(b"far %d" % i, 8_000).instance(b"miner")
        found = re.findall(r"stands (\d+) verses (\w+) it", said(variant))[0]
        quoted, asked = (place.first for place in variant.proof)
        distance = int(found[0]) * (1 if found[1] == "after" else -1)
        assert abs(asked - quoted) > abs(distance)
        line = variant.context().split("\n")[quoted]
        verse = re.findall(r"^[\w ]+? \d+:(\d+)", line)[0]
        assert variant.answer != re.sub(r":.*", f":{int(verse) + distance}", line)


def test_headings_and_names_change_places() -> None:
    """Every chapter gets another's heading, every swapped name another of its group, each once."""
    headings = bible_names.headings(b"variant")
    assert sorted(headings) == sorted(headings.values())
    assert len(headings) == 1_189
    assert all(old != new for old, new in headings.items())
    for swaps in (bible_names.swaps(), code_names.swaps()):
        drawn = swaps.drawn(b"variant")
        assert sorted(drawn) == sorted(drawn.values())
        assert all(old != new for old, new in drawn.items())
        assert len(drawn) > 40
    assert cycled(b"seed", "two", ["a", "b"]) == {"a": "b", "b": "a"}


def test_a_verse_of_the_context_is_a_real_one_with_other_names() -> None:
    """Undoing the bijections gives the vendored lines back."""
    variant = FAMILIES["verses@1"].template(b"undo", 8_000).instance(b"miner")
    assert isinstance(variant, VersesInstance)
    names = {new: old for old, new in variant.names.items()}
    headings = {f"{b} {c}:": f"{x} {y}:" for (x, y), (b, c) in variant.headings.items()}
    real = {unit.rstrip("\n") for unit in corpus().units}
    for line in variant.context().splitlines():
        found = re.match(r"([\w ]+? \d+:)(\d+ .*)", line)
        assert line not in real  # nothing is left for one who deletes what he knows
        assert found
        if found[2].split(" ", 1)[1] not in real:
            text = bible_names.NAME.sub(lambda m: names.get(m[0], m[0]), found[2])
            assert headings[found[1]] + text in real


def test_hosts_are_real_functions_that_compile() -> None:
    """Each compiles under another name, calling another function, with one parameter more."""
    assert len(hosts()) >= 60
    text = "".join(sources().units)
    for host in hosts():
        assert f"def {host.name}({host.parameters}):" in text
        made = host.source("tally_wind", "quota", 4_321, "carve_area")
        compile(made, "host", "exec")
        assert made.count("carve_area(") == 1


def test_invented_names_have_the_same_tokens() -> None:
    """Wherever a function or a class of a piece is named."""
    assert {tokenizer.count(f" {name}\n") for name in IDENTIFIERS} == {3}
    assert {tokenizer.count(f" {name}:\n") for name in class_names()[::5]} == {3}
    assert set(re.findall(r"\w+", "".join(sources().units))).isdisjoint(class_names())


def test_notes_are_comments_with_exact_counts() -> None:
    """Prose follows the source text, one comment a unit, and its tokens are counted right."""
    found, own = codebase(), len(sources().units)
    assert list(found.units[:own]) == list(sources().units)
    assert all(unit.startswith("# ") for unit in found.units[own:])
    some = range(own, len(found.units), 97)
    assert [tokenizer.count(found.units[i]) for i in some] == [found.tokens[i] for i in some]


def test_notes_come_where_source_text_is_used_up() -> None:
    """Not in a small context; in a large one no source unit is left out and modules stay whole."""
    own = len(sources().units)
    make = FAMILIES["code@2"].template
    small, large = make(b"notes", 124_000), make(b"notes", 1_000_000)
    assert isinstance(small, Code2Template)
    assert isinstance(large, Code2Template)
    assert max(small.haystack) < own
    units = [i for i in large.haystack if i < own]
    assert len(units) == own < len(large.haystack) == len(set(large.haystack))


@pytest.mark.parametrize("family", ["code@2", "code_qa@1", "count@1"])
def test_a_text_of_ones_own_is_the_haystack(family: str) -> None:
    """The source's units, and no vendored ones, fill the context; a short one is refused."""
    units = [f"def own_{i}(x):\n    return {i} + x\n\n" for i in range(900)]
    pack = packs.TextPack("own", units, [tokenizer.count(unit) for unit in units])
    source = packs.install(msgspec.json.encode(pack))
    variant = FAMILIES[family].template(b"own", 9_000, None, source).instance(b"miner")
    assert variant.context().count("def own_") > 200
    assert tokenizer.count(variant.context()) == variant.tokens
    with pytest.raises(UsageError, match="too short"):
        FAMILIES[family].template(b"own", 124_000, None, source).instance(b"miner").context()


def test_code_2_differs_from_code_1_in_name_and_chain_only() -> None:
    """As many functions are called as the level says, and the program is judged as there."""
    for level in FAMILIES["code@2"].levels:
        variant = FAMILIES["code@2"].template(b"chain", 8_000, level).instance(b"miner")
        calls = re.findall(r"returns (.*?\))\.", said(variant))[0]
        assert calls.count("(") == msgspec.structs.astuple(level)[0]
        assert len(variant.proof) == 2 * calls.count("(")
        assert variant.program is not None
        assert msgspec.json.decode(variant.answer) == variant.program.expected
