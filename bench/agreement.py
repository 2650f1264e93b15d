"""How far apart the weights of two honest validators are, and after how many rounds they agree.

``python bench/agreement.py [--policies ...] [--miners ...] [--rounds N] [--json]``. Two validators
with secrets of their own ask the same miners under the same policy: each draws tasks of its own.
The rules that draw a round, judge and weigh are those of a validator; only the answers are drawn,
from abilities by family, length and level. No context is made and no model runs.

An ability falls with length at a rate of the miner's own; a task is easier or harder for everybody
alike; an answer is right or wrong. Rows are compared by the L1 distance of their shares (0 equal, 2
nothing in common) and by Kendall's tau-b. "Floor" is the mean distance over the second half: rounds
alone never bring it lower, since the moving average forgets old ones as fast as new ones come. What
does is a smaller alpha or more tasks, so both are tried on the same answers.
"""

import argparse
import json
import sys
import time
from collections.abc import Collection, Sequence

from msgspec import Struct
from msgspec.structs import replace
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from quasar.config import load_policy
from quasar.draw import Draw, bulk, derive
from quasar.events import AnswerScored
from quasar.replay.ranks import kendall, l1, shares
from quasar.rules import difficulty, mixing
from quasar.rules.coverage import Waiting, take_turn
from quasar.rules.policy import Mix, Policy, parse
from quasar.rules.rewards import MEANS, REWARDS, Earned
from quasar.rules.statistics import mean_of
from quasar.rules.weights import Standing, fold_mean, row_of

POLICIES = ("readme-v1", "weighted-v1", "adaptive-v1")
MINERS = (16, 64, 256)
SHOWN = (1, 10, 50)
ALPHAS = (0.05, 0.02, 0.01, 0.005)
TIMES = (2, 4, 8, 16)
"""As many tasks a round."""
GOAL = 0.05
STEADY = 20
FULL = 2**32
MOOD = 0.15
"""By so much, at most, a task is easier or harder for all than others of its kind."""
LEVEL = 0.12
"""By so much a level makes right answers rarer."""

Means = list[list[float | None]]
"""By round, then by miner: its mean reward; None where it was not its turn."""


class Miner(Struct, frozen=True):
    """What a simulated miner can do."""

    hotkey: str
    skill: float
    """Right answers at the shortest length."""
    fade: float
    """Share of the skill that is lost at the longest length."""

    def likely(self, entry: Mix, length: float) -> float:
        """Chance of a right answer; ``length`` is 0 for the shortest bucket, 1 for the longest."""
        family = Draw(self.hotkey.encode(), entry.family).below(FULL) / FULL * 0.2 - 0.1
        harder = LEVEL * ((entry.level or 2) - 2)
        return self.skill * (1.0 - self.fade * length) + family - harder


def cast(count: int) -> list[Miner]:
    """Miners of all abilities, the same for every validator and policy."""
    draw = Draw(b"agreement", "miners")
    return [
        Miner(f"{number:048d}".replace("0", "m"), 0.2 + 0.75 * _unit(draw), 0.9 * _unit(draw))
        for number in range(count)
    ]


class Validator:
    """Plays rounds with the miners under secrets of its own."""

    def __init__(self, name: str, policy: Policy, miners: Sequence[Miner]) -> None:
        self._seed = derive(name.encode(), "agreement/validator")
        self._policy, self._miners = policy, miners
        self._difficulty = difficulty.DifficultyState()
        lengths = sorted(bucket.tokens for bucket in policy.buckets)
        last = max(1, len(lengths) - 1)
        self._length = {b.name: lengths.index(b.tokens) / last for b in policy.buckets}
        self._likely: dict[Mix, list[float]] = {}
        self._rotation: list[Waiting] = []

    def play(self, rounds: int) -> Means:
        """Every round's mean rewards."""
        return [self._round(number) for number in range(1, rounds + 1)]

    def _round(self, number: int) -> list[float | None]:
        seed, policy = derive(self._seed, f"round/{number}"), self._drawn(number)
        draw, tasks = Draw(seed, "mood"), policy.tasks
        right = [self._right(seed, place, entry, draw) for place, entry in enumerate(tasks)]
        worth = [policy.bucket(entry.bucket).multiplier for entry in tasks]
        asked, mean = self._asked(number), MEANS[policy.scoring.reward]
        self._learn(number, tasks, right, asked)
        return [
            mean([Earned(float(row[m]), w) for row, w in zip(right, worth, strict=True)])
            if miner.hotkey in asked
            else None
            for m, miner in enumerate(self._miners)
        ]

    def _asked(self, number: int) -> Collection[str]:
        """Whose turn it is. All validators see the same blocks, and so ask the same."""
        present = [miner.hotkey for miner in self._miners]
        sampling = self._policy.sampling
        if sampling is None or sampling.coverage_rounds == 1:
            return present
        turn = take_turn(self._rotation, present, f"block {number}", sampling.coverage_rounds)
        self._rotation = turn.after
        return frozenset(turn.chosen)

    def _drawn(self, number: int) -> Policy:
        """The policy as this round is played."""
        if self._policy.sampling is None:
            return self._policy
        seed = derive(self._seed, f"mix/{number}")
        mix = mixing.drawn(number, seed, self._policy, self._difficulty)
        if self._policy.adaptive is not None:
            cells = mixing.cells(self._policy, mix)
            difficulty.watch(self._difficulty, number, self._policy.adaptive, cells)
        return mixing.played(self._policy, mix)

    def _right(self, seed: bytes, place: int, entry: Mix, draw: Draw) -> list[bool]:
        """By miner, whether the answer to this task is right."""
        mood = (2.0 * _unit(draw) - 1.0) * MOOD
        kind = replace(entry, tasks=1, anchor=False)
        if kind not in self._likely:
            length = self._length[entry.bucket]
            self._likely[kind] = [miner.likely(entry, length) for miner in self._miners]
        likely = self._likely[kind]
        lots = bulk(seed, f"answers/{place}", FULL, len(likely))
        return [lot < (p + mood) * FULL for lot, p in zip(lots, likely, strict=True)]

    def _learn(
        self,
        number: int,
        tasks: Sequence[Mix],
        right: Sequence[Sequence[bool]],
        asked: Collection[str],
    ) -> None:
        """Let the rule of difficulty see the scores, where the policy has one."""
        if self._policy.adaptive is None:
            return
        for place, (entry, row) in enumerate(zip(tasks, right, strict=True)):
            for miner, correct in zip(self._miners, row, strict=True):
                if miner.hotkey in asked:
                    score = _score(self._policy, number, place, entry, miner.hotkey, float(correct))
                    difficulty.note(self._difficulty, score)
        difficulty.settle(self._difficulty, number)


class Agreement(Struct, frozen=True, kw_only=True):
    """How two validators agree."""

    policy: str
    miners: int
    alpha: float
    times: int
    """As many tasks a round as the policy has."""
    rounds: int
    l1: dict[int, float]
    """After so many rounds."""
    tau: dict[int, float | None]
    floor: float
    """Mean L1 over the second half."""
    reached: int | None
    """Rounds until L1 is under the goal, where the floor is too."""


def compare(one: Means, two: Means, policy: Policy, alpha: float, times: int) -> Agreement:
    """Weigh both with this alpha; with more tasks, those of so many rounds make one.

    A miner still has its turn only once in so many rounds as the policy says.
    """
    sampling, scoring = policy.sampling, replace(policy.scoring, ema_alpha=alpha)
    turns = sampling.coverage_rounds if sampling is not None and times > 1 else 1
    weighing = replace(policy, scoring=scoring)
    rows = zip(*(_rows(means, weighing, times * turns) for means in (one, two)), strict=True)
    apart, taus = dict[int, float](), dict[int, float | None]()
    for step, (here, there) in enumerate(rows, 1):
        apart[step * turns] = l1(shares(here), shares(there))
        if step * turns in SHOWN:
            taus[step * turns] = _order(here, there)
    distances = list(apart.values())
    floor = mean_of(distances[len(distances) // 2 :])
    steps = _reached(distances) if floor < GOAL else None
    return Agreement(
        policy=policy.name,
        miners=len(one[0]),
        alpha=alpha,
        times=times,
        rounds=len(distances) * turns,
        l1={number: apart[number] for number in taus},
        tau=taus,
        floor=floor,
        reached=None if steps is None else steps * turns,
    )


def _order(one: dict[str, float], two: dict[str, float]) -> float | None:
    """Rank correlation; of everyone who is in both."""
    return kendall([one[uid] for uid in one if uid in two], [two[uid] for uid in one if uid in two])


def _reached(distances: Sequence[float]) -> int | None:
    """The first step under the goal, whose next ``STEADY`` rounds are so too, on average."""
    for start, distance in enumerate(distances):
        if distance < GOAL and mean_of(distances[start : start + STEADY]) < GOAL:
            return start + 1
    return None


def _rows(means: Means, policy: Policy, times: int) -> list[dict[str, float]]:
    """The row after every round, by the rules of a validator."""
    standings: dict[int, Standing] = {}
    rows = []
    for start in range(0, len(means) - times + 1, times):
        together = zip(*means[start : start + times], strict=True)
        for uid, found in enumerate(together):
            means_here = [value for value in found if value is not None]
            mean = mean_of(means_here) if means_here else None
            after = fold_mean(standings.get(uid), mean, len(means_here), policy)
            if after is not None:
                standings[uid] = after
        row = row_of({uid: standing.score for uid, standing in standings.items()})
        rows.append({str(uid): float(u16) for uid, u16 in row.items()})
    return rows


def measure(name: str, miners: int, rounds: int) -> list[Agreement]:
    """The policy as it is, then with smaller alphas, then with more tasks."""
    policy, players = parse(load_policy(name)), cast(miners)
    one, two = (Validator(who, policy, players).play(rounds) for who in ("one", "two"))
    own = policy.scoring.ema_alpha
    found = [compare(one, two, policy, own, 1)]
    found += [compare(one, two, policy, alpha, 1) for alpha in ALPHAS if alpha != own]
    more = [times for times in TIMES if rounds >= 2 * times]
    return found + [compare(one, two, policy, own, times) for times in more]


def _score(
    policy: Policy, number: int, place: int, entry: Mix, hotkey: str, accuracy: float
) -> AnswerScored:
    multiplier = policy.bucket(entry.bucket).multiplier
    return AnswerScored(
        round=number,
        task=place,
        hotkey=hotkey,
        bucket=entry.bucket,
        metric="answer_exact@1",
        accuracy=accuracy,
        multiplier=multiplier,
        reward=REWARDS[policy.scoring.reward](Earned(accuracy, multiplier)),
        failure=None,
        unproved=False,
    )


def _unit(draw: Draw) -> float:
    return draw.below(FULL) / FULL


def show(found: Sequence[Agreement]) -> None:
    """One line a game."""
    table = Table(title="two validators, the same miners, other tasks", box=SIMPLE_HEAD)
    for title in ("policy", "miners", "alpha", "tasks"):
        table.add_column(title, justify="right", no_wrap=True)
    for number in SHOWN:
        table.add_column(f"L1, tau after {number}", justify="right", no_wrap=True)
    for title in ("floor", f"to {GOAL}"):
        table.add_column(title, justify="right", no_wrap=True)
    for a in found:
        start = [a.policy, str(a.miners), f"{a.alpha:g}", f"x {a.times}"]
        reached = "never" if a.reached is None else str(a.reached)
        table.add_row(*start, *[_apart(a, n) for n in SHOWN], f"{a.floor:.3f}", reached)
    Console(width=120).print(table)


def _apart(found: Agreement, number: int) -> str:
    if number not in found.l1:
        return "-"
    tau = found.tau[number]
    return f"{found.l1[number]:.3f}, {'-' if tau is None else f'{tau:.2f}'}"


def main() -> int:
    """Always 0: it measures and claims nothing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policies", nargs="+", default=POLICIES)
    parser.add_argument("--miners", nargs="+", type=int, default=MINERS)
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    began = time.process_time()
    games = [(name, n) for name in options.policies for n in options.miners]
    found = [a for name, n in games for a in measure(name, n, options.rounds)]
    if options.json:
        print(json.dumps([{f: getattr(a, f) for f in a.__struct_fields__} for a in found]))
    else:
        show(found)
        print(f"{options.rounds} rounds each, {time.process_time() - began:.0f} CPU s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
