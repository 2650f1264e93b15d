"""Ways to take an answer from chosen lines."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from quasar.benchmarks.attacks.scene import Line, Scene, fresh
from quasar.benchmarks.attacks.words import KINDS, Found

LISTED = 12
"""The longest list of candidates that anyone gives."""


def extract(scene: Scene, lines: Sequence[Line]) -> Iterator[tuple[str, str]]:
    """Names of ways, and what each gives; a way that finds nothing is left out."""
    if not lines:
        return
    yield from _counts(scene, lines)
    for kind in KINDS:
        if found := fresh(lines, kind):
            yield from _picked(scene, kind, found)
    yield from _near(scene, lines)
    yield from _options(scene, lines)
    yield "first line", lines[0].text
    yield "last line", lines[-1].text


def _counts(scene: Scene, lines: Sequence[Line]) -> Iterator[tuple[str, str]]:
    yield "number of lines", str(len(lines))
    words = Counter(word for line in lines for word in line.words if word in scene.asked)
    for key in scene.keys[-2:]:
        yield f"lines with key {scene.keys.index(key) - len(scene.keys)}", str(words[key])
    if words:
        yield "lines with the rarest word", str(min(words.values()))
    yield "number of strangers", str(len({*fresh(lines, "stranger")}))


def _picked(scene: Scene, kind: str, found: list[str]) -> Iterator[tuple[str, str]]:
    """One of a kind, or several."""
    ranked = [text for text, _ in Counter(found).most_common()]
    yield f"first {kind}", found[0]
    yield f"last {kind}", found[-1]
    yield f"most frequent {kind}", ranked[0]
    yield f"second most frequent {kind}", ranked[min(1, len(ranked) - 1)]
    yield f"least frequent {kind}", ranked[-1]
    yield f"rarest {kind}", min(found, key=scene.spread.__getitem__)
    if scene.rank <= len(found):
        yield f"{kind} of the question's rank", found[scene.rank - 1]
        yield f"{kind} of the question's rank from the end", found[-scene.rank]
    yield f"each {kind}", ", ".join(ranked[:LISTED])
    yield f"most frequent {kind}s, as many as asked", ", ".join(ranked[: scene.rank])
    if kind == "number":
        yield from _reckoned(sorted(map(float, found)))


def _reckoned(numbers: Sequence[float]) -> Iterator[tuple[str, str]]:
    """What follows from all numbers, which are in order."""
    yield "smallest number", f"{numbers[0]:.15g}"
    yield "largest number", f"{numbers[-1]:.15g}"
    whole = [int(value) for value in numbers if value.is_integer()]
    yield "total", str(sum(whole))
    yield "span", str(max(whole, default=0) - min(whole, default=0))


def _near(scene: Scene, lines: Sequence[Line]) -> Iterator[tuple[str, str]]:
    """What stands nearest to the rarest word of the question, on the first line with it."""
    held = {word for line in lines for word in line.words if word in scene.asked}
    key = min(sorted(held), key=scene.spread.__getitem__, default=None)
    line = next((line for line in lines if key in line.words), None)
    if key is None or line is None:
        return
    at = next(f.at for f in line.found if f.text == key)
    for kind in KINDS:
        new = [f for f in line.found if f.kind == kind and f.text not in scene.asked]
        after = next((f.text for f in new if f.at > at), None)
        before = _last([f for f in new if f.at < at])
        if after:
            yield f"next {kind} after the rarest word", after
        if before:
            yield f"next {kind} before the rarest word", before


def _last(found: Sequence[Found]) -> str | None:
    return found[-1].text if found else None


def _options(scene: Scene, lines: Sequence[Line]) -> Iterator[tuple[str, str]]:
    """One of the names in the question, by its lines or their largest number."""
    lines_of = {key: [line for line in lines if key in line.words] for key in scene.keys[:LISTED]}
    held = [key for key, its in lines_of.items() if its]
    if not held:
        return
    yield "option on most lines", max(held, key=lambda key: len(lines_of[key]))
    yield "option on fewest lines", min(held, key=lambda key: len(lines_of[key]))

    def largest(key: str) -> float:
        numbers = [f.text for line in lines_of[key] for f in line.found if f.kind == "number"]
        return max(map(float, numbers), default=0.0)

    yield "option with the largest number", max(held, key=largest)
    yield "option with the smallest number", min(held, key=largest)
    yield from _one_each(scene.keys[:LISTED], lines_of, "key")
    yield from _one_each(held, lines_of, "key that is there")


def _one_each(
    keys: Sequence[str], lines_of: Mapping[str, Sequence[Line]], what: str
) -> Iterator[tuple[str, str]]:
    """A number for each key, in the order of the question."""
    numbers = [fresh(lines_of[key], "number") or ["none"] for key in keys]
    yield f"first number of each {what}", ", ".join(of_key[0] for of_key in numbers)
    yield f"last number of each {what}", ", ".join(of_key[-1] for of_key in numbers)
