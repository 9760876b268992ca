"""A dataset looked through for the wizard: what it is, and what training and measuring would make of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, get_args

from pydantic import ValidationError

from tunewiz.data.chat.prepare import prepare_llm
from tunewiz.data.chat.prepared import LlmPlan
from tunewiz.data.folders.hub_ids import ABSENT, on_hub
from tunewiz.data.inspection import Inspection, inspect
from tunewiz.data.reading.source import SAMPLE_PREFIX, Dataset
from tunewiz.data.retrieval.prepare import prepare
from tunewiz.data.retrieval.prepared import Plan
from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.drafts.suggest import Facts
from tunewiz.presets.sections.model import ModelKind
from tunewiz.presets.sections.rows import Rows
from tunewiz.presets.yaml import fields
from tunewiz.presets.yaml.opening import absolute_path
from tunewiz.problems import BadData, BadPreset, Problem, Report, Where, say

#: Beyond this many bytes a file is looked through, but not also split and searched for leaks: the run does that.
PREPARED_UP_TO: Final = 200_000_000
#: What suggestions call the shapes of formats.
_SHAPES: Final[Mapping[str, Literal["groups", "scored", "conversations"]]] = {
    "groups": "groups", "collection": "groups", "scored": "scored", "conversations": "conversations",
}  # fmt: skip


@dataclass(frozen=True)
class InspectionRequest:
    """What was looked at: the parts of a draft that decide the result. Paths are absolute."""

    datasets: tuple[Dataset, ...]
    task: str
    options: tuple[tuple[str, Any], ...]
    #: Whether nobody chose the task, so that the rows decide.
    open: bool = False

    @property
    def train(self) -> str:
        """The path of the training data, of several datasets the first."""
        return self.dataset.path

    @property
    def dataset(self) -> Dataset:
        """The training data, of several datasets the first."""
        return self.datasets[0]

    @property
    def plan(self) -> Plan | LlmPlan | None:
        """What a run would make of it; ``None`` for tasks that hold out data in another way."""
        given = dict(self.options)
        if "evaluation.fraction" not in given:
            return None
        return self._search_plan(given) if "evaluation.qrels" in given else self._llm_plan(given)

    def _search_plan(self, given: Mapping[str, Any]) -> Plan:
        held = {
            name: given[f"evaluation.{name}"] for name in ("corpus", "queries", "qrels", "fraction", "data", "split")
        }
        return Plan(
            train=self.dataset,
            others=self.datasets[1:],
            evaluation=Dataset(held["data"], split=held["split"], like=self.dataset) if held["data"] else None,
            evaluation_split=held["split"],
            fraction=held["fraction"],
            validation=_share(given["evaluation.validation_fraction"]),
            corpus=held["corpus"],
            queries=held["queries"],
            qrels=held["qrels"],
            seed=given["seed"],
            clean=given["clean"],
            task=self.task,
        )

    def _llm_plan(self, given: Mapping[str, Any]) -> LlmPlan:
        held = given["evaluation.data"]
        labels = given.get("labels")
        return LlmPlan(
            train=self.dataset,
            others=self.datasets[1:],
            evaluation=Dataset(held, like=self.dataset) if held else None,
            fraction=given["evaluation.fraction"],
            validation=_share(given["evaluation.validation_fraction"]),
            seed=given["seed"],
            clean=given["clean"],
            placeholders=dict(given.get("placeholders") or ()),
            prompt=given.get("prompt"),
            labels=tuple(labels) if labels else None,
            system=given.get("system"),
        )


def _share(fraction: float | str) -> float | None:
    return None if isinstance(fraction, str) else fraction


@dataclass(frozen=True)
class Inspected:
    """``counts`` (rows a run would train, validate and measure on) and ``found`` (leaks, splits) may be missing.

    ``guessed``: roles of columns that only the cells tell, as was advised after they were tried.
    """

    asked: InspectionRequest
    inspection: Inspection
    counts: Mapping[str, int] = field(default_factory=dict)
    found: tuple[Problem, ...] = ()
    guessed: tuple[tuple[str, str], ...] = ()

    @property
    def wrong(self) -> Problem | None:
        """The first error, which would stop a run; ``None`` if there is none."""
        return next((on_screen(problem) for problem in self._told if problem.severity == "error"), None)

    @property
    def doubts(self) -> Iterator[Problem]:
        """The warnings, the first of each kind: they stop nothing, and should be seen before the start."""
        for problem in self._told:
            if problem.severity == "warning":
                yield replace(on_screen(problem), where=Where(problem.where.key))

    @property
    def _told(self) -> Sequence[Problem]:
        """The first problem of each kind, then what preparing the data met."""
        return (*(finding.first[0] for finding in self.inspection.findings), *self.found)

    @property
    def facts(self) -> Facts:
        """What suggestions may build on."""
        detection, counts = self.inspection.detection, self.inspection.counts
        if detection is None:
            return Facts()
        shape = detection.format.shape
        rows = self.counts.get("train") or counts.get("examples") or counts.get("judgments:train") or 0
        return Facts(
            shape=_SHAPES.get(shape, ""),
            rows=rows,
            negatives="negative" in detection.mapping,
            max_length=self.inspection.advice.max_length if self.inspection.advice else 0,
            language=self.inspection.language,
            columns=self.guessed
            or (tuple(self.asked.dataset.columns.items()) if len(self.asked.datasets) == 1 else ()),
        )


def on_screen(problem: Problem) -> Problem:
    """``problem`` with advice that can be followed where columns are chosen from lists, not with options of a command.

    >>> on_screen(Problem("error", "c", say("m"), fix=say("Say it: --map query=COLUMN."))).fix.text("en")
    'Choose which column plays which role, at the step Data.'
    >>> on_screen(Problem("error", "c", say("m"), fix=say("Say: {told}.", told="--map query=a"))).fix.text("en")
    'Choose which column plays which role, at the step Data.'
    """
    if problem.code == ABSENT:
        return replace(problem, fix=say("A run downloads it, or the button at the step Data."))
    if problem.fix is None or "--map" not in problem.fix.text("en"):
        return problem
    return replace(problem, fix=say("Choose which column plays which role, at the step Data."))


def inspection_request(draft: Draft) -> InspectionRequest | None:
    """What there is to look at; ``None`` while no training data is named, or what is said of it does not fit."""
    field_ = draft.kind.model_fields.get("data")
    section = fields.section_of(field_.annotation, None) if field_ else None
    if section is None or not draft.value(("data", "train")):
        return None
    try:
        data = section.model_validate(draft.filled["data"])
    except ValidationError:
        return None
    options = {name: value for name, value in data if name not in ("train", "evaluation", "negatives")}
    for name in ("columns", "roles", "placeholders", "labels"):
        if name in options and not isinstance(options[name], list):
            options[name] = tuple(sorted((options[name] or {}).items()))
    options |= {f"evaluation.{name}": value for name, value in getattr(data, "evaluation", ())}
    for path in [path for path in draft.paths(("data",)) if ".".join(path[1:]) in options]:
        info, value = draft.field(path), options[".".join(path[1:])]
        if info and fields.about(info, "path") and isinstance(value, str):
            options[".".join(path[1:])] = _absolute(value, draft)
    seed = draft.value(("training", "seed"))
    options["seed"] = seed if isinstance(seed, int) else 0
    if not isinstance(data, Rows):
        return None
    datasets = tuple(dataset.at(_absolute(dataset.path, draft)) for dataset in data.datasets)
    open_ = not draft.is_answered(("task",))
    return InspectionRequest(datasets, draft.kind.model_kind, tuple(options.items()), open_)


def _absolute(path: str, draft: Draft) -> str:
    return path if path.startswith(SAMPLE_PREFIX) or on_hub(path) else absolute_path(path, Path(draft.folder or "."))


def examine(asked: InspectionRequest) -> Inspected:
    """Look through the data; reads all of it, and splits what is not too large for that."""
    inspection, plan = inspect(asked.dataset, asked.task), asked.plan
    if inspection.detection is None and inspection.source is not None and not asked.dataset.columns:
        other = next((one for one in _otherwise(asked, inspection) if one.inspection.usable), None)
        if other is not None:
            return other
    others = [inspect(dataset, asked.task) for dataset in asked.datasets[1:]]
    wrong = tuple(
        problem for one in others for finding in one.findings if (problem := finding.first[0]).severity != "note"
    )
    if any(not one.usable for one in others):
        return Inspected(asked, inspection, found=wrong)
    if not inspection.usable or inspection.detection is None or _too_large(inspection) or plan is None:
        return Inspected(asked, inspection)
    found: list[Problem] = []
    try:
        counts = _prepared(plan, found.append)
    except (BadData, BadPreset) as fault:
        return Inspected(asked, inspection, found=fault.problems)
    told = {finding.code for finding in inspection.findings}
    return Inspected(asked, inspection, counts, tuple(one for one in found if one.code not in told))


def _otherwise(asked: InspectionRequest, inspection: Inspection) -> Iterator[Inspected]:
    """What else the rows may be: those of another kind of model where none was chosen, or columns named anew."""
    for kind in get_args(ModelKind) if asked.open else ():
        if kind != asked.task:
            yield Inspected(asked, inspect(asked.dataset, kind))
    guessed = tuple(inspection.advised.items())
    if guessed:
        yield Inspected(asked, inspect(replace(asked.dataset, columns=dict(guessed)), asked.task), guessed=guessed)


def _prepared(plan: Plan | LlmPlan, told: Report) -> Mapping[str, int]:
    return (prepare_llm(plan, told) if isinstance(plan, LlmPlan) else prepare(plan, told)).counts


def _too_large(inspection: Inspection) -> bool:
    return inspection.source is not None and inspection.source.size > PREPARED_UP_TO
