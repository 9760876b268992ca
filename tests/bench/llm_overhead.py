"""Training a language model by Tunewiz beside ``llamafactory-cli train`` with the same configuration.

    python -m tests.bench.llm_overhead [--preset llm/starter] [--set KEY=VALUE ...] [--repeats N]

Data are prepared once. Then both train from the same files, each in a process of its own, taking turns; what Tunewiz
adds is its events, its checks for a stop and its progress. Printed are the best of the repeats: the whole process, the
training loop as the Trainer reports it, and processor seconds. Measuring before and after is left out of both.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

STEPS = 20


def main() -> None:
    """Parse the command line; run all repeats, or, as a child, our training."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="llm/starter")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--train", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.train:
        _train(options.train)
        return
    with tempfile.TemporaryDirectory() as scratch:
        print(_table(_compare(options, Path(scratch))))


def _train(directory: Path) -> None:
    """Our training of a prepared run."""
    from tunewiz.backends.engines import find_engine
    from tunewiz.backends.runs.run import Run
    from tunewiz.presets.yaml.library import load

    run = Run(directory)
    preset = load(str(run.preset_file))
    find_engine(preset.backend).train(run, preset)


def _compare(options: argparse.Namespace, scratch: Path) -> dict[str, list[dict[str, float]]]:
    from tunewiz.backends.engines import find_engine
    from tunewiz.backends.runs.create import create
    from tunewiz.presets.yaml.library import load

    fixed = [f"training.max_steps={STEPS}", "training.evaluations=0", "data.evaluation.validation_fraction=0"]
    preset = load(options.preset, [*fixed, *options.overrides])
    run = create(preset, scratch)
    find_engine(preset.backend).prepare(run, preset)
    found: dict[str, list[dict[str, float]]] = {"llamafactory-cli train": [], "Tunewiz": []}
    for number in range(options.repeats):
        for name in sorted(found, reverse=bool(number % 2)):
            shutil.rmtree(run.checkpoints, ignore_errors=True)
            record = _ours(run.directory) if name == "Tunewiz" else _theirs(run.directory, scratch)
            record |= _loop(run.checkpoints)
            found[name].append(record)
            print(name, record, file=sys.stderr, flush=True)
    return found


def _ours(directory: Path) -> dict[str, float]:
    return _timed([sys.executable, "-m", "tests.bench.llm_overhead", "--train", str(directory)])


def _theirs(directory: Path, scratch: Path) -> dict[str, float]:
    """The file that our training wrote is the configuration."""
    ours = directory / "llama_factory.yaml"
    if not ours.exists():
        _ours(directory)
        shutil.rmtree(directory / "checkpoints", ignore_errors=True)
    told: dict[str, Any] = yaml.safe_load(ours.read_text("utf-8"))
    told.pop("resume_from_checkpoint", None)
    file = scratch / "theirs.yaml"
    file.write_text(yaml.safe_dump(told), "utf-8")
    return _timed([str(Path(sys.executable).parent / "llamafactory-cli"), "train", str(file)])


def _timed(command: list[str]) -> dict[str, float]:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | _QUIET)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    seconds = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"seconds": seconds, "cpu": after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime}


_QUIET = {"DISABLE_VERSION_CHECK": "1", "HF_HUB_OFFLINE": "1"}


def _loop(folder: Path) -> dict[str, float]:
    told = json.loads((folder / "train_results.json").read_text("utf-8"))
    return {"loop": float(told["train_runtime"]), "loss": float(told["train_loss"])}


def _table(found: dict[str, list[dict[str, float]]]) -> str:
    """Best of the repeats, and ratios to LLaMA-Factory's own command."""
    best = {name: {key: min(run[key] for run in runs) for key in runs[0]} for name, runs in found.items()}
    base = best["llamafactory-cli train"]
    lines = [
        "| program | process s | ratio | training loop s | ratio | CPU s | ratio | training loss |",
        "|---" * 8 + "|",
    ]
    for name, row in best.items():
        cells = [f"{row[key]:.1f} | {row[key] / base[key]:.3f}" for key in ("seconds", "loop", "cpu")]
        lines.append(f"| {name} | {' | '.join(cells)} | {row['loss']:.4f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
