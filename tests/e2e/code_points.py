"""Prints one SHA-256 of what the metrics may see in each character of Unicode 14, on this Python.

``python code_points.py``: needs the core alone. Each assigned code point stands between its
neighbours, and between letters: ``lower`` looks at neighbours (a final sigma), and so does ``\\b``.
"""

import hashlib
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from quasar.metrics import METRICS
from quasar.metrics.unicode14 import EDGES

SETS = [re.compile(p) for p in (r"\d+", r"\s+", r"\w+")]
ARTICLE = re.compile(r"\bthe\b")
BLOCK = 16384
NAMES = ["answer_exact", "count", "exact_match", "qa_f1", "rouge_1", "set_f1"]


def assigned() -> str:
    """Each code point that Unicode 14 assigns, once."""
    runs = zip([0, *EDGES[1::2]], EDGES[::2], strict=True)
    return "".join("".join(map(chr, range(start, stop))) for start, stop in runs)


def seen(chars: str) -> list[str]:
    """All that a metric does with text."""
    text = "".join([f"{c}the{c}Σ " for c in chars])
    lower = text.lower()
    found = [pattern.sub("\0", chars) for pattern in SETS]
    return [lower, ARTICLE.sub("\0", lower), *text.split(), *found]


def scores(text: str) -> list[str]:
    """Of the text against half of itself."""
    return [METRICS[name](text, [text[::2]]).hex() for name in NAMES]


def main() -> None:
    chars = assigned()
    digest = hashlib.sha256()
    for start in range(0, len(chars), BLOCK):
        block = chars[start : start + BLOCK]
        lines = seen(block) + scores(block)
        digest.update("\n".join(lines).encode("utf-8", "surrogatepass"))
    sys.stdout.write(digest.hexdigest() + "\n")


if __name__ == "__main__":
    main()
