"""Blobs that a volume's events name, copied from a web server. Their names prove them."""

from pathlib import Path

import msgspec

from quasar.events.base import Blob
from quasar.log.fetch_check import is_blob
from quasar.log.fetch_mirror import Mirror, Work, move, part, read


def fetch_blobs(mirror: Mirror, work: Work, named: set[Blob]) -> None:
    """Those that are not here, and those that were not to be had before. Raises as ``download``."""
    new = [blob for blob in named | missing_blobs(mirror) if _is_new(mirror, blob)]
    work.more(len(new))
    lost = work.each(sorted(new, key=lambda b: b.sha256), lambda b: _fetch_blob(mirror, b))
    _missing_file(mirror).write_bytes(msgspec.json.encode([blob for blob in lost if blob]))


def missing_blobs(mirror: Mirror) -> set[Blob]:
    """Blobs that were not to be had before."""
    try:
        return set(msgspec.json.decode(read(_missing_file(mirror)) or b"[]", type=list[Blob]))
    except msgspec.DecodeError:
        return set()


def _missing_file(mirror: Mirror) -> Path:
    return mirror.parts / "missing.json"


def _fetch_blob(mirror: Mirror, blob: Blob) -> Blob | None:
    """Gives one back that is not there, or has other bytes: an audit says which event names it."""
    name = _blob_name(blob)
    path = part(mirror, name)
    if mirror.site.download(mirror.prefix + name, path, blob.bytes) and is_blob(path, blob):
        move(mirror, [name])
        return None
    path.unlink(missing_ok=True)
    return blob


def _is_new(mirror: Mirror, blob: Blob) -> bool:
    path = mirror.folder / _blob_name(blob)
    return not path.exists() or path.stat().st_size != blob.bytes


def _blob_name(blob: Blob) -> str:
    return f"blobs/{blob.sha256[:2]}/{blob.sha256}"
