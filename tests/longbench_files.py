"""Made-up LongBench files in the true schema and in the hub's layouts. No real data."""

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import msgspec

from quasar.benchmarks import packs, tokenizer
from quasar.benchmarks.corpus import corpus
from quasar.benchmarks.longbench import dataset_of
from quasar.draw import Draw

CLASSES = ["Individual", "Other location", "City", "Country", "Date"]
ZH = ("multifieldqa_zh", "dureader", "vcsum", "lsht", "passage_retrieval_zh")
SUMMARIES = ("gov_report", "qmsum", "multi_news", "vcsum", "samsum", "dureader")

Row = dict[str, Any]


def rows(file: str, count: int = 12, lines: int = 40) -> list[Row]:
    """Rows of one file; every third asks about the text of the one before it."""
    draw = Draw(b"made up", file)
    made: list[Row] = []
    for i in range(count):
        text = made[-1]["context"] if i % 3 == 2 else _context(draw, lines)
        answers = _answers(dataset_of(file), i)
        made.append(
            {
                "input": f"What is asked in case {i}?",
                "context": text,
                "answers": answers,
                "length": len(text.split()),
                "dataset": dataset_of(file),
                "language": "zh" if file in ZH else "en",
                "all_classes": CLASSES if file in ("trec", "trec_e", "lsht") else None,
                "_id": f"{file}-{i}",
            }
        )
    return made


def _context(draw: Draw, lines: int) -> str:
    """Some text, indented at its beginning and without a newline at its end."""
    units = corpus().units
    return "  " + "".join(draw.choice(units) for _ in range(lines)).rstrip()


def _answers(dataset: str, i: int) -> list[str]:
    if dataset in ("trec", "lsht"):
        return [CLASSES[i % len(CLASSES)]]
    if dataset == "passage_retrieval_en":
        return [f"Paragraph {i + 1}"]
    if dataset == "passage_retrieval_zh":
        return [f"段落{i + 1}"]
    if dataset == "passage_count":
        return [str(i + 1)]
    if dataset in SUMMARIES:
        return [f"The report of case {i} says that nothing new was found. It ends soon."]
    return [f"the keeper of mill {i}", f"keeper number {i}"]


def choices(count: int = 8, lines: int = 40) -> list[Row]:
    """Rows of LongBench v2."""
    draw = Draw(b"made up", "v2")
    return [
        {
            "_id": f"v2-{i}",
            "domain": "Single-Document QA",
            "sub_domain": "Literary",
            "difficulty": "easy" if i % 2 else "hard",
            "length": "short",
            "question": f" Which one is right in case {i}? ",
            **{f"choice_{letter}": f"the {letter} of {i}" for letter in "ABCD"},
            "answer": "ABCD"[i % 4],
            "context": _context(draw, lines),
        }
        for i in range(count)
    ]


def pack_of(file: str, made: Sequence[Row]) -> str:
    """Install a pack of these rows, without any file; of LongBench v2 for an empty name."""
    kind = "longbench" if file else "longbench_v2"
    pack = {
        "type": kind,
        "name": f"longbench.{file}" if file else kind,
        "revision": "made up",
        "items": made,
        "tokens": [tokenizer.count(packs.document(row["context"])) for row in made],
    }
    return packs.install(msgspec.json.encode(msgspec.convert(pack, packs.Pack)))


def jsonl(made: Sequence[Row]) -> str:
    """One JSON object a line."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in made)


def write_hub_layout(folder: Path, files: Mapping[str, Sequence[Row]]) -> None:
    """As LongBench stands on the hub: a loading script, and ``data.zip`` beside it."""
    folder.mkdir()
    (folder / "LongBench.py").write_text("raise SystemExit('nobody runs this')\n")
    with ZipFile(folder / "data.zip", "w") as zipped:
        for name, made in files.items():
            zipped.writestr(f"data/{name}.jsonl", jsonl(made))


def write_parquet(path: Path, made: Sequence[Row]) -> None:
    """The same rows as a table."""
    arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(arrow.Table.from_pylist(list(made)), path)
