"""Parsers of public wordings, by family: the known limit of tasks that are made from templates.

Each reads question and context as a program would that was written for one family: it has the
wordings from the family's source, and no proof, seed or plan. A family that hides its wordings is
not wanted, so a parser may well be right always; ``quasar task check`` says how often it is. None
is part of any round, and one is imported only when it is asked for.
"""

from collections.abc import Callable
from importlib import import_module

Parser = Callable[[str, str], str]
"""From question and context to what stands behind ``ANSWER:``, or to the text of a program.

Empty, LookupError or ValueError where it finds no answer.
"""

PARSERS = {
    "absent@1": "lookups:absent",
    "aggregate@1": "tallies:aggregate",
    "ancestors@1": "lookups:ancestors",
    "associations@1": "lookups:associations",
    "code@1": "programs:code",
    "code@2": "programs:code",
    "code_qa@1": "programs:code_qa",
    "count@1": "tallies:count",
    "difference@1": "passages:difference",
    "factbook@2": "lookups:factbook",
    "instance@1": "passages:instance",
    "latent_list@1": "histories:latent_list",
    "latest@1": "histories:latest",
    "ruler.cwe@1": "tallies:sales",
    "ruler.fwe@1": "tallies:sales",
    "ruler.niah_multikey_1@1": "needles:needles",
    "ruler.niah_multikey_2@1": "needles:numbers",
    "ruler.niah_multikey_3@1": "needles:identifiers",
    "ruler.niah_multiquery@1": "needles:needles",
    "ruler.niah_multivalue@1": "needles:needles",
    "ruler.niah_single_1@1": "needles:needles",
    "ruler.niah_single_2@1": "needles:needles",
    "ruler.niah_single_3@1": "needles:needles",
    "ruler.qa_1@1": "passages:people",
    "ruler.qa_2@1": "passages:people",
    "ruler.vt@1": "histories:chains",
    "stories@1": "histories:stories",
    "variables@1": "histories:variables",
    "verses@1": "passages:verses",
}
"""Module here and function, of each family that has one."""


def parser_of(family: str) -> Parser | None:
    """The parser of a family, by ``name@version``; None where nobody wrote one."""
    if family not in PARSERS:
        return None
    module, name = PARSERS[family].split(":")
    found: Parser = getattr(import_module(f"{__name__}.{module}"), name)
    return found
