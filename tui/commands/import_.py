"""``tunewiz import``: a preset of another program's configuration."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from tunewiz.files import write_whole
from tunewiz.language import translate as _
from tunewiz.printable import json_text
from tunewiz.problems import BadPreset, ExitCode, error, say
from tunewiz.tui.commands.options import AsJson, finish
from tunewiz.tui.words import problem_line


def import_(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help=_("YAML of LLaMA-Factory or axolotl, or a shell script that calls FlagEmbedding or "
                   "sentence-transformers."),
        ),
    ],
    out: Annotated[Path | None, typer.Option("--out", metavar="PRESET", help=_("Where to write the preset."))] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """What is typed after ``tunewiz import``."""
    finish(lambda: run_import(file, out, as_json))


def run_import(file: Path, out: Path | None, as_json: bool) -> int:
    """Print the preset that ``file`` becomes, or write it to ``out``; keys without a place go to stderr."""
    from tunewiz.backends.importing.reading import read

    if out is not None and out.exists():
        raise BadPreset(error("out-exists", say("{path} is there already.", path=out), fix=say("Name another file.")))
    found = read(file.expanduser())
    if out is not None:
        try:
            write_whole(out, found.text)
        except OSError as fault:
            message = say("{path} cannot be written: {reason}.", path=out, reason=fault.strerror or str(fault))
            raise BadPreset(error("out-not-writable", message)) from fault
    if as_json:
        told = [problem.as_json() for problem in found.told]
        print(json_text({"preset": found.preset.model_dump(mode="json"), "told": told}))
        return int(ExitCode.OK)
    for problem in found.told:
        print(problem_line(problem.as_json()), file=sys.stderr)
    print(out if out is not None else found.text, end="\n" if out is not None else "")
    return int(ExitCode.OK)
