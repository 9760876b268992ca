"""The layout of a delimited file: delimiter, quoting, header line and column names.

All are guessed from its first records, and told where that was a choice.
"""

from __future__ import annotations

import re
import statistics
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tunewiz.data.reading.columns import is_known
from tunewiz.data.reading.delimited import Dialect, Record, delimiter_name, split_records
from tunewiz.data.reading.source import Dataset, Source
from tunewiz.problems import BadData, Message, Problem, Where, error, note, say, warning

_LONE_PIPE: Final = re.compile(r"(?<!\|)\|(?!\|)")
_DELIMITERS: Final = (",", "\t", ";", "|", "||")
#: A first line like this is a sentence of the data, not a row of names.
_SENTENCE: Final = re.compile(r"[。？！?!；]|[.,;:，：]\s|\s.*\.$")
_NUMBER: Final = re.compile(r"^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?%?$", re.IGNORECASE)
#: A longer cell in the first line is a text of the data: the longest of the known names has 16 characters.
_NAME_LENGTH: Final = 40


@dataclass(frozen=True)
class Sniffed:
    """A dialect, the records it gives, and the share (0-1) of them that have as many cells as most."""

    dialect: Dialect
    records: list[Record]
    consistency: float
    width: int


#: What speaks for a reading beside its regularity, which counts from 0 to 1. A column name that is known (question,
#: 答案) in the first line outweighs 15 ragged rows in 100: prose has its commas and semicolons, names are no accident.
#: Three are proof enough; a wide file of many known names is not read more surely than one of three.
_KNOWN_NAME: Final = 0.15
_PROOF: Final = 3
#: What the file's name suggests decides between readings that are nearly alike, and yields to one known column name.
_HINTED: Final = 0.05
#: Of readings alike in all else, the one with more cells a row: a mark inside text cuts fewer than the true one. Ten
#: cells together stay below the hint.
_CELL: Final = 0.002
_CELLS: Final = 10
#: A record in two has another width: this mark tells no cells apart, and the file's name decides.
_REGULAR: Final = 0.5
#: Another way to quote must gain more than one record in a hundred, or a single stray quote would choose it for all.
_CLEARLY: Final = 0.01


def sniff(lines: Sequence[tuple[int, str]], delimiter: str = "auto", hint: str = "") -> Sniffed:
    """The dialect in which ``lines`` come out most regular. ``hint`` is what the file's name suggests."""
    if delimiter == "auto" and (long := _long_delimiter(lines)):
        return _tried(lines, Dialect(long, "none"))
    candidates = _candidates(lines) if delimiter == "auto" else (delimiter,)
    tried = [_best_quoting(lines, candidate) for candidate in candidates]
    best = max(tried, key=lambda found: _score(found, hint))
    if delimiter == "auto" and (best.width < 2 or best.consistency < _REGULAR):
        return _best_quoting(lines, hint or ",")
    return best


def _candidates(lines: Sequence[tuple[int, str]]) -> tuple[str, ...]:
    """Marks that may separate cells: a pipe that never stands alone is half of a double one."""
    pipes = [text for _, text in lines if "|" in text]
    doubled = bool(pipes) and not any(_LONE_PIPE.search(text) for text in pipes)
    return tuple(mark for mark in _DELIMITERS if mark != ("|" if doubled else "||"))


#: Signs of several characters that people put between cells because they are in no text.
_LONG: Final = (
    *("<sep>", "<SEP>", "[SEP]", "<tab>", "[TAB]", "::::", "_!_", "|||", "@@@", "$$$", "###", "^_^", "{|}"),
    *("||", "@@", "::", "$$", "^^", "~~", "=>", "\\t", "\x01", "\x02", "\x1f"),
)
_LONG_ROWS: Final = 3  # on fewer lines the same number of them may be chance


def _long_delimiter(lines: Sequence[tuple[int, str]]) -> str:
    """The sign of several characters that stands equally often, and at least once, on every line; "" if none does."""
    texts = [text for _, text in lines if text.strip()]
    if len(texts) < _LONG_ROWS:
        return ""
    if mark := next((mark for mark in named_marks(texts[0]) if _is_regular(texts, mark)), ""):
        return mark
    return next((sign for sign in _LONG if sign in texts[0] and len({text.count(sign) for text in texts}) == 1), "")


#: A run of signs between two names of a header; those that people put around a name are no separators.
_SIGNS: Final = re.compile(r"""[ ]*(?:[\x1c-\x1f]+|[^\w\s"'()（）【】\[\]*＊#]+|##+)[ ]*""")


def named_marks(heading: str) -> list[str]:
    """Signs, other than the usual delimiters, that cut a line into known names and nothing else; longest first."""
    runs = _SIGNS.findall(heading.strip("\r\n"))
    found = {
        sign for run in runs for sign in (run, run.strip(" ")) if sign == " | " or sign.strip(" ") not in _DELIMITERS
    }
    longest_first = sorted(found, key=lambda sign: (-len(sign), sign))
    return [sign for sign in longest_first if len(parts := heading.split(sign)) > 1 and all(map(is_known, parts))]


def _is_regular(texts: Sequence[str], mark: str) -> bool:
    """Whether a mark of the first line stands as often on nearly all lines."""
    wanted = texts[0].count(mark)
    return sum(text.count(mark) == wanted for text in texts) >= _NUMERIC * len(texts)


def _score(found: Sniffed, hint: str) -> float:
    if found.width < 2:
        return 0.0
    named = sum(is_known(cell) for cell in found.records[0].cells) if found.records else 0
    hinted = _HINTED if found.dialect.delimiter == hint else 0.0
    return found.consistency + _KNOWN_NAME * min(named, _PROOF) + hinted + _CELL * min(found.width, _CELLS)


def _best_quoting(lines: Sequence[tuple[int, str]], delimiter: str) -> Sniffed:
    """Quotes doubled as in RFC 4180 unless another reading is clearly more regular."""
    if len(delimiter) > 1:  # a mark of several characters stands in no text, so that nobody quotes it
        return _tried(lines, Dialect(delimiter, "none"))
    best = _tried(lines, Dialect(delimiter))
    if not any('"' in text for _, text in lines):
        return best
    rest = (Dialect(delimiter, "doubled", True), Dialect(delimiter, "backslash"), Dialect(delimiter, "none"))
    for dialect in rest:
        other = _tried(lines, dialect)
        if other.consistency > best.consistency + _CLEARLY and other.width > 1:
            best = other
    if delimiter == "\t" and best.dialect.quoting == "doubled":
        plain = _tried(lines, rest[-1])
        if plain.consistency > best.consistency or (plain.consistency == best.consistency and not _quoted(lines)):
            return plain
    return best


def _quoted(lines: Sequence[tuple[int, str]]) -> bool:
    """Whether quotes in a tab file quote: some are doubled, or each line that has any consists of quoted cells."""
    if any('""' in text for _, text in lines):
        return True
    cells = [text.rstrip("\r\n").split("\t") for _, text in lines if '"' in text]
    return all(len(cell) > 1 and cell[0] == cell[-1] == '"' for of_line in cells for cell in of_line)


def _tried(lines: Sequence[tuple[int, str]], dialect: Dialect) -> Sniffed:
    found = [record for record in split_records(lines, dialect) if any(cell.strip() for cell in record.cells)]
    widths = Counter(0 if record.open else len(record.cells) for record in found)
    if not widths:
        return Sniffed(dialect, [], 1.0, 1)
    width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
    weight = count / len(found)
    # a merged run of lines hides raggedness, so it counts with the lines it swallowed
    swallowed = sum(record.height for record in found if len(record.cells) != width or record.open)
    share = count / (count + swallowed) if count else 0.0
    return Sniffed(dialect, found, min(weight, share), width)


#: Rows that are looked at to see what stands in a column: a hundred tell, and a line of names is judged at once.
_COMPARED: Final = 100
#: A column of numbers may hold some "n/a": more than nine in ten are enough for a word above them to be its name.
_NUMERIC: Final = 0.9
#: So many rows, and at most two values or one in five of them different: a column of labels.
_LABELLED_ROWS: Final = 10


def has_header(records: Sequence[Record]) -> bool:
    """Whether the first record names the columns of the others."""
    if not records:
        return False
    first, rest = records[0].cells, records[1 : 1 + _COMPARED]
    named = [cell.strip() for cell in first if cell.strip()]
    if not named or any(_NUMBER.match(cell) for cell in named):
        return False
    columns = [[r.cells[index].strip() for r in rest if index < len(r.cells)] for index in range(len(first))]
    if len(named) > 1 and _is_above_values(first, columns):
        return True
    if any(_SENTENCE.search(cell) or len(cell) > _NAME_LENGTH or "\n" in cell for cell in named):
        return False
    if all(is_known(cell) for cell in named):
        return True
    if len(set(named)) < len(named):
        alone = all(name not in values for name, values in zip(first, columns, strict=True) if name.strip())
        return alone and 2 * sum(map(is_known, set(named))) >= len(set(named)) > 1
    if any(is_known(cell) and cell.strip() not in columns[index] for index, cell in enumerate(first)):
        return True
    return sum(_differs(first[index].strip(), values) for index, values in enumerate(columns)) > 0


#: Times and dates as forms write them in the first column of a table.
_DATES: Final = 3
_DATED: Final = re.compile(r"\d{1,4}[-/.年]\d{1,2}[-/.月]\d{1,4}日?(?:[ T,].*)?")


def _is_above_values(first: Sequence[str], columns: Sequence[Sequence[str]]) -> bool:
    """Whether the first cell of a column is a word above dates throughout, as the questions of a form stand there."""
    for name, values in zip(first, columns, strict=True):
        filled = [value for value in values if value]
        named = bool(name.strip()) and len(name) <= _NAME_LENGTH and not _DATED.match(name.strip())
        if named and len(filled) >= _DATES and all(_DATED.fullmatch(value) for value in filled):
            return True
    return False


def _differs(name: str, values: list[str]) -> int:
    """+1 when a column's first cell is unlike the others (a name), -1 when it is one of them."""
    filled = [value for value in values if value]
    if not name or not filled:
        return 0
    if name in filled:
        return -1
    if sum(bool(_NUMBER.match(value)) for value in filled) > _NUMERIC * len(filled):
        return 1
    if len(set(filled)) <= max(2, len(filled) // 5) and len(filled) >= _LABELLED_ROWS:
        return 1  # a column of few values, none of them this one
    typical = statistics.median(map(len, filled))
    # A name is a word over texts: a third of their length at most. What comes near to it is one of them; between the
    # two ("short question" over short questions) length tells nothing.
    if len(name) * 3 <= typical:
        return 1
    return -1 if len(name) >= 0.6 * typical else 0


#: The line with which Excel is told the delimiter.
_DIRECTIVE: Final = re.compile(r"sep=([,;|\t:~^])\s*$", re.IGNORECASE)
_NAMED_DELIMITERS: Final = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}


def delimited_layout(source: Source, peeked: Sequence[tuple[int, str]], dataset: Dataset) -> Source:
    """``source`` with delimiter, quoting, header and columns. ``peeked`` are its first physical lines."""
    given = _delimiter(dataset, source)
    directive = _DIRECTIVE.match(peeked[0][1])
    if directive:
        given = directive.group(1) if given == "auto" else given
        peeked = peeked[1:]
    named = next((one[1] for _, text in peeked[:_TITLES] if (one := _SEPARATOR.match(text))), "")
    given = _NAMED_DELIMITERS.get(named.casefold(), named) if named and given == "auto" else given
    peeked = _below_settings(peeked)
    hint = "\t" if any(suffix.casefold() in (".tsv", ".tab") for suffix in source.path.suffixes) else ","
    found = sniff(_whole_records(peeked), given, hint)
    delimiter = found.dialect.delimiter
    notes: list[Problem] = []
    if given == "auto" and delimiter not in (",", "\t"):
        message = say("The cells are separated by {delimiter}.", delimiter=delimiter)
        notes.append(note("delimiter-detected", message, source.at()))
    elif (
        given == "auto" and delimiter != hint and found.width > 1 and source.path.suffix.casefold() in (".csv", ".tsv")
    ):
        message = say(
            "The cells are separated by {delimiter}, unlike the name says.", delimiter=delimiter_name(delimiter)
        )
        notes.append(note("delimiter-detected", message, source.at()))
    source = source.altered(
        container="tsv" if delimiter == "\t" else "csv",
        delimiter=delimiter,
        quoting=found.dialect.quoting,
        skip_space=found.dialect.skip_space,
        skip_lines=peeked[0][0] - 1 if peeked else 0,
        newline=_record_newline(source, peeked, found.records),
        notes=(*source.notes, *notes),
    )
    return layout_of(source, [(record.line, record.cells) for record in found.records], dataset.header)


#: A line that a program writes above a table for other programs: Anki's ``#separator:tab``.
_SETTING: Final = re.compile(r"#[A-Za-z][\w -]{0,30}:\s?\S{1,60}\s*$")


_SEPARATOR: Final = re.compile(r"#separator:\s?(\w+|[^\w\s])\s*$", re.IGNORECASE)


def _below_settings(peeked: Sequence[tuple[int, str]]) -> Sequence[tuple[int, str]]:
    """The lines below those of settings; all of them where no line is left."""
    first = next((place for place, (_, text) in enumerate(peeked) if not _SETTING.match(text)), 0)
    return peeked[first:]


#: ``||``, ``_!_``, ``<sep>``: what stands between columns has a few characters.
_LONGEST: Final = 8


def _delimiter(dataset: Dataset, source: Source) -> str:
    given = _NAMED_DELIMITERS.get(dataset.delimiter, dataset.delimiter)
    if given != "auto" and (not 0 < len(given) <= _LONGEST or set(given) & set('"\r\n\0') or given.isalnum()):
        message = say("{value} is no delimiter.", value=dataset.delimiter)
        fix = say("Use auto, a comma, tab, semicolon or pipe, or a few marks such as ||.")
        raise BadData(error("bad-delimiter", message, Where(key="delimiter", file=source.name), fix))
    return given


def _whole_records(peeked: Sequence[tuple[int, str]]) -> Sequence[tuple[int, str]]:
    """Without the last few lines of a long peek, in which a quoted cell may be cut."""
    size = sum(len(text) for _, text in peeked)
    # Less than half of what is peeked at most is the whole file, of which nothing is cut. A tenth of the lines holds
    # the quoted cell that may be, and 18 lines at least are left to judge by.
    return peeked if size < 1 << 17 or len(peeked) < 20 else peeked[: -len(peeked) // 10]


def _record_newline(source: Source, peeked: Sequence[tuple[int, str]], records: Sequence[Record]) -> str:
    """Line ends inside quoted cells do not count: the one that ends the first record does."""
    if source.newline != "mixed" or not records:
        return source.newline
    last = records[0].line + records[0].height - 1
    ends = {text.endswith("\r\n") for number, text in peeked if number == last}
    return "CRLF" if ends == {True} else "LF"


def layout_of(source: Source, rows: Sequence[tuple[int, list[str]]], header: str) -> Source:
    """``source`` with header and column names, from its first ``rows`` (line, cells)."""
    records = [Record(line, cells) for line, cells in rows]
    notes: list[Problem] = []
    titles = _titles(records) if header == "auto" else 0
    if titles:
        records = records[titles:]
        source = source.altered(skip_lines=records[0].line - 1)
        message = say("What stands above the header is left out: {text}.", text=_shown(rows[:titles]))
        notes.append(note("title-rows", message, source.at(records[0].line)))
    grouped = header == "auto" and _is_grouped(records)
    named = grouped or (has_header(records) if header == "auto" else header == "yes")
    if grouped:
        records = [Record(records[0].line, _combined(records[0].cells, records[1].cells)), *records[2:]]
        message = say("The header has two rows; the columns are called {names}.", names=tuple(records[0].cells))
        notes.append(note("header-rows", message, source.at(records[0].line)))
    units = _units(records) if named else 0
    if units:
        message = say("What stands under the header is no row and is left out: {text}.", text=_row_shown(records[1]))
        notes.append(note("units-row", message, source.at(records[1].line)))
    if named:
        source = source.altered(heading=1 + grouped + units)
    width = _width(records, named)
    if not named:
        names = [f"column_{index}" for index in range(1, width + 1)]
        if header == "auto":
            notes.append(_no_header(source, names))
    else:
        names = _names(source, records[0].cells[:width] if records else [], width, notes)
    return source.altered(header=named, columns=tuple(names), notes=(*source.notes, *notes))


#: Titles, dates and remarks above a table are a few lines.
_TITLES: Final = 10
_TITLE_LENGTH: Final = 60  # characters of a title that are shown


def _titles(records: Sequence[Record]) -> int:
    """How many records above the header are no part of the table, as they hold one cell, or come before the names."""
    if above := _above_names(records):
        return above
    filled = [sum(bool(cell.strip()) for cell in record.cells) for record in records]
    first = next((index for index, count in enumerate(filled[: _TITLES + 1]) if count > 1), 0)
    below = filled[first:]
    if not first or sum(count > 1 for count in below) * 2 < len(below):
        return 0
    return first if has_header(records[first:]) else 0


def _above_names(records: Sequence[Record]) -> int:
    """How many short records without a known name stand above one of nothing but known names; 0 if that is the first.

    ``Exported on | 2024-05-01`` above ``question | answer``.
    """
    for index, record in enumerate(records[: _TITLES + 1]):
        names = [cell for cell in record.cells if cell.strip()]
        known = sum(map(is_known, names))
        if not index and known:
            return 0
        if len(names) > 1 and known == len(names) and has_header(records[index:]):
            below = [sum(map(len, other.cells)) for other in records[index + 1 :]]
            short = statistics.median(below) / 2 if below else 0
            return index if all(sum(map(len, other.cells)) <= short for other in records[:index]) else 0
        if known:
            return 0
    return 0


def _is_grouped(records: Sequence[Record]) -> bool:
    """Whether the first record only groups the columns (with blanks, or the same again) that the second one names."""
    if len(records) < 3:
        return False
    groups = [cell.strip() for cell in records[0].cells if cell.strip()]
    names = [cell.strip() for cell in records[1].cells if cell.strip()]
    width = max(len(records[0].cells), len(records[1].cells))
    if not groups or (len(groups) == width and len(set(groups)) == width):
        return False
    known = sum(map(is_known, names))
    return known > max(1, sum(map(is_known, set(groups)))) and 2 * known > len(names) and has_header(records[1:])


def _combined(groups: Sequence[str], names: Sequence[str]) -> list[str]:
    """The names of columns under groups; one that stands under several groups goes with its group's name."""
    found, group = [], ""
    for index in range(max(len(groups), len(names))):
        above = groups[index].strip() if index < len(groups) else ""
        name = names[index].strip() if index < len(names) else ""
        group = above or group
        found.append(f"{group} {name}" if name and names.count(names[index]) > 1 else name or above)
    return found


#: What people write under a name: its type, its unit, whether it must be filled in, an example, Markdown's rule.
_UNIT: Final = re.compile(
    r"(?:text|string|str|n?varchar|char|longtext|int(?:eger)?\d*|bigint|float\d*|double|number|numeric|decimal|bool(?:ean)?"
    r"|date|datetime|timestamp|enum|json|list|array|object|文本|字符串?|文字|数字|数值|整数|整型|浮点数?|小数|布尔值?|日期|时间|枚举"
    r"|列表|单选|多选)(?:\s*\(\d+\))?"
    r"|(?:必填|选填|非必填|可选|必选|required|optional|mandatory)(?:[项,:;、. (].{0,40})?"
    r"|(?:示例|例如|例|样例|example|e\.g\.)\s*:.*"
    r"|[(\[<{【][^()\[\]<>{}【】]{1,30}[)\]>}】]"
    r"|:?-{2,}:?|={2,}"
    r"|元|万元|人民币|分钟?|秒|小时|天|次|个|条|字|[%‰]|kg|usd|eur|cny|ms|s|sec|seconds|minutes|min|hours?|days?|chars"
    r"|characters|tokens|words"
)


def _units(records: Sequence[Record]) -> int:
    """1 where the record under the header tells units, types or the names once more in another language, else 0."""
    if len(records) < 3:
        return 0
    under, rest = records[1].cells, records[2 : 2 + _COMPARED]
    columns = [[r.cells[index].strip() for r in rest if index < len(r.cells)] for index in range(len(under))]
    filled = [(cell.strip(), values) for cell, values in zip(under, columns, strict=True) if cell.strip()]
    if not filled or any(cell in values for cell, values in filled):
        return 0
    if all(_is_unit(cell) for cell, _ in filled):
        return int(not any(_is_unit(value) for _, values in filled for value in values))
    # The names once more, in another language; rows of single words would be known names too.
    again = len(filled) > 1 and all(is_known(cell) for cell, _ in filled)
    return int(again and not any(is_known(value) for _, values in filled for value in values))


def _is_unit(cell: str) -> bool:
    return _UNIT.fullmatch(unicodedata.normalize("NFKC", cell).strip().casefold()) is not None


def _row_shown(record: Record) -> str:
    return " / ".join(filter(None, map(str.strip, record.cells)))[:_TITLE_LENGTH]


def _shown(rows: Sequence[tuple[int, list[str]]]) -> str:
    return " / ".join(next(filter(None, map(str.strip, cells)), "") for _, cells in rows)[:_TITLE_LENGTH]


def _width(records: Sequence[Record], named: bool) -> int:
    """The header's width, or the most usual one; empty cells at the end of every row do not count."""
    if not records:
        return 0
    if named:
        return len(records[0].cells)
    widths = [len(record.cells) for record in records]
    return max(set(widths), key=lambda width: (widths.count(width), width))


def _no_header(source: Source, names: Sequence[str]) -> Problem:
    message = say("The first line looks like data, so the columns are called {names}.", names=tuple(names))
    return warning(
        "no-header", message, source.at(1), say("If it names the columns, say so (data.header: yes, --header yes).")
    )


def _names(source: Source, cells: Sequence[str], width: int, notes: list[Problem]) -> list[str]:
    names: list[str] = []
    unnamed: list[str] = []
    for index in range(1, width + 1):
        name = cells[index - 1].strip().strip("\ufeff") if index <= len(cells) else ""
        if not name:
            name = f"column_{index}"
            unnamed.append(name)
        elif name in names:
            first, name = name, _free(name, names)
            message = say("Two columns are named {name}; the later one is called {other}.", name=first, other=name)
            notes.append(warning("duplicate-column", message, source.at(1)))
        names.append(name)
    if unnamed:
        notes.append(_unnamed(source, unnamed))
    return names


def _free(name: str, taken: Sequence[str]) -> str:
    number = 2
    while f"{name}.{number}" in taken:
        number += 1
    return f"{name}.{number}"


def _unnamed(source: Source, names: Sequence[str]) -> Problem:
    told: Message = say("Columns without a name are called {names}.", names=tuple(names))
    return note("unnamed-columns", told, source.at(1))
