"""The first rows of a preset's training data, looked at before anything is paid for."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tunewiz.data.folders.hub_ids import ABSENT
from tunewiz.data.inspection import inspect
from tunewiz.data.opening.opened import understood
from tunewiz.data.reading.discovery import discover
from tunewiz.data.reading.source import Dataset
from tunewiz.presets.preset import Preset, RetrievalPreset
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.problems import BadData, Problem, Where, error, errors, say

#: Rows of the training data that are looked at before a run: a second or two at most.
_LOOKED_AT: Final = 1000


def data_problems(preset: Preset) -> list[Problem]:
    """Errors and warnings that the first rows of the training data show, one of each kind, at the key that names it.

    A loss that cannot learn from rows of their kind is one of them. Of a test collection only the layout is looked at.
    """
    if not isinstance(preset, (LlmPreset, RetrievalPreset)):
        return []
    several = preset.data.datasets
    looked = [_looked_at(preset, dataset, f"data.train.{number}" if len(several) > 1 else "data.train")
              for number, dataset in enumerate(several)]  # fmt: skip
    shapes = {"groups" if shape == "collection" else shape for shape, _ in looked if shape}
    found = [problem for _, problems in looked for problem in problems]
    if len(shapes) > 1 and not errors(found):
        message = say("The datasets hold rows of different kinds, which no loss learns from together: {shapes}.",
                      shapes=", ".join(f"{dataset.path} ({shape or '?'})" for dataset, (shape, _) in
                                       zip(several, looked, strict=True)))  # fmt: skip
        found.append(error("unlike-datasets", message, Where(key="data.train")))
    return found


def _looked_at(preset: LlmPreset | RetrievalPreset, dataset: Dataset, key: str) -> tuple[str, list[Problem]]:
    """The shape of the rows of ``dataset`` ("" if unknown), and what is wrong with the first of them."""
    dataset = replace(dataset, limit=min(dataset.limit or _LOOKED_AT, _LOOKED_AT))
    try:
        detection, _ = understood(discover(dataset), preset.model_kind)
    except BadData as fault:
        # What is still to be downloaded is told with its size, by who asks the hub.
        return "", [_of_data(problem, key) for problem in fault.problems if problem.code != ABSENT]
    shape = detection.format.shape
    if shape == "collection":
        return shape, []
    found = [finding.first[0] for finding in inspect(dataset, preset.model_kind).findings]
    data = preset.data.model_copy(update={"format": detection.format.name})
    fitting = [one for one in preset.model_copy(update={"data": data}).problems() if one.code == "loss-rows"]
    if len(preset.data.datasets) > 1:
        fitting = [_of_data(replace(one, where=Where(one.where.key, dataset.path)), key) for one in fitting]
    return shape, [*(_of_data(problem, key) for problem in found if problem.severity != "note"), *fitting]


def _of_data(problem: Problem, key: str) -> Problem:
    """``problem`` at the key of the data it was found in, with the file and line in its words."""
    place = Where(file=problem.where.file, line=problem.where.line)
    message = say("{place}: {what}", place=str(place), what=problem.message) if place.file else problem.message
    return replace(problem, where=Where(key=problem.where.key or key), message=message)
