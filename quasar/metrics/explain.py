"""What a metric saw in a prediction and an answer: for a person who wonders about a score."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

from quasar.metrics import exact, rouge_lines, rouge_sentences
from quasar.metrics.alignment import path, places
from quasar.metrics.choice import named
from quasar.metrics.classification import remaining
from quasar.metrics.code_similarity import first_code_line
from quasar.metrics.numeric import stated_number
from quasar.metrics.overlap import words
from quasar.metrics.overlap_zh import words_zh
from quasar.metrics.retrieval import NUMBER
from quasar.metrics.rouge import pairs
from quasar.metrics.rouge import words as ascii_words
from quasar.metrics.sets import items, stated_items

Seen = dict[str, object]
"""``said`` and ``wanted``, as they were compared; and where words count: those that are shared, and
the shares of ``said`` (precision) and ``wanted`` (recall) that they are."""


def explain(name: str, prediction: str, answer: str, options: Mapping[str, Any]) -> Seen:
    """What the metric of that name (with or without version) compares. Empty for an unknown one.

    Raises what the metric raises for its options, and CannotJudge for Chinese without jieba.
    """
    seen = _SEEN.get(name.partition("@")[0])
    return seen(prediction, answer, **options) if seen else {}


def _words(prediction: str, answer: str) -> Seen:
    return _bags(words(prediction), words(answer))


def _words_zh(prediction: str, answer: str) -> Seen:
    return _bags(words_zh(prediction), words_zh(answer))


def _items(prediction: str, answer: str) -> Seen:
    return _bags(stated_items(prediction) or [], items(answer))


def _rouge_1(prediction: str, answer: str, stemmer: bool = False) -> Seen:
    return _bags(ascii_words(prediction, stemmer), ascii_words(answer, stemmer))


def _rouge_2(prediction: str, answer: str, stemmer: bool = False) -> Seen:
    said, wanted = (pairs(ascii_words(text, stemmer)) for text in (prediction, answer))
    return _bags(list(said.elements()), list(wanted.elements()))


def _rouge_l(prediction: str, answer: str, stemmer: bool = False) -> Seen:
    said, wanted = (ascii_words(text, stemmer) for text in (prediction, answer))
    standing = places(wanted)
    steps = path([standing.get(word, 0) for word in said], len(wanted))
    return _shares(said, wanted, [wanted[i] for _, i in steps][::-1])


def _rouge_lsum(prediction: str, answer: str, stemmer: bool = False) -> Seen:
    said, wanted = (rouge_lines.lines_of(text, stemmer) for text in (prediction, answer))
    spoken = Counter(chain(*said))
    shared = rouge_lines.united(said, wanted) & spoken
    return _shares([*chain(*said)], [*chain(*wanted)], list(shared.elements()))


def _rouge(prediction: str, answer: str) -> Seen:
    said, wanted = (rouge_sentences.sentences(text) for text in (prediction, answer))
    spoken, expected = (list(dict.fromkeys(chain(*text))) for text in (said, wanted))
    return _shares(spoken, expected, rouge_sentences.united(said, wanted))


def _rouge_zh(prediction: str, answer: str) -> Seen:
    return _rouge(rouge_sentences.spaced(prediction), rouge_sentences.spaced(answer))


def _classes(prediction: str, answer: str, all_classes: Sequence[str] = ()) -> Seen:
    found = [name for name in all_classes if name in prediction]
    return {"said": remaining(found, answer), "wanted": answer, "found": found}


def _numbers(prediction: str, answer: str) -> Seen:
    return {"said": NUMBER.findall(prediction), "wanted": NUMBER.findall(answer)}


def _line(prediction: str, answer: str, **_options: object) -> Seen:
    return {"said": first_code_line(prediction), "wanted": answer}


def _by(read: Callable[[str], object], of_answer: Callable[[str], object]) -> Callable[..., Seen]:
    return lambda prediction, answer: {"said": read(prediction), "wanted": of_answer(answer)}


def _bags(said: list[str], wanted: list[str]) -> Seen:
    return _shares(said, wanted, list((Counter(said) & Counter(wanted)).elements()))


def _shares(said: Sequence[str], wanted: Sequence[str], shared: list[str]) -> Seen:
    return {
        "said": said,
        "wanted": wanted,
        "shared": shared,
        "precision": len(shared) / len(said) if said else 0.0,
        "recall": len(shared) / len(wanted) if wanted else 0.0,
    }


_SEEN: dict[str, Callable[..., Seen]] = {
    "answer_exact": _by(exact.stated, exact.plain),
    "choice": _by(named, str),
    "classification": _classes,
    "code_sim": _line,
    "code_sim_indel": _line,
    "count": _numbers,
    "exact_match": _words,
    "numeric": _by(stated_number, stated_number),
    "qa_f1": _words,
    "qa_f1_zh": _words_zh,
    "retrieval": _numbers,
    "retrieval_zh": _numbers,
    "rouge": _rouge,
    "rouge_1": _rouge_1,
    "rouge_2": _rouge_2,
    "rouge_l": _rouge_l,
    "rouge_lsum": _rouge_lsum,
    "rouge_zh": _rouge_zh,
    "set_exact": _items,
    "set_f1": _items,
}
