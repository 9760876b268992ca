"""What a model is asked to write, in the passage's language, and the questions in what it answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tunewiz.data.text.duplicates import normal
from tunewiz.data.text.language import is_chinese

_ENGLISH_PROMPT: Final = """Read this text:

{passage}

Write {count} different questions that a person could type into a search engine and that this text answers. Name the \
things you ask about; do not write "the text" or "it". One question per line, nothing else."""

_CHINESE_PROMPT: Final = """阅读下面的内容：

{passage}

请写出 {count} 个不同的问题，像用户在搜索引擎里输入的那样，答案都在上面的内容里。\
问题中写明所问的事物，不要写“本文”“上文”。每行一个问题，不要写别的。"""


def prompt_for(passage: str, count: int) -> str:
    """The request for ``count`` questions that ``passage`` answers."""
    return (_CHINESE_PROMPT if is_chinese(passage) else _ENGLISH_PROMPT).format(passage=passage, count=count)


_ENGLISH_EXAMPLES: Final = """Text: Our shop in Lyon is open from Tuesday to Saturday, 9 a.m. to 6 p.m. Goods can be \
returned within 30 days with the receipt.
Question: When is the shop in Lyon open?
Question: How long can goods be returned?

Text: The sensor S2 measures temperatures from -40 to 125 degrees. Its battery lasts about two years.
Question: What temperatures can the sensor S2 measure?
Question: How long does the battery of the sensor S2 last?

Text: {passage}
Question:"""

_CHINESE_EXAMPLES: Final = """内容：里昂分店周二至周六上午九点到下午六点营业。商品凭小票三十天内可以退货。
问题：里昂分店几点营业？
问题：商品多少天内可以退货？

内容：传感器S2可以测量零下40度到125度的温度，电池大约能用两年。
问题：传感器S2可以测量多少度的温度？
问题：传感器S2的电池能用多久？

内容：{passage}
问题："""


def examples_for(passage: str) -> str:
    """The same request for a model that was not taught to follow any: a text that such a model continues."""
    body = " ".join(passage.split())
    return (_CHINESE_EXAMPLES if is_chinese(passage) else _ENGLISH_EXAMPLES).format(passage=body)


#: Where a model that continues a text goes on to the next example.
NEXT: Final = ("\n\n", "\nText:", "\n内容：", "\n内容:")


#: What models put before a question: numbers, dashes, "Q:", 问题一：.
_BEFORE: Final = re.compile(
    r"^\s*(?:[-*•>#]+\s*|\(?\d{1,2}[).、:：]\s*|[一二三四五六七八九十]{1,2}、\s*|\*\*|"
    r"(?:q(?:uestion)?|问题?|提问)\s*[\d一二三四五六七八九十]{0,2}\s*[:：.、]\s*)+",
    re.IGNORECASE,
)
_SPOKEN: Final = re.compile(
    r"^(?:what|how|why|who|whom|whose|when|where|which|is|are|was|were|do|does|did|can|could|should|will|would|has|have)\b",
    re.IGNORECASE,
)
_ASKED: Final = re.compile(r"什么|哪|怎么|怎样|如何|为何|为什么|多少|多久|几|谁|吗|是否|能否|可否|何时|何地")
#: Questions about the text itself mean nothing to who has not got it before them.
_ABOUT_TEXT: Final = re.compile(
    r"\b(?:this|the|above|following|given|provided)\s+(?:text|passage|article|document|paragraph|section|excerpt)\b|"
    r"\b(?:search engine)\b|(?:本文|上文|文中|文章|上述|上面|该段|这段|段落|内容中|内容里|搜索引擎)",
    re.IGNORECASE,
)
_FEWEST: Final = 6  # characters; Chinese says more with each
_MOST: Final = 200


def questions_in(answer: str, passage: str) -> Iterator[str]:
    """The questions in what a model answered: in the passage's language, each once, none that only copies the passage.

    >>> list(questions_in("1. How long is the warranty? 2. how long is the warranty? Good luck!", "The warranty ..."))
    ['How long is the warranty?']
    """
    chinese, seen, told = is_chinese(passage), set[str](), normal(passage)
    for line in re.split(r"\n+|(?<=[?？])\s+(?=\S)|(?<=？)", answer):
        question = _BEFORE.sub("", line).strip().strip('"“”*`').strip()
        key = normal(question)
        fewest = _FEWEST if chinese else 2 * _FEWEST
        if not fewest <= len(question) <= _MOST or key in seen or is_chinese(question) != chinese:
            continue
        asks = question.endswith(("?", "？")) or bool((_ASKED if chinese else _SPOKEN).search(question))
        if not asks or _ABOUT_TEXT.search(question) or key in told:
            continue
        seen.add(key)
        yield question
