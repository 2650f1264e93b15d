"""Prints what the pure parts compute, one JSON object a line: the same under every Python.

``python vectors.py FILE``: a recorded log as JSON, its lines as text and its blobs in base64.
"""

import base64
import hashlib
import json
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from quasar.benchmarks import FAMILIES
from quasar.benchmarks.about import bounds
from quasar.draw import Draw, derive
from quasar.events.base import Blob
from quasar.events.envelope import Draft, decode, encode
from quasar.metrics import METRICS, PROGRAM_METRICS
from quasar.metrics.unicode14 import restrict
from quasar.rules.machine import Recorded
from quasar.rules.scoring import ScoringRule
from quasar.rules.weights import WeightRule

SEED = hashlib.sha256(b"the same under every Python").digest()
TEXT = (
    "the a an The ANSWER: answer is 17 1,000 3.14 -0 harbour Harbour naïve STRASSE straße ﬁne "
    "İstanbul Ǆ 東京 ١٢ \u00a0 \u200b \u2028 e\u0301 é ½ Ⅷ 𝔘 👩\u200d🚀 , . ! — 'tis it's"
)
WORDS = TEXT.split(" ")
OPTIONS: dict[str, dict[str, Any]] = {
    "classification@1": {"all_classes": ["the", "an", "answer", "answer is", "17"]},
    "longbench@1": {"dataset": "triviaqa"},
}
NEED_JIEBA = {"qa_f1_zh@1", "rouge_zh@1"}
BYTES = [b"", b"\xff", b"\x00", b"ANSWER:", b"ANSWER: 17\n", b"\xed\xa0\x80", "ANSWER: ß".encode()]


def draws() -> Iterator[Any]:
    """Numbers, samples and floats that are drawn."""
    draw = Draw(SEED, "vectors")
    for n in (1, 2, 3, 10, 97, 2**31, 2**63, 10**30):
        yield [str(draw.below(n)) for _ in range(20)]
    yield draw.sample(list(range(1000)), 50)


def metrics() -> Iterator[Any]:
    """Scores of drawn answers, as the bits of their floats."""
    draw = Draw(SEED, "answers")

    def text() -> str:
        return " ".join(WORDS[draw.below(len(WORDS))] for _ in range(draw.below(30)))

    pairs = [(text().encode(), text()) for _ in range(300)]
    pairs += [(data, expected) for data in BYTES for expected in ("", "17", "ß", "ss")]
    for name, metric in METRICS.items():
        if name in NEED_JIEBA:  # tests/unit/test_metrics_chinese.py has them
            continue
        options = OPTIONS.get(name, {})
        yield (
            name,
            [
                metric(restrict(answer.decode("utf-8", "replace")), [expected], **options).hex()
                for answer, expected in pairs
            ],
        )
    values: list[Any] = [1, 1.0, True, None, "1", [1], [1.0], {"a": 1}, 0.1 + 0.2, 2**53, -0.0]
    outputs = [None, b"", b"[", b"1", b"1.0", b"true", b"0.30000000000000004", b'{"a":1}', b"-0"]
    for name, program in PROGRAM_METRICS.items():
        yield name, [program([o], [v]).hex() for o in outputs for v in values]


def families() -> Iterator[Any]:
    """Tasks of the shortest contexts, with the digests of these."""
    for name, family in FAMILIES.items():
        if getattr(family, "needs_source", False):  # packs of it are made by other packages
            continue
        for n in range(2):
            tokens = bounds(family).least or 2_000
            template = family.template(derive(SEED, f"{name}/{n}"), tokens)
            instance = template.instance(derive(SEED, f"variant/{n}"))
            context = hashlib.sha256(instance.context().encode()).hexdigest()
            asked = [repr(part) for part in instance.question]
            program = instance.program and repr(instance.program)
            yield name, template.digest, instance.tokens, context, asked, instance.answer, program


class Blobs:
    """Those of the log."""

    def __init__(self, held: list[str]) -> None:
        self._held = {hashlib.sha256(b).hexdigest(): b for b in map(base64.b64decode, held)}

    def get(self, blob: Blob) -> bytes:
        return self._held[blob.sha256]

    def put(self, data: bytes) -> Blob:
        raise NotImplementedError


def decisions(lines: list[bytes], blobs: Blobs) -> Iterator[Any]:
    """What the rules decide after each event, as they would be stored."""
    for rule in (ScoringRule(), WeightRule()):
        state: Any = rule.initial()
        for seq, line in enumerate(lines, 1):
            seen = Recorded(seq, line)
            if type(seen.event) not in rule.subscribes:
                continue
            for event in rule.decide(state, seen, blobs):
                yield encode(Draft(actor=rule.actor, cause=seq, event=event), seq).decode()
            state = rule.evolve(state, seen, blobs)


def spelling(lines: list[bytes]) -> Iterator[Any]:
    """Stored lines, decoded and encoded again."""
    for line in lines:
        e = decode(line)
        yield encode(Draft(actor=e.actor, cause=e.cause, event=e.event), e.at) == line


def say(value: Any) -> None:
    """A line, in ASCII."""
    sys.stdout.write(json.dumps(value) + "\n")


def main() -> None:
    """All of it, behind the version that computed it."""
    log = json.loads(Path(sys.argv[1]).read_bytes())
    lines = [line.encode() for line in log["lines"]]
    say(["python", platform.python_version()])
    parts = {
        "draw": draws(),
        "metric": metrics(),
        "family": families(),
        "decision": decisions(lines, Blobs(log["blobs"])),
        "spelling": spelling(lines),
    }
    for part, found in parts.items():
        for value in found:
            say([part, value])


if __name__ == "__main__":
    main()
