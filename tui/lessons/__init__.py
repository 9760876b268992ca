"""Short lessons in English and Chinese: ``<topic>.<language>.md``, the first line is the title."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from data.language import Language, current

_FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Lesson:
    """A topic in one language; ``text`` is Markdown, its title not in it."""

    topic: str
    title: str
    text: str


def topics() -> tuple[str, ...]:
    """Every topic, in alphabetical order."""
    return tuple(sorted({path.name.partition(".")[0] for path in _FOLDER.glob("*.md")}))


def lesson(topic: str, language: Language | None = None) -> Lesson:
    """The lesson on ``topic`` in ``language``, by default the current one. Raises ``KeyError`` if there is none."""
    return _read(topic, language or current())


@cache
def _read(topic: str, language: Language) -> Lesson:
    path = _FOLDER / f"{topic}.{language}.md"
    if not path.is_file():
        raise KeyError(topic)
    title, _, text = path.read_text(encoding="utf-8").partition("\n")
    return Lesson(topic, title.removeprefix("# ").strip(), text.strip())
