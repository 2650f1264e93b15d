"""Runs commands as a program would that was released before something in a log was.

``python -m tests.golden.older JSON``, where JSON has ``edits`` (module to text that is replaced in
its source as it is imported) and ``commands``. Prints a JSON list: exit code, stdout and stderr.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import BytesIO, StringIO, TextIOWrapper
from types import CodeType, ModuleType

Edit = tuple[str, str]


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles a module's source with something else in one place."""

    edit: Edit = ("", "")

    def get_code(self, fullname: str) -> CodeType:
        """Raises ValueError where the text is not there exactly once: then nothing is older."""
        source = self.get_data(self.path).decode()
        if source.count(self.edit[0]) != 1:
            raise ValueError(
                f"{fullname} holds {self.edit[0]!r} {source.count(self.edit[0])} times"
            )
        return compile(source.replace(*self.edit), self.path, "exec")


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, edits: Mapping[str, Edit]) -> None:
        self._edits = edits

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in self._edits:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        assert spec is not None
        assert spec.origin is not None
        loader = _Loader(name, spec.origin)
        loader.edit = self._edits[name]
        return importlib.util.spec_from_file_location(
            name,
            spec.origin,
            loader=loader,
            submodule_search_locations=spec.submodule_search_locations,
        )


def main(edits: Mapping[str, Edit], commands: Sequence[Sequence[str]]) -> None:
    """Run the commands one after the other in this process."""
    sys.meta_path.insert(0, _Finder({name: (old, new) for name, (old, new) in edits.items()}))
    from quasar.cli import app
    from quasar.cli.run import run

    ended = []
    for command in commands:
        out, err = TextIOWrapper(BytesIO(), "utf-8"), StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = run(app, command)
        out.flush()
        ended.append((code, out.buffer.getvalue().decode(), err.getvalue()))
    sys.stdout.write(json.dumps(ended))


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
