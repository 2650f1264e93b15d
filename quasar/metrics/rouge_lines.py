"""Metric ``rouge_lsum@1``: ROUGE-L of summaries whose sentences stand on lines of their own.

Equals ``rougeLsum`` of the package rouge-score to the last bit.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import chain

from quasar.metrics.alignment import places
from quasar.metrics.rouge import f_measure, words
from quasar.metrics.union import Words, Work, standing, unite


def rouge_lsum(prediction: str, answers: Sequence[str], stemmer: bool = False) -> float:
    """0.0 to 1.0 by words in the same order within a line; 0.0 where a text has none.

    For each line of the reference: its words on the longest common subsequence with any line of
    the prediction, but no word more often than the prediction has it. Never raises.
    """
    said = lines_of(prediction, stemmer)
    return max((_score(said, lines_of(answer, stemmer)) for answer in answers), default=0.0)


def _score(said: list[Words], wanted: list[Words]) -> float:
    spoken, expected = Counter(chain(*said)), Counter(chain(*wanted))
    found = united(said, wanted)
    return f_measure((found & spoken).total(), spoken.total(), expected.total())


def united(said: list[Words], wanted: list[Words]) -> Counter[str]:
    """The words of all lines of ``wanted`` that are on a path with a line of ``said``."""
    lines = list(dict.fromkeys(said))
    having = standing(lines)
    work = Work()
    found: Counter[str] = Counter()
    for line, times in Counter(wanted).items():
        bits = _of_line(line, lines, having, work)
        for i, word in enumerate(line):
            found[word] += times * (bits >> i & 1)
    return found


def _of_line(line: Words, said: list[Words], having: dict[str, list[int]], work: Work) -> int:
    """Bit i is set for the line's word i. Of several subsequences: words of ``said`` go first."""
    columns = places(line)

    def follow(i: int) -> int:
        found = 0
        for _, column in work.path([columns.get(word, 0) for word in said[i]], len(line)):
            found |= 1 << column
        return found

    sought = [(1 << i, having[word]) for i, word in enumerate(line) if word in having]
    sought.sort(key=lambda one: len(one[1]))
    return unite(sought, follow, work)


def lines_of(text: str, stemmer: bool) -> list[Words]:
    """The words of each line."""
    return [tuple(words(line, stemmer)) for line in text.split("\n")]
