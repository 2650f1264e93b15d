"""Blob stores: one suite for the folder and the memory, and what only a folder can suffer."""

from collections.abc import Callable
from pathlib import Path

import pytest

from quasar.errors import CannotJudge, Damaged, LogError, UsageError
from quasar.events.base import Blob
from quasar.events.blobs import Blobs, name_blob
from quasar.log import blobs as module
from quasar.log.blobs import FolderBlobs, MemoryBlobs

Make = Callable[[Path], Blobs]
DATA = b"some bytes"
NAME = name_blob(DATA)


@pytest.fixture(params=["folder", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    """An empty store of each kind."""
    return FolderBlobs(tmp_path / "blobs") if request.param == "folder" else MemoryBlobs()


@pytest.fixture
def folder(tmp_path: Path) -> FolderBlobs:
    """An empty store on disk."""
    return FolderBlobs(tmp_path / "blobs")


def file_of(folder: FolderBlobs, blob: Blob = NAME) -> Path:
    """Where the blob's file stands."""
    return folder.path / blob.sha256[:2] / blob.sha256


@pytest.mark.parametrize("data", [b"", b"x", bytes(100_000)])
def test_round_trip(blobs: Blobs, data: bytes) -> None:
    """What was put under its hash comes back."""
    blob = blobs.put(data)
    assert blob == name_blob(data)
    assert blobs.get(blob) == data


def test_putting_again_changes_nothing(blobs: Blobs) -> None:
    """The same bytes have the same name and stand once."""
    assert blobs.put(DATA) == blobs.put(DATA)


def test_missing(blobs: Blobs) -> None:
    """A blob that is not there cannot be judged by, and is not called damaged."""
    with pytest.raises(CannotJudge, match=r"withheld or lost.*another copy"):
        blobs.get(NAME)


def test_another_length(blobs: Blobs) -> None:
    """An event that gives another length for stored bytes is found out."""
    blobs.put(DATA)
    for length in (0, len(DATA) - 1, len(DATA) + 1, 2**53):
        with pytest.raises(Damaged, match="bytes long") as caught:
            blobs.get(Blob(sha256=NAME.sha256, bytes=length))
        assert caught.value.seq == 0


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "0" * 63, "A" * 64, "0" * 63 + "/"])
def test_names_are_hashes_only(blobs: Blobs, name: str) -> None:
    """No name leads out of the store."""
    with pytest.raises(UsageError, match="not a SHA-256"):
        blobs.get(Blob(sha256=name, bytes=1))


def test_too_long(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store refuses what a reader would not take."""
    monkeypatch.setattr(module, "MAX_BLOB_BYTES", 9)
    with pytest.raises(UsageError, match="in parts"):
        blobs.put(DATA)


def test_path(folder: FolderBlobs) -> None:
    """A blob is a file named by its hash, in a folder named by its first two digits, no more."""
    folder.put(DATA)
    assert [p for p in folder.path.rglob("*") if p.is_file()] == [file_of(folder)]
    assert file_of(folder).read_bytes() == DATA
    assert list(folder.names()) == [f"{NAME.sha256[:2]}/{NAME.sha256}"]


def test_altered(folder: FolderBlobs) -> None:
    """Other bytes under a name are damage; putting the blob again mends it."""
    folder.put(DATA)
    file_of(folder).write_bytes(DATA[::-1])
    with pytest.raises(Damaged, match="other bytes"):
        folder.get(NAME)
    folder.put(DATA)
    assert folder.get(NAME) == DATA


def test_a_link_is_refused(folder: FolderBlobs, tmp_path: Path) -> None:
    """Even a link to the right bytes is not followed, and putting replaces it."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(DATA)
    file_of(folder).parent.mkdir(parents=True)
    file_of(folder).symlink_to(elsewhere)
    with pytest.raises(Damaged, match="symbolic link"):
        folder.get(NAME)
    folder.put(DATA)
    assert not file_of(folder).is_symlink()


def test_a_linked_folder_is_refused(folder: FolderBlobs, tmp_path: Path) -> None:
    """A shard that leads elsewhere is neither read nor written."""
    elsewhere = FolderBlobs(tmp_path / "elsewhere")
    elsewhere.put(DATA)
    folder.path.mkdir()
    file_of(folder).parent.symlink_to(file_of(elsewhere).parent)
    with pytest.raises(Damaged, match="symbolic link"):
        folder.get(NAME)
    with pytest.raises(LogError, match="symbolic link"):
        folder.put(DATA)


def test_not_a_file(folder: FolderBlobs) -> None:
    """A folder in a blob's place is damage, and not a traceback."""
    file_of(folder).mkdir(parents=True)
    with pytest.raises(Damaged, match="not a regular file"):
        folder.get(NAME)


def test_read_only(folder: FolderBlobs) -> None:
    """The blobs of an archive can be read and not added to."""
    folder.put(DATA)
    reader = FolderBlobs(folder.path, read_only=True)
    assert reader.get(NAME) == DATA
    with pytest.raises(UsageError, match="read only"):
        reader.put(b"more")


def test_nothing_half_written_has_a_name(
    folder: FolderBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the disk fails, the blob is missing, and nothing is left behind."""

    def fail(_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("quasar.log.files.os.fsync", lambda _: None)
    folder.put(b"first, so that the folders exist")
    monkeypatch.setattr("quasar.log.files.sync_file", fail)
    with pytest.raises(LogError, match="No space left"):
        folder.put(DATA)
    with pytest.raises(CannotJudge):
        folder.get(NAME)
    assert not list(folder.path.rglob("*.tmp"))
