# ruff: noqa: T201 - a notebook prints
# %% [markdown]
# # Audit a log
#
# Every score and weight of a validator can be recomputed from its log. This runs as a program, and
# cell by cell in any editor that knows `# %%`. Nothing but `pip install quasar-subnet` is needed.

# %%
from collections import defaultdict

from quasar.events import AnswerScored, TaskSampled
from quasar.replay import Until, audit, open_log, replay, simulate
from quasar.rules.statistics import summarise

# %% [markdown]
# ## Open it
#
# `"sample"` comes with the package; the folder of an archive, or of a log's volumes, opens the
# same way.

# %%
log = open_log("sample")
print(f"{len(log)} events of {log.hotkey}")

# %% [markdown]
# ## Recompute everything
#
# "clean" means what was proved, and no more: read what was not checked, too. Who signed the log is
# what the log says, unless you name the validator whose it must be: `audit(log, hotkey="5F...")`.

# %%
report = audit(log)
print(report.result)
for line in report.proved:
    print("  proved:     ", line)
for line in report.not_checked:
    print("  not checked:", line)
if report.first_divergence:
    print("  first divergence:", report.first_divergence)

# %% [markdown]
# ## Go back in time
#
# The leaderboard as it was when half of the events were written, and as it is now.

# %%
half, now = replay(log, Until(seq=len(log) // 2)), replay(log)
for state in (half, now):
    print(f"after event {state.seq}: {state.scored} rounds scored")
    for miner in state.miners[:3]:
        print(f"  {miner.hotkey[:8]} score {miner.score or 0.0:.3f} weight {miner.u16}")

# %% [markdown]
# ## Ask what if
#
# The same answers under another policy: one that ships, or a TOML file of yours.

# %%
other = simulate(log, "weighted-v1")
print(f"from {other.recorded} to {other.policy}: L1 distance of the weights {other.weights.l1:.3f}")
for change in other.weights.miners:
    print(f"  {change.hotkey[:8]} {change.old_share:.3f} -> {change.new_share:.3f}")

# %% [markdown]
# ## Ask something of your own
#
# Iterate over typed events. A mean never stands alone: n and interval tell what it is worth.

# %%
families = {(task.round, task.task): task.family for task in log.events(TaskSampled)}
accuracy: dict[str, list[float]] = defaultdict(list)
for score in log.events(AnswerScored):
    accuracy[f"{families[score.round, score.task]} {score.bucket}"].append(score.accuracy)
summaries = {name: summarise(values) for name, values in sorted(accuracy.items())}
for name, summary in summaries.items():
    if summary:
        print(
            f"{name:<16} {summary.mean:.2f} ({summary.low:.2f} to {summary.high:.2f}) n={summary.n}"
        )

# %% [markdown]
# For SQL, pandas or Hugging Face: `quasar export sample --to parquet --out DIR`.
