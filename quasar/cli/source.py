"""What a person names: a log, a validator, a chain. A slip of the pen is told at once, exit 2."""

from pathlib import Path
from urllib.parse import urlsplit

from bittensor_core import ss58_decode

from quasar.config import sample_archive
from quasar.errors import UsageError
from quasar.log.archive_folders import volumes_of as volumes_of
from quasar.log.archive_reader import ArchiveLog


def open_source(source: str) -> ArchiveLog:
    """``sample``, or the folder of a volume; of a folder with several volumes, the newest."""
    return open_volumes(source)[-1]


def open_volumes(source: str) -> list[ArchiveLog]:
    """The volumes that a source names, in order; at least one.

    Raises UsageError where there is none.
    """
    folder = sample_archive() if source == "sample" else Path(source)
    return volumes_of(folder) or [ArchiveLog(folder)]


def check_hotkey(text: str) -> None:
    """Raises UsageError for what is no SS58 address."""
    try:
        ss58_decode(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is not an SS58 address: give the validator's whole hotkey, such as 5F..."
        ) from None


def check_network(text: str) -> None:
    """Raises UsageError for a URL that leads nowhere. A name is judged where it is looked up."""
    if "://" not in text:
        return
    try:
        url = urlsplit(text)
        good = url.scheme in {"ws", "wss", "http", "https"} and url.hostname and url.port != 0
    except ValueError:  # no port number, or half an IPv6 address
        good = False
    if not good:
        raise UsageError(f"{text!r} is not the URL of a chain: give one like ws://127.0.0.1:9944")


def is_local(text: str) -> bool:
    """Whether a chain is one of this machine, where private addresses may be called."""
    if "://" not in text:
        return text == "local"
    return urlsplit(text).hostname in {"127.0.0.1", "::1", "localhost"}
