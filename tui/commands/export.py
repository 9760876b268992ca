"""``export``: a run's model in the form that some software wants. ``bundle``: a run as one zip. ``push``: to a hub."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from tunewiz.backends.export.targets import catalogue
from tunewiz.backends.runs.find import find, runs_dir
from tunewiz.errand import send
from tunewiz.language import translate
from tunewiz.language import translate as _
from tunewiz.presets.yaml.library import load
from tunewiz.printable import amount
from tunewiz.problems import BadPreset, ExitCode, error, say
from tunewiz.tui.commands.options import AsJson, RunName, RunsDir, finish, users_to_mend


def export(
    name: RunName = "last",
    target: Annotated[str, typer.Option("--to", metavar="WHAT", help=_("merged, adapter, script, service ..."))] = "",
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help=_("An empty or new folder."))] = None,
    dimension: Annotated[
        int, typer.Option("--dimension", min=0, metavar="N", help=_("Cut an embedding model's vectors to N numbers."))
    ] = 0,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
) -> None:
    """What is typed after ``tunewiz export``."""
    finish(lambda: run_export(name, runs_dir, target, out, as_json, dimension))


def run_export(
    which: str, folder: Path | None, target: str, out: Path | None, as_json: bool, dimension: int = 0
) -> int:
    """Write the run ``which`` to ``out`` as ``target``; without a target, list those there are for it."""
    run = find(which, runs_dir(folder))
    if not target:
        return _listed(load(str(run.preset_file)).task, as_json)
    if out is None:
        fix = say("For example: --out {folder}", folder=shlex.quote(f"./{run.name}-{target}"))
        raise BadPreset(error("no-out", say("Name the folder to write to with --out."), fix=fix))
    place = out.expanduser().absolute()
    with users_to_mend():
        use = send("tunewiz.backends.export.targets:write", run, target, place, dimension)
    if as_json:
        print(json.dumps({"out": str(place), "target": target, "use": use.text()}, ensure_ascii=False))
    else:
        print(place)
        print(use.text(), file=sys.stderr)
    return int(ExitCode.OK)


def _listed(task: str, as_json: bool) -> int:
    found = {name: one.summary for name, one in catalogue().items() if task in one.tasks}
    if as_json:
        print(json.dumps({name: translate(words) for name, words in found.items()}, ensure_ascii=False))
        return int(ExitCode.OK)
    width = max(map(len, found), default=0)
    for name, words in found.items():
        print(f"{name:<{width}} {translate(words)}")
    return int(ExitCode.OK)


# ``tunewiz bundle``.


def bundle(
    name: RunName = "last",
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help=_("The zip; by default ./RUN.zip."))] = None,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
) -> None:
    """What is typed after ``tunewiz bundle``."""
    finish(lambda: run_bundle(name, runs_dir, out, as_json))


def run_bundle(which: str, folder: Path | None, out: Path | None, as_json: bool) -> int:
    """Put the run ``which`` into the zip ``out``; what is missing in it is told."""
    run = find(which, runs_dir(folder))
    place = (out or Path(f"{run.name}.zip")).expanduser().absolute()
    with users_to_mend():
        missing = send("tunewiz.tui.bundling:bundle", run, place)
    if as_json:
        print(json.dumps({"out": str(place), "missing": [one.text() for one in missing]}, ensure_ascii=False))
        return int(ExitCode.OK)
    print(place)
    for one in missing:
        print(say("Missing: {what}", what=one).text(), file=sys.stderr)
    return int(ExitCode.OK)


# ``tunewiz push``.


def push(
    name: RunName = "last",
    place: Annotated[str, typer.Option("--to", metavar="WHERE", help=_("hf:org/name or modelscope:org/name."))] = "",
    form: Annotated[str, typer.Option("--as", metavar="WHAT", help=_("A form of export; by default the usual."))] = "",
    public: Annotated[bool, typer.Option("--public", help=_("Anybody may see it; by default only you."))] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_("Show what would go, and upload nothing."))] = False,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
) -> None:
    """What is typed after ``tunewiz push``."""
    finish(lambda: run_push(name, runs_dir, place, form, public, dry_run, as_json))


def run_push(which: str, folder: Path | None, place: str, form: str, public: bool, dry: bool, as_json: bool) -> int:
    """Upload the model of the run ``which`` to a hub; ``dry`` shows what would go."""
    run = find(which, runs_dir(folder))
    with users_to_mend():
        pushed = send("tunewiz.backends.outside.pushing:push", run, place, form, public, dry)
    if as_json:
        told = [{"repo": one.repo, "page": one.page, "files": dict(one.files), "uploaded": not dry} for one in pushed]
        print(json.dumps(told, ensure_ascii=False))
        return int(ExitCode.OK)
    for one in pushed:
        words = say("{repo}: {count} files, {size}", repo=one.repo, count=len(one.files), size=amount(one.size))
        print(words.text())
        for name, size in one.files:
            print(f"  {amount(size):>9}  {name}")
        if dry and one.card:
            print(one.card)
        if one.page:
            print(one.page)
    if dry:
        print(translate("Nothing was uploaded (--dry-run)."), file=sys.stderr)
    elif not public:
        print(translate("Only you can see it; with --public anybody could."), file=sys.stderr)
    return int(ExitCode.OK)
