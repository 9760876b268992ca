"""Rows as LLaMA-Factory's own processors hand them to training, to be looked at and counted; no weights are loaded."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, Final

from backends.llama_factory.arguments import Places
from backends.llama_factory.encoded import IGNORED, Tokens, encoded
from backends.llama_factory.loading import Loaded, tokenizing
from backends.reading import Piece, Reading, ReadRow
from data.conversations import Conversation
from data.problems import Message, say
from presets.tasks.llm import LlmPreset

#: Rows counted at most, spread over the data: more would change the percentiles by less than they are rounded.
COUNTED: Final = 2000
_UNCUT: Final = 1 << 24
_SIDES: Final = {"chosen": say("chosen"), "rejected": say("rejected")}


def reading(preset: LlmPreset, places: Places, rows: Sequence[Conversation], shown: int) -> Reading:
    """``shown`` of ``rows``, and the tokens of up to :data:`COUNTED` of them. Raises ``BadPreset``."""
    loaded = tokenizing(preset, places)
    limit = preset.training.max_length
    uncut = _limited(loaded, _UNCUT)
    counted = [one for row in _spread(rows, COUNTED) for one in _read(loaded, uncut, row, limit, text=False)]
    looked = tuple(one for row in _spread(rows, shown) for one in _read(loaded, uncut, row, limit, text=True))
    return Reading(looked, [one.whole for one in counted], sum(one.learned for one in counted), limit)


def _spread(rows: Sequence[Conversation], count: int) -> Sequence[Conversation]:
    step = max(1, len(rows) // count) if count else len(rows) + 1
    return rows[::step][:count]


def _read(loaded: Loaded, uncut: Loaded, row: Conversation, limit: int, text: bool) -> Iterator[ReadRow]:
    whole = encoded(uncut, row)
    is_short = all(len(tokens.ids) < limit for tokens in whole.values())
    for side, tokens in (whole if is_short else encoded(loaded, row)).items():
        pieces = tuple(_pieces(loaded.tokenizer, tokens)) if text else ()
        counted = sum(label != IGNORED for label in tokens.labels)
        told: Message | None = _SIDES.get(side)
        yield ReadRow(pieces, len(tokens.ids), counted, len(whole[side].ids), told)


def _limited(loaded: Loaded, limit: int) -> Loaded:
    """``loaded``, reading at most ``limit`` tokens a row."""
    data = copy.copy(loaded.data)
    data.cutoff_len = limit
    return replace(loaded, data=data)


def _pieces(tokenizer: Any, tokens: Tokens) -> Iterator[Piece]:
    pairs = zip(tokens.ids, (label != IGNORED for label in tokens.labels), strict=True)
    for learned, run in groupby(pairs, key=lambda pair: pair[1]):
        yield Piece(tokenizer.decode([token for token, _ in run], skip_special_tokens=False), learned)
