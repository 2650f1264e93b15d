"""LongBench's score of one answer: which metric each data set has, and what of an answer counts.

Source: Y. Bai et al., "LongBench" (ACL 2024), with its ``eval.py``, ``dataset2maxlen.json`` and
``task.md``.
"""

from collections.abc import Sequence
from typing import NamedTuple

from quasar.errors import UsageError
from quasar.metrics.classification import classification
from quasar.metrics.code_similarity import code_sim
from quasar.metrics.overlap import qa_f1
from quasar.metrics.overlap_zh import qa_f1_zh
from quasar.metrics.references import listed
from quasar.metrics.retrieval import count, retrieval, retrieval_zh
from quasar.metrics.rouge_sentences import rouge, rouge_zh

_SCORERS = {
    "qa_f1@1": qa_f1,
    "qa_f1_zh@1": qa_f1_zh,
    "rouge@1": rouge,
    "rouge_zh@1": rouge_zh,
    "count@1": count,
    "retrieval@1": retrieval,
    "retrieval_zh@1": retrieval_zh,
    "code_sim@1": code_sim,
}


class Dataset(NamedTuple):
    """What LongBench sets for a data set."""

    metric: str
    """Key of ``quasar.metrics.METRICS``."""
    max_gen: int
    """Most tokens of an answer, in the model's own tokens."""
    even: bool = False
    """Whether LongBench-E has it too, as ``<name>_e``."""
    first_line: bool = False
    """Whether only the first line of an answer that is not empty counts."""


DATASETS: dict[str, Dataset] = {
    "narrativeqa": Dataset("qa_f1@1", 128),
    "qasper": Dataset("qa_f1@1", 128, even=True),
    "multifieldqa_en": Dataset("qa_f1@1", 64, even=True),
    "multifieldqa_zh": Dataset("qa_f1_zh@1", 64),
    "hotpotqa": Dataset("qa_f1@1", 32, even=True),
    "2wikimqa": Dataset("qa_f1@1", 32, even=True),
    "musique": Dataset("qa_f1@1", 32),
    "dureader": Dataset("rouge_zh@1", 128),
    "gov_report": Dataset("rouge@1", 512, even=True),
    "qmsum": Dataset("rouge@1", 512),
    "multi_news": Dataset("rouge@1", 512, even=True),
    "vcsum": Dataset("rouge_zh@1", 512),
    "trec": Dataset("classification@1", 64, even=True, first_line=True),
    "triviaqa": Dataset("qa_f1@1", 32, even=True, first_line=True),
    "samsum": Dataset("rouge@1", 128, even=True, first_line=True),
    "lsht": Dataset("classification@1", 64, first_line=True),
    "passage_count": Dataset("count@1", 32, even=True),
    "passage_retrieval_en": Dataset("retrieval@1", 32, even=True),
    "passage_retrieval_zh": Dataset("retrieval_zh@1", 32),
    "lcc": Dataset("code_sim@1", 64, even=True),
    "repobench-p": Dataset("code_sim@1", 64, even=True),
}
"""All of version 1, by the name that the hub gives them."""


def find(name: str) -> Dataset:
    """The data set of a name, with or without the ``_e`` of LongBench-E. Raises UsageError."""
    plain = name.removesuffix("_e")
    found = DATASETS.get(plain)
    if found is None or (plain != name and not found.even):
        raise UsageError(f"no LongBench data set {name!r}; there are: {', '.join(DATASETS)}")
    return found


def score(
    dataset: str,
    prediction: str,
    answers: str | Sequence[str],
    *,
    all_classes: Sequence[str] | None = None,
) -> float:
    """LongBench's score of one answer, 0.0 to 1.0: the best over the answers.

    A lone ``str`` is one answer. ``all_classes``: the names of all classes, for the sets that have
    them (trec, lsht). The prediction is taken as it is: who scores a stranger's must cut it to a
    limit before. Raises UsageError for an unknown data set or missing classes, and CannotJudge for
    Chinese without jieba; never for a prediction.
    """
    rules = find(dataset)
    said = counted(rules, prediction)
    if rules.metric != "classification@1":
        return _SCORERS[rules.metric](said, listed(answers))
    if all_classes is None:
        raise UsageError(f"{dataset} needs the names of all its classes: all_classes")
    return classification(said, listed(answers), all_classes)


def counted(rules: Dataset, prediction: str) -> str:
    """What of an answer is scored."""
    return prediction.lstrip("\n").split("\n")[0] if rules.first_line else prediction


def longbench(
    prediction: str,
    answers: Sequence[str],
    dataset: str,
    all_classes: Sequence[str] | None = None,
) -> float:
    """Metric ``longbench@1``: ``score`` with the data set as an option. Raises as that."""
    return score(dataset, prediction, answers, all_classes=all_classes)
