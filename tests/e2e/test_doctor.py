"""``quasar doctor``: what a machine has and lacks, told before anything fails for want of it."""

import json

from tests.e2e.programs import run
from tests.sandboxes import need

NOWHERE = "unix:///nowhere/docker.sock"


def test_the_driver_is_named_with_its_reason() -> None:
    """Without an engine, bubblewrap is opened and seen to hold; the demo can run."""
    need("bubblewrap")
    done = run("doctor", "--json", DOCKER_HOST=NOWHERE)
    assert done.code == 0, done
    report = json.loads(done.out)
    assert report["ready"] is True
    checks = {check["name"]: check for check in report["checks"]}
    assert {"python", "nats-server", "extra validator", "engine", "bubblewrap"} <= checks.keys()
    assert checks["sandbox"]["state"] == "ok", checks
    assert checks["sandbox"]["detail"].startswith("bubblewrap, for want of an engine; its walls")
    assert checks["engine"]["state"] == "optional"
    assert NOWHERE in checks["engine"]["detail"]
    assert checks["nats-server"]["state"] == "ok"


def test_what_is_needed_and_missing_is_marked() -> None:
    """The line says what to do, the last one that it is needed, and so does the exit code."""
    done = run("doctor", DOCKER_HOST=NOWHERE, QUASAR_NATS_SERVER="/nowhere/nats-server")
    *lines, last = done.out.splitlines()
    (server,) = [line for line in lines if "nats-server" in line]
    assert server.startswith("!!  nats-server")
    assert "correct or unset it" in server
    assert [line for line in lines if line.startswith("!!")] == [server]
    assert (done.code, last) == (1, "not ready: see the lines with !!")
