"""What the README tells people to type works."""

import os
import re
import shutil
import subprocess

import pytest

from quasar.config import sample_archive
from quasar.log.archive_reader import ArchiveLog
from tests.packaging.conftest import ROOT
from tests.unit.test_cli import ALL

README = (ROOT / "README.md").read_text()
PAGES = ["README.md", *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))]
TOOLS = ("jq", "xxd", "zstdcat")


def block(section: str) -> str:
    """The first block of commands in a section."""
    _, _, rest = README.partition(f"\n## {section}\n")
    found = re.search(r"^```(?:sh)?\n(.*?)^```$", rest.partition("\n## ")[0], re.M | re.S)
    assert found, section
    return found[1]


def test_a_log_verified_by_hand() -> None:
    """The commands run on the recorded log, and the leaf hash is the one in the tile."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing and not os.environ.get("CI"):
        pytest.skip(f"not installed: {', '.join(missing)}")
    commands = block("Verify a log by hand").replace("cd quasar-demo", f"cd '{sample_archive()}'")
    done = subprocess.run(["bash", "-ec", commands], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "AnswerScored" in done.stdout
    hashes = re.findall(r"^([0-9a-f]{64})\b", done.stdout, re.M)
    assert len(hashes) == 2
    assert hashes[0] == hashes[1]
    assert "quasar/" in done.stdout, "the checkpoint's origin"


def test_every_command_is_described() -> None:
    """In docs/commands.md, by its whole name."""
    text = (ROOT / "docs" / "commands.md").read_text()
    named = {tuple(found.split()) for found in re.findall(r"`quasar ((?:[a-z]+ ?)+)", text)}
    missing = [words for words in ALL if not any(n[: len(words)] == words for n in named)]
    assert not missing


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """Each link from a page to a file of this repository."""
    links = re.findall(r"\[[^\]]+\]\(([^)#:\s]+)\)", (ROOT / page).read_text())
    assert not [link for link in links if not ((ROOT / page).parent / link).exists()]


def test_the_samples_hotkey() -> None:
    """The README names the validator of the sample that is in the package."""
    assert ArchiveLog(sample_archive()).manifest.hotkey in README
