"""Metric ``rouge_l@1``: ROUGE-L, the F-measure of the longest common subsequence of words.

Equals ``rougeL`` of the package rouge-score, without stemming, to the last bit. The table of the
textbook costs a step for each pair of words; here a row of it is one integer, a bit a word, and
the next row follows in a few operations on whole integers (Hyyrö's bit-parallel recurrence).
"""

import re
from collections.abc import Sequence

_WORD = re.compile(r"[a-z0-9]+")


def rouge_l(prediction: str, answers: Sequence[str]) -> float:
    """0.0 to 1.0; 0.0 where either text has no word. Never raises.

    Words are runs of ASCII letters and digits, case aside: other scripts score nothing.
    """
    said = _words(prediction)
    return max((_f1(said, _words(answer)) for answer in answers), default=0.0)


def _f1(said: list[str], wanted: list[str]) -> float:
    if not said or not wanted:
        return 0.0
    common = common_subsequence(wanted, said)
    precision, recall = common / len(said), common / len(wanted)
    if precision + recall > 0:
        return 2 * precision * recall / (precision + recall)
    return 0.0


def common_subsequence(one: list[str], two: list[str]) -> int:
    """Length of the longest common subsequence, in O(len(one) * len(two) / 64) steps or so."""
    if len(one) < len(two):
        one, two = two, one  # the longer one becomes the bits of each integer
    places: dict[str, int] = {}
    for i, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << i
    row = full = (1 << len(one)) - 1  # a zero bit: here the table's row grows by one
    for word in two:
        if found := places.get(word):
            stays = row & found
            row = (row + stays | row - stays) & full
    return len(one) - row.bit_count()


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
