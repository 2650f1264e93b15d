"""Proofs of one event as text."""

import base64

import pytest
from bittensor_core import CRYPTO_ED25519, Keypair

from quasar.errors import CannotJudge, Damaged
from quasar.events.merkle import Tree, leaf_hash
from quasar.events.note import BadSignature, Checkpoint, parse_checkpoint, sign_checkpoint
from quasar.events.proof import parse_proof, verify_proof, write_proof

ORIGIN = "example.com/fancylog"
KEY = Keypair.from_seed(b"\x01" * 32, CRYPTO_ED25519)
LINES = [b'{"n":%d}' % i for i in range(21)]
TREE = Tree(map(leaf_hash, LINES))
HEAD = Checkpoint(ORIGIN, 21, TREE.root())
NOTE = sign_checkpoint(HEAD, KEY)


def proof_of(index: int, extra: bytes = b"") -> str:
    """The proof of one line."""
    return write_proof(index, TREE.inclusion(index, 21), NOTE, extra)


@pytest.mark.parametrize("index", range(21))
def test_every_line_is_proved(index: int) -> None:
    """Each line's proof verifies with its bytes and with no others."""
    text = proof_of(index)
    assert verify_proof(text, LINES[index], ORIGIN, KEY.public_key) == HEAD
    with pytest.raises(Damaged, match="do not stand there") as caught:
        verify_proof(text, LINES[index] + b" ", ORIGIN, KEY.public_key)
    assert caught.value.seq == index + 1


def test_the_format() -> None:
    """The text is laid out as c2sp.org/tlog-proof says."""
    first, second, *rest = proof_of(7).split("\n")
    assert (first, second) == ("c2sp.org/tlog-proof@v1", "index 7")
    assert rest[: rest.index("")] == [
        base64.b64encode(value).decode() for value in TREE.inclusion(7, 21)
    ]
    assert proof_of(7).endswith("\n\n" + NOTE)


def test_extra_carries_the_line() -> None:
    """The stored bytes travel in the proof, and prove nothing by themselves."""
    proof = parse_proof(proof_of(3, LINES[3]))
    assert (proof.index, proof.seq, proof.extra, proof.note) == (3, 4, LINES[3], NOTE)
    forged = proof_of(3, LINES[4])
    with pytest.raises(Damaged):
        verify_proof(forged, parse_proof(forged).extra, ORIGIN, KEY.public_key)


def test_a_log_of_one_event() -> None:
    """The proof of the only event has no hashes."""
    note = sign_checkpoint(Checkpoint(ORIGIN, 1, leaf_hash(b"x")), KEY)
    text = write_proof(0, [], note)
    assert parse_proof(text).hashes == ()
    assert verify_proof(text, b"x", ORIGIN, KEY.public_key).size == 1


def test_another_place() -> None:
    """A proof does not show its line to stand at another index."""
    text = proof_of(5).replace("index 5", "index 6")
    with pytest.raises(Damaged):
        verify_proof(text, LINES[5], ORIGIN, KEY.public_key)
    beyond = proof_of(5).replace("index 5", "index 500")
    with pytest.raises(Damaged):
        verify_proof(beyond, LINES[5], ORIGIN, KEY.public_key)


def test_another_key() -> None:
    """A proof under a checkpoint that the log's key did not sign is refused as such."""
    other = Keypair.from_seed(b"\x02" * 32, CRYPTO_ED25519)
    with pytest.raises(BadSignature):
        verify_proof(proof_of(5), LINES[5], ORIGIN, other.public_key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        NOTE,
        proof_of(5).replace("@v1", "@v2"),
        proof_of(5).replace("index 5", "index 05"),
        proof_of(5).replace("index 5\n", ""),
        proof_of(5).replace("index 5", "index  5"),
        proof_of(5).replace("index 5", "extra A\nindex 5"),
        proof_of(5).replace("index 5", "index 5\nAAAA"),
        proof_of(5).replace("index 5", "index 5\n" + "\n".join(["A" * 43 + "="] * 65)),
        proof_of(5).replace("\n", "\r\n"),
        proof_of(5).partition("\n\n")[0],
        proof_of(5) + "x" * 3_000_000,
    ],
)
def test_what_is_not_a_proof(text: str) -> None:
    """Any other text cannot be judged."""
    with pytest.raises(CannotJudge):
        verify_proof(text, LINES[5], ORIGIN, KEY.public_key)


def test_the_specification_s_proof_parses() -> None:
    """The example of tlog-proof is read as its page says; its signatures are cut short there."""
    text = (
        "c2sp.org/tlog-proof@v1\nextra YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6\nindex 73894\n"
        "gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=\n"
        "B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=\n"
        "EKNzoDWG8LGC0Yp9o+sv3qllpMP9uHQ9B20KNL+Q1zs=\n"
        "RoopEkOdqkYqMB4MJXrbt/hMjOxsVn0IrWjpz1ZMMes=\n"
        "AHCioX9nLjsrse6YhjRRmk1WUEirVOLLRoOQ6vfO5vk=\n\n"
        "example.com/fancylog\n109482\nsFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=\n\n"
        "\N{EM DASH} example.com/fancylog hI2DJ1roloI=\n"
    )
    proof = parse_proof(text)
    assert (proof.index, proof.extra) == (73894, b"age-v1.2.1-darwin-arm64.tar.gz")
    assert [value.hex()[:4] for value in proof.hashes] == ["8122", "07de", "10a3", "468a", "0070"]
    head = parse_checkpoint(proof.note)
    assert (head.origin, head.size) == (ORIGIN, 109482)
    assert write_proof(proof.index, proof.hashes, proof.note, proof.extra) == text
