"""Texts of a fixed form: the same few stand in millions of events, so each is matched once."""

import re
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple, get_args, get_origin

import msgspec

_REMEMBERED = 4096
"""Texts of a form: more than a subnet has hotkeys, and a bound for what strangers send."""


class Form:
    """A regular expression, and texts that are known to match it."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.known: set[str | None] = {None}
        self._matches = re.compile(pattern).fullmatch

    def match(self, field: str, text: str | None) -> None:
        """Raises ValueError for a text that is neither known nor of this form."""
        if text is None or text in self.known:
            return
        if not self._matches(text):
            raise ValueError(f"Expected `{field}` to match {self.pattern!r}, not {_cut(text)!r}")
        if len(self.known) > _REMEMBERED:
            self.known.clear()
            self.known.add(None)
        self.known.add(text)


def formed(form: Form) -> msgspec.Meta:
    """Annotates text fields, and lists of texts, of structs that are ``Formed``.

    msgspec's own ``pattern`` would match each text each time, at twice the cost of all the rest.
    """
    return msgspec.Meta(extra_json_schema={"pattern": form.pattern}, extra={"form": form})


class Formed(msgspec.Struct, frozen=True):
    """Base of structs whose texts are checked when one is made or decoded.

    Making one raises ValueError where a text has another form; structs in it see to their own.
    """

    def __post_init__(self) -> None:
        cls = type(self)
        plan = _plans.get(cls)
        if plan is None:
            plan = _plans[cls] = _plan(cls)
        for known, read, check in plan:
            texts = read(self)
            if not known.issuperset(texts):
                check.match(texts)


class _Check(NamedTuple):
    """Fields whose texts have one form."""

    form: Form
    fields: list[str]
    """Of one text each; or the name of a list."""
    listed: bool

    def match(self, texts: Sequence[str | None]) -> None:
        fields = self.fields * len(texts) if self.listed else self.fields
        for field, text in zip(fields, texts, strict=False):
            self.form.match(field, text)

    @property
    def read(self) -> Callable[[Any], Iterable[str | None]]:
        if self.listed:
            return attrgetter(self.fields[0])
        return attrgetter(*self.fields, self.fields[0])  # of two names or more it makes a tuple


_Plan = Sequence[tuple[set[str | None], Callable[[Any], Any], _Check]]
_plans: dict[type, _Plan] = {}


def _plan(cls: type[msgspec.Struct]) -> _Plan:
    """What to read, and what it must be: one step a form, and one a list."""
    checks: list[_Check] = []
    single: dict[Form, list[str]] = {}
    for field in msgspec.structs.fields(cls):
        if form := _form_of(field.type):
            single.setdefault(form, []).append(field.name)
        elif get_origin(field.type) is list and (form := _form_of(get_args(field.type)[0])):
            checks.append(_Check(form, [field.name], listed=True))
    checks += [_Check(form, names, listed=False) for form, names in single.items()]
    return tuple((check.form.known, check.read, check) for check in checks)


def _form_of(annotation: Any) -> Form | None:
    """The form of a text, or of a text that may be None."""
    for meta in getattr(annotation, "__metadata__", ()):
        if isinstance(meta, msgspec.Meta) and meta.extra:
            found = meta.extra.get("form")
            return found if isinstance(found, Form) else None
    args = get_args(annotation)
    if type(None) not in args:
        return None
    return next((form for choice in args if (form := _form_of(choice))), None)


def _cut(text: object) -> object:
    return text[:64] if isinstance(text, str) else text
