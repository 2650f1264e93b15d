"""One task of a family in this fresh process; prints seconds and memory as JSON.

``python bench/task_once.py FAMILY TOKENS``. ``first_s`` is all CPU time of the process until its
first task stands: the interpreter, imports and data too. Then one more variant, and another task.
"""

import json
import resource
import sys
import time

from quasar.benchmarks import FAMILIES
from quasar.benchmarks.family import Instance, Template
from quasar.draw import derive


def made(template: Template, hotkey: str) -> Instance:
    """A variant with all that a miner gets and a scorer keeps."""
    instance = template.instance(derive(b"bench", f"variant/{hotkey}"))
    assert instance.question
    assert instance.context()
    assert instance.answer
    return instance


def main() -> None:
    """Prints one JSON object."""
    family, tokens = FAMILIES[sys.argv[1]], int(sys.argv[2])
    first = family.template(b"bench 1", tokens)
    counted = made(first, "one").tokens
    first_s = time.process_time()
    made(first, "other")
    variant_s = time.process_time() - first_s
    begun = time.process_time()
    made(family.template(b"bench 2", tokens), "one")
    told = {
        "family": family.name,
        "tokens": counted,
        "first_s": first_s,
        "task_s": time.process_time() - begun,
        "variant_s": variant_s,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
