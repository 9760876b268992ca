"""The library's own words of help and wrong usage: each that we replace is one it says."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from tunewiz.tui import cli
from tunewiz.tui.cli import app


@pytest.fixture(autouse=True)
def speaking() -> None:
    cli.speak()


@pytest.mark.parametrize(
    ("arguments", "number"),
    [
        (["ru"], 0),
        (["run", "--hlp"], 1),
        (["data"], 2),
        (["run", "x", "--name"], 4),
        (["check", "x", "y"], 5),
    ],
)
def test_each_wrong_usage_is_known_by_its_words(arguments: list[str], number: int) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    said = result.output.strip().splitlines()[-1].removeprefix("Error: ")
    known = [place for place, (pattern, _) in enumerate(cli._USAGE) if pattern.fullmatch(said)]
    assert known == [number]


def test_the_words_of_help_are_those_of_the_library() -> None:
    text = " ".join(CliRunner().invoke(app, ["--help"]).output.split())
    assert all(word in text for word in cli.WORDS if word != "Arguments")
    assert text.startswith("Usage:")
