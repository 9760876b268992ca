"""The commands that look at the machine and use what was tuned; each one's body is a file in ``tui/commands``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from data.language import translate
from tui.options import AsJson, RunName, RunsDir, finish

_ = translate

using = typer.Typer(rich_markup_mode=None)


@using.command(help=_("What is installed, reachable and free here, which tasks can run, and how to mend the rest."))
def doctor(runs_dir: RunsDir = None, as_json: AsJson = False) -> None:
    from tui.commands.doctor import run_doctor

    finish(lambda: run_doctor(runs_dir, as_json))


@using.command("try", help=_("Ask the models of a run, before and after, side by side; queries may come on stdin."))
def try_(
    name: RunName = "last",
    queries: Annotated[
        list[str], typer.Option("--query", "-q", metavar="TEXT", help=_("What to ask; repeatable."))
    ] = [],  # noqa: B006  typer copies it
    count: Annotated[int, typer.Option("--k", help=_("How many documents to show."))] = 5,
    runs_dir: RunsDir = None,
    as_json: Annotated[bool, typer.Option("--json", help=_("One JSON object a query on stdout."))] = False,
) -> None:
    from tui.commands.try_ import run_try

    finish(lambda: run_try(name, runs_dir, tuple(queries), count, as_json))


@using.command(help=_("Runs on one page: measures, paired differences on the same queries, settings that differ."))
def compare(
    names: Annotated[list[str], typer.Argument(metavar="RUN RUN...", help=_("Two runs or more."))],
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
) -> None:
    from tui.commands.compare import run_compare

    finish(lambda: run_compare(names, runs_dir, as_json))


@using.command("eval", help=_("Measure a run's embedding model, or any other, on a test collection."))
def eval_(
    name: Annotated[str, typer.Argument(metavar="RUN|MODEL", help=_("A run, a model's folder or a hub id."))],
    data: Annotated[str, typer.Option("--data", metavar="DIR", help=_("A BEIR folder, a file of pairs, sample:NAME."))],
    split: Annotated[str, typer.Option("--split", help=_("Which judgments of a folder; auto prefers test."))] = "auto",
    cutoffs: Annotated[list[int], typer.Option("--k", help=_("A cut-off of the metrics; repeatable."))] = [],  # noqa: B006
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
) -> None:
    from tui.commands.eval_ import run_eval

    finish(lambda: run_eval(name, runs_dir, data, split, cutoffs, as_json))


@using.command(help=_("Write a run's model in the form that other software wants; without --to, list the forms."))
def export(
    name: RunName = "last",
    target: Annotated[str, typer.Option("--to", metavar="WHAT", help=_("merged, adapter, script, service ..."))] = "",
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help=_("An empty or new folder."))] = None,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
) -> None:
    from tui.commands.export import run_export

    finish(lambda: run_export(name, runs_dir, target, out, as_json))


@using.command(help=_("Turn the texts of a file into vectors with a run's embedding model."))
def embed(
    name: RunName,
    file: Annotated[Path, typer.Argument(metavar="FILE", help=_("A .txt with one text a line, or a table."))],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help=_("Where to: .npy or .parquet."))],
    column: Annotated[str, typer.Option("--column", help=_("The column that holds the text."))] = "",
    as_queries: Annotated[bool, typer.Option("--queries", help=_("They are queries, not documents."))] = False,
    runs_dir: RunsDir = None,
) -> None:
    from tui.commands.embed import run_embed

    finish(lambda: run_embed(name, file, out, column, as_queries, runs_dir))
