"""Texts of a fixed form: each is checked, wherever a struct holds it, and few are remembered."""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec import inspect

import quasar
from quasar.events.base import Hotkey, Name, Part
from quasar.events.envelope import Draft
from quasar.events.form import Form, Formed

HOTKEY = "5" + "A" * 47


class Sample(Part, frozen=True, kw_only=True):
    name: Name
    other: Name | None = None
    hotkeys: list[Hotkey]


GOOD: dict[str, Any] = {"name": "factbook@1", "other": None, "hotkeys": [HOTKEY]}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "Fact Book"),
        ("name", ""),
        ("name", "a\n"),
        ("other", "Other"),
        ("hotkeys", [HOTKEY, "5" + "0" * 47]),
        ("hotkeys", [HOTKEY[:40]]),
    ],
)
def test_a_text_of_another_form_is_refused_by_its_fields_name(field: str, value: object) -> None:
    """Made or decoded, a first time and again."""
    Sample(**GOOD)
    for _ in range(2):
        with pytest.raises(ValueError, match=f"`{field}`"):
            Sample(**GOOD | {field: value})
        with pytest.raises(msgspec.ValidationError, match=f"`{field}`"):
            msgspec.json.decode(msgspec.json.encode(GOOD | {field: value}), type=Sample)


def test_a_good_struct_is_made_and_decoded() -> None:
    """With None and with a text where both may stand."""
    for other in (None, "x.y"):
        made = Sample(**GOOD | {"other": other})
        assert msgspec.json.decode(msgspec.json.encode(made), type=Sample) == made


class Limited(Sample, frozen=True, kw_only=True):
    count: int

    def __post_init__(self) -> None:
        if self.count > 1:
            raise ValueError("more than one")


class Longer(Limited, frozen=True, kw_only=True):
    last: Name


@pytest.mark.parametrize("cls", [Limited, Longer])
def test_what_a_class_checks_itself_comes_first(cls: type[Sample]) -> None:
    """Its own limits hold beside the forms, in classes made from it too."""
    fields = {**GOOD, "count": 1} | ({"last": "z"} if cls is Longer else {})
    cls(**fields)
    for wrong, said in ({"count": 2}, "more than one"), ({"name": "A B"}, "`name`"):
        with pytest.raises(msgspec.ValidationError, match=said):
            msgspec.json.decode(msgspec.json.encode(fields | wrong), type=cls)


def test_few_texts_are_remembered() -> None:
    """However many a stranger sends."""
    form = Form("[0-9]+")
    for number in range(20_000):
        form.match("number", [str(number)])
    assert len(form.known) < 5_000
    assert None in form.known


def test_no_field_escapes() -> None:
    """Wherever the package uses these types, the struct checks them, and in a shape it can."""
    found = {cls: list(_formed_fields(cls)) for cls in _structs()}
    users = {cls: fields for cls, fields in found.items() if fields}
    assert len(users) > 30
    assert not [cls for cls in users if not issubclass(cls, Formed) and cls is not Draft]
    assert not [
        (cls, name) for cls, fields in users.items() for name, direct in fields if not direct
    ]


def _structs() -> Iterator[type[msgspec.Struct]]:
    for package in ("events", "rules", "log", "chain", "door", "replay"):
        module = importlib.import_module(f"quasar.{package}")
        for info in pkgutil.walk_packages(module.__path__, f"quasar.{package}."):
            importlib.import_module(info.name)
    waiting = list(msgspec.Struct.__subclasses__())
    while waiting:
        cls = waiting.pop()
        waiting += cls.__subclasses__()
        if cls.__module__.startswith(f"{quasar.__name__}."):
            yield cls


def _formed_fields(cls: type[msgspec.Struct]) -> Iterator[tuple[str, bool]]:
    """Name of each field with such a text in it, and whether it stands where it is checked."""
    info = inspect.type_info(cls)
    assert isinstance(info, inspect.StructType)
    for field in info.fields:
        kind: Any = field.type
        if isinstance(kind, inspect.ListType):
            kind = kind.item_type
        choices = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
        if any(_is_formed(choice) for choice in choices):
            yield field.name, True
        elif _is_formed_inside(field.type):
            yield field.name, False


def _is_formed(kind: Any) -> bool:
    return isinstance(kind, inspect.Metadata) and "form" in (kind.extra or {})


def _is_formed_inside(kind: Any) -> bool:
    """In a container; structs see to their own."""
    if isinstance(kind, inspect.StructType):
        return False
    inner = [getattr(kind, name, None) for name in ("item_type", "key_type", "value_type", "type")]
    inner += [*getattr(kind, "types", ()), *getattr(kind, "item_types", ())]
    return _is_formed(kind) or any(_is_formed_inside(i) for i in inner if i is not None)
