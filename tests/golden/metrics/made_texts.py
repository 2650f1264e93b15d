"""Texts for the rows of ``make_rows.py``: many kinds, few of them nice."""

from collections.abc import Sequence

from quasar.draw import Draw

_ENGLISH = """
the a An of Paris london U.S. cat sat on mat Mat. 5 05 ５ ٥ 12 Paragraph 7 running runs skies dying
agreed happily national relational hopefulness café naïve “the” it's a-b . .. ... ， x y Σ ΑΣ İ K
$3.50 e.g. i.e. summary report reported reporting committee
"""
ENGLISH = [*_ENGLISH.split(), "\u00a0", "\u2028", "\u212a"]
_CHINESE = """
我来到北京清华大学 他来到了网易杭研大厦 小明硕士毕业于中国科学院计算所 后在日本京都大学深造 段落
段落5 段落12 ， 。 、 《 》 “ ” ３.5% 3.14 abc C++ 的 了 在 是 龘 靐齉 𠮷 新冠 特朗普
今天天气不错 永和服装饰品有限公司 工信处女干事每月经过下属科室都要亲口交代24口交换机
会议认为 张先生 欧阳建国
"""
CHINESE = [*_CHINESE.split(), "\u3000", "\r\n", " \t"]
CODE = [
    "return x", "    return self.foo(a, b)", "# note", "// note", "```", "```python", "",
    "   ", "x = [i for i in range(10)]", "if (a && b) {", "}", "self.assertEqual(a, b)",
    "\tint n = 0;",
    "for (const auto& word : words) {", "aaaa" * 60, "ab" * 99, "abc" * 67, "public static void",
]  # fmt: skip
CLASSES = [
    "DESC:def", "ENTY:animal", "ENTY", "a", "ab", "abc", "abcd", "NUM:count", "NUM", "b", "bc",
    "Description of a thing", "thing", "体育", "体育新闻", "新闻",
]  # fmt: skip
EDGES = [
    "", " ", "\n", "\n\nthe answer\nmore", " \nanswer", "\r\nanswer", ".", " . ", "...", "。",
    "5", "5 5 of 05", "```\nx = 1\n```", "# x\n\ny", "the", "A.\n\n\n", "\ufffd\u200b", "x " * 400,
    "x. " * 200, "中" * 300, "段落5", "Paragraph 5 and Paragraph 7",
]  # fmt: skip


def joined(draw: Draw, words: Sequence[str], most: int, between: Sequence[str]) -> str:
    """Drawn words with something drawn after each."""
    count = draw.below(most + 1)
    return "".join(draw.choice(words) + draw.choice(between) for _ in range(count))


def english(draw: Draw, most: int = 60) -> str:
    between = [" "] * 8 + ["\n", ". ", "."]
    return joined(draw, ENGLISH, draw.choice([3, most // 4, most]), between)


def chinese(draw: Draw) -> str:
    if draw.below(10) < 3:
        signs = [chr(0x4E00 + draw.below(0x51D6)) for _ in range(20)]
        return joined(draw, signs, 40, [""])
    return joined(draw, CHINESE, draw.choice([3, 10, 30]), ["", "", "，", "。", " ", "\n", ""])


def code(draw: Draw) -> str:
    if draw.below(10) < 4:
        letters = draw.choice(["ab", "abcdefgh (){};=.", "self.x_1 "])
        return joined(draw, letters, draw.choice([9, 80, 350]), [""])
    return joined(draw, CODE, 4, ["\n"])


def classes(draw: Draw) -> str:
    return joined(draw, CLASSES, 4, [" ", "\n", "", ", "])


def changed(draw: Draw, text: str) -> str:
    """The text with some characters dropped, added or moved."""
    letters = list(text)
    for _ in range(draw.below(2 + len(letters) // draw.choice([4, 12, 40]))):
        at = draw.below(len(letters) + 1)
        kept = letters[at : at + 2]
        letters[at : at + 2] = draw.choice(
            [kept[1:], [*kept, draw.choice("ab .xy我的")], kept[::-1]]
        )
    return "".join(letters)


def other(draw: Draw, text: str, fresh: str) -> str:
    """One like the text, or one that has nothing to do with it."""
    return changed(draw, text) if draw.below(10) < 6 else fresh
