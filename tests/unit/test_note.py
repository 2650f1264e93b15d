"""Checkpoints as signed notes: what is accepted, and what is not."""

import base64
from collections.abc import Callable

import pytest
from bittensor_core import CRYPTO_ED25519, CRYPTO_SR25519, Keypair

from quasar.errors import CannotJudge, UsageError
from quasar.events.merkle import leaf_hash
from quasar.events.note import (
    BadSignature,
    Checkpoint,
    KeyRange,
    LogKeys,
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


def test_a_note_of_another_program() -> None:
    """The example of Go's note package, signed by Peter Neumann's key, verifies."""
    vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    text = (
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n"
    )
    signed = base64.b64decode(
        "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    )
    public_key = base64.b64decode(vkey.rsplit("+", 1)[1])[1:]
    assert verifier_key("PeterNeumann", public_key) == vkey
    assert signed[:4] == key_id("PeterNeumann", public_key)
    assert verify_ed25519(public_key, text.encode(), signed[4:])


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


THIRD = Keypair.from_seed(b"\x03" * 32, CRYPTO_ED25519)
FOURTH = Keypair.from_seed(b"\x04" * 32, CRYPTO_ED25519)
KEYS = LogKeys.of(KEY.public_key).rotated(OTHER.public_key, 100)


def note_of(size: int, signer: Keypair) -> str:
    """A checkpoint of some size."""
    return sign_checkpoint(Checkpoint(ORIGIN, size, HEAD.root), signer)


def test_a_log_with_one_key() -> None:
    """Without rotation the key is good for every size."""
    keys = LogKeys.of(KEY.public_key)
    for size in (0, 1, 2**40):
        assert keys.open(note_of(size, KEY), ORIGIN).size == size
    assert keys.ranges == (KeyRange(KEY.public_key, 0, None),)


def test_each_key_has_its_range() -> None:
    """The old key is good below the rotation, the new one from it on."""
    assert KEYS.ranges == (KeyRange(KEY.public_key, 0, 99), KeyRange(OTHER.public_key, 100, None))
    assert KEYS.open(note_of(99, KEY), ORIGIN).size == 99
    assert KEYS.open(note_of(100, OTHER), ORIGIN).size == 100


@pytest.mark.parametrize(
    ("size", "signer", "reason"),
    [
        (100, KEY, "the checkpoint over 100 is signed by a key replaced after 99"),
        (99, OTHER, "the checkpoint over 99 is signed by a key that signs from 100 on"),
        (99, THIRD, "is not signed by key"),
        (100, THIRD, "is not signed by key"),
    ],
)
def test_a_key_outside_its_range(size: int, signer: Keypair, reason: str) -> None:
    """A key that was replaced signs nothing new, a new one nothing old, a stranger's nothing."""
    with pytest.raises(BadSignature, match=reason):
        KEYS.open(note_of(size, signer), ORIGIN)


def test_both_keys_on_one_note() -> None:
    """The signature that counts is there; another one beside it does no harm."""
    both = note_of(100, OTHER) + note_of(100, KEY).split("\n\n")[1]
    assert KEYS.open(both, ORIGIN).size == 100


def test_a_revoked_key() -> None:
    """It counts up to its limit; up to the key after it, none signs."""
    revoked = KEYS.revoked(THIRD.public_key, 250, 200)
    assert revoked.current == KeyRange(THIRD.public_key, 250, None)
    assert revoked.open(note_of(200, OTHER), ORIGIN).size == 200
    assert revoked.open(note_of(250, THIRD), ORIGIN).size == 250
    for size in (201, 250):
        with pytest.raises(BadSignature, match=f"over {size} is signed by a key revoked after 200"):
            revoked.open(note_of(size, OTHER), ORIGIN)
    with pytest.raises(BadSignature, match="over 249 is signed by a key that signs from 250 on"):
        revoked.open(note_of(249, THIRD), ORIGIN)
    with pytest.raises(BadSignature, match="over 150 is signed by a key replaced after 99"):
        revoked.open(note_of(150, KEY), ORIGIN)
    with pytest.raises(BadSignature, match="no key of the log may sign a checkpoint over 220"):
        revoked.open(note_of(220, FOURTH), ORIGIN)


def test_a_key_that_never_counted() -> None:
    """Revoked from its first checkpoint on; the keys before and after keep their ranges."""
    keys = KEYS.revoked(THIRD.public_key, 250, 99)
    assert keys.open(note_of(99, KEY), ORIGIN).size == 99
    with pytest.raises(BadSignature, match="revoked after 99"):
        keys.open(note_of(100, OTHER), ORIGIN)


def test_an_altered_note_under_keys() -> None:
    """A signature by the right key over other words is told as such."""
    with pytest.raises(BadSignature, match="is wrong"):
        KEYS.open(note_of(50, KEY).replace("\n50\n", "\n51\n"), ORIGIN)
    with pytest.raises(BadSignature, match="is of quasar/24"):
        KEYS.open(note_of(50, KEY), "quasar/25/x")
    with pytest.raises(CannotJudge):
        KEYS.open("no note", ORIGIN)


@pytest.mark.parametrize(
    "make",
    [
        lambda: KEYS.rotated(KEY.public_key, 200),
        lambda: KEYS.rotated(THIRD.public_key, 100),
        lambda: KEYS.revoked(THIRD.public_key, 200, 98),
        lambda: KEYS.revoked(THIRD.public_key, 200, 200),
        lambda: KEYS.revoked(KEY.public_key, 200, 150),
        lambda: LogKeys([KeyRange(KEY.public_key, 0, 9), KeyRange(OTHER.public_key, 9, None)]),
        lambda: LogKeys([KeyRange(KEY.public_key, 0, None), KeyRange(OTHER.public_key, 9, None)]),
        lambda: LogKeys([]).rotated(KEY.public_key, 5),
    ],
)
def test_keys_that_no_log_can_have(make: Callable[[], LogKeys]) -> None:
    """No key comes back, no two share a size, and none ends before it began."""
    with pytest.raises(UsageError):
        make()
