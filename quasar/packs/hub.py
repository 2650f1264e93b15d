"""The Hugging Face hub: fetches the data files of one revision."""

import re
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from quasar.errors import MissingExtra, UsageError
from quasar.packs.files import ZIP, Found, places

EXTRA = "longbench"
_SPEC = re.compile(r"hub:([\w.-]+/[\w.-]+)@([0-9a-f]{40})", re.ASCII)


class Hub(NamedTuple):
    """A data set on the hub, as it was once."""

    name: str
    """Such as ``THUDM/LongBench``."""
    revision: str
    """Of its git commit: a branch would be other data tomorrow."""

    @classmethod
    def parse(cls, spec: str) -> "Hub":
        """From ``hub:OWNER/NAME@COMMIT``. Raises UsageError."""
        if (found := _SPEC.fullmatch(spec)) is None:
            raise UsageError(
                f"{spec} names no data set: write hub:OWNER/NAME@COMMIT with all 40 digits of a "
                "commit, such as the page of its files shows"
            )
        return cls(found[1], found[2])

    def fetch(self, file: str, scratch: Path) -> Found:
        """Load the files of one data set into ``scratch``. Raises UsageError."""
        try:
            hub = import_module("huggingface_hub")
        except ModuleNotFoundError:
            raise MissingExtra(EXTRA, "datasets") from None
        folder = scratch / "hub"
        try:
            hub.snapshot_download(
                self.name,
                repo_type="dataset",
                revision=self.revision,
                local_dir=folder,
                allow_patterns=[ZIP, *places(file)] if file else places(file),
            )
        except Exception as problem:  # of several packages, for several versions
            said = str(problem).strip().splitlines() or [type(problem).__name__]
            raise UsageError(
                f"{self.name} cannot be fetched: {said[0]}; or download it and name the folder"
            ) from None
        return Found.at(folder, file, scratch, f"{self.name}@{self.revision}")
