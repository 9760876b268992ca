"""Whatever lies in a run's folder, reading it raises nothing, waits for nothing, and does a terminal no harm."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.alarm import SECONDS, soon
from tests.odd_runs import HOSTILE, a_whole_run, an_odd_run
from tunewiz.backends.runs.comparing import rival
from tunewiz.backends.runs.disk import could_go
from tunewiz.backends.runs.events import Evaluated, Failed, Finished, Noticed, Saved, Stage, Started
from tunewiz.backends.runs.find import all_runs, find
from tunewiz.backends.runs.follow import LONGEST, EventReader, Follower, LogTail, read_state
from tunewiz.backends.runs.launching import launch
from tunewiz.backends.runs.run import Run
from tunewiz.backends.trying.session import Session
from tunewiz.language import use
from tunewiz.problems import BadPreset, TunewizError
from tunewiz.tui.commands.compare import run_compare
from tunewiz.tui.commands.following import RunLines
from tunewiz.tui.commands.report import run_report
from tunewiz.tui.commands.runs import run_runs
from tunewiz.tui.commands.try_ import run_try
from tunewiz.tui.commands.watch import run_watch
from tunewiz.tui.outcome import Listing
from tunewiz.tui.panels.evidence import evidence
from tunewiz.tui.screens.report import readable

ROUNDS = 100
EACH = 15  # odd runs a round
#: Control characters, C1 ones too, that no text of ours holds but the newline; and what turns a line round.
HARMFUL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(autouse=True)
def _in_english(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("COLUMNS", "120")
    use("en")
    yield
    use(None)


def told(capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed since the last call; nothing of it harms a terminal."""
    printed = capsys.readouterr()
    for text in printed:
        assert HARMFUL.findall(text) == []
    return printed.out


def read_everything(run: Run) -> None:
    """All that commands and screens read of one run."""
    state = read_state(run)
    found = evidence(run, state)
    assert all(step.text() for step in found.steps)
    readable(run.report / "report.md")
    rival(run)
    LogTail(run.log_file).update()
    follower = Follower(run)
    for _ in range(2):
        RunLines().show(*follower.update())


@pytest.mark.parametrize(
    "round_", [0, *(pytest.param(number, marks=pytest.mark.torture) for number in range(1, ROUNDS))]
)
def test_no_odd_run_takes_a_reader_down(round_: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = tmp_path / "runs"
    good = a_whole_run(runs, "good-20260101-120000", gain=0.1)
    for seed in range(round_ * EACH, (round_ + 1) * EACH):
        run = an_odd_run(runs, seed)
        with soon():
            read_everything(run)
            for as_json in (False, True):
                told(capsys)
                try:
                    run_report(run.name, runs, as_json)
                    json.loads(told(capsys)) if as_json else None
                except TunewizError as fault:
                    assert fault.problems[0].code in ("no-report", "run-not-found")
                if run.name in {one.name for one in all_runs(runs)}:
                    run_compare([good.name, run.name], runs, as_json)
                    run_watch([run.name], runs, as_json)
        told(capsys)
    with soon(3 * SECONDS):
        listed = {item.run.name: item for item in Listing(runs).look()}
        assert run_runs(runs, json_wanted=False) == 0
        table = told(capsys)
        assert run_runs(runs, json_wanted=True) == 0
        records = {record["name"]: record for record in json.loads(told(capsys))}
        could_go(runs)
    assert listed.keys() == records.keys() >= {good.name}
    assert records[good.name]["verdict"] == "WIN"
    for name, record in records.items():
        assert name in table
        if record["status"] in ("unreadable", "lost"):
            assert record["problems"][-1]["code"] == f"run-{record['status']}"


# What is there instead of a file, and what is said of it.


@pytest.mark.parametrize(
    ("put", "says"),
    [
        (lambda path: path.mkdir(), "it is a folder"),
        (os.mkfifo, "it is a pipe or a device"),
        (lambda path: path.symlink_to(path.name), "it is a link, which leads nowhere"),
        (lambda path: path.write_bytes(b"[]\n"), "none of its lines is an event"),
        (lambda path: path.symlink_to("/proc/self/mem"), "Input/output error"),
    ],
)
def test_a_run_that_cannot_be_read_is_listed_with_the_reason(
    put: object, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = a_whole_run(tmp_path)
    run.events_file.unlink()
    put(run.events_file)  # type: ignore[operator]
    with soon():
        run_runs(tmp_path, json_wanted=False)
    table = told(capsys)
    assert "unreadable" in table
    assert f"{run.events_file} cannot be read: {says}" in table
    state = read_state(run)
    assert (state.status, state.over) == ("unreadable", True)


def test_a_run_that_cannot_be_read_is_explained_however_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    old = a_whole_run(tmp_path, "a-name-that-leaves-little-room-for-more-20260101-120000")
    old.events_file.write_bytes(b"null\n")
    for number in range(12):
        (tmp_path / f"b{number:02}-20260101-120000").mkdir()
        (tmp_path / f"b{number:02}-20260101-120000" / "events.jsonl").write_text("")
    run_runs(tmp_path, json_wanted=False)
    table = told(capsys)
    assert f"{old.name}  unreadable" in table
    assert f"{old.events_file} cannot be read: none of its lines is an event" in table


def test_a_folder_without_a_preset_or_of_another_kind(tmp_path: Path) -> None:
    for name in ("preset.yaml", "events.jsonl"):
        (tmp_path / name.partition(".")[0]).mkdir()
        os.mkfifo(tmp_path / name.partition(".")[0] / name)
    (tmp_path / "notes").mkdir()
    (tmp_path / "file").write_text("x")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    assert {run.name for run in all_runs(tmp_path)} == {"preset", "events"}
    assert {read_state(run).status for run in all_runs(tmp_path)} == {"unreadable"}
    assert all_runs(tmp_path / "file") == all_runs(tmp_path / "loop") == all_runs(tmp_path / "nowhere") == []


@pytest.mark.parametrize("which", ["~nobody-here/x", "x" * 5000, "a\0b", "", "../../..", "/dev/null"])
def test_no_name_of_a_run_takes_the_command_down(which: str, tmp_path: Path) -> None:
    with pytest.raises(BadPreset):
        find(which, tmp_path)


def test_a_preset_that_cannot_be_loaded_ends_try_with_words(tmp_path: Path) -> None:
    for number, content in enumerate((b"version: 2\nname: a\ntask: embedding\n", b"\xff", b"[" * 99999, b"null")):
        run = a_whole_run(tmp_path, f"bad{number}-20260101-120000")
        run.preset_file.write_bytes(content)
        with soon(), pytest.raises(BadPreset):
            run_try(run.name, tmp_path, ("a query",), 3, as_json=False)


def test_a_pipe_among_the_data_ends_try_and_a_resume_with_words(tmp_path: Path) -> None:
    """Both read it in a child, which would wait for ever."""
    run = a_whole_run(tmp_path)
    os.mkfifo(run.data / "train.jsonl")
    with soon(), Session(run) as session:
        *_, last = session.loading()
    assert [problem["code"] for problem in last["problems"]] == ["no-file"]
    with soon():
        assert launch(run).wait() == 3
    state = read_state(run)
    assert state.why is not None
    assert state.why["message"].startswith(f"{run.data / 'train.jsonl'} is a pipe")


def test_a_line_without_an_end_is_passed_over_and_what_follows_is_read(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    with file.open("wb") as stream:
        stream.write(Finished().line().encode() + b"\n" + b"x" * (2 * LONGEST))
    reader = EventReader(file)
    assert [type(event) for event in reader.read()] == [Finished]
    with file.open("ab") as stream:
        stream.write(b"y" * LONGEST)
    assert reader.read() == []
    with file.open("ab") as stream:
        stream.write(b"\n" + Finished(verdict="WIN").line().encode() + b"\n")
    assert [event.verdict for event in reader.read() if isinstance(event, Finished)] == ["WIN"]
    assert reader.unreadable == 1


def test_no_escape_of_a_stranger_reaches_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = tmp_path / "runs"
    good = a_whole_run(runs, "good-20260101-120000")
    name = f"{HOSTILE.replace('/', '')}-20260101-120000"
    run = a_whole_run(runs, name)
    problem = {"severity": "error", "code": HOSTILE, "key": HOSTILE, "file": HOSTILE, "line": 1, "message": HOSTILE}
    for event in (
        Started(name=HOSTILE, task=HOSTILE, backend=HOSTILE, model=HOSTILE, pid=1, stages=(HOSTILE, "train")),
        Stage(name=HOSTILE),
        Stage(name=HOSTILE, ended=True, seconds=1),
        Evaluated(when="before", metrics={f"ndcg{HOSTILE}": 0.1}, what=HOSTILE),
        Evaluated(when="after", metrics={f"ndcg{HOSTILE}": 0.2}, what=HOSTILE),
        Noticed(problem=problem),
        Saved(what="model", path=HOSTILE),
        Failed(exit_code=1, problems=(problem,)),
    ):
        run.emit(event)
    run.model.mkdir()
    (run.report / "report.md").write_text(f"# {HOSTILE}\n\n| {HOSTILE} | b |\n|---|---|\n| 1 | 2 |\n", "utf-8")
    for as_json in (False, True):
        run_runs(runs, as_json)
        run_watch([name], runs, as_json)
        run_report(name, runs, as_json)
        run_compare([good.name, name], runs, as_json)
        assert "owned" in told(capsys)
    for text in _texts_of(read_state(run)):
        assert HARMFUL.findall(text) == []


def _texts_of(value: object) -> Iterator[str]:
    for name, item in vars(value).items():
        if name != "problems":  # worded where they are shown
            yield repr(item) if not isinstance(item, str) else item
