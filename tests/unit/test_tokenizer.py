"""The canonical tokenizer: pinned, offline, and additive over lines."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quasar.benchmarks import FAMILIES, tokenizer, vendored
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


BLANKS = st.text("ab.;1 \n\t\r\u00a0\u2003\x1cé'", max_size=60)


@given(BLANKS | TEXT)
def test_the_quick_count_is_the_plain_one(text: str) -> None:
    """Whatever blanks stand side by side."""
    assert tokenizer.count(text) == tokenizer._encoded(text)


@given(st.text("a.1 \n", max_size=20))
def test_spaces_and_line_ends_are_counted_quickly_and_right(text: str) -> None:
    """The blanks that the quick way takes on itself."""
    assert tokenizer.count(text) == tokenizer._encoded(text)


@pytest.mark.parametrize("name", ["hops@1", "code@1"])
def test_a_long_context_counts_as_it_encodes(name: str) -> None:
    """Prose and code of real length."""
    text = FAMILIES[name].template(b"long", 124_000).instance(b"m").context()
    assert tokenizer.count(text) == tokenizer._encoded(text)


def test_ends_are_kept_where_a_text_is_too_long() -> None:
    """Half of the tokens from each end; a text that fits stays whole."""
    text = " ".join(f"word{i}" for i in range(100))
    cut = tokenizer.ends(text, 20)
    assert tokenizer.count(cut) == 20
    assert text.startswith(cut[:20])
    assert text.endswith(cut[-20:])
    assert tokenizer.ends(text, 200) == text


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
