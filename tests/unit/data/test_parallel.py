"""A large file read in parts by several processes: the same in every finding, number and line as by one."""

from __future__ import annotations

import json
import os
import pickle
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tunewiz.data.inspection import Inspection, inspect
from tunewiz.data.opening.detection import detect
from tunewiz.data.parallel import look, processes, spans
from tunewiz.data.reading.discovery import discover
from tunewiz.data.reading.source import Dataset

WORDS = ("reset", "router", "invoice", "login", "显存", "不足", "怎么办", "password", "café", "the", "of", "3.5", "403")


def handed(work: Callable[[Any, Any], Any], setting: Any, tasks: Iterable[Any]) -> Generator[Any, None, None]:
    """What processes do, in this one: everything that goes between them is pickled."""
    setting = pickle.loads(pickle.dumps(setting))
    for task in tasks:
        yield pickle.loads(pickle.dumps(work(setting, pickle.loads(pickle.dumps(task)))))


def both(path: Path, task: str, monkeypatch: pytest.MonkeyPatch, part: int) -> tuple[Inspection, Inspection, int]:
    """The file looked at by one, by several, and how many parts there were."""
    parts: list[Any] = []

    def counted(work: Any, setting: Any, tasks: Iterable[Any]) -> Generator[Any, None, None]:
        yield from handed(work, setting, (parts.append(task) or task for task in tasks))  # type: ignore[func-returns-value]

    alone = inspect(Dataset(str(path)), task)
    with monkeypatch.context() as patched:
        patched.setattr(spans, "LARGE", 0)
        patched.setattr(spans, "PART", part)
        patched.setattr(look, "usable_cores", lambda: 2)
        patched.setattr(look, "in_processes", counted)
        return alone, inspect(Dataset(str(path)), task), len(parts)


def text(draw: random.Random, most: int = 12) -> str:
    return " ".join(draw.choices(WORDS, k=draw.randint(1, most)))


def odd_line(draw: random.Random, row: dict[str, Any], earlier: list[str]) -> str:
    """A line of JSON Lines as people have them: mostly good, some of it damaged."""
    good = json.dumps(row, ensure_ascii=draw.random() < 0.3)
    odd = (
        *("", "   ", "// a comment", "{not json", '["a", "b"]', "42", good + ",", f"{good} {good}", "\ufeff" + good),
        *(
            good.replace('": "', '": "\n', 1),
            good.replace("e", "\x07", 1),
            good[:-5],
            good.replace("the", "<b>the</b>"),
        ),
        *(str(row), json.dumps(good), good.replace('"}', '", "x": NaN}'), good.replace("{", '{"y": {"z": [1]}, ', 1)),
    )
    kind = draw.random()
    return draw.choice(odd) if kind < 0.2 else draw.choice(earlier) if kind < 0.35 and earlier else good


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("task", "names"),
    [("embedding", ("query", "positive")), ("llm", ("prompt", "completion")), ("embedding", ("query", "pos", "neg"))],
)
def test_odd_lines(
    task: str, names: tuple[str, ...], seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(f"{seed} {names}")
    lines: list[str] = [json.dumps({name: f"first {name}" for name in names})]
    texts = [text(draw) for _ in range(30)]
    for _ in range(400):
        row: dict[str, Any] = {name: draw.choice(texts) if draw.random() < 0.3 else text(draw) for name in names}
        if "neg" in names:
            row |= {name: [row[name]] * draw.randint(0, 2) or [text(draw)] for name in ("pos", "neg")}
        lines.append(odd_line(draw, row, lines))
    path = tmp_path / "rows.jsonl"
    path.write_bytes(
        ("\ufeff" * (seed % 2) + ("\r\n" if seed % 3 else "\n").join(lines)).encode("utf-8", "surrogatepass")
    )
    alone, parted, parts = both(path, task, monkeypatch, draw.choice((200, 1000, 5000)))
    assert parts > 3
    assert parted == alone
    assert parted.counts["examples"] > 200
    assert len(parted.findings) > 5


@pytest.mark.parametrize("quoted", ["nothing", "one line", "two lines"])
def test_tables(quoted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(quoted)
    lines = ["question,answer"]
    for number in range(300):
        cells = [text(draw), text(draw, 30)]
        if quoted != "nothing" and number % 3 == 0:
            cells[1] = f'"{cells[1]}, ""so"" he said"'
        if quoted == "two lines" and number > 200 and number % 10 == 0:
            cells[1] = f'"first\nsecond, {cells[1]}"'
        lines += ["", ",".join(cells)] if number % 50 == 7 else [",".join([*cells, "x"] if number % 60 == 9 else cells)]
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    alone, parted, parts = both(path, "embedding", monkeypatch, 1000)
    assert parted == alone
    assert parts > 5
    assert parted.counts["rows"] > 280
    if quoted == "two lines":  # from the first cell of two lines on the rest is one part
        last = list(spans.spans(discover(Dataset(str(path))), 1000))[-1]
        assert last.end - last.start > 3000


def test_a_header_in_another_order_changes_what_follows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(1)
    rows = [f"{text(draw)} ?,{text(draw)}" for _ in range(100)]
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(["question,answer", *rows[:50], "answer,question", *rows[50:]]), encoding="utf-8")
    alone, parted, _ = both(path, "embedding", monkeypatch, 500)
    assert parted == alone
    assert any(finding.code == "repeated-header" for finding in parted.findings)


def test_conversations_labels_and_raw_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(5)
    roles = ("system", "user", "assistant")
    turns = [
        {"messages": [{"role": role, "content": text(draw)} for role in roles[draw.randint(0, 1) :]]}
        for _ in range(200)
    ]
    labels = [{"text": text(draw), "label": draw.choice(("good", "bad", "Good"))} for _ in range(300)]
    plain = [{"text": text(draw, 80)} for _ in range(100)]
    for name, rows in (("turns", turns), ("labels", labels), ("plain", plain)):
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, *rows[:20]]), encoding="utf-8")
        alone, parted, parts = both(path, "llm", monkeypatch, 2000)
        assert parts > 2 or name == "plain"  # raw text is read by a reader of its own
        assert parted == alone


def test_more_queries_than_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tunewiz.data.chat import columns as rows
    from tunewiz.data.checks import columns

    draw = random.Random(2)
    path = tmp_path / "rows.jsonl"
    path.write_text(
        "".join(json.dumps({"question": text(draw), "answer": text(draw)}) + "\n" for _ in range(400)), encoding="utf-8"
    )
    for count in (37, 200):
        monkeypatch.setattr(columns, "COMPARED", count)
        monkeypatch.setattr(rows, "COMPARED", count)
        for task in ("embedding", "llm"):
            alone, parted, _ = both(path, task, monkeypatch, 1500)
            assert parted == alone
            assert any(finding.code == "compared-first" for finding in parted.findings)


def double(_setting: None, number: int) -> int:
    if number == 70:
        raise ValueError("seventy")
    if number == 90:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def test_processes_answer_in_order_and_are_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[subprocess.Popen[bytes]] = []

    class Recorded(subprocess.Popen[bytes]):
        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)
            begun.append(self)

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    assert list(processes.in_processes(double, None, range(40), 2)) == [2 * number for number in range(40)]
    with pytest.raises(ValueError, match="seventy"):
        list(processes.in_processes(double, None, range(60, 80), 1))
    with pytest.raises(processes.Killed):
        list(processes.in_processes(double, None, range(80, 95), 1))
    assert len(begun) == 4 and all(child.returncode is not None for child in begun)


def test_a_script_of_the_user_needs_no_guard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, mark = tmp_path / "reads.py", tmp_path / "imported"
    script.write_text(f"open({str(mark)!r}, 'w').close()\n", "utf-8")
    main = ModuleType("__main__")
    main.__file__ = str(script)
    monkeypatch.setitem(sys.modules, "__main__", main)
    assert list(processes.in_processes(double, None, range(2), 1)) == [0, 2]
    assert not mark.exists()


def test_formats_of_a_script_are_read_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"query": f"q {n}", "positive": f"p {n}"}) + "\n" for n in range(50)))
    detection = detect(discover(Dataset(str(path))))
    monkeypatch.setattr(type(detection.format), "__module__", "__main__")  # other processes would not find it there
    monkeypatch.setattr(spans, "LARGE", 0)
    monkeypatch.setattr(look, "usable_cores", lambda: 2)
    monkeypatch.setattr(look, "in_processes", lambda *_given: pytest.fail("another process was asked"))
    assert inspect(Dataset(str(path)), "embedding").counts == {"rows": 50, "examples": 50}


def test_a_killed_process_is_told_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"query": f"q {n}", "positive": f"p {n}"}) + "\n" for n in range(50)))

    def killed(*_args: Any) -> Generator[Any, None, None]:
        raise processes.Killed
        yield

    monkeypatch.setattr(spans, "LARGE", 0)
    monkeypatch.setattr(look, "usable_cores", lambda: 2)
    monkeypatch.setattr(look, "in_processes", killed)
    found = inspect(Dataset(str(path)), "embedding")
    assert found.counts == {"rows": 50, "examples": 50}
    assert [finding.code for finding in found.findings if finding.severity == "warning"] == ["reader-killed"]
