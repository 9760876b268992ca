"""Finding the backend, what keeps a preset from running, and the library's own configuration; all without torch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tunewiz.backends import engines, readiness, sources
from tunewiz.backends.machine.hardware import Gpu
from tunewiz.backends.stages.first_rows import FirstRows
from tunewiz.backends.training import out_of_memory
from tunewiz.presets import losses
from tunewiz.presets.tasks.embedding import EmbeddingPreset
from tunewiz.presets.yaml import library
from tunewiz.problems import BadData, BadPreset


def preset(loss: Any = "multiple_negatives_ranking", **sections: Any) -> EmbeddingPreset:
    return EmbeddingPreset.model_validate(
        {"name": "x", "model": {"id": "BAAI/bge-small-en-v1.5"}, "data": {"train": "rows.csv"}, "loss": loss} | sections
    )


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """No network, no GPU, memory without end, every package installed."""
    monkeypatch.setattr(sources, "problems", lambda _: [])
    monkeypatch.setattr(readiness, "gpus", lambda: ())
    monkeypatch.setattr(readiness, "host_free", lambda: 1024**5)
    monkeypatch.setattr(readiness, "_installed", lambda _: True)


def codes(wanted: EmbeddingPreset) -> list[tuple[str, str]]:
    return [(problem.code, problem.where.key) for problem in readiness.problems(wanted)]


def test_backends_are_found_by_their_name() -> None:
    assert "sentence_transformers" in engines.names()
    assert engines.find_engine("sentence_transformers").name == "sentence_transformers"
    for wrong in ("precision", "base", "nothing", "../x", "os.path"):
        with pytest.raises(BadPreset) as caught:
            engines.find_engine(wrong)
        assert "sentence_transformers" in caught.value.problems[0].line("en")


def test_nothing_heavy_is_imported_for_checking() -> None:
    code = (
        "import sys; from tunewiz.backends.engines import find_engine as find; find('sentence_transformers')\n"
        "print([name for name in ('torch', 'transformers', 'datasets', 'faiss') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_nothing_heavy_is_imported_by_checking() -> None:
    """Both passes, for every task, in a fresh interpreter."""
    code = (
        "import sys; from tunewiz.backends.readiness import check_preset\n"
        "from tunewiz.presets.yaml.library import open_preset\n"
        "names = ('embedding/flag-starter', 'reranker/starter', 'llm/qwen3-8b-lora', 'pipeline/starter')\n"
        "for name in names: check_preset(open_preset(name))\n"
        "heavy = ('torch', 'transformers', 'datasets', 'faiss', 'llamafactory', 'peft', 'sentence_transformers')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    offline = os.environ | {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=offline)
    assert done.stdout.strip() == "[]"


def test_a_sound_preset_has_no_problem() -> None:
    assert codes(preset()) == []


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = {"bm25s", "bitsandbytes", "wandb", "peft"}
    monkeypatch.setattr(readiness, "_installed", lambda package: package not in missing)
    wanted = preset(
        method={"type": "lora"},
        training={"optimizer": "adamw_8bit"},
        tracking={"trackers": ["tensorboard", "wandb"]},
        data={"train": "rows.csv", "negatives": {"strategy": "bm25"}},
    )
    found = readiness.problems(wanted)
    assert codes(wanted) == [
        ("packages-missing", "backend"),
        ("packages-missing", "training.optimizer"),
        ("tracker-missing", "tracking.trackers"),
    ]
    assert "peft, bm25s" in found[0].line("en") and found[2].severity == "warning"


def test_unknown_strategies_and_batches_that_cannot_be_shared() -> None:
    wanted = preset(data={"train": "x", "negatives": {"strategy": "colbert"}}, launch={"processes": 3})
    assert codes(wanted) == [
        ("negatives-strategy-unknown", "data.negatives.strategy"),
        ("batch-not-shared", "training.batch_size"),
    ]


def told(name: str, *settings: str) -> list[tuple[str, str]]:
    wanted = library.load(name, settings)
    return [(problem.code, problem.where.key) for problem in engines.find_engine(wanted.backend).problems(wanted)]


@pytest.mark.parametrize(
    ("name", "package", "key"),
    [
        ("embedding/flag-starter", "FlagEmbedding", "backend"),
        ("reranker/flag-starter", "FlagEmbedding", "backend"),
        ("reranker/starter", "jieba", "backend"),
        ("llm/starter", "llamafactory", "backend"),
        ("llm/starter-qlora", "bitsandbytes", "method.type"),
    ],
)
def test_every_engine_names_its_packages(name: str, package: str, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "_installed", lambda asked: asked != package)
    assert told(name) == [("packages-missing", key)]


def test_a_pipeline_says_what_both_parts_lack_once(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = {"torch", "jieba", "FlagEmbedding"}
    monkeypatch.setattr(readiness, "_installed", lambda package: package not in missing)
    settings = ["embedding=embedding/flag-starter", "launch.processes=2", "launch.device=cuda"]
    assert told("pipeline/starter", *settings) == [
        ("packages-missing", "backend"),
        ("no-gpu", "launch.device"),
    ]
    wanted = library.load("pipeline/starter", settings)
    assert "torch, jieba, FlagEmbedding." in engines.find_engine("pipeline").problems(wanted)[0].line("en")


def test_a_pipeline_says_of_each_model_that_it_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "gpus", lambda: (Gpu(0, "card", 1024**3, 0),))
    assert told("pipeline/bge-zh") == [
        ("memory-too-small", "training.batch_size"),
        ("memory-too-small", "embedding: training.batch_size"),
    ]


def test_a_comparison_says_what_its_variants_share_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "gpus", lambda: (Gpu(0, "card", 1024**3, 0),))
    monkeypatch.setattr(readiness, "_installed", lambda package: package != "torch")
    assert sorted(told("comparison/negatives", "strategies=[one, bm25, other]")) == [
        ("memory-too-small", "training.batch_size"),
        ("negatives-strategy-unknown", "strategies"),
        ("negatives-strategy-unknown", "strategies"),
        ("packages-missing", "backend"),
    ]


@pytest.mark.parametrize("name", ["pipeline/starter", "comparison/negatives"])
def test_presets_with_presets_inside_say_what_these_share_once(name: str) -> None:
    found = library.load(name, ["data.evaluation.fraction=0"]).problems()
    assert [problem.code for problem in found] == ["nothing-held-out"]


def test_a_preset_file_is_checked_for_its_data_too(tmp_path: Path) -> None:
    opened = library.open_preset("embedding/starter", [f"data.train={tmp_path / 'none.csv'}", "training.epochs=9"])
    found = [problem for problem in readiness.check_preset(opened) if problem.severity == "error"]
    assert [(problem.code, problem.where.key) for problem in found] == [("data-not-found", "data.train")]
    assert found[0].where.file.startswith("--set")
    with pytest.raises(BadData):
        readiness.require_runnable(opened)
    worse = library.open_preset("embedding/starter", [f"data.train={tmp_path / 'none.csv'}", "launch.device=cuda"])
    with pytest.raises(BadPreset) as caught:
        readiness.require_runnable(worse)
    assert [problem.code for problem in caught.value.problems] == ["data-not-found", "no-gpu"]


def test_the_cards_of_this_machine_do_not_keep_a_preset_from_running_on_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    card = Gpu(0, "card", 80 * 1024**3, 0)
    monkeypatch.setattr(readiness, "gpus", lambda: (card,))
    opened = library.open_preset("embedding/starter", ["launch.processes=4"])
    with pytest.raises(BadPreset) as caught:
        readiness.require_runnable(opened)
    assert "gpus-too-few" in [problem.code for problem in caught.value.problems]
    found = readiness.require_runnable(opened, elsewhere=True)
    assert not [problem for problem in found if problem.severity == "error"]


@pytest.mark.parametrize("around", [False, True])
def test_a_guide_that_cannot_be_had_is_told_at_its_key(around: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from tunewiz.problems import error, say

    def asked(model: Any) -> list[Any]:
        return [error("hub-unreachable", say("away"))] if model.id == "some/guide" else []

    monkeypatch.setattr(sources, "problems", asked)
    gist = {"name": "gist", "guide": "some/guide"}
    wanted = preset({"name": "matryoshka", "loss": gist} if around else gist)
    assert codes(wanted) == [("hub-unreachable", "loss.loss.guide" if around else "loss.guide")]


@pytest.mark.parametrize(("free", "expected"), [(1, "memory-too-small"), (800, None)])
def test_memory_is_held_against_the_emptiest_gpu(
    free: int, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "gpus", lambda: (Gpu(0, "card", free * 1024**3, 0),))
    found = [code for code, _ in codes(preset(training={"batch_size": 512, "max_length": 512}))]
    assert found == ([expected] if expected else [])
    assert not codes(preset(launch={"device": "cpu"}, training={"batch_size": 512}))


@pytest.mark.parametrize("name", sorted(losses.trained_by("sentence_transformers")))
def test_native_is_yaml_with_the_losss_class(name: str) -> None:
    loss = {"name": name} | ({"guide": "starter"} if name == "gist" else {})
    told = yaml.safe_load(
        engines.find_engine("sentence_transformers").native(preset(loss, training={"recipe": "fixed"}))
    )
    (kind,) = told["loss"]
    assert kind.endswith("Loss")
    arguments = told["SentenceTransformerTrainingArguments"]
    assert arguments["per_device_train_batch_size"] == 64 and arguments["learning_rate"] == 2e-5


def test_native_says_what_the_recipe_is_still_to_choose() -> None:
    told = yaml.safe_load(engines.find_engine("sentence_transformers").native(preset(training={"epochs": 2})))
    assert "learning_rate" not in told["SentenceTransformerTrainingArguments"]
    assert told["SentenceTransformerTrainingArguments"]["num_train_epochs"] == 2
    assert "recipe" in told["set when the rows are counted"]["learning_rate"]


def test_native_tells_the_adapter() -> None:
    wanted = preset(method={"type": "lora", "rank": 8, "target_modules": ["query"]})
    told = yaml.safe_load(engines.find_engine("sentence_transformers").native(wanted))
    assert told["peft.LoraConfig"]["r"] == 8 and told["peft.LoraConfig"]["target_modules"] == ["query"]


def test_the_ladder_goes_from_cheap_to_dear_and_leaves_out_what_is_done() -> None:
    full = preset(data={"train": "x", "negatives": {"strategy": "dense"}})
    assert [step.key for step in out_of_memory.ladder(full)] == [
        "loss.name",
        "training.batch_size",
        "training.gradient_checkpointing",
        "data.negatives.per_query",
        "training.max_length",
        "method.type",
    ]
    lean = preset(
        {"name": "cached_multiple_negatives_ranking", "mini_batch_size": 1},
        method={"type": "lora"},
        training={"batch_size": 8, "max_length": 64},
    )
    assert list(out_of_memory.ladder(lean)) == []


@pytest.mark.parametrize(
    ("words", "is_memory"),
    [
        ("CUDA out of memory. Tried to allocate 2.00 GiB", True),
        ("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes", True),
        ("mat1 and mat2 shapes cannot be multiplied", False),
    ],
)
def test_lack_of_memory_is_told_from_other_failures(words: str, is_memory: bool) -> None:
    assert out_of_memory.is_memory(RuntimeError(words)) is is_memory


# The first rows of the data.


def of_data(tmp_path: Path, name: str, rows: str, *settings: str) -> list[tuple[str, str, str]]:
    (tmp_path / "rows.csv").write_text(rows, "utf-8")
    found = FirstRows(library.load(name, [f"data.train={tmp_path / 'rows.csv'}", *settings])).problems
    return [(problem.severity, problem.code, problem.where.key) for problem in found]


def test_the_first_rows_of_the_data_are_looked_at_before_anything_is_paid_for(tmp_path: Path) -> None:
    pairs = "".join(f"how is thing {word}?,it is {word} and nothing else\n" for word in ("red", "large", "new", "far"))
    good = f"question,answer\n{pairs}"
    # Half a dozen rows are too few to measure on, which is no reason not to run.
    assert of_data(tmp_path, "embedding/starter", good) == [
        ("warning", "few-queries", "data.evaluation.fraction"),
        ("warning", "few-documents", "data.evaluation.corpus"),
    ]
    assert ("error", "loss-rows", "loss.name") in of_data(tmp_path, "embedding/starter", good, "loss.name=triplet",
                                                          "data.negatives.strategy=none")  # fmt: skip
    ends = "premise,hypothesis,label\n" + "".join(f"a thing {n},no thing {n},{n % 3}\n" for n in range(30))
    assert ("error", "label-order", "data.train") in of_data(tmp_path, "embedding/starter", ends)
    empty = "prompt,answer\n" + "".join(f"the town {n} has many bridges,\n" for n in range(12))
    assert ("error", "empty-column", "data.train") in of_data(tmp_path, "llm/starter", empty)


def test_of_the_data_only_the_first_rows_are_read(tmp_path: Path) -> None:
    rows = "".join(f"question {number},answer {number} {number * 7}\n" for number in range(5000))
    assert of_data(tmp_path, "llm/starter", f'question,answer\n{rows}broken "row,\n') == []


def test_of_a_collection_only_the_layout_is_looked_at() -> None:
    assert FirstRows(library.load("embedding/starter")).problems == []
    assert FirstRows(library.load("pipeline/starter")).problems == []
