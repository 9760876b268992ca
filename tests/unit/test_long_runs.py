"""Opening a run with very many events: all that matters is read, progress is sampled."""

from itertools import pairwise
from pathlib import Path

from backends.runs.events import Evaluated, Noticed, Progress, Saved, Stage
from backends.runs.follow import DETAILED, EventReader
from backends.runs.state import RunState, fold


def write(file: Path, count: int) -> None:
    with file.open("w", encoding="utf-8") as stream:
        stream.write(Stage(name="train").line() + "\n")
        for step in range(1, count + 1):
            values = {"loss": 1 / step, "learning_rate": 1e-5}
            stream.write(Progress(stage="train", step=step, total=count, values=values).line() + "\n")
            if step % 1000 == 0:
                stream.write(Evaluated(when="during", metrics={"eval_loss": 1.0}, step=step).line() + "\n")
                stream.write(Saved(what="checkpoint", path=f"checkpoint-{step}").line() + "\n")
        stream.write(Noticed(problem={"code": "last"}).line() + "\n")


def test_a_long_backlog_is_sampled_and_nothing_else_is_lost(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    count = DETAILED * 8
    write(file, count)
    reader = EventReader(file)
    events = reader.read()
    progress = [event for event in events if isinstance(event, Progress)]
    assert DETAILED / 2 < len(progress) < DETAILED * 2
    assert len([event for event in events if isinstance(event, Saved)]) == count // 1000
    assert isinstance(events[-1], Noticed)
    state = fold(RunState(), events)
    assert state.step == count
    assert len(state.curves["eval_loss"].steps) == count // 1000
    steps = [event.step for event in progress]
    assert steps == sorted(steps)
    assert max(later - earlier for earlier, later in pairwise(steps)) <= 2 * count // DETAILED


def test_what_comes_after_the_backlog_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    write(file, DETAILED * 8)
    reader = EventReader(file)
    reader.read()
    with file.open("a", encoding="utf-8") as stream:
        for step in range(100):
            stream.write(Progress(stage="train", step=step, total=9).line() + "\n")
        stream.write('{"event":"prog')
    assert len(reader.read()) == 100
    with file.open("a", encoding="utf-8") as stream:
        stream.write('ress","stage":"train","step":5,"total":9}\n')
    assert [event.step for event in reader.read() if isinstance(event, Progress)] == [5]


def test_a_short_run_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    write(file, 2000)
    assert len([event for event in EventReader(file).read() if isinstance(event, Progress)]) == 2000
