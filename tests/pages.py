"""Gathers the documents for the static pages: ``python -m tests.pages [FOLDER]``, by default ``build/pages``.

READMEs, the other documents, every lesson, the pictures, and the reference of all keys in both languages; links lead
from page to page. ``make docs`` builds ``build/site`` of them with mkdocs (``mkdocs.yml``).
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tunewiz.language import LANGUAGES, use
from tunewiz.tui.commands.keys import run_keys
from tunewiz.tui.screens.lesson import topics

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDER: Final = ROOT / "build" / "pages"
DOCUMENTS: Final = (
    "README.md",
    "README.zh.md",
    "ARCHITECTURE.md",
    "BENCHMARKS.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
)
_LINK: Final = re.compile(r"(\]\()([^)\s]+)(\))")
_HEADINGS: Final = {"en": "Every key of a preset", "zh": "预设的全部键"}


def places() -> dict[str, str]:
    """Where each file of the repository that is a page goes, below the folder of pages."""
    found = {name: "index.md" if name == "README.md" else name for name in DOCUMENTS}
    for language in LANGUAGES:
        found |= {f"tui/lessons/{topic}.{language}.md": f"{language}/{topic}.md" for topic in topics()}
    pictures = sorted((ROOT / "tests" / "pictures").glob("*.svg"))
    return found | {f"tests/pictures/{file.name}": f"pictures/{file.name}" for file in pictures}


def gather(folder: Path) -> list[Path]:
    """Write all pages into ``folder``, anew; those that were written."""
    shutil.rmtree(folder, ignore_errors=True)
    known, written = places(), []
    for source, place in known.items():
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.endswith(".md"):
            target.write_text(linked((ROOT / source).read_text(encoding="utf-8"), source, known), encoding="utf-8")
            written.append(target)
        else:
            shutil.copyfile(ROOT / source, target)
    for language in LANGUAGES:
        target = folder / language / "keys.md"
        target.write_text(keys(language), encoding="utf-8")
        written.append(target)
    return written


def linked(text: str, source: str, known: Mapping[str, str]) -> str:
    """``text`` of the file ``source`` with its links to other files leading to their pages."""
    here = (ROOT / source).parent

    def to_page(found: re.Match[str]) -> str:
        target, mark, heading = found[2].partition("#")
        if not target or "://" in target:
            return found[0]
        file = os.path.relpath((here / target).resolve(), ROOT)
        page = os.path.relpath(known.get(file, file), Path(known[source]).parent)
        return f"{found[1]}{page}{mark}{heading}{found[3]}"

    return _LINK.sub(to_page, text)


def keys(language: str) -> str:
    """The reference of all keys, as ``tunewiz keys --markdown`` prints it."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        use(language)  # type: ignore[arg-type]
        try:
            run_keys((), "", markdown=True, as_json=False)
        finally:
            use("en")
    return f"# {_HEADINGS[language]}\n\n{printed.getvalue()}"


if __name__ == "__main__":
    made = gather(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
    sys.stdout.write(f"{len(made)}\n")
