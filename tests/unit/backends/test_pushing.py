"""A run's model uploaded by the hub's own library to a server that answers what a hub answers."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.playing import a_run
from tunewiz.backends.outside.pushing import push
from tunewiz.backends.runs.run import Run
from tunewiz.problems import BadPreset

pytestmark = pytest.mark.usefixtures("in_english")

TOKEN = "hf_abcdefghijklmnopqrstuvwxyz0123456789"
CARD = 'model = SentenceTransformer(".")  # the path of this folder\nprint(model)\n'


class Hub(BaseHTTPRequestHandler):
    """Makes repositories, says how files are to come, and takes commits."""

    made: list[dict[str, Any]] = []
    files: dict[str, bytes] = {}
    refuses = False

    def do_POST(self) -> None:
        told = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.refuses or self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._answer({"error": f"the token {TOKEN} may not write"}, 403)
        elif self.path == "/api/repos/create":
            self.made.append(json.loads(told))
            self._answer({"url": f"http://{self.headers['Host']}/me/mine"})
        elif "/preupload/" in self.path:
            wanted = json.loads(told)["files"]
            self._answer({"files": [one | {"uploadMode": "regular", "shouldIgnore": False} for one in wanted]})
        elif "/commit/" in self.path:
            for line in map(json.loads, told.splitlines()):
                if line["key"] == "file":
                    self.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            self._answer({"commitUrl": f"http://{self.headers['Host']}/me/mine/commit/1", "commitOid": "1"})
        else:
            self._answer({"type": "regular"})

    def do_GET(self) -> None:
        self._answer({"id": "me/mine", "private": True, "siblings": []})

    def _answer(self, told: object, status: int = 200) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_told: object) -> None:
        """Say nothing."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[type[Hub]]:
    """A hub of its own, and a home without anybody's token."""
    Hub.made, Hub.files, Hub.refuses = [], {}, False
    server = HTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub-home"))
    monkeypatch.setenv("HOME", str(tmp_path))
    yield Hub
    server.shutdown()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run with a whole model and an adapter beside it."""
    found = a_run(tmp_path / "runs")
    (found.model / "adapter").mkdir(parents=True)
    for name, text in {"model.safetensors": "weights", "config.json": "{}", "README.md": CARD,
                       "adapter/adapter_config.json": "{}"}.items():  # fmt: skip
        (found.model / name).write_text(text, encoding="utf-8")
    return found


def test_the_model_and_its_card_go_into_a_repository_that_only_its_owner_sees(run: Run, hub: type[Hub]) -> None:
    (pushed,) = push(run, "hf:me/mine", "", public=False, dry=False)
    (made,) = hub.made
    assert made["name"] == "mine" and (made.get("private") is True or made.get("visibility") == "private")
    assert sorted(hub.files) == ["README.md", "config.json", "model.safetensors"]
    assert hub.files["model.safetensors"] == b"weights"
    assert hub.files["README.md"].decode() == 'model = SentenceTransformer("me/mine")\nprint(model)\n'
    assert pushed.page.endswith("/me/mine/commit/1")
    assert not list(run.directory.glob(".pushing-*"))
    assert (run.model / "README.md").read_text() == CARD


def test_a_dry_run_shows_what_would_go_and_needs_no_token(
    run: Run, hub: type[Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    (pushed,) = push(run, "hf:me/mine", "adapter", public=True, dry=True)
    assert pushed.files == (("adapter_config.json", 2),)
    assert hub.made == [] and hub.files == {}


def test_what_the_hub_refuses_is_told_without_the_token(run: Run, hub: type[Hub]) -> None:
    hub.refuses = True
    with pytest.raises(BadPreset) as caught:
        push(run, "hf:me/mine", "", public=False, dry=False)
    (problem,) = caught.value.problems
    assert problem.code == "not-pushed" and "me/mine was not uploaded to Hugging Face" in problem.message.text()
    assert TOKEN not in problem.message.text()


@pytest.mark.parametrize(
    ("place", "code"), [("me/mine", "push-place"), ("/tmp/x", "push-place"), ("modelscope:me/mine", "no-token")]
)
def test_what_cannot_go_anywhere_is_told_before_anything_is_written(
    run: Run, hub: type[Hub], monkeypatch: pytest.MonkeyPatch, place: str, code: str
) -> None:
    monkeypatch.delenv("MODELSCOPE_API_TOKEN", raising=False)
    with pytest.raises(BadPreset) as caught:
        push(run, place, "", public=False, dry=False)
    assert [one.code for one in caught.value.problems] == [code]
    assert not list(run.directory.glob(".pushing-*"))
