"""A folder that ``datasets.load_dataset`` loads offline: Parquet tables and a card."""

from pathlib import Path

from quasar.sinks.parquet import Parquet
from quasar.sinks.sink import Origin, Record
from quasar.sinks.tables import Tables

_CARD = """---
pretty_name: A Quasar log
configs:
{configs}---

# A Quasar log

Every event of one validator's signed log on a Bittensor subnet, one configuration per event type:

```python
from datasets import load_dataset

scores = load_dataset("PATH/OF/THIS/FOLDER", "{example}", split="train")
```

Rows stand in log order: `volume`, then `seq`. `payload` is the event as it is stored, byte for
byte; the columns after it repeat its scalar fields. `manifest.json` has the digest of every file
and says from which events they were made, `queries.sql` reads the tables with DuckDB, and
`schema.json` describes each event.

| volume | root of its Merkle tree |
|---|---|
{volumes}
Questions, tasks and scores were made by the validator, answers by its miners: they are texts of
strangers. To recompute the scores and weights: `quasar audit` on the log itself.
"""


class Datasets:
    """A ``Sink``."""

    def __init__(self) -> None:
        self._tables = Tables(Parquet(), "data/")
        self.packages = self._tables.packages
        self._folder = Path()

    def begin(self, folder: Path) -> None:
        """As ``Sink.begin``."""
        self._folder = folder
        self._tables.begin(folder)

    def write(self, record: Record) -> None:
        """As ``Sink.write``."""
        self._tables.write(record)

    def end(self, source: Origin) -> dict[str, int]:
        """As ``Sink.end``; the card is ``README.md``."""
        files = self._tables.end(source)
        names = sorted(Path(name).stem for name in files if name.endswith(".parquet"))
        card = _card(names, source)
        (self._folder / "README.md").write_text(card, "utf-8")
        return {**files, "README.md": card.count("\n")}

    def close(self) -> None:
        """As ``Sink.close``."""
        self._tables.close()


def _card(names: list[str], source: Origin) -> str:
    configs = [f"- config_name: {name}\n  data_files: data/{name}.parquet\n" for name in names]
    pairs = zip(source.origins, source.roots, strict=True)
    return _CARD.format(
        configs="".join(configs),
        example="AnswerScored" if "AnswerScored" in names else names[0],
        volumes="".join(f"| `{origin}` | `{root}` |\n" for origin, root in pairs),
    )
