"""Metrics ``count@1``, ``retrieval@1`` and ``retrieval_zh@1``: LongBench's scores of a number.

The share of the right number among all numbers that an answer holds, compared as text: 05 is not
5. Any script's digits make a number, as in the official code, and equal only themselves.
"""

import re
from collections.abc import Sequence

NUMBER = re.compile(r"\d+")
_PARAGRAPH = re.compile(r"Paragraph (\d+)")
_PARAGRAPH_ZH = re.compile(r"段落(\d+)")


def count(prediction: str, answers: Sequence[str]) -> float:
    """``count_score``: the answer is the number itself. 0.0 to 1.0; never raises."""
    return max((_share(prediction, answer) for answer in answers), default=0.0)


def retrieval(prediction: str, answers: Sequence[str]) -> float:
    """``retrieval_score``: the answer names a "Paragraph N". 0.0 to 1.0; never raises.

    0.0 for an answer that names none, where the official code fails.
    """
    return _of_paragraph(_PARAGRAPH, prediction, answers)


def retrieval_zh(prediction: str, answers: Sequence[str]) -> float:
    """``retrieval_zh_score``: the same for 段落N."""
    return _of_paragraph(_PARAGRAPH_ZH, prediction, answers)


def _of_paragraph(named: re.Pattern[str], prediction: str, answers: Sequence[str]) -> float:
    found = filter(None, map(named.search, answers))
    return count(prediction, [paragraph[1] for paragraph in found])


def _share(prediction: str, number: str) -> float:
    numbers = NUMBER.findall(prediction)
    return numbers.count(number) / len(numbers) if numbers else 0.0
