"""Metrics against the plain form of what they compute fast, on any text."""

import difflib

from hypothesis import given
from hypothesis import strategies as st

from quasar.metrics import METRICS
from quasar.metrics.alignment import common_length, path, places
from quasar.metrics.blocks import shared

TOTAL = [name for name in METRICS if name not in ("classification@1", "longbench@1")]
WORDS = st.lists(st.sampled_from("abcd"), max_size=14)
LETTERS = st.text("ab(x) ", max_size=260) | st.text("a", max_size=230) | st.text(max_size=60)
MARKED = st.builds("ANSWER:{}".format, st.text(", a1.-", max_size=12))
ANY = st.text(max_size=60) | st.text("ab .\n#5", max_size=60) | MARKED


def table(rows: list[str], columns: list[str]) -> list[list[int]]:
    """The textbook's."""
    cells = [[0] * (len(columns) + 1) for _ in range(len(rows) + 1)]
    for i, word in enumerate(rows):
        for j, other in enumerate(columns):
            longest = max(cells[i][j + 1], cells[i + 1][j])
            cells[i + 1][j + 1] = cells[i][j] + 1 if word == other else longest
    return cells


def walked(rows: list[str], columns: list[str]) -> list[tuple[int, int]]:
    """The way back through the table: a column, unless that makes the subsequence shorter."""
    cells, found = table(rows, columns), []
    i, j = len(rows), len(columns)
    while i and j:
        if rows[i - 1] == columns[j - 1]:
            i, j = i - 1, j - 1
            found.append((i, j))
        elif cells[i - 1][j] > cells[i][j - 1]:
            i -= 1
        else:
            j -= 1
    return found


@given(WORDS, WORDS)
def test_the_path_is_that_of_the_table(rows: list[str], columns: list[str]) -> None:
    """Pair by pair, and as long as the longest."""
    standing = places(columns)
    found = list(path([standing.get(word, 0) for word in rows], len(columns)))
    assert found == walked(rows, columns)
    assert len(found) == common_length(rows, columns) == common_length(columns, rows)


@given(LETTERS, LETTERS)
def test_blocks_are_those_of_difflib(one: str, two: str) -> None:
    """The same number of characters in blocks, with its habit at 200 characters."""
    official = difflib.SequenceMatcher(None, one, two).get_matching_blocks()
    assert shared(one, two) == sum(block.size for block in official)


@given(
    st.sampled_from(TOTAL).filter(lambda name: "_zh" not in name), ANY, st.lists(ANY, max_size=3)
)
def test_metrics_are_total(name: str, said: str, answers: list[str]) -> None:
    """Any text against any references: 0.0 to 1.0, the best of each alone."""
    score = METRICS[name](said, answers)
    assert 0.0 <= score <= 1.0
    assert score == max((METRICS[name](said, [answer]) for answer in answers), default=0.0)
    assert isinstance(score, float)
