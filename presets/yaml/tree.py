"""A preset's YAML as plain values, with the place of every key; its scalars, read and written.

Only what a preset needs of YAML is read: mappings, lists and scalars, in one document. Anchors, aliases, tags and
duplicate keys are refused, so nothing can be built, repeated or hidden by the file.

Scalars follow the rules that people expect (YAML 1.2 core, decimal numbers only). YAML 1.1, which PyYAML follows,
reads ``2e-5`` as text, ``010`` as eight and ``no`` as false. Here ``2e-5`` is a number, ``010``, ``no`` and dates are
text (a true/false field still takes ``yes`` and ``no``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from tunewiz.files import read_bytes
from tunewiz.presets.yaml import syntax
from tunewiz.problems import BadPreset, Problem, Where, error, say

_WORDS: Final = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | {
    word: value for text, value in (("true", True), ("false", False)) for word in (text, text.title(), text.upper())
}
_WHOLE: Final = re.compile(r"[-+]?(0|[1-9](_?[0-9]){0,30})")  # 1_000, as in Python; "1_" is text
_REAL: Final = re.compile(r"[-+]?([0-9](_?[0-9])*(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,4})?")
_LEADING_ZERO: Final = re.compile(r"[-+]?0[0-9]")


def plain(text: str) -> Any:
    """The value of an unquoted scalar: ``None``, bool, int, float or the text itself."""
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    if len(text) <= 32 and _REAL.fullmatch(text) and not _LEADING_ZERO.match(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


def write_scalar(value: Any) -> str:
    """``value`` (a scalar) as YAML that every YAML reader and :func:`plain` read back as it was."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return _number(value)
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _number(value: float) -> str:
    """The shortest exact form; with a dot and a sign where YAML 1.1 needs them to see a number."""
    mantissa, exponent, power = repr(value).partition("e")
    if not exponent:
        return mantissa
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}e{int(power):+d}"


def _text(value: str) -> str:
    ambiguous = not isinstance(plain(value), str)
    style = '"' if ambiguous or value != value.strip() or not value.isprintable() else None
    shown = yaml.safe_dump(value, default_style=style, allow_unicode=True, width=10**9, default_flow_style=True)
    return shown.removesuffix("\n").removesuffix("\n...")


#: Control characters, and halves of UTF-16 pairs, which no file can hold.
REFUSED: Final = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff]")

KeyPath = tuple[str | int, ...]
DEEPEST: Final = 16
LARGEST: Final = 256 * 1024


@dataclass
class Tree:
    """``value`` is the document's; ``places`` says for each path where its key (or list item) stands."""

    file: str = ""
    value: Any = None
    places: dict[KeyPath, Where] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def where(self, path: KeyPath) -> Where:
        """The place of ``path``, or of the nearest key above it, with the full dotted key."""
        key = dotted_path(path)
        for end in range(len(path), -1, -1):
            known = self.places.get(path[:end])
            if known:
                return Where(key, known.file, known.line)
        return Where(key, self.file)

    def node(self, path: KeyPath) -> Any:
        """The value at ``path``; ``None`` where there is none."""
        value = self.value
        for part in path:
            value = child(value, part)
        return value


def dotted_path(path: KeyPath) -> str:
    """``("a", "b", 0)`` as ``a.b.0``."""
    return ".".join(str(part) for part in path)


def path_of(key: str) -> KeyPath:
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
    path: KeyPath
    key: str | None = None

    def next_path(self) -> KeyPath:
        return (*self.path, self.key or "") if isinstance(self.value, dict) else (*self.path, len(self.value))

    def add(self, item: Any) -> None:
        if isinstance(self.value, dict):
            self.value.setdefault(self.key or "", item)
            self.key = None
        else:
            self.value.append(item)


def parse(text: str, file: str = "", texts: bool = False) -> Tree:
    """The tree of ``text``; raises :class:`BadPreset` when it is not YAML, with all that can be told.

    Duplicate keys, tags, anchors and characters that have no place in a preset are left in ``problems``, so that the
    values can be checked in the same pass. With ``texts`` every scalar is text, whatever it looks like.
    """
    if len(text.encode("utf-8", "surrogatepass")) > LARGEST:
        raise BadPreset(syntax.too_large(file, LARGEST))
    builder = _Builder(Tree(file), texts)
    try:
        for event in _events(text):
            builder.take(event)
    except yaml.YAMLError as fault:
        raise BadPreset(*syntax.syntax_problems(fault, text, file), *builder.tree.problems) from fault
    except (ValueError, OverflowError, RecursionError) as fault:  # PyYAML's scanner on absurd escapes and directives
        raise BadPreset(syntax.unreadable(file), *builder.tree.problems) from fault
    return builder.tree


def read_tree(path: Path) -> Tree | None:
    """The tree of a file, of which nothing is checked; ``None`` where it cannot be read."""
    try:
        return parse(read_bytes(path, LARGEST).decode("utf-8"))
    except (OSError, ValueError, BadPreset):
        return None


def _events(text: str) -> Iterator[yaml.Event]:
    events: Iterator[yaml.Event] = yaml.parse(text, Loader=yaml.SafeLoader)
    return events


class _Builder:
    """Folds PyYAML's events into a tree without recursion, so that depth cannot exhaust the stack."""

    def __init__(self, tree: Tree, texts: bool) -> None:
        self.tree = tree
        self.texts = texts
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
        if REFUSED.search(event.value):
            self._report("yaml-character", line)
            event.value = ""
        top = self.open[-1] if self.open else None
        if top and isinstance(top.value, dict) and top.key is None:
            self._key(top, event.value, line)
            return
        value = event.value if event.style or self.texts else plain(event.value)
        self._attach(value, line)

    def _key(self, top: _Open, key: str, line: int) -> None:
        path = (*top.path, key)
        if key in top.value:
            first = self.tree.places[path].line
            where = Where(dotted_path(path), self.tree.file, line)
            rule = say("The key is given twice; it already stands in line {first}.", first=first)
            self.tree.problems.append(error("duplicate-key", rule, where, say("Keep one of them.")))
        self.tree.places.setdefault(path, Where(dotted_path(path), self.tree.file, line))
        top.key = key

    def _begin(self, value: dict[str, Any] | list[Any], line: int) -> None:
        top = self.open[-1] if self.open else None
        if len(self.open) >= DEEPEST or (top and isinstance(top.value, dict) and top.key is None):
            raise BadPreset(syntax.refuse("yaml-shape", Where(file=self.tree.file, line=line)), *self.tree.problems)
        path = top.next_path() if top else ()
        self._attach(value, line)
        self.open.append(_Open(value, path))

    def _attach(self, value: Any, line: int) -> None:
        if not self.open:
            self.tree.value = value
            return
        top = self.open[-1]
        path = top.next_path()
        self.tree.places.setdefault(path, Where(dotted_path(path), self.tree.file, line))
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
        return syntax.refuse(code, Where(dotted_path(path), self.tree.file, line))
