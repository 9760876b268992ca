"""Two answers to one prompt in columns told apart by a letter or a number, and words that say which is the better."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, Literal

from tunewiz.data.reading.cells import Table, is_empty
from tunewiz.data.reading.columns import normalise_name

#: What two names of answers differ by.
_TOLD_APART: Final = (("a", "b"), ("1", "2"), ("0", "1"), ("甲", "乙"), ("一", "二"))
_ANSWERS: Final = re.compile(
    "response|answer|completion|output|reply|replies|humanref|generation|conversation|messages|candidate|summary"
    "|回答|答案|回复|答复|输出|对话|生成|摘要|文案|译文"
)
#: Names of columns that tell which of two is the better one.
_JUDGES: Final = re.compile(
    "winner|better|best|prefer|chosen|choice|which|verdict|judg|label|vote|select|win$|哪个|哪一|更好|更优|较好|较优"
    "|偏好|胜|判断|选择|选哪|评判|标签|最佳|最优|优选|采纳|采用|中选"
)
_TIES: Final = frozenset(
    (
        *("tie", "ties", "both", "neither", "equal", "same", "none", "draw", "tiebothbad", "bothbad", "bothgood"),
        *("平局", "平", "一样", "一样好", "一样差", "都好", "都差", "都不好", "差不多", "相同", "均可", "无", "平手"),
    )
)
#: And of those that tell by how much, which names no side.
_STRENGTHS: Final = re.compile("strength|score|margin|degree|confidence|程度|分差|分数|得分")
#: What may stand around the letter or the number: ``model_a``, ``回答A更好``, ``A is better``.
_AROUND: Final = re.compile(
    "^(?:model|assistant|response|answer|reply|option|candidate|system|模型|回答|回复|答案|选项|候选|助手)?"
    "([ab012甲乙一二])(?:wins?|won|isbetter|better|更好|更优|较好|好|胜|胜出)?$"
)
Side = Literal[0, 1, -1]


def compared_pair(table: Table) -> tuple[str, str] | None:
    """The two columns of answers whose names differ by a letter or a number alone; None where there are no such."""
    plain = {column: normalise_name(column) for column in table.columns}
    answers = [column for column, name in plain.items() if _ANSWERS.search(name) and "score" not in name]
    for first in answers:
        beside = [column for column in answers if _differ(plain[first], plain[column])]
        several = sum(_same_but_one(plain[first], plain[column]) for column in answers if column != first)
        if len(beside) == 1 and several == 1 and not (_alike(table, first) or _alike(table, beside[0])):
            return first, beside[0]
    return None


def _alike(table: Table, column: str) -> bool:
    """Whether a column holds too few different values for answers."""
    values = [str(value) for value in table.values(column)]
    return table.kind(column) == "number" or 2 * len(set(values)) <= len(values)


def _differ(first: str, second: str) -> tuple[str, str] | None:
    """The letters or numbers that two names differ by, where that is all they do, in order."""
    if len(first) != len(second):
        return None
    apart = [(one, two) for one, two in zip(first, second, strict=True) if one != two]
    return apart[0] if len(apart) == 1 and apart[0] in _TOLD_APART else None


def _same_but_one(first: str, second: str) -> bool:
    return len(first) == len(second) and sum(one != two for one, two in zip(first, second, strict=True)) == 1


def side(value: object, offered: Sequence[str]) -> Side | None:
    """Which of two columns a value names (0 or 1), -1 where it says that neither is better; None for anything else.

    >>> [side(word, ("response_a", "response_b")) for word in ("A", "model_b", "response_a", "tie", "maybe")]
    [0, 1, 0, -1, None]
    """
    names = [normalise_name(column) for column in offered]
    tokens = _differ(*names) if len(names) == 2 else None
    if tokens is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if str(value).strip().startswith(("-", "−")):
        return None
    word = re.sub(r"[^\w]", "", normalise_name(str(value)))
    if word in _TIES:
        return -1
    if word in names:
        return 0 if word == names[0] else 1
    found = _AROUND.match(word)
    if found is None or found[1] not in tokens:
        return None
    return 0 if found[1] == tokens[0] else 1


def judge_of(table: Table, pair: Sequence[str]) -> str:
    """The column that says of each row which of two answers is the better one; "" where none can be read."""
    for column in judges(table, pair):
        if _STRENGTHS.search(normalise_name(column)):
            continue
        values = [value for value in table.values(column) if not is_empty(value)]
        told = [side(value, pair) for value in values]
        if values and None not in told and {0, 1} <= set(told):
            return column
    return ""


def judges(table: Table, pair: Sequence[str]) -> list[str]:
    """Columns that are called as if they told the better one of two answers."""
    return [column for column in _spare(table, pair) if _JUDGES.search(normalise_name(column)) and table.values(column)]


def _spare(table: Table, pair: Sequence[str]) -> Iterable[str]:
    return (column for column in table.columns if column not in pair)
