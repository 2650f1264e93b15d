"""Packs of a user's own documents, in units that generators can take from them."""

import hashlib
import platform
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path

from quasar.benchmarks import tokenizer
from quasar.benchmarks.lengthen import lines_of
from quasar.benchmarks.packs import TextPack
from quasar.errors import UsageError

TEXT = (".txt", ".md", ".rst", ".tex", ".html", ".xml", ".json", ".yaml", ".yml", ".toml")
CODE = (".py", ".pl", ".rb", ".lua", ".sh", ".sql", ".js", ".jsx", ".ts", ".tsx", ".php", ".css")
COMPILED = (".c", ".cc", ".cpp", ".h", ".hpp", ".cs", ".go", ".java", ".kt", ".rs", ".scala")
DOCUMENTS = "documents"
"""What every pack of them is called: its digest follows from the texts, not from a folder."""
SUFFIXES = frozenset((*TEXT, *CODE, *COMPILED, ".swift", ".proto"))
"""Files that count as documents."""
UNIT_CHARACTERS = 6_000
"""A unit ends behind an empty line; and behind a line once it is longer than this."""
_LEFT_OUT = frozenset(("site-packages", "dist-packages", "test", "tests", "idlelib", "pydoc_data"))
"""Folders that are no part of the standard library, or full of tables and broken files."""


def documents(path: Path) -> TextPack:
    """All documents in a folder, in the order of their names; or one file.

    Hidden files and folders, links, and files of other kinds are left out. Raises UsageError for
    one that is not UTF-8, and where there is no text.
    """
    if path.is_file():
        return _pack(DOCUMENTS, {path.name: path})
    found = (p for p in path.rglob("*") if p.suffix in SUFFIXES)
    named = {p.relative_to(path).as_posix(): p for p in found if p.is_file()}
    shown = {n: p for n, p in named.items() if not _hidden(n) and not p.is_symlink()}
    if not shown:
        raise UsageError(f"{path} holds no documents: they end in .txt, .md, .py and the like")
    return _pack(DOCUMENTS, shown)


def stdlib() -> TextPack:
    """The standard library of the Python that runs this, without its tests."""
    folder = Path(sysconfig.get_path("stdlib"))
    named = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*.py")}
    kept = {n: p for n, p in named.items() if _LEFT_OUT.isdisjoint(n.split("/"))}
    return _pack(f"stdlib {platform.python_version()}", kept)


def _hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def _pack(name: str, files: dict[str, Path]) -> TextPack:
    """The files in the order of their names, which are no part of it."""
    units: dict[str, None] = {}  # each once, in order: licences stand over many files
    total = hashlib.sha256()
    for file in sorted(files):
        data = _read(files[file])
        total.update(hashlib.sha256(data).digest())
        units.update(dict.fromkeys(units_of(_decoded(data, file))))
    if not units:
        raise UsageError(f"there is no text in {', '.join(sorted(files)[:3])}")
    return TextPack(name, list(units), [tokenizer.count(u) for u in units], total.hexdigest())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise UsageError(f"{path} cannot be read: {problem.strerror}") from None


def _decoded(data: bytes, file: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise UsageError(
            f"{file} is not UTF-8 (byte {problem.start}): save it as UTF-8 or leave it out"
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def units_of(text: str) -> Iterator[str]:
    """A text in units: paragraphs, or definitions of a program that stand at the margin.

    Each begins with a character that is not white space and ends with a newline, so that token
    counts add up. Of the text, only white space at its two ends is lost.
    """
    if not (text := text.strip()):
        return
    unit: list[str] = []
    for lines in lines_of(text + "\n"):
        unit.append(lines)
        if _ends(unit):
            yield "".join(unit)
            unit = []
    if unit:
        yield "".join(unit)


def _ends(unit: Sequence[str]) -> bool:
    """Whether an empty line ends it, or its length."""
    last = unit[-1].rstrip(" \t\n")
    return unit[-1].count("\n", len(last)) > 1 or sum(map(len, unit)) > UNIT_CHARACTERS
