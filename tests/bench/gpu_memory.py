"""The memory estimate beside what training takes on this machine's GPU, preset by preset.

    python -m tests.bench.gpu_memory [--only WORD] [--steps N] [--at-once N]

Each preset is trained for a few steps with a model of the true shape and random weights, so that nothing is downloaded;
its rows fill ``training.max_length``. Measured is what torch reserved at its peak plus the CUDA context, as NVML tells
them apart when nothing else uses the GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tunewiz.presets.families import KnownModel, lookup
from tunewiz.presets.memory import GB, Estimate
from tunewiz.presets.preset import Preset
from tunewiz.presets.yaml.library import load

#: Presets and what is changed in them.
CASES: Final[list[tuple[str, list[str]]]] = [
    ("llm/qwen3-0.6b-lora", []),
    ("llm/qwen3-0.6b-full", []),
    ("llm/qwen3-0.6b-classify-lora", []),
    ("llm/qwen3-1.7b-qlora", []),
    ("llm/qwen3-1.7b-lora", ["training.gradient_checkpointing=false"]),
    ("llm/qwen3-1.7b-full", []),
    ("llm/qwen3-4b-lora", []),
    ("llm/qwen3-8b-lora", []),
    ("llm/qwen3-8b-qlora", []),
    ("llm/qwen3-8b-qlora", ["method.bits=8"]),
    ("llm/llama-3.2-1b-lora", []),
    ("llm/llama-3.2-3b-qlora", []),
    ("embedding/bge-base-en", []),
    ("embedding/bge-large-en-lora", []),
    ("embedding/qwen3-embedding-0.6b-lora", []),
    ("reranker/bge-reranker-base", []),
    ("reranker/bge-reranker-v2-m3", []),
]


@dataclass(frozen=True)
class Case:
    """A preset with a local model, and what is expected of it."""

    title: str
    directory: Path
    expected: Estimate


def main() -> None:
    """Build the models, train each preset, print the table; or, as a child, train one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="presets with this in their name")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--at-once", type=int, default=1, help="trainings that share the GPU")
    parser.add_argument("--train", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.train:
        print(json.dumps(_train(options.train)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        wanted = [(name, changes) for name, changes in CASES if options.only in name]
        with ThreadPoolExecutor(options.at_once) as pool:
            models = {_known(name).size.id: _known(name) for name, _ in wanted}
            list(pool.map(lambda known: _build(Path(scratch), known), models.values()))
            cases = [_case(Path(scratch), name, changes, options.steps) for name, changes in wanted]
            found = list(pool.map(_measured, cases))
    print(_table(cases, found, _context()))


def _case(scratch: Path, name: str, changes: list[str], steps: int) -> Case:
    """A run of the preset ``name`` with a model of random weights, ready to be trained."""
    from tunewiz.backends.runs.create import create

    told = [f"training.max_steps={steps}", "training.evaluations=0", "training.log_every=1", *changes]
    expected = load(name, told).memory(_known(name))
    assert expected is not None, name
    rows = _rows(scratch, load(name, told))
    local = [f"model.id={_folder(scratch, _known(name))}", "model.source=local", f"data.train={rows}"]
    run = create(load(name, told + local), scratch / "runs")
    return Case(" ".join([name, *changes]), run.directory, expected)


def _known(name: str) -> KnownModel:
    known = lookup(load(name).model.id)
    assert known is not None, name
    return known


def _rows(scratch: Path, preset: Preset) -> Path:
    """A file of 64 rows longer than the preset reads."""
    path = scratch / f"{preset.task}.jsonl"
    long = "the server trains a model on data and the loss is lower when the learning rate is right " * 160
    rows = [
        {"instruction": f"{number} {long[:200]}", "output": f"{long}{number}"}
        if preset.task == "llm"
        else {"query": f"{number // 2} {long[:60]}", "document": f"{number} {long}", "label": number % 2}
        if preset.task == "reranker"
        else {"query": f"{number} {long}", "positive": f"{number + 1} {long}"}
        for number in range(64)
    ]
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return path


def _folder(scratch: Path, known: KnownModel) -> Path:
    return scratch / "models" / known.size.id.rpartition("/")[2]


def _build(scratch: Path, known: KnownModel) -> None:
    """Write a model of the shape of ``known`` with random weights, and a small tokenizer, to its folder."""
    command = [sys.executable, "-m", "tests.bench.random_models", known.size.id, str(_folder(scratch, known))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(known.size.id, done.stderr[-2000:], file=sys.stderr, flush=True)


def _measured(case: Case) -> dict[str, float]:
    """``reserved`` and ``allocated`` bytes of a training in a process of its own; empty if it failed."""
    command = [sys.executable, "-m", "tests.bench.gpu_memory", "--train", str(case.directory)]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "DISABLE_VERSION_CHECK": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        print(case.title, done.stderr[-2000:], file=sys.stderr, flush=True)
        return {}
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(case.title, found, file=sys.stderr, flush=True)
    return found


def _train(directory: Path) -> Mapping[str, float]:
    import torch

    from tunewiz.backends.engines import find_engine
    from tunewiz.backends.runs.run import Run

    run = Run(directory)
    preset = load(str(run.preset_file))
    backend: Any = find_engine(preset.backend)
    backend.prepare(run, preset)
    backend.train(run, load(str(run.preset_file)))
    return {
        "reserved": float(torch.cuda.max_memory_reserved()),
        "allocated": float(torch.cuda.max_memory_allocated()),
    }


def _context() -> float:
    """Bytes that CUDA itself takes in a process."""
    import pynvml
    import torch

    pynvml.nvmlInit()
    handle = pynvml.nvmlDeviceGetHandleByIndex(0)
    before = pynvml.nvmlDeviceGetMemoryInfo(handle).used
    torch.ones(1024, 1024, device="cuda") @ torch.ones(1024, 1024, device="cuda")
    torch.cuda.synchronize()
    return float(pynvml.nvmlDeviceGetMemoryInfo(handle).used - before - torch.cuda.memory_reserved())


def _table(cases: list[Case], found: list[dict[str, float]], context: float) -> str:
    lines = [
        f"CUDA context: {context / GB:.2f} GiB, counted in.",
        "",
        "| preset | low | expected | high | measured | allocated | within |",
        "|---|--:|--:|--:|--:|--:|---|",
    ]
    for case, told in zip(cases, found, strict=True):
        band = case.expected
        if not told:
            lines.append(f"| {case.title} | | | | failed | | |")
            continue
        peak = told["reserved"] + context
        numbers = (band.low, band.expected, band.high, peak, told["allocated"])
        within = "yes" if band.low <= peak <= band.high else "no"
        lines.append(f"| {case.title} | {' | '.join(f'{number / GB:.1f}' for number in numbers)} | {within} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
