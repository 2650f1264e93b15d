"""Who comes next where many wait: miners take turns, and what one miner has comes oldest first.

However much one miner has, another's first waits for no more of it than what runs already, and
while others wait nobody holds a second place.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")
Age = tuple[int, ...]
Rank = tuple[int, int]


class Turns(Generic[T]):
    """What waits, by hotkey. Whoever has least running is next, then whose turn is longest ago."""

    def __init__(self) -> None:
        self._waiting: dict[str, dict[Age, T]] = {}
        self._number = 0
        self._running = Counter[str]()
        self._last: dict[str, int] = {}
        """Hotkey to the number of its last turn, from 1."""
        self._turn = 0

    def __len__(self) -> int:
        """How many wait."""
        return self._number

    def add(self, hotkey: str, age: Age, item: T) -> None:
        """Let something wait. ``age`` tells a miner's items apart: the lowest is the oldest."""
        self._waiting.setdefault(hotkey, {})[age] = item
        self._number += 1

    def remove(self, hotkey: str, age: Age) -> None:
        """It waits no more, and had no turn."""
        items = self._waiting[hotkey]
        del items[age]
        self._number -= 1
        if not items:
            del self._waiting[hotkey]

    def take(self) -> T:
        """The next, which runs from now on. Raises ValueError where nothing waits."""
        hotkey = min(self._waiting, key=lambda h: (self._rank(h), min(self._waiting[h])))
        age = min(self._waiting[hotkey])
        item = self._waiting[hotkey][age]
        self.remove(hotkey, age)
        self.had(hotkey)
        self._running[hotkey] += 1
        return item

    def had(self, hotkey: str) -> None:
        """It had its turn, here or elsewhere."""
        self._turn += 1
        self._last[hotkey] = self._turn

    def over(self, hotkey: str) -> None:
        """Something that was taken runs no more."""
        self._running[hotkey] -= 1

    def has_next(self, hotkeys: Iterable[str]) -> bool:
        """Whether none of these would come before all that wait here."""
        if not self._waiting:
            return False
        first = min(map(self._rank, self._waiting))
        return all(first <= self._rank(hotkey) for hotkey in hotkeys)

    def forget(self) -> None:
        """Begin anew: nobody had a turn. What waits goes on waiting, what runs goes on running."""
        self._last.clear()
        self._running += Counter()  # keeps what is above 0

    def _rank(self, hotkey: str) -> Rank:
        return self._running[hotkey], self._last.get(hotkey, 0)
