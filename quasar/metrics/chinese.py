"""Chinese text cut into words, as jieba 0.42.1 cuts it.

The dictionary and the probabilities are jieba's own; what it does with them is done here, since it
writes its dictionary into a shared temporary folder, reads from there what anyone may have put, and
takes quadratic time for long unknown words. Logarithms come from ``decimal``, which rounds
correctly: so no C library's last bit decides where a word ends.

J. Sun, jieba (MIT licence): the likeliest way through all words of the dictionary; and in what it
leaves as single characters, new words by a hidden Markov model of word ends (Viterbi).
"""

import re
import warnings
from collections.abc import Iterator
from decimal import Context, Decimal
from functools import cache
from typing import Any, NamedTuple

from quasar.errors import CannotJudge

VERSION = "0.42.1"
_NEVER = -3.14e100
_BEFORE = {"B": "ES", "M": "MB", "S": "SE", "E": "BM"}
"""A character begins, continues or ends a word, or is one: what may stand before each."""
_TEXT = re.compile(r"([\u4E00-\u9FD5a-zA-Z0-9+#&\._%\-]+)")
_BLANK = re.compile(r"(\r\n|\s)")
_HAN = re.compile(r"([\u4E00-\u9FD5]+)")
_LATIN = re.compile(r"([a-zA-Z0-9]+(?:\.\d+)?%?)")


def segment(text: str) -> list[str]:
    """The words, blanks and signs of a text; joined they are the text.

    Raises CannotJudge where jieba 0.42.1 is not installed. The first call reads the dictionary.
    """
    return list(_segment(text, _model()))


class _Model(NamedTuple):
    """What jieba knows."""

    times: dict[str, int]
    """How often each word was seen; 0 for what only begins a word."""
    total: float
    """Logarithm of all."""
    start: dict[str, float]
    after: dict[str, dict[str, float]]
    says: dict[str, dict[str, float]]


@cache
def _model() -> _Model:
    try:
        with warnings.catch_warnings():  # about its own code
            warnings.simplefilter("ignore")
            import jieba  # type: ignore[import-untyped, import-not-found, unused-ignore]
            from jieba import finalseg
    except ImportError:
        raise CannotJudge(_missing("is not installed")) from None
    if jieba.__version__ != VERSION:
        raise CannotJudge(_missing(f"is installed as {jieba.__version__}"))
    return _read(jieba, finalseg)


def _missing(what: str) -> str:
    return (
        f"metrics of Chinese text need jieba {VERSION}, which {what}: "
        "pip install 'quasar-subnet[longbench]'"
    )


def _read(jieba: Any, finalseg: Any) -> _Model:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        times, total = jieba.Tokenizer.gen_pfdict(jieba.Tokenizer().get_dict_file())
    return _Model(times, _log(total), finalseg.start_P, finalseg.trans_P, finalseg.emit_P)


@cache
def _log(times: int) -> float:
    return float(Decimal(times).ln(Context(prec=40)))


def _segment(text: str, model: _Model) -> Iterator[str]:
    for i, block in enumerate(_TEXT.split(text)):
        if i % 2:
            yield from _known_words(block, model)
            continue
        for k, part in enumerate(_BLANK.split(block)):
            yield from [part] if k % 2 else part


def _known_words(text: str, model: _Model) -> Iterator[str]:
    """Words of the dictionary; between them words that it lacks."""
    single = begin = 0
    for end in _route(text, model):
        if end - begin > 1:
            yield from _unknown_words(text[single:begin], model)
            yield text[begin:end]
            single = end
        begin = end
    yield from _unknown_words(text[single:], model)


def _route(text: str, model: _Model) -> Iterator[int]:
    """Where each word ends, on the likeliest way; of equals, the longest word."""
    best = [(0.0, 0)] * (len(text) + 1)
    for begin in range(len(text) - 1, -1, -1):
        best[begin] = max(
            (_log(model.times.get(text[begin:end]) or 1) - model.total + best[end][0], end)
            for end in _ends(text, begin, model.times)
        )
    end = 0
    while end < len(text):
        end = best[end][1]
        yield end


def _ends(text: str, begin: int, times: dict[str, int]) -> list[int]:
    """Where words that begin here may end; a character that begins none is one."""
    found = []
    for end in range(begin + 1, len(text) + 1):
        seen = times.get(text[begin:end])
        if seen is None:
            break
        if seen:
            found.append(end)
    return found or [begin + 1]


def _unknown_words(text: str, model: _Model) -> Iterator[str]:
    """A run of single characters, some of which may be words together."""
    if len(text) < 2 or model.times.get(text):
        yield from text
        return
    for i, block in enumerate(_HAN.split(text)):
        if i % 2:
            yield from _new_words(block, model)
        else:
            yield from filter(None, _LATIN.split(block))


def _new_words(text: str, model: _Model) -> Iterator[str]:
    begin = 0
    for i, place in enumerate(_word_ends(text, model)):
        if place == "B":
            begin = i
        elif place == "S":
            yield text[i]
        elif place == "E":
            yield text[begin : i + 1]


def _word_ends(text: str, model: _Model) -> list[str]:
    """The likeliest place in its word for each character: B, M, E or S."""
    row = {y: model.start[y] + model.says[y].get(text[0], _NEVER) for y in "BMES"}
    backs = []
    for character in text[1:]:
        steps = {y: _step(y, row, model.says[y].get(character, _NEVER), model) for y in "BMES"}
        backs.append({y: before for y, (_, before) in steps.items()})
        row = {y: likely for y, (likely, _) in steps.items()}
    place = max((row[y], y) for y in "ES")[1]
    places = [place]
    for back in reversed(backs):
        place = back[place]
        places.append(place)
    return places[::-1]


def _step(place: str, row: dict[str, float], says: float, model: _Model) -> tuple[float, str]:
    return max(
        (row[before] + model.after[before].get(place, _NEVER) + says, before)
        for before in _BEFORE[place]
    )
