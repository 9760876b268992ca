"""What the training tests share: a preset, rows, and a run in a temporary directory."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.conftest import DEVICE
from tunewiz.backends.runs.events import Event, parse
from tunewiz.backends.runs.run import Run
from tunewiz.backends.training.encoder_training import EncoderTraining
from tunewiz.data.retrieval.prepared import Prepared
from tunewiz.data.rows.examples import Group, ScoredPair
from tunewiz.presets.tasks.embedding import EmbeddingPreset

_VERBS = ["train", "stop", "resume", "check", "install", "run", "lower", "search"]
_NOUNS = ["gpu", "disk", "model", "data", "port"]


def groups(negatives: int = 0) -> list[Group]:
    """40 questions with an answer each, and as many wrong answers as wanted."""
    pairs = list(itertools.product(_VERBS, _NOUNS))
    answers = [f"to {verb} the {noun} you do it with the server" for verb, noun in pairs]
    return [
        Group(
            f"how do i {verb} the {noun}",
            (answers[place],),
            tuple(answers[(place + 7 * step) % len(answers)] for step in range(1, negatives + 1)),
            query_id=str(place),
        )
        for place, (verb, noun) in enumerate(pairs)
    ]


def scored(top: float = 1.0) -> list[ScoredPair]:
    """40 pairs, every other one a match."""
    rows = groups(1)
    return [
        ScoredPair(row.query, row.positives[0] if place % 2 else row.negatives[0], top * (place % 2))
        for place, row in enumerate(rows)
    ]


def prepared(
    train: Sequence[Group] = (), validation: Sequence[Group] = (), pairs: Sequence[ScoredPair] = ()
) -> Prepared:
    """Rows as a run's data would hold them."""
    if pairs:
        return Prepared("scored", pairs=list(pairs))
    return Prepared("groups", groups=list(train), validation_groups=list(validation))


def preset(model: Path, loss: Any = "multiple_negatives_ranking", /, **sections: Mapping[str, Any]) -> EmbeddingPreset:
    """A preset for two quick steps on the CPU; ``sections`` are merged over it."""
    training = {"batch_size": 8, "max_steps": 2, "log_every": 1, "learning_rate": 1e-3, "max_length": 32}
    plain: dict[str, Any] = {
        "name": "tiny",
        "task": "embedding",
        "model": {"id": str(model), "source": "local"},
        "data": {"train": "rows.jsonl"},
        "loss": loss,
        "launch": {"device": DEVICE},
    }
    plain |= {name: value for name, value in sections.items() if name != "training"}
    plain["training"] = training | dict(sections.get("training", {}))
    return EmbeddingPreset.model_validate(plain)


def new_run(folder: Path, name: str = "run") -> Run:
    """An empty run."""
    run = Run(folder / name)
    run.directory.mkdir(parents=True)
    return run


def train(run: Run, wanted: EmbeddingPreset, rows: Prepared) -> Path:
    """Train and give the folder of the tuned model."""
    return EncoderTraining(run, wanted, rows, Path(wanted.model.id)).start()


def events(run: Run) -> list[Event]:
    """What the run told."""
    lines = run.events_file.read_text(encoding="utf-8").splitlines()
    return [event for line in lines if (event := parse(line))]
