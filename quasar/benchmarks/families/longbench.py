"""Families ``longbench.NAME@1``: LongBench's 21 data sets, and LongBench-E's as ``NAME_e``."""

import msgspec

from quasar.benchmarks.longbench import DATASETS, Item, dataset_of
from quasar.benchmarks.packs import ItemPack
from quasar.benchmarks.published import Asked, Published


class LongBench(Published):
    """The family of one data set."""

    metric = "longbench@1"
    kind = ItemPack

    def __init__(self, file: str) -> None:
        """``file``: one of ``quasar.benchmarks.longbench.FILES``."""
        self._dataset = dataset_of(file)
        found = DATASETS[self._dataset]
        self.pack_name = f"longbench.{file}"
        self.name = f"{self.pack_name}@1"
        self.guess_rate, self.pointed = found.guess_rate, found.pointed
        self.max_new_tokens = found.max_new_tokens
        """Longest output in the published runs."""

    def asked(self, item: Item) -> Asked:
        """The published prompt; all its answers are right."""
        return Asked(
            question=DATASETS[self._dataset].question(item),
            answer=msgspec.json.encode(item.answers).decode(),
            references=item.answers,
            options={"dataset": self._dataset, "all_classes": item.all_classes},
        )
