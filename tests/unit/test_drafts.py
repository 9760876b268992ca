"""Drafts on disk: found again after anything, damaged ones left alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from presets.draft import Draft
from presets.drafts import discard, drafts, drafts_dir, fresh, keep


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def test_a_kept_draft_is_found_again_as_it_was() -> None:
    draft = Draft(folder="/somewhere").answer(("data", "train"), "问题.csv").answer(("method", "type"), "lora")
    draft = draft.answer(("method", "rank"), 8).answer(("method", "type"), "full").suggest({"name": "x"})
    kept = keep(replace(fresh(draft), step="data", advanced=True))
    assert drafts() == [kept]
    assert drafts()[0].draft.answer(("method", "type"), "lora").value(("method", "rank")) == 8
    assert drafts()[0].title == "x"


def test_nothing_is_written_before_it_is_kept_and_discarding_twice_is_fine() -> None:
    assert drafts() == []
    kept = keep(fresh(Draft()))
    discard(kept)
    discard(kept)
    assert drafts() == []


def test_the_newest_comes_first_and_two_at_once_have_two_files() -> None:
    first = keep(fresh(Draft().answer(("name",), "one")))
    second = keep(fresh(Draft().answer(("name",), "two")))
    assert first.file != second.file
    assert [kept.title for kept in drafts()] == ["two", "one"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2}', '{"version": 1, "answers": []}', "\x00\x01"])
def test_a_damaged_file_hides_no_other_draft(text: str) -> None:
    kept = keep(fresh(Draft()))
    (drafts_dir() / "broken.json").write_text(text, encoding="utf-8")
    assert drafts() == [kept]
