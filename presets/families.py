"""The model families in ``presets/models/*.yaml``, looked up by the id of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from presets.family import Family, Size
from presets.sections.model import EncoderModel
from presets.tree import parse
from presets.wording import did_you_mean

_FOLDER: Final = Path(__file__).resolve().parent / "models"


@dataclass(frozen=True)
class Known:
    """A model of a family."""

    family: Family
    size: Size


@cache
def families() -> tuple[Family, ...]:
    """Every family, by file name."""
    files = sorted(_FOLDER.glob("*.yaml"))
    return tuple(Family.model_validate(parse(path.read_text("utf-8"), str(path)).value) for path in files)


@cache
def _index() -> Mapping[str, Known]:
    found: dict[str, Known] = {}
    for family in families():
        for size in family.models:
            for name in (size.id, size.modelscope, *size.aliases):
                if name:
                    found.setdefault(name.lower(), Known(family, size))
    return found


def tuned_by(task: str) -> str:
    """The task whose models, losses and habits ``task`` has: a pipeline's and a comparison's are a reranker's."""
    return "reranker" if task in ("pipeline", "comparison") else task


def known(task: str | None = None) -> list[Known]:
    """Every model, or those for ``task``, by family and size."""
    own = tuned_by(task) if task else None
    return [Known(family, size) for family in families() if own in (None, *family.tasks) for size in family.models]


def lookup(model_id: str) -> Known | None:
    """The model with this id on either hub or this alias, whatever its letters' case; ``None`` if unknown.

    A path is looked up by its last two parts, then by its last, for that is how downloads are laid out and named.
    """
    name = model_id.strip().rstrip("/").lower()
    owned, last = "/".join(name.split("/")[-2:]), name.rpartition("/")[2]
    exact = next((_index()[key] for key in (name, owned) if key in _index()), None)
    return exact or next((entry for key, entry in _index().items() if key.rpartition("/")[2] == last), None)


def nearest(model_id: str) -> str:
    """The known id most like ``model_id``, or ""."""
    return did_you_mean(model_id, [entry.size.id for entry in known()])


def instructions(model: EncoderModel) -> tuple[str, str]:
    """What goes before queries and before passages: what the preset says, else the family's own, else nothing."""
    entry = lookup(model.id) or (lookup("starter") if model.source == "starter" else None)
    query = entry.family.query_instruction if entry else ""
    passage = entry.family.passage_instruction if entry else ""
    return (
        query if model.query_instruction is None else model.query_instruction,
        passage if model.passage_instruction is None else model.passage_instruction,
    )
