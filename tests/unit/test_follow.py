"""Following a run that another process writes."""

import os
import subprocess
import sys
from pathlib import Path

from backends.runs.events import Finished, Progress, Stage, Started
from backends.runs.follow import EventReader, Follower, read_state
from backends.runs.process import alive, kill, write_identity
from backends.runs.run import Run


def a_run(folder: Path) -> Run:
    run = Run(folder / "faq-20260101-000000")
    run.directory.mkdir()
    return run


def started(run: Run) -> Started:
    return Started(name=run.name, task="embedding", backend="b", model="m", pid=os.getpid())


def test_half_a_line_waits_for_its_end(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    reader = EventReader(file)
    assert reader.read() == []
    line = Progress(stage="train", step=1, total=2).line().encode()
    file.write_bytes(line[:10])
    assert reader.read() == []
    with file.open("ab") as stream:
        stream.write(line[10:] + b"\n")
    assert [type(event) for event in reader.read()] == [Progress]
    assert reader.read() == []


def test_damaged_lines_are_counted_and_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"\xff\xfe\n{}\n" + Finished().line().encode() + b"\n")
    reader = EventReader(file)
    assert [type(event) for event in reader.read()] == [Finished]
    assert reader.unreadable == 2


def test_a_run_whose_process_is_gone_is_lost(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    write_identity(run, child.pid)
    run.emit(started(run))
    follower = Follower(run)
    assert follower.update()[0].status == "running"
    child.kill()
    child.wait()
    assert follower.update()[0].status == "lost"
    assert not alive(run)


def test_another_process_with_the_same_id_is_not_the_child(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    (run.directory / "process.json").write_text(f'{{"pid": {os.getpid()}, "create_time": 1.0}}')
    assert not alive(run)
    assert not kill(run)


def test_reading_a_finished_run(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    for event in (started(run), Stage(name="report", ended=True), Finished(verdict="WIN")):
        run.emit(event)
    state = read_state(run)
    assert (state.status, state.verdict, state.done) == ("finished", "WIN", ("report",))


def test_damaged_identity_means_not_alive(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    for text in ("", "[]", '{"pid": "x"}', '{"pid": 0}'):
        (run.directory / "process.json").write_text(text)
        assert not alive(run)
