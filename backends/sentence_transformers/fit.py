"""Which losses can learn from the rows at hand."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from data.language import N_
from data.problems import Message, Problem, Where, error, say
from presets.losses import alike
from presets.losses.base import Loss, Rows

_WORDS: Final[dict[Rows, str]] = {
    "pairs": N_("queries with answers"),
    "triplets": N_("queries with right and wrong answers"),
    "scored": N_("pairs with a score"),
    "labelled": N_("pairs marked as matching or not"),
}


def fitting(loss: Loss, kinds: Collection[Rows]) -> tuple[str, ...]:
    """The names of the losses like ``loss`` that can learn from rows of one of ``kinds``."""
    return tuple(name for name, other in alike(loss).items() if set(other.rows) & set(kinds))


def problems(loss: Loss, kinds: Collection[Rows], key: str = "loss") -> list[Problem]:
    """One problem (``loss-rows``) when ``loss`` cannot learn from any of ``kinds``, naming the losses that can."""
    if set(loss.core.rows) & set(kinds):
        return []
    told = say(
        "The loss {loss} learns from {needed}; the data has {found}.",
        loss=loss.core.name,
        needed=_either(loss.core.rows),
        found=_either(sorted(kinds, key=list(_WORDS).index)),
    )
    fix = say("Choose one of: {names}.", names=", ".join(fitting(loss, kinds)))
    if "triplets" in loss.core.rows and "pairs" in kinds:
        fix = say(
            "Choose one of: {names}. Or let wrong answers be mined: data.negatives.strategy: bm25.",
            names=", ".join(fitting(loss, kinds)),
        )
    return [error("loss-rows", told, Where(key=f"{key}.name"), fix)]


def _either(kinds: Collection[Rows]) -> Message:
    first, *others = [Message(_WORDS[kind]) for kind in kinds]
    for other in others:
        first = say("{first} or {second}", first=first, second=other)
    return first
