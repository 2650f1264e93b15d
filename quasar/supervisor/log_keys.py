"""Log keys that a validator keeps: each in a file of its own, which also says why it was made.

The first follows from the master secret; every later one is random. The log learns of a new key at
the validator's next start: until then the key is pending.
"""

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from quasar.chain.keys import SECRET_BYTES, create_private, log_key_from_seed, read_private
from quasar.errors import UsageError
from quasar.events.base import Count, Digest
from quasar.events.note import KeyRange
from quasar.events.signing import Signer

FOLDER = "log-keys"
SUFFIX = ".json"

Why = Literal["rotated", "revoked"]


class Ending(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a log key came to be replaced."""

    reason: Why = "rotated"
    volume: Count = 0
    """Newest volume at that time; 0 if there was none."""
    until: Count = 0
    """Of a revoked key: events of that volume under the largest checkpoint that counts."""


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    secret: Digest
    """Of the new key."""
    before: Ending
    """How the key before it ended."""


class ReplacedKey(NamedTuple):
    """A log key that is not the newest one."""

    signer: Signer
    ending: Ending


class Replacement(NamedTuple):
    """What a log has still to be told."""

    old: Signer
    """The key that the log knows."""
    reason: Why
    until: int | None
    """Of a revoked key: events under the largest checkpoint that counts."""


def kept_keys(state: Path, first: Signer) -> tuple[Signer, tuple[ReplacedKey, ...]]:
    """The newest log key of a state folder and those before it; ``first`` is the oldest.

    Raises UsageError where a file is missing, damaged, or open to others.
    """
    newest, replaced = first, list[ReplacedKey]()
    for number in range(1, _count(state) + 1):
        kept = _load(key_file(state, number))
        replaced.append(ReplacedKey(newest, kept.before))
        newest = log_key_from_seed(bytes.fromhex(kept.secret))
    return newest, tuple(replaced)


def add_key(state: Path, before: Ending) -> Signer:
    """Make a new log key, durable when this returns. One that was half made leaves no trace.

    Raises UsageError where another process made one at the same time.
    """
    kept = _File(secret=secrets.token_bytes(SECRET_BYTES).hex(), before=before)
    create_private(key_file(state, _count(state) + 1), msgspec.json.encode(kept) + b"\n")
    key: Signer = log_key_from_seed(bytes.fromhex(kept.secret))
    return key


def key_file(state: Path, number: int) -> Path:
    """Where the key is that replaced ``number - 1`` others."""
    return state / FOLDER / f"{number}{SUFFIX}"


def replacement(
    newest: Signer, replaced: Sequence[ReplacedKey], volume: int, known: KeyRange
) -> Replacement | None:
    """What must be told to a volume of the log whose current key is ``known``; None for nothing.

    Raises UsageError where that is no key of ours, or one that was never the newest.
    """
    if known.public_key == newest.public_key:
        return None
    keys = [key.signer.public_key for key in replaced]
    if known.public_key not in keys:
        raise UsageError(
            f"this log is signed with the log key {known.public_key.hex()}, which is not in the "
            f"state folder: put its {FOLDER} and master.key back from your newest backup"
        )
    ours = replaced[keys.index(known.public_key) :]
    # A key that was revoked in an earlier volume, and yet opened this one, signs nothing here.
    limits = [
        key.ending.until if key.ending.volume == volume else 0
        for key in ours
        if key.ending.reason == "revoked"
    ]
    if not limits:
        return Replacement(ours[0].signer, "rotated", None)
    return Replacement(ours[0].signer, "revoked", max(min(limits), known.first - 1, 0))


def _count(state: Path) -> int:
    """How many keys were added. Files that a crash left half made have other names."""
    names = [path.name for path in (state / FOLDER).glob(f"*{SUFFIX}")]
    numbers = sorted(int(n) for name in names if (n := name.removesuffix(SUFFIX)).isdecimal())
    if numbers != list(range(1, len(numbers) + 1)):
        raise UsageError(f"a file is missing in {state / FOLDER}: restore it from your backup")
    return len(numbers)


def _load(path: Path) -> _File:
    try:
        return msgspec.json.decode(read_private(path), type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise UsageError(f"{path} does not hold a log key: restore it from your backup") from None
