"""Family ``longbench_v2@1``: questions with four choices about long texts."""

from quasar.benchmarks.longbench_v2 import MAX_NEW_TOKENS, Choice
from quasar.benchmarks.packs import ChoicePack
from quasar.benchmarks.published import Asked, Published


class LongBenchV2(Published):
    """The family. A letter out of four is right in a quarter of all tasks."""

    name = "longbench_v2@1"
    metric = "choice@1"
    guess_rate = 0.25
    kind = ChoicePack
    pack_name = "longbench_v2"
    pointed = True
    max_new_tokens = MAX_NEW_TOKENS

    def asked(self, item: Choice) -> Asked:
        """The published prompt without reasoning; one letter is right."""
        return Asked(
            question=item.asked(), answer=item.answer, references=[item.answer], options={}
        )
