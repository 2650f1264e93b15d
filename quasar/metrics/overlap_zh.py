"""Metric ``qa_f1_zh@1``: ``qa_f1@1`` for Chinese, whose words are found by jieba.

Equals LongBench's ``qa_f1_zh_score`` to the last bit: the text is cut first, and each word is
normalised after.
"""

from collections.abc import Sequence

from quasar.metrics.chinese import segment
from quasar.metrics.overlap import PUNCTUATION, f1

_CHINESE = (
    "！？｡。＂＃＄％＆＇（）＊＋，－／：；＜＝＞＠［＼］＾＿｀｛｜｝～｟｠｢｣､"  # noqa: RUF001
    "、〃》「」『』【】〔〕〖〗〘〙〚〛〜〝〞〟〰〾〿–—‘’‛“”„‟…‧﹏"  # noqa: RUF001
)
_SIGNS = PUNCTUATION | dict.fromkeys(map(ord, _CHINESE))
"""Deleted. 《 is not among them, as in the official code; 》 is."""


def qa_f1_zh(prediction: str, answers: Sequence[str]) -> float:
    """0.0 to 1.0; 0.0 where no word is shared. Raises CannotJudge where jieba is missing."""
    said = words_zh(prediction)
    return max((f1(said, words_zh(answer)) for answer in answers), default=0.0)


def words_zh(text: str) -> list[str]:
    """Words in lower case, without signs and blanks; those of which nothing is left are left out.

    Raises CannotJudge where jieba is missing.
    """
    found = ("".join(word.lower().translate(_SIGNS).split()) for word in segment(text))
    return [word for word in found if word]
