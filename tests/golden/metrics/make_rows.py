"""Writes the rows that our metrics must equal, by running the official packages.

``python -m tests.golden.metrics.make_rows`` at the root of the checkout, in an environment of its
own (Python 3.11) with ``rouge==1.0.1 jieba==0.42.1 rouge-score==0.1.2 fuzzywuzzy==0.18.0``.
LongBench's repository is no package: its few lines between the packages are written here again.
The package rouge walks back by recursion; with a deep stack the rows hold what it would find.
"""

import json
import lzma
import re
import string
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from quasar.draw import Draw
from tests.golden.metrics import made_texts as made

HERE = Path(__file__).parent
warnings.simplefilter("ignore")
fuzz, jieba, rouge, scorers = map(
    import_module, ("fuzzywuzzy.fuzz", "jieba", "rouge", "rouge_score.rouge_scorer")
)
KINDS = ("rouge1", "rouge2", "rougeL", "rougeLsum")
CHINESE_SIGNS = (
    "！？｡。＂＃＄％＆＇（）＊＋，－／：；＜＝＞＠［＼］＾＿｀｛｜｝～｟｠｢｣､、〃》「」『』【】"
    "〔〕〖〗〘〙〚〛〜〝〞〟〰〾〿–—‘’‛“”„‟…‧﹏."
)


def f1(said: list[str], wanted: list[str]) -> float:
    shared = sum((Counter(said) & Counter(wanted)).values())
    if shared == 0:
        return 0
    precision, recall = 1.0 * shared / len(said), 1.0 * shared / len(wanted)
    return (2 * precision * recall) / (precision + recall)


def words(text: str) -> list[str]:
    kept = "".join(c for c in text.lower() if c not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", kept).split()).split()


def words_zh(text: str) -> list[str]:
    signs = set(string.punctuation + CHINESE_SIGNS)
    cut = jieba.cut(text, cut_all=False)
    kept = ("".join("".join(c for c in w.lower() if c not in signs).split()) for w in cut)
    return [word for word in kept if len(word) > 0]


def qa_f1(said: str, wanted: str, _: Any) -> float:
    return f1(words(said), words(wanted))


def qa_f1_zh(said: str, wanted: str, _: Any) -> float:
    return f1(words_zh(said), words_zh(wanted))


def rouge_l(said: str, wanted: str, _: Any) -> float:
    try:
        return float(rouge.Rouge().get_scores([said], [wanted], avg=True)["rouge-l"]["f"])
    except ValueError:
        return 0.0


def rouge_zh(said: str, wanted: str, _: Any) -> float:
    said, wanted = (" ".join(jieba.cut(text, cut_all=False)) for text in (said, wanted))
    return rouge_l(said, wanted, _)


def count(said: str, wanted: str, _: Any) -> float:
    numbers = re.findall(r"\d+", said)
    return sum(number == wanted for number in numbers) / len(numbers) if numbers else 0.0


def retrieval(said: str, wanted: str, _: Any) -> float:
    return count(said, re.findall(r"Paragraph (\d+)", wanted)[0], _)


def retrieval_zh(said: str, wanted: str, _: Any) -> float:
    return count(said, re.findall(r"段落(\d+)", wanted)[0], _)


def classification(said: str, wanted: str, all_classes: Any) -> float:
    found = [name for name in all_classes if name in said]
    for name in found:
        if name in wanted and name != wanted:
            found.remove(name)  # as it is published
    return 1.0 / len(found) if wanted in found else 0.0


def code_sim(said: str, wanted: str, _: Any) -> float:
    line = ""
    for candidate in said.lstrip("\n").split("\n"):
        if not any(mark in candidate for mark in ("`", "#", "//")):
            line = candidate
            break
    return float(fuzz.ratio(line, wanted) / 100)


METRICS: dict[str, Callable[[str, str, Any], float]] = {
    "narrativeqa": qa_f1, "qasper": qa_f1, "multifieldqa_en": qa_f1, "multifieldqa_zh": qa_f1_zh,
    "hotpotqa": qa_f1, "2wikimqa": qa_f1, "musique": qa_f1, "dureader": rouge_zh,
    "gov_report": rouge_l, "qmsum": rouge_l, "multi_news": rouge_l, "vcsum": rouge_zh,
    "trec": classification, "triviaqa": qa_f1, "samsum": rouge_l, "lsht": classification,
    "passage_count": count, "passage_retrieval_en": retrieval,
    "passage_retrieval_zh": retrieval_zh, "lcc": code_sim, "repobench-p": code_sim,
}  # fmt: skip


def official(dataset: str, said: str, answers: list[str], all_classes: Any) -> float:
    score = 0.0
    if dataset in ("trec", "triviaqa", "samsum", "lsht"):
        said = said.lstrip("\n").split("\n")[0]
    for wanted in answers:
        score = max(score, METRICS[dataset](said, wanted, all_classes))
    return score


def text(draw: Draw, dataset: str) -> str:
    metric = METRICS[dataset]
    if metric in (qa_f1_zh, rouge_zh, retrieval_zh):
        return made.chinese(draw)
    if metric is code_sim:
        return made.code(draw)
    return made.classes(draw) if metric is classification else made.english(draw)


def answers(draw: Draw, dataset: str, said: str) -> list[str]:
    how_many = draw.choice([0, 1, 1, 1, 2, 3])
    forms: dict[Any, str] = {count: "{}", retrieval: "Paragraph {}", retrieval_zh: "段落{}"}
    if form := forms.get(METRICS[dataset]):
        return [form.format(draw.choice(["5", "05", "7", "12", "５"])) for _ in range(how_many)]
    return [made.other(draw, said, text(draw, dataset)) for _ in range(how_many)]


def longbench_rows(draw: Draw, each: int) -> Iterator[list[Any]]:
    for dataset in METRICS:
        for said in [*made.EDGES, *(text(draw, dataset) for _ in range(each))]:
            classes, wanted = None, answers(draw, dataset, said)
            if METRICS[dataset] is classification:
                classes = [draw.choice(made.CLASSES) for _ in range(1 + draw.below(9))]
                wanted = [draw.choice(classes) for _ in range(1 + draw.below(2))]
            yield [dataset, said, wanted, classes, official(dataset, said, wanted, classes)]


def rouge_score_rows(draw: Draw, pairs: int) -> Iterator[list[Any]]:
    both = [scorers.RougeScorer(KINDS, use_stemmer=stemmer) for stemmer in (False, True)]
    for _ in range(pairs):
        wanted = made.english(draw, 50)
        said = made.other(draw, wanted, made.english(draw, 50))
        scores = [scorer.score(wanted, said) for scorer in both]
        yield [said, wanted, [[score[kind].fmeasure for kind in KINDS] for score in scores]]


def write(name: str, rows: Iterator[list[Any]]) -> None:
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (HERE / name).write_bytes(lzma.compress(lines.encode(), preset=9 | lzma.PRESET_EXTREME))


def main() -> None:
    sys.setrecursionlimit(100_000)
    write("longbench.jsonl.xz", longbench_rows(Draw(b"rows", "longbench"), 40))
    write("rouge_score.jsonl.xz", rouge_score_rows(Draw(b"rows", "rouge-score"), 2000))


if __name__ == "__main__":
    threading.stack_size(512 << 20)
    thread = threading.Thread(target=main)
    thread.start()
    thread.join()
