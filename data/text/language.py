"""Which language texts are in, as far as scripts and small words tell: enough to choose a model that knows it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from itertools import islice
from typing import Final

#: Said of texts in a language that is none of those told apart here (ISO 639-2: undetermined).
OTHER: Final = "und"
TOLD_APART: Final = frozenset(("zh", "en", "ja", "ko"))
_TEXTS: Final = 200  # looked at: a model is chosen for most of the texts, not for each
_LETTERS: Final = 2000  # of each text
_HAN: Final = ("\u3400", "\u9fff")
_HAN_ALSO: Final = ("\uf900", "\ufaff")  # for compatibility with older standards
_KANA: Final = ("\u3040", "\u30ff")
_HANGUL: Final = ("\uac00", "\ud7a3")
#: Shares of the letters. Chinese texts name products and commands in Latin letters; Japanese ones are full of Han, but
#: never without kana; English ones hold an accent now and then.
_CHINESE: Final = 0.3
#: Of one text: a Chinese one full of English commands and names keeps more, an English one quotes fewer.
_NOTICEABLE: Final = 0.2
_JAPANESE: Final = 0.1
_KOREAN: Final = 0.3
_ENGLISH: Final = 0.9
_FOREIGN_SCRIPT: Final = 0.02  # "显存 out of memory" is no English
#: Small words of English, and of other languages in Latin letters: those that one alone of the two sides writes.
_OWN: Final = "the of and to is are how what you this can my not which from have does why when your"
_FOREIGN: Final = (
    "de la le les et une pour dans que qui avec sur du au os num los las con por una der das und ist nicht ein eine "
    "für wie ich il di che del della não uma para het een niet är och att på jest nie się için bir ve yang dan untuk "
    "apa là không"
)
_ENOUGH: Final = 2  # small words of another language that are no chance


def language_of(texts: Iterable[str]) -> str:
    """``zh``, ``en``, ``ja`` or ``ko`` (ISO 639-1), ``und`` for another language, "" where there are no letters.

    >>> language_of(["显存不足怎么办？", "重启 GPU 服务器"]), language_of(["How do I restart it?"])
    ('zh', 'en')
    """
    joined = "\n".join(text[:_LETTERS] for text in islice(texts, _TEXTS))
    letters = [letter for letter in joined if letter.isalpha()]
    if not letters:
        return ""
    han, kana, hangul = (_share(letters, *script) for script in (_HAN, _KANA, _HANGUL))
    if kana > _JAPANESE * (han + kana) and han + kana > _CHINESE:
        return "ja"
    if hangul > _KOREAN:
        return "ko"
    if han > _CHINESE:
        return "zh"
    ascii_letters = sum(letter.isascii() for letter in letters)
    if ascii_letters <= _ENGLISH * len(letters) or han + kana + hangul > _FOREIGN_SCRIPT:
        return OTHER
    words = Counter(re.findall(r"[^\W\d_]+", joined.lower()))
    own, foreign = (sum(words[word] for word in small.split()) for small in (_OWN, _FOREIGN))
    return OTHER if foreign >= _ENOUGH and foreign > own else "en"


def is_chinese(text: str) -> bool:
    """Whether a noticeable part of one text is written in Chinese characters.

    >>> is_chinese("用 docker run 启动，再看日志"), is_chinese("the sign 水 means water")
    (True, False)
    """
    letters = [letter for letter in text if letter.isalpha()]
    return sum(_share(letters, *script) for script in (_HAN, _HAN_ALSO)) > _NOTICEABLE if letters else False


def _share(letters: list[str], first: str, last: str) -> float:
    return sum(first <= letter <= last for letter in letters) / len(letters)


# Languages that columns are named after.


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
