"""Data ready for a run of a language model, and how it lies in the run's directory.

``train.jsonl``, ``validation.jsonl`` and ``evaluation.jsonl`` hold a conversation a line: ``turns`` (lists of speaker
and text) and those of ``system tools chosen rejected answer desirable text label line`` that say something;
``counts.json`` holds the rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from data.conversations import Conversation, Stage, Turn
from data.files import read_json, write_json, write_jsonl
from data.problems import BadData, Where, error, say

_PARTS: Final = ("train", "validation", "evaluation")


@dataclass(frozen=True)
class PreparedLlm:
    """Rows to train on, to watch training by, and to measure on before and after.

    ``labels`` and ``prompt`` (the template that was filled) are empty unless the rows are classified. ``counts`` are
    numbers for the report (``rows train validation evaluation turns``), ``hashes`` the SHA-256 of every input file by
    the name the user gave.
    """

    stage: Stage
    train: list[Conversation] = field(default_factory=list)
    validation: list[Conversation] = field(default_factory=list)
    evaluation: list[Conversation] = field(default_factory=list)
    labels: tuple[str, ...] = ()
    prompt: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)


def save(prepared: PreparedLlm, folder: Path) -> None:
    """Write ``prepared`` into ``folder``, each file whole, ``counts.json`` last."""
    for part in _PARTS:
        write_jsonl(folder / f"{part}.jsonl", map(record, getattr(prepared, part)))
    rest = {
        "stage": prepared.stage,
        "labels": list(prepared.labels),
        "prompt": prepared.prompt,
        "counts": dict(prepared.counts),
        "hashes": dict(prepared.hashes),
    }
    write_json(folder / "counts.json", rest)


def load(folder: Path) -> PreparedLlm:
    """What :func:`save` wrote. Raises :class:`BadData` (``prepared-data-missing``) when it is not all there."""
    rest = read_json(folder / "counts.json")
    try:
        train, validation, evaluation = (list(_conversations(folder / f"{part}.jsonl")) for part in _PARTS)
        return PreparedLlm(
            stage=rest["stage"],
            train=train,
            validation=validation,
            evaluation=evaluation,
            labels=tuple(rest["labels"]),
            prompt=rest["prompt"],
            counts=rest["counts"],
            hashes=rest["hashes"],
        )
    except (OSError, ValueError, KeyError, TypeError) as fault:
        told = say("The prepared data is missing or damaged: {fault}.", fault=repr(fault))
        fix = say("Start the run again from its preset.")
        raise BadData(error("prepared-data-missing", told, Where(file=str(folder)), fix)) from fault


def record(conversation: Conversation) -> dict[str, Any]:
    """A conversation as a JSON object, without what says nothing."""
    kept = {item.name: getattr(conversation, item.name) for item in fields(conversation) if item.name != "turns"}
    turns = [[turn.speaker, turn.text] for turn in conversation.turns]
    return ({"turns": turns} if turns else {}) | {
        name: value for name, value in kept.items() if (value is not None and value not in ("", 0)) or value is False
    }


def conversation(kept: Mapping[str, Any]) -> Conversation:
    """The conversation that :func:`record` made the object of."""
    turns = tuple(Turn(speaker, text) for speaker, text in kept.get("turns", ()))
    return Conversation(turns=turns, **{name: value for name, value in kept.items() if name != "turns"})


def _conversations(path: Path) -> Iterator[Conversation]:
    with path.open(encoding="utf-8", newline="\n") as stream:
        for line in stream:
            yield conversation(json.loads(line))
