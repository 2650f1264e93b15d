"""Metrics ``set_exact@1`` and ``set_f1@1``: answers that are several items, in any order.

The items stand on the last ``ANSWER:`` line with commas between them, as they do in a reference.
Each is compared as ``answer_exact@1`` compares, so no item may hold a comma: not 1,000 but 1000.
"""

from collections.abc import Sequence

from quasar.metrics.exact import plain, stated
from quasar.metrics.overlap import f1


def set_exact(prediction: str, answers: Sequence[str]) -> float:
    """1.0 if exactly the items of one of the answers are stated, else 0.0. Never raises.

    An item that is repeated, empty or one too many makes the statement wrong.
    """
    said = stated_items(prediction)
    return float(said is not None and sorted(said) in (sorted(items(a)) for a in answers))


def set_f1(prediction: str, answers: Sequence[str]) -> float:
    """F1 of the items stated and wanted, 0.0 to 1.0. Never raises.

    Each further item costs precision, a repeated one too.
    """
    said = stated_items(prediction)
    return 0.0 if said is None else max((f1(said, items(a)) for a in answers), default=0.0)


def stated_items(prediction: str) -> list[str] | None:
    """Those of the last ``ANSWER:`` line; None without one."""
    statement = stated(prediction)
    return None if statement is None else items(statement)


def items(statement: str) -> list[str]:
    """As they are compared."""
    return [plain(item) for item in statement.split(",")]
