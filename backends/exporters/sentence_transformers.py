"""A folder that sentence-transformers loads by its path, with prompts and model card; for LoRA the adapter too."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from backends import adapters
from backends.exporters.base import Exporter, replacing
from backends.loading import has_adapter, load_encoder, merge_adapter, prompts
from backends.model_card import model_card
from backends.reports.facts import Facts, gather
from backends.runs.run import Run
from data.files import read_json, write_json, write_whole
from data.problems import TunewizError, Where, error, say
from presets.retrieval import RetrievalPreset

if TYPE_CHECKING:
    from backends.encoding import Vectors

ADAPTER: Final = "adapter"
#: Largest difference of a component between a model and what was written: merging rounds, nothing else may.
_SAME: Final = 1e-4
_PROBE: Final = ("How do I reset my password?", "重置密码的方法", "The weather is fine today.")


class SentenceTransformers(Exporter):
    """The format of sentence-transformers, which LangChain, LlamaIndex, Haystack, TEI and Infinity read too."""

    name: ClassVar[str] = "sentence_transformers"

    def export(self, run: Run, preset: RetrievalPreset, tuned: Path, target: Path) -> list[Path]:
        """``target`` holds the model, ``target / "adapter"`` the adapter; without merging, only the adapter."""
        facts = gather(run, preset)
        model = load_encoder(tuned, preset)
        expected = _vectors(model)
        with replacing(target) as temporary:
            written = []
            if has_adapter(model):
                written.append(write_adapter(tuned, temporary / ADAPTER, facts, prompts(model)))
                _check(_with_adapter(written[-1], facts, preset), expected, written[-1])
            if not written or preset.export.merge:
                written.insert(0, _write_model(merge_adapter(model), temporary, facts))
                _check(_plain(temporary, preset), expected, temporary)
        return [target / folder.relative_to(temporary) for folder in written]


def _write_model(model: Any, folder: Path, facts: Facts) -> Path:
    model.save_pretrained(str(folder), create_model_card=False)
    clean(folder, facts)
    write_whole(folder / "README.md", model_card(facts, prompts(model)))
    return folder


def write_adapter(tuned: Path, folder: Path, facts: Facts, texts: tuple[str, str]) -> Path:
    """The adapter in peft's own format, which vLLM, TEI and peft read; its card says how it goes onto its base."""
    folder.mkdir()
    shutil.copy2(tuned / adapters.WEIGHTS, folder / adapters.WEIGHTS)
    settings = read_json(tuned / "adapter_config.json")
    recorded = facts.record.get("model", {})
    if recorded.get("source") in ("huggingface", "modelscope") and recorded.get("place"):
        # A hub's id can be loaded anywhere, a cache folder only here.
        settings["base_model_name_or_path"] = _hub_id(recorded, settings["base_model_name_or_path"])
    else:
        settings["base_model_name_or_path"] = facts.base_model
    write_json(folder / "adapter_config.json", settings)
    write_whole(folder / "README.md", model_card(facts, texts, adapter=True))
    return folder


def _hub_id(recorded: dict[str, Any], path: str) -> str:
    """The base model's id on the hub where it came from; the path if what was recorded is one too."""
    place = str(recorded["place"])
    return path if Path(place).is_absolute() else place


def clean(folder: Path, facts: Facts) -> None:
    """Take this machine's paths out of the model's settings."""
    for path in folder.rglob("config.json"):
        settings = read_json(path)
        if isinstance(settings, dict) and Path(str(settings.get("_name_or_path", ""))).is_absolute():
            settings["_name_or_path"] = facts.base_model
            write_json(path, settings)


def _vectors(model: Any) -> Vectors:
    """Unit vectors of three texts, the first as a query."""
    import numpy as np

    rows = np.concatenate([model.encode_query(list(_PROBE[:1])), model.encode_document(list(_PROBE[1:]))])
    unit: Vectors = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return unit


def _plain(folder: Path, preset: RetrievalPreset) -> Any:
    """The model as a user loads it: by its path and nothing else."""
    from sentence_transformers import SentenceTransformer

    trusted = preset.model.trust_remote_code
    return SentenceTransformer(str(folder), device="cpu", trust_remote_code=trusted, local_files_only=True)


def _with_adapter(folder: Path, facts: Facts, preset: RetrievalPreset) -> Any:
    """The base model with the adapter put on by peft, as the adapter's card says."""
    from peft import PeftModel

    model = load_encoder(facts.record["model"]["path"], preset)
    PeftModel.from_pretrained(model[0].auto_model, str(folder)).merge_and_unload()
    return model


def _check(loaded: Any, expected: Vectors, folder: Path) -> None:
    found = _vectors(loaded)
    difference = float(abs(found - expected).max()) if found.shape == expected.shape else float("inf")
    if not difference <= _SAME:
        told = say(
            "The exported model does not give the vectors of the tuned one: they differ by {difference}.",
            difference=f"{difference:.2g}",
        )
        fix = say("Keep the run's checkpoints (export.keep_checkpoints) and report this.")
        raise TunewizError(error("export-differs", told, Where(file=folder.name), fix))
