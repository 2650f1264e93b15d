"""``quasar score``: what an answer is worth, by the very scorer of a validator."""

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from cyclopts import Parameter
from rich.markup import escape

from quasar.cli.oracle import Opinion, opinion
from quasar.cli.output import out, printable, say_json
from quasar.errors import UsageError
from quasar.metrics import METRICS, Metric
from quasar.metrics.explain import explain as explained
from quasar.metrics.longbench import Dataset, counted, find
from quasar.metrics.unicode14 import restrict


class _Asked(NamedTuple):
    """What is to be scored."""

    metric: str
    """``name@version``."""
    counted: str
    """What of the prediction counts: mapped, cut, and the first line where only that does."""
    answers: list[str]
    options: dict[str, Any]

    def score(self, answers: Sequence[str]) -> float:
        return METRICS[self.metric](self.counted, answers, **self.options)


def score(
    *,
    prediction: str,
    answer: list[str],
    dataset: str | None = None,
    metric: str | None = None,
    class_: Annotated[list[str] | None, Parameter(name="--class")] = None,
    stemmer: Annotated[bool, Parameter(negative="")] = False,
    cap: int | None = None,
    explain: Annotated[bool, Parameter(negative="")] = False,
    oracle: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Score an answer as a validator would.

    Texts are given as they are, or as @FILE, whose last line end does not count. Exit code 1: an
    official package says otherwise; 2: --oracle compared nothing.

    Parameters
    ----------
    prediction
        What a miner said.
    answer
        What is right; repeat it for several references: the best one counts.
    dataset
        A LongBench data set: its metric, and its rule of what of an answer counts.
    metric
        A released metric, with or without version, instead of the data set's.
    class_
        Name of a class, one for each class of trec or lsht.
    stemmer
        Of rouge_1, rouge_2, rouge_l and rouge_lsum: compare the stems of words.
    cap
        Cut the prediction to so many bytes first, as a policy's limit does.
    explain
        Show what was compared and what matched, and exact match beside.
    oracle
        Run the official implementation beside ours, if it is installed.
    json
        Print one JSON object.
    """
    asked = _asked(prediction, answer, dataset, metric, class_, stemmer, cap)
    beside = opinion(asked.metric, asked.counted, asked.answers, stemmer) if oracle else None
    report = _report(asked, explain) | ({"oracle": _verdict(asked, beside)} if oracle else {})
    if json:
        say_json(report)
    else:
        _show(report)
    return _exit_code(report["score"], beside) if oracle else 0


def _exit_code(score: float, beside: Opinion | None) -> int:
    """Of a comparison: 0 equal, 1 another number, 2 none made."""
    if beside is None or beside.score is None:
        return 2
    return int(beside.score != score)


def _asked(
    prediction: str,
    answers: Sequence[str],
    dataset: str | None,
    metric: str | None,
    classes: list[str] | None,
    stemmer: bool,
    cap: int | None,
) -> _Asked:
    if dataset is None and metric is None:
        raise UsageError("name a LongBench data set with --dataset, or a metric with --metric")
    said = restrict(_capped(_text(prediction), cap))
    rules = _rules(dataset) if dataset is not None else None
    name = _released(rules.metric if rules and metric is None else metric or "")
    options = _options(name, dataset, classes, stemmer)
    references = [restrict(_text(answer)) for answer in answers]
    return _Asked(name, counted(rules, said) if rules else said, references, options)


def _rules(dataset: str) -> Dataset:
    if not dataset:
        raise UsageError("--dataset is empty: name a LongBench data set, or leave it out")
    if dataset.lower().replace("-", "_").startswith("longbench_v2"):
        raise UsageError("LongBench v2 is no data set of version 1: use --metric choice instead")
    return find(dataset)


def _text(argument: str) -> str:
    if not argument.startswith("@"):
        return argument.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    try:
        text = Path(argument[1:]).read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise UsageError(f"cannot read {argument[1:]}: {error.strerror}") from None
    return text.removesuffix("\n")  # an editor's; to rouge it would be a sentence of its own


def _capped(text: str, cap: int | None) -> str:
    if cap is not None and cap < 0:
        raise UsageError("--cap is a number of bytes, 0 or more")
    return text.encode("utf-8", "replace")[:cap].decode("utf-8", "replace")


def _released(name: str) -> str:
    """With its version."""
    try:
        wanted = METRICS[name]
    except KeyError:
        raise UsageError(f"no metric {name!r}; there are: {', '.join(METRICS)}") from None
    return next(key for key, metric in METRICS.items() if metric is wanted)


def _options(
    name: str, dataset: str | None, classes: list[str] | None, stemmer: bool
) -> dict[str, Any]:
    """Those that the metric takes. Raises UsageError for one that is missing or not taken."""
    given = {"all_classes": classes, "stemmer": stemmer or None, "dataset": dataset}
    takes = _parameters(METRICS[name])
    if stemmer and "stemmer" not in takes:
        raise UsageError(f"{name} has no stemmer: leave --stemmer out")
    options = {option: value for option, value in given.items() if value and option in takes}
    for option, called in (("all_classes", "--class"), ("dataset", "--dataset")):
        if takes.get(option) is inspect.Parameter.empty and option not in options:
            raise UsageError(f"{name} needs {called}")
    return options


def _parameters(metric: Metric) -> dict[str, Any]:
    """The default of each option."""
    return {p.name: p.default for p in inspect.signature(metric).parameters.values()}


def _report(asked: _Asked, explain: bool) -> dict[str, Any]:
    report: dict[str, Any] = {"metric": asked.metric, "score": asked.score(asked.answers)}
    if explain:
        report["exact_match"] = METRICS["exact_match"](asked.counted, asked.answers)
        report["counted"] = asked.counted
        report["answers"] = [
            {"answer": answer, "score": asked.score([answer])}
            | explained(asked.metric, asked.counted, answer, asked.options)
            for answer in asked.answers
        ]
    return report


def _verdict(asked: _Asked, beside: Opinion | None) -> dict[str, Any]:
    if beside is None:
        return {"package": None, "note": f"not compared: no package computes {asked.metric}"}
    return beside._asdict()


def _show(report: dict[str, Any]) -> None:
    out.print(f"{report['score']!r}  {report['metric']}")
    if "exact_match" in report:
        out.print(f"{report['exact_match']!r}  exact_match@1")
        out.print(f"  counted    {_plain(report['counted'])}")
    for answer in report.get("answers", []):
        for key, value in answer.items():
            out.print(f"  {key:<10} {_plain(value)}")
    if beside := report.get("oracle"):
        said = f"{beside.get('score')!r}  {beside['package']} {beside.get('version')}".rstrip()
        out.print(_plain(beside["note"] or said))


def _plain(value: object) -> str:
    """One line for a terminal, whatever a stranger wrote."""
    if isinstance(value, list | tuple):
        value = " | ".join(map(str, value))
    return escape(printable(str(value), 400))
