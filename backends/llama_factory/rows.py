"""Conversations as LLaMA-Factory reads them: files with a ``dataset_info.json``, and single examples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from data.conversations import Conversation, Stage
from data.files import write_json, write_jsonl
from data.prepared_llm import PreparedLlm

FOLDER: Final = "llama_factory"
#: Speakers by LLaMA-Factory's tags in a sharegpt file, and by its own roles.
_TAGS: Final = {"user": "human", "assistant": "gpt", "tool": "observation", "call": "function_call"}
_ROLES: Final = {"user": "user", "assistant": "assistant", "tool": "observation", "call": "function"}


def write(prepared: PreparedLlm, folder: Path) -> Path:
    """Write training and validation rows and a ``dataset_info.json`` with absolute paths; the folder of them."""
    target = folder / FOLDER
    info = {}
    for name in ("train", "validation"):
        rows: list[Conversation] = getattr(prepared, name)
        if rows:
            file = target / f"{name}.jsonl"
            write_jsonl(file, (_record(row, prepared.stage) for row in rows))
            info[name] = {"file_name": str(file.absolute())} | _layout(prepared.stage)
    write_json(target / "dataset_info.json", info)
    return target


def _layout(stage: Stage) -> dict[str, Any]:
    if stage == "pretrain":
        return {"columns": {"prompt": "text"}}
    columns = {"messages": "conversations", "system": "system", "tools": "tools"}
    if stage == "preference":
        columns |= {"chosen": "chosen", "rejected": "rejected"}
    if stage == "kto":
        columns |= {"kto_tag": "desirable"}
    return {"formatting": "sharegpt", "ranking": stage == "preference", "columns": columns}


def _record(row: Conversation, stage: Stage) -> dict[str, Any]:
    if stage == "pretrain":
        return {"text": row.text}
    turns = [{"from": _TAGS[turn.speaker], "value": turn.text} for turn in row.turns]
    record: dict[str, Any] = {"conversations": turns, "system": row.system, "tools": row.tools}
    if stage == "preference":
        record |= {name: {"from": "gpt", "value": getattr(row, name)} for name in ("chosen", "rejected")}
    if stage == "kto":
        turns.append({"from": "gpt", "value": row.answer})
        record["desirable"] = bool(row.desirable)
    return record


def example(row: Conversation) -> dict[str, list[Any]]:
    """``row`` as a batch of one of what LLaMA-Factory's dataset processors read."""
    turns = [{"role": _ROLES[turn.speaker], "content": turn.text} for turn in row.turns]
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


def _said(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def asked(row: Conversation) -> list[dict[str, str]]:
    """The turns up to where the model should answer, in LLaMA-Factory's roles; one cut off where it answers last."""
    turns = row.turns[:-1] if row.turns and row.turns[-1].speaker in ("assistant", "call") else row.turns
    return [{"role": _ROLES[turn.speaker], "content": turn.text} for turn in turns]


def thinks(rows: Sequence[Conversation]) -> bool:
    """Whether an answer begins with thoughts, in the tags of reasoning models."""
    return any("<think>" in answer for row in rows for answer in row.answers)
