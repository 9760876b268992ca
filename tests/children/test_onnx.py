"""Search models as ONNX graphs: equal to the tuned model, run by the README's program with nothing of ours."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.children import reranking
from tests.children.evaluation import exported_run, fresh_run, write_beir
from tunewiz.backends.export import onnx_targets, targets
from tunewiz.backends.models.loading import load_reranker
from tunewiz.backends.runs.run import Run
from tunewiz.problems import BadPreset, TunewizError

#: Runs the program that stands in a README where only onnxruntime, tokenizers and numpy can be imported; prints what
#: an expression is afterwards.
CALLING = """
import json, re, sys

for name in ("tunewiz", "torch", "transformers", "sentence_transformers"):
    sys.modules[name] = None
known = {}
exec(re.search("```python\\n(.*?)```", open("README.md", encoding="utf-8").read(), re.DOTALL)[1], known)
print(json.dumps(eval(sys.argv[1], known).tolist()))
"""
TEXTS = ["how do i check gpu memory", "显存 错误", "", "a", "gpu memory " * 200]


def called(folder: Path, expression: str) -> Any:
    command = [sys.executable, "-c", CALLING, expression]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def _packages() -> None:
    for package in onnx_targets.PACKAGES:
        pytest.importorskip(package, reason=f"{package} is not installed: pip install 'tunewiz[onnx]'")


@pytest.fixture(scope="module")
def run(_packages: None, tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Run:
    """Of an embedding model that was tuned by LoRA and left its adapter alone."""
    method = {"type": "lora", "rank": 4, "alpha": 8}
    return exported_run(tmp_path_factory.mktemp("onnx"), tiny_encoder, method=method, export={"merge": False})


@pytest.mark.usefixtures("_packages")
def test_the_graph_is_the_tuned_model_adapter_and_all(run: Run, tmp_path: Path) -> None:
    from tunewiz.backends.models.run_models import tuned_encoder
    from tunewiz.presets.yaml.library import load

    preset = load(str(run.preset_file))
    model = tuned_encoder(run, preset)  # type: ignore[arg-type]
    out = tmp_path / "out"
    told = targets.write(run, "onnx", out).text("en")
    checked = json.loads((out / "check.json").read_text("utf-8"))
    assert checked["difference"] < 1e-3
    assert f"at {checked['speed']:.1f} times torch's speed" in told
    assert not list(out.glob("*.safetensors"))
    expected = model.encode_query(TEXTS, normalize_embeddings=True)
    assert called(out, f"encode({TEXTS!r}, 'search: ')") == [pytest.approx(row, abs=1e-3) for row in expected.tolist()]
    import onnx

    graph = onnx.load(str(out / "onnx" / "model.onnx")).graph
    assert [one.name for one in graph.output] == ["last_hidden_state", "sentence_embedding"]
    assert {"modules.json", "config.json", "tokenizer.json", "1_Pooling"} <= {path.name for path in out.iterdir()}


@pytest.mark.usefixtures("_packages")
def test_in_8_bits_what_it_costs_is_measured_on_the_runs_own_questions(run: Run, tmp_path: Path) -> None:
    told = targets.write(run, "onnx-int8", tmp_path / "out").text("en")
    checked = json.loads((tmp_path / "out" / "check.json").read_text("utf-8"))
    assert checked["size"] < 1
    assert 0.9 < checked["least"] <= checked["mean"] < 1
    assert checked["questions"] == 16
    assert f"ndcg@10 is {checked['ndcg']:.4f} instead of {checked['ndcg_exact']:.4f}" in told
    assert sorted(path.name for path in (tmp_path / "out" / "onnx").iterdir()) == ["model.onnx"]


@pytest.mark.usefixtures("_packages")
def test_a_reranker_gives_the_scores_of_the_tuned_one(tmp_path: Path, tiny_encoder: Path) -> None:
    preset = reranking.reranker_preset(tiny_encoder, write_beir(tmp_path / "beir"))
    run = fresh_run(tmp_path / "run", preset)
    reranking.go_through(run, preset)
    out = tmp_path / "out"
    targets.write(run, "onnx", out)
    pairs = [("how do i check gpu memory", text) for text in TEXTS]
    expected = load_reranker(run.model, preset).predict([list(pair) for pair in pairs])
    assert called(out, f"score({pairs!r})") == pytest.approx(expected.tolist(), abs=1e-3)
    told = targets.write(run, "onnx-int8", tmp_path / "smaller").text("en")
    checked = json.loads((tmp_path / "smaller" / "check.json").read_text("utf-8"))
    assert checked["questions"] == 16
    assert 0 <= checked["mean"] < 0.1
    assert "Scores differ" in told


@pytest.mark.usefixtures("_packages")
def test_a_graph_that_is_not_the_model_is_refused_and_nothing_is_left(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = onnx_targets.onnx_graphs.encoding_program
    monkeypatch.setattr(
        onnx_targets.onnx_graphs,
        "encoding_program",
        lambda model: re.sub(r"truncation\(\d+\)", "truncation(3)", written(model)),
    )
    with pytest.raises(TunewizError) as caught:
        targets.write(run, "onnx", tmp_path / "out")
    assert caught.value.problems[0].code == "export-differs"
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named_with_the_command(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_targets, "PACKAGES", {"no_such_package": "onnxruntime"})
    with pytest.raises(BadPreset) as caught:
        targets.write(run, "onnx", tmp_path / "out")
    (problem,) = caught.value.problems
    assert problem.code == "onnx-packages"
    assert 'pip install "tunewiz[onnx]"' in str(problem.fix)
    assert list(tmp_path.iterdir()) == []


def test_language_models_are_not_offered_it() -> None:
    fitting = {name for name, target in targets.catalogue().items() if "llm" in target.tasks}
    assert not fitting & {"onnx", "onnx-int8"}


@pytest.mark.usefixtures("_packages")
def test_a_model_that_reads_texts_in_a_chat_template_is_refused(tmp_path: Path, tiny_llm: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    from tunewiz.backends.export.onnx_graphs import encoding_program

    model = SentenceTransformer(modules=[Transformer(str(tiny_llm)), Pooling(64, "lasttoken")], device="cpu")
    with pytest.raises(TunewizError) as caught:
        encoding_program(model)
    assert caught.value.problems[0].code == "onnx-not-plain"
