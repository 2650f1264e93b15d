"""Which lines of a text a small model gets to read."""

from itertools import islice

import pytest

from quasar.benchmarks.families.code import Code
from quasar.benchmarks.families.factbook import Factbook
from quasar.benchmarks.families.hops import Hops
from quasar.benchmarks.family import Family
from quasar.inference.passages import Passages

TEXT = """\
The ferry to Lowen Island leaves at 7 in the morning, and on the days of the fair at 8 in the
evening too, when the keeper of the bell and the mayor of the town come back with the post.
Marrow Bridge was opened in 1904.
Ada Quist keeps the lighthouse.
Only Tom Reyes may relieve Ada Quist.
Rain fell on Tuesday.
def count(items):
    total = len(items)

    return total
print(count([]))
"""


def ranked(question: str) -> list[str]:
    return list(Passages(TEXT).ranked(question))


def test_the_nearest_line_comes_first() -> None:
    """Rare words decide, and a short line wins over a long one."""
    assert ranked("When was the Marrow Bridge opened?")[0] == "Marrow Bridge was opened in 1904."


def test_names_of_the_best_lines_are_followed() -> None:
    """A line that shares no word with the question comes by the name in one that does."""
    assert ranked("Who keeps the lighthouse?")[:2] == [
        "Ada Quist keeps the lighthouse.",
        "Only Tom Reyes may relieve Ada Quist.",
    ]


def test_what_shares_nothing_is_left_out() -> None:
    """Neither common words nor parts of words count."""
    assert ranked("Which is the tues?") == []
    assert list(Passages("").ranked("Who is it?")) == []


def test_a_heading_brings_the_lines_below_it_once() -> None:
    """Indented lines come with the line above them, up to the first that is empty."""
    found = ranked("def count(items), total")
    assert found[0] == "def count(items):\n    total = len(items)"
    assert sorted("\n".join(found).split("\n")) == sorted(set("\n".join(found).split("\n")))


@pytest.mark.parametrize(
    ("family", "passages", "share"), [(Factbook(), 8, 1.0), (Code(), 12, 0.9), (Hops(), 8, 0.6)]
)
def test_the_proof_is_among_the_nearest(family: Family, passages: int, share: float) -> None:
    """Of each family's tasks, most of what proves the answer is read."""
    found = planted = 0
    for i in range(10):
        variant = family.template(b"passages %d" % i, 16_000).instance(b"miner")
        context = variant.context()
        question = " ".join(part.text for part in variant.question)
        read = "\n".join(islice(Passages(context).ranked(question), passages))
        proofs = [place.of(context).strip() for place in variant.proof]
        planted += len(proofs)
        found += [proof in read for proof in proofs].count(True)
    assert found >= share * planted
