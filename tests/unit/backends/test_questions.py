"""Questions for bare documents: by an endpoint on this machine and by a tiny model, filtered, split, gone on with."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tunewiz.backends.questions.making import QuestionPlan, make
from tunewiz.backends.questions.prompts import prompt_for, questions_in
from tunewiz.backends.questions.writers import EndpointWriter
from tunewiz.backends.stages.retrieval import plan_of
from tunewiz.data.retrieval.prepare import prepare
from tunewiz.presets.yaml.library import open_preset
from tunewiz.problems import BadPreset, Problem, TunewizError
from tunewiz.tui.questions import run_questions

KEY = "sk-" + "k" * 30
TOPICS = (
    *("anchor", "basket", "compass", "hammer", "kettle", "ladder", "lantern", "violin", "trumpet", "saddle"),
    *("bucket", "curtain", "pillow", "mirror", "candle", "helmet", "carpet", "blanket", "cushion", "drawer"),
)


class _Server(BaseHTTPRequestHandler):
    """Asks what the passage is about: one question that finds it, one that is lost, and one that is none."""

    asked: list[dict[str, Any]] = []
    refuse: list[int] = []

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _send(self, status: int, told: Any) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self._send(200, {"data": [{"id": "only-model"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(body | {"key": self.headers.get("Authorization", "")})
        if self.refuse:
            self._send(self.refuse.pop(), {"error": f"no, {self.headers.get('Authorization')}"})
            return
        prompt = body["messages"][0]["content"]
        topic = re.findall(r"the (\w+) of model (\d+)", prompt)[0]
        lines = [f"1. What does the {topic[0]} of model {topic[1]} weigh?", "2. Who is the president of Peru today?",
                 "This text is about things.", "3. What does this text say?"]  # fmt: skip
        self._send(200, {"choices": [{"message": {"content": "\n".join(lines)}}]})


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    _Server.asked, _Server.refuse = [], []
    address = f"http://127.0.0.1:{server.server_port}/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", address)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    yield address
    server.shutdown()


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    for number, topic in enumerate(TOPICS):
        text = (
            f"In this chapter the {topic} of model {number} is described. It weighs {number + 3} kilos, has {number} \
handles, and the {topic} is kept dry, away from the sun, and cleaned with a soft cloth once a week."
        )
        (folder / f"{number:02}.md").write_text(f"# The {topic}\n\n{text}\n", encoding="utf-8")
    return folder


def _rows(file: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.is_file() else []


def test_questions_by_an_endpoint(
    endpoint: str, documents: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    plan = QuestionPlan(str(documents), str(out), 6, "endpoint", top_k=2)
    # A real child, as the command starts it; then the rest in this process, which goes on where that one stopped.
    assert run_questions(plan, as_json=False) == 0
    told = capsys.readouterr()
    assert "6 of 6 questions" in told.out and "bm25" in told.out and "only-model" in told.out
    assert KEY not in told.out + told.err + "".join(file.read_text() for file in out.iterdir())
    before = [row["passage_id"] for side in ("train", "test") for row in _rows(out / f"{side}.jsonl")]
    assert len(before) == 6
    asked = len(_Server.asked)
    assert {one["key"] for one in _Server.asked} == {f"Bearer {KEY}"}
    # A line that was cut off is written again, not read.
    with (out / "train.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('{"query": "cut')
    facts: list[Any] = []
    end = make(QuestionPlan(str(documents), str(out), 50, "endpoint:m", top_k=2), facts.append)
    train, test = _rows(out / "train.jsonl"), _rows(out / "test.jsonl")
    assert end["kept"] == len(train) + len(test) == len(TOPICS)
    assert end["lost"] >= 1  # the president is in no passage, and another passage finds no president twice
    assert [row["passage_id"] for row in train][: len(before)] != [] and asked < len(_Server.asked)
    assert train and test
    assert not {row["passage_id"] for row in train} & {row["passage_id"] for row in test}
    assert not {row["positive"] for row in train} & {row["positive"] for row in test}
    assert all(row["generated_by"] and "weigh" in row["query"] for row in (*train, *test))
    assert "not asked by people" in (out / "README.md").read_text(encoding="utf-8")
    assert len(_rows(out / "all-passages.jsonl")) == len(TOPICS)
    # What the command says to run: nothing leaks, everything is searched, and it is told that models wrote it.
    settings = [f"data.train={out}/train.jsonl", f"data.evaluation.data={out}/test.jsonl",
                f"data.evaluation.corpus={out}/all-passages.jsonl"]  # fmt: skip
    preset: Any = open_preset("embedding/starter", settings).preset
    found: list[Problem] = []
    prepared = prepare(plan_of(preset), found.append)
    assert len(prepared.groups) == len(train)
    assert len(prepared.evaluation.corpus) == len(TOPICS)
    codes = {problem.code for problem in found}
    assert "generated-questions" in codes
    assert not codes & {"leak-query", "leak-document", "texts-unused"}
    # Other documents do not go into the same folder.
    (documents / "00.md").write_text(
        "# Other\n\n" + "Something else is told here at some length. " * 9, encoding="utf-8"
    )
    with pytest.raises(BadPreset, match="other documents"):
        make(plan, facts.append)


def test_an_endpoint_that_fails_is_told_without_its_key(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = EndpointWriter("m")
    _Server.refuse = [503, 429]
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    assert "anchor" in writer.answer("the anchor of model 1 is heavy", 1)  # the third time it answers
    _Server.refuse = [401]
    with pytest.raises(TunewizError) as fault:
        writer.answer("the anchor of model 1", 1)
    (problem,) = fault.value.problems
    assert problem.code == "endpoint-failed"
    assert "401" in problem.line("en") and KEY not in problem.line("en")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(TunewizError, match="ConnectionRefused"):
        EndpointWriter("m").answer("x", 1)
    monkeypatch.delenv("OPENAI_BASE_URL")
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(BadPreset, match="OPENAI_BASE_URL"):
        EndpointWriter("m")


def test_questions_are_found_in_what_models_write() -> None:
    chinese = "员工入职满一年后，每年享有十天带薪年假。"
    answer = "好的，以下是问题：\n1. **员工每年有几天年假？**\n2、入职多久才有年假\n问题3：本文讲了什么？\n"
    answer += "- What is this?\n员工每年有几天年假"
    assert list(questions_in(answer, chinese)) == ["员工每年有几天年假？", "入职多久才有年假"]
    english = "Employees have ten days of leave a year."
    answer = "Sure!\nQ1: How many days of leave are there a year? Q2: Who has leave?\n"
    answer += "- Employees have ten days of leave a year."
    assert list(questions_in(answer, english)) == ["How many days of leave are there a year?", "Who has leave?"]
    assert "每行一个问题" in prompt_for(chinese, 2)
    assert "One question per line" in prompt_for(english, 2)


def test_a_tiny_model_of_this_machine_is_asked(tiny_llm: Path, documents: Path, tmp_path: Path) -> None:
    """It knows no language, so nothing it writes is kept; that is told, and the passages are not asked again."""
    for file in sorted(documents.iterdir())[2:]:
        file.unlink()
    out, facts = tmp_path / "out", list[Any]()
    end = make(QuestionPlan(str(documents), str(out), 1, str(tiny_llm)), facts.append)
    assert (end["kept"], end["asked"]) == (0, 2)
    assert end["none"] + end["lost"] > 0
    assert [fact["event"] for fact in facts][-1] == "progress"
