"""Longest common subsequences, by rows of bits.

The textbook's table costs a step for each pair of words. Here a row of it is one integer, a bit a
word, and the next row follows in a few operations on whole integers (Hyyrö's recurrence). A zero
bit: there the table's row grows by one.
"""

from collections.abc import Iterator, Sequence


def places(words: Sequence[str]) -> dict[str, int]:
    """For each word an integer with bit i set where it stands at i."""
    found: dict[str, int] = {}
    for i, word in enumerate(words):
        found[word] = found.get(word, 0) | 1 << i
    return found


def common_length(one: Sequence[str], two: Sequence[str]) -> int:
    """Length of the longest common subsequence, in O(len(one) * len(two) / 64) steps or so."""
    if len(one) < len(two):
        one, two = two, one  # the longer one becomes the bits of each integer
    shared = set(two)
    one = [word for word in one if word in shared]
    standing = places(one)
    row = full = (1 << len(one)) - 1
    for word in two:
        if found := standing.get(word):
            stays = row & found
            row = (row + stays | row ^ stays) & full
    return len(one) - row.bit_count()


def path(matches: Sequence[int], width: int) -> Iterator[tuple[int, int]]:
    """The longest common subsequence that the classic walk back through the table picks.

    ``matches[k]``: bit i is set where row k's word equals column i's; ``width`` columns. Yields
    (row, column) of each pair of equal words, from the last one on. From a cell whose words differ
    the walk goes back a column unless that makes the subsequence shorter; then it goes back a row.
    """
    row = full = (1 << width) - 1
    rows = []
    for found in matches:
        if found:
            stays = row & found
            row = (row + stays | row ^ stays) & full
        rows.append(row)
    left = full  # the columns that the walk has not passed
    for k in range(len(rows) - 1, -1, -1):
        stops = (matches[k] | ~rows[k]) & left
        if not stops:
            return
        column = stops.bit_length() - 1
        left = (1 << column) - 1
        if matches[k] >> column & 1:
            yield k, column
        else:
            left |= 1 << column
