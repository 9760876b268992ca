"""The two models of a run: the untouched one that it began with, and the tuned one that it left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backends import base_model, sources
from backends.runs.run import Run
from data.problems import BadPreset, error, say
from presets.preset import Preset
from presets.retrieval import RetrievalPreset

_WHOLE = ("*.safetensors", "*.bin")


def base_folder(run: Run, preset: Preset) -> Path:
    """The folder of the untouched model: where the run had it, else where it is found or downloaded to now.

    Raises ``ModelUnavailable``.
    """
    return base_model.recorded(run) or sources.fetch(sources.resolve(preset.model))


def tuned_folder(run: Run) -> Path:
    """The folder of the tuned model, or of its adapter: the exported one, else what training left.

    Raises :class:`BadPreset` (``nothing-tuned``) when the run has neither.
    """
    for folder in (run.model, run.model / "adapter", run.checkpoints / "tuned"):
        if has_model(folder) or (folder / "adapter_config.json").is_file():
            return folder
    told = say("The run {name} has no tuned model.", name=run.name)
    raise BadPreset(error("nothing-tuned", told, fix=say("Go on with it: {command}", command=_resume(run))))


def _resume(run: Run) -> str:
    return f"tunewiz run --resume {run.name}"


def has_model(folder: Path) -> bool:
    """Whether weights lie in ``folder`` itself, other than an adapter's."""
    files = [path for pattern in _WHOLE for path in folder.glob(pattern)] if folder.is_dir() else []
    return any(not path.name.startswith("adapter_") for path in files)


def tuned_encoder(run: Run, preset: RetrievalPreset, device: str = "cpu") -> Any:
    """The tuned ``SentenceTransformer``, an adapter merged in memory, in fp32 and evaluation mode on ``device``."""
    from backends.loading import load_encoder, merge_adapter

    folder = tuned_folder(run)
    if has_model(folder) or (folder / "modules.json").is_file():
        return merge_adapter(load_encoder(folder, preset, device))
    from peft import PeftModel

    model = load_encoder(base_folder(run, preset), preset, device)
    PeftModel.from_pretrained(model[0].auto_model, str(folder)).merge_and_unload()
    return model.eval()
