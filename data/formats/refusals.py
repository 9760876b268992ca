"""What to say when no format fits: layouts that are known and not meant for retrieval, and what to map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from data.columns import guesses, listed, normalised
from data.problems import BadData, Message, Problem, error, say, warning
from data.source import Source
from data.table import Table

#: Columns that together show data for language models, and the name of that layout.
_LLM_LAYOUTS = (
    (("messages",), "messages"),
    (("conversations",), "sharegpt"),
    (("conversation",), "sharegpt"),
    (("instruction", "output"), "alpaca"),
    (("instruction", "response"), "alpaca"),
    (("prompt", "chosen"), "preference"),
    (("prompt", "completion"), "prompt-completion"),
    (("prompt", "response"), "prompt-response"),
    (("query", "response", "history"), "query-response"),
    (("query", "response", "system"), "query-response"),
    (("query", "response", "images"), "query-response"),
    (("query", "response", "tools"), "query-response"),
    (("指令", "输出"), "alpaca"),
)


def llm_layout(columns: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The name of the language-model layout that the columns show, and the columns that show it; ("", ()) if none."""
    plain = {normalised(column): column for column in columns}
    for marks, name in _LLM_LAYOUTS:
        if all(mark in plain for mark in marks):
            return name, tuple(plain[mark] for mark in marks)
    return "", ()


def refuse_llm(source: Source, table: Table, layout: str, marks: Sequence[str]) -> BadData:
    """Rows for language models are not taken for retrieval pairs unless the user maps them."""
    told = say(
        "{columns}: this is the {layout} layout for language models, not pairs for retrieval.",
        columns=", ".join(marks),
        layout=layout,
    )
    fix = say("To train on them as pairs, map them: --map query=COLUMN --map positive=COLUMN.")
    if len(marks) >= 2:
        fix = say(
            "To use them as pairs: --map query={query} --map positive={positive}.", query=marks[0], positive=marks[1]
        )
    return BadData(error("llm-layout", told, source.at(), fix), *mixed_rows(source, table))


def kinds_of_rows(table: Table) -> tuple[int, str]:
    """How many sets of fields the rows have, and each with how often it occurs; 0 and "" where they share a field."""
    kinds = Counter(tuple(row.values) for row in table.rows)
    if len(kinds) < 2 or set.intersection(*(set(keys) for keys in kinds)):
        return 0, ""
    return len(kinds), "; ".join(f"{'+'.join(keys)} ({count})" for keys, count in kinds.most_common(8))


def mixed_rows(source: Source, table: Table) -> list[Problem]:
    """A warning when the rows share no field at all, with each set of fields and how often it occurs."""
    count, shown = kinds_of_rows(table)
    if not count:
        return []
    told = say("The rows have {count} different sets of fields and none in common: {kinds}.", count=count, kinds=shown)
    return [warning("mixed-rows", told, source.at(), say("Put each kind of row into a file of its own."))]


def refuse(source: Source, table: Table, missing: Sequence[str] = ()) -> BadData:
    """No format fits: say which columns there are and how to map them."""
    part = _part_of_collection(source, table)
    if part is not None:
        return BadData(part)
    if not table.columns:
        told = say("The file holds no rows with named fields.")
        return BadData(
            error("no-columns", told, source.at(), say('Write rows as {{"query": "...", "positive": "..."}}.'))
        )
    return BadData(error("unmapped-columns", unclear(table, missing), source.at(), _how(table)))


def unclear(table: Table, missing: Sequence[str]) -> Message:
    """That roles (``missing``, or none in particular) could not be given to columns, and which columns there are."""
    columns = listed(table.columns)
    if missing:
        return say(
            "No column was found for {roles}; the columns are {columns}.", roles=", ".join(missing), columns=columns
        )
    return say("It is not clear which column is what; the columns are {columns}.", columns=columns)


def _how(table: Table) -> Message:
    texts = [column for column in table.columns if table.kind(column) in ("text", "texts") and table.varied(column)]
    if len(texts) < 2 and len(table.columns) > 1:
        return say("Say which is which: --map query=COLUMN --map positive=COLUMN.")
    if len(texts) < 2:
        return say("Retrieval needs at least a query and a text that answers it in each row.")
    return say(
        "Say what they are, for example: --map query={query} --map positive={positive}.",
        query=texts[0],
        positive=texts[1],
    )


def _part_of_collection(source: Source, table: Table) -> Problem | None:
    """Corpus, queries or judgments on their own."""
    fix = say("Give the folder with corpus, queries and qrels, or all three files.")
    judged = [bool(guesses(role, table.columns)) for role in ("query_id", "document_id")]
    if all(judged) and len(table.columns) <= 5:
        told = say("This looks like the judgments (qrels) of a test collection, on their own.")
        return error("part-of-collection", told, source.at(), fix)
    plain = {normalised(column) for column in table.columns}
    if plain in (
        {"id", "text"},
        {"id", "title", "text"},
        {"id", "title", "text", "metadata"},
        {"id", "text", "metadata"},
    ):
        told = say("This looks like the corpus or the queries of a test collection, on their own.")
        return error("part-of-collection", told, source.at(), fix)
    return None
