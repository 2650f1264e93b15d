"""Rows of JSONL and Parquet files, through Hugging Face ``datasets``, without any network."""

import os
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from logging import CRITICAL
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from quasar.errors import MissingExtra, UsageError
from quasar.packs.lines import check_rows

EXTRA = "longbench"
_SILENT = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
}
"""What the package reads when it is imported."""

Row = Mapping[str, Any]


def rows(path: Path, name: str) -> Iterator[tuple[int, Row]]:
    """Number, from 1, and fields of each row of a file.

    Raises UsageError that calls the file ``name`` where it cannot be read, with the first bad line
    of JSONL; MissingExtra where ``datasets`` is not installed.
    """
    if not _is_parquet(path):
        check_rows(path, name)
    datasets = _import()
    with TemporaryDirectory(prefix="quasar-datasets-") as cache:
        options: dict[str, Any] = {"cache_dir": cache, "keep_in_memory": True}
        read = datasets.Dataset.from_parquet if _is_parquet(path) else datasets.Dataset.from_json
        try:
            yield from enumerate(read(str(path), **options), start=1)  # decodes as it goes
        except Exception as problem:  # of Arrow, pandas and datasets alike
            raise UsageError(f"{name} cannot be read: {_first_line(problem)}") from None


def _import() -> Any:
    """The package, told to stay off the network and off the terminal."""
    before = {key: os.environ.get(key) for key in _SILENT}
    os.environ.update(_SILENT)
    try:
        datasets = import_module("datasets")
    except ModuleNotFoundError as missing:
        raise MissingExtra(EXTRA, missing.name or "datasets") from None
    finally:
        _restore(before)
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(CRITICAL)  # what goes wrong is raised, and told once
    return datasets


def _restore(before: Mapping[str, str | None]) -> None:
    for key, value in before.items():
        if value is None:
            os.environ.pop(key, None)
        else:
            os.environ[key] = value


def _is_parquet(path: Path) -> bool:
    return path.suffix == ".parquet"


def _first_line(problem: Exception) -> str:
    causes: Sequence[str] = str(problem.__cause__ or problem).strip().splitlines()
    return causes[0] if causes else type(problem).__name__
