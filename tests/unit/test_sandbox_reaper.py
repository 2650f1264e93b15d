"""When a process counts as dead: never on a guess."""

import os
import subprocess
import sys

import pytest

from quasar.sandbox.reaper import is_dead, this_process


@pytest.fixture
def gone() -> str:
    """The label of a process that has ended."""
    return ended_child(wait=True)


def ended_child(wait: bool) -> str:
    say = "from quasar.sandbox.reaper import this_process; print(this_process(), flush=True)"
    child = subprocess.Popen([sys.executable, "-c", say], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    label = child.stdout.read().strip()
    child.stdout.close()
    if wait:
        child.wait()
    else:  # its parent has not asked how it ended: it is still listed
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert is_dead(label)
        child.wait()
    return label


def changed(label: str, part: int, value: str) -> str:
    parts = label.split("/")
    parts[part] = value
    return "/".join(parts)


def test_who_runs_is_alive() -> None:
    """This process, and one of other rights than ours."""
    assert not is_dead(this_process())
    assert len(set(this_process().split("/"))) == 4


def test_who_ended_is_dead(gone: str) -> None:
    """Its pid names nobody."""
    assert is_dead(gone)


def test_who_ended_and_is_still_listed_is_dead() -> None:
    """A parent that does not ask, such as a container's first process, changes nothing."""
    ended_child(wait=False)


def test_a_pid_that_was_given_to_another_is_not_mistaken(gone: str) -> None:
    """The start time tells them apart."""
    assert is_dead(changed(this_process(), 3, "1"))


@pytest.mark.parametrize("part", [0, 1], ids=["boot", "pid namespace"])
def test_of_another_place_nobody_knows(gone: str, part: int) -> None:
    """Another machine, an earlier boot or another container: no pid of theirs means one here."""
    assert not is_dead(changed(gone, part, "another"))


@pytest.mark.parametrize("label", ["", "////", "a/b/c", "a/b/c/d/e", "boot/1/x/2"])
def test_a_label_that_says_nothing_proves_nothing(label: str) -> None:
    """Whoever wrote it."""
    assert not is_dead(label)


def test_a_proc_of_another_pid_namespace_proves_nothing() -> None:
    """Pids count otherwise there: who lives here must not be taken for dead."""
    code = (
        "from quasar.sandbox.reaper import is_dead, this_process as t; import os;"
        "b, n, _, s = t().split('/'); print(is_dead(f'{b}/{n}/{os.getpid()}/{s}x'))"
    )
    space = ["unshare", "--user", "--map-root-user", "--pid", "--fork"]  # and the outer /proc
    done = subprocess.run(
        [*space, sys.executable, "-c", code], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "False", done.stderr
