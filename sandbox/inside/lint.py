"""Looks for names that a policy refuses, in code that has not run."""

import ast
import re
import warnings
from collections.abc import Collection, Iterator

WORD = re.compile(r"\w+")


def refusal(code: str, modules: Collection[str], calls: Collection[str]) -> "str | None":
    """One line about the first use of a refused module or function; None where there is none.

    ``modules``: a name stands for the module and all those inside it. ``calls``: functions that
    may not be called by these names. Raises what the compiler raises for code that is no Python.
    """
    names = {name.partition(".")[0] for name in modules} | set(calls)
    if code.isascii() and names.isdisjoint(WORD.findall(code)):
        return None  # most code: it need not be taken apart
    with warnings.catch_warnings():  # the compiler says them once more
        warnings.simplefilter("ignore")
        tree = ast.parse(code, "submission.py")
    uses = (use for node in ast.walk(tree) for use in _uses(node, modules, calls))
    first = min(uses, default=None)
    return first and f"line {first[0]}: {first[1]} is not allowed"


def _uses(
    node: ast.AST, modules: Collection[str], calls: Collection[str]
) -> Iterator[tuple[int, str]]:
    match node:
        case ast.Import(names=names):
            for alias in names:
                if _inside(alias.name, modules):
                    yield node.lineno, f"import of {alias.name!r}"
        case ast.ImportFrom(module=str(module), names=names, level=0):
            for name in (module, *(f"{module}.{alias.name}" for alias in names)):
                if _inside(name, modules):
                    yield node.lineno, f"import of {name!r}"
        case ast.Call(func=ast.Name(id=name)) if name in calls:
            yield node.lineno, f"a call of {name!r}"


def _inside(name: str, modules: Collection[str]) -> bool:
    parts = name.split(".")
    return any(".".join(parts[:end]) in modules for end in range(1, len(parts) + 1))
