"""Readers of proofs of the whole-context families: what a perfect reader of these lines answers.

They know the wordings, as the families do, and see nothing but the question and those lines.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

from quasar.benchmarks.families import aggregate, count, instance

Lines = Sequence[str]
INVENTED = r"([A-Z][a-z]+)"


def shape(wording: str) -> re.Pattern[str]:
    """A wording as a pattern; the name is ``a``, an amount ``n``."""
    text = re.escape(wording.strip())
    return re.compile(text.replace(r"\{a\}", "(?P<a>[A-Z][a-z]+)").replace(r"\{n\}", "(?P<n>\\d+)"))


def matched(shapes: Sequence[re.Pattern[str]], line: str) -> re.Match[str]:
    """The only wording that a line has."""
    (found,) = filter(None, (shape.fullmatch(line) for shape in shapes))
    return found


YES = [[shape(wording.yes) for wording in fact] for fact in count.FACTS]
NO = [[shape(wording.no) for wording in fact] for fact in count.FACTS]


def counted(asked: str, proof: Lines) -> str:
    """How many people are as wanted in each fact that the question names."""
    truths = defaultdict[str, dict[int, int]](dict)
    for line in proof:
        for fact in range(len(count.FACTS)):
            for truth, shapes in enumerate((NO[fact], YES[fact])):
                for found in filter(None, (shape.fullmatch(line) for shape in shapes)):
                    truths[found["a"]][fact] = truth
    told = [(fact, truth) for fact in range(len(count.FACTS)) for truth in (0, 1)]
    wanted = {fact: truth for fact, truth in told if count.SAID[fact][truth] in asked}
    return str(sum(known == wanted for known in truths.values()))


SIGNED = [(shape(wording), 1) for wording in aggregate.IN] + [
    (shape(wording), -1) for wording in aggregate.OUT
]


def summed(asked: str, proof: Lines) -> str:
    """The rest, the gap or the name at a rank."""
    rests = Counter[str]()
    for line in proof:
        ((found, sign),) = [(m, s) for sh, s in SIGNED if (m := sh.fullmatch(line))]
        rests[found["a"]] += sign * int(found["n"])
    if rank := re.search(r"has the (\w+) largest", asked):
        ordered = [name for name, _ in rests.most_common()]
        return ordered[aggregate.RANKS.index(rank[1]) + 1]
    people = [name for name in re.findall(INVENTED, asked) if name in rests]
    first, second = (people * 2)[:2]
    return str(rests[first] - (rests[second] if len(people) == 2 else 0))


def carried(asked: str, proof: Lines) -> str:
    """Who had the last of the letters."""
    (rank,) = (i for i, word in enumerate(instance.ORDINALS) if f" {word} letter" in asked)
    assert len(proof) == 4 * (rank + 1)
    messengers = [shape(wording.replace("{c}", "{a}")) for wording in instance.MESSENGERS]
    return str(matched(messengers, proof[-1])["a"])


def altered(_: str, proof: Lines) -> str:
    """The word of the new copy that the old one lacks."""
    old, new = (re.findall(r"\w+", line.split(": ", 1)[1]) for line in proof)
    (word,) = [now for was, now in zip(old, new, strict=True) if was != now]
    return str(word)


def cited(_: str, proof: Lines) -> str:
    """The citation of the asked verse."""
    found = re.match(r"[\w ]+? \d+:\d+(?= )", proof[1])
    assert found
    return found[0]


def followed(asked: str, proof: Lines) -> str:
    """What the last function of the chain, or its class, has."""
    defined = [line for line in proof if line.startswith("def ")]
    first, last = (
        line.removeprefix("def ").partition("(")[0] for line in defined[:: len(defined) - 1]
    )
    assert f"Begin at {first} " in asked
    if "default value" in asked:
        return str(re.findall(r"=(\d+)\):$", defined[-1])[0])
    owner, constant, attribute = [line for line in proof if line][-3:]
    assert attribute.endswith(f" = {last}")
    return str(re.findall(r"\w+", owner if "Which class" in asked else constant)[1])


ORACLES: dict[str, Callable[[str, Lines], str]] = {
    "aggregate@1": summed,
    "code_qa@1": followed,
    "count@1": counted,
    "difference@1": altered,
    "instance@1": carried,
    "verses@1": cited,
}


def candidates(name: str, line: str) -> Iterator[str]:
    """All on a line that has the form of the family's answers."""
    form = {"difference@1": r"[a-z]+", "verses@1": r"^[\w ]+? \d+:\d+(?= )"}
    yield from re.findall(form.get(name, r"\d+|[A-Z]\w+"), line)
