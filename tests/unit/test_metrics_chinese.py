"""Chinese text cut into words as jieba cuts it, without what jieba does to its surroundings."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from quasar.draw import Draw
from quasar.errors import CannotJudge
from quasar.metrics import METRICS, chinese, score
from tests.golden.metrics import made_texts as made

ROOT = Path(__file__).parents[2]
QUIET = """
import warnings, logging, sys, os
warnings.simplefilter("error")
from quasar.metrics import score
assert "jieba" not in sys.modules, "it is imported for Chinese only"
assert score("dureader", "我来到北京清华大学", ["我来到清华大学"]) > 0.5
assert not os.listdir(os.environ["TMPDIR"]), os.listdir(os.environ["TMPDIR"])
"""


def test_jieba_leaves_no_trace(tmp_path: Path) -> None:
    """No file in the temporary folder, no line, no warning."""
    pytest.importorskip("jieba")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", QUIET],
        env={"TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_words_are_those_of_jieba() -> None:
    """Known words, new words, other scripts and signs, on drawn texts."""
    pytest.importorskip("jieba")
    model = chinese._model()
    jieba: Any = sys.modules["jieba"]
    tokenizer = jieba.Tokenizer()
    tokenizer.FREQ, tokenizer.total, tokenizer.initialized = model.times, 60101967, True
    draw = Draw(b"test", "chinese")
    for _ in range(300):
        text = made.chinese(draw)
        assert chinese.segment(text) == tokenizer.lcut(text)
        assert "".join(chinese.segment(text)) == text


@pytest.mark.parametrize("found", [None, SimpleNamespace(__version__="0.43", finalseg=None)])
def test_another_jieba_cannot_judge(monkeypatch: pytest.MonkeyPatch, found: object) -> None:
    """Missing or of another version: what to install is said, and English goes on."""
    monkeypatch.setitem(sys.modules, "jieba", found)
    monkeypatch.setattr(chinese, "_model", chinese._model.__wrapped__)  # keeps the one that is read
    with pytest.raises(CannotJudge, match=r"jieba 0\.42\.1.*quasar-subnet\[longbench\]"):
        METRICS["rouge_zh@1"]("我", ["我"])
    with pytest.raises(CannotJudge):
        METRICS["qa_f1_zh@1"]("我", ["我"])
    assert score("qasper", "yes", ["yes"]) == 1.0


def test_f1_of_chinese_ignores_its_signs() -> None:
    """But not the one bracket that the official list forgot."""
    pytest.importorskip("jieba")
    qa_f1_zh = METRICS["qa_f1_zh@1"]
    assert qa_f1_zh("《北京》。", ["《北京"]) == 1.0
    assert qa_f1_zh("《北京》。", ["北京"]) < 1.0
    assert qa_f1_zh("，。", ["，。"]) == 0.0
