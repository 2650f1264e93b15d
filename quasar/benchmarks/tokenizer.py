"""The canonical token: how long a context is, for every bucket, on every machine.

Counts are exactly additive over units that end with a newline, as long as the next unit begins
with a character that is not white space: the pre-tokenizer never joins across that border.
"""

import re
from binascii import a2b_base64
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


@cache
def _encoding() -> Encoding:
    text = vendored.load("cl100k_base.xz", VOCABULARY_DIGEST)
    found = re.finditer(rb"(\S+) (\d+)\n", text)  # one at a time: as a list they take 10 MB
    ranks = {a2b_base64(line[1]): int(line[2]) for line in found}
    return Encoding("cl100k_base", pat_str=PIECES, mergeable_ranks=ranks, special_tokens={})


def count(text: str) -> int:
    """Canonical tokens of a text; the names of special tokens count as the text they are."""
    return len(_encoding().encode_ordinary(text))
