"""The ``tunewiz`` command: options in, exit code out; each command is a file in ``tui/commands``.

The library's own words of ``--help`` and of wrong usage are told in the user's language.
"""

from __future__ import annotations

import itertools
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module, metadata
from typing import IO, Annotated, Any, Final

import typer
from rich._wrap import divide_line
from rich.cells import cell_len
from typer._click import Command
from typer._click.core import Context
from typer._click.exceptions import UsageError
from typer._click.formatting import HelpFormatter
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from tunewiz.backends.runs.find import VARIABLE as RUNS
from tunewiz.language import N_, translate
from tunewiz.tui.commands.options import RunsDir, finish
from tunewiz.tui.terminal.breaking import break_between_characters

# The words of ``--help`` and of wrong usage that are the library's own, in the user's language.
#
# Typer 0.29 carries its own copy of Click, whose words stand in the code in English. They are replaced where they are
# written: in the formatter of help, and in what shows a wrong usage.


#: Marked for the catalogues: headings, and the help of the library's own options.
WORDS: Final = (
    N_("Options"),
    N_("Arguments"),
    N_("Commands"),
    N_("Show this message and exit."),
    N_("Install completion for the current shell."),
    N_("Show completion for the current shell, to copy it or customize the installation."),
)
#: What the library says of wrong usage, and how we word it; ``{0}`` is what was typed or is missing.
_USAGE: Final = (
    (re.compile(r"No such command (\S+?)\.?(?: .*)?"), N_("There is no command {0}.")),
    (re.compile(r"No such option: (\S+)(?: .*)?"), N_("There is no option {0}.")),
    (re.compile(r"Missing argument (\S+?)\.?"), N_("{0} is missing.")),
    (re.compile(r"Missing option (\S+?)\.?"), N_("The option {0} is missing.")),
    (re.compile(r"Option (\S+) requires an argument\.?"), N_("The option {0} needs a value.")),
    (re.compile(r"Got unexpected extra argument\(s\) \((.+)\)"), N_("Too many arguments: {0}")),
    (re.compile(r"Invalid value for (.+?): .*"), N_("The value of {0} does not fit.")),
)


#: How the library names the type of a value, and how help does; a value's own name stands alone.
_TYPES: Final = {
    "str": "TEXT",
    "list[str]": "TEXT",
    "int": "NUMBER",
    "int range": "NUMBER",
    "list[int]": "NUMBER",
    "path": "PATH",
}
_TYPE: Final = re.compile(r" <([^<>]+)>$")
#: What the library adds behind the help of an option: what it is by default, and that it cannot be left out.
_ADDED: Final = re.compile(r"\s+\[((?:default: |required).*)\]$")
_WORDS_ADDED: Final = (N_("default: "), N_("required"))


class SpokenFormatter(HelpFormatter):
    """Help in the user's language, its lines broken by cells, as Chinese needs it."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """The first line."""
        super().write_usage(prog, args, prefix or translate(N_("Usage:")) + " ")

    def write_heading(self, heading: str) -> None:
        """Options, commands, arguments."""
        self.write(translate(N_("{heading}:")).format(heading=translate(heading)) + "\n")

    def write_text(self, text: str) -> None:
        """Paragraphs, between which empty lines stand."""
        indent = " " * self.current_indent
        told = ["\n".join(indent + line for line in _broken(part, self.width - len(indent))) for part in _parts(text)]
        self.write("\n\n".join(told) + "\n")

    def write_dl(self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """A list of options or commands with what they do."""
        named = [(_named(name), _told(told)) for name, told in rows]
        first = min(max((cell_len(name) for name, _ in named), default=0), col_max) + col_spacing
        for name, told in named:
            lines = _broken(" ".join(_parts(told)), max(10, self.width - first - self.current_indent))
            beside = cell_len(name) + col_spacing <= first
            head = " " * self.current_indent + name
            if beside and lines:
                head += " " * (first - cell_len(name)) + lines.pop(0)
            self.write("\n".join([head, *(" " * (first + self.current_indent) + line for line in lines)]) + "\n")


def _named(name: str) -> str:
    """An option with what its value is called; an argument is its own name."""
    found = _TYPE.search(name)
    if found is None:
        return name
    bare = name[: found.start()]
    return f"{bare} {_TYPES.get(found[1], found[1])}" if bare.startswith("-") else bare


def _told(text: str) -> str:
    """What an option does, with what the library adds."""
    added = _ADDED.search(text)
    if added is None:
        return translate(text)
    notes = added[1]
    for words in _WORDS_ADDED:
        notes = notes.replace(words, translate(words))
    return f"{translate(text[: added.start()])} [{notes}]"


def _parts(text: str) -> list[str]:
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n", text.strip()) if part.strip()]


def _broken(text: str, width: int) -> list[str]:
    """``text`` in lines of at most ``width`` cells."""
    ends = divide_line(text, width)
    return [text[start:end].rstrip() for start, end in itertools.pairwise([0, *ends, len(text)])] if text else []


def explain_usage(message: str) -> str:
    """What is wrong with the usage; in English the library's words, which say more."""
    for pattern, words in _USAGE if translate(_USAGE[0][1]) != _USAGE[0][1] else ():
        found = pattern.fullmatch(message)
        if found:
            return translate(words).format(found[1])
    return message


def _show(self: UsageError, file: IO[Any] | None = None) -> None:
    stream = file or sys.stderr
    if self.ctx is not None:
        print(self.ctx.get_usage(), file=stream)
        words = translate(N_("Help: {command}")).format(command=f"{self.ctx.command_path} --help")
        print(f"{words}\n", file=stream)
    print(translate(N_("Error")) + f": {explain_usage(self.format_message())}", file=stream)


def speak() -> None:
    """From now on the command speaks the user's language in these places too."""
    Context.formatter_class = SpokenFormatter
    UsageError.show = _show  # type: ignore[method-assign]


# The commands.


_ = translate

_FILE: Final = N_(
    "{file} is a file. Look at it: tunewiz data {file}. Run it, if it is a preset: tunewiz run {file}. Or type tunewiz "
    "and f, and tune on it."
)
#: What other programs call what some commands do.
_CALLED: Final = {
    **dict.fromkeys(("train", "finetune", "fine-tune", "tune", "fit", "sft", "sweep"), "run"),
    **dict.fromkeys(("chat", "predict", "infer", "inference", "generate", "search", "query"), "try"),
    **dict.fromkeys(("evaluate", "test", "benchmark", "score"), "eval"),
    **dict.fromkeys(("inspect", "validate", "dataset"), "data"),
    **dict.fromkeys(("serve", "convert", "merge", "deploy"), "export"),
    **dict.fromkeys(("list", "ls", "ps", "status", "queue"), "runs"),
    **dict.fromkeys(("log", "logs", "attach", "tail", "follow"), "watch"),
    **dict.fromkeys(("kill", "cancel"), "stop"),
}
_NEAR: Final = N_("There is no command {name}. Did you mean {near}?")


#: The commands in the order of ``--help``, and what each does.
COMMANDS: Final = {
    "run": N_("Run a preset to its verdict."),
    "check": N_("All problems of a preset, the memory it needs and the configuration it stands for."),
    "data": N_("What a dataset is, what is wrong with it and how long its texts are."),
    "runs": N_("List the runs."),
    "watch": N_("Follow a run, or several, from any login; Ctrl-C leaves them running."),
    "top": N_("All runs and GPUs of the machine on one screen, with who computes what."),
    "stop": N_("Save a checkpoint, then end the run."),
    "report": N_("Show what a run brought."),
    "presets": N_("List the presets."),
    "keys": N_("Every key of a preset: what it is, what it takes, what is usual."),
    "lesson": N_("Short lessons: methods, measures, places to work, tutorials; without a name, which there are."),
    "models": N_("List the models that are known, and what fits this machine."),
    "doctor": N_("What is installed, reachable and free here, which tasks can run, and how to mend the rest."),
    "try": N_("Ask the models of a run, before and after, side by side; queries may come on stdin."),
    "compare": N_("Runs on one page: measures, paired differences on the same queries, settings that differ."),
    "eval": N_("Measure the search of a run, or any model, on a test collection."),
    "export": N_("Write a run's model in the form that other software wants; without --to, list the forms."),
    "space": N_("Draw the vector space of a run before and after training: queries, answers, other documents."),
    "bundle": N_("Everything of a run in one zip: data, logs, report, pictures, script, notebook, how to repeat it."),
    "push": N_("Upload a run's model with its card to Hugging Face or ModelScope; --dry-run shows what would go."),
    "import": N_("Make a preset of another program's configuration or command line."),
    "embed": N_("Turn the texts of a file into vectors with a run's embedding model."),
}
_SPELT: Final = {"try": "try_", "eval": "eval_", "import": "import_"}  # words that Python keeps for itself
_BESIDE: Final = {
    "bundle": "export",
    "push": "export",
    "space": "report",
    "lesson": "keys",
}  # commands that lie in the file of another


class Commands(TyperGroup):
    """Lists commands by the table; the file of one, with its options and body, is imported when it is chosen."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, told in COMMANDS.items():
            self.add_command(TyperCommand(name, help=translate(told), rich_markup_mode=None))

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """All of them, each with the whole of what it does; the library cuts that short."""
        with formatter.section(N_("Commands")):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        """The chosen command with its options, and its arguments. Raises ``UsageError`` if there is none so called."""
        if args[:1] == ["help"]:
            args = [*args[1:], "--help"]
            if args[0] not in COMMANDS:
                print(ctx.get_help())
                ctx.exit()
        if args and args[0] not in COMMANDS:
            if os.path.exists(args[0]):  # noqa: PTH110  # false for what no file can be called
                raise UsageError(translate(_FILE).format(file=args[0]), ctx)
            if near := _CALLED.get(args[0].lower()):
                raise UsageError(translate(_NEAR).format(name=args[0], near=near), ctx)
        name, listed, rest = super().resolve_command(ctx, args)
        return name, load_command(name) if name else listed, rest


def load_command(name: str) -> Command:
    """The command ``name`` as its file declares it, by the function that is called like the command."""
    spelt = _SPELT.get(name, name)
    one = typer.Typer(rich_markup_mode=None, add_completion=False, context_settings=_HELP)
    function = getattr(import_module(f"tunewiz.tui.commands.{_BESIDE.get(name, spelt)}"), spelt)
    one.command(name, help=translate(COMMANDS[name]))(function)
    return get_command(one)


_HELP: Final = {"help_option_names": ["-h", "--help"]}
app = typer.Typer(
    cls=Commands,
    context_settings=_HELP,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help=_("From raw data to a fine-tuned, measured, exported model, in a terminal."),
)


@app.callback(invoke_without_command=True)
def wizard(
    context: typer.Context,
    plain: Annotated[
        bool, typer.Option("--plain", help=_("The wizard as plain questions, where a full screen does not work."))
    ] = False,
    version: Annotated[bool, typer.Option("--version", "-V", help=_("Print the version and exit."))] = False,
    runs_dir: RunsDir = None,
) -> None:
    if version:
        print(f"tunewiz {metadata.version('tunewiz')}")
        raise typer.Exit
    if runs_dir is not None:
        os.environ[RUNS] = str(runs_dir)  # said before the command it holds for the command, too
    if context.invoked_subcommand is not None:
        return
    if plain:
        from tunewiz.tui.plain import run_plain

        finish(run_plain)
    elif sys.stdin.isatty() and sys.stdout.isatty():
        from tunewiz.tui.app import run_screen

        finish(lambda: run_screen(runs_dir))
    else:
        print(context.get_help())


def main() -> Any:
    """Entry point of the ``tunewiz`` command."""
    speak()
    break_between_characters()
    for stream in (sys.stdout, sys.stderr):
        # A C locale still gets its text, with "?" for what it cannot show, in place of a traceback.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    return app()
