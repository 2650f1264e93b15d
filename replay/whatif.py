"""Which rules a simulation changes: the part of a policy that recorded answers can be judged by."""

from collections.abc import Callable, Iterator, Sequence

import msgspec

from quasar.errors import CannotJudge, UsageError
from quasar.metrics import METRICS, Metric
from quasar.rules.policy import Bucket, Policy

JUDGED = (
    "metrics of the recorded answers",
    "multipliers, the reward rule and its cap",
    "lateness, faults and who is left out",
    "round means, the EMA and minimum samples",
    "weight rows",
)


def blended(recorded: Policy, new: Policy | None) -> Policy:
    """The recorded rounds under the new policy's judgement; the recorded policy without one.

    What was asked stays: cadence, mix, lengths and delivery. What is made of the answers changes:
    multipliers, the cap on an answer's bytes, deadlines, and all of ``scoring``.
    """
    if new is None:
        return recorded
    return msgspec.structs.replace(
        recorded,
        name=new.name,
        buckets=[_worth(bucket, new) for bucket in recorded.buckets],
        answers=new.answers,
        deadline=new.deadline,
        scoring=new.scoring,
    )


def _worth(bucket: Bucket, new: Policy) -> Bucket:
    """A recorded length with the multiplier that the new policy gives it: by name, else by size."""
    named = {b.name: b for b in new.buckets}
    try:
        multiplier = (named.get(bucket.name) or new.bucket_for(bucket.tokens)).multiplier
    except UsageError:  # the new policy makes no task so long
        multiplier = bucket.multiplier
    return msgspec.structs.replace(bucket, multiplier=multiplier)


def same_game(one: Policy, two: Policy) -> bool:
    """Whether two policies differ in their names at most."""
    return msgspec.structs.replace(one, name=two.name) == two


def metric_named(name: str) -> Metric:
    """A metric for answers that are read. Raises CannotJudge where it is not installed."""
    if name not in METRICS:
        raise CannotJudge(f"metric {name!r} is not installed; these are: {', '.join(METRICS)}")
    return METRICS[name]


def not_judged(played: Sequence[Policy], new: Policy | None, metric: bool) -> list[str]:
    """What a simulation of recorded rounds leaves as it was, in words."""
    left: list[str] = []
    for recorded in played if new is not None else ():
        assert new is not None
        left += [words(recorded, new) for differs, words in _LIMITS if differs(recorded, new)]
    if metric:
        left.append("answers that are programs: they keep the verdict of their own metric")
    return list(dict.fromkeys(left))


Differs = Callable[[Policy, Policy], bool]
Words = Callable[[Policy, Policy], str]


def _cells(policy: Policy) -> list[tuple[str, str]]:
    return [(entry.family, entry.bucket) for entry in policy.mix]


def _unasked(recorded: Policy, new: Policy) -> Iterator[str]:
    for family, bucket in _cells(new):
        if (family, bucket) not in _cells(recorded):
            yield f"{family} at {bucket}"


def _mix_words(recorded: Policy, new: Policy) -> str:
    unasked = ", ".join(_unasked(recorded, new))
    asked = f"; nobody was asked {unasked}" if unasked else ""
    return f"the mix of tasks: rounds keep the tasks that were sampled{asked}"


def _too_long(recorded: Policy, new: Policy) -> list[str]:
    largest = max((b.tokens for b in new.buckets), default=0)
    names = [b.name for b in new.buckets]
    return [b.name for b in recorded.buckets if b.name not in names and b.tokens > largest]


_LIMITS: tuple[tuple[Differs, Words], ...] = (
    (lambda a, b: a.mix != b.mix, _mix_words),
    (
        lambda a, b: {x.name: x.tokens for x in a.buckets} != {x.name: x.tokens for x in b.buckets},
        lambda *_: "lengths: contexts keep the tokens that they had",
    ),
    (
        lambda a, b: bool(_too_long(a, b)),
        lambda a, b: (
            f"{', '.join(_too_long(a, b))}: longer than the policy allows, so it keeps "
            "its multiplier"
        ),
    ),
    (
        lambda a, b: a.cadence != b.cadence,
        lambda *_: "cadence: rounds stay at their blocks",
    ),
    (
        lambda a, b: (a.sampling, a.adaptive, a.beacon) != (b.sampling, b.adaptive, b.beacon),
        lambda *_: "sampling: rounds keep the tasks, levels and miners that were drawn",
    ),
    (
        lambda a, b: a.delivery != b.delivery,
        lambda *_: "delivery: who was reached stays so",
    ),
    (
        lambda a, b: a.execution != b.execution,
        lambda *_: "execution: programs ran under the limits that they had",
    ),
    (
        lambda a, b: a.deadline != b.deadline,
        lambda *_: "deadlines: what never came stays missing, and a late program did not run",
    ),
    (
        lambda a, b: b.answers.max_bytes > a.answers.max_bytes,
        lambda *_: "longer answers: nobody wrote more than the recorded limit",
    ),
)
