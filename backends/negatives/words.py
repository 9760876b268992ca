"""Texts as words, for search by shared words. The exported service has a copy of this file: it needs no other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

_CJK: Final = re.compile("[\u3400-\u9fff\uf900-\ufaff]")
_KANA: Final = re.compile("[\u3040-\u30ff]")
_WORD: Final = re.compile(r"\w+")
#: Text is cut into words by jieba when at least this share of its word characters is Chinese: a few names in English
#: passages do not call for a dictionary, and one English word has as many letters as a Chinese sentence characters.
_SHARE: Final = 0.2
_STOPWORDS: Final = (
    "a an and are as at be but by for if in into is it no not of on or such that the their then there these they this "
    "to was will with what which who how when where why do does did can could would should i you we"
)
_ENGLISH_STOPWORDS: Final = frozenset(_STOPWORDS.split())


def is_chinese(texts: Sequence[str]) -> bool:
    """Whether words of ``texts`` have to be found by a dictionary, as Chinese puts no spaces between them."""
    letters = chinese = 0
    for text in texts:
        if not _KANA.search(text):
            chinese += len(_CJK.findall(text))
        letters += sum(map(str.isalnum, text))
    return chinese > _SHARE * letters


def words(text: str, chinese: bool) -> list[str]:
    """The words of ``text`` in lower case, without English stopwords; English plurals lose their "s"."""
    lowered = text.lower()
    if chinese:
        import logging

        import jieba

        jieba.setLogLevel(logging.WARNING)
        return [word for word in jieba.cut(lowered) if _WORD.search(word)]
    return [_singular(word) for word in _WORD.findall(lowered) if word not in _ENGLISH_STOPWORDS]


@lru_cache(maxsize=1 << 16)  # words come again and again
def _singular(word: str) -> str:
    # "status" becomes "statu", but in queries and passages alike.
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
