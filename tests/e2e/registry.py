"""A registry of images on this machine, as much of one as an engine needs to pull."""

import hashlib
import json
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from threading import Thread

DOCKER = "application/vnd.docker"
MANIFEST = f"{DOCKER}.distribution.manifest.v2+json"


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@contextmanager
def registry(saved: bytes) -> Iterator[str]:
    """Gives out an image of one layer; its name, with the digest. ``saved``: by docker save."""
    with tarfile.open(fileobj=BytesIO(saved)) as archive:
        texts = {m.name: archive.extractfile(m) for m in archive.getmembers()}
        files = {name: file.read() for name, file in texts.items() if file}
    layer = files["layer.tar"]
    config = json.loads(files[json.loads(files["manifest.json"])[0]["Config"]])
    config["config"]["Labels"] = {"pulled": f"by {os.getpid()}"}  # its own image, to be removed
    text = json.dumps(config).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _described(f"{DOCKER}.container.image.v1+json", text),
            "layers": [_described(f"{DOCKER}.image.rootfs.diff.tar.gzip", layer)],
        }
    ).encode()
    with serving({digest(blob): blob for blob in (manifest, text, layer)}) as port:
        yield f"127.0.0.1:{port}/quasar@{digest(manifest)}"


def _described(kind: str, blob: bytes) -> dict[str, object]:
    return {"mediaType": kind, "size": len(blob), "digest": digest(blob)}


@contextmanager
def serving(blobs: dict[str, bytes]) -> Iterator[int]:
    """Blobs and manifests by digest, over plain HTTP; gives the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            blob = b"{}" if self.path == "/v2/" else blobs.get(self.path.rpartition("/")[2])
            self.send_response(404 if blob is None else 200)
            self.send_header("Content-Type", MANIFEST if "/manifests/" in self.path else "x/x")
            self.send_header("Content-Length", str(len(blob or b"")))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(blob or b"")

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            """Not to the test's stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
