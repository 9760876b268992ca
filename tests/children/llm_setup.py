"""Runs of a tiny language model, several in one process: importing LLaMA-Factory takes longer than training it.

``python -m tests.children.llm_setup FOLDER MODEL CASES`` (JSON: name to sections of a preset) takes each case through
all stages (``interrupted``: stopped after a step and resumed) and prints,
as JSON, what was measured or what went wrong.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.conftest import DEVICE
from tunewiz.backends.runs.run import Run, StopRequested
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.problems import TunewizError

ROOT = Path(__file__).resolve().parents[2]


def preset(model: Path, /, **sections: Any) -> LlmPreset:
    """A preset for a few quick steps on the CPU; ``sections`` are merged over it."""
    plain: dict[str, dict[str, Any]] = {
        "model": {"id": str(model), "source": "local"},
        "data": {"train": "sample:instructions-en", "limit": 40},
        "training": {"batch_size": 4, "accumulation": 1, "max_steps": 3, "max_length": 192, "learning_rate": 1e-3,
                     "log_every": 1, "evaluations": 1, "gradient_checkpointing": False, "precision": "fp32"},
        "evaluation": {"rows": 4, "answers": 1, "max_new_tokens": 4, "general": False},
        "launch": {"device": DEVICE, "threads": 1},
    }  # fmt: skip
    whole: dict[str, Any] = {"name": "tiny", "task": "llm", **plain}
    for name, told in sections.items():
        whole[name] = {**plain[name], **told} if name in plain else told
    return LlmPreset.model_validate(whole)


def ran(folder: Path, model: Path, cases: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What :func:`main` printed for ``cases``, from a child process."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "tests.children.llm_setup", str(folder), str(model), json.dumps(cases)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=850, check=False)
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and lines, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def _through(run: Run, wanted: LlmPreset, interrupted: bool) -> dict[str, Any]:
    from tunewiz.backends.engines.llama_factory import LlamaFactory
    from tunewiz.backends.runs.events import Answered
    from tunewiz.backends.runs.follow import EventReader
    from tunewiz.files import read_json

    backend = LlamaFactory()
    for name in ("prepare", "baseline", "train", "evaluate", "export"):
        if name == "train" and interrupted:
            _stopped_after_a_step(backend, run, wanted)
        getattr(backend, name)(run, wanted)
    sides = {when: read_json(run.report / f"{when}.json")["metrics"] for when in ("before", "after")}
    record = read_json(run.record_file)
    verdict = backend.report(run, wanted)
    answered = [event for event in EventReader(run.events_file).read() if isinstance(event, Answered)]
    return {
        **sides,
        "general": read_json(run.report / "metrics.json")["general"],
        "general_answers": (read_json(run.report / "general.after.json") or {}).get("answers"),
        "answered": [(event.step, len(event.answers)) for event in answered],
        "verdict": verdict,
        "record": record["llm"],
        "files": sorted(path.name for path in run.model.rglob("*.safetensors")),
    }


def _stopped_after_a_step(backend: Any, run: Run, wanted: LlmPreset) -> None:
    run.stop_file.touch()
    with contextlib.suppress(StopRequested):
        backend.train(run, wanted)
    assert run.newest_checkpoint() == run.checkpoints / "checkpoint-1"
    assert (run.checkpoints / "checkpoint-1" / "optimizer.pt").is_file()
    run.end_stopped()


def main(folder: Path, model: Path, cases: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Each case in a run of its own below ``folder``."""
    found: dict[str, Any] = {}
    for name, told in cases.items():
        sections = dict(told)
        interrupted = bool(sections.pop("interrupted", False))
        run = Run(folder / name)
        run.directory.mkdir(parents=True)
        try:
            found[name] = _through(run, preset(model, **sections), interrupted)
        except TunewizError as fault:
            found[name] = {"codes": [problem.code for problem in fault.problems], "exit": int(fault.exit_code)}
    return found


if __name__ == "__main__":
    told = main(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]))
    sys.stdout.write("\n" + json.dumps(told) + "\n")
