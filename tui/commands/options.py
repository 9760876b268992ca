"""What the commands share: options that mean the same everywhere, and how a command ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from tunewiz.language import detect, translate, use
from tunewiz.problems import BadData, BadPreset, ExitCode, TunewizError, error, say

# Typer reads help texts when the modules of the command are imported, so the language is settled before.
use(detect(os.environ))
_ = translate

RunName = Annotated[str, typer.Argument(metavar="RUN", help=_("A run's directory, its name, or `last`."))]
RunsDir = Annotated[
    Path | None,
    typer.Option("--runs-dir", metavar="DIR", help=_("Where runs are: ./runs, or $TUNEWIZ_RUNS, by default.")),
]
AsJson = Annotated[bool, typer.Option("--json", help=_("One JSON document on stdout."))]
PresetName = Annotated[str, typer.Argument(metavar="PRESET", help=_("A YAML file, or the name of a shipped preset."))]
SetKeys = Annotated[
    list[str],
    typer.Option("--set", metavar="KEY=VALUE", help=_("Change a key, such as training.epochs=3; repeatable.")),
]
TrainFiles = Annotated[
    list[str],
    typer.Option("--data", metavar="FILE", help=_("What to train on: short for --set data.train=FILE; repeatable.")),
]
RoleColumns = Annotated[
    list[str], typer.Option("--map", metavar="ROLE=COLUMN", help=_("Which column has which role; repeatable."))
]

Roles = Annotated[
    list[str],
    typer.Option(
        "--roles", metavar="NAME=ROLE", help=_("Who a name in a conversation is: clerk=assistant; repeatable.")
    ),
]

Swept = Annotated[
    list[str],
    typer.Option(
        "--sweep",
        metavar="KEY=V1,V2",
        help=_(
            "Try each value of a key in a run of its own, such as training.learning_rate=1e-5,2e-5; or values of a "
            "range that optuna chooses, such as 'training.learning_rate=1e-5..1e-4 log'; repeatable."
        ),
    ),
]


def finish(command: Callable[[], int]) -> None:
    """Run a command's body; problems go to stderr in the user's language, the exit code to the shell."""
    from tunewiz.tui.words import problem_line

    try:
        code = command()
    except TunewizError as fault:
        for problem in fault.problems:
            print(problem_line(problem.as_json()), file=sys.stderr)
        code = int(fault.exit_code)
    except KeyboardInterrupt:
        code = int(ExitCode.STOPPED)
    except BrokenPipeError:
        # The reader has left (`| head`): nothing to say, and nothing to flush at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = int(ExitCode.OK)
    raise typer.Exit(code)


@contextmanager
def users_to_mend(of_data: Collection[str] = ()) -> Iterator[None]:
    """What a child could not do is the user's to mend: the name, the place, the run; or the data, by these codes."""
    from tunewiz.errand import ErrandFailed

    try:
        yield
    except ErrandFailed as fault:
        kind = BadData if any(problem.code in of_data for problem in fault.problems) else BadPreset
        raise kind(*fault.problems) from fault


def pairs(given: Sequence[str]) -> dict[str, str]:
    """What ``--map ROLE=COLUMN`` said. Raises :class:`BadPreset` (``bad-map``)."""
    from tunewiz.presets.yaml import typed  # with pydantic behind it, too slow for --help

    found: dict[str, str] = {}
    for text in given:
        columns = typed.read(text, dict[str, str])
        if (
            not isinstance(columns, dict)
            or not columns
            or not all(isinstance(one, str) and one for one in columns.values())
        ):
            problem = say("--map {text} is not of the form ROLE=COLUMN.", text=text)
            raise BadPreset(error("bad-map", problem, fix=say("For example: --map query=question")))
        found |= columns
    return found


def speakers(given: Sequence[str]) -> dict[str, str]:
    """What ``--roles NAME=ROLE`` said. Raises :class:`BadPreset` (``bad-roles``)."""
    from tunewiz.data.dialogues.roles import PARTS
    from tunewiz.presets.yaml import typed

    found: dict[str, str] = {}
    for text in given:
        roles = typed.read(text, dict[str, str])
        if not isinstance(roles, dict) or not roles or not all(part in PARTS for part in roles.values()):
            problem = say("--roles {text} is not of the form NAME=ROLE.", text=text)
            fix = say("For example: --roles clerk=assistant. Roles: {names}.", names=tuple(PARTS))
            raise BadPreset(error("bad-roles", problem, fix=fix))
        found |= roles
    return found


def with_data(
    settings: Sequence[str], train: Sequence[str], mapping: Sequence[str], roles: Sequence[str] = ()
) -> list[str]:
    """``--data``, ``--map`` and ``--roles`` as settings of the preset, before ``--set``, which may change them."""
    from tunewiz.presets.sections.rows import Train
    from tunewiz.presets.yaml import typed

    found = [f"data.train={typed.write(train[0] if len(train) == 1 else list(train), Train)}"] if train else []
    found += [f"data.columns={typed.write(pairs(mapping), dict[str, str])}"] if mapping else []
    found += [f"data.roles={typed.write(speakers(roles), dict[str, str])}"] if roles else []
    return [*found, *settings]
