"""Dumps of databases as SQL: rows of ``INSERT INTO … VALUES`` and of PostgreSQL's ``COPY … FROM stdin``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

from tunewiz.data.reading.columns import is_known
from tunewiz.data.reading.source import Row, Source
from tunewiz.data.reading.streams import lines
from tunewiz.problems import BadData, Report, error, note, say, warning

_BEGINS: Final = re.compile(
    r"\s*(?:insert\s+(?:ignore\s+)?into|replace\s+into|create\s+table|copy\s+\S+[^;]*\bfrom\s+stdin)\b", re.IGNORECASE
)
_NAME: Final = r"(?:[`\"\[]?[\w$]+[`\"\]]?\.)?[`\"\[]?([\w$]+)[`\"\]]?"
_INSERT: Final = re.compile(
    rf"\s*(?:insert\s+(?:ignore\s+)?into|replace\s+into)\s+{_NAME}\s*(?:\(([^()]*)\))?"
    r"\s*(?:overriding \w+ value\s*)?values\s*",
    re.IGNORECASE,
)
_CREATE: Final = re.compile(rf"\s*create\s+table\s+(?:if\s+not\s+exists\s+)?{_NAME}\s*\((.*)\)", re.I | re.S)
_COPY: Final = re.compile(rf"\s*copy\s+{_NAME}\s*(?:\(([^()]*)\))?\s*from\s+stdin", re.IGNORECASE)
_KEYS: Final = frozenset(
    ("primary", "unique", "key", "constraint", "index", "foreign", "fulltext", "spatial", "check", "exclude", "like")
)
#: What may open or close something, outside of quotes and inside of each kind.
_OUTSIDE: Final = re.compile(r"['\"`;]|--(?:\s|$)|/\*|#")
_INSIDE: Final = {quote: re.compile(rf"\\.|{quote}{quote}|{quote}", re.S) for quote in "'\"`"}
_DOUBLED: Final = {quote: re.compile(rf"{quote}{quote}|{quote}") for quote in "'\"`"}
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "0": "", "b": "", "Z": ""}
_ESCAPED: Final = re.compile(r"\\(.)", re.S)
_LOOKED: Final = 20_000  # rows by which the table is chosen
_LONGEST: Final = 64 << 20  # characters of a statement


class _Statement(NamedTuple):
    """A whole statement with the line it begins on; of ``COPY`` a line of cells."""

    line: int
    text: str
    cells: bool = False


def is_dump(peeked: Sequence[tuple[int, str]], suffix: str) -> bool:
    """Whether the first lines of a text file hold statements that fill tables."""
    found = sum(_BEGINS.match(text) is not None for _, text in peeked)
    return found > 0 and (suffix == ".sql" or 3 * found > len(peeked))


def laid_out(source: Source) -> Source:
    """The source with the table that is read and its columns. Raises :class:`BadData` where no table has rows."""
    source = source.altered(container="sql", quoting="backslash" if _is_mysql(source) else "doubled")
    counted: dict[str, int] = {}
    columns: dict[str, tuple[str, ...]] = {}
    for table, _, row in islice(_rows(source, lambda _problem: None), _LOOKED):
        counted[table] = counted.get(table, 0) + 1
        columns.setdefault(table, tuple(row))
    if not counted:
        message = say("This is a dump of a database, and no statement of it fills a table with rows.")
        fix = say("Dump the rows too, or export the table as CSV or JSON Lines.")
        raise BadData(error("no-columns", message, source.at(), fix))
    best = max(counted, key=lambda table: (sum(map(is_known, columns[table])), counted[table]))
    told = [note("table-chosen", say("The rows of the table {table} are read.", table=best), source.at())]
    if len(counted) > 1:
        rest = tuple(table for table in counted if table != best)
        message = say("Of the dump's tables {table} is read; it also has {others}.", table=best, others=rest)
        fix = say("To read another, dump it alone.")
        told = [warning("table-chosen", message, source.at(), fix)]
    return source.altered(columns=columns[best], rows_under=best, notes=(*source.notes, *told))


def _is_mysql(source: Source) -> bool:
    """Whether backslashes escape in strings, as MySQL writes them; names then stand in backticks."""
    first = "".join(text for _, text in islice(lines(source, lambda _problem: None), 200))
    return "`" in first or "MySQL" in first or "MariaDB" in first


def records(source: Source, report: Report) -> Iterator[Row]:
    """The rows of the table :attr:`Source.rows_under`, with the line on which their statement begins."""
    for table, line, row in _rows(source, report):
        if table == source.rows_under:
            yield Row(line, row)


def _rows(source: Source, report: Report) -> Iterator[tuple[str, int, dict[str, Any]]]:
    columns: dict[str, tuple[str, ...]] = {}
    copied: tuple[str, tuple[str, ...]] | None = None
    for statement in _statements(source, report):
        if statement.cells and copied:
            cells = [_copied(cell) for cell in statement.text.split("\t")]
            yield copied[0], statement.line, _row(copied[1], cells)
            continue
        if found := _COPY.match(statement.text):
            copied = found[1], _named(found[2]) or columns.get(found[1], ())
        elif found := _CREATE.match(statement.text):
            columns[found[1]] = _declared(found[2], source)
        elif found := _INSERT.match(statement.text):
            own = _named(found[2]) or columns.get(found[1], ())
            for cells in _tuples(statement.text, found.end(), source):
                yield found[1], statement.line, _row(own, cells)


def _row(columns: Sequence[str], cells: Sequence[Any]) -> dict[str, Any]:
    names = [*columns, *(f"column_{place + 1}" for place in range(len(columns), len(cells)))]
    return dict(zip(names, cells, strict=False))


def _named(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip().strip('`"[]') for name in text.split(",")) if text else ()


def _declared(text: str, source: Source) -> tuple[str, ...]:
    """The columns that a table is declared to have."""
    depth, start = 0, 0
    parts: list[str] = []
    for place, sign, _ in _signs(text, source):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "," and not depth:
            parts.append(text[start:place])
            start = place + 1
    parts.append(text[start:])
    words = [part.split(None, 1)[0] for part in parts if part.strip()]
    return tuple(word.strip('`"[]') for word in words if word.casefold() not in _KEYS)


_SIGNS: Final = re.compile(r"['\"`(),]")


def _signs(text: str, source: Source, start: int = 0) -> Iterator[tuple[int, str, int]]:
    """Brackets, commas and quoted texts (with their ends) from a place on; what stands in quotes is passed over."""
    inside = _INSIDE if source.quoting == "backslash" else _DOUBLED
    place = start
    while found := _SIGNS.search(text, place):
        begin, sign = found.start(), found[0]
        place = found.end()
        if sign in inside:
            while (one := inside[sign].search(text, place)) is not None:
                place = one.end()
                if one[0] == sign:
                    break
            else:
                place = len(text)
        yield begin, sign, place


def _tuples(text: str, start: int, source: Source) -> Iterator[list[Any]]:
    """The values of each row of an INSERT."""
    cells: list[Any] = []
    depth, begin = 0, start
    for place, sign, _ in _signs(text, source, start):
        if sign == "(":
            depth += 1
            if depth == 1:
                cells, begin = [], place + 1
        elif sign == ")":
            depth -= 1
            if not depth:
                yield [*cells, _value(text[begin:place], source)]
        elif sign == "," and depth == 1:
            cells.append(_value(text[begin:place], source))
            begin = place + 1


_QUOTED: Final = re.compile(r"\s*(?:_\w+\s*)?([NEne]?)'(.*)'(?:::[\w\s\[\]]+)?\s*", re.S)


def _value(text: str, source: Source) -> Any:
    found = _QUOTED.fullmatch(text)
    if found is None:
        bare = text.strip()
        return None if bare.casefold() == "null" else bare
    said = found[2].replace("''", "'")
    if source.quoting == "backslash" or found[1] in ("E", "e"):
        said = _ESCAPED.sub(lambda one: _ESCAPES.get(one[1], one[1]), said)
    return said


def _copied(cell: str) -> Any:
    """A cell as COPY writes it."""
    return None if cell == r"\N" else _ESCAPED.sub(lambda one: _ESCAPES.get(one[1], one[1]), cell)


def _statements(source: Source, report: Report) -> Iterator[_Statement]:
    inside = _INSIDE if source.quoting == "backslash" else _DOUBLED
    kept: list[str] = []
    start, size, quote, copying = 0, 0, "", False
    for number, line in lines(source, report):
        if copying:
            copying = line.rstrip("\r\n") != r"\."
            if copying:
                yield _Statement(number, line.rstrip("\r\n"), cells=True)
            continue
        place = begin = 0
        while found := (inside[quote] if quote else _OUTSIDE).search(line, place):
            place = found.end()
            if quote:
                quote = "" if found[0] == quote else quote
            elif found[0] in inside:
                quote = found[0]
            elif found[0] == ";":
                text = "".join((*kept, line[begin:place]))
                yield _Statement(start or number, text)
                copying = _COPY.match(text) is not None
                kept, start, size, begin = [], 0, 0, place
            else:  # a comment: to the end of the line, or up to the sign that closes it
                end = line.find("*/", place) if found[0] == "/*" else -1
                kept.append(line[begin : found.start()])
                place = begin = end + 2 if end >= 0 else len(line)
        rest = line[begin:]
        size += len(rest)
        if size > _LONGEST:
            message = say("A statement is longer than {limit} MiB and is left out.", limit=_LONGEST >> 20)
            report(error("line-too-long", message, source.at(start or number)))
            kept, start, size, quote = [], 0, 0, ""
        elif rest.strip() or quote:
            start = start or number
            kept.append(rest)
