"""Checkpoints as signed notes: what is accepted, and what is not."""

import base64

import pytest
from bittensor_core import CRYPTO_ED25519, CRYPTO_SR25519, Keypair

from quasar.errors import CannotJudge, UsageError
from quasar.events.merkle import leaf_hash
from quasar.events.note import (
    BadSignature,
    Checkpoint,
    checkpoint_body,
    key_id,
    open_checkpoint,
    parse_checkpoint,
    sign_checkpoint,
    verifier_key,
)
from quasar.events.signing import verify_ed25519

ORIGIN = "quasar/24/5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty/0a1b2c3d/1"
KEY = Keypair.from_seed(b"\x01" * 32, CRYPTO_ED25519)
OTHER = Keypair.from_seed(b"\x02" * 32, CRYPTO_ED25519)
HEAD = Checkpoint(ORIGIN, 1_000_000, leaf_hash(b"x"))
NOTE = sign_checkpoint(HEAD, KEY)
BODY, SIGNED = NOTE.split("\n\n")
ROOT = BODY.split("\n")[2]


def test_the_specification_s_key_and_note() -> None:
    """The verifier key and note that signed-note gives as its example are reproduced."""
    key = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
    public_key = base64.b64decode(key.rsplit("+", 1)[1])[1:]
    signed = base64.b64decode(
        "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM="
    )
    assert key_id("example.com/foo", public_key).hex() == "530d903a"
    assert verifier_key("example.com/foo", public_key) == key
    assert signed[:4].hex() == "530d903a"
    assert verify_ed25519(public_key, b"This is an example message.\n", signed[4:])


def test_the_specification_s_checkpoint_parses() -> None:
    """The example of tlog-checkpoint is read as its page says."""
    note = (
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "\N{EM DASH} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4U"
        "RYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    )
    checkpoint = parse_checkpoint(note)
    assert checkpoint.origin == "example.com/behind-the-sofa"
    assert checkpoint.size == 20852163
    assert checkpoint.root.hex().startswith("0ac5186a")


def test_round_trip() -> None:
    """What was signed is what is opened, and the note is three lines and one signature."""
    assert open_checkpoint(NOTE, ORIGIN, KEY.public_key) == parse_checkpoint(NOTE) == HEAD
    assert checkpoint_body(HEAD) == BODY + "\n"
    assert SIGNED.startswith(f"\N{EM DASH} {ORIGIN} ")
    assert NOTE.count("\n") == 5


def test_an_empty_log_can_be_signed() -> None:
    """Size 0 is written as 0."""
    empty = Checkpoint(ORIGIN, 0, HEAD.root)
    assert open_checkpoint(sign_checkpoint(empty, KEY), ORIGIN, KEY.public_key) == empty


def test_another_key() -> None:
    """A note that the expected key did not sign says so."""
    with pytest.raises(BadSignature, match="not signed by key"):
        open_checkpoint(NOTE, ORIGIN, OTHER.public_key)


def test_another_origin() -> None:
    """A note of another log says so, and ends a command with exit code 1."""
    with pytest.raises(BadSignature, match="is of quasar/24") as caught:
        open_checkpoint(NOTE, "quasar/25/x", KEY.public_key)
    assert caught.value.exit_code == 1


@pytest.mark.parametrize(
    ("old", "new"), [("\n1000000\n", "\n1000001\n"), (f"\n{ROOT[:2]}", "\nAA")]
)
def test_an_altered_text(old: str, new: str) -> None:
    """A size or root that was changed after signing does not verify."""
    assert old in NOTE
    with pytest.raises(BadSignature, match="is wrong"):
        open_checkpoint(NOTE.replace(old, new), ORIGIN, KEY.public_key)


def test_other_signatures_are_left_alone() -> None:
    """A witness's line neither helps nor harms, before or behind the log's own."""
    witness = base64.b64encode(b"\0\1\2\3" + bytes(72)).decode()
    line = f"\N{EM DASH} witness.example/w1 {witness}\n"
    for note in (NOTE + line, f"{BODY}\n\n{line}{SIGNED}"):
        assert open_checkpoint(note, ORIGIN, KEY.public_key) == HEAD
    with pytest.raises(BadSignature):
        open_checkpoint(f"{BODY}\n\n{line}", ORIGIN, KEY.public_key)


def test_one_wrong_signature_of_the_log_spoils_the_note() -> None:
    """Two lines of the expected key must both verify."""
    wrong = base64.b64encode(key_id(ORIGIN, KEY.public_key) + bytes(64)).decode()
    with pytest.raises(BadSignature, match="is wrong"):
        open_checkpoint(f"{NOTE}\N{EM DASH} {ORIGIN} {wrong}\n", ORIGIN, KEY.public_key)


def rewritten(size: str = "1000000", root: str = ROOT, more: str = "") -> str:
    """The note with another field; its signature is no matter here."""
    return f"{ORIGIN}\n{size}\n{root}\n{more}\n{SIGNED}"


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n",
        BODY,
        BODY + "\n\n",
        NOTE[:-1],
        NOTE + "\n",
        NOTE.replace("\n", "\r\n"),
        NOTE.replace(ORIGIN, ORIGIN + "\x00"),
        NOTE.replace(ORIGIN, "two words"),
        NOTE.replace(ORIGIN, "a+b"),
        NOTE.replace(ORIGIN, ""),
        NOTE.replace("\N{EM DASH}", "-"),
        NOTE.replace("\N{EM DASH} ", "\N{EM DASH}  "),
        NOTE.replace(ORIGIN, "\ud800"),
        rewritten(size="01000000"),
        rewritten(size="+1"),
        rewritten(size="-1"),
        rewritten(size="1_000"),
        rewritten(size="\N{ARABIC-INDIC DIGIT ONE}"),
        rewritten(size="1" * 17),
        rewritten(size=""),
        rewritten(root=ROOT[:-1]),
        rewritten(root=ROOT[:-2] + "B="),
        rewritten(root=ROOT + "AAAA"),
        rewritten(root="-_" + ROOT[2:]),
        rewritten(root=" " + ROOT),
        rewritten(root="AAAA"),
        rewritten(more="extension\n"),
        f"{BODY}\n\n\N{EM DASH} {ORIGIN} AAAA\n",
        f"{BODY}\n\n\N{EM DASH} {ORIGIN} \n",
        NOTE + "x" * 200_000 + "\n",
    ],
)
def test_what_is_not_a_checkpoint(note: str) -> None:
    """Anything but the one canonical form cannot be judged, with or without a key."""
    with pytest.raises(CannotJudge):
        parse_checkpoint(note)
    with pytest.raises(CannotJudge):
        open_checkpoint(note, ORIGIN, KEY.public_key)


@pytest.mark.parametrize(
    "checkpoint",
    [
        Checkpoint("two words", 1, bytes(32)),
        Checkpoint(ORIGIN, -1, bytes(32)),
        Checkpoint(ORIGIN, 1, bytes(31)),
        Checkpoint("line\nbreak", 1, bytes(32)),
    ],
)
def test_what_cannot_be_signed(checkpoint: Checkpoint) -> None:
    """Nothing is signed that no reader would accept."""
    with pytest.raises(UsageError, match="cannot be signed"):
        sign_checkpoint(checkpoint, KEY)


def test_a_hotkey_cannot_sign_notes() -> None:
    """An sr25519 key makes no Ed25519 note, and the error comes at signing."""
    with pytest.raises(UsageError, match="cannot be signed"):
        sign_checkpoint(HEAD, Keypair.from_uri("//Alice", CRYPTO_SR25519))
