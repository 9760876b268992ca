"""The exported search service, started for real on loopback: what it answers, and what it refuses in a few bytes."""

from __future__ import annotations

import asyncio
import http.client
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from tunewiz.backends.export import targets

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("faiss")

pytestmark = pytest.mark.timeout(600)
PROGRAM = Path(targets.__file__).parent / "programs" / "service.py.txt"
KEY = "Ünlikely key-1"
TEXTS = [
    "stop the gpu",
    "train the model",
    "resume the run with the server",
    "check the disk",
    "lower the learning rate",
]
JSON = {"Content-Type": "application/json"}


class Answered(NamedTuple):
    status: int
    body: bytes
    headers: http.client.HTTPMessage

    @property
    def told(self) -> Any:
        return json.loads(self.body)


class Service(NamedTuple):
    """A service that runs; every question is a connection of its own."""

    port: int
    process: int

    def ask(
        self, body: bytes | None, headers: dict[str, str] = JSON, path: str = "/search", method: str = ""
    ) -> Answered:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method or ("GET" if body is None else "POST"), path, body, headers)
            answer = connection.getresponse()
            return Answered(answer.status, answer.read(), answer.headers)
        finally:
            connection.close()

    def raw(self, data: bytes, leaves: bool = False) -> bytes:
        """What comes back for ``data`` as it is, from a client that ``leaves`` then or waits."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall(data)
            if leaves:
                connection.shutdown(socket.SHUT_WR)
            parts = []
            with suppress(ConnectionResetError):  # it may leave without reading all of what it refuses
                while part := connection.recv(1 << 16):
                    parts.append(part)
        return b"".join(parts)


def written(folder: Path, documents: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "serve.py").write_text(PROGRAM.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "documents.jsonl").write_text(documents, encoding="utf-8", newline="")
    return folder


#: Runs serve.py in each folder, with the port, the key and the options beside it: a process each, of which the
#: libraries are loaded only once. What Python prints of them is their processes' numbers.
STARTS = """
import json, os, runpy, sys
import faiss, fastapi, sentence_transformers, uvicorn
for folder, port, key, options in json.loads(sys.argv[1]):
    child = os.fork()
    if child:
        print(child, flush=True)
        continue
    os.chdir(folder)
    log = os.open("log", os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1), os.dup2(log, 2)
    os.environ["SEARCH_API_KEY"], sys.argv = key, ["serve.py", "--port", str(port), *options]
    runpy.run_path("serve.py", run_name="__main__")
    os._exit(0)
os.wait(), os.wait()
"""


@pytest.fixture(scope="module")
def services(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Service]]:
    """The program with a tiny model, by the key it asks for; where it asks its documents are as BEIR writes them."""
    plain = [{"id": f"d{number}", "text": text} for number, text in enumerate(TEXTS)]
    beir = [{"_id": row["id"], "title": "", "text": row["text"], "metadata": {}} for row in plain]
    begun: list[tuple[str, int, str, list[str]]] = []
    for key, rows in (("", plain), (KEY, beir)):
        folder = written(tmp_path_factory.mktemp("service"), "\ufeff" + "\r\n\n".join(map(json.dumps, rows)))
        shutil.copytree(tiny_encoder, folder / "model")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            begun.append((str(folder), free.getsockname()[1], key, []))
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-c", STARTS, json.dumps(begun)]
    both = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    assert both.stdout is not None
    found = {key: Service(port, int(both.stdout.readline())) for _, port, key, _ in begun}
    logs = [Path(folder, "log") for folder, *_ in begun]
    try:
        for service, log in zip(found.values(), logs, strict=True):
            until_it_answers(service, log)
        yield found
        for log in logs:
            told = log.read_text("utf-8")
            assert "Traceback" not in told and "Error" not in told
    finally:
        for service in found.values():
            os.kill(service.process, signal.SIGTERM)
        both.wait(30)


def until_it_answers(service: Service, log: Path) -> None:
    end = time.monotonic() + 400
    while True:
        try:
            assert service.ask(None, path="/health").told == {"documents": len(TEXTS), "reranker": False}
            return
        except OSError:
            running = psutil.Process(service.process).status() != psutil.STATUS_ZOMBIE
            assert running and time.monotonic() < end, log.read_text("utf-8")
            time.sleep(0.5)


@pytest.fixture(params=["", KEY], ids=["open", "key"])
def service(request: pytest.FixtureRequest, services: dict[str, Service]) -> Service:
    return services[request.param]


@pytest.fixture
def headers(request: pytest.FixtureRequest) -> dict[str, str]:
    """What a request carries that is let in."""
    wanted = request.node.callspec.params["service"]
    return JSON | ({"Authorization": b"Bearer ".decode() + wanted.encode().decode("latin-1")} if wanted else {})


def asked(**question: Any) -> bytes:
    return json.dumps(question).encode()


@pytest.mark.parametrize(
    "question",
    [
        {"query": "train the model"},
        {"query": "train the model", "k": 1000},
        {"query": "\0 \x1b[31m \u200b ？"},
        {"query": "😀 train"},
        {"query": "train " * 1666},
        {"query": "x" * 10_000, "k": 1},
        {"query": "train", "k": 2, "other": [{}]},
    ],
)
def test_questions_are_answered(service: Service, headers: dict[str, str], question: dict[str, Any]) -> None:
    answer = service.ask(asked(**question), headers)
    assert answer.status == 200
    hits = answer.told["hits"]
    assert len(hits) == min(question.get("k", 5), len(TEXTS))
    assert {(hit["id"], hit["text"]) for hit in hits} <= {(f"d{number}", text) for number, text in enumerate(TEXTS)}
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)
    if question["query"] == "train the model":
        assert hits[0]["id"] == "d1" and hits[0]["score"] == pytest.approx(1, abs=1e-4)


def test_several_queries_are_answered_like_one_by_one(service: Service, headers: dict[str, str]) -> None:
    several = service.ask(asked(query=TEXTS, k=2), headers | {"Content-Type": "Application/JSON; charset=utf-8"})
    assert several.status == 200
    for text, found in zip(TEXTS, several.told["results"], strict=True):
        alone = service.ask(asked(query=text, k=2), headers).told["hits"]
        assert [hit["id"] for hit in found] == [hit["id"] for hit in alone]
        assert [hit["score"] for hit in found] == pytest.approx([hit["score"] for hit in alone], abs=1e-5)


BAD: list[tuple[int, bytes]] = [
    (400, b""),
    (400, b"query"),
    (400, b"{"),
    (400, b'{"query": "x"} x'),
    (400, b"[" * 100_000),
    (400, b'{"query": NaN}'),
    (400, b'{"query": "x", "k": Infinity}'),
    (400, b'{"query": "x", "k": -Infinity}'),
    (400, b'{"query": "x", "k": ' + b"9" * 5000 + b"}"),
    (400, b'{"query": "\xff\xfe"}'),
    (400, '{"query": "x"}'.encode("utf-16")),
    (400, b"\xef\xbb\xbf" + b'{"query": "x"}'),
    (400, b'{"query": "a\nb"}'),
    (422, b"null"),
    (422, b"[]"),
    (422, b'"query"'),
    (422, b"{}"),
    (422, b'{"k": 5}'),
    (422, b'{"query": null}'),
    (422, b'{"query": 5}'),
    (422, b'{"query": {"text": "x"}}'),
    (422, b'{"query": ""}'),
    (422, b'{"query": " \\t\\n\\u3000"}'),
    (422, b'{"query": "\\ud800"}'),
    (422, b'{"query": "a \\udfff b"}'),
    (422, b'{"query": ["a", "\\udc00\\ud800"]}'),
    (422, b'{"query": []}'),
    (422, b'{"query": [["a"]]}'),
    (422, b'{"query": ["a", ""]}'),
    (422, b'{"query": ["a", 1]}'),
    (422, asked(query=["a"] * 65)),
    (422, asked(query="x" * 10_001)),
    (422, asked(query=["x", "x" * 10_001])),
    (413, asked(query="x" * 1_000_000)),
    (413, b" " * 1_000_000),
    (413, b"x" * 5_000_000),
    *(
        (422, b'{"query": "x", "k": ' + k + b"}")
        for k in (b"0", b"-1", b"1001", b"1" + b"0" * 30, b"1e2", b"2.5", b"1e400")
    ),
    *((422, b'{"query": "x", "k": ' + k + b"}") for k in (b"true", b"null", b'"5"', b"[5]", b"{}")),
]


@pytest.mark.parametrize(("status", "body"), BAD, ids=[f"{status}-{body[:24]!a}-{len(body)}" for status, body in BAD])
def test_what_cannot_be_answered_is_refused_in_a_few_bytes(
    service: Service, headers: dict[str, str], status: int, body: bytes
) -> None:
    answer = service.ask(body, headers)
    assert answer.status == status
    assert len(answer.body) < 120 and set(answer.told) == {"error"}


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "json", "a" * 3000]
)
def test_other_contents_are_refused(service: Service, headers: dict[str, str], kind: str) -> None:
    answer = service.ask(asked(query="x"), headers | {"Content-Type": kind})
    assert (answer.status, len(answer.body) < 120) == (415, True)
    bare = {name: value for name, value in headers.items() if name != "Content-Type"}
    assert service.ask(asked(query="x"), bare).status == 415


def test_other_paths_and_methods_are_refused(service: Service, headers: dict[str, str]) -> None:
    for path in ("/", "/docs", "/openapi.json", "/redoc", "/search/", "/../../etc/passwd", "/%00", "/search%2f.."):
        answer = service.ask(None, headers, path)
        assert 300 <= answer.status < 500 and len(answer.body) < 120
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = service.ask(b"{}", headers, "/search", method)
        assert (answer.status, len(answer.body) < 120) == (405, True)


def test_broken_http_is_refused_and_hurts_nobody(service: Service, headers: dict[str, str]) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode("latin-1")
    head = b"POST /search HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + lines
    body = b'{"query": "x"}'
    for data, status in (
        (head + b"Content-Length: 99999999999\r\n\r\n", b"413"),
        (head + b"Content-Length: -5\r\n\r\n" + body, b"400"),
        (head + b"Content-Length: 1e3\r\n\r\n" + body, b"400"),
        (head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (b"\0\1\2 nonsense\r\n\r\n", b"400"),
        (
            head + b"Transfer-Encoding: chunked\r\n\r\n" + (b"10000\r\n" + b" " * 65536 + b"\r\n") * 12 + b"0\r\n\r\n",
            b"413",
        ),
        (
            head + b"Transfer-Encoding: chunked\r\n\r\n7\r\n" + body[:7] + b"\r\n7\r\n" + body[7:] + b"\r\n0\r\n\r\n",
            b"200",
        ),
    ):
        assert service.raw(data).startswith(b"HTTP/1.1 " + status)
    for data in (head + b"Content-Length: 100\r\n\r\n" + body, head + b"X: " + b"a" * 300_000 + b"\r\n\r\n"):
        assert not service.raw(data, leaves=True).startswith((b"HTTP/1.1 5", b"HTTP/1.1 2"))
    assert service.ask(asked(query="x"), headers).status == 200


def test_many_clients_at_a_time_are_all_answered(service: Service, headers: dict[str, str]) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(
            pool.map(lambda number: service.ask(asked(query=TEXTS[number % 5] * (number + 1)), headers), range(48))
        )
    assert {answer.status for answer in answers} == {200}


def streamed(answer: Answered) -> list[Any]:
    assert answer.headers["Content-Type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in answer.body.splitlines()]


def test_many_queries_are_answered_by_a_stream_of_lines(service: Service, headers: dict[str, str]) -> None:
    wanted = headers | {"Accept": "text/html;q=0.1, application/x-ndjson"}
    queries = [TEXTS[number % 5] for number in range(150)]
    answer = service.ask(asked(query=queries, k=1), wanted)
    assert answer.status == 200
    *lines, last = streamed(answer)
    assert [line["query"] for line in lines] == list(range(150))
    assert [line["hits"][0]["text"] for line in lines] == queries
    assert last["queries"] == 150 and last["milliseconds"] > 0
    (line, _) = streamed(service.ask(asked(query="train the model", k=2), wanted))
    assert line["query"] == 0 and len(line["hits"]) == 2
    refused = service.ask(asked(query=["a"] * 10_001), wanted)
    assert (refused.status, set(refused.told)) == (422, {"error"})
    assert service.ask(asked(query=["x" * 9000] * 100), wanted).status == 200, "larger than a request without a stream"


def measures(service: Service, headers: dict[str, str]) -> dict[str, float]:
    answer = service.ask(None, headers, "/metrics")
    assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = answer.body.decode().splitlines()
    kinds = {line.split()[2]: line.split()[3] for line in lines if line.startswith("#")}
    found = {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if not line.startswith("#")}
    for name in found:
        bare = re.sub(r"(_bucket|_sum|_count)?(\{.*\})?$", "", name)
        assert bare in kinds or name.split("{")[0] in kinds, name
    assert kinds["search_requests_total"] == "counter" and kinds["search_seconds"] == "histogram"
    return found


def test_metrics_count_what_happened(service: Service, headers: dict[str, str]) -> None:
    before = measures(service, headers)
    for body, status in ((asked(query=TEXTS, k=3), 200), (b"{}", 422), (asked(query="x"), 200)):
        assert service.ask(body, headers).status == status
    after = measures(service, headers)
    told = {name: after[name] - before.get(name, 0) for name in after}
    assert told['search_requests_total{status="200"}'] == 2 and told['search_requests_total{status="422"}'] == 1
    assert told["search_queries_total"] == 6 and told["search_seconds_count"] == 2
    assert told["search_batch_queries_sum"] == 6 and told["search_seconds_sum"] > 0
    assert after["search_queue_queries"] == 0 and after["search_documents"] == len(TEXTS)
    assert after['search_seconds_bucket{le="+Inf"}'] == after["search_seconds_count"]
    if "Authorization" in headers:
        assert service.ask(None, {}, "/metrics").status == 401


def test_requests_that_wait_are_searched_together(service: Service, headers: dict[str, str]) -> None:
    before = measures(service, headers)
    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda place: service.ask(asked(query=TEXTS[place % 5], k=2), headers), range(96)))
    for place, answer in enumerate(answers):
        assert answer.told["hits"][0]["text"] == TEXTS[place % 5], "each client gets what it asked for"
    after = measures(service, headers)
    batches = after["search_batch_queries_count"] - before["search_batch_queries_count"]
    assert after["search_batch_queries_sum"] - before["search_batch_queries_sum"] == 96
    assert batches < 96


def test_a_search_that_fails_is_told_and_spoils_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    serve = imported_program()

    class Failing:
        documents = [{}]
        reranker = None

        def search(self, queries: list[str], k: int) -> list[list[dict[str, Any]]]:
            time.sleep(0.05)
            if "bad" in queries:
                raise RuntimeError("out of luck")
            return [[{"id": query, "score": 1.0}] for query in queries]

    async def through() -> list[Any]:
        batches = serve.Batches(Failing(), serve.Counts())
        asked_for = [batches.search([query], 1) for query in ("a", "b", "bad", "c")]
        found = await asyncio.gather(*asked_for, return_exceptions=True)
        left = asyncio.ensure_future(batches.search(["gone"], 1))
        await asyncio.sleep(0)
        left.cancel()
        assert await batches.search(["d"], 1) == [[{"id": "d", "score": 1.0}]]
        return list(found)

    first, second, bad, last = asyncio.run(through())
    assert [one[0][0]["id"] for one in (first, second, last)] == ["a", "b", "c"]
    assert isinstance(bad, RuntimeError) and "out of luck" in capsys.readouterr().err


def imported_program() -> Any:
    loader = SourceFileLoader("exported_service", str(PROGRAM))
    spec = importlib.util.spec_from_loader("exported_service", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module


def test_it_listens_on_this_machine_only(service: Service) -> None:
    listening = [one.laddr for one in psutil.Process(service.process).net_connections() if one.status == "LISTEN"]
    assert [place.ip for place in listening] == ["127.0.0.1"]


def test_a_key_is_asked_for_where_there_is_one(service: Service, headers: dict[str, str]) -> None:
    wrong = [
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {KEY[:-1]}".encode().decode("latin-1"),
        "Basic x",
        "x" * 5000,
        "Bearer \xff\xfe",
    ]
    for given in wrong:
        answer = service.ask(asked(query="x"), JSON | {"Authorization": given})
        if "Authorization" not in headers:
            assert answer.status == 200
            continue
        assert (answer.status, answer.headers["WWW-Authenticate"], len(answer.body) < 120) == (401, "Bearer", True)
    assert service.ask(asked(query="x"), headers).status == 200
    assert service.ask(None, {}, "/health").status == 200


# The documents, checked before any model is loaded.


def started(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "serve.py", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def test_every_bad_line_of_the_documents_is_told_with_its_place(tmp_path: Path) -> None:
    lines = [
        '{"id": "a", "text": "good"}',
        "not JSON",
        "",
        '{"id": "b"}',
        '{"text": "no id"}',
        '{"_id": "a", "text": "twice"}',
        '{"id": true, "text": "x"}',
        '{"id": "c", "text": "  "}',
        '{"id": "d", "text": "\\ud800"}',
        "[1]",
        '{"id": "e", "title": 5, "text": "x"}',
        "[" * 50_000,
        '{"id": 7, "text": "good"}',
    ]
    folder = written(tmp_path, "\n".join(lines) + "\n")
    with (folder / "documents.jsonl").open("ab") as stream:
        stream.write(b'{"id": "f", "text": "\xff"}')
    done = started(folder)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    told = {int(line.split(":")[1]): line for line in done.stderr.splitlines()}
    assert all(line.startswith(f"{folder / 'documents.jsonl'}:{number}: ") for number, line in told.items())
    assert sorted(told) == [2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14]
    assert "'a' is that of line 1" in told[6] and "UTF-8" in told[14] and "UTF-16" in told[9]


@pytest.mark.parametrize(
    ("documents", "arguments", "said"),
    [
        ("", (), "holds no document"),
        ("\n\n", (), "holds no document"),
        ("x\n" * 500, (), "400 more bad lines"),
        ("{}", ("--documents", "no-such.jsonl"), "no-such.jsonl: No such file"),
        ("{}", ("--documents", "."), "Is a directory"),
        ("{}", ("--search-share", "nan"), "--search-share"),
        ("{}", ("--candidates", "0"), "--candidates"),
    ],
)
def test_what_cannot_be_served_is_said(documents: str, arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = started(written(tmp_path, documents), *arguments)
    assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (2, True, False)
