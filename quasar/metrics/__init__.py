"""Metrics by name. Each is pure and total: every byte string gets a number from 0.0 to 1.0."""

from typing import Protocol

from quasar.metrics.exact import answer_exact


class Metric(Protocol):
    """Scores one answer."""

    def __call__(self, answer: bytes, expected: str, /) -> float:
        """0.0 to 1.0 for the answer's bytes, already cut to their limit. Never raises."""
        ...


METRICS: dict[str, Metric] = {"answer_exact@1": answer_exact}
"""Every released metric; a log names them by key."""
