"""A probe before training: its peak is told, and nothing of the training to come differs by a bit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.children.training_setup import events, groups, new_run, prepared, preset, train
from tunewiz.backends.runs.events import Event, Probed, Progress
from tunewiz.backends.runs.run import Run
from tunewiz.backends.training import probe
from tunewiz.problems import OutOfMemory

ROOT = Path(__file__).resolve().parents[2]
CASES = (
    "sentence_transformers", "cached", "cross_encoder", "pieces", "flag_embedder", "flag_reranker", "llama_factory",
    "peft",
)  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, tiny_llm: Path) -> dict[str, Any]:
    """Every engine's training, once without and once with a probe."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    places = (tmp_path_factory.mktemp("probe"), tiny_encoder, tiny_llm)
    command = [sys.executable, "-m", "tests.children.probing", *map(str, places)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=850, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    read: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return read


@pytest.mark.parametrize("name", CASES)
def test_training_goes_as_it_would_without(name: str, found: dict[str, Any]) -> None:
    told = found[name]
    without, with_probe = told["losses"]
    assert len(without) == 4 and with_probe == without
    assert told["weights"][0] == told["weights"][1]


@pytest.mark.parametrize("name", CASES)
def test_the_peak_is_told_once_beside_the_estimate(name: str, found: dict[str, Any]) -> None:
    told = found[name]
    (peak,), (rows,), (estimate,) = told["peak"], told["rows"], told["estimate"]
    assert rows == (4 if name in ("llama_factory", "peft") else 8)
    assert 100 << 20 < peak < 64 << 30
    assert 0 < estimate["low"] <= estimate["expected"] <= estimate["high"]
    ((seconds, training),) = told["seconds"]
    # Four steps of two batches, none longer than the one that was tried twice.
    assert 0 < training <= 8 * seconds


def test_a_probe_that_runs_out_ends_as_training_does(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No step was taken; the advice is that of the ladder, and a run that has been probed is not probed again."""
    run, wanted = new_run(tmp_path), preset(tiny_encoder)
    monkeypatch.setattr(probe, "NEAR", 0.0)
    with monkeypatch.context() as short:
        short.setattr(probe, "_step", _out_of_memory)
        with pytest.raises(OutOfMemory) as fault:
            train(run, wanted, prepared(groups(2)))
    assert [problem.code for problem in fault.value.problems][:2] == ["host-out-of-memory", "memory-step"]
    assert not any(isinstance(one, (Progress, Probed)) for one in told(run))
    run.emit(Probed(peak=1 << 30, device="cpu", rows=8))
    train(run, wanted, prepared(groups(2)))
    assert sum(isinstance(one, Probed) for one in told(run)) == 1


def _out_of_memory(*_: Any) -> None:
    raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory")


def told(run: Run) -> list[Event]:
    return events(run) if run.events_file.exists() else []
