"""Finding out what a file or folder is: container, compression, encoding, delimiter, header, columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Final, Literal

from tunewiz.data.dialogues.roles import PARTS
from tunewiz.data.exports.saved_chats import CHATS, saved_chat
from tunewiz.data.exports.sql_dumps import is_dump, laid_out
from tunewiz.data.folders.hub_ids import hub_dataset, kept_folder
from tunewiz.data.reading.columns import is_known
from tunewiz.data.reading.dialect import delimited_layout, layout_of
from tunewiz.data.reading.encodings import Encoding, detect_encoding, known_encoding, nearest_encoding
from tunewiz.data.reading.expressions import is_expression, value_at
from tunewiz.data.reading.folders import collection_source, folder_source
from tunewiz.data.reading.json_document import find_rows
from tunewiz.data.reading.json_text import Decoder, NotJson, mend, unpacked
from tunewiz.data.reading.jsonl import FENCE
from tunewiz.data.reading.source import Container, Dataset, Row, Shape, Source, resolve, sheet_of
from tunewiz.data.reading.streams import chunks, compression_of, open_bytes
from tunewiz.problems import BadData, Message, Problem, Where, error, note, say, warning

__all__ = ["Container", "Row", "Source", "discover", "discover_files"]

#: What layout and columns are judged by: rows enough for rare fields to show, and text that is read in milliseconds.
_PEEKED_ROWS: Final = 200
_PEEKED_CHARACTERS: Final = 1 << 18
_JSON_SUFFIXES: Final = (".json", ".jsonl", ".ndjson", ".jsonlines")


def discover(dataset: Dataset) -> Source:
    """What ``dataset`` is. ``Source.notes`` tells what was detected and how sure that is.

    Raises :class:`BadData` when there is no such file, it is empty, or no reader knows it.
    """
    path = resolve(dataset.path)
    dataset = _of_repository(dataset)
    if path.is_dir():
        return folder_source(path, dataset, discover)
    return _with_answers(_file(path, dataset), dataset)


def _of_repository(dataset: Dataset) -> Dataset:
    """What is said of a hub's dataset in its name alone: the last part may be a configuration's."""
    named = hub_dataset(dataset.path)
    folder = kept_folder(named) if named else None
    if named is None or folder is None or not named.inside or (folder / named.inside).exists():
        return dataset
    return replace(dataset, path=str(named.root), subset=dataset.subset or named.inside)


def discover_files(corpus: Dataset, queries: Dataset, qrels: Dataset) -> Source:
    """The three files of a test collection as one source, as if they lay in a BEIR folder."""
    return collection_source(discover(corpus), discover(queries), {"all": discover(qrels)}, qrels)


def _with_answers(source: Source, dataset: Dataset) -> Source:
    told = dataset
    if not dataset.columns and dataset.format == "auto" and dataset.like and _has(source, dataset.like.columns):
        told = dataset.like
    labels = dataset.labels or (dataset.like.labels if dataset.like else {})
    roles = dataset.roles or (dataset.like.roles if dataset.like else {})
    speakers = {**source.speakers, **roles}
    if GENERATED in source.columns:
        message = say("Its questions are generated: a model wrote them (column {column}).", column=GENERATED)
        fix = say("What is measured on them says how well such questions are answered; people may ask otherwise.")
        source = source.altered(notes=(*source.notes, warning("generated-questions", message, source.at(), fix)))
    given = {"mapping": dict(told.columns), "format": told.format, "labels": dict(labels), "speakers": speakers}
    return source.altered(split=dataset.split, limit=dataset.limit, **given)


#: The column that says which model wrote a question (:mod:`tunewiz.backends.questions`).
GENERATED: Final = "generated_by"


def _has(source: Source, mapping: Mapping[str, str]) -> bool:
    """Whether the source has every column of ``mapping``, which names at least one."""
    named = {name.strip() for names in mapping.values() for name in names.split(",")}
    known = source.columns
    return bool(named) and all(name in known or is_expression(name, known) for name in named)


def _file(path: Path, dataset: Dataset) -> Source:
    place = Where(file=dataset.path)
    refuse_unreadable(path, place)
    try:
        compression = compression_of(path)
        stream, raw = open_bytes(path, compression)
        with stream:
            head = stream.read(1 << 16)  # of a workbook, the names in its zip that tell it from a Word file
    except OSError as reason:
        raise BadData(
            error("unreadable-file", say("It cannot be read: {reason}.", reason=reason.strerror), place)
        ) from None
    if not head:
        message = (
            say("The file is empty.") if not raw.damage else say("The archive is damaged: {reason}.", reason=raw.damage)
        )
        raise BadData(error("damaged-file" if raw.damage else "empty-file", message, place))
    base = Source(path, dataset.path, "csv", compression=compression, size=path.stat().st_size)
    marked = signature(head, place)
    if marked == "parquet":
        return _plain(_parquet(base), dataset)
    if marked == "xlsx":
        return _xlsx(base, dataset)
    return _text(base, dataset)


def _quiet(_problem: Problem) -> None:
    """Problems met while peeking are told when the file is read."""


def _parquet(base: Source) -> Source:
    from tunewiz.data.reading.parquet import columns

    return base.altered(container="parquet", columns=columns(base, _quiet), header=True)


def _plain(source: Source, dataset: Dataset) -> Source:
    """The source, its rows as plain ones where a known program wrote them in a way of its own.

    What the user maps may be of the columns that stand in the file: then they stay.
    """
    from tunewiz.data.exports.known import known_export, refuse_half, told
    from tunewiz.data.reading.records import read

    layout = known_export(row.values for row in read(source, _quiet))
    if not layout:
        if not dataset.columns:
            refuse_half(source, source.columns)
        return source
    plain = source.altered(layout=layout)
    plain = plain.altered(columns=_keys(plain))
    mapped = {role: name for role, name in dataset.columns.items() if role not in PARTS}
    if mapped and not (_has(plain, mapped) and _reaches(plain, mapped)):
        return source
    return plain.altered(notes=(*source.notes, note("known-export", told(layout), source.at())))


def _xlsx(base: Source, dataset: Dataset) -> Source:
    from tunewiz.data.reading.xlsx import sheets

    source = base.altered(container="xlsx")
    names = sheets(source, _quiet)
    wanted = sheet_of(dataset.path)[1]
    if wanted and wanted not in names:
        message = say("There is no sheet {sheet} with rows; there are {sheets}.", sheet=wanted, sheets=tuple(names))
        raise BadData(error("no-such-sheet", message, source.at()))
    if not names:
        raise BadData(error("empty-file", say("No sheet of the workbook holds anything."), source.at()))
    tables = [_sheet(source.altered(sheet=name), dataset) for name in ([wanted] if wanted else names[:_SHEETS])]
    # The first of those with the most known names in their header: notes and covers stand before the table.
    best, _ = max(tables, key=lambda table: _worth(*table))
    rest = [name for name in names if name != best.sheet]
    alike = [table.sheet for table, _ in tables if table.sheet != best.sheet and table.columns == best.columns]
    if rest and not wanted:
        message = say("The sheet {sheet} is read; the workbook also has {sheets}.", sheet=best.sheet,
                   sheets=tuple(rest))  # fmt: skip
        fix = say("Name another as {path}.", path=f"{dataset.path}#{rest[0]}")
        told = note("sheet-chosen", message, source.at(), fix)
        if alike and best.header:
            message = say("Only the sheet {sheet} is read; {sheets} has the same columns.", sheet=best.sheet,
                          sheets=tuple(alike))  # fmt: skip
            fix = say("Put the rows of all sheets into one, or name another as {path}.",
                      path=f"{dataset.path}#{alike[0]}")  # fmt: skip
            told = warning("sheet-chosen", message, source.at(), fix)
        best = best.altered(notes=(*best.notes, told))
    return best


_SHEETS: Final = 20  # of a workbook, looked at for the one with the table


def _sheet(source: Source, dataset: Dataset) -> tuple[Source, list[tuple[int, list[str]]]]:
    """A sheet laid out, and its first rows."""
    from tunewiz.data.reading.xlsx import sheet_rows, written

    # A header and the hundred rows it is judged by.
    rows = [(number, written(cells)) for number, cells in islice(sheet_rows(source, _quiet), 101)]
    return layout_of(source, rows, dataset.header), rows


#: Cells of at least so many characters in two columns of several rows are texts rather than a list of codes.
_TEXT_LENGTH: Final = 10
_TEXT_ROWS: Final = 3


def _worth(table: Source, rows: list[tuple[int, list[str]]]) -> tuple[bool, int]:
    """How likely a sheet is the one that is meant: two columns of texts, then the known names of its header."""
    long = [sum(len(cell) >= _TEXT_LENGTH for cell in cells) >= 2 for _, cells in rows]
    known = sum(map(is_known, table.columns)) if table.header else 0
    return sum(long) >= max(_TEXT_ROWS, len(rows) // 2), known


def _text(base: Source, dataset: Dataset) -> Source:
    encoding = _encoding(base, dataset)
    notes = _encoding_notes(base, encoding)
    source = base.altered(
        encoding=encoding.name,
        encoding_basis=encoding.basis,
        confidence=encoding.confidence,
        newline=encoding.newline,
        notes=notes,
    )
    peeked = _peek(source)
    refuse_binary("".join(text for _, text in peeked), source.at())
    first = next((text for _, text in peeked if text.strip()), "")
    page = _html(source, dataset) if is_page(base.path, first) else None
    if page is not None:
        return page
    marked = _marked_up(source, first)
    if marked is not None:
        return marked
    refuse_markup(first, source.at())
    if not any(text.strip() for _, text in peeked):
        raise BadData(error("empty-file", say("The file holds nothing but blank lines."), source.at()))
    found: list[Problem] = []
    container, under, shape = _text_container(source, peeked, found.append)
    source = source.altered(container=container, rows_under=under, shape=shape, notes=(*notes, *found))
    if container in ("json", "jsonl"):
        return _plain(source.altered(columns=_keys(source)), dataset)
    if is_dump(peeked, source.path.suffix.casefold()):
        return laid_out(source)
    if dataset.format in CHATS:
        chat = saved_chat(source, peeked, dataset)
        if chat is not None:
            return chat
    return delimited_layout(source, peeked, dataset)


def _reaches(source: Source, mapping: Mapping[str, str]) -> bool:
    """Whether something is found at what is mapped, in any of the first rows."""
    from tunewiz.data.reading.records import read

    rows = [row.values for row in islice(read(source, _quiet), _PEEKED_ROWS)]
    paths = [path.strip() for names in mapping.values() for path in names.split(",")]
    return all(any(value_at(row, path) not in (None, "", []) for row in rows) for path in paths)


def _html(source: Source, dataset: Dataset) -> Source | None:
    """The largest table of a page; None where it has none that could hold examples."""
    from tunewiz.data.documents.html_tables import table_rows

    rows = table_rows(source, _quiet)[:101]
    if sum(len(cells) > 1 for _, cells in rows) < 2:
        return None
    return layout_of(source.altered(container="html"), rows, dataset.header)


def _marked_up(source: Source, first: str) -> Source | None:
    """YAML or XML, by their ending or by what they begin with; None for what is neither."""
    ending = source.path.suffix.casefold()
    if ending in (".yaml", ".yml"):
        from tunewiz.data.documents import yaml_rows

        found: list[Problem] = []
        columns = yaml_rows.columns(source.altered(container="yaml"), found.append)
        told = tuple(one for one in found if one.code in yaml_rows.PLACED)
        return source.altered(container="yaml", columns=columns, notes=(*source.notes, *told))
    from tunewiz.data.documents import xml_rows

    if not first.lstrip().startswith("<") or not (ending == ".xml" or xml_rows.BEGINS.match(first)):
        return None
    if _HTML.match(first):
        return None
    under, columns = xml_rows.laid_out(source.altered(container="xml"))
    message = say("The rows are the elements at {path}.", path=under)
    notes = (*source.notes, note("rows-under-key", message, source.at()))
    return source.altered(container="xml", columns=columns, rows_under=under, notes=notes)


def _encoding(base: Source, dataset: Dataset) -> Encoding:
    if dataset.encoding != "auto" and known_encoding(dataset.encoding) is None:
        near = nearest_encoding(dataset.encoding)
        message = say("There is no encoding {encoding}.", encoding=dataset.encoding)
        fix = (
            say("Did you mean {name}?", name=near) if near else say("Leave it at auto, or use utf-8, gb18030, cp1252.")
        )
        raise BadData(error("unknown-encoding", message, Where(key="encoding", file=base.name), fix))
    stream, _ = open_bytes(base.path, base.compression)
    with stream:
        try:
            return detect_encoding(stream, dataset.encoding)
        except UnicodeError as fault:
            message = say(
                "The file does not read as {encoding}, and has no byte-order mark of it.", encoding=str(fault)
            )
            fix = say("Leave the encoding at auto: then it is found out.")
            raise BadData(error("encoding-does-not-fit", message, base.at(), fix)) from fault


def _encoding_notes(base: Source, encoding: Encoding) -> tuple[Problem, ...]:
    override = say("If the text looks wrong, name the encoding (data.encoding, --encoding).")
    percent = round(100 * encoding.confidence)
    if encoding.damaged:
        message = say("The file is UTF-8 except for {count} places that are not.", count=encoding.damaged)
        return (warning("encoding-damaged", message, base.at(), override),)
    if encoding.basis == "uncertain":
        message = say("The encoding is a guess: {encoding}, {percent} % sure.", encoding=encoding.name, percent=percent)
        return (warning("encoding-uncertain", message, base.at(), override),)
    if encoding.basis in ("plausible", "bom"):
        message = say("The encoding is {encoding}, {percent} % sure.", encoding=encoding.name, percent=percent)
        return (note("encoding-detected", message, base.at(), override),)
    return ()


def _peek(source: Source) -> list[tuple[int, str]]:
    """The first lines, about 256 thousand characters; a line cut off there is left out unless it is the only one."""
    text = ""
    pieces = chunks(source, _quiet)
    while len(text) < _PEEKED_CHARACTERS and (piece := next(pieces, "")):
        text += piece
    pieces.close()
    end = "\r" if source.newline == "CR" else "\n"
    cut = text.removeprefix("\ufeff").split(end)
    if len(text) >= _PEEKED_CHARACTERS and len(cut) > 1:
        cut.pop()
    found = [(number, line.removeprefix("\ufeff") + "\n") for number, line in enumerate(cut, 1)]
    return found if cut[-1] or len(found) == 1 else found[:-1]


def _text_container(
    source: Source, peeked: list[tuple[int, str]], report: Callable[[Problem], None]
) -> tuple[Container, str, Shape]:
    """csv, json or jsonl by content; the name decides only where the content leaves it open."""
    texts = [text.strip() for _, text in peeked if text.strip()]
    texts = [text for text in texts if not text.startswith(FENCE)] or texts
    named_json = any(suffix in _JSON_SUFFIXES for suffix in map(str.casefold, source.path.suffixes))
    if not named_json and not _looks_like_json(texts):
        return "csv", "", ""
    if not named_json and source.path.suffix.casefold() in (".csv", ".tsv", ".xlsx"):
        report(
            note(
                "name-misleads", say("The file is named like a table and holds JSON; it is read as JSON."), source.at()
            )
        )
    if texts[0].startswith("["):
        lists = sum(text.startswith("[") and text.endswith("]") for text in texts)
        return ("jsonl" if len(texts) > 1 and 2 * lists > len(texts) else "json"), "", ""
    if unpacked(texts[0]):
        return "jsonl", "", ""
    # Half: a damaged file of lines is still one, while of a document spread over lines hardly any line is an object.
    if len(texts) > 1 and _json_lines_share(texts) >= 0.5:
        return "jsonl", "", ""
    under, shape = find_rows(source, report)
    return ("json" if under or shape or len(texts) > 1 else "jsonl"), under, shape


def _looks_like_json(texts: list[str]) -> bool:
    first = texts[0]
    if first.startswith(('"{', '"[')) and unpacked(first):
        return True
    if first.startswith("{"):
        return first == "{" or first[1:].lstrip().startswith(('"', "'", "}"))
    return first == "[" or first.replace(" ", "").startswith(('[{"', "[{'", '["', '[["'))


def _json_lines_share(texts: list[str]) -> float:
    """0-1: lines that are a whole object, or nearly."""
    decoder = Decoder()
    whole = 0
    judged = texts[:50]  # damaged lines are mended one by one, which takes time
    for text in judged:
        try:
            value, end = decoder.value(text)
            whole += isinstance(value, dict) and not text[end:].strip(" ,")
        except NotJson:
            whole += mend(text, decoder) is not None or text.startswith(("//", "{'"))
    return whole / len(judged)


def _keys(source: Source) -> tuple[str, ...]:
    from tunewiz.data.reading.records import read

    rows = islice(read(source, _quiet), _PEEKED_ROWS)
    return tuple(dict.fromkeys(key for row in rows for key in row.values))


# Files known by their first bytes, and files that no reader can take.


_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_AS_XLSX: Final = say("Save it as .xlsx or .csv.")
_UNPACK: Final = say("Unpack it first and give the file inside.")
_UNPACK_ALL: Final = say("Unpack it and give the folder, or the file of it that is meant.")
_CONVERT: Final = say("Convert it to parquet, JSON Lines or CSV.")

#: First bytes -> what it is, what to do.
_REFUSED: Final[tuple[tuple[bytes, Message, Message], ...]] = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", say("This is an old Excel or Word file (.xls, .doc)."), _AS_XLSX),
    (b"%PDF-", say("This is a PDF."), say("Extract its text into a table with a query and an answer a row.")),
    (b"7z\xbc\xaf\x27\x1c", say("This is a 7z archive."), _UNPACK),
    (b"Rar!", say("This is a RAR archive."), _UNPACK),
    (b"\x28\xb5\x2f\xfd", say("This is a zstd archive."), _UNPACK),
    (b"SQLite format 3\0", say("This is a SQLite database."), _CONVERT),
    (b"ARROW1", say("This is an Arrow (Feather) file."), _CONVERT),
    (b"\xff\xff\xff\xff", say("This is an Arrow stream."), _CONVERT),
    (b"\x80\x04\x95", say("This is a Python pickle."), _CONVERT),
    (b"\x89HDF", say("This is an HDF5 file."), _CONVERT),
)


def signature(head: bytes, place: Where) -> Literal["parquet", "xlsx", ""]:
    """What the first bytes say. Raises :class:`BadData` for files that are known and cannot be read."""
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"PK\x03\x04"):
        if b"word/" in head or b"ppt/" in head:
            raise BadData(error("unsupported-file", say("This is a Word or PowerPoint file."), place, _AS_XLSX))
        if b"xl/" in head or b"[Content_Types].xml" in head or b"docProps/" in head or b"_rels/" in head:
            return "xlsx"
        raise BadData(
            error(
                "unsupported-file",
                say("This is a zip archive that does not hold one file of data alone."),
                place,
                _UNPACK_ALL,
            )
        )
    for mark, told, fix in _REFUSED:
        if head.startswith(mark):
            raise BadData(error("unsupported-file", told, place, fix))
    if head[257:262] == b"ustar":  # POSIX tar: behind name, mode, owner, size, time, sum, type and link of a file
        raise BadData(error("unsupported-file", say("This is a tar archive."), place, _UNPACK))
    return ""


def refuse_unreadable(path: Path, place: Where) -> None:
    """Raise :class:`BadData` for devices, pipes and sockets, on which reading would wait for ever."""
    if not path.is_file():
        raise BadData(error("not-a-file", say("This is neither a file nor a folder."), place))


_MARKUP: Final = re.compile(r"\s*<(\?xml|!doctype|html)\b", re.I)
_HTML: Final = re.compile(r"\s*<(!doctype\s+)?html\b", re.I)
#: Endings of pages, whatever tag they begin with; offices save them as .xls too.
_PAGES: Final = (".html", ".htm", ".xhtml", ".xls")


def is_page(path: Path, first: str) -> bool:
    """Whether a text is an HTML page, by its ending and its ``first`` line; Markdown may begin with a tag as well."""
    return bool(_HTML.match(first)) or (path.suffix.casefold() in _PAGES and first.lstrip().startswith("<"))


def refuse_markup(first: str, place: Where) -> None:
    """Raise :class:`BadData` for HTML without a table, whose lines would be taken for a table's."""
    if _MARKUP.match(first):
        raise BadData(error("unsupported-file", say("This is an XML or HTML file."), place, _CONVERT))


def refuse_binary(text: str, place: Where) -> None:
    """Raise :class:`BadData` when the decoded text is full of control characters."""
    # A text copied from a terminal has a few controls; of programs (ls, git, bash) 38 to 55 % of the bytes are some.
    if text and len(_CONTROL.findall(text)) > max(3, len(text) // 20):
        message = say("This is not a text file, and no format that can be read.")
        fix = say("Give csv, tsv, json, jsonl, parquet or xlsx; name the encoding if it is text.")
        raise BadData(error("binary-file", message, place, fix))
