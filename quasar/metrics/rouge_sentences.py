"""Metrics ``rouge@1`` and ``rouge_zh@1``: ROUGE-L of sentences, as LongBench scores summaries.

Equals the F of rouge-l of the package rouge 1.0.1 to the last bit, but for long sentences: the
package walks back by recursion, which Python ends after a thousand steps or so, and LongBench takes
that for 0.0. Here is what the walk would have found. Only sets of words count: their order hardly
matters, and repeating them costs nothing, so this metric is for comparison with published numbers.
"""

from collections.abc import Sequence
from itertools import product

from quasar.metrics.alignment import places
from quasar.metrics.chinese import segment
from quasar.metrics.union import Words, Work, standing, unite


def rouge(prediction: str, answers: Sequence[str]) -> float:
    """0.0 to 1.0; 0.0 where either text has no sentence. Never raises.

    A period ends a sentence, blanks end a word, and case counts.
    """
    said = sentences(prediction)
    return max((_score(said, sentences(answer)) for answer in answers), default=0.0)


def rouge_zh(prediction: str, answers: Sequence[str]) -> float:
    """The same of Chinese, cut into words by jieba. Raises CannotJudge where that is missing."""
    return rouge(spaced(prediction), [spaced(answer) for answer in answers])


def _score(said: list[Words], wanted: list[Words]) -> float:
    if not said or not wanted:
        return 0.0
    hits, spoken, expected = len(united(said, wanted)), standing(said), standing(wanted)
    precision, recall = hits / len(spoken), hits / len(expected)
    return 2.0 * ((precision * recall) / (precision + recall + 1e-8))


def united(said: list[Words], wanted: list[Words]) -> list[str]:
    """The words on paths of two sentences. Of several paths: words of ``wanted`` are left first."""
    theirs = standing(wanted)
    common = [word for word in standing(said) if word in theirs]
    number = {word: i for i, word in enumerate(common)}
    said = list(dict.fromkeys(tuple(word for word in s if word in number) for s in said))
    columns, work, ours = [places(sentence) for sentence in said], Work(), standing(said)

    def follow(pair: tuple[int, int]) -> int:
        line, other = wanted[pair[0]], pair[1]
        matches = [columns[other].get(word, 0) for word in line]
        found = 0
        for k, _ in work.path(matches, len(said[other])):
            found |= 1 << number[line[k]]
        return found

    rarest = sorted(common, key=lambda word: len(ours[word]) * len(theirs[word]))
    sought = ((1 << number[word], product(theirs[word], ours[word])) for word in rarest)
    found = unite(sought, follow, work)
    return [word for word in common if found >> number[word] & 1]


def sentences(text: str) -> list[Words]:
    """The different ones, as words. A sentence of blanks has one word, which is empty."""
    found = (tuple(part.split()) or ("",) for part in text.split(".") if part)
    return list(dict.fromkeys(found))


def spaced(text: str) -> str:
    """Chinese text with a blank between words. Raises CannotJudge where jieba is missing."""
    return " ".join(segment(text))
