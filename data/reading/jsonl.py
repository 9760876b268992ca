"""JSON Lines: an object a line. A broken line costs itself, never its neighbours."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, Final

from tunewiz.data.reading.json_text import Decoder, NotJson, mend, rows_inside
from tunewiz.data.reading.source import Row, Source, plain_row
from tunewiz.data.reading.streams import lines
from tunewiz.problems import Message, Problem, Report, error, say, warning

#: How many lines one object may be spread over by newlines that were not escaped.
_JOINED_LINES: Final = 50
#: And how long it may be: each line added means parsing all again, so that this bounds the time one damaged row takes.
_JOINED_CHARACTERS: Final = 1 << 20

_MENDED: Final = {
    "trailing-comma": say("A comma stands where none belongs; the row is read without it."),
    "two-objects-on-a-line": say("Several objects stand on one line; each is read as a row."),
    "single-quotes": say("The row is a Python literal (single quotes), not JSON; it is read as such."),
    "raw-newline": say("A newline inside a string is not written as \\n; the lines are joined."),
    "double-encoded": say("The row is JSON inside a JSON text; it is read as the object that it is."),
    "nan-literal": say("NaN or Infinity is not JSON; it is read as null."),
}


def mended_warning(code: str, source: Source, line: int) -> Problem:
    """The warning about damage that was mended."""
    return warning(code, _MENDED[code], source.at(line), say("Write strict JSON to be rid of this warning."))


def records(source: Source, report: Report) -> Iterator[Row]:
    """Rows of a JSON Lines file."""
    return iter(_Lines(source, report))


def kind_of(source: Source) -> type | None:
    """What the first row is, and the others then have to be; None where there is none."""
    rows = _Lines(source, lambda _problem: None)
    next(iter(rows), None)
    return rows.kind


class _Lines:
    """The lines of a file, of which some may be looked at and put back."""

    def __init__(self, source: Source, report: Report) -> None:
        self._source = source
        self._report = report
        self._numbered = lines(source, report)
        self._waiting: deque[tuple[int, str]] = deque()
        self._decoder = Decoder()
        # Objects or lists: as the first row is, so are the others. A part of a file is of objects.
        self.kind: type | None = dict if source.span is not None and source.span.start else None

    def __iter__(self) -> Iterator[Row]:
        plain = self._decoder.plain
        while True:
            # Nearly every line is a row, nothing waits, and neither changes.
            for line, text in self._numbered if not self._waiting else ():
                found = plain(text)
                if found is None or self.kind is list:
                    item: tuple[int, str] | None = (line, text)
                    break
                self.kind = dict
                yield plain_row(line, found)
            else:
                item = self._next()
            if item is None:
                return
            line, text = item
            found = plain(text)
            if found is not None and self.kind in (dict, None):
                self.kind = dict
                yield plain_row(line, found)
                continue
            for value in self._values(line, text.strip()):
                whole = rows_inside(value)
                if whole:
                    self._report(mended_warning("double-encoded", self._source, line))
                for one in whole or [value]:
                    row = row_of(one)
                    self.kind = self.kind or type(one)
                    if row is not None and isinstance(one, self.kind):
                        yield Row(line, row)
                    else:
                        self._report(not_an_object(self._source, line, one))

    def _next(self) -> tuple[int, str] | None:
        return self._waiting.popleft() if self._waiting else next(self._numbered, None)

    def _values(self, line: int, text: str) -> list[Any]:
        """What stands on a line: one value, several, or none; damage is reported."""
        if not text:
            self._report(warning("blank-line", say("The row is blank."), self._source.at(line)))
            return []
        if text.startswith(("//", "#")):
            self._report(comment(self._source, line))
            return []
        if text.startswith(FENCE):
            self._report(fence(self._source, line))
            return []
        try:
            value, end = self._decoder.value(text)
            if not text[end:].strip():
                if self._decoder.constants:
                    self._report(mended_warning("nan-literal", self._source, line))
                return [value]
            failure = NotJson(end)
        except NotJson as reason:
            failure = reason
        found = mend(text, self._decoder)
        if found is None and failure.cut:
            found = self._joined(text)
        if found is None:
            self._report(bad_json(self._source, line, text, failure))
            return []
        self._report(mended_warning(found[0], self._source, line))
        return found[1]

    def _joined(self, text: str) -> tuple[str, list[Any]] | None:
        """``text`` with the lines that follow, where together they are one object; otherwise they are put back."""
        taken: list[tuple[int, str]] = []
        joined = text
        while len(taken) < _JOINED_LINES and len(joined) < _JOINED_CHARACTERS and (item := self._next()):
            taken.append(item)
            if item[1].lstrip().startswith("{"):  # the next row: this one was cut off
                break
            joined += "\n" + item[1].rstrip("\r\n")
            try:
                value, end = self._decoder.value(joined, lenient=True)
            except NotJson:
                continue
            if not joined[end:].strip():
                return "raw-newline", [value]
        self._waiting.extendleft(reversed(taken))
        return None


def row_of(value: object) -> dict[str, Any] | None:
    """An object, or a list of texts and numbers as columns without names; None for what is no row."""
    if isinstance(value, dict):
        return value
    flat = isinstance(value, list) and len(value) > 1 and all(isinstance(item, (str, int, float)) for item in value)
    if not flat or not isinstance(value, list) or not any(isinstance(item, str) for item in value):
        return None
    return {f"column_{place}": item for place, item in enumerate(value, 1)}


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
    message = say("A row must be an object with named fields; this is a {kind} and is left out.", kind=kind)
    return error("not-an-object", message, source.at(line), say('Write rows as {{"query": "...", "positive": "..."}}.'))


#: What stands around code in Markdown, and in what language models write.
FENCE: Final = "```"


def fence(source: Source, line: int) -> Problem:
    """A line that opens or closes a block of code in Markdown."""
    message = say("The line is a mark of Markdown's code blocks (```); it is left out.")
    return warning("code-fence", message, source.at(line))


def comment(source: Source, line: int) -> Problem:
    """A comment, which JSON does not have."""
    return warning(
        "comment-line", say("The line is a comment, which JSON does not have; it is left out."), source.at(line)
    )
