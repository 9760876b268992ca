"""The same trainings with and without a probe, of every engine, in one process: importing them takes longest.

``python -m tests.children.probing FOLDER ENCODER LLM`` prints, as JSON, for each case both series of losses, the hash
of what was trained, and what the probe told.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.children import llm_setup, reranking, training_setup
from tests.children.training_setup import events, groups, prepared
from tunewiz.backends.engines.flag_embedding.flag_training import FlagReranking, FlagTraining
from tunewiz.backends.engines.llama_factory import LlamaFactory
from tunewiz.backends.engines.peft import Peft
from tunewiz.backends.runs.events import Probed, Progress
from tunewiz.backends.runs.run import Run
from tunewiz.backends.training import probe
from tunewiz.backends.training.encoder_training import EncoderTraining
from tunewiz.backends.training.reranker_training import RerankerTraining

STEPS = {"max_steps": 4, "accumulation": 2, "evaluations": 0}


def retrieval(kind: Any, make: Callable[..., Any], loss: Any, model: Path, **more: Any) -> Callable[[Run], None]:
    def train(run: Run) -> None:
        places = (model,) if make is training_setup.preset else (model, run.directory)
        named = {"loss": loss} if make is reranking.reranker_preset else {}
        plain = (loss,) if make is training_setup.preset else ()
        wanted = make(*places, *plain, **named, training=STEPS, **more)
        kind(run, wanted, prepared(groups(2)), model).start()

    return train


def language(engine: Any, model: Path, **sections: Any) -> Callable[[Run], None]:
    def train(run: Run) -> None:
        wanted = llm_setup.preset(model, training=STEPS, **sections)
        engine().prepare(run, wanted)
        engine().train(run, wanted)

    return train


def cases(encoder: Path, llm: Path) -> dict[str, Callable[[Run], None]]:
    embedding, reranker = training_setup.preset, reranking.reranker_preset
    flag = {"backend": "flag_embedding"}
    return {
        "sentence_transformers": retrieval(EncoderTraining, embedding, "multiple_negatives_ranking", encoder),
        "cached": retrieval(EncoderTraining, embedding, "cached_multiple_negatives_ranking", encoder),
        "cross_encoder": retrieval(RerankerTraining, reranker, "lambda_loss", encoder),
        "pieces": retrieval(RerankerTraining, reranker, {"name": "cross_entropy", "mini_batch_size": 4}, encoder),
        "flag_embedder": retrieval(FlagTraining, embedding, "info_nce", encoder, **flag),
        "flag_reranker": retrieval(FlagReranking, reranker, "group_softmax", encoder, backend="flag_embedding"),
        "llama_factory": language(LlamaFactory, llm),
        "peft": language(Peft, llm, backend="peft", method={"type": "prompt_tuning", "tokens": 4}),
    }


def weights(run: Run) -> str:
    """Of the last checkpoint, optimizer and random numbers included."""
    last = max(run.checkpoints.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    files = [path for path in sorted(last.rglob("*.safetensors")) if path.is_file()]
    assert files
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def main(folder: Path, encoder: Path, llm: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, train in cases(encoder, llm).items():
        found[name] = {"losses": [], "weights": [], "peak": [], "estimate": [], "rows": [], "seconds": []}
        for near in (float("inf"), 0.0):
            probe.NEAR = near  # type: ignore[misc]
            run = Run(folder / f"{name}-{near}")
            run.directory.mkdir(parents=True)
            train(run)
            told = events(run)
            losses = [one.values["loss"] for one in told if isinstance(one, Progress) and "loss" in one.values]
            found[name]["losses"].append(losses)
            found[name]["weights"].append(weights(run))
            for one in told:
                if isinstance(one, Probed):
                    found[name]["peak"].append(one.peak)
                    found[name]["rows"].append(one.rows)
                    found[name]["estimate"].append(one.estimate)
                    found[name]["seconds"].append([one.seconds, one.training])
        sys.stderr.write(f"{name} {found[name]}\n")
    return found


if __name__ == "__main__":
    told = main(*map(Path, sys.argv[1:]))
    sys.stdout.write("\n" + json.dumps(told) + "\n")
