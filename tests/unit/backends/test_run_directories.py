"""A run's directory: what it may be called, whose it is, who carries it, and its last word."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tunewiz import files
from tunewiz.backends.language_models.loaded_model import places_of
from tunewiz.backends.runs import ends, lock
from tunewiz.backends.runs.create import add_to_record, create
from tunewiz.backends.runs.ends import ended, given_up, kernel_kills, kernel_kills_since, why_lost
from tunewiz.backends.runs.events import Failed, Finished, Launched, Progress, Stage, Started
from tunewiz.backends.runs.follow import EventReader, read_state
from tunewiz.backends.runs.launching import launch
from tunewiz.backends.runs.process import alive, kill, write_identity
from tunewiz.backends.runs.run import RESERVE, Run
from tunewiz.files import full_cause, is_full, set_aside, write_whole
from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.drafts.kept import fresh, keep
from tunewiz.presets.preset import Preset
from tunewiz.presets.yaml.library import loads
from tunewiz.problems import BadData, BadPreset, Problem, TunewizError
from tunewiz.redaction import RedactingWriter

pytestmark = pytest.mark.usefixtures("in_english")

PRESET = "name: tiny\ntask: embedding\nmodel: starter\ndata: {train: 'sample:faq'}\nloss: multiple_negatives_ranking\n"


@pytest.fixture
def preset() -> Preset:
    return loads(PRESET.replace("model: starter", "model: {id: starter}"))


@pytest.fixture
def open_umask() -> Iterator[None]:
    """Whatever a program creates without care, all may read and write."""
    before = os.umask(0)
    yield
    os.umask(before)


def a_run(folder: Path) -> Run:
    run = Run(folder / "faq-20260101-000000")
    run.directory.mkdir()
    run.preset_file.write_text("[", encoding="utf-8")
    return run


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# Names.


@pytest.mark.parametrize(
    "name", ["../../x", "a/b", "", "x" * 65, "-x", ".x", "a b", "a\n", "a\0b", "é", "..", "\x1b[1m"]
)
def test_what_is_no_name_is_refused_with_the_rule(preset: Preset, tmp_path: Path, name: str) -> None:
    with pytest.raises(BadPreset) as refused:
        create(preset, tmp_path / "runs", name)
    (problem,) = refused.value.problems
    assert (problem.code, problem.where.key) == ("bad-name", "--name")
    assert "beginning with a letter or digit" in problem.line("en")
    assert "\x1b" not in problem.line("en")
    assert not (tmp_path / "runs").exists()


def test_a_name_stands_in_for_the_presets(preset: Preset, tmp_path: Path) -> None:
    assert create(preset, tmp_path, "A.b_c-9").name.startswith("A.b_c-9-20")
    assert create(preset, tmp_path).name.startswith("tiny-20")


# Whose it is.


def test_a_run_is_its_owners_alone_whatever_the_umask(preset: Preset, tmp_path: Path, open_umask: None) -> None:
    run = create(preset, tmp_path / "runs")
    add_to_record(run, more=1)
    run.emit(Launched())
    write_identity(run, os.getpid())
    run.ask_to_stop()
    run.reserve()
    assert mode(run.directory) == 0o700
    names = {"preset.yaml", "run.json", "events.jsonl", "process.json", "stop", "reserve"}
    assert {path.name: mode(path) for path in run.directory.iterdir()} == dict.fromkeys(names, 0o600)


def test_a_umask_that_takes_everything_leaves_the_owner_his_run(preset: Preset, tmp_path: Path) -> None:
    before = os.umask(0o777)
    try:
        run = create(preset, tmp_path)
    finally:
        os.umask(before)
    assert (mode(run.directory), mode(run.preset_file)) == (0o700, 0o600)


def test_what_libraries_wrote_is_taken_from_others_too(tmp_path: Path, open_umask: None) -> None:
    run = a_run(tmp_path)
    (run.data / "inner").mkdir(parents=True)
    cached = tmp_path / "cached"
    for path in (run.data / "inner" / "rows.jsonl", cached):
        path.write_text("x")
    (run.data / "linked").hardlink_to(cached)
    (run.data / "link").symlink_to(cached)
    assert ended_soon(run, launch(run)) == "failed"
    others = [
        path for path in (run.directory, *run.directory.rglob("*")) if not path.is_symlink() and mode(path) & 0o077
    ]
    assert others == [run.data / "linked"]  # a cache that is shared stays shared
    assert mode(cached) == 0o666


def test_drafts_are_their_owners_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_umask: None) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    kept = keep(fresh(Draft()))
    assert (mode(kept.file.parent), mode(kept.file)) == (0o700, 0o600)


def test_other_files_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "model_card.md", "text")
    finally:
        os.umask(before)
    assert mode(tmp_path / "model_card.md") == 0o640


def test_a_place_that_cannot_be_written_to_is_said(preset: Preset, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadPreset, match="No run can be written under"):
        create(preset, tmp_path / "file")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(TunewizError):
        create(preset, tmp_path / "nowhere" / ("x" * 300))


# Who carries it.


def test_a_lock_is_had_once_and_given_back_when_its_last_holder_goes(tmp_path: Path) -> None:
    held = lock.take(tmp_path)
    assert held is not None
    assert lock.take(tmp_path) is None
    assert lock.is_held(tmp_path)
    waiting = [sys.executable, "-c", "input()"]
    holder = subprocess.Popen(waiting, stdin=subprocess.PIPE, pass_fds=(held,))
    os.close(held)
    assert lock.take(tmp_path) is None
    holder.kill()
    holder.wait()
    again = lock.take(tmp_path)
    assert again is not None
    os.close(again)
    assert not lock.is_held(tmp_path)


def test_a_lock_on_a_file_that_was_deleted_does_not_count(tmp_path: Path) -> None:
    held = lock.take(tmp_path)
    assert held is not None
    (tmp_path / lock.FILE).unlink()
    other = lock.take(tmp_path)
    assert other is not None
    assert lock.take(tmp_path) is None
    os.close(held)
    os.close(other)


def test_the_owner_is_written_in_place_and_read_back(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    held = lock.take(run.directory)
    write_identity(run, os.getpid(), os.getppid())
    assert lock.take(run.directory) is None  # still the same file
    owner = lock.owner_of(run.directory)
    assert owner is not None
    assert (owner.pid, owner.keeper, owner.user) == (os.getpid(), os.getppid(), lock.user_name())
    assert owner.here
    assert abs(owner.since - time.time()) < 3600
    assert alive(run)
    assert held is not None
    os.close(held)


@pytest.mark.parametrize("record", ['{"pid": NaN}', '{"pid": 1e400}', '{"pid": true}', '{"pid": 1, "host": 7}',
                                    '{"pid": 1, "create_time": NaN}', '{"pid": -4}', '{"since": 1e300}'])  # fmt: skip
def test_an_odd_record_names_no_owner(tmp_path: Path, record: str) -> None:
    run = a_run(tmp_path)
    (run.directory / lock.FILE).write_text(record)
    assert not alive(run)
    assert not kill(run)


def test_a_run_of_another_machine_lives_as_long_as_its_lock_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_run(tmp_path)
    held = lock.take(run.directory)
    assert held is not None
    write_identity(run, os.getpid())
    monkeypatch.setattr("socket.gethostname", lambda: "another-machine")
    assert alive(run)
    assert not kill(run)
    with pytest.raises(BadPreset) as refused:
        launch(run)
    assert "process" in refused.value.problems[0].line("en")
    os.close(held)
    assert not alive(run)
    assert "is gone without a word" in why_lost(run).line("en")


def ended_soon(run: Run, child: subprocess.Popen[bytes]) -> str:
    """The status of ``run`` once its processes are gone."""
    child.wait(120)
    return read_state(run).status


def test_a_launch_starts_one_process_and_a_second_one_is_refused_with_the_owner(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    child = launch(run)
    with pytest.raises(BadPreset) as refused:
        launch(run)
    (problem,) = refused.value.problems
    assert problem.code == "run-is-alive"
    told = problem.line("en")
    owner = lock.owner_of(run.directory)
    assert owner is not None
    assert f"process {owner.pid} of {lock.user_name()} on {owner.host}, since 20" in told
    assert ended_soon(run, child) == "failed"  # its preset is none
    state = read_state(run)
    assert state.exit_code == 2
    assert not run.reserve_file.exists()
    assert not alive(run)
    assert [kind for kind in kinds(run) if kind == "Launched"] == ["Launched"]
    assert mode(run.log_file) == 0o600


def kinds(run: Run) -> list[str]:
    return [type(event).__name__ for event in EventReader(run.events_file).read()]


def test_a_process_that_is_ending_is_waited_for_and_that_is_told(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    last = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1)"], start_new_session=True)
    write_identity(run, last.pid)
    run.emit(Failed(exit_code=1))
    told: list[Problem] = []
    reaper = subprocess.Popen(["sleep", "0"])
    child = launch(run, lambda problem: (told.append(problem), last.wait())[0])
    reaper.wait()
    assert [problem.code for problem in told] == ["run-ending"]
    assert "ending" in told[0].line("en")
    assert ended_soon(run, child) == "failed"


def test_without_locks_the_process_decides_and_that_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    run = a_run(tmp_path)
    monkeypatch.setattr(fcntl, "flock", no_locks)
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    write_identity(run, other.pid)
    run.emit(Started(name="r", task="embedding", backend="b", model="m", pid=other.pid))
    with pytest.raises(BadPreset, match="already going on"):
        launch(run)
    other.kill()
    other.wait()
    assert ended_soon(run, launch(run)) == "failed"
    assert "no-file-locks" in [problem["code"] for problem in read_state(run).problems]


def test_a_run_that_cannot_be_written_to_is_refused_with_words(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    record = run.directory / lock.FILE
    (tmp_path / "precious").write_text("x")
    puts = {
        "folder": record.mkdir,
        "pipe": partial(os.mkfifo, record),
        "link": partial(record.symlink_to, "../precious"),
    }
    for says, put in puts.items():
        put()
        with pytest.raises(TunewizError) as refused:
            launch(run)
        assert refused.value.problems[0].code == "run-not-writable"
        assert f"it is a {says}" in refused.value.problems[0].line("en")
        record.rmdir() if says == "folder" else record.unlink()
    assert (tmp_path / "precious").read_text() == "x"
    assert not run.events_file.exists()


# The last word.


def test_half_a_line_spoils_no_other(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    run.events_file.write_bytes(Stage(name="train").line().encode() + b"\n" + b'{"event":"prog')
    run.emit(Launched())
    run.emit(Finished(verdict="WIN"))
    assert kinds(run) == ["Stage", "Launched", "Finished"]


def test_space_for_the_last_word_is_really_taken(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    run.reserve()
    assert run.reserve_file.stat().st_blocks * 512 >= RESERVE
    assert run.release()
    assert not run.release()


def test_a_full_disk_costs_a_line_of_the_log_and_nothing_else() -> None:
    with pytest.raises(OSError, match="space"), Path("/dev/full").open("wb", buffering=0) as plain:
        plain.write(b"x")
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        writer = RedactingWriter(descriptor)
        writer.release()  # nothing waits: it is written at once
        assert writer.write(b"four") == 4
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(
    ("fault", "full"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), True),
        (RuntimeError("[enforce fail at ...] . PytorchStreamWriter failed writing file data/0"), True),
        (RuntimeError('I/O error: No space left on device (os error 28)'), True),
        (OSError(errno.EACCES, "Permission denied"), False),
        (ValueError("space"), False),
    ],
)  # fmt: skip
def test_a_full_disk_is_known_by_its_number_or_its_words(fault: Exception, full: bool) -> None:
    assert is_full(fault) is full
    wrapped = RuntimeError("saving failed")
    wrapped.__cause__ = fault
    assert is_full(wrapped) is full
    assert full_cause(wrapped) is (fault if full else None)


def test_setting_aside_does_not_follow_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("x")
    (tmp_path / "reserve").symlink_to("elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        set_aside(tmp_path / "reserve", 10)
    assert (tmp_path / "elsewhere").read_text() == "x"


@pytest.mark.parametrize(
    ("status", "kills", "code", "exit_code", "says"),
    [
        (-signal.SIGKILL, 1, "run-killed", 4, "killed by signal 9, by the kernel, because host memory ran out"),
        (-signal.SIGKILL, None, "run-killed", 4, "killed by signal 9, most likely out of host memory"),
        (-signal.SIGKILL, 0, "run-killed", 1, "by a person, a batch system or a memory guard"),
        (-signal.SIGSEGV, 0, "run-crashed", 1, "signal 11, SIGSEGV"),
        (-signal.SIGTERM, 0, "run-ended", 1, "somebody ended it by signal 15"),
        (3, 0, "run-ended", 1, "exit status 3"),
        (0, 0, "run-ended", 1, "exit status 0"),
    ],
)
def test_an_end_without_a_word_is_told_by_its_signal(
    tmp_path: Path, status: int, kills: int | None, code: str, exit_code: int, says: str
) -> None:
    run = a_run(tmp_path)
    problem, told = ended(run, status, 3 << 30, kills)
    assert (problem.code, int(told)) == (code, exit_code)
    assert "ended without a word" in problem.line("en")
    assert says in problem.line("en")
    assert str(run.log_file) in problem.line("en")


@pytest.mark.parametrize(
    ("status", "kills", "code", "exit_code", "says"),
    [
        (-signal.SIGKILL, 1, "run-killed", 4, "(SIGKILL), by the kernel, because host memory ran out"),
        (-signal.SIGKILL, None, "run-killed", 1, "(SIGKILL): at the end of a batch job"),
        (-signal.SIGKILL, 0, "run-killed", 1, "(SIGKILL), but not by the kernel for want of memory"),
        (-signal.SIGTERM, 0, "run-ended", 1, "somebody ended it by signal 15"),
        (2, 0, "run-ended", 1, "exit status 2"),
    ],
)
def test_a_run_that_nobody_is_left_to_tell_of_is_told_by_its_launcher(
    tmp_path: Path, status: int, kills: int | None, code: str, exit_code: int, says: str
) -> None:
    run = a_run(tmp_path)
    problem, told = given_up(run, status, kills)
    assert (problem.code, int(told)) == (code, exit_code)
    assert says in problem.line("en")
    assert str(run.log_file) in problem.line("en")


def test_the_kernels_count_of_kills_is_that_of_the_control_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = kernel_kills()
    assert known is None or known >= 0
    group, machine = tmp_path / "memory.events", tmp_path / "vmstat"
    machine.write_text("nr_free_pages 10\noom_kill 7\n", encoding="ascii")
    monkeypatch.setattr(ends, "_counters", lambda: [group, machine])
    assert kernel_kills() == 7  # the root of the groups has no file of its own
    group.write_text("oom 9\noom_kill 2\noom_group_kill 0\n", encoding="ascii")
    assert (kernel_kills(), kernel_kills_since(1), kernel_kills_since(None)) == (2, 1, None)
    assert kernel_kills_since(7) is None  # of another group: this process was moved
    for file in (group, machine):
        file.write_bytes(b"oom_kill \xff\noom_kill\n")
    assert kernel_kills() is None


def test_progress_goes_untold_on_a_full_disk_and_other_events_raise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_run(tmp_path)
    run.events_file.symlink_to("/dev/full")
    run.emit(Progress(stage="train", step=1, total=2))
    with pytest.raises(OSError, match="No space"):
        run.emit(Stage(name="train", ended=True))


def test_a_record_that_cannot_be_read_now_is_not_replaced_by_less(
    preset: Preset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lack of memory, or of anything else, while it is read: what is in it is still needed."""
    run = create(preset, tmp_path)
    before = run.record_file.read_bytes()
    with monkeypatch.context() as short:
        short.setattr(files, "parse_json", _no_memory)
        with pytest.raises(MemoryError):
            add_to_record(run, more=1)
    assert run.record_file.read_bytes() == before
    with run.record_file.open("ab") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(OSError, match="File too large"):
        add_to_record(run, more=1)
    assert run.record_file.stat().st_size == 1 << 40


def _no_memory(_: str) -> None:
    raise MemoryError


@pytest.mark.parametrize(
    "record", [{}, {"llm": [], "model": {"path": "/m"}}, {"llm": {"template": "x"}, "model": None}]
)
def test_a_record_without_what_preparing_wrote_is_named_as_damaged(record: dict[str, Any], tmp_path: Path) -> None:
    run = Run(tmp_path / "a run")
    with pytest.raises(BadData, match="is damaged") as fault:
        places_of(record, run.data, run.checkpoints)
    assert fault.value.problems[0].fix is not None
    assert f"tunewiz run '{run.preset_file}'" in fault.value.problems[0].fix.text()
