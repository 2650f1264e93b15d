"""Texts of a fixed form: the same few stand in millions of events, so each is matched once."""

import re
from collections.abc import Callable, Iterable
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

_REMEMBERED = 4096
"""Texts of a form: more than a subnet has hotkeys, and a bound for what strangers send."""


class Form:
    """A regular expression, and texts that are known to match it."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.known: set[str | None] = {None}
        self._matches = re.compile(pattern).fullmatch

    def match(self, field: str, texts: Iterable[str | None]) -> None:
        """Raises ValueError for a text that is neither known nor of this form."""
        for text in texts:
            if text in self.known or text is None:
                continue
            if not self._matches(text):
                raise ValueError(f"Expected `{field}` to match {self.pattern!r}, not {text[:64]!r}")
            if len(self.known) > _REMEMBERED:
                self.known.clear()
                self.known.add(None)
            self.known.add(text)


def formed(form: Form) -> msgspec.Meta:
    """Annotates text fields, and lists of texts, of structs that are ``Formed``.

    msgspec's own ``pattern`` would match each text each time, at twice the cost of all the rest.
    """
    return msgspec.Meta(extra_json_schema={"pattern": form.pattern}, extra={"form": form})


class Formed(msgspec.Struct, frozen=True, gc=False):
    """Base of structs whose texts are checked when one is made or decoded.

    Making one raises ValueError where a text has another form; structs in it see to their own.
    What cannot be changed holds no cycle, so the garbage collector need not look.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        inherited = getattr(cls, "__post_init__", None)
        own = inherited if "__post_init__" in cls.__dict__ else getattr(inherited, "own", None)
        cls.__post_init__ = _after(own, _check_of(cls))  # type: ignore[attr-defined]


def _after(own: Callable[[Any], None] | None, check: Callable[[Any], None]) -> Any:
    """What a class does itself, whose words may be better, and then the check."""
    if own is None:
        return check

    def both(self: Any) -> None:
        own(self)
        check(self)

    both.own = own  # type: ignore[attr-defined]
    return both


def _check_of(cls: type) -> Callable[[Any], None]:
    """A function that checks all texts of a struct of this class.

    Its text is made to order, as dataclasses make ``__init__``: a loop over the fields would take
    four times as long, for each event that is decoded.
    """
    tests, names, texts, lists = [], {}, {}, {}
    for name, annotation in get_type_hints(cls, include_extras=True).items():
        if form := _form_of(annotation):
            texts[name], test = form, f"self.{name} in known_{name}"
        elif form := _form_in_list(annotation):
            lists[name], test = form, f"known_{name}.issuperset(self.{name})"
        else:
            continue
        tests.append(test)
        names[f"known_{name}"] = form.known

    def match(struct: Any) -> None:
        for name, form in texts.items():
            form.match(name, [getattr(struct, name)])
        for name, form in lists.items():
            form.match(name, getattr(struct, name))

    scope: dict[str, Any] = {**names, "match": match}
    source = f"def check(self):\n    if not ({' and '.join(tests) or True}):\n        match(self)"
    exec(source, scope)  # noqa: S102 - of field names alone
    check: Callable[[Any], None] = scope["check"]
    return check


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


def _form_in_list(annotation: Any) -> Form | None:
    return _form_of(get_args(annotation)[0]) if get_origin(annotation) is list else None
