"""``quasar pack``: texts and data sets that a user brings, as files named by their digest."""

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from msgspec import Struct

from quasar.benchmarks import packs
from quasar.cli.output import out, printable, say_json
from quasar.errors import UsageError
from quasar.packs import make_pack


class Shown(Struct):
    """What a pack holds."""

    sha256: str
    """What a policy's ``source`` says."""
    kind: str
    name: str
    revision: str
    units: int
    """Pieces of text, or items."""
    tokens: int
    bytes: int
    file: str


def make(
    kind: str,
    /,
    *,
    source: Annotated[str, Parameter(name="--from")],
    output: Annotated[Path, Parameter(name=("--output", "-o"))],
    items: int | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Make a pack: equal files give equal bytes, and so the same tasks everywhere.

    Parameters
    ----------
    kind
        ``text`` for your own documents (.txt, .md, .py and the like, UTF-8) to hide things in;
        ``longbench.NAME`` for a data set of LongBench, such as ``longbench.qasper`` or, of
        LongBench-E, ``longbench.qasper_e``; or ``longbench_v2``.
    source
        A folder, in the hub's layout for LongBench; one file (JSONL, JSON, Parquet, data.zip);
        ``hub:OWNER/NAME@COMMIT``; or, for text, ``stdlib``: the source of this Python.
    output
        The file to write.
    items
        Take only so many of the first items.
    json
        Print one JSON object.
    """
    if items is not None and items < 1:
        raise UsageError("--items must be at least 1")
    data = make_pack(kind, source, items)
    try:
        output.write_bytes(data)
    except OSError as problem:
        raise UsageError(f"{output} cannot be written: {problem.strerror}") from None
    return _say(output, data, json)


def show(file: Path, /, *, json: Annotated[bool, Parameter(negative="")] = False) -> int:
    """Say what a pack holds, and the digest that a policy names it by.

    Parameters
    ----------
    file
        The pack.
    json
        Print one JSON object.
    """
    try:
        data = file.read_bytes()
    except OSError as problem:
        raise UsageError(f"{file} cannot be read: {problem.strerror}") from None
    return _say(file, data, json)


def _say(file: Path, data: bytes, json: bool) -> int:
    shown = _shown(file, data)
    if json:
        say_json(shown)
        return 0
    unit = "units of text" if shown.kind == "text" else "items"
    name, revision = printable(shown.name), printable(shown.revision)
    out.print(f"{name}: {shown.units} {unit}, {shown.tokens} tokens", markup=False)
    out.print(f"made from {revision}", markup=False)
    out.print(f"source = {shown.sha256}", markup=False)
    return 0


def _shown(file: Path, data: bytes) -> Shown:
    pack = packs.decode(data)
    return Shown(
        sha256=packs.install(data),
        kind=str(pack.__struct_config__.tag),
        name=pack.name,
        revision=pack.revision,
        units=len(pack.tokens),
        tokens=sum(pack.tokens),
        bytes=len(data),
        file=os.fsencode(file).decode(errors="backslashreplace"),
    )
