"""Curves drawn with characters: braille dots, or one mark a cell where only ASCII can be shown. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Final

from rich.cells import cell_len

from tunewiz.tui.widgets.drawing import Line, Part

_TICKS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Series:
    """One curve. ``style`` names its colour, ``mark`` draws it in ASCII; ``dots`` marks single points too."""

    steps: Sequence[float]
    values: Sequence[float]
    style: str
    mark: str
    dots: bool = False


@dataclass(frozen=True)
class Axes:
    """The part of the plane that is seen. With ``log``, ``low`` and ``high`` are still plain values, above zero."""

    left: float
    right: float
    low: float
    high: float
    log: bool = False

    def across(self, step: float) -> float:
        """0 at the left edge, 1 at the right one."""
        return (step - self.left) / (self.right - self.left)

    def value_at(self, share: float) -> float:
        """The value ``share`` of the way up."""
        if self.log:
            low, high = math.log10(self.low), math.log10(self.high)
            return float(10 ** (low + share * (high - low)))
        return self.low + share * (self.high - self.low)


def axes_for(series: Sequence[Series], total: float = 0.0, log: bool = False) -> Axes | None:
    """Round limits that hold ``series``; ``None`` when there is no finite point.

    The width ends a little beyond where the curve is and moves on in leaps, so that a growing curve is mostly redrawn
    at its end alone. Of a long noisy curve the outermost two per cent may leave the picture: one spike must not
    flatten the rest.
    """
    limits = [_limits(one, log) for one in series]
    known = [limit for limit in limits if limit]
    if not known:
        return None
    low, high = min(low for low, _ in known), max(high for _, high in known)
    last = max(one.steps[-1] for one in series if one.steps)
    low, high = _decades(low, high) if log else _rounded(low, high)
    return Axes(0.0, _right(last, total), low, high, log)


def _limits(series: Series, log: bool) -> tuple[float, float] | None:
    values = sorted(value for value in series.values if math.isfinite(value) and (value > 0 or not log))
    if not values:
        return None
    rest = len(values) // 50
    return values[rest], values[-1 - rest]


def _rounded(low: float, high: float) -> tuple[float, float]:
    if high <= low:
        spare = abs(high) * 0.1 or 1.0
        low, high = low - spare, high + spare
    raw = (high - low) / 6
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(tick * power for tick in _TICKS if tick * power >= raw * 0.999)
    return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step


def _decades(low: float, high: float) -> tuple[float, float]:
    """The nearest 1, 2 or 5 times a power of ten below and above."""
    steps = [tick * 10.0**power for power in range(-12, 13) for tick in (1.0, 2.0, 5.0)]
    below = max((step for step in steps if step <= low), default=low)
    return below, min((step for step in steps if step >= high and step > below), default=max(high, below * 10))


#: A growing curve fills at least four fifths of its picture.
_LEAP: Final = 1.25


def _right(last: float, total: float) -> float:
    """Where the picture ends: the next leap after ``last``, never beyond ``total`` where that is known.

    What is over (nothing more to come: ``total`` 0) ends where it ends.
    """
    last = max(1.0, last)
    if total <= last:
        return last
    right = min(total, 16.0)
    while right < last:
        right = math.ceil(right * _LEAP)
    return min(total, right)


def plot(series: Sequence[Series], axes: Axes, width: int, height: int, ascii_only: bool = False) -> list[list[Part]]:
    """``series`` in ``width`` × ``height`` cells; a cell has the style of the last one that drew in it."""
    across, down = (1, 1) if ascii_only else (2, 4)
    dots = [[0] * width for _ in range(height)]
    owners = [[-1] * width for _ in range(height)]
    for number, one in enumerate(series):
        clears = one.style in _COVERS
        for column, first, last in _raster(one, axes, width * across, height * down):
            cell, side, top, bottom = column // across, column % across, first // down, last // down
            for line in range(top, bottom + 1):
                if clears and owners[line][cell] != number:
                    dots[line][cell] = 0  # on top: what is below would blur it
                begin, end = (
                    first - line * down if line == top else 0,
                    last - line * down if line == bottom else down - 1,
                )
                dots[line][cell] |= _STRETCHES[side, begin, end]
                owners[line][cell] = number
    for number, one in enumerate(series):
        for cell, line in _placed(one, axes, width, height) if one.dots else ():
            dots[line][cell], owners[line][cell] = _MARK, number
    return [_styled(series, *row, ascii_only) for row in zip(dots, owners, strict=True)]


def _styled(series: Sequence[Series], dots: Sequence[int], owners: Sequence[int], ascii_only: bool) -> list[Part]:
    """One line, neighbours of one style joined."""
    parts: list[Part] = []
    for owner, cells in groupby(range(len(dots)), owners.__getitem__):
        places = list(cells)
        if owner < 0:
            parts.append((" " * len(places), "plain"))
        elif ascii_only:
            parts.append((series[owner].mark * len(places), series[owner].style))
        else:
            parts.append(("".join([_GLYPHS[dots[place]] for place in places]), series[owner].style))
    return parts


#: Bits of a braille cell by row and column (Unicode 2800–28FF).
_DOTS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
#: The same for a stretch of dots in one column of a cell: side, first row, last row.
_STRETCHES: Final = {
    (side, first, last): sum(_DOTS[row][side] for row in range(first, last + 1))
    for side in (0, 1)
    for first in range(4)
    for last in range(first, 4)
}
_MARK: Final = 256  # in place of dots: a single point
_GLYPHS: Final = [chr(0x2800 + bits) for bits in range(256)] + ["•"]
_COVERS: Final = ("smooth", "eval", "plain")


def _placed(series: Series, axes: Axes, columns: int, rows: int) -> list[tuple[int, int]]:
    """Column and row (0 on top) of each finite point in sight. Thousands of points a look: the loop calls little."""
    left, low, high = axes.left, axes.low, axes.high
    values: Sequence[float] = series.values
    if axes.log:
        floor, low, high = low, math.log10(low), math.log10(high)
        values = [math.log10(max(value, floor)) for value in values]
    widen, heighten = columns / (axes.right - left), rows / (high - low)
    finite, found = math.isfinite, []
    for step, value in zip(series.steps, values, strict=True):
        column = int((step - left) * widen)
        if 0 <= column <= columns and finite(value):
            row = int((high - (low if value < low else high if value > high else value)) * heighten)
            found.append((column if column < columns else columns - 1, row if row < rows else rows - 1))
    return found


def _raster(series: Series, axes: Axes, columns: int, rows: int) -> Iterator[tuple[int, int, int]]:
    """A polyline as one stretch a column: column, first and last row. Neighbouring columns touch."""
    stretches: list[list[int]] = []  # column, first row, last row, row it enters by, row it leaves by
    now, at = [0] * 5, -1
    for column, row in _placed(series, axes, columns, rows):
        if column == at:
            now[4] = row
            if row < now[1]:
                now[1] = row
            elif row > now[2]:
                now[2] = row
        else:
            now, at = [column, row, row, row, row], column
            stretches.append(now)
    for before, after in pairwise(stretches):
        yield from _between(before[0], before[4], after[0], after[3])
    for column, first, last, *_ in stretches:
        yield column, first, last


def _between(left: int, top: int, right: int, bottom: int) -> Iterator[tuple[int, int, int]]:
    """The straight line from a point to one further right, without the ends themselves."""
    before = top
    for column in range(left + 1, right + 1):
        row = round(top + (bottom - top) * (column - left) / (right - left))
        if column < right:
            yield column, min(before, row), max(before, row)
        else:
            yield column, min(before + (row > before), row), max(before - (row < before), row)
        before = row


def chart(
    series: Sequence[Series],
    axes: Axes,
    width: int,
    height: int,
    ascii_only: bool = False,
    cursor: int | None = None,
    label: Callable[[float], str] | None = None,
) -> list[Line]:
    """A plot with its scale at the left and steps below; ``cursor`` is a column of the plot that gets a line.

    ``label`` words what stands below, where that is no number of steps.
    """
    labels = [number(axes.value_at(1 - row / max(1, height - 2))) for row in range(height - 1)]
    margin = gutter(axes, height)
    body = plot(series, axes, width - margin, height - 1, ascii_only)
    shown = {0, height - 2} | ({(height - 2) // 2} if height % 2 == 0 else set())  # a middle that is one
    lines: list[Line] = []
    for row, drawn in enumerate(body):
        side = labels[row] if row in shown else ""
        parts = _with_cursor(drawn, cursor) if cursor is not None else drawn
        lines.append([(side.rjust(margin - 1) + "│", "dim"), *parts])
    return [*lines, _steps_line(axes, margin, width, label or count)]


def bare_chart(
    series: Sequence[Series], axes: Axes, width: int, height: int, ascii_only: bool = False, cursor: int | None = None
) -> list[Line]:
    """As :func:`chart`, the plot alone."""
    body = plot(series, axes, width, height, ascii_only) if height > 0 else []
    return [_with_cursor(drawn, cursor) if cursor is not None else drawn for drawn in body]


def gutter(axes: Axes, height: int) -> int:
    """Cells at the left of the plot that its scale takes."""
    return 1 + max(
        len(number(axes.value_at(1 - row / max(1, height - 2)))) for row in (0, (height - 2) // 2, height - 2)
    )


def _steps_line(axes: Axes, margin: int, width: int, label: Callable[[float], str]) -> Line:
    middle, right = label(axes.right / 2), label(axes.right)
    room = width - margin
    text = "0"
    if room > 20:
        text += " " * (room // 2 - 1 - (cell_len(middle) + 1) // 2) + middle
    blanks = " " * (room - cell_len(text) - cell_len(right))
    return [(" " * (margin - 1) + "└", "dim"), (text + blanks + right, "dim")]


def _with_cursor(parts: Sequence[Part], cursor: int) -> list[Part]:
    done: list[Part] = []
    at = 0
    for text, style in parts:
        if at <= cursor < at + len(text):
            place = cursor - at
            drawn = text[place] if text[place] not in " \u2800" else "│"
            done += [(text[:place], style), (drawn, "cursor" if drawn != "│" else "strong"), (text[place + 1 :], style)]
        else:
            done.append((text, style))
        at += len(text)
    return [part for part in done if part[0]]


def number(value: float) -> str:
    """A short label: three figures."""
    if value and (abs(value) < 1e-3 or abs(value) >= 1e5):
        return f"{value:.1e}".replace("e-0", "e-").replace("e+0", "e")
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def count(value: float) -> str:
    """A number of steps, thousands and millions abbreviated."""
    if value >= 1e6:
        return f"{value / 1e6:.3g}M"
    return f"{value / 1e3:.3g}k" if value >= 1e4 else f"{value:.0f}"


_BLOCKS: Final = " ▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float | None], width: int, high: float = 100.0, ascii_only: bool = False) -> str:
    """The last ``width`` values as a row of bars between 0 and ``high``; unknown ones are blank."""
    shown = ["" if value is None else value for value in values[-width:]]
    glyphs = " .:-=+*#@" if ascii_only else _BLOCKS
    text = "".join(" " if value == "" else glyphs[min(8, max(0, math.ceil(value / high * 8)))] for value in shown)  # type: ignore[operator]
    return text.rjust(width)


def bar(share: float, width: int) -> tuple[str, str]:
    """The full and the empty part of a bar."""
    full = min(width, max(0, round(share * width)))
    return "━" * full, "─" * (width - full)
