"""What both front ends say of runs in words: numbers, stages, statuses, problems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunewiz.backends.runs.events import STAGE_NAMES
from tunewiz.backends.runs.state import RunState
from tunewiz.language import N_, current, translate
from tunewiz.printable import CENTURY, printable
from tunewiz.problems import in_a_row, reworded, say

# Numbers as people read them: times, bytes, speeds.


def clock(seconds: float) -> str:
    """``seconds`` as an axis has them: ``40s``, ``4:05``, ``1:02:03``."""
    whole = round(min(max(0.0, seconds), CENTURY))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if whole < 60:
        return f"{whole}s"
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def weights(count: float) -> str:
    """How many weights a model has, as people say it in their language: ``7.6B``, ``22.7M``; 76 亿, 2271 万."""
    if not count:
        return "?"
    if current() == "zh":
        from tunewiz.presets.families import Weights  # which home need not load

        return Weights("", count=round(count)).text("zh")
    size, unit = (1e9, "B") if count >= 9.995e8 else (1e6, "M")
    return f"{_three(count / size)}{unit}"


def _three(value: float) -> str:
    """Three figures, no more."""
    return f"{value:.3g}" if value < 999.5 else f"{value:.0f}"


def span(seconds: float) -> str:
    """``seconds`` in words, with one unit: how long ago something was, how long it will take."""
    minutes = seconds / 60
    if seconds < 60:
        return say("{count} s", count=round(seconds)).text()
    if minutes < 60:
        return say("{count} min", count=round(minutes)).text()
    if minutes < 48 * 60:
        return say("{count} h", count=round(minutes / 60)).text()
    return say("{count} days", count=round(min(minutes, CENTURY / 60) / 1440)).text()


def rate(samples_per_second: float) -> str:
    """Training speed in the current language."""
    shown = f"{samples_per_second:.0f}" if samples_per_second >= 10 else f"{samples_per_second:.1f}"
    return translate("{count} samples/s").format(count=shown)


def stage_name(name: str, part: str = "") -> str:
    """The name of a stage in the current language; of ``part`` (``what/stage``), what is gone through there."""
    what, _, inner = part.partition("/")
    if inner:
        return f"{printable(what, 30)}: {stage_name(inner)}"
    return translate(STAGE_NAMES[name]) if name in STAGE_NAMES else printable(name, 30)


def stage_words(state: RunState) -> str:
    """What goes on: the stage; of a sweep which run of how many, and that one's stage."""
    place, inner = sweep_place(state), state.part.partition("/")[2]
    if not place:
        return stage_name(state.stage, state.part)
    return place + translate(": ") + stage_name(inner or state.stage)


def sweep_place(state: RunState) -> str:
    """Which run of a sweep is on, of how many; "" where it is none, or none goes on."""
    on = [event for event in state.swept.values() if event.status == "running"]
    if state.over or not on:
        return ""
    numbers = ", ".join(str(event.number) for event in on)
    return translate("run {number} of {count}").format(number=numbers, count=on[0].count)


def sweep_best(state: RunState) -> str:
    """The best run of a sweep so far: its measure, and what it was given; "" before one was measured."""
    best = state.swept.get(state.best)
    if best is None:
        return ""
    words = translate("best so far: {measure} ({point})")
    return words.format(measure=measure_words(best.values), point=best.point)


def measure_words(values: Mapping[str, float]) -> str:
    """Measures with their numbers on one line."""
    return "  ".join(f"{name.removeprefix('eval_')} {value:.4f}" for name, value in values.items() if value is not None)


def problem_line(problem: Mapping[str, Any]) -> str:
    """A problem as it stands in an event (``Problem.record``) on one line, in the current language."""
    problem = reworded(problem)
    words = {"error": N_("error"), "warning": N_("warning"), "note": N_("note")}
    severity = translate(words.get(str(problem.get("severity")), "note"))
    place = " ".join(part for part in (_file_line(problem), str(problem.get("key") or "")) if part)
    told = f"{place}: {problem.get('message', '')}" if place else str(problem.get("message", ""))
    return printable(in_a_row(f"{severity}: {told}", str(problem.get("fix") or "")), 2000)


def _file_line(problem: Mapping[str, Any]) -> str:
    file, line = str(problem.get("file") or ""), problem.get("line")
    return f"{file}:{line}" if file and line else file


STATUS_NAMES: Mapping[str, str] = {
    "waiting": N_("waiting"),
    "running": N_("running"),
    "finished": N_("finished"),
    "failed": N_("failed"),
    "stopped": N_("stopped"),
    "lost": N_("lost"),
    "unreadable": N_("unreadable"),
}


def status_name(state: RunState) -> str:
    """How a run stands, as one word in the current language; what waits for nobody is on its way."""
    waits = any(one.get("code") == "run-waits" for one in state.problems)
    return translate(N_("starting") if state.status == "waiting" and not waits else STATUS_NAMES[state.status])


#: Verdicts as one word, for lists; the sentences are the verdict's own (:mod:`tunewiz.backends.evaluate.verdict`).
VERDICT_NAMES: Mapping[str, str] = {
    "WIN": N_("WIN"),
    "MARGINAL": N_("MARGINAL"),
    "REGRESSION": N_("REGRESSION"),
}


def verdict_name(verdict: str) -> str:
    """A verdict in the current language."""
    return translate(VERDICT_NAMES[verdict]) if verdict in VERDICT_NAMES else printable(verdict, 30)
