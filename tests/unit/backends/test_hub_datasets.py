"""Datasets by their id on a hub, against a server on this machine that speaks the hub's few endpoints."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from tunewiz.backends.readiness import check_preset
from tunewiz.backends.sources import datasets
from tunewiz.backends.sources.source import ModelUnavailable
from tunewiz.backends.stages.retrieval import plan_of
from tunewiz.data.inspection import inspect
from tunewiz.data.reading.discovery import discover
from tunewiz.data.reading.records import read
from tunewiz.data.reading.source import Dataset
from tunewiz.data.retrieval.prepare import prepare
from tunewiz.presets.yaml.library import open_preset
from tunewiz.problems import BadData, errors

COMMIT = "c0ffee" + "0" * 34
CARD = """---
license: mit
configs:
- config_name: en
  default: true
  data_files:
  - split: train
    path: en/train-*.jsonl
  - split: test
    path: en/test.jsonl
- config_name: zh
  data_files: zh/*.jsonl
---
# Questions
"""


def _rows(name: str, first: int, count: int) -> bytes:
    numbers = range(first, first + count)
    rows = ({"query": f"{name} question number {n}", "positive": f"the {name} answer {n}"} for n in numbers)
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


FILES = {
    "README.md": CARD.encode(),
    "en/train-00000-of-00002.jsonl": _rows("english", 0, 40),
    "en/train-00001-of-00002.jsonl": _rows("english", 40, 20),
    "en/test.jsonl": _rows("tested", 0, 9),
    "zh/all.jsonl": _rows("chinese", 0, 12),
    "pictures/big.png": b"x" * 5000,
}


class _Hub(BaseHTTPRequestHandler):
    asked: list[str] = []
    tokens: list[str] = []

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.asked.append(f"{self.command} {path}")
        self.tokens.append(self.headers.get("Authorization", ""))
        if path.startswith("/api/datasets/org/faq"):
            sizes = {name: len(body) for name, body in FILES.items()}
            listed = [{"rfilename": name, "size": size} for name, size in sizes.items()]
            told: Any = {"id": "org/faq", "sha": COMMIT, "siblings": listed}
            if "/tree/" in path:
                told = [{"type": "file", "path": name, "size": size, "oid": "0"} for name, size in sizes.items()]
            self._send(200, json.dumps(told).encode(), Content_Type="application/json")
        elif path.startswith("/datasets/org/faq/resolve/"):
            name = path.split("/", 6)[-1]
            body = FILES.get(name)
            etag = f'"{hashlib.sha1(body or b"").hexdigest()}"'
            self._send(200 if body else 404, body or b"", ETag=etag, X_Repo_Commit=COMMIT)
        elif path.startswith("/api/v1/datasets/org/faq/repo/tree"):
            paths = [{"Path": name, "Size": len(body), "Type": "blob"} for name, body in FILES.items()]
            self._send(200, json.dumps({"Code": 200, "Data": {"Files": paths}}).encode())
        elif path.startswith("/api/v1/datasets/org/faq/repo"):
            self._send(200, CARD.encode())
        else:
            self._send(404, b"{}")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    _Hub.asked, _Hub.tokens = [], []
    for name, value in {
        "HF_ENDPOINT": address, "MODELSCOPE_ENDPOINT": address, "HF_HUB_CACHE": str(tmp_path / "hub"),
        "HF_HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "cache"), "HF_TOKEN": "hf_" + "a" * 30,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.delenv("TRANSFORMERS_OFFLINE", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    yield address
    server.shutdown()


def _count(dataset: Dataset) -> int:
    return sum(1 for _ in read(discover(dataset), lambda _problem: None))


def test_a_dataset_is_downloaded_once_and_read_by_its_readme(hub: str) -> None:
    told: list[str] = []
    english = Dataset("hf:org/faq")
    looked = inspect(english)
    assert [finding.code for finding in looked.findings] == ["dataset-absent"]
    assert looked.usable  # the run downloads it
    wanted = datasets.look(english)
    assert wanted.size == sum(len(FILES[name]) for name in FILES if name.startswith(("en/", "README")))
    datasets.fetch_all([english], lambda message: told.append(message.text("en")), lambda _done, _all: None)
    assert len(told) == 1
    assert "4 files" in told[0]
    assert not any("zh/" in path or "png" in path for path in _Hub.asked)  # another subset's, and what is no data
    sent = {token for path, token in zip(_Hub.asked, _Hub.tokens, strict=True) if "/datasets/" in path}
    assert sent == {"Bearer hf_" + "a" * 30}
    assert not any("hf_aaa" in text for text in told)
    assert (_count(english), _count(Dataset("hf:org/faq", split="test"))) == (60, 9)
    # A second time nothing is asked of the hub; another subset is fetched when it is wanted.
    _Hub.asked.clear()
    datasets.fetch_all([english], lambda message: told.append(message.text("en")), lambda _done, _all: None)
    assert _Hub.asked == []
    for chinese in (Dataset("hf:org/faq", subset="zh"), Dataset("hf:org/faq/zh")):
        datasets.fetch_all([chinese], lambda _message: None, lambda _done, _all: None)
        assert _count(chinese) == 12
    # A single file of the repository, at a revision.
    single = Dataset("hf:org/faq@v1/en/test.jsonl")
    datasets.fetch_all([single], lambda _message: None, lambda _done, _all: None)
    assert _count(single) == 9


@pytest.mark.parametrize("train", ["hf:org/faq", "[hf:org/faq, hf:org/faq/en/test.jsonl]"])
def test_a_dataset_that_is_not_here_yet_keeps_no_run_from_starting(hub: str, train: str) -> None:
    opened = open_preset("embedding/starter", [f"data.train={train}", "data.evaluation.data=hf:org/faq/en/test.jsonl"])
    assert not errors(check_preset(opened))


def test_a_run_names_datasets_of_hubs_among_others(hub: str, tmp_path: Path) -> None:
    (tmp_path / "own.jsonl").write_bytes(_rows("own", 0, 30))
    train = json.dumps([{"path": "hf:org/faq", "weight": 0.5}, str(tmp_path / "own.jsonl")])
    settings = [f"data.train={train}", "data.evaluation.data=hf:org/faq/en/test.jsonl"]
    preset: Any = open_preset("embedding/starter", settings).preset
    named = datasets.hub_datasets(preset)
    assert [one.path for one in named] == ["hf:org/faq", "hf:org/faq/en/test.jsonl"]
    datasets.fetch_all(named, lambda _message: None, lambda _done, _all: None)
    prepared = prepare(plan_of(preset), lambda _problem: None)
    assert {one.name: one.train for one in prepared.sources} == {"hf:org/faq": 30, str(tmp_path / "own.jsonl"): 30}
    assert len(prepared.evaluation.queries) == 9


def test_what_cannot_be_had_is_told(hub: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: str, **options: str) -> list[str]:
        with pytest.raises((ModelUnavailable, BadData)) as fault:
            datasets.fetch_all([Dataset(path, **options)], lambda _message: None, lambda _done, _all: None)
        return [problem.code for problem in fault.value.problems]

    assert refused("hf:org/nothing") == ["dataset-unknown"]
    assert refused("hf:org/faq", subset="fr") == ["unknown-subset"]
    assert refused("hf:nobody") == ["bad-hub-id"]
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert refused("hf:org/faq") == ["hub-offline"]
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert refused("hf:org/faq") == ["hub-unreachable"]


def test_modelscope_lists_by_pages(hub: str) -> None:
    wanted = datasets.look(Dataset("modelscope:org/faq", subset="zh"))
    assert wanted.files == ("README.md", "zh/all.jsonl")
    assert wanted.size == len(FILES["zh/all.jsonl"]) + len(CARD.encode())


def test_the_readme_of_a_local_clone_counts_too(tmp_path: Path) -> None:
    for name, body in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(body)
    assert _count(Dataset(str(tmp_path))) == 60
    assert _count(Dataset(str(tmp_path), subset="zh")) == 12
    (tmp_path / "README.md").write_text(CARD.replace("  default: true\n", ""), encoding="utf-8")
    with pytest.raises(BadData) as fault:
        discover(Dataset(str(tmp_path)))
    assert [problem.code for problem in fault.value.problems] == ["which-subset"]
