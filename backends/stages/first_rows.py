"""The first rows of a preset's training data, looked at before anything is paid for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Final

from tunewiz.backends.stages.language_model import chat_plan_of
from tunewiz.backends.stages.retrieval import plan_of
from tunewiz.data.inspection import inspect
from tunewiz.data.opening.opened import understood
from tunewiz.data.reading.discovery import discover
from tunewiz.presets.checks import language_problems
from tunewiz.presets.preset import Preset, RetrievalPreset
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.presets.tasks.pipeline import PipelinePreset
from tunewiz.problems import BadData, BadPreset, Problem, Where, say

#: Rows of the training data that are looked at before a run: a second or two at most.
_LOOKED_AT: Final = 1000


def data_problems(preset: Preset) -> list[Problem]:
    """Errors and warnings that the first rows of the training data show, one of each kind, at the key that names it.

    A loss that cannot learn from rows of their kind is one of them. Of a test collection only the layout is looked at.
    """
    if not isinstance(preset, (LlmPreset, RetrievalPreset)):
        return []
    dataset = (chat_plan_of(preset) if isinstance(preset, LlmPreset) else plan_of(preset)).train
    dataset = replace(dataset, limit=min(dataset.limit or _LOOKED_AT, _LOOKED_AT))
    try:
        detection, _ = understood(discover(dataset), preset.model_kind)
    except BadData as fault:
        return [_of_data(problem) for problem in fault.problems]
    if detection.format.shape == "collection":
        return []
    inspection = inspect(dataset, preset.model_kind)
    found = [finding.first[0] for finding in inspection.findings]
    data = preset.data.model_copy(update={"format": detection.format.name})
    fitting = [one for one in preset.model_copy(update={"data": data}).problems() if one.code == "loss-rows"]
    told = list(_of_language(preset, inspection.language)) if isinstance(preset, RetrievalPreset) else []
    return [*(_of_data(problem) for problem in found if problem.severity != "note"), *fitting, *told]


def _of_data(problem: Problem) -> Problem:
    """``problem`` at the key of the data it was found in, with the file and line in its words."""
    place = Where(file=problem.where.file, line=problem.where.line)
    message = say("{place}: {what}", place=str(place), what=problem.message) if place.file else problem.message
    return replace(problem, where=Where(key=problem.where.key or "data.train"), message=message)


def _of_language(preset: RetrievalPreset, language: str) -> Iterator[Problem]:
    """A model, the embedding model of a pipeline included, that does not know the ``language`` of the data."""
    yield from language_problems(preset, language)
    if isinstance(preset, PipelinePreset):
        with suppress(BadPreset):  # it is told of elsewhere
            for problem in language_problems(preset.first(), language):
                fix = say("Set embedding=embedding/starter-zh, whose model knows about a hundred languages.")
                yield replace(problem, where=Where(key="embedding"), fix=fix)
