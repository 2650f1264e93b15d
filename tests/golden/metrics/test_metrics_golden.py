"""Our metrics give what the official packages gave: rows of ``make_rows.py``."""

import json
import lzma
from pathlib import Path
from typing import Any

import pytest

from quasar.metrics import METRICS, score
from quasar.metrics.longbench import DATASETS

HERE = Path(__file__).parent
NAMES = ("rouge_1", "rouge_2", "rouge_l", "rouge_lsum")
CHINESE = {"multifieldqa_zh", "dureader", "vcsum"}


def rows(name: str) -> list[list[Any]]:
    """Each with the official score last."""
    return [json.loads(line) for line in lzma.decompress((HERE / name).read_bytes()).splitlines()]


LONGBENCH = rows("longbench.jsonl.xz")


def test_the_rows_are_of_all_data_sets() -> None:
    """Over a thousand of 21 data sets; each has some that score and some that do not."""
    assert len(LONGBENCH) > 1000
    for dataset in DATASETS:
        scores = [row[-1] for row in LONGBENCH if row[0] == dataset]
        assert min(scores) == 0 < max(scores), dataset


@pytest.mark.parametrize("dataset", DATASETS)
def test_score_is_that_of_longbench(dataset: str) -> None:
    """The same float, or 1e-9 beside it at most."""
    if dataset in CHINESE:
        pytest.importorskip("jieba")
    for _, said, answers, all_classes, official in (r for r in LONGBENCH if r[0] == dataset):
        ours = score(dataset, said, answers, all_classes=all_classes)
        assert abs(ours - official) <= 1e-9, (said, answers)


@pytest.mark.parametrize("part", range(4))
def test_rouge_is_that_of_rouge_score(part: int) -> None:
    """Four kinds, with and without stems, on 2000 pairs: the same bits."""
    for said, wanted, scores in rows("rouge_score.jsonl.xz")[part::4]:
        for stemmer, official in zip((False, True), scores, strict=True):
            ours = [METRICS[name](said, [wanted], stemmer=stemmer) for name in NAMES]
            assert ours == official, (said, wanted, stemmer)
