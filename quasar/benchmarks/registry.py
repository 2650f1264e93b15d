"""Finds families by name: those of this package, and plug-ins of other packages.

A plug-in is an entry point of the group ``quasar.families``: its name is the family's, its object
the family. A family is imported when it is first asked for.
"""

from collections.abc import Iterator, MutableMapping
from functools import cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from quasar.benchmarks.family import Family
from quasar.benchmarks.longbench import FILES

GROUP = "quasar.families"

BUILT_IN = {
    "absent@1": "absent:Absent",
    "aggregate@1": "aggregate:Aggregate",
    "ancestors@1": "ancestors:Ancestors",
    "associations@1": "associations:Associations",
    "code@1": "code:Code",
    "code@2": "code2:Code2",
    "code_qa@1": "code_qa:CodeQA",
    "count@1": "count:Count",
    "difference@1": "difference:Difference",
    "factbook@1": "factbook:Factbook",
    "factbook@2": "factbook2:Factbook2",
    "hops@1": "hops:Hops",
    "instance@1": "instance:Instance",
    "latent_list@1": "latent_list:LatentList",
    "latest@1": "latest:Latest",
    "longbench_v2@1": "longbench_v2:LongBenchV2",
    "ruler.cwe@1": "ruler_words:Cwe",
    "ruler.fwe@1": "ruler_words:Fwe",
    "ruler.niah_multikey_1@1": "ruler_niah:NiahMultikey1",
    "ruler.niah_multikey_2@1": "ruler_needles:Multikey2",
    "ruler.niah_multikey_3@1": "ruler_needles:Multikey3",
    "ruler.niah_multiquery@1": "ruler_niah:NiahMultiquery",
    "ruler.niah_multivalue@1": "ruler_niah:NiahMultivalue",
    "ruler.niah_single_1@1": "ruler_niah:NiahSingle1",
    "ruler.niah_single_2@1": "ruler_niah:NiahSingle2",
    "ruler.niah_single_3@1": "ruler_niah:NiahSingle3",
    "ruler.qa_1@1": "ruler_qa:Qa1",
    "ruler.qa_2@1": "ruler_qa:Qa2",
    "ruler.vt@1": "ruler_vt:Vt",
    "stories@1": "stories:Stories",
    "variables@1": "variables:Variables",
    "verses@1": "verses:Verses",
    **{f"longbench.{file}@1": f"longbench:LongBench:{file}" for file in FILES},
}
"""Module of ``quasar.benchmarks.families``, class, and arguments of each released family."""


class Registry(MutableMapping[str, Family]):
    """Families by ``name@version``. A released one can never be replaced by a plug-in."""

    def __init__(self) -> None:
        self._known: dict[str, Family] = {}

    @cached_property
    def _plugged(self) -> dict[str, EntryPoint]:
        found = entry_points(group=GROUP)
        return {point.name: point for point in found if point.name not in BUILT_IN}

    def __getitem__(self, name: str) -> Family:
        if name not in self._known:
            self._known[name] = self._load(name)
        return self._known[name]

    def _load(self, name: str) -> Family:
        if name in BUILT_IN:
            module, kind, *arguments = BUILT_IN[name].split(":")
            made = getattr(import_module(f"quasar.benchmarks.families.{module}"), kind)
            family: Family = made(*arguments)
            return family
        plugged: Family = self._plugged[name].load()  # KeyError: nobody knows it
        return plugged

    def __setitem__(self, name: str, family: Family) -> None:
        """Add a family by hand, as tests do."""
        self._known[name] = family

    def __delitem__(self, name: str) -> None:
        del self._known[name]

    def __contains__(self, name: object) -> bool:
        return name in self._known or name in BUILT_IN or name in self._plugged

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*BUILT_IN, *self._plugged, *self._known}))

    def __len__(self) -> int:
        return len({*BUILT_IN, *self._plugged, *self._known})
