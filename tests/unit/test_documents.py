"""What the documents point at is there: files, headings, commands with their options, presets and keys."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tunewiz.presets.yaml.library import listing
from tunewiz.tui.cli import COMMANDS, load_command
from tunewiz.tui.screens.lesson import topics

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(ROOT.glob("*.md"))
LESSONS = sorted((ROOT / "tui" / "lessons").glob("*.md"))


def anchors(document: Path) -> set[str]:
    """The headings as links name them."""
    titles = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def typed(document: Path) -> list[str]:
    """Each ``tunewiz …`` of the document, without what is said of it."""
    text = document.read_text(encoding="utf-8")
    blocks = [line.partition("  #")[0] for line in re.findall(r"^tunewiz .+$", text, re.MULTILINE)]
    return blocks + re.findall(r"`(tunewiz [^`]+)`", text)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_each_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
        name, _, heading = target.partition("#")
        if "://" in name:
            continue
        place = ROOT / name if name else document
        assert place.exists(), target
        assert not heading or heading in anchors(place), target


@pytest.mark.parametrize("document", [*DOCUMENTS, *LESSONS], ids=lambda path: path.name)
def test_each_command_is_one_and_takes_the_options_that_are_named(document: Path) -> None:
    for line in typed(document):
        words = shlex.split(line.replace("\\|", " "), comments=True)[1:]
        name = words[0] if words and not words[0].startswith("-") else ""
        if not name:
            continue
        assert name in COMMANDS, line
        known = {option for param in load_command(name).params for option in param.opts}
        for word in words[1:]:
            option = word.strip("[]…").partition("=")[0]
            assert not option.startswith("--") or option in known, line


@pytest.mark.parametrize("document", [*DOCUMENTS, *LESSONS], ids=lambda path: path.name)
def test_each_preset_that_is_run_is_there(document: Path) -> None:
    names = {entry.name for entry in listing()}
    for found in re.findall(r"tunewiz (?:run|check) ([a-z]+/[\w.-]+)", document.read_text(encoding="utf-8")):
        assert found in names, found


def test_each_lesson_is_in_both_languages() -> None:
    assert {path.name for path in LESSONS} == {
        f"{topic}.{language}.md" for topic in topics() for language in ("en", "zh")
    }
