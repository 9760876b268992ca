"""Rows for retrieval looked through in one pass: what is wrong, how long texts are, and the first rows to show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from tunewiz.data.checks.check import Setting, Watch
from tunewiz.data.checks.placed import Placed
from tunewiz.data.formats.format import Detection
from tunewiz.data.formats.retrieval_rows import GroupFormat
from tunewiz.data.opening import opened
from tunewiz.data.reading.source import Row
from tunewiz.data.rows.examples import Example, ScoredPair
from tunewiz.data.text.lengths import EVERYTHING, Kept, LengthSample
from tunewiz.problems import Findings

PREVIEWED: Final = 5  # rows shown: what fits on a small terminal beside the findings


class ExampleLook:
    """``rows`` were read, ``usable`` examples came of them, ``preview`` shows the first; findings lie in ``placed``.

    The first ``keep`` examples are the ``first``.
    """

    def __init__(self, detection: Detection, setting: Setting, keep: int = 0, kept: Kept = EVERYTHING) -> None:
        self.rows = self.usable = 0
        self.preview: list[Mapping[str, str]] = []
        self.first: list[Example] = []
        self._keep = keep
        self.placed = Placed()
        self.sample = LengthSample(setting.count, limits=kept.limits)
        self._detection = detection
        self._watch = Watch(setting, self.placed, self._measure, _opposed(detection), kept.sketching)

    def _measure(self, batch: Iterable[Example]) -> None:
        self.sample.watch(*batch)

    @property
    def kept(self) -> Kept:
        """What there is to keep of the rows that follow."""
        return Kept(not self._watch.rows.full, self.sample.limits)

    def read(self, rows: Iterator[Row]) -> None:
        """Look at rows."""
        for batch in self._watch.batches(opened.examples_of(self._detection, rows, self.placed)):
            self.usable += len(batch)
            self.preview += map(shown, batch[: PREVIEWED - len(self.preview)])
            self.first += batch[: self._keep - len(self.first)]

    def seen(self) -> Any:
        """What was seen, to be handed to another process."""
        columns = self._watch.rows.handed()
        return self.rows, self.usable, self.preview, self.placed, self.sample.measured(), columns

    def behind(self, seen: Any) -> None:
        """Take what was seen of the rows that follow."""
        rows, usable, preview, placed, sample, columns = seen
        self.rows += rows
        self.usable += usable
        self.preview += preview[: PREVIEWED - len(self.preview)]
        self.placed.behind(placed)
        self.sample.take(sample)
        self._watch.rows.behind(columns)

    def end(self, findings: Findings) -> None:
        """Compare rows with each other and hand on all that was found."""
        self._watch.end()
        self.placed.flush(findings)


def _opposed(detected: Detection) -> bool:
    """Whether rows may have a text that is right in one of them and wrong in another."""
    bare = getattr(type(detected.format), "examples", None) is GroupFormat.examples
    return not bare or any(role.name == "negative" for role in detected.format.roles)


def shown(example: Example) -> dict[str, str]:
    """The first text of each part, and how many more there are."""
    if isinstance(example, ScoredPair):
        return {"first": example.first, "second": example.second, "score": f"{example.score:g}"}
    found = {"query": example.query, "positive": _first(example.positives)}
    return found | {"negative": _first(example.negatives)} if example.negatives else found


def _first(texts: Iterable[str]) -> str:
    first, *more = texts
    return f"{first} (+{len(more)})" if more else first
