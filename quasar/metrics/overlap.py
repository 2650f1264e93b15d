"""Metric ``qa_f1@1``: the F1 of the words that a short answer shares with the expected one.

Equals LongBench's ``qa_f1_score`` to the last bit. It reads the whole answer, so a question that
uses it must cap its length: every further word costs precision, and none costs more.
"""

import re
import string
from collections.abc import Sequence

PUNCTUATION = dict.fromkeys(map(ord, string.punctuation))
"""Deleted, not replaced: "a-b" is one word, and "U.S.A." is "usa"."""
_ARTICLE = re.compile(r"\b(?:a|an|the)\b")


def qa_f1(prediction: str, answers: Sequence[str]) -> float:
    """0.0 to 1.0; 0.0 where no word is shared, so also for two empty texts. Never raises."""
    said = words(prediction)
    return max((f1(said, words(answer)) for answer in answers), default=0.0)


def f1(said: list[str], wanted: list[str]) -> float:
    """F1 of two bags of words; 0.0 where none is shared."""
    left: dict[str, int] = {}
    for word in wanted:
        left[word] = left.get(word, 0) + 1
    shared = 0
    for word in said:
        if left.get(word, 0):
            left[word] -= 1
            shared += 1
    if not shared:
        return 0.0
    precision, recall = shared / len(said), shared / len(wanted)
    return 2 * precision * recall / (precision + recall)


def words(text: str) -> list[str]:
    """Lower case, then without punctuation, then without articles: the order matters."""
    return _ARTICLE.sub(" ", text.lower().translate(PUNCTUATION)).split()
