"""Stands in for the package where there is none: the same byte pairs, merged in plain Python."""

import re
import unicodedata
from functools import cache
from itertools import pairwise


def _class(*categories: str) -> str:
    """The inside of a character class: all characters of some Unicode categories."""
    found: list[list[int]] = []
    for code in range(0x110000):
        if unicodedata.category(chr(code))[0] in categories:
            if found and found[-1][1] == code - 1:
                found[-1][1] = code
            else:
                found.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in found)


class Encoding:
    """As far as ``quasar.benchmarks.tokenizer`` uses it."""

    def __init__(
        self,
        _: str,
        *,
        pat_str: str,
        mergeable_ranks: dict[bytes, int],
        special_tokens: dict[str, int],
    ) -> None:
        assert not special_tokens
        letters, numbers = _class("L"), _class("N")
        # A class inside a class has no brackets of its own.
        pattern = pat_str.replace(r"[^\r\n\p{L}\p{N}]", rf"[^\r\n{letters}{numbers}]")
        pattern = pattern.replace(r"[^\s\p{L}\p{N}]", rf"[^\s{letters}{numbers}]")
        pattern = pattern.replace(r"\p{L}", f"[{letters}]").replace(r"\p{N}", f"[{numbers}]")
        self._pieces = re.compile(pattern).finditer
        self._ranks = mergeable_ranks
        self._tokens = cache(self._merged)

    def encode_ordinary(self, text: str) -> list[int]:
        """Token numbers of a text."""
        found: list[int] = []
        for piece in self._pieces(text):
            found += self._tokens(piece[0].encode())
        return found

    def _merged(self, piece: bytes) -> list[int]:
        ranks, none = self._ranks, len(self._ranks)
        parts = [piece[i : i + 1] for i in range(len(piece))]
        while len(parts) > 1:
            pairs = [ranks.get(a + b, none) for a, b in pairwise(parts)]
            best = min(pairs)
            if best == none:
                break
            at = pairs.index(best)
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        return [ranks[part] for part in parts]
