"""Metric ``exact_match@1``: SQuAD's exact match, for short answers without a fixed form.

Both sides are normalised as for ``qa_f1@1``: lower case, no ASCII punctuation, no articles, single
blanks. The same code as of SQuAD's official script version 1.1, where it stands beside F1.
"""

from collections.abc import Sequence

from quasar.metrics.overlap import words


def exact_match(prediction: str, answers: Sequence[str]) -> float:
    """1.0 if the whole answer is one of the expected ones, normalised; else 0.0. Never raises."""
    return float(words(prediction) in map(words, answers))
