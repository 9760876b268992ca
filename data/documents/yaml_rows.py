"""YAML as rows: lists of mappings, questions with their answers, Rasa's examples by intent, ChatterBot's dialogues.

Only what JSON can say is made of it: no tags, no dates, and ``yes`` and ``no`` stay words. A file is read whole, so
that its size is bounded, and so is what its aliases unfold to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tunewiz.data.reading.json_document import laid_out, turned
from tunewiz.data.reading.jsonl import not_an_object, row_of
from tunewiz.data.reading.source import Row, Source
from tunewiz.data.reading.streams import chunks
from tunewiz.problems import BadData, Report, error, note, say

#: Characters of a file: its nodes take about thirty times as many bytes while it is read.
_MOST: Final = 8 << 20
#: Values that aliases may unfold to, and levels of nesting.
_UNFOLDED: Final = 1 << 21
_DEEPEST: Final = 100
#: How Rasa marks an entity in an example: [Berlin](city), [Berlin]{"entity": "city"}.
_ENTITY: Final = re.compile(r"\[([^\]]+)\](?:\([^)]*\)|\{[^}]*\})")
_MESSAGES: Final = "messages"
Lines = dict[int, int]


def columns(source: Source, report: Report) -> tuple[str, ...]:
    """The fields of the rows. Raises :class:`BadData` where there are no rows."""
    found = dict.fromkeys(key for row in _rows(source, report) for key in row.values)
    if not found:
        message = say("This YAML file holds no rows: neither a list of mappings, nor questions with their answers.")
        fix = say("Write a list: - question: …, answer: … below it.")
        raise BadData(error("no-columns", message, source.at(), fix))
    return tuple(found)


def records(source: Source, report: Report) -> Iterator[Row]:
    """The rows, each with the line it begins on. Raises :class:`BadData` for what is no YAML, or too much of it."""
    # Where the rows are is told once, when the file is discovered.
    return _rows(source, lambda problem: None if problem.code in PLACED else report(problem))


#: Notes on where the rows are.
PLACED: Final = ("rows-under-key", "rows-turned")


def _rows(source: Source, report: Report) -> Iterator[Row]:
    values, lines = _read(source, report)
    held = values[0] if len(values) == 1 else values
    if isinstance(held, Mapping):
        yield from _of_mapping(dict(held), source, report, lines)
    elif isinstance(held, list):
        yield from _of_list(held, source, report, lines)


def _of_list(items: list[Any], source: Source, report: Report, lines: Lines) -> Iterator[Row]:
    for number, item in enumerate(items, 1):
        line = lines.get(id(item), number)
        row = row_of(item)
        if row is None:
            report(not_an_object(source, line, item))
        else:
            yield Row(line, row)


def _of_mapping(held: dict[str, Any], source: Source, report: Report, lines: Lines) -> Iterator[Row]:
    if isinstance(held.get("nlu"), list):
        yield from _examples(held["nlu"], source, report, lines)
        return
    talks = held.get("conversations")
    if isinstance(talks, list) and talks and all(_is_talk(talk) for talk in talks):
        yield from (
            Row(lines.get(id(talk), number), {_MESSAGES: _spoken(talk)}) for number, talk in enumerate(talks, 1)
        )
        return
    under, shape = laid_out(held, source, report)
    if shape:
        yield from (Row(number, row) for number, row in enumerate(turned(held, under, shape), 1))
        return
    found: Any = held
    for key in under.split(" > ") if under else ():
        found = found[key]
    yield from _of_list(found if isinstance(found, list) else [found], source, report, lines)


def _is_talk(talk: object) -> bool:
    """ChatterBot's: lines of a dialogue in turns."""
    return isinstance(talk, list) and len(talk) > 1 and all(isinstance(text, (str, int, float)) for text in talk)


def _spoken(talk: list[Any]) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[place % 2], "content": str(text)} for place, text in enumerate(talk)]


def _examples(items: list[Any], source: Source, report: Report, lines: Lines) -> Iterator[Row]:
    """Rasa's examples: each with its intent, and without the marks of entities."""
    passed: dict[str, None] = {}
    marked = 0
    for item in items:
        intent = item.get("intent") if isinstance(item, dict) else None
        if not isinstance(intent, str):
            passed |= dict.fromkeys(str(key) for key in item if key != "examples") if isinstance(item, dict) else {}
            continue
        for text in _listed(item.get("examples")):
            plain = _ENTITY.sub(r"\1", text)
            marked += plain != text
            yield Row(lines.get(id(item), 0), {"text": plain, "intent": intent})
    if marked:
        message = say("The marks of entities in {count} examples are taken off; only intents are read.", count=marked)
        report(note("entities-left-out", message, source.at()))
    if passed:
        report(note("other-lists", say("Other lists of the file are not read: {keys}.", keys=", ".join(passed)),
                    source.at()))  # fmt: skip


def _listed(told: object) -> Iterator[str]:
    """Examples, which stand a line each behind a dash in one text, or in a list."""
    if isinstance(told, str):
        yield from (text for line in told.splitlines() if (text := line.strip().removeprefix("-").strip()))
    for one in told if isinstance(told, list) else ():
        said = one.get("text") if isinstance(one, dict) else one
        if isinstance(said, str) and said.strip():
            yield said.strip().removeprefix("- ").strip()


# Text into values.


def _read(source: Source, report: Report) -> tuple[list[Any], Lines]:
    """The documents of the file, and by the identity of a mapping or list the line it begins on."""
    import yaml

    text = ""
    for piece in chunks(source, report):
        text += piece
        if len(text) > _MOST:
            message = say("A YAML file is read up to {limit} MiB.", limit=_MOST >> 20)
            raise BadData(error("too-large", message, source.at(), say("Convert it to JSON Lines.")))
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text.removeprefix("\ufeff"))
    making = _Making(source)
    try:
        values = []
        while loader.check_node():
            values.append(making.value(loader.get_node(), 0))
    except yaml.YAMLError as fault:
        mark = getattr(fault, "problem_mark", None)
        told = say("This is not valid YAML: {reason}.", reason=getattr(fault, "problem", None) or str(fault))
        place = source.at(mark.line + 1 if mark is not None else 0)
        raise BadData(error("bad-yaml", told, place, say("Mend the line; blanks at its beginning count."))) from None
    except RecursionError:
        raise making.too_much() from None
    finally:
        loader.dispose()
    return [value for value in values if value is not None], making.lines


class _Making:
    """Makes values of nodes; each node once, however many aliases name it."""

    def __init__(self, source: Source) -> None:
        self.lines: Lines = {}
        self._source = source
        self._made: dict[int, Any] = {}
        self._nodes: list[Any] = []  # kept, for an identity is only one's as long as it is there
        self._sizes: dict[int, int] = {}
        self._open: set[int] = set()

    def value(self, node: Any, depth: int) -> Any:
        """The value of a node. Raises :class:`BadData` where aliases unfold to too much, or to themselves."""
        key = id(node)
        if key in self._open or depth > _DEEPEST:
            raise self.too_much()
        if key not in self._made:
            self._nodes.append(node)
            self._open.add(key)
            made, inner = self._of(node, depth + 1)
            self._open.discard(key)
            self._sizes[key] = 1 + sum(self._sizes[id(one)] for one in inner)
            self._made[key] = made
        if self._sizes[key] > _UNFOLDED:
            raise self.too_much()
        return self._made[key]

    def _of(self, node: Any, depth: int) -> tuple[Any, list[Any]]:
        if node.id == "scalar":
            return _scalar(node), []
        made: Any
        if node.id == "sequence":
            inner = list(node.value)
            made = [self.value(one, depth) for one in inner]
        else:
            inner = [one for _, one in node.value]
            made = {_key(name): self.value(one, depth) for name, one in node.value}
        self.lines[id(made)] = node.start_mark.line + 1
        return made, inner

    def too_much(self) -> BadData:
        """What is raised for a file that unfolds without end."""
        message = say("The YAML file unfolds to more than can be read: its aliases or its nesting have no end.")
        return BadData(error("too-large", message, self._source.at(), say("Write it without aliases.")))


def _key(node: Any) -> str:
    return str(node.value) if node.id == "scalar" else repr(type(node).__name__)


def _scalar(node: Any) -> Any:
    """Numbers, truth values and nothing where they are written plainly; every other word is a text."""
    text = node.value
    if node.style in ("|", ">"):  # which end with a line end unless they say otherwise
        return text.removesuffix("\n")
    if node.style in ("'", '"'):
        return text
    kind = node.tag.rpartition(":")[2]
    if kind == "null":
        return None
    if kind == "bool" and text.casefold() in ("true", "false"):
        return text.casefold() == "true"
    try:
        if kind == "int" and re.fullmatch(r"[-+]?(0|[1-9]\d{0,17})", text):
            return int(text)
        if kind == "float" and re.fullmatch(r"[-+]?\d{1,18}\.\d{0,18}([eE][-+]?\d{1,3})?", text):
            return float(text)
    except ValueError:
        return text
    return text
