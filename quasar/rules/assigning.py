"""From a planned task to the events that tell of it."""

import hashlib
from collections.abc import Iterable, Iterator

from quasar.benchmarks.family import Instance
from quasar.events import Context, TaskAssigned, TaskSampled
from quasar.rules.plan import PlannedTask
from quasar.rules.policy import Policy


def sampled(number: int, task: PlannedTask, policy: Policy) -> TaskSampled:
    """What all miners share of a task."""
    return TaskSampled(
        round=number,
        task=task.task,
        family=task.mix.family,
        bucket=task.mix.bucket,
        template=task.template.digest,
        metric=task.metric,
        answer_bytes=policy.answers.max_bytes,
    )


def assigned(
    number: int, task: PlannedTask, counted: Iterable[tuple[str, int]], policy: Policy
) -> Iterator[TaskAssigned]:
    """Each miner's variant; ``counted``: hotkeys, and how many tasks each has got by then.

    An anchor is the same for all: its text, which may be 2M tokens, is built once.
    """
    context: Context | None = None
    for hotkey, n in counted:
        variant = task.variant(hotkey)
        if context is None or not task.mix.anchor:
            context = _described(variant.instance)
        yield TaskAssigned(
            round=number,
            task=task.task,
            hotkey=hotkey,
            n=n,
            context=context,
            question=variant.instance.question,
            commitment=variant.commitment,
            deadline_ms=policy.deadline_ms(context.tokens),
        )


def _described(instance: Instance) -> Context:
    text = instance.context().encode()
    sha256 = hashlib.sha256(text).hexdigest()
    return Context(sha256=sha256, bytes=len(text), tokens=instance.tokens)
