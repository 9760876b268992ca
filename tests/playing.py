"""Plays a synthetic run into a directory, through the very code a real one writes with.

``python -m tests.playing DIRECTORY [--steps N] [--rate A_SECOND] [--end finished|failed|never] [--shape diverging]``
"""

from __future__ import annotations

import argparse
import math
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

from tunewiz.backends.runs.events import (
    Evaluated,
    Event,
    Failed,
    Finished,
    Noticed,
    Progress,
    Sampled,
    Saved,
    Stage,
    Started,
)
from tunewiz.backends.runs.process import write_identity
from tunewiz.backends.runs.run import Run
from tunewiz.problems import Where, say, warning

PRESET = """\
version: 1
name: {name}
task: embedding
backend: sentence_transformers
model:
  id: {model}
data:
  train: faq.csv
method:
  type: full
loss:
  name: multiple_negatives_ranking
training:
  learning_rate: {rate}
"""
BEFORE = {"ndcg@10": 0.6412, "mrr@10": 0.5987, "recall@1": 0.4873, "recall@10": 0.8011, "map@100": 0.6034}


def a_run(
    folder: Path, name: str = "faq-embedding-20260101-120000", model: str = "BAAI/bge-small-zh-v1.5", rate: float = 2e-5
) -> Run:
    """A run's directory with its preset."""
    run = Run(folder / name)
    run.directory.mkdir(parents=True)
    run.preset_file.write_text(PRESET.format(name=name.partition("-2")[0], model=model, rate=rate), encoding="utf-8")
    return run


CUT = warning(
    "too-long",
    say("{percent} % of the rows are longer than {limit} tokens and are cut off.", percent=3, limit=256),
    Where(file="faq.csv", line=12),
    say("Set training.max_length to {length}, if memory allows.", length=320),
).record()
FULL = {"severity": "error", "code": "out-of-memory", "message": "The GPU ran out of memory.",
        "fix": "Halve training.batch_size."}  # fmt: skip


def opening(
    run: Run, at: float, pid: int = 0, model: str = "BAAI/bge-small-zh-v1.5", task: str = "embedding"
) -> list[Event]:
    """Everything up to the first step of training."""
    backend = "sentence_transformers"
    return [
        Started(time=at, name=run.name, task=task, backend=backend, model=model, pid=pid or os.getpid()),
        Stage(time=at, name="prepare"),
        Noticed(time=at + 1, problem=CUT),
        Stage(time=at + 2, name="prepare", ended=True, seconds=2),
        Stage(time=at + 2, name="baseline"),
        Evaluated(time=at + 8, when="before", metrics=BEFORE),
        Stage(time=at + 8, name="baseline", ended=True, seconds=6),
        Stage(time=at + 8, name="train"),
    ]


def training(steps: int, begun: float, pace: float, shape: str = "good", seed: int = 0) -> Iterator[Event]:
    """A progress event a step, ``pace`` seconds apart, with evaluations and checkpoints now and then."""
    draw = random.Random(seed)
    for step in range(1, steps + 1):
        share, at = step / steps, begun + step * pace
        loss = 0.35 + 1.9 * math.exp(-4 * share) + draw.gauss(0, 0.12)
        if shape == "diverging" and share > 0.3:
            loss += 4 * (share - 0.3)
        values = {
            "loss": max(0.01, loss), "learning_rate": 2e-5 * min(share / 0.1, (1 - share) / 0.9),
            "grad_norm": 1.5 + 2 * math.exp(-5 * share) + abs(draw.gauss(0, 0.4)), "epoch": 3 * share,
            "samples_per_second": 240 + draw.gauss(0, 9), "memory": 3.1e9, "memory_peak": 3.4e9,
            "positive_cosine": 0.85 - 0.2 * math.exp(-4 * share), "negative_cosine": 0.55 + 0.1 * math.exp(-4 * share),
            "margin": 0.3 - 0.3 * math.exp(-4 * share),
        }  # fmt: skip
        yield Progress(time=at, stage="train", step=step, total=steps, values=values)
        if step % max(1, steps // 10) == 0:
            seen = {"eval_loss": 0.5 + 1.8 * math.exp(-4 * share) + (share**3) * 0.4,
                    "eval_ndcg@10": 0.7 - 0.06 * math.exp(-4 * share)}  # fmt: skip
            yield Evaluated(time=at, when="during", what="validation", metrics=seen, step=step)
            yield Sampled(time=at, values={"gpu0_memory": 3.1e9 + 1e8 * share, "gpu0_total": 25.4e9,
                                           "gpu0_utilisation": 90 + draw.gauss(0, 3), "load": 12.0})  # fmt: skip
            yield Saved(time=at, what="checkpoint", path=f"checkpoints/checkpoint-{step}")


def closing(at: float, gain: float = 0.07) -> list[Event]:
    """From the end of training to the verdict."""
    events: list[Event] = [Stage(time=at, name="train", ended=True, seconds=90)]
    after = {name: value + gain * (1 - value) * 2 for name, value in BEFORE.items()}
    events += [Stage(time=at, name="evaluate"), Evaluated(time=at + 5, when="after", metrics=after)]
    for number, name in enumerate(("evaluate", "export", "report")):
        events += [
            Stage(time=at + 5 + number, name=name),
            Stage(time=at + 6 + number, name=name, ended=True, seconds=1),
        ]
    return [*events, Finished(time=at + 9, verdict="WIN" if gain > 0 else "REGRESSION")]


def log_lines(run: Run, text: str) -> None:
    """Append to the log, as libraries do."""
    with run.log_file.open("a", encoding="utf-8") as log:
        log.write(text)


def play(run: Run, steps: int, rate: float, end: str, shape: str) -> None:
    """Write a run as this process, in its own time; a stop request ends it with a checkpoint."""
    write_identity(run, os.getpid())
    log_lines(run, "==> prepare\nReading faq.csv\n==> baseline\n==> train\n")
    for event in opening(run, time.time()):
        run.emit(event)
    for event in training(steps, time.time(), 1 / rate, shape):
        if isinstance(event, Progress):
            log_lines(run, f"{{'loss': {event.values['loss']:.4f}, 'epoch': {event.values['epoch']:.2f}}}\n")
            time.sleep(max(0.0, event.time - time.time()))
        run.emit(event)
        if run.stop_requested():
            return run.end_stopped()
    if end == "failed":
        return run.emit(Failed(exit_code=4, problems=(FULL,)))
    for event in closing(time.time()) if end == "finished" else ():
        run.emit(event)
    while end == "never":
        time.sleep(1)
    return None


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=10.0)
    parser.add_argument("--end", default="finished")
    parser.add_argument("--shape", default="good")
    given = parser.parse_args()
    run = Run(given.directory) if given.directory.exists() else a_run(given.directory.parent, given.directory.name)
    play(run, given.steps, given.rate, given.end, given.shape)


if __name__ == "__main__":
    main()
