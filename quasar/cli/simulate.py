"""``quasar simulate``: what another policy would have made of a recorded log."""

import importlib
import sys
from itertools import dropwhile
from pathlib import Path
from typing import Annotated, NamedTuple

import anyio
from cyclopts import Parameter

from quasar.cli.output import err, out, say_json
from quasar.cli.playable import playable
from quasar.cli.rows import show_changes, show_simulation, show_virtual
from quasar.cli.slow_bar import slow_bar
from quasar.cli.source import open_volumes
from quasar.errors import CannotJudge, UsageError
from quasar.log.whole import is_pruned
from quasar.replay.comparison import Comparison, compare
from quasar.replay.records import Records
from quasar.replay.simulate import NamedMetric, Simulation, WhatIf
from quasar.replay.virtual import VirtualRounds, play_rounds
from quasar.replay.whatif import metric_named
from quasar.rules.policy import Policy

RECORDED = "recorded"
DIFFERENT = "the recorded rules decide otherwise than recorded: run `quasar audit` on this log"


def simulate(
    source: str,
    /,
    *,
    policy: str = RECORDED,
    metric: str | None = None,
    rounds: int = 0,
    miners: int | None = None,
    seed: str = "0",
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Judge a recorded log by another policy, and play new rounds with its miners.

    Old and new weights stand side by side. Exit code 1: the policy is the recorded one, and yet
    something came out differently.

    Parameters
    ----------
    source
        Folder or URL of an archive or of volumes, or ``sample``.
    policy
        One that ships with the package, a TOML file, or ``recorded``.
    metric
        Score the answers that are read with this metric: a released one, or your own function as
        ``module:function``; it gets the answer's bytes and the expected text, and returns 0 to 1.
        The module is looked for in this folder first.
    rounds
        Play so many virtual rounds too. An answer is drawn from what the miner did in the log at
        the same kind and length of task.
    miners
        How many take part in them; the recorded ones in turn, some as copies.
    seed
        Any text: the same seed draws the same answers.
    json
        Print one JSON object.
    """
    if rounds < 0:
        raise UsageError(f"--rounds must be 0 or more, not {rounds}")
    new = None if policy == RECORDED else playable(policy).policy
    judged = _play(source, new, _metric(metric), json)
    found = judged.what_if.result()
    virtual = _virtual(judged, rounds, miners, seed, json) if rounds else []
    if json:
        compared = _compared(virtual) if virtual else None
        say_json({"recorded": found, "virtual": virtual, "virtual_weights": compared})
    else:
        _show(found, virtual)
    return _code(found)


class _Judged(NamedTuple):
    what_if: WhatIf
    records: Records
    recorded: Records


def _play(source: str, policy: Policy | None, metric: NamedMetric | None, json: bool) -> _Judged:
    logs = list(dropwhile(is_pruned, open_volumes(source)))
    if not logs:
        raise CannotJudge(f"the events of {source} were pruned: simulate the other copy of them")
    records, recorded = Records(), Records()
    what_if = WhatIf(policy, metric, records, recorded)
    with slow_bar("judging again", shown=not json) as seen:
        anyio.run(what_if.play, logs, seen)
    return _Judged(what_if, records, recorded)


def _metric(name: str | None) -> NamedMetric | None:
    """A released metric, or a person's own."""
    if name is None:
        return None
    module, colon, function = name.partition(":")
    if not colon:
        return NamedMetric(name, metric_named(name))
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as problem:
        raise UsageError(f"--metric {name}: {problem}; name it as module:function") from None
    finally:
        sys.path.remove(str(Path.cwd()))
    return NamedMetric(function, found)


def _virtual(
    judged: _Judged, rounds: int, miners: int | None, seed: str, json: bool
) -> list[VirtualRounds]:
    """The same draws by the recorded rules and, if there are others, by those."""
    what_if = judged.what_if
    games = [(what_if.recorded, judged.recorded)]
    if not what_if.result().same_rules:
        games.append((what_if.policy or what_if.recorded, judged.records))
    played = []
    for policy, records in games:
        with slow_bar(f"playing under {policy.name}", shown=not json) as seen:
            played.append(
                play_rounds(
                    records,
                    policy,
                    rounds=rounds,
                    miners=miners,
                    seed=seed,
                    sandbox=what_if.sandbox,
                    progress=seen,
                )
            )
    return played


def _compared(virtual: list[VirtualRounds]) -> Comparison:
    old, new = ({w.hotkey: w for w in played.row} for played in (virtual[0], virtual[-1]))
    return compare(old, new)


def _show(found: Simulation, virtual: list[VirtualRounds]) -> None:
    show_simulation(found)
    if virtual:
        out.print()
        show_virtual(virtual[-1])
        show_changes(_compared(virtual), virtual[0].policy, virtual[-1].policy)


def _code(found: Simulation) -> int:
    if found.same_rules and not found.reproduced:
        err.print(DIFFERENT, markup=False)
        return 1
    return 0
