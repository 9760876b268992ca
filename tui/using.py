"""The commands that look at the machine and use what was tuned; each one's body is a file in ``tui/commands``."""

from __future__ import annotations

import typer

from data.language import translate
from tui.options import AsJson, RunsDir, finish

_ = translate

using = typer.Typer(rich_markup_mode=None)


@using.command(help=_("What is installed, reachable and free here, which tasks can run, and how to mend the rest."))
def doctor(runs_dir: RunsDir = None, as_json: AsJson = False) -> None:
    from tui.commands.doctor import run_doctor

    finish(lambda: run_doctor(runs_dir, as_json))
