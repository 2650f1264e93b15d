"""One build of the archives for all tests of packaging."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from it."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=110)
    return out


@pytest.fixture(scope="session")
def wheel(archives: Path) -> Path:
    """The wheel."""
    (path,) = archives.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def core_wheels(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and those of all core dependencies for this platform."""
    out = tmp_path_factory.mktemp("core")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    pins = ["--constraint", str(ROOT / "constraints.txt"), "--only-binary", ":all:"]
    command = [*pip, "download", "-qq", *pins, "--dest", str(out), str(wheel)]
    subprocess.run(command, check=True, timeout=110)
    return out


@pytest.fixture(scope="session")
def core_python(core_wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the core and nothing else."""
    env = tmp_path_factory.mktemp("env")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(env)], check=True)
    python = env / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
    source = ["--no-index", "--find-links", str(core_wheels)]
    subprocess.run([*pip, "install", "-qq", *source, "quasar-subnet"], check=True, timeout=110)
    return python
