"""Plain English, as the baselines read it: numbers, names, and the form of an answer."""

import re

NUMBER = re.compile(r"[0-9]+(?:,[0-9]{3})*")
"""A number with or without thousands separators."""
NAME = re.compile(r"[A-Z][a-z]+(?: [A-Z][a-z]+)*")
"""One or more capitalised words."""


def asks_for_name(question: str) -> bool:
    """Whether a name is wanted, rather than a number."""
    return re.search(r"\b(?:which|who|where)\b", question, re.IGNORECASE) is not None


def statement(answer: str, limit: int) -> str:
    """The answer line, or nothing where it would not fit ``limit`` bytes."""
    line = f"ANSWER: {answer}"
    return line if len(line.encode()) <= limit else ""
