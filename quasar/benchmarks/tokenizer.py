"""The canonical token: how long a context is, for every bucket, on every machine.

Counts are exactly additive over units that end with a newline, as long as the next unit begins
with a character that is not white space: the pre-tokenizer never joins across that border.
"""

import re
from binascii import a2b_base64
from collections import Counter
from functools import cache

from tiktoken import Encoding

from quasar.benchmarks import vendored

TOKENIZER = "cl100k_base@223921b7"
"""Name and digest prefix of the vocabulary, as events state it."""
VOCABULARY_DIGEST = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"
"""SHA-256 of the vocabulary file as its authors publish it."""

PIECES = "|".join(
    (
        r"'(?i:[sdmt]|ll|ve|re)",  # English contractions
        r"[^\r\n\p{L}\p{N}]?+\p{L}++",  # a word with the character before it
        r"\p{N}{1,3}+",  # up to three digits
        r" ?[^\s\p{L}\p{N}]++[\r\n]*+",  # punctuation with the line ends after it
        r"\s++$",
        r"\s*[\r\n]",
        r"\s+(?!\S)",
        r"\s",
    )
)
"""How text is cut before byte pairs are merged."""
QUICK_PIECES = "|".join(
    (
        r"'(?i:[sdmt]|ll|ve|re)",
        r"[^\r\n\p{L}\p{N}]?\p{L}+",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"\s*[\r\n]",
        r" +",
    )
)
"""The same cuts at twice the speed, since nothing looks ahead; but only where all blanks are spaces
and line ends, no space is last, and a run of spaces goes before a line end or stands alone."""
_OTHER_BLANKS = "\t\v\f\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
_RUN = re.compile(r"(  ++)(?![\r\n])")
"""Spaces before something else than a line end: all but the last are a piece of their own."""


def _load(pieces: str) -> Encoding:
    text = vendored.load("cl100k_base.xz", VOCABULARY_DIGEST)
    found = re.finditer(rb"(\S+) (\d+)\n", text)  # one at a time: as a list they take 10 MB
    ranks = {a2b_base64(line[1]): int(line[2]) for line in found}
    return Encoding("cl100k_base", pat_str=pieces, mergeable_ranks=ranks, special_tokens={})


@cache
def _encoding() -> Encoding:
    return _load(PIECES)


@cache
def _quick() -> Encoding:
    return _load(QUICK_PIECES)


def count(text: str) -> int:
    """Canonical tokens of a text; the names of special tokens count as the text they are."""
    if text.endswith(" ") or any(blank in text for blank in _OTHER_BLANKS):
        return _encoded(text)
    parts = _RUN.split(text)  # text and runs in turn
    quick = _quick().encode_ordinary
    apart = sum(len(quick(run[1:])) * times for run, times in Counter(parts[1::2]).items())
    return apart + len(quick(" ".join(parts[::2])))


def _encoded(text: str) -> int:
    return len(_encoding().encode_ordinary(text))


def ends(text: str, tokens: int) -> str:
    """The text; or where it has more canonical tokens, its first and its last half of them.

    A character that a cut goes through becomes U+FFFD.
    """
    ids = _encoding().encode_ordinary(text)
    half = tokens // 2
    if len(ids) <= tokens:
        return text
    return _encoding().decode(ids[:half]) + _encoding().decode(ids[len(ids) - half :])
