"""Families of published benchmarks: an item of a pack, in its own text or in a longer one.

Real answers cannot vary by miner, and anyone may have learnt them: such families measure how a
model does on known ground, and belong into a policy with a small weight.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from hashlib import sha256
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Struct

from quasar.benchmarks import packs, tokenizer
from quasar.benchmarks.corpus import DATA_DIGEST
from quasar.benchmarks.family import Program
from quasar.benchmarks.haystack import Place
from quasar.benchmarks.lengthen import Layout, Shelf, lengthen, place_of, text_of, title
from quasar.benchmarks.shorten import without_middle
from quasar.draw import Draw
from quasar.errors import UsageError
from quasar.events.task import TextPart

MAX_QUESTION_BYTES = 32_000
"""An assignment stands in the log with its question: an item that asks more is never drawn."""
_TITLE_TOKENS = 8
"""More than a title takes."""

Kind = type[packs.ItemPack] | type[packs.ChoicePack]


class Form(Struct, frozen=True):
    """How an item is put."""

    form: Literal["lengthened", "published"] = "lengthened"
    """``published``: in its own text; a longer one than the bucket loses its middle, a shorter one
    stays short. ``lengthened``: among others, to 0.98 to 1.0 of the bucket."""


class Asked(NamedTuple):
    """What is made of an item."""

    question: list[TextPart]
    """What stands before the text, and behind it."""
    answer: str
    """What is committed."""
    references: Sequence[str]
    options: Mapping[str, object]


class Items(NamedTuple):
    """A pack, ready to draw from."""

    name: str
    items: Sequence[Any]
    shelf: Shelf
    """The texts of all items, each once."""
    homes: Sequence[int]
    """For each item the number of its text: several may ask about one."""


@lru_cache(maxsize=4)
def _items(digest: str, kind: Kind) -> Items:
    pack = packs.read(digest, kind)
    numbers: dict[str, int] = {}
    texts = (packs.document(item.context) for item in pack.items)
    homes = [numbers.setdefault(text, len(numbers)) for text in texts]
    tokens = dict(zip(homes, pack.tokens, strict=True))
    return Items(
        pack.name, pack.items, Shelf(list(numbers), [tokens[i] for i in range(len(tokens))]), homes
    )


class Published(ABC):
    """A family of this kind; its file says what is asked."""

    name: str
    metric: str
    guess_rate: float
    kind: Kind
    """Of its packs."""
    pack_name: str
    """What such a pack is called."""
    pointed: bool
    """Whether a lengthened text must say which document is meant."""
    needs_source = True
    """Nothing can be made without a pack."""
    levels: Sequence[Form] = (Form("published"), Form("lengthened"))
    usual = 2
    """The level, from 1, of one who names none."""

    @abstractmethod
    def asked(self, item: Any) -> Asked:
        """What is asked with an item of the pack."""

    def template(
        self, seed: bytes, tokens: int, parameters: Struct | None = None, source: str = ""
    ) -> "PublishedTemplate":
        """Raises UsageError for a source that is another one's, or too long for ``tokens``."""
        form = parameters or Form()
        if not isinstance(form, Form):
            raise UsageError(f"{self.name} takes one parameter: form=lengthened or form=published")
        if not source:
            raise UsageError(
                f"{self.name} needs its data: make a pack with `quasar pack make {self.pack_name}` "
                "and name it with --source"
            )
        items = _items(source, self.kind)
        if items.name != self.pack_name:
            raise UsageError(f"{self.name} needs a pack of {self.pack_name}, not of {items.name}")
        return PublishedTemplate(self, seed, tokens, form.form, source, items)


class PublishedTemplate:
    """A task. All variants are the same."""

    def __init__(
        self, family: Published, seed: bytes, size: int, form: str, source: str, items: Items
    ) -> None:
        self.family, self.size, self.form, self.source = family, size, form, source
        self._items, self._seed = items, seed
        self.number = self._draw("item").choice(self._possible())
        """Of the item, from 0."""

    def _draw(self, purpose: str) -> Draw:
        return Draw(self._seed, f"{self.family.name}/{purpose}")

    def _possible(self) -> list[int]:
        """Items that can be asked. Raises UsageError where there is none."""
        items = self._items
        longest = self.size - _TITLE_TOKENS
        found = [
            i
            for i, home in enumerate(items.homes)
            if (self.form == "published" or items.shelf.tokens[home] <= longest)
            and _short(self.family.asked(items.items[i]).question)
        ]
        if not found:
            raise UsageError(
                f"no item of {items.name} fits into {self.size} tokens: choose a longer bucket, or "
                "form=published, which cuts the middle out"
            )
        return found

    @cached_property
    def asked(self) -> Asked:
        """The item in the words of the family."""
        return self.family.asked(self._items.items[self.number])

    @cached_property
    def layout(self) -> Layout:
        """What stands in a lengthened text."""
        home = self._items.homes[self.number]
        draw, titled = self._draw("layout"), self.family.pointed
        layout = lengthen(draw, self._items.shelf, home, self.size, titled=titled)
        if layout.tokens < 0.98 * self.size:
            raise UsageError(f"there is not enough text for {self.size} tokens: choose fewer")
        return layout

    @cached_property
    def shown(self) -> str:
        """The item's own text, without its middle where it is too long."""
        return without_middle(self._items.items[self.number].context, self.size)

    @cached_property
    def tokens(self) -> int:
        """Canonical tokens of the context."""
        return tokenizer.count(self.shown) if self.form == "published" else self.layout.tokens

    @cached_property
    def left_out(self) -> int:
        """Canonical tokens of the item's own text that were cut out of its middle."""
        if self.form != "published":
            return 0
        return tokenizer.count(self._items.items[self.number].context) - self.tokens

    @cached_property
    def digest(self) -> str:
        shared = [self.family.name, self.source, DATA_DIGEST, self.size, self.form, self.number]
        made: object = self.left_out if self.form == "published" else self.layout
        return sha256(msgspec.json.encode([*shared, made])).hexdigest()

    @property
    def question(self) -> list[TextPart]:
        """The published prompt without the text; where others stand around it, which is meant."""
        if self.form == "published" or not self.family.pointed:
            return self.asked.question
        meant = title(self.layout.gold + 1).strip()
        pointer = f"Of the documents, only the one under the line {meant} is meant.\n\n"
        return [TextPart(text=pointer), *self.asked.question]

    @property
    def place(self) -> Place:
        """Where the item's own text stands."""
        if self.form == "published":
            return Place(0, self.shown.count("\n") + 1)
        return place_of(self.layout, self._items.shelf)

    def context(self) -> str:
        """The long text."""
        return self.shown if self.form == "published" else text_of(self.layout, self._items.shelf)

    def instance(self, variant_seed: bytes) -> "PublishedInstance":  # noqa: ARG002
        return PublishedInstance(self)


def _short(question: Sequence[TextPart]) -> bool:
    return sum(len(part.text.encode()) for part in question) <= MAX_QUESTION_BYTES


class PublishedInstance:
    """The task, the same for everyone."""

    program: Program | None = None

    def __init__(self, template: PublishedTemplate) -> None:
        self._template = template

    @property
    def question(self) -> list[TextPart]:
        return self._template.question

    @property
    def answer(self) -> str:
        return self._template.asked.answer

    @property
    def references(self) -> Sequence[str]:
        return self._template.asked.references

    @property
    def options(self) -> Mapping[str, object]:
        return self._template.asked.options

    @property
    def tokens(self) -> int:
        return self._template.tokens

    @property
    def left_out(self) -> int:
        """Canonical tokens that were cut out of the text's middle."""
        return self._template.left_out

    @property
    def proof(self) -> list[Place]:
        return [self._template.place]

    def context(self) -> str:
        return self._template.context()
