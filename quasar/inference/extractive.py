"""A lexical engine: finds the line that shares the rarest words with the question.

It knows plain English and the answer form, not how the tasks are made. Its work is one substring
search of the context per word of the question.
"""

import re
from math import log

from quasar.inference.text import (
    Comparison,
    asks_for_name,
    comparison,
    first_name,
    first_number,
    statement,
)

WORD = re.compile(r"[a-z]+|[0-9]+(?:,[0-9]{3})*")
"""A word of folded text, or a number."""
COMMON = frozenset(
    WORD.findall(
        "a alone an and answer are as at by digits document end for from give given has have how "
        "in is it its line many memory more much name no not number of on one or place reads than "
        "that the then these this to was were what where which who with"
    )
)
"""Words that tell nothing about what is asked."""

WINDOW_CHARACTERS = 250_000
"""Some 64,000 tokens: the shortest context of the policies that ship, half of the next."""


class Extractive:
    """Answers from the line that matches the question best."""

    name = "extractive"

    def answer(self, context: str, question: str, limit: int) -> str:
        lines = Lines(context)
        if compared := comparison(question):
            return _said(_extreme(lines, compared), limit)
        best = lines.best(question)
        find = first_name if asks_for_name(question) else first_number
        return _said(find(best, question), limit)


class Truncated:
    """``Extractive`` that reads a context's beginning only, as a model with a short window does.

    It shows what length costs: right where the context fits, and mostly wrong where it does not.
    """

    name = "truncated"

    def answer(self, context: str, question: str, limit: int) -> str:
        return Extractive().answer(context[:WINDOW_CHARACTERS], question, limit)


class Lines:
    """A text by lines, searched word by word."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self._folded = [line.lower() for line in self._lines]

    def best(self, query: str) -> str:
        """The line whose words shared with the query weigh most; the first of equals."""
        weights: dict[int, float] = {}
        for word in dict.fromkeys(WORD.findall(query.lower())):
            if word not in COMMON:
                self._weigh(word, weights)
        best = max(weights, key=weights.__getitem__, default=None)
        return "" if best is None else self._lines[best]

    def _weigh(self, word: str, weights: dict[int, float]) -> None:
        """Adds the word's inverse document frequency to each line that has it."""
        found = [i for i, line in enumerate(self._folded) if word in line]
        weight = log((len(self._lines) + 1) / (len(found) + 1))
        for i in found:
            weights[i] = weights.get(i, 0.0) + weight


def _extreme(lines: Lines, compared: Comparison) -> str | None:
    """The name whose own line about the quantity has the largest (or smallest) number."""
    numbers: dict[str, int] = {}
    for name in compared.names:
        query = f"{name} {compared.quantity}"
        if number := first_number(lines.best(query), query):
            numbers[name] = int(number)
    return compared.choose(numbers, key=numbers.__getitem__) if numbers else None


def _said(answer: str | None, limit: int) -> str:
    return statement(answer, limit) if answer else ""
