"""What the tests of measuring, exporting and reporting share: a collection, a preset, and hardly any training."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.conftest import DEVICE
from tunewiz.backends.models.loading import load_encoder
from tunewiz.backends.ranks import plan
from tunewiz.backends.reports.metrics_file import MetricsFile
from tunewiz.backends.reports.next_steps import known_of, next_steps
from tunewiz.backends.runs.events import Event, parse
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.run import Run
from tunewiz.backends.runs.worker import _work
from tunewiz.backends.stages.retrieval import RetrievalBackend
from tunewiz.presets.preset import Preset, RetrievalPreset
from tunewiz.presets.recipe import open_keys
from tunewiz.presets.sections.method import Lora
from tunewiz.presets.tasks.embedding import EmbeddingPreset
from tunewiz.presets.yaml.library import load
from tunewiz.presets.yaml.writing import dumps

TOPICS = (
    "gpu memory",
    "disk port",
    "cuda driver",
    "python check point",
    "learning rate",
    "text search",
    "batch loss",
    "server error",
)


def write_beir(folder: Path) -> Path:
    """Eight topics, three documents each, two training queries and two test queries each; grades 1 and 2."""
    documents = [
        {
            "_id": f"d{topic}-{place}",
            "title": "answer",
            "text": f"{text} {['how', 'why', 'what'][place]} the {text} data",
        }
        for topic, text in enumerate(TOPICS)
        for place in range(3)
    ]
    queries = [
        {
            "_id": f"q{topic}-{place}",
            "text": f"{['how do i', 'what is the', 'why does my', 'when to stop'][place]} {text}",
        }
        for topic, text in enumerate(TOPICS)
        for place in range(4)
    ]
    (folder / "qrels").mkdir(parents=True)
    for name, rows in (("corpus", documents), ("queries", queries)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    for split, places in (("train", (0, 1)), ("test", (2, 3))):
        lines = ["query-id\tcorpus-id\tscore"]
        lines += [
            f"q{topic}-{place}\td{topic}-{rank}\t{2 - rank}"
            for topic in range(8)
            for place in places
            for rank in (0, 1)
        ]
        (folder / "qrels" / f"{split}.tsv").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


def preset_for(model: Path, data: Path, **changes: Any) -> EmbeddingPreset:
    settings: dict[str, Any] = {
        "name": "tiny",
        "backend": "barely_training",
        "model": {"id": str(model), "source": "local", "query_instruction": "search: "},
        "data": {"train": str(data)},
        "loss": {"name": "multiple_negatives_ranking"},
        "training": {"max_length": 48},
        "evaluation": {"k": [1, 3], "metric": "ndcg@3", "bootstrap": 200, "general": False},
        "launch": {"device": DEVICE},
    }
    return EmbeddingPreset.model_validate(settings | changes)


class BarelyTraining(RetrievalBackend):
    """Stands in for a backend: what it calls training moves the weights a little, so that before and after differ."""

    name = "barely_training"
    step = 0.02

    def problems(self, preset: EmbeddingPreset) -> list[Any]:
        return []

    def native(self, preset: EmbeddingPreset) -> str:
        return ""

    def train(self, run: Run, preset: EmbeddingPreset) -> None:
        import torch

        from tunewiz.backends.models.adapters import add_lora

        model = load_encoder(self.base(run, preset), preset)
        if isinstance(preset.method, Lora):
            add_lora(model, preset.method)
        torch.manual_seed(1)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.requires_grad:
                    parameter.add_(torch.randn_like(parameter) * self.step)
        model.save_pretrained(str(self.tuned(run)), create_model_card=False)


STAGES = ("prepare", "baseline", "train", "evaluate", "export")


def fresh_run(folder: Path, preset: Preset) -> Run:
    """An empty run of ``preset``."""
    run = Run(folder)
    run.directory.mkdir(parents=True)
    run.preset_file.write_text(dumps(preset), "utf-8")
    return run


def go_through(
    run: Run, preset: RetrievalPreset, stages: tuple[str, ...] = STAGES, backend: RetrievalBackend[Any] | None = None
) -> str:
    """All stages in this process, each with the preset as the one before left it; the verdict."""
    backend = backend or BarelyTraining()
    for stage in stages:
        getattr(backend, stage)(run, preset)
        if open_keys(preset.training):  # which preparing has chosen
            preset = load(str(run.preset_file))  # type: ignore[assignment]
    return backend.report(run, preset)


def exported_run(folder: Path, model: Path, **changes: Any) -> Run:
    """A run in ``folder`` that went through all but its evaluation: what an export needs. See :func:`preset_for`."""
    preset = preset_for(model, write_beir(folder / "beir"), **changes)
    run = fresh_run(folder / "run", preset)
    go_through(run, preset, ("prepare", "train", "export"))
    return run


def carried(run: Run) -> int:
    """Go through ``run`` as its child does, in this process, which has imported everything already; the exit code."""
    before = list(plan._taken)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return _work(run)
    finally:
        plan._taken[:] = before  # the cards that a process takes, once


def events(run: Run) -> list[Event]:
    return [event for line in run.events_file.read_text("utf-8").splitlines() if (event := parse(line))]


def advised(run: Run) -> tuple[list[str], list[str]]:
    """What the report of ``run`` advises, and what is advised of its directory once it is finished."""
    metrics = MetricsFile.of(run.report)
    ended = replace(read_state(run), status="finished", verdict=metrics.verdict or "")
    return list(metrics.next), [step.text() for step in next_steps(known_of(run, ended))]
