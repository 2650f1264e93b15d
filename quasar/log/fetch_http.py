"""Files of a web server that nobody trusts: bounded, resumed, from that server alone.

The standard library's client: an audit must not need more than the core.
"""

import http.client
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote, urlsplit

from quasar.errors import LogError, TryAgain, UsageError

TIMEOUT_S = 30.0
"""Without a byte."""
LIMIT_S = 900.0
"""For one answer, however steadily it drips; what came of a large file is kept."""
TRIES = 3

_PIECE = 1 << 18
_RANGE = re.compile(r"bytes (?:([0-9]{1,18})-[0-9]{1,18}|\*)/([0-9]{1,18})", re.ASCII)
_GONE = {404, 410}
_BUSY = {429, 500, 502, 503, 504}
_Answer = http.client.HTTPResponse


class Site:
    """What stands below a URL. Threads may share it, each has its own connection."""

    def __init__(self, url: str) -> None:
        """Raises UsageError for what is no plain http(s) URL."""
        self.url = url.rstrip("/")
        parts = _split(self.url)
        self._secure, self.host, self._port, self._path = parts
        self._own = threading.local()
        self._connections: list[http.client.HTTPConnection] = []
        self._sockets: set[socket.socket] = set()
        """In use now."""
        self._closed = False

    def get(self, name: str, limit: int) -> bytes | None:
        """A small file; None where there is none. Raises as ``download``."""
        found = bytearray()

        def attempt() -> bool:
            found.clear()
            with self._asked(name, 0) as answer:
                if answer.status in _GONE:
                    return False
                for piece in self._body(answer, name, limit):
                    found.extend(piece)
            return True

        return bytes(found) if self._repeated(name, attempt) else None

    def download(self, name: str, path: Path, limit: int) -> bool:
        """A file, from where ``path`` ends; False where there is none.

        Raises LogError for one of more than ``limit`` bytes, UsageError for a redirect, TryAgain
        where the server is not to be reached; what has come until then stays.
        """
        return self._repeated(name, lambda: self._append(name, path, limit))

    def stop(self) -> None:
        """End what is under way, in every thread."""
        self._closed = True
        for sock in list(self._sockets):
            _shut(sock)

    def close(self) -> None:
        """Once no thread asks any more."""
        for connection in self._connections:
            connection.close()

    def _append(self, name: str, path: Path, limit: int) -> bool:
        start = path.stat().st_size if path.exists() else 0
        with self._asked(name, start) as answer:
            if answer.status in _GONE:
                return False
            if answer.status == 416:
                return self._complete(answer, path, start)
            if answer.status != 206:
                start = 0
            elif _first(answer) != start:
                raise OSError("it sends another part than was asked for")
            with path.open("ab" if start else "wb") as file:
                for piece in self._body(answer, name, limit - start):
                    file.write(piece)
        return True

    def _complete(self, answer: _Answer, path: Path, start: int) -> bool:
        """There is nothing behind what is here; unless it is shorter: then all of it is wrong."""
        found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        if found is None or int(found[2]) != start:
            path.unlink()
            raise OSError("what was fetched before is longer than it is now")
        return True

    def _repeated(self, name: str, attempt: Callable[[], bool]) -> bool:
        for left in reversed(range(TRIES)):
            try:
                return attempt()
            except (OSError, http.client.HTTPException, ValueError) as problem:
                self._drop()
                if isinstance(problem, ssl.SSLCertVerificationError):
                    raise UsageError(
                        f"{self.url}: its certificate is not good ({problem.verify_message})"
                    ) from None
                if not left or self._closed:
                    raise TryAgain(
                        f"{self.url}/{name} cannot be fetched ({_words(problem)}): repeat the "
                        "command, it goes on where it stopped"
                    ) from None
        return False

    @contextmanager
    def _asked(self, name: str, start: int) -> Iterator[_Answer]:
        """The answer's head. Raises UsageError for one that leads elsewhere."""
        connection = self._connection()
        headers = {"Accept-Encoding": "identity", "User-Agent": "quasar"}
        if start:
            headers["Range"] = f"bytes={start}-"
        if connection.sock is None:
            connection.connect()
        sock = connection.sock  # it forgets a socket that the server will close
        self._sockets.add(sock)
        watch = threading.Timer(LIMIT_S, _shut, [sock])
        watch.daemon = True
        watch.start()
        try:
            if self._closed:
                raise OSError("it was stopped")
            connection.request("GET", f"{self._path}/{name}", headers=headers)
            answer = connection.getresponse()
            with closing(answer):
                self._check(answer, name)
                yield answer
                if not answer.isclosed():
                    self._drop()
        finally:
            watch.cancel()
            self._sockets.discard(sock)

    def _check(self, answer: _Answer, name: str) -> None:
        status = answer.status
        if 300 <= status < 400:
            to = repr(answer.headers.get("Location", "nowhere")[:200])
            raise UsageError(
                f"{self.url}/{name} leads to {to}: redirects are not followed; name the archive's "
                "own URL if you trust it"
            )
        if status in _BUSY:
            with suppress(ValueError):
                time.sleep(min(5.0, max(0.0, float(answer.headers.get("Retry-After", "0")))))
            raise OSError(f"the server says {status}")
        if status not in {200, 206, 416, *_GONE}:
            raise UsageError(f"{self.url}/{name}: the server says {status} {answer.reason!r:.80}")
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise UsageError(f"{self.url}/{name} comes packed, which was not asked for")
        if status in {200, 206} and answer.length is None and not answer.chunked:
            raise UsageError(f"{self.url}/{name} comes without its length: nobody can see its end")
        if status in {416, *_GONE}:
            self._drop()  # nobody reads what it says besides

    def _body(self, answer: _Answer, name: str, limit: int) -> Iterator[bytes]:
        length = answer.length
        if length is not None and length > limit:
            self._refuse(name)
        while piece := answer.read1(_PIECE):
            limit -= len(piece)
            if limit < 0:
                self._refuse(name)
            yield piece
        if answer.length:
            raise OSError("it broke off")

    def _refuse(self, name: str) -> None:
        self._drop()
        raise LogError(f"{self.url}/{name} is longer than such a file may be: no archive is there")

    def _connection(self) -> http.client.HTTPConnection:
        held: http.client.HTTPConnection | None = getattr(self._own, "connection", None)
        if held is None:
            kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
            held = kind(self.host, self._port, timeout=TIMEOUT_S)
            self._own.connection = held
            self._connections.append(held)
        return held

    def _drop(self) -> None:
        held = getattr(self._own, "connection", None)
        if held is not None:
            held.close()


def _split(url: str) -> tuple[bool, str, int | None, str]:
    """Whether it is secure, host, port and path."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:  # no port number, or half an IPv6 address
        host, port, parts = None, None, urlsplit("")
    odd = parts.username or parts.query or parts.fragment or not url.isprintable() or " " in url
    if parts.scheme not in {"http", "https"} or not host or port == 0 or odd:
        raise UsageError(
            f"{url!r} is not the URL of an archive: give one like https://example.org/log, "
            "without a name, a question mark or a #"
        )
    return parts.scheme == "https", host, port, quote(parts.path, safe="/%~")


def _first(answer: _Answer) -> int | None:
    found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    return int(found[1]) if found and found[1] else None


def _shut(sock: socket.socket) -> None:
    """Wake whoever waits for it. Closing alone would not."""
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _words(problem: Exception) -> str:
    if isinstance(problem, TimeoutError):
        return "no answer in time"
    words = getattr(problem, "strerror", None) or str(problem).strip() or type(problem).__name__
    return "".join(c if c.isprintable() else "?" for c in words[:200])
