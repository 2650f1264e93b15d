"""Packs of LongBench's items: every row is checked, and its text counted."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, TypeVar

import msgspec

from quasar.benchmarks import tokenizer
from quasar.benchmarks.longbench import Item, dataset_of
from quasar.benchmarks.longbench_v2 import Choice
from quasar.benchmarks.packs import ChoicePack, ItemPack, document
from quasar.errors import UsageError
from quasar.packs import reader
from quasar.packs.files import Found

T = TypeVar("T", Item, Choice)
CLASSIFIED = ("trec", "lsht")
"""Data sets whose items need the names of all classes."""


def items(file: str, found: Found, limit: int | None = None) -> ItemPack:
    """One file of LongBench, the first ``limit`` rows of it. Raises UsageError for a bad row."""
    dataset = dataset_of(file)
    rows: list[Item] = []
    for place, item in islice(_checked(found, Item), limit):
        if problem := _wrong(item, dataset):
            raise UsageError(f"{place}: {problem}")
        rows.append(item)
    return ItemPack(f"longbench.{file}", found.revision, rows, _tokens(rows, found))


def choices(found: Found, limit: int | None = None) -> ChoicePack:
    """LongBench v2, the first ``limit`` rows of it. Raises UsageError for a bad row."""
    rows = [item for _, item in islice(_checked(found, Choice), limit)]
    return ChoicePack("longbench_v2", found.revision, rows, _tokens(rows, found))


def _checked(found: Found, kind: type[T]) -> Iterator[tuple[str, T]]:
    """Each row, and where it stands."""
    for path, name in zip(found.paths, found.names, strict=True):
        for number, row in reader.rows(path, name):
            place = f"{name}, row {number}"
            try:
                item = msgspec.convert(_plain(row), kind)
            except msgspec.ValidationError as problem:
                raise UsageError(f"{place}: {problem}") from None
            if not item.context.strip():
                raise UsageError(f"{place}: its context is empty")
            yield place, item


def _plain(row: reader.Row) -> dict[str, Any]:
    """A column that no row fills is not there in some layouts."""
    return {"all_classes": None, **row}


def _wrong(item: Item, dataset: str) -> str | None:
    if dataset_of(item.dataset) != dataset:
        return f"it is of {item.dataset}, not of {dataset}"
    if not item.answers:
        return "it has no answer"
    if dataset in CLASSIFIED and not item.all_classes:
        return "it names no classes"
    return None


def _tokens(rows: list[T], found: Found) -> list[int]:
    if not rows:
        raise UsageError(f"{', '.join(found.names)}: there is no row")
    counted = {item.context: 0 for item in rows}  # several items may share a text
    for context in counted:
        counted[context] = tokenizer.count(document(context))
    return [counted[item.context] for item in rows]
