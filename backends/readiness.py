"""What keeps a preset from running on this machine, the same for every engine.

Packages, trackers, the strategy for negatives, models, the device, memory; and, for a whole preset file, what it says
itself and the data it names. Nothing heavy is imported; hubs are asked only about models that are not here.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from tunewiz.backends import engines, negatives, sources
from tunewiz.backends.engines import find_engine
from tunewiz.backends.machine.hardware import Gpu, gpus, host_free, most_free
from tunewiz.backends.machine.precision import cpu_has_bf16
from tunewiz.backends.models.layers import layer_problems
from tunewiz.backends.negatives.teaching import named_problems
from tunewiz.backends.outside.copying import target_problems
from tunewiz.backends.ranks import ray
from tunewiz.backends.ranks.place import here
from tunewiz.backends.ranks.plan import ALONE, Plan, estimated, plan_of, plan_problems
from tunewiz.backends.runs.disk import disk_problems
from tunewiz.backends.runs.find import runs_dir
from tunewiz.backends.sources import Located
from tunewiz.backends.sources.source import loss_model, search_model
from tunewiz.backends.trackers import catalogue as trackers
from tunewiz.backends.training.out_of_memory import assignments, ways_to_fit, with_values
from tunewiz.data.folders.hub_ids import ABSENT
from tunewiz.data.reading.source import resolve
from tunewiz.files import read_json
from tunewiz.presets import families
from tunewiz.presets.losses.loss import Loss
from tunewiz.presets.losses.matryoshka import Matryoshka
from tunewiz.presets.memory import GB, Conditions, Estimate
from tunewiz.presets.preset import Preset, RetrievalPreset
from tunewiz.presets.sections.model import Model
from tunewiz.presets.sections.section import Auto, Section
from tunewiz.presets.sections.training import Launch
from tunewiz.presets.sweeping import Point, many, of_point, once, points, ranges
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.presets.tasks.reranker import RerankerPreset
from tunewiz.presets.yaml import fields
from tunewiz.presets.yaml.opening import ParsedPreset
from tunewiz.problems import BadData, BadPreset, Message, Problem, Where, error, errors, note, say, warning

# A preset file, the way ``check``, ``run`` and the wizard all look at it.

_DATA_NOT_FOUND: Final = "data-not-found"
_POINTS: Final = 12  # of a sweep that are named


def check_preset(opened: ParsedPreset, runs: Path | None = None) -> list[Problem]:
    """All problems of both passes, placed in the file: the preset's own, then, if it is sound, its engine's.

    ``runs`` is where the run is to be, for the room on its disk; by default where runs are.
    """
    preset = opened.preset
    found = preset.problems()
    if not errors(found):
        # Of variants each is asked below: the preset itself is not run.
        own = [] if preset.variants else [*missing_data(preset), *find_engine(preset.backend).problems(preset)]
        found = [*found, *own, *disk_problems(preset, runs_dir(runs))]
    if preset.several:
        found = [*found, *sweep_problems(preset, found)]
    return opened.placed(found)


def sweep_problems(preset: Preset, known: Sequence[Problem]) -> list[Problem]:
    """What keeps a point of the sweep from running, beside what is ``known`` of the preset without it."""
    try:
        found = points(preset)
    except BadPreset as fault:
        return list(fault.problems)
    told = {(one.code, one.where.key) for one in known}
    if preset.variants:
        return _variant_problems(found, told)
    wrong: list[Problem] = []
    for point in found:
        own = point.preset.problems()
        own += [] if errors(own) else find_engine(point.preset.backend).problems(point.preset)
        wrong += [of_point(point.values, one) for one in own if (one.code, one.where.key) not in told]
    if chosen := ranges(preset):
        wrong += _without_optuna()
        told_ranges = "; ".join(f"{key} {values.told}" for key, values in chosen.items())
        message = say("A sweep of {count} runs, each chosen by what those before it measured: {ranges}.",
                      count=many(preset), ranges=told_ranges)  # fmt: skip
    else:
        names = "; ".join(point.told for point in found[:_POINTS]) + ("; …" if len(found) > _POINTS else "")
        message = say("A sweep of {count} runs: {points}.", count=len(found), points=names)
    return [*once(wrong), *([] if errors(wrong) else [note("sweep", message, Where("sweep"))])]


def _without_optuna() -> list[Problem]:
    if importlib.util.find_spec("optuna"):
        return []
    message = say("A sweep with a range needs the package optuna, which is not installed.")
    fix = say("Run: {command}, or list the values.", command="pip install 'tunewiz[sweep]'")
    return [error("packages-missing", message, Where("sweep"), fix)]


def _variant_problems(found: Sequence[Point], told: Container[tuple[str, str]]) -> list[Problem]:
    """What is wrong with variants; what only this machine keeps from running is left out, while any is left."""
    wrong: list[Problem] = []
    absent: list[Problem] = []
    for point in found:
        own = [one for one in point.preset.problems() if (one.code, one.where.key) not in told]
        wrong += [of_point({}, one, point.title) for one in own]
        absent += [of_point({}, one, point.title) for one in why_left_out(point.preset)]
    left = [point.title for point in found if not any(one.where.key == f"variants.{point.title}" for one in absent)]
    if not left:
        return [*once(wrong), *once(absent)]
    out = [replace(one, severity="warning") for one in once(absent)]
    if errors(wrong):
        return [*once(wrong), *out]
    message = say("Runs beside each other: {names}.", names=tuple(left))
    return [*once(wrong), *out, note("sweep", message, Where("variants"))]


def why_left_out(preset: Preset) -> list[Problem]:
    """What keeps a variant, whose preset is sound, from running on this machine: packages, memory, data."""
    if errors(preset.problems()):
        return []
    return errors([*missing_data(preset), *find_engine(preset.backend).problems(preset)])


#: What is wrong with this machine and not with the preset.
_OF_MACHINE: Final = (
    *("no-gpu", "memory-too-small", "memory-tight"),
    *("gpu-not-there", "gpus-too-few", "gpus-not-free", "nccl-missing", "strategy-needs-gpu"),
)


def require_runnable(opened: ParsedPreset, runs: Path | None = None, elsewhere: bool = False) -> list[Problem]:
    """What :func:`check_preset` finds short of errors; ``elsewhere``: it will run on another machine of this kind.

    Raises ``BadData`` if only data is missing, else ``BadPreset``.
    """
    found = [one for one in check_preset(opened, runs) if not (elsewhere and one.code in _OF_MACHINE)]
    wrong = errors(found)
    if not wrong:
        return found
    raise (BadData if all(problem.code == _DATA_NOT_FOUND for problem in wrong) else BadPreset)(*found)


def missing_data(section: Section, key: str = "") -> Iterator[Problem]:
    """A problem for each key of ``section``, at any depth, that names data which is not there."""
    for name, field in type(section).model_fields.items():
        value, path = getattr(section, name), f"{key}.{name}" if key else name
        if isinstance(value, Section):
            yield from missing_data(value, path)
        elif isinstance(value, str) and fields.about(field, "path"):
            try:
                resolve(value)
            except BadData as fault:
                # A dataset of a hub that is not here yet is downloaded when its rows are prepared.
                for problem in (one for one in fault.problems if one.code != ABSENT):
                    message = say("{path}: {what}", path=value, what=problem.message)
                    yield error(_DATA_NOT_FOUND, message, Where(key=path), problem.fix)


# What every engine asks for its presets.


def problems(preset: Preset, packages: Sequence[str] = ()) -> list[Problem]:
    """Everything found; ``packages`` are modules that an engine needs beside those of the task."""
    cards = gpus()
    strategy = preset.data.negatives.strategy if isinstance(preset, RetrievalPreset) else negatives.NONE
    return [
        *_packages(preset, packages),
        *target_problems(preset.checkpoints.sync),
        *_trackers(preset),
        *negatives.strategy_problems(strategy),
        *sources.problems(preset.model),
        *_named_models(preset),
        *layer_problems(preset),
        *_device(preset, cards),
        *_memory(preset, cards),
    ]


# Packages and trackers.

_RETRIEVAL_PACKAGES: Final = (
    "torch",
    "transformers",
    "sentence_transformers",
    "datasets",
    "accelerate",
    "faiss",
    "pytrec_eval",
)
_LANGUAGE_MODEL_PACKAGES: Final = ("torch", "transformers", "llamafactory", "peft", "trl", "datasets", "accelerate")


def needed_packages(preset: Preset) -> tuple[str, ...]:
    """Modules that the task of ``preset`` needs, its method and its search for negatives included."""
    if isinstance(preset, LlmPreset):
        return _LANGUAGE_MODEL_PACKAGES
    if not isinstance(preset, RetrievalPreset):
        return ()
    strategy = negatives.catalogue().get(preset.data.negatives.strategy)
    return (
        *_RETRIEVAL_PACKAGES,
        # A reranker's first stage, and watching its training, search by words.
        *(negatives.catalogue()["bm25"].packages if isinstance(preset, RerankerPreset) else ()),
        *(("peft",) if preset.method.type == "lora" else ()),
        *(strategy.packages if strategy else ()),
    )


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _packages(preset: Preset, packages: Sequence[str]) -> Iterator[Problem]:
    wanted = dict.fromkeys([*needed_packages(preset), *packages])
    missing = [package for package in wanted if not _installed(package)]
    if missing:
        message = say("These packages are not installed: {names}.", names=tuple(missing))
        extra = "llm" if isinstance(preset, LlmPreset) else "retrieval"
        fix = say("Run: pip install 'tunewiz[{extra}]'", extra=extra)
        yield error("packages-missing", message, Where(key="backend"), fix)
    if preset.training.optimizer == "adamw_8bit" and not _installed("bitsandbytes"):
        message = say("The 8-bit optimizer needs the package bitsandbytes.")
        fix = say("Run: pip install 'tunewiz[llm]', or set training.optimizer to adamw.")
        yield error("packages-missing", message, Where(key="training.optimizer"), fix)
    for key, package in _kernels(preset) if isinstance(preset, LlmPreset) else ():
        if not _installed(package):
            name = package.replace("_", "-")
            message = say("This needs the package {name}, which is not installed.", name=name)
            yield error("packages-missing", message, Where(key=key), say("Run: pip install {package}", package=name))


def _kernels(preset: LlmPreset) -> Iterator[tuple[str, str]]:
    """Keys, and the modules that their values need."""
    if preset.method.stored_bits < 16:
        yield "method.type", "bitsandbytes"
    if preset.training.liger:
        yield "training.liger", "liger_kernel"
    if preset.training.attention == "flash_attention_2":
        yield "training.attention", "flash_attn"


def _trackers(preset: Preset) -> Iterator[Problem]:
    for name in preset.tracking.trackers:
        package = trackers()[name].package
        if not _installed(package):
            message = say("The tracker {name} is not installed; the run goes on without it.", name=name)
            fix = say("Run: pip install {package}", package=package)
            yield warning("tracker-missing", message, Where(key="tracking.trackers"), fix)


# Models that other keys than ``model`` name.


def _named_models(preset: Preset) -> Iterator[Problem]:
    if isinstance(preset, RetrievalPreset):
        yield from _models_of_loss(preset.loss, "loss")
        yield from named_problems(preset.data.teacher)
    if isinstance(preset, RerankerPreset) and "dense" in (preset.candidates.strategy, preset.data.negatives.strategy):
        yield from _model_at("candidates.model", search_model(preset.candidates.model))


def _models_of_loss(loss: Loss, key: str) -> Iterator[Problem]:
    for option in loss.models:
        yield from _model_at(f"{key}.{option}", loss_model(getattr(loss, option)))
    if isinstance(loss, Matryoshka):
        yield from _models_of_loss(loss.loss, f"{key}.loss")


def _model_at(key: str, model: Model) -> Iterator[Problem]:
    for problem in sources.problems(model):
        yield replace(problem, where=Where(key=key))


# The device, and its memory.


def _device(preset: Preset, cards: Sequence[Gpu]) -> Iterator[Problem]:
    if preset.launch.device == "cuda" and not cards:
        message = say("The preset asks for a GPU and there is none.")
        yield error("no-gpu", message, Where(key="launch.device"), say("Set launch.device to auto or cpu."))
    yield from plan_problems(preset, _strategies(preset), cards)


def _strategies(preset: Preset) -> frozenset[str]:
    """None of an engine that is not there, which is told elsewhere."""
    return find_engine(preset.backend).strategies if preset.backend in engines.names() else frozenset()


def estimate(preset: Preset, located: Located | None, texts: float = 0.0) -> Estimate | None:
    """The memory of ``preset`` by what is known of its model's family, else by its ``config.json`` if it is here.

    ``texts``: how many a row of its data makes a step read; 0 where the data was not looked at.
    """
    return _estimator(preset.model, lambda: located, _on_cpu(preset.launch, gpus()), texts, _plan(preset))(preset)


def _plan(preset: Preset) -> Plan:
    if ray.wanted(preset):
        return Plan(ray.workers(preset))
    return Plan(here().size) if here().size > 1 else plan_of(preset, _strategies(preset), gpus())


def _on_cpu(launch: Launch, cards: Sequence[Gpu]) -> bool:
    return launch.device == "cpu" or not cards


def _estimator(
    model: Model,
    locate: Callable[[], Located | None],
    on_cpu: bool,
    texts: float = 0.0,
    plan: Plan = ALONE,
) -> Callable[[Preset], Estimate | None]:
    """Estimates for presets of ``model``, which is looked up once; ``locate`` is asked where no family knows it.

    They are for one of the processes of ``plan``, with its part of a batch.
    """
    around = Conditions(cpu_has_bf16() if on_cpu else True, on_cpu, texts, plan.size, plan.strategy)
    known = families.lookup(model.id)
    if known:
        return lambda preset: estimated(preset, plan.size).memory(known, around)
    located = locate()
    config = read_json(Path(located.place) / "config.json") if located and located.cached else None
    return lambda preset: (
        estimated(preset, plan.size).memory_by_config(config, around) if isinstance(config, dict) else None
    )


#: The codes of what is found wrong with a preset's memory.
MEMORY: Final = ("memory-too-small", "memory-tight")


def memory_findings(preset: Preset, texts: float) -> list[Problem]:
    """What is wrong with the memory of ``preset`` now that its data is known; ``texts`` as for :func:`estimate`."""
    return list(_memory(preset, gpus(), texts))


def _memory(preset: Preset, cards: Sequence[Gpu], texts: float = 0.0) -> Iterator[Problem]:
    """The estimate against the emptiest GPU, or the host's memory; nothing is said of models that nothing is known of.

    Only a warning where the estimate is not the last word: the host may swap, and ``backend_options`` may save memory
    in ways that it does not know.
    """
    on_cpu = _on_cpu(preset.launch, cards)
    if on_cpu and preset.launch.device == "cuda":
        return
    if isinstance(preset.training.batch_size, Auto):  # it will be as small as it must be
        preset = with_values(preset, {"training.batch_size": 1})
    plan = _plan(preset)
    # The processes of a CPU share one memory; of several cards the fullest decides.
    free = host_free() // plan.processes if on_cpu else _free_of(plan, cards)
    measure = _estimator(preset.model, lambda: sources.find_cached(preset.model), on_cpu, texts, plan)
    needed = measure(preset)
    if needed is None or not free or needed.fits(free) == "yes":
        return
    numbers = {name: round(getattr(needed, name) / GB, 1) for name in ("expected", "low", "high")}
    numbers["free"] = round(free / GB, 1)
    message = (
        say("Training needs about {expected} GB of memory ({low} to {high}); {free} GB are free.", **numbers)
        if on_cpu
        else say("Training needs about {expected} GB of GPU memory ({low} to {high}); {free} GB are free.", **numbers)
    )
    where = Where(key="training.batch_size" if preset.training.batch_size > 1 else "model.id")
    fix = _memory_fix(preset, measure, free, on_cpu)
    unsure = on_cpu or (isinstance(preset, LlmPreset) and preset.backend_options)
    if needed.fits(free) == "no" and not unsure:
        yield error("memory-too-small", message, where, fix)
    else:
        yield warning("memory-tight", message, where, fix)


def _free_of(plan: Plan, cards: Sequence[Gpu]) -> int | None:
    """Bytes free on each card of ``plan``; of one card alone, on the emptiest."""
    mine = [card.memory_free for card in cards if str(card.index) in plan.cards and card.memory_free is not None]
    return min(mine) if plan.size > 1 and mine else most_free(cards)


#: More ways than these are no help.
_WAYS: Final = 3


def _memory_fix(preset: Preset, measure: Callable[[Preset], Estimate | None], free: int, on_cpu: bool) -> Message:
    """What to set so that it fits, tried on the estimate; else what may just fit, else another model."""

    def fits(*verdicts: str) -> Callable[[Preset], bool]:
        return lambda smaller: (needed := measure(smaller)) is not None and needed.fits(free) in verdicts

    ways = [assignments(values) for values in ways_to_fit(preset, fits("yes"), on_cpu)[:_WAYS]]
    if len(ways) > 1:
        return say("Any of these is enough, the first costs least: {ways}.", ways="; ".join(ways))
    if ways:
        return say("This is enough: {ways}.", ways=ways[0])
    if fits("maybe")(preset):
        return say("No setting is sure to make it fit: if it does not, choose a smaller model.")
    cheapest = next(iter(ways_to_fit(preset, fits("maybe"), on_cpu)), None)
    if cheapest:
        return say("This may be enough: {ways}. A smaller model is surer.", ways=assignments(cheapest))
    return say("No setting makes this model fit: choose a smaller one.")
