"""``tunewiz data DOCS --questions N``: the child that writes questions, told line by line."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from tunewiz.backends.questions.making import PASSAGES, QuestionPlan
from tunewiz.data.reading.source import resolve
from tunewiz.errand import child_environment
from tunewiz.language import translate
from tunewiz.printable import printable
from tunewiz.problems import BadPreset, ExitCode, Where, error, say
from tunewiz.tui.words import problem_line


def default_out(path: str) -> str:
    """Where the questions for the documents at ``path`` go unless it is said: beside the working directory's files."""
    return f"{Path(path.rstrip('/')).stem or 'documents'}-questions"


def run_questions(plan: QuestionPlan, as_json: bool) -> int:
    """Write questions and tell of it as it goes; the exit code. Raises ``TunewizError`` for what cannot begin."""
    resolve(plan.path)
    if plan.count < 1:
        raise BadPreset(error("bad-count", say("--questions takes how many: 1 or more."), Where(key="--questions")))
    narrate = Console(stderr=True, highlight=False)
    end: dict[str, Any] = {}
    for fact in _facts(plan):
        kind = fact["event"]
        if kind in ("made", "failed"):
            end = fact
        elif kind == "progress":
            _progress(fact, narrate)
        else:
            narrate.print(Text(_told(fact)), soft_wrap=True)
    return _ended(end, plan, as_json, narrate)


def _facts(plan: QuestionPlan) -> Iterator[dict[str, Any]]:
    """What the child tells; a Ctrl-C reaches it too, and what is written stays."""
    with tempfile.TemporaryFile() as told:
        child = subprocess.Popen(
            [sys.executable, "-m", "tunewiz.backends.questions.making"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=told,
            text=True,
            encoding="utf-8",
            env=child_environment(),
        )
        try:
            if child.stdin and child.stdout:
                child.stdin.write(json.dumps(asdict(plan)))
                child.stdin.close()
                for line in child.stdout:
                    yield json.loads(line)
            status = child.wait()
        except BaseException:
            child.terminate()
            child.wait()
            raise
        if status == int(ExitCode.STOPPED):
            raise KeyboardInterrupt
        if status and status not in {int(code) for code in ExitCode}:
            told.seek(0)
            lines = told.read().decode("utf-8", "replace").strip().splitlines()
            reason = lines[-1] if lines else str(status)
            problem = error("questions-ended", say("The process that writes the questions ended: {reason}",
                                                   reason=reason))  # fmt: skip
            yield {"event": "failed", "problems": [problem.as_json()], "exit_code": int(ExitCode.FAILED)}


def _told(fact: dict[str, Any]) -> str:
    if fact["event"] == "problem":
        return problem_line(fact["problem"])
    if fact["event"] == "passages":
        words = translate("{documents} documents, {passages} passages; {kept} questions are there already.")
        return words.format(**{name: f"{fact[name]:,}" for name in ("documents", "passages", "kept")})
    return printable(fact["text"], 1000)


def _progress(fact: dict[str, Any], console: Console) -> None:
    words = translate("{kept} of {wanted} questions · {asked} of {passages} passages asked")
    line = words.format(**{name: f"{fact[name]:,}" for name in ("kept", "wanted", "asked", "passages")})
    if fact["last"]:
        console.print(Text(f"{line}: {printable(fact['last'], 200)}"), soft_wrap=True)
    elif fact["asked"] % 10 == 0:
        console.print(Text(line), soft_wrap=True)


def _ended(end: dict[str, Any], plan: QuestionPlan, as_json: bool, narrate: Console) -> int:
    if end.get("event") != "made":
        for problem in end.get("problems", ()):
            narrate.print(Text(problem_line(problem)), soft_wrap=True)
        if as_json:
            print(json.dumps(end, ensure_ascii=False))
        return int(end.get("exit_code", ExitCode.FAILED))
    if as_json:
        print(json.dumps(end, ensure_ascii=False))
    else:
        _summary(end, plan)
    return int(ExitCode.OK if end["kept"] else ExitCode.BAD_DATA)


def _summary(end: dict[str, Any], plan: QuestionPlan) -> None:
    console = Console(highlight=False)
    lines = [
        say("{kept} of {wanted} questions in {out}: {train} to train and {test} to measure on, of different passages.",
            kept=end["kept"], wanted=end["wanted"], out=end["out"], train=end["train"], test=end["test"]),
        say("Written by {by}, for {asked} of {passages} passages.", by=", ".join(end["by"]) or plan.writer,
            asked=end["asked"], passages=end["passages"]),
        say("Round trip: kept where {retriever} finds the passage among its first {k} by the question; {lost} were "
            "not, {repeated} were there already, {none} passages got none.", retriever=plan.retriever, k=plan.top_k,
            lost=end["lost"], repeated=end["repeated"], none=end["none"]),
    ]  # fmt: skip
    if end["kept"] < end["wanted"]:
        lines.append(say("Every passage was asked. A larger model writes more that are kept: --writer MODEL."))
    lines.append(say("They are generated: read some before you trust numbers measured on them."))
    for line in lines:
        console.print(Text(line.text()), soft_wrap=True)
    if end["train"] and end["test"]:
        out = end["out"]
        told = f"tunewiz run embedding/starter --data {out}/train.jsonl --set data.evaluation.data={out}/test.jsonl "
        console.print(Text(f"  {told}--set data.evaluation.corpus={out}/{PASSAGES}"), soft_wrap=True)
