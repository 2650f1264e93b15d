"""Servers that want to harm whoever fetches from them: each is one clear line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from quasar.errors import LogError, TryAgain, UsageError
from quasar.log import fetch_http
from quasar.log.fetch import fetch
from tests.web import Handler, serving


def _endless(handler: Handler) -> bool:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.close_connection = True
    try:
        while True:
            handler.wfile.write(b"10000\r\n" + bytes(1 << 16) + b"\r\n")
    except OSError:
        return True


def _no_length(handler: Handler) -> bool:
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(b"{}")
    handler.close_connection = True
    return True


def _redirect(handler: Handler) -> bool:
    handler.send(302, b"", Location="http://127.0.0.1:1/elsewhere")
    return True


def _silent(handler: Handler) -> bool:
    handler.connection.settimeout(5)
    handler.rfile.read(1)
    handler.close_connection = True
    return True


def _drip(handler: Handler) -> bool:
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    return _dripping(handler)


def _drip_and_close(handler: Handler) -> bool:
    """As a server does that closes the connection behind each answer."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.send_header("Connection", "close")
    return _dripping(handler)


def _dripping(handler: Handler) -> bool:
    handler.end_headers()
    handler.close_connection = True
    handler.connection.settimeout(0.02)
    try:
        while True:
            handler.wfile.write(b" ")
            try:
                if not handler.rfile.read(1):
                    return True
            except TimeoutError:
                continue
    except OSError:
        return True


def _refused(handler: Handler) -> bool:
    handler.send(403, b"")
    return True


def _packed(handler: Handler) -> bool:
    handler.send(200, b"x", **{"Content-Encoding": "gzip"})
    return True


def _noise(handler: Handler) -> bool:
    handler.wfile.write(b"hello\r\n" * 3)
    handler.close_connection = True
    return True


def _manifest(text: str) -> Callable[[Handler], bool]:
    def answer(handler: Handler) -> bool:
        if handler.path.endswith("manifest.json"):
            handler.send(200, text.encode())
            return True
        return False

    return answer


IDENTITY = (
    '"format":"quasar-archive/1","log_id":"0a1b2c3d","volume":1,"netuid":24,'
    '"hotkey":"5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty","genesis":"0x'
    + "1" * 64
    + '","withheld":[],"first":1'
)


def _segments(name: str, first: int = 1, last: int = 5) -> str:
    return f'{{{IDENTITY},"last":5,"segments":[{{"name":"{name}","first":{first},"last":{last}}}]}}'


HOSTILE = {
    "endless": (_endless, LogError, "longer than such a file may be"),
    "redirect": (_redirect, UsageError, "redirects are not followed"),
    "silent": (_silent, TryAgain, "goes on where it stopped"),
    "drip": (_drip, TryAgain, "goes on where it stopped"),
    "drip-and-close": (_drip_and_close, TryAgain, "goes on where it stopped"),
    "no-length": (_no_length, UsageError, "nobody can see its end"),
    "forbidden": (_refused, UsageError, "the server says 403"),
    "packed": (_packed, UsageError, "comes packed"),
    "noise": (_noise, TryAgain, "goes on where it stopped"),
    "no-json": (_manifest("<html>"), UsageError, "is not a manifest"),
    "deep": (_manifest("[" * 100_000), UsageError, "is not a manifest"),
    "leads-out": (_manifest(_segments("../../x")), LogError, "names a segment '../../x' wrongly"),
    "absolute": (_manifest(_segments("/etc/passwd")), LogError, "wrongly"),
    "gap": (_manifest(_segments(f"{2:020}.jsonl.zst", 2)), LogError, "wrongly"),
    "short": (_manifest(_segments(f"{1:020}.jsonl.zst", 1, 4)), LogError, "counts other events"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_server_is_one_clear_line(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends soon, says which URL, and leaves nothing outside the cache."""
    monkeypatch.setattr(fetch_http, "TRIES", 1)
    answer, error, words = HOSTILE[kind]
    if error is TryAgain:  # what else ends it may take its time on a busy machine
        monkeypatch.setattr(fetch_http, "TIMEOUT_S", 0.3)
        monkeypatch.setattr(fetch_http, "LIMIT_S", 0.3)
    with serving(tmp_path / "nothing", answer) as web:
        with pytest.raises(error, match=words) as found:
            fetch(web.url, cache=tmp_path / "cache")
        assert web.url in str(found.value)
        assert "\n" not in str(found.value)
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]


@pytest.mark.parametrize(
    "url",
    ["http://", "http://:80/", "http://a:x/", "http://u:p@host/", "http://host/?x", "http://a b/"],
)
def test_what_is_no_url_of_an_archive(tmp_path: Path, url: str) -> None:
    """Said before anything is asked."""
    with pytest.raises(UsageError, match="is not the URL of an archive"):
        fetch(url, cache=tmp_path)
    assert not list(tmp_path.iterdir())
