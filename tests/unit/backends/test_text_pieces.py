"""Long texts to pre-train on in pieces of the maximum length; what of a row is cut off, and which options reach it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import bpe
from tunewiz.backends.evaluate.lengths import Reading
from tunewiz.backends.language_models import loaded_model
from tunewiz.backends.language_models.loaded_model import Places
from tunewiz.backends.language_models.text_pieces import in_pieces, told
from tunewiz.data.chat.prepared import PreparedLlm
from tunewiz.data.rows.conversations import Conversation, Turn
from tunewiz.presets.tasks.llm import LlmPreset

LIMIT = 40


def prepared(*texts: str) -> PreparedLlm:
    return PreparedLlm("pretrain", train=[Conversation(text=text, line=n) for n, text in enumerate(texts, 1)])


@pytest.mark.parametrize("text", ["山上有雪。" * 60, "the hill is white " * 60, "x" * 700])
def test_a_long_text_is_split_and_nothing_of_it_is_lost(text: str) -> None:
    tokenizer = bpe()
    before = prepared(text, "short")
    after = in_pieces(before, tokenizer, LIMIT)
    *pieces, last = after.train
    assert last == before.train[1]
    assert len(pieces) > 3
    assert max(len(tokenizer(piece.text)["input_ids"]) for piece in pieces) < LIMIT
    assert "".join(piece.text for piece in pieces).replace(" ", "") == text.replace(" ", "")
    assert {piece.line for piece in pieces} == {1}
    assert (after.counts["train"], [problem.code for problem in told(before, after, LIMIT)]) == (
        len(after.train), ["texts-split"])  # fmt: skip


def test_a_piece_ends_with_a_sentence_and_other_rows_stay() -> None:
    assert all(piece.text.endswith("。") for piece in in_pieces(prepared("山上有雪。" * 60), bpe(), LIMIT).train)
    talk = PreparedLlm("sft", train=[Conversation((Turn("user", "a" * 900), Turn("assistant", "b")))])
    assert in_pieces(talk, bpe(), LIMIT) is talk


def test_texts_that_packing_joins_stay_whole_and_those_to_measure_on_are_read_to_their_end() -> None:
    long = Conversation(text="山上有雪。" * 60, line=1)
    texts = PreparedLlm("pretrain", train=[long], validation=[long], evaluation=[long])
    after = in_pieces(texts, bpe(), LIMIT, measured_only=True)
    assert (after.train, after.validation) == ([long], [long])
    assert "".join(piece.text for piece in after.evaluation) == long.text and len(after.evaluation) > 3


def test_questions_that_lose_their_end_are_told() -> None:
    found = Reading(wholes=[90, 90, 10], learned=9, limit=32, asked_less=2)
    assert [problem.code for problem in found.problems()] == ["lengths", "rows-cut-off", "questions-cut-off"]
    assert "questions-cut-off" not in [problem.code for problem in Reading(wholes=[9], limit=32).problems()]


@pytest.mark.parametrize("wanted", [True, False])
def test_options_that_change_rows_hold_for_measuring_too(tmp_path: Path, wanted: bool) -> None:
    preset = LlmPreset.model_validate({
        "version": 1, "name": "t", "task": "llm", "model": {"id": "starter"}, "data": {"train": "a.jsonl"},
        "backend_options": {"enable_thinking": wanted}})  # fmt: skip
    places = Places(str(tmp_path), "", "", "qwen3", "sft", False, not wanted)
    assert loaded_model.loading_arguments(preset, places, None, merged=False)["enable_thinking"] is wanted
