"""Prints one SHA-256 of what the metrics may see in each character of Unicode 14, on this Python.

``python code_points.py``: needs the core alone. Each assigned code point stands alone and between
letters: ``lower`` looks at neighbours (a final sigma), and so does ``\\b``.
"""

import hashlib
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from quasar.metrics import METRICS
from quasar.metrics.unicode14 import restrict

PATTERNS = [re.compile(p) for p in (r"\d+", r"\s+", r"\w+", r"\bthe\b")]
BLOCK = 4096
NAMES = ["answer_exact", "count", "exact_match", "qa_f1", "rouge_1", "set_f1"]


def seen(text: str) -> list[str]:
    """All that a metric does with text."""
    lower = text.lower()
    found = [pattern.sub("\0", lower) for pattern in PATTERNS]
    return [lower, text.strip(), *text.split(), *found, PATTERNS[0].sub("\0", text)]


def scores(text: str) -> list[str]:
    """Of the text against half of itself."""
    return [METRICS[name](text, [text[::2]]).hex() for name in NAMES]


def main() -> None:
    digest = hashlib.sha256()
    for start in range(0, 0x110000, BLOCK):
        chars = restrict("".join(map(chr, range(start, start + BLOCK))))
        if set(chars) != {"\ufffd"}:
            text = "".join(f"a{c}Σ {c}the " for c in chars)
            lines = seen(text) + scores(chars)
            digest.update("\n".join(lines).encode("utf-8", "surrogatepass"))
    sys.stdout.write(digest.hexdigest() + "\n")


if __name__ == "__main__":
    main()
