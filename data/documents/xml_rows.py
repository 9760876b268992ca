"""XML as rows: the elements that come again and again, wherever they stand; their attributes and children are columns.

No entity is unfolded and nothing outside the file is read: a declaration of an entity is refused (as defusedxml does).
A file may be of many elements one behind another without one around them, as TREC's are.
"""

from __future__ import annotations

import html.entities
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from xml.parsers import expat

from tunewiz.data.reading.source import Row, Source
from tunewiz.data.reading.streams import lines
from tunewiz.problems import BadData, Report, Where, error, say

_DEEPEST: Final = 100
_LONGEST: Final = 16 << 20  # characters of a row
_LOOKED: Final = 20_000  # elements by which the rows are found
_HEAD: Final = re.compile(r"\s*<\?xml.*?\?>", re.DOTALL)
_DOCTYPE: Final = re.compile(r"\s*<!DOCTYPE[^\[>]*>", re.IGNORECASE)
_REFERENCE: Final = re.compile(r"&(#\d{1,7};|#x[0-9a-fA-F]{1,6};|[A-Za-z][A-Za-z0-9]{0,31};)?")
_KNOWN: Final = frozenset(("amp;", "lt;", "gt;", "quot;", "apos;"))
#: What begins so is XML whatever the file is called.
BEGINS: Final = re.compile(
    r"\s*<(\?xml\b|doc>|top>|topics?\b|posts>|rows?>|add>|faq>|dataset>|aiml\b[^>]*>)", re.IGNORECASE
)
Path = tuple[str, ...]


def laid_out(source: Source) -> tuple[str, tuple[str, ...]]:
    """Where the rows are (tags from the outermost inwards, with ``/`` between them) and their columns.

    Raises :class:`BadData` (``xml-entities``, ``bad-xml``, ``no-columns``).
    """
    seen = _Shape()
    failure = _parse(source, seen, lambda _problem: None, seen.enough)
    path = seen.rows()
    if path is None:
        if failure is not None:
            raise BadData(failure)
        message = say("This XML file holds no rows: no element with children or attributes comes more than once.")
        fix = say("Convert it to parquet, JSON Lines or CSV.")
        raise BadData(error("no-columns", message, source.at(), fix))
    under = "/".join(path)
    names = dict.fromkeys(
        key for _, row in zip(range(200), records(source.altered(rows_under=under), lambda _p: None), strict=False)
        for key in row.values
    )  # fmt: skip
    return under, tuple(names)


def records(source: Source, report: Report) -> Iterator[Row]:
    """The elements at :attr:`Source.rows_under`, each with the line it begins on."""
    made = _Rows(tuple(source.rows_under.split("/")))
    parser = _parser(source, made)
    for number, text in _texts(source, report):
        failure = _fed(parser, text, number, source)
        yield from made.taken()
        if failure is not None:
            report(failure)
            return
    failure = _fed(parser, f"</{_ROOT}>", 0, source, last=True)
    yield from made.taken()
    if failure is not None:
        report(failure)


# Parsing.


_ROOT: Final = "tunewiz.records"


class _Seen:
    """What is told of elements as they are met; ``path`` are the tags around the place."""

    path: list[str]

    def begin(self, attributes: dict[str, str], line: int) -> None:
        """An element begins; its tag is the last of the path."""

    def text(self, text: str) -> None:
        """Text stands in the element."""

    def end(self) -> None:
        """The element ends; its tag is the last of the path still."""


def _parser(source: Source, seen: _Seen) -> Any:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    seen.path = []

    def begin(tag: str, attributes: dict[str, str]) -> None:
        seen.path.append(tag.rpartition(":")[2])
        if len(seen.path) > _DEEPEST:
            message = say("Elements stand in one another more than {limit} deep.", limit=_DEEPEST)
            raise BadData(error("bad-xml", message, source.at(parser.CurrentLineNumber)))
        if tag != _ROOT:
            plain = {name.rpartition(":")[2]: value for name, value in attributes.items() if name != "xmlns"}
            seen.begin(plain, parser.CurrentLineNumber)

    def end(tag: str) -> None:
        if tag != _ROOT:
            seen.end()
        seen.path.pop()

    def refused(*_told: object) -> int:
        raise _unfolds(source.at())

    parser.StartElementHandler, parser.EndElementHandler = begin, end
    parser.CharacterDataHandler = seen.text
    parser.EntityDeclHandler = parser.ExternalEntityRefHandler = refused
    parser.UnparsedEntityDeclHandler = refused
    parser.Parse(f"<{_ROOT}>", False)
    return parser


def _unfolds(place: Where) -> BadData:
    message = say("The XML file declares entities, which may unfold without end.")
    return BadData(error("xml-entities", message, place, say("Write the texts themselves in place of entities.")))


def _parse(source: Source, seen: _Shape, report: Report, enough: Any) -> Any:
    """Tell ``seen`` of all elements, until there are ``enough``; what is wrong with the text."""
    parser = _parser(source, seen)
    for number, text in _texts(source, report):
        failure = _fed(parser, text, number, source)
        if failure is not None:
            return failure
        if enough():
            return None
    return _fed(parser, f"</{_ROOT}>", 0, source, last=True)


def _fed(parser: Any, text: str, number: int, source: Source, last: bool = False) -> Any:
    try:
        parser.Parse(text, last)
    except expat.ExpatError as fault:
        told = expat.ErrorString(fault.code)
        message = say("This is not valid XML: {reason}. The rows before it are read.", reason=told)
        line = number or max(1, fault.lineno)
        return error("bad-xml", message, source.at(line), say("Mend the line, or copy the file again."))
    return None


def _texts(source: Source, report: Report) -> Iterator[tuple[int, str]]:
    """Lines of the file as XML that one element may stand around, with their numbers.

    An ampersand that stands for itself is written as one, and names of HTML are the characters they stand for.
    """
    head, hidden = True, False
    waiting = ""
    for number, line in lines(source, report):
        text = line
        if head:
            waiting += line
            if "<!ENTITY" in waiting[:_LONGEST]:
                raise _unfolds(source.at(number))
            body = _DOCTYPE.sub("", _HEAD.sub("", waiting, count=1), count=1)
            if re.match(r"\s*<[^!?]", body) is None and len(waiting) < 1 << 16:
                continue
            # The lines of the head stay, so that numbers of lines are right.
            head, text = False, "\n" * (waiting.count("\n") - body.count("\n")) + body
        yield number, _written(text, hidden)
        hidden = text.rfind("<![CDATA[") > text.rfind("]]>") or (hidden and "]]>" not in text)
    if head and waiting.strip():
        yield 1, _written(waiting, False)


def _written(text: str, hidden: bool) -> str:
    """``text`` with its references as XML knows them; what is ``hidden`` (CDATA) stays."""
    if "&" not in text:
        return text
    parts = re.split(r"(<!\[CDATA\[|\]\]>)", text)
    for place, part in enumerate(parts):
        if part == "<![CDATA[":
            hidden = True
        elif part == "]]>":
            hidden = False
        elif not hidden:
            parts[place] = _REFERENCE.sub(_reference, part)
    return "".join(parts)


def _reference(found: re.Match[str]) -> str:
    name = found[1]
    if name is None:
        return "&amp;"
    if name.startswith("#") or name in _KNOWN:
        return found[0]
    sign = html.entities.html5.get(name)
    return "&amp;" + name if sign is None or sign in "<&" else sign


# Which elements are rows.


class _Shape(_Seen):
    """How often elements of each path come, and which have children or several attributes."""

    def __init__(self) -> None:
        self.counts: Counter[Path] = Counter()
        self.structured: set[Path] = set()
        self.leaves: Counter[Path] = Counter()

    def begin(self, attributes: dict[str, str], _line: int) -> None:
        """Count it."""
        path = tuple(self.path[1:])
        self.counts[path] += 1
        if len(attributes) > 1:
            self.structured.add(path)
        if len(path) > 1:
            self.structured.add(path[:-1])

    def enough(self) -> bool:
        """Whether what follows will not say more."""
        return self.counts.total() >= _LOOKED

    def rows(self) -> Path | None:
        """The outermost elements that come again; those within, where the outer ones only keep them apart."""
        several = [path for path, count in self.counts.items() if count > 1 and path in self.structured]
        if not several:
            return None
        least = min(map(len, several))
        found = max((path for path in several if len(path) == least), key=lambda path: self.counts[path])
        while True:
            inner = [path for path in several if path[:-1] == found and self.counts[path] > self.counts[found]]
            beside = [path for path in self.counts if path[:-1] == found and path not in inner]
            if len(inner) != 1 or beside:
                return found
            found = inner[0]


# Elements as rows.


@dataclass
class _Element:
    tag: str
    attributes: dict[str, str]
    line: int
    texts: list[str] = field(default_factory=list)
    children: list[tuple[str, Any]] = field(default_factory=list)
    marked: set[str] = field(default_factory=set)  # tags of texts that have attributes


class _Rows(_Seen):
    """Makes rows of the elements at a path; attributes of the elements around them are columns too."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: list[_Element] = []
        self._around: list[dict[str, str]] = []
        self._made: list[Row] = []
        self._size = 0

    def taken(self) -> list[Row]:
        """The rows that are whole."""
        made, self._made = self._made, []
        return made

    def begin(self, attributes: dict[str, str], line: int) -> None:
        """A row begins, a part of one, or what stands around rows."""
        path = tuple(self.path[1:])
        if self._open or path == self._path:
            self._open.append(_Element(path[-1], attributes, line))
        else:
            self._around.append({f"{path[-1]}_{name}": value for name, value in attributes.items()})

    def text(self, text: str) -> None:
        """Text of a row."""
        if not self._open:
            return
        self._size += len(text)
        if self._size > _LONGEST:
            message = say("An element holds more than {limit} MiB.", limit=_LONGEST >> 20)
            raise BadData(error("bad-xml", message))
        self._open[-1].texts.append(text)

    def end(self) -> None:
        """A row is whole, or a part of one."""
        if not self._open:
            if self._around:
                self._around.pop()
            return
        element = self._open.pop()
        value = _value(element)
        if self._open:
            parent = self._open[-1]
            parent.children.append((element.tag, value))
            if isinstance(value, dict) and not element.children and "text" in value:
                parent.marked.add(element.tag)
            parent.texts.append(_plain(value) if isinstance(value, str) else "")
            return
        self._size = 0
        row = value if isinstance(value, dict) else {"text" if isinstance(value, str) else element.tag: value}
        around = {name: told for attributes in self._around for name, told in attributes.items() if name not in row}
        self._made.append(Row(element.line, {**row, **around}))


def _plain(text: str) -> str:
    return f" {text} "


def _value(element: _Element) -> Any:
    """A text, a list, or an object; markup inside a text is part of the text."""
    inside = [text for text in element.texts if text.strip()]
    own = len(inside) - sum(isinstance(value, str) and bool(value.strip()) for _, value in element.children)
    if not element.children or (own > 0 and all(isinstance(value, str) for _, value in element.children)):
        text = "".join(element.texts).strip()
        if element.children:
            text = re.sub(r"[ \t]{2,}", " ", text)
        return {**element.attributes, "text": text} if element.attributes and text else element.attributes or text
    names = Counter(tag for tag, _ in element.children)
    if len(names) == 1 and not element.attributes and next(iter(names.values())) > 1:
        return [value for _, value in element.children]
    found: dict[str, Any] = dict(element.attributes)
    for tag, count in names.items():
        values = [value for name, value in element.children if name == tag]
        if count == 1 and tag in element.marked:  # a text, and what its element says of it
            found |= {tag: values[0]["text"]} | {f"{tag}_{name}": told for name, told in values[0].items()
                                                 if name != "text"}  # fmt: skip
        else:
            found[tag] = values if count > 1 else values[0]
    return found
