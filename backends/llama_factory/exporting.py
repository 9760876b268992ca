"""The tuned model as a folder that transformers, vLLM and LLaMA-Factory load by its path; for adapters those too."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

from backends.exporters.base import replacing
from backends.llama_factory.arguments import Places
from backends.llama_factory.loading import Loaded, adapter_in, speaks_first, tuned
from backends.reports.llm import card
from backends.runs.run import Run
from data.files import read_json, write_json, write_whole
from presets.tasks.llm import LlmPreset

ADAPTER: Final = "adapter"
_FILES: Final = ("adapter_model.safetensors", "adapter_config.json")


def export(run: Run, preset: LlmPreset, places: Places) -> list[Path]:
    """Write ``run.model`` (merged into 16-bit weights) and ``run.model / "adapter"``; the folders that can be loaded.

    Without ``export.merge``, and of virtual tokens, only the adapter is written.
    """
    adapter = adapter_in(run.checkpoints)
    with replacing(run.model) as temporary:
        written = []
        if adapter is None or (preset.export.merge and not speaks_first(adapter)):
            _model(tuned(preset, places, run.checkpoints, merged=True), temporary, run)
            write_whole(temporary / "README.md", card(run, preset))
            written.append(run.model)
        if adapter:
            _adapter(adapter, temporary / ADAPTER, run, preset)
            written.append(run.model / ADAPTER)
    return written


def _model(loaded: Loaded, folder: Path, run: Run) -> None:
    """Weights and tokenizer, with the chat template that was trained with."""
    loaded.inner.save_pretrained(str(folder))
    loaded.tokenizer.padding_side = "left"
    loaded.tokenizer.save_pretrained(str(folder))
    settings: Any = read_json(folder / "config.json")
    if Path(str(settings.get("_name_or_path", ""))).is_absolute():
        settings["_name_or_path"] = str((read_json(run.record_file) or {}).get("model", {}).get("place", ""))
        write_json(folder / "config.json", settings)


def _adapter(adapter: Path, folder: Path, run: Run, preset: LlmPreset) -> None:
    folder.mkdir()
    for name in _FILES:
        shutil.copy2(adapter / name, folder / name)
    settings: Any = read_json(folder / "adapter_config.json")
    model = (read_json(run.record_file) or {}).get("model", {})
    hub = model.get("source") in ("huggingface", "modelscope")
    settings["base_model_name_or_path"] = preset.model.id if hub else model.get("path", preset.model.id)
    write_json(folder / "adapter_config.json", settings)
    write_whole(folder / "README.md", card(run, preset, adapter=True))
