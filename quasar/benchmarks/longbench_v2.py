"""LongBench v2 as published: questions with four choices about long texts.

Y. Bai and others, LongBench v2, 2024. The prompt is the one without reasoning (``0shot``).
"""

from typing import Literal

from msgspec import Struct, field

from quasar.events.task import TextPart

MAX_NEW_TOKENS = 128

BEFORE = "Please read the following text and answer the question below.\n\n<text>\n"
AFTER = (
    "\n</text>\n\nWhat is the correct answer to this question: {question}\nChoices:\n(A) {a}\n"
    "(B) {b}\n(C) {c}\n(D) {d}\n\n"
    'Format your response as follows: "The correct answer is (insert answer here)".'
)


class Choice(Struct, frozen=True):
    """One question, with the fields of the published file."""

    id: str = field(name="_id")
    domain: str
    sub_domain: str
    difficulty: Literal["easy", "hard"]
    length: Literal["short", "medium", "long"]
    question: str
    choice_A: str
    choice_B: str
    choice_C: str
    choice_D: str
    answer: Literal["A", "B", "C", "D"]
    context: str

    def asked(self) -> list[TextPart]:
        """The prompt without the context: what stands before it, and behind it."""
        after = AFTER.format(
            question=self.question.strip(),
            a=self.choice_A.strip(),
            b=self.choice_B.strip(),
            c=self.choice_C.strip(),
            d=self.choice_D.strip(),
        )
        return [TextPart(text=BEFORE), TextPart(text=after)]
