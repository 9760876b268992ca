"""Texts inside objects: what a column of objects offers to be mapped, as expressions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from tunewiz.data.formats.format import Mapped
from tunewiz.data.reading.cells import Table, is_empty, number_of
from tunewiz.data.reading.columns import guesses, normalise_name
from tunewiz.data.reading.expressions import columns_in, is_false, is_true, map_options, nested, value_at
from tunewiz.data.reading.meaning import asks
from tunewiz.data.reading.scales import known_labels, word_worth
from tunewiz.data.reading.source import Source
from tunewiz.data.reading.turns import first_turns
from tunewiz.problems import Problem, error, say

#: Keys of an object's text, best first; then the key of the longest texts.
_TEXTS: Final = (
    "text",
    "paragraphtext",
    "passagetext",
    "passage",
    "content",
    "contents",
    "body",
    "document",
    "paragraph",
)
_TITLES: Final = ("title", "标题")
#: Keys of places in an order, of which the first is the best.
_RANKS: Final = ("rank", "ranking", "place", "名次", "排名")
#: Keys that say which objects are right, best first.
_CHOSEN: Final = (
    *("isselected", "selected", "ispositive", "isrelevant", "isgold", "issupporting", "relevant", "gold", "positive"),
    *(
        "isaccepted",
        "accepted",
        "isbest",
        "isbestanswer",
        "采纳",
        "是否采纳",
        "已采纳",
        "最佳",
        "是否最佳",
        "iscorrect",
        "correct",
        "isanswer",
        "hasanswer",
        "supporting",
        "issupport",
        "support",
        "ismatch",
        "match",
        "matched",
    ),
    *(
        "golden",
        "ispos",
        "isright",
        "istrue",
        "clicked",
        "isclicked",
        "是否相关",
        "相关",
        "是否正确",
        "正确",
        "是否正例",
    ),
    *(
        "正例",
        "是否选中",
        "选中",
        "是否点击",
        "点击",
        "label",
        "labels",
        "relevance",
        "relevancelabel",
        "grade",
        "judgment",
    ),
    *(
        "judgement",
        "rel",
        "score",
        "relevancescore",
        "similarity",
        "rating",
        "type",
        "kind",
        "clicks",
        "标签",
        "相关性",
        "相关度",
    ),
    *("得分", "分数", "评分", "类型", "点击次数"),
    *("votes", "upvotes", "votecount", "likes", "likecount", "ups", "points", "helpful", "thumbsup", "pmscore"),
    *("赞同数", "点赞数", "点赞", "赞数", "赞", "票数", "有用数", "喜欢数"),
    *_RANKS,
)
_LOOKED: Final = 50  # rows: what an object holds is alike in all
_SPANS: Final = ("answerstart", "start")


def unfolded(table: Table) -> tuple[str, ...]:
    """An expression for the texts of each column of objects; two where the objects say which of them are right."""
    found: list[str] = []
    for column in table.columns:
        objects, shape = _objects(table, column)
        if objects:
            found += _expressions(column, shape, objects)
    return tuple(found)


def pairs_inside(table: Table) -> str:
    """The column whose lists hold objects of a question and its answer each; "" if none does."""
    for column in table.columns:
        objects, shape = _objects(table, column)
        keys = [key for key in (objects[0] if shape == "[]" else ()) if isinstance(key, str)]
        if guesses("query", keys) and guesses("positive", [key for key in keys if not guesses("query", [key])]):
            return column
    return ""


def with_leaves(table: Table) -> Table:
    """The table with the texts of objects, one a row, in place of the objects: what a mapping can be advised of."""
    columns: list[str] = []
    for column in table.columns:
        objects, shape = _objects(table, column)
        turns = [f"{column}.{key}" for key in (objects[0] if objects and not shape else ()) if isinstance(key, str)
                 and first_turns(table, f"{column}.{key}")]  # fmt: skip
        columns += turns or (_expressions(column, shape, objects) if objects and not shape else []) or [column]
    return replace(table, columns=tuple(columns))


def with_titles(expressions: Sequence[str], table: Table) -> dict[str, str]:
    """Each expression with the title beside its text in front, if all have one and none is always the same."""
    found = {}
    for expression in expressions:
        head, dot, key = expression.rpartition(".")
        keys = {key for item in _items(table, head.split("[")[0]) if isinstance(item, dict) for key in item}
        title = next((name for name in keys if normalise_name(name) in _TITLES and name != key), "")
        joined = f"{head}.{title} + {expression}" if dot and title else ""
        if joined and _varied(table, f"{head}.{title}"):
            found[expression] = joined
    return found


def _varied(table: Table, expression: str) -> bool:
    texts = [
        str(text) for value in table.values(expression) for text in (value if isinstance(value, list) else [value])
    ]
    filled = [text for text in texts if text.strip()]
    return len(filled) > 0.5 * len(texts) and len(set(filled)) > 1


def _items(table: Table, column: str) -> list[Any]:
    found: list[Any] = []
    for value in table.values(column)[:_LOOKED]:
        held = nested(value)
        found += held if isinstance(held, list) else [held]
    return found


def _objects(table: Table, column: str) -> tuple[list[dict[str, Any]], str]:
    """The objects of a column, and what leads to them: "" for one a row, "[]" for a list, "[][]" for lists of lists."""
    values = [nested(value) for value in table.values(column)[:_LOOKED]]
    for shape in ("", "[]", "[][]"):
        if values and all(isinstance(value, dict) for value in values):
            return values, shape
        if not values or not all(isinstance(value, list) for value in values):
            return [], ""
        values = [item for value in values for item in value]
    return [], ""


def _expressions(column: str, shape: str, objects: list[dict[str, Any]]) -> list[str]:
    keys = {key: normalise_name(str(key)) for item in objects for key in item if isinstance(key, str)}
    if any(plain in _SPANS for plain in keys.values()):  # an answer cut out of a context
        return []
    known, others = _text_keys(objects, keys)
    if shape == "" and not known and len(others) > 1:  # texts side by side, as languages of a translation
        whole = [key for key in keys if key in others and not any(isinstance(item.get(key), list) for item in objects)]
        return [f"{column}.{key}" for key in whole]
    text = next(iter((*known, *others)), "")
    if not text:
        return []
    inner = f"{text}[]" if any(isinstance(item.get(text), list) for item in objects) else text
    marks = _marks(objects, keys) if shape == "[]" else []
    chosen = next((key for key in marks if _says_yes_and_no(objects, key)), "")
    if chosen:
        return [f"{column}[{mark}{chosen}].{inner}" for mark in ("", "!")]
    return [f"{column}{shape}.{inner}"]


def _marks(objects: list[dict[str, Any]], keys: dict[str, str]) -> list[str]:
    """The keys that may say which objects are right, likely ones first."""
    order = {name: place for place, name in enumerate(_CHOSEN)}
    named = sorted((key for key, plain in keys.items() if plain in order), key=lambda key: order[keys[key]])
    return [*named, *(key for key in keys if key not in named and _is_scaled(objects, key))]


def _is_scaled(objects: list[dict[str, Any]], key: str) -> bool:
    """Whether all values are words of a scale that is known, at both ends of it (Good, Bad), whatever the key says."""
    values = [value for item in objects if not is_empty(value := item.get(key))]
    words = all(isinstance(value, str) and number_of(value) is None for value in values)
    return words and len(set(known_labels(values, {}).values())) > 1


def _says_yes_and_no(objects: list[dict[str, Any]], key: str) -> bool:
    values = [item.get(key) for item in objects]
    told = {is_true(value) for value in values}
    return told == {True, False} and all(is_true(value) or is_false(value) or value is None for value in values)


def graded(table: Table, column: str) -> tuple[str, list[Any]]:
    """The key and values of scores or words that grade the objects of a column; ("", []) where yes or no is said."""
    objects, shape = _objects(table, column)
    keys = {key: normalise_name(str(key)) for item in objects for key in item if isinstance(key, str)}
    marks = _marks(objects, keys) if shape == "[]" else []
    if any(_says_yes_and_no(objects, key) for key in marks):
        return "", []
    for key in marks:
        values = [item.get(key) for item in objects if not is_empty(item.get(key))]
        plain = all(isinstance(value, (str, int, float)) for value in values)
        if plain and len({str(value) for value in values}) > 1 and (_are_numbers(values) or _are_words(values)):
            return key, values
    return "", []


def _are_numbers(values: list[Any]) -> bool:
    return all(number_of(value) is not None for value in values)


def _are_words(values: list[Any]) -> bool:
    """Words that come again, as labels do."""
    return 2 * len({str(value) for value in values}) <= len(values)


def unclear_marks(source: Source, table: Table, mapping: Mapped) -> Problem | None:
    """An error where ``mapping`` takes all objects of a list for right ones though scores in them tell otherwise."""
    for role in ("positive", "sentence2"):
        for name in mapping.get(role, ()):
            column, inside, text = name.partition("[].")
            key, values = graded(table, column) if inside and "[" not in text else ("", [])
            if key:
                return ask_which(source, table, column, text, (key, values))
    return None


def best_of(table: Table, column: str, key: str, values: list[Any]) -> str:
    """An expression for the text of the best object by numbers under ``key``; "" where most rows have none such."""
    found = next(iter(unfolded(replace(table, columns=(column,)))), "")
    if "[]." not in found or not _are_numbers(values):
        return ""
    end = "min" if normalise_name(key) in _RANKS else "max"
    best = found.replace("[].", f"[{key}={end}].", 1)
    return best if 2 * len(table.values(best)) > len(table.rows) else ""


def ask_which(source: Source, table: Table, column: str, text: str, mark: tuple[str, list[Any]]) -> Problem:
    """An error that asks which of the objects in a column are right, by the key and values of ``mark``."""
    key, values = mark
    shown = list(dict.fromkeys(str(value) for value in values))
    message = say(
        "The objects in {column} are graded by {key} ({values}): not all of them are right.",
        column=column,
        key=key,
        values=", ".join(shown[:6]) + (" …" if len(shown) > 6 else ""),
    )
    query = _asked(table, column)
    test = _test(key, values)
    fix = say(
        "Say from where on they are, for example: {mapping}.",
        mapping=map_options(
            {"query": query, "positive": f"{column}[{test}].{text}", "negative": f"{column}[!{test}].{text}"}
        ),
    )
    return error("marks-unclear", message, source.at(), fix)


def _asked(table: Table, beside: str) -> str:
    """The column of what is asked, by its name or because it asks; "COLUMN" where none can be told."""
    texts = [name for name in table.columns if table.kind(name) == "text" and name.split("[")[0] != beside]
    named = [guess.column for role in ("query", "title") for guess in guesses(role, texts)]
    sure = [name for name in named if asks(table, name)] or named or [name for name in texts if asks(table, name)]
    return next(iter(sure), "COLUMN")


def _test(key: str, values: list[Any]) -> str:
    """A comparison that tells right from wrong objects, as an example."""
    numbers = sorted({number for value in values if (number := number_of(value)) is not None})
    if len(numbers) < 2:
        best = max((str(value) for value in values), key=lambda word: word_worth(word) or 0.0)
        return f"{key}={best}"
    if normalise_name(key) in _RANKS:
        return f"{key}<={numbers[0]:g}"
    whole = all(number == int(number) for number in numbers)
    # Grades count from 1 on, as trec_eval has it; of other scores those in the upper half.
    start = 1.0 if whole and numbers[0] <= 0 else numbers[1] if whole else round((numbers[0] + numbers[-1]) / 2, 3)
    return f"{key}>={start:g}"


def _text_keys(objects: list[dict[str, Any]], keys: dict[str, str]) -> tuple[list[str], list[str]]:
    """Keys of texts: those known by their names, best first; others whose texts differ, those of the longest first."""
    lengths: dict[str, list[int]] = {}
    values: dict[str, set[str]] = {}
    for item in objects:
        for key in keys:
            value = item.get(key)
            texts = value if isinstance(value, list) else [value]
            if not is_empty(value) and all(isinstance(text, str) for text in texts):
                lengths.setdefault(key, []).append(sum(map(len, texts)))
                values.setdefault(key, set()).add(str(value))
    known = [key for name in _TEXTS for key, plain in keys.items() if plain == name and key in lengths]
    varied = [key for key in lengths if len(values[key]) > 1 and not keys[key].endswith(("id", "url", "link"))]
    untitled = [key for key in varied if keys[key] not in _TITLES and keys[key] not in _CHOSEN]
    return known, sorted(untitled or varied, key=lambda key: -sum(lengths[key]) / len(lengths[key]))


#: What programs write deep inside their rows, by role: labels of Label Studio, and calls of chat servers with answers.
_EXPORTS: Final[tuple[Mapping[str, tuple[str, ...]], ...]] = (
    {
        "text": ("data.text", "data.content", "data.review", "data.comment", "data.title + data.text"),
        "label": ("annotations[].result[].value.choices", "completions[].result[].value.choices"),
    },
    {
        "prompt": (
            *("request.messages", "request.body.messages", "body.messages", "input.messages", "kwargs.messages"),
            *("request.prompt", "body.prompt", "request.contents"),
        ),
        "completion": (
            *("response.choices[].message.content", "response.body.choices[].message.content"),
            *("output.choices[].message.content", "response.choices[].text", "response.content[].text"),
        ),
    },
)


def exported(table: Table) -> Mapping[str, str]:
    """Where the texts of rows lie that a known program wrote, by role; empty where they lie elsewhere."""
    for roles in _EXPORTS:
        found = {role: next((path for path in paths if _reaches(table, path)), "") for role, paths in roles.items()}
        if all(found.values()):
            return found
    return {}


def _reaches(table: Table, path: str) -> bool:
    """Whether most rows hold something at ``path``."""
    held = [value_at(row.values, path) for row in table.rows if columns_in(path)[0] in row.values]
    return bool(held) and sum(not is_empty(value) for value in held) > len(table.rows) / 2
