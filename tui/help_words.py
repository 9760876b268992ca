"""The words of ``--help`` and of wrong usage that are the library's own, in the user's language.

Typer 0.29 carries its own copy of Click, whose words stand in the code in English. They are replaced where they are
written: in the formatter of help, and in what shows a wrong usage.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import IO, Any, Final

from typer._click.core import Context
from typer._click.exceptions import UsageError
from typer._click.formatting import HelpFormatter

from data.language import N_, translate

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
_TOLD: Final = (
    (re.compile(r"No such command (\S+?)\.?(?: .*)?"), N_("There is no command {0}.")),
    (re.compile(r"No such option: (\S+)(?: .*)?"), N_("There is no option {0}.")),
    (re.compile(r"Missing argument (\S+?)\.?"), N_("{0} is missing.")),
    (re.compile(r"Missing option (\S+?)\.?"), N_("The option {0} is missing.")),
    (re.compile(r"Option (\S+) requires an argument\.?"), N_("The option {0} needs a value.")),
    (re.compile(r"Got unexpected extra argument\(s\) \((.+)\)"), N_("Too many arguments: {0}")),
    (re.compile(r"Invalid value for (.+?): .*"), N_("The value of {0} does not fit.")),
)


class SpokenFormatter(HelpFormatter):
    """Help with its headings in the user's language."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """The first line."""
        super().write_usage(prog, args, prefix or translate(N_("Usage:")) + " ")

    def write_heading(self, heading: str) -> None:
        """Options, commands, arguments."""
        super().write_heading(translate(heading))

    def write_dl(self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """A list of options or commands with what they do."""
        super().write_dl([(name, translate(told)) for name, told in rows], col_max, col_spacing)


def told(message: str) -> str:
    """What is wrong with the usage; in English the library's words, which say more."""
    for pattern, words in _TOLD if translate(_TOLD[0][1]) != _TOLD[0][1] else ():
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
    print(translate(N_("Error")) + f": {told(self.format_message())}", file=stream)


def speak() -> None:
    """From now on the command speaks the user's language in these places too."""
    Context.formatter_class = SpokenFormatter
    UsageError.show = _show  # type: ignore[method-assign]
