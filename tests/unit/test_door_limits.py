"""The door's bounds: addresses, zstd frames, the context store, and strict messages."""

import gzip
import hashlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from quasar.chain.keys import hotkey_from_seed
from quasar.door import wire
from quasar.door.address import check_endpoint
from quasar.door.contexts import Contexts
from quasar.door.packing import STEP_BYTES, Unpacker, max_packed, pack
from quasar.errors import Refused
from quasar.events.receipt import Acceptance, QuotedBlock, Refusal, SignedCheckpoint, TaskRequest

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

HOTKEY = hotkey_from_seed(b"test", "miner").ss58_address
TEXT = b"the quick brown fox " * 5000
NOISE = b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(6000))
NAME = hashlib.sha256(TEXT).hexdigest()


def accepted() -> Acceptance:
    return Acceptance(
        log_id="0" * 8, round=1, task=2, hotkey=HOTKEY, n=3, request=hashlib.sha256().hexdigest()
    )


@pytest.mark.parametrize(
    ("endpoint", "shown"),
    [
        ("8.8.8.8:8091", "8.8.8.8:8091"),
        ("[2001:4860:4860::8888]:443", "[2001:4860:4860::8888]:443"),
        ("[2001:4860:4860:0:0:0:0:8888]:1", "[2001:4860:4860::8888]:1"),
        ("[::ffff:8.8.8.8]:1", "8.8.8.8:1"),
    ],
)
def test_a_public_address_is_taken(endpoint: str, shown: str) -> None:
    """Public addresses of both families pass, in one spelling."""
    assert str(check_endpoint(endpoint, set(), allow_private=False)) == shown


PRIVATE = (
    "127.0.0.1:80 127.8.8.8:80 10.0.0.1:80 172.16.0.1:80 192.168.0.1:80 169.254.169.254:80 "
    "100.64.0.1:80 0.0.0.0:80 224.0.0.1:80 240.0.0.1:80 255.255.255.255:80 192.0.2.1:80 "
    "[::1]:80 [::]:80 [fe80::1]:80 [fc00::1]:80 [fec0::1]:80 [ff02::1]:80 [2001:db8::1]:80 "
    "[::ffff:127.0.0.1]:80 [::127.0.0.1]:80 [64:ff9b::7f00:1]:80 [2002:7f00:1::]:80"
)


@pytest.mark.parametrize("endpoint", PRIVATE.split())
def test_a_private_address_needs_leave(endpoint: str) -> None:
    """What only we can reach is refused, unless this is a demo."""
    with pytest.raises(Refused, match="not a public address"):
        check_endpoint(endpoint, set(), allow_private=False)
    assert check_endpoint(endpoint, set(), allow_private=True).port == 80


MALFORMED = (
    "localhost:80 example.org:80 8.8.8.8 8.8.8.8: 8.8.8.8:0 8.8.8.8:65536 8.8.8.8:+80 8.8.8.8:８０ "
    "8.8.8.8:80/x 8.8.8.8:80@h:1 a@8.8.8.8:80 010.8.8.8:80 134744072:80 0x8.8.8.8:80 8.8.8:80 "
    "[8.8.8.8]:80 2001:4860:4860::8888:80 [fe80::1%eth0]:80 :80 []:80"
)


@pytest.mark.parametrize("endpoint", ["", *MALFORMED.split()])
def test_anything_else_is_not_an_endpoint(endpoint: str) -> None:
    """Names and odd spellings are refused even in a demo; nothing is ever resolved."""
    with pytest.raises(Refused) as refused:
        check_endpoint(endpoint, set(), allow_private=True)
    assert refused.value.code == "bad-endpoint"


@pytest.mark.parametrize("endpoint", ["8.8.8.8:1", "[::ffff:8.8.8.8]:1"])
def test_own_address_is_refused(endpoint: str) -> None:
    """A validator is not made to call itself, however the address is spelled."""
    with pytest.raises(Refused, match="own address"):
        check_endpoint(endpoint, {"::ffff:8.8.8.8"}, allow_private=False)


def unpack(data: bytes, max_bytes: int = 1_000_000, step: int = 1000) -> bytes:
    unpacker = Unpacker(max_bytes)
    pieces = [text for i in range(0, len(data), step) for text in unpacker.feed(data[i : i + step])]
    unpacker.finish()
    return b"".join(pieces)


@pytest.mark.parametrize("text", [b"", b"x", TEXT, NOISE])
@pytest.mark.parametrize("step", [1, 1000, 1_000_000])
def test_a_packed_text_opens(text: bytes, step: int, tmp_path: Path) -> None:
    """Every text comes back whole, however the bytes are cut, within the size bound."""
    packed = pack(text, tmp_path / "packed")
    data = packed.path.read_bytes()
    assert (packed.size, packed.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert packed.size <= max_packed(len(text))
    assert unpack(data, len(text), step) == text


def test_a_bomb_opens_in_small_steps(tmp_path: Path) -> None:
    """Of 64 MiB in 2 kB, only the allowed part is opened, at most one step at a time."""
    data = pack(bytes(1 << 26), tmp_path / "bomb").path.read_bytes()
    assert len(data) < 10_000
    seen = 0
    texts = Unpacker(1_000_000).feed(data)
    while seen <= 1_000_000 - STEP_BYTES:
        text = next(texts)
        assert 0 < len(text) <= STEP_BYTES
        seen += len(text)
    with pytest.raises(Refused, match="too-large"):
        next(texts)


FRAME = zstd.compress(TEXT)
WIDE = zstd.compress(os.urandom(1 << 14) * 4096, options={zstd.CompressionParameter.window_log: 26})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        FRAME[:-1],
        FRAME + b"\0",
        FRAME + FRAME,
        FRAME + zstd.compress(b""),
        b"\0" + FRAME,
        FRAME[:50] + b"\xff" * 4 + FRAME[54:],
        gzip.compress(TEXT),
        WIDE,
    ],
    ids=["empty", "cut", "trailing", "two", "hidden", "leading", "damaged", "gzip", "wide"],
)
@pytest.mark.parametrize("step", [1, 10_000_000])
def test_anything_but_one_frame_is_refused(data: bytes, step: int) -> None:
    """A cut, doubled, damaged or memory-hungry frame is refused, however it is cut."""
    with pytest.raises(Refused) as refused:
        unpack(data, 1 << 27, step)
    assert refused.value.code == "bad-zstd"


async def chunks(data: bytes) -> AsyncIterator[bytes]:
    for i in range(0, len(data), 1000):
        yield data[i : i + 1000]


async def store(contexts: Contexts, text: bytes, name: str | None = None) -> str:
    """Send a text under its name or another; its name."""
    data = zstd.compress(text)
    name = name or hashlib.sha256(text).hexdigest()
    await contexts.receive(name, hashlib.sha256(data).hexdigest(), chunks(data))
    return name


@pytest.mark.anyio
async def test_a_context_is_stored_under_its_hash(tmp_path: Path) -> None:
    """A right upload is there with its text; sent again it changes nothing."""
    contexts = Contexts(tmp_path / "c", max_bytes=2 * len(TEXT))
    assert not contexts.has(NAME)
    for _ in range(4):
        assert await store(contexts, TEXT) == NAME
        assert contexts.has(NAME)
        assert contexts.path(NAME).read_bytes() == TEXT
    assert [file.name for file in (tmp_path / "c").iterdir()] == [NAME]


@pytest.mark.anyio
async def test_a_wrong_upload_leaves_nothing(tmp_path: Path) -> None:
    """A text under another name, or other bytes than signed, leave no file and no debt."""
    contexts = Contexts(tmp_path, max_bytes=len(TEXT))
    for _ in range(3):
        with pytest.raises(Refused, match="wrong-hash"):
            await store(contexts, TEXT, name="0" * 64)
        with pytest.raises(Refused, match="wrong-hash"):
            await contexts.receive(NAME, "0" * 64, chunks(zstd.compress(TEXT)))
        assert not any(os.scandir(tmp_path))
    await store(contexts, TEXT)


@pytest.mark.anyio
async def test_a_broken_upload_leaves_nothing(tmp_path: Path) -> None:
    """A sender that goes away in the middle leaves no file."""

    async def cut() -> AsyncIterator[bytes]:
        yield FRAME[:100]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await Contexts(tmp_path).receive(NAME, "0" * 64, cut())
    assert not any(os.scandir(tmp_path))


@pytest.mark.anyio
async def test_the_store_is_bounded(tmp_path: Path) -> None:
    """A full store refuses, unless old texts make room; the count survives a restart."""
    contexts = Contexts(tmp_path, max_bytes=250)
    first = await store(contexts, b"a" * 100)
    await store(contexts, b"b" * 100)
    for again in (contexts, Contexts(tmp_path, max_bytes=250)):
        with pytest.raises(Refused, match="full"):
            await store(again, b"c" * 100)
    os.utime(tmp_path / first, (1, 1))
    await store(contexts, b"c" * 100)
    assert not contexts.has(first)
    contexts.discard(hashlib.sha256(b"b" * 100).hexdigest())
    await store(contexts, b"d" * 100)


@pytest.mark.anyio
async def test_a_text_is_bounded(tmp_path: Path) -> None:
    """A text above the bound is refused, one at the bound is taken."""
    contexts = Contexts(tmp_path, max_text_bytes=100)
    await store(contexts, b"x" * 100)
    with pytest.raises(Refused, match="too-large"):
        await store(contexts, b"x" * 101)


@pytest.mark.parametrize("name", ["..", "../" + "0" * 61, "A" * 64, "0" * 63, "0" * 64 + "\n", ""])
def test_a_name_is_a_hash(name: str, tmp_path: Path) -> None:
    """No name leads out of the folder."""
    with pytest.raises(Refused, match="bad-name"):
        Contexts(tmp_path).has(name)


def test_partial_uploads_go_at_start(tmp_path: Path) -> None:
    """What a crash left unfinished is removed and not counted."""
    (tmp_path / f"{NAME}.abcd.part").write_bytes(b"x" * 100)
    Contexts(tmp_path)
    assert not any(os.scandir(tmp_path))


def test_a_message_has_one_form() -> None:
    """Blanks, doubled, escaped, unknown and missing fields are all another form."""
    good = wire.encode(accepted())
    assert wire.decode(good, Acceptance) == accepted()
    bad = [
        good + b"\n",
        b" " + good,
        good.replace(b":", b": ", 1),
        good.replace(b'{"log_id"', b'{"n":3,"log_id"'),
        good.replace(b'"log_id"', b'"\\u006cog_id"'),
        good.replace(b'"n":3', b'"n":3,"m":3'),
        good.replace(b'"n":3,', b""),
        good.replace(b'"n":3', b'"n":3.0'),
        good.replace(b'"n":3', b'"n":-3'),
        good[:-1],
        b"\xff",
        b"[" * 100_000,
    ]
    for data in bad:
        with pytest.raises(Refused, match="not-canonical"):
            wire.decode(data, Acceptance)


def test_a_verdict_is_one_statement() -> None:
    """Neither none nor two statements make a verdict."""
    refused = Refusal(
        log_id="0" * 8, round=1, task=2, hotkey=HOTKEY, n=3, request="0" * 64, reason="busy"
    )
    both = wire.Verdict(acceptance=accepted(), refusal=refused, signature="0" * 128)
    for verdict in (both, wire.Verdict(signature="0" * 128)):
        with pytest.raises(Refused, match="not-canonical"):
            _ = verdict.statement
    assert wire.Verdict(refusal=refused, signature="0" * 128).statement == refused


@pytest.mark.parametrize("body", [b"", b"{}", b"{}\nx", b"x" * 20_000 + b"\n", b"\n{}"])
def test_an_answer_needs_its_head(body: bytes) -> None:
    """Without a proper first line there is no answer."""
    with pytest.raises(Refused, match="not-canonical"):
        wire.split_answer(body)


def test_quotes_come_back() -> None:
    """What a validator quotes is what the miner reads; other spellings are refused."""
    checkpoint = SignedCheckpoint(size=7, root="ab" * 32)
    block = QuotedBlock(number=0, hash="0x" + "cd" * 32)
    query = wire.quote_query(checkpoint, block)
    assert query == f"?checkpoint=7-{'ab' * 32}&block=0-0x{'cd' * 32}"
    assert wire.parse_checkpoint(f"7-{'ab' * 32}") == checkpoint
    assert wire.parse_block(f"0-0x{'cd' * 32}") == block
    assert wire.quote_query(None, None) == ""
    assert wire.parse_checkpoint(None) is None
    assert wire.parse_block(None) is None
    for text in ("", "7", f"07-{'ab' * 32}", f"7-{'AB' * 32}", f"-7-{'ab' * 32}", "٧-" + "ab" * 32):
        with pytest.raises(Refused, match="bad-query"):
            wire.parse_checkpoint(text)


def test_a_request_larger_than_an_event_is_still_strict() -> None:
    """A request that is no TaskRequest is refused with a short reason."""
    with pytest.raises(Refused) as refused:
        wire.decode(b'{"log_id":"' + b"x" * 100_000 + b'"}', TaskRequest)
    assert len(refused.value.detail) < 200
