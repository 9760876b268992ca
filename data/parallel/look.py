"""All rows of a source looked through: by this process, or a large file by several, each a part at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, TypeVar

from tunewiz.cores import usable_cores
from tunewiz.data.checks.placed import Placed
from tunewiz.data.formats.format import Detection
from tunewiz.data.parallel import spans
from tunewiz.data.parallel.processes import Killed, in_processes
from tunewiz.data.reading.records import first_unfolded
from tunewiz.data.reading.source import Row, Span
from tunewiz.data.text.lengths import Kept
from tunewiz.problems import BadData, Findings, say, warning

#: What a reader of a table says of a header among the rows, which may put columns in another order for all that follow.
_CHANGES: Final = "repeated-header"


class Look(Protocol):
    """Looks at rows; what it saw of a part is handed over, and put behind what another saw of the part before."""

    rows: int
    placed: Placed

    def read(self, rows: Iterator[Row]) -> None:
        """Look at rows."""

    def seen(self) -> Any:
        """What was seen, to be handed to another process."""

    def behind(self, seen: Any) -> None:
        """Take what was seen of the rows that follow."""

    @property
    def kept(self) -> Kept:
        """What there is to keep of the rows that follow."""


L = TypeVar("L", bound=Look)


@dataclass(frozen=True)
class _Setting:
    """What a process needs to look at parts: ``make`` is a function of a module that makes a look."""

    detection: Detection
    make: Callable[..., Look]
    known: tuple[Any, ...]


@dataclass(frozen=True)
class _Task:
    span: Span
    kept: Kept


def look_through(
    make: Callable[..., L], detection: Detection, *known: Any, findings: Findings, alone: bool = False
) -> L:
    """What ``make(detection, *known, kept=…)`` has seen of all rows; ``alone`` keeps it to this process.

    A file of many bytes (:data:`~tunewiz.data.parallel.spans.LARGE`) is shared out to as many processes as there are
    cores, if it may be cut; the result is the same. If one of them is killed, this process reads the file again, which
    is told.
    """
    killed = False
    alone = alone or type(detection.format).__module__ == "__main__"  # which other processes do not import
    if not alone and detection.source.size >= spans.LARGE and usable_cores() > 1 and spans.may_be_cut(detection):
        try:
            found = _in_parts(make, detection, known)
        except Killed:
            killed, found = True, None
        if found is not None:
            return found
    look = make(detection, *known)
    if killed:
        message = say("A process that read a part of the file was killed, perhaps for its memory.")
        fix = say("One process read the file again, which takes longer.")
        look.placed(warning("reader-killed", message, detection.source.at(), fix))
    try:
        look.read(_rows(detection, look))
    except BadData:
        look.placed.flush(findings)
        raise
    return look


def _rows(detection: Detection, look: Look) -> Iterator[Row]:
    """The rows, counted."""
    found = detection.format.rows(detection, look.placed)
    for row in first_unfolded(detection.source, found, look.placed):
        look.rows += 1
        yield row


def _in_parts(make: Callable[..., L], detection: Detection, known: tuple[Any, ...]) -> L | None:
    """The look of several processes; None where the parts turn out to depend on each other."""
    whole = make(detection, *known)
    tasks = (_Task(span, whole.kept) for span in spans.spans(detection.source, spans.PART))
    results = in_processes(_look_at_part, _Setting(detection, make, known), tasks)
    try:
        for seen, changed in results:
            if changed:
                return None
            whole.behind(seen)
    finally:
        results.close()
    return whole


def _look_at_part(setting: _Setting, task: _Task) -> tuple[Any, bool]:
    """What is seen of a part, and whether it changes how later parts are read."""
    source = setting.detection.source.altered(span=task.span)
    detection = replace(setting.detection, source=source)
    look = setting.make(detection, *setting.known, kept=task.kept)
    look.read(_rows(detection, look))
    return look.seen(), look.placed.holds(_CHANGES)
