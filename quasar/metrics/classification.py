"""Metric ``classification@1``: LongBench's ``classification_score``, with its oddity.

The class names found in an answer share the point. A name that is a part of the right one should
not count; but the official loop removes such names from the list it walks over, so it passes over
the one after each. Published numbers have that in them, and so do these.
"""

from collections.abc import Sequence

from quasar.errors import UsageError


def classification(prediction: str, answers: Sequence[str], all_classes: Sequence[str]) -> float:
    """1 / n if the right class is among the n that count, else 0.0.

    Never raises for a prediction; UsageError where ``all_classes`` is a lone text.
    """
    if isinstance(all_classes, str):
        raise UsageError("all_classes is a list of the names of classes, not one text")
    named = [name for name in all_classes if name in prediction]
    return max((_share(named, answer) for answer in answers), default=0.0)


def remaining(named: Sequence[str], answer: str) -> list[str]:
    """The class names that share the point, of those found in a prediction."""
    left = list(named)
    for name in left:  # not a copy: the element after a removed one is passed over
        if name in answer and name != answer:
            left.remove(name)
    return left


def _share(named: Sequence[str], answer: str) -> float:
    left = remaining(named, answer)
    return 1.0 / len(left) if answer in left else 0.0
