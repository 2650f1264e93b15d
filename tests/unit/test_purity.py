"""Bans of design section 6, each with its reason, over the packages that must be bit-exact.

What import-linter cannot see (calls, operators, the order of a set) is found in the syntax tree.
The check is a fence against slips and not a proof: it follows no types.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PURE = ["events", "replay", "quasar/draw.py", "quasar/rules", "quasar/metrics"]

CALLS = {
    "sum": "3.12 adds floats in another way than 3.11: use math.fsum, or a loop over integers",
    "pow": "its last bit depends on the C library: multiply",
    "hash": "differs in every process for text: use hashlib",
    "id": "differs in every process",
    "open": "rules take bytes, they do no input or output",
    "input": "rules take bytes, they do no input or output",
    "print": "only the command line prints",
    "eval": "runs text",
    "exec": "runs text",
}
MATH = {
    "fsum", "sqrt", "isqrt", "floor", "ceil", "trunc", "gcd", "lcm", "comb", "perm", "prod",
    "isfinite", "isinf", "isnan", "inf", "nan", "copysign", "nextafter", "ulp", "ldexp", "frexp",
}  # fmt: skip
"""Exact or correctly rounded on every platform; exp, log, pow and their kin are not."""
CLOCKS = {
    "datetime": "a clock enters only through events",
    "random": "use quasar.draw",
    "secrets": "use quasar.draw",
    "statistics": "its floats changed between versions: use math.fsum",
    "time": "a clock enters only through events",
    "uuid": "name things by slot or digest",
}
SET_METHODS = {"union", "intersection", "difference", "symmetric_difference"}
SET_OPERATORS = (ast.BitAnd, ast.BitOr, ast.BitXor, ast.Sub)
UNORDERED_USE = {"sorted", "set", "frozenset", "any", "all", "min", "max", "len", "fsum"}
ORDERED_USE = {"list", "tuple", "enumerate", "iter", "next", "zip", "map", "filter", "join"}


def violations(source: str) -> Iterator[tuple[int, str]]:
    """Line and reason of each banned construct."""
    tree = ast.parse(source)
    parents = {c: p for p in ast.walk(tree) for c in ast.iter_child_nodes(p)}
    for node in ast.walk(tree):
        for check in (banned_call, banned_math, banned_import, float_power):
            if reason := check(node):
                yield node.lineno, reason  # type: ignore[attr-defined]
        for iterable in iterated(node, parents):
            if is_set(iterable):
                yield iterable.lineno, "a set has no order: iterate over sorted(...)"


def called(node: ast.AST) -> str:
    """Name of what is called; empty for anything else."""
    if not isinstance(node, ast.Call):
        return ""
    f = node.func
    return f.id if isinstance(f, ast.Name) else f.attr if isinstance(f, ast.Attribute) else ""


def banned_call(node: ast.AST) -> str:
    bare = isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    return f"{node.id}: {CALLS[node.id]}" if bare and node.id in CALLS else ""  # type: ignore[attr-defined]


def banned_math(node: ast.AST) -> str:
    names: list[str] = []
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        names = [node.attr] if node.value.id == "math" else []
    elif isinstance(node, ast.ImportFrom) and node.module == "math":
        names = [alias.name for alias in node.names]
    bad = [name for name in names if name not in MATH]
    return f"math.{bad[0]}: its last bit depends on the C library" if bad else ""


def banned_import(node: ast.AST) -> str:
    names: list[str] = []
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = [node.module or ""]
    bad = [name for name in names if name.split(".")[0] in CLOCKS]
    return f"import {bad[0]}: {CLOCKS[bad[0].split('.')[0]]}" if bad else ""


def float_power(node: ast.AST) -> str:
    if not isinstance(node, ast.BinOp | ast.AugAssign) or not isinstance(node.op, ast.Pow):
        return ""
    sides = (node.left, node.right) if isinstance(node, ast.BinOp) else (node.target, node.value)
    whole = all(isinstance(s, ast.Constant) and isinstance(s.value, int) for s in sides)
    return "" if whole else "**: exact between integer literals only; multiply"


def iterated(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> list[ast.expr]:
    """Expressions whose order this node shows."""
    if isinstance(node, ast.For | ast.AsyncFor):
        return [node.iter]
    if isinstance(node, ast.ListComp | ast.DictComp | ast.GeneratorExp):
        unordered = called(parents[node]) in UNORDERED_USE
        return [] if unordered else [g.iter for g in node.generators]
    if isinstance(node, ast.Call) and called(node) in ORDERED_USE:
        return list(node.args)
    return [node.value] if isinstance(node, ast.Starred) else []


def is_set(node: ast.expr) -> bool:
    """Whether an expression is a set by its form."""
    if isinstance(node, ast.Set | ast.SetComp):
        return True
    if isinstance(node, ast.Call):
        f = node.func
        if isinstance(f, ast.Name):
            return f.id in {"set", "frozenset"}
        return isinstance(f, ast.Attribute) and f.attr in SET_METHODS
    if isinstance(node, ast.BinOp) and isinstance(node.op, SET_OPERATORS):
        return any(is_set(s) or called(s) in {"keys", "items"} for s in (node.left, node.right))
    return False


SPARED = {"events/form.py": ("exec(source, scope)", "str(source)")}
"""What one file may do: it makes its checks of field names, as dataclasses make ``__init__``."""


def pure_files() -> list[Path]:
    paths = [ROOT / name for name in PURE]
    return sorted(f for p in paths for f in (p.rglob("*.py") if p.is_dir() else [p]))


@pytest.mark.parametrize("path", pure_files(), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_pure_file_keeps_the_bans(path: Path) -> None:
    """A pure file holds nothing that may give other bits elsewhere."""
    name = path.relative_to(ROOT)
    text = path.read_text("utf-8").replace(*SPARED.get(name.as_posix(), ("", "")))
    found = [f"{name}:{line}: {why}" for line, why in violations(text)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "source",
    [
        "x = sum(rewards)",
        "add = sum",
        "x = pow(a, 2)",
        "x = a ** 2",
        "x = 2 ** n",
        "x = 0.5 ** 2",
        "x **= 2",
        "import math\nx = math.exp(1.0)",
        "from math import log",
        "import time",
        "from time import time_ns",
        "from datetime import datetime",
        "import uuid",
        "import random",
        "x = hash('a')",
        "x = open('f')",
        "for x in {1, 2}: pass",
        "for x in set(names): pass",
        "for x in a.keys() - b: pass",
        "for x in a.union(b): pass",
        "x = [y for y in {z for z in a}]",
        "x = {y: 1 for y in set(a)}",
        "x = list(set(a))",
        "x = ','.join(frozenset(a))",
        "x = [*set(a)]",
    ],
)
def test_ban_is_noticed(source: str) -> None:
    """Each ban catches what it is for."""
    assert list(violations(source))


@pytest.mark.parametrize(
    "source",
    [
        "import math\nx = math.fsum(rewards) / n",
        "x = 2**53",
        "for x in sorted({1, 2}): pass",
        "x = sorted(y for y in set(a))",
        "x = any(y in b for y in set(a))",
        "x = {y for y in set(a)}",
        "x = len(set(a)) - n",
        "for x in a - b: pass",
        "for x in items: pass",
    ],
)
def test_exact_code_passes(source: str) -> None:
    """What is exact and ordered is left alone."""
    assert not list(violations(source))


def test_replay_sees_only_the_protocol_and_the_archive() -> None:
    """Of quasar.log, replay imports the protocol, the archive and its blobs."""
    allowed = ("quasar.log.archive", "quasar.log.blobs")
    for path in sorted((ROOT / "replay").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if names == ["quasar.log"] and isinstance(node, ast.ImportFrom):
                names = [f"quasar.log.{a.name}" for a in node.names if a.name.islower()]
            for name in names:
                inside = name.startswith("quasar.log.")
                assert not inside or name.startswith(allowed), f"{path.name} imports {name}"
