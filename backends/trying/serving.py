"""The child that holds the models: it answers JSON lines with JSON lines.

It is ``python -m tunewiz.backends.trying.serving RUN``, and tells ``{"event": "loading"}`` facts, then one
``{"event": "ready"}``. Each line on stdin is a question, an object with a number ``id``; its answer's facts carry that
number, and ``{"event": "done"}`` ends them. Whatever cannot be done is told as
``{"event": "problems", "problems": [...], "exit_code": n}``. What libraries print goes to stderr. The child ends when
its stdin does.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from tunewiz.backends.runs.ends import require_files
from tunewiz.backends.runs.explain import explain
from tunewiz.backends.runs.run import Run
from tunewiz.backends.trying import Fact, Trial, catalogue
from tunewiz.errand import collect_rarely
from tunewiz.presets.yaml.library import load
from tunewiz.problems import BadPreset, ExitCode, error, say

Write = Callable[[Fact], None]


def main(arguments: list[str]) -> int:
    """Serve the run in the directory ``arguments[0]`` until nobody asks any more."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)

    def write(fact: Fact) -> None:
        out.write(json.dumps(fact, ensure_ascii=False) + "\n")

    trial = _loaded(Path(arguments[0]), write)
    if isinstance(trial, int):
        return trial
    _answer_all(trial, sys.stdin, write)
    return int(ExitCode.OK)


def _loaded(directory: Path, write: Write) -> Trial[Any] | int:
    """The trial, ready; or the exit code when there is none."""
    try:
        run = Run(directory.absolute())
        require_files(run)
        preset = load(str(run.preset_file))
        kind = catalogue().get(preset.task)
        if kind is None:
            message = say("Runs of the task {task} cannot be tried out.", task=preset.task)
            raise BadPreset(error("task-not-tried", message))

        def told_of(what: str, done: int, total: int) -> None:
            write({"event": "loading", "what": what, "done": done, "total": total})

        trial = kind(run, preset, told_of)
        write({"event": "ready", "task": preset.task, **trial.load()})
    except Exception as fault:  # noqa: BLE001  the outer edge of the child: every end is told
        return _tell(fault, write, None)
    return trial


def _answer_all(trial: Trial[Any], questions: TextIO, write: Write) -> None:
    for line in questions:
        number: Any = None
        try:
            asked = json.loads(line)
            number = asked["id"]
            for fact in trial.answer(asked):
                write({"event": "answer", "id": number, **fact})
        except Exception as fault:  # noqa: BLE001  one question that fails ends no session
            _tell(fault, write, number)
        write({"event": "done", "id": number})


def _tell(fault: Exception, write: Write, number: Any) -> int:
    traceback.print_exc()
    explained = explain(fault)
    problems = [problem.as_json() for problem in explained.problems]
    write({"event": "problems", "id": number, "problems": problems, "exit_code": int(explained.exit_code)})
    return int(explained.exit_code)


if __name__ == "__main__":
    collect_rarely()
    sys.exit(main(sys.argv[1:]))
