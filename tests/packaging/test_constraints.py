"""constraints.txt names one version of everything that any extra installs."""

from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.packaging.conftest import ROOT


def pins() -> dict[str, Requirement]:
    """Name to pin."""
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    found = [Requirement(line) for line in lines if not line.startswith("#")]
    return {canonicalize_name(pin.name): pin for pin in found}


def required(name: str, extras: frozenset[str], seen: set[tuple[str, frozenset[str]]]) -> None:
    """Every distribution that an installation with these extras brings to this platform."""
    if (name, extras) in seen:
        return
    seen.add((name, extras))
    for text in metadata.requires(name) or []:
        need = Requirement(text)
        marker = need.marker
        if marker is None or any(marker.evaluate({"extra": e}) for e in extras | {""}):
            required(canonicalize_name(need.name), frozenset(need.extras), seen)


def test_every_requirement_is_pinned() -> None:
    """All that [dev] needs, directly or not, has a pin, and so has the [all] of users."""
    seen: set[tuple[str, frozenset[str]]] = set()
    required("quasar-subnet", frozenset({"dev", "all"}), seen)
    names = {name for name, _ in seen} - {"quasar-subnet"}
    assert len(names) > 20
    assert names <= set(pins()), "run scripts/lock"


def test_a_pin_is_one_version() -> None:
    """Each line is an exact version, and one that pyproject.toml admits."""
    found = pins()
    for pin in found.values():
        (specifier,) = pin.specifier
        assert specifier.operator == "=="
    for text in metadata.requires("quasar-subnet") or []:
        need = Requirement(text)
        if need.name != "quasar-subnet":
            (specifier,) = found[canonicalize_name(need.name)].specifier
            assert need.specifier.contains(specifier.version), f"run scripts/lock: {need}"
