"""The library's own words of help and wrong usage: each that we replace is one it says."""

from __future__ import annotations

from pathlib import Path

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


@pytest.mark.parametrize("arguments", [["-h"], ["help"], ["help", "run"], ["run", "-h"], ["--version"], ["-V"]])
def test_what_people_type_first_is_answered(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    assert result.output.startswith("tunewiz " if "ersion" in arguments[0].lower() or "-V" in arguments else "Usage:")


def test_a_file_and_other_programs_commands_are_told_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faq.csv").write_text("question,answer\nWhat is it?,A test.\n", encoding="utf-8")
    (tmp_path / "rows.json").write_text('[{"question": "What?", "answer": "That."}]', encoding="utf-8")
    for arguments, said in (
        (["faq.csv"], "tunewiz data faq.csv"),
        (["train"], "Did you mean run?"),
        (["Chat", "last"], "Did you mean try?"),
        (["check", "faq.csv"], "--data faq.csv"),
        (["check", "rows.json"], "--data rows.json"),
        (["check", "embedding"], "Did you mean embedding/starter?"),
        (["check", "embedding/starter", "--set", "training.lr=1e-5"], "Did you mean learning_rate?"),
    ):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code != 0
        assert said in " ".join(result.output.split()), arguments
