"""Texts that a user brings, named by the SHA-256 of their bytes.

A shell reads files or a hub, makes a pack and installs its bytes here; a generator asks for it by
digest alone. So the same task follows from the same digest everywhere, or none at all.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec

from quasar.benchmarks.corpus import DATA_DIGEST, corpus
from quasar.errors import CannotJudge, UsageError

_installed: dict[str, bytes] = {}


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


def install(data: bytes) -> str:
    """Make a pack known to this process. Returns its digest."""
    digest = hashlib.sha256(data).hexdigest()
    _installed[digest] = data
    return digest


def installed(digest: str) -> bytes:
    """The bytes of a pack. Raises CannotJudge where nobody installed it."""
    if digest not in _installed:
        raise CannotJudge(f"the source {digest} is not here: name its file or folder with --source")
    return _installed[digest]


def text(source: str) -> Text:
    """The haystack of that digest; of an empty one, the vendored text. Raises as ``installed``."""
    if not source:
        return Text(DATA_DIGEST, corpus().units, corpus().tokens)
    return _text(source)


@lru_cache(maxsize=2)
def _text(digest: str) -> Text:
    try:
        pack = msgspec.json.decode(installed(digest), type=TextPack)
    except msgspec.ValidationError:
        raise UsageError(f"the source {digest} is no text to hide things in") from None
    return Text(digest, pack.units, pack.tokens)
