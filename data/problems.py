"""What is wrong with an input, said so that the user can mend it.

A :class:`Problem` names the place (file and line, or key), the value, the rule and the fix. Its text is a
:class:`Message`, translated only when shown, so that one problem reads in either language.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, ClassVar, Literal

from data.language import Language, translate
from data.printable import printable

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
        """The message in ``language``; text values are cleaned with :func:`printable`, Messages are nested."""
        shown = {key: self._shown(value, language) for key, value in self.values.items()}
        return translate(self.template, language).format(**shown)

    @staticmethod
    def _shown(value: object, language: Language | None) -> object:
        if isinstance(value, Message):
            return value.text(language)
        return value if isinstance(value, (int, float)) else printable(value)


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
        return printable(" ".join(part for part in (place, self.key) if part))


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
        return f"{told} {self.fix.text(language)}" if self.fix else told

    def as_json(self, language: Language | None = None) -> dict[str, object]:
        """A JSON object with ``severity``, ``code``, ``key``, ``file``, ``line``, ``message`` and ``fix``."""
        return {
            "severity": self.severity,
            "code": self.code,
            "key": self.where.key,
            "file": self.where.file,
            "line": self.where.line,
            "message": self.message.text(language),
            "fix": self.fix.text(language) if self.fix else "",
        }


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
