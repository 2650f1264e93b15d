"""The vendored table is Unicode 14.0, on every Python."""

import hashlib
import unicodedata

import pytest

from quasar.metrics.unicode14 import is_assigned, restrict


@pytest.fixture(scope="module")
def table() -> bytes:
    """One byte for each code point."""
    return bytes(map(is_assigned, range(0x110000)))


def test_table_is_the_same_everywhere(table: bytes) -> None:
    """The whole table has one digest."""
    assert (
        hashlib.sha256(table).hexdigest()
        == "e0e117f273e3ecbd9820ddf71d5a266264bac21b1f49abc9faa06bf43a3b96fc"
    )


@pytest.mark.skipif(unicodedata.unidata_version != "14.0.0", reason="another Unicode version")
def test_equals_unicodedata_of_version_14(table: bytes) -> None:
    """Every code point agrees with Python 3.11's own table."""
    assert bytes(unicodedata.category(chr(c)) != "Cn" for c in range(0x110000)) == table


def test_newer_tables_only_add(table: bytes) -> None:
    """What 14.0 assigns, this Python's table (3.11 or later) assigns too."""
    assert not [c for c in range(0x110000) if table[c] and unicodedata.category(chr(c)) == "Cn"]


def test_restrict_replaces_only_unassigned() -> None:
    """Text of Unicode 14 is left as it is; a newer character becomes U+FFFD."""
    assert restrict("plain") == "plain"
    assert restrict("naïve 中 😀 \ue000") == "naïve 中 😀 \ue000"
    assert restrict("a\U0001fae8b\u0378") == "a\ufffdb\ufffd"
