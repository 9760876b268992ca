"""Following a run that another process writes, and the end of its log, safe to show."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tunewiz.backends.runs.events import Finished, Progress, Stage, Started
from tunewiz.backends.runs.follow import FIRST_READ, EventReader, Follower, LogTail, read_state
from tunewiz.backends.runs.process import alive, kill, write_identity
from tunewiz.backends.runs.run import Run

# Following a run that another process writes.


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


# The end of a log, safe to show.


def test_lines_come_as_they_are_written(tmp_path: Path) -> None:
    file = tmp_path / "output.log"
    tail = LogTail(file)
    assert tail.update() == ()
    file.write_bytes(b"one\ntw")
    assert tail.update() == ("one", "tw")
    assert tail.update() is tail.update()
    with file.open("ab") as stream:
        stream.write(b"o\nthree\n")
    assert tail.update() == ("one", "two", "three")


def test_a_progress_bar_shows_as_it_ended(tmp_path: Path) -> None:
    file = tmp_path / "output.log"
    file.write_bytes(b" 0%|  |\r 50%|# |\r100%|##|\r\nnext\r\n 10%|\r 20%|")
    assert LogTail(file).update() == ("100%|##|", "next", " 20%|")


def test_escapes_and_other_control_characters_do_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "output.log"
    file.write_bytes(b"\x1b[31mred\x1b[0m \x1b]0;title\x07x\x1bc\x00\xff\xe2\x80\xae\n" + b"y" * 5000 + b"\n")
    lines = LogTail(file).update()
    assert lines[0] == "red x\\x1bc\\x00\ufffd\\u202e"
    assert len(lines[1]) == 1001


def test_only_the_end_of_a_large_log_is_read(tmp_path: Path) -> None:
    file = tmp_path / "output.log"
    file.write_bytes(b"".join(b"line %07d\n" % number for number in range(2 * FIRST_READ // 13)))
    lines = LogTail(file, kept=100).update()
    assert len(lines) == 100
    assert lines[-1] == f"line {2 * FIRST_READ // 13 - 1:07d}"


def test_a_log_that_begins_afresh_is_followed(tmp_path: Path) -> None:
    file = tmp_path / "output.log"
    file.write_bytes(b"old\n" * 10)
    tail = LogTail(file)
    tail.update()
    file.write_bytes(b"new\n")
    assert tail.update()[-1] == "new"
