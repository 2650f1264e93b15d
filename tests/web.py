"""Web servers on loopback, for tests of what fetches: our own, and hostile ones."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from quasar.log.published_folder import PublishedFolder

Answer = Callable[["Handler"], bool]
"""Answers a request itself, or leaves it to the folder by False."""


class Handler(BaseHTTPRequestHandler):
    """A folder as `quasar log serve` publishes it, or the whole of it; ``answer`` comes first."""

    protocol_version = "HTTP/1.1"

    def __init__(self, site: "Web", *args: object) -> None:
        self.site = site
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        name = self.path.lstrip("/")
        self.site.asked.append(name)
        if self.site.answer is not None and self.site.answer(self):
            return
        data = self.site.read(name)
        if data is None:
            self.send(404, b"")
            return
        start = int(self.headers.get("Range", "bytes=0-")[6:-1])
        if start and start >= len(data):
            self.send(416, b"", **{"Content-Range": f"bytes */{len(data)}"})
        elif start:
            part = f"bytes {start}-{len(data) - 1}/{len(data)}"
            self.send(206, data[start:], **{"Content-Range": part})
        else:
            self.send(200, data)

    def send(self, status: int, body: bytes, **headers: str) -> None:
        """A whole answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Web:
    """What is served, and what was asked for."""

    def __init__(self, folder: Path, answer: Answer | None) -> None:
        self.folder = folder
        self.published: PublishedFolder | None = None
        self.answer = answer
        self.asked: list[str] = []
        self.url = ""

    def read(self, name: str) -> bytes | None:
        """The bytes of a part."""
        if self.published is None:
            path = self.folder / name
            return path.read_bytes() if path.is_file() else None
        piece = self.published.open(name)
        if piece is None:
            return None
        try:
            return piece.read(0, piece.size)
        finally:
            piece.close()


@contextmanager
def serving(
    folder: Path, answer: Answer | None = None, *, published: bool = False
) -> Iterator[Web]:
    """Serve a folder; ``published`` as our own server does, else every file in it."""
    web = Web(folder, answer)
    web.published = PublishedFolder(folder) if published else None
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, web))
    server.daemon_threads = True
    web.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
