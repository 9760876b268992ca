"""JSON Lines: an object a line. A broken line costs itself, never its neighbours."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, Final

from data.problems import Message, Problem, error, say, warning
from data.reading.json_values import Decoder, NotJson, mend
from data.reading.streams import Report, lines
from data.source import Row, Source

#: How many lines one object may be spread over by newlines that were not escaped.
_JOINED_LINES: Final = 50
_JOINED_CHARACTERS: Final = 1 << 20

_MENDED: Final = {
    "trailing-comma": say("A comma stands where none belongs; the row is read without it."),
    "two-objects-on-a-line": say("Several objects stand on one line; each is read as a row."),
    "single-quotes": say("The row is a Python literal (single quotes), not JSON; it is read as such."),
    "raw-newline": say("A newline inside a string is not written as \\n; the lines are joined."),
    "nan-literal": say("NaN or Infinity is not JSON; it is read as null."),
}


def mended(code: str, source: Source, line: int) -> Problem:
    """The warning about damage that was mended."""
    return warning(code, _MENDED[code], source.at(line), say("Write strict JSON to be rid of this warning."))


def records(source: Source, report: Report) -> Iterator[Row]:
    """Rows of a JSON Lines file."""
    numbered = lines(source, report)
    waiting: deque[tuple[int, str]] = deque()
    decoder = Decoder()
    while True:
        item = waiting.popleft() if waiting else next(numbered, None)
        if item is None:
            return
        line, text = item
        for value in _values(line, text.strip(), numbered, waiting, decoder, source, report):
            if isinstance(value, dict):
                yield Row(line, value)
            else:
                report(not_an_object(source, line, value))


def _values(
    line: int,
    text: str,
    numbered: Iterator[tuple[int, str]],
    waiting: deque[tuple[int, str]],
    decoder: Decoder,
    source: Source,
    report: Report,
) -> list[Any]:
    if not text:
        report(warning("blank-line", say("The row is blank."), source.at(line)))
        return []
    if text.startswith(("//", "#")):
        report(comment(source, line))
        return []
    try:
        value, end = decoder.value(text)
        if not text[end:].strip():
            if decoder.constants:
                report(mended("nan-literal", source, line))
            return [value]
        failure = NotJson(end)
    except NotJson as reason:
        failure = reason
    found = mend(text, decoder)
    if found is None and failure.cut:
        found = _joined(text, numbered, waiting, decoder)
    if found is None:
        report(bad_json(source, line, text, failure))
        return []
    report(mended(found[0], source, line))
    return found[1]


def _joined(
    text: str, numbered: Iterator[tuple[int, str]], waiting: deque[tuple[int, str]], decoder: Decoder
) -> tuple[str, list[Any]] | None:
    """``text`` with the lines that follow, where together they are one object; otherwise they are put back."""
    taken: list[tuple[int, str]] = []
    joined = text
    found = None
    while found is None and len(taken) < _JOINED_LINES and len(joined) < _JOINED_CHARACTERS:
        item = waiting.popleft() if waiting else next(numbered, None)
        if item is None:
            break
        taken.append(item)
        if item[1].lstrip().startswith("{"):  # the next row: this one was cut off
            break
        joined += "\n" + item[1].rstrip("\r\n")
        try:
            value, end = decoder.value(joined, lenient=True)
        except NotJson:
            continue
        found = ("raw-newline", [value]) if not joined[end:].strip() else None
    if found is None:
        waiting.extendleft(reversed(taken))
    return found


def bad_json(source: Source, line: int, text: str, failure: NotJson) -> Problem:
    """A record that is left out because it cannot be read."""
    told: Message
    if failure.cut:
        told = say("The row ends in the middle of an object and is left out.")
    else:
        around = text[max(0, failure.position - 20) : failure.position + 20]
        told = say("Not valid JSON near {text}; the row is left out.", text=around)
    return error("bad-json", told, source.at(line), say("Mend the line, or write a clean copy with --fix."))


def not_an_object(source: Source, line: int, value: object) -> Problem:
    """A JSON value that is no row."""
    kind = type(value).__name__
    told = say("A row must be an object with named fields; this is a {kind} and is left out.", kind=kind)
    return error("not-an-object", told, source.at(line), say('Write rows as {{"query": "...", "positive": "..."}}.'))


def comment(source: Source, line: int) -> Problem:
    """A comment, which JSON does not have."""
    return warning(
        "comment-line", say("The line is a comment, which JSON does not have; it is left out."), source.at(line)
    )
