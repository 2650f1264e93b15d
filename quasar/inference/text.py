"""Plain English, as the baselines read it: numbers, names, and the form of an answer."""

import re

NUMBER = re.compile(r"[0-9]+(?:,[0-9]{3})*")
"""A number with or without thousands separators."""
NAME = re.compile(r"[A-Z][a-z]+(?: [A-Z][a-z]+)*")
"""One or more capitalised words."""

ANSWER = "ANSWER:"
"""What the line with the answer begins with."""


def asks_for_name(question: str) -> bool:
    """Whether a name is wanted, rather than a number."""
    return re.search(r"\b(?:which|who|where)\b", question, re.IGNORECASE) is not None


def first_number(text: str, question: str) -> str | None:
    """The first number that the question does not have itself, without separators."""
    known = set(NUMBER.findall(question))
    found = (number for number in NUMBER.findall(text) if number not in known)
    return next((number.replace(",", "") for number in found), None)


def first_name(text: str, question: str) -> str | None:
    """The first name that the question does not have itself."""
    known = question.lower()
    return next((name for name in NAME.findall(text) if name.lower() not in known), None)


def statement(answer: str, limit: int) -> str:
    """The answer line, or nothing where it would not fit ``limit`` bytes."""
    line = f"{ANSWER} {answer}"
    return line if len(line.encode()) <= limit else ""
