"""LongBench as published: its 21 data sets, their prompts and limits, and what an item holds.

Y. Bai and others, LongBench, 2023 (MIT licence). The prompts are part of the benchmark and stand
here letter by letter, with their slips: a published number belongs to these very words.
"""
# ruff: noqa: RUF001  (Chinese prompts have Chinese colons and commas)

from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Struct, field

from quasar.events.task import TextPart


class Item(Struct, frozen=True):
    """One question of a data set, with the fields of the published files."""

    input: str
    """The question; empty where the prompt says it all."""
    context: str
    answers: list[str]
    length: int
    """Words, or characters of Chinese, as its authors counted."""
    dataset: str
    language: str
    all_classes: list[str] | None
    id: str = field(name="_id")


class Dataset(NamedTuple):
    """What is the same for all items."""

    prompt: str
    """With ``{context}`` once, and ``{input}`` behind it at most once."""
    max_new_tokens: int
    """Longest output in the published runs."""
    guess_rate: float
    """An estimate: the data is not here. Closed sets: one over the classes or paragraphs; yes/no
    and "unanswerable" for Qasper; words of the text's first sentences for summaries; a line of the
    same file for code."""
    pointed: bool = True
    """Whether a lengthened text must say which document is meant."""

    @property
    def parts(self) -> tuple[str, str]:
        """The prompt before and behind the context."""
        before, _, after = self.prompt.partition("{context}")
        return before, after

    def question(self, item: Item) -> list[TextPart]:
        """The prompt without the context: what stands before it, and behind it."""
        before, after = self.parts
        return [TextPart(text=before), TextPart(text=after.replace("{input}", item.input))]


_SHORT = "using a single phrase if possible. Do not provide any explanation."
_NARRATIVE = (
    "You are given a story, which can be either a novel or a movie script, and a question. Answer "
    f"the question asconcisely as you can, {_SHORT}\n\nStory: {{context}}\n\nNow, answer the "
    f"question based on the story asconcisely as you can, {_SHORT}\n\nQuestion: {{input}}\n\n"
    "Answer:"
)
_QASPER_FORM = (
    "as concisely as you can, using a single phrase or sentence if possible. If the question "
    'cannot be answered based on the information in the article, write "unanswerable". If the '
    'question is a yes/no question, answer "yes", "no", or "unanswerable". Do not provide any '
    "explanation."
)
_QASPER = (
    "You are given a scientific article and a question. Answer the question "
    f"{_QASPER_FORM}\n\nArticle: {{context}}\n\n Answer the question based on the above article "
    f"{_QASPER_FORM}\n\nQuestion: {{input}}\n\nAnswer:"
)
_FIELDS_EN = (
    "Read the following text and answer briefly.\n\n{context}\n\nNow, answer the following "
    "question based on the above text, only give me the answer and do not output any other "
    "words.\n\nQuestion: {input}\nAnswer:"
)
_FIELDS_ZH = (
    "阅读以下文字并用中文简短回答：\n\n{context}\n\n现在请基于上面的文章回答下面的问题，"
    "只告诉我答案，不要输出任何其他字词。\n\n问题：{input}\n回答："
)
_PASSAGES_FORM = (
    "Answer the question based on the given passages. Only give me the answer and do not output "
    "any other words."
)
_PASSAGES = (
    f"{_PASSAGES_FORM}\n\nThe following are given passages.\n{{context}}\n\n{_PASSAGES_FORM}\n\n"
    "Question: {input}\nAnswer:"
)
_DUREADER = (
    "请基于给定的文章回答下述问题。\n\n文章：{context}\n\n请基于上述文章回答下面的问题。\n\n"
    "问题：{input}\n回答："
)
_GOV_REPORT = (
    "You are given a report by a government agency. Write a one-page summary of the report.\n\n"
    "Report:\n{context}\n\nNow, write a one-page summary of the report.\n\nSummary:"
)
_QMSUM = (
    "You are given a meeting transcript and a query containing a question or instruction. Answer "
    "the query in one or more sentences.\n\nTranscript:\n{context}\n\nNow, answer the query based "
    "on the above meeting transcript in one or more sentences.\n\nQuery: {input}\nAnswer:"
)
_MULTI_NEWS = (
    "You are given several news passages. Write a one-page summary of all news. \n\nNews:\n"
    "{context}\n\nNow, write a one-page summary of all the news.\n\nSummary:"
)
_VCSUM = (
    "下面有一段会议记录，请你阅读后，写一段总结，总结会议的内容。\n"
    "会议记录：\n{context}\n\n会议总结："
)
_TREC = (
    "Please determine the type of the question below. Here are some examples of questions.\n\n"
    "{context}\n{input}"
)
_TRIVIAQA = (
    "Answer the question based on the given passage. Only give me the answer and do not output any "
    "other words. The following are some examples.\n\n{context}\n\n{input}"
)
_SAMSUM = (
    "Summarize the dialogue into a few short sentences. The following are some examples.\n\n"
    "{context}\n\n{input}"
)
_LSHT = "请判断给定新闻的类别，下面是一些例子。\n\n{context}\n{input}"
_COUNT = (
    "There are some paragraphs below sourced from Wikipedia. Some of them may be duplicates. "
    "Please carefully read these paragraphs and determine how many unique paragraphs there are "
    "after removing duplicates. In other words, how many non-repeating paragraphs are there in "
    "total?\n\n{context}\n\nPlease enter the final count of unique paragraphs after removing "
    "duplicates. The output format should only contain the number, such as 1, 2, 3, and so on.\n\n"
    "The final answer is: "
)
_RETRIEVAL_EN = (
    "Here are 30 paragraphs from Wikipedia, along with an abstract. Please determine which "
    "paragraph the abstract is from.\n\n{context}\n\nThe following is an abstract.\n\n{input}\n\n"
    "Please enter the number of the paragraph that the abstract is from. The answer format must be "
    'like "Paragraph 1", "Paragraph 2", etc.\n\nThe answer is: '
)
_RETRIEVAL_ZH = (
    "以下是若干段落文字，以及其中一个段落的摘要。请确定给定的摘要出自哪一段。\n\n{context}\n\n"
    '下面是一个摘要\n\n{input}\n\n请输入摘要所属段落的编号。答案格式必须是"段落1"，'
    '"段落2"等格式\n\n答案是：'
)
_LCC = "Please complete the code given below. \n{context}Next line of code:\n"
_REPOBENCH = "Please complete the code given below. \n{context}{input}Next line of code:\n"

DATASETS: Mapping[str, Dataset] = {
    "narrativeqa": Dataset(_NARRATIVE, 128, 0.05),
    "qasper": Dataset(_QASPER, 128, 0.15),
    "multifieldqa_en": Dataset(_FIELDS_EN, 64, 0.05),
    "multifieldqa_zh": Dataset(_FIELDS_ZH, 64, 0.05),
    "hotpotqa": Dataset(_PASSAGES, 32, 0.10),
    "2wikimqa": Dataset(_PASSAGES, 32, 0.10),
    "musique": Dataset(_PASSAGES, 32, 0.05),
    "dureader": Dataset(_DUREADER, 128, 0.15),
    "gov_report": Dataset(_GOV_REPORT, 512, 0.25),
    "qmsum": Dataset(_QMSUM, 512, 0.15),
    "multi_news": Dataset(_MULTI_NEWS, 512, 0.25),
    "vcsum": Dataset(_VCSUM, 512, 0.15),
    "trec": Dataset(_TREC, 64, 0.02, pointed=False),
    "triviaqa": Dataset(_TRIVIAQA, 32, 0.10, pointed=False),
    "samsum": Dataset(_SAMSUM, 128, 0.25, pointed=False),
    "lsht": Dataset(_LSHT, 64, 0.05, pointed=False),
    "passage_count": Dataset(_COUNT, 32, 0.10),
    "passage_retrieval_en": Dataset(_RETRIEVAL_EN, 32, 0.04),
    "passage_retrieval_zh": Dataset(_RETRIEVAL_ZH, 32, 0.04),
    "lcc": Dataset(_LCC, 64, 0.35),
    "repobench-p": Dataset(_REPOBENCH, 64, 0.35, pointed=False),
}
"""By the names of the published files."""

EVEN = (
    "qasper",
    "multifieldqa_en",
    "hotpotqa",
    "2wikimqa",
    "gov_report",
    "multi_news",
    "trec",
    "triviaqa",
    "samsum",
    "passage_count",
    "passage_retrieval_en",
    "lcc",
    "repobench-p",
)
"""Those that LongBench-E has too, with lengths spread evenly; its files end in ``_e``."""

FILES = (*DATASETS, *(f"{name}_e" for name in EVEN))
"""Every published file, by name."""


def dataset_of(file: str) -> str:
    """The data set of a file: LongBench-E asks and scores as LongBench does."""
    return file if file in DATASETS else file.removesuffix("_e")
