"""Hypothesis strategies that read the events' own types, so that no event is forgotten."""

from functools import cache
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from quasar.events import AnyEvent
from quasar.events.catalogue import EVENT_TYPES
from quasar.events.envelope import Draft
from quasar.events.form import Form

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
"""Any text that UTF-8 can hold."""


def events(tag: str | None = None) -> st.SearchStrategy[AnyEvent]:
    """Any valid event, or any of one type."""
    tags = [tag] if tag else sorted(EVENT_TYPES)
    return st.sampled_from(tags).flatmap(lambda t: of_type(EVENT_TYPES[t]))


def drafts() -> st.SearchStrategy[Draft]:
    """Any valid event with an origin."""
    return st.builds(
        Draft,
        actor=st.from_regex(r"\A[a-z][a-z-]{0,20}\Z"),
        cause=st.integers(0, 2**53),
        event=events(),
    )


@cache
def of_type(cls: type[Any]) -> st.SearchStrategy[Any]:
    """Any valid instance of a struct."""
    info = inspect.type_info(cls)
    assert isinstance(info, inspect.StructType)
    fields = {field.name: of_info(field.type) for field in info.fields}
    return st.builds(cls, **fields)


def of_info(info: inspect.Type) -> st.SearchStrategy[Any]:
    """Any valid value of a field."""
    match info:
        case inspect.Metadata(extra={"form": Form(pattern=pattern)}):
            return st.from_regex(pattern)
        case inspect.BoolType():
            return st.booleans()
        case inspect.NoneType():
            return st.none()
        case inspect.IntType(ge=low, le=high):
            return st.integers(low, high)
        case inspect.FloatType(ge=low, le=high):
            return st.floats(low, high, allow_nan=False, allow_infinity=False)
        case inspect.StrType(pattern=str(pattern)):
            return st.from_regex(pattern)
        case inspect.StrType(max_length=int(longest)):
            return TEXT.map(lambda text: text[:longest])
        case inspect.StrType():
            return TEXT
        case inspect.EnumType(cls=cls):
            return st.sampled_from(list(cls))
        case inspect.LiteralType(values=values):
            return st.sampled_from(list(values))
        case inspect.ListType(item_type=item):
            return st.lists(of_info(item), max_size=3)
        case inspect.DictType(key_type=key, value_type=value):
            return st.dictionaries(of_info(key), of_info(value), max_size=3)
        case inspect.UnionType(types=types):
            return st.one_of([of_info(t) for t in types])
        case inspect.StructType(cls=cls):
            return of_type(cls)
    raise NotImplementedError(f"no strategy for {msgspec.to_builtins(str(info))}")
