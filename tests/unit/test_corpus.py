"""The text pack holds what its users rely on."""

import unicodedata

from quasar.benchmarks import names, tokenizer
from quasar.benchmarks.corpus import corpus
from quasar.benchmarks.families.factbook import FIELDS
from quasar.metrics.unicode14 import restrict


def test_units_are_clean_lines() -> None:
    """Each unit is one line, ends with its only newline, and begins with no white space."""
    for unit in corpus().units:
        assert unit.splitlines(keepends=True) == [unit]
        assert unit[-1] == "\n"
        assert not unit[0].isspace()
        assert unit[:-1] == " ".join(unit.split())


def test_units_are_old_characters() -> None:
    """No character is newer than Unicode 14, no control character is in it."""
    text = "".join(sorted(set("".join(corpus().units))))
    assert restrict(text) == text
    assert not {unicodedata.category(c) for c in text} & {"Cs", "Co", "Cn"}
    assert {c for c in text if unicodedata.category(c) == "Cc"} == {"\n"}


def test_stored_counts_are_the_tokenizers() -> None:
    """Counts of single units, and their sum over the whole pack, are exact."""
    pack = corpus()
    assert len(pack.tokens) == len(pack.units)
    step = 13
    assert [tokenizer.count(u) for u in pack.units[::step]] == list(pack.tokens[::step])
    assert tokenizer.count("".join(pack.units)) == sum(pack.tokens)


def test_the_largest_context_needs_no_repetition() -> None:
    """More than two million tokens, no unit twice."""
    assert sum(corpus().tokens) > 2_000_000
    assert len(set(corpus().units)) == len(corpus().units)


def test_facts_are_what_their_lines_say() -> None:
    """Country, label and value stand in the unit, the value once."""
    for fact in corpus().facts:
        before = f"{fact.country} - {fact.field}: "
        assert fact.text.startswith(f"{before}{fact.value:,}")
        assert fact.text.count(f"{fact.value:,}") == 1
        assert fact.field in FIELDS
        assert fact.value >= 1000


def test_facts_are_all_that_is_said_of_their_fields() -> None:
    """No other unit states an asked field, so a question has one answer."""
    stated = {fact.text for fact in corpus().facts}
    labels = tuple(f" - {field}: " for field in FIELDS)
    said = {u for u in corpus().units if any(label in u for label in labels)}
    assert said == stated


def test_no_invented_name_is_in_the_corpus() -> None:
    """All names that can be invented are absent from the text, as words."""
    words = {word.strip(".,;:()[]{}'\"!?").lower() for u in corpus().units for word in u.split()}
    invented = {names.spell(i).lower() for i in range(names.NAMES)}
    assert len(invented) == names.NAMES
    assert not words & invented
