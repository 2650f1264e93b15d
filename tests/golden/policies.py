"""What the recordings of set 2 play: rules that ship, with contexts short enough to be kept.

A whole round of ``adaptive-v1`` is some 30 MB for each miner, and no released policy but that one
has the table ``[execution]``. So these two say in their names that they are short: every table is
there, and only lengths, budgets, times and counts are others.
"""

from quasar.config import load_policy

ROUND = "round_every_blocks = 75 "
LIMITS = """
[execution]
timeout_s = 1.0
memory_mib = 128
budget_s = 60
"""
_MIX = '[[mix]]\nfamily = "{}"\nbucket = "32k"\ntasks = {}\n\n'


def adaptive_short() -> bytes:
    """``adaptive-v1`` with contexts of some 10,000 tokens.

    Eight of them make a round on average, as there. An entry moves after one answer of each miner,
    and findings are looked for every second round.
    """
    return _changed(
        "adaptive-v1",
        (ROUND, "round_every_blocks = 60 "),
        ('name = "adaptive-v1"', 'name = "adaptive-short"'),
        ("tokens = 32_000\n", "tokens = 9_000\n"),
        ("tokens = 124_000\n", "tokens = 9_500\n"),
        ("tokens = 512_000\n", "tokens = 10_000\n"),
        ("tokens = 1_500_000\n", "tokens = 10_500\n"),
        ("tokens = 2_000_000\n", "tokens = 11_000\n"),
        ("upload_bytes = 30_000_000      #", "upload_bytes = 500_000         #"),
        ("miner_ms = 1_500_000 ", "miner_ms = 260_000 "),
        ("answers = 8 ", "answers = 1 "),
        ("rounds = 16 ", "rounds = 2  "),
        ("decoys = 64 ", "decoys = 4  "),
    )


def programs_short() -> bytes:
    """``mixed-v1`` with contexts of some 4,500 tokens, most tasks in code, and ``[execution]``."""
    head, _, rest = load_policy("mixed-v1").decode().partition("[[mix]]")
    mix = (("factbook@1", 1), ("code@1", 2), ("code@2", 1))
    made = head + "".join(_MIX.format(*entry) for entry in mix)
    made += "[answers]" + rest.partition("[answers]")[2] + LIMITS
    return _replaced(
        made,
        (ROUND, "round_every_blocks = 30 "),
        ("mixed-v1", "programs-short"),
        ("tokens = 32_000\n", "tokens = 4_500\n"),
    )


def _changed(name: str, *changes: tuple[str, str]) -> bytes:
    return _replaced(load_policy(name).decode(), *changes)


def _replaced(toml: str, *changes: tuple[str, str]) -> bytes:
    for old, new in changes:
        assert old in toml, old
        toml = toml.replace(old, new)
    return toml.encode()
