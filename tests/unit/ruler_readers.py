"""Readers of RULER's families: from the question and the proof of a task alone to an answer.

They know the wordings: this is what a program written for the public templates can do.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache

from quasar.benchmarks.families import ruler_needles, ruler_qa, ruler_vt, ruler_words
from quasar.benchmarks.families.ruler_wordings import BOTH, LATEST, LINKS, ROLES

VALUE = r"[0-9a-f-]{5,36}"
NAME = "[A-Z][a-z]+"
BLANKS = {"v": VALUE, "w": VALUE, "x": r"\w+ \w+", "does": ".+"}
"""What may stand in a blank; in any other one a name."""


@cache
def patterns(wordings: tuple[str, ...]) -> list[re.Pattern[str]]:
    """Each wording as an expression with a group for each of its blanks."""
    found = []
    for wording in wordings:
        text = re.escape(wording.rstrip("\n"))
        for blank in dict.fromkeys(re.findall(r"\{(\w+)\}", wording)):
            held = BLANKS.get(blank, NAME)
            text = text.replace(rf"\{{{blank}\}}", f"(?P<{blank}>{held})", 1)
        found.append(re.compile(text))
    return found


def match(wordings: tuple[str, ...], line: str) -> dict[str, str]:
    """What stands in the blanks of the wording that the line has."""
    found = (pattern.fullmatch(line) for pattern in patterns(wordings))
    return next((groups.groupdict() for groups in found if groups), {})


def niah(question: str, proof: Sequence[str]) -> str:
    """Follows the names from line to line."""
    values: list[str] = []
    at = ""
    for line in proof:
        if role := match(ROLES, line):
            at = role["a"]
        elif link := match(LINKS, line):
            assert link["a"] == at
            at = link["b"]
        else:
            both = "one valid" not in question
            note = match(BOTH if both else LATEST, line)
            assert note["a"] == at
            values += [note["v"], note["w"]] if both else [note["v"]]
    return ", ".join(values)


def needles(_: str, proof: Sequence[str]) -> str:
    """The value beside the description, or what it is exchanged for."""
    if len(proof) == 1:
        return str(re.findall(r"\b[0-9]{7}\b", proof[0])[0])
    swap = match(tuple(w.replace("{u}", "{w}") for w in ruler_needles.SWAPS), proof[1])
    assert swap["w"] in proof[0]
    return swap["v"]


def vt(_: str, proof: Sequence[str]) -> str:
    """Each line adds a variable that gets the value of the one before."""
    chain = [match(ruler_vt.STARTS, proof[0])["a"]]
    for line in proof[1:]:
        copy = match(ruler_vt.COPIES, line)
        assert copy["a"] == chain[-1]
        chain.append(copy["b"])
    return ", ".join(chain)


def words(question: str, proof: Sequence[str]) -> str:
    """Counts what the lines are about."""
    asked = int(re.findall("Which ([0-9]+) kinds", question)[0])
    counts = Counter(match(ruler_words.SOLD, line)["x"] for line in proof)
    return ", ".join(thing for thing, _ in counts.most_common(asked))


def qa(question: str, proof: Sequence[str]) -> str:
    """The name that the asked fact of the last passage goes with."""
    asked = question.split("from memory. ")[1]
    for fact in ruler_qa.PLACES:
        before, _, after = fact.asked.partition("{x}")
        if asked.startswith(before) and asked.split("?")[0].endswith(after.rstrip("?")):
            told = "|".join(re.escape(t).replace(r"\{y\}", f"({NAME})") for t in fact.told)
            found = re.search(told, proof[-1])
            assert found
            return next(name for name in found.groups() if name)
    raise AssertionError(question)


READERS: dict[str, Callable[[str, Sequence[str]], str]] = {
    "ruler.cwe@1": words,
    "ruler.fwe@1": words,
    "ruler.niah_multikey_1@1": niah,
    "ruler.niah_multikey_2@1": needles,
    "ruler.niah_multikey_3@1": needles,
    "ruler.niah_multiquery@1": niah,
    "ruler.niah_multivalue@1": niah,
    "ruler.niah_single_1@1": niah,
    "ruler.niah_single_2@1": niah,
    "ruler.niah_single_3@1": niah,
    "ruler.qa_1@1": qa,
    "ruler.qa_2@1": qa,
    "ruler.vt@1": vt,
}
"""One for each family."""
