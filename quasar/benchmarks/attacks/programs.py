"""Attacks on families whose answers are programs: copies, constants, echoes."""

import re
from collections.abc import Iterator

from quasar.benchmarks.attacks.scene import Scene

_CALLED = re.compile(r"\b([A-Za-z_]\w*)\(")
_MADE = re.compile(r"function\s+`?([A-Za-z_]\w*)\(([^)]*)\)")
_RETURNS = re.compile(r"returns?\s+`?([A-Za-z_][\w(), .+*-]*\))`?")

VALUES = (
    *("0", "1", "-1", "''", "[]", "None", "True", "{argument}", "str({argument})"),
    *("len({argument})", "sum({argument})", "sorted({argument})", "{argument}[::-1]"),
)
"""What a function may return at once."""
TRIED = 4
"""Numbers of a function, from its first and from its last, that a comment may be about."""


def programs(scene: Scene) -> Iterator[tuple[str, str]]:
    """Names of attacks, and the code that each sends."""
    made = _MADE.search(scene.question)
    if made is None:
        return
    name, argument = made[1], made[2].split(",")[0].strip(" *") or "x"
    head = f"def {name}({made[2]}):\n    return "
    for value in VALUES:
        yield f"returns {value}", _block(head + value.format(argument=argument))
    functions = dict(_copied(scene, name))
    copied = "\n".join(functions.values())
    asked = _RETURNS.search(scene.question)
    if asked:
        yield "copy", _block(f"{copied}\n{head}{asked[1]}")
        for at in (*range(TRIED), *range(-TRIED, 0)):
            text = "\n".join(_told(scene, one, code, at) for one, code in functions.items())
            yield f"copy with number {at} as a comment says", _block(f"{text}\n{head}{asked[1]}")
    yield "copy alone", _block(copied)
    for called in dict.fromkeys(_CALLED.findall(scene.question)):
        if called != name:
            n = _place(scene, called)
            yield f"copy renamed {n}", _block(f"{copied}\n{name} = {called}")


def _place(scene: Scene, called: str) -> int:
    return list(dict.fromkeys(_CALLED.findall(scene.question))).index(called)


def _block(code: str) -> str:
    return f"```python\n{code}\n```"


def _copied(scene: Scene, name: str) -> Iterator[tuple[str, str]]:
    """Each function that the question calls, as the document prints it first."""
    for called in dict.fromkeys(_CALLED.findall(scene.question)):
        found = re.search(
            rf"^def {called}\(.*(?:\n(?:[ \t].*)?)*", scene.context, flags=re.MULTILINE
        )
        if found and called != name:
            yield called, found[0].rstrip()


def _told(scene: Scene, called: str, code: str, at: int) -> str:
    """The code with one of its numbers as the first comment with the function's name has it."""
    said = re.search(rf"^#.*\b{called}\b.*$", scene.context, flags=re.MULTILINE)
    new = re.search(r"[0-9]{2,}", said[0].replace(called, "")) if said else None
    numbers = list(re.finditer(r"(?<!\w)[0-9]{2,}(?!\w)", code))
    if new is None or not -len(numbers) <= at < len(numbers):
        return code
    old = numbers[at]
    return code[: old.start()] + new[0] + code[old.end() :]
