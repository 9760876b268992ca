"""Which checkpoint a training goes on from, judged by files alone; and the record of what a run made."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tunewiz.backends.runs.checkpoints import best_of, choose, newest, numbered, prune, set_aside, set_aside_state
from tunewiz.backends.runs.create import add_to_record, record_folder, recorded_faults
from tunewiz.backends.runs.events import Noticed, Progress, Stage
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.manifest import MANIFEST, described, write_manifest
from tunewiz.backends.runs.process import write_identity
from tunewiz.backends.runs.run import Run
from tunewiz.backends.training import pissa
from tunewiz.backends.training.checkpoints import resume_from
from tunewiz.files import read_json


def safetensors(values: int) -> bytes:
    """A tensor of so many bytes in the format's own layout."""
    header = json.dumps({"x": {"dtype": "U8", "shape": [values], "data_offsets": [0, values]}}).encode()
    return len(header).to_bytes(8, "little") + header + b"w" * values


def checkpoint(folder: Path, step: int, sealed: bool = True, best: int = 0) -> Path:
    """A checkpoint as the Trainer leaves it."""
    path = folder / f"checkpoint-{step}"
    (path / "1_Pooling").mkdir(parents=True)
    (path / "1_Pooling" / "config.json").write_text("{}")
    (path / "model.safetensors").write_bytes(safetensors(step))
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        with zipfile.ZipFile(path / name, "w") as archive:
            archive.writestr("data.pkl", name * step)
    state = {"best_model_checkpoint": f"/moved/checkpoint-{best}"} if best else {}
    (path / "trainer_state.json").write_text(json.dumps(state))
    if sealed:
        write_manifest(path)
    return path


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def changed(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("sealed", [True, False], ids=["manifest", "older-version"])
@pytest.mark.parametrize(
    ("file", "damage", "told"),
    [
        ("model.safetensors", cut, "model.safetensors"),
        ("model.safetensors", Path.unlink, ""),
        ("trainer_state.json", cut, "trainer_state.json"),
        ("trainer_state.json", Path.unlink, ""),
        ("optimizer.pt", cut, "optimizer.pt"),
        ("optimizer.pt", Path.unlink, "optimizer.pt is missing"),
        ("scheduler.pt", Path.unlink, "scheduler.pt is missing"),
        ("rng_state.pth", cut, "rng_state.pth"),
    ],
)
def test_a_damaged_newest_checkpoint_is_passed_over(
    sealed: bool, file: str, damage: Any, told: str, tmp_path: Path
) -> None:
    older, newer = (checkpoint(tmp_path, step, sealed) for step in (9, 10))
    assert choose(tmp_path).checkpoint == newest(tmp_path) == newer
    damage(newer / file)
    chosen = choose(tmp_path)
    assert (chosen.checkpoint, list(chosen.lacks)) == (older, [])
    assert newest(tmp_path) == older
    assert [path for path, _ in chosen.passed] == [newer]
    assert told in chosen.passed[0][1].text("en")


def test_a_changed_byte_is_seen_by_its_hash(tmp_path: Path) -> None:
    older, newer = (checkpoint(tmp_path, step) for step in (1, 2))
    changed(newer / "1_Pooling" / "config.json")
    chosen = choose(tmp_path)
    assert chosen.checkpoint == older
    assert "1_Pooling/config.json" in chosen.passed[0][1].text("en")
    assert choose(tmp_path, thorough=False).checkpoint == newer


@pytest.mark.parametrize(
    "written", ["[]", "{half", '{"files": []}', '{"files": {"a": 1}}', '{"files": {"a\\u0000": {}}}']
)
def test_a_manifest_that_cannot_be_read_is_a_fault(written: str, tmp_path: Path) -> None:
    older, newer = (checkpoint(tmp_path, step) for step in (1, 2))
    (newer / MANIFEST).write_text(written)
    assert choose(tmp_path).checkpoint == older


@pytest.mark.parametrize("outside", ["/dev/zero", "../outside", "1_Pooling"])
def test_a_manifest_names_files_of_its_folder_alone(outside: str, tmp_path: Path) -> None:
    older, newer = (checkpoint(tmp_path, step) for step in (1, 2))
    (tmp_path / "outside").write_text("")
    told = read_json(newer / MANIFEST)
    told["files"][outside] = {"size": (newer / outside).stat().st_size, "sha256": ""}
    (newer / MANIFEST).write_text(json.dumps(told))
    chosen = choose(tmp_path)
    assert chosen.checkpoint == older
    assert f"{outside} is missing" in chosen.passed[0][1].text("en")


def test_one_without_manifest_is_unfinished_where_older_ones_have_theirs(tmp_path: Path) -> None:
    checkpoint(tmp_path, 1, sealed=False)  # of an older version
    sealed = checkpoint(tmp_path, 2)
    checkpoint(tmp_path, 3, sealed=False)  # killed before its manifest
    assert choose(tmp_path).checkpoint == sealed
    cut(sealed / "model.safetensors")
    assert choose(tmp_path).checkpoint == tmp_path / "checkpoint-1"


def test_whole_weights_without_the_optimizers_state_are_the_last_resort(tmp_path: Path) -> None:
    for step in (1, 2):
        path = checkpoint(tmp_path, step)
        (path / "optimizer.pt").unlink()
        cut(path / "scheduler.pt")
    cut(tmp_path / "checkpoint-2" / "model.safetensors")
    chosen = choose(tmp_path)
    assert chosen.checkpoint == tmp_path / "checkpoint-1"
    assert set(chosen.lacks) == {"optimizer.pt", "scheduler.pt"}
    set_aside_state(tmp_path / "checkpoint-1", chosen.lacks)
    assert "scheduler.pt.damaged" in names(tmp_path / "checkpoint-1")
    assert not {"optimizer.pt", "scheduler.pt"} & names(tmp_path / "checkpoint-1")


def test_a_run_is_told_what_it_goes_on_from(tmp_path: Path) -> None:
    run = Run(tmp_path)
    write_identity(run, os.getpid())  # a run that goes on
    assert resume_from(run) is None
    older, newer = (checkpoint(run.checkpoints, step) for step in (1, 2))
    (newer / "optimizer.pt").unlink()
    assert resume_from(run) == older
    assert names(run.checkpoints) == {"checkpoint-1", "checkpoint-2.damaged"}
    (older / "optimizer.pt").unlink()
    assert resume_from(run) == older
    cut(older / "model.safetensors")
    assert resume_from(run) is None
    assert [(told["code"], told["severity"]) for told in read_state(run).problems] == [
        ("checkpoint-passed-over", "warning"),
        ("optimizer-state-missing", "warning"),
        ("checkpoint-passed-over", "warning"),
    ]
    assert "checkpoint-1" in str(read_state(run).problems[0]["fix"])


def test_an_adapter_of_principal_values_goes_on_only_where_its_start_is_known(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert pissa.with_start(run, None) is None
    without, with_one = (checkpoint(run.checkpoints, step) for step in (1, 2))
    pissa.start_in(with_one).mkdir(parents=True)
    assert pissa.with_start(run, with_one) == with_one
    assert not run.events_file.exists()
    assert pissa.with_start(run, without) is None
    assert names(run.checkpoints) == {"checkpoint-1.damaged", "checkpoint-2.damaged"}
    told = read_state(run).problems[0]
    assert told["code"] == "checkpoint-passed-over"
    assert "checkpoint-1" in str(told["message"]) and "PiSSA" in str(told["message"])


def test_pruning_keeps_the_newest_whole_one_and_the_best(tmp_path: Path) -> None:
    for step in (1, 2, 3, 4):
        checkpoint(tmp_path, step, best=1)
    set_aside(checkpoint(tmp_path, 5))
    cut(tmp_path / "checkpoint-4" / "model.safetensors")
    assert best_of(tmp_path / "checkpoint-3") == tmp_path / "checkpoint-1"
    prune(tmp_path, 1)
    assert names(tmp_path) == {"checkpoint-1", "checkpoint-3"}
    checkpoint(tmp_path, 4)
    prune(tmp_path, 2)
    assert names(tmp_path) == {"checkpoint-3", "checkpoint-4"}


def test_pruning_leaves_all_where_none_is_whole(tmp_path: Path) -> None:
    for step in (1, 2):
        (checkpoint(tmp_path, step) / "model.safetensors").unlink()
    prune(tmp_path, 1)
    assert names(tmp_path) == {"checkpoint-1", "checkpoint-2"}


def test_pruning_of_weights_alone(tmp_path: Path) -> None:
    """A library may be told to save no optimizer."""
    for step in (1, 2, 3):
        path = checkpoint(tmp_path, step, sealed=False)
        (path / "optimizer.pt").unlink()
        write_manifest(path)
    prune(tmp_path, 2)
    assert names(tmp_path) == {"checkpoint-2", "checkpoint-3"}


def test_checkpoints_are_ordered_by_their_steps(tmp_path: Path) -> None:
    for step in (9, 10, 100):
        checkpoint(tmp_path, step)
    (tmp_path / "checkpoint-x").mkdir()
    (tmp_path / "checkpoint-1000").write_text("no folder")
    assert [step for step, _ in numbered(tmp_path)] == [100, 10, 9]
    assert numbered(tmp_path / "missing") == []


def test_a_manifest_leaves_out_what_is_beside_the_folders_own_files(tmp_path: Path) -> None:
    checkpoint(tmp_path, 1)
    (tmp_path / "checkpoint-2.damaged").mkdir()
    (tmp_path / "checkpoint-2.damaged" / "file").write_text("x")
    (tmp_path / "adapter_config.json").write_text("{}")
    assert list(described(tmp_path)) == ["adapter_config.json"]


def test_a_run_remembers_what_it_made(tmp_path: Path) -> None:
    run = Run(tmp_path)
    (run.model / "adapter").mkdir(parents=True)
    (run.model / "adapter" / "config.json").write_text("{}")
    add_to_record(run, seed=1)
    assert recorded_faults(run, run.model) is None
    record_folder(run, run.model)
    assert recorded_faults(run, run.model) == []
    assert read_json(run.record_file)["seed"] == 1
    changed(run.model / "adapter" / "config.json")
    assert recorded_faults(run, run.model, thorough=False) == []
    found = recorded_faults(run, run.model)
    assert found is not None and [fault.file for fault in found] == ["adapter/config.json"]


def test_half_a_line_of_a_killed_writer_swallows_no_event(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.emit(Stage(name="export"))
    with run.events_file.open("ab") as stream:
        stream.write(b'{"event":"progress","ste')
    run.emit(Stage(name="export", ended=True))
    run.emit(Progress(stage="report", step=1, total=2))
    assert read_state(run).done == ("export",)
    assert run.events_file.read_bytes().count(b"\n") == 4


def test_progress_alone_does_not_wait_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr("os.fsync", synced.append)
    run = Run(tmp_path)
    run.emit(Progress(stage="train", step=1, total=2))
    assert synced == []
    run.emit(Noticed(problem={}))
    assert len(synced) == 1
