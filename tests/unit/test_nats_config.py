"""``quasar nats config``: what it prints, and what it keeps."""

import json
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from quasar.cli import app
from quasar.cli.run import run
from quasar.log.access import ADMIN, USERS
from quasar.log.external import read_logins, read_proofs
from quasar.log.nkeys import Nkey
from quasar.log.server_program import find_server
from quasar.rules.owners import SLOTS

Config = Callable[..., str]

ROUTES = "10.0.0.1:6222,10.0.0.2:6222,10.0.0.3:6222"


@pytest.fixture
def config(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Config:
    """The command's output, or its error."""

    def call(*arguments: object) -> str:
        words = ["nats", "config", "--credentials", tmp_path / "logins.json", *arguments]
        code = run(app, [str(word) for word in words])
        shown = capsys.readouterr()
        return shown.out if code == 0 else shown.err

    return call


def test_one_user_an_actor(config: Config, tmp_path: Path) -> None:
    """Public keys with the rights of their actors; the seeds are in a private file alone."""
    text = config()
    users = json.loads(text.partition("\n")[2])["authorization"]["users"]
    file = tmp_path / "logins.json"
    proofs = read_proofs(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [user["nkey"] for user in users] == [Nkey.parse(proofs[u].seed).public for u in USERS]
    assert not any(proof.seed in text for proof in proofs.values() if proof.seed)
    assert "permissions" not in users[0]
    for actor, user in zip(SLOTS, users[1:], strict=True):
        assert {f"q.*.*.{slot}" for slot in SLOTS[actor]} == {
            subject for subject in user["permissions"]["publish"]["allow"] if subject[0] == "q"
        }
    assert set(read_logins(file, None)) == set(USERS)


@pytest.mark.parametrize("more", [[], ["--passwords"]], ids=["keys", "passwords"])
def test_logins_are_kept(config: Config, tmp_path: Path, more: list[str]) -> None:
    """Called again it prints the same; a user that is new is added, the others stay."""
    first, file = config(*more), tmp_path / "logins.json"
    kept = file.read_bytes()
    assert config(*more) == first
    assert file.read_bytes() == kept
    logins = json.loads(kept)
    removed = logins.pop("scorer")
    file.write_text(json.dumps(logins))
    config(*more)
    added = json.loads(file.read_text())
    assert added.pop("scorer") != removed
    assert added == logins


@pytest.mark.nats
@pytest.mark.parametrize("more", [[], ["--passwords"]], ids=["keys", "passwords"])
def test_a_server_takes_it(config: Config, tmp_path: Path, more: list[str]) -> None:
    """nats-server finds nothing wrong with a configuration of one server or of three."""
    for place in ([], *(["--cluster", ROUTES, "--node", n] for n in (1, 2, 3))):
        file = tmp_path / "conf"
        file.write_text(config(*more, *place, "--store", tmp_path / "js"))
        done = subprocess.run([find_server(), "-t", "-c", file], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "sync_interval" in file.read_text()


def test_three_servers_know_each_other(config: Config) -> None:
    """One set of logins and one password among them; each lists the two others."""
    made = [json.loads(config("--cluster", ROUTES, "--node", n, "--json")) for n in (1, 2, 3)]
    assert len({json.dumps(one["authorization"]) for one in made}) == 1
    assert len({one["server_name"] for one in made}) == 3
    for one in made:
        cluster = one["cluster"]
        password = cluster["authorization"]["password"]
        others = [route for route in ROUTES.split(",") if route != cluster["listen"]]
        assert cluster["routes"] == [f"nats-route://route:{password}@{other}" for other in others]


def test_certificates(config: Config) -> None:
    """Clients are asked for theirs only where an authority is named; servers among them always."""
    files = ["--tls-cert", "c.pem", "--tls-key", "k.pem"]
    alone = json.loads(config(*files, "--json"))["tls"]
    assert alone == {"cert_file": "c.pem", "key_file": "k.pem"}
    asking = json.loads(config(*files, "--tls-ca", "a.pem", "--cluster", ROUTES, "--json"))
    checked = alone | {"ca_file": "a.pem", "verify": True}
    assert asking["tls"] == asking["cluster"]["tls"] == checked


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--tls-cert", "c"], "--tls-cert needs --tls-key"),
        (["--tls-ca", "c"], "needs both"),
        (["--cluster", ROUTES, "--tls-cert", "c", "--tls-key", "k"], "give --tls-ca"),
        (["--cluster", "a:1,b:2"], "three addresses"),
        (["--cluster", "a:1,b:2,a:1"], "three addresses"),
        (["--cluster", "a:1,b:2,c:3", "--node", "4"], "1 to 3"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be(config: Config, flags: list[str], words: str) -> None:
    """One line that says what is missing."""
    said = config(*flags)
    assert said.startswith("quasar: ")
    assert words in said
    assert said.count("\n") == 1


def test_a_file_that_others_may_read(config: Config, tmp_path: Path) -> None:
    """It is not taken, nor written over."""
    config()
    file = tmp_path / "logins.json"
    file.chmod(0o640)
    before = file.read_bytes()
    assert "chmod 600" in config()
    assert file.read_bytes() == before
    assert ADMIN in json.loads(before)
