"""The library's own words of help and wrong usage: each that we replace is one it says."""

import pytest
from typer.testing import CliRunner

from tui import help_words
from tui.cli import app


@pytest.fixture(autouse=True)
def speaking() -> None:
    help_words.speak()


@pytest.mark.parametrize(
    ("arguments", "number"),
    [
        (["ru"], 0),
        (["run", "--hlp"], 1),
        (["data"], 2),
        (["run", "x", "--name"], 4),
        (["run", "x", "y"], 5),
    ],
)
def test_each_wrong_usage_is_known_by_its_words(arguments: list[str], number: int) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    said = result.output.strip().splitlines()[-1].removeprefix("Error: ")
    known = [place for place, (pattern, _) in enumerate(help_words._TOLD) if pattern.fullmatch(said)]
    assert known == [number]


def test_the_words_of_help_are_those_of_the_library() -> None:
    text = " ".join(CliRunner().invoke(app, ["--help"]).output.split())
    assert all(word in text for word in help_words.WORDS if word != "Arguments")
    assert text.startswith("Usage:")
