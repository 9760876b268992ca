"""Questions answered by statements of a database, and the schema they stand on: Spider, BIRD, WikiSQL and their kin."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from tunewiz.data.formats.format import Format, Mapped
from tunewiz.data.formats.retrieval_rows import Pairs
from tunewiz.data.formats.supervised import Alpaca, PromptCompletion
from tunewiz.data.opening.matching import Match, match
from tunewiz.data.opening.unfolding import with_leaves
from tunewiz.data.reading.cells import Table, parse_nested
from tunewiz.data.reading.columns import guesses, list_columns, normalise_name
from tunewiz.data.reading.expressions import value_at
from tunewiz.data.reading.meaning import asks
from tunewiz.data.reading.source import Source
from tunewiz.problems import Problem, say, warning

_STATEMENT: Final = re.compile(
    r"\s*\(*\s*(select|with|insert\s+into|update|delete\s+from|match|merge|prefix\s+\w*:)\s", re.IGNORECASE
)
#: What makes such a beginning a statement rather than a sentence ("Select the right answer").
_CLAUSE: Final = re.compile(r"\b(from|where|set|values|return|as)\b|[*=(]", re.IGNORECASE)
_TABLES: Final = re.compile(r"\bcreate\s+(temp\w*\s+|external\s+)?(table|view|database)\b", re.IGNORECASE)
_SCHEMA: Final = re.compile(
    "schema|^ddl$|createtable|createstat|sqlcontext|tabledef|tableinfo|tableschema|^tables?$|tablestruct|dbstruct"
    "|^header$|^columns$|columnnames|表结构|建表|数据库结构|库表|表信息|表头|数据表|库结构"
)
_HINT: Final = re.compile("evidence|hint|externalknowledge|knowledge|notes?$|证据|外部知识|提示|业务知识|口径")
_ASKED: Final = re.compile(
    "question|utterance|^nl|naturallang|sqlprompt|^text$|提问|问题|问句|自然语言|查询需求|^query$|^input$|^prompt$|用户输入"
)
_DATABASE: Final = re.compile("^db$|dbid|dbname|database|tableid|tablename|数据库|库名|表名")
_MOST: Final = 0.9  # share of the cells that have to be what a column is taken for
_FEWEST: Final = 2


def sql_match(candidates: Mapping[str, Format], table: Table) -> Match | None:
    """The question, the schema and the statement of each row as columns of a format; None where there are none.

    A statement in a column called ``query`` is what is answered, whatever the name says.
    """
    if not any(name in candidates for name in (PromptCompletion.name, Pairs.name)):
        return None
    whole = replace(table, columns=tuple(dict.fromkeys((*table.columns, *with_leaves(table).columns))))
    texts = [column for column in whole.columns if _texts(whole, column)]
    written = [column for column in texts if _share(whole, column, _is_statement) >= _MOST]
    if not written:
        return None
    sql = max(written, key=lambda column: ("gold" in column.casefold(), -whole.columns.index(column)))
    rest = [column for column in texts if column not in written]
    schema = schemas(whole, written)
    hints = [column for column in rest if _HINT.search(normalise_name(column)) and column not in schema]
    free = [column for column in rest if column not in (*schema, *hints) and column in table.columns]
    told = [guess.column for guess in guesses("llm_instruction", free)]
    asked = _asked(whole, [column for column in free if column not in told] or free)
    if not asked:
        return None
    if Pairs.name in candidates:
        return match(candidates[Pairs.name], whole, {"query": (asked,), "positive": (sql,)})
    beside = (*schema, *hints)
    instruction = next((column for column in told if column != asked), "")
    if instruction and Alpaca.name in candidates:
        given: Mapped = {"instruction": (instruction,), "input": (*beside, asked), "output": (sql,)}
        return match(candidates[Alpaca.name], whole, given)
    given = {"prompt": (asked,), "completion": (sql,)}
    return match(candidates[PromptCompletion.name], whole, given | ({"input": beside} if beside else {}))


def without_schema(source: Source, table: Table, mapping: Mapped) -> list[Problem]:
    """A warning that statements are to be written of tables that the rows do not tell."""
    answers = next((mapping[role] for role in ("completion", "output") if role in mapping), ())
    if not answers or _share(table, answers[0], _is_statement) < _MOST:
        return []
    used = [column for columns in mapping.values() for column in columns]
    if any(column in used for column in schemas(table, answers)) or any(_tells_tables(table, one) for one in used):
        return []
    names = [column for column in table.columns if _DATABASE.search(normalise_name(column))]
    message = say("The answers are statements of a database whose tables no column tells: names can only be guessed.")
    fix = say("Write the schema into a column of its own, such as schema, and it is put beside the question.")
    if names:
        fix = say("{columns} names it: write its schema into a column of its own, such as schema.",
                  columns=list_columns(names))  # fmt: skip
    return [warning("sql-without-schema", message, source.at(), fix)]


def schemas(table: Table, written: Sequence[str]) -> tuple[str, ...]:
    """The columns that tell tables: statements that create them, or lists of their columns."""
    free = [column for column in table.columns if column not in written]
    made = [column for column in free if _tells_tables(table, column)]
    if made:
        return tuple(made)
    whole = [
        column for column in free
        if table.kind(column) in ("text", "texts", "object") and not _is_part(column, free)
        and _SCHEMA.search(normalise_name(column)) and len(_text_of(table, column)) > _SHORT
    ]  # fmt: skip
    return tuple(whole)


_SHORT: Final = 20  # characters of all cells together: a name of a table is no schema


def _is_part(column: str, columns: Sequence[str]) -> bool:
    return column.partition(".")[0] != column and column.partition(".")[0] in columns


def _text_of(table: Table, column: str) -> str:
    return "".join(str(value_at(row.values, column) or "") for row in table.rows[:5])


def _tells_tables(table: Table, column: str) -> bool:
    return table.kind(column) == "text" and _share(table, column, lambda text: bool(_TABLES.search(text))) >= 0.5


def _asked(table: Table, columns: Sequence[str]) -> str:
    named = [column for column in columns if _ASKED.search(normalise_name(column))]
    spoken = [column for column in columns if asks(table, column) and table.varied(column)]
    both = [column for column in named if column in spoken]
    return next(iter((*both, *named, *spoken)), columns[0] if len(columns) == 1 else "")


def _texts(table: Table, column: str) -> bool:
    return table.kind(column) == "text" and bool(table.values(column))


def _is_statement(text: str) -> bool:
    return bool(_STATEMENT.match(text)) and bool(_CLAUSE.search(text))


def _share(table: Table, column: str, holds: Any) -> float:
    values = [value for value in map(parse_nested, table.values(column)) if isinstance(value, str)]
    return sum(map(holds, values)) / len(values) if len(values) >= _FEWEST else 0.0
