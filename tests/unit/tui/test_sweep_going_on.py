"""A sweep that goes on, told in lines, lists, JSON and the monitor: which run is on, what is done, the best."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.cells import cell_len

from tunewiz import language
from tunewiz.backends.runs.events import Progress, Stage, Started, Stopped, Swept, parse
from tunewiz.backends.runs.run import Run
from tunewiz.backends.runs.state import RunState, fold
from tunewiz.tui.commands.following import RunLines, progress_line
from tunewiz.tui.outcome import gain, run_json
from tunewiz.tui.panels.pages import SWEEP, page_names, sweep_lines
from tunewiz.tui.words import stage_words

RATE = "training.learning_rate="
BEGUN = [
    Started(name="r", task="embedding", backend="b", model="m", pid=1),
    Stage(name="train"),
    Swept(number=1, count=4, point=f"{RATE}1e-5", status="running"),
    Swept(number=1, count=4, point=f"{RATE}1e-5", status="finished", values={"ndcg@10": 0.71}, best=1),
    Swept(number=2, count=4, point=f"{RATE}2e-5", status="running", best=1),
    Swept(number=2, count=4, point=f"{RATE}2e-5", status="failed", best=1),
    Swept(number=3, count=4, point=f"{RATE}3e-5", status="running", best=1),
    Progress(stage="train", step=3, total=10, values={"loss": 1.5}, part="3-rate/train"),
]


@pytest.fixture(autouse=True)
def english():  # type: ignore[no-untyped-def]
    language.use("en")
    yield
    language.use(None)


def texts(state: RunState, width: int) -> list[str]:
    return ["".join(part for part, _ in line) for line in sweep_lines(state, width)]


def test_lines_say_which_run_is_on_and_which_is_the_best() -> None:
    stream = io.StringIO()
    lines = RunLines(stream)
    for at in range(1, len(BEGUN) + 1):
        lines.show(fold(RunState(), BEGUN[:at]), BEGUN[at - 1 : at])
    told = [line.removeprefix("✓ ").removeprefix("* ") for line in stream.getvalue().splitlines()]
    assert told[:5] == [
        f"run 1 of 4: {RATE}1e-5",
        f"run 1 of 4: {RATE}1e-5: ndcg@10 0.7100; the best so far",
        f"run 2 of 4: {RATE}2e-5",
        f"run 2 of 4: {RATE}2e-5: failed",
        f"run 3 of 4: {RATE}3e-5",
    ]
    assert progress_line(fold(RunState(), BEGUN), 200).startswith("run 3 of 4: train 3/10 30%")


def test_lists_and_json_say_the_same(tmp_path: Path) -> None:
    state, run = fold(RunState(), BEGUN), Run(tmp_path / "r")
    assert stage_words(state) == "run 3 of 4: train"
    assert gain(run, state) == f"best so far: ndcg@10 0.7100 ({RATE}1e-5)"
    told = run_json(run, state)["sweep"]
    assert (told["count"], told["best"]) == (4, 1)
    assert [one["status"] for one in told["runs"]] == ["finished", "failed", "running"]
    assert told["runs"][0]["values"] == {"ndcg@10": 0.71}
    assert stage_words(fold(state, [Stopped()])) == "3-rate: train", "of one that is over no run is on"
    assert "sweep" not in run_json(run, fold(RunState(), BEGUN[:2]))


def test_the_monitor_has_a_page_of_all_runs() -> None:
    state = fold(RunState(), BEGUN)
    assert page_names(state)[0] == SWEEP
    assert SWEEP not in page_names(fold(RunState(), BEGUN[:2]))
    head, first, second, third, left = texts(state, 76)
    assert head == "1/4 finished · ndcg@10"
    assert first.startswith("★ 1 training.learning_rate=1e-5")
    assert first.endswith("0.7100")
    assert (second.startswith("✗ 2 "), second.endswith("failed")) == (True, True)
    assert (third.startswith("▸ 3 "), third.endswith("running")) == (True, True)
    assert left == "1 still to come"


@pytest.mark.parametrize("code", ["en", "zh"])
@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_of_it_is_wider_than_the_panel(code: language.Language, width: int) -> None:
    language.use(code)
    long = [Swept(number=4, count=128, point=f"{RATE}1e-5 data.train=很长的文件名.csv " * 6, status="stopped")]
    assert all(cell_len(line) <= width for line in texts(fold(RunState(), [*BEGUN, *long]), width))


def test_what_a_stranger_wrote_is_harmless() -> None:
    odd = [Swept(number=-1, count=2, point="x", status="running"),
           Swept(number=2, count=2, point="\x1b[31mred", status="\x1b[2J", values={"\x07": 1.0}, best=77)]  # fmt: skip
    state = fold(RunState(), odd)
    assert list(state.swept) == [2]
    assert "\x1b" not in "".join(texts(state, 60)) + stage_words(state) + str(run_json(Run(Path("r")), state)["sweep"])
    assert parse(odd[1].line()) == odd[1]
