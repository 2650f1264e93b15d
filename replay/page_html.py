"""HTML that cannot be broken out of: whatever is not made here is escaped."""

import re
from html import escape

UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202f"
    "\u205f-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\U000e0000-\U000e0fff]"
)
"""Characters that are not seen, that turn text around, or that no file may hold. A fixed list: what
Python calls printable differs between its versions, and the page's bytes must not."""
LONGEST = 600
"""Characters of a text from a log."""
VOID = frozenset({"br", "circle", "line", "link", "meta", "path", "polyline", "rect"})


class Html(str):
    """Text that is HTML already; only this module and the plots make it."""

    __slots__ = ()


def text(value: object) -> Html:
    """A stranger's text: escaped, what is unseen in it shown, and cut at LONGEST."""
    said = str(value)
    cut = said if len(said) <= LONGEST else f"{said[:LONGEST]}..."
    return Html(_escaped(cut))


def tag(name: str, /, *parts: object, **attributes: object) -> Html:
    """An element. Parts that are no Html are escaped, and so is the value of every attribute.

    ``class_`` is class, ``stroke_width`` is stroke-width; an attribute that is None is left out.
    """
    named = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_escaped(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID and not parts:
        return Html(f"<{name}{named}/>")
    return Html(f"<{name}{named}>{join(*parts)}</{name}>")


def block(said: str) -> Html:
    """A text whose lines stay lines."""
    lines = said.removesuffix("\n").split("\n")
    return tag("pre", Html("\n".join(text(line) for line in lines)))


def join(*parts: object) -> Html:
    """Pieces side by side."""
    return Html("".join(part if isinstance(part, Html) else text(part) for part in parts))


def _escaped(said: str) -> str:
    return escape(UNSEEN.sub(_shown, said))


def _shown(found: re.Match[str]) -> str:
    return f"\\u{{{ord(found[0]):x}}}"
