"""``make torture``: every engine's disk is full from an operation of every stage on; told, and nothing lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.children.test_full_disk import a_way
from tests.torture.cases import LANGUAGE, RETRIEVAL
from tests.torture.killing import ROOT
from tests.torture.test_matrix import KILLS, TABLE
from tunewiz.backends.runs.events import STAGES

pytestmark = [pytest.mark.torture, pytest.mark.timeout(4 * 3600)]


@pytest.mark.parametrize("case", [*RETRIEVAL, *LANGUAGE])
def test_a_full_disk_is_told_in_every_stage(case: str, tmp_path: Path, tiny_encoder: Path, tiny_llm: Path) -> None:
    model = tiny_encoder if case in RETRIEVAL else tiny_llm
    command = [*a_way(tmp_path), sys.executable, "-m", "tests.torture.full_disk", case, str(tmp_path), str(model)]
    done = subprocess.run([*command, str(KILLS)], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    stages = [json.loads(line) for line in done.stdout.splitlines()]
    assert [stage["stage"] for stage in stages] == [*STAGES]
    told = []
    for stage in stages:
        ends = stage["ends"]
        kept = [sum(end[what] for end in ends) for what in ("same", "bits")]
        told += [end for end in ends if end["status"]]
        left = sorted({name for end in ends for name in end["left"]})
        cells = (case, f"full disk, {stage['stage']}", stage["operations"], len(ends), *kept, ", ".join(left) or "0")
        TABLE.append(f"| {' | '.join(map(str, cells))} |")
    for end in told:
        # Gone on with, it may find room in the megabyte that was kept for the last word: a report takes less.
        assert end["status"] == 1 and end["again"] in (0, 1), end
        assert end["codes"][:1] == ["disk-full"], end
    for stage in stages:
        for end in stage["ends"]:
            assert (end["same"], end["bits"], end["left"]) == (True, True, []), (stage["stage"], end)
    # What begins a stage on a full disk cannot end it; only the last words of one may find their room in the reserve.
    assert {stage["stage"] for stage in stages if stage["ends"] and stage["ends"][0]["status"]} >= {"prepare", "train"}
