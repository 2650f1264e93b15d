"""Engine ``reader``: a small language model that reads only the lines nearest to the question.

A model of a hundred million parameters holds 8,192 tokens and is lost in a thousand. So the words
of the question choose a few lines (``quasar.inference.passages``), the nearest last, and the model
reads these alone, after three examples. Its answer is the line that it would most likely say of
those that it read: it can quote, not invent. The number or name in the quote is put in the form.
Things that are to be compared are asked for one by one, and the numbers of the quotes compared.
What wants more than a number or a name, such as a program, the model writes freely.
"""

import os
import re
from copy import deepcopy
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from quasar.inference.answered import Answered
from quasar.inference.extractive import COMMON
from quasar.inference.passages import Passages
from quasar.inference.text import (
    ANSWER,
    Comparison,
    asks_for_name,
    comparison,
    first_name,
    first_number,
    with_statement,
)
from quasar.inference.transformers import TransformersEngine

PASSAGES = 3
"""How many are read to quote one."""
PASSAGES_AT_LENGTH = 12
"""For anything longer, such as a program."""
LONGEST = 400
"""Characters of a passage that are read."""
AT_LENGTH = 96
"""New tokens of what is written freely."""
FENCE = "```\n"
"""A block of code ends here, and what is written with it."""

_EXAMPLES = (
    (
        "Tarn keeps ten cows.\nOrla - Goats: 212\nOrla - Sheep: 3,077 (2009)",
        "What is the number of sheep of Orla?",
        "Orla - Sheep: 3,077 (2009)",
    ),
    (
        "Tarn - Depth: 40 m\nQuist - Height: 1,904 m\nMarrow - Height: 2,311 m",
        "Which place has 2,311 as its height?",
        "Marrow - Height: 2,311 m",
    ),
    (
        "The bell of Lind rings at noon.\nDunmore sails with Pell.\nPell teaches Quist to sing.",
        "Pell has one pupil. Who is it?",
        "Pell teaches Quist to sing.",
    ),
)
"""Lines, a question, the line that answers it."""
_INSTRUCTION = re.compile(r"(?:^|(?<=[.?!] ))Answer\b[^.?!]*[.!] ?")


class _Said(NamedTuple):
    """What the model came up with, and what it read for that."""

    words: str
    found: str | None
    """The number or name that answers."""
    lines: list[str]
    kept: int
    """Tokens of all its prompts, without the examples."""


class ReaderEngine(TransformersEngine):
    """A model behind a search by words. One answer at a time; others wait."""

    kind = "reader"

    def __init__(self, folder: Path | str, **options: Any) -> None:
        """As TransformersEngine. Leaves a processor core to the rest of the machine."""
        super().__init__(folder, **options)
        # A thread that waits for a taken core holds up the others: four times slower, measured.
        self._torch.set_num_threads(max(1, (os.cpu_count() or 1) - 1))
        examples = "".join(f"{_case(*example)}\n\n\n" for example in _EXAMPLES)
        self._examples = self._ids(examples, plain=True)

    def respond(self, context: str, question: str, limit: int) -> Answered:
        """The answer, and how much was read of a prompt with the whole context."""
        passages = Passages(context)
        if ANSWER in question:
            asked = _bare(question)
            compared = comparison(asked)
            said = self._compare(passages, compared) if compared else self._quote(passages, asked)
        else:
            said = self._write(passages, question)
        text = with_statement(said.words, said.found, limit) if said.found else said.words
        left_out = max(0, self._count(passages.lines) - self._count(said.lines))
        text = text.encode()[:limit].decode("utf-8", "ignore")
        return Answered(text, said.kept + left_out, said.kept)

    def _quote(self, passages: Passages, asked: str) -> _Said:
        """The line that the model finds to answer, of the nearest."""
        lines = _nearest_last(passages, asked, PASSAGES)
        prompt = self._ids(_case("\n".join(lines), asked, ""), plain=True)
        line = self._choose(prompt, lines)
        if line is None:
            return _Said("", None, [], 0)
        return _Said(line, _found(line, asked), lines, len(prompt))

    def _compare(self, passages: Passages, compared: Comparison) -> _Said:
        """The name whose quote has the largest or smallest number; each is asked for by itself."""
        quotes = {
            name: self._quote(passages, f"What is the {compared.quantity} of {name}?")
            for name in compared.names
        }
        numbers = {name: int(quote.found) for name, quote in quotes.items() if quote.found}
        found = compared.choose(numbers, key=numbers.__getitem__) if numbers else None
        lines = dict.fromkeys(line for quote in quotes.values() for line in quote.lines)
        kept = 0
        for quote in quotes.values():
            kept += quote.kept
        words = "\n".join(quote.words for quote in quotes.values())
        return _Said(words, found, list(lines), kept)

    def _write(self, passages: Passages, question: str) -> _Said:
        """What the model writes after reading a little more."""
        lines = _nearest_last(passages, question, PASSAGES_AT_LENGTH)
        words, _, kept = self._read("\n".join(lines), question, AT_LENGTH, until=FENCE)
        return _Said(_whole_part(words), None, lines if kept else [], kept)

    def _choose(self, prompt: list[int], lines: list[str]) -> str | None:
        """The line that the model would say most likely; None where there is none, or no room."""
        said = {line: self._ids(f" {line}\n", plain=True) for line in lines}
        longest = max(map(len, said.values()), default=self.window)
        if len(self._examples) + len(prompt) + longest > self.window:
            return None
        with self._lock, self._torch.inference_mode():
            read = self._after(self._learnt, prompt)
            return max(said, key=lambda line: self._likelihood(read, said[line]))

    def _likelihood(self, read: Any, said: list[int]) -> float:
        """Log probability of these tokens after what was read."""
        more = self._after(read.past_key_values, said)
        logits = self._torch.cat([read.logits[0, -1:], more.logits[0, :-1]]).float()
        return float(logits.log_softmax(-1).gather(1, self._row(said).T).sum())

    @cached_property
    def _learnt(self) -> Any:
        """The model's memory of the examples, which every question begins with."""
        return self._model(input_ids=self._row(self._examples), use_cache=True).past_key_values

    def _after(self, memory: Any, ids: list[int]) -> Any:
        """The model's output for further tokens. The memory stays as it is."""
        return self._model(
            input_ids=self._row(ids), past_key_values=deepcopy(memory), use_cache=True
        )

    def _row(self, ids: list[int]) -> Any:
        return self._torch.tensor([ids], device=self.device)

    def _count(self, lines: list[str]) -> int:
        """Tokens of a text, line by line: seconds less for millions of them."""
        if not lines:
            return 0
        ended = [f"{line}\n" for line in lines]
        found = self._tokenizer(ended, add_special_tokens=False, split_special_tokens=True)
        return sum(map(len, found["input_ids"]))


def _nearest_last(passages: Passages, question: str, count: int) -> list[str]:
    """The nearest passages in reverse: what stands last is remembered best."""
    return [passage[:LONGEST] for passage in islice(passages.ranked(question), count)][::-1]


def _found(line: str, asked: str) -> str | None:
    """The first number or name that the question lacks; no sentence's ``The`` is a name."""
    if not asks_for_name(asked):
        return first_number(line, asked)
    first, _, rest = line.partition(" ")
    return first_name(rest if first.lower() in COMMON else line, asked)


def _whole_part(words: str) -> str:
    """Without the last paragraph, where the limit cut a block of code in two."""
    cut = words.count("```") == 1
    return words.rpartition("\n\n")[0] or words if cut else words


def _case(lines: str, question: str, answer: str) -> str:
    return f"{lines}\n\nQuestion: {question}\nLine with the answer: {answer}".rstrip()


def _bare(question: str) -> str:
    """What is asked, without what is said about the answer."""
    lines = (line for line in question.split("\n") if ANSWER not in line)
    return _INSTRUCTION.sub("", "\n".join(lines)).strip()
