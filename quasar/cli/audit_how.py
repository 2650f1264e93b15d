"""How `quasar audit` judges: which levels, which rounds, and what need not be read again."""

import secrets
from collections.abc import Sequence
from typing import NamedTuple, cast

import msgspec

from quasar.errors import UsageError
from quasar.log import Log
from quasar.log.user_cache import cache_folder
from quasar.replay.audit import ALONE, Progress, chosen
from quasar.replay.audit import audit as audit_log
from quasar.replay.audited import Kept
from quasar.replay.finding import Level, Report
from quasar.replay.revealed import revealed_secrets
from quasar.replay.sample import Full, Sample, draw_rounds, every
from quasar.replay.volumes import audit_volumes

_SEED_BYTES = 16


class How(NamedTuple):
    """What a person asked for."""

    hotkey: str | None = None
    levels: Sequence[Level] = ALONE
    sample: int | None = None
    """Rounds to judge in full; None for all."""
    seed: str | None = None
    fresh: bool = False

    def kept(self) -> Kept | None:
        """Verdicts on closed volumes; of a sample there are none, it is drawn over all of them."""
        if self.sample is not None:
            return None
        folder = cache_folder() / "audits"
        return Kept(folder, levels=self.levels, hotkey=self.hotkey, fresh=self.fresh)


def named_levels(text: str | None) -> Sequence[Level]:
    """Levels by their names, with commas between. Raises UsageError for one that is none."""
    if text is None:
        return ALONE
    named = chosen(cast("list[Level]", [name.strip() for name in text.split(",")]))
    return [level for level in ALONE if level in named]


def check_sample(how: How) -> None:
    """Raises UsageError where there is nothing to draw, or nothing to draw it for."""
    if how.sample is not None and how.sample < 1:
        raise UsageError(f"--sample must be at least 1, not {how.sample}")
    if how.sample is None and how.seed is not None:
        raise UsageError("--seed draws the rounds of --sample: name how many")


async def judge(logs: Sequence[Log], how: How, progress: Progress) -> Report:
    """The verdict on volumes, or on one log. Raises CannotJudge."""
    sample = await _drawn(logs, how) if how.sample is not None else None
    full: Full = frozenset(sample.rounds).__contains__ if sample else every
    if len(logs) == 1:
        report = await audit_log(
            logs[0], hotkey=how.hotkey, levels=how.levels, full=full, progress=progress
        )
    else:
        report = await audit_volumes(
            logs,
            hotkey=how.hotkey,
            levels=how.levels,
            full=full,
            kept=how.kept(),
            progress=progress,
        )
    if sample is None:
        return report
    left = f"tasks, receipts and scores of {sample.of - len(sample.rounds)} rounds: not drawn"
    not_checked = [*report.not_checked, *([left] if len(sample.rounds) < sample.of else [])]
    return msgspec.structs.replace(report, sample=sample, not_checked=not_checked)


async def _drawn(logs: Sequence[Log], how: How) -> Sample:
    """Of the rounds that are revealed. A seed that nobody knew before, unless one is named."""
    rounds = [n for log in logs for n in await revealed_secrets(log, await log.head())]
    seed = secrets.token_hex(_SEED_BYTES) if how.seed is None else how.seed
    return draw_rounds(rounds, how.sample or 0, seed)
