"""Metrics ``rouge_1@1``, ``rouge_2@1`` and ``rouge_l@1`` of summaries.

Each is the F-measure of the package rouge-score, to the last bit: of words, of two words in a row,
and of the longest common subsequence of all words. Words are runs of ASCII letters and digits, case
aside: other scripts score nothing. With ``stemmer``, words of four letters or more are reduced to
their Porter stems first.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from string import ascii_lowercase, digits

from quasar.metrics.alignment import common_length
from quasar.metrics.porter import stem

_KEPT = bytes(c if chr(c) in ascii_lowercase + digits else ord(" ") for c in range(256))
"""Each other character becomes a blank; what is not ASCII is a question mark by then."""


def rouge_1(prediction: str, answers: Sequence[str], stemmer: bool = False) -> float:
    """0.0 to 1.0 by single words; 0.0 where either text has none. Never raises."""
    said = Counter(words(prediction, stemmer))
    return _best(_overlap(said, Counter(words(answer, stemmer))) for answer in answers)


def rouge_2(prediction: str, answers: Sequence[str], stemmer: bool = False) -> float:
    """0.0 to 1.0 by words in a row; 0.0 where either text has no two. Never raises."""
    said = pairs(words(prediction, stemmer))
    return _best(_overlap(said, pairs(words(answer, stemmer))) for answer in answers)


def rouge_l(prediction: str, answers: Sequence[str], stemmer: bool = False) -> float:
    """0.0 to 1.0 by words in the same order; 0.0 where either text has none. Never raises."""
    said = words(prediction, stemmer)
    return _best(_in_order(said, words(answer, stemmer)) for answer in answers)


def _best(scores: Iterable[float]) -> float:
    return max(scores, default=0.0)


def _overlap(said: Counter[str], wanted: Counter[str]) -> float:
    return f_measure((said & wanted).total(), said.total(), wanted.total())


def _in_order(said: list[str], wanted: list[str]) -> float:
    return f_measure(common_length(wanted, said), len(said), len(wanted))


def f_measure(hits: int, said: int, wanted: int) -> float:
    """Of precision and recall: ``hits`` of the words said, and of those wanted."""
    if not hits:
        return 0.0
    precision, recall = hits / said, hits / wanted
    return 2 * precision * recall / (precision + recall)


def pairs(row: list[str]) -> Counter[str]:
    """Two words in a row, each with a blank between."""
    return Counter(f"{one} {two}" for one, two in pairwise(row))


def words(text: str, stemmer: bool) -> list[str]:
    """Runs of ASCII letters and digits in lower case, or their stems."""
    ascii_text = text.lower().encode("ascii", "replace")
    found = ascii_text.translate(_KEPT).decode("ascii").split()
    if not stemmer:
        return found
    stems = {word: stem(word) for word in dict.fromkeys(found) if len(word) > 3}
    return [stems.get(word, word) for word in found]
