"""``quasar task list`` and ``quasar task show``: what may be asked of a miner."""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from quasar.benchmarks import FAMILIES
from quasar.benchmarks.about import SUPERSEDED, Bounds, bounds, find, purpose, usual_level
from quasar.benchmarks.family import Family
from quasar.benchmarks.pins import smallest
from quasar.cli.output import out, say_json
from quasar.errors import QuasarError

DATA_SETS = "longbench."
SOURCE = "docs/longbench.md says how to name their files"


def list_(*, json: Annotated[bool, Parameter(negative="")] = False) -> int:
    """Print the families of tasks; LongBench's data sets stand on one line.

    Parameters
    ----------
    json
        Print one JSON object a family, each data set too.
    """
    found = [_described(FAMILIES[name]) for name in FAMILIES]
    if json:
        for family in found:
            say_json(family)
        return 0
    titles = ("family", "levels", "tokens", "guess rate", "metric", "what it asks")
    sets = [family for family in found if family["name"].startswith(DATA_SETS)]
    own = [family for family in found if family not in sets]
    rows = [tuple(_cells(family)) for family in own]
    rows.append(
        (f"{DATA_SETS}NAME@1", "2", "any", "by set", "longbench@1", f"{len(sets)} sets; {SOURCE}")
    )
    print_rows([titles, *sorted(rows)])
    return 0


def print_rows(rows: Sequence[Sequence[str]]) -> None:
    """Rows in columns; the last may be longer than a terminal, and no line is broken."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    for *cells, last in rows:
        padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
        out.print("  ".join([*padded, last]), markup=False)


def _described(family: Family) -> dict[str, Any]:
    return {
        "name": family.name,
        "measures": purpose(family),
        "metric": family.metric,
        "guess_rate": family.guess_rate,
        "levels": list(family.levels),
        "usual_level": usual_level(family),
        "tokens": bounds(family)._asdict(),
        "superseded": SUPERSEDED.get(family.name),
        "needs_source": getattr(family, "needs_source", False),
    }


def _cells(family: dict[str, Any]) -> Iterator[str]:
    yield family["name"]
    yield str(len(family["levels"]) or 1)
    yield sizes(Bounds(**family["tokens"]))
    yield f"{family['guess_rate']:.3f}"
    yield family["metric"]
    old = family["superseded"]
    yield f"superseded: {old}" if old else family["measures"]


def sizes(found: Bounds) -> str:
    """The lengths of a family, for people."""
    least, most = (None if n is None else f"{n:,}" for n in found)
    return f"{least or 'any'} to {most or 'any'}" if least or most else "any"


def show(family: str, /, *, json: Annotated[bool, Parameter(negative="")] = False) -> int:
    """Print a family's parameters at each level, and a question.

    Parameters
    ----------
    family
        Its name, with or without its version.
    json
        Print one JSON object.
    """
    found = find(family)
    described = {**_described(found), "question": _example(found)}
    if json:
        say_json(described)
        return 0
    for title in ("name", "measures", "superseded", "metric", "guess_rate"):
        if described[title] is not None:
            out.print(f"{title.replace('_', ' ')}: {described[title]}", markup=False)
    out.print(f"tokens: {sizes(bounds(found))}", markup=False)
    for number, level in enumerate(found.levels, 1):
        values = ", ".join(f"{k}={v}" for k, v in msgspec.to_builtins(level).items())
        usual = " (usual)" if number == usual_level(found) else ""
        out.print(f"level {number}{usual}: {values}", markup=False)
    out.print(f"\n{described['question'] or 'needs a source: quasar task make --source'}")
    return 0


def _example(family: Family) -> str | None:
    """A question; None where the family needs a source."""
    try:
        template = family.template(sha256(b"example").digest(), smallest(family.name))
        return "\n".join(part.text for part in template.instance(b"example").question)
    except QuasarError:
        return None
