"""Points drawn with characters: braille dots for what is many, a shape a cell for what matters. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from tunewiz.tui.widgets.drawing import Line, Part

Place = tuple[float, float]
#: Bits of a braille cell by row and column (Unicode 2800–28FF).
_DOTS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
#: Of all cells, the share that shapes may take: beyond it they hide each other, and some are left out evenly.
_SHAPES: Final = 0.25


@dataclass(frozen=True)
class Marks:
    """Points drawn alike, each by ``glyph`` in its cell, or by dots where that is ""; later ones lie above earlier."""

    places: Sequence[Place]
    style: str
    glyph: str = ""


@dataclass(frozen=True)
class Frame:
    """The part of the plane that is seen."""

    left: float
    right: float
    low: float
    high: float

    @classmethod
    def around(cls, places: Sequence[Place]) -> Frame:
        """What holds all of ``places`` (at least one), with a little room."""
        across, up = [place[0] for place in places], [place[1] for place in places]
        spare = 0.02 * max(max(across) - min(across), max(up) - min(up)) or 1.0
        return cls(min(across) - spare, max(across) + spare, min(up) - spare, max(up) + spare)

    def cell(self, place: Place, columns: int, rows: int) -> tuple[int, int]:
        """Column and row, from the top left, of a grid over the frame."""
        across = (place[0] - self.left) / (self.right - self.left)
        down = (self.high - place[1]) / (self.high - self.low)
        return min(columns - 1, max(0, int(across * columns))), min(rows - 1, max(0, int(down * rows)))


def every(marks: Sequence[Marks], width: int, height: int) -> int:
    """Of how many points with a shape one is drawn, so that shapes leave room for each other."""
    count = sum(len(one.places) for one in marks if one.glyph)
    return max(1, math.ceil(count / max(1.0, _SHAPES * width * height)))


def scatter(
    marks: Sequence[Marks],
    lines: Sequence[tuple[Place, Place]],
    frame: Frame,
    width: int,
    height: int,
    both: str,
    ascii_only: bool = False,
    above: Sequence[tuple[Place, str]] = (),
) -> list[Line]:
    """``marks`` in ``width`` x ``height`` cells, ``lines`` between them; ``both`` is a cell where two kinds meet.

    Glyphs ``above`` hide whatever is in their cells.
    """
    cells: dict[tuple[int, int], Part] = {}
    dots: dict[tuple[int, int], int] = {}
    styles: dict[tuple[int, int], str] = {}

    def dot(place: tuple[int, int], style: str) -> None:
        cell = place[0] // 2, place[1] // 4
        dots[cell] = dots.get(cell, 0) | _DOTS[place[1] % 4][place[0] % 2]
        styles[cell] = style

    for one in marks:
        for place in one.places if not one.glyph else ():
            dot(frame.cell(place, 2 * width, 4 * height), one.style)
    for begin, end in lines:
        for place in _straight(frame.cell(begin, 2 * width, 4 * height), frame.cell(end, 2 * width, 4 * height)):
            if styles.get((place[0] // 2, place[1] // 4), "accent") != "accent":
                dots.pop((place[0] // 2, place[1] // 4))  # what is below would blur it
            dot(place, "accent")
    for cell, bits in dots.items():
        plain = ":" if styles[cell] == "accent" else "."
        cells[cell] = (plain if ascii_only else chr(0x2800 + bits), styles[cell])
    step, drawn = every(marks, width, height), dict[tuple[int, int], str]()
    for one in marks:
        for place in one.places[::step] if one.glyph else ():
            cell = frame.cell(place, width, height)
            meets = drawn.setdefault(cell, one.glyph) != one.glyph
            cells[cell] = (both, "strong") if meets else (one.glyph, one.style)
    for place, glyph in above:
        cells[frame.cell(place, width, height)] = (glyph, "accent")
    return [_row([cells.get((column, row), (" ", "plain")) for column in range(width)]) for row in range(height)]


def _row(cells: Sequence[Part]) -> list[Part]:
    """Neighbours of one style joined."""
    return [("".join(text for text, _ in run), style) for style, run in groupby(cells, lambda cell: cell[1])]


def _straight(begin: tuple[int, int], end: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """The dots of a straight line, ends included."""
    steps = max(abs(end[0] - begin[0]), abs(end[1] - begin[1]), 1)
    for step in range(steps + 1):
        yield (
            begin[0] + round((end[0] - begin[0]) * step / steps),
            begin[1] + round((end[1] - begin[1]) * step / steps),
        )
