"""Metrics by name. Each is pure and total: whatever a miner sends gets a number from 0.0 to 1.0."""

from collections.abc import Callable, Sequence
from typing import Protocol

from quasar.events.json_value import Tolerance
from quasar.metrics.choice import choice
from quasar.metrics.classification import classification
from quasar.metrics.code_similarity import code_sim, code_sim_indel
from quasar.metrics.exact import answer_exact
from quasar.metrics.longbench import longbench, score
from quasar.metrics.numeric import numeric
from quasar.metrics.overlap import qa_f1
from quasar.metrics.overlap_zh import qa_f1_zh
from quasar.metrics.program import pass_rate
from quasar.metrics.references import of_one_or_many
from quasar.metrics.retrieval import count, retrieval, retrieval_zh
from quasar.metrics.rouge import rouge_1, rouge_2, rouge_l
from quasar.metrics.rouge_lines import rouge_lsum
from quasar.metrics.rouge_sentences import rouge, rouge_zh
from quasar.metrics.sets import set_exact, set_f1
from quasar.metrics.squad import exact_match

__all__ = ["METRICS", "PROGRAM_METRICS", "Metric", "ProgramMetric", "score"]

Metric = Callable[..., float]
"""Scores one answer that is read: ``metric(prediction: str, answers: Sequence[str], **options)``.

A lone ``str`` is one answer.

0.0 to 1.0, the best over the reference answers; never raises for any prediction. The prediction is
already cut to its limit, and like the references in characters of one Unicode version
(``unicode14``).
"""


class ProgramMetric(Protocol):
    """Scores one answer that was run."""

    def __call__(
        self,
        outputs: Sequence[bytes | None],
        expected: Sequence[object],
        tolerances: Sequence[Tolerance | None] = (),
        /,
    ) -> float:
        """0.0 to 1.0 for the recorded JSON of each case, None where there is none.

        ``tolerances``: one a case, or none at all.
        """
        ...


class _Released(dict[str, Metric]):
    """Metrics by ``name@version``; a bare name gets the newest, but is not one of the keys."""

    def __init__(self, metrics: dict[str, Metric]) -> None:
        super().__init__({name: of_one_or_many(metric) for name, metric in metrics.items()})

    def __missing__(self, name: str) -> Metric:
        versions = [int(key.partition("@")[2]) for key in self if key.partition("@")[0] == name]
        if not versions:
            raise KeyError(name)
        return self[f"{name}@{max(versions)}"]


METRICS: dict[str, Metric] = _Released(
    {
        "answer_exact@1": answer_exact,
        "choice@1": choice,
        "classification@1": classification,
        "code_sim@1": code_sim,
        "code_sim_indel@1": code_sim_indel,
        "count@1": count,
        "exact_match@1": exact_match,
        "longbench@1": longbench,
        "numeric@1": numeric,
        "qa_f1@1": qa_f1,
        "qa_f1_zh@1": qa_f1_zh,
        "retrieval@1": retrieval,
        "retrieval_zh@1": retrieval_zh,
        "rouge@1": rouge,
        "rouge_1@1": rouge_1,
        "rouge_2@1": rouge_2,
        "rouge_l@1": rouge_l,
        "rouge_lsum@1": rouge_lsum,
        "rouge_zh@1": rouge_zh,
        "set_exact@1": set_exact,
        "set_f1@1": set_f1,
    }
)
"""Every released metric of answers that are read; a log names them by key."""

PROGRAM_METRICS: dict[str, ProgramMetric] = {"code_pass@1": pass_rate}
"""Every released metric of answers that are run."""
