"""Ways to choose lines by the words of the question."""

from collections import Counter
from collections.abc import Sequence

from quasar.benchmarks.attacks.scene import Line, Scene

RARE = 40
"""A word on more lines than this leads nowhere."""


def select(scene: Scene, lines: Sequence[Line]) -> dict[str, list[Line]]:
    """Selections of a view, by name."""
    rarest = _rarest(scene, lines)
    step = _step(scene, lines, rarest)
    best = _best(scene, lines)
    return {
        "every": list(lines),
        "named": _named(scene, lines),
        "rarest": rarest,
        "best": best,
        "after best": _beside(lines, best, 1),
        "before best": _beside(lines, best, -1),
        "counted after best": _counted(scene, lines, best, 1),
        "counted before best": _counted(scene, lines, best, -1),
        "step": step,
        "second step": _step(scene, lines, step, rarest),
    }


def _named(scene: Scene, lines: Sequence[Line]) -> list[Line]:
    """Lines with a name, number or quotation of the question."""
    keys = [key for key in scene.keys if scene.spread[key] <= RARE]
    return [line for line in lines if any(key in line.text for key in keys)]


def _rarest(scene: Scene, lines: Sequence[Line]) -> list[Line]:
    """Lines with that word of the question that the fewest lines have."""
    spread = Counter(word for line in lines for word in line.words if word in scene.asked)
    if not spread:
        return []
    fewest = min(spread.values())
    rarest = {word for word, n in spread.items() if n == fewest}
    return [line for line in lines if not rarest.isdisjoint(line.words)]


def _best(scene: Scene, lines: Sequence[Line]) -> list[Line]:
    """The line that shares most with the question, rare words counting more."""

    def weight(line: Line) -> int:
        shared = line.words & scene.asked
        return max((10**6 // scene.spread[w] for w in shared), default=0) + 1000 * len(shared)

    ranked = sorted(lines, key=weight, reverse=True)
    return ranked[:1] if ranked and weight(ranked[0]) else []


def _beside(lines: Sequence[Line], best: Sequence[Line], step: int) -> list[Line]:
    wanted = {line.number + step for line in best}
    return [line for line in lines if line.number in wanted]


def _counted(scene: Scene, lines: Sequence[Line], best: Sequence[Line], sign: int) -> list[Line]:
    """As many lines further as the question says, among those that begin like the best one."""
    if not best:
        return []
    alike = [line for line in lines if _head(line) == _head(best[0])]
    at = next(i for i, line in enumerate(alike) if line.number == best[0].number)
    there = [at + sign * number for number in scene.numbers]
    return [alike[i] for i in there if 0 <= i < len(alike)]


def _head(line: Line) -> str:
    return line.found[0].kind if line.found else ""


def _step(
    scene: Scene, lines: Sequence[Line], start: Sequence[Line], avoid: Sequence[Line] = ()
) -> list[Line]:
    """Other lines that share a name, number or code with the first ones."""
    seen = {line.number for line in (*start, *avoid)}
    held = {f.text for line in start[:RARE] for f in line.found if f.kind != "word"}
    links = {word for word in held - scene.asked if 1 < scene.spread[word] <= RARE}
    return [line for line in lines if line.number not in seen and not links.isdisjoint(line.words)]
