"""Long texts for continued pre-training, split into pieces of the maximum length instead of cut off after the first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from tunewiz.data.chat.prepared import PreparedLlm
from tunewiz.data.rows.conversations import Conversation
from tunewiz.problems import Problem, Where, note, say

#: The sign that ends a text, and a few more: a piece that begins inside a word has other tokens than the whole text.
_SPARE: Final = 4
_END: Final = re.compile(r"[\n。！？!?]|\.(?=\s)")
#: A piece ends with a sentence if one ends in its last third; shorter ones would waste what the model reads.
_LAST: Final = 2 / 3


def in_pieces(prepared: PreparedLlm, tokenizer: Any, limit: int, measured_only: bool = False) -> PreparedLlm:
    """``prepared`` with texts of more than ``limit`` tokens split; rows of other stages stay as they are.

    ``measured_only`` leaves those to train and validate on whole, for a training that puts texts behind one another.
    """
    if prepared.stage != "pretrain":
        return prepared

    def split(rows: Sequence[Conversation]) -> list[Conversation]:
        return [piece for row in rows for piece in pieces(row, tokenizer, limit)]

    evaluation = split(prepared.evaluation)
    learned = (prepared.train, prepared.validation)
    train, validation = learned if measured_only else map(split, learned)
    sizes = {"train": len(train), "validation": len(validation), "evaluation": len(evaluation)}
    return replace(
        prepared, train=train, validation=validation, evaluation=evaluation, counts=dict(prepared.counts) | sizes
    )


def pieces(row: Conversation, tokenizer: Any, limit: int) -> Iterator[Conversation]:
    """The text of ``row`` in pieces of at most ``limit`` tokens, in order; nothing of it is lost but blanks between."""
    most = max(1, limit - _SPARE)
    text = row.text
    # A token is hardly ever shorter than a character, so that short texts need no counting.
    if len(text) <= most:
        yield row
        return
    spans = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)["offset_mapping"]
    if len(spans) <= most:
        yield row
        return
    start = 0
    while start < len(spans):
        end = _end(text, spans, start, min(start + most, len(spans)))
        piece = text[spans[start][0] : spans[end - 1][1]].strip()
        if piece:
            yield replace(row, text=piece)
        start = end


def _end(text: str, spans: Sequence[tuple[int, int]], start: int, end: int) -> int:
    """The token before which a piece that begins at ``start`` ends: after its last sentence, if that ends late."""
    if end == len(spans):
        return end
    for index in range(end, start + int((end - start) * _LAST), -1):
        if _END.search(text[spans[index - 1][0] : spans[index - 1][1]]):
            return index
    return end


def tokenizer_of(path: Path, trusted: bool = False) -> Any:
    """The tokenizer in ``path``, which knows where in the text its tokens stand."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(str(path), trust_remote_code=trusted, local_files_only=True, use_fast=True)


def told(before: PreparedLlm, after: PreparedLlm, limit: int) -> list[Problem]:
    """That texts were split, if any were."""
    if len(after.train) == len(before.train):
        return []
    message = say("Texts longer than {limit} tokens are split: {rows} texts to train on are {pieces} pieces.",
               limit=limit, rows=len(before.train), pieces=len(after.train))  # fmt: skip
    return [note("texts-split", message, Where(key="training.max_length"))]
