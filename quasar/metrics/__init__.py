"""Metrics by name. Each is pure and total: whatever a miner sends gets a number from 0.0 to 1.0."""

from collections.abc import Callable, Sequence
from typing import Protocol

from quasar.metrics.exact import answer_exact
from quasar.metrics.overlap import qa_f1
from quasar.metrics.program import pass_rate
from quasar.metrics.rouge import rouge_l

Metric = Callable[..., float]
"""Scores one answer that is read: ``metric(prediction: str, answers: Sequence[str], **options)``.

0.0 to 1.0, the best over the reference answers; never raises for any prediction. The prediction is
already cut to its limit, and like the references in characters of one Unicode version
(``unicode14``).
"""


class ProgramMetric(Protocol):
    """Scores one answer that was run."""

    def __call__(self, outputs: Sequence[bytes | None], expected: Sequence[object], /) -> float:
        """0.0 to 1.0 for the recorded JSON of each case, None where there is none."""
        ...


METRICS: dict[str, Metric] = {
    "answer_exact@1": answer_exact,
    "qa_f1@1": qa_f1,
    "rouge_l@1": rouge_l,
}
"""Every released metric of answers that are read; a log names them by key."""

PROGRAM_METRICS: dict[str, ProgramMetric] = {"code_pass@1": pass_rate}
"""Every released metric of answers that are run."""
