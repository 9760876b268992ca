"""What the user wants of the data (:class:`LlmPlan`), and data ready for a language model's run: how it lies on disk.

``train.jsonl``, ``validation.jsonl`` and ``evaluation.jsonl`` hold a conversation a line: ``turns`` (lists of speaker
and text) and those of ``system tools chosen rejected answer desirable text label line source`` that say something;
``counts.json`` holds the rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Literal

from tunewiz.data.blending import SourceCounts
from tunewiz.data.checks.check import DAMAGE, check_whole
from tunewiz.data.reading.source import Dataset
from tunewiz.data.rows.conversations import Conversation, Stage, Turn
from tunewiz.files import read_own_json, write_json, write_jsonl
from tunewiz.problems import BadData, Where, error, say


@dataclass(frozen=True)
class LlmPlan:
    """Which data a run uses.

    Without ``evaluation``, ``fraction`` of the first questions is held out. ``validation`` is the share of the rest to
    watch training by: 0 for none, ``None`` for a tenth where there are enough rows. ``stage`` is what the rows are
    trained with; ``auto`` leaves it to their layout. ``placeholders`` fill ``{{name}}``. For rows with labels,
    ``prompt`` holds ``{text}`` and perhaps ``{labels}`` (``None``: one in the language of the texts), and ``labels``
    gives the set and its order (``None``: those of the data, sorted). ``system`` is put where a row has none.
    ``others`` are trained on beside ``train``.
    """

    train: Dataset
    evaluation: Dataset | None = None
    fraction: float = 0.1  # a tenth: the usual share, capped by MOST_EVALUATION
    validation: float | None = None
    seed: int = 42
    clean: bool = True
    stage: Stage | Literal["auto"] = "auto"
    placeholders: Mapping[str, str] = field(default_factory=dict)
    prompt: str | None = None
    labels: tuple[str, ...] | None = None
    system: str | None = None
    others: tuple[Dataset, ...] = ()


_PARTS: Final = ("train", "validation", "evaluation")


@dataclass(frozen=True)
class PreparedLlm:
    """Rows to train on, to watch training by, and to measure on before and after.

    ``labels`` and ``prompt`` (the template that was filled) are empty unless the rows are classified. ``counts`` are
    numbers for the report (``rows train validation evaluation turns``), ``hashes`` the SHA-256 of every input file by
    the name the user gave, ``sources`` tells of each of several datasets.
    """

    stage: Stage
    train: list[Conversation] = field(default_factory=list)
    validation: list[Conversation] = field(default_factory=list)
    evaluation: list[Conversation] = field(default_factory=list)
    labels: tuple[str, ...] = ()
    prompt: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[SourceCounts, ...] = ()


def save(prepared: PreparedLlm, folder: Path) -> None:
    """Write ``prepared`` into ``folder``, each file whole, ``counts.json`` last."""
    for part in _PARTS:
        write_jsonl(folder / f"{part}.jsonl", map(record_of, getattr(prepared, part)))
    rest = {
        "stage": prepared.stage,
        "labels": list(prepared.labels),
        "prompt": prepared.prompt,
        "counts": dict(prepared.counts),
        "hashes": dict(prepared.hashes),
        "sources": [asdict(one) for one in prepared.sources],
    }
    write_json(folder / "counts.json", rest)


def load(folder: Path) -> PreparedLlm:
    """What :func:`save` wrote. Raises :class:`BadData` (``prepared-data-missing``) when it is not all there."""
    try:
        rest = read_own_json(folder / "counts.json")
        train, validation, evaluation = (list(_conversations(folder / f"{part}.jsonl")) for part in _PARTS)
        check_whole({"train": train, "validation": validation, "evaluation": evaluation}, rest["counts"])
        return PreparedLlm(
            stage=rest["stage"],
            train=train,
            validation=validation,
            evaluation=evaluation,
            labels=tuple(rest["labels"]),
            prompt=rest["prompt"],
            counts=rest["counts"],
            hashes=rest["hashes"],
            sources=tuple(SourceCounts(**one) for one in rest.get("sources", ())),
        )
    except DAMAGE as fault:
        message = say("The prepared data is missing or damaged: {fault}.", fault=repr(fault))
        fix = say("Start the run again from its preset.")
        raise BadData(error("prepared-data-missing", message, Where(file=str(folder)), fix)) from fault


def record_of(conversation: Conversation) -> dict[str, Any]:
    """A conversation as a JSON object, without what says nothing."""
    kept = {item.name: getattr(conversation, item.name) for item in fields(conversation) if item.name != "turns"}
    turns = [[turn.speaker, turn.text, *([] if turn.learned else [False])] for turn in conversation.turns]
    return ({"turns": turns} if turns else {}) | {
        name: value for name, value in kept.items() if (value is not None and value not in ("", 0)) or value is False
    }


def conversation_from(kept: Mapping[str, Any]) -> Conversation:
    """The conversation that :func:`record` made the object of."""
    turns = tuple(Turn(*turn) for turn in kept.get("turns", ()))
    return Conversation(turns=turns, **{name: value for name, value in kept.items() if name != "turns"})


def _conversations(path: Path) -> Iterator[Conversation]:
    with path.open(encoding="utf-8", newline="\n") as stream:
        for line in stream:
            yield conversation_from(json.loads(line))
