"""Plain text files that are no text to learn: judgments of a search, words with tags, chats."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.data.test_other_layouts import severities
from tunewiz.data.inspection import inspect
from tunewiz.data.reading.source import Dataset


@pytest.mark.parametrize("line", ["{n} 0 doc-{n} 1", "q{n} Q0 d{n} 1 12.5 bm25"])
def test_judgments_are_no_text_to_learn(line: str, tmp_path: Path) -> None:
    path = tmp_path / "qrels.txt"
    path.write_text("".join(line.format(n=n) + "\n" for n in range(20)), encoding="utf-8")
    found = severities(inspect(Dataset(str(path)), "llm"))
    assert "error" in found.values()
    path.write_text("".join(f"In {1900 + n} the town had {n} houses and 3\n" for n in range(20)), encoding="utf-8")
    assert "judged-lines" not in severities(inspect(Dataset(str(path)), "llm"))


def test_words_with_tags_are_no_text_to_learn(tmp_path: Path) -> None:
    path = tmp_path / "ner.txt"
    path.write_text("".join(f"Ann B-PER\nlives O\nin O\nTown{n} B-LOC\n\n" for n in range(20)), encoding="utf-8")
    assert severities(inspect(Dataset(str(path)), "llm"))["tagged-words"] == "error"
    path.write_text(
        "".join(f"小王 2024-01-01 10:{n:02d}:11\n怎么办理第{n}张卡？\n\n" for n in range(20)), encoding="utf-8"
    )
    assert severities(inspect(Dataset(str(path)), "llm"))["who-answers"] == "error"
