"""No answer within the limit makes a metric slow or large, whatever it is compared with."""

import sys
import time
import tracemalloc
from collections.abc import Callable
from itertools import product
from string import ascii_lowercase

import pytest

from quasar.metrics import METRICS, blocks, union

CAP, REFERENCE = 16_384, 65_536
"""Bytes of an answer, as policies limit it, and of the longest reference."""
SECONDS, MEGABYTES = 1.0, 200
WORDS = ["".join(letters) for letters in product(ascii_lowercase, repeat=3)]
SIGNS = [chr(code) for code in range(0x4E00, 0x9FD6)]


def cut(text: str, size: int) -> str:
    return text.encode()[:size].decode("utf-8", "ignore")


def each(form: str, words: list[str]) -> str:
    return "".join(form.format(word) for word in words)


def descending(n: int) -> tuple[str, str]:
    """Blocks of falling length: the search on the right of each begins anew."""
    text, parts, at = "".join(SIGNS[(i * i + i // 7) % 409] for i in range(n)), [], 0
    for size in range(88, 0, -1):
        parts.append(text[at : at + size] + "\u00e9")
        at += size + 1
    return "".join(parts), text


WORST: dict[str, tuple[str, str, str]] = {
    "one-word sentences": ("rouge", each("{}.", SIGNS), each("{}.", SIGNS)),
    "never on the path": ("rouge", each("b a {}.", WORDS), each("a b {}.", WORDS)),
    "nor turned round": ("rouge", each("{} b a.", WORDS), each("a b {}.", WORDS[::-1])),
    "one long sentence": ("rouge", "a b " * 5000, "b a " * 17_000),
    "equal dots": ("rouge", "a." * 9000, "a." * 33_000),
    "lines off the path": ("rouge_lsum", each("b a {}\n", WORDS), each("a b {}\n", WORDS)),
    "many pairs": ("rouge_lsum", each("{} b a\n", WORDS), each("a b {}\n", WORDS)),
    "one long line": ("rouge_lsum", "a b " * 5000, "b a " * 17_000),
    "long words": ("rouge_1", "y" * CAP, "y" * REFERENCE),
    "suffix on suffix": ("rouge_1", "alli" * CAP, "alli" * REFERENCE),
    "long rows": ("rouge_l", "a " * CAP, "a " * REFERENCE),
    "few letters": ("code_sim", ("a" * 60 + "b" + "a" * 39) * 170, "a" * 99 + "b" + "a" * 99),
    "halves of letters": ("code_sim", ("a" * 25 + "b" + "a" * 24) * 400, "a" * 199),
    "falling blocks": ("code_sim", *descending(4000)),
    "all different": ("code_sim", "".join(SIGNS), "".join(SIGNS[::-1])),
    "long rows of letters": ("code_sim_indel", "ab" * CAP, "ba" * REFERENCE),
    "numbers": ("count", "5 " * CAP, "5"),
    "groups": ("numeric", "1,111" + ",111" * CAP, "1"),
    "numbers on the line": ("numeric", "ANSWER: " + "1 " * CAP, "1"),
    "items": ("set_f1", "ANSWER: " + "," * CAP, "," * REFERENCE),
    "sentences": ("choice", "The correct answer is (" * CAP, "A"),
    "sigmas": ("qa_f1", "\u0391\u03a3 " * CAP, "\u03a3" * REFERENCE),
    "unknown signs": ("qa_f1_zh", "".join(SIGNS), "".join(SIGNS)),
    "one sign": ("qa_f1_zh", "龘" * CAP, "龘" * REFERENCE),
    "signs and dots": ("rouge_zh", each("{}.", SIGNS), each("{}.", SIGNS)),
}


def spent(run: Callable[[], float]) -> float:
    """CPU seconds, without those of a counter of lines."""
    counter = sys.gettrace()
    sys.settrace(None)
    start = time.process_time()
    score = run()
    seconds = time.process_time() - start
    sys.settrace(counter)
    assert 0.0 <= score <= 1.0
    return seconds


@pytest.mark.parametrize("case", WORST)
def test_worst_cases(case: str) -> None:
    """At most a second on a capped answer, once the dictionary of Chinese is there."""
    name, prediction, reference = WORST[case]
    if name.endswith("_zh"):
        pytest.importorskip("jieba")
        METRICS[name]("我", ["我"])
    said, wanted = cut(prediction, CAP), cut(reference, REFERENCE)
    runs = (spent(lambda: METRICS[name](said, [wanted])) for _ in range(3))
    assert any(seconds < SECONDS for seconds in runs)  # a busy core may look slow once


@pytest.mark.parametrize("case", ["one long sentence", "one long line", "falling blocks"])
def test_memory(case: str) -> None:
    """Of those that hold a whole table of bits."""
    name, prediction, reference = WORST[case]
    said, wanted = cut(prediction, CAP), cut(reference, REFERENCE)
    tracemalloc.start()
    METRICS[name](said, [wanted])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MEGABYTES << 20


def test_work_ends_at_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs after it add nothing, so a score can only be too low; ordinary text is far below it."""
    said, wanted = each("{} b a.", WORDS[:200]), each("a b {}.", WORDS[:200])
    whole = METRICS["rouge@1"](said, [wanted])
    monkeypatch.setattr(union.Work.__init__, "__defaults__", (1000,))
    assert METRICS["rouge@1"](said, [wanted]) < whole


def test_long_lines_of_code_are_compared_in_part() -> None:
    """Where the product of lengths is over 2**24, the first 4096 characters count."""
    text = "".join(SIGNS[i % 5000] for i in range(4097))
    assert blocks.shared(text[:4096], text[:4096]) == 4096
    assert blocks.shared(text, text) == 4096
