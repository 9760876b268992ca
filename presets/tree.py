"""A preset's YAML as plain values, with the place of every key.

Only what a preset needs of YAML is read: mappings, lists and scalars, in one document. Anchors, aliases, tags and
duplicate keys are refused, so nothing can be built, repeated or hidden by the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from data.problems import BadPreset, Problem, Where, error, say
from presets import syntax
from presets.scalars import plain

#: Control characters, and halves of UTF-16 pairs, which no file can hold.
_REFUSED: Final = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff]")

Path = tuple[str | int, ...]
DEEPEST: Final = 16
LARGEST: Final = 256 * 1024


@dataclass
class Tree:
    """``value`` is the document's; ``places`` says for each path where its key (or list item) stands."""

    file: str = ""
    value: Any = None
    places: dict[Path, Where] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def where(self, path: Path) -> Where:
        """The place of ``path``, or of the nearest key above it, with the full dotted key."""
        key = dotted(path)
        for end in range(len(path), -1, -1):
            known = self.places.get(path[:end])
            if known:
                return Where(key, known.file, known.line)
        return Where(key, self.file)

    def node(self, path: Path) -> Any:
        """The value at ``path``; ``None`` where there is none."""
        value = self.value
        for part in path:
            value = child(value, part)
        return value


def dotted(path: Path) -> str:
    """``("a", "b", 0)`` as ``a.b.0``."""
    return ".".join(str(part) for part in path)


def path_of(key: str) -> Path:
    """``a.b.0`` as ``("a", "b", 0)``."""
    parts = key.split(".")
    return tuple(int(part) if part.isascii() and part.isdigit() and len(part) < 6 else part for part in parts)


def child(value: Any, part: str | int) -> Any:
    """One step down from ``value``: by key, or by position in a list; ``None`` where there is nothing."""
    if isinstance(value, dict):
        return value.get(part)
    if isinstance(value, list) and isinstance(part, int) and 0 <= part < len(value):
        return value[part]
    return None


@dataclass
class _Open:
    """A mapping or list whose end has not been read yet; ``key`` waits for its value."""

    value: dict[str, Any] | list[Any]
    path: Path
    key: str | None = None

    def next_path(self) -> Path:
        return (*self.path, self.key or "") if isinstance(self.value, dict) else (*self.path, len(self.value))

    def add(self, item: Any) -> None:
        if isinstance(self.value, dict):
            self.value.setdefault(self.key or "", item)
            self.key = None
        else:
            self.value.append(item)


def parse(text: str, file: str = "") -> Tree:
    """The tree of ``text``; raises :class:`BadPreset` when it is not YAML, with all that can be told.

    Duplicate keys, tags, anchors and characters that have no place in a preset are left in ``problems``, so that the
    values can be checked in the same pass.
    """
    if len(text.encode("utf-8", "surrogatepass")) > LARGEST:
        raise BadPreset(syntax.too_large(file, LARGEST))
    builder = _Builder(Tree(file))
    try:
        for event in _events(text):
            builder.take(event)
    except yaml.YAMLError as fault:
        raise BadPreset(*syntax.explained(fault, text, file), *builder.tree.problems) from fault
    except (ValueError, OverflowError, RecursionError) as fault:  # PyYAML's scanner on absurd escapes and directives
        raise BadPreset(syntax.unreadable(file), *builder.tree.problems) from fault
    return builder.tree


def _events(text: str) -> Iterator[yaml.Event]:
    events: Iterator[yaml.Event] = yaml.parse(text, Loader=yaml.SafeLoader)
    return events


class _Builder:
    """Folds PyYAML's events into a tree without recursion, so that depth cannot exhaust the stack."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.open: list[_Open] = []
        self.documents = 0

    def take(self, event: yaml.Event) -> None:
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise BadPreset(self._problem("yaml-documents", line), *self.tree.problems)
        elif isinstance(event, yaml.ScalarEvent):
            self._mark(event, line)
            self._scalar(event, line)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._mark(event, line)
            self._begin({} if isinstance(event, yaml.MappingStartEvent) else [], line)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self.open.pop()
        elif isinstance(event, yaml.AliasEvent):
            self._report("yaml-alias", line)
            self._scalar(yaml.ScalarEvent(None, None, (False, True), "", event.start_mark, style='"'), line)

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        if _REFUSED.search(event.value):
            self._report("yaml-character", line)
            event.value = ""
        top = self.open[-1] if self.open else None
        if top and isinstance(top.value, dict) and top.key is None:
            self._key(top, event.value, line)
            return
        value = event.value if event.style else plain(event.value)
        self._attach(value, line)

    def _key(self, top: _Open, key: str, line: int) -> None:
        path = (*top.path, key)
        if key in top.value:
            first = self.tree.places[path].line
            where = Where(dotted(path), self.tree.file, line)
            rule = say("The key is given twice; it already stands in line {first}.", first=first)
            self.tree.problems.append(error("duplicate-key", rule, where, say("Keep one of them.")))
        self.tree.places.setdefault(path, Where(dotted(path), self.tree.file, line))
        top.key = key

    def _begin(self, value: dict[str, Any] | list[Any], line: int) -> None:
        top = self.open[-1] if self.open else None
        if len(self.open) >= DEEPEST or (top and isinstance(top.value, dict) and top.key is None):
            raise BadPreset(syntax.refused("yaml-shape", Where(file=self.tree.file, line=line)), *self.tree.problems)
        path = top.next_path() if top else ()
        self._attach(value, line)
        self.open.append(_Open(value, path))

    def _attach(self, value: Any, line: int) -> None:
        if not self.open:
            self.tree.value = value
            return
        top = self.open[-1]
        path = top.next_path()
        self.tree.places.setdefault(path, Where(dotted(path), self.tree.file, line))
        top.add(value)

    def _mark(self, event: yaml.NodeEvent, line: int) -> None:
        if event.anchor:
            self._report("yaml-alias", line)
        if getattr(event, "tag", None) not in (None, "!"):
            self._report("yaml-tag", line)

    def _report(self, code: str, line: int) -> None:
        self.tree.problems.append(self._problem(code, line))

    def _problem(self, code: str, line: int) -> Problem:
        path = self.open[-1].next_path() if self.open else ()
        return syntax.refused(code, Where(dotted(path), self.tree.file, line))
