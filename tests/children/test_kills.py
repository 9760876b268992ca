"""Runs whose child is killed in the middle of an export, or at the end of training, and that go on: nothing is lost."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.children.evaluation import write_beir
from tests.children.llm_setup import preset as llm_preset
from tests.children.reranking import reranker_preset
from tests.children.training_setup import preset as embedding_preset
from tests.torture.killing import Child, Ended
from tunewiz.backends.runs.checkpoints import numbered
from tunewiz.backends.runs.create import create
from tunewiz.backends.runs.events import Noticed, Stage, parse
from tunewiz.presets.preset import Preset
from tunewiz.presets.tasks.comparison import ComparisonPreset
from tunewiz.presets.tasks.pipeline import PipelinePreset
from tunewiz.presets.yaml.writing import dumps

#: A child that loads the libraries and trains takes minutes on a busy machine.
pytestmark = pytest.mark.timeout(1500)

TRAINING = {"max_steps": 3, "evaluations": 3, "batch_size": 8, "scheduler": "constant", "warmup": 0}
MEASURED = {"k": [1, 3], "metric": "ndcg@3", "bootstrap": 200}
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


@pytest.fixture(scope="module")
def retrieval() -> Iterator[Child]:
    with Child("torch", "sentence_transformers", "FlagEmbedding", "peft", "datasets") as child:
        yield child


@pytest.fixture(scope="module")
def language() -> Iterator[Child]:
    with Child("torch", "llamafactory.train.tuner", "peft", "datasets") as child:
        yield child


@dataclass(frozen=True)
class Started:
    """A case by its name, what runs it, and the folder of a run of it that is not begun."""

    name: str
    child: Child
    run: Path

    @property
    def inside(self) -> str:
        """Where in the run its training is."""
        return "variants/random/" if self.name == "comparison" else ""


@pytest.fixture(params=[*RETRIEVAL, *LANGUAGE])
def started(request: pytest.FixtureRequest, tmp_path: Path, tiny_encoder: Path, tiny_llm: Path) -> Started:
    named: str = request.param
    made = RETRIEVAL.get(named) or LANGUAGE[named]
    preset = made(tmp_path, tiny_encoder if named in RETRIEVAL else tiny_llm)
    child: Child = request.getfixturevalue("retrieval" if named in RETRIEVAL else "language")
    return Started(named, child, create(preset, tmp_path / "runs", "x").directory)


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


def test_a_kill_in_an_export_ruins_nothing(started: Started) -> None:
    """Killed at three moments, from the last file to the first deletions, and once more while it exports again."""
    child, base = started.child, started.run
    killed(child.run(base, "export", 0), base)
    whole = copied(base, "whole")
    ended = child.run(whole, "export")
    assert ended.status == 0, (whole / "output.log").read_text("utf-8")[-3000:]
    loads(whole)
    assert not (whole / "checkpoints").exists()
    moments = {
        "written": ended.at("fsync", ".model.part", last=True),
        "renamed": ended.at("rename", ".model.part", "model") + 1,
    }
    deleted = [number for number, one in enumerate(ended.operations) if one.path.startswith(".checkpoints.part/")]
    # A comparison's own checkpoints are those of its variants, which are over.
    moments["over"] = deleted[3] if deleted else ended.at("open", "events.jsonl", last=True)
    assert bool(deleted) == (started.name != "comparison")
    for name, moment in moments.items():
        run = copied(base, name)
        killed(child.run(run, "export", moment), run)
        if name == "renamed":
            # The second export finds a model in its place.
            killed(child.run(run, "export", before=("rename", ".model.part", "model")), run)
            assert not (run / "model").exists() and (run / ".model.old").is_dir()
        finished(child, run)
        assert tree(run) == tree(whole), name
        assert hashes(run / "model") == hashes(whole / "model"), name
        assert measured(run) == measured(whole), name
        # Once it has ended on disk it is not done again.
        assert exports_begun(run) == {"written": 3, "renamed": 4, "over": 2}[name], name


def test_training_that_was_killed_at_its_end_ends_alike(started: Started) -> None:
    """Killed while its result is written: no step is taken twice, or only those since the last whole checkpoint."""
    base, inside = started.run, started.inside
    expected = finished(started.child, copied(base, "expected"))
    before = ("rename", f"{inside}checkpoints/.tuned.part")
    if started.name in LANGUAGE:
        before = ("open", f"checkpoints/{'config' if started.name == 'full' else 'adapter_config'}.json")
    killed(started.child.run(base, f"{inside}train", before=before), base)
    whole = finished(started.child, copied(base, "whole"))
    assert measured(whole) == measured(expected)
    assert hashes(whole / "model") == hashes(expected / "model")
    run = copied(base, "damaged")
    newest = run / inside / "checkpoints" / "checkpoint-3"
    flip(next(newest.glob("*.safetensors")))
    finished(started.child, run)
    assert codes(run).count("checkpoint-passed-over") == 1
    assert measured(run) == measured(whole)
    assert hashes(run / "model") == hashes(whole / "model")
    assert tree(run) == tree(whole)


def test_an_adapter_of_principal_values_goes_on_from_what_it_began_with(
    language: Child, tmp_path: Path, tiny_llm: Path
) -> None:
    """Killed in the middle of training: what is computed at resume and what the checkpoint holds are other starts."""
    base = create(LANGUAGE["pissa"](tmp_path, tiny_llm), tmp_path / "runs", "x").directory
    whole = finished(language, copied(base, "whole"))
    killed(language.run(base, "train", before=("mkdir", "checkpoints/checkpoint-3")), base)
    # Another processor's decomposition is not the same; a coarser one is farther off than any.
    preset = yaml.safe_load((base / "preset.yaml").read_text("utf-8"))
    (base / "preset.yaml").write_text(json.dumps(preset | {"backend_options": {"pissa_iter": 1}}))
    finished(language, base)
    assert set(codes(base)) == set(codes(whole))
    for name, metrics in measured(whole).items():
        assert measured(base)[name] == pytest.approx(metrics, abs=1e-4)


def flip(file: Path) -> None:
    """Change the last byte of ``file``."""
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def test_what_no_checkpoint_can_give_is_told(retrieval: Child, tmp_path: Path, tiny_encoder: Path) -> None:
    """Without the optimizer's state training goes on and says so; without whole weights it begins anew."""
    base = create(embedding(tmp_path, tiny_encoder), tmp_path / "runs", "x").directory
    killed(retrieval.run(base, "train", before=("rename", "checkpoints/.tuned.part")), base)
    whole = finished(retrieval, copied(base, "whole"))
    stateless, lost = copied(base, "stateless"), copied(base, "lost")
    there = [path.name for _, path in numbered(base / "checkpoints")]
    for name in there:
        (stateless / "checkpoints" / name / "optimizer.pt").unlink()
        (lost / "checkpoints" / name / "config_sentence_transformers.json").unlink()
    assert codes(finished(retrieval, stateless)).count("optimizer-state-missing") == 1
    assert codes(finished(retrieval, lost)).count("checkpoint-passed-over") == len(there) > 1
    assert measured(lost) == measured(whole)
    assert hashes(lost / "model") == hashes(whole / "model")


def test_a_damaged_tuned_model_is_made_again(retrieval: Child, tmp_path: Path, tiny_encoder: Path) -> None:
    base = create(embedding(tmp_path, tiny_encoder), tmp_path / "runs", "x").directory
    killed(retrieval.run(base, "export", 0), base)
    whole = finished(retrieval, copied(base, "whole"))
    run = copied(base, "damaged")
    (run / "checkpoints" / "tuned" / "tokenizer.json").unlink()
    finished(retrieval, run)
    assert codes(run).count("stage-repeated") == 1
    assert measured(run) == measured(whole)
    assert hashes(run / "model") == hashes(whole / "model")
