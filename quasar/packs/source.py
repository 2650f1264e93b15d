"""A source as a person names it, made into a pack."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from quasar.benchmarks import packs
from quasar.benchmarks.longbench import FILES
from quasar.errors import UsageError
from quasar.packs import texts
from quasar.packs.files import Found
from quasar.packs.hub import Hub

TEXT = "text"
V2 = "longbench_v2"
MAX_PACK_BYTES = 64 * 2**20
"""A log keeps a pack as one blob."""
_OPENING = re.compile(rb'\{"type":"(text|longbench|longbench_v2)",')


def open_source(spec: str, family: str = "") -> str:
    """Install the pack of a source, and give its digest.

    ``spec``: a pack file; a folder or file of documents; ``stdlib`` for the interpreter's own
    standard library; or ``hub:NAME@REVISION``. ``family``: the one that it is for, such as
    ``longbench.qasper@1``, since a folder or hub may hold many data sets; any other family gets the
    documents as a text to hide things in. Raises UsageError, and MissingExtra where the package
    that reads it is not installed.
    """
    return packs.install(load_pack(spec, family))


def load_pack(spec: str, family: str = "") -> bytes:
    """The bytes of that pack. Raises as ``open_source``."""
    if os.path.isfile(spec) and _is_pack(spec):  # noqa: PTH113 - a name too long is no file
        data = Path(spec).read_bytes()
        packs.decode(data)
        return data
    kind = family.partition("@")[0]
    return make_pack(kind if is_kind(kind) else TEXT, spec)


def is_kind(kind: str) -> bool:
    """Whether packs are made of that name."""
    return kind in (TEXT, V2) or kind in {f"longbench.{file}" for file in FILES}


def make_pack(kind: str, spec: str, items: int | None = None) -> bytes:
    """A pack of ``text``, ``longbench.NAME`` or ``longbench_v2``, of the first ``items`` of them.

    Equal files give equal bytes. Raises as ``open_source``.
    """
    if not is_kind(kind):
        raise UsageError(
            f"no packs are made of {kind!r}: name text, longbench_v2 or longbench.NAME, NAME being "
            f"one of {', '.join(FILES)}"
        )
    pack: packs.Pack
    if kind == TEXT:
        pack = texts.stdlib() if spec == "stdlib" else texts.documents(_existing(spec))
    else:
        pack = _published(kind, spec, items)
    data = msgspec.json.encode(pack)
    if len(data) > MAX_PACK_BYTES:
        raise UsageError(
            f"the pack would have {len(data)} bytes, more than {MAX_PACK_BYTES}: take fewer files, "
            "or fewer items with --items"
        )
    return data


def _published(kind: str, spec: str, items: int | None) -> packs.Pack:
    from quasar.packs import published  # reads through a package that not everyone has

    file = kind.partition(".")[2]
    with _found(file, spec) as found:
        return (
            published.choices(found, items) if kind == V2 else published.items(file, found, items)
        )


@contextmanager
def _found(file: str, spec: str) -> Iterator[Found]:
    """The data files of a source, as long as they are needed; ``file`` is empty for v2."""
    with TemporaryDirectory(prefix="quasar-pack-") as scratch:
        if spec.startswith("hub:"):
            yield Hub.parse(spec).fetch(file, Path(scratch))
        else:
            yield Found.at(_existing(spec), file, Path(scratch))


def _existing(spec: str) -> Path:
    if not spec:
        raise UsageError("the source is empty: name a folder, a file, stdlib or hub:NAME@REVISION")
    if not os.path.exists(spec):  # noqa: PTH110 - as above
        raise UsageError(
            f"there is no {spec}: name a folder, a file, stdlib (for text) or hub:NAME@REVISION"
        )
    return Path(spec)


def _is_pack(file_name: str) -> bool:
    with Path(file_name).open("rb") as file:
        return _OPENING.match(file.read(32)) is not None
