"""A look at hard negatives before a run: a few queries with their positive and what would be mined for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tunewiz.backends import negatives, sources
from tunewiz.backends.negatives import Surroundings
from tunewiz.backends.negatives.mining import mine, passages
from tunewiz.data.retrieval.prepare import prepare
from tunewiz.data.retrieval.prepared import Plan
from tunewiz.data.rows.examples import Group
from tunewiz.data.text.duplicates import normal
from tunewiz.presets.families import lookup
from tunewiz.presets.preset import Preset, RetrievalPreset
from tunewiz.presets.sections.data import Negatives
from tunewiz.problems import Message, say
from tunewiz.tui.wizard.inspecting import InspectionRequest

SHOWN: Final = 5
#: What a model may have to encode for a look: passages, and weights.
_PASSAGES: Final = 2000
_WEIGHTS: Final = 150_000_000


@dataclass(frozen=True)
class Mined:
    """A query with its positive and negatives, hardest first; scores are those of the strategy."""

    query: str
    positive: str
    score: float
    negatives: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Look:
    """What was mined for a few queries, or why nothing was."""

    shown: tuple[Mined, ...] = ()
    passages: int = 0
    why_not: Message | None = None


@dataclass(frozen=True)
class Wanted:
    """What decides on a look; ``preset`` is there for strategies that ask the model, once there is one."""

    asked: InspectionRequest
    options: Negatives
    seed: int
    preset: Preset | None


def look(wanted: Wanted) -> Look:
    """Mine for a few queries, as the run would for all. Raises ``BadData``."""
    plan = wanted.asked.plan
    prepared = prepare(plan, lambda _problem: None) if isinstance(plan, Plan) else None
    if prepared is None or not prepared.groups:
        return Look(why_not=say("These rows have no queries with positives, so that nothing can be mined for them."))
    corpus = [(key, document.full) for key, document in prepared.evaluation.corpus.items()]
    pool = passages(prepared.groups, corpus if prepared.corpus == "given" else ())
    refusal, encoder = _encoder(wanted, len(pool.texts))
    if refusal:
        return Look(why_not=refusal)
    strategy = negatives.catalogue()[wanted.options.strategy](Surroundings(wanted.seed, encoder))
    few = _few(prepared.groups)
    chosen, _ = mine(few, pool, strategy, wanted.options)
    rows = {query: row for row, query in enumerate(dict.fromkeys(normal(group.query) for group in few))}
    shown: dict[str, Mined] = {}
    for group, numbers in zip(few, chosen, strict=True):
        row, positive = rows[normal(group.query)], pool.by_text[normal(group.positives[0])]
        scores = _scores(strategy, row, [positive, *numbers])
        mined = tuple(zip((pool.texts[number] for number in numbers), scores[1:], strict=True))
        shown.setdefault(normal(group.query), Mined(group.query, group.positives[0], scores[0], mined))
    return Look(tuple(shown.values()), len(pool.texts))


def _few(groups: list[Group]) -> list[Group]:
    """All groups of some queries, spread over the data."""
    step = max(1, len(groups) // SHOWN)
    queries = {normal(group.query) for group in groups[::step][:SHOWN]}
    return [group for group in groups if normal(group.query) in queries]


def _scores(strategy: Any, row: int, numbers: list[int]) -> list[float]:
    import numpy as np

    return [float(score) for score in strategy.scores(np.full(len(numbers), row), np.array(numbers, dtype=np.int64))]


def _encoder(wanted: Wanted, count: int) -> tuple[Message | None, Callable[[], Any]]:
    """Why the strategy cannot be tried here, or the model it may ask for."""
    preset = wanted.preset if isinstance(wanted.preset, RetrievalPreset) else None

    def load() -> Any:
        from tunewiz.backends.models.encoding import SearchEncoder
        from tunewiz.backends.models.loading import load_encoder

        return SearchEncoder(load_encoder(place, preset, "cpu"))

    place = Path()
    if wanted.options.strategy != "dense":
        return None, load
    if preset is None:
        return say("Dense negatives can be shown once the model is chosen."), load
    located, known = sources.find_cached(preset.model), lookup(preset.model.id)
    if located is None or known is None or known.size.parameters > _WEIGHTS or count > _PASSAGES:
        return say("Dense negatives are mined in the run: it would take too long to show them here."), load
    place = sources.fetch(located)
    return None, load
