"""What the documents point at is there: files, headings, commands with their options, presets and keys."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.pages import gather, places
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


def test_the_static_pages_have_no_dead_link(tmp_path: Path) -> None:
    written = gather(tmp_path)
    assert {place.relative_to(tmp_path).as_posix() for place in written} >= {"index.md", "en/keys.md", "zh/keys.md"}
    for place in written:
        for target in re.findall(r"\]\(([^)\s]+)\)", place.read_text(encoding="utf-8")):
            name, _, heading = target.partition("#")
            if "://" in name:
                continue
            page = (place.parent / name).resolve() if name else place
            assert page.is_file() and page.is_relative_to(tmp_path.resolve()), f"{place.name}: {target}"
            assert not heading or heading in anchors(page), f"{place.name}: {target}"


def test_each_page_has_its_place_in_the_menu() -> None:
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = re.findall(r"[\w/.-]+\.md\b", menu.partition("nav:")[2])
    pages = {place for place in places().values() if place.endswith(".md")} | {"en/keys.md", "zh/keys.md"}
    assert sorted(listed) == sorted(pages)


def test_the_pages_are_built_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    gather(tmp_path / "pages")
    settings |= {"docs_dir": str(tmp_path / "pages"), "site_dir": str(tmp_path / "site")}
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-f", str(tmp_path / "mkdocs.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    home = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert not re.findall(r'(?:src|href)="(?:https?:)?//[^"]+\.(?:js|css|woff2?)"', home), "nothing from elsewhere"


def test_each_lesson_is_in_both_languages() -> None:
    assert {path.name for path in LESSONS} == {
        f"{topic}.{language}.md" for topic in topics() for language in ("en", "zh")
    }
