"""JSON and JSONL looked through before Arrow reads them: some bad input ends its whole process."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from quasar.errors import UsageError

BOM = b"\xef\xbb\xbf"


def check_rows(path: Path, name: str) -> None:
    """Raises UsageError that calls the file ``name``, for the first row that is no JSON object."""
    data = path.read_bytes().removeprefix(BOM)
    is_list = path.suffix == ".json" and data.lstrip().startswith(b"[")
    empty = True
    for place, row in _listed(data, name) if is_list else _lines(data):
        _decoded(row, dict[str, Any], f"{name}, {place}")
        empty = False
    if empty:
        raise UsageError(f"{name} holds no rows: it needs JSON objects, one a line")


def _lines(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Each line that is not empty, and how people count it."""
    for number, line in enumerate(data.splitlines(), start=1):
        if line.strip():
            yield f"line {number}", line


def _listed(data: bytes, name: str) -> Iterator[tuple[str, bytes]]:
    """Each entry of a list; what they hold is not decoded at once, since files are large."""
    for number, row in enumerate(_decoded(data, list[msgspec.Raw], name), start=1):
        yield f"row {number}", bytes(row)


def _decoded(data: bytes, kind: Any, place: str) -> Any:
    try:
        found = msgspec.json.decode(data, type=kind)
    except msgspec.MsgspecError as problem:
        raise UsageError(f"{place}: {problem}") from None
    except UnicodeDecodeError as problem:
        bad = f"byte 0x{problem.object[problem.start]:02x}"
        raise UsageError(f"{place} is not UTF-8 ({bad}): save the file as UTF-8") from None
    except RecursionError:
        raise UsageError(f"{place} is nested too deeply") from None
    if found == {}:
        raise UsageError(f"{place}: the object is empty")
    return found
