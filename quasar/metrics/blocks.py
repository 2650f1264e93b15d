"""How many characters two texts share in blocks: what difflib's ``SequenceMatcher`` counts.

Ratcliff and Obershelp: the longest common block, then the same on its left and on its right. The
class takes cubic time at worst; here ``str.find`` looks for blocks, and a part is not searched for
longer ones than the whole had. The number is the same, with difflib's two habits: of equally long
blocks the first one of ``a`` counts, there the first of ``b``; and in a ``b`` of 200 characters or
more, a character that makes up over 1 % of it begins no block, but may prolong one.
"""

from collections import Counter

_BOUND = 1 << 24
_KEPT = 4096


def shared(a: str, b: str) -> int:
    """Characters in common blocks, at most those of the shorter text.

    Where the product of the lengths is over 2**24, the first 4096 characters of each are compared.
    """
    if len(a) * len(b) > _BOUND:
        a, b = a[:_KEPT], b[:_KEPT]
    return _Blocks(a, b).shared()


class _Blocks:
    """Two texts while they are compared."""

    def __init__(self, a: str, b: str) -> None:
        self.a, self.b = a, b
        self.rare = b.translate(dict.fromkeys(map(ord, _popular(b)), _absent(a)))
        """``b``, where popular characters are one that ``a`` has not."""

    def shared(self) -> int:
        parts = [(0, len(self.a), 0, len(self.b), min(len(self.a), len(self.b)))]
        found = 0
        while parts:
            from_a, to_a, from_b, to_b, longest = parts.pop()
            at_a, at_b, rare = self._block(from_a, to_a, from_b, to_b, longest)
            at_a, at_b, size = self._prolonged(at_a, at_b, rare, (from_a, to_a, from_b, to_b))
            found += size
            if size:
                parts.append((from_a, at_a, from_b, at_b, rare))
                parts.append((at_a + size, to_a, at_b + size, to_b, rare))
        return found

    def _block(
        self, from_a: int, to_a: int, from_b: int, to_b: int, longest: int
    ) -> tuple[int, int, int]:
        """Where the longest block of rare characters stands, and its size; 0 if there is none."""
        best, at_a, at_b = 0, from_a, from_b
        start = from_a
        while best < longest and start + best < to_a:
            end = start + best + 1
            found = self.rare.find(self.a[start:end], from_b, to_b)
            if found >= 0:
                best, at_a, at_b = best + 1, start, found
            else:
                start += 1
        return at_a, at_b, best

    def _prolonged(
        self, at_a: int, at_b: int, size: int, part: tuple[int, int, int, int]
    ) -> tuple[int, int, int]:
        """The block with the equal characters on both sides, popular ones too."""
        from_a, to_a, from_b, to_b = part
        a, b = self.a, self.b
        while at_a > from_a and at_b > from_b and a[at_a - 1] == b[at_b - 1]:
            at_a, at_b, size = at_a - 1, at_b - 1, size + 1
        while at_a + size < to_a and at_b + size < to_b and a[at_a + size] == b[at_b + size]:
            size += 1
        return at_a, at_b, size


def _popular(b: str) -> list[str]:
    if len(b) < 200:
        return []
    return [c for c, times in Counter(b).items() if times > len(b) // 100 + 1]


def _absent(text: str) -> str:
    """A character that the text has not."""
    present = set(text)
    return next(c for c in map(chr, range(len(present) + 1)) if c not in present)
