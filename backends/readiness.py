"""What keeps a preset from running on this machine: packages, trackers, the device, models, negatives, memory.

Nothing heavy is imported; hubs are asked only about models that are not here.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tunewiz.backends import negatives, sources
from tunewiz.backends.language_models import templates
from tunewiz.backends.language_models.templates import OWNED, folder_of, known_arguments
from tunewiz.backends.machine.hardware import gpus
from tunewiz.backends.sources.source import search_model
from tunewiz.backends.trackers import catalogue as trackers
from tunewiz.presets import families
from tunewiz.presets.losses.loss import Loss
from tunewiz.presets.losses.matryoshka import Matryoshka
from tunewiz.presets.preset import RetrievalPreset
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.presets.tasks.reranker import RerankerPreset
from tunewiz.presets.yaml.validation import suggestion
from tunewiz.problems import Problem, Where, error, say, warning

# What keeps a preset from training on this machine: packages, the strategy for negatives, the models, memory.


_RETRIEVAL_PACKAGES: Final = (
    "torch",
    "transformers",
    "sentence_transformers",
    "datasets",
    "accelerate",
    "faiss",
    "pytrec_eval",
)
_GIGABYTE: Final = 1024**3


def retrieval_problems(preset: RetrievalPreset, packages: Sequence[str] = ()) -> list[Problem]:
    """Everything found, without importing any of the packages; hubs are asked only about models that are not here.

    ``packages`` are modules that a backend needs besides.
    """
    found = [
        *_retrieval_packages(preset, packages),
        *_trackers(preset),
        *negatives.strategy_problems(preset.data.negatives.strategy),
    ]
    found += sources.problems(preset.model)
    found += _models(preset.loss, "loss")
    return [*found, *_one_process(preset), *_memory(preset)]


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _retrieval_packages(preset: RetrievalPreset, packages: Sequence[str]) -> Iterator[Problem]:
    needed = [*_RETRIEVAL_PACKAGES, *packages]
    if preset.method.type == "lora":
        needed.append("peft")
    if preset.data.negatives.strategy == "bm25":
        needed += ["bm25s", "jieba"]
    missing = [package for package in needed if not _installed(package)]
    if missing:
        message = say("These packages are not installed: {names}.", names=", ".join(missing))
        yield error("packages-missing", message, Where(key="backend"), say("Run: pip install 'tunewiz[retrieval]'"))
    if preset.training.optimizer == "adamw_8bit" and not _installed("bitsandbytes"):
        message = say("The 8-bit optimizer needs the package bitsandbytes.")
        fix = say("Run: pip install 'tunewiz[llm]', or set training.optimizer to adamw.")
        yield error("packages-missing", message, Where(key="training.optimizer"), fix)


def _trackers(preset: RetrievalPreset) -> Iterator[Problem]:
    for name in preset.tracking.trackers:
        package = trackers()[name].package
        if not _installed(package):
            message = say("The tracker {name} is not installed; the run goes on without it.", name=name)
            fix = say("Run: pip install {package}", package=package)
            yield warning("tracker-missing", message, Where(key="tracking.trackers"), fix)


def _models(loss: Loss, key: str) -> Iterator[Problem]:
    from tunewiz.backends.sources.source import loss_model

    for option in loss.models:
        for problem in sources.problems(loss_model(getattr(loss, option))):
            yield Problem(problem.severity, problem.code, problem.message, Where(key=f"{key}.{option}"), problem.fix)
    if isinstance(loss, Matryoshka):
        yield from _models(loss.loss, f"{key}.loss")


def _one_process(preset: RetrievalPreset) -> Iterator[Problem]:
    if preset.launch.processes not in ("auto", 1):
        message = say(
            "This backend trains in one process, on one GPU; {count} are asked for.", count=preset.launch.processes
        )
        yield warning(
            "processes-unused", message, Where(key="launch.processes"), say("Leave launch.processes at auto.")
        )


def _memory(preset: RetrievalPreset) -> Iterator[Problem]:
    """The estimate against the emptiest GPU; nothing is said of models that no family knows."""
    known = families.lookup(preset.model.id)
    free = max((gpu.memory_free or 0 for gpu in gpus()), default=0) if preset.launch.device != "cpu" else 0
    needed = preset.memory(known) if known and free else None
    if needed is None:
        return
    message = say(
        "Training needs about {expected} GB of GPU memory ({low} to {high}); {free} GB are free.",
        **{name: round(getattr(needed, name) / _GIGABYTE, 1) for name in ("expected", "low", "high")},
        free=round(free / _GIGABYTE, 1),
    )
    fix = say("Lower training.batch_size or training.max_length, use a cached loss, or train with method.type: lora.")
    where = Where(key="training.batch_size")
    fits = needed.fits(free)
    if fits == "no":
        yield error("memory-too-small", message, where, fix)
    elif fits == "maybe":
        yield warning("memory-tight", message, where, fix)


# What keeps a preset from training a reranker on this machine: packages, models, negatives, memory.


def reranker_problems(preset: RerankerPreset, packages: Sequence[str] = ()) -> list[Problem]:
    """Everything found, without importing any of the packages; hubs are asked only about models that are not here.

    ``packages`` are modules that a backend needs besides.
    """
    # The first stage, and watching a training, search by words.
    return [*retrieval_problems(preset, ("bm25s", "jieba", *packages)), *_embedder(preset)]


def _embedder(preset: RerankerPreset) -> Iterator[Problem]:
    if "dense" not in (preset.candidates.strategy, preset.data.negatives.strategy):
        return
    for problem in sources.problems(search_model(preset.candidates.model)):
        where = Where(key="candidates.model")
        yield Problem(problem.severity, problem.code, problem.message, where, problem.fix)


# What keeps a preset from training a language model on this machine; nothing heavy is imported.


_LANGUAGE_MODEL_PACKAGES: Final = ("torch", "transformers", "llamafactory", "peft", "trl", "datasets", "accelerate")


def language_model_problems(preset: LlmPreset) -> list[Problem]:
    """Everything found; hubs are asked only about a model that is not here."""
    located = sources.find_cached(preset.model)
    folder = Path(located.place) if located else None
    found = [*_language_model_packages(preset), *_options(preset), *sources.problems(preset.model)]
    found += templates.template_problems(preset.template, preset.model.id, folder)
    return [*found, *_device(preset)]


def _language_model_packages(preset: LlmPreset) -> Iterator[Problem]:
    missing = [package for package in _LANGUAGE_MODEL_PACKAGES if folder_of(package) is None]
    if missing:
        message = say("These packages are not installed: {names}.", names=", ".join(missing))
        yield error("packages-missing", message, Where(key="backend"), say("Run: pip install 'tunewiz[llm]'"))
    wanted = {
        "method.type": "bitsandbytes" if preset.method.stored_bits < 16 else "",
        "training.optimizer": "bitsandbytes" if preset.training.optimizer == "adamw_8bit" else "",
        "training.liger": "liger_kernel" if preset.training.liger else "",
        "training.attention": "flash_attn" if preset.training.attention == "flash_attention_2" else "",
    }
    for key, package in wanted.items():
        if package and folder_of(package) is None:
            name = package.replace("_", "-")
            message = say("This needs the package {name}, which is not installed.", name=name)
            yield error("packages-missing", message, Where(key=key), say("Run: pip install {package}", package=name))
    for name in preset.tracking.trackers:
        package = trackers()[name].package
        if folder_of(package) is None:
            message = say("The tracker {name} is not installed; the run goes on without it.", name=name)
            fix = say("Run: pip install {package}", package=package)
            yield warning("tracker-missing", message, Where(key="tracking.trackers"), fix)


def _options(preset: LlmPreset) -> Iterator[Problem]:
    """Names of ``backend_options`` that LLaMA-Factory does not know, and those that have a key of their own."""
    known = known_arguments()
    for name in preset.backend_options:
        where = Where(key=f"backend_options.{name}")
        if name in OWNED:
            message = say("{name} follows from other keys of the preset.", name=name)
            yield error("backend-option-owned", message, where, say("Set {key} instead.", key=OWNED[name]))
        elif known and name not in known:
            message = say("LLaMA-Factory has no argument {name}.", name=name)
            yield error("backend-option-unknown", message, where, suggestion(name, sorted(known)))


def _device(preset: LlmPreset) -> Iterator[Problem]:
    if preset.launch.processes not in ("auto", 1):
        message = say(
            "This backend trains in one process, on one GPU; {count} are asked for.", count=preset.launch.processes
        )
        yield warning(
            "processes-unused", message, Where(key="launch.processes"), say("Leave launch.processes at auto.")
        )
    if preset.launch.device == "cuda" and not gpus():
        message = say("The preset asks for a GPU and there is none.")
        fix = say("Set launch.device to auto or cpu.")
        yield error("no-gpu", message, Where(key="launch.device"), fix)
