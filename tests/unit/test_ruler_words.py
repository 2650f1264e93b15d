"""What RULER's families are spelt with: traits, values, things, numbers in words."""

import re

import pytest

from quasar.benchmarks import tokenizer, values
from quasar.benchmarks.families.ruler_vt import in_words
from quasar.benchmarks.families.ruler_words import IDLE, SHORTEST, WORDINGS, Fwe, Plan
from quasar.benchmarks.goods import GOODS, good
from quasar.benchmarks.noise import NOISE
from quasar.benchmarks.traits import HOMES, PETS, TRADES
from quasar.draw import Draw, bulk

TABLES = {"trades": TRADES, "pets": PETS, "homes": HOMES}


def beginnings(texts: list[str]) -> set[str]:
    """The first four letters of each word that has them."""
    return {word[:4] for text in texts for word in re.findall("[a-z]{4,}", text.lower())}


def test_no_asked_word_begins_like_a_told_one() -> None:
    """Letters do not lead from a question to a line."""
    traits = [trait for table in TABLES.values() for trait in table]
    small = {"that"}  # "thatcher": no search goes by such a word
    asked, told = (beginnings([t.asked for t in traits]), beginnings([t.told for t in traits]))
    assert asked & told <= small


@pytest.mark.parametrize("table", TABLES)
def test_traits_are_told_apart(table: str) -> None:
    """Each is asked and told in its own way."""
    assert len({t.asked for t in TABLES[table]}) == len(TABLES[table])
    assert len({t.told for t in TABLES[table]}) == len(TABLES[table])


@pytest.mark.parametrize("around", ["{}", "a {}", "a {}.", "{}, b"])
def test_values_of_a_kind_have_as_many_tokens(around: str) -> None:
    """Any number, and any UUID, wherever it stands."""
    draw = Draw(b"values", "test")
    for kind in (values.number, values.uuid):
        drawn = values.different(kind, draw, 300)
        assert len({tokenizer.count(around.format(value)) for value in drawn}) == 1
        assert len(set(drawn)) == 300


def test_uuids_have_the_form_of_one() -> None:
    """Hexadecimal digits in groups of 8, 4, 4, 4 and 12; different numbers, different UUIDs."""
    drawn = [values.as_uuid(n) for n in (0, 1, 999, 1_000, values.UUIDS - 1)]
    assert len(set(drawn)) == 5
    assert all(re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text) for text in drawn)


def test_goods_are_many_and_of_one_length() -> None:
    """No two have the same name; a thousand of them have two tokens in any place of a line."""
    assert len({good(i) for i in range(GOODS)}) == GOODS
    for i in bulk(b"goods", "test", GOODS, 1_000):
        assert tokenizer.count(f"the {good(i)}.") == tokenizer.count(f"the {good(i)},") == 4


def test_lines_are_of_the_length_that_the_families_reckon_with() -> None:
    """No line of a shop is shorter than that, and filling ones are short."""
    assert min(tokenizer.count(w.format(x=good(0))) for w in WORDINGS) >= SHORTEST
    assert tokenizer.count(IDLE) < 12
    assert tokenizer.count(NOISE) < 30


@pytest.mark.parametrize("halves", [2, 3, 4])
@pytest.mark.parametrize("things", [55, 62])
def test_the_three_most_frequent_are_clear(halves: int, things: int) -> None:
    """In the shortest context too, each of the first four is sold more often than the next."""
    template = Fwe().template(b"clear", 8_000)
    plan = Plan(3, (things, halves))
    laid = Fwe().lay(plan, b"clear", template.size)
    sold = [0] * (things + 1)
    for wording, thing in zip(laid.wordings, laid.things, strict=True):
        sold[thing] += wording < 8
    assert sold[0] > sold[1] > sold[2] > max(sold[3:])


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (10_000, "ten thousand"),
        (26_161, "twenty-six thousand one hundred sixty-one"),
        (90_017, "ninety thousand seventeen"),
        (99_940, "ninety-nine thousand nine hundred forty"),
    ],
)
def test_numbers_in_words(number: int, words: str) -> None:
    """As one reads them out."""
    assert in_words(number) == words
