"""``make torture``: a run whose processes are allowed less memory than it needs goes on by itself, or says so."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.torture.cases import LANGUAGE, RETRIEVAL, copied, events, libraries
from tests.torture.killing import Child
from tunewiz.backends.runs.create import create
from tunewiz.backends.runs.ends import AGAIN
from tunewiz.backends.runs.events import Adjusted, Failed, Finished, Progress, Sampled, parse

pytestmark = [pytest.mark.torture, pytest.mark.timeout(3600)]

ROWS = 2048
#: Bytes of data: the libraries and the tiny model have 1.0 GiB, a step on all rows at once 2.2 GiB.
LIMIT = 1900 << 20


def test_a_step_that_does_not_fit_is_taken_in_pieces(tmp_path: Path, tiny_encoder: Path) -> None:
    rows = [{"query": f"how do i train model {number}", "positive": f"to train the model {number} " * 20}
            for number in range(ROWS + 64)]  # fmt: skip
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    (tmp_path / "tiny.yaml").write_text(
        f"name: tiny\ntask: embedding\nmodel: {{id: {tiny_encoder}, source: local}}\n"
        "data: {train: rows.jsonl, clean: false, evaluation: {fraction: 0.02}}\nloss: multiple_negatives_ranking\n"
        f"training: {{batch_size: {ROWS}, max_steps: 2, max_length: 64, log_every: 1, precision: fp32}}\n"
        "launch: {device: cpu, threads: 1}\nevaluation: {bootstrap: 200, baseline: false}\n",
        "utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-m", "tunewiz", "run", "tiny.yaml", "--runs-dir", "runs"],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TUNEWIZ_LANG": "en"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Memory ran out on cpu. The run goes on by itself" in done.stderr
    (run,) = (tmp_path / "runs").iterdir()
    told = [parse(line) for line in (run / "events.jsonl").read_text("utf-8").splitlines()]
    first = next(place for place, event in enumerate(told) if isinstance(event, Adjusted))
    assert told[first].values.keys() == {"loss"}
    assert not any(isinstance(event, Progress) and event.stage == "train" for event in told[:first]), (
        "the probe ran out"
    )
    assert isinstance([event for event in told if not isinstance(event, Sampled)][-1], Finished)


#: MiB that the child of a tiny run may take; a whole run of the tiny encoder takes about 150.
AMOUNTS = (2, 8, 24, 48, 96)


@pytest.mark.parametrize("case", [*RETRIEVAL, *LANGUAGE])
def test_too_little_memory_is_told_wherever_it_runs_out(
    case: str, tmp_path: Path, tiny_encoder: Path, tiny_llm: Path
) -> None:
    """Every end is one with words: finished, or out of memory after all that could be made smaller was."""
    made = RETRIEVAL.get(case) or LANGUAGE[case]
    preset = made(tmp_path, tiny_encoder if case in RETRIEVAL else tiny_llm)
    base = create(preset, tmp_path / "runs", "x").directory
    with Child(*libraries(case)) as child:
        for amount in AMOUNTS:
            run = copied(base, f"within-{amount}")
            while (status := child.run(run, memory=amount << 20).status) == AGAIN:
                assert isinstance(events(run)[-2], Adjusted) or isinstance(events(run)[-1], Adjusted)
            end = events(run)[-1]
            log = (run / "output.log").read_text("utf-8")[-3000:]
            assert (status, type(end)) in ((0, Finished), (4, Failed)), (amount, status, end, log)
            if isinstance(end, Failed):
                assert end.exit_code == 4
                assert "memory" in str(end.problems[-1]["message"]), (amount, end)
