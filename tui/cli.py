"""The ``tunewiz`` command: options in, exit code out; each command's body is a file in ``tui/commands``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from data.language import translate
from tui.help_words import speak
from tui.options import AsJson, RunName, RunsDir, pairs, with_data
from tui.options import finish as _finish
from tui.using import using

_ = translate

app = typer.Typer(
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help=_("From raw data to a fine-tuned, measured, exported model, in a terminal."),
)

PresetName = Annotated[str, typer.Argument(metavar="PRESET", help=_("A YAML file, or the name of a shipped preset."))]
Settings = Annotated[
    list[str],
    typer.Option("--set", metavar="KEY=VALUE", help=_("Change a key, such as training.epochs=3; repeatable.")),
]
TrainFile = Annotated[
    str | None, typer.Option("--data", metavar="FILE", help=_("What to train on: short for --set data.train=FILE."))
]
Mapping = Annotated[
    list[str], typer.Option("--map", metavar="ROLE=COLUMN", help=_("Which column has which role; repeatable."))
]


@app.callback(invoke_without_command=True)
def wizard(
    context: typer.Context,
    plain: Annotated[
        bool, typer.Option("--plain", help=_("The wizard as plain questions, where a full screen does not work."))
    ] = False,
    runs_dir: RunsDir = None,
) -> None:
    if context.invoked_subcommand is not None:
        return
    if plain:
        from tui.plain import run_plain

        _finish(run_plain)
    elif sys.stdin.isatty() and sys.stdout.isatty():
        from tui.commands.screen import run_screen

        _finish(lambda: run_screen(runs_dir))
    else:
        print(context.get_help())


@app.command(help=_("Run a preset to its verdict."))
def run(
    preset: Annotated[str | None, typer.Argument(metavar="[PRESET]", help=_("A YAML file or a preset's name."))] = None,
    settings: Settings = [],  # noqa: B006  typer copies it
    train: TrainFile = None,
    mapping: Mapping = [],  # noqa: B006
    runs_dir: RunsDir = None,
    name: Annotated[str, typer.Option("--name", help=_("Name of the run, in place of the preset's."))] = "",
    detach: Annotated[bool, typer.Option("--detach", help=_("Return at once; the run goes on by itself."))] = False,
    as_json: AsJson = False,
    resume: Annotated[
        str | None, typer.Option("--resume", metavar="RUN", help=_("Go on with a run that stopped or broke."))
    ] = None,
    fail_on_regression: Annotated[
        bool, typer.Option("--fail-on-regression", help=_("Exit with 5 when the tuned model is worse."))
    ] = False,
) -> None:
    from tui.commands.run import RunOptions, run_run

    def body() -> int:
        told = with_data(settings, train, mapping)
        return run_run(RunOptions(preset, told, runs_dir, name, detach, as_json, resume, fail_on_regression))

    _finish(body)


@app.command(help=_("All problems of a preset, the memory it needs and the configuration it stands for."))
def check(
    preset: PresetName,
    settings: Settings = [],  # noqa: B006
    train: TrainFile = None,
    mapping: Mapping = [],  # noqa: B006
    rows: Annotated[
        int, typer.Option("--rows", metavar="N", help=_("Show N training rows as the model reads them."))
    ] = 0,
    as_json: AsJson = False,
) -> None:
    from tui.commands.check import run_check

    _finish(lambda: run_check(preset, with_data(settings, train, mapping), as_json, rows))


@app.command(help=_("What a dataset is, what is wrong with it and how long its texts are."))
def data(
    file: Annotated[str, typer.Argument(metavar="FILE", help=_("A file, a BEIR folder, or sample:NAME."))],
    task: Annotated[
        str | None, typer.Option("--task", help=_("embedding, reranker or llm: what the rows are for."))
    ] = None,
    mapping: Mapping = [],  # noqa: B006
    encoding: Annotated[str, typer.Option("--encoding", help=_("auto, utf-8, gb18030, utf-16, cp1252 ..."))] = "auto",
    delimiter: Annotated[str, typer.Option("--delimiter", help=_("auto, or the character between columns."))] = "auto",
    header: Annotated[str, typer.Option("--header", help=_("auto, yes or no."))] = "auto",
    layout: Annotated[str, typer.Option("--format", help=_("auto, or one of the formats by name."))] = "auto",
    fix: Annotated[Path | None, typer.Option("--fix", metavar="OUT", help=_("Write a clean copy to OUT."))] = None,
    as_json: AsJson = False,
) -> None:
    from tui.commands.data import run_data

    _finish(lambda: run_data(file, task, pairs(mapping), encoding, delimiter, header, layout, fix, as_json))


@app.command(help=_("List the runs."))
def runs(runs_dir: RunsDir = None, as_json: AsJson = False) -> None:
    from tui.commands.runs import run_runs

    _finish(lambda: run_runs(runs_dir, as_json))


@app.command(help=_("Follow a run, from any login; Ctrl-C leaves it running."))
def watch(name: RunName = "last", runs_dir: RunsDir = None, as_json: AsJson = False) -> None:
    from tui.commands.watch import run_watch

    _finish(lambda: run_watch(name, runs_dir, as_json))


@app.command(help=_("Save a checkpoint, then end the run."))
def stop(
    name: RunName = "last",
    runs_dir: RunsDir = None,
    kill: Annotated[bool, typer.Option("--kill", help=_("End it at once, if a stop was asked for before."))] = False,
    yes: Annotated[bool, typer.Option("--yes", help=_("Do not ask before killing."))] = False,
    wait: Annotated[bool, typer.Option(help=_("Wait until it has ended."))] = True,
) -> None:
    from tui.commands.stop import run_stop

    _finish(lambda: run_stop(name, runs_dir, kill, yes, wait))


@app.command(help=_("Show what a run brought."))
def report(name: RunName = "last", runs_dir: RunsDir = None, as_json: AsJson = False) -> None:
    from tui.commands.report import run_report

    _finish(lambda: run_report(name, runs_dir, as_json))


@app.command(help=_("List the presets."))
def presets(as_json: AsJson = False) -> None:
    from tui.commands.presets import run_presets

    _finish(lambda: run_presets(as_json))


@app.command(help=_("List the models that are known, and what fits this machine."))
def models(
    task: Annotated[str | None, typer.Option("--task", help=_("Only those for this task."))] = None,
    as_json: AsJson = False,
) -> None:
    from tui.commands.models import run_models

    _finish(lambda: run_models(task, as_json))


# Whatever uses what was tuned is declared in a file of its own; the commands stand beside these.
app.add_typer(using)


def main() -> Any:
    """Entry point of the ``tunewiz`` command."""
    speak()
    for stream in (sys.stdout, sys.stderr):
        # A C locale still gets its text, with "?" for what it cannot show, in place of a traceback.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    return app()
