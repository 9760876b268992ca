"""Which columns carry meaning: what a model could learn from, unlike ids, dates, addresses and constants."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from tunewiz.data.dialogues.times import sort_keys
from tunewiz.data.reading.cells import Table, parse_nested
from tunewiz.data.reading.columns import EXACT, guesses, normalise_name
from tunewiz.data.reading.expressions import value_at

_PLAIN: Final = frozenset(
    (
        *("id", "ids", "index", "idx", "no", "num", "number", "row", "key", "uuid", "guid", "hash", "md5", "qid"),
        *("url", "urls", "link", "href", "source", "sources", "origin", "dataset", "datasetname", "split", "lang"),
        *("language", "date", "time", "datetime", "timestamp", "created", "createdat", "updatedat", "year", "file"),
        *("filename", "filepath", "path", "repo", "reponame", "meta", "metadata", "version", "license", "generator"),
        *("pubdate", "published", "publishedat", "lastmodified", "modified", "guid", "creationdate", "lasteditdate"),
        *("model", "modelname", "tokens", "numtokens", "length", "numturns", "turn", "author", "domain", "subset"),
        *("编号", "序号", "链接", "网址", "来源", "语言", "日期", "时间", "年份", "文件", "文件名", "作者", "数据集"),
        *("版本", "创建时间", "更新时间", "发布时间", "备注编号"),
    )
)
#: Numbers that say how good an answer is, or how much it counts.
_WEIGHTS: Final = frozenset(
    (
        "weight",
        "loss",
        "score",
        "rating",
        "reward",
        "margin",
        "stars",
        "star",
        "preference",
        "权重",
        "评分",
        "得分",
        "分数",
        "打分",
    )
)
#: Lists of numbers that say which turns of a conversation are learned.
_MASKS: Final = frozenset(("lossmask", "losses", "trainmask", "turnmask", "turnweights", "weights"))
#: Columns of choices: the question is none without them, however alike they are.
_CHOICES: Final = re.compile(r"^(?:option|choice|选项)?[a-h]$|^(?:option|choice|选项)s?[\d一二三四五六]?$")
#: ``opa``, ``ending0``, ``sol1``, ``answerA``: only where others of the same stem stand beside.
_COUNTED_CHOICE: Final = re.compile("^(opt?|sol|ending|alternative|alt|ans|answer|selection|选择|备选)([a-h0-8])$")
#: Names of labels, also where they are numbers: ``category_id``, ``class_idx``.
_LABELLED: Final = re.compile("label|categor|class|intent|topic|sentiment|类别|类目|标签|意图")
_OFFERED: Final = ("op", "opt", "ending")
_ANSWERS: Final = ("ans", "answer")
_COMPARED: Final = 3  # two answers, told apart by a letter, are compared
_FEW_ROWS: Final = 5  # of fewer rows, that a value is repeated says nothing
LONGEST_LABEL: Final = 60  # characters of an average label
_MOST_GRADES: Final = 10  # different numbers of a scale; more are counts and years
_DATE: Final = re.compile(r"^\d{4}[-/年.]\d{1,2}([-/月.]\d{1,2}日?)?([ T]\d{1,2}:\d{2}.*)?$|^\d{1,2}:\d{2}(:\d{2})?$")
_URL: Final = re.compile(r"^(https?://|www\.|/?[\w.-]+/[\w./-]+$)")
_MAIL: Final = re.compile(r"^[\w.+-]+@[\w-]+(?:\.[\w-]+)+$")
_CODE: Final = re.compile(r"^[\w.\-]*\d[\w.\-]*$", re.ASCII)


def _weighs(column: str) -> bool:
    """Whether the name says that numbers tell how good or how heavy something is: ``score_chosen``, ``评分2``."""
    words = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column).casefold())
    name = normalise_name(column)
    plain = {word.removesuffix("s") for word in words} | {name}
    return bool(plain & _WEIGHTS) or any(name.endswith(word) for word in _WEIGHTS if not word.isascii())


def is_choice(column: str, columns: Iterable[str], told: bool = False) -> bool:
    """Whether a column holds one of several choices, as its name and another's (B beside A) say.

    Where another column has ``told`` which one is right, answers and solutions that are counted are choices, too.
    """
    plain = normalise_name(column)
    if _CHOICES.match(plain):
        return len(plain) > 1 or {"a", "b"} <= {normalise_name(name) for name in columns}
    counted = _COUNTED_CHOICE.match(plain)
    if counted is None or not (told or counted[1] in _OFFERED):
        return False
    beside = {found[2] for name in columns if (found := _COUNTED_CHOICE.match(normalise_name(name))) is not None
              and found[1] == counted[1]}  # fmt: skip
    return len(beside) >= (_COMPARED if counted[1] in _ANSWERS else 1) and bool({"a", "1", "0"} & beside)


def carries(table: Table, column: str) -> bool:
    """Whether the values of ``column`` mean something that a model could learn from."""
    values = table.values(column)
    if not values:
        return False
    if is_choice(column, table.columns):
        return True
    name = normalise_name(column)
    if name in _MASKS and table.kind(column) == "numbers":
        return True
    labelled = _LABELLED.search(name) is not None
    if name in _NUMBERS and _is_said(table, column):
        return True
    if name in _PLAIN or (name.endswith(("id", "idx", "编号", "序号")) and not labelled) or name.startswith("unnamed"):
        return False
    scene = table.kind(column) == "text" and any(guess.strength == EXACT for guess in guesses("llm_scene", [column]))
    if not scene and not table.varied(column) and len(table.rows) > 1:
        return False
    if table.kind(column) in ("number", "numbers"):
        flags = {str(value) for value in values} <= {"0", "1", "True", "False"}
        return flags or labelled or _weighs(column) or bool(guesses("llm_label", [column]))
    texts = [str(value).strip() for value in values]
    if (
        all(_DATE.match(text) or _URL.match(text) or _MAIL.match(text) for text in texts)
        or sort_keys(texts) is not None
    ):
        return False
    return len(set(texts)) < len(texts) or not all(_CODE.match(text) for text in texts) or len(texts) < 2


#: Names of numbers, ids and origins under which some programs write texts.
_NUMBERS: Final = frozenset(("id", "index", "idx", "no", "num", "number", "key", "source", "编号", "序号", "来源"))
_SAID: Final = 40  # characters of an average text


def _is_said(table: Table, column: str) -> bool:
    """Whether texts of a column differ from row to row and ask something, or are long, as no id is."""
    values = table.values(column)
    if table.kind(column) != "text" or 2 * len(set(map(str, values))) <= len(values) or _URL.match(str(values[0])):
        return False
    return asks(table, column) or table.mean_length(column) >= _SAID


#: How questions look, in English and Chinese.
_ASKS: Final = re.compile(
    r"[?？]|怎么|如何|什么|为何|吗|哪|多少|几|能否|是否|可以.*么|^(how|what|why|where|when|who|which|can|is|do|does)\b",
    re.IGNORECASE,
)


_VERDICTS: Final = frozenset(("accept", "reject", "ignore", "accepted", "rejected", "skip", "submitted", "discarded"))


def is_verdict(table: Table, column: str) -> bool:
    """Whether a column holds what annotators decided of each row: accept, reject, ignore."""
    return {str(value).strip().casefold() for value in table.values(column)} <= _VERDICTS and bool(table.values(column))


def asks(table: Table, column: str) -> bool:
    """Whether most texts of ``column`` look like questions."""
    values = [str(value) for value in table.values(column)]
    return bool(values) and 2 * sum(bool(_ASKS.search(value)) for value in values) >= len(values)


def comes_again(table: Table, column: str) -> bool:
    """Whether half of the values of ``column`` or more stood there before, as labels do and answers do not."""
    values = [str(value) for value in table.values(column)]
    return len(values) >= _FEW_ROWS and 2 * len(set(values)) <= len(values)


def is_mark(table: Table, column: str) -> bool:
    """Whether ``column`` is called like a source or a date, and its values come again: no text that rows are about."""
    return normalise_name(column) in _PLAIN and comes_again(table, column)


def is_grade(table: Table, column: str) -> bool:
    """Whether a column holds few numbers that come again and again: stars, grades, yes or no."""
    values = [str(value) for value in table.values(column)]
    few = len(values) >= 2 * _FEW_ROWS and 1 < len(set(values)) <= min(_MOST_GRADES, len(values) // 2)
    return few and table.kind(column) == "number" and not is_mark(table, column)


def beside_text(table: Table, used: Iterable[str]) -> list[str]:
    """The columns beside ``used`` that training on it alone would lose: what carries meaning, and grades."""
    taken = set(used)
    rest = [column for column in table.columns if column not in taken]
    return [column for column in rest if carries(table, column) or is_grade(table, column)]


def repeats(table: Table, column: str, mapping: Mapping[str, Sequence[str]]) -> bool:
    """Whether ``column`` only says again what ``mapping`` reads: one of its texts, all of them, or turns of them."""
    used = [name for columns in mapping.values() for name in columns]
    if any(is_again(table, column, name) for name in used):
        return True
    told = held = 0
    for row in table.rows:
        value = row.values.get(column)
        mapped = [text for name in used for text in texts_in(value_at(row.values, name))]
        own = texts_in(value)
        if not own:
            continue
        told += 1
        inside = all(any(_stands_in(text, other) for other in mapped) for text in own)
        held += inside or (bool(mapped) and all(any(_stands_in(text, mine) for mine in own) for text in mapped))
    return told > 0 and held >= _NEARLY_ALL * told


def is_again(table: Table, column: str, other: str) -> bool:
    """Whether two columns of labels say the same in other words: each value of one stands with one of the other."""
    pairs = [(str(row.values.get(column)), str(value_at(row.values, other))) for row in table.rows]
    kinds = set(pairs)
    few = len(pairs) >= 2 * _FEW_ROWS and 1 < len(kinds) <= len(pairs) // 2
    return few and len({one for one, _ in kinds}) == len({other for _, other in kinds}) == len(kinds)


def _stands_in(text: str, other: str) -> bool:
    return text == other or (len(text) >= _SENTENCE and text in other)


_SENTENCE: Final = 10  # characters; fewer stand in other texts by chance


def texts_in(value: Any) -> list[str]:
    """The texts in a cell, also those of turns and lists, without the names of who speaks."""
    found = parse_nested(value)
    if isinstance(found, str):
        return [found.strip()] if found.strip() else []
    if isinstance(found, dict):
        return [text for key, item in found.items() if key not in _SPEAKERS for text in texts_in(item)]
    return [text for item in found for text in texts_in(item)] if isinstance(found, (list, tuple)) else []


_NEARLY_ALL: Final = 0.9
_SPEAKERS: Final = ("role", "from", "speaker", "author")


def meaningful(table: Table, used: Iterable[str]) -> list[str]:
    """The columns beside ``used`` that carry meaning, in order."""
    taken = set(used)
    return [column for column in table.columns if column not in taken and carries(table, column)]
