"""A policy that this program cannot play is refused before anything is signed."""

from pathlib import Path

import pytest

from quasar.cli import app
from quasar.cli.playable import playable
from quasar.cli.run import run
from quasar.config import load_policy, policy_names
from quasar.errors import UsageError

FAMILY = 'family = "factbook@1"\nbucket = "32k"\ntasks = 4\n'
WRONG = {
    "nosuch": ('family = "nosuch@1"', "no task family is called 'nosuch@1'"),
    "no-version": ('family = "ancestors"', "write 'ancestors@1'"),
    "level": ('family = "ancestors@1"\nlevel = 9', "which has 3 levels"),
    "no-levels": ('family = "hops@1"\nlevel = 1', "which has no levels"),
    "metric": ('family = "hops@1"\nmetric = "rouge_l"', "the metric 'rouge_l'"),
}


def changed(folder: Path, entry: str) -> Path:
    """readme-v1 with another first entry."""
    toml = load_policy("readme-v1").decode()
    assert FAMILY in toml
    path = folder / "policy.toml"
    path.write_text(toml.replace(FAMILY, f'{entry}\nbucket = "32k"\ntasks = 4\n', 1))
    return path


@pytest.mark.parametrize("wrong", sorted(WRONG))
def test_a_slip_is_named(tmp_path: Path, wrong: str) -> None:
    """The family, level or metric that there is not."""
    entry, said = WRONG[wrong]
    with pytest.raises(UsageError) as error:
        playable(str(changed(tmp_path, entry)))
    assert said in str(error.value)


def test_a_size_that_a_family_does_not_make_is_named(tmp_path: Path) -> None:
    """code@1 ends at 512,000 tokens."""
    toml = load_policy("readme-v1").decode()
    path = tmp_path / "policy.toml"
    path.write_text(toml.replace("factbook@1", "code@1"))
    with pytest.raises(UsageError, match="code@1 makes contexts of 4,000 to 512,000 tokens"):
        playable(str(path))


def test_nothing_is_signed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A validator with such a policy ends with 2, one line and no archive."""
    policy = str(changed(tmp_path, WRONG["nosuch"][0]))
    out = tmp_path / "out"
    arguments = ["validate", "--mock", "--once", "1", "--policy", policy, "--out", str(out)]
    assert run(app, arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize("name", policy_names())
def test_what_ships_can_be_played(name: str) -> None:
    """Every policy of the package."""
    assert playable(name).policy.name == name
