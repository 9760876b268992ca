"""Several answers to a row beside a column that tells the right one, or how good each is: never all are right ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from tunewiz.data.formats.format import Mapped
from tunewiz.data.opening.choosing import choice_advice
from tunewiz.data.opening.left_over import is_text, spare_columns
from tunewiz.data.reading.cells import Table, number_in, parse_nested
from tunewiz.data.reading.columns import EXACT, guesses, list_columns, normalise_name
from tunewiz.data.reading.expressions import map_options, value_at
from tunewiz.data.reading.meaning import is_choice
from tunewiz.data.reading.source import Source
from tunewiz.data.reading.turns import is_turns
from tunewiz.problems import Message, Problem, error, say, warning

#: Roles whose texts are all learned as right ones.
_RIGHT: Final = ("positive", "completion", "output")
#: Names of lists that say of each text how good it is. Lists of offsets, ids or lengths stand beside texts as well.
_GRADES: Final = re.compile(
    "score|rank|grade|rating|label|relevan|vote|likes|reward|quality|correct|select|prefer|judg|is_?gold|"
    "分数|评分|得分|打分|排名|名次|标注|标签|点赞|等级|相关|正确",
    re.IGNORECASE,
)
#: Names of a number or letter that says which one it is.
_PLACE: Final = re.compile(
    "index|idx|best|better|correct|chosen|choice|prefer|accepted|selected|right|gold|winner|label|answer_?key|"
    "最佳|最好|最优|正确|选中|选择|首选|采纳|标签",
    re.IGNORECASE,
)
#: Names that may as well count the rows.
_COUNTED: Final = ("index", "idx")
_MOST_CHOICES: Final = 10


def judged(source: Source, table: Table, mapping: Mapped) -> list[Problem]:
    """An error where a column that is not used tells the right ones of the answers that ``mapping`` learns."""
    spare = spare_columns(table, mapping)
    found: list[Problem] = []
    for role in _RIGHT:
        answers = list(mapping.get(role, ()))
        beside = [name for answer in answers for name in _beside(table, answer)]
        for lists in ([name] for name in answers if table.kind(name) == "texts"):
            found += _told(source, table, lists, [*spare, *beside], mapping.get("query", ()))
        if len(answers) > 1:
            found += _told(source, table, answers, spare)
    return found[:1] or list(_letters(source, table, mapping, spare)) or list(_short_labels(source, table, mapping))


def unjudged(source: Source, table: Table, mapping: Mapped, given: Mapped) -> list[Problem]:
    """An error where all of several answers that models gave are learned, though nobody says that they are right."""
    for role in _RIGHT:
        for name in mapping.get(role, ()) if role not in given else ():
            if _are_made(table, name):
                return [_unjudged(source, table, name, mapping.get("query", ()))]
    return []


def together(source: Source, mapping: Mapped, given: Mapped) -> list[Problem]:
    """A warning where answers in several columns are all learned as right ones, by their names alone."""
    several = next((mapping[role] for role in _RIGHT if role not in given and len(mapping.get(role, ())) > 1), ())
    if not several or not mapping.get("query"):
        return []
    message = say("All of these are learned as right answers: {columns}.", columns=list_columns(several))
    only = map_options({"query": mapping["query"][0], "positive": several[0]})
    return [
        warning("answers-together", message, source.at(), say("If only the first is right: {mapping}.", mapping=only))
    ]


def unjudged_lists(source: Source, table: Table, asked: Sequence[str] = ()) -> Problem | None:
    """The same where no column has a role yet."""
    found = [name for name in table.columns if _are_made(table, name)]
    return _unjudged(source, table, found[0], asked) if found else None


#: Names of lists of what models wrote to one prompt.
_MADE: Final = re.compile(
    "generations|generated|completions|responses|samples|candidates|rollouts|attempts|predictions|hypotheses|drafts|"
    "trajectories|modeloutputs|modelanswers|生成|候选|模型回答|模型回复",
)


_ASKS: Final = re.compile("question|quer|问")


def _are_made(table: Table, name: str) -> bool:
    """Whether a column, or a path into it, holds several texts a row that are called like answers of models."""
    head = normalise_name(re.split(r"[\[.]", name)[0])
    marked = any(guess.strength == EXACT for role in ("positive", "negative") for guess in guesses(role, [head]))
    if not _MADE.search(head) or _ASKS.search(head) or marked or "[" in name.replace("[]", ""):
        return False
    lists = [held for value in table.values(name) if isinstance(held := parse_nested(value), list)]
    several = [value for value in lists if len(value) > 1 and all(isinstance(item, (str, dict)) for item in value)]
    return 2 * len(several) > max(1, len(table.values(name))) and not (
        isinstance(several[0][0], dict) and is_turns(several[0])
    )


def _unjudged(source: Source, table: Table, name: str, asked: Sequence[str]) -> Problem:
    message = say("{column} holds several answers a row, and nothing says which of them are right.", column=name)
    if asked and table.kind(name) == "texts":
        mapping = map_options({"query": asked[0], "positive": name})
        fix = say("If all are right, say so: {mapping}; else write the right ones into pos, the others into neg.",
                  mapping=mapping)  # fmt: skip
    else:
        fix = say("Write a row for each answer that is right; or the best into chosen, another into rejected.")
    return error("answers-unjudged", message, source.at(), fix)


def judged_lists(source: Source, table: Table, asked: Sequence[str] = ()) -> Problem | None:
    """The same where no column has a role yet: of any list of texts. ``asked`` are columns of queries."""
    for name in table.columns:
        if table.kind(name) == "texts" and is_text(table, name):
            rest = [column for column in table.columns if column != name]
            for problem in _told(source, table, [name], rest, asked):
                return problem
    return None


def _told(
    source: Source, table: Table, answers: Sequence[str], spare: Sequence[str], asked: Sequence[str] = ()
) -> Iterator[Problem]:
    for name in spare:
        rows = [(value_at(row.values, name), _texts(row.values, answers)) for row in table.rows]
        several = [(value, texts) for value, texts in rows if len(texts) > 1]
        if _GRADES.search(normalise_name(name)) and _are_grades(several):
            message = say("The lists in {scores} grade the texts in {texts} one by one: not all of them are right.",
                          scores=name, texts=answers[0])  # fmt: skip
            yield error("texts-graded", message, source.at(), _fix(name))
        elif _PLACE.search(normalise_name(name)) and normalise_name(name) not in _COUNTED and _are_places(several):
            message = say("{texts} holds several answers a row, and {column} may tell which of them is the right one.",
                          texts=" + ".join(answers), column=name)  # fmt: skip
            choices = choice_advice(table, answers[0], name, asked) if len(answers) == 1 else ""
            fix = say("If so, say it: {mapping}; if {column} tells something else, take it out.", mapping=choices,
                      column=name) if choices else _fix(name)  # fmt: skip
            yield error("answers-told-apart", message, source.at(), fix)


def _letters(source: Source, table: Table, mapping: Mapped, spare: Sequence[str]) -> Iterator[Problem]:
    """An error where documents are only the letters or numbers of choices that stand beside them."""
    listed = [column for guess in guesses("llm_choices", spare) if table.values(column := guess.column)]
    choices = (
        listed
        or [column for column in spare if is_choice(column, table.columns, told=True)]
        or [column for column in spare if table.kind(column) == "texts" and is_text(table, column)]
    )
    for name in mapping.get("positive", ())[:1] if choices else ():
        values = table.values(name)
        if values and all(not isinstance(value, list) and _is_place(value, _MOST_CHOICES) for value in values):
            message = say("{column} only names one of the choices in {choices}; its text is not learned.",
                          column=name, choices=list_columns(choices))  # fmt: skip
            fix = say("Write the text of the right choice into {column}, the texts of the others as negatives.",
                      column=name)  # fmt: skip
            advised = choice_advice(table, choices[0], name, mapping.get("query", ()))
            if advised:
                fix = say("To find the text of the right choice: {mapping}.", mapping=advised)
            yield error("choice-for-text", message, source.at(), fix)


def _short_labels(source: Source, table: Table, mapping: Mapped) -> Iterator[Problem]:
    """An error where what is to be found is a letter, a yes or a no throughout."""
    for name in mapping.get("positive", ())[:1] if len(mapping.get("positive", ())) == 1 else ():
        values = [str(value).strip() for value in table.values(name)]
        words = list(dict.fromkeys(values))
        if len(values) < _FEW or not all(_LABEL.fullmatch(word) for word in words):
            continue
        message = say("{column} holds only {values}: an answer by its letter or word, no text that is to be found.",
                      column=name, values=tuple(words[:6]))  # fmt: skip
        fix = say("Write the text that answers into {column}.", column=name)
        other = next((one for one in spare_columns(table, mapping) if is_text(table, one)), "")
        if other:
            fix = say("Map the text that is to be found, for example: {mapping}.",
                      mapping=map_options({"query": mapping["query"][0], "positive": other}))  # fmt: skip
        yield error("labels-for-texts", message, source.at(), fix)


_FEW: Final = 5
_LABEL: Final = re.compile(
    "(?-i:[A-H]{1,5}|[a-h])|true|false|yes|no|maybe|entailment|对|错|是|否|正确|错误|[√×✓✗]", re.IGNORECASE
)


def _fix(column: str) -> Message:
    return say(
        'Write the right ones into one list and the others into another: {{"query": …, "pos": […], "neg": […]}}; '
        "for language models the best into chosen, another into rejected. If {column} tells something else, take "
        "it out.",
        column=column,
    )


def _texts(values: dict[str, Any], answers: Sequence[str]) -> list[Any]:
    """The answers of a row: those in its list, or one in each of several columns."""
    if len(answers) > 1:
        return [found for name in answers if (found := value_at(values, name))]
    held = parse_nested(value_at(values, answers[0]))
    return held if isinstance(held, list) else []


def _beside(table: Table, answer: str) -> list[str]:
    """What stands beside answers inside one object, as expressions: ``item.best`` beside ``item.answers``."""
    head, dot, _ = answer.rpartition(".")
    if not dot or answer in table.source.columns or "[" in answer:
        return []
    held = next(
        (found for row in table.rows if isinstance(found := parse_nested(value_at(row.values, head)), dict)), {}
    )
    return [name for key in held if (name := f"{head}.{key}") != answer]


def _are_grades(rows: Sequence[tuple[Any, list[Any]]]) -> bool:
    """Whether a list of as many numbers (or truths) stands beside each row's texts, and they differ somewhere."""
    lists = [(grades, texts) for grades, texts in rows if isinstance(grades, list)]
    whole = bool(lists) and all(len(grades) == len(texts) for grades, texts in lists)
    every = (one for grades, _ in lists for one in grades)
    numbers = all(isinstance(one, (int, float)) or number_in(str(one)) is not None for one in every)
    return whole and numbers and any(len(set(map(str, grades))) > 1 for grades, _ in lists)


def _are_places(rows: Sequence[tuple[Any, list[Any]]]) -> bool:
    """Whether each row holds a place among its texts: a number from 0 or 1 on, or a letter."""
    return bool(rows) and all(_is_place(value, len(texts)) for value, texts in rows)


def _is_place(value: Any, count: int) -> bool:
    if isinstance(value, (bool, list, dict)) or value is None:
        return False
    word = str(value).strip()
    if len(word) == 1 and word.isalpha() and word.isascii():
        return ord(word.upper()) - ord("A") < count
    number = number_in(word)
    return number is not None and number == int(number) and 0 <= number <= count
