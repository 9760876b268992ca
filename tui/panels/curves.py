"""Curves over the steps of training, or over time: drawn page by page, read with a cursor that stays at its step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from textual.binding import Binding, BindingType
from textual.events import Click, Leave, MouseMove

from tunewiz.backends.runs.smoothing import smooth
from tunewiz.backends.runs.state import Curve
from tunewiz.language import N_, translate
from tunewiz.tui.panels.panel import Panel, View
from tunewiz.tui.widgets.drawing import Line, Part, join_groups, wrap_text
from tunewiz.tui.widgets.plotting import Axes, Series, axes_for, bare_chart, chart, gutter, number
from tunewiz.tui.words import clock

FEW: Final = 40  # points up to which each is marked


@dataclass(frozen=True)
class Page:
    """One picture. ``curves`` are labels and series; ``low`` and ``high`` hold the scale where it is known beforehand.

    ``seconds``: it runs over time, not over steps. ``unit`` goes behind each value.
    """

    title: str
    curves: tuple[tuple[str, Series], ...] = ()
    low: float | None = None
    high: float | None = None
    seconds: bool = False
    unit: str = ""
    total: float = 0.0


def series_of(curve: Curve, style: str, mark: str) -> Series:
    """A curve as it is drawn; an evaluation's few points are marked."""
    return Series(curve.steps, curve.values, style, mark, dots=len(curve.steps) < FEW and style == "eval")


def smoothed(curve: Curve, style: str = "smooth", mark: str = "*") -> Series:
    """A noisy curve made readable."""
    return Series(curve.steps, smooth(curve.values), style, mark)


class CurvePanel(Panel):
    """Curves in pages, one at a time; subclasses say which."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", N_("Read"), key_display="←→"),
        Binding("right", "move(1)", show=False),
        Binding("shift+left", "move(-10)", show=False),
        Binding("shift+right", "move(10)", show=False),
        Binding("home", "move(-100000)", show=False),
        Binding("end", "move(100000)", show=False),
        Binding("l", "scale", N_("Log scale"), show=False),
        Binding("backspace", "read_nothing", N_("Stop reading"), show=False),
    ]

    logarithmic = False
    _read: float | None = None
    _axes: Axes | None = None
    _columns = 0
    _stale = True
    _shown = 0.0

    def show(self, view: View) -> None:
        """Render ``view``, at most once a second, and not at all while the curves stay as they are."""
        before, self.view = self.view, view
        self._stale |= before is None or self.changed(before, view)
        if self._stale and (view.now - self._shown >= 0.9 or view.state.over):
            self._stale, self._shown = False, view.now
            # Later, not now: a key that was pressed meanwhile comes first.
            self.call_later(self.redraw)

    def changed(self, before: View, now: View) -> bool:
        """Whether there is something new to draw."""
        if before.state.total != now.state.total or before.state.stage != now.state.stage:
            return True
        return before.state.curves is not now.state.curves or before.state.machine is not now.state.machine

    def page(self) -> Page:
        """What is to be drawn now."""
        raise NotImplementedError

    def lines(self, width: int, height: int) -> Sequence[Line]:
        """A line of numbers, the plot, its scale."""
        page = self.page()
        self._axes = _axes(page, self.logarithmic)
        if self._axes is None:
            return wrap_text(translate(self.nothing()), width, "dim")
        scaled = height > 4  # a low panel has no room for numbers at its sides
        self._columns = max(1, width - gutter(self._axes, height - 1)) if scaled else width
        shown = [one for _, one in page.curves]
        if scaled:
            label = clock if page.seconds else None
            drawn = chart(shown, self._axes, width, height - 1, self.ascii_only, self.cursor, label)
        else:
            drawn = bare_chart(shown, self._axes, width, height - 1, self.ascii_only, self.cursor)
        return [self._legend(page, width), *drawn]

    def nothing(self) -> str:
        """What to say while there is no curve."""
        return N_("Appears with the first steps of training.")

    def _legend(self, page: Page, width: int) -> list[Part]:
        """Labels with the values at the cursor, or the last ones."""
        groups: list[Line] = []
        for label, one in page.curves:
            index = len(one.steps) - 1 if self._read is None else _nearest(one.steps, self._read)
            value = f"{number(one.values[index])}{page.unit}"
            mark = f"{one.mark} " if self.ascii_only else "━ "
            groups.append([(mark, one.style), (f"{translate(label)} ", "dim"), (value, "strong")])
        if self._read is not None and page.curves:
            first = page.curves[0][1]
            shown = first.steps[_nearest(first.steps, self._read)]
            step = clock(shown) if page.seconds else translate("step {step}").format(step=f"{shown:.0f}")
            groups.insert(0, [(step, "accent")])
        return join_groups(groups, width)

    @property
    def cursor(self) -> int | None:
        """The column of the plot in which a value is read, ``None`` while none is."""
        if self._read is None or self._axes is None or not self._columns:
            return None
        return min(self._columns - 1, max(0, int(self._axes.across(self._read) * self._columns + 1e-9)))

    def step_at_cursor(self) -> float | None:
        """The step that is read, ``None`` while none is."""
        return self._read

    def _read_column(self, column: int) -> None:
        """Read what is drawn in a column; the step stays, however the picture moves on."""
        if self._axes is not None and self._columns:
            share = (min(self._columns - 1, max(0, column)) + 0.5) / self._columns
            self._read = self._axes.left + share * (self._axes.right - self._axes.left)
            self.redraw()

    def action_move(self, cells: int) -> None:
        """Move the cursor; it begins at the newest point."""
        if self._axes is None or not self._columns:
            return
        at = self.cursor
        if at is None:
            last = max(one.steps[-1] for _, one in self.page().curves)
            self._read_column(int(self._axes.across(last) * self._columns))
        else:
            self._read_column(at + cells)

    def action_read_nothing(self) -> None:
        """Take the cursor away."""
        self._read = None
        self.redraw()

    def action_scale(self) -> None:
        """Switch between a plain and a logarithmic scale."""
        self.logarithmic = not self.logarithmic
        self.redraw()

    def on_click(self, event: Click) -> None:
        """Read where the mouse is."""
        self._point(event.get_content_offset(self))

    def on_mouse_move(self, event: MouseMove) -> None:
        """Follow the mouse while a value is read."""
        if self._read is not None:
            self._point(event.get_content_offset(self))

    def on_leave(self, event: Leave) -> None:
        """The mouse is gone; its cursor too, unless the keyboard is here."""
        if not self.has_focus:
            self.action_read_nothing()

    def _point(self, offset: object) -> None:
        x = getattr(offset, "x", None)
        if x is None or self._axes is None:
            return
        column = x - (self.content_size.width - self._columns)
        if 0 <= column < self._columns:
            self._read_column(column)


def _axes(page: Page, logarithmic: bool) -> Axes | None:
    """The page's limits; those it has of its own hold on a plain scale."""
    axes = axes_for([one for _, one in page.curves], page.total, logarithmic) if page.curves else None
    if axes is None or logarithmic or page.low is None or page.high is None:
        return axes
    return replace(axes, low=page.low, high=page.high)


def _nearest(steps: Sequence[float], step: float) -> int:
    return min(range(len(steps)), key=lambda index: abs(steps[index] - step))


class RatePanel(CurvePanel):
    """The learning rate."""

    TITLE = N_("Learning rate")

    def page(self) -> Page:
        """One curve."""
        return training_page(self.view, self.TITLE, (("learning_rate", N_("now"), "plain", "*"),))


class GradientPanel(CurvePanel):
    """The norm of the gradients, before clipping."""

    TITLE = N_("Gradient norm")

    def page(self) -> Page:
        """Raw and smoothed."""
        return training_page(self.view, self.TITLE, (("grad_norm", N_("now"), "raw", "."),))


def training_page(view: View | None, title: str, wanted: Sequence[tuple[str, str, str, str]]) -> Page:
    """Curves of training by name, label, style and ASCII mark; those drawn ``raw`` have their smoothed one on top."""
    curves: Mapping[str, Curve] = view.state.curves if view else {}
    found: list[tuple[str, Series]] = []
    for name, label, style, mark in wanted:
        curve = curves.get(name)
        if curve is None or not curve.steps:
            continue
        found.append((label, series_of(curve, style, mark)))
        if style == "raw":
            found.append((N_("smoothed"), smoothed(curve)))
    total = view.state.total if view and view.state.stage == "train" else 0
    return Page(title, tuple(found), total=total)
