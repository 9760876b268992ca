"""What keeps a preset from training a language model on this machine; nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from backends import sources
from backends.llama_factory import templates
from backends.llama_factory.arguments import OWNED
from backends.llama_factory.names import arguments, folder_of
from backends.runs.hardware import gpus
from backends.trackers import catalogue as trackers
from data.problems import Problem, Where, error, say, warning
from presets.tasks.llm import LlmPreset
from presets.wording import suggestion

_PACKAGES: Final = ("torch", "transformers", "llamafactory", "peft", "trl", "datasets", "accelerate")


def problems(preset: LlmPreset) -> list[Problem]:
    """Everything found; hubs are asked only about a model that is not here."""
    located = sources.where_cached(preset.model)
    folder = Path(located.place) if located else None
    found = [*_packages(preset), *_options(preset), *sources.problems(preset.model)]
    found += templates.problems(preset.template, preset.model.id, folder)
    return [*found, *_processes(preset)]


def _packages(preset: LlmPreset) -> Iterator[Problem]:
    missing = [package for package in _PACKAGES if folder_of(package) is None]
    if missing:
        told = say("These packages are not installed: {names}.", names=", ".join(missing))
        yield error("packages-missing", told, Where(key="backend"), say("Run: pip install 'tunewiz[llm]'"))
    wanted = {
        "method.type": "bitsandbytes" if preset.method.stored_bits < 16 else "",
        "training.optimizer": "bitsandbytes" if preset.training.optimizer == "adamw_8bit" else "",
        "training.liger": "liger_kernel" if preset.training.liger else "",
        "training.attention": "flash_attn" if preset.training.attention == "flash_attention_2" else "",
    }
    for key, package in wanted.items():
        if package and folder_of(package) is None:
            name = package.replace("_", "-")
            told = say("This needs the package {name}, which is not installed.", name=name)
            yield error("packages-missing", told, Where(key=key), say("Run: pip install {package}", package=name))
    for name in preset.tracking.trackers:
        package = trackers()[name].package
        if folder_of(package) is None:
            told = say("The tracker {name} is not installed; the run goes on without it.", name=name)
            fix = say("Run: pip install {package}", package=package)
            yield warning("tracker-missing", told, Where(key="tracking.trackers"), fix)


def _options(preset: LlmPreset) -> Iterator[Problem]:
    """Names of ``backend_options`` that LLaMA-Factory does not know, and those that have a key of their own."""
    known = arguments()
    for name in preset.backend_options:
        where = Where(key=f"backend_options.{name}")
        if name in OWNED:
            told = say("{name} follows from other keys of the preset.", name=name)
            yield error("backend-option-owned", told, where, say("Set {key} instead.", key=OWNED[name]))
        elif known and name not in known:
            told = say("LLaMA-Factory has no argument {name}.", name=name)
            yield error("backend-option-unknown", told, where, suggestion(name, sorted(known)))


def _processes(preset: LlmPreset) -> Iterator[Problem]:
    if preset.launch.processes not in ("auto", 1):
        told = say(
            "This backend trains in one process, on one GPU; {count} are asked for.", count=preset.launch.processes
        )
        yield warning("processes-unused", told, Where(key="launch.processes"), say("Leave launch.processes at auto."))
    if preset.launch.device == "cuda" and not gpus():
        told = say("The preset asks for a GPU and there is none.")
        fix = say("Set launch.device to auto or cpu.")
        yield error("no-gpu", told, Where(key="launch.device"), fix)
