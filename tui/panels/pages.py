"""The large panel of the monitor: loss, every measure of the evaluations, cosines, and the machine over time, in pages.

The same for several runs over one another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Final

from textual.binding import Binding, BindingType

from tunewiz.backends.runs.state import Curve, RunState
from tunewiz.backends.training.cosines import NAMES as COSINES
from tunewiz.language import N_, translate
from tunewiz.printable import printable
from tunewiz.tui.panels.curves import CurvePanel, Page, series_of, smoothed, training_page
from tunewiz.tui.panels.panel import View
from tunewiz.tui.widgets.drawing import Line, Part, fit, wrap_text
from tunewiz.tui.widgets.plotting import Series
from tunewiz.tui.words import STATUS_NAMES

#: Curves that are told at each step; whatever else there is, an evaluation measured.
_STEPS: Final = frozenset({
    "loss", "eval_loss", "learning_rate", "grad_norm", "epoch", "samples_per_second", "tokens_per_second", "memory",
    "memory_peak", *COSINES,
})  # fmt: skip
#: Colours and ASCII marks of several cards or runs.
_EACH: Final = (("smooth", "*"), ("eval", "o"), ("good", "+"), ("bad", "x"), ("plain", "."), ("raw", "-"),
                ("warn", "#"), ("dim", ":"))  # fmt: skip
_GIB: Final = float(1 << 30)
_ENDLESS: Final = 1e9  # seconds
ANSWERS: Final = "answers"
SWEEP: Final = "sweep"


def measures_during(state: RunState) -> list[str]:
    """The names of the curves that evaluations during training drew, beside the loss."""
    return [name for name in state.curves if name not in _STEPS and state.curves[name].steps]


def spoken(name: str) -> str:
    """A measure's name without what libraries put before it."""
    return printable(name.removeprefix("eval_").removeprefix("validation_"), 30)


def page_names(state: RunState) -> list[str]:
    """Which pages there are, in order; the loss is always there."""
    found = [*([SWEEP] if state.swept else []), "loss", *measures_during(state)]
    found += ["cosines"] if "positive_cosine" in state.curves else []
    cards = any(name.startswith("gpu") for name in state.machine)
    if state.machine:
        found += ["gpu_memory", "gpu_utilisation"] if cards else ["run_memory", "load"]
    return found + ([ANSWERS] if state.answers else [])


def page_of(name: str, view: View | None) -> Page:
    """The page of that name."""
    state = view.state if view else RunState()
    if name == "loss":
        curves = (("loss", N_("train"), "raw", "."), ("eval_loss", N_("held out"), "eval", "o"))
        return training_page(view, N_("Loss curve"), curves)
    if name == "cosines":
        return _cosines(view)
    if name in _MACHINE:
        return _MACHINE[name](state)
    page = training_page(view, spoken(name), ((name, N_("held out"), "eval", "o"),))
    return replace(page, title=spoken(name))


def _cosines(view: View | None) -> Page:
    labels = (N_("right"), N_("best wrong"), N_("margin"))
    styles = (("good", "+"), ("bad", "x"), ("plain", "."))
    curves = view.state.curves if view else {}
    found = [
        (label, smoothed(curves[name], *style))
        for name, label, style in zip(COSINES, labels, styles, strict=True)
        if name in curves and curves[name].steps
    ]
    return replace(training_page(view, N_("Cosine of query and passage"), ()), curves=tuple(found))


def _card_page(
    title: str, part: str, unit: str, scale: float, most: Callable[[RunState], float]
) -> Callable[[RunState], Page]:
    def make(state: RunState) -> Page:
        named = {name.removesuffix(part): curve for name, curve in state.machine.items() if name.endswith(part)}
        cards = sorted(named, key=lambda name: (len(name), name))
        curves = [
            (name.removeprefix("gpu").removesuffix("_").strip() or title, _scaled(named[name], scale, number))
            for number, name in enumerate(cards)
        ]
        # A machine that is still looked at goes on: the axis moves in leaps, not with each sample.
        return Page(title, tuple(curves), 0.0, most(state), True, unit, 0.0 if state.over else _ENDLESS)

    return make


def _scaled(curve: Curve, scale: float, number: int) -> Series:
    style, mark = _EACH[number % len(_EACH)]
    return Series(curve.steps, [value / scale for value in curve.values], style, mark)


def _largest(state: RunState, part: str) -> float:
    values = [value for name, curve in state.machine.items() if name.endswith(part) for value in curve.values]
    return max(1.0, max(values, default=0.0) / _GIB)


_MACHINE: Final[Mapping[str, Callable[[RunState], Page]]] = {
    "gpu_memory": _card_page(N_("GPU memory"), "_memory", " GiB", _GIB, lambda state: _largest(state, "_total")),
    "gpu_utilisation": _card_page(N_("GPU utilisation"), "_utilisation", "%", 1.0, lambda _state: 100.0),
    "run_memory": _card_page(N_("Memory of the run"), "run_memory", " GiB", _GIB,
                             lambda state: 1.15 * _largest(state, "run_memory")),
    "load": _card_page(N_("Processor"), "load", "%", 1.0, lambda _state: 100.0),
}  # fmt: skip


class LossPanel(CurvePanel):
    """The large panel. Which pages there are grows with what the run tells of."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right_square_bracket", "turn(1)", N_("Next curve"), key_display="[ ]"),
        Binding("left_square_bracket", "turn(-1)", show=False),
        Binding("up", "scroll(-1)", show=False),
        Binding("down", "scroll(1)", show=False),
    ]
    TITLE = N_("Loss curve")

    name_of_page = "loss"
    _top = 0

    @property
    def pages(self) -> list[str]:
        """Which pages there are now."""
        return page_names(self.view.state) if self.view else ["loss"]

    def changed(self, before: View, now: View) -> bool:
        """Sample answers and the runs of a sweep are drawn here too."""
        drawn = ((view.state.answers, view.state.swept) for view in (before, now))
        return super().changed(before, now) or any(old is not new for old, new in zip(*drawn, strict=True))

    def show(self, view: View) -> None:
        """Render ``view``; a new page is told of in the border."""
        before = self.pages
        super().show(view)
        if SWEEP in self.pages and SWEEP not in before and not self._curves():
            self.turn_to(SWEEP)  # its curves are those of its runs, each in a folder of its own
        if len(self.pages) != len(before):
            self.relabel()

    def _curves(self) -> bool:
        return self.view is not None and "loss" in self.view.state.curves

    def title_text(self) -> str:
        """The page's own."""
        if self.name_of_page in _TEXTS:
            return _TEXTS[self.name_of_page][0]
        return page_of(self.name_of_page, self.view).title

    def relabel(self) -> None:
        """The title, and which page of how many."""
        super().relabel()
        pages = self.pages
        at = pages.index(self.name_of_page) + 1 if self.name_of_page in pages else 1
        self.border_subtitle = f"{at}/{len(pages)}" if len(pages) > 1 else ""

    def page(self) -> Page:
        """The one that is turned to."""
        return page_of(self.name_of_page, self.view)

    def lines(self, width: int, height: int) -> Sequence[Line]:
        """Curves, or the sample answers or the runs of a sweep as text."""
        if self.name_of_page not in _TEXTS or self.view is None:
            return super().lines(width, height)
        told = _TEXTS[self.name_of_page][1](self.view.state, width)
        self._top = max(0, min(self._top, len(told) - height))
        return told[self._top : self._top + height]

    def turn_to(self, name: str) -> bool:
        """Show the page of that name; whether there is one."""
        if name not in self.pages:
            return False
        self.name_of_page, self._top = name, 0
        self._read = None
        self.relabel()
        return True

    def action_turn(self, by: int) -> None:
        """The next or the previous page."""
        pages = self.pages
        at = pages.index(self.name_of_page) if self.name_of_page in pages else 0
        self.turn_to(pages[(at + by) % len(pages)])

    def action_scroll(self, by: int) -> None:
        """Up and down in the text."""
        self._top += by
        self.redraw()


class MeasurePanel(LossPanel):
    """The same beside the loss, on screens with room for it: measures, cosines and the machine."""

    TITLE = N_("Evaluations")
    name_of_page = ""

    @property
    def pages(self) -> list[str]:
        """All but those that the large panel shows."""
        return [name for name in super().pages if name not in ("loss", *_TEXTS)]

    def show(self, view: View) -> None:
        """Render ``view``, from the first page that comes."""
        super().show(view)
        if self.name_of_page not in self.pages and self.pages:
            self.turn_to(self.pages[0])

    def title_text(self) -> str:
        """The page's own, once there is one."""
        return super().title_text() if self.name_of_page else self.TITLE

    def page(self) -> Page:
        """The one that is turned to."""
        return super().page() if self.name_of_page else Page(self.TITLE)

    def nothing(self) -> str:
        """What to say while there is no curve."""
        return N_("Appears with the first evaluation during training.")


def answer_lines(state: RunState, width: int) -> list[Line]:
    """Each prompt once, what was expected, and what the model wrote at each evaluation, the newest first."""
    rounds = state.answers
    drawn: list[Line] = []
    for number, first in enumerate(rounds[-1].answers if rounds else ()):
        drawn += _wrapped(N_("prompt"), str(first.get("prompt", "")), "strong", width)
        drawn += _wrapped(N_("expected"), str(first.get("expected", "")), "dim", width)
        for told in reversed(rounds):
            if number < len(told.answers):
                label = translate("step {step}").format(step=told.step)
                drawn += _wrapped(label, str(told.answers[number].get("answer", "")), "smooth", width)
        drawn.append([])
    return drawn


def _wrapped(label: str, text: str, style: str, width: int) -> list[Line]:
    head = fit([(translate(label), "accent")], 10)
    shown = " ".join(printable(text, 600).split()) or "—"
    lines = wrap_text(shown, max(8, width - 11), style)
    blank: Part = (" " * 11, "plain")
    return [
        [*(head if not row else [blank]), *([(" ", "plain")] if not row else []), *line]
        for row, line in enumerate(lines)
    ]


def sweep_lines(state: RunState, width: int) -> list[Line]:
    """The runs of a sweep: which are done and what they measured, which goes on, which is the best so far."""
    runs = [state.swept[number] for number in sorted(state.swept)]
    count = max((one.count for one in runs), default=0)
    measure = next((spoken(name) for one in runs for name in one.values), "")
    values = [next(iter(one.values.values()), None) for one in runs]
    room = max(8, width - 4 - len(str(count)) - 14 - 2)
    drawn: list[Line] = [
        [(f"{len([one for one in runs if one.status == 'finished'])}/{count} ", "strong"),
         (translate("finished"), "plain"), (f" · {measure}" if measure else "", "dim")],
    ]  # fmt: skip
    for one, value in zip(runs, values, strict=True):
        best = one.number == state.best
        mark, style = _RUN_MARKS.get(one.status, ("· ", "dim"))
        told = translate(STATUS_NAMES.get(one.status, one.status)) if value is None else f"{value:.4f}"
        line: Line = [("★ " if best else mark, "good" if best else style), (f"{one.number:>{len(str(count))}} ", "dim")]
        drawn.append([*line, *fit([(one.point, "strong" if best else "plain")], room), (f"  {told}", style)])
    left = count - len(runs)
    if left > 0:
        drawn.append([(translate("{count} still to come").format(count=left), "dim")])
    return drawn


_RUN_MARKS: Final = {"finished": ("✓ ", "good"), "running": ("▸ ", "accent"), "failed": ("✗ ", "bad"),
                     "lost": ("✗ ", "bad"), "stopped": ("· ", "warn")}  # fmt: skip
#: Pages that are text: title, and what draws them.
_TEXTS: Final[Mapping[str, tuple[str, Callable[[RunState, int], list[Line]]]]] = {
    ANSWERS: (N_("Sample answers"), answer_lines),
    SWEEP: (N_("Runs of the sweep"), sweep_lines),
}


#: What the curves of training are called where each has a page of its own.
TITLES: Final = {
    "loss": N_("Loss curve"),
    "eval_loss": N_("Loss on held-out rows"),
    "learning_rate": N_("Learning rate"),
    "grad_norm": N_("Gradient norm"),
    "positive_cosine": N_("Cosine of right pairs"),
    "negative_cosine": N_("Cosine of the best wrong pairs"),
    "margin": N_("Margin of the cosines"),
}


class OverlayPanel(CurvePanel):
    """The same curve of several runs over one another, in pages."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right_square_bracket", "turn(1)", N_("Next curve"), key_display="[ ]"),
        Binding("left_square_bracket", "turn(-1)", show=False),
    ]
    runs: tuple[tuple[str, RunState], ...] = ()
    name_of_page = "loss"

    def tell(self, runs: Sequence[tuple[str, RunState]]) -> None:
        """Draw the curves of these runs, by name."""
        self.runs = tuple(runs)
        if self.name_of_page not in self.pages and self.pages:
            self.name_of_page = self.pages[0]
        self.relabel()

    @property
    def pages(self) -> list[str]:
        """Curves that any of them has."""
        found = dict.fromkeys(name for _, state in self.runs for name in _comparable(state))
        return list(found)

    def title_text(self) -> str:
        """The curve's name."""
        return TITLES.get(self.name_of_page) or spoken(self.name_of_page)

    def relabel(self) -> None:
        """The title, and which page of how many."""
        super().relabel()
        at = self.pages.index(self.name_of_page) + 1 if self.name_of_page in self.pages else 1
        self.border_subtitle = f"{at}/{len(self.pages)}" if len(self.pages) > 1 else ""

    def page(self) -> Page:
        """A curve a run."""
        found = []
        for number, (name, state) in enumerate(self.runs):
            curve, (style, mark) = state.curves.get(self.name_of_page), _EACH[number % len(_EACH)]
            if curve is not None and curve.steps:
                measured = self.name_of_page not in _STEPS or self.name_of_page == "eval_loss"
                drawn = series_of(curve, style, mark) if measured else smoothed(curve, style, mark)
                found.append((printable(name, 24), drawn))
        return Page(self.title_text(), tuple(found))

    def nothing(self) -> str:
        """What to say while there is no curve."""
        return N_("None of them has trained yet.")

    def action_turn(self, by: int) -> None:
        """The next or the previous curve."""
        pages = self.pages
        if pages:
            self.name_of_page = pages[(pages.index(self.name_of_page) + by) % len(pages)]
            self._read = None
            self.relabel()


def _comparable(state: RunState) -> list[str]:
    wanted = ("loss", "eval_loss", *measures_during(state), *COSINES, "learning_rate", "grad_norm")
    return [name for name in wanted if name in state.curves and state.curves[name].steps]
