"""Finds families by name: those of this package, and plug-ins of other packages.

A plug-in is an entry point of the group ``quasar.families``: its name is the family's, its object
the family. A family is imported when it is first asked for.
"""

from collections.abc import Iterator, MutableMapping
from functools import cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from quasar.benchmarks.family import Family

GROUP = "quasar.families"

BUILT_IN = {
    "code@1": "code:Code",
    "factbook@1": "factbook:Factbook",
    "hops@1": "hops:Hops",
}
"""Module of ``quasar.benchmarks.families`` and class of each released family."""


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
            module, _, kind = BUILT_IN[name].partition(":")
            family: Family = getattr(import_module(f"quasar.benchmarks.families.{module}"), kind)()
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
