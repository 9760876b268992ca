"""Conversations as LLaMA-Factory reads them, to the last token: exactly what training sees.

Files with a ``dataset_info.json``, single examples, token ids with labels made by its own processors, and rows to be
looked at and counted, for which no weights are loaded.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from tunewiz.backends.evaluate.lengths import Piece, Reading, ReadRow, most_read
from tunewiz.backends.language_models.loaded_model import Loaded, Places, tokenizing
from tunewiz.backends.language_models.unlearned import LEARNED, has_unlearned, leaving_out
from tunewiz.data.chat.prepared import PreparedLlm
from tunewiz.data.rows.conversations import Conversation, Stage
from tunewiz.files import write_json, write_jsonl
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.problems import Message, say

FOLDER: Final = "llama_factory"
#: Speakers by LLaMA-Factory's tags in a sharegpt file, and by its own roles.
_TAGS: Final = {"user": "human", "assistant": "gpt", "tool": "observation", "call": "function_call"}
_ROLES: Final = {"user": "user", "assistant": "assistant", "tool": "observation", "call": "function"}


def write(prepared: PreparedLlm, folder: Path) -> Path:
    """Write training and validation rows and a ``dataset_info.json`` with absolute paths; the folder of them."""
    target = folder / FOLDER
    info = write_files(prepared, target)
    placed = {name: told | {"file_name": str((target / told["file_name"]).absolute())} for name, told in info.items()}
    write_json(target / "dataset_info.json", placed)
    return target


def write_files(prepared: PreparedLlm, folder: Path) -> dict[str, dict[str, Any]]:
    """Write training and validation rows into ``folder``; what ``dataset_info.json`` beside them has to say."""
    info = {}
    for name in ("train", "validation"):
        rows: list[Conversation] = getattr(prepared, name)
        if rows:
            masks = has_unlearned(rows)
            write_jsonl(folder / f"{name}.jsonl", (_record(row, prepared.stage, masks) for row in rows))
            info[name] = {"file_name": f"{name}.jsonl"} | _layout(prepared.stage)
    return info


def _layout(stage: Stage) -> dict[str, Any]:
    if stage == "pretrain":
        return {"columns": {"prompt": "text"}}
    columns = {"messages": "conversations", "system": "system", "tools": "tools"}
    if stage == "preference":
        columns |= {"chosen": "chosen", "rejected": "rejected"}
    if stage == "kto":
        columns |= {"kto_tag": "desirable"}
    return {"formatting": "sharegpt", "ranking": stage == "preference", "columns": columns}


def _record(row: Conversation, stage: Stage, masks: bool) -> dict[str, Any]:
    if stage == "pretrain":
        return {"text": row.text}
    turns: list[dict[str, Any]] = [
        {"from": _TAGS[turn.speaker], "value": turn.text} | ({LEARNED: turn.learned} if masks else {})
        for turn in row.turns
    ]
    record: dict[str, Any] = {"conversations": turns, "system": row.system, "tools": row.tools}
    if stage == "preference":
        record |= {name: {"from": "gpt", "value": getattr(row, name)} for name in ("chosen", "rejected")}
    if stage == "kto":
        turns.append({"from": "gpt", "value": row.answer})
        record["desirable"] = bool(row.desirable)
    return record


def example(row: Conversation) -> dict[str, list[Any]]:
    """``row`` as a batch of one of what LLaMA-Factory's dataset processors read."""
    turns: list[dict[str, Any]] = [
        {"role": _ROLES[turn.speaker], "content": turn.text, LEARNED: turn.learned} for turn in row.turns
    ]
    if row.stage == "pretrain":
        prompt, response = [{"role": "user", "content": row.text}], []
    elif row.stage == "preference":
        prompt, response = turns, [_said(row.chosen), _said(row.rejected)]
    elif row.stage == "kto":
        # The empty answer stands for the missing one of a pair: its place tells which the other is.
        prompt, response = turns, [_said(row.answer), _said("")] if row.desirable else [_said(""), _said(row.answer)]
    else:
        prompt, response = turns[:-1], turns[-1:]
    told: dict[str, Any] = {"_prompt": prompt, "_response": response, "_system": row.system, "_tools": row.tools}
    return {key: [value] for key, value in (told | {"_images": None, "_videos": None, "_audios": None}).items()}


def _said(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def prompt_turns(row: Conversation) -> list[dict[str, str]]:
    """The turns up to where the model should answer, in LLaMA-Factory's roles; one cut off where it answers last."""
    turns = row.turns[:-1] if row.turns and row.turns[-1].speaker in ("assistant", "call") else row.turns
    return [{"role": _ROLES[turn.speaker], "content": turn.text} for turn in turns]


def thinks(rows: Sequence[Conversation]) -> bool:
    """Whether an answer begins with thoughts, in the tags of reasoning models."""
    return any("<think>" in answer for row in rows for answer in row.answers)


# Rows as token ids with labels, made by LLaMA-Factory's own processors: exactly what training sees.


IGNORED: Final = -100  # ignore_index of torch's cross_entropy, and so of every collator


@dataclass(frozen=True)
class Tokens:
    """Token ids and labels (:data:`IGNORED` where the loss does not count), equally long."""

    ids: Sequence[int]
    labels: Sequence[int]

    @property
    def counted(self) -> int:
        """Tokens that the loss counts: the first of a sequence is never predicted."""
        return sum(label != IGNORED for label in self.labels[1:])


def encode_row(loaded: Loaded, row: Conversation) -> dict[str, Tokens]:
    """``answer`` of a row; ``chosen`` and ``rejected`` of a pair."""
    found = _processor(loaded, row.stage).preprocess_dataset(example(row))
    if row.stage == "preference":
        sides = ("chosen", "rejected")
        return {side: Tokens(found[f"{side}_input_ids"][0], found[f"{side}_labels"][0]) for side in sides}
    ids = found["input_ids"][0]
    return {"answer": Tokens(ids, ids if row.stage == "pretrain" else found["labels"][0])}


def _processor(loaded: Loaded, stage: Stage) -> Any:
    from llamafactory.data import processor

    kinds = {
        "sft": processor.SupervisedDatasetProcessor,
        "pretrain": processor.PretrainDatasetProcessor,
        "preference": processor.PairwiseDatasetProcessor,
        "kto": processor.FeedbackDatasetProcessor,
    }
    loaded.data.packing = False
    found = kinds[stage](
        template=loaded.template, tokenizer=loaded.tokenizer, processor=loaded.processor, data_args=loaded.data
    )
    return leaving_out(found) if stage == "sft" else found


def prompt_ids(loaded: Loaded, turns: Sequence[dict[str, str]], system: str = "", tools: str = "") -> list[int]:
    """The tokens of a conversation up to where the assistant answers; ``turns`` end with the user or a tool."""
    messages = [*turns, {"role": "assistant", "content": ""}]
    ids, _ = loaded.template.encode_oneturn(loaded.tokenizer, messages, system or None, tools or None)
    return list(ids)


def row_prompt(loaded: Loaded, row: Conversation) -> list[int]:
    """The tokens that ask for the last answer of ``row``."""
    return prompt_ids(loaded, prompt_turns(row), row.system, row.tools)


# Rows as LLaMA-Factory's own processors hand them to training, to be looked at and counted; no weights are loaded.


#: Rows counted at most, spread over the data: more would change the percentiles by less than they are rounded.
COUNTED: Final = 2000
_UNCUT: Final = 1 << 24  # tokens, more than any row has: the processors know no "unlimited"
_SIDES: Final = {"chosen": say("chosen"), "rejected": say("rejected")}


def read_rows(preset: LlmPreset, places: Places, rows: Sequence[Conversation], shown: int) -> Reading:
    """``shown`` of ``rows``, and the tokens of up to :data:`COUNTED` of them. Raises ``BadPreset``."""
    loaded = tokenizing(preset, places)
    limit = preset.training.max_length
    uncut = _limited(loaded, _UNCUT)
    counted = [one for row in _spread(rows, COUNTED) for one in _read(loaded, uncut, row, limit, text=False)]
    looked = tuple(one for row in _spread(rows, shown) for one in _read(loaded, uncut, row, limit, text=True))
    asked_less = sum(one.asked_less for one in counted)
    wholes, learned = [one.whole for one in counted], sum(one.learned for one in counted)
    most = most_read(Path(places.model), preset)
    return Reading(looked, wholes, learned, limit, asked_less=asked_less, most=most)


def _spread(rows: Sequence[Conversation], count: int) -> Sequence[Conversation]:
    step = max(1, len(rows) // count) if count else len(rows) + 1
    return rows[::step][:count]


def _read(loaded: Loaded, uncut: Loaded, row: Conversation, limit: int, text: bool) -> Iterator[ReadRow]:
    whole = encode_row(uncut, row)
    is_short = all(len(tokens.ids) < limit for tokens in whole.values())
    for side, tokens in (whole if is_short else encode_row(loaded, row)).items():
        pieces = tuple(_pieces(loaded.tokenizer, tokens)) if text else ()
        counted = sum(label != IGNORED for label in tokens.labels)
        told: Message | None = _SIDES.get(side)
        asked = sum(label == IGNORED for label in whole[side].labels)
        less = len(tokens.ids) - counted < asked
        yield ReadRow(pieces, len(tokens.ids), counted, len(whole[side].ids), told, less)


def _limited(loaded: Loaded, limit: int) -> Loaded:
    """``loaded``, reading at most ``limit`` tokens a row."""
    data = copy.copy(loaded.data)
    data.cutoff_len = limit
    return replace(loaded, data=data)


def _pieces(tokenizer: Any, tokens: Tokens) -> Iterator[Piece]:
    pairs = zip(tokens.ids, (label != IGNORED for label in tokens.labels), strict=True)
    for learned, run in groupby(pairs, key=lambda pair: pair[1]):
        yield Piece(tokenizer.decode([token for token, _ in run], skip_special_tokens=False), learned)
