"""A run's training as a program of its own: script and notebook train to the run's metric where there is no Tunewiz."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.children.evaluation import fresh_run, go_through, write_beir
from tests.children.llm_setup import preset as llm_preset
from tests.conftest import DEVICE
from tests.unit.backends.test_space import a_space
from tunewiz.backends.engines import find_engine
from tunewiz.backends.export import bundle, targets
from tunewiz.backends.reports.pictures import space_picture
from tunewiz.backends.runs.run import Run
from tunewiz.backends.space.record import NAME as SPACE
from tunewiz.files import read_json
from tunewiz.language import use
from tunewiz.presets.preset import RetrievalPreset
from tunewiz.presets.tasks.embedding import EmbeddingPreset
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.presets.tasks.reranker import RerankerPreset
from tunewiz.problems import BadPreset

#: Runs programs one after the other, cells of notebooks in order, in a Python in which there is no Tunewiz.
RUNNER = """
import json, os, runpy, sys, traceback
from pathlib import Path

class Nowhere:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "tunewiz":
            raise ImportError(name)

sys.meta_path.insert(0, Nowhere())
for file in map(Path, sys.argv[1:]):
    os.chdir(file.parent)
    try:
        if file.suffix == ".py":
            runpy.run_path(str(file), run_name="__main__")
        else:
            names = {"__name__": "__main__"}
            for cell in json.loads(file.read_text("utf-8"))["cells"]:
                if cell["cell_type"] == "code":
                    exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
    except Exception:
        traceback.print_exc()
"""
LORA = {"type": "lora", "rank": 4}
TRAINING = {"batch_size": 4, "epochs": 3, "learning_rate": 3e-3, "max_length": 32, "log_every": 1, "evaluations": 2,
            "precision": "fp32"}  # fmt: skip


def _common(model: Path, beir: Path, /, **changes: Any) -> dict[str, Any]:
    mined = {"strategy": "random", "per_query": 2, "candidates": 10}
    plain: dict[str, Any] = {
        "name": "tiny",
        "model": {"id": str(model), "source": "local"},
        "data": {"train": str(beir), "evaluation": {"validation_fraction": 0.25}, "negatives": mined},
        "evaluation": {"k": [1, 3], "metric": "ndcg@3", "bootstrap": 100, "general": False},
        "launch": {"device": DEVICE},
        "training": TRAINING,
    }
    return plain | changes


def _cases(model: Path, beir: Path) -> dict[str, RetrievalPreset]:
    prompted = {"id": str(model), "source": "local", "query_instruction": "search: "}
    ranking = {"loss": {"name": "multiple_negatives_ranking"}, "model": prompted}
    shared = TRAINING | {"tuned_share": 0.5}
    return {
        "full": EmbeddingPreset.model_validate(_common(model, beir, **ranking)),
        "lora": EmbeddingPreset.model_validate(
            _common(model, beir, **ranking, method=LORA, training=shared, evaluation={"metric": "map"})
        ),
        "reranker": RerankerPreset.model_validate(
            _common(model, beir, loss="binary_cross_entropy", candidates={"depth": 8, "search_share": 0.5})
        ),
        "flag": EmbeddingPreset.model_validate(
            _common(model, beir, loss={"name": "info_nce"}, model=prompted, backend="flag_embedding", method=LORA)
        ),
        "flag-reranker": RerankerPreset.model_validate(
            _common(model, beir, loss="group_softmax", candidates={"depth": 8}, backend="flag_embedding")
        ),
    }


def _language_models(model: Path) -> dict[str, LlmPreset]:
    steps = {"max_steps": 8, "learning_rate": 1e-2, "evaluations": 2}
    held_out = {"evaluation": {"fraction": 0.2, "validation_fraction": 0.2}}
    ia3 = {"backend": "peft", "method": {"type": "ia3"}, "evaluation": {"answers": 0}}
    return {
        "factory": llm_preset(model, method=LORA, training=steps, data=held_out, evaluation={"answers": 0}),
        "peft": llm_preset(model, **ia3, training=steps | {"learning_rate": 0.1}, data=held_out),
    }


def _language_model(folder: Path, name: str, wanted: LlmPreset) -> tuple[Run, Path]:
    run = fresh_run(folder / name, wanted)
    for stage in ("prepare", "baseline", "train", "evaluate", "export", "report"):
        getattr(find_engine(wanted.backend), stage)(run, wanted)
    targets.write(run, "training-script" if name == "factory" else "notebook", folder / f"{name}-program")
    return run, folder / f"{name}-program"


@pytest.fixture(scope="module")
def exported(
    tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, tiny_llm: Path
) -> dict[str, tuple[Run, Path]]:
    """Each run with its program, script and notebook by turns, after all of them were run in one child."""
    folder = tmp_path_factory.mktemp("programs")
    beir, found = write_beir(folder / "beir"), {}
    for number, (name, preset) in enumerate(_cases(tiny_encoder, beir).items()):
        run = fresh_run(folder / name, preset)
        go_through(run, preset, backend=find_engine(preset.backend))
        form = ("training-script", "notebook")[number % 2]
        targets.write(run, form, folder / f"{name}-program")
        found[name] = (run, folder / f"{name}-program")
    for name, wanted in _language_models(tiny_llm).items():
        found[name] = _language_model(folder, name, wanted)
    programs = [next(place.glob("train.[pi]*")) for _, place in found.values()]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
    command = [sys.executable, "-c", RUNNER, *map(str, programs)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=840, check=False, cwd=folder
    )
    assert "Traceback" not in done.stderr, done.stderr[-3000:]
    return found


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["full", "lora", "reranker", "flag", "flag-reranker", "factory", "peft"])
def test_the_program_gives_the_runs_metric(name: str, exported: dict[str, tuple[Run, Path]]) -> None:
    run, folder = exported[name]
    told = read_json(folder / "result.json")
    metrics = read_json(run.report / "metrics.json")
    assert told["metric"] == metrics["primary"]
    assert told["after"] == pytest.approx(metrics["after"][told["metric"]], abs=1e-3)
    first = told.get("before", told.get("search"))
    assert first == pytest.approx(metrics["before"][told["metric"]], abs=1e-3)
    assert first != told["after"]
    assert list((folder / "tuned").glob("*.safetensors"))


def test_a_bundle_holds_the_run_and_nothing_of_the_machine(
    exported: dict[str, tuple[Run, Path]], tmp_path: Path
) -> None:
    run, _ = exported["full"]
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "result.svg").write_text("<svg></svg>", encoding="utf-8")
    a_space().write(run.report / SPACE)
    space_picture(a_space(), run.report / "space.png")
    out = tmp_path / "homework.zip"
    missing = bundle.write(run, tmp_path / "pictures", {"monitor": "too dark"}, out)
    told = [one.text("en") for one in missing]
    assert "pictures/monitor: too dark" in told
    with zipfile.ZipFile(out) as whole:
        files = {name.removeprefix(f"{run.name}/"): whole.read(name) for name in whole.namelist()}
    assert {
        "README.md", "preset.yaml", "model-card.md", "logs/events.jsonl", "logs/run.json", "report/report.html",
        "report/loss.svg", "report/loss.png",
        "report/space.json", "report/space.svg", "report/space.png", "data/train.jsonl", "data/qrels.tsv",
        "pictures/result.svg",
        "script/train.py", "script/train.ipynb", "script/data/rows.jsonl",
    } <= set(files)  # fmt: skip
    for name, content in files.items():
        assert content or name.endswith(("validation.jsonl", "left_out.jsonl")), name
        if not name.endswith(".png"):
            text = content.decode("utf-8")
            assert str(run.directory.parent) not in text, name
        if name.endswith((".json", ".ipynb")):
            json.loads(content)
        elif name.endswith(".jsonl"):
            assert [json.loads(line) for line in text.splitlines()] or not content
        elif name.endswith(".py"):
            ast.parse(text)
    assert "too dark" in files["README.md"].decode("utf-8")
    assert "python train.py" in files["README.md"].decode("utf-8")
    with pytest.raises(BadPreset) as caught:
        bundle.write(run, tmp_path / "pictures", {}, out)
    assert caught.value.problems[0].code == "out-exists"


def test_a_program_speaks_the_users_language(exported: dict[str, tuple[Run, Path]], tmp_path: Path) -> None:
    run, folder = exported["full"]
    use("zh")
    try:
        targets.write(run, "notebook", tmp_path / "zh")
    finally:
        use("en")
    cells = json.loads((tmp_path / "zh" / "train.ipynb").read_text("utf-8"))["cells"]
    for cell in cells:
        assert cell["cell_type"] == "code" or re.search("[\u4e00-\u9fff]", "".join(cell["source"]))
    told = (folder / "train.py").read_text("utf-8")
    assert told.count("\n# ") >= len(cells) // 2
    with pytest.raises(BadPreset):
        targets.write(run, "notebook", tmp_path / "zh")
