"""Heavy packages, imported when an engine needs them and never before."""

from importlib import import_module
from typing import Any

from quasar.errors import MissingExtra


def need(package: str) -> Any:
    """The package of that name. Raises MissingExtra where it is not installed."""
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise MissingExtra("torch", package) from None
