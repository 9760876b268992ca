"""A run told in lines: one that is rewritten in place on a terminal, plain ones in a pipe or a log."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TextIO

from rich.cells import cell_len, set_cell_size

from backends.runs.events import Evaluated, Event, Failed, Noticed, Saved, Stage
from backends.runs.state import RunState
from data.language import N_, translate
from data.printable import printable
from tui.numbers import amount, duration, rate

STAGE_NAMES: Final[Mapping[str, str]] = {
    "prepare": N_("prepare data"),
    "baseline": N_("measure before"),
    "train": N_("train"),
    "evaluate": N_("measure after"),
    "export": N_("export"),
    "report": N_("report"),
}
_MAIN: Final = ("ndcg@10", "mrr@10", "recall@10", "map@100", "eval_loss")  # of many measures, those told in passing
QUIET_SECONDS: Final = 10.0  # between two progress lines where lines cannot be rewritten


def stage_name(name: str, part: str = "") -> str:
    """The name of a stage in the current language; of ``part`` (``what/stage``), what is gone through there."""
    what, _, inner = part.partition("/")
    if inner:
        return f"{printable(what, 30)}: {stage_name(inner)}"
    return translate(STAGE_NAMES.get(name, name))


class RunLines:
    """Writes what happens in a run to ``stream`` (by default stderr: narration, never results)."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._clock = clock
        self._last_line = -QUIET_SECONDS
        self._told_of = ("", 0)
        self._shown = ""

    def show(self, state: RunState, events: Sequence[Event]) -> None:
        """Tell of ``events`` and of where ``state`` stands."""
        for event in events:
            for text in _told(event):
                self.say(text)
        if state.status != "running" or not state.total:
            return
        if self._live:
            self._rewrite(progress_line(state, shutil.get_terminal_size().columns - 1))
        elif self._clock() - self._last_line >= QUIET_SECONDS and (state.stage, state.step) != self._told_of:
            self._last_line, self._told_of = self._clock(), (state.stage, state.step)
            self.say(progress_line(state, 200))

    def say(self, text: str) -> None:
        """Write ``text`` on a line of its own, above the progress line."""
        self._clear()
        self._stream.write(text + "\n")
        self._stream.flush()

    def _rewrite(self, text: str) -> None:
        if text == self._shown:
            return
        # Padding with blanks in place of an erase sequence: works on every terminal, and costs a slow line nothing.
        padding = " " * max(0, cell_len(self._shown) - cell_len(text))
        self._stream.write("\r" + text + padding)
        self._stream.flush()
        self._shown = text

    def _clear(self) -> None:
        if self._shown:
            self._stream.write("\r" + " " * cell_len(self._shown) + "\r")
            self._shown = ""


def progress_line(state: RunState, width: int) -> str:
    """Stage, step, loss, learning rate, speed, memory and time left; the last ones fall away on a narrow screen."""
    percent = 100 * state.step // state.total if state.total else 0
    parts = [f"{stage_name(state.stage, state.part)} {state.step}/{state.total} {percent}%", *_numbers(state)]
    if state.remaining is not None:
        parts.insert(1, translate("{time} left").format(time=duration(state.remaining)))
    while len(parts) > 1 and cell_len("  ".join(parts)) > width:
        parts.pop()
    line = "  ".join(parts)
    return set_cell_size(line, width) if cell_len(line) > width else line


def _numbers(state: RunState) -> list[str]:
    if not state.trains:
        return []
    values = {name: value for name, value in state.values.items() if value is not None}
    shown: list[tuple[str, Callable[[float], str]]] = [
        ("loss", lambda value: f"loss {value:.4f}"),
        ("learning_rate", lambda value: f"lr {value:.2e}"),
        ("samples_per_second", rate),
        ("tokens_per_second", lambda value: translate("{count} tokens/s").format(count=f"{value:,.0f}")),
        ("memory", lambda value: translate("memory {amount}").format(amount=amount(value))),
    ]
    return [word(values[name]) for name, word in shown if name in values]


def _told(event: Event) -> list[str]:
    if isinstance(event, Stage) and event.ended:
        return [f"{_mark()} {stage_name(event.name)} ({duration(event.seconds)})"]
    if isinstance(event, Noticed):
        return [problem_line(event.problem)]
    if isinstance(event, Failed):
        return [problem_line(problem) for problem in event.problems]
    if isinstance(event, Evaluated) and event.metrics:
        return [f"  {_measured(event)}"]
    if isinstance(event, Saved) and event.what in ("checkpoint", "model", "adapter"):
        return ["  " + translate("saved {path}").format(path=printable(event.path))]
    return []


def _mark() -> str:
    encoding = (getattr(sys.stderr, "encoding", "") or "ascii").lower()
    return "✓" if encoding.startswith("utf") else "*"


def _measured(event: Evaluated) -> str:
    main = [name for name in _MAIN if name in event.metrics] or list(event.metrics)[:4]
    return "  ".join(f"{printable(name)} {event.metrics[name]:.4f}" for name in main if event.metrics[name] is not None)


def problem_line(problem: Mapping[str, Any]) -> str:
    """A problem as it stands in an event (``Problem.as_json``) on one line."""
    words = {"error": N_("error"), "warning": N_("warning"), "note": N_("note")}
    severity = translate(words.get(str(problem.get("severity")), "note"))
    place = " ".join(part for part in (_file_line(problem), str(problem.get("key") or "")) if part)
    told = f"{place}: {problem.get('message', '')}" if place else str(problem.get("message", ""))
    return printable(f"{severity}: {told} {problem.get('fix') or ''}".rstrip(), 2000)


def _file_line(problem: Mapping[str, Any]) -> str:
    file, line = str(problem.get("file") or ""), problem.get("line")
    return f"{file}:{line}" if file and line else file
