"""Attacks that choose nothing: dumps, echoes, constants, and candidates side by side."""

from collections.abc import Iterator, Sequence

from quasar.benchmarks.attacks.scene import Line, Scene

DUMPED = 6_000
"""Characters of a dump; a policy's limit on answers cuts it anyway."""
CONSTANTS = ("none", "None", "0", "1", "2", "3", "10", "yes", "no", "true", "A", "unknown", "")
NOT_THERE = ("not in the document", "not stated", "absent", "no answer", "unanswerable")


def constants() -> Iterator[tuple[str, str]]:
    """What may be right without a look."""
    for text in (*CONSTANTS, *NOT_THERE):
        yield f"constant {text!r}", f"ANSWER: {text}"


def dumps(views: dict[str, list[Line]]) -> Iterator[tuple[str, str]]:
    """The text itself, on one line or as it is."""
    for name, lines in views.items():
        text = "\n".join(line.text for line in lines)
        flat = text.replace("\n", " ")
        yield f"dump of {name}", text[:DUMPED]
        yield f"dump of {name}, flat", f"ANSWER: {flat[:DUMPED]}"
        yield f"dump of {name}, its end", f"ANSWER: {flat[-DUMPED:]}"
        yield f"dump of {name}, an ANSWER: line each", _each([line.text for line in lines])[:DUMPED]


def echoes(scene: Scene) -> Iterator[tuple[str, str]]:
    """The question, and what it names."""
    flat = scene.question.replace("\n", " ")
    yield "echo", scene.question
    yield "echo, flat", f"ANSWER: {flat}"
    for i, key in enumerate(scene.keys[-3:]):
        yield f"key {i - len(scene.keys[-3:])} of the question", f"ANSWER: {key}"
    if scene.keys:
        yield "first key of the question", f"ANSWER: {scene.keys[0]}"
        yield "keys of the question", f"ANSWER: {', '.join(scene.keys)}"
    yield "rank that the question spells", f"ANSWER: {scene.rank}"


def hedges(name: str, candidates: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Several candidates at once, in every way that a careless reader of answers may accept."""
    some = list(dict.fromkeys(candidates))
    if len(some) < 2:
        return
    for n in (2, 5, 20):
        few = some[:n]
        yield f"{n} {name}s, or", f"ANSWER: {' or '.join(few)}"
        yield f"{n} {name}s, slash", f"ANSWER: {'/'.join(few)}"
        yield f"{n} {name}s, blank", f"ANSWER: {' '.join(few)}"
        yield f"{n} {name}s, comma", f"ANSWER: {', '.join(few)}"
        yield f"{n} {name}s, semicolon", f"ANSWER: {'; '.join(few)}"
        yield f"{n} {name}s, marks on one line", f"ANSWER: {' ANSWER: '.join(few)}"
        yield f"{n} {name}s, carriage returns", "\r".join(f"ANSWER: {text}" for text in few)
        yield f"{n} {name}s, a line each", _each(few)
        yield f"{n} {name}s, a line each, backwards", _each(few[::-1])
        yield f"{n} {name}s, below one mark", "ANSWER:\n" + "\n".join(few)


def _each(texts: Sequence[str]) -> str:
    return "\n".join(f"ANSWER: {text}" for text in texts)
