"""Multiple choice: what is asked, what there is to choose from, and a letter, a number or a text for the right one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal, NamedTuple

from tunewiz.data.dialogues.compared import side
from tunewiz.data.reading.cells import Table, is_empty, number_in, parse_nested
from tunewiz.data.reading.columns import guesses, normalise_name
from tunewiz.data.reading.expressions import value_at
from tunewiz.data.reading.meaning import comes_again, is_choice

#: Columns that name the right choice, likely ones first.
_RIGHT: Final = (
    *("answer", "answerkey", "answeridx", "answerindex", "answerid", "correct", "correctanswer", "correctoption"),
    *("correctchoice", "correctindex", "cop", "correctidx", "correctanswerindex", "correctanswerletter"),
    *("answerletter", "answerchoice", "right", "rightanswer", "gold", "goldlabel", "goldanswer", "label", "target"),
    *("solution", "completion", "output", "response", "答案", "正确答案", "标准答案", "正确选项", "参考答案"),
    *("标签", "正确", "选择"),
)
#: What is asked, best first; a passage that it is asked about stands in front.
_ASKED: Final = (
    *("question", "query", "questiontext", "questionstem", "stem", "prompt", "instruction", "problem", "goal", "ctx"),
    *("sentence", "input", "startphrase", "问题", "题目", "题干", "问", "试题", "题目内容", "问句", "premise"),
)
_ABOUT: Final = (
    *("context", "article", "passage", "paragraph", "premise", "background", "文章", "材料", "段落", "阅读材料"),
    *("背景", "上下文"),
)
#: ``(A)``, ``B.``, ``c)``, and several of them (``ACD``, ``A,B``).
_LETTER: Final = re.compile(r"[(（\[]?([A-Za-z])[)）\].、:：]?")
_LETTERS: Final = re.compile(r"[A-Z](?:[\s,，、;；/]*[A-Z])+")
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#: The letter before a choice: ``A.``, ``(B)``, ``C、``.
_OWN_LETTER: Final = re.compile(r"(?:^|(?<=[\s;；,，|/]))[(（\[]?([A-Z])(?:[)）\]][.、:：．]?|[.、:：．])\s*")
#: What stands for a right one that is not told.
_UNKNOWN: Final = ("", "None", "-1", "nan", "[]")
Counted = Literal["", "letters", "texts", "from 0", "from 1", "unclear"]


class Choice(NamedTuple):
    """The columns of a multiple choice: what is asked (with what about, in front), the choices, and the right one."""

    asked: tuple[str, ...]
    offered: tuple[str, ...]
    right: str


def texts_offered(values: Mapping[str, Any], offered: Sequence[str]) -> list[str]:
    """The choices of a row: those of a list or an object, or one in each of several columns; "" for an empty one.

    >>> texts_offered({"choices": {"label": ["A", "B"], "text": ["red", "blue"]}}, ["choices"])
    ['red', 'blue']
    """
    if len(offered) != 1:
        return _bare([_text(value_at(values, column)) for column in offered])
    found = parse_nested(value_at(values, offered[0]))
    if isinstance(found, Mapping):
        listed = found.get("text", list(found.values()))
        found = listed if isinstance(listed, list) else [listed]
    if isinstance(found, str):
        return _in_one(found)
    return _bare([_text(item) for item in found]) if isinstance(found, (list, tuple)) else []


def _in_one(text: str) -> list[str]:
    """The choices that stand in one text with their letters (``A. red B. blue``); [] where they do not."""
    marks = list(_OWN_LETTER.finditer(text))
    if len(marks) < 2 or marks[0].start() or [mark[1] for mark in marks] != list(_ALPHABET[: len(marks)]):
        return []
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    return [text[mark.end() : end].strip(" ;；,，\n\t|/") for mark, end in zip(marks, ends, strict=True)]


def _bare(texts: list[str]) -> list[str]:
    """Choices without the letters that all of them begin with."""
    marks = [_OWN_LETTER.match(text) for text in texts]
    whole = len(texts) > 1 and all(mark is not None and mark[1] == letter
                                   for mark, letter in zip(marks, _ALPHABET, strict=False))  # fmt: skip
    return [text[mark.end() :].strip() for text, mark in zip(texts, marks, strict=True) if mark] if whole else texts


def _text(item: Any) -> str:
    found = item.get("text", item.get("content", item.get("value"))) if isinstance(item, Mapping) else item
    return "" if found is None else str(found).strip()


def right_places(values: Mapping[str, Any], offered: Sequence[str], right: str, first: int = 0) -> list[int] | None:
    """Which of the choices of a row ``right`` names, by the label of one, or as :func:`places_of` tells."""
    named = side(value_at(values, right), offered)
    if named is not None:
        return [named] if named >= 0 else None
    names = _labels(values, offered)
    word = str(value_at(values, right)).strip()
    return (
        [names.index(word)]
        if word in names
        else places_of(value_at(values, right), texts_offered(values, offered), first)
    )


def _labels(values: Mapping[str, Any], offered: Sequence[str]) -> list[str]:
    """The labels of the choices of a row, where they have some."""
    found = parse_nested(value_at(values, offered[0])) if len(offered) == 1 else None
    if isinstance(found, Mapping):
        found = found.get("label")
        return [str(label).strip() for label in found] if isinstance(found, list) else []
    listed = found if isinstance(found, list) else []
    return [str(item["label"]).strip() for item in listed if isinstance(item, Mapping) and "label" in item]


def places_of(value: Any, texts: Sequence[str], first: int = 0) -> list[int] | None:
    """Which of ``texts`` a value names: by its text, a letter or several, or a number counted from ``first``."""
    found = parse_nested(value)
    if isinstance(found, list):
        each = [places_of(item, texts, first) for item in found]
        whole = [place for places in each if places for place in places]
        return whole if whole and all(each) else None
    if found is None or isinstance(found, (bool, Mapping)):
        return None
    word = str(found).strip()
    if word in texts:
        return [texts.index(word)]
    letters = _letters_in(word)
    number = number_in(word) if not letters else None
    if number is not None:
        letters = [int(number) - first] if number == int(number) else []
    return letters if letters and all(0 <= place < len(texts) and texts[place] for place in letters) else None


def _letters_in(word: str) -> list[int]:
    if not word.isascii() and len(word) > 3:
        return []
    if single := _LETTER.fullmatch(word):
        return [ord(single[1].upper()) - ord("A")]
    if _LETTERS.fullmatch(word):
        return sorted({ord(sign) - ord("A") for sign in word if sign.isalpha()})
    return []


def counted(table: Table, offered: Sequence[str], right: str) -> Counted:
    """How ``right`` names the right one of the choices in each row of the sample; "" where it does not.

    Numbers count from 0 where one of them is 0, and from 1 where one of them is the number of choices.
    """
    told = [side(value, offered) for value in table.values(right)]
    if told and None not in told:
        return "letters"
    if _labelled(table, offered) and all(right_places(row.values, offered, right) for row in table.rows):
        return "letters"
    rows = [(value_at(row.values, right), texts_offered(row.values, offered)) for row in table.rows]
    known = [
        (value, texts) for value, texts in rows if str(value).strip() not in _UNKNOWN and sum(map(bool, texts)) > 1
    ]
    if not known or 2 * len(known) < len(rows):
        return ""
    if all(str(value).strip() in texts for value, texts in known):
        return "texts"
    numbers = [number_in(str(value)) if not isinstance(value, (bool, list)) else None for value, _ in known]
    whole = [(int(number), len(texts)) for number, (_, texts) in zip(numbers, known, strict=True)
             if number is not None and number == int(number)]  # fmt: skip
    if not whole:
        return "letters" if all(places_of(value, texts) for value, texts in known) else ""
    if len(whole) < len(known) or any(not 0 <= number <= count for number, count in whole):
        return ""
    zero, last = any(number == 0 for number, _ in whole), any(number == count for number, count in whole)
    if zero and last:
        return ""
    return "from 0" if zero else "from 1" if last else "unclear"


def _labelled(table: Table, offered: Sequence[str]) -> bool:
    return bool(_labels(_first(table, offered[0]), offered))


def choice_of(table: Table) -> Choice | None:
    """The multiple choice that the columns hold, also inside an object; None where they hold none."""
    inside = [f"{column}.{key}" for column in table.columns if table.kind(column) == "object"
              for key in _keys(_first(table, column).get(column))]  # fmt: skip
    table = replace(table, columns=(*table.columns, *inside)) if inside else table
    for offered in _offered(table):
        free = [column for column in table.columns if column not in offered]
        named = sorted((place, column) for column in free if (place := _place(column, _RIGHT)) is not None)
        right = next((column for _, column in named if counted(table, offered, column)), "")
        asked = _asked(table, [column for column in free if column != right]) if right else ()
        if asked:
            return Choice(asked, offered, right)
    return None


def _keys(value: Any) -> list[str]:
    found = parse_nested(value)
    known = guesses("llm_choices", list(found)) if isinstance(found, Mapping) and all(map(str, found)) else []
    return [key for key in found if isinstance(key, str)] if known else []


def _offered(table: Table) -> list[tuple[str, ...]]:
    """What may hold the choices: a column of lists, or a column for each."""
    spread = tuple(
        column for column in table.columns if is_choice(column, table.columns, told=True) and table.values(column)
    )
    keys = {column: column.rpartition(".")[2] for column in table.columns}
    listed = [column for column, key in keys.items() if guesses("llm_choices", [key])]
    lists = [(column,) for column in listed if table.values(column) and texts_offered(_first(table, column), [column])]
    return [*lists, *([spread] if len(spread) > 1 else [])]


def _first(table: Table, column: str) -> Mapping[str, Any]:
    return next((row.values for row in table.rows if not is_empty(value_at(row.values, column))), {})


def _asked(table: Table, free: Sequence[str]) -> tuple[str, ...]:
    texts = [column for column in free if table.kind(column) == "text"]
    asked = sorted((place, column) for column in texts if (place := _place(column, _ASKED)) is not None)
    about = sorted((place, column) for column in texts if (place := _place(column, _ABOUT)) is not None)
    if asked:
        question = asked[0][1]
        return (*(column for _, column in about[:1] if column != question), question)
    others = [column for column in texts if not comes_again(table, column)]
    return (about[0][1],) if about else tuple(others) if len(others) == 1 else ()


def _place(column: str, names: Sequence[str]) -> int | None:
    name = normalise_name(column.rpartition(".")[2])
    return names.index(name) if name in names else None
