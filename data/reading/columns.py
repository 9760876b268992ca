"""Which column plays which role, guessed from its name in English or Chinese, or given by the user."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from tunewiz.data.reading.expressions import is_expression
from tunewiz.data.reading.names import EXACT as EXACT
from tunewiz.data.reading.names import HEADINGS, NAMES, SIMPLER
from tunewiz.data.reading.names import USUAL as USUAL
from tunewiz.data.reading.names import WEAK as WEAK
from tunewiz.data.text.language import language_of_name
from tunewiz.problems import Message, Problem, Where, error, say

_SEPARATORS: Final = re.compile(r"[\s_\-./()（）:：\"'“”#*★☆●◆※【】\[\]「」《》<>]+")
#: What people add to a header: ``问题（必填）``, ``Answer (required)``.
_NOTE: Final = re.compile(r"[(（][^()（）]*[)）]|(?<=.)[【\[][^【】\[\]]*[】\]]$")
#: Words around a name that change nothing of its role for a language model: ``用户问题内容``, ``reference_answer``.
_BEFORE: Final = re.compile(
    r"^(?:用户|客户|顾客|患者|客服|医生|专家|助手|机器人|商家|店家|卖家|买家|标准|参考|正确|官方|最终|原始|您的|你的|中文|英文|模型|人工|完整|user|customer|reference|standard"
    r"|correct|gold|golden|final|model|expected|official|original|raw|the|full|best|main|agent|bot|assistant|support)(?=.)"
)
_AFTER: Final = re.compile(r"(?<=.)(?:内容|文本|描述|详情|正文|字段|列|text|content|body|string|str|column|field)$")
#: A number or letter before a name: ``1. 问题``, ``A列-问题``.
_NUMBER: Final = re.compile(r"^(?:[(（]?\d{1,2}\s*[)）.、:：]\s*|[A-Z]列\s*[-—:：]?\s*)(?=\D)")
#: ``问题/Question`` and ``Question 问题``.
_TWICE: Final = re.compile(r"^([^/|\n]+?)\s*[/|\n ]\s*([^/|\n]+)$")
_ASKING_ZH: Final = "用户|客户|顾客|买家|患者|病人|学生|访客|消费者|家长|网友|客人|对方|提问者|咨询者|你|他|她|您"
_ANSWERING_ZH: Final = (
    "机器人|客服|助手|小助手|智能助手|ai|bot|卖家|店家|商家|医生|老师|专家|坐席|人工|人工客服|模型|我们?|官方"
)
_ASKING: Final = "user|customer|client|human|caller|visitor|buyer|patient|student|people|person|you|they|he|she"
_ANSWERING: Final = (
    "bot|chatbot|agent|assistant|ai|support|seller|doctor|teacher|staff|model|operator|helpdesk|rep|we|i"
)
_THING: Final = "(?:的|了|过)?(?:话|内容|问题|文本|话术)?"
#: Anybody at all, where the verb stands in the past (``同学问的``, ``班主任答的``); not whether, nor who.
_ANYBODY_ZH: Final = "(?!.{0,3}(?:是否|有没有|[已未没不被谁哪几何多可能]))[一-鿿]{0,4}?"
#: Who speaks and that he speaks, or only that somebody asks.
_ASKED: Final = re.compile(
    f"(?:{_ASKING_ZH})(?:说|问|讲|发言|提问|询问|咨询|输入|消息|发送|话术){_THING}|(?:所|怎么)?问(?:的|了|什么|啥){_THING}"
    f"|{_ANYBODY_ZH}(?:想问|提问|询问|咨询|请教|问)(?:的|了|过的|到的|什么|啥){_THING}"
    f"|(?:what)?(?:the)?(?:{_ASKING})(?:says?|said|asks?|asked|questions?|utterances?|turn|message|input|wrote|writes|speech|query)"
)
_ANSWERED: Final = re.compile(
    f"(?:{_ANSWERING_ZH})(?:说|答|回|讲|发言|回答|回复|答复|应答|回话|输出|消息|话术){_THING}|(?:怎么)?(?:答|回)(?:的|了|什么|啥){_THING}|应答"
    f"|{_ANYBODY_ZH}(?:回答|答复|回复|解答|答|回)(?:的|了|过的|什么|啥){_THING}"
    f"|(?:what)?(?:the)?(?:{_ANSWERING})(?:says?|said|answers?|answered|repl(?:y|ies|ied)|responds?|responded|responses?"
    "|utterances?|turn|message|output|wrote|writes|speech)|whatto(?:answer|say|reply)"
)
#: ``esci_label``, ``userQuery``: words joined as programs join them.
_IDENTIFIER: Final = re.compile(r"[A-Za-z]\w*_[A-Za-z]\w*|[a-zA-Z]+[a-z][A-Z]\w*", re.ASCII)
#: What only expressions have: ``问题[必填]`` is a name.
_PATH: Final = re.compile(r"\[[^\]]*\][.\[]|\[!?\]| \+ ")
_NUMBERED: Final = re.compile(r"^(.*?\D)(\d{1,3})$")


@dataclass(frozen=True)
class Guess:
    """A column that may play a role, and how strongly its name says so."""

    column: str
    strength: int


@lru_cache(maxsize=1 << 16)
def normalise_name(name: str) -> str:
    """A column name without case, width, separators and byte-order mark: ``Question_1`` and ``question 1`` agree."""
    plain = _SEPARATORS.sub("", unicodedata.normalize("NFKC", name).strip("\ufeff").casefold())
    return plain if plain.isascii() else plain.translate(SIMPLER)


@lru_cache(maxsize=1 << 16)
def spellings(name: str) -> tuple[str, str]:
    """A column's name as :func:`normalise_name` writes it, whole and without notes, numbers and a second language.

    >>> spellings("*问题（必填）"), spellings("1. 答案 / Answer")[1]
    (('问题必填', '问题'), '答案')
    """
    bare = language_of_name(_one_language(_NUMBER.sub("", _NOTE.sub("", name.strip()))))[0]
    return normalise_name(name), normalise_name(bare)


def _one_language(name: str) -> str:
    """The Chinese half of a name in two languages (``问题/Question``), whose English half is a known name too."""
    for halves in _TWICE.findall(name):
        chinese, english = sorted(halves, key=str.isascii)
        if not chinese.isascii() and english.isascii() and normalise_name(english) in HEADINGS - _ABOUT:
            return str(chinese)
    return name


@lru_cache(maxsize=1 << 12)
def side_of(name: str) -> str:
    """``asked`` or ``answered`` for a name that says who speaks (``用户说``, ``Bot replies``); else empty."""
    for plain in spellings(name):
        if _ASKED.fullmatch(plain):
            return "asked"
        if _ANSWERED.fullmatch(plain):
            return "answered"
    return ""


@lru_cache(maxsize=1 << 16)
def stem_of(name: str) -> str:
    """The name without words around it that change nothing of the role: 问题 of ``用户问题内容``."""
    return _BEFORE.sub("", _AFTER.sub("", spellings(name)[1]))


def is_known(name: str) -> bool:
    """Whether any role goes by this name: a strong sign that a line is a header."""
    if side_of(name):
        return True
    if _IDENTIFIER.fullmatch(name.strip()) and len(words := _words(name)) > 1 and words[-1] in HEADINGS:
        return True
    for plain in (*spellings(name), stem_of(name)):
        stem = _NUMBERED.match(plain)
        if plain in HEADINGS or (stem and stem.group(1) in HEADINGS):
            return True
    return False


def guesses(role: str, columns: Sequence[str]) -> list[Guess]:
    """Columns whose name fits ``role``, strongest first; for equal strength in the order of :data:`NAMES`.

    A name that is none of those fits by its words: ``Customer question`` is a question, ``text_neg`` a negative. For
    language models, a name that fits only without the words around it (:func:`stem_of`) is ``USUAL`` at most.
    """
    found: list[Guess] = []
    known = NAMES.get(role, {})
    spelt = {column: spellings(spoken_name(column)) for column in columns}
    if any("b" in names for names in spelt.values()):  # then "a" is the first of several choices
        columns = [column for column in columns if "a" not in spelt[column]]
    called: dict[str, list[str]] = {}
    for column in columns:
        for name in dict.fromkeys(spelt[column]):
            called.setdefault(name, []).append(column)
    for strength, names in known.items():
        for name in names:
            found += [Guess(column, strength) for column in called.get(name, ())]
    if role.startswith("llm_"):
        stems: dict[str, list[str]] = {}
        for column in columns:
            if len(stem_of(column)) > 1 or column in spelt[column] or not column.isascii():  # model_a is no answer
                stems.setdefault(stem_of(column), []).append(column)
        for strength, names in known.items():
            for name in names:
                found += [Guess(column, min(strength, USUAL)) for column in stems.get(name, ())]
    side = next((side for side, roles in _SIDES.items() if role in roles), "")
    found += [Guess(column, USUAL) for column in columns if side and side_of(column) == side]
    found += _by_words(role, columns)
    best = {guess.column: guess for guess in sorted(found, key=lambda guess: guess.strength)}
    order = list(dict.fromkeys(guess.column for guess in found))
    return sorted((best[column] for column in order), key=lambda guess: -guess.strength)


#: Roles of what is asked and what is answered.
_SIDES: Final = {
    "asked": ("query", "sentence1", "llm_prompt", "llm_asked"),
    "answered": ("positive", "sentence2", "llm_completion", "llm_answered"),
}
#: What roles are found by a word of a name, and whose names these words are.
_WORDED: Final = {
    "query": ("query",),
    "positive": ("positive",),
    "negative": ("negative",),
    "sentence1": ("sentence1", "query"),
    "sentence2": ("sentence2", "positive"),
    "score": ("score",),
    "title": ("title",),
    "llm_reasoning": ("llm_reasoning",),
}
_MARKS: Final = {
    "positive": frozenset(("positive", "positives", "pos", "gold")),
    "negative": frozenset(("negative", "negatives", "neg", "negs", "rejected")),
}
_MARKS_ZH: Final = {"positive": re.compile("正样本|正例"), "negative": re.compile("负样本|负例|难负|拒绝")}
#: A name with one of these words is of something about the text, not of the text.
_ABOUT: Final = frozenset(
    (
        *("id", "ids", "score", "scores", "count", "num", "number", "type", "label", "labels", "url", "rank", "date"),
        *("time", "is", "has", "index"),
    )
)
_ABOUT_ZH: Final = re.compile("(id|编号|分数|得分|分|类型|时间|链接|数量)$")
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
#: Words at the end of a name that say nothing of its part.
_PLAIN: Final = frozenset(("text", "content", "string", "str", "field", "value", "en", "zh", "cn"))
_PLAIN_ZH: Final = re.compile("(内容|文本|描述|原文|正文|必填|选填|列)+$")


def _by_words(role: str, columns: Sequence[str]) -> list[Guess]:
    if role not in _WORDED:
        return []
    found = []
    stems = {_without_mark(column) for column in columns} - {""} if role == "query" else set()
    listed = [name for of in _WORDED[role] for some in NAMES[of].values() for name in some]
    names = {name: place for place, name in reversed(list(enumerate(listed)))}
    worded: list[tuple[int, Guess]] = []
    for column in columns:
        words = _words(column)
        if any(_is_marked(other, column, words) for other in _MARKS if other != role):
            continue
        if role in _MARKS and _is_marked(role, column, words):
            rejected = "rejected" in words or "拒绝" in column  # by people, among answers: no mined negative
            found.append(Guess(column, USUAL if rejected else EXACT))
        elif stems & set(spellings(column)):
            found.append(Guess(column, USUAL))
        elif (place := _last_word(column, words, names)) is not None:
            worded.append((place, Guess(column, USUAL if role == "llm_reasoning" else WEAK)))
    return [*found, *(guess for _, guess in sorted(worded, key=lambda item: item[0]))]


@lru_cache(maxsize=1 << 16)
def _words(column: str) -> tuple[str, ...]:
    return tuple(word.casefold() for word in _WORD.findall(unicodedata.normalize("NFKC", spoken_name(column))))


def _is_marked(role: str, column: str, words: Sequence[str]) -> bool:
    name = normalise_name(spoken_name(column))
    if _NUMBERED.match(name) or _ABOUT & set(words) or _ABOUT_ZH.search(name):
        return False
    return bool(_MARKS[role] & set(words)) or bool(_MARKS_ZH[role].search(name))


def _without_mark(column: str) -> str:
    """``text`` of ``text_pos``: what such a column is the right or wrong answer to; "" without a mark."""
    words = _words(column)
    marked = any(_is_marked(role, column, words) for role in _MARKS)
    return "".join(word for word in words if not any(word in marks for marks in _MARKS.values())) if marked else ""


def _last_word(column: str, words: Sequence[str], names: Mapping[str, int]) -> int | None:
    """The place among ``names`` of the one (of two letters at least) that a name of several words ends in."""
    core = list(words)
    while len(core) > 1 and core[-1] in _PLAIN:
        core.pop()
    if core and (core[-1] in HEADINGS or core[-1].removesuffix("s") in HEADINGS):
        words = core if len(core) > 1 else [*core, *core]
    ends = (words[-1], words[-1].removesuffix("s")) if len(words) > 1 and not _ABOUT & set(words[:-1]) else ()
    found = [names[end] for end in ends if len(end) > 1 and end in names]
    if found:
        return found[0]
    name = normalise_name(spoken_name(column))
    shorter = _PLAIN_ZH.sub("", name)
    texts = [text[-length:] for text in dict.fromkeys((shorter, name)) for length in (4, 3, 2) if len(text) >= length]
    return next((names[end] for end in texts if not end.isascii() and end in names), None)


def spoken_name(column: str) -> str:
    """What a column, or the container that an expression begins at, is called: ``ctxs`` of ``ctxs[].text``."""
    if not _PATH.search(column):
        return column
    last = column.rsplit(" + ", 1)[-1]
    if "[!" in last:
        return "negative"
    mark = re.search(r"\[([^\]\d][^\]]*)\]", last)
    return "positive" if mark else re.split(r"[\[.]", last)[0]


def numbered_columns(role: str, columns: Sequence[str]) -> list[str]:
    """Columns named like the role with a number (``negative_1``, ``neg2``, ``负例3``), in the order of the numbers."""
    stems = {name for names in NAMES.get(role, {}).values() for name in names}
    found: list[tuple[int, str]] = []
    for column in columns:
        match = _NUMBERED.match(normalise_name(column))
        if match and match.group(1) in stems:
            found.append((int(match.group(2)), column))
    return [column for _, column in sorted(found)]


def columns_of(value: str, columns: Iterable[str]) -> tuple[str, ...]:
    """The columns that a mapping's value names: one, or several joined by commas."""
    known = set(columns)
    if value in known or "," not in value:
        return (value,)
    return tuple(part.strip() for part in value.split(",") if part.strip())


def mapping_problems(
    mapping: Mapping[str, str], columns: Sequence[str], roles: Sequence[str], where: Where
) -> list[Problem]:
    """What is wrong with a mapping the user gave: roles that do not exist, columns that are not there."""
    found: list[Problem] = []
    for role, value in mapping.items():
        place = Where(key=f"{role}={value}", file=where.file)
        if role not in roles:
            message = say("There is no role {role}; the roles are {roles}.", role=role, roles=tuple(roles))
            found.append(error("unknown-role", message, place, _did_you_mean(role, roles)))
        for column in columns_of(value, columns):
            if column not in columns and not is_expression(column, columns):
                message = say(
                    "There is no column {column}; the columns are {columns}.",
                    column=column,
                    columns=list_columns(columns),
                )
                found.append(error("unknown-column", message, place, _did_you_mean(column, columns)))
    return found


def list_columns(columns: Sequence[str]) -> tuple[str, ...]:
    """Column names for a message, the first dozen."""
    return (*columns[:12], *(("…",) if len(columns) > 12 else ()))


def _did_you_mean(name: str, known: Sequence[str]) -> Message | None:
    plain = {normalise_name(item): item for item in known}
    # Lower than difflib's 0.6: names are short, and one letter of "pos" or 答案 is a third or half of it.
    near = difflib.get_close_matches(normalise_name(name), plain, n=1, cutoff=0.5)
    return say("Did you mean {name}?", name=plain[near[0]]) if near else None
