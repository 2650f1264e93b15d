"""Official implementations beside our metrics: each package runs if it is installed.

None is needed to score: they are other people's code, and slow for long texts.
"""

import difflib
import importlib
import logging
import re
import string
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

from quasar.metrics.code_similarity import first_code_line

CELLS = 20_000_000
"""Of a table that a package may fill: some gigabytes, and half a minute."""

Scorer = Callable[[str, str], float]
"""Of a prediction and one answer."""


class Opinion(NamedTuple):
    """What an official implementation says."""

    package: str
    """As pip knows it, or where a formula stands."""
    version: str
    score: float | None
    """None where it could not be asked; then ``note`` says why."""
    note: str = ""


def opinion(
    metric: str, prediction: str, answers: Sequence[str], stemmer: bool = False
) -> Opinion | None:
    """The best score over the answers; None for a metric that no package computes."""
    name = metric.partition("@")[0]
    if name not in _OFFICIAL:
        return None
    package, score = _OFFICIAL[name]
    if stemmer:
        score = partial(score, stemmer=True)
    try:
        found = "" if package in _FORMULAS else version(package)
        if max((_cells(prediction, answer) for answer in answers), default=0) > CELLS:
            return Opinion(
                package, found, None, f"not compared: the texts are too long for {package}"
            )
        with _quiet():
            best = max((score(prediction, answer) for answer in answers), default=0.0)
    except (PackageNotFoundError, ImportError) as error:
        missing = getattr(error, "name", None) or package
        note = f"not compared: {missing} is not installed: pip install {missing}"
        return Opinion(package, "", None, note)
    return Opinion(package, found, best)


@contextmanager
def _quiet() -> Iterator[None]:
    """No warnings and logs of theirs, and room for their recursion."""
    limit = sys.getrecursionlimit()
    logging.disable(logging.WARNING)
    sys.setrecursionlimit(max(limit, 200_000))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.setrecursionlimit(limit)
        logging.disable(logging.NOTSET)


def _cells(prediction: str, answer: str) -> int:
    return len(prediction.split()) * len(answer.split())


def _rouge_score(kind: str, prediction: str, answer: str, stemmer: bool = False) -> float:
    scorer = importlib.import_module("rouge_score.rouge_scorer")
    found = scorer.RougeScorer([kind], use_stemmer=stemmer).score(answer, prediction)
    return float(found[kind].fmeasure)


def _rouge(prediction: str, answer: str) -> float:
    """As LongBench asks for it: what makes the package fail is worth nothing."""
    rouge: Any = importlib.import_module("rouge").Rouge
    try:
        return float(rouge().get_scores([prediction], [answer], avg=True)["rouge-l"]["f"])
    except ValueError:  # a text without a sentence
        return 0.0


def _rouge_zh(prediction: str, answer: str) -> float:
    return _rouge(" ".join(_jieba(prediction)), " ".join(_jieba(answer)))


def _jieba(text: str) -> list[str]:
    """jieba's own words, without its cache in a shared folder."""
    jieba: Any = importlib.import_module("jieba")
    tokenizer = jieba.Tokenizer()
    tokenizer.FREQ, tokenizer.total = tokenizer.gen_pfdict(tokenizer.get_dict_file())
    tokenizer.initialized = True
    return list(tokenizer.lcut(text))


def _difflib(prediction: str, answer: str) -> float:
    """fuzzywuzzy's ratio where it runs on difflib."""
    line = first_code_line(prediction)
    if line == answer:
        return 1.0
    matcher = difflib.SequenceMatcher(None, line, answer)
    return round(100 * matcher.ratio()) / 100 if line and answer else 0.0


def _rapidfuzz(prediction: str, answer: str) -> float:
    fuzz: Any = importlib.import_module("rapidfuzz.fuzz")
    line = first_code_line(prediction)
    if line == answer:
        return 1.0
    return round(fuzz.ratio(line, answer)) / 100 if line and answer else 0.0


def _squad_words(text: str) -> list[str]:
    """Lower case, no punctuation, no articles: the steps of SQuAD's script."""
    kept = "".join(c for c in text.lower() if c not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", kept).split()


def _squad_f1(prediction: str, answer: str) -> float:
    said, wanted = _squad_words(prediction), _squad_words(answer)
    shared = (Counter(said) & Counter(wanted)).total()
    if not shared:
        return 0.0
    precision, recall = shared / len(said), shared / len(wanted)
    return (2 * precision * recall) / (precision + recall)


def _squad_exact(prediction: str, answer: str) -> float:
    return float(_squad_words(prediction) == _squad_words(answer))


_SQUAD = "SQuAD's formula"
_FORMULAS = (_SQUAD, "difflib")
_OFFICIAL: dict[str, tuple[str, Callable[..., float]]] = {
    "code_sim": ("difflib", _difflib),
    "code_sim_indel": ("rapidfuzz", _rapidfuzz),
    "exact_match": (_SQUAD, _squad_exact),
    "qa_f1": (_SQUAD, _squad_f1),
    "rouge": ("rouge", _rouge),
    "rouge_1": ("rouge-score", partial(_rouge_score, "rouge1")),
    "rouge_2": ("rouge-score", partial(_rouge_score, "rouge2")),
    "rouge_l": ("rouge-score", partial(_rouge_score, "rougeL")),
    "rouge_lsum": ("rouge-score", partial(_rouge_score, "rougeLsum")),
    "rouge_zh": ("rouge", _rouge_zh),
}
