"""Rows the way a model reads them: text that is learned and text that is only read, and how many tokens it takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from backends.lengths import MANY
from data.lengths import percentile
from data.problems import Message, Problem, Where, note, say, warning

#: Lengths that are advised are multiples of this.
_STEP: Final = 64
_KEY: Final = Where(key="training.max_length")


@dataclass(frozen=True)
class Piece:
    """Text of a row; ``learned``: whether the loss counts its tokens."""

    text: str
    learned: bool


@dataclass(frozen=True)
class ReadRow:
    """A row after it was cut to length. ``whole``: its tokens before; ``side``: which text of a pair it is."""

    pieces: tuple[Piece, ...]
    tokens: int
    learned: int
    whole: int
    side: Message | None = None


@dataclass(frozen=True)
class Reading:
    """A few ``rows`` to look at, and the tokens of all that were counted (``wholes`` before cutting), or why not."""

    rows: tuple[ReadRow, ...] = ()
    wholes: Sequence[int] = ()
    learned: int = 0
    limit: int = 0
    why_not: Message | None = None

    @property
    def cut(self) -> int:
        """Rows longer than is read."""
        return sum(whole > self.limit for whole in self.wholes)

    def problems(self) -> Iterator[Problem]:
        """A note with the lengths, and a warning where many rows are cut off."""
        if not self.wholes:
            return
        yield note("lengths", self._lengths(), _KEY)
        if self.cut > MANY * len(self.wholes):
            percent = round(100 * self.cut / len(self.wholes))
            told = say("{percent} % of the rows are longer than {limit} tokens and are cut off.",
                       percent=percent, limit=self.limit)  # fmt: skip
            fix = say("Set training.max_length to {length}, if memory allows.", length=self._advised())
            yield warning("rows-cut-off", told, _KEY, fix)

    def _lengths(self) -> Message:
        ordered = sorted(self.wholes)
        read = sum(min(whole, self.limit) for whole in self.wholes)
        return say(
            "Rows in this model's tokens, chat template included: half are within {median}, 95 % within {p95}, the "
            "longest {longest}; at most {limit} are read. The loss counts {percent} % of them.",
            median=percentile(ordered, 50),
            p95=percentile(ordered, 95),
            longest=ordered[-1],
            limit=self.limit,
            percent=round(100 * self.learned / max(1, read)),
        )

    def _advised(self) -> int:
        """A length that 95 % of the rows fit into."""
        return -(-percentile(sorted(self.wholes), 95) // _STEP) * _STEP
