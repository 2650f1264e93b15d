"""What a person names: a log, a validator, a chain. A slip of the pen is told at once, exit 2."""

from pathlib import Path
from urllib.parse import urlsplit

from bittensor_core import ss58_decode

from quasar.cli.slow_bar import slow_bar
from quasar.config import sample_archive
from quasar.errors import UsageError
from quasar.log.archive_folders import volumes_of as volumes_of
from quasar.log.archive_reader import ArchiveLog
from quasar.log.lines import is_lines


def open_source(source: str) -> ArchiveLog:
    """As ``open_volumes``, of several volumes the newest."""
    return open_volumes(source)[-1]


def open_volumes(source: str) -> list[ArchiveLog]:
    """The volumes that a source names, in order; at least one.

    ``sample``; the folder of an archive or of volumes; a validator's state folder, for the archive
    in it; or the URL of what a server publishes, which is fetched as far as it is new. Raises
    UsageError where there is none, and as ``quasar.log.fetch.fetch``.
    """
    folder = folder_of(source)
    return volumes_of(folder) or [ArchiveLog(folder)]


def folder_of(source: str) -> Path:
    """Where the volumes of a source are, fetched if need be. Raises as ``open_volumes``."""
    if source == "sample":
        return sample_archive()
    if is_url(source):
        return fetched(source)
    if is_lines(source):
        raise UsageError(
            f"{source} is a file of lines, which only `quasar audit` reads as it is: make an "
            "archive of it by `quasar log import --out FOLDER`"
        )
    folder = Path(source)
    inside = folder / "archive"
    return inside if not volumes_of(folder) and volumes_of(inside) else folder


def is_url(source: str) -> bool:
    """Whether a source is to be fetched."""
    return source.startswith(("http://", "https://"))


def fetched(url: str, *, newest: bool = False) -> Path:
    """Fetch what is new of a log, with a bar on stderr. As ``quasar.log.fetch.fetch``."""
    from quasar.log.fetch import fetch  # TLS and threads are for those who need them

    with slow_bar("fetching") as seen:
        return fetch(url, newest=newest, seen=seen)


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
