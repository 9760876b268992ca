"""``tunewiz eval``: a run's model, or any other, measured on a test collection."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tunewiz.backends.evaluate.standalone import ask
from tunewiz.backends.runs.find import all_runs, find, runs_dir
from tunewiz.backends.runs.run import Run
from tunewiz.language import N_, translate
from tunewiz.language import translate as _
from tunewiz.printable import printable
from tunewiz.problems import BadPreset, ExitCode, error, say
from tunewiz.tui.commands.options import AsJson, RunsDir, finish
from tunewiz.tui.words import problem_line


def eval_(
    name: Annotated[str, typer.Argument(metavar="RUN|MODEL", help=_("A run, a model's folder or a hub id."))],
    data: Annotated[str, typer.Option("--data", metavar="DIR", help=_("A BEIR folder, a file of pairs, sample:NAME."))],
    split: Annotated[str, typer.Option("--split", help=_("Which judgments of a folder; auto prefers test."))] = "auto",
    cutoffs: Annotated[list[int], typer.Option("--k", help=_("A cut-off of the metrics; repeatable."))] = [],  # noqa: B006
    store: Annotated[
        str, typer.Option("--store", metavar="NAME", help=_("Search in a store: faiss-hnsw, milvus, chroma …"))
    ] = "",
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
) -> None:
    """What is typed after ``tunewiz eval``."""
    finish(lambda: run_eval(name, runs_dir, data, split, cutoffs, store, as_json))


def run_eval(
    which: str, folder: Path | None, data: str, split: str, cutoffs: Sequence[int], store: str, as_json: bool
) -> int:
    """Measure ``which`` (a run, else a model's folder or hub id) on ``data``; the exit code says how it went.

    ``store``: the vector store that is searched; "" compares with every document.
    """
    if any(k < 1 for k in cutoffs):
        raise BadPreset(error("bad-count", say("--k is a cut-off: 1 or more.")))
    run = _run(which, runs_dir(folder))
    wanted = {
        "model": which,
        "run": str(run.directory) if run else "",
        "preset": str(run.preset_file) if run else "",
        "data": data if data.startswith("sample:") else str(Path(data).expanduser().absolute()),
        "split": split,
        "k": list(cutoffs) or [1, 5, 10],
        "store": store,
    }
    found = ask(wanted)
    for problem in found.get("problems") or found.get("notes", ()):
        print(problem_line(problem), file=sys.stderr)
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
    elif "metrics" in found:
        _print(found, Console(highlight=False))
    return int(found.get("exit_code", ExitCode.OK))


def _run(which: str, folder: Path) -> Run | None:
    """The run that is meant; ``None`` when ``which`` is a model."""
    if (Path(which).expanduser() / "preset.yaml").is_file() or which == "last":
        return find(which, folder)
    begun = any(run.name.startswith(which) for run in all_runs(folder))
    return find(which, folder) if begun and not Path(which).is_dir() else None


def _print(found: dict[str, Any], console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column(translate(N_("metric")))
    table.add_column(str(found.get("store") or translate(N_("value"))), justify="right")
    exact = found.get("exact") or {}
    if exact:
        table.add_column(translate(N_("exact search")), justify="right")
    for name, value in found["metrics"].items():
        table.add_row(Text(printable(name)), f"{value:.4f}", *([f"{exact[name]:.4f}"] if name in exact else []))
    console.print(table)
    if exact:
        share = say("Of the ten best documents by exact search it finds {percent} %.",
                    percent=f"{100 * found['found']:.1f}")  # fmt: skip
        console.print(Text(share.text()), soft_wrap=True)
    words = translate("{model}: {queries} queries in {documents} documents, {seconds} s")
    seconds = f"{found['seconds']:.0f}"
    told = {"model": printable(found["model"]), "queries": found["queries"], "documents": found["documents"]}
    console.print(Text(words.format(**told, seconds=seconds)), soft_wrap=True)
