"""What is wrong with an input, said so that the user can mend it.

A :class:`Problem` names the place (file and line, or key), the value, the rule and the fix. Its text is a
:class:`Message`, translated only when shown, so that one problem reads in either language. :class:`Findings` keeps
the first few problems of each code, and how many there were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, ClassVar, Final, Literal

from tunewiz.language import Language, translate
from tunewiz.printable import printable
from tunewiz.redaction import redacted

Severity = Literal["error", "warning", "note"]


class ExitCode(IntEnum):
    """What the ``tunewiz`` command tells the shell."""

    OK = 0
    FAILED = 1
    BAD_PRESET = 2
    BAD_DATA = 3
    OUT_OF_MEMORY = 4
    WORSE = 5
    STOPPED = 130


@dataclass(frozen=True)
class Message:
    """A translatable ``str.format`` template and the values that fill it."""

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def text(self, language: Language | None = None) -> str:
        """The message in ``language``; text values are cleaned and without secrets, Messages nested, tuples listed."""
        shown = {key: self._shown(value, language) for key, value in self.values.items()}
        return translate(self.template, language).format(**shown)

    @staticmethod
    def _shown(value: object, language: Language | None) -> object:
        if isinstance(value, Message):
            return value.text(language)
        if isinstance(value, (tuple, list)):
            return translate(", ", language).join(str(Message._shown(item, language)) for item in value)
        return value if isinstance(value, (int, float)) else printable(redacted(str(value)))


def say(template: str, **values: object) -> Message:
    """A :class:`Message`; ``template`` is English and is marked for the catalogues by this call."""
    return Message(template, values)


@dataclass(frozen=True)
class Where:
    """A place: a key of a preset, or a line (from 1) of a file."""

    key: str = ""
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.file and self.line else self.file
        return printable(redacted(" ".join(part for part in (place, self.key) if part)))


@dataclass(frozen=True)
class Problem:
    """One finding. ``code`` is stable, kebab-case and never translated: tests and ``--json`` rely on it."""

    severity: Severity
    code: str
    message: Message
    where: Where = Where()
    fix: Message | None = None

    def line(self, language: Language | None = None) -> str:
        """The problem as one line: place, what is wrong, what to do."""
        place = str(self.where)
        text = self.message.text(language)
        told = f"{place}: {text}" if place else text
        return in_a_row(told, self.fix.text(language)) if self.fix else told

    def told(self, language: Language | None = None) -> str:
        """What is wrong and what to do, where the place is seen."""
        return in_a_row(self.message.text(language), self.fix.text(language) if self.fix else "")

    def as_json(self, language: Language | None = None) -> dict[str, object]:
        """A JSON object with ``severity``, ``code``, ``key``, ``file``, ``line``, ``message`` and ``fix``."""
        return {
            "severity": self.severity,
            "code": self.code,
            "key": redacted(self.where.key),
            "file": redacted(self.where.file),
            "line": self.where.line,
            "message": self.message.text(language),
            "fix": self.fix.text(language) if self.fix else "",
        }

    def record(self) -> dict[str, object]:
        """:meth:`as_json`, and under ``said`` what :func:`reworded` needs to say it in another language."""
        said = {"message": _packed(self.message)} | ({"fix": _packed(self.fix)} if self.fix else {})
        return {**self.as_json(), "said": said}


def in_a_row(*sentences: str) -> str:
    """Sentences one after the other, with a blank between them unless a full-width stop leaves one itself.

    >>> in_a_row("One.", "Two."), in_a_row("一。", "二。"), in_a_row("One.", "")
    ('One. Two.', '一。二。', 'One.')
    """
    told = ""
    for sentence in filter(None, sentences):
        told += sentence if not told or told[-1] in "。！？；：" else f" {sentence}"
    return told


def _packed(value: object) -> object:
    """A message, or a value of one, as JSON holds it: without secrets, as :meth:`Message.text` shows it."""
    if isinstance(value, Message):
        return {"say": value.template, "with": {key: _packed(one) for key, one in value.values.items()}}
    if isinstance(value, (tuple, list)):
        return [_packed(one) for one in value]
    return value if isinstance(value, (int, float)) else printable(redacted(str(value)))


def reworded(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The record of a problem (:meth:`Problem.record`) with ``message`` and ``fix`` in the current language.

    Both stay as they are where the record does not say how, or says what no catalogue knows: it may be a stranger's,
    and is no template of ours then.
    """
    said = record.get("said")
    if not isinstance(said, Mapping):
        return record
    told = dict(record)
    for key in ("message", "fix"):
        with suppress(ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError):
            told[key] = _unpacked(said[key]).text()
    return told


def restored(record: Mapping[str, Any]) -> Problem:
    """The problem that :meth:`Problem.record` was made of, as far as the record tells."""
    said = record.get("said")
    parts: dict[str, Message] = {}
    for key in ("message", "fix"):
        if record.get(key):
            parts[key] = Message("{text}", {"text": str(record[key])})
            with suppress(ValueError, TypeError, LookupError, AttributeError):
                parts[key] = _unpacked(said[key]) if isinstance(said, Mapping) else parts[key]
    where = Where(key=str(record.get("key", "")), file=str(record.get("file", "")), line=int(record.get("line") or 0))
    message = parts.get("message", Message("{text}", {"text": "?"}))
    severity: Any = record.get("severity", "error")
    return Problem(severity, str(record.get("code", "")), message, where, parts.get("fix"))


def _unpacked(packed: Mapping[str, Any]) -> Message:
    """What :func:`_packed` made. Raises ``ValueError`` and others where it is something else."""
    template = packed["say"]
    if translate(template, "zh") == template:
        raise ValueError("no message of Tunewiz")
    return Message(template, {key: _value(one) for key, one in packed["with"].items()})


def _value(packed: object) -> object:
    if isinstance(packed, list):
        return tuple(_value(one) for one in packed)
    return _unpacked(packed) if isinstance(packed, Mapping) else packed


def error(code: str, message: Message, where: Where = Where(), fix: Message | None = None) -> Problem:
    """A problem that stops a run."""
    return Problem("error", code, message, where, fix)


def warning(code: str, message: Message, where: Where = Where(), fix: Message | None = None) -> Problem:
    """A problem that the user should know of and that stops nothing."""
    return Problem("warning", code, message, where, fix)


def note(code: str, message: Message, where: Where = Where(), fix: Message | None = None) -> Problem:
    """A fact worth saying (what was detected, what was built)."""
    return Problem("note", code, message, where, fix)


def errors(problems: Iterable[Problem]) -> list[Problem]:
    """Those that stop a run."""
    return [problem for problem in problems if problem.severity == "error"]


class TunewizError(Exception):
    """A failure that is explained to the user: problems to show and the exit code that goes with them."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(problem.line("en") for problem in problems))
        self.problems = problems


class BadData(TunewizError):
    """A dataset cannot be used."""

    exit_code = ExitCode.BAD_DATA


class BadPreset(TunewizError):
    """A preset, or the command line, cannot be used."""

    exit_code = ExitCode.BAD_PRESET


class OutOfMemory(TunewizError):
    """The GPU or the host has too little memory for the run."""

    exit_code = ExitCode.OUT_OF_MEMORY


Report = Callable[[Problem], None]


KEPT_OF_A_CODE: Final = 20
_ORDER: Final[dict[Severity, int]] = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True)
class Finding:
    """All problems of one code and severity: how many, and the first of them with their places."""

    severity: Severity
    code: str
    count: int
    first: tuple[Problem, ...]


class Findings:
    """Takes problems as they come (it is a ``report`` callable) and keeps the first ``kept`` of each code."""

    def __init__(self, kept: int = KEPT_OF_A_CODE) -> None:
        self._kept = kept
        self._counts: Counter[tuple[Severity, str]] = Counter()
        self._first: dict[tuple[Severity, str], list[Problem]] = {}

    def __call__(self, problem: Problem) -> None:
        """Take one problem."""
        key = (problem.severity, problem.code)
        self._counts[key] += 1
        first = self._first.setdefault(key, [])
        if len(first) < self._kept:
            first.append(problem)

    def take(self, finding: Finding) -> None:
        """Take all problems of one code that were counted elsewhere."""
        key = (finding.severity, finding.code)
        self._counts[key] += finding.count
        first = self._first.setdefault(key, [])
        first += finding.first[: max(0, self._kept - len(first))]

    def summary(self) -> tuple[Finding, ...]:
        """One :class:`Finding` a code: errors first, then warnings, then notes; in order of appearance."""
        ordered = sorted(self._first, key=lambda key: _ORDER[key[0]])
        return tuple(Finding(key[0], key[1], self._counts[key], tuple(self._first[key])) for key in ordered)

    def count(self, code: str) -> int:
        """How many problems of ``code`` there were."""
        return sum(number for (_, told), number in self._counts.items() if told == code)

    @property
    def errors(self) -> int:
        """How many problems would stop a run."""
        return sum(number for (severity, _), number in self._counts.items() if severity == "error")


def stop_on_errors(findings: Findings) -> None:
    """Raise :class:`BadData` with the first errors of each kind and their number, if there are any."""
    wrong = [
        problem
        for finding in findings.summary()
        if finding.severity == "error"
        for problem in (_counted(finding), *finding.first[1:])
    ]
    if wrong:
        raise BadData(*wrong)


@contextmanager
def report_findings(report: Callable[[Problem], None]) -> Iterator[Findings]:
    """Where the block puts what it finds; at its end, well or not, each kind but errors is told to ``report`` once."""
    findings = Findings(kept=3)
    try:
        yield findings
    finally:
        for finding in findings.summary():
            if finding.severity != "error":
                report(_counted(finding))


def _counted(finding: Finding) -> Problem:
    """The first problem of a kind, with the number of all if there are more."""
    first = finding.first[0]
    if finding.count == 1:
        return first
    return replace(first, message=say("{first} ({count} such findings)", first=first.message, count=finding.count))
