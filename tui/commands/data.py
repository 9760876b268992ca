"""``tunewiz data``: what a dataset is, what is wrong with it, how long it is; and a clean copy of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, get_args

from rich.console import Console

from data.cleaning import DONE
from data.dataset import Dataset
from data.fixing import Fixed, fix
from data.inspect import inspect
from data.problems import BadPreset, ExitCode, Where, error, say
from tui.data_report import as_json as inspection_json
from tui.data_report import data_report, finding_json, fixed_report

Header = Literal["auto", "yes", "no"]
_TASKS = ("embedding", "reranker", "llm")


def run_data(
    path: str,
    task: str | None,
    mapping: dict[str, str],
    encoding: str,
    delimiter: str,
    header: str,
    format_: str,
    fix_to: Path | None,
    as_json: bool,
) -> int:
    """Print the report of ``path`` (or one JSON object) and write a clean copy to ``fix_to``.

    Returns 0, or 3 when something would stop a run and no copy without it was written. Raises ``BadPreset`` for
    options that make no sense.
    """
    dataset = Dataset(
        path=path,
        format=format_,
        columns=mapping,
        encoding=encoding,
        delimiter=_delimiter(delimiter),
        header=_header(header),
    )
    if task is not None and task not in _TASKS:
        told = say("There is no task {task}; the tasks are {tasks}.", task=task, tasks=", ".join(_TASKS))
        raise BadPreset(error("unknown-task", told, Where(key="--task")))
    console = Console()
    inspection = inspect(dataset, task)
    if not as_json:
        data_report(inspection, console)
    fixed = fix(dataset, fix_to, task) if fix_to is not None else None
    if fixed is not None and not as_json:
        fixed_report(fixed, DONE, console)
    if as_json:
        record = inspection_json(inspection) | ({} if fixed is None else {"fixed": _fixed_json(fixed)})
        print(json.dumps(record, ensure_ascii=False))
    good = inspection.usable or (fixed is not None and fixed.kept > 0)
    return int(ExitCode.OK if good else ExitCode.BAD_DATA)


def _delimiter(given: str) -> str:
    """The character that is meant: shells make it hard to type a tab."""
    return {"\\t": "\t", "tab": "\t", "comma": ",", "semicolon": ";"}.get(given, given)


def _header(given: str) -> Header:
    for known in get_args(Header):
        if given == known:
            return known  # type: ignore[no-any-return]
    raise BadPreset(error("bad-header", say("--header is auto, yes or no, not {value}.", value=given)))


def _fixed_json(fixed: Fixed) -> dict[str, object]:
    return {
        "path": str(fixed.path),
        "read": fixed.read,
        "kept": fixed.kept,
        "done": fixed.done,
        "reading": [finding_json(finding) for finding in fixed.reading],
    }
