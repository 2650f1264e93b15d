"""The canonical tokenizer: pinned, offline, and additive over lines."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasar.benchmarks import tokenizer, vendored
from quasar.errors import CannotJudge

TEXT = st.text(
    st.sampled_from("ab Z'sé中 1234\t.,-!\n\r\u00a0\u2028\u3000😀") | st.characters(codec="utf-8"),
    max_size=40,
)
UNIT = TEXT.map(lambda text: text.lstrip() + "\n").filter(lambda unit: not unit[0].isspace())


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("hello world", 2),
        ("1234567", 3),
        ("tiktoken is great!", 6),
        ("お誕生日おめでとう", 9),
        ("antidisestablishmentarianism", 6),
        ("2 + 2 = 4", 7),
    ],
)
def test_counts_that_the_vocabulary_is_known_for(text: str, tokens: int) -> None:
    """These counts are published examples of cl100k_base."""
    assert tokenizer.count(text) == tokens


def test_special_tokens_are_text() -> None:
    """A context that spells a special token is counted, not refused or shortened."""
    assert tokenizer.count("<|endoftext|>") > 1


def test_name_states_the_digest() -> None:
    """The name in events begins the digest of the vocabulary."""
    name, digest = tokenizer.TOKENIZER.split("@")
    assert name == "cl100k_base"
    assert digest == tokenizer.VOCABULARY_DIGEST[:8]


@given(st.lists(UNIT, max_size=8))
def test_counts_add_up_over_lines(units: list[str]) -> None:
    """Units that end with a newline and begin with no white space are counted apart or together."""
    assert tokenizer.count("".join(units)) == sum(map(tokenizer.count, units))


def test_another_vocabulary_is_refused() -> None:
    """Bytes that differ from the pin stop the program with advice."""
    with pytest.raises(CannotJudge, match="reinstall quasar-subnet"):
        vendored.load("cl100k_base.xz", "0" * 64)


def test_a_missing_file_is_named() -> None:
    """A broken installation says which file it lacks."""
    with pytest.raises(CannotJudge, match=r"absent\.xz cannot be read"):
        vendored.load("absent.xz", "0" * 64)


def test_import_reads_no_vocabulary() -> None:
    """Importing the families loads no data: a command that judges nothing stays fast."""
    check = (
        "import quasar.benchmarks.vendored as v; v.load = None;"
        "import quasar.benchmarks, quasar.metrics, quasar.inference"
    )
    subprocess.run([sys.executable, "-c", check], check=True)
