"""Curves over the steps of training: loss, learning rate, gradient norm. A cursor reads values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Click, Leave, MouseMove

from tunewiz.backends.runs.smoothing import smooth
from tunewiz.backends.runs.state import Curve
from tunewiz.language import N_, translate
from tunewiz.tui.panels.panel import Panel, View
from tunewiz.tui.widgets.drawing import Line, Part, join_groups, wrap_text
from tunewiz.tui.widgets.plotting import Axes, Series, axes_for, bare_chart, chart, gutter, number


class CurvePanel(Panel):
    """One or more curves of :class:`~tunewiz.backends.runs.state.RunState`; subclasses say which."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", N_("Read"), key_display="←→"),
        Binding("right", "move(1)", show=False),
        Binding("shift+left", "move(-10)", show=False),
        Binding("shift+right", "move(10)", show=False),
        Binding("home", "move(-100000)", show=False),
        Binding("end", "move(100000)", show=False),
        Binding("l", "scale", N_("Log scale"), show=False),
        Binding("backspace", "read_nothing", show=False),
    ]

    #: Names of curves with their label, style and ASCII mark; the first is also smoothed if ``SMOOTHED``.
    CURVES: ClassVar[tuple[tuple[str, str, str, str], ...]] = ()
    SMOOTHED: ClassVar[bool] = False

    cursor: int | None = None
    logarithmic = False
    _axes: Axes | None = None
    _columns = 0
    _stale = True
    _shown = 0.0

    def show(self, view: View) -> None:
        """Render ``view``, at most once a second, and not at all while the curves stay as they are."""
        before, self.view = self.view, view
        names = [name for name, *_ in self.CURVES]
        if before and before.state.total == view.state.total and before.state.stage == view.state.stage:
            self._stale |= any(before.state.curves.get(name) is not view.state.curves.get(name) for name in names)
        else:
            self._stale = True
        if self._stale and (view.now - self._shown >= 0.9 or view.state.over):
            self._stale, self._shown = False, view.now
            # Later, not now: a key that was pressed meanwhile comes first.
            self.call_later(self.redraw)

    def series(self) -> list[tuple[str, Series]]:
        """Label and curve of everything there is to draw."""
        curves = self.view.state.curves if self.view else {}
        found: list[tuple[str, Series]] = []
        for name, label, style, mark in self.CURVES:
            curve = curves.get(name)
            if curve is None or not curve.steps:
                continue
            few = len(curve.steps) < 40
            found.append((label, Series(curve.steps, curve.values, style, mark, dots=few and style == "eval")))
            if self.SMOOTHED and style == "raw":
                found.append((N_("smoothed"), _smooth(curve)))
        return found

    def lines(self, width: int, height: int) -> Sequence[Line]:
        """A line of numbers, the plot, its scale."""
        found = self.series()
        total = self.view.state.total if self.view and self.view.state.stage == "train" else 0
        self._axes = axes_for([one for _, one in found], total, self.logarithmic) if found else None
        if self._axes is None:
            return wrap_text(translate(self.nothing()), width, "dim")
        scaled = height > 4  # a low panel has no room for numbers at its sides
        self._columns = max(1, width - gutter(self._axes, height - 1)) if scaled else width
        if self.cursor is not None:
            self.cursor = min(self.cursor, self._columns - 1)
        draw = chart if scaled else bare_chart
        drawn = draw([one for _, one in found], self._axes, width, height - 1, self.ascii_only, self.cursor)
        return [self._legend(found, width), *drawn]

    def nothing(self) -> str:
        """What to say while there is no curve."""
        return N_("Appears with the first steps of training.")

    def _legend(self, found: Sequence[tuple[str, Series]], width: int) -> list[Part]:
        """Labels with the values at the cursor, or the last ones."""
        step = self.step_at_cursor()
        groups: list[Line] = []
        for label, one in found:
            index = len(one.steps) - 1 if step is None else _nearest(one.steps, step)
            groups.append([("━ ", one.style), (f"{translate(label)} ", "dim"), (number(one.values[index]), "strong")])
        if step is not None and found:
            first = found[0][1]
            shown = first.steps[_nearest(first.steps, step)]
            groups.insert(0, [(translate("step {step}").format(step=f"{shown:.0f}"), "accent")])
        return join_groups(groups, width)

    def step_at_cursor(self) -> float | None:
        """The step that is read, ``None`` while none is."""
        if self.cursor is None or self._axes is None or not self._columns:
            return None
        axes = self._axes
        return axes.left + (self.cursor + 0.5) / self._columns * (axes.right - axes.left)

    def action_move(self, cells: int) -> None:
        """Move the cursor; it begins at the newest point."""
        if self._axes is None or not self._columns:
            return
        if self.cursor is None:
            last = max(one.steps[-1] for _, one in self.series())
            self.cursor = int(self._axes.across(last) * self._columns)
        else:
            self.cursor += cells
        self.cursor = min(self._columns - 1, max(0, self.cursor))
        self.redraw()

    def action_read_nothing(self) -> None:
        """Take the cursor away."""
        self.cursor = None
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
        if self.cursor is not None:
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
            self.cursor = column
            self.redraw()


def _smooth(curve: Curve) -> Series:
    return Series(curve.steps, smooth(curve.values), "smooth", "*")


def _nearest(steps: Sequence[float], step: float) -> int:
    return min(range(len(steps)), key=lambda index: abs(steps[index] - step))


class LossPanel(CurvePanel):
    """Training loss, raw and smoothed, and the loss on held-out rows."""

    TITLE = N_("Loss curve")
    SMOOTHED = True
    CURVES = (("loss", N_("train"), "raw", "."), ("eval_loss", N_("held out"), "eval", "o"))


class RatePanel(CurvePanel):
    """The learning rate."""

    TITLE = N_("Learning rate")
    CURVES = (("learning_rate", N_("now"), "plain", "*"),)


class GradientPanel(CurvePanel):
    """The norm of the gradients, before clipping."""

    TITLE = N_("Gradient norm")
    SMOOTHED = True
    CURVES = (("grad_norm", N_("now"), "raw", "."),)
