"""Where the run is: its stages, how far this one is, how fast, how long still."""

from __future__ import annotations

from collections.abc import Sequence

from backends.runs.state import RunState
from data.language import translate
from data.printable import printable
from tui.lines import stage_name
from tui.numbers import amount, duration, rate
from tui.outcome import STATUS_NAMES
from tui.panels.base import Panel
from tui.watching import View
from tui.widgets.drawing import Line, Part, joined, spread, width_of
from tui.widgets.plotting import bar


class ProgressPanel(Panel, can_focus=False):
    """Three lines without a border."""

    ALLOW_MAXIMIZE = False

    def lines(self, width: int, height: int) -> Sequence[Line]:
        """Stages; a bar; numbers."""
        view = self.view
        if view is None:
            return [[(translate("Opening the run ..."), "dim")]]
        return [_stages(view, width), _bar(view.state, width), joined(_numbers(view), width, "   ")]


def _stages(view: View, width: int) -> Line:
    state = view.state
    line: list[Part] = []
    for name in state.stages:
        if name in state.done:
            line += [("✓ ", "good"), (stage_name(name), "dim")]
        elif name == state.stage:
            line += [("▸ ", "accent"), (stage_name(name, state.part), "strong")]
        else:
            line += [("· ", "dim"), (stage_name(name), "dim")]
        line.append(("  ", "plain"))
    if width_of(line) > width - 10:  # a small screen: the stage at hand, and how many there are
        done = len([name for name in state.stages if name in state.done])
        count = f" {min(done + 1, len(state.stages))}/{len(state.stages)}"
        line = [("▸ ", "accent"), (stage_name(state.stage, state.part), "strong"), (count, "dim")]
    return spread(line, status(view), width)


def status(view: View) -> Line:
    """One word on how the run stands, coloured."""
    state = view.state
    if view.stopping and not state.over:
        return [("● ", "warn"), (translate("saving, then stopping"), "warn")]
    style = {"running": "good", "finished": "good", "failed": "bad", "lost": "bad", "stopped": "warn"}
    return [("● ", style.get(state.status, "dim")), (translate(STATUS_NAMES[state.status]), "strong")]


def _bar(state: RunState, width: int) -> Line:
    if not state.total:
        return [("─" * width, "dim")]
    share = min(1.0, state.step / state.total)
    label = f" {share:4.0%}"
    full, empty = bar(share, max(0, width - len(label)))
    return [(full, "accent"), (empty, "dim"), (label, "strong")]


def _numbers(view: View) -> list[Line]:
    state = view.state
    groups: list[Line] = []
    if state.total:
        groups.append([(f"{state.step}", "strong"), (f"/{state.total}", "dim")])
    if state.remaining is not None and not state.over:
        groups.append([(translate("{time} left").format(time=duration(state.remaining)), "strong")])
    if state.started:
        until = state.updated if state.over else max(view.now, state.updated)
        spent = duration(until - state.started)
        groups.append([(translate("{time} so far").format(time=spent), "plain")])
    values = state.values
    if state.trains and values.get("samples_per_second"):
        groups.append([(rate(values["samples_per_second"]), "plain")])
    if state.trains and values.get("tokens_per_second"):
        pace = f"{values['tokens_per_second']:,.0f}"
        groups.append([(translate("{count} tokens/s").format(count=pace), "plain")])
    if state.trains and values.get("epoch") is not None:
        groups.append([(translate("epoch {epoch}").format(epoch=f"{values['epoch']:.2f}"), "plain")])
    if values.get("memory_peak"):
        groups.append([(translate("peak {amount}").format(amount=amount(values["memory_peak"])), "plain")])
    groups.append([(printable(state.model, 60), "dim")])
    return groups
