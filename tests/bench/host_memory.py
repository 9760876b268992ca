"""Memory of a training on the processor: what was estimated beside what a process of its own took.

    python -m tests.bench.host_memory [--steps 1] [--model FOLDER]

Rows are made up: queries of 12 words, passages of as many words as fill the length. Each line is a training in a fresh
process, of the starter or of the model in FOLDER: the estimate as ``tunewiz check`` tells it, then the most resident
memory while it trained, and the probe's peak.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

GIB = 1 << 30
#: Preset, its settings, words a passage, wrong passages a query.
CASES: tuple[tuple[str, tuple[str, ...], int, int], ...] = (
    ("embedding/starter", ("training.batch_size=4",), 250, 0),
    ("embedding/starter", ("training.batch_size=8", "training.max_length=128"), 120, 1),
    ("reranker/starter", ("training.batch_size=2",), 250, 6),
    ("reranker/starter", ("training.batch_size=2", "loss.mini_batch_size=2"), 250, 6),
)
_WORDS = ("server", "model", "train", "disk", "port", "search", "answer", "question", "house", "water", "music", "cat")


def rows(words: int, wrong: int, count: int) -> Any:
    """Groups of made-up words."""
    from tunewiz.data.retrieval.prepared import Prepared
    from tunewiz.data.rows.examples import Group

    draw = random.Random(0)

    def text(length: int) -> str:
        return " ".join(draw.choice(_WORDS) for _ in range(length))

    made = [Group(text(12), (text(words),), tuple(text(words) for _ in range(wrong))) for _ in range(count)]
    return Prepared("groups", groups=made)


def measured(name: str, settings: Sequence[str], words: int, wrong: int, steps: int) -> dict[str, float]:
    """Train here; bytes by name."""
    from tunewiz.backends import readiness, sources
    from tunewiz.backends.runs.events import Probed, Progress, parse
    from tunewiz.backends.runs.run import Run
    from tunewiz.backends.stages.retrieval import texts_a_row
    from tunewiz.backends.training import probe
    from tunewiz.backends.training.encoder_training import EncoderTraining
    from tunewiz.backends.training.reranker_training import RerankerTraining
    from tunewiz.presets.preset import RetrievalPreset
    from tunewiz.presets.yaml.library import load

    shared = (f"training.max_steps={steps}", "training.log_every=1", "training.evaluations=0",
              "training.best_checkpoint=false", "launch.device=cpu")  # fmt: skip
    preset: Any = load(name, [*settings, *shared])
    assert isinstance(preset, RetrievalPreset)
    made = rows(words, wrong, 4 * preset.training.batch_size)
    located = sources.find_cached(preset.model)
    needed = readiness.estimate(preset, located, texts_a_row(preset, made))
    probe.NEAR = 0.0  # type: ignore[misc]
    training = {"embedding": EncoderTraining, "reranker": RerankerTraining}[preset.task]
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder))
        training(run, preset, made, Path(sources.fetch(sources.resolve(preset.model)))).start()
        told = [parse(line) for line in run.events_file.read_text("utf-8").splitlines()]
    peak = max(one.values.get("memory_peak", 0.0) for one in told if isinstance(one, Progress))
    tried = next(one.peak for one in told if isinstance(one, Probed))
    assert needed
    return {"low": needed.low, "expected": needed.expected, "high": needed.high, "probe": tried, "peak": peak}


def main() -> None:
    """Each case in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--model", default="")
    parser.add_argument("--case", type=int, default=-1, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.case >= 0:
        name, settings, words, wrong = CASES[asked.case]
        model = (f"model.id={asked.model}", "model.source=local") if asked.model else ()
        print("\n" + json.dumps(measured(name, (*settings, *model), words, wrong, asked.steps)))
        return
    print("| preset | words | wrong | estimated, GiB | probe | peak |\n|---|--:|--:|--:|--:|--:|")
    for number, (name, settings, words, wrong) in enumerate(CASES):
        command = [sys.executable, "-m", "tests.bench.host_memory", "--case", str(number), *sys.argv[1:]]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = {key: value / GIB for key, value in json.loads(done.stdout.splitlines()[-1]).items()}
        shown = ", ".join((name, *settings))
        print(
            f"| {shown} | {words} | {wrong} | {found['expected']:.1f} ({found['low']:.1f}–{found['high']:.1f}) | "
            f"{found['probe']:.1f} | {found['peak']:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
