"""``tunewiz embed``: the texts of a file as vectors in another one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from tunewiz.backends.export.embedding_files import check_suffix
from tunewiz.backends.runs.find import find, runs_dir
from tunewiz.errand import send
from tunewiz.language import translate
from tunewiz.language import translate as _
from tunewiz.problems import BadData, ExitCode, error, say
from tunewiz.tui.commands.options import RunName, RunsDir, finish, users_to_mend

_DATA = frozenset({"unknown-column", "no-texts", "file-missing", "no-file"})


def embed(
    name: RunName,
    file: Annotated[Path, typer.Argument(metavar="FILE", help=_("A .txt with one text a line, or a table."))],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help=_("Where to: .npy or .parquet."))],
    column: Annotated[str, typer.Option("--column", help=_("The column that holds the text."))] = "",
    as_queries: Annotated[bool, typer.Option("--queries", help=_("They are queries, not documents."))] = False,
    runs_dir: RunsDir = None,
) -> None:
    """What is typed after ``tunewiz embed``."""
    finish(lambda: run_embed(name, file, out, column, as_queries, runs_dir))


def run_embed(which: str, file: Path, out: Path, column: str, as_queries: bool, folder: Path | None) -> int:
    """Write the vectors of ``file``'s texts to ``out``; raises ``TunewizError`` with what could not be done."""
    run = find(which, runs_dir(folder))
    check_suffix(out)
    source, target = (path.expanduser().absolute() for path in (file, out))
    if not source.exists():
        raise BadData(error("no-file", say("There is no file {path}.", path=source), fix=say("Check the path.")))
    with users_to_mend(_DATA):
        count, dimension = send(
            "tunewiz.backends.export.embedding_files:embed", run, source, column, target, as_queries
        )
    print(target)
    words = translate("{count} vectors of {dimension} numbers").format(count=count, dimension=dimension)
    print(words, file=sys.stderr)
    return int(ExitCode.OK)
