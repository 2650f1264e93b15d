"""``queries.sql``: the tables and four questions, as DuckDB asks them."""

from collections.abc import Mapping

from quasar.events import EVENT_TYPES
from quasar.sinks.columns import PLACE, Column, columns_of

_TYPES = {"int": "BIGINT", "float": "DOUBLE", "text": "VARCHAR", "bool": "BOOLEAN"}
_ASKED = (
    "AnswerNotScored",
    "AnswerReceived",
    "AnswerScored",
    "ExecutionAbandoned",
    "RoundAbandoned",
    "RoundSkipped",
    "TaskSampled",
    "WeightsComputed",
)
"""Tables that the questions read: where a log has no such event, they are empty."""

_HEAD = """\
-- Questions to an exported log. In this folder: duckdb < queries.sql
-- Each is a view: open duckdb with -init queries.sql and ask on.
"""

_QUESTIONS = """
-- Who leads: the newest row of weights, and the mean reward with its 95 % interval: Wilson's for
-- rewards of 0 and 1 only, else mean -/+ 1.96 standard errors.
CREATE OR REPLACE TEMP MACRO wilson(mean, n, side) AS
  (mean + 1.9208 / n + side * 1.96 * sqrt(mean * (1 - mean) / n + 0.9604 / (n * n)))
  / (1 + 3.8416 / n);
CREATE OR REPLACE TEMP VIEW leaderboard AS
WITH newest AS (
  SELECT payload FROM "WeightsComputed" ORDER BY volume DESC, seq DESC LIMIT 1
), standing AS (
  SELECT unnest(from_json(payload, '{"weights": [{"hotkey": "VARCHAR", "uid": "INTEGER",
    "score": "DOUBLE", "u16": "INTEGER"}]}').weights, recursive := true)
  FROM newest
), earned AS (
  SELECT hotkey, count(*) AS answers, avg(reward) AS mean,
    stddev_samp(reward) / sqrt(count(*)) AS standard_error, bool_and(reward IN (0, 1)) AS exact
  FROM "AnswerScored" GROUP BY hotkey
)
SELECT rank() OVER (ORDER BY coalesce(u16, 0) DESC) AS rank, hotkey, uid, u16, score AS ema,
  answers, mean, standard_error,
  CASE WHEN exact THEN greatest(0, wilson(mean, answers, -1))
    ELSE greatest(0, coalesce(mean - 1.96 * standard_error, 0)) END AS low,
  CASE WHEN exact THEN least(1, wilson(mean, answers, 1))
    ELSE least(1, coalesce(mean + 1.96 * standard_error, 1)) END AS high
FROM earned FULL JOIN standing USING (hotkey)
ORDER BY rank, mean DESC, hotkey;
SELECT * FROM leaderboard;

-- How long answers take, in milliseconds from acceptance to the last byte.
CREATE OR REPLACE TEMP VIEW latency_by_bucket AS
SELECT bucket, count(*) AS answers, quantile_disc(elapsed_ms, 0.5) AS p50,
  quantile_disc(elapsed_ms, 0.9) AS p90, quantile_disc(elapsed_ms, 0.99) AS p99,
  max(elapsed_ms) AS slowest, count(*) FILTER (elapsed_ms > a.deadline_ms) AS late
FROM "AnswerReceived" AS a JOIN "TaskSampled" AS t USING (volume, round, task)
GROUP BY bucket ORDER BY min(a.deadline_ms), bucket;
SELECT * FROM latency_by_bucket;

-- Every row of weights that was computed.
CREATE OR REPLACE TEMP VIEW weights_over_time AS
SELECT * FROM (
  SELECT volume, seq, epoch, block, make_timestamp("at" // 1000) AS computed_at,
    unnest(from_json(payload, '{"weights": [{"hotkey": "VARCHAR", "uid": "INTEGER",
      "score": "DOUBLE", "samples": "BIGINT", "u16": "INTEGER"}]}').weights, recursive := true)
  FROM "WeightsComputed"
) ORDER BY volume, seq, uid;
SELECT * FROM weights_over_time;

-- Whose failures: only the miner's own cost it anything.
CREATE OR REPLACE TEMP VIEW failures_by_owner AS
SELECT owner, what, failure, count(*) AS times FROM (
  SELECT 'miner' AS owner, 'answer' AS what, failure FROM "AnswerScored" WHERE failure IS NOT NULL
  UNION ALL SELECT fault, 'answer', failure FROM "AnswerNotScored"
  UNION ALL SELECT fault, 'execution', reason FROM "ExecutionAbandoned"
  UNION ALL SELECT fault, 'round', reason FROM "RoundSkipped"
  UNION ALL SELECT fault, 'round', reason FROM "RoundAbandoned"
) GROUP BY ALL ORDER BY times DESC, owner, what, failure;
SELECT * FROM failures_by_owner;
"""


def queries(files: Mapping[str, str], suffix: str) -> str:
    """The SQL for tables: relative file name to event type. ``suffix`` names their format."""
    named = {tag: file for file, tag in files.items()}
    views = [
        f'CREATE OR REPLACE TEMP VIEW "{tag}" AS\nSELECT {_source(tag, named.get(tag), suffix)};\n'
        for tag in sorted(named.keys() | set(_ASKED))
    ]
    return "\n".join([_HEAD, *views]) + _QUESTIONS


def _source(tag: str, file: str | None, suffix: str) -> str:
    columns = (*PLACE, *columns_of(EVENT_TYPES[tag]))
    if file is None:
        nulls = ", ".join(f'NULL::{_TYPES[c.kind]} AS "{c.name}"' for c in columns)
        return f"{nulls} WHERE false"
    if suffix == ".parquet":
        return f"* FROM read_parquet('{file}')"
    return f"* FROM read_json('{file}', format = 'newline_delimited', columns = {_typed(columns)})"


def _typed(columns: tuple[Column, ...]) -> str:
    return "{" + ", ".join(f"'{c.name}': '{_TYPES[c.kind]}'" for c in columns) + "}"
