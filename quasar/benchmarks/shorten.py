"""Shortens a text that is too long for a bucket, as published runs do: its middle goes."""

from quasar.benchmarks import tokenizer


def without_middle(text: str, limit: int) -> str:
    """The first and last tokens of a text that has more than ``limit``; a shorter one as it is.

    Published runs of LongBench cut prompts so. The two ends may be spelt with more tokens than they
    were cut to, so a few less are taken until they fit.
    """
    for tokens in range(limit, 0, -1):
        if tokenizer.count(cut := tokenizer.ends(text, tokens)) <= limit:
            return cut
    return ""
