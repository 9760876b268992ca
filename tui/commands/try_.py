"""``tunewiz try``: ask the models of a run, the untouched and the tuned one, and see both answers."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from tunewiz.backends.runs.find import find, runs_dir
from tunewiz.backends.trying import Fact
from tunewiz.backends.trying.session import Session
from tunewiz.language import translate
from tunewiz.language import translate as _
from tunewiz.presets.yaml.library import load
from tunewiz.printable import json_text
from tunewiz.problems import BadPreset, ExitCode, error, say
from tunewiz.tui.answers import LOADING, looks_by_task
from tunewiz.tui.commands.following import RunLines
from tunewiz.tui.commands.options import RunName, RunsDir, finish
from tunewiz.tui.words import problem_line


def try_(
    name: RunName = "last",
    queries: Annotated[
        list[str], typer.Option("--query", "-q", metavar="TEXT", help=_("What to ask; repeatable."))
    ] = [],  # noqa: B006  typer copies it
    count: Annotated[int, typer.Option("--k", help=_("How many documents to show."))] = 5,
    runs_dir: RunsDir = None,
    as_json: Annotated[bool, typer.Option("--json", help=_("One JSON object a query on stdout."))] = False,
) -> None:
    """What is typed after ``tunewiz try``."""
    finish(lambda: run_try(name, runs_dir, tuple(queries), count, as_json))


@dataclass(frozen=True)
class Asking:
    """What the command line said."""

    queries: tuple[str, ...]
    count: int
    as_json: bool


def run_try(which: str, folder: Path | None, queries: tuple[str, ...], count: int, as_json: bool) -> int:
    """Answer ``queries``, else the lines of stdin; on a terminal with neither, open the full screen.

    With ``as_json`` one JSON object a query goes to stdout. Returns the exit code of the first thing that failed.
    """
    place = runs_dir(folder)
    run = find(which, place)
    if count < 1:
        raise BadPreset(error("bad-count", say("--k is the number of answers: 1 or more, not {count}.", count=count)))
    if not queries and sys.stdin.isatty() and sys.stdout.isatty():
        from tunewiz.tui.app import run_screen
        from tunewiz.tui.screens.messages import TrialWanted

        return run_screen(place, TrialWanted(run))
    task = load(str(run.preset_file)).task
    with Session(run) as session:
        return _answered(session, task, Asking(queries, count, as_json))


def _answered(session: Session, task: str, asking: Asking) -> int:
    lines = RunLines()
    code = _loaded(session, lines)
    if code:
        return code
    console = Console(highlight=False)
    for query in asking.queries or _lines(sys.stdin):
        facts = list(session.ask({"query": query, "k": asking.count}))
        code = code or _problems(facts, lines)
        answers = [fact for fact in facts if fact["event"] == "answer"]
        if asking.as_json:
            print(json_text(_whole(answers)), flush=True)
        elif answers:
            console.print(looks_by_task()[task]([answers], console.width), end="\n\n")
    return code


def _loaded(session: Session, lines: RunLines) -> int:
    told = ""
    for fact in session.loading():
        if fact["event"] == "loading" and fact["what"] != told:
            told = fact["what"]
            lines.say(translate(LOADING.get(told, told)))
        elif fact["event"] == "problems":
            return _problems([fact], lines)
    return int(ExitCode.OK)


def _problems(facts: Iterable[Fact], lines: RunLines) -> int:
    """Tell what went wrong; the exit code that goes with it, 0 if nothing did."""
    code = int(ExitCode.OK)
    for fact in facts:
        if fact["event"] == "problems":
            code = code or int(fact["exit_code"])
            for problem in fact["problems"]:
                lines.say(problem_line(problem))
    return code


def _lines(stream: Iterable[str]) -> Iterator[str]:
    return (line.strip() for line in stream if line.strip())


def _whole(answers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The facts of one answer as one object; what was written piece by piece is put together, side by side."""
    whole: dict[str, Any] = {}
    for answer in answers:
        if "side" in answer:
            whole[answer["side"]] = whole.get(answer["side"], "") + answer["text"]
        else:
            whole |= {key: value for key, value in answer.items() if key not in ("event", "id")}
    return whole
