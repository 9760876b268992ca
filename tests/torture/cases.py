"""One small run of every engine, and what is compared of two runs of the same preset: measures, models, files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.children.evaluation import write_beir
from tests.children.llm_setup import preset as llm_preset
from tests.children.reranking import reranker_preset
from tests.children.training_setup import preset as embedding_preset
from tests.torture.killing import Child, Ended
from tunewiz.backends.runs.events import Noticed, Stage, parse
from tunewiz.presets.preset import Preset
from tunewiz.presets.tasks.comparison import ComparisonPreset
from tunewiz.presets.tasks.pipeline import PipelinePreset
from tunewiz.presets.yaml.writing import dumps

TRAINING = {"max_steps": 3, "evaluations": 3, "batch_size": 8, "scheduler": "constant", "warmup": 0}
MEASURED = {"k": [1, 3], "metric": "ndcg@3", "bootstrap": 200, "general": False}
LORA = {"type": "lora", "rank": 4, "alpha": 8, "dropout": 0.1}


def embedding(folder: Path, model: Path, **changes: Any) -> Preset:
    data = {"train": str(write_beir(folder / "beir")), "evaluation": {"validation_fraction": 0.2}}
    loss = changes.pop("loss", "multiple_negatives_ranking")
    return embedding_preset(model, loss, data=data, evaluation=MEASURED, training=TRAINING, **changes)


def flag_embedding(folder: Path, model: Path) -> Preset:
    negatives = {"strategy": "random", "per_query": 2, "candidates": 10}
    data = {"train": str(write_beir(folder / "beir")), "negatives": negatives}
    preset = embedding_preset(model, "m3_unified", data=data, evaluation=MEASURED, training=TRAINING)
    return preset.model_copy(update={"backend": "flag_embedding"})


def reranker(folder: Path, model: Path, **changes: Any) -> Preset:
    return reranker_preset(model, write_beir(folder / "beir"), training=TRAINING, **changes)


def of_reranker(folder: Path, model: Path) -> dict[str, Any]:
    plain = reranker(folder, model, loss="cross_entropy").model_dump(mode="json")
    return {name: plain[name] for name in ("model", "data", "candidates", "loss", "training", "evaluation", "launch")}


def pipeline(folder: Path, model: Path) -> Preset:
    first = folder / "first.yaml"
    first.write_text(dumps(embedding_preset(model)), "utf-8")
    return PipelinePreset.model_validate({"name": "x", "embedding": str(first), **of_reranker(folder, model)})


def comparison(folder: Path, model: Path) -> Preset:
    settings = {"name": "x", "strategies": ["random", "bm25"]} | of_reranker(folder, model)
    # Of the three documents that share words with a query two are known answers and the third is within the margin.
    settings["data"]["negatives"]["relative_margin"] = 0.0
    return ComparisonPreset.model_validate(settings)


def llm(folder: Path, model: Path, **changes: Any) -> Preset:
    return llm_preset(model, training=TRAINING | {"batch_size": 4}, **changes)


Made = Callable[[Path, Path], Preset]
RETRIEVAL: Mapping[str, Made] = {
    "sentence_transformers": embedding,
    "cross_encoder": lambda folder, model: reranker(folder, model, method=LORA),
    "flag_embedding": flag_embedding,
    "flag_reranker": lambda folder, model: reranker(folder, model, backend="flag_embedding", loss="group_softmax"),
    "pipeline": pipeline,
    "comparison": comparison,
}
LANGUAGE: Mapping[str, Made] = {
    "llama_factory": lambda folder, model: llm(folder, model, method={"type": "lora"}),
    "pissa": lambda folder, model: llm(folder, model, method={"type": "lora", "pissa": True}),
    "full": lambda folder, model: llm(folder, model, method={"type": "full"}),
    "peft": lambda folder, model: llm(folder, model, backend="peft", method={"type": "prefix_tuning", "tokens": 4}),
}


def libraries(case: str) -> tuple[str, ...]:
    """What the child of ``case`` imports before it is forked for every run."""
    if case in LANGUAGE:
        return ("torch", "llamafactory.train.tuner", "peft", "datasets", "matplotlib.figure")
    return ("torch", "sentence_transformers", "FlagEmbedding", "peft", "datasets", "matplotlib.figure", "faiss")


def copied(run: Path, name: str) -> Path:
    """A copy of ``run`` of the same name, as reports say it."""
    target: Path = run.parent.with_name(name) / run.name
    shutil.copytree(run, target)
    return target


def finished(child: Child, run: Path) -> Path:
    assert child.run(run).status == 0, (run / "output.log").read_text("utf-8")[-3000:]
    return run


def killed(ended: Ended, run: Path) -> None:
    assert ended.status == -9, (run / "output.log").read_text("utf-8")[-3000:]


def tree(run: Path) -> list[str]:
    """Every file and folder of a run."""
    return sorted(path.relative_to(run).as_posix() for path in run.rglob("*"))


def hashes(folder: Path) -> dict[str, str]:
    """The hash of every file, but for what a tokenizer notes of the last texts that it happened to pad."""
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for name, content in files.items():
        if name.endswith("tokenizer_config.json"):
            config = json.loads(content)
            noted = {"pad_to_multiple_of": None, "pad_token_type_id": 0, "padding_side": "right"}
            files[name] = json.dumps(noted | config, sort_keys=True).encode()
    return {name: sha256(content).hexdigest() for name, content in files.items()}


def measured(run: Path) -> dict[str, Any]:
    """Everything that was measured, by file."""
    records = {
        path.relative_to(run).as_posix(): json.loads(path.read_text("utf-8")) for path in run.rglob("after.json")
    }
    assert records or (run / "variants").is_dir()
    return {name: record["metrics"] for name, record in records.items()}


def events(run: Path) -> list[Any]:
    return [parse(line) for line in (run / "events.jsonl").read_text("utf-8").splitlines()]


def exports_begun(run: Path) -> int:
    return sum(isinstance(event, Stage) and event.name == "export" and not event.ended for event in events(run))


def codes(run: Path) -> list[str]:
    return [str(event.problem["code"]) for event in events(run) if isinstance(event, Noticed)]


def loads(run: Path) -> None:
    """The exported model loads by its path, as a user would load it."""
    if (run / "model" / "modules.json").is_file():
        from sentence_transformers import SentenceTransformer

        assert SentenceTransformer(str(run / "model"), device="cpu").encode("a").any()
    elif (run / "model" / "config.json").is_file():
        from transformers import AutoModel, AutoTokenizer

        assert AutoModel.from_pretrained(str(run / "model")) and AutoTokenizer.from_pretrained(str(run / "model"))
    else:
        from peft import PeftConfig

        assert PeftConfig.from_pretrained(str(run / "model" / "adapter")).peft_type
