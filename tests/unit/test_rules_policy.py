"""A policy is read strictly: what a round could not be played under is refused by name."""

import pytest

from quasar.config import load_policy, policy_names
from quasar.errors import CannotJudge, UsageError
from quasar.events import Blob
from quasar.log.blobs import MemoryBlobs
from quasar.rules.neurons import MAX_NEURONS_BYTES, list_of, read_neurons
from quasar.rules.policy import digest, parse, recorded_policy

README = load_policy("readme-v1").decode()
BAD = {
    "round_every_blocks": ["0", "-1", "1.5", '"75"', "true", "9007199254740993"],
    "beacon_delay_blocks": ["0", "-3"],
    "max_lag_blocks": ["0"],
    "heartbeat_blocks": ["0"],
    "clock_skew_ms": ["0"],
    "tokens": ["0", "-1", "2_000_001", "1e6"],
    "multiplier": ["0.0", "-1.0", "nan", '"1"'],
    "family": ["1", '""', '"two words"'],
    "bucket": ["1"],
    "tasks": ["0", "-4", "1001", "4.5"],
    "max_bytes": ["0"],
    "base_ms": ["0", "99999999999"],
    "linear_ms": ["-1"],
    "square_us": ["-1"],
    "attempts": ["0"],
    "attempt_ms": ["0"],
    "grace_ms": ["0"],
    "upload_bytes": ["0"],
    "reward": ['"capped@2"', "1"],
    "reached_share": ["-0.1", "1.1", "nan", "inf"],
    "ema_alpha": ["0.0", "1.1", "nan", "-0.1"],
    "ema_start": ["-0.1", "1.1", "nan"],
    "minimum_samples": ["0"],
    "name": ["1", '"Two Words"'],
}


def with_value(field: str, value: str) -> bytes:
    """readme-v1 with the first value of that field changed."""
    lines = README.splitlines()
    at = next(i for i, line in enumerate(lines) if line.split(" ")[0] == field)
    lines[at] = f"{field} = {value}"
    return "\n".join(lines).encode()


@pytest.mark.parametrize(("field", "value"), [(f, v) for f, values in BAD.items() for v in values])
def test_a_bad_value_is_named(field: str, value: str) -> None:
    """Each field's values outside its bounds end with a message that names the field."""
    with pytest.raises(UsageError, match=field):
        parse(with_value(field, value))


@pytest.mark.parametrize("field", sorted(BAD))
def test_a_missing_field_is_named(field: str) -> None:
    """A policy is complete: there are no defaults."""
    lines = README.splitlines()
    lines.remove(next(line for line in lines if line.split(" ")[0] == field))
    with pytest.raises(UsageError, match=field):
        parse("\n".join(lines).encode())


def test_an_unknown_field_is_named() -> None:
    """A misspelt field is not ignored."""
    with pytest.raises(UsageError, match="ema_alhpa"):
        parse(README.encode() + b"\nema_alhpa = 0.1\n")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('name = "124k"', 'name = "32k"', "two buckets share a name"),
        ('bucket = "32k"', 'bucket = "64k"', "unknown buckets: 64k"),
        ("beacon_delay_blocks = 3", "beacon_delay_blocks = 75", "must be below"),
        ("multiplier = 1.0", "multiplier = inf", "multiplier must be a finite number"),
        ("upload_bytes = 40_000_000", "upload_bytes = 9", "more than upload_bytes"),
        ("tasks = 4", "tasks = 400", "more than upload_bytes"),
    ],
)
def test_fields_that_do_not_fit_together_are_refused(old: str, new: str, reason: str) -> None:
    """What no single field shows is refused with its reason."""
    assert old in README
    with pytest.raises(UsageError, match=reason):
        parse(README.replace(old, new, 1).encode())


def test_a_policy_without_tasks_is_refused() -> None:
    """A round without an assignment would never end."""
    head, _, rest = README.partition("[[mix]]")
    empty = "mix = []\n" + head + rest[rest.index("[answers]") :]
    with pytest.raises(UsageError, match=r"length >= 1.*mix"):
        parse(empty.encode())


@pytest.mark.parametrize(
    "toml",
    [b"", b"\xff", b"name = ", b"x = " + b"[" * 5000, b"x = " + b"9" * 5000, b"\x00", b"[]"],
    ids=["empty", "binary", "torn", "deep", "long number", "nul", "no table"],
)
def test_what_is_no_policy_is_a_usage_error(toml: bytes) -> None:
    """Garbage ends with one kind of error, whatever it is; from a log, as cannot judge."""
    with pytest.raises(UsageError, match="this is not a policy"):
        parse(toml)
    with pytest.raises(CannotJudge, match="the log's policy"):
        recorded_policy(toml)


@pytest.mark.parametrize("name", policy_names())
def test_every_shipped_policy_can_be_read(name: str) -> None:
    """A policy that ships is one that a round can be played under."""
    toml = load_policy(name)
    policy = parse(toml)
    assert policy.name == name
    assert recorded_policy(toml) == policy
    if name != "adaptive-v1":  # of which each round draws its tasks
        assert len(policy.tasks) == (14 if name == "mixed-v1" else 9)
    assert len(digest(toml)) == 64


def test_both_policies_ship() -> None:
    """The published rule and the one that pays for length."""
    assert set(policy_names()) >= {"readme-v1", "weighted-v1"}


EDGES = [
    (1, "32k"),
    (31_999, "32k"),
    (32_000, "32k"),
    (32_001, "124k"),
    (123_999, "124k"),
    (124_000, "124k"),
    (124_001, "512k"),
    (511_999, "512k"),
    (512_000, "512k"),
    (512_001, "1.5m"),
    (1_499_999, "1.5m"),
    (1_500_000, "1.5m"),
    (1_500_001, "2m"),
    (1_999_999, "2m"),
    (2_000_000, "2m"),
]


@pytest.mark.parametrize(("tokens", "bucket"), EDGES)
def test_the_smallest_bucket_that_holds_a_task(tokens: int, bucket: str) -> None:
    """Every edge of readme-v1, plus and minus one token."""
    assert parse(README.encode()).bucket_for(tokens).name == bucket


def test_nothing_is_made_above_two_million() -> None:
    """Above the largest bucket there is no task."""
    with pytest.raises(UsageError, match="2000001 tokens"):
        parse(README.encode()).bucket_for(2_000_001)


def test_an_unknown_bucket_is_a_key_error() -> None:
    """A name that the policy lacks is not another bucket."""
    with pytest.raises(KeyError):
        parse(README.encode()).bucket("64k")


@pytest.mark.parametrize(
    ("tokens", "ms"),
    [
        (1, 30_200),  # one thousand begun: 30,000 + 200 * 1 + 60 * 1 / 1000, cut
        (1000, 30_200),
        (1001, 30_400),
        (32_000, 36_461),
        (2_000_000, 670_000),
    ],
)
def test_the_deadline_grows_with_the_square(tokens: int, ms: int) -> None:
    """base + linear k + square k squared, in whole milliseconds."""
    assert parse(README.encode()).deadline_ms(tokens) == ms


def test_a_long_policy_is_not_read() -> None:
    """What a hostile log calls a policy may keep a TOML reader busy for minutes."""
    with pytest.raises(UsageError, match="longer than 32768 bytes"):
        parse(README.encode() + b"#" * 32_768)
    with pytest.raises(UsageError, match="more than 64 dots"):
        parse(b"a" + b".a" * 65 + b" = 1")


def test_a_metagraph_that_no_subnet_has() -> None:
    """It is refused before it is read, by its length alone."""
    blobs = MemoryBlobs()
    assert read_neurons(blobs, blobs.put(b"[]")) == []
    with pytest.raises(CannotJudge, match="8388609 bytes"):
        read_neurons(blobs, Blob(sha256="ab" * 32, bytes=MAX_NEURONS_BYTES + 1))
    with pytest.raises(CannotJudge, match="no subnet has so many"):
        list_of(b" " * (MAX_NEURONS_BYTES + 1))
