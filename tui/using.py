"""The commands that look at the machine and use what was tuned; each one's body is a file in ``tui/commands``."""

from __future__ import annotations

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
