"""A disk that is full, at every stage of a run: told, nothing lost, and gone on from to the same result."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tunewiz.backends.runs.events import STAGES
from tunewiz.files import sha256

SIZE = 24  # MiB of the disk: room for the run and its checkpoints, and few blocks to fill
#: Ways to mount a disk that only one process sees: as root, and as a user who may be root in a space of his own.
WAYS = (["unshare", "--mount"], ["unshare", "--mount", "--map-root-user"])
PROBE = 'mount -t tmpfs -o size=1m none "$0"'


def a_way(folder: Path) -> list[str]:
    """What to put before a command that mounts; skips the test where nobody may."""
    why = ""
    for way in WAYS:
        try:
            probed = subprocess.run([*way, "sh", "-c", PROBE, str(folder)], capture_output=True, text=True)
        except OSError as fault:
            pytest.skip(f"no unshare(1) here: {fault}")
        if probed.returncode == 0:
            return way
        why = probed.stderr.strip()
    pytest.skip(f"no disk can be mounted here: {why}")


def a_preset(folder: Path, model: Path) -> Path:
    rows = [
        {"query": f"how do i train model {number}", "positive": f"to train the model {number}"} for number in range(40)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    preset = folder / "tiny.yaml"
    preset.write_text(
        f"name: tiny\ntask: embedding\nmodel: {{id: {model}, source: local}}\n"
        "data: {train: rows.jsonl, evaluation: {fraction: 0.25}}\nloss: multiple_negatives_ranking\n"
        "training: {batch_size: 8, epochs: 15, learning_rate: 1.0e-4, max_length: 32, log_every: 1}\n"
        "launch: {device: cpu}\nevaluation: {bootstrap: 200, general: false}\n",
        encoding="utf-8",
    )
    return preset


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_a_full_disk_is_told_at_every_stage_and_the_run_goes_on_to_the_same_result(
    tmp_path: Path, tiny_encoder: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    way, preset = a_way(disk), a_preset(tmp_path, tiny_encoder)
    environment = os.environ | {"TUNEWIZ_RUNS": str(tmp_path / "runs"), "LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1"}
    command = [*way, sys.executable, "-m", "tests.children.small_disk", str(preset), str(disk), str(SIZE)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    record: dict[str, Any] = json.loads(done.stdout)
    *full, last = record["ends"]
    assert {"prepare", "baseline", "train"} <= {end["at"] for end in full} <= set(STAGES)
    for end in full:
        assert (end["code"], end["status"]) == (1, "failed"), end["told"]
        assert end["problem"]["code"] == "disk-full"
        assert f"The disk of {disk}" in end["problem"]["message"]
        assert "is full" in end["told"]
        assert "tunewiz run --resume" in end["told"]
        assert "Traceback" not in end["told"]
        code, words = end["again"]  # while it is still full
        assert code == 1
        assert "is full" in words
    assert (last["code"], last["status"]) == (0, "finished"), last["told"]
    assert record["left"] == []
    assert "reserve" not in record["files"]
    whole = subprocess.run(
        [sys.executable, "-c", "import sys; from tunewiz.tui.cli import main; sys.exit(main())", "run", str(preset),
         "--json"], env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert whole.returncode == 0, whole.stderr
    told = json.loads(whole.stdout)
    assert last["after"] == told["after"]
    assert record["weights"] == sha256(Path(told["exported"]) / "model.safetensors")
