"""A run told in lines while it goes on, from the command line, until it ends or the user has seen enough.

One line is rewritten in place on a terminal; in a pipe or a log there are plain ones.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Final, TextIO

from rich.cells import cell_len, set_cell_size

from tunewiz.backends.runs.advice import Listening
from tunewiz.backends.runs.events import Evaluated, Event, Failed, Noticed, Saved, Stage, Swept
from tunewiz.backends.runs.follow import Follower
from tunewiz.backends.runs.process import ask_to_stop, job_goes_on, kill
from tunewiz.backends.runs.state import RunState
from tunewiz.language import translate
from tunewiz.printable import amount, duration, printable
from tunewiz.redaction import redacted
from tunewiz.tui.words import STATUS_NAMES, measure_words, problem_line, rate, stage_name, stage_words

_MAIN: Final = ("ndcg@10", "mrr@10", "recall@10", "map@100", "eval_loss")  # of many measures, those told in passing
_WIDEST: Final = 10_000  # characters of a line
QUIET_SECONDS: Final = 10.0  # between two progress lines where lines cannot be rewritten


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

    def together(self, going: Sequence[tuple[str, RunState]]) -> None:
        """How far several runs are: on one line, or where lines cannot be rewritten on one each, now and then."""
        if self._live:
            each = max(20, (shutil.get_terminal_size().columns - 1) // max(1, len(going)) - 2)
            parts = []
            for name, state in going:
                room = max(8, each - min(cell_len(name), each // 2) - 1)
                parts.append(f"{set_cell_size(name, min(cell_len(name), each // 2))} {progress_line(state, room)}")
            whole = "  ".join(parts)
            self._rewrite(set_cell_size(whole, min(cell_len(whole), shutil.get_terminal_size().columns - 1)))
        elif self._clock() - self._last_line >= QUIET_SECONDS:
            self._last_line = self._clock()
            for name, state in going:
                if state.total:
                    self.say(f"{name}  {progress_line(state, 200)}")

    def say(self, text: str) -> None:
        """Write ``text`` on a line of its own, above the progress line; harmless whoever wrote it."""
        self._clear()
        self._stream.write(printable(redacted(text), _WIDEST) + "\n")
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


class SeveralLines:
    """Writes what happens in several runs, each line with the name of its run; one line tells how far all are."""

    def __init__(self, names: Sequence[str], stream: TextIO | None = None) -> None:
        self._lines = RunLines(stream)
        self._names = [printable(name, 60) for name in names]
        self._width = max(map(cell_len, self._names))

    def say(self, text: str) -> None:
        """A line of its own."""
        self._lines.say(text)

    def show(self, states: Sequence[RunState], told: Sequence[Sequence[Event]]) -> None:
        """Tell of the events ``told`` of each run, and of where all stand."""
        for name, state, events in zip(self._names, states, told, strict=True):
            head = name + " " * (self._width - cell_len(name))
            for event in events:
                for text in _told(event):
                    self.say(f"{head}  {text.strip()}")
            if state.over and events:
                self.say(f"{head}  {translate(STATUS_NAMES[state.status])}")
        self._lines.together([(name, state) for name, state in zip(self._names, states, strict=True) if not state.over])


def progress_line(state: RunState, width: int) -> str:
    """Stage, step, loss, learning rate, speed, memory and time left; the last ones fall away on a narrow screen."""
    percent = 100 * state.step // state.total if state.total else 0
    parts = [f"{stage_words(state)} {state.step}/{state.total} {percent}%", *_numbers(state)]
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
    if isinstance(event, Swept):
        return [swept_line(event)]
    if isinstance(event, Saved) and event.what in ("checkpoint", "model", "adapter"):
        return ["  " + translate("saved {path}").format(path=printable(event.path))]
    return []


def swept_line(event: Swept) -> str:
    """A run of a sweep that begins or has ended, what it measured, and whether that is the best so far."""
    head = translate("run {number} of {count}").format(number=event.number, count=event.count)
    colon = translate(": ")
    line = f"{head}{colon}{printable(event.point, 200)}"
    if event.status == "running":
        return line
    if event.status != "finished":
        return line + colon + translate(STATUS_NAMES.get(event.status, printable(event.status, 30)))
    best = translate("the best so far") if event.best == event.number else ""
    if event.best not in (0, event.number):
        best = translate("best so far: run {number}").format(number=event.best)
    return f"{_mark()} {line}{colon}" + "; ".join(part for part in (measure_words(event.values), best) if part)


def _mark() -> str:
    encoding = (getattr(sys.stderr, "encoding", "") or "ascii").lower()
    return "✓" if encoding.startswith("utf") else "*"


def _measured(event: Evaluated) -> str:
    main = [name for name in _MAIN if name in event.metrics] or list(event.metrics)[:4]
    return "  ".join(f"{printable(name)} {event.metrics[name]:.4f}" for name in main if event.metrics[name] is not None)


# Following a run from the command line until it ends or the user has seen enough.


INTERVAL: Final = 0.25  # seconds between two looks


Show = Callable[[RunState, Sequence[Event]], None]


def follow(follower: Follower, show: Show, child: subprocess.Popen[bytes] | None = None) -> RunState:
    """``show`` each new state of a run until it is over; the last one. ``child``: if this process launched it."""
    listening = Listening(follower.run)
    while True:
        if child is not None:
            child.poll()  # reaps it, so that it is not taken for alive
        state, events = follower.update()
        show(state, events)
        silence = listening.look(state, time.time())
        if silence is not None:
            show(state, [Noticed(problem=silence.as_json())])
        # A job that was stopped by its time limit, or lost its machine, comes back.
        if state.over and not (state.status in ("stopped", "lost") and job_goes_on(follower.run)):
            return state
        time.sleep(INTERVAL)


def follow_all(
    followers: Sequence[Follower], lines: SeveralLines, children: Sequence[subprocess.Popen[bytes]] = ()
) -> list[RunState]:
    """Follow several runs until all are over; the last state of each. ``children``: those this process launched."""
    while True:
        for child in children:
            child.poll()  # reaps it, so that it is not taken for alive
        looks = [follower.update() for follower in followers]
        lines.show([state for state, _ in looks], [events for _, events in looks])
        if all(state.over for state, _ in looks):
            return [state for state, _ in looks]
        time.sleep(INTERVAL)


def follow_in_charge(follower: Follower, lines: RunLines, child: subprocess.Popen[bytes]) -> RunState:
    """Follow a run launched in the foreground: Ctrl-C (or SIGTERM) saves and stops it, a second one kills it."""
    asked = False

    def stop() -> None:
        nonlocal asked
        if asked:
            kill(follower.run)
            return
        asked = True
        ask_to_stop(follower.run)
        lines.say(translate("Stopping: the run saves a checkpoint first. Press Ctrl-C again to end it at once."))

    with _on_signals(stop):
        return follow(follower, lines.show, child)


def follow_all_in_charge(
    followers: Sequence[Follower], lines: SeveralLines, children: Sequence[subprocess.Popen[bytes]]
) -> list[RunState]:
    """As :func:`follow_in_charge`, several runs: Ctrl-C takes those that wait out of the queue, too."""
    asked = False

    def stop() -> None:
        nonlocal asked
        for follower in followers:
            if not follower.state.over:
                (kill if asked else ask_to_stop)(follower.run)
        if not asked:
            lines.say(translate("Stopping: each run saves a checkpoint first. Press Ctrl-C again to end them at once."))
        asked = True

    with _on_signals(stop):
        return follow_all(followers, lines, children)


@contextmanager
def _on_signals(action: Callable[[], None]) -> Iterator[None]:
    def act(_number: int, _frame: FrameType | None) -> None:
        action()

    before = {number: signal.signal(number, act) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
