"""The lint policy: what it refuses, what it lets pass, and how it is configured."""

from typing import Any

import msgspec
import pytest

from quasar.errors import UsageError
from quasar.sandbox import NO_POLICY, LintPolicy, SandboxConfig
from quasar.sandbox.inside.lint import refusal
from quasar.sandbox.policy import DEFAULT_POLICY


def refused(code: str, policy: LintPolicy = DEFAULT_POLICY) -> str | None:
    """What the policy says to a code."""
    return refusal(code, policy.modules, policy.calls)


REFUSED = {
    "import os": "line 1: import of 'os' is not allowed",
    "x = 1\nimport math, os.path as p": "line 2: import of 'os.path' is not allowed",
    "from os import path": "line 1: import of 'os' is not allowed",
    "from urllib.request import urlopen": "line 1: import of 'urllib.request' is not allowed",
    "def f():\n  if 1:\n    import socket": "line 3: import of 'socket' is not allowed",
    "import http.client\nimport os": "line 1: import of 'http.client' is not allowed",
    "def f(x): return eval(x)": "line 1: a call of 'eval' is not allowed",
    "open('a')": "line 1: a call of 'open' is not allowed",
    "__import__('math')": "line 1: a call of '__import__' is not allowed",
    "(lambda: exec(''))()": "line 1: a call of 'exec' is not allowed",
    "é = 1\ncompile('', '', 'exec')": "line 2: a call of 'compile' is not allowed",
    "import \N{MATHEMATICAL BOLD SMALL O}s": "line 1: import of 'os' is not allowed",
}


@pytest.mark.parametrize("code", REFUSED, ids=range(len(REFUSED)))
def test_what_the_default_policy_refuses(code: str) -> None:
    """One line with the number of the line and the name."""
    assert refused(code) == REFUSED[code]
    assert refused(code, NO_POLICY) is None


@pytest.mark.parametrize(
    "code",
    [
        "import random, hashlib, secrets, sys, re, math, json, time",
        "import re\nre.compile('a')",
        "class File:\n  def open(self): return self\nFile().open()",
        "closed = 'import os; eval(1)'  # open()",
        "import osmosis\nfrom . import os",
        "shutil = 1",
        "",
    ],
    ids=range(7),
)
def test_honest_code_passes(code: str) -> None:
    """Names that only look alike, and modules that a pure function needs."""
    assert refused(code) is None


def test_what_is_no_python_raises_as_the_compiler_does() -> None:
    """The child makes an error of the code of it; without a refused word nobody looks."""
    with pytest.raises(SyntaxError):
        refused("import os(")
    assert refused("import math(") is None


def test_a_module_inside_another_can_be_refused_alone() -> None:
    """A dotted name stands for itself and what is inside."""
    policy = LintPolicy(modules=("concurrent.futures",), calls=())
    assert refused("import concurrent", policy) is None
    assert refused("from concurrent import futures", policy) is not None
    assert refused("import concurrent.futures.thread", policy) is not None


@pytest.mark.parametrize("nothing", [None, (), [], {}, False, set(), "", NO_POLICY], ids=range(8))
def test_whatever_is_empty_is_no_policy(nothing: Any) -> None:
    """A configuration may say it in its own way."""
    assert SandboxConfig(policy=nothing).policy == NO_POLICY


def test_a_policy_is_given_by_names_or_fields() -> None:
    """A list is one of modules; fields that are not given keep their default."""
    assert SandboxConfig(policy=["os"]).policy == LintPolicy(modules=("os",), calls=())
    assert SandboxConfig(policy={"calls": []}).policy == LintPolicy(calls=())
    assert SandboxConfig().policy == SandboxConfig(policy=True).policy == DEFAULT_POLICY
    read = msgspec.json.decode('{"policy": null}', type=SandboxConfig)
    assert read.policy == NO_POLICY


@pytest.mark.parametrize("wrong", ["os", 7, {"imports": []}, [1], {"calls": "eval"}], ids=range(5))
def test_a_policy_that_nobody_understands_is_refused(wrong: Any) -> None:
    """The error says what to give."""
    with pytest.raises(UsageError, match="give a LintPolicy"):
        SandboxConfig(policy=wrong)
