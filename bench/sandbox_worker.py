"""Runs inside a peer's own environment, started by ``sandbox_peers.py``; knows nothing of Quasar.

``sandbox_worker.py WAY IMAGE``: for each line on stdin one submission of three cases; the answer is
a line of JSON: seconds until the first result, until the last, and until nothing is left of it.
"""

import atexit
import json
import logging
import os
import sys
import time
from collections.abc import Callable

CODE = "def add(a, b):\n    return a + b"
CASES = ([1, 2], [3, 4], [5, 6])
Run = Callable[[str], str]


def program(case: list[int]) -> str:
    """A script, since peers run scripts: it prints what the function returns."""
    return f"{CODE}\nimport json\nprint(json.dumps(add(*json.loads({json.dumps(case)!r}))))\n"


def cases(run: Run) -> list[float]:
    """The moment of each result."""
    moments = []
    for case in CASES:
        if json.loads(run(program(case))) != sum(case):
            raise RuntimeError("a wrong result")
        moments.append(time.perf_counter())
    return moments


def epicbox(image: str) -> Callable[[], list[float]]:
    """A container for each case, as its ``run`` has it; the walls are what its options offer."""
    import epicbox as library

    profile = library.Profile("bench", image, user="65534:65534")
    library.configure(profiles=[profile], docker_url=os.environ.get("DOCKER_HOST"))

    def run(script: str) -> str:
        files = [{"name": "main.py", "content": script.encode()}]
        limits = {"cputime": 10, "memory": 512}
        done = library.run("bench", "python3 -I -S -B main.py", files=files, limits=limits)
        return str(done["stdout"], "utf-8")

    return lambda: cases(run)


def llm_sandbox(image: str, **engine: str) -> Callable[[], list[float]]:
    """A session for a submission. Nothing is installed in it, which would need the network."""
    from llm_sandbox import SandboxSession

    settings = {"working_dir": "/sandbox", "network_mode": "none", **engine}

    def once() -> list[float]:
        with SandboxSession(
            lang="python",
            image=image,
            skip_environment_setup=True,
            runtime_configs=dict(settings),
        ) as session:
            return cases(lambda script: str(session.run(script).stdout))

    return once


def llm_sandbox_pool(image: str) -> Callable[[], list[float]]:
    """Its pool as it is meant: one container for the submissions of everybody."""
    from llm_sandbox.pool import PoolConfig, create_pool_manager
    from llm_sandbox.pool.session import PooledSandboxSession

    settings = {"working_dir": "/sandbox", "network_mode": "none", "stop_signal": "SIGKILL"}
    pool = create_pool_manager(
        config=PoolConfig(max_pool_size=1, min_pool_size=1),
        lang="python",
        image=image,
        runtime_configs=settings,
        skip_environment_setup=True,
    )
    atexit.register(pool.close)

    def once() -> list[float]:
        with PooledSandboxSession(pool_manager=pool) as session:
            return cases(lambda script: str(session.run(script).stdout))

    return once


WAYS: dict[str, Callable[[str], Callable[[], list[float]]]] = {
    "epicbox": epicbox,
    "llm-sandbox": llm_sandbox,
    "llm-sandbox, killed": lambda image: llm_sandbox(image, stop_signal="SIGKILL"),
    "llm-sandbox, its pool": llm_sandbox_pool,
}


def main() -> None:
    """Until stdin ends."""
    logging.disable(logging.CRITICAL)
    once = WAYS[sys.argv[1]](sys.argv[2])
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        moments = once()
        moments.append(time.perf_counter())
        picked = (moments[0], moments[-2], moments[-1])
        print(json.dumps([moment - start for moment in picked]), flush=True)


if __name__ == "__main__":
    main()
