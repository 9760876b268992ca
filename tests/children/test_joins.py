"""What is exported, handed to LangChain and LlamaIndex by the programs beside it; and services over stores."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.children.evaluation import exported_run
from tests.children.test_stores import CALLING
from tunewiz.backends.evaluate.standalone import ask
from tunewiz.backends.export import stores, targets
from tunewiz.backends.runs.run import Run
from tunewiz.errand import send

pytest.importorskip("faiss")
QUESTION = "why does my disk"
FRAMEWORKS = {"langchain_core": "with_langchain.py", "llama_index": "with_llama_index.py"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Run:
    return exported_run(tmp_path_factory.mktemp("joins"), tiny_encoder)


def exported(run: Run, name: str, folder: Path) -> Path:
    """Where the target lies; skips where its packages are not here."""
    target = targets.catalogue()[name]
    store = target if isinstance(target, stores.Store) else getattr(target, "store", None)
    for package in store.packages if store else ():
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    targets.write(run, name, folder)
    return folder


def test_each_program_is_one_that_python_reads_and_says_what_it_needs(run: Run, tmp_path: Path) -> None:
    for kind in ("embedding", "reranker", "store", "service", "server"):
        folder = tmp_path / kind
        folder.mkdir()
        targets.write_joins(kind, folder)
        assert sorted(file.name for file in folder.iterdir()) == sorted(FRAMEWORKS.values())
        for file in folder.iterdir():
            tree = ast.parse(file.read_text(encoding="utf-8"))
            said = ast.get_docstring(tree) or ""
            assert f"python {file.name}" in said and "Needs: pip install" in said


@pytest.mark.parametrize("package", FRAMEWORKS)
def test_a_framework_finds_what_the_store_finds(package: str, run: Run, tmp_path: Path, tiny_encoder: Path) -> None:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    program = FRAMEWORKS[package]
    folder, model = exported(run, "faiss", tmp_path / "store"), exported(run, "script", tmp_path / "model")
    rows = [json.loads(line) for line in (folder / "documents.jsonl").read_text("utf-8").splitlines()]
    (tmp_path / "texts.txt").write_text("\n".join(row["text"] for row in rows), "utf-8")
    told = []
    for file, arguments in (
        (folder / "store.py", ["search", QUESTION]),
        (folder / program, [QUESTION]),
        (model / program, [str(tmp_path / "texts.txt"), QUESTION]),
    ):
        settings = os.environ | {"PYTHONPATH": str(file.parent), "HF_HUB_OFFLINE": "1"}
        command = [sys.executable, "-c", CALLING, str(file), json.dumps([arguments])]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=settings)
        assert done.returncode == 0, done.stderr
        told.append([line.split("\t") for line in json.loads(done.stdout)[0].splitlines()])
    store, join, plain = told
    assert len(store) == 5 and join == store, "ids, scores and texts in the same order"
    scores = [[float(line[0]) for line in one] for one in (store, plain)]
    assert scores[0] == pytest.approx(scores[1], abs=2e-4)


@pytest.mark.parametrize("name", ["faiss", "faiss-hnsw", "faiss-ivf", "milvus", "chroma"])
def test_a_service_over_a_store_answers_as_the_plain_one(
    name: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, over = exported(run, "service", tmp_path / "plain"), tmp_path / "over"
    if name == "milvus":  # whose embedded server lives, and holds its file, as long as the process that built it
        pytest.importorskip("pymilvus")
        send("tunewiz.backends.export.targets:write", run, f"service-{name}", over)
    else:
        exported(run, f"service-{name}", over)
    assert {"serve.py", "store.py", "search.json", "words.py", "example.json", "model"} <= {
        file.name for file in over.iterdir()
    }
    answers = [asked(plain, monkeypatch), asked(over, monkeypatch)]
    scores = [[[hit["score"] for hit in hits] for hits in one] for one in answers]
    for one, other in zip(*scores, strict=True):
        assert one == pytest.approx(other, abs=1e-4)
    assert all(hit["text"] for hits in answers[1] for hit in hits)


def asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[dict[str, Any]]]:
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    monkeypatch.delitem(sys.modules, "store", raising=False)
    serve = imported(folder / "serve.py")
    index = serve.Index(serve.read_documents(folder / "documents.jsonl"), None, 50, 0.0, "dense")
    found: list[list[dict[str, Any]]] = index.search([QUESTION, "how do i port"], 5)
    return found


def test_a_service_over_a_store_refuses_other_documents(run: Run, tmp_path: Path) -> None:
    folder = exported(run, "service-faiss", tmp_path / "over")
    other = tmp_path / "other.jsonl"
    other.write_text('{"id": "a", "text": "disk"}\n', "utf-8")
    command = [sys.executable, str(folder / "serve.py"), "--documents", str(other)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "store.py build" in done.stderr
    assert "Traceback" not in done.stderr


def imported(file: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"served_{file.parent.name}", file)
    assert spec is not None and spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def plain(run: Run) -> dict[str, Any]:
    """What is measured without a store."""
    return ask(question(run, ""))


def question(run: Run, store: str) -> dict[str, Any]:
    told = {"model": run.name, "run": str(run.directory), "preset": str(run.preset_file), "split": "auto"}
    return told | {"k": [1, 5], "data": str(run.directory.parent / "beir"), "store": store}


@pytest.mark.parametrize("name", ["faiss-hnsw", "milvus", "chroma"])
def test_a_collection_is_measured_in_a_store(name: str, run: Run, plain: dict[str, Any]) -> None:
    store = targets.catalogue()[name]
    assert isinstance(store, stores.Store)
    for package in store.packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    told = ask(question(run, name))
    assert "problems" not in told, told
    assert [told[key] for key in ("store", "queries", "documents")] == [name, plain["queries"], plain["documents"]]
    assert told["found"] == pytest.approx(1.0), "so few documents are all found"
    assert told["metrics"] == pytest.approx(told["exact"], abs=1e-3)
    assert told["exact"]["ndcg@10"] == pytest.approx(plain["metrics"]["ndcg@10"], abs=1e-3)


def test_a_store_that_there_is_not_is_told(run: Run) -> None:
    told = ask(question(run, "milvs"))
    assert told["exit_code"] == 2
    assert told["problems"][0]["code"] == "unknown-store" and "milvus" in json.dumps(told["problems"])
