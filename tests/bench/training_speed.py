"""Training speed and quality: the library's default recipe, the library with our settings, and ours, side by side.

``python -m tests.bench.training_speed --data BEIR_DIR`` prints a Markdown table. Each arm is a child process of its
own, arms take turns, and the median of the repeats is shown; on a machine that others use, compare the columns of CPU
seconds. Timed is everything between the loaded model and the saved one. ``--full`` trains to the end and measures
nDCG@10 on the test split; without it, arms stop after ``--samples`` training rows.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunewiz.data.retrieval.prepared import Prepared
from tunewiz.presets.tasks.embedding import EmbeddingPreset

CRANFIELD = Path(__file__).resolve().parents[3] / "shared/datasets/cranfield/beir"
ARMS = {
    "default": "library, its default recipe",
    "same": "library, our settings",
    "ours": "Tunewiz",
}


@dataclass(frozen=True)
class Given:
    """What every arm starts from. ``samples`` is 0 for a whole training."""

    preset: EmbeddingPreset
    prepared: Prepared
    folder: Path
    samples: int
    scratch: Path


def main() -> None:
    """Parse the command line; run all arms, or, as a child, one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=str(CRANFIELD) if CRANFIELD.is_dir() else "sample:faq-en")
    parser.add_argument("--preset", default="embedding/starter")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--samples", type=int, default=512)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--arm", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.arm:
        print(json.dumps(_arm(options)))
    else:
        _compare(options)


def _compare(options: argparse.Namespace) -> None:
    arms = options.arms.split(",")
    results: dict[str, list[dict[str, float]]] = {arm: [] for arm in arms}
    for _ in range(1 if options.full else options.repeats):
        for arm in arms:
            results[arm].append(_child(arm))
            print(arm, results[arm][-1], file=sys.stderr, flush=True)
    print(table(results))


def _child(arm: str) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.bench.training_speed", *sys.argv[1:], "--arm", arm]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    record: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return record


def table(results: dict[str, list[dict[str, float]]]) -> str:
    """A Markdown table: medians, and ratios to the first arm."""
    head = "| recipe | samples/s | ratio | samples per CPU second | ratio | seconds | nDCG@10 | difference |"
    lines = [head, "|" + "---|" * 8]
    medians = {
        arm: {key: statistics.median(run[key] for run in runs) for key in runs[0]} for arm, runs in results.items()
    }
    first = next(iter(medians.values()))
    for arm, median in medians.items():
        measured = "ndcg" in median
        lines.append(
            f"| {ARMS[arm]} | {median['rate']:.1f} | {median['rate'] / first['rate']:.2f} | {median['cpu_rate']:.1f} | "
            f"{median['cpu_rate'] / first['cpu_rate']:.2f} | {median['seconds']:.0f} | "
            + (f"{median['ndcg']:.4f} | {median['ndcg'] - first['ndcg']:+.4f} |" if measured else "– | – |")
        )
    return "\n".join(lines)


def _arm(options: argparse.Namespace) -> dict[str, float]:
    from tunewiz.backends import sources
    from tunewiz.backends.stages.retrieval import plan_of
    from tunewiz.data.retrieval.prepare import prepare
    from tunewiz.presets.yaml.library import load

    overrides = [f"data.train={options.data}", *options.overrides]
    preset = load(options.preset, overrides)
    folder = sources.fetch(sources.resolve(preset.model))
    prepared = prepare(plan_of(preset), lambda _: None)
    with tempfile.TemporaryDirectory() as scratch:
        given = Given(preset, prepared, folder, 0 if options.full else options.samples, Path(scratch))
        record, tuned = _timed(given, {"default": _default, "same": _same, "ours": _ours}[options.arm])
        return record | ({"ndcg": _ndcg(given, tuned)} if options.full else {})


def _ndcg(given: Given, tuned: Path) -> float:
    from tunewiz.backends.evaluate.measuring import measure
    from tunewiz.backends.stages.retrieval import wanted_of

    return measure(tuned, given.prepared.evaluation, wanted_of(given.preset), given.preset).metrics["ndcg@10"]


Stamp = Callable[[], None]


def _timed(given: Given, arm: Callable[[Given, Stamp], tuple[Path, int]]) -> tuple[dict[str, float], Path]:
    begun: list[tuple[float, float]] = []
    tuned, samples = arm(given, lambda: begun.append((time.perf_counter(), time.process_time())))
    wall, cpu = time.perf_counter() - begun[0][0], time.process_time() - begun[0][1]
    return {"rate": samples / wall, "cpu_rate": samples / cpu, "seconds": wall, "samples": float(samples)}, tuned


def _ours(given: Given, stamp: Stamp) -> tuple[Path, int]:
    from tunewiz.backends.runs.run import Run
    from tunewiz.backends.training.encoder_training import EncoderTraining

    trainers: list[Any] = []

    class Timed(EncoderTraining):
        def model(self) -> Any:
            model = super().model()
            stamp()
            return model

        def _trainer(self, model: Any) -> Any:
            trainers.append(super()._trainer(model))
            return trainers[-1]

    run = Run(given.scratch / "run")
    run.directory.mkdir()
    training = given.preset.training
    if given.samples:
        steps = given.samples // training.batch_size
        training = training.model_copy(update={"max_steps": steps, "evaluations": 0})
    preset = given.preset.model_copy(update={"training": training})
    tuned = Timed(run, preset, given.prepared, given.folder).start()
    return tuned, int(trainers[0].state.rows_trained)


def _default(given: Given, stamp: Stamp) -> tuple[Path, int]:
    return _library(given, stamp, {"num_train_epochs": 3} if not given.samples else {"max_steps": given.samples // 8})


def _same(given: Given, stamp: Stamp) -> tuple[Path, int]:
    from tunewiz.backends.machine.precision import choose
    from tunewiz.backends.models.loading import device_of
    from tunewiz.backends.training.arguments import settings

    device = device_of(given.preset.launch)
    arguments = settings(given.preset, choose(given.preset.training.precision, device)[0], device)
    arguments |= {"batch_sampler": "no_duplicates", "warmup_steps": given.preset.training.warmup}
    if given.samples:
        arguments["max_steps"] = given.samples // given.preset.training.batch_size
    return _library(given, stamp, arguments)


def _columns(given: Given) -> dict[str, list[str]]:
    from tunewiz.backends.training.loss_rows import loss_table as rows_of

    return rows_of(given.preset.loss, given.prepared, given.preset.training.seed).columns


def _library(given: Given, stamp: Stamp, arguments: dict[str, Any]) -> tuple[Path, int]:
    """The library as its documentation uses it."""
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.sentence_transformer import losses
    from transformers import set_seed

    set_seed(given.preset.training.seed)
    model = SentenceTransformer(str(given.folder))
    model.max_seq_length = min(given.preset.training.max_length, 512)
    stamp()
    quiet = {"report_to": "none", "disable_tqdm": True, "output_dir": str(given.scratch / "library")}
    trainer = _counting(SentenceTransformerTrainer)(
        model=model,
        args=SentenceTransformerTrainingArguments(**{**arguments, **quiet}),
        train_dataset=Dataset.from_dict(_columns(given)),
        loss=given.preset.loss.build(model, losses),
    )
    trainer.train()
    model.save_pretrained(str(given.scratch / "library-model"))
    return given.scratch / "library-model", trainer.rows


def _counting(kind: Any) -> Any:
    """``kind`` (a trainer's class), counting the rows it trains on: no-duplicates batches may be short."""

    class Counting(kind):  # type: ignore[misc]
        rows = 0

        def training_step(self, model: Any, inputs: Any, *arguments: Any, **options: Any) -> Any:
            self.rows += len(inputs["anchor_input_ids"])
            return super().training_step(model, inputs, *arguments, **options)

    return Counting


if __name__ == "__main__":
    main()
