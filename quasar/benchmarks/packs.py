"""Texts that a user brings, named by the SHA-256 of their bytes.

A shell reads files or a hub, makes a pack and installs its bytes here; a generator asks for it by
digest alone. So the same task follows from the same digest everywhere, or none at all.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, TypeVar

import msgspec

from quasar.benchmarks.corpus import DATA_DIGEST, corpus
from quasar.benchmarks.longbench import Item
from quasar.benchmarks.longbench_v2 import Choice
from quasar.errors import CannotJudge, NoSource, UsageError

_installed: dict[str, bytes] = {}
MAX_BYTES = 2**30
"""Of all packs that a process knows."""


class Text(NamedTuple):
    """What a haystack is drawn from."""

    digest: str
    """SHA-256 of the pack."""
    units: Sequence[str]
    """Each ends with a newline and begins with a character that is not white space."""
    tokens: Sequence[int]
    """Canonical tokens of each unit; sums are exact (see ``tokenizer``)."""


class TextPack(msgspec.Struct, frozen=True, tag="text"):
    """A corpus: pack of kind ``text``, as JSON."""

    name: str
    """Where it came from, for people."""
    units: list[str]
    tokens: list[int]
    revision: str = ""
    """What names the files it was made from."""


class ItemPack(msgspec.Struct, frozen=True, tag="longbench"):
    """Items of one LongBench file, as JSON."""

    name: str
    """``longbench.`` and the name of the file."""
    revision: str
    items: list[Item]
    tokens: list[int]
    """Canonical tokens of each item's ``document``."""


class ChoicePack(msgspec.Struct, frozen=True, tag="longbench_v2"):
    """Questions of LongBench v2, as JSON."""

    name: str
    revision: str
    items: list[Choice]
    tokens: list[int]


Pack = TextPack | ItemPack | ChoicePack
P = TypeVar("P", bound=TextPack | ItemPack | ChoicePack)


def document(context: str) -> str:
    """An item's text as it stands among others: whole lines, so that token counts add up."""
    return context.strip() + "\n\n"


def install(data: bytes) -> str:
    """Make a pack known to this process. Returns its digest.

    Raises CannotJudge where packs would take more than MAX_BYTES: a hostile log may name many.
    """
    digest = hashlib.sha256(data).hexdigest()
    if digest not in _installed:
        if sum(map(len, _installed.values())) + len(data) > MAX_BYTES:
            raise CannotJudge(f"its packs take more than {MAX_BYTES} bytes: that is too much here")
        _installed[digest] = data
    return digest


def is_installed(digest: str) -> bool:
    """Whether this process knows the pack."""
    return digest in _installed


def installed(digest: str) -> bytes:
    """The bytes of a pack. Raises NoSource where nobody installed it."""
    if digest not in _installed:
        raise NoSource(f"the source {digest} is not here: name its pack with --source")
    return _installed[digest]


def decode(data: bytes) -> Pack:
    """What a pack holds. Raises UsageError for bytes that are none."""
    try:
        pack: Pack = msgspec.json.decode(data, type=Pack)
    except msgspec.MsgspecError as problem:
        raise UsageError(f"this is no pack: {problem}") from None
    return pack


def read(digest: str, kind: type[P]) -> P:
    """An installed pack of that kind. Raises as ``installed``, and UsageError for another kind."""
    pack = _decoded(digest)
    if not isinstance(pack, kind):
        raise UsageError(f"the source {digest} holds {pack.name}, which is of no use here")
    return pack


@lru_cache(maxsize=4)
def _decoded(digest: str) -> Pack:
    return decode(installed(digest))


def text(source: str) -> Text:
    """The haystack of that digest; of an empty one, the vendored text. Raises as ``installed``."""
    if not source:
        return Text(DATA_DIGEST, corpus().units, corpus().tokens)
    pack = read(source, TextPack)
    return Text(source, pack.units, pack.tokens)
