"""Every character of Unicode 14 means the same to the metrics on every Python."""

import subprocess
import sys

import pytest

from tests.e2e import code_points
from tests.e2e.test_pythons import VERSIONS, python_with_core

DIGEST = "f83bd90669a0f907908f65e679b70201505075c9f427ede62b5eadf0a164cb69"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("version", ["this", *VERSIONS])
def test_characters_do_not_depend_on_the_python(version: str) -> None:
    """Case, blanks, digits, word ends and scores of all code points have one digest."""
    python = sys.executable if version == "this" else str(python_with_core(version))
    done = subprocess.run([python, code_points.__file__], stdout=subprocess.PIPE, text=True)
    assert done.stdout.strip() == DIGEST
