"""Using what was tuned, as a user does: one tiny run, then the commands on it in real child processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from tests.children.evaluation import carried
from tests.children.llm_setup import preset as llm_preset
from tests.children.llm_setup import ran
from tests.children.test_command import NOUNS, VERBS, Shell
from tests.children.test_service import STARTS
from tests.conftest import DEVICE
from tests.screens.waiting import seen
from tunewiz.backends.export import targets
from tunewiz.backends.export.embedding_files import embed
from tunewiz.backends.runs.create import create
from tunewiz.backends.runs.run import Run
from tunewiz.files import read_json, write_whole
from tunewiz.presets.yaml.library import load
from tunewiz.presets.yaml.writing import dumps
from tunewiz.problems import BadPreset
from tunewiz.tui.app import TunewizApp
from tunewiz.tui.screens.messages import TrialWanted
from tunewiz.tui.screens.trial import TrialScreen
from tunewiz.tui.terminal.looks import Settings


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Shell:
    """A shell in a folder with one finished run of LoRA on the tiny model."""
    folder = tmp_path_factory.mktemp("used")
    rows = [
        {"query": f"how do i {verb} the {noun}", "positive": f"to {verb} the {noun} you do it with the server {number}"}
        for number, (verb, noun) in enumerate((verb, noun) for verb in VERBS for noun in NOUNS)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    preset = folder / "tiny.yaml"
    preset.write_text(
        f"name: tiny\ntask: embedding\nmodel: {{id: {tiny_encoder}, source: local}}\n"
        "data: {train: rows.jsonl, evaluation: {fraction: 0.25}}\nloss: multiple_negatives_ranking\n"
        "method: {type: lora, rank: 4}\n"
        "training: {batch_size: 8, epochs: 2, learning_rate: 1.0e-2, max_length: 32}\n"
        f"launch: {{device: {DEVICE}}}\nevaluation: {{bootstrap: 200, general: false}}\n",
        encoding="utf-8",
    )
    shell = Shell(folder, preset)
    done = shell("run", str(preset))
    assert done.returncode == 0, done.stderr
    return shell


def a_question(run: Run) -> tuple[str, str]:
    """A held-out query and the document that answers it."""
    query = json.loads((run.data / "queries.jsonl").read_text("utf-8").splitlines()[0])
    judged = [line.split("\t") for line in (run.data / "qrels.tsv").read_text("utf-8").splitlines()[1:]]
    return query["text"], next(document for name, document, _ in judged if name == query["_id"])


def test_try_answers_with_both_models_and_agrees_with_the_measurement(used: Shell) -> None:
    query, answer = a_question(used.last())
    done = used("try", "last", "-q", query, "--k", "3", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["known"] == [answer]
    for when in ("before", "after"):
        ranking = [line.split("\t") for line in (used.last().report / f"{when}.run.tsv").read_text().splitlines()]
        measured = [row[2] for row in ranking if row[0] == ranking[0][0]]
        assert [hit["id"] for hit in told[when]["hits"]] == measured[:3]
        assert told[when]["known_rank"] == measured.index(answer) + 1
        assert [hit["known"] for hit in told[when]["hits"]] == [name == answer for name in measured[:3]]
    assert list((used.last().directory / "cache" / "vectors").glob("*.npz"))


def test_try_says_what_it_cannot_do(used: Shell, tmp_path: Path) -> None:
    wrong = used("try", "last", "-q", "x", "--k", "0")
    assert (wrong.returncode, "--k" in wrong.stderr) == (2, True)
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "preset.yaml").write_bytes(used.last().preset_file.read_bytes())
    untrained = used("try", str(empty), "-q", "x")
    assert untrained.returncode == 3
    assert "prepared data is missing" in untrained.stderr
    assert "Traceback" not in untrained.stderr


async def test_the_screen_asks_both_models_and_ends_its_child(used: Shell) -> None:
    app = TunewizApp(used.runs, Settings(), first=TrialWanted(used.last()))
    async with app.run_test(size=(110, 30)) as pilot:
        for _ in range(1200):
            await pilot.pause(0.1)
            if isinstance(app.screen, TrialScreen) and app.screen.asks:
                break
        screen = app.screen
        assert isinstance(screen, TrialScreen)
        session = screen._session
        assert session is not None
        await pilot.press("f2")
        for _ in range(600):
            await pilot.pause(0.1)
            if screen.exchanges and screen.exchanges[-1]:
                break
        await pilot.pause(0.2)
        text = seen(app)
        assert "untouched" in text
        assert "known answer at rank" in text
        await pilot.press("x")
        assert screen.query_one(Input).value == "x"  # a new question takes the place of the last one
        await pilot.press("escape")
        await pilot.pause(0.5)
    assert session._child.wait(20) is not None


def test_compare_pairs_runs_of_the_same_data(used: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    first = used.last().name
    monkeypatch.chdir(used.folder)
    other = create(load(str(used.preset), ["training.epochs=1", "name=second"]), used.runs)
    assert carried(other) == 0
    second = {"name": other.name, "after": read_json(other.report / "metrics.json")["after"]}
    told = json.loads(used("compare", first, second["name"], "--json").stdout)
    assert list(told["settings"]["training.epochs"].values()) == ["2.0", "1.0"]
    pair = told["paired"][0]
    ndcg = pair["metrics"]["ndcg@10"]
    assert ndcg["other"] == pytest.approx(second["after"]["ndcg@10"])
    assert ndcg["wins"] + ndcg["losses"] + ndcg["ties"] == ndcg["queries"] > 0
    effort = told["effort"][second["name"]]
    assert effort["seconds"] > effort["training_seconds"] > 0 and effort["cost"] is None and effort["memory"] > 0
    page = used("compare", first, second["name"], "--cost-per-hour", "3600")
    assert page.returncode == 0
    assert "training.epochs" in page.stdout
    assert used("compare", first).returncode == 2


def test_eval_gives_the_numbers_of_the_report(used: Shell) -> None:
    """The run's evaluation data, written as a BEIR folder, measured anew."""
    run, beir = used.last(), used.folder / "beir"
    (beir / "qrels").mkdir(parents=True)
    for name in ("corpus.jsonl", "queries.jsonl"):
        shutil.copy2(run.data / name, beir / name)
    shutil.copy2(run.data / "qrels.tsv", beir / "qrels" / "test.tsv")
    done = used("eval", run.name, "--data", str(beir), "--json")
    assert done.returncode == 0, done.stderr
    measured = json.loads((run.report / "after.json").read_text("utf-8"))["metrics"]
    told = json.loads(done.stdout)["metrics"]
    assert {name: told[name] for name in measured} == pytest.approx(measured, abs=1e-9)
    missing = used("eval", run.name, "--data", str(used.folder / "nowhere"))
    assert (missing.returncode, "nowhere" in missing.stderr, "Traceback" in missing.stderr) == (3, True, False)
    assert used("eval", "./no-model", "--data", str(beir)).returncode == 1


def test_exports_are_whole_and_refused_with_a_reason(used: Shell) -> None:
    run, out = used.last(), used.folder / "out"
    listed = json.loads(used("export", run.name, "--json").stdout)
    stores = {"faiss", "faiss-hnsw", "faiss-ivf", "milvus", "chroma"}
    services = {"service", *(f"service-{store}" for store in stores)}
    others = {"merged", "adapter", "script", "training-script", "notebook", "onnx", "onnx-int8", "server"}
    assert set(listed) == others | stores | services
    assert used("export", run.name, "--to", "adapter", "--out", str(out / "adapter")).returncode == 0
    assert (out / "adapter" / "adapter_model.safetensors").is_file()
    full = used("export", run.name, "--to", "adapter", "--out", str(out / "adapter"))
    assert (full.returncode, "not empty" in full.stderr) == (2, True)
    wrong = used("export", run.name, "--to", "merge", "--out", str(out / "x"))
    assert (wrong.returncode, "merged" in wrong.stderr, (out / "x").exists()) == (2, True, False)


def test_vectors_are_exported_as_short_as_wanted(used: Shell) -> None:
    import numpy as np
    from sentence_transformers import SentenceTransformer

    run, place = used.last(), used.folder / "short"
    done = used("export", "last", "--to", "merged", "--out", str(place), "--dimension", "8")
    assert done.returncode == 0, done.stderr
    texts = ["how do i train the gpu", "to stop the disk you do it"]
    whole, short = (SentenceTransformer(str(folder), device="cpu").encode(texts) for folder in (run.model, place))
    cut = whole[:, :8] / np.linalg.norm(whole[:, :8], axis=1, keepdims=True)
    assert short.shape == (2, 8) and np.allclose(short, cut, atol=1e-5)
    assert "8" in (place / "README.md").read_text("utf-8").splitlines()[-1]
    targets.write(run, "faiss", used.folder / "stored", 8)
    assert read_json(used.folder / "stored" / "check.json")["found"] == 1
    for form, wanted in (("merged", 32), ("merged", 4000), ("adapter", 8)):
        with pytest.raises(BadPreset) as refused:
            targets.write(run, form, used.folder / "long", wanted)
        assert refused.value.problems[0].code == "no-dimension" and not (used.folder / "long").exists()


def test_the_exported_program_runs_by_itself(used: Shell, tmp_path: Path) -> None:
    run, out = used.last(), tmp_path / "script"
    assert used("export", run.name, "--to", "script", "--out", str(out)).returncode == 0
    texts = tmp_path / "texts.txt"
    query, _ = a_question(run)
    rows = map(json.loads, (run.data / "corpus.jsonl").read_text("utf-8").splitlines())
    documents = {row["_id"]: row["text"] for row in rows}
    texts.write_text("\n".join(documents.values()), encoding="utf-8")
    command = [sys.executable, str(out / "run.py"), "search", str(texts), query, "-k", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, cwd=tmp_path, check=True)
    ranking = [line.split("\t") for line in (run.report / "after.run.tsv").read_text("utf-8").splitlines()]
    measured = [documents[row[2]] for row in ranking if row[0] == ranking[0][0]][:3]
    assert [line.split("\t")[1] for line in done.stdout.splitlines()] == measured


def test_the_search_service_answers_with_and_without_a_reranker(
    used: Shell, tiny_encoder: Path, tmp_path: Path
) -> None:
    run, out = used.last(), tmp_path / "service"
    assert used("export", run.name, "--to", "service", "--out", str(out)).returncode == 0
    shutil.copytree(out, tmp_path / "reranked")
    reranker = ["--reranker", str(_reranker(tiny_encoder, tmp_path)), "--candidates", "8", "--search-share", "0.5"]
    begun: list[tuple[str, int, str, list[str]]] = []
    for folder, options in ((out, []), (tmp_path / "reranked", reranker)):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            begun.append((str(folder), free.getsockname()[1], "", options))
    serving = subprocess.Popen([sys.executable, "-c", STARTS, json.dumps(begun)], stdout=subprocess.PIPE)
    assert serving.stdout is not None
    processes = [int(serving.stdout.readline()) for _ in begun]
    try:
        for _, port, _, options in begun:
            health = answered(f"http://127.0.0.1:{port}/health", None)
            assert health["reranker"] == bool(options)
            assert health["documents"] == len((out / "documents.jsonl").read_text("utf-8").splitlines())
            found = answered(f"http://127.0.0.1:{port}/search", (out / "example.json").read_bytes())
            scores = [hit["score"] for hit in found["hits"]]
            assert len(scores) == 5
            assert scores == sorted(scores, reverse=True)
    finally:
        for process in processes:
            os.kill(process, signal.SIGTERM)
        serving.wait(30)


def _reranker(encoder: Path, folder: Path) -> Path:
    """``encoder`` with a fresh head, as a folder of its own."""
    from sentence_transformers import CrossEncoder

    CrossEncoder(str(encoder), num_labels=1, device="cpu").save_pretrained(str(folder / "reranker"))
    return folder / "reranker"


def test_embed_writes_the_vectors_in_the_order_of_the_rows(used: Shell) -> None:
    import numpy as np
    import pyarrow.parquet as parquet

    texts = used.folder / "texts.txt"
    texts.write_text("stop the gpu\n\ntrain the model\nstop the gpu\n", encoding="utf-8")
    done = used("embed", used.last().name, str(texts), "--out", str(used.folder / "vectors.parquet"))
    assert done.returncode == 0, done.stderr
    assert embed(used.last(), texts, "", used.folder / "vectors.npy", False) == (3, 32)  # what the command sends
    vectors = np.load(used.folder / "vectors.npy")
    table = parquet.read_table(used.folder / "vectors.parquet")
    assert vectors.shape == (3, 32)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert np.array_equal(vectors[0], vectors[2])
    assert table.column("text").to_pylist() == ["stop the gpu", "train the model", "stop the gpu"]
    assert np.allclose(np.array(table.column("vector").to_pylist()), vectors)
    wrong = used("embed", used.last().name, str(used.preset), "--out", str(used.folder / "x.csv"))
    assert (wrong.returncode, ".parquet" in wrong.stderr) == (2, True)


def test_a_language_model_answers_before_and_after_and_leaves(tmp_path: Path, tiny_llm: Path) -> None:
    runs = tmp_path / "runs"
    told = ran(runs, tiny_llm, {"chat": {}})["chat"]
    assert told["record"]["template"]
    run, shell = Run(runs / "chat"), Shell(tmp_path, tmp_path)
    write_whole(run.preset_file, dumps(llm_preset(tiny_llm)))
    done = shell("try", "chat", "-q", "hello", "--json")
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)) == {"query", "before", "after"}
    out = tmp_path / "ollama"
    assert shell("export", "chat", "--to", "ollama", "--out", str(out)).returncode == 0
    text = (out / "Modelfile").read_text("utf-8")
    assert "FROM ./model" in text
    assert "<|im_start|>" in text
    done = shell("export", "chat", "--to", "gguf-q4", "--out", str(tmp_path / "gguf"))
    assert done.returncode == 0, done.stderr
    checked = read_json(tmp_path / "gguf" / "check.json")
    assert checked["by"] in ("Q4_0", "Q4_K_M") and 0 < checked["difference"] < 0.12
    assert checked["loss"] == pytest.approx(checked["loss_tuned"], rel=0.05) and checked["rows"] == 4
    assert f"{checked['loss']:.4f} instead of {checked['loss_tuned']:.4f}" in done.stderr
    modelfile = (tmp_path / "gguf" / "Modelfile").read_text("utf-8")
    assert modelfile.replace("./model.gguf", "./model") == text, "the same but for what it is made from"
    files = {"Modelfile", "README.md", "check.json", "model.gguf"}
    assert {path.name for path in (tmp_path / "gguf").iterdir()} == files
    assert shell("export", "chat", "--to", "service", "--out", str(tmp_path / "x")).returncode == 2


def answered(address: str, body: bytes | None) -> Any:
    """The JSON at ``address``, waited for while the server starts."""
    end = time.monotonic() + 200
    while True:
        try:
            asked = urllib.request.Request(address, body, {"Content-Type": "application/json"})
            with urllib.request.urlopen(asked, timeout=60) as answer:
                return json.load(answer)
        except OSError:
            assert time.monotonic() < end, "the service did not start"
            time.sleep(0.5)
