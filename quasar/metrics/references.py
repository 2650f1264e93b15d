"""Reference answers as callers give them: a lone text is one reference, not a list of letters."""

from collections.abc import Callable, Sequence
from functools import wraps


def listed(answers: str | Sequence[str]) -> Sequence[str]:
    """The answers; of a lone text a list of it."""
    return [answers] if isinstance(answers, str) else answers


def of_one_or_many(metric: Callable[..., float]) -> Callable[..., float]:
    """The metric, which also takes a lone text for its answers."""

    @wraps(metric)
    def scored(
        prediction: str, answers: str | Sequence[str], *args: object, **options: object
    ) -> float:
        return metric(prediction, listed(answers), *args, **options)

    return scored
