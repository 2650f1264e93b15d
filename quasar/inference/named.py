"""What people call a model: one that the project fetches, a folder, or a name on the model hub."""

from pathlib import Path

from quasar.errors import TryAgain, UsageError
from quasar.inference.extras import need
from quasar.inference.models import MODELS


def model_folder(name: str, kept: Path) -> Path:
    """The folder of a model; one on the hub is downloaded to the hub's own cache, once.

    ``kept``: where ``quasar model get`` keeps models. Raises UsageError for a model that is not
    there, MissingExtra without the packages, TryAgain where the hub does not answer.
    """
    if name in MODELS:
        if not (kept / name).is_dir():
            raise UsageError(f"the model {name} is not here yet: quasar model get {name}")
        return kept / name
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        known = ", ".join(MODELS)
        raise UsageError(
            f"there is no model {name!r}: name {known}, a folder, or a hub model as owner/name"
        )
    return _from_hub(name)


def _from_hub(name: str) -> Path:
    hub, errors = need("huggingface_hub"), need("huggingface_hub.errors")
    wanted = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]  # and never code
    try:
        return Path(hub.snapshot_download(name, allow_patterns=wanted))
    except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
        raise UsageError(f"the model hub has no {name}: {_first_line(error)}") from None
    except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, OSError) as error:
        raise TryAgain(
            f"{name} cannot be fetched from the model hub ({_first_line(error)}): try again, or "
            "name a folder that holds it"
        ) from None


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
