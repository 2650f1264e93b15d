"""What is swapped in the Bible's text: names of men, of places, and of chapters."""

import re
from functools import cache

from quasar.benchmarks import bible, tokenizer
from quasar.benchmarks.swaps import Swaps, cycled

MEN = (
    "Aaron Abner Abraham Absalom Ahaz Azariah Balaam Balak Benaiah Benjamin Caleb Daniel David "
    "Eleazar Eli Elijah Esau Herod Jacob James Jeremiah Jeroboam Joab Joash John Jonathan Joseph "
    "Joshua Josiah Lot Micah Paul Peter Samson Samuel Saul Simeon Simon Solomon Zechariah"
)
PLACES = (
    "Bashan Bethel Bethlehem Canaan Carmel Damascus Galilee Gibeon Gilead Gilgal Hamath Hebron "
    "Jericho Jerusalem Judaea Moab Nazareth Nineveh Persia Ramah Samaria Sheba Shechem Syria"
)
NAME = re.compile("[A-Z][a-z]+(?![a-z-])")
"""Any capitalised word that is no part of a longer one."""

Heading = tuple[str, int]
"""Book and chapter."""


@cache
def swaps() -> Swaps:
    """Groups of names that may be exchanged."""
    return Swaps([MEN.split(), PLACES.split()])


@cache
def _shelves() -> list[list[Heading]]:
    """All chapters, by how many tokens the book's name has."""
    found: dict[int, list[Heading]] = {}
    sizes = cache(tokenizer.count)
    for book, number in bible.chapters():
        found.setdefault(sizes(book), []).append((book, number))
    return list(found.values())


@cache
def cited(book: str) -> int:
    """Canonical tokens of a citation, such as ``Ruth 3:4``."""
    return tokenizer.count(f"{book} 1:1")


def headings(seed: bytes) -> dict[Heading, Heading]:
    """Under which book and chapter the verses of each chapter stand: never their own."""
    found = dict[Heading, Heading]()
    for i, shelf in enumerate(_shelves()):
        found.update(cycled(seed, f"shelf {i}", shelf))
    return found
