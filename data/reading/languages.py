"""Columns that hold the same in several languages (``question_zh`` and ``question_en``), told by their names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tunewiz.data.reading.cells import Table

_CODES: Final = "zh|en|cn|de|fr|es|ja|jp|ko|kr|ru|it|pt|vi|ar|th|zhs|zht|chs|cht|eng|chn|ch|tw|us"
_WORDS: Final = "chinese|english|german|french|spanish|japanese|korean|russian|mandarin"
_ZH: Final = "中文|英文|中|英|汉语|英语|日文|日语|韩文|韩语|法文|法语|德文|德语|俄文|俄语|译文版"
#: ``question_zh``, ``answer (EN)``, ``Question-English``, ``问题（英文）``, ``问题_en``, ``英文问题``.
_BEHIND: Final = re.compile(
    rf"^(.+?)(?:[\s_\-.]+({_CODES}|{_WORDS}|{_ZH})|\s*[(（\[【]\s*({_CODES}|{_WORDS}|{_ZH})\s*[)）\]】]|({_ZH}))$", re.I
)
_BEFORE: Final = re.compile(rf"^(?:({_CODES}|{_WORDS})[\s_\-.]+|({_ZH}))(.+)$", re.I)


@lru_cache(maxsize=1 << 12)
def language_of_name(column: str) -> tuple[str, str]:
    """What a column is called without its language, and that language; (column, "") where the name tells none.

    >>> language_of_name("question_zh"), language_of_name("英文答案"), language_of_name("token")
    (('question', 'zh'), ('答案', '英文'), ('token', ''))
    """
    name = column.strip()
    if found := _BEHIND.match(name):
        return found[1].strip(), next(filter(None, found.groups()[1:])).casefold()
    if found := _BEFORE.match(name):
        return found[3].strip(), (found[1] or found[2]).casefold()
    return column, ""


def other_languages(table: Table) -> dict[str, list[str]]:
    """By language, the columns of texts that say again what stands beside them in the first language; {} if none do.

    Two columns at least have their like in each language: question and answer.
    """
    named: dict[str, dict[str, str]] = {}
    for column in table.columns:
        stem, language = language_of_name(column)
        if language and table.kind(column) in ("text", "texts"):
            named.setdefault(language, {})[stem.casefold()] = column
    whole = [language for language, stems in named.items() if len(stems) > 1]
    if not whole or len(named) < 2:
        return {}
    first = named[whole[0]]
    return {language: list(stems.values()) for language, stems in named.items()
             if language != whole[0] and len(stems) > 1 and stems.keys() <= first.keys()}  # fmt: skip


def in_language(columns: Sequence[str], others: Sequence[str]) -> dict[str, str]:
    """For each of ``columns`` the one of ``others`` that says the same in another language."""
    stems = {language_of_name(name)[0].casefold(): name for name in others}
    return {column: stems[stem] for column in columns if (stem := language_of_name(column)[0].casefold()) in stems}
