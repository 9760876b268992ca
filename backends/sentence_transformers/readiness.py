"""What keeps a preset from training on this machine: packages, the strategy for negatives, the models, memory."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from typing import Final

from backends import negatives, sources
from backends.runs.hardware import gpus
from backends.trackers import catalogue as trackers
from data.problems import Problem, Where, error, say, warning
from presets import families, memory
from presets.losses.base import Loss
from presets.losses.matryoshka import Matryoshka
from presets.retrieval import RetrievalPreset

_PACKAGES: Final = ("torch", "transformers", "sentence_transformers", "datasets", "accelerate", "faiss", "pytrec_eval")
_GIGABYTE: Final = 1024**3


def problems(preset: RetrievalPreset, packages: Sequence[str] = ()) -> list[Problem]:
    """Everything found, without importing any of the packages; hubs are asked only about models that are not here.

    ``packages`` are modules that a backend needs besides.
    """
    found = [*_packages(preset, packages), *_trackers(preset), *negatives.problems(preset.data.negatives.strategy)]
    found += sources.problems(preset.model)
    found += _models(preset.loss, "loss")
    return [*found, *_processes(preset), *_memory(preset)]


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _packages(preset: RetrievalPreset, packages: Sequence[str]) -> Iterator[Problem]:
    needed = [*_PACKAGES, *packages]
    if preset.method.type == "lora":
        needed.append("peft")
    if preset.data.negatives.strategy == "bm25":
        needed += ["bm25s", "jieba"]
    missing = [package for package in needed if not _installed(package)]
    if missing:
        told = say("These packages are not installed: {names}.", names=", ".join(missing))
        yield error("packages-missing", told, Where(key="backend"), say("Run: pip install 'tunewiz[retrieval]'"))
    if preset.training.optimizer == "adamw_8bit" and not _installed("bitsandbytes"):
        told = say("The 8-bit optimizer needs the package bitsandbytes.")
        fix = say("Run: pip install 'tunewiz[llm]', or set training.optimizer to adamw.")
        yield error("packages-missing", told, Where(key="training.optimizer"), fix)


def _trackers(preset: RetrievalPreset) -> Iterator[Problem]:
    for name in preset.tracking.trackers:
        package = trackers()[name].package
        if not _installed(package):
            told = say("The tracker {name} is not installed; the run goes on without it.", name=name)
            fix = say("Run: pip install {package}", package=package)
            yield warning("tracker-missing", told, Where(key="tracking.trackers"), fix)


def _models(loss: Loss, key: str) -> Iterator[Problem]:
    from backends.sentence_transformers.losses import named_model

    for option in loss.models:
        for problem in sources.problems(named_model(getattr(loss, option))):
            yield Problem(problem.severity, problem.code, problem.message, Where(key=f"{key}.{option}"), problem.fix)
    if isinstance(loss, Matryoshka):
        yield from _models(loss.loss, f"{key}.loss")


def _processes(preset: RetrievalPreset) -> Iterator[Problem]:
    if preset.launch.processes not in ("auto", 1):
        told = say(
            "This backend trains in one process, on one GPU; {count} are asked for.", count=preset.launch.processes
        )
        yield warning("processes-unused", told, Where(key="launch.processes"), say("Leave launch.processes at auto."))


def _memory(preset: RetrievalPreset) -> Iterator[Problem]:
    """The estimate against the emptiest GPU; nothing is said of models that no family knows."""
    known = families.lookup(preset.model.id)
    free = max((gpu.memory_free or 0 for gpu in gpus()), default=0) if preset.launch.device != "cpu" else 0
    if known is None or not free:
        return
    needed = memory.of_preset(preset, known.size)
    told = say(
        "Training needs about {expected} GB of GPU memory ({low} to {high}); {free} GB are free.",
        **{name: round(getattr(needed, name) / _GIGABYTE, 1) for name in ("expected", "low", "high")},
        free=round(free / _GIGABYTE, 1),
    )
    fix = say("Lower training.batch_size or training.max_length, use a cached loss, or train with method.type: lora.")
    where = Where(key="training.batch_size")
    fits = needed.fits(free)
    if fits == "no":
        yield error("memory-too-small", told, where, fix)
    elif fits == "maybe":
        yield warning("memory-tight", told, where, fix)
