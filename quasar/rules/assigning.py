"""From a planned task to the events that tell of it."""

import hashlib

from quasar.events import Context, TaskAssigned, TaskSampled
from quasar.rules.plan import PlannedTask, Variant
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
    number: int, task: PlannedTask, variant: Variant, n: int, policy: Policy
) -> TaskAssigned:
    """One miner's variant; ``n``: how many tasks it has got by then."""
    text = variant.instance.context().encode()
    context = Context(
        sha256=hashlib.sha256(text).hexdigest(), bytes=len(text), tokens=variant.instance.tokens
    )
    return TaskAssigned(
        round=number,
        task=task.task,
        hotkey=variant.hotkey,
        n=n,
        context=context,
        question=variant.instance.question,
        commitment=variant.commitment,
        deadline_ms=policy.deadline_ms(context.tokens),
    )
