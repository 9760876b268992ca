"""What is left of a writer that was killed, and who sweeps it up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.backends.test_run_directories import a_run, ended_soon
from tunewiz.backends.runs.launching import launch
from tunewiz.files import sweep, whole
from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.drafts.kept import drafts, fresh, keep


def left_by(folder: Path, pid: int, name: str = "file.json") -> Path:
    path = folder / f".{name}.{pid}.0.part"
    path.write_text("half")
    return path


@pytest.fixture
def gone() -> int:
    """The id of a process that is gone."""
    child = subprocess.Popen(["true"])
    child.wait()
    return child.pid


def test_only_what_no_living_process_writes_is_swept(tmp_path: Path, gone: int) -> None:
    dead, living = left_by(tmp_path, gone), left_by(tmp_path, os.getpid())
    kept = [tmp_path / name for name in (".hidden", "file.part", f".x.{gone}.tmp", "file.json")]
    for path in kept:
        path.write_text("x")
    folder = tmp_path / f".folder.{gone}.0.part"
    folder.mkdir()
    assert sweep(tmp_path) == [dead]
    assert all(path.exists() for path in (*kept, living, folder))
    assert sweep(tmp_path / "nowhere") == []


def test_what_is_young_may_be_written_on_another_machine(tmp_path: Path, gone: int) -> None:
    path = left_by(tmp_path, gone)
    assert sweep(tmp_path, older=3600) == []
    os.utime(path, (1.0, 1.0))
    assert sweep(tmp_path, older=3600) == [path]


def test_an_id_that_is_used_again_is_another_process(tmp_path: Path) -> None:
    path = left_by(tmp_path, os.getpid())
    os.utime(path, (1.0, 1.0))
    assert sweep(tmp_path) == [path]


def test_a_writer_that_was_killed_is_swept_up_after(tmp_path: Path) -> None:
    code = (
        "import os, signal\nfrom pathlib import Path\nfrom tunewiz.files import whole\n"
        f"with whole(Path({str(tmp_path)!r}) / 'file.json') as stream:\n"
        "    stream.write('half')\n    stream.flush()\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == -signal.SIGKILL
    (part,) = tmp_path.iterdir()
    assert sweep(tmp_path) == [part]


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with whole(file) as first:
        first.write("first")
        with whole(file) as second:
            second.write("second")
    assert file.read_text() == "first"
    assert list(tmp_path.iterdir()) == [file]


def test_drafts_are_swept_where_they_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: int) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    kept = keep(fresh(Draft()))
    old, young = left_by(kept.file.parent, gone, "old.json"), left_by(kept.file.parent, gone, "young.json")
    os.utime(old, (1.0, 1.0))
    assert len(drafts()) == 1
    assert not old.exists()
    assert young.exists()


def test_a_run_is_swept_when_it_is_launched(tmp_path: Path, gone: int) -> None:
    run = a_run(tmp_path)
    for folder in (run.data, run.checkpoints, run.directory / "cache"):
        folder.mkdir()
    mine = left_by(run.data, os.getpid(), "rows.jsonl")
    half = run.checkpoints / ".tuned.part"
    half.mkdir()
    (half / "model.safetensors").write_text("half")
    other = run.directory / "cache" / ".vectors.part.npz"  # of a process that tries the run's models
    for path in (other, run.data / ".v.part.npz"):
        path.write_text("half")
    left = left_by(run.data, gone)
    assert ended_soon(run, launch(run)) == "failed"
    assert [path.exists() for path in (left, half, run.data / ".v.part.npz", mine, other)] == [False] * 3 + [True] * 2
