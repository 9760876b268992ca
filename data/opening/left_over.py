"""Columns that no role took: a title goes in front of its document, and texts are not passed over quietly."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from tunewiz.data.formats.format import Mapped
from tunewiz.data.formats.several import LISTED, NUMBERED, PARALLEL, are_parallel, cut_at
from tunewiz.data.opening.labels import is_clicks
from tunewiz.data.opening.matching import Match
from tunewiz.data.opening.unfolding import with_titles
from tunewiz.data.reading.cells import Table
from tunewiz.data.reading.columns import EXACT, WEAK, guesses, list_columns, normalise_name
from tunewiz.data.reading.discovery import GENERATED
from tunewiz.data.reading.expressions import columns_in, map_options
from tunewiz.data.reading.meaning import repeats
from tunewiz.data.reading.source import Source
from tunewiz.data.reading.turns import first_turns
from tunewiz.problems import Problem, error, note, say, warning

_DATE: Final = re.compile(r"\d{4}[-/.年]\d{1,2}([-/.月]\d{1,2}.*)?$|\d{1,2}[-/.:]\d{1,2}([-/.:]\d{2,4})?.*$")
_LINK: Final = re.compile(r"(https?|ftp)://|www\.|^/|^[\w.+-]+@[\w-]+\.")
#: A number or a code: one piece with digits in it.
_CODE: Final = re.compile(r"[\w.:#/-]*\d[\w.:#/-]*$", re.ASCII)
_IDS: Final = re.compile(r"(^|[^a-z])(id|ids|uuid|guid|key|asin|sku|no|code|url|link|hash|md5|date|time|timestamp)s?$")
_IDS_ZH: Final = re.compile("(id|编号|序号|时间|日期|链接|网址|编码|代码|哈希)$")
#: Fewer different values than one in five rows, or ten, are a kind of row rather than a text of each.
_KINDS: Final = 10
#: A longer text is no name of a kind, however often it comes again: a query stands beside each of its documents.
_SHORT: Final = 16


def _width(text: str) -> int:
    """How many columns a text takes on a screen, about: a Chinese character is as wide as two letters."""
    return len(text) + sum(character > "\u2e80" for character in text)


def is_name(table: Table, column: str) -> bool:
    """Whether a column holds ids, codes, dates or addresses, by its name or by what stands in it."""
    if is_named_so(column):
        return True
    texts = [str(text) for value in table.values(column) for text in (value if isinstance(value, list) else [value])]
    odd = sum(bool(_DATE.match(text) or _LINK.match(text) or _CODE.match(text)) for text in map(str.strip, texts))
    return bool(texts) and odd >= 0.9 * len(texts)


def is_named_so(column: str) -> bool:
    """Whether the name says that ids, codes, dates or addresses stand there."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column.rsplit(".", 1)[-1]).casefold()
    return bool(_IDS.search(words) or _IDS_ZH.search(normalise_name(column)))


def is_text(table: Table, column: str) -> bool:
    """Whether a column holds texts of their own: they vary, and are neither names nor a few kinds."""
    if table.kind(column) not in ("text", "texts") or not table.varied(column) or is_name(table, column):
        return False
    values = [str(value) for value in table.values(column)]
    if sum(map(_width, values)) > _SHORT * len(values):
        return True
    different = len(set(values))
    return different > max(1, len(values) // 5) if len(values) > 2 * _KINDS else different > len(values) // 2


def used_columns(mapping: Mapped) -> set[str]:
    """The columns that a mapping reads, those that its expressions begin at among them."""
    names = {name for columns in mapping.values() for name in columns}
    return names | {head for name in names for head in columns_in(name)}


def spare_columns(table: Table, mapping: Mapped) -> list[str]:
    """Columns of the source that the mapping does not read."""
    used = used_columns(mapping)
    return [column for column in table.columns if column not in used and not set(columns_in(column)) - {column}]


def unused(source: Source, table: Table, mapping: Mapped) -> list[Problem]:
    """What is not used: a note, and a warning for texts that could have been."""
    spare = [column for column in spare_columns(table, mapping) if column != GENERATED]  # that is told of by itself
    inside = {head: name for name in table.columns for head in columns_in(name) if name != head}
    wrong = {
        guess.column for guess in guesses("negative", spare) if guess.strength == EXACT and table.values(guess.column)
    }
    texts = [name for name in spare if name in wrong or (is_text(table, inside.get(name, name)) and not _is_part(name))]
    found: list[Problem] = []
    document = next((role for role in ("positive", "sentence2") if len(mapping.get(role, ())) == 1), "")
    texts = [name for name in texts if not repeats(table, inside.get(name, name), mapping)]
    apart = bool(wrong) or any(
        _APART.search(normalise_name(name)) or guesses("query", [name]) or table.kind(name) == "texts" for name in texts
    )
    whole = next((name for name in texts if name not in wrong and _FOUND.search(normalise_name(name))), "")
    several = document == "positive" and bool(whole) and table.kind(mapping["query"][0]) == "texts"
    if texts and document and not apart and not several:
        kept, lost = mapping[document][0], " + ".join(inside.get(name, name) for name in texts)
        message = say("These texts are not used: {columns}.", columns=list_columns(texts))
        fix = say(
            'To put them in front of the document, join them: --map {role}="{lost} + {kept}".',
            role=document,
            lost=lost,
            kept=kept,
        )
        found.append(warning("texts-unused", message, source.at(), fix))
        spare = [name for name in spare if name not in texts]
    elif texts:
        message = say("These texts are not used: {columns}.", columns=list_columns(texts))
        fix = say("Write what matters into a column that is used; take the others out.")
        if whole and document == "positive":
            fix = say("If that is what is to be found: {mapping}; else take it out.",
                      mapping=map_options({"query": mapping["query"][0], "positive": whole}))  # fmt: skip
        found.append(warning("texts-unused", message, source.at(), fix))
        spare = [name for name in spare if name not in texts]
    scores = [name for name in spare if _tells(table, name)]
    if scores:
        message = say("Not used, though they may tell right rows from wrong ones: {columns}.",
                      columns=list_columns(scores))  # fmt: skip
        fix = say("If they do, say so: --map score={column}; else take the column out.", column=scores[0])
        if _FAR.search(normalise_name(scores[0])):
            fix = say("Scores are high where texts belong together: write 1 - {column} into a column score.",
                      column=scores[0])  # fmt: skip
        found.append(warning("scores-unused", message, source.at(), fix))
        spare = [name for name in spare if name not in scores]
    if spare:
        found.append(note("columns-unused", say("Not used: {columns}.", columns=list_columns(spare)), source.at()))
    return found


#: Flags beside two texts, and numbers by the names of which some rows are better than others.
_YES_NO: Final = frozenset(("0", "1", "true", "false", "yes", "no", "y", "n", "t", "f", "是", "否", "0.0", "1.0"))
_BETTER: Final = re.compile("star|vote|like|useful|helpful|answerable|distance|点赞|星级|有用|距离")
_FAR: Final = re.compile("distance|距离")


def _tells(table: Table, name: str) -> bool:
    """Whether a column may tell right rows from wrong ones: scores, stars, votes, yes or no."""
    values = {str(value).strip().casefold() for value in table.values(name)}
    if not table.varied(name) or len(values) < 2 or is_named_so(name):
        return False
    if values <= _YES_NO:
        return True
    named = any(guess.strength > WEAK for guess in guesses("score", [name])) or _BETTER.search(normalise_name(name))
    return table.kind(name) == "number" and bool(named)


#: Names of what a query is to find.
_FOUND: Final = re.compile(
    "context|passage|document|chunk|reference|evidence|story|article|上下文|段落|文档|材料|原文|文章"
)
#: Names of texts that no document has in front: other answers, and what asks.
_APART: Final = re.compile(
    "answer|response|completion|distract|wrong|incorrect|reject|generat|question|quer|explan|rational|candidate|choice|"
    "option|^pos|neg|答|错误|干扰|问|解析|候选|选项"
)


def ids_for_texts(source: Source, table: Table, mapping: Mapped) -> Problem | None:
    """An error where a log of clicks names documents by their ids alone."""
    name = next((names[0] for role in ("positive", "sentence2") if (names := mapping.get(role))), "")
    if not name or not any(map(is_clicks, table.columns)) or not is_name(table, name):
        return None
    message = say("{column} holds ids or addresses of documents, not their texts.", column=name)
    fix = say("Put each document's text beside its id; or give a folder with corpus, queries and these as qrels.")
    return error("ids-for-texts", message, source.at(), fix)


def _is_part(name: str) -> bool:
    """Whether the name says that a column is a label or a tag, which no document needs."""
    return bool(guesses("score", [name]) or guesses("llm_label", [name]))


def titled(source: Source, table: Table, best: Match, given: Mapped) -> tuple[Match, list[Problem]]:
    """The match with the document's title in front of its text, as BEIR reads it, and what to say of that."""
    role = next((name for name in ("positive", "sentence2") if len(best.mapping.get(name, ())) == 1), "")
    if not role or role in given:
        return best, []
    nested = [name for part in (role, "negative") for name in best.mapping.get(part, ()) if "[" in name]
    if nested:
        joined = with_titles(nested, table)
        if len(joined) < len(nested):
            return best, _told_of_titles(source, table, best, nested)
        mapping = {part: tuple(joined.get(name, name) for name in columns) for part, columns in best.mapping.items()}
        return replace(best, mapping=mapping), []
    text = best.mapping[role][0]
    spare = [name for name in spare_columns(table, best.mapping) if name != text]
    titles = [guess.column for guess in guesses("title", spare) if normalise_name(guess.column) not in ("name", "题目")]
    title = next((name for name in titles if is_text(table, name) or _is_short(table, name, text)), "")
    if not title or best.mapping.get("negative") or not _is_short(table, title, text):
        return best, []
    message = say(
        "{title} is put in front of {text}, as part of the document. To leave it out: --map {role}={text}.",
        title=title,
        text=text,
        role=role,
    )
    rivals = {role: tuple(name for name in names if name != title) for role, names in best.rivals.items()}
    whole = replace(
        best,
        mapping={**best.mapping, role: (f"{title} + {text}",)},
        rivals={role: names for role, names in rivals.items() if names},
    )
    return whole, [note("title-joined", message, source.at())]


def _is_short(table: Table, title: str, text: str) -> bool:
    """Whether a column is a title of the other: text that varies and is shorter."""
    if table.kind(title) != "text" or not table.varied(title) or is_name(table, title):
        return False
    return table.mean_length(title) < table.mean_length(text)


def _told_of_titles(source: Source, table: Table, best: Match, nested: list[str]) -> list[Problem]:
    """A warning where some documents have a title and others have none, which a model would learn to tell apart."""
    joined = with_titles([name for name in nested if name in best.mapping.get("positive", ())], table)
    if not joined:
        return []
    name, whole = next(iter(joined.items()))
    message = say("The titles beside {name} are not used: not all the other documents have one.", name=name)
    fix = say('To put them in front all the same: --map positive="{whole}".', whole=whole)
    return [warning("titles-unused", message, source.at(), fix)]


#: What stands between several questions in a cell, as people write them; the last ones only where the column's name
#: says that it holds several.
_SURE_MARKS: Final = ("|||", " // ", " \\\\ ", "||", "###", "@@@", "@@", "&&&", "$$$", "<sep>", "[SEP]", "<SEP>", "##")
_MARKS: Final = (*_SURE_MARKS, "|", "\n")
#: Without the line break, which texts have that are one.
IN_A_LINE: Final = _MARKS[:-1]
_MORE_MARKS: Final = ("；", ";", "/", "、", "，")


def marks_of(table: Table, mapping: Mapped) -> dict[str, str]:
    """What stands between the texts of a cell, by column; columns of one text a cell are left out.

    In documents only marks that stand in no text otherwise, and that most cells have.
    """
    found = {}
    lists = [mapping[role] for role in ("query", "positive") if len(mapping.get(role, ())) == 1]
    if len(lists) == 2 and not mapping.get("negative") and are_parallel(table, lists[0][0], lists[1][0]):
        return {lists[0][0]: PARALLEL}
    for column in mapping.get("query", ()):
        listed = table.kind(column) == "texts" and (
            (column in table.columns and "[" not in column) or _one_each(table, column, mapping)
        )
        found[column] = LISTED if listed else mark_between(table, column, (NUMBERED, *_MARKS, "//"), 0.5)
    for column in (*mapping.get("positive", ()), *mapping.get("negative", ())):
        found[column] = mark_between(table, column, _SURE_MARKS, 0.5)
    for column in mapping.get("similar", ()):
        # One of several columns holds one way to ask, commas and all.
        more: tuple[str, ...] = () if len(mapping["similar"]) > 1 else _MORE_MARKS
        found[column] = mark_between(table, column, (NUMBERED, *_MARKS, "//", *more), 0.1)
    return {column: mark for column, mark in found.items() if mark}


def _one_each(table: Table, column: str, mapping: Mapped) -> bool:
    """Whether the texts of a query in a list of objects, which are no turns, are all asked of one text."""
    head = column.split("[")[0]
    plain = all(table.kind(name) == "text" for name in mapping.get("positive", ()))
    return "[]" in column and " + " not in column and plain and not first_turns(table, head)


def mark_between(table: Table, column: str, marks: Sequence[str] = _MARKS, share: float = 0.5) -> str:
    """The mark that cuts at least a ``share`` of a column's cells into texts of two letters or more."""
    texts = [str(value).strip() for value in table.values(column) if isinstance(value, str)]
    for mark in marks:
        bare = texts if mark == NUMBERED else [text.strip(mark) for text in texts]
        if mark == "//" and any("://" in text for text in texts):
            continue
        cut = [parts for text in bare if len(parts := cut_at(text, mark)) > 1]
        whole = all(len(part.strip()) > 1 and not _LETTERED.match(part) for parts in cut for part in parts)
        if cut and whole and len(cut) >= share * len(texts) and len({part for parts in cut for part in parts}) > 2:
            return mark
    return ""


#: A choice of several, which a question is none without.
_LETTERED: Final = re.compile(r"\s*[(（]?[A-H][)）.、:：．]")


def several_asked(source: Source, table: Table, column: str) -> list[Problem]:
    """A warning where a prompt holds several ways to ask, which a language model would read as one."""
    mark = mark_between(table, column, _SURE_MARKS, 0.5) if table.kind(column) == "text" else ""
    if not mark:
        return []
    message = say("Cells of {column} hold several questions, cut at {mark}; they are read as one prompt.",
                  column=column, mark=mark.strip())  # fmt: skip
    fix = say("If they are ways to ask the same, write a row for each with its answer.")
    return [warning("several-questions", message, source.at(), fix)]


def several_in_a_cell(source: Source, table: Table, mapping: Mapped) -> list[Problem]:
    """How cells with several questions are read, and a warning for such cells that are read as one."""
    marks = marks_of(table, mapping)
    found: list[Problem] = []
    for column, mark in marks.items():
        if mark == PARALLEL:
            message = say("Each text in {column} is a query; its answer stands at the same place in {answers}.",
                          column=column, answers=mapping["positive"][0])  # fmt: skip
            found.append(note("several-questions", message, source.at()))
            continue
        if mark == LISTED:
            message = say("The lists in {column} hold several questions; each is a query.", column=column)
            found.append(note("several-questions", message, source.at()))
            continue
        shown = say("a line break") if mark == "\n" else say("their numbers") if mark == NUMBERED else mark.strip()
        if column in (*mapping.get("positive", ()), *mapping.get("negative", ())):
            told = say("Cells of {column} hold several texts, cut at {mark}; each is one of its own.",
                       column=column, mark=shown)  # fmt: skip
            found.append(note("several-texts", told, source.at()))
            continue
        message = say(
            "Cells of {column} hold several questions, cut at {mark}; each is a query.", column=column, mark=shown
        )
        found.append(note("several-questions", message, source.at()))
    for column in (*mapping.get("positive", ()), *mapping.get("negative", ())):
        mark = "" if column in marks else mark_between(table, column, _SURE_MARKS, 0.1)
        if mark:
            told = say("Some cells of {column} hold {mark}; each cell is read as one text.", column=column, mark=mark)
            fix = say('If several texts stand there, write a row for each, or a list: ["…", "…"].')
            found.append(warning("several-texts", told, source.at(), fix))
    if "similar" in mapping or not mapping.get("query") or mapping["query"][0] in marks:
        return found
    for column in spare_columns(table, mapping):
        between = _MARKS if guesses("similar", [column]) or guesses("query", [column]) else IN_A_LINE
        if (table.kind(column) == "texts" and guesses("similar", [column])) or mark_between(table, column, between):
            message = say("Cells of {column} hold several texts and are not used.", column=column)
            fix = say("If they are other ways to ask, say so: {mapping}.", mapping=map_options({"similar": column}))
            found.append(warning("several-questions", message, source.at(), fix))
    return found
