"""A run told in lines: in place on a terminal, plain in a pipe."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len

from tunewiz import language
from tunewiz.backends.runs.events import Evaluated, Noticed, Progress, Stage, Started
from tunewiz.backends.runs.state import RunState, fold
from tunewiz.problems import say, warning
from tunewiz.tui.commands.following import RunLines, progress_line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def training(step: int = 30, total: int = 120) -> RunState:
    values = {"loss": 1.2345, "learning_rate": 2e-5, "samples_per_second": 210.4, "memory": 3 * 2**30}
    return fold(
        RunState(),
        [
            Started(time=0, name="r", task="embedding", backend="b", model="m", pid=1),
            Stage(time=10, name="train"),
            Progress(time=40, stage="train", step=step, total=total, values=values),
        ],
    )


@pytest.fixture(autouse=True)
def english():  # type: ignore[no-untyped-def]
    language.use("en")
    yield
    language.use(None)


def test_the_progress_line_says_what_matters() -> None:
    line = progress_line(training(), 200)
    assert line == "train 30/120 25%  1m 30s left  loss 1.2345  lr 2.00e-05  210 samples/s  memory 3.0 GiB"


@pytest.mark.parametrize("code", ["en", "zh"])
@pytest.mark.parametrize("width", range(1, 120, 7))
def test_the_progress_line_never_wraps(width: int, code: language.Language) -> None:
    language.use(code)
    assert cell_len(progress_line(training(), width)) <= width


def test_on_a_terminal_the_line_is_rewritten_without_escape_sequences() -> None:
    stream = Terminal()
    lines = RunLines(stream)
    lines.show(training(30), [])
    lines.show(training(31), [])
    lines.say("a fact")
    text = stream.getvalue()
    assert "\x1b" not in text
    assert text.count("\n") == 1
    assert text.endswith("a fact\n")


def test_in_a_pipe_lines_are_plain_and_rare() -> None:
    stream, clock = io.StringIO(), Clock()
    lines = RunLines(stream, clock)
    for step in range(100):
        clock.now = step * 0.25
        lines.show(training(step + 1), [])
    shown = stream.getvalue().splitlines()
    assert "\r" not in stream.getvalue()
    assert len(shown) == 3


def test_events_become_words() -> None:
    stream = io.StringIO()
    problem = warning("html", say("Cell with \x1b[31m in it."))
    RunLines(stream).show(
        RunState(),
        [
            Stage(name="prepare", ended=True, seconds=75),
            Noticed(problem=problem.as_json()),
            Evaluated(when="before", metrics={"ndcg@10": 0.51239, "map": 0.3}),
        ],
    )
    assert stream.getvalue().splitlines()[1:] == [
        "warning: Cell with \\x1b[31m in it.",
        "  ndcg@10 0.5124",
    ]
    assert "prepare data (1m 15s)" in stream.getvalue().splitlines()[0]


def test_a_stage_that_goes_through_another_run_says_what_runs() -> None:
    state = RunState(stage="prepare", part="embedding/train", step=3, total=9, status="running", values={"loss": 0.5})
    assert progress_line(state, 80).startswith("embedding: train 3/9 33%  loss 0.5000")
