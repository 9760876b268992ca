"""Where the run is (its stages, how far, how fast, how long still), and what is wrong with it in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tunewiz.backends.runs.state import RunState
from tunewiz.language import N_, translate
from tunewiz.printable import amount, duration, printable
from tunewiz.problems import reworded
from tunewiz.tui.panels.panel import Panel, View
from tunewiz.tui.widgets.drawing import Line, Part, join_groups, spread, width_of, wrap_text
from tunewiz.tui.widgets.plotting import bar
from tunewiz.tui.words import rate, stage_name, stage_words, status_name, sweep_best

# Where the run is: its stages, how far this one is, how fast, how long still.


class ProgressPanel(Panel, can_focus=False):
    """Three lines without a border."""

    ALLOW_MAXIMIZE = False

    def lines(self, width: int, height: int) -> Sequence[Line]:
        """Stages; a bar; numbers."""
        view = self.view
        if view is None:
            return [[(translate("Opening the run ..."), "dim")]]
        return [_stages(view, width), _bar(view.state, width), join_groups(_numbers(view), width, "   ")]


def _stages(view: View, width: int) -> Line:
    state = view.state
    line: list[Part] = []
    for name in state.stages:
        if name in state.done:
            line += [("✓ ", "good"), (stage_name(name), "dim")]
        elif name == state.stage:
            line += [("▸ ", "accent"), (stage_words(state), "strong")]
        else:
            line += [("· ", "dim"), (stage_name(name), "dim")]
        line.append(("  ", "plain"))
    if width_of(line) > width - 10:  # a small screen: the stage at hand, and how many there are
        done = len([name for name in state.stages if name in state.done])
        count = f" {min(done + 1, len(state.stages))}/{len(state.stages)}"
        line = [("▸ ", "accent"), (stage_words(state), "strong"), (count, "dim")]
    return spread(line, status(view), width)


def status(view: View) -> Line:
    """One word on how the run stands, coloured."""
    state = view.state
    if view.stopping and not state.over:
        return [("● ", "warn"), (translate("saving, then stopping"), "warn")]
    style = {"running": "good", "finished": "good", "failed": "bad", "lost": "bad", "stopped": "warn"}
    return [("● ", style.get(state.status, "dim")), (status_name(state), "strong")]


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
    if best := sweep_best(state):
        groups.append([(best, "good")])
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
        groups.append([(translate("peak {amount}").format(amount=amount(_peak(view))), "plain")])
    groups.append([(printable(state.model, 60), "dim")])
    return groups


def _peak(view: View) -> float:
    """The peak of the last step that told it; without a GPU also what is seen now, which no peak is lower than."""
    seen = view.sample.child_memory if view.sample is not None and not view.sample.gpus else None
    return max(view.state.values["memory_peak"], seen or 0)


# Warnings in plain words, each with what to do.


_STYLES = {"error": "bad", "warning": "warn", "note": "dim"}


class AdvicePanel(Panel):
    """What is wrong now first, then what the run told of, newest first."""

    TITLE = N_("Advice")

    def lines(self, width: int, height: int) -> Sequence[Line]:
        """Each finding and its fix, wrapped; the last line says how much is left out."""
        if self.view is None:
            return []
        found = findings(self.view)
        if not found:
            return [[("✓ ", "good"), (translate("Nothing to worry about."), "dim")]]
        drawn: list[Line] = []
        for severity, message, fix in found:
            style = _STYLES.get(severity, "dim")
            first, *rest = wrap_text(message, max(4, width - 2), style) or [[("", style)]]
            mark = "· " if severity == "note" else "! "
            drawn += [[(mark, style), *first], *([("  ", style), *line] for line in rest)]
            drawn += [[("  ", "dim"), *line] for line in wrap_text(fix, max(4, width - 2), "dim")]
        if len(drawn) > height > 0:
            drawn = [*drawn[: height - 1], spread([], [(translate("more: zoom in"), "dim")], width)]
        return drawn


def findings(view: View) -> list[tuple[str, str, str]]:
    """Severity, message and fix of all there is to say, in the current language."""
    now = [(item.severity, item.message.text(), item.fix.text() if item.fix else "") for item in view.advice]
    return now + [_told(item) for item in reversed(view.notices)]


def _told(problem: Mapping[str, Any]) -> tuple[str, str, str]:
    """A problem out of an event: worded by the run or a stranger, so made printable here."""
    problem = reworded(problem)
    place = ":".join(str(part) for part in (problem.get("file"), problem.get("line")) if part)
    message = f"{place} {problem.get('message') or ''}".strip()
    return str(problem.get("severity")), printable(message, 500), printable(problem.get("fix") or "", 500)
