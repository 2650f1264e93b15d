"""Engines that understand nothing: the floor that every other engine must beat."""

from hashlib import sha256

from quasar.inference.text import NAME, NUMBER, asks_for_name, statement


class Empty:
    """Says nothing."""

    name = "empty"

    def answer(self, context: str, question: str, limit: int) -> str:  # noqa: ARG002
        return ""


class Random:
    """Names any number or any name of the context, by a hash of the question."""

    name = "random"

    def answer(self, context: str, question: str, limit: int) -> str:
        pattern = NAME if asks_for_name(question) else NUMBER
        found = pattern.findall(context)
        if not found:
            return ""
        pick = int.from_bytes(sha256(question.encode()).digest()) % len(found)
        return statement(found[pick].replace(",", ""), limit)
