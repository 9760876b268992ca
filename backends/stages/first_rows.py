"""The first rows of a preset's training data, looked at before anything is paid for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from tunewiz.backends.stages.foresight import Work, work
from tunewiz.backends.stages.language_model import chat_plan_of
from tunewiz.backends.stages.retrieval import plan_of, texts_a_row
from tunewiz.backends.training.reranker_rows import with_groups
from tunewiz.data.chat.prepare import FEW_ROWS, prepare_llm
from tunewiz.data.folders.hub_ids import ABSENT
from tunewiz.data.inspection import Inspection, inspect
from tunewiz.data.opening import opened
from tunewiz.data.retrieval.evaluation import evaluation_set, weak_evaluation
from tunewiz.data.retrieval.prepared import Prepared
from tunewiz.data.rows.examples import Example, Group, ScoredPair
from tunewiz.presets.checks import language_problems
from tunewiz.presets.preset import Preset, RetrievalPreset
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.presets.tasks.pipeline import PipelinePreset
from tunewiz.presets.tasks.reranker import RerankerPreset
from tunewiz.problems import BadData, BadPreset, Findings, Problem, Where, error, errors, say

#: Rows of the training data that are looked at before a run: a second or two at most.
_LOOKED_AT: Final = 1000
#: Bytes of a test collection that are read in a second or two.
_SMALL: Final = 20 << 20


class First(NamedTuple):
    """What the first training rows of a preset tell; ``whole``: whether there are no others.

    ``texts``: what :func:`~tunewiz.backends.stages.retrieval.texts_a_row` says of them. Wrong documents that are to be
    mined are counted as if they had been found.
    """

    texts: float
    work: Work
    whole: bool


class FirstRows:
    """The first training rows of a preset, read once for all that is to be known of them."""

    def __init__(self, preset: Preset) -> None:
        self._preset = preset

    @cached_property
    def _inspections(self) -> tuple[Inspection, ...]:
        """What the first rows of each dataset are; none where the preset has no rows of its own."""
        preset = self._preset
        if not isinstance(preset, (LlmPreset, RetrievalPreset)):
            return ()
        return tuple(inspect(dataset, preset.model_kind, first=_LOOKED_AT) for dataset in preset.data.datasets)

    @property
    def problems(self) -> list[Problem]:
        """Errors and warnings, one of each kind, at the key that names the data.

        A loss that cannot learn from rows of their kind is one of them. Of a test collection only the layout is
        looked at.
        """
        preset = self._preset
        if not isinstance(preset, (LlmPreset, RetrievalPreset)):
            return []
        several = preset.data.datasets
        looked = [_problems(preset, one, f"data.train.{number}" if len(several) > 1 else "data.train")
                  for number, one in enumerate(self._inspections)]  # fmt: skip
        shapes = {"groups" if shape == "collection" else shape for shape, _ in looked if shape}
        found = [problem for _, problems in looked for problem in problems]
        if len(shapes) > 1 and not errors(found):
            message = say("The datasets hold rows of different kinds, which no loss learns from together: {shapes}.",
                          shapes=tuple(f"{dataset.path} ({shape or '?'})" for dataset, (shape, _) in
                                           zip(several, looked, strict=True)))  # fmt: skip
            found.append(error("unlike-datasets", message, Where(key="data.train")))
        if not errors(found):
            known = {problem.code for problem in found}
            measured = self._of_measured_rows(preset) if isinstance(preset, LlmPreset) else self._of_measuring(preset)
            found += [one for one in measured if one.code not in known]
        return found

    def _of_measured_rows(self, preset: LlmPreset) -> Iterator[Problem]:
        """That few rows are measured on, where all of the data is read in a moment."""
        if any(one.counts.get("rows", 0) >= _LOOKED_AT or not _is_small(one.name) for one in self._inspections):
            return
        told: list[Problem] = []
        with suppress(BadData, BadPreset):
            prepare_llm(chat_plan_of(preset), told.append)
        yield from (one for one in told if one.code == FEW_ROWS)

    def _of_measuring(self, preset: RetrievalPreset) -> Iterator[Problem]:
        """What a run would find wrong with what it measures on, where all of the data is read in a moment."""
        plan = plan_of(preset)
        named = (plan.evaluation.path if plan.evaluation else None, plan.corpus, plan.queries, plan.qrels)
        if self.first is None or not self.first.whole or not all(_is_small(path) for path in named if path):
            return
        inspection = self._inspections[0]
        if inspection.detection is None or inspection.detection.format.shape == "collection":
            return
        data = opened.Opened(inspection.detection.source, inspection.detection)
        try:
            found = evaluation_set(plan, data, list(inspection.examples), data.source.split, Findings()).evaluation
        except BadData as fault:
            yield from (_of_data(problem, "data.evaluation") for problem in fault.problems)
            return
        if found.qrels:
            yield from (one for one in weak_evaluation(found, Where()) if one.severity != "note")

    @cached_property
    def first(self) -> First | None:
        """See :class:`First`; ``None`` where they do not tell. A large test collection is not read."""
        preset = self._preset
        if not isinstance(preset, RetrievalPreset):
            return None
        plan, inspection = plan_of(preset), self._inspections[0]
        rows = _rows(inspection, plan.train.split)
        if not rows:
            return None
        prepared = _as_mined(preset, rows)
        whole = not plan.others and (len(rows) < _LOOKED_AT or plan.train.limit == len(rows))
        return First(texts_a_row(preset, prepared), work(preset, prepared), whole)


def _is_small(path: str) -> bool:
    place = Path(path)
    try:
        return place.is_file() and place.stat().st_size <= _SMALL
    except OSError:
        return False


def _rows(inspection: Inspection, split: str) -> Sequence[Example]:
    """The first rows; of a small test collection those of its ``split`` for training."""
    if inspection.detection is None or inspection.detection.format.shape != "collection":
        return inspection.examples
    data = opened.Opened(inspection.detection.source, inspection.detection)
    try:
        if sum(path.stat().st_size for path in data.files().values()) > _SMALL:
            return ()
        chosen = opened.train_split(data, split, _quiet)
        return list(islice(opened.read_examples(data, _quiet, chosen), _LOOKED_AT))
    except (BadData, OSError):
        return ()


def _problems(preset: LlmPreset | RetrievalPreset, looked: Inspection, key: str) -> tuple[str, list[Problem]]:
    """The shape of the rows that were ``looked`` at ("" if unknown), and what is wrong with them."""
    found = [finding.first[0] for finding in looked.findings]
    # What is still to be downloaded is told with its size, by who asks the hub.
    wrong = [_of_data(problem, key) for problem in found if problem.severity != "note" and problem.code != ABSENT]
    if looked.detection is None:
        return "", wrong
    shape = looked.detection.format.shape
    if shape == "collection":
        return shape, []
    data = preset.data.model_copy(update={"format": looked.detection.format.name})
    fitting = [one for one in preset.model_copy(update={"data": data}).problems() if one.code == "loss-rows"]
    if len(preset.data.datasets) > 1:
        fitting = [_of_data(replace(one, where=Where(one.where.key, looked.name)), key) for one in fitting]
    told = list(_of_language(preset, looked.language)) if isinstance(preset, RetrievalPreset) else []
    return shape, [*wrong, *fitting, *told]


def _as_mined(preset: RetrievalPreset, rows: Sequence[Example]) -> Prepared:
    groups = [row for row in rows if isinstance(row, Group)]
    pairs = [row for row in rows if isinstance(row, ScoredPair)]
    prepared = Prepared("groups" if groups else "scored", groups=groups, pairs=pairs)
    if not preset.data.negatives.mined:
        return prepared
    if isinstance(preset, RerankerPreset):
        prepared = with_groups(prepared, _quiet)
    found = ("",) * preset.data.negatives.mined
    return replace(prepared, groups=[
        replace(one, negatives=(*one.negatives, *found[len(one.negatives) :])) for one in prepared.groups
    ])  # fmt: skip


def _quiet(_problem: Problem) -> None:
    """It is told by :class:`FirstRows`."""


def _of_data(problem: Problem, key: str) -> Problem:
    """``problem`` at the key of the data it was found in, with the file and line in its words."""
    place = Where(file=problem.where.file, line=problem.where.line)
    message = say("{place}: {what}", place=str(place), what=problem.message) if place.file else problem.message
    return replace(problem, where=Where(key=problem.where.key or key), message=message)


def _of_language(preset: RetrievalPreset, language: str) -> Iterator[Problem]:
    """A model, the embedding model of a pipeline included, that does not know the ``language`` of the data."""
    yield from language_problems(preset, language)
    if isinstance(preset, PipelinePreset):
        with suppress(BadPreset):  # it is told of elsewhere
            for problem in language_problems(preset.first(), language):
                fix = say("Set embedding=embedding/starter-zh, whose model knows about a hundred languages.")
                yield replace(problem, where=Where(key="embedding"), fix=fix)
