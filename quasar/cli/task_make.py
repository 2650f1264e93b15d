"""``quasar task make``: one task in full, as a round would make it of the same seed."""

import re
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter
from msgspec import Struct

from quasar.benchmarks.about import find, parameters
from quasar.benchmarks.family import Family, Instance, Template
from quasar.benchmarks.tokenizer import TOKENIZER
from quasar.cli.output import err, say_json
from quasar.draw import derive
from quasar.errors import UsageError

UNITS = {"": 1, "k": 1_000, "m": 1_000_000}


def make(
    *,
    family: str,
    tokens: str,
    seed: Annotated[str, Parameter(allow_leading_hyphen=True)],
    out: Annotated[str, Parameter(allow_leading_hyphen=True)],
    hotkey: str = "",
    level: int | None = None,
    set_: Annotated[list[str] | None, Parameter(name="--set", negative="")] = None,
    source: Annotated[str, Parameter(name=["--source", "--corpus"])] = "",
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Write a task: question, context, answer, proof.

    Parameters
    ----------
    family
        Its name, with or without its version.
    tokens
        Length of the context, such as 32k, 1.5m or 4000.
    seed
        The task's seed as a log reveals it, 64 hexadecimal digits; or any other text.
    out
        The file to write; ``-`` is stdout.
    hotkey
        The miner whose variant it is.
    level
        Of difficulty, from 1.
    set_
        A parameter of the family, as name=value; may be given several times.
    source
        What things are hidden in: a pack file, a folder of documents, ``stdlib``, a data set.
    json
        Print what was made, without question, context and answer, as one JSON object.
    """
    kind = find(family)
    chosen = parameters(kind, level, dict(map(_assigned, set_ or [])))
    if not out:
        raise UsageError("--out is empty: name the file to write, or - for stdout")
    size, key = tokens_of(tokens), seed_of(seed)
    digest = _opened(source, kind.name)
    template = kind.template(key, size, chosen, digest)
    instance = template.instance(derive(key, f"variant/{hotkey}"))
    made = {
        **_about(kind, template, chosen),
        "seed": key.hex(),
        "hotkey": hotkey,
        "source": digest,
        "size": size,
        **_content(instance),
    }
    _write(out, made)
    if json and out != "-":
        hidden = ("question", "context", "answer", "references", "program", "proof")
        say_json({name: value for name, value in made.items() if name not in hidden})
    elif out != "-":
        err.print(f"{out}: {kind.name}, {instance.tokens} tokens", markup=False)
    return 0


def tokens_of(text: str) -> int:
    """A length as people write it. Raises UsageError for what is none."""
    found = re.fullmatch(r"([0-9]{1,9})(?:\.([0-9]{1,6}))?([km]?)", text.lower().replace("_", ""))
    if not found:
        raise UsageError(f"{text!r} is no number of tokens: write 32k, 1.5m or 4000")
    whole, part, unit = found[1], found[2] or "", UNITS[found[3]]
    return int(whole + part) * unit // int("1" + "0" * len(part))


def seed_of(text: str) -> bytes:
    """64 hexadecimal digits are the seed itself; any other text is hashed.

    Raises UsageError for none: a shell gives it for a variable that was never set.
    """
    if not text:
        raise UsageError("--seed is empty: give 64 hexadecimal digits, or any other text")
    if re.fullmatch("[0-9a-fA-F]{64}", text):
        return bytes.fromhex(text)
    return sha256(text.encode("utf-8", "surrogatepass")).digest()


def _assigned(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise UsageError(f"--set takes name=value, not {text!r}")
    return name.strip(), value.strip()


def _opened(source: str, family: str) -> str:
    """Digest of a source that is installed by this; empty for none."""
    if not source:
        return ""
    from quasar.packs import open_source

    return open_source(source, family)


def _about(family: Family, template: Template, chosen: Struct | None) -> dict[str, Any]:
    return {
        "family": family.name,
        "metric": family.metric,
        "guess_rate": family.guess_rate,
        "parameters": None if chosen is None else msgspec.to_builtins(chosen),
        "tokenizer": TOKENIZER,
        "template": template.digest,
    }


def _content(instance: Instance) -> dict[str, Any]:
    context = instance.context()
    lines = context.split("\n")
    return {
        "question": "\n".join(part.text for part in instance.question),
        "answer": instance.answer,
        "references": list(instance.references),
        "options": dict(instance.options),
        "program": None if instance.program is None else instance.program._asdict(),
        "proof": [
            {"line": place.first + 1, "lines": lines[place.first : place.first + place.lines]}
            for place in instance.proof
        ],
        "canary": getattr(instance, "canary", ""),
        "tokens": instance.tokens,
        "context_sha256": sha256(context.encode()).hexdigest(),
        "context": context,
    }


def _write(out: str, made: dict[str, Any]) -> None:
    if out == "-":
        say_json(made)
        return
    try:
        Path(out).write_bytes(msgspec.json.encode(made) + b"\n")
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror}") from None
