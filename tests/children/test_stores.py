"""A run's documents in vector stores, built and asked for real: the same ten as exact search, by the program alone."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.children.evaluation import exported_run
from tunewiz.backends.export import stores, targets
from tunewiz.backends.runs.run import Run
from tunewiz.problems import BadPreset

pytest.importorskip("faiss")

QUESTION = "why does my disk"
#: Calls a program several times where ``tunewiz`` cannot be imported, and prints what each call printed.
CALLING = """
import contextlib, io, json, runpy, sys

sys.modules["tunewiz"] = None
program, told = sys.argv[1], []
for arguments in json.loads(sys.argv[2]):
    sys.argv = [program, *arguments]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        try:
            runpy.run_path(program, run_name="__main__")
        except SystemExit as end:
            if end.code:
                raise
    told.append(printed.getvalue())
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Run:
    return exported_run(tmp_path_factory.mktemp("stores"), tiny_encoder)


@pytest.mark.parametrize("name", ["faiss", "faiss-hnsw", "faiss-ivf", "milvus", "chroma"])
def test_a_store_finds_what_exact_search_does(name: str, run: Run, tmp_path: Path) -> None:
    target = targets.catalogue()[name]
    assert isinstance(target, stores.Store)
    for package in target.packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    told = targets.write(run, name, tmp_path / "out")
    checked = json.loads((tmp_path / "out" / "check.json").read_text("utf-8"))
    # Of 24 documents even the approximate kinds look at all.
    assert checked["found"] == 1.0
    assert checked["ndcg"] == pytest.approx(checked["ndcg_exact"], abs=1e-6)
    assert "100.0 %" in told.text("en")
    assert not list((tmp_path / "out").rglob("__pycache__"))


def test_the_program_needs_nothing_of_ours_and_takes_other_documents(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    targets.write(run, "faiss-hnsw", out)

    others = tmp_path / "others.jsonl"
    others.write_text('{"id": "甲", "text": "disk full"}\n{"id": "乙", "text": "port closed"}\n', "utf-8")
    calls = (("search", QUESTION, "-k", "2"), ("build", str(others), "--kind", "ivf"), ("search", QUESTION))
    command = [sys.executable, "-c", CALLING, str(out / "store.py"), json.dumps(calls)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first, _, second = (told.splitlines() for told in json.loads(done.stdout))
    assert len(first) == 2
    score, name, _ = first[0].split("\t")
    assert name.startswith("d") and -1 <= float(score) <= 1
    assert {line.split("\t")[1] for line in second} == {"甲", "乙"}


def test_what_is_missing_is_named_and_nothing_is_left(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores.Milvus, "packages", {"no_such_package": "pymilvus"})
    with pytest.raises(BadPreset) as caught:
        targets.write(run, "milvus", tmp_path / "out")
    (problem,) = caught.value.problems
    assert problem.code == "store-packages"
    assert 'pip install "tunewiz[milvus]"' in str(problem.fix)
    assert not (tmp_path / "out").exists()


def test_a_store_that_misses_some_says_how_many() -> None:
    import numpy as np

    vectors = np.eye(12, dtype=np.float32)
    ids = [f"d{place}" for place in range(12)]
    asked = stores._Questions(vectors[:2], ["a", "b"], {"a": {"d0": 1}, "b": {"d1": 1}})
    right = [
        [(f"d{place}", 1.0), *[(f"d{other}", 0.0) for other in range(12) if other != place][:9]] for place in (0, 1)
    ]
    assert stores._compared(asked, vectors, ids, right) == {
        "found": 1.0,
        "questions": 2.0,
        "ndcg": 1.0,
        "ndcg_exact": 1.0,
    }
    missed = [[(name, score) for name, score in ranking if name != "d1"][:5] for ranking in right]
    told = stores._compared(asked, vectors, ids, missed)
    assert told["found"] < 1
    assert told["ndcg"] == 0.5
